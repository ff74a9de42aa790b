//! One test for each decision that has no better place.

use super::net::*;
use crate::iface::{
    Budget, Config, Fragments, Handler, Hook, Interface, InterfaceStorage, Neighbor, NoHandler, Port, Router,
    SocketHandle, SocketSet, SocketSlot, Verdict,
};
use crate::phy::{Device, HardwareAddress, LinkState, Medium, RxMeta};
use crate::rand::Keys;
use crate::socket::tcp::{self, ConnectError};
use crate::socket::udp;
use crate::stats::DropReason;
use crate::storage::{PacketPool, SocketBuffer};
use crate::time::Instant;
use crate::wire::{IpAddress, IpCidr, IpEndpoint, Ipv4Address};
use managed::ManagedSlice;

fn socket() -> udp::Socket<'static> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 64], vec![0; 4_096]);
    udp::Socket::new(buffer(), buffer())
}

#[test]
fn every_public_type_is_send() {
    fn is_send<T: Send>() {}
    is_send::<Interface<'static>>();
    is_send::<SocketSet<'static>>();
    is_send::<Router<'static, 'static, 'static>>();
    is_send::<crate::socket::Socket<'static>>();
    is_send::<crate::storage::PacketPool<'static>>();
}

/// Two unlike devices in one stack; the reply to a frame on one leaves by the other.
#[test]
fn a_reply_leaves_by_the_port_that_the_route_says() {
    let now = Instant::from_secs(1);
    let (mut tap, mut tun) = (Wire::new(Medium::Ethernet), Wire::new(Medium::Ip));
    let mut ethernet_side = Interface::new(Config::new(HardwareAddress::Ethernet(OUR_MAC)), &mut tap, now);
    let mut ip_side = Interface::new(Config::new(HardwareAddress::Ip), &mut tun, now);
    ethernet_side.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
    ip_side.add_address(IpCidr::new(IpAddress::v4(10, 9, 0, 1), 24)).unwrap();
    let far = [192, 0, 2, 77];
    ip_side.add_default_ipv4_route(Ipv4Address::new(10, 9, 0, 2)).unwrap();
    let mut sockets = SocketSet::with_capacity(4, Keys::new([1; 32]));

    // The echo request comes in by Ethernet from somebody whom only the bare-IP side can reach.
    let request = icmp4(far, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1, 0xab]);
    tap.to_stack.push_back(ethernet(0x800, &request));
    let mut router =
        Router::new(vec![Port::new(&mut ethernet_side, &mut tap), Port::new(&mut ip_side, &mut tun)]);
    router.poll(now, &mut sockets);
    drop(router);
    assert!(tap.from_stack.is_empty());
    assert_eq!(tun.from_stack.len(), 1);
    let reply = &tun.from_stack[0];
    assert_checksums(reply);
    assert_eq!((&reply[12..16], &reply[16..20], reply[20]), (&OUR_IP[..], &far[..], 0));
}

#[test]
fn a_route_goes_with_its_interface() {
    let now = Instant::from_secs(1);
    let (mut a, mut b) = (Wire::new(Medium::Ip), Wire::new(Medium::Ip));
    let mut first = Interface::new(Config::new(HardwareAddress::Ip), &mut a, now);
    let mut second = Interface::new(Config::new(HardwareAddress::Ip), &mut b, now);
    first.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
    second.add_address(IpCidr::new(IpAddress::v4(10, 9, 0, 1), 24)).unwrap();
    second.add_default_ipv4_route(Ipv4Address::new(10, 9, 0, 2)).unwrap();
    let mut sockets = SocketSet::with_capacity(4, Keys::new([1; 32]));
    let handle = sockets.add(socket());
    sockets.bind(handle, 9_000).unwrap();
    let far = (IpAddress::v4(192, 0, 2, 77), 53);
    {
        let mut router = Router::new(vec![Port::new(&mut first, &mut a), Port::new(&mut second, &mut b)]);
        sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", far).unwrap();
        router.poll(now, &mut sockets);
    }
    assert_eq!((a.from_stack.len(), b.from_stack.len()), (0, 1));
    {
        let mut router = Router::new(vec![Port::new(&mut first, &mut a)]);
        sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", far).unwrap();
        router.poll(now, &mut sockets);
    }
    assert_eq!((a.from_stack.len(), b.from_stack.len()), (0, 1));
    assert_eq!(first.stats().drops(DropReason::NoRoute), 1);
}

