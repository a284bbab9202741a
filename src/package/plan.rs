//! Inputs as they were read ► everything about the package but its bytes on disk. Pure.
//!
//! Frame rates and timescales, times, cuts, names, init segments, segment sizes, playlists: each is settled here, so the
//! plan can be shown, and running it has nothing left to decide.

use std::num::NonZeroU32;
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

use super::cutting::cut;
use super::ingest::{SourceKind, SourceTrack};
use super::naming::{is_same_choice, name_tracks};
use super::receipt::Receipt;
use super::report::{InputReport, IoReport, MediaReport, Notice, RenditionReport, Report, SegmentReport};
use super::timing::{self, TimedTrack};
use super::{Request, advice, colour, periods};
use crate::codec::{AudioCodec, VideoFormat};
use crate::error::{Error, Result};
use crate::fragment::Fragment;
use crate::io::publish::WrittenFile;
use crate::manifest::{dash, hls};
use crate::presentation::{DESCRIPTION, Media, PackagedTrack, Presentation, Segment};
use crate::time::{DecodeTime, ExactTime, FrameRate, Ticks};
use crate::track::Samples;
use crate::track::header::write_init_segment;

/// A package that is settled to the byte and not written yet.
#[derive(Debug)]
pub struct Plan {
    /// The renditions, video first, in input order.
    pub renditions: Vec<RenditionPlan>,
    /// Groups of renditions that a player may switch between, by index into `renditions`.
    pub switching_sets: Vec<Vec<usize>>,
    /// The manifests by path below the output directory: media playlists, then what players open, the multivariant
    /// playlist last.
    pub manifests: Vec<(String, String)>,
    /// `EXT-X-TARGETDURATION` of every playlist, in seconds; peak bit rates are measured by it also where none is written.
    pub target_duration: u64,
    /// What a person should know although it stopped nothing.
    pub notices: Vec<Notice>,
}

/// One rendition of a plan.
#[derive(Debug)]
pub struct RenditionPlan {
    /// The input it comes from, by index into the request's.
    pub input: usize,
    /// Where its payload is.
    pub source: SourceTrack,
    /// Rate of its pictures; `None` for audio.
    pub frame_rate: Option<FrameRate>,
    /// What playlists say of it.
    pub packaged: PackagedTrack,
    /// The init segment, …
    pub init: Vec<u8>,
    /// … and those of periods in which the track has another, in order.
    pub later_inits: Vec<InitPlan>,
    /// Which samples each media segment holds.
    pub segments: Vec<SegmentPlan>,
}

/// An init segment of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitPlan {
    /// Where it is, relative to the media playlist.
    pub uri: String,
    /// The codec string of the sample entry.
    pub codec: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// One media segment of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPlan {
    /// Its number, from 1: that of the file and of `mfhd`.
    pub number: NonZeroU32,
    /// Decode time of its first sample.
    pub base_decode_time: DecodeTime,
    /// Sum of its samples' durations.
    pub duration: Ticks,
    /// Indices of its samples.
    pub samples: Range<usize>,
}

impl SegmentPlan {
    /// The segment's fragment; `samples` are those of the whole track.
    pub fn fragment<'a>(&self, samples: &'a Samples) -> Result<Fragment<'a>> {
        Fragment::new(self.number, self.base_decode_time, samples.run(self.samples.clone()))
    }
}

impl Plan {
    /// Settles the package of `request` over its inputs as they were read, in the request's order.
    ///
    /// # Errors
    /// When a frame rate is missing, renditions do not align, names collide, settings do not fit the input, or a number
    /// does not fit its field; each names the input or rendition.
    pub fn new(request: &Request, sources: Vec<SourceTrack>) -> Result<Self> {
        let mut notices = Vec::new();
        let tracks = timing::time_tracks(request, sources, &mut notices)?;
        // What the request gets wrong by itself comes before what the inputs do.
        check_settings(&tracks)?;
        let names = name_tracks(&tracks)?;
        advice::tell_dropped(&tracks, &mut notices)?;
        advice::tell_looks(&tracks, &mut notices);
        colour::tell_contradictions(&tracks, &mut notices)?;
        let boundaries = periods::boundaries(&tracks);
        let starts = cut(request, &tracks, &boundaries, &mut notices)?;
        let renditions = tracks
            .into_par_iter()
            .zip(starts)
            .zip(names)
            .map(|((track, starts), name)| rendition(request, track, &starts, &boundaries, &name))
            .collect::<Result<Vec<_>>>()?;

        let (video, audio): (Vec<_>, Vec<_>) =
            renditions.iter().map(|r| r.packaged.clone()).partition(|track| track.media().is_video());
        let presentation = Presentation::new(video, audio)?;
        if let (true, [_, _, ..]) = (presentation.is_audio_ladder(), presentation.audio()) {
            let message = "the inputs are taken for one sound at several bit rates, which a player switches between: give each its \
                           lang= or name= if they are not";
            notices.push(Notice { about: "audio".to_owned(), message: message.to_owned() });
        }
        let switching_sets = switching_sets(&presentation, &renditions);
        let target_duration = hls::target_duration(&presentation);
        let manifests = manifests(request, &presentation, target_duration)?;
        Ok(Self { renditions, switching_sets, manifests, target_duration, notices })
    }

