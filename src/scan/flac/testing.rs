//! FLAC streams made by hand: frames of any bytes, with headers and checksums that agree. All are mono, 8 bits, 44.1 kHz.

use crate::codec::flac::{Crc16, header_checksum};

/// STREAMINFO with the largest block size and number of samples given.
pub(crate) fn stream_info(max_block_size: u16, total_samples: u32) -> [u8; 34] {
    let mut block = [0; 34];
    block[..2].copy_from_slice(&16u16.to_be_bytes());
    block[2..4].copy_from_slice(&max_block_size.to_be_bytes());
    block[10..14].copy_from_slice(&[0x0a, 0xc4, 0x40, 0x70]);
    block[14..18].copy_from_slice(&total_samples.to_be_bytes());
    block[18..].fill(0x5a);
    block
}

/// Marker and metadata blocks: their types and data.
pub(crate) fn metadata(blocks: &[(u8, &[u8])]) -> Vec<u8> {
    let mut stream = b"fLaC".to_vec();
    for (index, (kind, data)) in blocks.iter().enumerate() {
        let last = if index + 1 == blocks.len() { 0x80 } else { 0 };
        stream.extend((data.len() as u32 | u32::from(kind | last) << 24).to_be_bytes());
        stream.extend(*data);
    }
    stream
}

/// The header of a frame.
pub(crate) fn header(has_variable_blocks: bool, number: u32, block_size: u16) -> Vec<u8> {
    let mut header = vec![0xff, 0xf8 | u8::from(has_variable_blocks), 0x79, 0x02];
    match number {
        0..=0x7f => header.push(number as u8),
        0x80..=0x7ff => header.extend([0xc0 | (number >> 6) as u8, 0x80 | (number & 0x3f) as u8]),
        _ => header.extend([
            0xf0 | (number >> 18) as u8,
            0x80 | (number >> 12 & 0x3f) as u8,
            0x80 | (number >> 6 & 0x3f) as u8,
            0x80 | (number & 0x3f) as u8,
        ]),
    }
    header.extend((block_size - 1).to_be_bytes());
    header.push(header_checksum(&header));
    header
}

/// A verbatim subframe: samples as they are, so any bytes.
pub(crate) fn verbatim(samples: &[u8]) -> Vec<u8> {
    [&[0x02], samples].concat()
}

/// A frame of a header and a subframe.
pub(crate) fn frame(header: &[u8], subframe: &[u8]) -> Vec<u8> {
    with_checksum(&[header, subframe].concat())
}

/// `bytes` with their CRC-16 behind them.
pub(crate) fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    let mut crc = Crc16::default();
    crc.add(bytes);
    [bytes, &crc.bytes()].concat()
}
