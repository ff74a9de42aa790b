//! Without TCP Fast Open: data that comes with a SYN comes again, and none goes with ours.

use super::connection::Connection;
use super::segment::{Plan, Segment};
use super::{Side, Socket};
use crate::socket::Context;
use crate::wire::tcp::SeqNum;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cookie;

impl Cookie {
    pub(crate) const NONE: Cookie = Cookie;

    #[cfg(feature = "tcp-burst")]
    #[inline]
    pub(super) fn is_there(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn buffer_len(&self) -> usize {
        0
    }

    #[inline]
    pub(super) fn emit(&self, _before: usize, _area: &mut [u8]) {}
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Gate;

impl Gate {
    pub(super) const NONE: Gate = Gate;
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Choice;

impl Choice {
    pub(super) const DEFAULT: Choice = Choice;
}

#[derive(Debug, Clone, Copy)]
pub(super) struct FastOpen;

impl FastOpen {
    pub(super) const NONE: FastOpen = FastOpen;

    #[cfg(feature = "tcp-connect")]
    #[inline]
    pub(super) fn begin(&mut self, _: Choice) {}

    #[inline]
    pub(super) fn is_pending(self) -> bool {
        false
    }
}

impl Socket<'_> {
    #[inline]
    pub(super) fn is_open_early(&self) -> bool {
        false
    }
}

impl Connection {
    #[inline]
    pub(super) fn ask_early(&self, _: &mut Plan) {}

    #[inline]
    pub(super) fn sends_early(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn decide_early(&self, _: &Context<'_>, _: &Side<'_>, _: &mut Plan) -> bool {
        false
    }

    #[inline]
    pub(super) fn on_sent_early(&mut self, _: &Context<'_>, _: &Plan, _: &Side<'_>) -> bool {
        false
    }

    #[inline]
    pub(super) fn owe_syn(&mut self) {
        self.snd.nxt = self.snd.una;
    }

    /// Whether a SYN is the one that we have seen.
    #[inline]
    pub(super) fn is_syn_again(&self, syn: &Segment<'_>) -> bool {
        syn.seq.since(self.rcv.nxt) == -1
    }

    /// Whether a segment acknowledges our SYN, and nothing that was not sent.
    #[inline]
    pub(super) fn is_syn_acked(&self, ack: SeqNum) -> bool {
        ack == self.snd.max && self.snd.max != self.snd.una
    }

    #[inline]
    pub(super) fn take_syn_ack(&mut self, ack: SeqNum, _: &mut Side<'_>) -> SeqNum {
        ack
    }

    #[inline]
    pub(super) fn end_early(&mut self, _: &Context<'_>, _: &Side<'_>) {}
}
