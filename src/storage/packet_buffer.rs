//! A queue of whole packets, each with a header, in two rings.
//!
//! One ring holds what is known of each packet, the other its octets, which are always contiguous: where
//! the end of the ring is too near, the rest of it is skipped. Used by sockets that keep messages apart.

use managed::ManagedSlice;

use super::ring_buffer::Empty;

/// What is kept of one packet beside its octets.
#[derive(Debug, Clone, Copy)]
pub struct PacketMetadata<H> {
    /// Where the packet's octets begin.
    start: usize,
    len: usize,
    /// The packet's octets and those that were skipped before them.
    used: usize,
    header: Option<H>,
}

impl<H> PacketMetadata<H> {
    /// Storage for one packet, unused.
    pub const EMPTY: PacketMetadata<H> = PacketMetadata { start: 0, len: 0, used: 0, header: None };
}

/// Why a packet can't be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnqueueError {
    /// There is no room now: try again when packets have left.
    Full,
    /// It is larger than the whole queue: lend more memory, or send less.
    TooLarge,
}

impl core::fmt::Display for EnqueueError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            EnqueueError::Full => "no room now",
            EnqueueError::TooLarge => "larger than the whole buffer",
        })
    }
}

impl core::error::Error for EnqueueError {}

/// A queue of packets with headers of the type `H`.
#[derive(Debug)]
pub struct PacketBuffer<'a, H: 'a> {
    metadata: ManagedSlice<'a, PacketMetadata<H>>,
    payload: ManagedSlice<'a, u8>,
    /// Index of the oldest packet's metadata, and how many packets there are.
    oldest: usize,
    count: usize,
    /// Where the newest packet's octets end; 0 if there is none.
    end: usize,
    /// Octets in use, skipped ones included.
    used: usize,
}

