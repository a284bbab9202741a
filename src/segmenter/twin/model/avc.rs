//! H.264 packets ► pictures, in the plainest way.

use crate::codec::h264::{
    NalHeader, NalUnitType, OrderCounter, ParameterSets, PictureParameterSet, SequenceParameterSet,
    SliceHeader,
};
use crate::codec::{ParameterSetPlacement, ParameterSetStore, PictureOrder};
use crate::error::ErrorKind;
use crate::scan::{Count, Dropped};
use crate::segmenter::VideoConfig;
use crate::track::SampleFlags;
use crate::track::header::SampleEntry;

use super::{Answer, Refusal};

/// A sample as a packet gives it.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) units: Vec<Vec<u8>>,
    pub(super) flags: SampleFlags,
    /// `None` where pictures are presented as they are decoded.
    pub(super) order: Option<PictureOrder>,
}

/// What an H.264 track remembers from packet to packet.
#[derive(Clone, Debug, Default)]
pub(super) struct Avc {
    placement: ParameterSetPlacement,
    drop_leading: bool,
    sets: ParameterSets,
    sets_seen: u64,
    counter: OrderCounter,
    seen_idr: bool,
    /// Units in front of the picture that is to come.
    held: Vec<Vec<u8>>,
    /// Something that belongs to the picture to come has come, whether samples carry it or not.
    waiting: bool,
    /// What comes now stands in front of the next picture, …
    in_front: bool,
    /// … and a delimiter or an end says so whatever slices say.
    boundary: bool,
    /// First slice of the last picture, for slices that come in a later packet than it.
    given: Option<SliceHeader>,
    /// That one was dropped, and so is what stands behind it.
    given_was_dropped: bool,
    /// Sets that hold now, each as it came.
    current: Vec<Vec<u8>>,
    /// Sets in the published sample entry.
    published: Option<Vec<Vec<u8>>>,
}

/// The picture that slices are being added to.
struct Open {
    first: SliceHeader,
    intra: bool,
    /// `None` for one that is dropped.
    order: Option<PictureOrder>,
    units: Vec<Vec<u8>>,
}

/// What a packet consists of (H.264 B.1).
#[derive(Default)]
struct Split {
    units: Vec<Vec<u8>>,
    /// Runs of zeros that belong to no unit and no start code, and their bytes.
    zeros: Count,
    /// What is wrong behind the units.
    refusal: Option<Refusal>,
}

fn split(packet: &[u8]) -> Split {
    let mut split = Split::default();
    let mut rest = packet;
    loop {
        let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
        rest = &rest[zeros..];
        let wrong = match rest.first() {
            None if packet.is_empty() => Some("is empty"),
            None if split.units.is_empty() => Some("start code"),
            None => {
                split.zeros.units += u64::from(zeros > 0);
                split.zeros.bytes += zeros as u64;
                return split;
            }
            Some(1) if zeros >= 2 => None,
            Some(_) => Some("start code"),
        };
        if let Some(words) = wrong {
            split.refusal = Some(Refusal::of(words));
            return split;
        }
        if zeros > 3 {
            split.zeros.add(zeros as u64 - 3);
        }
        rest = &rest[1..];
        let end = end_of_unit(rest);
        if end == 0 {
            split.refusal = Some(Refusal::of("no NAL unit follows"));
            return split;
        }
        split.units.push(rest[..end].to_vec());
        rest = &rest[end..];
    }
}

/// Where the unit at the start of `rest` ends: zeros up to the end, or zeros and a one, follow.
fn end_of_unit(rest: &[u8]) -> usize {
    (0..rest.len())
        .find(|&end| {
            let zeros = rest[end..].iter().take_while(|&&byte| byte == 0).count();
            end + zeros == rest.len() || (zeros >= 2 && rest[end + zeros] == 1)
        })
        .unwrap_or(rest.len())
}

