//! Ephemeral ports (RFC 6056 §3.3.3: a keyed offset and a counter).

use super::socket_set::SocketSet;
#[cfg(feature = "iface-ephemeral")]
use crate::config;
#[cfg(feature = "iface-ephemeral")]
use crate::rand::Domain;
use crate::wire::IpProtocol;

/// None is ever chosen: a socket that wants one is refused.
#[cfg(not(feature = "iface-ephemeral"))]
impl SocketSet<'_> {
    pub(crate) fn ephemeral_port(
        &mut self,
        _protocol: IpProtocol,
        _flow: &[u32],
        _is_free: &dyn Fn(&Self, u16) -> bool,
    ) -> Option<u16> {
        None
    }
}

#[cfg(feature = "iface-ephemeral")]
impl SocketSet<'_> {
    /// A port that nobody has, or `None` if all are taken. `flow` is what is known of the flow.
    pub(crate) fn ephemeral_port(
        &mut self,
        protocol: IpProtocol,
        flow: &[u32],
        is_free: &dyn Fn(&Self, u16) -> bool,
    ) -> Option<u16> {
        const COUNT: u16 = config::EPHEMERAL_PORTS.1 - config::EPHEMERAL_PORTS.0 + 1;
        let offset = self.keys.hash(Domain::Port, flow) as u16 ^ u16::from(protocol.0).rotate_left(8);
        for _ in 0..COUNT {
            let place = offset.wrapping_add(self.port_counter) % COUNT;
            self.port_counter = self.port_counter.wrapping_add(1);
            let port = config::EPHEMERAL_PORTS.0 + place;
            if is_free(self, port) {
                return Some(port);
            }
        }
        None
    }
}
