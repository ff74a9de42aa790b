//! What an interface knows of addresses: who can be on its link, who can send, and which way leads where.

use super::net::*;
use crate::iface::{Config, Interface};
use crate::phy::{HardwareAddress, Medium};
use crate::time::Instant;
use crate::wire::{Addr, IpAddress, IpCidr, Ipv6Address};

fn addr(text: &str) -> Addr {
    Addr::try_from(text.parse::<IpAddress>().unwrap()).unwrap()
}

fn iface(addresses: &[(&str, u8)]) -> Interface<'static> {
    let wire = Wire::new(Medium::Ethernet);
    let mut iface = interface(Config::new(HardwareAddress::Ethernet(OUR_MAC)), &wire, 0);
    for (text, prefix_len) in addresses {
        iface.add_address(IpCidr::new(text.parse().unwrap(), *prefix_len)).unwrap();
    }
    iface
}

const NOW: Instant = Instant::from_secs(1);

/// Covers: RFC 1122 §3.2.1.3, RFC 4291 §2.7
#[test]
fn no_group_no_broadcast_address_and_no_loopback_is_a_host() {
    let iface = iface(&[("10.0.0.1", 24), ("fd00::1", 64)]);
    let cases = [
        // Whether it can be a host of this link, and whether a packet can come from it.
        ("10.0.0.2", true, true),
        ("10.0.0.1", true, false),
        ("10.0.0.255", false, false),
        ("10.0.1.255", true, true),
        ("255.255.255.255", false, false),
        ("224.0.0.9", false, false),
        ("127.0.0.1", false, false),
        ("0.0.0.0", false, true),
        ("fd00::2", true, true),
        ("fd00::1", true, false),
        ("::1", false, false),
        ("::", false, true),
        ("ff02::1", false, false),
    ];
    for (text, is_host, is_source) in cases {
        assert_eq!(iface.is_host(&addr(text)), is_host, "{text}");
        assert_eq!(iface.can_come_from(&addr(text)), is_source, "{text}");
    }
}

/// Covers: RFC 3021 §2.2
#[test]
fn a_link_of_two_has_no_broadcast_address() {
    for (prefix_len, last) in [(24, 255), (29, 7), (30, 3)] {
        let iface = iface(&[("192.0.2.1", prefix_len)]);
        assert!(iface.is_broadcast(&Addr::v4([192, 0, 2, last])), "{prefix_len}");
        assert!(!iface.is_broadcast(&Addr::v4([192, 0, 2, last - 1])));
    }
    for (own, prefix_len) in [("192.0.2.0", 31), ("192.0.2.1", 31), ("192.0.2.1", 32)] {
        let iface = iface(&[(own, prefix_len)]);
        assert!(!iface.is_broadcast(&addr("192.0.2.1")), "{own}/{prefix_len}");
        assert!(iface.is_broadcast(&addr("255.255.255.255")));
    }
}

/// Covers: RFC 6724 §5, RFC 4007 §6
#[test]
fn the_scope_of_the_source_comes_before_its_prefix() {
    // The address of the link has more in common with groups than the other, and stands first.
    let both = iface(&[("fe80::1", 64), ("2001:db8::1", 64)]);
    for (dst, src) in [
        ("ff05::9", "2001:db8::1"),
        ("ff0e::9", "2001:db8::1"),
        ("fd00::9", "2001:db8::1"),
        ("ff02::9", "fe80::1"),
        ("ff01::9", "fe80::1"),
        ("fe80:1::9", "fe80::1"),
    ] {
        assert_eq!(both.source_for(&addr(dst)), Some(addr(src)), "{dst}");
    }
    // RFC 6724 §2.2: of two on one link neither is nearer, but itself.
    let two = iface(&[("2001:db8::1", 64), ("2001:db8::8000", 64)]);
    assert_eq!(two.source_for(&addr("2001:db8::8001")), Some(addr("2001:db8::1")));
    assert_eq!(two.source_for(&addr("2001:db8::8000")), Some(addr("2001:db8::8000")));
    let one = iface(&[("fe80::1", 64)]);
    assert_eq!(one.source_for(&addr("2001:db8::9")), Some(addr("fe80::1")), "better than none");
    assert_eq!(one.source_for(&addr("10.0.0.1")), None);
}

