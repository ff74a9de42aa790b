//! IGMP (RFC 1112 appendix I, RFC 2236, RFC 3376): hosts tell routers which IPv4 groups they listen to.
//!
//! Two rules are the caller's, who sees the packet around the message: the TTL must be 1, and from
//! version 2 on the router alert option must be there ([`ROUTER_ALERT`](super::ipv4::ROUTER_ALERT)).
//!
//! ```text
//!  0                   1                   2                   3
//! |     type      | max resp code |           checksum            |
//! |          group address; of a report of version 3:             |
//! |           reserved            |      number of records        |
//! |  details of a query of version 3, or group records: `group` …
//! ```

use core::fmt;

use super::checksum::sum;
use super::icmp::{self, Header};
use super::{Error, Ipv4Address, Result, group};

/// Octets of a message of version 1 or 2, and of what every message begins with.
pub const HEADER_LEN: usize = icmp::HEADER_LEN;
/// Octets of a query of version 3 that names no sources.
pub const QUERY3_LEN: usize = HEADER_LEN + 4;

/// Where general queries go.
pub const ALL_SYSTEMS: Ipv4Address = Ipv4Address::new(224, 0, 0, 1);
/// Where version 2 tells that it leaves a group.
pub const ALL_ROUTERS: Ipv4Address = Ipv4Address::new(224, 0, 0, 2);
/// Where version 3 reports.
pub const ALL_V3_ROUTERS: Ipv4Address = Ipv4Address::new(224, 0, 0, 22);

/// What a query of version 3 says beyond one of version 2.
pub type QueryDetails<'a> = group::QueryDetails<'a, 4>;
/// One group of a report of version 3.
pub type Record<'a> = group::Record<'a, 4>;
/// The groups of a report of version 3.
pub type Records<'a> = group::Records<'a, 4>;

/// Types.
pub mod msg_type {
    /// A router asks who listens, in any version.
    pub const QUERY: u8 = 0x11;
    /// Version 1: someone listens.
    pub const REPORT1: u8 = 0x12;
    /// Version 2: someone listens.
    pub const REPORT2: u8 = 0x16;
    /// Version 2: someone listens no longer.
    pub const LEAVE: u8 = 0x17;
    /// Version 3: which sources of which groups someone listens to.
    pub const REPORT3: u8 = 0x22;
}

packet! {
    /// A message in a buffer.
    Packet, |data| Header::split(data).map(|_| ())
}

getters! { Packet:
    msg_type -> u8;
    checksum -> [u8; 2];
}

setters! { Packet:
    set_msg_type(msg_type: u8) at 0 = [msg_type];
    set_max_resp_code(code: u8) at 1 = [code];
    set_checksum(checksum: [u8; 2]) at 2 = checksum;
    set_group_addr(group: Ipv4Address) at 4 = group.octets();
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// How long hosts may take to answer, as a code; of meaning in queries.
    pub fn max_resp_code(&self) -> u8 {
        self.header().msg_code()
    }

    /// The group; in a report of version 3 the number of records is here.
    pub fn group_addr(&self) -> Ipv4Address {
        Ipv4Address::from_bits(self.header().word())
    }

    /// Whether the checksum is right.
    pub fn verify_checksum(&self) -> bool {
        sum(self.buffer.as_ref()).is_valid()
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// Computes the checksum and writes it.
    pub fn fill_checksum(&mut self) {
        self.set_checksum([0; 2]);
        let checksum = sum(self.buffer.as_ref()).finish();
        self.set_checksum(checksum);
    }
}

/// A message in a form that can be written. A group of `0.0.0.0` in a query asks for all groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repr<'a> {
    /// A query of version 1 or 2.
    Query {
        /// Tenths of a second that hosts may take to answer; 0 makes it a query of version 1.
        max_resp_time: u8,
        /// Which group is asked for.
        group: Ipv4Address,
    },
    /// A query of version 3.
    Query3 {
        /// Tenths of a second that hosts may take to answer: at most [`group::MAX_CODE8`], rounded down to a
        /// number that a code has.
        max_resp_time: u16,
        /// Which group is asked for.
        group: Ipv4Address,
        /// The querier's variables, and which sources are asked for.
        details: QueryDetails<'a>,
    },
    /// A report of version 1.
    Report1 {
        /// Which group is listened to.
        group: Ipv4Address,
    },
    /// A report of version 2.
    Report2 {
        /// Which group is listened to.
        group: Ipv4Address,
    },
    /// The end of it, of version 2.
    Leave {
        /// Which group is no longer listened to.
        group: Ipv4Address,
    },
    /// A report of version 3.
    Report3 {
        /// Its group records; what they say is not looked at.
        records: Records<'a>,
    },
}

/// The group that a message is about.
fn read_group(header: Header<'_>, or_all: bool) -> Result<Ipv4Address> {
    let group = Ipv4Address::from_bits(header.word());
    let is_right = group.is_multicast() || or_all && group.is_unspecified();
    is_right.then_some(group).ok_or(Error::Malformed)
}

