//! `dOps`, `dfLa`, `dac3` and `dec3`: the configurations of Opus, FLAC, AC-3 and E-AC-3 (their encapsulations in ISO BMFF;
//! ETSI TS 102 366 annex F).

use super::super::check::Check;
use super::{Facts, Sound};
use crate::bits::BitReader;
use crate::boxes::FourCc;
use crate::boxes::reader::BoxRef;
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
    body.take(8, "PreSkip, InputSampleRate, OutputGain")?;
    if body.u8("ChannelMappingFamily")? != 0 {
        let [streams, coupled] = body.array("StreamCount and CoupledCount")?;
        if streams == 0 || coupled > streams {
            check.config(record, format_args!("StreamCount is {streams}, CoupledCount {coupled}"));
        }
        body.take(channels.into(), "ChannelMapping")?;
    } else if channels > 2 {
        check.config(record, format_args!("{channels} channels in mapping family 0, which has up to 2"));
    }
    if !body.rest().is_empty() {
        check.config(record, format_args!("{} bytes behind the last field", body.rest().len()));
    }
    let channels = u16::from(channels);
    facts.sound = Some(Sound { channels, sample_rate: SAMPLE_RATE, bits: None });
    (facts.channels, facts.sample_rate) = (Some(channels), Some(SAMPLE_RATE));
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
    facts.codec = Some("flac".to_owned());
    body.u32("version and flags")?;
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
    r.u(8, "bsid and bsmod")?;
    let channels = CHANNELS[r.u(3, "acmod")? as usize];
    facts.channels = Some(channels + r.u(1, "lfeon")? as u16);
    let bit_rate_code = r.u(5, "bit_rate_code")?;
    if bit_rate_code > 18 {
        check.config(record, format_args!("bit_rate_code is {bit_rate_code}, must be 0..=18"));
    }
    Ok(())
}

/// `EC3SpecificBox`.
pub(super) fn read_eac3(_: &mut Check<'_>, record: &BoxRef<'_>, _: FourCc, facts: &mut Facts) -> Result<()> {
    let body = record.fields("ETSI TS 102 366 F.6");
    facts.codec = Some("ec-3".to_owned());
    let mut r = BitReader::without_emulation_prevention(body.rest(), "ETSI TS 102 366 F.6");
    r.u(13, "data_rate")?;
    let substreams = r.u(3, "num_ind_sub")?;
    for substream in 0..=substreams {
        let sample_rate = SAMPLE_RATES[r.u(2, "fscod")? as usize];
        r.u(10, "bsid to bsmod")?;
        let channels = CHANNELS[r.u(3, "acmod")? as usize] + r.u(1, "lfeon")? as u16;
        r.u(3, "reserved")?;
        let has_dependent = r.u(4, "num_dep_sub")? > 0;
        r.u(if has_dependent { 9 } else { 1 }, "chan_loc")?;
        if substream == 0 {
            // What dependent substreams add is not counted.
            facts.channels = Some(channels).filter(|_| !has_dependent && substreams == 0);
            facts.sample_rate = sample_rate;
            facts.is_sound_unknown = true;
        }
    }
    Ok(())
}