impl Avc {
    pub(super) fn new(
        placement: ParameterSetPlacement,
        known: &[Vec<u8>],
        published_init: Option<&[u8]>,
        drop_leading: bool,
    ) -> Answer<Self> {
        let mut avc =
            Self { placement, drop_leading, sets: ParameterSets::new(placement), ..Self::default() };
        if let Some(init) = published_init {
            avc.published = Some(sets_of_init(init).ok_or_else(|| Refusal::of("init segment"))?);
        }
        for set in avc.published.clone().into_iter().flatten().chain(known.iter().cloned()) {
            avc.take_set(&set)?;
        }
        Ok(avc)
    }

    /// Pictures of one packet, behind units that join the last picture of an earlier one. What stands in front of pictures
    /// waits for the next.
    pub(super) fn packet(
        &mut self,
        packet: &[u8],
        dropped: &mut Dropped,
    ) -> Answer<(Vec<Vec<u8>>, Vec<Picture>)> {
        let Split { units, zeros, refusal } = split(packet);
        dropped.zero_bytes.units += zeros.units;
        dropped.zero_bytes.bytes += zeros.bytes;
        let mut pictures = Vec::new();
        let mut open: Option<Open> = None;
        let mut joined = Vec::new();
        for nal in units {
            let bytes = nal.len() as u64;
            match NalHeader::read(&nal)?.unit_type {
                NalUnitType::Slice | NalUnitType::IdrSlice | NalUnitType::PartitionA => {
                    let complete = self.slice(&mut open, nal)?;
                    pictures.extend(complete.and_then(|picture| close(picture, dropped)));
                }
                NalUnitType::PartitionBC => self.partition(&mut open, nal, dropped)?,
                NalUnitType::Sps | NalUnitType::Pps | NalUnitType::SpsExtension => {
                    self.take_set(&nal)?;
                    match self.placement {
                        ParameterSetPlacement::SampleEntry => dropped.parameter_sets.add(bytes),
                        ParameterSetPlacement::InBand => self.held.push(nal),
                    }
                    (self.waiting, self.in_front) = (true, true);
                }
                NalUnitType::AccessUnitDelimiter => {
                    dropped.access_unit_delimiters.add(bytes);
                    (self.waiting, self.in_front, self.boundary) = (true, true, true);
                }
                NalUnitType::EndOfSequence => {
                    dropped.ends_of_sequence.add(bytes);
                    (self.in_front, self.boundary) = (true, true);
                }
                NalUnitType::EndOfStream => {
                    dropped.ends_of_stream.add(bytes);
                    (self.in_front, self.boundary) = (true, true);
                }
                NalUnitType::Filler => dropped.filler.add(bytes),
                NalUnitType::Sei | NalUnitType::Leading(_) => {
                    self.held.push(nal);
                    (self.waiting, self.in_front) = (true, true);
                }
                NalUnitType::Trailing(_) => match &mut open {
                    Some(picture) if !self.in_front => picture.units.push(nal),
                    None if !self.in_front && self.given.is_some() && self.given_was_dropped => {
                        dropped.leading_pictures.bytes += bytes;
                    }
                    None if !self.in_front && self.given.is_some() => joined.push(nal),
                    _ => self.held.push(nal),
                },
            }
        }
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        if let Some(picture) = open {
            self.given = Some(picture.first);
            self.given_was_dropped = picture.order.is_none();
            pictures.extend(close(picture, dropped));
        }
        Ok((joined, pictures))
    }

