//! How connections end.

use super::super::stamps::Last;
use super::*;
use crate::stats::DropReason;

/// Covers: RFC 9293 MUST-13
#[test]
fn the_first_to_close_waits_and_the_other_is_done() {
    let mut pair = Pair::established(1_000, 1_000);
    pair.ends[A].close();
    assert_eq!(pair.states()[A], State::FinWait1);
    pair.run(millis(15));
    assert_eq!(pair.states(), [State::FinWait1, State::CloseWait]);
    pair.run(millis(20));
    assert_eq!(pair.states(), [State::FinWait2, State::CloseWait]);
    assert!(pair.events[B].contains(Events::PEER_CLOSED));
    assert_eq!(pair.ends[B].recv_slice(&mut [0]), Err(RecvError::Finished));
    pair.ends[B].close();
    assert_eq!(pair.states()[B], State::LastAck);
    pair.run(millis(15));
    pair.run(millis(15));
    assert_eq!(pair.states(), [State::TimeWait, State::Closed]);
    assert_eq!(pair.ends[B].error(), None);
    assert_eq!(pair.ends[B].recv_slice(&mut [0]), Err(RecvError::Finished));
    assert!(!pair.events[A].contains(Events::CLOSED) && pair.events[B].contains(Events::CLOSED));
    pair.run(Duration::from_secs(59));
    assert_eq!(pair.states()[A], State::TimeWait);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.states()[A], State::Closed);
    assert!(pair.events[A].contains(Events::CLOSED), "when it is closed, and not before");
    assert_eq!(pair.next_at(), None);
}

/// Covers: RFC 9293 §3.6, figure 13
#[test]
fn both_may_close_at_once() {
    for lost in [None, Some(0), Some(1), Some(2), Some(3)] {
        let mut pair = Pair::established(1_000, 1_000);
        pair.script(move |n, _| if Some(n) == lost { Fate::Drop } else { Fate::Pass });
        pair.ends[A].close();
        pair.ends[B].close();
        pair.run(millis(12));
        if lost.is_none() {
            assert_eq!(pair.states(), [State::Closing; 2]);
        }
        pair.run(Duration::from_secs(5));
        assert_eq!(pair.states(), [State::TimeWait; 2], "lost {lost:?}");
    }
}

/// Covers: RFC 9293 §3.6, figure 12
#[test]
fn a_half_closed_connection_still_receives() {
    let mut pair = Pair::established(5_000, 5_000);
    pair.ends[A].send_slice(b"request").unwrap();
    pair.ends[A].close();
    assert_eq!(pair.ends[A].send_slice(b"more"), Err(SendError::InvalidState));
    pair.run(millis(50));
    assert_eq!(read_all(&mut pair.ends[B]), b"request");
    transfer(&mut pair, B, &pattern(50_000, 20), Duration::from_secs(20));
    pair.ends[B].close();
    pair.run(millis(100));
    assert_eq!(pair.states(), [State::TimeWait, State::Closed]);
}

/// Covers: RFC 9293 MUST-58
#[test]
fn who_closes_at_once_acknowledges_the_peers_fin_with_its_own() {
    for closes in [true, false] {
        let mut peer = Peer::plain(1_000, 1_000);
        peer.give(Segment { flags: Flags::ACK | Flags::FIN, payload: b"last", ..peer.ack_segment() });
        if closes {
            peer.socket.close();
        } else {
            assert!(peer.sent().is_empty());
            peer.sleep(millis(3));
        }
        let sent: Vec<_> = peer.sent().iter().map(|plan| (plan.flags, plan.ack)).collect();
        let expected = if closes { Flags::FIN | Flags::ACK } else { Flags::ACK };
        assert_eq!(sent, [(expected, peer.seq + 5)]);
    }
    // Who wants no acknowledgment delayed has none delayed.
    let mut peer = Peer::plain(1_000, 1_000);
    peer.socket.set_ack_delay(None);
    peer.give(Segment { flags: Flags::ACK | Flags::FIN, payload: b"last", ..peer.ack_segment() });
    assert_eq!(peer.sent().len(), 1);
}

#[test]
fn data_and_fin_in_one_segment() {
    let mut pair = Pair::established(5_000, 5_000);
    pair.ends[A].send_slice(b"all in one").unwrap();
    pair.ends[A].close();
    pair.flush(A);
    assert_eq!(pair.log.len(), 1);
    assert_eq!(pair.log[0].plan.flags, Flags::ACK | Flags::PSH | Flags::FIN);
    pair.run(millis(50));
    assert_eq!(read_all(&mut pair.ends[B]), b"all in one");
    assert_eq!(pair.states()[B], State::CloseWait);
}

