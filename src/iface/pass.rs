//! What is sent on to a neighbour: one hop older, straight from the frame that it came in into the device's memory.
//!
//! Packets larger than the link carries are cut where their sender allows it (`fragments`), and those that the device
//! has put together always (`coalesced`).

use super::coalesced::Coalesced;
use super::forward::Obstacle;
use super::fragments::{CutError, cut_v4};
use super::interface::Interface;
use super::links::Out;
use super::neighbor::Resolution;
use super::output::{EGRESS, tag_of, write_ethernet};
use crate::config;
use crate::phy::{RxMeta, TxMeta};
use crate::stats::{DropReason, IpCount};
use crate::storage::Class;
use crate::wire::{Addr, checksum, ipv4, partial};

impl Interface<'_> {
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

    /// Sends a packet that the device put together from several as those that it was.
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
        self.stats.counters.add_ip(is_v4, IpCount::OutForwDatagrams, whole.count());
        for index in 0..whole.count() {
            self.pass_whole(out, is_v4, whole.len_of(index), next_hop, &mut |ip| {
                whole.write(index, ip);
                take_hop(ip);
                partial::complete(ip);
            });
        }
        Ok(whole.count())
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
        let (source, tags, is_ethernet) = (self.hardware, self.tags, self.is_ethernet());
        let mut write = |frame: &mut [u8]| {
            let mut ip = frame;
            if is_ethernet {
                let Some(rest) = write_ethernet(ip, &source, &hardware, tags, is_v4) else { return };
                ip = rest;
            }
            fill(ip);
        };
        let ip_len = len;
        let len = self.link_header_len() + len;
        let (tag, quota, full) = match resolution {
            Resolution::Known if out.slot.send(len, TxMeta::default(), &mut write) => {
                self.stats.on_packet_sent(is_v4, ip_len);
                return true;
            }
            Resolution::Known => (EGRESS, self.egress_quota(Class::Data), DropReason::DeviceBusy),
            Resolution::Pending(index) => (tag_of(index), config::NEIGHBOR_QUEUE_LEN, DropReason::QueueFull),
            #[cfg(feature = "iface-loopback")]
            Resolution::Own => return self.drop_output(DropReason::NotForwarded),
            Resolution::Full => return self.fail_to_pass(DropReason::NeighborUnreachable),
        };
        if self.packets.push(tag, len, quota, Class::Data, &mut write).is_err() {
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
        let old = u16::from_be_bytes([header[8], header[9]]);
        header[8] = header[8].wrapping_sub(1);
        let checksum = checksum::update_word([header[10], header[11]], old, old.wrapping_sub(0x100));
        [header[10], header[11]] = checksum;
    } else if let Some(hop_limit) = ip.get_mut(7) {
        *hop_limit = hop_limit.wrapping_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
