//! Reno with NewReno's window in recovery (RFC 5681, RFC 6582 §3.2, RFC 6928).

use super::hystart::Hystart;
use crate::config;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

/// Everything counts octets; `mss` is the largest payload on the path now.
#[derive(Debug, Clone)]
pub(crate) struct Reno {
    /// How much may be in flight.
    cwnd: u32,
    /// Below it slow start, from it on congestion avoidance.
    ssthresh: u32,
    /// Where the first slow start ends.
    hystart: Hystart,
}

impl Reno {
    pub(crate) const fn new() -> Reno {
        Reno { cwnd: 0, ssthresh: u32::MAX, hystart: Hystart::new() }
    }

    #[inline]
    pub(crate) fn window(&self) -> u32 {
        self.cwnd
    }

    /// Where slow start ends.
    pub(crate) fn threshold(&self) -> u32 {
        self.ssthresh
    }

    #[cfg(feature = "tcp-cubic")]
    pub(super) fn set_threshold(&mut self, ssthresh: u32) {
        self.ssthresh = ssthresh;
    }

    /// Selective acknowledgments say what may be in flight while losses are repaired.
    pub(crate) fn set_window(&mut self, cwnd: u32) {
        self.cwnd = cwnd.min(1 << 30);
    }

    /// In the first slow start, whose end nothing has taught.
    #[inline]
    pub(crate) fn is_searching(&self) -> bool {
        self.ssthresh == u32::MAX
    }

    /// RFC 9406: an ACK in the first slow start has moved SND.UNA on from `una`; `rtt` in ticks. SND.MAX is `max`.
    pub(crate) fn search(&mut self, una: SeqNum, max: SeqNum, rtt: Option<u32>, is_paced: bool, now: Ticks) {
        if self.hystart.on_ack(una, max, rtt, is_paced, now) {
            self.ssthresh = self.cwnd;
        }
    }

    fn initial_window(mss: u32) -> u32 {
        (config::TCP_INITIAL_WINDOW * mss).min((2 * mss).max(14_600))
    }

    /// RFC 5681 §3.1: a lost SYN shrinks the initial window to one segment.
    pub(crate) fn on_established(&mut self, mss: u32, was_syn_lost: bool) {
        self.cwnd = if was_syn_lost { mss } else { Reno::initial_window(mss) };
    }

    /// `acked` octets have left the network, of a window that was in use. Time is nothing to Reno.
    #[inline]
    pub(crate) fn on_ack(&mut self, acked: u32, mss: u32, _now: Ticks, _srtt: u32) {
        let growth = if self.cwnd < self.ssthresh {
            // RFC 5681 §3.1. All of it counts, for one ACK may stand for a burst (a stack that polls
            // sends no more), and as far as the threshold only, so that little can burst from it.
            let growth = if self.is_searching() { self.hystart.growth(acked) } else { acked };
            growth.min(self.ssthresh - self.cwnd)
        } else {
            // RFC 5681 equation 3, in proportion to what was acknowledged: be it a window, by one segment.
            (mss.saturating_mul(acked.min(self.cwnd)) / self.cwnd.max(1)).max(1)
        };
        // The largest window there can be (RFC 7323 §2.3) bounds the growth.
        self.cwnd = (self.cwnd + growth).min(1 << 30);
    }

    fn halve(&mut self, flight: u32, mss: u32) {
        // RFC 5681 equation 4.
        self.ssthresh = (flight / 2).max(2 * mss);
    }

    /// The third duplicate ACK: three segments have left the network.
    #[cold]
    pub(crate) fn on_loss(&mut self, flight: u32, mss: u32) {
        self.halve(flight, mss);
        self.cwnd = self.ssthresh + 3 * mss;
    }

    /// One more duplicate ACK in recovery: one more segment has left the network.
    pub(crate) fn on_dup_ack(&mut self, mss: u32) {
        self.cwnd = (self.cwnd + mss).min(1 << 30);
    }

    /// RFC 6582 §3.2 step 5: deflate by what a partial ACK acknowledged.
    pub(crate) fn on_partial_ack(&mut self, acked: u32, mss: u32) {
        // A partial ACK may cover more than the window was inflated by.
        self.cwnd = self.cwnd.saturating_sub(acked).max(mss);
        if acked >= mss {
            self.cwnd += mss;
        }
    }

    /// Recovery is over, with `flight` octets still out.
    pub(crate) fn on_recovered(&mut self, flight: u32, mss: u32) {
        self.cwnd = self.ssthresh.min(flight.max(mss) + mss);
    }

    /// The retransmission timer ran out; `is_first` for the data at the window's edge.
    #[cold]
    pub(crate) fn on_timeout(&mut self, flight: u32, mss: u32, is_first: bool) {
        if is_first {
            self.halve(flight, mss);
        }
        self.cwnd = mss;
    }

