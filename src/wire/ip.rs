//! Addresses, prefixes and endpoints of the internet layer, as users see them.
//!
//! Both families are always there, whichever are built in; the engine works with the private `Addr`.
//! Addresses are those of `core::net`, under their familiar names. RFC 791, RFC 4291, RFC 4007 (zones).

use core::fmt;
use core::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

pub use core::net::{Ipv4Addr as Ipv4Address, Ipv6Addr as Ipv6Address};

/// Version of the internet protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpVersion {
    /// RFC 791.
    Ipv4,
    /// RFC 8200.
    Ipv6,
}

impl IpVersion {
    /// The version that the first octet of a packet names.
    pub const fn of_packet(data: &[u8]) -> Option<IpVersion> {
        match data {
            [first, ..] if *first >> 4 == 4 => Some(IpVersion::Ipv4),
            [first, ..] if *first >> 4 == 6 => Some(IpVersion::Ipv6),
            _ => None,
        }
    }
}

impl fmt::Display for IpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IpVersion::Ipv4 => "IPv4",
            IpVersion::Ipv6 => "IPv6",
        })
    }
}

/// Number of a protocol over IP, or of an IPv6 extension header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpProtocol(pub u8);

impl IpProtocol {
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: IpProtocol = IpProtocol(0);
    /// ICMP for IPv4.
    pub const ICMP: IpProtocol = IpProtocol(1);
    /// IGMP.
    pub const IGMP: IpProtocol = IpProtocol(2);
    /// TCP.
    pub const TCP: IpProtocol = IpProtocol(6);
    /// UDP.
    pub const UDP: IpProtocol = IpProtocol(17);
    /// IPv6 routing header.
    pub const IPV6_ROUTE: IpProtocol = IpProtocol(43);
    /// IPv6 fragment header.
    pub const IPV6_FRAGMENT: IpProtocol = IpProtocol(44);
    /// Encapsulating security payload.
    pub const ESP: IpProtocol = IpProtocol(50);
    /// Authentication header.
    pub const AH: IpProtocol = IpProtocol(51);
    /// ICMP for IPv6.
    pub const ICMPV6: IpProtocol = IpProtocol(58);
    /// Nothing follows the IPv6 header.
    pub const IPV6_NO_NEXT: IpProtocol = IpProtocol(59);
    /// IPv6 destination options.
    pub const IPV6_OPTIONS: IpProtocol = IpProtocol(60);
    /// UDP-Lite.
    pub const UDP_LITE: IpProtocol = IpProtocol(136);
}

impl From<u8> for IpProtocol {
    fn from(number: u8) -> IpProtocol {
        IpProtocol(number)
    }
}

impl From<IpProtocol> for u8 {
    fn from(protocol: IpProtocol) -> u8 {
        protocol.0
    }
}

impl fmt::Display for IpProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            IpProtocol::HOP_BY_HOP => "Hop-by-Hop",
            IpProtocol::ICMP => "ICMP",
            IpProtocol::IGMP => "IGMP",
            IpProtocol::TCP => "TCP",
            IpProtocol::UDP => "UDP",
            IpProtocol::IPV6_ROUTE => "IPv6-Route",
            IpProtocol::IPV6_FRAGMENT => "IPv6-Frag",
            IpProtocol::ESP => "ESP",
            IpProtocol::AH => "AH",
            IpProtocol::ICMPV6 => "ICMPv6",
            IpProtocol::IPV6_NO_NEXT => "IPv6-NoNxt",
            IpProtocol::IPV6_OPTIONS => "IPv6-Opts",
            IpProtocol::UDP_LITE => "UDP-Lite",
            IpProtocol(number) => return write!(f, "protocol {number}"),
        })
    }
}

/// An address of either family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpAddress {
    /// An IPv4 address.
    Ipv4(Ipv4Address),
    /// An IPv6 address.
    Ipv6(Ipv6Address),
}

impl IpAddress {
    /// An IPv4 address from its octets.
    pub const fn v4(a0: u8, a1: u8, a2: u8, a3: u8) -> IpAddress {
        IpAddress::Ipv4(Ipv4Address::new(a0, a1, a2, a3))
    }

    /// An IPv6 address from its 16-bit groups.
    #[allow(clippy::too_many_arguments)]
    pub const fn v6(a0: u16, a1: u16, a2: u16, a3: u16, a4: u16, a5: u16, a6: u16, a7: u16) -> IpAddress {
        IpAddress::Ipv6(Ipv6Address::new(a0, a1, a2, a3, a4, a5, a6, a7))
    }

