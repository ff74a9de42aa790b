//! Packets that the application made, larger than the link or the path carries, cut by their source (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Nothing is kept here: the packet stays in its socket until its last fragment has gone, and the socket notes how far
//! it is. So one that finds no room goes on where it stopped, however large it is.

use super::cut::{Fragment, Whole};
use crate::iface::Interface;
use crate::iface::links::Out;
use crate::iface::neighbor::Resolution;
use crate::iface::output::{Sent, destination};
use crate::socket::raw::Cut;
use crate::stats::{DropReason, IpCount};
use crate::wire::ipv6ext::{self, FRAGMENT_HEADER_LEN};
use crate::wire::{Addr, IpProtocol, ipv4, ipv6};

/// What comes next of a packet.
enum Piece<'p> {
    V4(Fragment<'p>),
    V6(Fragment6<'p>),
}

impl Piece<'_> {
    fn len(&self) -> usize {
        match self {
            Piece::V4(fragment) => fragment.len(),
            Piece::V6(fragment) => fragment.heads.len() + FRAGMENT_HEADER_LEN + fragment.piece.len(),
        }
    }

    fn payload_len(&self) -> usize {
        match self {
            Piece::V4(fragment) => fragment.payload_len(),
            Piece::V6(fragment) => fragment.piece.len(),
        }
    }

    fn is_last(&self) -> bool {
        match self {
            Piece::V4(fragment) => fragment.is_last,
            Piece::V6(fragment) => !fragment.header.more,
        }
    }

    fn write(&self, out: &mut [u8]) {
        match self {
            Piece::V4(fragment) => fragment.write(out),
            Piece::V6(fragment) => fragment.write(out),
        }
    }
}

impl Interface<'_> {
    /// Sends as many fragments of a packet as there is room for, and notes in `cut` how far it is. Where the header
    /// has no source, it is `src`.
    ///
    /// [`Sent::NoRoom`] and [`Sent::Unresolved`] if there is more to go; otherwise it is done with.
    #[inline(never)]
    pub(crate) fn send_in_pieces(
        &mut self,
        out: &mut Out<'_>,
        src: &Addr,
        next_hop: &Addr,
        packet: &[u8],
        cut: &mut Option<Cut>,
    ) -> Sent {
        let is_v4 = src.is_v4();
        if self.is_looped(next_hop) {
            return self.keep_own_packet(out, src, packet);
        }
        let mut state = match *cut {
            Some(state) => state,
            None => {
                self.stats.counters.add_ip(is_v4, IpCount::OutFragReqds, 1);
                Cut { ident: self.ident_for(src, packet), gone: 0 }
            }
        };
        *cut = None;
        let mut hardware = [0; 6];
        let obstacle = match self.hardware_of(next_hop, out.now, &mut hardware) {
            _ if !self.link.up => Some(DropReason::LinkDown),
            Resolution::Known => None,
            Resolution::Pending(index) => {
                *cut = Some(state);
                return Sent::Unresolved(index);
            }
            // Ours are kept above.
            _ => Some(DropReason::NeighborUnreachable),
        };
        if let Some(reason) = obstacle {
            return self.lose_pieces(is_v4, reason);
        }
        let dst = destination(packet).unwrap_or(*src); // the route was found by it
        let mtu = self.largest_whole(&dst, next_hop, out.now);
        loop {
            let mut copied = [0; 40];
            let piece = match (src.as_v4(), src.as_v6()) {
                (Some(src), _) => next_v4(packet, src, state, mtu, &mut copied).map(Piece::V4),
                (_, Some(src)) => next_v6(packet, src, state, mtu).map(Piece::V6),
                _ => None,
            };
            let Some(piece) = piece else { return self.lose_pieces(is_v4, DropReason::TooBig) };
            match self.send_ready(out, is_v4, piece.len(), next_hop, &mut |place| piece.write(place)) {
                Sent::Yes => self.stats.counters.add_ip(is_v4, IpCount::OutFragCreates, 1),
                sent => {
                    *cut = Some(state);
                    return sent;
                }
            }
            if piece.is_last() {
                self.stats.counters.add_ip(is_v4, IpCount::OutFragOks, 1);
                return Sent::Yes;
            }
            state.gone = state.gone.saturating_add(piece.payload_len() as u16); // no packet is longer
        }
    }

    /// A packet of which fragments were still to go is given up.
    pub(crate) fn lose_pieces(&mut self, is_v4: bool, reason: DropReason) -> Sent {
        self.stats.counters.add_ip(is_v4, IpCount::OutFragFails, 1);
        self.drop_output(reason);
        Sent::Never
    }

    /// The number that a packet's fragments have in common: its own, if the application has given it one.
    fn ident_for(&mut self, src: &Addr, packet: &[u8]) -> u32 {
        if src.is_v4()
            && let Some(&[a, b]) = packet.get(4..6).and_then(|ident| ident.first_chunk())
            && [a, b] != [0; 2]
        {
            return u32::from(u16::from_be_bytes([a, b]));
        }
        let dst = destination(packet).unwrap_or(*src); // the route was found by it
        let protocol = packet.get(if src.is_v4() { 9 } else { 6 }).map_or(0, |protocol| *protocol);
        self.datagram_ident(src, &dst, IpProtocol(protocol))
    }
}

