//! What a server has lent and told: its last message, kept as it came, and until when it counts.

use core::fmt;

use crate::config;
use crate::iface::route::{Route, Routes};
use crate::time::{Duration, Instant};
use crate::wire::dhcpv4::{Options, Packet, Repr, Value, code};
use crate::wire::{IpCidr, Ipv4Address, Ipv4Cidr};

/// Seconds that are for ever.
const FOR_EVER: u32 = u32::MAX;

/// A lease: an address, and what the server told with it.
///
/// What is here is what the server's last message says; an option that is not well-formed counts as not there.
#[derive(Clone)]
pub struct Lease {
    message: [u8; config::DHCP_MESSAGE_LEN],
    len: u16,
    addr: Ipv4Address,
    is_lent: bool,
    pub(super) times: Times,
}

/// When a lease is to be renewed and when it is over, each `None` for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) renew_at: Option<Instant>,
    pub(super) rebind_at: Option<Instant>,
    pub(super) expires_at: Option<Instant>,
}

impl Times {
    /// RFC 2131 §4.4.5: T1 is half of the lease and T2 seven eighths, unless the server says otherwise, and what it says can
    /// be. They come earlier by `fuzz` 65,536ths of a sixteenth, so that not all clients come at once.
    pub(super) fn of(options: &Options<'_>, asked_at: Instant, fuzz: u16) -> Option<Times> {
        let lease = options.number(code::LEASE_TIME).filter(|lease| *lease > 0)?;
        if lease == FOR_EVER {
            return Some(Times { renew_at: None, rebind_at: None, expires_at: None });
        }
        let half = u64::from(lease) * 500;
        let told = |code| {
            options.number(code).filter(|time| *time > 0 && *time < lease).map(|time| u64::from(time) * 1_000)
        };
        let rebind = told(code::REBINDING_TIME).unwrap_or(half + half / 4 * 3);
        let renew = told(code::RENEWAL_TIME).filter(|renew| *renew < rebind);
        let renew = renew.unwrap_or(if half < rebind { half } else { rebind / 2 });
        let earlier = (renew / 16 * u64::from(fuzz)) >> 16;
        let at = |millis| Some(asked_at + Duration::from_millis(millis));
        Some(Times {
            renew_at: at(renew - earlier),
            rebind_at: at(rebind),
            expires_at: at(u64::from(lease) * 1_000),
        })
    }
}

impl Lease {
    /// Keeps a message; `None` if it is longer than we said that we take.
    pub(super) fn of(data: &[u8], addr: Ipv4Address, times: Option<Times>) -> Option<Lease> {
        let mut message = [0; config::DHCP_MESSAGE_LEN];
        message.get_mut(..data.len())?.copy_from_slice(data);
        let never = Times { renew_at: None, rebind_at: None, expires_at: None };
        let (is_lent, times) = (times.is_some(), times.unwrap_or(never));
        Some(Lease { message, len: data.len() as u16, addr, is_lent, times })
    }

