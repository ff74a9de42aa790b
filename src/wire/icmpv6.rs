//! ICMP for IPv6 (RFC 4443): echo and the errors. Neighbour discovery is in `ndisc`, multicast listener
//! discovery in `mld`.
//!
//! The header, which the engine reads, is in `icmp`; here are the numbers, and what users need.

use core::fmt;

use super::checksum::{Sum, copy_and_sum, pseudo_header_of, sum};
use super::icmp::{HEADER_LEN, Header, emit};
use super::{Error, IpProtocol, Ipv6Address, Result, mld, ndisc};

/// Types. Those below 128 are errors.
pub mod msg_type {
    /// The packet could not be delivered.
    pub const DST_UNREACHABLE: u8 = 1;
    /// Larger than the next hop's MTU, which the message tells.
    pub const PKT_TOO_BIG: u8 = 2;
    /// Hops or time ran out.
    pub const TIME_EXCEEDED: u8 = 3;
    /// A header holds something wrong or unknown.
    pub const PARAM_PROBLEM: u8 = 4;
    /// Asks for its own content.
    pub const ECHO_REQUEST: u8 = 128;
    /// Answer to an echo request.
    pub const ECHO_REPLY: u8 = 129;
    /// Asks routers to advertise (RFC 4861 §4.1).
    pub const ROUTER_SOLICIT: u8 = 133;
    /// A router and its link's parameters (RFC 4861 §4.2).
    pub const ROUTER_ADVERT: u8 = 134;
    /// Asks for a link-layer address (RFC 4861 §4.3).
    pub const NEIGHBOR_SOLICIT: u8 = 135;
    /// Tells a link-layer address (RFC 4861 §4.4).
    pub const NEIGHBOR_ADVERT: u8 = 136;
    /// A better first hop (RFC 4861 §4.5).
    pub const REDIRECT: u8 = 137;
}

/// Codes of "destination unreachable".
pub mod unreachable {
    /// No route.
    pub const NO_ROUTE: u8 = 0;
    /// Forbidden by an administrator.
    pub const PROHIBITED: u8 = 1;
    /// The source's scope does not reach the destination.
    pub const BEYOND_SCOPE: u8 = 2;
    /// The host does not answer on its link.
    pub const ADDRESS: u8 = 3;
    /// Nobody is at the port.
    pub const PORT: u8 = 4;
    /// The source address is against a policy.
    pub const SOURCE_POLICY: u8 = 5;
    /// The route to the destination rejects packets.
    pub const REJECT_ROUTE: u8 = 6;
}

/// Codes of "time exceeded".
pub mod time_exceeded {
    /// The hop limit reached zero.
    pub const HOP_LIMIT: u8 = 0;
    /// Fragments stayed away too long.
    pub const REASSEMBLY: u8 = 1;
}

/// Codes of "parameter problem".
pub mod param_problem {
    /// A field holds what it may not.
    pub const ERRONEOUS_FIELD: u8 = 0;
    /// A next header is not known.
    pub const UNRECOGNIZED_NEXT_HEADER: u8 = 1;
    /// An option is not known.
    pub const UNRECOGNIZED_OPTION: u8 = 2;
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

    fn sum(&self, src: &Ipv6Address, dst: &Ipv6Address) -> Sum {
        let data = self.buffer.as_ref();
        pseudo_header(src, dst, data.len()).add(sum(data))
    }

    /// Whether the checksum is right.
    pub fn verify_checksum(&self, src: &Ipv6Address, dst: &Ipv6Address) -> bool {
        self.sum(src, dst).is_valid()
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// What follows the header, to write it.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.as_mut()[HEADER_LEN..]
    }

    /// Computes the checksum and writes it.
    pub fn fill_checksum(&mut self, src: &Ipv6Address, dst: &Ipv6Address) {
        self.set_checksum([0; 2]);
        let checksum = self.sum(src, dst).finish();
        self.set_checksum(checksum);
    }
}

