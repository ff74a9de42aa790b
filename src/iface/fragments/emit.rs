//! Datagrams that are larger than the link or the path carries, cut by who sends them (RFC 791 §3.2, RFC 8200 §4.5 and §5).
//!
//! As many fragments go at once, from the sender's memory, as the device has room for. The rest is kept in a
//! place of [`Fragments`] and goes on with each poll. A datagram that could not be kept is not begun: its
//! socket waits as for a device without room. What has not left in time is given up, and counted.

use super::{Content, Fragments};
use crate::config;
use crate::iface::Interface;
use crate::iface::handler::Hooks;
use crate::iface::links::Out;
use crate::iface::neighbor::{Hardware, Resolution};
use crate::iface::output::{Packet, Sent, checksum_of, ip_len_of, write_ethernet, write_ip};
use crate::phy::{TxChecksum, TxMeta};
use crate::stats::{DropReason, IpCount};
use crate::time::Ticks;
use crate::wire::checksum::{self, Sum};
use crate::wire::{Addr, IpProtocol, ipv4, ipv6, ipv6ext};

/// Octets of a header that UDP and ICMP have.
const DATAGRAM_HEADER_LEN: usize = 8;
/// The longest IPv4 packet, and the most that can follow an IPv6 header.
const MAX_LEN: usize = 65_535;

/// A datagram of which some fragments have still to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing {
    packet: Packet,
    next_hop: Addr,
    ident: u32,
    /// Octets that have gone.
    offset: usize,
    /// It was the device that had no room; otherwise the neighbour is being asked for.
    pub(super) waits_for_device: bool,
}

impl Outgoing {
    pub(super) fn is_v4(&self) -> bool {
        self.packet.dst.is_v4()
    }

    pub(super) fn reason_to_give_up(&self) -> DropReason {
        if self.waits_for_device { DropReason::DeviceBusy } else { DropReason::NeighborUnreachable }
    }
}

/// Copies octets of a datagram, from an offset on.
type Read<'r> = dyn Fn(usize, &mut [u8]) + 'r;

impl Fragments<'_> {
    /// Whether a datagram that is on its way out could be kept.
    pub(super) fn can_keep(&self) -> bool {
        let gives = |content: &Content| !content.is_ours() && !matches!(content, Content::Delivered);
        let outgoing = self.places.iter().filter(|place| place.content.is_ours()).count();
        outgoing < self.places.len().div_ceil(2) && self.places.iter().any(|place| gives(&place.content))
    }

    /// Whether the handler lets out the packet in a place, with these octets of header and payload.
    pub(super) fn is_let_out(
        &self,
        hooks: &mut Hooks<'_>,
        index: usize,
        [header_len, len]: [usize; 2],
    ) -> bool {
        let packet = self.places.get(index).map(|place| place.buffer.whole(header_len, len));
        !hooks.watches_output() || hooks.lets_out(packet.unwrap_or_default())
    }

    /// The oldest datagram on its way out that began at or after the number `from`.
    fn outgoing(&self, from: u32) -> Option<(usize, Outgoing)> {
        let places = self.places.iter().enumerate();
        let waiting = places.filter_map(|(index, place)| match place.content {
            Content::Outgoing(outgoing) => Some((place.serial.wrapping_sub(from), index, outgoing)),
            _ => None,
        });
        let later = waiting.filter(|(distance, ..)| *distance < u32::MAX / 2);
        later.min_by_key(|(distance, ..)| *distance).map(|(_, index, outgoing)| (index, outgoing))
    }
}

