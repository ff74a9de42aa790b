//! A device that receives what it sends, in order and at once.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use super::{Device, DeviceCapabilities, HardwareAddress, Medium, RxToken, TxToken};
use crate::time::Instant;

/// Frames that wait unless said otherwise.
const QUEUE_FRAMES: usize = 256;
/// The IP MTU, Linux's for `lo` cut to what fits any length field.
const IP_MTU: usize = 65_535;

/// Receives what it sends. Frame buffers are used again, so that a stack at work allocates nothing.
#[derive(Debug)]
pub struct Loopback {
    medium: Medium,
    rx: Vec<u8>,
    queue: Queue,
}

#[derive(Debug)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    limit: usize,
}

impl Loopback {
    /// With a queue of 256 frames and an IP MTU of 65,535 octets.
    pub fn new(medium: Medium) -> Loopback {
        Loopback::with_queue(medium, QUEUE_FRAMES)
    }

    /// With a queue of `limit` frames: there is no token for one more.
    pub fn with_queue(medium: Medium, limit: usize) -> Loopback {
        let queue = Queue { frames: VecDeque::new(), spare: Vec::new(), limit };
        Loopback { medium, rx: Vec::new(), queue }
    }

    /// How many frames wait to be received.
    pub fn queue_len(&self) -> usize {
        self.queue.frames.len()
    }
}

impl Queue {
    fn token(&mut self) -> Option<LoopbackTxToken<'_>> {
        (self.frames.len() < self.limit).then_some(LoopbackTxToken { queue: self })
    }
}

impl Device for Loopback {
    type RxToken<'a> = LoopbackRxToken<'a>;
    type TxToken<'a> = LoopbackTxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(LoopbackRxToken<'_>, Option<LoopbackTxToken<'_>>)> {
        let frame = self.queue.frames.pop_front()?;
        self.queue.spare.push(mem::replace(&mut self.rx, frame));
        Some((LoopbackRxToken { frame: &self.rx }, self.queue.token()))
    }

    fn transmit(&mut self, _now: Instant) -> Option<LoopbackTxToken<'_>> {
        self.queue.token()
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::new(self.medium, IP_MTU + self.medium.header_len())
    }

    fn hardware_address(&self) -> HardwareAddress {
        match self.medium {
            #[cfg(feature = "medium-ethernet")]
            Medium::Ethernet => HardwareAddress::Ethernet([2, 0, 0, 0, 0, 1]),
            #[cfg(feature = "medium-ip")]
            Medium::Ip => HardwareAddress::Ip,
        }
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        (!self.queue.frames.is_empty()).then_some(now)
    }
}

/// A frame that came back.
#[derive(Debug)]
pub struct LoopbackRxToken<'a> {
    frame: &'a [u8],
}

impl RxToken for LoopbackRxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.frame)
    }
}

/// Room at the end of the queue.
#[derive(Debug)]
pub struct LoopbackTxToken<'a> {
    queue: &'a mut Queue,
}

impl TxToken for LoopbackTxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = self.queue.spare.pop().unwrap_or_default();
        frame.resize(len, 0);
        let result = f(&mut frame);
        self.queue.frames.push_back(frame);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phy::testing::{numbered, receive, send};

    #[cfg(feature = "medium-ip")]
    const MEDIUM: Medium = Medium::Ip;
    #[cfg(not(feature = "medium-ip"))]
    const MEDIUM: Medium = Medium::Ethernet;

    #[test]
    fn frames_come_back_in_order_with_their_length() {
        let mut device = Loopback::new(MEDIUM);
        assert_eq!(device.poll_at(Instant::ZERO), None);
        for number in 0..3 {
            assert!(send(&mut device, Instant::ZERO, &numbered(number, 100 - number as usize)));
        }
        assert_eq!(device.poll_at(Instant::ZERO), Some(Instant::ZERO));
        for number in 0..3 {
            let expected = numbered(number, 100 - number as usize);
            assert_eq!(receive(&mut device, Instant::ZERO), Some(expected));
        }
        assert_eq!(receive(&mut device, Instant::ZERO), None);
    }

    #[test]
    fn a_full_queue_gives_no_token_but_receives_on() {
        let mut device = Loopback::with_queue(MEDIUM, 2);
        assert!(send(&mut device, Instant::ZERO, &[1]));
        assert!(send(&mut device, Instant::ZERO, &[2]));
        assert!(!send(&mut device, Instant::ZERO, &[3]));
        let (rx, tx) = device.receive(Instant::ZERO).unwrap();
        rx.consume(|frame| assert_eq!(frame, [1]));
        tx.unwrap().consume(1, |frame| frame[0] = 4);
        assert_eq!(device.queue_len(), 2);

        let mut shut = Loopback::with_queue(MEDIUM, 0);
        assert!(!send(&mut shut, Instant::ZERO, &[1]));
    }

    #[test]
    fn an_answer_is_written_while_the_frame_is_read() {
        let mut device = Loopback::new(MEDIUM);
        send(&mut device, Instant::ZERO, &[1, 2, 3]);
        let (rx, tx) = device.receive(Instant::ZERO).unwrap();
        rx.consume(|frame| tx.unwrap().consume(frame.len(), |answer| answer.copy_from_slice(frame)));
        assert_eq!(receive(&mut device, Instant::ZERO), Some(vec![1, 2, 3]));
    }

    #[test]
    fn buffers_are_used_again() {
        let mut device = Loopback::new(MEDIUM);
        for _ in 0..100 {
            send(&mut device, Instant::ZERO, &[0; 64]);
            receive(&mut device, Instant::ZERO);
        }
        assert!(device.queue.spare.len() <= 2);
    }
}
