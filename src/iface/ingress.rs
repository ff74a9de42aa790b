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
use super::socket_set::SocketSet;
use super::{arp, icmpv4, icmpv6};
use crate::config;
use crate::phy::RxMeta;
use crate::stats::{self, DropReason};
use crate::wire::{Addr, EtherType, IpProtocol, ethernet, ipv4, ipv6};

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
    pub(crate) fn frame(&mut self, frame: &[u8]) {
        self.links.iface.stats.on_frame_received(frame.len());
        let taken = if self.links.iface.is_ethernet() { self.ethernet(frame) } else { self.ip(frame, true) };
        if let Err(reason) = taken {
            self.on_drop(reason, frame);
        }
    }

    /// Takes a packet of our own.
    #[cfg(feature = "iface-loopback")]
    pub(crate) fn looped(&mut self, packet: &[u8]) {
        if let Err(reason) = self.ip(packet, true) {
            self.on_drop(reason, packet);
        }
    }

    #[inline(never)]
    fn on_drop(&mut self, reason: DropReason, frame: &[u8]) {
        net_trace!("dropped {} octets: {:?}", frame.len(), reason);
        self.links.iface.stats.on_drop(reason);
        self.links.out.hooks.dropped(reason, frame);
    }

    fn ethernet(&mut self, frame: &[u8]) -> Taken {
        let (header, payload) = ethernet::Header::split(frame).map_err(|_| DropReason::Truncated)?;
        let destination = header.dst();
        let unicast = destination[0] & 1 == 0;
        if unicast && *destination != self.links.iface.hardware {
            return Err(DropReason::NotOurHardwareAddress);
        }
        let is_tapped = self.tap_frame(header.ethertype(), frame);
        let (ethertype, payload) = match self.links.iface.tags.strip(header.ethertype(), payload) {
            Ok(inner) => inner,
            Err(_) if is_tapped => return Ok(()),
            Err(reason) => return Err(reason),
        };
        match ethertype {
            EtherType::IPV4 if config::HAS_IPV4 => self.ipv4(payload, unicast),
            EtherType::IPV6 if config::HAS_IPV6 => self.ipv6(payload, unicast),
            EtherType::ARP if config::HAS_IPV4 => arp::process(self.links, self.sockets, payload),
            _ if is_tapped => Ok(()),
            _ => Err(DropReason::UnknownProtocol),
        }
    }

    /// A packet on a link of bare IP.
    fn ip(&mut self, packet: &[u8], unicast: bool) -> Taken {
        match packet.first().map(|octet| octet >> 4) {
            Some(4) if config::HAS_IPV4 => self.ipv4(packet, unicast),
            Some(6) if config::HAS_IPV6 => self.ipv6(packet, unicast),
            Some(_) => Err(DropReason::UnknownProtocol),
            None => Err(DropReason::Truncated),
        }
    }

    #[cfg(not(feature = "proto-ipv4"))]
    fn ipv4(&mut self, _packet: &[u8], _unicast: bool) -> Taken {
        Err(DropReason::UnknownProtocol)
    }

    #[cfg(feature = "proto-ipv4")]
    fn ipv4(&mut self, packet: &[u8], unicast: bool) -> Taken {
        // RFC 9293 §3.9.2.1 (MUST-50), RFC 1122 §3.2.1.8: no option of the header changes anything.
        let ipv4::Parts { header, payload, .. } = ipv4::Header::split(packet)?;
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
        if !self.is_for_us(&mut received)? {
            return self.forward(&received);
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
        let (header, payload) = ipv6::Header::split(packet)?;
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
        if !self.is_for_us(&mut received)? {
            return self.forward(&received);
        }
        match icmpv6::walk_extensions(self, &mut received)? {
            None => self.deliver(&received),
            Some(fragment) => self.fragment_v6(&received, &fragment),
        }
    }

    /// Whether the packet, which has to come from a host, goes to us (RFC 1122 §3.2.1.3).
    fn is_for_us(&mut self, received: &mut Received<'_>) -> Result<bool, DropReason> {
        if self.links.out.hooks.packet(Hook::PreRoute, received.packet) == Verdict::Drop {
            return Err(DropReason::Filtered);
        }
        #[cfg(feature = "iface-loopback")]
        if self.is_looped {
            return Ok(true);
        }
        let iface = &*self.links.iface;
        let (src, dst) = (&received.src, &received.dst);
        // RFC 4291 §2.7: a group is never a source. `::` is one only while an address is being chosen.
        if !iface.can_come_from(src) {
            return Err(DropReason::BadSource);
        }
        let for_us = iface.has_address(dst) || (iface.any_ip && iface.is_host(dst));
        if for_us {
            // RFC 1122 §4.2.3.10 and its kin: what came by link-layer broadcast provokes no answer.
            received.unicast &= !src.is_unspecified();
            return Ok(true);
        }
        let to_group = dst.is_multicast() && iface.is_in_group(dst);
        if to_group || (dst.is_v4() && iface.is_broadcast(dst)) {
            received.unicast = false;
            return Ok(true);
        }
        self.is_for_another_port(received)
    }

    pub(crate) fn deliver(&mut self, received: &Received<'_>) -> Taken {
        if self.links.out.hooks.packet(Hook::LocalIn, received.packet) == Verdict::Drop {
            return Err(DropReason::Filtered);
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
        if delivered.is_ok() {
            stats::count(&mut self.links.iface.stats.ip_in_delivers, 1);
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
        Err(DropReason::UnknownProtocol)
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
