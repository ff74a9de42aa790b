//! The options of an IPv4 header (RFC 791 §3.1; RFC 2113 router alert). They are read and written, not
//! acted upon: a host need not (RFC 1122 §3.2.1.8), and what a source route asks for is a danger.
//!
//! ```text
//!  0                   1                   2                   3
//! |     kind      |    length     |    pointer    | addresses …   |  routes
//! |     kind      |    length     |    pointer    |overflow| flag |  timestamps
//! |     kind      |    length     |             value             |  router alert
//! ```

use core::fmt;

use super::tlv::{self, NOP, fmt_list};
use super::{Ipv4Address, Ipv4Packet, Ipv4Repr, Result, ipv4};

/// Octets of the longest options area.
pub const MAX_LEN: usize = tlv::MAX_LEN;

mod kind {
    pub(super) const RECORD_ROUTE: u8 = 7;
    pub(super) const TIMESTAMPS: u8 = 68;
    pub(super) const LOOSE_ROUTE: u8 = 131;
    pub(super) const STRICT_ROUTE: u8 = 137;
    pub(super) const ROUTER_ALERT: u8 = 148;
}

/// Where the places for addresses begin in a route, counted from 1.
const FIRST_OF_ROUTE: u8 = 4;
/// Where those for timestamps begin.
const FIRST_OF_TIMESTAMPS: u8 = 5;

/// Addresses that a packet went through, or is to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'a> {
    /// How many of the places are done: recorded, or gone through; at most all.
    pub done: u8,
    /// All places, at most 9.
    pub places: &'a [[u8; 4]],
}

/// When a packet was where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamps<'a> {
    /// What the places hold.
    pub flag: TimestampFlag,
    /// How many words of the places are done; at most all, and even if they are pairs.
    pub done: u8,
    /// How many hosts found no place, at most 15.
    pub overflow: u8,
    /// All places, in words: timestamps, or pairs of an address and a timestamp. At most 9 words, an even
    /// number if they are pairs.
    pub words: &'a [[u8; 4]],
}

/// What the places of timestamps hold. A timestamp is in milliseconds since midnight, universal time; one
/// with the highest bit set is in units of the host's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampFlag {
    /// Timestamps.
    Alone,
    /// Pairs of an address and a timestamp.
    WithAddresses,
    /// The same, of addresses that the sender chose.
    OfAddresses,
}

impl TimestampFlag {
    const fn from_bits(bits: u8) -> Option<TimestampFlag> {
        match bits {
            0 => Some(TimestampFlag::Alone),
            1 => Some(TimestampFlag::WithAddresses),
            3 => Some(TimestampFlag::OfAddresses),
            _ => None,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            TimestampFlag::Alone => 0,
            TimestampFlag::WithAddresses => 1,
            TimestampFlag::OfAddresses => 3,
        }
    }

    /// Words of one place.
    const fn words(self) -> usize {
        if matches!(self, TimestampFlag::Alone) { 1 } else { 2 }
    }
}