    /// RFC 7661 §4.4.2: half of a window goes that was not used for a long time.
    #[cfg(feature = "tcp-validation")]
    pub(crate) fn on_unused(&mut self, mss: u32) {
        self.ssthresh = self.ssthresh.max(self.cwnd / 4 * 3);
        self.cwnd = self.cwnd.min((self.cwnd / 2).max(Reno::initial_window(mss)));
    }

    /// RFC 5681 §4.1: after a silence longer than the timeout the window means nothing any more.
    pub(crate) fn on_idle(&mut self, mss: u32) {
        self.cwnd = self.cwnd.min(Reno::initial_window(mss));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1_000;

    fn started() -> Reno {
        let mut reno = Reno::new();
        reno.on_established(MSS, false);
        reno
    }

    #[test]
    fn the_initial_window_is_ten_segments_of_ordinary_size() {
        assert_eq!(started().window(), 10_000);
        let mut reno = Reno::new();
        reno.on_established(9_000, false);
        assert_eq!(reno.window(), 18_000);
        reno.on_established(MSS, true);
        assert_eq!(reno.window(), MSS);
    }

    #[test]
    fn slow_start_doubles_and_avoidance_adds_one_segment_a_round_trip() {
        let mut reno = started();
        for _ in 0..10 {
            reno.on_ack(MSS, MSS, Ticks(0), 0);
        }
        assert_eq!(reno.window(), 20_000);
        reno.ssthresh = 20_000;
        for _ in 0..20 {
            reno.on_ack(MSS, MSS, Ticks(0), 0);
        }
        assert!((20_900..=21_000).contains(&reno.window()), "{}", reno.window());
    }

    /// Covers: RFC 5681 §3.1
    #[test]
    fn one_ack_of_a_window_adds_one_segment() {
        let mut reno = started();
        (reno.cwnd, reno.ssthresh) = (1_000_000, 2 * MSS);
        reno.on_ack(500_000, MSS, Ticks(0), 0);
        assert_eq!(reno.window(), 1_000_500);
        reno.on_ack(u32::MAX, MSS, Ticks(0), 0);
        assert_eq!(reno.window(), 1_001_500);
    }

    #[test]
    fn recovery_halves_inflates_and_deflates() {
        let mut reno = started();
        reno.on_loss(10_000, MSS);
        assert_eq!(reno.window(), 8_000);
        reno.on_dup_ack(MSS);
        assert_eq!(reno.window(), 9_000);
        reno.on_partial_ack(3_000, MSS);
        assert_eq!(reno.window(), 7_000);
        reno.on_partial_ack(50_000, MSS);
        assert_eq!(reno.window(), 2_000);
        reno.on_recovered(20_000, MSS);
        assert_eq!(reno.window(), 5_000);
    }

    /// When little is out at the end of a recovery, no more than a segment leaves at once.
    ///
    /// Covers: RFC 6582 §3.2
    #[test]
    fn a_recovery_ends_without_a_burst() {
        for (flight, window) in [(0, 2_000), (500, 2_000), (3_000, 4_000), (9_000, 10_000), (60_000, 10_000)]
        {
            let mut reno = started();
            reno.on_loss(20_000, MSS);
            reno.on_recovered(flight, MSS);
            assert_eq!(reno.window(), window, "{flight} octets are out");
        }
    }

    /// Covers: RFC 7661 §4.4.2
    #[cfg(feature = "tcp-validation")]
    #[test]
    fn what_was_not_used_halves_and_slow_start_may_lead_to_three_quarters() {
        let mut reno = started();
        (reno.cwnd, reno.ssthresh) = (80_000, 20_000);
        reno.on_unused(MSS);
        assert_eq!((reno.window(), reno.ssthresh), (40_000, 60_000));
        reno.on_unused(MSS);
        assert_eq!((reno.window(), reno.ssthresh), (20_000, 60_000));
    }

    /// Covers: RFC 9406 §4.2
    #[test]
    fn only_the_first_slow_start_is_a_search() {
        let mut reno = started();
        assert!(reno.is_searching());
        reno.on_timeout(10_000, MSS, true);
        assert!(!reno.is_searching());
    }

    #[test]
    fn a_timeout_leaves_one_segment_and_halves_once() {
        let mut reno = started();
        reno.on_timeout(10_000, MSS, true);
        assert_eq!((reno.window(), reno.ssthresh), (MSS, 5_000));
        reno.on_timeout(1_000, MSS, false);
        assert_eq!((reno.window(), reno.ssthresh), (MSS, 5_000));
    }
}
