//! UDP in the engine: binding, datagrams in, datagrams out.

use super::egress::Step;
use super::icmp::{zone_at, zone_of};
use super::ingress::{Ingress, Received, Taken};
use super::interface::Interface;
use super::links::{Links, Out, Route};
use super::neighbor::Hardware;
use super::output::{Fill, Packet, Sent, TrafficClass, header_and_data};
use super::socket_set::{HandleError, SocketSet};
use super::udplite;
use super::unusual::Unusual;
use crate::config;
use crate::socket::Room;
use crate::socket::udp::{self, BindError, To};
use crate::socket::{Events, Socket};
use crate::stats::{Count, DropReason};
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

    pub(crate) fn udp(&self, ix: u32) -> Option<&udp::Socket<'a>> {
        as_udp(&self.entry(ix)?.socket)
    }

    pub(crate) fn udp_mut(&mut self, ix: u32) -> Option<&mut udp::Socket<'a>> {
        match &mut self.entry_mut(ix)?.socket {
            Socket::Udp(socket) => Some(socket),
            _ => None,
        }
    }

    /// Files a UDP socket under its port, once that is known to be its own.
    pub(crate) fn settle_udp(&mut self, ix: u32) -> Result<(), BindError> {
        let Some(socket) = self.udp(ix) else { return Ok(()) };
        let is_filed = || self.table.filed_under(&self.slots, ix).is_some();
        if config::HAS_FAST_PATHS && !socket.has_moved() && is_filed() {
            return Ok(());
        }
        if !socket.is_open() {
            self.table.unfile(&mut self.slots, ix);
            return Ok(());
        }
        let wanted = socket.bound_to().1;
        let port = if socket.wants_port() {
            let flow = socket.remote().map_or([0; 4], |remote| remote.addr.words());
            self.ephemeral_port(socket.protocol(), &flow, &|set, port| !set.udp_conflict(ix, port))
        } else {
            Some(wanted).filter(|&port| !self.udp_conflict(ix, port))
        };
        let Some(port) = port else { return self.refuse_udp(ix, wanted) };
        if let Some(socket) = self.udp_mut(ix) {
            socket.settle(port);
        }
        let hash = self.udp(ix).map_or(0, |socket| self.udp_hash(socket, port));
        if self.table.filed_under(&self.slots, ix) != Some(hash) {
            self.table.file(&mut self.slots, ix, hash);
        }
        self.note_flow(ix);
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

    /// Whether another socket takes what this one would take at `port`.
    fn udp_conflict(&self, ix: u32, port: u16) -> bool {
        let Some(socket) = self.udp(ix) else { return false };
        let hash = self.udp_hash(socket, port);
        self.table.chain(&self.slots, hash).any(|(other, entry)| {
            other != ix && as_udp(&entry.0.socket).is_some_and(|bound| socket.is_in_conflict(port, bound))
        })
    }

    /// The next socket after `after` in its chain that a datagram is for, whoever sent it; `NIL` begins.
    pub(crate) fn next_udp(&self, after: u32, to: &To<'_>) -> Option<u32> {
        let hash = self.table.hash_port(to.protocol.0, to.port);
        let mut chain = self.table.chain(&self.slots, hash);
        if after != NIL {
            chain.find(|&(ix, _)| ix == after)?;
        }
        let wants = |socket: &udp::Socket<'_>| socket.accepts(to) && socket.remote().is_none();
        chain.find(|(_, entry)| as_udp(&entry.0.socket).is_some_and(wants)).map(|(ix, _)| ix)
    }
}

pub(super) fn as_udp<'s, 'a>(socket: &'s Socket<'a>) -> Option<&'s udp::Socket<'a>> {
    match socket {
        Socket::Udp(socket) => Some(socket),
        _ => None,
    }
}

/// A received datagram, with its ports and what is known of its checksum.
pub(super) struct Datagram<'f> {
    pub(super) protocol: IpProtocol,
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    /// How many octets the checksum covers, if not all.
    pub(super) coverage: Option<u16>,
    pub(super) data: &'f [u8],
}