    /// The family.
    pub const fn version(&self) -> IpVersion {
        match self {
            IpAddress::Ipv4(_) => IpVersion::Ipv4,
            IpAddress::Ipv6(_) => IpVersion::Ipv6,
        }
    }

    /// Length of the address: 32 or 128 bits.
    pub const fn bits(&self) -> u8 {
        match self {
            IpAddress::Ipv4(_) => 32,
            IpAddress::Ipv6(_) => 128,
        }
    }

    /// Whether it is 0.0.0.0 or `::`.
    pub const fn is_unspecified(&self) -> bool {
        match self {
            IpAddress::Ipv4(addr) => addr.is_unspecified(),
            IpAddress::Ipv6(addr) => addr.is_unspecified(),
        }
    }

    /// Whether it names a group.
    pub const fn is_multicast(&self) -> bool {
        match self {
            IpAddress::Ipv4(addr) => addr.is_multicast(),
            IpAddress::Ipv6(addr) => addr.is_multicast(),
        }
    }

    /// Whether it is 255.255.255.255.
    pub const fn is_broadcast(&self) -> bool {
        match self {
            IpAddress::Ipv4(addr) => addr.is_broadcast(),
            IpAddress::Ipv6(_) => false,
        }
    }

    /// Whether it may name one host: neither group, broadcast nor unspecified.
    pub const fn is_unicast(&self) -> bool {
        !(self.is_multicast() || self.is_broadcast() || self.is_unspecified())
    }

    /// Whether it is in 127.0.0.0/8 or is `::1`.
    pub const fn is_loopback(&self) -> bool {
        match self {
            IpAddress::Ipv4(addr) => addr.is_loopback(),
            IpAddress::Ipv6(addr) => addr.is_loopback(),
        }
    }

    /// Whether it is in 169.254.0.0/16 or fe80::/10.
    pub const fn is_link_local(&self) -> bool {
        match self {
            IpAddress::Ipv4(addr) => addr.is_link_local(),
            IpAddress::Ipv6(addr) => addr.is_unicast_link_local(),
        }
    }
}

impl From<Ipv4Address> for IpAddress {
    fn from(addr: Ipv4Address) -> IpAddress {
        IpAddress::Ipv4(addr)
    }
}

impl From<Ipv6Address> for IpAddress {
    fn from(addr: Ipv6Address) -> IpAddress {
        IpAddress::Ipv6(addr)
    }
}

impl From<IpAddr> for IpAddress {
    fn from(addr: IpAddr) -> IpAddress {
        match addr {
            IpAddr::V4(addr) => IpAddress::Ipv4(addr),
            IpAddr::V6(addr) => IpAddress::Ipv6(addr),
        }
    }
}

impl From<IpAddress> for IpAddr {
    fn from(addr: IpAddress) -> IpAddr {
        match addr {
            IpAddress::Ipv4(addr) => IpAddr::V4(addr),
            IpAddress::Ipv6(addr) => IpAddr::V6(addr),
        }
    }
}

impl core::str::FromStr for IpAddress {
    type Err = core::net::AddrParseError;

    fn from_str(text: &str) -> Result<IpAddress, Self::Err> {
        text.parse().map(|addr: IpAddr| addr.into())
    }
}

impl fmt::Display for IpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IpAddress::Ipv4(addr) => addr.fmt(f),
            IpAddress::Ipv6(addr) => addr.fmt(f),
        }
    }
}

/// Octet `index` of the mask of a prefix.
const fn mask_octet(prefix_len: u8, index: usize) -> u8 {
    let before = index * 8;
    let bits = (prefix_len as usize).saturating_sub(before); // none left: the mask's zeros
    if bits >= 8 { 0xff } else { !(0xff >> bits) }
}

/// `octets` with all bits after the prefix cleared, or set.
fn with_host_bits<const N: usize>(mut octets: [u8; N], prefix_len: u8, set: bool) -> [u8; N] {
    for (index, octet) in octets.iter_mut().enumerate() {
        let mask = mask_octet(prefix_len, index);
        *octet = if set { *octet | !mask } else { *octet & mask };
    }
    octets
}