impl<'a, H> PacketBuffer<'a, H> {
    /// An empty queue for as many packets as `metadata` has places, with octets kept in `payload`.
    pub fn new(
        metadata: impl Into<ManagedSlice<'a, PacketMetadata<H>>>,
        payload: impl Into<ManagedSlice<'a, u8>>,
    ) -> PacketBuffer<'a, H> {
        PacketBuffer {
            metadata: metadata.into(),
            payload: payload.into(),
            oldest: 0,
            count: 0,
            end: 0,
            used: 0,
        }
    }

    /// Whether there is no packet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether not even an empty packet fits now.
    pub fn is_full(&self) -> bool {
        self.count >= self.metadata.len()
    }

    /// How many packets there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// How many packets fit at most.
    pub fn packet_capacity(&self) -> usize {
        self.metadata.len()
    }

    /// Octets of the largest packet that fits when the queue is empty.
    pub fn payload_capacity(&self) -> usize {
        self.payload.len()
    }

    /// Octets in use, skipped ones included.
    pub fn payload_len(&self) -> usize {
        self.used
    }

    /// Drops all packets.
    pub fn reset(&mut self) {
        (self.count, self.used, self.end) = (0, 0, 0);
    }

    /// Where a packet of `len` octets fits now, and how many it uses up with those skipped before it.
    fn place_for(&self, len: usize) -> Result<(usize, usize), EnqueueError> {
        let capacity = self.payload.len();
        if len > capacity || self.metadata.is_empty() {
            return Err(EnqueueError::TooLarge);
        }
        let (window, to_end) = (capacity - self.used, capacity - self.end);
        if self.is_full() {
            Err(EnqueueError::Full)
        } else if len <= to_end.min(window) {
            Ok((self.end, len))
        } else if len + to_end <= window {
            Ok((0, len + to_end))
        } else {
            Err(EnqueueError::Full)
        }
    }

    /// Whether a packet of `len` octets fits now.
    pub fn fits(&self, len: usize) -> Result<(), EnqueueError> {
        self.place_for(len).map(|_| ())
    }

    /// Queues a packet of `len` octets and returns them, to be written.
    pub fn enqueue(&mut self, len: usize, header: H) -> Result<&mut [u8], EnqueueError> {
        let (start, used) = self.place_for(len)?;
        self.append(PacketMetadata { start, len, used, header: Some(header) });
        Ok(piece(&mut self.payload, start, len))
    }

    fn append(&mut self, packet: PacketMetadata<H>) {
        self.used += packet.used;
        self.end = packet.start + packet.len;
        let index = self.index_after(self.count);
        self.count += 1;
        if let Some(place) = self.metadata.get_mut(index) {
            *place = packet;
        }
    }

    /// Where the metadata of the packet stands that is `offset`, at most the capacity, after the oldest.
    fn index_after(&self, offset: usize) -> usize {
        let (index, capacity) = (self.oldest + offset, self.metadata.len());
        if index >= capacity { index - capacity } else { index }
    }

    /// Queues a packet of up to `max_len` octets that `f` writes; it says how many it has written.
    pub fn enqueue_with(
        &mut self,
        max_len: usize,
        header: H,
        f: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, EnqueueError> {
        let (start, used) = self.place_for(max_len)?;
        let len = f(piece(&mut self.payload, start, max_len)).min(max_len);
        self.append(PacketMetadata { start, len, used: used - (max_len - len), header: Some(header) });
        Ok(len)
    }

    /// The oldest packet.
    pub fn peek(&self) -> Result<(&H, &[u8]), Empty> {
        if self.count == 0 {
            return Err(Empty);
        }
        let packet = self.metadata.get(self.oldest).ok_or(Empty)?;
        let octets = self.payload.get(packet.start..).and_then(|rest| rest.get(..packet.len));
        Ok((packet.header.as_ref().ok_or(Empty)?, octets.unwrap_or_default()))
    }

    /// The octets of the oldest packet, to be changed.
    pub fn peek_mut(&mut self) -> Result<&mut [u8], Empty> {
        if self.count == 0 {
            return Err(Empty);
        }
        let packet = self.metadata.get(self.oldest).ok_or(Empty)?;
        Ok(piece(&mut self.payload, packet.start, packet.len))
    }

    /// Drops the oldest packet, and says whether there was one.
    pub fn drop_front(&mut self) -> bool {
        if self.count == 0 {
            return false;
        }
        self.used -= self.metadata.get(self.oldest).map_or(0, |packet| packet.used);
        self.oldest = self.index_after(1);
        self.count -= 1;
        if self.count == 0 {
            // Nothing is in use, so all of it may be contiguous.
            self.end = 0;
        }
        true
    }

    /// Takes the oldest packet. Its octets stay until the next packet is queued.
    pub fn dequeue(&mut self) -> Result<(H, &mut [u8]), Empty> {
        let oldest = self.oldest;
        if !self.drop_front() {
            return Err(Empty);
        }
        let packet = self.metadata.get_mut(oldest).ok_or(Empty)?;
        let octets = piece(&mut self.payload, packet.start, packet.len);
        Ok((packet.header.take().ok_or(Empty)?, octets))
    }

    /// Shows the oldest packet to `f` and takes it if that succeeds.
    pub fn dequeue_with<R, E>(
        &mut self,
        f: impl FnOnce(&mut H, &mut [u8]) -> Result<R, E>,
    ) -> Result<Result<R, E>, Empty> {
        if self.count == 0 {
            return Err(Empty);
        }
        let packet = self.metadata.get_mut(self.oldest).ok_or(Empty)?;
        let octets = piece(&mut self.payload, packet.start, packet.len);
        let result = f(packet.header.as_mut().ok_or(Empty)?, octets);
        if result.is_ok() {
            self.drop_front();
        }
        Ok(result)
    }
}

