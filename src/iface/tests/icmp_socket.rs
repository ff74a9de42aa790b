//! ICMP sockets: echo, and errors about a port.

use super::family::*;
use super::net::*;
use super::udp::bound;
use crate::iface::SocketHandle;
use crate::socket::icmp::{self, BindError, Endpoint, SendError};
use crate::socket::udp::{self, PacketBuffer, PacketMetadata};
use crate::stats::DropReason;
use crate::wire::IpAddress;

const PEER: IpAddress = IpAddress::v4(10, 0, 0, 2);

fn socket() -> icmp::Socket<'static> {
    let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 2], vec![0; 200]);
    icmp::Socket::new(buffer(), buffer())
}

fn bound_to(net: &mut Net, endpoint: Endpoint) -> SocketHandle {
    let handle = net.sockets.add(socket());
    net.sockets.get_mut::<icmp::Socket>(handle).bind(endpoint).unwrap();
    net.poll();
    handle
}

fn messages(net: &mut Net, handle: SocketHandle) -> Vec<Vec<u8>> {
    let socket = net.sockets.get_mut::<icmp::Socket>(handle);
    let mut all = Vec::new();
    while let Ok((message, _)) = socket.recv() {
        all.push(message.to_vec());
    }
    all
}

fn echo(kind: u8, ident: u16) -> Vec<u8> {
    [&[kind, 0, 0, 0][..], &ident.to_be_bytes(), &[0, 1], b"data"].concat()
}

/// Covers: RFC 1122 §3.2.2.6
#[test]
fn a_ping_goes_out_and_its_reply_comes_to_whoever_has_the_identifier() {
    let mut net = Net::ip();
    let (ours, others) = (bound_to(&mut net, Endpoint::Ident(7)), bound_to(&mut net, Endpoint::Ident(8)));
    let socket = net.sockets.get_mut::<icmp::Socket>(ours);
    socket.set_hop_limit(Some(9));
    socket.send_slice(&echo(8, 7), PEER).unwrap();
    net.poll();
    let sent = net.sent();
    assert_checksums(&sent[0]);
    assert_eq!((sent[0][8], &sent[0][24..]), (9, &echo(8, 7)[4..]));
    net.exchange(icmp4(PEER_IP, OUR_IP, echo(0, 7)));
    assert!(messages(&mut net, others).is_empty());
    let socket = net.sockets.get_mut::<icmp::Socket>(ours);
    let (message, meta) = socket.recv().unwrap();
    assert_eq!(message[4..], echo(0, 7)[4..]);
    assert_eq!((meta.address, meta.local_address), (PEER, Some(IpAddress::v4(10, 0, 0, 1))));
    assert_eq!(meta.received.hop_limit, 64);
    // A reply that nobody waits for, and one whose checksum is wrong.
    net.exchange(icmp4(PEER_IP, OUR_IP, echo(0, 9)));
    assert_eq!(net.iface.stats().drops(DropReason::NoSocket), 1);
    let mut broken = icmp4(PEER_IP, OUR_IP, echo(0, 7));
    *broken.last_mut().unwrap() ^= 1;
    net.exchange(broken);
    assert!(messages(&mut net, ours).is_empty());
}

#[test]
fn a_socket_pings_over_ipv6_too_and_the_stack_still_answers_requests() {
    let mut net = Net::ip();
    let handle = bound_to(&mut net, Endpoint::Ident(7));
    let peer = IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2);
    net.sockets.get_mut::<icmp::Socket>(handle).send_slice(&echo(128, 7), peer).unwrap();
    net.poll();
    let sent = net.sent();
    assert_checksums(&sent[0]);
    assert_eq!((sent[0][6], sent[0][40]), (58, 128));
    net.exchange(icmp6(ula(2), ula(1), 64, echo(129, 7)));
    assert_eq!(messages(&mut net, handle).len(), 1);
    let answers = net.exchange(icmp6(ula(2), ula(1), 64, echo(128, 7)));
    assert_eq!(answers[0][40], 129);
    assert!(messages(&mut net, handle).is_empty(), "a request is no reply");
}

/// A datagram of ours to the peer.
fn datagram(family: Family, src_port: u16, dst_port: u16, data: &[u8]) -> Vec<u8> {
    if family.is_v4() {
        udp4((OUR_IP, src_port), (PEER_IP, dst_port), data)
    } else {
        udp6((ula(1), src_port), (ula(2), dst_port), 64, data)
    }
}

