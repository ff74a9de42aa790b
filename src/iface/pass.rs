//! What is sent on to a neighbour: one hop older, straight from the frame that it came in into the device's memory.
//!
//! Packets larger than the link carries are cut where their sender allows it (`fragments`). Those that the device has put
//! together stay so where the next one cuts them itself, and else are cut here (`coalesced`); checksums that are still open
//! are left to it, too.

use super::coalesced::Coalesced;
use super::forward::Obstacle;
use super::fragments::{CutError, cut_v4};
use super::ingress::Received;
use super::interface::Interface;
use super::links::Out;
use super::neighbor::{Hardware, Resolution};
use super::output::{EGRESS, checksum_of, tag_of, write_ethernet};
use crate::config;
use crate::phy::{RxMeta, TxMeta, TxSlot};
use crate::stats::{DropReason, IpCount};
use crate::storage::Class;
use crate::time::Ticks;
use crate::wire::partial::{self, Open};
use crate::wire::{Addr, ethernet, ipv4};

impl Interface<'_> {
    /// Sends a received packet on if it is as most are: whole, not too large, and for the same known neighbour as
    /// the one before. `false`, and nothing done, if [`pass_on`](Self::pass_on) has to look at it.
    #[inline(always)]
    pub(super) fn pass_at_once(
        &mut self,
        slot: &mut impl TxSlot,
        now: Ticks,
        meta: &RxMeta,
        received: &Received<'_>,
        next_hop: &Addr,
    ) -> bool {
        let (packet, is_v4) = (received.packet, received.dst.is_v4());
        let is_plain = meta.segment_len == 0 && !meta.checksum_partial;
        if !is_plain || !self.link.up || packet.len() > self.ip_mtu() {
            return false;
        }
        // On bare IP nobody is known.
        let Some(hardware) = self.neighbors.lookup_last(next_hop, now) else { return false };
        self.stats.counters.add_ip(is_v4, IpCount::OutForwDatagrams, 1);
        let len = ethernet::HEADER_LEN + self.tags.len() + packet.len();
        let sent = slot.send(len, TxMeta::default(), &mut |frame| {
            if let Some(ip) = write_ethernet(frame, &self.hardware, &hardware, self.tags, is_v4) {
                ip.copy_from_slice(packet);
                take_hop(ip);
            }
        });
        if sent {
            self.stats.on_packet_sent(is_v4, packet.len());
        } else {
            self.pass_whole_later(&hardware, is_v4, packet);
        }
        true
    }

    /// Lets a packet wait that the device has no room for.
    #[inline(never)]
    fn pass_whole_later(&mut self, hardware: &Hardware, is_v4: bool, packet: &[u8]) {
        let is_kept = self.pass_later(Resolution::Known, hardware, is_v4, packet.len(), &mut |ip| {
            ip.copy_from_slice(packet);
            take_hop(ip);
        });
        if !is_kept {
            self.stats.counters.add_ip(is_v4, IpCount::OutDiscards, 1);
        }
    }

    /// Sends a received packet on to a neighbour and says how many it was, or what stands in its way. What can't be
    /// sent for want of room is counted here.
    pub(super) fn pass_on(
        &mut self,
        out: &mut Out<'_>,
        meta: &RxMeta,
        packet: &[u8],
        is_v4: bool,
        next_hop: &Addr,
    ) -> Result<usize, Obstacle> {
        if !self.link.up {
            // RFC 4293: a way was found, and the packet is lost on it.
            self.stats.counters.add_ip(is_v4, IpCount::OutForwDatagrams, 1);
            self.stats.counters.on_unsent(is_v4, DropReason::LinkDown);
            return Err(Obstacle::Unreachable);
        }
        if meta.segment_len > 0 {
            return self.cut(out, meta, packet, is_v4, next_hop);
        }
        self.stats.counters.add_ip(is_v4, IpCount::OutForwDatagrams, 1);
        let is_partial = meta.checksum_partial;
        if packet.len() > self.ip_mtu() {
            self.stats.counters.add_ip(is_v4, IpCount::OutFragReqds, 1);
            if is_v4 && !is_partial && self.pass_in_fragments(out, packet, next_hop) {
                return Ok(1);
            }
            return Err(self.too_big(is_v4));
        }
        if is_partial && self.pass_open(out, packet, 0, is_v4, next_hop) {
            self.stats.on_packet_sent(is_v4, packet.len());
            return Ok(1);
        }
        self.pass_whole(out, is_v4, packet.len(), next_hop, &mut |ip| {
            ip.copy_from_slice(packet);
            take_hop(ip);
            if is_partial {
                partial::complete(ip);
            }
        });
        Ok(1)
    }

    /// Sends an IPv4 packet that is larger than the link carries in fragments, and says whether it may be cut.
    /// If room ends, what is left is dropped, and counted as each packet without room is.
    #[inline(never)]
    fn pass_in_fragments(&mut self, out: &mut Out<'_>, packet: &[u8], next_hop: &Addr) -> bool {
        let mtu = self.ip_mtu();
        let hop_limit = packet.get(8).map_or(0, |hops| hops.saturating_sub(1)); // it was found to be above 1
        let cut =
            cut_v4(packet, mtu, hop_limit, &mut |len, write| self.pass(out, true, len, next_hop, write));
        let (made, count) = match cut {
            Ok(made) => (made, IpCount::OutFragOks),
            Err(CutError::NoRoom { sent }) => (sent, IpCount::OutFragFails),
            Err(CutError::Refused) => return false,
        };
        self.stats.counters.add_ip(true, count, 1);
        self.stats.counters.add_ip(true, IpCount::OutFragCreates, made);
        true
    }

    /// A packet that is larger than the link carries may not be cut.
    fn too_big(&mut self, is_v4: bool) -> Obstacle {
        self.stats.counters.add_ip(is_v4, IpCount::OutFragFails, 1);
        Obstacle::TooBig(self.ip_mtu())
    }

    /// Sends a packet that the device put together from several, as it is or as those that it was.
    #[inline(never)]
    fn cut(
        &mut self,
        out: &mut Out<'_>,
        meta: &RxMeta,
        packet: &[u8],
        is_v4: bool,
        next_hop: &Addr,
    ) -> Result<usize, Obstacle> {
        let whole = Coalesced::new(packet, usize::from(meta.segment_len));
        let Some(whole) = whole.filter(|whole| whole.max_len() <= self.ip_mtu()) else {
            self.stats.counters.add_ip(is_v4, IpCount::OutForwDatagrams, 1);
            self.stats.counters.add_ip(is_v4, IpCount::OutFragReqds, 1);
            return Err(self.too_big(is_v4));
        };
        let count = whole.count();
        self.stats.counters.add_ip(is_v4, IpCount::OutForwDatagrams, count);
        let segment_len = if count > 1 { meta.segment_len } else { 0 };
        if !whole.has_cwr() && self.pass_open(out, packet, segment_len, is_v4, next_hop) {
            self.stats.counters.add_ip(is_v4, IpCount::OutTransmits, count);
            self.stats.counters.add_ip(is_v4, IpCount::OutOctets, whole.total_len());
            return Ok(count);
        }
        for index in 0..count {
            self.pass_whole(out, is_v4, whole.len_of(index), next_hop, &mut |ip| {
                whole.write(index, ip);
                take_hop(ip);
                partial::complete(ip);
            });
        }
        Ok(count)
    }

    /// Sends a packet with its checksum left to the device and, if it is several segments, the cutting. `false`, and
    /// nothing done, if the device can't do that, or does not take it now: what waits does so without metadata.
    fn pass_open(
        &mut self,
        out: &mut Out<'_>,
        packet: &[u8],
        segment_len: u16,
        is_v4: bool,
        next_hop: &Addr,
    ) -> bool {
        let Some(open) = Open::of(packet).filter(|open| self.offloads(checksum_of(open.protocol).1)) else {
            return false;
        };
        if segment_len > 0 && packet.len() > self.capabilities.max_segmentation_len {
            return false;
        }
        let mut hardware = [0; 6];
        if self.hardware_of(next_hop, out.now, &mut hardware) != Resolution::Known {
            return false;
        }
        let link_len = self.link_header_len();
        let meta = TxMeta {
            checksum_start: (link_len + open.start) as u16,
            checksum_offset: open.offset as u16,
            segment_len,
            ..TxMeta::default()
        };
        let fill = &mut |ip: &mut [u8]| {
            ip.copy_from_slice(packet);
            take_hop(ip);
            open.write(ip);
        };
        out.slot.send(link_len + packet.len(), meta, &mut self.frame_writer(&hardware, is_v4, fill))
    }

    /// The same as [`pass`](Self::pass) for what is no fragment made here.
    fn pass_whole(
        &mut self,
        out: &mut Out<'_>,
        is_v4: bool,
        len: usize,
        next_hop: &Addr,
        fill: &mut dyn FnMut(&mut [u8]),
    ) {
        if !self.pass(out, is_v4, len, next_hop, fill) {
            self.stats.counters.add_ip(is_v4, IpCount::OutDiscards, 1);
        }
    }

    /// Sends an IP packet of `len` octets that `fill` writes, or lets it wait: for its neighbour, or for
    /// room in the device.
    fn pass(
        &mut self,
        out: &mut Out<'_>,
        is_v4: bool,
        len: usize,
        next_hop: &Addr,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> bool {
        let mut hardware = [0; 6];
        let resolution = self.hardware_of(next_hop, out.now, &mut hardware);
        if resolution == Resolution::Known {
            let mut write = self.frame_writer(&hardware, is_v4, fill);
            let frame_len = self.link_header_len() + len;
            if out.slot.send(frame_len, TxMeta::default(), &mut write) {
                self.stats.on_packet_sent(is_v4, len);
                return true;
            }
        }
        self.pass_later(resolution, &hardware, is_v4, len, fill)
    }

    /// Lets an IP packet of `len` octets wait, if there is anything to wait for.
    #[inline(never)]
    fn pass_later(
        &mut self,
        resolution: Resolution,
        hardware: &Hardware,
        is_v4: bool,
        len: usize,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> bool {
        let (tag, quota, full) = match resolution {
            Resolution::Known => (EGRESS, self.egress_quota(Class::Data), DropReason::DeviceBusy),
            Resolution::Pending(index) => (tag_of(index), config::NEIGHBOR_QUEUE_LEN, DropReason::QueueFull),
            #[cfg(feature = "iface-loopback")]
            Resolution::Own => return self.drop_output(DropReason::NotForwarded),
            Resolution::Full => return self.fail_to_pass(DropReason::NeighborUnreachable),
        };
        let mut write = self.frame_writer(hardware, is_v4, fill);
        let frame_len = self.link_header_len() + len;
        if self.packets.push(tag, frame_len, quota, Class::Data, &mut write).is_err() {
            return self.fail_to_pass(full);
        }
        self.packets.mark_newest_passing();
        self.stats.counters.add_ip(is_v4, IpCount::Queued, 1);
        true
    }

    fn fail_to_pass(&mut self, reason: DropReason) -> bool {
        self.stats.counters.on_lost(reason, 1);
        self.drop_output(reason)
    }
}

/// Takes one from the hop limit, and keeps IPv4's header checksum right (RFC 1624).
#[inline]
fn take_hop(ip: &mut [u8]) {
    if let Some(header) = ip.first_chunk_mut::<{ ipv4::HEADER_LEN }>()
        && header[0] >> 4 == 4
    {
        header[8] = header[8].wrapping_sub(1);
        // Equation 3 for a word that is 0x100 less: the checksum is as much more, and a carry comes around.
        let sum = u32::from(u16::from_be_bytes([header[10], header[11]])) + 0x100;
        let checksum = if sum < 0xffff { sum } else { sum + 1 } as u16;
        [header[10], header[11]] = checksum.to_be_bytes();
    } else if let Some(hop_limit) = ip.get_mut(7) {
        *hop_limit = hop_limit.wrapping_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum;

    /// Covers: RFC 1624 §3
    #[test]
    fn a_hop_less_makes_of_each_checksum_what_equation_3_does() {
        for octets in (0..=u16::MAX).map(u16::to_be_bytes) {
            let mut ip = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, octets[0], octets[1], 10, 0, 0, 1, 10, 0, 0, 2];
            take_hop(&mut ip);
            assert_eq!(ip[10..12], checksum::update_word(octets, 0x4011, 0x3f11));
        }
    }

    #[test]
    #[cfg(feature = "proto-ipv4")]
    fn a_hop_is_taken_with_the_checksum_kept_right_at_every_hop_limit() {
        for hop_limit in 1..=255_u8 {
            for id in [0_u16, 1, 0xfffe, 0xffff] {
                let mut ip = [0x45, 0, 0, 20, 0, 0, 0, 0, hop_limit, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
                ip[4..6].copy_from_slice(&id.to_be_bytes());
                let checksum = checksum::sum(&ip).finish();
                ip[10..12].copy_from_slice(&checksum);
                take_hop(&mut ip);
                assert_eq!(ip[8], hop_limit - 1);
                assert!(checksum::sum(&ip).is_valid(), "{hop_limit} {id}");
            }
        }
    }
}
