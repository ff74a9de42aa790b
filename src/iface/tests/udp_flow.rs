//! Connected sockets, shared ports, metadata, and what ICMP says of datagrams.

use super::net::*;
use super::udp::{bound, socket};
use crate::iface::SocketHandle;
use crate::phy::{Medium, RxMeta};
use crate::socket::udp::{self, BindError, ConnectError, SendError};
use crate::socket::{Events, IcmpError, Unreachable};
use crate::stats::DropReason;
use crate::wire::{IpAddress, IpCidr, IpEndpoint};

const PEER: IpEndpoint = IpEndpoint::new(IpAddress::v4(10, 0, 0, 2), 53);

fn connected(net: &mut Net, port: u16, remote: impl Into<IpEndpoint>) -> SocketHandle {
    let handle = bound(net, port);
    net.sockets.get_mut::<udp::Socket>(handle).connect(remote).unwrap();
    net.poll();
    handle
}

fn received(net: &mut Net, handle: SocketHandle) -> usize {
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    let mut count = 0;
    while socket.recv().is_ok() {
        count += 1;
    }
    count
}

/// Covers: RFC 1122 §4.1.3.5
#[test]
fn a_connected_socket_wins_over_an_unconnected_one_on_the_same_port() {
    let mut net = Net::ip();
    let flow = connected(&mut net, 5_000, PEER);
    let open = bound(&mut net, 5_000);
    net.exchange(udp4((PEER_IP, 53), (OUR_IP, 5_000), b"mine"));
    assert_eq!((received(&mut net, flow), received(&mut net, open)), (1, 0));
    // Another port, another host: whoever takes from anybody.
    net.exchange(udp4((PEER_IP, 54), (OUR_IP, 5_000), b"open"));
    net.exchange(udp4(([10, 0, 0, 3], 53), (OUR_IP, 5_000), b"open"));
    assert_eq!((received(&mut net, flow), received(&mut net, open)), (0, 2));
}

#[test]
fn what_is_not_from_the_remote_end_of_the_only_socket_is_refused() {
    let mut net = Net::ip();
    connected(&mut net, 5_000, PEER);
    let answers = net.exchange(udp4((PEER_IP, 54), (OUR_IP, 5_000), b"?"));
    assert_eq!(answers[0][20..22], [3, 3]);
}

#[test]
fn sockets_connected_to_different_ends_share_a_port_and_to_the_same_end_conflict() {
    let mut net = Net::ip();
    let one = connected(&mut net, 5_000, PEER);
    let two = connected(&mut net, 5_000, (IpAddress::v4(10, 0, 0, 3), 53));
    let again = connected(&mut net, 5_000, PEER);
    assert_eq!(net.sockets.get::<udp::Socket>(again).error(), Some(BindError::PortInUse));
    net.exchange(udp4((PEER_IP, 53), (OUR_IP, 5_000), b"1"));
    net.exchange(udp4(([10, 0, 0, 3], 53), (OUR_IP, 5_000), b"2"));
    assert_eq!((received(&mut net, one), received(&mut net, two)), (1, 1));
}

/// One key is for both of them: the own address is no part of it.
#[test]
fn sockets_at_different_addresses_of_ours_may_be_connected_to_the_same_end() {
    let mut net = Net::ip();
    let other = [10, 0, 0, 7];
    net.iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 7), 24)).unwrap();
    let handles = [OUR_IP, other].map(|[a, b, c, d]| {
        let handle = net.sockets.add(socket());
        let socket = net.sockets.get_mut::<udp::Socket>(handle);
        socket.bind((IpAddress::v4(a, b, c, d), 5_000)).unwrap();
        socket.connect(PEER).unwrap();
        net.poll();
        handle
    });
    for (dst, counts) in [(OUR_IP, [1, 0]), (other, [0, 1])] {
        net.exchange(udp4((PEER_IP, 53), (dst, 5_000), b"data"));
        assert_eq!(handles.map(|handle| received(&mut net, handle)), counts, "{dst:?}");
    }
}

