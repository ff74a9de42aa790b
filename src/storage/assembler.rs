//! Which ranges of a receive window have arrived out of order.
//!
//! Offsets count from the next octet expected (RFC 9293 RCV.NXT). A bounded, ordered list of ranges
//! that neither overlap nor touch; the octets themselves are in the ring buffer. What is known is never
//! forgotten for something new (RFC 2018 §8 allows it, but it costs the sender a timeout).

use super::few::Few;
use crate::config::ASSEMBLER_RANGES;

/// The range would be one more than can be kept track of. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyHoles;

/// Octets `start..end` after the next one expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    start: u32,
    end: u32,
}

/// The ranges that have arrived.
#[derive(Debug)]
pub(crate) struct Assembler {
    /// The first `count`, in ascending order, with a hole between any two.
    ranges: Few<Range, ASSEMBLER_RANGES>,
    count: usize,
}

impl Assembler {
    pub(crate) const fn new() -> Assembler {
        Assembler { ranges: Few::new(Range { start: 0, end: 0 }), count: 0 }
    }

    /// Whether nothing is known to have arrived.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.ranges.release();
    }

    fn known(&self) -> &[Range] {
        self.ranges.places().get(..self.count).unwrap_or_default()
    }

    /// The ranges that have arrived as (offset, length), the nearest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.known().iter().map(|range| (range.start, range.end - range.start))
    }

    /// How many octets are there without a hole before them.
    pub(crate) fn peek_front(&self) -> u32 {
        match self.known().first() {
            Some(&Range { start: 0, end }) => end,
            _ => 0,
        }
    }

    /// Notes that `len` octets have arrived at `offset`.
    pub(crate) fn add(&mut self, offset: u32, len: u32) -> Result<(), TooManyHoles> {
        if len == 0 {
            return Ok(());
        }
        let mut new = Range { start: offset, end: offset.saturating_add(len) };
        // What it overlaps or touches, `first..last`, becomes one with it.
        let first = self.known().iter().take_while(|range| range.end < new.start).count();
        let last = self.known().iter().take_while(|range| range.start <= new.end).count();
        if let Some(range) = self.known().get(first..last).and_then(<[_]>::first) {
            new.start = new.start.min(range.start);
        }
        if let Some(range) = self.known().get(first..last).and_then(<[_]>::last) {
            new.end = new.end.max(range.end);
        }
        if first == last {
            return self.insert(first, new);
        }
        self.close_up(first + 1, last);
        if let Some(range) = self.ranges.places_mut().get_mut(first) {
            *range = new;
        }
        Ok(())
    }

    /// Puts `range` at the place `at` and moves those from there on up.
    fn insert(&mut self, at: usize, range: Range) -> Result<(), TooManyHoles> {
        if self.count == self.ranges.places().len() && !self.ranges.grow() {
            return Err(TooManyHoles);
        }
        let places = self.ranges.places_mut().get_mut(at..=self.count).ok_or(TooManyHoles)?;
        let mut carried = range;
        for place in places {
            core::mem::swap(place, &mut carried);
        }
        self.count += 1;
        Ok(())
    }

    /// Removes the ranges `from..to`.
    fn close_up(&mut self, from: usize, to: usize) {
        let known = self.ranges.places_mut().get_mut(from..self.count).unwrap_or_default();
        known.rotate_left(to - from);
        self.count -= to - from;
        if self.count == 0 {
            self.ranges.release();
        }
    }

    /// Takes what is there without a hole before it; the offsets count from its end afterwards.
    ///
    /// Returns how many octets that is.
    pub(crate) fn remove_front(&mut self) -> u32 {
        let front = self.peek_front();
        if front > 0 {
            self.close_up(0, 1);
            self.advance(front);
        }
        front
    }

    /// Makes offsets count from `by` further on; no range begins before that.
    fn advance(&mut self, by: u32) {
        for range in self.ranges.places_mut().iter_mut().take(self.count) {
            range.start = range.start.wrapping_sub(by);
            range.end = range.end.wrapping_sub(by);
        }
    }

    /// [`add`](Self::add), then [`remove_front`](Self::remove_front).
    ///
    /// What comes at offset 0 is always taken.
    pub(crate) fn add_then_remove_front(&mut self, offset: u32, len: u32) -> Result<u32, TooManyHoles> {
        if self.is_empty() && offset == 0 {
            return Ok(len);
        }
        if offset > 0 {
            self.add(offset, len)?;
            return Ok(self.remove_front());
        }
        // It fills the first hole, or a part of it, and so needs no place of its own.
        let reached = self.known().iter().take_while(|range| range.start <= len).count();
        let end = self.known().get(..reached).and_then(<[_]>::last).map_or(0, |range| range.end);
        let front = len.max(end);
        self.close_up(0, reached);
        self.advance(front);
        Ok(front)
    }
}

