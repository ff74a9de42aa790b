//! All options of TCP (RFC 9293 §3.1; 2018, 7323, 5482, 2385, 5925, 7413), and segments with them.
//!
//! The engine reads the few that it acts upon by itself, in `tcp`; here every option is kept, known or not.
//!
//! ```text
//!  0                   1                   2                   3
//! |     kind      |    length     |  data …
//! ```

use core::fmt;

use super::tcp::{Flags, HEADER_LEN, HeaderFields, Packet, SeqNum};
pub(crate) use super::tlv::NOP;
use super::tlv::{self, fmt_list};
use super::{Error, Result};

/// Octets of the longest options area.
pub const MAX_LEN: usize = tlv::MAX_LEN;

pub(crate) mod kind {
    pub(super) const MSS: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(crate) const TIMESTAMPS: u8 = 8;
    pub(super) const MD5: u8 = 19;
    pub(super) const USER_TIMEOUT: u8 = 28;
    pub(super) const AUTHENTICATION: u8 = 29;
    pub(super) const FAST_OPEN: u8 = 34;
}

/// Octets that arrived beyond the acknowledgment number, as they are on the wire: the first one's sequence
/// number, and that of the first one missing after it.
pub type SackBlock = [[u8; 4]; 2];

/// One option. Those whose length does not fit their kind appear as `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TcpOption<'a> {
    /// Nothing: padding between options.
    Nop,
    /// The largest segment that the sender takes, in octets of payload.
    Mss(u16),
    /// How far the sender's windows are shifted, in bits; more than 14 mean 14.
    WindowScale(u8),
    /// The sender understands selective acknowledgments.
    SackPermitted,
    /// A selective acknowledgment: one to four blocks.
    Sack(&'a [SackBlock]),
    /// The sender's clock, and the peer's as it was last seen.
    Timestamps {
        /// The sender's clock.
        value: u32,
        /// The peer's; of meaning with ACK.
        echo: u32,
    },
    /// A signature (RFC 2385).
    Md5(&'a [u8; 16]),
    /// How long the sender waits for an acknowledgment until it gives up (RFC 5482).
    UserTimeout {
        /// Whether `value` is in minutes; else it is in seconds.
        in_minutes: bool,
        /// At most 32,767.
        value: u16,
    },
    /// A message authentication code (RFC 5925).
    Authentication {
        /// Which key made the code.
        key_id: u8,
        /// Which key the sender would like next.
        next_key_id: u8,
        /// The code, at most 36 octets.
        mac: &'a [u8],
    },
    /// A cookie that lets data travel with the SYN (RFC 7413): 4 to 16 octets, an even number; none asks for
    /// one.
    FastOpen(&'a [u8]),
    /// Something else: its kind, and its data without kind and length.
    Unknown(u8, &'a [u8]),
}

const fn u32_of(word: [u8; 4]) -> u32 {
    u32::from_be_bytes(word)
}

fn read_sack(data: &[u8]) -> Option<TcpOption<'_>> {
    let (words, []) = data.as_chunks() else { return None };
    match words.as_chunks() {
        (blocks, []) if !blocks.is_empty() => Some(TcpOption::Sack(blocks)),
        _ => None,
    }
}

impl<'a> TcpOption<'a> {
    fn read(kind: u8, data: &'a [u8]) -> Option<TcpOption<'a>> {
        match (kind, data) {
            (kind::MSS, &[high, low]) => Some(TcpOption::Mss(u16::from_be_bytes([high, low]))),
            (kind::WINDOW_SCALE, &[shift]) => Some(TcpOption::WindowScale(shift)),
            (kind::SACK_PERMITTED, []) => Some(TcpOption::SackPermitted),
            (kind::SACK, _) => read_sack(data),
            (kind::TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => {
                Some(TcpOption::Timestamps { value: u32_of([a, b, c, d]), echo: u32_of([e, f, g, h]) })
            }
            (kind::MD5, _) => data.try_into().ok().map(TcpOption::Md5),
            (kind::USER_TIMEOUT, &[high, low]) => {
                let value = u16::from_be_bytes([high & 0x7f, low]);
                Some(TcpOption::UserTimeout { in_minutes: high & 0x80 != 0, value })
            }
            (kind::AUTHENTICATION, [key_id, next_key_id, mac @ ..]) => {
                Some(TcpOption::Authentication { key_id: *key_id, next_key_id: *next_key_id, mac })
            }
            (kind::FAST_OPEN, _) => {
                matches!(data.len(), 0 | 4 | 6 | 8 | 10 | 12 | 14 | 16).then_some(TcpOption::FastOpen(data))
            }
            _ => None,
        }
    }

    /// Octets of the option.
    pub const fn buffer_len(&self) -> usize {
        match self {
            TcpOption::Nop => 1,
            TcpOption::SackPermitted => 2,
            TcpOption::WindowScale(_) => 3,
            TcpOption::Mss(_) | TcpOption::UserTimeout { .. } => 4,
            TcpOption::Timestamps { .. } => 10,
            TcpOption::Md5(_) => 18,
            TcpOption::Sack(blocks) => 2 + blocks.len() * 8,
            TcpOption::Authentication { mac, .. } => 4 + mac.len(),
            TcpOption::FastOpen(data) | TcpOption::Unknown(_, data) => 2 + data.len(),
        }
    }

    /// Writes the option to the beginning of a buffer, and returns what is left of it.
    ///
    /// # Panics
    /// If the buffer is shorter than [`buffer_len`](TcpOption::buffer_len), or the option longer than
    /// [`MAX_LEN`].
    pub fn emit<'o>(&self, buffer: &'o mut [u8]) -> &'o mut [u8] {
        match *self {
            TcpOption::Nop => {
                let (option, rest) = buffer.split_at_mut(1);
                option[0] = NOP;
                rest
            }
            TcpOption::Mss(mss) => tlv::emit(buffer, kind::MSS, &mss.to_be_bytes(), &[]),
            TcpOption::WindowScale(shift) => tlv::emit(buffer, kind::WINDOW_SCALE, &[shift], &[]),
            TcpOption::SackPermitted => tlv::emit(buffer, kind::SACK_PERMITTED, &[], &[]),
            TcpOption::Sack(blocks) => {
                tlv::emit(buffer, kind::SACK, &[], blocks.as_flattened().as_flattened())
            }
            TcpOption::Timestamps { value, echo } => {
                tlv::emit(buffer, kind::TIMESTAMPS, &value.to_be_bytes(), &echo.to_be_bytes())
            }
            TcpOption::Md5(signature) => tlv::emit(buffer, kind::MD5, signature, &[]),
            TcpOption::UserTimeout { in_minutes, value } => {
                let field = u16::from(in_minutes) << 15 | value & 0x7fff;
                tlv::emit(buffer, kind::USER_TIMEOUT, &field.to_be_bytes(), &[])
            }
            TcpOption::Authentication { key_id, next_key_id, mac } => {
                tlv::emit(buffer, kind::AUTHENTICATION, &[key_id, next_key_id], mac)
            }
            TcpOption::FastOpen(cookie) => tlv::emit(buffer, kind::FAST_OPEN, cookie, &[]),
            TcpOption::Unknown(kind, data) => tlv::emit(buffer, kind, data, &[]),
        }
    }
}

/// Options whose lengths were found right. They end where the area does, or at an "end of options".
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// Checks an options area; what follows an "end of options" in it is dropped.
    ///
    /// # Errors
    /// `Malformed` if an option's length is below 2 or beyond the area, or the area is longer than
    /// [`MAX_LEN`].
    pub fn parse(area: &'a [u8]) -> Result<Options<'a>> {
        tlv::check(area).map(Options)
    }

    /// Octets of the options and the padding behind them: a multiple of 4.
    pub const fn buffer_len(&self) -> usize {
        self.0.len().next_multiple_of(4)
    }

    /// Writes options and padding.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub fn emit(&self, buffer: &mut [u8]) {
        tlv::emit_area(self.0, buffer);
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = TcpOption<'a>;

    fn next(&mut self) -> Option<TcpOption<'a>> {
        let (kind, data, rest) = tlv::split(self.0).ok()??;
        self.0 = rest;
        if kind == NOP {
            return Some(TcpOption::Nop);
        }
        Some(TcpOption::read(kind, data).unwrap_or(TcpOption::Unknown(kind, data)))
    }
}

/// A header with all its options, in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr<'a> {
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
    /// Where urgent data ends, in octets from the sequence number; 0 if the flags have no URG.
    pub urgent: u16,
    /// All options.
    pub options: Options<'a>,
    /// Octets of payload.
    pub payload_len: usize,
}

