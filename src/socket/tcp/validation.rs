//! Congestion window validation (RFC 7661): what the application does not use of a window neither grows nor goes at once.
//!
//! How much has been acknowledged in a round trip lately (`pipeACK`) is what the path is known to carry. As long as that
//! is less than half the window, the window is not validated: it stays as it is, through silences too, so that an
//! application that sends now and then goes on where it was. It does so for five minutes; then half of the window goes.
//! A loss reduces it from what was carried, not from what it allowed (§4.4.1). What a silence has kept leaves by
//! pacing, for nobody knows whether the path still carries it at once.
//!
//! Of §4.4.1 one thing is not done: what was sent again is not taken off once a loss is repaired, since
//! proportional rate reduction has let out no more than was delivered.

use super::connection::Connection;
use super::{Side, Socket, ticks_of_ms};
use crate::config;
use crate::socket::Context;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

/// How long a window is kept that is not used, in ticks (§4.4.2: the non-validated period).
const KEPT: u32 = ticks_of_ms(config::TCP_UNUSED_WINDOW);

/// The shortest time in which the most counts that a round trip has carried, in ticks (§4.2).
const PERIOD: u32 = ticks_of_ms(1_000);

/// Whether a socket wants a silence to cost it its window instead (RFC 5681 §4.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice(bool);

impl Choice {
    pub(super) const DEFAULT: Choice = Choice(false);
}

/// How much of the window the path is known to carry.
#[derive(Debug)]
pub(super) struct Validation {
    /// SND.MAX when the round trip began that is measured; none is if that is acknowledged.
    round_end: SeqNum,
    /// Octets acknowledged in it.
    acked: u32,
    /// The most of a round trip in this period, and in the one before; 0 if there was none.
    most: [u32; 2],
    /// When this period began.
    period_at: Ticks,
    /// When the window was last validated, or became smaller because it was not.
    since: Ticks,
    /// The last round trip has left it without validation.
    is_lacking: bool,
}

impl Validation {
    pub(super) const fn new(iss: SeqNum, now: Ticks) -> Validation {
        Validation { round_end: iss, acked: 0, most: [0; 2], period_at: now, since: now, is_lacking: false }
    }

    /// `acked` octets were acknowledged, from `una` on, of what is sent up to `max`. Says whether a round trip is over.
    #[inline]
    pub(super) fn on_ack(&mut self, una: SeqNum, acked: u32, max: SeqNum) -> bool {
        if self.round_end.le(una) {
            (self.round_end, self.acked) = (max, 0);
        }
        self.acked += acked;
        self.round_end.le(una + acked)
    }

    /// Whether the window may grow when it was filled (§4.3). In a round trip that began with validation it may, for slow
    /// start leaves behind what was carried before; and one that a loss has made smaller than that may.
    #[inline]
    pub(super) fn may_grow(&self, window: u32) -> bool {
        !self.is_lacking || self.is_validated(window)
    }

    /// A round trip is over: what it has carried counts for this period, and the next, of `period` ticks.
    fn sample(&mut self, period: u32, now: Ticks) {
        let elapsed = now.since(self.period_at).unsigned_abs();
        if elapsed >= period {
            let before = if elapsed < 2 * period { self.most[0] } else { 0 };
            (self.most, self.period_at) = ([0, before], now);
        }
        self.most[0] = self.most[0].max(self.acked);
    }

    /// The most that a round trip has carried lately; 0 if that is not known.
    fn carried(&self) -> u32 {
        self.most[0].max(self.most[1])
    }

    fn is_validated(&self, window: u32) -> bool {
        let carried = self.carried();
        carried == 0 || carried >= window / 2
    }
}

