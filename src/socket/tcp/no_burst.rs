//! Without bursts: each segment is planned by itself, and is what the device gets.

use super::Socket;
use super::connection::Connection;
use super::segment::Plan;
use crate::socket::Context;
use crate::wire::tcp::SeqNum;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Pieces;

impl Pieces {
    #[inline]
    pub(crate) fn plan_len(_cut_len: usize, _ip_mtu: u16) -> u32 {
        0
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst;

impl Burst {
    #[inline]
    pub(crate) fn begin(_plan: &mut Plan, _pieces: Pieces) -> Burst {
        Burst
    }

    #[inline]
    pub(crate) fn cut(self, _piece: &Plan) -> u16 {
        0
    }

    #[inline]
    pub(crate) fn advance(self, _plan: &mut Plan) -> bool {
        false
    }

    #[inline]
    pub(crate) fn end(self, _plan: &mut Plan, is_gone: bool) -> bool {
        is_gone
    }
}

impl Connection {
    #[inline]
    pub(super) fn end_of_first(&self, _plan: &Plan, end: SeqNum) -> SeqNum {
        end
    }
}

impl Socket<'_> {
    #[inline]
    pub(crate) fn pieces(&self, _cx: &Context<'_>, _cut_len: usize) -> Pieces {
        Pieces
    }
}
