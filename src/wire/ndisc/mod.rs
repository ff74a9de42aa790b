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

use core::fmt;

mod option;

use super::field::{octets, u32_at};
use super::icmpv6::msg_type;
use super::{Error, EthernetAddress, Ipv6Address, Result};

pub use option::{
    NdOption, Options, Preference, PrefixFlags, PrefixInformation, RouteInformation, SearchList, SearchName,
};

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
    /// Flags of a router advertisement; bits without a name here are kept, too.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct RouterFlags: u8 {
        /// Addresses come by DHCPv6.
        const MANAGED = 0x80;
        /// Other configuration comes by DHCPv6.
        const OTHER = 0x40;
        /// Rather this router than others (RFC 4191 §2.2); both bits of this field mean "rather not".
        const PREFER = 0x08;
    }
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
        flags: RouterFlags::from_bits_retain(flags),
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
    let solicited_by_all = is_multicast(dst) && flags.contains(NeighborFlags::SOLICITED);
    ensure(!is_multicast(target) && !solicited_by_all)?;
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
    Ok(Message::Redirect {
        target,
        dest,
        lladdr: options.target_link_addr(),
        redirected: options.redirected(),
    })
}

/// All options of a message, those that [`Message`] does not keep included; `data` is the whole message.
///
/// # Errors
/// `Unsupported` if it is no message of neighbour discovery; else as [`Options::parse`].
pub fn options(data: &[u8]) -> Result<Options<'_>> {
    let [kind, ..] = *data else { return Err(Error::Truncated) };
    let fixed_len = match kind {
        msg_type::ROUTER_SOLICIT => 8,
        msg_type::ROUTER_ADVERT => 16,
        msg_type::NEIGHBOR_SOLICIT | msg_type::NEIGHBOR_ADVERT => NEIGHBOR_LEN,
        msg_type::REDIRECT => 40,
        _ => return Err(Error::Unsupported),
    };
    Options::parse(data.get(fixed_len..).ok_or(Error::Truncated)?)
}

impl<'a> Message<'a> {
    /// Octets of the fixed part.
    const fn fixed_len(&self) -> usize {
        match self {
            Message::RouterSolicit { .. } => 8,
            Message::RouterAdvert { .. } => 16,
            Message::NeighborSolicit { .. } | Message::NeighborAdvert { .. } => NEIGHBOR_LEN,
            Message::Redirect { .. } => 40,
        }
    }

    /// The options that the fields stand for; those of a router advertisement stand for themselves.
    fn field_options(&self) -> [Option<NdOption<'a>>; 2] {
        match *self {
            Message::RouterSolicit { lladdr } | Message::NeighborSolicit { lladdr, .. } => {
                [lladdr.map(NdOption::SourceLinkAddr), None]
            }
            Message::NeighborAdvert { lladdr, .. } => [lladdr.map(NdOption::TargetLinkAddr), None],
            Message::Redirect { lladdr, redirected, .. } => {
                [lladdr.map(NdOption::TargetLinkAddr), redirected.map(NdOption::Redirected)]
            }
            Message::RouterAdvert { .. } => [None, None],
        }
    }

    /// Octets of the message with its options.
    pub fn buffer_len(&self) -> usize {
        let options = match self {
            Message::RouterAdvert { options, .. } => options.as_octets().len(),
            _ => self.field_options().iter().flatten().map(NdOption::buffer_len).sum(),
        };
        self.fixed_len() + options
    }

