//! What is tried when: the path at first, then more of it every few seconds, and how short its round trip is.

use super::model::is_too_much;
use super::rate::{Bandwidth, Sample};
use super::{Ack, Bbr};

/// Round trips without growth after which a path is known to be full.
const ROUNDS_FULL: u8 = 3;

/// Growth by less is none, in percent.
const GROWTH: u32 = 125;

/// How long the queue is kept empty to see the shortest round trip, in ticks: 200 ms (`BBR.ProbeRTTDuration`).
const PROBE_RTT: u32 = 196;

/// The shortest time between two trials, and by how much it may be longer, by chance; in ticks: 2 s and 1 s.
pub(super) const WAIT: (u32, u32) = (1_953, 977);

/// Round trips between two trials at most: a small Reno's window grows by a segment in each.
const ROUNDS_WAIT: u32 = 63;

/// Losses seen at different times in a round trip that end Startup (`BBRStartupFullLossCnt`).
const LOSSES_FULL: u8 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Twice as fast each round trip.
    Startup,
    /// What Startup has queued goes.
    Drain,
    /// What was queued by trying more goes.
    Down,
    /// As fast as the path.
    Cruise,
    /// The path is filled before more is tried.
    Refill,
    /// More is tried.
    Up,
    /// Little is in flight, so that the shortest round trip is seen.
    ProbeRtt,
}

impl Mode {
    /// How fast it sends, in percent of what the path delivers.
    pub(super) fn pace(self) -> u32 {
        match self {
            Mode::Startup => 277,
            Mode::Drain => 50,
            Mode::Down => 90,
            Mode::Cruise | Mode::Refill | Mode::ProbeRtt => 100,
            Mode::Up => 125,
        }
    }

    /// How much is in flight, in percent of what the path holds.
    pub(super) fn window(self) -> u32 {
        match self {
            Mode::ProbeRtt => 50,
            Mode::Up => 225,
            _ => 200,
        }
    }

    /// The same where the pace holds nothing back, so that the window decides how much is queued.
    pub(super) fn unpaced_window(self) -> u32 {
        match self {
            Mode::Drain | Mode::Down => 100,
            Mode::Cruise | Mode::Refill => 150,
            Mode::Up => 175,
            Mode::Startup | Mode::ProbeRtt => self.window(),
        }
    }

    /// More is tried than the path is known to bear.
    pub(super) fn is_trial(self) -> bool {
        matches!(self, Mode::Startup | Mode::Refill | Mode::Up)
    }
}

impl Bbr {
    /// As long as what is tried is borne, more is tried: faster each round trip.
    pub(super) fn raise(&mut self, ack: &Ack) {
        if self.bounds.is_open() || !self.is_window_full || self.window < self.bounds.long {
            return;
        }
        self.up_acked = self.up_acked.saturating_add(ack.delivered);
        let each = (self.window / (1 << self.up_shift)).max(ack.mss);
        let segments = self.up_acked / each;
        self.up_acked -= segments * each;
        self.bounds.raise(segments.saturating_mul(ack.mss));
    }

    /// A round trip is over: whether the path delivers more than before.
    pub(super) fn look_whether_full(&mut self, ack: &Ack, sample: &Sample) {
        if sample.is_app_limited {
            return;
        }
        let bandwidth = sample.bandwidth.unwrap_or_default();
        let is_lossy = self.heeds_loss && self.losses >= LOSSES_FULL && is_too_much(sample);
        if self.mode == Mode::Startup && is_lossy {
            self.bounds.long = self.target(100, ack.mss).max(sample.delivered);
            self.full_rounds = ROUNDS_FULL;
        } else if bandwidth >= self.full.percent(GROWTH) {
            self.expect_more(bandwidth);
        } else {
            self.full_rounds = self.full_rounds.saturating_add(1);
        }
        self.is_full |= self.full_rounds >= ROUNDS_FULL;
    }