#[cfg(all(test, feature = "tcp-many-holes"))]
mod tests {
    use super::super::testing::XorShift;
    use super::*;
    use crate::config::MANY_RANGES;

    const MOST: usize = if MANY_RANGES > 0 { MANY_RANGES } else { ASSEMBLER_RANGES };

    fn ranges(assembler: &Assembler) -> Vec<(u32, u32)> {
        assembler.iter().collect()
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let mut a = Assembler::new();
        a.add(10, 5).unwrap();
        a.add(20, 5).unwrap();
        a.add(30, 5).unwrap();
        assert_eq!(ranges(&a), [(10, 5), (20, 5), (30, 5)]);
        a.add(15, 5).unwrap();
        assert_eq!(ranges(&a), [(10, 15), (30, 5)]);
        a.add(5, 40).unwrap();
        assert_eq!(ranges(&a), [(5, 40)]);
    }

    #[test]
    fn one_hole_too_many_changes_nothing() {
        let mut a = Assembler::new();
        for i in 0..MOST as u32 {
            a.add(10 + 10 * i, 5).unwrap();
        }
        let before = ranges(&a);
        assert_eq!(a.add(1, 1), Err(TooManyHoles));
        assert_eq!(a.add(10_000, 1), Err(TooManyHoles));
        assert_eq!(a.add(16, 1), Err(TooManyHoles));
        assert_eq!(ranges(&a), before);
        a.add(15, 1).unwrap();
    }

    #[test]
    fn the_octets_expected_next_are_taken_even_when_full() {
        let mut a = Assembler::new();
        for i in 0..MOST as u32 {
            a.add(10 + 10 * i, 5).unwrap();
        }
        assert_eq!(a.add_then_remove_front(0, 4), Ok(4));
        assert_eq!(ranges(&a)[0], (6, 5));
        assert_eq!(a.add_then_remove_front(0, 6), Ok(11));
        assert_eq!(ranges(&a)[0], (5, 5));
        assert_eq!(a.add_then_remove_front(0, 10_000), Ok(10_000));
        assert!(a.is_empty());
    }

    #[test]
    fn offsets_at_the_end_of_the_number_range_do_not_wrap() {
        let mut a = Assembler::new();
        a.add(u32::MAX - 1, u32::MAX).unwrap();
        assert_eq!(ranges(&a), [(u32::MAX - 1, 1)]);
        a.add(0, u32::MAX).unwrap();
        assert_eq!(a.remove_front(), u32::MAX);
        assert!(a.is_empty());
    }

    #[test]
    fn random_use_agrees_with_a_map_of_octets() {
        const WINDOW: usize = 16 * MOST;
        let mut random = XorShift(0xabcd_ef01);
        let mut a = Assembler::new();
        let mut map = [false; WINDOW];
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..200_000 {
            let offset = random.below(WINDOW as u32);
            let len = random.below(9).min(WINDOW as u32 - offset);
            let mut next = map;
            next[offset as usize..][..len as usize].fill(true);
            if random.below(3) > 0 {
                match a.add(offset, len) {
                    Ok(()) => map = next,
                    Err(TooManyHoles) => {
                        assert!(runs(&next).len() > MOST);
                        refused += 1;
                    }
                }
            } else {
                let offset = if random.below(2) == 0 { 0 } else { offset };
                let len = len.min(WINDOW as u32 - offset);
                let mut next = map;
                next[offset as usize..][..len as usize].fill(true);
                if offset > 0 && runs(&next).len() > MOST {
                    assert_eq!(a.add_then_remove_front(offset, len), Err(TooManyHoles));
                } else {
                    let front = next.iter().take_while(|&&there| there).count();
                    assert_eq!(a.add_then_remove_front(offset, len), Ok(front as u32));
                    map = [false; WINDOW];
                    map[..WINDOW - front].copy_from_slice(&next[front..]);
                    taken += front;
                }
            }
            assert_eq!(ranges(&a), runs(&map));
            assert_eq!(a.peek_front() as usize, map.iter().take_while(|&&there| there).count());
            assert_eq!(a.is_empty(), map == [false; WINDOW]);
        }
        assert!(taken > 10_000 && refused > 1_000, "{taken} octets taken, {refused} refused");
    }

    fn runs(map: &[bool]) -> Vec<(u32, u32)> {
        let mut runs = Vec::new();
        let mut at = 0;
        for run in map.chunk_by(|a, b| a == b) {
            if run[0] {
                runs.push((at, run.len() as u32));
            }
            at += run.len() as u32;
        }
        runs
    }
}