    /// Every file of the package but the receipt.
    pub fn files(&self) -> Vec<WrittenFile> {
        self.hashed_files(|_| None, std::iter::repeat(None))
    }

    /// The same with the hashes of the media segments, in the order of renditions and segments, and those of other files, by
    /// their bytes.
    fn hashed_files(
        &self,
        hash_of: impl Fn(&[u8]) -> Option<String>,
        hashes: impl IntoIterator<Item = Option<String>>,
    ) -> Vec<WrittenFile> {
        let mut hashes = hashes.into_iter();
        let mut files = Vec::new();
        let small = |path: String, bytes: &[u8]| {
            let file = WrittenFile::new(path, bytes.len() as u64);
            WrittenFile { hash: hash_of(bytes), ..file }
        };
        for rendition in &self.renditions {
            files.extend(rendition.inits().map(|init| small(init.path, init.bytes)));
            for (plan, listed) in rendition.segments.iter().zip(rendition.packaged.segments()) {
                let file = WrittenFile::new(rendition.segment_path(plan), listed.bytes);
                let (duration, hash) = (Some(listed.duration.0), hashes.next().flatten());
                files.push(WrittenFile { duration, hash, ..file });
            }
        }
        files.extend(self.manifests.iter().map(|(path, text)| small(path.clone(), text.as_bytes())));
        files
    }

    /// The receipt. `hashes` are those of the media segments, in the order of renditions and segments; the others are made here.
    pub fn receipt(&self, request: &Request, hashes: impl IntoIterator<Item = Option<String>>) -> Receipt {
        let hash_of = |bytes: &[u8]| request.hash.map(|algorithm| algorithm.of(bytes));
        Receipt::new(request, self, self.hashed_files(hash_of, hashes))
    }

    /// The receipt with hashes of the right length in the place of those of segments, which are not known before these are
    /// written.
    pub(super) fn receipt_to_be(&self, request: &Request) -> Receipt {
        let blank = request.hash.map(|algorithm| algorithm.of(b""));
        self.receipt(request, std::iter::repeat(blank))
    }

    /// Bytes of all media segments.
    pub fn segment_bytes(&self) -> u64 {
        self.renditions.iter().map(|rendition| rendition.packaged.total_bytes()).sum()
    }

    /// The report of this plan with a receipt of so many bytes, `written` or not.
    pub(super) fn report(
        &self,
        request: &Request,
        io: IoReport,
        receipt_bytes: u64,
        written: bool,
    ) -> Report {
        let inits = self.renditions.iter().flat_map(RenditionPlan::inits).map(|init| init.bytes.len() as u64);
        let manifests = self.manifests.iter().map(|(_, text)| text.len() as u64);
        let segments = self.renditions.iter().map(|rendition| rendition.segments.len() as u64);
        let later_inits = self.renditions.iter().map(|rendition| rendition.later_inits.len()).sum::<usize>();
        let small_files = (self.renditions.len() + later_inits + self.manifests.len()) as u64;
        Report {
            fragmint: env!("CARGO_PKG_VERSION").to_owned(),
            output: request.output.display().to_string(),
            written,
            io,
            threads: rayon::current_num_threads() as u64,
            verification: None,
            kept: 0,
            target_duration: self.target_duration,
            renditions: self.renditions.iter().map(|r| r.report(self.target_duration)).collect(),
            switching_sets: self.switching_sets.clone(),
            notices: self.notices.clone(),
            files: segments.sum::<u64>() + small_files + 1,
            bytes: self.segment_bytes() + inits.chain(manifests).sum::<u64>() + receipt_bytes,
        }
    }
}

/// An init segment of a rendition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init<'a> {
    /// Path below the output directory.
    pub path: String,
    /// The codec string of its sample entry.
    pub codec: &'a str,
    /// The file.
    pub bytes: &'a [u8],
}

