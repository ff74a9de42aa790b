//! Pacing: what the congestion window lets go leaves over a round trip, not in one burst.
//!
//! A burst overflows a short queue, though a window of that size would fit the path: after a silence, when a lost
//! reduction is undone, and in slow start, which sends twice as much as ACKs come for. So in each tick as much may go
//! as the window makes in a round trip, and a quarter more (RFC 9002 §7.7); twice as much in slow start, which doubles it.
//!
//! ACKs come as fast as the path delivers, so that a connection that is clocked by them is held back by its window and
//! not by this, and has no timer of it. Otherwise it waits for a tick, in which as many segments go as it holds: no
//! more than a thousand wakes a second, however fast it is. On paths of a few ticks a tick is no part of a
//! round trip, and nothing is held back.

use super::connection::Connection;
use super::segment::Plan;
use super::{Side, Socket};
use crate::config;
use crate::socket::Context;
use crate::time::Ticks;

/// Shorter round trips are not divided, in eighths of a tick.
const SHORTEST: u32 = 4 << 3;

/// Octets of the largest window that is looked at; 16 of it fit into 32 bits.
const MOST: u32 = 1 << 27;

/// Ticks whose octets may go in one when they have not been used before.
const SAVED: u32 = 2;

/// Whether a socket wants it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice(bool);

impl Choice {
    pub(super) const DEFAULT: Choice = Choice(true);
}

/// What may go.
#[derive(Debug)]
pub(super) struct Pace {
    /// Octets that may go before the next tick; by as many as are missing, more has gone already.
    left: i32,
    /// Octets a tick; 0 if nothing is held back.
    quantum: u32,
    /// The tick that this holds for.
    at: Ticks,
    /// Ticks from it on until something goes that is held back; 0 if nothing is.
    wait: u32,
}

impl Pace {
    /// At first all goes that the initial window allows.
    pub(super) const fn new(now: Ticks) -> Pace {
        Pace { left: i32::MAX, quantum: 0, at: now, wait: 0 }
    }

    /// Whether sending takes a good part of a round trip, whatever the path does.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.quantum > 0
    }

    /// How many of `len` octets may go now in segments of `mss`: a whole one, if anything. In a tick that was not
    /// looked at they may all go.
    #[inline]
    pub(super) fn limit(&self, len: u32, mss: u32, now: Ticks) -> u32 {
        let goes = self.left >= len.min(i32::MAX as u32) as i32 || self.at != now;
        if goes { len } else { self.part(len, mss) }
    }

    #[cold]
    fn part(&self, len: u32, mss: u32) -> u32 {
        if self.left <= 0 {
            return 0;
        }
        let left = self.left.unsigned_abs().max(mss);
        // The MSS is never 0, which the compiler does not know.
        len.min(left - left % mss.max(1))
    }

    #[inline]
    pub(super) fn on_sent(&mut self, len: u32) {
        self.left = self.left.saturating_sub(len as i32);
    }

    /// When what is held back may go.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Ticks> {
        (self.wait > 0).then(|| self.at.after(self.wait))
    }

    /// Nothing is held back any more.
    pub(super) fn stop(&mut self) {
        self.wait = 0;
    }

    /// A tick has come that lets `quantum` octets go; as many as `burst` can be saved, and are at once after a silence.
    fn refill(&mut self, now: Ticks, quantum: u32, burst: u32, was_silent: bool) {
        // Who is held back gets all that has been missed, for the host may be late.
        let elapsed = now.since(self.at).max(0) as u32;
        let saved = if self.wait > 0 { elapsed.max(SAVED) } else { SAVED };
        let octets = |ticks: u32| quantum.saturating_mul(ticks).min(i32::MAX as u32) as i32;
        let left = if self.is_on() { self.left } else { 0 };
        let most = octets(saved).max(burst as i32);
        let left = if was_silent { most } else { left.saturating_add(octets(elapsed)).min(most) };
        *self = Pace { left, quantum, at: now, wait: 0 };
    }

    /// The ticks that make up for what has gone too much, if each lets `quantum` octets go.
    fn debt(&self, quantum: u32) -> u32 {
        self.left.unsigned_abs() / quantum + 1
    }
}

