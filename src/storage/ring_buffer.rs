//! A ring buffer whose octets beyond the end can be written before they are enqueued.
//!
//! The ring holds `len` *allocated* items, which begin at `read_at`; the `window` items after them are
//! *unallocated*. A TCP receiver writes out-of-order data there and enqueues it once the hole before it
//! is filled. Nothing but [`RingBuffer::clear`] and [`RingBuffer::release`] moves the start of an empty
//! ring, so what was written ahead stays where it is.
//!
//! A ring has the memory that it was made of, or gets it with need ([`RingBuffer::growing`]): then there may be more
//! items than there is memory for, and `room` is what is left of that.
//!
//! Positions wrap by compare and subtract, so any capacity will do, 0 included. Offsets and lengths are
//! clamped to what is there.

use managed::ManagedSlice;

use super::growth::Growth;

/// There is no room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// There is nothing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Empty;

/// Why a buffer could not grow. It is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrowError {
    /// The memory is borrowed, and so are its limits: lend more.
    Borrowed,
    /// The allocator has no more: try later.
    OutOfMemory,
}

macro_rules! error {
    ($($error:ty: $text:expr),*) => { $(
        impl core::fmt::Display for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let text: fn(&$error) -> &'static str = $text;
                f.write_str(text(self))
            }
        }
        impl core::error::Error for $error {}
    )* };
}

error! {
    Full: |_| "no room now",
    Empty: |_| "nothing there",
    GrowError: |error| match error {
        GrowError::Borrowed => "borrowed memory can't grow",
        GrowError::OutOfMemory => "out of memory",
    }
}

/// A ring buffer over lent or owned memory.
#[derive(Debug)]
pub struct RingBuffer<'a, T: 'a> {
    pub(super) storage: ManagedSlice<'a, T>,
    /// Index of the oldest item; below the capacity, or 0.
    read_at: usize,
    /// Allocated items, at most the capacity.
    pub(super) length: usize,
    pub(super) growth: Growth,
}

/// `len` items of the ring `storage` from index `start`, in two pieces.
///
/// The second piece begins at index 0. What reaches further than one round is cut.
fn pieces<T>(storage: &[T], start: usize, len: usize) -> (&[T], &[T]) {
    let (low, high) = storage.split_at_checked(start).unwrap_or((&[], &[]));
    match high.get(..len) {
        Some(first) => (first, &[]),
        None => (high, low.get(..len - high.len()).unwrap_or(low)),
    }
}

/// The same, to be written.
fn pieces_mut<T>(storage: &mut [T], start: usize, len: usize) -> (&mut [T], &mut [T]) {
    let (low, high) = storage.split_at_mut_checked(start).unwrap_or((&mut [], &mut []));
    let first_len = len.min(high.len());
    let second_len = (len - first_len).min(low.len());
    (high.get_mut(..first_len).unwrap_or_default(), low.get_mut(..second_len).unwrap_or_default())
}

