//! What is known of a path: how fast it delivers, how long it takes, and how much it bears.

use super::rate::{Bandwidth, Sample};
use crate::time::Ticks;

/// No bound.
const OPEN: u32 = u32::MAX;

/// After a round trip with losses so much is left, in percent (`BBR.Beta`).
const LEFT: u32 = 70;

/// How much of what the path bears is used while others may want some, in percent (`BBR.Headroom`).
const MODEST: u32 = 85;

/// Of more than so much lost, in fiftieths, it is more than the path bears (`BBR.LossThresh`, 2 %).
const FIFTIETH: u32 = 50;

/// How long the shortest round trip counts, in ticks of 1,024 µs: 10 s (`BBR.MinRTTFilterLen`).
const RTT_COUNTS: i32 = 9_766;

/// How long before a shorter one is looked for: 5 s (`BBR.ProbeRTTInterval`).
const RTT_PROBED: i32 = 4_883;

/// The most of late: of this period and of the one before (`BBR.MaxBwFilter`, `BBR.ExtraACKedFilter`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Most<T> {
    now: T,
    before: T,
}

impl<T: Copy + Ord> Most<T> {
    pub(super) const fn new(none: T) -> Most<T> {
        Most { now: none, before: none }
    }

    pub(super) fn get(self) -> T {
        self.now.max(self.before)
    }

    pub(super) fn take(&mut self, sample: T) {
        self.now = self.now.max(sample);
    }

    /// A period is over, and the next begins with `none`.
    pub(super) fn advance(&mut self, none: T) {
        *self = Most { now: none, before: self.now };
    }
}

/// The shortest round trip of late.
#[derive(Debug, Clone, Copy)]
pub(super) struct MinRtt {
    /// In microseconds; the largest number if there is none.
    least: u32,
    at: Ticks,
    /// That since it was last looked for.
    recent: u32,
    recent_at: Ticks,
    is_overdue: bool,
}

impl MinRtt {
    pub(super) const fn new() -> MinRtt {
        MinRtt { least: OPEN, at: Ticks(0), recent: OPEN, recent_at: Ticks(0), is_overdue: false }
    }

    pub(super) fn get(&self) -> Option<u32> {
        (self.least != OPEN).then_some(self.least)
    }

    /// For so long none as short was seen that it is to be looked for.
    pub(super) fn is_overdue(&self) -> bool {
        self.is_overdue
    }

    /// It has been looked for.
    pub(super) fn on_probed(&mut self, now: Ticks) {
        self.recent_at = now;
        self.is_overdue = false;
    }

    pub(super) fn take(&mut self, rtt: u32, now: Ticks) {
        let is_known = self.recent != OPEN;
        self.is_overdue = is_known && now.since(self.recent_at) > RTT_PROBED;
        if rtt < self.recent || self.is_overdue {
            (self.recent, self.recent_at) = (rtt, now);
        }
        if self.recent < self.least || now.since(self.at) > RTT_COUNTS {
            (self.least, self.at) = (self.recent, self.recent_at);
        }
    }
}

/// What ACKs that come in bursts bring more than the path delivers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aggregation {
    since: u32,
    delivered: u32,
    extra: Most<u32>,
    rounds: u8,
}

impl Aggregation {
    pub(super) const fn new() -> Aggregation {
        Aggregation { since: 0, delivered: 0, extra: Most::new(0), rounds: 0 }
    }

    /// Octets to have in flight beyond what the path holds, so that it does not run dry.
    pub(super) fn extra(&self) -> u32 {
        self.extra.get()
    }

    pub(super) fn restart(&mut self, now: u32) {
        (self.since, self.delivered) = (now, 0);
    }

    pub(super) fn on_ack(&mut self, delivered: u32, bandwidth: Bandwidth, window: u32, now: u32) {
        let expected = bandwidth.octets(now.wrapping_sub(self.since));
        if self.delivered <= expected {
            self.restart(now);
        }
        let expected = if self.delivered == 0 { 0 } else { expected };
        self.delivered = self.delivered.saturating_add(delivered);
        self.extra.take((self.delivered - expected.min(self.delivered)).min(window));
    }

    /// A round trip is over. What counts is the most of ten, and of one as long as the path is not known.
    pub(super) fn on_round(&mut self, is_full: bool) {
        self.rounds += 1;
        if self.rounds >= if is_full { 5 } else { 1 } {
            self.rounds = 0;
            self.extra.advance(0);
        }
    }
}