impl RenditionPlan {
    /// Path of the init segment below the output directory.
    pub fn init_path(&self) -> String {
        format!("{}/{}", self.packaged.directory(), self.packaged.init())
    }

    /// Its init segments in order.
    pub fn inits(&self) -> impl Iterator<Item = Init<'_>> {
        let first = Init { path: self.init_path(), codec: self.packaged.codec(), bytes: &self.init };
        let later = self.later_inits.iter().map(move |init| {
            let path = format!("{}/{}", self.packaged.directory(), init.uri);
            Init { path, codec: &init.codec, bytes: &init.bytes }
        });
        std::iter::once(first).chain(later)
    }

    /// Path of the init segment that a media segment is read with.
    pub fn init_path_of(&self, segment: &SegmentPlan) -> String {
        let index = segment.number.get() as usize - 1;
        let before = self.packaged.changes().partition_point(|change| change.first <= index);
        match before.checked_sub(1).map(|last| &self.packaged.changes()[last]) {
            Some(change) => format!("{}/{}", self.packaged.directory(), change.init),
            None => self.init_path(),
        }
    }

    /// Path of a media segment below the output directory.
    pub fn segment_path(&self, segment: &SegmentPlan) -> String {
        // Segments are listed in order from number 1.
        let uri = &self.packaged.segments()[segment.number.get() as usize - 1].uri;
        format!("{}/{uri}", self.packaged.directory())
    }

    fn report(&self, target_duration: u64) -> RenditionReport {
        let track = &self.packaged;
        let input = &self.source.input;
        RenditionReport {
            input: InputReport {
                path: input.path().display().to_string(),
                bytes: input.identity().size,
                scan_parts: self.source.scan_parts,
                dropped: self.source.dropped,
                repeated_parameter_sets: self.source.repeated_parameter_sets,
            },
            name: track.name().map(str::to_owned),
            directory: track.directory().to_owned(),
            codec: track.codec().to_owned(),
            media: match &self.source.kind {
                SourceKind::Video { configuration, .. } => match *track.media() {
                    // With what the caller said.
                    Media::Video { format, .. } => self.video_report(format),
                    Media::Audio { .. } => self.video_report(configuration.video_format()),
                },
                SourceKind::Audio(audio) => {
                    MediaReport::Audio { channels: audio.channels, sample_rate: audio.sample_rate }
                }
            },
            language: track.language().map(str::to_owned),
            timescale: track.timescale().get(),
            duration: track.duration().0,
            samples: self.source.samples.len() as u64,
            bytes: track.total_bytes() + self.inits().map(|init| init.bytes.len() as u64).sum::<u64>(),
            average_bit_rate: track.average_bit_rate().ceil(),
            peak_bit_rate: track.peak_bit_rate(target_duration).ceil(),
            periods: RenditionReport::periods_of(track),
            segments: track
                .segments()
                .iter()
                .map(|segment| SegmentReport {
                    number: segment.number.get(),
                    start: segment.base_decode_time.0,
                    duration: segment.duration.0,
                    bytes: segment.bytes,
                })
                .collect(),
        }
    }
}

impl RenditionPlan {
    fn video_report(&self, format: VideoFormat) -> MediaReport {
        MediaReport::Video {
            width: format.width,
            height: format.height,
            frame_rate: self.frame_rate.map(|rate| rate.to_string()),
            video_range: format.video_range().to_string(),
        }
    }
}

