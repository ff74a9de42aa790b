//! Time, which is always an argument.
//!
//! [`Instant`] and [`Duration`] count microseconds, as smoltcp's do. Inside, a connection and the timer
//! heap count [`Ticks`]: 1,024 µs in a wrapping `u32`, so that no 64-bit division is needed and a
//! deadline takes four octets.

use core::fmt;
use core::ops::{Add, AddAssign, Mul, Sub, SubAssign};

/// A point in time, in microseconds since an epoch of the caller's choice (usually its start).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    micros: i64,
}

impl Instant {
    /// The epoch.
    pub const ZERO: Instant = Instant { micros: 0 };

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Instant {
        Instant { micros }
    }

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Instant {
        Instant { micros: millis * 1_000 }
    }

    /// From seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Instant {
        Instant { micros: secs * 1_000_000 }
    }

    /// Microseconds since the epoch.
    pub const fn total_micros(self) -> i64 {
        self.micros
    }

    /// Whole milliseconds since the epoch.
    pub const fn total_millis(self) -> i64 {
        self.micros / 1_000
    }

    /// Now, on the system's monotonic clock, since the first call in this process's lifetime chose
    /// the epoch: use one epoch for all devices of a stack.
    #[cfg(feature = "std")]
    pub fn now() -> Instant {
        // The only clock in the crate; everything else takes the time as an argument.
        use std::sync::OnceLock;
        static EPOCH: OnceLock<std::time::Instant> = OnceLock::new();
        let epoch = EPOCH.get_or_init(std::time::Instant::now);
        Instant::from_micros(epoch.elapsed().as_micros() as i64)
    }

    /// The time since `earlier`, zero if it lies in the future.
    pub const fn saturating_duration_since(self, earlier: Instant) -> Duration {
        let micros = self.micros.wrapping_sub(earlier.micros);
        Duration { micros: if micros < 0 { 0 } else { micros as u64 } }
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.micros / 1_000_000, (self.micros % 1_000_000).abs())
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, rhs: Duration) -> Instant {
        Instant { micros: self.micros.wrapping_add(rhs.micros as i64) }
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, rhs: Duration) -> Instant {
        Instant { micros: self.micros.wrapping_sub(rhs.micros as i64) }
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, rhs: Duration) {
        *self = *self - rhs;
    }
}

impl Sub for Instant {
    type Output = Duration;
    /// The distance between the two, whichever is later.
    fn sub(self, rhs: Instant) -> Duration {
        Duration { micros: self.micros.abs_diff(rhs.micros) }
    }
}

#[cfg(feature = "std")]
impl From<Duration> for std::time::Duration {
    fn from(d: Duration) -> Self {
        std::time::Duration::from_micros(d.micros)
    }
}

/// A span of time in microseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    micros: u64,
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration { micros: 0 };

    /// From microseconds.
    pub const fn from_micros(micros: u64) -> Duration {
        Duration { micros }
    }

    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> Duration {
        Duration { micros: millis * 1_000 }
    }

    /// From seconds.
    pub const fn from_secs(secs: u64) -> Duration {
        Duration { micros: secs * 1_000_000 }
    }

    /// The whole span in microseconds.
    pub const fn total_micros(self) -> u64 {
        self.micros
    }

    /// The whole span in whole milliseconds.
    pub const fn total_millis(self) -> u64 {
        self.micros / 1_000
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}ms", self.micros / 1_000, self.micros % 1_000)
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, rhs: Duration) -> Duration {
        Duration { micros: self.micros + rhs.micros }
    }
}

impl Mul<u32> for Duration {
    type Output = Duration;
    fn mul(self, rhs: u32) -> Duration {
        Duration { micros: self.micros * rhs as u64 }
    }
}

/// A point in time in ticks of 1,024 µs, modulo 2^32 (50 days).
///
/// Two ticks compare by the sign of their difference, so what is compared must lie within 25 days.
/// There is no `Ord`: wrapping order is not transitive.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticks(pub(crate) u32);

/// Ticks in a second, rounded up, for constants.
pub(crate) const TICKS_PER_SEC: u32 = 977;

impl Ticks {
    /// The tick that `at` lies in.
    pub(crate) const fn from_instant(at: Instant) -> Ticks {
        Ticks((at.micros >> 10) as u32)
    }

    /// The start of this tick, as an instant near `now`.
    pub(crate) const fn to_instant(self, now: Instant) -> Instant {
        let ahead = self.0.wrapping_sub((now.micros >> 10) as u32) as i32;
        Instant { micros: ((now.micros >> 10) + ahead as i64) << 10 }
    }

    /// `span` later. The span is below 2^31.
    pub(crate) const fn after(self, span: u32) -> Ticks {
        Ticks(self.0.wrapping_add(span))
    }

    /// Ticks from `earlier` to here; negative if it is later.
    pub(crate) const fn since(self, earlier: Ticks) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// Whether this comes before `other`.
    pub(crate) const fn is_before(self, other: Ticks) -> bool {
        other.since(self) > 0
    }

    /// The earlier of two times, if there is any.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn earlier(a: Option<Ticks>, b: Option<Ticks>) -> Option<Ticks> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.is_before(a) { b } else { a }),
            (a, b) => a.or(b),
        }
    }

    /// Whether a deadline here has come at `now`.
    pub(crate) const fn is_due(self, now: Ticks) -> bool {
        now.since(self) >= 0
    }
}

impl Duration {
    /// In ticks, rounded up, so that a timer never fires early; at most 24 days.
    pub(crate) const fn to_ticks(self) -> u32 {
        let ticks = self.micros.saturating_add(1023) >> 10;
        if ticks > (i32::MAX as u64) { i32::MAX as u32 } else { ticks as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_compare_across_the_wrap() {
        let before = Ticks(u32::MAX - 1);
        let after = before.after(5);
        assert!(before.is_before(after));
        assert!(!after.is_before(before));
        assert!(before.is_due(after));
        assert_eq!(after.since(before), 5);
    }

    #[test]
    fn a_tick_near_now_becomes_the_right_instant() {
        let now = Instant::from_secs(100 * 86_400);
        let at = Ticks::from_instant(now).after(1_000);
        let instant = at.to_instant(now);
        assert!(instant > now);
        assert!(instant - now <= Duration::from_micros(1_024_000));
    }

    #[test]
    fn a_duration_in_ticks_is_never_shorter() {
        for micros in [0, 1, 1_023, 1_024, 1_025, 200_000] {
            let ticks = Duration::from_micros(micros).to_ticks();
            assert!(u64::from(ticks) * 1_024 >= micros);
        }
    }
}
