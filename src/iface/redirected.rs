//! Redirects that come: a gateway says who is the better first hop to one destination (RFC 1122 §3.2.2.2, RFC 4861 §8.3;
//! feature `iface-redirects`).
//!
//! One is believed if it comes from the first hop that is in use for that destination, and names a neighbour on the same
//! link. Over IPv4, where it could come from afar, it has also to quote a packet that a socket of ours may have sent. It
//! holds for ten minutes, as long as the route by that gateway is the best, and not longer than the new first hop
//! answers. The table is small and of a fixed size: what would end first goes.

use super::icmp_error::Quote;
use super::ingress::{Ingress, Received, Taken};
use super::interface::Interface;
use super::neighbor::{Evidence, Hardware};
use super::route::{Match, Routes};
use crate::config::{REDIRECT_LIFE, REDIRECTS};
use crate::stats::DropReason;
use crate::time::Instant;
use crate::wire::{Addr, IpAddress, IpProtocol};

/// A better first hop for one destination.
#[derive(Debug, Clone, Copy)]
struct Detour {
    dst: Addr,
    /// The gateway that the route names.
    gateway: Addr,
    first_hop: Addr,
    until: Instant,
}

/// What gateways have said.
#[derive(Debug)]
pub(crate) struct Detours {
    entries: [Option<Detour>; REDIRECTS],
    is_any: bool,
    is_deaf: bool,
}

impl Detours {
    pub(crate) const fn new() -> Detours {
        Detours { entries: [None; REDIRECTS], is_any: false, is_deaf: false }
    }

    /// The way that a route becomes by what its gateway has said.
    #[inline]
    pub(crate) fn follow<'m>(
        &'m self,
        route: Option<Match<'m>>,
        dst: &Addr,
        now: Instant,
    ) -> Option<Match<'m>> {
        if self.is_any { route.map(|route| self.replace(route, dst, now)) } else { route }
    }

    #[inline(never)]
    fn replace<'m>(&'m self, route: Match<'m>, dst: &Addr, now: Instant) -> Match<'m> {
        let is_for =
            |known: &&Detour| known.dst == *dst && known.gateway == *route.next_hop && known.until > now;
        let known = self.entries.iter().flatten().find(is_for);
        Match { next_hop: known.map_or(route.next_hop, |known| &known.first_hop), ..route }
    }

    fn learn(&mut self, detour: Detour) {
        let place = self.entries.iter().position(|known| known.is_some_and(|known| known.dst == detour.dst));
        let until = |known: &Option<Detour>| known.map_or(Instant::ZERO, |known| known.until);
        let first_to_end = || (0..REDIRECTS).min_by_key(|index| self.entries.get(*index).map(until));
        let place = place.or_else(first_to_end).and_then(|index| self.entries.get_mut(index));
        if let Some(place) = place {
            *place = Some(detour).filter(|detour| detour.first_hop != detour.gateway);
            self.note();
        }
    }

    /// A first hop does not answer.
    pub(crate) fn forget_hop(&mut self, first_hop: &Addr) {
        let leads_by = |known: &Detour| known.first_hop == *first_hop;
        self.entries
            .iter_mut()
            .filter(|known| known.as_ref().is_some_and(leads_by))
            .for_each(|known| *known = None);
        self.note();
    }

    /// The link is new, and all neighbours with it.
    pub(crate) fn clear(&mut self) {
        self.entries = [None; REDIRECTS];
        self.note();
    }

    fn note(&mut self) {
        self.is_any = self.entries.iter().any(Option::is_some);
    }
}

impl Routes<'_> {
    /// Whether gateways may say that another neighbour is the better first hop to a destination (redirects, RFC 1122
    /// §3.2.2.2, RFC 4861 §8.3): yes, unless set. An interface that forwards does not listen to them whatever is set here
    /// (RFC 1812 §5.2.7.2, RFC 4861 §8.3). What was said before is forgotten.
    pub fn set_accept_redirects(&mut self, accepts: bool) {
        self.detours.clear();
        self.detours.is_deaf = !accepts;
    }
}

/// As the engine has it, if the family is built in.
fn addr_of(addr: IpAddress) -> Result<Addr, DropReason> {
    Addr::try_from(addr).map_err(|_| DropReason::UnknownProtocol)
}

