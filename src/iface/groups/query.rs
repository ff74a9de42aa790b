//! Queries from routers, and what other hosts report (RFC 3376 §5.2, RFC 3810 §6.2; RFC 2236 §3, RFC 2710 §4).

use super::querier::Mode;
use super::{Groups, State};
use crate::iface::ingress::{Ingress, Received, Taken};
use crate::rand::Keys;
use crate::stats::{Count, DropReason};
use crate::time::Ticks;
use crate::wire::{Addr, igmp as wire_igmp, mld as wire_mld};

/// Tenths of a second that a query of IGMPv1, which does not say, leaves for an answer (RFC 2236 §4).
const V1_RESPONSE: u16 = 100;

/// A query, in either family.
struct Query {
    version: Mode,
    /// Ticks within which an answer is due.
    max_delay: u32,
    /// The group that is asked for, or all.
    group: Option<Addr>,
    /// Robustness and query interval, if the version has them.
    variables: Option<(u8, u16)>,
}

/// What a message means to a host.
enum Heard {
    Query(Query),
    /// Another host is in this group.
    Report(Addr),
    /// Something for routers.
    Nothing,
}

/// A message of IGMP.
#[inline(never)]
pub(crate) fn igmp(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &Received<'_>) -> Taken {
    let heard = checked_v4(received);
    let count = match &heard {
        Ok(Heard::Query(_)) => Count::IgmpInQueries,
        Ok(_) => Count::IgmpInReports,
        Err(_) => Count::IgmpInErrors,
    };
    ingress.links.iface.stats.counters.add(count, 1);
    act(ingress, heard?, true);
    Ok(())
}

/// What the message says, if it may say it.
fn checked_v4(received: &Received<'_>) -> Result<Heard, DropReason> {
    let packet = wire_igmp::Packet::new_checked(received.payload)?;
    // RFC 3376 §4: all messages have a TTL of 1; from beyond the link they are forged.
    if received.hop_limit != 1 {
        return Err(DropReason::HopLimit);
    }
    let heard = heard_v4(&wire_igmp::Repr::parse(&packet)?);
    // RFC 3376 §9.1: only the oldest version goes without.
    if let Heard::Query(Query { version: Mode::Newest | Mode::Previous, .. }) = &heard
        && !has_router_alert_v4(received.packet)
    {
        return Err(DropReason::Malformed);
    }
    Ok(heard)
}

/// A message of multicast listener discovery, its checksum verified.
#[inline(never)]
pub(crate) fn mld(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &Received<'_>) -> Taken {
    let Some(src) = received.src.as_v6() else { return Err(DropReason::Malformed) };
    if received.hop_limit != 1 {
        return Err(DropReason::HopLimit);
    }
    let heard = heard_v6(&wire_mld::Message::parse(src, received.payload)?);
    // RFC 3810 §6.2, RFC 2710 §5: a query without a router alert is discarded.
    if matches!(heard, Heard::Query(_)) && !has_router_alert_v6(received.packet) {
        return Err(DropReason::Malformed);
    }
    act(ingress, heard, false);
    Ok(())
}

#[cfg(not(feature = "proto-ipv4"))]
fn heard_v4(_message: &wire_igmp::Repr<'_>) -> Heard {
    Heard::Nothing
}

#[cfg(feature = "proto-ipv4")]
fn heard_v4(message: &wire_igmp::Repr<'_>) -> Heard {
    use wire_igmp::Repr;
    let addr = |group: crate::wire::Ipv4Address| Addr::v4(group.octets());
    let asked = |group: crate::wire::Ipv4Address| (!group.is_unspecified()).then(|| addr(group));
    match message {
        Repr::Query { max_resp_time: 0, group } => Heard::Query(Query {
            version: Mode::Oldest,
            max_delay: tenths(V1_RESPONSE),
            group: asked(*group),
            variables: None,
        }),
        Repr::Query { max_resp_time, group } => Heard::Query(Query {
            version: Mode::Previous,
            max_delay: tenths((*max_resp_time).into()),
            group: asked(*group),
            variables: None,
        }),
        Repr::Query3 { max_resp_time, group, details } => Heard::Query(Query {
            version: Mode::Newest,
            max_delay: tenths(*max_resp_time),
            group: asked(*group),
            variables: Some((details.robustness, details.query_interval)),
        }),
        Repr::Report1 { group } | Repr::Report2 { group } => Heard::Report(addr(*group)),
        _ => Heard::Nothing,
    }
}

