//! ICMP for IPv4 (RFC 792, RFC 950 address masks, RFC 1122 §3.2.2, RFC 1191): errors, and questions with
//! their answers. Of the questions hosts need only answer echoes (RFC 6918 has made others historic).
//!
//! The header, which the engine reads, is in `icmp`; here are the numbers, and what users need.

use core::fmt;

use super::checksum::{copy_and_sum, sum};
use super::field::u32_at;
use super::icmp::{HEADER_LEN, Header, emit};
use super::{Error, Ipv4Address, Result};

mod numbers;

pub use numbers::{msg_type, param_problem, redirect, time_exceeded, unreachable};

packet! {
    /// A message in a buffer.
    Packet, |data| Header::split(data).map(|_| ())
}

getters! { Packet:
    msg_type -> u8;
    msg_code -> u8;
    checksum -> [u8; 2];
    word -> u32;
    echo_ident -> u16;
    echo_seq_no -> u16;
}

setters! { Packet:
    set_msg_type(msg_type: u8) at 0 = [msg_type];
    set_msg_code(msg_code: u8) at 1 = [msg_code];
    set_checksum(checksum: [u8; 2]) at 2 = checksum;
    set_word(word: u32) at 4 = word.to_be_bytes();
    set_echo_ident(ident: u16) at 4 = ident.to_be_bytes();
    set_echo_seq_no(seq_no: u16) at 6 = seq_no.to_be_bytes();
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// What follows the header: an echo's data, or the packet that an error quotes.
    pub fn data(&self) -> &[u8] {
        &self.buffer.as_ref()[HEADER_LEN..]
    }

    /// Whether the checksum is right.
    pub fn verify_checksum(&self) -> bool {
        sum(self.buffer.as_ref()).is_valid()
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// What follows the header, to write it.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.as_mut()[HEADER_LEN..]
    }

    /// Computes the checksum and writes it.
    pub fn fill_checksum(&mut self) {
        self.set_checksum([0; 2]);
        let checksum = sum(self.buffer.as_ref()).finish();
        self.set_checksum(checksum);
    }
}

/// The times of a timestamp message, in milliseconds since midnight, universal time; one with the highest
/// bit set is in units of the host's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When the sender of the request last touched it.
    pub originate: u32,
    /// When who answers got it; 0 in a request.
    pub receive: u32,
    /// When who answers last touched it; 0 in a request.
    pub transmit: u32,
}

impl Times {
    const LEN: usize = 12;

    /// Reads what follows the header; longer messages are taken.
    fn parse(data: &[u8]) -> Result<Times> {
        let times: &[u8; Times::LEN] = data.first_chunk().ok_or(Error::Truncated)?;
        let (originate, receive) = (u32_at::<0, 12>(times), u32_at::<4, 12>(times));
        Ok(Times { originate, receive, transmit: u32_at::<8, 12>(times) })
    }

    fn octets(&self) -> [[u8; 4]; 3] {
        [self.originate, self.receive, self.transmit].map(u32::to_be_bytes)
    }
}

/// What follows a header.
enum Body<'a> {
    Data(&'a [u8]),
    Times(Times),
    Mask(Ipv4Address),
}

impl Body<'_> {
    const fn len(&self) -> usize {
        match self {
            Body::Data(data) => data.len(),
            Body::Times(_) => Times::LEN,
            Body::Mask(_) => 4,
        }
    }
}

/// Reads what follows the header of a message about the network's mask.
fn parse_mask(data: &[u8]) -> Result<Ipv4Address> {
    data.first_chunk::<4>().map(|mask| Ipv4Address::from(*mask)).ok_or(Error::Truncated)
}

