//! Packets to ourselves: no device sees them.

use super::net::*;
use crate::iface::{Budget, Config, Interface, NoHandler, Port, Router, SocketHandle, SocketSet};
use crate::phy::{HardwareAddress, LinkState, Medium, TxChecksum};
use crate::rand::Keys;
use crate::socket::tcp::{self, ConnectError, State};
use crate::socket::udp;
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::time::Instant;
use crate::wire::{IpAddress, IpCidr, IpEndpoint};

fn tcp_socket() -> tcp::Socket<'static> {
    tcp::Socket::new(SocketBuffer::new(vec![0; 65_536]), SocketBuffer::new(vec![0; 65_536]))
}

fn udp_socket() -> udp::Socket<'static> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 200], vec![0; 10_000]);
    udp::Socket::new(buffer(), buffer())
}

fn lite_socket() -> udp::Socket<'static> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 100]);
    udp::Socket::new_lite(buffer(), buffer())
}

fn bound(net: &mut Net, port: u16) -> SocketHandle {
    let handle = net.sockets.add(udp_socket());
    net.sockets.bind(handle, port).unwrap();
    handle
}

const OURSELVES: [&str; 5] = ["10.0.0.1", "127.0.0.1", "127.1.2.3", "::1", "fd00::1"];

/// Covers: RFC 1122 §3.2.1.3 (g), RFC 4291 §2.5.3
#[test]
fn a_connection_to_ourselves_carries_data_and_no_frame_leaves() {
    let pairs = OURSELVES.iter().flat_map(|text| [(text, Medium::Ethernet), (text, Medium::Ip)]);
    // What a device could cut does not come to it.
    for (cut_len, (text, medium)) in pairs.flat_map(|pair| [(0, pair), (65_535, pair)]) {
        let mut net = Net::new(medium);
        net.iface.capabilities.tx_checksum = TxChecksum::TCP;
        net.iface.capabilities.max_segmentation_len = cut_len;
        let addr: IpAddress = text.parse().unwrap();
        let (server, client) = (net.sockets.add(tcp_socket()), net.sockets.add(tcp_socket()));
        net.sockets.get_mut::<tcp::Socket>(server).listen(80).unwrap();
        let Net { now, iface, sockets, .. } = &mut net;
        iface.connect(*now, sockets, client, (addr, 80), 0).unwrap();
        net.poll();
        let socket = net.sockets.get_mut::<tcp::Socket>(client);
        assert_eq!(socket.state(), State::Established, "in one poll: {addr}");
        assert_eq!(socket.send_slice(&[7; 60_000]), Ok(60_000));
        let mut received = 0;
        for _ in 0..200 {
            net.advance(crate::time::Duration::from_millis(10));
            net.poll();
            let mut data = [0; 10_000];
            let socket = net.sockets.get_mut::<tcp::Socket>(server);
            while socket.can_recv() {
                received += socket.recv_slice(&mut data).unwrap();
            }
        }
        assert_eq!(received, 60_000, "{addr}");
        assert!(net.sent().is_empty());
        assert_eq!(net.iface.stats().total_drops(), 0);
    }
}

#[test]
fn a_datagram_to_ourselves_comes_from_the_address_that_it_goes_to() {
    for text in OURSELVES {
        let addr: IpAddress = text.parse().unwrap();
        let mut net = Net::ethernet();
        let (a, b) = (bound(&mut net, 7), bound(&mut net, 8));
        net.sockets.get_mut::<udp::Socket>(a).send_slice(b"myself", (addr, 8)).unwrap();
        net.poll();
        let mut data = [0; 10];
        let (len, meta) = net.sockets.get_mut::<udp::Socket>(b).recv_slice(&mut data).unwrap();
        assert_eq!((&data[..len], meta.endpoint), (&b"myself"[..], IpEndpoint::new(addr, 7)));
        assert!(net.sent().is_empty(), "nobody is even asked for it");
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    }
}

