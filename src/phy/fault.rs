//! A device wrapped so that it loses and damages frames, from a seed.
//!
//! For a stack on a real device: what a whole simulated network does to frames is in
//! [`SimLink`](super::SimLink). Every frame is copied once.

use alloc::vec::Vec;

use super::{Device, RxMeta, RxToken, SimRng, TxMeta, TxToken};
use crate::time::{Duration, Instant};

/// What happens to the frames of one direction. The default is: nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct FaultConfig {
    /// Frames lost, in a million.
    pub drop_ppm: u32,
    /// Frames with one bit inverted, in a million.
    pub corrupt_ppm: u32,
    /// Longer frames are lost; octets.
    pub max_frame_len: Option<usize>,
    /// At most so many frames in each span of time; those beyond are lost.
    pub max_rate: Option<(u32, Duration)>,
}

/// What happened to the frames of one direction.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultCounters {
    /// Frames that passed, damaged ones included.
    pub passed: u64,
    /// Lost by chance.
    pub dropped: u64,
    /// Damaged by chance.
    pub corrupted: u64,
    /// Lost since they were too long.
    pub too_long: u64,
    /// Lost since there were too many.
    pub over_rate: u64,
}

/// Loses and damages the frames of the device that it wraps.
#[derive(Debug)]
pub struct FaultInjector<D> {
    inner: D,
    rx: Faults,
    tx: Faults,
    rx_frame: Vec<u8>,
    tx_frame: Vec<u8>,
}

#[derive(Debug)]
struct Faults {
    config: FaultConfig,
    counters: FaultCounters,
    rng: SimRng,
    span_began_at: Instant,
    in_span_count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pass,
    Corrupt,
    Drop,
}

