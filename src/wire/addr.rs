//! `Addr`: the one address type that the engine works with.
//!
//! It holds an address of either family when both are built in, and folds to four or sixteen plain
//! octets when only one is, so that demultiplexing, sockets and routing exist once and a build with
//! only IPv4 carries nothing of IPv6.

use super::ip::{IpAddress, Ipv4Address, Ipv6Address};

#[cfg(all(feature = "proto-ipv4", feature = "proto-ipv6"))]
mod repr {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Addr {
        V4([u8; 4]),
        V6([u8; 16]),
    }

    impl Addr {
        pub(crate) const UNSPECIFIED: Addr = Addr::V4([0; 4]);

        #[inline]
        pub(crate) const fn v4(octets: [u8; 4]) -> Addr {
            Addr::V4(octets)
        }
        #[inline]
        pub(crate) const fn v6(octets: [u8; 16]) -> Addr {
            Addr::V6(octets)
        }
        #[inline]
        pub(crate) const fn as_v4(&self) -> Option<[u8; 4]> {
            match self {
                Addr::V4(octets) => Some(*octets),
                Addr::V6(_) => None,
            }
        }
        #[inline]
        pub(crate) const fn as_v6(&self) -> Option<&[u8; 16]> {
            match self {
                Addr::V6(octets) => Some(octets),
                Addr::V4(_) => None,
            }
        }
    }
}

#[cfg(all(feature = "proto-ipv4", not(feature = "proto-ipv6")))]
mod repr {
    /// The octets in their order, as one number: what most is done with addresses is to compare them.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Addr(u32);

    impl Addr {
        pub(crate) const UNSPECIFIED: Addr = Addr(0);

        #[inline]
        pub(crate) const fn v4(octets: [u8; 4]) -> Addr {
            Addr(u32::from_ne_bytes(octets))
        }
        #[inline]
        pub(crate) const fn as_v4(&self) -> Option<[u8; 4]> {
            Some(self.0.to_ne_bytes())
        }
        #[inline]
        pub(crate) const fn as_v6(&self) -> Option<&[u8; 16]> {
            None
        }
    }
}

#[cfg(all(feature = "proto-ipv6", not(feature = "proto-ipv4")))]
mod repr {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Addr([u8; 16]);

    impl Addr {
        pub(crate) const UNSPECIFIED: Addr = Addr([0; 16]);

        #[inline]
        pub(crate) const fn v6(octets: [u8; 16]) -> Addr {
            Addr(octets)
        }
        #[inline]
        pub(crate) const fn as_v4(&self) -> Option<[u8; 4]> {
            None
        }
        #[inline]
        pub(crate) const fn as_v6(&self) -> Option<&[u8; 16]> {
            Some(&self.0)
        }
    }
}

pub(crate) use repr::Addr;

/// The address's family is not built into this stack: enable `proto-ipv4` or `proto-ipv6`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyNotBuiltIn;

impl core::fmt::Display for FamilyNotBuiltIn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("address family not built in: enable the feature `proto-ipv4` or `proto-ipv6`")
    }
}

impl core::error::Error for FamilyNotBuiltIn {}

impl Addr {
    /// The octets as words for a hash: IPv4 in the last one.
    #[inline]
    pub(crate) fn words(&self) -> [u32; 4] {
        match (self.as_v4(), self.as_v6()) {
            (Some(o), _) => [0, 0, 0, u32::from_ne_bytes(o)],
            (_, Some(o)) => {
                let (words, _) = o.as_chunks::<4>();
                let word = |i: usize| u32::from_ne_bytes(words[i]);
                [word(0), word(1), word(2), word(3)]
            }
            _ => [0; 4],
        }
    }

    #[inline]
    pub(crate) fn is_v4(&self) -> bool {
        self.as_v4().is_some()
    }

    pub(crate) fn is_unspecified(&self) -> bool {
        match (self.as_v4(), self.as_v6()) {
            (Some(o), _) => o == [0; 4],
            (_, Some(o)) => *o == [0; 16],
            _ => false,
        }
    }

    /// 224.0.0.0/4 or ff00::/8.
    #[inline]
    pub(crate) fn is_multicast(&self) -> bool {
        match (self.as_v4(), self.as_v6()) {
            (Some(o), _) => o[0] & 0xf0 == 0xe0,
            (_, Some(o)) => o[0] == 0xff,
            _ => false,
        }
    }

    /// 255.255.255.255.
    #[inline]
    pub(crate) fn is_limited_broadcast(&self) -> bool {
        self.as_v4() == Some([255; 4])
    }

