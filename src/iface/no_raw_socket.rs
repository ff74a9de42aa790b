//! Without `socket-raw` nobody gets copies.

use super::ingress::{Ingress, Received};
use super::socket_set::SocketSet;
use crate::stats::Stats;
use crate::wire::EtherType;
#[cfg(feature = "iface-path-mtu")]
use crate::wire::{IpProtocol, IpVersion};

#[derive(Debug, Default)]
pub(crate) struct Taps;

impl Ingress<'_, '_, '_, '_, '_> {
    #[inline]
    pub(crate) fn tap_packet(&mut self, _received: &Received<'_>) -> bool {
        false
    }

    #[inline]
    pub(crate) fn tap_frame(&mut self, _ether_type: EtherType, _frame: &[u8]) -> bool {
        false
    }
}

#[cfg(feature = "iface-path-mtu")]
impl SocketSet<'_> {
    #[inline]
    pub(crate) fn has_raw(&self, _version: IpVersion, _protocol: IpProtocol) -> bool {
        false
    }
}

/// No socket has a packet that is to be cut.
#[inline(always)]
pub(crate) fn lose_packet(_stats: &mut Stats, _sockets: &mut SocketSet<'_>, _ix: u32) {}
