//! Data on a path that loses nothing.

use super::*;

#[test]
fn data_arrives_both_ways() {
    let mut pair = Pair::established(20_000, 20_000);
    transfer(&mut pair, A, &pattern(300_000, 1), Duration::from_secs(20));
    transfer(&mut pair, B, &pattern(300_000, 2), Duration::from_secs(20));
    assert!(pair.log.iter().all(|sent| matches!(sent.plan.kind, Kind::New | Kind::Ack)));
}

#[test]
fn sequence_numbers_wrap_in_mid_transfer() {
    let mut pair = Pair::new(20_000, 20_000);
    pair.open();
    let cx = context!(pair.keys, pair.now, MTU);
    let iss = pair.ends[A].decide(&cx).unwrap().seq;
    // The clock of RFC 6528 brings the first number to just before the wrap.
    pair.ends[A].abort();
    pair.now += Duration::from_micros(u64::from(0u32.wrapping_sub(iss.0).wrapping_sub(50_000)) / 16);
    pair.ends[A].connect(endpoint(2, 80), 49_152).unwrap();
    pair.settle(A);
    transfer_after_open(&mut pair);
    let sent = pair.plans(A);
    assert!(sent.iter().any(|plan| plan.seq.0 > 0xffff_0000) && sent.iter().any(|plan| plan.seq.0 < 100_000));
}

fn transfer_after_open(pair: &mut Pair) {
    pair.run(millis(50));
    transfer(pair, A, &pattern(100_000, 3), Duration::from_secs(10));
}

/// Covers: RFC 9293 MUST-58, MUST-59
#[test]
fn every_second_full_segment_is_acknowledged() {
    let mut peer = Peer::plain(65_535, 1_000);
    peer.give_data(&[0; MSS]);
    assert!(peer.sent().is_empty());
    peer.give_data(&[0; MSS]);
    let acks = peer.sent();
    assert_eq!((acks.len(), acks[0].ack), (1, peer.seq));
    peer.give_data(&[0; MSS]);
    assert!(peer.sent().is_empty());
    assert!((39..=42).contains(&peer.sleep_to_deadline()));
    assert_eq!(peer.sent()[0].ack, peer.seq);
    assert_eq!(peer.socket.deadline(Ticks::from_instant(peer.now)), None);
}

#[test]
fn one_ack_answers_a_burst() {
    let mut peer = Peer::plain(65_535, 1_000);
    for _ in 0..20 {
        peer.give_data(&[0; MSS]);
    }
    assert_eq!(peer.sent().len(), 1);
}

#[test]
fn data_carries_the_acknowledgment() {
    let mut peer = Peer::plain(10_000, 1_000);
    peer.give_data(b"question");
    peer.socket.send_slice(b"answer").unwrap();
    let sent = peer.sent();
    assert_eq!((sent.len(), sent[0].len, sent[0].ack), (1, 6, peer.seq));
    assert!(sent[0].flags.contains(Flags::PSH));
    peer.sleep(millis(100));
    assert!(peer.sent().is_empty());
}

#[test]
fn without_ack_delay_every_segment_is_acknowledged() {
    let mut peer = Peer::plain(10_000, 1_000);
    peer.socket.set_ack_delay(None);
    peer.give_data(b"x");
    assert_eq!(peer.sent().len(), 1);
}

/// Covers: RFC 9293 §3.7.4 (SHLD-7), MUST-17, MUST-60
#[test]
fn nagle_holds_a_short_segment_until_all_is_acknowledged() {
    let mut peer = Peer::plain(10_000, 10_000);
    peer.socket.send_slice(b"first").unwrap();
    assert_eq!(peer.sent().len(), 1);
    peer.socket.send_slice(b"second").unwrap();
    assert!(peer.sent().is_empty());
    peer.ack = peer.ack + 5;
    peer.give_ack();
    assert_eq!(peer.sent()[0].len, 6);
    peer.socket.set_nagle_enabled(false);
    peer.socket.send_slice(b"third").unwrap();
    assert_eq!(peer.sent()[0].len, 5);
}

#[test]
fn a_port_that_cuts_segments_gets_large_ones() {
    let mut pair = Pair::established(200_000, 200_000);
    pair.burst_len = 60_000;
    pair.ends[A].send_slice(&pattern(100_000, 4)).unwrap();
    pair.flush(A);
    let plans = pair.plans(A);
    assert_eq!(plans[0].len as usize, 10 * MSS, "the initial window in one");
    pair.run(millis(500));
    assert_eq!(read_all(&mut pair.ends[B]), pattern(100_000, 4));
    for plan in pair.plans(A) {
        assert!((plan.len as usize).is_multiple_of(MSS) || plan.flags.contains(Flags::PSH), "{plan:?}");
    }
}