/// One option. Those whose content does not fit their kind appear as `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ipv4Option<'a> {
    /// Nothing: padding between options.
    Nop,
    /// Routers record their addresses.
    RecordRoute(Route<'a>),
    /// By these routers, and others between them.
    LooseRoute(Route<'a>),
    /// By these routers only.
    StrictRoute(Route<'a>),
    /// Routers record the time.
    Timestamps(Timestamps<'a>),
    /// Routers look at the packet. The value is 0 for all of them.
    RouterAlert(u16),
    /// Something else: its kind, and its data without kind and length.
    Unknown(u8, &'a [u8]),
}

/// How many places are done if the next one is at `pointer`; `None` if there is none at it.
fn done(pointer: u8, first: u8, words: &[[u8; 4]], step: usize) -> Option<u8> {
    let octets = usize::from(pointer.checked_sub(first)?);
    let done = octets / 4;
    (octets.is_multiple_of(4 * step) && words.len().is_multiple_of(step) && done <= words.len())
        .then_some(done as u8)
}

impl<'a> Ipv4Option<'a> {
    fn read(kind: u8, data: &'a [u8]) -> Option<Ipv4Option<'a>> {
        Some(match kind {
            kind::RECORD_ROUTE => Ipv4Option::RecordRoute(Route::read(data)?),
            kind::LOOSE_ROUTE => Ipv4Option::LooseRoute(Route::read(data)?),
            kind::STRICT_ROUTE => Ipv4Option::StrictRoute(Route::read(data)?),
            kind::TIMESTAMPS => Ipv4Option::Timestamps(Timestamps::read(data)?),
            kind::ROUTER_ALERT => Ipv4Option::RouterAlert(u16::from_be_bytes(data.try_into().ok()?)),
            _ => return None,
        })
    }

    /// Octets of the option.
    pub const fn buffer_len(&self) -> usize {
        match self {
            Ipv4Option::Nop => 1,
            Ipv4Option::RecordRoute(route)
            | Ipv4Option::LooseRoute(route)
            | Ipv4Option::StrictRoute(route) => 3 + route.places.len() * 4,
            Ipv4Option::Timestamps(timestamps) => 4 + timestamps.words.len() * 4,
            Ipv4Option::RouterAlert(_) => 4,
            Ipv4Option::Unknown(_, data) => 2 + data.len(),
        }
    }

    /// Writes the option to the beginning of a buffer, and returns what is left of it.
    ///
    /// # Panics
    /// If the buffer is shorter than [`buffer_len`](Ipv4Option::buffer_len), or the option longer than
    /// [`MAX_LEN`].
    pub fn emit<'o>(&self, buffer: &'o mut [u8]) -> &'o mut [u8] {
        let route = |buffer, kind: u8, route: &Route<'_>| {
            tlv::emit(buffer, kind, &[FIRST_OF_ROUTE + route.done * 4], route.places.as_flattened())
        };
        match self {
            Ipv4Option::RecordRoute(places) => route(buffer, kind::RECORD_ROUTE, places),
            Ipv4Option::LooseRoute(places) => route(buffer, kind::LOOSE_ROUTE, places),
            Ipv4Option::StrictRoute(places) => route(buffer, kind::STRICT_ROUTE, places),
            Ipv4Option::Timestamps(Timestamps { flag, done, overflow, words }) => {
                let fixed = [FIRST_OF_TIMESTAMPS + done * 4, overflow << 4 | flag.bits()];
                tlv::emit(buffer, kind::TIMESTAMPS, &fixed, words.as_flattened())
            }
            Ipv4Option::RouterAlert(value) => {
                tlv::emit(buffer, kind::ROUTER_ALERT, &value.to_be_bytes(), &[])
            }
            Ipv4Option::Unknown(kind, data) => tlv::emit(buffer, *kind, data, &[]),
            Ipv4Option::Nop => {
                let (option, rest) = buffer.split_at_mut(1);
                option[0] = NOP;
                rest
            }
        }
    }
}

impl<'a> Route<'a> {
    fn read(data: &'a [u8]) -> Option<Route<'a>> {
        let (pointer, places) = data.split_first()?;
        let (places, []) = places.as_chunks() else { return None };
        Some(Route { done: done(*pointer, FIRST_OF_ROUTE, places, 1)?, places })
    }
}

impl<'a> Timestamps<'a> {
    fn read(data: &'a [u8]) -> Option<Timestamps<'a>> {
        let ([pointer, overflow_and_flag], words) = data.split_first_chunk()?;
        let (words, []) = words.as_chunks() else { return None };
        let flag = TimestampFlag::from_bits(overflow_and_flag & 0x0f)?;
        let done = done(*pointer, FIRST_OF_TIMESTAMPS, words, flag.words())?;
        Some(Timestamps { flag, done, overflow: overflow_and_flag >> 4, words })
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

    /// Where a source route that is not done ends. Transports' checksums cover that address, not the one in
    /// the header.
    pub fn final_dst(mut self) -> Option<Ipv4Address> {
        self.find_map(|option| match option {
            Ipv4Option::LooseRoute(route) | Ipv4Option::StrictRoute(route)
                if usize::from(route.done) < route.places.len() =>
            {
                route.places.last().map(|place| Ipv4Address::from(*place))
            }
            _ => None,
        })
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
    type Item = Ipv4Option<'a>;

    fn next(&mut self) -> Option<Ipv4Option<'a>> {
        let (kind, data, rest) = tlv::split(self.0).ok()??;
        self.0 = rest;
        if kind == NOP {
            return Some(Ipv4Option::Nop);
        }
        Some(Ipv4Option::read(kind, data).unwrap_or(Ipv4Option::Unknown(kind, data)))
    }
}

/// A header with options, in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr<'a> {
    /// The fixed part.
    pub header: Ipv4Repr,
    /// What follows it.
    pub options: Options<'a>,
}

impl<'a> Repr<'a> {
    /// Reads a header and verifies its checksum.
    ///
    /// # Errors
    /// Those of [`Ipv4Repr::parse`] and of [`Options::parse`].
    pub fn parse<T: AsRef<[u8]> + ?Sized>(packet: &Ipv4Packet<&'a T>) -> Result<Repr<'a>> {
        // A copy of the view, since the octets live longer than this one.
        let parts = ipv4::Header::split(packet.clone().into_inner().as_ref())?;
        let header = Ipv4Repr::of(parts.header, parts.payload.len() as u16);
        Ok(Repr { header, options: Options::parse(parts.options)? })
    }

    /// Octets of the header with its options.
    pub const fn buffer_len(&self) -> usize {
        ipv4::HEADER_LEN + self.options.buffer_len()
    }

    /// Writes the header with its checksum.
    ///
    /// # Panics
    /// If the buffer is shorter than that, or header and payload are longer than 65,535 octets.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, packet: &mut Ipv4Packet<T>) {
        let len = self.buffer_len();
        let total_len = len + usize::from(self.header.payload_len);
        assert!(total_len <= usize::from(u16::MAX), "a packet has at most 65,535 octets");
        self.header.emit(packet);
        packet.set_header_len(len as u8);
        packet.set_total_len(total_len as u16);
        self.options.emit(packet.options_mut());
        packet.fill_checksum();
    }
}

impl fmt::Display for TimestampFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimestampFlag::Alone => "timestamps",
            TimestampFlag::WithAddresses => "timestamps-with-addresses",
            TimestampFlag::OfAddresses => "timestamps-of-addresses",
        })
    }
}

