//! TCP segments (RFC 9293 §3.1): header, flags, sequence numbers and the options of a SYN.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-------------------------------+
//! |          source port          |       destination port        |
//! +-------------------------------+-------------------------------+
//! |                        sequence number                        |
//! +---------------------------------------------------------------+
//! |                     acknowledgment number                     |
//! +-------+-------+---------------+-------------------------------+
//! |  len  |  rsv  |     flags     |            window             |
//! +-------+-------+---------------+-------------------------------+
//! |           checksum            |        urgent pointer         |
//! +-------------------------------+-------------------------------+
//! |                  options, padded to 32 bits                   |
//! ```
//!
//! Read: maximum segment size, window scale (RFC 7323 §2) and SACK-permitted (RFC 2018 §2). All other
//! options are stepped over; `tcpopt` reads them. The urgent pointer is carried and not acted on (RFC 6093).

use core::fmt;

use super::checksum::{Sum, pseudo_header_of, sum};
use super::{Error, IpAddress, IpProtocol, Result};

/// A sequence number: 32 bits that wrap.
///
/// There is no `Ord`, since wrapping order is not transitive; compare numbers of one connection, which
/// lie within 2^31 of each other, with [`lt`](SeqNum::lt) and its kin.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeqNum(pub u32);

impl SeqNum {
    /// Octets from `earlier` to here; negative if `earlier` is in fact later.
    #[inline]
    pub const fn since(self, earlier: SeqNum) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// Whether this comes before `other`.
    #[inline]
    pub const fn lt(self, other: SeqNum) -> bool {
        self.since(other) < 0
    }

    /// Whether this comes before `other`, or is it.
    #[inline]
    pub const fn le(self, other: SeqNum) -> bool {
        self.since(other) <= 0
    }

    /// Whether this comes after `other`.
    #[inline]
    pub const fn gt(self, other: SeqNum) -> bool {
        self.since(other) > 0
    }

    /// Whether this comes after `other`, or is it.
    #[inline]
    pub const fn ge(self, other: SeqNum) -> bool {
        self.since(other) >= 0
    }

    /// The later of the two.
    #[inline]
    pub const fn max(self, other: SeqNum) -> SeqNum {
        if self.lt(other) { other } else { self }
    }

    /// The earlier of the two.
    #[inline]
    pub const fn min(self, other: SeqNum) -> SeqNum {
        if other.lt(self) { other } else { self }
    }
}

impl core::ops::Add<u32> for SeqNum {
    type Output = SeqNum;
    #[inline]
    fn add(self, octets: u32) -> SeqNum {
        SeqNum(self.0.wrapping_add(octets))
    }
}

impl core::ops::Sub<u32> for SeqNum {
    type Output = SeqNum;
    #[inline]
    fn sub(self, octets: u32) -> SeqNum {
        SeqNum(self.0.wrapping_sub(octets))
    }
}

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

bitflags::bitflags! {
    /// The control bits.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Flags: u8 {
        /// No more data from the sender.
        const FIN = 1;
        /// Synchronize sequence numbers.
        const SYN = 1 << 1;
        /// Reset the connection.
        const RST = 1 << 2;
        /// Push.
        const PSH = 1 << 3;
        /// The acknowledgment number is significant.
        const ACK = 1 << 4;
        /// The urgent pointer is significant.
        const URG = 1 << 5;
        /// ECN echo (RFC 3168).
        const ECE = 1 << 6;
        /// Congestion window reduced (RFC 3168).
        const CWR = 1 << 7;
    }
}

mod field {
    use core::ops::Range;

    pub(super) const SRC_PORT: Range<usize> = 0..2;
    pub(super) const DST_PORT: Range<usize> = 2..4;
    pub(super) const SEQ: Range<usize> = 4..8;
    pub(super) const ACK: Range<usize> = 8..12;
    pub(super) const OFFSET: usize = 12;
    pub(super) const FLAGS: usize = 13;
    pub(super) const WINDOW: Range<usize> = 14..16;
    pub(super) const CHECKSUM: Range<usize> = 16..18;
    pub(super) const URGENT: Range<usize> = 18..20;
}

