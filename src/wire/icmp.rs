//! What ICMP for IPv4 (RFC 792) and for IPv6 (RFC 4443) have in common: the header.
//!
//! ```text
//!  0                   1                   2                   3
//! |     type      |     code      |           checksum            |
//! |       identifier of an echo   |   sequence number of an echo  |
//! |       or one word: pointer, MTU, flags                        |
//! ```

use super::checksum::{Sum, sum_header};
use super::field::{octets, u16_at, u32_at};
use super::{Error, Result};

/// Octets of the header, the word after the checksum included.
pub const HEADER_LEN: usize = 8;

/// A header of eight octets. The checksum is not looked at.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a>(pub(super) &'a [u8; HEADER_LEN]);

impl<'a> Header<'a> {
    /// Splits a message into header and what follows.
    #[inline]
    pub fn split(data: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        Ok((Header(header), rest))
    }

    /// The type, by `icmpv4` or `icmpv6`.
    #[inline]
    pub fn msg_type(&self) -> u8 {
        self.0[0]
    }

    /// What the type divides into.
    #[inline]
    pub fn msg_code(&self) -> u8 {
        self.0[1]
    }

    /// The checksum field.
    #[inline]
    pub fn checksum(&self) -> [u8; 2] {
        *octets::<2, 2, HEADER_LEN>(self.0)
    }

    /// The word after the checksum: identifier and sequence number of an echo, IPv6's MTU or pointer.
    #[inline]
    pub fn word(&self) -> u32 {
        u32_at::<4, HEADER_LEN>(self.0)
    }

    /// Identifier of an echo.
    #[inline]
    pub fn echo_ident(&self) -> u16 {
        u16_at::<4, HEADER_LEN>(self.0)
    }

    /// Sequence number of an echo.
    #[inline]
    pub fn echo_seq_no(&self) -> u16 {
        u16_at::<6, HEADER_LEN>(self.0)
    }

    /// MTU of the next hop in IPv4's "fragmentation needed" (RFC 1191); 0 from old routers.
    #[inline]
    pub fn next_hop_mtu(&self) -> u16 {
        u16_at::<6, HEADER_LEN>(self.0)
    }
}

/// Writes a header; `rest` sums what follows it and, for IPv6, the pseudo-header.
pub(crate) fn emit(header: &mut [u8; HEADER_LEN], msg_type: u8, msg_code: u8, word: u32, rest: Sum) {
    let [a, b, c, d] = word.to_be_bytes();
    *header = [msg_type, msg_code, 0, 0, a, b, c, d];
    [header[2], header[3]] = sum_header(header).add(rest).finish();
}