impl fmt::Display for Route<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ", self.done, self.places.len())?;
        fmt_list(f, self.places.iter().map(|place| Ipv4Address::from(*place)))
    }
}

impl fmt::Display for Timestamps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.flag.words();
        write!(f, "{} {}/{} ", self.flag, usize::from(self.done) / step, self.words.len() / step)?;
        if self.overflow != 0 {
            write!(f, "overflow={} ", self.overflow)?;
        }
        match step {
            1 => fmt_list(f, self.words.iter().map(|word| u32::from_be_bytes(*word))),
            _ => {
                let (pairs, _) = self.words.as_chunks::<2>();
                let pair =
                    |[addr, time]: &[[u8; 4]; 2]| (Ipv4Address::from(*addr), u32::from_be_bytes(*time));
                fmt_list(f, pairs.iter().map(pair).map(|(addr, time)| Pair(addr, time)))
            }
        }
    }
}

/// An address and a timestamp, as text.
struct Pair(Ipv4Address, u32);

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

impl fmt::Display for Ipv4Option<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ipv4Option::Nop => f.write_str("nop"),
            Ipv4Option::RecordRoute(route) => write!(f, "record-route {route}"),
            Ipv4Option::LooseRoute(route) => write!(f, "loose-route {route}"),
            Ipv4Option::StrictRoute(route) => write!(f, "strict-route {route}"),
            Ipv4Option::Timestamps(timestamps) => timestamps.fmt(f),
            Ipv4Option::RouterAlert(value) => write!(f, "router-alert={value}"),
            Ipv4Option::Unknown(kind, data) => write!(f, "option {kind} len={}", data.len()),
        }
    }
}

