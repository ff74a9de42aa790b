//! The extension headers of IPv6 with their options, to read and write (RFC 8200 §4, RFC 2711). Jumbograms
//! (RFC 2675) are unsupported; AH and ESP count as protocols.
//!
//! The engine walks over these headers in `ipv6ext`, where they are drawn.
//!
//! ```text
//!  0                   1                   2                   3
//! |  option type  | data's length |  data …                          an option
//! | 0 |                                                              a Pad1
//! ```

use core::fmt;

use super::ipv6ext::{self, FRAGMENT_HEADER_LEN, Fragment};
use super::{Error, IpProtocol, Ipv6Address, Result};

/// Octets of the longest header.
pub const MAX_LEN: usize = 256 * 8;

mod kind {
    pub(super) const PAD1: u8 = 0;
    pub(super) const PADN: u8 = 1;
    pub(super) const ROUTER_ALERT: u8 = 5;
    pub(super) const JUMBO: u8 = 0xc2;
}

/// What to do about an option that is not known: the two highest bits of its type (RFC 8200 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Skip it.
    Skip,
    /// Drop the packet.
    Discard,
    /// Drop the packet and send a parameter problem.
    Report,
    /// Drop the packet and, if it was not for a group, send a parameter problem.
    ReportUnlessMulticast,
}

impl Action {
    /// The one for options of this type.
    pub const fn of(kind: u8) -> Action {
        match kind >> 6 {
            0 => Action::Skip,
            1 => Action::Discard,
            2 => Action::Report,
            _ => Action::ReportUnlessMulticast,
        }
    }
}

/// Whether the data of options of this type may change on the way (RFC 8200 §4.2).
pub const fn may_change(kind: u8) -> bool {
    kind & 0x20 != 0
}

/// One option. Those whose length does not fit their type appear as `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ipv6Option<'a> {
    /// Padding of one octet.
    Pad1,
    /// Padding of two octets and so many more.
    PadN(u8),
    /// Routers look at the packet; the value says for what: 0 is multicast listener discovery.
    RouterAlert(u16),
    /// Something else: its type, and its data without type and length.
    Unknown(u8, &'a [u8]),
}

/// An option's type, its data, and what follows it.
type Split<'a> = (u8, &'a [u8], &'a [u8]);

fn split(data: &[u8]) -> Result<Split<'_>> {
    match *data {
        [] => Err(Error::Truncated),
        [kind::PAD1, ref rest @ ..] => Ok((kind::PAD1, &[], rest)),
        // A header holds whole options: one that goes beyond it contradicts it.
        [_] => Err(Error::Malformed),
        [kind, len, ref rest @ ..] => {
            let (data, rest) = rest.split_at_checked(usize::from(len)).ok_or(Error::Malformed)?;
            Ok((kind, data, rest))
        }
    }
}

impl<'a> Ipv6Option<'a> {
    fn read(kind: u8, data: &'a [u8]) -> Ipv6Option<'a> {
        match (kind, data) {
            (kind::PAD1, _) => Ipv6Option::Pad1,
            (kind::PADN, _) => Ipv6Option::PadN(data.len() as u8), // its length has one octet
            (kind::ROUTER_ALERT, &[high, low]) => Ipv6Option::RouterAlert(u16::from_be_bytes([high, low])),
            _ => Ipv6Option::Unknown(kind, data),
        }
    }

    /// Octets of the option.
    pub const fn buffer_len(&self) -> usize {
        match self {
            Ipv6Option::Pad1 => 1,
            Ipv6Option::PadN(len) => 2 + *len as usize,
            Ipv6Option::RouterAlert(_) => 4,
            Ipv6Option::Unknown(_, data) => 2 + data.len(),
        }
    }

    /// Writes the option to the beginning of a buffer, and returns what is left of it.
    ///
    /// # Panics
    /// If the buffer is shorter than [`buffer_len`](Ipv6Option::buffer_len), or the data longer than 255
    /// octets.
    pub fn emit<'o>(&self, buffer: &'o mut [u8]) -> &'o mut [u8] {
        let len = self.buffer_len();
        assert!(len <= 2 + 255, "an option has at most 255 octets of data");
        let (option, rest) = buffer.split_at_mut(len);
        option.fill(0);
        let mut put = |kind: u8, data: &[u8]| {
            option[..2].copy_from_slice(&[kind, (len - 2) as u8]);
            option[2..2 + data.len()].copy_from_slice(data);
        };
        match self {
            Ipv6Option::Pad1 => {}
            Ipv6Option::PadN(_) => put(kind::PADN, &[]),
            Ipv6Option::RouterAlert(value) => put(kind::ROUTER_ALERT, &value.to_be_bytes()),
            Ipv6Option::Unknown(kind, data) => put(*kind, data),
        }
        rest
    }
}