    /// 127.0.0.0/8 or ::1.
    pub(crate) fn is_loopback(&self) -> bool {
        match (self.as_v4(), self.as_v6()) {
            (Some(o), _) => o[0] == 127,
            (_, Some(o)) => *o == Ipv6Address::LOCALHOST.octets(),
            _ => false,
        }
    }

    /// 127.0.0.1 or `::1`.
    pub(crate) fn loopback(is_v4: bool) -> Addr {
        let addr = if is_v4 { IpAddress::v4(127, 0, 0, 1) } else { IpAddress::Ipv6(Ipv6Address::LOCALHOST) };
        Addr::try_from(addr).unwrap_or(Addr::UNSPECIFIED) // who asks has the family built in
    }

    /// 169.254.0.0/16 or fe80::/10.
    pub(crate) fn is_link_local(&self) -> bool {
        match (self.as_v4(), self.as_v6()) {
            (Some(o), _) => o[0] == 169 && o[1] == 254,
            (_, Some(o)) => o[0] == 0xfe && o[1] & 0xc0 == 0x80,
            _ => false,
        }
    }

    /// An IPv4 address as programs write it where they know only IPv6, ::ffff:0:0/96.
    fn is_v4_mapped(&self) -> bool {
        self.as_v6().is_some_and(|octets| octets.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]))
    }

    /// Neither multicast, nor broadcast, nor unspecified; nor an IPv4 address within an IPv6 one, which no host has and
    /// which would be a way around filters if it were believed (RFC 4942 §2.2, RFC 6890 §2.2.3).
    pub(crate) fn is_unicast(&self) -> bool {
        !self.is_multicast() && !self.is_unspecified() && !self.is_limited_broadcast() && !self.is_v4_mapped()
    }

    /// How many leading bits both have in common; 0 if the families differ.
    pub(crate) fn common_prefix(&self, other: &Addr) -> u8 {
        if let (Some(a), Some(b)) = (self.as_v4(), other.as_v4()) {
            return (u32::from_be_bytes(a) ^ u32::from_be_bytes(b)).leading_zeros() as u8;
        }
        match (self.as_v6(), other.as_v6()) {
            (Some(a), Some(b)) => common_prefix_v6(a, b),
            _ => 0,
        }
    }

    /// Whether both are of one family and share the first `prefix_len` bits.
    pub(crate) fn is_in(&self, network: &Addr, prefix_len: u8) -> bool {
        self.is_v4() == network.is_v4() && self.common_prefix(network) >= prefix_len
    }

    /// The group of an own IPv6 address (RFC 4291 §2.7.1).
    #[cfg(feature = "iface-multicast")]
    pub(crate) fn solicited_group(&self) -> Option<Addr> {
        #[cfg(feature = "proto-ipv6")]
        return self.as_v6().map(|octets| Addr::v6(Addr::solicited_node(octets)));
        #[cfg(not(feature = "proto-ipv6"))]
        None
    }

    /// The group that a neighbour solicitation for this IPv6 address goes to (RFC 4291 §2.7.1).
    pub(crate) fn solicited_node(octets: &[u8; 16]) -> [u8; 16] {
        let [.., a, b, c] = *octets;
        [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]
    }
}

/// Out of line, so that it does not weigh on paths that are mostly IPv4's.
#[inline(never)]
fn common_prefix_v6(a: &[u8; 16], b: &[u8; 16]) -> u8 {
    let mut bits = 0;
    for (a, b) in a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0) {
        let same = (u32::from_be_bytes(*a) ^ u32::from_be_bytes(*b)).leading_zeros() as u8;
        bits += same;
        if same < 32 {
            break;
        }
    }
    bits
}

impl From<Addr> for IpAddress {
    fn from(addr: Addr) -> IpAddress {
        match (addr.as_v4(), addr.as_v6()) {
            (Some(octets), _) => IpAddress::Ipv4(Ipv4Address::from(octets)),
            (_, Some(&octets)) => IpAddress::Ipv6(Ipv6Address::from(octets)),
            _ => IpAddress::Ipv4(Ipv4Address::UNSPECIFIED),
        }
    }
}

impl TryFrom<IpAddress> for Addr {
    type Error = FamilyNotBuiltIn;

