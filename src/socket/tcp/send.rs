//! The send side's sequence variables (RFC 9293 §3.3.1).

use crate::config;
use crate::wire::tcp::SeqNum;

/// `una <= nxt <= max <= una + octets queued + SYN and FIN`.
#[derive(Debug, Clone)]
#[repr(C)]
pub(super) struct Send {
    /// The oldest octet not acknowledged; the send buffer begins there.
    pub(super) una: SeqNum,
    /// What is sent next; goes back to `una` after a timeout.
    pub(super) nxt: SeqNum,
    /// One past the highest octet ever sent.
    pub(super) max: SeqNum,
    /// `max` when at least half of the congestion window was last in use.
    pub(super) full: SeqNum,
    /// The peer's window from `una` on, scaled.
    pub(super) wnd: u32,
    /// The largest window the peer has ever offered.
    pub(super) max_wnd: u32,
    /// Sequence number of the segment that `wnd` is from; what it acknowledged (SND.WL2) is always `una`.
    pub(super) wl1: SeqNum,
    /// The largest payload that the peer takes.
    pub(super) mss: u16,
    /// How far the peer's windows are shifted.
    pub(super) shift: u8,
}

impl Send {
    pub(super) const fn new(iss: SeqNum) -> Send {
        Send {
            una: iss,
            nxt: iss,
            max: iss,
            full: iss,
            wnd: 0,
            max_wnd: 0,
            wl1: SeqNum(0),
            mss: config::TCP_MIN_MSS,
            shift: 0,
        }
    }

    /// Octets sent and not acknowledged, counted to where we are.
    #[inline]
    pub(super) fn flight(&self) -> u32 {
        self.nxt.since(self.una) as u32
    }

    /// Octets sent and not acknowledged, counted to the highest.
    #[inline]
    pub(super) fn outstanding(&self) -> u32 {
        self.max.since(self.una) as u32
    }

    /// RFC 9293 §3.10.7.4: takes the window of an acceptable segment, unless an older one comes late.
    ///
    /// What acknowledges more is newer, whatever its number, and has set `wl1`: the window of data that was repeated
    /// counts.
    /// (By the RFC's rule, which looks at numbers first, it would be left, and the edge move on without it.)
    #[inline]
    pub(super) fn update_window(&mut self, seq: SeqNum, ack: SeqNum, wnd: u32) {
        if ack == self.una && self.wl1.le(seq) {
            self.wnd = wnd;
            self.max_wnd = self.max_wnd.max(wnd);
            self.wl1 = seq;
        }
    }

    /// The sequence number of a segment without data: the highest one that the peer will find within
    /// its window.
    pub(super) fn ack_seq(&self) -> SeqNum {
        if self.outstanding() <= self.wnd { self.max } else { self.nxt }
    }
}
