//! TIME-WAIT and who comes after it between the same ends (RFC 6191), as the wire sees it.

use super::net::*;
use crate::iface::SocketHandle;
use crate::socket::tcp::{HalfOpen, Listener, Socket};
use crate::stats::DropReason;
use crate::wire::tcp::{Flags, Packet};

const PORTS: (u16, u16) = (4_000, 80);
const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);

/// The option with its padding.
fn stamp(value: u32) -> Vec<u8> {
    [&[1, 1, 8, 10][..], &value.to_be_bytes(), &[0; 4]].concat()
}

/// A stack with a listener, whose connection to the peer is in TIME-WAIT: the peer's clock showed 1,000, its FIN had the
/// number 51.
fn net() -> (Net, SocketHandle) {
    let mut net = Net::ip();
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
    listener.set_buffers(1_000, 1_000, 4);
    let listener = net.sockets.add(listener);
    net.sockets.listen(listener, PORTS.1).unwrap();
    let (_, iss) = give(&mut net, 50, 0, Flags::SYN, &stamp(900));
    give(&mut net, 51, iss + 1, Flags::ACK, &stamp(950));
    let server = net.sockets.accept(listener).unwrap();
    net.sockets.get_mut::<Socket>(server).close();
    net.poll();
    net.sent();
    give(&mut net, 51, iss + 2, Flags::ACK | Flags::FIN, &stamp(1_000));
    assert_eq!(net.sockets.time_wait_count(), 1);
    (net, listener)
}

/// Flags and number of the answer; flags of none if there is no answer.
fn give(net: &mut Net, seq: u32, ack: u32, flags: Flags, options: &[u8]) -> (Flags, u32) {
    let answers = net.exchange(tcp4(PEER_IP, OUR_IP, PORTS, (seq, ack), flags, options, &[]));
    let [answer] = &answers[..] else { return (Flags::empty(), 0) };
    let segment = Packet::new_checked(&answer[20..]).unwrap();
    (segment.flags(), segment.seq_number().0)
}

/// Covers: RFC 6191 §2
#[test]
fn time_wait_gives_way_to_a_later_clock_and_to_nothing_else() {
    let (mut net, _) = net();
    for (seq, options) in [(5_000, stamp(999)), (51, stamp(1_000)), (10, stamp(1_000)), (51, vec![])] {
        let before = net.iface.stats().drops(DropReason::Unacceptable);
        assert_eq!(give(&mut net, seq, 0, Flags::SYN, &options).0, Flags::empty(), "{seq} {options:?}");
        assert_eq!(net.iface.stats().drops(DropReason::Unacceptable), before + 1);
        assert_eq!(net.sockets.time_wait_count(), 1);
    }
    assert_eq!(give(&mut net, 10, 0, Flags::SYN, &stamp(1_001)).0, SYN_ACK);
    assert_eq!(net.sockets.time_wait_count(), 0);
}

/// Covers: RFC 6191 §2
#[test]
fn the_same_clock_or_none_wants_a_higher_number() {
    for options in [stamp(1_000), vec![]] {
        let (mut net, _) = net();
        assert_eq!(give(&mut net, 52, 0, Flags::SYN, &options).0, SYN_ACK, "{options:?}");
    }
}

/// Covers: RFC 6191 §2
#[test]
fn a_listener_without_stamps_asks_for_higher_numbers() {
    let (mut net, listener) = net();
    net.sockets.get_mut::<Listener>(listener).set_timestamps_enabled(false);
    assert_eq!(give(&mut net, 10, 0, Flags::SYN, &stamp(2_000)).0, Flags::empty());
    assert_eq!(give(&mut net, 52, 0, Flags::SYN, &stamp(900)).0, SYN_ACK);
}

/// Nobody would take the new connection, so the old one is spoken for (RFC 9293 §3.10.7.4).
#[test]
fn where_nobody_listens_a_syn_is_answered_for_the_old_connection() {
    let (mut net, listener) = net();
    net.sockets.get_mut::<Listener>(listener).close();
    assert_eq!(give(&mut net, 5_000, 0, Flags::SYN, &stamp(2_000)).0, Flags::ACK);
    assert_eq!(net.sockets.time_wait_count(), 1);
}

/// Covers: RFC 6191 §2
#[test]
fn a_socket_that_listens_by_itself_may_follow_with_a_later_clock() {
    for has_stamps in [true, false] {
        let (mut net, listener) = net();
        net.sockets.remove(listener);
        let buffer = || crate::storage::SocketBuffer::new(vec![0; 1_000]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_timestamps_enabled(has_stamps);
        let socket = net.sockets.add(socket);
        net.sockets.listen(socket, PORTS.1).unwrap();
        let is_answered = give(&mut net, 10, 0, Flags::SYN, &stamp(1_001)).0 == SYN_ACK;
        assert_eq!((is_answered, net.sockets.time_wait_count()), (has_stamps, usize::from(!has_stamps)));
    }
}
