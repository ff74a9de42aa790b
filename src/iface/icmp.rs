//! What ICMP has in common in both families: a type, a code, a word and data.

use super::ingress::{Ingress, Received, Taken};
use super::interface::Interface;
use super::links::Links;
use super::output::{Packet, Sent, TrafficClass, header_and_data};
use super::unusual::Unusual;
use crate::config;
use crate::socket::Room;
use crate::stats::{DropReason, IpCount};
use crate::storage::Class;
use crate::time::Ticks;
use crate::wire::checksum::Sum;
use crate::wire::{Addr, IpProtocol};

/// Octets of the header.
pub(crate) const HEADER_LEN: usize = 8;

/// A message's header, but for the checksum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    /// What type and code say: identifier and sequence, a pointer, an MTU; in network order.
    pub(crate) word: u32,
}

impl Message {
    /// Fills in the message and `data`.
    pub(crate) fn followed_by(&self, data: &[u8]) -> impl FnMut(&mut [u8], bool) -> Sum {
        header_and_data(self.header(), data)
    }

    /// The octets of the header.
    fn header(&self) -> [u8; HEADER_LEN] {
        let [a, b, c, d] = self.word.to_be_bytes();
        [self.kind, self.code, 0, 0, a, b, c, d]
    }
}

pub(crate) fn split(payload: &[u8]) -> Result<(Message, &[u8]), DropReason> {
    let (header, data) = payload.split_first_chunk::<HEADER_LEN>().ok_or(DropReason::Truncated)?;
    let &[kind, code, _, _, a, b, c, d] = header;
    Ok((Message { kind, code, word: u32::from_be_bytes([a, b, c, d]) }, data))
}

/// Answers a message to its sender.
pub(crate) fn answer(
    ingress: &mut Ingress<'_, '_, '_, '_, '_>,
    received: &Received<'_>,
    message: &Message,
    data: &[u8],
) -> Taken {
    let src = received.dst;
    // If it can't be sent, that is counted where it turns out.
    let zone = zone_of(ingress, &received.src);
    send(ingress.links, src, received.src, zone, message, data);
    Ok(())
}

/// Sends an error that quotes what it is about, within the rate limit.
#[inline(never)]
pub(crate) fn send_error(
    ingress: &mut Ingress<'_, '_, '_, '_, '_>,
    received: &Received<'_>,
    error: &Message,
    max_len: usize,
) {
    let iface = &mut *ingress.links.iface;
    if !may_send_error(iface, ingress.links.out.now, received.src.is_v4()) {
        return;
    }
    let quote = received.packet.get(..max_len - HEADER_LEN).unwrap_or(received.packet);
    let zone = zone_of(ingress, &received.src);
    send(ingress.links, received.dst, received.src, zone, error, quote);
}

/// Whether the rate limit lets one more error go.
pub(crate) fn may_send_error(iface: &mut Interface<'_>, now: Ticks, is_v4: bool) -> bool {
    iface.errors_limit.take(now) || hold_back(iface, is_v4)
}

/// The rate limit forbids a message.
pub(crate) fn hold_back(iface: &mut Interface<'_>, is_v4: bool) -> bool {
    iface.stats.counters.add_ip(is_v4, IpCount::IcmpOutErrors, 1);
    iface.drop_output(DropReason::RateLimited)
}

/// The zone of an address that a packet came from by the current port.
pub(crate) fn zone_of(ingress: &Ingress<'_, '_, '_, '_, '_>, addr: &Addr) -> u8 {
    zone_at(ingress.links.port(), addr)
}

/// The zone of an address of the link at this port.
#[inline]
pub(crate) fn zone_at(port: usize, addr: &Addr) -> u8 {
    if !addr.is_v4() && addr.is_link_local() { (port as u8).saturating_add(1) } else { 0 }
}

/// Sends a message by whichever port.
pub(crate) fn send(
    links: &mut Links<'_, '_, '_>,
    src: Addr,
    dst: Addr,
    zone: u8,
    message: &Message,
    data: &[u8],
) {
    let Some(route) = links.route(&dst, zone) else {
        links.iface.drop_packet(dst.is_v4(), DropReason::NoRoute);
        return;
    };
    let packet = Packet {
        src,
        dst,
        protocol: if dst.is_v4() { IpProtocol::ICMP } else { IpProtocol::ICMPV6 },
        hop_limit: config::DEFAULT_HOP_LIMIT,
        traffic_class: TrafficClass::default(),
        len: HEADER_LEN + data.len(),
        unusual: Unusual::default(),
        segment_len: 0,
        room: Room::NONE,
    };
    links.with_port(route.port, |iface, out| {
        iface.stats.counters.on_icmp_sent(dst.is_v4(), message.kind);
        if !iface.must_cut(&packet, &route.next_hop, out.now) {
            let mut fill = message.followed_by(data);
            iface.send_or_queue(out, &packet, &route.next_hop, Class::Data, &mut fill);
        } else if iface.send_cut(out, &packet, &route.next_hop, message.header(), data) == Sent::NoRoom {
            iface.drop_packet(dst.is_v4(), DropReason::DeviceBusy);
        }
    });
}
