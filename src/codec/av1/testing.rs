//! For tests: builders of sequence and frame headers that spell the syntax a second time, from the tables of AV1 5.5 and
//! 5.9, so that the readers are not tested against themselves.

use crate::codec::h264::testing::BitWriter;

use super::ObuHeader;
use super::obu::write_size;

/// An OBU of this type, with a size field.
pub(crate) fn obu(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind << 3 | 2];
    write_size(&mut bytes, payload.len() as u32);
    bytes.extend(payload);
    bytes
}

/// The same OBU without its size field.
pub(crate) fn without_size(obu: &[u8]) -> Vec<u8> {
    let header = ObuHeader::read(obu).expect("a header");
    let mut bytes = vec![obu[0] & !2];
    bytes.extend(header.has_extension.then(|| obu[1]));
    bytes.extend(&obu[usize::from(header.len)..]);
    bytes
}

/// Temporal units in the length-delimited format (Annex B): of each its OBUs, which are given with size fields, with them or
/// without. A frame unit ends behind each frame.
pub(crate) fn length_delimited(units: &[Vec<Vec<u8>>], with_sizes: bool) -> Vec<u8> {
    let sized = |bytes: &[u8]| {
        let mut sized = Vec::new();
        write_size(&mut sized, bytes.len() as u32);
        sized.extend(bytes);
        sized
    };
    let mut stream = Vec::new();
    for unit in units {
        let mut frame_units = vec![Vec::new()];
        for obu in unit {
            let ends_frame = matches!(obu[0] >> 3 & 15, 3 | 6);
            let obu = if with_sizes { obu.clone() } else { without_size(obu) };
            frame_units.last_mut().expect("one at least").extend(sized(&obu));
            if ends_frame {
                frame_units.push(Vec::new());
            }
        }
        frame_units.retain(|unit| !unit.is_empty());
        stream.extend(sized(&frame_units.iter().flat_map(|unit| sized(unit)).collect::<Vec<_>>()));
    }
    stream
}

/// A temporal delimiter.
pub(crate) const DELIMITER: &[u8] = &[0x12, 0];

/// A sequence header; the default is Main profile, 64x48 in 8 bits.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) profile: u32,
    /// `still_picture`, `reduced_still_picture_header`.
    pub(crate) still: (bool, bool),
    /// Units in a tick, time scale, ticks of a picture less 1.
    pub(crate) timing: Option<(u32, u32, Option<u32>)>,
    /// Lengths less 1 of buffer delay, removal time, presentation time.
    pub(crate) decoder_model: Option<(u32, u32, u32)>,
    /// `operating_point_idc`, `seq_level_idx`, `seq_tier`, `initial_display_delay_minus_1`.
    pub(crate) points: Vec<(u32, u32, bool, Option<u32>)>,
    pub(crate) size: (u32, u32),
    /// `delta_frame_id_length_minus_2`, `additional_frame_id_length_minus_1`.
    pub(crate) frame_ids: Option<(u32, u32)>,
    pub(crate) order_hint_bits: u32,
    pub(crate) superres: bool,
    /// `high_bitdepth`, `twelve_bit`.
    pub(crate) depth: (bool, bool),
    pub(crate) mono: bool,
    /// Primaries, transfer, matrix.
    pub(crate) colour: Option<(u32, u32, u32)>,
    pub(crate) full_range: bool,
    pub(crate) subsampling: (bool, bool),
    pub(crate) chroma_sample_position: u32,
}

impl Default for Sequence {
    fn default() -> Self {
        Self {
            profile: 0,
            still: (false, false),
            timing: None,
            decoder_model: None,
            points: vec![(0, 4, false, None)],
            size: (64, 48),
            frame_ids: None,
            order_hint_bits: 7,
            superres: false,
            depth: (false, false),
            mono: false,
            colour: None,
            full_range: false,
            subsampling: (true, true),
            chroma_sample_position: 0,
        }
    }
}

