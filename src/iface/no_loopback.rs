//! In place of packets to ourselves where `iface-loopback` is not built in: there are none.

use super::engine::Progress;
use super::interface::Interface;
use super::links::Links;
use super::socket_set::SocketSet;
#[cfg(feature = "iface-fragments")]
use crate::storage::PacketPool;
#[cfg(any(feature = "socket-tcp", feature = "iface-fragments"))]
use crate::wire::Addr;

impl Interface<'_> {
    /// Nothing is for ourselves.
    #[cfg(any(feature = "socket-tcp", feature = "iface-fragments"))]
    #[inline]
    pub(crate) fn is_looped(&self, _next_hop: &Addr) -> bool {
        false
    }

    /// As large as the link takes.
    #[cfg(feature = "iface-fragments")]
    pub(crate) fn largest_looped(&self) -> usize {
        self.ip_mtu()
    }

    /// Nothing waits.
    #[inline]
    pub(crate) fn has_looped(&self) -> bool {
        false
    }
}

/// Larger than any link takes.
#[cfg(feature = "iface-fragments")]
pub(crate) fn room_for_looped(_packets: &PacketPool<'_>, _link_header_len: usize) -> usize {
    usize::MAX
}

/// There is nothing to take in.
#[inline]
pub(crate) fn take(_links: &mut Links<'_, '_, '_>, _sockets: &mut SocketSet<'_>, _progress: &mut Progress) {}
