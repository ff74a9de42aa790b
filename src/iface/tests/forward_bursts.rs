//! Packets that a device gives in a row go as each would alone, though the way of one is kept for the next.

use super::forward::{FAR_MAC, Routed, cidr, frame, ula1, with_checksum, with_hop_limit};
use super::net::*;
use crate::iface::Route;
use crate::phy::LinkState;
use crate::time::Duration;

const FAR: [u8; 4] = [10, 1, 0, 2];
/// Behind port 1's neighbour.
const BEHIND: [u8; 4] = [192, 0, 2, 9];

const SILENT: &str = "one that does not answer";

/// The frames of one flow, and such as differ from them in one thing.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let flow = |data: &[u8]| udp4((PEER_IP, 1), (BEHIND, 7), data);
    let v4 = |packet: Vec<u8>| frame(0, 0x800, &packet);
    let v6 = |packet: Vec<u8>| frame(0, 0x86dd, &packet);
    let mut whole = flow(&[5; 1_400]);
    whole[6] = 0x40;
    let [mut to_all, mut to_another] = [v4(flow(b"a")), v4(flow(b"b"))];
    to_all[..6].fill(0xff);
    to_another[5] = 9;
    let mut broken = flow(b"c");
    broken[10] ^= 1;
    vec![
        ("a packet of the flow", v4(flow(b"d"))),
        ("one on its last hop", v4(with_hop_limit(flow(b"e"), 1))),
        ("one on its last but one", v4(with_hop_limit(flow(b"f"), 2))),
        ("one to be cut", v4(flow(&[4; 1_400]))),
        ("one too large", v4(with_checksum(whole))),
        ("one in a frame for all", to_all),
        ("one in a frame for another", to_another),
        ("one whose header is broken", v4(broken)),
        ("another source", v4(udp4(([10, 0, 0, 77], 1), (BEHIND, 7), b"g"))),
        ("a source that is ours", v4(udp4((OUR_IP, 1), (BEHIND, 7), b"h"))),
        ("a source that is many", v4(udp4(([10, 1, 0, 255], 1), (BEHIND, 7), b"i"))),
        ("another destination", v4(udp4((PEER_IP, 1), (FAR, 7), b"j"))),
        (SILENT, v4(udp4((PEER_IP, 1), ([10, 1, 0, 99], 7), b"k"))),
        ("one that no route leads to", v4(udp4((PEER_IP, 1), ([203, 0, 113, 1], 7), b"l"))),
        ("one that is this port's", v4(icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1]))),
        ("one that is the other port's", v4(icmp4(PEER_IP, [10, 1, 0, 1], vec![8, 0, 0, 0, 0, 1, 0, 1]))),
        ("all of the other port", v4(udp4((PEER_IP, 1), ([10, 1, 0, 255], 7), b"m"))),
        ("a group", v4(udp4((PEER_IP, 1), ([224, 0, 0, 1], 7), b"n"))),
        ("the other family", v6(udp6((ula(2), 1), (ula1(2), 7), 64, b"o"))),
        ("the other family on its last hop", v6(udp6((ula(2), 1), (ula1(2), 7), 1, b"p"))),
        ("the other family from another", v6(udp6((ula(77), 1), (ula1(2), 7), 64, b"q"))),
        ("a neighbor's question", arp(1, PEER_MAC, PEER_IP, [0; 6], OUR_IP)),
    ]
}

/// A router whose port 1 carries 1,280 octets, and takes so many frames.
fn routed(room: usize, link: LinkState) -> Routed {
    let mut net = Routed::with_mtu(1_280);
    net.exchange(&udp4((PEER_IP, 1), (BEHIND, 7), b"the first"));
    net.wires[1].room = room;
    net.wires[1].link = link;
    net
}

/// What leaves by each port, in whatever order, and all counters.
fn outcome(mut net: Routed) -> impl PartialEq + core::fmt::Debug {
    let mut sent = net.sent();
    // Identifications of our own are drawn, and their order depends on when what is asked.
    for frame in sent[0].iter_mut().filter(|frame| frame[12..14] == [8, 0]) {
        frame[18..20].fill(0);
        frame[24..26].fill(0);
    }
    sent.iter_mut().for_each(|frames| frames.sort());
    let counted = net.ifaces.iter().map(|iface| (iface.stats().dropped().collect::<Vec<_>>(), iface.mib()));
    (sent, counted.collect::<Vec<_>>())
}

