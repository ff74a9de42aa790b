//! What RFC 1122 asks of a host's internet layer and UDP, row by row (docs/rfc/1122.toml).

use super::net::*;
use super::udp::bound;
use crate::socket::udp;
use crate::stats::DropReason;
use crate::wire::checksum::sum;
use crate::wire::{IpAddress, Ipv4Address};

const ECHO: [u8; 8] = [8, 0, 0, 0, 0, 1, 0, 1];

fn echo_from(src: [u8; 4]) -> Vec<u8> {
    icmp4(src, OUR_IP, ECHO.to_vec())
}

/// A packet with one octet of its header changed, and the header's checksum right again.
fn with_octet(mut packet: Vec<u8>, at: usize, octet: u8) -> Vec<u8> {
    packet[at] = octet;
    packet[10..12].fill(0);
    let checksum = sum(&packet[..20]).finish();
    packet[10..12].copy_from_slice(&checksum);
    packet
}

/// Covers: RFC 1122 §3.2.1.1a
#[test]
fn another_version_is_dropped_in_silence() {
    for version in (0..16).filter(|version| *version != 4 && *version != 6) {
        let mut net = Net::ip();
        assert!(net.exchange(with_octet(echo_from(PEER_IP), 0, version << 4 | 5)).is_empty());
        assert_eq!(net.iface.stats().drops(DropReason::UnknownProtocol), 1, "{version}");
    }
}

/// Covers: RFC 1122 §3.2.1.2a
#[test]
fn a_wrong_header_checksum_is_dropped_in_silence() {
    let mut net = Net::ip();
    let mut packet = echo_from(PEER_IP);
    packet[11] ^= 1;
    assert!(net.exchange(packet).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::Checksum), 1);
}

/// Covers: RFC 1122 §3.2.1.3c, §3.2.2.2a
#[test]
fn what_goes_to_somebody_else_is_dropped_in_silence() {
    let mut net = Net::ip();
    assert!(net.exchange(icmp4(PEER_IP, [10, 0, 0, 3], ECHO.to_vec())).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::NotOurAddress), 1);
}

/// Covers: RFC 1122 §3.2.1.3d, §4.1.3.6a
#[test]
fn what_comes_from_no_host_is_dropped_in_silence() {
    let nobody = [[224, 0, 0, 1], [255; 4], [10, 0, 0, 255], [127, 0, 0, 1], OUR_IP];
    for src in nobody {
        let mut net = Net::ip();
        let handle = bound(&mut net, 7);
        assert!(net.exchange(echo_from(src)).is_empty(), "{src:?}");
        assert!(net.exchange(udp4((src, 9), (OUR_IP, 7), b"x")).is_empty(), "{src:?}");
        assert_eq!(net.iface.stats().drops(DropReason::BadSource), 2, "{src:?}");
        assert!(!net.sockets.get::<udp::Socket>(handle).can_recv());
    }
}

/// Covers: RFC 1122 §3.2.1.3a, §3.3.1.1a, §3.3.1.6a
#[test]
fn the_mask_says_who_is_on_the_link() {
    let mut net = Net::ethernet();
    let handle = bound(&mut net, 7);
    net.iface.add_default_ipv4_route(Ipv4Address::new(10, 0, 0, 254)).unwrap();
    for (to, asked) in [([10, 0, 0, 9], [10, 0, 0, 9]), ([10, 0, 1, 9], [10, 0, 0, 254])] {
        let to = IpAddress::from(Ipv4Address::from(to));
        net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", (to, 9)).unwrap();
        net.poll();
        let frames = net.sent();
        assert_eq!(frames[0][12..14], [8, 6]);
        assert_eq!(frames[0][38..42], asked);
    }
}

/// Covers: RFC 1122 §3.3.1.1a
#[test]
fn a_link_without_a_gateway_works() {
    let mut net = Net::ethernet();
    net.meet(PEER_IP);
    let answers = net.exchange(ethernet(0x800, &echo_from(PEER_IP)));
    assert_eq!(answers[0][..6], PEER_MAC);
}

