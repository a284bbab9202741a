//! E-AC-3 (ETSI TS 102 366 annex E): the header of a syncframe, with the extension for objects of ETSI TS 103 420 8.3, and what the
//! headers of an access unit say together ► `EC3SpecificBox` (annex F), codec string, channels and sampling rate.
//!
//! Neither text was opened: clauses and syntax are as FFmpeg, L-SMASH, Shaka Packager and GPAC have them.

use std::fmt;

use super::ac3::{BLOCKS, SAMPLE_RATES, StreamType, Syncframe, channel_count, channel_map};
use super::{AudioCodec, AudioConfiguration, DolbyChannels};
use crate::bits::BitReader;
use crate::error::{Error, Result};

const CLAUSE: &str = "ETSI TS 102 366 E.1.2.2";
const BOX_CLAUSE: &str = "ETSI TS 102 366 F.6";

/// Most independent substreams, and most dependent ones of each: what three bits number.
pub(crate) const MAX_SUBSTREAMS: usize = 8;

/// By `numblkscod`.
const BLOCKS_BY_CODE: [u8; 4] = [1, 2, 3, BLOCKS];

/// `bsi` (E.1.2.2, Table E.1.2) of the syncframe of `size` bytes that `bytes` begin.
pub(super) fn read_syncframe(bytes: &[u8], size: u16) -> Result<Syncframe> {
    let mut r = BitReader::without_emulation_prevention(bytes, CLAUSE);
    r.u(16, "syncword")?;
    let strmtyp = r.u(2, "strmtyp")?;
    let substream_id = r.u(3, "substreamid")? as u8;
    r.u(11, "frmsiz")?;
    let fscod = r.u(2, "fscod")? as u8;
    // numblkscod, or fscod2 of half the rate, which has six blocks.
    let code = r.u(2, "numblkscod")? as usize;
    let (sample_rate, numblkscod) = match SAMPLE_RATES.get(usize::from(fscod)) {
        Some(&rate) => (rate, code),
        None => match SAMPLE_RATES.get(code) {
            Some(rate) => (rate / 2, 3),
            None => return Err(Error::out_of_range("fscod2", 3, "0..=2", "ETSI TS 102 366 E.1.3.1.4").at(4)),
        },
    };
    let acmod = r.u(3, "acmod")? as u8;
    let lfeon = r.flag("lfeon")?;
    let bsid = r.u(5, "bsid")? as u8;
    for _ in 0..if acmod == 0 { 2 } else { 1 } {
        r.u(5, "dialnorm")?;
        optional(&mut r, 8, "compr")?;
    }
    let stream_type = match strmtyp {
        0 | 2 => StreamType::Independent,
        1 => StreamType::Dependent,
        _ => return Err(Error::out_of_range("strmtyp", 3, "0..=2", "ETSI TS 102 366 E.1.3.1.1").at(2)),
    };
    let mut map = channel_map(acmod, lfeon);
    if stream_type == StreamType::Dependent && r.flag("chanmape")? {
        map = r.u(16, "chanmap")? as u16;
    }
    if r.flag("mixmdate")? {
        skip_mixing_metadata(&mut r, strmtyp, acmod, lfeon, numblkscod)?;
    }
    let bsmod = if r.flag("infomdate")? { Some(read_bsmod(&mut r, acmod, fscod)?) } else { None };
    if strmtyp == 0 && numblkscod != 3 {
        r.flag("convsync")?;
    }
    if strmtyp == 2 && (numblkscod == 3 || r.flag("blkid")?) {
        r.u(6, "frmsizecod")?;
    }
    let joc_complexity = read_joc_complexity(&mut r)?;
    Ok(Syncframe {
        stream_type,
        substream_id,
        size,
        fscod,
        sample_rate,
        blocks: BLOCKS_BY_CODE[numblkscod],
        bsid,
        bsmod,
        acmod,
        lfeon,
        bit_rate_code: None,
        channel_map: map,
        joc_complexity,
    })
}

/// A flag, and behind it, if it is set, an element of so many bits.
fn optional(r: &mut BitReader<'_>, bits: u8, element: &'static str) -> Result<()> {
    if r.flag(element)? {
        r.u(bits, element)?;
    }
    Ok(())
}

