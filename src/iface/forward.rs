//! Forwarding between ports (RFC 1812 §5, RFC 8200, RFC 4443).
//!
//! A packet that is for nobody here leaves by the port with the best route, if both ports forward: straight
//! from the frame that it came in into the other port's token, one hop older. What can't go on is reported
//! to its sender where the RFCs allow it. Options and extension headers pass unread.

use super::handler::{Hook, Verdict};
use super::icmp::{self, Message};
use super::ingress::{Ingress, Received, Taken};
use super::interface::Interface;
use super::links::{Links, Route};
use super::output::tag_of;
use super::rate::RateLimit;
use super::{icmpv4, icmpv6, redirect};
use crate::config;
use crate::stats::DropReason;
use crate::storage::PacketPool;
use crate::wire::{Addr, IpAddress, IpProtocol, Ipv4Address, Ipv6Address, ipv4, ipv6, ipv6ext};

/// What an interface is told about forwarding.
#[derive(Debug, Clone)]
pub(crate) struct Forwarding {
    /// Packets come in and leave here that are for others.
    pub(crate) on: bool,
    /// They must come in where an answer would leave.
    strict_source: bool,
    pub(crate) redirects_limit: RateLimit,
}

impl Forwarding {
    /// Off.
    pub(crate) const fn new() -> Forwarding {
        let redirects_limit = RateLimit::new(config::ICMP_ERROR_BURST);
        Forwarding { on: false, strict_source: false, redirects_limit }
    }
}

/// How the last packet went that was sent on, of those that one device gives in a row.
///
/// Addresses and routes stay as they are meanwhile, but for what neighbours say of themselves.
pub(crate) struct LastWay(Option<Way>);

/// The way of a pair of addresses.
struct Way {
    /// The port that it came by.
    from: usize,
    src: Addr,
    dst: Addr,
    route: Route,
}

impl LastWay {
    /// None went.
    pub(crate) const NONE: LastWay = LastWay(None);

    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

/// Why a packet does not go on, as its sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    NoRoute,
    /// The next hop does not answer, or its link is down.
    Unreachable,
    /// The source means nothing beyond its link.
    BeyondScope,
    HopLimit,
    /// Larger than this many octets, which the next link carries.
    TooBig(usize),
}

impl Obstacle {
    fn reason(self) -> DropReason {
        match self {
            Obstacle::NoRoute => DropReason::NoRoute,
            Obstacle::Unreachable => DropReason::NeighborUnreachable,
            Obstacle::BeyondScope => DropReason::NotForwarded,
            Obstacle::HopLimit => DropReason::HopLimit,
            Obstacle::TooBig(_) => DropReason::TooBig,
        }
    }

    /// RFC 792, RFC 1191.
    fn message_v4(self) -> Message {
        let (kind, code, word) = match self {
            Obstacle::NoRoute => (icmpv4::DESTINATION_UNREACHABLE, 0, 0),
            Obstacle::Unreachable | Obstacle::BeyondScope => (icmpv4::DESTINATION_UNREACHABLE, 1, 0),
            Obstacle::TooBig(mtu) => (icmpv4::DESTINATION_UNREACHABLE, 4, mtu.min(0xffff) as u32),
            Obstacle::HopLimit => (icmpv4::TIME_EXCEEDED, 0, 0),
        };
        Message { kind, code, word }
    }

    /// RFC 4443 §3.
    fn message_v6(self) -> Message {
        let (kind, code, word) = match self {
            Obstacle::NoRoute => (icmpv6::DESTINATION_UNREACHABLE, 0, 0),
            Obstacle::BeyondScope => (icmpv6::DESTINATION_UNREACHABLE, 2, 0),
            Obstacle::Unreachable => (icmpv6::DESTINATION_UNREACHABLE, 3, 0),
            Obstacle::TooBig(mtu) => (icmpv6::PACKET_TOO_BIG, 0, mtu as u32),
            Obstacle::HopLimit => (icmpv6::TIME_EXCEEDED, 0, 0),
        };
        Message { kind, code, word }
    }
}

