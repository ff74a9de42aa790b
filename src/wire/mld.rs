//! Multicast listener discovery (RFC 2710, RFC 3810): hosts tell routers which IPv6 groups they listen to.
//! The messages are ICMPv6's: `icmpv6` verifies and computes their checksums.
//!
//! Two rules are the caller's, who sees the packet around the message: the hop limit must be 1, and the
//! router alert option must be in a hop-by-hop header
//! ([`ROUTER_ALERT_HEADER`](super::ipv6ext::ROUTER_ALERT_HEADER)).
//!
//! ```text
//!  0                   1                   2                   3
//! |     type      |   code (0)    |           checksum            |
//! |       max response code       |           reserved            |
//! |                  group address, 16 octets                     |
//! |  details of a query of version 2: `group` …
//!
//! |   type 143    |   reserved    |           checksum            |  report of version 2
//! |           reserved            |      number of records        |
//! |  group records: `group` …
//! ```

use core::fmt;

use super::field::{octets, u16_at};
use super::{Error, Ipv6Address, Result, group};

/// Octets of a message of version 1.
pub const MESSAGE_LEN: usize = 24;
/// Octets of a query of version 2 that names no sources.
pub const QUERY2_LEN: usize = MESSAGE_LEN + 4;
/// Octets in front of the records of a report of version 2.
pub const REPORT2_HEADER_LEN: usize = 8;

/// Where general queries go.
pub const ALL_NODES: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Where version 1 tells that it leaves a group.
pub const ALL_ROUTERS: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Where version 2 reports.
pub const ALL_V2_ROUTERS: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// What a query of version 2 says beyond one of version 1.
pub type QueryDetails<'a> = group::QueryDetails<'a, 16>;
/// One group of a report of version 2.
pub type Record<'a> = group::Record<'a, 16>;
/// The groups of a report of version 2.
pub type Records<'a> = group::Records<'a, 16>;

/// Types.
pub mod msg_type {
    /// A router asks who listens, in either version.
    pub const QUERY: u8 = 130;
    /// Version 1: someone listens.
    pub const REPORT: u8 = 131;
    /// Version 1: someone listens no longer.
    pub const DONE: u8 = 132;
    /// Version 2: which sources of which groups someone listens to.
    pub const REPORT2: u8 = 143;
}

/// A message that keeps the rules. A group of `::` in a query asks for all groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// A query of version 1.
    Query {
        /// Milliseconds that hosts may take to answer.
        max_resp_delay: u16,
        /// Which group is asked for.
        group: Ipv6Address,
    },
    /// A query of version 2.
    Query2 {
        /// Milliseconds that hosts may take to answer: at most [`group::MAX_CODE16`], rounded down to a
        /// number that a code has.
        max_resp_delay: u32,
        /// Which group is asked for.
        group: Ipv6Address,
        /// The querier's variables, and which sources are asked for.
        details: QueryDetails<'a>,
    },
    /// A report of version 1.
    Report {
        /// Which group is listened to.
        group: Ipv6Address,
    },
    /// The end of it, of version 1.
    Done {
        /// Which group is no longer listened to.
        group: Ipv6Address,
    },
    /// A report of version 2.
    Report2 {
        /// Its group records; what they say is not looked at.
        records: Records<'a>,
    },
}

/// What all messages but reports of version 2 begin with.
type Fixed = [u8; MESSAGE_LEN];

/// The group that a message is about.
fn read_group(fixed: &Fixed, or_all: bool) -> Result<Ipv6Address> {
    let group = Ipv6Address::from(*octets::<8, 16, MESSAGE_LEN>(fixed));
    let is_right = group.is_multicast() || or_all && group.is_unspecified();
    is_right.then_some(group).ok_or(Error::Malformed)
}

/// RFC 3810 §8.1: the length tells the version of a query.
fn parse_query<'a>(fixed: &Fixed, rest: &'a [u8]) -> Result<Message<'a>> {
    let group = read_group(fixed, true)?;
    let code = u16_at::<4, MESSAGE_LEN>(fixed);
    match rest.len() {
        0 => Ok(Message::Query { max_resp_delay: code, group }),
        1..4 => Err(Error::Malformed),
        _ => {
            let max_resp_delay = group::decode16(code);
            Ok(Message::Query2 { max_resp_delay, group, details: QueryDetails::parse(rest)? })
        }
    }
}