    /// Writes the message, without a checksum. Options other than those that are fields are not kept,
    /// except those of a router advertisement, whose `options` are written and `lladdr` is not.
    ///
    /// # Panics
    /// If the buffer is shorter than [`buffer_len`](Message::buffer_len).
    pub fn emit(&self, buffer: &mut [u8]) {
        let (fixed, mut rest) = buffer[..self.buffer_len()].split_at_mut(self.fixed_len());
        fixed.fill(0);
        match *self {
            Message::RouterSolicit { .. } => fixed[0] = msg_type::ROUTER_SOLICIT,
            Message::RouterAdvert {
                hop_limit,
                flags,
                router_lifetime,
                reachable_time,
                retrans_time,
                options,
                ..
            } => {
                fixed[0] = msg_type::ROUTER_ADVERT;
                fixed[4..6].copy_from_slice(&[hop_limit, flags.bits()]);
                fixed[6..8].copy_from_slice(&router_lifetime.to_be_bytes());
                fixed[8..12].copy_from_slice(&reachable_time.to_be_bytes());
                fixed[12..16].copy_from_slice(&retrans_time.to_be_bytes());
                rest.copy_from_slice(options.as_octets());
                return;
            }
            Message::NeighborSolicit { target, .. } => {
                fixed[0] = msg_type::NEIGHBOR_SOLICIT;
                fixed[8..24].copy_from_slice(target);
            }
            Message::NeighborAdvert { flags, target, .. } => {
                fixed[0] = msg_type::NEIGHBOR_ADVERT;
                fixed[4] = flags.bits();
                fixed[8..24].copy_from_slice(target);
            }
            Message::Redirect { target, dest, .. } => {
                fixed[0] = msg_type::REDIRECT;
                fixed[8..24].copy_from_slice(target);
                fixed[24..40].copy_from_slice(dest);
            }
        }
        for option in self.field_options().iter().flatten() {
            let (place, after) = rest.split_at_mut(option.buffer_len());
            option.emit(place);
            rest = after;
        }
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addr = |octets: &[u8; 16]| Ipv6Address::from(*octets);
        let lladdr = match self {
            Message::RouterSolicit { lladdr } => {
                f.write_str("router solicitation")?;
                lladdr
            }
            Message::RouterAdvert { router_lifetime, lladdr, .. } => {
                write!(f, "router advertisement lifetime={router_lifetime}s")?;
                lladdr
            }
            Message::NeighborSolicit { target, lladdr } => {
                write!(f, "neighbor solicitation who has {}?", addr(target))?;
                lladdr
            }
            Message::NeighborAdvert { target, lladdr, .. } => {
                write!(f, "neighbor advertisement {}", addr(target))?;
                lladdr
            }
            Message::Redirect { target, dest, lladdr, .. } => {
                write!(f, "redirect {} by {}", addr(dest), addr(target))?;
                lladdr
            }
        };
        if let Some(lladdr) = lladdr {
            write!(f, " at {}", EthernetAddress(**lladdr))?;
        }
        match self {
            Message::NeighborAdvert { flags, .. } => {
                flags.iter_names().try_for_each(|(name, _)| write!(f, " {name}"))
            }
            Message::RouterAdvert { options, .. } => {
                let mut options = *options;
                options.try_for_each(|option| match option {
                    NdOption::Prefix(prefix) => write!(f, " prefix={}/{}", prefix.prefix, prefix.prefix_len),
                    _ => Ok(()),
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};

    const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const GLOBAL: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const SOLICITED_NODE: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2];
    const UNSPECIFIED: [u8; 16] = [0; 16];

    /// The message in a frame, behind `skip` octets.
    fn message(frame: &str, skip: usize) -> Vec<u8> {
        hex(frame)[skip..].to_vec()
    }

    #[test]
    fn a_router_advertisement_tells_everything() {
        let data = message(frames::ROUTER_ADVERT, 40);
        let Ok(Message::RouterAdvert {
            hop_limit,
            flags,
            router_lifetime,
            reachable_time,
            retrans_time,
            lladdr,
            options,
        }) = Message::parse(&LINK_LOCAL, &ALL_NODES, &data)
        else {
            panic!()
        };
        assert_eq!((hop_limit, flags, router_lifetime), (64, RouterFlags::OTHER | RouterFlags::PREFER, 1800));
        assert_eq!((reachable_time, retrans_time), (30_000, 1000));
        assert_eq!(lladdr, Some(&[2, 0, 0, 0, 0, 1]));
        let options: Vec<_> = options.collect();
        let prefix = PrefixInformation {
            prefix_len: 64,
            flags: PrefixFlags::ON_LINK | PrefixFlags::ADDRCONF,
            valid_lifetime: 86_400,
            preferred_lifetime: 14_400,
            prefix: "fd00:1::".parse().unwrap(),
        };
        assert_eq!(
            options[..3],
            [NdOption::SourceLinkAddr(&[2, 0, 0, 0, 0, 1]), NdOption::Mtu(1480), NdOption::Prefix(prefix),]
        );
        assert!(matches!(options[3], NdOption::DnsServers { lifetime: 600, servers: [[0xfd, ..]] }));
        let mut written = vec![0xff; data.len() - 16];
        let mut rest = &mut written[..];
        for option in options {
            let (place, after) = rest.split_at_mut(option.buffer_len());
            option.emit(place);
            rest = after;
        }
        assert_eq!(written, data[16..]);
    }

    /// Covers: RFC 4861 §4.6, §6.1.1, §6.1.2, §7.1.1, §7.1.2, §8.1
    #[test]
    fn what_breaks_a_rule_gets_its_error() {
        struct Case(&'static str, &'static str, usize, [u8; 16], [u8; 16], &'static [(usize, u8)]);
        let (ra, redirect) = (frames::ROUTER_ADVERT, frames::REDIRECT);
        let (ns, na, rs) = (frames::SOLICIT, frames::ADVERT, frames::ROUTER_SOLICIT);
        let cases = [
            Case("NS with a code", ns, 54, GLOBAL, SOLICITED_NODE, &[(1, 1)]),
            Case("NS for a group", ns, 54, GLOBAL, SOLICITED_NODE, &[(8, 0xff)]),
            Case("NS with an option of no length", ns, 54, GLOBAL, SOLICITED_NODE, &[(25, 0)]),
            Case("NS from nobody with an address", ns, 54, UNSPECIFIED, SOLICITED_NODE, &[]),
            Case("NS from nobody to a host", ns, 54, UNSPECIFIED, GLOBAL, &[(24, 9)]),
            Case("NS from nobody to all", ns, 54, UNSPECIFIED, ALL_NODES, &[(24, 9)]),
            Case("NA with a code", na, 54, GLOBAL, GLOBAL, &[(1, 1)]),
            Case("NA for a group", na, 54, GLOBAL, GLOBAL, &[(8, 0xff)]),
            Case("NA that was solicited by all", na, 54, GLOBAL, ALL_NODES, &[]),
            Case("NA with an option of no length", na, 54, GLOBAL, GLOBAL, &[(25, 0)]),
            Case("RS with a code", rs, 54, LINK_LOCAL, ALL_NODES, &[(1, 1)]),
            Case("RS from nobody with an address", rs, 54, UNSPECIFIED, ALL_NODES, &[]),
            Case("RS with an option of no length", rs, 54, LINK_LOCAL, ALL_NODES, &[(9, 0)]),
            Case("RA from afar", ra, 40, GLOBAL, ALL_NODES, &[]),
            Case("RA with a code", ra, 40, LINK_LOCAL, ALL_NODES, &[(1, 1)]),
            Case("RA with a later option of no length", ra, 40, LINK_LOCAL, ALL_NODES, &[(33, 0)]),
            Case("redirect from afar", redirect, 40, GLOBAL, GLOBAL, &[]),
            Case("redirect with a code", redirect, 40, LINK_LOCAL, GLOBAL, &[(1, 1)]),
            Case("redirect for a group", redirect, 40, LINK_LOCAL, GLOBAL, &[(24, 0xff)]),
            Case("redirect by a stranger", redirect, 40, LINK_LOCAL, GLOBAL, &[(8, 0xfd)]),
            Case("redirect with an option of no length", redirect, 40, LINK_LOCAL, GLOBAL, &[(41, 0)]),
        ];
        for Case(name, frame, skip, src, dst, changes) in cases {
            let mut data = message(frame, skip);
            changes.iter().for_each(|&(at, value)| data[at] = value);
            assert_eq!(Message::parse(&src, &dst, &data), Err(Error::Malformed), "{name}");
        }
        // The same without what is wrong.
        let mut probe = message(ns, 54);
        probe.truncate(NEIGHBOR_LEN);
        assert!(Message::parse(&UNSPECIFIED, &SOLICITED_NODE, &probe).is_ok());
        assert!(Message::parse(&UNSPECIFIED, &ALL_NODES, &message(rs, 54)[..8]).is_ok());
        let mut unsolicited = message(na, 54);
        unsolicited[4] &= !NeighborFlags::SOLICITED.bits();
        assert!(Message::parse(&GLOBAL, &ALL_NODES, &unsolicited).is_ok());
        let mut on_link = message(redirect, 40);
        on_link.copy_within(24..40, 8);
        assert!(Message::parse(&LINK_LOCAL, &GLOBAL, &on_link).is_ok());
    }

    #[test]
    fn a_cut_at_every_octet_is_an_error_unless_an_option_ends_there() {
        let cases = [
            (frames::SOLICIT, 54, &[24][..]),
            (frames::ADVERT, 54, &[24]),
            (frames::ROUTER_SOLICIT, 54, &[8]),
            (frames::ROUTER_ADVERT, 40, &[16, 24, 32, 64]),
            (frames::REDIRECT, 40, &[40, 48]),
        ];
        for (frame, skip, ends) in cases {
            let data = message(frame, skip);
            for len in 0..data.len() {
                let parsed = Message::parse(&LINK_LOCAL, &GLOBAL, &data[..len]);
                match ends.contains(&len) {
                    true => assert!(parsed.is_ok(), "{len}"),
                    false => assert_eq!(parsed, Err(Error::Truncated), "{len}"),
                }
            }
        }
    }

    #[test]
    fn flipped_bits_never_panic_and_what_parses_is_written_and_parses_again() {
        for (frame, skip) in [(frames::ROUTER_ADVERT, 40), (frames::REDIRECT, 40), (frames::ADVERT, 54)] {
            let mut data = message(frame, skip);
            for bit in 0..data.len() * 8 {
                data[bit / 8] ^= 1 << (bit % 8);
                if let Ok(parsed) = Message::parse(&LINK_LOCAL, &GLOBAL, &data) {
                    let _ = parsed.to_string();
                    let mut written = vec![0xff; parsed.buffer_len()];
                    parsed.emit(&mut written);
                    assert_eq!(Message::parse(&LINK_LOCAL, &GLOBAL, &written), Ok(parsed), "{bit}");
                }
                data[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn options_of_another_length_are_not_understood() {
        let long_link_addr = [1, 2, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9];
        let options = Options::parse(&long_link_addr).unwrap();
        assert!(options.source_link_addr().is_none());
        let mut prefix = [0; 32];
        prefix[..3].copy_from_slice(&[3, 4, 129]);
        let mut options = Options::parse(&prefix).unwrap();
        assert!(matches!(options.next(), Some(NdOption::Unknown(3, _))));
        assert_eq!(options.next(), None);
    }
}
