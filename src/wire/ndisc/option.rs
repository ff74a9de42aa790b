//! The options of neighbour discovery (RFC 4861 §4.6; RFC 4191 routes, RFC 8106 DNS, RFC 3971 §5.3.2 nonces).
//!
//! ```text
//!  0                   1                   2                   3
//! |     type      |  length / 8   |  data …
//! ```

use core::fmt;

use crate::wire::field::{octets, u32_at};
use crate::wire::tlv::fmt_list;
use crate::wire::{Error, EthernetAddress, Ipv6Address, Result};

bitflags::bitflags! {
    /// Flags of a prefix.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct PrefixFlags: u8 {
        /// Its addresses are on the link.
        const ON_LINK = 0x80;
        /// Hosts may make addresses of it by themselves.
        const ADDRCONF = 0x40;
    }
}

mod kind {
    pub(super) const SOURCE_LINK_ADDR: u8 = 1;
    pub(super) const TARGET_LINK_ADDR: u8 = 2;
    pub(super) const PREFIX: u8 = 3;
    pub(super) const REDIRECTED: u8 = 4;
    pub(super) const MTU: u8 = 5;
    pub(super) const NONCE: u8 = 14;
    pub(super) const ROUTE: u8 = 24;
    pub(super) const DNS_SERVERS: u8 = 25;
    pub(super) const DNS_SEARCH: u8 = 31;
}

/// A prefix that a router advertises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixInformation {
    /// Length of the prefix in bits, at most 128.
    pub prefix_len: u8,
    /// What it is good for.
    pub flags: PrefixFlags,
    /// Seconds for which addresses of it stay; all ones for ever.
    pub valid_lifetime: u32,
    /// Seconds for which addresses of it are preferred; all ones for ever.
    pub preferred_lifetime: u32,
    /// The prefix; the bits after it are to be ignored.
    pub prefix: Ipv6Address,
}

/// Whether a router is to be chosen rather than others (RFC 4191 §2.1).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preference {
    /// Rather others.
    Low,
    /// Like others.
    #[default]
    Medium,
    /// Rather than others.
    High,
}

impl Preference {
    /// The one in the two bits of a flags octet; `None` for the value that is reserved.
    pub const fn of_flags(flags: u8) -> Option<Preference> {
        match flags >> 3 & 3 {
            0 => Some(Preference::Medium),
            1 => Some(Preference::High),
            3 => Some(Preference::Low),
            _ => None,
        }
    }

    const fn flags(self) -> u8 {
        match self {
            Preference::Medium => 0,
            Preference::High => 1 << 3,
            Preference::Low => 3 << 3,
        }
    }
}

/// A route by the router that advertises it (RFC 4191 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteInformation<'a> {
    /// Length of the prefix in bits, at most 128.
    pub prefix_len: u8,
    /// Whether rather this route than others to the same prefix.
    pub preference: Preference,
    /// Seconds for which the route stays; all ones for ever.
    pub lifetime: u32,
    /// As much of the prefix as is sent: 0, 8 or 16 octets, no fewer than it has.
    pub prefix: &'a [u8],
}

impl<'a> RouteInformation<'a> {
    fn read(data: &'a [u8]) -> Option<RouteInformation<'a>> {
        let ([prefix_len, flags, l0, l1, l2, l3], prefix) = data.split_first_chunk()?;
        let is_right = matches!(prefix.len(), 0 | 8 | 16) && usize::from(*prefix_len) <= prefix.len() * 8;
        // RFC 4191 §2.3: with the reserved preference the option is to be ignored.
        let preference = Preference::of_flags(*flags)?;
        let lifetime = u32::from_be_bytes([*l0, *l1, *l2, *l3]);
        is_right.then_some(RouteInformation { prefix_len: *prefix_len, preference, lifetime, prefix })
    }

    /// The prefix as an address; the bits after it are to be ignored.
    pub fn addr(&self) -> Ipv6Address {
        let mut addr = [0; 16];
        addr.iter_mut().zip(self.prefix).for_each(|(place, octet)| *place = *octet);
        Ipv6Address::from(addr)
    }
}

/// Domains in which to look for names (RFC 8106 §5.2), found well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchList<'a>(&'a [u8]);

/// The longest name, its lengths included (RFC 1035 §3.1).
const MAX_NAME_LEN: usize = 255;

/// Splits off a name, the empty label at its end included; `None` if it is none.
fn split_name(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut len = 0;
    loop {
        let label_len = usize::from(*data.get(len)?);
        len += 1 + label_len;
        if label_len > 63 || len > MAX_NAME_LEN {
            return None;
        }
        if label_len == 0 {
            return data.split_at_checked(len);
        }
    }
}

impl<'a> SearchList<'a> {
    /// Reads names, which zeros may follow; `None` if there is none, or if one is none.
    pub fn parse(data: &'a [u8]) -> Option<SearchList<'a>> {
        let mut rest = data;
        while !matches!(rest, [] | [0, ..]) {
            (_, rest) = split_name(rest)?;
        }
        let is_right = rest.len() < data.len() && rest.iter().all(|octet| *octet == 0);
        is_right.then_some(SearchList(data))
    }
}

impl<'a> Iterator for SearchList<'a> {
    type Item = SearchName<'a>;

