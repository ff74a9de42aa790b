//! Which segments count, and for what: by their numbers, and by the state of the connection.

use super::*;
use crate::stats::DropReason;

const M: u32 = MSS as u32;

fn with_sack(rx: usize, tx: usize) -> Peer {
    let options = Options { mss: MSS as u16, sack_permitted: true, ..Options::NONE };
    Peer::connected(rx, tx, options, 0xffff)
}

/// Covers: RFC 9293 §3.10.7.1
#[test]
fn what_is_closed_takes_nothing_and_answers_with_a_reset() {
    let mut peer = Peer::plain(1_000, 1_000);
    peer.socket.send_slice(b"lost").unwrap();
    peer.sent();
    peer.socket.abort();
    peer.ack = peer.ack + 4;
    let out = peer.give_data(b"late");
    assert!(matches!(out.verdict, Verdict::Refuse(_)) && out.events.is_empty());
    assert_eq!(peer.socket.recv_queue(), 0);
    assert_eq!(peer.sent().iter().map(|plan| plan.kind).collect::<Vec<_>>(), [Kind::Reset]);
}

/// Our window is closed, so that nothing is within it; what the peer acknowledges counts all the same.
///
/// Covers: RFC 9293 §3.10.7.4
#[test]
fn a_closed_window_takes_acknowledgments() {
    let mut peer = Peer::plain(1_000, 5_000);
    peer.socket.send_slice(&[7; 2 * MSS]).unwrap();
    peer.sent();
    peer.give_data(&[1; 1_000]);
    peer.sleep(millis(50));
    assert_eq!(peer.sent().pop().unwrap().window, 0);
    peer.ack = peer.ack + 2 * M;
    let out = peer.give_ack();
    assert!(out.is_taken() && out.events.contains(Events::WRITABLE));
    assert_eq!(peer.socket.send_queue(), 0);
}

/// Each end has sent an octet into the other's closed window, which was taken: then either finds the other's ACKs to be
/// an octet old, and they have to count.
///
/// Covers: RFC 9293 §3.10.7.4
#[test]
fn an_ack_that_is_just_old_counts_and_one_from_long_ago_does_not() {
    for (age, is_taken) in [(1, true), (65_535, true), (65_536, false), (1 << 30, false)] {
        let mut peer = Peer::plain(1_000, 5_000);
        peer.socket.send_slice(&[7; 2 * MSS]).unwrap();
        peer.sent();
        let ack = peer.ack + 2 * M;
        let out = peer.give(Segment { seq: peer.seq - age, ack, ..peer.ack_segment() });
        assert_eq!(out.verdict, Verdict::Drop(DropReason::Unacceptable));
        assert_eq!(out.events.contains(Events::WRITABLE), is_taken, "{age}");
        assert_eq!(peer.socket.send_queue(), if is_taken { 0 } else { 2 * MSS }, "{age}");
    }
}

/// Covers: RFC 9293 §3.5, figure 8
#[test]
fn the_syn_ack_of_who_opens_at_the_same_time_is_acknowledged() {
    let mut peer = Peer::connecting(1_000, 1_000);
    peer.ack = peer.sent()[0].seq + 1;
    peer.window = 500;
    let seq = peer.seq;
    peer.give(Segment { flags: Flags::SYN, ..peer.ack_segment() });
    assert_eq!(peer.socket.state(), State::SynReceived);
    assert_eq!(peer.sent()[0].flags, Flags::SYN | Flags::ACK);
    peer.seq = seq;
    let out = peer.give(Segment { flags: Flags::SYN | Flags::ACK, ..peer.ack_segment() });
    assert!(out.events.contains(Events::CONNECTED | Events::WRITABLE));
    assert_eq!(peer.socket.state(), State::Established);
    let sent = peer.sent();
    assert_eq!((sent.len(), sent[0].flags, sent[0].ack), (1, Flags::ACK, seq + 1));
}

/// Before the handshake is over, an ACK announces the window as it is scaled.
///
/// Covers: RFC 7323 §2.2
#[test]
fn an_ack_of_who_has_seen_only_a_syn_has_a_scaled_window() {
    let mut peer = Peer::connecting(1 << 18, 1_000);
    let plan = peer.sent()[0];
    assert_eq!((plan.kind, plan.options.window_scale, plan.window), (Kind::New, 3, 0xffff));
    peer.ack = plan.seq + 1;
    let options = Options { mss: 1_460, window_scale: 2, sack_permitted: false };
    peer.give(Segment { flags: Flags::SYN, options, ..peer.ack_segment() });
    assert_eq!(peer.sent()[0].window, 0xffff);
    peer.seq = peer.seq + 1;
    // What is beyond the window is answered with where we are.
    peer.give(Segment { seq: peer.seq + (1 << 19), payload: b"x", ..peer.ack_segment() });
    let sent = peer.sent();
    assert_eq!((sent.len(), sent[0].flags, sent[0].ack), (1, Flags::ACK, peer.seq));
    assert_eq!(sent[0].window, 0xffff >> 3, "no more than the SYN has said");
}

