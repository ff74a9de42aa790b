//! TCP from who means no good, or knows no better: what is dropped, what is answered, what is counted.

use super::family::*;
use super::net::*;
use crate::iface::SocketHandle;
use crate::phy::Medium;
use crate::socket::Events;
use crate::socket::tcp::{HalfOpen, Listener, Socket, State};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::wire::tcp::{Flags, Packet, SeqNum};
use crate::wire::{EtherType, IpAddress};

fn socket() -> Socket<'static> {
    let buffer = || SocketBuffer::new(vec![0; 1_000]);
    Socket::new(buffer(), buffer())
}

/// A stack that listens on port 80.
fn listening(medium: Medium) -> (Net, SocketHandle) {
    let mut net = Net::new(medium);
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
    listener.set_buffers(1_000, 1_000, 4);
    let listener = net.sockets.add(listener);
    net.sockets.listen(listener, 80).unwrap();
    (net, listener)
}

fn half_open(net: &Net, listener: SocketHandle) -> usize {
    net.sockets.get::<Listener>(listener).half_open_count()
}

fn addr(text: &str) -> IpAddress {
    text.parse().unwrap()
}

fn syn(src: IpAddress, src_port: u16, dst: IpAddress) -> Vec<u8> {
    tcp(src, dst, (src_port, 80), (1, 0), Flags::SYN, &[], &[])
}

/// Nobody, groups, everybody, and ourselves: the segment known as LAND.
const NO_SOURCES: [&[&str]; 2] = [
    &["0.0.0.0", "224.0.0.1", "239.1.2.3", "255.255.255.255", "10.0.0.255", "10.0.0.1", "127.0.0.1"],
    &["ff02::1", "ff0e::9", "fd00::1", "fe80::1", "::1", "::ffff:10.0.0.2"],
];

/// Everybody whom we are among; `ff02::1:ff00:1` is the group of our own address.
const GROUPS: [&[&str]; 2] =
    [&["224.0.0.1", "255.255.255.255", "10.0.0.255"], &["ff01::1", "ff02::1", "ff02::1:ff00:1"]];

/// Covers: RFC 9293 MUST-63, MUST-57; RFC 1122 §3.2.1.3, §4.2.3.10; RFC 4291 §2.5.2, §2.5.3, §2.7
#[test]
fn a_syn_from_or_to_what_is_no_host_is_dropped_and_counted() {
    for (family, (sources, groups)) in FAMILIES.into_iter().zip(NO_SOURCES.into_iter().zip(GROUPS)) {
        let (mut net, listener) = listening(Medium::Ip);
        let drops = |net: &Net| net.iface.stats().drops(DropReason::BadSource);
        for (count, source) in sources.iter().enumerate() {
            assert!(net.exchange(syn(addr(source), 80, family.ours())).is_empty(), "from {source}");
            assert_eq!(drops(&net), count as u32 + 1, "from {source}");
        }
        let before = drops(&net);
        for (count, group) in groups.iter().enumerate() {
            assert!(net.exchange(syn(family.peer(), 4_000, addr(group))).is_empty(), "to {group}");
            assert_eq!(drops(&net), before + count as u32 + 1, "to {group}");
        }
        assert_eq!(half_open(&net, listener), 0);
        assert_eq!(net.exchange(syn(family.peer(), 4_000, family.ours())).len(), 1);
    }
}

/// One that has no address yet asks by Neighbor Discovery, and by nothing else.
///
/// Covers: RFC 4291 §2.5.2; RFC 9293 MUST-63
#[test]
fn a_segment_from_the_unspecified_address_of_ipv6_is_dropped() {
    let (mut net, listener) = listening(Medium::Ip);
    let ours = FAMILIES[1].ours();
    for flags in [Flags::SYN, Flags::ACK, Flags::RST] {
        let packet = tcp(addr("::"), ours, (4_000, 80), (1, 2), flags, &[], &[]);
        assert!(net.exchange(packet).is_empty(), "{flags:?}");
    }
    assert_eq!(net.iface.stats().drops(DropReason::BadSource), 3);
    assert_eq!(half_open(&net, listener), 0);
}

/// Covers: RFC 1122 §4.2.3.10
#[test]
fn a_syn_in_a_frame_to_everybody_is_dropped() {
    let (mut net, listener) = listening(Medium::Ethernet);
    net.meet(PEER_IP);
    for (family, ether_type) in FAMILIES.into_iter().zip([EtherType::IPV4, EtherType::IPV6]) {
        let mut frame = ethernet(ether_type.0, &syn(family.peer(), 4_000, family.ours()));
        frame[..6].fill(0xff);
        assert!(net.exchange(frame).is_empty());
        assert_eq!(half_open(&net, listener), 0);
    }
}

