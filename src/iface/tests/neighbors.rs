use super::net::*;
use crate::socket::udp;
use crate::stats::DropReason;
use crate::time::Duration;
use crate::wire::{IpAddress, IpEndpoint};

fn socket() -> udp::Socket<'static> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 4_096]);
    udp::Socket::new(buffer(), buffer())
}

fn endpoint(last: u8) -> IpEndpoint {
    IpEndpoint::new(IpAddress::v4(10, 0, 0, last), 7)
}

#[test]
fn a_request_for_our_address_is_answered_and_teaches_us_the_asker() {
    let mut net = Net::ethernet();
    let answers = net.exchange(arp(1, PEER_MAC, PEER_IP, [0; 6], OUR_IP));
    assert_eq!(answers, [[&PEER_MAC[..], &arp(2, OUR_MAC, OUR_IP, PEER_MAC, PEER_IP)[6..]].concat()]);
    assert_eq!(net.iface.neighbor_count(), 1);
}

#[test]
fn requests_for_others_are_neither_answered_nor_kept() {
    let mut net = Net::ethernet();
    assert!(net.exchange(arp(1, PEER_MAC, PEER_IP, [0; 6], [10, 0, 0, 9])).is_empty());
    assert_eq!(net.iface.neighbor_count(), 0);
}

#[test]
fn an_answer_that_nobody_asked_for_is_not_kept() {
    let mut net = Net::ethernet();
    assert!(net.exchange(arp(2, PEER_MAC, PEER_IP, OUR_MAC, OUR_IP)).is_empty());
    assert_eq!(net.iface.neighbor_count(), 0);
}

#[test]
fn a_neighbor_solicitation_is_answered() {
    let mut net = Net::ethernet();
    let group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1];
    let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &ula(1), &[1, 1], &PEER_MAC].concat();
    let mut frame = ethernet(0x86dd, &icmp6(ula(2), group, 255, body.clone()));
    frame[..6].copy_from_slice(&[0x33, 0x33, 0xff, 0, 0, 1]);
    let answers = net.exchange(frame);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0][..6], PEER_MAC);
    assert_checksums(&answers[0][14..]);
    assert_eq!(answers[0][54..55], [136]);
    assert_eq!(answers[0][58], 0x60, "solicited, override");
    assert_eq!(answers[0][78..86], [2, 1, 2, 0, 0, 0, 0, 1]);

    let routed = ethernet(0x86dd, &icmp6(ula(2), ula(1), 254, body));
    assert!(net.exchange(routed).is_empty(), "RFC 4861 §7.1.1: it crossed a router");
    assert_eq!(net.iface.stats().drops(DropReason::BadNeighborMessage), 1);
}

#[test]
fn a_datagram_waits_for_its_neighbor_and_leaves_when_it_answers() {
    let mut net = Net::ethernet();
    let handle = net.sockets.add(socket());
    net.sockets.bind(handle, 9_000).unwrap();
    net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"hi", endpoint(2)).unwrap();
    net.poll();
    let sent = net.sent();
    assert_eq!(sent, [arp(1, OUR_MAC, OUR_IP, [0; 6], PEER_IP)], "only the question");
    let sent = net.exchange(arp(2, PEER_MAC, PEER_IP, OUR_MAC, OUR_IP));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0][..6], PEER_MAC);
    assert_checksums(&sent[0][14..]);
    assert_eq!(sent[0][42..], *b"hi");
}

#[test]
fn an_unresolved_neighbor_delays_nobody_else() {
    let mut net = Net::ethernet();
    net.meet(PEER_IP);
    let handle = net.sockets.add(socket());
    net.sockets.bind(handle, 9_000).unwrap();
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    socket.send_slice(b"dead", endpoint(99)).unwrap();
    socket.send_slice(b"live", endpoint(2)).unwrap();
    net.poll();
    let datagrams: Vec<_> = net.sent().into_iter().filter(|frame| frame[12..14] == [8, 0]).collect();
    assert_eq!(datagrams.len(), 1);
    assert_eq!(datagrams[0][42..], *b"live");
}

