//! Stateless autoconfiguration of IPv6: a link-local address, and what routers advertise (RFC 4861 §6.3, RFC 4862 §5.3, §5.5).
//!
//! | file | what |
//! | --- | --- |
//! | `slaac` | settings, the identifier, solicitations, what the application sees |
//! | `adverts` | what an advertisement changes |
//!
//! ```text
//!  link up --random delay--> solicitation --4 s, then twice as long each time (RFC 7559)--> solicitation ...
//!                                 | advertisement of a default router: no more are sent
//!                                 | until the last of them is over, or has said that it is none any more
//! ```
//!
//! All that is learned is bounded (`config`), ends with its lifetime or with the link, and none of it takes the place of
//! something else that still lasts, but for default routers, which give way to those of higher preference: who floods a link
//! with advertisements gains nothing. What the application has set is never changed.
//!
//! Not here: temporary addresses (RFC 8981). The hop limit that routers advertise is shown, not used.

use super::super::neighbor::NeighborTimes;
use super::adverts;
use super::claims::Claim;
use super::{AddressOrigin, Stage, Terms, tick_of};
use crate::config;
use crate::iface::interface::Interface;
use crate::iface::links::Out;
use crate::iface::ndisc;
use crate::rand::{Domain, Keys};
use crate::time::{Instant, TICKS_PER_SEC, Ticks};
use crate::wire::ndisc::SearchName;
use crate::wire::{Addr, IpAddress, Ipv6Address};

/// How an interface configures itself over IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlaacConfig {
    /// What the lower half of its addresses is.
    pub interface_id: InterfaceId,
    /// Advertisements are heeded though the interface forwards packets for others; routers are to ignore them (RFC 4862
    /// §5.5, RFC 4861 §6.2.7).
    pub while_forwarding: bool,
}

impl Default for SlaacConfig {
    /// Identifiers of the hardware address; no advertisements while forwarding.
    fn default() -> SlaacConfig {
        SlaacConfig { interface_id: InterfaceId::HardwareAddr, while_forwarding: false }
    }
}

impl SlaacConfig {
    /// The same with other identifiers.
    pub fn with_interface_id(mut self, interface_id: InterfaceId) -> SlaacConfig {
        self.interface_id = interface_id;
        self
    }

    /// The same, heeding advertisements while forwarding, or not.
    pub fn with_while_forwarding(mut self, on: bool) -> SlaacConfig {
        self.while_forwarding = on;
        self
    }
}

/// The lower 64 bits of addresses that an interface chooses.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterfaceId {
    /// The hardware address (modified EUI-64, RFC 4291 appendix A): the same on every link, and so it can be followed.
    HardwareAddr,
    /// A keyed hash of prefix and hardware address (RFC 7217): always the same on one link, unlike on others. The secret is to
    /// be kept over restarts, and no other host may have it. If an address is a duplicate another one is tried, three times.
    Stable([u8; 32]),
    /// These octets.
    Fixed([u8; 8]),
}

impl core::fmt::Debug for InterfaceId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            InterfaceId::HardwareAddr => f.write_str("HardwareAddr"),
            InterfaceId::Stable(_) => f.write_str("Stable(..)"),
            InterfaceId::Fixed(octets) => write!(f, "Fixed({octets:02x?})"),
        }
    }
}

/// What routers say of the link beside addresses and routes, as [`Interface::advertised`] shows it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advertised {
    /// Addresses are to be had by DHCPv6 (M).
    pub managed: bool,
    /// Other settings are to be had by DHCPv6 (O).
    pub other: bool,
    /// The hop limit to send with; `None` if no router has said. It is only shown: sockets that have not set one send with 64,
    /// for they put it into what they queue before it is known by which interface that leaves. To use it, give it to the
    /// sockets' `set_hop_limit`.
    pub hop_limit: Option<u8>,
    /// Octets of the largest packet on the link, between 1,280 and what the device takes; `None` if no router has said.
    /// [`Interface::ip_mtu`] is not above it as long as the link is up: what lies between us and the router carries no larger
    /// packets over IPv4 either.
    pub mtu: Option<u16>,
}

/// A name server that is known for a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server {
    pub(super) addr: [u8; 16],
    /// `None`: for ever.
    pub(super) until: Option<Instant>,
}

/// A domain to look for names in.
#[derive(Debug, Clone, Copy)]
pub(super) struct SearchDomain {
    pub(super) octets: [u8; config::SEARCH_NAME_LEN],
    pub(super) len: usize,
    pub(super) until: Option<Instant>,
}

/// When routers are asked.
#[derive(Debug, Clone, Copy)]
enum Solicit {
    /// A router has answered, or nobody is to be asked.
    Done,
    /// The link has come, or the settings have changed.
    Begin,
    At(Ticks),
}

