//! Samples of H.264 and H.265: NAL units behind their lengths (ISO/IEC 14496-15), one access unit a sample.

use super::{
    Look, NAL_LENGTHS, Placed, SAMPLE_IN_BAND, SAMPLE_ORDER, SAMPLE_PARAMETER_SETS, SAMPLE_PICTURE,
    SAMPLE_SYNC, Stop,
};
use crate::codec::parameter_sets::{MAX_SET_LEN, trim_zeros};
use crate::codec::record::ConfigurationRecord;
use crate::codec::sei;
use crate::codec::{ParameterSetPlacement, ParameterSetStore, PictureOrder};
use crate::error::ErrorKind;
use crate::scan::access_units::{NalCodec, Role, Slice};

/// Bytes of a NAL unit that are read first: more than most slice headers have.
const HEAD: u32 = 256;
/// The most that a slice header is looked for in.
const LONG_HEAD: u32 = 64 << 10;
/// With so many samples whose lengths lead out of them nothing in the segment makes sense.
const MOST_MISLED: u32 = 4;
/// `payloadType` of a recovery point SEI message (H.264 D.1.1, H.265 D.2.1).
const RECOVERY_POINT: u32 = 6;

/// Whether a NAL unit of H.265 is of an IDR picture: of other IRAP pictures RASL pictures may follow.
pub(super) fn is_idr_of_h265(nal: &[u8]) -> bool {
    nal.first().is_some_and(|first| matches!(first >> 1 & 0x3f, 19 | 20))
}

/// Looks into each sample. `in_band`: parameter sets may stand in samples. `is_sync` tells by a NAL unit of a picture which
/// decoding can start at whether that has to be a sync sample.
pub(super) fn check<C: NalCodec>(
    record: &impl ConfigurationRecord,
    in_band: bool,
    is_sync: fn(&[u8]) -> bool,
    look: &mut Look<'_>,
) -> Option<&'static str> {
    let known: Vec<_> = record.parameter_sets().into_iter().map(|(_, set)| set).collect();
    let mut sets = C::Sets::new(ParameterSetPlacement::InBand);
    if known.iter().any(|set| sets.insert(set, 0).is_err()) {
        return Some("samples were not looked into whose parameter sets cannot be read");
    }
    let mut pictures = Pictures::<C> {
        length_size: record.length_size(),
        known,
        in_band,
        is_sync,
        sets,
        counter: C::Counter::default(),
        epoch: 0,
        order_known: true,
        shown: Vec::with_capacity(look.segment.samples.len()),
        misled: 0,
        head: Vec::new(),
    };
    let samples = look.samples();
    for placed in &samples {
        if pictures.sample(placed, look).is_err() {
            return None;
        }
    }
    if samples.len() == look.segment.samples.len() {
        pictures.check_order(look);
    }
    None
}

/// The pictures of a segment, one sample after the other.
struct Pictures<'a, C: NalCodec> {
    length_size: u8,
    /// The sets of the sample entry.
    known: Vec<&'a [u8]>,
    in_band: bool,
    is_sync: fn(&[u8]) -> bool,
    sets: C::Sets,
    counter: C::Counter,
    epoch: u64,
    /// Where every picture so far stands in order is known.
    order_known: bool,
    shown: Vec<Shown>,
    /// Samples whose lengths lead out of them.
    misled: u32,
    /// First bytes of the NAL unit that is looked at.
    head: Vec<u8>,
}

/// Where a picture stands by its order count, and by its time.
struct Shown {
    order: (u64, i32),
    composition_time: i128,
    index: usize,
    offset: u64,
}

/// What a sample turned out to hold.
struct Seen<S> {
    picture: Option<Picture<S>>,
    /// A recovery point stands in front of the picture.
    recovery_point: bool,
    /// Something could not be read, which was told: what lacks may be that.
    broken: bool,
}

/// A picture, or the fields of one.
struct Picture<S> {
    first: S,
    second: Option<S>,
    order: Option<PictureOrder>,
    intra: bool,
    /// It has to be a sync sample if decoding can start at it.
    is_sync: bool,
}

