//! Without `iface-loopback` nothing is for ourselves.

use crate::iface::Interface;
use crate::iface::links::Out;
use crate::iface::output::{Packet, Sent};
#[cfg(feature = "socket-raw")]
use crate::wire::Addr;

/// There is none.
#[derive(Debug, Clone, Copy)]
pub(super) enum Own {}

impl Interface<'_> {
    /// Nothing comes here.
    pub(super) fn keep_own(
        &mut self,
        _out: &mut Out<'_>,
        _packet: &Packet,
        _header: [u8; 8],
        _data: &[u8],
    ) -> Sent {
        Sent::Never
    }

    /// Nothing comes here.
    #[cfg(feature = "socket-raw")]
    pub(super) fn keep_own_packet(&mut self, _out: &mut Out<'_>, _src: &Addr, _packet: &[u8]) -> Sent {
        Sent::Never
    }
}