/// How much the path bears, as losses tell; without them there is no bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// What was borne when more was last tried (`BBR.inflight_longterm`).
    pub(super) long: u32,
    /// Until more is tried: what the path still delivers after losses (`BBR.inflight_shortterm`, `BBR.bw_shortterm`).
    pub(super) short: u32,
    pub(super) bandwidth: Bandwidth,
    /// The most of this round trip.
    latest: (Bandwidth, u32),
    /// Something was lost in it.
    is_losing: bool,
}

impl Bounds {
    pub(super) const NONE: Bounds = Bounds {
        long: OPEN,
        short: OPEN,
        bandwidth: Bandwidth::MOST,
        latest: (Bandwidth(0), 0),
        is_losing: false,
    };

    pub(super) fn on_lost(&mut self) {
        self.is_losing = true;
    }

    /// More is tried: what was borne in the meantime says nothing.
    pub(super) fn forget_short(&mut self) {
        (self.short, self.bandwidth) = (OPEN, Bandwidth::MOST);
    }

    /// A segment tells; `is_round` if a round trip is over by that. Unless more `is_tried`, losses in it bring the bounds down,
    /// from `window` and `most` if there were none.
    pub(super) fn take(
        &mut self,
        sample: &Sample,
        is_round: bool,
        is_tried: bool,
        (window, most): (u32, Bandwidth),
    ) {
        let bandwidth = sample.bandwidth.unwrap_or_default();
        self.latest = (self.latest.0.max(bandwidth), self.latest.1.max(sample.delivered));
        if !is_round {
            return;
        }
        if self.is_losing && !is_tried {
            let (short, rate) = (self.short.min(window), self.bandwidth.min(most));
            self.short = percent(short, LEFT).max(self.latest.1);
            self.bandwidth = rate.percent(LEFT).max(self.latest.0);
        }
        self.is_losing = false;
        self.latest = (bandwidth, sample.delivered);
    }

    /// What is left of the long bound for others.
    pub(super) fn modest(&self, mss: u32) -> u32 {
        if self.long == OPEN { OPEN } else { percent(self.long, MODEST).min(self.long - self.long.min(mss)) }
    }

    /// More was in flight than the path bears, `target` of what it should.
    pub(super) fn on_too_much(&mut self, sample: &Sample, target: u32) {
        if !sample.is_app_limited {
            self.long = sample.flight.max(percent(target, LEFT));
        }
    }

