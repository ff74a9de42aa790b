//! Deadlines: a lazy binary heap threaded through the slots.
//!
//! Place `k` of the heap lives in slot `k`, and slots know their place. An earlier deadline moves its
//! slot up at once; a later one, or none, is only stored, and the heap learns of it when the time comes
//! that it believes in. So most settings of a timer cost a store and a compare, and the price is that
//! [`Timers::bound`] may be early, though never late: once for each deadline that was withdrawn.
//! [`Timers::settle`] makes it exact where few are stale.
//!
//! Times compare by wrapping difference, so all deadlines that are stored lie within 24 days of each
//! other: none is further ahead, and none that has passed stays, since [`Timers::expired`] is asked
//! until it says `None` at every poll.

use super::slots::{Marks, NIL, Slot, Slots};
use crate::time::Ticks;

/// The heap. The slots are an argument of every call and always the same.
#[derive(Debug)]
pub(crate) struct Timers {
    /// How many places are in use.
    len: u32,
}

impl Timers {
    pub(crate) const fn new() -> Timers {
        Timers { len: 0 }
    }

    /// Sets or withdraws the deadline of the slot `ix`.
    #[inline]
    pub(crate) fn set<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32, at: Option<Ticks>) {
        let Some(links) = slots.links_mut(ix) else { return };
        let Some(at) = at else {
            links.marks.remove(Marks::ARMED);
            return;
        };
        links.marks.insert(Marks::ARMED);
        links.at = at;
        if links.pos == NIL || at.is_before(links.key) {
            self.rise(slots.all_mut(), ix);
        }
    }

    /// The deadline of the slot `ix`.
    pub(crate) fn deadline<T>(&self, slots: &Slots<'_, T>, ix: u32) -> Option<Ticks> {
        slots.links(ix).filter(|links| links.marks.contains(Marks::ARMED)).map(|links| links.at)
    }

    /// No deadline lies before this; `None` if there is none at all.
    #[inline]
    pub(crate) fn bound<T>(&self, slots: &Slots<'_, T>) -> Option<Ticks> {
        if self.len == 0 { None } else { entry(slots.all(), 0).map(|(_, key)| key) }
    }

    /// A slot whose deadline has come at `now`; it has none then. To be called until there is no more.
    pub(crate) fn expired<T>(&mut self, slots: &mut Slots<'_, T>, now: Ticks) -> Option<u32> {
        let slots = slots.all_mut();
        loop {
            let (ix, key) = self.head(slots)?;
            if !key.is_due(now) {
                return None;
            }
            let links = &mut slots.get_mut(ix as usize)?.links;
            if links.marks.contains(Marks::ARMED) && links.at.is_due(now) {
                // It stays in its place, which is right again if a new deadline comes at once.
                links.marks.remove(Marks::ARMED);
                return Some(ix);
            }
            self.refresh(slots, ix);
        }
    }

    /// Brings the head up to date, if it is stale, up to `max_heads` times.
    pub(crate) fn settle<T>(&mut self, slots: &mut Slots<'_, T>, max_heads: u32) {
        let slots = slots.all_mut();
        for _ in 0..max_heads {
            let Some((ix, key)) = self.head(slots) else { return };
            let Some(slot) = slots.get(ix as usize) else { return };
            if slot.links.marks.contains(Marks::ARMED) && slot.links.at == key {
                return;
            }
            self.refresh(slots, ix);
        }
    }

    /// Forgets the slot `ix` altogether.
    pub(crate) fn remove<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32) {
        let Some(links) = slots.links_mut(ix) else { return };
        links.marks.remove(Marks::ARMED);
        self.take_out(slots.all_mut(), ix);
    }

    fn head<T>(&self, slots: &[Slot<T>]) -> Option<(u32, Ticks)> {
        if self.len == 0 { None } else { entry(slots, 0) }
    }

    /// Tells the heap of the deadline of the slot `ix`, which is earlier than it believed.
    #[inline(never)]
    fn rise<T>(&mut self, slots: &mut [Slot<T>], ix: u32) {
        let Some(links) = slots.get_mut(ix as usize).map(|slot| &mut slot.links) else { return };
        links.key = links.at;
        let mut pos = links.pos;
        if pos == NIL {
            pos = self.len;
            self.len += 1;
        }
        self.sift(slots, pos, ix);
    }

    /// Tells the heap what has become of the deadline of the slot `ix`.
    fn refresh<T>(&mut self, slots: &mut [Slot<T>], ix: u32) {
        let Some(links) = slots.get_mut(ix as usize).map(|slot| &mut slot.links) else { return };
        if links.marks.contains(Marks::ARMED) {
            links.key = links.at;
            let pos = links.pos;
            self.sift(slots, pos, ix);
        } else {
            self.take_out(slots, ix);
        }
    }

    /// Takes the slot `ix` out of the heap; the last one gets its place.
    fn take_out<T>(&mut self, slots: &mut [Slot<T>], ix: u32) {
        let Some(links) = slots.get_mut(ix as usize).map(|slot| &mut slot.links) else { return };
        let pos = core::mem::replace(&mut links.pos, NIL);
        if pos == NIL {
            return;
        }
        self.len -= 1;
        if let Some((last, _)) = entry(slots, self.len)
            && last != ix
        {
            self.sift(slots, pos, last);
        }
    }

    /// Gives the slot `ix` the place `pos`, or the one above or below that its key belongs to.
    #[inline(never)]
    fn sift<T>(&self, slots: &mut [Slot<T>], mut pos: u32, ix: u32) {
        let Some(key) = slots.get(ix as usize).map(|slot| slot.links.key) else { return };
        while let Some(above) = pos.checked_sub(1).map(|below| below / 2) {
            match entry(slots, above) {
                Some((other, other_key)) if key.is_before(other_key) => place(slots, pos, other),
                _ => break,
            }
            pos = above;
        }
        while let Some((below, other)) = self.earlier_child(slots, pos, key) {
            place(slots, pos, other);
            pos = below;
        }
        place(slots, pos, ix);
    }

    /// The place below `pos` whose key is the earlier one, and what is there, if that is before `key`.
    #[inline]
    fn earlier_child<T>(&self, slots: &[Slot<T>], pos: u32, key: Ticks) -> Option<(u32, u32)> {
        let left = 2 * pos + 1;
        if left >= self.len {
            return None;
        }
        let (mut below, (mut other, mut other_key)) = (left, entry(slots, left)?);
        if left + 1 < self.len
            && let Some((right, right_key)) = entry(slots, left + 1)
            && right_key.is_before(other_key)
        {
            (below, other, other_key) = (left + 1, right, right_key);
        }
        other_key.is_before(key).then_some((below, other))
    }
}

