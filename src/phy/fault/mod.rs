//! A device wrapped so that it loses, damages, doubles and reorders frames, from a seed.
//!
//! For a stack on a real device: what a whole simulated network does to frames is in
//! [`SimLink`](super::SimLink). Every received frame is copied once.
//!
//! A frame's lot is drawn when it comes, in this order: too long, over the rate, lost, damaged, doubled, held
//! back. What is off draws nothing. Held frames and second copies go on in `receive` and `transmit`, and
//! [`Device::poll_at`] says when the next one is due: whoever waits has to ask the device, not only the stack.

mod config;
mod direction;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

pub use config::{FaultConfig, FaultCounters, RateLimit};
use direction::{Direction, Held, Lot};

use super::{Device, DeviceCapabilities, RxMeta, RxToken, SimRng, TxChecksum, TxMeta, TxToken};
use crate::time::{Duration, Instant};

/// How soon a held frame is tried again for which the device had no room.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);

/// Loses, damages, doubles and reorders the frames of the device that it wraps.
///
/// It announces no offload: a checksum that the device computes after the damage would hide it.
#[derive(Debug)]
pub struct FaultInjector<D> {
    inner: D,
    rx: Direction<RxMeta>,
    tx: Direction<TxMeta>,
    rx_frame: Vec<u8>,
    /// For frames that are lost, and have to be written all the same.
    tx_frame: Vec<u8>,
    /// The device had no room for a held frame that is due.
    is_busy: bool,
}

impl<D: Device> FaultInjector<D> {
    /// Wraps `inner`. The same seed and the same frames give the same faults.
    pub fn new(inner: D, rx: FaultConfig, tx: FaultConfig, seed: u64) -> FaultInjector<D> {
        let rng = SimRng::new(seed);
        FaultInjector {
            inner,
            rx: Direction::new(rx, rng.fork(0)),
            tx: Direction::new(tx, rng.fork(1)),
            rx_frame: Vec::new(),
            tx_frame: Vec::new(),
            is_busy: false,
        }
    }

    /// What happened to received frames.
    pub fn rx_counters(&self) -> FaultCounters {
        self.rx.counters
    }

    /// What happened to sent frames.
    pub fn tx_counters(&self) -> FaultCounters {
        self.tx.counters
    }

    /// Changes what happens to received frames from now on.
    pub fn set_rx(&mut self, config: FaultConfig) {
        self.rx.config = config;
    }

    /// Changes what happens to sent frames from now on.
    pub fn set_tx(&mut self, config: FaultConfig) {
        self.tx.config = config;
    }

    /// The device.
    pub fn get_ref(&self) -> &D {
        &self.inner
    }

    /// The device.
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.inner
    }

    /// Unwraps the device. Frames that are held get lost.
    pub fn into_inner(self) -> D {
        self.inner
    }

    /// How many frames are held, received and sent ones together.
    pub fn held_count(&self) -> usize {
        self.rx.held_count() + self.tx.held_count()
    }

    /// Sends what was held and is due.
    fn send_due(&mut self, now: Instant) {
        self.is_busy = false;
        while self.tx.has_due(now) {
            let Some(mut token) = self.inner.transmit(now) else {
                self.is_busy = true;
                return;
            };
            let Some(Held { frame, meta, .. }) = self.tx.take_due(now) else { return };
            token.set_meta(meta);
            token.consume(frame.len(), |octets| octets.copy_from_slice(&frame));
        }
    }

    /// Puts the next frame that the stack gets into `rx_frame`.
    fn next_received(&mut self, now: Instant) -> Option<RxMeta> {
        loop {
            if let Some(Held { frame, meta, .. }) = self.rx.take_due(now) {
                self.rx_frame = frame;
                return Some(meta);
            }
            // The paired token is let go and asked for again later: it would keep the device borrowed while a
            // lost frame is passed over.
            let (rx, _) = self.inner.receive(now)?;
            let mut meta = rx.meta();
            rx.consume(|frame| {
                self.rx_frame.clear();
                self.rx_frame.extend_from_slice(frame);
            });
            let Some(lot) = self.rx.decide(now, self.rx_frame.len()) else { continue };
            if lot.is_damaged {
                self.rx.flip_bit(&mut self.rx_frame);
                meta = RxMeta { checksum_ok: false, checksum_partial: false, ..meta };
            }
            if let Some(keep) = lot.keep {
                self.rx.keep(now, self.rx_frame.clone(), meta, keep);
            }
            if lot.passes {
                return Some(meta);
            }
        }
    }
}

