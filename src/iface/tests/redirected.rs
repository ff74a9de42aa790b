//! Redirects that come to a host: 10.0.0.1 and fd00::1 on Ethernet, whose gateways are 10.0.0.254 and fe80::fe.

use super::net::*;
use super::udp::socket;
use crate::iface::{Route, SocketHandle};
use crate::phy::LinkState;
use crate::socket::{tcp, udp};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::time::Duration;
use crate::wire::tcp::Flags;
use crate::wire::{IpAddress, IpCidr, IpEndpoint};

const GATEWAY: [u8; 4] = [10, 0, 0, 254];
const BETTER: [u8; 4] = [10, 0, 0, 253];
const FAR: [u8; 4] = [192, 0, 2, 7];
const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 0xfe], [2, 0, 0, 0, 0, 0xfd]];

fn link_local(last: u8) -> [u8; 16] {
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
}

fn far6(last: u8) -> [u8; 16] {
    [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
}

fn cidr(text: &str, prefix_len: u8) -> IpCidr {
    IpCidr::new(text.parse().unwrap(), prefix_len)
}

/// A host with a UDP socket at port 5,000; both gateways and both better ones are known.
fn host() -> (Net, SocketHandle) {
    let mut net = Net::ethernet();
    net.iface.add_address(cidr("fe80::1", 64)).unwrap();
    net.iface.add_default_ipv4_route(GATEWAY.into()).unwrap();
    net.iface.add_default_ipv6_route(link_local(0xfe).into()).unwrap();
    for ((v4, mac), v6) in [GATEWAY, BETTER].into_iter().zip(MACS).zip([0xfe, 0xfd].map(link_local)) {
        net.exchange(arp(1, mac, v4, [0; 6], OUR_IP));
        let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &link_local(1), &[1, 1], &mac].concat();
        net.exchange(ethernet(0x86dd, &icmp6(v6, link_local(1), 255, body)));
    }
    let handle = net.sockets.add(socket());
    net.sockets.bind(handle, 5_000).unwrap();
    (net, handle)
}

/// The hardware address that a datagram to `dst` goes to first.
fn way(net: &mut Net, handle: SocketHandle, dst: IpAddress) -> [u8; 6] {
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    socket.send_slice(b"x", IpEndpoint::new(dst, 53)).unwrap();
    net.poll();
    net.sent()[0][..6].try_into().unwrap()
}

fn way4(net: &mut Net, handle: SocketHandle) -> [u8; 6] {
    way(net, handle, IpAddress::Ipv4(FAR.into()))
}

fn way6(net: &mut Net, handle: SocketHandle) -> [u8; 6] {
    way(net, handle, IpAddress::Ipv6(far6(7).into()))
}

fn quote() -> Vec<u8> {
    udp4((OUR_IP, 5_000), (FAR, 53), b"x")
}

fn redirect4(from: [u8; 4], code: u8, to: [u8; 4], quote: &[u8]) -> Vec<u8> {
    ethernet(0x800, &icmp4(from, OUR_IP, [&[5, code, 0, 0][..], &to, quote].concat()))
}

fn redirect6(from: [u8; 16], hop_limit: u8, to: [u8; 16], dst: [u8; 16], options: &[u8]) -> Vec<u8> {
    let body = [&[137, 0, 0, 0, 0, 0, 0, 0][..], &to, &dst, options].concat();
    ethernet(0x86dd, &icmp6(from, link_local(1), hop_limit, body))
}

/// Covers: RFC 1122 §3.2.2.2
#[test]
fn a_gateway_says_which_neighbor_is_the_better_first_hop() {
    for code in 0..4 {
        let (mut net, handle) = host();
        assert_eq!(way4(&mut net, handle), MACS[0]);
        assert!(net.exchange(redirect4(GATEWAY, code, BETTER, &quote())).is_empty());
        assert_eq!(way4(&mut net, handle), MACS[1], "code {code}");
        // Only to this destination (RFC 1122 §3.2.2.2: a network's counts for the host).
        assert_eq!(way(&mut net, handle, IpAddress::v4(192, 0, 2, 8)), MACS[0]);
        // The new one sends back.
        net.exchange(redirect4(BETTER, code, GATEWAY, &quote()));
        assert_eq!(way4(&mut net, handle), MACS[0]);
    }
}

