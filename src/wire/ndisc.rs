//! Neighbour discovery for IPv6 over Ethernet (RFC 4861; RFC 4862 for duplicate addresses).
//!
//! [`Message::parse`] holds a message against every rule of RFC 4861 that its octets and addresses can
//! break (§6.1.1, §6.1.2, §7.1.1, §7.1.2, §8.1). Three rules are the caller's, who sees the rest of the
//! packet: the hop limit must be 255, the checksum right, and the message no fragment (RFC 6980). That
//! a redirect comes from the first hop in use is the caller's as well.
//!
//! ```text
//!  0                   1                   2                   3
//! |     type      |   code (0)    |           checksum            |
//! |R|S|O|                 reserved: advertisement's flags         |
//! |                  target address, 16 octets                    |
//! |  option type  |  length / 8   |  option's data …
//! ```

use super::checksum::{Sum, sum};
use super::field::{octets, u32_at};
use super::icmpv6::msg_type;
use super::{Error, Ipv6Address, Result};

/// Octets of a solicitation or an advertisement of a neighbour, without options.
pub const NEIGHBOR_LEN: usize = 24;
/// The same with one option that holds an Ethernet address.
pub const NEIGHBOR_WITH_LINK_LEN: usize = NEIGHBOR_LEN + 8;
/// The hop limit that proves that a message was sent on this link.
pub const HOP_LIMIT: u8 = 255;

bitflags::bitflags! {
    /// Flags of a neighbour advertisement.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct NeighborFlags: u8 {
        /// The sender is a router.
        const ROUTER = 0x80;
        /// An answer to a solicitation.
        const SOLICITED = 0x40;
        /// Replaces a link-layer address that is cached.
        const OVERRIDE = 0x20;
    }
}

bitflags::bitflags! {
    /// Flags of a router advertisement.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct RouterFlags: u8 {
        /// Addresses come by DHCPv6.
        const MANAGED = 0x80;
        /// Other configuration comes by DHCPv6.
        const OTHER = 0x40;
    }
}

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

mod option {
    pub(super) const SOURCE_LINK_ADDR: u8 = 1;
    pub(super) const TARGET_LINK_ADDR: u8 = 2;
    pub(super) const PREFIX: u8 = 3;
    pub(super) const REDIRECTED: u8 = 4;
    pub(super) const MTU: u8 = 5;
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

/// One option. Those whose length does not fit Ethernet or their type appear as `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// The first option that `pick` takes something from.
    fn find<T>(self, pick: impl FnMut(NdOption<'a>) -> Option<T>) -> Option<T> {
        let mut options = self;
        options.find_map(pick)
    }

    fn source_link_addr(self) -> Option<&'a [u8; 6]> {
        self.find(|option| match option {
            NdOption::SourceLinkAddr(addr) => Some(addr),
            _ => None,
        })
    }

    fn target_link_addr(self) -> Option<&'a [u8; 6]> {
        self.find(|option| match option {
            NdOption::TargetLinkAddr(addr) => Some(addr),
            _ => None,
        })
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
        option::SOURCE_LINK_ADDR => NdOption::SourceLinkAddr(data.try_into().ok()?),
        option::TARGET_LINK_ADDR => NdOption::TargetLinkAddr(data.try_into().ok()?),
        option::PREFIX => NdOption::Prefix(read_prefix(data.try_into().ok()?)?),
        option::REDIRECTED => NdOption::Redirected(data.get(6..)?),
        option::MTU => {
            let data: &[u8; 6] = data.try_into().ok()?;
            NdOption::Mtu(u32_at::<2, 6>(data))
        }
        _ => return None,
    })
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

