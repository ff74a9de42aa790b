//! Packets to ourselves: to an own address, to 127.0.0.0/8 or to `::1` (RFC 1122 §3.2.1.3 g, RFC 4291 §2.5.3), and copies of
//! what UDP sockets send to groups or to all.
//!
//! They never meet a device. They wait in the pool of the interface that the route names, at most half
//! of it, and are taken in after the sockets have sent, in the same poll. Datagrams larger than a cell of the pool wait in a
//! place for datagrams in fragments.

use super::engine::Progress;
use super::fragments;
use super::ingress::Ingress;
use super::interface::Interface;
use super::links::{Links, Out};
use super::output::{Fill, Packet, Sent, ip_len_of};
use super::socket_set::SocketSet;
use crate::config;
use crate::phy::RxMeta;
use crate::stats::DropReason;
use crate::storage::{Class, PacketPool};
use crate::wire::Addr;

/// Packets to ourselves, among those of the pool.
pub(crate) const LOOPED: u32 = u32::MAX;

impl Interface<'_> {
    /// Whether packets to this next hop stay here.
    #[inline(never)]
    pub(crate) fn is_looped(&self, next_hop: &Addr) -> bool {
        next_hop.is_loopback() || self.has_address(next_hop)
    }

    /// Whether a packet to ourselves waits to be taken in.
    pub(crate) fn has_looped(&self) -> bool {
        self.packets.peek(LOOPED).is_some() || self.fragments.own_count() > 0
    }

    /// Octets of the largest packet to ourselves that waits in the pool.
    pub(crate) fn largest_looped(&self) -> usize {
        room_for_looped(&self.packets, self.link_header_len()).min(self.ip_mtu())
    }

    /// Keeps a packet to ourselves until it is taken in.
    #[inline(never)]
    pub(crate) fn loop_back(&mut self, out: &mut Out<'_>, packet: &Packet, fill: &mut Fill<'_>) -> Sent {
        if ip_len_of(packet) > self.largest_looped() {
            self.drop_packet(packet.dst.is_v4(), DropReason::TooBig);
            return Sent::Never;
        }
        let quota = self.egress_quota(Class::Data);
        if self.packets.count(LOOPED) >= quota {
            return Sent::NoRoom;
        }
        let kept = self.queue(
            &mut out.hooks,
            LOOPED,
            quota,
            packet,
            &[0; 6],
            Class::Data,
            fill,
            DropReason::QueueFull,
        );
        if kept { Sent::Yes } else { Sent::Never }
    }
}

/// Octets of the largest packet to ourselves that the pool has cells for.
pub(crate) fn room_for_looped(packets: &PacketPool<'_>, link_header_len: usize) -> usize {
    packets.cell_len().min(config::WAITING_PACKET_LEN).saturating_sub(link_header_len) // no cells: nothing
}

/// Takes in what waits for ourselves at the current port.
#[inline(never)]
pub(crate) fn take(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>, progress: &mut Progress) {
    // The pool takes answers while the packet is handled, so it can't lend the packet.
    let mut buffer = [0; config::WAITING_PACKET_LEN];
    let link_len = links.iface.link_header_len();
    for _ in 0..links.iface.packets.count(LOOPED) {
        let mut len = 0;
        links.iface.packets.pop(LOOPED, &mut |frame| {
            let packet = frame.get(link_len..).unwrap_or_default();
            if let Some(place) = buffer.get_mut(..packet.len()) {
                place.copy_from_slice(packet);
                len = packet.len();
            }
        });
        let meta = RxMeta { checksum_ok: true, ..RxMeta::default() };
        let mut ingress = Ingress { links: &mut *links, sockets: &mut *sockets, meta, is_looped: true };
        ingress.looped(buffer.get(..len).unwrap_or_default());
        progress.frames += 1;
    }
    fragments::take_own(links, sockets, progress);
}
