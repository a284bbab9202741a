//! `examples/encoder_loop.rs` writes what the packager writes: every segment and init segment of the ladder, byte for
//! byte, and playlists that a parser and a player take.

use std::collections::HashMap;
use std::path::Path;

use fragmint::package::{InputRequest, Request, run};
use fragmint::segmenter::SegmenterConfig;
use fragmint::time::Ticks;
use fragmint::track::header::BitRate;

#[path = "../examples/encoder_loop.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod encoder_loop;

#[path = "end_to_end/tools.rs"]
#[allow(dead_code, reason = "this test needs a part of it")]
mod tools;

const STREAMS: [(&str, &str); 5] = [
    ("720p.h264", "video/720p"),
    ("360p.h264", "video/360p"),
    ("234p.h264", "video/234p"),
    ("en.aac", "audio/en"),
    ("de.aac", "audio/de"),
];

/// What only a packager knows before the first segment is written: how long the track is, and its bit rates.
type Known = HashMap<&'static str, (Ticks, BitRate)>;

#[test]
fn encoder_loop_writes_the_packagers_bytes() {
    let ladder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder");
    let scratch = tempfile::tempdir().unwrap();

    let inputs = STREAMS.map(|(stream, _)| {
        let language = stream.strip_suffix(".aac").map(str::to_owned);
        InputRequest { language, ..InputRequest::new(ladder.join(stream)) }
    });
    let request = Request::new(inputs.into(), scratch.path().join("packaged"));
    let plan = run::plan(&request, &|_| {}).unwrap();
    run::write(&request, &plan, &|_| {}).unwrap();

    let renditions = || plan.renditions.iter().zip(STREAMS);
    let known: Known = renditions()
        .map(|(rendition, (_, directory))| {
            let track = &rendition.packaged;
            let rates = BitRate::of(rendition.source.samples.iter(), track.timescale());
            (directory, (track.duration(), rates))
        })
        .collect();
    let encoded = scratch.path().join("encoded");
    encoder_loop::encode(&ladder, &encoded, |config: &mut SegmenterConfig| {
        let (duration, bit_rate) = known[config.directory.as_str()];
        (config.duration, config.bit_rate) = (Some(duration), Some(bit_rate));
    })
    .unwrap();

    let mut compared = 0;
    for (rendition, (_, directory)) in renditions() {
        let (encoded, packaged) =
            (encoded.join(directory), request.output.join(rendition.packaged.directory()));
        let segments = rendition.packaged.segments().iter().map(|segment| segment.uri.as_str());
        for file in segments.chain([rendition.packaged.init(), "playlist.m3u8"]) {
            let read = |directory: &Path| std::fs::read(directory.join(file)).unwrap();
            assert!(read(&encoded) == read(&packaged), "{directory}: {file} differs");
            compared += 1;
        }
        let count = |directory: &Path| std::fs::read_dir(directory).unwrap().count();
        assert_eq!(count(&encoded), count(&packaged), "{directory}");
    }
    assert_eq!(compared, 5 * 8, "six segments of four seconds, an init segment and a playlist each");
}

#[test]
fn encoder_loop_plays_without_anything_known_in_advance() {
    let ladder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder");
    let scratch = tempfile::tempdir().unwrap();
    encoder_loop::encode(&ladder, scratch.path(), |_| {}).unwrap();
    // Segments of 4 s: at the usual speed a busy machine shows too little of one to see its size.
    let words = [&scratch.path().to_string_lossy(), "--frames", "600", "--rate", "2"];
    let answer = tools::node("play.mjs", &words);
    assert_eq!(tools::problems(&answer), Vec::<String>::new());
}
