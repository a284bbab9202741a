//! What the mappings promise, one by one.

use super::*;

#[test]
fn a_short_or_interrupted_write_goes_on_exactly_where_it_stopped() {
    let bytes: Vec<u8> = (0..=255).collect();
    for most in 1..40 {
        let cuts = [0, 0, 1, 1, 20, 100, 101, 256, 256];
        let mut slices: Vec<_> = cuts.windows(2).map(|cut| IoSlice::new(&bytes[cut[0]..cut[1]])).collect();
        let mut written: Vec<u8> = Vec::new();
        let mut calls = 0;
        write_slices(&mut slices, 7, |slices, offset| {
            calls += 1;
            if calls % 3 == 0 {
                return Err(Errno::INTR);
            }
            assert_eq!(offset, 7 + written.len() as u64);
            let before = written.len();
            written.extend(slices.iter().flat_map(|slice| slice.iter()).take(most));
            Ok(written.len() - before)
        })
        .expect("every call makes progress");
        assert_eq!(written, bytes);
    }
}

#[test]
fn a_write_that_makes_no_progress_is_an_error() {
    let mut slices = [IoSlice::new(b"x")];
    assert_eq!(write_slices(&mut slices, 0, |_, _| Ok(0)), Err(Errno::IO));
}

#[test]
fn a_range_outside_of_the_mapping_is_an_error() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(10).unwrap();
    let map = InputMap::new(&file, 10).unwrap();
    for (offset, len) in [(0, 11), (10, 1), (u64::MAX, 1), (1, u64::MAX)] {
        let parts = [Gathered::Source { offset, len }];
        assert_eq!(map.write_gathered(&parts, &file, 0), Err(Errno::FAULT));
    }
}

fn growing(len: usize) -> GrowingMap {
    let mut map = GrowingMap::new(Arc::new(tempfile::tempfile().unwrap()), false).unwrap();
    map.allocate(len, len).unwrap();
    map
}

#[test]
#[should_panic(expected = "allocated before")]
fn no_byte_is_lent_behind_the_allocated_ones() {
    growing(5000).bytes(4999..5001);
}

#[test]
#[should_panic(expected = "allocated before")]
fn no_byte_is_lent_to_be_changed_behind_the_allocated_ones() {
    growing(5000).bytes_mut(5000..5001);
}

#[test]
#[should_panic(expected = "allocated before")]
fn no_byte_is_lent_that_was_trimmed() {
    let mut map = growing(9000);
    map.trim(5000).unwrap();
    map.bytes(0..9000);
}

#[test]
fn a_trimmed_file_may_grow_again_and_reads_zeros_there() {
    let mut map = growing(9000);
    map.bytes_mut(0..9000).fill(7);
    map.trim(5000).unwrap();
    map.allocate(9000, 20_000).unwrap();
    assert!(map.bytes(0..5000).iter().all(|byte| *byte == 7));
    assert!(map.bytes(5000..9000).iter().all(|byte| *byte == 0));
}

#[test]
fn a_wish_that_the_disk_refuses_is_no_error() {
    let mut map = growing(5000);
    fault::fail_at(Operation::Allocate, 0);
    let answer = map.allocate(6000, 100_000);
    assert!(fault::fired());
    fault::reset();
    assert_eq!((answer, map.allocated()), (Ok(()), 6000));
    fault::fail_at(Operation::Allocate, 0);
    assert_eq!(map.allocate(7000, 7000), Err(Errno::NOSPC));
    fault::reset();
    assert_eq!(map.allocated(), 6000);
}
