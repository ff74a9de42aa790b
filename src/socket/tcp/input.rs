//! A segment arrives (RFC 9293 §3.10.7.3 and §3.10.7.4, with RFC 5961).
//!
//! In the RFC's order: sequence number, RST, SYN, ACK, URG (carried as ordinary data), text, FIN. What
//! is to be sent in answer is marked and left to `output`, but for resets.

use super::Side;
use super::connection::{Connection, Marks};
use super::ecn::Ecn;
use super::error::Error;
use super::keep_alive::Silence;
use super::recovery::{OnAck, OnDup};
use super::recv;
use super::segment::{Outcome, Segment, Verdict};
use super::state::{State, Step};
use super::timers::Timer;
use crate::config;
use crate::socket::{Context, Events};
use crate::wire::tcp::Flags;

/// How old a segment may be for its ACK to count, in octets.
const MAX_AGE: u32 = 1 << 16;

/// Sees in-order payload in the driver's frame and says how much of it was taken.
pub(crate) type InPlace<'i> = &'i mut dyn FnMut(&[u8]) -> usize;

impl Connection {
    /// RFC 9293 §3.10.7.
    pub(super) fn process(
        &mut self,
        cx: &Context<'_>,
        seg: &Segment<'_>,
        side: &mut Side<'_>,
        in_place: Option<InPlace<'_>>,
    ) -> Outcome {
        if config::HAS_TCP_INFO {
            self.info.on_segment(seg, self.path_mss(cx), cx.ticks);
            self.ecn.on_segment(seg);
        }
        if config::HAS_FAST_PATHS && self.is_predicted(cx, seg, side) {
            return self.process_predicted(cx, seg, side, in_place);
        }
        match self.state {
            State::Closed | State::Listen => return Outcome::REFUSED,
            State::SynSent => return self.process_syn_sent(cx, seg, side),
            State::TimeWait => return self.process_time_wait(cx, seg),
            _ => {}
        }
        // First the sequence number. The window is the room there is, never less than was announced.
        let room = recv::free(&side.rx) as i32;
        let offset = seg.seq.since(self.rcv.nxt);
        if seg.flags.intersects(Flags::SYN.union(Flags::RST)) {
            return self.process_control(cx, seg, offset, room, side);
        }
        if config::HAS_TCP_STAMPS && self.stamps.is_stale(&seg.stamp, cx.ticks) {
            return self.process_stale(cx, seg);
        }
        let len = seg.len() as i32;
        if offset > room || (offset < 0 && offset.wrapping_add(len) <= 0) {
            return self.process_outside(cx, seg, offset, side);
        }
        if !seg.flags.contains(Flags::ACK) {
            return Outcome::DROPPED;
        }
        let mut out = Outcome::NONE;
        if self.state.is_syn_received() {
            if !self.is_syn_acked(seg.ack) {
                return Outcome::REFUSED;
            }
            let ack = self.take_syn_ack(seg.ack, side);
            out.events |= self.establish(cx, ack, side);
        }
        // RFC 5961 §5: an ACK of what was never sent, or from long ago, is not from the peer.
        if seg.ack.gt(self.snd.max) || seg.ack.lt(self.snd.una - self.snd.max_wnd) {
            self.challenge(cx.ticks);
            return Outcome { events: out.events, ..Outcome::DROPPED };
        }
        self.silence = Silence::new(cx.ticks);
        self.stamps.on_segment(&seg.stamp, seg.seq.le(self.rcv.acked), cx.ticks);
        self.on_advice(seg);
        out.events |= self.on_ack(cx, seg, side);
        if len > 0 && self.state.takes_data() {
            self.on_text(cx, seg, offset, side, in_place, &mut out);
        }
        if config::HAS_TCP_INFO {
            self.note_limit(side, cx.ticks);
        }
        out
    }