/// What is at the place `pos` of the heap, and its key.
#[inline]
fn entry<T>(slots: &[Slot<T>], pos: u32) -> Option<(u32, Ticks)> {
    let ix = slots.get(pos as usize)?.links.item;
    Some((ix, slots.get(ix as usize)?.links.key))
}

/// Puts the slot `ix` at the place `pos` of the heap.
#[inline]
fn place<T>(slots: &mut [Slot<T>], pos: u32, ix: u32) {
    if let Some(slot) = slots.get_mut(pos as usize) {
        slot.links.item = ix;
    }
    if let Some(slot) = slots.get_mut(ix as usize) {
        slot.links.pos = pos;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::XorShift;
    use super::*;

    fn with_slots(count: usize, f: impl FnOnce(&mut Slots<'_, ()>)) {
        let mut memory: Vec<_> = (0..count).map(|_| Slot::EMPTY).collect();
        let mut slots = Slots::new(&mut memory[..]);
        for _ in 0..count {
            slots.insert(()).unwrap();
        }
        f(&mut slots);
    }

    #[test]
    fn deadlines_expire_in_order_across_the_wrap() {
        with_slots(4, |slots| {
            let mut timers = Timers::new();
            let start = Ticks(u32::MAX - 10);
            for (ix, span) in [(0, 15), (1, 5), (2, 20), (3, 10)] {
                timers.set(slots, ix, Some(start.after(span)));
            }
            assert_eq!(timers.bound(slots), Some(start.after(5)));
            assert_eq!(timers.expired(slots, start.after(4)), None);
            let order: Vec<_> = core::iter::from_fn(|| timers.expired(slots, start.after(16))).collect();
            assert_eq!(order, [1, 3, 0]);
            assert_eq!(timers.bound(slots), Some(start.after(20)));
        });
    }

    #[test]
    fn a_later_deadline_costs_one_early_wake_and_settling_spares_it() {
        with_slots(2, |slots| {
            let mut timers = Timers::new();
            timers.set(slots, 0, Some(Ticks(10)));
            timers.set(slots, 0, Some(Ticks(50)));
            assert_eq!(timers.deadline(slots, 0), Some(Ticks(50)));
            assert_eq!(timers.bound(slots), Some(Ticks(10)));
            assert_eq!(timers.expired(slots, Ticks(10)), None);
            assert_eq!(timers.bound(slots), Some(Ticks(50)));
            timers.set(slots, 0, None);
            timers.set(slots, 1, Some(Ticks(70)));
            timers.settle(slots, 2);
            assert_eq!(timers.bound(slots), Some(Ticks(70)));
            timers.set(slots, 1, None);
            assert_eq!(timers.bound(slots), Some(Ticks(70)));
            timers.settle(slots, 2);
            assert_eq!(timers.bound(slots), None);
        });
    }

    #[test]
    fn a_deadline_set_again_at_once_expires_again() {
        with_slots(1, |slots| {
            let mut timers = Timers::new();
            timers.set(slots, 0, Some(Ticks(10)));
            assert_eq!(timers.expired(slots, Ticks(10)), Some(0));
            timers.set(slots, 0, Some(Ticks(10)));
            assert_eq!(timers.expired(slots, Ticks(10)), Some(0));
            assert_eq!(timers.expired(slots, Ticks(10)), None);
            assert_eq!(timers.bound(slots), None);
        });
    }

    /// What a plain list of deadlines knows.
    struct Oracle {
        deadlines: Vec<Option<u64>>,
        /// Deadlines stored so far, and wakes that were for nothing.
        stored: u32,
        empty_wakes: u32,
        /// How often the ticks wrapped meanwhile.
        wraps: u64,
    }

    impl Oracle {
        fn first(&self) -> Option<u64> {
            self.deadlines.iter().flatten().min().copied()
        }
    }

    /// Random settings, removals and sleeps until the bound, checked against a list.
    fn run(count: usize, seed: u64, settle: u32, steps: u32) -> Oracle {
        let mut oracle = Oracle { deadlines: vec![None; count], stored: 0, empty_wakes: 0, wraps: 0 };
        with_slots(count, |slots| {
            let mut random = XorShift(seed);
            let mut timers = Timers::new();
            // Beyond 2^32 several times; the deadlines are up to 2^29 ahead.
            let mut now = u64::from(u32::MAX) - 100_000;
            for _ in 0..steps {
                let ix = random.below(count as u32);
                match random.below(16) {
                    0..9 => {
                        let bits = random.below(30);
                        let span = u64::from(random.below(1 << bits));
                        timers.set(slots, ix, Some(Ticks((now + span) as u32)));
                        oracle.deadlines[ix as usize] = Some(now + span);
                        oracle.stored += 1;
                    }
                    9..11 => {
                        timers.set(slots, ix, None);
                        oracle.deadlines[ix as usize] = None;
                    }
                    11 => {
                        timers.remove(slots, ix);
                        oracle.deadlines[ix as usize] = None;
                        assert_eq!(slots.links(ix).unwrap().pos, NIL);
                    }
                    _ => {
                        timers.settle(slots, settle);
                        let bound = timers
                            .bound(slots)
                            .map(|bound| now.wrapping_add_signed(i64::from(bound.since(Ticks(now as u32)))));
                        match (bound, oracle.first()) {
                            (Some(bound), Some(first)) => assert!(bound <= first, "late"),
                            (None, first) => assert_eq!(first, None),
                            (Some(_), None) => {}
                        }
                        if settle as usize > count {
                            assert_eq!(bound, oracle.first(), "settled, but not exact");
                        }
                        now = now.max(bound.unwrap_or(now));
                        oracle.empty_wakes +=
                            u32::from(!wake(&mut timers, slots, now, &mut oracle) && bound.is_some());
                    }
                }
                assert!(timers.len as usize <= count);
            }
            oracle.wraps = now >> 32;
        });
        oracle
    }

    /// Takes what has expired, and says whether anything has.
    fn wake(timers: &mut Timers, slots: &mut Slots<'_, ()>, now: u64, oracle: &mut Oracle) -> bool {
        let mut woken = false;
        while let Some(ix) = timers.expired(slots, Ticks(now as u32)) {
            let deadline = oracle.deadlines[ix as usize].take();
            assert!(deadline.is_some_and(|at| at <= now), "early: {deadline:?} at {now}");
            woken = true;
        }
        assert!(oracle.first().is_none_or(|first| first > now), "not all expired");
        assert!(timers.bound(slots).is_none_or(|bound| !bound.is_due(Ticks(now as u32))));
        woken
    }

    #[cfg(feature = "iface-scale")]
    #[test]
    fn the_bound_is_never_late_and_early_once_per_deadline_at_most() {
        for (count, seed) in [(1, 1), (2, 2), (3, 3), (17, 4), (100, 5)] {
            let oracle = run(count, seed, 0, 60_000);
            assert!(oracle.wraps > 0);
            assert!(oracle.empty_wakes > 0 && oracle.empty_wakes <= oracle.stored);
        }
    }

    #[test]
    fn settling_a_few_heads_makes_small_systems_exact() {
        for (count, seed) in [(1, 11), (4, 12), (9, 13)] {
            run(count, seed, count as u32 + 1, 60_000);
        }
    }
}