/// Octets of a header without options.
pub const HEADER_LEN: usize = 20;
/// Octets of the longest header.
pub const MAX_HEADER_LEN: usize = 60;
const _: () = assert!(field::URGENT.end == HEADER_LEN);

const OPT_END: u8 = 0;
const OPT_NOP: u8 = 1;
const OPT_MSS: u8 = 2;
const OPT_WINDOW_SCALE: u8 = 3;
const OPT_SACK_PERMITTED: u8 = 4;

/// The largest window shift (RFC 7323 §2.3).
pub const MAX_WINDOW_SCALE: u8 = 14;

/// The fixed part of a header, read without a check.
#[derive(Clone, Copy)]
pub(crate) struct Header<'a>(&'a [u8; HEADER_LEN]);

/// Splits a segment into fixed header, options and payload.
///
/// The checksum is not verified here: the engine may have been told that it is right.
#[inline]
pub(crate) fn parse(data: &[u8]) -> Result<(Header<'_>, &[u8], &[u8])> {
    let Some((header, rest)) = data.split_first_chunk::<HEADER_LEN>() else {
        return Err(Error::Truncated);
    };
    let header = Header(header);
    let Some(options_len) = header.len().checked_sub(HEADER_LEN) else {
        return Err(Error::Malformed);
    };
    match rest.split_at_checked(options_len) {
        Some((options, payload)) => Ok((header, options, payload)),
        None => Err(Error::Truncated),
    }
}

impl Header<'_> {
    #[inline]
    pub(crate) fn src_port(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    #[inline]
    pub(crate) fn dst_port(&self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    #[inline]
    pub(crate) fn seq(&self) -> SeqNum {
        SeqNum(u32::from_be_bytes([self.0[4], self.0[5], self.0[6], self.0[7]]))
    }

    #[inline]
    pub(crate) fn ack(&self) -> SeqNum {
        SeqNum(u32::from_be_bytes([self.0[8], self.0[9], self.0[10], self.0[11]]))
    }

    /// Octets of the header with its options, as it says.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.0[field::OFFSET] >> 4) * 4
    }

    #[inline]
    pub(crate) fn flags(&self) -> Flags {
        Flags::from_bits_retain(self.0[field::FLAGS])
    }

    // RFC 9293 §3.1 (MUST-1): unsigned.
    #[inline]
    pub(crate) fn window(&self) -> u16 {
        u16::from_be_bytes([self.0[14], self.0[15]])
    }

    #[inline]
    pub(crate) fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.0[16], self.0[17]])
    }

    #[inline]
    pub(crate) fn urgent(&self) -> u16 {
        u16::from_be_bytes([self.0[18], self.0[19]])
    }
}

/// The options that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The largest segment the sender takes, in octets of payload; 0 if not said.
    pub mss: u16,
    /// How far the sender's windows are shifted, in bits; 0xff if it does not scale.
    pub window_scale: u8,
    /// The sender understands selective acknowledgments.
    pub sack_permitted: bool,
}

impl Options {
    /// No option at all.
    pub const NONE: Options = Options { mss: 0, window_scale: 0xff, sack_permitted: false };

