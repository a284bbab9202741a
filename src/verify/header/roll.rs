//! `sgpd` of grouping type `roll` ► roll distances (ISO/IEC 14496-12 8.9.3, 10.1), of `stbl` or of a `traf`.

use super::RollGroups;
use crate::boxes::reader::{Body, BoxRef};
use crate::error::Result;

const CLAUSE: &str = "ISO/IEC 14496-12 8.9.3";

/// More groups are not kept of one box.
const KEPT: u32 = 1024;

/// Whether `sgpd` or `sbgp` are of roll groups: `grouping_type` stands behind version and flags.
pub(in crate::verify) fn is_roll(group: &BoxRef<'_>) -> bool {
    group.body.rest().get(4..8) == Some(b"roll")
}

/// Reads `sgpd`; what is wrong with it otherwise.
pub(in crate::verify) fn read(sgpd: &BoxRef<'_>) -> std::result::Result<RollGroups, String> {
    let mut body = sgpd.fields(CLAUSE);
    read_fields(&mut body).map_err(|error| error.kind().to_string())?
}

fn read_fields(body: &mut Body<'_>) -> Result<std::result::Result<RollGroups, String>> {
    let version = body.u32("version and flags")? >> 24;
    if !matches!(version, 1 | 2) {
        return Ok(Err(format!(
            "version of sgpd is {version}, by which the length of its entries is not known"
        )));
    }
    body.u32("grouping_type")?;
    let len = body.u32("default_length")?;
    let default = if version == 2 { body.u32("default_group_description_index")? } else { 0 };
    let count = body.u32("entry_count")?;
    if count > KEPT {
        return Ok(Err(format!("entry_count of sgpd is {count}")));
    }
    let mut distances = Vec::new();
    for _ in 0..count {
        let len = if len == 0 { body.u32("description_length")? } else { len };
        if len != 2 {
            return Ok(Err(format!("an entry of sgpd has {len} bytes, a roll distance 2")));
        }
        let distance = i16::from_be_bytes(body.array("roll_distance")?);
        if distance == 0 {
            return Ok(Err("roll_distance is 0".to_owned()));
        }
        distances.push(distance);
    }
    if !body.rest().is_empty() {
        return Ok(Err(format!("{} bytes behind the last entry of sgpd", body.rest().len())));
    }
    if default as usize > distances.len() {
        return Ok(Err(format!("default_group_description_index is {default}, of {count} groups")));
    }
    Ok(Ok(RollGroups { distances, default }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::reader::Boxes;

    fn read_of(body: &[u8]) -> std::result::Result<RollGroups, String> {
        let mut bytes = (8 + body.len() as u32).to_be_bytes().to_vec();
        bytes.extend(b"sgpd");
        bytes.extend(body);
        let sgpd = Boxes::of_file(&bytes).next().unwrap().unwrap();
        assert!(is_roll(&sgpd));
        read(&sgpd)
    }

    /// Of Opus in packets of 20 ms, by FFmpeg 5.1 (`-c:a libopus a.mp4`) and by Shaka Packager alike.
    #[test]
    fn a_distance_is_read() {
        let found = read_of(b"\x01\0\0\0roll\0\0\0\x02\0\0\0\x01\xff\xfc").unwrap();
        assert_eq!(found, RollGroups { distances: vec![-4], default: 0 });
        let found = read_of(b"\x02\0\0\0roll\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x02\xff\xff").unwrap();
        assert_eq!(found, RollGroups { distances: vec![-1], default: 1 });
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for body in [
            &b"\0\0\0\0roll\0\0\0\x01\xff\xfc"[..],
            b"\x01\0\0\0roll\0\0\0\x04\0\0\0\x01\xff\xfc\0\0",
            b"\x01\0\0\0roll\0\0\0\x02\0\0\0\x01\0\0",
            b"\x01\0\0\0roll\0\0\0\x02\0\0\0\x02\xff\xfc",
            b"\x01\0\0\0roll\0\0\0\x02\0\0\0\x01\xff\xfc\0",
            b"\x01\0\0\0roll\0\0\0\x02\xff\xff\xff\xff",
            b"\x02\0\0\0roll\0\0\0\x02\0\0\0\x09\0\0\0\0",
        ] {
            assert!(read_of(body).is_err(), "{body:x?}");
        }
    }
}
