//! Slots with generational handles, and the links that lists, timers and hash chains thread through them.
//!
//! A handle names a slot and one of the 2^40 lives that a slot can have: 32 bits of generation and 8 of
//! epoch. When they are used up the slot is retired, so a stale handle never means another item.
//!
//! The links stand beside the item: 44 octets, 16 without `iface-scale`. What goes through them (`List`, `Timers`, `Table`) is
//! separate and gets the slots as an argument. Before an item is removed its owner takes it off all of them; the ready list alone skips
//! what is gone.

use managed::ManagedSlice;

use crate::time::Ticks;

/// The index of no slot.
pub(crate) const NIL: u32 = u32::MAX;

const INDEX_BITS: u32 = 24;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;

/// How many slots a set can have: as many as handles name, or as a word has bits.
const MAX_SLOTS: usize = if crate::config::HAS_SCALE { 1 << INDEX_BITS } else { 32 };

/// Names an item in its set for as long as the item is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle {
    /// The slot's index in the low 24 bits, its epoch above.
    index: u32,
    generation: u32,
}

impl Handle {
    /// The index of its slot, which no other item of the set has now.
    pub(crate) fn slot(self) -> u32 {
        self.index & INDEX_MASK
    }
}

bitflags::bitflags! {
    /// What the structures threaded through a slot know of it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Marks: u8 {
        /// `at` is a deadline.
        const ARMED = 1;
        /// The slot is filed in the hash table.
        const FILED = 1 << 1;
        /// The slot is on the ready list.
        const READY_LINKED = 1 << 2;
        /// And for a reason that still holds.
        const READY = 1 << 3;
    }
}

/// What a slot holds beside its item.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Links {
    // The octets first: on Arm what is near the beginning takes short instructions.
    epoch: u8,
    pub(super) marks: Marks,
    /// Which work list the slot is on, 0 for none.
    pub(super) list: u8,
    generation: u32,
    /// The next slot in the hash chain; in a vacant slot, the next free one.
    pub(super) chain: u32,
    #[cfg(any(test, feature = "iface-scale"))]
    pub(super) hash: u32,
    #[cfg(any(test, feature = "iface-scale"))]
    /// The neighbours on the work list.
    pub(super) work_next: u32,
    #[cfg(any(test, feature = "iface-scale"))]
    pub(super) work_prev: u32,
    #[cfg(any(test, feature = "iface-scale"))]
    /// The next slot on the ready list.
    pub(super) ready: u32,
    /// The deadline, if `ARMED`.
    pub(super) at: Ticks,
    #[cfg(any(test, feature = "iface-scale"))]
    /// What the timer heap believes, no later than the deadline, if `pos` is a place in it.
    pub(super) key: Ticks,
    #[cfg(any(test, feature = "iface-scale"))]
    /// This slot's place in the heap, or `NIL`.
    pub(super) pos: u32,
    #[cfg(any(test, feature = "iface-scale"))]
    /// The slot whose place in the heap is this slot's index, if the heap reaches so far.
    pub(super) item: u32,
}

impl Links {
    const EMPTY: Links = Links {
        generation: 0,
        epoch: 0,
        marks: Marks::empty(),
        list: 0,
        chain: NIL,
        #[cfg(any(test, feature = "iface-scale"))]
        hash: 0,
        #[cfg(any(test, feature = "iface-scale"))]
        work_next: NIL,
        #[cfg(any(test, feature = "iface-scale"))]
        work_prev: NIL,
        #[cfg(any(test, feature = "iface-scale"))]
        ready: NIL,
        at: Ticks(0),
        #[cfg(any(test, feature = "iface-scale"))]
        key: Ticks(0),
        #[cfg(any(test, feature = "iface-scale"))]
        pos: NIL,
        #[cfg(any(test, feature = "iface-scale"))]
        item: NIL,
    };

    /// Begins the next life. The last one is never lived: it says that the slot is retired.
    fn renew(&mut self) {
        let (generation, wrapped) = self.generation.overflowing_add(1);
        match self.epoch.checked_add(u8::from(wrapped)) {
            Some(epoch) => (self.generation, self.epoch) = (generation, epoch),
            None => debug_assert!(self.is_retired()),
        }
    }

