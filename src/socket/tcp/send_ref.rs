//! The send queue that takes octets where they lie: a slice that lives as long as the socket, or a
//! [`Source`] that is asked for a range when a segment of it is written, first or once more.
//!
//! What is queued is a row of *pieces* between octets of the ring. A piece knows where it begins in the
//! stream and how many octets of the ring precede it, both modulo 2^32, so that an offset is found by
//! halving, and an acknowledgment moves no piece. Without pieces the ring is all there is, and nothing here
//! is looked at but their number.

use core::fmt;

use managed::ManagedSlice;

use super::Socket;
use super::error::SendError;
use super::segment::{emit_ring, emit_slice};
use crate::config::TCP_SEND_QUEUE_LEN;
use crate::storage::SocketBuffer;
use crate::wire::checksum::{self, Sum};

/// Octets that are made when a segment with them is written.
///
/// The same range may be asked for again, until it is acknowledged, and must be the same octets then: the peer
/// may have some of them already.
pub trait Source: Sync {
    /// Writes the octets from `offset` on to all of `out`.
    fn read(&self, offset: u32, out: &mut [u8]);
}

/// A place for a slice in a socket's list (see [`Socket::set_send_refs`]); opaque.
#[derive(Clone, Copy)]
pub struct SendRef<'a> {
    /// Where it begins in the stream.
    at: u32,
    /// Octets of the ring before it, in the numbers of [`SendQueue::ring_head`].
    ring_at: u32,
    len: u32,
    octets: Octets<'a>,
}

#[derive(Clone, Copy)]
enum Octets<'a> {
    Slice(&'a [u8]),
    /// From an offset on.
    Source(&'a dyn Source, u32),
}

impl SendRef<'_> {
    /// A free place.
    pub const EMPTY: SendRef<'static> = SendRef { at: 0, ring_at: 0, len: 0, octets: Octets::Slice(&[]) };
}

impl Default for SendRef<'_> {
    fn default() -> Self {
        SendRef::EMPTY
    }
}

impl fmt::Debug for SendRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendRef").field("at", &self.at).field("len", &self.len).finish_non_exhaustive()
    }
}

impl Octets<'_> {
    /// Copies the octets from `offset` on to `out`, and returns their sum if `is_summed`.
    fn emit(&self, offset: u32, is_summed: bool, out: &mut [u8]) -> Sum {
        match self {
            Octets::Slice(slice) => {
                let from = slice.get(offset as usize..).and_then(|rest| rest.get(..out.len()));
                debug_assert!(from.is_some(), "a piece is as long as its slice");
                emit_slice(out, from.unwrap_or_default(), is_summed)
            }
            Octets::Source(source, start) => {
                source.read(start.wrapping_add(offset), out);
                if is_summed { checksum::sum(out) } else { Sum::ZERO }
            }
        }
    }
}

/// The octets to be sent, and those sent and not acknowledged.
#[derive(Debug)]
pub(super) struct SendQueue<'a> {
    ring: SocketBuffer<'a>,
    /// A ring too: `count` of them are in use, from `first` on.
    pieces: ManagedSlice<'a, SendRef<'a>>,
    first: u16,
    count: u16,
    /// All that is queued, in the ring and in pieces.
    length: u32,
    /// The stream's position of the first octet; counts only while there are pieces.
    head: u32,
    /// How many octets of the ring precede it; likewise.
    ring_head: u32,
    /// Pieces that are acknowledged.
    acknowledged: u32,
}

impl<'a> From<SocketBuffer<'a>> for SendQueue<'a> {
    fn from(ring: SocketBuffer<'a>) -> SendQueue<'a> {
        let pieces = ManagedSlice::Borrowed(&mut []);
        let length = ring.len() as u32;
        SendQueue { ring, pieces, first: 0, count: 0, length, head: 0, ring_head: 0, acknowledged: 0 }
    }
}

