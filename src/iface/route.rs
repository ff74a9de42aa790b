//! Routes of one interface.
//!
//! A route belongs to the interface it leaves by and goes with it. Among all that match, over all
//! interfaces, the longest prefix wins, then, with `iface-nud`, one whose gateway answers, then the smallest metric.

use managed::ManagedSlice;

use super::redirected::Detours;
use crate::config;
use crate::time::Instant;
use crate::wire::{Addr, FamilyNotBuiltIn, IpAddress, IpCidr};

/// A way to a network that is not on the link itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    network: Addr,
    prefix_len: u8,
    /// Smaller is better.
    metric: u16,
    gateway: Option<Addr>,
    expires_at: Option<Instant>,
    /// A router has said it, not the application.
    #[cfg(feature = "iface-slaac")]
    is_learned: bool,
    /// Until when another to the same network is better, for the gateway did not answer.
    #[cfg(feature = "iface-nud")]
    avoided_until: Option<Instant>,
}

impl Route {
    /// A route to `network` by way of `gateway`, or straight to the link without one.
    pub fn new(network: IpCidr, gateway: Option<IpAddress>) -> Result<Route, FamilyNotBuiltIn> {
        Ok(Route {
            network: Addr::try_from(network.address())?,
            prefix_len: network.prefix_len(),
            metric: 0,
            gateway: gateway.map(Addr::try_from).transpose()?,
            expires_at: None,
            #[cfg(feature = "iface-slaac")]
            is_learned: false,
            #[cfg(feature = "iface-nud")]
            avoided_until: None,
        })
    }

    /// The same with another metric; smaller is better. 0 unless set.
    pub fn with_metric(mut self, metric: u16) -> Route {
        self.metric = metric;
        self
    }

    /// The same, void from `at` on.
    pub fn with_expiry(mut self, at: Instant) -> Route {
        self.expires_at = Some(at);
        self
    }

    #[cfg(feature = "iface-nud")]
    fn is_avoided(&self, now: Instant) -> bool {
        self.avoided_until.is_some_and(|until| until > now)
    }

    #[cfg(not(feature = "iface-nud"))]
    fn is_avoided(&self, _now: Instant) -> bool {
        false
    }

    fn goes_to(&self, other: &Route) -> bool {
        self.network == other.network && self.prefix_len == other.prefix_len && self.gateway == other.gateway
    }
}

/// How well an interface can reach a destination, and through whom.
#[derive(Clone, Copy)]
pub(crate) struct Match<'m> {
    /// The longer the prefix, then, if its gateway answers, then the smaller the metric, the higher.
    pub(crate) rank: u32,
    pub(crate) next_hop: &'m Addr,
}

/// In a rank: no gateway in the way is known not to answer.
const ANSWERS: u32 = 1 << 16;

impl<'m> Match<'m> {
    pub(crate) fn new(prefix_len: u8, metric: u16, next_hop: &'m Addr) -> Match<'m> {
        let prefix = u32::from(prefix_len) << if config::HAS_NUD { 17 } else { 16 };
        let answers = if config::HAS_NUD { ANSWERS } else { 0 };
        Match { rank: prefix | answers | u32::from(!metric), next_hop }
    }

    /// The better of two, the first if they are equal.
    pub(crate) fn or_better(best: Option<Match<'m>>, other: Match<'m>) -> Option<Match<'m>> {
        best.filter(|best| best.rank >= other.rank).or(Some(other))
    }
}

/// The table is full: lend more storage, or remove a route first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteTableFull;

impl core::fmt::Display for RouteTableFull {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("route table full: lend more storage or remove a route")
    }
}

impl core::error::Error for RouteTableFull {}

/// The routes of one interface.
pub struct Routes<'a> {
    entries: ManagedSlice<'a, Option<Route>>,
    pub(crate) detours: Detours,
}

