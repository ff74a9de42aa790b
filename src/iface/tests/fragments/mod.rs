//! Datagrams in fragments, seen from the wire.

mod flood;
#[cfg(feature = "iface-path-mtu")]
mod path;
mod reassembly;
mod reports;
mod sending;

use super::net::*;
use crate::iface::SocketHandle;
use crate::socket::udp;
use crate::wire::checksum::{pseudo_header, sum};
use crate::wire::{Addr, ipv4, ipv6ext};

/// Which family a test speaks; most are run with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

const BOTH: [Family; 2] = [Family::V4, Family::V6];

impl Family {
    /// What SNMP reads of the family's packets.
    fn mib(self, net: &Net) -> crate::stats::IpMib {
        let mib = net.iface.mib();
        if self == Family::V4 { mib.ipv4 } else { mib.ipv6 }
    }

    /// The protocol's number of ICMP.
    fn icmp(self) -> u8 {
        if self == Family::V4 { 1 } else { 58 }
    }

    /// From where the payload of a packet without options or extension headers begins.
    fn header_len(self) -> usize {
        if self == Family::V4 { 20 } else { 40 }
    }

    /// The peer that ends in `last`, and us.
    fn addrs(self, last: u8) -> (Addr, Addr) {
        match self {
            Family::V4 => (Addr::v4([10, 0, 0, last]), Addr::v4(OUR_IP)),
            Family::V6 => (Addr::v6(ula(last)), Addr::v6(ula(1))),
        }
    }

    /// A piece of a datagram from the peer that ends in `last` to us.
    fn piece_from(self, last: u8, protocol: u8, ident: u16, at: usize, more: bool, data: &[u8]) -> Vec<u8> {
        match self {
            Family::V4 => {
                let mut packet = ipv4([10, 0, 0, last], OUR_IP, protocol, data);
                packet[4..6].copy_from_slice(&ident.to_be_bytes());
                let flags = if more { 0x2000 } else { 0 } | (at / 8) as u16;
                packet[6..8].copy_from_slice(&flags.to_be_bytes());
                let mut packet = ipv4::Packet::new_unchecked(packet);
                packet.fill_checksum();
                packet.into_inner()
            }
            Family::V6 => {
                let [a, b] = (at as u16 | u16::from(more)).to_be_bytes();
                let [c, d] = ident.to_be_bytes();
                let header = [protocol, 0, a, b, 0, 0, c, d];
                ipv6(ula(last), ula(1), 44, 64, &[&header[..], data].concat())
            }
        }
    }

    fn piece(self, ident: u16, at: usize, more: bool, data: &[u8]) -> Vec<u8> {
        self.piece_from(2, 17, ident, at, more, data)
    }

    /// A datagram cut at these places, the last piece included.
    fn cut(self, ident: u16, datagram: &[u8], places: &[usize]) -> Vec<Vec<u8>> {
        let starts = std::iter::once(0).chain(places.iter().copied());
        let ends = places.iter().copied().chain([datagram.len()]);
        let piece = |(start, end)| self.piece(ident, start, end < datagram.len(), &datagram[start..end]);
        starts.zip(ends).map(piece).collect()
    }

    /// A UDP datagram from the peer that ends in `last`.
    fn udp_from(self, last: u8, port: u16, data: &[u8]) -> Vec<u8> {
        let (src, dst) = self.addrs(last);
        let len = (8 + data.len()) as u16;
        let ports = [4_000_u16.to_be_bytes(), port.to_be_bytes()].concat();
        let mut datagram = [&ports[..], &len.to_be_bytes(), &[0, 0], data].concat();
        let pseudo = pseudo_header(&src, &dst, 17, len.into());
        let checksum = pseudo.add(sum(&datagram)).finish_udp();
        datagram[6..8].copy_from_slice(&checksum);
        datagram
    }

    fn udp(self, port: u16, data: &[u8]) -> Vec<u8> {
        self.udp_from(2, port, data)
    }

    fn echo_request(self, data: &[u8]) -> Vec<u8> {
        let kind = if self == Family::V4 { 8 } else { 128 };
        let mut message = [&[kind, 0, 0, 0, 0x12, 0x34, 0, 1], data].concat();
        let (src, dst) = self.addrs(2);
        let pseudo = match self {
            Family::V4 => crate::wire::checksum::Sum::ZERO,
            Family::V6 => pseudo_header(&src, &dst, 58, message.len() as u32),
        };
        let checksum = pseudo.add(sum(&message)).finish();
        message[2..4].copy_from_slice(&checksum);
        message
    }

    /// Puts together what we sent in fragments, whose headers are checked, and gives number and payload.
    fn join(self, packets: &[Vec<u8>]) -> (u32, Vec<u8>) {
        let mut whole = Vec::new();
        let mut idents = Vec::new();
        for (count, packet) in packets.iter().enumerate() {
            assert!(packet.len() <= 1_500);
            let (ident, offset, more, payload) = match self {
                Family::V4 => {
                    let parts = ipv4::Header::split(packet).unwrap();
                    let header = parts.header;
                    let (offset, more) = (header.fragment_offset(), header.more_fragments());
                    (header.ident().into(), offset, more, parts.payload)
                }
                Family::V6 => {
                    assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len() - 40);
                    let walk = ipv6ext::walk(packet[6].into(), &packet[40..]).unwrap();
                    let fragment = walk.fragment.unwrap();
                    (fragment.ident, fragment.offset, fragment.more, walk.payload)
                }
            };
            assert_eq!(usize::from(offset), whole.len());
            assert_eq!(more, count + 1 < packets.len());
            whole.extend(payload);
            idents.push(ident);
        }
        assert!(idents.iter().all(|ident| *ident == idents[0]));
        (idents[0], whole)
    }
}

fn octets(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 256) as u8).collect()
}

/// A socket with room for large datagrams.
fn bound(net: &mut Net, port: u16) -> SocketHandle {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 140_000]);
    let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
    net.sockets.bind(handle, port).unwrap();
    handle
}

/// What a socket has received.
fn received(net: &mut Net, handle: SocketHandle) -> Vec<Vec<u8>> {
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    std::iter::from_fn(|| socket.recv().ok().map(|(data, _)| data.to_vec())).collect()
}

/// Puts frames in, all in one poll, and gives what comes out.
fn exchange_all(net: &mut Net, frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    net.wire.to_stack.extend(frames);
    net.poll();
    net.sent()
}
