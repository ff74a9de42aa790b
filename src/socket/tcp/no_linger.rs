//! Without flush and linger: a close waits as long as it takes.

use super::Side;
use super::connection::Connection;
use crate::socket::Events;
use crate::time::Ticks;

#[derive(Debug, Clone, Copy)]
pub(super) struct Linger;

impl Linger {
    pub(super) const NONE: Linger = Linger;

    #[inline]
    pub(super) fn is_zero(self) -> bool {
        false
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Patience;

impl Patience {
    pub(super) const NONE: Patience = Patience;
}

impl Connection {
    #[inline]
    pub(super) fn arm_linger(&mut self, _now: Ticks, _side: &Side<'_>) {}

    #[inline]
    pub(super) fn on_linger(&mut self, _now: Ticks, _side: &mut Side<'_>) -> Option<Events> {
        None
    }

    #[inline]
    pub(super) fn end_linger(&mut self) {}
}
