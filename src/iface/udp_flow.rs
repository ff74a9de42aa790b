//! UDP sockets that are connected, in the set (feature `udp-connect`).

use super::socket_set::SocketSet;
use crate::socket::icmp_error::IcmpError;
use crate::socket::udp::{self, Peer, To};
use crate::storage::NIL;
use crate::wire::{Addr, IpProtocol};

/// Whether a socket was ever connected: without any, a datagram is not looked for among them.
#[derive(Debug, Default)]
pub(crate) struct Flows(bool);

impl SocketSet<'_> {
    /// What a UDP socket is filed under. The own address of a connected one may be any, so it is no part of
    /// the key.
    pub(crate) fn udp_hash(&self, socket: &udp::Socket<'_>, port: u16) -> u32 {
        match socket.remote() {
            Some(remote) => self.flow_hash(socket.protocol(), &remote.addr, remote.port, port),
            None => self.table.hash_port(socket.protocol().0, port),
        }
    }

    fn flow_hash(&self, protocol: IpProtocol, remote: &Addr, remote_port: u16, port: u16) -> u32 {
        self.table.hash_tuple((&Addr::UNSPECIFIED, port), (remote, remote_port), protocol.0)
    }

    /// Notes that there are connected sockets.
    pub(crate) fn note_flow(&mut self, ix: u32) {
        self.flows.0 |= self.udp(ix).is_some_and(|socket| socket.remote().is_some());
    }

    /// The next socket after `after` that a datagram from `peer` to `dst` is for: those that are connected to `peer`
    /// first, then those that take from anybody. `NIL` begins.
    #[inline]
    pub(crate) fn next_taker(&self, after: u32, peer: &Peer, to: &To<'_>) -> Option<u32> {
        if self.flows.0 {
            return self.next_in_flows(after, peer, to);
        }
        self.next_udp(after, to)
    }

    #[inline(never)]
    fn next_in_flows(&self, after: u32, peer: &Peer, to: &To<'_>) -> Option<u32> {
        if self.udp(after).is_some_and(|socket| socket.remote().is_none()) {
            return self.next_udp(after, to);
        }
        let flow = self.find_flow(after, peer, to);
        flow.or_else(|| self.next_udp(NIL, to))
    }

    fn find_flow(&self, after: u32, peer: &Peer, to: &To<'_>) -> Option<u32> {
        let hash = self.flow_hash(to.protocol, &peer.remote, peer.remote_port, to.port);
        let is_hit = |socket: &udp::Socket<'_>| {
            socket.remote().is_some() && socket.takes_from(peer, to.interface) && socket.accepts(to)
        };
        let mut chain = self.table.chain(&self.slots, hash);
        if after != NIL {
            chain.find(|&(ix, _)| ix == after)?;
        }
        chain.find(|(_, entry)| super::udp::as_udp(&entry.0.socket).is_some_and(is_hit)).map(|(ix, _)| ix)
    }

    /// Who may have sent to `peer` from the end that `from` names.
    pub(crate) fn udp_sender(&self, peer: &Peer, from: &To<'_>) -> Option<u32> {
        self.next_taker(NIL, peer, from)
    }

    /// Tells a UDP socket that something it has sent did not arrive.
    pub(crate) fn tell_icmp_error(&mut self, ix: u32, error: IcmpError) {
        let Some(socket) = self.udp_mut(ix) else { return };
        let events = socket.on_icmp_error(error);
        self.notify(ix, events);
    }
}