impl Ingress<'_, '_, '_, '_, '_> {
    pub(crate) fn udp(&mut self, received: &Received<'_>) -> Taken {
        self.links.iface.stats.counters.add(Count::UdpIn, 1);
        let (header, data) = Header::split(received.payload)?;
        if !self.meta.checksum_ok && !header.is_checksum_valid(data, &received.src, &received.dst) {
            return Err(DropReason::Checksum);
        }
        if let Some(taken) = self.dhcp(header.src_port(), header.dst_port(), data) {
            return taken;
        }
        let datagram = Datagram {
            protocol: IpProtocol::UDP,
            src_port: header.src_port(),
            dst_port: header.dst_port(),
            coverage: None,
            data,
        };
        self.datagram(received, &datagram)
    }

    /// Gives a datagram, whose checksum was right, to whom it is for.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn datagram(&mut self, received: &Received<'_>, datagram: &Datagram<'_>) -> Taken {
        let &Datagram { protocol, src_port, dst_port: port, coverage, data } = datagram;
        let peer = udp::Peer {
            remote: received.src,
            local: Some(received.dst),
            remote_port: src_port,
            zone: zone_of(self, &received.src),
            meta: udp::Meta::received(
                self.links.port(),
                received.hop_limit,
                received.packet,
                self.received_at(),
            ),
        };
        // What goes to a group or to all is for everybody who has the port.
        let is_for_one = received.unicast && !received.dst.is_multicast();
        let to = To { protocol, addr: &received.dst, port, interface: self.links.port() };
        let mut taken = Err(DropReason::NoSocket);
        let mut last = NIL;
        while let Some(ix) = self.sockets.next_taker(last, &peer, &to) {
            last = ix;
            if !is_for_one && !self.hears(ix, &received.dst) {
                continue;
            }
            // One that takes it is enough.
            taken = match self.give_datagram(ix, &peer, coverage, data) {
                Err(reason) if taken.is_err() => Err(reason),
                _ => Ok(()),
            };
            if is_for_one {
                break;
            }
        }
        if last == NIL { self.port_unreachable(received) } else { taken }
    }

    /// Whether what came to a group or to all is for this socket.
    fn hears(&self, ix: u32, dst: &Addr) -> bool {
        self.sockets.udp(ix).is_some_and(|socket| socket.hears(dst, self.links.port()))
    }

    fn give_datagram(&mut self, ix: u32, peer: &udp::Peer, coverage: Option<u16>, data: &[u8]) -> Taken {
        let Some(handle) = self.sockets.slots.handle_at(ix) else { return Err(DropReason::NoSocket) };
        let Some(socket) = self.sockets.udp_mut(ix) else { return Err(DropReason::NoSocket) };
        socket.check_coverage(coverage)?;
        if socket.takes_in_place() && self.links.out.hooks.payload(handle, data) > 0 {
            return Ok(());
        }
        let events = socket.process(peer, data)?;
        self.sockets.notify(ix, events);
        Ok(())
    }
}

/// How a datagram gets to a peer.
pub(super) struct Way {
    remote: Addr,
    local: Option<Addr>,
    zone: u8,
    pub(super) route: Route,
    pub(super) src: Addr,
    /// The next hop's, once it was asked for.
    hardware: Option<Hardware>,
    /// It leads to a group or to all, and some of them may be here.
    is_to_many: bool,
}

impl Way {
    /// Whether a datagram to `peer` goes the same way.
    fn leads_to(&self, peer: &udp::Peer) -> bool {
        self.remote == peer.remote && self.local == peer.local && self.zone == peer.zone
    }

    /// Looks for one; without any, the datagram is dropped for a reason.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub(super) fn find(links: &mut Links<'_, '_, '_>, peer: &udp::Peer) -> Option<Way> {
        let needs_zone =
            !peer.remote.is_v4() && peer.remote.is_link_local() && peer.zone == 0 && links.count() > 1;
        let Some(route) = links.route(&peer.remote, peer.zone).filter(|_| !needs_zone) else {
            links.iface.drop_packet(peer.remote.is_v4(), DropReason::NoRoute);
            return None;
        };
        let mut is_to_many = false;
        let src = links.with_port(route.port, |iface, _| {
            is_to_many = config::HAS_LOOPBACK && iface.is_for_many(&peer.remote);
            // An answer to what came to a group or to all comes from one address.
            let own = peer.local.filter(|own| own.is_unicast() && !iface.is_broadcast(own));
            let src =
                own.or_else(|| iface.source_for(&peer.remote)).filter(|src| can_reach(src, &peer.remote));
            if src.is_none() {
                iface.drop_packet(peer.remote.is_v4(), DropReason::NoSource);
            }
            src
        });
        Some(Way {
            remote: peer.remote,
            local: peer.local,
            zone: peer.zone,
            route,
            src: src??,
            hardware: None,
            is_to_many,
        })
    }

    /// The way of the copy for those of us who hear of the group, or have the port.
    fn to_ourselves(&self) -> Way {
        let next_hop = Addr::loopback(self.remote.is_v4());
        Way { route: Route { next_hop, ..self.route }, hardware: None, ..*self }
    }

    /// Sends a packet this way, or lets it wait for its neighbour.
    #[inline]
    pub(super) fn send(
        &mut self,
        iface: &mut Interface<'_>,
        out: &mut Out<'_>,
        packet: &Packet,
        fill: &mut Fill<'_>,
    ) -> Sent {
        let sent = iface.send(out, packet, &self.route.next_hop, &mut self.hardware, fill);
        if let Sent::Unresolved(neighbor) = sent {
            iface.wait_for(out, neighbor, packet, Class::Data, fill);
        }
        sent
    }
}

/// RFC 1122 §3.2.1.3 (g): a loopback address is never the source of what leaves the host.
#[inline]
fn can_reach(src: &Addr, dst: &Addr) -> bool {
    !config::HAS_LOOPBACK || dst.is_loopback() || !src.is_loopback()
}