/// Covers: RFC 1122 §3.2.2.2
#[test]
fn a_redirect_that_is_not_from_the_first_hop_or_names_none_changes_nothing() {
    let (mut net, handle) = host();
    let (other_source, other_port, icmp) = (
        udp4(([10, 0, 0, 9], 5_000), (FAR, 53), b"x"),
        udp4((OUR_IP, 5_001), (FAR, 53), b"x"),
        icmp4(OUR_IP, FAR, vec![8, 0, 0, 0, 0, 7, 0, 1]),
    );
    let (own, on_link) =
        (udp4((OUR_IP, 5_000), (OUR_IP, 53), b"x"), udp4((OUR_IP, 5_000), (PEER_IP, 53), b"x"));
    let to_all = |message: Vec<u8>| {
        let packet = icmp4(GATEWAY, [255; 4], message);
        [&[0xff; 6][..], &MACS[0], &[8, 0], &packet].concat()
    };
    for (index, frame) in [
        redirect4(BETTER, 1, BETTER, &quote()),
        redirect4(PEER_IP, 1, BETTER, &quote()),
        redirect4(GATEWAY, 1, [10, 1, 0, 1], &quote()),
        redirect4(GATEWAY, 1, OUR_IP, &quote()),
        redirect4(GATEWAY, 1, [10, 0, 0, 255], &quote()),
        redirect4(GATEWAY, 1, [224, 0, 0, 1], &quote()),
        redirect4(GATEWAY, 1, BETTER, &other_source),
        redirect4(GATEWAY, 1, BETTER, &other_port),
        redirect4(GATEWAY, 1, BETTER, &icmp),
        redirect4(GATEWAY, 1, BETTER, &own),
        redirect4(GATEWAY, 1, BETTER, &on_link),
        redirect4(GATEWAY, 1, BETTER, &quote()[..27]),
        to_all([&[5, 1, 0, 0][..], &BETTER, &quote()].concat()),
    ]
    .into_iter()
    .enumerate()
    {
        let before = net.iface.stats().drops(DropReason::IcmpMismatch);
        assert!(net.exchange(frame).is_empty());
        assert_eq!(net.iface.stats().drops(DropReason::IcmpMismatch), before + 1, "case {index}");
        assert_eq!(way4(&mut net, handle), MACS[0], "case {index}");
    }
}

/// Covers: RFC 1122 §3.2.2.2
#[test]
fn a_redirect_may_quote_a_segment_of_a_connection_of_ours() {
    let (mut net, udp) = host();
    let buffer = || SocketBuffer::new(vec![0; 100]);
    let handle = net.sockets.add(tcp::Socket::new(buffer(), buffer()));
    let remote = IpEndpoint::new(IpAddress::Ipv4(FAR.into()), 80);
    net.sockets.get_mut::<tcp::Socket>(handle).connect(remote, 4_000).unwrap();
    net.poll();
    net.sent();
    let segment = |port| tcp4(OUR_IP, FAR, (port, 80), (1, 0), Flags::SYN, &[], &[]);
    net.exchange(redirect4(GATEWAY, 1, BETTER, &segment(4_001)));
    assert_eq!(way4(&mut net, udp), MACS[0], "not ours");
    net.exchange(redirect4(GATEWAY, 1, BETTER, &segment(4_000)));
    assert_eq!(way4(&mut net, udp), MACS[1]);
}

/// Covers: RFC 4861 §8.1, §8.3
#[test]
fn over_ipv6_a_first_hop_may_be_new_and_the_destination_itself() {
    let (mut net, handle) = host();
    let new = [2, 0, 0, 0, 0, 0x77];
    let lladdr = [&[2, 1][..], &new].concat();
    assert_eq!(way6(&mut net, handle), MACS[0]);
    for (to, options, expected) in
        [(link_local(0xfd), &[][..], MACS[1]), (link_local(0x77), &lladdr, new), (far6(7), &lladdr, new)]
    {
        let (mut net, handle) = host();
        net.exchange(redirect6(link_local(0xfe), 255, to, far6(7), options));
        assert_eq!(way6(&mut net, handle), expected);
        assert_eq!(way(&mut net, handle, IpAddress::Ipv6(far6(8).into())), MACS[0]);
    }
    // A group's hardware address is nobody's: it is asked for.
    net.exchange(redirect6(link_local(0xfe), 255, link_local(0x77), far6(7), &[2, 1, 3, 0, 0, 0, 0, 0x77]));
    assert_eq!(way6(&mut net, handle)[..2], [0x33, 0x33]);
}

