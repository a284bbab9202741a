//! The first bytes of a file ► which elementary stream it is, or what it looks like instead and how to get the stream
//! out of it. By content only: a file name says nothing.

use memchr::memmem;

use super::adts::{AdtsHeader, tag_len};
use super::av1::starts_length_delimited;
use super::ivf::{IvfCodec, IvfHeader};
use crate::error::{Error, Result};

/// An elementary stream that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub enum ElementaryFormat {
    /// H.264 Annex B byte stream.
    H264AnnexB,
    /// H.265 Annex B byte stream.
    H265AnnexB,
    /// AV1 in IVF.
    Av1Ivf,
    /// AV1 as a low-overhead stream of OBUs (AV1 5.2, "Section 5"), with temporal delimiters.
    Av1Obu,
    /// AV1 in the length-delimited format (AV1 Annex B).
    Av1AnnexB,
    /// VP9 in IVF.
    Vp9Ivf,
    /// AAC in ADTS.
    AdtsAac,
    /// Opus in Ogg (RFC 7845).
    OggOpus,
    /// AC-3.
    Ac3,
    /// E-AC-3, or AC-3 with dependent substreams of E-AC-3.
    Eac3,
    /// Native FLAC.
    Flac,
}

/// Tells what `head` is the beginning of. It should have 64 KiB, or be the whole file if that is shorter; ID3 tags that are
/// longer than that are to be taken off in front ([`crate::io::windows::detect_format`] does).
///
/// # Errors
/// For anything else: what it looks like, and what to do.
pub fn detect(head: &[u8]) -> Result<ElementaryFormat> {
    let body = behind_tags(head);
    if body.starts_with(b"DKIF") {
        return IvfHeader::read_any(body).map(|(codec, _)| match codec {
            IvfCodec::Av1 => ElementaryFormat::Av1Ivf,
            IvfCodec::Vp9 => ElementaryFormat::Vp9Ivf,
        });
    }
    if body.starts_with(b"OggS") {
        return super::ogg::detect(body);
    }
    if body.starts_with(b"fLaC") {
        return Ok(ElementaryFormat::Flac);
    }
    if is_obu_stream(body) {
        return Ok(ElementaryFormat::Av1Obu);
    }
    if starts_length_delimited(body) {
        return Ok(ElementaryFormat::Av1AnnexB);
    }
    if let Some(format) = super::ac3::detect(body)? {
        return Ok(format);
    }
    if let Some(other) = signature(body) {
        return Err(other);
    }
    if is_adts(body) {
        return Ok(ElementaryFormat::AdtsAac);
    }
    if starts_with_start_code(body) {
        return annexb_codec(body);
    }
    Err(unknown(body))
}

fn behind_tags(mut head: &[u8]) -> &[u8] {
    while let Some(len) = tag_len(head, head.len() as u64) {
        match usize::try_from(len).ok().and_then(|len| head.get(len..)) {
            Some(rest) => head = rest,
            None => break,
        }
    }
    head
}

/// One ADTS frame, and behind it another, a tag, or the end of what there is.
fn is_adts(bytes: &[u8]) -> bool {
    let Some(first) = AdtsHeader::read(bytes) else { return false };
    if first.frame_length <= first.framing_len() {
        return false;
    }
    let next = bytes.get(usize::from(first.frame_length)..).unwrap_or_default();
    next.len() < 7
        || tag_len(next, next.len() as u64).is_some()
        || AdtsHeader::read(next)
            .is_some_and(|h| h.sampling_frequency_index == first.sampling_frequency_index)
}

fn starts_with_start_code(bytes: &[u8]) -> bool {
    bytes.iter().position(|&b| b != 0).is_some_and(|at| at >= 2 && bytes[at] == 1 && at + 1 < bytes.len())
}

