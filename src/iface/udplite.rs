//! UDP-Lite in the engine (RFC 3828, feature `socket-udplite`): what differs from UDP.

use super::ingress::{Ingress, Received, Taken};
use super::links::Links;
use super::output::{Fill, Packet, Sent, TrafficClass};
use super::udp::{Datagram, Way};
use super::unusual::Unusual;
use crate::socket::Room;
use crate::socket::udp::{Peer, Socket};
use crate::stats::{Count, DropReason};
use crate::wire::IpProtocol;
use crate::wire::checksum::{Sum, pseudo_header, sum, sum_header};
use crate::wire::udplite::{HEADER_LEN, Header};

impl Ingress<'_, '_, '_, '_, '_> {
    #[inline(never)]
    pub(crate) fn udplite(&mut self, received: &Received<'_>) -> Taken {
        self.links.iface.stats.counters.add(Count::UdpLiteIn, 1);
        let (header, data) = Header::split(received.payload)?;
        let len = received.payload.len();
        let pseudo = pseudo_header(&received.src, &received.dst, IpProtocol::UDP_LITE.0, len as u32);
        if !header.is_checksum_valid(data, pseudo) {
            return Err(DropReason::Checksum);
        }
        let coverage = Some(header.coverage()).filter(|&octets| octets != 0 && usize::from(octets) < len);
        let (src_port, dst_port) = (header.src_port(), header.dst_port());
        let datagram = Datagram { protocol: IpProtocol::UDP_LITE, src_port, dst_port, coverage, data };
        self.datagram(received, &datagram)
    }
}

/// Sends a datagram as its socket wants it covered; `false` if its port has no room for it.
#[inline(never)]
pub(super) fn send(
    links: &mut Links<'_, '_, '_>,
    way: &mut Way,
    socket: &Socket<'_>,
    peer: &Peer,
    data: &[u8],
) -> bool {
    let len = HEADER_LEN + data.len();
    let coverage = socket.coverage_of(len);
    let packet = Packet {
        src: way.src,
        dst: peer.remote,
        protocol: IpProtocol::UDP_LITE,
        hop_limit: peer.meta.hop_limit(socket.hop_limit()),
        traffic_class: TrafficClass::new(peer.meta.traffic_class()),
        len,
        unusual: Unusual::default(),
        segment_len: 0,
        room: Room::NONE,
    };
    let ([a, b], [c, d]) = (socket.bound_to().1.to_be_bytes(), peer.remote_port.to_be_bytes());
    let [e, f] = coverage.to_be_bytes();
    let header = [a, b, c, d, e, f, 0, 0];
    let covered =
        usize::from(coverage).checked_sub(HEADER_LEN).and_then(|len| data.get(..len)).unwrap_or(data);
    let mut fill = |out: &mut [u8], _sum: bool| {
        let Some((place, rest)) = out.split_first_chunk_mut() else { return Sum::ZERO };
        *place = header;
        rest.copy_from_slice(data);
        sum_header(&header).add(sum(covered))
    };
    let fill: &mut Fill<'_> = &mut fill;
    let sent = links.with_port(way.route.port, |iface, out| {
        let sent = way.send(iface, out, &packet, fill);
        if !matches!(sent, Sent::NoRoom | Sent::Never) {
            iface.stats.counters.add(Count::UdpLiteOut, 1);
        }
        sent
    });
    sent != Some(Sent::NoRoom)
}