/// Covers: RFC 9293 §3.10.7.4, RFC 1337 §3
#[test]
fn in_time_wait_a_reset_is_dropped() {
    let mut peer = Peer::plain(1_000, 1_000);
    peer.socket.close();
    peer.sent();
    peer.ack = peer.ack + 1;
    peer.give(Segment { flags: Flags::ACK | Flags::FIN, ..peer.ack_segment() });
    peer.seq = peer.seq + 1;
    assert_eq!(peer.socket.state(), State::TimeWait);
    peer.sent();
    let out = peer.give(Segment { flags: Flags::RST, ..peer.ack_segment() });
    assert_eq!(out, Outcome { verdict: Verdict::Drop(DropReason::Unacceptable), ..Outcome::NONE });
    let out = peer.give_ack();
    assert_eq!(out.verdict, Verdict::Drop(DropReason::Unacceptable));
    assert_eq!(peer.socket.state(), State::TimeWait);
    assert!(peer.sent().is_empty());
}

/// A segment that brings something old is answered at once, whatever new there is in it: its sender may be waiting.
///
/// Covers: RFC 5681 §4.2
#[test]
fn what_overlaps_is_acknowledged_at_once() {
    let mut peer = Peer::plain(10_000, 1_000);
    peer.give_data(b"first");
    peer.sleep(millis(500));
    peer.sent();
    peer.give(Segment { seq: peer.seq - 5, payload: b"first and more", ..peer.ack_segment() });
    peer.seq = peer.seq + 9;
    assert_eq!(peer.sent().iter().map(|plan| plan.ack).collect::<Vec<_>>(), [peer.seq]);
    assert_eq!(read_all(&mut peer.socket), b"first and more");
}

/// Covers: RFC 5681 §4.2
#[test]
fn a_fin_behind_a_hole_is_answered_at_once() {
    let mut peer = Peer::plain(10_000, 1_000);
    let hole = peer.seq;
    peer.give(Segment { seq: hole + 100, flags: Flags::ACK | Flags::FIN, ..peer.ack_segment() });
    assert_eq!(peer.sent().iter().map(|plan| plan.ack).collect::<Vec<_>>(), [hole]);
    assert_eq!(peer.socket.state(), State::Established);
    let out = peer.give_data(&[1; 100]);
    assert!(out.events.contains(Events::PEER_CLOSED | Events::READABLE));
    assert_eq!(peer.socket.state(), State::CloseWait);
    assert_eq!(peer.sent().iter().map(|plan| plan.ack).collect::<Vec<_>>(), [hole + 101]);
}

/// Old numbers are what the network has delayed, and no sign that something is missing.
///
/// Covers: RFC 5681 §2
#[test]
fn an_old_acknowledgment_is_no_duplicate() {
    let mut peer = Peer::plain(1_000, 60_000);
    peer.socket.send_slice(&[0; 60_000]).unwrap();
    peer.sent();
    peer.ack = peer.ack + 4 * M;
    peer.give_ack();
    peer.sent();
    let (before, _) = windows(&peer.socket);
    for age in [1, M, 2 * M, 3 * M, 4 * M] {
        peer.give(Segment { ack: peer.ack - age, ..peer.ack_segment() });
    }
    assert!(peer.sent().is_empty());
    assert_eq!(windows(&peer.socket).0, before);
}

/// What was probed for long may still be lost once it has its window: it is repeated as soon as anything else.
///
/// Covers: RFC 6298 §5.1
#[test]
fn after_a_closed_window_the_timeout_is_no_longer_than_before() {
    let mut peer = Peer::connected(1_000, 10_000, Options { mss: 1_000, ..Options::NONE }, 0);
    peer.socket.send_slice(&[7; 5_000]).unwrap();
    peer.sleep(Duration::ZERO);
    for _ in 0..6 {
        peer.sleep_to_deadline();
        assert_eq!(peer.sent()[0].kind, Kind::ZeroWindowProbe);
        peer.give_ack();
    }
    peer.window = 9_000;
    peer.give_ack();
    assert_eq!(peer.sent().len(), 5);
    let waited = peer.sleep_to_deadline();
    assert!(waited <= 1_100, "{waited} ms");
    assert_eq!(peer.sent()[0].kind, Kind::RtoRetransmit);
}

/// The window is a sliver, which a probe fills; what fills it is out, and goes again only when its time is over.
#[test]
fn a_probe_that_fills_a_small_window_goes_once() {
    let mut peer = Peer::connected(1_000, 10_000, Options { mss: 1_000, ..Options::NONE }, 4_000);
    peer.socket.send_slice(&[0; 10_000]).unwrap();
    assert_eq!(peer.sent().len(), 4);
    peer.ack = peer.ack + 4_000;
    peer.window = 100;
    peer.give_ack();
    peer.sleep_to_deadline();
    assert_eq!(peer.sent().iter().map(|plan| plan.len).collect::<Vec<_>>(), [100]);
}

