//! Opus: its sample entry as bytes, and what its init segment has beside it.

use super::*;
use crate::codec::opus::OpusConfig;

/// Headers that FFmpeg 5.1 with libopus 1.3.1 wrote: `ffmpeg -f lavfi -i aevalsrc=…:c=stereo:d=3.123 -c:a libopus -frame_duration 20 x.opus`,
/// and `c=5.1`.
const STEREO: &[u8] = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
const SURROUND_5_1: &[u8] = b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05";

fn header(head: &[u8], rate: u32) -> TrackHeader {
    TrackHeader {
        timescale: Timescale::new(NonZeroU32::new(48_000).unwrap()),
        entry: SampleEntry::Audio(OpusConfig::read_head(head).unwrap().configuration()),
        language: None,
        role: None,
        duration: Some(Ticks(149_904)),
        bit_rate: Some(BitRate { buffer_size: 0, max: rate, average: rate }),
    }
}

#[test]
#[rustfmt::skip]
fn the_sample_entry_as_ffmpeg() {
    // The same files in MP4: `ffmpeg -i x.opus -c copy -f mp4`.
    let stereo = [
        b"\0\0\0\x5bstsd\0\0\0\0\0\0\0\x01".as_slice(),      // entry_count 1
        b"\0\0\0\x4bOpus\0\0\0\0\0\0\0\x01",                 // reserved, data_reference_index 1
        b"\0\0\0\0\0\0\0\0\0\x02\0\x10\0\0\0\0\xbb\x80\0\0", // reserved, 2 channels, 16 bits, 48000.0
        b"\0\0\0\x13dOps\0\x02\x01\x38\0\0\xbb\x80\0\0\0",   // version 0, pre-skip 312, 48000 Hz, gain 0, family 0
        b"\0\0\0\x14btrt\0\0\0\0\0\x01\x3d\xd7\0\x01\x3d\xd7",
    ].concat();
    let surround = [
        b"\0\0\0\x63stsd\0\0\0\0\0\0\0\x01".as_slice(),
        b"\0\0\0\x53Opus\0\0\0\0\0\0\0\x01",
        b"\0\0\0\0\0\0\0\0\0\x06\0\x10\0\0\0\0\xbb\x80\0\0",
        b"\0\0\0\x1bdOps\0\x06\x01\x38\0\0\xbb\x80\0\0\x01",
        b"\x04\x02\0\x04\x01\x02\x03\x05",                   // 4 streams, 2 coupled, mapping
        b"\0\0\0\x14btrt\0\0\0\0\0\x05\x9d\x97\0\x05\x9d\x97",
    ].concat();
    for (head, rate, ffmpeg) in [(STEREO, 0x13dd7, stereo), (SURROUND_5_1, 0x59d97, surround)] {
        let header = header(head, rate);
        assert_eq!(header.entry.sample_description(header.bit_rate).unwrap(), ffmpeg);
    }
}

#[test]
fn the_init_segment_has_an_edit_list_and_a_roll_group_in_their_places() {
    let init = write_init_segment(&header(STEREO, 80_000)).unwrap();
    assert_eq!(
        tree(&init),
        "ftyp moov(mvhd trak(tkhd edts mdia(mdhd hdlr minf(smhd dinf(dref(url )) \
         stbl(stsd stts stsc stsz stco sgpd)))) mvex(mehd trex))"
    );
    let none = OpusConfig::new(2, 0).unwrap().configuration();
    let init =
        write_init_segment(&TrackHeader { entry: SampleEntry::Audio(none), ..header(STEREO, 1) }).unwrap();
    assert!(!tree(&init).contains("edts"), "no pre-skip, no edit list");
}

#[test]
fn an_independent_reader_finds_opus() {
    let init = write_init_segment(&header(STEREO, 80_000)).unwrap();
    let mut bytes = init.as_slice();
    mp4_atom::Ftyp::decode(&mut bytes).unwrap();
    let moov = mp4_atom::Moov::decode(&mut bytes).unwrap();
    let [Codec::Opus(opus)] = moov.trak[0].mdia.minf.stbl.stsd.codecs.as_slice() else {
        panic!("one Opus entry")
    };
    assert_eq!((opus.audio.channel_count, opus.dops.output_channel_count, opus.dops.pre_skip), (2, 2, 312));
    assert_eq!(opus.dops.input_sample_rate, 48_000);
    let [edit] = moov.trak[0].edts.as_ref().unwrap().elst.as_ref().unwrap().entries.as_slice() else {
        panic!("one edit")
    };
    assert_eq!((edit.segment_duration, edit.media_time), (0, Some(312)));
    assert_eq!(moov.mvex.unwrap().mehd.unwrap().fragment_duration, 149_904 - 312);
}
