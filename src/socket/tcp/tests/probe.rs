//! Tail loss probes (RFC 8985 §7), in `sack/probe`.

use super::*;

const M: u32 = MSS as u32;

/// A round trip of 80 ms, known to A, after a transfer without losses.
fn pair_of_80_ms() -> Pair {
    let mut pair = Pair::of(socket(400_000, 400_000), socket(400_000, 400_000));
    pair.delay = millis(40);
    pair.open();
    pair.run(millis(100));
    transfer(&mut pair, A, &pattern(30 * MSS, 4), Duration::from_secs(3));
    pair.log.clear();
    pair
}

/// Sends `segments` full ones at once, of which those in `lost` do not arrive the first time.
fn send(pair: &mut Pair, segments: usize, lost: &[usize]) -> Instant {
    lose(pair, lost);
    let began = pair.now;
    pair.ends[A].send_slice(&pattern(segments * MSS, 5)).unwrap();
    pair.run(Duration::from_secs(2));
    assert!(read_all(&mut pair.ends[B]) == pattern(segments * MSS, 5));
    began
}

fn ms_until(pair: &Pair, kind: Kind, began: Instant) -> u64 {
    let sent = pair.log.iter().find(|sent| sent.from == A && sent.plan.kind == kind).unwrap();
    (sent.at - began).total_millis()
}

/// Covers: RFC 8985 §7.2, RFC 8985 §7.3
#[test]
fn a_lost_end_is_repaired_after_two_round_trips_and_reduces_the_window() {
    let mut pair = pair_of_80_ms();
    let (before, _) = windows(&pair.ends[A]);
    let began = send(&mut pair, 10, &[9]);
    assert_eq!((pair.count(A, Kind::TailLossProbe), pair.count(A, Kind::RtoRetransmit)), (1, 0));
    // After one round trip nothing but it was out, of which the ACK may be held back: as long as a timeout.
    let waited = ms_until(&pair, Kind::TailLossProbe, began);
    assert!((275..=285).contains(&waited), "{waited} ms");
    // The next ACK tells that it was needed.
    send(&mut pair, 2, &[]);
    let (after, threshold) = windows(&pair.ends[A]);
    assert!(after < before && threshold < before, "{before} before, {after} after");
}

/// Covers: RFC 8985 §7.4
#[test]
fn several_that_are_lost_at_the_end_are_repaired_by_what_the_probe_calls_forth() {
    for lost in [&[8, 9][..], &[5, 6, 7, 8, 9], &[2, 3, 4, 5, 6, 7, 8, 9]] {
        let mut pair = pair_of_80_ms();
        let began = send(&mut pair, 10, lost);
        assert_eq!((pair.count(A, Kind::TailLossProbe), pair.count(A, Kind::RtoRetransmit)), (1, 0));
        let waited = ms_until(&pair, Kind::TailLossProbe, began);
        assert!((235..=245).contains(&waited), "two round trips after the last ACK: {waited} ms");
        let last = pair.log.iter().rfind(|sent| sent.from == A).unwrap();
        let took = (last.at - began).total_millis();
        assert!(took < 600, "lost {lost:?}: {took} ms");
        assert_eq!(pair.log.iter().filter(|sent| sent.from == A).count(), 10 + lost.len());
    }
}

/// Covers: RFC 8985 §7.3
#[test]
fn a_probe_has_something_new_if_there_is_any() {
    let mut peer = Peer::with(socket(20_000, 100_000));
    let options = Options { mss: MSS as u16, sack_permitted: true, ..Options::NONE };
    peer = peer.into_connected(options, 0xffff);
    // Until its round trip is known to be 50 ms.
    for _ in 0..40 {
        peer.socket.send_slice(&[0; 100]).unwrap();
        peer.sent();
        peer.now += millis(50);
        peer.ack = peer.ack + 100;
        peer.give_ack();
    }
    peer.socket.send_slice(&vec![0; 20 * MSS]).unwrap();
    let sent = peer.sent();
    assert_eq!(sent.len(), 10, "the initial window");
    let waited = peer.sleep_to_deadline();
    assert!((95..=115).contains(&waited), "two round trips: {waited} ms");
    let probe = peer.sent();
    assert_eq!((probe.len(), probe[0].kind, probe[0].seq), (1, Kind::New, peer.ack + 10 * M));
    // One only, and then the retransmission timer.
    while peer.socket.deadline(Ticks::from_instant(peer.now)).is_some() {
        peer.sleep_to_deadline();
        if let Some(plan) = peer.sent().first() {
            assert_eq!((plan.kind, plan.seq), (Kind::RtoRetransmit, peer.ack));
            break;
        }
    }
}

