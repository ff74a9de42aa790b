//! FIFO lists through the slots.
//!
//! [`List`] is a work list: touched sockets, those that wait for a neighbour, those that wait for a
//! port. A slot is on at most one, which its `list` octet names, and can be taken off from anywhere in
//! constant time, since a socket that is closed or touched may wait among thousands.
//!
//! [`ReadyList`] tells the application which sockets have something for it. Nobody takes a slot off it
//! but by popping; what has gone or been answered meanwhile is skipped then.

use super::slots::Slots;
#[cfg(any(test, feature = "iface-scale"))]
use super::slots::{Marks, NIL};

/// Touched: has something to do, to settle or to send.
pub(crate) const TOUCHED: u8 = 1;
/// Waits for a neighbour's hardware address.
pub(crate) const NEIGHBOR: u8 = 2;
/// Waits for room in a port's device.
pub(crate) const PORT: u8 = 3;
/// Lent to a listener, for a connection to come.
pub(crate) const LENT: u8 = 4;

#[cfg(any(test, feature = "iface-scale"))]
/// A doubly linked work list.
#[derive(Debug)]
pub(crate) struct List {
    head: u32,
    tail: u32,
    /// What slots on this list carry; not 0, and different for each list of a set.
    id: u8,
}

#[cfg(any(test, feature = "iface-scale"))]
impl List {
    /// An empty list. `id` is not 0.
    pub(crate) const fn new(id: u8) -> List {
        List { head: NIL, tail: NIL, id }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == NIL
    }

    /// The slot that would be popped next.
    #[inline]
    pub(crate) fn first(&self) -> Option<u32> {
        (self.head != NIL).then_some(self.head)
    }

    /// The slot after `ix`, which is on this list.
    pub(crate) fn next<T>(&self, slots: &Slots<'_, T>, ix: u32) -> Option<u32> {
        slots.links(ix).map(|links| links.work_next).filter(|&next| next != NIL)
    }

    /// Appends the slot `ix`. False if it is on a list already, this one or another.
    #[inline]
    pub(crate) fn push_back<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32) -> bool {
        let tail = self.tail;
        match slots.links_mut(ix) {
            Some(links) if links.list == 0 => {
                links.list = self.id;
                links.work_prev = tail;
            }
            _ => return false,
        }
        match slots.links_mut(tail) {
            Some(links) => links.work_next = ix,
            None => self.head = ix,
        }
        self.tail = ix;
        true
    }

    /// Takes the oldest slot off.
    #[inline]
    pub(crate) fn pop_front<T>(&mut self, slots: &mut Slots<'_, T>) -> Option<u32> {
        let ix = self.head;
        let links = slots.links_mut(ix)?;
        links.list = 0;
        let next = core::mem::replace(&mut links.work_next, NIL);
        self.head = next;
        match slots.links_mut(next) {
            Some(links) => links.work_prev = NIL,
            None => self.tail = NIL,
        }
        Some(ix)
    }

    /// Takes the slot `ix` off. False if it is not on this list.
    pub(crate) fn remove<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32) -> bool {
        let (prev, next) = match slots.links_mut(ix) {
            Some(links) if links.list == self.id => {
                links.list = 0;
                let (prev, next) = (links.work_prev, links.work_next);
                (links.work_prev, links.work_next) = (NIL, NIL);
                (prev, next)
            }
            _ => return false,
        };
        match slots.links_mut(prev) {
            Some(links) => links.work_next = next,
            None => self.head = next,
        }
        match slots.links_mut(next) {
            Some(links) => links.work_prev = prev,
            None => self.tail = prev,
        }
        true
    }

    /// Appends all of `other`, which is empty afterwards.
    pub(crate) fn append<T>(&mut self, slots: &mut Slots<'_, T>, other: &mut List) {
        while let Some(ix) = other.pop_front(slots) {
            self.push_back(slots, ix);
        }
    }
}

/// The identifier of the work list that the slot `ix` is on, 0 for none.
#[inline]
pub(crate) fn list_of<T>(slots: &Slots<'_, T>, ix: u32) -> u8 {
    slots.links(ix).map_or(0, |links| links.list)
}

#[cfg(any(test, feature = "iface-scale"))]
/// The singly linked list of sockets that have something for the application.
#[derive(Debug)]
pub(crate) struct ReadyList {
    head: u32,
    tail: u32,
}

#[cfg(any(test, feature = "iface-scale"))]
impl ReadyList {
    pub(crate) const fn new() -> ReadyList {
        ReadyList { head: NIL, tail: NIL }
    }

    /// Whether no slot is marked, but for some that are gone.
    pub(crate) fn is_empty(&self) -> bool {
        self.head == NIL
    }