#[test]
fn connecting_chooses_a_port_and_sends_there() {
    let mut net = Net::ip();
    let handle = net.sockets.add(socket());
    let client = net.sockets.get_mut::<udp::Socket>(handle);
    assert_eq!(client.send_to_remote(b"x"), Err(SendError::Unaddressable));
    client.connect(PEER).unwrap();
    client.send_to_remote(b"query").unwrap();
    net.poll();
    let port = net.sockets.get::<udp::Socket>(handle).endpoint().port;
    assert!(port >= 49_152);
    assert_eq!(net.sent()[0][20..], udp4((OUR_IP, port), (PEER_IP, 53), b"query")[20..]);
    net.exchange(udp4((PEER_IP, 53), (OUR_IP, port), b"answer"));
    assert_eq!(received(&mut net, handle), 1);
}

#[test]
fn a_socket_can_be_connected_elsewhere_and_to_nobody() {
    let mut net = Net::ip();
    let handle = connected(&mut net, 5_000, PEER);
    net.sockets.get_mut::<udp::Socket>(handle).connect((IpAddress::v4(10, 0, 0, 3), 53)).unwrap();
    net.poll();
    net.exchange(udp4((PEER_IP, 53), (OUR_IP, 5_000), b"old"));
    assert_eq!(received(&mut net, handle), 0);
    net.exchange(udp4(([10, 0, 0, 3], 53), (OUR_IP, 5_000), b"new"));
    assert_eq!(received(&mut net, handle), 1);
    net.sockets.get_mut::<udp::Socket>(handle).disconnect();
    net.poll();
    net.exchange(udp4((PEER_IP, 53), (OUR_IP, 5_000), b"anybody"));
    assert_eq!(received(&mut net, handle), 1);
}

#[test]
fn nobody_is_connected_to_nowhere_or_to_the_other_family() {
    let mut socket = socket();
    assert_eq!(socket.connect((IpAddress::v4(10, 0, 0, 2), 0)), Err(ConnectError::Unaddressable));
    assert_eq!(socket.connect((IpAddress::v4(0, 0, 0, 0), 7)), Err(ConnectError::Unaddressable));
    socket.bind((IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1), 7)).unwrap();
    assert_eq!(socket.connect(PEER), Err(ConnectError::Unaddressable));
    assert_eq!(socket.remote_endpoint(), None);
}

#[test]
fn a_port_is_shared_only_if_both_agree_and_a_group_reaches_both() {
    let mut net = Net::ip();
    let handles: Vec<_> = (0..3).map(|_| net.sockets.add(socket())).collect();
    for &handle in &handles[..2] {
        net.sockets.get_mut::<udp::Socket>(handle).set_port_sharing(true);
        net.sockets.bind(handle, 5_353).unwrap();
    }
    assert_eq!(net.sockets.bind(handles[2], 5_353), Err(BindError::PortInUse));
    net.exchange(udp4((PEER_IP, 1), ([224, 0, 0, 1], 5_353), b"all"));
    assert_eq!((received(&mut net, handles[0]), received(&mut net, handles[1])), (1, 1));
    net.exchange(udp4((PEER_IP, 1), (OUR_IP, 5_353), b"one"));
    assert_eq!(received(&mut net, handles[0]) + received(&mut net, handles[1]), 1);
}

const GROUPS: [&str; 4] = ["239.1.2.3", "239.1.2.4", "ff05::1:3", "ff05::1:4"];

/// A datagram from port 53 of the peer to port 5,000 of whoever is there.
fn to_many(dst: &str) -> Vec<u8> {
    match dst.parse().unwrap() {
        IpAddress::Ipv4(dst) => udp4((PEER_IP, 53), (dst.octets(), 5_000), b"all"),
        IpAddress::Ipv6(dst) => udp6((ula(2), 53), (dst.octets(), 5_000), 64, b"all"),
    }
}

