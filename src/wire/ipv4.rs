//! IPv4 (RFC 791, RFC 6864 for the identification). Options are located here and read in `ipv4opt`.
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

use crate::config::HAS_FAST_PATHS;

use super::checksum::{Sum, sum, sum_header};
use super::field::{octets, u16_at};
use super::{Error, IpProtocol, Ipv4Address, Result};

/// Octets of a header without options.
pub const HEADER_LEN: usize = 20;

/// Every IPv4 host takes packets of this size (RFC 791 §3.1).
pub const MIN_MTU: usize = 576;

/// The option that makes routers look at a packet that is not for them (RFC 2113); IGMP's packets have it.
pub const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];

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
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    pub fn split(data: &'a [u8]) -> Result<Parts<'a>> {
        let (header, rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        let total_len = usize::from(u16_at::<2, HEADER_LEN>(header));
        let Some(rest_len) = total_len.checked_sub(HEADER_LEN) else { return Err(Error::Malformed) };
        let rest = rest.get(..rest_len).ok_or(Error::Truncated)?;
        // The usual case in one comparison: version 4, no options.
        if !HAS_FAST_PATHS || header[0] != 0x45 {
            return split_options(header, rest);
        }
        if !sum_header(header).is_valid() {
            return Err(Error::Checksum);
        }
        Ok(Parts { header: Header(header), options: &[], payload: rest })
    }

    /// Divides the beginning of a packet, as ICMP errors quote it: what follows the header may be cut short,
    /// and the checksum is not looked at.
    pub(super) fn split_quoted(data: &'a [u8]) -> Result<Parts<'a>> {
        let (header, rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        let options_len = (usize::from(header[0] & 0x0f) * 4).checked_sub(HEADER_LEN);
        let rest_len = usize::from(u16_at::<2, HEADER_LEN>(header)).checked_sub(HEADER_LEN);
        match (options_len, rest_len) {
            (Some(options_len), Some(rest_len)) if header[0] >> 4 == 4 && options_len <= rest_len => {
                let rest = rest.get(..rest_len).unwrap_or(rest); // cut short: what there is
                let (options, payload) = rest.split_at_checked(options_len).ok_or(Error::Truncated)?;
                Ok(Parts { header: Header(header), options, payload })
            }
            _ => Err(Error::Malformed),
        }
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

/// Any header, but usually one with options or one that is wrong; `rest` is what follows its fixed part.
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

packet! {
    /// A packet in a buffer.
    Packet, |data| match Header::split(data) {
        Ok(_) | Err(Error::Checksum) => Ok(()), // found last, when all lengths are right
        Err(error) => Err(error),
    }
}

getters! { Packet:
    header_len -> u8;
    traffic_class -> u8;
    total_len -> u16;
    ident -> u16;
    dont_fragment -> bool;
    more_fragments -> bool;
    fragment_offset -> u16;
    is_fragment -> bool;
    hop_limit -> u8;
    protocol -> IpProtocol;
    checksum -> [u8; 2];
}

setters! { Packet:
    set_traffic_class(traffic_class: u8) at 1 = [traffic_class];
    set_total_len(total_len: u16) at 2 = total_len.to_be_bytes();
    set_ident(ident: u16) at 4 = ident.to_be_bytes();
    set_hop_limit(hop_limit: u8) at 8 = [hop_limit];
    set_protocol(protocol: IpProtocol) at 9 = [protocol.0];
    set_checksum(checksum: [u8; 2]) at 10 = checksum;
    set_src_addr(src_addr: Ipv4Address) at 12 = src_addr.octets();
    set_dst_addr(dst_addr: Ipv4Address) at 16 = dst_addr.octets();
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// The source address.
    pub fn src_addr(&self) -> Ipv4Address {
        Ipv4Address::from(*self.header().src())
    }

    /// The destination address.
    pub fn dst_addr(&self) -> Ipv4Address {
        Ipv4Address::from(*self.header().dst())
    }

    /// The header's options, unread.
    pub fn options(&self) -> &[u8] {
        &self.buffer.as_ref()[HEADER_LEN..usize::from(self.header_len())]
    }

    /// What follows the header, without the link's padding.
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[usize::from(self.header_len())..usize::from(self.total_len())]
    }

    /// Whether the header's checksum is right.
    pub fn verify_checksum(&self) -> bool {
        sum(&self.buffer.as_ref()[..usize::from(self.header_len())]).is_valid()
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// What follows the header, to write it.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let range = usize::from(self.header_len())..usize::from(self.total_len());
        &mut self.buffer.as_mut()[range]
    }

    /// Octets of the header with its options: a multiple of 4 from 20 to 60. The version becomes 4.
    pub fn set_header_len(&mut self, len: u8) {
        self.buffer.as_mut()[0] = 0x40 | len >> 2 & 0x0f;
    }

    /// The header's options, to write them.
    pub fn options_mut(&mut self) -> &mut [u8] {
        let len = usize::from(self.header_len());
        &mut self.buffer.as_mut()[HEADER_LEN..len]
    }

    /// Computes the header's checksum and writes it.
    pub fn fill_checksum(&mut self) {
        self.set_checksum([0; 2]);
        let checksum = sum(&self.buffer.as_ref()[..usize::from(self.header_len())]).finish();
        self.set_checksum(checksum);
    }
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

    /// Reads a header, whose options are dropped, and verifies its checksum.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>) -> Result<Repr> {
        let parts = Header::split(packet.buffer.as_ref())?;
        Ok(Repr::of(parts.header, parts.payload.len() as u16))
    }

    /// What a header says whose lengths are right.
    pub(super) fn of(header: Header<'_>, payload_len: u16) -> Repr {
        Repr {
            src_addr: Ipv4Address::from(*header.src()),
            dst_addr: Ipv4Address::from(*header.dst()),
            next_header: header.protocol(),
            hop_limit: header.hop_limit(),
            payload_len,
            ident: header.ident(),
            traffic_class: header.traffic_class(),
            dont_fragment: header.dont_fragment(),
            more_fragments: header.more_fragments(),
            fragment_offset: header.fragment_offset(),
        }
    }

    /// Octets of the header.
    pub const fn buffer_len(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the header with its checksum.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, packet: &mut Packet<T>) {
        match packet.buffer.as_mut().first_chunk_mut() {
            Some(header) => self.emit_header(header, true),
            None => panic!("an IPv4 header has 20 octets"),
        }
    }

    /// Writes the header, with its checksum or, for a device that computes it, with zero there.
    #[inline]
    pub fn emit_header(&self, header: &mut [u8; HEADER_LEN], fill_checksum: bool) {
        debug_assert!(
            self.payload_len <= u16::MAX - HEADER_LEN as u16 && self.fragment_offset.is_multiple_of(8)
        );
        let len = self.payload_len.wrapping_add(HEADER_LEN as u16);
        let flags = if self.dont_fragment { DONT_FRAGMENT } else { 0 }
            | if self.more_fragments { MORE_FRAGMENTS } else { 0 }
            | self.fragment_offset >> 3;
        // By words, which every machine stores in one piece.
        let [v, w, x, y] = (0x4500_0000 | u32::from(self.traffic_class) << 16 | u32::from(len)).to_be_bytes();
        let [i, j, k, l] = (u32::from(self.ident) << 16 | u32::from(flags)).to_be_bytes();
        let ([a, b, c, d], [e, f, g, h]) = (self.src_addr.octets(), self.dst_addr.octets());
        let (hop_limit, protocol) = (self.hop_limit, self.next_header.0);
        *header = [v, w, x, y, i, j, k, l, hop_limit, protocol, 0, 0, a, b, c, d, e, f, g, h];
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};

    fn reemit(data: &[u8]) -> Vec<u8> {
        let packet = Packet::new_checked(data).unwrap();
        let repr = Repr::parse(&packet).unwrap();
        let mut copy = Packet::new_unchecked(vec![0xff; repr.buffer_len() + packet.payload().len()]);
        repr.emit(&mut copy);
        copy.payload_mut().copy_from_slice(packet.payload());
        copy.into_inner()
    }

    #[test]
    fn packets_of_linux_parse_and_are_written_again() {
        for frame in [frames::PING4, frames::PONG4, frames::UDP4, frames::UNREACHABLE4, frames::TCP_SYN] {
            let data = &hex(frame)[14..];
            assert_eq!(reemit(data), data);
        }
        let data = hex(frames::PING4);
        let repr = Repr::parse(&Packet::new_checked(&data[14..]).unwrap()).unwrap();
        assert_eq!(repr.to_string(), "IPv4 10.0.0.1 > 10.0.0.2 ICMP len=19 ttl=64");
        assert!(repr.dont_fragment);
        assert!(!Packet::new_checked(&hex(frames::PONG4)[14..]).unwrap().dont_fragment());
        let data = hex(frames::UNREACHABLE4);
        assert_eq!(Packet::new_checked(&data[14..]).unwrap().traffic_class(), 0xc0);
    }

    #[test]
    fn fragments_of_linux_say_where_they_belong() {
        let first = hex(frames::FRAGMENT4_FIRST);
        let mut whole = first[14..].to_vec();
        whole.resize(1500, 0); // the capture is cut; lengths are right again
        let header = Header::split(&whole).unwrap().header;
        assert!(header.is_fragment() && header.more_fragments());
        assert_eq!((header.fragment_offset(), header.ident()), (0, 0x7397));
        let mut last = hex(frames::FRAGMENT4_LAST)[14..].to_vec();
        last.resize(348, 0);
        let header = Header::split(&last).unwrap().header;
        assert!(header.is_fragment() && !header.more_fragments());
        assert_eq!((header.fragment_offset(), header.ident()), (1480, 0x7397));
        assert_eq!(reemit(&last), last);
        let repr = Repr::parse(&Packet::new_unchecked(&last)).unwrap();
        assert!(repr.to_string().ends_with(" fragment=0x7397@1480"));
    }

    #[test]
    fn options_are_located_and_dropped() {
        let data = &hex(frames::ROUTER_ALERT4)[14..];
        let Parts { header, options, payload } = Header::split(data).unwrap();
        assert_eq!((header.header_len(), options), (24, &[0x94, 4, 0, 0][..]));
        assert_eq!(payload.len(), 9);
        let packet = Packet::new_checked(data).unwrap();
        assert_eq!((packet.options(), packet.payload()), (options, payload));
        let once = reemit(data);
        assert_eq!(reemit(&once), once);
        assert_eq!(Header::split(&once).unwrap().payload, payload);
    }

    #[test]
    fn padding_is_no_payload() {
        let mut data = hex(frames::UDP4)[14..].to_vec();
        data.extend([0xee; 13]);
        assert_eq!(Header::split(&data).unwrap().payload.len(), 13);
        assert_eq!(Packet::new_checked(&data).unwrap().payload().len(), 13);
    }

    #[test]
    fn what_breaks_the_format_gets_its_error() {
        let good = hex(frames::UDP4)[14..].to_vec();
        for len in 0..good.len() {
            assert_eq!(Header::split(&good[..len]).unwrap_err(), Error::Truncated, "{len}");
        }
        let cases = [
            ("version 6", 0, 0x65, Error::Malformed),
            ("version 0", 0, 0x05, Error::Malformed),
            ("IHL 4", 0, 0x44, Error::Malformed),
            ("IHL beyond the packet", 0, 0x4f, Error::Malformed),
            ("total length below the header", 3, 19, Error::Malformed),
            ("total length beyond the data", 3, 34, Error::Truncated),
            ("IHL that takes in payload", 0, 0x46, Error::Checksum),
            ("checksum", 11, 0, Error::Checksum),
            ("any field", 8, 1, Error::Checksum),
        ];
        for (name, at, value, error) in cases {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Header::split(&bad).unwrap_err(), error, "{name}");
        }
    }

    #[test]
    fn one_flipped_bit_is_always_found() {
        for frame in [frames::UDP4, frames::ROUTER_ALERT4] {
            let mut data = hex(frame)[14..].to_vec();
            let header_len = usize::from(data[0] & 15) * 4;
            for bit in 0..header_len * 8 {
                data[bit / 8] ^= 1 << (bit % 8);
                assert!(Header::split(&data).is_err(), "{bit}");
                if let Ok(packet) = Packet::new_checked(&data) {
                    let _ = (packet.options(), packet.payload(), packet.verify_checksum());
                }
                data[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn a_device_that_sums_gets_zero() {
        let repr = Repr::new([1, 2, 3, 4].into(), [5, 6, 7, 8].into(), IpProtocol::UDP, 8, 64);
        let mut header = [0xff; HEADER_LEN];
        repr.emit_header(&mut header, false);
        assert_eq!(header[10..12], [0, 0]);
        let mut packet = Packet::new_unchecked(header);
        packet.fill_checksum();
        assert!(packet.verify_checksum());
        repr.emit_header(&mut header, true);
        assert_eq!(packet.into_inner(), header);
    }

    #[test]
    fn a_setter_writes_what_its_getter_reads() {
        let mut packet = Packet::new_unchecked(hex(frames::UDP4)[14..].to_vec());
        packet.set_header_len(24);
        packet.options_mut().copy_from_slice(&[1, 1, 1, 0]);
        assert_eq!((packet.header_len(), packet.options()), (24, &[1, 1, 1, 0][..]));
        packet.set_header_len(20);
        packet.set_traffic_class(0xb9);
        packet.set_total_len(30);
        packet.set_ident(0x1234);
        packet.set_hop_limit(3);
        packet.set_protocol(IpProtocol::TCP);
        packet.set_src_addr(Ipv4Address::new(1, 2, 3, 4));
        packet.set_dst_addr(Ipv4Address::new(5, 6, 7, 8));
        packet.fill_checksum();
        let repr = Repr::parse(&packet).unwrap();
        let src_dst = (Ipv4Address::new(1, 2, 3, 4), Ipv4Address::new(5, 6, 7, 8));
        let expected = Repr {
            ident: 0x1234,
            traffic_class: 0xb9,
            ..Repr::new(src_dst.0, src_dst.1, IpProtocol::TCP, 10, 3)
        };
        assert_eq!(repr, expected);
    }

    #[test]
    fn the_views_of_a_header_read_the_same_field() {
        let data = hex(frames::UDP4);
        let header = Header::split(&data[14..]).unwrap().header;
        assert_eq!(header.checksum(), data[24..26]);
        assert_ne!(header.checksum()[0], header.checksum()[1]);
    }

    /// Covers: RFC 792
    #[test]
    fn a_quoted_packet_may_be_cut_but_has_a_header() {
        let good = hex(frames::ROUTER_ALERT4)[14..].to_vec();
        let whole = Header::split(&good).unwrap();
        let quoted = Header::split_quoted(&good[..28]).unwrap();
        assert_eq!((quoted.options, quoted.payload), (whole.options, &whole.payload[..4]));
        let cases = [(0, 0x66), (0, 0x44), (0, 0x56), (3, 19), (3, 23)];
        for (at, value) in cases {
            let mut bad = good.clone();
            (bad[2], bad[at]) = (0, value);
            assert_eq!(Header::split_quoted(&bad).unwrap_err(), Error::Malformed, "{at} {value}");
        }
        assert_eq!(Header::split_quoted(&good[..23]).unwrap_err(), Error::Truncated);
        assert_eq!(Header::split_quoted(&good[..19]).unwrap_err(), Error::Truncated);
    }
}