    /// Whether it is the next data of a stream that goes one way, so that its ACK says nothing but the window: what
    /// most segments are that come in a row, and what the steps below would find after many more questions. (Where nothing
    /// is queued, nothing is out; who has let go of a connection has closed it.)
    #[inline(always)]
    fn is_predicted(&self, cx: &Context<'_>, seg: &Segment<'_>, side: &Side<'_>) -> bool {
        self.state == State::Established
            && seg.flags - Flags::PSH == Flags::ACK
            && seg.seq == self.rcv.nxt
            && seg.ack == self.snd.max
            && !self.marks.contains(Marks::FIN_SEEN)
            && !seg.payload.is_empty()
            && side.tx.is_empty()
            && !self.sack.is_concerned(seg)
            && !Ecn::is_marked(seg)
            && !(config::HAS_TCP_STAMPS && self.stamps.is_stale(&seg.stamp, cx.ticks))
    }

    /// Takes what [`is_predicted`](Self::is_predicted).
    #[inline(always)]
    fn process_predicted(
        &mut self,
        cx: &Context<'_>,
        seg: &Segment<'_>,
        side: &mut Side<'_>,
        in_place: Option<InPlace<'_>>,
    ) -> Outcome {
        let mut out = Outcome::NONE;
        self.silence = Silence::new(cx.ticks);
        self.stamps.on_segment(&seg.stamp, seg.seq.le(self.rcv.acked), cx.ticks);
        self.on_advice(seg);
        self.on_nothing_new(seg);
        self.on_payload(cx, seg.payload, 0, side, in_place, &mut out);
        self.delay_ack(cx, side);
        out
    }

    /// RFC 9293 §3.10.7.4: not acceptable, so the peer is told where we are.
    #[cold]
    #[inline(never)]
    fn process_outside(
        &mut self,
        cx: &Context<'_>,
        seg: &Segment<'_>,
        offset: i32,
        side: &mut Side<'_>,
    ) -> Outcome {
        if seg.len() > 0 {
            // Data or a FIN repeated because our ACK was lost. Bare ACKs alone could go on for ever.
            self.marks |= Marks::ACK;
            if self.sack.is_on() && offset < 0 {
                self.note_order(offset.unsigned_abs(), 0, seg.payload.len() as u32);
            }
        } else {
            self.challenge(cx.ticks);
        }
        let mut out = Outcome::DROPPED;
        // What is just old still acknowledges. Without that two closed windows can lock each other: each
        // end has taken a probe, and so finds the other's ACKs to be one octet old.
        let is_recent = offset < 0 && offset > -(MAX_AGE as i32) && !self.state.is_syn_received();
        let is_ack = seg.flags.contains(Flags::ACK) && seg.ack.le(self.snd.max);
        if is_recent && is_ack && seg.ack.ge(self.snd.una) {
            self.silence = Silence::new(cx.ticks);
            if seg.ack.gt(self.snd.una) {
                out.events |= self.on_ack(cx, seg, side);
            } else {
                self.on_nothing_new(seg);
            }
        }
        out
    }

    /// A RST or a SYN in a state that has seen the peer's SYN.
    #[cold]
    #[inline(never)]
    fn process_control(
        &mut self,
        cx: &Context<'_>,
        seg: &Segment<'_>,
        offset: i32,
        room: i32,
        side: &mut Side<'_>,
    ) -> Outcome {
        // RFC 9293 §3.8.6 (MUST-66): whatever the window is; the application hears of it (MUST-12).
        if seg.flags.contains(Flags::RST) {
            // RFC 5961 §3.2: only the exact number resets; one in the window is asked back.
            if offset == 0 {
                let refused = self.state.is_syn_received();
                let error = if refused { Error::Refused } else { Error::Reset };
                return Outcome { events: self.fail(error, side), ..Outcome::NONE };
            }
            if offset > 0 && offset < room {
                self.challenge(cx.ticks);
            }
            return Outcome::DROPPED;
        }
        if self.state.is_syn_received() && self.is_syn_again(seg) {
            return self.process_syn_again(cx, seg, side);
        }
        // RFC 5961 §4.2: a SYN is never acted on here; a peer that has restarted answers with a RST.
        self.challenge(cx.ticks);
        Outcome::DROPPED
    }