#[cfg(not(feature = "proto-ipv6"))]
fn heard_v6(_message: &wire_mld::Message<'_>) -> Heard {
    Heard::Nothing
}

#[cfg(feature = "proto-ipv6")]
fn heard_v6(message: &wire_mld::Message<'_>) -> Heard {
    use wire_mld::Message;
    let addr = |group: crate::wire::Ipv6Address| Addr::v6(group.octets());
    let asked = |group: crate::wire::Ipv6Address| (!group.is_unspecified()).then(|| addr(group));
    match message {
        Message::Query { max_resp_delay, group } => Heard::Query(Query {
            version: Mode::Previous,
            max_delay: millis(u32::from(*max_resp_delay)),
            group: asked(*group),
            variables: None,
        }),
        Message::Query2 { max_resp_delay, group, details } => Heard::Query(Query {
            version: Mode::Newest,
            max_delay: millis(*max_resp_delay),
            group: asked(*group),
            variables: Some((details.robustness, details.query_interval)),
        }),
        Message::Report { group } => Heard::Report(addr(*group)),
        _ => Heard::Nothing,
    }
}

/// Ticks of 1,024 µs in so many tenths of a second, rounded down: an answer is never late.
#[cfg(feature = "proto-ipv4")]
fn tenths(tenths: u16) -> u32 {
    u32::from(tenths) * 3_125 / 32
}

/// Ticks of 1,024 µs in so many milliseconds, rounded down; at most 2.3 hours' worth are asked for.
#[cfg(feature = "proto-ipv6")]
fn millis(millis: u32) -> u32 {
    millis - millis.div_ceil(42)
}

fn act(ingress: &mut Ingress<'_, '_, '_, '_, '_>, heard: Heard, is_v4: bool) {
    let now = ingress.links.out.now;
    let groups = &mut ingress.links.iface.groups;
    match heard {
        Heard::Query(query) => groups.on_query(&ingress.sockets.keys, &query, is_v4, now),
        Heard::Report(group) => groups.on_report(&group, is_v4),
        Heard::Nothing => {}
    }
    groups.note_times();
}

impl Groups<'_> {
    /// A router wants to know.
    fn on_query(&mut self, keys: &Keys, query: &Query, is_v4: bool, now: Ticks) {
        let querier = self.querier_mut(is_v4);
        querier.expire(now);
        if querier.on_query(query.version, now) {
            // RFC 3376 §7.2.1, RFC 3810 §8.2.1: what was to be said in the other version is not said.
            querier.general_at = None;
            self.cancel(is_v4);
        }
        let querier = self.querier_mut(is_v4);
        if let Some((robustness, interval)) = query.variables {
            querier.learn(robustness, interval);
        }
        let (mode, general_at) = (querier.mode(), querier.general_at);
        let at = self.some_time(keys, now, query.max_delay);
        match &query.group {
            // RFC 3376 §5.2: an answer about all groups that comes sooner is answer enough.
            _ if mode == Mode::Newest && general_at.is_some_and(|pending| !at.is_before(pending)) => {}
            None if mode == Mode::Newest => self.querier_mut(is_v4).general_at = Some(at),
            None => self.ask_each(keys, query.max_delay, is_v4, now),
            Some(group) => {
                let is_asked =
                    |entry: &&mut super::Group| entry.state == State::Joined && entry.is_reported();
                if let Some(entry) = self.entry_mut(group).filter(is_asked) {
                    entry.answer_at = Ticks::earlier(entry.answer_at, Some(at));
                }
            }
        }
    }

    /// RFC 2236 §3, RFC 2710 §4: each group is answered for at a time of its own.
    fn ask_each(&mut self, keys: &Keys, max_delay: u32, is_v4: bool, now: Ticks) {
        for index in 0..self.table.len() {
            let at = self.some_time(keys, now, max_delay);
            let Some(entry) = self.table.get_mut(index) else { return };
            if entry.state == State::Joined && entry.is_reported() && entry.addr.is_v4() == is_v4 {
                entry.answer_at = Ticks::earlier(entry.answer_at, Some(at));
            }
        }
    }

    /// Another host has said what we were about to say (RFC 2236 §3); in the newest version everybody speaks.
    fn on_report(&mut self, group: &Addr, is_v4: bool) {
        if self.querier(is_v4).mode() == Mode::Newest {
            return;
        }
        if let Some(entry) = self.entry_mut(group).filter(|entry| entry.state == State::Joined) {
            entry.answer_at = None;
            entry.was_last_reporter = false;
        }
    }

    /// Forgets all that was to be said.
    fn cancel(&mut self, is_v4: bool) {
        for entry in self.table.iter_mut().filter(|entry| entry.addr.is_v4() == is_v4) {
            (entry.answer_at, entry.change_at, entry.repeats) = (None, None, 0);
            if entry.state == State::Left {
                *entry = super::Group::EMPTY;
            }
        }
    }
}