/// Sends what a socket has queued, up to `quota` datagrams.
pub(crate) fn dispatch(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    ix: u32,
    quota: usize,
    sent: &mut usize,
) -> Step {
    let mut way: Option<Way> = None;
    for _ in 0..quota {
        let Some(mut socket) = sockets.udp_mut(ix) else { return Step::Idle };
        let (hop_limit, src_port) = (socket.hop_limit(), socket.bound_to().1);
        let Some((peer, data)) = socket.next().filter(|_| src_port != 0) else { return Step::Idle };
        // Most often one peer gets several.
        if !config::HAS_FAST_PATHS || !way.as_ref().is_some_and(|way| way.leads_to(peer)) {
            way = Way::find(links, peer);
        }
        let is_lite = config::HAS_UDPLITE && socket.protocol() == IpProtocol::UDP_LITE;
        let has_room = match &mut way {
            None => true,
            Some(way) if is_lite => udplite::send(links, way, socket, peer, data),
            Some(way) => send(links, way, peer, src_port, hop_limit, data),
        };
        if let Some(way) = way.as_ref().filter(|_| !has_room) {
            return Step::NoRoom { port: way.route.port };
        }
        if let Some(way) = way.as_ref().filter(|way| config::HAS_LOOPBACK && way.is_to_many) {
            send_copy(links, sockets, ix, way);
            let Some(again) = sockets.udp_mut(ix) else { return Step::Idle };
            socket = again;
        }
        let events = socket.on_sent();
        sockets.notify(ix, events);
        *sent += 1;
    }
    Step::More
}

/// Sends what has gone to a group or to all to ourselves, too, if somebody here hears it (RFC 1112 §7.1, where the
/// loopback is an option; RFC 3493 §5.2).
#[inline(never)]
fn send_copy(links: &mut Links<'_, '_, '_>, sockets: &SocketSet<'_>, ix: u32, way: &Way) {
    let Some(socket) = sockets.udp(ix) else { return };
    let Some((peer, data)) = socket.next() else { return };
    let (port, is_group) = (way.route.port, way.remote.is_multicast());
    let is_in = |iface: &Interface<'_>| !is_group || peer.meta.loops() && iface.is_in_group(&way.remote);
    if !links.iface(port).is_some_and(is_in) {
        return;
    }
    let src_port = socket.bound_to().1;
    let zone = zone_at(port, &way.src);
    let sender = udp::Peer { remote: way.src, remote_port: src_port, zone, ..*peer };
    let (mut taker, protocol) = (NIL, socket.protocol());
    let to = To { protocol, addr: &way.remote, port: peer.remote_port, interface: port };
    loop {
        let next = sockets.next_taker(taker, &sender, &to);
        let Some(ix) = next else { return };
        if sockets.udp(ix).is_some_and(|socket| socket.hears(&way.remote, port)) {
            break;
        }
        taker = ix;
    }
    let mut way = way.to_ourselves();
    let has_room = match protocol {
        IpProtocol::UDP_LITE if config::HAS_UDPLITE => udplite::send(links, &mut way, socket, peer, data),
        _ => send(links, &mut way, peer, src_port, socket.hop_limit(), data),
    };
    if !has_room {
        links.with_port(port, |iface, _| iface.drop_packet(way.remote.is_v4(), DropReason::QueueFull));
    }
}

/// Sends a datagram, or drops it for a reason; `false` if its port has no room for it.
fn send(
    links: &mut Links<'_, '_, '_>,
    way: &mut Way,
    peer: &udp::Peer,
    src_port: u16,
    hop_limit: Option<u8>,
    data: &[u8],
) -> bool {
    let len = HEADER_LEN + data.len();
    let packet = Packet {
        src: way.src,
        dst: way.remote,
        protocol: IpProtocol::UDP,
        hop_limit: peer.meta.hop_limit(hop_limit),
        traffic_class: TrafficClass::new(peer.meta.traffic_class()),
        len,
        unusual: Unusual::unsummed_if(peer.meta.unsummed()),
        segment_len: 0,
        room: Room::NONE,
    };
    let ([a, b], [c, d]) = (src_port.to_be_bytes(), peer.remote_port.to_be_bytes());
    let [e, f] = (len as u16).to_be_bytes();
    let header = [a, b, c, d, e, f, 0, 0];
    let mut fill = header_and_data(header, data);
    let mut unsummed = |out: &mut [u8], _sum: bool| header_and_data(header, data)(out, false);
    let fill: &mut Fill<'_> = if peer.meta.unsummed() { &mut unsummed } else { &mut fill };
    let sent = links.with_port(way.route.port, |iface, out| {
        let sent = match iface.must_cut(&packet, &way.route.next_hop, out.now) {
            true => iface.send_cut(out, &packet, &way.route.next_hop, header, data),
            false => way.send(iface, out, &packet, fill),
        };
        if !matches!(sent, Sent::NoRoom | Sent::Never) {
            iface.stats.counters.add(Count::UdpOut, 1);
        }
        sent
    });
    sent != Some(Sent::NoRoom)
}
