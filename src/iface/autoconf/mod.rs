//! What an interface finds out about its own configuration: whether an address is free, and for how long it is good.
//!
//! | file | what |
//! | --- | --- |
//! | `mod` | when something is due, and what the application sees |
//! | `acd` | what IPv4 addresses need besides |
//! | `autoip` | IPv4 addresses of one's own choice |
//! | `dhcp` | the DHCP client |
//! | `claims` | addresses that are checked before they are used, and those that have lifetimes |
//! | `slaac`, `adverts` | what IPv6 routers advertise |
//!
//! [`Interface::addresses`] in memory, which the hot path reads, holds only addresses that may be used. All else that is
//! known of an address stands here. No sockets are used: messages go out from the chores of a poll and come in from
//! ingress, and a poll that has nothing to do here makes one comparison.

mod acd;
#[cfg(feature = "iface-slaac")]
mod adverts;
#[cfg_attr(not(feature = "iface-autoip"), path = "no_autoip.rs")]
mod autoip;
mod claims;
#[cfg_attr(not(feature = "iface-dhcp"), path = "no_dhcp.rs")]
mod dhcp;
#[cfg_attr(not(feature = "iface-slaac"), path = "no_slaac.rs")]
mod slaac;

use super::interface::{AddressError, Interface};
use super::links::{Links, Out};
use crate::rand::{Domain, Keys};
use crate::time::{Instant, Ticks};
use crate::wire::{Addr, FamilyNotBuiltIn, IpAddress, IpCidr};

use acd::Acd;
#[cfg(feature = "iface-slaac")]
pub(crate) use adverts::Advert;
#[cfg(feature = "iface-autoip")]
use autoip::AutoIp;
#[cfg(feature = "iface-autoip")]
pub use autoip::AutoIpMode;
pub(crate) use claims::Terms;
use claims::{Claim, Claims, Stage};
use dhcp::Dhcp;
#[cfg(feature = "iface-dhcp")]
pub use dhcp::{DhcpConfig, DhcpState, Lease};
use slaac::Slaac;
#[cfg(feature = "iface-slaac")]
pub use slaac::{Advertised, InterfaceId, SlaacConfig};

/// An own address, as [`Interface::addresses`] shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressInfo {
    /// The address, and how long its prefix is.
    pub cidr: IpCidr,
    /// Whether it is used.
    pub state: AddressState,
    /// Who chose it.
    pub origin: AddressOrigin,
    /// Until when others are not to be preferred to it as a source; `None`: for ever.
    pub preferred_until: Option<Instant>,
    /// Until when it is ours; `None`: for ever.
    pub valid_until: Option<Instant>,
}

/// Whether an address is used (RFC 4862 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressState {
    /// It is still to be found out whether another host has it; nothing is sent from it, and what comes for it is dropped.
    Tentative,
    /// It is used.
    Preferred,
    /// It is used where it was, but no source for something new while there is another.
    Deprecated,
    /// Another host has it. It is not used.
    Duplicate,
}

/// Who chose an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressOrigin {
    /// The application.
    Static,
    /// The interface: it is good on its link (RFC 4862 §5.3).
    LinkLocal,
    /// A router has told the prefix (RFC 4862 §5.5).
    RouterAdvertisement,
    /// A DHCP server has lent it.
    Dhcp,
    /// Chance: there was no server (RFC 3927).
    AutoIp,
}

/// When the interface has something to do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Never,
    /// Something was asked for since the last poll.
    Now,
    At(Ticks),
}

/// Ticks after which what is far away is looked at again: ticks wrap, and lifetimes can be longer.
const FAR: u32 = 1 << 30;

/// What is found out, or being found out, of an interface's configuration.
pub(crate) struct Autoconf {
    claims: Claims,
    acd: Acd,
    #[cfg(feature = "iface-autoip")]
    autoip: AutoIp,
    dhcp: Dhcp,
    slaac: Slaac,
    due: Due,
    /// The application has not asked yet.
    has_changed: bool,
    /// Varies what is drawn.
    draws: u32,
    /// How often an IPv6 address is asked for before it is used; 0: it is used at once.
    dad_transmits: u8,
}

