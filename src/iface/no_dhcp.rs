//! Without `iface-dhcp` what comes to the port of DHCP clients is for sockets.

use super::ingress::{Ingress, Received, Taken};

impl Ingress<'_, '_, '_, '_, '_> {
    #[inline]
    pub(crate) fn is_for_dhcp(&self, _received: &Received<'_>) -> bool {
        false
    }

    #[cfg(feature = "socket-udp")]
    #[inline]
    pub(super) fn dhcp(&mut self, _src_port: u16, _dst_port: u16, _data: &[u8]) -> Option<Taken> {
        None
    }
}
