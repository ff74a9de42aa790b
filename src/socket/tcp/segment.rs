//! What goes in and out of a connection: received segments, plans of segments to send, and how a plan
//! becomes octets.

use super::ecn::Mark;
use super::fast_open::Cookie;
use super::sack::Blocks;
use super::stamps::Stamp;
use super::uto::Advice;
use crate::socket::{Events, Room};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::wire::checksum::{self, Sum};
use crate::wire::tcp::{Flags, HEADER_LEN, HeaderFields, MAX_HEADER_LEN, Options, SeqNum};

/// A received segment. Its ports have found the socket and its checksum is right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'f> {
    pub(crate) seq: SeqNum,
    pub(crate) ack: SeqNum,
    pub(crate) flags: Flags,
    /// Not scaled.
    pub(crate) window: u16,
    pub(crate) options: Options,
    pub(crate) stamp: Stamp,
    /// What its IP header says of congestion.
    pub(crate) mark: Mark,
    /// Its options but for a timestamp at their beginning; they are well-formed.
    #[cfg(any(feature = "tcp-sack", feature = "tcp-uto", feature = "tcp-fastopen"))]
    pub(crate) area: &'f [u8],
    pub(crate) payload: &'f [u8],
}

impl Segment<'_> {
    /// Whether it asks for a connection.
    pub(crate) fn is_request(&self) -> bool {
        self.flags & (Flags::SYN | Flags::ACK | Flags::RST) == Flags::SYN
    }

    /// Sequence space: the payload, and one each for SYN and FIN.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.payload.len() as u32
            + u32::from(self.flags.contains(Flags::SYN))
            + u32::from(self.flags.contains(Flags::FIN))
    }
}

/// Why a segment is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A SYN, data or a FIN for the first time.
    New,
    /// Data again after a timeout.
    RtoRetransmit,
    /// Data again after three duplicate ACKs.
    FastRetransmit,
    /// Data again after a partial ACK.
    PartialAckRetransmit,
    /// Data again since the peer has what was sent after it.
    SackRetransmit,
    /// Data for the first time, in a segment larger than those that are known to arrive.
    MtuProbe,
    /// The last octets once more, to learn whether they have arrived.
    TailLossProbe,
    /// Something beyond the window, to learn whether it has opened.
    ZeroWindowProbe,
    /// Nothing, to learn whether the peer is there.
    KeepAlive,
    SynRetransmit,
    SynAckRetransmit,
    FinRetransmit,
    /// An acknowledgment alone.
    Ack,
    /// The same acknowledgment as before, on purpose: a challenge, or a hole was seen.
    DupAck,
    Reset,
}

/// A segment to be sent. The payload stays in the send buffer until it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) seq: SeqNum,
    pub(crate) ack: SeqNum,
    /// Where the payload begins in the send buffer.
    pub(crate) offset: u32,
    /// Octets of payload; more than a segment's if the port cuts it.
    pub(crate) len: u32,
    /// Only with SYN.
    pub(crate) options: Options,
    /// As it stands in the header: already scaled.
    pub(crate) window: u16,
    pub(crate) flags: Flags,
    pub(crate) kind: Kind,
    /// Blocks of a selective acknowledgment; only with neither data nor SYN.
    pub(crate) blocks: Blocks,
    pub(crate) stamp: Stamp,
    /// Only with SYN.
    pub(crate) cookie: Cookie,
    pub(crate) advice: Advice,
    /// For options of the application's own, at the end.
    pub(crate) room: Room,
}

const _: () = assert!(size_of::<Plan>() <= 44 + size_of::<Cookie>().next_multiple_of(4));

impl Plan {
    /// Octets of the header with its options.
    #[inline]
    pub(crate) fn header_len(&self) -> usize {
        let is_syn = self.flags.contains(Flags::SYN);
        let others = if is_syn { self.options.buffer_len() } else { self.blocks.buffer_len() };
        let cookie = self.cookie.buffer_len();
        HEADER_LEN + self.stamp.buffer_len() + others + cookie + self.advice.buffer_len() + self.room.len()
    }

