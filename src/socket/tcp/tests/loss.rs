//! Segments that are lost, late or doubled.

use super::*;

/// Covers: RFC 9293 MUST-19, MUST-20
#[test]
fn a_lone_segment_is_repeated_ever_less_often() {
    let mut peer = Peer::plain(100, 1_000);
    peer.socket.send_slice(b"hello").unwrap();
    assert_eq!(peer.sent()[0].kind, Kind::New);
    let mut waits = Vec::new();
    while peer.socket.is_open() {
        waits.push(peer.sleep_to_deadline());
        let sent = peer.sent();
        if peer.socket.is_open() {
            assert_eq!((sent[0].kind, sent[0].len), (Kind::RtoRetransmit, 5));
        } else {
            assert_eq!(sent[0].kind, Kind::Reset);
        }
    }
    assert_eq!(waits.len(), usize::from(config::TCP_DATA_RETRIES) + 1);
    assert!((200..=203).contains(&waits[0]) && (400..=403).contains(&waits[1]), "{waits:?}");
    assert!(waits[12] >= 59_000 && waits[12] <= 60_001, "{waits:?}");
    assert_eq!(peer.socket.error(), Some(Error::TimedOut));
}

#[test]
fn after_a_timeout_the_window_is_one_segment() {
    let mut peer = Peer::plain(100, 50_000);
    peer.socket.send_slice(&[0; 30_000]).unwrap();
    assert_eq!(peer.sent().len(), 10);
    peer.sleep_to_deadline();
    let sent = peer.sent();
    assert_eq!((sent.len(), sent[0].seq, sent[0].kind), (1, peer.ack, Kind::RtoRetransmit));
    peer.ack = peer.ack + MSS as u32;
    peer.give_ack();
    assert_eq!(peer.sent().len(), 2, "slow start");
    // What was there already is not sent again.
    peer.ack = peer.ack + 9 * MSS as u32;
    peer.give_ack();
    let sent = peer.sent();
    assert!(sent.iter().all(|plan| plan.kind == Kind::New && plan.seq.ge(peer.ack)), "{sent:?}");
}

#[test]
fn progress_however_slow_keeps_a_connection_alive() {
    let mut peer = Peer::plain(100, 100_000);
    peer.socket.send_slice(&[0; 90_000]).unwrap();
    peer.sent();
    for _ in 0..3 * u32::from(config::TCP_DATA_RETRIES) {
        // Two are sent after each ACK, and the second is always lost.
        peer.sleep_to_deadline();
        peer.sent();
        peer.ack = peer.ack + MSS as u32;
        peer.give_ack();
        peer.sent();
    }
    assert_eq!(peer.socket.state(), State::Established);
}

/// Covers: RFC 5681 §3.2, RFC 3042
#[test]
fn three_duplicates_repeat_the_first_segment() {
    let mut peer = Peer::plain(100, 50_000);
    peer.socket.send_slice(&[0; 40_000]).unwrap();
    assert_eq!(peer.sent().len(), 10);
    for n in 1..=2 {
        peer.give_ack();
        assert_eq!(peer.sent().len(), 1, "limited transmit {n}");
    }
    peer.give_ack();
    let sent = peer.sent();
    assert_eq!((sent[0].kind, sent[0].seq, sent[0].len), (Kind::FastRetransmit, peer.ack, MSS as u32));
    assert_eq!(sent.len(), 1, "the window was halved");
}

/// Covers: RFC 6582 §3.2
#[test]
#[cfg(feature = "tcp-many-holes")]
fn two_losses_in_a_window_need_no_timeout() {
    for lost in [vec![2], vec![0, 5], vec![1, 2, 3], vec![0, 2, 4, 6], vec![9]] {
        let mut pair = Pair::established_without_sack(100_000, 100_000);
        lose(&mut pair, &lost);
        let data = pattern(90_000, 9);
        transfer(&mut pair, A, &data, Duration::from_secs(3));
        assert_eq!(pair.count(A, Kind::RtoRetransmit), 0, "lost {lost:?}");
        assert_eq!(pair.count(A, Kind::FastRetransmit), 1, "lost {lost:?}");
        assert_eq!(pair.count(A, Kind::PartialAckRetransmit), lost.len() - 1, "lost {lost:?}");
    }
}

#[test]
fn a_lost_retransmission_waits_for_the_timer() {
    let mut pair = Pair::established_without_sack(100_000, 100_000);
    let mut dropped = 0;
    pair.script = Box::new(move |sent| {
        let is_first = sent.plan.offset == 0 && sent.plan.len > 0 && sent.from == A;
        if is_first && dropped < 3 {
            dropped += 1;
            return Fate::Drop;
        }
        Fate::Pass
    });
    transfer(&mut pair, A, &pattern(50_000, 10), Duration::from_secs(5));
    assert!(pair.count(A, Kind::RtoRetransmit) > 0);
}

#[test]
fn duplicates_and_late_segments_do_no_harm() {
    let mut pair = Pair::established(30_000, 30_000);
    pair.script(|n, _| match n % 5 {
        0 => Fate::Twice,
        2 => Fate::Late(7),
        3 => Fate::Late(25),
        _ => Fate::Pass,
    });
    transfer(&mut pair, A, &pattern(200_000, 11), Duration::from_secs(60));
    transfer(&mut pair, B, &pattern(200_000, 12), Duration::from_secs(60));
}

