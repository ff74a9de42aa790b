//! A peer that is connected, and lies or is a nuisance for ever: what it gets for that, and what it costs.

use super::sack::{give_blocks, peer as sacked};
use super::*;

const M: u32 = MSS as u32;

/// One octet of every two, as many blocks as there can be: what is kept of them is bounded, and little is sent for them.
///
/// Covers: RFC 2018 §5
#[test]
fn a_thousand_blocks_cost_no_more_than_a_few() {
    let mut peer = sacked(40_000);
    let mut sent = 0;
    for round in 0..250 {
        let blocks: Vec<_> = (0..4).map(|n| 2 * (4 * round + n) + 1).map(|at| (at, at + 1)).collect();
        give_blocks(&mut peer, &blocks);
        sent += peer.sent().iter().map(|plan| plan.len as usize).sum::<usize>();
    }
    assert!(sent <= 12 * MSS, "{sent} octets for 250 ACKs of nothing new");
    let mut end = peer.ack + 10 * M;
    for _ in 0..200 {
        end = peer.sent().iter().map(|plan| plan.seq + plan.len).fold(end, SeqNum::max);
        peer.ack = end;
        peer.give_ack();
        if peer.socket.send_queue() == 0 {
            return;
        }
        peer.sleep(millis(10));
    }
    panic!("{} octets are left", peer.socket.send_queue());
}

/// The window grows by octets, not by ACKs: who divides them gains nothing.
///
/// Covers: RFC 5681 §3.1
#[test]
fn an_ack_in_a_thousand_pieces_opens_the_window_no_more_than_a_whole_one() {
    let grown = |pieces: u32| {
        let mut peer = Peer::plain(1_000, 200_000);
        peer.socket.send_slice(&[3; 200_000]).unwrap();
        assert_eq!(peer.sent().len(), 10);
        let (before, _) = windows(&peer.socket);
        peer.now += millis(50);
        let first = peer.ack;
        for piece in 1..=pieces {
            peer.ack = first + M * piece / pieces;
            peer.give_ack();
        }
        windows(&peer.socket).0 - before
    };
    assert_eq!(grown(1), M);
    for pieces in [2, 10, 1_000] {
        assert!(grown(pieces) <= M, "{} octets for {pieces} pieces", grown(pieces));
    }
}

/// Who acknowledges what has not arrived yet gets it the sooner, but no more than was ever sent is in flight, and what was
/// not sent can't be acknowledged.
#[test]
fn acks_that_come_too_soon_are_taken_only_for_what_was_sent() {
    let mut peer = Peer::plain(1_000, 60_000);
    peer.socket.send_slice(&[3; 60_000]).unwrap();
    let mut end = peer.ack;
    for _ in 0..200 {
        let sent = peer.sent();
        end = sent.iter().map(|plan| plan.seq + plan.len).fold(end, SeqNum::max);
        let left = peer.socket.send_queue();
        peer.give(Segment { ack: end + 1, ..peer.ack_segment() });
        assert_eq!(peer.socket.send_queue(), left, "beyond what was sent");
        assert!(peer.sent().iter().all(|plan| plan.len == 0), "a challenge at most");
        peer.ack = end;
        peer.give_ack();
        if peer.socket.send_queue() == 0 {
            return;
        }
    }
    panic!("{} octets are left", peer.socket.send_queue());
}

