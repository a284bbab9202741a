//! The stateful object for encoder pipelines: encoded packets in, one CMAF segment file for each cut.
//!
//! One [`Segmenter`] writes one track. [`Segmenter::push`] copies a packet, once, to its final place in the segment file;
//! [`Segmenter::reserve`] lends that place, so that the encoder writes there itself, and [`Reservation::commit`] turns start
//! codes into lengths where they stand. [`Segmenter::cut`] puts the header in front and publishes the file whole. The
//! bytes are those that [`crate::package`] writes for the same samples: both go through [`crate::fragment`].
//!
//! ```
//! use std::num::NonZeroU32;
//! use fragmint::codec::aac::{AacConfig, AudioObjectType};
//! use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig};
//! use fragmint::time::Timescale;
//!
//! # let directory = std::env::temp_dir().join(format!("fragmint-doc-{}", std::process::id()));
//! let codec = CodecConfig::Aac(AacConfig::new(AudioObjectType::LowComplexity, 3, 2)?); // 48 kHz, stereo
//! let timescale = Timescale::new(NonZeroU32::new(48_000).unwrap());
//! let mut segmenter = Segmenter::new(SegmenterConfig::new(&directory, "audio/en", codec, timescale))?;
//! for _ in 0..94 {
//!     segmenter.push(&[0x21, 0x10, 0x04], SampleTiming::new(1024))?;
//! }
//! let segment = segmenter.cut()?.expect("94 samples were pending");
//! assert_eq!(segment.duration.0, 94 * 1024);
//! assert!(segment.path.ends_with("audio/en/seg-00001.m4s") && segment.path.exists());
//! let track = segmenter.finish()?;
//! assert_eq!(track.codec(), "mp4a.40.2");
//! # std::fs::remove_dir_all(&directory).unwrap();
//! # Ok::<(), fragmint::Error>(())
//! ```
//!
//! # What it promises
//!
//! - A call that fails leaves the segmenter as it was: the packet is not taken, the segment is not published, no number is
//!   used up. The call may be made again.
//! - Nothing is seen in the directory before it is whole. Dropping a segmenter drops what is pending; segments that
//!   [`Segmenter::cut`] gave stay, and directories that it made go again if nothing was published into them.
//! - The same samples cut at the same places give the same bytes, however they were packed into packets, expected or
//!   reserved, and whichever worker wrote them.
//!
//! Parameter sets that change are refused in a track of `avc1` or `hvc1`; `avc3` and `hev1` keep them in the segments. Where
//! [`SegmenterConfig::on_change`] allows it, they start a new period instead, as a change of the pictures' size does in any track:
//! the packet is refused with [`ErrorKind::CutFirst`](crate::ErrorKind::CutFirst) until what is pending is cut, and then taken.

mod config;
mod description;
mod packets;
mod pending;
mod period;
mod reservation;
#[cfg(any(test, fuzzing))]
mod twin;

use std::num::NonZeroU32;

pub use config::{CodecConfig, Composition, SampleTiming, SegmenterConfig, VideoConfig};
pub use reservation::Reservation;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use twin::fuzz_calls;

use crate::error::{Error, Result};
use crate::fragment::Header;
use crate::io::input::FileId;
use crate::io::output_directory::OutputDirectory;
use crate::io::segment_file::publish_bytes;
use crate::io::streaming_file::{Expectation, StreamingFile};
use crate::presentation::{Media, OnChange, PackagedTrack, Segment, check_path};
use crate::scan::Dropped;
use crate::time::{DecodeTime, Ticks};
use crate::track::header::write_init_segment;
use crate::track::published::PublishedInit;

use description::Description;
use packets::{Packets, Parsed};
use pending::Pending;
use period::Periods;

/// Name of the init segment in the track's directory.
const INIT: &str = "init.mp4";

