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

    /// Splits the beginning of a packet, as ICMP errors quote it: what follows the header may be cut short.
    pub(super) fn split_quoted(data: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        if header[0] >> 4 != 6 {
            return Err(Error::Malformed);
        }
        let payload_len = usize::from(u16_at::<4, HEADER_LEN>(header));
        Ok((Header(header), rest.get(..payload_len).unwrap_or(rest))) // cut short: what there is
    }

    /// What the header says.
    pub(super) fn repr(&self) -> Repr {
        Repr {
            src_addr: Ipv6Address::from(*self.src()),
            dst_addr: Ipv6Address::from(*self.dst()),
            next_header: self.next_header(),
            hop_limit: self.hop_limit(),
            payload_len: self.payload_len(),
            traffic_class: self.traffic_class(),
            flow_label: self.flow_label(),
        }
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

packet! {
    /// A packet in a buffer.
    Packet, |data| Header::split(data).map(|_| ())
}

getters! { Packet:
    traffic_class -> u8;
    flow_label -> u32;
    payload_len -> u16;
    next_header -> IpProtocol;
    hop_limit -> u8;
}

setters! { Packet:
    set_payload_len(payload_len: u16) at 4 = payload_len.to_be_bytes();
    set_next_header(next_header: IpProtocol) at 6 = [next_header.0];
    set_hop_limit(hop_limit: u8) at 7 = [hop_limit];
    set_src_addr(src_addr: Ipv6Address) at 8 = src_addr.octets();
    set_dst_addr(dst_addr: Ipv6Address) at 24 = dst_addr.octets();
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// The source address.
    pub fn src_addr(&self) -> Ipv6Address {
        Ipv6Address::from(*self.header().src())
    }

    /// The destination address.
    pub fn dst_addr(&self) -> Ipv6Address {
        Ipv6Address::from(*self.header().dst())
    }

    /// What follows the header, without the link's padding.
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[HEADER_LEN..][..usize::from(self.payload_len())]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// What follows the header, to write it.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let len = usize::from(self.payload_len());
        &mut self.buffer.as_mut()[HEADER_LEN..][..len]
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

    /// Reads a header.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>) -> Result<Repr> {
        Header::split(packet.buffer.as_ref()).map(|(header, _)| header.repr())
    }

    /// Octets of the header.
    pub const fn buffer_len(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the header.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, packet: &mut Packet<T>) {
        match packet.buffer.as_mut().first_chunk_mut() {
            Some(header) => self.emit_header(header),
            None => panic!("an IPv6 header has 40 octets"),
        }
    }

    /// Writes the header.
    #[inline]
    pub fn emit_header(&self, header: &mut [u8; HEADER_LEN]) {
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0xf_ffff;
        let ([a, b, c, d], [e, f]) = (first.to_be_bytes(), self.payload_len.to_be_bytes());
        let Some((fixed, addresses)) = header.split_first_chunk_mut::<8>() else { return };
        let Some((src, dst)) = addresses.split_first_chunk_mut::<16>() else { return };
        let Some(dst) = dst.first_chunk_mut::<16>() else { return };
        *fixed = [a, b, c, d, e, f, self.next_header.0, self.hop_limit];
        *src = self.src_addr.octets();
        *dst = self.dst_addr.octets();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bar;
    use crate::wire::frames::{self, hex};

    #[test]
    fn packets_of_linux_parse_and_are_written_again() {
        let cases = [
            frames::PING6,
            frames::PONG6,
            frames::UDP6,
            frames::UNREACHABLE6,
            frames::SOLICIT,
            frames::ADVERT,
        ];
        for frame in cases {
            let data = &hex(frame)[14..];
            let packet = Packet::new_checked(data).unwrap();
            let repr = Repr::parse(&packet).unwrap();
            let mut copy = Packet::new_unchecked(vec![0xff; data.len()]);
            repr.emit(&mut copy);
            copy.payload_mut().copy_from_slice(packet.payload());
            assert_eq!(copy.into_inner(), data);
        }
        let data = hex(frames::PING6);
        let repr = Repr::parse(&Packet::new_checked(&data[14..]).unwrap()).unwrap();
        assert_eq!(repr.to_string(), "IPv6 fd00::1 > fd00::2 ICMPv6 len=18 hop-limit=64");
        assert_eq!((repr.flow_label, repr.traffic_class), (0xf_a168, 0));
    }

    #[test]
    fn flips_are_found_or_survived() {
        let rewrite = |data: &[u8]| {
            let packet = Packet::new_checked(data)?;
            let repr = Repr::parse(&packet)?;
            let mut copy = Packet::new_unchecked(vec![0xff; HEADER_LEN + packet.payload().len()]);
            repr.emit(&mut copy);
            copy.payload_mut().copy_from_slice(packet.payload());
            Ok((format!("{repr:?} {repr}"), copy.into_inner()))
        };
        for frame in [frames::PING6, frames::UNREACHABLE6] {
            let data = &hex(frame)[14..];
            // All but the version and lengths beyond the data.
            assert!(bar::flips_are_survived("IPv6", data, &bar::as_it_is, &rewrite) >= data.len() * 8 - 20);
        }
    }

    #[test]
    fn class_and_label_do_not_touch_each_other() {
        let new = Repr::new(Ipv6Address::LOCALHOST, Ipv6Address::UNSPECIFIED, IpProtocol::TCP, 0, 1);
        for (traffic_class, flow_label) in [(0xff, 0), (0, 0xf_ffff), (0xa5, 0x5_a5a5), (0, 0)] {
            let repr = Repr { traffic_class, flow_label, ..new };
            let mut packet = Packet::new_unchecked([0xff; HEADER_LEN]);
            repr.emit(&mut packet);
            assert_eq!(Repr::parse(&packet).unwrap(), repr);
        }
        let mut header = [0; HEADER_LEN];
        Repr { flow_label: 0xfff0_0001, ..new }.emit_header(&mut header);
        assert_eq!(header[..4], [0x60, 0, 0, 1]);
    }

    #[test]
    fn what_breaks_the_format_gets_its_error() {
        let good = hex(frames::UDP6)[14..].to_vec();
        for len in 0..good.len() {
            assert_eq!(Header::split(&good[..len]).unwrap_err(), Error::Truncated, "{len}");
        }
        let mut bad = good.clone();
        bad[0] = 0x45;
        assert_eq!(Header::split(&bad).unwrap_err(), Error::Malformed);
        let mut bad = good.clone();
        bad[5] += 1;
        assert_eq!(Header::split(&bad).unwrap_err(), Error::Truncated);
        let padded = [&good[..], &[0; 9]].concat();
        assert_eq!(Header::split(&padded).unwrap().1.len(), good.len() - HEADER_LEN);
    }

    #[test]
    fn a_setter_writes_what_its_getter_reads() {
        let mut packet = Packet::new_unchecked(hex(frames::UDP6)[14..].to_vec());
        packet.set_payload_len(4);
        packet.set_next_header(IpProtocol::TCP);
        packet.set_hop_limit(9);
        packet.set_src_addr(Ipv6Address::LOCALHOST);
        packet.set_dst_addr(Ipv6Address::UNSPECIFIED);
        let label = packet.flow_label();
        let expected = Repr::new(Ipv6Address::LOCALHOST, Ipv6Address::UNSPECIFIED, IpProtocol::TCP, 4, 9);
        assert_eq!(Repr::parse(&packet).unwrap(), Repr { flow_label: label, ..expected });
    }
}