fn peer_of(group: &str) -> IpEndpoint {
    match group.parse().unwrap() {
        IpAddress::Ipv4(_) => PEER,
        IpAddress::Ipv6(_) => IpEndpoint::new(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2), 53),
    }
}

/// A socket at port 5,000, which it shares, with room for a group.
fn sharing(net: &mut Net, remote: Option<IpEndpoint>, group: Option<&str>) -> SocketHandle {
    let mut socket = socket().with_memberships(vec![udp::Membership::EMPTY; 1]);
    socket.set_port_sharing(true);
    socket.bind(5_000).unwrap();
    if let Some(remote) = remote {
        socket.connect(remote).unwrap();
    }
    if let Some(group) = group {
        socket.join_multicast_group(group.parse::<IpAddress>().unwrap(), 0).unwrap();
    }
    let handle = net.sockets.add(socket);
    net.poll();
    assert_eq!(net.sockets.get::<udp::Socket>(handle).error(), None);
    handle
}

/// Covers: RFC 1112 §7.2
#[test]
fn a_connected_socket_hears_of_no_other_groups_than_its_own() {
    let mut net = Net::with_groups(Medium::Ip, 16);
    for group in GROUPS {
        net.iface.join_multicast_group(group.parse::<IpAddress>().unwrap()).unwrap();
    }
    for [mine, others] in [[GROUPS[0], GROUPS[1]], [GROUPS[2], GROUPS[3]]] {
        let member = sharing(&mut net, Some(peer_of(mine)), Some(mine));
        let without = sharing(&mut net, Some(peer_of(mine)), None);
        net.exchange(to_many(others));
        assert_eq!((received(&mut net, member), received(&mut net, without)), (0, 1), "{others}");
        net.exchange(to_many(mine));
        assert_eq!((received(&mut net, member), received(&mut net, without)), (1, 1), "{mine}");
        // If nobody hears it, it is for nobody.
        net.sockets.remove(without);
        let drops = net.iface.stats().drops(DropReason::NoSocket);
        net.exchange(to_many(others));
        assert_eq!(received(&mut net, member), 0);
        assert_eq!(net.iface.stats().drops(DropReason::NoSocket), drops + 1);
        net.sockets.remove(member);
    }
}

/// Covers: RFC 1122 §4.1.3.5, RFC 1112 §7.2
#[test]
fn every_socket_gets_what_is_for_many_those_that_are_connected_to_the_same_end_too() {
    for dst in ["239.1.2.3", "ff05::1:3", "255.255.255.255", "10.0.0.255"] {
        let mut net = Net::with_groups(Medium::Ip, 16);
        let addr: IpAddress = dst.parse().unwrap();
        let _ = net.iface.join_multicast_group(addr);
        let elsewhere = IpEndpoint { port: 54, ..peer_of(dst) };
        let flows = [(); 3].map(|()| sharing(&mut net, Some(peer_of(dst)), None));
        let open = [(); 2].map(|()| sharing(&mut net, None, None));
        let other = sharing(&mut net, Some(elsewhere), None);
        net.exchange(to_many(dst));
        let counts = flows.into_iter().chain(open).map(|handle| received(&mut net, handle));
        assert_eq!(counts.collect::<Vec<_>>(), [1; 5], "{dst}");
        assert_eq!(received(&mut net, other), 0, "{dst}");
        assert_eq!(net.iface.stats().total_drops(), 0);
        // A full one takes nothing from the others.
        (0..3).for_each(|_| drop(net.exchange(to_many(dst))));
        assert_eq!(received(&mut net, flows[0]), 2);
        net.exchange(to_many(dst));
        assert_eq!(received(&mut net, flows[0]), 1);
        assert_eq!(net.iface.stats().drops(DropReason::BufferFull), 1, "the third");
    }
}