    /// The SYN that we have seen, once more or as the SYN-ACK of a simultaneous open.
    #[cold]
    fn process_syn_again(&mut self, cx: &Context<'_>, seg: &Segment<'_>, side: &mut Side<'_>) -> Outcome {
        if seg.flags.contains(Flags::ACK) {
            self.marks |= Marks::ACK;
            let seg = Segment { seq: seg.seq + 1, flags: seg.flags - Flags::SYN, ..*seg };
            // The window of a SYN is not scaled, so that it can only be underestimated here.
            return self.process(cx, &seg, side, None);
        }
        self.ecn.on_syn_again(seg.flags);
        // Our SYN-ACK was lost. No more often than a challenge.
        self.challenge(cx.ticks);
        if self.marks.contains(Marks::ACK) {
            self.marks -= Marks::ACK;
            self.owe_syn();
        }
        Outcome::NONE
    }

    #[cold]
    fn process_time_wait(&mut self, cx: &Context<'_>, seg: &Segment<'_>) -> Outcome {
        // Only a record, which takes over as soon as the last ACK is sent, gives way to a new connection.
        match super::time_wait::judge(seg, self.snd.max, self.rcv.nxt, self.stamps.last(), None) {
            Verdict::Reply => {
                self.marks |= Marks::ACK;
                self.enter_time_wait(cx.ticks);
                Outcome::NONE
            }
            verdict => Outcome { verdict, ..Outcome::NONE },
        }
    }

    /// RFC 9293 §3.10.7.4, fifth step: the ACK, which is one of what we have sent.
    fn on_ack(&mut self, cx: &Context<'_>, seg: &Segment<'_>, side: &mut Side<'_>) -> Events {
        let wnd = u32::from(seg.window) << self.snd.shift;
        let acked = seg.ack.since(self.snd.una);
        let tells_of_sacks = self.sack.is_concerned(seg);
        let arrived = self.sack.arrived();
        let mut events = Events::empty();
        if acked > 0 {
            self.snd.wl1 = seg.seq;
            events = self.on_new_ack(cx, seg, acked as u32, side);
        } else if acked == 0 && self.snd.nxt != self.snd.una {
            // RFC 5681 §2: what makes an ACK a duplicate.
            if wnd == self.snd.wnd && seg.len() == 0 && !tells_of_sacks {
                self.on_dup_ack(cx);
            }
        }
        if tells_of_sacks {
            self.on_sacks(cx, seg, acked.max(0) as u32, side);
        } else {
            self.sack.on_new_ack(self.snd.una);
        }
        if self.ecn.is_concerned(seg) && acked >= 0 {
            self.on_echo(cx, seg, acked as u32);
        }
        if config::HAS_TCP_BBR {
            let all = (acked.max(0) as u32).saturating_add(self.sack.arrived());
            self.on_delivered(cx, all.saturating_sub(arrived));
        }
        self.on_nothing_new(seg);
        self.arm_persist(cx, side);
        events
    }

    /// What an ACK says beside its number: a window, and that the peer is there.
    #[inline]
    fn on_nothing_new(&mut self, seg: &Segment<'_>) {
        self.snd.update_window(seg.seq, seg.ack, u32::from(seg.window) << self.snd.shift);
        if self.snd.wnd > 0 {
            self.persist = 0;
        }
        if self.snd.nxt == self.snd.una {
            // RFC 9293 §3.8.6.1 (MUST-37): what the timer repeats are probes, and they are answered.
            self.tries = 0;
        }
    }