/// RFC 3376 §7.1: the length tells the version of a query.
fn parse_query<'a>(header: Header<'a>, rest: &'a [u8]) -> Result<Repr<'a>> {
    let group = read_group(header, true)?;
    match rest.len() {
        0 => Ok(Repr::Query { max_resp_time: header.msg_code(), group }),
        1..4 => Err(Error::Malformed),
        _ => {
            let max_resp_time = group::decode8(header.msg_code());
            Ok(Repr::Query3 { max_resp_time, group, details: QueryDetails::parse(rest)? })
        }
    }
}

impl<'a> Repr<'a> {
    /// Reads a message and verifies its checksum, which covers all of the packet's payload.
    ///
    /// # Errors
    /// `Malformed` if a group is none, or a query is longer than one of version 2 and shorter than one of
    /// version 3; `Unsupported` if the message is of another type. Both are to be ignored.
    pub fn parse<T: AsRef<[u8]> + ?Sized>(packet: &Packet<&'a T>) -> Result<Repr<'a>> {
        let (header, rest) = Header::split(packet.buffer.as_ref())?;
        if !packet.verify_checksum() {
            return Err(Error::Checksum);
        }
        Ok(match header.msg_type() {
            msg_type::QUERY => parse_query(header, rest)?,
            msg_type::REPORT1 => Repr::Report1 { group: read_group(header, false)? },
            msg_type::REPORT2 => Repr::Report2 { group: read_group(header, false)? },
            msg_type::LEAVE => Repr::Leave { group: read_group(header, false)? },
            msg_type::REPORT3 => Repr::Report3 { records: Records::parse(header.word() as u16, rest)? },
            _ => return Err(Error::Unsupported),
        })
    }

    /// Octets of the message.
    pub const fn buffer_len(&self) -> usize {
        match self {
            Repr::Query3 { details, .. } => HEADER_LEN + details.buffer_len(),
            Repr::Report3 { records } => HEADER_LEN + records.as_octets().len(),
            _ => HEADER_LEN,
        }
    }

    /// Type, code and word.
    const fn parts(&self) -> (u8, u8, u32) {
        match *self {
            Repr::Query { max_resp_time, group } => (msg_type::QUERY, max_resp_time, group.to_bits()),
            Repr::Query3 { max_resp_time, group, .. } => {
                (msg_type::QUERY, group::encode8(max_resp_time), group.to_bits())
            }
            Repr::Report1 { group } => (msg_type::REPORT1, 0, group.to_bits()),
            Repr::Report2 { group } => (msg_type::REPORT2, 0, group.to_bits()),
            Repr::Leave { group } => (msg_type::LEAVE, 0, group.to_bits()),
            Repr::Report3 { records } => (msg_type::REPORT3, 0, records.count_left() as u32),
        }
    }

    /// Writes the message with its checksum.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, packet: &mut Packet<T>) {
        let buffer = &mut packet.buffer.as_mut()[..self.buffer_len()];
        let Some((header, rest)) = buffer.split_first_chunk_mut() else { return };
        match self {
            Repr::Query3 { details, .. } => details.emit(rest),
            Repr::Report3 { records } => rest.copy_from_slice(records.as_octets()),
            _ => {}
        }
        let (msg_type, code, word) = self.parts();
        icmp::emit(header, msg_type, code, word, sum(rest));
    }
}