/// A message in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repr<'a> {
    /// Asks for its own content.
    EchoRequest {
        /// Who asks.
        ident: u16,
        /// Which one of several.
        seq_no: u16,
        /// What comes back.
        data: &'a [u8],
    },
    /// Answer to an echo request.
    EchoReply {
        /// That of the request.
        ident: u16,
        /// That of the request.
        seq_no: u16,
        /// That of the request.
        data: &'a [u8],
    },
    /// A packet could not be delivered.
    DstUnreachable {
        /// Why: one of [`unreachable`].
        code: u8,
        /// MTU of the next hop with "fragmentation needed"; else 0.
        next_hop_mtu: u16,
        /// The packet's header and beginning.
        data: &'a [u8],
    },
    /// A gateway is short of buffers.
    SourceQuench {
        /// The packet's header and beginning.
        data: &'a [u8],
    },
    /// A better router is on the link.
    Redirect {
        /// For what: one of [`redirect`].
        code: u8,
        /// The better router.
        gateway: Ipv4Address,
        /// The packet's header and beginning.
        data: &'a [u8],
    },
    /// Hops or time ran out.
    TimeExceeded {
        /// Which: one of [`time_exceeded`].
        code: u8,
        /// The packet's header and beginning.
        data: &'a [u8],
    },
    /// The header holds something wrong.
    ParamProblem {
        /// Zero if the pointer says what.
        code: u8,
        /// Octets from the packet's start to what is wrong.
        pointer: u8,
        /// The packet's header and beginning.
        data: &'a [u8],
    },
    /// Asks for the time.
    TimestampRequest {
        /// Who asks.
        ident: u16,
        /// Which one of several.
        seq_no: u16,
        /// When.
        times: Times,
    },
    /// Answer to a timestamp request.
    TimestampReply {
        /// That of the request.
        ident: u16,
        /// That of the request.
        seq_no: u16,
        /// When.
        times: Times,
    },
    /// Asks for a network's number.
    InformationRequest {
        /// Who asks.
        ident: u16,
        /// Which one of several.
        seq_no: u16,
    },
    /// Answer to an information request: the number is in the packet's addresses.
    InformationReply {
        /// That of the request.
        ident: u16,
        /// That of the request.
        seq_no: u16,
    },
    /// Asks for the network's mask.
    MaskRequest {
        /// Who asks.
        ident: u16,
        /// Which one of several.
        seq_no: u16,
        /// Usually 0.
        mask: Ipv4Address,
    },
    /// Answer to a mask request.
    MaskReply {
        /// That of the request.
        ident: u16,
        /// That of the request.
        seq_no: u16,
        /// The mask.
        mask: Ipv4Address,
    },
}

