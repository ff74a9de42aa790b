//! How losses are repaired: without blocks (RFC 6582), after timeouts (RFC 6298, RFC 5682), and what a repair may send.

use super::sack::{area_with, give_blocks, peer as sacked};
use super::*;

const M: u32 = MSS as u32;

/// Ten segments are out, of many; there are no blocks.
fn plain() -> Peer {
    let mut peer = Peer::plain(1_000, 90_000);
    peer.socket.send_slice(&[0; 90_000]).unwrap();
    assert_eq!(peer.sent().len(), 10);
    peer
}

/// Sleeps until something is sent.
fn next_sent(peer: &mut Peer) -> Plan {
    for _ in 0..10 {
        peer.sleep_to_deadline();
        if let Some(plan) = peer.sent().pop() {
            return plan;
        }
    }
    panic!("nothing is sent");
}

/// Until the first timeout.
fn time_out(peer: &mut Peer) -> Plan {
    for _ in 0..10 {
        let plan = next_sent(peer);
        if plan.kind == Kind::RtoRetransmit {
            return plan;
        }
    }
    panic!("there is no timeout");
}

fn connection(peer: &Peer) -> &Connection {
    let Phase::Connection(connection) = &peer.socket.phase else { panic!("there is no connection") };
    connection
}

/// Covers: RFC 6582 §3.2
#[test]
fn a_recovery_without_blocks_ends_with_what_is_in_flight() {
    let mut peer = Peer::plain(1_000, 10 * MSS);
    peer.socket.send_slice(&[0; 10 * MSS]).unwrap();
    assert_eq!(peer.sent().len(), 10);
    for _ in 0..3 {
        peer.give_ack();
    }
    assert_eq!(peer.sent()[0].kind, Kind::FastRetransmit);
    assert_eq!(windows(&peer.socket), (10 * M, 7 * M), "seven tenths, and three that have left");
    peer.ack = peer.ack + 10 * M;
    peer.give_ack();
    assert_eq!(windows(&peer.socket), (2 * M, 7 * M), "nothing is in flight any more");
}

/// The network has delayed what was missing: when it is acknowledged there is nothing to repeat.
#[test]
fn what_is_acknowledged_before_it_is_repeated_is_not_repeated() {
    let mut peer = plain();
    for _ in 0..3 {
        peer.give_ack();
    }
    peer.ack = peer.ack + 10 * M;
    peer.give_ack();
    let sent = peer.sent();
    assert!(!sent.is_empty() && sent.iter().all(|plan| plan.kind == Kind::New), "{sent:?}");
}

/// A repetition that found no room to be sent is one of the timeout's when that has come.
#[test]
fn a_timeout_takes_over_from_duplicates() {
    let mut peer = plain();
    for _ in 0..3 {
        peer.give_ack();
    }
    peer.sleep_to_deadline();
    let sent = peer.sent();
    assert_eq!((sent[0].kind, sent[0].seq), (Kind::RtoRetransmit, peer.ack));
    assert_eq!(sent.len(), 1);
}

/// Covers: RFC 2018 §8
#[test]
fn after_one_timeout_what_has_arrived_counts_and_after_two_nothing_does() {
    let mut peer = sacked(10 * MSS);
    give_blocks(&mut peer, &[(5 * M, 9 * M)]);
    peer.sent();
    time_out(&mut peer);
    assert_eq!(connection(&peer).sack.arrived(), 4 * M);
    time_out(&mut peer);
    assert_eq!(connection(&peer).sack.arrived(), 0);
}

/// Covers: RFC 8985 §8
#[test]
fn when_all_has_arrived_no_timer_runs() {
    let mut peer = sacked(10 * MSS);
    peer.ack = peer.ack + 9 * M;
    peer.give_ack();
    let probe = next_sent(&mut peer);
    assert_eq!(probe.kind, Kind::TailLossProbe);
    let ack = peer.ack;
    peer.ack = ack + M;
    // The answer to the probe tells that both have arrived.
    let area = area_with(&peer, &[(M.wrapping_neg(), 0)]);
    peer.give(Segment { area: &area, ..peer.ack_segment() });
    assert_eq!(peer.socket.send_queue(), 0);
    assert_eq!(peer.socket.deadline(Ticks::from_instant(peer.now)), None);
}

