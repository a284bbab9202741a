use super::super::testing::BitWriter;
use super::testing::Frame;
use super::*;

fn read(frame: &Frame) -> Syncframe {
    Syncframe::read(&frame.bytes()).unwrap()
}

fn config(data_rate: u16, frames: &[Frame]) -> Eac3Config {
    let mut substreams: Vec<IndependentSubstream> = Vec::new();
    let mut joc = None;
    for frame in frames.iter().map(read) {
        joc = joc.max(frame.joc_complexity);
        match (frame.stream_type, substreams.last_mut()) {
            (StreamType::Dependent, Some(last)) => {
                last.dependents += 1;
                last.dependent_map |= frame.channel_map;
            }
            _ => substreams.push(IndependentSubstream::of(&frame)),
        }
    }
    Eac3Config::new(data_rate, substreams, joc).unwrap()
}

#[test]
fn records_equal_those_that_ffmpeg_writes() {
    // FFmpeg 5.1: the first bytes of `-c:a eac3 -ar RATE -ac CHANNELS -b:a RATE`, the size of that file's first frame in bytes, and the
    // fields of `dec3` when its mp4 muxer copies it.
    for (frame, size, data_rate, record, channels) in [
        ("0b77007f3287c0002105", 256, 64, [0x02, 0x00, 0x20, 0x02, 0x00], 1),
        ("0b7700ff3487c0002084", 512, 128, [0x04, 0x00, 0x20, 0x04, 0x00], 2),
        ("0b7701ff3f87c0002084", 1024, 256, [0x08, 0x00, 0x20, 0x0f, 0x00], 6),
        ("0b7701157487c0002084", 556, 128, [0x04, 0x00, 0x60, 0x04, 0x00], 2),
        ("0b77023fbf87c0000084", 1152, 192, [0x06, 0x00, 0xa0, 0x0f, 0x00], 6),
    ] {
        let bytes: Vec<u8> = (0..frame.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&frame[at..at + 2], 16).unwrap())
            .collect();
        let header = Syncframe::read(&bytes).unwrap();
        assert_eq!((header.size, header.blocks, header.stream_type), (size, 6, StreamType::Independent));
        let config = Eac3Config::new(data_rate, vec![IndependentSubstream::of(&header)], None).unwrap();
        assert_eq!((config.record(), config.channels()), (record.to_vec(), channels));
    }
}

#[test]
fn a_dependent_substream_stands_in_chan_loc() {
    // 7.1: FFmpeg 5.1 (mp4 muxer, copying `Frame::PLAIN` with `Frame::REAR` behind it) writes 00 80 20 0f 02 10, with the data rate of
    // the independent substream alone, and with chan_loc 0x010 for chanmap 0x0200: it takes other bits. By Table F.6.1 that is bit 1.
    let config = config(16, &[Frame::PLAIN, Frame::REAR]);
    assert_eq!(config.record(), [0x00, 0x80, 0x20, 0x0f, 0x02, 0x02]);
    let configuration = config.configuration();
    assert_eq!((configuration.channels, configuration.sample_rate), (8, 48_000));
    assert_eq!(configuration.dolby.unwrap(), DolbyChannels { channel_map: 0xfa01, joc_complexity: None });
}

#[test]
fn ac3_with_a_dependent_substream_of_objects_is_e_ac3() {
    // The bytes that a public project's test has for such a stream, whose FFmpeg with the fix of chan_loc wrote them: 640 kbit/s,
    // bsid 6, one dependent substream with Lvh/Rvh, 16 objects.
    let core = [0x0b, 0x77, 0, 0, 0x24, 0x30, 0xe1, 0x00];
    let core = Syncframe { lfeon: true, ..Syncframe::read(&core).unwrap() };
    let height = read(&Frame { chanmap: Some(0x0010), addbsi: Frame::JOC, ..Frame::REAR });
    let substream = IndependentSubstream {
        dependents: 1,
        dependent_map: height.channel_map,
        ..IndependentSubstream::of(&core)
    };
    let config = Eac3Config::new(640, vec![substream], height.joc_complexity).unwrap();
    assert_eq!(config.record(), [0x14, 0x00, 0x0c, 0x0f, 0x02, 0x40, 0x01, 0x10]);
    assert_eq!(config.channels(), 8);
}

#[test]
fn several_programmes_have_an_entry_each() {
    let second = Frame { substreamid: 1, acmod: 1, lfeon: false, bsmod: Some(2), ..Frame::PLAIN };
    let config = config(100, &[Frame::PLAIN, Frame::REAR, second]);
    // num_ind_sub 1; the second: fscod 0, bsid 16, asvc 1, bsmod 2 (visually impaired), acmod 1.
    assert_eq!(config.record(), [0x03, 0x21, 0x20, 0x0f, 0x02, 0x02, 0x20, 0xa2, 0x00]);
    assert_eq!(config.channels(), 8);
    assert!(config.to_string().contains("bsmod 0 and 1 dependent (0200), acmod 1"), "{config}");
}

