//! Which reports are due, and how they are written (RFC 3376 §4.2, §5.1; RFC 3810 §5.2, §6.1).

use super::querier::Mode;
use super::{Group, State};
use crate::config;
use crate::iface::interface::Interface;
use crate::iface::links::{Links, Out};
use crate::iface::output::Sent;
use crate::rand::Keys;
use crate::stats::Count;
use crate::time::Ticks;
use crate::wire::checksum::{Sum, sum};
use crate::wire::group::RecordType;
use crate::wire::{Addr, IpProtocol, igmp, ipv4, ipv6ext, mld};

/// Octets of an IPv4 header with the router alert option.
const V4_HEADER_LEN: usize = ipv4::HEADER_LEN + ipv4::ROUTER_ALERT.len();
/// Octets of an IPv6 header and the hop-by-hop header with it.
const V6_HEADER_LEN: usize = 40 + ipv6ext::ROUTER_ALERT_HEADER.len();
/// DSCP of IGMPv3 (RFC 3376 §4).
const INTERNETWORK_CONTROL: u8 = 0xc0;

/// What is told of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    /// In answer to a query.
    IsIn,
    Joined,
    Left,
}

impl Fact {
    fn record_type(self) -> RecordType {
        match self {
            Fact::IsIn => RecordType::MODE_IS_EXCLUDE,
            Fact::Joined => RecordType::CHANGE_TO_EXCLUDE,
            Fact::Left => RecordType::CHANGE_TO_INCLUDE,
        }
    }
}

/// Sends what is due, on every port.
#[inline]
pub(crate) fn send(links: &mut Links<'_, '_, '_>, keys: &Keys) {
    for port in 0..links.count() {
        links.with_port(port, |iface, out| {
            let is_due = iface.groups.poll_at(out.now).is_some_and(|at| at.is_due(out.now));
            if is_due && iface.link.up {
                iface.send_reports(out, keys);
            }
        });
    }
}

