use std::path::Path;

use proptest::prelude::*;

use super::super::ReadAt;
use super::super::check::{ReadBack, read_back};
use super::super::child::in_child;
use super::super::map::OutputMap;
use super::*;
use crate::error::ErrorKind;
use crate::hash::HashAlgorithm;
use crate::scan::SourceRange;

/// Says whether a file is what its list and source give it; hashes it too, which has to be the hash of its bytes.
fn verify_published(
    directory: &Directory,
    name: &str,
    list: &PieceList,
    source: &(impl ReadAt + ?Sized),
) -> Result<()> {
    let how = ReadBack { compare: true, hash: Some(HashAlgorithm::Xxh3) };
    let path = directory.path.join(name);
    let hash = read_back(directory, name, list, source, how)?.map_err(|differs| differs.in_file(&path))?;
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(hash, Some(HashAlgorithm::Xxh3.of(&bytes)));
    let alone = ReadBack { compare: false, hash: Some(HashAlgorithm::Sha256) };
    let hash = read_back(directory, name, list, source, alone)?.unwrap();
    assert_eq!(hash, Some(HashAlgorithm::Sha256.of(&bytes)));
    Ok(())
}

/// The obvious meaning of a list.
fn interpret(list: &PieceList, source: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in list.pieces() {
        match piece {
            Piece::Literal(range) => bytes.extend(list.literal(range)),
            Piece::Length(length) => bytes.extend(length.to_be_bytes()),
            Piece::Source(range) => bytes.extend(&source[range.offset as usize..range.end() as usize]),
        }
    }
    bytes
}

struct Bench {
    directory: tempfile::TempDir,
    input: Input,
    source: Vec<u8>,
}

impl Bench {
    fn new(source: Vec<u8>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("source");
        std::fs::write(&path, &source).unwrap();
        std::fs::create_dir(directory.path().join("out")).unwrap();
        Self { input: Input::open(&path).unwrap(), directory, source }
    }

    fn out(&self) -> Directory {
        Directory::open(&self.directory.path().join("out")).unwrap()
    }

    /// What each way makes of the list, by name.
    fn every_way(&self, list: &PieceList) -> Vec<(&'static str, Vec<u8>)> {
        let plain = Input::open(self.input.path()).unwrap().without_map();
        let cases = [
            ("mapped", Way::Mapped, &self.input),
            ("gathered", Way::Gather, &self.input),
            ("windowed", Way::Gather, &plain),
        ];
        let out = self.out();
        cases.map(|(name, way, input)| (name, publish_and_read(&out, name, list, input, way))).to_vec()
    }

    fn expect_every_way(&self, list: &PieceList) {
        let expected = interpret(list, &self.source);
        for (way, bytes) in self.every_way(list) {
            // Not assert_eq: a megabyte of output helps nobody.
            let same = bytes.iter().zip(&expected).take_while(|(a, b)| a == b).count();
            assert!(
                bytes == expected,
                "{way}: {} bytes of {}, the first {same} equal",
                bytes.len(),
                expected.len()
            );
        }
    }
}

fn publish_and_read(
    out: &Directory,
    name: &'static str,
    list: &PieceList,
    input: &Input,
    way: Way,
) -> Vec<u8> {
    let mut file = SegmentFile::create(out, name).unwrap();
    file.fill(list, input, way).unwrap();
    let published = file.publish().unwrap();
    let path = out.path().join(name);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(published.bytes, bytes.len() as u64);
    verify_published(out, name, list, input).unwrap();
    std::fs::remove_file(path).unwrap();
    bytes
}

/// Bytes in which every place is told from its neighbours.
fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn range(offset: usize, len: usize) -> SourceRange {
    SourceRange { offset: offset as u64, len: len as u32 }
}

/// One unit of the source: bytes left out in front of it, its own, and what the list puts before it.
#[derive(Clone, Debug)]
struct Unit {
    gap: usize,
    len: usize,
    framed: bool,
    literal: usize,
    backwards: bool,
}

fn unit() -> impl Strategy<Value = Unit> {
    let gap = prop_oneof![
        4 => Just(4usize),
        4 => Just(3usize),
        2 => Just(0usize),
        2 => 0..20usize,
        1 => 4000..9000usize,
    ];
    let len = prop_oneof![6 => 0..40usize, 2 => 0..5000usize, 1 => 60_000..300_000usize];
    let literal = prop_oneof![8 => Just(0usize), 1 => 1..300usize];
    (gap, len, any::<bool>(), literal, prop::bool::weighted(0.03))
        .prop_map(|(gap, len, framed, literal, backwards)| Unit { gap, len, framed, literal, backwards })
}

