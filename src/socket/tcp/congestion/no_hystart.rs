//! Without HyStart++ slow start goes on until a loss.

use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

#[derive(Debug, Clone)]
pub(super) struct Hystart;

impl Hystart {
    pub(super) const fn new() -> Hystart {
        Hystart
    }

    #[inline]
    pub(super) fn growth(&self, acked: u32) -> u32 {
        acked
    }

    #[inline]
    pub(super) fn on_ack(
        &mut self,
        _una: SeqNum,
        _max: SeqNum,
        _rtt: Option<u32>,
        _is_paced: bool,
        _now: Ticks,
    ) -> bool {
        false
    }
}