#[test]
fn a_full_device_delays_its_sockets_and_loses_nothing() {
    let mut net = Net::ip();
    let handle = net.sockets.add(socket());
    net.sockets.bind(handle, 9_000).unwrap();
    net.wire.room = 0;
    for _ in 0..5 {
        net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", (IpAddress::v4(10, 0, 0, 2), 9)).unwrap();
        net.poll();
    }
    assert!(net.sent().is_empty());
    assert!(net.iface.poll_at(net.now, &mut net.sockets).is_some(), "it will be tried again");
    net.wire.room = 10;
    net.poll();
    assert_eq!(net.sent().len(), 5);
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
}

#[test]
fn an_answer_without_a_token_waits_for_room() {
    let mut net = Net::ip();
    net.wire.room = 0;
    assert!(net.exchange(icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1])).is_empty());
    net.wire.room = 10;
    net.poll();
    assert_eq!(net.sent().len(), 1);
}

#[test]
fn a_poll_stops_at_its_budget_and_says_that_more_waits() {
    let mut net = Net::ip();
    for _ in 0..10 {
        net.wire.to_stack.push_back(icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1]));
    }
    let budget = Budget { frames: 4, octets: 1 << 20 };
    let progress = net.iface.poll_budget(net.now, &mut net.wire, &mut net.sockets, budget);
    assert_eq!((progress.frames, progress.more), (4, true));
    assert_eq!(net.sent().len(), 4);
    net.iface.poll_budget(net.now, &mut net.wire, &mut net.sockets, budget);
    let progress = net.iface.poll_budget(net.now, &mut net.wire, &mut net.sockets, budget);
    assert_eq!((progress.frames, progress.more), (2, false));
}

/// What a listener repeats for its requests counts among what a poll has sent.
#[test]
fn a_poll_says_how_many_requests_were_answered_once_more() {
    let mut net = Net::ip();
    let mut listener = tcp::Listener::new(vec![tcp::HalfOpen::EMPTY; 4]);
    listener.set_buffers(1_000, 1_000, 4);
    let handle = net.sockets.add(listener);
    net.sockets.listen(handle, 80).unwrap();
    for port in 1..4 {
        net.exchange(tcp4(PEER_IP, OUR_IP, (port, 80), (100, 0), crate::wire::tcp::Flags::SYN, &[], &[]));
    }
    net.now += crate::time::Duration::from_millis(1_100);
    let Net { now, wire, iface, sockets } = &mut net;
    let progress = iface.poll_budget(*now, wire, sockets, Budget::default());
    assert_eq!((progress.sent, net.sent().len()), (3, 3));
    assert_eq!(net.iface.mib().tcp.retrans_segs, 3);
}

#[test]
fn a_mark_alone_is_not_now() {
    let mut net = Net::ip();
    let handle = net.sockets.add(socket());
    net.sockets.bind(handle, 9_000).unwrap();
    net.poll();
    let _ = net.sockets.get_mut::<udp::Socket>(handle);
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", (IpAddress::v4(10, 0, 0, 2), 9)).unwrap();
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), Some(net.now));
}

#[test]
fn the_stack_runs_without_a_device() {
    struct Out<'o>(&'o mut Vec<u8>);
    impl crate::phy::TxToken for Out<'_> {
        fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
            self.0.resize(len, 0);
            f(self.0)
        }
    }
    let mut net = Net::ip();
    let mut out = Vec::new();
    let request = icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1]);
    let Net { now, iface, sockets, .. } = &mut net;
    iface.process(*now, &request, RxMeta::default(), Some(Out(&mut out)), sockets, &mut NoHandler);
    assert_checksums(&out);
    assert_eq!(out[20], 0);
}