impl Autoconf {
    pub(crate) fn new() -> Autoconf {
        Autoconf {
            claims: Claims::new(),
            acd: Acd::new(),
            #[cfg(feature = "iface-autoip")]
            autoip: AutoIp::new(),
            dhcp: Dhcp::new(),
            slaac: Slaac::new(),
            due: Due::Never,
            has_changed: false,
            draws: 0,
            dad_transmits: crate::config::DAD_TRANSMITS,
        }
    }

    #[inline]
    pub(crate) fn is_due(&self, now: Ticks) -> bool {
        match self.due {
            Due::Never => false,
            Due::Now => true,
            Due::At(at) => at.is_due(now),
        }
    }

    /// Nothing will be due.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.due == Due::Never
    }

    /// The earlier of `at` and of when something is due.
    #[cold]
    #[inline(never)]
    pub(crate) fn earlier(&self, at: Option<Instant>, now: Instant) -> Option<Instant> {
        let own = match self.due {
            Due::Never => return at,
            Due::Now => now,
            // The start of a tick that has begun lies before `now`.
            Due::At(at) => at.to_instant(now).max(now),
        };
        Some(at.map_or(own, |at| at.min(own)))
    }

    /// Something is to be done with the next poll.
    pub(super) fn wake(&mut self) {
        self.due = Due::Now;
    }

    /// 64 bits that nobody can foretell.
    fn draw(&mut self, keys: &Keys, now: Ticks, hardware: &[u8; 6]) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        let [_, _, a, b, c, d] = *hardware;
        keys.hash(Domain::Autoconf, &[self.draws, now.0, u32::from_le_bytes([a, b, c, d])])
    }

    /// When the next thing is to be done.
    fn note_due(&mut self, now: Instant, is_up: bool, heeds_routers: bool, routes_end: Option<Instant>) {
        let ticks = Ticks::from_instant(now);
        let at = Ticks::earlier(self.claims.poll_at(now, is_up), self.dhcp.poll_at(now));
        let at = Ticks::earlier(at, self.slaac.poll_at(now, heeds_routers));
        let at = Ticks::earlier(at, routes_end.map(|end| tick_of(end, now)));
        self.due = at.map_or(Due::Never, |at| if at.is_due(ticks) { Due::Now } else { Due::At(at) });
    }

    /// Whether packets to a group of IPv6 are taken because of an address that is being checked.
    pub(crate) fn is_in_group(&self, group: &[u8; 16]) -> bool {
        self.claims.probed().any(|addr| addr.as_v6().is_some_and(|own| Addr::solicited_node(own) == *group))
    }

    /// The addresses that are being asked for, whose groups are to be heard.
    #[cfg(feature = "iface-multicast")]
    pub(crate) fn probed(&self) -> impl Iterator<Item = &Addr> {
        self.claims.probed()
    }

    /// Whether an own address is to give way to others as a source (RFC 6724 §5, rule 3).
    #[inline(never)]
    pub(crate) fn is_deprecated(&self, own: &Addr) -> bool {
        self.claims.is_deprecated(own)
    }

    /// Whether there is such an address at all.
    #[inline]
    pub(crate) fn has_deprecated(&self) -> bool {
        self.claims.has_deprecated()
    }

    /// An address is no longer checked or watched over.
    pub(super) fn forget(&mut self, addr: &Addr) -> bool {
        let was_there = self.claims.remove(addr);
        self.has_changed |= was_there;
        was_there
    }
}

/// The tick of a time that may be far away.
fn tick_of(at: Instant, now: Instant) -> Ticks {
    let span = at.saturating_duration_since(now).to_ticks();
    Ticks::from_instant(now).after(span.min(FAR))
}

/// Does what is due, on every port.
#[inline]
pub(crate) fn act(links: &mut Links<'_, '_, '_>, keys: &Keys) {
    let now = links.now;
    for port in 0..links.count() {
        links.with_port(port, |iface, out| {
            if iface.autoconf.is_due(out.now) {
                iface.configure(now, out, keys);
            }
        });
    }
}