    fn next(&mut self) -> Option<SearchName<'a>> {
        let (name, rest) = split_name(self.0).filter(|(name, _)| name.len() > 1)?;
        self.0 = rest;
        Some(SearchName(name))
    }
}

/// A domain of a list, printed with dots; octets that a name usually has none of print as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchName<'a>(&'a [u8]);

impl<'a> SearchName<'a> {
    /// One that is known to be well-formed.
    pub(in crate::wire) const fn new(labels: &'a [u8]) -> SearchName<'a> {
        SearchName(labels)
    }

    /// The name as labels, each behind its length, the last one empty.
    pub const fn as_octets(&self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Display for SearchName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((len, labels)) = rest.split_first().filter(|(len, _)| **len != 0) {
            let Some((label, after)) = labels.split_at_checked(usize::from(*len)) else { return Ok(()) };
            f.write_str(if rest.len() == self.0.len() { "" } else { "." })?;
            label.iter().try_for_each(|octet| match octet {
                b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => write!(f, "{}", char::from(*octet)),
                _ => write!(f, "\\{octet:03}"),
            })?;
            rest = after;
        }
        Ok(())
    }
}

/// One option. Those whose length does not fit Ethernet or their type appear as `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NdOption<'a> {
    /// The sender's link-layer address.
    SourceLinkAddr(&'a [u8; 6]),
    /// The target's link-layer address.
    TargetLinkAddr(&'a [u8; 6]),
    /// A prefix.
    Prefix(PrefixInformation),
    /// The beginning of the packet that led to a redirect.
    Redirected(&'a [u8]),
    /// The link's MTU.
    Mtu(u32),
    /// A number that is used once: at least 6 octets (RFC 3971 §5.3.2, RFC 7527).
    Nonce(&'a [u8]),
    /// A route by the router.
    Route(RouteInformation<'a>),
    /// Recursive DNS servers (RFC 8106 §5.1).
    DnsServers {
        /// Seconds for which they may be used; all ones for ever, 0 no longer.
        lifetime: u32,
        /// Their addresses; at least one.
        servers: &'a [[u8; 16]],
    },
    /// Domains in which to look for names.
    DnsSearch {
        /// Seconds for which they may be used; all ones for ever, 0 no longer.
        lifetime: u32,
        /// The domains.
        names: SearchList<'a>,
    },
    /// Something else: its type, and its data without type and length.
    Unknown(u8, &'a [u8]),
}

/// Options whose lengths were found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// Checks that options fill `data` exactly and that none has length zero (RFC 4861 §4.6).
    pub fn parse(data: &'a [u8]) -> Result<Options<'a>> {
        let mut rest = data;
        while !rest.is_empty() {
            (_, _, rest) = split_option(rest)?;
        }
        Ok(Options(data))
    }

    /// The data of the first option of a type, if it has `N` octets.
    fn find<const N: usize>(self, kind: u8) -> Option<&'a [u8; N]> {
        let mut rest = self.0;
        while let Ok((this, data, after)) = split_option(rest) {
            match data.try_into() {
                Ok(data) if this == kind => return Some(data),
                _ => rest = after,
            }
        }
        None
    }

    /// The address of the first "source link-layer address".
    pub(super) fn source_link_addr(self) -> Option<&'a [u8; 6]> {
        self.find(kind::SOURCE_LINK_ADDR)
    }

    /// The address of the first "target link-layer address".
    pub(super) fn target_link_addr(self) -> Option<&'a [u8; 6]> {
        self.find(kind::TARGET_LINK_ADDR)
    }

    /// The beginning of the packet in the first "redirected header".
    pub(super) fn redirected(mut self) -> Option<&'a [u8]> {
        self.find_map(|option| match option {
            NdOption::Redirected(packet) => Some(packet),
            _ => None,
        })
    }

    /// The octets of those that are left to come.
    pub const fn as_octets(&self) -> &'a [u8] {
        self.0
    }
}

/// Splits off one option: its type, its data, and the rest.
fn split_option(data: &[u8]) -> Result<(u8, &[u8], &[u8])> {
    let [kind, len, ..] = *data else { return Err(Error::Truncated) };
    if len == 0 {
        return Err(Error::Malformed);
    }
    let (option, rest) = data.split_at_checked(usize::from(len) * 8).ok_or(Error::Truncated)?;
    Ok((kind, option.get(2..).unwrap_or_default(), rest)) // an option has at least 8 octets
}

impl<'a> Iterator for Options<'a> {
    type Item = NdOption<'a>;