    #[inline]
    fn on_new_ack(&mut self, cx: &Context<'_>, seg: &Segment<'_>, acked: u32, side: &mut Side<'_>) -> Events {
        let mss = self.mss(cx);
        // RFC 7661: a window that was not filled says nothing about the network.
        let was_full = self.snd.una.lt(self.snd.full) && self.validation.may_grow(self.control.window());
        // What the send buffer does not have is our FIN.
        let data = acked.min(side.tx.len() as u32);
        side.tx.dequeue_allocated(data as usize);
        self.info.on_acked(data);
        self.snd.una = seg.ack;
        self.snd.nxt = self.snd.nxt.max(seg.ack);
        self.tries = 0;
        self.persist = 0;
        self.progress_at = cx.ticks;
        if config::HAS_TCP_PMTU && self.pmtu.is_watching() {
            self.on_pmtu_ack(cx, acked, mss, side);
        }
        self.rtt.on_ack(seg.ack, cx.ticks);
        self.measure(cx, seg);
        if config::HAS_TCP_VALIDATION && self.validation.on_ack(seg.ack - acked, acked, self.snd.max) {
            self.validate(cx);
        }
        self.marks -= Marks::RETRANSMIT | Marks::PARTIAL | Marks::PROBE;
        let mut is_rearmed = true;
        match self.recovery.on_ack(seg.ack) {
            // RFC 3168 §6.1.2: it does not grow by what tells of congestion.
            OnAck::Normal if was_full && self.ecn.is_told(seg) => {}
            OnAck::Normal if was_full => {
                if config::HAS_TCP_HYSTART && self.control.is_searching() {
                    self.search(cx, seg, acked);
                }
                self.control.on_ack(acked, mss, cx.ticks, self.rtt.srtt().unwrap_or(0));
                self.tune_send(side);
            }
            OnAck::Normal => self.snd.full = seg.ack,
            OnAck::Partial if self.sack.is_repairing() => {}
            OnAck::Partial => {
                self.control.on_partial_ack(acked, mss);
                self.marks |= Marks::RETRANSMIT | Marks::PARTIAL;
                is_rearmed = false;
            }
            OnAck::Full if self.sack.is_repairing() => self.control.set_window(self.control.threshold()),
            OnAck::Full => self.control.on_recovered(self.snd.outstanding(), mss),
        }
        if self.snd.outstanding() == 0 {
            self.timers.clear(Timer::Rtx);
        } else if is_rearmed {
            // RFC 6298 §5.3.
            self.arm_rtx(cx.ticks, side);
        }
        let mut events = if data > 0 { Events::WRITABLE } else { Events::empty() };
        if acked > data && self.state.owes_fin() {
            events |= self.on_fin_acked(cx);
        }
        events
    }

    /// RFC 9406: slow start may be over, if the round trip has grown.
    #[cold]
    #[inline(never)]
    fn search(&mut self, cx: &Context<'_>, seg: &Segment<'_>, acked: u32) {
        let rtt = self.stamps.echoed(&seg.stamp, cx.ticks).map(|echo| cx.ticks.since(echo) as u32);
        self.control.search(seg.ack - acked, self.snd.max, rtt, self.pace.is_on(), cx.ticks);
    }

    #[cold]
    fn on_fin_acked(&mut self, cx: &Context<'_>) -> Events {
        match self.state.next(Step::FinAcked) {
            State::Closed => self.finish(),
            State::TimeWait => {
                // It is closed once its last ACK is sent.
                self.enter_time_wait(cx.ticks);
                Events::empty()
            }
            state => {
                self.state = state;
                self.end_linger();
                if self.marks.contains(Marks::ORPHAN) {
                    self.orphan(cx.ticks);
                }
                Events::empty()
            }
        }
    }

    #[cold]
    fn on_dup_ack(&mut self, cx: &Context<'_>) {
        let mss = self.mss(cx);
        match self.recovery.on_dup_ack(self.snd.una, self.snd.max) {
            OnDup::Wait => {}
            OnDup::Enter => {
                // RFC 4821 §7.6.2: that a probe is lost says nothing of congestion.
                if !config::HAS_TCP_PMTU || !self.pmtu.is_probe_at(self.snd.una) {
                    self.reduce(self.carried(self.snd.outstanding()), mss);
                }
                self.marks |= Marks::RETRANSMIT;
            }
            OnDup::Inflate => self.control.on_dup_ack(mss),
        }
    }

