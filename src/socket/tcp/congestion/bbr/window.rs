//! The window and the pace that follow from the model.

use super::cycle::Mode;
use super::rate::Bandwidth;
use super::{Ack, Bbr, model};
use crate::config;

/// Segments that are always in flight (`BBR.MinPipeCwnd`).
const LEAST: u32 = 4;

impl Bbr {
    /// What the path delivers, but for bounds.
    pub(super) fn most(&self) -> Bandwidth {
        self.bandwidth.get()
    }

    pub(super) fn bandwidth(&self) -> Bandwidth {
        self.most().min(self.bounds.bandwidth)
    }

    /// Octets that may leave a tick, in 16ths; `srtt` in eighths of a tick. One in a hundred less than the path delivers, so
    /// that a queue that is there goes.
    pub(super) fn pace(&self, srtt: u32) -> u32 {
        let bandwidth = match self.bandwidth() {
            Bandwidth(0) => Bandwidth::new(self.window, srtt << 7),
            known => known,
        };
        let gain = if self.is_restart && self.is_full { 100 } else { self.mode.pace() };
        bandwidth.percent(gain * 99 / 100).0
    }

    /// Octets that the path holds at `bandwidth`, in percent.
    pub(super) fn held(&self, bandwidth: Bandwidth, percent: u32) -> u32 {
        let Some(rtt) = self.rtt.get() else { return self.window };
        model::percent(bandwidth.octets(rtt), percent)
    }

    /// The same, with what goes and comes at once (`BBRInflight`).
    pub(super) fn target(&self, percent: u32, mss: u32) -> u32 {
        self.roomy(self.held(self.most(), percent), mss)
    }

    /// So that those who hold segments back for a while, on either end, do not let the path run dry: pacing for a tick.
    fn roomy(&self, held: u32, mss: u32) -> u32 {
        let tick = if self.is_paced { self.bandwidth().octets(1_024) } else { 0 };
        let burst = tick.clamp(2 * mss, (1 << 16).max(2 * mss));
        let more = if self.mode == Mode::Up { 2 * mss } else { 0 };
        (held + 3 * burst).max(LEAST * mss) + more
    }

    /// The window of ProbeRtt.
    pub(super) fn smallest(&self, mss: u32) -> u32 {
        self.held(self.bandwidth(), Mode::ProbeRtt.window()).max(LEAST * mss)
    }

    pub(super) fn set_window(&mut self, ack: &Ack) {
        let mss = ack.mss;
        if self.is_repairing && !ack.is_repairing {
            self.window = self.window.max(self.prior);
        }
        self.is_repairing = ack.is_repairing;
        if self.is_careful && ack.is_repairing {
            self.window = self.window.max(ack.flight.saturating_add(ack.delivered.max(mss)));
        } else {
            self.grow(ack);
        }
        if self.mode == Mode::ProbeRtt {
            self.window = self.window.min(self.smallest(mss));
        }
        let bound = match self.mode {
            Mode::Startup | Mode::Drain => u32::MAX,
            Mode::Down | Mode::Refill | Mode::Up => self.bounds.long,
            Mode::Cruise | Mode::ProbeRtt => self.bounds.modest(mss),
        };
        self.window = self.window.min(bound.min(self.bounds.short).max(LEAST * mss)).min(1 << 30);
    }

    fn grow(&mut self, ack: &Ack) {
        let percent = if self.is_paced { self.mode.window() } else { self.mode.unpaced_window() };
        let most = self.roomy(self.held(self.bandwidth(), percent) + self.aggregation.extra(), ack.mss);
        let grown = self.window.saturating_add(ack.delivered);
        if self.is_full {
            self.window = grown.min(most);
        } else if self.window < most || self.rate.delivered() < config::TCP_INITIAL_WINDOW * ack.mss {
            self.window = grown;
        }
        if !ack.is_repairing {
            self.window = self.window.max(LEAST * ack.mss);
        }
    }
}