/// What is learned from routers.
pub(super) struct Slaac {
    pub(super) settings: Option<SlaacConfig>,
    solicit: Solicit,
    /// Ticks between the last solicitation and the next; 0 before the first.
    interval: u32,
    /// When the last solicitation was sent.
    asked_at: Option<Instant>,
    /// There has been a default router.
    has_router: bool,
    pub(super) servers: [Option<Server>; config::NAME_SERVERS],
    pub(super) domains: [Option<SearchDomain>; config::SEARCH_NAMES],
    pub(super) advertised: Advertised,
    /// The reachable time that was advertised last, in ms.
    pub(super) base_reachable: u32,
}

impl Slaac {
    pub(super) const fn new() -> Slaac {
        Slaac {
            settings: None,
            solicit: Solicit::Done,
            interval: 0,
            asked_at: None,
            has_router: false,
            servers: [None; config::NAME_SERVERS],
            domains: [None; config::SEARCH_NAMES],
            advertised: Advertised { managed: false, other: false, hop_limit: None, mtu: None },
            base_reachable: 0,
        }
    }

    /// A default router has spoken; its route may have found no room.
    pub(super) fn on_default_router(&mut self, has_route: bool) {
        self.solicit = Solicit::Done;
        self.has_router = has_route;
    }

    #[inline]
    pub(super) fn mtu(&self) -> Option<u16> {
        self.advertised.mtu
    }

    /// Routers are to be asked from the next poll on.
    fn begin(&mut self) {
        self.interval = 0;
        self.solicit = if self.settings.is_some() { Solicit::Begin } else { Solicit::Done };
    }

    /// Asks anew when there is no default router any more.
    fn note_routers(&mut self, has_router: bool) {
        let had_router = core::mem::replace(&mut self.has_router, has_router);
        if had_router && !has_router && matches!(self.solicit, Solicit::Done) {
            self.begin();
        }
    }

    /// When something here is due.
    pub(super) fn poll_at(&self, now: Instant, is_up: bool) -> Option<Ticks> {
        let solicit = match self.solicit {
            _ if !is_up => None,
            Solicit::Done => None,
            Solicit::Begin => Some(Ticks::from_instant(now)),
            Solicit::At(at) => Some(at),
        };
        let servers = self.servers.iter().flatten().filter_map(|server| server.until);
        let domains = self.domains.iter().flatten().filter_map(|domain| domain.until);
        let end = servers.chain(domains).min().map(|at| tick_of(at, now));
        Ticks::earlier(solicit, end)
    }

    /// Ticks until the next solicitation may be sent: who pretends to be a router, and none any more, shall not make us ask
    /// all the time.
    fn least_wait(&self, now: Instant) -> u32 {
        let passed = self.asked_at.map(|at| now.saturating_duration_since(at).to_ticks());
        passed.map_or(0, |passed| config::ROUTER_SOLICITATION_INTERVAL.saturating_sub(passed))
    }

    /// Forgets servers and domains whose time is over, and says whether there were any.
    fn expire(&mut self, now: Instant) -> bool {
        let is_over = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        let mut had_any = false;
        for entry in self.servers.iter_mut() {
            had_any |= entry.take_if(|server| is_over(server.until)).is_some();
        }
        for entry in self.domains.iter_mut() {
            had_any |= entry.take_if(|domain| is_over(domain.until)).is_some();
        }
        had_any
    }
}

/// The modified EUI-64 identifier (RFC 2464 §4).
fn eui64(hardware: &[u8; 6]) -> [u8; 8] {
    let [a, b, c, d, e, f] = *hardware;
    [a ^ 2, b, c, 0xff, 0xfe, d, e, f]
}

/// Identifiers that are not to be used (RFC 5453): those of anycast addresses of routers and of proxies.
fn is_reserved(id: &[u8; 8]) -> bool {
    let id = u64::from_be_bytes(*id);
    id == 0
        || (0x0200_5eff_fe00_0000..=0x0200_5eff_fe00_5212).contains(&id)
        || (0xfdff_ffff_ffff_ff80..=0xfdff_ffff_ffff_ffff).contains(&id)
}

/// RFC 7217 §5: what stays the same while prefix, interface and number of duplicates do.
fn stable(secret: &[u8; 32], prefix: &[u8; 8], hardware: &[u8; 6], duplicates: u8) -> [u8; 8] {
    let keys = Keys::new(*secret);
    let [p0, p1, p2, p3, p4, p5, p6, p7] = *prefix;
    let [a, b, c, d, e, f] = *hardware;
    let words = [
        u32::from_be_bytes([p0, p1, p2, p3]),
        u32::from_be_bytes([p4, p5, p6, p7]),
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([0, duplicates, e, f]),
    ];
    let id = |attempt: u32| {
        let [p, q, h, l] = words;
        keys.hash(Domain::Autoconf, &[p, q, h, l, attempt]).to_be_bytes()
    };
    let mut candidate = id(0);
    for attempt in 1..4 {
        if !is_reserved(&candidate) {
            break;
        }
        candidate = id(attempt);
    }
    candidate
}