impl Sequence {
    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.u(self.profile, 3).flag(self.still.0).flag(self.still.1);
        if self.still.1 {
            w.u(self.points[0].1, 5);
        } else {
            self.write_points(&mut w);
        }
        w.u(15, 4).u(15, 4).u(self.size.0 - 1, 16).u(self.size.1 - 1, 16);
        if !self.still.1 {
            w.flag(self.frame_ids.is_some());
        }
        if let Some((delta, additional)) = self.frame_ids {
            w.u(delta, 4).u(additional, 3);
        }
        w.u(0b010, 3);
        if !self.still.1 {
            w.u(0b1010, 4).flag(self.order_hint_bits > 0);
            if self.order_hint_bits > 0 {
                w.u(0b10, 2);
            }
            w.flag(false).flag(true); // seq_force_screen_content_tools 1
            w.flag(false).flag(false); // seq_force_integer_mv 0
            if self.order_hint_bits > 0 {
                w.u(self.order_hint_bits - 1, 3);
            }
        }
        w.flag(self.superres).flag(true).flag(false);
        self.write_color(&mut w);
        w.flag(false);
        w.finish_obu()
    }

    fn write_points(&self, w: &mut BitWriter) {
        w.flag(self.timing.is_some());
        if let Some((units, scale, ticks)) = self.timing {
            w.u(units, 32).u(scale, 32).flag(ticks.is_some());
            if let Some(ticks) = ticks {
                w.ue(ticks); // uvlc() is coded like ue(v)
            }
            w.flag(self.decoder_model.is_some());
            if let Some((delay, removal, presentation)) = self.decoder_model {
                w.u(delay, 5).u(1000, 32).u(removal, 5).u(presentation, 5);
            }
        }
        let delays = self.points.iter().any(|point| point.3.is_some());
        w.flag(delays).u(self.points.len() as u32 - 1, 5);
        for &(idc, level, tier, delay) in &self.points {
            w.u(idc, 12).u(level, 5);
            if level > 7 {
                w.flag(tier);
            }
            if let Some((bits, ..)) = self.decoder_model {
                w.flag(true).u(1, bits as u8 + 1).u(1, bits as u8 + 1).flag(false);
            }
            if delays {
                w.flag(delay.is_some());
                delay.map(|delay| w.u(delay, 4));
            }
        }
    }

    fn write_color(&self, w: &mut BitWriter) {
        w.flag(self.depth.0);
        if self.profile == 2 && self.depth.0 {
            w.flag(self.depth.1);
        }
        if self.profile != 1 {
            w.flag(self.mono);
        }
        w.flag(self.colour.is_some());
        if let Some((primaries, transfer, matrix)) = self.colour {
            w.u(primaries, 8).u(transfer, 8).u(matrix, 8);
        }
        if self.mono {
            w.flag(self.full_range);
            return;
        }
        let mut subsampling = [(true, true), (false, false), (true, false)][self.profile as usize];
        if self.colour == Some((1, 13, 0)) {
            subsampling = (false, false);
        } else {
            w.flag(self.full_range);
            if self.profile == 2 && self.depth.1 {
                subsampling = self.subsampling;
                w.flag(subsampling.0);
                if subsampling.0 {
                    w.flag(subsampling.1);
                }
            }
        }
        if subsampling == (true, true) {
            w.u(self.chroma_sample_position, 2);
        }
        w.flag(false);
    }

    pub(crate) fn obu(&self) -> Vec<u8> {
        obu(1, &self.payload())
    }
}

/// A frame of the default sequence, as a frame OBU with two bytes of tiles.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// `frame_type`.
    pub(crate) kind: u32,
    pub(crate) show: bool,
    pub(crate) showable: bool,
    pub(crate) refresh: u32,
    pub(crate) render: Option<(u32, u32)>,
}

/// The same OBU with an extension header of these layers.
pub(crate) fn in_layer(obu: &[u8], temporal_id: u8, spatial_id: u8) -> Vec<u8> {
    assert!(obu[0] & 4 == 0, "it has none");
    [&[obu[0] | 4, temporal_id << 5 | spatial_id << 3], &obu[1..]].concat()
}

impl Frame {
    /// A shown key frame.
    pub(crate) fn key() -> Self {
        Self { kind: 0, show: true, showable: false, refresh: 0xff, render: None }
    }

    /// A shown inter frame that fills these slots.
    pub(crate) fn inter(refresh: u32) -> Self {
        Self { kind: 1, show: true, showable: true, refresh, render: None }
    }

    /// The same, to be shown later.
    pub(crate) fn hidden(self) -> Self {
        Self { show: false, showable: true, ..self }
    }

    /// The header as far as it is read, and tiles.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let (key, intra) = (self.kind == 0, self.kind == 0 || self.kind == 2);
        let mut w = BitWriter::default();
        w.flag(false).u(self.kind, 2).flag(self.show);
        if !self.show {
            w.flag(self.showable);
        }
        let resets = self.kind == 3 || (key && self.show);
        if !resets {
            w.flag(false); // error_resilient_mode
        }
        w.flag(false); // disable_cdf_update
        if self.kind != 3 {
            w.flag(false); // frame_size_override_flag
        }
        w.u(5, 7); // order_hint
        if !intra && self.kind != 3 {
            w.u(7, 3); // primary_ref_frame
        }
        if !resets {
            w.u(self.refresh, 8);
        }
        if self.kind == 3 {
            for slot in 0..8 {
                w.u(slot, 7); // ref_order_hint
            }
        }
        if intra {
            w.flag(self.render.is_some());
            if let Some((width, height)) = self.render {
                w.u(width - 1, 16).u(height - 1, 16);
            }
        }
        w.finish_obu()
    }

    pub(crate) fn obu(&self) -> Vec<u8> {
        obu(6, &self.payload())
    }

    /// A frame header OBU; its tiles come apart.
    pub(crate) fn header_obu(&self) -> Vec<u8> {
        obu(3, &self.payload())
    }
}

/// A frame header that shows what a slot holds.
pub(crate) fn show_existing(slot: u8) -> Vec<u8> {
    obu(3, &[0x80 | slot << 4 | 8])
}