#[test]
fn any_address_is_ours_when_told_so() {
    let mut net = Net::ip();
    let request = icmp4(PEER_IP, [203, 0, 113, 5], vec![8, 0, 0, 0, 0, 1, 0, 1]);
    assert!(net.exchange(request.clone()).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::NotOurAddress), 1);
    net.iface.set_any_ip(true);
    let answers = net.exchange(request.clone());
    assert_eq!(answers[0][12..16], [203, 0, 113, 5]);
    net.iface.set_any_ip(false);
    assert!(net.exchange(request).is_empty());
}

#[test]
fn who_spoke_last_is_judged_anew_when_addresses_change() {
    let mut net = Net::ip();
    let request = icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1]);
    for _ in 0..3 {
        assert_eq!(net.exchange(request.clone()).len(), 1);
    }
    let [a, b, c, d] = PEER_IP;
    let peer = IpAddress::v4(a, b, c, d);
    net.iface.add_address(IpCidr::new(peer, 24)).unwrap();
    assert!(net.exchange(request.clone()).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::BadSource), 1);
    net.iface.remove_address(peer);
    assert_eq!(net.exchange(request.clone()).len(), 1);
    let [a, b, c, d] = OUR_IP;
    net.iface.remove_address(IpAddress::v4(a, b, c, d));
    assert!(net.exchange(request).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::NotOurAddress), 1);
}

#[test]
fn a_handler_filters_and_takes_payload_in_place() {
    struct Take(Vec<u8>, Option<SocketHandle>);
    impl Handler for Take {
        fn payload(&mut self, socket: SocketHandle, data: &[u8]) -> usize {
            if data == b"not now" {
                return 0;
            }
            self.0.extend(data);
            self.1 = Some(socket);
            data.len()
        }
        fn packet(&mut self, hook: Hook, _interface: u8, packet: &[u8]) -> Verdict {
            if hook == Hook::LocalIn && packet[9] == 1 { Verdict::Drop } else { Verdict::Accept }
        }
    }
    let mut net = Net::ip();
    let handle = net.sockets.add(socket());
    net.sockets.bind(handle, 7).unwrap();
    net.sockets.get_mut::<udp::Socket>(handle).set_in_place(true);
    let mut handler = Take(Vec::new(), None);
    net.wire.to_stack.push_back(udp4((PEER_IP, 1), (OUR_IP, 7), b"in place"));
    net.wire.to_stack.push_back(icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1]));
    net.iface.poll_with(net.now, &mut net.wire, &mut net.sockets, &mut handler, Budget::default());
    assert_eq!((handler.0.as_slice(), handler.1), (&b"in place"[..], Some(handle)));
    assert!(!net.sockets.get::<udp::Socket>(handle).can_recv());
    assert!(net.sent().is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::Filtered), 1);
    net.wire.to_stack.push_back(udp4((PEER_IP, 1), (OUR_IP, 7), b"not now"));
    net.iface.poll_with(net.now, &mut net.wire, &mut net.sockets, &mut handler, Budget::default());
    let queued = net.sockets.get_mut::<udp::Socket>(handle).recv().map(|(data, _)| data.to_vec());
    assert_eq!(queued, Ok(b"not now".to_vec()));
}

#[test]
fn several_stacks_live_in_one_process() {
    let (mut a, mut b) = (Net::ip(), Net::ip());
    let handle = a.sockets.add(socket());
    a.sockets.bind(handle, 7).unwrap();
    a.exchange(udp4((PEER_IP, 1), (OUR_IP, 7), b"x"));
    assert!(a.sockets.get::<udp::Socket>(handle).can_recv());
    assert_eq!(b.exchange(udp4((PEER_IP, 1), (OUR_IP, 7), b"x"))[0][20], 3, "b has no such socket");
    let thread =
        std::thread::spawn(move || a.exchange(icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1])).len());
    assert_eq!(thread.join().unwrap(), 1);
}

