//! Which CRA pictures of H.265 are sync samples: those that no RASL picture follows. It shows with the pictures behind them,
//! so a CRA picture counts as one until then.

use crate::codec::RandomAccess;

/// Watches pictures in decode order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RandomAccessWatch<T> {
    /// The CRA picture that RASL pictures may still follow.
    open: Option<T>,
}

impl<T> Default for RandomAccessWatch<T> {
    fn default() -> Self {
        Self { open: None }
    }
}

impl<T> RandomAccessWatch<T> {
    /// Notes the next picture, which the caller calls `picture`. Gives the CRA picture that it shows to be no sync sample.
    pub fn note(&mut self, access: RandomAccess, picture: T) -> Option<T> {
        match access {
            RandomAccess::Sync => self.open = None,
            RandomAccess::UnlessRaslFollows => self.open = Some(picture),
            RandomAccess::Rasl => return self.open.take(),
            RandomAccess::No => {}
        }
        None
    }

    /// The last CRA picture, as long as RASL pictures may follow it and none has.
    pub fn open(&self) -> Option<&T> {
        self.open.as_ref()
    }

    /// The same, to be changed.
    pub fn open_mut(&mut self) -> Option<&mut T> {
        self.open.as_mut()
    }
}
