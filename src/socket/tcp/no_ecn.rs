//! Without explicit congestion notification: nothing is asked for, granted or heeded.

use super::Side;
use super::connection::Connection;
use super::segment::{Plan, Segment};
use crate::socket::Context;
use crate::wire::tcp::{Flags, SeqNum};

#[derive(Debug, Clone, Copy)]
pub(super) struct Choice;

impl Choice {
    pub(super) const DEFAULT: Choice = Choice;

    #[inline(always)]
    pub(super) fn grants(self, _syn: Flags) -> bool {
        false
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark;

impl Mark {
    #[inline(always)]
    pub(crate) fn of(_packet: &[u8]) -> Mark {
        Mark
    }

    #[inline(always)]
    pub(crate) fn bits(self) -> u8 {
        0
    }
}

#[derive(Debug, Clone)]
pub(super) struct Ecn;

impl Ecn {
    #[inline(always)]
    pub(super) const fn new() -> Ecn {
        Ecn
    }

    #[inline(always)]
    pub(super) fn begin(&mut self, _choice: Choice) {}

    #[inline(always)]
    pub(super) fn grant(&mut self, _is_granted: bool) {}

    #[inline(always)]
    pub(super) fn on_syn_ack(&mut self, _flags: Flags, _was_syn_lost: bool) {}

    #[inline(always)]
    pub(super) fn on_syn_again(&mut self, _flags: Flags) {}

    #[inline(always)]
    pub(super) fn setup(&self, _is_active: bool, _is_again: bool) -> Flags {
        Flags::empty()
    }

    #[inline(always)]
    pub(super) fn is_concerned(&self, _seg: &Segment<'_>) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn is_told(&self, _seg: &Segment<'_>) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn is_marked(_seg: &Segment<'_>) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn is_held(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn on_reduced(&mut self, _max: SeqNum) {}

    #[inline(always)]
    pub(super) fn covers(&self, _una: SeqNum) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn on_undone(&mut self) {}

    #[inline(always)]
    pub(super) fn on_segment(&mut self, _seg: &Segment<'_>) {}

    #[cfg(feature = "tcp-info")]
    #[inline(always)]
    pub(super) fn is_on(&self) -> bool {
        false
    }

    #[cfg(feature = "tcp-info")]
    #[inline(always)]
    pub(super) fn is_seen(&self) -> bool {
        false
    }

    #[cfg(feature = "tcp-info")]
    #[inline(always)]
    pub(super) fn is_reduced(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn tell(&self, _plan: &mut Plan) {}

    #[inline(always)]
    pub(super) fn on_sent(&mut self, _plan: &Plan) {}
}

#[inline(always)]
pub(super) fn setup_of(_is_granted: bool) -> Flags {
    Flags::empty()
}

impl Connection {
    #[inline(always)]
    pub(super) fn on_echo(&mut self, _cx: &Context<'_>, _seg: &Segment<'_>, _acked: u32) {}

    #[inline(always)]
    pub(super) fn on_mark(&mut self, _seg: &Segment<'_>) {}

    #[inline(always)]
    pub(super) fn reduce(&mut self, flight: u32, mss: u32) {
        self.control.on_loss(flight, mss);
    }

    #[inline(always)]
    pub(super) fn end_hold(&mut self, _cx: &Context<'_>, _side: &Side<'_>) -> bool {
        false
    }
}

impl super::Socket<'_> {
    #[inline(always)]
    pub(crate) fn mark_for(&self, _plan: &Plan) -> Mark {
        Mark
    }
}