macro_rules! family_cidr {
    ($name:ident, $address:ident, $bits:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            address: $address,
            prefix_len: u8,
        }

        impl $name {
            /// An address and the length of its network's prefix in bits.
            ///
            /// # Panics
            /// If `prefix_len` is larger than the address.
            pub const fn new(address: $address, prefix_len: u8) -> $name {
                assert!(prefix_len <= $bits, "prefix longer than the address");
                $name { address, prefix_len }
            }

            /// The same, or `None` if the prefix is longer than the address.
            pub const fn try_new(address: $address, prefix_len: u8) -> Option<$name> {
                if prefix_len <= $bits { Some($name { address, prefix_len }) } else { None }
            }

            /// The address, host part included.
            pub const fn address(&self) -> $address {
                self.address
            }

            /// Length of the prefix in bits.
            pub const fn prefix_len(&self) -> u8 {
                self.prefix_len
            }

            /// The network: the same with a host part of zeros.
            pub fn network(&self) -> $name {
                let octets = with_host_bits(self.address.octets(), self.prefix_len, false);
                $name { address: $address::from(octets), prefix_len: self.prefix_len }
            }

            /// Whether `addr` is in this network.
            pub fn contains_addr(&self, addr: &$address) -> bool {
                let (ours, theirs) = (self.address.octets(), addr.octets());
                let mut pairs = ours.iter().zip(&theirs).enumerate();
                pairs.all(|(index, (a, b))| (a ^ b) & mask_octet(self.prefix_len, index) == 0)
            }

            /// Whether all of `other` is in this network.
            pub fn contains_subnet(&self, other: &$name) -> bool {
                self.prefix_len <= other.prefix_len && self.contains_addr(&other.address)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", self.address, self.prefix_len)
            }
        }
    };
}

family_cidr!(Ipv4Cidr, Ipv4Address, 32, "An IPv4 address with the length of its network's prefix.");
family_cidr!(Ipv6Cidr, Ipv6Address, 128, "An IPv6 address with the length of its network's prefix.");

impl Ipv4Cidr {
    /// The network's directed broadcast address; `None` where there is none (/31, RFC 3021, and /32).
    pub fn broadcast(&self) -> Option<Ipv4Address> {
        if self.prefix_len >= 31 {
            return None;
        }
        Some(with_host_bits(self.address.octets(), self.prefix_len, true).into())
    }

    /// The prefix as a mask.
    pub fn netmask(&self) -> Ipv4Address {
        with_host_bits([0xff; 4], self.prefix_len, false).into()
    }
}

/// An address of either family with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpCidr {
    /// Of IPv4.
    Ipv4(Ipv4Cidr),
    /// Of IPv6.
    Ipv6(Ipv6Cidr),
}

impl IpCidr {
    /// An address and the length of its network's prefix in bits.
    ///
    /// # Panics
    /// If `prefix_len` is larger than the address.
    pub const fn new(addr: IpAddress, prefix_len: u8) -> IpCidr {
        match addr {
            IpAddress::Ipv4(addr) => IpCidr::Ipv4(Ipv4Cidr::new(addr, prefix_len)),
            IpAddress::Ipv6(addr) => IpCidr::Ipv6(Ipv6Cidr::new(addr, prefix_len)),
        }
    }

    /// The same, or `None` if the prefix is longer than the address.
    pub const fn try_new(addr: IpAddress, prefix_len: u8) -> Option<IpCidr> {
        if prefix_len <= addr.bits() { Some(IpCidr::new(addr, prefix_len)) } else { None }
    }

    /// The address, host part included.
    pub const fn address(&self) -> IpAddress {
        match self {
            IpCidr::Ipv4(cidr) => IpAddress::Ipv4(cidr.address),
            IpCidr::Ipv6(cidr) => IpAddress::Ipv6(cidr.address),
        }
    }

    /// Length of the prefix in bits.
    pub const fn prefix_len(&self) -> u8 {
        match self {
            IpCidr::Ipv4(cidr) => cidr.prefix_len,
            IpCidr::Ipv6(cidr) => cidr.prefix_len,
        }
    }

    /// The network: the same with a host part of zeros.
    pub fn network(&self) -> IpCidr {
        match self {
            IpCidr::Ipv4(cidr) => IpCidr::Ipv4(cidr.network()),
            IpCidr::Ipv6(cidr) => IpCidr::Ipv6(cidr.network()),
        }
    }

