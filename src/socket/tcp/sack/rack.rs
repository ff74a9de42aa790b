//! What is lost, told by time (RACK, RFC 8985): what was sent before something that has arrived, by more than packets
//! overtake each other on this path.
//!
//! When which octet was sent is kept in a bounded list of ranges. What is sent in one tick is one range; when there
//! are too many, those two become one that then span the shortest time, and count as sent when the later one was: then a
//! loss is seen later, and nothing is believed lost that may be on its way.

use super::super::info::Oddities;
use super::scoreboard::Scoreboard;
use crate::config::{MANY_RANGES, SENT_RANGES};
use crate::storage::Few;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

/// RFC 8985 §7.2: recoveries without a word of needless repetitions after which little reordering is expected again.
const PERSIST: u8 = 16;

/// A longer time is as good as this one, in ticks.
const MAX_SPAN: u32 = (1 << 30) - 1;

/// A bit for each range.
#[cfg(target_pointer_width = "64")]
type Bits = u128;
#[cfg(not(target_pointer_width = "64"))]
type Bits = u8;

/// Ranges that there are at most.
const MOST: usize = match MANY_RANGES {
    0 => SENT_RANGES,
    many => many,
};
const _: () = assert!(MOST <= Bits::BITS as usize);

/// Octets up to `end` from where the one before ends, as they are kept.
#[derive(Debug, Clone, Copy)]
struct Sent {
    end: SeqNum,
    at: Ticks,
}

/// The same, with what the bits say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    end: SeqNum,
    /// When they were last sent.
    at: Ticks,
    /// That was not the first time.
    is_again: bool,
    /// Those of them that have not arrived are lost.
    is_lost: bool,
}

/// When the octets from SND.UNA to SND.MAX were sent.
#[derive(Debug)]
pub(super) struct SentTimes {
    sent: Few<Sent, SENT_RANGES>,
    count: u8,
    /// Which of them are not for the first time, and which are lost.
    again: Bits,
    lost: Bits,
}

impl SentTimes {
    pub(super) const fn new() -> SentTimes {
        let none = Sent { end: SeqNum(0), at: Ticks(0) };
        SentTimes { sent: Few::new(none), count: 0, again: 0, lost: 0 }
    }

    fn known(&self) -> &[Sent] {
        self.sent.places().get(..usize::from(self.count)).unwrap_or_default()
    }

    fn ranges(&self) -> impl Iterator<Item = Range> {
        let is_in = |bits: Bits, i: usize| bits >> i & 1 == 1;
        self.known().iter().enumerate().map(move |(i, &Sent { end, at })| {
            // There are no more than bits.
            Range { end, at, is_again: is_in(self.again, i), is_lost: is_in(self.lost, i) }
        })
    }

    /// All of them, each with where it begins.
    fn iter(&self, una: SeqNum) -> impl Iterator<Item = (SeqNum, Range)> {
        let mut start = una;
        self.ranges().map(move |range| (core::mem::replace(&mut start, range.end), range))
    }

    /// All of them, which are to be written anew.
    fn take(&mut self, una: SeqNum) -> impl Iterator<Item = (SeqNum, Range)> + use<> {
        let none = Range { end: una, at: Ticks(0), is_again: false, is_lost: false };
        let (mut taken, count) = ([(una, none); MOST], usize::from(self.count));
        taken.iter_mut().zip(self.iter(una)).for_each(|(place, range)| *place = range);
        (self.count, self.again, self.lost) = (0, 0, 0);
        taken.into_iter().take(count)
    }

    fn put(&mut self, i: usize, range: Range) {
        let Some(place) = self.sent.places_mut().get_mut(i) else { return };
        *place = Sent { end: range.end, at: range.at };
        let bit: Bits = 1 << i;
        self.again = if range.is_again { self.again | bit } else { self.again & !bit };
        self.lost = if range.is_lost { self.lost | bit } else { self.lost & !bit };
    }

