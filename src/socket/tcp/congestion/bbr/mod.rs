//! BBR, version 3 (draft-ietf-ccwg-bbr): congestion control by a model of the path.
//!
//! | file | what |
//! | --- | --- |
//! | `mod` | what is tried when, and the window and the pace that follow |
//! | `model` | how fast the path delivers, how long it takes, how much it bears |
//! | `rate` | measures it |
//!
//! ```text
//! Startup --no faster for three round trips, or losses--> Drain --queue is empty--> Down
//!   Down --queue is empty--> Cruise --some seconds--> Refill --a round trip--> Up --no faster, or losses--> Down
//!   any  --no short round trip for 5 s--> ProbeRtt --200 ms--> Cruise (or Startup)
//! ```
//!
//! As much is in flight as the path delivers in its shortest round trip, and as much again for ACKs that are late. By itself a loss means
//! nothing; more than two in a hundred mean that it was too much, unless the socket does not heed losses at all (as
//! version 1 did).
//!
//! On paths of less than four ticks of the clock, which pacing does not divide, the window alone holds it back.

mod cycle;
mod model;
#[cfg_attr(not(feature = "alloc"), path = "place_inline.rs")]
mod place;
mod rate;
#[cfg(test)]
mod tests;
mod window;

use self::cycle::{Mode, WAIT};
use self::model::{Aggregation, Bounds, MinRtt, Most, is_too_much};
use self::place::Place;
use self::rate::{Bandwidth, Rate, Sample};
use super::choice::{CongestionControl, Control};
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

/// What an ACK tells.
#[derive(Debug, Clone, Copy)]
pub(in crate::socket::tcp) struct Ack {
    pub(in crate::socket::tcp) now: Ticks,
    /// The same in microseconds, which wrap.
    pub(in crate::socket::tcp) micros: u32,
    /// Octets that it says to have arrived.
    pub(in crate::socket::tcp) delivered: u32,
    /// Octets in flight after it.
    pub(in crate::socket::tcp) flight: u32,
    pub(in crate::socket::tcp) max: SeqNum,
    pub(in crate::socket::tcp) mss: u32,
    /// Losses are being repaired.
    pub(in crate::socket::tcp) is_repairing: bool,
    /// Pacing divides the round trip.
    pub(in crate::socket::tcp) is_paced: bool,
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(in crate::socket::tcp) struct Sent {
    pub(in crate::socket::tcp) from: SeqNum,
    pub(in crate::socket::tcp) len: u32,
    /// Microseconds, which wrap.
    pub(in crate::socket::tcp) micros: u32,
    /// Octets in flight before it.
    pub(in crate::socket::tcp) flight: u32,
    pub(in crate::socket::tcp) mss: u32,
    /// It was sent before.
    pub(in crate::socket::tcp) is_again: bool,
    /// There is nothing behind it.
    pub(in crate::socket::tcp) is_all: bool,
}

/// What was before losses, which may turn out to have been none.
#[derive(Debug, Clone, Copy)]
struct Before {
    window: u32,
    bounds: Bounds,
}

#[derive(Debug, Clone)]
struct Bbr {
    heeds_loss: bool,
    mode: Mode,
    rate: Rate,
    bandwidth: Most<Bandwidth>,
    rtt: MinRtt,
    aggregation: Aggregation,
    bounds: Bounds,
    /// Octets that had been delivered when this round trip began.
    round_end: u32,
    /// Round trips since more was last tried.
    rounds: u32,
    /// The bandwidth that is to be exceeded, and for how many round trips it was not.
    full: Bandwidth,
    full_rounds: u8,
    /// The path was full once.
    is_full: bool,
    /// What is delivered now was sent when more was tried.
    is_sampling: bool,
    /// The samples of a trial are to count as a period of their own.
    is_stopping: bool,
    losses: u8,
    /// When the trial, or the time without one, began; and how long that is.
    since: Ticks,
    wait: u32,
    /// By how many segments a round trip the bound is raised, as a power of two, and octets acknowledged for it.
    up_shift: u8,
    up_acked: u32,
    /// When there is enough of ProbeRtt.
    probed_at: Option<Ticks>,
    is_probe_round: bool,
    /// Sent after a silence.
    is_restart: bool,
    /// Pacing divides the round trip.
    is_paced: bool,
    /// The window has held something back in this round trip.
    is_window_full: bool,
    /// Losses are being repaired, and in the first round trip no more goes than has come.
    is_repairing: bool,
    is_careful: bool,
    window: u32,
    /// The window before it was repaired, or before ProbeRtt.
    prior: u32,
    before: Option<Before>,
}

impl Bbr {
    pub(super) const fn new(kind: CongestionControl) -> Bbr {
        let heeds_loss = matches!(kind, CongestionControl::Bbr { heeds_loss: true });
        Bbr {
            heeds_loss,
            mode: Mode::Startup,
            rate: Rate::new(),
            bandwidth: Most::new(Bandwidth(0)),
            rtt: MinRtt::new(),
            aggregation: Aggregation::new(),
            bounds: Bounds::NONE,
            round_end: 0,
            rounds: 0,
            full: Bandwidth(0),
            full_rounds: 0,
            is_full: false,
            is_sampling: false,
            is_stopping: false,
            losses: 0,
            since: Ticks(0),
            wait: WAIT.0,
            up_shift: 0,
            up_acked: 0,
            probed_at: None,
            is_probe_round: false,
            is_restart: false,
            is_paced: false,
            is_window_full: false,
            is_repairing: false,
            is_careful: false,
            window: 0,
            prior: 0,
            before: None,
        }
    }

