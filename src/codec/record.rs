//! Decoder configuration records of H.264 and H.265 (the bodies of `avcC` and `hvcC`): what any of them says, and what
//! their layouts have alike (ISO/IEC 14496-15 5.3.3.1, read as 5.2.4.1 of the 2010 edition, and 8.3.3.1, not opened; as
//! others quote it).

use super::parameter_sets::trim_zeros;
use crate::error::{Error, Result};

/// A decoder configuration record with parameter sets in it: the body of `avcC` or `hvcC`.
pub(crate) trait ConfigurationRecord {
    /// Bytes of the length in front of each NAL unit of a sample.
    fn length_size(&self) -> u8;

    /// Chroma format and the bit depths of luma and chroma; `None` where the record does not say.
    fn sample_format(&self) -> Option<[u8; 3]>;

    /// Whether decoders of `other`'s profile and level must decode what asks for this one's.
    fn is_within(&self, other: &Self) -> bool;

    /// Every parameter set, trailing zeros trimmed, with what its kind is called.
    fn parameter_sets(&self) -> Vec<(&'static str, &[u8])>;

    /// What it says of profile and level, in the syntax elements' names.
    fn profile_and_level(&self) -> String;

    /// Id of a set of this kind, as far as it can be read. H.264's extensions have none of their own.
    fn id_of(kind: &str, set: &[u8]) -> Option<u8>;
}

/// The sets of several kinds, one kind behind the other, trailing zeros trimmed.
pub(crate) fn named_sets<'a, const N: usize>(
    kinds: [(&'static str, &Vec<&'a [u8]>); N],
) -> Vec<(&'static str, &'a [u8])> {
    let named = kinds.into_iter().flat_map(|(kind, sets)| sets.iter().map(move |set| (kind, *set)));
    named.map(|(kind, set)| (kind, trim_zeros(set))).collect()
}

/// Reads a record from its first byte. Offsets of errors count from there.
pub(crate) struct RecordReader<'a> {
    record: &'a [u8],
    at: usize,
    /// That of the record's elements.
    clause: &'static str,
}

impl<'a> RecordReader<'a> {
    /// Behind `configurationVersion`, which must be 1.
    pub(crate) fn new(record: &'a [u8], clause: &'static str) -> Result<Self> {
        let mut r = Self { record, at: 0, clause };
        let version = r.u8("configurationVersion")?;
        if version != 1 {
            return Err(Error::out_of_range("configurationVersion", version, "1", clause).at(0));
        }
        Ok(r)
    }

    /// Where it is.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Whether nothing is left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.record.len()
    }

    pub(crate) fn bytes(&mut self, len: usize, element: &'static str) -> Result<&'a [u8]> {
        let bytes = self.record.get(self.at..).and_then(|rest| rest.get(..len));
        let bytes = bytes.ok_or_else(|| Error::truncated(element, self.clause).at(self.at as u64))?;
        self.at += len;
        Ok(bytes)
    }

    pub(crate) fn u8(&mut self, element: &'static str) -> Result<u8> {
        Ok(self.bytes(1, element)?[0])
    }

    pub(crate) fn u16(&mut self, element: &'static str) -> Result<u16> {
        let bytes = self.bytes(2, element)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// Bytes of the length in front of each NAL unit of a sample, 1, 2 or 4: `lengthSizeMinusOne` at the end of `byte`, the
    /// last one read.
    pub(crate) fn length_size(&self, byte: u8) -> Result<u8> {
        match byte & 3 {
            2 => {
                let at = self.at as u64 - 1;
                Err(Error::out_of_range("lengthSizeMinusOne", 2, "0, 1 or 3", self.clause).at(at))
            }
            minus_one => Ok(minus_one + 1),
        }
    }

    /// Chroma format and the bit depths of luma and chroma, called so.
    pub(crate) fn sample_format(&mut self, elements: [&'static str; 3]) -> Result<[u8; 3]> {
        let [chroma_format, luma, chroma] = elements;
        Ok([self.u8(chroma_format)? & 3, 8 + (self.u8(luma)? & 7), 8 + (self.u8(chroma)? & 7)])
    }

    /// A NAL unit behind its 16-bit length, and where it starts.
    pub(crate) fn nal(&mut self, length: &'static str, element: &'static str) -> Result<(usize, &'a [u8])> {
        let len = self.u16(length)?;
        Ok((self.at, self.bytes(usize::from(len), element)?))
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(self) -> Result<()> {
        let left = self.record.len() - self.at;
        if left > 0 {
            let what = format!("{left} bytes follow the end of the configuration record");
            return Err(self.damaged(what, self.at));
        }
        Ok(())
    }

    /// What does not hold at this byte of the record.
    pub(crate) fn damaged(&self, what: String, at: usize) -> Error {
        Error::malformed(what, self.clause, "the record is damaged, or its counts are").at(at as u64)
    }
}

/// A NAL unit behind its 16-bit length, which was checked to fit.
pub(crate) fn push_nal(record: &mut Vec<u8>, nal: &[u8]) {
    let len = u16::try_from(nal.len()).expect("only NAL units of at most MAX_SET_LEN bytes are taken in");
    record.extend(len.to_be_bytes());
    record.extend(nal);
}