impl<'a, T: 'a> RingBuffer<'a, T> {
    /// An empty ring in `storage`, whose length is the capacity.
    pub fn new(storage: impl Into<ManagedSlice<'a, T>>) -> RingBuffer<'a, T> {
        let storage = storage.into();
        let growth = Growth::fixed(storage.len());
        RingBuffer { storage, read_at: 0, length: 0, growth }
    }

    /// Forgets all items, those written ahead too.
    pub fn clear(&mut self) {
        self.read_at = 0;
        self.length = 0;
    }

    /// How many items fit at most.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.growth.capacity(self.storage.len())
    }

    /// How many items there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// How many more items fit.
    #[inline]
    pub fn window(&self) -> usize {
        self.capacity() - self.length
    }

    /// How many more items there is memory for.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.storage.len() - self.length
    }

    /// How many more items fit in one contiguous piece of the memory that there is.
    pub fn contiguous_window(&self) -> usize {
        self.room().min(self.storage.len() - self.index(self.length))
    }

    /// Whether there is nothing in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether nothing more fits.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.window() == 0
    }

    /// The index of the item `offset` (at most what there is memory for) after the oldest one.
    #[inline]
    fn index(&self, offset: usize) -> usize {
        let to_end = self.storage.len() - self.read_at;
        if offset >= to_end { offset - to_end } else { self.read_at + offset }
    }

    /// Up to `len` items that are there, from the one `offset` after the oldest, in two pieces.
    ///
    /// The second piece is empty unless the range wraps.
    #[inline]
    pub fn allocated_pieces(&self, offset: usize, len: usize) -> (&[T], &[T]) {
        let offset = offset.min(self.length);
        let len = len.min(self.length - offset);
        pieces(&self.storage, self.index(offset), len)
    }

    /// Up to `len` free places from the one `offset` after the newest item, in two pieces.
    #[inline]
    pub fn unallocated_pieces_mut(&mut self, offset: usize, len: usize) -> (&mut [T], &mut [T]) {
        let offset = offset.min(self.room());
        let len = len.min(self.room() - offset);
        let start = self.index(self.length + offset);
        pieces_mut(&mut self.storage, start, len)
    }

    /// The first contiguous piece of up to `len` items, from the one `offset` after the oldest.
    pub fn get_allocated(&self, offset: usize, len: usize) -> &[T] {
        self.allocated_pieces(offset, len).0
    }

    /// The first contiguous piece of up to `len` free places, from the one `offset` after the newest item.
    pub fn get_unallocated(&mut self, offset: usize, len: usize) -> &mut [T] {
        self.unallocated_pieces_mut(offset, len).0
    }

    /// Makes items of the next `count` places, or of as many as there are.
    #[inline]
    pub fn enqueue_unallocated(&mut self, count: usize) {
        self.length += count.min(self.room());
    }

    /// Drops the oldest `count` items, or as many as there are.
    #[inline]
    pub fn dequeue_allocated(&mut self, count: usize) {
        let count = count.min(self.length);
        self.read_at = self.index(count);
        self.length -= count;
    }

    /// Lets `f` fill the largest contiguous free piece; it says how many items it made, and a result.
    pub fn enqueue_many_with<'b, R, F>(&'b mut self, f: F) -> (usize, R)
    where
        F: FnOnce(&'b mut [T]) -> (usize, R),
    {
        let max_len = self.contiguous_window();
        let start = self.index(self.length);
        let (piece, _) = pieces_mut(&mut self.storage, start, max_len);
        let (count, result) = f(piece);
        let count = count.min(max_len);
        self.length += count;
        (count, result)
    }

    /// Makes items of up to `len` contiguous places and returns them, to be written.
    pub fn enqueue_many(&mut self, len: usize) -> &mut [T] {
        self.enqueue_many_with(|piece| {
            let len = len.min(piece.len());
            (len, piece.get_mut(..len).unwrap_or_default())
        })
        .1
    }

    /// Makes an item of the next place and returns it, to be written.
    pub fn enqueue_one(&mut self) -> Result<&mut T, Full> {
        if self.room() == 0 {
            return Err(Full);
        }
        let place = self.index(self.length);
        self.length += 1;
        self.storage.get_mut(place).ok_or(Full)
    }

    /// Lets `f` take items from the oldest contiguous piece; it says how many it took, and a result.
    pub fn dequeue_many_with<'b, R, F>(&'b mut self, f: F) -> (usize, R)
    where
        F: FnOnce(&'b mut [T]) -> (usize, R),
    {
        let capacity = self.storage.len();
        let max_len = self.length.min(capacity - self.read_at);
        let (piece, _) = pieces_mut(&mut self.storage, self.read_at, max_len);
        let (count, result) = f(piece);
        let count = count.min(max_len);
        self.read_at += count;
        if self.read_at >= capacity {
            self.read_at = 0;
        }
        self.length -= count;
        (count, result)
    }

    /// Takes up to `len` contiguous items.
    pub fn dequeue_many(&mut self, len: usize) -> &mut [T] {
        self.dequeue_many_with(|piece| {
            let len = len.min(piece.len());
            (len, piece.get_mut(..len).unwrap_or_default())
        })
        .1
    }

    /// Takes the oldest item.
    pub fn dequeue_one(&mut self) -> Result<&mut T, Empty> {
        if self.is_empty() {
            return Err(Empty);
        }
        let place = self.read_at;
        self.dequeue_allocated(1);
        self.storage.get_mut(place).ok_or(Empty)
    }
}

impl<'a, T: Copy + Default + 'a> RingBuffer<'a, T> {
    /// Copies as much of `data` to the free places from `offset` on as fits there, and says how much.
    #[inline]
    pub fn write_unallocated(&mut self, offset: usize, data: &[T]) -> usize {
        self.make_room(offset.saturating_add(data.len()));
        let (first, second) = self.unallocated_pieces_mut(offset, data.len());
        copy(first, data) + copy(second, data.get(first.len()..).unwrap_or_default())
    }

    /// Copies the items from `offset` on to `data`, as many as fit, and says how many.
    #[inline]
    pub fn read_allocated(&self, offset: usize, data: &mut [T]) -> usize {
        let (first, second) = self.allocated_pieces(offset, data.len());
        let count = copy(data, first);
        count + copy(data.get_mut(count..).unwrap_or_default(), second)
    }

    /// Appends as much of `data` as fits, and says how much.
    pub fn enqueue_slice(&mut self, data: &[T]) -> usize {
        let count = self.write_unallocated(0, data);
        self.enqueue_unallocated(count);
        count
    }

    /// Takes as many items as there are and fit into `data`, and says how many.
    pub fn dequeue_slice(&mut self, data: &mut [T]) -> usize {
        let count = self.read_allocated(0, data);
        self.dequeue_allocated(count);
        count
    }
}

