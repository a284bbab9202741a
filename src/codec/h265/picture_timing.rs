//! Picture timing SEI message (H.265 D.2.3) ► for how many clock ticks a picture is shown (Table E.6, `DeltaToDivisor`).
//! Annex D and E were not opened: as FFmpeg's and x265's sources have them.

use super::SequenceParameterSet;

/// Clock ticks that the picture is shown for whose picture timing SEI message has this `payload`, without emulation prevention:
/// 1 where it does not say, or is empty, or says it with a reserved value.
pub fn ticks_shown(payload: &[u8], sps: &SequenceParameterSet) -> u8 {
    let Some(first) = payload.first().filter(|_| sps.vui.frame_field_info_present) else { return 1 };
    // pic_struct, u(4), is the first element.
    match first >> 4 {
        // Two fields, each for a tick; the frame twice.
        3 | 4 | 7 => 2,
        // Two fields, the first again; the frame three times.
        5 | 6 | 8 => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sps, vui_fields};
    use super::*;

    #[test]
    fn pic_struct_tells_the_ticks_where_the_set_says_that_it_is_there() {
        let sps = |vui| SequenceParameterSet::read(&Sps { vui, ..Sps::default() }.nal()).unwrap();
        let with = sps(Some(vui_fields()));
        let ticks: Vec<u8> = (0..16).map(|code| ticks_shown(&[code << 4 | 0xf], &with)).collect();
        assert_eq!(ticks, [1, 1, 1, 2, 2, 3, 3, 2, 3, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(ticks_shown(&[], &with), 1);
        assert_eq!(ticks_shown(&[0x70], &sps(None)), 1);
    }
}