    /// Reads the options area of a header, at most 40 octets, over what is there.
    ///
    /// A length below two or beyond the area is `Malformed`; what was read before it stands. An option
    /// that is understood but of the wrong length is ignored.
    pub fn parse(&mut self, mut area: &[u8]) -> Result<()> {
        loop {
            // RFC 9293 §3.1 (MUST-4, MUST-64): octet by octet, wherever an option begins.
            let (kind, len) = match *area {
                [] | [OPT_END, ..] => return Ok(()),
                [OPT_NOP, ..] => (OPT_NOP, 1),
                // RFC 9293 §3.2 (MUST-7): an illegal length must not take the stack down.
                [_] | [_, 0 | 1, ..] => return Err(Error::Malformed),
                [kind, len, ..] => (kind, usize::from(len)),
            };
            let Some((option, rest)) = area.split_at_checked(len) else {
                return Err(Error::Malformed);
            };
            match (kind, option) {
                (OPT_MSS, &[_, _, high, low]) => self.mss = u16::from_be_bytes([high, low]),
                // RFC 7323 §2.3: a larger shift is used as if it were 14.
                (OPT_WINDOW_SCALE, &[_, _, shift]) => self.window_scale = shift.min(MAX_WINDOW_SCALE),
                (OPT_SACK_PERMITTED, _) => self.sack_permitted = true,
                // RFC 9293 §3.1 (MUST-6): unknown, and its length says where the next begins (MUST-68).
                _ => {}
            }
            area = rest;
        }
    }

    /// Octets that [`emit`](Options::emit) writes, a multiple of four.
    #[inline]
    pub fn buffer_len(&self) -> usize {
        let words = usize::from(self.mss != 0)
            + usize::from(self.window_scale != 0xff)
            + usize::from(self.sack_permitted);
        words * 4
    }

    /// Writes the options, each padded to four octets, as far as `out` has room.
    pub fn emit(&self, out: &mut [u8]) {
        // RFC 9293 §3.1 (MUST-69): they end with the header, so that nothing but no-operations pads.
        let (words, _) = out.as_chunks_mut::<4>();
        let mut words = words.iter_mut();
        let mut put = |word: [u8; 4]| {
            if let Some(out) = words.next() {
                *out = word;
            }
        };
        if self.mss != 0 {
            let [high, low] = self.mss.to_be_bytes();
            put([OPT_MSS, 4, high, low]);
        }
        if self.window_scale != 0xff {
            put([OPT_NOP, OPT_WINDOW_SCALE, 3, self.window_scale]);
        }
        if self.sack_permitted {
            put([OPT_NOP, OPT_NOP, OPT_SACK_PERMITTED, 2]);
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::NONE
    }
}

/// What the fixed part of a header is written from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeaderFields {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: SeqNum,
    pub(crate) ack: SeqNum,
    pub(crate) flags: Flags,
    pub(crate) window: u16,
    /// With options; a multiple of four, at most 60.
    pub(crate) header_len: u8,
}

impl HeaderFields {
    /// Writes the 20 octets; checksum and urgent pointer become zero.
    #[inline]
    pub(crate) fn emit(&self, out: &mut [u8; HEADER_LEN]) {
        // By words, which every machine stores in one piece.
        let ports = u32::from(self.src_port) << 16 | u32::from(self.dst_port);
        let (offset, flags) = (u32::from(self.header_len) << 26, u32::from(self.flags.bits()) << 16);
        let [p0, p1, p2, p3] = ports.to_be_bytes();
        let [q0, q1, q2, q3] = self.seq.0.to_be_bytes();
        let [a0, a1, a2, a3] = self.ack.0.to_be_bytes();
        let [w0, w1, w2, w3] = (offset | flags | u32::from(self.window)).to_be_bytes();
        *out = [p0, p1, p2, p3, q0, q1, q2, q3, a0, a1, a2, a3, w0, w1, w2, w3, 0, 0, 0, 0];
    }
}