    fn next(&mut self) -> Option<NdOption<'a>> {
        let (kind, data, rest) = split_option(self.0).ok()?;
        self.0 = rest;
        Some(read_option(kind, data).unwrap_or(NdOption::Unknown(kind, data)))
    }
}

fn read_option(kind: u8, data: &[u8]) -> Option<NdOption<'_>> {
    Some(match kind {
        kind::SOURCE_LINK_ADDR => NdOption::SourceLinkAddr(data.try_into().ok()?),
        kind::TARGET_LINK_ADDR => NdOption::TargetLinkAddr(data.try_into().ok()?),
        kind::PREFIX => NdOption::Prefix(read_prefix(data.try_into().ok()?)?),
        kind::REDIRECTED => NdOption::Redirected(data.get(6..)?),
        kind::MTU => {
            let data: &[u8; 6] = data.try_into().ok()?;
            NdOption::Mtu(u32_at::<2, 6>(data))
        }
        kind::NONCE => NdOption::Nonce(data),
        kind::ROUTE => NdOption::Route(RouteInformation::read(data)?),
        kind::DNS_SERVERS => {
            let (lifetime, servers) = split_lifetime(data)?;
            match servers.as_chunks() {
                (servers, []) if !servers.is_empty() => NdOption::DnsServers { lifetime, servers },
                _ => return None,
            }
        }
        kind::DNS_SEARCH => {
            let (lifetime, names) = split_lifetime(data)?;
            NdOption::DnsSearch { lifetime, names: SearchList::parse(names)? }
        }
        _ => return None,
    })
}

/// Splits off the reserved octets and the lifetime of an option about DNS.
fn split_lifetime(data: &[u8]) -> Option<(u32, &[u8])> {
    let ([_, _, l0, l1, l2, l3], rest) = data.split_first_chunk()?;
    Some((u32::from_be_bytes([*l0, *l1, *l2, *l3]), rest))
}

/// RFC 4861 §4.6.2; `None` if the prefix is longer than an address.
fn read_prefix(data: &[u8; 30]) -> Option<PrefixInformation> {
    let [prefix_len, flags, ..] = *data;
    (prefix_len <= 128).then(|| PrefixInformation {
        prefix_len,
        flags: PrefixFlags::from_bits_truncate(flags),
        valid_lifetime: u32_at::<2, 30>(data),
        preferred_lifetime: u32_at::<6, 30>(data),
        prefix: Ipv6Address::from(*octets::<14, 16, 30>(data)),
    })
}

