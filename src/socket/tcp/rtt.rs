//! Round-trip time and retransmission timeout (RFC 6298), in ticks.
//!
//! One segment is timed at a time, and none that was sent twice (Karn's algorithm).

use super::ticks_of_ms;
use crate::config;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

const INITIAL: u32 = ticks_of_ms(config::TCP_INITIAL_RTO);
const MIN: u32 = ticks_of_ms(config::TCP_MIN_RTO);
const MAX: u32 = ticks_of_ms(config::TCP_MAX_RTO);
const _: () = assert!(MAX < u16::MAX as u32);

/// The estimator and the segment that is being timed.
#[derive(Debug, Clone)]
pub(super) struct Rtt {
    /// Smoothed round-trip time in eighths of a tick; 0 before the first sample.
    srtt: u32,
    /// Its variation in quarters of a tick; before the first sample the timeout itself, in ticks.
    rttvar: u32,
    /// The end of the timed segment, and when it left: the lower half of the ticks, 67 s, for it is repeated before.
    timed: SeqNum,
    timed_at: u16,
    is_timing: bool,
    /// How often the timeout has been doubled since the last sample.
    backoff: u8,
    /// The shortest sample, in ticks.
    least: u16,
}

impl Rtt {
    pub(super) const fn new() -> Rtt {
        Rtt {
            srtt: 0,
            rttvar: INITIAL,
            timed: SeqNum(0),
            timed_at: 0,
            is_timing: false,
            backoff: 0,
            least: u16::MAX,
        }
    }

    /// Times the segment that ends at `end`, unless another one is being timed.
    #[inline]
    pub(super) fn on_new(&mut self, end: SeqNum, now: Ticks) {
        if !self.is_timing {
            self.is_timing = true;
            self.timed = end;
            self.timed_at = now.0 as u16;
        }
    }

    /// RFC 6298 §3 (RFC 9293 MUST-18): an acknowledgment would not tell which copy it is for.
    pub(super) fn on_retransmit(&mut self) {
        self.is_timing = false;
    }

    #[inline]
    pub(super) fn on_ack(&mut self, ack: SeqNum, now: Ticks) {
        if self.is_timing && ack.ge(self.timed) {
            self.is_timing = false;
            self.sample(u32::from((now.0 as u16).wrapping_sub(self.timed_at)).max(1));
        }
    }

    /// RFC 6298 §2.2, §2.3.
    pub(super) fn sample(&mut self, rtt: u32) {
        self.backoff = 0;
        // The clock's granularity and the bound on the timeout make anything longer useless.
        let rtt = rtt.min(MAX);
        if config::HAS_TCP_SACK || config::HAS_TCP_INFO {
            self.least = self.least.min(rtt as u16);
        }
        if self.srtt == 0 {
            self.srtt = rtt << 3;
            self.rttvar = rtt << 1;
            return;
        }
        let error = (self.srtt >> 3).abs_diff(rtt);
        self.rttvar = self.rttvar - (self.rttvar >> 2) + error;
        // At least one eighth, since 0 says that there is no sample.
        self.srtt = (self.srtt - (self.srtt >> 3) + rtt).max(1);
    }

    /// RFC 4015 §3.2, step 7: a timeout was needless, so the path takes longer than was believed.
    pub(super) fn raise(&mut self, rtt: u32) {
        let rtt = rtt.min(MAX);
        self.srtt = self.srtt.max(rtt << 3);
        self.rttvar = self.rttvar.max(rtt << 1);
    }

    /// RFC 6298 §5.7: the SYN was lost, so the network may be slower than we start with.
    pub(super) fn on_syn_lost(&mut self) {
        self.backoff = 0;
        if self.srtt == 0 {
            self.rttvar = INITIAL * 3;
        }
    }

    /// RFC 6298 §5.5.
    pub(super) fn on_timeout(&mut self) {
        self.is_timing = false;
        self.backoff = (self.backoff + 1).min(12);
    }

    /// The retransmission timeout in ticks, backed off.
    #[inline]
    pub(super) fn rto(&self) -> u32 {
        let base = match self.srtt {
            0 => self.rttvar,
            srtt => (srtt >> 3) + self.rttvar.max(1),
        };
        (base.clamp(MIN, MAX) << self.backoff).min(MAX)
    }