impl<D: Device> FaultInjector<D> {
    /// Wraps `inner`. The same seed and the same frames give the same faults.
    pub fn new(inner: D, rx: FaultConfig, tx: FaultConfig, seed: u64) -> FaultInjector<D> {
        let rng = SimRng::new(seed);
        FaultInjector {
            inner,
            rx: Faults::new(rx, rng.fork(0)),
            tx: Faults::new(tx, rng.fork(1)),
            rx_frame: Vec::new(),
            tx_frame: Vec::new(),
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

    /// Unwraps the device.
    pub fn into_inner(self) -> D {
        self.inner
    }
}

impl Faults {
    fn new(config: FaultConfig, rng: SimRng) -> Faults {
        let counters = FaultCounters::default();
        Faults { config, counters, rng, span_began_at: Instant::ZERO, in_span_count: 0 }
    }

    fn decide(&mut self, now: Instant, len: usize) -> Fate {
        if self.config.max_frame_len.is_some_and(|max_len| len > max_len) {
            self.counters.too_long += 1;
            return Fate::Drop;
        }
        if self.is_over_rate(now) {
            self.counters.over_rate += 1;
            return Fate::Drop;
        }
        if self.rng.chance(self.config.drop_ppm) {
            self.counters.dropped += 1;
            return Fate::Drop;
        }
        self.counters.passed += 1;
        if self.rng.chance(self.config.corrupt_ppm) {
            self.counters.corrupted += 1;
            return Fate::Corrupt;
        }
        Fate::Pass
    }

    fn is_over_rate(&mut self, now: Instant) -> bool {
        let Some((max_count, span)) = self.config.max_rate else { return false };
        if now.saturating_duration_since(self.span_began_at) >= span {
            self.span_began_at = now;
            self.in_span_count = 0;
        }
        self.in_span_count = self.in_span_count.saturating_add(1);
        self.in_span_count > max_count
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
        // The paired token is let go and asked for again below: it would keep the device borrowed
        // while a lost frame is passed over.
        let meta = loop {
            let (rx, _) = self.inner.receive(now)?;
            let meta = rx.meta();
            rx.consume(|frame| {
                self.rx_frame.clear();
                self.rx_frame.extend_from_slice(frame);
            });
            match self.rx.decide(now, self.rx_frame.len()) {
                Fate::Drop => continue,
                Fate::Pass => break meta,
                Fate::Corrupt => {
                    self.rx.rng.flip_bit(&mut self.rx_frame);
                    break RxMeta { checksum_ok: false, checksum_partial: false, ..meta };
                }
            }
        };
        let tx = self.inner.transmit(now).map(|inner| FaultTxToken {
            inner,
            faults: &mut self.tx,
            frame: &mut self.tx_frame,
            now,
        });
        Some((FaultRxToken { meta, frame: &self.rx_frame }, tx))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        let inner = self.inner.transmit(now)?;
        Some(FaultTxToken { inner, faults: &mut self.tx, frame: &mut self.tx_frame, now })
    }

    pass_on!(self => self.inner);
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
    faults: &'a mut Faults,
    frame: &'a mut Vec<u8>,
    now: Instant,
}

impl<T: TxToken> TxToken for FaultTxToken<'_, T> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.inner.set_meta(meta);
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        match self.faults.decide(self.now, len) {
            Fate::Pass => self.inner.consume(len, f),
            Fate::Corrupt => self.inner.consume(len, |frame| {
                let result = f(frame);
                self.faults.rng.flip_bit(frame);
                result
            }),
            Fate::Drop => {
                self.frame.resize(len, 0);
                f(self.frame)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phy::Medium;
    use crate::phy::testing::{Probe, assert_passes_meta_on, assert_passes_on, receive, send};

    #[cfg(feature = "medium-ip")]
    const MEDIUM: Medium = Medium::Ip;
    #[cfg(not(feature = "medium-ip"))]
    const MEDIUM: Medium = Medium::Ethernet;
    const NONE: FaultConfig =
        FaultConfig { drop_ppm: 0, corrupt_ppm: 0, max_frame_len: None, max_rate: None };

    fn injector(rx: FaultConfig, tx: FaultConfig) -> FaultInjector<Probe> {
        FaultInjector::new(Probe::new(MEDIUM), rx, tx, 1)
    }

    #[test]
    fn without_faults_everything_passes() {
        let mut device = injector(NONE, NONE);
        device.get_mut().to_receive.push(vec![1, 2]);
        assert_passes_on(&mut device, |device| device.get_ref());
        assert_passes_meta_on(&mut device, |device| device.get_ref());
    }

    #[test]
    fn lost_frames_do_not_hide_the_ones_behind_them() {
        let mut device = injector(FaultConfig { drop_ppm: 900_000, ..NONE }, NONE);
        device.get_mut().to_receive = vec![vec![1; 20]; 1_000];
        let mut received = 0;
        while receive(&mut device, Instant::ZERO).is_some() {
            received += 1;
        }
        assert!((50..200).contains(&received), "{received}");
        assert_eq!(device.rx_counters().dropped + received, 1_000);
        assert!(device.get_ref().to_receive.is_empty());
    }

    #[test]
    fn a_lost_frame_is_still_written_by_its_sender() {
        let mut device = injector(NONE, FaultConfig { drop_ppm: 1_000_000, ..NONE });
        assert!(send(&mut device, Instant::ZERO, &[1, 2, 3]));
        assert!(device.get_ref().sent.is_empty());
        assert_eq!(device.tx_counters().dropped, 1);
    }

    #[test]
    fn damage_inverts_one_bit_and_takes_the_vouching_away() {
        let all = FaultConfig { corrupt_ppm: 1_000_000, ..NONE };
        let mut device = injector(all, all);
        device.get_mut().to_receive.push(vec![0; 30]);
        let (rx, _) = device.receive(Instant::ZERO).unwrap();
        assert!(!rx.meta().checksum_ok);
        assert_eq!(rx.consume(|frame| frame.iter().map(|o| o.count_ones()).sum::<u32>()), 1);
        send(&mut device, Instant::ZERO, &[0; 30]);
        assert_eq!(device.get_ref().sent[0].iter().map(|o| o.count_ones()).sum::<u32>(), 1);
        assert_eq!((device.rx_counters().corrupted, device.tx_counters().corrupted), (1, 1));
    }

    #[test]
    fn frames_above_the_size_limit_are_lost() {
        let mut device = injector(NONE, FaultConfig { max_frame_len: Some(4), ..NONE });
        send(&mut device, Instant::ZERO, &[0; 4]);
        send(&mut device, Instant::ZERO, &[0; 5]);
        assert_eq!(device.get_ref().sent.len(), 1);
        assert_eq!(device.tx_counters().too_long, 1);
    }

    #[test]
    fn the_rate_limit_starts_anew_with_each_span() {
        let limit = (2, Duration::from_millis(10));
        let mut device = injector(NONE, FaultConfig { max_rate: Some(limit), ..NONE });
        for millis in [0, 1, 2, 3, 10, 11, 12] {
            send(&mut device, Instant::from_millis(millis), &[0; 4]);
        }
        assert_eq!(device.get_ref().sent.len(), 4);
        assert_eq!(device.tx_counters().over_rate, 3);
    }
}