    /// `start..end` is sent now: what comes behind all the rest, or something in it once more.
    #[inline]
    pub(super) fn on_sent(&mut self, una: SeqNum, start: SeqNum, end: SeqNum, now: Ticks) {
        let marked = self.again | self.lost;
        let Some(index) = usize::from(self.count).checked_sub(1) else {
            return self.push(Range { end, at: now, is_again: false, is_lost: false });
        };
        let is_marked = marked >> index & 1 == 1;
        let last = self.sent.places_mut().get_mut(index);
        match last {
            Some(last) if last.end == start && last.at == now && !is_marked => last.end = end,
            Some(last) if last.end.gt(start) => self.on_sent_again(una, start, end, now),
            _ => self.push(Range { end, at: now, is_again: false, is_lost: false }),
        }
    }

    #[cold]
    #[inline(never)]
    fn on_sent_again(&mut self, una: SeqNum, from: SeqNum, to: SeqNum, now: Ticks) {
        let again = Range { end: to, at: now, is_again: true, is_lost: false };
        for (start, range) in self.take(una) {
            if start.lt(from) {
                self.push(Range { end: range.end.min(from), ..range });
            }
            if range.end.ge(to) && start.lt(to) {
                self.push(again);
            }
            if range.end.gt(to) {
                self.push(range);
            }
        }
        // More than there was before: what comes behind was sent with it.
        if self.known().last().is_none_or(|last| last.end.lt(to)) {
            self.push(again);
        }
    }

    /// Puts a range behind the others.
    #[inline(never)]
    fn push(&mut self, range: Range) {
        let room = self.sent.places().len();
        if usize::from(self.count) == room && !self.sent.grow() {
            self.join();
        }
        let count = usize::from(self.count);
        let is_same = |last: Range| (Range { end: range.end, ..last }) == range;
        if self.ranges().last().is_some_and(is_same) {
            self.put(count - 1, range);
        } else if count < self.sent.places().len() {
            self.put(count, range);
            self.count += 1;
        }
    }

    /// Makes one of two neighbours: of those that then span the shortest time, so that all come to span alike.
    #[cold]
    fn join(&mut self) {
        // When that was sent for the first time, and that again, which is last before the pair.
        let (mut first, mut again) = (None, None);
        let costs = self.ranges().zip(self.ranges().skip(1)).map(|(a, b)| {
            let apart = b.at.since(a.at).unsigned_abs();
            let before: Option<Ticks> = if a.is_again { again.replace(a.at) } else { first.replace(a.at) };
            let span = before.map_or(apart, |at| a.at.since(at).max(0) as u32);
            let differs = u32::from(a.is_lost != b.is_lost) << 31 | u32::from(a.is_again != b.is_again) << 30;
            (apart.saturating_add(span).min(MAX_SPAN) | differs, a, b)
        });
        // The later one of two that are alike: what the first begins with is acknowledged first.
        let Some((i, (_, a, b))) = costs.enumerate().min_by_key(|&(i, (cost, ..))| (cost, usize::MAX - i))
        else {
            return;
        };
        let at = if b.at.is_before(a.at) { a.at } else { b.at };
        let (is_again, is_lost) = (a.is_again || b.is_again, a.is_lost && b.is_lost);
        self.put(i + 1, Range { end: b.end, at, is_again, is_lost });
        self.remove(i, i + 1);
    }

    fn remove(&mut self, from: usize, to: usize) {
        let count = usize::from(self.count);
        self.sent.places_mut().get_mut(from..count).unwrap_or_default().rotate_left(to - from);
        self.count -= (to - from) as u8;
        let close = |bits: Bits| {
            // There are fewer than bits, but for all of them.
            let below = (1 << from) - 1;
            bits & below | bits.checked_shr(to as u32).unwrap_or(0) << from
        };
        (self.again, self.lost) = (close(self.again), close(self.lost));
        if self.count == 0 {
            self.sent.release();
        }
    }