impl fmt::Display for Ipv6Option<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ipv6Option::Pad1 => f.write_str("pad1"),
            Ipv6Option::PadN(len) => write!(f, "padn={len}"),
            Ipv6Option::RouterAlert(value) => write!(f, "router-alert={value}"),
            Ipv6Option::Unknown(kind, data) => {
                write!(f, "option {kind} len={} {:?}", data.len(), Action::of(*kind))
            }
        }
    }
}

/// Options whose lengths were found right.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// Checks that options fill `data` exactly. What they want done is not looked at.
    ///
    /// # Errors
    /// `Malformed` if the last one goes beyond, or there are more than a header holds; `Unsupported` if the
    /// packet is a jumbogram.
    pub fn parse(data: &'a [u8]) -> Result<Options<'a>> {
        if data.len() > MAX_LEN - 2 {
            return Err(Error::Malformed);
        }
        let mut rest = data;
        while !rest.is_empty() {
            let kind;
            (kind, _, rest) = split(rest)?;
            if kind == kind::JUMBO {
                return Err(Error::Unsupported);
            }
        }
        Ok(Options(data))
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Ipv6Option<'a>;

    fn next(&mut self) -> Option<Ipv6Option<'a>> {
        let (kind, data, rest) = split(self.0).ok()?;
        self.0 = rest;
        Some(Ipv6Option::read(kind, data))
    }
}

/// What an extension header holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Options for every router on the way; only the first header may have this.
    HopByHop(Options<'a>),
    /// Options for the destination.
    Destination(Options<'a>),
    /// By which routers to go.
    Routing {
        /// How to read the data. Type 0 is not to be obeyed (RFC 5095).
        kind: u8,
        /// How many of the routers are still to be gone to.
        segments_left: u8,
        /// The rest, by its type: 4 octets and a multiple of 8.
        data: &'a [u8],
    },
    /// A piece of a packet, or one that is the whole (RFC 6946).
    Fragment(Fragment),
}

impl Content<'_> {
    /// Where a route of type 0 or 4 (RFC 8754) that is not done ends. Transports' checksums cover that
    /// address, not the one in the header (RFC 8200 §8.1).
    pub fn final_dst(&self) -> Option<Ipv6Address> {
        let Content::Routing { kind, segments_left: 1.., data } = self else { return None };
        let (addresses, _) = data.get(4..)?.as_chunks::<16>();
        match kind {
            0 => addresses.last(),
            4 => addresses.first(),
            _ => None,
        }
        .map(|addr| Ipv6Address::from(*addr))
    }
}

/// An extension header, in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtHeader<'a> {
    /// What follows the header.
    pub next_header: IpProtocol,
    /// What it holds.
    pub content: Content<'a>,
}

impl<'a> ExtHeader<'a> {
    /// Whether a header of this number is one that [`parse`](ExtHeader::parse) reads.
    pub const fn is_read(protocol: IpProtocol) -> bool {
        matches!(
            protocol,
            IpProtocol::HOP_BY_HOP
                | IpProtocol::IPV6_OPTIONS
                | IpProtocol::IPV6_ROUTE
                | IpProtocol::IPV6_FRAGMENT
        )
    }

