//! The segmenter as its documentation reads, kept in vectors: a packet is copied, a segment is laid out when it is cut,
//! a call that fails is undone by putting the whole state back. It shares with the segmenter only what lies below it and
//! is tested there: headers of the codecs, boxes, the layout of a segment.

mod av1;
mod avc;
mod opus;
mod vp9;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::codec::flac::{FlacConfig, FrameHeader};
use crate::codec::{PictureOrder, VideoFormat};
use crate::fragment::Fragment;
use crate::hash::ContentHash;
use crate::presentation::Segment;
use crate::scan::ac3;
use crate::scan::adts::AdtsHeader;
use crate::scan::{Dropped, SourceRange};
use crate::segmenter::{CodecConfig, Composition, SampleTiming, SegmenterConfig, VideoConfig};
use crate::time::{CompositionOffset, DecodeTime, Ticks};
use crate::track::header::{SampleEntry, TrackHeader, write_init_segment};
use crate::track::{Framing, SampleFlags, Samples};

/// H.265 shares all but its headers with H.264.
const NO_HEVC: &str = "the model has no H.265, which other tests compare with the packager";

/// Words one of which stands in the error: where a call breaks several rules, any of them may be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) Vec<String>);

impl Refusal {
    pub(super) fn of(words: impl Into<String>) -> Self {
        Self(vec![words.into()])
    }
}

/// A frame of the stream with its CRC-16, taken bit by bit.
fn is_flac_frame(packet: &[u8], config: &FlacConfig) -> bool {
    let is_own = FrameHeader::read(packet, config).is_ok_and(|header| {
        header.has_format_of(config) && header.block_size <= config.max_block_size().into()
    });
    let bits = packet.iter().flat_map(|byte| (0..8).rev().map(move |bit| u32::from(byte >> bit & 1)));
    // The remainder of the packet as a polynomial, divided by x^16 + x^15 + x^2 + 1.
    let remainder = bits.fold(0u32, |rest, bit| {
        let rest = rest << 1 | bit;
        if rest & 0x1_0000 != 0 { rest ^ 0x1_8005 } else { rest }
    });
    is_own && remainder == 0
}

impl From<crate::Error> for Refusal {
    /// An error of what lies below: the segmenter passes it on.
    fn from(error: crate::Error) -> Self {
        Self::of(error.kind().to_string())
    }
}

pub(crate) type Answer<T> = Result<T, Refusal>;

/// A sample that is pending.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// Its NAL units, or its one raw access unit.
    pub(super) units: Vec<Vec<u8>>,
    pub(super) flags: SampleFlags,
    pub(super) order: Option<PictureOrder>,
    pub(super) duration: u32,
    pub(super) composition: Composition,
}

/// A segmenter whose directory is a map.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    config: SegmenterConfig,
    state: State,
    /// Files below the track's directory.
    files: BTreeMap<String, Vec<u8>>,
    /// What was known of the bitstream when the last segment was cut.
    at_cut: (avc::Avc, av1::Av1, vp9::Vp9, Dropped),
}

#[derive(Clone, Debug)]
struct State {
    number: Option<u32>,
    base_decode_time: u64,
    pending: Vec<Pending>,
    avc: avc::Avc,
    av1: av1::Av1,
    vp9: vp9::Vp9,
    dropped: Dropped,
    segments: Vec<Segment>,
    /// How the track's composition is told: 0 order, 1 presentation time, 2 offset.
    told: Option<u8>,
    /// Presentation time minus decode time at the start.
    bias: Option<i128>,
    init_written: bool,
    /// A published segment ends with a sample of sound that was given less than it lasts.
    sound_ended: bool,
}

