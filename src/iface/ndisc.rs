//! Neighbor Discovery (RFC 4861): solicitations for our addresses are answered, advertisements are
//! learned from.
//!
//! What routers advertise goes on to `autoconf`. Addresses that are still being checked are
//! the business of `autoconf`, which hears of what is said about them.

use super::ingress::{Ingress, Received, Taken};
use super::interface::Interface;
use super::links::Out;
use super::neighbor::Hardware;
use super::unusual::Unusual;
use crate::socket::Room;
use crate::stats::DropReason;

#[cfg(all(feature = "iface-neighbors", feature = "proto-ipv6", feature = "medium-ethernet"))]
pub(crate) use on_ethernet::announce;
#[cfg(all(feature = "iface-dad", feature = "proto-ipv6", feature = "medium-ethernet"))]
pub(crate) use on_ethernet::probe;
#[cfg(all(feature = "iface-forward", feature = "proto-ipv6", feature = "medium-ethernet"))]
pub(crate) use on_ethernet::redirect;
#[cfg(feature = "iface-slaac")]
pub(crate) use on_ethernet::solicit_routers;
#[cfg(all(feature = "proto-ipv6", feature = "medium-ethernet"))]
pub(crate) use on_ethernet::{process, solicit};

#[cfg(all(feature = "iface-forward", not(all(feature = "proto-ipv6", feature = "medium-ethernet"))))]
pub(crate) fn redirect(
    _links: &mut super::links::Links<'_, '_, '_>,
    _received: &Received<'_>,
    _next_hop: &crate::wire::Addr,
) {
}

#[cfg(not(all(feature = "proto-ipv6", feature = "medium-ethernet")))]
pub(crate) fn process(_ingress: &mut Ingress<'_, '_, '_, '_, '_>, _received: &Received<'_>) -> Taken {
    Err(DropReason::UnknownProtocol)
}

#[cfg(not(all(feature = "proto-ipv6", feature = "medium-ethernet")))]
pub(crate) fn solicit(
    _iface: &mut Interface<'_>,
    _out: &mut Out<'_>,
    _target: &[u8; 16],
    _to: &Hardware,
) -> bool {
    false
}

#[cfg(all(feature = "iface-dad", not(all(feature = "proto-ipv6", feature = "medium-ethernet"))))]
pub(crate) fn probe(
    _iface: &mut Interface<'_>,
    _out: &mut Out<'_>,
    _target: &[u8; 16],
    _nonce: [u8; 6],
) -> bool {
    true
}

#[cfg(all(feature = "iface-neighbors", not(all(feature = "proto-ipv6", feature = "medium-ethernet"))))]
pub(crate) fn announce(_iface: &mut Interface<'_>, _out: &mut Out<'_>, _own: &[u8; 16]) -> bool {
    false
}

#[cfg(all(feature = "proto-ipv6", feature = "medium-ethernet"))]
mod on_ethernet {
    use super::*;
    use crate::iface::arp::learn;
    #[cfg(feature = "iface-slaac")]
    use crate::iface::autoconf::Advert;
    use crate::iface::icmp::{self, Message};
    #[cfg(feature = "iface-forward")]
    use crate::iface::links::Links;
    use crate::iface::neighbor::{EVERYBODY, Evidence};
    use crate::iface::output::{Packet, TrafficClass};
    use crate::storage::Class;
    use crate::wire::ipv6ext;
    use crate::wire::ndisc::{self, NdOption, NeighborFlags};
    use crate::wire::{Addr, IpProtocol};
    #[cfg(feature = "iface-forward")]
    use crate::wire::{checksum, ipv6, ipv6::MIN_MTU};

    /// Octets of a redirect before the packet that it quotes, which is padded to a multiple of 8.
    #[cfg(feature = "iface-forward")]
    const REDIRECT_HEADERS_LEN: usize = 40 + 8 + 8;
    const NEIGHBOR_SOLICITATION: u8 = 135;
    const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    #[cfg(feature = "iface-forward")]
    const REDIRECT: u8 = 137;
    /// Neighbour Discovery never crosses a router (RFC 4861 §3.1).
    const HOP_LIMIT: u8 = 255;

