//! Everything that touches files: inputs, the segment file, publishing. The only module below the command line and the
//! running of a package that does.

use crate::error::{Error, ErrorKind, Result};

/// A source of bytes that is read by position, from several threads.
pub trait ReadAt: Sync {
    /// Bytes of the source.
    fn len(&self) -> u64;

    /// Whether the source has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset`. A source that ends before that has changed while it was read, which is an error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;
}

impl ReadAt for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let source =
            start.checked_add(buffer.len()).and_then(|end| self.get(start..end)).ok_or_else(|| {
                let what =
                    format!("{} bytes are asked for, the source has {}", buffer.len(), <[u8]>::len(self));
                Error::new(ErrorKind::Changed { what: what.into() }).at(offset)
            })?;
        buffer.copy_from_slice(source);
        Ok(())
    }
}