/// What a finished track says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finished {
    pub(crate) segments: Vec<Segment>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Model {
    pub(crate) fn new(config: SegmenterConfig) -> Answer<Self> {
        if config.published_init.is_some() && config.write_init {
            return Err(Refusal::of("a published init segment is given"));
        }
        if let Some(audio) = config.codec.audio()
            && audio.sample_rate != config.timescale.get()
        {
            return Err(Refusal::of("the timescale is"));
        }
        let avc = match &config.codec {
            CodecConfig::Avc { parameter_sets, known_parameter_sets, .. } => avc::Avc::new(
                *parameter_sets,
                known_parameter_sets,
                config.published_init.as_deref(),
                config.drop_leading,
            )?,
            _ => avc::Avc::default(),
        };
        let state = State {
            number: Some(config.first_segment_index.get()),
            base_decode_time: config.first_base_decode_time.0,
            pending: Vec::new(),
            avc,
            av1: av1::Av1::new(config.drop_leading),
            vp9: vp9::Vp9::new(config.drop_leading),
            dropped: Dropped::default(),
            segments: Vec::new(),
            told: None,
            bias: None,
            init_written: !config.write_init,
            sound_ended: false,
        };
        let at_cut = (state.avc.clone(), state.av1.clone(), state.vp9.clone(), state.dropped);
        Ok(Self { config, state, files: BTreeMap::new(), at_cut })
    }

    pub(crate) fn push(&mut self, packet: &[u8], timing: SampleTiming) -> Answer<usize> {
        let before = self.state.clone();
        let answer = self.try_push(packet, timing);
        if answer.is_err() {
            self.state = before;
        }
        answer
    }

    /// A reservation of `max` bytes in which `used` are committed, the first of them `packet`.
    pub(crate) fn commit(
        &mut self,
        max: usize,
        packet: &[u8],
        used: usize,
        timing: SampleTiming,
    ) -> Answer<usize> {
        if used > max {
            return Err(Refusal::of(format!("of a reservation of {max}")));
        }
        let mut bytes = packet[..packet.len().min(used)].to_vec();
        bytes.resize(used, 0);
        self.push(&bytes, timing)
    }

    fn try_push(&mut self, packet: &[u8], timing: SampleTiming) -> Answer<usize> {
        let samples = match &self.config.codec {
            CodecConfig::Avc { .. } => {
                self.state.avc.packet(packet, &mut self.state.dropped).and_then(|(joined, pictures)| {
                    match self.state.pending.last_mut() {
                        Some(last) => last.units.extend(joined),
                        None if joined.is_empty() => {}
                        None => return Err(Refusal::of("a segment that is cut")),
                    }
                    Ok(pictures)
                })
            }
            CodecConfig::Av1 { .. } => self.state.av1.packet(packet),
            CodecConfig::Vp9 { .. } => self.state.vp9.packet(packet),
            CodecConfig::Aac(_) if packet.is_empty() => Err(Refusal::of("empty")),
            CodecConfig::Flac(_) if packet.is_empty() => Err(Refusal::of("empty")),
            CodecConfig::Flac(flac) if !is_flac_frame(packet, flac) => {
                Err(Refusal(["frame header", "the configuration says", "CRC-16"].map(String::from).into()))
            }
            CodecConfig::Aac(_) if AdtsHeader::read(packet).is_some() => Err(Refusal::of("ADTS header")),
            CodecConfig::Opus(config) => opus::packet(packet, config),
            CodecConfig::Ac3(_) | CodecConfig::Eac3(_)
                if !is_described(&self.config.codec, &ac3::read_access_unit(packet)?) =>
            {
                Err(Refusal::of("the configuration says"))
            }
            _ => {
                Ok(vec![avc::Picture { units: vec![packet.to_vec()], flags: SampleFlags::SYNC, order: None }])
            }
        };
        let samples = samples?;
        self.check_size()?;

        let told = match timing.composition {
            Composition::BitstreamOrder => 0,
            Composition::PresentationTime(_) => 1,
            Composition::Offset(_) => 2,
        };
        let coded = opus::coded_duration(&self.config.codec, packet);
        let has_ended = self.sound_has_ended();
        let mut broken = Vec::new();
        let mut check = |sound: bool, words: &str| {
            if !sound {
                broken.push(words.to_owned());
            }
        };
        if let Some(first) = samples.first() {
            check(timing.duration > 0, "lasts 0 ticks");
            check(!has_ended, "was given less than it lasts");
            check(coded.is_none_or(|coded| timing.duration <= coded), "the packet lasts");
            check(self.state.told.is_none_or(|before| before == told), "is told by");
            check(told == 0 || samples.len() == 1, "one presentation time is given for a packet of");
            check(timing.sync.is_none_or(|hint| hint == first.flags.is_sync()), "the caller says");
            let shifted = matches!(timing.composition, Composition::Offset(offset) if offset.0 != 0);
            let reordered = matches!(self.config.codec, CodecConfig::Avc { .. });
            check(!shifted || reordered, "a composition offset of");
            self.state.told = Some(told);
        }
        let count = samples.len();
        self.state.pending.extend(samples.into_iter().map(|picture| Pending {
            units: picture.units,
            flags: picture.flags,
            order: picture.order,
            duration: timing.duration,
            composition: timing.composition,
        }));
        if broken.is_empty() { Ok(count) } else { Err(Refusal(broken)) }
    }

    pub(crate) fn cut(&mut self) -> Answer<Option<Segment>> {
        let Some(first) = self.state.pending.first() else { return Ok(None) };
        let number =
            self.state.number.and_then(std::num::NonZeroU32::new).ok_or_else(|| Refusal::of("number"))?;
        if !first.flags.is_sync() {
            let count = self.state.pending.len();
            let not_sync = format!("segment {number} of {count} samples would not start with a sync sample");
            // Times may be wrong too, and be named first.
            let also = self.lay_out().err().into_iter().flat_map(|refusal| refusal.0);
            return Err(Refusal(also.chain([not_sync]).collect()));
        }
        let base = DecodeTime(self.state.base_decode_time);
        let (samples, source, bias) = self.lay_out()?;
        let fragment = Fragment::new(number, base, samples.iter())?;
        let mut bytes = Vec::new();
        fragment.piece_list()?.write_to(&source, &mut bytes)?;
        let init = if self.state.init_written { None } else { Some(self.init()?) };

        // Nothing fails from here on.
        if let Some(init) = init {
            self.files.insert("init.mp4".to_owned(), init);
        }
        // A worker that neither writes the init segment nor is given it does not know what is in it.
        if self.config.write_init {
            self.state.avc.publish();
            self.state.vp9.close();
        }
        self.state.init_written = true;
        let duration = fragment.header().duration();
        let mut segment = Segment::new(number, bytes.len() as u64, duration, base);
        segment.path = self.directory().join(&segment.uri);
        segment.content_hash = self.config.content_hash.then(|| ContentHash::of(&bytes));
        self.files.insert(segment.uri.clone(), bytes);
        self.state.number = number.get().checked_add(1);
        self.state.base_decode_time += duration.0;
        self.state.bias = bias;
        self.state.sound_ended = self.sound_has_ended();
        self.state.pending.clear();
        let State { avc, av1, vp9, dropped, .. } = &self.state;
        self.at_cut = (avc.clone(), av1.clone(), vp9.clone(), *dropped);
        self.state.segments.push(segment.clone());
        Ok(Some(segment))
    }

    /// The pending samples with their times, and their bytes one after the other.
    fn lay_out(&self) -> Answer<(Samples, Vec<u8>, Option<i128>)> {
        let (offsets, bias) = self.composition_offsets()?;
        let mut samples = Samples::new(match self.config.codec {
            CodecConfig::Avc { .. } => Framing::LengthPrefixed,
            _ => Framing::Raw,
        });
        let (mut composition_offsets, mut source) = (Vec::new(), Vec::new());
        for (pending, offset) in self.state.pending.iter().zip(offsets) {
            let mut ranges = Vec::new();
            for unit in &pending.units {
                ranges.push(SourceRange { offset: source.len() as u64, len: unit.len() as u32 });
                source.extend_from_slice(unit);
            }
            let offset = i32::try_from(offset).map_err(|_| Refusal::of("decoding and presentation"))?;
            composition_offsets.push(CompositionOffset(offset));
            samples.push(&ranges, pending.flags, pending.duration)?;
        }
        samples.set_composition_offsets(composition_offsets);
        let has_pre_roll = matches!(self.config.codec, CodecConfig::Opus(_)) || self.config.priming > 0;
        let samples = samples.in_roll_group(has_pre_roll);
        Ok((samples, source, bias))
    }

    /// Presentation minus decode time of each pending sample, and the bias of the track.
    fn composition_offsets(&self) -> Answer<(Vec<i128>, Option<i128>)> {
        let pending = &self.state.pending;
        let mut decode_times = vec![i128::from(self.state.base_decode_time)];
        for sample in pending {
            decode_times.push(decode_times[decode_times.len() - 1] + i128::from(sample.duration));
        }
        let pts = |sample: &Pending| match sample.composition {
            Composition::PresentationTime(pts) => Some(i128::from(pts)),
            _ => None,
        };
        let earliest = pending.iter().filter_map(pts).min();
        let own = earliest.map(|earliest| earliest - decode_times[0]);
        let bias = self.state.bias.or(own);
        if own.is_some_and(|own| Some(own) != bias) {
            return Err(Refusal::of("the earliest presentation time of the segment"));
        }
        let mut epoch_start = 0;
        let mut equal = false;
        let mut offsets = Vec::new();
        for (index, sample) in pending.iter().enumerate() {
            offsets.push(match sample.composition {
                Composition::Offset(offset) => i128::from(offset.0),
                Composition::PresentationTime(pts) => {
                    i128::from(pts) - bias.expect("one has a time") - decode_times[index]
                }
                Composition::BitstreamOrder => {
                    let Some(order) = sample.order else {
                        offsets.push(0);
                        continue;
                    };
                    if order.epoch_start {
                        epoch_start = index;
                    }
                    let starts = |next: &Pending| next.order.is_some_and(|order| order.epoch_start);
                    let behind = &pending[epoch_start + 1..];
                    let len = 1 + behind.iter().position(starts).unwrap_or(behind.len());
                    let epoch = &pending[epoch_start..epoch_start + len];
                    let counts = || epoch.iter().filter_map(|other| other.order).map(|other| other.count);
                    equal |= counts().filter(|&count| count == order.count).count() > 1;
                    let place = (order.count, index - epoch_start);
                    let rank = counts().zip(0..).filter(|&other| other < place).count();
                    decode_times[epoch_start + rank] - decode_times[index]
                }
            });
        }
        if equal {
            let mut words = vec!["same picture order count".to_owned()];
            // That may be found first.
            let too_far = |&offset: &i128| i32::try_from(offset).is_err();
            words.extend(offsets.iter().any(too_far).then(|| "between decoding and presentation".to_owned()));
            return Err(Refusal(words));
        }
        self.check_order(&offsets, &decode_times)?;
        Ok((offsets, bias))
    }

    /// Times that the caller told are in the bitstream's order.
    fn check_order(&self, offsets: &[i128], decode_times: &[i128]) -> Answer<()> {
        let pending = &self.state.pending;
        if pending.iter().all(|sample| sample.composition == Composition::BitstreamOrder) {
            return Ok(());
        }
        let mut epoch = 0;
        let key = |(index, sample): (usize, &Pending)| {
            let order = sample.order?;
            epoch += i32::from(order.epoch_start);
            Some((epoch, order.count, index))
        };
        let keys: Vec<_> = pending.iter().enumerate().filter_map(key).collect();
        let before = |a: &(i32, i32, usize), b: &(i32, i32, usize)| {
            decode_times[a.2] + offsets[a.2] < decode_times[b.2] + offsets[b.2]
        };
        let words = if keys.is_empty() {
            offsets.iter().any(|&offset| offset != 0).then_some("in a codec without reordering")
        } else {
            let wrong = keys.iter().any(|a| keys.iter().any(|b| a < b && !before(a, b)));
            wrong.then_some("which the bitstream puts before it")
        };
        let too_far = offsets.iter().any(|&offset| i32::try_from(offset).is_err());
        let Some(words) = words else { return Ok(()) };
        let too_far = too_far.then(|| "between decoding and presentation".to_owned());
        Err(Refusal([words.to_owned()].into_iter().chain(too_far).collect()))
    }

    /// What the configuration says of the size holds as soon as a picture has come.
    fn check_size(&self) -> Answer<()> {
        let (video, size) = match &self.config.codec {
            CodecConfig::Avc { video, .. } => (video, self.state.avc.picture_size()),
            CodecConfig::Av1 { video } => (video, self.state.av1.picture_size()),
            CodecConfig::Vp9 { video } => (video, self.state.vp9.picture_size()),
            CodecConfig::Hevc { .. } => unreachable!("{NO_HEVC}"),
            CodecConfig::Aac(_)
            | CodecConfig::Opus(_)
            | CodecConfig::Ac3(_)
            | CodecConfig::Eac3(_)
            | CodecConfig::Flac(_) => {
                return Ok(());
            }
        };
        let Some((width, height)) = size else { return Ok(()) };
        let fits =
            video.width.is_none_or(|said| said == width) && video.height.is_none_or(|said| said == height);
        if fits { Ok(()) } else { Err(Refusal::of("the configuration says")) }
    }

    fn init(&self) -> Answer<Vec<u8>> {
        let entry = match &self.config.codec {
            CodecConfig::Avc { video, .. } => self.state.avc.sample_entry(video)?,
            CodecConfig::Aac(aac) => SampleEntry::Audio(aac.primed_configuration(self.config.priming)),
            CodecConfig::Opus(opus) => SampleEntry::Audio(opus.configuration()),
            CodecConfig::Ac3(config) => SampleEntry::Audio(config.configuration()),
            CodecConfig::Eac3(config) => SampleEntry::Audio(config.configuration()),
            CodecConfig::Flac(flac) => SampleEntry::Audio(flac.configuration()),
            CodecConfig::Av1 { video } => self.state.av1.sample_entry(video)?,
            CodecConfig::Vp9 { video } => {
                let bit_rate = self.config.bit_rate.map(|rate| rate.average);
                self.state.vp9.sample_entry(video, bit_rate)?
            }
            CodecConfig::Hevc { .. } => unreachable!("{NO_HEVC}"),
        };
        // The header tells it with the priming.
        let priming = match &entry {
            SampleEntry::Audio(audio) => audio.priming.into(),
            _ => 0,
        };
        Ok(write_init_segment(&TrackHeader {
            timescale: self.config.timescale,
            entry,
            language: self.config.language.clone(),
            role: self.config.role.clone(),
            duration: self.config.duration.map(|duration| Ticks(duration.0 + priming)),
            bit_rate: self.config.bit_rate,
        })?)
    }

    pub(crate) fn discard_pending(&mut self) -> usize {
        (self.state.avc, self.state.av1, self.state.vp9, self.state.dropped) = self.at_cut.clone();
        self.state.avc.discard_waiting();
        self.state.vp9.discard_waiting();
        if self.state.segments.is_empty() {
            self.state.told = None;
        }
        std::mem::take(&mut self.state.pending).len()
    }

    /// Whether a sample of sound was given less than it lasts, in what is published or pending.
    fn sound_has_ended(&self) -> bool {
        let is_shortened = |sample: &Pending| {
            let coded = opus::coded_duration(&self.config.codec, &sample.units[0]);
            coded.is_some_and(|coded| sample.duration < coded)
        };
        self.state.sound_ended || self.state.pending.iter().any(is_shortened)
    }

    pub(crate) fn starts_with_sync(&self) -> bool {
        self.state.pending.first().is_some_and(|sample| sample.flags.is_sync())
    }

    pub(crate) fn pending_duration(&self) -> Ticks {
        Ticks(self.state.pending.iter().map(|sample| u64::from(sample.duration)).sum())
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.state.segments
    }

    pub(crate) fn dropped(&self) -> Dropped {
        match self.config.codec {
            CodecConfig::Av1 { .. } => self.state.av1.dropped(),
            CodecConfig::Vp9 { .. } => self.state.vp9.dropped(),
            _ => self.state.dropped,
        }
    }

    /// What the track's directory holds.
    pub(crate) fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    pub(crate) fn directory(&self) -> PathBuf {
        Path::new(&self.config.output).join(&self.config.directory)
    }

    pub(crate) fn finish(&mut self) -> Answer<Finished> {
        if self.state.avc.waits_for_a_picture() {
            return Err(Refusal::of("a picture that has not come"));
        }
        if self.state.vp9.has_waiting() {
            return Err(Refusal::of("none follows that is"));
        }
        self.cut()?;
        if !self.state.init_written {
            let init = self.init()?;
            self.files.insert("init.mp4".to_owned(), init);
        }
        Ok(Finished { segments: self.state.segments.clone(), files: self.files.clone() })
    }
}

/// What the caller says of pictures wins over the bitstream.
fn with_settings(mut format: VideoFormat, video: &VideoConfig) -> VideoFormat {
    format.colour = video.colour.or(format.colour);
    format.mastering_display = video.mastering_display.or(format.mastering_display);
    format.content_light = video.content_light.or(format.content_light);
    format
}

/// Whether `told`, by a packet, is what the track was configured as.
fn is_described(codec: &CodecConfig, told: &ac3::Configuration) -> bool {
    match codec {
        CodecConfig::Ac3(config) => ac3::Configuration::Ac3(*config).describes(told),
        CodecConfig::Eac3(config) => ac3::Configuration::Eac3(config.clone()).describes(told),
        _ => unreachable!("a packet of another codec"),
    }
}
