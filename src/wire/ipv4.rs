//! IPv4 (RFC 791, RFC 6864 for the identification). Options are located, not read.
//!
//! ```text
//!  0                   1                   2                   3
//! |version|  IHL  |   DSCP    |ECN|         total length          |
//! |        identification         |0|D|M|    fragment offset      |
//! |      TTL      |   protocol    |       header checksum         |
//! |                       source address                          |
//! |                    destination address                        |
//! |                    options, to 60 octets in all               |
//! ```

use core::fmt;

use super::checksum::{Sum, sum, sum_header};
use super::field::{octets, u16_at};
use super::{Error, IpProtocol, Ipv4Address, Result};

/// Octets of a header without options.
pub const HEADER_LEN: usize = 20;

/// Every IPv4 host takes packets of this size (RFC 791 §3.1).
pub const MIN_MTU: usize = 576;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;

/// What a packet divides into.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The fixed part of the header.
    pub header: Header<'a>,
    /// The header's options, to 40 octets; unread.
    pub options: &'a [u8],
    /// What follows, without the link's padding.
    pub payload: &'a [u8],
}

/// The fixed part of a header that was found right: version, lengths and checksum.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Header<'a> {
    /// Divides a packet, which padding may follow, and checks its header.
    #[inline]
    pub fn split(data: &'a [u8]) -> Result<Parts<'a>> {
        let (header, rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        let total_len = usize::from(u16_at::<2, HEADER_LEN>(header));
        let Some(rest_len) = total_len.checked_sub(HEADER_LEN) else { return Err(Error::Malformed) };
        let rest = rest.get(..rest_len).ok_or(Error::Truncated)?;
        // The usual case in one comparison: version 4, no options.
        if header[0] != 0x45 {
            return split_options(header, rest);
        }
        if !sum_header(header).is_valid() {
            return Err(Error::Checksum);
        }
        Ok(Parts { header: Header(header), options: &[], payload: rest })
    }

    /// DSCP (RFC 2474) and ECN (RFC 3168).
    #[inline]
    pub fn traffic_class(&self) -> u8 {
        self.0[1]
    }

    /// Octets of the header with its options.
    #[inline]
    pub fn header_len(&self) -> u8 {
        (self.0[0] & 0x0f) * 4
    }

    /// Octets of header and payload.
    #[inline]
    pub fn total_len(&self) -> u16 {
        u16_at::<2, HEADER_LEN>(self.0)
    }

    /// What the fragments of one packet have in common.
    #[inline]
    pub fn ident(&self) -> u16 {
        u16_at::<4, HEADER_LEN>(self.0)
    }

    #[inline]
    fn flags(&self) -> u16 {
        u16_at::<6, HEADER_LEN>(self.0)
    }

    /// Whether nobody on the way may cut the packet.
    #[inline]
    pub fn dont_fragment(&self) -> bool {
        self.flags() & DONT_FRAGMENT != 0
    }

    /// Whether another fragment follows this one.
    #[inline]
    pub fn more_fragments(&self) -> bool {
        self.flags() & MORE_FRAGMENTS != 0
    }

    /// Where in the whole the payload belongs, in octets: a multiple of 8.
    #[inline]
    pub fn fragment_offset(&self) -> u16 {
        (self.flags() & OFFSET_MASK) << 3
    }

    /// Whether this is a piece of a packet.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.flags() & (MORE_FRAGMENTS | OFFSET_MASK) != 0
    }

    /// Time to live: how many hops are left.
    #[inline]
    pub fn hop_limit(&self) -> u8 {
        self.0[8]
    }

    /// What the packet carries.
    #[inline]
    pub fn protocol(&self) -> IpProtocol {
        IpProtocol(self.0[9])
    }

    /// The header's checksum field.
    #[inline]
    pub fn checksum(&self) -> [u8; 2] {
        *octets::<10, 2, HEADER_LEN>(self.0)
    }

    /// The source address.
    #[inline]
    pub fn src(&self) -> &'a [u8; 4] {
        octets::<12, 4, HEADER_LEN>(self.0)
    }

    /// The destination address.
    #[inline]
    pub fn dst(&self) -> &'a [u8; 4] {
        octets::<16, 4, HEADER_LEN>(self.0)
    }
}