    /// Reads the header that `protocol` names, and returns what follows it.
    ///
    /// # Errors
    /// Those of [`Options::parse`]; `Truncated` if the header goes beyond `data`; `Unsupported` if `protocol`
    /// names none of these headers.
    pub fn parse(protocol: IpProtocol, data: &'a [u8]) -> Result<(ExtHeader<'a>, &'a [u8])> {
        if !ExtHeader::is_read(protocol) {
            return Err(Error::Unsupported);
        }
        let [next_header, len, a, b, o0, o1, o2, o3] = *data.first_chunk().ok_or(Error::Truncated)?;
        let next_header = IpProtocol(next_header);
        if protocol == IpProtocol::IPV6_FRAGMENT {
            let offset_and_more = u16::from_be_bytes([a, b]);
            let ident = u32::from_be_bytes([o0, o1, o2, o3]);
            let fragment = Fragment { ident, offset: offset_and_more & !7, more: offset_and_more & 1 != 0 };
            let rest = data.get(FRAGMENT_HEADER_LEN..).ok_or(Error::Truncated)?;
            return Ok((ExtHeader { next_header, content: Content::Fragment(fragment) }, rest));
        }
        let len = (usize::from(len) + 1) * 8;
        let (header, rest) = data.split_at_checked(len).ok_or(Error::Truncated)?;
        let content = match (protocol, header) {
            (IpProtocol::IPV6_ROUTE, [_, _, kind, segments_left, data @ ..]) => {
                Content::Routing { kind: *kind, segments_left: *segments_left, data }
            }
            (IpProtocol::HOP_BY_HOP, [_, _, options @ ..]) => Content::HopByHop(Options::parse(options)?),
            (_, [_, _, options @ ..]) => Content::Destination(Options::parse(options)?),
            _ => return Err(Error::Truncated), // never: it has at least 8 octets
        };
        Ok((ExtHeader { next_header, content }, rest))
    }

    /// The number by which what stands before this header names it.
    pub const fn protocol(&self) -> IpProtocol {
        match self.content {
            Content::HopByHop(_) => IpProtocol::HOP_BY_HOP,
            Content::Destination(_) => IpProtocol::IPV6_OPTIONS,
            Content::Routing { .. } => IpProtocol::IPV6_ROUTE,
            Content::Fragment(_) => IpProtocol::IPV6_FRAGMENT,
        }
    }

    /// Octets of the header: a multiple of 8.
    pub const fn buffer_len(&self) -> usize {
        match self.content {
            Content::HopByHop(options) | Content::Destination(options) => {
                (2 + options.0.len()).next_multiple_of(8)
            }
            Content::Routing { data, .. } => (4 + data.len()).next_multiple_of(8),
            Content::Fragment(_) => FRAGMENT_HEADER_LEN,
        }
    }

    /// Writes the header; options are padded to its end.
    ///
    /// # Panics
    /// If the buffer is shorter than that, or the header longer than [`MAX_LEN`].
    pub fn emit(&self, buffer: &mut [u8]) {
        let len = self.buffer_len();
        assert!(len <= MAX_LEN, "an extension header has at most 2,048 octets");
        let header = &mut buffer[..len];
        header.fill(0);
        header[..2].copy_from_slice(&[self.next_header.0, (len / 8 - 1) as u8]);
        match self.content {
            Content::HopByHop(options) | Content::Destination(options) => {
                let (place, padding) = header[2..].split_at_mut(options.0.len());
                place.copy_from_slice(options.0);
                match padding.len() {
                    0 => {}
                    1 => _ = Ipv6Option::Pad1.emit(padding),
                    len => _ = Ipv6Option::PadN((len - 2) as u8).emit(padding),
                }
            }
            Content::Routing { kind, segments_left, data } => {
                header[2..4].copy_from_slice(&[kind, segments_left]);
                header[4..4 + data.len()].copy_from_slice(data);
            }
            Content::Fragment(fragment) => {
                if let Some(header) = header.first_chunk_mut() {
                    ipv6ext::emit_fragment(header, self.next_header, &fragment);
                }
            }
        }
    }
}