#[test]
fn what_was_received_is_there_after_the_end() {
    let mut pair = Pair::established(5_000, 5_000);
    pair.ends[A].send_slice(b"last words").unwrap();
    pair.ends[A].close();
    pair.run(millis(50));
    pair.ends[B].close();
    pair.run(millis(100));
    assert_eq!(pair.states()[B], State::Closed);
    assert!(pair.ends[B].can_recv() && pair.ends[B].may_recv());
    assert_eq!(read_all(&mut pair.ends[B]), b"last words");
    assert_eq!(pair.ends[B].recv_slice(&mut [0]), Err(RecvError::Finished));
}

#[test]
fn an_abort_resets_the_peer() {
    let mut pair = Pair::established(5_000, 5_000);
    pair.ends[B].send_slice(b"never read").unwrap();
    pair.run(millis(50));
    pair.ends[A].abort();
    assert_eq!(pair.states()[A], State::Closed);
    assert!(pair.ends[A].tuple().is_some(), "the reset is still to be sent");
    pair.run(millis(50));
    assert_eq!(pair.ends[A].tuple(), None);
    assert_eq!(pair.states()[B], State::Closed);
    assert_eq!(pair.ends[B].error(), Some(Error::Reset));
    assert_eq!(pair.ends[A].error(), None);
    assert_eq!(pair.ends[B].recv_slice(&mut [0]), Err(RecvError::InvalidState));
    assert_eq!(pair.next_at(), None);
}

#[test]
fn closing_before_the_handshake_is_over_closes_after_it() {
    let mut pair = Pair::new(1_000, 1_000);
    pair.open();
    pair.run(millis(15));
    assert_eq!(pair.states()[B], State::SynReceived);
    pair.ends[B].close();
    assert_eq!(pair.states()[B], State::SynReceived);
    pair.run(millis(50));
    assert_eq!(pair.states(), [State::CloseWait, State::FinWait2]);

    let mut pair = Pair::new(1_000, 1_000);
    pair.open();
    pair.ends[A].close();
    assert_eq!(pair.states()[A], State::Closed);
}

#[test]
fn an_orphan_is_finished_without_its_owner() {
    let mut pair = Pair::established(5_000, 5_000);
    pair.ends[A].send_slice(&[9; 3_000]).unwrap();
    let cx = context!(pair.keys, pair.now, MTU);
    pair.ends[A].orphan(&cx);
    pair.run(millis(100));
    assert_eq!(pair.states(), [State::FinWait2, State::CloseWait]);
    assert_eq!(pair.ends[B].recv_queue(), 3_000);
    // The peer never closes: the orphan does not stay for ever.
    pair.run(Duration::from_secs(62));
    assert_eq!(pair.states()[A], State::Closed);
    assert_eq!(pair.ends[B].error(), Some(Error::Reset));
}

/// A slow reader is no dead one: the deadline counts from the last progress.
#[test]
fn an_orphan_that_makes_progress_is_not_cut_off() {
    let mut pair = Pair::established(1_000, 8_000);
    pair.ends[A].send_slice(&[9; 8_000]).unwrap();
    let cx = context!(pair.keys, pair.now, MTU);
    pair.ends[A].orphan(&cx);
    let mut read = 0;
    for _ in 0..8 {
        pair.run(Duration::from_secs(20));
        let mut data = [0; 1_000];
        read += pair.ends[B].recv_slice(&mut data).unwrap();
    }
    assert_eq!(read, 8_000, "over 160 s");
    assert_eq!(pair.ends[B].error(), None);
}

#[test]
fn an_orphan_of_the_handshake_has_its_deadline_too() {
    let mut pair = Pair::new(5_000, 5_000);
    pair.open();
    pair.run(millis(15));
    assert_eq!(pair.states()[B], State::SynReceived);
    let cx = context!(pair.keys, pair.now, MTU);
    pair.ends[B].orphan(&cx);
    pair.run(millis(20));
    assert_eq!(pair.states()[B], State::FinWait1);
    pair.script(|_, _| Fate::Drop);
    pair.run(Duration::from_secs(61));
    assert_eq!(pair.states()[B], State::Closed);
}

