//! Sockets that are tied to one port of a router of two, `forward`'s.

use super::forward::*;
use super::net::*;
use crate::iface::SocketHandle;
use crate::socket::raw::{self, Metadata};
use crate::socket::tcp::{self, ConnectError, HalfOpen, ListenError, Listener};
use crate::socket::udp::{self, BindError, SendError};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::wire::tcp::{Flags, Packet};
use crate::wire::{EtherType, IpAddress, IpEndpoint, IpProtocol, IpVersion};

const OURS: [[u8; 4]; 2] = [OUR_IP, [10, 1, 0, 1]];
const PEERS: [[u8; 4]; 2] = [PEER_IP, [10, 1, 0, 2]];
const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);

fn udp_at(net: &mut Routed, port: u16, interface: Option<u8>) -> (SocketHandle, Result<(), BindError>) {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 400]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.set_interface(interface);
    let handle = net.sockets.add(socket);
    (handle, net.sockets.bind(handle, port))
}

fn udp(net: &mut Routed, handle: SocketHandle) -> &mut udp::Socket<'static> {
    net.sockets.get_mut::<udp::Socket>(handle)
}

/// How many datagrams wait at each.
fn heard<const N: usize>(net: &mut Routed, handles: [SocketHandle; N]) -> [usize; N] {
    handles.map(|handle| std::iter::from_fn(|| udp(net, handle).recv().ok().map(drop)).count())
}

/// A packet comes in by a port, for us.
fn receive(net: &mut Routed, port: usize, packet: &[u8]) {
    let ether_type = if packet[0] >> 4 == 4 { 0x800 } else { 0x86dd };
    net.receive(port, frame(port, ether_type, packet));
}

/// How many frames have left by each port.
fn left(net: &mut Routed) -> [usize; 2] {
    net.poll();
    net.sent().map(|frames| frames.len())
}

fn endpoint(addr: [u8; 4], port: u16) -> IpEndpoint {
    IpEndpoint::new(IpAddress::Ipv4(addr.into()), port)
}

#[test]
fn datagrams_are_for_the_socket_of_their_interface_and_several_share_a_port() {
    let mut net = Routed::new();
    let [first, second] = [0, 1].map(|interface| {
        let (handle, bound) = udp_at(&mut net, 68, Some(interface));
        assert_eq!((bound, udp(&mut net, handle).interface()), (Ok(()), Some(interface)));
        handle
    });
    for interface in [None, Some(0), Some(1)] {
        let (handle, bound) = udp_at(&mut net, 68, interface);
        assert_eq!(bound, Err(BindError::PortInUse), "{interface:?}");
        net.sockets.remove(handle);
    }
    for (port, counts) in [(0, [1, 0]), (1, [0, 1])] {
        receive(&mut net, port, &udp4((PEERS[port], 67), (OURS[port], 68), b"unicast"));
        assert_eq!(heard(&mut net, [first, second]), counts);
        receive(&mut net, port, &udp4((PEERS[port], 67), ([255; 4], 68), b"broadcast"));
        assert_eq!(heard(&mut net, [first, second]), counts);
        receive(&mut net, port, &udp6((ula(2), 67), (ula(1), 68), 64, b"IPv6, to an address of the first"));
        assert_eq!(heard(&mut net, [first, second]), counts);
    }
    // One that is moved to where another is, is refused.
    udp(&mut net, first).set_interface(Some(1));
    net.poll();
    assert_eq!(udp(&mut net, first).error(), Some(BindError::PortInUse));
    assert!(!udp(&mut net, first).is_open());
}

#[test]
fn what_nobody_at_the_interface_takes_is_refused() {
    let mut net = Routed::new();
    let (first, _) = udp_at(&mut net, 68, Some(0));
    net.sent();
    receive(&mut net, 1, &udp4((PEERS[1], 67), (OURS[1], 68), b"x"));
    let [_, sent] = net.sent();
    assert_eq!(sent[0][34..36], [3, 3]);
    udp(&mut net, first).set_interface(None);
    net.poll();
    receive(&mut net, 1, &udp4((PEERS[1], 67), (OURS[1], 68), b"x"));
    assert_eq!(heard(&mut net, [first]), [1]);
}

