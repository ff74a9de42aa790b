//! Without the user timeout option: what the peer advises is not read, and it is not told.

use super::Side;
use super::connection::Connection;
use super::segment::{Plan, Segment};
use crate::config;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advice;

impl Advice {
    pub(crate) const NONE: Advice = Advice;

    #[inline]
    pub(crate) fn buffer_len(self) -> usize {
        0
    }

    #[inline]
    pub(crate) fn emit(self, _area: &mut [u8]) {}
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Choice;

impl Choice {
    pub(super) const DEFAULT: Choice = Choice;
}

#[derive(Debug, Clone)]
pub(super) struct Uto;

impl Uto {
    #[inline]
    pub(super) const fn new() -> Uto {
        Uto
    }
}

impl Connection {
    #[inline]
    pub(super) fn patience_left(&self, side: &Side<'_>, gone: u32) -> Option<u32> {
        side.config.timeout.left(gone)
    }

    #[inline]
    pub(super) fn retries(&self, _side: &Side<'_>) -> u8 {
        config::TCP_DATA_RETRIES
    }

    #[inline]
    pub(super) fn on_advice(&mut self, _seg: &Segment<'_>) {}

    #[inline]
    pub(super) fn owe_advice(&mut self, _side: &Side<'_>) {}

    #[inline]
    pub(super) fn note_advice(&self, _side: &Side<'_>, _plan: &mut Plan) {}

    #[inline]
    pub(super) fn advise_first(&self, _side: &Side<'_>, _plan: &mut Plan) {}

    #[inline]
    pub(super) fn on_sent_advice(&mut self, _plan: &Plan) {}
}