impl Connection {
    /// Looks whether a tick has come in which more may go.
    #[inline]
    pub(super) fn refill(&mut self, cx: &Context<'_>, side: &Side<'_>) {
        if self.pace.at != cx.ticks {
            self.refill_now(cx, side);
        }
    }

    #[inline(never)]
    fn refill_now(&mut self, cx: &Context<'_>, side: &Side<'_>) {
        let Some(quantum) = self.quantum(side) else {
            self.pace = Pace::new(cx.ticks);
            return;
        };
        // RFC 6928: after a silence a connection may begin as it has begun.
        let burst = config::TCP_INITIAL_WINDOW * self.mss(cx);
        self.pace.refill(cx.ticks, quantum, burst, self.snd.outstanding() == 0);
    }

    /// How many octets may leave a tick, at least one; `None` if nothing is to be held back.
    fn quantum(&self, side: &Side<'_>) -> Option<u32> {
        let round_trip = self.rtt.srtt_eighths();
        let is_wanted = side.config.pacing.0 && round_trip >= SHORTEST;
        is_wanted.then(|| self.share(round_trip).max(1))
    }

    /// The part of a window that is a tick's.
    fn share(&self, round_trip: u32) -> u32 {
        if self.paces_repairs() {
            return self.pace_by_model(round_trip);
        }
        let window = self.control.window();
        // In eighths of a window, since the round trip is in eighths of a tick.
        let pace = if window < self.control.threshold() { 16 } else { 10 };
        window.min(MOST) * pace / round_trip
    }

    /// Whether something is held back, and the time at which it goes is not set, or is another by now. Nothing is
    /// due now.
    #[inline]
    pub(super) fn is_to_wait(&self, cx: &Context<'_>, side: &Side<'_>) -> bool {
        self.pace.left <= 0 && self.pace.wait != self.turn(side) && self.is_held_back(cx, side)
    }

    /// Nothing more may go in this tick: waits for the one in which it may.
    #[inline(never)]
    pub(super) fn wait(&mut self, side: &Side<'_>) {
        self.pace.wait = self.turn(side);
    }

    /// How many ticks later more may go, as things are now: an ACK may have come since the tick began, and tell of
    /// another rate. Once all is acknowledged, it is the next tick that gives a burst.
    #[inline(never)]
    fn turn(&self, side: &Side<'_>) -> u32 {
        let quantum = self.quantum(side).filter(|_| self.snd.outstanding() > 0);
        quantum.map_or(1, |quantum| self.pace.debt(quantum))
    }

    /// Whether something would go in a tick that was not looked at, in which all may.
    #[inline(never)]
    fn is_held_back(&self, cx: &Context<'_>, side: &Side<'_>) -> bool {
        let later = Context { ticks: cx.ticks.after(1), ..*cx };
        self.plan(&later, side, &mut Plan::none())
    }
}

impl Socket<'_> {
    /// Whether what the congestion window allows leaves over a round trip, not in one burst. On at first.
    ///
    /// It needs to be polled when [`poll_at`](crate::iface::Interface::poll_at) says, up to 977 times a second.
    pub fn set_pacing_enabled(&mut self, is_enabled: bool) {
        self.side.config.pacing = Choice(is_enabled);
    }

    /// Whether it does.
    pub fn pacing_enabled(&self) -> bool {
        self.side.config.pacing.0
    }
}

#[cfg(test)]
impl Pace {
    /// What may go in this tick has gone.
    pub(super) fn exhaust(&mut self) {
        self.left = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_go_is_cut_into_whole_segments_and_only_if_it_is_too_much() {
        let now = Ticks(5);
        let limit = |left: i32, len: u32, now: Ticks| {
            Pace { left, quantum: 1_000, ..Pace::new(Ticks(5)) }.limit(len, 1_460, now)
        };
        assert_eq!(limit(2_500, 2_000, now), 2_000);
        assert_eq!(limit(3_000, 5_000, now), 2_920);
        assert_eq!(limit(1, 5_000, now), 1_460, "a segment more, which the next tick pays for");
        assert_eq!((limit(0, 5_000, now), limit(-9, 5_000, now)), (0, 0));
        assert_eq!(limit(0, 5_000, Ticks(6)), 5_000, "a tick that was not looked at");
    }
}