impl<'a> Repr<'a> {
    /// Reads a message and verifies its checksum; `Unsupported` if it is of another type.
    pub fn parse<T: AsRef<[u8]> + ?Sized>(packet: &Packet<&'a T>) -> Result<Repr<'a>> {
        let (header, data) = Header::split(packet.buffer.as_ref())?;
        if !packet.verify_checksum() {
            return Err(Error::Checksum);
        }
        let (code, ident, seq_no) = (header.msg_code(), header.echo_ident(), header.echo_seq_no());
        Ok(match header.msg_type() {
            msg_type::ECHO_REQUEST => Repr::EchoRequest { ident, seq_no, data },
            msg_type::ECHO_REPLY => Repr::EchoReply { ident, seq_no, data },
            msg_type::DST_UNREACHABLE if code == unreachable::FRAGMENTATION_NEEDED => {
                Repr::DstUnreachable { code, next_hop_mtu: header.next_hop_mtu(), data }
            }
            msg_type::DST_UNREACHABLE => Repr::DstUnreachable { code, next_hop_mtu: 0, data },
            msg_type::TIME_EXCEEDED => Repr::TimeExceeded { code, data },
            msg_type::PARAM_PROBLEM => {
                Repr::ParamProblem { code, pointer: (header.word() >> 24) as u8, data }
            }
            msg_type::SOURCE_QUENCH => Repr::SourceQuench { data },
            msg_type::REDIRECT => {
                Repr::Redirect { code, gateway: Ipv4Address::from_bits(header.word()), data }
            }
            msg_type::TIMESTAMP_REQUEST => {
                Repr::TimestampRequest { ident, seq_no, times: Times::parse(data)? }
            }
            msg_type::TIMESTAMP_REPLY => Repr::TimestampReply { ident, seq_no, times: Times::parse(data)? },
            msg_type::INFORMATION_REQUEST => Repr::InformationRequest { ident, seq_no },
            msg_type::INFORMATION_REPLY => Repr::InformationReply { ident, seq_no },
            msg_type::MASK_REQUEST => Repr::MaskRequest { ident, seq_no, mask: parse_mask(data)? },
            msg_type::MASK_REPLY => Repr::MaskReply { ident, seq_no, mask: parse_mask(data)? },
            _ => return Err(Error::Unsupported),
        })
    }

    /// Type, code, word, and what follows them.
    fn parts(&self) -> (u8, u8, u32, Body<'a>) {
        use msg_type::*;
        let word = |ident: u16, seq_no: u16| u32::from(ident) << 16 | u32::from(seq_no);
        let data = Body::Data;
        match *self {
            Repr::EchoRequest { ident, seq_no, data: d } => (ECHO_REQUEST, 0, word(ident, seq_no), data(d)),
            Repr::EchoReply { ident, seq_no, data: d } => (ECHO_REPLY, 0, word(ident, seq_no), data(d)),
            Repr::DstUnreachable { code, next_hop_mtu, data: d } => {
                (DST_UNREACHABLE, code, u32::from(next_hop_mtu), data(d))
            }
            Repr::SourceQuench { data: d } => (SOURCE_QUENCH, 0, 0, data(d)),
            Repr::Redirect { code, gateway, data: d } => (REDIRECT, code, gateway.to_bits(), data(d)),
            Repr::TimeExceeded { code, data: d } => (TIME_EXCEEDED, code, 0, data(d)),
            Repr::ParamProblem { code, pointer, data: d } => {
                (PARAM_PROBLEM, code, u32::from(pointer) << 24, data(d))
            }
            Repr::TimestampRequest { ident, seq_no, times } => {
                (TIMESTAMP_REQUEST, 0, word(ident, seq_no), Body::Times(times))
            }
            Repr::TimestampReply { ident, seq_no, times } => {
                (TIMESTAMP_REPLY, 0, word(ident, seq_no), Body::Times(times))
            }
            Repr::InformationRequest { ident, seq_no } => {
                (INFORMATION_REQUEST, 0, word(ident, seq_no), data(&[]))
            }
            Repr::InformationReply { ident, seq_no } => {
                (INFORMATION_REPLY, 0, word(ident, seq_no), data(&[]))
            }
            Repr::MaskRequest { ident, seq_no, mask } => {
                (MASK_REQUEST, 0, word(ident, seq_no), Body::Mask(mask))
            }
            Repr::MaskReply { ident, seq_no, mask } => (MASK_REPLY, 0, word(ident, seq_no), Body::Mask(mask)),
        }
    }

    /// Octets of the message.
    pub fn buffer_len(&self) -> usize {
        HEADER_LEN + self.parts().3.len()
    }

    /// Writes the message.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, packet: &mut Packet<T>) {
        let (msg_type, code, word, body) = self.parts();
        let buffer = &mut packet.buffer.as_mut()[..HEADER_LEN + body.len()];
        let Some((header, place)) = buffer.split_first_chunk_mut() else { return };
        let rest = match body {
            Body::Data(data) => copy_and_sum(place, data),
            Body::Times(times) => copy_and_sum(place, times.octets().as_flattened()),
            Body::Mask(mask) => copy_and_sum(place, &mask.octets()),
        };
        emit(header, msg_type, code, word, rest);
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "originate={} receive={} transmit={}", self.originate, self.receive, self.transmit)
    }
}