/// What the ring can do, with the same names.
impl<'a> SendQueue<'a> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.length as usize
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether octets can be copied to it.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.ring.has_room()
    }

    pub(super) fn is_growing(&self) -> bool {
        self.ring.is_growing()
    }

    /// Forgets what was copied to it, if that is all: nobody will send it.
    pub(super) fn forget_copied(&mut self) {
        if self.count == 0 {
            self.ring.clear();
            self.length = 0;
        }
    }

    pub(super) fn relief(&mut self) -> (bool, bool) {
        self.ring.relief()
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    #[inline]
    pub(super) fn allow(&mut self, octets: usize) {
        self.ring.allow(octets);
    }

    pub(super) fn make_room(&mut self, octets: usize) {
        self.ring.make_room(octets);
    }

    pub(super) fn give_back(&mut self) {
        self.ring.give_back();
    }

    pub(super) fn clear(&mut self) {
        self.ring.clear();
        (self.first, self.count, self.length, self.acknowledged) = (0, 0, 0, 0);
    }

    #[inline]
    pub(super) fn enqueue_slice(&mut self, data: &[u8]) -> usize {
        let count = self.ring.enqueue_slice(data);
        self.length += count as u32;
        count
    }

    #[inline]
    pub(super) fn enqueue_many_with<'b, R>(
        &'b mut self,
        f: impl FnOnce(&'b mut [u8]) -> (usize, R),
    ) -> (usize, R) {
        let (count, result) = self.ring.enqueue_many_with(f);
        self.length += count as u32;
        (count, result)
    }

    /// Drops the first `count` octets, or as many as there are.
    #[inline]
    pub(super) fn dequeue_allocated(&mut self, count: usize) {
        let count = count.min(self.len());
        if self.count == 0 {
            self.ring.dequeue_allocated(count);
            self.length -= count as u32;
        } else {
            self.dequeue_mixed(count as u32);
        }
    }

    /// Copies the octets from `offset` on to `out`, and returns their sum if `is_summed`.
    #[inline]
    pub(super) fn emit(&self, offset: u32, is_summed: bool, out: &mut [u8]) -> Sum {
        if self.count == 0 {
            emit_ring(&self.ring, offset as usize, is_summed, out)
        } else {
            self.emit_mixed(offset, is_summed, out)
        }
    }
}

