//! A device wrapped so that a function of the caller's sees every frame.

use core::fmt;

use super::{Device, DeviceCapabilities, Medium, RxMeta, RxToken, TxMeta, TxToken};
use crate::time::Instant;
use crate::wire::PrettyPrinter;

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Received.
    Rx,
    /// Sent.
    Tx,
}

/// A frame that passes. `Display` says what is in it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TracedFrame<'a> {
    /// Which way.
    pub direction: Direction,
    /// What `octets` begin with.
    pub medium: Medium,
    /// The whole frame.
    pub octets: &'a [u8],
}

/// One line a layer, each behind an arrow that says which way.
impl fmt::Display for TracedFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.direction {
            Direction::Rx => "<- ",
            Direction::Tx => "-> ",
        };
        PrettyPrinter::new(prefix, self.medium, self.octets).fmt(f)
    }
}

/// Shows every frame of the device that it wraps to a function.
///
/// ```
/// # #[cfg(all(feature = "phy-loopback", feature = "medium-ip"))] {
/// use goldcrest::phy::{Loopback, Medium, Tracer};
/// let device = Tracer::new(Loopback::new(Medium::Ip), |now, frame| println!("{now} {frame}"));
/// # let _ = device;
/// # }
/// ```
#[derive(Debug)]
pub struct Tracer<D, F> {
    inner: D,
    show: F,
}

impl<D: Device, F: Fn(Instant, TracedFrame<'_>)> Tracer<D, F> {
    /// Wraps `inner`; `show` is called for each frame, a received one before and a sent one after the
    /// stack has dealt with it.
    pub fn new(inner: D, show: F) -> Tracer<D, F> {
        Tracer { inner, show }
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

/// The descriptor of the device, to wait for.
#[cfg(all(unix, feature = "std"))]
impl<D: std::os::fd::AsRawFd, F> std::os::fd::AsRawFd for Tracer<D, F> {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.inner.as_raw_fd()
    }
}

impl<D: Device, F: Fn(Instant, TracedFrame<'_>)> Device for Tracer<D, F> {
    type RxToken<'a>
        = TracerRxToken<'a, D::RxToken<'a>, F>
    where
        Self: 'a;
    type TxToken<'a>
        = TracerTxToken<'a, D::TxToken<'a>, F>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        let DeviceCapabilities { medium, .. } = self.inner.capabilities();
        let (rx, tx) = self.inner.receive(now)?;
        let show = &self.show;
        let tx = tx.map(|inner| TracerTxToken { inner, show, medium, now });
        Some((TracerRxToken { inner: rx, show, medium, now }, tx))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        let DeviceCapabilities { medium, .. } = self.inner.capabilities();
        let inner = self.inner.transmit(now)?;
        Some(TracerTxToken { inner, show: &self.show, medium, now })
    }

    pass_on!(self => self.inner);
}

/// A received frame that is shown when it is consumed.
#[derive(Debug)]
pub struct TracerRxToken<'a, T, F> {
    inner: T,
    show: &'a F,
    medium: Medium,
    now: Instant,
}

impl<T: RxToken, F: Fn(Instant, TracedFrame<'_>)> RxToken for TracerRxToken<'_, T, F> {
    fn meta(&self) -> RxMeta {
        self.inner.meta()
    }

    fn consume<R, G: FnOnce(&[u8]) -> R>(self, f: G) -> R {
        self.inner.consume(|octets| {
            (self.show)(self.now, TracedFrame { direction: Direction::Rx, medium: self.medium, octets });
            f(octets)
        })
    }
}

/// Room for a frame that is shown when it is sent.
#[derive(Debug)]
pub struct TracerTxToken<'a, T, F> {
    inner: T,
    show: &'a F,
    medium: Medium,
    now: Instant,
}

impl<T: TxToken, F: Fn(Instant, TracedFrame<'_>)> TxToken for TracerTxToken<'_, T, F> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.inner.set_meta(meta);
    }

    fn consume<R, G: FnOnce(&mut [u8]) -> R>(self, len: usize, f: G) -> R {
        self.inner.consume(len, |octets| {
            let result = f(octets);
            (self.show)(self.now, TracedFrame { direction: Direction::Tx, medium: self.medium, octets });
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phy::testing::{Probe, assert_passes_meta_on, assert_passes_on, receive, send};
    use core::cell::RefCell;

    #[cfg(feature = "medium-ip")]
    const MEDIUM: Medium = Medium::Ip;
    #[cfg(not(feature = "medium-ip"))]
    const MEDIUM: Medium = Medium::Ethernet;

    #[test]
    fn both_directions_are_shown_with_what_really_passed() {
        let shown = RefCell::new(Vec::new());
        let mut device = Tracer::new(Probe::new(MEDIUM), |now: Instant, frame: TracedFrame<'_>| {
            shown.borrow_mut().push((now.total_micros(), frame.direction, frame.octets.to_vec()));
        });
        device.get_mut().to_receive.push(vec![1, 2, 3]);
        receive(&mut device, Instant::from_micros(5));
        send(&mut device, Instant::from_micros(6), &[4, 5]);
        assert_eq!(*shown.borrow(), [(5, Direction::Rx, vec![1, 2, 3]), (6, Direction::Tx, vec![4, 5])]);
    }

    #[test]
    fn an_answer_is_shown_after_the_frame_that_it_answers() {
        let shown = RefCell::new(Vec::new());
        let mut device = Tracer::new(Probe::new(MEDIUM), |_: Instant, frame: TracedFrame<'_>| {
            shown.borrow_mut().push(frame.direction);
        });
        device.get_mut().to_receive.push(vec![1]);
        let (rx, tx) = device.receive(Instant::ZERO).unwrap();
        rx.consume(|_| tx.unwrap().consume(1, |_| ()));
        assert_eq!(*shown.borrow(), [Direction::Rx, Direction::Tx]);
    }

    #[test]
    fn everything_else_is_passed_on() {
        let mut device = Tracer::new(Probe::new(MEDIUM), |_: Instant, _: TracedFrame<'_>| ());
        device.get_mut().to_receive.push(vec![1]);
        assert_passes_on(&mut device, |device| device.get_ref());
        assert_passes_meta_on(&mut device, |device| device.get_ref());
    }

    #[test]
    #[cfg(all(feature = "medium-ip", feature = "proto-ipv4"))]
    fn a_packet_is_shown_layer_by_layer_with_its_direction() {
        // IPv4, 192.0.2.1 to 192.0.2.2, UDP from port 9 to port 7 without a checksum.
        let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0xf6, 0xce, 192, 0, 2, 1, 192, 0, 2, 2];
        packet.extend([0, 9, 0, 7, 0, 8, 0, 0]);
        let frame = TracedFrame { direction: Direction::Tx, medium: Medium::Ip, octets: &packet };
        let text = frame.to_string();
        assert!(text.lines().all(|line| line.starts_with("-> ")), "{text}");
        assert!(text.contains("192.0.2.1") && text.contains("UDP"), "{text}");
    }

    #[test]
    fn a_frame_of_any_octets_can_be_shown() {
        for len in 0..80 {
            for octet in [0x00, 0x45, 0x60, 0xff] {
                let octets = vec![octet; len];
                let frame = TracedFrame { direction: Direction::Rx, medium: MEDIUM, octets: &octets };
                assert!(frame.to_string().starts_with("<- "));
            }
        }
    }
}