/// One track that is being written. See the [module](self).
#[derive(Debug)]
pub struct Segmenter {
    config: SegmenterConfig,
    /// Its samples are in the roll group of the init segment.
    in_roll_group: bool,
    published_init: Option<PublishedInit>,
    packets: Packets,
    /// As it was when the segment began that is being filled.
    packets_at_cut: Packets,
    /// Packets taken.
    packet_count: u64,
    /// What the last packet gave: memory that is used again.
    parsed: Parsed,
    pending: Pending,
    /// The segment that is being filled, from its first byte on.
    file: Option<StreamingFile>,
    /// The header of the segment: memory that is used again.
    header: Vec<u8>,
    /// What the init segment says that was written.
    description: Option<Description>,
    segments: Vec<Segment>,
    periods: Periods,
    /// A packet whose reservation is gone and that waits for a cut.
    refused: Option<Vec<u8>>,
    /// Of the next segment; `None` behind the last number there is.
    next_index: Option<NonZeroU32>,
    next_base: DecodeTime,
    /// Bytes of the last segments' payload, the older one first.
    last_payloads: [u64; 2],
    lead: Lead,
    effort: Effort,
    /// Dropped last: behind a file in it that is not published.
    output: OutputDirectory,
}

/// Bytes that stand in a sample in front of where they stood in the packet: 1 for a start code of three bytes, -2 for a
/// temporal delimiter that goes. A reservation is lent so much further on, and then the packet lies where it belongs.
#[derive(Clone, Copy, Debug, Default)]
struct Lead {
    /// Of most packets.
    expected: i64,
    /// Of the last one: a key frame with parameter sets is an exception, two of a kind are the rule.
    last: i64,
}

impl Lead {
    fn note(&mut self, lead: i64) {
        if lead == self.last {
            self.expected = lead;
        }
        self.last = lead;
    }
}

/// Where payload bytes went, from the start of the track. What the encoder writes into a reservation does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Bytes of samples placed, lengths included.
    pub payload_bytes: u64,
    /// Of those, bytes that [`Segmenter::push`] placed: copied once.
    pub copied_bytes: u64,
    /// Bytes that [`Reservation::commit`] had to move within the packet, or to write where the file is not mapped.
    pub moved_bytes: u64,
    /// Bytes that slid at a cut, because the header had another size than expected.
    pub slid_bytes: u64,
}

/// Where a packet's bytes are.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// In memory of the caller's.
    Pushed(&'a [u8]),
    /// In the first so many bytes of the reservation.
    Reserved(usize),
}

impl Segmenter {
    /// Starts a track, and makes its directory if it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) for settings that contradict each other: a timescale other than
    /// the sampling rate, a published init segment beside `write_init` or of another codec or timescale, a directory or a
    /// language that would need escaping; `Malformed` and the like for parameter sets that do not parse; `Io` if the directory cannot be made.
    pub fn new(config: SegmenterConfig) -> Result<Self> {
        check_path("the directory of a track", &config.directory)?;
        let audio = config.audio();
        if let Some(audio) = &audio
            && config.timescale.get() != audio.sample_rate
        {
            return Err(Error::conflict(
                format!("the timescale is {}, the sampling rate {}", config.timescale, audio.sample_rate),
                "give audio the timescale of its sampling rate",
            ));
        }
        if config.priming > 0 && !matches!(config.codec, CodecConfig::Aac(_)) {
            return Err(Error::conflict(
                format!("priming is {} for a track that is not AAC", config.priming),
                "give 0; other codecs tell their priming, or have none",
            ));
        }
        description::check_texts(&config)?;
        let published_init = config.published_init.as_deref().map(PublishedInit::read).transpose()?;
        if published_init.is_some() && config.write_init {
            return Err(Error::conflict(
                "a published init segment is given, and another is to be written",
                "give one or the other",
            ));
        }
        if config.on_change == OnChange::NewPeriod && !config.write_init {
            return Err(Error::conflict(
                "new periods are asked for, but not that the init segments be written that they start with",
                "set write_init, or keep parameter sets in band (avc3, hev1)",
            ));
        }
        let mut packets = Packets::new(&config.codec, config.drop_leading, published_init.as_ref())?;
        if config.on_change == OnChange::NewPeriod {
            packets.allow_periods();
        }
        if let Some(published) = &published_init {
            description::check_published(&config, &packets, published)?;
        }
        let output = OutputDirectory::create(&config.output, &config.directory)?;
        let (next_index, next_base) = (Some(config.first_segment_index), config.first_base_decode_time);
        Ok(Self {
            config,
            in_roll_group: audio.is_some_and(|audio| audio.roll_distance.is_some()),
            published_init,
            output,
            packets_at_cut: packets.clone(),
            packets,
            packet_count: 0,
            parsed: Parsed::default(),
            pending: Pending::default(),
            file: None,
            header: Vec::new(),
            description: None,
            segments: Vec::new(),
            periods: Periods::default(),
            refused: None,
            next_index,
            next_base,
            last_payloads: [0; 2],
            lead: Lead::default(),
            effort: Effort::default(),
        })
    }

