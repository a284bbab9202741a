//! Packages in memory, for tests and fuzzing.

use std::collections::BTreeMap;

use super::files::{FileEntry, Files, OpenError};
use crate::error::Result;
use crate::io::ReadAt;

/// The files of a package in memory, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn open(&self, path: &str) -> Result<Box<dyn ReadAt + '_>, OpenError> {
        if path.starts_with('/') || path.split('/').any(|name| name == "..") {
            return Err(OpenError::Outside);
        }
        let bytes = self.0.get(path).ok_or(OpenError::Missing)?;
        Ok(Box::new(bytes.as_slice()))
    }

    fn list(&self) -> Result<Vec<FileEntry>> {
        Ok(self
            .0
            .iter()
            .map(|(path, bytes)| FileEntry { path: path.clone(), bytes: bytes.len() as u64 })
            .collect())
    }
}

#[cfg(test)]
pub(crate) use edit::*;

#[cfg(test)]
mod edit {
    use std::ops::Range;
    use std::path::Path;
    use std::sync::OnceLock;

    use super::Memory;
    use crate::package::{InputRequest, Request, run};
    use crate::plan::SegmentDuration;

    /// A way to break [`package`], for the rule that has to notice it.
    pub(crate) type Break = (&'static str, fn(&mut Memory));

    impl Memory {
        /// All files below a directory.
        pub(crate) fn of_directory(path: &Path) -> Self {
            let mut files = Self::default();
            let mut open = vec![path.to_path_buf()];
            while let Some(directory) = open.pop() {
                for entry in std::fs::read_dir(&directory).unwrap() {
                    let entry = entry.unwrap().path();
                    if entry.is_dir() {
                        open.push(entry);
                        continue;
                    }
                    let name = entry.strip_prefix(path).unwrap().to_str().unwrap().to_owned();
                    files.0.insert(name, std::fs::read(entry).unwrap());
                }
            }
            files
        }

        /// The bytes of a file.
        pub(crate) fn bytes(&mut self, path: &str) -> &mut Vec<u8> {
            self.0.get_mut(path).unwrap_or_else(|| panic!("{path} is in the package"))
        }

        /// Replaces text in a file, which has to have it.
        pub(crate) fn replace(&mut self, path: &str, from: &str, to: &str) {
            let bytes = self.bytes(path);
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(from), "{path} has no {from:?}:\n{text}");
            *bytes = text.replace(from, to).into_bytes();
        }

        /// Where the first box of a path of types lies in a file, header included. Fields of version, flags and sample entries
        /// in front of inner boxes are passed over.
        pub(crate) fn find_box(&self, path: &str, types: &[&[u8; 4]]) -> Range<usize> {
            let bytes = &self.0[path];
            types.iter().fold(0..bytes.len(), |holder, kind| {
                let start = (holder.start + usize::from(holder.start > 0 || types.is_empty()) * 8
                    ..holder.end)
                    .find(|&at| bytes.get(at + 4..at + 8) == Some(&kind[..]))
                    .unwrap_or_else(|| panic!("{path} has {:?}", String::from_utf8_lossy(&kind[..])));
                let size = u32::from_be_bytes(bytes[start..start + 4].try_into().unwrap());
                start..start + size as usize
            })
        }

        /// Overwrites bytes of a box, counted from its start (its size field).
        pub(crate) fn patch(&mut self, path: &str, types: &[&[u8; 4]], at: usize, with: &[u8]) {
            let start = self.find_box(path, types).start + at;
            self.bytes(path)[start..start + with.len()].copy_from_slice(with);
        }
    }

    /// Directories of [`package`]: H.264 in two sizes, H.265, audio.
    pub(crate) const LARGE: &str = "video/large";
    pub(crate) const SMALL: &str = "video/small";
    pub(crate) const HEVC: &str = "video/hevc";
    pub(crate) const SOUND: &str = "audio/sound";

    /// A sound package of 2 s segments with HLS, DASH and receipt, made once.
    pub(crate) fn package() -> Memory {
        static PACKAGE: OnceLock<Memory> = OnceLock::new();
        PACKAGE
            .get_or_init(|| {
                let named = |file: &str, name: &str| InputRequest {
                    name: Some(name.to_owned()),
                    ..InputRequest::new(
                        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder").join(file),
                    )
                };
                let directory = tempfile::tempdir().unwrap();
                let output = directory.path().join("out");
                let inputs = vec![
                    named("360p.h264", "large"),
                    named("234p.h264", "small"),
                    named("234p.h265", "hevc"),
                    InputRequest { language: Some("en".to_owned()), ..named("en.aac", "sound") },
                ];
                let request = Request {
                    segment_duration: SegmentDuration::new(2, 1).unwrap(),
                    ..Request::new(inputs, &output)
                };
                let plan = run::plan(&request, &|_| {}).unwrap();
                run::write(&request, &plan, &|_| {}).unwrap();
                Memory::of_directory(&output)
            })
            .clone()
    }
}