/// Whether an IPv4 header has a router alert option (RFC 2113).
fn has_router_alert_v4(packet: &[u8]) -> bool {
    let header_len = usize::from(packet.first().copied().unwrap_or(0) & 0xf) * 4;
    has_option(packet.get(20..header_len).unwrap_or_default(), 148, 2, |kind| kind > 1)
}

/// Whether the hop-by-hop header of an IPv6 packet has one (RFC 2711).
fn has_router_alert_v6(packet: &[u8]) -> bool {
    let Some(&[0, len]) = packet.get(6).zip(packet.get(41)).map(|(next, len)| [*next, *len]).as_ref() else {
        return false;
    };
    let end = 48 + usize::from(len) * 8;
    has_option(packet.get(42..end).unwrap_or_default(), 5, 0, |kind| kind > 0)
}

/// Whether an option of this kind is among `options`, whose lengths count `counted` octets of kind and
/// length; `has_len` says of a kind whether it has a length.
fn has_option(mut options: &[u8], wanted: u8, counted: usize, has_len: fn(u8) -> bool) -> bool {
    while let Some((&kind, rest)) = options.split_first() {
        if kind == wanted {
            return true;
        }
        if !has_len(kind) {
            options = rest;
            continue;
        }
        let len = rest.first().map_or(0, |len| usize::from(*len) + 2 - counted);
        if len < 2 {
            return false;
        }
        options = options.get(len..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(kind: u8) -> Vec<u8> {
        // NOP, then an option of this kind with two octets of data.
        let header_len = 20 + 8;
        let mut packet = vec![0; header_len + 4];
        packet[0] = 0x40 | (header_len / 4) as u8;
        packet[20..26].copy_from_slice(&[1, 7, 3, 0, kind, 4]);
        packet
    }

    /// Covers: RFC 2113 §2.1
    #[test]
    fn a_router_alert_is_found_among_the_options_of_an_ipv4_header() {
        assert!(has_router_alert_v4(&v4(148)));
        assert!(!has_router_alert_v4(&v4(147)));
        let mut behind = v4(0);
        behind[28..].copy_from_slice(&[148, 4, 0, 0]);
        assert!(!has_router_alert_v4(&behind), "it is no part of the header");
        let cases: [(&[u8], bool); 9] = [
            (&[], false),
            (&[148, 4, 0, 0], true),
            (&[1, 1, 1, 148], true),
            (&[7, 2, 148, 4], true),
            (&[7, 4, 148, 4], false),
            (&[7, 0, 148, 4], false),
            (&[7, 1, 148, 4], false),
            (&[7], false),
            (&[7, 255, 148, 4], false),
        ];
        for (options, expected) in cases {
            assert_eq!(has_option(options, 148, 2, |kind| kind > 1), expected, "{options:?}");
            let mut packet = vec![0; 20 + options.len().next_multiple_of(4)];
            packet[0] = 0x40 | (packet.len() / 4) as u8;
            packet[20..20 + options.len()].copy_from_slice(options);
            assert_eq!(has_router_alert_v4(&packet), expected, "{options:?}");
        }
        (0..4).for_each(|len| assert!(!has_router_alert_v4(&vec![0xff; len])));
    }

    /// An IPv6 packet whose header for all hops says that it has these options, and what follows that.
    fn v6(units: u8, options: &[u8]) -> Vec<u8> {
        [&[0x60, 0, 0, 0, 0, 0, 0, 1][..], &[0; 32], &[58, units], options].concat()
    }

    /// Covers: RFC 2711 §2.1, RFC 8200 §4.2
    #[test]
    fn a_router_alert_is_found_in_the_header_for_all_hops() {
        let cases: [(u8, &[u8], bool); 8] = [
            (0, &[5, 2, 0, 0, 1, 0], true),
            (0, &[0, 5, 2, 0, 0, 0], true),
            (0, &[0, 1, 0, 5, 2, 0], true),
            (0, &[1, 4, 5, 2, 0, 0], false),
            (0, &[1, 0, 1, 0, 1, 0], false),
            // In the second eight octets, and in what is no part of the header.
            (1, &[1, 4, 0, 0, 0, 0, 1, 2, 0, 0, 5, 2, 0, 0], true),
            (0, &[1, 4, 0, 0, 0, 0, 5, 2, 0, 0, 1, 2, 0, 0], false),
            (2, &[5, 2, 0, 0, 1, 0], false),
        ];
        for (units, options, expected) in cases {
            assert_eq!(has_router_alert_v6(&v6(units, options)), expected, "{units} {options:?}");
        }
        let mut longest = v6(255, &[0; 255 * 8 + 6]);
        *longest.last_mut().unwrap() = 5;
        assert!(has_router_alert_v6(&longest));
        let mut other = v6(0, &[5, 2, 0, 0, 1, 0]);
        other[6] = 60;
        assert!(!has_router_alert_v6(&other), "options for the destination are no routers' matter");
    }

    /// The version, the ticks for an answer, and the group.
    fn asked(heard: Heard) -> (Mode, u32, Option<Addr>) {
        let Heard::Query(query) = heard else { panic!("a query") };
        (query.version, query.max_delay, query.group)
    }

    /// Ticks are a little more than a millisecond: all that are within so many microseconds.
    fn ticks_within(micros: u64) -> u32 {
        (micros / 1_024) as u32
    }

    /// Covers: RFC 3376 §4.1.1, RFC 2236 §2.2, RFC 2236 §4
    #[test]
    #[cfg(feature = "proto-ipv4")]
    fn no_answer_is_later_than_a_query_of_igmp_allows() {
        let hear = |code: u8, group: [u8; 4], tail: &[u8]| {
            let mut message = [&[0x11, code, 0, 0][..], &group, tail].concat();
            let checksum = crate::wire::checksum::sum(&message).finish();
            message[2..4].copy_from_slice(&checksum);
            let packet = wire_igmp::Packet::new_checked(&message[..]).unwrap();
            asked(heard_v4(&wire_igmp::Repr::parse(&packet).unwrap()))
        };
        assert_eq!(hear(0, [0; 4], &[]), (Mode::Oldest, ticks_within(10_000_000), None));
        let group = [239, 1, 2, 3];
        for tenths in [1, 2, 10, 100, 255] {
            let expected = ticks_within(u64::from(tenths) * 100_000);
            assert_eq!(hear(tenths, group, &[]), (Mode::Previous, expected, Some(Addr::v4(group))));
        }
        for (code, tenths) in [(0, 0), (1, 1), (127, 127), (255, 31_744)] {
            let of_v3 = hear(code, group, &[2, 125, 0, 0]);
            assert_eq!(of_v3, (Mode::Newest, ticks_within(tenths * 100_000), Some(Addr::v4(group))));
        }
    }

    /// Covers: RFC 3810 §5.1.3, RFC 2710 §3.4, RFC 2710 §4
    #[test]
    #[cfg(feature = "proto-ipv6")]
    fn no_answer_is_later_than_a_query_of_mld_allows() {
        use crate::wire::mld::Message;
        let group = crate::wire::Ipv6Address::new(0xff05, 0, 0, 0, 0, 0, 0, 9);
        for delay in [0, 1, 2, 100, 1_000, 10_000, 65_535] {
            let (version, ticks, of) = asked(heard_v6(&Message::Query { max_resp_delay: delay, group }));
            assert_eq!((version, of), (Mode::Previous, Some(Addr::v6(group.octets()))));
            let most = ticks_within(u64::from(delay) * 1_000);
            assert!(ticks <= most && ticks + 2 + most / 2_000 >= most, "{delay}: {ticks} of {most}");
        }
        assert!(millis(8_387_584) <= ticks_within(8_387_584_000), "the longest of version 2");
        // RFC 2710 §4: another host's report is enough.
        let heard = heard_v6(&Message::Report { group });
        assert!(matches!(heard, Heard::Report(of) if of == Addr::v6(group.octets())));
        assert!(matches!(heard_v6(&Message::Done { group }), Heard::Nothing));
    }
}
