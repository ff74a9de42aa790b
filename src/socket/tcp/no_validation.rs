//! Without validation a silence costs a connection its window (RFC 5681 §4.1), whatever it has used of it.

use super::Side;
use super::connection::Connection;
use crate::socket::Context;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

#[derive(Debug, Clone, Copy)]
pub(super) struct Choice;

impl Choice {
    pub(super) const DEFAULT: Choice = Choice;
}

#[derive(Debug)]
pub(super) struct Validation;

impl Validation {
    pub(super) const fn new(_iss: SeqNum, _now: Ticks) -> Validation {
        Validation
    }

    #[inline]
    pub(super) fn on_ack(&mut self, _una: SeqNum, _acked: u32, _max: SeqNum) -> bool {
        false
    }

    #[inline]
    pub(super) fn may_grow(&self, _window: u32) -> bool {
        true
    }
}

impl Connection {
    #[inline]
    pub(super) fn validate(&mut self, _cx: &Context<'_>) {}

    #[inline]
    pub(super) fn carried(&self, flight: u32) -> u32 {
        flight
    }

    #[inline]
    pub(super) fn keeps_window(&mut self, _stalled: u32, _side: &Side<'_>) -> bool {
        false
    }
}