/// The timer says that a probe is due, and then the last one is acknowledged.
#[test]
fn a_probe_that_is_not_sent_yet_does_not_follow_an_answer() {
    let mut peer = Peer::connected(1_000, 10_000, Options { mss: 1_000, ..Options::NONE }, 0);
    peer.socket.send_slice(&[7; 5_000]).unwrap();
    peer.sleep(Duration::ZERO);
    peer.sleep_to_deadline();
    assert_eq!(peer.sent().len(), 1);
    peer.sleep_to_deadline();
    peer.ack = peer.ack + 1;
    peer.give_ack();
    assert!(peer.sent().is_empty());
    peer.sleep_to_deadline();
    assert_eq!(peer.sent()[0].kind, Kind::ZeroWindowProbe);
}

/// Just as much room as for a segment, of more than there is: it goes, though the device would cut more.
#[test]
fn a_device_that_cuts_gets_a_single_segment_too() {
    let mut peer = Peer::plain(1_000, 60_000);
    peer.socket.send_slice(&[0; 60_000]).unwrap();
    peer.sent();
    peer.ack = peer.ack + 10 * M;
    peer.window = MSS as u16;
    peer.give_ack();
    let cx = Context { burst_len: 20_000, ..context!(peer.keys, peer.now, MTU) };
    assert_eq!(peer.socket.decide(&cx).map(|plan| plan.len), Some(M));
}

/// What is flushed goes, be there full segments before it.
#[test]
fn a_flush_is_for_the_end_of_what_is_queued() {
    let mut peer = Peer::plain(1_000, 60_000);
    peer.socket.set_congestion_control(CongestionControl::None);
    peer.socket.send_slice(&[0; 12 * MSS + 5]).unwrap();
    assert_eq!(peer.socket.flush(), Ok(false));
    assert_eq!(peer.sent().len(), 10);
    peer.ack = peer.ack + M;
    peer.give_ack();
    assert_eq!(peer.sent().iter().map(|plan| plan.len).collect::<Vec<_>>(), [M, M]);
    peer.ack = peer.ack + M;
    peer.give_ack();
    assert_eq!(peer.sent().iter().map(|plan| plan.len).collect::<Vec<_>>(), [5], "with much unacknowledged");
}

/// Three ACKs in a row that say nothing new mean a loss, though the peer might tell more.
///
/// Covers: RFC 5681 §3.2
#[test]
fn duplicates_without_blocks_count_where_blocks_are_permitted() {
    let mut peer = with_sack(1_000, 90_000);
    peer.socket.send_slice(&[0; 90_000]).unwrap();
    for _ in 0..3 {
        assert!(peer.sent().iter().all(|plan| plan.kind == Kind::New));
        peer.give_ack();
    }
    assert_eq!(peer.sent()[0].kind, Kind::FastRetransmit);
}

/// And so they do when it has told of something before.
#[test]
fn duplicates_without_blocks_count_after_blocks_that_are_acknowledged() {
    let mut peer = super::sack::peer(90_000);
    super::sack::give_blocks(&mut peer, &[(M, 2 * M)]);
    peer.ack = peer.ack + 3 * M;
    peer.give_ack();
    for _ in 0..3 {
        assert!(peer.sent().iter().all(|plan| plan.kind == Kind::New));
        peer.give_ack();
    }
    assert_eq!(peer.sent()[0].kind, Kind::FastRetransmit);
}

/// Where blocks were not agreed on, they say nothing, and are no reason not to count.
///
/// Covers: RFC 2018 §2
#[test]
fn duplicates_with_blocks_count_where_blocks_are_not_permitted() {
    let mut peer = Peer::plain(1_000, 90_000);
    peer.socket.send_slice(&[0; 90_000]).unwrap();
    peer.sent();
    for n in 2..5 {
        super::sack::give_blocks(&mut peer, &[(M, n * M)]);
    }
    assert_eq!(peer.sent()[0].kind, Kind::FastRetransmit);
}

/// Covers: RFC 2883 §4, RFC 2018 §2
#[test]
fn what_comes_twice_is_told_of_only_where_blocks_are_permitted() {
    let mut peer = Peer::plain(10_000, 1_000);
    peer.give_data(b"first");
    peer.sent();
    peer.give(Segment { seq: peer.seq - 5, payload: b"first", ..peer.ack_segment() });
    assert_eq!(peer.sent()[0].total_len(), 20);
    let mut peer = with_sack(10_000, 1_000);
    peer.give_data(b"first");
    peer.sent();
    peer.give(Segment { seq: peer.seq - 5, payload: b"first", ..peer.ack_segment() });
    assert_eq!(peer.sent()[0].total_len(), 20 + 12);
    // Nor is what lies beyond the window.
    peer.give(Segment { seq: peer.seq + 20_000, payload: b"first", ..peer.ack_segment() });
    assert_eq!(peer.sent()[0].total_len(), 20);
}
