//! One direction of a link: the queue at its head and the frames under way. And the times in which the
//! link is up.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use super::{Flap, PathConfig, PathCounters, WhenFull, mark};
use crate::phy::{Medium, SimRng};
use crate::time::{Duration, Instant};

/// Times up and down, drawn as time goes on.
#[derive(Debug)]
pub(super) struct Schedule {
    flap: Option<Flap>,
    rng: SimRng,
    pub(super) is_up: bool,
    pub(super) change_at: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(flap: Option<Flap>, rng: SimRng) -> Schedule {
        Schedule { flap, rng, is_up: true, change_at: None }
    }

    /// Begins anew, with the link up.
    pub(super) fn restart(&mut self, flap: Option<Flap>) {
        (self.flap, self.is_up, self.change_at) = (flap, true, None);
    }

    /// The next change up to `now`, if there is one left: when, and whether the link is up then.
    pub(super) fn step(&mut self, now: Instant) -> Option<(Instant, bool)> {
        let flap = self.flap?;
        // The first period begins with the first call.
        let change_at = *self.change_at.get_or_insert_with(|| now + around(&mut self.rng, flap.up));
        if change_at > now {
            return None;
        }
        self.is_up = !self.is_up;
        let mean = if self.is_up { flap.up } else { flap.down };
        self.change_at = Some(change_at + around(&mut self.rng, mean));
        Some((change_at, self.is_up))
    }
}

/// Between half and one and a half times `mean`, and at least 1 µs so that time goes on.
fn around(rng: &mut SimRng, mean: Duration) -> Duration {
    let mean = mean.total_micros();
    Duration::from_micros((mean / 2 + rng.below(mean)).max(1))
}

/// One direction.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) config: PathConfig,
    medium: Medium,
    max_len: usize,
    pub(super) counters: PathCounters,
    rng: SimRng,
    is_bad: bool,
    /// Frames that have not left yet, in order.
    waiting: VecDeque<Waiting>,
    waiting_octets: usize,
    /// When the last frame leaves, in ns: at 10 Gbit/s a small frame takes a fraction of a µs.
    busy_until_ns: i64,
    /// Sorted by arrival; equal ones in the order in which they were sent.
    pub(super) in_flight: VecDeque<InFlight>,
    /// The latest arrival of a frame that was not held back.
    last_arrival_at: Instant,
    pub(super) spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Waiting {
    departs_ns: i64,
    len: usize,
}

#[derive(Debug)]
pub(super) struct InFlight {
    arrives_at: Instant,
    frame: Vec<u8>,
}

/// Buffers kept for later frames.
const SPARE_COUNT: usize = 64;

impl Path {
    pub(super) fn new(config: PathConfig, medium: Medium, max_len: usize, rng: SimRng) -> Path {
        Path {
            config,
            medium,
            max_len,
            counters: PathCounters::default(),
            rng,
            is_bad: false,
            waiting: VecDeque::new(),
            waiting_octets: 0,
            busy_until_ns: i64::MIN,
            in_flight: VecDeque::new(),
            last_arrival_at: Instant::ZERO,
            spare: Vec::new(),
        }
    }

    /// Lets the frames go that have left by `now`.
    pub(super) fn advance(&mut self, now: Instant) {
        while let Some(first) = self.waiting.front()
            && first.departs_ns <= nanos(now)
        {
            self.waiting_octets -= first.len;
            self.waiting.pop_front();
        }
    }

    /// The link went down at `at`: what has not arrived by then never will.
    pub(super) fn lose_from(&mut self, at: Instant) {
        let arrived_count = self.in_flight.partition_point(|entry| entry.arrives_at < at);
        self.counters.link_down += (self.in_flight.len() - arrived_count) as u64;
        self.in_flight.truncate(arrived_count);
        self.waiting.clear();
        self.waiting_octets = 0;
        self.busy_until_ns = nanos(at);
    }

    /// Whether a token can be given: always, unless a full queue shall be seen by the sender.
    pub(super) fn has_room(&self) -> bool {
        self.config.when_full == WhenFull::Drop || !self.is_full(self.max_len)
    }

    fn is_full(&self, len: usize) -> bool {
        // What finds the path idle leaves at once and never waits, however small the queue.
        !self.waiting.is_empty()
            && (self.waiting.len() >= self.config.queue_frames
                || self.waiting_octets.saturating_add(len) > self.config.queue_octets)
    }

    /// When the queue has room again, if it is full and its sender waits for that.
    pub(super) fn room_at(&self) -> Option<Instant> {
        if self.has_room() {
            return None;
        }
        Some(instant_after(self.waiting.front()?.departs_ns))
    }

