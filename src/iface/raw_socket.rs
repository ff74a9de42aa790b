//! Raw sockets in the engine (feature `socket-raw`).

use super::egress::Step;
use super::ingress::{Ingress, Received};
use super::interface::Interface;
use super::links::{Links, Out};
use super::output::{Sent, destination};
use super::socket_set::SocketSet;
use crate::phy::TxMeta;
use crate::socket::Socket;
use crate::socket::raw::{self, Binding, Cut, Metadata};
use crate::stats::{DropReason, IpCount, Stats};
use crate::storage::NIL;
#[cfg(feature = "iface-path-mtu")]
use crate::wire::IpProtocol;
use crate::wire::checksum::sum;
use crate::wire::{Addr, EtherType, IpVersion};

/// The number that raw sockets are filed under in place of a protocol's: IANA keeps it for nobody.
const RAW: u8 = 255;

/// Whether there ever was a raw socket: without any, no packet is looked at for them.
#[derive(Debug, Default)]
pub(crate) struct Taps(bool);

impl<'a> SocketSet<'a> {
    fn raw_mut(&mut self, ix: u32) -> Option<&mut raw::Socket<'a>> {
        match &mut self.entry_mut(ix)?.socket {
            Socket::Raw(socket) => Some(socket),
            _ => None,
        }
    }

    /// Whether there is a raw socket that may have sent such a packet.
    #[cfg(feature = "iface-path-mtu")]
    pub(crate) fn has_raw(&self, version: IpVersion, protocol: IpProtocol) -> bool {
        let key = raw::ip_key(version, protocol);
        let hash = self.table.hash_port(RAW, key);
        let is_one = |socket: &Socket<'_>| matches!(socket, Socket::Raw(socket) if socket.key() == key);
        self.taps.0 && self.next_in_chain(hash, NIL, &is_one).is_some()
    }

    /// Files a raw socket under what it is for, which never changes.
    pub(crate) fn settle_raw(&mut self, ix: u32) {
        let Some(key) = self.raw_mut(ix).map(|socket| socket.key()) else { return };
        self.taps.0 = true;
        if self.table.filed_under(&self.slots, ix).is_none() {
            let hash = self.table.hash_port(RAW, key);
            self.table.file(&mut self.slots, ix, hash);
        }
    }
}

impl Ingress<'_, '_, '_, '_, '_> {
    /// Gives every raw socket for its protocol a copy of a packet, and says whether there is one.
    #[inline]
    pub(crate) fn tap_packet(&mut self, received: &Received<'_>) -> bool {
        self.sockets.taps.0 && {
            let version = if received.dst.is_v4() { IpVersion::Ipv4 } else { IpVersion::Ipv6 };
            self.tap(raw::ip_key(version, received.protocol), received.packet, Some(received))
        }
    }

    /// The same for a frame.
    #[inline]
    pub(crate) fn tap_frame(&mut self, ether_type: EtherType, frame: &[u8]) -> bool {
        self.sockets.taps.0 && self.tap(ether_type.0, frame, None)
    }

    #[inline(never)]
    fn tap(&mut self, key: u16, packet: &[u8], ip: Option<&Received<'_>>) -> bool {
        let hash = self.sockets.table.hash_port(RAW, key);
        let port = self.links.port();
        let is_wanted = |socket: &Socket<'_>| match socket {
            Socket::Raw(socket) => {
                let is_between = |ip: &Received<'_>| socket.is_between(&ip.src, &ip.dst);
                socket.key() == key && socket.bound().admits(port) && ip.is_none_or(is_between)
            }
            _ => false,
        };
        let interface = Some(port as u8);
        let meta = Metadata { interface, timestamp: self.received_at() };
        let mut last = NIL;
        while let Some(ix) = self.sockets.next_in_chain(hash, last, &is_wanted) {
            last = ix;
            let Some(socket) = self.sockets.raw_mut(ix) else { break };
            let is_right = |ip: &Received<'_>| socket.is_sum_right(&ip.src, &ip.dst, ip.protocol, ip.payload);
            if !ip.is_none_or(is_right) {
                self.links.iface.stats.on_drop(DropReason::Checksum);
                continue;
            }
            match socket.process(meta, packet) {
                Ok(events) => self.sockets.notify(ix, events),
                Err(reason) => self.links.iface.stats.on_drop(reason),
            }
        }
        last != NIL
    }
}

/// Sends what a socket has queued, up to `quota` packets.
pub(crate) fn dispatch(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    ix: u32,
    quota: usize,
    sent: &mut usize,
) -> Step {
    for _ in 0..quota {
        let Some(socket) = sockets.raw_mut(ix) else { return Step::Idle };
        let Some((meta, packet)) = socket.next() else { return Step::Idle };
        let mut cut = socket.cut;
        let zone = socket.bound().zone(meta.interface.map_or(0, |port| port.saturating_add(1)));
        let stop = if !socket.can_be_sent(packet) {
            links.iface.drop_output(DropReason::Malformed);
            None
        } else if let Binding::Ethernet(_) = socket.binding() {
            let port = zone.map_or(usize::MAX, |zone| usize::from(zone.saturating_sub(1)));
            send_frame(links, port, packet).map(|port| Step::NoRoom { port })
        } else {
            send_packet(links, zone, socket, &mut cut)
        };
        if let Some(step) = stop {
            socket.cut = cut;
            return step;
        }
        let events = socket.on_sent();
        sockets.notify(ix, events);
        *sent += 1;
    }
    Step::More
}