#[test]
fn datagrams_leave_by_the_interface_of_their_socket_or_not_at_all() {
    let mut net = Routed::new();
    let [first, second] = [0, 1].map(|interface| udp_at(&mut net, 68, Some(interface)).0);
    for (handle, only) in [(first, [1, 0]), (second, [0, 1])] {
        udp(&mut net, handle).send_slice(b"x", endpoint([255; 4], 67)).unwrap();
        assert_eq!(left(&mut net), only);
        let group = IpEndpoint::new(IpAddress::v6(0xff02, 0, 0, 0, 0, 0, 0, 0xfb), 5_353);
        udp(&mut net, handle).send_slice(b"x", group).unwrap();
        assert_eq!(left(&mut net), only);
    }
    // The peer is behind the other one.
    udp(&mut net, first).send_slice(b"x", endpoint(PEERS[1], 67)).unwrap();
    assert_eq!((left(&mut net), net.drops(DropReason::NoRoute)), ([0, 0], 1));
    udp(&mut net, second).send_slice(b"x", endpoint(PEERS[1], 67)).unwrap();
    assert_eq!((left(&mut net), net.drops(DropReason::NoRoute)), ([0, 1], 1));
    let elsewhere = endpoint(PEERS[0], 67).with_zone(1);
    assert_eq!(udp(&mut net, first).send_slice(b"x", elsewhere), Err(SendError::Unaddressable));
    assert_eq!(udp(&mut net, second).send_slice(b"x", elsewhere), Ok(()));
}

/// Covers: RFC 4007 §6
#[test]
fn a_socket_connected_with_a_zone_hears_by_that_interface_whatever_the_address() {
    let mut net = Routed::new();
    let (handle, _) = udp_at(&mut net, 68, None);
    for (zone, counts) in [(None, [1, 1]), (Some(0), [1, 0]), (Some(1), [0, 1])] {
        let remote = IpEndpoint { zone, ..endpoint(PEER_IP, 67) };
        udp(&mut net, handle).connect(remote).unwrap();
        net.poll();
        for (port, count) in counts.into_iter().enumerate() {
            receive(&mut net, port, &udp4((PEER_IP, 67), (OURS[port], 68), b"x"));
            assert_eq!(heard(&mut net, [handle]), [count], "{zone:?} {port}");
        }
    }
}

#[test]
fn errors_are_for_the_socket_of_the_interface_that_they_come_by() {
    let mut net = Routed::new();
    let [first, second] = [0, 1].map(|interface| udp_at(&mut net, 68, Some(interface)).0);
    let quote = udp4((OURS[0], 68), (PEER_IP, 67), b"x");
    for port in [0, 1] {
        let error = icmp4(PEERS[port], OURS[port], [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quote].concat());
        receive(&mut net, port, &error);
        let told = [first, second].map(|handle| udp(&mut net, handle).take_icmp_error().is_some());
        assert_eq!(told, [port == 0, port == 1]);
    }
}

fn listener(net: &mut Routed, interface: Option<u8>) -> (SocketHandle, Result<(), ListenError>) {
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 2]);
    listener.set_buffers(1_000, 1_000, 4);
    listener.set_interface(interface);
    assert_eq!(listener.interface(), interface);
    let handle = net.sockets.add(listener);
    (handle, net.sockets.listen(handle, 80))
}

/// Flags and number of the only answer to a segment that came by a port, which leaves by the same; flags of none if there
/// is no answer.
fn give(net: &mut Routed, port: usize, numbers: (u32, u32), flags: Flags) -> (Flags, u32) {
    receive(net, port, &tcp4(PEERS[port], OURS[port], (4_000, 80), numbers, flags, &[], &[]));
    let sent = net.sent();
    assert!(sent[1 - port].is_empty());
    let [answer] = &sent[port][..] else { return (Flags::empty(), 0) };
    let segment = Packet::new_checked(&answer[34..]).unwrap();
    (segment.flags(), segment.seq_number().0)
}

