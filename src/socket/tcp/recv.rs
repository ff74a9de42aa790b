//! The receive side: what is expected, reassembly, and which window is announced.

use super::input::InPlace;
use crate::storage::{Assembler, SocketBuffer};
use crate::wire::tcp::SeqNum;

/// The largest window that is ever announced (RFC 7323 §2.3).
const MAX_WINDOW: u32 = 1 << 30;

/// The receive side's variables.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Recv {
    /// The next octet expected; the receive buffer's free part begins there.
    pub(super) nxt: SeqNum,
    /// The right edge of the window that was announced; never goes back.
    pub(super) adv: SeqNum,
    /// The acknowledgment number sent last.
    pub(super) acked: SeqNum,
    /// Where the peer's FIN is, once it was seen.
    pub(super) fin: SeqNum,
    /// The largest payload received so far; the peer's idea of a full segment.
    pub(super) mss: u16,
    /// How far our windows are shifted.
    pub(super) shift: u8,
    /// What has arrived beyond `nxt`.
    pub(super) assembler: Assembler,
}

/// What became of a payload.
pub(super) struct Taken {
    /// Octets that are now in order.
    pub(super) len: u32,
    /// It filled a hole or did not fit: tell the peer at once.
    pub(super) is_notable: bool,
    /// It came out of order: tell the peer of each.
    pub(super) is_ahead: bool,
}

/// The free part of a receive buffer, as a window.
#[inline]
pub(super) fn free(rx: &SocketBuffer<'_>) -> u32 {
    (rx.window() as u32).min(MAX_WINDOW)
}

/// The shift that lets a window of `capacity` octets be announced.
pub(super) fn shift_for(capacity: usize) -> u8 {
    let bits = usize::BITS - capacity.min(MAX_WINDOW as usize).leading_zeros();
    // At most 30 bits, so at most 14.
    bits.saturating_sub(16) as u8
}

impl Recv {
    pub(super) const fn new() -> Recv {
        let zero = SeqNum(0);
        let assembler = Assembler::new();
        Recv { nxt: zero, adv: zero, acked: zero, fin: zero, assembler, mss: 536, shift: 0 }
    }

    /// The peer's SYN has come; `window` octets were or will be announced with ours.
    pub(super) fn on_syn(&mut self, irs: SeqNum, window: u32) {
        self.nxt = irs + 1;
        self.adv = self.nxt + window.min(0xffff);
        self.acked = self.nxt;
    }

    /// The room there is, as far as it can be announced.
    #[inline]
    fn free(&self, rx: &SocketBuffer<'_>) -> u32 {
        free(rx).min(0xffff << self.shift)
    }

    /// What is left of the window that was announced.
    #[inline]
    fn current(&self) -> u32 {
        // Data is taken beyond it where there is room, so that it can be negative.
        self.adv.since(self.nxt).max(0) as u32
    }

    /// The least growth of the window worth telling (RFC 9293 §3.8.6.2.2).
    #[inline]
    fn step(rx: &SocketBuffer<'_>, mss: u32) -> u32 {
        (rx.capacity() as u32 / 2).min(mss).max(1)
    }

    /// The window to announce now.
    #[inline]
    pub(super) fn window(&self, rx: &SocketBuffer<'_>, mss: u32) -> u32 {
        let (free, current) = (self.free(rx), self.current());
        // RFC 9293 §3.8.6.2.2 (MUST-39): keep the edge where it is until it can move by a segment. Who has sent
        // beyond it is probing, and hears of any room: the application may wait for more than half a buffer.
        let is_probed = self.adv.since(self.nxt) < 0;
        if is_probed || free.saturating_sub(current) >= Recv::step(rx, mss) { free } else { current }
    }

    /// Whether the window has grown so much that the peer should hear of it without data from us.
    #[inline]
    pub(super) fn is_update_due(&self, rx: &SocketBuffer<'_>, mss: u32) -> bool {
        let (free, current) = (self.free(rx), self.current());
        // With so much left the peer is not waiting, and the next acknowledgment will tell.
        let is_short = current < 0x8000 && free / 2 >= current;
        is_short && free - current >= Recv::step(rx, mss)
    }