    pub(crate) fn process(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &Received<'_>) -> Taken {
        let iface = &*ingress.links.iface;
        let (Some(src), Some(dst)) = (received.src.as_v6(), received.dst.as_v6()) else {
            return Err(DropReason::BadNeighborMessage);
        };
        if received.hop_limit != HOP_LIMIT || iface.has_address(&received.src) || !iface.is_ethernet() {
            return Err(DropReason::BadNeighborMessage);
        }
        // RFC 6980 §5: nor is it believed in a fragment, be that the whole.
        if ipv6ext::has_fragment_header(received.packet) {
            return Err(DropReason::BadNeighborMessage);
        }
        match ndisc::Message::parse(src, dst, received.payload) {
            Ok(ndisc::Message::NeighborSolicit { target, lladdr }) => {
                solicited(ingress, received, target, lladdr.copied())
            }
            Ok(ndisc::Message::NeighborAdvert { flags, target, lladdr }) => {
                advertised(ingress, flags, target, lladdr.copied())
            }
            Ok(ndisc::Message::Redirect { target, dest, lladdr, .. }) => {
                ingress.redirected_v6(received, target, dest, lladdr.copied())
            }
            Ok(message) => routed(ingress, received, &message),
            Err(_) => Err(DropReason::BadNeighborMessage),
        }
    }

    /// What routers say.
    #[cfg(not(feature = "iface-slaac"))]
    fn routed(
        _ingress: &mut Ingress<'_, '_, '_, '_, '_>,
        _received: &Received<'_>,
        _message: &ndisc::Message<'_>,
    ) -> Taken {
        Ok(())
    }

    /// What routers say: advertisements.
    #[cfg(feature = "iface-slaac")]
    fn routed(
        ingress: &mut Ingress<'_, '_, '_, '_, '_>,
        received: &Received<'_>,
        message: &ndisc::Message<'_>,
    ) -> Taken {
        let ndisc::Message::RouterAdvert {
            hop_limit,
            flags,
            router_lifetime,
            reachable_time,
            retrans_time,
            lladdr,
            options,
        } = *message
        else {
            return Ok(());
        };
        let Some(router) = received.src.as_v6().copied() else { return Ok(()) };
        if let Some(hardware) = lladdr.filter(|hardware| hardware[0] & 1 == 0) {
            let evidence = Evidence { solicited: false, override_: true, create: true };
            learn(ingress.links, ingress.sockets, &received.src, hardware, evidence);
        }
        ingress.links.others.forget_way();
        let now = ingress.links.now;
        let lifetime = router_lifetime;
        let advert = Advert { router, hop_limit, flags, lifetime, reachable_time, retrans_time, options };
        ingress.links.iface.hear_router(now, &ingress.sockets.keys, &advert);
        Ok(())
    }

    /// Asks for routers (RFC 4861 §4.1): with our hardware address if we have an address to be answered at.
    #[cfg(feature = "iface-slaac")]
    pub(crate) fn solicit_routers(iface: &mut Interface<'_>, out: &mut Out<'_>, own: Option<Addr>) -> bool {
        const ROUTER_SOLICITATION: u8 = 133;
        const ALL_ROUTERS: Addr = Addr::v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        let message = Message { kind: ROUTER_SOLICITATION, code: 0, word: 0 };
        let [a, b, c, d, e, f] = iface.hardware;
        let option = [1, 1, a, b, c, d, e, f];
        let options = if own.is_some() { &option[..] } else { &[] };
        send(iface, out, own.unwrap_or(Addr::v6([0; 16])), ALL_ROUTERS, &message, options)
    }

