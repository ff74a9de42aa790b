//! BBR on a path of its own: a rate, a round trip, a queue, and losses.

use std::collections::VecDeque;

use super::super::choice::CongestionControl;
use super::cycle::Mode;
use super::{Ack, Bbr, Sent};
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

const MSS: u32 = 1_000;

/// A segment on its way; `at` is when its ACK comes, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Packet {
    end: SeqNum,
    at: u64,
    is_lost: bool,
}

/// A sender that always has something, and the path. What is lost is known to be a round trip later, and is not sent
/// again: that is not BBR's business.
struct Path {
    bbr: Bbr,
    now: u64,
    /// Octets a millisecond, the round trip in microseconds, and how many octets the queue holds.
    rate: u64,
    rtt: u64,
    queue: u64,
    /// One segment in so many is lost; 0 for none.
    loss: u32,
    /// When the last octet in the queue has left it.
    busy_until: u64,
    out: VecDeque<Packet>,
    next: SeqNum,
    flight: u32,
    count: u32,
    /// What the pace lets go, in 16,384ths of an octet.
    credit: u64,
    delivered: u64,
    lost: u64,
    is_repairing: bool,
    /// Octets that there are to send a millisecond; all if 0.
    offered: u32,
}

impl Path {
    fn new(rate: u64, rtt: u64, heeds_loss: bool) -> Path {
        let mut bbr = Bbr::new(CongestionControl::Bbr { heeds_loss });
        bbr.on_established(10 * MSS);
        Path {
            bbr,
            // Near the end of what 32 bits hold, as all numbers here.
            now: u64::from(u32::MAX) - 3_000_000,
            rate,
            rtt,
            queue: 1 << 40,
            loss: 0,
            busy_until: 0,
            out: VecDeque::new(),
            next: SeqNum(u32::MAX - 50_000),
            flight: 0,
            count: 0,
            credit: 0,
            delivered: 0,
            lost: 0,
            is_repairing: false,
            offered: 0,
        }
    }

    fn ticks(&self) -> Ticks {
        Ticks((self.now >> 10) as u32)
    }

    fn queued(&self) -> u64 {
        self.busy_until.saturating_sub(self.now) * self.rate / 1_000
    }

    fn send(&mut self, is_all: bool) {
        let end = self.next + MSS;
        self.count += 1;
        let is_late = self.queued() + u64::from(MSS) > self.queue;
        let is_lost = is_late || (self.loss > 0 && self.count.is_multiple_of(self.loss));
        if !is_late {
            self.busy_until = self.busy_until.max(self.now) + u64::from(MSS) * 1_000 / self.rate;
        }
        let at = self.busy_until.max(self.now) + self.rtt;
        self.out.push_back(Packet { end, at, is_lost });
        self.bbr.on_sent(&Sent {
            from: self.next,
            len: MSS,
            micros: self.now as u32,
            flight: self.flight,
            mss: MSS,
            is_again: false,
            is_all,
        });
        self.next = end;
        self.flight += MSS;
    }

    fn take(&mut self, packet: Packet) {
        self.flight -= MSS;
        let delivered = if packet.is_lost { 0 } else { MSS };
        self.delivered += u64::from(delivered);
        if packet.is_lost {
            self.lost += u64::from(MSS);
            self.bbr.on_lost(MSS);
            if !self.is_repairing {
                self.bbr.on_loss(MSS);
            }
        }
        // A loss is repaired in a round trip.
        self.is_repairing = packet.is_lost || (self.is_repairing && !self.count.is_multiple_of(50));
        let ack = Ack {
            now: self.ticks(),
            micros: self.now as u32,
            delivered,
            flight: self.flight,
            max: self.next,
            mss: MSS,
            is_repairing: self.is_repairing,
            is_paced: true,
        };
        self.bbr.on_ack(&ack, |end| !packet.is_lost && end.le(packet.end));
    }

