//! Buffers that grow with need, and the memory that they share.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::RingBuffer;

/// Items for which there is room as soon as a buffer is used at all.
const FIRST: usize = 4_096;

/// Items that it is worth to have more memory for.
const LEAST: usize = 1_024;

/// Memory that growing buffers share: a bound on what they take, whoever has them.
///
/// A clone is the same memory. Buffers take of it what they hold in the heap, and give it back when they are dropped or
/// [released](super::RingBuffer::release).
#[derive(Debug, Clone)]
pub struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    used: AtomicUsize,
    /// A buffer has found none.
    is_short: AtomicBool,
}

impl Memory {
    /// At most `limit` octets.
    pub fn new(limit: usize) -> Memory {
        Memory(Arc::new(Shared { limit, used: AtomicUsize::new(0), is_short: AtomicBool::new(false) }))
    }

    /// Octets that buffers may take at most.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Octets that buffers hold now.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Takes so many if `spare` others are left.
    fn take(&self, octets: usize, spare: usize) -> bool {
        let most = self.0.limit.saturating_sub(spare);
        let add = |used: usize| used.checked_add(octets).filter(|&used| used <= most);
        let is_there = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok();
        if !is_there {
            self.set_short();
        }
        is_there
    }

    /// Whether a buffer has found none since this was last asked.
    pub(crate) fn was_short(&self) -> bool {
        self.is_short() && self.0.is_short.swap(false, Ordering::Relaxed)
    }

    /// Whether a buffer has found none and nobody has asked since.
    pub(crate) fn is_short(&self) -> bool {
        self.0.is_short.load(Ordering::Relaxed)
    }

    /// A buffer still finds none.
    pub(crate) fn set_short(&self) {
        self.0.is_short.store(true, Ordering::Relaxed);
    }

    fn give(&self, octets: usize) {
        self.0.used.fetch_sub(octets, Ordering::Relaxed);
    }
}

/// What a buffer has of the memory; it is given back with this.
#[derive(Debug)]
struct Share {
    memory: Memory,
    octets: usize,
    /// What it leaves to others.
    spare: usize,
}

impl Share {
    /// What it may take beyond what it has.
    fn rest(&self) -> usize {
        self.memory.limit().saturating_sub(self.spare).saturating_sub(self.memory.used())
    }

    /// Makes it `octets`, if there is as much.
    fn resize(&mut self, octets: usize) -> bool {
        let is_there = octets <= self.octets || self.memory.take(octets - self.octets, self.spare);
        if is_there {
            self.memory.give(self.octets.saturating_sub(octets));
            self.octets = octets;
        }
        is_there
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.give(self.octets);
    }
}

/// How far a buffer grows, which is no further than it is if it has a fixed size.
#[derive(Debug)]
pub(super) struct Growth {
    /// Items that there may be now.
    allowed: usize,
    growing: Option<Growing>,
}

#[derive(Debug)]
struct Growing {
    share: Share,
    /// Items that may ever be allowed.
    limit: usize,
    /// It has found no memory, or somebody was told that there is none.
    is_short: AtomicBool,
}

impl Growth {
    /// None: there are `len` items at most.
    pub(super) fn fixed(len: usize) -> Growth {
        Growth { allowed: len, growing: None }
    }

    /// Items that there may be.
    #[inline]
    pub(super) fn capacity(&self, _len: usize) -> usize {
        self.allowed
    }

    /// Whether there is memory for more items than `len`, if they may be. If there is none it will be looked for.
    fn may_grow(&self, len: usize) -> bool {
        let least = LEAST.min(self.allowed.saturating_sub(len));
        let Some(growing) = self.growing.as_ref().filter(|_| least > 0) else { return false };
        let has_memory = growing.share.rest() >= least;
        if !has_memory {
            growing.is_short.store(true, Ordering::Relaxed);
            growing.share.memory.set_short();
        }
        has_memory
    }

