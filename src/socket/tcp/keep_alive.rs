//! Keep-alives (RFC 9293 §3.8.4): a peer that is silent is asked for a sign of life.

use super::connection::{Connection, Marks};
use super::error::Error;
use super::segment::{Kind, Plan};
use super::state::State;
use super::timers::Timer;
use super::{Phase, Side, Socket, from_ticks, to_ticks};
use crate::config;
use crate::socket::Events;
use crate::time::{Duration, Ticks};

/// The silence that is too long, in ticks; 0 for any length.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeepAlive(u32);

impl KeepAlive {
    pub(super) const NONE: KeepAlive = KeepAlive(0);
}

/// How long the peer has been silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silence {
    /// When the last acceptable segment came.
    since: Ticks,
    /// Keep-alives in a row without an answer.
    probes: u8,
}

impl Silence {
    /// It begins now, for something has come.
    #[inline]
    pub(super) fn new(now: Ticks) -> Silence {
        Silence { since: now, probes: 0 }
    }

    /// When the last acceptable segment came.
    #[cfg(feature = "tcp-info")]
    pub(super) fn since(&self) -> Ticks {
        self.since
    }
}

impl Socket<'_> {
    /// Asks the peer for a sign of life after each such silence. At first off; two hours are usual.
    // RFC 9293 §3.8.4 (MUST-24, MUST-25, MUST-27, MUST-28): nobody has it who does not say how often.
    pub fn set_keep_alive(&mut self, interval: Option<Duration>) {
        self.side.config.keep_alive = KeepAlive(to_ticks(interval));
        if let Phase::Connection(connection) = &mut self.phase
            && connection.state != State::TimeWait
        {
            connection.timers.clear(Timer::Idle);
        }
        self.rearm();
    }

    /// The interval of keep-alives, in steps of 1.024 ms.
    pub fn keep_alive(&self) -> Option<Duration> {
        from_ticks(self.side.config.keep_alive.0)
    }
}

impl Connection {
    /// Starts the keep-alive timer, if it is wanted.
    pub(super) fn arm_idle(&mut self, now: Ticks, side: &Side<'_>) {
        if self.marks.contains(Marks::ORPHAN) || self.state.is_opening() || self.state == State::TimeWait {
            return;
        }
        match side.config.keep_alive.0 {
            0 => self.timers.clear(Timer::Idle),
            interval => self.timers.set(Timer::Idle, now.after(interval)),
        }
    }

    /// The timer has run out.
    pub(super) fn on_silence(&mut self, now: Ticks, side: &mut Side<'_>) -> Events {
        let interval = side.config.keep_alive.0;
        let silence = now.since(self.silence.since).max(0) as u32;
        if silence < interval {
            self.timers.set(Timer::Idle, self.silence.since.after(interval));
            return Events::empty();
        }
        let left = self.patience_left(side, silence);
        // RFC 9293 §3.8.4 (MUST-26, MUST-29): one after each silence, and many unanswered mean the end.
        let is_lost = match left {
            None => self.silence.probes >= config::TCP_KEEP_ALIVE_PROBES,
            Some(left) => self.silence.probes > 0 && left == 0,
        };
        if is_lost {
            return self.fail(Error::TimedOut, side);
        }
        self.silence.probes = self.silence.probes.saturating_add(1);
        self.marks |= Marks::KEEP_ALIVE;
        // The user's timeout may be over already: a peer that is there has time to answer all the same.
        let span = left.map_or(interval, |left| interval.min(left.max(self.rtt.rto())));
        self.timers.set(Timer::Idle, now.after(span));
        Events::empty()
    }

    /// RFC 9293 §3.8.4: what was acknowledged long ago, so that the peer must answer.
    #[inline]
    pub(super) fn decide_keep_alive(&self, plan: &mut Plan) -> bool {
        plan.kind = Kind::KeepAlive;
        plan.seq = self.snd.una - 1;
        self.marks.contains(Marks::KEEP_ALIVE)
    }
}