impl Interface<'_> {
    /// Whether this port takes part in forwarding: packets for others that come in by it leave by another
    /// port that does, and the other way round. Off unless set.
    ///
    /// Between such ports an address of one is ours on all. Only a [`Router`](super::Router) has ports
    /// between which anything could be forwarded; one port alone sends back what its routes say.
    pub fn set_forwarding(&mut self, on: bool) {
        let was_on = core::mem::replace(&mut self.forwarding.on, on);
        if was_on && !on {
            self.on_end_of_forwarding();
        }
    }

    #[cfg(any(feature = "iface-redirects", feature = "iface-slaac"))]
    pub(crate) fn is_router(&self) -> bool {
        self.forwarding.on
    }

    /// Whether packets for others are taken.
    pub fn forwarding(&self) -> bool {
        self.forwarding.on
    }

    /// Whether a packet for others that comes in by this port is dropped if an answer to its source would leave by another
    /// port, or by none: its source is then likely to be forged (RFC 3704 §2.2).
    ///
    /// Off unless set, as RFC 1812 §5.3.8 demands: where the two directions of a flow take different ways the check drops what
    /// is right. So without it a packet crosses whatever its source says, but for addresses that no packet may come from
    /// beyond a link: our own and those of our links' broadcasts, groups, loopback, link-local ones, and those that mean
    /// nothing. At the edge of a network, where each port's hosts are known by the routes, switch it on for each port that
    /// they are behind; on the port to the rest of the world, whose default route takes any source, it keeps out
    /// packets from outside that claim to come from within.
    pub fn set_reverse_path_check(&mut self, on: bool) {
        self.forwarding.strict_source = on;
    }
}

impl Ingress<'_, '_, '_, '_, '_> {
    /// Whether a packet is like the last one that was sent on: nothing that is decided by addresses needs to be
    /// decided again.
    #[inline(always)]
    pub(crate) fn is_on_last_way(&self, received: &Received<'_>) -> bool {
        let Some(way) = last_way(self.links) else { return false };
        way.dst == received.dst
            && way.src == received.src
            && way.from == self.links.port()
            && received.unicast
    }

    /// Whether a packet is for another port of ours, between which and this one we forward; `false` if it
    /// is for somebody else. RFC 1122 §3.3.4.2 leaves this to gateways.
    pub(crate) fn is_for_another_port(&mut self, received: &Received<'_>) -> Result<bool, DropReason> {
        if !self.links.iface.forwarding.on {
            return Err(DropReason::NotOurAddress);
        }
        self.links.others.forget_way();
        let (src, dst) = (&received.src, &received.dst);
        let mut found = Ok(false);
        self.links.others.for_each(&mut |_, iface| {
            if !iface.forwarding.on {
                return;
            }
            if iface.has_address(src) {
                found = Err(DropReason::BadSource);
            } else if iface.has_address(dst) && !dst.is_link_local() && found.is_ok() {
                found = Ok(true);
            } else if config::HAS_IPV4 && iface.is_broadcast(dst) {
                // RFC 2644: from outside, one packet must not become one for everybody.
                found = Err(DropReason::NotForwarded);
            }
        });
        found
    }

    /// Sends a packet for somebody else on, by whichever port. Says how many it was when the device received it.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn forward(&mut self, received: &Received<'_>) -> Result<usize, DropReason> {
        let Ingress { links, meta, .. } = self;
        // If there is still one, it is this packet's.
        let route = match last_way(links) {
            Some(way) => way.route,
            None => find_way(links, received)?,
        };
        let (from, hooks) = (links.port(), &mut links.out.hooks);
        let mut accepts = |hook, port| hooks.packet_at(hook, port, received.packet) == Verdict::Accept;
        if !accepts(Hook::Forward, from) || !accepts(Hook::PostRoute, route.port) {
            return Err(DropReason::Filtered);
        }
        // RFC 1812 §5.3.1: the last hop is one that only the destination may use up.
        if received.hop_limit <= 1 {
            return Err(refuse(links, received, Obstacle::HopLimit));
        }
        if route.port == links.port() {
            redirect::advise(links, received, &route.next_hop);
        }
        if config::HAS_FAST_PATHS
            && let Some((iface, mut slot)) = links.others.on_own_device(route.port, links.now)
            && iface.pass_at_once(&mut slot, links.out.now, meta, received, &route.next_hop)
        {
            return Ok(1);
        }
        let passed = links.with_port(route.port, |iface, out| {
            iface.pass_on(out, meta, received.packet, received.dst.is_v4(), &route.next_hop)
        });
        match passed {
            Some(Ok(count)) => Ok(count),
            Some(Err(obstacle)) => Err(refuse(links, received, obstacle)),
            None => Err(DropReason::NoRoute), // not of a route that was found
        }
    }
}

#[inline]
fn last_way<'l>(links: &'l Links<'_, '_, '_>) -> Option<&'l Way> {
    links.others.last_way.as_ref()?.0.as_ref()
}

/// Where a packet goes on, if it may. If there is a place to keep it, that is known for the next one.
#[inline(never)]
fn find_way(links: &mut Links<'_, '_, '_>, received: &Received<'_>) -> Result<Route, DropReason> {
    check(links, received)?;
    let Some(route) = links.route(&received.dst, 0) else {
        return Err(refuse(links, received, Obstacle::NoRoute));
    };
    if links.iface(route.port).is_none_or(|iface| !iface.forwarding.on) {
        return Err(DropReason::NotForwarded);
    }
    let from = links.port();
    if let Some(last) = &mut links.others.last_way {
        last.0 = Some(Way { from, src: received.src, dst: received.dst, route });
    }
    Ok(route)
}