impl Ingress<'_, '_, '_, '_, '_> {
    /// A redirect over IPv4: `data` quotes the packet that led to it.
    pub(crate) fn redirected_v4(&mut self, received: &Received<'_>, gateway: u32, data: &[u8]) -> Taken {
        let quote = Quote::parse(data, true).filter(|_| received.unicast).ok_or(DropReason::IcmpMismatch)?;
        let first_hop = addr_of(IpAddress::Ipv4(gateway.into()))?;
        let iface = &*self.links.iface;
        let is_ours = iface.has_address(&quote.src) && self.has_flow_of(&quote);
        if !is_ours || !iface.is_on_link(&first_hop) || !iface.is_host(&first_hop) {
            return Err(DropReason::IcmpMismatch);
        }
        self.redirected(&received.src, &quote.dst, &first_hop)
    }

    /// A redirect over IPv6, whose form is right; `hardware` is the first hop's.
    pub(crate) fn redirected_v6(
        &mut self,
        received: &Received<'_>,
        first_hop: &[u8; 16],
        dst: &[u8; 16],
        hardware: Option<Hardware>,
    ) -> Taken {
        let first_hop = addr_of(IpAddress::Ipv6((*first_hop).into()))?;
        let dst = addr_of(IpAddress::Ipv6((*dst).into()))?;
        self.redirected(&received.src, &dst, &first_hop)?;
        if let Some(hardware) = hardware.filter(|hardware| hardware[0] & 1 == 0) {
            let evidence = Evidence { solicited: false, override_: true, create: true };
            super::arp::learn(self.links, self.sockets, &first_hop, &hardware, evidence);
        }
        Ok(())
    }

    fn redirected(&mut self, from: &Addr, dst: &Addr, first_hop: &Addr) -> Taken {
        let now = self.links.now;
        let iface = &mut *self.links.iface;
        if iface.is_router() || iface.routes_mut().detours.is_deaf {
            return Err(DropReason::Filtered);
        }
        let gateway = iface.gateway_to(dst, now).ok_or(DropReason::IcmpMismatch)?;
        let is_in_use = iface.route(dst, now).is_some_and(|route| *route.next_hop == *from);
        if !is_in_use || iface.has_address(first_hop) {
            return Err(DropReason::IcmpMismatch);
        }
        let until = now + REDIRECT_LIFE;
        net_debug!("{} is reached by {}", IpAddress::from(*dst), IpAddress::from(*first_hop));
        iface.routes_mut().detours.learn(Detour { dst: *dst, gateway, first_hop: *first_hop, until });
        self.links.others.forget_way();
        Ok(())
    }

    /// Whether a socket of ours may have sent a packet.
    fn has_flow_of(&self, quote: &Quote<'_>) -> bool {
        match quote.protocol {
            IpProtocol::UDP | IpProtocol::UDP_LITE => self.has_udp_sender(quote),
            IpProtocol::TCP => self.has_connection_of(quote),
            _ => false,
        }
    }

    #[cfg(not(feature = "udp-connect"))]
    fn has_udp_sender(&self, _quote: &Quote<'_>) -> bool {
        false
    }

    #[cfg(not(feature = "socket-tcp"))]
    fn has_connection_of(&self, _quote: &Quote<'_>) -> bool {
        false
    }

    #[cfg(feature = "socket-tcp")]
    fn has_connection_of(&self, quote: &Quote<'_>) -> bool {
        let Some((local_port, remote_port)) = quote.ports() else { return false };
        let here = (self.links.port() as u8).saturating_add(1);
        [0, here].into_iter().any(|zone| {
            let tuple =
                crate::socket::Tuple { local: quote.src, remote: quote.dst, local_port, remote_port, zone };
            self.sockets.find_connection(self.sockets.hash_of(&tuple), &tuple).is_some()
        })
    }
}

impl Interface<'_> {
    /// The gateway to a destination by the routes alone; none if there is no route by one.
    fn gateway_to(&self, dst: &Addr, now: Instant) -> Option<Addr> {
        let is_host = dst.is_unicast() && !self.is_on_link(dst) && (dst.is_v4() || !dst.is_link_local());
        let route = self.routes().best(dst, now).filter(|_| is_host)?;
        Some(*route.next_hop).filter(|gateway| gateway != dst)
    }
}