    /// As much was in flight, and was borne.
    pub(super) fn on_borne(&mut self, flight: u32) {
        if self.long != OPEN {
            self.long = self.long.max(flight);
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.long == OPEN
    }

    /// It is tried to have more in flight.
    pub(super) fn raise(&mut self, octets: u32) {
        self.long = self.long.saturating_add(octets).min(OPEN - 1);
    }
}

/// Whether more of what was in flight was lost than happens by chance.
pub(super) fn is_too_much(sample: &Sample) -> bool {
    sample.lost > sample.flight / FIFTIETH
}

pub(super) fn percent(octets: u32, percent: u32) -> u32 {
    (u64::from(octets) * u64::from(percent) / 100).min(u64::from(OPEN - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(bandwidth: u32, delivered: u32) -> Sample {
        Sample {
            sent_after: 0,
            bandwidth: Some(Bandwidth(bandwidth)),
            rtt: None,
            delivered,
            lost: 0,
            flight: delivered,
            is_app_limited: false,
        }
    }

    #[test]
    fn the_most_counts_for_two_periods() {
        let mut most = Most::new(0);
        most.take(7);
        most.take(5);
        most.advance(0);
        most.take(3);
        assert_eq!(most.get(), 7);
        most.advance(0);
        assert_eq!(most.get(), 3);
    }

    #[test]
    fn a_round_trip_counts_for_ten_seconds_and_is_looked_for_after_five() {
        let mut rtt = MinRtt::new();
        let start = Ticks(u32::MAX - 100);
        rtt.take(20_000, start);
        assert_eq!((rtt.get(), rtt.is_overdue()), (Some(20_000), false));
        rtt.take(30_000, start.after(RTT_PROBED as u32));
        assert!(!rtt.is_overdue());
        rtt.take(30_000, start.after(RTT_PROBED as u32 + 1));
        assert_eq!((rtt.get(), rtt.is_overdue()), (Some(20_000), true));
        rtt.on_probed(start.after(5_000));
        rtt.take(31_000, start.after(RTT_COUNTS as u32));
        assert_eq!((rtt.get(), rtt.is_overdue()), (Some(20_000), false));
        rtt.take(31_000, start.after(RTT_COUNTS as u32 + 1));
        assert_eq!(rtt.get(), Some(30_000), "the shortest since it was looked for");
        rtt.take(5, start.after(RTT_COUNTS as u32 + 2));
        assert_eq!(rtt.get(), Some(5));
    }

    /// Every 10 ms come the ACKs of what the path has delivered in that time: the most that is told of at once.
    #[test]
    fn what_bursts_bring_is_had_in_flight_beside_what_the_path_holds() {
        let bandwidth = Bandwidth::new(1_000, 1_000);
        let mut aggregation = Aggregation::new();
        for burst in 1..20 {
            for _ in 0..10 {
                aggregation.on_ack(1_000, bandwidth, 1 << 30, burst * 10_000);
            }
        }
        assert!((9_000..=10_000).contains(&aggregation.extra()), "{}", aggregation.extra());
        for rounds in [5, 4] {
            (0..rounds).for_each(|_| aggregation.on_round(true));
            assert!(aggregation.extra() > 0);
        }
        aggregation.on_round(true);
        assert_eq!(aggregation.extra(), 0);
        aggregation.on_ack(50_000, bandwidth, 7_000, 300_000);
        assert_eq!(aggregation.extra(), 7_000, "no more than the window");
        (0..2).for_each(|_| aggregation.on_round(false));
        assert_eq!(aggregation.extra(), 0);
    }

    #[test]
    fn a_round_trip_with_losses_leaves_what_was_delivered_in_it_or_seven_tenths() {
        let mut bounds = Bounds::NONE;
        let from = (100_000, Bandwidth(1_000));
        bounds.take(&sample(900, 80_000), false, false, from);
        bounds.on_lost();
        bounds.take(&sample(500, 50_000), false, false, from);
        assert_eq!(bounds.short, OPEN);
        bounds.take(&sample(600, 60_000), true, false, from);
        assert_eq!((bounds.short, bounds.bandwidth), (80_000, Bandwidth(900)));
        bounds.on_lost();
        bounds.take(&sample(100, 10_000), true, false, from);
        assert_eq!((bounds.short, bounds.bandwidth), (60_000, Bandwidth(630)));
        bounds.take(&sample(100, 10_000), true, false, from);
        assert_eq!((bounds.short, bounds.bandwidth), (60_000, Bandwidth(630)), "nothing was lost");
        bounds.on_lost();
        bounds.take(&sample(100, 10_000), true, true, from);
        assert_eq!(bounds.short, 60_000, "more is tried");
        bounds.forget_short();
        assert_eq!((bounds.short, bounds.bandwidth), (OPEN, Bandwidth::MOST));
    }

    #[test]
    fn what_was_too_much_bounds_until_more_is_borne() {
        let mut bounds = Bounds::NONE;
        assert_eq!((bounds.modest(1_000), bounds.is_open()), (OPEN, true));
        bounds.on_borne(5_000);
        assert!(bounds.is_open(), "there is no bound to raise");
        let limited = Sample { is_app_limited: true, ..sample(0, 50_000) };
        bounds.on_too_much(&limited, 100_000);
        assert!(bounds.is_open());
        bounds.on_too_much(&sample(0, 50_000), 100_000);
        assert_eq!((bounds.long, bounds.modest(1_000), bounds.modest(20_000)), (70_000, 59_500, 50_000));
        bounds.on_too_much(&sample(0, 90_000), 100_000);
        bounds.on_borne(80_000);
        assert_eq!(bounds.long, 90_000);
        bounds.on_borne(95_000);
        bounds.raise(1_000);
        assert_eq!(bounds.long, 96_000);
        bounds.raise(OPEN);
        assert!(!bounds.is_open());
        let lost = |lost| Sample { lost, ..sample(0, 100_000) };
        assert!(!is_too_much(&lost(2_000)) && is_too_much(&lost(2_001)));
    }
}