/// As nmap's scans -sN, -sF and -sX find out where nobody listens, but not who does.
///
/// Covers: RFC 9293 §3.10.7.2
#[test]
fn what_neither_asks_nor_acknowledges_gets_no_answer_from_a_listener() {
    let (mut net, _) = listening(Medium::Ip);
    for flags in [Flags::empty(), Flags::FIN, Flags::FIN | Flags::PSH | Flags::URG] {
        let to = |port| tcp4(PEER_IP, OUR_IP, (4_000, port), (1, 0), flags, &[], &[]);
        assert!(net.exchange(to(80)).is_empty(), "{flags:?}");
        assert_eq!(net.exchange(to(81)).len(), 1, "{flags:?}: nobody listens there");
    }
    assert_eq!(net.iface.stats().drops(DropReason::Unacceptable), 3);
}

/// Damages a segment.
type Spoil = fn(&mut [u8]);

/// Covers: RFC 9293 MUST-3, MUST-7
#[test]
fn a_malformed_segment_is_dropped_by_its_reason() {
    let cases: [(&str, DropReason, Spoil); 6] = [
        ("a bit of the checksum", DropReason::Checksum, |segment| segment[16] ^= 1),
        ("a bit of the payload", DropReason::Checksum, |segment| segment[24] ^= 1),
        ("a header of 16 octets", DropReason::Malformed, |segment| segment[12] = 0x40),
        ("a header beyond the end", DropReason::Truncated, |segment| segment[12] = 0xf0),
        ("an option of no length", DropReason::Malformed, |segment| segment[21] = 0),
        ("an option beyond the header", DropReason::Malformed, |segment| segment[21] = 5),
    ];
    let cases = cases.into_iter().flat_map(|case| FAMILIES.map(|family| (family, case)));
    for (family, (name, reason, spoil)) in cases {
        let (mut net, listener) = listening(Medium::Ip);
        let mut packet = family.tcp((4_000, 80), (1, 0), Flags::SYN, &[200, 4, 0, 0], &[7; 4]);
        let segment = &mut packet[family.header_len()..];
        spoil(segment);
        if reason != DropReason::Checksum {
            sum_again(family, segment);
        }
        assert!(net.exchange(packet).is_empty(), "{family:?}: {name}");
        assert_eq!(net.iface.stats().drops(reason), 1, "{family:?}: {name}");
        assert_eq!(half_open(&net, listener), 0, "{family:?}: {name}");
    }
}

fn sum_again(family: Family, segment: &mut [u8]) {
    use crate::wire::{Addr, checksum};
    segment[16..18].fill(0);
    let [src, dst] = [family.peer(), family.ours()].map(|addr| Addr::try_from(addr).unwrap());
    let pseudo = checksum::pseudo_header(&src, &dst, 6, segment.len() as u32);
    let sum = pseudo.add(checksum::sum(segment)).finish();
    segment[16..18].copy_from_slice(&sum);
}

/// A connection that the peer has opened, and both next numbers.
fn connected(net: &mut Net, local_port: u16) -> (SocketHandle, SeqNum, SeqNum) {
    let handle = net.sockets.add(socket());
    net.sockets.get_mut::<Socket>(handle).set_ack_delay(None);
    net.sockets.get_mut::<Socket>(handle).connect((IpAddress::v4(10, 0, 0, 2), 4_000), local_port).unwrap();
    net.poll();
    let iss = Packet::new_checked(&net.sent()[0][20..]).unwrap().seq_number();
    let flags = Flags::SYN | Flags::ACK;
    net.exchange(tcp4(PEER_IP, OUR_IP, (4_000, local_port), (99, iss.0 + 1), flags, &[], &[]));
    assert_eq!(net.sockets.get::<Socket>(handle).state(), State::Established);
    (handle, SeqNum(100), iss + 1)
}

/// Covers: RFC 9293 MUST-5, MUST-6, MUST-50, MUST-64
#[test]
fn options_of_ip_and_tcp_that_mean_nothing_change_nothing() {
    let mut net = Net::ip();
    let (handle, seq, ack) = connected(&mut net, 80);
    // Unknown ones, at odd places, and a maximum segment size that comes too late.
    let options = [1, 200, 3, 0xff, 1, 2, 4, 0, 1, 253, 2, 0];
    let numbers = (seq.0, ack.0);
    let packet = tcp4(PEER_IP, OUR_IP, (4_000, 80), numbers, Flags::ACK, &options, b"data");
    // Record route, whose room is used up.
    let mut with_ip_options = ipv4(PEER_IP, OUR_IP, 6, &[&[7, 3, 4, 0][..], &packet[20..]].concat());
    with_ip_options[0] = 0x46;
    with_ip_options[10..12].fill(0);
    let sum = crate::wire::checksum::sum(&with_ip_options[..24]).finish();
    with_ip_options[10..12].copy_from_slice(&sum);
    net.exchange(with_ip_options);
    let mut data = [0; 8];
    let socket = net.sockets.get_mut::<Socket>(handle);
    assert_eq!(socket.recv_slice(&mut data), Ok(4));
    socket.send_slice(&[1; 900]).unwrap();
    net.poll();
    assert_eq!(net.sent()[0].len(), 20 + 20 + 536, "the segment size of the SYN, which said none");
}