    /// RFC 4861 §7.2.3 and §7.2.4.
    fn solicited(
        ingress: &mut Ingress<'_, '_, '_, '_, '_>,
        received: &Received<'_>,
        target: &[u8; 16],
        hardware: Option<Hardware>,
    ) -> Taken {
        if !ingress.links.iface.has_address(&Addr::v6(*target)) {
            return solicited_unused(ingress, received, target);
        }
        let asker = received.src;
        if let Some(hardware) = hardware.filter(|hardware| hardware[0] & 1 == 0) {
            let evidence = Evidence { solicited: false, override_: true, create: true };
            learn(ingress.links, ingress.sockets, &asker, &hardware, evidence);
        }
        // One who has no address yet hears the answer as one of all nodes.
        let is_probe = asker.is_unspecified();
        let dst = if is_probe { ALL_NODES } else { asker };
        let mut flags = NeighborFlags::OVERRIDE;
        flags.set(NeighborFlags::SOLICITED, !is_probe);
        let links = &mut *ingress.links;
        // If it can't be sent, that is counted where it turns out.
        advertise(links.iface, &mut links.out, target, dst, flags);
        Ok(())
    }

    /// The same for an address that is none of those we use: it may be one that we check.
    fn solicited_unused(
        ingress: &mut Ingress<'_, '_, '_, '_, '_>,
        received: &Received<'_>,
        target: &[u8; 16],
    ) -> Taken {
        let is_nonce = |option| if let NdOption::Nonce(nonce) = option { Some(nonce) } else { None };
        let nonce = ndisc::options(received.payload).ok().and_then(|mut all| all.find_map(is_nonce));
        let has_source = !received.src.is_unspecified();
        let (iface, keys) = (&mut *ingress.links.iface, &ingress.sockets.keys);
        let heard = iface.hear_neighbor(keys, &Addr::v6(*target), has_source, nonce);
        heard.unwrap_or(Err(DropReason::NotOurAddress))
    }

    fn advertise(
        iface: &mut Interface<'_>,
        out: &mut Out<'_>,
        own: &[u8; 16],
        dst: Addr,
        #[cfg_attr(not(feature = "iface-forward"), expect(unused_mut, reason = "no host is a router"))]
        mut flags: NeighborFlags,
    ) -> bool {
        #[cfg(feature = "iface-forward")]
        flags.set(NeighborFlags::ROUTER, iface.forwarding());
        let message = Message { kind: NEIGHBOR_ADVERTISEMENT, code: 0, word: u32::from(flags.bits()) << 24 };
        let body = body_of(own, Some((2, iface.hardware)));
        send(iface, out, Addr::v6(*own), dst, &message, &body)
    }

    /// Tells everybody that `own` is ours (RFC 4861 §7.2.6).
    #[cfg(feature = "iface-neighbors")]
    pub(crate) fn announce(iface: &mut Interface<'_>, out: &mut Out<'_>, own: &[u8; 16]) -> bool {
        advertise(iface, out, own, ALL_NODES, NeighborFlags::OVERRIDE)
    }

    const ALL_NODES: Addr = Addr::v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// RFC 4861 §7.2.5.
    fn advertised(
        ingress: &mut Ingress<'_, '_, '_, '_, '_>,
        flags: NeighborFlags,
        target: &[u8; 16],
        hardware: Option<Hardware>,
    ) -> Taken {
        let target = Addr::v6(*target);
        let iface = &mut *ingress.links.iface;
        if iface.has_address(&target) {
            return Err(DropReason::BadNeighborMessage);
        }
        if iface.hear_advertised(&target) {
            return Ok(());
        }
        if !flags.contains(NeighborFlags::ROUTER) {
            iface.hear_host(&target);
        }
        // Without the option it confirms the address that we know.
        let Some(hardware) = hardware.or_else(|| iface.neighbors.known(&target)) else { return Ok(()) };
        if hardware[0] & 1 != 0 {
            return Err(DropReason::BadNeighborMessage);
        }
        let evidence = Evidence {
            solicited: flags.contains(NeighborFlags::SOLICITED),
            override_: flags.contains(NeighborFlags::OVERRIDE),
            create: false,
        };
        learn(ingress.links, ingress.sockets, &target, &hardware, evidence);
        Ok(())
    }

