//! Whom a router answers and tells of what befell a packet: hosts, and only those whose packet it was.

use super::forward::{Routed, cidr, with_hop_limit};
use super::net::*;
use crate::socket::udp;
use crate::stats::DropReason;
use crate::time::Duration;
use crate::wire::{IpAddress, IpEndpoint};

/// The broadcast address of port 1's network.
const ALL_OF_THE_OTHER: [u8; 4] = [10, 1, 0, 255];
/// A neighbour at port 1 that does not answer.
const DEAD: [u8; 4] = [10, 1, 0, 9];
const FAR: [u8; 4] = [192, 0, 2, 9];

/// What leaves of IPv4 until the neighbours that do not answer have been given up.
fn sent_in_ten_seconds(net: &mut Routed) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    for _ in 0..100 {
        net.now += Duration::from_millis(100);
        net.poll();
        sent.extend(net.sent().concat());
    }
    sent.retain(|frame| frame[12..14] == [8, 0]);
    sent
}

/// One forged packet would otherwise become one for everybody on the other link.
///
/// Covers: RFC 1812 §5.3.7, RFC 1812 §4.3.2.7
#[test]
fn the_broadcast_address_of_another_port_is_no_source() {
    let mut net = Routed::new();
    let echo = |dst| icmp4(ALL_OF_THE_OTHER, dst, vec![8, 0, 0, 0, 0, 1, 0, 1, 9]);
    let forged = [
        ("an echo request for this port", echo([10, 0, 0, 1])),
        ("an echo request for the other", echo([10, 1, 0, 1])),
        ("a datagram for a closed port", udp4((ALL_OF_THE_OTHER, 1), ([10, 0, 0, 1], 7), b"x")),
        ("one to be forwarded", udp4((ALL_OF_THE_OTHER, 1), (FAR, 7), b"x")),
        ("one on its last hop", with_hop_limit(udp4((ALL_OF_THE_OTHER, 1), (FAR, 7), b"x"), 1)),
        ("one that no route leads to", udp4((ALL_OF_THE_OTHER, 1), ([203, 0, 113, 1], 7), b"x")),
    ];
    for (drops, (name, packet)) in (1..).zip(forged) {
        assert_eq!(net.exchange(&packet).concat(), [[0; 0]; 0], "{name}");
        assert_eq!(net.drops(DropReason::BadSource), drops, "{name}");
    }
}

/// Covers: RFC 1812 §5.3.7
#[test]
fn a_source_is_looked_at_again_when_another_port_has_got_an_address() {
    let mut net = Routed::new();
    let echo = icmp4([10, 2, 0, 255], [10, 0, 0, 1], vec![8, 0, 0, 0, 0, 1, 0, 1, 9]);
    for _ in 0..2 {
        net.exchange(&echo);
    }
    assert_eq!(net.drops(DropReason::BadSource), 0);
    net.ifaces[1].add_address(cidr("10.2.0.1", 24)).unwrap();
    assert_eq!(net.exchange(&echo).concat(), [[0; 0]; 0]);
    assert_eq!(net.drops(DropReason::BadSource), 1);
}

/// Covers: RFC 1812 §4.3.2.7
#[test]
fn a_source_that_has_become_a_broadcast_address_is_told_nothing() {
    let mut net = Routed::new();
    let from = [10, 2, 0, 255];
    net.exchange(&udp4((from, 1), (DEAD, 7), b"x"));
    net.ifaces[0].add_address(cidr("10.2.0.1", 24)).unwrap();
    assert_eq!(sent_in_ten_seconds(&mut net), [[0; 0]; 0]);
    assert_eq!(net.drops(DropReason::NeighborUnreachable), 1);
}

/// Whoever has the address now did not send it.
#[test]
fn nobody_is_told_of_our_own_datagram_whose_address_went_before_its_neighbor_was_given_up() {
    let mut net = Routed::new();
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 64]);
    let handle = net.sockets.add(udp::Socket::new(queue(), queue()));
    net.sockets.bind(handle, 7).unwrap();
    let to = IpEndpoint::new(IpAddress::from(crate::wire::Ipv4Address::from(DEAD)), 7);
    net.sockets.get_mut::<udp::Socket<'_>>(handle).send_slice(b"x", to).unwrap();
    net.poll();
    net.sent();
    net.ifaces[1].remove_address(IpAddress::v4(10, 1, 0, 1));
    net.ifaces[1].add_address(cidr("10.1.0.8", 24)).unwrap();
    net.receive(1, arp(1, PEER_MAC, [10, 1, 0, 1], [0; 6], [10, 1, 0, 8]));
    assert_eq!(net.sent()[1].len(), 1, "who has it now is known");
    assert_eq!(sent_in_ten_seconds(&mut net), [[0; 0]; 0]);
    assert_eq!(net.drops(DropReason::NeighborUnreachable), 1);
}