    pub(super) fn on_established(&mut self, window: u32) {
        self.window = window;
    }

    pub(super) fn window(&self) -> u32 {
        self.window
    }

    pub(super) fn on_sent(&mut self, sent: &Sent) {
        let &Sent { from, len, micros, flight, .. } = sent;
        if flight == 0 {
            self.is_restart = self.rate.is_app_limited();
            self.aggregation.restart(micros);
            self.round_end = self.rate.delivered();
        }
        self.rate.on_sent(from + len, len, flight, sent.is_again, micros);
        let out = flight + len;
        self.is_window_full |= out + sent.mss > self.window;
        if sent.is_all && out < self.window {
            self.rate.on_app_limited(out);
        }
    }

    /// Octets are lost, seen together.
    pub(super) fn on_lost(&mut self, octets: u32) {
        self.rate.on_lost(octets);
        self.bounds.on_lost();
        self.losses = self.losses.saturating_add(1);
    }

    fn save(&mut self) {
        self.prior = if self.is_repairing || self.mode == Mode::ProbeRtt {
            self.prior.max(self.window)
        } else {
            self.window
        };
    }

    /// Losses begin to be repaired: what is in flight then is the window, which the ACK says that told of them.
    pub(super) fn on_loss(&mut self, mss: u32) {
        self.before = Some(Before { window: self.window, bounds: self.bounds });
        self.save();
        (self.is_repairing, self.is_careful) = (true, true);
        self.window = mss;
    }

    /// The timer ran out.
    pub(super) fn on_timeout(&mut self, mss: u32, is_first: bool) {
        if is_first {
            self.before = Some(Before { window: self.window, bounds: self.bounds });
            self.save();
        }
        self.is_repairing = true;
        self.is_careful = false;
        self.window = mss;
    }

    /// The last losses were none.
    pub(super) fn undo(&mut self) -> bool {
        let Some(Before { window, bounds }) = self.before.take() else { return false };
        self.window = self.window.max(window);
        self.bounds.long = self.bounds.long.max(bounds.long);
        self.bounds.short = self.bounds.short.max(bounds.short);
        self.bounds.bandwidth = self.bounds.bandwidth.max(bounds.bandwidth);
        self.expect_more(Bandwidth(0));
        true
    }

    /// An ACK is taken; `has_arrived` says of a segment by its end whether it has.
    pub(super) fn on_ack(&mut self, ack: &Ack, has_arrived: impl Fn(SeqNum) -> bool) {
        self.is_paced = ack.is_paced;
        let least = self.rtt.get().unwrap_or(0);
        let sample = self.rate.on_delivered(ack.delivered, has_arrived, least, ack.micros);
        self.aggregation.on_ack(ack.delivered, self.bandwidth(), self.window, ack.micros);
        let is_round = sample.is_some_and(|sample| self.learn(ack, &sample));
        self.go_on(ack);
        self.probe_rtt(ack, is_round);
        self.is_restart = false;
        self.set_window(ack);
    }

