//! `examples/push.rs` writes what the packager writes: every segment and init segment of the ladder, byte for byte.

use std::path::Path;

use fragmint::package::{InputRequest, Request, run};

#[path = "../examples/push.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod push;

#[test]
fn access_units_pushed_by_hand_give_the_packagers_bytes() {
    let ladder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder");
    let directory = tempfile::tempdir().unwrap();
    let pushed = directory.path().join("pushed");
    push::push_ladder(&ladder, &pushed).unwrap();

    let streams = ["720p.h264", "360p.h264", "234p.h264", "en.aac", "de.aac"];
    let inputs = streams.map(|stream| InputRequest::new(ladder.join(stream)));
    let request = Request::new(inputs.into(), directory.path().join("packaged"));
    let plan = run::plan(&request, &|_| {}).unwrap();
    run::write(&request, &plan, &|_| {}).unwrap();

    let mut compared = 0;
    for (rendition, stream) in plan.renditions.iter().zip(streams) {
        let pushed = pushed.join(stream.split_once('.').unwrap().0);
        let packaged = request.output.join(rendition.packaged.directory());
        let segments = rendition.packaged.segments().iter().map(|segment| segment.uri.as_str());
        for file in segments.chain([rendition.packaged.init()]) {
            let read = |directory: &Path| std::fs::read(directory.join(file)).unwrap();
            assert!(read(&pushed) == read(&packaged), "{stream}: {file} differs");
            compared += 1;
        }
        // One file more in the packager's directory: the playlist.
        let count = |directory: &Path| std::fs::read_dir(directory).unwrap().count();
        assert_eq!(count(&pushed) + 1, count(&packaged), "{stream}");
    }
    assert_eq!(compared, 5 * 7, "six segments of four seconds and an init segment each");
}
