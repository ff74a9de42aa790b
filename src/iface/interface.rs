//! One link: its addresses, routes, neighbours and counters.

use core::fmt;

use managed::ManagedSlice;

use super::autoconf::Autoconf;
use super::fragments::{Fragments, Idents};
#[cfg(feature = "iface-fragments")]
use super::loopback::room_for_looped;
use super::neighbor::{Neighbor, NeighborCache};
use super::neighbor_table::Announcing;
use super::path_mtu::Paths;
use super::rate::RateLimit;
use super::route::{Match, Route, RouteTableFull, Routes};
use super::vlan::VlanTags;
use crate::config;
use crate::phy::{Device, DeviceCapabilities, HardwareAddress, LinkState, Medium, TxChecksum};
use crate::stats::{DropReason, IpCount, Stats};
use crate::storage::{List, PacketPool};
use crate::time::{Instant, Ticks};
use crate::wire::{Addr, FamilyNotBuiltIn, IpAddress, IpCidr, Ipv4Address, Ipv6Address};

/// One of an interface's own addresses, with the prefix of its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    pub(crate) addr: Addr,
    pub(crate) prefix_len: u8,
}

impl Address {
    /// Where the host part begins: of an address that a router's prefix has led to, half way (RFC 4862 §5.5.3).
    fn host_part_at(&self) -> u8 {
        if config::HAS_SLAAC && self.prefix_len == 128 { 64 } else { self.prefix_len }
    }

    fn cidr(&self) -> Option<IpCidr> {
        IpCidr::try_new(self.addr.into(), self.prefix_len)
    }
}

/// The memory that an interface works in.
///
/// With `alloc`, [`InterfaceStorage::default`] owns some and lets it grow; without, lend slices:
/// a few neighbours, an address or two, a route.
pub struct InterfaceStorage<'a> {
    /// Room for own addresses.
    pub addresses: ManagedSlice<'a, Option<Address>>,
    /// Room for routes.
    pub routes: ManagedSlice<'a, Option<Route>>,
    /// Room for neighbours; none on a link of bare IP.
    pub neighbors: ManagedSlice<'a, Neighbor>,
    /// Room for packets that wait for a neighbour or for the device. Without any, they are dropped, and
    /// their senders repeat them.
    pub packets: PacketPool<'a>,
    /// Room for multicast groups, at most `config::MAX_GROUPS`: those that are joined, and one for the last 24
    /// bits of each own IPv6 address. What finds no room is not told to routers, and not joined.
    #[cfg(feature = "iface-multicast")]
    pub groups: ManagedSlice<'a, super::groups::Group>,
    /// Room for datagrams that come or leave in fragments. Without any, they are dropped.
    pub fragments: Fragments<'a>,
}

#[cfg(feature = "alloc")]
impl Default for InterfaceStorage<'static> {
    fn default() -> Self {
        use alloc::vec;
        InterfaceStorage {
            addresses: ManagedSlice::Owned(vec![None; config::DEFAULT_ADDRESSES]),
            routes: ManagedSlice::Owned(vec![]),
            neighbors: ManagedSlice::Owned(
                core::iter::repeat_with(|| Neighbor::EMPTY).take(config::DEFAULT_NEIGHBORS).collect(),
            ),
            packets: PacketPool::with_cells(config::DEFAULT_WAITING_PACKETS, config::WAITING_PACKET_LEN),
            #[cfg(feature = "iface-multicast")]
            groups: ManagedSlice::Owned(vec![super::groups::Group::EMPTY; config::DEFAULT_GROUPS]),
            fragments: Fragments::default(),
        }
    }
}

/// What an interface is told at its creation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Our address on the link; [`HardwareAddress::Ip`] where there is none.
    pub hardware_addr: HardwareAddress,
    /// The tags of the link's frames, on Ethernet. Other interfaces may have others on the same device.
    #[cfg(feature = "iface-vlan")]
    pub vlan: VlanTags,
}

impl Config {
    /// With this hardware address.
    pub fn new(hardware_addr: HardwareAddress) -> Config {
        Config {
            hardware_addr,
            #[cfg(feature = "iface-vlan")]
            vlan: VlanTags::NONE,
        }
    }
}

