use super::net::*;
use crate::iface::{HandleError, SocketHandle};
use crate::phy::Medium;
use crate::socket::Events;
use crate::socket::udp::{self, BindError, RecvError, SendError};
use crate::wire::{IpAddress, IpEndpoint};

pub(super) fn socket() -> udp::Socket<'static> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 100]);
    udp::Socket::new(buffer(), buffer())
}

pub(super) fn bound(net: &mut Net, port: u16) -> SocketHandle {
    let handle = net.sockets.add(socket());
    net.sockets.bind(handle, port).unwrap();
    handle
}

#[test]
fn a_datagram_comes_in_and_its_echo_goes_out() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    assert!(net.exchange(udp4((PEER_IP, 4_000), (OUR_IP, 7), b"echo me")).is_empty());
    assert_eq!(net.sockets.next_ready(), Some((handle, Events::READABLE)));
    assert_eq!(net.sockets.next_ready(), None, "each event is reported once");
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    let mut data = [0; 64];
    let (len, meta) = socket.recv_slice(&mut data).unwrap();
    assert_eq!(&data[..len], b"echo me");
    assert_eq!(meta.local_address, Some(IpAddress::v4(10, 0, 0, 1)));
    socket.send_slice(&data[..len], meta).unwrap();
    net.poll();
    assert_eq!(net.sent()[0][20..], udp4((OUR_IP, 7), (PEER_IP, 4_000), b"echo me")[20..]);
}

#[test]
fn conflicting_binds_are_refused() {
    let mut net = Net::ip();
    bound(&mut net, 7);
    let second = net.sockets.add(socket());
    assert_eq!(net.sockets.bind(second, 7), Err(BindError::PortInUse));
    assert_eq!(net.sockets.bind(second, (IpAddress::v4(10, 0, 0, 1), 7)), Err(BindError::PortInUse));
    net.sockets.bind(second, 8).unwrap();
}

#[test]
fn two_sockets_share_a_port_on_different_addresses() {
    let mut net = Net::ip();
    let (a, b) = (net.sockets.add(socket()), net.sockets.add(socket()));
    net.sockets.bind(a, (IpAddress::v4(10, 0, 0, 1), 7)).unwrap();
    net.sockets.bind(b, (IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1), 7)).unwrap();
    net.exchange(udp4((PEER_IP, 1), (OUR_IP, 7), b"four"));
    assert_eq!(net.sockets.next_ready(), Some((a, Events::READABLE)));
    assert_eq!(net.sockets.next_ready(), None);
}

#[test]
fn a_bind_through_get_mut_settles_at_the_next_poll() {
    let mut net = Net::ip();
    bound(&mut net, 7);
    let late = net.sockets.add(socket());
    net.sockets.get_mut::<udp::Socket>(late).bind(7).unwrap();
    net.poll();
    assert_eq!(net.sockets.next_ready(), Some((late, Events::ERROR)));
    assert_eq!(net.sockets.get::<udp::Socket>(late).error(), Some(BindError::PortInUse));
    assert!(!net.sockets.get::<udp::Socket>(late).is_open());

    let fresh = net.sockets.add(socket());
    net.sockets.get_mut::<udp::Socket>(fresh).bind(8).unwrap();
    net.poll();
    net.exchange(udp4((PEER_IP, 1), (OUR_IP, 8), b"x"));
    assert_eq!(net.sockets.next_ready(), Some((fresh, Events::READABLE)));
}

#[test]
fn rebinding_moves_the_socket() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    assert_eq!(socket.bind(8), Err(BindError::AlreadyOpen));
    socket.close();
    socket.bind(8).unwrap();
    assert_eq!(net.exchange(udp4((PEER_IP, 1), (OUR_IP, 7), b"x"))[0][20], 3, "nobody at the old port");
    net.exchange(udp4((PEER_IP, 1), (OUR_IP, 8), b"x"));
    assert!(net.sockets.get::<udp::Socket>(handle).can_recv());
}

#[test]
fn a_socket_that_was_removed_and_added_again_is_found_again() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let Some(crate::socket::Socket::Udp(socket)) = net.sockets.remove(handle) else { panic!("it is there") };
    let again = net.sockets.add(socket);
    net.exchange(udp4((PEER_IP, 1), (OUR_IP, 7), b"x"));
    assert!(net.sockets.get::<udp::Socket>(again).can_recv());
}

#[test]
fn port_zero_gets_an_ephemeral_port() {
    let mut net = Net::ip();
    let (a, b) = (bound(&mut net, 0), bound(&mut net, 0));
    let port = |handle| net.sockets.get::<udp::Socket>(handle).endpoint().port;
    assert!(port(a) >= 49_152 && port(b) >= 49_152 && port(a) != port(b));
}