/// An error about `quoted`, from `reporter`.
fn error4(reporter: [u8; 4], kind: u8, code: u8, quoted: &[u8]) -> Vec<u8> {
    icmp4(reporter, OUR_IP, [&[kind, code, 0, 0, 0, 0, 0, 0][..], quoted].concat())
}

/// Covers: RFC 1122 §4.1.3.3, RFC 1122 §3.2.2.1
#[test]
fn an_error_reaches_the_socket_whose_datagram_it_quotes() {
    let mut net = Net::ip();
    let flow = connected(&mut net, 5_000, PEER);
    let open = bound(&mut net, 6_000);
    let (router, last) = ([10, 0, 0, 254], [10, 9, 9, 9]);
    net.exchange(error4(PEER_IP, 3, 3, &udp4((OUR_IP, 5_000), (PEER_IP, 53), b"query")));
    assert_eq!(net.sockets.next_ready(), Some((flow, Events::ERROR)));
    let error = net.sockets.get_mut::<udp::Socket>(flow).take_icmp_error();
    let reporter = PEER.addr;
    assert_eq!(error, Some(IcmpError { reason: Unreachable::Port, remote: PEER, reporter }));
    assert_eq!(net.sockets.get_mut::<udp::Socket>(flow).take_icmp_error(), None, "once");
    // Eight octets of the datagram are enough.
    net.exchange(error4(router, 11, 0, &udp4((OUR_IP, 6_000), (last, 9), b"probe")[..28]));
    let error = net.sockets.get_mut::<udp::Socket>(open).take_icmp_error().unwrap();
    assert_eq!((error.reason, error.reporter), (Unreachable::HopLimit, IpAddress::v4(10, 0, 0, 254)));
    assert_eq!(error.remote, IpEndpoint::new(IpAddress::v4(10, 9, 9, 9), 9));
    assert_eq!(error.to_string(), "10.9.9.9:9: hop limit exceeded, says 10.0.0.254");
    assert!(net.sockets.get::<udp::Socket>(flow).is_open(), "it goes on");
}

/// Covers: RFC 1122 §3.2.2, RFC 5927 §4
#[test]
fn an_error_that_quotes_too_little_or_nothing_of_ours_is_ignored() {
    let mut net = Net::ip();
    let flow = connected(&mut net, 5_000, PEER);
    let ours = udp4((OUR_IP, 5_000), (PEER_IP, 53), b"query");
    let mut later_fragment = ours.clone();
    later_fragment[7] = 1;
    let mut short_header = ours.clone();
    short_header[0] = 0x44;
    let cases: [&[u8]; 9] = [
        &ours[..27],
        &ours[..19],
        &[],
        &later_fragment,
        &short_header,
        &udp4((OUR_IP, 5_000), (PEER_IP, 54), b"not the remote port"),
        &udp4((OUR_IP, 5_001), (PEER_IP, 53), b"nobody's port"),
        &udp4(([10, 0, 0, 9], 5_000), (PEER_IP, 53), b"not our address"),
        &udp6((ula(1), 5_000), (ula(2), 53), 64, b"the other family"),
    ];
    for (count, quoted) in cases.into_iter().enumerate() {
        assert!(net.exchange(error4(PEER_IP, 3, 3, quoted)).is_empty());
        assert_eq!(net.iface.stats().drops(DropReason::IcmpMismatch), count as u32 + 1, "case {count}");
    }
    // Source quench is no longer listened to.
    net.exchange(error4(PEER_IP, 4, 0, &ours));
    assert_eq!(net.sockets.get_mut::<udp::Socket>(flow).take_icmp_error(), None);
}