/// Covers: RFC 1122 §3.2.1.7b
#[test]
fn what_is_for_us_is_taken_with_any_time_to_live() {
    for hop_limit in [0, 1, 255] {
        let mut net = Net::ip();
        assert_eq!(net.exchange(with_octet(echo_from(PEER_IP), 8, hop_limit)).len(), 1, "{hop_limit}");
    }
}

/// Covers: RFC 1122 §3.2.1.7a
#[test]
fn nothing_is_sent_with_a_time_to_live_of_zero() {
    for (wanted, sent) in [(Some(0), 1), (Some(9), 9), (None, crate::config::DEFAULT_HOP_LIMIT)] {
        let mut net = Net::ip();
        let handle = bound(&mut net, 7);
        let socket = net.sockets.get_mut::<udp::Socket>(handle);
        socket.set_hop_limit(wanted);
        socket.send_slice(b"x", (IpAddress::v4(10, 0, 0, 2), 9)).unwrap();
        net.poll();
        assert_eq!(net.sent()[0][8], sent);
    }
}

/// Covers: RFC 1122 §3.2.2a, §3.2.2.7a, §3.2.2.9a
#[test]
fn icmp_that_means_nothing_to_a_host_is_dropped_in_silence() {
    // Source quench, information, address mask, and what nobody has defined.
    for kind in [4, 15, 16, 17, 18, 2, 44, 255] {
        let mut net = Net::ip();
        let message = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &[0; 28]].concat();
        assert!(net.exchange(icmp4(PEER_IP, OUR_IP, message)).is_empty(), "{kind}");
    }
}

/// Covers: RFC 1122 §3.2.2e, §3.2.1.3b
#[test]
fn an_error_comes_from_us_with_a_type_of_service_of_zero() {
    let mut net = Net::ip();
    let request = with_octet(udp4((PEER_IP, 9), (OUR_IP, 9), b""), 1, 0xb8);
    let answers = net.exchange(request);
    assert_eq!(answers[0][1], 0);
    assert_eq!(answers[0][12..16], OUR_IP);
}

/// Covers: RFC 1122 §4.1.3.4a
#[test]
fn a_datagram_with_a_wrong_checksum_is_dropped_and_one_without_is_taken() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let mut datagram = udp4((PEER_IP, 9), (OUR_IP, 7), b"x");
    datagram[27] ^= 1;
    assert!(net.exchange(datagram.clone()).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::Checksum), 1);
    assert!(!net.sockets.get::<udp::Socket>(handle).can_recv());
    datagram[26..28].fill(0);
    net.exchange(datagram);
    assert!(net.sockets.get::<udp::Socket>(handle).can_recv());
}

/// Covers: RFC 1122 §3.3.6b
#[test]
fn both_forms_of_a_broadcast_address_reach_us() {
    for dst in [[255; 4], [10, 0, 0, 255]] {
        let mut net = Net::ip();
        let handle = bound(&mut net, 7);
        net.exchange(udp4((PEER_IP, 9), (dst, 7), b"x"));
        assert!(net.sockets.get::<udp::Socket>(handle).can_recv(), "{dst:?}");
    }
}

/// Covers: RFC 1122 §4.1.3.5b, §3.1b
#[test]
fn the_application_chooses_the_address_to_send_from() {
    let mut net = Net::ip();
    let second = IpAddress::v4(10, 0, 0, 7);
    net.iface.add_address(crate::wire::IpCidr::new(second, 24)).unwrap();
    let handle = bound(&mut net, 7);
    let mut meta = udp::Metadata::new((IpAddress::v4(10, 0, 0, 2), 9));
    meta.local_address = Some(second);
    net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", meta).unwrap();
    net.poll();
    assert_eq!(net.sent()[0][12..16], [10, 0, 0, 7]);
}