    fn is_retired(&self) -> bool {
        self.generation == u32::MAX && self.epoch == u8::MAX
    }
}

/// The place of one item. Lend an array of [`Slot::EMPTY`].
#[derive(Debug)]
#[repr(C)]
pub struct Slot<T> {
    pub(super) links: Links,
    item: Option<T>,
}

impl<T> Slot<T> {
    /// A slot with nothing in it.
    pub const EMPTY: Slot<T> = Slot { links: Links::EMPTY, item: None };
}

/// All slots are taken, and there is no memory for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotsFull;

/// A set of items with handles.
#[derive(Debug)]
pub(crate) struct Slots<'a, T> {
    slots: ManagedSlice<'a, Slot<T>>,
    free: u32,
    len: u32,
}

impl<'a, T> Slots<'a, T> {
    /// An empty set in `slots`, of which it uses 2^24 at most, 32 without `iface-scale`. What was in them is dropped.
    pub(crate) fn new(slots: impl Into<ManagedSlice<'a, Slot<T>>>) -> Slots<'a, T> {
        let mut slots = slots.into();
        let mut free = NIL;
        for ix in (0..slots.len().min(MAX_SLOTS)).rev() {
            let Some(slot) = slots.get_mut(ix) else { continue };
            // Handles from an earlier use of the memory stay stale.
            if slot.item.take().is_some() {
                slot.links.renew();
            }
            let Links { generation, epoch, .. } = slot.links;
            slot.links = Links { generation, epoch, ..Links::EMPTY };
            if !slot.links.is_retired() {
                slot.links.chain = free;
                free = ix as u32;
            }
        }
        Slots { slots, free, len: 0 }
    }

    /// How many items there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many slots there are; all indices are below.
    #[inline]
    pub(crate) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// Whether [`insert`](Self::insert) will succeed; owned storage is made larger for it.
    pub(crate) fn has_room(&mut self) -> bool {
        self.free != NIL || self.add_slot()
    }

    #[cfg(not(feature = "alloc"))]
    fn add_slot(&mut self) -> bool {
        false
    }

    #[cfg(feature = "alloc")]
    #[cold]
    fn add_slot(&mut self) -> bool {
        let ManagedSlice::Owned(slots) = &mut self.slots else { return false };
        let ix = slots.len();
        if ix >= MAX_SLOTS || slots.try_reserve(1).is_err() {
            return false;
        }
        slots.push(Slot::EMPTY);
        self.free = ix as u32;
        true
    }

    /// Gives `item` a slot.
    pub(crate) fn insert(&mut self, item: T) -> Result<Handle, SlotsFull> {
        if !self.has_room() {
            return Err(SlotsFull);
        }
        let ix = self.free;
        let slot = self.slots.get_mut(ix as usize).ok_or(SlotsFull)?;
        self.free = slot.links.chain;
        slot.links.chain = NIL;
        slot.item = Some(item);
        self.len += 1;
        Ok(handle(ix, &slot.links))
    }

    /// The index of the slot that `handle` names, if its item is still there.
    #[inline]
    pub(crate) fn index_of(&self, handle: Handle) -> Option<u32> {
        let ix = handle.index & INDEX_MASK;
        let Slot { links, item } = self.slots.get(ix as usize)?;
        let lives = links.generation == handle.generation
            && u32::from(links.epoch) == handle.index >> INDEX_BITS
            && item.is_some();
        lives.then_some(ix)
    }

    /// The handle of the item in the slot `ix`.
    pub(crate) fn handle_at(&self, ix: u32) -> Option<Handle> {
        let slot = self.slots.get(ix as usize)?;
        slot.item.as_ref().map(|_| handle(ix, &slot.links))
    }

    /// Takes the item that `handle` names. It must be off all lists, chains and timers.
    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        self.vacate(self.index_of(handle)?)
    }