/// Whether a packet may cross a router at all, and comes from where it says.
fn check(links: &mut Links<'_, '_, '_>, received: &Received<'_>) -> Taken {
    // RFC 1812 §5.3.4: what one link heard as a whole must not be multiplied.
    if !received.unicast || !can_cross(&received.dst) {
        return Err(DropReason::NotForwarded);
    }
    if !can_cross(&received.src) {
        // RFC 4443 §3.1: a link-local source can be told so, on its link.
        return if received.src.is_link_local() && !received.src.is_v4() {
            Err(refuse(links, received, Obstacle::BeyondScope))
        } else {
            Err(DropReason::NotForwarded)
        };
    }
    if links.iface.forwarding.strict_source {
        let back = links.route(&received.src, 0);
        // RFC 3704 §2.2: strict reverse path forwarding.
        if back.is_none_or(|route| route.port != links.port()) {
            return Err(DropReason::SpoofedSource);
        }
    }
    Ok(())
}

/// Whether an address means anything beyond a link (RFC 1812 §5.3.7, RFC 3927 §7, RFC 4291 §2.5).
fn can_cross(addr: &Addr) -> bool {
    if let Some([first, ..]) = addr.as_v4() {
        return first != 0 && first != 127 && first < 224 && !addr.is_link_local();
    }
    addr.is_unicast() && !addr.is_loopback() && !addr.is_link_local()
}

/// A packet goes no further: its sender is told. Says what it is counted as.
#[inline(never)]
fn refuse(links: &mut Links<'_, '_, '_>, received: &Received<'_>, obstacle: Obstacle) -> DropReason {
    let is_silent = match obstacle {
        // RFC 1812 §5.2.6: it may be cut; only who forbids that is told of the MTU.
        Obstacle::TooBig(_) => !has_dont_fragment(received.packet),
        _ => false,
    };
    if !is_silent {
        tell(links, received.packet, obstacle);
    }
    obstacle.reason()
}

/// Whether no router may cut the packet: none ever cuts one of IPv6.
fn has_dont_fragment(packet: &[u8]) -> bool {
    packet.first().is_none_or(|first| first >> 4 != 4)
        || ipv4::Header::split(packet).is_ok_and(|parts| parts.header.dont_fragment())
}

/// Tells the sender of a packet, which came by the current port, why it goes no further, if the rules
/// allow that and the rate limit does.
#[inline(never)]
pub(crate) fn tell(links: &mut Links<'_, '_, '_>, packet: &[u8], obstacle: Obstacle) {
    let Some((src, max_len)) = who_is_told(packet) else { return };
    // RFC 1812 §4.3.2.7: nobody whose address became one for many while the packet waited.
    if config::HAS_IPV4 && links.any(|iface| iface.is_broadcast(&src)) {
        return;
    }
    if !icmp::may_send_error(links.iface, links.out.now, src.is_v4()) {
        return;
    }
    let message = if src.is_v4() { obstacle.message_v4() } else { obstacle.message_v6() };
    let quote = packet.get(..max_len - icmp::HEADER_LEN).unwrap_or(packet);
    let zone = if src.is_link_local() { (links.port() as u8).saturating_add(1) } else { 0 };
    // RFC 1812 §4.3.2.4: from an address of the port that it leaves by.
    let port = links.route(&src, zone).map(|route| route.port);
    let Some(own) = port.and_then(|port| links.iface(port)?.source_for(&src)) else {
        links.iface.drop_output(if port.is_none() { DropReason::NoRoute } else { DropReason::NoSource });
        return;
    };
    // If it can't be sent, that is counted where it turns out.
    icmp::send(links, own, src, zone, &message, quote);
}

/// Who hears of what befell a packet, and how long the message may be; nobody if it is one that no error
/// is sent about (RFC 1812 §4.3.2.7, RFC 4443 §2.4 e).
fn who_is_told(packet: &[u8]) -> Option<(Addr, usize)> {
    if packet.first()? >> 4 == 4 {
        let ipv4::Parts { header, payload, .. } = ipv4::Header::split(packet).ok()?;
        let is_error = header.protocol() == IpProtocol::ICMP && icmpv4::is_error(payload);
        let is_later_fragment = header.fragment_offset() != 0;
        let src = Ipv4Address::from(*header.src()).into();
        return source(src, icmpv4::MAX_ERROR_LEN).filter(|_| !is_error && !is_later_fragment);
    }
    let (header, payload) = ipv6::Header::split(packet).ok()?;
    let (protocol, payload) = match ipv6ext::walk(header.next_header(), payload) {
        Ok(walk) => (walk.protocol, walk.payload),
        Err(_) => (header.next_header(), payload),
    };
    let is_error = protocol == IpProtocol::ICMPV6 && icmpv6::is_error(payload);
    source(Ipv6Address::from(*header.src()).into(), icmpv6::MAX_ERROR_LEN).filter(|_| !is_error)
}