/// A message that keeps the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Asks routers to advertise.
    RouterSolicit {
        /// The sender's link-layer address.
        lladdr: Option<&'a [u8; 6]>,
    },
    /// A router and its link's parameters; prefixes and MTU are among the options.
    RouterAdvert {
        /// Hop limit to send with; 0 if the router doesn't say.
        hop_limit: u8,
        /// What comes by DHCPv6.
        flags: RouterFlags,
        /// Seconds for which the router is a default router; 0 if it is none.
        router_lifetime: u16,
        /// Milliseconds for which a neighbour counts as reachable; 0 if the router doesn't say.
        reachable_time: u32,
        /// Milliseconds between solicitations; 0 if the router doesn't say.
        retrans_time: u32,
        /// The router's link-layer address.
        lladdr: Option<&'a [u8; 6]>,
        /// All options.
        options: Options<'a>,
    },
    /// Asks for a link-layer address.
    NeighborSolicit {
        /// Whose.
        target: &'a [u8; 16],
        /// The sender's link-layer address.
        lladdr: Option<&'a [u8; 6]>,
    },
    /// Tells a link-layer address.
    NeighborAdvert {
        /// Router, solicited, override.
        flags: NeighborFlags,
        /// Whose.
        target: &'a [u8; 16],
        /// The target's link-layer address.
        lladdr: Option<&'a [u8; 6]>,
    },
    /// A better first hop.
    Redirect {
        /// The first hop; the destination itself if that is on the link.
        target: &'a [u8; 16],
        /// For which destination.
        dest: &'a [u8; 16],
        /// The target's link-layer address.
        lladdr: Option<&'a [u8; 6]>,
        /// The beginning of the packet that led to this.
        redirected: Option<&'a [u8]>,
    },
}

fn is_multicast(addr: &[u8; 16]) -> bool {
    addr[0] == 0xff
}

fn is_link_local(addr: &[u8; 16]) -> bool {
    addr[0] == 0xfe && addr[1] & 0xc0 == 0x80
}

fn is_solicited_node(addr: &[u8; 16]) -> bool {
    *octets::<0, 13, 16>(addr) == [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff]
}

/// What a message that breaks a rule gets.
fn ensure(rule: bool) -> Result<()> {
    if rule { Ok(()) } else { Err(Error::Malformed) }
}

impl<'a> Message<'a> {
    /// Reads a message and holds it against the rules; the caller has checked hop limit and checksum.
    ///
    /// `Unsupported` if it is no message of neighbour discovery.
    pub fn parse(src: &[u8; 16], dst: &[u8; 16], data: &'a [u8]) -> Result<Message<'a>> {
        let (fixed, rest) = data.split_first_chunk::<8>().ok_or(Error::Truncated)?;
        let parse = match fixed[0] {
            msg_type::ROUTER_SOLICIT => parse_router_solicit,
            msg_type::ROUTER_ADVERT => parse_router_advert,
            msg_type::NEIGHBOR_SOLICIT => parse_neighbor_solicit,
            msg_type::NEIGHBOR_ADVERT => parse_neighbor_advert,
            msg_type::REDIRECT => parse_redirect,
            _ => return Err(Error::Unsupported),
        };
        ensure(fixed[1] == 0)?;
        parse(src, dst, fixed, rest)
    }
}

/// RFC 4861 §6.1.1.
fn parse_router_solicit<'a>(
    src: &[u8; 16],
    _dst: &[u8; 16],
    _fixed: &'a [u8; 8],
    rest: &'a [u8],
) -> Result<Message<'a>> {
    let lladdr = Options::parse(rest)?.source_link_addr();
    ensure(lladdr.is_none() || *src != [0; 16])?;
    Ok(Message::RouterSolicit { lladdr })
}

/// RFC 4861 §6.1.2.
fn parse_router_advert<'a>(
    src: &[u8; 16],
    _dst: &[u8; 16],
    fixed: &'a [u8; 8],
    rest: &'a [u8],
) -> Result<Message<'a>> {
    let (times, options) = rest.split_first_chunk::<8>().ok_or(Error::Truncated)?;
    ensure(is_link_local(src))?;
    let options = Options::parse(options)?;
    let [.., hop_limit, flags, lifetime_high, lifetime_low] = *fixed;
    Ok(Message::RouterAdvert {
        hop_limit,
        flags: RouterFlags::from_bits_truncate(flags),
        router_lifetime: u16::from_be_bytes([lifetime_high, lifetime_low]),
        reachable_time: u32_at::<0, 8>(times),
        retrans_time: u32_at::<4, 8>(times),
        lladdr: options.source_link_addr(),
        options,
    })
}