    /// Takes the item in the slot `ix`, if there is one. It must be off all lists, chains and timers.
    pub(crate) fn vacate(&mut self, ix: u32) -> Option<T> {
        let slot = self.slots.get_mut(ix as usize)?;
        slot.item.as_ref()?;
        let links = &mut slot.links;
        debug_assert!(links.list == 0 && !links.marks.contains(Marks::FILED));
        links.marks.remove(Marks::READY);
        links.renew();
        if !links.is_retired() {
            links.chain = self.free;
            self.free = ix;
        }
        self.len -= 1;
        slot.item.take()
    }

    /// Begins another life for the item in the slot `ix`, so that the handles that are about are void. If
    /// the slot has none left the item is dropped: false. It must be off all chains and timers.
    pub(crate) fn renew(&mut self, ix: u32) -> bool {
        let Some(slot) = self.slots.get_mut(ix as usize) else { return false };
        slot.links.marks.remove(Marks::READY);
        slot.links.renew();
        if slot.links.is_retired() && slot.item.take().is_some() {
            self.len -= 1;
        }
        slot.item.is_some()
    }

    /// The item in the slot `ix`.
    #[inline]
    pub(crate) fn get(&self, ix: u32) -> Option<&T> {
        self.slots.get(ix as usize)?.item.as_ref()
    }

    /// The item in the slot `ix`.
    #[inline]
    pub(crate) fn get_mut(&mut self, ix: u32) -> Option<&mut T> {
        self.slots.get_mut(ix as usize)?.item.as_mut()
    }

    /// The links of the slot `ix`, be it vacant or not.
    #[inline]
    pub(crate) fn links(&self, ix: u32) -> Option<&Links> {
        self.slots.get(ix as usize).map(|slot| &slot.links)
    }

    /// The links of the slot `ix`, be it vacant or not.
    #[inline]
    pub(crate) fn links_mut(&mut self, ix: u32) -> Option<&mut Links> {
        self.slots.get_mut(ix as usize).map(|slot| &mut slot.links)
    }

    /// All slots, vacant ones too.
    #[inline]
    pub(super) fn all(&self) -> &[Slot<T>] {
        &self.slots
    }

    /// All slots, vacant ones too.
    #[inline]
    pub(super) fn all_mut(&mut self) -> &mut [Slot<T>] {
        &mut self.slots
    }

    /// All items with the indices of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(self.slots.iter()).filter_map(|(ix, slot)| Some((ix, slot.item.as_ref()?)))
    }

    /// All items with the indices of their slots.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        (0..).zip(self.slots.iter_mut()).filter_map(|(ix, slot)| Some((ix, slot.item.as_mut()?)))
    }
}

impl<T> Slot<T> {
    /// The item, if the slot is not vacant.
    #[inline]
    pub(super) fn item(&self) -> Option<&T> {
        self.item.as_ref()
    }
}

fn handle(ix: u32, links: &Links) -> Handle {
    Handle { index: ix | u32::from(links.epoch) << INDEX_BITS, generation: links.generation }
}

#[cfg(test)]
mod tests {
    use super::super::testing::XorShift;
    use super::*;
    use std::collections::HashMap;

    #[cfg(not(feature = "iface-scale"))]
    #[test]
    fn without_iface_scale_a_set_has_32_slots_at_most() {
        let mut memory = [const { Slot::EMPTY }; 40];
        let mut slots = Slots::new(&mut memory[..]);
        for n in 0..32 {
            slots.insert(n).unwrap();
        }
        assert_eq!(slots.insert(32), Err(SlotsFull));
    }

    #[test]
    fn links_take_44_octets() {
        assert_eq!(size_of::<Links>(), 44);
    }

    #[test]
    fn a_stale_handle_is_never_another_item() {
        let mut memory = [const { Slot::EMPTY }; 2];
        let mut slots = Slots::new(&mut memory[..]);
        let a = slots.insert('a').unwrap();
        let b = slots.insert('b').unwrap();
        assert_eq!(slots.insert('c'), Err(SlotsFull));
        assert_eq!(slots.remove(a), Some('a'));
        assert_eq!((slots.index_of(a), slots.remove(a)), (None, None));
        let c = slots.insert('c').unwrap();
        assert_ne!(a, c);
        assert_eq!(slots.index_of(a), None);
        assert_eq!(slots.index_of(c).and_then(|ix| slots.get(ix)), Some(&'c'));
        assert_eq!(slots.index_of(b).and_then(|ix| slots.handle_at(ix)), Some(b));
        assert_eq!(slots.len(), 2);
    }

