//! UDP (RFC 768; over IPv6 RFC 8200 §8.1, which makes the checksum compulsory).
//!
//! ```text
//!  0                   1                   2                   3
//! |          source port          |       destination port        |
//! |            length             |           checksum            |
//! ```

use core::fmt;

use super::checksum::{Sum, copy_and_sum, pseudo_header, pseudo_header_of, sum, sum_header};
use super::field::{octets, u16_at};
use super::{Addr, Error, IpAddress, IpProtocol, Result};

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

packet! {
    /// A datagram in a buffer.
    Packet, |data| Header::split(data).map(|_| ())
}

getters! { Packet:
    src_port -> u16;
    dst_port -> u16;
    length -> u16;
    checksum -> [u8; 2];
}

setters! { Packet:
    set_src_port(src_port: u16) at 0 = src_port.to_be_bytes();
    set_dst_port(dst_port: u16) at 2 = dst_port.to_be_bytes();
    set_length(length: u16) at 4 = length.to_be_bytes();
    set_checksum(checksum: [u8; 2]) at 6 = checksum;
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// What follows the header.
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[HEADER_LEN..usize::from(self.length())]
    }

    fn sum(&self, src: &IpAddress, dst: &IpAddress) -> Sum {
        let pseudo = pseudo_header_of(src, dst, IpProtocol::UDP.0, u32::from(self.length()));
        pseudo.add(sum(&self.buffer.as_ref()[..usize::from(self.length())]))
    }

    /// Whether the checksum is right, or absent over IPv4.
    pub fn verify_checksum(&self, src: &IpAddress, dst: &IpAddress) -> bool {
        match self.checksum() {
            [0, 0] => matches!(src, IpAddress::Ipv4(_)),
            _ => self.sum(src, dst).is_valid(),
        }
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// What follows the header, to write it.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let len = usize::from(self.length());
        &mut self.buffer.as_mut()[HEADER_LEN..len]
    }

    /// Computes the checksum and writes it.
    pub fn fill_checksum(&mut self, src: &IpAddress, dst: &IpAddress) {
        self.set_checksum([0; 2]);
        let checksum = self.sum(src, dst).finish_udp();
        self.set_checksum(checksum);
    }
}

/// A header in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// The source port; 0 if no answer is expected.
    pub src_port: u16,
    /// The destination port; not 0.
    pub dst_port: u16,
}

