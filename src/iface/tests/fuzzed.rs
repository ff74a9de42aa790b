//! What the fuzzers have found, each with a name.

use super::net::*;
use crate::phy::TxChecksum;
use crate::socket::Events;
use crate::socket::tcp::{ConnectError, HalfOpen, Listener, Socket};
use crate::socket::udp;
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::time::Duration;
use crate::wire::checksum::pseudo_header;
use crate::wire::tcp::Flags;
use crate::wire::{Addr, EtherType, IpAddress, IpCidr, IpEndpoint, IpListenEndpoint, Ipv4Address};

fn tcp_socket(len: usize) -> Socket<'static> {
    Socket::new(SocketBuffer::new(vec![0; len]), SocketBuffer::new(vec![0; len]))
}

fn udp_socket() -> udp::Socket<'static> {
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 64]);
    udp::Socket::new(queue(), queue())
}

/// A TCP segment without options or payload from the peer to us, in an Ethernet frame.
fn segment(ports: (u16, u16), seq: u32, ack: u32, flags: u8) -> Vec<u8> {
    let flags = Flags::from_bits_retain(flags);
    ethernet(EtherType::IPV4.0, &tcp4(PEER_IP, OUR_IP, ports, (seq, ack), flags, &[], &[]))
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// The header's sum was in the field, too, which the device then counted twice.
#[test]
fn a_device_that_sums_gets_the_pseudo_headers_sum_alone() {
    let mut net = Net::ethernet();
    net.iface.capabilities.tx_checksum = TxChecksum::TCP;
    let listener = net.sockets.add(Listener::new(vec![HalfOpen::EMPTY]));
    net.sockets.get_mut::<Listener>(listener).set_buffers(64, 64, 1);
    net.sockets.listen(listener, 80).unwrap();
    net.meet(PEER_IP);
    let sent = net.exchange(segment((1_000, 80), 1, 0, SYN));
    let packet = &sent[0][14..];
    let len = packet.len() as u32 - 20;
    let pseudo = pseudo_header(&Addr::v4(OUR_IP), &Addr::v4(PEER_IP), 6, len);
    assert_eq!(packet[36..38], pseudo.partial());
}

/// Covers: RFC 9293 MUST-46
#[test]
fn nobody_connects_to_the_broadcast_address_of_a_network() {
    let mut net = Net::ethernet();
    let handle = net.sockets.add(tcp_socket(64));
    for local in [IpListenEndpoint::from(0), (IpAddress::v4(10, 0, 0, 1), 5_000).into()] {
        let remote = (IpAddress::v4(10, 0, 0, 255), 80);
        let refused = net.iface.connect(net.now, &mut net.sockets, handle, remote, local);
        assert_eq!(refused, Err(ConnectError::Unreachable));
    }
    net.poll();
    assert!(net.sent().is_empty());
}

/// They went to the gateway, in a frame for it alone.
#[test]
fn broadcasts_and_groups_are_sent_on_the_link_although_there_is_a_default_route() {
    let mut net = Net::ethernet();
    net.iface.add_default_ipv4_route(PEER_IP.into()).unwrap();
    net.meet(PEER_IP);
    let handle = net.sockets.add(udp_socket());
    net.sockets.bind(handle, 68).unwrap();
    for to in [IpAddress::v4(255, 255, 255, 255), IpAddress::v4(224, 0, 0, 251)] {
        net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"who", (to, 67)).unwrap();
    }
    net.poll();
    let sent = net.sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0][..6], [0xff; 6]);
    assert_eq!(sent[1][..6], [1, 0, 0x5e, 0, 0, 251]);
}

/// Covers: RFC 4443 §2.2 (b): the source of an error about a packet to a group is one of our addresses.
#[test]
fn an_unknown_option_sent_to_a_group_is_answered_by_an_own_address() {
    let mut net = Net::ip();
    let all_nodes = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let options = [59, 0, 0x81, 4, 0, 0, 0, 0];
    let sent = net.exchange(ipv6(ula(2), all_nodes, 60, 64, &options));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0][8..24], ula(1));
    assert_eq!(sent[0][40..48][..2], [4, 2], "parameter problem, unrecognized option");
    assert_checksums(&sent[0]);
}

/// The frame had an IPv6 packet's room and nothing in it but what the device's memory held.
#[test]
fn a_datagram_from_an_address_of_another_family_is_refused() {
    let mut net = Net::ip();
    let handle = net.sockets.add(udp_socket());
    net.sockets.bind(handle, (IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1), 7)).unwrap();
    let to = IpEndpoint::new(IpAddress::v4(10, 0, 0, 2), 7);
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    assert_eq!(socket.send_slice(b"x", to), Err(udp::SendError::Unaddressable));
}

/// Covers: RFC 1122 §4.1.3.5: an answer to a broadcast datagram has one of our addresses as its source.
#[test]
fn the_echo_of_a_broadcast_datagram_comes_from_our_address() {
    for all in [[255; 4], [10, 0, 0, 255]] {
        let mut net = Net::ip();
        let handle = net.sockets.add(udp_socket());
        net.sockets.bind(handle, 7).unwrap();
        net.exchange(udp4((PEER_IP, 1_000), (all, 7), b"x"));
        let mut data = [0; 8];
        let socket = net.sockets.get_mut::<udp::Socket>(handle);
        let (len, meta) = socket.recv_slice(&mut data).unwrap();
        socket.send_slice(&data[..len], meta).unwrap();
        net.poll();
        let sent = net.sent();
        assert_eq!(sent[0][12..16], OUR_IP);
        assert_checksums(&sent[0]);
    }
}