    /// Whether `addr` is in this network; never so if the families differ.
    pub fn contains_addr(&self, addr: &IpAddress) -> bool {
        match (self, addr) {
            (IpCidr::Ipv4(cidr), IpAddress::Ipv4(addr)) => cidr.contains_addr(addr),
            (IpCidr::Ipv6(cidr), IpAddress::Ipv6(addr)) => cidr.contains_addr(addr),
            _ => false,
        }
    }

    /// Whether all of `other` is in this network; never so if the families differ.
    pub fn contains_subnet(&self, other: &IpCidr) -> bool {
        self.prefix_len() <= other.prefix_len() && self.contains_addr(&other.address())
    }

    /// The network's directed broadcast address, which only IPv4 has.
    pub fn broadcast(&self) -> Option<Ipv4Address> {
        match self {
            IpCidr::Ipv4(cidr) => cidr.broadcast(),
            IpCidr::Ipv6(_) => None,
        }
    }
}

impl From<Ipv4Cidr> for IpCidr {
    fn from(cidr: Ipv4Cidr) -> IpCidr {
        IpCidr::Ipv4(cidr)
    }
}

impl From<Ipv6Cidr> for IpCidr {
    fn from(cidr: Ipv6Cidr) -> IpCidr {
        IpCidr::Ipv6(cidr)
    }
}

impl fmt::Display for IpCidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IpCidr::Ipv4(cidr) => cidr.fmt(f),
            IpCidr::Ipv6(cidr) => cidr.fmt(f),
        }
    }
}

/// An address and a port: one end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpEndpoint {
    /// The address.
    pub addr: IpAddress,
    /// The port.
    pub port: u16,
    /// Index of the interface that a link-local address belongs to (RFC 4007), where there are several.
    pub zone: Option<u8>,
}

impl IpEndpoint {
    /// An endpoint without a zone.
    pub const fn new(addr: IpAddress, port: u16) -> IpEndpoint {
        IpEndpoint { addr, port, zone: None }
    }

    /// The same endpoint on the link of interface `zone`.
    pub const fn with_zone(self, zone: u8) -> IpEndpoint {
        IpEndpoint { zone: Some(zone), ..self }
    }

    /// Whether address and port both say something.
    pub const fn is_specified(&self) -> bool {
        !self.addr.is_unspecified() && self.port != 0
    }
}

impl<T: Into<IpAddress>> From<(T, u16)> for IpEndpoint {
    fn from((addr, port): (T, u16)) -> IpEndpoint {
        IpEndpoint::new(addr.into(), port)
    }
}

/// Scope id `n` names interface `n - 1`, since 0 means none.
impl From<SocketAddr> for IpEndpoint {
    fn from(addr: SocketAddr) -> IpEndpoint {
        let zone = match addr {
            SocketAddr::V6(addr) => addr.scope_id().checked_sub(1).and_then(|index| index.try_into().ok()),
            SocketAddr::V4(_) => None,
        };
        IpEndpoint { addr: addr.ip().into(), port: addr.port(), zone }
    }
}

/// Interface `n` becomes scope id `n + 1`, since 0 means none.
impl From<IpEndpoint> for SocketAddr {
    fn from(endpoint: IpEndpoint) -> SocketAddr {
        match endpoint.addr {
            IpAddress::Ipv4(addr) => SocketAddr::V4(SocketAddrV4::new(addr, endpoint.port)),
            IpAddress::Ipv6(addr) => {
                let scope = endpoint.zone.map_or(0, |index| u32::from(index) + 1);
                SocketAddr::V6(SocketAddrV6::new(addr, endpoint.port, 0, scope))
            }
        }
    }
}

impl fmt::Display for IpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.addr, self.zone) {
            (IpAddress::Ipv4(addr), _) => write!(f, "{addr}:{}", self.port),
            (IpAddress::Ipv6(addr), None) => write!(f, "[{addr}]:{}", self.port),
            (IpAddress::Ipv6(addr), Some(zone)) => write!(f, "[{addr}%{zone}]:{}", self.port),
        }
    }
}

/// What a socket listens at: one address or any, and a port.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpListenEndpoint {
    /// The address; `None` for any of ours, of either family.
    pub addr: Option<IpAddress>,
    /// The port.
    pub port: u16,
}

impl IpListenEndpoint {
    /// Whether a port is given.
    pub const fn is_specified(&self) -> bool {
        self.port != 0
    }
}

impl From<u16> for IpListenEndpoint {
    fn from(port: u16) -> IpListenEndpoint {
        IpListenEndpoint { addr: None, port }
    }
}

