//! Explicit congestion notification (RFC 3168): a router marks a packet instead of dropping it, the receiver says so in
//! each ACK (ECE), and the sender reduces its window as for a loss, and says that too (CWR).
//!
//! ```text
//!   we                          router                        peer
//!   SYN, ECE and CWR ------------------------------------------>
//!    <------------------------------------------ SYN-ACK with ECE
//!   new data, ECT(0) -------> CE ------------------------------>
//!    <----------------------------------- ACKs with ECE, each one
//!   reduced; new data with CWR -------------------------------->
//!    <----------------------------------------- ACKs without ECE
//! ```
//!
//! The reduction is that for a loss (RFC 3168 §5; not RFC 8511's), once a round trip, and at once. Packets that are
//! not data for the first time are never sent as ECT.

use super::connection::{self, Connection};
use super::listener::Listener;
use super::segment::{Kind, Plan, Segment};
use super::{Phase, Side, Socket};
use crate::socket::Context;
use crate::wire::tcp::{Flags, SeqNum};

/// Whether a connection is to use explicit congestion notification (RFC 3168).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EcnMode {
    /// Neither asked for nor granted.
    Off,
    /// Granted to who asks for it, as Linux does (`net.ipv4.tcp_ecn` of 2).
    #[default]
    Accept,
    /// Asked for as well (1 there). Old middleboxes may drop the SYN; it goes without when it is repeated.
    Ask,
}

/// What the socket's next connection does, or those of a listener.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice(EcnMode);

impl Choice {
    pub(super) const DEFAULT: Choice = Choice(EcnMode::Accept);

    /// RFC 3168 §6.1.1: whether a SYN with these flags asks for it, and is granted it.
    pub(super) fn grants(self, syn: Flags) -> bool {
        self.0 != EcnMode::Off && syn.contains(SETUP)
    }
}

/// What an ECN-setup SYN has.
const SETUP: Flags = Flags::ECE.union(Flags::CWR);

/// The two bits of a received packet's IP header.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(u8);

impl Mark {
    #[cfg(test)]
    pub(crate) const NONE: Mark = Mark(0);
    /// From a sender that heeds marks: ECT(0).
    const CAPABLE: Mark = Mark(2);
    /// Congestion experienced: CE.
    pub(crate) const EXPERIENCED: Mark = Mark(3);

    /// That of an IP packet.
    #[inline]
    pub(crate) fn of(packet: &[u8]) -> Mark {
        match packet {
            [first, class, ..] if first >> 4 == 4 => Mark(class & 3),
            [_, class, ..] => Mark(class >> 4 & 3),
            _ => Mark(0),
        }
    }

    /// As the lowest bits of a traffic class.
    #[inline]
    pub(crate) fn bits(self) -> u8 {
        self.0
    }
}

bitflags::bitflags! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Marks: u8 {
        /// Our SYN asks for it.
        const ASKED = 1;
        /// Both ends have agreed.
        const ON = 1 << 1;
        /// Congestion was met: each ACK says so until the peer has reduced its window.
        const ECHO = 1 << 2;
        /// Our window was reduced: the next new data says so.
        const REDUCED = 1 << 3;
        /// What was out then is not yet acknowledged; until it is, the window is not reduced again.
        const WAITS = 1 << 4;
        /// It was reduced since a router told of congestion.
        const TOLD = 1 << 5;
        /// Nothing goes before the timer has run out.
        const HELD = 1 << 6;
        /// Data has come from a sender that heeds marks.
        const SEEN = 1 << 7;
    }
}

/// What a connection knows of it.
#[derive(Debug, Clone)]
pub(super) struct Ecn {
    /// What was SND.MAX when the window was last reduced; only while [`Marks::WAITS`].
    recover: SeqNum,
    marks: Marks,
}

impl Ecn {
    pub(super) const fn new() -> Ecn {
        Ecn { recover: SeqNum(0), marks: Marks::empty() }
    }

    /// An active open begins.
    pub(super) fn begin(&mut self, choice: Choice) {
        self.marks.set(Marks::ASKED, choice.0 == EcnMode::Ask);
    }

    /// Whether both ends have agreed, now that both SYNs are there.
    pub(super) fn grant(&mut self, is_granted: bool) {
        self.marks.set(Marks::ON, is_granted);
    }

    /// The SYN-ACK has come, after a SYN that was repeated or not.
    pub(super) fn on_syn_ack(&mut self, flags: Flags, was_syn_lost: bool) {
        // RFC 3168 §6.1.1: ECE alone grants it; both flags are a middlebox that sends back what it does not know. Who has
        // sent a SYN without asking, as we do when we repeat it, does not use it.
        let is_granted = flags & SETUP == Flags::ECE;
        self.grant(is_granted && !was_syn_lost && self.marks.contains(Marks::ASKED));
    }

    /// The peer's SYN once more, while we have answered it: it asks each time or not at all (RFC 3168 §6.1.1).
    pub(super) fn on_syn_again(&mut self, flags: Flags) {
        self.grant(self.is_on() && flags.contains(SETUP));
    }