/// New blocks say nothing of what is waited for: the time counts from when it was sent.
///
/// Covers: RFC 6298 §5.3
#[test]
fn blocks_do_not_put_off_the_timeout() {
    let mut peer = sacked(10 * MSS);
    give_blocks(&mut peer, &[(M, 4 * M)]);
    assert_eq!(peer.sent()[0].kind, Kind::FastRetransmit);
    let due = peer.socket.deadline(Ticks::from_instant(peer.now));
    for n in 5..10 {
        peer.sleep(millis(20));
        give_blocks(&mut peer, &[(M, n * M)]);
        peer.sent();
        assert_eq!(peer.socket.deadline(Ticks::from_instant(peer.now)), due);
    }
}

/// What moves SND.UNA gives the rest a whole timeout.
///
/// Covers: RFC 6298 §5.3
#[test]
fn a_partial_acknowledgment_starts_the_timeout_anew() {
    let mut peer = sacked(10 * MSS);
    give_blocks(&mut peer, &[(M, 4 * M), (5 * M, 9 * M)]);
    assert_eq!(peer.sent().len(), 2);
    let before = peer.socket.deadline(Ticks::from_instant(peer.now)).unwrap();
    peer.sleep(millis(50));
    peer.ack = peer.ack + 4 * M;
    give_blocks(&mut peer, &[(M, 5 * M)]);
    assert!(peer.sent().is_empty());
    let after = peer.socket.deadline(Ticks::from_instant(peer.now)).unwrap();
    assert!(after.since(before) >= 45, "{}", after.since(before));
}

/// In a repair, too, a short segment goes only as the last, and no FIN beyond the window.
///
/// Covers: RFC 9293 §3.8.6.2.1
#[test]
fn a_repair_sends_no_slivers_and_nothing_beyond_the_window() {
    // How much of the window is left, what is queued for it, and what goes.
    for (room, queued, is_closed, expected) in [
        (500, 2_000, true, None),
        (0, 0, false, None),
        (499, 500, true, None),
        (500, 500, true, Some((500, false))),
        (501, 500, true, Some((500, true))),
        (5_000, 500, true, Some((500, true))),
        (5_000, 500, false, Some((500, false))),
        (0, 0, true, None),
        (1, 0, true, Some((0, true))),
    ] {
        let options = Options { mss: MSS as u16, sack_permitted: true, ..Options::NONE };
        let mut peer = Peer::connected(1_000, 20 * MSS, options, 10 * MSS as u16 + room);
        peer.socket.send_slice(&vec![0; 10 * MSS]).unwrap();
        assert_eq!(peer.sent().len(), 10);
        peer.socket.send_slice(&vec![0; queued]).unwrap();
        if is_closed {
            peer.socket.close();
        }
        give_blocks(&mut peer, &[(M, 10 * M)]);
        let sent = peer.sent();
        assert_eq!((sent[0].kind, sent[0].len), (Kind::FastRetransmit, M));
        let new = sent.get(1).map(|plan| (plan.len, plan.flags.contains(Flags::FIN)));
        assert_eq!(new, expected, "{queued} octets into {room}");
        assert!(sent.len() <= 2);
    }
}

/// An answer to the segments before the probe says nothing of it.
///
/// Covers: RFC 8985 §7.4
#[test]
fn a_probe_is_judged_only_by_what_acknowledges_it() {
    let mut peer = sacked(20 * MSS);
    peer.ack = peer.ack + 9 * M;
    peer.give_ack();
    peer.sent();
    let (before, threshold) = windows(&peer.socket);
    // All there is to send is out, or the window is closed for more.
    peer.window = (connection(&peer).snd.outstanding()) as u16;
    peer.give_ack();
    let probe = next_sent(&mut peer);
    assert_eq!(probe.kind, Kind::TailLossProbe);
    peer.ack = probe.seq - 2 * M;
    peer.give_ack();
    assert_eq!(windows(&peer.socket).1, threshold);
    assert!(windows(&peer.socket).0 >= before);
    peer.ack = probe.seq;
    peer.give_ack();
    assert_eq!(windows(&peer.socket).1, threshold);
}

