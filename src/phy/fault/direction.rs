//! One direction: the lot of each frame, and the frames that are held.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{FaultConfig, FaultCounters, RateLimit};
use crate::phy::SimRng;
use crate::time::{Duration, Instant};

/// Parts of a token; of these the bucket gains one in a microsecond at a rate of one frame a second.
const PARTS: u64 = 1_000_000;

/// A direction, whose frames come with metadata `M`.
#[derive(Debug)]
pub(super) struct Direction<M> {
    pub(super) config: FaultConfig,
    pub(super) counters: FaultCounters,
    rng: SimRng,
    bucket: Bucket,
    held: VecDeque<Held<M>>,
}

/// A frame that goes on later.
#[derive(Debug)]
pub(super) struct Held<M> {
    pub(super) frame: Vec<u8>,
    pub(super) meta: M,
    /// Frames that still have to pass before it, unless `due_at` comes first.
    ahead_count: u32,
    due_at: Instant,
}

/// The lot of a frame that is not lost. It passes, or is kept, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lot {
    pub(super) is_damaged: bool,
    /// It goes on now.
    pub(super) passes: bool,
    pub(super) keep: Option<Keep>,
}

/// How a copy is kept for later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// It follows as soon as it can.
    AtOnce,
    /// Others pass before it.
    Behind,
}

impl<M> Direction<M> {
    pub(super) fn new(config: FaultConfig, rng: SimRng) -> Direction<M> {
        let (counters, bucket) = (FaultCounters::default(), Bucket::default());
        Direction { config, counters, rng, bucket, held: VecDeque::new() }
    }

    /// Draws the lot of a frame; `None` if it is lost.
    pub(super) fn decide(&mut self, now: Instant, len: usize) -> Option<Lot> {
        if self.config.max_frame_len.is_some_and(|max_len| len > max_len) {
            self.counters.too_long += 1;
            return None;
        }
        if self.config.max_rate.is_some_and(|limit| !self.bucket.take(limit, now)) {
            self.counters.over_rate += 1;
            return None;
        }
        if self.rng.chance(self.config.drop_ppm) {
            self.counters.dropped += 1;
            return None;
        }
        self.counters.passed += 1;
        let is_damaged = self.rng.chance(self.config.corrupt_ppm);
        self.counters.corrupted += u64::from(is_damaged);
        let keep = self.draw_keep();
        self.pass_held();
        Some(match keep {
            None => Lot { is_damaged, passes: true, keep: None },
            Some((keep, passes)) => Lot { is_damaged, passes, keep: Some(keep) },
        })
    }

    /// Whether a copy is kept, and whether the frame passes all the same.
    fn draw_keep(&mut self) -> Option<(Keep, bool)> {
        let is_doubled = self.rng.chance(self.config.duplicate_ppm);
        let is_held = self.rng.chance(self.config.reorder_ppm);
        if !is_doubled && !is_held {
            return None;
        }
        if self.held.len() >= self.config.held_count {
            self.counters.held_full += 1;
            return None;
        }
        self.counters.duplicated += u64::from(is_doubled);
        self.counters.reordered += u64::from(is_held);
        Some((if is_held { Keep::Behind } else { Keep::AtOnce }, is_doubled))
    }

    /// One more frame has passed those that are held.
    fn pass_held(&mut self) {
        for held in &mut self.held {
            held.ahead_count = held.ahead_count.saturating_sub(1); // 0: it is due
        }
    }

    pub(super) fn flip_bit(&mut self, frame: &mut [u8]) {
        self.rng.flip_bit(frame);
    }

    /// Keeps a frame for later.
    pub(super) fn keep(&mut self, now: Instant, frame: Vec<u8>, meta: M, keep: Keep) {
        let (ahead_count, due_at) = match keep {
            Keep::AtOnce => (0, now),
            Keep::Behind => (self.config.reorder_count, now + self.config.reorder_delay),
        };
        self.held.push_back(Held { frame, meta, ahead_count, due_at });
    }

    /// The first frame that goes on now.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Held<M>> {
        let place = self.held.iter().position(|held| held.is_due(now))?;
        self.held.remove(place)
    }

    /// The same, to look at it.
    pub(super) fn has_due(&self, now: Instant) -> bool {
        self.held.iter().any(|held| held.is_due(now))
    }

    /// When the next one goes on if no frame passes.
    pub(super) fn due_at(&self, now: Instant) -> Option<Instant> {
        self.held.iter().map(|held| if held.is_due(now) { now } else { held.due_at }).min()
    }

    /// How many frames are held.
    pub(super) fn held_count(&self) -> usize {
        self.held.len()
    }
}

impl<M> Held<M> {
    fn is_due(&self, now: Instant) -> bool {
        self.ahead_count == 0 || self.due_at <= now
    }
}

/// How full a token bucket is.
#[derive(Debug, Default)]
struct Bucket {
    /// In parts of a token; `None` before the first frame, which finds it full.
    level: Option<u64>,
    filled_at: Instant,
}

impl Bucket {
    /// Takes a frame's token, if there is one.
    fn take(&mut self, limit: RateLimit, now: Instant) -> bool {
        let full = u64::from(limit.burst) * PARTS;
        let gained = self.since(now).total_micros().saturating_mul(limit.rate.into()); // more than full
        let level = self.level.unwrap_or(full).saturating_add(gained).min(full);
        let has_one = level >= PARTS;
        self.level = Some(if has_one { level - PARTS } else { level });
        self.filled_at = now.max(self.filled_at);
        has_one
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.filled_at)
    }
}