    /// Adds a slice to the picture that is open, or opens another; gives the one that is complete then.
    fn slice(&mut self, open: &mut Option<Open>, nal: Vec<u8>) -> Answer<Option<Open>> {
        let header = self.read_slice(&nal)?;
        let redundant = header.redundant_pic_cnt > 0;
        let boundary = self.boundary;
        let joins = |first: &SliceHeader| !boundary && (redundant || !header.starts_new_picture(first));
        let mut complete = None;
        match open {
            Some(picture) if joins(&picture.first) => {
                if !redundant {
                    if header.resets_order != picture.first.resets_order {
                        return Err(Refusal::of("memory_management_control_operation 5"));
                    }
                    picture.intra &= header.start.slice_type.is_intra();
                }
                picture.units.append(&mut self.held);
                picture.units.push(nal);
            }
            _ if redundant => return Err(Refusal::of("without its primary")),
            None if self.given.as_ref().is_some_and(joins) => {
                return Err(Refusal::of("an earlier packet began"));
            }
            _ => {
                complete = open.take();
                *open = Some(self.open(header, nal)?);
            }
        }
        (self.waiting, self.in_front, self.boundary) = (false, false, false);
        Ok(complete)
    }

    /// Adds the rest of a slice to the picture that is open.
    fn partition(&mut self, open: &mut Option<Open>, nal: Vec<u8>, dropped: &mut Dropped) -> Answer<()> {
        match open {
            Some(picture) if !self.boundary => {
                picture.units.append(&mut self.held);
                picture.units.push(nal);
                (self.waiting, self.in_front) = (false, false);
            }
            _ if self.drop_leading && !self.seen_idr => {
                dropped.leading_pictures.bytes += nal.len() as u64;
            }
            _ => return Err(Refusal::of("without its partition A")),
        }
        Ok(())
    }

    /// Drops what waits for a picture.
    pub(super) fn discard_waiting(&mut self) {
        self.held.clear();
        self.waiting = false;
    }

    fn read_slice(&self, nal: &[u8]) -> Answer<SliceHeader> {
        if self.seen_idr {
            return Ok(SliceHeader::read(nal, &self.sets)?);
        }
        let start = SliceHeader::read_without_parameter_sets(nal)?;
        if start.idr || (self.drop_leading && self.sets.for_slice(start.start.pps_id).is_ok()) {
            return Ok(SliceHeader::read(nal, &self.sets)?);
        }
        if self.drop_leading { Ok(start) } else { Err(Refusal::of("does not start with an IDR picture")) }
    }

    fn open(&mut self, header: SliceHeader, nal: Vec<u8>) -> Answer<Open> {
        let mut order = None;
        if header.idr || self.seen_idr {
            let (_, sps) = self.sets.for_slice(header.start.pps_id)?;
            order = Some(self.counter.next(&header, sps)?);
            let activated = self.sets.activate(header.start.pps_id, header.idr, 0);
            activated.map_err(|error| match error.kind() {
                // Places are the segmenter's.
                ErrorKind::PictureFormatChanged { what, .. } => Refusal::of(what.to_string()),
                _ => error.into(),
            })?;
        }
        self.seen_idr |= header.idr;
        let mut units = std::mem::take(&mut self.held);
        if header.idr && self.placement == ParameterSetPlacement::InBand {
            units = self.with_all_sets(units);
        }
        units.push(nal);
        Ok(Open { first: header, intra: header.start.slice_type.is_intra(), order, units })
    }

    fn take_set(&mut self, nal: &[u8]) -> Answer<()> {
        // Places tell sets of one id apart that came one after the other.
        self.sets_seen += 1;
        self.sets.insert(nal, self.sets_seen).map_err(|error| match error.kind() {
            ErrorKind::ParameterSetChanged { .. } => Refusal::of("differs from the one with the same id"),
            _ => error.into(),
        })?;
        if self.placement == ParameterSetPlacement::SampleEntry
            && self.published.as_ref().is_some_and(|sets| !sets.iter().any(|set| set == nal))
        {
            return Err(Refusal::of("parameter set"));
        }
        self.current.retain(|set| key(set) != key(nal));
        self.current.push(nal.to_vec());
        Ok(())
    }