/// Which codec's NAL units these are. A parameter set decides, since its header byte means nothing in the other codecs; a
/// stream that starts in the middle, without any, is taken for H.264 by its slices, whose header bytes are odd where
/// those of H.265 are even.
fn annexb_codec(bytes: &[u8]) -> Result<ElementaryFormat> {
    let mut h264_slices = false;
    let mut first_byte = None;
    for at in memmem::find_iter(bytes, &[0, 0, 1]) {
        let Some(unit) = bytes.get(at + 3..).filter(|unit| !unit.is_empty()) else { break };
        let header = unit[0];
        first_byte.get_or_insert(header);
        match unit {
            _ if is_h264_sps(unit) => return Ok(ElementaryFormat::H264AnnexB),
            // nal_unit_type 32 or 33 (VPS, SPS), nuh_layer_id 0, nuh_temporal_id_plus1 1 (H.265 7.3.1.2).
            [0x40 | 0x42, 1, ..] => return Ok(ElementaryFormat::H265AnnexB),
            // nal_unit_type 14 or 15 (VPS, SPS), nuh_layer_id 0, nuh_temporal_id_plus1 1 in H.266.
            [0x00, 0x71 | 0x79, ..] => return Err(not_taken("an H.266 (VVC) byte stream", ENCODE)),
            _ => {}
        }
        // forbidden_zero_bit 0, and nal_unit_type 1 (slice), or 5 (IDR slice), which is always a reference.
        h264_slices |= header & 0x9f == 0x01 || (header & 0x9f == 0x05 && header & 0x60 != 0);
    }
    match first_byte {
        // Start codes from B0 on belong to MPEG systems and to MPEG video before H.264.
        Some(0xba) => Err(not_taken("an MPEG program stream", DEMUX)),
        Some(0xb3) => Err(not_taken("MPEG-1 or MPEG-2 video", ENCODE)),
        Some(0xb0..) => Err(not_taken("MPEG video that is not H.264", ENCODE)),
        _ if h264_slices => Ok(ElementaryFormat::H264AnnexB),
        _ => Err(not_taken(
            "a byte stream with start codes, but without any parameter set of H.264 or H.265, or slice of H.264",
            ENCODE,
        )),
    }
}

/// A sequence parameter set's header byte, a profile that H.264 Annex A, G, H, I or J names, and a level.
fn is_h264_sps(unit: &[u8]) -> bool {
    let [header, profile_idc, _constraints, level_idc, ..] = unit else { return false };
    // forbidden_zero_bit 0, nal_ref_idc above 0, nal_unit_type 7.
    header & 0x9f == 0x07
        && header & 0x60 != 0
        && matches!(
            profile_idc,
            44 | 66 | 77 | 83 | 86 | 88 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 244
        )
        && (9..=62).contains(level_idc)
}

/// A temporal delimiter of the low-overhead format (AV1 5.3.2, 5.6), and behind it the header of another OBU with a size
/// field, or the end of what there is.
fn is_obu_stream(bytes: &[u8]) -> bool {
    let behind = match bytes {
        [0x12, 0, behind @ ..] => behind,
        // With an extension header.
        [0x16, extension, 0, behind @ ..] if extension & 7 == 0 => behind,
        _ => return false,
    };
    // obu_forbidden_bit and obu_reserved_1bit 0, obu_has_size_field 1, and a type that is not reserved.
    behind.first().is_none_or(|b| b & 0x83 == 0x02 && matches!(b >> 3, 1..=8 | 15))
}

const ENCODE: &str = "give H.264 or H.265 as Annex B, AV1 or VP9 as IVF, AV1 as OBUs, AAC as ADTS, Opus as Ogg, AC-3, E-AC-3 or FLAC";
const DEMUX: &str = "take the streams out first: ffmpeg -i FILE -an -c copy v.ivf for AV1 and VP9, ffmpeg -i FILE -an -c copy \
                     -bsf:v h264_mp4toannexb v.h264 for H.264 (hevc_mp4toannexb v.h265 for H.265), and ffmpeg -i FILE -vn -c copy a.aac \
                     for AAC (a.opus, a.ac3, a.eac3, a.flac for these)";

fn not_taken(what: &'static str, remedy: &'static str) -> Error {
    Error::unsupported(format!("the file looks like {what}"), remedy)
}