#[test]
fn what_stands_behind_optional_metadata_is_found() {
    for strmtyp in 0..3 {
        for acmod in 0..8 {
            for (fscod, code) in [(0, 0), (1, 1), (2, 2), (0, 3), (3, 0), (3, 1), (3, 2)] {
                for mixdef in [None, Some(0), Some(1), Some(2), Some(3)] {
                    for lfeon in [false, true] {
                        let frame = Frame {
                            strmtyp,
                            substreamid: 5,
                            fscod,
                            numblkscod: code,
                            acmod,
                            lfeon,
                            mixdef,
                            chanmap: (strmtyp == 1 && acmod % 2 == 0).then_some(0x1234),
                            bsmod: mixdef.map(|mixdef| mixdef + 3),
                            addbsi: Frame::JOC,
                            ..Frame::PLAIN
                        };
                        let found = read(&frame);
                        let map = match frame.chanmap {
                            Some(map) => map as u16,
                            None => channel_map(acmod as u8, lfeon),
                        };
                        let rate = match fscod {
                            3 => [24_000, 22_050, 16_000][code as usize],
                            _ => [48_000, 44_100, 32_000][fscod as usize],
                        };
                        let blocks = if fscod == 3 { 6 } else { [1, 2, 3, 6][code as usize] };
                        let bsmod = frame.bsmod.map(|bsmod| bsmod as u8);
                        assert_eq!(
                            (found.bsmod, found.joc_complexity, found.substream_id),
                            (bsmod, Some(16), 5)
                        );
                        assert_eq!((found.channel_map, found.sample_rate, found.blocks), (map, rate, blocks));
                    }
                }
            }
        }
    }
}

#[test]
fn only_the_extension_for_objects_is_taken_for_it() {
    for (addbsi, complexity) in [
        (&[][..], None),
        (&[1], None),
        (&[0, 16], None),
        (&[1, 12], Some(12)),
        (&[0xff, 9, 1, 2, 3], Some(9)),
        (&[0; 40], None),
    ] {
        let frame = Frame { addbsi, size: 128, ..Frame::PLAIN };
        assert_eq!(read(&frame).joc_complexity, complexity, "{addbsi:?}");
    }
    // The longest one ends within HEADER_LEN.
    let longest =
        Frame { acmod: 7, mixdef: Some(3), bsmod: Some(0), addbsi: &[1; 64], size: 512, ..Frame::PLAIN };
    let bytes = longest.bytes();
    let head = &bytes[..super::super::ac3::HEADER_LEN];
    assert_eq!(Syncframe::read(head).unwrap(), Syncframe::read(&bytes).unwrap());
}

#[test]
fn refuses_reserved_values_and_headers_that_do_not_fit() {
    let refusal = |frame: &Frame| {
        let error = Syncframe::read(&frame.bytes()).unwrap_err();
        (error.offset().expect("a place"), error.to_string())
    };
    let (at, line) = refusal(&Frame { strmtyp: 3, ..Frame::PLAIN });
    assert!(at == 2 && line.contains("strmtyp is 3"), "{line}");
    let (at, line) = refusal(&Frame { fscod: 3, numblkscod: 3, ..Frame::PLAIN });
    assert!(at == 4 && line.contains("fscod2 is 3"), "{line}");
    // frmsiz says 10 bytes, the header has more; so does one that is cut off.
    let mut bytes = Frame { addbsi: &[0; 20], ..Frame::PLAIN }.bytes();
    assert!(Syncframe::read(&bytes[..12]).is_err());
    bytes[3] = 4;
    let error = Syncframe::read(&bytes).unwrap_err();
    assert!(error.offset() == Some(10) && error.to_string().contains("addbsi"), "{error}");
    let mut w = BitWriter::default();
    w.u(0x0b77, 16).u(0, 16).u(0x3f, 8).u(16 << 3, 8);
    assert!(Syncframe::read(&w.finish_obu()).is_err(), "two bytes by frmsiz");
}

#[test]
fn a_configuration_describes_what_has_the_same_substreams() {
    let stream = config(640, &[Frame { addbsi: Frame::JOC, ..Frame::PLAIN }, Frame::REAR]);
    let told = config(10, &[Frame { bsmod: Some(0), ..Frame::PLAIN }, Frame::REAR]);
    assert!(stream.describes(&stream) && stream.describes(&told));
    assert!(!told.describes(&stream), "objects");
    assert!(!stream.describes(&config(640, &[Frame::PLAIN])), "no dependent substream");
    let other = config(640, &[Frame { bsmod: Some(2), ..Frame::PLAIN }, Frame::REAR]);
    assert!(!stream.describes(&other) && other.describes(&config(1, &[Frame::PLAIN, Frame::REAR])));
}

#[test]
fn refuses_configurations_that_the_box_cannot_hold() {
    let substream = IndependentSubstream::of(&read(&Frame::PLAIN));
    let half = IndependentSubstream::of(&read(&Frame { fscod: 3, numblkscod: 0, ..Frame::PLAIN }));
    assert!(Eac3Config::new(1, vec![], None).is_err());
    assert!(Eac3Config::new(1, vec![substream; 9], None).is_err());
    assert!(Eac3Config::new(8192, vec![substream], None).is_err());
    assert!(Eac3Config::new(8191, vec![substream; 8], None).is_ok());
    assert!(Eac3Config::new(1, vec![IndependentSubstream { bsid: 17, ..substream }], None).is_err());
    let error = Eac3Config::new(1, vec![substream, half], None).unwrap_err();
    assert!(error.to_string().contains("48000 and 24000"), "{error}");
    assert!(Eac3Config::new(1, vec![substream], None).unwrap().with_data_rate(9000).is_err());
    // Half the rate: fscod 3 in the box, as FFmpeg 5.1 writes it for that frame, and the rate in the sample entry.
    let config = Eac3Config::new(8, vec![half], None).unwrap();
    assert_eq!(config.record(), [0x00, 0x40, 0xe0, 0x0f, 0x00]);
    assert_eq!(config.configuration().entry_sample_rate, 24_000);
}
