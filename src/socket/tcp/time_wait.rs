//! TIME-WAIT as a record (RFC 9293 §3.10.7.4, RFC 1337): what is left of a connection until its
//! segments have died away.

use super::segment::{Kind, Plan, Segment};
use super::ticks_of_ms;
use crate::config;
use crate::socket::{Context, Tuple};
use crate::stats::DropReason;
use crate::time::Ticks;
use crate::wire::tcp::{Flags, SeqNum};

/// How long, in ticks.
pub(super) const TIME_WAIT: u32 = ticks_of_ms(config::TCP_TIME_WAIT);

/// The expiry counts 256 ticks, so that it fits 16 bits and still wraps only after four hours.
const EXPIRY_SHIFT: u32 = 8;

/// A closed connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeWait {
    pub(crate) tuple: Tuple,
    snd_nxt: SeqNum,
    rcv_nxt: SeqNum,
    /// In units of 256 ticks, modulo 2^16.
    expiry: u16,
}

const _: () = assert!(size_of::<TimeWait>() <= 48);

/// What a record says to a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The last ACK again.
    Reply(Plan),
    /// Nothing.
    Drop(DropReason),
    /// It is a new connection: forget the record, and take the segment as if it had not been there.
    Reopen,
}

impl TimeWait {
    pub(super) fn new(tuple: Tuple, snd_nxt: SeqNum, rcv_nxt: SeqNum, now: Ticks) -> TimeWait {
        let mut record = TimeWait { tuple, snd_nxt, rcv_nxt, expiry: 0 };
        record.restart(now);
        record
    }

    fn restart(&mut self, now: Ticks) {
        // One unit more, for the part that the shift cuts off.
        self.expiry = ((now.after(TIME_WAIT).0 >> EXPIRY_SHIFT) + 1) as u16;
    }

    /// Whether it can be forgotten.
    pub(crate) fn is_expired(&self, now: Ticks) -> bool {
        let left = self.expiry.wrapping_sub((now.0 >> EXPIRY_SHIFT) as u16) as i16;
        left <= 0
    }

    /// When it can be forgotten.
    pub(crate) fn expires_at(&self, now: Ticks) -> Ticks {
        let left = self.expiry.wrapping_sub((now.0 >> EXPIRY_SHIFT) as u16) as i16;
        Ticks((now.0 >> EXPIRY_SHIFT << EXPIRY_SHIFT).wrapping_add((i32::from(left) << EXPIRY_SHIFT) as u32))
    }

    /// A segment of the old connection, or the first of a new one.
    pub(crate) fn process(&mut self, cx: &Context<'_>, seg: &Segment<'_>) -> Verdict {
        // RFC 1337 §3 (F1): a reset must not end TIME-WAIT early.
        if seg.flags.contains(Flags::RST) {
            return Verdict::Drop(DropReason::Unacceptable);
        }
        let is_new = seg.seq.gt(self.rcv_nxt);
        if seg.flags.contains(Flags::SYN) && !seg.flags.contains(Flags::ACK) && is_new {
            return Verdict::Reopen;
        }
        // What takes no sequence space is not answered, so that two such records can't talk for ever.
        if seg.len() == 0 {
            return Verdict::Drop(DropReason::Unacceptable);
        }
        if seg.flags.contains(Flags::FIN) {
            self.restart(cx.ticks);
        }
        Verdict::Reply(Plan::bare(Kind::Ack, self.snd_nxt, self.rcv_nxt, Flags::ACK))
    }
}