    /// All before `una` is acknowledged.
    #[inline]
    pub(super) fn advance(&mut self, una: SeqNum) {
        let gone = self.known().iter().take_while(|range| range.end.le(una)).count();
        if gone > 0 {
            self.remove(0, gone);
        }
    }

    /// All that has not arrived is lost.
    pub(super) fn lose_all(&mut self) {
        self.lost = (1 as Bits).checked_shl(self.count.into()).unwrap_or(0).wrapping_sub(1);
    }

    /// Octets that are lost.
    pub(super) fn lost(&self, una: SeqNum, board: &Scoreboard) -> u32 {
        let lost = self.iter(una).filter(|(_, range)| range.is_lost);
        lost.map(|(start, range)| board.missing(start, range.end)).sum()
    }

    /// Octets that were sent again and are not lost.
    #[cfg(feature = "tcp-info")]
    pub(super) fn again(&self, una: SeqNum, board: &Scoreboard) -> u32 {
        let again = self.iter(una).filter(|(_, range)| range.is_again && !range.is_lost);
        again.map(|(start, range)| board.missing(start, range.end)).sum()
    }

    /// The first octets that are lost: where, and how many.
    pub(super) fn first_lost(&self, una: SeqNum, board: &Scoreboard) -> Option<(SeqNum, u32)> {
        let mut lost = self.iter(una).filter(|(_, range)| range.is_lost);
        lost.find_map(|(start, range)| board.hole(start, range.end))
    }

    /// Nothing is lost after all.
    pub(super) fn find_all(&mut self) {
        self.lost = 0;
    }

    /// When the last octets were sent.
    pub(super) fn last_at(&self) -> Option<Ticks> {
        self.known().last().map(|range| range.at)
    }

    /// Whether something that was sent again has not arrived.
    pub(super) fn has_again(&self, una: SeqNum, board: &Scoreboard) -> bool {
        self.iter(una).any(|(start, range)| range.is_again && board.missing(start, range.end) > 0)
    }

    /// Whether some of `from..to` was sent only once.
    pub(super) fn has_first(&self, una: SeqNum, from: SeqNum, to: SeqNum) -> bool {
        self.iter(una).any(|(start, range)| !range.is_again && start.lt(to) && range.end.gt(from))
    }
}

/// What has arrived of late, and how far packets overtake each other.
#[derive(Debug, Clone)]
pub(super) struct Rack {
    /// When that was sent which was sent last of all that has arrived, and where it ends.
    at: Ticks,
    end: SeqNum,
    /// The end of the highest octets that had arrived before this ACK.
    highest: SeqNum,
    /// What was SND.MAX when a needless repetition was last told of.
    round: SeqNum,
    /// When something is lost, unless it arrives before, if that `is_due`.
    due_at: Ticks,
    /// The round trip of what was sent last of all that has arrived, in ticks: at most 67 s.
    rtt: u16,
    is_due: bool,
    /// Something has arrived.
    is_known: bool,
    /// Packets have overtaken each other.
    is_reordered: bool,
    /// By how many quarters of the shortest round trip they may.
    quarters: u8,
    /// Recoveries after which it is one again.
    persist: u8,
    pub(super) oddities: Oddities,
}

impl Rack {
    pub(super) const fn new() -> Rack {
        let zero = SeqNum(0);
        Rack {
            at: Ticks(0),
            end: zero,
            highest: zero,
            round: zero,
            due_at: Ticks(0),
            rtt: 0,
            is_due: false,
            is_known: false,
            is_reordered: false,
            quarters: 1,
            persist: 0,
            oddities: Oddities::NONE,
        }
    }

    /// When something is lost, unless it arrives before.
    #[inline]
    pub(super) fn due(&self) -> Option<Ticks> {
        self.is_due.then_some(self.due_at)
    }

    /// Nothing is waited for.
    pub(super) fn stop(&mut self) {
        self.is_due = false;
    }

