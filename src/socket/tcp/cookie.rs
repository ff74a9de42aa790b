//! SYN cookies (RFC 4987 §3.6): when the table of half-open connections is full, the record travels.
//!
//! The initial sequence number of the SYN-ACK holds a coarse time, the peer's segment size and a keyed
//! hash of both ends, the peer's sequence number and these; the ACK brings it back. What else the SYN asks for is
//! remembered in the timestamp (`stamps`); without that, windows of such a connection are not scaled.
//!
//! ```text
//!  31   27 26  24 23                  0
//! +-------+------+---------------------+
//! | time  | size | hash                |
//! +-------+------+---------------------+
//! ```

use super::listener::HalfOpen;
use super::segment::Segment;
use crate::rand::Domain;
use crate::socket::{Context, Tuple};
use crate::time::Ticks;
use crate::wire::tcp::{Flags, SeqNum};

/// Segment sizes that a cookie can say; the peer's is rounded down.
const SIZES: [u16; 8] = [64, 216, 536, 960, 1_220, 1_360, 1_440, 1_460];
/// Ticks in a unit of a cookie's time, as a shift: 67 s. A cookie is good for one to two units.
const UNIT_SHIFT: u32 = 16;
const HASH_MASK: u32 = 0x00ff_ffff;

/// Whether cookies were sent lately: only then is an unknown ACK worth a look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cookies {
    last: Option<Ticks>,
    /// How many in the tick of the last.
    count: u16,
    /// The connection whose cookie has come back, for the time of one segment.
    returned: HalfOpen,
    is_off: bool,
}

impl Cookies {
    pub(super) const NONE: Cookies =
        Cookies { last: None, count: 0, returned: HalfOpen::EMPTY, is_off: false };

    /// Whether a full table is answered by cookies.
    pub(super) fn is_on(&self) -> bool {
        !self.is_off
    }

    /// Answers a full table by cookies, or no longer. Those that are out stay good.
    pub(super) fn set_on(&mut self, is_on: bool) {
        self.is_off = !is_on;
    }

    /// The initial sequence number for a SYN that there is no record for.
    ///
    /// A client that was promised a connection sends its request, and if there is no `room` for it waits
    /// for its own ever longer timeouts. So a tick sees no more promises than there is room; the SYNs beyond
    /// are dropped, and come again at times that chance spreads.
    #[cold]
    pub(super) fn bake(
        &mut self,
        cx: &Context<'_>,
        tuple: &Tuple,
        syn: &Segment<'_>,
        room: u16,
    ) -> Option<SeqNum> {
        if self.last != Some(cx.ticks) {
            self.count = 0;
        }
        if self.count >= room || self.is_off {
            return None;
        }
        self.count += 1;
        self.last = Some(cx.ticks);
        let size = SIZES.iter().rposition(|&size| size <= syn.options.mss).unwrap_or(2) as u32;
        let head = (cx.ticks.0 >> UNIT_SHIFT & 31) << 3 | size;
        Some(SeqNum(head << 24 | hash(cx, tuple, syn.seq, head)))
    }

    /// Keeps the connection whose cookie has come back.
    pub(super) fn keep(&mut self, record: HalfOpen) {
        self.returned = record;
    }

    /// The connection whose cookie has come back last.
    pub(super) fn returned_mut(&mut self) -> Option<&mut HalfOpen> {
        Some(&mut self.returned)
    }

    /// The peer's segment size, if this is the ACK of a cookie of ours that is still good.
    #[cold]
    pub(super) fn read(&self, cx: &Context<'_>, tuple: &Tuple, seg: &Segment<'_>) -> Option<u16> {
        let last = self.last?;
        let too_late = cx.ticks.since(last) as u32 >> UNIT_SHIFT > 1;
        if too_late || !seg.flags.contains(Flags::ACK) || seg.flags.contains(Flags::RST) {
            return None;
        }
        let cookie = (seg.ack - 1).0;
        let head = cookie >> 24;
        let age = (cx.ticks.0 >> UNIT_SHIFT).wrapping_sub(head >> 3) & 31;
        if age > 1 || cookie & HASH_MASK != hash(cx, tuple, seg.seq - 1, head) {
            return None;
        }
        SIZES.get((head & 7) as usize).copied()
    }
}

fn hash(cx: &Context<'_>, tuple: &Tuple, irs: SeqNum, head: u32) -> u32 {
    let [a, b, c, d] = tuple.local.words();
    let [e, f, g, h] = tuple.remote.words();
    let ports = u32::from(tuple.local_port) << 16 | u32::from(tuple.remote_port);
    cx.keys.hash(Domain::Cookie, &[a, b, c, d, e, f, g, h, ports, irs.0, head]) as u32 & HASH_MASK
}