#[test]
fn a_burst_goes_as_its_packets_would_one_by_one() {
    let frames = frames();
    let ports =
        [(usize::MAX, LinkState::UP), (2, LinkState::UP), (0, LinkState::UP), (usize::MAX, LinkState::DOWN)];
    for (room, link) in ports {
        for (first, one) in &frames {
            for (second, other) in &frames {
                // A question takes room, and is asked when a poll ends.
                if room < usize::MAX && [first, second].contains(&&SILENT) {
                    continue;
                }
                let burst = [one, other, one, one];
                let [mut at_once, mut one_by_one] = [routed(room, link), routed(room, link)];
                at_once.wires[0].to_stack.extend(burst.map(Clone::clone));
                at_once.poll();
                for frame in burst {
                    one_by_one.receive(0, frame.clone());
                }
                let [at_once, one_by_one] = [at_once, one_by_one].map(outcome);
                assert_eq!(at_once, one_by_one, "{first}, {second}, room for {room}");
            }
        }
    }
}

/// A gateway that did not answer is used again from its first sign of life on, not from the next poll on.
#[test]
fn a_sign_of_life_between_two_packets_changes_the_way_of_the_second() {
    const GATEWAY: [u8; 4] = [10, 0, 0, 8];
    let mut net = Routed::new();
    for (port, gateway, metric) in [(0, "10.0.0.8", 0), (1, "10.1.0.2", 1)] {
        let route = Route::new(cidr("198.51.100.0", 24), Some(gateway.parse().unwrap())).unwrap();
        net.ifaces[port].routes_mut().add(route.with_metric(metric)).unwrap();
    }
    let is_alive = arp(1, [2, 0, 0, 0, 0, 8], GATEWAY, [0; 6], OUR_IP);
    let packet = udp4(([203, 0, 113, 5], 1), ([198, 51, 100, 9], 7), b"x");
    for _ in 0..20 {
        net.now += Duration::from_millis(500);
        net.receive(0, frame(0, 0x800, &packet));
    }
    net.receive(1, arp(1, FAR_MAC, FAR, [0; 6], [10, 1, 0, 1]));
    net.sent();
    let packet = frame(0, 0x800, &packet);
    net.wires[0].to_stack.extend([packet.clone(), packet.clone(), is_alive, packet]);
    net.poll();
    let [back, on] = net.sent().map(|frames| frames.iter().filter(|frame| frame[12..14] == [8, 0]).count());
    assert_eq!([back, on], [1, 2]);
}

/// The same addresses may be on two links that share a device, of which one does not forward.
#[test]
#[cfg(feature = "iface-vlan")]
fn the_way_from_one_vlan_is_none_for_another() {
    use crate::iface::{Config, Interface, Port, Router, SocketSet, VlanTags};
    use crate::phy::{HardwareAddress, Medium};
    use crate::rand::Keys;
    use crate::stats::DropReason;
    use crate::time::Instant;
    use crate::wire::VlanId;

    let now = Instant::from_secs(1);
    let mut wires = [Wire::new(Medium::Ethernet), Wire::new(Medium::Ethernet)];
    let vlan = VlanTags::single(VlanId::new(42).unwrap());
    let places = [(0, VlanTags::NONE, "10.0.0.1"), (0, vlan, "10.2.0.1"), (1, VlanTags::NONE, "10.1.0.1")];
    let mut ifaces = places.map(|(wire, tags, own)| {
        let mut config = Config::new(HardwareAddress::Ethernet(OUR_MAC));
        config.vlan = tags;
        let mut iface = Interface::new(config, &mut wires[wire], now);
        iface.add_address(cidr(own, 24)).unwrap();
        iface.set_forwarding(tags == VlanTags::NONE);
        iface
    });
    let untagged = frame(0, 0x800, &udp4(([203, 0, 113, 5], 1), (FAR, 7), b"x"));
    let tagged = [&untagged[..12], &[0x81, 0, 0, 42], &untagged[12..]].concat();
    wires[1].to_stack.push_back(arp(1, FAR_MAC, FAR, [0; 6], [10, 1, 0, 1]));
    wires[0].to_stack.extend([untagged.clone(), untagged.clone(), tagged, untagged]);
    let [first, second] = &mut wires;
    let [leader, guest, other] = &mut ifaces;
    let ports = vec![Port::new(leader, first), Port::on(guest, 0), Port::new(other, second)];
    let mut sockets = SocketSet::with_capacity(1, Keys::new([7; 32]));
    Router::new(ports).poll(now, &mut sockets);
    assert_eq!(ifaces[1].stats().drops(DropReason::NotOurAddress), 1);
    assert_eq!(ifaces[2].mib().ipv4.out_forw_datagrams, 3);
}