/// Who can be told, if its family is built in and it is one host.
fn source(addr: IpAddress, max_len: usize) -> Option<(Addr, usize)> {
    let addr = Addr::try_from(addr).ok()?;
    addr.is_unicast().then_some((addr, max_len))
}

/// A neighbour does not answer: who sent what waits for it is told, but for ourselves. Says how many
/// packets there were.
#[inline(never)]
pub(crate) fn give_up(links: &mut Links<'_, '_, '_>, port: usize, neighbor: usize) -> usize {
    let nothing = || PacketPool::new(&mut [][..], &mut [][..], 0);
    // The pool steps aside, so that the packets can be read while the answers are sent.
    let taken = links.with_port(port, |iface, _| {
        (core::mem::replace(&mut iface.packets, nothing()), iface.link_header_len())
    });
    let Some((mut packets, link_len)) = taken else { return 0 };
    let mut count = 0;
    while let Some(packet) = packets.peek(tag_of(neighbor)) {
        // Addresses say nothing of that: what is ours may be any, and may have gone meanwhile.
        if packets.is_passing(tag_of(neighbor)) {
            tell(links, packet.get(link_len..).unwrap_or_default(), Obstacle::Unreachable);
        }
        packets.drop_front(tag_of(neighbor));
        count += 1;
    }
    links.with_port(port, |iface, _| iface.packets = packets);
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum;

    /// RFC 1122 §3.2.2: a group, or nobody, is not told. Of a family that is not built in nobody is.
    #[test]
    fn who_is_told_is_one_host_of_a_family_that_is_built_in() {
        let packet_v4 = |src: [u8; 4]| {
            let mut ip = [&[0x45, 0, 0, 20, 0, 0, 0, 0, 9, 17, 0, 0][..], &src, &[10, 0, 0, 2]].concat();
            let sum = checksum::sum(&ip).finish();
            ip[10..12].copy_from_slice(&sum);
            ip
        };
        let packet_v6 = |src: [u8; 16]| [&[0x60, 0, 0, 0, 0, 0, 59, 9][..], &src, &[0x20; 16]].concat();
        let host = |addr: IpAddress, max_len| Addr::try_from(addr).ok().map(|addr| (addr, max_len));
        let [told_v4, told_v6] = [who_is_told(&packet_v4([9; 4])), who_is_told(&packet_v6([0x20; 16]))];
        assert_eq!([told_v4.is_some(), told_v6.is_some()], [config::HAS_IPV4, config::HAS_IPV6]);
        assert_eq!(told_v4, host(Ipv4Address::from([9; 4]).into(), 576 - 20));
        assert_eq!(told_v6, host(Ipv6Address::from([0x20; 16]).into(), 1_280 - 40));
        for src in [[0; 4], [224, 0, 0, 1], [255; 4]] {
            assert_eq!(who_is_told(&packet_v4(src)), None, "{src:?}");
        }
        for src in [[0; 16], [0xff; 16]] {
            assert_eq!(who_is_told(&packet_v6(src)), None, "{src:?}");
        }
    }

    #[test]
    #[cfg(all(feature = "proto-ipv4", feature = "proto-ipv6"))]
    fn what_means_nothing_beyond_its_link_does_not_cross() {
        let addr = |text: &str| Addr::try_from(text.parse::<crate::wire::IpAddress>().unwrap()).unwrap();
        let kept = ["0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.9", "240.0.0.1", "255.255.255.255"];
        let kept_v6 = ["::", "::1", "fe80::1", "febf::1", "ff0e::1", "::ffff:192.0.2.1"];
        for text in kept.iter().chain(&kept_v6) {
            assert!(!can_cross(&addr(text)), "{text}");
        }
        for text in ["1.0.0.1", "126.255.255.255", "169.253.0.1", "223.255.255.255", "fd00::1", "2001:db8::1"]
        {
            assert!(can_cross(&addr(text)), "{text}");
        }
    }

    /// Covers: RFC 1812 §4.2.2.7
    #[test]
    fn only_a_packet_of_ipv4_that_says_so_may_be_cut() {
        for (first, flags, is_forbidden) in
            [(0x45, 0, false), (0x45, 0x40, true), (0x45, 0x20, false), (0x60, 0, true), (0x50, 0, true)]
        {
            let mut packet = [first, 0, 0, 20, 0, 0, flags, 0, 9, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            let checksum = checksum::sum(&packet).finish();
            packet[10..12].copy_from_slice(&checksum);
            assert_eq!(has_dont_fragment(&packet), is_forbidden, "{first:#x} {flags:#x}");
        }
        assert!(has_dont_fragment(&[]), "of nothing nobody is told how to cut it");
    }
}