/// A TCP segment in a buffer.
///
/// After [`check_len`](Packet::check_len) is `Ok` no getter panics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<T: AsRef<[u8]>> {
    buffer: T,
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// Takes the buffer as it is.
    pub const fn new_unchecked(buffer: T) -> Packet<T> {
        Packet { buffer }
    }

    /// Takes the buffer if the header and its options fit into it.
    pub fn new_checked(buffer: T) -> Result<Packet<T>> {
        let packet = Packet { buffer };
        packet.check_len()?;
        Ok(packet)
    }

    /// Whether the header and its options fit, and the header is no shorter than the smallest.
    pub fn check_len(&self) -> Result<()> {
        parse(self.buffer.as_ref()).map(|_| ())
    }

    /// Gives the buffer back.
    pub fn into_inner(self) -> T {
        self.buffer
    }

    fn header(&self) -> Header<'_> {
        match self.buffer.as_ref().first_chunk() {
            Some(header) => Header(header),
            None => panic!("a TCP header has 20 octets: use new_checked"),
        }
    }

    /// Source port.
    pub fn src_port(&self) -> u16 {
        self.header().src_port()
    }

    /// Destination port.
    pub fn dst_port(&self) -> u16 {
        self.header().dst_port()
    }

    /// Sequence number of the first octet, or of the SYN.
    pub fn seq_number(&self) -> SeqNum {
        self.header().seq()
    }

    /// The sequence number expected next; significant with [`Flags::ACK`].
    pub fn ack_number(&self) -> SeqNum {
        self.header().ack()
    }

    /// Octets of the header with its options.
    pub fn header_len(&self) -> usize {
        self.header().len()
    }

    /// The control bits.
    pub fn flags(&self) -> Flags {
        self.header().flags()
    }

    /// The window, not scaled.
    pub fn window_len(&self) -> u16 {
        self.header().window()
    }

    /// The checksum field.
    pub fn checksum(&self) -> u16 {
        self.header().checksum()
    }

    /// The urgent pointer.
    pub fn urgent_at(&self) -> u16 {
        self.header().urgent()
    }

    /// The options area.
    pub fn options(&self) -> &[u8] {
        parse(self.buffer.as_ref()).map_or(&[], |(_, options, _)| options)
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        parse(self.buffer.as_ref()).map_or(&[], |(_, _, payload)| payload)
    }

    fn sum(&self, src: &IpAddress, dst: &IpAddress) -> Sum {
        let data = self.buffer.as_ref();
        pseudo_header_of(src, dst, IpProtocol::TCP.0, data.len() as u32).add(sum(data))
    }

    /// Whether the checksum is right.
    pub fn verify_checksum(&self, src: &IpAddress, dst: &IpAddress) -> bool {
        self.sum(src, dst).is_valid()
    }

    /// Sequence space that the segment occupies: its payload, and one each for SYN and FIN.
    pub fn segment_len(&self) -> usize {
        let flags = self.flags();
        self.payload().len()
            + usize::from(flags.contains(Flags::SYN))
            + usize::from(flags.contains(Flags::FIN))
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    fn put<const N: usize>(&mut self, at: core::ops::Range<usize>, octets: [u8; N]) {
        self.buffer.as_mut()[at].copy_from_slice(&octets);
    }

    /// Sets the source port.
    pub fn set_src_port(&mut self, port: u16) {
        self.put(field::SRC_PORT, port.to_be_bytes());
    }

    /// Sets the destination port.
    pub fn set_dst_port(&mut self, port: u16) {
        self.put(field::DST_PORT, port.to_be_bytes());
    }

    /// Sets the sequence number.
    pub fn set_seq_number(&mut self, seq: SeqNum) {
        self.put(field::SEQ, seq.0.to_be_bytes());
    }

    /// Sets the acknowledgment number.
    pub fn set_ack_number(&mut self, ack: SeqNum) {
        self.put(field::ACK, ack.0.to_be_bytes());
    }

    /// Sets the header's length, a multiple of four from 20 to 60, and clears the reserved bits.
    pub fn set_header_len(&mut self, len: u8) {
        self.buffer.as_mut()[field::OFFSET] = len << 2;
    }

    /// Sets the control bits.
    pub fn set_flags(&mut self, flags: Flags) {
        self.buffer.as_mut()[field::FLAGS] = flags.bits();
    }

    /// Sets the window, not scaled.
    pub fn set_window_len(&mut self, window: u16) {
        self.put(field::WINDOW, window.to_be_bytes());
    }

    /// Sets the checksum field.
    pub fn set_checksum(&mut self, checksum: u16) {
        self.put(field::CHECKSUM, checksum.to_be_bytes());
    }

    /// Sets the urgent pointer.
    pub fn set_urgent_at(&mut self, urgent: u16) {
        self.put(field::URGENT, urgent.to_be_bytes());
    }

    /// Writes the fixed part of a header.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub(super) fn emit_header(&mut self, fields: &HeaderFields) {
        match self.buffer.as_mut().first_chunk_mut() {
            Some(fixed) => fields.emit(fixed),
            None => panic!("a TCP header has 20 octets"),
        }
    }

    /// The options area, to be written.
    pub fn options_mut(&mut self) -> &mut [u8] {
        let header_len = self.header().len();
        self.buffer.as_mut().get_mut(HEADER_LEN..header_len).unwrap_or_default()
    }

    /// Computes the checksum and writes it.
    pub fn fill_checksum(&mut self, src: &IpAddress, dst: &IpAddress) {
        self.set_checksum(0);
        let checksum = self.sum(src, dst).finish();
        self.set_checksum(u16::from_be_bytes(checksum));
    }

    /// The payload, to be written.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let header_len = self.header().len();
        self.buffer.as_mut().get_mut(header_len..).unwrap_or_default()
    }
}