/// Covers: RFC 1122 §4.2.2.13
#[test]
fn data_for_an_orphan_is_reset() {
    let mut pair = Pair::established(5_000, 5_000);
    let cx = context!(pair.keys, pair.now, MTU);
    pair.ends[A].orphan(&cx);
    pair.run(millis(100));
    pair.ends[B].send_slice(b"is anybody there").unwrap();
    pair.run(millis(100));
    assert_eq!(pair.states(), [State::Closed; 2]);
    assert_eq!(pair.ends[B].error(), Some(Error::Reset));
}

/// Covers: RFC 2525 §2.17
#[test]
fn letting_go_of_unread_data_resets() {
    let mut pair = Pair::established(5_000, 5_000);
    pair.ends[B].send_slice(b"unread").unwrap();
    pair.run(millis(50));
    let cx = context!(pair.keys, pair.now, MTU);
    pair.ends[A].orphan(&cx);
    pair.run(millis(50));
    assert_eq!(pair.ends[B].error(), Some(Error::Reset));
}

fn time_wait() -> (Pair, TimeWait) {
    let mut pair = Pair::established(1_000, 1_000);
    pair.ends[A].close();
    pair.run(millis(15));
    pair.ends[B].close();
    // The FIN has come, and the ACK of it has not gone yet.
    pair.now += millis(10);
    let flying: Vec<_> = pair.wire.drain(..).collect();
    for flying in flying.iter().filter(|flying| flying.to == A) {
        pair.deliver(A, &flying.octets, flying.mark);
    }
    pair.flush(B);
    pair.now += millis(10);
    for flying in pair.wire.drain(..).collect::<Vec<_>>() {
        pair.deliver(flying.to, &flying.octets, flying.mark);
    }
    let ticks = Ticks::from_instant(pair.now);
    assert_eq!(pair.states()[A], State::TimeWait);
    assert_eq!(pair.ends[A].take_time_wait(ticks), None, "the last ACK is still to be sent");
    pair.flush(A);
    let tuple = *pair.ends[A].tuple().unwrap();
    let record = pair.ends[A].take_time_wait(ticks).unwrap();
    assert_eq!(pair.states()[A], State::Closed);
    assert!(record.is_for(&tuple));
    (pair, record)
}

#[test]
fn a_record_answers_for_a_closed_connection() {
    let (pair, mut record) = time_wait();
    let fin = pair.plans(B).into_iter().find(|plan| plan.flags.contains(Flags::FIN)).unwrap();
    let cx = context!(pair.keys, pair.now, MTU);
    let seg = Segment {
        seq: fin.seq,
        ack: fin.ack,
        flags: fin.flags,
        window: fin.window,
        options: Options::NONE,
        area: &[],
        stamp: Stamp::NONE,
        mark: Mark::NONE,
        payload: &[],
    };
    let mut ack = Plan::none();
    let listens = Some(Stamp::NONE);
    assert_eq!(record.process(cx.ticks, &seg, listens, &mut ack), Verdict::Reply);
    assert_eq!((ack.ack, ack.seq, ack.flags), (fin.seq + 1, fin.ack, Flags::ACK));
    // RFC 1337: neither a reset nor a stray ACK does anything.
    for flags in [Flags::RST, Flags::RST | Flags::ACK, Flags::ACK] {
        let stray = Segment { flags, seq: fin.seq + 1, ..seg };
        let verdict = record.process(cx.ticks, &stray, listens, &mut ack);
        assert!(matches!(verdict, Verdict::Drop(_)), "{flags:?}");
    }
    let keep_alive = Segment { seq: fin.seq, flags: Flags::ACK, ..seg };
    assert_eq!(record.process(cx.ticks, &keep_alive, listens, &mut ack), Verdict::Reply);
    let syn = Segment { seq: fin.seq + 1, flags: Flags::SYN, ..seg };
    assert_eq!(record.process(cx.ticks, &syn, None, &mut ack), Verdict::Reply, "nobody listens");
}

