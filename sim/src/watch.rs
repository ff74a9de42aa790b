//! A device that counts what a sender of data has on the wire: octets, those sent before, and what was sent
//! again because a timer said so.

use std::cell::RefCell;

use goldcrest::phy::{
    Device, DeviceCapabilities, HardwareAddress, LinkState, SimPort, SimRxToken, SimTxToken, TxToken,
};
use goldcrest::time::Instant;

/// What was seen of a connection's payload, in octets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Sent, each time anew.
    pub sent: u64,
    /// Of these, what had been sent before.
    pub again: u64,
    /// How often something was sent again in a poll in which nothing had come.
    pub timeouts: u64,
}

/// A segment with payload that the sender gave to its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The place of its first octet in the stream, counted from 0.
    pub start: u64,
    /// Octets of payload.
    pub len: u32,
    /// Some of it had been sent before.
    pub is_again: bool,
}

/// One end of the link under watch.
pub(crate) struct Watched {
    pub(crate) port: SimPort,
    watch: RefCell<Watch>,
}

#[derive(Default)]
struct Watch {
    seen: Seen,
    /// One past the last octet that was ever sent, once there was one.
    highest: Option<u32>,
    /// Nothing has come since the poll began.
    is_by_timer: bool,
    /// What was sent since it was last taken, if anybody wants to know.
    log: Option<Vec<Sent>>,
}

impl Watched {
    pub(crate) fn new(port: SimPort) -> Watched {
        Watched { port, watch: RefCell::default() }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.watch.borrow().seen
    }

    /// Each segment is noted from now on.
    pub(crate) fn begin_log(&self) {
        self.watch.borrow_mut().log = Some(Vec::new());
    }

    /// What was sent since the last call.
    pub(crate) fn take_log(&self) -> Vec<Sent> {
        self.watch.borrow_mut().log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// To be called before each poll.
    pub(crate) fn begin_poll(&self) {
        self.watch.borrow_mut().is_by_timer = true;
    }
}

impl Watch {
    fn on_sent(&mut self, packet: &[u8]) {
        let Some((seq, len)) = payload(packet) else { return };
        let end = seq.wrapping_add(len);
        let highest = *self.highest.get_or_insert(seq);
        let again = (highest.wrapping_sub(seq) as i32).clamp(0, len as i32) as u32;
        if let Some(log) = &mut self.log {
            let new = self.seen.sent - self.seen.again;
            let start = new.saturating_sub(u64::from(highest.wrapping_sub(seq)));
            log.push(Sent { start, len, is_again: again > 0 });
        }
        self.seen.sent += u64::from(len);
        self.seen.again += u64::from(again);
        if again < len {
            self.highest = Some(end);
        }
        if again > 0 && self.is_by_timer {
            self.seen.timeouts += 1;
            // However much is sent now, one timer has brought it.
            self.is_by_timer = false;
        }
    }
}

/// Sequence number and length of the payload of a TCP segment, if it is one with payload, in IPv4.
fn payload(packet: &[u8]) -> Option<(u32, u32)> {
    let header_len = usize::from(packet.first()? & 15) * 4;
    if packet[0] >> 4 != 4 || *packet.get(9)? != 6 {
        return None;
    }
    let segment = packet.get(header_len..)?;
    let seq = u32::from_be_bytes(segment.get(4..8)?.try_into().ok()?);
    let len = segment.len().checked_sub(usize::from(segment.get(12)? >> 4) * 4)?;
    (len > 0).then_some((seq, len as u32))
}

pub(crate) struct WatchedTx<'a> {
    token: SimTxToken<'a>,
    watch: &'a RefCell<Watch>,
}

impl TxToken for WatchedTx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.token.consume(len, |packet| {
            let result = f(packet);
            self.watch.borrow_mut().on_sent(packet);
            result
        })
    }
}

impl Device for Watched {
    type RxToken<'a> = SimRxToken<'a>;
    type TxToken<'a> = WatchedTx<'a>;

    fn receive(&mut self, now: Instant) -> Option<(SimRxToken<'_>, Option<WatchedTx<'_>>)> {
        let (rx, tx) = self.port.receive(now)?;
        self.watch.borrow_mut().is_by_timer = false;
        let watch = &self.watch;
        Some((rx, tx.map(|token| WatchedTx { token, watch })))
    }

    fn transmit(&mut self, now: Instant) -> Option<WatchedTx<'_>> {
        let token = self.port.transmit(now)?;
        Some(WatchedTx { token, watch: &self.watch })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.port.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.port.hardware_address()
    }

    fn link(&self) -> LinkState {
        self.port.link()
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        self.port.poll_at(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 packet with a TCP segment, of which only what is read here is right.
    fn packet(seq: u32, len: usize) -> Vec<u8> {
        let mut packet = vec![0; 40 + len];
        (packet[0], packet[9], packet[32]) = (0x45, 6, 0x50);
        packet[24..28].copy_from_slice(&seq.to_be_bytes());
        packet
    }

    #[test]
    fn what_was_sent_before_is_told_from_what_is_new_across_the_end_of_sequence_space() {
        let mut watch = Watch::default();
        for (seq, len) in [(u32::MAX - 99, 100), (0, 100), (u32::MAX - 49, 100), (50, 100), (40, 0)] {
            watch.on_sent(&packet(seq, len));
        }
        assert_eq!(watch.seen, Seen { sent: 400, again: 150, timeouts: 0 });
        assert_eq!(watch.highest, Some(150));
    }

    #[test]
    fn a_log_tells_places_in_the_stream_not_sequence_numbers() {
        let mut watch = Watch { log: Some(Vec::new()), ..Watch::default() };
        for (seq, len) in [(u32::MAX - 99, 100), (0, 100), (u32::MAX - 49, 100)] {
            watch.on_sent(&packet(seq, len));
        }
        let sent = |start, is_again| Sent { start, len: 100, is_again };
        assert_eq!(watch.log, Some(vec![sent(0, false), sent(100, false), sent(50, true)]));
    }

    #[test]
    fn a_timer_counts_once_and_new_data_is_nobody_s_timeout() {
        let mut watch = Watch { is_by_timer: true, ..Watch::default() };
        watch.on_sent(&packet(0, 100));
        assert_eq!(watch.seen.timeouts, 0);
        watch.on_sent(&packet(0, 50));
        watch.on_sent(&packet(50, 50));
        assert_eq!(watch.seen.timeouts, 1);
    }
}
