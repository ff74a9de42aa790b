//! UDP-Lite sockets.

use super::net::*;
use super::udp::bound;
use crate::iface::SocketHandle;
use crate::socket::udp::{self, BindError, CoverageError, PacketBuffer, PacketMetadata};
use crate::stats::DropReason;
use crate::wire::checksum::{pseudo_header, sum};
use crate::wire::{Addr, IpAddress, IpEndpoint};

const PEER: IpEndpoint = IpEndpoint::new(IpAddress::v4(10, 0, 0, 2), 53);

fn lite(net: &mut Net, port: u16) -> SocketHandle {
    let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 4], vec![0; 400]);
    let handle = net.sockets.add(udp::Socket::new_lite(buffer(), buffer()));
    net.sockets.bind(handle, port).unwrap();
    handle
}

/// A datagram to port 7 whose checksum covers what the header says, or `covered` octets.
fn datagram(coverage: u16, covered: usize, data: &[u8]) -> Vec<u8> {
    let header = [&[0, 53, 0, 7][..], &coverage.to_be_bytes(), &[0, 0]].concat();
    let mut datagram = [&header[..], data].concat();
    let pseudo = pseudo_header(&Addr::v4(PEER_IP), &Addr::v4(OUR_IP), 136, datagram.len() as u32);
    let checksum = pseudo.add(sum(&datagram[..covered])).finish_udp();
    datagram[6..8].copy_from_slice(&checksum);
    ipv4(PEER_IP, OUR_IP, 136, &datagram)
}

fn received(net: &mut Net, handle: SocketHandle) -> Option<Vec<u8>> {
    net.sockets.get_mut::<udp::Socket>(handle).recv().ok().map(|(data, _)| data.to_vec())
}

/// Covers: RFC 3828 §3.1
#[test]
fn what_is_not_covered_may_be_damaged_and_what_is_may_not() {
    let mut net = Net::ip();
    let handle = lite(&mut net, 7);
    let mut damaged = datagram(12, 12, b"headpayload");
    *damaged.last_mut().unwrap() ^= 0xff;
    net.exchange(damaged);
    assert!(received(&mut net, handle).is_some_and(|data| data.starts_with(b"headpayloa")));
    let mut damaged = datagram(12, 12, b"headpayload");
    damaged[28] ^= 1;
    net.exchange(damaged);
    let mut damaged = datagram(0, 19, b"headpayload");
    *damaged.last_mut().unwrap() ^= 1;
    net.exchange(damaged);
    assert_eq!(net.iface.stats().drops(DropReason::Checksum), 2);
    // The coverage may be neither within the header nor beyond the datagram, and a checksum has to be there.
    net.exchange(datagram(7, 7, b"headpayload"));
    net.exchange(datagram(20, 19, b"headpayload"));
    assert_eq!(net.iface.stats().drops(DropReason::Malformed), 2);
    let mut without = datagram(0, 19, b"headpayload");
    without[26..28].fill(0);
    net.exchange(without);
    assert_eq!(net.iface.stats().drops(DropReason::Checksum), 3);
    assert_eq!(received(&mut net, handle), None);
}

/// Covers: RFC 3828 §3.2
#[test]
fn a_receiver_says_how_much_has_to_be_covered() {
    let mut net = Net::ip();
    let handle = lite(&mut net, 7);
    net.sockets.get_mut::<udp::Socket>(handle).set_recv_coverage(16).unwrap();
    net.exchange(datagram(15, 15, b"headpayload"));
    assert_eq!(net.iface.stats().drops(DropReason::Uncovered), 1);
    for (coverage, covered) in [(16, 16), (19, 19), (0, 19)] {
        net.exchange(datagram(coverage, covered, b"headpayload"));
        assert!(received(&mut net, handle).is_some(), "{coverage}");
    }
    // Covered whole is enough, however short.
    net.exchange(datagram(0, 9, b"x"));
    assert!(received(&mut net, handle).is_some());
}

