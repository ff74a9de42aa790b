//! Three interfaces on one wire: without a tag, in VLAN 42, and in VLAN 42 behind a provider's tag 100.

use super::family::solicit;
use super::net::*;
use crate::iface::{Config, Interface, Port, Route, Router, SocketSet, VlanTags};
use crate::phy::{DeviceCapabilities, HardwareAddress, LinkState, Medium};
use crate::rand::Keys;
use crate::stats::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::{EtherType, IpCidr, Ipv6Address, VlanId, VlanPriority};

/// Own addresses of the three: 10.0.N.1/24, with the peer at .2.
const OWN: [[u8; 4]; 3] = [[10, 0, 0, 1], [10, 0, 1, 1], [10, 0, 2, 1]];
const PEERS: [[u8; 4]; 3] = [[10, 0, 0, 2], [10, 0, 1, 2], [10, 0, 2, 2]];

/// What stands between the source address and the EtherType.
fn tags(place: usize) -> Vec<u8> {
    match place {
        0 => vec![],
        1 => vec![0x81, 0, 0, 42],
        _ => vec![0x88, 0xa8, 0, 100, 0x81, 0, 0, 42],
    }
}

/// A frame with its tags put in.
fn tagged(tags: &[u8], frame: &[u8]) -> Vec<u8> {
    [&frame[..12], tags, &frame[12..]].concat()
}

struct Trunk {
    now: Instant,
    wire: Wire,
    ifaces: Vec<Interface<'static>>,
    sockets: SocketSet<'static>,
    /// The order of the interfaces in the router.
    order: [usize; 3],
}

impl Trunk {
    fn in_order(order: [usize; 3]) -> Trunk {
        let now = Instant::from_secs(1);
        let mut wire = Wire::new(Medium::Ethernet);
        let id = |number| VlanId::new(number).unwrap();
        let vlans = [VlanTags::NONE, VlanTags::single(id(42)), VlanTags::stacked(id(100), id(42))];
        let ifaces = vlans.iter().zip(OWN).map(|(vlan, own)| {
            let mut config = Config::new(HardwareAddress::Ethernet(OUR_MAC));
            config.vlan = *vlan;
            let mut iface = Interface::new(config, &mut wire, now);
            iface.add_address(IpCidr::new(crate::wire::Ipv4Address::from(own).into(), 24)).unwrap();
            iface
        });
        let ifaces = ifaces.collect();
        let sockets = SocketSet::with_capacity(4, Keys::new([7; 32]));
        Trunk { now, wire, ifaces, sockets, order }
    }

    fn new() -> Trunk {
        Trunk::in_order([0, 1, 2])
    }

    /// With IPv6 as well, and all said that is to be said of the groups of its addresses.
    fn dual() -> Trunk {
        let mut trunk = Trunk::new();
        for (place, iface) in trunk.ifaces.iter_mut().enumerate() {
            iface.add_address(IpCidr::new(Ipv6Address::from(addr_v6(place, 1)).into(), 64)).unwrap();
        }
        for _ in 0..60 {
            trunk.poll();
            trunk.now += Duration::from_secs(1);
        }
        trunk
    }

    fn poll(&mut self) {
        // The untagged interface has the device; the others are on its port.
        let leader = self.order.iter().position(|&place| place == 0).unwrap();
        let mut wire = Some(&mut self.wire);
        let mut left: Vec<_> = self.ifaces.iter_mut().map(Some).collect();
        let ports = self.order.map(|place| {
            let iface = left[place].take().unwrap();
            if place == 0 { Port::new(iface, wire.take().unwrap()) } else { Port::on(iface, leader) }
        });
        Router::new(Vec::from(ports)).poll(self.now, &mut self.sockets);
    }

    fn exchange(&mut self, frame: Vec<u8>) -> Vec<Vec<u8>> {
        self.wire.to_stack.push_back(frame);
        self.poll();
        self.wire.from_stack.drain(..).collect()
    }

    fn drops(&self, reason: DropReason) -> [u32; 3] {
        [0, 1, 2].map(|place| self.ifaces[place].stats().drops(reason))
    }
}

fn request(place: usize) -> Vec<u8> {
    arp(1, PEER_MAC, PEERS[place], [0; 6], OWN[place])
}

/// An echo request from a peer to us, without tags.
fn ping(place: usize) -> Vec<u8> {
    ethernet(0x800, &icmp4(PEERS[place], OWN[place], vec![8, 0, 0, 0, 1, 2, 3, 4, b'a']))
}