    /// The flags of our SYN, or SYN-ACK, that say of it.
    pub(super) fn setup(&self, is_active: bool, is_again: bool) -> Flags {
        if is_active {
            // RFC 3168 §6.1.1.1: what is repeated may have been dropped for its flags.
            let asks = self.marks.contains(Marks::ASKED) && !is_again;
            if asks { SETUP } else { Flags::empty() }
        } else {
            setup_of(self.is_on())
        }
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.marks.contains(Marks::ON)
    }

    /// Whether an ACK's window is to be looked at.
    #[inline]
    pub(super) fn is_concerned(&self, seg: &Segment<'_>) -> bool {
        self.marks.contains(Marks::WAITS) || self.is_told(seg)
    }

    /// Whether an ACK tells of congestion.
    #[inline]
    pub(super) fn is_told(&self, seg: &Segment<'_>) -> bool {
        seg.flags.contains(Flags::ECE) && self.is_on()
    }

    /// Whether a segment that has come tells of congestion on its way, or of the peer's reduction.
    #[inline]
    pub(super) fn is_marked(seg: &Segment<'_>) -> bool {
        seg.mark == Mark::EXPERIENCED || seg.flags.contains(Flags::CWR)
    }

    /// Whether nothing goes before the timer has run out.
    #[inline]
    pub(super) fn is_held(&self) -> bool {
        self.marks.contains(Marks::HELD)
    }

    /// The timer has run out; says whether that was waited for.
    pub(super) fn end_hold(&mut self) -> bool {
        let was_held = self.is_held();
        self.marks -= Marks::HELD;
        was_held
    }

    /// The window was reduced for whatever reason, with SND.MAX at `max` (RFC 3168 §6.1.2).
    pub(super) fn on_reduced(&mut self, max: SeqNum) {
        if self.is_on() {
            self.recover = max;
            self.marks -= Marks::TOLD;
            self.marks |= Marks::REDUCED | Marks::WAITS;
        }
    }

    /// Whether the window was reduced for congestion that what was out at `una` has met.
    pub(super) fn covers(&self, una: SeqNum) -> bool {
        self.marks.contains(Marks::WAITS | Marks::TOLD) && una.lt(self.recover)
    }

    /// The last reduction was taken back.
    pub(super) fn on_undone(&mut self) {
        self.marks -= Marks::REDUCED | Marks::WAITS | Marks::TOLD;
    }

    /// Data has come: what the other end does is known from it.
    #[inline]
    pub(super) fn on_segment(&mut self, seg: &Segment<'_>) {
        if self.is_on() && seg.mark != Mark(0) && !seg.payload.is_empty() {
            self.marks |= Marks::SEEN;
        }
    }

    #[cfg(feature = "tcp-info")]
    pub(super) fn is_seen(&self) -> bool {
        self.marks.contains(Marks::SEEN)
    }

    /// Whether the window is smaller since a router told of congestion, and nothing was lost.
    #[cfg(feature = "tcp-info")]
    pub(super) fn is_reduced(&self) -> bool {
        self.marks.contains(Marks::WAITS | Marks::TOLD)
    }

    /// Says in a plan what there is to say.
    #[inline]
    pub(super) fn tell(&self, plan: &mut Plan) {
        if self.marks.intersects(Marks::ECHO | Marks::REDUCED) {
            self.tell_more(plan);
        }
    }

    #[cold]
    fn tell_more(&self, plan: &mut Plan) {
        // RFC 3168 §6.1.3: in every ACK, so that the loss of some does no harm.
        if self.marks.contains(Marks::ECHO) {
            plan.flags |= Flags::ECE;
        }
        // RFC 3168 §6.1.2: with the first new data after the reduction.
        if self.marks.contains(Marks::REDUCED) && is_new_data(plan) {
            plan.flags |= Flags::CWR;
        }
    }

    /// A plan was sent.
    #[inline]
    pub(super) fn on_sent(&mut self, plan: &Plan) {
        if self.marks.contains(Marks::REDUCED) && is_new_data(plan) {
            self.marks -= Marks::REDUCED;
        }
    }
}

/// The flags of a SYN-ACK that grants it, or does not.
pub(super) fn setup_of(is_granted: bool) -> Flags {
    if is_granted { Flags::ECE } else { Flags::empty() }
}

/// Data for the first time, be it a probe of the path's MTU: what may be marked. Not so ACKs, SYNs and resets, probes of
/// a window, and what is sent again (RFC 3168 §5.2, §6.1.1, §6.1.4 to §6.1.6): their loss would go unnoticed, or they
/// may not be from us.
fn is_new_data(plan: &Plan) -> bool {
    plan.len > 0 && matches!(plan.kind, Kind::New | Kind::MtuProbe)
}

