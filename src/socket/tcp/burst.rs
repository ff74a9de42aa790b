//! Bursts: several full segments are planned at once, and cut one by one as they are sent.
//!
//! What a segment may hold, and whether it may go, is the same question for all segments of a turn. So a plan of new
//! data has as many full segments as windows and the turn allow, and is cut here into what the port takes: segments, or
//! longer pieces of them if the device cuts these by itself. The connection hears of all of them as of one.

use super::connection::Connection;
use super::segment::Plan;
use super::{Phase, Socket};
use crate::config;
use crate::socket::Context;
use crate::wire::ipv6;
use crate::wire::tcp::{Flags, MAX_HEADER_LEN, SeqNum};

/// What only the last segment of a burst says.
const OF_THE_LAST: Flags = Flags::PSH.union(Flags::FIN);

/// What only the first says (RFC 3168 §6.1.2).
const OF_THE_FIRST: Flags = Flags::CWR;

/// The headers of a segment with data, at most: what fits under them fits under shorter ones.
const HEADERS_LEN: usize = ipv6::HEADER_LEN + MAX_HEADER_LEN;

/// How a connection's data is cut for a port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pieces {
    /// Octets of payload in a full segment.
    segment_len: u32,
    /// Octets of payload in what is handed to the device: as many full segments as it takes.
    piece_len: u32,
}

impl Pieces {
    /// For a connection with segments of `segment_len` octets, by a device that cuts IP packets of up to `cut_len`.
    fn new(segment_len: u32, cut_len: usize) -> Pieces {
        // An IP packet of 64 KiB is too long for its length field.
        let most = cut_len.min(0xffff).saturating_sub(HEADERS_LEN) as u32;
        let piece_len = if most > segment_len { most - most % segment_len.max(1) } else { segment_len };
        Pieces { segment_len, piece_len }
    }

    /// How many octets of payload may be planned at once for paths of this MTU.
    pub(crate) fn plan_len(cut_len: usize, ip_mtu: u16) -> u32 {
        (u32::from(ip_mtu) * config::PACKETS_PER_TURN as u32).max(cut_len as u32)
    }
}

/// A plan that is being cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst {
    pieces: Pieces,
    seq: SeqNum,
    offset: u32,
    end: u32,
    flags: Flags,
}

impl Burst {
    /// Leaves of a plan the first piece.
    #[inline]
    pub(crate) fn begin(plan: &mut Plan, pieces: Pieces) -> Burst {
        let Plan { seq, offset, len, flags, .. } = *plan;
        // What is to be said once goes alone: a device might say it with each segment that it cuts.
        let is_alone = config::HAS_TCP_ECN && flags.contains(OF_THE_FIRST);
        let first_len = if is_alone { pieces.segment_len } else { pieces.piece_len };
        // What is sent again, or probes, is as long as it has to be.
        if plan.len > first_len && plan.may_be_cut() {
            plan.len = first_len;
            plan.flags -= OF_THE_LAST;
        }
        Burst { pieces, seq, offset, end: offset + len, flags: flags - OF_THE_FIRST }
    }

    /// What the device is to cut the piece that is left into; 0 if it is a segment.
    #[inline]
    pub(crate) fn cut(self, piece: &Plan) -> u16 {
        let segment_len = self.pieces.segment_len;
        if piece.len > segment_len && piece.may_be_cut() { segment_len as u16 } else { 0 }
    }

    /// Leaves the piece after the one that was sent; says whether there is one.
    #[inline]
    pub(crate) fn advance(self, plan: &mut Plan) -> bool {
        let at = plan.offset + plan.len;
        if at == self.end {
            return false;
        }
        plan.seq = plan.seq + plan.len;
        plan.offset = at;
        plan.len = (self.end - at).min(self.pieces.piece_len);
        if config::HAS_TCP_ECN {
            plan.flags -= OF_THE_FIRST;
        }
        if plan.len == self.end - at {
            plan.flags = self.flags;
        }
        true
    }

    /// Makes a plan of all that was sent, the piece that is left too if `is_gone`; says whether there is anything.
    #[inline]
    pub(crate) fn end(self, plan: &mut Plan, is_gone: bool) -> bool {
        let end = if is_gone { plan.offset + plan.len } else { plan.offset };
        if !is_gone && end == self.offset {
            return false;
        }
        if !is_gone {
            plan.flags -= OF_THE_LAST;
        }
        (plan.seq, plan.offset, plan.len) = (self.seq, self.offset, end - self.offset);
        true
    }
}

impl Connection {
    /// Where the first segment ends of what was sent up to `end`: the clock is stopped as soon as that has arrived.
    #[inline]
    pub(super) fn end_of_first(&self, plan: &Plan, end: SeqNum) -> SeqNum {
        end.min(plan.seq + u32::from(self.snd.mss))
    }
}

impl Socket<'_> {
    /// How what it sends is cut for a device that cuts IP packets of up to `cut_len` octets by itself.
    pub(crate) fn pieces(&self, cx: &Context<'_>, cut_len: usize) -> Pieces {
        match &self.phase {
            Phase::Connection(connection) => Pieces::new(connection.mss(cx), cut_len),
            _ => Pieces::new(0, cut_len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::tcp::segment::Kind;

    /// What is one piece, or less, says all that it has to say.
    #[test]
    fn only_what_is_longer_than_a_piece_is_cut() {
        let pieces = Pieces { segment_len: 1_000, piece_len: 3_000 };
        let flags = Flags::ACK | OF_THE_LAST;
        for (len, lens) in
            [(1_000, &[1_000][..]), (3_000, &[3_000]), (3_001, &[3_000, 1]), (6_000, &[3_000; 2])]
        {
            let mut plan = Plan { kind: Kind::New, seq: SeqNum(7), offset: 5, len, flags, ..Plan::none() };
            let burst = Burst::begin(&mut plan, pieces);
            for (n, &len) in lens.iter().enumerate() {
                let is_last = n + 1 == lens.len();
                assert_eq!(plan.len, len);
                assert_eq!(plan.flags, if is_last { flags } else { Flags::ACK });
                assert_eq!(burst.advance(&mut plan), !is_last);
            }
        }
    }
}
