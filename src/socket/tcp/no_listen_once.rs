//! Without passive opens of sockets: only a [`Listener`](super::Listener) listens.

use super::connection::Connection;
use super::segment::{Outcome, Segment};
use super::{ListenKey, Socket};
use crate::socket::{Context, Tuple};

/// No socket has one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Listening {}

impl Socket<'_> {
    #[inline]
    pub(crate) fn listen_key(&self) -> Option<&ListenKey> {
        None
    }

    #[inline]
    pub(crate) fn accept_syn(&mut self, _: &Context<'_>, _: &Tuple, _: &Segment<'_>) -> Outcome {
        Outcome::REFUSED
    }

    #[inline]
    pub(super) fn listen_again(&mut self) {}
}

impl Connection {
    #[inline]
    pub(super) fn give_up_request(&mut self) -> bool {
        false
    }
}