impl Connection {
    /// An ACK, which has moved SND.UNA by `acked`, tells of congestion, or may end the time in which that says nothing.
    #[cold]
    #[inline(never)]
    pub(super) fn on_echo(&mut self, cx: &Context<'_>, seg: &Segment<'_>, acked: u32) {
        // RFC 3168 §6.1.2: once for all that was out. The first new segment after it has told the peer of the reduction,
        // so that what acknowledges that speaks of something else.
        if seg.ack.gt(self.ecn.recover) {
            self.ecn.marks -= Marks::WAITS;
        }
        if !self.ecn.is_told(seg) {
            return;
        }
        // What has been reduced has reason to be.
        self.control.keep();
        let is_reduced = self.ecn.marks.contains(Marks::WAITS) || self.recovery.is_active();
        if is_reduced || !self.control.is_heeding() {
            return;
        }
        let (window, mss) = (self.control.window(), self.mss(cx));
        if window <= mss {
            // RFC 3168 §6.1.2: less than a segment a round trip is a segment a timeout.
            if self.snd.outstanding() == 0 {
                self.ecn.marks |= Marks::HELD;
            }
            return;
        }
        self.control.on_loss(self.in_use(acked + self.snd.outstanding()), mss);
        self.control.keep();
        let threshold = self.control.threshold();
        self.control.set_window(if threshold < window { threshold } else { mss });
        self.ecn.on_reduced(self.snd.max);
        self.ecn.marks |= Marks::TOLD;
    }

    /// Data within the window tells of congestion on its way, or of the peer's reduction.
    #[cold]
    #[inline(never)]
    pub(super) fn on_mark(&mut self, seg: &Segment<'_>) {
        if !self.ecn.is_on() {
            return;
        }
        // RFC 3168 §6.1.3: first the CWR, since the packet that carries it may be marked itself. In either case the peer's
        // window may be so small that it waits for the ACK.
        if seg.flags.contains(Flags::CWR) {
            self.ecn.marks -= Marks::ECHO;
            self.marks |= connection::Marks::ACK;
        }
        if seg.mark == Mark::EXPERIENCED && !self.ecn.marks.contains(Marks::ECHO) {
            self.ecn.marks |= Marks::ECHO;
            self.marks |= connection::Marks::ACK;
        }
    }

    /// Something was lost: the window is reduced, unless it was for what a router has told of the same flight.
    pub(super) fn reduce(&mut self, flight: u32, mss: u32) {
        if self.ecn.covers(self.snd.una) {
            // As a loss leaves it, for three segments have left the network.
            return self.control.set_window(self.control.threshold() + 3 * mss);
        }
        self.control.on_loss(flight, mss);
        self.ecn.on_reduced(self.snd.max);
    }

    /// The window is too small to be reduced: now that the timer has run out, one segment goes.
    #[cold]
    pub(super) fn end_hold(&mut self, cx: &Context<'_>, side: &Side<'_>) -> bool {
        let was_held = self.ecn.end_hold();
        if was_held {
            self.arm_rtx(cx.ticks, side);
        }
        was_held
    }
}

impl Socket<'_> {
    /// Whether the socket's next connection asks for explicit congestion notification (RFC 3168), or grants it to a
    /// peer who asks.
    ///
    /// With [`CongestionControl::None`](super::CongestionControl::None) it tells the peer of marks, and sends nothing that
    /// can be marked.
    pub fn set_ecn(&mut self, mode: EcnMode) {
        self.side.config.ecn = Choice(mode);
    }

    /// What was set.
    pub fn ecn(&self) -> EcnMode {
        self.side.config.ecn.0
    }

    /// Whether both ends of the connection have agreed on it.
    pub fn is_ecn_agreed(&self) -> bool {
        matches!(&self.phase, Phase::Connection(connection) if connection.ecn.is_on())
    }

    /// What a router may do with the packets of a plan.
    #[inline]
    pub(crate) fn mark_for(&self, plan: &Plan) -> Mark {
        match &self.phase {
            Phase::Connection(it) if it.ecn.is_on() && is_new_data(plan) && it.control.is_heeding() => {
                Mark::CAPABLE
            }
            _ => Mark(0),
        }
    }
}

impl Listener<'_> {
    /// Whether connections get explicit congestion notification (RFC 3168) if the client asks for it.
    pub fn set_ecn(&mut self, mode: EcnMode) {
        self.ecn = Choice(mode);
    }

    /// What was set.
    pub fn ecn(&self) -> EcnMode {
        self.ecn.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_in_both_families_and_in_what_is_too_short() {
        assert_eq!(Mark::of(&[0x45, 0xbb]), Mark::EXPERIENCED);
        assert_eq!(Mark::of(&[0x45, 0xb8]), Mark::NONE);
        assert_eq!(Mark::of(&[0x6b, 0xaf]), Mark::CAPABLE);
        assert_eq!(Mark::of(&[0x6f, 0xcf]), Mark::NONE);
        assert_eq!(Mark::of(&[0x45]), Mark::NONE);
        assert_eq!(Mark::of(&[]), Mark::NONE);
    }
}
