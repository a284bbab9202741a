//! Ranges of the source in eight bytes each: the low half of the offset and the length. The high half is kept where it
//! changes, which in a file read forwards is once every 4 GiB, and around each unit that lies far from those beside it.

use std::ops::Range;

use crate::scan::SourceRange;

/// A table of source ranges, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceRanges {
    rows: Vec<Row>,
    /// Ascending by index; in front of the first the high half is 0.
    highs: Vec<High>,
}

/// A range without the high half of its offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    low: u32,
    len: u32,
}

const _: () = assert!(size_of::<Row>() == 8);

/// The high half of offsets from the range of this index on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct High {
    from: u32,
    high: u32,
}

impl SourceRanges {
    /// An empty table.
    pub(super) const fn new() -> Self {
        Self { rows: Vec::new(), highs: Vec::new() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Appends a range.
    ///
    /// # Panics
    /// When there are 2³² already: the caller has counted them.
    pub(super) fn push(&mut self, SourceRange { offset, len }: SourceRange) {
        let high = (offset >> 32) as u32;
        if high != self.highs.last().map_or(0, |last| last.high) {
            let from = u32::try_from(self.rows.len()).expect("the caller counts ranges in 32 bits");
            self.highs.push(High { from, high });
        }
        self.rows.push(Row { low: offset as u32, len });
    }

    /// The ranges of these indices, in order.
    ///
    /// # Panics
    /// When the table has not all of them.
    pub(super) fn run(&self, indices: Range<u32>) -> SourceRangeRun<'_> {
        let behind = self.highs.partition_point(|high| high.from <= indices.start);
        let (before, later) = self.highs.split_at(behind);
        SourceRangeRun {
            rows: self.rows[indices.start as usize..indices.end as usize].iter(),
            next: indices.start,
            high: before.last().map_or(0, |last| last.high),
            later,
        }
    }
}

/// Source ranges that follow each other in the output.
#[derive(Clone, Debug)]
pub struct SourceRangeRun<'a> {
    rows: std::slice::Iter<'a, Row>,
    /// Index of the next range.
    next: u32,
    high: u32,
    /// Changes of the high half from the next range on.
    later: &'a [High],
}

impl Iterator for SourceRangeRun<'_> {
    type Item = SourceRange;

    fn next(&mut self) -> Option<SourceRange> {
        let &Row { low, len } = self.rows.next()?;
        if let [first, rest @ ..] = self.later
            && first.from == self.next
        {
            (self.high, self.later) = (first.high, rest);
        }
        // Behind the last of 2^32 ranges nothing is asked for.
        self.next = self.next.wrapping_add(1);
        Some(SourceRange { offset: u64::from(self.high) << 32 | u64::from(low), len })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for SourceRangeRun<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(ranges: &[SourceRange]) -> SourceRanges {
        let mut table = SourceRanges::new();
        ranges.iter().for_each(|&range| table.push(range));
        table
    }

    fn all(table: &SourceRanges) -> Vec<SourceRange> {
        table.run(0..table.len() as u32).collect()
    }

    #[test]
    fn repeated_parameter_sets_and_gaps_beyond_4_gib_come_back() {
        // A picture at 9 GiB, behind parameter sets from the head of the file that are repeated in front of it.
        let ranges = [(4, 20), (28, 6), (38, 900), (4, 20), (28, 6), (9 << 30, 4000), ((9 << 30) + 4003, 5)];
        let ranges = ranges.map(|(offset, len)| SourceRange { offset, len });
        let table = table(&ranges);
        assert_eq!(all(&table), ranges);
        assert_eq!(table.highs.len(), 1);
        // From the middle on, before and behind the change.
        for start in 0..=ranges.len() {
            let run = table.run(start as u32..ranges.len() as u32);
            assert_eq!(run.len(), ranges.len() - start);
            assert!(run.eq(ranges[start..].iter().copied()), "from {start}");
        }
    }

    /// Offsets that mostly follow each other, by small gaps and by large ones, and sometimes start again anywhere.
    fn ranges() -> impl Strategy<Value = Vec<SourceRange>> {
        let gap = prop_oneof![8 => 0..5_u64, 1 => 0..1_u64 << 34, 1 => Just(u64::from(u32::MAX))];
        let again = prop_oneof![6 => Just(None), 1 => any::<u64>().prop_map(Some)];
        let drawn = prop::collection::vec((gap, again, any::<u32>()), 0..60);
        drawn.prop_map(|drawn| {
            let mut end = 0_u64;
            let mut place = |(gap, again, len): (u64, Option<u64>, u32)| {
                let offset = again.unwrap_or(end.wrapping_add(gap));
                end = offset.wrapping_add(len.into());
                SourceRange { offset, len }
            };
            drawn.into_iter().map(&mut place).collect()
        })
    }

    proptest! {
        #[test]
        fn the_table_equals_a_list_of_ranges(ranges in ranges(), start in 0..60_usize, len in 0..60_usize) {
            let table = table(&ranges);
            prop_assert_eq!(&all(&table), &ranges);
            let start = start.min(ranges.len());
            let end = (start + len).min(ranges.len());
            prop_assert!(table.run(start as u32..end as u32).eq(ranges[start..end].iter().copied()));
        }
    }
}