    /// RFC 9293 §3.10.7.4, seventh and eighth step: the text and the FIN.
    #[inline]
    fn on_text(
        &mut self,
        cx: &Context<'_>,
        seg: &Segment<'_>,
        offset: i32,
        side: &mut Side<'_>,
        in_place: Option<InPlace<'_>>,
        out: &mut Outcome,
    ) {
        if Ecn::is_marked(seg) && !seg.payload.is_empty() {
            self.on_mark(seg);
        }
        if seg.flags.contains(Flags::FIN) {
            self.marks |= Marks::FIN_SEEN;
            self.rcv.fin = seg.seq + seg.payload.len() as u32;
        }
        // What was received before is cut off; a segment wholly before the window does not come here.
        let skip = offset.min(0).unsigned_abs() as usize;
        let mut payload = seg.payload.get(skip..).unwrap_or_default();
        let offset = offset.max(0) as u32;
        if self.marks.contains(Marks::FIN_SEEN) {
            let end = self.rcv.fin.since(self.rcv.nxt).max(0) as usize;
            payload = payload.get(..end.saturating_sub(offset as usize)).unwrap_or(payload);
        }
        let before = self.rcv.nxt;
        if !payload.is_empty() {
            // RFC 1122 §4.2.2.13: nobody will read it, and the peer shall know.
            if self.marks.contains(Marks::ORPHAN) {
                *out = Outcome { events: self.finish(), ..Outcome::REFUSED };
                return;
            }
            if seg.seq != self.rcv.nxt && self.sack.is_on() {
                self.note_order(skip as u32, offset, (skip + payload.len()) as u32);
            }
            self.on_payload(cx, payload, offset, side, in_place, out);
        }
        if skip > 0 || offset > 0 {
            self.marks |= Marks::ACK;
        }
        if self.marks.contains(Marks::FIN_SEEN) && self.rcv.nxt == self.rcv.fin {
            // RFC 5681 §4.2: what fills a hole is acknowledged at once.
            let fills_hole = !seg.flags.contains(Flags::FIN);
            let may_wait = config::HAS_FAST_PATHS && !fills_hole;
            out.events |= self.on_fin(cx, may_wait);
        }
        if self.rcv.nxt != before {
            self.delay_ack(cx, side);
        }
    }

    /// Takes a payload that begins `offset` octets after what is expected.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub(super) fn on_payload(
        &mut self,
        cx: &Context<'_>,
        payload: &[u8],
        offset: u32,
        side: &mut Side<'_>,
        in_place: Option<InPlace<'_>>,
        out: &mut Outcome,
    ) {
        let in_place = in_place.filter(|_| side.config.is_in_place);
        // Several that are together are not one that is longer than we have asked for.
        self.rcv.mss = self.rcv.mss.max(payload.len().min(self.path_mss(cx).into()) as u16);
        let taken = self.rcv.take(&mut side.rx, offset, payload, in_place);
        self.info.on_received(taken.len);
        if taken.len > 0 {
            out.events |= Events::READABLE;
            self.tune_receive(cx, side);
        }
        if taken.is_notable {
            self.marks |= Marks::ACK;
        }
        if taken.is_ahead {
            self.owe_dup_ack();
        } else {
            self.dup_acks = 0;
        }
    }

    /// RFC 9293 §3.8.6.3 (MUST-58, MUST-59): every second full segment is acknowledged at once, the
    /// others within a time.
    #[inline]
    fn delay_ack(&mut self, cx: &Context<'_>, side: &Side<'_>) {
        let waiting = self.rcv.nxt.since(self.rcv.acked);
        if waiting > i32::from(self.rcv.mss) || side.config.ack_delay == 0 {
            self.marks |= Marks::ACK;
        } else if !self.timers.is_set(Timer::Ack) {
            self.timers.set(Timer::Ack, cx.ticks.after(u32::from(side.config.ack_delay)));
        }
    }

    #[cold]
    fn on_fin(&mut self, cx: &Context<'_>, may_wait: bool) -> Events {
        self.rcv.nxt = self.rcv.nxt + 1;
        self.marks |= Marks::FINISHED;
        self.marks -= Marks::FIN_SEEN;
        self.state = self.state.next(Step::Fin);
        // Who closes within a tick needs no acknowledgment beside our FIN.
        if may_wait && self.state == State::CloseWait {
            self.timers.set(Timer::Ack, cx.ticks.after(1));
        } else {
            self.marks |= Marks::ACK;
        }
        if self.state == State::TimeWait {
            self.enter_time_wait(cx.ticks);
        }
        Events::PEER_CLOSED | Events::READABLE
    }
}
