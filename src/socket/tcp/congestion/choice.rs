//! Each socket's own congestion control. What they have in common is Reno's.

use super::super::Socket;
use super::bbr::Model;
use super::cubic::{Cubic, Epoch};
use super::reno::Reno;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

/// How a connection decides how much may be in flight.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CongestionControl {
    /// Nothing but the peer's window bounds it: for a laboratory, or a link with one user and no router.
    None,
    /// Half the window after a loss, then a segment a round trip (RFC 5681, RFC 6582).
    Reno,
    /// Seven tenths of the window after a loss, then as fast as the time since then says, be the round trip long
    /// or short (RFC 9438).
    #[default]
    Cubic,
    /// As much as a model of the path says that it holds, be some of it lost (BBR, draft-ietf-ccwg-bbr). It needs
    /// [pacing](Socket::set_pacing_enabled), and to be polled as that says. What it sends is not marked for explicit congestion
    /// notification.
    #[cfg(feature = "tcp-bbr")]
    Bbr {
        /// Whether more than two lost in a hundred mean that it was too much (version 3). If not, it goes on as if nothing
        /// were (version 1, which Linux has): faster on a path that loses at random, and no good
        /// neighbour where a short queue is what loses.
        heeds_loss: bool,
    },
}

/// Octets of the model of a path.
pub(in crate::socket::tcp) const MODEL: usize = size_of::<Model>();

/// What the socket's next connection has.
#[derive(Debug, Clone, Copy)]
pub(in crate::socket::tcp) struct Choice(CongestionControl);

impl Choice {
    pub(in crate::socket::tcp) const DEFAULT: Choice = Choice(CongestionControl::Cubic);

    pub(in crate::socket::tcp) fn start(self) -> Control {
        let bbr = Model::new(self.0);
        // There was no memory for it.
        let is_lacking = self.0.is_bbr() && !bbr.is_there();
        let kind = if is_lacking { CongestionControl::Cubic } else { self.0 };
        Control { reno: Reno::new(), cubic: Cubic::new(), bbr, kind, before: None }
    }
}

impl Socket<'_> {
    /// The congestion control of the socket's next connection, be it opened or accepted. At first CUBIC.
    pub fn set_congestion_control(&mut self, control: CongestionControl) {
        self.side.config.control = Choice(control);
    }

    /// What was set.
    pub fn congestion_control(&self) -> CongestionControl {
        self.side.config.control.0
    }
}

/// The congestion control of a connection; everything counts octets, as with [`Reno`].
#[derive(Debug, Clone)]
pub(in crate::socket::tcp) struct Control {
    /// Its window counts, whoever has set it.
    pub(super) reno: Reno,
    cubic: Cubic,
    pub(super) bbr: Model,
    pub(super) kind: CongestionControl,
    /// What was before the last reduction.
    before: Option<Before>,
}

/// Threshold and epoch before a reduction; [`Cubic`] knows the window.
#[derive(Debug, Clone, Copy)]
struct Before {
    ssthresh: u32,
    epoch: Epoch,
}

impl Control {
    #[inline]
    pub(in crate::socket::tcp) fn window(&self) -> u32 {
        self.reno.window()
    }

    pub(in crate::socket::tcp) fn threshold(&self) -> u32 {
        self.reno.threshold()
    }

    #[inline]
    pub(in crate::socket::tcp) fn is_searching(&self) -> bool {
        self.reno.is_searching() && !self.kind.is_bbr()
    }

    pub(in crate::socket::tcp) fn search(
        &mut self,
        una: SeqNum,
        max: SeqNum,
        rtt: Option<u32>,
        is_paced: bool,
        now: Ticks,
    ) {
        if !self.is_none() {
            self.reno.search(una, max, rtt, is_paced, now);
        }
    }

    fn is_none(&self) -> bool {
        self.kind == CongestionControl::None
    }