impl Config {
    #[cfg(feature = "iface-vlan")]
    fn tags(&self) -> VlanTags {
        self.vlan
    }

    #[cfg(not(feature = "iface-vlan"))]
    fn tags(&self) -> VlanTags {
        VlanTags
    }
}

/// Why an address was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// It is a group, broadcast or unspecified address, which no host can have.
    NotUnicast,
    /// No room: lend more storage or remove one.
    Full,
    /// Its family is not built in: enable `proto-ipv4` or `proto-ipv6`.
    FamilyNotBuiltIn,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressError::NotUnicast => "not a unicast address",
            AddressError::Full => "address table full: lend more storage or remove an address",
            AddressError::FamilyNotBuiltIn => {
                "address family not built in: enable `proto-ipv4` or `proto-ipv6`"
            }
        })
    }
}

impl core::error::Error for AddressError {}

/// An interface: one link, and what is known of it.
///
/// With one device, drive it by [`poll`](Self::poll); with several, put each into a port of a
/// [`Router`](super::Router).
#[repr(C)]
pub struct Interface<'a> {
    // In this order since short instructions reach what is near the beginning.
    pub(crate) addresses: ManagedSlice<'a, Option<Address>>,
    pub(crate) hardware: [u8; 6],
    pub(crate) idents: Idents,
    ip_mtu: usize,
    pub(crate) link: LinkState,
    pub(crate) capabilities: DeviceCapabilities,
    pub(crate) neighbors: NeighborCache<'a>,
    routes: Routes<'a>,
    pub(crate) stats: Stats,
    /// Sockets whose packet found no room in the device.
    pub(crate) blocked: List,
    pub(crate) errors_limit: RateLimit,
    pub(crate) packets: PacketPool<'a>,
    pub(crate) any_ip: bool,
    pub(super) announcing: Announcing,
    /// Who spoke last to which own address, while both are what they were: the next packet needs no look at the
    /// own addresses.
    pub(crate) familiar: Option<(Addr, Addr)>,
    #[cfg(feature = "iface-multicast")]
    pub(crate) groups: super::groups::Groups<'a>,
    #[cfg(not(feature = "iface-multicast"))]
    pub(crate) groups: super::groups::Groups,
    pub(crate) autoconf: Autoconf,
    pub(crate) tags: VlanTags,
    #[cfg(feature = "iface-forward")]
    pub(crate) forwarding: super::forward::Forwarding,
    pub(crate) fragments: Fragments<'a>,
    pub(crate) paths: Paths,
    /// Octets of a packet that goes whole wherever it goes; a larger one has to be asked about.
    #[cfg(feature = "iface-fragments")]
    pub(crate) whole_len: usize,
}

#[cfg(feature = "alloc")]
impl Interface<'static> {
    /// An interface for `device`, in memory of its own.
    ///
    /// # Panics
    /// If the hardware address is not of the kind that the device's medium uses.
    pub fn new<D: Device + ?Sized>(config: Config, device: &mut D, _now: Instant) -> Interface<'static> {
        Interface::with_storage(config, device.capabilities(), InterfaceStorage::default())
    }
}