    #[inline]
    pub(crate) fn payload_len(&self) -> usize {
        self.len as usize
    }

    /// Header and payload.
    #[inline]
    pub(crate) fn total_len(&self) -> usize {
        self.header_len() + self.payload_len()
    }

    /// No segment, to be filled in.
    #[inline(never)]
    pub(crate) const fn none() -> Plan {
        let zero = SeqNum(0);
        let (flags, kind) = (Flags::empty(), Kind::Ack);
        let (options, blocks) = (Options::NONE, Blocks::NONE);
        let (stamp, advice, room) = (Stamp::NONE, Advice::NONE, Room::NONE);
        let cookie = Cookie::NONE;
        Plan {
            seq: zero,
            ack: zero,
            offset: 0,
            len: 0,
            options,
            window: 0,
            flags,
            kind,
            blocks,
            stamp,
            cookie,
            advice,
            room,
        }
    }

    /// Begins with a segment without payload, options, stamp or window; the room stays.
    #[inline(never)]
    pub(super) fn begin(&mut self, kind: Kind, seq: SeqNum, ack: SeqNum, flags: Flags) {
        let (options, blocks) = (Options::NONE, Blocks::NONE);
        let (stamp, advice, room) = (Stamp::NONE, Advice::NONE, self.room);
        let cookie = Cookie::NONE;
        *self = Plan {
            seq,
            ack,
            offset: 0,
            len: 0,
            options,
            window: 0,
            flags,
            kind,
            blocks,
            stamp,
            cookie,
            advice,
            room,
        };
    }

    /// It has `len` octets from `offset` of the send buffer on, the last that are queued if `is_all`, and the FIN.
    #[inline]
    pub(super) fn carry(&mut self, seq: SeqNum, offset: u32, len: u32, is_all: bool, is_fin: bool) {
        (self.seq, self.offset, self.len) = (seq, offset, len);
        // RFC 9293 §3.9.1.2 (MUST-60, MUST-61): the last of what is queued waits for an ACK at most, and is pushed.
        if is_all && len > 0 {
            self.flags |= Flags::PSH;
        }
        if is_fin {
            self.flags |= Flags::FIN;
        }
    }

    /// Whether the header has room for `len` octets more.
    #[cfg_attr(
        not(any(feature = "tcp-uto", feature = "tcp-fastopen")),
        allow(dead_code, reason = "only advice and cookies may find none")
    )]
    pub(super) fn has_room_for(&self, len: usize) -> bool {
        self.header_len() + len <= MAX_HEADER_LEN
    }

    /// Whether it is data for the first time, which may leave in several segments. That of a SYN goes with it or not at all.
    #[inline]
    #[cfg(feature = "tcp-burst")]
    pub(super) fn may_be_cut(&self) -> bool {
        self.kind == Kind::New && !self.cookie.is_there()
    }

    /// Sequence space.
    #[inline]
    pub(super) fn seq_len(&self) -> u32 {
        self.len + u32::from(self.flags.contains(Flags::SYN)) + u32::from(self.flags.contains(Flags::FIN))
    }
}

/// What the engine is to do about a received segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: it was taken. ACKs are left to `decide`, so that one answers a burst.
    Taken,
    /// Nothing: it was not taken.
    Drop(DropReason),
    /// A reset answers it, if one may.
    Refuse(DropReason),
    /// The plan that was written answers it.
    Reply,
    /// No connection in TIME-WAIT has it, or one has given way to it: it is for a listener.
    Reopen,
    /// It completes the listener's half-open connection of this index, and is for its socket.
    Complete(u16),
}

/// What a received segment has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) events: Events,
}

impl Outcome {
    pub(super) const NONE: Outcome = Outcome { verdict: Verdict::Taken, events: Events::empty() };

