//! Checks of a whole package against the streams it was made of. Each lists what is wrong, so that the same check that
//! finds nothing on a good package must find something on a damaged one.
//!
//! Clauses of ISO/IEC 23000-19 are as DASH-IF's conformance checklist quotes them; the text was not opened.

pub mod boxes;
pub mod bytes;
pub mod decoded;
pub mod mpd;
pub mod payload;
pub mod playlists;
pub mod timing;

use crate::package::{Kind, Package, Track};
use crate::segment::{Init, Segment};

/// What a check found wrong, one line each. Empty: nothing.
pub type Problems = Vec<String>;

/// The problems that `watch` finds a second time too. Now and then a browser on a machine with much else to do starves, or stops
/// playing with all of the film in its buffer; what is wrong with a package or a page is wrong twice.
pub fn twice(watch: impl Fn() -> Problems) -> Problems {
    let problems = watch();
    if problems.is_empty() {
        return problems;
    }
    eprintln!("watched again after {problems:?}");
    watch()
}

/// Runs `check` on each track of one kind, or of both, with the track's name in front of what it finds.
fn each_track(package: &Package, kind: Option<Kind>, check: impl Fn(&Track) -> Problems) -> Problems {
    let tracks = package.tracks.iter().filter(|track| kind.is_none_or(|kind| track.kind == kind));
    tracks
        .flat_map(|track| check(track).into_iter().map(move |text| format!("{}: {text}", track.name)))
        .collect()
}

/// The parsed files of a track, or why they do not parse.
struct Parsed {
    init: Init,
    segments: Vec<Segment>,
}

impl Parsed {
    fn read(package: &Package, track: &Track) -> Result<Self, Problems> {
        let init = Init::read(&package.init(track)).map_err(|text| vec![format!("init.mp4: {text}")])?;
        let (mut segments, mut problems) = (Vec::new(), Problems::new());
        for (number, path) in (1..).zip(package.segments(track)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name != format!("seg-{number:05}.m4s") {
                problems.push(format!("segment {number} is named {name}"));
            }
            match Segment::read(&path, &init) {
                Ok(segment) => segments.push(segment),
                Err(text) => problems.push(format!("{name}: {text}")),
            }
        }
        if problems.is_empty() { Ok(Self { init, segments }) } else { Err(problems) }
    }
}
