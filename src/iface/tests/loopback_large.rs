//! Datagrams to ourselves that are larger than a cell of the pool, or than the link carries.

use super::net::*;
use crate::config::WAITING_PACKET_LEN;
use crate::iface::{
    Budget, Config, FragmentPlace, Fragments, Handler, Hook, HookSet, Interface, InterfaceStorage, NoHandler,
    SocketHandle, Verdict,
};
use crate::phy::{Device, HardwareAddress, LinkState, Medium};
use crate::socket::udp::PacketMetadata;
use crate::socket::{icmp, raw, udp};
use crate::stats::DropReason;
use crate::wire::{IpAddress, IpCidr, IpProtocol, IpVersion};

fn buffer() -> udp::PacketBuffer<'static> {
    udp::PacketBuffer::new(vec![PacketMetadata::EMPTY; 40], vec![0; 400_000])
}

fn bound(net: &mut Net, port: u16) -> SocketHandle {
    let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
    net.sockets.bind(handle, port).unwrap();
    handle
}

fn data(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 7 + index / 256) as u8).collect()
}

/// A host on a link that carries packets of so many octets.
fn host(medium: Medium, ip_mtu: usize) -> Net {
    let hardware = match medium {
        Medium::Ip => HardwareAddress::Ip,
        _ => HardwareAddress::Ethernet(OUR_MAC),
    };
    let mut net = Net::new(medium);
    net.wire.ip_mtu = ip_mtu;
    net.iface = interface(Config::new(hardware), &net.wire, 0);
    for (own, len) in [(IpAddress::v4(10, 0, 0, 1), 24), (IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1), 64)] {
        net.iface.add_address(IpCidr::new(own, len)).unwrap();
    }
    net
}

fn received(net: &mut Net, handle: SocketHandle) -> Option<Vec<u8>> {
    net.sockets.get_mut::<udp::Socket>(handle).recv().ok().map(|(data, _)| data.to_vec())
}

#[test]
fn datagrams_of_any_size_can_be_sent_to_ourselves() {
    let links = [(Medium::Ip, 0), (Medium::Ethernet, 14)];
    for ((medium, link_len), ip_mtu) in links.into_iter().flat_map(|link| [(link, 1_500), (link, 9_000)]) {
        let mut net = host(medium, ip_mtu);
        let (a, b) = (bound(&mut net, 7), bound(&mut net, 8));
        for to in ["10.0.0.1", "127.0.0.1", "fd00::1", "::1"] {
            let to: IpAddress = to.parse().unwrap();
            let (ip_len, most) = if matches!(to, IpAddress::Ipv4(_)) { (20, 65_507) } else { (40, 65_527) };
            // The largest for a cell, or for the link, and those around it.
            let whole = ip_mtu.min(WAITING_PACKET_LEN - link_len) - ip_len - 8;
            for len in [whole - 1, whole, whole + 1, whole + 60, 8_192, most] {
                let socket = net.sockets.get_mut::<udp::Socket>(a);
                socket.send_slice(&data(len), (to, 8)).unwrap();
                let Net { now, iface, wire, sockets } = &mut net;
                let progress = iface.poll_with(*now, wire, sockets, &mut NoHandler, Budget::default());
                assert_eq!(progress.frames, 1, "in the same poll");
                assert_eq!(received(&mut net, b), Some(data(len)), "{len} to {to}");
            }
        }
        assert_eq!((net.sent().len(), net.iface.stats().total_drops()), (0, 0));
        assert_eq!((net.iface.fragments().in_use(), net.iface.fragments().owned_memory()), (0, 0));
        let mib = net.iface.mib().ipv4;
        assert_eq!((mib.out_requests, mib.in_receives, mib.in_delivers), (12, 12, 12));
        assert_eq!((mib.out_frag_reqds, mib.out_transmits, mib.reasm_reqds), (0, 12, 0));
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    }
}