/// The probe has repaired the loss of the last segment: what is reduced is what was in flight before it was acknowledged.
///
/// Covers: RFC 8985 §7.4
#[test]
fn a_loss_that_a_probe_has_repaired_reduces_what_was_in_flight() {
    let mut peer = sacked(10 * MSS);
    peer.ack = peer.ack + 9 * M;
    peer.give_ack();
    assert_eq!(next_sent(&mut peer).kind, Kind::TailLossProbe);
    peer.ack = peer.ack + M;
    peer.give_ack();
    // One more would say that both copies have arrived; instead something new is acknowledged.
    peer.socket.send_slice(&[0; 6 * MSS]).unwrap();
    assert_eq!(peer.sent().len(), 6);
    peer.ack = peer.ack + M;
    peer.give_ack();
    assert_eq!(windows(&peer.socket), (6 * M * 7 / 10, 6 * M * 7 / 10));
}

/// A second ACK of the same number tells that both copies have arrived, however windows are scaled.
///
/// Covers: RFC 8985 §7.4, RFC 7323 §2.3
#[test]
fn a_second_ack_of_a_probe_is_known_by_its_scaled_window() {
    let options = Options { mss: MSS as u16, window_scale: 3, sack_permitted: true };
    let mut peer = Peer::connected(1_000, 10 * MSS, options, 9_000);
    peer.socket.send_slice(&[0; 10 * MSS]).unwrap();
    assert_eq!(peer.sent().len(), 6);
    peer.give_ack();
    assert_eq!(peer.sent().len(), 4);
    peer.ack = peer.ack + 9 * M;
    peer.give_ack();
    let (_, threshold) = windows(&peer.socket);
    assert_eq!(next_sent(&mut peer).kind, Kind::TailLossProbe);
    peer.ack = peer.ack + M;
    peer.give_ack();
    peer.give_ack();
    peer.socket.send_slice(&[0; 100]).unwrap();
    peer.sent();
    peer.ack = peer.ack + 100;
    peer.give_ack();
    assert_eq!(windows(&peer.socket).1, threshold);
}

/// The first ACK after a timeout moves nothing: it is a duplicate of before, and what is lost goes on.
///
/// Covers: RFC 5682 §3.1
#[test]
fn a_duplicate_after_a_timeout_calls_for_nothing_new() {
    let mut peer = sacked(60_000);
    time_out(&mut peer);
    peer.give_ack();
    assert!(!connection(&peer).sack.is_concerned(&peer.ack_segment()) || peer.sent().is_empty());
    peer.ack = peer.ack + 2 * M;
    peer.give_ack();
    let sent = peer.sent();
    assert!(!sent.is_empty() && sent.iter().all(|plan| plan.kind == Kind::RtoRetransmit), "{sent:?}");
}

/// The first that moves something does: new data goes, whose ACK tells.
///
/// Covers: RFC 5682 §3.1
#[test]
fn an_ack_after_a_timeout_calls_for_something_new() {
    let mut peer = sacked(60_000);
    time_out(&mut peer);
    peer.ack = peer.ack + M;
    peer.give_ack();
    let sent = peer.sent();
    assert!(!sent.is_empty() && sent.iter().all(|plan| plan.kind == Kind::New), "{sent:?}");
}

/// A connection with timestamps and blocks that has sent ten segments, none of which is acknowledged.
fn stamped_peer() -> Peer {
    let mut peer = Peer::with(stamped(1_000, 60_000));
    peer.stamp = Stamp::new(1_000, 0);
    let options = Options { mss: MSS as u16, sack_permitted: true, ..Options::NONE };
    let mut peer = peer.into_connected(options, 0xffff);
    peer.socket.send_slice(&[0; 60_000]).unwrap();
    let first = peer.sent();
    assert_eq!(first.len(), 10);
    peer.stamp.echo = first[0].stamp.value;
    peer
}