impl<'a> Routes<'a> {
    pub(crate) fn new(entries: ManagedSlice<'a, Option<Route>>) -> Routes<'a> {
        Routes { entries, detours: Detours::new() }
    }

    /// Adds a route, or replaces the one to the same network by the same gateway.
    pub fn add(&mut self, route: Route) -> Result<(), RouteTableFull> {
        let same = self.entries.iter().position(|e| e.is_some_and(|e| e.goes_to(&route)));
        let place = same.or_else(|| self.entries.iter().position(Option::is_none));
        if let Some(entry) = place.and_then(|index| self.entries.get_mut(index)) {
            *entry = Some(route);
            return Ok(());
        }
        self.grow(route)
    }

    #[cfg(feature = "alloc")]
    fn grow(&mut self, route: Route) -> Result<(), RouteTableFull> {
        match &mut self.entries {
            ManagedSlice::Owned(entries) if entries.len() < crate::config::MAX_ROUTES => {
                entries.push(Some(route));
                Ok(())
            }
            _ => Err(RouteTableFull),
        }
    }

    #[cfg(not(feature = "alloc"))]
    fn grow(&mut self, _route: Route) -> Result<(), RouteTableFull> {
        Err(RouteTableFull)
    }

    /// Removes the routes to `network` and says how many there were.
    pub fn remove(&mut self, network: IpCidr) -> usize {
        let Ok(wanted) = Route::new(network, None) else { return 0 };
        let mut count = 0;
        for entry in self.entries.iter_mut() {
            let hit = |r: &Route| r.network == wanted.network && r.prefix_len == wanted.prefix_len;
            if entry.as_ref().is_some_and(hit) {
                *entry = None;
                count += 1;
            }
        }
        count
    }

    /// Whether there is a route to the same network by the same gateway.
    #[cfg(feature = "iface-dhcp")]
    pub(crate) fn has(&self, route: &Route) -> bool {
        self.entries.iter().flatten().any(|entry| entry.goes_to(route))
    }

    /// Removes the route to the same network by the same gateway.
    #[cfg(feature = "iface-dhcp")]
    pub(crate) fn remove_one(&mut self, route: &Route) {
        let is_it = |entry: &&mut Option<Route>| entry.is_some_and(|entry| entry.goes_to(route));
        if let Some(entry) = self.entries.iter_mut().find(is_it) {
            *entry = None;
        }
    }

    #[inline]
    pub(crate) fn lookup<'m>(&'m self, dst: &'m Addr, now: Instant) -> Option<Match<'m>> {
        self.detours.follow(self.best(dst, now), dst, now)
    }

    /// The best route, whatever its gateway has said.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn best<'m>(&'m self, dst: &'m Addr, now: Instant) -> Option<Match<'m>> {
        let mut best = None;
        for route in self.entries.iter().flatten() {
            if !dst.is_in(&route.network, route.prefix_len) || route.expires_at.is_some_and(|at| at <= now) {
                continue;
            }
            let next_hop = route.gateway.as_ref().unwrap_or(dst);
            let mut found = Match::new(route.prefix_len, route.metric, next_hop);
            if route.is_avoided(now) {
                found.rank &= !ANSWERS;
            }
            best = Match::or_better(best, found);
        }
        best
    }
}

/// Routes that routers advertise.
#[cfg(feature = "iface-slaac")]
impl Routes<'_> {
    fn learned(&self) -> impl Iterator<Item = &Route> {
        self.entries.iter().flatten().filter(|route| route.is_learned)
    }

    /// Takes a route that a router advertises, within the quota. What the application has set stays; a default route takes
    /// the place of one that is preferred less.
    ///
    /// Says whether there is anything new to it but its lifetime.
    pub(crate) fn learn(&mut self, route: Route, now: Instant) -> bool {
        let had_old = self.expire_learned(now);
        let route = Route { is_learned: true, ..route };
        let known = self.entries.iter_mut().flatten().find(|entry| entry.goes_to(&route));
        if let Some(known) = known {
            let is_new = known.is_learned && known.metric != route.metric;
            if known.is_learned {
                #[cfg(feature = "iface-nud")]
                let route = Route { avoided_until: known.avoided_until, ..route };
                *known = route;
            }
            return is_new | had_old;
        }
        let is_default = route.prefix_len == 0;
        let of_kind = |entry: &Route| (entry.prefix_len == 0) == is_default;
        let limit = if is_default { config::DEFAULT_ROUTERS } else { config::LEARNED_ROUTES };
        if self.learned().filter(|entry| of_kind(entry)).count() < limit {
            // Without room it is let go: the router says it again.
            return self.add(route).is_ok() | had_old;
        }
        let worst = self.entries.iter_mut().flatten().filter(|entry| entry.is_learned && of_kind(entry));
        let worst = worst.max_by_key(|entry| entry.metric).filter(|worst| worst.metric > route.metric);
        let Some(worst) = worst.filter(|_| is_default) else { return had_old };
        *worst = route;
        true
    }

    /// Whether a router is one for all destinations.
    pub(crate) fn has_learned_default(&self) -> bool {
        self.learned().any(|route| route.prefix_len == 0)
    }

    /// Forgets a route that a router has advertised, and says whether there was one.
    pub(crate) fn unlearn(&mut self, route: &Route) -> bool {
        self.forget_if(|entry| entry.is_learned && entry.goes_to(route))
    }

    /// Forgets those by a gateway, and says whether there were any.
    pub(crate) fn unlearn_by(&mut self, gateway: &Addr) -> bool {
        self.forget_if(|entry| entry.is_learned && entry.gateway.as_ref() == Some(gateway))
    }

    /// Forgets them all.
    pub(crate) fn forget_learned(&mut self) {
        self.forget_if(|entry| entry.is_learned);
    }

    /// Forgets those whose time is over, and says whether there were any.
    pub(crate) fn expire_learned(&mut self, now: Instant) -> bool {
        self.forget_if(|entry| entry.is_learned && entry.expires_at.is_some_and(|at| at <= now))
    }

    fn forget_if(&mut self, is_over: impl Fn(&Route) -> bool) -> bool {
        let mut had_any = false;
        for entry in self.entries.iter_mut() {
            had_any |= entry.take_if(|route| is_over(route)).is_some();
        }
        had_any
    }

    /// When the first of them is over.
    pub(crate) fn learned_end(&self) -> Option<Instant> {
        self.learned().filter_map(|route| route.expires_at).min()
    }
}

