//! The DHCP client of an interface (RFC 2131): asks servers for an address and what else is to be known of the link.
//!
//! | file | what |
//! | --- | --- |
//! | `mod` | what the application says and sees |
//! | `lease` | what a server has lent, and told |
//! | `machine` | what is done when time has passed |
//! | `answer` | what is done when a server has answered |
//! | `message` | how messages are written |
//!
//! ```text
//!             +------------------- Declined <--another host has it--+
//!             v                                                     |
//!  Init --> Selecting --offer--> Requesting --ack--> Checking --free--> Bound --T1--> Renewing --T2--> Rebinding
//!   ^  link comes up                  |                              ^  ^  v           | ack           | ack
//!   |  with a lease: Rebooting --ack--|--> Checking ...              +--|--Released    +---> Bound <---+
//!   +---- nak, or the lease is over --+---------------------------------+
//! ```
//!
//! No socket is used: messages leave from the chores of a poll, and those to the client's port never reach a socket
//! while a client runs. An address is checked before it is used (`claims`).

mod answer;
mod lease;
mod machine;
mod message;

use self::machine::{Due, State};
pub use lease::Lease;

use super::claims::Stage;
use crate::iface::interface::Interface;
use crate::time::{Instant, Ticks};
use crate::wire::{Addr, IpAddress, Ipv4Address};

/// What a client says of itself, and what it takes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DhcpConfig {
    /// The host's name, for servers that put it into the DNS (option 12).
    pub hostname: Option<&'static str>,
    /// Who we are (option 61): a type, 0 for one of our own, and octets that no other host on the link has. The hardware
    /// address unless set.
    pub client_id: Option<&'static [u8]>,
    /// The kind of device (option 60).
    pub vendor_class: Option<&'static [u8]>,
    /// What kind of user or application it is for (option 77; each class behind its length, RFC 3004 §4).
    pub user_class: Option<&'static [u8]>,
    /// Options to ask for besides those that are asked for anyway; see [`Lease::options`].
    pub requests: &'static [u8],
    /// The address to ask for first, if we had one before.
    pub requested: Option<Ipv4Address>,
    /// Two messages instead of four, with servers that know that (RFC 4039): an address that several servers lend at once
    /// is kept by all but one of them until that lease is over.
    pub rapid_commit: bool,
    /// The routes are added to the interface's, and go with the lease.
    pub use_routes: bool,
    /// The link's MTU is lowered to that of the lease, if there is one; never below 576, nor below 1,280 where there is IPv6.
    pub use_mtu: bool,
    /// An IPv6-only network is taken at its word, if the server says so (RFC 8925): no address is asked for until
    /// it wants to be asked again.
    pub ipv6_only: bool,
}

impl Default for DhcpConfig {
    /// No name, routes taken, the MTU not.
    fn default() -> DhcpConfig {
        DhcpConfig {
            hostname: None,
            client_id: None,
            vendor_class: None,
            user_class: None,
            requests: &[],
            requested: None,
            rapid_commit: false,
            use_routes: true,
            use_mtu: false,
            ipv6_only: false,
        }
    }
}

/// How far a client is (RFC 2131 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DhcpState {
    /// It is about to begin, or waits for the link.
    Init,
    /// Servers are being looked for.
    Selecting,
    /// An offer is being taken.
    Requesting,
    /// The link is back, and the address that we had is asked for again.
    Rebooting,
    /// We have an address, if no other host has it.
    Checking,
    /// We have an address.
    Bound,
    /// We have an address, and ask its server for more time.
    Renewing,
    /// We have an address, and ask all servers for more time.
    Rebinding,
    /// We have an address of our own, and ask for the rest.
    Informing,
    /// We have an address of our own, and were told the rest.
    Informed,
    /// Another host had the address: a while passes before we ask for one again.
    Declined,
    /// The server knows of no use for IPv4 here: a while passes before we ask again (RFC 8925).
    Ipv6Only,
    /// The address was given back.
    Released,
}

/// A client and what it was told.
pub(super) struct Dhcp {
    state: Option<State>,
    lease: Option<Lease>,
    /// The link's MTU, if the lease has one that is to be used.
    mtu: Option<u16>,
}

impl Dhcp {
    pub(super) const fn new() -> Dhcp {
        Dhcp { state: None, lease: None, mtu: None }
    }

    #[inline]
    pub(super) fn mtu(&self) -> Option<u16> {
        self.mtu
    }

    pub(super) fn poll_at(&self, now: Instant) -> Option<Ticks> {
        match self.state.as_ref()?.due {
            Due::Never => None,
            Due::Now => Some(Ticks::from_instant(now)),
            Due::At(at) => Some(super::tick_of(at, now)),
        }
    }
}

