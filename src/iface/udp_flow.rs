//! UDP sockets that are connected, in the set (feature `udp-connect`).

use super::socket_set::SocketSet;
use crate::socket::icmp_error::IcmpError;
use crate::socket::udp::{self, Peer};
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
    pub(crate) fn next_taker(
        &self,
        protocol: IpProtocol,
        after: u32,
        peer: &Peer,
        dst: &Addr,
        port: u16,
    ) -> Option<u32> {
        if self.flows.0 {
            return self.next_in_flows(protocol, after, peer, dst, port);
        }
        self.next_udp(protocol, after, dst, port)
    }

    #[inline(never)]
    fn next_in_flows(
        &self,
        protocol: IpProtocol,
        after: u32,
        peer: &Peer,
        dst: &Addr,
        port: u16,
    ) -> Option<u32> {
        if self.udp(after).is_some_and(|socket| socket.remote().is_none()) {
            return self.next_udp(protocol, after, dst, port);
        }
        let flow = self.find_flow(protocol, after, peer, dst, port);
        flow.or_else(|| self.next_udp(protocol, NIL, dst, port))
    }

    fn find_flow(&self, protocol: IpProtocol, after: u32, peer: &Peer, dst: &Addr, port: u16) -> Option<u32> {
        let hash = self.flow_hash(protocol, &peer.remote, peer.remote_port, port);
        let is_hit = |socket: &udp::Socket<'_>| {
            socket.remote().is_some() && socket.takes_from(peer) && socket.accepts(protocol, dst, port)
        };
        let mut chain = self.table.chain(&self.slots, hash);
        if after != NIL {
            chain.find(|&(ix, _)| ix == after)?;
        }
        chain.find(|(_, entry)| super::udp::as_udp(&entry.0.socket).is_some_and(is_hit)).map(|(ix, _)| ix)
    }

    /// Who may have sent from `src` and `port` to `peer`.
    pub(crate) fn udp_sender(&self, protocol: IpProtocol, peer: &Peer, src: &Addr, port: u16) -> Option<u32> {
        self.next_taker(protocol, NIL, peer, src, port)
    }

    /// Tells a UDP socket that something it has sent did not arrive.
    pub(crate) fn tell_icmp_error(&mut self, ix: u32, error: IcmpError) {
        let Some(socket) = self.udp_mut(ix) else { return };
        let events = socket.on_icmp_error(error);
        self.notify(ix, events);
    }
}