/// The application that listens by `get_mut` would have slept through the error.
#[test]
fn a_socket_that_is_to_be_bound_or_to_listen_is_a_reason_to_poll_now() {
    let mut net = Net::ethernet();
    let handles = [net.sockets.add(tcp_socket(8)), net.sockets.add(tcp_socket(8))];
    let listener = net.sockets.add(Listener::new(vec![HalfOpen::EMPTY]));
    net.sockets.listen(listener, 80).unwrap();
    let bound = net.sockets.add(udp_socket());
    net.poll();
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    for (handle, port) in [(handles[0], 81), (handles[1], 80)] {
        net.sockets.get_mut::<Socket>(handle).listen(port).unwrap();
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), Some(net.now));
        net.poll();
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    }
    assert_eq!(net.sockets.next_ready(), Some((handles[1], Events::ERROR)));
    net.sockets.get_mut::<udp::Socket>(bound).bind(7).unwrap();
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), Some(net.now));
    net.poll();
    net.sockets.get_mut::<udp::Socket>(bound);
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None, "a mark alone is none");
}

/// Its slot went back to the listener while it was on the list of those that wait for the device.
#[test]
fn a_released_connection_that_is_opened_anew_while_the_device_is_busy_keeps_its_socket() {
    let mut net = Net::ethernet();
    net.meet(PEER_IP);
    let listener = net.sockets.add(Listener::new(vec![HalfOpen::EMPTY]));
    net.sockets.listen(listener, 80).unwrap();
    let lent = net.sockets.add(tcp_socket(64));
    net.sockets.lend(listener, lent).unwrap();
    // The sequence number of a segment that was sent.
    let seq_of = |frame: &[u8]| u32::from_be_bytes(frame[38..42].try_into().unwrap());
    let mut seq = 1_000;
    for busy in [true, false] {
        let sent = net.exchange(segment((1_000, 80), seq, 0, SYN));
        let ours = seq_of(&sent[0]) + 1;
        net.exchange(segment((1_000, 80), seq + 1, ours, ACK));
        let connection = net.sockets.accept(listener).unwrap();
        if !busy {
            break;
        }
        net.sockets.release(connection).unwrap();
        net.poll();
        net.exchange(segment((1_000, 80), seq + 1, ours + 1, ACK));
        // Our last ACK finds no room, and then a new connection begins.
        net.wire.room = 0;
        net.exchange(segment((1_000, 80), seq + 1, ours + 1, FIN | ACK));
        seq += 100_000;
        net.exchange(segment((1_000, 80), seq, 0, SYN));
        net.wire.room = usize::MAX;
        net.poll();
        net.sent();
        seq += 100_000;
        net.exchange(segment((1_000, 80), seq, 0, RST));
    }
    assert_eq!(net.sockets.len(), 2);
}

/// The address was neither an own one nor that of anybody who had sent the packet.
#[test]
fn what_any_address_of_ours_has_sent_in_vain_is_reported_to_nobody() {
    let mut net = Net::ethernet();
    net.iface.set_any_ip(true);
    let from = [10, 0, 0, 77];
    let reset = tcp4(PEER_IP, from, (1_000, 81), (1, 0), Flags::from_bits_retain(SYN), &[], &[]);
    let mut sent = net.exchange(ethernet(EtherType::IPV4.0, &reset));
    for _ in 0..100 {
        net.advance(Duration::from_millis(100));
        net.poll();
        sent.extend(net.sent());
    }
    let is_question = |frame: &Vec<u8>| frame[12..14] == [8, 6] && frame[38..42] == PEER_IP;
    assert!(!sent.is_empty() && sent.iter().all(is_question), "{sent:02x?}");
    assert_eq!(net.iface.stats().drops(DropReason::NeighborUnreachable), 1);
}

/// The peer was somebody in a far network when it began, and is everybody in ours when something is sent again.
///
/// Covers: RFC 1122 §4.2.3.10
#[test]
fn nothing_of_a_connection_goes_to_what_has_become_a_broadcast_address() {
    let mut net = Net::ethernet();
    net.meet(PEER_IP);
    net.iface.add_default_ipv4_route(PEER_IP.into()).unwrap();
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 2]);
    listener.set_buffers(1_000, 1_000, 1);
    let listener = net.sockets.add(listener);
    net.sockets.listen(listener, 80).unwrap();
    let far = [10, 1, 0, 255];
    let from_far = |port: u16, ack: u32, flags: u8| {
        let seq = if flags == SYN { 1_000 } else { 1_001 };
        let flags = Flags::from_bits_retain(flags);
        ethernet(EtherType::IPV4.0, &tcp4(far, OUR_IP, (port, 80), (seq, ack), flags, &[], &[]))
    };
    let is_to_far = |frame: &Vec<u8>| frame[12..14] == [8, 0] && frame[30..34] == far;
    // One is half open, the other a connection with data on its way.
    assert!(net.exchange(from_far(1_000, 0, SYN)).iter().any(is_to_far));
    let sent = net.exchange(from_far(1_001, 0, SYN));
    let ours = u32::from_be_bytes(sent[0][38..42].try_into().unwrap());
    net.exchange(from_far(1_001, ours + 1, ACK));
    let connection = net.sockets.accept(listener).unwrap();
    net.sockets.get_mut::<Socket>(connection).send_slice(b"to one").unwrap();
    net.poll();
    assert!(net.sent().iter().any(is_to_far));

    net.iface.add_address(IpCidr::new(Ipv4Address::new(10, 1, 0, 1).into(), 24)).unwrap();
    for _ in 0..100 {
        net.advance(Duration::from_millis(100));
        net.poll();
        assert_eq!(net.sent().iter().find(|frame| is_to_far(frame)), None);
    }
    // At 1, 3 and 7 s, each of the two.
    assert!(net.iface.stats().drops(DropReason::NoRoute) >= 6);
}
