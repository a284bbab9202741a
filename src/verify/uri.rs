//! URI references of manifests ► paths of a package (RFC 3986 5.2, with a file of the package as the base).
//!
//! A package is files: queries and fragments are cut off, percent-encoding is decoded. Nothing is opened here, and a path that
//! leads out of the package keeps its leading `..`, so that whoever opens it sees that it does.

/// What a reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A path relative to the directory of the package. It ends with `/` where the reference names a directory, so that it
    /// can be the base of another (`BaseURL`); the directory of the package itself is the empty path.
    File(String),
    /// Something that is no file of the package: another scheme or host, `data:`, or a path from the root of a server, of which
    /// nobody can tell where it lies.
    Elsewhere,
}

/// What `reference` means in the file `base_file` (a path as of [`Target::File`]).
pub(super) fn resolve(base_file: &str, reference: &str) -> Target {
    if has_scheme(reference) || reference.starts_with('/') {
        return Target::Elsewhere;
    }
    let end = reference.find(['?', '#']).unwrap_or(reference.len());
    let path = decode(&reference[..end]);
    if path.is_empty() {
        return Target::File(base_file.to_owned());
    }
    let directory = base_file.rfind('/').map_or("", |slash| &base_file[..slash]);
    let mut names: Vec<&str> = Vec::new();
    for name in directory.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|&last| last != "..") => {
                names.pop();
            }
            _ => names.push(name),
        }
    }
    let is_directory = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let mut resolved = names.join("/");
    if is_directory && !names.is_empty() {
        resolved.push('/');
    }
    Target::File(resolved)
}

/// RFC 3986 3.1: a letter, then letters, digits, `+`, `-` and `.` up to the first colon.
fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

/// RFC 3986 2.1. What is no valid encoding of UTF-8 stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        match (first, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve_against_the_directory_of_the_base() {
        let cases = [
            ("master.m3u8", "video/a.m3u8", "video/a.m3u8"),
            ("video/a.m3u8", "1.m4s", "video/1.m4s"),
            ("video/a.m3u8", "./1.m4s", "video/1.m4s"),
            ("video/a.m3u8", "../audio/1.m4s", "audio/1.m4s"),
            ("video/a.m3u8", "x/../../audio//1.m4s", "audio/1.m4s"),
            ("video/a.m3u8", "1.m4s?token=a/../b#c", "video/1.m4s"),
            ("video/a.m3u8", "", "video/a.m3u8"),
            ("video/a.m3u8", "?query", "video/a.m3u8"),
            ("a.m3u8", "a%20b%C3%A9%41.m4s", "a béA.m4s"),
            ("a.m3u8", "100%.m4s", "100%.m4s"),
            ("a.m3u8", "%ff.m4s", "%ff.m4s"),
            ("a.m3u8", "%zz%4", "%zz%4"),
            ("a.m3u8", "1:2.m4s", "1:2.m4s"),
            ("a.m3u8", "./c:d.m4s", "c:d.m4s"),
        ];
        for (base, reference, path) in cases {
            assert_eq!(resolve(base, reference), Target::File(path.to_owned()), "{base} {reference}");
        }
    }

    #[test]
    fn what_leads_out_keeps_its_dots() {
        for (base, reference, path) in [
            ("a.m3u8", "../x", "../x"),
            ("v/a.m3u8", "../../x", "../x"),
            ("v/a.m3u8", "..%2f../x", "../x"),
            ("v/a.m3u8", "%2e%2E/../../x", "../../x"),
            ("../a.m3u8", "../x", "../../x"),
        ] {
            assert_eq!(resolve(base, reference), Target::File(path.to_owned()), "{base} {reference}");
        }
    }

    #[test]
    fn directories_are_bases() {
        for (base, reference, path) in [
            ("a.mpd", "video/", "video/"),
            ("video/", "1.m4s", "video/1.m4s"),
            ("v/a.mpd", "./", "v/"),
            ("v/a.mpd", "..", ""),
            ("", "1.m4s", "1.m4s"),
            ("v/a.mpd", "../../", "../"),
        ] {
            assert_eq!(resolve(base, reference), Target::File(path.to_owned()), "{base} {reference}");
        }
    }

    #[test]
    fn other_schemes_and_hosts_are_elsewhere() {
        for reference in
            ["http://a/b", "HTTPS://a", "data:,x", "file:///etc/passwd", "//host/x", "/etc/passwd", "skd://k"]
        {
            assert_eq!(resolve("v/a.m3u8", reference), Target::Elsewhere, "{reference}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_path_has_dots_in_front_alone(base in "[a./%]{0,12}", reference in "\\PC{0,24}") {
            if let Target::File(path) = resolve(&base, &reference)
                && path != base
            {
                let mut names = path.split('/').skip_while(|name| *name == "..");
                proptest::prop_assert!(names.all(|name| name != ".."), "{}", path);
                proptest::prop_assert!(!path.starts_with('/'), "{}", path);
            }
        }
    }
}