/// Covers: RFC 4443 §2.4, RFC 4443 §3.2
#[test]
fn errors_of_icmpv6_reach_the_socket_too_behind_extension_headers() {
    let mut net = Net::ip();
    let remote = IpEndpoint::new(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2), 53);
    let flow = connected(&mut net, 5_000, remote);
    let mut quoted = udp6((ula(1), 5_000), (ula(2), 53), 64, b"query");
    let too_big = |quoted: &[u8]| [&[2, 0, 0, 0, 0, 0, 5, 0][..], quoted].concat();
    net.exchange(icmp6(ula(9), ula(1), 64, too_big(&quoted)));
    let error = net.sockets.get_mut::<udp::Socket>(flow).take_icmp_error().unwrap();
    assert_eq!((error.reason, error.remote), (Unreachable::TooBig(1_280), remote));
    // With destination options before the datagram.
    quoted[6] = 60;
    quoted.splice(40..40, [17, 0, 1, 4, 0, 0, 0, 0]);
    net.exchange(icmp6(ula(9), ula(1), 64, too_big(&quoted)));
    assert!(net.sockets.get_mut::<udp::Socket>(flow).take_icmp_error().is_some());
    net.exchange(icmp6(ula(9), ula(1), 64, too_big(&quoted[..55])));
    assert!(net.sockets.get_mut::<udp::Socket>(flow).take_icmp_error().is_none());
}

/// Covers: RFC 1122 §4.1.3.5, RFC 1122 §4.1.4
#[test]
fn a_datagram_comes_with_what_its_header_said() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let mut packet = udp4((PEER_IP, 4_000), (OUR_IP, 7), b"four");
    (packet[1], packet[8]) = (0xb8, 17);
    packet[10..12].fill(0);
    let checksum = crate::wire::checksum::sum(&packet[..20]).finish();
    packet[10..12].copy_from_slice(&checksum);
    let meta = RxMeta { timestamp: 77, ..RxMeta::default() };
    net.iface.process::<Tx<'_>>(net.now, &packet, meta, None, &mut net.sockets, &mut crate::iface::NoHandler);
    let (_, meta) = net.sockets.get_mut::<udp::Socket>(handle).recv().unwrap();
    assert_eq!((meta.received.hop_limit, meta.received.traffic_class), (17, 0xb8));
    assert_eq!((meta.received.interface, meta.received.timestamp), (0, 77));
    let mut packet = udp6((ula(2), 4_000), (ula(1), 7), 3, b"six");
    (packet[0], packet[1]) = (0x6b, 0x80);
    net.exchange(packet);
    let (_, meta) = net.sockets.get_mut::<udp::Socket>(handle).recv().unwrap();
    assert_eq!((meta.received.hop_limit, meta.received.traffic_class), (3, 0xb8));
    assert_eq!(meta.local_address, Some(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1)));
}

/// Covers: RFC 1122 §4.1.4, RFC 1112 §6.1
#[test]
fn each_datagram_goes_out_as_the_settings_were_when_it_was_queued() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    socket.send_slice(b"plain", PEER).unwrap();
    socket.set_hop_limit(Some(5));
    socket.set_traffic_class(0x2c);
    socket.send_slice(b"near", PEER).unwrap();
    socket.set_hop_limit(None);
    net.poll();
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    socket.send_slice(b"six", (IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2), 9)).unwrap();
    socket.send_slice(b"group", (IpAddress::v4(224, 0, 0, 251), 9)).unwrap();
    net.poll();
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    socket.set_multicast_hop_limit(9);
    socket.send_slice(b"far group", (IpAddress::v6(0xff05, 0, 0, 0, 0, 0, 0, 9), 9)).unwrap();
    net.poll();
    let sent = net.sent();
    sent.iter().for_each(|packet| assert_checksums(packet));
    let class_and_hops = |packet: &Vec<u8>| match packet[0] >> 4 {
        4 => (packet[1], packet[8]),
        _ => (packet[0] << 4 | packet[1] >> 4, packet[7]),
    };
    let expected = [(0, 64), (0x2c, 5), (0x2c, 64), (0x2c, 1), (0x2c, 9)];
    assert!(sent.iter().map(class_and_hops).eq(expected));
}
