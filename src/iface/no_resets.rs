//! Without `tcp-abort-queue` a reset that was not sent is lost with its socket.

use super::links::Links;
use super::socket_set::SocketSet;

pub(crate) struct Resets;

impl Resets {
    pub(crate) const fn new() -> Resets {
        Resets
    }
}

impl SocketSet<'_> {
    #[inline]
    pub(crate) fn has_resets(&self) -> bool {
        false
    }

    #[cfg(feature = "socket-tcp")]
    #[inline]
    pub(crate) fn say_farewell(&mut self, _ix: u32) {}

    #[inline]
    pub(crate) fn cut(&mut self, _ix: u32) {}
}

#[inline]
pub(crate) fn send(_links: &mut Links<'_, '_, '_>, _sockets: &mut SocketSet<'_>) {}
