//! Ethernet II frames, without preamble and frame check sequence (RFC 894, RFC 2464).
//!
//! IEEE 802.3 length-and-LLC frames are not read; a tag is seen as its EtherType, and `vlan` reads it.
//!
//! ```text
//!  0                   1                   2                   3
//! |                  destination address                          |
//! |  destination (continued)      |        source address         |
//! |                  source address (continued)                   |
//! |          EtherType            |  payload …
//! ```

use core::fmt;

use super::field::{octets, u16_at};
use super::{Error, Result};

/// Octets of the header.
pub const HEADER_LEN: usize = 14;

/// An Ethernet address (EUI-48).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 6]);

impl Address {
    /// Everybody on the link.
    pub const BROADCAST: Address = Address([0xff; 6]);

    /// The address with these octets.
    pub const fn from_bytes(octets: &[u8; 6]) -> Address {
        Address(*octets)
    }

    /// The octets.
    pub const fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }

    /// Whether it is that of everybody.
    pub fn is_broadcast(&self) -> bool {
        *self == Address::BROADCAST
    }

    /// Whether it names a group, broadcast included.
    pub const fn is_multicast(&self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether it may name one station: no group and not all zeros.
    pub fn is_unicast(&self) -> bool {
        !self.is_multicast() && self.0 != [0; 6]
    }

    /// Whether the manufacturer did not assign it.
    pub const fn is_local(&self) -> bool {
        self.0[0] & 2 != 0
    }

    /// The modified EUI-64 interface identifier (RFC 4291 appendix A).
    pub const fn as_eui_64(&self) -> [u8; 8] {
        let [a, b, c, d, e, f] = self.0;
        [a ^ 2, b, c, 0xff, 0xfe, d, e, f]
    }
}

impl From<[u8; 6]> for Address {
    fn from(octets: [u8; 6]) -> Address {
        Address(octets)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// RFC 791.
    pub const IPV4: EtherType = EtherType(0x0800);
    /// RFC 826.
    pub const ARP: EtherType = EtherType(0x0806);
    /// A tag of IEEE 802.1Q follows.
    pub const VLAN: EtherType = EtherType(0x8100);
    /// RFC 8200.
    pub const IPV6: EtherType = EtherType(0x86dd);
    /// A service provider's tag of IEEE 802.1ad follows.
    pub const QINQ: EtherType = EtherType(0x88a8);
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EtherType::IPV4 => f.write_str("IPv4"),
            EtherType::ARP => f.write_str("ARP"),
            EtherType::VLAN => f.write_str("802.1Q"),
            EtherType::IPV6 => f.write_str("IPv6"),
            EtherType::QINQ => f.write_str("802.1ad"),
            EtherType(number) => write!(f, "0x{number:04x}"),
        }
    }
}

/// A header of 14 octets; nothing in it can be wrong.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Header<'a> {
    /// Splits a frame into header and payload, padding included.
    #[inline]
    pub fn split(frame: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, payload) = frame.split_first_chunk().ok_or(Error::Truncated)?;
        Ok((Header(header), payload))
    }

    /// Whom the frame is for.
    #[inline]
    pub fn dst(&self) -> &'a [u8; 6] {
        octets::<0, 6, HEADER_LEN>(self.0)
    }

    /// Who sent the frame.
    #[inline]
    pub fn src(&self) -> &'a [u8; 6] {
        octets::<6, 6, HEADER_LEN>(self.0)
    }

    /// What the frame carries; below 0x600, its length in 802.3's way.
    #[inline]
    pub fn ethertype(&self) -> EtherType {
        EtherType(u16_at::<12, HEADER_LEN>(self.0))
    }
}

/// Writes a header.
#[inline]
pub fn emit(header: &mut [u8; HEADER_LEN], dst: &[u8; 6], src: &[u8; 6], ethertype: EtherType) {
    let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (*dst, *src);
    let [x, y] = ethertype.0.to_be_bytes();
    *header = [a, b, c, d, e, f, g, h, i, j, k, l, x, y];
}

packet! {
    /// A frame in a buffer.
    Frame, |data| Header::split(data).map(|_| ())
}

getters! { Frame:
    ethertype -> EtherType;
}

setters! { Frame:
    set_dst_addr(dst_addr: Address) at 0 = dst_addr.0;
    set_src_addr(src_addr: Address) at 6 = src_addr.0;
    set_ethertype(ethertype: EtherType) at 12 = ethertype.0.to_be_bytes();
}

impl<T: AsRef<[u8]>> Frame<T> {
    /// Octets of a frame with this payload.
    pub const fn buffer_len(payload_len: usize) -> usize {
        HEADER_LEN + payload_len
    }

    /// Whom the frame is for.
    pub fn dst_addr(&self) -> Address {
        Address(*self.header().dst())
    }

    /// Who sent the frame.
    pub fn src_addr(&self) -> Address {
        Address(*self.header().src())
    }

    /// What follows the header, padding included.
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[HEADER_LEN..]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Frame<T> {
    /// What follows the header, to write it.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.as_mut()[HEADER_LEN..]
    }
}

/// A header in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// Who sends the frame.
    pub src_addr: Address,
    /// Whom it is for.
    pub dst_addr: Address,
    /// What it carries.
    pub ethertype: EtherType,
}

impl Repr {
    /// Reads a header.
    pub fn parse<T: AsRef<[u8]>>(frame: &Frame<T>) -> Result<Repr> {
        frame.check_len()?;
        Ok(Repr { src_addr: frame.src_addr(), dst_addr: frame.dst_addr(), ethertype: frame.ethertype() })
    }