#[test]
fn each_interface_answers_arp_and_ping_with_its_own_tags() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let mut trunk = Trunk::in_order(order);
        for place in 0..3 {
            let expected = arp(2, OUR_MAC, OWN[place], PEER_MAC, PEERS[place]);
            let expected = [&PEER_MAC[..], &expected[6..]].concat();
            let answers = trunk.exchange(tagged(&tags(place), &request(place)));
            assert_eq!(answers, [tagged(&tags(place), &expected)], "{order:?} {place}");
            let answers = trunk.exchange(tagged(&tags(place), &ping(place)));
            let [answer] = &answers[..] else { panic!("{answers:?}") };
            assert_eq!(answer[12..12 + tags(place).len()], tags(place));
            let packet = &answer[14 + tags(place).len()..];
            assert_checksums(packet);
            assert_eq!((packet[20], &packet[12..16]), (0, &OWN[place][..]));
        }
    }
}

/// fdNN::LAST, in fdNN::/64.
fn addr_v6(place: usize, last: u8) -> [u8; 16] {
    let mut addr = ula(last);
    addr[1] = place as u8;
    addr
}

/// A packet of IPv6 in a frame with the tags of a place.
fn tagged_v6(place: usize, packet: &[u8]) -> Vec<u8> {
    tagged(&tags(place), &ethernet(EtherType::IPV6.0, packet))
}

/// The peer asks for the interface of `target`, in the VLAN of `place`.
fn question(place: usize, target: usize) -> Vec<u8> {
    tagged_v6(place, &solicit(PEER_MAC, addr_v6(target, 2), addr_v6(target, 1)))
}

/// Covers: RFC 4861 §7.2.4, RFC 3810 §6.1
#[test]
#[cfg(feature = "iface-multicast")]
fn each_interface_speaks_ipv6_with_its_own_tags() {
    let mut trunk = Trunk::dual();
    let reports: Vec<_> = trunk.wire.from_stack.drain(..).collect();
    for place in 0..3 {
        let header = [&tags(place)[..], &[0x86, 0xdd]].concat();
        let is_its = |frame: &&Vec<u8>| frame[12..].starts_with(&header);
        // Hop-by-hop options, then MLD: the group of the interface's own address.
        let report = reports.iter().find(is_its).expect("a report");
        assert_eq!((report[..4].to_vec(), report[12 + header.len() + 48]), (vec![0x33, 0x33, 0, 0], 143));

        let answers = trunk.exchange(question(place, place));
        let [advert] = &answers[..] else { panic!("{place}: {answers:?}") };
        assert_eq!(advert[..12 + header.len()], [&PEER_MAC[..], &OUR_MAC, &header].concat());
        let packet = &advert[12 + header.len()..];
        assert_checksums(packet);
        assert_eq!((packet[40], &packet[48..64]), (136, &addr_v6(place, 1)[..]));
        assert_eq!(packet[64..], [&[2, 1][..], &OUR_MAC].concat());

        let ping = icmp6(addr_v6(place, 2), addr_v6(place, 1), 64, vec![128, 0, 0, 0, 1, 2, 3, 4, b'a']);
        let answers = trunk.exchange(tagged_v6(place, &ping));
        let [pong] = &answers[..] else { panic!("{place}: {answers:?}") };
        assert_eq!(pong[..12 + header.len()], [&PEER_MAC[..], &OUR_MAC, &header].concat());
        let packet = &pong[12 + header.len()..];
        assert_checksums(packet);
        assert_eq!((packet[40], &packet[8..24]), (129, &addr_v6(place, 1)[..]));
    }
}

#[test]
fn a_solicitation_in_one_vlan_is_not_heard_in_another() {
    let mut trunk = Trunk::dual();
    trunk.wire.from_stack.clear();
    for (place, other) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        assert!(trunk.exchange(question(place, other)).is_empty());
        assert_eq!(trunk.ifaces[other].neighbor_count(), 0);
    }
    assert_eq!(trunk.exchange(question(1, 1)).len(), 1);
}

#[test]
fn packets_of_ipv6_are_forwarded_from_vlan_to_vlan() {
    let mut trunk = Trunk::dual();
    for place in 0..3 {
        trunk.exchange(question(place, place));
        trunk.ifaces[place].set_forwarding(true);
    }
    for (from, to) in [(1, 2), (2, 0), (0, 1)] {
        let packet = udp6((addr_v6(from, 2), 5), (addr_v6(to, 2), 6), 64, b"across");
        let sent = trunk.exchange(tagged_v6(from, &packet));
        let [frame] = &sent[..] else { panic!("{from} {to} {sent:?}") };
        assert_eq!(frame[..12 + tags(to).len()], [&PEER_MAC[..], &OUR_MAC, &tags(to)].concat());
        let packet = &frame[14 + tags(to).len()..];
        assert_checksums(packet);
        assert_eq!((packet[7], &packet[48..]), (63, &b"across"[..]));
    }
}

