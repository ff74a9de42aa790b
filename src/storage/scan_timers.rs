//! In place of the timer heap where `iface-scale` is not built in: every question is put to all slots.

use super::slots::{Marks, Slots};
use crate::time::Ticks;

/// Deadlines that stand in the slots and nowhere else.
#[derive(Debug)]
pub(crate) struct Timers;

impl Timers {
    pub(crate) const fn new() -> Timers {
        Timers
    }

    /// Sets or withdraws the deadline of the slot `ix`.
    pub(crate) fn set<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32, at: Option<Ticks>) {
        let Some(links) = slots.links_mut(ix) else { return };
        links.marks.set(Marks::ARMED, at.is_some());
        links.at = at.unwrap_or(links.at); // without the mark it means nothing
    }

    /// The earliest deadline.
    pub(crate) fn bound<T>(&self, slots: &Slots<'_, T>) -> Option<Ticks> {
        let armed = slots.all().iter().filter(|slot| slot.links.marks.contains(Marks::ARMED));
        armed.fold(None, |at, slot| Ticks::earlier(at, Some(slot.links.at)))
    }

    /// A slot whose deadline has come at `now`; it has none then. To be called until there is no more.
    pub(crate) fn expired<T>(&mut self, slots: &mut Slots<'_, T>, now: Ticks) -> Option<u32> {
        let is_due = |marks: Marks, at: Ticks| marks.contains(Marks::ARMED) && at.is_due(now);
        let mut slots = (0..).zip(slots.all_mut());
        let (ix, slot) = slots.find(|(_, slot)| is_due(slot.links.marks, slot.links.at))?;
        slot.links.marks.remove(Marks::ARMED);
        Some(ix)
    }

    /// The bound is exact as it is.
    pub(crate) fn settle<T>(&mut self, _slots: &mut Slots<'_, T>, _max_heads: u32) {}

    /// Forgets the slot `ix` altogether.
    pub(crate) fn remove<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32) {
        self.set(slots, ix, None);
    }
}

#[cfg(test)]
mod tests {
    use super::super::slots::Slot;
    use super::*;

    #[test]
    fn deadlines_expire_across_the_wrap_and_the_bound_is_exact() {
        let mut memory = [const { Slot::EMPTY }; 3];
        let mut slots = Slots::new(&mut memory[..]);
        let mut timers = Timers::new();
        let start = Ticks(u32::MAX - 5);
        for (ix, span) in [(0, 10), (1, 3), (2, 7)] {
            slots.insert(()).unwrap();
            timers.set(&mut slots, ix, Some(start.after(span)));
        }
        assert_eq!(timers.bound(&slots), Some(start.after(3)));
        timers.set(&mut slots, 1, None);
        assert_eq!(timers.bound(&slots), Some(start.after(7)));
        assert_eq!(timers.expired(&mut slots, start.after(6)), None);
        assert_eq!(timers.expired(&mut slots, start.after(7)), Some(2));
        assert_eq!(timers.expired(&mut slots, start.after(7)), None);
        timers.remove(&mut slots, 0);
        assert_eq!(timers.bound(&slots), None);
    }
}