    /// Takes a packet, and copies its payload to its place in the segment file. Gives the number of samples in it, which is
    /// 0 where it only holds what belongs to the next picture.
    ///
    /// H.264, H.265: Annex B, whole access units. AV1: a temporal unit, or several, each behind its delimiter. VP9: a frame
    /// or a superframe; what shows no frame waits for the next packet that does. With several, the
    /// duration is that of each. AAC: one raw access unit. The sync hint is about the first sample; of a packet without one,
    /// the timing is not looked at.
    ///
    /// # Errors
    /// With the number of the packet and the byte, counted from the first byte of the first packet (parameter sets known
    /// in advance count too, discarded packets do not): what breaks the codec's syntax or the rules of a track, a time that
    /// contradicts the bitstream or others, a wrong hint; `Io` if there is no room. The packet is not taken then, nor any of its bytes.
    pub fn push(&mut self, packet: &[u8], timing: SampleTiming) -> Result<usize> {
        self.take(Source::Pushed(packet), timing)
    }

    /// Lends `max` bytes, at the place in the segment file where the next packet belongs, for an encoder to write into. What
    /// they hold until then is left over from something else.
    ///
    /// # Errors
    /// `TooLarge` beyond the 4 GiB that a sample can have; `Io` if there is no room. Nothing has changed then.
    pub fn reserve(&mut self, max: usize) -> Result<Reservation<'_>> {
        let lead = self.lead.expected.saturating_add_unsigned(self.packets.held_len());
        self.open_file()?.reserve(lead, max)?;
        Ok(Reservation::new(self))
    }

    /// Publishes what is pending as a segment, behind the init segment if that is due; `None` where nothing is pending.
    ///
    /// The next segment starts with the next sample, which must be a sync sample by the time it is cut.
    ///
    /// # Errors
    /// When the first pending sample is no sync sample, when times contradict each other, when the configuration does not
    /// fit the published init segment; `Io` when the file cannot be published, also since there is one of its name. Nothing
    /// is published then, an init segment that was is removed again, and what is pending stays: the call may be made again,
    /// also after more packets.
    pub fn cut(&mut self) -> Result<Option<Segment>> {
        if self.pending.is_empty() {
            return Ok(None);
        }
        let number = self.next_index.ok_or_else(|| {
            Error::conflict(format!("the segment behind {} has no number", u32::MAX), "start another track")
        })?;
        let bias = self.pending.settle(self.next_base)?;
        let header = Header::new(number, self.next_base, self.pending.samples().iter().copied())?
            .in_roll_group(self.in_roll_group);
        self.header.clear();
        header.write(&mut self.header)?;
        let duration = header.duration();
        let next_base = header.base_decode_time().checked_add(duration).expect("Header::new looked at it");

        let init = self.publish_init_if_due()?;
        let file = self.file.as_mut().expect("pending samples lie in it");
        let published = match file.publish(&self.header, self.config.content_hash) {
            Ok(published) => published,
            Err(error) => {
                self.take_back(init);
                return Err(error);
            }
        };
        self.last_payloads = [self.last_payloads[1], file.payload_len()];
        self.effort.slid_bytes += published.slid;
        self.settle(init);
        let listed = Segment::new(number, published.bytes, duration, self.next_base);
        let segment = Segment {
            path: self.output.directory().path().join(&listed.uri),
            content_hash: published.hash,
            ..listed
        };
        self.segments.push(segment.clone());
        (self.next_index, self.next_base) = (number.checked_add(1), next_base);
        self.pending.published(bias);
        self.packets_at_cut = self.packets.clone();
        self.file = None;
        Ok(Some(segment))
    }

    /// Drops the packets that came since the last cut, and what waits for the next picture; gives the number of samples. The
    /// next sample stands in their place, with the number and the decode time that they would have had. Parameter sets that
    /// came with them are forgotten too, and what [`Self::dropped`] counted of them.
    pub fn discard_pending(&mut self) -> usize {
        let samples = self.pending.samples().len();
        self.pending.discard(!self.segments.is_empty());
        self.packets = self.packets_at_cut.clone();
        self.packets.discard_waiting();
        self.periods.discard();
        self.file = None;
        samples
    }

    /// Whether the first pending sample is a sync sample, as the first of a segment must be; `false` where none is pending.
    pub fn starts_with_sync(&self) -> bool {
        self.pending.starts_with_sync()
    }

    /// Duration of the samples that are not cut yet, in ticks of the timescale. It is kept, not added up.
    pub fn pending_duration(&self) -> Ticks {
        self.pending.duration()
    }

    /// The segments published so far, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What of the packets is not in samples, by kind; packets that were discarded do not count.
    pub fn dropped(&self) -> Dropped {
        self.packets.dropped()
    }

    /// Where payload bytes went so far.
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// Cuts what is pending, sees to the init segment if it is due, and ends the track.
    ///
    /// Whoever wants to try again after an error of the disk calls [`Segmenter::cut`] before: what it published stays,
    /// but a segmenter whose end fails is gone.
    ///
    /// # Errors
    /// When something waits for a picture that has not come; when no sample has come and the init segment is due but cannot
    /// be made, for want of parameter sets or a sequence header; those of [`Segmenter::cut`].
    pub fn finish(mut self) -> Result<PackagedTrack> {
        self.packets.check_nothing_waits()?;
        self.cut()?;
        let init = self.publish_init_if_due()?;
        self.settle(init);
        let last = match self.describe() {
            Ok(description) => Some(description),
            // Nothing has come, and nothing is owed.
            Err(_) if self.segments.is_empty() => None,
            Err(error) => return Err(error),
        };
        let (codec, media, entry) = match last.clone().map(|last| self.periods.first_of(last)) {
            Some(Description { entry, codec }) => (codec, Media::of(&entry), Some(entry)),
            None => {
                let (codec, media) = description::unknown(&self.config);
                (codec, media, None)
            }
        };
        let SegmenterConfig { directory, timescale, language, role, write_init, .. } = &self.config;
        let segments = std::mem::take(&mut self.segments);
        let track = PackagedTrack::new(directory, codec, media, *timescale, segments)?
            .with_init_path(self.output.directory().path().join(INIT))
            .with_language(language.clone())
            .with_role(role.clone());
        let mut track = entry.into_iter().fold(track, PackagedTrack::with_sample_entry);
        if let Some(last) = &last {
            track = self.periods.apply(track, last)?;
        }
        Ok(if *write_init { track } else { track.without_init() })
    }

    /// The one way of a packet, whether its bytes come or are there already.
    fn take(&mut self, source: Source<'_>, timing: SampleTiming) -> Result<usize> {
        let before = (self.packets.clone(), self.periods.is_starting());
        match self.take_packet(source, timing) {
            Ok(samples) => {
                self.packet_count += 1;
                Ok(samples)
            }
            Err(error) => {
                self.packets = before.0;
                if !before.1 {
                    self.periods.discard();
                }
                self.keep_refused(source, &error);
                Err(error.in_packet(self.packet_count + 1))
            }
        }
    }

    /// As [`Self::take`], but for the state of `packets` after an error.
    fn take_packet(&mut self, source: Source<'_>, timing: SampleTiming) -> Result<usize> {
        let held = self.packets.held_len();
        self.read_packet(source)?;
        description::check_pictures(&self.config.codec, &self.packets)?;
        self.pending.check(&self.parsed, timing)?;
        let bytes = self.parsed.list.len();
        match source {
            // What is dropped or held back needs no place.
            _ if bytes == 0 => {}
            Source::Pushed(packet) => {
                let parsed = std::mem::take(&mut self.parsed);
                let appended = self.open_file().and_then(|file| file.append(&parsed.list, packet));
                self.parsed = parsed;
                appended?;
                self.effort.copied_bytes += bytes;
            }
            Source::Reserved(used) => {
                let file = self.file.as_mut().expect("the reservation is in it");
                self.effort.moved_bytes += file.commit(&self.parsed.list, used)?;
                if let Some(lead) = self.parsed.lead() {
                    self.lead.note(lead.saturating_sub_unsigned(held));
                }
            }
        }
        self.effort.payload_bytes += bytes;
        self.pending.add(&self.parsed, timing);
        Ok(self.parsed.samples.len())
    }

    /// The segment that is being filled, which is made if there is none.
    fn open_file(&mut self) -> Result<&mut StreamingFile> {
        if self.file.is_none() {
            let name = Segment::file_name(self.next_index.unwrap_or(NonZeroU32::MAX));
            let directory = self.output.directory().clone();
            self.file =
                Some(StreamingFile::create(directory, name, self.expectation(), self.config.buffered)?);
        }
        Ok(self.file.as_mut().expect("made if there was none"))
    }

    /// What the next segment is going to be like: as the last ones, or as the caller said.
    fn expectation(&self) -> Expectation {
        if self.segments.is_empty() {
            let header = self.packets.usual_header_len(self.config.expected_samples);
            return Expectation { header, payload: self.config.expected_bytes };
        }
        let [older, last] = self.last_payloads;
        Expectation { header: self.header.len() as u64, payload: older.max(last) }
    }

    /// The track as far as it is known: what the first cut settled, and what may still show behind it.
    fn describe(&self) -> Result<Description> {
        let now = Description::new(&self.config, &self.packets);
        // Of a period that begins only its own packets tell.
        match (self.description.as_ref().filter(|_| !self.periods.is_starting()), now) {
            (Some(settled), Ok(now)) => Ok(settled.clone().brought_up_to(now)),
            (Some(settled), Err(_)) => Ok(settled.clone()),
            (None, now) => now,
        }
    }

    /// Publishes the init segment unless that is done, or another worker's task; gives what it published.
    fn publish_init_if_due(&mut self) -> Result<Option<NewInit>> {
        if let Some(published) = &self.published_init
            && !self.pending.is_empty()
        {
            published.check(&self.describe()?.entry, self.config.timescale)?;
        }
        if !self.config.write_init || (self.description.is_some() && !self.periods.is_starting()) {
            return Ok(None);
        }
        let description = self.describe()?;
        let init = write_init_segment(&description.header(&self.config))?;
        let name = self.periods.init_name();
        let published = publish_bytes(self.output.directory(), &name, &init)?;
        Ok(Some(NewInit { id: published.id, name, description }))
    }

    /// Removes the init segment again that a cut published before it failed.
    fn take_back(&mut self, init: Option<NewInit>) {
        // Where it cannot be removed it stays: the next cut must not meet it as another's.
        let stays = |init: &NewInit| self.output.remove_published(&init.name, init.id).is_err();
        // That of a period is refused by the next cut: what is pending may be discarded, and the period with it.
        let init = init.filter(stays).filter(|_| !self.periods.is_starting());
        self.settle(init);
    }

    /// The init segment is there to stay, and the track as it describes it.
    fn settle(&mut self, init: Option<NewInit>) {
        if let Some(NewInit { description, .. }) = init {
            self.packets.close_configuration();
            self.periods.start(self.segments.len());
            self.description = Some(description);
        }
    }
}

/// An init segment that was published and may be taken back.
struct NewInit {
    id: FileId,
    name: String,
    description: Description,
}

/// The first `used` bytes of what is lent.
fn reserved_packet(file: Option<&StreamingFile>, used: usize) -> Result<&[u8]> {
    let reserved = file.map_or(&[][..], StreamingFile::reserved);
    reserved.get(..used).ok_or_else(|| {
        Error::conflict(
            format!("{used} bytes of a reservation of {} are committed", reserved.len()),
            "reserve as much as the packet can have",
        )
    })
}