/// What stands behind `mixmdate`.
fn skip_mixing_metadata(
    r: &mut BitReader<'_>,
    strmtyp: u32,
    acmod: u8,
    lfeon: bool,
    numblkscod: usize,
) -> Result<()> {
    if acmod > 2 {
        r.u(2, "dmixmod")?;
    }
    if acmod & 1 == 1 && acmod > 2 {
        r.u(6, "ltrtcmixlev and lorocmixlev")?;
    }
    if acmod & 4 != 0 {
        r.u(6, "ltrtsurmixlev and lorosurmixlev")?;
    }
    if lfeon {
        optional(r, 5, "lfemixlevcod")?;
    }
    if strmtyp != 0 {
        return Ok(());
    }
    optional(r, 6, "pgmscl")?;
    if acmod == 0 {
        optional(r, 6, "pgmscl2")?;
    }
    optional(r, 6, "extpgmscl")?;
    match r.u(2, "mixdef")? {
        0 => {}
        1 => r.u(5, "premixcmpsel, drcsrc, premixcmpscl").map(drop)?,
        2 => r.u(12, "mixdata").map(drop)?,
        _ => {
            let mixdeflen = r.u(5, "mixdeflen")?;
            for _ in 0..mixdeflen + 2 {
                r.u(8, "mixdata")?;
            }
        }
    }
    if acmod < 2 {
        optional(r, 14, "panmean and paninfo")?;
        if acmod == 0 {
            optional(r, 14, "panmean2 and paninfo2")?;
        }
    }
    if r.flag("frmmixcfginfoe")? {
        match BLOCKS_BY_CODE[numblkscod] {
            1 => r.u(5, "blkmixcfginfo").map(drop)?,
            blocks => (0..blocks).try_for_each(|_| optional(r, 5, "blkmixcfginfo"))?,
        }
    }
    Ok(())
}

/// `bsmod`, and what else stands behind `infomdate`.
fn read_bsmod(r: &mut BitReader<'_>, acmod: u8, fscod: u8) -> Result<u8> {
    let bsmod = r.u(3, "bsmod")? as u8;
    r.u(2, "copyrightb and origbs")?;
    if acmod == 2 {
        r.u(4, "dsurmod and dheadphonmod")?;
    }
    if acmod >= 6 {
        r.u(2, "dsurexmod")?;
    }
    optional(r, 8, "mixlevel, roomtyp, adconvtyp")?;
    if acmod == 0 {
        optional(r, 8, "mixlevel2, roomtyp2, adconvtyp2")?;
    }
    if fscod < 3 {
        r.flag("sourcefscod")?;
    }
    Ok(bsmod)
}

/// `addbsi`, where it is the one of ETSI TS 103 420 8.3: seven reserved bits, `flag_ec3_extension_type_a`,
/// `complexity_index_type_a`.
fn read_joc_complexity(r: &mut BitReader<'_>) -> Result<Option<u8>> {
    if !r.flag("addbsie")? {
        return Ok(None);
    }
    let addbsil = r.u(6, "addbsil")?;
    let first = r.u(8, "addbsi")?;
    let mut complexity = None;
    for index in 0..addbsil {
        let byte = r.u(8, "addbsi")? as u8;
        if index == 0 && first & 1 == 1 {
            complexity = Some(byte);
        }
    }
    Ok(complexity)
}

/// An independent substream with its dependent ones: a programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IndependentSubstream {
    /// `fscod`, 0..=3: 3 where the rate is half of one of the others.
    pub fscod: u8,
    /// Samples per second.
    pub sample_rate: u32,
    /// `bsid`: 11..=16, or 0..=8 where it is AC-3.
    pub bsid: u8,
    /// `bsmod`, 0..=7: the kind of service; `None` where the stream does not tell, which means 0.
    pub bsmod: Option<u8>,
    /// `acmod`, 0..=7.
    pub acmod: u8,
    /// `lfeon`.
    pub lfeon: bool,
    /// Number of dependent substreams, 0..=8.
    pub dependents: u8,
    /// Locations of all their channels, as [`DolbyChannels::channel_map`] has them; 0 without any.
    pub dependent_map: u16,
}

