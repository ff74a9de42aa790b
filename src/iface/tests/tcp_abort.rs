//! Whatever becomes of an aborted socket before the next poll, its peer gets the reset.

use super::net::*;
use crate::iface::{Budget, SocketHandle, SocketSet};
use crate::rand::Keys;
use crate::socket::Socket;
use crate::socket::tcp::{self, State};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::wire::IpAddress;
use crate::wire::tcp::Flags;

const PEER: IpAddress = IpAddress::v4(10, 0, 0, 2);

fn socket(net: &mut Net, handle: SocketHandle) -> &mut tcp::Socket<'static> {
    net.sockets.get_mut(handle)
}

/// A connection of port 80 with the peer's port; its initial sequence number is 100, and ours is told.
fn open(net: &mut Net, peer_port: u16) -> (SocketHandle, u32) {
    let buffer = || SocketBuffer::new(vec![0; 1_000]);
    let handle = net.sockets.add(tcp::Socket::new(buffer(), buffer()));
    socket(net, handle).listen(80).unwrap();
    let give = |net: &mut Net, seq, ack, flags| {
        net.exchange(tcp4(PEER_IP, OUR_IP, (peer_port, 80), (seq, ack), flags, &[], &[]))
    };
    net.poll();
    let answers = give(net, 100, 0, Flags::SYN);
    let iss = u32::from_be_bytes(answers[0][24..28].try_into().unwrap());
    give(net, 101, iss + 1, Flags::ACK);
    assert_eq!(socket(net, handle).state(), State::Established);
    net.poll();
    net.sent();
    (handle, iss)
}

/// Ports, sequence and acknowledgment number, and flags of what is sent.
fn segments(net: &mut Net) -> Vec<(u16, u16, u32, u32, u8)> {
    net.poll();
    let sent = net.sent();
    let parts = |packet: &Vec<u8>| {
        assert_checksums(packet);
        let short = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        let long = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        (short(20), short(22), long(24), long(28), packet[33])
    };
    sent.iter().map(parts).collect()
}

const RST: u8 = 0x14;

fn reset(peer_port: u16, iss: u32) -> (u16, u16, u32, u32, u8) {
    (80, peer_port, iss + 1, 101, RST)
}

/// Covers: RFC 9293 §3.10.5
#[test]
fn a_socket_that_is_aborted_and_removed_at_once_resets_its_peer() {
    let mut net = Net::ip();
    let (handle, iss) = open(&mut net, 4_000);
    socket(&mut net, handle).abort();
    net.sockets.remove(handle).unwrap();
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), Some(net.now));
    assert_eq!(segments(&mut net), [reset(4_000, iss)]);
    assert_eq!(net.iface.mib().tcp.out_rsts, 1);
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    assert!(segments(&mut net).is_empty());
}

#[test]
fn a_connection_that_is_removed_is_reset_and_comes_out_closed() {
    let mut net = Net::ip();
    let (handle, iss) = open(&mut net, 4_000);
    socket(&mut net, handle).set_hop_limit(Some(255));
    let Some(Socket::Tcp(removed)) = net.sockets.remove(handle) else { panic!("no TCP socket") };
    assert_eq!(removed.state(), State::Closed);
    let handle = net.sockets.add(removed);
    net.poll();
    let sent = net.sent();
    assert_eq!((sent.len(), sent[0][8], sent[0][33]), (1, 255, RST), "with the socket's hop limit");
    assert_eq!(sent[0][24..28], (iss + 1).to_be_bytes());
    socket(&mut net, handle).listen(81).unwrap();
    net.poll();
    assert!(net.sent().is_empty(), "once");
}

#[test]
fn a_socket_that_is_aborted_and_listens_at_once_resets_its_peer_and_listens() {
    for by_set in [false, true] {
        let mut net = Net::ip();
        let (handle, iss) = open(&mut net, 4_000);
        socket(&mut net, handle).abort();
        match by_set {
            true => net.sockets.listen(handle, 80).unwrap(),
            false => socket(&mut net, handle).listen(80).unwrap(),
        }
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), Some(net.now));
        assert_eq!(segments(&mut net), [reset(4_000, iss)]);
        let syn = tcp4(PEER_IP, OUR_IP, (4_000, 80), (900, 0), Flags::SYN, &[], &[]);
        assert_eq!(net.exchange(syn)[0][33], 0x12, "the same ends, anew");
    }
}

