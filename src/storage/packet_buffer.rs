//! A queue of whole packets, each with a header, in two rings.
//!
//! One ring holds what is known of each packet, the other its octets, which are always contiguous: where
//! the end of the ring is too near, the rest of it is skipped. Used by sockets that keep messages apart.

use managed::ManagedSlice;

use super::ring_buffer::{Empty, RingBuffer};

/// What is kept of one packet beside its octets.
#[derive(Debug, Clone, Copy)]
pub struct PacketMetadata<H> {
    /// Octets skipped before the packet's own.
    padding: usize,
    len: usize,
    header: Option<H>,
}

impl<H> PacketMetadata<H> {
    /// Storage for one packet, unused.
    pub const EMPTY: PacketMetadata<H> = PacketMetadata { padding: 0, len: 0, header: None };
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
    metadata: RingBuffer<'a, PacketMetadata<H>>,
    payload: RingBuffer<'a, u8>,
}

impl<'a, H> PacketBuffer<'a, H> {
    /// An empty queue for as many packets as `metadata` has places, with octets kept in `payload`.
    pub fn new(
        metadata: impl Into<ManagedSlice<'a, PacketMetadata<H>>>,
        payload: impl Into<ManagedSlice<'a, u8>>,
    ) -> PacketBuffer<'a, H> {
        PacketBuffer { metadata: RingBuffer::new(metadata), payload: RingBuffer::new(payload) }
    }

    /// Whether there is no packet.
    pub fn is_empty(&self) -> bool {
        self.metadata.is_empty()
    }

    /// Whether not even an empty packet fits now.
    pub fn is_full(&self) -> bool {
        self.metadata.is_full()
    }

    /// How many packets there are.
    pub fn len(&self) -> usize {
        self.metadata.len()
    }

    /// How many packets fit at most.
    pub fn packet_capacity(&self) -> usize {
        self.metadata.capacity()
    }

    /// Octets of the largest packet that fits when the queue is empty.
    pub fn payload_capacity(&self) -> usize {
        self.payload.capacity()
    }

    /// Octets in use, skipped ones included.
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// Drops all packets.
    pub fn reset(&mut self) {
        self.metadata.clear();
        self.payload.clear();
    }

    /// Whether a packet of `len` octets fits now, and how many octets must be skipped for it.
    fn padding_for(&self, len: usize) -> Result<usize, EnqueueError> {
        if len > self.payload.capacity() || self.metadata.capacity() == 0 {
            return Err(EnqueueError::TooLarge);
        }
        let contiguous =
            if self.payload.is_empty() { self.payload.capacity() } else { self.payload.contiguous_window() };
        if self.metadata.is_full() {
            Err(EnqueueError::Full)
        } else if len <= contiguous {
            Ok(0)
        } else if len <= self.payload.window() - contiguous {
            Ok(contiguous)
        } else {
            Err(EnqueueError::Full)
        }
    }

    /// Whether a packet of `len` octets fits now.
    pub fn fits(&self, len: usize) -> Result<(), EnqueueError> {
        self.padding_for(len).map(|_| ())
    }

    /// Queues a packet of `len` octets and returns them, to be written.
    pub fn enqueue(&mut self, len: usize, header: H) -> Result<&mut [u8], EnqueueError> {
        let padding = self.padding_for(len)?;
        if self.payload.is_empty() {
            // Nothing is in use, so all of it may be contiguous.
            self.payload.clear();
        }
        let metadata = self.metadata.enqueue_one().map_err(|_| EnqueueError::Full)?;
        *metadata = PacketMetadata { padding, len, header: Some(header) };
        self.payload.enqueue_unallocated(padding);
        Ok(self.payload.enqueue_many(len))
    }

    /// Queues a packet of up to `max_len` octets that `f` writes; it says how many it has written.
    pub fn enqueue_with(
        &mut self,
        max_len: usize,
        header: H,
        f: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, EnqueueError> {
        let padding = self.padding_for(max_len)?;
        if self.payload.is_empty() {
            self.payload.clear();
        }
        let metadata = self.metadata.enqueue_one().map_err(|_| EnqueueError::Full)?;
        self.payload.enqueue_unallocated(padding);
        let (len, ()) = self.payload.enqueue_many_with(|piece| {
            let piece = piece.get_mut(..max_len).unwrap_or_default();
            let max_len = piece.len();
            (f(piece).min(max_len), ())
        });
        *metadata = PacketMetadata { padding, len, header: Some(header) };
        Ok(len)
    }

    /// The oldest packet.
    pub fn peek(&self) -> Result<(&H, &[u8]), Empty> {
        let metadata = self.metadata.get_allocated(0, 1).first().ok_or(Empty)?;
        let header = metadata.header.as_ref().ok_or(Empty)?;
        Ok((header, self.payload.get_allocated(metadata.padding, metadata.len)))
    }

    /// Takes the oldest packet. Its octets stay until the next packet is queued.
    pub fn dequeue(&mut self) -> Result<(H, &mut [u8]), Empty> {
        let metadata = self.metadata.dequeue_one()?;
        let header = metadata.header.take().ok_or(Empty)?;
        self.payload.dequeue_allocated(metadata.padding);
        Ok((header, self.payload.dequeue_many(metadata.len)))
    }

    /// Drops the oldest packet, if there is one.
    pub fn drop_front(&mut self) {
        if let Ok(metadata) = self.metadata.dequeue_one() {
            self.payload.dequeue_allocated(metadata.padding + metadata.len);
        }
    }

    /// Shows the oldest packet to `f` and takes it if that succeeds.
    pub fn dequeue_with<R, E>(
        &mut self,
        f: impl FnOnce(&mut H, &mut [u8]) -> Result<R, E>,
    ) -> Result<Result<R, E>, Empty> {
        let payload = &mut self.payload;
        let (_, result) = self.metadata.dequeue_many_with(|metadata| {
            let Some(metadata) = metadata.first_mut() else { return (0, Err(Empty)) };
            payload.dequeue_allocated(core::mem::take(&mut metadata.padding));
            let Some(header) = metadata.header.as_mut() else { return (1, Err(Empty)) };
            let len = metadata.len;
            let (_, result) = payload.dequeue_many_with(|piece| {
                let result = f(header, piece.get_mut(..len).unwrap_or_default());
                (if result.is_ok() { len } else { 0 }, result)
            });
            (usize::from(result.is_ok()), Ok(result))
        });
        result
    }
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
