//! No congestion control wants to know what is delivered.

use super::Side;
use super::connection::Connection;
use super::segment::Plan;
use crate::socket::Context;

impl Connection {
    #[inline]
    pub(super) fn paces_repairs(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn on_sent_delivery(&mut self, _cx: &Context<'_>, _plan: &Plan, _side: &Side<'_>) {}

    #[inline]
    pub(super) fn on_delivered(&mut self, _cx: &Context<'_>, _delivered: u32) {}

    #[cfg(feature = "tcp-sack")]
    #[inline]
    pub(super) fn on_lost(&mut self, _before: u32) {}

    #[cfg(feature = "tcp-pacing")]
    pub(super) fn pace_by_model(&self, _round_trip: u32) -> u32 {
        0
    }
}
