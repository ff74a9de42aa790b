//! Windows: closed, opened, silly.

use super::*;

fn small(rx: usize, tx: usize, window: u16) -> Peer {
    Peer::connected(rx, tx, Options { mss: 1_000, ..Options::NONE }, window)
}

/// Covers: RFC 9293 MUST-35, MUST-36, MUST-37
#[test]
fn a_closed_window_is_probed_ever_less_often() {
    let mut peer = small(1_000, 10_000, 0);
    peer.socket.send_slice(&[7; 5_000]).unwrap();
    assert!(peer.sent().is_empty());
    peer.sleep(Duration::ZERO);
    let mut waits = Vec::new();
    for _ in 0..8 {
        waits.push(peer.sleep_to_deadline());
        let probe = peer.sent();
        assert_eq!(probe.len(), 1);
        assert_eq!((probe[0].kind, probe[0].len, probe[0].seq), (Kind::ZeroWindowProbe, 1, peer.ack));
        peer.give_ack();
        assert!(peer.sent().is_empty());
    }
    assert!(waits.windows(2).all(|pair| pair[1] >= pair[0]), "{waits:?}");
    assert!(waits[0] < 1_100 && waits[7] > 25_000, "{waits:?}");
    // The peer answers, so that the connection lives for as long as it likes.
    for _ in 0..30 {
        peer.sleep_to_deadline();
        peer.sent();
        peer.give_ack();
    }
    assert_eq!(peer.socket.state(), State::Established);
    peer.window = 3_000;
    peer.give_ack();
    let sent = peer.sent();
    assert_eq!(sent.iter().map(|plan| plan.len).sum::<u32>(), 3_000);
}

#[test]
fn a_probe_that_is_taken_counts() {
    let mut peer = small(1_000, 10_000, 0);
    peer.socket.send_slice(&[7; 3]).unwrap();
    peer.sleep(Duration::ZERO);
    peer.sleep_to_deadline();
    assert_eq!(peer.sent()[0].len, 1);
    peer.ack = peer.ack + 1;
    peer.window = 100;
    peer.give_ack();
    assert_eq!(peer.socket.send_queue(), 2);
    assert_eq!(peer.sent()[0].len, 2);
}

#[test]
fn probes_that_nobody_answers_end_the_connection() {
    let mut peer = small(1_000, 10_000, 0);
    peer.socket.send_slice(&[7; 3]).unwrap();
    peer.sleep(Duration::ZERO);
    for _ in 0..config::TCP_DATA_RETRIES {
        peer.sleep_to_deadline();
        assert_eq!(peer.sent().len(), 1);
    }
    peer.sleep_to_deadline();
    assert_eq!((peer.socket.state(), peer.socket.error()), (State::Closed, Some(Error::TimedOut)));
}

#[test]
fn a_fin_behind_a_closed_window_is_sent_as_a_probe() {
    let mut peer = small(1_000, 10_000, 0);
    peer.socket.close();
    assert!(peer.sent().is_empty());
    peer.sleep(Duration::ZERO);
    peer.sleep_to_deadline();
    let sent = peer.sent();
    assert!(sent[0].flags.contains(Flags::FIN) && sent[0].len == 0);
    peer.ack = peer.ack + 1;
    peer.give_ack();
    assert_eq!(peer.socket.state(), State::FinWait2);
}

/// Covers: RFC 9293 MUST-38
#[test]
fn a_sliver_of_window_is_not_filled_at_once() {
    let mut peer = small(1_000, 10_000, 4_000);
    peer.socket.send_slice(&[0; 10_000]).unwrap();
    assert_eq!(peer.sent().len(), 4);
    peer.ack = peer.ack + 4_000;
    peer.window = 100;
    peer.give_ack();
    assert!(peer.sent().is_empty());
    // In the end it is: the peer may have no more room ever.
    assert!(peer.sleep_to_deadline() <= 1_000);
    assert_eq!(peer.sent()[0].len, 100);
    // Half of the largest window is worth a segment.
    peer.ack = peer.ack + 100;
    peer.window = 2_000;
    peer.give_ack();
    assert_eq!(peer.sent().len(), 2);
}

#[test]
fn a_peer_with_a_tiny_buffer_gets_its_halves() {
    let mut peer = small(1_000, 10_000, 500);
    peer.socket.send_slice(&[0; 2_000]).unwrap();
    assert_eq!(peer.sent()[0].len, 500);
    peer.ack = peer.ack + 500;
    peer.window = 250;
    peer.give_ack();
    assert_eq!(peer.sent()[0].len, 250);
}

/// Covers: RFC 9293 MUST-34
#[test]
fn a_window_that_shrinks_keeps_what_is_out() {
    let mut peer = small(1_000, 10_000, 4_000);
    peer.socket.send_slice(&[0; 10_000]).unwrap();
    assert_eq!(peer.sent().len(), 4);
    peer.ack = peer.ack + 1_000;
    peer.window = 0;
    peer.give_ack();
    assert!(peer.sent().is_empty());
    peer.sleep_to_deadline();
    assert!(peer.sent().is_empty(), "nothing is repeated into a closed window");
    peer.sleep_to_deadline();
    let probe = peer.sent();
    assert_eq!((probe[0].kind, probe[0].seq, probe[0].len), (Kind::ZeroWindowProbe, peer.ack, 1));
    peer.window = 4_000;
    peer.ack = peer.ack + 3_000;
    peer.give_ack();
    assert!(!peer.sent().is_empty());
}

