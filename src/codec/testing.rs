//! For tests: a bit writer, with which the builders of each codec spell its syntax.

/// Writes bits, most significant first.
#[derive(Clone, Debug, Default)]
pub(crate) struct BitWriter {
    bits: Vec<bool>,
}

impl BitWriter {
    /// The bits of `other` behind those of this one.
    pub(crate) fn append(&mut self, other: &Self) -> &mut Self {
        self.bits.extend(&other.bits);
        self
    }

    pub(crate) fn flag(&mut self, value: bool) -> &mut Self {
        self.bits.push(value);
        self
    }

    pub(crate) fn u(&mut self, value: u32, bits: u8) -> &mut Self {
        for bit in (0..bits).rev() {
            self.bits.push(value >> bit & 1 == 1);
        }
        self
    }

    /// Exp-Golomb: as many zeros as the binary form of `value + 1` has digits behind its first, then that form.
    pub(crate) fn ue(&mut self, value: u32) -> &mut Self {
        let digits = format!("{:b}", u64::from(value) + 1);
        self.bits.extend(std::iter::repeat_n(false, digits.len() - 1));
        self.bits.extend(digits.bytes().map(|digit| digit == b'1'));
        self
    }

    pub(crate) fn se(&mut self, value: i32) -> &mut Self {
        let magnitude = value.unsigned_abs();
        self.ue(if value > 0 { 2 * magnitude - 1 } else { 2 * magnitude })
    }

    /// Zero bits up to the next byte, as `pcm_alignment_zero_bit`.
    pub(crate) fn align(&mut self) -> &mut Self {
        self.bits.resize(self.bits.len().next_multiple_of(8), false);
        self
    }

    /// Zero bits up to the next byte, then the bytes as they are.
    pub(crate) fn finish_zeros(&mut self) -> Vec<u8> {
        self.align();
        self.bits.chunks(8).map(|byte| byte.iter().fold(0, |acc, &bit| acc << 1 | u8::from(bit))).collect()
    }

    /// `trailing_bits()` of AV1 5.3.4, then the bytes as they are.
    pub(crate) fn finish_obu(&mut self) -> Vec<u8> {
        self.bits.push(true);
        self.bits.resize(self.bits.len().next_multiple_of(8), false);
        self.bits.chunks(8).map(|byte| byte.iter().fold(0, |acc, &bit| acc << 1 | u8::from(bit))).collect()
    }

    /// `rbsp_trailing_bits()`, then bytes with emulation prevention.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.bits.push(true);
        self.bits.resize(self.bits.len().next_multiple_of(8), false);
        let rbsp = self.bits.chunks(8).map(|byte| byte.iter().fold(0, |acc, &bit| acc << 1 | u8::from(bit)));
        let mut out = Vec::new();
        for byte in rbsp {
            if byte <= 3 && out.ends_with(&[0, 0]) {
                out.push(3);
            }
            out.push(byte);
        }
        out
    }

    /// A NAL unit with this header byte.
    pub(crate) fn nal(&mut self, header: u8) -> Vec<u8> {
        let mut nal = vec![header];
        nal.extend(self.finish());
        nal
    }
}