/// `len` octets from `start`; both are within.
fn piece(octets: &mut [u8], start: usize, len: usize) -> &mut [u8] {
    octets.get_mut(start..).and_then(|rest| rest.get_mut(..len)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::XorShift;
    use super::*;
    use std::collections::VecDeque;

    fn with_queue(packets: usize, octets: usize, f: impl FnOnce(&mut PacketBuffer<'_, u32>)) {
        let mut metadata = vec![PacketMetadata::EMPTY; packets];
        let mut payload = vec![0; octets];
        f(&mut PacketBuffer::new(&mut metadata[..], &mut payload[..]));
    }

    #[test]
    fn a_packet_is_contiguous_where_the_ring_wraps() {
        with_queue(4, 10, |queue| {
            queue.enqueue(6, 1).unwrap().copy_from_slice(b"abcdef");
            queue.enqueue(2, 2).unwrap().copy_from_slice(b"gh");
            assert_eq!(queue.dequeue().unwrap().1, b"abcdef");
            queue.enqueue(5, 3).unwrap().copy_from_slice(b"ijklm");
            assert_eq!(queue.dequeue().unwrap(), (2, &mut b"gh"[..].to_vec()[..]));
            assert_eq!(queue.peek(), Ok((&3, &b"ijklm"[..])));
            assert_eq!(queue.dequeue().unwrap().1, b"ijklm");
            assert_eq!(queue.dequeue(), Err(Empty));
            assert_eq!(queue.payload_len(), 0);
        });
    }

    #[test]
    fn what_never_fits_is_told_from_what_does_not_fit_now() {
        with_queue(2, 10, |queue| {
            assert_eq!(queue.enqueue(11, 0), Err(EnqueueError::TooLarge));
            queue.enqueue(6, 0).unwrap();
            assert_eq!(queue.enqueue(10, 0), Err(EnqueueError::Full));
            assert_eq!(queue.enqueue(11, 0), Err(EnqueueError::TooLarge));
            queue.enqueue(0, 0).unwrap();
            assert!(queue.is_full());
            assert_eq!(queue.enqueue(0, 0), Err(EnqueueError::Full));
            queue.reset();
            assert_eq!(queue.enqueue(10, 0).unwrap().len(), 10);
        });
        with_queue(0, 10, |queue| assert_eq!(queue.fits(1), Err(EnqueueError::TooLarge)));
    }

    #[test]
    fn a_packet_that_is_refused_stays_the_oldest() {
        with_queue(2, 10, |queue| {
            queue.enqueue_with(8, 7, |octets| octets.len().min(3)).unwrap();
            assert_eq!(queue.dequeue_with(|_, octets| Err::<(), _>(octets.len())), Ok(Err(3)));
            let taken = queue.dequeue_with(|header, octets| Ok::<_, ()>((*header, octets.len())));
            assert_eq!(taken, Ok(Ok((7, 3))));
            assert_eq!(queue.dequeue_with(|_, _| Ok::<_, ()>(())), Err(Empty));
            assert_eq!(queue.payload_len(), 0);
        });
    }

    #[test]
    fn random_use_agrees_with_a_queue_of_vectors() {
        let mut random = XorShift(0x1234_5678);
        let mut refused = 0;
        with_queue(5, 40, |queue| {
            let mut model: VecDeque<(u32, Vec<u8>)> = VecDeque::new();
            for step in 0..100_000 {
                let len = random.below(18) as usize;
                let data: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
                match random.below(4) {
                    0 | 1 => {
                        let free = 40 - queue.payload_len();
                        let queued = if random.below(2) == 0 {
                            queue.enqueue(len, step).map(|octets| octets.copy_from_slice(&data))
                        } else {
                            let fill = |octets: &mut [u8]| {
                                octets.copy_from_slice(&data);
                                len
                            };
                            queue.enqueue_with(len, step, fill).map(|_| ())
                        };
                        match queued {
                            Ok(()) => model.push_back((step, data)),
                            Err(error) => {
                                assert_eq!(error, EnqueueError::Full);
                                // At most the end of the ring is wasted.
                                assert!(model.len() == 5 || free < 2 * len);
                                refused += 1;
                            }
                        }
                    }
                    2 => match (queue.dequeue(), model.pop_front()) {
                        (Ok((header, octets)), Some(expected)) => {
                            assert_eq!((header, octets.to_vec()), expected);
                        }
                        (taken, expected) => assert!(taken.is_err() && expected.is_none()),
                    },
                    _ => {
                        let take = random.below(2) == 0;
                        let seen = queue.dequeue_with(|header, octets| {
                            assert_eq!((*header, octets.to_vec()), model[0]);
                            if take { Ok(()) } else { Err(()) }
                        });
                        assert_eq!(seen.is_err(), model.is_empty());
                        if take {
                            model.pop_front();
                        }
                    }
                }
                assert_eq!(queue.len(), model.len());
                assert_eq!(queue.peek().ok().map(|(&h, o)| (h, o.to_vec())), model.front().cloned());
            }
        });
        assert!(refused > 1_000);
    }
}