#[test]
fn a_connection_to_a_closed_port_of_ours_is_refused_at_once() {
    let mut net = Net::ip();
    let client = net.sockets.add(tcp_socket());
    let Net { now, iface, sockets, .. } = &mut net;
    iface.connect(*now, sockets, client, (IpAddress::v4(127, 0, 0, 1), 9), 0).unwrap();
    net.poll();
    assert_eq!(net.sockets.get::<tcp::Socket>(client).error(), Some(tcp::Error::Refused));
}

/// Covers: RFC 1122 §3.2.1.3 (g)
#[test]
fn loopback_addresses_stay_inside() {
    let mut net = Net::ip();
    net.iface.add_default_ipv4_route(crate::wire::Ipv4Address::new(10, 0, 0, 2)).unwrap();
    assert!(net.exchange(udp4(([127, 0, 0, 1], 1), (OUR_IP, 7), b"x")).is_empty());
    assert!(net.exchange(udp4((PEER_IP, 1), ([127, 0, 0, 1], 7), b"x")).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::BadSource), 1);
    assert_eq!(net.iface.stats().drops(DropReason::NotOurAddress), 1);

    let local = net.sockets.add(udp_socket());
    net.sockets.bind(local, (IpAddress::v4(127, 0, 0, 1), 7)).unwrap();
    let outside = (IpAddress::v4(10, 0, 0, 2), 7);
    net.sockets.get_mut::<udp::Socket>(local).send_slice(b"out?", outside).unwrap();
    net.poll();
    assert!(net.sent().is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::NoSource), 1);
    let client = net.sockets.add(tcp_socket());
    let Net { now, iface, sockets, .. } = &mut net;
    let from = (IpAddress::v4(127, 0, 0, 1), 0);
    assert_eq!(iface.connect(*now, sockets, client, outside, from), Err(ConnectError::Unreachable));
}

#[test]
fn it_works_while_the_link_is_down() {
    let mut net = Net::ethernet();
    net.wire.link = LinkState::DOWN;
    let (a, b) = (bound(&mut net, 7), bound(&mut net, 8));
    net.sockets.get_mut::<udp::Socket>(a).send_slice(b"x", (IpAddress::v4(10, 0, 0, 1), 8)).unwrap();
    net.poll();
    assert!(net.sockets.get::<udp::Socket>(b).can_recv());
}

#[test]
fn what_we_send_to_ourselves_takes_at_most_half_of_the_pool_and_then_waits() {
    let mut net = Net::ip();
    let (a, b) = (bound(&mut net, 7), bound(&mut net, 8));
    for _ in 0..150 {
        net.sockets.get_mut::<udp::Socket>(a).send_slice(b"x", (IpAddress::v4(10, 0, 0, 1), 8)).unwrap();
    }
    net.poll();
    let mut count = 0;
    while net.sockets.get_mut::<udp::Socket>(b).recv().is_ok() {
        count += 1;
    }
    assert_eq!((count, net.iface.stats().total_drops()), (150, 0));
}

#[test]
fn a_conversation_with_oneself_stops_at_the_budget() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    net.iface.set_any_ip(false);
    let flood = (IpAddress::v4(10, 0, 0, 1), 7);
    for _ in 0..150 {
        net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", flood).unwrap();
    }
    let budget = Budget { frames: 40, octets: 1 << 20 };
    let Net { now, iface, wire, sockets } = &mut net;
    let progress = iface.poll_with(*now, wire, sockets, &mut NoHandler, budget);
    assert!(progress.more && progress.sent <= 80, "{progress:?}");
    assert!(iface.poll_at(*now, sockets).is_some());
}