impl<'a> Interface<'a> {
    /// An interface for a device with these capabilities, in lent memory.
    ///
    /// # Panics
    /// If the hardware address is not of the kind that the medium uses.
    pub fn with_storage(
        config: Config,
        capabilities: DeviceCapabilities,
        storage: InterfaceStorage<'a>,
    ) -> Interface<'a> {
        let hardware = match (config.hardware_addr, capabilities.medium) {
            #[cfg(feature = "medium-ethernet")]
            (HardwareAddress::Ethernet(addr), Medium::Ethernet) if addr[0] & 1 == 0 => addr,
            #[cfg(feature = "medium-ip")]
            (HardwareAddress::Ip, Medium::Ip) => [0; 6],
            _ => panic!("the hardware address does not fit the medium"),
        };
        let tags = config.tags();
        let takes_tags = tags.len() == 0 || capabilities.medium.header_len() > 0;
        assert!(takes_tags, "VLAN tags need a link header, which bare IP has not");
        let ip_mtu = mtu_of(&capabilities, &tags);
        Interface {
            #[cfg(feature = "iface-fragments")]
            whole_len: room_for_looped(&storage.packets, capabilities.medium.header_len() + tags.len())
                .min(ip_mtu),
            capabilities,
            ip_mtu,
            hardware,
            link: LinkState::UP,
            any_ip: false,
            familiar: None,
            #[cfg(feature = "iface-multicast")]
            groups: super::groups::Groups::new(storage.groups),
            #[cfg(not(feature = "iface-multicast"))]
            groups: super::groups::Groups,
            autoconf: Autoconf::new(),
            tags,
            #[cfg(feature = "iface-forward")]
            forwarding: super::forward::Forwarding::new(),
            addresses: storage.addresses,
            routes: Routes::new(storage.routes),
            neighbors: NeighborCache::new(storage.neighbors),
            packets: storage.packets,
            blocked: List::new(crate::storage::lists::PORT),
            errors_limit: RateLimit::new(config::ICMP_ERROR_BURST),
            idents: Idents::new(),
            announcing: Announcing::NONE,
            fragments: storage.fragments,
            paths: Paths::new(),
            stats: Stats::new(),
        }
    }

    /// Our address on the link.
    pub fn hardware_addr(&self) -> HardwareAddress {
        match self.capabilities.medium {
            #[cfg(feature = "medium-ethernet")]
            Medium::Ethernet => HardwareAddress::Ethernet(self.hardware),
            #[cfg(feature = "medium-ip")]
            Medium::Ip => HardwareAddress::Ip,
        }
    }

    /// The priority of the frames that are sent from now on. Without a tag there is no place for one.
    #[cfg(feature = "iface-vlan")]
    pub fn set_vlan_priority(&mut self, priority: crate::wire::VlanPriority) {
        self.tags = self.tags.with_priority(priority);
    }

    /// The tags of the frames.
    #[cfg(feature = "iface-vlan")]
    pub fn vlan(&self) -> VlanTags {
        self.tags
    }

    /// What SNMP reads of the interface: RFC 2863, RFC 4293, RFC 4022, RFC 4113 and RFC 5097.
    #[cfg(feature = "stats-mib")]
    pub fn mib(&self) -> crate::stats::Mib {
        self.stats.mib(self.link_header_len())
    }

    /// Why packets were dropped.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How many neighbours are known or being asked for.
    pub fn neighbor_count(&self) -> usize {
        self.neighbors.len()
    }

    /// Adds an own address; the network of its prefix is on the link.
    pub fn add_address(&mut self, cidr: impl Into<IpCidr>) -> Result<(), AddressError> {
        let cidr = cidr.into();
        let addr =
            Addr::try_from(cidr.address()).map_err(|FamilyNotBuiltIn| AddressError::FamilyNotBuiltIn)?;
        if !addr.is_unicast() {
            return Err(AddressError::NotUnicast);
        }
        self.enter_address(addr, cidr.prefix_len())?;
        self.autoconf.forget(&addr);
        Ok(())
    }

    pub(super) fn enter_address(&mut self, addr: Addr, prefix_len: u8) -> Result<(), AddressError> {
        let same = |entry: &Option<Address>| entry.is_some_and(|own| own.addr == addr);
        let place = self.addresses.iter().position(same);
        let place = place.or_else(|| self.addresses.iter().position(Option::is_none));
        let entry = place.and_then(|index| self.addresses.get_mut(index)).ok_or(AddressError::Full)?;
        *entry = Some(Address { addr, prefix_len });
        self.on_addresses_changed();
        Ok(())
    }

    /// Removes an own address, or one that is being checked, and says whether it was there.
    pub fn remove_address(&mut self, addr: impl Into<IpAddress>) -> bool {
        let Ok(addr) = Addr::try_from(addr.into()) else { return false };
        let was_claimed = self.autoconf.forget(&addr);
        self.leave_address(&addr) || was_claimed
    }

    pub(super) fn leave_address(&mut self, addr: &Addr) -> bool {
        let Some(index) = self.own().position(|own| own.addr == *addr) else { return false };
        // The last one fills the gap.
        let last = self.own().count() - 1;
        self.addresses.swap(index, last);
        self.addresses[last] = None;
        self.on_addresses_changed();
        true
    }

    fn on_addresses_changed(&mut self) {
        self.familiar = None;
        self.groups.on_change();
    }

    /// The own addresses, which stand before all free places.
    #[inline]
    pub(crate) fn own(&self) -> impl Iterator<Item = &Address> {
        self.addresses.iter().map_while(Option::as_ref)
    }

    /// The own addresses.
    pub fn ip_addrs(&self) -> impl Iterator<Item = IpCidr> + '_ {
        self.own().filter_map(Address::cidr)
    }

    /// The routes, to read and change.
    pub fn routes_mut(&mut self) -> &mut Routes<'a> {
        &mut self.routes
    }

    #[cfg(feature = "iface-redirects")]
    pub(crate) fn routes(&self) -> &Routes<'a> {
        &self.routes
    }

    /// Sends what no other route takes by way of `gateway`.
    pub fn add_default_ipv4_route(&mut self, gateway: Ipv4Address) -> Result<(), RouteTableFull> {
        self.add_default_route(Ipv4Address::UNSPECIFIED.into(), gateway.into())
    }

    /// Sends what no other route takes by way of `gateway`.
    pub fn add_default_ipv6_route(&mut self, gateway: Ipv6Address) -> Result<(), RouteTableFull> {
        self.add_default_route(Ipv6Address::UNSPECIFIED.into(), gateway.into())
    }

    fn add_default_route(&mut self, network: IpAddress, gateway: IpAddress) -> Result<(), RouteTableFull> {
        match Route::new(IpCidr::new(network, 0), Some(gateway)) {
            Ok(route) => self.routes.add(route),
            Err(FamilyNotBuiltIn) => Ok(()),
        }
    }

    /// Whether packets to any unicast address are taken as if it were ours.
    ///
    /// For VPN clients, proxies and simulators: a listener without an address then answers for all.
    pub fn set_any_ip(&mut self, any_ip: bool) {
        self.any_ip = any_ip;
        self.familiar = None;
    }

    /// Whether packets to any unicast address are taken.
    pub fn any_ip(&self) -> bool {
        self.any_ip
    }

    /// Octets of the largest IP packet that the link carries.
    pub fn ip_mtu(&self) -> usize {
        self.ip_mtu
    }

    /// Octets of the largest IP packet that the device takes.
    #[cfg(any(feature = "iface-dhcp", feature = "iface-slaac"))]
    pub(super) fn device_mtu(&self) -> usize {
        mtu_of(&self.capabilities, &self.tags)
    }

    /// Somebody says how large packets may be; `None`: as large as the device takes.
    #[cfg(any(feature = "iface-dhcp", feature = "iface-slaac"))]
    pub(super) fn lower_mtu(&mut self, mtu: Option<usize>) {
        let of_device = self.device_mtu();
        let least = if config::HAS_IPV6 { crate::wire::ipv6::MIN_MTU } else { 576 };
        self.ip_mtu = mtu.map_or(of_device, |mtu| mtu.max(least).min(of_device));
        self.note_whole_len();
    }

    #[cfg(all(any(feature = "iface-dhcp", feature = "iface-slaac"), feature = "iface-fragments"))]
    fn note_whole_len(&mut self) {
        self.whole_len = room_for_looped(&self.packets, self.link_header_len()).min(self.ip_mtu);
    }

    #[cfg(all(any(feature = "iface-dhcp", feature = "iface-slaac"), not(feature = "iface-fragments")))]
    fn note_whole_len(&mut self) {}

    pub(crate) fn is_ethernet(&self) -> bool {
        config::HAS_ETHERNET
            && match self.capabilities.medium {
                #[cfg(feature = "medium-ethernet")]
                Medium::Ethernet => true,
                #[cfg(feature = "medium-ip")]
                Medium::Ip => false,
            }
    }

    pub(crate) fn link_header_len(&self) -> usize {
        if self.is_ethernet() { crate::wire::ethernet::HEADER_LEN + self.tags.len() } else { 0 }
    }

    pub(crate) fn offloads(&self, checksum: TxChecksum) -> bool {
        self.capabilities.tx_checksum.contains(checksum)
    }

    /// Whether `addr` can be that of a host on this link: no group, no broadcast address, no loopback.
    #[inline(never)]
    pub(crate) fn is_host(&self, addr: &Addr) -> bool {
        addr.is_unicast() && !addr.is_loopback() && !self.is_broadcast(addr)
    }

    /// Whether packets can come from `addr`: from another host, or from one that has no address yet.
    pub(crate) fn can_come_from(&self, addr: &Addr) -> bool {
        if !config::HAS_FAST_PATHS {
            return !self.has_address(addr) && (addr.is_unspecified() || self.is_host(addr));
        }
        let v4 = addr.as_v4().map(u32::from_be_bytes);
        let is_host = addr.is_unicast() && !addr.is_loopback() && v4 != Some(u32::MAX);
        // One look at each own address: this is asked for every packet.
        let is_other =
            |own: &Address| own.addr != *addr && !v4.is_some_and(|addr| is_directed_broadcast(own, addr));
        (is_host || addr.is_unspecified()) && self.own().all(is_other)
    }

    pub(crate) fn has_address(&self, addr: &Addr) -> bool {
        self.own().any(|own| own.addr == *addr)
    }

    /// Whether `addr` is the broadcast address of a network on this link (RFC 1122 §3.2.1.3).
    pub(crate) fn is_broadcast(&self, addr: &Addr) -> bool {
        let Some(octets) = addr.as_v4() else { return false };
        let addr = u32::from_be_bytes(octets);
        addr == u32::MAX || self.own().any(|own| is_directed_broadcast(own, addr))
    }

    /// Whether `addr` is that of a group, or a broadcast address of this link.
    #[inline]
    pub(crate) fn is_for_many(&self, addr: &Addr) -> bool {
        // Host parts of two bits at least, all ones: seldom is there need to look closer.
        let may_be_broadcast = addr.as_v4().is_some_and(|[.., last]| last & 3 == 3);
        addr.is_multicast() || may_be_broadcast && self.is_broadcast(addr)
    }

    /// Whether an address is of a network on this link.
    #[cfg(any(feature = "iface-forward", feature = "iface-redirects"))]
    pub(crate) fn is_on_link(&self, addr: &Addr) -> bool {
        self.own().any(|own| addr.is_in(&own.addr, own.prefix_len))
    }

    /// Whether packets to this group are for us: all nodes, and the IPv6 groups of our addresses.
    pub(crate) fn is_in_group(&self, group: &Addr) -> bool {
        if let Some(octets) = group.as_v4() {
            return octets == [224, 0, 0, 1] || self.groups.contains(group);
        }
        if self.groups.contains(group) {
            return true;
        }
        let Some(group) = group.as_v6() else { return false };
        let all_nodes = |scope| *group == [0xff, scope, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let is_mine = |own: &Address| own.addr.as_v6().is_some_and(|o| Addr::solicited_node(o) == *group);
        all_nodes(1) || all_nodes(2) || self.own().any(is_mine) || self.autoconf.is_in_group(group)
    }

    /// The way to `dst` by this interface, if there is one.
    pub(crate) fn route<'m>(&'m self, dst: &'m Addr, now: Instant) -> Option<Match<'m>> {
        if config::HAS_LOOPBACK && dst.is_loopback() {
            return Some(Match::new(128, 0, dst));
        }
        let mut best = self.routes.lookup(dst, now);
        let is_on_link = dst.is_link_local() && (config::HAS_AUTOIP || !dst.is_v4());
        if dst.is_multicast() || dst.is_limited_broadcast() || is_on_link {
            // A route that fits says by which link these go, but never by way of a gateway (RFC 919 §7).
            best = Some(Match { next_hop: dst, ..best.unwrap_or(Match::new(0, 1, dst)) });
        }
        for own in self.own().filter(|own| dst.is_in(&own.addr, own.prefix_len)) {
            best = Match::or_better(best, Match::new(own.prefix_len, 0, dst));
        }
        best
    }

    /// The own address to send to `dst` from: itself if it is ours, else of its scope if there is one, then one that is
    /// not deprecated, then with the longest common prefix (RFC 6724 §5, rules 1, 2, 3 and 8). Rule 5, the interface that
    /// it leaves by, is kept by asking that one; 4, 6 and 7 ask for what no address has here.
    pub(crate) fn source_for(&self, dst: &Addr) -> Option<Addr> {
        if config::HAS_LOOPBACK && dst.is_loopback() {
            return Some(*dst);
        }
        let mut best = None;
        let mut best_rank = 0;
        let has_deprecated = self.autoconf.has_deprecated();
        // RFC 3927 §2.6.2: an address of one's own choice means nothing beyond the link.
        let is_beyond = config::HAS_AUTOIP && dst.is_v4() && dst.is_unicast() && !dst.is_link_local();
        let can_reach = |own: &Address| !is_beyond || !own.addr.is_link_local();
        for own in self.own().filter(|own| own.addr.is_v4() == dst.is_v4() && can_reach(own)) {
            let same_scope = u16::from(own.addr.is_link_local() == is_link_scope(dst));
            // RFC 6724 §2.2: the host part counts only where it is all the same.
            let common = own.addr.common_prefix(dst);
            let common = if own.addr == *dst { common } else { common.min(own.host_part_at()) };
            let is_old = has_deprecated && own.addr != *dst && self.autoconf.is_deprecated(&own.addr);
            let is_fresh = u16::from(!is_old);
            let rank = (same_scope << 9 | is_fresh << 8 | u16::from(common)) + 1;
            if rank > best_rank {
                (best, best_rank) = (Some(&own.addr), rank);
            }
        }
        best.copied()
    }

    /// The link has come or gone. What is known of neighbours goes with it.
    pub(crate) fn on_link(&mut self, link: LinkState, sockets: &mut super::SocketSet<'_>) {
        net_debug!("the link is {}, {} kbit/s", if link.up { "up" } else { "down" }, link.speed);
        if link.up && !self.link.up {
            self.groups.on_link();
        }
        if link.up != self.link.up {
            self.reconfigure(link.up);
        }
        self.link = link;
        #[cfg(feature = "iface-nud")]
        self.routes.avoid_none();
        self.routes.detours.clear();
        let link_len = self.link_header_len();
        let Interface { packets, stats, neighbors, .. } = self;
        neighbors.clear(|index, waiting| {
            let tag = super::output::tag_of(index);
            let is_v4 = packets.peek(tag).and_then(|frame| super::output::is_v4_frame(frame, link_len));
            let lost = packets.clear(tag);
            (0..lost).for_each(|_| stats.on_drop(DropReason::LinkDown));
            if let Some(is_v4) = is_v4 {
                stats.counters.add_ip(is_v4, IpCount::OutLost, lost);
                stats.counters.on_lost(DropReason::LinkDown, lost);
            }
            sockets.wake_all(waiting);
        });
    }

    /// Whether it has something to settle: a secret to draw, or groups.
    #[inline]
    pub(crate) fn is_unsettled(&self) -> bool {
        self.fragments.is_unseeded() || self.groups.have_changed()
    }

    /// Whether it has something to send, or to give up, before sockets have their turn.
    #[inline]
    pub(crate) fn has_chores(&self, now: Ticks) -> bool {
        self.is_blocked()
            || !self.fragments.is_idle()
            || self.is_announcing()
            || self.autoconf.is_due(now)
            || self.groups.poll_at(now).is_some_and(|at| at.is_due(now))
    }

    /// Whether something waits for room in the device.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.blocked.is_empty() || self.packets.peek(super::output::EGRESS).is_some()
    }
}

/// Octets of the largest IP packet that a device takes.
fn mtu_of(capabilities: &DeviceCapabilities, tags: &VlanTags) -> usize {
    let header_len = capabilities.medium.header_len() + tags.cost(capabilities);
    capabilities.max_transmission_unit.saturating_sub(header_len)
}

/// Whether an address means something only on its link: a host's or, in IPv6, a group's (RFC 4291 §2.7).
fn is_link_scope(addr: &Addr) -> bool {
    addr.is_link_local() || addr.as_v6().is_some_and(|octets| octets[0] == 0xff && octets[1] & 0xf <= 2)
}

fn is_directed_broadcast(own: &Address, addr: u32) -> bool {
    let Some(octets) = own.addr.as_v4() else { return false };
    // RFC 3021: a prefix of 31 bits has no broadcast address, one of 32 has nobody to reach.
    own.prefix_len < 31 && u32::from_be_bytes(octets) | (u32::MAX >> own.prefix_len) == addr
}