#[test]
fn it_works_while_the_link_is_down() {
    let mut net = host(Medium::Ethernet, 1_500);
    net.wire.link = LinkState { up: false, ..LinkState::UP };
    let (a, b) = (bound(&mut net, 7), bound(&mut net, 8));
    net.sockets.get_mut::<udp::Socket>(a).send_slice(&data(4_000), (IpAddress::v4(10, 0, 0, 1), 8)).unwrap();
    net.poll();
    assert_eq!(received(&mut net, b), Some(data(4_000)));
}

/// As many as there are places for half of, and the others when those have come.
#[test]
fn those_that_find_no_place_wait() {
    let mut net = host(Medium::Ip, 1_500);
    let (a, b) = (bound(&mut net, 7), bound(&mut net, 8));
    for count in 1..=40 {
        let socket = net.sockets.get_mut::<udp::Socket>(a);
        socket.send_slice(&data(5_000 + count), (IpAddress::v4(10, 0, 0, 1), 8)).unwrap();
    }
    net.poll();
    for count in 1..=40 {
        assert_eq!(received(&mut net, b), Some(data(5_000 + count)));
    }
    assert_eq!(net.iface.stats().total_drops(), 0);
}

#[test]
fn what_no_place_is_large_enough_for_is_dropped_and_counted() {
    let mut net = host(Medium::Ip, 1_500);
    let mut memory = [vec![0; 4_300], vec![0; 4_300]];
    let places: Vec<_> = memory.iter_mut().map(|memory| FragmentPlace::new(memory)).collect();
    let storage = InterfaceStorage { fragments: Fragments::new(places), ..InterfaceStorage::default() };
    let mut iface =
        Interface::with_storage(Config::new(HardwareAddress::Ip), net.wire.capabilities(), storage);
    iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
    let most = iface.fragments().largest_datagram() - 8;
    let (a, b) = (bound(&mut net, 7), bound(&mut net, 8));
    for (len, is_taken) in [(most, true), (most + 1, false), (most, true)] {
        let socket = net.sockets.get_mut::<udp::Socket>(a);
        socket.send_slice(&data(len), (IpAddress::v4(10, 0, 0, 1), 8)).unwrap();
        iface.poll(net.now, &mut net.wire, &mut net.sockets);
        assert_eq!(received(&mut net, b).map(|data| data.len()), is_taken.then_some(len));
    }
    assert_eq!((iface.stats().drops(DropReason::TooBig), iface.mib().ipv4.out_requests), (1, 3));
}

#[test]
fn a_large_echo_request_to_ourselves_is_answered() {
    for to in [IpAddress::v4(10, 0, 0, 1), "fd00::1".parse().unwrap()] {
        let mut net = host(Medium::Ethernet, 1_500);
        let kind = if to == IpAddress::v4(10, 0, 0, 1) { [8, 0] } else { [128, 129] };
        let handle = net.sockets.add(icmp::Socket::new(buffer(), buffer()));
        let socket = net.sockets.get_mut::<icmp::Socket>(handle);
        socket.bind(icmp::Endpoint::Ident(9)).unwrap();
        let request = [&[kind[0], 0, 0, 0, 0, 9, 0, 1][..], &data(5_000)].concat();
        socket.send_slice(&request, to).unwrap();
        net.poll();
        let (reply, _) = net.sockets.get_mut::<icmp::Socket>(handle).recv().unwrap();
        assert_eq!((reply[0], &reply[4..]), (kind[1], &request[4..]), "{to}");
        assert_eq!((net.sent().len(), net.iface.stats().total_drops()), (0, 0));
    }
}

