//! Syncframes of E-AC-3 that no encoder at hand makes: the header in the order of ETSI TS 102 366 Table E.1.2, then filling. No
//! decoder can decode them. What tests say of FFmpeg and them comes from files of twenty such access units, `Frame::bytes` behind each
//! other, with `ffmpeg -i X.eac3 -c copy X.mp4`.

use crate::codec::testing::BitWriter;

/// One syncframe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) strmtyp: u32,
    pub(crate) substreamid: u32,
    /// Bytes, even.
    pub(crate) size: u32,
    pub(crate) fscod: u32,
    /// Or `fscod2` where `fscod` is 3.
    pub(crate) numblkscod: u32,
    pub(crate) acmod: u32,
    pub(crate) lfeon: bool,
    pub(crate) bsid: u32,
    pub(crate) chanmap: Option<u32>,
    /// Mixing metadata with everything in it that may be, and this `mixdef`.
    pub(crate) mixdef: Option<u32>,
    pub(crate) bsmod: Option<u32>,
    pub(crate) addbsi: &'static [u8],
}

impl Frame {
    /// 5.1 at 48 kHz, six blocks, nothing optional.
    pub(crate) const PLAIN: Self = Self {
        strmtyp: 0,
        substreamid: 0,
        size: 64,
        fscod: 0,
        numblkscod: 3,
        acmod: 7,
        lfeon: true,
        bsid: 16,
        chanmap: None,
        mixdef: None,
        bsmod: None,
        addbsi: &[],
    };

    /// Dependent substream 0: rear surround of 7.1.
    pub(crate) const REAR: Self =
        Self { strmtyp: 1, acmod: 2, lfeon: false, chanmap: Some(0x0200), ..Self::PLAIN };

    /// Objects: joint object coding of 16.
    pub(crate) const JOC: &'static [u8] = &[1, 16];

    pub(crate) const fn blocks(self, numblkscod: u32) -> Self {
        Self { numblkscod, ..self }
    }

    fn six_blocks(&self) -> bool {
        self.fscod == 3 || self.numblkscod == 3
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self { strmtyp, acmod, fscod, .. } = *self;
        let mut w = BitWriter::default();
        w.u(0x0b77, 16).u(strmtyp, 2).u(self.substreamid, 3).u(self.size / 2 - 1, 11);
        w.u(fscod, 2).u(self.numblkscod, 2).u(acmod, 3).flag(self.lfeon).u(self.bsid, 5);
        w.u(27, 5).flag(true).u(0x5a, 8); // dialnorm, compre, compr
        if acmod == 0 {
            w.u(27, 5).flag(false); // dialnorm2, compr2e
        }
        if strmtyp == 1 {
            w.flag(self.chanmap.is_some());
            self.chanmap.map(|map| w.u(map, 16));
        }
        w.flag(self.mixdef.is_some());
        if let Some(mixdef) = self.mixdef {
            self.write_mixing_metadata(&mut w, mixdef);
        }
        w.flag(self.bsmod.is_some());
        if let Some(bsmod) = self.bsmod {
            w.u(bsmod, 3).u(0, 2); // bsmod, copyrightb, origbs
            if acmod == 2 {
                w.u(5, 4); // dsurmod, dheadphonmod
            }
            if acmod >= 6 {
                w.u(2, 2); // dsurexmod
            }
            w.flag(true).u(20, 5).u(1, 2).u(0, 1); // audprodie, mixlevel, roomtyp, adconvtyp
            if acmod == 0 {
                w.flag(true).u(20, 5).u(1, 2).u(0, 1);
            }
            if fscod < 3 {
                w.flag(true); // sourcefscod
            }
        }
        if strmtyp == 0 && !self.six_blocks() {
            w.flag(true); // convsync
        }
        if strmtyp == 2 {
            if !self.six_blocks() {
                w.flag(true); // blkid
            }
            w.u(20, 6); // frmsizecod
        }
        w.flag(!self.addbsi.is_empty());
        if !self.addbsi.is_empty() {
            w.u(self.addbsi.len() as u32 - 1, 6); // addbsil
            for &byte in self.addbsi {
                w.u(byte.into(), 8);
            }
        }
        let mut bytes = w.finish_obu();
        assert!(bytes.len() <= self.size as usize, "a frame of {} bytes for its header", bytes.len());
        bytes.resize(self.size as usize, 0x55);
        bytes
    }

    fn write_mixing_metadata(&self, w: &mut BitWriter, mixdef: u32) {
        let Self { strmtyp, acmod, .. } = *self;
        if acmod > 2 {
            w.u(1, 2); // dmixmod
        }
        if acmod & 1 == 1 && acmod > 2 {
            w.u(3, 3).u(3, 3); // ltrtcmixlev, lorocmixlev
        }
        if acmod & 4 == 4 {
            w.u(3, 3).u(3, 3); // ltrtsurmixlev, lorosurmixlev
        }
        if self.lfeon {
            w.flag(true).u(15, 5); // lfemixlevcode, lfemixlevcod
        }
        if strmtyp != 0 {
            return;
        }
        w.flag(true).u(51, 6); // pgmscle, pgmscl
        if acmod == 0 {
            w.flag(true).u(51, 6); // pgmscl2e, pgmscl2
        }
        w.flag(true).u(51, 6); // extpgmscle, extpgmscl
        w.u(mixdef, 2);
        match mixdef {
            1 => w.u(1, 1).u(0, 1).u(5, 3), // premixcmpsel, drcsrc, premixcmpscl
            2 => w.u(0xabc, 12),            // mixdata
            3 => w.u(1, 5).u(0xabcdef, 24), // mixdeflen, mixdata of three bytes
            _ => w,
        };
        if acmod < 2 {
            w.flag(true).u(9, 8).u(3, 6); // paninfoe, panmean, paninfo
            if acmod == 0 {
                w.flag(true).u(9, 8).u(3, 6);
            }
        }
        w.flag(true); // frmmixcfginfoe
        if self.fscod != 3 && self.numblkscod == 0 {
            w.u(17, 5); // blkmixcfginfo
            return;
        }
        let blocks = if self.fscod == 3 { 6 } else { [1, 2, 3, 6][self.numblkscod as usize] };
        for block in 0..blocks {
            w.flag(block % 2 == 0); // blkmixcfginfoe
            if block % 2 == 0 {
                w.u(17, 5);
            }
        }
    }
}
