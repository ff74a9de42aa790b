//! In place of the timer heap where no kind of socket that is built in has deadlines.

use super::slots::Slots;
use crate::time::Ticks;

/// No timers.
#[derive(Debug)]
pub(crate) struct Timers;

impl Timers {
    pub(crate) const fn new() -> Timers {
        Timers
    }

    pub(crate) fn set<T>(&mut self, _slots: &mut Slots<'_, T>, _ix: u32, at: Option<Ticks>) {
        debug_assert!(at.is_none());
    }

    pub(crate) fn bound<T>(&self, _slots: &Slots<'_, T>) -> Option<Ticks> {
        None
    }

    pub(crate) fn expired<T>(&mut self, _slots: &mut Slots<'_, T>, _now: Ticks) -> Option<u32> {
        None
    }

    pub(crate) fn settle<T>(&mut self, _slots: &mut Slots<'_, T>, _max_heads: u32) {}

    pub(crate) fn remove<T>(&mut self, _slots: &mut Slots<'_, T>, _ix: u32) {}
}
