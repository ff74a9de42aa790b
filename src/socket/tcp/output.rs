//! What is sent next: a pure decision (RFC 9293 §3.8.6, RFC 5681), and what follows once it is sent.

use super::Side;
use super::connection::{Connection, Marks};
use super::recv;
use super::segment::{Kind, Plan};
use super::state::State;
use super::timers::Timer;
use crate::config;
use crate::socket::Context;
use crate::wire::tcp::Flags;

impl Connection {
    /// Plans the segment that should leave now, and says whether there is one. Changes nothing.
    pub(super) fn plan(&self, cx: &Context<'_>, side: &Side<'_>, plan: &mut Plan) -> bool {
        plan.room = self.room;
        plan.begin(Kind::Ack, self.snd.ack_seq(), self.rcv.nxt, Flags::ACK);
        if (self.state.is_opening() && !self.sends_early()) || self.state == State::Closed {
            return self.decide_opening(cx, side, plan);
        }
        plan.stamp = self.stamps.stamp(cx.ticks);
        let has_data = self.state.owes_fin() || !side.tx.is_empty();
        if (has_data && self.decide_data(cx, side, plan)) || self.decide_ack(cx, side, plan) {
            plan.window = self.window(cx, side);
            self.ecn.tell(plan);
            return true;
        }
        false
    }

    /// The window field.
    fn window(&self, cx: &Context<'_>, side: &Side<'_>) -> u16 {
        let window = self.rcv.window(&side.rx, u32::from(self.path_mss(cx))) >> self.rcv.shift;
        window.min(0xffff) as u16
    }

    /// An acknowledgment, a window update or a keep-alive.
    #[inline]
    fn decide_ack(&self, cx: &Context<'_>, side: &Side<'_>, plan: &mut Plan) -> bool {
        if self.marks.contains(Marks::ACK) || self.dup_acks > 0 {
            if self.rcv.nxt == self.rcv.acked {
                plan.kind = Kind::DupAck;
            }
            self.note_blocks(plan);
            self.note_advice(side, plan);
            return true;
        }
        if self.state.takes_data() && self.rcv.is_update_due(&side.rx, u32::from(self.path_mss(cx))) {
            self.note_blocks(plan);
            return true;
        }
        self.decide_keep_alive(plan)
    }

    /// A SYN, a SYN-ACK, or the reset of a connection that was aborted.
    #[cold]
    #[inline(never)]
    fn decide_opening(&self, cx: &Context<'_>, side: &Side<'_>, plan: &mut Plan) -> bool {
        if self.state == State::Closed {
            plan.kind = Kind::Reset;
            plan.flags |= Flags::RST;
            return self.marks.contains(Marks::RESET);
        }
        let is_active = self.state == State::SynSent;
        plan.stamp = self.stamps.stamp(cx.ticks);
        // RFC 7323 §2.2: the window of a SYN is never scaled. An ACK here tells no more than that.
        plan.window = recv::free(&side.rx).min(0xffff) as u16;
        if self.fast_open.is_pending() {
            return self.decide_early(cx, side, plan);
        }
        if self.snd.nxt != self.snd.una {
            plan.window >>= self.rcv.shift;
            plan.kind = Kind::DupAck;
            return self.marks.contains(Marks::ACK) && !is_active;
        }
        plan.seq = self.snd.una;
        plan.flags = if is_active { Flags::SYN } else { Flags::SYN.union(Flags::ACK) };
        plan.kind = match (is_active, self.snd.max != self.snd.una) {
            (_, false) => Kind::New,
            (true, true) => Kind::SynRetransmit,
            (false, true) => Kind::SynAckRetransmit,
        };
        self.set_up(cx, side, is_active, plan);
        if config::HAS_TCP_FAST_OPEN && is_active {
            self.ask_early(plan);
        }
        true
    }

