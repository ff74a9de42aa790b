//! A device for who feeds packets: VPN clients, proxies, simulators.
//!
//! Two bounded queues of whole packets, in lent or owned memory. One end is a [`Device`], the other pushes
//! what the stack shall receive and pops what it sent. Both ends are one value that is lent to the stack for
//! a poll, so neither locks nor a heap are needed.

use core::task::Waker;

use super::{Device, DeviceCapabilities, HardwareAddress, LinkState, RxMeta, RxToken, TxMeta, TxToken};
#[cfg(feature = "alloc")]
use crate::storage::PacketMetadata;
use crate::storage::{EnqueueError, PacketBuffer};
use crate::time::Instant;

/// What became of the packets so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCounters {
    /// Pushed for the stack.
    pub pushed: u64,
    /// Refused by a push, since there was no room.
    pub refused: u64,
    /// Sent by the stack.
    pub sent: u64,
    /// Sent by the stack, but longer than the device's MTU, and so lost.
    pub too_long: u64,
}

/// A queue of packets each way.
#[derive(Debug)]
pub struct PacketQueue<'a> {
    capabilities: DeviceCapabilities,
    hardware: HardwareAddress,
    link: LinkState,
    rx: PacketBuffer<'a, RxMeta>,
    tx: PacketBuffer<'a, TxMeta>,
    counters: QueueCounters,
    /// Woken when the stack has something to receive, or room to send.
    stack: Option<Waker>,
    /// Woken when there is something to pop.
    owner: Option<Waker>,
}

impl<'a> PacketQueue<'a> {
    /// With these queues: `rx` is what the stack will receive, `tx` what it sends.
    ///
    /// `tx` has to hold at least one packet of the largest size that `capabilities` name, or the stack
    /// never gets a token. `hardware` is what an interface on Ethernet takes as its own address.
    pub fn with_storage(
        capabilities: DeviceCapabilities,
        hardware: HardwareAddress,
        rx: PacketBuffer<'a, RxMeta>,
        tx: PacketBuffer<'a, TxMeta>,
    ) -> PacketQueue<'a> {
        PacketQueue {
            capabilities,
            hardware,
            link: LinkState::UP,
            rx,
            tx,
            counters: QueueCounters::default(),
            stack: None,
            owner: None,
        }
    }

    /// Gives the stack a packet. It is copied once.
    ///
    /// `Full`: let the stack receive first; the packet is counted as refused. `TooLarge`: it never fits.
    pub fn push(&mut self, packet: &[u8]) -> Result<(), EnqueueError> {
        self.push_with(packet.len(), RxMeta::default(), |place| place.copy_from_slice(packet))
    }

    /// The same with what is known of the packet; `fill` writes its `len` octets in place.
    pub fn push_with(
        &mut self,
        len: usize,
        meta: RxMeta,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), EnqueueError> {
        let place = match self.rx.enqueue(len, meta) {
            Ok(place) => place,
            Err(error) => {
                self.counters.refused += 1;
                return Err(error);
            }
        };
        fill(place);
        self.counters.pushed += 1;
        wake(&mut self.stack);
        Ok(())
    }

    /// Takes the oldest packet that the stack has sent. Its octets stay until the stack sends again.
    pub fn pop(&mut self) -> Option<&[u8]> {
        self.pop_with_meta().map(|(_, packet)| packet)
    }

    /// The same with what the device is asked to do: with checksums announced as offloaded, to finish them.
    pub fn pop_with_meta(&mut self) -> Option<(TxMeta, &[u8])> {
        let (meta, packet) = self.tx.dequeue().ok()?;
        wake(&mut self.stack);
        Some((meta, packet))
    }

    /// How many packets wait to be received by the stack.
    pub fn rx_len(&self) -> usize {
        self.rx.len()
    }

    /// How many packets wait to be popped.
    pub fn tx_len(&self) -> usize {
        self.tx.len()
    }

    /// What became of the packets so far.
    pub fn counters(&self) -> QueueCounters {
        self.counters
    }

    /// Tells the stack that the link is up or down; it wakes.
    pub fn set_link(&mut self, link: LinkState) {
        self.link = link;
        wake(&mut self.stack);
    }

    /// Asks to be woken, once, when the stack has sent something.
    pub fn register_owner_waker(&mut self, waker: &Waker) {
        self.owner = Some(waker.clone());
    }

    fn has_room(&self) -> bool {
        self.tx.fits(self.capabilities.max_transmission_unit).is_ok()
    }
}