#[test]
fn listeners_of_different_interfaces_share_a_port_and_each_has_its_connections() {
    let mut net = Routed::new();
    let listeners = [0, 1].map(|interface| listener(&mut net, Some(interface)).0);
    for interface in [None, Some(0), Some(1)] {
        let (handle, listening) = listener(&mut net, interface);
        assert_eq!(listening, Err(ListenError::PortInUse), "{interface:?}");
        net.sockets.remove(handle);
    }
    let mut last = 0;
    for port in [0, 1] {
        let (flags, iss) = give(&mut net, port, (50, 0), Flags::SYN);
        last = iss;
        assert_eq!(flags, SYN_ACK);
        give(&mut net, port, (51, iss + 1), Flags::ACK);
        assert!(!net.sockets.has_accepted(listeners[1 - port]));
        let server = net.sockets.accept(listeners[port]).unwrap();
        let socket = net.sockets.get_mut::<tcp::Socket>(server);
        assert_eq!(socket.remote_endpoint(), Some(endpoint(PEERS[port], 4_000).with_zone(port as u8)));
        // To the end: data, both FINs, the last one again in TIME-WAIT.
        socket.send_slice(b"x").unwrap();
        net.poll();
        assert_eq!(net.sent().map(|sent| sent.len()), if port == 0 { [1, 0] } else { [0, 1] });
        net.sockets.get_mut::<tcp::Socket>(server).close();
        assert_eq!(give(&mut net, port, (51, iss + 2), Flags::ACK).0, Flags::ACK | Flags::FIN);
        assert_eq!(give(&mut net, port, (51, iss + 3), Flags::ACK | Flags::FIN).0, Flags::ACK);
        assert_eq!(net.sockets.time_wait_count(), 1 + port);
        assert_eq!(give(&mut net, port, (51, iss + 3), Flags::ACK | Flags::FIN).0, Flags::ACK);
        net.sockets.release(server).unwrap();
    }
    // Without a listener there, only the record is left.
    net.sockets.remove(listeners[1]);
    net.poll();
    net.sent();
    assert_eq!(give(&mut net, 1, (51, last + 3), Flags::ACK | Flags::FIN).0, Flags::ACK);
    receive(&mut net, 1, &tcp4(PEERS[1], OURS[1], (4_001, 80), (50, 0), Flags::SYN, &[], &[]));
    let [_, sent] = net.sent();
    assert_eq!(Packet::new_checked(&sent[0][34..]).unwrap().flags(), Flags::RST | Flags::ACK);
}

#[test]
fn a_listener_that_is_tied_later_hears_by_its_interface_alone() {
    let mut net = Routed::new();
    let (handle, _) = listener(&mut net, None);
    assert_eq!(give(&mut net, 1, (50, 0), Flags::SYN).0, SYN_ACK);
    net.sockets.get_mut::<Listener>(handle).set_interface(Some(0));
    net.poll();
    assert_eq!(give(&mut net, 1, (60, 0), Flags::SYN).0, Flags::RST | Flags::ACK);
    assert_eq!(give(&mut net, 0, (50, 0), Flags::SYN).0, SYN_ACK);
}