impl fmt::Display for ExtHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::HopByHop(options) | Content::Destination(options) => {
                write!(f, "{}", self.protocol())?;
                let is_padding =
                    |option: &Ipv6Option<'_>| matches!(option, Ipv6Option::Pad1 | Ipv6Option::PadN(_));
                let mut options = options.filter(|option| !is_padding(option));
                options.try_for_each(|option| write!(f, " {option}"))?;
            }
            Content::Routing { kind, segments_left, data } => {
                write!(
                    f,
                    "{} type={kind} segments-left={segments_left} len={}",
                    self.protocol(),
                    data.len()
                )?;
            }
            Content::Fragment(Fragment { ident, offset, more }) => {
                let more = if more { "+" } else { "" };
                write!(f, "fragment={ident:#010x}@{offset}{more}")?;
            }
        }
        write!(f, " {}", self.next_header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};
    use crate::wire::{Ipv6Packet, bar, captured};

    const HBH: IpProtocol = IpProtocol::HOP_BY_HOP;
    const OPTS: IpProtocol = IpProtocol::IPV6_OPTIONS;
    const ROUTE: IpProtocol = IpProtocol::IPV6_ROUTE;
    const FRAG: IpProtocol = IpProtocol::IPV6_FRAGMENT;

    /// Frames, octets before the IPv6 header, and their extension headers.
    const CASES: [(&str, usize, &[&str]); 7] = [
        (captured::HOP_BY_HOP, 14, &["Hop-by-Hop router-alert=0 UDP"]),
        (captured::DESTINATION_OPTIONS, 14, &["IPv6-Opts option 30 len=4 Skip UDP"]),
        (captured::ROUTING, 0, &["IPv6-Route type=4 segments-left=1 len=36 UDP"]),
        (captured::ROUTING0, 0, &["IPv6-Route type=0 segments-left=2 len=36 UDP"]),
        (frames::MLD_REPORT, 14, &["Hop-by-Hop router-alert=0 ICMPv6"]),
        (frames::FRAGMENT6_LAST, 14, &["fragment=0x8e81741f@1448 ICMPv6"]),
        (
            frames::EXTENSIONS,
            0,
            &["Hop-by-Hop router-alert=0 IPv6-Opts", "IPv6-Opts IPv6-Frag", "fragment=0x00000009@0 UDP"],
        ),
    ];

    /// Reads and writes one header; what follows it stays.
    fn rewrite(protocol: IpProtocol, data: &[u8]) -> Result<(String, Vec<u8>)> {
        let (header, rest) = ExtHeader::parse(protocol, data)?;
        assert_eq!(header.protocol(), protocol);
        let mut written = vec![0xff; header.buffer_len()];
        header.emit(&mut written);
        written.extend(rest);
        Ok((format!("{header:?} {header}"), written))
    }

    /// The headers of a packet, each with what follows it, by the number that names it.
    fn headers(frame: &str, skip: usize) -> Vec<(IpProtocol, Vec<u8>)> {
        let data = hex(frame);
        let packet = Ipv6Packet::new_checked(&data[skip..]).unwrap();
        let (mut protocol, mut rest) = (packet.next_header(), packet.payload());
        let mut headers = Vec::new();
        while ExtHeader::is_read(protocol) {
            headers.push((protocol, rest.to_vec()));
            let header;
            (header, rest) = ExtHeader::parse(protocol, rest).unwrap();
            protocol = header.next_header;
        }
        headers
    }

    #[test]
    fn headers_of_others_parse_and_are_written_again() {
        for (frame, skip, texts) in CASES {
            let headers = headers(frame, skip);
            assert_eq!(headers.len(), texts.len());
            for ((protocol, data), text) in headers.iter().zip(texts) {
                let (header, _) = ExtHeader::parse(*protocol, data).unwrap();
                assert_eq!(header.to_string(), *text);
                bar::is_canonical(text, data, &|data| rewrite(*protocol, data));
            }
        }
    }

    #[test]
    fn a_cut_in_a_header_is_found_and_flips_are_survived() {
        for (frame, skip, texts) in CASES {
            for ((protocol, data), text) in headers(frame, skip).iter().zip(texts) {
                let rewrite = |data: &[u8]| rewrite(*protocol, data);
                let (header, rest) = ExtHeader::parse(*protocol, data).unwrap();
                let data = &data[..data.len() - rest.len()];
                assert_eq!(data.len(), header.buffer_len());
                bar::cuts_are_found(text, data, &[], &bar::as_it_is, &rewrite);
                assert!(bar::flips_are_survived(text, data, &bar::as_it_is, &rewrite) > 8, "{text}");
            }
        }
    }

    /// Covers: RFC 8200 §4.2
    #[test]
    fn headers_are_read_without_trust() {
        let cases = [
            ("an option beyond the header", HBH, &[17, 0, 5, 5, 0, 0, 0, 0][..], Err(Error::Malformed)),
            ("a type without a length", OPTS, &[17, 0, 0, 0, 0, 0, 0, 9], Err(Error::Malformed)),
            ("a header beyond the packet", OPTS, &[17, 1, 0, 0, 0, 0, 0, 0], Err(Error::Truncated)),
            ("a header of 2,048 octets", ROUTE, &[17, 255, 0, 0, 0, 0, 0, 0], Err(Error::Truncated)),
            ("a jumbogram", HBH, &[17, 0, 0xc2, 4, 0, 1, 0, 0], Err(Error::Unsupported)),
            ("no extension header", IpProtocol::UDP, &[17, 0, 0, 0, 0, 0, 0, 0], Err(Error::Unsupported)),
            (
                "a short router alert",
                HBH,
                &[17, 0, 5, 1, 0, 1, 1, 0],
                Ok("Hop-by-Hop option 5 len=1 Skip UDP"),
            ),
            ("padding only", HBH, &[59, 0, 0, 0, 0, 0, 0, 0], Ok("Hop-by-Hop IPv6-NoNxt")),
            (
                "what wants a discard",
                OPTS,
                &[6, 0, 0x5e, 4, 0, 0, 0, 0],
                Ok("IPv6-Opts option 94 len=4 Discard TCP"),
            ),
            (
                "what wants a report",
                OPTS,
                &[6, 0, 0x9e, 4, 0, 0, 0, 0],
                Ok("IPv6-Opts option 158 len=4 Report TCP"),
            ),
            (
                "what wants a report unless sent to a group",
                OPTS,
                &[6, 0, 0xfe, 4, 0, 0, 0, 0],
                Ok("IPv6-Opts option 254 len=4 ReportUnlessMulticast TCP"),
            ),
            (
                "a routing header that is done",
                ROUTE,
                &[6, 0, 2, 0, 0, 0, 0, 0],
                Ok("IPv6-Route type=2 segments-left=0 len=4 TCP"),
            ),
            ("a first fragment", FRAG, &[6, 9, 0, 1, 0, 0, 0, 7], Ok("fragment=0x00000007@0+ TCP")),
        ];
        for (name, protocol, data, expected) in cases {
            let text = ExtHeader::parse(protocol, data).map(|(header, _)| header.to_string());
            assert_eq!(text.as_deref(), expected.as_ref().copied(), "{name}");
            bar::is_kept(name, data, &|data| rewrite(protocol, data));
        }
        assert!(may_change(0x3e) && !may_change(0x1e));
    }

    #[test]
    fn options_are_padded_to_the_end_of_a_header() {
        for len in 0..24_u8 {
            let data = vec![7; usize::from(len)];
            let mut options = vec![0; 2 + data.len()];
            assert!(Ipv6Option::Unknown(0x1e, &data).emit(&mut options).is_empty());
            let content = Content::Destination(Options::parse(&options).unwrap());
            let header = ExtHeader { next_header: IpProtocol::UDP, content };
            let mut written = vec![0xff; header.buffer_len()];
            header.emit(&mut written);
            assert_eq!(written.len() % 8, 0);
            let (again, _) = ExtHeader::parse(OPTS, &written).unwrap();
            assert_eq!(again.to_string(), header.to_string());
            let Content::Destination(read) = again.content else { panic!("{again}") };
            assert!(read.count() <= 2, "one padding at most");
            bar::is_canonical("padded", &written, &|data| rewrite(OPTS, data));
        }
    }

    #[test]
    fn the_header_of_multicast_listener_discovery_is_one() {
        let (header, rest) = ExtHeader::parse(HBH, &ipv6ext::ROUTER_ALERT_HEADER).unwrap();
        assert_eq!((header.to_string().as_str(), rest.len()), ("Hop-by-Hop router-alert=0 ICMPv6", 0));
        let Content::HopByHop(options) = header.content else { panic!("{header}") };
        assert!(options.eq([Ipv6Option::RouterAlert(0), Ipv6Option::PadN(0)]));
    }
}
