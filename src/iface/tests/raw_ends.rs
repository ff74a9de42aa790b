//! Raw sockets that are bound or connected, headers that the stack makes, and checksums over IPv6.

use super::net::*;
use crate::iface::SocketHandle;
use crate::phy::Medium;
use crate::socket::raw::{self, Metadata, PacketBuffer, PacketMetadata};
use crate::stats::DropReason;
use crate::wire::{IpAddress, IpCidr, IpProtocol, IpVersion};

const OTHER_IP: [u8; 4] = [10, 0, 0, 7];

fn socket(net: &mut Net, version: IpVersion, protocol: u8, room: usize) -> SocketHandle {
    let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 4], vec![0; room]);
    let handle = net.sockets.add(raw::Socket::new(version, IpProtocol(protocol), buffer(), buffer()));
    net.poll();
    handle
}

fn raw(net: &mut Net, handle: SocketHandle) -> &mut raw::Socket<'static> {
    net.sockets.get_mut::<raw::Socket>(handle)
}

fn hears(net: &mut Net, handle: SocketHandle, packet: Vec<u8>) -> bool {
    net.exchange(packet);
    raw(net, handle).recv().is_ok()
}

#[test]
fn a_bound_socket_hears_of_its_address_and_a_connected_one_from_its_peer() {
    let mut net = Net::ip();
    net.iface.add_address(IpCidr::new(IpAddress::Ipv4(OTHER_IP.into()), 24)).unwrap();
    let handle = socket(&mut net, IpVersion::Ipv4, 89, 400);
    let any = IpAddress::v4(0, 0, 0, 0);
    let (own, peer) = (IpAddress::Ipv4(OUR_IP.into()), IpAddress::Ipv4(PEER_IP.into()));
    // From the peer, from another, to our other address.
    let packets = || {
        [(PEER_IP, OUR_IP), ([10, 0, 0, 3], OUR_IP), (PEER_IP, OTHER_IP)]
            .map(|(src, dst)| ipv4(src, dst, 89, b"x"))
    };
    for (local, remote, expected) in [
        (any, any, [true, true, true]),
        (own, any, [true, true, false]),
        (any, peer, [true, false, true]),
        (own, peer, [true, false, false]),
        (any, any, [true, true, true]),
    ] {
        raw(&mut net, handle).bind(local).unwrap();
        raw(&mut net, handle).connect(remote).unwrap();
        assert_eq!(packets().map(|packet| hears(&mut net, handle, packet)), expected, "{local} {remote}");
    }
    // Nobody else speaks the protocol: what is not for the socket is refused as if it were not there.
    raw(&mut net, handle).bind(own).unwrap();
    assert_eq!(net.exchange(ipv4(PEER_IP, OTHER_IP, 89, b"x"))[0][20..22], [3, 2]);
}

#[test]
fn a_payload_goes_behind_a_header_of_ours_from_the_address_that_is_bound() {
    let mut net = Net::ip();
    net.iface.add_address(IpCidr::new(IpAddress::Ipv4(OTHER_IP.into()), 24)).unwrap();
    let handle = socket(&mut net, IpVersion::Ipv4, 89, 400);
    for (local, src) in [(IpAddress::v4(0, 0, 0, 0), OUR_IP), (IpAddress::Ipv4(OTHER_IP.into()), OTHER_IP)] {
        raw(&mut net, handle).bind(local).unwrap();
        let to = Some(IpAddress::Ipv4(PEER_IP.into()));
        raw(&mut net, handle).send_payload(5, to, Metadata::default()).unwrap().copy_from_slice(b"hello");
        net.poll();
        let [packet] = &net.sent()[..] else { panic!("one packet") };
        assert!(crate::wire::checksum::sum(&packet[..20]).is_valid());
        assert_eq!((&packet[..4], &packet[8..10]), (&[0x45, 0, 0, 25][..], &[64, 89][..]));
        assert_eq!(
            (&packet[12..16], &packet[16..20], &packet[20..]),
            (&src[..], &PEER_IP[..], &b"hello"[..])
        );
    }
    let v6 = socket(&mut net, IpVersion::Ipv6, 89, 400);
    raw(&mut net, v6).connect(IpAddress::Ipv6(ula(2).into())).unwrap();
    raw(&mut net, v6).set_hop_limit(Some(3));
    raw(&mut net, v6).send_payload(3, None, Metadata::default()).unwrap().copy_from_slice(b"six");
    net.poll();
    assert_eq!(net.sent(), [ipv6(ula(1), ula(2), 89, 3, b"six")]);
}

