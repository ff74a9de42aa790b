//! Fragments in, whole datagrams on (RFC 791 §3.2, RFC 815, RFC 8200 §4.5).
//!
//! A fragment that overlaps another one ends its datagram: nothing of it is believed, whatever else of it
//! comes (RFC 5722, RFC 8200 §4.5; the same for IPv4). An exact duplicate is dropped by itself. So the number
//! of octets that are there says whether all are.

use super::{Content, Fragments};
use crate::config;
use crate::iface::icmp;
use crate::iface::ingress::{Ingress, Received, Taken};
use crate::iface::interface::Interface;
use crate::iface::links::Links;
use crate::iface::{icmpv4, icmpv6};
use crate::stats::{DropReason, IpCount, Stats};
use crate::storage::{Added, BlockBuffer, HEADROOM};
use crate::time::Ticks;
use crate::wire::{Addr, IpProtocol, ipv4, ipv6, ipv6ext};

/// The most octets of a datagram after its IPv4 header, or its IPv6 header.
const MAX_LEN: usize = 65_535;

/// What the fragments of one datagram have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) src: Addr,
    dst: Addr,
    ident: u32,
    /// Of IPv4; 0 for IPv6, whose later fragments may name another one (RFC 8200 §4.5).
    protocol: u8,
}

/// A datagram of which something has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incoming {
    pub(super) key: Key,
    /// Octets of the header that came with the first fragment, fragment header included; 0 before it has.
    header_len: usize,
    /// Octets of the first fragment.
    first_len: usize,
    /// Octets of all, once the last fragment has come; 0 before.
    total: usize,
    /// Octets that are there, and the end of the last of them.
    arrived: usize,
    highest: usize,
    /// A bit for each of the four ECN codes that a fragment had.
    ecn: u8,
    /// All of it came to one of our addresses alone.
    unicast: bool,
}

/// One fragment, as both families describe it.
struct Piece<'f> {
    key: Key,
    offset: usize,
    more: bool,
    data: &'f [u8],
    /// What stands before `data` in the packet.
    header: &'f [u8],
    ecn: u8,
    unicast: bool,
}

impl Piece<'_> {
    fn end(&self) -> usize {
        self.offset + self.data.len()
    }
}

/// Where a fragment has got its datagram.
enum Step {
    Waits,
    Complete,
}

impl Fragments<'_> {
    /// Adds a fragment to its datagram's place.
    fn add(&mut self, index: usize, piece: &Piece<'_>, stats: &mut Stats) -> Result<Step, DropReason> {
        if let Some(Content::Condemned(_, reason)) = self.places.get(index).map(|place| &place.content) {
            return Err(*reason);
        }
        if !self.make_room(index, piece.end(), stats) {
            return Err(self.condemn(index, DropReason::Fragment, stats));
        }
        let Some(place) = self.places.get_mut(index) else { return Err(DropReason::Fragment) };
        let Content::Incoming(datagram) = &mut place.content else { return Err(DropReason::Fragment) };
        let added = match datagram.contradicts(piece) {
            true => Added::Overlap,
            false => place.buffer.add(piece.offset, piece.data),
        };
        match added {
            Added::Duplicate => return Err(DropReason::FragmentDuplicate),
            Added::Overlap => return Err(self.condemn(index, DropReason::FragmentOverlap, stats)),
            Added::New => datagram.note(piece),
        }
        if piece.offset == 0 && !place.buffer.write_header(piece.header) {
            return Err(self.condemn(index, DropReason::ExtensionHeaders, stats));
        }
        Ok(if datagram.arrived == datagram.total { Step::Complete } else { Step::Waits })
    }

    /// Gives a datagram up, and whatever of it is still to come.
    fn condemn(&mut self, index: usize, reason: DropReason, stats: &mut Stats) -> DropReason {
        if let Some(place) = self.places.get_mut(index)
            && let Content::Incoming(datagram) = &place.content
        {
            stats.counters.add_ip(datagram.key.src.is_v4(), IpCount::ReasmFails, 1);
            place.content = Content::Condemned(datagram.key, reason);
            place.buffer.release();
        }
        reason
    }
}

impl<'a> Fragments<'a> {
    /// Takes a datagram out of its place, which stays taken.
    fn take(&mut self, index: usize) -> Option<(Incoming, BlockBuffer<'a>)> {
        let place = self.places.get_mut(index)?;
        let Content::Incoming(datagram) = place.content else { return None };
        place.content = Content::Delivered;
        Some((datagram, super::take_buffer(place)))
    }