/// Every second octet of the window, over and over: what is kept of them is bounded, each costs one answer at most, and the
/// octets that are missing complete the data.
#[test]
fn single_octets_out_of_order_for_ever_do_no_harm() {
    let mut peer = Peer::plain(10_000, 1_000);
    let data = pattern(10_000, 4);
    let mut answers = 0;
    for round in 0..10 {
        for at in (1..10_000).step_by(2) {
            let at = if round % 2 == 0 { at } else { 10_000 - at };
            let seq = peer.seq + at as u32;
            peer.give(Segment { seq, payload: &data[at..at + 1], ..peer.ack_segment() });
            let sent = peer.sent();
            assert!(sent.len() <= 1 && sent.iter().all(|plan| plan.ack == peer.seq && plan.len == 0));
            answers += sent.len();
        }
        assert!(!peer.socket.can_recv());
    }
    assert!(answers <= 50_000);
    // Now in order.
    let mut got = Vec::new();
    for at in 0..data.len() {
        let seq = peer.seq + at as u32;
        peer.give(Segment { seq, payload: &data[at..at + 1], ..peer.ack_segment() });
        peer.sent();
        got.extend(read_all(&mut peer.socket));
    }
    assert!(got == data, "{} octets", got.len());
}

/// Each probe is answered, so the peer is there; that it takes nothing ends the connection all the same, if the user has
/// set a time for it, and only then.
///
/// Covers: RFC 9293 MUST-37; RFC 5482 §2
#[test]
fn a_window_that_stays_closed_ends_at_the_users_timeout_and_not_before() {
    for timeout in [Some(30), Some(600), None] {
        let mut peer = Peer::plain(1_000, 10_000);
        peer.socket.set_timeout(timeout.map(Duration::from_secs));
        peer.window = 0;
        peer.give_ack();
        peer.socket.send_slice(&[7; 3]).unwrap();
        peer.sleep(Duration::ZERO);
        let begin = peer.now;
        while peer.socket.is_open() && peer.now < begin + Duration::from_secs(3_600) {
            peer.sleep_to_deadline();
            if !peer.sent().is_empty() {
                peer.give_ack();
            }
        }
        let waited = (peer.now - begin).total_millis() / 1_000;
        match timeout {
            Some(timeout) => assert!((timeout - 1..=timeout + 1).contains(&waited), "{waited} s"),
            None => assert!(peer.socket.is_open(), "after {waited} s"),
        }
    }
}

/// Stamps that leap: what they date is taken or not, but the data stay right, and no timeout becomes absurd.
///
/// Covers: RFC 7323 §5.2
#[test]
fn a_clock_that_leaps_does_no_harm() {
    let mut random = random::Random::new(9);
    for _ in 0..200 {
        let mut peer = Peer::with(stamped(20_000, 20_000));
        peer.stamp = Stamp::new(1_000, 0);
        let mut peer = peer.into_connected(Options { mss: 1_460, ..Options::NONE }, 0xffff);
        let data = pattern(4_000, 5);
        let (mut got, mut given) = (Vec::new(), 0);
        for _ in 0..200 {
            let leap = match random.below(4) {
                0 => 0,
                1 => random.below(1_000),
                2 => 1 << 31,
                _ => random.next(),
            };
            peer.stamp = Stamp::new(peer.stamp.value.wrapping_add(leap), random.next());
            let end = (given + random.below(100) as usize).min(data.len());
            let before = peer.socket.recv_queue();
            peer.give(Segment { payload: &data[given..end], ..peer.ack_segment() });
            let is_taken = peer.socket.recv_queue() > before;
            if is_taken {
                peer.seq = peer.seq + (end - given) as u32;
                given = end;
            }
            got.extend(read_all(&mut peer.socket));
            if random.below(4) == 0 {
                let _ = peer.socket.send_slice(&[1; 50]);
            }
            let sent = peer.sent();
            assert!(sent.len() <= 4, "{sent:?}");
            if let Some(plan) = sent.iter().max_by_key(|plan| plan.len) {
                peer.ack = peer.ack.max(plan.seq + plan.len);
            }
            peer.now += millis(u64::from(random.below(50)));
            let Some(at) = peer.socket.deadline(Ticks::from_instant(peer.now)) else { continue };
            let wait = at.to_instant(peer.now).saturating_duration_since(peer.now);
            assert!(wait <= Duration::from_secs(61), "{wait:?}");
        }
        assert!(data.starts_with(&got));
    }
}
