//! Which loss an acknowledgment tells of: fast retransmit and NewReno (RFC 6582), limited transmit
//! (RFC 3042).

use crate::wire::tcp::SeqNum;

/// Duplicate ACKs that mean a loss (RFC 5681 §3.2).
const DUP_ACKS: u8 = 3;

/// What a duplicate ACK asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDup {
    /// Wait for more.
    Wait,
    /// Repeat the first segment and reduce the window.
    Enter,
    /// A segment has left the network.
    Inflate,
}

/// What an ACK of new data means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnAck {
    /// No recovery is going on.
    Normal,
    /// Another segment was lost: repeat the one that is now first.
    Partial,
    /// All that was out when the loss was seen has arrived.
    Full,
}

/// The state of loss recovery.
#[derive(Debug, Clone)]
pub(super) struct Recovery {
    /// What was SND.MAX when the last loss was seen; else somewhere before SND.UNA.
    recover: SeqNum,
    dup_acks: u8,
    is_active: bool,
}

impl Recovery {
    pub(super) const fn new(iss: SeqNum) -> Recovery {
        Recovery { recover: iss, dup_acks: 0, is_active: false }
    }

    /// How many segments may leave beyond the congestion window (RFC 3042).
    #[inline]
    pub(super) fn limited_transmit(&self) -> u32 {
        if self.is_active { 0 } else { u32::from(self.dup_acks.min(2)) }
    }

    #[inline]
    pub(super) fn is_active(&self) -> bool {
        self.is_active
    }

    /// A loss was seen in another way than by duplicate ACKs.
    pub(super) fn enter(&mut self, max: SeqNum) {
        *self = Recovery { recover: max, dup_acks: 0, is_active: true };
    }

    pub(super) fn on_dup_ack(&mut self, una: SeqNum, max: SeqNum) -> OnDup {
        if self.is_active {
            return OnDup::Inflate;
        }
        // It stops where it is past the threshold, so that it can't wrap into another loss.
        self.dup_acks = self.dup_acks.saturating_add(1);
        // RFC 6582 §3.2 step 2: duplicates of what a timeout or a recovery repeated are no new loss.
        if self.dup_acks == DUP_ACKS && una.gt(self.recover) {
            self.is_active = true;
            self.recover = max;
            return OnDup::Enter;
        }
        OnDup::Wait
    }

    #[inline]
    pub(super) fn on_ack(&mut self, ack: SeqNum) -> OnAck {
        self.dup_acks = 0;
        if !self.is_active {
            // Kept close behind, so that it never falls 2^31 octets back.
            if ack.gt(self.recover) {
                self.recover = ack - 1;
            }
            return OnAck::Normal;
        }
        if ack.lt(self.recover) {
            return OnAck::Partial;
        }
        self.is_active = false;
        OnAck::Full
    }

    /// RFC 6582 §4: what is out now does not tell of losses any more.
    pub(super) fn on_timeout(&mut self, max: SeqNum) {
        *self = Recovery { recover: max, dup_acks: 0, is_active: false };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISS: SeqNum = SeqNum(u32::MAX - 100);

    #[test]
    fn the_third_duplicate_enters_and_the_rest_inflate() {
        let mut recovery = Recovery::new(ISS);
        let (una, max) = (ISS + 1, ISS + 5_001);
        assert_eq!(recovery.on_dup_ack(una, max), OnDup::Wait);
        assert_eq!(recovery.limited_transmit(), 1);
        assert_eq!(recovery.on_dup_ack(una, max), OnDup::Wait);
        assert_eq!(recovery.limited_transmit(), 2);
        assert_eq!(recovery.on_dup_ack(una, max), OnDup::Enter);
        assert_eq!(recovery.limited_transmit(), 0);
        assert_eq!(recovery.on_dup_ack(una, max), OnDup::Inflate);
        assert_eq!(recovery.on_ack(una + 1_000), OnAck::Partial);
        assert_eq!(recovery.on_ack(max), OnAck::Full);
        assert_eq!(recovery.on_ack(max + 1), OnAck::Normal);
    }

    #[test]
    fn duplicates_after_a_timeout_are_no_new_loss() {
        let mut recovery = Recovery::new(ISS);
        let max = ISS + 5_001;
        recovery.on_timeout(max);
        for _ in 0..300 {
            assert_eq!(recovery.on_dup_ack(ISS + 1_001, max), OnDup::Wait);
        }
        assert_eq!(recovery.on_ack(max + 1_000), OnAck::Normal);
        for _ in 0..2 {
            assert_eq!(recovery.on_dup_ack(max + 1_000, max + 9_000), OnDup::Wait);
        }
        assert_eq!(recovery.on_dup_ack(max + 1_000, max + 9_000), OnDup::Enter);
    }

    #[test]
    fn a_loss_is_seen_after_gigabytes_without_one() {
        let mut recovery = Recovery::new(ISS);
        let mut una = ISS;
        for _ in 0..70 {
            una = una + (1 << 30) / 16;
            recovery.on_ack(una);
        }
        recovery.on_dup_ack(una, una + 100);
        recovery.on_dup_ack(una, una + 100);
        assert_eq!(recovery.on_dup_ack(una, una + 100), OnDup::Enter);
    }
}
