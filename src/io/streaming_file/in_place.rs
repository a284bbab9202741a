//! A packet ► its pieces, within the bytes that hold the packet: what a commit does in a mapping.

use crate::fragment::{Piece, PieceList};

/// Places `list` at `at` in `bytes`; its sources are ranges of the packet, which begins at `packet`, in front of that or
/// behind. They must be ascending, must not overlap, and must lie in `bytes`, as the list must. Returns bytes of sources that
/// moved.
///
/// No copy is needed to keep anything safe, because sources and destinations stand in the same order. Let range *i* go from
/// `s[i]` to `d[i]`, both ascending and neither overlapping its like.
///
/// - To the left (`d < s`), in ascending order: what lies behind *i* is not touched, since `d[i]`'s end is before `s[i]`'s
///   end. What lies before it and has not moved either stays or goes right, so it ends before its own destination does,
///   which is before `d[i]`.
/// - Then to the right (`d > s`), in descending order: what lies before *i* ends before `s[i]`. What lies behind it is where
///   it belongs, and destinations do not overlap.
/// - Literals and lengths last: no source is needed any more, and their places are no range's destination.
pub(super) fn place(list: &PieceList, bytes: &mut [u8], at: usize, packet: usize) -> u64 {
    let mut moved = 0;
    let mut end = at;
    for piece in list.pieces() {
        let destination = end;
        end += size(piece);
        if let Some(source) = source(piece, packet)
            && destination < source
        {
            bytes.copy_within(source..source + size(piece), destination);
            moved += size(piece) as u64;
        }
    }
    for piece in list.pieces().iter().rev() {
        end -= size(piece);
        if let Some(source) = source(piece, packet)
            && source < end
        {
            bytes.copy_within(source..source + size(piece), end);
            moved += size(piece) as u64;
        }
    }
    for piece in list.pieces() {
        match piece {
            Piece::Literal(range) => bytes[end..end + size(piece)].copy_from_slice(list.literal(range)),
            Piece::Length(length) => bytes[end..end + 4].copy_from_slice(&length.to_be_bytes()),
            Piece::Source(_) => {}
        }
        end += size(piece);
    }
    moved
}

/// Where a source begins; the range was found to be in memory.
fn source(piece: &Piece, packet: usize) -> Option<usize> {
    match piece {
        Piece::Source(range) => Some(packet + range.offset as usize),
        Piece::Literal(_) | Piece::Length(_) => None,
    }
}

fn size(piece: &Piece) -> usize {
    match piece {
        Piece::Literal(range) => (range.end - range.start) as usize,
        Piece::Length(_) => 4,
        Piece::Source(range) => range.len as usize,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{list_of, unit};
    use super::*;

    proptest! {
        #[test]
        fn equals_the_list_written_elsewhere(
            units in prop::collection::vec(unit(40), 0..40),
            (at, ahead) in (0..60_usize, 0..60_usize),
        ) {
            let (list, packet) = list_of(&units);
            let mut expected = Vec::new();
            list.write_to(&packet, &mut expected).unwrap();
            let mut bytes = vec![0xee; (at + expected.len()).max(ahead + packet.len())];
            bytes[ahead..ahead + packet.len()].copy_from_slice(&packet);
            let moved = place(&list, &mut bytes, at, ahead);
            prop_assert_eq!(&bytes[at..at + expected.len()], &expected[..]);
            // Behind the list stands what stood there, or what moved away.
            prop_assert!(moved <= list.len());
        }
    }

    #[test]
    fn four_byte_codes_with_the_literals_ahead_move_nothing() {
        let mut list = PieceList::default();
        list.push_literal(b"sets");
        let mut packet = Vec::new();
        for unit in [&b"first"[..], b"", b"third"] {
            packet.extend(b"\0\0\0\x01");
            list.push_length(unit.len() as u32);
            let offset = packet.len() as u64;
            list.push_source(crate::scan::SourceRange { offset, len: unit.len() as u32 });
            packet.extend(unit);
        }
        let mut bytes = [b"....", &packet[..]].concat();
        assert_eq!(place(&list, &mut bytes, 0, 4), 0);
        assert_eq!(bytes, b"sets\0\0\0\x05first\0\0\0\0\0\0\0\x05third");
    }
}