impl fmt::Display for Repr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Repr::Query { max_resp_time: 0, .. } => f.write_str("IGMPv1 query"),
            Repr::Query { max_resp_time, group } => {
                write!(f, "IGMPv2 query group={group} within={max_resp_time}ds")
            }
            Repr::Query3 { max_resp_time, group, details } => {
                write!(f, "IGMPv3 query group={group} within={max_resp_time}ds {details}")
            }
            Repr::Report1 { group } => write!(f, "IGMPv1 report group={group}"),
            Repr::Report2 { group } => write!(f, "IGMPv2 report group={group}"),
            Repr::Leave { group } => write!(f, "IGMPv2 leave group={group}"),
            Repr::Report3 { records } => write!(f, "IGMPv3 report {records}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::hex;
    use crate::wire::{bar, captured};

    /// Frames and what they say.
    const CASES: [(&str, &str); 8] = [
        (captured::IGMP3_QUERY, "IGMPv3 query group=0.0.0.0 within=100ds robustness=2 interval=125s"),
        (
            captured::IGMP3_QUERY_SOURCES,
            "IGMPv3 query group=239.1.2.3 within=10ds robustness=2 interval=3s sources={10.9.9.8, 10.9.9.9}",
        ),
        (captured::IGMP2_QUERY, "IGMPv2 query group=0.0.0.0 within=100ds"),
        (
            captured::IGMP3_REPORT,
            "IGMPv3 report 239.5.5.5 to-exclude {10.8.8.8}, 232.1.1.1 allow {10.9.9.9}, \
             239.1.2.3 to-exclude {}",
        ),
        (
            captured::IGMP3_LEAVES,
            "IGMPv3 report 239.5.5.5 to-include {}, 232.1.1.1 block {10.9.9.9}, 239.1.2.3 to-include {}",
        ),
        (captured::IGMP2_REPORT, "IGMPv2 report group=239.1.2.4"),
        (captured::IGMP2_LEAVE, "IGMPv2 leave group=239.1.2.4"),
        (captured::IGMP1_REPORT, "IGMPv1 report group=239.1.2.5"),
    ];

    /// The message behind an Ethernet header and an IPv4 header with a router alert.
    fn message(frame: &str) -> Vec<u8> {
        hex(frame)[14 + 24..].to_vec()
    }

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
    fn messages_of_linux_parse_and_are_written_again() {
        for (frame, text) in CASES {
            let data = message(frame);
            assert_eq!(parse(&data).unwrap().to_string(), text);
            bar::is_canonical(text, &data, &rewrite);
        }
    }

    #[test]
    fn cuts_and_flips_are_found_or_survived() {
        for (frame, text) in CASES {
            let data = message(frame);
            bar::cuts_are_found(text, &data, &[], &bar::as_it_is, &rewrite);
            // With a right checksum a query of version 3 is one of version 2 when it is cut there.
            let is_query3 = data[0] == msg_type::QUERY && data.len() > HEADER_LEN;
            let ends = if is_query3 { &[HEADER_LEN][..] } else { &[] };
            bar::cuts_are_found(text, &data, ends, &repair, &rewrite);
            assert!(bar::flips_are_survived(text, &data, &repair, &rewrite) > 8, "{text}");
            assert_eq!(bar::flips_are_survived(text, &data, &bar::as_it_is, &rewrite), 0, "{text}");
        }
    }

    /// Covers: RFC 3376 §4, §7.1, §9.1
    #[test]
    fn what_breaks_the_format_gets_its_error() {
        let with = |frame: &str, len: usize, changes: &[(usize, u8)]| {
            let mut data = message(frame);
            data.resize(len, 0);
            changes.iter().for_each(|&(at, value)| data[at] = value);
            repair(&mut data);
            rewrite(&data).map(|_| ()).unwrap_err()
        };
        let (query, report, old) = (captured::IGMP3_QUERY, captured::IGMP3_REPORT, captured::IGMP2_REPORT);
        let cases = [
            ("a query between two versions", with(query, 11, &[]), Error::Malformed),
            ("a query for a host", with(query, 12, &[(4, 10)]), Error::Malformed),
            ("a query with a source that is not there", with(query, 12, &[(11, 1)]), Error::Truncated),
            ("a query with 65,535 sources", with(query, 16, &[(10, 255), (11, 255)]), Error::Truncated),
            ("a report for a host", with(old, 8, &[(4, 10)]), Error::Malformed),
            ("a report for all", with(old, 8, &[(4, 0), (5, 0), (6, 0), (7, 0)]), Error::Malformed),
            ("a leave for a host", with(captured::IGMP2_LEAVE, 8, &[(4, 10)]), Error::Malformed),
            ("a record that is not there", with(report, 40, &[(7, 4)]), Error::Truncated),
            ("more sources than octets", with(report, 40, &[(10, 9)]), Error::Truncated),
            ("more auxiliary data than octets", with(report, 40, &[(9, 9)]), Error::Truncated),
            ("DVMRP", with(old, 8, &[(0, 0x13)]), Error::Unsupported),
            ("no type", with(old, 8, &[(0, 0)]), Error::Unsupported),
        ];
        for (name, error, expected) in cases {
            assert_eq!(error, expected, "{name}");
        }
    }

    #[test]
    fn what_must_be_ignored_is_ignored() {
        let mut query = message(captured::IGMP3_QUERY_SOURCES);
        query[8] |= 0xf0; // reserved
        query.extend([1, 2, 3]); // RFC 3376 §4.1.10: additional data
        repair(&mut query);
        let mut report = message(captured::IGMP3_REPORT);
        (report[1], report[5]) = (7, 8); // reserved
        report.extend([1, 2, 3, 4]);
        repair(&mut report);
        let mut old = message(captured::IGMP2_REPORT);
        old[1] = 9; // RFC 2236 §2.2: of meaning in queries only
        repair(&mut old);
        for (data, (frame, text)) in [query, report, old].iter().zip([CASES[1], CASES[3], CASES[5]]) {
            assert!(bar::is_kept(text, data, &rewrite));
            assert_eq!(rewrite(data).unwrap().1, message(frame), "{text}");
        }
    }

    #[test]
    fn a_query_of_version_1_allows_no_time() {
        let mut packet = Packet::new_unchecked([0xff; HEADER_LEN]);
        packet.set_msg_type(msg_type::QUERY);
        packet.set_max_resp_code(0);
        packet.set_group_addr(Ipv4Address::UNSPECIFIED);
        packet.fill_checksum();
        assert_eq!((packet.max_resp_code(), packet.group_addr()), (0, Ipv4Address::UNSPECIFIED));
        let data = packet.into_inner();
        let repr = parse(&data).unwrap();
        assert_eq!(repr, Repr::Query { max_resp_time: 0, group: Ipv4Address::UNSPECIFIED });
        assert_eq!(repr.to_string(), "IGMPv1 query");
    }
}
