//! A frame's way in, from the link header to a protocol.
//!
//! 1. Link header: is it addressed to us? What does it carry?
//! 2. IP header: well-formed, a source that can be one. What is not for us is forwarded, or dropped;
//!    fragments of what is for us wait for each other.
//! 3. Protocol: ICMP here; UDP and TCP by demultiplexing to a socket.
//!
//! What has to be answered at once is sent while the frame is borrowed. A frame that goes no further
//! names its [`DropReason`].

use super::handler::{Hook, Verdict};
use super::links::Links;
use super::neighbor::EVERYBODY;
use super::socket_set::SocketSet;
use super::{arp, icmpv4, icmpv6};
use crate::config;
use crate::phy::RxMeta;
use crate::stats::{Count, DropReason, IpCount};
use crate::wire::{Addr, Error, EtherType, IpProtocol, ethernet, ipv4, ipv6};

/// What every step of the way in works on.
pub(crate) struct Ingress<'i, 'l, 'p, 'a, 's> {
    pub(crate) links: &'i mut Links<'l, 'p, 'a>,
    pub(crate) sockets: &'i mut SocketSet<'s>,
    pub(crate) meta: RxMeta,
    /// It is a packet of our own.
    #[cfg(feature = "iface-loopback")]
    pub(crate) is_looped: bool,
}

/// A received IP packet, its header checked.
#[derive(Clone, Copy)]
pub(crate) struct Received<'f> {
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) protocol: IpProtocol,
    pub(crate) hop_limit: u8,
    /// The link and the IP destination are both one host's: errors and resets may be sent.
    pub(crate) unicast: bool,
    /// Where in an IPv6 packet the protocol is named, in octets.
    pub(crate) next_header_at: u16,
    /// The whole packet, to be quoted.
    pub(crate) packet: &'f [u8],
    pub(crate) payload: &'f [u8],
}

/// Whether a frame was taken, or why not.
pub(crate) type Taken = Result<(), DropReason>;