#[cfg(feature = "alloc")]
impl PacketQueue<'static> {
    /// Queues of `packets` packets each way, in memory of their own.
    pub fn new(
        capabilities: DeviceCapabilities,
        hardware: HardwareAddress,
        packets: usize,
    ) -> PacketQueue<'static> {
        let octets = packets.saturating_mul(capabilities.max_transmission_unit);
        PacketQueue::with_storage(capabilities, hardware, owned(packets, octets), owned(packets, octets))
    }
}

#[cfg(feature = "alloc")]
fn owned<H>(packets: usize, octets: usize) -> PacketBuffer<'static, H> {
    let metadata: alloc::vec::Vec<_> =
        core::iter::repeat_with(|| PacketMetadata::EMPTY).take(packets).collect();
    PacketBuffer::new(metadata, alloc::vec![0; octets])
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl Device for PacketQueue<'_> {
    type RxToken<'t>
        = QueueRxToken<'t>
    where
        Self: 't;
    type TxToken<'t>
        = QueueTxToken<'t>
    where
        Self: 't;

    fn receive(&mut self, _now: Instant) -> Option<(QueueRxToken<'_>, Option<QueueTxToken<'_>>)> {
        let has_room = self.has_room();
        let (meta, packet) = self.rx.dequeue().ok()?;
        let (tx, counters, waker) = (&mut self.tx, &mut self.counters, &mut self.owner);
        let token = QueueTxToken { tx, counters, waker, meta: TxMeta::default() };
        Some((QueueRxToken { meta, packet }, has_room.then_some(token)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<QueueTxToken<'_>> {
        if !self.has_room() {
            return None;
        }
        let (tx, counters, waker) = (&mut self.tx, &mut self.counters, &mut self.owner);
        Some(QueueTxToken { tx, counters, waker, meta: TxMeta::default() })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.hardware
    }

    fn link(&self) -> LinkState {
        self.link
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        (!self.rx.is_empty()).then_some(now)
    }

    fn register_waker(&mut self, waker: &Waker) {
        self.stack = Some(waker.clone());
    }
}

/// A packet that was pushed.
#[derive(Debug)]
pub struct QueueRxToken<'t> {
    meta: RxMeta,
    packet: &'t [u8],
}

impl RxToken for QueueRxToken<'_> {
    fn meta(&self) -> RxMeta {
        self.meta
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.packet)
    }
}

/// Room for a packet to be popped.
#[derive(Debug)]
pub struct QueueTxToken<'t> {
    // Shorter-lived than the queue itself, whose lifetime the metadata's type repeats.
    tx: &'t mut dyn Place,
    counters: &'t mut QueueCounters,
    waker: &'t mut Option<Waker>,
    meta: TxMeta,
}

/// A queue of whatever lifetime.
trait Place: core::fmt::Debug + Send {
    fn enqueue(&mut self, len: usize, meta: TxMeta) -> Option<&mut [u8]>;
}

impl Place for PacketBuffer<'_, TxMeta> {
    fn enqueue(&mut self, len: usize, meta: TxMeta) -> Option<&mut [u8]> {
        PacketBuffer::enqueue(self, len, meta).ok()
    }
}