    /// Lets 100 µs go by.
    fn step(&mut self) {
        self.now += 100;
        while let Some(&packet) = self.out.front().filter(|packet| packet.at <= self.now) {
            self.out.pop_front();
            self.take(packet);
        }
        let pace = u64::from(self.bbr.pace((self.rtt >> 7) as u32));
        let pace = if self.offered > 0 { pace.min(u64::from(self.offered) * 16) } else { pace };
        self.credit = (self.credit + pace * 100).min((pace * 2_048).max(u64::from(MSS) << 14));
        while self.flight + MSS <= self.bbr.window() && self.credit >= u64::from(MSS) << 14 {
            self.credit -= u64::from(MSS) << 14;
            let is_all = self.offered > 0;
            self.send(is_all);
        }
    }

    /// Octets delivered a millisecond, in percent of the rate, in so many milliseconds.
    fn run(&mut self, millis: u32) -> u64 {
        let before = self.delivered;
        for _ in 0..millis * 10 {
            self.step();
        }
        (self.delivered - before) * 100 / (self.rate * u64::from(millis))
    }

    fn run_until(&mut self, mode: Mode, most: u32) -> u32 {
        for steps in 0..most * 10 {
            if self.bbr.mode == mode {
                return steps / 10;
            }
            self.step();
        }
        panic!("no {mode:?} in {most} ms, but {:?}", self.bbr.mode);
    }
}

#[test]
fn startup_finds_the_rate_and_what_it_queued_goes() {
    let mut path = Path::new(10_000, 20_000, true);
    let took = path.run_until(Mode::Drain, 2_000);
    assert!(took < 400, "{took} ms, for the window is doubled in each round trip");
    path.run_until(Mode::Cruise, 200);
    // 200,000 octets are on their way; pacing keeps little beyond.
    assert!(path.queued() < 40_000, "{}", path.queued());
    assert!(path.run(1_000) >= 97);
    assert!(path.queued() < 40_000, "{}", path.queued());
    let per_tick = path.bbr.most().0 / 16;
    assert!((10_000..=10_400).contains(&per_tick), "{per_tick} octets in 1,024 µs");
}

#[test]
fn what_becomes_faster_is_found_within_a_few_trials_and_what_becomes_slower_too() {
    let mut path = Path::new(5_000, 20_000, true);
    path.run(3_000);
    path.rate = 10_000;
    path.run(12_000);
    assert!(path.run(1_000) >= 90, "{}", path.bbr.most().0 / 16);
    path.rate = 4_000;
    // The maximum of two trials has to go first.
    path.run(8_000);
    path.run_until(Mode::Cruise, 4_000);
    let per_tick = path.bbr.most().0 / 16;
    assert!((4_000..=4_300).contains(&per_tick), "{per_tick}");
    assert!(path.queued() < 60_000, "{}", path.queued());
}

#[test]
fn every_two_or_three_seconds_more_is_tried() {
    // Large enough that a Reno beside it would not ask for more trials.
    let mut path = Path::new(50_000, 40_000, true);
    path.run_until(Mode::Cruise, 4_000);
    let waited = path.run_until(Mode::Refill, 4_000);
    let filled = path.run_until(Mode::Up, 200);
    assert!((1_800..=3_200).contains(&waited), "{waited}");
    assert!((30..=90).contains(&filled), "a round trip, not {filled} ms");
    let tried = path.run_until(Mode::Down, 600);
    let drained = path.run_until(Mode::Cruise, 600);
    assert!(tried < 400 && drained < 400, "{tried} {drained}");
    // Then the shortest round trip may be looked for first.
    path.run_until(Mode::Refill, 7_000);
}

/// Every 63 round trips at most, so that a Reno beside it does not starve.
#[test]
fn on_a_short_path_more_is_tried_sooner() {
    let mut path = Path::new(10_000, 6_000, true);
    path.run_until(Mode::Cruise, 2_000);
    let waited = path.run_until(Mode::Refill, 4_000);
    assert!(waited < 70 * 7, "{waited}");
}