#[test]
fn a_stale_or_mistyped_handle_is_an_error() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    assert!(net.sockets.remove(handle).is_some());
    let reused = net.sockets.add(socket());
    assert_ne!(handle, reused);
    assert_eq!(net.sockets.try_get::<udp::Socket>(handle).err(), Some(HandleError::Stale));
    assert!(net.sockets.remove(handle).is_none());
    assert!(net.sockets.try_get::<udp::Socket>(reused).is_ok());
}

#[test]
fn what_can_never_be_sent_has_its_own_error() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    let peer = IpEndpoint::new(IpAddress::v4(10, 0, 0, 2), 9);
    assert_eq!(socket.send_slice(&[0; 101], peer), Err(SendError::TooLarge));
    assert_eq!(socket.send_slice(b"", (IpAddress::v4(10, 0, 0, 2), 0)), Err(SendError::Unaddressable));
    socket.send_slice(&[0; 60], peer).unwrap();
    assert_eq!(socket.send_slice(&[0; 60], peer), Err(SendError::BufferFull));
    let mut closed = self::socket();
    assert_eq!(closed.send_slice(b"", peer), Err(SendError::NotOpen));
    assert_eq!(closed.recv_slice(&mut []).err(), Some(RecvError::Exhausted));
}

#[test]
fn a_group_datagram_goes_to_every_socket_with_the_port() {
    let mut net = Net::ip();
    let (a, b) = (net.sockets.add(socket()), net.sockets.add(socket()));
    let groups = [IpAddress::v4(224, 0, 0, 1), IpAddress::v4(10, 0, 0, 1)];
    net.sockets.bind(a, (groups[0], 7)).unwrap();
    net.sockets.bind(b, (groups[1], 7)).unwrap();
    net.exchange(udp4((PEER_IP, 1), ([224, 0, 0, 1], 7), b"all"));
    assert!(net.sockets.get::<udp::Socket>(a).can_recv());
    assert!(!net.sockets.get::<udp::Socket>(b).can_recv());
}

/// Covers: RFC 1122 §4.1.3.5b
#[test]
fn each_datagram_leaves_from_the_address_that_was_asked_for() {
    let mut net = Net::ip();
    let second = IpAddress::v4(10, 0, 0, 7);
    net.iface.add_address(crate::wire::IpCidr::new(second, 24)).unwrap();
    let handle = bound(&mut net, 7);
    for local in [IpAddress::v4(10, 0, 0, 1), second] {
        let mut meta = udp::Metadata::new((IpAddress::v4(10, 0, 0, 2), 9));
        meta.local_address = Some(local);
        net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", meta).unwrap();
    }
    net.poll();
    let sources: Vec<_> = net.sent().iter().map(|packet| packet[15]).collect();
    assert_eq!(sources, [1, 7], "in one poll, to one peer");
}

/// Covers: RFC 4007 §6
#[test]
fn with_one_link_a_link_local_address_needs_no_zone() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let peer = IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 9);
    net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", (peer, 9)).unwrap();
    let buffer = || crate::storage::SocketBuffer::new(vec![0; 9]);
    let client = net.sockets.add(crate::socket::tcp::Socket::new(buffer(), buffer()));
    let Net { now, iface, sockets, .. } = &mut net;
    iface.connect(*now, sockets, client, (peer, 9), 0).unwrap();
    net.poll();
    let mut protocols: Vec<_> = net.sent().iter().map(|packet| packet[6]).collect();
    protocols.sort_unstable();
    assert_eq!(protocols, [6, 17]);
}

/// Covers: RFC 1122 §4.1.3.5, RFC 1122 §3.3.6
#[test]
fn what_comes_to_all_is_for_all_who_share_the_port_and_one_that_is_full_is_no_loss() {
    let mut net = Net::ethernet();
    let handles = [(); 2].map(|()| {
        let handle = net.sockets.add(socket());
        net.sockets.get_mut::<udp::Socket>(handle).set_port_sharing(true);
        net.sockets.get_mut::<udp::Socket>(handle).bind(7).unwrap();
        handle
    });
    net.poll();
    let to = |hardware: [u8; 6], dst| {
        let mut frame = ethernet(0x800, &udp4((PEER_IP, 1), (dst, 7), b"x"));
        frame[..6].copy_from_slice(&hardware);
        frame
    };
    let heard = |net: &mut Net| {
        handles.map(|handle| usize::from(net.sockets.get_mut::<udp::Socket>(handle).recv().is_ok()))
    };
    net.exchange(to(OUR_MAC, OUR_IP));
    assert_eq!(heard(&mut net).iter().sum::<usize>(), 1, "for one host");
    for frame in
        [to([0xff; 6], OUR_IP), to([0xff; 6], [10, 0, 0, 255]), to([1, 0, 0x5e, 0, 0, 1], [224, 0, 0, 1])]
    {
        net.exchange(frame);
        assert_eq!(heard(&mut net), [1, 1]);
    }
    // Whichever is asked last: the other has room, so that the datagram is not lost.
    for full in handles {
        for _ in 0..2 {
            net.exchange(to([0xff; 6], OUR_IP));
        }
        let other = handles[usize::from(handles[0] == full)];
        while net.sockets.get_mut::<udp::Socket>(other).recv().is_ok() {}
        net.exchange(to([0xff; 6], OUR_IP));
        assert!(net.sockets.get::<udp::Socket>(other).can_recv());
        assert_eq!(net.iface.stats().total_drops(), 0);
        while heard(&mut net) != [0, 0] {}
    }
}