    /// For how many items there shall be memory, where there is for `len` and `wanted` are to be there; `None` if
    /// there is no more. It is taken of what is shared.
    fn grow(&mut self, len: usize, wanted: usize) -> Option<usize> {
        let growing = self.growing.as_mut()?;
        let (share, most) = (&mut growing.share, self.allowed);
        if wanted.min(most) <= len {
            return None;
        }
        let least = (len + LEAST).min(most);
        let wanted = wanted.max(least).min(most);
        // Twice as much each time, so that what is copied on the way is no more than what comes; else what is needed, or
        // what there is.
        let roomy = wanted.max(len.saturating_mul(2)).max(FIRST).min(most);
        let rest = (len + share.rest()).clamp(least, wanted);
        let grown = [roomy, wanted, rest].into_iter().find(|&len| share.resize(len));
        *growing.is_short.get_mut() = grown.is_none();
        grown
    }

    /// The memory is to be for `len` items; says whether it may.
    pub(super) fn settle(&mut self, len: usize) -> bool {
        match &mut self.growing {
            Some(growing) => growing.share.resize(len),
            None => {
                self.allowed = len;
                true
            }
        }
    }
}

impl<'a> RingBuffer<'a, u8> {
    /// An empty ring that has memory only when it needs it: for `limit` items at most, of what others have left.
    ///
    /// Where there is none, less is enqueued than [`window`](Self::window) says.
    pub fn growing(limit: usize, memory: &Memory) -> RingBuffer<'a, u8> {
        RingBuffer::growing_from(limit, limit, memory, 0)
    }

    /// The same, but only `allowed` items at first, and as long as `spare` octets of the memory are left to others.
    pub(crate) fn growing_from(
        allowed: usize,
        limit: usize,
        memory: &Memory,
        spare: usize,
    ) -> RingBuffer<'a, u8> {
        let share = Share { memory: memory.clone(), octets: 0, spare };
        let mut ring = RingBuffer::new(alloc::vec::Vec::new());
        ring.growth = Growth {
            allowed: allowed.min(limit),
            growing: Some(Growing { share, limit, is_short: AtomicBool::new(false) }),
        };
        ring
    }
}