/// Covers: RFC 9293 MUST-19
#[test]
fn slow_start_doubles_the_flight_each_round_trip() {
    let mut pair = Pair::established(1 << 20, 1 << 20);
    pair.ends[A].send_slice(&[1; 500_000]).unwrap();
    let mut rounds = Vec::new();
    for _ in 0..4 {
        let before = pair.log.len();
        pair.step();
        let sent: u32 = pair.log[before..].iter().filter(|s| s.from == A).map(|s| s.plan.len).sum();
        rounds.push(sent as usize / MSS);
        pair.now += millis(10);
        pair.step();
        pair.now += millis(10);
    }
    assert_eq!(rounds[0], 10);
    assert!(rounds[1] >= 15 && rounds[2] >= rounds[1] * 3 / 2, "{rounds:?}");
}

/// Covers: RFC 7661
#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let mut peer = Peer::plain(100, 1 << 20);
    for _ in 0..50 {
        peer.socket.send_slice(&[0; 4 * MSS]).unwrap();
        assert_eq!(peer.sent().len(), 4);
        peer.ack = peer.ack + 4 * MSS as u32;
        peer.give_ack();
    }
    peer.socket.send_slice(&[0; 100 * MSS]).unwrap();
    assert_eq!(peer.sent().len(), 10);
}

#[test]
fn the_application_may_take_payload_in_place() {
    let mut peer = Peer::plain(1_000, 1_000);
    let cx = context!(peer.keys, peer.now, MTU);
    let mut seen = Vec::new();
    let mut take_five = |data: &[u8]| {
        seen.extend_from_slice(data);
        5
    };
    let seg = Segment { payload: b"0123456789", ..peer.ack_segment() };
    peer.socket.process(&cx, &seg, Some(&mut take_five));
    assert!(seen.is_empty(), "only if it has asked for it");
    read_all(&mut peer.socket);
    peer.socket.set_in_place(true);
    let mut take_five = |data: &[u8]| {
        seen.extend_from_slice(data);
        5
    };
    let seg = Segment { seq: peer.seq + 10, payload: b"abcdefghij", ..peer.ack_segment() };
    peer.socket.process(&cx, &seg, Some(&mut take_five));
    assert_eq!(seen, b"abcdefghij");
    assert_eq!(read_all(&mut peer.socket), b"fghij");
    peer.sleep(millis(50));
    assert_eq!(peer.sent()[0].ack, peer.seq + 20);
}

#[test]
fn closures_write_and_read_the_buffers() {
    let mut pair = Pair::established(1_000, 1_000);
    let n = pair.ends[A].send(|room| {
        room[..3].copy_from_slice(b"abc");
        (3, room.len())
    });
    assert_eq!(n, Ok(1_000));
    assert_eq!(pair.ends[A].send_queue(), 3);
    pair.run(millis(100));
    assert_eq!(pair.ends[A].send_queue(), 0);
    let mut peeked = [0; 10];
    assert_eq!(pair.ends[B].peek_slice(&mut peeked), Ok(3));
    assert_eq!(pair.ends[B].peek(2), Ok(&b"ab"[..]));
    assert_eq!(pair.ends[B].recv(|data| (1, data.to_vec())), Ok(b"abc".to_vec()));
    assert_eq!(pair.ends[B].recv_queue(), 2);
    assert!(pair.events[B].contains(Events::READABLE) && pair.events[A].contains(Events::WRITABLE));
}

/// A link of 576 octets below a peer that takes more.
/// Covers: RFC 9293 MUST-16, RFC 1122 §3.3.3a
#[test]
fn segments_fit_the_path() {
    let mut pair = Pair::new(20_000, 20_000);
    pair.mtu = 576;
    pair.open();
    pair.run(millis(50));
    transfer(&mut pair, A, &pattern(20_000, 5), Duration::from_secs(5));
    assert_eq!(pair.plans(A).iter().map(|plan| plan.len).max(), Some(536));
}

/// Covers: RFC 9293 MUST-61
#[test]
fn the_last_segment_of_what_is_queued_is_pushed_and_no_other() {
    let mut peer = Peer::plain(10_000, 10_000);
    peer.socket.send_slice(&[1; 4_000]).unwrap();
    peer.socket.set_nagle_enabled(false);
    let pushed: Vec<_> = peer.sent().iter().map(|plan| plan.flags.contains(Flags::PSH)).collect();
    assert_eq!(pushed, [false, false, true]);
}

/// Covers: RFC 9293 §3.10.2
#[test]
fn what_is_sent_before_the_connection_is_open_goes_when_it_is() {
    let mut pair = Pair::new(4_000, 4_000);
    pair.ends[B].listen(80).unwrap();
    pair.ends[A].connect(endpoint(2, 80), 49_152).unwrap();
    assert_eq!(pair.ends[A].send_slice(b"first"), Ok(5), "not even settled");
    pair.settle(A);
    assert_eq!(pair.ends[A].send_slice(b" words"), Ok(6));
    pair.run(millis(15));
    assert_eq!(pair.states()[B], State::SynReceived);
    assert_eq!(pair.ends[B].send_slice(b"answer"), Ok(6));
    pair.ends[B].close();
    assert_eq!(pair.ends[B].send_slice(b"more"), Err(SendError::InvalidState));
    pair.run(millis(100));
    assert_eq!(read_all(&mut pair.ends[B]), b"first words");
    assert_eq!(read_all(&mut pair.ends[A]), b"answer");
    assert_eq!(pair.states(), [State::CloseWait, State::FinWait2]);
}
