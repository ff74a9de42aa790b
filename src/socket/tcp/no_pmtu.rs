//! Without path MTU discovery: segments are as large as the link and the peer take, and routers may cut them.

use super::connection::Connection;
use super::segment::Plan;
use super::{Side, Socket};
use crate::socket::Context;
use crate::wire::tcp::SeqNum;

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct MtuProbing;

#[derive(Debug, Clone)]
pub(super) struct Pmtu;

impl Pmtu {
    pub(super) const fn new() -> Pmtu {
        Pmtu
    }

    #[inline]
    pub(super) fn is_watching(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn is_searching(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn is_probe(&self, _seq: SeqNum, _len: u32) -> bool {
        false
    }

    #[inline]
    pub(super) fn is_probe_at(&self, _seq: SeqNum) -> bool {
        false
    }
}

impl Connection {
    #[inline]
    pub(super) fn begin_pmtu(&mut self, _cx: &Context<'_>, _side: &Side<'_>) {}

    #[inline]
    pub(super) fn on_pmtu_ack(&mut self, _cx: &Context<'_>, _acked: u32, _mss: u32, _side: &Side<'_>) {}

    #[inline]
    pub(super) fn on_probe_lost(&mut self, _cx: &Context<'_>) {}

    #[inline]
    pub(super) fn on_full_stop(&mut self, _cx: &Context<'_>, _side: &Side<'_>) -> bool {
        false
    }

    #[inline]
    pub(super) fn decide_mtu_probe(
        &self,
        _cx: &Context<'_>,
        _side: &Side<'_>,
        _plan: &mut Plan,
    ) -> Option<bool> {
        None
    }

    #[inline]
    pub(super) fn on_probe_sent(&mut self, _plan: &Plan) {}

    #[inline]
    pub(super) fn on_sent_again(&mut self, _cx: &Context<'_>, _plan: &Plan) {}
}

impl Socket<'_> {
    #[inline]
    pub(crate) fn may_be_cut(&self) -> bool {
        false
    }
}