#[test]
fn packets_that_the_application_made_come_as_they_are() {
    let mut net = host(Medium::Ethernet, 1_500);
    let made = [
        (IpVersion::Ipv4, ipv4([0; 4], OUR_IP, 253, &data(3_000))),
        (
            IpVersion::Ipv6,
            ipv6(ula(1), ula(1), 60, 64, &[&[253, 0, 1, 4, 0, 0, 0, 0][..], &data(3_000)].concat()),
        ),
    ];
    for (version, packet) in made {
        let buffer = || raw::PacketBuffer::new(vec![raw::PacketMetadata::EMPTY; 4], vec![0; 10_000]);
        let handle = net.sockets.add(raw::Socket::new(version, IpProtocol(253), buffer(), buffer()));
        net.sockets.get_mut::<raw::Socket>(handle).send_slice(&packet, raw::Metadata::default()).unwrap();
        net.poll();
        let socket = net.sockets.get_mut::<raw::Socket>(handle);
        let (came, _) = socket.recv().unwrap();
        let mut expected = packet.clone();
        if version == IpVersion::Ipv4 {
            // Source, number and checksum were left to us.
            expected[12..16].copy_from_slice(&OUR_IP);
            expected[4..6].copy_from_slice(&came[4..6]);
            expected[10..12].copy_from_slice(&came[10..12]);
            assert!(crate::wire::checksum::sum(&came[..20]).finish() == [0; 2]);
        }
        assert_eq!(came, expected);
        assert_eq!((net.sent().len(), net.iface.stats().total_drops()), (0, 0));
    }
}

/// Says which hooks saw how many octets, and drops at one of them.
struct Judge(Vec<(Hook, usize)>, Option<Hook>);

impl Handler for Judge {
    fn packet(&mut self, hook: Hook, _interface: u8, packet: &[u8]) -> Verdict {
        self.0.push((hook, packet.len()));
        if self.1 == Some(hook) { Verdict::Drop } else { Verdict::Accept }
    }

    fn hooks(&self) -> HookSet {
        HookSet::all()
    }
}

#[test]
fn the_handler_sees_it_whole_and_may_keep_it_back() {
    use Hook::{LocalIn, LocalOut, PostRoute, PreRoute};
    let all = [LocalOut, PostRoute, PreRoute, LocalIn];
    for (drops_at, seen) in
        [(None, 4), (Some(LocalOut), 1), (Some(PostRoute), 2), (Some(PreRoute), 3), (Some(LocalIn), 4)]
    {
        let mut net = host(Medium::Ip, 1_500);
        let (a, b) = (bound(&mut net, 7), bound(&mut net, 8));
        let to = (IpAddress::v4(10, 0, 0, 1), 8);
        net.sockets.get_mut::<udp::Socket>(a).send_slice(&data(4_000), to).unwrap();
        let mut judge = Judge(Vec::new(), drops_at);
        let Net { now, iface, wire, sockets } = &mut net;
        iface.poll_with(*now, wire, sockets, &mut judge, Budget::default());
        assert_eq!(judge.0, all.map(|hook| (hook, 4_028))[..seen]);
        assert_eq!(received(&mut net, b).is_some(), drops_at.is_none());
        assert_eq!(net.iface.stats().drops(DropReason::Filtered), u32::from(drops_at.is_some()));
        assert_eq!((net.iface.fragments().in_use(), net.sent().len()), (0, 0));
    }
}

/// The link gets it in fragments, and a member of ours whole.
#[test]
fn a_large_datagram_to_a_group_reaches_our_own_members() {
    let mut net = Net::with_groups(Medium::Ip, 16);
    let mut member = udp::Socket::new(buffer(), buffer()).with_memberships(vec![udp::Membership::EMPTY; 1]);
    member.bind(5_000).unwrap();
    member.join_multicast_group(IpAddress::v4(239, 1, 2, 3), 0).unwrap();
    let (member, speaker) = (net.sockets.add(member), bound(&mut net, 7));
    net.poll();
    net.sent();
    net.sockets
        .get_mut::<udp::Socket>(speaker)
        .send_slice(&data(4_000), (IpAddress::v4(239, 1, 2, 3), 5_000))
        .unwrap();
    net.poll();
    assert_eq!(received(&mut net, member), Some(data(4_000)));
    assert_eq!((net.sent().len(), net.iface.stats().total_drops()), (3, 0));
}
