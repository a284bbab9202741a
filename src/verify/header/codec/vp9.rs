//! `vpcC`: VPCodecConfigurationBox (VP codec ISO media file format binding), and its codec string.

use super::super::check::Check;
use super::Facts;
use crate::boxes::FourCc;
use crate::boxes::reader::BoxRef;
use crate::error::Result;

const CLAUSE: &str = "VP codec ISO media file format binding";

pub(super) fn read(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    format: FourCc,
    facts: &mut Facts,
) -> Result<()> {
    let mut body = record.fields(CLAUSE);
    let [version, flags @ ..]: [u8; 4] = body.array("version and flags")?;
    if version != 1 {
        check.config(record, format_args!("version is {version}, not 1"));
        return Ok(());
    }
    if flags != [0; 3] {
        check.config(record, format_args!("flags are {flags:02x?}, not 0"));
    }
    let [profile, level, depth] = body.array("profile, level and bitDepth")?;
    let (bit_depth, chroma, full_range) = (depth >> 4, depth >> 1 & 7, depth & 1);
    let [primaries, transfer, matrix] = body.array("colours")?;
    let len = body.u16("codecInitializationDataSize")?;
    if len != 0 {
        check.config(record, format_args!("codecInitializationDataSize is {len}, not 0"));
    }
    body.take(len.into(), "codecInitializationData")?;
    if !body.rest().is_empty() {
        check.config(record, format_args!("{} bytes behind the last field", body.rest().len()));
    }
    if profile > 3 || !matches!(bit_depth, 8 | 10 | 12) || chroma > 3 {
        let message = format!("profile {profile}, bitDepth {bit_depth}, chromaSubsampling {chroma}");
        check.config(record, message);
        return Ok(());
    }
    if format.0 == *b"vp09" {
        check_format(check, record, [profile, level, bit_depth, chroma, matrix]);
    }
    let optional = format!(".{chroma:02}.{primaries:02}.{transfer:02}.{matrix:02}.{full_range:02}");
    let optional = if optional == ".01.01.01.01.00" { "" } else { &optional };
    facts.codec = Some(format!("{format}.{profile:02}.{level:02}.{bit_depth:02}{optional}"));
    Ok(())
}

/// What a profile of VP9 has, and the levels that there are; 0 is one that is not known.
fn check_format(check: &mut Check<'_>, record: &BoxRef<'_>, told: [u8; 5]) {
    const LEVELS: [u8; 15] = [0, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 52, 60, 61, 62];
    const IDENTITY: u8 = 0;
    let [profile, level, bit_depth, chroma, matrix] = told;
    let is_deep = bit_depth > 8;
    // 0 and 1 are 4:2:0, which the profiles 0 and 2 have alone.
    if is_deep != (profile >= 2) || (chroma < 2) != (profile & 1 == 0) {
        let message = format!("profile {profile} has no {bit_depth} bits with chromaSubsampling {chroma}");
        check.config(record, message);
    }
    if matrix == IDENTITY && chroma != 3 {
        check.config(record, format_args!("matrixCoefficients is 0 (RGB) with chromaSubsampling {chroma}"));
    }
    if !LEVELS.contains(&level) {
        check.config(record, format_args!("there is no level {level}"));
    }
}