/// Covers: RFC 4861 §8.1
#[test]
fn over_ipv6_a_redirect_that_breaks_a_rule_changes_nothing() {
    let (mut net, handle) = host();
    let (gateway, better) = (link_local(0xfe), link_local(0xfd));
    for (index, (frame, reason)) in [
        (redirect6(gateway, 254, better, far6(7), &[]), DropReason::BadNeighborMessage),
        (redirect6(ula(0xfe), 255, better, far6(7), &[]), DropReason::BadNeighborMessage),
        (redirect6(gateway, 255, ula(0xfd), far6(7), &[]), DropReason::BadNeighborMessage),
        (redirect6(gateway, 255, better, [0xff; 16], &[]), DropReason::BadNeighborMessage),
        (redirect6(gateway, 255, better, far6(7), &[2, 0]), DropReason::BadNeighborMessage),
        (redirect6(better, 255, better, far6(7), &[]), DropReason::IcmpMismatch),
        (redirect6(gateway, 255, link_local(1), far6(7), &[]), DropReason::IcmpMismatch),
        (redirect6(gateway, 255, better, ula(7), &[]), DropReason::IcmpMismatch),
        (redirect6(gateway, 255, better, link_local(7), &[]), DropReason::IcmpMismatch),
    ]
    .into_iter()
    .enumerate()
    {
        let before = net.iface.stats().drops(reason);
        assert!(net.exchange(frame).is_empty());
        assert_eq!(net.iface.stats().drops(reason), before + 1, "case {index}");
        assert_eq!(way6(&mut net, handle), MACS[0], "case {index}");
    }
}

#[test]
fn what_was_said_ends_with_its_time_its_route_its_link_and_its_first_hop() {
    let lasts = Duration::from_secs(600);
    let told = || {
        let (mut net, handle) = host();
        net.exchange(redirect4(GATEWAY, 1, BETTER, &quote()));
        assert_eq!(way4(&mut net, handle), MACS[1]);
        (net, handle)
    };
    // Entries for neighbours would be asked for anew by then.
    let first_hop = |net: &Net, now| {
        let far = crate::wire::Addr::v4(FAR);
        net.iface.route(&far, now).map(|route| *route.next_hop).and_then(|hop| hop.as_v4())
    };
    let (net, _) = told();
    assert_eq!(first_hop(&net, net.now + lasts - Duration::from_micros(1)), Some(BETTER));
    assert_eq!(first_hop(&net, net.now + lasts), Some(GATEWAY));

    let (mut net, handle) = told();
    let nearer = Route::new(cidr("192.0.2.0", 24), Some(IpAddress::Ipv4(PEER_IP.into()))).unwrap();
    net.iface.routes_mut().add(nearer).unwrap();
    net.meet(PEER_IP);
    assert_eq!(way4(&mut net, handle), PEER_MAC, "the route goes elsewhere");
    net.iface.routes_mut().remove(cidr("192.0.2.0", 24));
    assert_eq!(way4(&mut net, handle), MACS[1], "and back");

    net.wire.link = LinkState::DOWN;
    net.poll();
    net.wire.link = LinkState::UP;
    net.poll();
    assert_eq!(first_hop(&net, net.now), Some(GATEWAY));

    let (mut net, handle) = told();
    net.advance(Duration::from_secs(40));
    for _ in 0..40 {
        way4(&mut net, handle);
        net.advance(Duration::from_millis(500));
        net.poll();
        net.sent();
        if first_hop(&net, net.now) == Some(GATEWAY) {
            return;
        }
    }
    panic!("a first hop that does not answer is kept");
}

#[test]
fn the_table_is_small_and_what_ends_first_gives_way() {
    let (mut net, _) = host();
    let count = crate::config::REDIRECTS as u8;
    for last in 0..=count {
        net.exchange(redirect6(link_local(0xfe), 255, link_local(0xfd), far6(last), &[]));
        net.advance(Duration::from_millis(10));
    }
    let is_detour = |last: u8| {
        let far = crate::wire::Addr::v6(far6(last));
        net.iface.route(&far, net.now).is_some_and(|route| route.next_hop.as_v6() == Some(&link_local(0xfd)))
    };
    let kept = (0..=count).filter(|last| is_detour(*last)).collect::<Vec<_>>();
    assert_eq!(kept, (1..=count).collect::<Vec<_>>());
}

/// Covers: RFC 1812 §5.2.7.2, RFC 4861 §8.3
#[test]
fn who_forwards_or_does_not_want_to_hear_goes_by_the_routes() {
    let (mut net, handle) = host();
    net.exchange(redirect4(GATEWAY, 1, BETTER, &quote()));
    net.iface.routes_mut().set_accept_redirects(false);
    assert_eq!(way4(&mut net, handle), MACS[0], "forgotten");
    for forwards in [false, true] {
        net.iface.routes_mut().set_accept_redirects(forwards);
        net.iface.set_forwarding(forwards);
        let before = net.iface.stats().drops(DropReason::Filtered);
        net.exchange(redirect4(GATEWAY, 1, BETTER, &quote()));
        net.exchange(redirect6(link_local(0xfe), 255, link_local(0xfd), far6(7), &[]));
        assert_eq!(net.iface.stats().drops(DropReason::Filtered), before + 2);
        assert_eq!((way4(&mut net, handle), way6(&mut net, handle)), (MACS[0], MACS[0]));
    }
}