/// Covers: RFC 6191 §2, RFC 9293 §3.6.1
#[test]
fn a_record_gives_way_to_who_comes_later() {
    const CLOCK: u32 = 0xffff_fff0;
    let stamp = |value: u32| Stamp::new(CLOCK.wrapping_add(value), 0);
    let (none, newer, same, older) = (Stamp::NONE, stamp(100), stamp(0), stamp(0_u32.wrapping_sub(100)));
    // Whether the old connection had stamps, the stamp of the new one's SYN, its number after that of the last FIN.
    for (is_on, syn, beyond, is_taken) in [
        (true, newer, -50_000, true),
        (true, newer, 1, true),
        (true, same, 1, true),
        (true, same, 0, false),
        (true, older, 50_000, false),
        (true, stamp(1 << 31), 50_000, false),
        (true, none, 1, true),
        (true, none, 0, false),
        (true, none, -50_000, false),
        (false, newer, -50_000, true),
        (false, older, -50_000, true),
        (false, none, 1, true),
        (false, none, 0, false),
        (false, none, -50_000, false),
    ] {
        let fin = SeqNum(7_000);
        let tuple = Tuple { local: addr(1), remote: addr(2), local_port: 80, remote_port: 4_000, zone: 0 };
        let last = Last::new(CLOCK, is_on);
        let mut record = TimeWait::new(&tuple, SeqNum(9), fin + 1, last, Room::NONE, Ticks(0));
        let seg = Segment {
            seq: SeqNum(fin.0.wrapping_add_signed(beyond)),
            ack: SeqNum(0),
            flags: Flags::SYN,
            window: 1_000,
            options: Options::NONE,
            area: &[],
            stamp: syn,
            mark: Mark::NONE,
            payload: &[],
        };
        let mut reply = Plan::none();
        let verdict = record.process(Ticks(1), &seg, Some(syn), &mut reply);
        let expected = if is_taken { Verdict::Reopen } else { Verdict::Drop(DropReason::Unacceptable) };
        assert_eq!(verdict, expected, "{is_on} {syn:?} {beyond}");
        assert_eq!(reply, Plan::none(), "it is dropped in silence");
    }
}

#[test]
fn a_record_is_for_its_own_ends_alone() {
    let tuple = Tuple { local: addr(1), remote: addr(2), local_port: 80, remote_port: 4_000, zone: 0 };
    let record = TimeWait::new(&tuple, SeqNum(9), SeqNum(8), Last::NONE, Room::NONE, Ticks(0));
    assert!(record.is_for(&tuple));
    let other = Tuple { local_port: 81, ..tuple };
    assert!(!record.is_for(&other));
    assert!(!record.is_for(&Tuple { remote_port: 4_001, ..tuple }));
    assert!(!record.is_for(&Tuple { local: addr(3), ..tuple }));
    assert!(!record.is_for(&Tuple { remote: addr(3), ..tuple }));
    assert!(!record.is_for(&Tuple { zone: 1, ..tuple }));
}

/// Covers: RFC 9293 MUST-13
#[test]
fn a_record_expires_after_a_minute() {
    let (pair, record) = time_wait();
    let now = Ticks::from_instant(pair.now);
    assert!(!record.is_expired(now.after(58_500)));
    assert!(record.is_expired(now.after(64_000)));
    assert!(!TimeWait::EMPTY.is_used() && record.is_used());
}

#[test]
fn a_repeated_fin_is_answered_in_time_wait() {
    let mut pair = Pair::established(1_000, 1_000);
    // B's FIN is answered, but the answer is lost twice.
    let mut lost = 0;
    pair.script = Box::new(move |sent| {
        if sent.from == A && sent.plan.flags == Flags::ACK && lost < 2 {
            lost += 1;
            return Fate::Drop;
        }
        Fate::Pass
    });
    pair.ends[A].close();
    pair.run(millis(15));
    pair.ends[B].close();
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.states(), [State::TimeWait, State::Closed]);
    assert_eq!(pair.count(B, Kind::FinRetransmit), 2);
}

/// A record gives way to a new connection where somebody listens for it; the socket's time is too short.
#[test]
fn a_new_syn_in_time_wait_is_acknowledged_by_the_socket() {
    let mut pair = Pair::established(1_000, 1_000);
    pair.ends[A].close();
    pair.run(millis(50));
    pair.ends[B].close();
    pair.run(millis(100));
    assert_eq!(pair.states()[A], State::TimeWait);
    let fin = pair.plans(B).into_iter().find(|plan| plan.flags.contains(Flags::FIN)).unwrap();
    let cx = context!(pair.keys, pair.now, MTU);
    let syn = Segment {
        seq: fin.seq + 100,
        ack: SeqNum(0),
        flags: Flags::SYN,
        window: 1_000,
        options: Options::NONE,
        area: &[],
        stamp: Stamp::NONE,
        mark: Mark::NONE,
        payload: &[],
    };
    assert_eq!(pair.ends[A].process(&cx, &syn, None), Outcome::NONE);
    assert_eq!(pair.ends[A].decide(&cx).map(|plan| (plan.flags, plan.ack)), Some((Flags::ACK, fin.seq + 1)));
    assert_eq!(pair.states()[A], State::TimeWait);
}