/// An unspecified address listens at any; the zone is dropped.
impl From<IpEndpoint> for IpListenEndpoint {
    fn from(endpoint: IpEndpoint) -> IpListenEndpoint {
        (endpoint.addr, endpoint.port).into()
    }
}

/// An unspecified address listens at any.
impl<T: Into<IpAddress>> From<(T, u16)> for IpListenEndpoint {
    fn from((addr, port): (T, u16)) -> IpListenEndpoint {
        let addr = addr.into();
        IpListenEndpoint { addr: (!addr.is_unspecified()).then_some(addr), port }
    }
}

impl fmt::Display for IpListenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr {
            Some(addr) => IpEndpoint::new(addr, self.port).fmt(f),
            None => write!(f, "*:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_shares_their_prefix() {
        let cidr = |text: &str| -> IpCidr {
            let (addr, len) = text.split_once('/').unwrap();
            IpCidr::new(addr.parse().unwrap(), len.parse().unwrap())
        };
        let cases = [
            ("10.1.2.3/8", "10.255.0.1", true),
            ("10.1.2.3/8", "11.1.2.3", false),
            ("192.168.1.129/25", "192.168.1.128", true),
            ("192.168.1.129/25", "192.168.1.127", false),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("1.2.3.4/32", "1.2.3.4", true),
            ("1.2.3.4/32", "1.2.3.5", false),
            ("fe80::1/64", "fe80::ffff:1:2:3", true),
            ("fe80::1/64", "fe80:0:0:1::1", false),
            ("2001:db8::/33", "2001:db8:7fff::", true),
            ("2001:db8::/33", "2001:db8:8000::", false),
            ("::/0", "10.0.0.1", false),
        ];
        for (net, addr, expected) in cases {
            assert_eq!(cidr(net).contains_addr(&addr.parse().unwrap()), expected, "{net} {addr}");
        }
        assert_eq!(cidr("192.168.77.9/18").network(), cidr("192.168.64.0/18"));
        assert_eq!(cidr("2001:db8:ffff::1/35").network(), cidr("2001:db8:e000::/35"));
        assert!(cidr("10.0.0.0/8").contains_subnet(&cidr("10.9.0.0/16")));
        assert!(!cidr("10.9.0.0/16").contains_subnet(&cidr("10.0.0.0/8")));
        assert!(cidr("10.9.0.0/16").contains_subnet(&cidr("10.9.0.0/16")));
        assert!(!cidr("10.0.0.0/8").contains_subnet(&cidr("11.9.0.0/16")));
        assert!(!cidr("10.9.0.0/16").contains_subnet(&cidr("10.9.0.0/15")));
        assert!(!cidr("::/0").contains_subnet(&cidr("10.9.0.0/16")));
    }

    #[test]
    fn a_prefix_longer_than_the_address_is_refused() {
        assert_eq!(IpCidr::try_new(IpAddress::v4(1, 2, 3, 4), 33), None);
        assert_eq!(IpCidr::try_new(IpAddress::v6(1, 0, 0, 0, 0, 0, 0, 0), 129), None);
        assert!(IpCidr::try_new(IpAddress::v6(1, 0, 0, 0, 0, 0, 0, 0), 128).is_some());
    }

    #[test]
    #[should_panic(expected = "prefix longer")]
    fn new_panics_on_such_a_prefix() {
        IpCidr::new(IpAddress::v4(1, 2, 3, 4), 33);
    }

    /// Covers: RFC 3021 §2.1
    #[test]
    fn point_to_point_networks_have_no_broadcast() {
        let broadcast = |len| Ipv4Cidr::new(Ipv4Address::new(192, 168, 1, 77), len).broadcast();
        assert_eq!(broadcast(24), Some(Ipv4Address::new(192, 168, 1, 255)));
        assert_eq!(broadcast(30), Some(Ipv4Address::new(192, 168, 1, 79)));
        assert_eq!(broadcast(31), None);
        assert_eq!(broadcast(32), None);
        let netmask = |len| Ipv4Cidr::new(Ipv4Address::new(1, 2, 3, 4), len).netmask();
        assert_eq!(netmask(20), Ipv4Address::new(255, 255, 240, 0));
        assert_eq!(netmask(0), Ipv4Address::UNSPECIFIED);
    }