impl<'a> Repr<'a> {
    /// Reads a header. The checksum is not looked at: it needs the addresses.
    ///
    /// # Errors
    /// `Malformed` if a port is 0 or an option's length wrong.
    pub fn parse<T: AsRef<[u8]> + ?Sized>(packet: &Packet<&'a T>) -> Result<Repr<'a>> {
        packet.check_len()?;
        if packet.src_port() == 0 || packet.dst_port() == 0 {
            return Err(Error::Malformed);
        }
        // A copy of the view, since the octets live longer than this one.
        let data: &'a [u8] = packet.clone().into_inner().as_ref();
        let area = data.get(HEADER_LEN..packet.header_len()).unwrap_or_default(); // `check_len` found it there
        let flags = packet.flags();
        Ok(Repr {
            src_port: packet.src_port(),
            dst_port: packet.dst_port(),
            seq: packet.seq_number(),
            ack: if flags.contains(Flags::ACK) { packet.ack_number() } else { SeqNum(0) },
            flags,
            window: packet.window_len(),
            urgent: if flags.contains(Flags::URG) { packet.urgent_at() } else { 0 },
            options: Options::parse(area)?,
            payload_len: packet.payload().len(),
        })
    }

    /// Octets of the header with its options.
    pub const fn header_len(&self) -> usize {
        HEADER_LEN + self.options.buffer_len()
    }

    /// Writes the header and its options, with a zero checksum.
    ///
    /// # Panics
    /// If the buffer is shorter than [`header_len`](Repr::header_len).
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, packet: &mut Packet<T>) {
        let &Repr { src_port, dst_port, seq, ack, flags, window, .. } = self;
        let header_len = self.header_len() as u8;
        packet.emit_header(&HeaderFields { src_port, dst_port, seq, ack, flags, window, header_len });
        packet.set_urgent_at(self.urgent);
        self.options.emit(packet.options_mut());
    }
}