    /// What a SYN or a SYN-ACK says of its sender.
    pub(super) fn set_up(&self, cx: &Context<'_>, side: &Side<'_>, is_active: bool, plan: &mut Plan) {
        plan.flags |= self.ecn.setup(is_active, self.marks.contains(Marks::SYN_LOST));
        // RFC 9293 §3.7.1 (MUST-14, MUST-65, MUST-67): our MSS, what the link takes, is in each SYN and only there.
        plan.options.mss = self.path_mss(cx);
        if self.marks.contains(Marks::SCALES) {
            plan.options.window_scale = self.rcv.shift;
        }
        // RFC 2018 §2: asked for by who opens, granted to who asks.
        plan.options.sack_permitted = self.sack.is_on() || (is_active && side.config.sack.is_wanted());
        self.advise_first(side, plan);
    }

    /// Data or a FIN, if the windows, Nagle (RFC 9293 §3.7.4) and the avoidance of silly windows
    /// (§3.8.6.2.1) let it go.
    fn decide_data(&self, cx: &Context<'_>, side: &Side<'_>, plan: &mut Plan) -> bool {
        let snd = &self.snd;
        if self.ecn.is_held() {
            return false;
        }
        if self.sack.is_repairing() {
            return self.decide_repair(cx, side, plan);
        }
        let queued = side.tx.len() as u32;
        let mss = self.mss(cx);
        if self.marks.contains(Marks::RETRANSMIT) {
            self.plan_first_again(queued.min(mss), queued, plan);
            return true;
        }
        if config::HAS_TCP_PMTU
            && self.pmtu.is_searching()
            && let Some(is_due) = self.decide_mtu_probe(cx, side, plan)
        {
            return is_due;
        }
        let flight = snd.flight();
        // RFC 9293 §3.8.6 (MUST-34): a window that has shrunk leaves less than nothing, and all that is out stays.
        // More in flight than is queued: the FIN is out too.
        let Some(unsent) = queued.checked_sub(flight) else { return false };
        let beyond = self.recovery.limited_transmit() * mss + self.sack.arrived();
        let cwnd = self.control.window().max(mss) + beyond;
        let len = unsent.min(cwnd.min(snd.wnd).saturating_sub(flight));
        let len = self.pace.limit(len, mss, cx.ticks);
        let is_again = snd.nxt.lt(snd.max);
        let is_full = len >= mss && cx.burst_len <= mss;
        let len = if is_full { mss } else { self.cut(cx, side, len, unsent, is_again) };
        let is_all = len == unsent;
        let is_fin = is_all && self.state.owes_fin() && flight + len < snd.wnd;
        if len == 0 && !is_fin {
            return self.decide_probe(unsent.min(mss), plan);
        }
        plan.kind = match (is_again, len) {
            (false, _) => Kind::New,
            (true, 0) => Kind::FinRetransmit,
            (true, _) => Kind::RtoRetransmit,
        };
        plan.carry(snd.nxt, flight, len, is_all, is_fin);
        true
    }

    /// How much of `len` octets that the windows allow goes into one segment now.
    #[inline(never)]
    fn cut(&self, cx: &Context<'_>, side: &Side<'_>, len: u32, unsent: u32, is_again: bool) -> u32 {
        let mss = self.mss(cx);
        // RFC 9293 §3.7.4: a short segment goes if it is the last and nothing is unacknowledged.
        let is_pushed = config::HAS_TCP_LINGER && self.marks.contains(Marks::PUSH);
        let is_urged = side.config.is_nodelay || is_pushed || self.state.owes_fin() || self.snd.flight() == 0;
        let is_tail_free = is_again || (len == unsent && is_urged);
        if len < mss {
            // RFC 9293 §3.8.6.2.1 (MUST-38): or if it is half of what the peer can take at all.
            let is_worth_it = is_tail_free || len >= (self.snd.max_wnd / 2).max(1);
            return if is_worth_it { len } else { 0 };
        }
        let limit = if is_again { mss } else { cx.burst_len.max(mss) };
        if len <= limit && is_tail_free {
            return len;
        }
        let len = len.min(limit);
        // The MSS is never 0, which the compiler does not know.
        len - len % mss.max(1)
    }