    /// `front`, which stands in front of an IDR picture, with every set that holds: sequence parameter sets that it lacks
    /// first; then what it has up to its last sequence parameter set; picture parameter sets that it lacks, or has ahead
    /// of their sequence parameter set; the rest.
    fn with_all_sets(&self, front: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut current: Vec<&Vec<u8>> = self.current.iter().collect();
        current.sort_by_key(|set| key(set));
        let last = |wanted: (u8, u32)| front.iter().rposition(|unit| key(unit) == wanted);
        let is_sps = |unit: &[u8]| key(unit).0 == 7;
        let behind_sps = front.iter().rposition(|unit| is_sps(unit)).map_or(0, |at| at + 1);
        let lacks = |set: &[u8]| match (last(key(set)), pps_owner(set).and_then(last)) {
            (None, _) => true,
            (Some(own), Some(owner)) => own < owner,
            (Some(_), None) => false,
        };
        let missing = |sps: bool| {
            current
                .iter()
                .filter(move |set| is_sps(set) == sps)
                .filter(|set| lacks(set))
                .map(|&set| set.clone())
        };
        let (head, tail) = front.split_at(behind_sps);
        let pps = missing(false);
        missing(true).chain(head.iter().cloned()).chain(pps).chain(tail.iter().cloned()).collect()
    }

    pub(super) fn sample_entry(&self, video: &VideoConfig) -> Answer<SampleEntry> {
        let configuration = self.sets.configuration()?;
        let said = configuration.bitstream_rate().ok().flatten().map(|said| said.rate);
        Ok(SampleEntry::Avc {
            parameter_sets: configuration.placement(),
            format: super::with_settings(configuration.video_format(), video),
            frame_rate: video.frame_rate.or(said),
            scan: configuration.scan(),
            configuration_record: configuration.record(),
        })
    }

    /// Of the pictures after cropping, once one has come.
    pub(super) fn picture_size(&self) -> Option<(u16, u16)> {
        self.sets.picture_size()
    }

    /// The init segment is published with all sets that are known.
    pub(super) fn publish(&mut self) {
        if self.published.is_none() {
            self.published = Some(self.current.clone());
        }
    }

    pub(super) fn waits_for_a_picture(&self) -> bool {
        self.waiting || !self.held.is_empty()
    }
}

fn close(picture: Open, dropped: &mut Dropped) -> Option<Picture> {
    let Some(order) = picture.order else {
        dropped.leading_pictures.add(picture.units.iter().map(|unit| unit.len() as u64).sum());
        return None;
    };
    let flags = match (picture.first.idr, picture.intra) {
        (true, _) => SampleFlags::SYNC,
        (false, true) => SampleFlags::INTRA,
        (false, false) => SampleFlags::INTER,
    };
    let flags = if picture.first.reference { flags } else { flags.disposable() };
    Some(Picture { units: picture.units, flags, order: Some(order) })
}

/// Kind and id of a parameter set; something that no set has for other units.
fn key(nal: &[u8]) -> (u8, u32) {
    match nal[0] & 0x1f {
        7 => (7, SequenceParameterSet::read(nal).map_or(u32::MAX, |set| u32::from(set.id))),
        8 => (8, PictureParameterSet::read(nal).map_or(u32::MAX, |set| u32::from(set.id))),
        _ => (0, 0),
    }
}

/// The key of the sequence parameter set that a picture parameter set refers to.
fn pps_owner(nal: &[u8]) -> Option<(u8, u32)> {
    if nal[0] & 0x1f != 8 {
        return None;
    }
    PictureParameterSet::read(nal).ok().map(|set| (7, u32::from(set.sps_id)))
}

/// The parameter sets in the `avcC` of an init segment.
pub(super) fn sets_of_init(init: &[u8]) -> Option<Vec<Vec<u8>>> {
    let at = init.windows(4).position(|name| name == b"avcC")?;
    let mut rest = init.get(at + 4 + 5..)?;
    let mut sets = Vec::new();
    for mask in [0x1f, 0xff] {
        let (&count, behind) = rest.split_first()?;
        rest = behind;
        for _ in 0..count & mask {
            let len = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
            sets.push(rest.get(2..2 + len)?.to_vec());
            rest = &rest[2 + len..];
        }
    }
    Some(sets)
}