/// A TCP segment in parts; the payload stands apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// Source port, not 0.
    pub src_port: u16,
    /// Destination port, not 0.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: SeqNum,
    /// Acknowledgment number; zero if the flags have no ACK.
    pub ack: SeqNum,
    /// The control bits.
    pub flags: Flags,
    /// The window, not scaled.
    pub window: u16,
    /// The options that are understood.
    pub options: Options,
    /// Octets of payload.
    pub payload_len: usize,
}

impl Repr {
    /// From a segment's octets. The checksum is not looked at: it needs the addresses.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>) -> Result<Repr> {
        let (header, area, payload) = parse(packet.buffer.as_ref())?;
        if header.src_port() == 0 || header.dst_port() == 0 {
            return Err(Error::Malformed);
        }
        let mut options = Options::NONE;
        options.parse(area)?;
        Ok(Repr {
            src_port: header.src_port(),
            dst_port: header.dst_port(),
            seq: header.seq(),
            ack: if header.flags().contains(Flags::ACK) { header.ack() } else { SeqNum(0) },
            flags: header.flags(),
            window: header.window(),
            options,
            payload_len: payload.len(),
        })
    }

    /// Octets of the header with its options.
    pub fn header_len(&self) -> usize {
        HEADER_LEN + self.options.buffer_len()
    }

    /// Octets of the whole segment.
    pub fn buffer_len(&self) -> usize {
        self.header_len() + self.payload_len
    }

    /// Writes the header and its options, with a zero checksum and urgent pointer.
    ///
    /// # Panics
    /// If the buffer is shorter than [`header_len`](Repr::header_len).
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, packet: &mut Packet<T>) {
        let header_len = self.header_len();
        let fields = HeaderFields {
            src_port: self.src_port,
            dst_port: self.dst_port,
            seq: self.seq,
            ack: self.ack,
            flags: self.flags,
            window: self.window,
            header_len: header_len as u8,
        };
        let Some((fixed, options)) = packet.buffer.as_mut()[..header_len].split_first_chunk_mut() else {
            return;
        };
        fields.emit(fixed);
        self.options.emit(options);
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TCP {} > {}", self.src_port, self.dst_port)?;
        for (name, _) in self.flags.iter_names() {
            write!(f, " {name}")?;
        }
        write!(f, " seq={}", self.seq)?;
        if self.flags.contains(Flags::ACK) {
            write!(f, " ack={}", self.ack)?;
        }
        write!(f, " win={} len={}", self.window, self.payload_len)?;
        if self.options.mss != 0 {
            write!(f, " mss={}", self.options.mss)?;
        }
        if self.options.window_scale != 0xff {
            write!(f, " wscale={}", self.options.window_scale)?;
        }
        if self.options.sack_permitted {
            f.write_str(" sackOK")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::hex;

    /// SYNs of Linux 6.18 to port 80 of 10.0.0.2 and fd00::2, captured on a veth whose checksums are not left to the
    /// device: MSS, SACK, timestamps, window scale 10.
    const LINUX_SYN: &str =
        "bcb600503ff8d94100000000a002faf080c30000020405b40402080a3017b1ee000000000103030a";
    const LINUX_SYN6: &str =
        "d094005042c1abab00000000a002fd2063530000020405a00402080aca27641f000000000103030a";

    const CANONICAL: [u8; 36] = [
        0xc0, 0xde, 0x00, 0x50, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x80, 0x12, 0xfa,
        0xf0, //
        0x00, 0x00, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, 0x01, 0x03, 0x03, 0x07, 0x01, 0x01, 0x04,
        0x02, //
        b'd', b'a', b't', b'a',
    ];

    fn reemit(repr: &Repr, payload: &[u8]) -> std::vec::Vec<u8> {
        let mut packet = Packet::new_unchecked(std::vec![0xff; repr.buffer_len()]);
        repr.emit(&mut packet);
        packet.payload_mut().copy_from_slice(payload);
        packet.into_inner()
    }

    #[test]
    fn a_syn_of_linux_parses() {
        let v4 = (IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2));
        let v6 = (IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1), IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2));
        let cases = [
            (LINUX_SYN, v4, "TCP 48310 > 80 SYN seq=1073273153 win=64240 len=0 mss=1460 wscale=10 sackOK"),
            (LINUX_SYN6, v6, "TCP 53396 > 80 SYN seq=1119988651 win=64800 len=0 mss=1440 wscale=10 sackOK"),
        ];
        for (text, (src, dst), said) in cases {
            let octets = hex(text);
            let packet = Packet::new_checked(&octets[..]).unwrap();
            assert_eq!((packet.header_len(), packet.urgent_at(), packet.segment_len()), (40, 0, 1));
            assert!(packet.verify_checksum(&src, &dst));
            let repr = Repr::parse(&packet).unwrap();
            assert_eq!((repr.flags, std::format!("{repr}").as_str()), (Flags::SYN, said));
            let again = reemit(&repr, &[]);
            assert_eq!(Repr::parse(&Packet::new_checked(&again[..]).unwrap()).unwrap(), repr);
        }
    }

    /// Covers: RFC 9293 MUST-68, MUST-69
    #[test]
    fn a_canonical_segment_is_emitted_as_it_was() {
        let packet = Packet::new_checked(&CANONICAL[..]).unwrap();
        assert_eq!(packet.payload(), b"data");
        let repr = Repr::parse(&packet).unwrap();
        assert_eq!(reemit(&repr, packet.payload()), CANONICAL);
    }

    #[test]
    fn setters_write_what_getters_read() {
        let mut packet = Packet::new_unchecked(std::vec![0; 24]);
        packet.set_header_len(20);
        packet.set_src_port(1);
        packet.set_dst_port(2);
        packet.set_seq_number(SeqNum(3));
        packet.set_ack_number(SeqNum(4));
        packet.set_flags(Flags::ACK | Flags::PSH);
        packet.set_window_len(5);
        packet.set_checksum(6);
        packet.set_urgent_at(7);
        assert_eq!((packet.src_port(), packet.dst_port()), (1, 2));
        assert_eq!((packet.seq_number(), packet.ack_number()), (SeqNum(3), SeqNum(4)));
        assert_eq!(packet.flags(), Flags::ACK | Flags::PSH);
        assert_eq!((packet.window_len(), packet.checksum(), packet.urgent_at()), (5, 6, 7));
        assert_eq!((packet.header_len(), packet.payload_mut().len()), (20, 4));
    }

    #[test]
    fn a_cut_within_the_header_is_an_error() {
        for len in 0..40 {
            assert_eq!(Packet::new_checked(&hex(LINUX_SYN)[..len]).unwrap_err(), Error::Truncated, "{len}");
        }
    }

    #[test]
    fn no_flipped_bit_panics() {
        for bit in 0..CANONICAL.len() * 8 {
            let mut octets = CANONICAL;
            octets[bit / 8] ^= 1 << (bit % 8);
            if let Ok(packet) = Packet::new_checked(&octets[..]) {
                let _ = (packet.options(), packet.payload(), packet.segment_len());
                if let Ok(repr) = Repr::parse(&packet) {
                    let again = reemit(&repr, packet.payload());
                    assert_eq!(Repr::parse(&Packet::new_checked(&again[..]).unwrap()), Ok(repr));
                }
            }
        }
    }

    #[test]
    fn malformed_headers_get_their_error() {
        let with = |at: usize, octet: u8| {
            let mut octets = CANONICAL;
            octets[at] = octet;
            octets
        };
        for (name, octets, error) in [
            ("header shorter than 20", with(12, 0x40), Error::Malformed),
            ("header beyond the segment", with(12, 0xf0), Error::Truncated),
            ("option of length 0", with(21, 0), Error::Malformed),
            ("option of length 1", with(21, 1), Error::Malformed),
            ("option beyond the area", with(25, 40), Error::Malformed),
        ] {
            let got = Packet::new_checked(&octets[..]).and_then(|packet| Repr::parse(&packet));
            let got = if name.starts_with("option beyond") {
                // Kind 3 becomes length 40 only with the NOP before it made an unknown kind.
                let mut octets = octets;
                octets[24] = 99;
                Repr::parse(&Packet::new_checked(&octets[..]).unwrap())
            } else {
                got
            };
            assert_eq!(got.unwrap_err(), error, "{name}");
        }
        let mut no_port = CANONICAL;
        no_port[0] = 0;
        no_port[1] = 0;
        assert_eq!(Repr::parse(&Packet::new_checked(&no_port[..]).unwrap()), Err(Error::Malformed));
    }

    /// Covers: RFC 9293 MUST-4, MUST-6, MUST-7, MUST-64, MUST-68
    #[test]
    fn options_are_walked_without_trust() {
        let mss = |mss| Options { mss, ..Options::NONE };
        for (name, area, expected, result) in [
            ("nothing", &[][..], Options::NONE, Ok(())),
            ("end hides the rest", &[0, 2, 4, 1, 1], Options::NONE, Ok(())),
            ("kind without length", &[1, 2], Options::NONE, Err(Error::Malformed)),
            ("unknown option is stepped over", &[200, 3, 9, 2, 4, 1, 0], mss(256), Ok(())),
            ("mss of a wrong length", &[2, 3, 1, 2, 4, 1, 0], mss(256), Ok(())),
            ("what came before an error stands", &[2, 4, 1, 0, 9, 0], mss(256), Err(Error::Malformed)),
            ("shift above 14", &[3, 3, 200], Options { window_scale: 14, ..Options::NONE }, Ok(())),
        ] {
            let mut options = Options::NONE;
            assert_eq!(options.parse(area), result, "{name}");
            assert_eq!(options, expected, "{name}");
        }
    }

    #[test]
    fn sequence_numbers_compare_across_the_wrap() {
        let (before, after) = (SeqNum(u32::MAX - 1), SeqNum(3));
        assert_eq!(before + 5, after);
        assert_eq!(after - 5, before);
        assert_eq!(after.since(before), 5);
        assert!(before.lt(after) && before.le(after) && after.gt(before) && after.ge(before));
        assert!(!before.lt(before) && before.le(before) && before.ge(before));
        assert_eq!(before.max(after), after);
    }

    /// Covers: RFC 9293 §3.4
    #[test]
    fn a_segment_occupies_its_data_and_its_ends() {
        let with = |flags, data: &[u8]| {
            let mut octets = [&hex(LINUX_SYN)[..20], data].concat();
            (octets[12], octets[13]) = (0x50, flags);
            Packet::new_checked(&octets).unwrap().segment_len()
        };
        for (flags, expected) in [(0x10, 0), (0x02, 1), (0x11, 1), (0x03, 2)] {
            assert_eq!(with(flags, b""), expected);
            assert_eq!(with(flags, b"data"), expected + 4);
        }
    }
}