fn pseudo_header(src: &Ipv6Address, dst: &Ipv6Address, len: usize) -> Sum {
    pseudo_header_of(&(*src).into(), &(*dst).into(), IpProtocol::ICMPV6.0, len as u32)
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
        /// As much of the packet as fits.
        data: &'a [u8],
    },
    /// A packet is larger than the next hop takes.
    PktTooBig {
        /// What the next hop takes.
        mtu: u32,
        /// As much of the packet as fits.
        data: &'a [u8],
    },
    /// Hops or time ran out.
    TimeExceeded {
        /// Which: one of [`time_exceeded`].
        code: u8,
        /// As much of the packet as fits.
        data: &'a [u8],
    },
    /// A header holds something wrong or unknown.
    ParamProblem {
        /// What: one of [`param_problem`].
        code: u8,
        /// Octets from the packet's start to it.
        pointer: u32,
        /// As much of the packet as fits.
        data: &'a [u8],
    },
    /// Neighbour discovery.
    Ndisc(ndisc::Message<'a>),
    /// Multicast listener discovery.
    Mld(mld::Message<'a>),
}

impl<'a> Repr<'a> {
    /// Reads a message and verifies its checksum; `Unsupported` if it is of another type.
    ///
    /// What neighbour and multicast listener discovery leave to their callers is in [`ndisc`] and [`mld`].
    pub fn parse<T: AsRef<[u8]> + ?Sized>(
        src: &Ipv6Address,
        dst: &Ipv6Address,
        packet: &Packet<&'a T>,
    ) -> Result<Repr<'a>> {
        let (header, data) = Header::split(packet.buffer.as_ref())?;
        if !packet.verify_checksum(src, dst) {
            return Err(Error::Checksum);
        }
        let (code, ident, seq_no) = (header.msg_code(), header.echo_ident(), header.echo_seq_no());
        Ok(match header.msg_type() {
            msg_type::ECHO_REQUEST => Repr::EchoRequest { ident, seq_no, data },
            msg_type::ECHO_REPLY => Repr::EchoReply { ident, seq_no, data },
            msg_type::DST_UNREACHABLE => Repr::DstUnreachable { code, data },
            msg_type::PKT_TOO_BIG => Repr::PktTooBig { mtu: header.word(), data },
            msg_type::TIME_EXCEEDED => Repr::TimeExceeded { code, data },
            msg_type::PARAM_PROBLEM => Repr::ParamProblem { code, pointer: header.word(), data },
            mld::msg_type::QUERY..=mld::msg_type::DONE | mld::msg_type::REPORT2 => {
                Repr::Mld(mld::Message::parse(&src.octets(), packet.buffer.as_ref())?)
            }
            _ => Repr::Ndisc(ndisc::Message::parse(&src.octets(), &dst.octets(), packet.buffer.as_ref())?),
        })
    }

    /// Type, code, word and data; `None` for neighbour and listener discovery.
    fn parts(&self) -> Option<(u8, u8, u32, &'a [u8])> {
        let echo = |ident: u16, seq_no: u16| u32::from(ident) << 16 | u32::from(seq_no);
        Some(match *self {
            Repr::EchoRequest { ident, seq_no, data } => {
                (msg_type::ECHO_REQUEST, 0, echo(ident, seq_no), data)
            }
            Repr::EchoReply { ident, seq_no, data } => (msg_type::ECHO_REPLY, 0, echo(ident, seq_no), data),
            Repr::DstUnreachable { code, data } => (msg_type::DST_UNREACHABLE, code, 0, data),
            Repr::PktTooBig { mtu, data } => (msg_type::PKT_TOO_BIG, 0, mtu, data),
            Repr::TimeExceeded { code, data } => (msg_type::TIME_EXCEEDED, code, 0, data),
            Repr::ParamProblem { code, pointer, data } => (msg_type::PARAM_PROBLEM, code, pointer, data),
            Repr::Ndisc(_) | Repr::Mld(_) => return None,
        })
    }

    /// Octets of the message.
    pub fn buffer_len(&self) -> usize {
        match (self, self.parts()) {
            (Repr::Ndisc(message), _) => message.buffer_len(),
            (Repr::Mld(message), _) => message.buffer_len(),
            (_, Some((_, _, _, data))) => HEADER_LEN + data.len(),
            _ => HEADER_LEN,
        }
    }

    /// Writes the message.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(
        &self,
        src: &Ipv6Address,
        dst: &Ipv6Address,
        packet: &mut Packet<T>,
    ) {
        let buffer = &mut packet.buffer.as_mut()[..self.buffer_len()];
        let pseudo = pseudo_header(src, dst, buffer.len());
        match self {
            Repr::Ndisc(message) => message.emit(buffer),
            Repr::Mld(message) => message.emit(buffer),
            _ => {
                if let (Some((msg_type, code, word, data)), Some((header, place))) =
                    (self.parts(), buffer.split_first_chunk_mut())
                {
                    emit(header, msg_type, code, word, copy_and_sum(place, data).add(pseudo));
                }
                return;
            }
        }
        let checksum = sum(buffer).add(pseudo).finish();
        buffer[2..4].copy_from_slice(&checksum);
    }
}

