//! A token bucket: so many at once, so many a second.

use crate::config;
use crate::time::Ticks;

/// Limits the ICMP errors that we send (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f).
#[derive(Debug, Clone)]
pub(crate) struct RateLimit {
    tokens: u16,
    refilled: Ticks,
}

impl RateLimit {
    pub(crate) const fn new(burst: u16) -> RateLimit {
        RateLimit { tokens: burst, refilled: Ticks(0) }
    }

    /// Whether one more may be sent now.
    pub(crate) fn take(&mut self, now: Ticks) -> bool {
        let earned = (now.since(self.refilled) as u32) / config::ICMP_ERROR_INTERVAL;
        if earned > 0 {
            self.tokens =
                earned.saturating_add(u32::from(self.tokens)).min(config::ICMP_ERROR_BURST.into()) as u16;
            self.refilled = now;
        }
        let may = self.tokens > 0;
        self.tokens -= u16::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_errors_come_at_the_rate() {
        let mut limit = RateLimit::new(config::ICMP_ERROR_BURST);
        let mut sent = 0;
        for tick in 0..10 * config::ICMP_ERROR_INTERVAL {
            sent += u32::from(limit.take(Ticks(tick)));
        }
        assert_eq!(sent, u32::from(config::ICMP_ERROR_BURST) + 9);
    }

    #[test]
    fn an_idle_limit_fills_up_to_one_burst() {
        let mut limit = RateLimit::new(0);
        let now = Ticks(1_000_000);
        let sent = (0..1_000).filter(|_| limit.take(now)).count();
        assert_eq!(sent, usize::from(config::ICMP_ERROR_BURST));
    }
}