impl IndependentSubstream {
    /// What its syncframe says, without dependent substreams.
    pub fn of(frame: &Syncframe) -> Self {
        let Syncframe { fscod, sample_rate, bsid, bsmod, acmod, lfeon, .. } = *frame;
        Self { fscod, sample_rate, bsid, bsmod, acmod, lfeon, dependents: 0, dependent_map: 0 }
    }

    /// Locations of all channels. What a dependent substream has replaces what the independent one has there.
    pub fn channel_map(&self) -> u16 {
        channel_map(self.acmod, self.lfeon) | self.dependent_map
    }

    /// `asvc`: whether `bsmod` says an associated service (Table 4.2). 7 is karaoke, unless there is one channel.
    fn is_associated(&self) -> bool {
        match self.bsmod.unwrap_or(0) {
            0 | 1 => false,
            7 => self.acmod == 1,
            _ => true,
        }
    }

    /// `chan_loc` (F.6.2.13, Table F.6.1): from the least significant bit on Lc/Rc, Lrs/Rrs, Cs, Ts, Lsd/Rsd, Lw/Rw, Lvh/Rvh, Cvh,
    /// LFE2: the order of `chanmap` the other way round, without Lts/Rts, which it has no bit for.
    fn chan_loc(&self) -> u16 {
        const LOCATIONS: [u16; 9] = [0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010, 0x0008, 0x0002];
        let bits = LOCATIONS.iter().enumerate().filter(|(_, location)| self.dependent_map & *location != 0);
        bits.fold(0, |bits, (bit, _)| bits | 1 << bit)
    }

    /// Whether it also describes what has `other`, whose frames may be silent about `bsmod`.
    fn describes(&self, other: &Self) -> bool {
        let tells_same = other.bsmod.is_none_or(|bsmod| bsmod == self.bsmod.unwrap_or(0));
        tells_same && *self == Self { bsmod: self.bsmod, ..*other }
    }

    fn check(&self) -> Result<()> {
        for (element, value, max, allowed) in [
            ("fscod", self.fscod, 3, "0..=3"),
            ("bsid", self.bsid, 16, "0..=16"),
            ("bsmod", self.bsmod.unwrap_or(0), 7, "0..=7"),
            ("acmod", self.acmod, 7, "0..=7"),
            ("num_dep_sub", self.dependents, MAX_SUBSTREAMS as u8, "0..=8"),
        ] {
            if value > max {
                return Err(Error::out_of_range(element, value, allowed, BOX_CLAUSE));
            }
        }
        Ok(())
    }
}

/// What a decoder of E-AC-3 has to know before the first access unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Eac3Config {
    data_rate: u16,
    substreams: Vec<IndependentSubstream>,
    joc_complexity: Option<u8>,
}

impl Eac3Config {
    /// What the independent `substreams`, by `substreamid`, say of a stream of `data_rate` kbit/s at most, all substreams together:
    /// up to 8191. `joc_complexity` is the highest `complexity_index_type_a`; `None` without objects.
    ///
    /// # Errors
    /// For no or more than eight substreams, sampling rates that differ, and values beyond their ranges.
    pub fn new(
        data_rate: u16,
        substreams: Vec<IndependentSubstream>,
        joc_complexity: Option<u8>,
    ) -> Result<Self> {
        if substreams.is_empty() || substreams.len() > MAX_SUBSTREAMS {
            return Err(Error::out_of_range(
                "num_ind_sub plus 1",
                substreams.len() as u64,
                "1..=8",
                BOX_CLAUSE,
            ));
        }
        if data_rate > 0x1fff {
            return Err(Error::out_of_range("data_rate", data_rate, "0..=8191", BOX_CLAUSE));
        }
        substreams.iter().try_for_each(IndependentSubstream::check)?;
        let rate = substreams[0].sample_rate;
        if let Some(other) = substreams.iter().find(|other| other.sample_rate != rate) {
            return Err(Error::unsupported(
                format!("substreams of {rate} and {} Hz in one stream", other.sample_rate),
                "encode the audio again with one sampling rate",
            ));
        }
        Ok(Self { data_rate, substreams, joc_complexity })
    }