/// The zone of a link-local address is the port that has it.
#[test]
fn a_router_reaches_the_addresses_of_all_its_ports() {
    let now = Instant::from_secs(1);
    let mut wires = [Wire::new(Medium::Ip), Wire::new(Medium::Ip)];
    let mut ifaces = wires.each_mut().map(|wire| Interface::new(Config::new(HardwareAddress::Ip), wire, now));
    for (iface, texts) in ifaces.iter_mut().zip([["10.0.0.1", "fe80::1"], ["10.1.0.1", "fe80::2"]]) {
        for text in texts {
            iface.add_address(IpCidr::new(text.parse().unwrap(), 24)).unwrap();
        }
    }
    let mut sockets = SocketSet::with_capacity(8, Keys::new([1; 32]));
    let server = sockets.add(tcp_socket());
    let ports = ifaces.iter_mut().zip(&mut wires).map(|(iface, wire)| Port::new(iface, wire));
    let mut router = Router::new(ports.collect::<Vec<_>>());
    let link_local = IpEndpoint::new("fe80::2".parse().unwrap(), 80).with_zone(1);
    for remote in [IpEndpoint::new("10.1.0.1".parse().unwrap(), 80), link_local] {
        sockets.get_mut::<tcp::Socket>(server).abort();
        router.poll(now, &mut sockets);
        sockets.get_mut::<tcp::Socket>(server).listen(80).unwrap();
        let client = sockets.add(tcp_socket());
        router.connect(now, &mut sockets, client, remote, 0).unwrap();
        router.poll(now, &mut sockets);
        assert_eq!(sockets.get::<tcp::Socket>(client).state(), State::Established, "{remote:?}");
        sockets.remove(client);
    }
    drop(router);
    let is_tcp = |packet: &Vec<u8>| packet[if packet[0] >> 4 == 4 { 9 } else { 6 }] == 6;
    assert!(!wires.iter().any(|wire| wire.from_stack.iter().any(is_tcp)));
}

/// Covers: RFC 6724 §5, RFC 8504 §6.6a
#[test]
fn the_source_is_of_the_scope_of_the_destination_and_nearest_to_it() {
    let mut net = Net::ip();
    for (text, prefix_len) in [("2001:db8:1::1", 64), ("2001:db8:2::1", 64), ("10.2.0.1", 16)] {
        net.iface.add_address(IpCidr::new(text.parse().unwrap(), prefix_len)).unwrap();
    }
    let cases = [
        ("2001:db8:2::9", "2001:db8:2::1"),
        ("2001:db8:1::9", "2001:db8:1::1"),
        ("2001:db8:1::1", "2001:db8:1::1"),
        ("fe80::9", "fe80::1"),
        ("ff02::fb", "fe80::1"),
        ("ff0e::1", "fd00::1"),
        ("fd00::9", "fd00::1"),
        ("10.2.3.4", "10.2.0.1"),
        ("10.0.0.9", "10.0.0.1"),
    ];
    for (dst, src) in cases {
        let addr = |text: &str| crate::wire::Addr::try_from(text.parse::<IpAddress>().unwrap()).unwrap();
        assert_eq!(net.iface.source_for(&addr(dst)), Some(addr(src)), "{dst}");
    }
}

/// A socket that shares its port with others, in a group.
fn member(net: &mut Net, port: u16, group: &str) -> SocketHandle {
    let mut socket = udp_socket().with_memberships(vec![udp::Membership::EMPTY; 1]);
    socket.set_port_sharing(true);
    socket.bind(port).unwrap();
    socket.join_multicast_group(group.parse::<IpAddress>().unwrap(), 0).unwrap();
    let handle = net.sockets.add(socket);
    net.poll();
    handle
}

fn send_to(net: &mut Net, handle: SocketHandle, to: &str, port: u16) {
    let to: IpAddress = to.parse().unwrap();
    net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"to many", (to, port)).unwrap();
    net.poll();
}

/// Whom the next datagram is from.
fn sender(net: &mut Net, handle: SocketHandle) -> Option<IpEndpoint> {
    let (data, meta) = net.sockets.get_mut::<udp::Socket>(handle).recv().ok()?;
    assert_eq!(data, b"to many");
    Some(meta.endpoint)
}

/// The datagrams among what went out; groups are reported, too.
fn datagrams(net: &mut Net) -> usize {
    let link_len = if net.wire.medium == Medium::Ethernet { 14 } else { 0 };
    let is_udp = |frame: &&Vec<u8>| {
        let packet = &frame[link_len..];
        packet[if packet[0] >> 4 == 4 { 9 } else { 6 }] == 17
    };
    net.sent().iter().filter(is_udp).count()
}

