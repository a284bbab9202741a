use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use proptest::prelude::*;

use super::super::child::in_child;
use super::super::fault;
use super::*;
use crate::scan::SourceRange;

struct Out {
    _keep: tempfile::TempDir,
    directory: Arc<Directory>,
}

impl Out {
    fn new(unnamed_files: bool) -> Self {
        Self::within(tempfile::tempdir().unwrap(), unnamed_files)
    }

    /// Where files are mapped; those of the temporary directory may not be.
    fn on_tmpfs() -> Self {
        Self::within(tempfile::tempdir_in("/dev/shm").unwrap(), true)
    }

    fn within(keep: tempfile::TempDir, unnamed_files: bool) -> Self {
        let mut directory = Directory::open(keep.path()).unwrap();
        directory.unnamed_files = unnamed_files;
        Self { _keep: keep, directory: Arc::new(directory) }
    }

    fn file(&self, expected: Expectation, buffered: bool) -> Result<StreamingFile> {
        StreamingFile::create(Arc::clone(&self.directory), "a".into(), expected, buffered)
    }

    fn names(&self) -> Vec<String> {
        self.directory.names().unwrap()
    }

    fn read(&self) -> Vec<u8> {
        std::fs::read(self.directory.path().join("a")).unwrap()
    }
}

fn range(offset: usize, len: usize) -> SourceRange {
    SourceRange { offset: offset as u64, len: len as u32 }
}

