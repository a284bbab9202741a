use super::*;
use crate::scan::SourceRange;

fn out() -> (tempfile::TempDir, Arc<Directory>) {
    let directory = tempfile::tempdir().unwrap();
    let out = Arc::new(Directory::open(directory.path()).unwrap());
    (directory, out)
}

fn range(offset: usize, len: usize) -> SourceRange {
    SourceRange { offset: offset as u64, len: len as u32 }
}

#[test]
fn appended_and_committed_packets_stand_behind_the_header() {
    for buffered in [false, true] {
        for header in [0, 3, 10, 17] {
            let (_keep, out) = out();
            let expected = Expectation { header: 10, payload: 100 };
            let mut file = StreamingFile::create(Arc::clone(&out), "a".into(), expected, buffered).unwrap();
            let mut list = PieceList::default();
            list.push_length(5);
            list.push_source(range(3, 5));
            file.append(&list, b"\0\0\x01hello").unwrap();
            file.reserve(2, 20).unwrap();
            file.reserved_mut()[..8].copy_from_slice(b"\0\0\x01world");
            let mut list = PieceList::default();
            list.push_literal(b"##");
            list.push_length(5);
            list.push_source(range(3, 5));
            file.commit(&list, 8).unwrap();
            let header = vec![b'h'; header];
            let published = file.publish(&header, true).unwrap();
            let bytes = std::fs::read(out.path().join("a")).unwrap();
            let expected = [&header[..], b"\0\0\0\x05hello##\0\0\0\x05world"].concat();
            assert_eq!(bytes, expected);
            assert_eq!(published.hash, Some(ContentHash::of(&expected)));
            assert_eq!(published.bytes, expected.len() as u64);
            assert_eq!(published.slid, if header.len() == 10 { 0 } else { 20 });
        }
    }
}