impl Interface<'_> {
    /// Whether a packet is larger than its way takes.
    #[inline]
    pub(crate) fn must_cut(&self, packet: &Packet, next_hop: &Addr, now: Ticks) -> bool {
        let len = ip_len_of(packet);
        len > self.whole_len && len > self.largest_whole(&packet.dst, next_hop, now)
    }

    /// Octets of the largest packet that goes to `dst` in one piece.
    #[inline(never)]
    pub(crate) fn largest_whole(&self, dst: &Addr, next_hop: &Addr, now: Ticks) -> usize {
        if self.is_looped(next_hop) {
            return self.largest_looped();
        }
        self.paths.mtu_to(dst, now).map_or(self.ip_mtu(), |mtu| mtu.min(self.ip_mtu()))
    }

    /// Sends a datagram in fragments: `header`, whose checksum is zero yet, and `data`.
    ///
    /// [`Sent::Yes`] if all has gone or what has not is kept; [`Sent::NoRoom`] if nothing was begun.
    #[inline(never)]
    pub(crate) fn send_cut(
        &mut self,
        out: &mut Out<'_>,
        packet: &Packet,
        next_hop: &Addr,
        header: [u8; DATAGRAM_HEADER_LEN],
        data: &[u8],
    ) -> Sent {
        let limit = if packet.dst.is_v4() { MAX_LEN - ipv4::HEADER_LEN } else { MAX_LEN };
        if packet.len > limit || self.fragments.places.is_empty() {
            return self.fail_to_cut(packet.dst.is_v4(), DropReason::TooBig);
        }
        if self.is_looped(next_hop) {
            return self.keep_own(out, packet, header, data);
        }
        if !self.link.up {
            return self.fail_to_cut(packet.dst.is_v4(), DropReason::LinkDown);
        }
        if self.fragment_room(&packet.dst, next_hop, out.now) == 0 {
            return self.fail_to_cut(packet.dst.is_v4(), DropReason::TooBig);
        }
        if !self.fragments.can_keep() {
            return Sent::NoRoom;
        }
        let mut hardware = [0; 6];
        let resolution = self.hardware_of(next_hop, out.now, &mut hardware);
        match resolution {
            Resolution::Known | Resolution::Pending(_) => {}
            // Ours are kept above.
            _ => return self.fail_to_cut(packet.dst.is_v4(), DropReason::NeighborUnreachable),
        }
        self.stats.counters.add_ip(packet.dst.is_v4(), IpCount::OutFragReqds, 1);
        let header = with_checksum(packet, header, data);
        let read = |offset: usize, out: &mut [u8]| {
            let copied = match (offset, out.split_first_chunk_mut()) {
                (0, Some((place, rest))) => {
                    *place = header;
                    data.get(..rest.len()).map(|data| rest.copy_from_slice(data))
                }
                _ => {
                    let rest = data.get(offset.saturating_sub(DATAGRAM_HEADER_LEN)..); // none is shorter
                    rest.and_then(|rest| rest.get(..out.len())).map(|data| out.copy_from_slice(data))
                }
            };
            debug_assert!(copied.is_some(), "the datagram ends early");
        };
        let ident = self.datagram_ident(&packet.src, &packet.dst, packet.protocol);
        let waits_for_device = resolution == Resolution::Known;
        let mut outgoing =
            Outgoing { packet: *packet, next_hop: *next_hop, ident, offset: 0, waits_for_device };
        if out.hooks.watches_output() {
            return self.send_watched_whole(out, &outgoing, header, data);
        }
        if waits_for_device && self.send_pieces(out, &mut outgoing, &hardware, &read) {
            return Sent::Yes;
        }
        self.keep(out, &outgoing, header, data)
    }

    /// Keeps a datagram, and sends it from there if the handler, which sees it whole, lets it out.
    #[inline(never)]
    fn send_watched_whole(
        &mut self,
        out: &mut Out<'_>,
        outgoing: &Outgoing,
        header: [u8; DATAGRAM_HEADER_LEN],
        data: &[u8],
    ) -> Sent {
        let serial = self.fragments.begun;
        let sent = self.keep(out, outgoing, header, data);
        let Some((index, _)) = self.fragments.outgoing(serial).filter(|_| sent == Sent::Yes) else {
            return sent;
        };
        let (header_len, packet) = (ip_header_len(&outgoing.packet.dst), &outgoing.packet);
        if let Some(place) = self.fragments.places.get_mut(index) {
            write_ip(place.buffer.whole_mut(header_len, packet.len), packet, outgoing.ident as u16, true);
        }
        if !self.fragments.is_let_out(&mut out.hooks, index, [header_len, packet.len]) {
            self.fragments.free(index);
            self.stats.counters.add_ip(outgoing.packet.dst.is_v4(), IpCount::OutFragFails, 1);
            self.drop_output(DropReason::Filtered);
            return Sent::Never;
        }
        self.send_rest(out);
        Sent::Yes
    }

    fn fail_to_cut(&mut self, is_v4: bool, reason: DropReason) -> Sent {
        self.stats.counters.add_ip(is_v4, IpCount::OutFragReqds, 1);
        self.stats.counters.add_ip(is_v4, IpCount::OutFragFails, 1);
        self.drop_output(reason);
        Sent::Never
    }

    /// Keeps what has not gone yet.
    fn keep(
        &mut self,
        out: &mut Out<'_>,
        outgoing: &Outgoing,
        header: [u8; DATAGRAM_HEADER_LEN],
        data: &[u8],
    ) -> Sent {
        let Interface { fragments, stats, .. } = self;
        let due_at = out.now.after(config::FRAGMENTING_TIMEOUT);
        let (content, len) = (Content::Outgoing(*outgoing), outgoing.packet.len);
        let held = fragments.hold(content, len, due_at, stats, &mut |buffer| {
            buffer.write(0, &header);
            buffer.write(DATAGRAM_HEADER_LEN, data);
        });
        if held.is_some() {
            return Sent::Yes;
        }
        self.stats.counters.add_ip(outgoing.packet.dst.is_v4(), IpCount::OutFragFails, 1);
        self.drop_output(outgoing.reason_to_give_up());
        Sent::Never
    }

    /// Goes on with the datagrams that had no room, and says whether all have as much as they need.
    #[inline(never)]
    pub(crate) fn send_rest(&mut self, out: &mut Out<'_>) -> bool {
        // Whatever is on its way out is one of the last that have begun.
        let mut from = self.fragments.begun.wrapping_sub(u32::MAX / 4);
        while let Some((index, mut outgoing)) = self.fragments.outgoing(from) {
            from = super::place_serial(&self.fragments.places, index).wrapping_add(1);
            let mut hardware = [0; 6];
            let resolution = self.hardware_of(&outgoing.next_hop, out.now, &mut hardware);
            if resolution == Resolution::Full {
                // Nobody would say when there is an entry for the neighbour, which was forgotten meanwhile.
                for _ in 0..self.abandon(&outgoing.next_hop) {
                    self.drop_output(DropReason::NeighborUnreachable);
                }
                continue;
            }
            outgoing.waits_for_device = resolution == Resolution::Known;
            let buffer = self.fragments.places.get_mut(index).map(super::take_buffer);
            let buffer = buffer.unwrap_or(crate::storage::BlockBuffer::empty()); // `outgoing` has found it
            let read = |offset: usize, out: &mut [u8]| {
                let piece = buffer.read(offset, out.len());
                debug_assert_eq!(piece.len(), out.len());
                out.iter_mut().zip(piece).for_each(|(place, octet)| *place = *octet);
            };
            let gone = outgoing.waits_for_device && self.send_pieces(out, &mut outgoing, &hardware, &read);
            if let Some(place) = self.fragments.places.get_mut(index) {
                place.buffer = buffer;
                place.content = Content::Outgoing(outgoing);
            }
            if gone {
                self.fragments.free(index);
            } else if outgoing.waits_for_device {
                return false;
            }
        }
        true
    }

    /// The neighbour at `next_hop` has answered: what waited for it waits for the device, which `poll_at` knows of.
    pub(crate) fn resume(&mut self, next_hop: &Addr) {
        if self.fragments.is_idle() {
            return;
        }
        for place in self.fragments.places.iter_mut() {
            if let Content::Outgoing(outgoing) = &mut place.content
                && outgoing.next_hop == *next_hop
            {
                outgoing.waits_for_device = true;
            }
        }
    }

    /// The neighbour at `next_hop` does not answer, or can't be asked for: lets go of the datagrams that wait for it, whose
    /// drops the caller counts, and says how many they are. Else the next poll would ask for it once more.
    #[inline(never)]
    pub(crate) fn abandon(&mut self, next_hop: &Addr) -> usize {
        let mut count = 0;
        for index in 0..self.fragments.places.len() {
            let content = self.fragments.places.get(index).map(|place| &place.content);
            if let Some(Content::Outgoing(outgoing)) = content
                && outgoing.next_hop == *next_hop
            {
                let is_v4 = outgoing.packet.dst.is_v4();
                self.fragments.free(index);
                self.stats.counters.add_ip(is_v4, IpCount::OutFragFails, 1);
                count += 1;
            }
        }
        count
    }

    /// Octets of a datagram that a fragment has room for.
    fn fragment_room(&self, dst: &Addr, next_hop: &Addr, now: Ticks) -> usize {
        self.largest_whole(dst, next_hop, now).saturating_sub(fragment_header_len(dst)) & !7 // none: refused
    }

    /// Sends fragments until there is no room or none is left, and says which.
    fn send_pieces(
        &mut self,
        out: &mut Out<'_>,
        outgoing: &mut Outgoing,
        hardware: &Hardware,
        read: &Read<'_>,
    ) -> bool {
        let room = self.fragment_room(&outgoing.packet.dst, &outgoing.next_hop, out.now);
        let (link_len, ip_len) = (self.link_header_len(), fragment_header_len(&outgoing.packet.dst));
        let is_v4 = outgoing.packet.dst.is_v4();
        while outgoing.offset < outgoing.packet.len {
            let len = room.min(outgoing.packet.len - outgoing.offset);
            let sent = out.slot.send(link_len + ip_len + len, TxMeta::default(), &mut |frame| {
                if let Some(payload) = self.write_fragment_headers(frame, outgoing, hardware, len) {
                    read(outgoing.offset, payload);
                }
            });
            if !sent {
                return false;
            }
            outgoing.offset += len;
            self.stats.on_packet_sent(is_v4, ip_len + len);
            self.note_if_many(hardware, &outgoing.packet.dst, true, ip_len + len);
            self.stats.counters.add_ip(is_v4, IpCount::OutFragCreates, 1);
        }
        self.stats.counters.add_ip(is_v4, IpCount::OutFragOks, 1);
        true
    }

    fn write_fragment_headers<'f>(
        &self,
        frame: &'f mut [u8],
        outgoing: &Outgoing,
        hardware: &Hardware,
        len: usize,
    ) -> Option<&'f mut [u8]> {
        let Outgoing { packet, ident, offset, .. } = outgoing;
        let mut ip = frame;
        if self.is_ethernet() {
            ip = write_ethernet(ip, &self.hardware, hardware, self.tags, packet.dst.is_v4())?;
        }
        let more = offset + len < packet.len;
        let (offset, hop_limit) = (*offset as u16, packet.hop_limit); // below the length, which 16 bits hold
        if let (Some(src), Some(dst)) = (packet.src.as_v4(), packet.dst.as_v4()) {
            let (header, payload) = ip.split_first_chunk_mut()?;
            let mut repr = ipv4::Repr::new(src.into(), dst.into(), packet.protocol, len as u16, hop_limit);
            repr.traffic_class = packet.traffic_class.octet();
            repr.dont_fragment = false;
            repr.more_fragments = more;
            repr.fragment_offset = offset;
            repr.ident = *ident as u16;
            repr.emit_header(header, !self.offloads(TxChecksum::IPV4));
            return Some(payload);
        }
        let (&src, &dst) = (packet.src.as_v6()?, packet.dst.as_v6()?);
        let (header, rest) = ip.split_first_chunk_mut()?;
        let payload_len = (ipv6ext::FRAGMENT_HEADER_LEN + len) as u16;
        let next = IpProtocol::IPV6_FRAGMENT;
        let mut repr = ipv6::Repr::new(src.into(), dst.into(), next, payload_len, hop_limit);
        repr.traffic_class = packet.traffic_class.octet();
        repr.emit_header(header);
        let (header, payload) = rest.split_first_chunk_mut()?;
        let fragment = ipv6ext::Fragment { ident: *ident, offset, more };
        ipv6ext::emit_fragment(header, packet.protocol, &fragment);
        Some(payload)
    }
}

pub(super) fn ip_header_len(dst: &Addr) -> usize {
    if dst.is_v4() { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN }
}

fn fragment_header_len(dst: &Addr) -> usize {
    ip_header_len(dst) + if dst.is_v4() { 0 } else { ipv6ext::FRAGMENT_HEADER_LEN }
}

/// Sums the whole datagram: no device sums what is cut.
pub(super) fn with_checksum(
    packet: &Packet,
    mut header: [u8; DATAGRAM_HEADER_LEN],
    data: &[u8],
) -> [u8; DATAGRAM_HEADER_LEN] {
    if packet.unusual.is_unsummed() {
        return header;
    }
    let pseudo = match packet.protocol {
        IpProtocol::ICMP => Sum::ZERO,
        protocol => checksum::pseudo_header(&packet.src, &packet.dst, protocol.0, packet.len as u32),
    };
    let sum = pseudo.add(checksum::sum_header(&header)).add(checksum::sum(data));
    let value = if packet.protocol == IpProtocol::UDP { sum.finish_udp() } else { sum.finish() };
    let (at, _) = checksum_of(packet.protocol);
    if let Some(place) = header.get_mut(at..at + 2) {
        place.copy_from_slice(&value);
    }
    header
}