/// Bytes in which every place is told from its neighbours.
fn bytes(len: usize, seed: u32) -> Vec<u8> {
    (0..len as u32).map(|i| (i ^ seed).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

/// Some of a packet and what is written in front of it.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    literal: usize,
    length: bool,
    /// Bytes of the packet that are dropped: a start code, another unit.
    gap: usize,
    len: usize,
}

pub(super) fn unit(max: usize) -> impl Strategy<Value = Unit> {
    let gap = prop_oneof![Just(4_usize), Just(3), Just(0), 0..max];
    let literal = prop_oneof![3 => Just(0_usize), 1 => 0..30_usize];
    (literal, any::<bool>(), gap, 0..max).prop_map(|(literal, length, gap, len)| Unit {
        literal,
        length,
        gap,
        len,
    })
}

/// A list of the units and the packet that it is of.
pub(super) fn list_of(units: &[Unit]) -> (PieceList, Vec<u8>) {
    let mut list = PieceList::default();
    let mut end = 0;
    for unit in units {
        if unit.literal > 0 {
            list.push_literal(&bytes(unit.literal, 77));
        }
        if unit.length {
            list.push_length(unit.len as u32);
        }
        list.push_source(range(end + unit.gap, unit.len));
        end += unit.gap + unit.len;
    }
    (list, bytes(end, units.len() as u32))
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Unit>),
    Commit { units: Vec<Unit>, lead: i64, spare: usize },
    Abandon { lead: i64, max: usize },
    Publish { header: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let units = |max| prop::collection::vec(unit(max), 0..12);
    prop_oneof![
        3 => units(3000).prop_map(Step::Append),
        1 => units(300_000).prop_map(Step::Append),
        4 => (units(3000), -90..40_i64, 0..5000_usize)
            .prop_map(|(units, lead, spare)| Step::Commit { units, lead, spare }),
        1 => (units(300_000), -90..40_i64, 0..5000_usize)
            .prop_map(|(units, lead, spare)| Step::Commit { units, lead, spare }),
        1 => (-90..40_i64, 0..3_000_000_usize).prop_map(|(lead, max)| Step::Abandon { lead, max }),
        2 => (0..3000_usize).prop_map(|header| Step::Publish { header }),
    ]
}

fn expectation() -> impl Strategy<Value = Expectation> {
    let hint = || prop_oneof![Just(0), Just(u64::MAX), 0..3000_u64, 0..10_000_000_u64];
    (hint(), hint()).prop_map(|(header, payload)| Expectation { header, payload })
}

/// Runs one step; the payload that it adds is `added` if it succeeds.
fn run(file: &mut StreamingFile, step: &Step, added: &mut Vec<u8>) -> Result<()> {
    match step {
        Step::Append(units) => {
            let (list, packet) = list_of(units);
            file.append(&list, &packet)?;
            list.write_to(&packet, added)
        }
        Step::Commit { units, lead, spare } => {
            let (list, packet) = list_of(units);
            file.reserve(*lead, packet.len() + spare)?;
            assert_eq!(file.reserved().len(), packet.len() + spare);
            file.reserved_mut()[..packet.len()].copy_from_slice(&packet);
            if let Err(error) = file.commit(&list, packet.len()) {
                assert!(file.reserved()[..packet.len()] == packet, "the packet is as it was");
                file.commit(&list, packet.len())?;
                list.write_to(&packet, added)?;
                assert!(error.to_string().contains("write the file"), "{error}");
                return Ok(());
            }
            list.write_to(&packet, added)
        }
        Step::Abandon { lead, max } => {
            file.reserve(*lead, *max)?;
            file.reserved_mut().fill(0xcc);
            file.abandon();
            assert!(file.reserved().is_empty());
            Ok(())
        }
        // The name is taken, so it fails in the end, whatever else fails before.
        Step::Publish { header } => {
            let error = file.publish(&bytes(*header, 5), true).unwrap_err();
            if error.to_string().contains("File exists") { Ok(()) } else { Err(error) }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn any_steps_with_any_failures_give_the_file_of_the_plain_lists(
        steps in prop::collection::vec((step(), 0..12_u64), 0..12),
        expected in expectation(),
        header in 0..3000_usize,
        buffered in any::<bool>(),
        unnamed_files in any::<bool>(),
    ) {
        let out = Out::new(unnamed_files);
        std::fs::write(out.directory.path().join("a"), b"theirs").unwrap();
        let mut file = out.file(expected, buffered).unwrap();
        let mut payload = Vec::new();
        for (step, nth) in &steps {
            let before = file.payload_len();
            fault::fail_nth(*nth);
            let mut added = Vec::new();
            let first = run(&mut file, step, &mut added);
            fault::reset();
            if first.is_err() {
                prop_assert_eq!(file.payload_len(), before);
                added.clear();
                run(&mut file, step, &mut added).unwrap();
            }
            payload.extend(added);
            prop_assert_eq!(file.payload_len(), payload.len() as u64);
        }
        std::fs::remove_file(out.directory.path().join("a")).unwrap();
        let header = bytes(header, 9);
        let published = file.publish(&header, true).unwrap();
        prop_assert_eq!(file.publish(b"other", false).unwrap(), published);
        drop(file);
        let expected = [header, payload].concat();
        prop_assert!(out.read() == expected);
        prop_assert_eq!(published.hash, Some(ContentHash::of(&expected)));
        prop_assert_eq!(published.bytes, expected.len() as u64);
        prop_assert_eq!(out.names(), ["a"]);
    }
}

/// Packets large enough for a slide in several steps; adds what they give to `model`.
fn fill(file: &mut StreamingFile, model: &mut Vec<u8>) -> Result<()> {
    let units: Vec<_> =
        (0..9).map(|i| Unit { literal: i % 2, length: true, gap: 3 + i % 2, len: 70_000 + i }).collect();
    let (list, packet) = list_of(&units);
    file.append(&list, &packet)?;
    list.write_to(&packet, model)?;
    file.reserve(0, 2 << 20)?;
    file.reserved_mut()[..packet.len()].copy_from_slice(&packet);
    file.commit(&list, packet.len())?;
    list.write_to(&packet, model)
}

/// One life of a file in which nothing is tried again.
fn live(out: &Out, expected: u64, buffered: bool, header: &[u8]) -> Result<Vec<u8>> {
    let mut file = out.file(Expectation { header: expected, payload: 0 }, buffered)?;
    let mut model = header.to_vec();
    fill(&mut file, &mut model)?;
    file.publish(header, true)?;
    Ok(model)
}

#[test]
fn a_failure_anywhere_leaves_no_name_behind() {
    for (buffered, unnamed_files, expected) in [
        (false, true, 1000),
        (false, true, 0),
        (false, true, 5000),
        (false, false, 0),
        (true, true, 1000),
        (true, true, 0),
        (true, false, 5000),
    ] {
        let mut failed = 0;
        for nth in 0.. {
            let out = Out::new(unnamed_files);
            fault::fail_nth(nth);
            let result = live(&out, expected, buffered, &bytes(1000, 3));
            let (fired, checks) = (fault::fired(), fault::count());
            fault::reset();
            match result {
                Ok(model) => assert!(out.read() == model, "{nth}"),
                Err(error) => {
                    assert!(fired, "{error}");
                    assert_eq!(error.path(), Some(&*out.directory.path().join("a")));
                    assert_eq!(out.names(), [""; 0]);
                    failed += 1;
                }
            }
            if !fired {
                assert_eq!(nth, checks, "each was made to fail");
                break;
            }
        }
        assert!(failed >= 6, "only {failed} failures reached the caller");
    }
}

#[test]
fn a_slide_that_fails_anywhere_loses_nothing_even_if_the_header_changes() {
    for (buffered, to) in [(true, 1007), (true, 993), (true, 400_000), (false, 1007), (false, 993)] {
        for nth in 0.. {
            let out = Out::new(true);
            let mut file = out.file(Expectation { header: 1000, payload: 0 }, buffered).unwrap();
            let mut payload = Vec::new();
            fill(&mut file, &mut payload).unwrap();
            fault::fail_at(Operation::Slide, nth);
            let failed = file.publish(&bytes(to, 1), false).is_err();
            fault::reset();
            if !failed {
                assert!(nth >= if buffered { 10 } else { 1 }, "{nth}");
                break;
            }
            if nth % 2 == 0 {
                fill(&mut file, &mut payload).unwrap();
            }
            let header = bytes(to + nth as usize % 3, 2);
            file.publish(&header, false).unwrap();
            assert!(out.read() == [header, payload].concat(), "{buffered} {to} {nth}");
        }
    }
}

#[test]
fn a_reserved_packet_is_in_the_file_before_it_is_committed() {
    let out = Out::on_tmpfs();
    let mut file = out.file(Expectation { header: 100, payload: 0 }, false).unwrap();
    assert!(matches!(file.backing, Backing::Mapped(_)));
    let (list, packet) = list_of(&[Unit { literal: 5, length: true, gap: 4, len: 50 }]);
    file.append(&list, &packet).unwrap();
    file.reserve(5, 10_000).unwrap();
    file.reserved_mut()[..packet.len()].copy_from_slice(&packet);
    let seen = File::open(format!("/proc/self/fd/{}", file.file.file().as_raw_fd())).unwrap();
    let mut read = vec![0; packet.len()];
    seen.read_exact_at(&mut read, 100 + list.len() + 5).unwrap();
    assert_eq!(read, packet);
    // A code of four bytes behind the literal is the length's place: nothing moves.
    assert_eq!(file.commit(&list, packet.len()).unwrap(), 0);
    // One of three bytes makes its unit move, unless it was lent a byte further on; what is left out in front likewise.
    for (gap, lead) in [(3, 1), (10, -6)] {
        let (list, packet) = list_of(&[Unit { literal: 0, length: true, gap, len: 50 }]);
        for (lent, moved) in [(0, 50), (lead, 0)] {
            file.reserve(lent, packet.len()).unwrap();
            file.reserved_mut().copy_from_slice(&packet);
            assert_eq!(file.commit(&list, packet.len()).unwrap(), moved);
        }
    }
}

#[test]
fn absurd_sizes_are_errors_and_change_nothing() {
    for buffered in [false, true] {
        let out = Out::new(true);
        let expected = Expectation { header: u64::MAX, payload: u64::MAX };
        let mut file = out.file(expected, buffered).unwrap();
        for (lead, max) in
            [(0, usize::MAX / 2), (0, usize::MAX), (i64::MAX, 1), (i64::MIN, usize::MAX), (1 << 32, 0)]
        {
            let error = file.reserve(lead, max).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::TooLarge { .. }), "{error}");
            assert!(file.reserved().is_empty() && file.reserved_mut().is_empty());
        }
        let mut list = PieceList::default();
        list.push_source(range(3, 3));
        for packet in [&b""[..], b"12345"] {
            assert!(matches!(file.append(&list, packet).unwrap_err().kind(), ErrorKind::Changed { .. }));
        }
        list.push_source(SourceRange { offset: u64::MAX, len: u32::MAX });
        assert!(file.append(&list, b"123456").is_err());
        assert_eq!(file.payload_len(), 0);
        file.publish(b"h", false).unwrap();
        assert_eq!(out.read(), b"h");
    }
}

#[test]
fn a_commit_that_names_bytes_twice_or_unreserved_ones_is_refused_and_may_be_put_right() {
    for buffered in [false, true] {
        let out = Out::new(true);
        let mut file = out.file(Expectation::default(), buffered).unwrap();
        file.reserve(0, 8).unwrap();
        file.reserved_mut().copy_from_slice(b"01234567");
        let of = |ranges: &[(usize, usize)]| {
            let mut list = PieceList::default();
            ranges.iter().for_each(|(offset, len)| list.push_source(range(*offset, *len)));
            list
        };
        for ranges in [&[(4, 2), (0, 2)][..], &[(0, 3), (2, 2)], &[(0, 9)]] {
            assert!(file.commit(&of(ranges), 8).is_err());
        }
        assert!(file.commit(&of(&[(0, 5)]), 4).is_err());
        assert!(file.commit(&of(&[(0, 5)]), 9).is_err());
        file.commit(&of(&[(0, 3), (5, 2)]), 8).unwrap();
        assert!(file.commit(&of(&[(0, 1)]), 1).is_err(), "nothing is reserved any more");
        file.publish(b"", false).unwrap();
        assert_eq!(out.read(), b"01256");
        assert!(file.append(&of(&[]), b"").unwrap_err().to_string().contains("cannot be changed"));
        assert!(file.reserve(0, 1).is_err());
        assert!(file.commit(&of(&[]), 0).is_err());
    }
}

#[test]
fn a_dropped_file_leaves_nothing() {
    for (buffered, unnamed_files) in [(false, true), (false, false), (true, true), (true, false)] {
        let out = Out::new(unnamed_files);
        let mut file = out.file(Expectation::default(), buffered).unwrap();
        fill(&mut file, &mut Vec::new()).unwrap();
        file.reserve(0, 10).unwrap();
        drop(file);
        assert_eq!(out.names(), [""; 0]);
    }
}

#[test]
fn a_window_that_is_outgrown_is_mapped_anew() {
    let out = Out::new(true);
    let file = SegmentFile::create(&*out.directory, "a").unwrap();
    let mut map = super::super::map::GrowingMap::new(Arc::clone(file.file()), false).unwrap();
    map.allocate(10, 5000).unwrap();
    map.bytes_mut(0..5).copy_from_slice(b"bytes");
    assert_eq!(map.allocate(5 << 30, 5 << 30), Err(Errno::NOMEM));
    map.widen(5 << 30).unwrap();
    assert_eq!(map.bytes(0..5), b"bytes");
    assert!(map.widen(usize::MAX).is_err());
    assert_eq!(map.bytes(0..5), b"bytes");
}

#[test]
fn a_full_disk_is_an_error_with_a_remedy_and_what_still_fits_goes_on() {
    if !in_child(
        module_path!(),
        "a_full_disk_is_an_error_with_a_remedy_and_what_still_fits_goes_on",
        "mount -t tmpfs -o size=1m tmpfs /mnt",
    ) {
        return;
    }
    for (buffered, payload) in [(false, 0), (false, 10 << 20), (true, 0)] {
        let directory = Arc::new(Directory::open(Path::new("/mnt")).unwrap());
        let expected = Expectation { header: 10, payload };
        let mut file = StreamingFile::create(Arc::clone(&directory), "a".into(), expected, buffered).unwrap();
        assert_eq!(matches!(file.backing, Backing::Buffered(_)), buffered);
        let (small, packet) = list_of(&[Unit { literal: 0, length: true, gap: 4, len: 600_000 }]);
        file.append(&small, &packet).unwrap();
        let error = file.append(&small, &packet).unwrap_err().to_string();
        assert!(error.contains("No space left on device") && error.contains("free some space"), "{error}");
        if !buffered {
            assert!(file.reserve(0, 600_000).unwrap_err().to_string().contains("No space left"));
        }
        let mut tiny = PieceList::default();
        tiny.push_literal(b"tail");
        file.append(&tiny, b"").unwrap();
        let error = file.publish(&[1; 600_000], false).unwrap_err().to_string();
        assert!(error.contains("No space left on device"), "{error}");
        file.publish(&[7; 11], false).unwrap();
        let mut model = vec![7; 11];
        small.write_to(&packet, &mut model).unwrap();
        tiny.write_to(&[], &mut model).unwrap();
        assert!(std::fs::read("/mnt/a").unwrap() == model);
        std::fs::remove_file("/mnt/a").unwrap();
        drop(file);
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_no_signal() {
    // Not ignored: the mapped way asks for nothing that would raise it.
    if !in_child(
        module_path!(),
        "a_limit_on_the_size_of_files_is_an_error_and_no_signal",
        "mount -t tmpfs tmpfs /mnt; ulimit -f 256",
    ) {
        return;
    }
    let directory = Arc::new(Directory::open(Path::new("/mnt")).unwrap());
    let expected = Expectation { header: 10, payload: 10 << 20 };
    let mut file = StreamingFile::create(Arc::clone(&directory), "a".into(), expected, false).unwrap();
    let (list, packet) = list_of(&[Unit { literal: 0, length: true, gap: 4, len: 100_000 }]);
    file.append(&list, &packet).unwrap();
    let error = file.reserve(0, 200_000).unwrap_err().to_string();
    assert!(error.contains("File too large") && error.contains("ulimit -f"), "{error}");
    assert_eq!(file.publish(b"header", false).unwrap().bytes, 100_010);

    let create = |name: &str, header, buffered| {
        let expected = Expectation { header, payload: 0 };
        StreamingFile::create(Arc::clone(&directory), name.into(), expected, buffered)
    };
    let mut file = create("b", 0, true).unwrap();
    file.append(&list, &packet).unwrap();
    let error = file.append(&list, &packet).unwrap_err().to_string();
    assert!(error.contains("File too large"), "{error}");

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    setrlimit(Resource::Fsize, Rlimit { current: Some(130), ..getrlimit(Resource::Fsize) }).unwrap();
    let error =
        super::super::segment_file::publish_bytes(&directory, "c", &[0; 131]).unwrap_err().to_string();
    assert!(error.contains("File too large"), "{error}");
    // Less is allocated than the header takes, in front of whose end a byte is lent.
    for (header, lent) in [(146, false), (126, true)] {
        let mut file = create("d", header, false).unwrap();
        assert_eq!(file.reserve(-16, 1).is_ok(), lent);
        assert_eq!(file.reserved().len(), usize::from(lent));
    }
}

#[test]
fn a_file_of_many_megabytes_and_pieces_is_that_of_its_lists() {
    let units: Vec<_> = (0..2500)
        .map(|i| Unit { literal: i % 3, length: i % 2 == 0, gap: 3 + i % 2, len: 400 + i % 7 })
        .collect();
    let (list, packet) = list_of(&units);
    for (buffered, header) in [(false, 1100), (false, 900), (true, 1100), (true, 900)] {
        let out = Out::new(true);
        let mut file = out.file(Expectation { header: 1000, payload: 0 }, buffered).unwrap();
        let mut model = bytes(header, 1);
        for i in 0..40 {
            if i % 2 == 0 {
                file.append(&list, &packet).unwrap();
            } else {
                file.reserve(3, packet.len() + 5).unwrap();
                file.reserved_mut()[..packet.len()].copy_from_slice(&packet);
                file.commit(&list, packet.len()).unwrap();
            }
            list.write_to(&packet, &mut model).unwrap();
        }
        assert!(model.len() > 32 << 20);
        file.publish(&bytes(header, 1), false).unwrap();
        assert!(out.read() == model, "buffered {buffered}, header {header}");
    }
}

#[test]
fn a_published_file_keeps_no_space_behind_its_end() {
    use std::os::unix::fs::MetadataExt as _;
    for buffered in [false, true] {
        let out = Out::new(true);
        let expected = Expectation { header: 1 << 20, payload: 100 << 20 };
        let mut file = out.file(expected, buffered).unwrap();
        let (list, packet) = list_of(&[Unit { literal: 0, length: true, gap: 4, len: 5000 }]);
        file.append(&list, &packet).unwrap();
        file.reserve(0, 20 << 20).unwrap();
        file.publish(b"header", false).unwrap();
        drop(file);
        let metadata = std::fs::metadata(out.directory.path().join("a")).unwrap();
        assert_eq!(metadata.len(), 5010);
        assert!(metadata.blocks() * 512 <= 64 << 10, "{} blocks", metadata.blocks());
    }
}

/// Kibibytes of this process: anonymous memory, and pages of files.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (field("RssAnon:"), field("RssFile:") + field("RssShmem:"))
}

#[test]
fn memory_does_not_grow_with_the_segment() {
    if !in_child(module_path!(), "memory_does_not_grow_with_the_segment", ":") {
        return;
    }
    for (buffered, appends) in [(false, true), (false, false), (true, true)] {
        let out = Out::new(true);
        let expected = Expectation { header: 1000, payload: 256 << 20 };
        let mut file = out.file(expected, buffered).unwrap();
        // Ten bytes in front of each unit, for which it is lent six further up.
        let (list, packet) = list_of(&[Unit { literal: 0, length: true, gap: 10, len: 256 << 10 }]);
        let before = resident();
        let mut most = (0, 0);
        for i in 0..1024 {
            if appends && i % 2 == 0 {
                file.append(&list, &packet).unwrap();
            } else {
                file.reserve(-6, 2 << 20).unwrap();
                file.reserved_mut()[..packet.len()].copy_from_slice(&packet);
                file.commit(&list, packet.len()).unwrap();
            }
            if i % 16 == 0 {
                let now = resident();
                most = (most.0.max(now.0), most.1.max(now.1));
            }
        }
        let published = file.publish(&[1; 1100], true).unwrap();
        let after = resident();
        most = (most.0.max(after.0), most.1.max(after.1));
        assert!(published.bytes > 256 << 20 && published.slid > 256 << 20);
        let (anonymous, files) = (most.0.saturating_sub(before.0), most.1.saturating_sub(before.1));
        println!("buffered {buffered}, appends {appends}: {anonymous} KiB anonymous, {files} KiB of files");
        assert!(anonymous < 4 << 10, "{anonymous} KiB of anonymous memory");
        assert!(files < 32 << 10, "{files} KiB of pages of files");
    }
}