    /// An acknowledgment with this window field was sent.
    #[inline]
    pub(super) fn on_sent(&mut self, ack: SeqNum, window: u32) {
        self.acked = ack;
        self.adv = self.adv.max(ack + window);
    }

    /// Takes a payload that begins `offset` octets after `nxt`, in order or not.
    ///
    /// `in_place` sees it first if it is in order and nothing waits before it.
    #[inline]
    pub(super) fn take(
        &mut self,
        rx: &mut SocketBuffer<'_>,
        offset: u32,
        payload: &[u8],
        in_place: Option<InPlace<'_>>,
    ) -> Taken {
        if offset > 0 || !self.assembler.is_empty() {
            return self.take_ahead(rx, offset, payload);
        }
        let mut len = match in_place {
            Some(in_place) if rx.is_empty() => in_place(payload).min(payload.len()),
            _ => 0,
        };
        if let Some(rest) = payload.get(len..) {
            len += rx.enqueue_slice(rest);
        }
        self.nxt = self.nxt + len as u32;
        Taken { len: len as u32, is_notable: len < payload.len(), is_ahead: false }
    }

    #[cold]
    #[inline(never)]
    fn take_ahead(&mut self, rx: &mut SocketBuffer<'_>, offset: u32, payload: &[u8]) -> Taken {
        let written = rx.write_unallocated(offset as usize, payload) as u32;
        // Too many holes: the octets written ahead are forgotten, and will come again.
        let len = self.assembler.add_then_remove_front(offset, written).unwrap_or(0);
        rx.enqueue_unallocated(len as usize);
        self.nxt = self.nxt + len;
        Taken { len, is_notable: true, is_ahead: len == 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shift_lets_the_whole_capacity_be_announced() {
        for (capacity, shift) in
            [(0, 0), (65_535, 0), (65_536, 1), (131_071, 1), (131_072, 2), (1 << 20, 5), (usize::MAX, 15)]
        {
            let shift = if capacity == usize::MAX { 14 + 1 } else { shift };
            assert_eq!(shift_for(capacity).min(14), shift.min(14), "{capacity}");
            assert!(capacity.min(MAX_WINDOW as usize - 1) >> shift_for(capacity) <= 0xffff);
        }
    }

    /// Covers: RFC 9293 MUST-39
    #[test]
    fn a_little_room_is_not_announced() {
        let mut memory = [0; 1_000];
        let mut rx = SocketBuffer::new(&mut memory[..]);
        let mut recv = Recv::new();
        recv.on_syn(SeqNum(0), 1_000);
        recv.take(&mut rx, 0, &[0; 1_000], None);
        assert_eq!(recv.window(&rx, 400), 0);
        rx.dequeue_allocated(399);
        assert_eq!(recv.window(&rx, 400), 0);
        assert!(!recv.is_update_due(&rx, 400));
        rx.dequeue_allocated(1);
        assert_eq!(recv.window(&rx, 400), 400);
        assert!(recv.is_update_due(&rx, 400));
        recv.on_sent(recv.nxt, 400);
        rx.dequeue_allocated(399);
        assert_eq!(recv.window(&rx, 400), 400);
    }

    /// Covers: RFC 9293 MUST-37
    #[test]
    fn who_probes_a_closed_window_hears_of_any_room() {
        let mut memory = [0; 1_000];
        let mut rx = SocketBuffer::new(&mut memory[..]);
        let mut recv = Recv::new();
        recv.on_syn(SeqNum(0), 1_000);
        recv.take(&mut rx, 0, &[0; 1_000], None);
        rx.dequeue_allocated(300);
        assert_eq!(recv.window(&rx, 400), 0);
        assert_eq!(recv.take(&mut rx, 0, &[0], None).len, 1);
        assert_eq!(recv.window(&rx, 400), 299);
    }
}