/// Sends a whole frame, or drops it for a reason, or says which port has no room for it.
fn send_frame(links: &mut Links<'_, '_, '_>, port: usize, frame: &[u8]) -> Option<usize> {
    let sent = links.with_port(port, |iface, out| {
        if !iface.is_ethernet() || !iface.link.up {
            return lose_frame(iface, DropReason::LinkDown);
        }
        if frame.len() > iface.link_header_len() + iface.ip_mtu() {
            return lose_frame(iface, DropReason::TooBig);
        }
        if !out.slot.send(frame.len(), TxMeta::default(), &mut |place| place.copy_from_slice(frame)) {
            return Sent::NoRoom;
        }
        iface.stats.on_link_frame_sent(frame.first_chunk(), frame.len());
        Sent::Yes
    });
    if sent.is_none() {
        // There is no such port, or not for this socket.
        lose_frame(links.iface, DropReason::NoRoute);
    }
    (sent == Some(Sent::NoRoom)).then_some(port)
}

fn lose_frame(iface: &mut Interface<'_>, reason: DropReason) -> Sent {
    iface.stats.counters.on_lost(reason, 1);
    iface.drop_output(reason);
    Sent::Never
}

/// Sends an IP packet whose header the application has made, or drops it for a reason, or says what it waits for; of
/// one that has to be cut, `cut` says then how far it is.
fn send_packet(
    links: &mut Links<'_, '_, '_>,
    zone: Option<u8>,
    socket: &mut raw::Socket<'_>,
    cut: &mut Option<Cut>,
) -> Option<Step> {
    let (local, checksum_offset) = (socket.local(), socket.checksum_offset);
    let packet = socket.next_mut()?;
    let route = destination(packet).and_then(|dst| Some((dst, links.route(&dst, zone?)?)));
    let Some((dst, route)) = route else {
        let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
        if cut.is_some() {
            links.iface.lose_pieces(is_v4, DropReason::NoRoute);
        } else {
            links.iface.drop_packet(is_v4, DropReason::NoRoute);
        }
        return None;
    };
    let port = route.port;
    let step = links.with_port(port, |iface, out| {
        let whole_len = iface.largest_whole(&dst, &route.next_hop, out.now);
        let must_cut = packet.len() > whole_len || cut.is_some();
        let Some(src) = local.or_else(|| iface.source_for(&dst)) else {
            iface.never(dst.is_v4(), DropReason::NoSource);
            return None;
        };
        if let Some(offset) = checksum_offset
            && cut.is_none()
            && !raw::complete_checksum(packet, &src, offset)
        {
            iface.never(false, DropReason::Malformed);
            return None;
        }
        let packet = &*packet;
        let sent = match must_cut {
            true => iface.send_in_pieces(out, &src, &route.next_hop, packet, cut),
            false => send_completed(iface, out, &src, &route.next_hop, packet),
        };
        match sent {
            Sent::NoRoom => Some(Step::NoRoom { port }),
            // A whole one waits in the pool.
            Sent::Unresolved(neighbor) if must_cut => Some(Step::Unresolved { port, neighbor }),
            _ => None,
        }
    });
    step.flatten()
}

/// The neighbour that a packet, which is to be cut, waits for does not answer; the caller counts the drop.
pub(crate) fn lose_packet(stats: &mut Stats, sockets: &mut SocketSet<'_>, ix: u32) {
    let Some(socket) = sockets.raw_mut(ix).filter(|socket| socket.cut.is_some()) else { return };
    let is_v4 = socket.next().is_some_and(|(_, packet)| packet.first().is_some_and(|first| first >> 4 == 4));
    let events = socket.on_sent();
    stats.counters.add_ip(is_v4, IpCount::OutFragFails, 1);
    sockets.notify(ix, events);
}

fn send_completed(
    iface: &mut Interface<'_>,
    out: &mut Out<'_>,
    src: &Addr,
    next_hop: &Addr,
    packet: &[u8],
) -> Sent {
    let ident = iface.idents.next();
    iface.use_ident();
    iface.send_ready(out, src.is_v4(), packet.len(), next_hop, &mut |place| {
        place.copy_from_slice(packet);
        complete(place, src, ident);
    })
}

/// Fills in what the application has left to us.
pub(crate) fn complete(packet: &mut [u8], src: &Addr, ident: u16) {
    match (src.as_v4(), src.as_v6()) {
        (Some(src), _) => complete_v4(packet, src, ident),
        (_, Some(src)) => complete_v6(packet, src),
        _ => {}
    }
}

/// Length, identification and source if there are none, checksum.
fn complete_v4(packet: &mut [u8], src: [u8; 4], ident: u16) {
    let len = packet.len() as u16;
    let header_len = usize::from(packet.first().copied().unwrap_or(0) & 0xf) * 4;
    let Some(header) = packet.get_mut(..header_len).filter(|header| header.len() >= 20) else { return };
    header[2..4].copy_from_slice(&len.to_be_bytes());
    if header[4..6] == [0; 2] {
        header[4..6].copy_from_slice(&ident.to_be_bytes());
    }
    if header[12..16] == [0; 4] {
        header[12..16].copy_from_slice(&src);
    }
    header[10..12].fill(0);
    let checksum = sum(header).finish();
    header[10..12].copy_from_slice(&checksum);
}

/// Payload length, and source if there is none.
fn complete_v6(packet: &mut [u8], src: &[u8; 16]) {
    let Some((header, payload)) = packet.split_first_chunk_mut::<40>() else { return };
    header[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    if header[8..24] == [0; 16] {
        header[8..24].copy_from_slice(src);
    }
}