fn list_of(units: &[Unit]) -> (PieceList, Vec<u8>) {
    let mut list = PieceList::default();
    let mut end = 0;
    let mut position = 0;
    for unit in units {
        if unit.backwards {
            position /= 2;
        }
        position += unit.gap;
        if unit.literal > 0 {
            list.push_literal(&vec![0xaa; unit.literal]);
        }
        if unit.framed {
            list.push_length(unit.len as u32);
        }
        list.push_source(range(position, unit.len));
        position += unit.len;
        end = end.max(position);
    }
    (list, bytes(end))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn every_way_gives_the_bytes_of_the_list(units in prop::collection::vec(unit(), 0..60)) {
        let (list, source) = list_of(&units);
        Bench::new(source).expect_every_way(&list);
    }
}

#[test]
fn every_way_gives_the_bytes_of_a_list_larger_than_its_windows() {
    // Start codes of three and four bytes in turn, more pieces than a vectored call takes, more bytes than a batch.
    let mut list = PieceList::default();
    list.push_literal(&bytes(100));
    let mut position = 0;
    for i in 0..9000 {
        position += 3 + i % 2;
        let len = if i % 500 == 0 { 700_001 } else { 100 + i % 7 };
        list.push_length(len as u32);
        list.push_source(range(position, len));
        position += len;
    }
    let bench = Bench::new(bytes(position));
    assert!(list.len() > 12 << 20);
    bench.expect_every_way(&list);
}

#[test]
fn every_way_gives_the_bytes_of_many_tiny_ranges_far_apart() {
    let mut list = PieceList::default();
    for i in 0..4000 {
        list.push_source(range(i * 700, 1 + i % 3));
    }
    Bench::new(bytes(4000 * 700)).expect_every_way(&list);
}

#[test]
fn mapped_is_what_fills_where_it_was_asked_for() {
    let bench = Bench::new(bytes(5000));
    let mut list = PieceList::default();
    list.push_source(range(0, 5000));
    let out = bench.out();
    let mut file = SegmentFile::create(&out, "a").unwrap();
    file.fill(&list, &bench.input, Way::Mapped).unwrap();
    let published = file.publish().unwrap();
    let expected = if FileSystem::of(&out.fd).can_fault_when_full() { Way::Gather } else { Way::Mapped };
    assert_eq!(published.way, expected);
}

fn names(directory: &Directory) -> Vec<String> {
    directory.names().unwrap()
}

#[test]
fn a_source_that_shrank_is_an_error_and_leaves_nothing() {
    for left in [0, 1, 4096, 5000, 700_000, 999_999] {
        for (way, mapped_input) in [(Way::Mapped, true), (Way::Gather, true), (Way::Gather, false)] {
            let bench = Bench::new(bytes(1_000_000));
            let mut list = PieceList::default();
            list.push_length(1_000_000);
            list.push_source(range(0, 1_000_000));
            let mut input = Input::open(bench.input.path()).unwrap();
            if !mapped_input {
                input = input.without_map();
            }
            let writer = File::options().write(true).open(input.path()).unwrap();
            writer.set_len(left).unwrap();
            let out = bench.out();
            let mut file = SegmentFile::create(&out, "a").unwrap();
            let error = file.fill(&list, &input, way).unwrap_err();
            drop(file);
            assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{left} {way}: {error}");
            assert_eq!(error.path(), Some(input.path()));
            assert!(error.to_string().contains(&left.to_string()), "{error}");
            assert!(error.to_string().contains("1000000"), "{error}");
            assert_eq!(names(&out), [""; 0]);
        }
    }
}

#[test]
fn a_source_that_was_written_meanwhile_is_an_error() {
    let bench = Bench::new(bytes(10));
    let mut list = PieceList::default();
    list.push_source(range(0, 10));
    let writer = File::options().write(true).open(bench.input.path()).unwrap();
    writer.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let out = bench.out();
    for way in [Way::Mapped, Way::Gather] {
        let error = SegmentFile::create(&out, "a").unwrap().fill(&list, &bench.input, way).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
    }
}