/// Every octet string is survived, whatever it is; a cheap version of what the fuzzers do.
#[test]
fn any_octets_are_survived() {
    let mut seed = 0x1234_5678_9abc_def1_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut nets = [Net::ethernet(), Net::ip()];
    let samples = [
        arp(1, PEER_MAC, PEER_IP, [0; 6], OUR_IP),
        ethernet(0x800, &udp4((PEER_IP, 1), (OUR_IP, 7), b"xyz")),
        ethernet(0x86dd, &ipv6(ula(2), ula(1), 0, 64, &[44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 0])),
        icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1]),
    ];
    for _ in 0..20_000 {
        let mut frame = samples[random() as usize % samples.len()].clone();
        for _ in 0..random() % 4 {
            let at = random() as usize % frame.len();
            frame[at] ^= 1 << (random() % 8);
        }
        frame.truncate(random() as usize % (frame.len() + 1));
        for net in &mut nets {
            let count = |net: &Net| {
                let mib = net.iface.mib();
                u64::from(net.iface.stats().total_drops()) + mib.ipv4.in_delivers + mib.ipv6.in_delivers
            };
            let before = count(net);
            net.exchange(frame.clone());
            let counted = count(net) - before;
            let is_arp = frame.get(12..14) == Some(&[8, 6]);
            assert!(counted > 0 || is_arp, "neither delivered nor counted: {frame:02x?}");
        }
    }
}

#[test]
fn a_frame_above_the_mtu_never_reaches_the_device() {
    let mut net = Net::ip();
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 10_000]);
    let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
    net.sockets.bind(handle, 9_000).unwrap();
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    socket.send_slice(&[0; 1_472], (IpAddress::v4(10, 0, 0, 2), 9)).unwrap();
    socket.send_slice(&[0; 1_473], (IpAddress::v4(10, 0, 0, 2), 9)).unwrap();
    net.poll();
    let lens: Vec<_> = net.sent().iter().map(Vec::len).collect();
    assert_eq!(lens, [1_500, 1_500, 21], "the second in fragments");
    assert_eq!(net.iface.stats().total_drops(), 0);
}

#[test]
fn a_link_local_address_needs_a_zone_where_there_are_several_ports() {
    let now = Instant::from_secs(1);
    let (mut a, mut b) = (Wire::new(Medium::Ip), Wire::new(Medium::Ip));
    let mut first = interface(Config::new(HardwareAddress::Ip), &a, 0);
    let mut second = interface(Config::new(HardwareAddress::Ip), &b, 0);
    first.add_address(IpCidr::new(IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 1), 64)).unwrap();
    second.add_address(IpCidr::new(IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 2), 64)).unwrap();
    second.add_address(IpCidr::new(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2), 64)).unwrap();
    let mut sockets = SocketSet::with_capacity(4, Keys::new([1; 32]));
    let handle = sockets.add(socket());
    sockets.bind(handle, 9_000).unwrap();
    let peer = IpEndpoint::new(IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 9), 53);
    let tcp = sockets
        .add(crate::socket::tcp::Socket::new(SocketBuffer::new(vec![0; 9]), SocketBuffer::new(vec![0; 9])));
    {
        let mut router = Router::new(vec![Port::new(&mut first, &mut a), Port::new(&mut second, &mut b)]);
        let socket = sockets.get_mut::<udp::Socket>(handle);
        socket.send_slice(b"nowhere", peer).unwrap();
        socket.send_slice(b"second", peer.with_zone(1)).unwrap();
        socket.send_slice(b"first", peer.with_zone(0)).unwrap();
        router.poll(now, &mut sockets);
        assert_eq!(router.connect(now, &mut sockets, tcp, peer, 0), Err(ConnectError::ZoneNeeded));
        let elsewhere = sockets.add(crate::socket::tcp::Socket::new(
            SocketBuffer::new(vec![0; 9]),
            SocketBuffer::new(vec![0; 9]),
        ));
        let global = IpEndpoint::new(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 9), 53);
        assert_eq!(router.connect(now, &mut sockets, elsewhere, global, 0), Ok(()), "it has no zones");
        sockets.remove(elsewhere);
        router.connect(now, &mut sockets, tcp, peer.with_zone(0), 0).unwrap();
        router.poll(now, &mut sockets);
    }
    assert_eq!((a.from_stack.len(), b.from_stack.len()), (2, 1));
    assert_eq!((&a.from_stack[0][48..], &b.from_stack[0][48..]), (&b"first"[..], &b"second"[..]));
    assert_eq!(a.from_stack[1][6], 6, "the SYN goes to the zone that was named");
    assert_eq!(first.stats().drops(DropReason::NoRoute), 1);
}

