//! UDP in the engine: binding, datagrams in, datagrams out.

use super::egress::Step;
use super::icmp::zone_of;
use super::ingress::{Ingress, Received, Taken};
use super::links::Links;
use super::output::{Packet, Sent, header_and_data};
use super::socket_set::{HandleError, SocketSet};
use crate::config;
use crate::socket::udp::{self, BindError};
use crate::socket::{Events, Socket};
use crate::stats::{self, DropReason};
use crate::storage::{Class, NIL, SocketHandle};
use crate::wire::udp::{HEADER_LEN, Header};
use crate::wire::{Addr, IpListenEndpoint, IpProtocol};

impl<'a> SocketSet<'a> {
    /// Binds a UDP socket and settles it at once.
    ///
    /// # Errors
    /// Those of [`udp::Socket::bind`], and [`BindError::PortInUse`] if another socket has the port.
    ///
    /// # Panics
    /// If the handle names no UDP socket.
    pub fn bind(
        &mut self,
        handle: SocketHandle,
        endpoint: impl Into<IpListenEndpoint>,
    ) -> Result<(), BindError> {
        self.get_mut::<udp::Socket<'a>>(handle).bind(endpoint)?;
        match self.index_of(handle) {
            Ok(ix) => self.settle_udp(ix),
            Err(HandleError::Stale | HandleError::WrongKind) => Ok(()),
        }
    }

    fn udp(&self, ix: u32) -> Option<&udp::Socket<'a>> {
        match &self.entry(ix)?.socket {
            Socket::Udp(socket) => Some(socket),
            _ => None,
        }
    }

    fn udp_mut(&mut self, ix: u32) -> Option<&mut udp::Socket<'a>> {
        match &mut self.entry_mut(ix)?.socket {
            Socket::Udp(socket) => Some(socket),
            _ => None,
        }
    }

    /// Files a UDP socket under its port, once that is known to be its own.
    pub(crate) fn settle_udp(&mut self, ix: u32) -> Result<(), BindError> {
        let Some(socket) = self.udp(ix) else { return Ok(()) };
        if !socket.is_open() {
            self.table.unfile(&mut self.slots, ix);
            return Ok(());
        }
        let (local, wanted) = socket.bound_to();
        let port = if socket.wants_port() {
            self.ephemeral_port(IpProtocol::UDP, &[], &|set, port| !set.udp_conflict(ix, local, port))
        } else {
            Some(wanted).filter(|&port| !self.udp_conflict(ix, local, port))
        };
        let Some(port) = port else { return self.refuse_udp(ix, wanted) };
        if let Some(socket) = self.udp_mut(ix) {
            socket.settle(port);
        }
        let hash = self.table.hash_port(IpProtocol::UDP.0, port);
        if self.table.filed_under(&self.slots, ix) != Some(hash) {
            self.table.file(&mut self.slots, ix, hash);
        }
        Ok(())
    }

    #[inline(never)]
    fn refuse_udp(&mut self, ix: u32, wanted: u16) -> Result<(), BindError> {
        let error = if wanted == 0 { BindError::NoPort } else { BindError::PortInUse };
        self.table.unfile(&mut self.slots, ix);
        let events = self.udp_mut(ix).map_or(Events::empty(), |socket| socket.refuse(error));
        self.notify(ix, events);
        Err(error)
    }

    /// Whether another socket takes what a socket bound to `local` and `port` would take.
    fn udp_conflict(&self, ix: u32, local: Option<Addr>, port: u16) -> bool {
        let hash = self.table.hash_port(IpProtocol::UDP.0, port);
        self.table.chain(&self.slots, hash).any(|(other, entry)| {
            let Socket::Udp(socket) = &entry.0.socket else { return false };
            let (bound, bound_port) = socket.bound_to();
            let overlap = bound.is_none() || local.is_none() || bound == local;
            other != ix && bound_port == port && overlap
        })
    }

    /// The next socket after `after` in its chain that a datagram is for; `NIL` begins.
    fn next_udp(&self, after: u32, dst: &Addr, port: u16) -> Option<u32> {
        let hash = self.table.hash_port(IpProtocol::UDP.0, port);
        let mut chain = self.table.chain(&self.slots, hash);
        if after != NIL {
            chain.find(|&(ix, _)| ix == after)?;
        }
        let wants = |entry: &super::socket_set::SocketEntry<'_>| matches!(&entry.0.socket, Socket::Udp(socket) if socket.accepts(dst, port));
        chain.find(|(_, entry)| wants(entry)).map(|(ix, _)| ix)
    }
}