/// Settings that contradict the kind of input they stand at, or each other.
fn check_settings(tracks: &[TimedTrack<'_>]) -> Result<()> {
    let mut default: Option<&TimedTrack<'_>> = None;
    for track in tracks {
        let refuse =
            |what: String, remedy: &'static str| Err(Error::usage(what, remedy).in_file(&track.input.path));
        if track.is_video() && track.input.default {
            return refuse(
                "default=yes stands at video, where players choose by bandwidth".into(),
                "set it at audio",
            );
        }
        if !track.is_video() && track.input.frame_rate.is_some() {
            return refuse("fps= stands at audio, whose timing is in the stream".into(), "leave it out");
        }
        colour::check(track)?;
        let is_aac = matches!(&track.source.kind, SourceKind::Audio(audio) if audio.codec == AudioCodec::Aac);
        if !is_aac && track.input.priming.is_some() {
            let remedy = "leave it out: other codecs tell their priming, or have none";
            return refuse("priming= stands at what is not AAC".into(), remedy);
        }
        if !track.input.default {
            continue;
        }
        if track.input.role.as_deref() == Some(DESCRIPTION) {
            return refuse(
                "default=yes stands at a description, which everybody would hear who chose nothing".into(),
                "set it at the audio without description, or leave it out",
            );
        }
        match default {
            Some(first) if !is_same_choice(first, track) => {
                let what = format!("default=yes stands here and at {}", first.input.path.display());
                return refuse(what, "set it at one audio input");
            }
            Some(_) => {}
            None => default = Some(track),
        }
    }
    Ok(())
}

/// Refuses a package that nothing would name.
pub(super) fn check_manifests(request: &Request) -> Result<()> {
    if request.hls || request.dash {
        return Ok(());
    }
    Err(Error::usage("neither HLS playlists nor a DASH manifest are to be written", "leave one of them in"))
}

/// Settles one rendition: init segment, and the size of each media segment.
fn rendition(
    request: &Request,
    track: TimedTrack<'_>,
    starts: &[usize],
    boundaries: &[ExactTime],
    directory: &str,
) -> Result<RenditionPlan> {
    let output: &Path = &request.output;
    let in_file = |error: Error| error.in_file(&track.input.path);
    let samples = &track.source.samples;
    let segments = segments(samples, starts);
    let mut scratch = Vec::new();
    let listed = segments
        .iter()
        .map(|segment| {
            let bytes = segment.fragment(samples)?.byte_len(&mut scratch)?;
            let listed = Segment::new(segment.number, bytes, segment.duration, segment.base_decode_time);
            Ok(Segment { path: output.join(directory).join(&listed.uri), ..listed })
        })
        .collect::<Result<Vec<_>>>()
        .map_err(in_file)?;
    let header = periods::header(&track, 0);
    let init = write_init_segment(&header).map_err(in_file)?;
    let packaged =
        PackagedTrack::new(directory, track.codec_string(), track.media(), track.timescale, listed)?;
    let init_path = output.join(directory).join(packaged.init());
    let packaged = packaged
        .with_sample_entry(header.entry)
        .with_init_path(init_path)
        .with_language(track.input.language.clone())
        .with_name(track.input.name.clone())
        .with_role(track.input.role.clone())
        .with_default(track.input.default)
        .with_average_frame_rate(track.average_frame_rate);
    let (packaged, later_inits) =
        periods::with_periods(&track, packaged, boundaries, &output.join(directory)).map_err(in_file)?;
    // A track borrows its input from the request.
    let input = request.inputs.iter().position(|input| std::ptr::eq(input, track.input));
    let input = input.expect("tracks are made from the request's inputs");
    let TimedTrack { frame_rate, source, .. } = track;
    Ok(RenditionPlan { input, frame_rate, source, packaged, init, later_inits, segments })
}

/// The media segments that start at the samples `starts`, ascending from 0.
fn segments(samples: &Samples, starts: &[usize]) -> Vec<SegmentPlan> {
    let ends = starts.iter().skip(1).copied().chain([samples.len()]);
    let mut time = 0;
    starts
        .iter()
        .zip(ends)
        .zip(1..)
        .map(|((&start, end), number)| {
            let duration = samples.run(start..end).duration();
            let base_decode_time = DecodeTime(time);
            time += duration;
            SegmentPlan {
                number: NonZeroU32::new(number).expect("numbers ascend from 1"),
                base_decode_time,
                duration: Ticks(duration),
                samples: start..end,
            }
        })
        .collect()
}

/// The sets of the presentation by index into `renditions`.
fn switching_sets(presentation: &Presentation, renditions: &[RenditionPlan]) -> Vec<Vec<usize>> {
    let index = |track: &PackagedTrack| {
        // No two tracks share a directory.
        renditions.iter().position(|rendition| rendition.packaged.directory() == track.directory())
    };
    let indices = |set: Vec<&PackagedTrack>| set.into_iter().filter_map(index).collect();
    presentation.switching_sets().into_iter().map(indices).collect()
}

/// The manifests that `request` wants. Those that a player opens come last, when what they name is there.
fn manifests(
    request: &Request,
    presentation: &Presentation,
    target_duration: u64,
) -> Result<Vec<(String, String)>> {
    let mut manifests = Vec::new();
    if request.hls {
        for track in presentation.tracks() {
            let path = format!("{}/{}", track.directory(), hls::MEDIA_PLAYLIST);
            manifests.push((path, hls::write_media(track, target_duration)?));
        }
    }
    if request.dash {
        manifests.push((dash::MPD.to_owned(), dash::write_mpd(presentation)?));
    }
    if request.hls {
        manifests.push((hls::MASTER_PLAYLIST.to_owned(), hls::write_master(presentation)?));
    }
    Ok(manifests)
}