#[test]
fn a_loss_in_a_hundred_means_little_and_one_in_twelve_only_to_who_heeds_it() {
    for (heeds_loss, loss, least, most) in
        [(true, 100, 60, 100), (false, 100, 95, 100), (false, 12, 80, 93), (true, 12, 1, 70)]
    {
        let mut path = Path::new(10_000, 20_000, heeds_loss);
        path.loss = loss;
        path.run(3_000);
        let share = path.run(6_000);
        assert!((least..=most).contains(&share), "{heeds_loss} {loss}: {share}");
    }
}

#[test]
fn a_short_queue_is_not_overrun_by_who_heeds_losses() {
    let lost = |heeds_loss| {
        let mut path = Path::new(10_000, 40_000, heeds_loss);
        path.queue = 40_000;
        path.run(3_000);
        let before = path.lost;
        assert!(path.run(9_000) >= 85);
        (path.lost - before) / 1_000
    };
    let (heeding, deaf) = (lost(true), lost(false));
    assert!(heeding < 400 && heeding < deaf, "{heeding} of 90,000, {deaf}");
}

#[test]
fn the_queue_is_emptied_to_see_the_shortest_round_trip() {
    let mut path = Path::new(10_000, 20_000, true);
    path.run(1_000);
    // It takes longer now, and until it is known that it does the queue seems to hold the rest.
    path.rtt = 40_000;
    path.run_until(Mode::ProbeRtt, 8_000);
    let mut least = u32::MAX;
    let lasted = (0..10_000).take_while(|_| {
        path.step();
        least = least.min(path.flight);
        path.bbr.mode == Mode::ProbeRtt
    });
    let lasted = lasted.count() / 10;
    assert!((200..=400).contains(&lasted), "{lasted} ms");
    assert!(least <= 120_000, "half of what the path holds: {least}");
    assert_eq!(path.bbr.mode, Mode::Cruise);
    path.run(11_000);
    let rtt = path.bbr.rtt.get();
    assert!(rtt.is_some_and(|rtt| (40_000..42_000).contains(&rtt)), "{rtt:?}");
    assert!(path.run(1_000) >= 95);
}

/// An application that sends little says nothing about what the path carries.
#[test]
fn who_has_little_to_send_does_not_unlearn_the_rate() {
    let mut path = Path::new(10_000, 20_000, true);
    path.run(2_000);
    let known = path.bbr.most();
    path.offered = 500;
    path.run(20_000);
    assert!(path.bbr.most() >= known.percent(97), "{:?} {known:?}", path.bbr.most());
    path.offered = 0;
    assert!(path.run(1_000) >= 90);
}

#[test]
fn what_was_lost_in_a_repair_comes_back_with_its_end() {
    let mut path = Path::new(10_000, 20_000, true);
    path.run(1_500);
    let window = path.bbr.window();
    path.bbr.on_timeout(MSS, true);
    assert_eq!(path.bbr.window(), MSS);
    path.bbr.on_timeout(MSS, false);
    path.is_repairing = false;
    path.run(50);
    assert!(path.bbr.window() >= window - MSS, "{} {window}", path.bbr.window());
    assert!(path.run(500) >= 95);
}

#[test]
fn a_loss_that_was_none_leaves_no_trace() {
    let mut path = Path::new(10_000, 20_000, true);
    path.run(1_500);
    let (window, bounds) = (path.bbr.window(), path.bbr.bounds);
    assert!(!path.bbr.undo(), "there was none");
    path.bbr.on_loss(MSS);
    path.bbr.bounds.short = 3 * MSS;
    path.bbr.bounds.long = 5 * MSS;
    path.bbr.bounds.bandwidth = super::Bandwidth(1);
    assert!(path.bbr.window() < window);
    assert!(path.bbr.undo() && !path.bbr.undo());
    assert_eq!(path.bbr.window(), window);
    assert_eq!((path.bbr.bounds.short, path.bbr.bounds.long), (bounds.short, bounds.long));
    assert_eq!(path.bbr.bounds.bandwidth, bounds.bandwidth);
}

