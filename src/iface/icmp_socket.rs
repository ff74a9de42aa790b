//! ICMP sockets in the engine: whom a message is for, and sending (feature `socket-icmp`).

use super::egress::Step;
use super::icmp::{HEADER_LEN, zone_of};
use super::icmp_error::Quote;
use super::ingress::{Ingress, Received, Taken};
use super::links::Links;
use super::output::{Packet, Sent, TrafficClass, header_and_data};
use super::socket_set::SocketSet;
use super::udp::Way;
use super::unusual::Unusual;
use crate::socket::Room;
use crate::socket::{Socket, icmp, udp};
use crate::stats::DropReason;
use crate::storage::NIL;
use crate::wire::{IpProtocol, icmpv4, icmpv6};

impl<'a> SocketSet<'a> {
    fn icmp_mut(&mut self, ix: u32) -> Option<&mut icmp::Socket<'a>> {
        match &mut self.entry_mut(ix)?.socket {
            Socket::Icmp(socket) => Some(socket),
            _ => None,
        }
    }

    /// Files an ICMP socket under what it is bound to.
    pub(crate) fn settle_icmp(&mut self, ix: u32) {
        match self.icmp_mut(ix).and_then(|socket| socket.key()) {
            Some(key) => {
                let hash = self.table.hash_port(IpProtocol::ICMP.0, key);
                self.table.file(&mut self.slots, ix, hash);
            }
            None => self.table.unfile(&mut self.slots, ix),
        }
    }
}

impl Ingress<'_, '_, '_, '_, '_> {
    /// Gives a message to every socket that wants it, and says whether one did.
    fn give_message(
        &mut self,
        received: &Received<'_>,
        key: u16,
        wants: &dyn Fn(&icmp::Socket<'_>) -> bool,
    ) -> Taken {
        let peer = udp::Peer {
            remote: received.src,
            local: Some(received.dst),
            remote_port: 0,
            zone: zone_of(self, &received.src),
            meta: udp::Meta::received(
                self.links.port(),
                received.hop_limit,
                received.packet,
                self.received_at(),
            ),
        };
        let hash = self.sockets.table.hash_port(IpProtocol::ICMP.0, key);
        let mut taken = Err(DropReason::NoSocket);
        let mut last = NIL;
        let is_wanted = |socket: &Socket<'_>| matches!(socket, Socket::Icmp(socket) if wants(socket));
        while let Some(ix) = self.sockets.next_in_chain(hash, last, &is_wanted) {
            last = ix;
            let Some(socket) = self.sockets.icmp_mut(ix) else { break };
            match socket.process(&peer, received.payload) {
                Ok(events) => {
                    self.sockets.notify(ix, events);
                    taken = Ok(());
                }
                Err(reason) => taken = taken.or(Err(reason)),
            }
        }
        taken
    }

    /// An echo reply.
    pub(crate) fn echo_reply(&mut self, received: &Received<'_>, ident: u16) -> Taken {
        self.give_message(received, ident, &|socket| socket.is_for_echo(ident))
    }

    /// An error about something that we have sent.
    pub(crate) fn quoted(&mut self, received: &Received<'_>, quote: &Quote<'_>) -> Taken {
        if let Some(ident) = echo_ident(quote) {
            return self.give_message(received, ident, &|socket| socket.is_for_echo(ident));
        }
        let Some((port, _)) = quote.ports() else { return Err(DropReason::IcmpMismatch) };
        let wants = |socket: &icmp::Socket<'_>| socket.is_for_port(quote.protocol, &quote.src, port);
        self.give_message(received, port, &wants)
    }
}

/// The identifier, if what is quoted is an echo request.
fn echo_ident(quote: &Quote<'_>) -> Option<u16> {
    let &[kind, _, _, _, a, b, _, _] = quote.payload.first_chunk()?;
    let is_echo = match quote.protocol {
        IpProtocol::ICMP => kind == icmpv4::msg_type::ECHO_REQUEST,
        IpProtocol::ICMPV6 => kind == icmpv6::msg_type::ECHO_REQUEST,
        _ => false,
    };
    is_echo.then_some(u16::from_be_bytes([a, b]))
}

/// Sends what a socket has queued, up to `quota` messages.
pub(crate) fn dispatch(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    ix: u32,
    quota: usize,
    sent: &mut usize,
) -> Step {
    for _ in 0..quota {
        let Some(socket) = sockets.icmp_mut(ix) else { return Step::Idle };
        let hop_limit = socket.hop_limit();
        let Some((peer, message)) = socket.next() else { return Step::Idle };
        if let Some(mut way) = Way::find(links, peer)
            && !send(links, &mut way, peer, hop_limit, message)
        {
            return Step::NoRoom { port: way.route.port };
        }
        let events = socket.on_sent();
        sockets.notify(ix, events);
        *sent += 1;
    }
    Step::More
}

/// Sends a message, or drops it for a reason; `false` if its port has no room for it.
fn send(
    links: &mut Links<'_, '_, '_>,
    way: &mut Way,
    peer: &udp::Peer,
    hop_limit: Option<u8>,
    message: &[u8],
) -> bool {
    let Some((header, data)) = message.split_first_chunk::<HEADER_LEN>() else { return true };
    let &[kind, code, _, _, a, b, c, d] = header;
    let packet = Packet {
        src: way.src,
        dst: peer.remote,
        protocol: if peer.remote.is_v4() { IpProtocol::ICMP } else { IpProtocol::ICMPV6 },
        hop_limit: peer.meta.hop_limit(hop_limit),
        traffic_class: TrafficClass::default(),
        len: message.len(),
        unusual: Unusual::default(),
        segment_len: 0,
        room: Room::NONE,
    };
    let header = [kind, code, 0, 0, a, b, c, d];
    let mut fill = header_and_data(header, data);
    let sent = links.with_port(way.route.port, |iface, out| {
        let sent = match iface.must_cut(&packet, &way.route.next_hop, out.now) {
            true => iface.send_cut(out, &packet, &way.route.next_hop, header, data),
            false => way.send(iface, out, &packet, &mut fill),
        };
        if sent == Sent::Yes {
            iface.stats.counters.on_icmp_sent(peer.remote.is_v4(), kind);
        }
        sent
    });
    sent != Some(Sent::NoRoom)
}