    /// Octets of the header.
    pub const fn buffer_len(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the header.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, frame: &mut Frame<T>) {
        frame.set_dst_addr(self.dst_addr);
        frame.set_src_addr(self.src_addr);
        frame.set_ethertype(self.ethertype);
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ethernet {} > {} {}", self.src_addr, self.dst_addr, self.ethertype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bar;
    use crate::wire::frames::{self, hex};

    #[test]
    fn a_frame_of_linux_parses_and_is_written_again() {
        let data = hex(frames::ARP_REQUEST);
        let frame = Frame::new_checked(&data).unwrap();
        let repr = Repr::parse(&frame).unwrap();
        assert_eq!(repr.to_string(), "Ethernet 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff ARP");
        assert!(repr.dst_addr.is_broadcast() && repr.dst_addr.is_multicast() && repr.src_addr.is_unicast());
        assert_eq!(frame.payload().len(), 28);
        let mut copy = Frame::new_unchecked(vec![0xff; data.len()]);
        repr.emit(&mut copy);
        copy.payload_mut().copy_from_slice(frame.payload());
        assert_eq!(copy.into_inner(), data);
        let mut header = [0xff; HEADER_LEN];
        emit(&mut header, &repr.dst_addr.0, &repr.src_addr.0, repr.ethertype);
        assert_eq!(header, data[..HEADER_LEN]);
    }

    /// RFC 4291 appendix A: an identifier's bit says the opposite of an address's.
    #[test]
    fn the_universal_bit_is_turned_over_in_an_interface_identifier() {
        for (first, turned) in [(0, 2), (2, 0), (0x34, 0x36), (0xfe, 0xfc)] {
            let address = Address([first, 0x56, 0x78, 0x9a, 0xbc, 0xde]);
            assert_eq!(address.as_eui_64(), [turned, 0x56, 0x78, 0xff, 0xfe, 0x9a, 0xbc, 0xde]);
        }
    }

    /// No octet of a header is forbidden but by being absent: any flip parses, and is kept.
    #[test]
    fn whatever_a_bit_is_flipped_to_is_read_and_written_again() {
        for text in [frames::ARP_REQUEST, frames::UDP4, frames::PING6] {
            let data = hex(text);
            let rewrite = |data: &[u8]| {
                let frame = Frame::new_checked(data)?;
                let repr = Repr::parse(&frame)?;
                let mut copy = Frame::new_unchecked(vec![0xff; data.len()]);
                repr.emit(&mut copy);
                copy.payload_mut().copy_from_slice(frame.payload());
                Ok((format!("{repr:?} {repr}"), copy.into_inner()))
            };
            bar::is_canonical(text, &data, &rewrite);
            let readable = bar::flips_are_survived(text, &data, &bar::as_it_is, &rewrite);
            assert_eq!(readable, data.len() * 8);
        }
    }

    /// What is malformed about a frame is what it can't have: an EtherType that is a length (IEEE 802.3 §3.2.6) parses here, and is
    /// nobody's.
    #[test]
    fn a_length_in_place_of_a_type_is_no_known_type() {
        let mut data = hex(frames::ARP_REQUEST);
        for len in [0_u16, 28, 1_500, 1_535] {
            data[12..14].copy_from_slice(&len.to_be_bytes());
            let repr = Repr::parse(&Frame::new_checked(&data).unwrap()).unwrap();
            assert_eq!(repr.ethertype, EtherType(len));
            let known = [EtherType::IPV4, EtherType::IPV6, EtherType::ARP];
            assert!(!known.contains(&repr.ethertype), "{len}");
        }
    }

    #[test]
    fn a_cut_header_is_truncated() {
        let data = hex(frames::ARP_REQUEST);
        for len in 0..HEADER_LEN {
            assert_eq!(Frame::new_checked(&data[..len]).unwrap_err(), Error::Truncated);
        }
        assert!(Frame::new_checked(&data[..HEADER_LEN]).is_ok());
    }

    #[test]
    fn an_interface_identifier_flips_the_local_bit() {
        let addr = Address([0x00, 0x11, 0x22, 0x33, 0x44, 0x55]);
        assert_eq!(addr.as_eui_64(), [0x02, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55]);
        assert!(!addr.is_local() && Address([2, 0, 0, 0, 0, 1]).is_local());
    }

    #[test]
    fn an_address_says_whom_it_is_for() {
        let cases = [
            // Everybody, a group, one station.
            ([0xff; 6], [true, true, false]),
            ([0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], [false, true, false]),
            ([1, 0, 0x5e, 0, 0, 1], [false, true, false]),
            ([2, 0, 0, 0, 0, 1], [false, false, true]),
            ([0; 6], [false, false, false]),
        ];
        for (octets, expected) in cases {
            let addr = Address::from(octets);
            assert_eq!([addr.is_broadcast(), addr.is_multicast(), addr.is_unicast()], expected, "{addr}");
            assert_eq!((addr, addr.as_bytes()), (Address::from_bytes(&octets), &octets));
        }
    }

    #[test]
    fn a_frame_is_as_long_as_its_header_and_its_payload() {
        let data = hex(frames::ARP_REQUEST);
        let frame = Frame::new_checked(&data).unwrap();
        assert_eq!(Frame::<&[u8]>::buffer_len(frame.payload().len()), data.len());
        assert_eq!(Repr::parse(&frame).unwrap().buffer_len(), data.len() - frame.payload().len());
    }
}