    /// Covers: RFC 5952 §4, §5, RFC 8504 §11.1a
    #[test]
    fn addresses_are_written_in_one_way_only() {
        for (text, written) in [
            ("2001:0DB8:0:0:0:0:2:1", "2001:db8::2:1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("::ffff:c000:201", "::ffff:192.0.2.1"),
            ("0:0:0:0:0:0:0:0", "::"),
        ] {
            assert_eq!(text.parse::<IpAddress>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn endpoints_convert_and_print() {
        let v4 = IpEndpoint::from((Ipv4Address::new(10, 0, 0, 1), 80));
        assert_eq!(v4.to_string(), "10.0.0.1:80");
        assert_eq!(SocketAddr::from(v4), "10.0.0.1:80".parse().unwrap());
        let v6: IpEndpoint = "[fe80::1%3]:53".parse::<SocketAddr>().unwrap().into();
        assert_eq!(v6, IpEndpoint::new(IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 1), 53).with_zone(2));
        assert_eq!(v6.to_string(), "[fe80::1%2]:53");
        assert_eq!(IpEndpoint::from(SocketAddr::from(v6)), v6);
        assert_eq!(IpListenEndpoint::from(80).to_string(), "*:80");
        assert_eq!(IpListenEndpoint::from((Ipv4Address::UNSPECIFIED, 80)), 80.into());
        assert_eq!(IpListenEndpoint::from(v4).addr, Some(v4.addr));
    }

    /// Covers: RFC 1122 §3.2.1.3, RFC 4291 §2.4, RFC 3927 §2.1
    #[test]
    fn an_address_says_what_it_is_for() {
        let cases = [
            // Group, broadcast, one host, loopback, link-local.
            ("0.0.0.0", [false, false, false, false, false]),
            ("10.0.0.255", [false, false, true, false, false]),
            ("255.255.255.255", [false, true, false, false, false]),
            ("255.255.255.254", [false, false, true, false, false]),
            ("223.255.255.255", [false, false, true, false, false]),
            ("224.0.0.0", [true, false, false, false, false]),
            ("239.255.255.255", [true, false, false, false, false]),
            ("240.0.0.0", [false, false, true, false, false]),
            ("126.255.255.255", [false, false, true, false, false]),
            ("127.0.0.0", [false, false, true, true, false]),
            ("127.255.255.255", [false, false, true, true, false]),
            ("128.0.0.0", [false, false, true, false, false]),
            ("169.253.255.255", [false, false, true, false, false]),
            ("169.254.0.0", [false, false, true, false, true]),
            ("169.254.255.255", [false, false, true, false, true]),
            ("169.255.0.0", [false, false, true, false, false]),
            ("::", [false, false, false, false, false]),
            ("::1", [false, false, true, true, false]),
            ("::2", [false, false, true, false, false]),
            ("fe7f:ffff::1", [false, false, true, false, false]),
            ("fe80::", [false, false, true, false, true]),
            ("febf:ffff::1", [false, false, true, false, true]),
            ("fec0::1", [false, false, true, false, false]),
            ("feff::1", [false, false, true, false, false]),
            ("ff00::", [true, false, false, false, false]),
            ("ff02::1", [true, false, false, false, false]),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", [true, false, false, false, false]),
        ];
        for (text, expected) in cases {
            let addr: IpAddress = text.parse().unwrap();
            let found = [
                addr.is_multicast(),
                addr.is_broadcast(),
                addr.is_unicast(),
                addr.is_loopback(),
                addr.is_link_local(),
            ];
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn only_networks_of_ipv4_have_a_broadcast_address() {
        let broadcast = |text: &str, len| IpCidr::new(text.parse().unwrap(), len).broadcast();
        assert_eq!(broadcast("192.168.1.77", 26), Some(Ipv4Address::new(192, 168, 1, 127)));
        assert_eq!(broadcast("192.168.1.77", 31), None);
        assert_eq!(broadcast("2001:db8::1", 64), None);
    }

    #[test]
    fn an_end_is_specified_if_both_its_parts_are() {
        for (text, port, is_specified) in
            [("10.0.0.1", 80, true), ("10.0.0.1", 0, false), ("0.0.0.0", 80, false), ("::", 0, false)]
        {
            let endpoint = IpEndpoint::new(text.parse().unwrap(), port);
            assert_eq!(endpoint.is_specified(), is_specified, "{text} {port}");
        }
        assert_eq!([IpProtocol::TCP, IpProtocol::UDP_LITE].map(u8::from), [6, 136]);
    }
}
