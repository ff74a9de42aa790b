//! Keep-alive, the user's timeout, and that nothing runs without need.

use super::*;

/// Covers: RFC 9293 MUST-25, MUST-28
#[test]
fn an_idle_connection_has_no_timer() {
    let pair = Pair::established(1_000, 1_000);
    assert_eq!(pair.next_at(), None);
}

/// Covers: RFC 9293 MUST-24, MUST-27
#[test]
fn a_keep_alive_is_answered_and_nothing_changes() {
    let mut pair = Pair::established(1_000, 1_000);
    pair.ends[A].set_keep_alive(Some(Duration::from_secs(10)));
    pair.run(Duration::from_secs(65));
    assert_eq!(pair.count(A, Kind::KeepAlive), 6);
    assert_eq!(pair.plans(B).len(), 6);
    assert_eq!(pair.states(), [State::Established; 2]);
    assert!(!pair.ends[B].can_recv());
}

/// Covers: RFC 9293 MUST-26
#[test]
fn a_connection_in_use_needs_no_keep_alive() {
    let mut pair = Pair::established(1_000, 1_000);
    pair.ends[A].set_keep_alive(Some(Duration::from_secs(10)));
    for _ in 0..30 {
        pair.ends[B].send_slice(b"tick").unwrap();
        pair.run(Duration::from_secs(7));
        read_all(&mut pair.ends[A]);
    }
    assert_eq!(pair.count(A, Kind::KeepAlive), 0);
    pair.ends[A].set_keep_alive(None);
    pair.run(Duration::from_secs(100));
    assert_eq!(pair.count(A, Kind::KeepAlive), 0);
    assert_eq!(pair.next_at(), None);
}

/// Covers: RFC 9293 MUST-29
#[test]
fn a_dead_peer_is_noticed_by_keep_alive() {
    let mut pair = Pair::established(1_000, 1_000);
    pair.ends[A].set_keep_alive(Some(Duration::from_secs(10)));
    pair.script(|_, _| Fate::Drop);
    pair.run(Duration::from_secs(95));
    assert_eq!(pair.states()[A], State::Established);
    assert_eq!(pair.count(A, Kind::KeepAlive), 9);
    pair.run(Duration::from_secs(10));
    assert_eq!(pair.ends[A].error(), Some(Error::TimedOut));

    let mut pair = Pair::established(1_000, 1_000);
    pair.ends[A].set_keep_alive(Some(Duration::from_secs(10)));
    pair.ends[A].set_timeout(Some(Duration::from_secs(25)));
    pair.script(|_, _| Fate::Drop);
    pair.run(Duration::from_secs(24));
    assert_eq!(pair.states()[A], State::Established);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.ends[A].error(), Some(Error::TimedOut));
}

/// Covers: RFC 9293 MUST-21
#[test]
fn the_users_timeout_ends_a_silent_connection() {
    let mut peer = Peer::plain(100, 100);
    peer.socket.set_timeout(Some(millis(1_000)));
    peer.sleep(Duration::from_secs(60));
    assert!(peer.socket.is_open(), "nothing is expected of the peer");
    peer.socket.send_slice(b"hello").unwrap();
    peer.sent();
    let mut waited = 0;
    while peer.socket.is_open() {
        waited += peer.sleep_to_deadline();
        peer.sent();
    }
    assert!((990..1_010).contains(&waited), "{waited}");
    assert_eq!(peer.socket.error(), Some(Error::TimedOut));
}

/// Covers: RFC 9293 MUST-22
#[test]
fn the_users_timeout_ends_an_attempt() {
    let mut peer = Peer::connecting(100, 100);
    peer.socket.set_timeout(Some(millis(2_500)));
    peer.sent();
    let mut waited = 0;
    while peer.socket.is_open() {
        waited += peer.sleep_to_deadline();
        peer.sent();
    }
    assert!((2_490..2_510).contains(&waited), "{waited}");
}

#[test]
fn the_round_trip_is_measured() {
    let mut pair = Pair::established(50_000, 50_000);
    transfer(&mut pair, A, &pattern(50_000, 30), Duration::from_secs(2));
    let rtt = pair.ends[A].round_trip_time().unwrap().total_millis();
    assert!((18..=45).contains(&rtt), "{rtt}");
    assert!(pair.ends[B].round_trip_time().is_some(), "from the handshake");
}

/// Covers: RFC 9293 MUST-40
#[test]
fn settings_read_back() {
    let mut socket = socket(1, 1);
    assert_eq!((socket.timeout(), socket.keep_alive(), socket.hop_limit()), (None, None, 64));
    socket.set_timeout(Some(Duration::from_micros(2_048)));
    socket.set_keep_alive(Some(Duration::from_micros(1)));
    socket.set_ack_delay(Some(Duration::from_secs(3)));
    socket.set_hop_limit(Some(1));
    assert_eq!(socket.timeout(), Some(Duration::from_micros(2_048)));
    assert_eq!(socket.keep_alive(), Some(Duration::from_micros(1_024)));
    assert!(socket.ack_delay().unwrap() < millis(500));
    assert_eq!(socket.hop_limit(), 1);
    assert!(socket.nagle_enabled());
}