/// Formats that a fixed signature names.
fn signature(bytes: &[u8]) -> Option<Error> {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let has = |magic: &[u8]| at(0, magic);
    // Box types that ISO/IEC 14496-12 and QuickTime files begin with.
    const BOXES: [&[u8; 4]; 12] = [
        b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"sidx", b"emsg", b"prft", b"free", b"skip", b"wide",
        b"pnot",
    ];
    let (what, remedy) = if BOXES.iter().any(|name| at(4, *name)) {
        ("an MP4 or QuickTime file", DEMUX)
    } else if is_transport_stream(bytes) {
        ("an MPEG transport stream", DEMUX)
    } else if has(&[0x1a, 0x45, 0xdf, 0xa3]) {
        ("Matroska or WebM", DEMUX)
    } else if has(b"FLV\x01") {
        ("Flash video", DEMUX)
    } else if has(b"RIFF") && at(8, b"AVI ") {
        ("AVI", DEMUX)
    } else if (has(b"RIFF") || has(b"RF64")) && at(8, b"WAVE") {
        ("WAV", "encode it: ffmpeg -i FILE -c:a aac -b:a 128k out.aac")
    } else if has(b"ADIF") {
        ("AAC in ADIF", "write it as ADTS: ffmpeg -i FILE -c copy out.aac")
    } else if bytes.len() > 2 && has(&[0x56]) && bytes[1] & 0xe0 == 0xe0 && !is_text(bytes) {
        ("AAC in LOAS/LATM", "write it as ADTS: ffmpeg -i FILE -c copy out.aac")
    } else if is_mp3(bytes) {
        ("MP3 or MPEG audio", "encode it as AAC: ffmpeg -i FILE -c:a aac -b:a 128k out.aac")
    } else if has(b"YUV4MPEG2") {
        ("uncompressed video (Y4M)", "encode it as H.264: ffmpeg -i FILE -c:v libx264 out.h264")
    } else {
        return None;
    };
    Some(not_taken(what, remedy))
}

/// Sync bytes at every packet of 188 bytes, or of 192 with a time stamp in front (M2TS).
fn is_transport_stream(bytes: &[u8]) -> bool {
    let packets = |first: usize, size: usize| {
        let mut syncs = bytes.iter().skip(first).step_by(size).take(4);
        bytes.len() >= first + 2 * size && syncs.all(|&b| b == 0x47)
    };
    packets(0, 188) || packets(4, 192)
}

/// An MPEG audio header (ISO/IEC 11172-3) with layer I, II or III and no reserved value. A UTF-16 byte order mark has the
/// syncword too.
fn is_mp3(bytes: &[u8]) -> bool {
    let [0xff, b1, b2, ..] = bytes else { return false };
    b1 & 0xe0 == 0xe0
        && b1 >> 3 & 3 != 1 // version: 1 is reserved
        && b1 >> 1 & 3 != 0 // layer: 0 is reserved here, and ADTS
        && !matches!(b2 >> 4, 0 | 15) // bitrate_index
        && b2 >> 2 & 3 != 3 // sampling_frequency
        && !is_utf16(bytes)
}

/// A UTF-16 byte order mark with Latin text behind it.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, _, 0, ..] | [0xfe, 0xff, 0, _, ..])
}

fn unknown(bytes: &[u8]) -> Error {
    let what = if bytes.is_empty() {
        "the file is empty"
    } else if bytes.iter().all(|&b| b == 0) {
        "the file begins with nothing but zeros"
    } else if is_text(bytes) {
        "the file is text"
    } else {
        "the file is of no kind that is known here"
    };
    Error::conflict(what, ENCODE)
}