impl fmt::Display for Repr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ICMPv6 ")?;
        match self {
            Repr::EchoRequest { ident, seq_no, data } => {
                write!(f, "echo request id={ident} seq={seq_no} len={}", data.len())
            }
            Repr::EchoReply { ident, seq_no, data } => {
                write!(f, "echo reply id={ident} seq={seq_no} len={}", data.len())
            }
            Repr::DstUnreachable { code, .. } => write!(f, "destination unreachable code={code}"),
            Repr::PktTooBig { mtu, .. } => write!(f, "packet too big mtu={mtu}"),
            Repr::TimeExceeded { code, .. } => write!(f, "time exceeded code={code}"),
            Repr::ParamProblem { code, pointer, .. } => {
                write!(f, "parameter problem code={code} pointer={pointer}")
            }
            Repr::Ndisc(message) => message.fmt(f),
            Repr::Mld(message) => message.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};
    use crate::wire::{bar, ipv6};

    /// Frames, octets before the IPv6 header, and what they say.
    const CASES: [(&str, usize, &str); 12] = [
        (frames::PING6, 14, "ICMPv6 echo request id=19759 seq=1 len=10"),
        (frames::PONG6, 14, "ICMPv6 echo reply id=19759 seq=1 len=10"),
        (frames::UNREACHABLE6, 14, "ICMPv6 destination unreachable code=4"),
        (frames::PKT_TOO_BIG, 0, "ICMPv6 packet too big mtu=1280"),
        (frames::TIME_EXCEEDED6, 0, "ICMPv6 time exceeded code=1"),
        (frames::PARAM_PROBLEM6, 0, "ICMPv6 parameter problem code=1 pointer=40"),
        (frames::SOLICIT, 14, "ICMPv6 neighbor solicitation who has fd00::2? at 02:00:00:00:00:01"),
        (frames::ADVERT, 14, "ICMPv6 neighbor advertisement fd00::2 at 02:00:00:00:00:02 SOLICITED OVERRIDE"),
        (frames::ROUTER_SOLICIT, 14, "ICMPv6 router solicitation at 02:00:00:00:00:01"),
        (
            frames::ROUTER_ADVERT,
            0,
            "ICMPv6 router advertisement lifetime=1800s at 02:00:00:00:00:01 prefix=fd00:1::/64",
        ),
        (frames::REDIRECT, 0, "ICMPv6 redirect fd01::2 by fe80::9 at 02:00:00:00:00:09"),
        (frames::PROBE, 14, "ICMPv6 neighbor solicitation who has fe80::ff:fe00:1?"),
    ];

    fn packet(frame: &str, skip: usize) -> (Ipv6Address, Ipv6Address, Vec<u8>) {
        let data = hex(frame);
        let packet = ipv6::Packet::new_checked(&data[skip..]).unwrap();
        (packet.src_addr(), packet.dst_addr(), packet.payload().to_vec())
    }

    #[test]
    fn messages_of_others_parse_and_are_written_again() {
        for (frame, skip, text) in CASES {
            let (src, dst, data) = packet(frame, skip);
            let repr = Repr::parse(&src, &dst, &Packet::new_checked(&data).unwrap()).unwrap();
            assert_eq!(repr.to_string(), text);
            let mut copy = Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
            repr.emit(&src, &dst, &mut copy);
            let copy = copy.into_inner();
            if frame == frames::PROBE {
                // The nonce is not kept.
                assert_eq!(Repr::parse(&src, &dst, &Packet::new_unchecked(&copy)).unwrap(), repr);
            } else {
                assert_eq!(copy, data, "{text}");
            }
        }
    }

    #[test]
    fn what_is_cut_or_flipped_is_an_error() {
        for (frame, skip, text) in CASES {
            let (src, dst, mut data) = packet(frame, skip);
            let parse = |data: &[u8]| Repr::parse(&src, &dst, &Packet::new_unchecked(data)).map(|_| ());
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

    /// What a message says, and the message that says it.
    fn rewritten(src: &Ipv6Address, dst: &Ipv6Address, data: &[u8]) -> Result<(String, Vec<u8>)> {
        let repr = Repr::parse(src, dst, &Packet::new_unchecked(data))?;
        let mut copy = Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
        repr.emit(src, dst, &mut copy);
        Ok((format!("{repr:?} {repr}"), copy.into_inner()))
    }

    #[test]
    fn with_a_right_checksum_what_parses_is_kept() {
        for (frame, skip, text) in CASES {
            let (src, dst, data) = packet(frame, skip);
            let rewrite = |data: &[u8]| rewritten(&src, &dst, data);
            let repair = |data: &mut [u8]| Packet::new_unchecked(data).fill_checksum(&src, &dst);
            assert!(bar::flips_are_survived(text, &data, &repair, &rewrite) > 40, "{text}");
        }
    }

    /// Where a message may end: an error that quotes less is one, and so is an echo with less data; a message of Neighbor
    /// Discovery may lack whole options.
    fn ends(data: &[u8]) -> Vec<usize> {
        let fixed = match data[0] {
            msg_type::ROUTER_SOLICIT => 8,
            msg_type::ROUTER_ADVERT => 16,
            msg_type::NEIGHBOR_SOLICIT | msg_type::NEIGHBOR_ADVERT => 24,
            msg_type::REDIRECT => 40,
            _ => return (HEADER_LEN..data.len()).collect(),
        };
        let option_ends =
            core::iter::successors(Some(fixed), |&at| Some(at + 8 * usize::from(*data.get(at + 1)?)));
        option_ends.filter(|end| *end < data.len()).collect()
    }

    #[test]
    fn what_is_cut_and_summed_again_is_an_error_but_where_it_may_end() {
        for (frame, skip, text) in CASES {
            let (src, dst, data) = packet(frame, skip);
            let rewrite = |data: &[u8]| rewritten(&src, &dst, data);
            let repair = |data: &mut [u8]| {
                if data.len() >= HEADER_LEN {
                    Packet::new_unchecked(data).fill_checksum(&src, &dst);
                }
            };
            bar::cuts_are_found(text, &data, &ends(&data), &repair, &rewrite);
        }
    }

    #[test]
    fn other_types_are_unsupported() {
        for msg_type in [0, 5, 100, 138, 144, 255] {
            let (src, dst, data) = packet(frames::PING6, 14);
            let mut packet = Packet::new_unchecked(data);
            packet.set_msg_type(msg_type);
            packet.fill_checksum(&src, &dst);
            let packet = Packet::new_unchecked(packet.as_ref());
            assert_eq!(Repr::parse(&src, &dst, &packet).unwrap_err(), Error::Unsupported);
        }
    }
}