/// An ACK that moves nothing says nothing of the repair, be it from before that.
///
/// Covers: RFC 3522 §3.2
#[test]
fn an_early_ack_undoes_a_timeout_only_if_it_moves_something() {
    const FULL: u32 = M - 12;
    let mut peer = stamped_peer();
    let (before, threshold) = windows(&peer.socket);
    time_out(&mut peer);
    assert!(windows(&peer.socket).1 < threshold);
    give_blocks(&mut peer, &[(9 * FULL, 10 * FULL)]);
    assert!(windows(&peer.socket).1 < threshold, "it was sent before the timeout, as all was");
    peer.sent();
    peer.ack = peer.ack + FULL;
    give_blocks(&mut peer, &[(8 * FULL, 9 * FULL)]);
    assert!(windows(&peer.socket).0 >= before && windows(&peer.socket).1 == threshold);
}

/// What was no loss leaves the next one to be seen at once.
///
/// Covers: RFC 4015 §3.2
#[test]
fn after_a_needless_timeout_duplicates_tell_of_losses_again() {
    const FULL: u32 = M - 12;
    let mut peer = stamped_peer();
    let (_, threshold) = windows(&peer.socket);
    time_out(&mut peer);
    peer.ack = peer.ack + FULL;
    peer.give_ack();
    assert_eq!(windows(&peer.socket).1, threshold);
    peer.sent();
    for _ in 0..3 {
        peer.give_ack();
    }
    assert_eq!(peer.sent()[0].kind, Kind::FastRetransmit);
}

/// What the model of a path asks of the blocks.
#[cfg(feature = "tcp-bbr")]
#[test]
fn what_has_arrived_and_what_is_lost_is_known_to_the_octet() {
    let mut peer = sacked(60_000);
    let lost = |peer: &Peer| connection(peer).sack.lost(&connection(peer).snd);
    assert_eq!(lost(&peer), 0);
    give_blocks(&mut peer, &[(2 * M, 5 * M)]);
    assert_eq!(lost(&peer), 2 * M);
    for (end, has_arrived) in
        [(1, false), (2 * M, false), (2 * M + 1, true), (5 * M, true), (5 * M + 1, false)]
    {
        assert_eq!(connection(&peer).sack.has_arrived(peer.ack + end), has_arrived, "{end}");
    }
    peer.sent();
    assert_eq!(lost(&peer), 0, "it is on its way again");
}

/// A user who has set a time is told when it is over, whatever probes might still tell.
///
/// Covers: RFC 5482 §2
#[test]
fn the_users_timeout_does_not_wait_for_a_probe() {
    let mut peer = sacked(10 * MSS);
    peer.ack = peer.ack + 10 * M;
    peer.give_ack();
    // Until its round trip is known to be 100 ms.
    for _ in 0..40 {
        peer.socket.send_slice(&[0; 100]).unwrap();
        peer.sent();
        peer.now += millis(100);
        peer.ack = peer.ack + 100;
        peer.give_ack();
    }
    peer.socket.set_timeout(Some(millis(120)));
    peer.sleep(Duration::ZERO);
    peer.socket.send_slice(&[0; 5 * MSS]).unwrap();
    peer.sent();
    let began = peer.now;
    while peer.socket.is_open() {
        peer.sleep_to_deadline();
        peer.sent();
    }
    assert_eq!(peer.socket.error(), Some(Error::TimedOut));
    let waited = (peer.now - began).total_millis();
    assert!((115..=125).contains(&waited), "{waited} ms");
}

/// Before a window that has been closed for long the time begins when there is something to send.
///
/// Covers: RFC 5482 §2
#[test]
fn the_users_timeout_counts_from_when_there_is_something_to_send() {
    let mut peer = Peer::plain(1_000, 10_000);
    peer.window = 0;
    peer.give_ack();
    peer.socket.set_timeout(Some(Duration::from_secs(30)));
    peer.sleep(Duration::from_secs(3_600));
    peer.socket.send_slice(b"at last").unwrap();
    peer.sleep(Duration::ZERO);
    let began = peer.now;
    while peer.socket.is_open() {
        peer.sleep_to_deadline();
        peer.sent();
    }
    let waited = (peer.now - began).total_millis();
    assert!((29_000..=31_000).contains(&waited), "{waited} ms");
}