    /// The segment is not acceptable, and not answered at once.
    pub(super) const DROPPED: Outcome =
        Outcome { verdict: Verdict::Drop(DropReason::Unacceptable), events: Events::empty() };

    /// The segment is answered with a reset.
    pub(super) const REFUSED: Outcome =
        Outcome { verdict: Verdict::Refuse(DropReason::Unacceptable), events: Events::empty() };
}

/// Plans the reset that answers a segment for which there is no connection (RFC 9293 §3.10.7.1); says
/// whether there is one, for a reset has none.
#[cold]
#[inline(never)]
pub(crate) fn plan_reset(seg: &Segment<'_>, plan: &mut Plan) -> bool {
    let (seq, ack, flags) = if seg.flags.contains(Flags::ACK) {
        (seg.ack, SeqNum(0), Flags::RST)
    } else {
        (SeqNum(0), seg.seq + seg.len(), Flags::RST.union(Flags::ACK))
    };
    plan.begin(Kind::Reset, seq, ack, flags);
    !seg.flags.contains(Flags::RST)
}

/// Writes a plan's header and options, with a zero checksum, and returns their sum.
///
/// `out` has room for [`Plan::header_len`] octets; from a shorter one nothing is sent.
#[inline(never)]
pub(crate) fn emit_control(plan: &Plan, local_port: u16, remote_port: u16, out: &mut [u8]) -> Sum {
    let header_len = plan.header_len();
    let Some((fixed, rest)) = out.split_first_chunk_mut() else { return Sum::ZERO };
    let fields = HeaderFields {
        src_port: local_port,
        dst_port: remote_port,
        seq: plan.seq,
        ack: plan.ack,
        flags: plan.flags,
        window: plan.window,
        header_len: header_len as u8,
    };
    fields.emit(fixed);
    let sum = checksum::sum_header(fixed);
    if header_len == HEADER_LEN + plan.stamp.buffer_len() {
        return sum.add(plan.stamp.emit(rest));
    }
    let Some(options) = rest.get_mut(..header_len - HEADER_LEN) else { return sum };
    // The blocks are there.
    plan.stamp.emit(options);
    if let Some(options) = options.get_mut(plan.stamp.buffer_len()..) {
        plan.options.emit(options);
        plan.cookie.emit(plan.options.buffer_len(), options);
        plan.advice.emit(plan.room.pad(options));
    }
    sum.add(checksum::sum(options))
}

/// Copies the octets of a send buffer from `offset` on to `out`, and returns the sum if `is_summed`.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(super) fn emit_ring(tx: &SocketBuffer<'_>, offset: usize, is_summed: bool, out: &mut [u8]) -> Sum {
    let (first, second) = tx.allocated_pieces(offset, out.len());
    let Some((out_first, out_second)) = out.split_at_mut_checked(first.len()) else { return Sum::ZERO };
    let sum = emit_slice(out_first, first, is_summed);
    // The whole range is in the send buffer from `decide` until its ACK, so nothing is left over.
    debug_assert_eq!(out_second.len(), second.len());
    if second.is_empty() {
        return sum;
    }
    let Some(out_second) = out_second.get_mut(..second.len()) else { return sum };
    let second = emit_slice(out_second, second, is_summed);
    if first.len() % 2 == 0 { sum.add(second) } else { sum.add_at_odd(second) }
}

/// Copies `from` to `to`, which is as long, and returns the sum if `is_summed`.
#[cfg_attr(target_pointer_width = "64", inline(always))]
#[cfg_attr(not(target_pointer_width = "64"), inline)]
pub(super) fn emit_slice(to: &mut [u8], from: &[u8], is_summed: bool) -> Sum {
    if is_summed {
        return checksum::copy_and_sum(to, from);
    }
    if to.len() == from.len() {
        to.copy_from_slice(from);
    }
    Sum::ZERO
}
