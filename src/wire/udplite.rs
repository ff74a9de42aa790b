//! UDP-Lite (RFC 3828): UDP whose checksum covers as much of the datagram as the sender chose.
//!
//! The length of the datagram is that of the packet's payload; in its place stands the coverage.
//!
//! ```text
//!  0                   1                   2                   3
//! |          source port          |       destination port        |
//! |       checksum coverage       |           checksum            |
//! ```

use core::fmt;

use super::checksum::{Sum, pseudo_header_of, sum, sum_header};
use super::field::{octets, u16_at};
use super::{Error, IpAddress, IpProtocol, Result};

/// Octets of the header; the least coverage.
pub const HEADER_LEN: usize = 8;

/// A header whose coverage and destination port were found right.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Header<'a> {
    /// Splits a packet's payload into header and payload of the datagram.
    ///
    /// A destination port of zero, and a coverage below the header or beyond the datagram are `Malformed`
    /// (RFC 3828 §3.1: such datagrams are discarded).
    #[inline]
    pub fn split(data: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, payload) = data.split_first_chunk().ok_or(Error::Truncated)?;
        let coverage = usize::from(u16_at::<4, HEADER_LEN>(header));
        let is_coverage_right = coverage == 0 || (HEADER_LEN..=data.len()).contains(&coverage);
        if !is_coverage_right || u16_at::<2, HEADER_LEN>(header) == 0 {
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

    /// How many octets the checksum covers, the header's included; 0 for all.
    #[inline]
    pub fn coverage(&self) -> u16 {
        u16_at::<4, HEADER_LEN>(self.0)
    }

    /// The checksum field.
    #[inline]
    pub fn checksum(&self) -> [u8; 2] {
        *octets::<6, 2, HEADER_LEN>(self.0)
    }

    /// The part of the payload that the checksum covers.
    #[inline]
    fn covered<'p>(&self, payload: &'p [u8]) -> &'p [u8] {
        match usize::from(self.coverage()).checked_sub(HEADER_LEN) {
            Some(len) => payload.get(..len).unwrap_or(payload), // never: `split` found it right
            None => payload,
        }
    }

    /// Whether the checksum is right; there is always one (RFC 3828 §3.1). `pseudo` sums the pseudo-header
    /// with the whole datagram's length.
    #[inline]
    pub(crate) fn is_checksum_valid(&self, payload: &[u8], pseudo: Sum) -> bool {
        // A zero is none that was sent: it would have become 0xffff.
        let sum = pseudo.add(sum_header(self.0)).add(sum(self.covered(payload)));
        self.checksum() != [0, 0] && sum.is_valid()
    }
}

/// Writes a header; `coverage` as in [`Header::coverage`], `rest` sums the pseudo-header, with the whole
/// datagram's length, and the covered part of the payload.
#[inline]
pub(crate) fn emit(header: &mut [u8; HEADER_LEN], src_port: u16, dst_port: u16, coverage: u16, rest: Sum) {
    let ([a, b], [c, d], [e, f]) = (src_port.to_be_bytes(), dst_port.to_be_bytes(), coverage.to_be_bytes());
    *header = [a, b, c, d, e, f, 0, 0];
    [header[6], header[7]] = sum_header(header).add(rest).finish_udp();
}

packet! {
    /// A datagram in a buffer, which it fills.
    Packet, |data| Header::split(data).map(|_| ())
}

getters! { Packet:
    src_port -> u16;
    dst_port -> u16;
    coverage -> u16;
    checksum -> [u8; 2];
}

setters! { Packet:
    set_src_port(src_port: u16) at 0 = src_port.to_be_bytes();
    set_dst_port(dst_port: u16) at 2 = dst_port.to_be_bytes();
    set_coverage(coverage: u16) at 4 = coverage.to_be_bytes();
    set_checksum(checksum: [u8; 2]) at 6 = checksum;
}