/// The fragment that is next; `None` if the packet may not be cut, or the link carries too little.
fn next_v4<'p>(
    packet: &'p [u8],
    src: [u8; 4],
    state: Cut,
    mtu: usize,
    copied: &'p mut [u8; 40],
) -> Option<Fragment<'p>> {
    let header_len = usize::from(packet.first()? & 0xf) * 4;
    let (header, payload) = packet.split_at_checked(header_len)?;
    let mut fixed = *header.first_chunk::<{ ipv4::HEADER_LEN }>()?;
    fixed[4..6].copy_from_slice(&(state.ident as u16).to_be_bytes());
    if fixed[12..16] == [0; 4] {
        fixed[12..16].copy_from_slice(&src);
    }
    let hop_limit = fixed[8];
    let options = header.get(ipv4::HEADER_LEN..)?;
    Whole::new(fixed, options, payload)?.fragment(usize::from(state.gone), mtu, hop_limit, copied)
}

/// A fragment of an IPv6 packet, in the pieces that it is made of.
struct Fragment6<'p> {
    /// The headers that every fragment has, and where the last of them names what follows.
    heads: &'p [u8],
    next_at: usize,
    src: &'p [u8; 16],
    header: ipv6ext::Fragment,
    piece: &'p [u8],
}

impl Fragment6<'_> {
    fn write(&self, out: &mut [u8]) {
        let payload_len = out.len().saturating_sub(ipv6::HEADER_LEN) as u16;
        let Some((heads, rest)) = out.split_at_mut_checked(self.heads.len()) else { return };
        let Some((header, piece)) = rest.split_first_chunk_mut() else { return };
        heads.copy_from_slice(self.heads);
        piece.copy_from_slice(self.piece);
        let Some(next) = heads.get_mut(self.next_at) else { return };
        let follows = core::mem::replace(next, IpProtocol::IPV6_FRAGMENT.0);
        ipv6ext::emit_fragment(header, IpProtocol(follows), &self.header);
        if let Some(fixed) = heads.first_chunk_mut::<{ ipv6::HEADER_LEN }>() {
            fixed[4..6].copy_from_slice(&payload_len.to_be_bytes());
            if fixed[8..24] == [0; 16] {
                fixed[8..24].copy_from_slice(self.src);
            }
        }
    }
}

