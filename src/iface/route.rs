//! Routes of one interface.
//!
//! A route belongs to the interface it leaves by and goes with it. Among all that match, over all
//! interfaces, the longest prefix wins, then, with `iface-nud`, one whose gateway answers, then the smallest metric.

use managed::ManagedSlice;

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
}

impl<'a> Routes<'a> {
    pub(crate) fn new(entries: ManagedSlice<'a, Option<Route>>) -> Routes<'a> {
        Routes { entries }
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

    pub(crate) fn lookup<'m>(&'m self, dst: &'m Addr, now: Instant) -> Option<Match<'m>> {
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