/// Covers: RFC 8985 §7.4
#[test]
fn a_probe_of_what_was_only_late_costs_nothing() {
    let mut pair = pair_of_80_ms();
    let (_, threshold) = windows(&pair.ends[A]);
    pair.script(|n, sent| if sent.from == A && n == 9 { Fate::Late(300) } else { Fate::Pass });
    pair.ends[A].send_slice(&pattern(10 * MSS, 5)).unwrap();
    pair.run(Duration::from_secs(2));
    assert_eq!(read_all(&mut pair.ends[B]).len(), 10 * MSS);
    assert_eq!((pair.count(A, Kind::TailLossProbe), pair.count(A, Kind::RtoRetransmit)), (1, 0));
    pair.log.clear();
    send(&mut pair, 3, &[]);
    assert_eq!(windows(&pair.ends[A]).1, threshold);
}

/// The flight's end again, and then an ACK that moves nothing: of a peer that tells of nothing twice.
fn after_a_probe_and_an_ack(window: u16) -> (u32, u32) {
    let mut peer = super::sack::peer(20 * MSS);
    let (_, threshold) = windows(&peer.socket);
    peer.ack = peer.ack + 9 * M;
    peer.give_ack();
    peer.sent();
    // All that there is to send is out.
    peer.ack = peer.ack + 9 * M;
    peer.give_ack();
    peer.sent();
    let probe = loop {
        peer.sleep_to_deadline();
        if let Some(plan) = peer.sent().pop() {
            break plan;
        }
    };
    assert_eq!(probe.kind, Kind::TailLossProbe);
    peer.ack = peer.ack + 2 * M;
    peer.give_ack();
    assert_eq!(peer.socket.send_queue(), 0);
    peer.window = window;
    peer.give_ack();
    peer.socket.send_slice(&[0; 100]).unwrap();
    peer.sent();
    peer.ack = peer.ack + 100;
    peer.give_ack();
    (windows(&peer.socket).1, threshold)
}

/// Covers: RFC 8985 §7.4
#[test]
fn a_second_ack_tells_that_both_have_arrived_and_a_window_does_not() {
    let (after, before) = after_a_probe_and_an_ack(0xffff);
    assert_eq!(after, before, "both");
    let (after, before) = after_a_probe_and_an_ack(0xfff0);
    assert!(after < before, "one");
}

#[test]
fn one_segment_waits_for_a_delayed_acknowledgment() {
    let mut pair = pair_of_80_ms();
    // B holds its ACK back for 40 ms, which A does not take for a loss.
    send(&mut pair, 1, &[]);
    send(&mut pair, 3, &[]);
    assert_eq!(pair.log.iter().filter(|sent| sent.from == A).count(), 4);
}

/// Covers: RFC 8985 §7.2
#[test]
fn what_is_sent_meanwhile_gets_its_time_but_not_for_ever() {
    let mut pair = pair_of_80_ms();
    let mut n = 0;
    // B falls silent, while A has something to say each 50 ms.
    pair.script(|_, sent| if sent.from == B { Fate::Drop } else { Fate::Pass });
    pair.ends[A].set_nagle_enabled(false);
    let began = pair.now;
    while n < 40 {
        pair.ends[A].send_slice(&[0; 2_000]).unwrap();
        pair.run(millis(50));
        n += 1;
    }
    let first = pair
        .log
        .iter()
        .find(|sent| sent.from == A && matches!(sent.plan.kind, Kind::TailLossProbe | Kind::RtoRetransmit));
    let waited = (first.expect("it is noticed").at - began).total_millis();
    assert!(waited <= 450, "{waited} ms");
}
