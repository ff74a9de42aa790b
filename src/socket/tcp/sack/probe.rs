//! Tail loss probes (RFC 8985 §7): behind the last segments of a flight nothing comes that could tell of their loss.
//! So if no ACK has come for two round trips, one segment goes, something new or the last once more, and the ACK
//! that it calls forth tells what is missing, long before the retransmission timer runs out.
//!
//! ```text
//!   None --timer armed for it--> Armed --it runs out--> (Mode::Probe) --sent--> Out --its ACK--> None
//! ```

use super::super::Side;
use super::super::connection::Connection;
use super::super::segment::Plan;
use super::super::ticks_of_ms;
use super::super::timers::Timer;
use super::{Mode, News};
use crate::config;
use crate::socket::Context;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

/// How long the peer may hold back the ACK of a single segment (RFC 8985 §7.2), in ticks.
const ACK_DELAY: u32 = ticks_of_ms(config::TCP_PEER_ACK_DELAY);

/// What two round trips are given beyond, in ticks, of which one is the clock's grain.
const SLACK: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    None,
    /// The timer runs for a probe.
    Armed,
    /// A probe of something new is out.
    Out,
    /// The last segment is out once more.
    OutAgain,
}

#[derive(Debug, Clone)]
pub(super) struct Probe {
    /// SND.MAX when it was sent.
    end: SeqNum,
    state: State,
}

/// What the ACK of a probe says.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Nothing,
    /// The last segment had been lost, and the probe has repaired it.
    Repaired,
}

impl Probe {
    pub(super) const fn new() -> Probe {
        Probe { end: SeqNum(0), state: State::None }
    }

    #[inline]
    pub(super) fn is_out(&self) -> bool {
        matches!(self.state, State::Out | State::OutAgain)
    }

    /// The timer runs for something else.
    fn disarm(&mut self) {
        if self.state == State::Armed {
            self.state = State::None;
        }
    }

    /// Whatever it would have told is known by now.
    pub(super) fn end(&mut self) {
        self.state = State::None;
    }

    fn on_sent(&mut self, is_again: bool, end: SeqNum) {
        *self = Probe { end, state: if is_again { State::OutAgain } else { State::Out } };
    }

    /// RFC 8985 §7.4.2: an ACK up to `una`.
    fn on_ack(&mut self, una: SeqNum, news: &News) -> Answer {
        if !self.is_out() || una.lt(self.end) {
            return Answer::Nothing;
        }
        let is_again = self.state == State::OutAgain;
        // Both copies have arrived.
        let is_twice = news.is_bare || news.twice.is_some_and(|twice| twice.end.ge(self.end));
        if is_again && !is_twice && una == self.end {
            // The ACK of the first copy or of the probe: the next one tells.
            return Answer::Nothing;
        }
        self.end();
        if is_again && !is_twice { Answer::Repaired } else { Answer::Nothing }
    }
}

impl Connection {
    /// When the timer runs out which serves retransmission, what is late, and probes (RFC 8985 §8): what comes first.
    #[inline]
    pub(in crate::socket::tcp) fn arm_sooner(&mut self, now: Ticks, rto_at: Ticks) -> Ticks {
        if self.sack.is_busy {
            return self.arm_reordering(rto_at);
        }
        // A probe is out only where it is busy. Of a closed window nothing is in flight.
        if !self.sack.is_on || self.snd.nxt == self.snd.una {
            self.sack.probe.state = State::None;
            return rto_at;
        }
        self.sack.probe.state = State::Armed;
        // Instead of the first timeout, if that would be earlier.
        let due = now.after(self.probe_timeout());
        if due.is_before(rto_at) { due } else { rto_at }
    }

    #[cold]
    fn arm_reordering(&mut self, rto_at: Ticks) -> Ticks {
        self.sack.probe.disarm();
        self.sack.rack.due().filter(|due| due.is_before(rto_at)).unwrap_or(rto_at)
    }

    /// RFC 8985 §7.2, in ticks, but for what the peer may hold back; longer than any other timeout before there is a
    /// round trip.
    #[inline]
    fn probe_timeout(&self) -> u32 {
        self.rtt.srtt().map_or(u32::MAX >> 2, |srtt| 2 * srtt + SLACK)
    }

    /// The timer ran out: says whether it ran for a probe.
    #[cold]
    pub(in crate::socket::tcp) fn on_probe_due(&mut self, cx: &Context<'_>, side: &Side<'_>) -> bool {
        if self.sack.probe.state != State::Armed {
            return false;
        }
        // The timer runs from the last ACK; what was sent since then gets its time too, but no more than the
        // retransmission timer would leave the first.
        let Some(last) = self.sack.sent.last_at() else { return false };
        let is_single = self.snd.outstanding() <= self.mss(cx);
        let due = last.after(self.probe_timeout() + if is_single { ACK_DELAY } else { 0 });
        let rto_at = self.progress_at.after(self.rtt.rto());
        let due = if rto_at.is_before(due) { rto_at } else { due };
        if !due.is_due(cx.ticks) {
            self.timers.set(Timer::Rtx, due);
            return true;
        }
        self.sack.mode = Mode::Probe;
        self.sack.begin_busy(self.snd.una);
        self.arm_rtx(cx.ticks, side);
        true
    }

    /// RFC 8985 §7.3: something new, or the last segment once more, whatever the congestion window is.
    pub(super) fn plan_probe(&self, side: &Side<'_>, mss: u32, plan: &mut Plan) -> bool {
        if self.plan_new(side, mss, plan) {
            return true;
        }
        let seq = self.snd.una.max(self.snd.max - mss);
        self.plan_again(side, seq, self.snd.max.since(seq) as u32, plan)
    }

    /// A probe is sent; SND.MAX is not moved yet.
    pub(super) fn on_sent_probe(&mut self, plan: &Plan) {
        let is_again = plan.seq.lt(self.snd.max);
        self.sack.probe.on_sent(is_again, self.snd.max.max(plan.seq + plan.seq_len()));
        self.sack.mode = Mode::Open;
    }

    /// An ACK is taken.
    pub(super) fn on_probe_ack(&mut self, news: &News, mss: u32) {
        if self.sack.probe.on_ack(self.snd.una, news) == Answer::Repaired {
            // RFC 8985 §7.4.2: a loss, be it repaired already.
            let flight = news.acked + self.snd.outstanding();
            self.reduce(flight.min(self.control.window()), mss);
            self.control.set_window(self.control.threshold());
            self.sack.undo.end();
        }
    }
}
