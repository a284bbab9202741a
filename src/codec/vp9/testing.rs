//! Frames of VP9 spelled bit by bit, for tests and fuzzing: headers that hold, and a payload that nobody decodes.

use super::ColorConfig;
use crate::codec::testing::BitWriter;

/// A frame; what differs from the plainest is set.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) profile: u8,
    /// 0 key, 1 intra-only, 2 inter.
    pub(crate) kind: u8,
    pub(crate) shown: bool,
    pub(crate) error_resilient: bool,
    pub(crate) color: ColorConfig,
    /// Width and height; `None`, for an inter frame, is that of its first reference.
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) render: Option<(u32, u32)>,
    /// `reset_frame_context`, `frame_context_idx`.
    pub(crate) reset: u32,
    pub(crate) context: u32,
    pub(crate) refresh: u8,
    pub(crate) refresh_context: bool,
    pub(crate) references: [u8; 3],
    /// Every optional part is there.
    pub(crate) everything: bool,
    /// `header_size_in_bytes`.
    pub(crate) compressed: u32,
    /// Bytes behind the uncompressed header.
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// A shown key frame of 64x48.
    pub(crate) fn key() -> Self {
        Self {
            profile: 0,
            kind: 0,
            shown: true,
            error_resilient: false,
            color: ColorConfig {
                bit_depth: 8,
                color_space: 2,
                full_range: false,
                subsampling_x: true,
                subsampling_y: true,
            },
            size: Some((64, 48)),
            render: None,
            reset: 0,
            context: 0,
            refresh: 0xff,
            refresh_context: true,
            references: [0, 1, 2],
            everything: false,
            compressed: 1,
            payload: vec![0x55; 4],
        }
    }

    /// A hidden intra-only frame that fills these slots.
    pub(crate) fn intra_only(refresh: u8) -> Self {
        Self { kind: 1, shown: false, refresh, ..Self::key() }
    }

    /// A shown inter frame that fills these slots.
    pub(crate) fn inter(refresh: u8) -> Self {
        Self { kind: 2, refresh, size: None, ..Self::key() }
    }

    pub(crate) fn hidden(self) -> Self {
        Self { shown: false, ..self }
    }

    pub(crate) fn of_size(self, width: u32, height: u32) -> Self {
        Self { size: Some((width, height)), ..self }
    }

    /// With another payload, of so many bytes.
    pub(crate) fn with_payload(self, len: usize, fill: u8) -> Self {
        Self { payload: vec![fill & 0x1f; len.max(1)], ..self }
    }

    /// The whole frame.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.header_bytes(), self.payload.clone()].concat()
    }

    /// Its uncompressed header.
    pub(crate) fn header_bytes(&self) -> Vec<u8> {
        let mut w = start(self.profile);
        w.flag(false).flag(self.kind != 0).flag(self.shown).flag(self.error_resilient);
        if self.kind != 0 {
            if !self.shown {
                w.flag(self.kind == 1);
            }
            if !self.error_resilient {
                w.u(self.reset, 2);
            }
        }
        if self.kind < 2 {
            w.u(0x49_8342, 24);
            if self.kind == 0 || self.profile > 0 {
                self.write_color(&mut w);
            }
        }
        if self.kind > 0 {
            w.u(self.refresh.into(), 8);
        }
        if self.kind == 2 {
            for slot in self.references {
                w.u(slot.into(), 3).flag(false);
            }
            match self.size {
                None => w.flag(true),
                Some(_) => w.flag(false).flag(false).flag(false),
            };
        }
        if let Some((width, height)) = self.size {
            w.u(width - 1, 16).u(height - 1, 16);
        }
        w.flag(self.render.is_some() || self.everything);
        if self.render.is_some() || self.everything {
            let (width, height) = self.render.unwrap_or((1, 1));
            w.u(width - 1, 16).u(height - 1, 16);
        }
        if self.kind == 2 {
            // allow_high_precision_mv, the filter.
            w.flag(false).flag(!self.everything);
            if self.everything {
                w.u(1, 2);
            }
        }
        if !self.error_resilient {
            w.flag(self.refresh_context).flag(false);
        }
        w.u(self.context, 2);
        self.write_rest(&mut w);
        w.finish_zeros()
    }

    fn write_color(&self, w: &mut BitWriter) {
        let ColorConfig { bit_depth, color_space, full_range, subsampling_x, subsampling_y } = self.color;
        if self.profile >= 2 {
            w.flag(bit_depth == 12);
        }
        w.u(color_space.into(), 3);
        if color_space != ColorConfig::RGB {
            w.flag(full_range);
            if self.profile & 1 == 1 {
                w.flag(subsampling_x).flag(subsampling_y);
            }
        }
        if self.profile & 1 == 1 {
            w.flag(false);
        }
    }

    /// From the loop filter on.
    fn write_rest(&self, w: &mut BitWriter) {
        let all = self.everything;
        w.u(7, 6).u(0, 3).flag(all);
        if all {
            w.flag(true);
            for _ in 0..6 {
                w.flag(true).u(0x55, 7);
            }
        }
        w.u(60, 8);
        for _ in 0..3 {
            w.flag(all);
            if all {
                w.u(3, 5);
            }
        }
        w.flag(all);
        if all {
            w.flag(true);
            for _ in 0..7 {
                w.flag(true).u(99, 8);
            }
            w.flag(true);
            for _ in 0..3 {
                w.flag(true).u(99, 8);
            }
            w.flag(true).flag(true);
            for bits in [[9, 7, 2, 0]; 8].concat() {
                w.flag(true);
                if bits > 0 {
                    w.u(1, bits);
                }
            }
        }
        // 64 columns of superblocks and more would have a first tile count; below 8 there is one tile.
        let columns = self.size.map_or(1, |(width, _)| width.div_ceil(64));
        let mut log2 = 0;
        while 64 << log2 < columns {
            log2 += 1;
        }
        if columns >> (log2 + 1) >= 4 {
            w.flag(false);
        }
        w.flag(all);
        if all {
            w.flag(true);
        }
        w.u(self.compressed, 16);
    }
}

fn start(profile: u8) -> BitWriter {
    let mut w = BitWriter::default();
    w.u(2, 2).flag(profile & 1 == 1).flag(profile & 2 == 2);
    if profile == 3 {
        w.flag(false);
    }
    w
}

/// A frame that shows the picture in a slot.
pub(crate) fn show_existing(profile: u8, slot: u8) -> Vec<u8> {
    let mut w = start(profile);
    w.flag(true).u(slot.into(), 3);
    w.finish_zeros()
}

/// A packet of these frames: one as it is, several with their index.
pub(crate) fn packet(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = frames.concat();
    if let [_, _, ..] = frames {
        let sizes: Vec<u32> = frames.iter().map(|frame| frame.len() as u32).collect();
        super::SuperframeIndex::of(&sizes).write(&mut bytes);
    }
    bytes
}

/// An IVF file of these packets, each with its timestamp, in a time base of 1/25 s.
pub(crate) fn ivf(packets: &[(i64, Vec<u8>)]) -> Vec<u8> {
    let mut file = b"DKIF\0\0\x20\0VP90\x40\0\x30\0\x19\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for (timestamp, packet) in packets {
        file.extend((packet.len() as u32).to_le_bytes());
        file.extend(timestamp.to_le_bytes());
        file.extend(packet);
    }
    file
}