#[test]
fn a_list_that_names_more_than_the_source_has_is_an_error() {
    let bench = Bench::new(bytes(10));
    for offset in [3, usize::MAX - 2] {
        let mut list = PieceList::default();
        list.push_source(range(offset, 8));
        for way in [Way::Mapped, Way::Gather] {
            let out = bench.out();
            let error = SegmentFile::create(&out, "a").unwrap().fill(&list, &bench.input, way).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
            assert_eq!(names(&out), [""; 0]);
        }
    }
}

/// Runs `test` with unnamed temporary files and with named ones.
fn with_and_without_unnamed_files(test: impl Fn(&Directory)) {
    for unnamed_files in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let mut out = Directory::open(directory.path()).unwrap();
        out.unnamed_files = unnamed_files;
        test(&out);
    }
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    with_and_without_unnamed_files(|out| {
        let mut file = SegmentFile::create(out, "a").unwrap();
        file.write_bytes(b"bytes").unwrap();
        let partial = if out.unnamed_files { vec![] } else { vec![".a.part".to_owned()] };
        assert_eq!(names(out), partial);
        file.publish().unwrap();
        assert_eq!(names(out), ["a"]);
        assert_eq!(std::fs::read(out.path().join("a")).unwrap(), b"bytes");

        SegmentFile::create(out, "b").unwrap().write_bytes(b"dropped").unwrap();
        assert_eq!(names(out), ["a"]);
    });
}

#[test]
fn a_published_file_may_be_read_as_others_may_be() {
    use std::os::unix::fs::PermissionsExt as _;
    with_and_without_unnamed_files(|out| {
        publish_bytes(out, "a", b"x").unwrap();
        std::fs::write(out.path().join("b"), b"x").unwrap();
        let mode = |name| std::fs::metadata(out.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("a"), mode("b"));
    });
}

#[test]
fn an_existing_file_is_never_replaced() {
    with_and_without_unnamed_files(|out| {
        std::fs::write(out.path().join("a"), b"theirs").unwrap();
        let error = publish_bytes(out, "a", b"ours").unwrap_err();
        assert!(error.to_string().contains("File exists"), "{error}");
        assert_eq!(error.path(), Some(&*out.path().join("a")));
        assert_eq!(std::fs::read(out.path().join("a")).unwrap(), b"theirs");
        assert_eq!(names(out), ["a"]);
    });
}

#[test]
fn without_a_rename_that_keeps_a_link_does_and_replaces_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut out = Directory::open(directory.path()).unwrap();
    out.unnamed_files = false;
    let mut file = SegmentFile::create(&out, "a").unwrap();
    file.write_bytes(b"bytes").unwrap();
    file.link_partial().unwrap();
    drop(file);
    assert_eq!(names(&out), ["a"]);
    let mut file = SegmentFile::create(&out, "a").unwrap();
    file.write_bytes(b"others").unwrap();
    assert_eq!(file.link_partial(), Err(Errno::EXIST));
    drop(file);
    assert_eq!(
        (names(&out), std::fs::read(out.path().join("a")).unwrap()),
        (vec!["a".into()], b"bytes".into())
    );
}

#[test]
fn publishing_may_be_tried_again_and_happens_once() {
    with_and_without_unnamed_files(|out| {
        std::fs::write(out.path().join("a"), b"theirs").unwrap();
        let mut file = SegmentFile::create(out, "a").unwrap();
        file.write_bytes(b"ours").unwrap();
        assert!(file.publish().is_err());
        std::fs::remove_file(out.path().join("a")).unwrap();
        let published = file.publish().unwrap();
        assert_eq!(file.publish().unwrap(), published);
        assert!(file.write_bytes(b"more").unwrap_err().to_string().contains("cannot be changed"));
        drop(file);
        assert_eq!(names(out), ["a"]);
        assert_eq!(std::fs::read(out.path().join("a")).unwrap(), b"ours");
    });
}

#[test]
fn a_file_of_the_wrong_size_is_not_published() {
    with_and_without_unnamed_files(|out| {
        let mut file = SegmentFile::create(out, "a").unwrap();
        file.write_bytes(b"bytes").unwrap();
        file.file.set_len(3).unwrap();
        let error = file.publish().unwrap_err();
        assert!(error.to_string().contains("3 bytes instead of 5"), "{error}");
        drop(file);
        assert_eq!(names(out), [""; 0]);
    });
}