/// The descriptor of the device, to wait for.
#[cfg(unix)]
impl<D: std::os::fd::AsRawFd> std::os::fd::AsRawFd for FaultInjector<D> {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.inner.as_raw_fd()
    }
}

impl<D: Device> Device for FaultInjector<D> {
    type RxToken<'a>
        = FaultRxToken<'a>
    where
        D: 'a;
    type TxToken<'a>
        = FaultTxToken<'a, D::TxToken<'a>>
    where
        D: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        self.send_due(now);
        let meta = self.next_received(now)?;
        let tx = FaultTxToken::new(self.inner.transmit(now), &mut self.tx, &mut self.tx_frame, now);
        Some((FaultRxToken { meta, frame: &self.rx_frame }, tx))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.send_due(now);
        FaultTxToken::new(self.inner.transmit(now), &mut self.tx, &mut self.tx_frame, now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let tx_checksum = TxChecksum::empty();
        DeviceCapabilities { tx_checksum, max_segmentation_len: 0, ..self.inner.capabilities() }
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        let retry_at = self.is_busy.then_some(now + RETRY_INTERVAL);
        let tx_at = self.tx.due_at(now).map(|at| at.max(retry_at.unwrap_or(at)));
        self.inner.poll_at(now).into_iter().chain(self.rx.due_at(now)).chain(tx_at).min()
    }

    pass_on_rest!(self => self.inner);
}

/// A frame that was not lost.
#[derive(Debug)]
pub struct FaultRxToken<'a> {
    meta: RxMeta,
    frame: &'a [u8],
}

impl RxToken for FaultRxToken<'_> {
    fn meta(&self) -> RxMeta {
        self.meta
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.frame)
    }
}

/// Room for a frame that may get lost.
#[derive(Debug)]
pub struct FaultTxToken<'a, T> {
    inner: T,
    faults: &'a mut Direction<TxMeta>,
    frame: &'a mut Vec<u8>,
    meta: TxMeta,
    now: Instant,
}

impl<'a, T> FaultTxToken<'a, T> {
    fn new(
        inner: Option<T>,
        faults: &'a mut Direction<TxMeta>,
        frame: &'a mut Vec<u8>,
        now: Instant,
    ) -> Option<FaultTxToken<'a, T>> {
        Some(FaultTxToken { inner: inner?, faults, frame, meta: TxMeta::default(), now })
    }
}

impl<T: TxToken> TxToken for FaultTxToken<'_, T> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.meta = meta;
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let FaultTxToken { mut inner, faults, frame, meta, now } = self;
        let Some(lot) = faults.decide(now, len) else {
            frame.resize(len, 0);
            return f(frame);
        };
        let write = |octets: &mut [u8]| {
            let result = f(octets);
            finish(faults, octets, meta, lot, now);
            result
        };
        if lot.passes {
            inner.set_meta(meta);
            return inner.consume(len, write);
        }
        frame.resize(len, 0);
        write(frame)
    }
}

/// Damages a frame that is written, and keeps a copy, as its lot is.
fn finish(faults: &mut Direction<TxMeta>, octets: &mut [u8], meta: TxMeta, lot: Lot, now: Instant) {
    if lot.is_damaged {
        faults.flip_bit(octets);
    }
    if let Some(keep) = lot.keep {
        // The second copy is none of the caller's packets.
        let packet_id = if lot.passes { 0 } else { meta.packet_id };
        faults.keep(now, octets.to_vec(), TxMeta { packet_id, ..meta }, keep);
    }
}