/// Copies as much as both have, and says how much.
#[inline]
fn copy<T: Copy>(to: &mut [T], from: &[T]) -> usize {
    let count = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..count), from.get(..count)) {
        to.copy_from_slice(from);
    }
    count
}

#[cfg(feature = "alloc")]
impl<'a, T: Copy + Default + 'a> RingBuffer<'a, T> {
    /// Makes the capacity `capacity`, if it is smaller. Items stay, and so do those written ahead.
    ///
    /// On failure nothing has changed.
    #[inline(never)]
    pub fn grow_to(&mut self, capacity: usize) -> Result<(), GrowError> {
        let len = self.storage.len();
        if capacity <= len {
            return Ok(());
        }
        if matches!(self.storage, ManagedSlice::Borrowed(_)) {
            return Err(GrowError::Borrowed);
        }
        if !self.growth.settle(capacity) {
            return Err(GrowError::OutOfMemory);
        }
        self.enlarge(capacity).inspect_err(|_| _ = self.growth.settle(len))
    }

    /// Makes the memory be for `capacity` items, which are more than now.
    pub(super) fn enlarge(&mut self, capacity: usize) -> Result<(), GrowError> {
        let ManagedSlice::Owned(old) = &mut self.storage else {
            return Err(GrowError::Borrowed);
        };
        let mut grown = alloc::vec::Vec::new();
        grown.try_reserve_exact(capacity).map_err(|_| GrowError::OutOfMemory)?;
        let (first, second) = pieces(old, self.read_at, old.len());
        grown.extend_from_slice(first);
        grown.extend_from_slice(second);
        grown.resize(capacity, T::default());
        *old = grown;
        self.read_at = 0;
        Ok(())
    }

    /// Gives the memory back, if it is owned and the ring is empty. What was written ahead is lost.
    pub fn release(&mut self) {
        if self.is_empty()
            && let ManagedSlice::Owned(storage) = &mut self.storage
        {
            *storage = alloc::vec::Vec::new();
            self.read_at = 0;
            self.growth.settle(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::XorShift;
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn slices_wrap_around_the_end() {
        let mut memory = [0; 5];
        let mut ring = RingBuffer::new(&mut memory[..]);
        assert_eq!(ring.enqueue_slice(b"abcd"), 4);
        ring.dequeue_allocated(3);
        assert_eq!(ring.enqueue_slice(b"efghi"), 4);
        assert!(ring.is_full());
        assert_eq!(ring.allocated_pieces(0, 9), (&b"de"[..], &b"fgh"[..]));
        assert_eq!(ring.allocated_pieces(1, 3), (&b"e"[..], &b"fg"[..]));
        assert_eq!(ring.allocated_pieces(3, 9), (&b"gh"[..], &b""[..]));
        let mut out = [0; 9];
        assert_eq!(ring.dequeue_slice(&mut out), 5);
        assert_eq!(&out[..5], b"defgh");
    }

    #[test]
    fn a_ring_without_memory_takes_and_gives_nothing() {
        let mut ring = RingBuffer::<u8>::new(&mut [][..]);
        assert!(ring.is_empty() && ring.is_full());
        assert_eq!(ring.enqueue_slice(b"x"), 0);
        assert_eq!(ring.write_unallocated(3, b"x"), 0);
        ring.enqueue_unallocated(7);
        ring.dequeue_allocated(7);
        assert_eq!(ring.enqueue_one(), Err(Full));
        assert_eq!(ring.dequeue_one(), Err(Empty));
        assert_eq!(ring.allocated_pieces(1, 1), (&[][..], &[][..]));
        assert_eq!(ring.len(), 0);
    }

    #[test]
    fn data_written_ahead_is_there_when_the_hole_is_filled() {
        let mut memory = [0; 8];
        let mut ring = RingBuffer::new(&mut memory[..]);
        ring.enqueue_slice(b"......");
        ring.dequeue_allocated(6);
        assert_eq!(ring.write_unallocated(3, b"def"), 3);
        assert_eq!(ring.write_unallocated(6, b"ghijk"), 2);
        assert_eq!(ring.write_unallocated(8, b"z"), 0);
        assert_eq!(ring.enqueue_slice(b"abc"), 3);
        ring.enqueue_unallocated(5);
        let mut out = [0; 8];
        assert_eq!(ring.dequeue_slice(&mut out), 8);
        assert_eq!(&out, b"abcdefgh");
    }

    #[test]
    fn closures_that_claim_too_much_are_clamped() {
        let mut memory = [0u8; 4];
        let mut ring = RingBuffer::new(&mut memory[..]);
        assert_eq!(ring.enqueue_many_with(|piece| (usize::MAX, piece.len())), (4, 4));
        assert_eq!(ring.dequeue_many_with(|piece| (usize::MAX, piece.len())), (4, 4));
        assert!(ring.is_empty());
    }

    #[test]
    fn offsets_near_the_largest_number_are_clamped() {
        let mut memory = [0u8; 4];
        let mut ring = RingBuffer::new(&mut memory[..]);
        ring.enqueue_slice(b"ab");
        for n in [usize::MAX, usize::MAX - 1, usize::MAX / 2 + 1] {
            assert_eq!(ring.allocated_pieces(n, n), (&[][..], &[][..]));
            assert_eq!(ring.allocated_pieces(0, n).0, b"ab");
            assert_eq!(ring.write_unallocated(n, b"x"), 0);
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn growing_keeps_items_and_what_was_written_ahead() {
        let mut ring = RingBuffer::new(vec![0u8; 6]);
        ring.enqueue_slice(b"....");
        ring.dequeue_allocated(4);
        ring.enqueue_slice(b"abc");
        ring.write_unallocated(1, b"ef");
        ring.grow_to(10).unwrap();
        assert_eq!(ring.capacity(), 10);
        ring.enqueue_slice(b"d");
        ring.enqueue_unallocated(2);
        let mut out = [0; 10];
        assert_eq!(ring.dequeue_slice(&mut out), 6);
        assert_eq!(&out[..6], b"abcdef");
        ring.release();
        assert_eq!(ring.capacity(), 0);
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_failure_to_grow_keeps_the_old_size() {
        let mut ring = RingBuffer::new(vec![0u8; 3]);
        ring.enqueue_slice(b"ab");
        assert_eq!(ring.grow_to(usize::MAX), Err(GrowError::OutOfMemory));
        assert_eq!((ring.capacity(), ring.get_allocated(0, 3)), (3, &b"ab"[..]));
        let mut memory = [0; 3];
        assert_eq!(RingBuffer::<u8>::new(&mut memory[..]).grow_to(4), Err(GrowError::Borrowed));
    }

    #[test]
    fn random_use_agrees_with_a_queue() {
        for capacity in [0, 1, 2, 3, 7, 16] {
            let mut random = XorShift(0x9e37_79b9 + capacity as u64);
            let mut memory = vec![0u8; capacity];
            let mut ring = RingBuffer::new(&mut memory[..]);
            let mut model = VecDeque::new();
            for _ in 0..20_000 {
                let data: Vec<u8> = (0..random.below(10)).map(|_| random.next() as u8).collect();
                let mut out = vec![0; data.len()];
                match random.below(6) {
                    0 | 1 => {
                        let count = ring.enqueue_slice(&data);
                        assert_eq!(count, data.len().min(capacity - model.len()));
                        model.extend(&data[..count]);
                    }
                    2 => {
                        let count = ring.dequeue_slice(&mut out);
                        let expected: Vec<u8> = model.drain(..data.len().min(model.len())).collect();
                        assert_eq!(&out[..count], &expected[..]);
                    }
                    3 => {
                        let taken = ring.dequeue_many(data.len()).to_vec();
                        assert_eq!(taken, model.drain(..taken.len()).collect::<Vec<_>>());
                    }
                    4 => {
                        let piece = ring.enqueue_many(data.len());
                        piece.copy_from_slice(&data[..piece.len()]);
                        model.extend(piece.iter());
                    }
                    _ => {
                        let offset = random.below(10) as usize;
                        let count = ring.read_allocated(offset, &mut out);
                        let expected: Vec<u8> = model.iter().skip(offset).take(out.len()).copied().collect();
                        assert_eq!(&out[..count], &expected[..]);
                    }
                }
                assert_eq!(ring.len(), model.len());
                assert_eq!(ring.window(), capacity - model.len());
            }
        }
    }
}