    /// The first word of something that arrived out of order, after a time without: all below `una` has arrived.
    pub(super) fn begin(&mut self, una: SeqNum) {
        (self.highest, self.round) = (una, una);
    }

    /// RFC 8985 §6.2, steps 1 to 3: `from..to` has arrived, and had not before. `echo` is when that was sent which
    /// called this ACK forth, if it tells, and `least` the shortest round trip that there may be.
    pub(super) fn on_arrived(
        &mut self,
        sent: &SentTimes,
        una: SeqNum,
        (from, to): (SeqNum, SeqNum),
        (echo, least): (Option<Ticks>, u32),
        now: Ticks,
    ) {
        for (start, range) in sent.iter(una) {
            if start.ge(to) || range.end.le(from) {
                continue;
            }
            let (end, rtt) = (range.end.min(to), now.since(range.at).max(0) as u32);
            if range.is_again {
                // It may have been the first one that has arrived.
                if rtt < least || echo.is_some_and(|echo| echo.is_before(range.at)) {
                    continue;
                }
            } else if end.lt(self.highest) {
                self.is_reordered = true;
                self.oddities.on_overtaken();
            }
            let is_later = self.at.is_before(range.at) || (self.at == range.at && end.gt(self.end));
            if !self.is_known || is_later {
                self.is_known = true;
                // It may have been sent earlier than its range says.
                (self.at, self.end, self.rtt) = (range.at, end, rtt.max(least).min(0xffff) as u16);
            }
        }
    }

    /// All that an ACK tells of is taken: the highest of it ends at `end`.
    pub(super) fn on_taken(&mut self, end: SeqNum) {
        self.highest = self.highest.max(end);
    }

    /// RFC 8985 §6.2, step 4: something had arrived before and came again, so that it was not lost.
    pub(super) fn on_twice(&mut self, una: SeqNum, max: SeqNum) {
        if una.ge(self.round) {
            self.round = max;
            self.quarters = self.quarters.saturating_add(1);
        }
        self.persist = PERSIST;
        self.oddities.on_twice();
    }

    /// What was believed lost had been overtaken.
    pub(super) fn on_overtaken(&mut self) {
        self.is_reordered = true;
    }

    /// What has arrived may not be what was last sent.
    pub(super) fn forget(&mut self) {
        self.is_known = false;
    }