    /// A segment tells how the path is. Says whether a round trip is over by that.
    fn learn(&mut self, ack: &Ack, sample: &Sample) -> bool {
        let is_round = sample.sent_after.wrapping_sub(self.round_end) as i32 >= 0;
        if is_round {
            self.round_end = self.rate.delivered();
            self.rounds += 1;
            self.is_careful = false;
            self.aggregation.on_round(self.is_full);
            self.end_trial(sample);
        }
        let bandwidth = sample.bandwidth.unwrap_or_default();
        if !sample.is_app_limited || bandwidth >= self.most() {
            self.bandwidth.take(bandwidth);
        }
        if let Some(rtt) = sample.rtt {
            self.rtt.take(rtt, ack.now);
        }
        if self.heeds_loss {
            self.look_at_losses(ack, sample, is_round);
        }
        if is_round {
            self.look_whether_full(ack, sample);
            self.on_round(ack, sample);
            (self.losses, self.is_window_full) = (0, false);
        }
        is_round
    }

    fn look_at_losses(&mut self, ack: &Ack, sample: &Sample, is_round: bool) {
        let now = (self.window, self.most());
        self.bounds.take(sample, is_round, self.mode.is_trial(), now);
        if is_too_much(sample) {
            if self.is_sampling {
                self.is_sampling = false;
                self.bounds.on_too_much(sample, self.target(100, ack.mss).min(self.window));
                if self.mode == Mode::Up {
                    self.go_down(ack);
                }
            }
        } else {
            self.bounds.on_borne(sample.flight);
            if self.mode == Mode::Up {
                self.raise(ack);
            }
        }
    }
}

/// The model of a path, if the connection has one.
#[derive(Debug, Clone)]
pub(super) struct Model(Place);

impl Model {
    pub(super) fn new(kind: CongestionControl) -> Model {
        Model(if kind.is_bbr() { Place::new(Bbr::new(kind)) } else { Place::NONE })
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.get().is_some()
    }

    /// The window, by which all else is ruled; 0 without a model.
    pub(super) fn window(&self) -> u32 {
        self.0.get().map_or(0, Bbr::window)
    }

    pub(super) fn on_established(&mut self, window: u32) {
        if let Some(bbr) = self.0.get_mut() {
            bbr.on_established(window);
        }
    }

    pub(super) fn on_loss(&mut self, mss: u32) {
        if let Some(bbr) = self.0.get_mut() {
            bbr.on_loss(mss);
        }
    }

    pub(super) fn on_timeout(&mut self, mss: u32, is_first: bool) {
        if let Some(bbr) = self.0.get_mut() {
            bbr.on_timeout(mss, is_first);
        }
    }

    pub(super) fn undo(&mut self) -> bool {
        self.0.get_mut().is_some_and(Bbr::undo)
    }
}

impl CongestionControl {
    #[inline]
    pub(super) fn is_bbr(self) -> bool {
        matches!(self, CongestionControl::Bbr { .. })
    }
}

/// What only BBR is told.
impl Control {
    #[inline]
    pub(in crate::socket::tcp) fn is_bbr(&self) -> bool {
        self.kind.is_bbr()
    }

    #[cold]
    pub(in crate::socket::tcp) fn on_sent(&mut self, sent: &Sent) {
        if let Some(bbr) = self.bbr.0.get_mut() {
            bbr.on_sent(sent);
        }
    }

    /// Octets are lost, seen together.
    #[cold]
    pub(in crate::socket::tcp) fn on_lost(&mut self, octets: u32) {
        if let Some(bbr) = self.bbr.0.get_mut() {
            bbr.on_lost(octets);
        }
    }

    /// An ACK is taken; `has_arrived` says of a segment by its end whether it has.
    #[cold]
    pub(in crate::socket::tcp) fn on_delivered(&mut self, ack: &Ack, has_arrived: impl Fn(SeqNum) -> bool) {
        if let Some(bbr) = self.bbr.0.get_mut() {
            bbr.on_ack(ack, has_arrived);
        }
        self.reno.set_window(self.bbr.window());
    }

    /// Octets that may leave a tick, in 16ths; `srtt` in eighths of a tick.
    #[cold]
    pub(in crate::socket::tcp) fn pace(&self, srtt: u32) -> u32 {
        self.bbr.0.get().map_or(0, |bbr| bbr.pace(srtt))
    }
}