    /// The timer says that something must go, however small the window is.
    #[cold]
    fn decide_probe(&self, most: u32, plan: &mut Plan) -> bool {
        if !self.marks.contains(Marks::PROBE) || self.snd.flight() > 0 {
            return false;
        }
        plan.kind = Kind::ZeroWindowProbe;
        plan.seq = self.snd.una;
        plan.len = most.min(self.snd.wnd.max(1));
        if most == 0 {
            plan.flags |= Flags::FIN;
        }
        true
    }

    /// Fast retransmit: the first segment again, of at most `most` octets.
    #[cold]
    fn plan_first_again(&self, most: u32, queued: u32, plan: &mut Plan) {
        let is_partial = self.marks.contains(Marks::PARTIAL);
        plan.kind = if is_partial { Kind::PartialAckRetransmit } else { Kind::FastRetransmit };
        plan.seq = self.snd.una;
        plan.len = most.min(self.snd.outstanding());
        // Only if the FIN was sent before.
        if plan.len < self.snd.outstanding() && plan.len == queued {
            plan.flags |= Flags::FIN;
        }
    }

    /// `plan` was sent.
    pub(super) fn on_sent(&mut self, cx: &Context<'_>, plan: &Plan, side: &Side<'_>) {
        if config::HAS_TCP_INFO {
            self.info.on_sent(plan, self.snd.max, (self.path_mss(cx), self.mss(cx)), cx.ticks);
        }
        let shift = if plan.flags.contains(Flags::SYN) { 0 } else { self.rcv.shift };
        if plan.flags.contains(Flags::ACK) {
            // The first of the acknowledgments of one number is not a duplicate, nor is one with data.
            if plan.ack == self.rcv.acked && plan.len == 0 {
                self.dup_acks = self.dup_acks.saturating_sub(1);
            }
            self.rcv.on_sent(plan.ack, u32::from(plan.window) << shift);
            self.on_sent_blocks(plan);
            self.on_sent_advice(plan);
            self.marks -= Marks::ACK;
            self.timers.clear(Timer::Ack);
        }
        match plan.kind {
            Kind::Reset => self.marks -= Marks::RESET,
            Kind::KeepAlive => self.marks -= Marks::KEEP_ALIVE,
            _ => {}
        }
        if plan.seq_len() > 0 && !self.on_sent_early(cx, plan, side) {
            self.on_sent_data(cx, plan, side);
            self.note_limit(side, cx.ticks);
        }
    }

    #[inline]
    fn on_sent_data(&mut self, cx: &Context<'_>, plan: &Plan, side: &Side<'_>) {
        let end = plan.seq + plan.seq_len();
        let was_idle = self.snd.nxt == self.snd.una;
        if self.snd.max == self.snd.una {
            self.end_silence(cx, side);
        }
        self.on_sent_delivery(cx, plan, side);
        let is_repair = self.sack.is_repairing();
        if is_repair {
            self.on_sent_repair(plan, cx.ticks);
        }
        if !is_repair || self.paces_repairs() {
            self.pace.on_sent(plan.len);
        }
        self.note_sent(plan, cx.ticks);
        self.ecn.on_sent(plan);
        if plan.seq == self.snd.max {
            self.rtt.on_new(self.end_of_first(plan, end), cx.ticks);
            if config::HAS_TCP_PMTU && plan.kind == Kind::MtuProbe {
                self.on_probe_sent(plan);
            }
        } else {
            self.on_sent_again(cx, plan);
            self.rtt.on_retransmit();
            self.stamps.on_retransmit();
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
        if config::HAS_TCP_LINGER && plan.flags.contains(Flags::PSH) {
            self.marks -= Marks::PUSH;
        }
        // RFC 6298 §5.1; a repeated segment gets its full time.
        if was_idle || plan.kind != Kind::New || !self.timers.is_set(Timer::Rtx) {
            self.arm_rtx(cx.ticks, side);
        }
        if self.marks.contains(Marks::REARM) {
            self.rearm(cx, side);
        }
    }
}
