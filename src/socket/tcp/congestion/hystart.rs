//! HyStart++ (RFC 9406): slow start ends before a queue overflows.
//!
//! ```text
//!   slow start --longer round trip--> CSS           --five rounds----------------------> congestion avoidance
//!              <--shorter again------
//!              --train of ACKs------> CSS, to stay  --five rounds or longer round trip--> congestion avoidance
//! ```
//!
//! A round is over when what was out at its begin is acknowledged. Its round trip is the shortest of those that
//! timestamps tell, which neither delayed ACKs nor jitter lengthen; of a connection without timestamps nothing is known
//! and slow start goes on until a loss. In CSS, conservative slow start, the window grows by a quarter.
//! It is only for the first slow start (§4.3): later ones end at a threshold that a loss has taught.
//!
//! The shortest round trip of a round is that of its first segments, which found the queue that the round before had left.
//! When it is longer, the window has doubled once more, so that a queue of one bandwidth-delay product has overflowed.
//! Hence a second sign, HyStart's first one (Ha and Rhee, 2011), which is not in the RFC: if the ACKs of a round come one
//! close behind the other for half a round trip, the path delivers without a pause, and half of its product is reached.

use super::super::ticks_of_ms;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

/// RFC 9406 §4.3: 4 and 16 ms.
const LEAST_GROWTH: u16 = ticks_of_ms(4) as u16;
const MOST_GROWTH: u16 = ticks_of_ms(16) as u16;
const SAMPLES: u8 = 8;
const DIVISOR: u32 = 4;
const ROUNDS: u8 = 5;

/// ACKs that are this close make a train, in ticks: of every second segment, at 12 Mbit/s and more. On slower paths a
/// window that is too large is still a small one.
const CLOSE: u16 = 2;

/// Half of a round trip that is shorter is too few ticks to be told.
const SHORTEST: u16 = 8;

/// Round trips in ticks.
#[derive(Debug, Clone)]
pub(super) struct Hystart {
    /// What was SND.MAX when the round began.
    round_end: SeqNum,
    /// When it began, and when the last ACK of its train came: the lower half of the ticks.
    began_at: u16,
    acked_at: u16,
    /// The shortest round trip of the round before, and of this; [`UNKNOWN`] before the first sample.
    last: u16,
    current: u16,
    /// What it was when CSS began, or in CSS that is to stay before a queue was there.
    baseline: u16,
    /// How many samples this round has, at most [`SAMPLES`].
    samples: u8,
    /// Rounds of CSS that have begun, none in slow start; [`TO_STAY`] is added.
    css_rounds: u8,
}

/// Longer than all that is measured.
const UNKNOWN: u16 = u16::MAX;

/// CSS began by a train of ACKs, and does not end in slow start.
const TO_STAY: u8 = 1 << 7;

impl Hystart {
    pub(super) const fn new() -> Hystart {
        Hystart {
            round_end: SeqNum(0),
            began_at: 0,
            acked_at: 0,
            last: UNKNOWN,
            current: UNKNOWN,
            baseline: UNKNOWN,
            samples: 0,
            css_rounds: 0,
        }
    }

    /// By how much the window grows for `acked` octets.
    #[inline]
    pub(super) fn growth(&self, acked: u32) -> u32 {
        if self.css_rounds > 0 { acked / DIVISOR } else { acked }
    }

    /// An ACK has moved SND.UNA on from `una`, and tells of a round trip, perhaps; says whether slow start is over.
    pub(super) fn on_ack(
        &mut self,
        una: SeqNum,
        max: SeqNum,
        rtt: Option<u32>,
        is_paced: bool,
        now: Ticks,
    ) -> bool {
        let now = now.0 as u16;
        // One that lies ahead is none of this connection, or from before a long time in which the window was not in use.
        if una.ge(self.round_end) || self.round_end.gt(max) {
            self.begin_round(max, now);
        }
        // RFC 9406 §4.2: the round in which CSS began counts.
        if self.css_rounds & !TO_STAY > ROUNDS {
            return true;
        }
        if let Some(rtt) = rtt {
            self.current = self.current.min(rtt.min(u32::from(UNKNOWN) - 1) as u16);
            self.samples = (self.samples + 1).min(SAMPLES);
        }
        self.watch_train(is_paced, now);
        self.samples == SAMPLES && self.judge()
    }