    /// Gives a place the memory back that was taken from it, and frees it.
    pub(super) fn give_back(&mut self, index: usize, buffer: BlockBuffer<'a>) {
        if let Some(place) = self.places.get_mut(index) {
            place.buffer = buffer;
        }
        self.free(index);
    }

    /// Takes a datagram out whose time is over, and frees all other places whose time is.
    fn take_due(&mut self, now: Ticks, stats: &mut Stats) -> Option<(usize, Incoming, BlockBuffer<'a>)> {
        for index in 0..self.places.len() {
            let Some(place) = self.places.get(index).filter(|place| place.due_at.is_due(now)) else {
                continue;
            };
            match &place.content {
                Content::Incoming(_) => {
                    return self.take(index).map(|(datagram, buffer)| (index, datagram, buffer));
                }
                Content::Condemned(..) => self.free(index),
                Content::Outgoing(outgoing) => {
                    stats.on_drop(outgoing.reason_to_give_up());
                    stats.counters.add_ip(outgoing.is_v4(), IpCount::OutFragFails, 1);
                    self.free(index);
                }
                _ => {}
            }
        }
        None
    }
}

impl Incoming {
    fn new(key: Key) -> Incoming {
        let (header_len, first_len, total) = (0, 0, 0);
        Incoming { key, header_len, first_len, total, arrived: 0, highest: 0, ecn: 0, unicast: true }
    }

    /// Whether a fragment does not fit what is known of the end.
    fn contradicts(&self, piece: &Piece<'_>) -> bool {
        let end = piece.end();
        match (piece.more, self.total) {
            (true, 0) => false,
            (true, total) => end >= total,
            (false, 0) => end <= self.highest,
            (false, total) => end != total,
        }
    }

    fn note(&mut self, piece: &Piece<'_>) {
        self.arrived += piece.data.len();
        self.highest = self.highest.max(piece.end());
        self.ecn |= 1 << piece.ecn;
        self.unicast &= piece.unicast;
        if !piece.more {
            self.total = piece.end();
        }
        if piece.offset == 0 {
            self.first_len = piece.data.len();
            self.header_len = piece.header.len();
        }
    }

    /// Whether congestion was met on the way; `None` if the fragments contradict each other (RFC 3168 §5.3).
    fn congestion(&self) -> Option<bool> {
        const NOT_CAPABLE: u8 = 1;
        const EXPERIENCED: u8 = 1 << 3;
        match (self.ecn & EXPERIENCED != 0, self.ecn & NOT_CAPABLE != 0) {
            (true, true) => None,
            (experienced, _) => Some(experienced),
        }
    }

    /// Makes the first fragment's header that of the whole, and says how long it is.
    fn rebuild_header(&self, buffer: &mut BlockBuffer<'_>) -> Option<usize> {
        let congestion = self.congestion()?;
        if self.key.src.is_v4() {
            rebuild_v4(buffer.whole_mut(self.header_len, self.total), congestion)?;
            return Some(self.header_len);
        }
        rebuild_v6(buffer.whole_mut(self.header_len, 0), self.total, congestion)?;
        self.header_len.checked_sub(ipv6ext::FRAGMENT_HEADER_LEN)
    }
}

fn rebuild_v4(packet: &mut [u8], congestion: bool) -> Option<()> {
    let total_len = u16::try_from(packet.len()).ok()?;
    *packet.get_mut(1)? |= if congestion { 3 } else { 0 };
    packet.get_mut(6..8)?.fill(0);
    let mut packet = ipv4::Packet::new_unchecked(packet);
    packet.set_total_len(total_len);
    packet.fill_checksum();
    Some(())
}

/// RFC 8200 §4.5: the fragment header goes, what it names is named before it, the length is that of all.
fn rebuild_v6(header: &mut [u8], total: usize, congestion: bool) -> Option<()> {
    let kept_len = header.len().checked_sub(ipv6ext::FRAGMENT_HEADER_LEN)?;
    let payload_len = u16::try_from(kept_len.checked_sub(ipv6::HEADER_LEN)? + total).ok()?;
    let protocol = *header.get(kept_len)?;
    let (mut named_at, mut next_at) = (6, ipv6::HEADER_LEN);
    while *header.get(named_at)? != IpProtocol::IPV6_FRAGMENT.0 {
        named_at = next_at;
        next_at += (usize::from(*header.get(named_at + 1)?) + 1) * 8;
    }
    *header.get_mut(named_at)? = protocol;
    *header.get_mut(1)? |= if congestion { 0x30 } else { 0 };
    header.get_mut(4..6)?.copy_from_slice(&payload_len.to_be_bytes());
    header.copy_within(..kept_len, ipv6ext::FRAGMENT_HEADER_LEN);
    Some(())
}