    #[test]
    fn a_handle_is_stale_even_after_2_to_the_32_reuses() {
        let mut memory = [const { Slot::EMPTY }; 1];
        let mut slots = Slots::new(&mut memory[..]);
        let old = slots.insert(0).unwrap();
        slots.remove(old).unwrap();
        // 2^32 - 2 more lives go by.
        slots.links_mut(0).unwrap().generation = u32::MAX;
        let last = slots.insert(1).unwrap();
        slots.remove(last).unwrap();
        let new = slots.insert(2).unwrap();
        assert_eq!(new.generation, old.generation);
        assert_eq!(slots.index_of(old), None);
        assert_eq!(slots.index_of(last), None);
        assert_eq!(slots.index_of(new), Some(0));
    }

    #[test]
    fn a_slot_is_retired_after_2_to_the_40_reuses() {
        let mut memory = [const { Slot::EMPTY }; 1];
        let mut slots = Slots::new(&mut memory[..]);
        let links = slots.links_mut(0).unwrap();
        (links.generation, links.epoch) = (u32::MAX - 2, u8::MAX);
        let before = slots.insert(1).unwrap();
        slots.remove(before).unwrap();
        let last = slots.insert(2).unwrap();
        assert_eq!(slots.index_of(last), Some(0));
        slots.remove(last).unwrap();
        assert_eq!((slots.index_of(last), slots.index_of(before)), (None, None));
        assert_eq!(slots.insert(3), Err(SlotsFull));
        assert_eq!(slots.len(), 0);
        // Not even a new set in the same memory brings it back.
        let mut slots = Slots::new(&mut memory[..]);
        assert_eq!(slots.insert(4), Err(SlotsFull));
    }

    #[test]
    fn handles_of_an_earlier_set_in_the_same_memory_are_stale() {
        let mut memory = [const { Slot::EMPTY }; 2];
        let old = Slots::new(&mut memory[..]).insert('a').unwrap();
        let mut slots = Slots::new(&mut memory[..]);
        assert!(slots.is_empty());
        slots.insert('b').unwrap();
        assert_eq!(slots.index_of(old), None);
    }

    #[cfg(all(feature = "alloc", feature = "iface-scale"))]
    #[test]
    fn owned_storage_grows() {
        let mut slots = Slots::new(Vec::new());
        let handles: Vec<_> = (0..100).map(|n| slots.insert(n).unwrap()).collect();
        for (n, &handle) in handles.iter().enumerate() {
            assert_eq!(slots.index_of(handle).and_then(|ix| slots.get(ix)), Some(&n));
        }
        assert_eq!(slots.iter().map(|(_, &n)| n).sum::<usize>(), 4950);
    }

    #[test]
    fn random_use_agrees_with_a_map() {
        let mut random = XorShift(0x51075);
        let mut memory = [const { Slot::EMPTY }; 8];
        let mut slots = Slots::new(&mut memory[..]);
        let mut model: HashMap<Handle, u32> = HashMap::new();
        let mut handles = Vec::new();
        for step in 0..50_000 {
            if random.below(2) == 0 {
                match slots.insert(step) {
                    Ok(handle) => {
                        assert!(model.insert(handle, step).is_none());
                        handles.push(handle);
                    }
                    Err(SlotsFull) => assert_eq!(model.len(), 8),
                }
            } else if !handles.is_empty() {
                let recent = handles.len().min(20) as u32;
                let handle = handles[handles.len() - 1 - random.below(recent) as usize];
                assert_eq!(slots.index_of(handle).is_some(), model.contains_key(&handle));
                assert_eq!(slots.remove(handle), model.remove(&handle));
            }
            assert_eq!(slots.len(), model.len());
            assert_eq!(slots.iter_mut().count(), model.len());
        }
    }
}
