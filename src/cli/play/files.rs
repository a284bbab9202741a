//! From the path of a request to a file of the served directory, and to the response that carries it or a range of it.
//!
//! A path is decoded once, must name its parts plainly (no `.` or `..`, however encoded), and what it leads to, links
//! resolved, must lie in the directory.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use fragmint::{Error, Result};

use super::http::{Body, Method, Request, Response, Status};

/// What is served.
pub struct Package {
    /// Its directory.
    pub root: Root,
    /// File name of the HLS multivariant playlist in it.
    pub hls: Option<OsString>,
    /// File name of the DASH manifest in it.
    pub dash: Option<OsString>,
    /// Whether the page begins with DASH: it was named, or there is nothing else.
    pub dash_first: bool,
}

/// The served directory, links resolved.
pub struct Root(PathBuf);

impl Package {
    /// Looks what is at `path`: a directory with manifests, or one of its manifests. An error says what is missing.
    pub fn open(path: &Path) -> Result<Self> {
        let remedy = "name the directory that 'fragmint package' wrote, or a manifest in it";
        let found =
            path.canonicalize().map_err(|error| Error::io("open the directory", error).in_file(path))?;
        let (directory, named) = match (found.parent(), path.file_name()) {
            // By the name that was given: what links lead to may lie elsewhere.
            (Some(_), Some(name)) if found.is_file() => {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                (parent.unwrap_or(Path::new(".")), Some(name.to_owned()))
            }
            _ if found.is_dir() => (path, None),
            _ => return Err(Error::conflict("this is neither a directory nor a file", remedy).in_file(path)),
        };
        let root = directory
            .canonicalize()
            .map_err(|error| Error::io("open the directory", error).in_file(directory))?;
        let usual = |name: &str| root.join(name).is_file().then(|| OsString::from(name));
        let (mut hls, mut dash) = (usual("master.m3u8"), usual("manifest.mpd"));
        let mut dash_first = hls.is_none();
        if let Some(named) = named {
            match Path::new(&named).extension().map(|extension| extension.to_ascii_lowercase()) {
                Some(extension) if extension == "m3u8" => (hls, dash_first) = (Some(named), false),
                Some(extension) if extension == "mpd" => (dash, dash_first) = (Some(named), true),
                _ => {
                    return Err(Error::conflict("this is neither an .m3u8 nor an .mpd", remedy).in_file(path));
                }
            }
        }
        if hls.is_none() && dash.is_none() {
            let what = "there is no master.m3u8 and no manifest.mpd here";
            return Err(Error::conflict(what, remedy).in_file(path));
        }
        Ok(Self { root: Root(root), hls, dash, dash_first })
    }
}

/// A file name as the path of a URL: RFC 3986 2.1, 2.3.
pub fn percent_encode(name: &OsStr) -> String {
    let mut encoded = String::from("/");
    for &byte in name.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Why there is nothing to serve.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    /// The path is not percent-encoded text.
    Malformed,
    /// No such file, or not a regular one.
    NotFound,
    /// A link out of the directory.
    Outside,
}

/// An open file of the directory.
pub struct Found {
    file: File,
    length: u64,
    mime: &'static str,
}

impl Root {
    /// The file that `path` names, which starts with a slash and is percent-encoded.
    pub fn find(&self, path: &str) -> Result<Found, Missing> {
        let decoded = percent_decode(path).ok_or(Missing::Malformed)?;
        let relative = decoded.strip_prefix(b"/").ok_or(Missing::Malformed)?;
        let is_plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
        if !relative.split(|&byte| byte == b'/').all(is_plain) {
            return Err(Missing::NotFound);
        }
        let named = self.0.join(OsString::from_vec(relative.to_vec()));
        let file = named.canonicalize().map_err(|_| Missing::NotFound)?;
        if !file.starts_with(&self.0) {
            return Err(Missing::Outside);
        }
        // Before opening: opening a pipe would wait for its writer.
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let file = regular.then(|| File::open(&file).ok()).flatten().ok_or(Missing::NotFound)?;
        let length = file.metadata().map_err(|_| Missing::NotFound)?.len();
        Ok(Found { file, length, mime: mime(relative) })
    }
}

