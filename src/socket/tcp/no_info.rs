//! Nothing is counted that a connection does not need itself: the feature `tcp-info` is not built in.

use super::Side;
use super::connection::Connection;
use super::segment::{Plan, Segment};
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

#[derive(Debug, Clone)]
pub(super) struct Counts;

impl Counts {
    #[inline(always)]
    pub(super) const fn new(_now: Ticks) -> Counts {
        Counts
    }

    #[inline(always)]
    pub(super) fn on_segment(&mut self, _seg: &Segment<'_>, _mss: u16, _now: Ticks) {}

    #[inline(always)]
    pub(super) fn on_acked(&mut self, _len: u32) {}

    #[inline(always)]
    pub(super) fn on_received(&mut self, _len: u32) {}

    #[inline(always)]
    pub(super) fn on_sent(&mut self, _plan: &Plan, _max: SeqNum, _mss: (u16, u32), _now: Ticks) {}

    #[inline(always)]
    pub(super) fn on_syn_lost(&mut self, _tries: u8) {}
}

#[cfg(feature = "tcp-sack")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Oddities;

#[cfg(feature = "tcp-sack")]
impl Oddities {
    pub(super) const NONE: Oddities = Oddities;

    #[inline(always)]
    pub(super) fn on_twice(&mut self) {}

    #[inline(always)]
    pub(super) fn on_overtaken(&mut self) {}
}

impl Connection {
    #[inline(always)]
    pub(super) fn note_limit(&mut self, _side: &Side<'_>, _now: Ticks) {}
}