/// A silence of just the timeout leaves the window, and a tick more takes it.
///
/// Covers: RFC 5681 §4.1
#[test]
fn a_silence_is_one_when_it_is_longer_than_the_timeout() {
    for (ticks, is_kept) in [(0, true), (1, false)] {
        let mut peer = Peer::plain(1_000, 200_000);
        for _ in 0..30 {
            peer.socket.send_slice(&[0; 40 * MSS]).unwrap();
            peer.ack = peer.sent().last().map(|plan| plan.seq + plan.len).unwrap();
            peer.now += Duration::from_micros(1_024);
            peer.give_ack();
        }
        let (before, _) = windows(&peer.socket);
        let rto = connection(&peer).rtt.rto();
        assert!(before > 20 * M && connection(&peer).snd.outstanding() == 0);
        // A tick of the clock is 1,024 µs.
        peer.now += Duration::from_micros(u64::from(rto + ticks) * 1_024);
        peer.socket.send_slice(&[0; MSS]).unwrap();
        peer.sent();
        let expected = if is_kept { before } else { 10 * M };
        assert_eq!(windows(&peer.socket).0, expected, "{ticks}");
    }
}

/// A router has told of congestion, and then all of that flight is lost: it was reduced for that.
///
/// Covers: RFC 3168 §6.1.2
#[test]
fn a_timeout_of_what_a_router_has_told_of_leaves_the_threshold() {
    let mut peer = super::ecn::peer();
    peer.socket.send_slice(&[0; 10 * MSS]).unwrap();
    peer.sent();
    peer.acknowledge(M, Flags::ECE);
    assert_eq!(windows(&peer.socket), (7 * M, 7 * M));
    time_out(&mut peer);
    assert_eq!(windows(&peer.socket), (M, 7 * M));
}

/// And if some of it is lost, the window is what a loss leaves of it, with the three segments that have left the network.
///
/// Covers: RFC 3168 §6.1.2, RFC 5681 §3.2
#[test]
fn a_loss_of_what_a_router_has_told_of_inflates_the_window_alone() {
    let mut socket = socket(400_000, 400_000);
    socket.set_sack_enabled(false);
    let mut peer = super::ecn::peer_of(socket);
    peer.socket.send_slice(&[0; 200 * MSS]).unwrap();
    peer.sent();
    peer.acknowledge(M, Flags::ECE);
    for _ in 0..3 {
        peer.give_ack();
    }
    assert_eq!(windows(&peer.socket), (10 * M, 7 * M));
}

/// Either flag is answered at once: the peer's window may be so small that it waits for the ACK.
///
/// Covers: RFC 3168 §6.1.3
#[test]
fn a_mark_and_the_peers_reduction_are_answered_at_once() {
    let mut peer = super::ecn::peer();
    peer.give_marked(Mark::EXPERIENCED, Flags::empty());
    assert_eq!(peer.sent().iter().map(|plan| plan.flags).collect::<Vec<_>>(), [Flags::ACK | Flags::ECE]);
    peer.give_marked(Mark::NONE, Flags::CWR);
    assert_eq!(peer.sent().iter().map(|plan| plan.flags).collect::<Vec<_>>(), [Flags::ACK]);
    // A FIN without data has nothing to be marked for.
    let fin = Segment { flags: Flags::ACK | Flags::FIN, mark: Mark::EXPERIENCED, ..peer.ack_segment() };
    peer.give(fin);
    peer.sleep(millis(3));
    assert_eq!(peer.sent().iter().map(|plan| plan.flags).collect::<Vec<_>>(), [Flags::ACK]);
}

#[cfg(feature = "tcp-info")]
#[test]
fn data_that_could_not_be_marked_shows_no_use_of_marks() {
    let mut peer = super::ecn::peer();
    peer.give_marked(Mark::NONE, Flags::empty());
    let info = peer.socket.info(peer.now).unwrap();
    assert!(!info.options.contains(InfoOptions::ECN_SEEN));
}

/// What a router has told of long ago has been heeded, or is of another time.
///
/// Covers: RFC 3168 §6.1.2
#[test]
fn an_old_acknowledgment_tells_of_no_congestion() {
    let mut peer = super::ecn::peer();
    peer.socket.send_slice(&[0; 200 * MSS]).unwrap();
    peer.sent();
    peer.acknowledge(4 * M, Flags::empty());
    let before = windows(&peer.socket);
    peer.give(Segment { ack: peer.ack - M, flags: Flags::ACK | Flags::ECE, ..peer.ack_segment() });
    assert_eq!(windows(&peer.socket), before);
}