impl Interface<'_> {
    #[inline(never)]
    fn send_reports(&mut self, out: &mut Out<'_>, keys: &Keys) {
        for is_v4 in [true, false] {
            let querier = self.groups.querier_mut(is_v4);
            querier.expire(out.now);
            if querier.general_at.is_some_and(|at| at.is_due(out.now)) && self.report_all(out, is_v4) {
                self.groups.querier_mut(is_v4).general_at = None;
            }
        }
        for index in 0..self.groups.table.len() {
            self.send_report(out, keys, index);
        }
        self.groups.note_times();
        self.groups.put_off(out.now);
    }

    /// Sends what is due about one group; without room in the device it stays due.
    fn send_report(&mut self, out: &mut Out<'_>, keys: &Keys, index: usize) {
        let is_due = |at: Option<Ticks>| at.is_some_and(|at| at.is_due(out.now));
        let Some(entry) = self.groups.table.get(index) else { return };
        let (addr, state) = (entry.addr, entry.state);
        let (changed, asked) = (is_due(entry.change_at), is_due(entry.answer_at));
        let fact = match state {
            State::Left if changed => Fact::Left,
            State::Joined if changed => Fact::Joined,
            State::Joined if asked => Fact::IsIn,
            _ => return,
        };
        if !self.report(out, &addr, fact) {
            return;
        }
        let span = self.groups.querier(addr.is_v4()).unsolicited_interval();
        let again_at = self.groups.some_time(keys, out.now, span);
        let Some(entry) = self.groups.table.get_mut(index) else { return };
        entry.was_last_reporter = fact != Fact::Left;
        if fact == Fact::IsIn {
            entry.answer_at = None;
            return;
        }
        entry.repeats = entry.repeats.saturating_sub(1);
        entry.change_at = (entry.repeats > 0).then_some(again_at);
        if fact == Fact::Left && entry.repeats == 0 {
            *entry = Group::EMPTY;
        }
    }

    /// Tells one fact in the version of the link's router, and says whether it went out.
    fn report(&mut self, out: &mut Out<'_>, group: &Addr, fact: Fact) -> bool {
        let is_v4 = group.is_v4();
        match (self.groups.querier(is_v4).mode(), group.as_v4(), group.as_v6()) {
            (Mode::Newest, ..) => self.send_records(out, is_v4, &[*group], fact),
            (Mode::Oldest, ..) if fact == Fact::Left => true,
            (mode, Some(octets), _) => {
                let (kind, dst) = match (mode, fact) {
                    (Mode::Oldest, _) => (igmp::msg_type::REPORT1, octets),
                    (_, Fact::Left) => (igmp::msg_type::LEAVE, igmp::ALL_ROUTERS.octets()),
                    _ => (igmp::msg_type::REPORT2, octets),
                };
                let [a, b, c, d] = octets;
                let message = [kind, 0, 0, 0, a, b, c, d];
                v4(dst).is_none_or(|dst| self.send_message(out, &dst, &message))
            }
            (_, _, Some(octets)) => {
                let (kind, dst) = match fact {
                    Fact::Left => (mld::msg_type::DONE, mld::ALL_ROUTERS.octets()),
                    _ => (mld::msg_type::REPORT, *octets),
                };
                let mut message = [0; mld::MESSAGE_LEN];
                message[0] = kind;
                message[8..].copy_from_slice(octets);
                v6(dst).is_none_or(|dst| self.send_message(out, &dst, &message))
            }
            _ => true,
        }
    }

    /// Tells the state of all groups (RFC 3376 §5.2), and says whether all went out.
    fn report_all(&mut self, out: &mut Out<'_>, is_v4: bool) -> bool {
        let mut addrs = [Addr::UNSPECIFIED; config::MAX_GROUPS];
        let mut count = 0;
        let is_told = |entry: &&Group| {
            entry.state == State::Joined && entry.is_reported() && entry.addr.is_v4() == is_v4
        };
        for (place, entry) in addrs.iter_mut().zip(self.groups.table.iter().filter(is_told)) {
            *place = entry.addr;
            count += 1;
        }
        self.send_records(out, is_v4, addrs.get(..count).unwrap_or(&addrs), Fact::IsIn)
    }

    /// Sends as many reports of the newest version as these groups need, and says whether all went out.
    fn send_records(&mut self, out: &mut Out<'_>, is_v4: bool, addrs: &[Addr], fact: Fact) -> bool {
        let (header_len, record_len) = if is_v4 { (V4_HEADER_LEN, 8) } else { (V6_HEADER_LEN, 20) };
        let room = self.ip_mtu().saturating_sub(header_len + RECORDS_AT);
        let per_packet = (room / record_len).clamp(1, config::MAX_GROUPS);
        addrs.chunks(per_packet).all(|addrs| {
            let mut message = [0; RECORDS_AT + 20 * config::MAX_GROUPS];
            let len = write_records(&mut message, addrs, fact, record_len);
            let dst =
                if is_v4 { v4(igmp::ALL_V3_ROUTERS.octets()) } else { v6(mld::ALL_V2_ROUTERS.octets()) };
            dst.is_none_or(|dst| self.send_message(out, &dst, message.get(..len).unwrap_or(&message)))
        })
    }

    /// Sends a message, without its checksum, with a hop limit of 1 and a router alert; says whether it went
    /// out, or never will.
    fn send_message(&mut self, out: &mut Out<'_>, dst: &Addr, message: &[u8]) -> bool {
        let (ident, is_v4) = (self.idents.next(), dst.is_v4());
        let src = self.report_source(is_v4);
        let header_len = if is_v4 { V4_HEADER_LEN } else { V6_HEADER_LEN };
        let sent = self.send_ready(out, is_v4, header_len + message.len(), dst, &mut |ip| {
            let Some((header, payload)) = ip.split_at_mut_checked(header_len) else { return };
            payload.copy_from_slice(message);
            write_header(header, src.as_ref(), dst, payload, ident);
            write_checksum(payload, src.as_ref(), dst);
        });
        self.use_ident();
        let kind = message.first().copied().unwrap_or_default(); // a report has a header
        let is_sent = matches!(sent, Sent::Yes | Sent::Unresolved(_));
        if is_sent && is_v4 {
            let is_leave = kind == igmp::msg_type::LEAVE;
            let count = if is_leave { Count::IgmpOutLeaves } else { Count::IgmpOutReports };
            self.stats.counters.add(count, 1);
        } else if is_sent {
            self.stats.counters.on_icmp_sent(false, kind);
        }
        sent != Sent::NoRoom
    }

    /// RFC 3376 §4.2.13: an own address, or none. RFC 3810 §5.2.13: an own link-local one, or none.
    fn report_source(&self, is_v4: bool) -> Option<Addr> {
        let fits = |addr: &Addr| addr.is_v4() == is_v4 && (is_v4 || addr.is_link_local());
        self.addresses.iter().flatten().map(|own| own.addr).find(fits)
    }
}

