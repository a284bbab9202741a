//! Boxes by their sizes and types alone: where one lies, to damage it, and the layout of a whole file.

use std::ops::Range;

const CONTAINERS: [&str; 9] = ["moov", "trak", "mdia", "minf", "dinf", "stbl", "mvex", "moof", "traf"];

/// The big-endian number at `at`.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Where the body of a box lies, what follows size and type; `None` where there is no such box. Sizes are 32-bit.
pub fn find(bytes: &[u8], path: &[&str]) -> Option<Range<usize>> {
    path.iter().try_fold(0..bytes.len(), |range, name| {
        children(bytes, range)?.into_iter().find_map(|(found, body)| (found == *name).then_some(body))
    })
}

/// The boxes in `range` by their types, those inside of containers in braces; `None` where a size is wrong.
pub fn tree(bytes: &[u8], range: Range<usize>) -> Option<String> {
    let name = |(name, body): (String, Range<usize>)| match CONTAINERS.contains(&&*name) {
        true => Some(format!("{name}{{{}}}", tree(bytes, body)?)),
        false => Some(name),
    };
    let names: Option<Vec<_>> = children(bytes, range)?.into_iter().map(name).collect();
    Some(names?.join(" "))
}

/// Type and body of each box in `range`; `None` where a size is wrong.
fn children(bytes: &[u8], range: Range<usize>) -> Option<Vec<(String, Range<usize>)>> {
    let (mut found, mut at) = (Vec::new(), range.start);
    while at < range.end {
        let size = u32_at(bytes, at)? as usize;
        let end = at.checked_add(size).filter(|&end| size >= 8 && end <= range.end)?;
        found.push((String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned(), at + 8..end));
        at = end;
    }
    Some(found)
}
