//! What a router advertisement changes (RFC 4861 §6.3.4, RFC 4862 §5.5.3, RFC 4191 §3.1, RFC 8106 §5.3).

use super::slaac::{SearchDomain, Server, halves};
use super::{AddressOrigin, Terms};
use crate::config;
use crate::iface::interface::Interface;
use crate::iface::route::Route;
use crate::rand::Keys;
use crate::time::{Duration, Instant, Ticks};
use crate::wire::ndisc::{
    NdOption, Options, Preference, PrefixFlags, PrefixInformation, RouteInformation, RouterFlags, SearchList,
    SearchName,
};
use crate::wire::{Addr, IpAddress, IpCidr, Ipv6Address, ipv6};

/// A router advertisement without its options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Advert<'a> {
    pub(crate) router: [u8; 16],
    pub(crate) hop_limit: u8,
    pub(crate) flags: RouterFlags,
    pub(crate) lifetime: u16,
    pub(crate) reachable_time: u32,
    pub(crate) retrans_time: u32,
    pub(crate) options: Options<'a>,
}

/// The end of a lifetime in seconds; all ones have none.
fn end_of(now: Instant, seconds: u32) -> Option<Instant> {
    (seconds != u32::MAX).then(|| now + Duration::from_secs(seconds.into()))
}

/// Two hours: RFC 4862 §5.5.3 e.
const TWO_HOURS: u32 = 7_200;

pub(super) fn name_of(domain: &SearchDomain) -> Option<SearchName<'_>> {
    SearchList::parse(domain.octets.get(..domain.len)?)?.next()
}

/// How much worse a route is for its preference; better than 0 are the application's (RFC 4191 §3.1).
fn metric_of(preference: Preference) -> u16 {
    match preference {
        Preference::High => 512,
        Preference::Medium => 1_024,
        Preference::Low => 2_048,
    }
}