fn pseudo(src: &IpAddress, dst: &IpAddress, payload: &[u8]) -> Sum {
    pseudo_header_of(src, dst, IpProtocol::UDP_LITE.0, (HEADER_LEN + payload.len()) as u32)
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// What follows the header.
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[HEADER_LEN..]
    }

    /// Whether the checksum is right for what it covers.
    pub fn verify_checksum(&self, src: &IpAddress, dst: &IpAddress) -> bool {
        let payload = self.payload();
        self.header().is_checksum_valid(payload, pseudo(src, dst, payload))
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// What follows the header, to write it.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.as_mut()[HEADER_LEN..]
    }

    /// Computes the checksum over what the coverage says, and writes it.
    pub fn fill_checksum(&mut self, src: &IpAddress, dst: &IpAddress) {
        self.set_checksum([0; 2]);
        let (header, payload) = (self.header(), self.payload());
        let sum = pseudo(src, dst, payload).add(sum_header(header.0)).add(sum(header.covered(payload)));
        self.set_checksum(sum.finish_udp());
    }
}

/// A header in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// The source port; 0 if no answer is expected.
    pub src_port: u16,
    /// The destination port; not 0.
    pub dst_port: u16,
    /// How many octets the checksum covers: 0 for all, else from 8, the header alone, to all.
    pub coverage: u16,
}

