//! Flush, and how long a close waits.

use super::*;

/// Covers: RFC 9293 §3.9.1.7 (MAY-14)
#[test]
fn flush_sends_what_nagle_holds_and_says_when_all_is_acknowledged() {
    let mut peer = Peer::plain(10_000, 10_000);
    assert_eq!(peer.socket.flush(), Ok(true), "nothing is queued");
    peer.socket.send_slice(b"first").unwrap();
    assert_eq!(peer.sent().len(), 1);
    peer.socket.send_slice(b"second").unwrap();
    assert!(peer.sent().is_empty());
    assert_eq!(peer.socket.flush(), Ok(false));
    assert_eq!(peer.sent()[0].len, 6);
    // What comes after it waits again.
    peer.socket.send_slice(b"third").unwrap();
    assert!(peer.sent().is_empty());
    peer.ack = peer.ack + 11;
    peer.give_ack();
    assert_eq!(peer.sent()[0].len, 5);
    assert_eq!(peer.socket.flush(), Ok(false));
    peer.ack = peer.ack + 5;
    peer.give_ack();
    assert_eq!(peer.socket.flush(), Ok(true));
    peer.socket.abort();
    assert_eq!(peer.socket.flush(), Err(SendError::InvalidState));
}

#[test]
fn a_close_that_lingers_resets_when_its_time_is_over() {
    let mut pair = Pair::established(1_000, 5_000);
    pair.ends[A].set_linger(Some(Duration::from_secs(3)));
    // Nobody reads, so that the window closes.
    pair.ends[A].send_slice(&[1; 5_000]).unwrap();
    pair.ends[A].close();
    pair.run(millis(2_900));
    assert_eq!(pair.states(), [State::FinWait1, State::Established]);
    pair.run(millis(200));
    assert_eq!(pair.states(), [State::Closed; 2]);
    assert_eq!([pair.ends[A].error(), pair.ends[B].error()], [Some(Error::TimedOut), Some(Error::Reset)]);
    assert!(pair.events[A].contains(Events::CLOSED | Events::ERROR));
}

#[test]
fn a_close_that_is_acknowledged_in_time_is_in_order() {
    for keep_alive in [None, Some(Duration::from_secs(1))] {
        let mut pair = Pair::established(1_000, 5_000);
        pair.ends[A].set_linger(Some(Duration::from_secs(3)));
        pair.ends[A].set_keep_alive(keep_alive);
        pair.ends[A].send_slice(&[1; 500]).unwrap();
        pair.ends[A].close();
        pair.run(Duration::from_secs(10));
        assert_eq!(pair.states(), [State::FinWait2, State::CloseWait], "the rest is the peer's affair");
        assert_eq!(pair.count(A, Kind::KeepAlive) > 0, keep_alive.is_some(), "which is watched as before");
        pair.ends[B].close();
        pair.run(millis(100));
        assert_eq!((pair.states(), pair.ends[A].error()), ([State::TimeWait, State::Closed], None));
    }
}

#[test]
fn a_close_that_does_not_linger_is_a_reset() {
    let mut pair = Pair::established(1_000, 5_000);
    pair.ends[A].set_linger(Some(Duration::ZERO));
    assert_eq!(pair.ends[A].linger(), Some(Duration::ZERO));
    pair.ends[A].send_slice(b"lost").unwrap();
    pair.ends[A].close();
    pair.run(millis(50));
    assert_eq!((pair.states(), pair.ends[B].error()), ([State::Closed; 2], Some(Error::Reset)));
    assert_eq!(pair.count(A, Kind::Reset), 1);
}

#[test]
fn a_released_socket_lingers_too() {
    for (linger, over) in [(Duration::from_secs(2), 2_100), (Duration::ZERO, 50)] {
        let mut pair = Pair::established(1_000, 5_000);
        pair.ends[A].set_linger(Some(linger));
        pair.ends[A].send_slice(&[1; 5_000]).unwrap();
        let cx = context!(pair.keys, pair.now, MTU);
        pair.ends[A].orphan(&cx);
        pair.run(millis(over));
        assert_eq!(pair.states(), [State::Closed; 2]);
        assert_eq!(pair.ends[B].error(), Some(Error::Reset));
    }
}

#[test]
fn a_lingering_close_in_the_handshake_counts_from_its_end() {
    let mut pair = Pair::new(1_000, 1_000);
    pair.open();
    pair.run(millis(15));
    pair.ends[B].set_linger(Some(Duration::from_secs(2)));
    pair.ends[B].close();
    pair.script(
        |_, sent| {
            if sent.from == B && sent.plan.flags.contains(Flags::FIN) { Fate::Drop } else { Fate::Pass }
        },
    );
    pair.run(millis(1_900));
    assert_eq!(pair.states()[B], State::FinWait1);
    pair.run(millis(300));
    assert_eq!((pair.states()[B], pair.ends[B].error()), (State::Closed, Some(Error::TimedOut)));
}
