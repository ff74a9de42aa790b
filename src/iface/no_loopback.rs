//! In place of packets to ourselves where `iface-loopback` is not built in: there are none.

use super::engine::Progress;
use super::interface::Interface;
use super::links::Links;
use super::socket_set::SocketSet;
#[cfg(feature = "socket-tcp")]
use crate::wire::Addr;

impl Interface<'_> {
    /// Nothing is for ourselves.
    #[cfg(feature = "socket-tcp")]
    #[inline]
    pub(crate) fn is_looped(&self, _next_hop: &Addr) -> bool {
        false
    }

    /// Nothing waits.
    #[inline]
    pub(crate) fn has_looped(&self) -> bool {
        false
    }
}

/// There is nothing to take in.
#[inline]
pub(crate) fn take(_links: &mut Links<'_, '_, '_>, _sockets: &mut SocketSet<'_>, _progress: &mut Progress) {}