    /// Samples per second and channel.
    pub fn sample_rate(&self) -> u32 {
        self.substreams[0].sample_rate
    }

    /// Channels of the first programme, its dependent substreams included, objects not.
    pub fn channels(&self) -> u16 {
        channel_count(self.channel_map())
    }

    /// Highest bit rate of all substreams together, kbit/s.
    pub fn data_rate(&self) -> u16 {
        self.data_rate
    }

    /// `complexity_index_type_a`: the number of objects; `None` without.
    pub fn joc_complexity(&self) -> Option<u8> {
        self.joc_complexity
    }

    /// Its independent substreams.
    pub fn substreams(&self) -> &[IndependentSubstream] {
        &self.substreams
    }

    fn channel_map(&self) -> u16 {
        self.substreams[0].channel_map()
    }

    /// The same for a stream of another `data_rate`, kbit/s: an encoder of varying rate knows the highest one in advance.
    ///
    /// # Errors
    /// Above 8191.
    pub fn with_data_rate(self, data_rate: u16) -> Result<Self> {
        Self::new(data_rate, self.substreams, self.joc_complexity)
    }

    /// Whether it also describes an access unit that has `other`: the same substreams, no more objects. Rates may differ.
    pub fn describes(&self, other: &Self) -> bool {
        self.joc_complexity >= other.joc_complexity
            && self.substreams.len() == other.substreams.len()
            && self.substreams.iter().zip(&other.substreams).all(|(own, other)| own.describes(other))
    }

    /// The fields of `EC3SpecificBox` (ETSI TS 102 366 F.6), with those of objects behind it (ETSI TS 103 420 C.3) where there are
    /// some.
    pub fn record(&self) -> Vec<u8> {
        let num_ind_sub = self.substreams.len() as u16 - 1;
        let mut record = (self.data_rate << 3 | num_ind_sub).to_be_bytes().to_vec();
        for substream in &self.substreams {
            let bits = u32::from(substream.fscod) << 30
                | u32::from(substream.bsid) << 25 // and a reserved bit
                | u32::from(substream.is_associated()) << 23 // asvc
                | u32::from(substream.bsmod.unwrap_or(0)) << 20
                | u32::from(substream.acmod) << 17
                | u32::from(substream.lfeon) << 16 // and 3 reserved bits
                | u32::from(substream.dependents) << 9 // num_dep_sub
                | u32::from(substream.chan_loc());
            let bytes = bits.to_be_bytes();
            // Without dependent substreams there is a reserved bit in the place of chan_loc.
            record.extend(&bytes[..if substream.dependents > 0 { 4 } else { 3 }]);
        }
        if let Some(complexity) = self.joc_complexity {
            record.extend([1, complexity]);
        }
        record
    }

    /// What is said of a track, of which nobody knows how much of it primes the decoder. Channels are those of the first
    /// programme.
    ///
    /// `channelcount` of the sample entry is the real number: readers are to ignore it (F.5), and other writers have 2 there or
    /// the real one.
    pub fn configuration(&self) -> AudioConfiguration {
        let (channel_map, joc_complexity) = (self.channel_map(), self.joc_complexity);
        AudioConfiguration {
            codec: AudioCodec::Eac3,
            codec_string: "ec-3".to_owned(),
            channels: self.channels(),
            sample_rate: self.sample_rate(),
            entry_sample_rate: self.sample_rate(),
            sample_size: 16,
            configuration_record: self.record(),
            priming: 0,
            roll_distance: None,
            dolby: Some(DolbyChannels { channel_map, joc_complexity }),
        }
    }
}

impl fmt::Display for Eac3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E-AC-3, {} Hz", self.sample_rate())?;
        for substream in &self.substreams {
            let IndependentSubstream { acmod, bsid, dependents, .. } = substream;
            let (lfe, bsmod) = (u8::from(substream.lfeon), substream.bsmod.unwrap_or(0));
            write!(f, ", acmod {acmod}, lfeon {lfe}, bsid {bsid}, bsmod {bsmod}")?;
            if *dependents > 0 {
                write!(f, " and {dependents} dependent ({:04X})", substream.dependent_map)?;
            }
        }
        if let Some(complexity) = self.joc_complexity {
            write!(f, ", {complexity} objects")?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