#[cfg(all(feature = "iface-dad", not(feature = "iface-slaac")))]
impl Routes<'_> {
    pub(crate) fn learned_end(&self) -> Option<Instant> {
        None
    }
}

/// Gateways that do not answer.
#[cfg(feature = "iface-nud")]
impl Routes<'_> {
    fn by(&mut self, gateway: &Addr) -> impl Iterator<Item = &mut Route> {
        self.entries.iter_mut().flatten().filter(move |route| route.gateway.as_ref() == Some(gateway))
    }

    /// RFC 1122 §3.3.1.4, RFC 4861 §6.3.6: a gateway has been silent while it was used, so others to the same
    /// networks are used in its place, if there are any.
    #[inline(never)]
    pub(crate) fn avoid(&mut self, gateway: &Addr, now: Instant) {
        self.by(gateway).for_each(|route| route.avoided_until = Some(now + config::GATEWAY_AVOIDANCE));
    }

    /// A neighbour has been heard of; if it is a gateway, it is as good as any other.
    #[inline(never)]
    pub(crate) fn on_sign_of_life(&mut self, gateway: &Addr) {
        self.by(gateway).for_each(|route| route.avoided_until = None);
    }

    /// The link is new, and all gateways with it.
    pub(crate) fn avoid_none(&mut self) {
        self.entries.iter_mut().flatten().for_each(|route| route.avoided_until = None);
    }
}

#[cfg(all(test, feature = "proto-ipv4"))]
mod tests {
    use super::*;
    use crate::time::Duration;

    fn cidr(text: &str, prefix_len: u8) -> IpCidr {
        IpCidr::new(text.parse().unwrap(), prefix_len)
    }

    fn route(text: &str, prefix_len: u8, gateway: &str) -> Route {
        Route::new(cidr(text, prefix_len), Some(gateway.parse().unwrap())).unwrap()
    }

    fn addr(text: &str) -> Addr {
        Addr::try_from(text.parse::<IpAddress>().unwrap()).unwrap()
    }

    /// Through whom a destination is reached.
    fn via(routes: &Routes<'_>, dst: &str, now: Instant) -> Option<Addr> {
        routes.lookup(&addr(dst), now).map(|found| *found.next_hop)
    }

    const NOW: Instant = Instant::from_secs(9);

    /// Covers: RFC 1812 §5.2.4.3
    #[test]
    fn the_longest_prefix_wins_and_then_the_smallest_metric() {
        let mut entries = [None; 4];
        let mut routes = Routes::new(ManagedSlice::Borrowed(&mut entries));
        routes.add(route("192.0.2.0", 24, "10.0.0.1").with_metric(5)).unwrap();
        routes.add(route("192.0.2.0", 24, "10.0.0.2").with_metric(3)).unwrap();
        routes.add(route("192.0.2.128", 25, "10.0.0.3").with_metric(9)).unwrap();
        routes.add(Route::new(cidr("198.51.100.0", 24), None).unwrap()).unwrap();
        for (dst, next_hop) in [
            ("192.0.2.1", Some("10.0.0.2")),
            ("192.0.2.129", Some("10.0.0.3")),
            ("198.51.100.7", Some("198.51.100.7")),
            ("192.0.3.1", None),
        ] {
            assert_eq!(via(&routes, dst, NOW), next_hop.map(addr), "{dst}");
        }
        // The same way once more only has its metric changed: there is no room for another.
        routes.add(route("192.0.2.0", 24, "10.0.0.1").with_metric(1)).unwrap();
        assert_eq!(via(&routes, "192.0.2.1", NOW), Some(addr("10.0.0.1")));
        let others = [
            route("192.0.2.0", 24, "10.0.0.7"),
            route("192.0.2.0", 25, "10.0.0.1"),
            route("192.0.4.0", 24, "10.0.0.1"),
        ];
        assert!(others.into_iter().all(|other| routes.add(other) == Err(RouteTableFull)));
        assert_eq!(via(&routes, "192.0.2.1", NOW), Some(addr("10.0.0.1")));
    }