#[test]
fn what_is_said_in_one_vlan_is_not_heard_in_another() {
    let mut trunk = Trunk::new();
    for (place, other) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        assert!(trunk.exchange(tagged(&tags(place), &request(other))).is_empty());
        assert_eq!(trunk.ifaces[other].neighbor_count(), 0);
    }
}

#[test]
fn tags_that_nobody_has_are_counted_drops() {
    let mut trunk = Trunk::new();
    let nobodys: [&[u8]; 4] =
        [&[0x81, 0, 0, 43], &[0x88, 0xa8, 0, 42], &[0x81, 0, 0, 100, 0x81, 0, 0, 42], &[0x88, 0xa8, 0, 100]];
    for tags in nobodys {
        assert!(trunk.exchange(tagged(tags, &request(0))).is_empty());
    }
    assert_eq!(trunk.drops(DropReason::UnknownVlan), [4, 0, 0]);
    trunk.exchange(tagged(&[0x81, 0, 0xf, 0xff], &request(0)));
    assert_eq!(trunk.drops(DropReason::Malformed), [1, 0, 0]);
}

/// Covers: IEEE 802.1Q §6.9
#[test]
fn a_frame_that_has_a_priority_only_is_for_the_untagged_interface() {
    let mut trunk = Trunk::new();
    let answers = trunk.exchange(tagged(&[0x81, 0, 0xa0, 0], &request(0)));
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0][12..14], [8, 6]);
}

#[test]
fn the_priority_of_an_interface_is_in_each_of_its_tags() {
    let mut trunk = Trunk::new();
    let priority = VlanPriority::new(6).unwrap();
    trunk.ifaces.iter_mut().for_each(|iface| iface.set_vlan_priority(priority));
    assert_eq!(trunk.exchange(request(0))[0][12..14], [8, 6]);
    assert_eq!(trunk.exchange(tagged(&tags(1), &request(1)))[0][12..16], [0x81, 0, 0xc0, 42]);
    let stacked = &trunk.exchange(tagged(&tags(2), &request(2)))[0];
    assert_eq!(stacked[12..20], [0x88, 0xa8, 0xc0, 100, 0x81, 0, 0xc0, 42]);
    // The sender's priority does not matter to whom a frame is for.
    assert_eq!(trunk.exchange(tagged(&[0x81, 0, 0xe0, 42], &request(1))).len(), 1);
}

#[test]
fn packets_are_forwarded_from_vlan_to_vlan() {
    let mut trunk = Trunk::new();
    for place in 0..3 {
        trunk.exchange(tagged(&tags(place), &request(place)));
        trunk.ifaces[place].set_forwarding(true);
    }
    for (from, to) in [(1, 2), (2, 0), (0, 1)] {
        let packet = udp4((PEERS[from], 5), (PEERS[to], 6), b"across");
        let sent = trunk.exchange(tagged(&tags(from), &ethernet(0x800, &packet)));
        let [frame] = &sent[..] else { panic!("{from} {to} {sent:?}") };
        assert_eq!(frame[..12 + tags(to).len()], [&PEER_MAC[..], &OUR_MAC, &tags(to)].concat());
        let packet = &frame[14 + tags(to).len()..];
        assert_checksums(packet);
        assert_eq!((packet[8], &packet[28..]), (63, &b"across"[..]));
    }
}

/// A datagram leaves with the tags of the interface that the route says, though another has the device.
#[test]
fn a_socket_sends_by_the_vlan_of_its_route() {
    let mut trunk = Trunk::new();
    let far = Route::new(IpCidr::new("192.0.2.0".parse().unwrap(), 24), Some("10.0.2.2".parse().unwrap()));
    trunk.ifaces[2].routes_mut().add(far.unwrap()).unwrap();
    let answer = trunk.exchange(tagged(&tags(1), &ethernet(0x800, &udp4((PEERS[1], 5), (OWN[1], 6), b""))));
    // The peer is asked for where its packet came from, since we want to tell it that nobody listens.
    assert_eq!(answer[0][..18], [&[0xff; 6][..], &OUR_MAC, &tags(1), &[8, 6]].concat());
    let ping = icmp4([192, 0, 2, 7], OWN[0], vec![8, 0, 0, 0, 1, 2, 3, 4]);
    let asked = trunk.exchange(ethernet(0x800, &ping));
    assert_eq!(asked[0][..22], [&[0xff; 6][..], &OUR_MAC, &tags(2), &[8, 6]].concat());
    let reply = arp(2, PEER_MAC, PEERS[2], OUR_MAC, OWN[2]);
    let pong = trunk.exchange(tagged(&tags(2), &reply));
    assert_eq!(pong[0][..22], [&PEER_MAC[..], &OUR_MAC, &tags(2), &[8, 0]].concat());
}