    /// The window does not follow losses as Reno's does.
    #[inline]
    fn is_own(&self) -> bool {
        self.is_none() || self.kind.is_bbr()
    }

    pub(in crate::socket::tcp) fn set_window(&mut self, cwnd: u32) {
        if !self.is_own() {
            self.reno.set_window(cwnd);
        }
    }

    pub(in crate::socket::tcp) fn on_established(&mut self, mss: u32, was_syn_lost: bool) {
        self.reno.on_established(mss, was_syn_lost);
        self.bbr.on_established(self.reno.window());
        if self.is_none() {
            self.reno.set_window(u32::MAX);
        }
    }

    /// `acked` octets have left the network, of a window that was in use; `srtt` in ticks, 0 if it is not known.
    #[inline]
    pub(in crate::socket::tcp) fn on_ack(&mut self, acked: u32, mss: u32, now: Ticks, srtt: u32) {
        let cwnd = self.reno.window();
        if self.kind == CongestionControl::Cubic && cwnd >= self.reno.threshold() {
            self.reno.set_window(self.cubic.on_ack(cwnd, acked, mss, now, srtt));
        } else if !self.kind.is_bbr() {
            // Of no control the window is the largest there is, and below the threshold.
            self.reno.on_ack(acked, mss, now, srtt);
        }
    }

    /// What Reno halves to get the threshold: for RFC 9438 §4.6 that is seven tenths of the flight.
    fn halved(&self, flight: u32) -> u32 {
        if self.kind == CongestionControl::Cubic { flight + flight * 2 / 5 } else { flight }
    }

    /// RFC 9438 §4.9: keeps what a reduction that is about to come changes.
    fn save(&mut self) {
        self.before = Some(Before { ssthresh: self.reno.threshold(), epoch: self.cubic.save() });
    }

    /// RFC 9438 §4.9: the last reduction was not called for; all is as before it, but for what the window has grown
    /// beyond. What has been undone once, or lies behind a silence, is not undone again. Says whether it was undone.
    #[cold]
    pub(in crate::socket::tcp) fn undo(&mut self) -> bool {
        if self.kind.is_bbr() {
            let is_undone = self.bbr.undo();
            self.reno.set_window(self.bbr.window());
            return is_undone;
        }
        let Some(Before { ssthresh, epoch }) = self.before.take() else { return false };
        let cwnd = self.cubic.restore(&epoch);
        self.reno.set_threshold(ssthresh);
        self.reno.set_window(self.reno.window().max(cwnd));
        true
    }

    /// The last reduction is not undone, whatever is heard of losses.
    pub(in crate::socket::tcp) fn keep(&mut self) {
        self.before = None;
    }

    /// Whether it reduces the window at all.
    #[inline]
    pub(in crate::socket::tcp) fn is_heeding(&self) -> bool {
        !self.is_own()
    }

    #[cold]
    pub(in crate::socket::tcp) fn on_loss(&mut self, flight: u32, mss: u32) {
        if self.kind.is_bbr() {
            self.bbr.on_loss(mss);
            self.reno.set_window(self.bbr.window());
        } else if !self.is_none() {
            self.save();
            self.cubic.on_loss(self.reno.window());
            self.reno.on_loss(self.halved(flight), mss);
        }
    }

    pub(in crate::socket::tcp) fn on_dup_ack(&mut self, mss: u32) {
        if !self.kind.is_bbr() {
            self.reno.on_dup_ack(mss);
        }
    }

    pub(in crate::socket::tcp) fn on_partial_ack(&mut self, acked: u32, mss: u32) {
        if !self.is_own() {
            self.reno.on_partial_ack(acked, mss);
        }
    }

    pub(in crate::socket::tcp) fn on_recovered(&mut self, flight: u32, mss: u32) {
        if !self.is_own() {
            self.reno.on_recovered(flight, mss);
        }
    }