    fn repr(&self) -> Option<Repr<'_>> {
        let message = self.message.get(..self.len.into()).unwrap_or_default();
        Repr::parse(&Packet::new_unchecked(message)).ok() // it was read before it was kept
    }

    /// All options, those among them that nothing here knows.
    pub fn options(&self) -> Options<'_> {
        self.repr().map_or(Options::NONE, |repr| repr.options)
    }

    /// Whether the address is lent; else it is the interface's own (see [`Interface::dhcp_inform`]).
    ///
    /// [`Interface::dhcp_inform`]: crate::iface::Interface::dhcp_inform
    pub fn is_lent(&self) -> bool {
        self.is_lent
    }

    /// Our address.
    pub fn addr(&self) -> Ipv4Address {
        self.addr
    }

    /// Our address, and the network that it is on: that of its class if the server does not say.
    pub fn cidr(&self) -> Ipv4Cidr {
        let by_class = match self.addr.octets()[0] {
            0..128 => 8,
            128..192 => 16,
            _ => 24,
        };
        Ipv4Cidr::new(self.addr, self.options().prefix_len().unwrap_or(by_class))
    }

    /// The server.
    pub fn server(&self) -> Option<Ipv4Address> {
        self.options().address(code::SERVER_ID)
    }

    /// When its server is asked for more time (T1); `None`: never.
    pub fn renews_at(&self) -> Option<Instant> {
        self.times.renew_at
    }

    /// When all servers are asked for more time (T2); `None`: never.
    pub fn rebinds_at(&self) -> Option<Instant> {
        self.times.rebind_at
    }

    /// When it is over; `None`: never.
    pub fn expires_at(&self) -> Option<Instant> {
        self.times.expires_at
    }

    /// Routers on the link, the best first (option 3).
    pub fn routers(&self) -> impl Iterator<Item = Ipv4Address> + '_ {
        self.options().addresses(code::ROUTERS)
    }

    /// Routes: those of option 121, or else one to everywhere by the first router (RFC 3442). `None` as a router says that the
    /// network is on the link.
    pub fn routes(&self) -> impl Iterator<Item = (Ipv4Cidr, Option<Ipv4Address>)> + '_ {
        let options = self.options();
        let classless = options.get(code::CLASSLESS_ROUTES).and_then(|value| value.routes());
        // RFC 3442: with them the routers are to be ignored.
        let default = if classless.is_none() { options.addresses(code::ROUTERS).next() } else { None };
        let everywhere = default.map(|router| (Ipv4Cidr::new(Ipv4Address::UNSPECIFIED, 0), router));
        let all = classless.into_iter().flatten().chain(everywhere);
        all.map(|(network, router)| (network, Some(router).filter(|router| !router.is_unspecified())))
    }

    /// DNS servers, the best first (option 6).
    pub fn dns_servers(&self) -> impl Iterator<Item = Ipv4Address> + '_ {
        self.options().addresses(code::DNS_SERVERS)
    }

    /// NTP servers, the best first (option 42).
    pub fn ntp_servers(&self) -> impl Iterator<Item = Ipv4Address> + '_ {
        self.options().addresses(code::NTP_SERVERS)
    }

    /// The link's MTU (option 26).
    pub fn mtu(&self) -> Option<u16> {
        self.options().mtu()
    }

    /// The name that the server has for us (option 12).
    pub fn hostname(&self) -> Option<Value<'_>> {
        self.options().get(code::HOST_NAME)
    }

    /// The domain to look for names in (option 15).
    pub fn domain(&self) -> Option<Value<'_>> {
        self.options().get(code::DOMAIN_NAME)
    }

    /// The domains to look for names in (option 119); `None` if there is no list.
    pub fn search_list(&self) -> Option<crate::wire::dhcpv4::Names<'_>> {
        self.options().get(code::SEARCH_LIST).map(|value| value.names())
    }

    /// The boot file's name (option 67, or its field).
    pub fn boot_file(&self) -> Option<Value<'_>> {
        self.options().boot_file()
    }

    /// The name of the server of the boot file (option 66, or the field for the server's name).
    pub fn boot_server_name(&self) -> Option<Value<'_>> {
        let options = self.options();
        options.get(code::TFTP_SERVER).or(options.server_name())
    }

    /// The server of the boot file.
    pub fn next_server(&self) -> Option<Ipv4Address> {
        self.repr().map(|repr| repr.siaddr).filter(|addr| !addr.is_unspecified())
    }

    fn as_routes(&self) -> impl Iterator<Item = (u16, Route)> + '_ {
        let bits = (0..u16::BITS).map(|bit| 1_u16 << bit);
        bits.zip(self.routes()).filter_map(|(bit, (network, router))| {
            let route = Route::new(IpCidr::Ipv4(network), router.map(Into::into)).ok()?;
            Some((bit, self.times.expires_at.map_or(route, |at| route.with_expiry(at))))
        })
    }

    /// Adds the routes, but those that are there already and are somebody else's; says which.
    pub(super) fn add_routes(&self, routes: &mut Routes<'_>) -> u16 {
        let add = |added, (bit, route)| {
            if !routes.has(&route) && routes.add(route).is_ok() { added | bit } else { added }
        };
        self.as_routes().fold(0, add)
    }

    /// Removes the routes that were added.
    pub(super) fn remove_routes(&self, added: u16, routes: &mut Routes<'_>) {
        self.as_routes().filter(|(bit, _)| added & bit != 0).for_each(|(_, route)| routes.remove_one(&route));
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease")
            .field(&format_args!("{}", self.cidr()))
            .field(&self.times)
            .field(&self.options())
            .finish()
    }
}