/// Covers: RFC 1122 §3.2.1.3, RFC 1122 §3.2.2
#[test]
fn who_has_no_address_provokes_no_answer_however_often_it_sends() {
    let mut net = Net::ip();
    // Even where there is a way to whoever it is.
    net.iface.add_default_ipv4_route(crate::wire::Ipv4Address::from(PEER_IP)).unwrap();
    net.iface.add_default_ipv6_route(ula(2).into()).unwrap();
    for nth in 0..3 {
        assert!(net.exchange(udp4(([0; 4], 1), (OUR_IP, 9), b"x")).is_empty(), "{nth}");
        assert!(net.exchange(icmp4([0; 4], OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1])).is_empty(), "{nth}");
        assert!(net.exchange(udp6(([0; 16], 1), (ula(1), 9), 64, b"x")).is_empty(), "{nth}");
    }
    assert_eq!(net.exchange(udp4((PEER_IP, 1), (OUR_IP, 9), b"x")).len(), 1);
}

/// Covers: RFC 8200 §4.7, RFC 4443 §2.4 (e.3)
#[test]
fn nobody_hears_of_what_came_to_a_group_or_ends_without_a_protocol() {
    let all_nodes = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let mut net = Net::ip();
    for packet in [
        udp6((ula(2), 1), (all_nodes, 9), 64, b"x"),
        ipv6(ula(2), all_nodes, 200, 64, b"x"),
        ipv6(ula(2), all_nodes, 59, 64, b"x"),
        ipv6(ula(2), ula(1), 59, 64, b"x"),
    ] {
        assert!(net.exchange(packet.clone()).is_empty(), "{packet:?}");
    }
    assert_eq!(net.exchange(ipv6(ula(2), ula(1), 200, 64, b"x")).len(), 1);
}

/// Covers: RFC 768, RFC 1122 §4.1.3.4, RFC 8200 §8.1
#[test]
fn a_checksum_can_be_left_out_over_ipv4_and_never_over_ipv6() {
    for medium in [Medium::Ip, Medium::Ethernet] {
        let mut net = Net::new(medium);
        let link_len = medium.header_len();
        if link_len > 0 {
            net.meet(PEER_IP);
        }
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 4_000]);
        let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
        net.sockets.bind(handle, 5_000).unwrap();
        let v4 = IpEndpoint::new(IpAddress::Ipv4(PEER_IP.into()), 53);
        let v6 = IpEndpoint::new(IpAddress::v6(0xff02, 0, 0, 0, 0, 0, 0, 0xfb), 53);
        for (is_enabled, data) in [(false, 9), (true, 9), (false, 3_000)] {
            let socket = net.sockets.get_mut::<udp::Socket>(handle);
            socket.set_checksum_enabled(is_enabled);
            let data = vec![7; data];
            for remote in [v4, v6] {
                net.sockets.get_mut::<udp::Socket>(handle).send_slice(&data, remote).unwrap();
                net.poll();
                let sent = net.sent();
                let packet = &sent[0][link_len..];
                let is_fragment = sent.len() > 1;
                let at = if remote == v4 { 26 } else { 46 + if is_fragment { 8 } else { 0 } };
                let is_left_out = packet[at..at + 2] == [0, 0];
                assert_eq!(is_left_out, !is_enabled && remote == v4, "{remote} {}", data.len());
                if !is_left_out && !is_fragment {
                    assert_checksums(packet);
                }
            }
        }
        // Nor is what comes without one refused.
        let mut datagram = udp4((PEER_IP, 53), (OUR_IP, 5_000), b"x");
        datagram[26..28].fill(0);
        net.exchange(if link_len == 0 { datagram } else { ethernet(0x800, &datagram) });
        assert!(net.sockets.get_mut::<udp::Socket>(handle).recv().is_ok());
    }
}
