//! What the devices' unit tests share.

// Which of it is used depends on the devices that are built in.
#![allow(dead_code)]

use super::{Device, RxToken, TxToken};
use crate::time::Instant;

/// Sends `frame`, if there is room.
pub(super) fn send<D: Device>(device: &mut D, now: Instant, frame: &[u8]) -> bool {
    let Some(token) = device.transmit(now) else { return false };
    token.consume(frame.len(), |buffer| buffer.copy_from_slice(frame));
    true
}

/// The next received frame.
pub(super) fn receive<D: Device>(device: &mut D, now: Instant) -> Option<Vec<u8>> {
    let (rx, _) = device.receive(now)?;
    Some(rx.consume(|frame| frame.to_vec()))
}

/// A frame whose first four octets are `number`, of `len` octets.
pub(super) fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut frame = vec![0; len];
    frame[..4].copy_from_slice(&number.to_be_bytes());
    frame
}

/// The number of a frame.
pub(super) fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(*frame.first_chunk().expect("a numbered frame"))
}

/// A device that records with which arguments the forwarded methods were called, and answers with
/// values that no default gives. Middleware has to pass them on.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) wakers: u32,
    pub(super) groups: Vec<super::HardwareAddress>,
    pub(super) tx_meta: super::TxMeta,
    pub(super) sent: Vec<Vec<u8>>,
    pub(super) to_receive: Vec<Vec<u8>>,
    medium: super::Medium,
}

impl Probe {
    pub(super) fn new(medium: super::Medium) -> Probe {
        let (sent, to_receive, groups) = (Vec::new(), Vec::new(), Vec::new());
        Probe { wakers: 0, groups, tx_meta: super::TxMeta::default(), sent, to_receive, medium }
    }
}

pub(super) struct ProbeRx(Vec<u8>);

impl RxToken for ProbeRx {
    fn meta(&self) -> super::RxMeta {
        super::RxMeta {
            checksum_ok: true,
            checksum_partial: true,
            timestamp: 7,
            segment_len: 8,
            packet_id: 9,
        }
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub(super) struct ProbeTx<'a> {
    sent: &'a mut Vec<Vec<u8>>,
    meta: &'a mut super::TxMeta,
}

impl TxToken for ProbeTx<'_> {
    fn set_meta(&mut self, meta: super::TxMeta) {
        *self.meta = meta;
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0xff; len];
        let result = f(&mut frame);
        self.sent.push(frame);
        result
    }
}

impl Device for Probe {
    type RxToken<'a> = ProbeRx;
    type TxToken<'a> = ProbeTx<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(ProbeRx, Option<ProbeTx<'_>>)> {
        let frame = self.to_receive.pop()?;
        Some((ProbeRx(frame), Some(ProbeTx { sent: &mut self.sent, meta: &mut self.tx_meta })))
    }

    fn transmit(&mut self, _now: Instant) -> Option<ProbeTx<'_>> {
        Some(ProbeTx { sent: &mut self.sent, meta: &mut self.tx_meta })
    }

    fn capabilities(&self) -> super::DeviceCapabilities {
        super::DeviceCapabilities::new(self.medium, 777)
    }

    fn hardware_address(&self) -> super::HardwareAddress {
        super::HardwareAddress::Ethernet([2, 7, 7, 7, 7, 7])
    }

    fn link(&self) -> super::LinkState {
        super::LinkState { up: false, speed: 77, full_duplex: false }
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        Some(now + crate::time::Duration::from_micros(77))
    }

    fn register_waker(&mut self, _waker: &core::task::Waker) {
        self.wakers += 1;
    }

    fn set_multicast_filter(&mut self, groups: &[super::HardwareAddress]) {
        self.groups = groups.to_vec();
    }

    fn tx_done(&mut self) -> Option<(u32, u64)> {
        Some((7, 77))
    }
}

/// Every method of `middleware` but the two that move frames reaches the probe that it wraps.
pub(super) fn assert_passes_on<D: Device>(middleware: &mut D, probe: impl Fn(&D) -> &Probe) {
    let plain = Probe::new(middleware.capabilities().medium);
    let group = super::HardwareAddress::Ethernet([1, 0, 0x5e, 0, 0, 1]);
    let now = Instant::from_secs(1);
    assert_eq!(middleware.capabilities(), plain.capabilities());
    assert_eq!(middleware.hardware_address(), plain.hardware_address());
    assert_eq!(middleware.link(), plain.link());
    assert_eq!(middleware.poll_at(now), Some(Instant::from_micros(1_000_077)));
    assert_eq!(middleware.tx_done(), Some((7, 77)));
    middleware.register_waker(core::task::Waker::noop());
    middleware.set_multicast_filter(&[group]);
    assert_eq!(probe(middleware).wakers, 1);
    assert_eq!(probe(middleware).groups, [group]);
}

/// Metadata passes through both tokens of `middleware`, which wraps a probe with a frame to receive.
pub(super) fn assert_passes_meta_on<D: Device>(middleware: &mut D, probe: impl Fn(&D) -> &Probe) {
    let meta = super::TxMeta { checksum_start: 1, checksum_offset: 2, segment_len: 3, packet_id: 4 };
    let (rx, _) = middleware.receive(Instant::ZERO).expect("a frame was put there");
    assert_eq!(rx.meta(), ProbeRx(Vec::new()).meta());
    rx.consume(|_| ());
    let mut tx = middleware.transmit(Instant::ZERO).expect("a probe always has room");
    tx.set_meta(meta);
    tx.consume(8, |_| ());
    assert_eq!(probe(middleware).tx_meta, meta);
}