#[test]
fn a_reset_for_another_connection_ends_only_that() {
    let mut net = Net::ip();
    let (first, seq, _) = connected(&mut net, 80);
    let (second, ..) = connected(&mut net, 81);
    let state = |net: &Net, handle| net.sockets.get::<Socket>(handle).state();
    let rst =
        |src_port, dst_port| tcp4(PEER_IP, OUR_IP, (src_port, dst_port), (seq.0, 0), Flags::RST, &[], &[]);
    for packet in [rst(4_000, 82), rst(4_001, 80), rst(4_001, 81)] {
        assert!(net.exchange(packet).is_empty());
    }
    assert_eq!([state(&net, first), state(&net, second)], [State::Established; 2]);
    net.exchange(rst(4_000, 81));
    assert_eq!([state(&net, first), state(&net, second)], [State::Established, State::Closed]);
}

/// Covers: RFC 9293 MUST-43, MUST-44, MUST-45
#[test]
fn a_connection_has_the_local_address_that_was_asked_for_or_that_the_way_says() {
    let mut net = Net::ip();
    let other = [10, 0, 0, 9];
    net.iface.add_address(crate::wire::IpCidr::new(IpAddress::v4(10, 0, 0, 9), 24)).unwrap();
    let peer = (IpAddress::v4(10, 0, 0, 2), 4_000);
    let source = |net: &mut Net| net.sent().iter().map(|packet| packet[12..16].to_vec()).collect::<Vec<_>>();
    let asked = net.sockets.add(socket());
    net.sockets.get_mut::<Socket>(asked).connect(peer, (IpAddress::v4(10, 0, 0, 9), 80)).unwrap();
    net.poll();
    assert_eq!(source(&mut net), [other]);
    // The same when it is sent again.
    net.advance(crate::time::Duration::from_secs(2));
    net.poll();
    assert_eq!(source(&mut net), [other]);
    let any = net.sockets.add(socket());
    net.sockets.get_mut::<Socket>(any).connect(peer, 81).unwrap();
    net.poll();
    assert_eq!(source(&mut net), [OUR_IP]);
}

/// It was confirmed, which is good for half a minute; but nothing arrives by it.
///
/// Covers: RFC 9293 MUST-20, MUST-49
#[test]
fn a_neighbor_by_whom_nothing_arrives_is_probed() {
    let mut net = Net::ethernet();
    let handle = net.sockets.add(socket());
    net.sockets.get_mut::<Socket>(handle).set_hop_limit(Some(7));
    net.sockets.get_mut::<Socket>(handle).connect((IpAddress::v4(10, 0, 0, 2), 4_000), 80).unwrap();
    net.poll();
    assert_eq!(net.sent().len(), 1, "the question");
    let mut sent = net.exchange(arp(2, PEER_MAC, PEER_IP, OUR_MAC, OUR_IP));
    let (mut syns, mut probe) = (0, None);
    for _ in 0..59 {
        for frame in sent {
            let is_syn = frame[12..14] == [8, 0];
            assert!(!is_syn || frame[22] == 7, "hop limit");
            syns += usize::from(is_syn);
            probe = probe.or(Some((frame, syns)).filter(|_| !is_syn));
        }
        net.advance(crate::time::Duration::from_millis(500));
        net.poll();
        sent = net.sent();
    }
    let (probe, syns) = probe.unwrap();
    assert_eq!((&probe[..6], syns >= 4), (&PEER_MAC[..], true), "not before the third repetition");
}

/// A socket that listens for one connection is asked, and before that comes to nothing a listener takes its port.
#[cfg(feature = "tcp-listen-once")]
#[test]
fn a_port_that_was_taken_meanwhile_is_not_listened_at_again() {
    for ends_by_reset in [true, false] {
        let mut net = Net::ip();
        let single = net.sockets.add(socket());
        net.sockets.listen(single, 80).unwrap();
        let segment = |port, seq, flags| tcp4(PEER_IP, OUR_IP, (port, 80), (seq, 0), flags, &[], &[]);
        assert_eq!(net.exchange(segment(4_000, 7, Flags::SYN)).len(), 1);
        let listener = net.sockets.add(Listener::new(vec![HalfOpen::EMPTY; 2]));
        net.sockets.listen(listener, 80).unwrap();
        while net.sockets.next_ready().is_some() {}
        if ends_by_reset {
            net.exchange(segment(4_000, 8, Flags::RST));
        }
        // Nobody calls the stack but by its own word.
        while let Some(at) = net.iface.poll_at(net.now, &mut net.sockets) {
            net.now = net.now.max(at);
            net.poll();
        }
        assert_eq!(net.sockets.next_ready(), Some((single, Events::ERROR)), "by a reset: {ends_by_reset}");
        assert_eq!(net.sockets.get::<Socket>(single).state(), State::Closed);
        net.sent();
        net.exchange(segment(4_001, 9, Flags::SYN));
        assert_eq!(net.sockets.get::<Listener>(listener).half_open_count(), 1);
    }
}