impl NdOption<'_> {
    /// Octets of the option: a multiple of 8.
    pub fn buffer_len(&self) -> usize {
        match self {
            NdOption::SourceLinkAddr(_) | NdOption::TargetLinkAddr(_) | NdOption::Mtu(_) => 8,
            NdOption::Prefix(_) => 32,
            NdOption::Redirected(packet) => 8 + packet.len().next_multiple_of(8),
            NdOption::Route(route) => 8 + route.prefix.len(),
            NdOption::DnsServers { servers, .. } => 8 + servers.len() * 16,
            NdOption::DnsSearch { names, .. } => 8 + names.0.len().next_multiple_of(8),
            NdOption::Nonce(data) | NdOption::Unknown(_, data) => (2 + data.len()).next_multiple_of(8),
        }
    }

    /// Writes the option.
    ///
    /// # Panics
    /// If the buffer is shorter than that, or the option longer than 2,040 octets.
    pub fn emit(&self, buffer: &mut [u8]) {
        let len = self.buffer_len();
        assert!(len <= 255 * 8, "an option has at most 2,040 octets");
        let data = &mut buffer[..len];
        data.fill(0);
        data[1] = (len / 8) as u8;
        let mut put = |kind, at: usize, octets: &[u8]| {
            data[0] = kind;
            data[at..at + octets.len()].copy_from_slice(octets);
        };
        match self {
            NdOption::SourceLinkAddr(addr) => put(kind::SOURCE_LINK_ADDR, 2, *addr),
            NdOption::TargetLinkAddr(addr) => put(kind::TARGET_LINK_ADDR, 2, *addr),
            NdOption::Mtu(mtu) => put(kind::MTU, 4, &mtu.to_be_bytes()),
            NdOption::Redirected(packet) => put(kind::REDIRECTED, 8, packet),
            NdOption::Nonce(octets) => put(kind::NONCE, 2, octets),
            NdOption::Route(route) => {
                put(kind::ROUTE, 2, &[route.prefix_len, route.preference.flags()]);
                put(kind::ROUTE, 4, &route.lifetime.to_be_bytes());
                put(kind::ROUTE, 8, route.prefix);
            }
            NdOption::DnsServers { lifetime, servers } => {
                put(kind::DNS_SERVERS, 4, &lifetime.to_be_bytes());
                put(kind::DNS_SERVERS, 8, servers.as_flattened());
            }
            NdOption::DnsSearch { lifetime, names } => {
                put(kind::DNS_SEARCH, 4, &lifetime.to_be_bytes());
                put(kind::DNS_SEARCH, 8, names.0);
            }
            NdOption::Unknown(kind, octets) => put(*kind, 2, octets),
            NdOption::Prefix(prefix) => {
                put(kind::PREFIX, 2, &[prefix.prefix_len, prefix.flags.bits()]);
                put(kind::PREFIX, 4, &prefix.valid_lifetime.to_be_bytes());
                put(kind::PREFIX, 8, &prefix.preferred_lifetime.to_be_bytes());
                put(kind::PREFIX, 16, &prefix.prefix.octets());
            }
        }
    }
}

impl fmt::Display for NdOption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NdOption::SourceLinkAddr(addr) => write!(f, "source={}", EthernetAddress(**addr)),
            NdOption::TargetLinkAddr(addr) => write!(f, "target={}", EthernetAddress(**addr)),
            NdOption::Mtu(mtu) => write!(f, "mtu={mtu}"),
            NdOption::Redirected(packet) => write!(f, "redirected len={}", packet.len()),
            NdOption::Nonce(nonce) => {
                f.write_str("nonce=")?;
                nonce.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
            NdOption::Prefix(PrefixInformation { prefix, prefix_len, flags, .. }) => {
                write!(f, "prefix={prefix}/{prefix_len}")?;
                flags.iter_names().try_for_each(|(name, _)| write!(f, " {name}"))
            }
            NdOption::Route(route) => {
                write!(f, "route={}/{} {:?}", route.addr(), route.prefix_len, route.preference)?;
                write!(f, " lifetime={}s", route.lifetime)
            }
            NdOption::DnsServers { lifetime, servers } => {
                f.write_str("dns=")?;
                fmt_list(f, servers.iter().map(|server| Ipv6Address::from(*server)))?;
                write!(f, " lifetime={lifetime}s")
            }
            NdOption::DnsSearch { lifetime, names } => {
                f.write_str("search=")?;
                fmt_list(f, *names)?;
                write!(f, " lifetime={lifetime}s")
            }
            NdOption::Unknown(kind, data) => write!(f, "option {kind} len={}", data.len()),
        }
    }
}