impl Interface<'_> {
    #[inline(never)]
    fn configure(&mut self, now: Instant, out: &mut Out<'_>, keys: &Keys) {
        for index in 0..Claims::LEN {
            self.check_claim(index, out, keys);
            self.age_claim(index, now);
        }
        self.run_dhcp(now, out, keys);
        self.run_autoip();
        self.run_slaac(now, out, keys);
        let routes_end = self.routes_mut().learned_end();
        let heeds_routers = self.link.up && self.heeds_routers();
        self.autoconf.note_due(now, self.link.up, heeds_routers, routes_end);
    }

    /// The link has come or gone.
    pub(super) fn reconfigure(&mut self, is_up: bool) {
        if is_up {
            self.renew_claims();
        } else {
            self.suspend_claims();
        }
        self.dhcp_on_link(is_up);
        self.restart_slaac(is_up);
        self.autoconf.wake();
    }

    /// Asks whether another host on the link has an address, and takes it as an own one if none has: by neighbour
    /// solicitations (RFC 4862 §5.4), or by ARP probes (RFC 5227). It takes a second or two over IPv6, up to seven over
    /// IPv4. [`addresses`](Self::addresses) says how it is going; if another has it it stays there as a duplicate, unused,
    /// until it is removed or claimed again. Each time the link comes up, it is asked for anew.
    ///
    /// [`add_address`](Self::add_address) asks nobody. Neither does this on a link of bare IP.
    pub fn claim_address(&mut self, cidr: impl Into<IpCidr>) -> Result<(), AddressError> {
        let cidr = cidr.into();
        let addr =
            Addr::try_from(cidr.address()).map_err(|FamilyNotBuiltIn| AddressError::FamilyNotBuiltIn)?;
        self.claim(&addr, Terms::for_ever(AddressOrigin::Static, cidr.prefix_len()))
    }

    /// All own addresses: those that are used and those that are being checked or were found to be another's.
    pub fn addresses(&self) -> impl Iterator<Item = AddressInfo> + '_ {
        let is_watched = |own: &super::Address| self.autoconf.claims.get(&own.addr).is_some();
        let plain = self.own().filter(move |own| !is_watched(own)).map(|own| {
            let terms = Terms::for_ever(AddressOrigin::Static, own.prefix_len);
            Claim::new(&own.addr, terms).shown(AddressState::Preferred)
        });
        let claims = self.autoconf.claims.iter().map(|claim| claim.shown(claim.state()));
        claims.chain(plain).flatten()
    }

    /// The name servers that are known, as of the last poll: those of router advertisements, then those of the DHCP lease.
    pub fn name_servers(&self) -> impl Iterator<Item = IpAddress> + '_ {
        self.advertised_servers().chain(self.lent_servers())
    }

    /// Packets are as large as the device takes, and all who say less of the link.
    #[cfg(any(feature = "iface-dhcp", feature = "iface-slaac"))]
    fn settle_mtu(&mut self) {
        let said = [self.autoconf.dhcp.mtu(), self.autoconf.slaac.mtu()];
        self.lower_mtu(said.into_iter().flatten().min().map(usize::from));
    }

    /// Whether an address, its state or anything else that was learned from the link has changed since this was last asked.
    /// Lifetimes that are only prolonged are no change.
    pub fn take_configuration_changed(&mut self) -> bool {
        core::mem::take(&mut self.autoconf.has_changed)
    }

    /// How often others are asked whether they have an IPv6 address before it is used (DupAddrDetectTransmits of RFC 4862
    /// §5.1), a second apart; 0: it is used at once. 1 unless set.
    pub fn set_dad_transmits(&mut self, count: u8) {
        self.autoconf.dad_transmits = count;
    }
}

impl Claim {
    fn shown(&self, state: AddressState) -> Option<AddressInfo> {
        let Terms { origin, prefix_len, preferred_until, valid_until } = self.terms;
        let cidr = IpCidr::try_new(IpAddress::from(self.addr), prefix_len)?;
        Some(AddressInfo { cidr, state, origin, preferred_until, valid_until })
    }

    fn state(&self) -> AddressState {
        match self.stage {
            Stage::New | Stage::Waiting | Stage::Probing => AddressState::Tentative,
            Stage::Valid if self.is_deprecated => AddressState::Deprecated,
            Stage::Valid => AddressState::Preferred,
            Stage::Duplicate => AddressState::Duplicate,
        }
    }
}