const GROUPS: [(&str, &str, &str); 3] = [
    ("239.1.2.3", "239.1.2.4", "10.0.0.1"),
    ("ff05::1:3", "ff05::1:4", "fd00::1"),
    ("ff02::1:3", "ff02::1:4", "fe80::1"),
];

/// Covers: RFC 1112 §7.1
#[test]
fn what_we_send_to_a_group_reaches_our_own_members_unless_they_are_not_to_hear_it() {
    for ((group, other, own), medium) in
        GROUPS.into_iter().flat_map(|groups| [(groups, Medium::Ethernet), (groups, Medium::Ip)])
    {
        let mut net = Net::with_groups(medium, 16);
        let members = [(); 2].map(|()| member(&mut net, 5_000, group));
        let others = [member(&mut net, 5_000, other), member(&mut net, 5_001, group)];
        let speaker = bound(&mut net, 7);
        datagrams(&mut net);
        for loops in [true, false, true] {
            net.sockets.get_mut::<udp::Socket>(speaker).set_multicast_loop(loops);
            send_to(&mut net, speaker, group, 5_000);
            assert_eq!(datagrams(&mut net), 1, "others hear it in any case");
            for handle in members {
                let from = sender(&mut net, handle);
                assert_eq!(from.map(|from| (from.addr, from.port)), loops.then(|| (own.parse().unwrap(), 7)));
                assert_eq!(sender(&mut net, handle), None, "once");
            }
            assert!(!others.iter().any(|other| net.sockets.get::<udp::Socket>(*other).can_recv()));
        }
        // Who speaks hears itself. Where nobody hears there is no copy.
        send_to(&mut net, members[0], group, 5_000);
        assert!(sender(&mut net, members[0]).is_some() && sender(&mut net, members[1]).is_some());
        send_to(&mut net, speaker, group, 6_000);
        send_to(&mut net, speaker, if other.contains(':') { "ff05::9" } else { "239.9.9.9" }, 5_000);
        assert_eq!((datagrams(&mut net), net.iface.stats().total_drops()), (3, 0), "{group} {medium:?}");
    }
}

/// Covers: RFC 919 §6
#[test]
fn what_we_send_to_all_reaches_ourselves() {
    for to in ["255.255.255.255", "10.0.0.255"] {
        let mut net = Net::ethernet();
        let hearers = [(); 2].map(|()| {
            let handle = net.sockets.add(udp_socket());
            net.sockets.get_mut::<udp::Socket>(handle).set_port_sharing(true);
            net.sockets.bind(handle, 5_000).unwrap();
            handle
        });
        let speaker = bound(&mut net, 7);
        net.sockets.get_mut::<udp::Socket>(speaker).set_multicast_loop(false);
        send_to(&mut net, speaker, to, 5_000);
        assert_eq!(datagrams(&mut net), 1);
        let from = Some(IpEndpoint::new(IpAddress::v4(10, 0, 0, 1), 7));
        assert_eq!(hearers.map(|handle| sender(&mut net, handle)), [from; 2], "{to}");
        let mib = net.iface.mib().ipv4;
        assert_eq!((mib.in_bcast_pkts, mib.out_bcast_pkts), (1, 1));
        assert_eq!((mib.out_requests, mib.out_transmits, mib.in_delivers), (2, 2, 1));
    }
}

#[test]
fn a_connected_member_hears_whom_it_is_connected_to_and_a_member_with_udp_lite_its_own() {
    for (group, _, own) in GROUPS {
        let mut net = Net::with_groups(Medium::Ip, 16);
        let [near, far] = [0, 1].map(|more| {
            let handle = member(&mut net, 5_000, group);
            let zone = own.starts_with("fe80").then_some(0);
            let remote = IpEndpoint { zone, ..IpEndpoint::new(own.parse().unwrap(), 7 + more) };
            net.sockets.get_mut::<udp::Socket>(handle).connect(remote).unwrap();
            net.poll();
            handle
        });
        let speakers = [false, true].map(|is_lite| {
            let handle = net.sockets.add(if is_lite { lite_socket() } else { udp_socket() });
            net.sockets.bind(handle, 7).unwrap();
            handle
        });
        send_to(&mut net, speakers[0], group, 5_000);
        send_to(&mut net, speakers[1], group, 5_000);
        assert!(sender(&mut net, near).is_some() && sender(&mut net, near).is_none(), "{group}");
        assert_eq!(sender(&mut net, far), None);
        let lite = net.sockets.add(lite_socket());
        net.sockets.bind(lite, 5_000).unwrap();
        send_to(&mut net, speakers[1], group, 5_000);
        assert!(sender(&mut net, lite).is_some());
        assert_eq!(net.iface.stats().total_drops(), 0);
    }
}