#[test]
fn verification_finds_each_wrong_byte_and_a_wrong_size() {
    let bench = Bench::new(bytes(400_000));
    let mut list = PieceList::default();
    list.push_literal(b"header");
    list.push_length(399_000);
    list.push_source(range(500, 399_000));
    let out = bench.out();
    let mut file = SegmentFile::create(&out, "a").unwrap();
    file.fill(&list, &bench.input, Way::Gather).unwrap();
    file.publish().unwrap();
    let good = std::fs::read(out.path().join("a")).unwrap();
    let verify = |damaged: &[u8]| {
        std::fs::write(out.path().join("a"), damaged).unwrap();
        verify_published(&out, "a", &list, &bench.input)
    };
    verify(&good).unwrap();
    for position in [0, 5, 6, 9, 10, 11, 131_071, 131_072, 200_000, good.len() - 1] {
        let mut damaged = good.clone();
        damaged[position] ^= 1;
        let error = verify(&damaged).unwrap_err();
        assert_eq!((error.offset(), error.path()), (Some(position as u64), Some(&*out.path().join("a"))));
    }
    let mut long = good.clone();
    long.push(0);
    assert!(verify(&long).unwrap_err().to_string().contains("it has 399011 bytes, 399010 were written"));
    assert!(verify(&good[..good.len() - 1]).is_err());
    std::fs::remove_file(out.path().join("a")).unwrap();
    assert!(verify_published(&out, "a", &list, &bench.input).is_err());
}

#[test]
fn a_full_disk_is_an_error_with_a_remedy_and_leaves_nothing() {
    // The directory is the child's own: the mount hides /mnt from nobody else.
    if !in_child(
        module_path!(),
        "a_full_disk_is_an_error_with_a_remedy_and_leaves_nothing",
        "mount -t tmpfs -o size=256k tmpfs /mnt",
    ) {
        return;
    }
    let bench = Bench::new(bytes(1_000_000));
    let mut list = PieceList::default();
    list.push_length(1_000_000);
    list.push_source(range(0, 1_000_000));
    for unnamed_files in [true, false] {
        let mut out = Directory::open(Path::new("/mnt")).unwrap();
        out.unnamed_files = unnamed_files;
        let plain = Input::open(bench.input.path()).unwrap().without_map();
        for (way, input) in [(Way::Mapped, &bench.input), (Way::Gather, &bench.input), (Way::Gather, &plain)]
        {
            let mut file = SegmentFile::create(&out, "a").unwrap();
            let error = file.fill(&list, input, way).unwrap_err();
            drop(file);
            assert!(error.to_string().contains("No space left on device"), "{error}");
            assert!(error.to_string().contains("free some space"), "{error}");
            assert_eq!(error.path(), Some(Path::new("/mnt/a")));
            assert_eq!(names(&out), [""; 0]);
        }
    }
    // Space that was not allocated: the kernel says "bad address".
    let file = File::options().read(true).write(true).create_new(true).open("/mnt/sparse").unwrap();
    file.set_len(1_000_000).unwrap();
    let mut map = OutputMap::new(&file, 1_000_000).unwrap();
    assert_eq!(map.populated(0..524_288).err(), Some(Errno::NOSPC));
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_with_a_remedy_and_leaves_nothing() {
    if !in_child(
        module_path!(),
        "a_limit_on_the_size_of_files_is_an_error_with_a_remedy_and_leaves_nothing",
        // Ignored: the signal that goes with the error would end the process.
        "trap '' XFSZ; mount -t tmpfs tmpfs /mnt; head -c 1000000 /dev/zero > /mnt/source; ulimit -f 64",
    ) {
        return;
    }
    let input = Input::open(Path::new("/mnt/source")).unwrap();
    let mut list = PieceList::default();
    list.push_source(range(0, 1_000_000));
    let out = Directory::open(Path::new("/mnt")).unwrap();
    for way in [Way::Mapped, Way::Gather] {
        let error = SegmentFile::create(&out, "a").unwrap().fill(&list, &input, way).unwrap_err();
        assert!(error.to_string().contains("File too large"), "{error}");
        assert!(error.to_string().contains("ulimit -f"), "{error}");
        assert_eq!(names(&out), ["source"]);
    }
}