impl Ingress<'_, '_, '_, '_, '_> {
    pub(crate) fn udp(&mut self, received: &Received<'_>) -> Taken {
        let (header, data) = Header::split(received.payload)?;
        if !self.meta.checksum_ok && !header.is_checksum_valid(data, &received.src, &received.dst) {
            return Err(DropReason::Checksum);
        }
        stats::count(&mut self.links.iface.stats.udp_in_datagrams, 1);
        let port = header.dst_port();
        let peer = udp::Peer {
            remote: received.src,
            local: Some(received.dst),
            remote_port: header.src_port(),
            zone: zone_of(self, &received.src),
        };
        // What goes to a group or to all is for everybody who has the port.
        let is_for_one = received.unicast && !received.dst.is_multicast();
        let mut taken = Err(DropReason::NoSocket);
        let mut last = NIL;
        while let Some(ix) = self.sockets.next_udp(last, &received.dst, port) {
            last = ix;
            // One that takes it is enough.
            taken = match self.give_datagram(ix, &peer, data) {
                Err(reason) if taken.is_err() => Err(reason),
                _ => Ok(()),
            };
            if is_for_one {
                break;
            }
        }
        if last == NIL { self.port_unreachable(received) } else { taken }
    }

    fn give_datagram(&mut self, ix: u32, peer: &udp::Peer, data: &[u8]) -> Taken {
        let Some(handle) = self.sockets.slots.handle_at(ix) else { return Err(DropReason::NoSocket) };
        let Some(socket) = self.sockets.udp_mut(ix) else { return Err(DropReason::NoSocket) };
        if socket.takes_in_place() && self.handler.payload(handle, data) > 0 {
            return Ok(());
        }
        let events = socket.process(peer, data)?;
        self.sockets.notify(ix, events);
        Ok(())
    }
}

/// Sends what a socket has queued, up to `quota` datagrams.
pub(crate) fn dispatch(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    ix: u32,
    quota: usize,
    sent: &mut usize,
) -> Step {
    for _ in 0..quota {
        let Some(socket) = sockets.udp_mut(ix) else { return Step::Idle };
        let (hop_limit, src_port) = (socket.hop_limit(), socket.bound_to().1);
        let Some((peer, data)) = socket.next().filter(|_| src_port != 0) else { return Step::Idle };
        if let Some(port) = send(links, peer, src_port, hop_limit.unwrap_or(config::DEFAULT_HOP_LIMIT), data)
        {
            return Step::NoRoom { port };
        }
        let events = socket.on_sent();
        sockets.notify(ix, events);
        *sent += 1;
    }
    Step::More
}

/// Sends a datagram, or drops it for a reason, or says which port has no room for it.
fn send(
    links: &mut Links<'_, '_, '_>,
    peer: &udp::Peer,
    src_port: u16,
    hop_limit: u8,
    data: &[u8],
) -> Option<usize> {
    let needs_zone =
        !peer.remote.is_v4() && peer.remote.is_link_local() && peer.zone == 0 && links.count() > 1;
    let Some(route) = links.route(&peer.remote, peer.zone).filter(|_| !needs_zone) else {
        links.iface.drop_output(DropReason::NoRoute);
        return None;
    };
    let sent = links.with_port(route.port, |iface, out| {
        // An answer to what came to a group or to all comes from one address.
        let own = peer.local.filter(|own| own.is_unicast() && !iface.is_broadcast(own));
        let Some(src) = own.or_else(|| iface.source_for(&peer.remote)) else {
            iface.drop_output(DropReason::NoSource);
            return Sent::Yes;
        };
        let len = HEADER_LEN + data.len();
        let (dst, protocol) = (peer.remote, IpProtocol::UDP);
        let packet = Packet { src, dst, protocol, hop_limit, len, segment_len: 0 };
        let ([a, b], [c, d]) = (src_port.to_be_bytes(), peer.remote_port.to_be_bytes());
        let [e, f] = (len as u16).to_be_bytes();
        let mut fill = header_and_data([a, b, c, d, e, f, 0, 0], data);
        let sent = iface.send(out, &packet, &route.next_hop, &mut fill);
        match sent {
            Sent::NoRoom | Sent::Never => return sent,
            Sent::Yes => {}
            Sent::Unresolved(neighbor) => {
                iface.wait_for(neighbor, &packet, Class::Data, &mut fill);
            }
        }
        stats::count(&mut iface.stats.udp_out_datagrams, 1);
        sent
    });
    (sent == Some(Sent::NoRoom)).then_some(route.port)
}