    fn try_from(addr: IpAddress) -> Result<Addr, FamilyNotBuiltIn> {
        match addr {
            #[cfg(feature = "proto-ipv4")]
            IpAddress::Ipv4(addr) => Ok(Addr::v4(addr.octets())),
            #[cfg(feature = "proto-ipv6")]
            IpAddress::Ipv6(addr) => Ok(Addr::v6(addr.octets())),
            #[allow(unreachable_patterns)]
            _ => Err(FamilyNotBuiltIn),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Addr {
        text.parse::<IpAddress>().unwrap().try_into().unwrap()
    }

    #[cfg(feature = "proto-ipv4")]
    const V4: &[(&str, &str, u8)] = &[
        ("10.0.0.1", "10.0.0.1", 32),
        ("10.0.0.1", "10.0.0.0", 31),
        ("10.0.0.1", "10.1.0.1", 15),
        ("128.0.0.0", "0.0.0.0", 0),
        ("255.255.255.255", "255.255.254.255", 23),
    ];
    #[cfg(not(feature = "proto-ipv4"))]
    const V4: &[(&str, &str, u8)] = &[];

    #[cfg(feature = "proto-ipv6")]
    const V6: &[(&str, &str, u8)] = &[
        ("fe80::1", "fe80::1", 128),
        ("fe80::1", "fe80::3", 126),
        ("::", "8000::", 0),
        ("fd00::", "fd00:0:0:1::", 63),
    ];
    #[cfg(not(feature = "proto-ipv6"))]
    const V6: &[(&str, &str, u8)] = &[];

    #[test]
    fn a_network_is_what_shares_the_prefix() {
        for &(a, b, common) in V4.iter().chain(V6) {
            let (a, b) = (addr(a), addr(b));
            assert_eq!(a.common_prefix(&b), common);
            assert!(a.is_in(&b, common));
            assert!(common == if a.is_v4() { 32 } else { 128 } || !a.is_in(&b, common + 1));
        }
    }

    #[test]
    #[cfg(all(feature = "proto-ipv4", feature = "proto-ipv6"))]
    fn the_families_have_nothing_in_common() {
        assert!(!addr("0.0.0.0").is_in(&addr("::"), 0));
        assert_eq!(addr("0.0.0.0").common_prefix(&addr("::")), 0);
    }

    #[test]
    #[cfg(feature = "proto-ipv4")]
    fn kinds_of_ipv4_addresses_are_told_apart() {
        assert!(addr("0.0.0.0").is_unspecified() && !addr("0.0.0.0").is_unicast());
        assert!(addr("224.0.0.1").is_multicast() && addr("239.255.255.255").is_multicast());
        assert!(!addr("223.255.255.255").is_multicast() && !addr("240.0.0.0").is_multicast());
        assert!(addr("255.255.255.255").is_limited_broadcast() && !addr("255.255.255.255").is_unicast());
        assert!(addr("127.9.9.9").is_loopback() && !addr("128.0.0.1").is_loopback());
        assert!(addr("169.254.1.1").is_link_local() && !addr("169.253.1.1").is_link_local());
        assert!(addr("10.0.0.1").is_unicast());
        assert_eq!(Addr::loopback(true), addr("127.0.0.1"));
        assert_eq!(IpAddress::from(addr("10.0.0.1")), IpAddress::v4(10, 0, 0, 1));
        assert_eq!(addr("1.2.3.4").words(), [0, 0, 0, u32::from_ne_bytes([1, 2, 3, 4])]);
    }

    #[test]
    #[cfg(feature = "proto-ipv6")]
    fn kinds_of_ipv6_addresses_are_told_apart() {
        assert!(addr("::").is_unspecified() && addr("::1").is_loopback() && !addr("::2").is_loopback());
        assert_eq!(Addr::loopback(false), addr("::1"));
        assert!(addr("ff02::1").is_multicast() && !addr("fe80::1").is_multicast());
        assert!(addr("fe80::1").is_link_local() && addr("febf::1").is_link_local());
        assert!(!addr("fec0::1").is_link_local() && addr("fec0::1").is_unicast());
        assert!(!addr("::ffff:10.0.0.1").is_unicast() && addr("::fffe:10.0.0.1").is_unicast());
        assert!(addr("1::ffff:10.0.0.1").is_unicast());
        assert_eq!(IpAddress::from(addr("fe80::1")), "fe80::1".parse().unwrap());
        let octets = *addr("2001:db8::1:ab12:3456").as_v6().unwrap();
        assert_eq!(Addr::v6(Addr::solicited_node(&octets)), addr("ff02::1:ff12:3456"));
    }

    #[test]
    #[cfg(not(all(feature = "proto-ipv4", feature = "proto-ipv6")))]
    fn a_family_that_is_not_built_in_is_an_error() {
        let both = [IpAddress::v4(1, 2, 3, 4), IpAddress::v6(1, 2, 3, 4, 5, 6, 7, 8)];
        let errors = both.iter().filter(|&&addr| Addr::try_from(addr) == Err(FamilyNotBuiltIn));
        assert_eq!(errors.count(), 1);
    }
}