#[test]
fn a_packet_for_another_ports_address_is_not_taken() {
    // RFC 1122 §3.3.4.2: the strong host model.
    let now = Instant::from_secs(1);
    let (mut a, mut b) = (Wire::new(Medium::Ip), Wire::new(Medium::Ip));
    let mut first = Interface::new(Config::new(HardwareAddress::Ip), &mut a, now);
    let mut second = Interface::new(Config::new(HardwareAddress::Ip), &mut b, now);
    first.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
    second.add_address(IpCidr::new(IpAddress::v4(10, 9, 0, 1), 24)).unwrap();
    a.to_stack.push_back(icmp4(PEER_IP, [10, 9, 0, 1], vec![8, 0, 0, 0, 0, 1, 0, 1]));
    let mut sockets = SocketSet::with_capacity(4, Keys::new([1; 32]));
    Router::new(vec![Port::new(&mut first, &mut a), Port::new(&mut second, &mut b)]).poll(now, &mut sockets);
    assert_eq!((a.from_stack.len(), b.from_stack.len()), (0, 0));
    assert_eq!(first.stats().drops(DropReason::NotOurAddress), 1);
}

#[test]
fn without_storage_for_waiting_packets_they_are_dropped_and_counted() {
    let mut wire = Wire::new(Medium::Ethernet);
    let (mut addresses, mut neighbors) = ([None; 1], [const { Neighbor::EMPTY }; 1]);
    let storage = InterfaceStorage {
        addresses: (&mut addresses[..]).into(),
        routes: ManagedSlice::Borrowed(&mut []),
        neighbors: (&mut neighbors[..]).into(),
        packets: PacketPool::new(&mut [][..], &mut [][..], 0),
        groups: ManagedSlice::Borrowed(&mut []),
        fragments: Fragments::new(&mut [][..]),
    };
    let config = Config::new(HardwareAddress::Ethernet(OUR_MAC));
    let mut iface = Interface::with_storage(config, wire.capabilities(), storage);
    iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
    let mut slots = [const { SocketSlot::EMPTY }; 1];
    let mut sockets = SocketSet::new(&mut slots[..], Keys::new([1; 32]));
    let handle = sockets.add(socket());
    assert!(sockets.try_add(socket()).is_err(), "lent slots do not grow");
    sockets.bind(handle, 9_000).unwrap();
    sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", (IpAddress::v4(10, 0, 0, 2), 9)).unwrap();
    iface.poll(Instant::ZERO, &mut wire, &mut sockets);
    assert_eq!(wire.from_stack.len(), 1, "the neighbour is asked for");
    assert_eq!(iface.stats().drops(DropReason::QueueFull), 1);
}

#[test]
fn when_the_link_goes_neighbors_are_forgotten_and_nothing_is_sent() {
    let mut net = Net::ethernet();
    net.meet(PEER_IP);
    net.wire.link = LinkState::DOWN;
    let handle = net.sockets.add(socket());
    net.sockets.bind(handle, 9_000).unwrap();
    net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", (IpAddress::v4(10, 0, 0, 2), 9)).unwrap();
    net.poll();
    assert_eq!(net.iface.neighbor_count(), 0);
    assert!(net.sent().is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::LinkDown), 1);
}
