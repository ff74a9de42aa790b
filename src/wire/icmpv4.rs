//! ICMP for IPv4 (RFC 792, RFC 1122 §3.2.2, RFC 1191): echo and the errors.
//!
//! The header, which the engine reads, is in `icmp`; here are the numbers, and what users need.

use core::fmt;

use super::checksum::{copy_and_sum, sum};
use super::icmp::{HEADER_LEN, Header, emit};
use super::{Error, Result};

/// Types.
pub mod msg_type {
    /// Answer to an echo request.
    pub const ECHO_REPLY: u8 = 0;
    /// The packet could not be delivered.
    pub const DST_UNREACHABLE: u8 = 3;
    /// A better router is on the link.
    pub const REDIRECT: u8 = 5;
    /// Asks for its own content.
    pub const ECHO_REQUEST: u8 = 8;
    /// Hops or time ran out.
    pub const TIME_EXCEEDED: u8 = 11;
    /// The header holds something wrong.
    pub const PARAM_PROBLEM: u8 = 12;
}

/// Codes of "destination unreachable".
pub mod unreachable {
    /// No route to the network.
    pub const NET: u8 = 0;
    /// The host does not answer on its link.
    pub const HOST: u8 = 1;
    /// Nobody speaks the protocol.
    pub const PROTOCOL: u8 = 2;
    /// Nobody is at the port.
    pub const PORT: u8 = 3;
    /// Larger than the next hop's MTU, and not to be fragmented.
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    /// Forbidden by an administrator (RFC 1812 §5.2.7.1).
    pub const PROHIBITED: u8 = 13;
}

/// Codes of "time exceeded".
pub mod time_exceeded {
    /// The TTL reached zero.
    pub const HOP_LIMIT: u8 = 0;
    /// Fragments stayed away too long.
    pub const REASSEMBLY: u8 = 1;
}

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
            _ => return Err(Error::Unsupported),
        })
    }

    /// Type, code, word and data.
    fn parts(&self) -> (u8, u8, u32, &'a [u8]) {
        let echo = |ident: u16, seq_no: u16| u32::from(ident) << 16 | u32::from(seq_no);
        match *self {
            Repr::EchoRequest { ident, seq_no, data } => {
                (msg_type::ECHO_REQUEST, 0, echo(ident, seq_no), data)
            }
            Repr::EchoReply { ident, seq_no, data } => (msg_type::ECHO_REPLY, 0, echo(ident, seq_no), data),
            Repr::DstUnreachable { code, next_hop_mtu, data } => {
                (msg_type::DST_UNREACHABLE, code, u32::from(next_hop_mtu), data)
            }
            Repr::TimeExceeded { code, data } => (msg_type::TIME_EXCEEDED, code, 0, data),
            Repr::ParamProblem { code, pointer, data } => {
                (msg_type::PARAM_PROBLEM, code, u32::from(pointer) << 24, data)
            }
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
        let (msg_type, code, word, data) = self.parts();
        let buffer = &mut packet.buffer.as_mut()[..HEADER_LEN + data.len()];
        let Some((header, place)) = buffer.split_first_chunk_mut() else { return };
        emit(header, msg_type, code, word, copy_and_sum(place, data));
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
            Repr::TimeExceeded { code, .. } => write!(f, "time exceeded code={code}"),
            Repr::ParamProblem { pointer, .. } => write!(f, "parameter problem pointer={pointer}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};

    /// Frames and what they say.
    const CASES: [(&str, &str); 6] = [
        (frames::PING4, "ICMPv4 echo request id=19758 seq=1 len=11"),
        (frames::PONG4, "ICMPv4 echo reply id=19758 seq=1 len=11"),
        (frames::UNREACHABLE4, "ICMPv4 destination unreachable code=3"),
        (frames::FRAGMENTATION_NEEDED, "ICMPv4 fragmentation needed mtu=1400"),
        (frames::TIME_EXCEEDED4, "ICMPv4 time exceeded code=0"),
        (frames::PARAM_PROBLEM4, "ICMPv4 parameter problem pointer=20"),
    ];

    fn parse(data: &[u8]) -> Result<Repr<'_>> {
        Repr::parse(&Packet::new_unchecked(data))
    }

    #[test]
    fn messages_of_others_parse_and_are_written_again() {
        for (frame, text) in CASES {
            let data = &hex(frame)[34..];
            let repr = parse(data).unwrap();
            assert_eq!(repr.to_string(), text);
            let mut copy = Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
            repr.emit(&mut copy);
            assert_eq!(copy.into_inner(), data, "{text}");
        }
    }

    #[test]
    fn what_is_cut_or_flipped_is_an_error() {
        for (frame, text) in CASES {
            let mut data = hex(frame)[34..].to_vec();
            for len in 0..data.len() {
                let expected = if len < HEADER_LEN { Error::Truncated } else { Error::Checksum };
                assert_eq!(parse(&data[..len]).unwrap_err(), expected, "{text} {len}");
            }
            for bit in 0..data.len() * 8 {
                data[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(parse(&data).unwrap_err(), Error::Checksum, "{text} {bit}");
                data[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn other_types_are_unsupported() {
        for msg_type in [1, 5, 13, 255] {
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
}