impl Interface<'_> {
    /// Begins to ask for an address, anew if it has begun before; `None` ends it: the address and what came with it
    /// go at once, and the server is not told (see [`dhcp_release`](Self::dhcp_release)).
    ///
    /// From then on what is sent to the client's port, 68, reaches no socket. A lease that is kept when the link goes is
    /// asked for again first when it comes back. On a link of bare IP there is nobody to ask.
    pub fn set_dhcp(&mut self, config: Option<DhcpConfig>) {
        if !self.is_ethernet() {
            return;
        }
        self.drop_lease();
        self.autoconf.dhcp.lease = None;
        self.autoconf.dhcp.state = config.map(State::new);
        self.autoconf.wake();
    }

    /// The name servers of the lease.
    pub(super) fn lent_servers(&self) -> impl Iterator<Item = IpAddress> + '_ {
        self.dhcp_lease().into_iter().flat_map(Lease::dns_servers).map(IpAddress::from)
    }

    /// How far the client is, if there is one.
    pub fn dhcp_state(&self) -> Option<DhcpState> {
        self.autoconf.dhcp.state.as_ref().map(|state| state.phase)
    }

    /// What a server has lent and told, while that may be used.
    pub fn dhcp_lease(&self) -> Option<&Lease> {
        use DhcpState::{Bound, Informed, Rebinding, Renewing};
        let is_used = matches!(self.dhcp_state()?, Bound | Renewing | Rebinding | Informed);
        self.autoconf.dhcp.lease.as_ref().filter(|_| is_used)
    }

    /// Asks for more time now, or for an address if there is none, and says whether there is a client.
    pub fn dhcp_renew(&mut self) -> bool {
        let Some(state) = &mut self.autoconf.dhcp.state else { return false };
        state.renew();
        self.autoconf.wake();
        true
    }

    /// Gives the address back: the server is told with the next poll, and nothing is asked for until
    /// [`dhcp_renew`](Self::dhcp_renew). Says whether there was one.
    pub fn dhcp_release(&mut self) -> bool {
        let is_lent = self.dhcp_lease().is_some_and(Lease::is_lent);
        let Some(state) = self.autoconf.dhcp.state.as_mut().filter(|_| is_lent) else { return false };
        state.release();
        self.autoconf.wake();
        true
    }

    /// Asks servers for all but an address: for an interface that has one of its own, from which it asks. Says whether it
    /// has one.
    pub fn dhcp_inform(&mut self, config: DhcpConfig) -> bool {
        let own = self.own().find_map(|own| own.addr.as_v4());
        let Some(own) = own.filter(|_| self.is_ethernet()) else { return false };
        self.set_dhcp(Some(config));
        if let Some(state) = &mut self.autoconf.dhcp.state {
            state.inform(own.into());
        }
        true
    }

    /// Whether a server has lent an address that is used.
    #[cfg(feature = "iface-autoip")]
    pub(super) fn dhcp_has_address(&self) -> bool {
        self.dhcp_lease().is_some_and(Lease::is_lent)
    }

    /// Whether there is no client, or nobody answers it.
    #[cfg(feature = "iface-autoip")]
    pub(super) fn dhcp_is_in_vain(&self) -> bool {
        self.autoconf.dhcp.state.as_ref().is_none_or(|state| {
            state.phase == DhcpState::Selecting && state.tries > crate::config::AUTOIP_DHCP_TRIES
        })
    }

    /// The link has come or gone.
    pub(super) fn dhcp_on_link(&mut self, is_up: bool) {
        if !is_up {
            self.drop_lease();
        }
        if let Some(state) = &mut self.autoconf.dhcp.state {
            state.on_link(is_up);
        }
    }

    /// The address and what came with it are used no longer; what is known of them stays.
    fn drop_lease(&mut self) {
        let Some(state) = self.autoconf.dhcp.state.as_mut() else { return };
        let (routes, uses_mtu) = (core::mem::take(&mut state.routes), state.config.use_mtu);
        let Some(lease) = self.autoconf.dhcp.lease.take() else { return };
        lease.remove_routes(routes, self.routes_mut());
        // Unless the application had it before.
        if lease.is_lent() && self.dhcp_stage(lease.addr()).is_some() {
            self.drop_claim(&Addr::v4(lease.addr().octets()));
        }
        if uses_mtu {
            self.autoconf.dhcp.mtu = None;
            self.settle_mtu();
        }
        self.autoconf.has_changed = true;
        self.autoconf.dhcp.lease = Some(lease);
    }

    /// How far the address is that is being asked for.
    fn dhcp_stage(&self, addr: Ipv4Address) -> Option<Stage> {
        self.autoconf.stage_of(&Addr::v4(addr.octets()))
    }
}