#[test]
fn a_socket_that_listens_for_itself_is_tied_as_a_listener_is() {
    let mut net = Routed::new();
    let handles = [0, 1].map(|interface| {
        let buffer = || SocketBuffer::new(vec![0; 100]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_interface(Some(interface));
        let handle = net.sockets.add(socket);
        net.sockets.listen(handle, 80).unwrap();
        handle
    });
    // What came to nothing leaves it where it was.
    for numbers in [(50, 0), (70, 0)] {
        assert_eq!(give(&mut net, 1, numbers, Flags::SYN).0, SYN_ACK);
        let states = handles.map(|handle| net.sockets.get::<tcp::Socket>(handle).state());
        assert_eq!(states, [tcp::State::Listen, tcp::State::SynReceived]);
        give(&mut net, 1, (numbers.0 + 1, 0), Flags::RST);
        assert_eq!(net.sockets.get::<tcp::Socket>(handles[1]).state(), tcp::State::Listen);
        assert_eq!(net.sockets.get::<tcp::Socket>(handles[1]).interface(), Some(1));
    }
}

/// Opens a connection to a peer of port 1 from 10.1.0.1 port 80.
fn connect(net: &mut Routed, tied: Option<u8>, zone: Option<u8>) -> (SocketHandle, Result<(), ConnectError>) {
    let buffer = || SocketBuffer::new(vec![0; 100]);
    let handle = net.sockets.add(tcp::Socket::new(buffer(), buffer()));
    let socket = net.sockets.get_mut::<tcp::Socket>(handle);
    socket.set_interface(tied);
    let remote = IpEndpoint { zone, ..endpoint(PEERS[1], 4_000) };
    (handle, socket.connect(remote, 80))
}

/// Covers: RFC 4007 §6
#[test]
fn a_connection_goes_by_its_interface_be_it_the_sockets_or_the_zone_of_the_peer() {
    for (tied, zone) in [(Some(1), None), (None, Some(1)), (Some(1), Some(1))] {
        let mut net = Routed::new();
        let (handle, begun) = connect(&mut net, tied, zone);
        assert_eq!(begun, Ok(()));
        net.poll();
        let [_, sent] = net.sent();
        let iss = Packet::new_checked(&sent[0][34..]).unwrap().seq_number().0;
        // By another interface it is none of this connection, nor is an error.
        receive(&mut net, 0, &tcp4(PEERS[1], OURS[1], (4_000, 80), (50, iss + 1), SYN_ACK, &[], &[]));
        assert!(net.sent().concat().iter().all(|frame| frame[47] == Flags::RST.bits()));
        assert_eq!(net.sockets.get::<tcp::Socket>(handle).state(), tcp::State::SynSent);
        let quote = tcp4(OURS[1], PEERS[1], (80, 4_000), (iss, 0), Flags::SYN, &[], &[]);
        let error =
            |port: usize| icmp4(PEERS[port], OURS[port], [&[3, 1, 0, 0, 0, 0, 0, 0][..], &quote].concat());
        let mismatches = net.drops(DropReason::IcmpMismatch);
        receive(&mut net, 0, &error(0));
        assert_eq!(net.drops(DropReason::IcmpMismatch), mismatches + 1);
        receive(&mut net, 1, &error(1));
        assert_eq!(net.drops(DropReason::IcmpMismatch), mismatches + 1, "this one is believed");
        assert_eq!(give(&mut net, 1, (50, iss + 1), SYN_ACK).0, Flags::ACK);
        assert_eq!(net.sockets.get::<tcp::Socket>(handle).state(), tcp::State::Established);
    }
    let mut net = Routed::new();
    assert_eq!(connect(&mut net, Some(0), Some(1)).1, Err(ConnectError::OtherInterface));
    let (handle, begun) = connect(&mut net, Some(0), None);
    assert_eq!(begun, Ok(()));
    net.poll();
    assert_eq!(net.sockets.get::<tcp::Socket>(handle).error(), Some(tcp::Error::Unreachable));
}

fn raw_socket(net: &mut Routed, binding: Option<EtherType>) -> SocketHandle {
    let buffer = || raw::PacketBuffer::new(vec![raw::PacketMetadata::EMPTY; 4], vec![0; 400]);
    let socket = match binding {
        Some(ether_type) => raw::Socket::ethernet(ether_type, buffer(), buffer()),
        None => raw::Socket::new(IpVersion::Ipv4, IpProtocol(253), buffer(), buffer()),
    };
    net.sockets.add(socket)
}

#[test]
fn raw_sockets_hear_and_send_by_their_interface() {
    let mut net = Routed::new();
    let (packets, frames) = (raw_socket(&mut net, None), raw_socket(&mut net, Some(EtherType(0x88b5))));
    for interface in [0, 1] {
        for handle in [packets, frames] {
            let socket = net.sockets.get_mut::<raw::Socket>(handle);
            socket.set_interface(Some(interface));
            assert_eq!(socket.interface(), Some(interface));
        }
        net.poll();
        for port in [0, 1] {
            receive(&mut net, port, &ipv4(PEERS[port], OURS[port], 253, b"x"));
            net.receive(port, frame(port, 0x88b5, b"x"));
            for handle in [packets, frames] {
                let hears = net.sockets.get_mut::<raw::Socket>(handle).recv().is_ok();
                assert_eq!(hears, port == usize::from(interface));
            }
        }
        net.sent();
        let only = [1 - usize::from(interface), usize::from(interface)];
        let socket = net.sockets.get_mut::<raw::Socket>(packets);
        let to_all = Some(IpAddress::v4(255, 255, 255, 255));
        socket.send_payload(1, to_all, Metadata::default()).unwrap();
        assert_eq!(left(&mut net), only);
        let socket = net.sockets.get_mut::<raw::Socket>(frames);
        socket.send_slice(&frame(0, 0x88b5, b"x"), Metadata::default()).unwrap();
        assert_eq!(left(&mut net), only);
        // By the other one it is not for this socket to send.
        let by_other = Metadata::by_interface(1 - interface);
        let before = net.drops(DropReason::NoRoute);
        net.sockets.get_mut::<raw::Socket>(packets).send_payload(1, to_all, by_other).unwrap();
        let socket = net.sockets.get_mut::<raw::Socket>(frames);
        socket.send_slice(&frame(0, 0x88b5, b"x"), by_other).unwrap();
        assert_eq!(left(&mut net), [0, 0]);
        assert_eq!(net.drops(DropReason::NoRoute), before + 2);
    }
}
