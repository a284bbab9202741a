//! The access units of the streams, by the rules of H.265, and what a segmenter says of itself.

use std::path::Path;

use fragmint::codec::ParameterSetPlacement::{self, InBand, SampleEntry};
use fragmint::segmenter::{SampleTiming, Segmenter};

use crate::packaged::{Packaged, byte_stream, files_below, stream, units};

pub const RADL: [u8; 2] = [6, 7];
pub const RASL: [u8; 2] = [8, 9];
pub const IDR: [u8; 2] = [19, 20];
pub const CRA: u8 = 21;
/// NAL units that are nothing but a header (7.3.1.2): end of sequence, end of bitstream.
pub const END_OF_SEQUENCE: [u8; 2] = [36 << 1, 1];
pub const END_OF_BITSTREAM: [u8; 2] = [37 << 1, 1];

pub fn unit_type(unit: &[u8]) -> u8 {
    unit[0] >> 1 & 0x3f
}

pub fn is_slice(unit: &[u8]) -> bool {
    unit_type(unit) < 32
}

pub fn is_parameter_set(unit: &[u8]) -> bool {
    (32..=34).contains(&unit_type(unit))
}

/// `first_slice_segment_in_pic_flag`
pub fn starts_picture(unit: &[u8]) -> bool {
    is_slice(unit) && unit[2] & 0x80 != 0
}

/// The units of each access unit (7.4.2.4.4) of the streams here.
pub fn access_units(stream: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut pictures: Vec<Vec<&[u8]>> = Vec::new();
    let mut has_slice = true;
    for unit in units(stream) {
        let in_front = matches!(unit_type(unit), 32..=35 | 39);
        if has_slice && (in_front || starts_picture(unit)) {
            pictures.push(Vec::new());
            has_slice = false;
        }
        has_slice |= is_slice(unit);
        pictures.last_mut().unwrap().push(unit);
    }
    pictures
}

pub fn packets(pictures: &[Vec<&[u8]>]) -> Vec<Vec<u8>> {
    pictures.iter().map(|picture| byte_stream(picture.iter().copied())).collect()
}

pub fn type_of(picture: &[&[u8]]) -> u8 {
    unit_type(picture.iter().find(|unit| is_slice(unit)).unwrap())
}

/// The stream without the pictures of these types.
pub fn without(stream: &[u8], types: &[u8]) -> Vec<u8> {
    byte_stream(
        access_units(stream).into_iter().filter(|picture| !types.contains(&type_of(picture))).flatten(),
    )
}

/// Two streams of one size with other parameter sets of the same ids.
pub fn changing() -> Vec<u8> {
    [stream("h265-closed.h265"), stream("h265-slices.h265")].concat()
}

/// A stream whose CRA pictures no RASL picture follows.
pub fn closed_cras() -> Vec<u8> {
    without(&stream("h265-open.h265"), &RASL)
}

pub fn placement(packaged: &Packaged) -> ParameterSetPlacement {
    if packaged.track().codec().starts_with("hev1") { InBand } else { SampleEntry }
}

/// Where pictures of one of these types are.
pub fn places(pictures: &[Vec<&[u8]>], types: &[u8]) -> Vec<usize> {
    (0..pictures.len()).filter(|&index| types.contains(&type_of(&pictures[index]))).collect()
}

/// The files below a directory, and what a segmenter says of itself.
pub fn state(segmenter: &Segmenter, output: &Path) -> (usize, u64, usize, bool) {
    let pending = segmenter.pending_duration().0;
    (segmenter.segments().len(), pending, files_below(output).len(), segmenter.starts_with_sync())
}

/// Refused with these words, and nothing has changed.
#[track_caller]
pub fn refused(segmenter: &mut Segmenter, output: &Path, packet: &[u8], timing: SampleTiming, said: &[&str]) {
    let before = state(segmenter, output);
    let error = segmenter.push(packet, timing).unwrap_err();
    let text = error.to_string();
    assert!(said.iter().all(|part| text.contains(part)) && !text.contains('\n'), "{text}");
    assert!(error.offset().is_some(), "{text}");
    assert_eq!(state(segmenter, output), before);
}

/// The stream with these units behind the last picture in front of each IDR picture and at its end.
pub fn with_ends(stream: &[u8], ends: &[&[u8]]) -> Vec<u8> {
    let pictures = access_units(stream);
    let mut units = Vec::new();
    for (index, picture) in pictures.iter().enumerate() {
        units.extend(picture);
        let next = pictures.get(index + 1);
        if next.is_none_or(|next| IDR.contains(&type_of(next))) {
            units.extend(ends);
        }
    }
    byte_stream(units)
}