impl fmt::Display for Repr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ICMPv4 ")?;
        match self {
            Repr::EchoRequest { ident, seq_no, data } => {
                write!(f, "echo request id={ident} seq={seq_no} len={}", data.len())
            }
            Repr::EchoReply { ident, seq_no, data } => {
                write!(f, "echo reply id={ident} seq={seq_no} len={}", data.len())
            }
            Repr::DstUnreachable { code: unreachable::FRAGMENTATION_NEEDED, next_hop_mtu, .. } => {
                write!(f, "fragmentation needed mtu={next_hop_mtu}")
            }
            Repr::DstUnreachable { code, .. } => write!(f, "destination unreachable code={code}"),
            Repr::SourceQuench { .. } => f.write_str("source quench"),
            Repr::Redirect { code, gateway, .. } => write!(f, "redirect code={code} to {gateway}"),
            Repr::TimeExceeded { code, .. } => write!(f, "time exceeded code={code}"),
            Repr::ParamProblem { code: param_problem::POINTER, pointer, .. } => {
                write!(f, "parameter problem pointer={pointer}")
            }
            Repr::ParamProblem { code, .. } => write!(f, "parameter problem code={code}"),
            Repr::TimestampRequest { ident, seq_no, times } => {
                write!(f, "timestamp request id={ident} seq={seq_no} {times}")
            }
            Repr::TimestampReply { ident, seq_no, times } => {
                write!(f, "timestamp reply id={ident} seq={seq_no} {times}")
            }
            Repr::InformationRequest { ident, seq_no } => {
                write!(f, "information request id={ident} seq={seq_no}")
            }
            Repr::InformationReply { ident, seq_no } => {
                write!(f, "information reply id={ident} seq={seq_no}")
            }
            Repr::MaskRequest { ident, seq_no, mask } => {
                write!(f, "mask request id={ident} seq={seq_no} mask={mask}")
            }
            Repr::MaskReply { ident, seq_no, mask } => {
                write!(f, "mask reply id={ident} seq={seq_no} mask={mask}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};
    use crate::wire::{bar, captured};

    /// Frames and what they say.
    const CASES: [(&str, &str); 12] = [
        (frames::PING4, "ICMPv4 echo request id=19758 seq=1 len=11"),
        (frames::PONG4, "ICMPv4 echo reply id=19758 seq=1 len=11"),
        (frames::UNREACHABLE4, "ICMPv4 destination unreachable code=3"),
        (captured::HOST_UNREACHABLE, "ICMPv4 destination unreachable code=1"),
        (frames::FRAGMENTATION_NEEDED, "ICMPv4 fragmentation needed mtu=1400"),
        (captured::REDIRECT4, "ICMPv4 redirect code=1 to 10.0.0.77"),
        (frames::TIME_EXCEEDED4, "ICMPv4 time exceeded code=0"),
        (captured::TTL_EXCEEDED, "ICMPv4 time exceeded code=0"),
        (frames::PARAM_PROBLEM4, "ICMPv4 parameter problem pointer=20"),
        (
            captured::TIMESTAMP_REQUEST,
            "ICMPv4 timestamp request id=4941 seq=0 originate=73916881 receive=0 transmit=0",
        ),
        (
            captured::TIMESTAMP_REPLY,
            "ICMPv4 timestamp reply id=4941 seq=0 originate=73916881 receive=73916881 transmit=73916881",
        ),
        (captured::MASK_REQUEST, "ICMPv4 mask request id=5197 seq=0 mask=0.0.0.0"),
    ];

    fn parse(data: &[u8]) -> Result<Repr<'_>> {
        Repr::parse(&Packet::new_unchecked(data))
    }

    fn rewrite(data: &[u8]) -> Result<(String, Vec<u8>)> {
        let repr = parse(data)?;
        let mut copy = Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
        repr.emit(&mut copy);
        Ok((format!("{repr:?} {repr}"), copy.into_inner()))
    }

    fn repair(data: &mut [u8]) {
        if data.len() >= HEADER_LEN {
            Packet::new_unchecked(data).fill_checksum();
        }
    }

    #[test]
    fn messages_of_others_parse_and_are_written_again() {
        for (frame, text) in CASES {
            let data = &hex(frame)[34..];
            assert_eq!(parse(data).unwrap().to_string(), text);
            bar::is_canonical(text, data, &rewrite);
        }
    }

    /// No other implementation in reach sends these any more.
    #[test]
    fn what_is_out_of_use_is_written_and_read() {
        let (ident, seq_no, mask) = (1, 2, Ipv4Address::new(255, 255, 0, 0));
        let cases = [
            (Repr::SourceQuench { data: &[0x45, 0] }, "source quench"),
            (Repr::InformationRequest { ident, seq_no }, "information request id=1 seq=2"),
            (Repr::InformationReply { ident, seq_no }, "information reply id=1 seq=2"),
            (Repr::MaskReply { ident, seq_no, mask }, "mask reply id=1 seq=2 mask=255.255.0.0"),
            (Repr::ParamProblem { code: 1, pointer: 0, data: &[] }, "parameter problem code=1"),
        ];
        for (repr, text) in cases {
            let mut packet = Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
            repr.emit(&mut packet);
            let data = packet.into_inner();
            assert_eq!(parse(&data), Ok(repr));
            assert_eq!(repr.to_string(), format!("ICMPv4 {text}"));
        }
    }

    #[test]
    fn what_is_cut_or_flipped_is_an_error() {
        for (frame, text) in CASES {
            let data = hex(frame)[34..].to_vec();
            // An intact IPv4 header sums to nothing, and so does an intact echo request: where errors
            // quote these a cut does not show.
            let errors = [captured::HOST_UNREACHABLE, captured::REDIRECT4, captured::TTL_EXCEEDED];
            let ends = if errors.contains(&frame) { &[8, 28][..] } else { &[] };
            bar::cuts_are_found(text, &data, ends, &bar::as_it_is, &rewrite);
            assert_eq!(bar::flips_are_survived(text, &data, &bar::as_it_is, &rewrite), 0, "{text}");
            assert!(bar::flips_are_survived(text, &data, &repair, &rewrite) > 40, "{text}");
        }
    }

    #[test]
    fn messages_of_a_fixed_length_cut_short_are_truncated() {
        for frame in [captured::TIMESTAMP_REQUEST, captured::TIMESTAMP_REPLY, captured::MASK_REQUEST] {
            let data = hex(frame)[34..].to_vec();
            bar::cuts_are_found(frame, &data, &[], &repair, &rewrite);
        }
    }

    #[test]
    fn other_types_are_unsupported() {
        for msg_type in [1, 2, 6, 7, 9, 10, 19, 255] {
            let mut packet = Packet::new_unchecked(hex(frames::PING4)[34..].to_vec());
            packet.set_msg_type(msg_type);
            packet.fill_checksum();
            assert!(packet.verify_checksum());
            assert_eq!(parse(packet.as_ref()).unwrap_err(), Error::Unsupported);
        }
    }

    #[test]
    fn a_setter_writes_what_its_getter_reads() {
        let mut packet = Packet::new_unchecked([0; 9]);
        packet.set_msg_type(1);
        packet.set_msg_code(2);
        packet.set_echo_ident(0x0304);
        packet.set_echo_seq_no(0x0506);
        packet.data_mut()[0] = 7;
        assert_eq!((packet.msg_type(), packet.msg_code(), packet.word()), (1, 2, 0x0304_0506));
        assert_eq!((packet.echo_ident(), packet.echo_seq_no(), packet.data()), (0x0304, 0x0506, &[7][..]));
        packet.set_word(9);
        assert_eq!(packet.word(), 9);
    }

    /// Covers: RFC 1191 §4
    #[test]
    fn only_who_had_to_cut_says_how_large_a_packet_may_be() {
        for (code, expected) in [(0, 0), (1, 0), (3, 0), (4, 1_280), (5, 0)] {
            let mut packet = Packet::new_unchecked(
                [&[3, code, 0, 0, 0, 0, 0x05, 0][..], &hex(frames::UDP4)[14..]].concat(),
            );
            packet.fill_checksum();
            let Ok(Repr::DstUnreachable { next_hop_mtu, .. }) = parse(packet.as_ref()) else {
                panic!("{code}")
            };
            assert_eq!(next_hop_mtu, expected, "{code}");
        }
    }
}
