//! What a video bitstream says of its pictures beside their bytes, in decode order.

use crate::codec::VideoConfiguration;
use crate::scan::access_units::Change;
use crate::time::FrameRate;
use crate::track::timeline::Orders;

/// Fields that a frame is shown for, where nothing says otherwise.
const FIELDS_OF_A_FRAME: u8 = 2;

/// What is kept of the pictures until they have their times.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    /// Where each stands in presentation order; empty where samples are presented in the order of decoding.
    pub orders: Orders,
    /// For how many fields each is shown; empty where all are frames that last as long as each other.
    pub fields: Vec<u8>,
    /// Of H.265: CRA pictures that no RASL picture follows, by index.
    pub closed_cras: Vec<usize>,
    /// Of H.265: CRA pictures that RASL pictures follow, in order: no sync samples.
    pub open_cras: Vec<OpenCra>,
    /// Periods behind the first, in order.
    pub periods: Vec<SourcePeriod>,
}

/// A part of a stream that has a sample entry of its own, behind the first.
#[derive(Clone, Debug)]
pub struct SourcePeriod {
    /// Index of its first sample, which is a sync sample.
    pub first: usize,
    /// What its parameter sets say together.
    pub configuration: VideoConfiguration,
    /// What ended the part in front of it.
    pub change: Change,
}

/// A CRA picture that no segment can start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCra {
    /// Its index among the samples.
    pub index: usize,
    /// Byte offset of its first slice.
    pub offset: u64,
    /// Byte offset of the first slice of the first RASL picture that follows it.
    pub rasl: u64,
}

impl Pictures {
    /// The rate of the frames, which `rate` is as the caller gave it or as the stream's clock says, and what a person should know of
    /// how long pictures are shown.
    pub(in crate::package) fn settle(
        &mut self,
        rate: FrameRate,
        is_given: bool,
    ) -> (FrameRate, Option<String>) {
        if is_given {
            return (rate, self.forget_pulldown());
        }
        let settled = self.settle_rate(rate);
        let message = if settled != rate {
            Some(format!(
                "{settled} frames per second: the stream's clock says {rate}, and its pic_struct that every picture is shown for \
                 longer; give the rate (fps=) if that is wrong"
            ))
        } else {
            let is_pulldown = self.fields.iter().any(|&fields| fields > FIELDS_OF_A_FRAME);
            is_pulldown.then(|| {
                "pictures are shown for different times, as the stream's pic_struct says (pulldown)"
                    .to_owned()
            })
        };
        (settled, message)
    }

    /// Frames shown for more or less than two fields (`pic_struct`: pulldown, doubling) last as long as others, since the caller
    /// gave the rate of frames; a field without the other one lasts half as long still. Says so where it changes something.
    fn forget_pulldown(&mut self) -> Option<String> {
        let more = self.fields.iter_mut().filter(|fields| **fields > FIELDS_OF_A_FRAME);
        let frames = more.map(|fields| *fields = FIELDS_OF_A_FRAME).count();
        if self.fields.iter().all(|&fields| fields == FIELDS_OF_A_FRAME) {
            self.fields.clear();
        }
        (frames > 0).then(|| {
            format!(
                "{frames} frames are to be shown longer than others by the stream's pic_struct (pulldown): at the frame rate \
                 given, all last as long"
            )
        })
    }

    /// The rate of the frames where the stream's own clock is `rate` and all are shown for equally long, but for longer than two
    /// fields (`pic_struct`: doubling): they are frames of that rate then.
    fn settle_rate(&mut self, rate: FrameRate) -> FrameRate {
        let Some((&first, others)) = self.fields.split_first() else { return rate };
        if first <= FIELDS_OF_A_FRAME || others.iter().any(|&fields| fields != first) {
            return rate;
        }
        let slower = FrameRate::new(
            u64::from(FIELDS_OF_A_FRAME) * u64::from(rate.numerator()),
            u64::from(first) * u64::from(rate.denominator()),
        );
        match slower {
            Some(slower) => {
                self.fields.clear();
                slower
            }
            None => rate,
        }
    }

    /// Notes for how many fields the picture of this index, which is the next, is shown.
    pub(super) fn note_fields(&mut self, index: usize, fields: u8) {
        if self.fields.is_empty() && fields != FIELDS_OF_A_FRAME {
            self.fields.resize(index, FIELDS_OF_A_FRAME);
        }
        if fields != FIELDS_OF_A_FRAME || !self.fields.is_empty() {
            self.fields.push(fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_fields(fields: &[u8]) -> Pictures {
        let mut pictures = Pictures::default();
        fields.iter().enumerate().for_each(|(index, &fields)| pictures.note_fields(index, fields));
        pictures
    }

    #[test]
    fn frames_that_are_all_doubled_are_frames_of_half_the_rate() {
        let rate = FrameRate::new(24, 1).unwrap();
        let settled = |fields: &[u8]| {
            let mut pictures = of_fields(fields);
            (pictures.settle_rate(rate), pictures.fields)
        };
        assert_eq!(settled(&[4, 4, 4]), (FrameRate::new(12, 1).unwrap(), vec![]));
        assert_eq!(settled(&[3, 3]), (FrameRate::new(16, 1).unwrap(), vec![]));
        // Frames as they are, one that differs, and fields without the other one.
        for fields in [&[][..], &[4, 4, 2], &[3, 2, 3, 2], &[1, 1]] {
            assert_eq!(settled(fields), (rate, fields.to_vec()), "{fields:?}");
        }
    }

    #[test]
    fn fields_are_kept_from_the_first_picture_that_differs() {
        assert!(of_fields(&[2, 2, 2]).fields.is_empty());
        assert_eq!(of_fields(&[2, 2, 3, 2, 1]).fields, [2, 2, 3, 2, 1]);
        assert_eq!(of_fields(&[3, 2]).fields, [3, 2]);
    }

    #[test]
    fn forgotten_pulldown_leaves_frames_that_last_as_long_and_fields_without_the_other() {
        let mut film = of_fields(&[3, 2, 3, 2]);
        let told = film.forget_pulldown().unwrap();
        assert!(told.starts_with("2 frames are to be shown longer"), "{told}");
        assert!(film.fields.is_empty());
        assert_eq!(film.forget_pulldown(), None);

        let mut mixed = of_fields(&[2, 4, 1, 6]);
        assert!(mixed.forget_pulldown().unwrap().starts_with("2 frames"));
        assert_eq!(mixed.fields, [2, 2, 1, 2]);
        // A field alone changes nothing for others, and nobody has to know.
        assert_eq!(mixed.forget_pulldown(), None);
        assert_eq!(mixed.fields, [2, 2, 1, 2]);
    }
}