#[test]
fn one_dead_neighbor_takes_only_its_share_of_the_queue() {
    let mut net = Net::ethernet();
    let handle = net.sockets.add(socket());
    net.sockets.bind(handle, 9_000).unwrap();
    for _ in 0..3 {
        let socket = net.sockets.get_mut::<udp::Socket>(handle);
        for _ in 0..8 {
            socket.send_slice(b"dead", endpoint(99)).unwrap();
        }
        net.poll();
    }
    let queued = crate::config::NEIGHBOR_QUEUE_LEN as u32;
    assert_eq!(net.iface.stats().drops(DropReason::QueueFull), 24 - queued);
    for _ in 0..5 {
        net.advance(Duration::from_millis(1_100));
        net.poll();
    }
    assert_eq!(net.iface.stats().drops(DropReason::NeighborUnreachable), queued);
    assert_eq!(net.sent().len(), 3, "three questions, then silence");
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
}

/// Covers: RFC 5227 §1.1, RFC 4861 §7.1.1
#[test]
fn nobody_is_believed_to_be_at_the_address_of_a_group_or_to_have_one_of_ours() {
    let mut net = Net::ethernet();
    let group_mac = [1, 0, 0x5e, 0, 0, 9];
    let solicit = |src: [u8; 16], hardware: [u8; 6]| {
        let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &ula(1), &[1, 1], &hardware].concat();
        ethernet(0x86dd, &icmp6(src, ula(1), 255, body))
    };
    for frame in [
        arp(1, group_mac, PEER_IP, [0; 6], OUR_IP),
        arp(1, PEER_MAC, OUR_IP, [0; 6], OUR_IP),
        arp(1, PEER_MAC, [10, 0, 0, 255], [0; 6], OUR_IP),
        arp(1, PEER_MAC, [224, 0, 0, 1], [0; 6], OUR_IP),
    ] {
        let before = net.iface.stats().drops(DropReason::BadNeighborMessage);
        assert!(net.exchange(frame.clone()).is_empty(), "{frame:?}");
        assert_eq!(net.iface.stats().drops(DropReason::BadNeighborMessage), before + 1);
    }
    // It is asked for, since its option says nothing that could be used.
    let sent = net.exchange(solicit(ula(2), group_mac));
    assert!(sent.len() == 1 && sent[0][54] == 135);
    assert!(net.exchange(solicit(ula(1), PEER_MAC)).is_empty());
    assert!(net.iface.neighbors.known(&crate::wire::Addr::v6(ula(2))).is_none());
    assert_eq!(net.iface.neighbor_count(), 1);
}

/// Covers: RFC 4861 §7
#[test]
fn without_hardware_addresses_there_is_no_neighbor_discovery() {
    let mut net = Net::ip();
    let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &ula(1)].concat();
    assert!(net.exchange(icmp6(ula(2), ula(1), 255, body)).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::BadNeighborMessage), 1);
    assert_eq!(net.iface.neighbor_count(), 0);
}

/// Who asks for us is answered as long as there is a place where the answer can wait for room.
#[test]
fn answers_of_neighbor_discovery_may_fill_the_pool() {
    let mut net = Net::ethernet();
    let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &ula(1), &[1, 1], &PEER_MAC].concat();
    let question = ethernet(0x86dd, &icmp6(ula(2), ula(1), 255, body));
    assert_eq!(net.exchange(question.clone()).len(), 1);
    net.wire.room = 0;
    let places = net.iface.packets.free_count();
    for _ in 0..places {
        net.exchange(question.clone());
    }
    assert_eq!((net.iface.packets.free_count(), net.iface.stats().total_drops()), (0, 0));
    net.exchange(question);
    assert_eq!(net.iface.stats().drops(DropReason::DeviceBusy), 1);
}
