//! Flush and linger: what is queued goes now, and how long a close waits for its acknowledgment.

use super::connection::{Connection, Marks};
use super::error::{Error, SendError};
use super::state::State;
use super::timers::Timer;
use super::{Phase, Side, Socket, to_ticks};
use crate::socket::Events;
use crate::time::{Duration, Ticks};

/// How long a close waits, in ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linger(Option<u32>);

impl Linger {
    pub(super) const NONE: Linger = Linger(None);

    /// A close is a reset.
    pub(super) fn is_zero(self) -> bool {
        self.0 == Some(0)
    }
}

/// When the close has waited long enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(Option<Ticks>);

impl Patience {
    pub(super) const NONE: Patience = Patience(None);
}

impl Socket<'_> {
    /// Sends what is queued as far as the windows allow, without waiting to fill a segment, and says whether
    /// the peer has acknowledged all of it. To be called again until it has.
    pub fn flush(&mut self) -> Result<bool, SendError> {
        let is_done = self.side.tx.is_empty();
        match &mut self.phase {
            Phase::Connection(connection) if connection.state != State::Closed => {
                if !is_done {
                    connection.marks |= Marks::PUSH;
                }
                Ok(is_done)
            }
            _ => Err(SendError::InvalidState),
        }
    }

    /// How long [`close`](Socket::close) and the end of a released socket may wait until the peer has
    /// acknowledged everything; then the connection is reset, with [`Error::TimedOut`]. Zero resets at once.
    /// `None`, as it is at first, is as long as it takes.
    pub fn set_linger(&mut self, linger: Option<Duration>) {
        let ticks = linger.filter(|linger| *linger > Duration::ZERO).map(|linger| to_ticks(Some(linger)));
        self.side.config.linger = Linger(linger.map(|_| ticks.unwrap_or(0))); // zero is no tick at all
        self.rearm();
    }

    /// How long a close may wait, in steps of 1.024 ms.
    pub fn linger(&self) -> Option<Duration> {
        self.side.config.linger.0.map(|ticks| Duration::from_micros(u64::from(ticks) << 10))
    }
}

impl Connection {
    /// Begins to wait, if it was closed and is to wait only so long.
    #[inline]
    pub(super) fn arm_linger(&mut self, now: Ticks, side: &Side<'_>) {
        if let Some(span) = side.config.linger.0
            && self.state.owes_fin()
        {
            let until = self.patience.0.unwrap_or(now.after(span));
            self.patience = Patience(Some(until));
            self.timers.set(Timer::Idle, until);
        }
    }

    /// The timer has run out: what became of the close, if it is waited for.
    pub(super) fn on_linger(&mut self, now: Ticks, side: &mut Side<'_>) -> Option<Events> {
        let until = self.patience.0.filter(|_| self.state.owes_fin())?;
        if until.is_due(now) {
            return Some(self.fail(Error::TimedOut, side));
        }
        self.timers.set(Timer::Idle, until);
        Some(Events::empty())
    }

    /// Everything is acknowledged.
    #[inline]
    pub(super) fn end_linger(&mut self) {
        if self.patience.0.take().is_some() {
            self.timers.clear(Timer::Idle);
            self.marks |= Marks::REARM;
        }
    }
}
