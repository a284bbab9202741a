//! Init and media segments as `mp4-atom` reads them.

use std::fs;
use std::path::Path;

use mp4_atom::{Any, Codec, DecodeMaybe, FourCC, Moof, Moov};

use crate::wire;

/// An init segment.
pub struct Init {
    pub brands: Vec<FourCC>,
    pub moov: Moov,
    /// What `elng` says.
    pub language: Option<String>,
}

impl Init {
    pub fn read(path: &Path) -> Result<Self, String> {
        let (mut brands, mut moov) = (Vec::new(), None);
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let boxes = read_boxes(&bytes)?;
        for (_, _, any) in boxes {
            match any {
                Any::Ftyp(ftyp) => brands = ftyp.compatible_brands,
                Any::Moov(found) => moov = Some(found),
                _ => {}
            }
        }
        let moov = moov.ok_or("no moov")?;
        if moov.trak.len() != 1 {
            return Err(format!("{} trak boxes", moov.trak.len()));
        }
        // `mp4-atom` does not know `elng` (ISO/IEC 14496-12 8.4.6): version and flags, then a text that ends with 0.
        let elng = wire::find(&bytes, &["moov", "trak", "mdia", "elng"]).map(|body| &bytes[body]);
        let language = elng.and_then(|body| body.strip_prefix(&[0; 4])?.strip_suffix(&[0]));
        let language = language.map(|text| String::from_utf8_lossy(text).into_owned());
        Ok(Self { brands, moov, language })
    }

    pub fn timescale(&self) -> u64 {
        u64::from(self.moov.trak[0].mdia.mdhd.timescale)
    }

    pub fn codec(&self) -> Option<&Codec> {
        match &self.moov.trak[0].mdia.minf.stbl.stsd.codecs[..] {
            [one] => Some(one),
            _ => None,
        }
    }
}

/// One sample, all defaults resolved.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub duration: u64,
    pub size: usize,
    pub flags: u32,
    pub composition_offset: i64,
}

impl Sample {
    /// `sample_is_non_sync_sample` is 0.
    pub fn is_sync(self) -> bool {
        self.flags & 0x0001_0000 == 0
    }
}

/// A media segment of one chunk.
pub struct Segment {
    pub moof: Moof,
    /// Where `moof` and the payload of `mdat` begin in the file.
    pub moof_offset: usize,
    pub mdat_offset: usize,
    pub mdat: Vec<u8>,
    pub decode_time: u64,
    pub samples: Vec<Sample>,
}

impl Segment {
    pub fn read(path: &Path, init: &Init) -> Result<Self, String> {
        let boxes = read_boxes(&fs::read(path).map_err(|error| error.to_string())?)?;
        let (mut moof, mut mdat) = (None, None);
        for (start, end, any) in boxes {
            match any {
                Any::Moof(found) => moof = Some((start, found)),
                // The payload reaches to the end of its box.
                Any::Mdat(found) => mdat = Some((end - found.data.len(), found.data)),
                _ => {}
            }
        }
        let (moof_offset, moof) = moof.ok_or("no moof")?;
        let (mdat_offset, mdat) = mdat.ok_or("no mdat")?;
        let samples = samples(&moof, init)?;
        let tfdt = moof.traf[0].tfdt.as_ref().ok_or("no tfdt")?;
        let decode_time = tfdt.base_media_decode_time;
        Ok(Self { moof_offset, mdat_offset, mdat, decode_time, samples, moof })
    }

    /// Ticks from the first sample's decode time to the end of the last sample.
    pub fn duration(&self) -> u64 {
        self.samples.iter().map(|sample| sample.duration).sum()
    }

    /// The samples' bytes; an error where the sizes do not fill the `mdat`.
    pub fn payloads(&self) -> Result<Vec<&[u8]>, String> {
        let (mut payloads, mut rest) = (Vec::new(), &self.mdat[..]);
        for sample in &self.samples {
            let (payload, behind) =
                rest.split_at_checked(sample.size).ok_or("the samples run past the mdat")?;
            payloads.push(payload);
            rest = behind;
        }
        if rest.is_empty() {
            Ok(payloads)
        } else {
            Err(format!("{} bytes behind the last sample", rest.len()))
        }
    }
}

/// The samples of the one track fragment, with the defaults of `tfhd` and `trex` filled in (ISO/IEC 14496-12 8.8).
fn samples(moof: &Moof, init: &Init) -> Result<Vec<Sample>, String> {
    let trex = init.moov.mvex.as_ref().and_then(|mvex| mvex.trex.first()).ok_or("no trex")?;
    let [traf] = &moof.traf[..] else { return Err(format!("{} traf boxes", moof.traf.len())) };
    let [trun] = &traf.trun[..] else { return Err(format!("{} trun boxes", traf.trun.len())) };
    let tfhd = &traf.tfhd;
    let sample = |entry: mp4_atom::TrunEntry| Sample {
        duration: entry
            .duration
            .or(tfhd.default_sample_duration)
            .unwrap_or(trex.default_sample_duration)
            .into(),
        size: entry.size.or(tfhd.default_sample_size).unwrap_or(trex.default_sample_size) as usize,
        flags: entry.flags.or(tfhd.default_sample_flags).unwrap_or(trex.default_sample_flags),
        composition_offset: entry.cts.unwrap_or(0),
    };
    Ok(trun.samples.iter().map(sample).collect())
}

/// The boxes of a file with where each starts and ends. Every byte must belong to one.
fn read_boxes(bytes: &[u8]) -> Result<Vec<(usize, usize, Any)>, String> {
    let mut rest = bytes;
    let mut boxes = Vec::new();
    while !rest.is_empty() {
        let start = bytes.len() - rest.len();
        let any = Any::decode_maybe(&mut rest).map_err(|error| format!("box at {start}: {error}"))?;
        let any = any.ok_or_else(|| format!("the box at {start} is cut off"))?;
        if let Any::Unknown(kind, _) = &any {
            return Err(format!("the box at {start} has the unknown type {kind}"));
        }
        boxes.push((start, bytes.len() - rest.len(), any));
    }
    Ok(boxes)
}
