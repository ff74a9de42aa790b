//! What is sent next: a pure decision (RFC 9293 §3.8.6, RFC 5681), and what follows once it is sent.

use super::Side;
use super::connection::{Connection, Marks};
use super::recv;
use super::segment::{Kind, Plan};
use super::state::State;
use super::timers::Timer;
use crate::socket::Context;
use crate::wire::tcp::{Flags, SeqNum};

impl Connection {
    /// The segment that should leave now, if any. Changes nothing.
    pub(super) fn decide(&self, cx: &Context<'_>, side: &Side<'_>) -> Option<Plan> {
        if self.state.is_opening() || self.state == State::Closed {
            return self.decide_opening(cx, side);
        }
        if self.state.owes_fin() || !side.tx.is_empty() {
            let plan = self.decide_data(cx, side);
            if plan.is_some() {
                return plan;
            }
        }
        let is_update_due =
            || self.state.takes_data() && self.rcv.is_update_due(&side.rx, u32::from(self.path_mss(cx)));
        if self.marks.contains(Marks::ACK) || self.dup_acks > 0 || is_update_due() {
            return Some(self.plan_ack(cx, side));
        }
        if self.marks.contains(Marks::KEEP_ALIVE) {
            // RFC 9293 §3.8.4: what was acknowledged long ago, so that the peer must answer.
            return Some(self.plan(cx, side, Kind::KeepAlive, self.snd.una - 1));
        }
        None
    }

    #[inline]
    fn plan(&self, cx: &Context<'_>, side: &Side<'_>, kind: Kind, seq: SeqNum) -> Plan {
        let window = self.rcv.window(&side.rx, u32::from(self.path_mss(cx))) >> self.rcv.shift;
        let mut plan = Plan::bare(kind, seq, self.rcv.nxt, Flags::ACK);
        plan.window = window.min(0xffff) as u16;
        plan
    }

    fn plan_ack(&self, cx: &Context<'_>, side: &Side<'_>) -> Plan {
        let is_asked = self.marks.contains(Marks::ACK) || self.dup_acks > 0;
        let is_again = self.rcv.nxt == self.rcv.acked && is_asked;
        let kind = if is_again { Kind::DupAck } else { Kind::Ack };
        self.plan(cx, side, kind, self.snd.ack_seq())
    }

    /// A SYN, a SYN-ACK, or the reset of a connection that was aborted.
    #[cold]
    #[inline(never)]
    fn decide_opening(&self, cx: &Context<'_>, side: &Side<'_>) -> Option<Plan> {
        if self.state == State::Closed {
            let reset = Flags::RST.union(Flags::ACK);
            let is_wanted = self.marks.contains(Marks::RESET);
            return is_wanted.then(|| Plan::bare(Kind::Reset, self.snd.ack_seq(), self.rcv.nxt, reset));
        }
        let is_active = self.state == State::SynSent;
        if self.snd.nxt != self.snd.una {
            let is_wanted = self.marks.contains(Marks::ACK) && !is_active;
            return is_wanted.then(|| self.plan_ack(cx, side));
        }
        let is_again = self.snd.max != self.snd.una;
        let (flags, kind) = match (is_active, is_again) {
            (true, false) => (Flags::SYN, Kind::New),
            (true, true) => (Flags::SYN, Kind::SynRetransmit),
            (false, false) => (Flags::SYN.union(Flags::ACK), Kind::New),
            (false, true) => (Flags::SYN.union(Flags::ACK), Kind::SynAckRetransmit),
        };
        let mut plan = Plan::bare(kind, self.snd.una, self.rcv.nxt, flags);
        // RFC 7323 §2.2: the window of a SYN is never scaled.
        plan.window = recv::free(&side.rx).min(0xffff) as u16;
        // RFC 9293 §3.7.1 (MUST-14): our MSS is what the link takes.
        plan.options.mss = self.path_mss(cx);
        plan.options.window_scale = if self.marks.contains(Marks::SCALES) { self.rcv.shift } else { 0xff };
        Some(plan)
    }

    /// Data or a FIN, if the windows, Nagle (RFC 9293 §3.7.4) and the avoidance of silly windows
    /// (§3.8.6.2.1) let it go.
    fn decide_data(&self, cx: &Context<'_>, side: &Side<'_>) -> Option<Plan> {
        let snd = &self.snd;
        let queued = side.tx.len() as u32;
        let mss = self.mss(cx);
        if self.marks.contains(Marks::RETRANSMIT) {
            return Some(self.plan_first_again(cx, side, queued, mss));
        }
        let flight = snd.flight();
        // More in flight than is queued: the FIN is out too.
        let unsent = queued.checked_sub(flight)?;
        let cwnd = self.control.window().max(mss) + self.recovery.limited_transmit() * mss;
        let len = unsent.min(cwnd.min(snd.wnd).saturating_sub(flight));
        let is_again = snd.nxt.lt(snd.max);
        let len = self.cut(cx, side, len, unsent, is_again);
        let is_all = len == unsent;
        let is_fin = is_all && self.state.owes_fin() && flight + len < snd.wnd;
        if len == 0 && !is_fin {
            return self.decide_probe(cx, side, unsent.min(mss));
        }
        let kind = match (is_again, len) {
            (false, _) => Kind::New,
            (true, 0) => Kind::FinRetransmit,
            (true, _) => Kind::RtoRetransmit,
        };
        let mut plan = self.plan(cx, side, kind, snd.nxt);
        plan.offset = flight;
        plan.len = len;
        if is_all && len > 0 {
            plan.flags |= Flags::PSH;
        }
        if is_fin {
            plan.flags |= Flags::FIN;
        }
        Some(plan)
    }