impl<C: NalCodec> Pictures<'_, C> {
    fn sample(&mut self, placed: &Placed, look: &mut Look<'_>) -> Result<(), Stop> {
        let (mut at, end) = (placed.place.start, placed.place.end);
        let mut seen = Seen { picture: None, recovery_point: false, broken: false };
        let prefix = u64::from(self.length_size);
        while at < end {
            let len = match prefix.min(end - at) {
                left if left < prefix => None,
                _ => {
                    look.read(at, usize::from(self.length_size), &mut self.head)?;
                    Some(self.head.iter().fold(0_u32, |len, &byte| len << 8 | u32::from(byte)))
                }
            };
            let next = len.map(|len| at + prefix + u64::from(len));
            let Some((len, next)) = len.zip(next).filter(|&(len, next)| len > 0 && next <= end) else {
                self.lengths(placed, at, len, look)?;
                seen.broken = true;
                break;
            };
            self.unit(at + prefix, len, placed.index, &mut seen, look)?;
            at = next;
        }
        self.judge(placed, &seen, look);
        Ok(())
    }

    /// A length that leads out of the sample.
    fn lengths(
        &mut self,
        placed: &Placed,
        at: u64,
        len: Option<u32>,
        look: &mut Look<'_>,
    ) -> Result<(), Stop> {
        let left = placed.place.end - at;
        let mut message = match len {
            None => format!("{left} bytes are left of sample {}, too few for a length", placed.index),
            Some(len) => {
                format!("a NAL unit of sample {} has length {len}, and {left} bytes are left", placed.index)
            }
        };
        let start = placed.sample.size.min(4) as usize;
        look.read(placed.place.start, start, &mut self.head)?;
        // A length of 1 is too short for a unit, one of 256 to 511 bytes may be right.
        let is_first = at == placed.place.start;
        if self.head.starts_with(&[0, 0, 0, 1]) || (is_first && self.head.starts_with(&[0, 0, 1])) {
            message.push_str("; the sample starts with a start code, where a length belongs");
        }
        look.add(&NAL_LENGTHS, at, message);
        self.misled += 1;
        if self.misled < MOST_MISLED { Ok(()) } else { Err(Stop) }
    }

    /// A NAL unit of `len` bytes at `offset`.
    fn unit(
        &mut self,
        offset: u64,
        len: u32,
        index: usize,
        seen: &mut Seen<C::Slice>,
        look: &mut Look<'_>,
    ) -> Result<(), Stop> {
        look.read(offset, len.min(HEAD) as usize, &mut self.head)?;
        let role = match C::role(&self.head) {
            Ok(role) => role,
            Err(error) => {
                seen.broken = true;
                return look.fault(&error, offset);
            }
        };
        match role {
            Role::Slice => self.slice(offset, len, index, seen, look)?,
            Role::ParameterSet | Role::PictureParameterSet => {
                if len as usize > MAX_SET_LEN {
                    return Err(Stop);
                }
                look.read(offset, len as usize, &mut self.head)?;
                let set = trim_zeros(&self.head);
                if !self.in_band && !self.known.contains(&set) {
                    let message =
                        format!("sample {index} brings a parameter set that the init segment does not have");
                    look.add(&SAMPLE_IN_BAND, offset, message);
                }
                if !self.sets.is_repetition(&self.head)
                    && let Err(error) = self.sets.insert(&self.head, offset)
                {
                    seen.broken = true;
                    look.fault(&error, offset)?;
                }
            }
            Role::EndOfSequence { .. } | Role::EndOfStream { .. } => C::end_of_sequence(&mut self.counter),
            Role::Sei if seen.picture.is_none() => {
                let mut messages = sei::messages(&self.head, C::HEADER_LEN).map_while(Result::ok);
                seen.recovery_point |= messages.any(|message| message.payload_type == RECOVERY_POINT);
            }
            _ => {}
        }
        Ok(())
    }

    /// A slice, whose first bytes are in `head`.
    fn slice(
        &mut self,
        offset: u64,
        len: u32,
        index: usize,
        seen: &mut Seen<C::Slice>,
        look: &mut Look<'_>,
    ) -> Result<(), Stop> {
        let Some(slice) = self.read_slice(offset, len, index, seen, look)? else { return Ok(()) };
        if slice.is_redundant() {
            return Ok(());
        }
        let Some(picture) = &mut seen.picture else {
            if !slice.starts_picture() {
                seen.broken = true;
                let message = format!("sample {index} starts within a picture: its first slice is not there");
                look.add(&SAMPLE_PICTURE, offset, message);
                return Ok(());
            }
            seen.picture = Some(Picture {
                first: slice,
                second: None,
                order: self.next_order(&slice),
                intra: slice.is_intra().unwrap_or(true),
                is_sync: (self.is_sync)(&self.head),
            });
            return Ok(());
        };
        let current = picture.second.unwrap_or(picture.first);
        if !slice.starts_new_picture(&current) {
            picture.intra &= slice.is_intra().unwrap_or(true);
            return Ok(());
        }
        let order = self.next_order(&slice);
        // Some writers join fields that the standard does not call a pair.
        if picture.second.is_none() && picture.first.is_field() && slice.is_field() {
            picture.second = Some(slice);
            picture.order = picture.order.zip(order).map(|(first, second)| PictureOrder {
                count: first.count.min(second.count),
                epoch_start: first.epoch_start,
            });
            return Ok(());
        }
        if !seen.broken {
            look.add(&SAMPLE_PICTURE, offset, format!("sample {index} holds more than one picture"));
        }
        seen.broken = true;
        Ok(())
    }

    /// Reads the header of a slice; `None` if that cannot be, which is noted.
    fn read_slice(
        &mut self,
        offset: u64,
        len: u32,
        index: usize,
        seen: &mut Seen<C::Slice>,
        look: &mut Look<'_>,
    ) -> Result<Option<C::Slice>, Stop> {
        let mut read = C::read_slice(&self.head, &self.sets);
        let is_cut = |error: &crate::Error| matches!(error.kind(), ErrorKind::Truncated { .. });
        if read.as_ref().is_err_and(is_cut) && len > HEAD {
            look.read(offset, len.min(LONG_HEAD) as usize, &mut self.head)?;
            read = C::read_slice(&self.head, &self.sets);
        }
        match read {
            Ok(slice) => Ok(Some(slice)),
            Err(error) => {
                seen.broken = true;
                self.order_known = false;
                self.unread_slice(&error, offset, index, look)?;
                Ok(None)
            }
        }
    }

    /// A slice that cannot be read: for want of its parameter sets, or else by its syntax.
    fn unread_slice(
        &mut self,
        error: &crate::Error,
        offset: u64,
        index: usize,
        look: &mut Look<'_>,
    ) -> Result<(), Stop> {
        let start = C::read_slice_without_parameter_sets(&self.head).ok();
        let Some(lacking) = start.map(|start| start.pps_id()).filter(|&id| !self.sets.has(id)) else {
            return look.fault(error, offset);
        };
        // Sets in band may have come with an earlier segment, if decoding does not start at this one.
        let starts = look.segment.samples.first().is_some_and(super::Sample::is_sync);
        if self.in_band && !starts {
            return Err(Stop);
        }
        let message = format!(
            "a slice of sample {index} refers to picture parameter set {lacking}, which has not come"
        );
        look.add(&SAMPLE_PARAMETER_SETS, offset, message);
        Ok(())
    }

    /// Where the picture or field that starts with `slice` stands; `None` if that cannot be told, of those behind it neither.
    fn next_order(&mut self, slice: &C::Slice) -> Option<PictureOrder> {
        let order = C::next_order(&mut self.counter, slice, &self.sets).ok();
        self.order_known &= order.is_some();
        order
    }

    /// What a sample holds, against its flags.
    fn judge(&mut self, placed: &Placed, seen: &Seen<C::Slice>, look: &mut Look<'_>) {
        let (index, offset) = (placed.index, placed.place.start);
        let Some(picture) = &seen.picture else {
            // Order counts go by those of the pictures in front.
            self.order_known = false;
            if !seen.broken {
                look.add(&SAMPLE_PICTURE, offset, format!("sample {index} has no picture"));
            }
            return;
        };
        if let Some(order) = picture.order {
            self.epoch += u64::from(order.epoch_start);
            let order = (self.epoch, order.count);
            self.shown.push(Shown { order, composition_time: placed.composition_time, index, offset });
        }
        let start = C::RULES.start;
        match (placed.sample.is_sync(), picture.first.is_random_access()) {
            (true, false) => {
                let message = format!("sample {index} is marked as a sync sample, and is not {start}");
                // Others mark recovery points: players may start there, though not by CMAF.
                let usual = seen.recovery_point || picture.intra;
                look.add_as(look.cmaf || !usual, &SAMPLE_SYNC, offset, message);
            }
            (false, true) if picture.is_sync => {
                let message = format!("sample {index} is {start}, and is not marked as a sync sample");
                look.add_as(look.cmaf, &SAMPLE_SYNC, offset, message);
            }
            _ => {}
        }
    }

    /// Whether composition times put the pictures in the order of their counts.
    fn check_order(&mut self, look: &mut Look<'_>) {
        if !self.order_known {
            return;
        }
        self.shown.sort_by_key(|shown| shown.order);
        let wrong = self.shown.windows(2).find(|pair| {
            pair[0].order < pair[1].order && pair[0].composition_time > pair[1].composition_time
        });
        if let Some([first, second]) = wrong {
            let message = format!(
                "by its order count the picture of sample {} is shown before that of sample {}; its composition time is {}, and \
                 {} of the other",
                first.index, second.index, first.composition_time, second.composition_time
            );
            look.add(&SAMPLE_ORDER, first.offset, message);
        }
    }
}
