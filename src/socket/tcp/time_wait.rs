//! TIME-WAIT as a record (RFC 9293 §3.10.7.4, RFC 1337): what is left of a connection until its
//! segments have died away, or until a later one of the same ends begins (RFC 6191).

use super::segment::{Kind, Plan, Segment, Verdict};
use super::stamps::{Last, Ours, Stamp};
use super::ticks_of_ms;
use crate::config;
use crate::socket::{Room, Tuple};
use crate::stats::DropReason;
use crate::time::Ticks;
use crate::wire::Addr;
use crate::wire::tcp::{Flags, SeqNum};

/// How long, in ticks (RFC 9293 §3.6.1, MUST-13).
pub(super) const TIME_WAIT: u32 = ticks_of_ms(config::TCP_TIME_WAIT);

/// The expiry counts 4.2 s, so that it fits the last octet of a record; it wraps after 18 minutes.
const EXPIRY_SHIFT: u32 = 12;

/// A closed connection, remembered; the unit of the storage for such records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeWait {
    local: Ours,
    remote: Addr,
    local_port: u16,
    remote_port: u16,
    zone: u8,
    /// In units of 4,096 ticks, modulo 2^8.
    expiry: u8,
    snd_nxt: SeqNum,
    rcv_nxt: SeqNum,
    /// The peer's clock.
    last: Last,
    /// For options of the application's own in answers.
    pub(crate) room: Room,
}

const _: () = assert!(size_of::<TimeWait>() <= 48);

impl TimeWait {
    /// No connection.
    pub const EMPTY: TimeWait = TimeWait {
        local: Ours::NONE,
        remote: Addr::UNSPECIFIED,
        local_port: 0,
        remote_port: 0,
        zone: 0,
        expiry: 0,
        snd_nxt: SeqNum(0),
        rcv_nxt: SeqNum(0),
        last: Last::NONE,
        room: Room::NONE,
    };

    /// Whether there is a connection in the record.
    pub(crate) fn is_used(&self) -> bool {
        self.local_port != 0
    }

    /// Whether a segment between these ends is for it.
    pub(crate) fn is_for(&self, tuple: &Tuple) -> bool {
        self.remote_port == tuple.remote_port && self.tuple(&tuple.local) == *tuple
    }

    pub(super) fn new(
        tuple: &Tuple,
        snd_nxt: SeqNum,
        rcv_nxt: SeqNum,
        last: Last,
        room: Room,
        now: Ticks,
    ) -> TimeWait {
        let Tuple { local, remote, local_port, remote_port, zone } = *tuple;
        let local = Ours::new(&local);
        let mut record = TimeWait {
            local,
            remote,
            local_port,
            remote_port,
            zone,
            expiry: 0,
            snd_nxt,
            rcv_nxt,
            last,
            room,
        };
        record.restart(now);
        record
    }

    fn restart(&mut self, now: Ticks) {
        // One unit more, for the part that the shift cuts off.
        self.expiry = ((now.after(TIME_WAIT).0 >> EXPIRY_SHIFT) + 1) as u8;
    }

    /// Units until the expiry; none in a record without a connection.
    pub(crate) fn left(&self, now: Ticks) -> i32 {
        let left = i32::from(self.expiry.wrapping_sub((now.0 >> EXPIRY_SHIFT) as u8) as i8);
        if self.is_used() { left } else { 0 }
    }

    /// Whose connection it was, if `local` was our end.
    pub(crate) fn tuple(&self, local: &Addr) -> Tuple {
        let TimeWait { local: ours, remote, local_port, remote_port, zone, .. } = *self;
        Tuple { local: ours.is(local), remote, local_port, remote_port, zone }
    }

    /// Whether it can be forgotten.
    pub(crate) fn is_expired(&self, now: Ticks) -> bool {
        self.left(now) <= 0
    }

    /// A segment of the old connection, or the first of a new one if somebody listens: then `granted` is the stamp
    /// that it begins with.
    pub(crate) fn process(
        &mut self,
        now: Ticks,
        seg: &Segment<'_>,
        granted: Option<Stamp>,
        reply: &mut Plan,
    ) -> Verdict {
        let verdict = judge(seg, self.snd_nxt, self.rcv_nxt, self.last, granted);
        if let Verdict::Reply = verdict {
            if seg.flags.contains(Flags::FIN) {
                self.restart(now);
            }
            reply.begin(Kind::Ack, self.snd_nxt, self.rcv_nxt, Flags::ACK);
        }
        verdict
    }
}

/// What TIME-WAIT says to a segment: an ACK, a drop, or that it gives way to a new connection where somebody listens:
/// `granted` is the stamp which that begins with.
#[inline(never)]
pub(super) fn judge(
    seg: &Segment<'_>,
    snd_nxt: SeqNum,
    rcv_nxt: SeqNum,
    last: Last,
    granted: Option<Stamp>,
) -> Verdict {
    // RFC 1337 §3 (F1): a reset must not end TIME-WAIT early.
    let is_told = seg.flags.intersects(Flags::ACK.union(Flags::SYN));
    if seg.flags.contains(Flags::RST) || !is_told {
        return Verdict::Drop(DropReason::Unacceptable);
    }
    if let Some(stamp) = granted
        && seg.is_request()
    {
        // RFC 9293 §3.6.1 (MAY-2): a new connection, later than the old one.
        if last.gives_way(&stamp, seg.seq.ge(rcv_nxt)) {
            return Verdict::Reopen;
        }
        // RFC 6191 §2: or one from before, that was on its way for long.
        if config::HAS_TCP_STAMPS {
            return Verdict::Drop(DropReason::Unacceptable);
        }
    }
    // What takes no sequence space is not answered, so that two such records can't talk for ever; but for
    // a keep-alive, which no record sends.
    let is_keep_alive = seg.seq + 1 == rcv_nxt && seg.ack == snd_nxt;
    if seg.len() == 0 && !is_keep_alive {
        return Verdict::Drop(DropReason::Unacceptable);
    }
    Verdict::Reply
}
