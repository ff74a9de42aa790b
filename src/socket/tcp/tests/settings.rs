//! What is set is read back, and what is not set is as it says.

use super::*;

#[test]
fn what_is_set_on_a_socket_is_read_back() {
    let mut socket = stamped(1_000, 1_000);
    socket.set_ack_delay(Some(millis(100)));
    assert!(socket.ack_delay().is_some_and(|delay| delay.total_millis().abs_diff(100) <= 1));
    socket.set_ack_delay(None);
    assert_eq!(socket.ack_delay(), None);
    for is_enabled in [false, true] {
        socket.set_sack_enabled(is_enabled);
        assert_eq!(socket.sack_enabled(), is_enabled);
    }
    assert_eq!(socket.mtu_probing(), MtuProbing::OnBlackHole);
    for probing in [MtuProbing::Off, MtuProbing::Always] {
        socket.set_mtu_probing(probing);
        assert_eq!(socket.mtu_probing(), probing);
    }
}

#[cfg(feature = "tcp-fastopen")]
#[test]
fn data_goes_with_a_syn_only_if_it_is_asked_for() {
    let mut socket = stamped(1_000, 1_000);
    for is_enabled in [false, true, false] {
        socket.set_fast_open(is_enabled);
        assert_eq!(socket.fast_open(), is_enabled);
    }
}

#[test]
fn what_is_set_on_a_listener_is_read_back() {
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 1]);
    assert!(listener.timestamps_enabled());
    for is_enabled in [false, true] {
        listener.set_timestamps_enabled(is_enabled);
        assert_eq!(listener.timestamps_enabled(), is_enabled);
    }
}

#[cfg(feature = "tcp-options")]
#[test]
fn a_listener_has_room_for_options_and_a_connection_keeps_what_it_began_with() {
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 1]);
    assert_eq!(listener.option_room(), 0);
    listener.set_option_room(8).unwrap();
    assert_eq!(listener.option_room(), 8);
    let mut socket = socket(1_000, 1_000);
    socket.set_option_room(8).unwrap();
    let mut peer = Peer::with(socket).into_connected(Options { mss: 1_460, ..Options::NONE }, 1_000);
    peer.socket.set_option_room(12).unwrap();
    assert_eq!((peer.socket.room().len(), peer.socket.option_room()), (8, 12));
}

/// Who connects is not asked for a sign of life before there is a connection.
///
/// Covers: RFC 9293 MUST-24
#[test]
fn keep_alives_end_no_attempt() {
    let mut peer = Peer::connecting(1_000, 1_000);
    peer.socket.set_keep_alive(Some(millis(500)));
    let began = peer.now;
    while peer.now < began + Duration::from_secs(30) {
        peer.sleep_to_deadline();
        assert!(peer.sent().iter().all(|plan| plan.flags == Flags::SYN));
    }
    assert_eq!(peer.socket.state(), State::SynSent);
}

/// A silence that is longer than the user's timeout ends nothing before the peer was asked.
///
/// Covers: RFC 9293 MUST-26, MUST-29
#[test]
fn who_is_silent_for_long_is_asked_before_it_is_given_up() {
    let mut pair = Pair::established(1_000, 1_000);
    pair.ends[A].set_keep_alive(Some(Duration::from_secs(60)));
    pair.ends[A].set_timeout(Some(Duration::from_secs(30)));
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.states(), [State::Established; 2]);
    assert!(pair.count(A, Kind::KeepAlive) >= 9);
}

/// Covers: RFC 9293 §3.10.4
#[test]
fn a_close_that_lingers_for_no_time_is_an_abort() {
    let mut peer = Peer::plain(1_000, 1_000);
    peer.socket.set_linger(Some(Duration::ZERO));
    peer.socket.close();
    assert_eq!(peer.socket.state(), State::Closed);
    assert_eq!(peer.sent().iter().map(|plan| plan.kind).collect::<Vec<_>>(), [Kind::Reset]);
}

#[cfg(feature = "tcp-info")]
#[test]
fn info_tells_of_the_silence_since_the_last_segment() {
    let mut peer = Peer::plain(1_000, 1_000);
    peer.now += Duration::from_secs(3);
    peer.give_ack();
    peer.now += Duration::from_secs(5);
    let since = peer.socket.info(peer.now).unwrap().last_ack_recv;
    assert!(since.abs_diff(5_000) <= 2, "{since} ms");
}

/// A report is for the discovery of the path's MTU alone.
///
/// Covers: RFC 9293 MUST-56
#[test]
fn a_packet_that_was_too_big_is_no_trouble() {
    use crate::socket::icmp_error::Unreachable;
    let mut peer = Peer::plain(1_000, 1_000);
    peer.socket.send_slice(&[0; 100]).unwrap();
    let seq = peer.sent()[0].seq;
    assert_eq!(peer.socket.on_icmp_error(seq, Unreachable::TooBig(600)), Some(Events::empty()));
    assert_eq!(peer.socket.take_icmp_error(), None);
    assert_eq!(peer.socket.on_icmp_error(seq + 100, Unreachable::TooBig(600)), None);
}