/// Covers: RFC 3828 §3.1, RFC 3828 §3.2
#[test]
fn a_sender_says_how_much_is_covered() {
    let mut net = Net::ip();
    let handle = lite(&mut net, 7);
    let peer6 = IpEndpoint::new(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2), 53);
    for (coverage, expected) in [(0, 0), (8, 8), (12, 12), (19, 0), (500, 0)] {
        for peer in [PEER, peer6] {
            let socket = net.sockets.get_mut::<udp::Socket>(handle);
            socket.set_send_coverage(coverage).unwrap();
            socket.send_slice(b"headpayload", peer).unwrap();
            net.poll();
            let packet = net.sent().remove(0);
            let (src, dst, protocol, payload) = if packet[0] >> 4 == 4 {
                (Addr::v4(OUR_IP), Addr::v4(PEER_IP), packet[9], &packet[20..])
            } else {
                (Addr::v6(ula(1)), Addr::v6(ula(2)), packet[6], &packet[40..])
            };
            assert_eq!((protocol, u16::from_be_bytes([payload[4], payload[5]])), (136, expected));
            let covered = if expected == 0 { payload.len() } else { usize::from(expected) };
            let pseudo = pseudo_header(&src, &dst, 136, payload.len() as u32);
            assert!(pseudo.add(sum(&payload[..covered])).is_valid(), "{coverage}");
            assert!(payload.ends_with(b"headpayload"));
        }
    }
}

#[test]
fn its_ports_are_not_those_of_udp() {
    let mut net = Net::ip();
    let (lite_socket, plain) = (lite(&mut net, 7), bound(&mut net, 7));
    let other = net
        .sockets
        .add(udp::Socket::new_lite(PacketBuffer::new(vec![], vec![]), PacketBuffer::new(vec![], vec![])));
    assert_eq!(net.sockets.bind(other, 7), Err(BindError::PortInUse));
    net.exchange(datagram(0, 12, b"lite"));
    net.exchange(udp4((PEER_IP, 53), (OUR_IP, 7), b"plain"));
    assert_eq!(received(&mut net, lite_socket), Some(b"lite".to_vec()));
    assert_eq!(received(&mut net, plain), Some(b"plain".to_vec()));
    net.sockets.remove(lite_socket);
    assert_eq!(net.exchange(datagram(0, 12, b"lite"))[0][20..22], [3, 3]);
    let plain = net.sockets.get_mut::<udp::Socket>(plain);
    assert_eq!(plain.set_send_coverage(8), Err(CoverageError));
    assert!(!plain.is_lite());
}

#[test]
fn a_connected_one_hears_of_errors() {
    let mut net = Net::ip();
    let handle = lite(&mut net, 7);
    net.sockets.get_mut::<udp::Socket>(handle).connect(PEER).unwrap();
    net.poll();
    let quoted = ipv4(OUR_IP, PEER_IP, 136, &[0, 7, 0, 53, 0, 8, 1, 1]);
    net.exchange(icmp4(PEER_IP, OUR_IP, [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted].concat()));
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    assert!(socket.take_icmp_error().is_some());
    assert_eq!(socket.set_recv_coverage(7), Err(CoverageError));
    net.exchange(datagram(0, 12, b"lite"));
    assert!(received(&mut net, handle).is_some(), "it comes from the remote end");
}

/// Covers: RFC 3828 §3.1
#[test]
fn no_checksum_is_zero() {
    let mut net = Net::ip();
    let handle = lite(&mut net, 7);
    let mut checksum = |data: [u8; 2]| {
        net.sockets.get_mut::<udp::Socket>(handle).send_slice(&data, PEER).unwrap();
        net.poll();
        let packet = net.sent().remove(0);
        [packet[26], packet[27]]
    };
    // What is added to the sum makes it all ones.
    let added = checksum([0; 2]);
    assert_eq!(checksum(added), [0xff; 2]);
}