impl<'a> Message<'a> {
    /// Reads a message and holds it against the rules; the caller has verified the checksum.
    ///
    /// # Errors
    /// `Malformed` if a group is none, a query is longer than one of version 1 and shorter than one of
    /// version 2, or the source is no address on the link, though reports may come from `::`; `Unsupported`
    /// if this is no message of multicast listener discovery. Both are to be ignored.
    pub fn parse(src: &[u8; 16], data: &'a [u8]) -> Result<Message<'a>> {
        let (header, rest) = data.split_first_chunk::<REPORT2_HEADER_LEN>().ok_or(Error::Truncated)?;
        let [msg_type, _, _, _, _, _, c0, c1] = *header;
        if !matches!(msg_type, msg_type::QUERY..=msg_type::DONE | msg_type::REPORT2) {
            return Err(Error::Unsupported);
        }
        // RFC 3810 §5.1.14, §5.2.13: others are to be discarded.
        let src = Ipv6Address::from(*src);
        if !src.is_unicast_link_local() && (msg_type == msg_type::QUERY || !src.is_unspecified()) {
            return Err(Error::Malformed);
        }
        if msg_type == msg_type::REPORT2 {
            let records = Records::parse(u16::from_be_bytes([c0, c1]), rest)?;
            return Ok(Message::Report2 { records });
        }
        let (fixed, rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        match msg_type {
            msg_type::QUERY => parse_query(fixed, rest),
            msg_type::REPORT => Ok(Message::Report { group: read_group(fixed, false)? }),
            _ => Ok(Message::Done { group: read_group(fixed, false)? }),
        }
    }

    /// Octets of the message.
    pub const fn buffer_len(&self) -> usize {
        match self {
            Message::Query2 { details, .. } => MESSAGE_LEN + details.buffer_len(),
            Message::Report2 { records } => REPORT2_HEADER_LEN + records.as_octets().len(),
            _ => MESSAGE_LEN,
        }
    }

    /// Type, code and group of all but reports of version 2.
    const fn parts(&self) -> (u8, u16, Ipv6Address) {
        match *self {
            Message::Query { max_resp_delay, group } => (msg_type::QUERY, max_resp_delay, group),
            Message::Query2 { max_resp_delay, group, .. } => {
                (msg_type::QUERY, group::encode16(max_resp_delay), group)
            }
            Message::Report { group } => (msg_type::REPORT, 0, group),
            Message::Done { group } => (msg_type::DONE, 0, group),
            Message::Report2 { .. } => (msg_type::REPORT2, 0, Ipv6Address::UNSPECIFIED),
        }
    }

    /// Writes the message, without a checksum.
    ///
    /// # Panics
    /// If the buffer is shorter than [`buffer_len`](Message::buffer_len).
    pub fn emit(&self, buffer: &mut [u8]) {
        let buffer = &mut buffer[..self.buffer_len()];
        if let Message::Report2 { records } = self {
            let [c0, c1] = records.count_left().to_be_bytes();
            let (header, rest) = buffer.split_at_mut(REPORT2_HEADER_LEN);
            header.copy_from_slice(&[msg_type::REPORT2, 0, 0, 0, 0, 0, c0, c1]);
            rest.copy_from_slice(records.as_octets());
            return;
        }
        let (msg_type, code, group) = self.parts();
        let ([r0, r1], (fixed, rest)) = (code.to_be_bytes(), buffer.split_at_mut(MESSAGE_LEN));
        fixed[..8].copy_from_slice(&[msg_type, 0, 0, 0, r0, r1, 0, 0]);
        fixed[8..].copy_from_slice(&group.octets());
        if let Message::Query2 { details, .. } = self {
            details.emit(rest);
        }
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Query { max_resp_delay, group } => {
                write!(f, "MLDv1 query group={group} within={max_resp_delay}ms")
            }
            Message::Query2 { max_resp_delay, group, details } => {
                write!(f, "MLDv2 query group={group} within={max_resp_delay}ms {details}")
            }
            Message::Report { group } => write!(f, "MLDv1 report group={group}"),
            Message::Done { group } => write!(f, "MLDv1 done group={group}"),
            Message::Report2 { records } => write!(f, "MLDv2 report {records}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};
    use crate::wire::{Icmpv6Packet, Icmpv6Repr, Ipv6Packet, bar, captured, ipv6ext};

    const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    /// Frames, octets before the IPv6 header, and what they say.
    const CASES: [(&str, usize, &str); 9] = [
        (captured::MLD2_QUERY, 14, "MLDv2 query group=:: within=10000ms robustness=2 interval=125s"),
        (
            captured::MLD2_QUERY_SOURCES,
            0,
            "MLDv2 query group=ff05::1:3 within=74560ms robustness=5 interval=1472s suppress \
             sources={fd00::99, fd00::98}",
        ),
        (captured::MLD1_QUERY, 14, "MLDv1 query group=:: within=10000ms"),
        (captured::MLD2_REPORT, 14, "MLDv2 report ff35::8000:1 allow {fd00::99}, ff05::1:3 to-exclude {}"),
        (captured::MLD2_LEAVES, 14, "MLDv2 report ff35::8000:1 block {fd00::99}, ff05::1:3 to-include {}"),
        (
            captured::MLD2_PROBING,
            14,
            "MLDv2 report ff02::1:ff00:0 to-exclude {}, ff05::2 to-exclude {}, ff02::2 to-exclude {}, \
             ff02::1:ff00:2 to-exclude {}",
        ),
        (frames::MLD_REPORT, 14, "MLDv2 report ff02::1:ff00:1 to-exclude {}"),
        (captured::MLD1_REPORT, 14, "MLDv1 report group=ff05::1:4"),
        (captured::MLD1_DONE, 14, "MLDv1 done group=ff05::1:4"),
    ];

    /// Source, destination and message of a packet.
    fn message(frame: &str, skip: usize) -> (Ipv6Address, Ipv6Address, Vec<u8>) {
        let data = hex(frame);
        let packet = Ipv6Packet::new_checked(&data[skip..]).unwrap();
        let walk = ipv6ext::walk(packet.next_header(), packet.payload()).unwrap();
        (packet.src_addr(), packet.dst_addr(), walk.payload.to_vec())
    }

    fn rewrite(src: &[u8; 16], data: &[u8]) -> Result<(String, Vec<u8>)> {
        let message = Message::parse(src, data)?;
        let mut copy = vec![0xff; message.buffer_len()];
        message.emit(&mut copy);
        Ok((format!("{message:?} {message}"), copy))
    }

    #[test]
    fn messages_of_linux_parse_and_are_written_again() {
        for (frame, skip, text) in CASES {
            let (src, dst, data) = message(frame, skip);
            let repr = Icmpv6Repr::parse(&src, &dst, &Icmpv6Packet::new_unchecked(&data)).unwrap();
            assert_eq!(repr.to_string(), format!("ICMPv6 {text}"));
            let mut copy = Icmpv6Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
            repr.emit(&src, &dst, &mut copy);
            assert_eq!(copy.into_inner(), data, "{text}");
        }
    }

    #[test]
    fn cuts_and_flips_are_found_or_survived() {
        let rewrite = |data: &[u8]| rewrite(&LINK_LOCAL, data);
        for (frame, skip, text) in CASES {
            let (_, _, data) = message(frame, skip);
            // A query of version 2 is one of version 1 when it is cut there.
            let is_query2 = data[0] == msg_type::QUERY && data.len() > MESSAGE_LEN;
            let ends = if is_query2 { &[MESSAGE_LEN][..] } else { &[] };
            bar::cuts_are_found(text, &data, ends, &bar::as_it_is, &rewrite);
            assert!(bar::flips_are_survived(text, &data, &bar::as_it_is, &rewrite) > 8, "{text}");
        }
    }

    /// Covers: RFC 3810 §5.1.14, §5.2.13, §8.1
    #[test]
    fn what_breaks_a_rule_gets_its_error() {
        let with = |frame: &str, src: &str, len: usize, changes: &[(usize, u8)]| {
            let (_, _, mut data) = message(frame, 14);
            data.resize(len, 0);
            changes.iter().for_each(|&(at, value)| data[at] = value);
            let src: Ipv6Address = src.parse().unwrap();
            rewrite(&src.octets(), &data).map(|_| ())
        };
        let (query, report, old) = (captured::MLD2_QUERY, captured::MLD2_REPORT, captured::MLD1_REPORT);
        let malformed = Err(Error::Malformed);
        let cases = [
            ("a query between two versions", with(query, "fe80::1", 27, &[]), malformed),
            ("a query for a host", with(query, "fe80::1", 28, &[(8, 0xfd)]), malformed),
            ("a query from nobody", with(query, "::", 28, &[]), malformed),
            ("a query from afar", with(query, "fd00::1", 28, &[]), malformed),
            (
                "a query with a source that is not there",
                with(query, "fe80::1", 28, &[(27, 1)]),
                Err(Error::Truncated),
            ),
            ("a report for a host", with(old, "fe80::1", 24, &[(8, 0xfd)]), malformed),
            ("a report for all", with(old, "fe80::1", 24, &[(8, 0), (9, 0), (21, 0), (23, 0)]), malformed),
            ("a report from afar", with(old, "fd00::1", 24, &[]), malformed),
            ("a report from nobody", with(old, "::", 24, &[]), Ok(())),
            ("a report of version 2 from afar", with(report, "fd00::1", 64, &[]), malformed),
            ("a report of version 2 from nobody", with(report, "::", 64, &[]), Ok(())),
            ("a record that is not there", with(report, "fe80::1", 64, &[(7, 3)]), Err(Error::Truncated)),
            ("more sources than octets", with(report, "fe80::1", 64, &[(10, 1)]), Err(Error::Truncated)),
            ("a neighbour solicitation", with(old, "fe80::1", 24, &[(0, 135)]), Err(Error::Unsupported)),
        ];
        for (name, result, expected) in cases {
            assert_eq!(result, expected, "{name}");
        }
    }

    #[test]
    fn what_must_be_ignored_is_ignored() {
        for (frame, skip, text) in CASES {
            let (_, _, canonical) = message(frame, skip);
            let mut data = canonical.clone();
            // Reserved fields, and what follows the message; a query of version 1 can't be followed.
            match data[0] {
                msg_type::QUERY => (data[1], data[6], data[7]) = (9, 9, 9),
                _ => (data[1], data[5]) = (9, 9),
            }
            if data.len() != MESSAGE_LEN || data[0] != msg_type::QUERY {
                data.extend([1, 2, 3]);
            }
            let (_, written) = rewrite(&LINK_LOCAL, &data).unwrap();
            assert_eq!(written[4..], canonical[4..], "{text}");
        }
    }
}