impl Connection {
    /// §4.3, §4.4.2: a round trip is over.
    #[cold]
    #[inline(never)]
    pub(super) fn validate(&mut self, cx: &Context<'_>) {
        let period = (3 * self.rtt.srtt().unwrap_or(0)).max(PERIOD);
        self.validation.sample(period, cx.ticks);
        let is_kept = cx.ticks.since(self.validation.since) < KEPT as i32;
        let is_validated = self.validation.is_validated(self.control.window());
        self.validation.is_lacking = !is_validated;
        if is_validated {
            self.validation.since = cx.ticks;
        } else if !is_kept {
            self.validation.since = cx.ticks;
            self.control.on_unused(self.mss(cx));
        }
    }

    /// What a loss reduces: `flight`, or what the path has carried lately if that was more and not all of the window.
    pub(super) fn carried(&self, flight: u32) -> u32 {
        let window = self.control.window();
        if self.validation.is_validated(window) { flight } else { flight.max(self.validation.carried()) }
    }

    /// Whether the window outlives the silence of `stalled` ticks that is about to end.
    pub(super) fn keeps_window(&mut self, stalled: u32, side: &Side<'_>) -> bool {
        // §4.2: what was carried before says nothing any more.
        self.validation.most = [0; 2];
        !side.config.idle.0 && stalled < KEPT && self.pace.is_on()
    }
}

impl Socket<'_> {
    /// Whether a connection that was silent for longer than its retransmission timeout begins anew with the initial
    /// window (RFC 5681 §4.1). It does not at first, as long as the silence is shorter than
    /// five minutes and [pacing](Self::set_pacing_enabled) has something to divide: round trips of 4 ms and more
    /// (RFC 7661). Linux calls this `tcp_slow_start_after_idle`, and does it.
    pub fn set_slow_start_after_idle(&mut self, is_enabled: bool) {
        self.side.config.idle = Choice(is_enabled);
    }

    /// Whether it does.
    pub fn slow_start_after_idle(&self) -> bool {
        self.side.config.idle.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 7661 §4.2
    #[test]
    fn a_round_trip_is_over_when_what_was_sent_at_its_beginning_is_acknowledged() {
        let mut validation = Validation::new(SeqNum(u32::MAX - 499), Ticks(0));
        // 4,000 octets are out when the first ACK comes, across the end of sequence space, and 6,000 after it.
        assert!(!validation.on_ack(SeqNum(u32::MAX - 499), 1_000, SeqNum(3_500)));
        assert!(!validation.on_ack(SeqNum(500), 2_000, SeqNum(9_500)));
        assert!(validation.on_ack(SeqNum(2_500), 1_500, SeqNum(9_500)));
        assert_eq!(validation.acked, 4_500);
        // The next begins with the ACK that comes then.
        assert!(!validation.on_ack(SeqNum(4_000), 500, SeqNum(9_500)));
        assert!(validation.on_ack(SeqNum(4_500), 5_000, SeqNum(9_500)));
        assert_eq!(validation.acked, 5_500);
    }

    #[test]
    fn the_most_counts_for_this_period_and_the_next() {
        let mut validation = Validation::new(SeqNum(0), Ticks(0));
        let mut carried = |acked, at| {
            validation.acked = acked;
            validation.sample(1_000, Ticks(at));
            validation.carried()
        };
        assert_eq!([carried(500, 10), carried(900, 500), carried(100, 990)], [500, 900, 900]);
        assert_eq!([carried(100, 1_000), carried(200, 1_990)], [900, 900]);
        assert_eq!(carried(100, 2_000), 200);
        assert_eq!(carried(50, 4_000), 50, "long ago");
        assert_eq!([carried(800, 4_500), carried(60, 5_999)], [800, 800], "the whole of the next");
    }

    #[test]
    fn less_than_half_of_the_window_is_no_validation_and_nothing_is_no_reason_to_doubt() {
        let mut validation = Validation::new(SeqNum(0), Ticks(0));
        assert!(validation.is_validated(1_000));
        validation.most = [0, 500];
        assert!(validation.is_validated(1_001) && !validation.is_validated(1_002));
    }
}
