//! The timers of a connection: three deadlines and which of them count.

use crate::time::Ticks;

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// Retransmission, or a window probe when nothing is in flight.
    Rtx,
    /// A delayed acknowledgment.
    Ack,
    /// Keep-alive; the end of TIME-WAIT; the end of an orphan.
    Idle,
}

/// The deadlines.
#[derive(Debug, Clone)]
pub(super) struct Timers {
    at: [Ticks; 3],
    armed: u8,
}

impl Timers {
    pub(super) const NONE: Timers = Timers { at: [Ticks(0); 3], armed: 0 };

    #[inline]
    pub(super) fn set(&mut self, timer: Timer, at: Ticks) {
        self.at[timer as usize] = at;
        self.armed |= 1 << timer as u8;
    }

    #[inline]
    pub(super) fn clear(&mut self, timer: Timer) {
        self.armed &= !(1 << timer as u8);
    }

    pub(super) fn clear_all(&mut self) {
        self.armed = 0;
    }

    #[inline]
    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.armed & (1 << timer as u8) != 0
    }

    #[inline]
    pub(super) fn is_due(&self, timer: Timer, now: Ticks) -> bool {
        self.is_set(timer) && self.at[timer as usize].is_due(now)
    }

    /// The earliest deadline.
    #[inline]
    pub(super) fn earliest(&self) -> Option<Ticks> {
        let mut earliest = None;
        for (i, &at) in self.at.iter().enumerate() {
            if self.armed & (1 << i) != 0 && earliest.is_none_or(|other| at.is_before(other)) {
                earliest = Some(at);
            }
        }
        earliest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_of_the_armed_counts_across_the_wrap() {
        let mut timers = Timers::NONE;
        assert_eq!(timers.earliest(), None);
        timers.set(Timer::Rtx, Ticks(5));
        timers.set(Timer::Idle, Ticks(u32::MAX));
        assert_eq!(timers.earliest(), Some(Ticks(u32::MAX)));
        assert!(timers.is_due(Timer::Idle, Ticks(0)) && !timers.is_due(Timer::Rtx, Ticks(0)));
        timers.clear(Timer::Idle);
        assert_eq!(timers.earliest(), Some(Ticks(5)));
        assert!(!timers.is_due(Timer::Idle, Ticks(0)));
    }
}
