//! UDP (RFC 768; over IPv6 RFC 8200 §8.1, which makes the checksum compulsory).
//!
//! ```text
//!  0                   1                   2                   3
//! |          source port          |       destination port        |
//! |            length             |           checksum            |
//! ```

use super::checksum::{Sum, pseudo_header, sum, sum_header};
use super::field::{octets, u16_at};
use super::{Addr, Error, IpProtocol, Result};

/// Octets of the header.
pub const HEADER_LEN: usize = 8;

/// A header whose length and ports were found right.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Header<'a> {
    /// Splits a datagram, which other octets may follow, into header and payload.
    ///
    /// A length that is smaller than the header or a destination port of zero is `Malformed`.
    #[inline]
    pub fn split(data: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        let len = usize::from(u16_at::<4, HEADER_LEN>(header));
        let Some(payload_len) = len.checked_sub(HEADER_LEN) else { return Err(Error::Malformed) };
        let payload = rest.get(..payload_len).ok_or(Error::Truncated)?;
        if u16_at::<2, HEADER_LEN>(header) == 0 {
            return Err(Error::Malformed);
        }
        Ok((Header(header), payload))
    }

    /// The source port; 0 if no answer is expected.
    #[inline]
    pub fn src_port(&self) -> u16 {
        u16_at::<0, HEADER_LEN>(self.0)
    }

    /// The destination port.
    #[inline]
    pub fn dst_port(&self) -> u16 {
        u16_at::<2, HEADER_LEN>(self.0)
    }

    /// Octets of header and payload.
    #[inline]
    pub fn length(&self) -> u16 {
        u16_at::<4, HEADER_LEN>(self.0)
    }

    /// The checksum field.
    #[inline]
    pub fn checksum(&self) -> [u8; 2] {
        *octets::<6, 2, HEADER_LEN>(self.0)
    }

    /// Whether the checksum is right, or absent over IPv4, where that is allowed.
    #[inline]
    pub(crate) fn is_checksum_valid(&self, payload: &[u8], src: &Addr, dst: &Addr) -> bool {
        if self.checksum() == [0, 0] {
            // RFC 1122 §4.1.3.4 (MUST); RFC 8200 §8.1: IPv6 receivers discard these.
            return src.is_v4();
        }
        let pseudo = pseudo_header(src, dst, IpProtocol::UDP.0, u32::from(self.length()));
        pseudo.add(sum_header(self.0)).add(sum(payload)).is_valid()
    }
}

#[inline]
fn emit_fields(header: &mut [u8; HEADER_LEN], src_port: u16, dst_port: u16, len: u16) {
    let ([a, b], [c, d], [e, f]) = (src_port.to_be_bytes(), dst_port.to_be_bytes(), len.to_be_bytes());
    *header = [a, b, c, d, e, f, 0, 0];
}

/// Writes a header for `len` octets of header and payload; `rest` sums pseudo-header and payload.
#[inline]
pub(crate) fn emit(header: &mut [u8; HEADER_LEN], src_port: u16, dst_port: u16, len: u16, rest: Sum) {
    emit_fields(header, src_port, dst_port, len);
    [header[6], header[7]] = sum_header(header).add(rest).finish_udp();
}

/// The same for a device that adds header and payload to the sum of the pseudo-header by itself.
#[inline]
pub(crate) fn emit_for_device(
    header: &mut [u8; HEADER_LEN],
    src_port: u16,
    dst_port: u16,
    len: u16,
    pseudo: Sum,
) {
    emit_fields(header, src_port, dst_port, len);
    [header[6], header[7]] = pseudo.partial();
}