    /// How much of `len` octets that the windows allow goes into one segment now.
    #[inline]
    fn cut(&self, cx: &Context<'_>, side: &Side<'_>, len: u32, unsent: u32, is_again: bool) -> u32 {
        let mss = self.mss(cx);
        if len == mss {
            return len;
        }
        // RFC 9293 §3.7.4: a short segment goes if it is the last and nothing is unacknowledged.
        let is_urged = side.config.is_nodelay || self.state.owes_fin() || self.snd.flight() == 0;
        let is_tail_free = is_again || (len == unsent && is_urged);
        if len < mss {
            // RFC 9293 §3.8.6.2.1 (MUST-38): or if it is half of what the peer can take at all.
            let is_worth_it = is_tail_free || len >= (self.snd.max_wnd / 2).max(1);
            return if is_worth_it { len } else { 0 };
        }
        let limit = if is_again { mss } else { cx.segmentation_len.max(mss) };
        if len <= limit && is_tail_free {
            return len;
        }
        let len = len.min(limit);
        len - len % mss
    }

    /// The timer says that something must go, however small the window is.
    fn decide_probe(&self, cx: &Context<'_>, side: &Side<'_>, most: u32) -> Option<Plan> {
        if !self.marks.contains(Marks::PROBE) || self.snd.flight() > 0 {
            return None;
        }
        let mut plan = self.plan(cx, side, Kind::ZeroWindowProbe, self.snd.una);
        plan.len = most.min(self.snd.wnd.max(1));
        if most == 0 {
            plan.flags |= Flags::FIN;
        }
        Some(plan)
    }

    /// Fast retransmit: the first segment again.
    #[cold]
    fn plan_first_again(&self, cx: &Context<'_>, side: &Side<'_>, queued: u32, mss: u32) -> Plan {
        let is_partial = self.marks.contains(Marks::PARTIAL);
        let kind = if is_partial { Kind::PartialAckRetransmit } else { Kind::FastRetransmit };
        let mut plan = self.plan(cx, side, kind, self.snd.una);
        plan.len = queued.min(mss).min(self.snd.outstanding());
        // Only if the FIN was sent before.
        if plan.len < self.snd.outstanding() && plan.len == queued {
            plan.flags |= Flags::FIN;
        }
        plan
    }

    /// `plan` was sent.
    pub(super) fn on_sent(&mut self, cx: &Context<'_>, plan: &Plan, side: &Side<'_>) {
        let shift = if plan.flags.contains(Flags::SYN) { 0 } else { self.rcv.shift };
        if plan.flags.contains(Flags::ACK) {
            // The first of the acknowledgments of one number is not a duplicate, nor is one with data.
            if plan.ack == self.rcv.acked && plan.len == 0 {
                self.dup_acks = self.dup_acks.saturating_sub(1);
            }
            self.rcv.on_sent(plan.ack, u32::from(plan.window) << shift);
            self.marks -= Marks::ACK;
            self.timers.clear(Timer::Ack);
        }
        match plan.kind {
            Kind::Reset => self.marks -= Marks::RESET,
            Kind::KeepAlive => self.marks -= Marks::KEEP_ALIVE,
            _ => {}
        }
        if plan.seq_len() > 0 {
            self.on_sent_data(cx, plan, side);
        }
    }

    #[inline]
    fn on_sent_data(&mut self, cx: &Context<'_>, plan: &Plan, side: &Side<'_>) {
        let end = plan.seq + plan.seq_len();
        let was_idle = self.snd.nxt == self.snd.una;
        if self.snd.max == self.snd.una {
            self.end_silence(cx);
        }
        if plan.seq == self.snd.max {
            self.rtt.on_new(end, cx.ticks);
        } else {
            self.rtt.on_retransmit();
        }
        // A probe of a closed window stays the next to be sent.
        if plan.kind != Kind::ZeroWindowProbe || self.snd.wnd > 0 {
            self.snd.nxt = self.snd.nxt.max(end);
        }
        self.snd.max = self.snd.max.max(end);
        if self.snd.outstanding() >= self.control.window() / 2 {
            self.snd.full = self.snd.max;
        }
        self.marks -= Marks::RETRANSMIT | Marks::PARTIAL | Marks::PROBE;
        // RFC 6298 §5.1; a repeated segment gets its full time.
        if was_idle || plan.kind != Kind::New || !self.timers.is_set(Timer::Rtx) {
            self.arm_rtx(cx.ticks, side);
        }
        if self.marks.contains(Marks::REARM) {
            self.rearm(cx, side);
        }
    }
}
