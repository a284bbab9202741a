//! `dOps`, `dfLa`, `dac3` and `dec3`: the configurations of Opus, FLAC, AC-3 and E-AC-3 (their encapsulations in ISO BMFF;
//! ETSI TS 102 366 annex F).

use super::super::check::Check;
use super::{Dolby, Facts, Sound};
use crate::bits::BitReader;
use crate::boxes::FourCc;
use crate::boxes::reader::{Body, BoxRef};
use crate::error::Result;

/// `OpusSpecificBox`.
pub(super) fn read_opus(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    _: FourCc,
    facts: &mut Facts,
) -> Result<()> {
    /// What Opus is decoded at.
    const SAMPLE_RATE: u32 = 48_000;
    let mut body = record.fields("Encapsulation of Opus in ISO BMFF 4.3.2");
    facts.codec = Some("opus".to_owned());
    let version = body.u8("Version")?;
    if version != 0 {
        check.config(record, format_args!("Version is {version}, not 0"));
        return Ok(());
    }
    let channels = body.u8("OutputChannelCount")?;
    if channels == 0 {
        check.config(record, "OutputChannelCount is 0");
        return Ok(());
    }
    facts.pre_skip = Some(body.u16("PreSkip")?);
    body.take(6, "InputSampleRate, OutputGain")?;
    let family = body.u8("ChannelMappingFamily")?;
    if family != 0 {
        read_mapping(check, record, &mut body, channels)?;
    }
    // RFC 7845 5.1.1: left and right, and the orders of Vorbis.
    if let (0, 3..) | (1, 9..) = (family, channels) {
        check.config(record, format_args!("{channels} channels in mapping family {family}"));
    }
    if !body.rest().is_empty() {
        check.config(record, format_args!("{} bytes behind the last field", body.rest().len()));
    }
    let channels = u16::from(channels);
    facts.sound = Some(Sound { channels, sample_rate: SAMPLE_RATE, bits: Some(16) });
    (facts.channels, facts.sample_rate) = (Some(channels), Some(SAMPLE_RATE));
    Ok(())
}

/// How channels are made of the streams that are decoded (RFC 7845 5.1.1.2): two of each coupled one, one of each other; 255 is
/// silence.
fn read_mapping(check: &mut Check<'_>, record: &BoxRef<'_>, body: &mut Body<'_>, channels: u8) -> Result<()> {
    let [streams, coupled] = body.array("StreamCount and CoupledCount")?;
    let decoded = u16::from(streams) + u16::from(coupled);
    if streams == 0 || coupled > streams || decoded > 255 {
        check.config(record, format_args!("StreamCount is {streams}, CoupledCount {coupled}"));
    }
    let mapping = body.take(channels.into(), "ChannelMapping")?;
    if let Some(index) = mapping.rest().iter().find(|&&index| index != 255 && u16::from(index) >= decoded) {
        check.config(
            record,
            format_args!("ChannelMapping has {index}, of {decoded} channels that are decoded"),
        );
    }
    Ok(())
}

/// `FLACSpecificBox`: metadata blocks, the first of which is STREAMINFO.
pub(super) fn read_flac(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    _: FourCc,
    facts: &mut Facts,
) -> Result<()> {
    const STREAMINFO: u8 = 0;
    let mut body = record.fields("Encapsulation of FLAC in ISO BMFF 3.3.2");
    facts.codec = Some("fLaC".to_owned());
    let word = body.u32("version and flags")?;
    if word != 0 {
        check.config(record, format_args!("version and flags are {word:#010x}, not 0"));
    }
    let mut is_first = true;
    loop {
        let [head, a, b, c] = body.array("METADATA_BLOCK_HEADER")?;
        let len = u32::from_be_bytes([0, a, b, c]) as usize;
        let block = body.take(len, "METADATA_BLOCK_DATA")?.rest();
        if is_first {
            if head & 0x7f != STREAMINFO || len != 34 {
                let found = head & 0x7f;
                check.config(record, format_args!("its first block has type {found} and {len} bytes"));
                return Ok(());
            }
            let mut r = BitReader::without_emulation_prevention(&block[10..], "FLAC STREAMINFO");
            let sample_rate = r.u(20, "sample rate")?;
            let channels = r.u(3, "channels")? as u16 + 1;
            let bits = r.u(5, "bits per sample")? as u16 + 1;
            let [least, most] = [0, 2].map(|at| u16::from_be_bytes([block[at], block[at + 1]]));
            if sample_rate == 0 || bits < 4 || least < 16 || most < least {
                let message = format!("{sample_rate} Hz, {bits} bits, blocks of {least} to {most} samples");
                check.config(record, message);
            }
            facts.sound = Some(Sound { channels, sample_rate, bits: Some(bits) });
            (facts.channels, facts.sample_rate) = (Some(channels), Some(sample_rate));
        }
        is_first = false;
        if head & 0x80 != 0 {
            break;
        }
        if body.rest().is_empty() {
            check.config(record, "no block is marked as the last");
            break;
        }
    }
    if !body.rest().is_empty() {
        check.config(record, format_args!("{} bytes behind the last block", body.rest().len()));
    }
    Ok(())
}