impl Ingress<'_, '_, '_, '_, '_> {
    /// Takes a fragment of an IPv4 datagram.
    #[cfg(feature = "proto-ipv4")]
    #[inline(never)]
    pub(crate) fn fragment_v4(&mut self, received: &Received<'_>) -> Taken {
        let ipv4::Parts { header, payload, .. } = ipv4::Header::split(received.packet)?;
        let header_len = usize::from(header.header_len());
        let (offset, more) = (usize::from(header.fragment_offset()), header.more_fragments());
        // RFC 791 §3.1: all but the last have a multiple of 8 octets, and the whole at most 65,535.
        let too_long = header_len + offset + payload.len() > MAX_LEN;
        if too_long || (more && !payload.len().is_multiple_of(8)) {
            return self.refuse_fragment(received, DropReason::Malformed);
        }
        // RFC 1858 §3, RFC 3128: what a filter decides by stands in the first fragment, and in no other.
        let hides_header = match offset {
            0 => payload.len() < 20,
            _ => offset < 20,
        };
        if received.protocol == IpProtocol::TCP && hides_header {
            return self.refuse_fragment(received, DropReason::FragmentTiny);
        }
        let ident = header.ident().into();
        let key = Key { src: received.src, dst: received.dst, ident, protocol: received.protocol.0 };
        let timeout = self.links.iface.fragments.timeout_v4;
        let piece = Piece {
            key,
            offset,
            more,
            data: payload,
            header: received.packet.get(..header_len).unwrap_or_default(), // `split` has found it there
            ecn: header.traffic_class() & 3,
            unicast: received.unicast,
        };
        self.fragment(&piece, timeout, received)
    }

    /// Takes a fragment of an IPv6 datagram; the packet's payload is what follows the fragment header.
    #[cfg(feature = "proto-ipv6")]
    #[inline(never)]
    pub(crate) fn fragment_v6(&mut self, received: &Received<'_>, fragment: &ipv6ext::Fragment) -> Taken {
        let header_at = usize::from(received.next_header_at);
        let header_len = header_at + ipv6ext::FRAGMENT_HEADER_LEN;
        let offset = usize::from(fragment.offset);
        let kept_len = header_at.saturating_sub(ipv6::HEADER_LEN); // an IPv6 header precedes it
        if kept_len + offset + received.payload.len() > MAX_LEN {
            // RFC 8200 §4.5: points at the fragment offset.
            icmpv6::parameter_problem(self, received, 0, received.next_header_at + 2);
            return self.refuse_fragment(received, DropReason::Malformed);
        }
        // RFC 8200 §4.5, RFC 7112 §5: the first fragment has all headers.
        if offset == 0 && !ipv6ext::has_whole_chain(received.protocol, received.payload) {
            icmpv6::parameter_problem(self, received, 3, 0);
            return self.refuse_fragment(received, DropReason::FragmentTiny);
        }
        if header_len > HEADROOM {
            return self.refuse_fragment(received, DropReason::ExtensionHeaders);
        }
        let piece = Piece {
            key: Key { src: received.src, dst: received.dst, ident: fragment.ident, protocol: 0 },
            offset,
            more: fragment.more,
            data: received.payload,
            header: received.packet.get(..header_len).unwrap_or_default(), // the walk has found it there
            ecn: received.packet.get(1).map_or(0, |octet| octet >> 4 & 3),
            unicast: received.unicast,
        };
        self.fragment(&piece, config::IPV6_REASSEMBLY_TIMEOUT, received)
    }

    fn refuse_fragment(&mut self, received: &Received<'_>, reason: DropReason) -> Taken {
        self.links.iface.stats.counters.add_ip(received.dst.is_v4(), IpCount::ReasmReqds, 1);
        Err(reason)
    }

    fn fragment(&mut self, piece: &Piece<'_>, timeout: u32, received: &Received<'_>) -> Taken {
        let now = self.links.out.now;
        let Interface { fragments, stats, .. } = &mut *self.links.iface;
        stats.counters.add_ip(received.dst.is_v4(), IpCount::ReasmReqds, 1);
        if piece.data.is_empty() {
            return Err(DropReason::Malformed);
        }
        let index = match fragments.find(&piece.key) {
            Some(index) => index,
            None => {
                let index = fragments.claim(&piece.key.src, stats).ok_or(DropReason::Fragment)?;
                fragments.begin(index, Content::Incoming(Incoming::new(piece.key)), now.after(timeout));
                index
            }
        };
        match fragments.add(index, piece, stats)? {
            Step::Waits => Ok(()),
            Step::Complete => self.complete(index, received),
        }
    }

    /// Delivers a datagram from the memory that it was put together in.
    fn complete(&mut self, index: usize, received: &Received<'_>) -> Taken {
        let taken = self.links.iface.fragments.take(index);
        let Some((datagram, mut buffer)) = taken else { return Err(DropReason::Fragment) };
        let delivered = self.deliver_whole(&datagram, &mut buffer, received);
        self.links.iface.fragments.give_back(index, buffer);
        delivered
    }

    fn deliver_whole(
        &mut self,
        datagram: &Incoming,
        buffer: &mut BlockBuffer<'_>,
        received: &Received<'_>,
    ) -> Taken {
        let Some(header_len) = datagram.rebuild_header(buffer) else {
            self.links.iface.stats.counters.add_ip(received.dst.is_v4(), IpCount::ReasmFails, 1);
            return Err(DropReason::Malformed);
        };
        self.links.iface.stats.counters.add_ip(received.dst.is_v4(), IpCount::ReasmOks, 1);
        // What the device said of a fragment does not hold for the whole.
        self.meta.checksum_ok = false;
        self.meta.segment_len = 0;
        let packet = buffer.whole(header_len, datagram.total);
        let hop_limit_at = if received.dst.is_v4() { 8 } else { 7 };
        let mut whole = Received {
            hop_limit: packet.get(hop_limit_at).copied().unwrap_or_default(), // a header has one
            unicast: datagram.unicast,
            packet,
            payload: packet.get(header_len..).unwrap_or_default(), // it was written behind the header
            ..*received
        };
        if !received.dst.is_v4() {
            icmpv6::walk_whole(self, &mut whole).map_err(|reason| self.refuse(false, reason))?;
        }
        self.deliver(&whole)
    }
}