impl fmt::Display for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, option) in self.enumerate() {
            write!(f, "{}{option}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};
    use crate::wire::{bar, captured};

    /// Frames, octets before the options, and what they say.
    const CASES: [(&str, usize, &str); 6] = [
        (
            captured::ADVERT_OF_RADVD,
            70,
            "prefix=fd00:1::/64 ON_LINK ADDRCONF, route=fd00:2::/48 Low lifetime=600s, \
             route=fd00:3::/96 Medium lifetime=12s, dns={fd00::53, fd00::54} lifetime=600s, \
             search={example.org, lan.example.org} lifetime=600s, mtu=1480, source=02:00:00:00:00:02",
        ),
        (
            frames::ROUTER_ADVERT,
            56,
            "source=02:00:00:00:00:01, mtu=1480, prefix=fd00:1::/64 ON_LINK ADDRCONF, dns={fd00::53} \
             lifetime=600s",
        ),
        (captured::REDIRECT6, 94, "redirected len=104"),
        (frames::PROBE, 78, "nonce=df2cfb102e5e"),
        (frames::SOLICIT, 78, "source=02:00:00:00:00:01"),
        (frames::ADVERT, 78, "target=02:00:00:00:00:02"),
    ];

    /// Options, each written by itself.
    fn rewrite(data: &[u8]) -> Result<(String, Vec<u8>)> {
        let options = Options::parse(data)?;
        let mut written = Vec::new();
        for option in options {
            let at = written.len();
            written.resize(at + option.buffer_len(), 0xff);
            option.emit(&mut written[at..]);
        }
        Ok((format!("{:?} {options}", options.collect::<Vec<_>>()), written))
    }

    #[test]
    fn options_of_others_parse_and_are_written_again() {
        for (frame, skip, text) in CASES {
            let data = &hex(frame)[skip..];
            assert_eq!(Options::parse(data).unwrap().to_string(), text);
            bar::is_canonical(text, data, &rewrite);
        }
    }

    #[test]
    fn cuts_and_flips_are_found_or_survived() {
        for (frame, skip, text) in CASES {
            let data = &hex(frame)[skip..];
            let (mut options, mut ends) = (Options::parse(data).unwrap(), Vec::new());
            while !options.as_octets().is_empty() {
                ends.push(data.len() - options.as_octets().len());
                options.next();
            }
            bar::cuts_are_found(text, data, &ends, &bar::as_it_is, &rewrite);
            assert!(bar::flips_are_survived(text, data, &bar::as_it_is, &rewrite) > 40, "{text}");
        }
    }

    /// Covers: RFC 4861 §4.6, RFC 4191 §2.3, RFC 8106 §5.1, §5.2
    #[test]
    fn options_are_read_without_trust() {
        let route = |prefix_len, flags, len: u8| {
            let mut data = vec![24, len, prefix_len, flags, 0, 0, 0, 9];
            data.resize(usize::from(len) * 8, 0xfd);
            data
        };
        let names = |names: &[u8]| {
            let mut data = vec![31, 0, 0, 0, 0, 0, 0, 9];
            data.extend(names);
            data.resize(data.len().next_multiple_of(8), 0);
            data[1] = (data.len() / 8) as u8;
            data
        };
        let servers = |len: u8| {
            let mut data = vec![25, len, 0, 0, 0, 0, 0, 9];
            data.resize(usize::from(len) * 8, 0);
            data
        };
        let long = [[63; 64].as_slice(), &[63; 64], &[63; 64], &[63; 64], &[0]].concat();
        let cases = [
            ("a default route", route(0, 0, 1), "route=::/0 Medium lifetime=9s"),
            ("a route of 64 bits", route(64, 8, 2), "route=fdfd:fdfd:fdfd:fdfd::/64 High lifetime=9s"),
            ("a preference that is reserved", route(64, 0x10, 2), "option 24 len=14"),
            ("a prefix that is not all there", route(65, 0, 2), "option 24 len=14"),
            ("a prefix that is not there", route(1, 0, 1), "option 24 len=6"),
            ("a prefix longer than an address", route(129, 0, 3), "option 24 len=22"),
            ("a route of four words", route(1, 0, 4), "option 24 len=30"),
            ("no server", servers(1), "option 25 len=6"),
            ("half a server", servers(2), "option 25 len=14"),
            ("one server", servers(3), "dns={::} lifetime=9s"),
            ("a server and a half", servers(4), "option 25 len=30"),
            ("no name", names(&[]), "option 31 len=6"),
            ("zeros for names", names(&[0]), "option 31 len=14"),
            ("a name and zeros", names(b"\x01a\x02b.\0"), "search={a.b\\046} lifetime=9s"),
            ("two names", names(b"\x01a\0\x01b\0"), "search={a, b} lifetime=9s"),
            ("a name without end", names(b"\x07aaaaaaa"), "option 31 len=14"),
            ("a label beyond the option", names(b"\x3faaaaaaa"), "option 31 len=14"),
            ("a compressed name", names(b"\x01a\xc0\0"), "option 31 len=14"),
            ("more after the zeros", names(b"\x01a\0\0\x01b\0"), "option 31 len=14"),
            ("a name that is too long", names(&long), "option 31 len=270"),
            ("a nonce", vec![14, 1, 1, 2, 3, 4, 5, 6], "nonce=010203040506"),
        ];
        for (name, data, text) in cases {
            assert_eq!(Options::parse(&data).unwrap().to_string(), text, "{name}");
            assert!(bar::is_kept(name, &data, &rewrite));
        }
    }
}