    pub(super) fn next_arrival_at(&self, now: Instant) -> Option<Instant> {
        Some(self.in_flight.front()?.arrives_at.max(now))
    }

    /// Swaps the next frame that has arrived into `frame`.
    pub(super) fn deliver(&mut self, now: Instant, frame: &mut Vec<u8>) -> bool {
        if self.in_flight.front().is_none_or(|first| first.arrives_at > now) {
            return false;
        }
        let Some(first) = self.in_flight.pop_front() else { return false };
        self.counters.delivered += 1;
        self.counters.delivered_octets += first.frame.len() as u64;
        self.recycle(mem::replace(frame, first.frame));
        true
    }

    fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < SPARE_COUNT {
            self.spare.push(buffer);
        }
    }

    /// Takes a frame, leaving another buffer in its place.
    pub(super) fn send(&mut self, now: Instant, is_up: bool, frame: &mut Vec<u8>) {
        self.counters.sent += 1;
        self.counters.sent_octets += frame.len() as u64;
        let is_long = self.waiting_octets >= self.config.mark_octets;
        let Some(departs_ns) = self.admit(now, is_up, frame.len()) else { return };
        if is_long && mark::mark(self.medium, frame) {
            self.counters.marked += 1;
        }
        if self.is_lost() {
            return;
        }
        if self.rng.chance(self.config.corrupt_ppm) {
            self.counters.corrupted += 1;
            self.rng.flip_bit(frame);
        }
        let arrives_at = self.arrival(departs_ns);
        if self.rng.chance(self.config.duplicate_ppm) {
            self.counters.duplicated += 1;
            let mut double = self.spare.pop().unwrap_or_default();
            double.clear();
            double.extend_from_slice(frame);
            self.insert(arrives_at, double);
        }
        let buffer = self.spare.pop().unwrap_or_default();
        self.insert(arrives_at, mem::replace(frame, buffer));
    }

    /// Queues a frame and says when its last bit leaves; `None`, and counted, if it does not.
    fn admit(&mut self, now: Instant, is_up: bool, len: usize) -> Option<i64> {
        let lost = if !is_up {
            &mut self.counters.link_down
        } else if len > self.max_len {
            &mut self.counters.too_long
        } else if self.is_full(len) {
            &mut self.counters.queue_full
        } else {
            let begins_ns = self.busy_until_ns.max(nanos(now));
            self.busy_until_ns = begins_ns + transmission_ns(len, self.config.rate);
            self.waiting.push_back(Waiting { departs_ns: self.busy_until_ns, len });
            self.waiting_octets += len;
            return Some(self.busy_until_ns);
        };
        *lost += 1;
        None
    }

    fn is_lost(&mut self) -> bool {
        if self.rng.chance(self.config.loss_ppm) {
            self.counters.lost += 1;
            return true;
        }
        let Some(burst) = self.config.burst else { return false };
        let change_ppm = if self.is_bad { burst.leave_ppm } else { burst.enter_ppm };
        self.is_bad ^= self.rng.chance(change_ppm);
        let is_lost = self.is_bad && self.rng.chance(burst.loss_ppm);
        self.counters.burst_lost += u64::from(is_lost);
        is_lost
    }

    fn arrival(&mut self, departs_ns: i64) -> Instant {
        let jitter_micros = self.config.jitter.total_micros();
        let jitter = if jitter_micros == 0 { 0 } else { self.rng.below(jitter_micros + 1) };
        let on_time = instant_after(departs_ns) + self.config.delay + Duration::from_micros(jitter);
        let in_order = on_time.max(self.last_arrival_at);
        if self.rng.chance(self.config.reorder_ppm) {
            self.counters.reordered += 1;
            return in_order + self.config.reorder_delay;
        }
        self.last_arrival_at = in_order;
        in_order
    }

    fn insert(&mut self, arrives_at: Instant, frame: Vec<u8>) {
        // Nearly always the last one, so from the back.
        let later_count =
            self.in_flight.iter().rev().take_while(|entry| entry.arrives_at > arrives_at).count();
        let index = self.in_flight.len() - later_count;
        self.in_flight.insert(index, InFlight { arrives_at, frame });
    }
}

fn nanos(at: Instant) -> i64 {
    at.total_micros().saturating_mul(1_000)
}

/// The first whole microsecond not before `at_ns`.
fn instant_after(at_ns: i64) -> Instant {
    Instant::from_micros(at_ns.saturating_add(999).div_euclid(1_000))
}

fn transmission_ns(len: usize, rate: u64) -> i64 {
    if rate == 0 {
        return 0;
    }
    (len as u64).saturating_mul(8_000_000_000).div_ceil(rate) as i64
}
