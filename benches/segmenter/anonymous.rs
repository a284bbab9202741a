//! The least that a packet can cost on its way: the encoder writes it into memory that no file is behind, in huge pages, and
//! nothing else is done. What `reserve` takes beyond this is what the file, the header and the checks cost.

use memmap2::{Advice, MmapMut, MmapOptions};

use super::AnyResult;

/// Of x86-64; elsewhere it only rounds the buffer up.
const HUGE_PAGE: usize = 2 << 20;

/// A buffer for one segment.
pub struct Anonymous {
    buffer: MmapMut,
    used: usize,
    /// Whether the next segment goes into the same pages.
    reuse: bool,
}

impl Anonymous {
    pub fn new(segment_bytes: u64, reuse: bool) -> AnyResult<Self> {
        Ok(Self { buffer: map(usize::try_from(segment_bytes)?)?, used: 0, reuse })
    }

    pub fn take(&mut self, packet: &[u8]) -> AnyResult<()> {
        let end = self.used + packet.len();
        let room = self.buffer.get_mut(self.used..end).ok_or("a segment is larger than its source")?;
        room.copy_from_slice(packet);
        self.used = end;
        Ok(())
    }

    /// Ends the segment, whose bytes nobody wants.
    pub fn cut(&mut self) -> AnyResult<()> {
        self.used = 0;
        if !self.reuse {
            // Assigned after it is mapped: the pages are others, as those of the next file are.
            self.buffer = map(self.buffer.len())?;
        }
        Ok(())
    }
}

fn map(len: usize) -> AnyResult<MmapMut> {
    let buffer = MmapOptions::new().len(len.next_multiple_of(HUGE_PAGE)).map_anon()?;
    // A kernel that has none refuses. Where they are switched off the count of page faults tells.
    buffer.advise(Advice::HugePage)?;
    Ok(buffer)
}