    /// Asks who has `target`: its group, or the one who had it.
    pub(crate) fn solicit(
        iface: &mut Interface<'_>,
        out: &mut Out<'_>,
        target: &[u8; 16],
        to: &Hardware,
    ) -> bool {
        let Some(src) = iface.source_for(&Addr::v6(*target)) else { return false };
        let dst = if *to == EVERYBODY { Addr::solicited_node(target) } else { *target };
        let message = Message { kind: NEIGHBOR_SOLICITATION, code: 0, word: 0 };
        let body = body_of(target, Some((1, iface.hardware)));
        send(iface, out, src, Addr::v6(dst), &message, &body)
    }

    /// Asks whether somebody has `target`, which is not ours yet (RFC 4862 §5.4.2, RFC 7527 §4.1).
    #[cfg(feature = "iface-dad")]
    pub(crate) fn probe(
        iface: &mut Interface<'_>,
        out: &mut Out<'_>,
        target: &[u8; 16],
        nonce: [u8; 6],
    ) -> bool {
        const NONCE: u8 = 14;
        let dst = Addr::v6(Addr::solicited_node(target));
        let message = Message { kind: NEIGHBOR_SOLICITATION, code: 0, word: 0 };
        send(iface, out, Addr::v6([0; 16]), dst, &message, &body_of(target, Some((NONCE, nonce))))
    }

    /// The target, and a link-layer address or a nonce as an option.
    fn body_of(target: &[u8; 16], option: Option<(u8, [u8; 6])>) -> [u8; 24] {
        let mut body = [0; 24];
        let (place, rest) = body.split_at_mut(16);
        place.copy_from_slice(target);
        if let Some((kind, [a, b, c, d, e, f])) = option {
            rest.copy_from_slice(&[kind, 1, a, b, c, d, e, f]);
        }
        body
    }

    /// Tells the sender of a packet that `next_hop`, on its link, is the better first hop (RFC 4861 §8.2).
    #[cfg(feature = "iface-forward")]
    pub(crate) fn redirect(links: &mut Links<'_, '_, '_>, received: &Received<'_>, next_hop: &Addr) {
        let (Some(target), Some(dest)) = (next_hop.as_v6(), received.dst.as_v6()) else { return };
        // RFC 4861 §4.5: a router is named by its link-local address, and so are we.
        let is_named = next_hop == &received.dst || next_hop.is_link_local();
        let src = links.iface.own().map(|own| own.addr).find(|own| !own.is_v4() && own.is_link_local());
        let Some(src) = src.filter(|_| is_named) else { return };
        let lladdr = links.iface.neighbors.known(next_hop);
        let room = MIN_MTU - ipv6::HEADER_LEN - REDIRECT_HEADERS_LEN;
        let redirected = received.packet.get(..room).unwrap_or(received.packet);
        let message =
            ndisc::Message::Redirect { target, dest, lladdr: lladdr.as_ref(), redirected: Some(redirected) };
        let packet = Packet {
            src,
            dst: received.src,
            protocol: IpProtocol::ICMPV6,
            hop_limit: HOP_LIMIT,
            traffic_class: TrafficClass::default(),
            len: message.buffer_len(),
            unusual: Unusual::default(),
            segment_len: 0,
            room: Room::NONE,
        };
        let Links { iface, out, .. } = links;
        iface.stats.counters.on_icmp_sent(false, REDIRECT);
        iface.send_or_queue(out, &packet, &received.src, Class::Data, &mut |place, _sum| {
            message.emit(place);
            checksum::sum(place)
        });
    }

    fn send(
        iface: &mut Interface<'_>,
        out: &mut Out<'_>,
        src: Addr,
        dst: Addr,
        message: &Message,
        body: &[u8],
    ) -> bool {
        let len = icmp::HEADER_LEN + body.len();
        let protocol = IpProtocol::ICMPV6;
        let traffic_class = TrafficClass::default();
        let packet = Packet {
            src,
            dst,
            protocol,
            hop_limit: HOP_LIMIT,
            traffic_class,
            len,
            unusual: Unusual::default(),
            segment_len: 0,
            room: Room::NONE,
        };
        iface.stats.counters.on_icmp_sent(false, message.kind);
        let class = if message.kind == NEIGHBOR_SOLICITATION { Class::Data } else { Class::Control };
        iface.send_or_queue(out, &packet, &dst, class, &mut message.followed_by(body))
    }
}