impl TxToken for QueueTxToken<'_> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.meta = meta;
    }

    /// A packet longer than the device's MTU that finds no room is lost: `f` gets no octets.
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let Some(place) = self.tx.enqueue(len, self.meta) else {
            self.counters.too_long += 1;
            return f(&mut []);
        };
        let result = f(place);
        self.counters.sent += 1;
        wake(self.waker);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phy::Medium;
    use crate::phy::testing::{receive, send};
    use crate::storage::PacketMetadata;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[cfg(feature = "medium-ip")]
    const MEDIUM: Medium = Medium::Ip;
    #[cfg(not(feature = "medium-ip"))]
    const MEDIUM: Medium = Medium::Ethernet;
    const CAPABILITIES: DeviceCapabilities = DeviceCapabilities::new(MEDIUM, 10);

    /// Two packets each way, in lent memory.
    fn with_queue(f: impl FnOnce(&mut PacketQueue<'_>)) {
        let (mut rx, mut tx) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 2]);
        let (mut rx_octets, mut tx_octets) = ([0; 20], [0; 20]);
        let rx = PacketBuffer::new(&mut rx[..], &mut rx_octets[..]);
        let tx = PacketBuffer::new(&mut tx[..], &mut tx_octets[..]);
        f(&mut PacketQueue::with_storage(CAPABILITIES, HardwareAddress::Ip, rx, tx));
    }

    #[test]
    fn packets_pass_both_ways_in_order() {
        with_queue(|queue| {
            assert_eq!(queue.poll_at(Instant::ZERO), None);
            queue.push(b"one").unwrap();
            let meta = RxMeta { packet_id: 7, ..RxMeta::default() };
            queue.push_with(3, meta, |place| place.copy_from_slice(b"two")).unwrap();
            assert_eq!(queue.poll_at(Instant::ZERO), Some(Instant::ZERO));
            assert_eq!(receive(queue, Instant::ZERO).as_deref(), Some(&b"one"[..]));
            let (rx, tx) = queue.receive(Instant::ZERO).unwrap();
            assert_eq!(rx.meta().packet_id, 7);
            rx.consume(|packet| tx.unwrap().consume(3, |answer| answer.copy_from_slice(packet)));
            assert!(send(queue, Instant::ZERO, b"three"));
            assert_eq!(queue.pop(), Some(&b"two"[..]));
            assert_eq!(queue.pop(), Some(&b"three"[..]));
            assert_eq!(queue.pop(), None);
        });
    }

    #[test]
    fn a_full_queue_refuses_counts_and_receives_on() {
        with_queue(|queue| {
            queue.push(&[0; 10]).unwrap();
            queue.push(&[0; 10]).unwrap();
            assert_eq!(queue.push(&[0; 1]), Err(EnqueueError::Full));
            assert_eq!(queue.push(&[0; 21]), Err(EnqueueError::TooLarge));
            assert!(send(queue, Instant::ZERO, &[0; 10]) && send(queue, Instant::ZERO, &[0; 10]));
            assert!(!send(queue, Instant::ZERO, &[0; 1]));
            assert!(queue.receive(Instant::ZERO).unwrap().1.is_none());
            let counters = QueueCounters { pushed: 2, refused: 2, sent: 2, too_long: 0 };
            assert_eq!((queue.counters(), queue.rx_len(), queue.tx_len()), (counters, 1, 2));
        });
    }

    #[test]
    fn a_packet_that_breaks_the_mtu_and_does_not_fit_is_lost_and_counted() {
        with_queue(|queue| {
            queue.transmit(Instant::ZERO).unwrap().consume(21, |octets| assert!(octets.is_empty()));
            assert_eq!((queue.counters().too_long, queue.tx_len()), (1, 0));
        });
    }

    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_end_wakes_the_other() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let woken = || count.0.load(Ordering::Relaxed);
        with_queue(|queue| {
            queue.register_waker(&waker);
            queue.push(b"a").unwrap();
            assert_eq!(woken(), 1);
            queue.register_owner_waker(&waker);
            send(queue, Instant::ZERO, b"b");
            assert_eq!(woken(), 2);
            queue.register_waker(&waker);
            queue.pop();
            assert_eq!(woken(), 3);
            queue.register_waker(&waker);
            queue.set_link(LinkState::DOWN);
            assert_eq!((woken(), queue.link()), (4, LinkState::DOWN));
        });
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn owned_queues_hold_as_many_of_the_largest_as_they_were_made_for() {
        let mut queue = PacketQueue::new(CAPABILITIES, HardwareAddress::Ip, 3);
        assert!((0..3).all(|_| queue.push(&[0; 10]).is_ok()) && queue.push(&[]).is_err());
        assert!((0..3).all(|_| send(&mut queue, Instant::ZERO, &[0; 10])));
        assert!(!send(&mut queue, Instant::ZERO, &[]));
    }
}
