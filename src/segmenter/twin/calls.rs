//! The same calls on the segmenter and on its model: equal answers, equal state, equal files after each.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use super::model::{Answer, Model};
use crate::Result;
use crate::presentation::Segment;
use crate::segmenter::{SampleTiming, Segmenter, SegmenterConfig};

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Push(Vec<u8>, SampleTiming),
    /// Reserve `max`, write the packet, commit `used`.
    Commit {
        max: usize,
        packet: Vec<u8>,
        used: usize,
        timing: SampleTiming,
    },
    /// Reserve `max`, fill it with a byte, and drop the reservation.
    Abandon(usize, u8),
    /// The same, but the reservation is never dropped.
    Forget(usize, u8),
    Cut,
    Discard,
}

/// What a call gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Given {
    Samples(usize),
    Segment(Option<Segment>),
    Nothing,
}

impl Call {
    pub(crate) fn on(&self, segmenter: &mut Segmenter) -> Result<Given> {
        match self {
            Self::Push(packet, timing) => segmenter.push(packet, *timing).map(Given::Samples),
            Self::Commit { max, packet, used, timing } => {
                let mut reservation = segmenter.reserve(*max)?;
                assert_eq!(reservation.len(), *max, "what was asked for is lent");
                let len = packet.len().min(*max);
                reservation[..len].copy_from_slice(&packet[..len]);
                // What stands there before an encoder has written is nobody's business.
                reservation[len..].fill(0);
                reservation.commit(*used, *timing).map(Given::Samples)
            }
            Self::Abandon(max, byte) => {
                segmenter.reserve(*max)?.fill(*byte);
                Ok(Given::Nothing)
            }
            Self::Forget(max, byte) => {
                let mut reservation = segmenter.reserve(*max)?;
                reservation.fill(*byte);
                std::mem::forget(reservation);
                Ok(Given::Nothing)
            }
            Self::Cut => segmenter.cut().map(Given::Segment),
            Self::Discard => Ok(Given::Samples(segmenter.discard_pending())),
        }
    }

    pub(crate) fn on_model(&self, model: &mut Model) -> Answer<Given> {
        match self {
            Self::Push(packet, timing) => model.push(packet, *timing).map(Given::Samples),
            Self::Commit { max, packet, used, timing } => {
                let len = packet.len().min(*max);
                model.commit(*max, &packet[..len], *used, *timing).map(Given::Samples)
            }
            Self::Abandon(..) | Self::Forget(..) => Ok(Given::Nothing),
            Self::Cut => model.cut().map(Given::Segment),
            Self::Discard => Ok(Given::Samples(model.discard_pending())),
        }
    }
}

/// A segmenter and its model.
#[derive(Debug)]
pub(crate) struct Both {
    segmenter: Segmenter,
    model: Model,
    config: SegmenterConfig,
}

impl Both {
    /// Constructs both; `None` if both refuse.
    pub(crate) fn new(config: &SegmenterConfig) -> Option<Self> {
        let (segmenter, model) = (Segmenter::new(config.clone()), Model::new(config.clone()));
        let (segmenter, model) = same(&"new", segmenter, model)?;
        Some(Self { segmenter, model, config: config.clone() })
    }

    /// Makes one call and compares; whether it was taken.
    pub(crate) fn call(&mut self, call: &Call) -> bool {
        let answers = same(call, call.on(&mut self.segmenter), call.on_model(&mut self.model));
        let taken = answers.map(|(segmenter, model)| assert_eq!(segmenter, model)).is_some();
        self.compare(*call == Call::Cut);
        taken
    }

    fn compare(&self, files: bool) {
        let (segmenter, model) = (&self.segmenter, &self.model);
        assert_eq!(segmenter.starts_with_sync(), model.starts_with_sync());
        assert_eq!(segmenter.pending_duration(), model.pending_duration());
        assert_eq!(segmenter.segments(), model.segments());
        assert_eq!(segmenter.dropped(), model.dropped());
        if files {
            assert_files(&model.directory(), model.files());
        }
    }

    /// Finishes both and compares what they give and what files there are; the files, if both finish.
    pub(crate) fn finish(mut self) -> Option<BTreeMap<String, Vec<u8>>> {
        let directory = self.model.directory();
        let answers = same(&"finish", self.segmenter.finish(), self.model.finish());
        assert_files(&directory, self.model.files());
        let (track, finished) = answers?;
        assert_eq!(track.segments(), finished.segments);
        assert_eq!(track.directory(), self.config.directory);
        assert_eq!(track.timescale(), self.config.timescale);
        assert_eq!(track.init(), "init.mp4");
        assert_eq!(track.total_bytes(), finished.segments.iter().map(|segment| segment.bytes).sum::<u64>());
        assert_eq!(
            track.duration().0,
            finished.segments.iter().map(|segment| segment.duration.0).sum::<u64>()
        );
        Some(finished.files)
    }
}

/// Both answers, when both calls are taken; `None`, when both are refused for the same reason.
fn same<T, M>(what: &dyn Debug, segmenter: Result<T>, model: Answer<M>) -> Option<(T, M)> {
    match (segmenter, model) {
        (Ok(segmenter), Ok(model)) => Some((segmenter, model)),
        (Err(error), Err(refusal)) => {
            let text = error.to_string().to_lowercase();
            let named = refusal.0.iter().any(|words| text.contains(&words.to_lowercase()));
            assert!(named, "refused with '{error}', not with any of {refusal:?}: {what:?}");
            None
        }
        (Ok(_), Err(refusal)) => panic!("taken, but the model says {refusal:?}: {what:?}"),
        (Err(error), Ok(_)) => panic!("the model takes it, but it is refused: {error}: {what:?}"),
    }
}

/// Asserts that `directory` holds these files and nothing else.
pub(crate) fn assert_files(directory: &Path, expected: &BTreeMap<String, Vec<u8>>) {
    let found = files_in(directory);
    let names: Vec<&String> = found.keys().collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>(), "files in the directory, and those of the model");
    for (name, bytes) in &found {
        assert_same_bytes(name, bytes, &expected[name]);
    }
}

/// Files are equal; where not, the first difference is told, not all of them.
pub(crate) fn assert_same_bytes(name: &str, found: &[u8], expected: &[u8]) {
    let at = found.iter().zip(expected).position(|(a, b)| a != b);
    assert!(
        at.is_none() && found.len() == expected.len(),
        "{name}: {} bytes and {}, first difference at {at:?}",
        found.len(),
        expected.len()
    );
}

/// Every file of a directory, hidden ones too, with its bytes.
pub(crate) fn files_in(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(directory) else { return BTreeMap::new() };
    entries
        .map(|entry| entry.expect("the directory can be read"))
        .map(|entry| {
            let name = entry.file_name().into_string().expect("names are plain");
            (name, std::fs::read(entry.path()).expect("files can be read"))
        })
        .collect()
}