#[test]
fn a_hole_is_told_at_once_and_so_is_its_filling() {
    let mut peer = Peer::plain(10_000, 100);
    let data = pattern(4_000, 13);
    let seq = peer.seq;
    for at in [1_000, 2_000, 3_000] {
        let out =
            peer.give(Segment { seq: seq + at as u32, payload: &data[at..at + 1_000], ..peer.ack_segment() });
        assert!(out.is_taken());
        let acks = peer.sent();
        assert_eq!((acks.len(), acks[0].ack, acks[0].kind), (1, seq, Kind::DupAck));
    }
    assert!(!peer.socket.can_recv());
    peer.give(Segment { payload: &data[..1_000], ..peer.ack_segment() });
    assert_eq!(peer.sent()[0].ack, seq + 4_000);
    assert_eq!(read_all(&mut peer.socket), data);
}

#[test]
fn each_segment_beyond_a_hole_has_its_own_duplicate() {
    let mut peer = Peer::plain(50_000, 100);
    let seq = peer.seq;
    peer.give(Segment { payload: &[0; 1_000], ..peer.ack_segment() });
    for n in 2..=6 {
        peer.give(Segment { seq: seq + n * 1_000, payload: &[0; 1_000], ..peer.ack_segment() });
    }
    let acks = peer.sent();
    assert_eq!(acks.len(), 6, "one for what is new, and five duplicates");
    assert!(acks.iter().all(|plan| plan.ack == seq + 1_000));
    peer.give(Segment { seq: seq + 7_000, payload: &[0; 1_000], ..peer.ack_segment() });
    peer.give(Segment { seq: seq + 1_000, payload: &[0; 1_000], ..peer.ack_segment() });
    let acks = peer.sent();
    assert_eq!((acks.len(), acks[0].ack), (1, seq + 8_000), "filled: none is needed any more");
}

#[test]
fn overlapping_segments_join() {
    let mut peer = Peer::plain(10_000, 100);
    let data = pattern(3_000, 14);
    let seq = peer.seq;
    for (from, to) in [(500, 1_500), (1_000, 2_500), (2_400, 3_000), (0, 600), (0, 3_000)] {
        peer.give(Segment { seq: seq + from as u32, payload: &data[from..to], ..peer.ack_segment() });
    }
    assert_eq!(read_all(&mut peer.socket), data);
    assert_eq!(peer.sent()[0].ack, seq + 3_000);
}

#[test]
fn more_holes_than_can_be_kept_cost_only_time() {
    let mut pair = Pair::established(60_000, 60_000);
    let mut random = random::Random::new(3);
    pair.script(
        move |_, sent| {
            if sent.plan.len > 0 && random.below(4) == 0 { Fate::Drop } else { Fate::Pass }
        },
    );
    transfer(&mut pair, A, &pattern(100_000, 15), Duration::from_secs(600));
}

#[test]
fn a_lost_fin_is_repeated() {
    for lost in 0..4 {
        let mut pair = Pair::established(1_000, 1_000);
        pair.script(move |n, _| if n == lost { Fate::Drop } else { Fate::Pass });
        pair.ends[A].close();
        pair.run(millis(15));
        pair.ends[B].close();
        pair.run(Duration::from_secs(10));
        let end = if lost == 0 { State::TimeWait } else { State::Closed };
        assert_eq!(pair.states(), [State::TimeWait, end], "lost {lost}");
    }
}

#[test]
fn a_fin_that_overtakes_its_data_is_remembered() {
    let mut peer = Peer::plain(10_000, 100);
    let data = pattern(2_000, 16);
    let seq = peer.seq;
    let fin = Flags::ACK | Flags::FIN;
    peer.give(Segment { seq: seq + 1_000, payload: &data[1_000..], flags: fin, ..peer.ack_segment() });
    assert_eq!(peer.socket.state(), State::Established);
    assert_eq!(peer.sent()[0].ack, seq);
    let out = peer.give(Segment { payload: &data[..1_000], ..peer.ack_segment() });
    assert_eq!(out.events, Events::READABLE | Events::PEER_CLOSED);
    assert_eq!(peer.sent()[0].ack, seq + 2_001);
    assert_eq!(peer.socket.state(), State::CloseWait);
    assert_eq!(read_all(&mut peer.socket), data);
    assert_eq!(peer.socket.recv_slice(&mut [0]), Err(RecvError::Finished));
}

/// Covers: RFC 5681 §4.1
#[test]
fn after_a_silence_the_window_starts_anew() {
    let mut pair = Pair::established(1 << 20, 1 << 20);
    transfer(&mut pair, A, &pattern(500_000, 17), Duration::from_secs(5));
    pair.run(Duration::from_secs(10));
    pair.log.clear();
    pair.ends[A].send_slice(&[0; 100_000]).unwrap();
    pair.flush(A);
    assert_eq!(pair.log.len(), 10);
}
