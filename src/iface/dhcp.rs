//! What comes for an interface's DHCP client, which is in `autoconf`.

use super::ingress::{Ingress, Received, Taken};
use crate::wire::IpProtocol;
use crate::wire::dhcpv4::CLIENT_PORT;

impl Ingress<'_, '_, '_, '_, '_> {
    /// Whether a packet to an address that is not ours may be an answer for the client.
    #[inline]
    pub(crate) fn is_for_dhcp(&self, received: &Received<'_>) -> bool {
        self.links.iface.has_dhcp() && self.is_dhcp_answer(received)
    }

    #[inline(never)]
    fn is_dhcp_answer(&self, received: &Received<'_>) -> bool {
        let is_ours = received.unicast && received.protocol == IpProtocol::UDP;
        is_ours && self.links.iface.is_for_dhcp(&received.dst, received.payload)
    }

    /// A datagram, if it is for the client.
    #[inline]
    pub(super) fn dhcp(&mut self, src_port: u16, dst_port: u16, data: &[u8]) -> Option<Taken> {
        if dst_port == CLIENT_PORT { self.hear_dhcp(src_port, data) } else { None }
    }

    #[inline(never)]
    fn hear_dhcp(&mut self, src_port: u16, data: &[u8]) -> Option<Taken> {
        self.links.iface.hear_dhcp(&self.sockets.keys, self.links.now, src_port, data)
    }
}