/// An echo message of ours to the peer.
fn our_echo(family: Family, kind: u8) -> Vec<u8> {
    if family.is_v4() {
        icmp4(OUR_IP, PEER_IP, echo(kind, 7))
    } else {
        icmp6(ula(1), ula(2), 64, echo(kind, 7))
    }
}

/// Covers: RFC 1122 §3.2.2.4; RFC 4443 §2.4
#[test]
fn an_error_about_an_echo_or_a_port_comes_whole_to_the_socket_bound_to_it() {
    // Hop limit exceeded; echo request and reply.
    for (family, (kind, request, reply)) in FAMILIES.into_iter().zip([(11, 8, 0), (3, 128, 129)]) {
        let mut net = Net::ip();
        let ping = bound_to(&mut net, Endpoint::Ident(7));
        let udp = bound_to(&mut net, Endpoint::Udp(5_000.into()));
        let elsewhere = bound_to(&mut net, Endpoint::Udp((family.host(9), 5_000).into()));
        let tcp = bound_to(&mut net, Endpoint::Tcp(5_000.into()));
        let at = family.header_len();
        let error = |quoted: &[u8]| family.icmp(254, [&[kind, 0, 0, 0, 0, 0, 0, 0][..], quoted].concat());
        let probe = datagram(family, 5_000, 33_434, b"probe");
        net.exchange(error(&probe));
        let shown = messages(&mut net, udp);
        assert_eq!((shown[0][0], &shown[0][8..]), (kind, &probe[..]));
        assert!(messages(&mut net, tcp).is_empty() && messages(&mut net, elsewhere).is_empty());
        net.exchange(error(&ip(family.ours(), family.peer(), 6, &[0x13, 0x88, 0, 80, 1, 2, 3, 4])));
        assert_eq!((messages(&mut net, tcp).len(), messages(&mut net, udp).len()), (1, 0));
        net.exchange(error(&our_echo(family, request)));
        assert_eq!(messages(&mut net, ping).len(), 1);
        net.exchange(error(&our_echo(family, request)[..at + 7]));
        net.exchange(error(&our_echo(family, reply)));
        assert!(messages(&mut net, ping).is_empty(), "too short a quote, and one of a reply");
    }
}

#[test]
fn the_udp_socket_and_the_icmp_socket_both_hear_of_an_error() {
    for (family, (kind, code)) in FAMILIES.into_iter().zip([(3, 3), (1, 4)]) {
        let mut net = Net::ip();
        let udp = bound(&mut net, 5_000);
        let icmp = bound_to(&mut net, Endpoint::Udp(5_000.into()));
        let quoted = datagram(family, 5_000, 53, b"");
        net.exchange(family.icmp(2, [&[kind, code, 0, 0, 0, 0, 0, 0][..], &quoted].concat()));
        assert_eq!(messages(&mut net, icmp).len(), 1);
        assert!(net.sockets.get_mut::<udp::Socket>(udp).take_icmp_error().is_some());
    }
}

#[test]
fn wrong_use_has_its_own_error() {
    let mut socket = socket();
    assert_eq!(socket.send_slice(&echo(8, 7), PEER), Err(SendError::NotOpen));
    assert_eq!(socket.bind(Endpoint::Unspecified), Err(BindError::Unaddressable));
    assert_eq!(socket.bind(Endpoint::Udp(0.into())), Err(BindError::Unaddressable));
    socket.bind(Endpoint::Ident(7)).unwrap();
    assert_eq!(socket.bind(Endpoint::Ident(8)), Err(BindError::AlreadyOpen));
    assert_eq!(socket.send_slice(&[8; 7], PEER), Err(SendError::TooShort));
    assert_eq!(socket.send_slice(&[8; 201], PEER), Err(SendError::TooLarge));
    assert_eq!(socket.send_slice(&[8; 8], IpAddress::v4(0, 0, 0, 0)), Err(SendError::Unaddressable));
    socket.send_slice(&[8; 150], PEER).unwrap();
    assert_eq!(socket.send_slice(&[8; 150], PEER), Err(SendError::BufferFull));
    assert!(!socket.can_recv() && socket.recv_slice(&mut []).is_err());
    socket.close();
    assert!(!socket.is_open() && !socket.can_send());
}
