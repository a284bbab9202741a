//! The temporal unit that OBUs are being added to: what it shows, what it needs and fills, and what must come next (AV1 7.5).

use crate::codec::av1::{CodedFrame, FrameSize, FrameType};
use crate::error::{Error, Result};

/// What the reference slots hold, as far as showing it again depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slots([Option<StoredFrame>; 8]);

#[derive(Clone, Copy, Debug)]
struct StoredFrame {
    frame_type: FrameType,
    showable: bool,
}

impl Slots {
    fn refresh(&mut self, flags: u8, frame: Option<StoredFrame>) {
        for (slot, stored) in self.0.iter_mut().enumerate() {
            if flags >> slot & 1 == 1 {
                *stored = frame;
            }
        }
    }
}

/// A temporal unit that is not complete.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OpenUnit {
    /// A sequence header stands in it, and no frame in front of that.
    pub(super) starts_with_sequence: bool,
    pub(super) first: Option<FirstFrame>,
    layers: Layers,
    /// A frame that is not intra, or shown again.
    pub(super) needs_others: bool,
    pub(super) reference: bool,
    pub(super) tiles: Tiles,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FirstFrame {
    pub(super) offset: u64,
    /// A key frame that is shown.
    pub(super) key: bool,
    pub(super) size: Option<FrameSize>,
}

/// Where tile groups may stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tiles {
    /// No frame is open.
    #[default]
    None,
    /// A frame header came at this offset, and nothing of its tiles.
    Due(u64),
    /// At least one tile group of the open frame came.
    Some,
    /// The frames cannot be decoded and are not looked into.
    Any,
}

/// Spatial layers of the frames so far.
#[derive(Clone, Copy, Debug, Default)]
struct Layers {
    /// That of the last frame.
    last: Option<u8>,
    /// Those that have shown theirs, layer 0 the lowest bit.
    shown: u8,
}

impl OpenUnit {
    pub(super) fn is_sync(&self) -> bool {
        self.starts_with_sequence && self.first.is_some_and(|frame| frame.key)
    }

    /// Frames that it shows: one for each spatial layer in it.
    pub(super) fn shown_frames(&self) -> u32 {
        self.layers.shown.count_ones()
    }

    /// Takes note of a frame of this spatial layer. Layers come in order, and each shows one frame, its last.
    pub(super) fn enter_layer(&mut self, layer: u8, shown: bool) -> Result<()> {
        const LAYERS: &str = "write the layers of each temporal unit in order, with one shown frame each";
        let Layers { last, shown: before } = self.layers;
        if let Some(last) = last.filter(|&last| last != layer) {
            if layer < last {
                let what = format!("a frame of spatial layer {layer} stands behind one of layer {last}");
                return Err(Error::malformed(what, "AV1 7.5", LAYERS));
            }
            if before >> last & 1 == 0 {
                let what = format!("spatial layer {last} of a temporal unit shows no frame");
                return Err(Error::malformed(what, "AV1 7.5", LAYERS));
            }
        }
        if shown && before >> layer & 1 == 1 {
            let of = if layer > 0 { format!(" of spatial layer {layer}") } else { String::new() };
            let what = format!("a temporal unit shows a second frame{of}");
            let remedy = "the stream lacks a temporal delimiter here, or the end of a packet";
            return Err(Error::malformed(what, "AV1 7.5", remedy));
        }
        self.layers = Layers { last: Some(layer), shown: before | u8::from(shown) << layer };
        Ok(())
    }

    /// # Errors
    /// Where it shows no frame, or its highest spatial layer shows none.
    pub(super) fn check_shown(&self, offset: u64) -> Result<()> {
        let Layers { last, shown } = self.layers;
        if last.is_some_and(|last| shown >> last & 1 == 1) {
            return Ok(());
        }
        Err(no_shown_frame(offset))
    }

    pub(super) fn add(&mut self, slots: &mut Slots, frame: &CodedFrame) {
        self.needs_others |= !frame.frame_type.is_intra();
        self.reference |= frame.refresh_frame_flags != 0;
        let stored = StoredFrame { frame_type: frame.frame_type, showable: frame.showable_frame };
        slots.refresh(frame.refresh_frame_flags, Some(stored));
    }

    /// 6.8.2: only a frame with `showable_frame` may be shown again, and a key frame once. A key frame that is shown this
    /// way fills every slot (5.9.2).
    pub(super) fn show_existing(&mut self, slots: &mut Slots, slot: u8, known: bool) -> Result<()> {
        let stored = slots.0[usize::from(slot)];
        if known && !stored.is_some_and(|frame| frame.showable) {
            let what = format!(
                "frame_to_show_map_idx is {slot}, whose frame is not there to be shown (showable_frame 0)"
            );
            return Err(Error::malformed(
                what,
                "AV1 6.8.2",
                "the stream is damaged or lacks data before this",
            ));
        }
        self.needs_others = true;
        if let Some(frame @ StoredFrame { frame_type: FrameType::Key, .. }) = stored {
            self.reference = true;
            slots.refresh(0xff, Some(StoredFrame { showable: false, ..frame }));
        }
        Ok(())
    }
}

pub(super) fn no_shown_frame(offset: u64) -> Error {
    let what = "a temporal unit shows no frame";
    Error::malformed(what, "AV1 7.5", "the stream lacks data here, or frames are packed one by one")
        .at(offset)
}
