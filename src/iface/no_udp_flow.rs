//! Without `udp-connect` UDP sockets are found by their port alone.

use super::socket_set::SocketSet;
use crate::socket::udp::{self, Peer, To};

#[derive(Debug, Default)]
pub(crate) struct Flows;

impl SocketSet<'_> {
    #[inline]
    pub(crate) fn udp_hash(&self, socket: &udp::Socket<'_>, port: u16) -> u32 {
        self.table.hash_port(socket.protocol().0, port)
    }

    #[inline]
    pub(crate) fn note_flow(&mut self, _ix: u32) {}

    #[inline]
    pub(crate) fn next_taker(&self, after: u32, _peer: &Peer, to: &To<'_>) -> Option<u32> {
        self.next_udp(after, to)
    }
}