/// Channels by `acmod`, without the low-frequency one.
const CHANNELS: [u16; 8] = [2, 1, 2, 3, 3, 4, 4, 5];
/// By `fscod`; 3 is reserved, or half of one of them.
const SAMPLE_RATES: [Option<u32>; 4] = [Some(48_000), Some(44_100), Some(32_000), None];

/// Locations of channels by `acmod` and `lfeon`; a surround channel alone may be called in more than one way.
fn locations(acmod: u32, lfeon: u32) -> Option<u16> {
    const LFE: u16 = 1;
    let [left, centre, right, surround] = [0x8000, 0x4000, 0x2000, 0x1800];
    let main = match acmod {
        1 => centre,
        0 | 2 => left | right,
        3 => left | centre | right,
        6 => left | right | surround,
        7 => left | centre | right | surround,
        _ => return None,
    };
    Some(if lfeon == 1 { main | LFE } else { main })
}

/// `AC3SpecificBox`.
pub(super) fn read_ac3(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    _: FourCc,
    facts: &mut Facts,
) -> Result<()> {
    let mut body = record.fields("ETSI TS 102 366 F.4");
    facts.codec = Some("ac-3".to_owned());
    let bytes: [u8; 3] = body.array("AC3SpecificBox")?;
    let mut r = BitReader::without_emulation_prevention(&bytes, "ETSI TS 102 366 F.4");
    facts.sample_rate = SAMPLE_RATES[r.u(2, "fscod")? as usize];
    if facts.sample_rate.is_none() {
        check.config(record, "fscod is 3, which is reserved");
    }
    facts.entry_rate = facts.sample_rate;
    let bsid = r.u(5, "bsid")?;
    if bsid > 8 {
        check.config(record, format_args!("bsid is {bsid}, of AC-3 it is at most 8"));
    }
    r.u(3, "bsmod")?;
    let (acmod, lfeon) = (r.u(3, "acmod")?, r.u(1, "lfeon")?);
    facts.channels = Some(CHANNELS[acmod as usize] + lfeon as u16);
    facts.dolby = Some(Dolby { locations: locations(acmod, lfeon), joc: None });
    facts.is_sound_unknown = true;
    let bit_rate_code = r.u(5, "bit_rate_code")?;
    if bit_rate_code > 18 {
        check.config(record, format_args!("bit_rate_code is {bit_rate_code}, must be 0..=18"));
    }
    if !body.rest().is_empty() {
        check.config(record, format_args!("{} bytes behind the last field", body.rest().len()));
    }
    Ok(())
}

/// `EC3SpecificBox`, and the extension of ETSI TS 103 420 behind it.
pub(super) fn read_eac3(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    _: FourCc,
    facts: &mut Facts,
) -> Result<()> {
    let body = record.fields("ETSI TS 102 366 F.6");
    facts.codec = Some("ec-3".to_owned());
    facts.is_sound_unknown = true;
    let mut r = BitReader::without_emulation_prevention(body.rest(), "ETSI TS 102 366 F.6");
    r.u(13, "data_rate")?;
    let substreams = r.u(3, "num_ind_sub")?;
    let mut dolby = Dolby::default();
    for substream in 0..=substreams {
        let sample_rate = SAMPLE_RATES[r.u(2, "fscod")? as usize];
        let bsid = r.u(5, "bsid")?;
        if bsid > 16 {
            check.config(record, format_args!("bsid is {bsid}, must be 0..=16"));
        }
        r.u(5, "reserved, asvc and bsmod")?;
        let (acmod, lfeon) = (r.u(3, "acmod")?, r.u(1, "lfeon")?);
        let channels = CHANNELS[acmod as usize] + lfeon as u16;
        r.u(3, "reserved")?;
        let has_dependent = r.u(4, "num_dep_sub")? > 0;
        r.u(if has_dependent { 9 } else { 1 }, "chan_loc")?;
        if substream == 0 {
            // What dependent substreams add is not counted.
            let is_all = !has_dependent && substreams == 0;
            facts.channels = Some(channels).filter(|_| is_all);
            dolby.locations = locations(acmod, lfeon).filter(|_| is_all);
            (facts.sample_rate, facts.entry_rate) = (sample_rate, sample_rate);
        }
    }
    let at = usize::try_from(r.byte_offset()).unwrap_or(usize::MAX);
    // Substreams are whole bytes.
    match body.rest().get(at..).unwrap_or_default() {
        [] => {}
        [flags, complexity @ 1..=16] if flags & 1 == 1 => dolby.joc = Some(*complexity),
        [flags, complexity, ..] if flags & 1 == 1 => {
            check.config(record, format_args!("complexity_index_type_a is {complexity}, must be 1..=16"));
        }
        rest if rest.len() > 2 => {
            check.config(record, format_args!("{} bytes behind the last substream", rest.len()));
        }
        _ => {}
    }
    facts.dolby = Some(dolby);
    Ok(())
}