/// Gives up what has not come or gone by a port in time.
#[inline(never)]
pub(crate) fn expire(links: &mut Links<'_, '_, '_>, port: usize) {
    let now = links.out.now;
    while let Some((index, datagram, buffer)) = links
        .with_port(port, |iface, _| {
            let Interface { fragments, stats, .. } = iface;
            fragments.take_due(now, stats)
        })
        .flatten()
    {
        report(links, port, &datagram, &buffer);
        links.with_port(port, |iface, _| iface.fragments.give_back(index, buffer));
    }
}

/// Counts a datagram that was not completed, and tells its sender if the rules allow.
fn report(links: &mut Links<'_, '_, '_>, port: usize, datagram: &Incoming, buffer: &BlockBuffer<'_>) {
    let quote = buffer.whole(datagram.header_len, datagram.first_len);
    let Key { src, dst, .. } = datagram.key;
    let (message, protocol, max_len) = match src.is_v4() {
        true => (icmpv4::REASSEMBLY_TIMEOUT, datagram.key.protocol, icmpv4::MAX_ERROR_LEN),
        false => {
            let named_at = datagram.header_len.saturating_sub(ipv6ext::FRAGMENT_HEADER_LEN);
            let protocol = quote.get(named_at).copied().unwrap_or_default(); // nothing came: not sent
            (icmpv6::REASSEMBLY_TIMEOUT, protocol, icmpv6::MAX_ERROR_LEN)
        }
    };
    let first = quote.get(datagram.header_len..).unwrap_or_default(); // nothing came: not sent
    let about_error = match src.is_v4() {
        true => protocol == IpProtocol::ICMP.0 && icmpv4::is_error(first),
        // RFC 4443 §2.4 (e.1): an error behind further extension headers is one, too.
        false => ipv6ext::walk(IpProtocol(protocol), first)
            .map_or(true, |walk| walk.protocol == IpProtocol::ICMPV6 && icmpv6::is_error(walk.payload)),
    };
    // RFC 792, RFC 1122 §3.3.2, RFC 8200 §4.5: only if the first fragment has come.
    let may_answer = datagram.header_len > 0 && datagram.unicast && src.is_unicast() && !about_error;
    // RFC 1122 §3.2.2: nobody whose address became one for many while the fragments waited.
    let may_answer = may_answer && !links.any(|iface| iface.is_broadcast(&src));
    let now = links.out.now;
    let may_send = links.with_port(port, |iface, _| {
        iface.stats.counters.add_ip(src.is_v4(), IpCount::ReasmFails, 1);
        iface.stats.on_drop(DropReason::ReassemblyTimeout);
        may_answer && icmp::may_send_error(iface, now, src.is_v4())
    });
    if may_send == Some(true) {
        let quote = quote.get(..max_len - icmp::HEADER_LEN).unwrap_or(quote);
        let zone = if !src.is_v4() && src.is_link_local() { (port as u8).saturating_add(1) } else { 0 };
        icmp::send(links, dst, src, zone, &message, quote);
    }
}
