//! The IPv6 header (RFC 8200 §3). Extension headers are in `ipv6ext`; jumbograms are not spoken.
//!
//! ```text
//!  0                   1                   2                   3
//! |version| traffic class |              flow label               |
//! |        payload length         |  next header  |   hop limit   |
//! |                 source address, 16 octets                     |
//! |               destination address, 16 octets                  |
//! ```

use core::fmt;

use super::field::{octets, u16_at, u32_at};
use super::{Error, IpProtocol, Ipv6Address, Result};

/// Octets of the header.
pub const HEADER_LEN: usize = 40;

/// Every link carries packets of this size (RFC 8200 §5).
pub const MIN_MTU: usize = 1280;

/// A header whose version and length were found right.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Header<'a> {
    /// Splits a packet, which padding may follow, into header and payload, and checks the header.
    #[inline]
    pub fn split(data: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        if header[0] >> 4 != 6 {
            return Err(Error::Malformed);
        }
        let payload_len = usize::from(u16_at::<4, HEADER_LEN>(header));
        let payload = rest.get(..payload_len).ok_or(Error::Truncated)?;
        Ok((Header(header), payload))
    }

    /// DSCP (RFC 2474) and ECN (RFC 3168).
    #[inline]
    pub fn traffic_class(&self) -> u8 {
        (u16_at::<0, HEADER_LEN>(self.0) >> 4) as u8
    }

    /// What packets of one flow have in common, in 20 bits (RFC 6437).
    #[inline]
    pub fn flow_label(&self) -> u32 {
        u32_at::<0, HEADER_LEN>(self.0) & 0xf_ffff
    }

    /// Octets after the header, extension headers included.
    #[inline]
    pub fn payload_len(&self) -> u16 {
        u16_at::<4, HEADER_LEN>(self.0)
    }

    /// What follows: a protocol or an extension header.
    #[inline]
    pub fn next_header(&self) -> IpProtocol {
        IpProtocol(self.0[6])
    }

    /// How many hops are left.
    #[inline]
    pub fn hop_limit(&self) -> u8 {
        self.0[7]
    }

    /// The source address.
    #[inline]
    pub fn src(&self) -> &'a [u8; 16] {
        octets::<8, 16, HEADER_LEN>(self.0)
    }

    /// The destination address.
    #[inline]
    pub fn dst(&self) -> &'a [u8; 16] {
        octets::<24, 16, HEADER_LEN>(self.0)
    }
}

/// A header in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// The source address.
    pub src_addr: Ipv6Address,
    /// The destination address.
    pub dst_addr: Ipv6Address,
    /// What follows: a protocol or an extension header.
    pub next_header: IpProtocol,
    /// How many hops are left.
    pub hop_limit: u8,
    /// Octets after the header.
    pub payload_len: u16,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// What packets of one flow have in common; the lower 20 bits count.
    pub flow_label: u32,
}

impl Repr {
    /// The usual packet: no traffic class, no flow label.
    pub const fn new(
        src_addr: Ipv6Address,
        dst_addr: Ipv6Address,
        next_header: IpProtocol,
        payload_len: u16,
        hop_limit: u8,
    ) -> Repr {
        Repr { src_addr, dst_addr, next_header, hop_limit, payload_len, traffic_class: 0, flow_label: 0 }
    }

    /// Writes the header.
    #[inline]
    pub fn emit_header(&self, header: &mut [u8; HEADER_LEN]) {
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0xf_ffff;
        let [a, b, c, d] = first.to_be_bytes();
        let [e, f] = self.payload_len.to_be_bytes();
        let (fixed, addresses) = header.split_at_mut(8);
        fixed.copy_from_slice(&[a, b, c, d, e, f, self.next_header.0, self.hop_limit]);
        let (src, dst) = addresses.split_at_mut(16);
        src.copy_from_slice(&self.src_addr.octets());
        dst.copy_from_slice(&self.dst_addr.octets());
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "IPv6 {} > {} {} len={} hop-limit={}",
            self.src_addr, self.dst_addr, self.next_header, self.payload_len, self.hop_limit
        )
    }
}
