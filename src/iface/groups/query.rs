//! Queries from routers, and what other hosts report (RFC 3376 §5.2, RFC 3810 §6.2; RFC 2236 §3, RFC 2710 §4).

use super::querier::Mode;
use super::{Groups, State};
use crate::iface::ingress::{Ingress, Received, Taken};
use crate::rand::Keys;
use crate::stats::DropReason;
use crate::time::{TICKS_PER_SEC, Ticks};
use crate::wire::{Addr, igmp as wire_igmp, mld as wire_mld};

/// Seconds that a query of IGMPv1, which does not say, leaves for an answer (RFC 2236 §4).
const V1_RESPONSE: u32 = 10;

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
    act(ingress, heard, true);
    Ok(())
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
    let tenths = |time: u32| (time * TICKS_PER_SEC).div_ceil(10);
    match message {
        Repr::Query { max_resp_time: 0, group } => Heard::Query(Query {
            version: Mode::Oldest,
            max_delay: V1_RESPONSE * TICKS_PER_SEC,
            group: asked(*group),
            variables: None,
        }),
        Repr::Query { max_resp_time, group } => Heard::Query(Query {
            version: Mode::Previous,
            max_delay: tenths(u32::from(*max_resp_time)),
            group: asked(*group),
            variables: None,
        }),
        Repr::Query3 { max_resp_time, group, details } => Heard::Query(Query {
            version: Mode::Newest,
            max_delay: tenths(u32::from(*max_resp_time)),
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
    // A tick is a little more than a millisecond: an answer is never late.
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