/// What was sent in a trial tells for a round trip longer, also if the trial ends with a round trip.
#[test]
fn a_trial_that_was_too_much_counts_until_all_of_it_has_told() {
    let mut bbr = Bbr::new(CongestionControl::Bbr { heeds_loss: true });
    bbr.on_established(100 * MSS);
    bbr.bandwidth.take(super::Bandwidth::new(100 * MSS, 10_000));
    bbr.rtt.take(10_000, Ticks(5));
    (bbr.is_full, bbr.is_sampling, bbr.mode) = (true, true, Mode::Up);
    let mut micros = 6_000;
    let mut round = |bbr: &mut Bbr| {
        let (from, flight) = (SeqNum(micros), 0);
        bbr.on_sent(&Sent { from, len: MSS, micros, flight, mss: MSS, is_again: false, is_all: false });
        bbr.on_lost(50 * MSS);
        micros += 11_000;
        let (now, max) = (Ticks(micros >> 10), from + MSS);
        let (is_repairing, is_paced) = (false, true);
        let ack = Ack { now, micros, delivered: MSS, flight, max, mss: MSS, is_repairing, is_paced };
        bbr.on_ack(&ack, |_| true);
    };
    round(&mut bbr);
    assert!(bbr.mode != Mode::Up && bbr.is_stopping && !bbr.is_sampling);
    round(&mut bbr);
    assert!(!bbr.is_stopping);
}

/// Where pacing divides nothing, the window alone keeps the queue within half of what the path holds.
#[test]
fn without_pacing_the_window_leaves_half_a_round_trip_in_the_queue() {
    let mut bbr = Bbr::new(CongestionControl::Bbr { heeds_loss: true });
    bbr.bandwidth.take(super::Bandwidth::new(100 * MSS, 1_000));
    bbr.rtt.take(1_000, Ticks(5));
    bbr.is_full = true;
    let windows = [Mode::Cruise, Mode::Up, Mode::Down].map(|mode| {
        (bbr.mode, bbr.window) = (mode, 1_000 * MSS);
        let ack = Ack {
            now: Ticks(6),
            micros: 6_144,
            delivered: MSS,
            flight: 50 * MSS,
            max: SeqNum(0),
            mss: MSS,
            is_repairing: false,
            is_paced: false,
        };
        bbr.set_window(&ack);
        bbr.window() / MSS
    });
    // And three times two segments, for ACKs that come for two; two more for a trial.
    assert_eq!(windows, [156, 183, 106]);
}

#[test]
fn whatever_acks_say_the_window_stays_within_bounds() {
    let mut random = crate::phy::SimRng::new(5);
    let mut below = |n: u64| random.below(n) as u32;
    for case in 0..3_000 {
        let mut bbr = Bbr::new(CongestionControl::Bbr { heeds_loss: case % 2 == 0 });
        let mss = 1 + below(9_000);
        bbr.on_established(mss * (1 + below(20)));
        let (mut micros, mut seq) = (below(1 << 32), SeqNum(below(1 << 32)));
        for _ in 0..200 {
            let bits = u64::from(below(32));
            micros = micros.wrapping_add(below(1 << bits));
            let places = [below(31), below(31)];
            let flight = below(1 << places[0]);
            match below(6) {
                0..=2 => {
                    let len = 1 + below(u64::from(mss));
                    let (is_again, is_all) = (below(5) == 0, below(3) == 0);
                    bbr.on_sent(&Sent { from: seq, len, micros, flight, mss, is_again, is_all });
                    seq = seq + len;
                }
                3 if below(4) == 0 => bbr.on_loss(mss),
                3 if below(8) == 0 => bbr.on_timeout(mss, below(2) == 0),
                3 => _ = bbr.undo(),
                4 => bbr.on_lost(1 + below(1 << 30)),
                _ => {
                    let ack = Ack {
                        now: Ticks(micros >> 10),
                        micros,
                        delivered: below(1 << places[1]),
                        flight,
                        max: seq,
                        mss,
                        is_repairing: below(2) == 0,
                        is_paced: below(2) == 0,
                    };
                    let has = below(2) == 0;
                    bbr.on_ack(&ack, |_| has);
                    assert!(bbr.window() >= mss && bbr.window() <= 1 << 30, "{}", bbr.window());
                }
            }
            bbr.pace(below(1 << 20));
        }
    }
}
