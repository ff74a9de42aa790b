//! Datagrams to ourselves that are larger than a cell of the pool: each waits whole in a place of [`Fragments`], and is
//! taken in from there. Nothing is cut.

use super::emit::{ip_header_len, with_checksum};
use super::{Content, Fragments, take_buffer};
use crate::config;
use crate::iface::Interface;
use crate::iface::engine::Progress;
use crate::iface::ingress::Ingress;
use crate::iface::links::{Links, Out};
use crate::iface::output::{Packet, Sent, write_ip};
#[cfg(feature = "socket-raw")]
use crate::iface::raw_socket::complete;
use crate::iface::socket_set::SocketSet;
use crate::phy::RxMeta;
use crate::stats::{DropReason, IpCount};
use crate::storage::BlockBuffer;
#[cfg(feature = "socket-raw")]
use crate::wire::Addr;

/// Octets of a datagram to ourselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) header_len: usize,
    pub(super) payload_len: usize,
}

impl<'a> Fragments<'a> {
    /// How many datagrams to ourselves wait to be taken in.
    pub(crate) fn own_count(&self) -> usize {
        if self.is_idle() {
            return 0;
        }
        self.places.iter().filter(|place| matches!(place.content, Content::Own(_))).count()
    }

    /// Takes the oldest of them out of its place, which stays taken.
    fn take_own(&mut self) -> Option<(usize, Own, BlockBuffer<'a>)> {
        let index = self.oldest(|place| matches!(place.content, Content::Own(_)))?;
        let place = self.places.get_mut(index)?;
        let Content::Own(own) = place.content else { return None };
        place.content = Content::Delivered;
        Some((index, own, take_buffer(place)))
    }
}

impl Interface<'_> {
    /// Keeps a datagram of `header`, whose checksum is zero yet, and `data`, until it is taken in.
    ///
    /// [`Sent::NoRoom`] if too many wait for that.
    #[inline(never)]
    pub(super) fn keep_own(
        &mut self,
        out: &mut Out<'_>,
        packet: &Packet,
        header: [u8; 8],
        data: &[u8],
    ) -> Sent {
        let header = with_checksum(packet, header, data);
        let ident = self.idents.next();
        self.use_ident();
        let own = Own { header_len: ip_header_len(&packet.dst), payload_len: packet.len };
        let is_v4 = packet.dst.is_v4();
        self.hold_own(out, own, is_v4, &mut |whole| {
            let Some(payload) = write_ip(whole, packet, ident, true) else { return };
            let Some((place, rest)) = payload.split_first_chunk_mut() else { return };
            *place = header;
            rest.copy_from_slice(data);
        })
    }

    /// Keeps a packet to ourselves, whose header is said to be whole, until it is taken in.
    #[cfg(feature = "socket-raw")]
    pub(super) fn keep_own_packet(&mut self, out: &mut Out<'_>, src: &Addr, packet: &[u8]) -> Sent {
        let header_len = ip_header_len(src);
        let Some(payload_len) = packet.len().checked_sub(header_len) else {
            return self.never(src.is_v4(), DropReason::Malformed);
        };
        let ident = self.idents.next();
        self.use_ident();
        self.hold_own(out, Own { header_len, payload_len }, src.is_v4(), &mut |whole| {
            whole.copy_from_slice(packet);
            complete(whole, src, ident);
        })
    }

    /// Keeps a packet of ours that `write` writes with its header.
    fn hold_own(
        &mut self,
        out: &mut Out<'_>,
        own: Own,
        is_v4: bool,
        write: &mut dyn FnMut(&mut [u8]),
    ) -> Sent {
        let Own { header_len, payload_len } = own;
        if payload_len > self.fragments.largest_datagram() {
            return self.never(is_v4, DropReason::TooBig);
        }
        if !self.fragments.can_keep() {
            return Sent::NoRoom;
        }
        let Interface { fragments, stats, .. } = self;
        let due_at = out.now.after(config::FRAGMENTING_TIMEOUT);
        let held = fragments.hold(Content::Own(own), payload_len, due_at, stats, &mut |buffer| {
            write(buffer.whole_mut(header_len, payload_len));
        });
        let Some(index) = held else { return Sent::NoRoom };
        self.stats.counters.add_ip(is_v4, IpCount::Queued, 1);
        if self.fragments.is_let_out(&mut out.hooks, index, [header_len, payload_len]) {
            return Sent::Yes;
        }
        self.fragments.free(index);
        self.stats.counters.add_ip(is_v4, IpCount::OutLost, 1);
        self.drop_output(DropReason::Filtered);
        Sent::Never
    }
}

/// Takes in what waits for ourselves at the current port.
#[inline(never)]
pub(crate) fn take_own(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>, progress: &mut Progress) {
    for _ in 0..links.iface.fragments.own_count() {
        let Some((index, own, buffer)) = links.iface.fragments.take_own() else { return };
        let meta = RxMeta { checksum_ok: true, ..RxMeta::default() };
        let mut ingress = Ingress { links: &mut *links, sockets: &mut *sockets, meta, is_looped: true };
        ingress.looped(buffer.whole(own.header_len, own.payload_len));
        links.iface.fragments.give_back(index, buffer);
        progress.frames += 1;
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::time::Ticks;

    #[test]
    fn half_of_the_places_are_for_what_we_send() {
        let mut fragments = Fragments::growing(4, 1 << 16);
        for index in 0..2 {
            assert!(fragments.can_keep());
            fragments.begin(index, Content::Own(Own { header_len: 20, payload_len: 8 }), Ticks(0));
        }
        assert!(!fragments.can_keep());
        assert_eq!(fragments.own_count(), 2);
    }
}