impl Found {
    /// The file, or the range of it that the request asks for.
    pub fn respond(self, request: &Request) -> Response {
        // RFC 9110 14.2: Range is for GET. 13.1.5: an If-Range that does not match makes it void, and as no response
        // has a validator none can match.
        let range =
            request.range.as_deref().filter(|_| request.method == Method::Get && !request.has_if_range);
        let mut response = Response {
            status: Status::Ok,
            fields: vec![("Content-Type", self.mime.to_owned()), ("Accept-Ranges", "bytes".to_owned())],
            body: Body::Bytes(Vec::new()),
        };
        let length = self.length;
        match range.map_or(Range::Whole, |range| Range::read(range, length)) {
            Range::Whole => response.body = Body::File { file: self.file, start: 0, length },
            Range::Part { first, last } => {
                response.status = Status::PartialContent;
                response.header("Content-Range", format!("bytes {first}-{last}/{length}"));
                response.body = Body::File { file: self.file, start: first, length: last - first + 1 };
            }
            Range::Unsatisfiable => {
                response.status = Status::RangeNotSatisfiable;
                response.header("Content-Range", format!("bytes */{length}"));
            }
        }
        response
    }
}

/// What a Range field means for a file.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// No range, or one that may be ignored (RFC 9110 14.2): another unit, a malformed or a multiple one.
    Whole,
    /// From `first` to `last`, both included, inside the file.
    Part { first: u64, last: u64 },
    /// Nothing of it is inside the file.
    Unsatisfiable,
}

impl Range {
    /// RFC 9110 14.1.2: `bytes=0-499`, `bytes=500-`, `bytes=-500`.
    fn read(field: &str, length: u64) -> Self {
        let Some((first, last)) = field.strip_prefix("bytes=").and_then(|set| set.trim().split_once('-'))
        else {
            return Self::Whole;
        };
        // A number that does not fit lies beyond every file.
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
        };
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first > last => Self::Whole,
            (Some(first), Some(last)) if first < length => Self::Part { first, last: last.min(length - 1) },
            (Some(first), None) if last.is_empty() && first < length => {
                Self::Part { first, last: length - 1 }
            }
            (Some(_), None) if !last.is_empty() => Self::Whole,
            (None, Some(count)) if first.is_empty() && count > 0 && length > 0 => {
                Self::Part { first: length.saturating_sub(count), last: length - 1 }
            }
            (None, Some(_)) if first.is_empty() => Self::Unsatisfiable,
            (Some(_), _) => Self::Unsatisfiable,
            (None, _) => Self::Whole,
        }
    }
}

/// RFC 3986 2.1. `None` when a percent sign is not followed by two hexadecimal digits.
fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).ok()?);
    }
    Some(decoded)
}