#[test]
fn a_socket_that_is_aborted_and_connects_at_once_resets_one_peer_before_it_calls_the_other() {
    for by_set in [false, true] {
        let mut net = Net::ip();
        let (handle, iss) = open(&mut net, 4_000);
        socket(&mut net, handle).abort();
        match by_set {
            true => net.iface.connect(net.now, &mut net.sockets, handle, (PEER, 7), 80).unwrap(),
            false => socket(&mut net, handle).connect((PEER, 7), 80).unwrap(),
        }
        let sent = segments(&mut net);
        assert_eq!(sent[0], reset(4_000, iss));
        assert_eq!((sent.len(), sent[1].1, sent[1].4), (2, 7, 2));
    }
}

/// Who takes the steps one by one may settle nothing before sending.
#[test]
fn a_reset_that_is_found_while_sending_leaves_at_once() {
    let mut net = Net::ip();
    let (handle, iss) = open(&mut net, 4_000);
    socket(&mut net, handle).abort();
    socket(&mut net, handle).connect((PEER, 7), 80).unwrap();
    let Net { now, wire, iface, sockets } = &mut net;
    iface.poll_egress(*now, wire, sockets, &mut crate::iface::NoHandler, Budget::default());
    let sent = net.sent();
    let has_left = sent.iter().any(|packet| packet[33] == RST && packet[24..28] == (iss + 1).to_be_bytes());
    assert!(has_left && sent.len() == 2, "{sent:?}");
    assert!(net.iface.poll_at(net.now, &mut net.sockets) > Some(net.now));
}

/// The device had no room for the reset, so the socket was waiting for some.
#[test]
fn a_reset_that_has_waited_for_room_is_not_lost_by_what_comes_next() {
    let mut net = Net::ip();
    let (handle, iss) = open(&mut net, 4_000);
    net.wire.room = 0;
    socket(&mut net, handle).abort();
    assert!(segments(&mut net).is_empty());
    net.sockets.listen(handle, 80).unwrap();
    assert!(segments(&mut net).is_empty());
    net.wire.room = 9;
    assert_eq!(segments(&mut net), [reset(4_000, iss)]);
}

#[test]
fn a_second_abort_or_a_release_takes_nothing_back() {
    for is_released in [false, true] {
        let mut net = Net::ip();
        let (handle, iss) = open(&mut net, 4_000);
        let data = tcp4(PEER_IP, OUR_IP, (4_000, 80), (101, iss + 1), Flags::ACK, &[], b"unread");
        net.exchange(data);
        socket(&mut net, handle).abort();
        match is_released {
            true => net.sockets.release(handle).unwrap(),
            false => socket(&mut net, handle).abort(),
        }
        assert_eq!(segments(&mut net), [(80, 4_000, iss + 1, 107, RST)]);
    }
}

#[test]
fn more_resets_than_the_queue_holds_are_counted() {
    let mut net = Net::ip();
    let room = crate::config::TCP_RESETS;
    net.sockets = SocketSet::with_capacity(room + 2, Keys::new([7; 32]));
    let opened: Vec<_> = (0..room as u16 + 2).map(|n| open(&mut net, 4_000 + n)).collect();
    for (handle, _) in &opened {
        net.sockets.remove(*handle).unwrap();
    }
    let expected: Vec<_> =
        (4_000..).zip(&opened).map(|(port, (_, iss))| reset(port, *iss)).take(room).collect();
    assert_eq!(segments(&mut net), expected);
    assert_eq!(net.iface.stats().drops(DropReason::QueueFull), 2);
}

#[test]
fn who_knows_nothing_of_a_connection_gets_no_reset() {
    let mut net = Net::ip();
    let buffer = || SocketBuffer::new(vec![0; 1_000]);
    for act in 0..3 {
        let handle = net.sockets.add(tcp::Socket::new(buffer(), buffer()));
        match act {
            0 => {}
            1 => socket(&mut net, handle).listen(80).unwrap(),
            _ => socket(&mut net, handle).connect((PEER, 7), 0).unwrap(),
        }
        net.poll();
        net.sent();
        net.sockets.remove(handle).unwrap();
        assert!(segments(&mut net).is_empty(), "{act}");
    }
}