impl Interface<'_> {
    /// Configures IPv6 by what routers advertise, or stops it; what was learned is forgotten. Takes a link-local address,
    /// asks for routers, and takes addresses, routes, name servers and search domains from their advertisements.
    /// [`addresses`](Self::addresses) says which addresses these are.
    ///
    /// Does nothing on a link of bare IP.
    pub fn set_slaac(&mut self, settings: Option<SlaacConfig>) {
        self.forget_learned(true);
        self.autoconf.slaac.settings = settings.filter(|_| self.is_ethernet());
        self.begin_slaac();
    }

    /// Whether IPv6 is configured by what routers advertise, and how.
    pub fn slaac(&self) -> Option<SlaacConfig> {
        self.autoconf.slaac.settings
    }

    /// What routers say of the link beside addresses and routes.
    pub fn advertised(&self) -> Advertised {
        self.autoconf.slaac.advertised
    }

    /// The name servers that routers advertise.
    pub(super) fn advertised_servers(&self) -> impl Iterator<Item = IpAddress> + '_ {
        let servers = self.autoconf.slaac.servers.iter().flatten();
        servers.map(|server| Ipv6Address::from(server.addr).into())
    }

    /// The domains to look for names in, as of the last poll.
    pub fn search_domains(&self) -> impl Iterator<Item = SearchName<'_>> + '_ {
        self.autoconf.slaac.domains.iter().flatten().filter_map(adverts::name_of)
    }

    /// Whether advertisements are heeded.
    pub(super) fn heeds_routers(&self) -> bool {
        let settings = self.autoconf.slaac.settings;
        settings.is_some_and(|settings| settings.while_forwarding || !self.is_router())
    }

    /// Takes a link-local address and begins to ask for routers.
    fn begin_slaac(&mut self) {
        self.autoconf.slaac.begin();
        if self.autoconf.slaac.settings.is_some() {
            self.claim_in(&LINK_LOCAL, 0, Terms::for_ever(AddressOrigin::LinkLocal, 64));
        }
        self.autoconf.wake();
    }

    /// RFC 4861 §6.3.7: a router that has become a host asks for others.
    #[cfg(feature = "iface-forward")]
    pub(in crate::iface) fn on_end_of_forwarding(&mut self) {
        self.autoconf.slaac.begin();
        self.autoconf.wake();
    }

    /// Claims the own address in a prefix. If there is no room it is let go.
    pub(super) fn claim_in(&mut self, prefix: &[u8; 8], duplicates: u8, terms: Terms) {
        let Some(settings) = self.autoconf.slaac.settings else { return };
        let id = match settings.interface_id {
            InterfaceId::HardwareAddr => eui64(&self.hardware),
            InterfaceId::Fixed(id) => id,
            InterfaceId::Stable(secret) => stable(&secret, prefix, &self.hardware, duplicates),
        };
        let mut octets = [0; 16];
        let (upper, lower) = octets.split_at_mut(8);
        upper.copy_from_slice(prefix);
        lower.copy_from_slice(&id);
        let addr = Addr::v6(octets);
        if self.claim(&addr, terms).is_ok() {
            self.autoconf.note_duplicates(&addr, duplicates);
        }
    }

    /// The link has come or gone: what was learned of it is another's.
    pub(super) fn restart_slaac(&mut self, is_up: bool) {
        if is_up {
            self.begin_slaac();
        } else {
            self.forget_learned(false);
        }
    }

    /// Forgets what routers have said, and, if asked to, the link-local address.
    fn forget_learned(&mut self, with_link_local: bool) {
        let is_learned = |origin| {
            origin == AddressOrigin::RouterAdvertisement
                || with_link_local && origin == AddressOrigin::LinkLocal
        };
        while let Some(addr) = self.autoconf.claims.find(|claim| is_learned(claim.terms.origin)) {
            self.drop_claim(&addr);
        }
        self.routes_mut().forget_learned();
        self.neighbors.set_times(NeighborTimes::DEFAULT);
        let settings = self.autoconf.slaac.settings;
        self.autoconf.slaac = Slaac { settings, ..Slaac::new() };
        self.settle_mtu();
        self.autoconf.has_changed = true;
    }

    /// Does what is due here.
    pub(super) fn run_slaac(&mut self, now: Instant, out: &mut Out<'_>, keys: &Keys) {
        let routes_have_changed = self.routes_mut().expire_learned(now);
        self.autoconf.has_changed |= self.autoconf.slaac.expire(now) | routes_have_changed;
        let has_router = self.routes_mut().has_learned_default();
        self.autoconf.slaac.note_routers(has_router);
        self.retry_duplicates();
        if !self.link.up || !self.heeds_routers() {
            return;
        }
        match self.autoconf.slaac.solicit {
            Solicit::Begin => {
                // RFC 4861 §6.3.7: many hosts may have started at once.
                let delay = self.some_ticks(keys, out.now, TICKS_PER_SEC);
                let delay = delay.max(self.autoconf.slaac.least_wait(now));
                self.autoconf.slaac.solicit = Solicit::At(out.now.after(delay));
            }
            Solicit::At(at) if at.is_due(out.now) => self.solicit_routers(now, out, keys),
            _ => {}
        }
    }

    /// Asks for routers, and again after RFC 7559 §2: a time that doubles up to an hour, and varies by a tenth.
    fn solicit_routers(&mut self, now: Instant, out: &mut Out<'_>, keys: &Keys) {
        let own = self.own().map(|own| own.addr).find(|own| !own.is_v4() && own.is_link_local());
        ndisc::solicit_routers(self, out, own);
        let last = self.autoconf.slaac.interval;
        let base = match last {
            0 => config::ROUTER_SOLICITATION_INTERVAL,
            last => last.saturating_mul(2).min(config::ROUTER_SOLICITATION_MAX),
        };
        let vary = base / 10;
        let interval = base - vary + self.some_ticks(keys, out.now, 2 * vary);
        self.autoconf.slaac.interval = interval;
        self.autoconf.slaac.asked_at = Some(now);
        self.autoconf.slaac.solicit = Solicit::At(out.now.after(interval));
    }

    /// RFC 7217 §6: another identifier where one was a duplicate.
    fn retry_duplicates(&mut self) {
        let settings = self.autoconf.slaac.settings;
        let Some(InterfaceId::Stable(_)) = settings.map(|settings| settings.interface_id) else { return };
        let can_change = |claim: &Claim| {
            claim.stage == Stage::Duplicate
                && matches!(claim.terms.origin, AddressOrigin::LinkLocal | AddressOrigin::RouterAdvertisement)
                && claim.duplicates < config::STABLE_ID_RETRIES
        };
        while let Some(addr) = self.autoconf.claims.find(can_change) {
            let Some(claim) = self.autoconf.claims.get(&addr).copied() else { return };
            self.drop_claim(&addr);
            let Some([prefix, _]) = addr.as_v6().map(halves) else { return };
            self.claim_in(&prefix, claim.duplicates + 1, claim.terms);
        }
    }
}