/// A header with options, or one that is wrong; `rest` is what follows its fixed part.
#[cold]
fn split_options<'a>(header: &'a [u8; HEADER_LEN], rest: &'a [u8]) -> Result<Parts<'a>> {
    let options_len = usize::from(header[0] & 0x0f) * 4;
    let Some(options_len) = options_len.checked_sub(HEADER_LEN) else { return Err(Error::Malformed) };
    if header[0] >> 4 != 4 {
        return Err(Error::Malformed);
    }
    // A header that is longer than the packet contradicts itself; nothing is missing.
    let Some((options, payload)) = rest.split_at_checked(options_len) else { return Err(Error::Malformed) };
    if !sum_header(header).add(sum(options)).is_valid() {
        return Err(Error::Checksum);
    }
    Ok(Parts { header: Header(header), options, payload })
}

/// A header without options, in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// The source address.
    pub src_addr: Ipv4Address,
    /// The destination address.
    pub dst_addr: Ipv4Address,
    /// What the packet carries.
    pub next_header: IpProtocol,
    /// Time to live.
    pub hop_limit: u8,
    /// Octets after the header, at most 65,515.
    pub payload_len: u16,
    /// What the fragments of one packet have in common.
    pub ident: u16,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Whether nobody on the way may cut the packet.
    pub dont_fragment: bool,
    /// Whether another fragment follows.
    pub more_fragments: bool,
    /// Where in the whole the payload belongs, in octets: a multiple of 8.
    pub fragment_offset: u16,
}

impl Repr {
    /// The usual packet: not to be fragmented, hence without identification (RFC 6864 §4.1).
    pub const fn new(
        src_addr: Ipv4Address,
        dst_addr: Ipv4Address,
        next_header: IpProtocol,
        payload_len: u16,
        hop_limit: u8,
    ) -> Repr {
        Repr {
            src_addr,
            dst_addr,
            next_header,
            hop_limit,
            payload_len,
            ident: 0,
            traffic_class: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
        }
    }

    /// Writes the header, with its checksum or, for a device that computes it, with zero there.
    #[inline]
    pub fn emit_header(&self, header: &mut [u8; HEADER_LEN], fill_checksum: bool) {
        debug_assert!(self.payload_len <= u16::MAX - HEADER_LEN as u16 && self.fragment_offset % 8 == 0);
        let [len_high, len_low] = self.payload_len.wrapping_add(HEADER_LEN as u16).to_be_bytes();
        let [id_high, id_low] = self.ident.to_be_bytes();
        let flags = if self.dont_fragment { DONT_FRAGMENT } else { 0 }
            | if self.more_fragments { MORE_FRAGMENTS } else { 0 }
            | self.fragment_offset >> 3;
        let [flags_high, flags_low] = flags.to_be_bytes();
        let ([a, b, c, d], [e, f, g, h]) = (self.src_addr.octets(), self.dst_addr.octets());
        *header = [
            0x45,
            self.traffic_class,
            len_high,
            len_low,
            id_high,
            id_low,
            flags_high,
            flags_low,
            self.hop_limit,
            self.next_header.0,
            0,
            0,
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
        ];
        if fill_checksum {
            let checksum: Sum = sum_header(header);
            [header[10], header[11]] = checksum.finish();
        }
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "IPv4 {} > {} {} len={} ttl={}",
            self.src_addr, self.dst_addr, self.next_header, self.payload_len, self.hop_limit
        )?;
        if self.more_fragments || self.fragment_offset != 0 {
            let more = if self.more_fragments { "+" } else { "" };
            write!(f, " fragment={:#06x}@{}{more}", self.ident, self.fragment_offset)?;
        }
        Ok(())
    }
}