impl Repr {
    /// Reads a header and verifies the checksum.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>, src: &IpAddress, dst: &IpAddress) -> Result<Repr> {
        packet.check_len()?;
        if !packet.verify_checksum(src, dst) {
            return Err(Error::Checksum);
        }
        let (src_port, dst_port, coverage) = (packet.src_port(), packet.dst_port(), packet.coverage());
        Ok(Repr { src_port, dst_port, coverage })
    }

    /// Octets of a datagram with this payload.
    pub const fn buffer_len(&self, payload_len: usize) -> usize {
        HEADER_LEN + payload_len
    }

    /// Writes a datagram.
    ///
    /// # Panics
    /// If the buffer is shorter than header and payload, or the coverage less than the header or more than
    /// both.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(
        &self,
        packet: &mut Packet<T>,
        src: &IpAddress,
        dst: &IpAddress,
        payload: &[u8],
    ) {
        let len = self.buffer_len(payload.len());
        let covered = match usize::from(self.coverage) {
            0 => payload,
            coverage => &payload[..coverage - HEADER_LEN],
        };
        let Some((header, place)) = packet.buffer.as_mut()[..len].split_first_chunk_mut() else { return };
        place.copy_from_slice(payload);
        let rest = pseudo(src, dst, payload).add(sum(covered));
        emit(header, self.src_port, self.dst_port, self.coverage, rest);
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UDP-Lite {} > {}", self.src_port, self.dst_port)?;
        match self.coverage {
            0 => Ok(()),
            coverage => write!(f, " coverage={coverage}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::hex;
    use crate::wire::{bar, captured};

    /// Frames, octets before the datagram, and what they say.
    const CASES: [(&str, usize, &str); 5] = [
        (captured::UDPLITE4, 34, "UDP-Lite 5555 > 7777 coverage=18"),
        (captured::UDPLITE4_HEADER, 34, "UDP-Lite 5555 > 7777 coverage=8"),
        (captured::UDPLITE4_PART, 34, "UDP-Lite 5555 > 7777 coverage=12"),
        (captured::UDPLITE6, 54, "UDP-Lite 5555 > 7777 coverage=18"),
        (captured::UDPLITE6_PART, 54, "UDP-Lite 5555 > 7777 coverage=12"),
    ];

    fn addresses(skip: usize) -> (IpAddress, IpAddress) {
        match skip {
            34 => (IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2)),
            _ => ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap()),
        }
    }

    fn rewrite(skip: usize, data: &[u8]) -> Result<(String, Vec<u8>)> {
        let (src, dst) = addresses(skip);
        let packet = Packet::new_checked(data)?;
        let repr = Repr::parse(&packet, &src, &dst)?;
        let mut copy = Packet::new_unchecked(vec![0xff; data.len()]);
        repr.emit(&mut copy, &src, &dst, packet.payload());
        Ok((format!("{repr:?} {repr}"), copy.into_inner()))
    }

    #[test]
    fn datagrams_of_linux_parse_and_are_written_again() {
        for (frame, skip, text) in CASES {
            let data = &hex(frame)[skip..];
            let packet = Packet::new_checked(data).unwrap();
            assert_eq!(packet.payload(), b"hello lite");
            let (src, dst) = addresses(skip);
            assert_eq!(Repr::parse(&packet, &src, &dst).unwrap().to_string(), text);
            bar::is_canonical(text, data, &|data| rewrite(skip, data));
            let mut copy = Packet::new_unchecked(data.to_vec());
            copy.fill_checksum(&src, &dst);
            assert_eq!(copy.into_inner(), data);
        }
    }

    /// Covers: RFC 3828 §3.1
    #[test]
    fn a_flip_is_found_where_the_checksum_covers_and_a_cut_everywhere() {
        for (frame, skip, text) in CASES {
            let data = &hex(frame)[skip..];
            let rewrite = |data: &[u8]| rewrite(skip, data);
            // The pseudo-header has the whole length.
            bar::cuts_are_found(text, data, &[], &bar::as_it_is, &rewrite);
            let covered = match Packet::new_unchecked(data).coverage() {
                0 => data.len(),
                coverage => usize::from(coverage),
            };
            for bit in 0..data.len() * 8 {
                let mut flipped = data.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(bar::is_kept(text, &flipped, &rewrite), bit >= covered * 8, "{text}, bit {bit}");
            }
        }
    }

    #[test]
    fn whatever_the_coverage_is_what_parses_is_kept() {
        let (src, dst) = addresses(34);
        let repair = |data: &mut [u8]| {
            if let Ok(mut packet) = Packet::new_checked(data) {
                packet.fill_checksum(&src, &dst);
            }
        };
        let data = &hex(captured::UDPLITE4_PART)[34..];
        let readable = bar::flips_are_survived("repaired", data, &repair, &|data| rewrite(34, data));
        assert!(readable > 100, "{readable}");
    }

    /// Covers: RFC 3828 §3.1
    #[test]
    fn what_breaks_the_format_gets_its_error() {
        let (src, dst) = addresses(34);
        let cases = [
            ("coverage of a part of the header", &[(5, 7)][..], Error::Malformed),
            ("coverage of one octet", &[(5, 1)], Error::Malformed),
            ("coverage beyond the datagram", &[(5, 19)], Error::Malformed),
            ("coverage of 65,535 octets", &[(4, 0xff), (5, 0xff)], Error::Malformed),
            ("destination port zero", &[(2, 0), (3, 0)], Error::Malformed),
            ("no checksum", &[(6, 0), (7, 0)], Error::Checksum),
        ];
        for (name, changes, error) in cases {
            let mut data = hex(captured::UDPLITE4)[34..].to_vec();
            changes.iter().for_each(|&(at, value)| data[at] = value);
            assert_eq!(Repr::parse(&Packet::new_unchecked(data), &src, &dst).unwrap_err(), error, "{name}");
        }
        assert_eq!(Header::split(&[0; 7]).unwrap_err(), Error::Truncated);
    }

    #[test]
    fn no_coverage_is_full_coverage() {
        let (src, dst) = addresses(34);
        let repr = Repr { src_port: 1, dst_port: 2, coverage: 0 };
        let mut packet = Packet::new_unchecked([0xff; 11]);
        repr.emit(&mut packet, &src, &dst, b"all");
        assert_eq!(repr.to_string(), "UDP-Lite 1 > 2");
        assert_eq!(Repr::parse(&packet, &src, &dst), Ok(repr));
        packet.payload_mut()[2] ^= 1;
        assert_eq!(Repr::parse(&packet, &src, &dst), Err(Error::Checksum));
    }

    #[test]
    fn a_setter_writes_what_its_getter_reads() {
        let mut packet = Packet::new_unchecked([0; 9]);
        packet.set_src_port(1);
        packet.set_dst_port(2);
        packet.set_coverage(9);
        packet.set_checksum([3, 4]);
        packet.payload_mut()[0] = 5;
        assert_eq!((packet.src_port(), packet.dst_port(), packet.coverage()), (1, 2, 9));
        assert_eq!((packet.checksum(), packet.payload()), ([3, 4], &[5][..]));
    }
}