/// Upper and lower 64 bits.
pub(super) fn halves(octets: &[u8; 16]) -> [[u8; 8]; 2] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *octets;
    [[a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]]
}

/// The prefix of link-local addresses (RFC 4291 §2.5.6).
pub(super) const LINK_LOCAL: [u8; 8] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 2464 §4, RFC 5453 §3
    #[test]
    fn identifiers_are_those_of_the_hardware_address_and_none_that_is_reserved() {
        assert_eq!(
            eui64(&[0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]),
            [0x36, 0x56, 0x78, 0xff, 0xfe, 0x9a, 0xbc, 0xde]
        );
        let reserved = |id: u64| is_reserved(&id.to_be_bytes());
        for id in
            [0, 0x0200_5eff_fe00_0000, 0x0200_5eff_fe00_5212, 0xfdff_ffff_ffff_ff80, 0xfdff_ffff_ffff_ffff]
        {
            assert!(reserved(id), "{id:x}");
        }
        for id in
            [1, 0x0200_5efe_ffff_ffff, 0x0200_5eff_fe00_5213, 0xfdff_ffff_ffff_ff7f, 0xfe00_0000_0000_0000]
        {
            assert!(!reserved(id), "{id:x}");
        }
    }

    /// Covers: RFC 7217 §5
    #[test]
    fn stable_identifiers_vary_with_all_that_they_are_made_of_and_with_nothing_else() {
        let (secret, prefix, hardware) = ([7; 32], [0xfd, 0, 0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 1]);
        let id = stable(&secret, &prefix, &hardware, 0);
        assert_eq!(id, stable(&secret, &prefix, &hardware, 0));
        let others = [
            stable(&[8; 32], &prefix, &hardware, 0),
            stable(&secret, &[0xfd, 0, 0, 0, 0, 0, 0, 1], &hardware, 0),
            stable(&secret, &[0xfc, 0, 0, 0, 0, 0, 0, 0], &hardware, 0),
            stable(&secret, &prefix, &[2, 0, 0, 0, 0, 2], 0),
            stable(&secret, &prefix, &[4, 0, 0, 0, 0, 1], 0),
            stable(&secret, &prefix, &hardware, 1),
        ];
        assert!(others.iter().all(|other| *other != id), "{others:?}");
    }
}