    /// The shortest round trip that was measured, in ticks; more than any timeout before that.
    pub(super) fn least(&self) -> u32 {
        self.least.into()
    }

    /// Smoothed round-trip time in eighths of ticks, its variation in quarters, how often the timeout was doubled.
    #[cfg(feature = "tcp-info")]
    pub(super) fn parts(&self) -> (u32, u32, u8) {
        (self.srtt, if self.srtt == 0 { 0 } else { self.rttvar }, self.backoff)
    }

    /// Smoothed round-trip time in ticks, once there is a sample.
    pub(super) fn srtt(&self) -> Option<u32> {
        (self.srtt > 0).then_some(self.srtt >> 3)
    }

    /// The same in eighths of a tick; 0 before the first sample.
    #[cfg(feature = "tcp-pacing")]
    pub(super) fn srtt_eighths(&self) -> u32 {
        self.srtt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(samples: &[u32]) -> Rtt {
        let mut rtt = Rtt::new();
        for &sample in samples {
            rtt.sample(sample);
        }
        rtt
    }

    /// Covers: RFC 6298 §2.1
    #[test]
    fn the_first_timeout_is_a_second() {
        assert_eq!(Rtt::new().rto(), ticks_of_ms(1_000));
        assert_eq!(Rtt::new().srtt(), None);
    }

    #[test]
    fn a_first_sample_makes_three_times_itself() {
        assert_eq!(sampled(&[400]).rto(), 1_200);
        assert_eq!(sampled(&[400]).srtt(), Some(400));
    }

    #[test]
    fn a_steady_path_narrows_the_timeout_to_its_round_trip() {
        let rto = sampled(&[1_000; 60]).rto();
        assert!((1_000..1_020).contains(&rto), "{rto}");
    }

    #[test]
    fn the_timeout_stays_within_its_bounds() {
        assert_eq!(sampled(&[1; 50]).rto(), MIN);
        assert_eq!(sampled(&[u32::MAX; 3]).rto(), MAX);
        let mut rtt = sampled(&[1]);
        for doubled in 1..40 {
            rtt.on_timeout();
            assert_eq!(rtt.rto(), (MIN << doubled.min(12)).min(MAX));
        }
    }

    /// Covers: RFC 6298 §3, RFC 9293 MUST-18
    #[test]
    fn a_retransmitted_segment_is_no_sample() {
        let mut rtt = Rtt::new();
        rtt.on_new(SeqNum(10), Ticks(0));
        rtt.on_retransmit();
        rtt.on_ack(SeqNum(10), Ticks(5));
        assert_eq!(rtt.srtt(), None);
        rtt.on_new(SeqNum(20), Ticks(10));
        rtt.on_new(SeqNum(30), Ticks(20));
        rtt.on_ack(SeqNum(19), Ticks(21));
        assert_eq!(rtt.srtt(), None);
        rtt.on_ack(SeqNum(20), Ticks(60));
        assert_eq!(rtt.srtt(), Some(50));
    }

    /// Covers: RFC 4015 §3.2
    #[test]
    fn a_needless_timeout_makes_the_next_longer_than_what_was_late() {
        let mut rtt = sampled(&[100]);
        rtt.raise(400);
        assert_eq!((rtt.srtt(), rtt.rto()), (Some(400), 1_200));
        rtt.raise(50);
        assert_eq!((rtt.srtt(), rtt.rto()), (Some(400), 1_200));
    }

    #[cfg(feature = "tcp-info")]
    #[test]
    fn before_the_first_sample_there_is_no_variation_to_tell_of() {
        assert_eq!(Rtt::new().parts(), (0, 0, 0));
        assert_eq!(sampled(&[100]).parts(), (800, 200, 0));
    }

    /// Covers: RFC 6298 §5.7
    #[test]
    fn the_first_timeout_after_a_lost_syn_is_three_seconds() {
        let mut rtt = Rtt::new();
        rtt.on_timeout();
        rtt.on_timeout();
        rtt.on_syn_lost();
        assert_eq!(rtt.rto(), 3 * ticks_of_ms(1_000));
        // A sample says better how slow the network is.
        let mut rtt = sampled(&[400]);
        rtt.on_timeout();
        rtt.on_syn_lost();
        assert_eq!(rtt.rto(), 1_200);
    }
}
