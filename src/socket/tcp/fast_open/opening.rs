//! A connection that begins with the data of its SYN (RFC 7413 §4.2.2).
//!
//! Until its SYN is acknowledged it is in SYN-RECEIVED, and has its SYN-ACK to send: before all data, after each timeout,
//! and when the SYN comes again. SND.UNA is behind the SYN from the beginning.

use super::{FastOpen, Stage, passive};
use crate::socket::tcp::connection::{Connection, Marks};
use crate::socket::tcp::listener::HalfOpen;
use crate::socket::tcp::segment::{Kind, Outcome, Plan, Segment};
use crate::socket::tcp::state::State;
use crate::socket::tcp::{Phase, Side, Socket};
use crate::socket::{Context, Events};
use crate::wire::tcp::{Flags, SeqNum};

impl Socket<'_> {
    /// Goes on from what would be a listener's record, with the data of the SYN.
    pub(crate) fn open_fast(
        &mut self,
        cx: &Context<'_>,
        half: &HalfOpen,
        syn: &Segment<'_>,
        is_old: bool,
    ) -> Events {
        self.restart(Phase::Closed);
        let mut connection = Connection::new(cx, half.tuple, State::SynReceived, half.iss, &self.side);
        let events = connection.open_fast(cx, half, syn, is_old, &mut self.side);
        self.phase = Phase::Connection(connection);
        self.note();
        events
    }

    /// Whether the connection has begun with data, and nothing has acknowledged our SYN.
    pub(crate) fn is_fast_open_pending(&self) -> bool {
        matches!(&self.phase, Phase::Connection(it) if it.fast_open.is_pending() && it.state.is_opening())
    }

    /// Whether the application may send and receive, though the peer has not acknowledged our SYN.
    pub(in crate::socket::tcp) fn is_open_early(&self) -> bool {
        self.is_fast_open_pending()
    }
}

impl Connection {
    fn open_fast(
        &mut self,
        cx: &Context<'_>,
        half: &HalfOpen,
        syn: &Segment<'_>,
        is_old: bool,
        side: &mut Side<'_>,
    ) -> Events {
        self.go_on_as(cx, half, side);
        self.snd.una = half.iss + 1;
        self.fast_open = FastOpen::pending(is_old);
        // RFC 7413 §4.2.2, step 6: the initial window is that of any connection.
        self.control.on_established(self.mss(cx), false);
        self.arm_rtx(cx.ticks, side);
        let mut out = Outcome::NONE;
        if !syn.payload.is_empty() {
            // What there is no room for, is not acknowledged, and comes again.
            self.on_payload(cx, syn.payload, 0, side, None, &mut out);
        }
        out.events | Events::WRITABLE
    }

    /// Whether data may leave, though our SYN is not acknowledged: behind its SYN-ACK, unless that is lost.
    #[inline]
    pub(in crate::socket::tcp) fn sends_early(&self) -> bool {
        self.fast_open.is_pending()
            && !self.fast_open.0.contains(Stage::DUE)
            && !self.marks.contains(Marks::SYN_LOST)
    }

    /// The SYN-ACK, or an ACK that is asked for while the peer does not answer it.
    #[cold]
    pub(in crate::socket::tcp) fn decide_early(
        &self,
        cx: &Context<'_>,
        side: &Side<'_>,
        plan: &mut Plan,
    ) -> bool {
        if !self.fast_open.0.contains(Stage::DUE) {
            plan.window >>= self.rcv.shift;
            plan.kind = Kind::DupAck;
            return self.marks.contains(Marks::ACK);
        }
        let is_again = self.fast_open.0.contains(Stage::SENT);
        plan.seq = self.snd.una - 1;
        plan.flags = Flags::SYN.union(Flags::ACK);
        plan.kind = if is_again { Kind::SynAckRetransmit } else { Kind::New };
        self.set_up(cx, side, false, plan);
        // RFC 7413 §4.2.2: what is repeated has no such option, for who may have dropped it for that.
        if self.fast_open.0.contains(Stage::RENEW) && !is_again {
            passive::Request::Open { is_old: true }.offer(cx, &self.tuple, plan);
        }
        true
    }

    /// Something was sent; says whether it was a SYN-ACK.
    #[inline]
    pub(in crate::socket::tcp) fn on_sent_early(
        &mut self,
        cx: &Context<'_>,
        plan: &Plan,
        side: &Side<'_>,
    ) -> bool {
        if !plan.flags.contains(Flags::SYN) {
            return false;
        }
        if self.fast_open.is_pending() {
            self.on_sent_syn_ack(cx, plan, side);
        } else {
            self.on_sent_syn(cx, plan);
        }
        self.fast_open.is_pending()
    }

    #[cold]
    fn on_sent_syn_ack(&mut self, cx: &Context<'_>, plan: &Plan, side: &Side<'_>) {
        self.fast_open.0.remove(Stage::DUE);
        self.fast_open.0.insert(Stage::SENT);
        if plan.kind == Kind::New {
            self.rtt.on_new(self.snd.una, cx.ticks);
        } else {
            self.rtt.on_retransmit();
        }
        self.arm_rtx(cx.ticks, side);
    }

    /// The SYN, or the SYN-ACK, goes once more.
    pub(in crate::socket::tcp) fn owe_syn(&mut self) {
        if self.fast_open.is_pending() {
            self.fast_open.0.insert(Stage::DUE);
        } else {
            self.on_syn_unanswered();
            self.snd.nxt = self.snd.una;
        }
    }

    /// Whether a SYN is the one that we have seen. As long as ours is not acknowledged, no window has come but with that.
    #[inline]
    pub(in crate::socket::tcp) fn is_syn_again(&self, syn: &Segment<'_>) -> bool {
        syn.seq == self.snd.wl1
    }

    /// Whether a segment acknowledges our SYN, and nothing that was not sent.
    #[inline]
    pub(in crate::socket::tcp) fn is_syn_acked(&self, ack: SeqNum) -> bool {
        // Of a client's data perhaps nothing.
        let least = if self.fast_open.is_pending() { self.snd.una } else { self.snd.una + 1 };
        ack.ge(least) && ack.le(self.snd.max)
    }

    /// What `ack` acknowledges of our SYN and of data that went with it. What followed a SYN-ACK is left to the step that
    /// all ACKs come to.
    #[inline]
    pub(in crate::socket::tcp) fn take_syn_ack(&mut self, ack: SeqNum, side: &mut Side<'_>) -> SeqNum {
        if self.fast_open.is_pending() {
            return self.snd.una;
        }
        self.take_data_ack(ack, side);
        ack
    }

    /// Both SYNs are acknowledged, and data may be out already.
    #[inline]
    pub(in crate::socket::tcp) fn end_early(&mut self, cx: &Context<'_>, side: &Side<'_>) {
        if self.fast_open.is_pending() {
            self.establish_early(cx, side);
        }
    }

    #[cold]
    fn establish_early(&mut self, cx: &Context<'_>, side: &Side<'_>) {
        self.fast_open = FastOpen::NONE;
        if self.snd.outstanding() == 0 {
            return;
        }
        // Without the SYN-ACK the peer has taken nothing of what came behind it.
        if self.marks.contains(Marks::SYN_LOST) && !self.repair_all(false) {
            self.snd.nxt = self.snd.una;
        }
        self.arm_rtx(cx.ticks, side);
    }
}