/// Valid UTF-8 (the cut at the end aside) or UTF-16 without control characters that text does not have.
fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(1024)];
    let utf8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    let control = |&b: &u8| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    is_utf16(start) || (utf8 && !start.iter().any(control))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of AAC LC, 44.1 kHz, stereo.
    fn adts_frame(payload: usize) -> Vec<u8> {
        let len = payload + 7;
        let mut frame =
            vec![0xff, 0xf1, 0x50, 0x80 | (len >> 11) as u8, (len >> 3) as u8, (len << 5) as u8 | 0x1f, 0xfc];
        frame.resize(len, 0x21);
        frame
    }

    fn refusal(head: &[u8]) -> String {
        detect(head).unwrap_err().to_string()
    }

    #[test]
    fn h264_is_known_by_its_sps_wherever_the_stream_begins() {
        let sps = [0, 0, 0, 1, 0x67, 0x64, 0, 0x28, 0xac];
        let slices = [0, 0, 1, 0x41, 0x9a, 0, 0, 1, 0x01, 0x9e];
        for head in [&sps[..], &[&[0, 0][..], &sps].concat(), &[&slices[..], &sps].concat(), &slices] {
            assert_eq!(detect(head).unwrap(), ElementaryFormat::H264AnnexB, "{head:02x?}");
        }
    }

    #[test]
    fn h265_is_known_by_a_parameter_set_wherever_the_stream_begins() {
        // The second one starts with a TRAIL_R slice: no unit of it looks like H.264.
        for head in [&[0, 0, 0, 1, 0x40, 1, 0x0c, 1][..], &[0, 0, 1, 0x02, 1, 0xd0, 0, 0, 1, 0x42, 1, 1]] {
            assert_eq!(detect(head).unwrap(), ElementaryFormat::H265AnnexB, "{head:02x?}");
        }
    }

    #[test]
    fn other_codecs_with_start_codes_are_named() {
        for (head, name) in [
            (&[0, 0, 0, 1, 0x00, 0x79, 0, 0x0d][..], "H.266"),
            (&[0, 0, 1, 0xb3, 0x14, 0, 0xf0], "MPEG-2 video"),
            (&[0, 0, 1, 0xba, 0x44], "program stream"),
            (&[0, 0, 1, 0xb0, 0x01], "MPEG video"),
            (&[0, 0, 1, 0x09, 0xf0], "without any"),
        ] {
            assert!(refusal(head).contains(name), "{}", refusal(head));
        }
    }

    #[test]
    fn adts_is_known_by_two_syncwords_behind_tags() {
        let one = adts_frame(30);
        let two = [one.clone(), one.clone()].concat();
        let id3 = [&b"ID3\x04\0\0\0\0\0\x05abcde"[..], &two].concat();
        let tag = [&one[..], b"TAG", &[0; 125]].concat();
        for head in [&one, &two, &id3, &tag, &one[..20].to_vec()] {
            assert_eq!(detect(head).unwrap(), ElementaryFormat::AdtsAac);
        }
        let mut no_second = two;
        no_second[37] = 0;
        assert!(detect(&no_second).is_err());
    }

    #[test]
    fn ac3_is_known_by_two_syncwords() {
        // 128 bytes of AC-3 (fscod 0, frmsizecod 0, bsid 8), and of E-AC-3 (frmsiz 63, bsid 16), independent and dependent.
        let frame = |head: [u8; 6]| [&head[..], &[0; 122]].concat();
        let ac3 = frame([0x0b, 0x77, 0, 0, 0, 0x40]);
        let [independent, dependent] = [0, 0x40].map(|strmtyp| frame([0x0b, 0x77, strmtyp, 63, 0, 0x80]));
        let id3 = [&b"ID3\x04\0\0\0\0\0\x05abcde"[..], &ac3, &ac3].concat();
        for (head, format) in [
            (&ac3, ElementaryFormat::Ac3),
            (&[&ac3[..], &ac3].concat(), ElementaryFormat::Ac3),
            (&[&ac3[..], b"TAG", &[0; 125]].concat(), ElementaryFormat::Ac3),
            (&id3, ElementaryFormat::Ac3),
            (&ac3[..100].to_vec(), ElementaryFormat::Ac3),
            (&independent, ElementaryFormat::Eac3),
            (&[&independent[..], &dependent].concat(), ElementaryFormat::Eac3),
            (&[&ac3[..], &dependent].concat(), ElementaryFormat::Eac3),
        ] {
            assert_eq!(detect(head).unwrap(), format);
        }
        assert!(refusal(&[&ac3[..], &[0; 10]].concat()).contains("no kind"));
        assert!(refusal(&[0x0b, 0x77]).contains("no kind"));
    }

    #[test]
    fn flac_is_known_by_its_marker_behind_tags() {
        let tagged = b"ID3\x04\0\0\0\0\0\x02abfLaC\0\0\0\x22";
        for head in [&b"fLaC\0\0\0\x22"[..], b"fLaC", tagged] {
            assert_eq!(detect(head).unwrap(), ElementaryFormat::Flac);
        }
    }

    #[test]
    fn ivf_is_known_by_its_signature_and_codec() {
        let mut header = *b"DKIF\0\0\x20\0AV01@\x01\xf0\0\xe8\x03\0\0\x01\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(detect(&header).unwrap(), ElementaryFormat::Av1Ivf);
        header[8..12].copy_from_slice(b"VP90");
        assert_eq!(detect(&header).unwrap(), ElementaryFormat::Vp9Ivf);
        header[8..12].copy_from_slice(b"XVID");
        assert!(refusal(&header).contains("IVF with the codec 'XVID': not supported; give AV1"));
    }

    #[test]
    fn obu_streams_are_known_by_their_first_delimiter() {
        // The start of FFmpeg 5.1's `-f lavfi -i testsrc2=size=64x48 -c:v libaom-av1 -f obu`.
        let ffmpeg =
            [0x12, 0, 0x0a, 0x0a, 0, 0, 0, 2, 0xaf, 0xf7, 0x9b, 0x5f, 0x20, 0x08, 0x32, 0xed, 0x03, 0x14];
        // Temporal delimiters with an extension, in front of metadata, and alone.
        for head in [&ffmpeg[..], &[0x16, 0x20, 0, 0x0e], &[0x12, 0, 0x2a], &[0x12, 0]] {
            assert_eq!(detect(head).unwrap(), ElementaryFormat::Av1Obu, "{head:02x?}");
        }
        // Behind it a forbidden bit, no size field, a reserved bit, a reserved type.
        for byte in [0x8a, 0x08, 0x0b, 0x4a, 0x02] {
            assert!(detect(&[0x12, 0, byte]).is_err(), "{byte:02x}");
        }
    }

    #[test]
    fn containers_and_other_files_are_named_in_one_line() {
        let mut transport = vec![0u8; 600];
        [0, 188, 376, 564].into_iter().for_each(|at| transport[at] = 0x47);
        for (head, name) in [
            (&b""[..], "empty"),
            (&[0; 100], "nothing but zeros"),
            (b"#EXTM3U\n#EXT-X-VERSION:7\n", "text"),
            ("Größe\n".as_bytes(), "text"),
            (&[0xff, 0xfe, b'h', 0, b'i', 0], "text"),
            (&[0xff, 0xfb, 0x90, 0x64, 0, 0], "MP3"),
            (b"ID3\x03\0\0\0\0\0\0\xff\xfb\x90\x64\0\0", "MP3"),
            (b"\0\0\0\x20ftypisom", "MP4"),
            (&transport, "transport stream"),
            (&[0x1a, 0x45, 0xdf, 0xa3, 0x9f], "Matroska"),
            (b"RIFF\0\0\0\0WAVEfmt ", "WAV"),
            (b"DKIF\0\0\x20\0AV01", "no IVF header of 32 bytes"),
            (
                b"DKIF\0\0\x20\0VP80@\x01\xf0\0\xe8\x03\0\0\x01\0\0\0\0\0\0\0\0\0\0\0",
                "VP8 in IVF: not supported",
            ),
            (b"OggS\0\x02", "Ogg"),
            (
                b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x33\x7fFLAC\x01\0",
                "Ogg with FLAC: not supported; take the stream out: ffmpeg",
            ),
            (&[0x77, 0x0b, 0, 0, 0x40, 0], "AC-3 in little-endian words"),
            (&[0x0b, 0x77, 0, 0, 0, 0x48], "bsid 9"),
            (&[0x56, 0xe0, 0x30, 0x20], "LATM"),
            (&[0x7f, b'E', b'L', b'F', 2, 0x80], "no kind"),
        ] {
            let line = refusal(head);
            assert!(line.contains(name) && !line.contains('\n'), "{name}: {line}");
        }
    }
}