    #[test]
    fn removing_takes_all_routes_to_one_network_and_no_other() {
        let mut entries = [None; 5];
        let mut routes = Routes::new(ManagedSlice::Borrowed(&mut entries));
        let all = [("192.0.2.0", 24, 1), ("192.0.2.0", 24, 2), ("192.0.2.0", 25, 3), ("192.0.4.0", 24, 4)];
        for (text, prefix_len, last) in all {
            routes.add(route(text, prefix_len, &format!("10.0.0.{last}"))).unwrap();
        }
        assert_eq!(routes.remove(cidr("192.0.2.0", 26)), 0);
        assert_eq!(routes.remove(cidr("192.0.2.0", 24)), 2);
        assert_eq!(routes.remove(cidr("192.0.2.0", 24)), 0);
        assert_eq!(via(&routes, "192.0.2.200", NOW), None);
        assert_eq!(via(&routes, "192.0.2.1", NOW), Some(addr("10.0.0.3")));
        assert_eq!(via(&routes, "192.0.4.1", NOW), Some(addr("10.0.0.4")));
        assert_eq!(routes.remove(cidr("192.0.4.0", 24)), 1);
    }

    #[test]
    fn a_route_ends_when_it_says() {
        let mut entries = [None; 1];
        let mut routes = Routes::new(ManagedSlice::Borrowed(&mut entries));
        routes.add(route("192.0.2.0", 24, "10.0.0.1").with_expiry(NOW)).unwrap();
        let before = NOW - Duration::from_micros(1);
        assert_eq!(via(&routes, "192.0.2.1", before), Some(addr("10.0.0.1")));
        assert_eq!(via(&routes, "192.0.2.1", NOW), None);
        assert_eq!(via(&routes, "192.0.2.1", NOW + Duration::from_secs(1)), None);
    }

    #[test]
    #[cfg(feature = "alloc")]
    fn an_own_table_grows_up_to_its_limit_and_a_lent_one_never() {
        let mut routes = Routes::new(ManagedSlice::Owned(vec![]));
        let nth = |n: usize| {
            let [.., high, low] = n.to_be_bytes();
            route(&format!("192.{high}.{low}.0"), 24, "10.0.0.1")
        };
        (0..config::MAX_ROUTES).for_each(|n| routes.add(nth(n)).unwrap());
        assert_eq!(routes.add(nth(config::MAX_ROUTES)), Err(RouteTableFull));
        assert_eq!(routes.remove(cidr("192.0.7.0", 24)), 1);
        assert_eq!(routes.add(nth(config::MAX_ROUTES)), Ok(()));
        let mut lent = Routes::new(ManagedSlice::Borrowed(&mut []));
        assert_eq!(lent.add(nth(0)), Err(RouteTableFull));
    }

    /// Covers: RFC 1122 §3.3.1.4, RFC 4861 §6.3.6
    #[test]
    #[cfg(feature = "iface-nud")]
    fn a_silent_gateway_is_avoided_for_its_time_or_until_it_is_heard_of() {
        let mut entries = [None; 2];
        let mut routes = Routes::new(ManagedSlice::Borrowed(&mut entries));
        let (first, second) = (addr("10.0.0.1"), addr("10.0.0.2"));
        routes.add(route("0.0.0.0", 0, "10.0.0.1")).unwrap();
        routes.add(route("0.0.0.0", 0, "10.0.0.2").with_metric(7)).unwrap();
        let over = NOW + config::GATEWAY_AVOIDANCE;
        routes.avoid(&first, NOW);
        for (now, gateway) in [(NOW, second), (over - Duration::from_micros(1), second), (over, first)] {
            assert_eq!(via(&routes, "192.0.2.1", now), Some(gateway));
        }
        routes.on_sign_of_life(&second);
        assert_eq!(via(&routes, "192.0.2.1", NOW), Some(second));
        routes.avoid(&second, NOW);
        assert_eq!(via(&routes, "192.0.2.1", NOW), Some(first), "none is better");
        routes.on_sign_of_life(&second);
        assert_eq!(via(&routes, "192.0.2.1", NOW), Some(second));
        routes.on_sign_of_life(&first);
        assert_eq!(via(&routes, "192.0.2.1", NOW), Some(first));
        routes.avoid(&first, NOW);
        routes.avoid_none();
        assert_eq!(via(&routes, "192.0.2.1", NOW), Some(first));
    }
}