    #[cold]
    pub(in crate::socket::tcp) fn on_timeout(&mut self, flight: u32, mss: u32, is_first: bool) {
        if self.kind.is_bbr() {
            self.bbr.on_timeout(mss, is_first);
            self.reno.set_window(self.bbr.window());
        } else if !self.is_none() {
            if is_first {
                self.save();
            }
            self.cubic.on_timeout(self.reno.window(), is_first);
            self.reno.on_timeout(self.halved(flight), mss, is_first);
        }
    }

    /// RFC 7661 §4.4.2: the window was not used for a long time.
    #[cfg(feature = "tcp-validation")]
    pub(in crate::socket::tcp) fn on_unused(&mut self, mss: u32) {
        if !self.is_own() {
            self.on_pause();
            self.reno.on_unused(mss);
        }
    }

    /// A silence is over that the window outlives: it is no part of an epoch of CUBIC.
    pub(in crate::socket::tcp) fn on_pause(&mut self) {
        self.before = None;
        self.cubic.on_restart();
    }

    pub(in crate::socket::tcp) fn on_idle(&mut self, mss: u32) {
        if !self.is_own() {
            self.on_pause();
            self.reno.on_idle(mss);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1_000;
    const NOW: Ticks = Ticks(5);

    fn started(kind: CongestionControl) -> Control {
        let mut control = Choice(kind).start();
        control.on_established(MSS, false);
        control
    }

    #[test]
    fn settings_are_read_back() {
        let buffer = || crate::storage::SocketBuffer::new(std::vec![0; 10]);
        let mut socket = Socket::new(buffer(), buffer());
        assert_eq!(socket.congestion_control(), CongestionControl::default());
        for kind in [CongestionControl::None, CongestionControl::Reno, CongestionControl::Cubic] {
            socket.set_congestion_control(kind);
            assert_eq!(socket.congestion_control(), kind);
        }
    }

    /// Covers: RFC 9438 §4.6
    #[test]
    fn a_loss_leaves_cubic_seven_tenths_and_reno_a_half() {
        for (kind, left) in [(CongestionControl::Cubic, 70_000), (CongestionControl::Reno, 50_000)] {
            let mut control = started(kind);
            control.on_loss(100_000, MSS);
            assert_eq!((control.threshold(), control.window()), (left, left + 3 * MSS));
            control.on_loss(1_000, MSS);
            assert_eq!(control.threshold(), 2 * MSS);
            control.on_recovered(5 * MSS, MSS);
            assert_eq!(control.window(), 2 * MSS);
        }
    }

    /// Covers: RFC 9438 §4.8
    #[test]
    fn a_timeout_leaves_one_segment_and_slow_start_ends_at_seven_tenths() {
        let mut control = started(CongestionControl::Cubic);
        control.on_timeout(100_000, MSS, true);
        control.on_timeout(1_000, MSS, false);
        assert_eq!((control.threshold(), control.window()), (70_000, MSS));
        control.on_ack(10_000, MSS, NOW, 100);
        assert_eq!(control.window(), 11_000);
        control.on_ack(100_000, MSS, NOW, 100);
        assert_eq!(control.window(), 70_000);
    }

    /// Undone late, when slow start is over again, and yet the window goes on as if nothing had been.
    ///
    /// Covers: RFC 9438 §4.9
    #[test]
    fn a_reduction_that_is_undone_leaves_no_trace() {
        let lose = |control: &mut Control| control.on_loss(80_000, MSS);
        let time_out = |control: &mut Control| {
            control.on_timeout(80_000, MSS, true);
            control.on_timeout(MSS, MSS, false);
        };
        for kind in [CongestionControl::Cubic, CongestionControl::Reno] {
            for reduce in [lose, time_out as fn(&mut Control)] {
                let mut control = started(kind);
                control.on_loss(100_000, MSS);
                control.on_recovered(100_000, MSS);
                for at in 0..3_000 {
                    control.on_ack(MSS, MSS, NOW.after(at * 2), 100);
                }
                let mut other = control.clone();
                reduce(&mut other);
                other.on_recovered(80_000, MSS);
                other.on_ack(MSS, MSS, NOW.after(6_000), 100);
                assert!(other.window() < control.window() && other.threshold() < control.threshold());
                // The second time there is nothing left to undo.
                other.undo();
                other.undo();
                for at in 0..100 {
                    assert_eq!(other.window(), control.window());
                    control.on_ack(MSS, MSS, NOW.after(6_000 + at * 2), 100);
                    other.on_ack(MSS, MSS, NOW.after(6_000 + at * 2), 100);
                }
                assert_eq!(other.threshold(), control.threshold());
            }
        }
    }

    /// What a router has told of was congestion, whatever becomes of what was lost.
    #[test]
    fn a_reduction_that_is_kept_is_not_undone() {
        let mut control = started(CongestionControl::Cubic);
        control.on_loss(100_000, MSS);
        control.keep();
        assert!(!control.undo());
        assert_eq!(control.threshold(), 70_000);
    }

    /// Covers: RFC 6582 §3.2, RFC 5681 §3.2
    #[test]
    fn recovery_inflates_the_window_for_each_duplicate_and_deflates_it_again() {
        for kind in [CongestionControl::Cubic, CongestionControl::Reno] {
            let mut control = started(kind);
            control.on_loss(10_000, MSS);
            let window = control.window();
            control.on_dup_ack(MSS);
            assert_eq!(control.window(), window + MSS);
            control.on_partial_ack(2 * MSS, MSS);
            assert_eq!(control.window(), window);
        }
    }

    #[test]
    fn what_lies_behind_a_silence_is_not_undone() {
        let mut control = started(CongestionControl::Cubic);
        control.undo();
        control.on_loss(100_000, MSS);
        control.on_idle(MSS);
        let before = (control.window(), control.threshold());
        control.undo();
        assert_eq!((control.window(), control.threshold()), before);
    }

    /// What Reno and CUBIC do is not for it, nor what goes with their windows.
    #[cfg(feature = "tcp-bbr")]
    #[test]
    fn a_model_of_the_path_has_the_window_for_itself() {
        let kind = CongestionControl::Bbr { heeds_loss: true };
        let mut control = started(kind);
        control.on_ack(1_000, MSS, NOW, 100);
        control.set_window(1);
        control.on_dup_ack(MSS);
        control.on_partial_ack(5_000, MSS);
        control.on_recovered(1_000, MSS);
        control.on_idle(MSS);
        control.search(SeqNum(0), SeqNum(9), Some(5), true, NOW);
        assert_eq!((control.window(), control.threshold()), (10 * MSS, u32::MAX));
        assert!(!control.is_searching() && !control.is_heeding());
        control.on_loss(5_000, MSS);
        assert_eq!(control.window(), MSS, "until the ACK says what is in flight");
        assert!(control.undo() && !control.undo());
        assert_eq!(control.window(), 10 * MSS);
        control.on_timeout(5_000, MSS, true);
        assert_eq!(control.window(), MSS);
        let buffer = || crate::storage::SocketBuffer::new(std::vec![0; 10]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_congestion_control(kind);
        assert_eq!(socket.congestion_control(), kind);
    }

    #[test]
    fn without_control_nothing_changes_the_window() {
        let mut control = started(CongestionControl::None);
        control.on_ack(1_000, MSS, NOW, 100);
        control.on_loss(5_000, MSS);
        control.set_window(1);
        control.on_dup_ack(MSS);
        control.on_partial_ack(5_000, MSS);
        control.on_recovered(1_000, MSS);
        control.on_timeout(5_000, MSS, true);
        control.on_idle(MSS);
        control.on_ack(1_000, MSS, NOW, 100);
        assert_eq!((control.window(), control.threshold()), (1 << 30, u32::MAX));
    }
}
