//! Without keep-alives: a peer may be silent for ever.

use super::Side;
use super::connection::Connection;
use super::segment::Plan;
use crate::socket::Events;
use crate::time::Ticks;

#[derive(Debug, Clone, Copy)]
pub(super) struct KeepAlive;

impl KeepAlive {
    pub(super) const NONE: KeepAlive = KeepAlive;
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Silence;

impl Silence {
    #[inline]
    pub(super) fn new(_now: Ticks) -> Silence {
        Silence
    }
}

impl Connection {
    #[inline]
    pub(super) fn arm_idle(&mut self, _now: Ticks, _side: &Side<'_>) {}

    #[inline]
    pub(super) fn on_silence(&mut self, _now: Ticks, _side: &mut Side<'_>) -> Events {
        Events::empty()
    }

    #[inline]
    pub(super) fn decide_keep_alive(&self, _plan: &mut Plan) -> bool {
        false
    }
}
