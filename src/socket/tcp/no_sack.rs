//! Without selective acknowledgments: what is lost is found one a round trip (`recovery`).

use super::Side;
use super::connection::Connection;
#[cfg(feature = "tcp-info")]
use super::info::Oddities;
use super::segment::{Plan, Segment};
#[cfg(feature = "tcp-info")]
use super::send::Send;
use crate::socket::Context;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

#[derive(Debug, Clone, Copy)]
pub(super) struct Choice;

impl Choice {
    pub(super) const DEFAULT: Choice = Choice;

    #[inline]
    pub(super) fn is_wanted(self) -> bool {
        false
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blocks;

impl Blocks {
    pub(crate) const NONE: Blocks = Blocks;

    #[inline]
    pub(crate) fn buffer_len(self) -> usize {
        0
    }
}

pub(super) const PARTS: [usize; 4] = [0; 4];

#[derive(Debug, Clone, Copy)]
pub(super) struct Sack;

impl Sack {
    pub(super) const fn new() -> Sack {
        Sack
    }

    #[inline]
    pub(super) fn begin(&mut self, _is_permitted: bool) {}

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn is_concerned(&self, _seg: &Segment<'_>) -> bool {
        false
    }

    #[inline]
    pub(super) fn is_repairing(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn on_new_ack(&mut self, _una: SeqNum) {}

    #[inline]
    pub(super) fn arrived(&self) -> u32 {
        0
    }

    #[cfg(feature = "tcp-info")]
    pub(super) fn is_after_timeout(&self) -> bool {
        false
    }

    #[cfg(feature = "tcp-info")]
    pub(super) fn lost_and_again(&self, _snd: &Send) -> (u32, u32) {
        (0, 0)
    }

    #[cfg(feature = "tcp-info")]
    pub(super) fn oddities(&self) -> Oddities {
        Oddities::NONE
    }
}

impl Connection {
    #[inline]
    pub(super) fn on_sacks(&mut self, _cx: &Context<'_>, _seg: &Segment<'_>, _acked: u32, _side: &Side<'_>) {}

    #[inline]
    pub(super) fn repair_all(&mut self, _is_timeout: bool) -> bool {
        false
    }

    #[inline]
    pub(super) fn decide_repair(&self, _cx: &Context<'_>, _side: &Side<'_>, _plan: &mut Plan) -> bool {
        false
    }

    #[inline]
    pub(super) fn on_patience_over(&mut self, _cx: &Context<'_>, _side: &Side<'_>) -> bool {
        false
    }

    #[inline]
    pub(super) fn on_probe_due(&mut self, _cx: &Context<'_>, _side: &Side<'_>) -> bool {
        false
    }

    #[inline]
    pub(super) fn arm_sooner(&mut self, _now: Ticks, rto_at: Ticks) -> Ticks {
        rto_at
    }

    #[inline]
    pub(super) fn note_sent(&mut self, _plan: &Plan, _now: Ticks) {}

    #[inline]
    pub(super) fn on_sent_repair(&mut self, _plan: &Plan, _now: Ticks) {}

    #[inline]
    pub(super) fn note_order(&mut self, _skip: u32, _offset: u32, _len: u32) {}

    #[inline]
    pub(super) fn note_blocks(&self, _plan: &mut Plan) {}

    #[inline]
    pub(super) fn emit_blocks(&self, _plan: &Plan, _header: &mut [u8]) {}

    #[inline]
    pub(super) fn on_sent_blocks(&mut self, _plan: &Plan) {}

    #[inline]
    pub(super) fn owe_dup_ack(&mut self) {
        self.dup_acks = self.dup_acks.saturating_add(1);
    }
}