impl Ingress<'_, '_, '_, '_, '_> {
    /// Takes one frame.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn frame(&mut self, frame: &[u8]) {
        self.links.iface.stats.counters.add(Count::InOctets, frame.len());
        let taken = if self.links.iface.is_ethernet() { self.ethernet(frame) } else { self.ip(frame, true) };
        if let Err(reason) = taken {
            self.on_drop(reason, frame);
        }
    }

    /// Takes a packet of our own.
    #[cfg(feature = "iface-loopback")]
    pub(crate) fn looped(&mut self, packet: &[u8]) {
        let (counters, is_v4) =
            (&mut self.links.iface.stats.counters, packet.first().is_some_and(|octet| octet >> 4 == 4));
        counters.add_ip(is_v4, IpCount::Looped, 1);
        counters.add_ip(is_v4, IpCount::LoopedOctets, packet.len());
        if let Err(reason) = self.ip(packet, true) {
            self.on_drop(reason, packet);
        }
    }

    /// When the frame arrived, in ns: as the device says, or else when it was polled.
    #[inline]
    pub(crate) fn received_at(&self) -> u64 {
        match self.meta.timestamp {
            0 => (self.links.now.total_micros() as u64).wrapping_mul(1_000),
            timestamp => timestamp,
        }
    }

    #[inline(never)]
    fn on_drop(&mut self, reason: DropReason, frame: &[u8]) {
        net_trace!("dropped {} octets: {:?}", frame.len(), reason);
        self.links.iface.stats.on_drop(reason);
        self.links.out.hooks.dropped(reason, frame);
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn ethernet(&mut self, frame: &[u8]) -> Taken {
        let Ok((header, payload)) = ethernet::Header::split(frame) else {
            return self.refuse_frame(Count::InErrors, DropReason::Truncated);
        };
        let unicast = *header.dst() == self.links.iface.hardware;
        if !unicast {
            self.frame_for_others(header.dst())?;
        }
        let is_tapped = self.tap_frame(header.ethertype(), frame);
        let (ethertype, payload) = match self.links.iface.tags.strip(header.ethertype(), payload) {
            Ok(inner) => inner,
            Err(reason) => return self.other_frame(is_tapped, reason),
        };
        match ethertype {
            EtherType::IPV4 if config::HAS_IPV4 => self.ipv4(payload, unicast),
            EtherType::IPV6 if config::HAS_IPV6 => self.ipv6(payload, unicast),
            EtherType::ARP if config::HAS_IPV4 => {
                self.links.iface.stats.counters.add(Count::InOther, 1);
                arp::process(self.links, self.sockets, payload)
            }
            _ => self.other_frame(is_tapped, DropReason::UnknownProtocol),
        }
    }

    /// A frame whose destination is not our address: is it ours, and everybody's?
    #[inline(never)]
    fn frame_for_others(&mut self, destination: &[u8; 6]) -> Taken {
        let count = match destination {
            [first, ..] if first & 1 == 0 => {
                return self.refuse_frame(Count::InDiscards, DropReason::NotOurHardwareAddress);
            }
            &EVERYBODY => Count::InBroadcast,
            _ => Count::InMulticast,
        };
        self.links.iface.stats.counters.add(count, 1);
        Ok(())
    }

    /// A frame that carries nothing that is spoken here, but that a raw socket may have.
    fn other_frame(&mut self, is_tapped: bool, reason: DropReason) -> Taken {
        let refused = self.refuse_frame(Count::InUnknown, reason);
        if is_tapped { Ok(()) } else { refused }
    }

    fn refuse_frame(&mut self, count: Count, reason: DropReason) -> Taken {
        let counters = &mut self.links.iface.stats.counters;
        counters.add(Count::InOther, 1);
        counters.add(count, 1);
        Err(reason)
    }

    /// An IP packet goes no further, and gets to no protocol here.
    pub(crate) fn refuse(&mut self, is_v4: bool, reason: DropReason) -> DropReason {
        self.links.iface.stats.counters.on_refused(is_v4, reason);
        reason
    }

    /// The same where its header is wrong.
    #[inline(never)]
    fn refuse_header(&mut self, is_v4: bool, packet: &[u8], error: Error) -> Taken {
        let reason = DropReason::from(error);
        self.on_packet(is_v4, packet);
        Err(self.refuse(is_v4, reason))
    }

    #[inline]
    fn on_packet(&mut self, is_v4: bool, packet: &[u8]) {
        let counters = &mut self.links.iface.stats.counters;
        counters.add_ip(is_v4, IpCount::InReceives, 1);
        counters.add_ip(is_v4, IpCount::InOctets, packet.len());
    }

    /// A packet on a link of bare IP.
    fn ip(&mut self, packet: &[u8], unicast: bool) -> Taken {
        match packet.first().map(|octet| octet >> 4) {
            Some(4) if config::HAS_IPV4 => self.ipv4(packet, unicast),
            Some(6) if config::HAS_IPV6 => self.ipv6(packet, unicast),
            Some(_) => self.refuse_frame(Count::InUnknown, DropReason::UnknownProtocol),
            None => self.refuse_frame(Count::InErrors, DropReason::Truncated),
        }
    }

    #[cfg(not(feature = "proto-ipv4"))]
    fn ipv4(&mut self, _packet: &[u8], _unicast: bool) -> Taken {
        Err(DropReason::UnknownProtocol)
    }

    #[cfg(feature = "proto-ipv4")]
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn ipv4(&mut self, packet: &[u8], unicast: bool) -> Taken {
        // RFC 9293 §3.9.2.1 (MUST-50), RFC 1122 §3.2.1.8: no option of the header changes anything.
        let ipv4::Parts { header, payload, .. } = match ipv4::Header::split(packet) {
            Ok(parts) => parts,
            Err(error) => return self.refuse_header(true, packet, error),
        };
        let mut received = Received {
            src: Addr::v4(*header.src()),
            dst: Addr::v4(*header.dst()),
            protocol: header.protocol(),
            hop_limit: header.hop_limit(),
            next_header_at: 0,
            unicast,
            packet: packet.get(..usize::from(header.total_len())).unwrap_or(packet),
            payload,
        };
        self.on_packet(true, received.packet);
        match self.is_for_us(&mut received) {
            Ok(true) => {}
            Ok(false) => return self.forward_counted(&received),
            Err(reason) => return Err(self.refuse(true, reason)),
        }
        if header.is_fragment() {
            return self.fragment_v4(&received);
        }
        self.deliver(&received)
    }

    #[cfg(not(feature = "proto-ipv6"))]
    fn ipv6(&mut self, _packet: &[u8], _unicast: bool) -> Taken {
        Err(DropReason::UnknownProtocol)
    }

    #[cfg(feature = "proto-ipv6")]
    fn ipv6(&mut self, packet: &[u8], unicast: bool) -> Taken {
        let (header, payload) = match ipv6::Header::split(packet) {
            Ok(parts) => parts,
            Err(error) => return self.refuse_header(false, packet, error),
        };
        let mut received = Received {
            src: Addr::v6(*header.src()),
            dst: Addr::v6(*header.dst()),
            protocol: header.next_header(),
            hop_limit: header.hop_limit(),
            next_header_at: 0,
            unicast,
            packet: packet.get(..ipv6::HEADER_LEN + payload.len()).unwrap_or(packet),
            payload,
        };
        self.on_packet(false, received.packet);
        match self.is_for_us(&mut received) {
            Ok(true) => {}
            Ok(false) => return self.forward_counted(&received),
            Err(reason) => return Err(self.refuse(false, reason)),
        }
        match icmpv6::walk_extensions(self, &mut received) {
            Ok(None) => self.deliver(&received),
            Ok(Some(fragment)) => self.fragment_v6(&received, &fragment),
            Err(reason) => Err(self.refuse(false, reason)),
        }
    }

    /// Whether the packet, which has to come from a host, goes to us (RFC 1122 §3.2.1.3).
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn is_for_us(&mut self, received: &mut Received<'_>) -> Result<bool, DropReason> {
        if self.links.out.hooks.packet(Hook::PreRoute, received.packet) == Verdict::Drop {
            return Err(DropReason::Filtered);
        }
        #[cfg(feature = "iface-loopback")]
        if self.is_looped {
            if self.links.iface.is_for_many(&received.dst) {
                self.looped_for_many(received);
            }
            return Ok(true);
        }
        if config::HAS_FAST_PATHS && self.links.iface.familiar == Some((received.src, received.dst)) {
            return Ok(true);
        }
        if config::HAS_FAST_PATHS && self.is_on_last_way(received) {
            return Ok(false);
        }
        self.is_unfamiliar_for_us(received)
    }

    /// A copy of what we have sent to a group or to all.
    #[cfg(feature = "iface-loopback")]
    #[inline(never)]
    fn looped_for_many(&mut self, received: &mut Received<'_>) {
        received.unicast = false;
        if config::HAS_MIB {
            self.on_packet_for_many(received, received.dst.is_multicast());
        }
    }

    /// The same for a pair of addresses that is not the last one's.
    #[cfg_attr(target_pointer_width = "32", inline(always))]
    fn is_unfamiliar_for_us(&mut self, received: &mut Received<'_>) -> Result<bool, DropReason> {
        let (src, dst) = (&received.src, &received.dst);
        // RFC 1812 §5.3.7: on another port's link it would be everybody, whom the answer would go to.
        if self.links.others.any(&|iface| config::HAS_IPV4 && iface.is_broadcast(src)) {
            return Err(DropReason::BadSource);
        }
        let iface = &mut *self.links.iface;
        // RFC 4291 §2.7: a group is never a source. `::` is one only while an address is being chosen.
        if !iface.can_come_from(src) {
            return Err(DropReason::BadSource);
        }
        let for_us = iface.has_address(dst) || (iface.any_ip && iface.is_host(dst));
        if for_us {
            // RFC 1122 §4.2.3.10 and its kin: what came by link-layer broadcast provokes no answer.
            received.unicast &= !src.is_unspecified();
            if config::HAS_FAST_PATHS && !src.is_unspecified() {
                iface.familiar = Some((*src, *dst));
            }
            return Ok(true);
        }
        let is_group = dst.is_multicast();
        let is_broadcast = !is_group && dst.is_v4() && iface.is_broadcast(dst);
        let for_many = is_broadcast || (is_group && iface.is_in_group(dst));
        if config::HAS_MIB && (is_group || is_broadcast) {
            self.on_packet_for_many(received, is_group);
        }
        if for_many {
            received.unicast = false;
            return Ok(true);
        }
        if self.is_for_dhcp(received) {
            received.unicast = false;
            return Ok(true);
        }
        self.is_for_another_port(received)
    }

    #[inline(never)]
    fn on_packet_for_many(&mut self, received: &Received<'_>, is_group: bool) {
        let (counters, is_v4) = (&mut self.links.iface.stats.counters, received.dst.is_v4());
        if is_group {
            counters.add_ip(is_v4, IpCount::InMcastPkts, 1);
            counters.add_ip(is_v4, IpCount::InMcastOctets, received.packet.len());
        } else {
            counters.add_ip(is_v4, IpCount::InBcastPkts, 1);
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn forward_counted(&mut self, received: &Received<'_>) -> Taken {
        let is_v4 = received.dst.is_v4();
        match self.forward(received) {
            Ok(count) => {
                let counters = &mut self.links.iface.stats.counters;
                counters.add_ip(is_v4, IpCount::InReceives, count - 1);
                counters.add_ip(is_v4, IpCount::InForwDatagrams, count);
                Ok(())
            }
            Err(reason) => Err(self.refuse(is_v4, reason)),
        }
    }

    pub(crate) fn deliver(&mut self, received: &Received<'_>) -> Taken {
        if self.links.out.hooks.packet(Hook::LocalIn, received.packet) == Verdict::Drop {
            return Err(self.refuse(received.dst.is_v4(), DropReason::Filtered));
        }
        let is_tapped = self.tap_packet(received);
        let delivered = match received.protocol {
            #[cfg(feature = "socket-tcp")]
            IpProtocol::TCP => self.tcp(received),
            #[cfg(feature = "socket-udp")]
            IpProtocol::UDP => self.udp(received),
            #[cfg(feature = "socket-udplite")]
            IpProtocol::UDP_LITE => self.udplite(received),
            IpProtocol::ICMP if received.dst.is_v4() => icmpv4::process(self, received),
            IpProtocol::ICMPV6 if !received.dst.is_v4() => icmpv6::process(self, received),
            #[cfg(feature = "iface-multicast")]
            IpProtocol::IGMP if received.dst.is_v4() => super::groups::igmp(self, received),
            _ if is_tapped => Ok(()),
            _ => self.unknown_protocol(received),
        };
        if let Err(reason) = delivered {
            let (protocol, is_v4) = (received.protocol, received.dst.is_v4());
            self.links.iface.stats.counters.on_undelivered(protocol, is_v4, reason);
        }
        delivered
    }

    #[inline(never)]
    fn unknown_protocol(&mut self, received: &Received<'_>) -> Taken {
        if received.dst.is_v4() {
            icmpv4::send_error(self, received, icmpv4::PROTOCOL_UNREACHABLE);
        } else {
            icmpv6::unknown_next_header(self, received);
        }
        Err(self.refuse(received.dst.is_v4(), DropReason::UnknownProtocol))
    }

    /// Nobody has the port that it was sent to.
    #[inline(never)]
    pub(crate) fn port_unreachable(&mut self, received: &Received<'_>) -> Taken {
        if received.dst.is_v4() {
            icmpv4::send_error(self, received, icmpv4::PORT_UNREACHABLE);
        } else {
            icmpv6::send_error(self, received, icmpv6::PORT_UNREACHABLE);
        }
        Err(DropReason::NoSocket)
    }
}