impl Repr {
    /// Reads a header and verifies the checksum.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>, src: &IpAddress, dst: &IpAddress) -> Result<Repr> {
        packet.check_len()?;
        if !packet.verify_checksum(src, dst) {
            return Err(Error::Checksum);
        }
        Ok(Repr { src_port: packet.src_port(), dst_port: packet.dst_port() })
    }

    /// Octets of a datagram with this payload.
    pub const fn buffer_len(&self, payload_len: usize) -> usize {
        HEADER_LEN + payload_len
    }

    /// Writes a datagram.
    ///
    /// # Panics
    /// If the buffer is shorter than header and payload, or these are longer than 65,535 octets.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(
        &self,
        packet: &mut Packet<T>,
        src: &IpAddress,
        dst: &IpAddress,
        payload: &[u8],
    ) {
        let len = self.buffer_len(payload.len());
        assert!(len <= usize::from(u16::MAX), "a UDP datagram has at most 65,535 octets");
        let Some((header, rest)) = packet.buffer.as_mut()[..len].split_first_chunk_mut() else { return };
        let pseudo = pseudo_header_of(src, dst, IpProtocol::UDP.0, len as u32);
        let rest = pseudo.add(copy_and_sum(rest, payload));
        emit(header, self.src_port, self.dst_port, len as u16, rest);
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UDP {} > {}", self.src_port, self.dst_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bar;
    use crate::wire::frames::{self, hex};

    fn v4() -> (IpAddress, IpAddress) {
        (IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2))
    }

    fn v6() -> (IpAddress, IpAddress) {
        (IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1), IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2))
    }

    #[test]
    fn datagrams_of_linux_parse_and_are_written_again() {
        for (data, (src, dst)) in [(&hex(frames::UDP4)[34..], v4()), (&hex(frames::UDP6)[54..], v6())] {
            let packet = Packet::new_checked(data).unwrap();
            assert_eq!(packet.payload(), b"hello");
            let repr = Repr::parse(&packet, &src, &dst).unwrap();
            assert_eq!(repr.to_string(), "UDP 5555 > 7777");
            let mut copy = Packet::new_unchecked(vec![0xff; data.len()]);
            repr.emit(&mut copy, &src, &dst, packet.payload());
            assert_eq!(copy.as_ref(), data);
            copy.set_checksum([0xee; 2]);
            copy.fill_checksum(&src, &dst);
            assert_eq!(copy.into_inner(), data);
        }
    }

    #[test]
    fn what_breaks_the_format_gets_its_error() {
        let good = hex(frames::UDP4)[34..].to_vec();
        for len in 0..good.len() {
            assert_eq!(Header::split(&good[..len]).unwrap_err(), Error::Truncated, "{len}");
        }
        let cases = [
            ("length below the header", 5, 7, Error::Malformed),
            ("length zero", 5, 0, Error::Malformed),
            ("length beyond the data", 5, 14, Error::Truncated),
        ];
        for (name, at, value, error) in cases {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Header::split(&bad).unwrap_err(), error, "{name}");
        }
        let mut bad = good.clone();
        bad[2..4].fill(0);
        assert_eq!(Header::split(&bad).unwrap_err(), Error::Malformed, "destination port zero");
    }

    #[test]
    fn one_flipped_bit_is_always_found() {
        let (src, dst) = v4();
        let mut data = hex(frames::UDP4)[34..].to_vec();
        for bit in 0..data.len() * 8 {
            data[bit / 8] ^= 1 << (bit % 8);
            let parsed = Packet::new_checked(&data).and_then(|packet| Repr::parse(&packet, &src, &dst));
            assert!(parsed.is_err(), "{bit}");
            data[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn with_a_right_checksum_what_parses_is_kept() {
        for (name, data, (src, dst)) in
            [("IPv4", &hex(frames::UDP4)[34..], v4()), ("IPv6", &hex(frames::UDP6)[54..], v6())]
        {
            let rewrite = |data: &[u8]| {
                let packet = Packet::new_checked(data)?;
                let repr = Repr::parse(&packet, &src, &dst)?;
                let mut copy = Packet::new_unchecked(vec![0xff; repr.buffer_len(packet.payload().len())]);
                repr.emit(&mut copy, &src, &dst, packet.payload());
                Ok((format!("{repr:?} {repr} {:?}", packet.payload()), copy.into_inner()))
            };
            let repair = |data: &mut [u8]| {
                if let Ok(mut packet) = Packet::new_checked(data) {
                    packet.fill_checksum(&src, &dst);
                }
            };
            bar::is_canonical(name, data, &rewrite);
            bar::cuts_are_found(name, data, &[], &repair, &rewrite);
            // Ports, checksum, payload; of the length three bits may be missing, of which none leaves eight octets or more than
            // there are.
            let readable = bar::flips_are_survived(name, data, &repair, &rewrite);
            assert_eq!(readable, (4 + 2 + 5) * 8 + SHORTER, "{name}");
        }
    }

    /// One-bit flips of a length of 13 that leave 8 to 13: 12 and 9.
    const SHORTER: usize = 2;

    /// Covers: RFC 768, RFC 8200 §8.1
    #[test]
    fn a_missing_checksum_passes_over_ipv4_only() {
        let mut data = hex(frames::UDP4)[34..].to_vec();
        data[6..8].fill(0);
        let packet = Packet::new_checked(&data).unwrap();
        assert!(packet.verify_checksum(&v4().0, &v4().1));
        assert!(!packet.verify_checksum(&v6().0, &v6().1));
    }

    #[test]
    #[cfg(feature = "proto-ipv4")]
    fn the_engine_writes_and_verifies_the_same() {
        let data = hex(frames::UDP4)[34..].to_vec();
        let (src, dst) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
        let (header, payload) = Header::split(&data).unwrap();
        assert!(header.is_checksum_valid(payload, &src, &dst));
        assert!(!header.is_checksum_valid(b"jello", &src, &dst));
        let pseudo = pseudo_header(&src, &dst, 17, 13);
        let mut written = [0xff; HEADER_LEN];
        emit(&mut written, 5555, 7777, 13, pseudo.add(sum(payload)));
        assert_eq!(written, data[..8]);
    }

    #[test]
    fn a_setter_writes_what_its_getter_reads() {
        let mut packet = Packet::new_unchecked(hex(frames::UDP4)[34..].to_vec());
        packet.set_src_port(1);
        packet.set_dst_port(2);
        packet.set_length(9);
        packet.set_checksum([3, 4]);
        packet.payload_mut()[0] = b'y';
        assert_eq!((packet.src_port(), packet.dst_port(), packet.length()), (1, 2, 9));
        assert_eq!((packet.checksum(), packet.payload()), ([3, 4], &b"y"[..]));
    }
}