impl fmt::Display for TcpOption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TcpOption::Nop => f.write_str("nop"),
            TcpOption::Mss(mss) => write!(f, "mss={mss}"),
            TcpOption::WindowScale(shift) => write!(f, "wscale={shift}"),
            TcpOption::SackPermitted => f.write_str("sackOK"),
            TcpOption::Sack(blocks) => {
                f.write_str("sack=")?;
                fmt_list(f, blocks.iter().map(|[from, to]| Block(u32_of(*from), u32_of(*to))))
            }
            TcpOption::Timestamps { value, echo } => write!(f, "ts={value} echo={echo}"),
            TcpOption::Md5(_) => f.write_str("md5"),
            TcpOption::UserTimeout { in_minutes: true, value } => write!(f, "user-timeout={value}min"),
            TcpOption::UserTimeout { in_minutes: false, value } => write!(f, "user-timeout={value}s"),
            TcpOption::Authentication { key_id, next_key_id, mac } => {
                write!(f, "ao key={key_id} next={next_key_id} len={}", mac.len())
            }
            TcpOption::FastOpen([]) => f.write_str("fast-open"),
            TcpOption::FastOpen(cookie) => {
                f.write_str("fast-open=")?;
                cookie.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
            TcpOption::Unknown(kind, data) => write!(f, "option {kind} len={}", data.len()),
        }
    }
}

/// A block of sequence numbers, as text.
struct Block(u32, u32);

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0, self.1)
    }
}

