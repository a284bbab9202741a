//! What fuzzing asserts of runs over output directories in any state: killed ones that are gone on with, finished ones, and
//! such as somebody tampered with.

mod check;
mod place;

use super::{Existing, IoChoice, run};
use crate::hash::HashAlgorithm;
use crate::io::publish::{JOURNAL, RECEIPT};
use check::Step;
use place::Place;

/// How many times a directory is tampered with.
const MOST_CHANGES: usize = 24;

/// Packages two small streams into a directory whose state `data` says: the package is whole and what was whole in it stayed, or
/// no manifest names a file that is not; nothing of others is touched, neither there nor outside; and where nothing is in the
/// way, the run does not fail.
///
/// The first bytes are options, what run was there before, which of its files are there, and what its lists hold; then come
/// places and what is put there.
#[doc(hidden)]
pub fn fuzz_resume(data: &[u8]) {
    let mut source = Source(data);
    let options = source.byte();
    let place = Place::new(|request| {
        request.verify = options & 1 == 0;
        request.hash = [Some(HashAlgorithm::Xxh3), None][usize::from(options >> 1 & 1)];
        request.durable = options & 4 != 0;
    });
    prepare(&place, &mut source);
    let outside = place.outside();
    let existing = [Existing::Resume, Existing::Replace, Existing::Refuse, Existing::Resume];
    let io = if options & 8 == 0 { IoChoice::Mapped } else { IoChoice::Gather };
    step(&place, existing[usize::from(options >> 4 & 3)], io);
    // What is left can be gone on with, or replaced, if it could before.
    step(&place, existing[usize::from(options >> 6 & 3)], IoChoice::Mapped);
    step(&place, Existing::Replace, IoChoice::Gather);
    assert!(place.outside() == outside, "something outside of the output directory is another");
}

/// Runs, and checks what came of it.
fn step(place: &Place, existing: Existing, io: IoChoice) {
    let before = place.tree("out");
    let request = super::Request { existing, io, ..place.request.clone() };
    let result = run::write(&request, &place.plan, &|_| ());
    Step { place, existing, before, after: place.tree("out") }.check(&result);
}

/// Makes the output directory what `source` says.
fn prepare(place: &Place, source: &mut Source<'_>) {
    let start = source.byte();
    match start & 3 {
        0 => {}
        1 => place.interrupt(u64::from(source.byte()) * 8),
        _ => {
            let whole = source.byte() as usize | (source.byte() as usize) << 8;
            for (index, path) in place.expected.keys().enumerate() {
                if start & 4 != 0 || whole >> (index % 16) & 1 == 1 {
                    place.put(path, 15, 0);
                }
            }
            for (list, set) in [(JOURNAL, start & 8 == 0), (RECEIPT, start & 16 != 0)] {
                place.put(list, 0, 0);
                if set {
                    let (what, more) = (source.byte(), source.byte());
                    place.put_list(list, what, more, source.rest(start >> 5));
                }
            }
        }
    }
    let names = names(place);
    for _ in 0..MOST_CHANGES {
        if source.0.is_empty() {
            break;
        }
        let (what, name, more) = (source.byte(), source.byte(), source.byte());
        place.put(&names[usize::from(name) % names.len()], what, more);
    }
}

/// Where something is put: files of the plan, directories, lists, and what others may have there.
fn names(place: &Place) -> Vec<String> {
    let others = [
        "video",
        "video/a",
        "audio",
        "audio/b",
        JOURNAL,
        ".fragmint.json.part",
        ".fragmint.journal.part",
        "notes",
        "video/notes",
        "video/a/notes",
        "video/a/seg-99999.m4s",
        "other.m3u8",
        "deep/er/notes",
    ];
    place.expected.keys().cloned().chain(others.map(str::to_owned)).collect()
}

/// Bytes, and zeros behind them.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn byte(&mut self) -> u8 {
        let (&byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        byte
    }

    /// Some of the bytes that are left: so many eighths.
    fn rest(&mut self, eighths: u8) -> &'a [u8] {
        let (head, rest) = self.0.split_at(self.0.len() * usize::from(eighths) / 8);
        self.0 = rest;
        head
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_directory_gets_the_package() {
        for options in 0..16 {
            fuzz_resume(&[options | 0x20, 0]);
            fuzz_resume(&[options, 0]);
        }
    }

    #[test]
    fn a_run_that_was_stopped_anywhere_goes_on() {
        for bytes in (0..255).step_by(5) {
            fuzz_resume(&[0, 1, bytes]);
        }
    }

    #[test]
    fn no_path_of_a_list_leads_elsewhere() {
        // Journal and receipt with each path among those of an older run; to go on with, and to replace.
        for path in 0..22 {
            for options in [0x00, 0x10] {
                fuzz_resume(&[options, 2, 0xff, 0xff, 6, path]);
                fuzz_resume(&[options, 2 | 8 | 16, 0xff, 0xff, 6, path]);
            }
        }
    }

    #[test]
    fn whatever_is_in_the_place_of_a_file_is_left_or_made_again() {
        for what in 0..12 {
            for place in [0, 4, 6, 11, 13, 15, 17] {
                fuzz_resume(&[0x00, 6, 0, 0, 15, 0, what, place, 100]);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

        #[test]
        fn any_state_is_gone_on_with_or_left(
            head in any::<[u8; 6]>(),
            changes in prop::collection::vec(any::<[u8; 3]>(), 0..8),
        ) {
            fuzz_resume(&[&head[..], &changes.concat()].concat());
        }

        #[test]
        fn any_bytes_are_a_state(data in prop::collection::vec(any::<u8>(), 0..100)) {
            fuzz_resume(&data);
        }
    }
}