    /// Puts the item in the slot `ix` on the list, unless it is there.
    #[inline]
    pub(crate) fn mark<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32) {
        let Some(links) = slots.links_mut(ix) else { return };
        let linked = links.marks.contains(Marks::READY_LINKED);
        links.marks.insert(Marks::READY | Marks::READY_LINKED);
        if linked {
            return;
        }
        links.ready = NIL;
        match slots.links_mut(self.tail) {
            Some(links) => links.ready = ix,
            None => self.head = ix,
        }
        self.tail = ix;
    }

    /// The application knows already: the item in the slot `ix` is no longer reported.
    pub(crate) fn unmark<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32) {
        if let Some(links) = slots.links_mut(ix) {
            links.marks.remove(Marks::READY);
        }
    }

    /// Takes the oldest item that is still ready off.
    pub(crate) fn pop<T>(&mut self, slots: &mut Slots<'_, T>) -> Option<u32> {
        loop {
            let ix = self.head;
            let links = slots.links_mut(ix)?;
            self.head = links.ready;
            let ready = links.marks.contains(Marks::READY);
            links.marks.remove(Marks::READY | Marks::READY_LINKED);
            if self.head == NIL {
                self.tail = NIL;
            }
            if ready {
                return Some(ix);
            }
        }
    }
}

#[cfg(any(test, feature = "iface-scale"))]
/// A line of sockets, which the engine threads through their entries.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) head: u32,
    pub(crate) tail: u32,
    /// How many there are.
    pub(crate) count: u16,
}

#[cfg(any(test, feature = "iface-scale"))]
impl Line {
    pub(crate) const EMPTY: Line = Line { head: NIL, tail: NIL, count: 0 };

    /// How many there are.
    pub(crate) fn count(&self) -> u16 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::super::slots::Slot;
    use super::super::testing::XorShift;
    use super::*;
    use std::collections::VecDeque;

    const COUNT: u32 = 8;

    fn with_slots(f: impl FnOnce(&mut Slots<'_, ()>)) {
        let mut memory = [const { Slot::EMPTY }; COUNT as usize];
        let mut slots = Slots::new(&mut memory[..]);
        for _ in 0..COUNT {
            slots.insert(()).unwrap();
        }
        f(&mut slots);
    }

    #[test]
    fn a_slot_is_on_one_work_list_at_most() {
        with_slots(|slots| {
            let (mut touched, mut waiting) = (List::new(1), List::new(2));
            assert!(touched.push_back(slots, 3));
            assert!(!touched.push_back(slots, 3));
            assert!(!waiting.push_back(slots, 3));
            assert!(!waiting.remove(slots, 3));
            assert_eq!(list_of(slots, 3), 1);
            assert!(touched.remove(slots, 3));
            assert!(waiting.push_back(slots, 3));
            assert_eq!((touched.pop_front(slots), waiting.pop_front(slots)), (None, Some(3)));
            assert!(!touched.push_back(slots, COUNT) && !touched.push_back(slots, NIL));
        });
    }

    #[test]
    fn a_list_of_waiting_slots_moves_in_order() {
        with_slots(|slots| {
            let (mut touched, mut waiting) = (List::new(1), List::new(2));
            touched.push_back(slots, 5);
            for ix in [4, 0, 2] {
                waiting.push_back(slots, ix);
            }
            touched.append(slots, &mut waiting);
            assert!(waiting.is_empty());
            let order: Vec<_> = core::iter::from_fn(|| touched.pop_front(slots)).collect();
            assert_eq!(order, [5, 4, 0, 2]);
        });
    }

    #[test]
    fn an_event_is_reported_once() {
        with_slots(|slots| {
            let mut ready = ReadyList::new();
            ready.mark(slots, 6);
            ready.mark(slots, 1);
            ready.mark(slots, 6);
            assert_eq!(ready.pop(slots), Some(6));
            ready.mark(slots, 6);
            ready.unmark(slots, 1);
            assert_eq!(ready.pop(slots), Some(6));
            assert_eq!(ready.pop(slots), None);
            ready.mark(slots, 1);
            assert_eq!(ready.pop(slots), Some(1));
        });
    }

    #[test]
    fn what_is_removed_while_ready_is_not_reported() {
        with_slots(|slots| {
            let mut ready = ReadyList::new();
            ready.mark(slots, 2);
            ready.mark(slots, 3);
            let handle = slots.handle_at(2).unwrap();
            slots.remove(handle).unwrap();
            // The slot's next item has its own events.
            slots.insert(()).unwrap();
            assert_eq!((ready.pop(slots), ready.pop(slots)), (Some(3), None));
            ready.mark(slots, 2);
            assert_eq!((ready.pop(slots), ready.pop(slots)), (Some(2), None));
        });
    }

    #[test]
    fn random_use_agrees_with_queues() {
        with_slots(|slots| {
            let mut random = XorShift(0x715);
            let mut lists = [List::new(1), List::new(2), List::new(3)];
            let mut models = [const { VecDeque::new() }; 3];
            for _ in 0..100_000 {
                let which = random.below(3) as usize;
                let (list, ix) = (&mut lists[which], random.below(COUNT));
                match random.below(5) {
                    0..3 => {
                        let free = models.iter().all(|model| !model.contains(&ix));
                        assert_eq!(list.push_back(slots, ix), free);
                        if free {
                            models[which].push_back(ix);
                        }
                    }
                    3 => assert_eq!(list.pop_front(slots), models[which].pop_front()),
                    _ => {
                        let there = models[which].contains(&ix);
                        assert_eq!(list.remove(slots, ix), there);
                        models[which].retain(|&other| other != ix);
                    }
                }
                let list = &lists[which];
                let seen = core::iter::successors(list.first(), |&ix| list.next(slots, ix));
                assert_eq!(seen.collect::<VecDeque<_>>(), models[which]);
                assert_eq!(list.is_empty(), models[which].is_empty());
            }
        });
    }
}