impl<'a, T: Copy + Default + 'a> RingBuffer<'a, T> {
    /// Whether more can be enqueued: there is room, or memory for it.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.room() > 0 || self.growth.may_grow(self.storage.len())
    }

    /// Of one that has found no memory: whether it would now, and whether it still would not.
    pub(crate) fn relief(&mut self) -> (bool, bool) {
        let Some(growing) = &mut self.growth.growing else { return (false, false) };
        if !core::mem::take(growing.is_short.get_mut()) {
            return (false, false);
        }
        let has_room = self.has_room();
        (has_room, !has_room)
    }

    /// How many items may ever fit, now or after it was allowed to be larger.
    pub(crate) fn limit(&self) -> usize {
        self.growth.growing.as_ref().map_or(self.growth.allowed, |growing| growing.limit)
    }

    /// Allows `items`, or as many as the limit does; never fewer than before.
    #[inline]
    pub(crate) fn allow(&mut self, items: usize) {
        if items > self.growth.allowed {
            self.growth.allowed = self.growth.allowed.max(items.min(self.limit()));
        }
    }

    /// Gets memory for `count` items beyond those that are there, if it may and can.
    #[inline]
    pub(crate) fn make_room(&mut self, count: usize) {
        if count > self.room() {
            self.grow_for(count);
        }
    }

    /// Whether it has memory only when it needs it.
    pub(crate) fn is_growing(&self) -> bool {
        self.growth.growing.is_some()
    }

    /// Gives the memory back, if it is empty and grows when it needs it again. What was written ahead is lost.
    pub(crate) fn give_back(&mut self) {
        if self.is_growing() {
            self.release();
        }
    }

    #[cold]
    #[inline(never)]
    fn grow_for(&mut self, count: usize) {
        let len = self.storage.len();
        if let Some(larger) = self.growth.grow(len, self.length.saturating_add(count))
            && self.enlarge(larger).is_err()
        {
            self.growth.settle(len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_with_need_and_gives_back_what_it_took() {
        let memory = Memory::new(100_000);
        let mut ring = RingBuffer::growing(50_000, &memory);
        assert_eq!((ring.capacity(), ring.window(), memory.used()), (50_000, 50_000, 0));
        let data: Vec<u8> = (0..60_000_u32).map(|i| ((i * 7) >> 3) as u8).collect();
        assert_eq!(ring.enqueue_slice(&data[..10]), 10);
        assert_eq!(memory.used(), FIRST);
        ring.dequeue_allocated(5);
        assert_eq!(ring.enqueue_slice(&data[10..]), 49_995);
        assert_eq!((memory.used(), ring.is_full()), (50_000, true));
        let mut out = vec![0; 60_000];
        assert_eq!(ring.dequeue_slice(&mut out), 50_000);
        assert!(out[..50_000] == data[5..50_005]);
        ring.release();
        assert_eq!((memory.used(), ring.capacity()), (0, 50_000));
        assert_eq!(ring.enqueue_slice(b"again"), 5);
        drop(ring);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn what_is_shared_bounds_all() {
        let memory = Memory::new(10_000);
        let mut rings = [RingBuffer::growing(8_000, &memory), RingBuffer::growing(8_000, &memory)];
        assert_eq!(rings[0].enqueue_slice(&[1; 8_000]), 8_000);
        // Not as much as it would like to have, but what it needs; then what there is, unless that is too little.
        assert_eq!(rings[1].enqueue_slice(&[2; 300]), 300);
        assert_eq!((memory.used(), rings[1].window()), (9_024, 7_700));
        assert_eq!(rings[1].enqueue_slice(&[3; 2_000]), 724);
        assert!(!rings[1].has_room());
        assert_eq!(rings[1].relief(), (false, true));
        assert_eq!(rings[1].enqueue_slice(&[3; 2_000]), 0);
        assert_eq!((memory.used(), rings[1].len()), (9_024, 1_024));
        rings[0].dequeue_allocated(8_000);
        rings[0].release();
        assert!(rings[1].has_room());
        assert_eq!((rings[1].relief(), rings[1].relief()), ((true, false), (false, false)));
        assert_eq!(rings[1].enqueue_slice(&[3; 2_000]), 2_000);
        assert!(memory.used() <= memory.limit());
        drop(rings);
        let mut ring = RingBuffer::growing(20_000, &memory);
        assert_eq!((ring.enqueue_slice(&[4; 10_001]), memory.used()), (10_000, 10_000));
    }

    #[test]
    fn octets_are_written_ahead_of_what_is_there() {
        let memory = Memory::new(100_000);
        let mut ring = RingBuffer::growing(20_000, &memory);
        assert_eq!(ring.write_unallocated(9_000, b"ahead"), 5);
        assert_eq!(ring.write_unallocated(19_998, b"beyond"), 2);
        assert_eq!(ring.enqueue_slice(&[0; 9_000]), 9_000);
        ring.enqueue_unallocated(5);
        assert_eq!(ring.get_allocated(9_000, 5), b"ahead");
    }

    #[test]
    fn more_is_allowed_up_to_the_limit_and_never_less() {
        let memory = Memory::new(100_000);
        let mut ring = RingBuffer::growing_from(1_000, 5_000, &memory, 0);
        assert_eq!((ring.capacity(), ring.limit()), (1_000, 5_000));
        assert_eq!(ring.enqueue_slice(&[0; 6_000]), 1_000);
        ring.allow(500);
        ring.allow(3_000);
        assert_eq!(ring.window(), 2_000);
        ring.allow(9_000);
        assert_eq!(ring.capacity(), 5_000);
        let fixed = RingBuffer::new(vec![0_u8; 10]);
        assert_eq!(fixed.limit(), 10);
    }
}