    #[inline]
    fn begin_round(&mut self, max: SeqNum, now: u16) {
        self.round_end = max;
        (self.began_at, self.acked_at) = (now, now);
        self.last = self.current;
        self.current = UNKNOWN;
        self.samples = 0;
        self.css_rounds += u8::from(self.css_rounds > 0);
    }

    /// Half a round trip of ACKs without a pause; what is paced leaves over two thirds of one anyway.
    fn watch_train(&mut self, is_paced: bool, now: u16) {
        if self.css_rounds > 0 || self.last < SHORTEST || self.last == UNKNOWN {
            return;
        }
        if now.wrapping_sub(self.acked_at) > CLOSE {
            return;
        }
        self.acked_at = now;
        let long = if is_paced { self.last / 4 * 3 } else { self.last / 2 };
        if now.wrapping_sub(self.began_at) > long {
            self.baseline = self.last;
            self.css_rounds = TO_STAY + 1;
        }
    }

    /// RFC 9406 §4.2: slow start or CSS; says whether neither.
    fn judge(&mut self) -> bool {
        match self.css_rounds {
            0 if self.has_grown(self.last) => (self.css_rounds, self.baseline) = (1, self.current),
            1..TO_STAY if self.current < self.baseline => self.css_rounds = 0,
            TO_STAY.. => return self.has_grown(self.baseline),
            _ => {}
        }
        false
    }