#[test]
fn the_link_of_the_device_is_that_of_all() {
    let mut trunk = Trunk::new();
    for place in 0..3 {
        trunk.exchange(tagged(&tags(place), &request(place)));
    }
    trunk.wire.link = LinkState::DOWN;
    trunk.poll();
    assert!(trunk.ifaces.iter().all(|iface| iface.neighbor_count() == 0));
}

#[test]
fn a_tag_shrinks_the_ip_mtu_unless_the_device_has_room_for_it() {
    let trunk = Trunk::new();
    assert_eq!([0, 1, 2].map(|place| trunk.ifaces[place].ip_mtu()), [1_500, 1_496, 1_492]);
    let mut capabilities = DeviceCapabilities::new(Medium::Ethernet, 1_514);
    capabilities.max_tag_len = 4;
    for (place, ip_mtu) in [(0, 1_500), (1, 1_500), (2, 1_496)] {
        let mut config = Config::new(HardwareAddress::Ethernet(OUR_MAC));
        config.vlan = trunk.ifaces[place].vlan();
        let iface = Interface::with_storage(config, capabilities, Default::default());
        assert_eq!(iface.ip_mtu(), ip_mtu);
    }
}

#[test]
fn an_interface_alone_on_its_device_may_be_tagged() {
    let mut net = Net::ethernet();
    let mut config = Config::new(HardwareAddress::Ethernet(OUR_MAC));
    config.vlan = VlanTags::single(VlanId::new(42).unwrap());
    net.iface = Interface::new(config, &mut net.wire, net.now);
    net.iface.add_address(IpCidr::new(crate::wire::Ipv4Address::from(OWN[1]).into(), 24)).unwrap();
    assert!(net.exchange(request(1)).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::UnknownVlan), 1);
    assert_eq!(net.exchange(tagged(&tags(1), &request(1)))[0][12..16], tags(1));
}

#[test]
#[should_panic(expected = "VLAN tags need a link header")]
fn bare_ip_has_no_tags() {
    let mut config = Config::new(HardwareAddress::Ip);
    config.vlan = VlanTags::single(VlanId::new(42).unwrap());
    Interface::new(config, &mut Wire::new(Medium::Ip), Instant::ZERO);
}

#[test]
#[should_panic(expected = "on the device of a port that has none")]
fn a_port_on_a_port_without_a_device_is_refused() {
    let mut trunk = Trunk::new();
    let [first, second, _] = &mut trunk.ifaces[..] else { panic!("three") };
    Router::new(vec![Port::on(first, 1), Port::on(second, 0)]);
}

#[test]
#[cfg(all(feature = "iface-multicast", feature = "socket-udp"))]
fn a_shared_device_receives_the_groups_of_all_its_interfaces() {
    use super::udp::socket;
    use crate::socket::udp;
    let mut trunk = Trunk::new();
    let groups = [[239, 0, 0, 1], [239, 0, 0, 2], [239, 0, 0, 3]];
    for (iface, group) in trunk.ifaces.iter_mut().zip(groups) {
        iface.join_multicast_group(crate::wire::Ipv4Address::from(group)).unwrap();
    }
    let handle = trunk.sockets.add(socket());
    trunk.sockets.bind(handle, 7).unwrap();
    trunk.poll();
    // What one interface wants would keep the others' groups from them.
    assert!(trunk.wire.filter.is_empty(), "it was never set");
    for (place, peer) in PEERS.into_iter().enumerate() {
        for (group, is_joined) in (0..3).map(|other| (groups[other], other == place)) {
            let packet = udp4((peer, 9), (group, 7), b"x");
            trunk.exchange(tagged(&tags(place), &ethernet(0x800, &packet)));
            let socket = trunk.sockets.get_mut::<udp::Socket>(handle);
            assert_eq!(socket.recv().is_ok(), is_joined, "{place} {group:?}");
        }
    }
}

#[test]
#[cfg(all(feature = "iface-loopback", feature = "socket-udp"))]
fn a_datagram_to_ourselves_is_looped_at_an_interface_without_a_device_of_its_own() {
    use super::udp::socket;
    use crate::socket::udp;
    let mut trunk = Trunk::new();
    let handle = trunk.sockets.add(socket());
    trunk.sockets.bind(handle, 7).unwrap();
    let to = crate::wire::IpEndpoint::new(crate::wire::Ipv4Address::from(OWN[2]).into(), 7);
    trunk.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", to).unwrap();
    trunk.poll();
    trunk.poll();
    assert!(trunk.sockets.get_mut::<udp::Socket>(handle).recv().is_ok());
    assert!(trunk.wire.from_stack.iter().all(|frame| !frame.ends_with(b"x")));
}