impl Interface<'_> {
    /// A router on the link has spoken.
    #[inline(never)]
    pub(crate) fn hear_router(&mut self, now: Instant, keys: &Keys, advert: &Advert<'_>) {
        if !self.heeds_routers() {
            return;
        }
        self.hear_parameters(now, keys, advert);
        // RFC 4191 §2.2: the reserved preference counts as medium.
        let preference = Preference::of_flags(advert.flags.bits()).unwrap_or_default();
        let lifetime = u32::from(advert.lifetime);
        self.hear_route(now, advert, IpCidr::new(Ipv6Address::UNSPECIFIED.into(), 0), preference, lifetime);
        if advert.lifetime > 0 {
            let has_route = self.routes_mut().has_learned_default();
            self.autoconf.slaac.on_default_router(has_route);
        }
        for option in advert.options {
            match option {
                NdOption::Prefix(prefix) => self.hear_prefix(now, &prefix),
                NdOption::Route(route) => self.hear_route_information(now, advert, &route),
                NdOption::Mtu(mtu) => self.hear_mtu(mtu),
                NdOption::DnsServers { lifetime, servers } => {
                    servers.iter().for_each(|server| self.hear_server(now, server, lifetime));
                }
                NdOption::DnsSearch { lifetime, names } => {
                    names.for_each(|name| self.hear_domain(now, &name, lifetime));
                }
                _ => {}
            }
        }
        self.autoconf.wake();
    }

    /// RFC 4861 §7.2.5: a neighbour has said that it is no router. If it was one, it is none any longer.
    pub(crate) fn hear_host(&mut self, addr: &Addr) {
        if self.routes_mut().unlearn_by(addr) {
            self.autoconf.has_changed = true;
            self.autoconf.wake();
        }
    }

    /// RFC 4861 §6.3.4: what is not said stays as it is.
    fn hear_parameters(&mut self, now: Instant, keys: &Keys, advert: &Advert<'_>) {
        let before = self.autoconf.slaac.advertised;
        let advertised = &mut self.autoconf.slaac.advertised;
        advertised.managed = advert.flags.contains(RouterFlags::MANAGED);
        advertised.other = advert.flags.contains(RouterFlags::OTHER);
        if advert.hop_limit > 0 {
            advertised.hop_limit = Some(advert.hop_limit);
        }
        self.autoconf.has_changed |= *advertised != before;
        let mut times = self.neighbors.times();
        if config::RETRANS_TIMES.contains(&advert.retrans_time) {
            times.retransmit = Duration::from_millis(advert.retrans_time.into()).to_ticks();
        }
        let base = advert.reachable_time;
        if config::REACHABLE_TIMES.contains(&base) && base != self.autoconf.slaac.base_reachable {
            // RFC 4861 §6.3.2: between half and one and a half of it.
            self.autoconf.slaac.base_reachable = base;
            let ticks = Duration::from_millis(base.into()).to_ticks();
            times.reachable = ticks / 2 + self.some_ticks(keys, Ticks::from_instant(now), ticks);
        }
        self.neighbors.set_times(times);
    }

    /// RFC 4861 §6.3.4: no less than every link has to carry, and no more than this one can.
    fn hear_mtu(&mut self, mtu: u32) {
        let can_be = (ipv6::MIN_MTU..=self.device_mtu()).contains(&(mtu as usize));
        let Some(mtu) = u16::try_from(mtu).ok().filter(|_| can_be) else { return };
        let before = self.autoconf.slaac.advertised.mtu.replace(mtu);
        self.autoconf.has_changed |= before != Some(mtu);
        self.settle_mtu();
    }

    /// A way by the router, or none any more.
    fn hear_route(
        &mut self,
        now: Instant,
        advert: &Advert<'_>,
        network: IpCidr,
        preference: Preference,
        lifetime: u32,
    ) {
        let gateway = IpAddress::from(Ipv6Address::from(advert.router));
        self.learn_route(now, network, Some(gateway), metric_of(preference), lifetime);
    }

    fn learn_route(
        &mut self,
        now: Instant,
        network: IpCidr,
        gateway: Option<IpAddress>,
        metric: u16,
        lifetime: u32,
    ) {
        let Ok(route) = Route::new(network, gateway) else { return };
        let route = route.with_metric(metric);
        let route = end_of(now, lifetime).map_or(route, |end| route.with_expiry(end));
        let routes = self.routes_mut();
        let is_new = if lifetime == 0 { routes.unlearn(&route) } else { routes.learn(route, now) };
        self.autoconf.has_changed |= is_new;
    }

    /// RFC 4191 §3.1. A default route among them is in place of what the header says.
    fn hear_route_information(&mut self, now: Instant, advert: &Advert<'_>, route: &RouteInformation<'_>) {
        let addr = route.addr();
        let is_beyond = route.prefix_len == 0 || Addr::v6(addr.octets()).is_unicast();
        if is_beyond && !is_of_link(&addr) {
            let network = network_of(&addr, route.prefix_len);
            self.hear_route(now, advert, network, route.preference, route.lifetime);
        }
    }

    /// RFC 4861 §6.3.4 for what is on the link, RFC 4862 §5.5.3 for addresses.
    fn hear_prefix(&mut self, now: Instant, prefix: &PrefixInformation) {
        let is_unicast = prefix.prefix_len > 0 && Addr::v6(prefix.prefix.octets()).is_unicast();
        if is_of_link(&prefix.prefix) || !is_unicast {
            return;
        }
        if prefix.flags.contains(PrefixFlags::ON_LINK) {
            let network = network_of(&prefix.prefix, prefix.prefix_len);
            self.learn_route(now, network, None, metric_of(Preference::High), prefix.valid_lifetime);
        }
        let has_room_for_id = prefix.prefix_len == 64;
        let is_sane = prefix.preferred_lifetime <= prefix.valid_lifetime;
        if prefix.flags.contains(PrefixFlags::ADDRCONF) && has_room_for_id && is_sane {
            self.hear_autonomous(now, prefix);
        }
    }

    fn hear_autonomous(&mut self, now: Instant, prefix: &PrefixInformation) {
        let [upper, _] = halves(&prefix.prefix.octets());
        let origin = AddressOrigin::RouterAdvertisement;
        let is_of_prefix = |addr: &Addr| addr.as_v6().is_some_and(|octets| octets.starts_with(&upper));
        let (valid, preferred) = (prefix.valid_lifetime, prefix.preferred_lifetime);
        let mut terms = Terms {
            origin,
            prefix_len: 64,
            preferred_until: end_of(now, preferred),
            valid_until: end_of(now, valid),
        };
        let known = self
            .autoconf
            .claims
            .iter()
            .find(|claim| claim.terms.origin == origin && is_of_prefix(&claim.addr));
        let Some(known) = known else {
            let count = self.autoconf.claims.iter().filter(|claim| claim.terms.origin == origin).count();
            if valid > 0 && count < config::SLAAC_ADDRESSES {
                self.claim_in(&upper, 0, terms);
            }
            return;
        };
        let addr = known.addr;
        terms.valid_until = two_hours_rule(now, known.terms.valid_until, valid);
        // What is preferred no longer than it is valid.
        if let Some(end) = terms.valid_until {
            terms.preferred_until = Some(terms.preferred_until.map_or(end, |until| until.min(end)));
        }
        self.autoconf.set_terms(&addr, terms);
    }

    /// A name server, or one that is none any more. Without room the new one is let go.
    fn hear_server(&mut self, now: Instant, addr: &[u8; 16], lifetime: u32) {
        if !Addr::v6(*addr).is_unicast() {
            return;
        }
        let servers = &mut self.autoconf.slaac.servers;
        let place = servers.iter().position(|entry| entry.is_some_and(|known| known.addr == *addr));
        let place = place.or_else(|| servers.iter().position(Option::is_none).filter(|_| lifetime > 0));
        if let Some(entry) = place.and_then(|index| servers.get_mut(index)) {
            let was_known = entry.is_some();
            *entry = (lifetime > 0).then(|| Server { addr: *addr, until: end_of(now, lifetime) });
            self.autoconf.has_changed |= entry.is_some() != was_known;
        }
    }

    /// The same for a search domain; one that is too long is let go.
    fn hear_domain(&mut self, now: Instant, name: &SearchName<'_>, lifetime: u32) {
        let octets = name.as_octets();
        let mut domain = SearchDomain { octets: [0; _], len: octets.len(), until: end_of(now, lifetime) };
        let Some(place) = domain.octets.get_mut(..octets.len()) else { return };
        place.copy_from_slice(octets);
        let domains = &mut self.autoconf.slaac.domains;
        let is_same = |entry: &Option<SearchDomain>| entry.is_some_and(|known| known.octets == domain.octets);
        let place = domains.iter().position(is_same);
        let place = place.or_else(|| domains.iter().position(Option::is_none).filter(|_| lifetime > 0));
        if let Some(entry) = place.and_then(|index| domains.get_mut(index)) {
            let was_known = entry.is_some();
            *entry = (lifetime > 0).then_some(domain);
            self.autoconf.has_changed |= entry.is_some() != was_known;
        }
    }
}

/// When an address ends whose lifetime is advertised anew (RFC 4862 §5.5.3 e): nobody ends it at once by a single message.
fn two_hours_rule(now: Instant, end: Option<Instant>, valid: u32) -> Option<Instant> {
    let left = end.map(|end| end.saturating_duration_since(now));
    let two_hours = Duration::from_secs(TWO_HOURS.into());
    let lasts_longer = left.is_some_and(|left| Duration::from_secs(valid.into()) > left);
    if valid > TWO_HOURS || lasts_longer {
        end_of(now, valid)
    } else if left.is_some_and(|left| left <= two_hours) {
        end
    } else {
        Some(now + two_hours)
    }
}

fn is_of_link(addr: &Ipv6Address) -> bool {
    Addr::v6(addr.octets()).is_link_local()
}

/// A prefix without the bits after it.
fn network_of(addr: &Ipv6Address, prefix_len: u8) -> IpCidr {
    let bits = u128::from_be_bytes(addr.octets());
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix_len)).unwrap_or(0);
    IpCidr::new(Ipv6Address::from((bits & mask).to_be_bytes()).into(), prefix_len)
}