#[test]
fn the_window_is_announced_again_when_it_has_opened() {
    let mut pair = Pair::established(4_000, 50_000);
    let data = pattern(20_000, 6);
    pair.ends[A].send_slice(&data).unwrap();
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.ends[B].recv_queue(), 4_000);
    assert!(pair.count(A, Kind::ZeroWindowProbe) > 0);
    let mut got = Vec::new();
    let from = pair.now;
    pair.run_with(Duration::from_secs(1), |pair| got.extend(read_all(&mut pair.ends[B])));
    assert_eq!(got, data);
    // No probe had to wait: the reader's update opened the window, each time.
    let late = pair.log.iter().filter(|s| s.at > from && s.plan.kind == Kind::ZeroWindowProbe).count();
    assert_eq!(late, 0);
}

#[test]
fn a_reader_that_takes_little_does_not_make_slivers() {
    let mut pair = Pair::established(3_000, 50_000);
    pair.ends[A].send_slice(&[1; 30_000]).unwrap();
    let mut got = 0;
    for _ in 0..3_000 {
        pair.run(millis(5));
        got += pair.ends[B].recv_slice(&mut [0; 20]).unwrap();
    }
    assert!(got > 29_000, "{got}");
    let short = pair.plans(A).iter().filter(|p| p.kind == Kind::New && (1..1_000).contains(&p.len)).count();
    assert!(short <= 2, "{short} short segments");
}

#[test]
fn data_beyond_the_window_is_cut_and_comes_again() {
    let mut peer = Peer::plain(1_000, 100);
    let data = pattern(1_500, 8);
    let seg = Segment { payload: &data, ..peer.ack_segment() };
    peer.give(seg);
    let ack = peer.sent().pop().unwrap();
    assert_eq!((ack.ack.since(peer.seq), ack.window), (1_000, 0));
    // A full receiver answers probes.
    let probe = Segment { seq: peer.seq + 1_000, payload: &data[1_000..1_001], ..peer.ack_segment() };
    peer.give(probe);
    let ack = peer.sent().pop().unwrap();
    assert_eq!((ack.ack.since(peer.seq), ack.window), (1_000, 0));
    assert_eq!(read_all(&mut peer.socket), &data[..1_000]);
    assert_eq!(peer.sent().pop().unwrap().window, 1_000, "the window has opened");
    let seg = Segment { seq: peer.seq + 1_000, payload: &data[1_000..], ..peer.ack_segment() };
    peer.give(seg);
    assert_eq!(read_all(&mut peer.socket), &data[1_000..]);
}

#[test]
fn an_old_segment_does_not_change_the_window() {
    let mut peer = small(10_000, 10_000, 5_000);
    let old = peer.ack_segment();
    peer.give_data(b"newer");
    peer.window = 1_000;
    peer.give_ack();
    peer.give(Segment { payload: b"ne", ..old });
    peer.socket.send_slice(&[0; 9_000]).unwrap();
    assert_eq!(peer.sent().iter().map(|plan| plan.len).sum::<u32>(), 1_000);
}

/// What is repeated has an old number, but its window is as new as what it acknowledges.
#[test]
fn the_window_of_a_repeated_segment_counts() {
    let mut peer = small(10_000, 10_000, 3_000);
    peer.socket.send_slice(&[7; 5_000]).unwrap();
    assert_eq!(peer.sent().iter().map(|plan| plan.len).sum::<u32>(), 3_000);
    // A segment beyond a hole, and then the hole: it acknowledges everything and closes the window.
    let start = peer.seq;
    peer.seq = start + 1_000;
    peer.give_data(&[1; 1_000]);
    peer.seq = start;
    peer.ack = peer.ack + 3_000;
    peer.window = 0;
    peer.give_data(&[1; 1_000]);
    assert!(peer.sent().iter().all(|plan| plan.len == 0), "the window is closed");
}

/// Covers: RFC 9293 MUST-1
#[test]
fn a_window_has_no_sign() {
    let mut peer = small(1_000, 20_000, 0x8001);
    peer.socket.send_slice(&[7; 20_000]).unwrap();
    assert_eq!(peer.sent().len(), 10, "the initial congestion window, and no other bound");
}

/// Covers: RFC 9293 MUST-66
#[test]
fn a_reset_counts_though_the_window_is_closed() {
    let mut peer = Peer::plain(1_000, 1_000);
    peer.give_data(&[1; 1_000]);
    peer.sleep(millis(50));
    assert_eq!(peer.sent().pop().unwrap().window, 0);
    peer.give(Segment { flags: Flags::RST, ..peer.ack_segment() });
    assert_eq!(peer.socket.error(), Some(Error::Reset));
}

/// Who has more than that left is not waiting, and the next acknowledgment tells.
///
/// Covers: RFC 9293 MUST-39
#[test]
fn an_update_is_due_when_little_is_left_of_what_there_is_room_for() {
    for (room, left, is_due) in
        [(0x20000, 0x7fff, true), (0x20000, 0x8000, false), (1_000, 500, true), (1_000, 501, false)]
    {
        let rx = SocketBuffer::new(vec![0; room]);
        let mut recv = crate::socket::tcp::recv::Recv::new();
        recv.shift = 2;
        recv.on_syn(SeqNum(0), left);
        assert_eq!(recv.is_update_due(&rx, 400), is_due, "{left} of {room}");
    }
}

/// What waits in the buffer comes first.
#[test]
fn nothing_is_seen_in_place_while_something_waits_before_it() {
    let mut rx = SocketBuffer::new(vec![0; 100]);
    let mut recv = crate::socket::tcp::recv::Recv::new();
    recv.on_syn(SeqNum(0), 100);
    let mut seen = Vec::new();
    for data in [b"first", b"later"] {
        let mut see = |octets: &[u8]| {
            seen.extend_from_slice(octets);
            2
        };
        assert_eq!(recv.take(&mut rx, 0, data, Some(&mut see)).len, 5);
    }
    assert_eq!((&seen[..], rx.len()), (&b"first"[..], 8));
}
