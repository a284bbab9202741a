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

#[cfg(test)]
mod tests {
    use super::*;
    use RandomAccess::{No, Rasl, Sync, UnlessRaslFollows};

    /// What each picture of these shows, by index.
    fn noted(accesses: &[RandomAccess]) -> Vec<Option<usize>> {
        let mut watch = RandomAccessWatch::default();
        accesses.iter().enumerate().map(|(index, &access)| watch.note(access, index)).collect()
    }

    #[test]
    fn first_rasl_picture_opens_its_cra_picture_once() {
        let accesses =
            [Sync, No, UnlessRaslFollows, Rasl, No, Rasl, UnlessRaslFollows, No, UnlessRaslFollows, No, Rasl];
        let mut expected = [None; 11];
        (expected[3], expected[10]) = (Some(2), Some(8));
        assert_eq!(noted(&accesses), expected);
    }

    #[test]
    fn rasl_picture_behind_a_later_start_opens_nothing() {
        assert_eq!(noted(&[UnlessRaslFollows, Sync, Rasl]), [None; 3]);
        assert_eq!(noted(&[Rasl, UnlessRaslFollows]), [None; 2]);
    }

    #[test]
    fn cra_picture_is_open_until_a_rasl_picture_or_another_start_comes() {
        let mut watch = RandomAccessWatch::default();
        assert_eq!(watch.open(), None);
        watch.note(UnlessRaslFollows, 7);
        watch.note(No, 8);
        assert_eq!(watch.open(), Some(&7));
        assert_eq!(watch.open_mut(), Some(&mut 7));
        let mut other = watch;
        assert_eq!(watch.note(Rasl, 9), Some(7));
        assert_eq!(watch.open(), None);
        assert_eq!(watch.note(Rasl, 10), None);
        other.note(Sync, 9);
        assert_eq!(other.open(), None);
    }
}
