//! Neighbor Discovery (RFC 4861): solicitations for our addresses are answered, advertisements are
//! learned from.
//!
//! Not here yet: routers and their advertisements, redirects, duplicate address detection.

use super::ingress::{Ingress, Received, Taken};
use super::interface::Interface;
use super::links::Out;
use super::neighbor::Hardware;
use crate::stats::DropReason;

#[cfg(all(feature = "proto-ipv6", feature = "medium-ethernet"))]
pub(crate) use on_ethernet::{process, solicit};

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

#[cfg(all(feature = "proto-ipv6", feature = "medium-ethernet"))]
mod on_ethernet {
    use super::*;
    use crate::iface::arp::learn;
    use crate::iface::icmp::{self, Message};
    use crate::iface::neighbor::{EVERYBODY, Evidence};
    use crate::iface::output::{Packet, TrafficClass};
    use crate::storage::Class;
    use crate::wire::ndisc::{self, NeighborFlags};
    use crate::wire::{Addr, IpProtocol};

    const NEIGHBOR_SOLICITATION: u8 = 135;
    const NEIGHBOR_ADVERTISEMENT: u8 = 136;
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
        match ndisc::Message::parse(src, dst, received.payload) {
            Ok(ndisc::Message::NeighborSolicit { target, lladdr }) => {
                solicited(ingress, received, target, lladdr.copied())
            }
            Ok(ndisc::Message::NeighborAdvert { flags, target, lladdr }) => {
                advertised(ingress, flags, target, lladdr.copied())
            }
            Ok(_) => Ok(()),
            Err(_) => Err(DropReason::BadNeighborMessage),
        }
    }

    /// RFC 4861 §7.2.3 and §7.2.4.
    fn solicited(
        ingress: &mut Ingress<'_, '_, '_, '_, '_>,
        received: &Received<'_>,
        target: &[u8; 16],
        hardware: Option<Hardware>,
    ) -> Taken {
        let now = ingress.links.out.now;
        if !ingress.links.iface.has_address(&Addr::v6(*target)) {
            return Err(DropReason::NotOurAddress);
        }
        let asker = received.src;
        if let Some(hardware) = hardware.filter(|hardware| hardware[0] & 1 == 0) {
            let evidence = Evidence { solicited: false, override_: true, create: true };
            learn(ingress.links.iface, ingress.sockets, &asker, &hardware, evidence, now);
        }
        // One who has no address yet hears the answer as one of all nodes.
        let is_probe = asker.is_unspecified();
        let dst = if is_probe { ALL_NODES } else { asker };
        let mut flags = NeighborFlags::OVERRIDE;
        flags.set(NeighborFlags::SOLICITED, !is_probe);
        let message = Message { kind: NEIGHBOR_ADVERTISEMENT, code: 0, word: u32::from(flags.bits()) << 24 };
        let links = &mut *ingress.links;
        let body = body_of(target, Some((2, links.iface.hardware)));
        // If it can't be sent, that is counted where it turns out.
        send(links.iface, &mut links.out, Addr::v6(*target), dst, &message, &body);
        Ok(())
    }

    const ALL_NODES: Addr = Addr::v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// RFC 4861 §7.2.5.
    fn advertised(
        ingress: &mut Ingress<'_, '_, '_, '_, '_>,
        flags: NeighborFlags,
        target: &[u8; 16],
        hardware: Option<Hardware>,
    ) -> Taken {
        let now = ingress.links.out.now;
        let target = Addr::v6(*target);
        let iface = &mut *ingress.links.iface;
        if iface.has_address(&target) {
            return Err(DropReason::BadNeighborMessage);
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
        learn(iface, ingress.sockets, &target, &hardware, evidence, now);
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

    /// The target, and a link-layer address as an option.
    fn body_of(target: &[u8; 16], option: Option<(u8, Hardware)>) -> [u8; 24] {
        let mut body = [0; 24];
        let (place, rest) = body.split_at_mut(16);
        place.copy_from_slice(target);
        if let Some((kind, [a, b, c, d, e, f])) = option {
            rest.copy_from_slice(&[kind, 1, a, b, c, d, e, f]);
        }
        body
    }

    fn send(
        iface: &mut Interface<'_>,
        out: &mut Out<'_>,
        src: Addr,
        dst: Addr,
        message: &Message,
        body: &[u8; 24],
    ) -> bool {
        let len = icmp::HEADER_LEN + body.len();
        let protocol = IpProtocol::ICMPV6;
        let traffic_class = TrafficClass::default();
        let packet = Packet { src, dst, protocol, hop_limit: HOP_LIMIT, traffic_class, len, segment_len: 0 };
        iface.stats.on_icmp_sent();
        let class = if message.kind == NEIGHBOR_SOLICITATION { Class::Data } else { Class::Control };
        iface.send_or_queue(out, &packet, &dst, class, &mut message.followed_by(body))
    }
}