/// Covers: RFC 3542 §3.1
#[test]
fn the_checksum_of_icmpv6_is_always_made_and_that_of_others_where_it_is_asked_for() {
    let mut net = Net::ip();
    let icmp = socket(&mut net, IpVersion::Ipv6, 58, 400);
    let to = Some(IpAddress::Ipv6(ula(2).into()));
    let request = [128, 0, 0xbb, 0xbb, 0, 7, 0, 1];
    raw(&mut net, icmp).send_payload(8, to, Metadata::default()).unwrap().copy_from_slice(&request);
    net.poll();
    assert_eq!(net.sent(), [icmp6(ula(1), ula(2), 64, vec![128, 0, 0, 0, 0, 7, 0, 1])]);

    let ospf = socket(&mut net, IpVersion::Ipv6, 89, 400);
    let send = |net: &mut Net, len: usize| {
        raw(net, ospf).send_payload(len, to, Metadata::default()).unwrap().fill(7);
        net.poll();
        net.sent()
    };
    assert_eq!(send(&mut net, 6), [ipv6(ula(1), ula(2), 89, 64, &[7; 6])], "as it is");
    raw(&mut net, ospf).set_checksum_offset(Some(4)).unwrap();
    let sent = send(&mut net, 6);
    assert_checksums(&sent[0]);
    assert_eq!(sent[0][40..44], [7; 4]);
    // Too short to have one.
    assert_eq!((send(&mut net, 5).len(), net.iface.stats().drops(DropReason::Malformed)), (0, 1));
    assert_eq!(send(&mut net, 6).len(), 1, "the next goes on");

    // What comes.
    assert!(hears(&mut net, ospf, [&ipv6(ula(2), ula(1), 89, 64, &sent[0][40..])[..]].concat()));
    let mut wrong = sent[0][40..].to_vec();
    wrong[0] ^= 1;
    assert!(!hears(&mut net, ospf, ipv6(ula(2), ula(1), 89, 64, &wrong)));
    assert!(!hears(&mut net, ospf, ipv6(ula(2), ula(1), 89, 64, &[7; 5])));
    assert_eq!(net.iface.stats().drops(DropReason::Checksum), 2);
    raw(&mut net, ospf).set_checksum_offset(None).unwrap();
    assert!(hears(&mut net, ospf, ipv6(ula(2), ula(1), 89, 64, &wrong)));
}

/// Covers: RFC 3542 §3.1
#[test]
#[cfg(feature = "iface-fragments")]
fn the_checksum_of_a_packet_that_is_cut_covers_the_whole() {
    let mut net = Net::new(Medium::Ip);
    let ospf = socket(&mut net, IpVersion::Ipv6, 89, 4_000);
    raw(&mut net, ospf).set_checksum_offset(Some(0)).unwrap();
    let to = Some(IpAddress::Ipv6(ula(2).into()));
    let room = raw(&mut net, ospf).send_payload(3_000, to, Metadata::default()).unwrap();
    room.iter_mut().enumerate().for_each(|(at, octet)| *octet = at as u8);
    net.poll();
    let fragments = net.sent();
    assert_eq!(fragments.len(), 3);
    let payload = fragments.iter().flat_map(|fragment| &fragment[48..]).copied().collect::<Vec<_>>();
    assert_eq!(payload.len(), 3_000);
    assert_checksums(&ipv6(ula(1), ula(2), 89, 64, &payload));
    assert!(payload[2..].iter().enumerate().all(|(at, octet)| *octet == (at + 2) as u8));
}