impl fmt::Display for Repr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.header.fmt(f)?;
        let mut options = self.options.filter(|option| *option != Ipv4Option::Nop);
        options.try_for_each(|option| write!(f, " {option}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};
    use crate::wire::{Error, bar, captured};

    /// Frames, and what is said of their options.
    const CASES: [(&str, &str); 9] = [
        (
            captured::RECORD_ROUTE,
            "record-route 1/9 {10.0.0.1, 0.0.0.0, 0.0.0.0, 0.0.0.0, 0.0.0.0, 0.0.0.0, 0.0.0.0, 0.0.0.0, 0.0.0.0}",
        ),
        (
            captured::RECORDED_ROUTE,
            "record-route 3/9 {10.0.0.1, 10.0.0.2, 10.0.0.2, 0.0.0.0, 0.0.0.0, 0.0.0.0, 0.0.0.0, 0.0.0.0, 0.0.0.0}",
        ),
        (captured::TIMESTAMPS, "timestamps 3/9 {"),
        (captured::TIMESTAMPS_ADDRS, "timestamps-with-addresses 3/4 {10.0.0.1 "),
        (captured::TIMESTAMPS_PRESPECIFIED, "timestamps-of-addresses 2/2 {10.0.0.1 "),
        (captured::LOOSE_ROUTE, "loose-route 0/1 {10.0.0.3}"),
        (captured::STRICT_ROUTE, "strict-route 0/1 {10.0.0.3}"),
        (captured::ALERT4, "router-alert=0"),
        (frames::ROUTER_ALERT4, "router-alert=0"),
    ];

    fn rewrite(data: &[u8]) -> Result<(String, Vec<u8>)> {
        let packet = Ipv4Packet::new_checked(data)?;
        let repr = Repr::parse(&packet)?;
        let mut copy = Ipv4Packet::new_unchecked(vec![0xff; repr.buffer_len() + packet.payload().len()]);
        repr.emit(&mut copy);
        copy.payload_mut().copy_from_slice(packet.payload());
        Ok((format!("{repr:?} {repr}"), copy.into_inner()))
    }

    fn repair(data: &mut [u8]) {
        if let Ok(mut packet) = Ipv4Packet::new_checked(data) {
            packet.fill_checksum();
        }
    }

    #[test]
    fn headers_of_others_parse_and_are_written_again() {
        for (frame, text) in CASES {
            let data = &hex(frame)[14..];
            let repr = Repr::parse(&Ipv4Packet::new_checked(data).unwrap()).unwrap();
            let said = repr.to_string();
            let (_, options) = said.split_once("ttl=64 ").unwrap();
            assert!(options.starts_with(text), "{options}");
            bar::is_canonical(text, data, &rewrite);
            let mut written = vec![0xff; repr.options.buffer_len()];
            let rest = repr.options.fold(&mut written[..], |rest, option| option.emit(rest));
            rest.fill(0);
            assert_eq!(written, data[20..20 + written.len()], "{text}");
        }
    }

    #[test]
    fn cuts_and_flips_are_found_or_survived() {
        for (frame, text) in CASES {
            let data = &hex(frame)[14..];
            bar::cuts_are_found(text, data, &[], &repair, &rewrite);
            assert!(bar::flips_are_survived(text, data, &repair, &rewrite) > 200, "{text}");
        }
    }

    #[test]
    fn an_area_cut_within_an_option_is_malformed() {
        let area = [1, 148, 4, 0, 0, 7, 7, 4, 10, 0, 0, 1];
        for len in 0..=area.len() {
            let expected = if [0, 1, 5, 12].contains(&len) { Ok(()) } else { Err(Error::Malformed) };
            assert_eq!(Options::parse(&area[..len]).map(|_| ()), expected, "{len}");
        }
    }

    /// Covers: RFC 1122 §3.2.1.8
    #[test]
    fn areas_are_walked_without_trust() {
        let malformed = Err(Error::Malformed);
        let cases = [
            ("a length of 0", &[7, 0, 4, 0][..], malformed),
            ("a length of 1", &[7, 1, 4, 0], malformed),
            ("a length beyond the area", &[7, 5, 4, 0], malformed),
            ("a kind without a length", &[1, 1, 1, 7], malformed),
            ("more than a header holds", &[1; 44], malformed),
            ("what follows the end", &[1, 0, 7, 0], Ok("nop")),
            ("nothing but the end", &[0, 0, 0, 0], Ok("")),
            ("a kind that is not known", &[1, 200, 3, 9], Ok("nop, option 200 len=1")),
            ("an option without data", &[200, 2, 0, 0], Ok("option 200 len=0")),
            ("a route without a pointer", &[7, 2, 0, 0], Ok("option 7 len=0")),
            ("a route of part of an address", &[7, 6, 4, 10, 0, 0, 0, 0], Ok("option 7 len=4")),
            ("a route before its places", &[131, 7, 3, 10, 0, 0, 1, 0], Ok("option 131 len=5")),
            ("a route between its places", &[137, 7, 5, 10, 0, 0, 1, 0], Ok("option 137 len=5")),
            ("a route beyond its places", &[7, 7, 12, 10, 0, 0, 1, 0], Ok("option 7 len=5")),
            ("a route that is full", &[7, 7, 8, 10, 0, 0, 1, 0], Ok("record-route 1/1 {10.0.0.1}")),
            ("a route of no places", &[7, 3, 4, 0], Ok("record-route 0/0 {}")),
            ("timestamps of no kind", &[68, 8, 5, 2, 0, 0, 0, 1], Ok("option 68 len=6")),
            ("half a pair", &[68, 8, 5, 1, 0, 0, 0, 1], Ok("option 68 len=6")),
            ("a third of a timestamp", &[68, 8, 7, 0, 0, 0, 0, 1], Ok("option 68 len=6")),
            ("overflow", &[68, 8, 9, 0xf0, 0, 0, 0, 1], Ok("timestamps 1/1 overflow=15 {1}")),
            ("a short router alert", &[148, 3, 0, 0], Ok("option 148 len=1")),
        ];
        for (name, area, expected) in cases {
            let options = Options::parse(area);
            let text = options
                .map(|options| options.map(|option| option.to_string()).collect::<Vec<_>>().join(", "));
            assert_eq!(text.as_deref(), expected.as_ref().copied(), "{name}");
        }
    }

    #[test]
    fn a_source_route_ends_at_its_last_place() {
        let end = |area: &[u8]| Options::parse(area).unwrap().final_dst();
        let there = Some(Ipv4Address::new(10, 0, 0, 9));
        assert_eq!(end(&[131, 11, 4, 10, 0, 0, 8, 10, 0, 0, 9]), there);
        assert_eq!(end(&[1, 137, 11, 8, 10, 0, 0, 8, 10, 0, 0, 9]), there);
        assert_eq!(end(&[131, 7, 8, 10, 0, 0, 9]), None, "done");
        assert_eq!(end(&[7, 7, 4, 10, 0, 0, 9]), None, "only recorded");
    }

    #[test]
    fn the_router_alert_of_igmp_is_one() {
        let alert = Options::parse(&ipv4::ROUTER_ALERT).unwrap();
        assert!(alert.eq([Ipv4Option::RouterAlert(0)]));
        let header = Ipv4Repr::new([10, 0, 0, 1].into(), [224, 0, 0, 22].into(), 2.into(), 8, 1);
        let repr = Repr { header, options: alert };
        let mut packet = Ipv4Packet::new_unchecked([0xff; 24 + 8]);
        repr.emit(&mut packet);
        assert_eq!((packet.header_len(), packet.total_len(), packet.verify_checksum()), (24, 32, true));
        assert_eq!(Repr::parse(&Ipv4Packet::new_unchecked(&packet.into_inner())), Ok(repr));
    }

    #[test]
    fn an_option_takes_what_it_says() {
        let words = [[10, 0, 0, 1], [0, 0, 0, 9], [10, 0, 0, 2], [0; 4]];
        let route = Route { done: 1, places: &words };
        let timestamps = |flag: u8, done: u8, overflow: u8| {
            let octets = [68, 20, 5 + done * 4, overflow << 4 | flag];
            [&octets[..], words.as_flattened()].concat()
        };
        let written = [timestamps(0, 3, 15), timestamps(1, 2, 6)];
        let [one, pairs] =
            written.each_ref().map(|octets| Ipv4Option::Timestamps(Timestamps::read(&octets[2..]).unwrap()));
        for (option, written) in [
            (Ipv4Option::Nop, vec![1]),
            (Ipv4Option::RecordRoute(route), [&[7, 19, 8][..], words.as_flattened()].concat()),
            (Ipv4Option::LooseRoute(route), [&[131, 19, 8][..], words.as_flattened()].concat()),
            (Ipv4Option::StrictRoute(route), [&[137, 19, 8][..], words.as_flattened()].concat()),
            (Ipv4Option::RouterAlert(0x102), vec![148, 4, 1, 2]),
            (Ipv4Option::Unknown(30, &[1, 2, 3]), vec![30, 5, 1, 2, 3]),
            (one, written[0].clone()),
            (pairs, written[1].clone()),
        ] {
            let mut buffer = [0xff; 40];
            let left = option.emit(&mut buffer).len();
            assert_eq!((&buffer[..40 - left], option.buffer_len()), (&written[..], written.len()));
        }
        // Pairs are done two words at a time (RFC 791 §3.1).
        let odd = [9, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(Timestamps::read(&odd).is_none());
        assert!(Timestamps::read(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_some());
        assert!(Timestamps::read(&[13, 1, 0, 0, 0, 0, 0, 0, 0, 0]).is_some());
    }
}