/// The fragment that is next; `None` if the packet can't be cut, or the link carries too little.
fn next_v6<'p>(packet: &'p [u8], src: &'p [u8; 16], state: Cut, mtu: usize) -> Option<Fragment6<'p>> {
    let Chain { heads_len, next_at, len } = Chain::of(packet)?;
    let (heads, payload) = packet.split_at_checked(heads_len)?;
    let room = mtu.saturating_sub(heads_len + FRAGMENT_HEADER_LEN) & !7; // none: refused below
    // RFC 7112 §5: the first fragment has all headers, and what follows them is seen to begin.
    let rest = payload.get(usize::from(state.gone)..)?;
    let (piece, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
    if piece.is_empty() || len.saturating_sub(heads_len) + 8 > room {
        return None;
    }
    let header = ipv6ext::Fragment { ident: state.ident, offset: state.gone, more: !after.is_empty() };
    Some(Fragment6 { heads, next_at, src, header, piece })
}

/// The headers of an IPv6 packet, as RFC 8200 §4.5 divides them.
#[derive(Debug, PartialEq)]
struct Chain {
    /// Octets of those that routers on the way look at: up to the routing header, or the hop-by-hop options.
    heads_len: usize,
    /// Where the last of those names what follows.
    next_at: usize,
    /// Octets of all.
    len: usize,
}

impl Chain {
    /// `None` if a header is cut short, or it is a fragment already.
    fn of(packet: &[u8]) -> Option<Chain> {
        let mut chain = Chain { heads_len: ipv6::HEADER_LEN, next_at: 6, len: ipv6::HEADER_LEN };
        let mut next = IpProtocol(*packet.get(chain.next_at)?);
        loop {
            let is_head = matches!(next, IpProtocol::HOP_BY_HOP | IpProtocol::IPV6_ROUTE);
            match next {
                IpProtocol::IPV6_FRAGMENT => return None,
                IpProtocol::IPV6_OPTIONS => {}
                _ if is_head => {}
                _ => return Some(chain),
            }
            let at = chain.len;
            let (&follows, &units) = (packet.get(at)?, packet.get(at + 1)?);
            chain.len = at + (usize::from(units) + 1) * 8;
            if is_head {
                (chain.heads_len, chain.next_at) = (chain.len, at);
            }
            next = IpProtocol(follows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(next: u8, headers: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 40];
        packet[6] = next;
        packet.extend(headers);
        packet.extend([0; 8]);
        packet
    }

    /// Covers: RFC 8200 §4.5
    #[test]
    fn headers_for_routers_are_told_from_those_for_the_destination() {
        let head = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
        let chain = |heads_len, next_at, len| Some(Chain { heads_len, next_at, len });
        assert_eq!(Chain::of(&packet(17, &[])), chain(40, 6, 40));
        assert_eq!(Chain::of(&packet(0, &head(17))), chain(48, 40, 48));
        assert_eq!(Chain::of(&packet(60, &head(17))), chain(40, 6, 48), "for the destination alone");
        let routed = [head(60), head(43), head(60), head(17)].concat();
        assert_eq!(Chain::of(&packet(0, &routed)), chain(64, 56, 72), "before a routing header");
        assert_eq!(Chain::of(&packet(44, &head(17))), None);
        assert_eq!(Chain::of(&packet(60, &head(44))), None);
        assert_eq!(Chain::of(&packet(60, &[60, 200])), None, "cut short");
        assert_eq!(Chain::of(&[0x60; 6]), None);
    }

    /// Covers: RFC 8200 §4.5, RFC 7112 §5
    #[test]
    fn a_fragment_is_as_large_as_the_link_takes_and_has_more_than_headers() {
        let src = [0; 16];
        let len_at = |headers: &[u8], mtu| {
            let packet = [packet(if headers.is_empty() { 17 } else { 60 }, headers), vec![0; 1_400]].concat();
            next_v6(&packet, &src, Cut { ident: 1, gone: 0 }, mtu).map(|fragment| fragment.piece.len())
        };
        assert_eq!(len_at(&[], 1_280), Some(1_232));
        assert_eq!((len_at(&[], 55), len_at(&[], 56)), (None, Some(8)));
        let options = [17, 0, 1, 4, 0, 0, 0, 0];
        assert_eq!((len_at(&options, 63), len_at(&options, 64)), (None, Some(16)));
    }
}