    /// Losses have been repaired.
    pub(super) fn on_recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.quarters = 1;
        }
    }

    /// For how many ticks something may be late, by the smoothed round trip and the shortest one; `is_sure` if as much
    /// has arrived behind it as no reordering explains, unless there is some.
    fn patience(&self, (srtt, least): (u32, u32), is_sure: bool) -> u32 {
        if is_sure && !self.is_reordered {
            return 0;
        }
        let quarters = u32::from(self.quarters);
        (least.saturating_mul(quarters) >> 2).min(srtt).max(1)
    }

    /// RFC 8985 §6.2, step 5: finds what is lost, and when the next look is due.
    pub(super) fn detect(
        &mut self,
        sent: &mut SentTimes,
        board: &Scoreboard,
        una: SeqNum,
        round_trips: (u32, u32),
        is_sure: bool,
        now: Ticks,
    ) {
        self.stop();
        if !self.is_known {
            return;
        }
        let wait = u32::from(self.rtt) + self.patience(round_trips, is_sure);
        for (start, range) in sent.take(una) {
            // What is before the last that has arrived, by time, and within a tick by number: but that says nothing of
            // what was sent again.
            let before = match range.at.since(self.at) {
                1.. => start,
                0 if range.is_again => start,
                0 => range.end.min(self.end.max(start)),
                _ => range.end,
            };
            let due = range.at.after(wait);
            let is_waited_for = !range.is_lost && before.gt(start) && board.missing(start, before) > 0;
            let is_lost = is_waited_for && due.is_due(now);
            if is_waited_for && !is_lost && self.due().is_none_or(|other| other.is_before(due)) {
                (self.due_at, self.is_due) = (due, true);
            }
            if is_lost && before.lt(range.end) {
                sent.push(Range { end: before, is_lost, ..range });
                sent.push(range);
            } else {
                sent.push(Range { is_lost: is_lost || range.is_lost, ..range });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNA: SeqNum = SeqNum(u32::MAX - 700);
    const WINDOW: usize = 2_000;

    #[test]
    fn what_is_sent_in_one_tick_is_one_range() {
        let mut sent = SentTimes::new();
        for (n, tick) in [1, 1, 1, 2, 2].into_iter().enumerate() {
            let start = UNA + 100 * n as u32;
            sent.on_sent(UNA, start, start + 100, Ticks(tick));
        }
        let ends: Vec<i32> = sent.known().iter().map(|range| range.end.since(UNA)).collect();
        assert_eq!(ends, [300, 500]);
        sent.on_sent(UNA, UNA + 100, UNA + 200, Ticks(3));
        let known: Vec<(i32, u32, bool)> =
            sent.ranges().map(|r| (r.end.since(UNA), r.at.0, r.is_again)).collect();
        assert_eq!(known, [(100, 1, false), (200, 3, true), (300, 1, false), (500, 2, false)]);
        sent.on_sent(UNA, UNA, UNA + 600, Ticks(4));
        assert_eq!(sent.known().len(), 1, "a repetition that goes beyond the end: {:?}", sent.known());
        sent.advance(UNA + 600);
        assert!(sent.known().is_empty());
    }

    /// Ranges that end at multiples of 100, by when they were sent, whether again, and whether they are lost.
    fn ranges(parts: &[(u32, bool, bool)]) -> SentTimes {
        let mut sent = SentTimes::new();
        for (&(at, is_again, is_lost), n) in parts.iter().zip(1..) {
            sent.push(Range { end: UNA + 100 * n, at: Ticks(at), is_again, is_lost });
        }
        sent
    }

    fn parts(sent: &SentTimes) -> Vec<(i32, u32, bool, bool)> {
        sent.ranges().map(|r| (r.end.since(UNA), r.at.0, r.is_again, r.is_lost)).collect()
    }

    #[test]
    fn neighbours_that_are_alike_are_one_range() {
        for is_again in [false, true] {
            for is_lost in [false, true] {
                let sent = ranges(&[(1, is_again, is_lost); 3]);
                assert_eq!(parts(&sent), [(300, 1, is_again, is_lost)]);
            }
        }
        let sent = ranges(&[(1, false, false), (1, true, false), (1, true, true), (2, true, true)]);
        assert_eq!(sent.known().len(), 4);
    }

    #[test]
    fn what_is_sent_again_in_pieces_stays_what_was_sent_again() {
        let mut sent = ranges(&[(1, false, false); 4]);
        for n in 0..3 {
            sent.on_sent(UNA, UNA + 100 * n, UNA + 100 * (n + 1), Ticks(2));
        }
        assert_eq!(parts(&sent), [(300, 2, true, false), (400, 1, false, false)]);
    }

    /// Of a pair that becomes one nothing is believed that was true of one of them only, but that it may have been sent
    /// again.
    #[test]
    fn a_pair_that_becomes_one_is_sent_again_if_either_was_and_lost_if_both_were() {
        for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut sent = ranges(&[(1, a, a), (7, b, b)]);
            sent.join();
            assert_eq!(parts(&sent), [(200, 7, a || b, a && b)]);
        }
    }

    /// However close in time, those that differ are joined last, and those of which one is lost last of all.
    #[test]
    fn those_become_one_that_are_alike() {
        let mut sent = ranges(&[(0, false, false), (1, true, false), (900, true, false)]);
        sent.join();
        assert_eq!(parts(&sent), [(100, 0, false, false), (300, 900, true, false)]);
        let mut sent = ranges(&[(0, false, false), (1, false, true), (900, true, true)]);
        sent.join();
        assert_eq!(parts(&sent), [(100, 0, false, false), (300, 900, true, true)]);
    }

    fn board(spans: &[(u32, u32)]) -> Scoreboard {
        let mut board = Scoreboard::new();
        spans.iter().for_each(|&(start, end)| board.add(UNA + start, UNA + end));
        board
    }

    #[test]
    fn what_was_sent_again_and_has_arrived_is_no_more_on_its_way() {
        let sent = ranges(&[(1, false, false), (2, true, false), (3, false, false)]);
        assert!(sent.has_again(UNA, &board(&[])) && sent.has_again(UNA, &board(&[(100, 199)])));
        assert!(!sent.has_again(UNA, &board(&[(100, 200)])));
    }

    /// Something that was sent at `at` and ends at `end` has arrived, a round trip of 100 ticks later.
    fn arrived(at: u32, end: u32) -> Rack {
        Rack { at: Ticks(at), end: UNA + end, rtt: 100, is_known: true, ..Rack::new() }
    }

    /// Covers: RFC 8985 §6.2
    #[test]
    fn lost_is_what_was_sent_before_what_has_arrived_and_is_late() {
        let all = [(10, false, false), (20, false, false), (30, false, false), (40, false, false)];
        // The third has arrived. What follows it is not lost, however late it is.
        for (now, lost, due) in
            [(110, 0, Some(145)), (135, 100, Some(145)), (145, 200, None), (9_000, 200, None)]
        {
            let mut sent = ranges(&all);
            let mut rack = arrived(30, 300);
            rack.detect(&mut sent, &board(&[(200, 300)]), UNA, (400, 100), false, Ticks(now));
            assert_eq!(sent.lost(UNA, &board(&[(200, 300)])), lost, "at {now}");
            assert_eq!(rack.due(), due.map(Ticks));
            let known = parts(&sent);
            assert_eq!(known.len(), 4, "{known:?}");
            assert!(known.iter().zip(all).all(|(known, all)| known.1 == all.0), "{known:?}");
            // Lost once, it is so at the next look.
            rack.detect(&mut sent, &board(&[(200, 300)]), UNA, (400, 100), false, Ticks(now));
            assert_eq!(parts(&sent), known);
        }
    }

    #[test]
    fn what_is_lost_is_not_waited_for() {
        let mut sent = ranges(&[(10, false, true), (30, false, false)]);
        let (mut rack, board) = (arrived(30, 200), board(&[(100, 200)]));
        rack.detect(&mut sent, &board, UNA, (400, 100), false, Ticks(110));
        assert_eq!((rack.due(), sent.lost(UNA, &board)), (None, 100));
    }

    /// What was sent in one tick is split where that ends which has arrived.
    #[test]
    fn of_one_tick_that_is_lost_which_is_before_what_has_arrived() {
        let mut sent = ranges(&[(10, false, false); 4]);
        let board = board(&[(200, 300)]);
        arrived(10, 300).detect(&mut sent, &board, UNA, (400, 100), true, Ticks(110));
        assert_eq!(parts(&sent), [(300, 10, false, true), (400, 10, false, false)]);
        assert_eq!(sent.lost(UNA, &board), 200);
    }

    /// Covers: RFC 8985 §6.2
    #[test]
    fn quarters_of_the_shortest_round_trip_are_waited_for_where_packets_overtake_each_other() {
        let mut rack = arrived(1, 100);
        rack.begin(UNA);
        assert_eq!(rack.patience((400, 100), false), 25);
        assert_eq!(rack.patience((400, 100), true), 0);
        rack.on_overtaken();
        assert_eq!(rack.patience((400, 100), true), 25);
        rack.on_twice(UNA, UNA + 500);
        assert_eq!(rack.patience((400, 100), true), 50);
        rack.on_twice(UNA, UNA + 500);
        assert_eq!(rack.patience((400, 100), true), 50, "once a round trip");
        for _ in 0..40 {
            rack.on_twice(UNA + 500, UNA + 1_000);
            rack.round = UNA;
        }
        assert_eq!(rack.patience((400, 100), true), 400, "no more than a round trip");
    }

    /// Covers: RFC 8985 §6.2
    #[test]
    fn sixteen_recoveries_without_a_needless_repetition_make_it_impatient_again() {
        let mut rack = arrived(1, 100);
        rack.begin(UNA);
        rack.on_twice(UNA, UNA + 500);
        for _ in 0..15 {
            rack.on_recovered();
            assert_eq!(rack.patience((400, 100), false), 50);
        }
        rack.on_recovered();
        assert_eq!(rack.patience((400, 100), false), 25);
    }

    /// However long it sends at a steady rate, and whatever it repeats: no octet counts as sent much later than it was,
    /// since else its loss is seen that much later.
    #[test]
    fn a_steady_sender_knows_of_all_octets_when_they_were_sent() {
        const TICKS: u32 = 600;
        for repeated in [None, Some(50), Some(300), Some(590)] {
            let mut sent = SentTimes::new();
            let mut truth = Vec::new();
            for now in 1..=TICKS {
                sent.on_sent(UNA, UNA + now - 1, UNA + now, Ticks(now));
                truth.push(now);
                if repeated == Some(now) {
                    sent.on_sent(UNA, UNA + 20, UNA + 21, Ticks(now));
                    truth[20] = now;
                }
            }
            assert_eq!(sent.known().len(), MOST);
            let spread = |(start, range): (SeqNum, Range)| {
                let octets = start.since(UNA) as usize..range.end.since(UNA) as usize;
                truth[octets].iter().map(|&at| range.at.0 - at).max().unwrap_or(0)
            };
            let worst = sent.iter(UNA).map(spread).max();
            assert!(worst < Some(4 * TICKS / MOST as u32), "{repeated:?}: {worst:?}");
        }
    }

    /// However full it is: no octet counts as sent earlier than it was, nor as lost if it was not called so.
    #[test]
    fn random_use_never_believes_octets_older_than_they_are() {
        let mut random = crate::phy::SimRng::new(11);
        let mut below = |n: usize| random.below(n as u64) as usize;
        for _ in 0..2_000 {
            let mut sent = SentTimes::new();
            let (mut una, mut max, mut now) = (0, 0, 0);
            let mut map = vec![(0, false); WINDOW];
            for _ in 0..60 {
                now += below(3) as u32;
                let at = |n: usize| UNA + n as u32;
                match below(6) {
                    0 => {
                        una += below(max - una + 1);
                        sent.advance(at(una));
                    }
                    1 if max > una => {
                        let start = una + below(max - una);
                        let end = (start + 1 + below(120)).min(max);
                        sent.on_sent(at(una), at(start), at(end), Ticks(now));
                        map[start..end].fill((now, false));
                    }
                    2 if below(4) == 0 => {
                        sent.lose_all();
                        map[una..max].iter_mut().for_each(|octet| octet.1 = true);
                    }
                    _ if max < WINDOW => {
                        let end = (max + 1 + below(60)).min(WINDOW);
                        sent.on_sent(at(una), at(max), at(end), Ticks(now));
                        map[max..end].fill((now, false));
                        max = end;
                    }
                    _ => {}
                }
                let mut seen = una;
                for (start, range) in sent.iter(at(una)) {
                    let (from, to) = (start.since(UNA) as usize, range.end.since(UNA) as usize);
                    assert!(from == seen && to > from);
                    for &(sent_at, is_lost) in &map[from..to] {
                        assert!(range.at.0 >= sent_at && (is_lost || !range.is_lost));
                    }
                    seen = to;
                }
                assert_eq!(seen, max);
            }
        }
    }
}
