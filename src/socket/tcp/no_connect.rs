//! Without active opens: nobody is ever in SYN-SENT.

use super::Side;
use super::Socket;
use super::connection::Connection;
use super::segment::{Outcome, Segment};
use crate::socket::Context;

/// Nobody has one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wish {}

impl Socket<'_> {
    #[inline]
    pub(crate) fn wish(&self) -> Option<Wish> {
        None
    }
}

impl Connection {
    #[inline]
    pub(super) fn process_syn_sent(&mut self, _: &Context<'_>, _: &Segment<'_>, _: &mut Side<'_>) -> Outcome {
        Outcome::REFUSED
    }
}