/// Octets before the records, in either family.
const RECORDS_AT: usize = mld::REPORT2_HEADER_LEN;

/// Writes a report of the newest version, without its checksum, and says how long it is. A record has no
/// sources: all are meant.
fn write_records(message: &mut [u8], addrs: &[Addr], fact: Fact, record_len: usize) -> usize {
    let is_v4 = addrs.first().is_some_and(Addr::is_v4);
    let kind = if is_v4 { igmp::msg_type::REPORT3 } else { mld::msg_type::REPORT2 };
    let [high, low] = (addrs.len() as u16).to_be_bytes();
    let Some((header, records)) = message.split_first_chunk_mut::<RECORDS_AT>() else { return 0 };
    *header = [kind, 0, 0, 0, 0, 0, high, low];
    for (record, addr) in records.chunks_exact_mut(record_len).zip(addrs) {
        record[0] = fact.record_type().0;
        match (addr.as_v4(), addr.as_v6()) {
            (Some(octets), _) => record[4..].copy_from_slice(&octets),
            (_, Some(octets)) => record[4..].copy_from_slice(octets),
            _ => {}
        }
    }
    RECORDS_AT + addrs.len() * record_len
}

/// Writes all before the message.
fn write_header(header: &mut [u8], src: Option<&Addr>, dst: &Addr, message: &[u8], ident: u16) {
    let mut put = Put(header);
    if let Some(dst) = dst.as_v4() {
        put.put(&[0x46, INTERNETWORK_CONTROL]);
        put.put(&((V4_HEADER_LEN + message.len()) as u16).to_be_bytes());
        put.put(&ident.to_be_bytes());
        put.put(&[0, 0, 1, IpProtocol::IGMP.0, 0, 0]);
        put.put(&src.and_then(Addr::as_v4).unwrap_or_default());
        put.put(&dst);
        put.put(&ipv4::ROUTER_ALERT);
        let checksum = sum(header).finish();
        header[10..12].copy_from_slice(&checksum);
    } else if let Some(dst) = dst.as_v6() {
        let len = ipv6ext::ROUTER_ALERT_HEADER.len() + message.len();
        put.put(&[0x60, 0, 0, 0]);
        put.put(&(len as u16).to_be_bytes());
        put.put(&[IpProtocol::HOP_BY_HOP.0, 1]);
        put.put(src.and_then(Addr::as_v6).unwrap_or(&[0; 16]));
        put.put(dst);
        put.put(&ipv6ext::ROUTER_ALERT_HEADER);
    }
}

/// A place that is written from front to back.
struct Put<'p>(&'p mut [u8]);

impl Put<'_> {
    fn put(&mut self, octets: &[u8]) {
        if let Some((place, rest)) = core::mem::take(&mut self.0).split_at_mut_checked(octets.len()) {
            place.copy_from_slice(octets);
            self.0 = rest;
        }
    }
}

fn write_checksum(message: &mut [u8], src: Option<&Addr>, dst: &Addr) {
    let mut total = sum(message);
    if let Some(dst) = dst.as_v6() {
        let src = src.and_then(Addr::as_v6).unwrap_or(&[0; 16]);
        let words = Sum::of_u32(u32::from(IpProtocol::ICMPV6.0)).add(Sum::of_u32(message.len() as u32));
        total = total.add(words).add(sum(src)).add(sum(dst));
    }
    let checksum = total.finish();
    message[2..4].copy_from_slice(&checksum);
}

#[cfg(feature = "proto-ipv4")]
fn v4(octets: [u8; 4]) -> Option<Addr> {
    Some(Addr::v4(octets))
}

#[cfg(not(feature = "proto-ipv4"))]
fn v4(_octets: [u8; 4]) -> Option<Addr> {
    None
}

#[cfg(feature = "proto-ipv6")]
fn v6(octets: [u8; 16]) -> Option<Addr> {
    Some(Addr::v6(octets))
}

#[cfg(not(feature = "proto-ipv6"))]
fn v6(_octets: [u8; 16]) -> Option<Addr> {
    None
}
