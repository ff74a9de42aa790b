//! Without pacing all leaves at once that the windows allow.

use super::Side;
use super::connection::Connection;
use crate::socket::Context;
use crate::time::Ticks;

#[derive(Debug, Clone, Copy)]
pub(super) struct Choice;

impl Choice {
    pub(super) const DEFAULT: Choice = Choice;
}

#[derive(Debug)]
pub(super) struct Pace;

impl Pace {
    pub(super) const fn new(_now: Ticks) -> Pace {
        Pace
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn limit(&self, len: u32, _mss: u32, _now: Ticks) -> u32 {
        len
    }

    #[inline]
    pub(super) fn on_sent(&mut self, _len: u32) {}

    #[inline]
    pub(super) fn deadline(&self) -> Option<Ticks> {
        None
    }

    #[inline]
    pub(super) fn stop(&mut self) {}
}

impl Connection {
    #[inline]
    pub(super) fn refill(&mut self, _cx: &Context<'_>, _side: &Side<'_>) {}

    #[inline]
    pub(super) fn wait(&mut self, _side: &Side<'_>) {}

    #[inline]
    pub(super) fn is_to_wait(&self, _cx: &Context<'_>, _side: &Side<'_>) -> bool {
        false
    }
}
