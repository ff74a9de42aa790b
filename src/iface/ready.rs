//! Packets that are made already, header included, on their way out: those of raw sockets, and reports of groups.

use super::handler::Hooks;
use super::interface::Interface;
use super::links::Out;
use super::neighbor::Resolution;
use super::output::{EGRESS, HELD, Sent, tag_of};
use crate::config;
use crate::phy::TxMeta;
use crate::stats::{DropReason, IpCount};
use crate::storage::{Class, PacketPool};
use crate::wire::Addr;

impl Interface<'_> {
    /// Sends an IP packet of `len` octets that `fill` writes with its header. One whose neighbour is not known
    /// yet waits for it.
    pub(crate) fn send_ready(
        &mut self,
        out: &mut Out<'_>,
        is_v4: bool,
        len: usize,
        next_hop: &Addr,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Sent {
        if !self.link.up {
            return self.never(is_v4, DropReason::LinkDown);
        }
        let mut hardware = [0; 6];
        let resolution = self.hardware_of(next_hop, out.now, &mut hardware);
        let mut write = self.frame_writer(&hardware, is_v4, fill);
        let (ip_len, len) = (len, self.link_header_len() + len);
        let (tag, quota, sent) = match resolution {
            Resolution::Full => return self.never(is_v4, DropReason::NeighborUnreachable),
            Resolution::Known if out.hooks.watches_output() => {
                if !self.flush_queue(out.slot) {
                    return Sent::NoRoom;
                }
                (EGRESS, usize::MAX, Sent::Yes)
            }
            Resolution::Known if out.slot.send(len, TxMeta::default(), &mut write) => {
                self.stats.on_packet_sent(is_v4, ip_len);
                self.note_if_many(&hardware, next_hop, true, ip_len);
                return Sent::Yes;
            }
            Resolution::Known => return Sent::NoRoom,
            #[cfg(feature = "iface-loopback")]
            Resolution::Own => (super::loopback::LOOPED, self.egress_quota(Class::Data), Sent::Yes),
            Resolution::Pending(index) => {
                let quota = if config::HAS_QUEUE { config::NEIGHBOR_QUEUE_LEN } else { 0 };
                (tag_of(index), quota, Sent::Unresolved(index))
            }
        };
        if !self.queue_ready(&mut out.hooks, tag, quota, len, is_v4, &mut write) {
            return Sent::Never;
        }
        if tag == EGRESS {
            // If there is no room for it, it is the only one that waits.
            self.flush_queue(out.slot);
        }
        sent
    }

    /// Keeps a frame in the pool, if the handler, which is asked if it wants to be, lets it out.
    fn queue_ready(
        &mut self,
        hooks: &mut Hooks<'_>,
        tag: u32,
        quota: usize,
        len: usize,
        is_v4: bool,
        write: &mut dyn FnMut(&mut [u8]),
    ) -> bool {
        let mut packets = core::mem::replace(&mut self.packets, PacketPool::new(&mut [][..], &mut [][..], 0));
        let is_watched = hooks.watches_output();
        let (held, before) = if is_watched { (HELD, packets.count(tag)) } else { (tag, 0) };
        let quota = quota.saturating_sub(before); // none is left: it is refused
        let is_kept = packets.push(held, len, quota, Class::Data, write).is_ok();
        let is_let_out = is_kept && (!is_watched || self.is_let_out(hooks, &mut packets, tag));
        self.packets = packets;
        if !is_kept {
            return self.drop_packet(is_v4, DropReason::QueueFull);
        }
        self.stats.counters.add_ip(is_v4, IpCount::Queued, 1);
        if !is_let_out {
            self.stats.counters.add_ip(is_v4, IpCount::OutLost, 1);
            self.drop_output(DropReason::Filtered);
        }
        is_let_out
    }
}