    /// A round trip is over.
    pub(super) fn on_round(&mut self, ack: &Ack, sample: &Sample) {
        let bandwidth = sample.bandwidth.unwrap_or_default();
        match self.mode {
            Mode::Refill => {
                self.is_sampling = true;
                self.begin(Mode::Up, ack);
                self.expect_more(bandwidth);
            }
            Mode::Up => {
                self.up_shift = (self.up_shift + 1).min(20);
                if self.is_window_full && self.window >= self.bounds.long {
                    // It is the bound that holds it back, not the path.
                    self.expect_more(bandwidth);
                }
            }
            _ => {}
        }
    }

    /// A round trip is over that has begun after a trial: the last of what was sent in it has told.
    pub(super) fn end_trial(&mut self, sample: &Sample) {
        if !self.is_stopping {
            return;
        }
        (self.is_stopping, self.is_sampling) = (false, false);
        if !sample.is_app_limited {
            self.bandwidth.advance(Bandwidth(0));
        }
    }

    /// The path is to deliver more than `bandwidth`, else it is full.
    pub(super) fn expect_more(&mut self, bandwidth: Bandwidth) {
        (self.full, self.full_rounds) = (bandwidth, 0);
    }

    pub(super) fn begin(&mut self, mode: Mode, ack: &Ack) {
        (self.mode, self.since) = (mode, ack.now);
    }

    /// What comes next of what does not wait for a round trip.
    pub(super) fn go_on(&mut self, ack: &Ack) {
        let is_drained = |percent| ack.flight <= self.target(percent, ack.mss);
        match self.mode {
            Mode::Startup if self.is_full => self.begin(Mode::Drain, ack),
            Mode::Drain if is_drained(100) => self.go_down(ack),
            Mode::Down | Mode::Cruise if self.is_time_to_try(ack) => {
                self.bounds.forget_short();
                (self.up_shift, self.up_acked) = (0, 0);
                self.round_end = self.rate.delivered();
                self.begin(Mode::Refill, ack);
            }
            Mode::Down if is_drained(100) && ack.flight <= self.bounds.modest(ack.mss) => {
                // How long it waits counts from when it went down.
                self.mode = Mode::Cruise;
            }
            Mode::Up if self.full_rounds >= ROUNDS_FULL => self.go_down(ack),
            _ => {}
        }
    }

    pub(super) fn go_down(&mut self, ack: &Ack) {
        // Two or three seconds, so that those who share a path do not try at the same time.
        let chance = ack.micros.wrapping_mul(0x9e37_79b1) ^ ack.max.0.wrapping_mul(0x85eb_ca6b);
        self.wait = WAIT.0 + (((chance >> 16) * WAIT.1) >> 16);
        self.rounds = chance & 1;
        self.is_stopping = true;
        self.round_end = self.rate.delivered();
        self.begin(Mode::Down, ack);
    }

    fn is_time_to_try(&self, ack: &Ack) -> bool {
        let rounds = (self.target(100, ack.mss) / ack.mss).min(ROUNDS_WAIT);
        ack.now.since(self.since) > self.wait as i32 || self.rounds >= rounds
    }

    /// Whether the shortest round trip is to be looked for, or was.
    pub(super) fn probe_rtt(&mut self, ack: &Ack, is_round: bool) {
        if self.mode != Mode::ProbeRtt {
            if self.rtt.is_overdue() && !self.is_restart {
                self.save();
                self.probed_at = None;
                self.is_stopping |= self.is_sampling;
                self.begin(Mode::ProbeRtt, ack);
            }
            return;
        }
        // What is delivered now says nothing of the bandwidth.
        self.rate.on_app_limited(ack.flight);
        let Some(due) = self.probed_at else {
            if ack.flight <= self.smallest(ack.mss) {
                self.probed_at = Some(ack.now.after(PROBE_RTT));
                (self.round_end, self.is_probe_round) = (self.rate.delivered(), false);
            }
            return;
        };
        self.is_probe_round |= is_round;
        if self.is_probe_round && due.is_due(ack.now) {
            self.rtt.on_probed(ack.now);
            self.window = self.window.max(self.prior);
            if self.is_full {
                self.bounds.forget_short();
                self.go_down(ack);
                self.mode = Mode::Cruise;
            } else {
                self.begin(Mode::Startup, ack);
            }
        }
    }
}