impl fmt::Display for Repr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TCP {} > {}", self.src_port, self.dst_port)?;
        self.flags.iter_names().try_for_each(|(name, _)| write!(f, " {name}"))?;
        write!(f, " seq={}", self.seq)?;
        if self.flags.contains(Flags::ACK) {
            write!(f, " ack={}", self.ack)?;
        }
        write!(f, " win={} len={}", self.window, self.payload_len)?;
        if self.flags.contains(Flags::URG) {
            write!(f, " urgent={}", self.urgent)?;
        }
        let mut options = self.options.filter(|option| *option != TcpOption::Nop);
        options.try_for_each(|option| write!(f, " {option}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};
    use crate::wire::{IpAddress, bar, captured};

    /// Frames, octets before the segment, and what is said of their options.
    const CASES: [(&str, usize, &str); 8] = [
        (frames::TCP_SYN, 34, "mss=1460 wscale=7"),
        (captured::SYN_FAST_OPEN, 34, "mss=1460 sackOK ts=1025239787 echo=0 wscale=10 fast-open"),
        (
            captured::SYN_ACK_FAST_OPEN,
            34,
            "mss=1460 sackOK ts=1218849651 echo=1025239787 wscale=10 fast-open=",
        ),
        (captured::SYN_COOKIE, 34, "mss=1460 sackOK ts=2311516501 echo=0 wscale=10 fast-open="),
        (captured::SYN_MD5, 34, "md5 mss=1460 sackOK wscale=10"),
        (captured::TCP_SACK, 34, "ts=3482353635 echo=78 sack={"),
        (captured::TCP_USER_TIMEOUT, 20, "mss=1460 user-timeout=300s option 77 len=2"),
        (captured::TCP_AO, 20, "ao key=61 next=84 len=12"),
    ];

    fn rewrite(data: &[u8]) -> Result<(String, Vec<u8>)> {
        let packet = Packet::new_checked(data)?;
        let repr = Repr::parse(&packet)?;
        let mut copy = Packet::new_unchecked(vec![0xff; repr.header_len() + packet.payload().len()]);
        repr.emit(&mut copy);
        copy.set_checksum(packet.checksum());
        copy.payload_mut().copy_from_slice(packet.payload());
        Ok((format!("{repr:?} {repr}"), copy.into_inner()))
    }

    #[test]
    fn segments_of_others_parse_and_are_written_again() {
        for (frame, skip, text) in CASES {
            let data = &hex(frame)[skip..];
            let repr = Repr::parse(&Packet::new_checked(data).unwrap()).unwrap();
            let said = repr.to_string();
            let (_, options) = said.split_once(" len=").unwrap().1.split_once(' ').unwrap();
            assert!(options.starts_with(text), "{options}");
            bar::is_canonical(text, data, &rewrite);
            let mut written = vec![0; repr.options.buffer_len()];
            repr.options.fold(&mut written[..], |rest, option| {
                let (len, left) = (option.buffer_len(), rest.len());
                let rest = option.emit(rest);
                assert_eq!(rest.len(), left - len);
                rest
            });
            assert_eq!(written, data[20..20 + written.len()], "{text}");
        }
    }

    #[test]
    fn a_cut_in_the_header_is_found_and_flips_are_survived() {
        for (frame, skip, text) in CASES {
            let data = &hex(frame)[skip..];
            let header_len = Packet::new_unchecked(data).header_len();
            bar::cuts_are_found(text, &data[..header_len], &[], &bar::as_it_is, &rewrite);
            assert!(bar::flips_are_survived(text, data, &bar::as_it_is, &rewrite) > 150, "{text}");
        }
    }

    #[test]
    fn checksums_are_those_of_others() {
        let (src, dst) = (IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2));
        for (frame, skip) in [(frames::TCP_SYN, 34), (captured::TCP_USER_TIMEOUT, 20), (captured::TCP_AO, 20)]
        {
            let data = hex(frame)[skip..].to_vec();
            let mut packet = Packet::new_unchecked(data.clone());
            assert!(packet.verify_checksum(&src, &dst));
            packet.set_window_len(1);
            assert!(!packet.verify_checksum(&src, &dst));
            packet.set_window_len(Packet::new_unchecked(&data[..]).window_len());
            packet.set_checksum(0);
            packet.fill_checksum(&src, &dst);
            assert_eq!(packet.into_inner(), data);
        }
    }

    /// Covers: RFC 9293 MUST-7
    #[test]
    fn areas_are_walked_without_trust() {
        let malformed = Err(Error::Malformed);
        let cases = [
            ("a length of 0", &[2, 0, 4, 0][..], malformed),
            ("a length of 1", &[8, 1, 4, 0], malformed),
            ("a length beyond the area", &[2, 5, 4, 0], malformed),
            ("a kind without a length", &[1, 1, 1, 2], malformed),
            ("more than a header holds", &[1; 44], malformed),
            ("what follows the end", &[1, 0, 2, 0], Ok("nop")),
            ("nothing", &[], Ok("")),
            ("a kind that is not known", &[253, 4, 1, 2], Ok("option 253 len=2")),
            ("an MSS of one octet", &[2, 3, 5, 0], Ok("option 2 len=1")),
            ("a shift of two octets", &[3, 4, 5, 0], Ok("option 3 len=2")),
            ("a permission with data", &[4, 3, 5, 0], Ok("option 4 len=1")),
            ("a SACK of no block", &[5, 2, 0, 0], Ok("option 5 len=0")),
            ("a SACK of half a block", &[5, 6, 1, 2, 3, 4], Ok("option 5 len=4")),
            ("a SACK of a part of a block", &[5, 9, 1, 2, 3, 4, 5, 6, 7, 0], Ok("option 5 len=7")),
            ("a SACK of one block", &[5, 10, 0, 0, 0, 1, 0, 0, 0, 9], Ok("sack={1..9}")),
            ("timestamps cut short", &[8, 9, 1, 2, 3, 4, 5, 6, 7, 0], Ok("option 8 len=7")),
            ("a short signature", &[19, 4, 1, 2], Ok("option 19 len=2")),
            ("a user timeout in minutes", &[28, 4, 0x80, 2], Ok("user-timeout=2min")),
            ("a user timeout of one octet", &[28, 3, 9, 0], Ok("option 28 len=1")),
            ("a code without keys", &[29, 3, 9, 0], Ok("option 29 len=1")),
            ("a code of no octets", &[29, 4, 9, 8], Ok("ao key=9 next=8 len=0")),
            ("a cookie of two octets", &[34, 4, 9, 8], Ok("option 34 len=2")),
            ("a cookie of an odd length", &[34, 7, 1, 2, 3, 4, 5, 0], Ok("option 34 len=5")),
            (
                "a cookie of 17 octets",
                &[34, 20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7],
                Ok("option 34 len=18"),
            ),
        ];
        for (name, area, expected) in cases {
            let options = Options::parse(area);
            let text = options
                .map(|options| options.map(|option| option.to_string()).collect::<Vec<_>>().join(", "));
            assert_eq!(text.as_deref(), expected.as_ref().copied(), "{name}");
        }
    }

    #[test]
    fn the_urgent_pointer_counts_with_its_flag_only() {
        let mut data = hex(captured::TCP_AO)[20..].to_vec();
        data[19] = 5;
        assert_eq!(Repr::parse(&Packet::new_unchecked(&data)).unwrap().urgent, 0);
        data[13] |= Flags::URG.bits();
        let repr = Repr::parse(&Packet::new_unchecked(&data)).unwrap();
        assert_eq!(repr.urgent, 5);
        assert!(repr.to_string().contains(" urgent=5 "));
        bar::is_canonical("urgent", &data, &rewrite);
    }

    #[test]
    fn a_segment_has_two_ports() {
        let data = &hex(frames::TCP_SYN)[34..];
        assert!(Repr::parse(&Packet::new_checked(data).unwrap()).is_ok());
        for at in [0, 2] {
            let mut bad = data.to_vec();
            bad[at..at + 2].fill(0);
            let packet = Packet::new_checked(&bad[..]).unwrap();
            assert_eq!(Repr::parse(&packet).unwrap_err(), Error::Malformed);
        }
    }
}