/// Covers: RFC 9293 §3.10.7.3
#[test]
fn the_first_syn_is_new_and_the_others_are_not() {
    let mut peer = Peer::connecting(1_000, 1_000);
    let kinds = |peer: &mut Peer| peer.sent().iter().map(|plan| plan.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&mut peer), [Kind::New]);
    peer.sleep_to_deadline();
    assert_eq!(kinds(&mut peer), [Kind::SynRetransmit]);
}

/// Found by the fuzzer: the segment that a duplicate ACK lets go beyond the window left in the next tick, and no deadline
/// had told of it.
///
/// Covers: RFC 3042 §2
#[test]
fn pacing_waits_for_what_a_duplicate_ack_lets_go() {
    let mut peer = Peer::plain(1_000, 60_000);
    peer.socket.send_slice(&[0; 20 * MSS]).unwrap();
    peer.sent();
    let Socket { phase: Phase::Connection(connection), .. } = &mut peer.socket else { panic!() };
    connection.pace.exhaust();
    assert!(peer.sent().is_empty());
    let before = peer.socket.deadline(Ticks::from_instant(peer.now));
    peer.give_ack();
    assert!(peer.sent().is_empty());
    let next = Ticks::from_instant(peer.now).after(1);
    assert!(before.is_some_and(|before| next.is_before(before)));
    assert_eq!(peer.socket.deadline(Ticks::from_instant(peer.now)), Some(next));
    peer.sleep_to_deadline();
    assert_eq!(peer.sent().len(), 1);
}

/// A window that is full, or holds all there is, holds nothing back: no tick need come for it.
#[test]
fn pacing_waits_only_where_something_is_held_back() {
    let waits = |queued: usize, window: u16| {
        let mut peer = Peer::plain(1_000, 60_000);
        peer.window = window;
        peer.give_ack();
        peer.socket.send_slice(&vec![0; queued]).unwrap();
        peer.sent();
        peer.socket.send_slice(&vec![0; 3 * MSS]).unwrap();
        let cx = context!(peer.keys, peer.now, MTU);
        let Socket { phase: Phase::Connection(connection), side, .. } = &mut peer.socket else { panic!() };
        connection.pace.exhaust();
        let is_waiting = connection.is_to_wait(&cx, side);
        while side.tx.len() > connection.snd.flight() as usize {
            side.tx.dequeue_allocated(1);
        }
        (is_waiting, connection.is_to_wait(&cx, side))
    };
    assert_eq!(waits(2 * MSS, 0xffff), (true, false));
    assert_eq!(waits(10 * MSS, 0xffff), (false, false), "the congestion window is full");
    assert_eq!(waits(2 * MSS, 2 * MSS as u16), (false, false), "the peer's window is");
}

/// What the connection would do is told before it is done.
#[test]
fn there_is_output_when_something_is_to_be_sent() {
    let mut peer = Peer::plain(1_000, 60_000);
    let has_output = |peer: &Peer| peer.socket.has_output(&context!(peer.keys, peer.now, MTU));
    assert!(!has_output(&peer));
    peer.socket.send_slice(&[0; 100]).unwrap();
    assert!(has_output(&peer));
    peer.sent();
    assert!(!has_output(&peer));
    peer.socket.abort();
    assert!(has_output(&peer) && !peer.socket.is_done(), "the reset");
    peer.sent();
    assert!(!has_output(&peer) && peer.socket.is_done());
    assert!(!Peer::plain(1, 1).socket.is_done());
}

/// Covers: RFC 7323 §3.2
#[test]
fn the_stamp_of_a_syn_is_granted_where_stamps_are_wanted() {
    let syn = Stamp::new(5, 0);
    assert_eq!(stamped(1, 1).granted_stamp(&syn), syn);
    assert_eq!(stamped(1, 1).granted_stamp(&Stamp::NONE), Stamp::NONE);
    assert_eq!(socket(1, 1).granted_stamp(&syn), Stamp::NONE);
}

#[cfg(feature = "alloc")]
#[test]
fn a_listener_lets_connections_queue_as_many_slices_as_it_says() {
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 1]);
    listener.set_send_refs(3);
    assert!(listener.source.is_none(), "there is nothing that it could be for");
    listener.set_buffers(1_000, 1_000, 1);
    assert_eq!(listener.source.as_ref().map(|source| source.refs), Some(0));
    listener.set_send_refs(3);
    assert_eq!(listener.source.as_ref().map(|source| source.refs), Some(3));
}
