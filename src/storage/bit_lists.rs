//! In place of the lists through the slots where `iface-scale` is not built in: a bit for each slot.
//!
//! The order is that of the slots, in rounds: who was taken off comes again after all others.

use super::slots::Slots;

/// The bit of the slot `ix`, which there is.
fn bit(ix: u32) -> u32 {
    1u32.wrapping_shl(ix)
}

fn lowest(bits: u32) -> Option<u32> {
    (bits != 0).then(|| bits.trailing_zeros())
}

/// Slots that stand in a line.
#[derive(Debug)]
pub(crate) struct Line {
    bits: u32,
    /// The slot that was popped last and all before it.
    served: u32,
    count: u16,
}

impl Line {
    pub(crate) const EMPTY: Line = Line { bits: 0, served: 0, count: 0 };

    /// How many there are.
    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    /// Appends a slot that does not stand in it.
    pub(crate) fn push_back(&mut self, ix: u32) {
        debug_assert!(self.bits & bit(ix) == 0);
        self.bits |= bit(ix);
        self.count += 1;
    }

    /// The slot that is next leaves.
    pub(crate) fn pop_front(&mut self) -> Option<u32> {
        let ix = lowest(self.bits & !self.served).or_else(|| lowest(self.bits))?;
        self.served = 2u32.wrapping_shl(ix).wrapping_sub(1); // for the last slot all of them
        self.remove(ix);
        Some(ix)
    }

    /// A slot that stands in it leaves.
    fn remove(&mut self, ix: u32) {
        debug_assert!(self.bits & bit(ix) != 0);
        self.bits &= !bit(ix);
        self.count -= 1;
    }
}

/// A work list.
#[derive(Debug)]
pub(crate) struct List {
    line: Line,
    /// What slots on this list carry; not 0, and different for each list of a set.
    id: u8,
}

impl List {
    /// An empty list. `id` is not 0.
    pub(crate) const fn new(id: u8) -> List {
        List { line: Line::EMPTY, id }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.line.bits == 0
    }

    /// Where a walk over all of it begins.
    pub(crate) fn first(&self) -> Option<u32> {
        lowest(self.line.bits)
    }

    /// The slot after `ix` on a walk.
    pub(crate) fn next<T>(&self, _slots: &Slots<'_, T>, ix: u32) -> Option<u32> {
        // `ix` came from a bit, so it is below 32.
        lowest(self.line.bits & u32::MAX.wrapping_shl(ix) << 1)
    }

    /// Puts the slot `ix` on the list. False if it is on one already, this or another.
    pub(crate) fn push_back<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32) -> bool {
        match slots.links_mut(ix) {
            Some(links) if links.list == 0 => links.list = self.id,
            _ => return false,
        }
        self.line.push_back(ix);
        true
    }

    /// Takes off who is next.
    pub(crate) fn pop_front<T>(&mut self, slots: &mut Slots<'_, T>) -> Option<u32> {
        let ix = self.line.pop_front()?;
        if let Some(links) = slots.links_mut(ix) {
            links.list = 0;
        }
        Some(ix)
    }

    /// Takes the slot `ix` off. False if it is not on this list.
    pub(crate) fn remove<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32) -> bool {
        match slots.links_mut(ix) {
            Some(links) if links.list == self.id => links.list = 0,
            _ => return false,
        }
        self.line.remove(ix);
        true
    }
}

/// The sockets that have something for the application.
#[derive(Debug)]
pub(crate) struct ReadyList(u32);

impl ReadyList {
    pub(crate) const fn new() -> ReadyList {
        ReadyList(0)
    }

    /// Whether no slot is marked.
    pub(crate) fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Marks the slot `ix`.
    pub(crate) fn mark<T>(&mut self, _slots: &mut Slots<'_, T>, ix: u32) {
        self.0 |= bit(ix);
    }

    /// The application knows already: the item in the slot `ix` is no longer reported.
    pub(crate) fn unmark<T>(&mut self, _slots: &mut Slots<'_, T>, ix: u32) {
        self.0 &= !bit(ix);
    }

    /// Takes a slot off.
    pub(crate) fn pop<T>(&mut self, _slots: &mut Slots<'_, T>) -> Option<u32> {
        let ix = lowest(self.0)?;
        self.0 &= !bit(ix);
        Some(ix)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lists::list_of;
    use super::super::slots::Slot;
    use super::super::testing::XorShift;
    use super::*;

    const COUNT: u32 = 32;

    fn with_slots(f: impl FnOnce(&mut Slots<'_, ()>)) {
        let mut memory = [const { Slot::EMPTY }; COUNT as usize];
        let mut slots = Slots::new(&mut memory[..]);
        for _ in 0..COUNT {
            slots.insert(()).unwrap();
        }
        f(&mut slots);
    }

    #[test]
    fn who_was_served_comes_after_all_others() {
        with_slots(|slots| {
            let mut list = List::new(1);
            for ix in [0, 5, 31] {
                assert!(list.push_back(slots, ix));
            }
            for expected in [0, 5, 31, 0, 5, 31] {
                let ix = list.pop_front(slots).unwrap();
                assert_eq!(ix, expected);
                list.push_back(slots, ix);
            }
        });
    }

    #[test]
    fn random_use_agrees_with_flags() {
        with_slots(|slots| {
            let mut random = XorShift(0xb175);
            let mut lists = [List::new(1), List::new(2)];
            let mut model = [0u8; COUNT as usize];
            for _ in 0..100_000 {
                let which = random.below(2) as usize;
                let (list, ix) = (&mut lists[which], random.below(COUNT));
                let id = which as u8 + 1;
                match random.below(5) {
                    0..3 => {
                        assert_eq!(list.push_back(slots, ix), model[ix as usize] == 0);
                        if model[ix as usize] == 0 {
                            model[ix as usize] = id;
                        }
                    }
                    3 => match list.pop_front(slots) {
                        Some(ix) => assert_eq!(core::mem::take(&mut model[ix as usize]), id),
                        None => assert!(!model.contains(&id)),
                    },
                    _ => {
                        let was_there = model[ix as usize] == id;
                        assert_eq!(list.remove(slots, ix), was_there);
                        if was_there {
                            model[ix as usize] = 0;
                        }
                    }
                }
                let list = &lists[which];
                let walk: Vec<u32> =
                    core::iter::successors(list.first(), |&ix| list.next(slots, ix)).collect();
                let expected: Vec<u32> = (0..COUNT).filter(|&ix| model[ix as usize] == id).collect();
                assert_eq!(walk, expected);
                assert_eq!(list.is_empty(), expected.is_empty());
                assert_eq!(list_of(slots, ix), model[ix as usize]);
            }
        });
    }

    #[test]
    fn an_event_is_reported_once_and_not_after_it_was_unmarked() {
        with_slots(|slots| {
            let mut ready = ReadyList::new();
            for ix in [31, 1, 31, 2] {
                ready.mark(slots, ix);
            }
            ready.unmark(slots, 2);
            assert_eq!((ready.pop(slots), ready.pop(slots)), (Some(1), Some(31)));
            assert!(ready.is_empty() && ready.pop(slots).is_none());
        });
    }

    #[test]
    fn a_slot_that_there_can_not_be_is_on_no_list() {
        with_slots(|slots| {
            let mut list = List::new(1);
            assert!(!list.push_back(slots, COUNT) && !list.push_back(slots, u32::MAX));
            assert!(!list.remove(slots, COUNT) && list.is_empty());
        });
    }
}