    /// The round trip has become longer than it was by so much that there is a queue.
    fn has_grown(&self, before: u16) -> bool {
        let growth = (before / 8).clamp(LEAST_GROWTH, MOST_GROWTH);
        self.current >= before.saturating_add(growth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    /// A round of as many ACKs as there are round trips; what is sent meanwhile is the next one.
    struct Rounds {
        hystart: Hystart,
        una: SeqNum,
        now: Ticks,
        /// Ticks between two ACKs of a round, and from one round to the next.
        gap: u32,
        pause: u32,
        is_paced: bool,
    }

    const ROUND: u32 = 100_000;

    impl Rounds {
        fn new() -> Rounds {
            let una = SeqNum(u32::MAX - 5 * ROUND / 2);
            Rounds { hystart: Hystart::new(), una, now: Ticks(0), gap: 0, pause: 100, is_paced: false }
        }

        /// Says whether slow start is over.
        fn round(&mut self, rtts: &[u32]) -> bool {
            let (start, end) = (self.una, self.una + ROUND);
            for (i, &rtt) in (0..).zip(rtts) {
                let una = start + i * (ROUND / rtts.len() as u32);
                // The first ACK finds as much out as the round has.
                let max = if i == 0 { end } else { end + ROUND };
                if self.hystart.on_ack(una, max, Some(rtt), self.is_paced, self.now) {
                    return true;
                }
                self.now = self.now.after(self.gap);
            }
            self.now = self.now.after(self.pause);
            self.una = end;
            false
        }

        fn is_css(&self) -> bool {
            self.hystart.growth(400) == 100
        }
    }

    /// Covers: RFC 9406 §4.2, §4.3
    #[test]
    fn the_bound_is_an_eighth_of_the_round_trip_within_4_and_16_ms() {
        for (before, bound) in [(1, 4), (20, 4), (80, 10), (100, 12), (120, 15), (400, 16), (60_000, 16)] {
            for longer in [bound - 1, bound] {
                let mut rounds = Rounds::new();
                rounds.round(&[before; 10]);
                rounds.round(&[before + longer; 10]);
                assert_eq!(rounds.is_css(), longer == bound, "{before} + {longer}");
            }
        }
    }

    /// Covers: RFC 9406 §4.2
    #[test]
    fn seven_samples_say_nothing() {
        for (count, is_css) in [(7, false), (8, true)] {
            let mut rounds = Rounds::new();
            rounds.round(&[50; 10]);
            rounds.round(&[90; 10][..count]);
            assert_eq!(rounds.is_css(), is_css);
        }
    }

    /// Covers: RFC 9406 §4.2
    #[test]
    fn jitter_is_no_queue_while_one_packet_of_a_round_has_none() {
        let mut rounds = Rounds::new();
        for i in 0..100 {
            let mut rtts = [50 + i % 7 * 20; 12];
            rtts[i as usize % 8] = 51;
            assert!(!rounds.round(&rtts) && !rounds.is_css());
        }
    }

    /// Covers: RFC 9406 §4.2
    #[test]
    fn after_five_rounds_of_css_slow_start_is_over() {
        let mut rounds = Rounds::new();
        rounds.round(&[50; 10]);
        for i in 0..5 {
            assert!(!rounds.round(&[60 + i * 5; 10]) && rounds.is_css());
        }
        assert!(rounds.round(&[90; 10]));
    }

    /// Covers: RFC 9406 §4.2
    #[test]
    fn css_was_for_nothing_when_the_round_trip_is_shorter_than_when_it_began() {
        let mut rounds = Rounds::new();
        rounds.round(&[50; 10]);
        rounds.round(&[60; 10]);
        rounds.round(&[60; 10]);
        assert!(rounds.is_css());
        rounds.round(&[59; 7]);
        assert!(rounds.is_css(), "too few samples");
        rounds.round(&[59; 8]);
        assert!(!rounds.is_css());
        // And begins anew, with all its rounds.
        for _ in 0..5 {
            assert!(!rounds.round(&[70; 10]) && rounds.is_css());
        }
        assert!(rounds.round(&[70; 10]));
    }

    /// Covers: RFC 9406 §4.2
    #[test]
    fn without_round_trips_slow_start_goes_on() {
        let mut hystart = Hystart::new();
        for i in 0..800 {
            let una = SeqNum(0) + i * 5_000_000;
            assert!(!hystart.on_ack(una, una + 100_000, None, false, Ticks(i)));
            assert_eq!(hystart.growth(1_000), 1_000);
        }
    }

    /// Numbers may come round again while the window is not in use.
    #[test]
    fn a_round_from_long_ago_is_over() {
        let mut rounds = Rounds::new();
        rounds.round(&[50; 10]);
        rounds.una = rounds.una + (1 << 31) + 5;
        rounds.round(&[50; 10]);
        rounds.round(&[60; 10]);
        assert!(rounds.is_css());
    }

    /// Not in the RFC.
    #[test]
    fn a_train_of_half_a_round_trip_is_the_second_sign() {
        for (gap, count, is_css) in
            [(2, 14, true), (2, 13, false), (3, 20, false), (1, 27, true), (1, 26, false), (0, 500, false)]
        {
            let mut rounds = Rounds::new();
            rounds.round(&[50; 10]);
            rounds.gap = gap;
            // Ticks from the first ACK to the last: more than 25 are half a round trip.
            rounds.round(&vec![50; count]);
            assert_eq!(rounds.is_css(), is_css, "{gap} {count}");
        }
    }

    /// Pacing itself spreads a window over two thirds of a round trip.
    #[test]
    fn the_train_of_who_is_paced_is_longer() {
        for (count, is_css) in [(36, false), (37, false), (38, true)] {
            let mut rounds = Rounds::new();
            rounds.is_paced = true;
            rounds.round(&[50; 10]);
            rounds.gap = 1;
            rounds.round(&vec![50; count]);
            assert_eq!(rounds.is_css(), is_css, "{count}");
        }
    }

    /// Not in the RFC.
    #[test]
    fn after_a_train_css_ends_with_its_rounds_or_with_a_longer_round_trip() {
        let begun = || {
            let mut rounds = Rounds::new();
            rounds.round(&[50; 10]);
            rounds.gap = 1;
            rounds.round(&[50; 40]);
            assert!(rounds.is_css());
            rounds
        };
        let mut rounds = begun();
        // Neither a shorter round trip nor one that is little longer changes anything.
        for rtt in [40, 50, 55, 30] {
            assert!(!rounds.round(&[rtt; 40]) && rounds.is_css());
        }
        assert!(rounds.round(&[50; 40]));
        let mut rounds = begun();
        assert!(!rounds.round(&[56; 7]) && rounds.is_css());
        assert!(rounds.round(&[56; 8]));
    }

    /// Not in the RFC.
    #[test]
    fn a_round_trip_of_few_ticks_has_no_train() {
        for (rtt, is_css) in [(7, false), (8, true)] {
            let mut rounds = Rounds::new();
            rounds.round(&[rtt; 10]);
            rounds.gap = 1;
            rounds.round(&[rtt; 30]);
            assert_eq!(rounds.is_css(), is_css);
        }
    }

    /// A round trip of more than a minute is a long one, and not one that was not measured, nor a short one.
    #[test]
    fn a_round_trip_that_is_too_long_to_be_kept_counts_as_the_longest() {
        for rtt in [65_534, 65_535, 65_536, 200_000] {
            let mut hystart = Hystart::new();
            hystart.on_ack(SeqNum(0), SeqNum(9), Some(rtt), false, Ticks(0));
            assert_eq!((hystart.current, hystart.samples), (65_534, 1), "{rtt} ticks");
        }
    }
}
