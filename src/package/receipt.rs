//! The receipt (`fragmint.json`): what a run wrote, file by file, in path order. It is written last, so a directory
//! that has one is complete; a later run with `force` removes just what it names.

use serde::Serialize;

use crate::io::publish::WrittenFile;

/// What a run wrote. Deterministic: no time, no host, no thread count.
#[derive(Clone, Debug, Serialize)]
pub struct Receipt {
    /// Version of the program that wrote it.
    pub fragmint: &'static str,
    /// Every file but the receipt itself, in path order. Paths are relative to the output directory.
    pub files: Vec<WrittenFile>,
}

impl Receipt {
    /// The receipt for `files`, sorted by path.
    pub fn new(mut files: Vec<WrittenFile>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { fragmint: env!("CARGO_PKG_VERSION"), files }
    }

    /// The file's bytes: indented JSON with a line feed at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("strings and numbers always serialise");
        json.push(b'\n');
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::publish::WrittenFiles;

    #[test]
    fn lists_files_in_path_order_and_reads_as_a_list_of_written_files() {
        let file = |path: &str, bytes| WrittenFile { path: path.to_owned(), bytes: Some(bytes) };
        let receipt = Receipt::new(vec![file("video/a/init.mp4", 700), file("master.m3u8", 12)]);
        let expected = format!(
            concat!(
                "{{\n  \"fragmint\": \"{}\",\n  \"files\": [\n",
                "    {{\n      \"path\": \"master.m3u8\",\n      \"bytes\": 12\n    }},\n",
                "    {{\n      \"path\": \"video/a/init.mp4\",\n      \"bytes\": 700\n    }}\n  ]\n}}\n"
            ),
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(String::from_utf8(receipt.to_json()).unwrap(), expected);
        let list: WrittenFiles = serde_json::from_slice(&receipt.to_json()).unwrap();
        assert_eq!(list.files, receipt.files);
    }
}