/// RFC 4861 §7.1.1.
fn parse_neighbor_solicit<'a>(
    src: &[u8; 16],
    dst: &[u8; 16],
    _fixed: &'a [u8; 8],
    rest: &'a [u8],
) -> Result<Message<'a>> {
    let (target, options) = rest.split_first_chunk::<16>().ok_or(Error::Truncated)?;
    let lladdr = Options::parse(options)?.source_link_addr();
    let probe = *src == [0; 16];
    ensure(!is_multicast(target) && (!probe || is_solicited_node(dst) && lladdr.is_none()))?;
    Ok(Message::NeighborSolicit { target, lladdr })
}

/// RFC 4861 §7.1.2.
fn parse_neighbor_advert<'a>(
    _src: &[u8; 16],
    dst: &[u8; 16],
    fixed: &'a [u8; 8],
    rest: &'a [u8],
) -> Result<Message<'a>> {
    let (target, options) = rest.split_first_chunk::<16>().ok_or(Error::Truncated)?;
    let lladdr = Options::parse(options)?.target_link_addr();
    let flags = NeighborFlags::from_bits_truncate(fixed[4]);
    ensure(!is_multicast(target) && !(is_multicast(dst) && flags.contains(NeighborFlags::SOLICITED)))?;
    Ok(Message::NeighborAdvert { flags, target, lladdr })
}

/// RFC 4861 §8.1.
fn parse_redirect<'a>(
    src: &[u8; 16],
    _dst: &[u8; 16],
    _fixed: &'a [u8; 8],
    rest: &'a [u8],
) -> Result<Message<'a>> {
    let (target, rest) = rest.split_first_chunk::<16>().ok_or(Error::Truncated)?;
    let (dest, options) = rest.split_first_chunk::<16>().ok_or(Error::Truncated)?;
    let options = Options::parse(options)?;
    ensure(is_link_local(src) && !is_multicast(dest) && (is_link_local(target) || target == dest))?;
    let redirected = options.find(|option| match option {
        NdOption::Redirected(packet) => Some(packet),
        _ => None,
    });
    Ok(Message::Redirect { target, dest, lladdr: options.target_link_addr(), redirected })
}

/// Writes a solicitation, with the sender's Ethernet address unless it is a probe.
///
/// `message` has [`NEIGHBOR_WITH_LINK_LEN`] octets, or [`NEIGHBOR_LEN`] without the address.
pub(crate) fn emit_neighbor_solicit(
    message: &mut [u8],
    target: &[u8; 16],
    lladdr: Option<&[u8; 6]>,
    pseudo: Sum,
) {
    let link = lladdr.map(|addr| (option::SOURCE_LINK_ADDR, addr));
    emit_neighbor(message, [msg_type::NEIGHBOR_SOLICIT, 0], target, link, pseudo);
}

/// Writes an advertisement with the target's Ethernet address, in [`NEIGHBOR_WITH_LINK_LEN`] octets.
pub(crate) fn emit_neighbor_advert(
    message: &mut [u8],
    flags: NeighborFlags,
    target: &[u8; 16],
    lladdr: &[u8; 6],
    pseudo: Sum,
) {
    let link = Some((option::TARGET_LINK_ADDR, lladdr));
    emit_neighbor(message, [msg_type::NEIGHBOR_ADVERT, flags.bits()], target, link, pseudo);
}

fn emit_neighbor(
    message: &mut [u8],
    [msg_type, flags]: [u8; 2],
    target: &[u8; 16],
    link: Option<(u8, &[u8; 6])>,
    pseudo: Sum,
) {
    debug_assert_eq!(message.len(), if link.is_some() { NEIGHBOR_WITH_LINK_LEN } else { NEIGHBOR_LEN });
    let Some((fixed, rest)) = message.split_first_chunk_mut() else { return };
    let Some((place, rest)) = rest.split_first_chunk_mut() else { return };
    *fixed = [msg_type, 0, 0, 0, flags, 0, 0, 0];
    *place = *target;
    if let (Some((kind, &[a, b, c, d, e, f])), Some(place)) = (link, rest.first_chunk_mut()) {
        *place = [kind, 1, a, b, c, d, e, f];
    }
    let checksum = sum(message).add(pseudo).finish();
    if let Some([_, _, high, low, ..]) = message.first_chunk_mut::<8>() {
        [*high, *low] = checksum;
    }
}
