//! Structure: every box parses with `mp4-atom`, in the order and with the fields that CMAF asks for (ISO/IEC 23000-19 7.3).

use std::fs;
use std::path::Path;

use mp4_atom::{Codec, FourCC};

use super::{Parsed, Problems, each_track};
use crate::package::{Kind, Package, Track};
use crate::segment::{Init, Segment};
use crate::{source, wire};

const VIDEO_INIT: &str = "ftyp moov{mvhd trak{tkhd mdia{mdhd hdlr minf{vmhd dinf{dref} \
                          stbl{stsd stts stsc stsz stco stss}}}} mvex{mehd trex}}";
const AUDIO_INIT: &str = "ftyp moov{mvhd trak{tkhd mdia{mdhd hdlr elng minf{smhd dinf{dref} \
                          stbl{stsd stts stsc stsz stco}}}} mvex{mehd trex}}";
const MEDIA: &str = "styp moof{mfhd traf{tfhd tfdt trun}} mdat";

/// Boxes of init and media segments.
pub fn check(package: &Package) -> Problems {
    each_track(package, None, |track| match Parsed::read(package, track) {
        Ok(parsed) => {
            let expected = if track.kind == Kind::Video { VIDEO_INIT } else { AUDIO_INIT };
            let mut problems = layout(&package.init(track), expected);
            problems.extend(package.segments(track).iter().flat_map(|path| layout(path, MEDIA)));
            problems.extend(init(track, &parsed.init));
            for (number, segment) in (1..).zip(&parsed.segments) {
                problems.extend(
                    media(number, segment).into_iter().map(|text| format!("segment {number}: {text}")),
                );
            }
            problems
        }
        Err(problems) => problems,
    })
}

/// All boxes of a file and their order: `mp4-atom` skips those that it does not know, and takes any order.
fn layout(path: &Path, expected: &str) -> Problems {
    let bytes = fs::read(path).expect("it was parsed");
    let found = wire::tree(&bytes, 0..bytes.len()).unwrap_or_else(|| "a size that does not fit".to_owned());
    if found == expected {
        return Problems::new();
    }
    vec![format!("{} has {found}, expected {expected}", path.file_name().unwrap_or_default().display())]
}

fn init(track: &Track, init: &Init) -> Problems {
    let mut problems = Problems::new();
    let mut expect = |holds: bool, text: &str| {
        if !holds {
            problems.push(format!("init.mp4: {text}"));
        }
    };
    let video = track.kind == Kind::Video;
    let trak = &init.moov.trak[0];
    let stbl = &trak.mdia.minf.stbl;
    expect(init.brands.contains(&FourCC::new(b"cmfc")), "ftyp lacks the brand cmfc");
    expect(init.moov.mvhd.duration == 0 && trak.mdia.mdhd.duration == 0, "a duration is not 0");
    expect(stbl.stts.entries.is_empty() && stbl.stsc.entries.is_empty(), "stts or stsc is not empty");
    expect(stbl.stco.as_ref().is_some_and(|stco| stco.entries.is_empty()), "stco is not there and empty");
    expect(stbl.stss.as_ref().is_none_or(|stss| stss.entries.is_empty()), "stss is not empty");
    match init.codec() {
        Some(Codec::Avc1(avc1)) if video => {
            let size = (avc1.visual.width, avc1.visual.height);
            expect(
                size == (trak.tkhd.width.integer(), trak.tkhd.height.integer()),
                "avc1 and tkhd differ in size",
            );
            let file = track.source.file_stem().unwrap_or_default().to_string_lossy();
            expect(format!("{}p", size.1) == file, "the height is not the source's");
            expect(avc1.avcc.length_size == 4, "NAL unit lengths are not four bytes");
            expect(
                avc1.avcc.sequence_parameter_sets == source::parameter_sets(track, 7),
                "not the source's SPS",
            );
            expect(
                avc1.avcc.picture_parameter_sets == source::parameter_sets(track, 8),
                "not the source's PPS",
            );
        }
        Some(Codec::Av01(av01)) if video => {
            let size = (av01.visual.width, av01.visual.height);
            expect(
                size == (trak.tkhd.width.integer(), trak.tkhd.height.integer()),
                "av01 and tkhd differ in size",
            );
            let file = track.source.file_stem().unwrap_or_default().to_string_lossy();
            expect(format!("{}p", size.1) == file, "the height is not the source's");
            expect(init.brands.contains(&FourCC::new(b"av01")), "ftyp lacks the brand av01");
            expect(
                av01.av1c.config_obus == source::sequence_header(track),
                "not the source's sequence header",
            );
        }
        Some(Codec::Mp4a(mp4a)) if !video => {
            expect(mp4a.audio.sample_rate.integer() == 48000, "the sample rate is not 48000");
            expect(mp4a.audio.channel_count == 2, "the channel count is not 2");
            expect(init.timescale() == 48000, "the timescale is not the sample rate");
            let file = track.source.file_stem().unwrap_or_default().to_string_lossy();
            expect(init.language.as_deref() == Some(&*file), "elng is not the language");
        }
        _ => expect(false, "has not the one sample entry of its codec"),
    }
    problems
}

fn media(number: u32, segment: &Segment) -> Problems {
    let mut problems = Problems::new();
    let mut expect = |holds: bool, text: String| {
        if !holds {
            problems.push(text);
        }
    };
    let moof = &segment.moof;
    let (tfhd, trun) = (&moof.traf[0].tfhd, &moof.traf[0].trun[0]);
    let sequence_number = moof.mfhd.sequence_number;
    expect(sequence_number == number, format!("has the sequence number {sequence_number}"));
    expect(
        tfhd.default_base_is_moof && tfhd.base_data_offset.is_none(),
        "is not addressed from its moof".into(),
    );
    let data_offset = i64::from(trun.data_offset.unwrap_or(0));
    let expected = (segment.mdat_offset - segment.moof_offset) as i64;
    expect(data_offset == expected, format!("data_offset is {data_offset}, the payload is at {expected}"));
    if let Err(text) = segment.payloads() {
        expect(false, text);
    }
    problems
}