impl<'a> SendQueue<'a> {
    /// The piece that `index` others precede.
    fn piece(&self, index: usize) -> Option<&SendRef<'a>> {
        if index >= usize::from(self.count) {
            return None;
        }
        self.pieces.get((usize::from(self.first) + index) % self.pieces.len().max(1))
    }

    /// Where a piece begins, counted from the first octet; before that if some of it is acknowledged.
    fn offset_of(&self, piece: &SendRef<'_>) -> i32 {
        piece.at.wrapping_sub(self.head) as i32
    }

    /// How many pieces begin at or before `offset`.
    fn begun_at(&self, offset: i32) -> usize {
        let (mut low, mut high) = (0, usize::from(self.count));
        while low < high {
            let middle = low.midpoint(high);
            match self.piece(middle) {
                Some(piece) if self.offset_of(piece) <= offset => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// What is at `offset`, if so many pieces begin at or before it.
    fn place(&self, offset: i32, begun: usize) -> Place<'_, 'a> {
        let Some(piece) = begun.checked_sub(1).and_then(|last| self.piece(last)) else {
            return Place::Ring(offset as u32);
        };
        let into = offset.wrapping_sub(self.offset_of(piece)) as u32;
        let ring_offset = piece.ring_at.wrapping_sub(self.ring_head);
        match into.checked_sub(piece.len) {
            None => Place::Piece { piece, into, ring_offset },
            Some(beyond) => Place::Ring(ring_offset.wrapping_add(beyond)),
        }
    }

    #[cold]
    #[inline(never)]
    fn emit_mixed(&self, offset: u32, is_summed: bool, out: &mut [u8]) -> Sum {
        let (mut sum, mut done, mut at) = (Sum::ZERO, 0, offset as i32);
        let mut begun = self.begun_at(at);
        while done < out.len() {
            let next = self.piece(begun).map_or(i32::MAX, |next| self.offset_of(next));
            let place = self.place(at, begun);
            let most = match place {
                Place::Piece { piece, into, .. } => piece.len - into,
                Place::Ring(_) => next.wrapping_sub(at) as u32,
            };
            let len = (out.len() - done).min(most as usize);
            let Some(part) = out.get_mut(done..done + len) else { break };
            let part = match place {
                Place::Piece { piece, into, .. } => piece.octets.emit(into, is_summed, part),
                Place::Ring(offset) => emit_ring(&self.ring, offset as usize, is_summed, part),
            };
            sum = if done % 2 == 0 { sum.add(part) } else { sum.add_at_odd(part) };
            done += len;
            at = at.wrapping_add(len as i32);
            while self.piece(begun).is_some_and(|piece| self.offset_of(piece) <= at) {
                begun += 1;
            }
        }
        sum
    }

    #[cold]
    #[inline(never)]
    fn dequeue_mixed(&mut self, count: u32) {
        let ring_count = match self.place(count as i32, self.begun_at(count as i32)) {
            Place::Ring(offset) | Place::Piece { ring_offset: offset, .. } => offset,
        };
        self.ring.dequeue_allocated(ring_count as usize);
        self.length -= count;
        self.ring_head = self.ring_head.wrapping_add(ring_count);
        self.head = self.head.wrapping_add(count);
        self.drop_acknowledged();
    }

    /// Gives back the places of pieces that end before the first octet.
    fn drop_acknowledged(&mut self) {
        while let Some(piece) = self.piece(0) {
            if self.offset_of(piece).wrapping_add(piece.len as i32) > 0 {
                return;
            }
            self.first = ((usize::from(self.first) + 1) % self.pieces.len().max(1)) as u16;
            self.count -= 1;
            self.acknowledged = self.acknowledged.wrapping_add(1);
        }
    }

    fn push(&mut self, len: usize, octets: Octets<'a>) -> Result<(), SendError> {
        let queued = self.len();
        let has_room = len <= TCP_SEND_QUEUE_LEN.saturating_sub(queued);
        let capacity = self.pieces.len();
        if !has_room || usize::from(self.count) >= capacity.min(usize::from(u16::MAX)) {
            return Err(SendError::Full);
        }
        let at = self.head.wrapping_add(queued as u32);
        let ring_at = self.ring_head.wrapping_add(self.ring.len() as u32);
        let place = (usize::from(self.first) + usize::from(self.count)) % capacity.max(1);
        let Some(piece) = self.pieces.get_mut(place) else { return Err(SendError::Full) };
        *piece = SendRef { at, ring_at, len: len as u32, octets };
        self.count += 1;
        self.length += len as u32;
        // An empty one with nothing before it is acknowledged.
        self.drop_acknowledged();
        Ok(())
    }
}

/// Where an octet of the queue is.
enum Place<'q, 'a> {
    /// At this offset of the ring.
    Ring(u32),
    /// So far into a piece. `ring_offset` octets of the ring precede it.
    Piece { piece: &'q SendRef<'a>, into: u32, ring_offset: u32 },
}

impl<'a> Socket<'a> {
    /// Lends the list of slices that may be queued at once, in place of the one before; at most 65,535.
    ///
    /// It is for [`send_ref`](Socket::send_ref) and [`send_from`](Socket::send_from); what is copied needs none. An
    /// error if some are queued.
    pub fn set_send_refs(
        &mut self,
        places: impl Into<ManagedSlice<'a, SendRef<'a>>>,
    ) -> Result<(), SendError> {
        let queue = &mut self.side.tx;
        if queue.count > 0 {
            return Err(SendError::Full);
        }
        (queue.pieces, queue.first) = (places.into(), 0);
        Ok(())
    }

    /// Queues `octets` behind what is queued, without a copy: segments are written from where they lie, as often
    /// as it takes. All of them or, if the list is full or more than 2^30 octets would wait, nothing.
    ///
    /// [`Events::WRITABLE`](crate::socket::Events::WRITABLE) tells of acknowledgments, and
    /// [`refs_acknowledged`](Socket::refs_acknowledged) how many slices have been acknowledged to their last octet.
    pub fn send_ref(&mut self, octets: &'a [u8]) -> Result<(), SendError> {
        self.refer(octets.len(), Octets::Slice(octets))
    }

    /// Queues `len` octets that `source` has from `offset` on, which are read when segments are written. Else
    /// as [`send_ref`](Socket::send_ref).
    pub fn send_from(&mut self, source: &'a dyn Source, offset: u32, len: usize) -> Result<(), SendError> {
        self.refer(len, Octets::Source(source, offset))
    }

    /// A new socket with a list of `count` places, unless there is no memory for them.
    #[cfg(feature = "alloc")]
    pub(crate) fn with_send_refs(mut self, count: u16) -> Option<Self> {
        let mut places = alloc::vec::Vec::new();
        places.try_reserve_exact(count.into()).ok()?;
        places.resize(count.into(), SendRef::EMPTY);
        self.side.tx.pieces = places.into();
        Some(self)
    }

    fn refer(&mut self, len: usize, octets: Octets<'a>) -> Result<(), SendError> {
        self.before_send()?;
        self.side.tx.push(len, octets)?;
        self.after_send(len);
        Ok(())
    }

    /// How many slices and ranges are queued and not wholly acknowledged.
    pub fn refs_queued(&self) -> usize {
        usize::from(self.side.tx.count)
    }

    /// How many slices and ranges of this connection are acknowledged to their last octet, modulo 2^32; they are
    /// in the order in which they were queued.
    pub fn refs_acknowledged(&self) -> u32 {
        self.side.tx.acknowledged
    }

    /// How many slices and ranges may be queued at once.
    pub fn refs_capacity(&self) -> usize {
        self.side.tx.pieces.len().min(usize::from(u16::MAX))
    }
}