#[test]
fn a_copy_that_finds_no_room_in_the_pool_is_lost_and_counted_and_the_link_gets_all() {
    for (group, ..) in GROUPS {
        let mut net = Net::with_groups(Medium::Ip, 16);
        let member = member(&mut net, 5_000, group);
        let speaker = bound(&mut net, 7);
        datagrams(&mut net);
        let to: IpAddress = group.parse().unwrap();
        for _ in 0..40 {
            net.sockets.get_mut::<udp::Socket>(speaker).send_slice(b"to many", (to, 5_000)).unwrap();
        }
        net.poll();
        let heard = (0..40).filter(|_| sender(&mut net, member).is_some()).count();
        assert_eq!((datagrams(&mut net), heard), (40, crate::config::DEFAULT_WAITING_PACKETS / 2));
        assert_eq!(net.iface.stats().drops(DropReason::QueueFull), 40 - heard as u32);
        // They find room again.
        send_to(&mut net, speaker, group, 5_000);
        assert!(sender(&mut net, member).is_some());
        // And need no link.
        net.wire.link = LinkState::DOWN;
        send_to(&mut net, speaker, group, 5_000);
        assert!(sender(&mut net, member).is_some());
    }
}

/// Covers: RFC 1112 §7.1
#[test]
fn members_at_the_port_that_it_leaves_by_hear_it() {
    for group in ["239.1.2.3", "ff05::1:3"] {
        let now = Instant::from_secs(1);
        let mut wires = [Wire::new(Medium::Ip), Wire::new(Medium::Ip)];
        let mut ifaces = wires.each_mut().map(|wire| interface(Config::new(HardwareAddress::Ip), wire, 16));
        for (iface, texts) in ifaces.iter_mut().zip([["10.0.0.1", "fd00::1"], ["10.1.0.1", "fd01::1"]]) {
            for text in texts {
                iface.add_address(IpCidr::new(text.parse().unwrap(), 24)).unwrap();
            }
        }
        let mut sockets = SocketSet::with_capacity(8, Keys::new([1; 32]));
        let addr: IpAddress = group.parse().unwrap();
        let members = [0, 1].map(|interface| {
            let mut socket = udp_socket().with_memberships(vec![udp::Membership::EMPTY; 1]);
            socket.set_port_sharing(true);
            socket.bind(5_000).unwrap();
            socket.join_multicast_group(addr, interface).unwrap();
            sockets.add(socket)
        });
        let speaker = sockets.add(udp_socket());
        sockets.bind(speaker, 7).unwrap();
        let ports = ifaces.iter_mut().zip(&mut wires).map(|(iface, wire)| Port::new(iface, wire));
        let mut router = Router::new(ports.collect::<Vec<_>>());
        router.poll(now, &mut sockets);
        for by in [0, 1] {
            let socket = sockets.get_mut::<udp::Socket>(speaker);
            socket.set_multicast_interface(Some(by));
            socket.send_slice(b"to many", (addr, 5_000)).unwrap();
            router.poll(now, &mut sockets);
            let heard = members.map(|handle| {
                let meta = sockets.get_mut::<udp::Socket>(handle).recv().map(|(_, meta)| meta).ok();
                meta.map(|meta| meta.received.interface)
            });
            let expected = [0, 1].map(|port| (port == by).then_some(by));
            assert_eq!(heard, expected, "{group}");
        }
    }
}
