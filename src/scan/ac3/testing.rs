//! A second reader of the same syntax, over the whole stream at once: it finds access units by looking at what follows.

use crate::codec::ac3::{StreamType, Syncframe};
use crate::scan::adts::tag_len;

/// An access unit: offset and size of each of its syncframes.
pub(crate) type Unit = Vec<(u64, u32)>;

/// The access units of `stream`, or `None` where it is not a whole stream without any fault.
pub(crate) fn slow_twin(stream: &[u8]) -> Option<Vec<Unit>> {
    let mut frames = Vec::new();
    let mut offset = 0;
    while offset < stream.len() {
        let rest = &stream[offset..];
        if let Some(len) = tag_len(rest, rest.len() as u64) {
            offset += usize::try_from(len).ok().filter(|&len| len <= rest.len())?;
            continue;
        }
        let frame = Syncframe::read(rest).ok()?;
        rest.get(..usize::from(frame.size))?;
        frames.push((offset as u64, frame));
        offset += usize::from(frame.size);
    }
    let is_first = |frame: &Syncframe| frame.stream_type != StreamType::Dependent && frame.substream_id == 0;
    // Cut in front of each independent substream 0, and put together what has six blocks of it.
    let mut sets: Vec<Vec<(u64, Syncframe)>> = Vec::new();
    for frame in frames {
        if is_first(&frame.1) {
            sets.push(Vec::new());
        }
        sets.last_mut()?.push(frame);
    }
    let mut units: Vec<Vec<(u64, Syncframe)>> = Vec::new();
    let mut blocks = 6;
    for set in sets {
        if blocks == 6 {
            blocks = 0;
            units.push(Vec::new());
        }
        blocks += set[0].1.blocks;
        units.last_mut()?.extend(set);
    }
    let layout = layout_of(units.first()?)?;
    layout.iter().all(|known| known.2.sample_rate == layout[0].2.sample_rate).then_some(())?;
    for unit in &units {
        let own = layout_of(unit)?;
        let alike = layout.iter().zip(&own).all(|(one, other)| {
            let bsmods = [one.2.bsmod, other.2.bsmod];
            (one.0, one.1) == (other.0, other.1)
                && is_same(&one.2, &other.2)
                && (bsmods[0] == bsmods[1] || bsmods.contains(&None))
        });
        if own.len() != layout.len() || !alike {
            return None;
        }
    }
    // `bsmod` that is told later counts too.
    for substream in &layout {
        let told = units.iter().flatten().filter(|(_, frame)| is_same(frame, &substream.2));
        let told: std::collections::BTreeSet<_> = told
            .filter(|(offset, _)| places(&units, *offset) == Some((substream.0, substream.1)))
            .filter_map(|(_, frame)| frame.bsmod)
            .collect();
        if told.len() > 1 {
            return None;
        }
    }
    let places = |unit: &Vec<(u64, Syncframe)>| {
        unit.iter().map(|(offset, frame)| (*offset, u32::from(frame.size))).collect()
    };
    Some(units.iter().map(places).collect())
}

/// Which substream the frame at `offset` is of.
fn places(units: &[Vec<(u64, Syncframe)>], offset: u64) -> Option<(u8, Option<u8>)> {
    let mut independent = 0;
    for (at, frame) in units.iter().flatten() {
        let is_dependent = frame.stream_type == StreamType::Dependent;
        if !is_dependent {
            independent = frame.substream_id;
        }
        if *at == offset {
            return Some((independent, is_dependent.then_some(frame.substream_id)));
        }
    }
    None
}

fn is_same(one: &Syncframe, other: &Syncframe) -> bool {
    let plain = |frame: &Syncframe| Syncframe {
        size: 0,
        blocks: 0,
        bsmod: None,
        bit_rate_code: None,
        joc_complexity: None,
        ..*frame
    };
    plain(one) == plain(other)
}

/// The substreams of a unit, sorted; `None` where one lacks blocks or is out of order.
fn layout_of(unit: &[(u64, Syncframe)]) -> Option<Vec<(u8, Option<u8>, Syncframe)>> {
    let mut found: Vec<(u8, Option<u8>, Syncframe, u32)> = Vec::new();
    let (mut independent, mut next_dependent) = (0, 0);
    for (index, (_, frame)) in unit.iter().enumerate() {
        let id = if frame.stream_type == StreamType::Dependent {
            (frame.substream_id == next_dependent).then_some(())?;
            next_dependent += 1;
            (independent, Some(frame.substream_id))
        } else {
            let is_next = index > 0 && frame.substream_id == independent + 1;
            (frame.substream_id == 0 || is_next).then_some(())?;
            (independent, next_dependent) = (frame.substream_id, 0);
            (independent, None)
        };
        match found.iter_mut().find(|known| (known.0, known.1) == id) {
            Some(known) if is_same(&known.2, frame) => {
                known.2.bsmod = known.2.bsmod.or(frame.bsmod);
                known.3 += u32::from(frame.blocks);
            }
            Some(_) => return None,
            None => found.push((id.0, id.1, *frame, frame.blocks.into())),
        }
    }
    found.sort_by_key(|&(independent, dependent, ..)| (independent, dependent));
    found.iter().all(|known| known.3 == 6).then_some(())?;
    Some(
        found.into_iter().map(|(independent, dependent, frame, _)| (independent, dependent, frame)).collect(),
    )
}
