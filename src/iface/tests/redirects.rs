//! Redirects in detail: about what none is sent, and how much of the packet they quote.

use super::forward::*;
use super::net::*;
use crate::iface::Route;
use crate::wire::IpAddress;

const DST: [u8; 4] = [198, 51, 100, 9];

fn far6() -> [u8; 16] {
    [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]
}

/// A router by which two networks are behind neighbours on the link of port 0, whose hardware addresses are known.
fn redirecting() -> Routed {
    let mut net = Routed::new();
    for (network, prefix_len, gateway) in [("198.51.100.0", 24, "10.0.0.9"), ("2001:db8::", 64, "fe80::9")] {
        let route = Route::new(cidr(network, prefix_len), Some(gateway.parse().unwrap())).unwrap();
        net.ifaces[0].routes_mut().add(route).unwrap();
    }
    net.receive(0, arp(1, [2, 0, 0, 0, 0, 9], [10, 0, 0, 9], [0; 6], OUR_IP));
    net.sent();
    net
}

/// The redirect among what a packet provokes, if there is one.
fn redirect(net: &mut Routed, packet: &[u8]) -> Option<Vec<u8>> {
    let is_redirect = |packet: &Vec<u8>| match packet[0] >> 4 {
        4 => (packet[9], packet[20]) == (1, 5),
        6 => (packet[6], packet[40]) == (58, 137),
        _ => false,
    };
    net.exchange(packet).concat().into_iter().find(is_redirect)
}

/// Covers: RFC 1812 §5.2.7.2
#[test]
fn a_packet_with_options_is_not_redirected() {
    let with_options = |options: &[u8]| {
        let mut packet = udp4((PEER_IP, 1), (DST, 7), b"x");
        packet.splice(20..20, options.iter().copied());
        packet[0] += (options.len() / 4) as u8;
        packet[3] += options.len() as u8;
        packet[10..12].fill(0);
        let checksum = crate::wire::checksum::sum(&packet[..20 + options.len()]).finish();
        packet[10..12].copy_from_slice(&checksum);
        packet
    };
    for (options, is_sent) in [(&[][..], true), (&[1, 1, 1, 0], false), (&[131, 7, 4, 10, 0, 0, 9, 0], false)]
    {
        let mut net = redirecting();
        assert_eq!(redirect(&mut net, &with_options(options)).is_some(), is_sent, "{options:?}");
    }
}

#[test]
fn a_sender_whose_link_has_no_better_first_hop_is_not_redirected() {
    let mut net = redirecting();
    let mut is_sent = |src, dst| redirect(&mut net, &udp4((src, 1), (dst, 7), b"x")).is_some();
    assert!(is_sent(PEER_IP, DST));
    assert!(!is_sent([203, 0, 113, 5], DST), "a stranger");
    assert!(!is_sent([10, 0, 0, 9], DST), "the first hop itself");
    // The next hop is a neighbour of the route alone, not of our network.
    let route =
        Route::new(cidr("198.51.100.0", 25), Some("192.0.2.77".parse::<IpAddress>().unwrap())).unwrap();
    net.ifaces[0].routes_mut().add(route).unwrap();
    assert!(redirect(&mut net, &udp4((PEER_IP, 1), (DST, 7), b"x")).is_none());
}

/// Covers: RFC 1812 §4.3.2.3, RFC 4861 §4.5
#[test]
fn a_redirect_quotes_as_much_as_its_limit_allows() {
    let mut net = redirecting();
    for len in [1, 500, 1_400] {
        let packet = udp4((PEER_IP, 1), (DST, 7), &vec![7; len]);
        let sent = redirect(&mut net, &packet).expect("a redirect");
        assert_checksums(&sent);
        assert_eq!(sent.len(), (28 + packet.len()).min(576));
        assert_eq!(sent[28..], packet[..sent.len() - 28]);
    }
    for len in [1, 1_128, 1_129, 1_200, 1_400] {
        let packet = super::net::udp6((ula(2), 1), (far6(), 7), 64, &vec![7; len]);
        let sent = redirect(&mut net, &packet).expect("a redirect");
        assert_checksums(&sent);
        // Behind the headers and two addresses the option of the packet, in units of eight octets.
        let quoted = packet.len().min(1_280 - 96);
        assert!(
            sent.len() <= 1_280 && sent.len() == 40 + 40 + 8 + quoted.next_multiple_of(8),
            "{}",
            sent.len()
        );
        assert_eq!(sent[88..88 + quoted], packet[..quoted]);
    }
}