/// Covers: RFC 4291 §2.5.6, RFC 919 §7
#[test]
fn what_is_for_the_link_is_sent_straight_there_and_the_rest_by_the_gateways() {
    let mut iface = iface(&[("10.0.0.1", 24), ("fd00::1", 64)]);
    assert!(iface.route(&addr("2001:db8::9"), NOW).is_none());
    iface.add_default_ipv6_route(Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, 9)).unwrap();
    iface.add_default_ipv4_route(crate::wire::Ipv4Address::new(10, 0, 0, 9)).unwrap();
    for (dst, next_hop) in [
        ("2001:db8::9", "fd00::9"),
        ("fd00::7", "fd00::7"),
        ("fe80::7", "fe80::7"),
        ("ff05::7", "ff05::7"),
        ("192.0.2.1", "10.0.0.9"),
        ("169.254.1.1", if cfg!(feature = "iface-autoip") { "169.254.1.1" } else { "10.0.0.9" }),
        ("10.0.0.7", "10.0.0.7"),
        ("255.255.255.255", "255.255.255.255"),
        ("239.1.2.3", "239.1.2.3"),
    ] {
        let dst = addr(dst);
        assert_eq!(iface.route(&dst, NOW).map(|found| *found.next_hop), Some(addr(next_hop)), "{dst:?}");
    }
}

#[test]
fn a_stack_that_answers_for_all_says_so_and_answers_for_hosts_alone() {
    let mut net = Net::ip();
    let echo = |dst| icmp4(PEER_IP, dst, vec![8, 0, 0, 0, 0, 1, 0, 1]);
    assert!(!net.iface.any_ip());
    assert!(net.exchange(echo([192, 0, 2, 7])).is_empty());
    net.iface.set_any_ip(true);
    assert!(net.iface.any_ip());
    assert_eq!(net.exchange(echo([192, 0, 2, 7]))[0][12..16], [192, 0, 2, 7]);
    for nobody in [[127, 0, 0, 1], [10, 0, 0, 255], [255; 4]] {
        assert!(net.exchange(echo(nobody)).is_empty(), "{nobody:?}");
    }
    net.iface.set_any_ip(false);
    assert!(!net.iface.any_ip());
    assert!(net.exchange(echo([192, 0, 2, 7])).is_empty());
}

#[test]
#[should_panic(expected = "does not fit the medium")]
fn the_address_of_a_group_is_nobodys_own() {
    let wire = Wire::new(Medium::Ethernet);
    interface(Config::new(HardwareAddress::Ethernet([1, 0, 0x5e, 0, 0, 1])), &wire, 0);
}

/// Covers: RFC 1122 §3.2.2.6, §3.2.2.7a, RFC 4443 §4.2
#[test]
fn an_echo_request_to_a_group_or_to_all_is_not_answered() {
    let all_nodes = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let request = |kind| vec![kind, 0, 0, 0, 0, 1, 0, 1];
    let mut net = Net::ip();
    for packet in [
        icmp4(PEER_IP, [10, 0, 0, 255], request(8)),
        icmp4(PEER_IP, [255; 4], request(8)),
        icmp4(PEER_IP, [224, 0, 0, 1], request(8)),
        icmp6(ula(2), all_nodes, 64, request(128)),
    ] {
        assert!(net.exchange(packet.clone()).is_empty(), "{packet:?}");
    }
    assert_eq!(net.iface.stats().drops(crate::stats::DropReason::Unacceptable), 4);
}

#[test]
fn what_is_kept_of_a_packet_says_its_family() {
    use crate::iface::output::is_v4_frame;
    let (v4, v6) = (ipv4(PEER_IP, OUR_IP, 17, b""), ipv6(ula(2), ula(1), 17, 64, b""));
    assert_eq!([&v4, &v6].map(|packet| is_v4_frame(packet, 0)), [Some(true), Some(false)]);
    let frames = [ethernet(0x800, &v4), ethernet(0x86dd, &v6), arp(1, PEER_MAC, PEER_IP, [0; 6], OUR_IP)];
    assert_eq!(frames.map(|frame| is_v4_frame(&frame, 14)), [Some(true), Some(false), None]);
}