/// Media type by extension; of MP4 files, also by the directory that the packager puts them in. Text that a browser would
/// run is not among them.
fn mime(relative: &[u8]) -> &'static str {
    let extension = relative.rsplit(|&byte| byte == b'.').next().unwrap_or_default().to_ascii_lowercase();
    match extension.as_slice() {
        // RFC 8216 4
        b"m3u8" => "application/vnd.apple.mpegurl",
        b"mpd" => "application/dash+xml",
        b"mp4" | b"m4s" if relative.starts_with(b"audio/") => "audio/mp4",
        b"mp4" | b"m4s" | b"m4v" | b"cmfv" => "video/mp4",
        b"m4a" | b"cmfa" => "audio/mp4",
        b"cmft" => "application/mp4",
        b"vtt" => "text/vtt; charset=utf-8",
        b"json" => "application/json",
        b"txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(field: &str, length: u64) -> Range {
        Range::read(field, length)
    }

    #[test]
    fn a_package_is_known_by_its_manifests_and_begins_with_the_one_that_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let open = |name: &str| {
            Package::open(&path(name)).map(|found| {
                let text = |name: Option<OsString>| name.map_or(String::new(), |name| percent_encode(&name));
                (text(found.hls), text(found.dash), found.dash_first)
            })
        };
        let is = |hls: &str, dash: &str, dash_first| (hls.to_owned(), dash.to_owned(), dash_first);
        assert!(open("").unwrap_err().to_string().contains("no master.m3u8 and no manifest.mpd"));
        std::fs::write(path("manifest.mpd"), "").unwrap();
        assert_eq!(open("").unwrap(), is("", "/manifest.mpd", true));
        std::fs::write(path("master.m3u8"), "").unwrap();
        assert_eq!(open("").unwrap(), is("/master.m3u8", "/manifest.mpd", false));
        assert_eq!(open("manifest.mpd").unwrap(), is("/master.m3u8", "/manifest.mpd", true));
        assert_eq!(open("master.m3u8").unwrap(), is("/master.m3u8", "/manifest.mpd", false));
        std::fs::write(path("a \"b.MPD"), "").unwrap();
        assert_eq!(open("a \"b.MPD").unwrap(), is("/master.m3u8", "/a%20%22b.MPD", true));
        std::fs::write(path("seg.m4s"), "").unwrap();
        assert!(open("seg.m4s").unwrap_err().to_string().contains("neither an .m3u8 nor an .mpd"));
        assert!(open("missing").unwrap_err().to_string().contains("cannot open the directory"));
    }

    #[test]
    fn ranges_are_cut_to_the_file() {
        assert_eq!(range("bytes=0-0", 10), Range::Part { first: 0, last: 0 });
        assert_eq!(range("bytes=2-5", 10), Range::Part { first: 2, last: 5 });
        assert_eq!(range("bytes=2-", 10), Range::Part { first: 2, last: 9 });
        assert_eq!(range("bytes=-3", 10), Range::Part { first: 7, last: 9 });
        assert_eq!(range("bytes=-30", 10), Range::Part { first: 0, last: 9 });
        assert_eq!(range("bytes=9-99999999999999999999999", 10), Range::Part { first: 9, last: 9 });
    }

    #[test]
    fn ranges_beyond_the_file_are_refused_and_odd_ones_ignored() {
        for field in ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(range(field, 10), Range::Unsatisfiable, "{field}");
        }
        assert_eq!(range("bytes=0-", 0), Range::Unsatisfiable);
        assert_eq!(range("bytes=-1", 0), Range::Unsatisfiable);
        for field in
            ["", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes=1-x"]
        {
            assert_eq!(range(field, 10), Range::Whole, "{field}");
        }
    }

    #[test]
    fn a_path_is_decoded_once() {
        assert_eq!(percent_decode("/a%20b%2Fc").as_deref(), Some(b"/a b/c".as_slice()));
        assert_eq!(percent_decode("/%252e").as_deref(), Some(b"/%2e".as_slice()));
        assert_eq!(percent_decode("/%fF").as_deref(), Some(b"/\xff".as_slice()));
        for bad in ["/%", "/%2", "/%zz", "/%+1"] {
            assert_eq!(percent_decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn media_types_follow_extension_and_place() {
        assert_eq!(mime(b"master.m3u8"), "application/vnd.apple.mpegurl");
        assert_eq!(mime(b"video/1080p/seg-00001.m4s"), "video/mp4");
        assert_eq!(mime(b"audio/English/init.mp4"), "audio/mp4");
        assert_eq!(mime(b"a.MPD"), "application/dash+xml");
        assert_eq!(mime(b"page.html"), "application/octet-stream");
    }

    proptest! {
        #[test]
        fn a_range_lies_inside_the_file(field in "bytes=[0-9]{0,3}-[0-9]{0,3}", length in 0..1000u64) {
            if let Range::Part { first, last } = range(&field, length) {
                prop_assert!(first <= last && last < length);
            }
        }
    }
}
