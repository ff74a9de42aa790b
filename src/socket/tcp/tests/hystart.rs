//! Where the first slow start ends (RFC 9406), in `congestion/hystart`.

use super::*;
use std::cell::Cell;
use std::rc::Rc;

/// A round trip of 80 ms, with timestamps or without.
fn far(is_stamped: bool) -> Pair {
    let make = if is_stamped { stamped } else { socket };
    let mut pair = Pair::of(make(3_000_000, 3_000_000), make(3_000_000, 3_000_000));
    pair.delay = millis(40);
    pair.open();
    pair.run(millis(100));
    pair.log.clear();
    pair
}

/// A's segments pass one by one, two in a millisecond, and B's acknowledgments take longer, by what `late` says for the
/// milliseconds since now. Returns how long A's wait for each other at most, in ms.
fn narrow(pair: &mut Pair, mut late: impl FnMut(u64) -> u64 + 'static) -> Rc<Cell<u64>> {
    let longest = Rc::new(Cell::new(0));
    let (seen, start, mut free_at) = (longest.clone(), pair.now, pair.now);
    pair.script = Box::new(move |sent| {
        if sent.from == B {
            return Fate::Late(late(sent.at.saturating_duration_since(start).total_millis()));
        }
        free_at = free_at.max(sent.at) + Duration::from_micros(500);
        let wait = free_at.saturating_duration_since(sent.at).total_millis();
        seen.set(seen.get().max(wait));
        Fate::Late(wait)
    });
    longest
}

/// How many times as large A's window is after each of so many round trips in which it has enough to send.
fn growth(pair: &mut Pair, count: usize, round_trip: u64) -> Vec<f64> {
    let data = pattern(3_000_000, 7);
    let mut grown = Vec::new();
    for _ in 0..count {
        let before = windows(&pair.ends[A]).0;
        pair.run_with(millis(round_trip), |pair| {
            pair.ends[A].send_slice(&data).unwrap();
            read_all(&mut pair.ends[B]);
        });
        grown.push(f64::from(windows(&pair.ends[A]).0) / f64::from(before));
    }
    grown
}

/// Covers: RFC 9406 §4.2
#[test]
fn slow_start_ends_before_the_queue_is_long() {
    for is_stamped in [true, false] {
        let mut pair = far(is_stamped);
        let longest = narrow(&mut pair, |_| 0);
        growth(&mut pair, 12, 80);
        let threshold = windows(&pair.ends[A]).1;
        // The path holds 160 segments.
        if is_stamped {
            assert!((160..480).contains(&(threshold / MSS as u32)), "{threshold}");
            assert!(longest.get() < 200, "{} ms", longest.get());
        } else {
            assert_eq!(threshold, u32::MAX, "nothing tells of the queue");
            assert!(longest.get() > 400, "{} ms", longest.get());
        }
        assert_eq!(pair.count(A, Kind::New), pair.plans(A).len(), "nothing was lost");
    }
}

/// Covers: RFC 9406 §4.2, §4.3
#[test]
fn jitter_of_an_eighth_of_the_round_trip_changes_nothing() {
    let mut pair = far(true);
    let mut n = 0;
    narrow(&mut pair, move |_| {
        n += 1;
        [0, 9, 3, 7, 5][n % 5]
    });
    // A round trip and more, so that all that was out is acknowledged.
    let grown = growth(&mut pair, 4, 90);
    assert!(grown.iter().all(|&grown| grown > 1.8), "{grown:?}");
    assert_eq!(windows(&pair.ends[A]).1, u32::MAX);
}

/// Covers: RFC 9406 §4.2
#[test]
fn a_round_trip_that_is_shorter_again_brings_slow_start_back() {
    let mut pair = far(true);
    narrow(&mut pair, |at| if (170..380).contains(&at) { 20 } else { 0 });
    let mut grown = growth(&mut pair, 3, 100);
    grown.extend(growth(&mut pair, 3, 90));
    assert!(grown[3] < 1.4, "there is CSS: {grown:?}");
    assert!(grown[4] > 1.8, "there is slow start again: {grown:?}");
    assert_eq!(windows(&pair.ends[A]).1, u32::MAX);
}

/// Covers: RFC 9406 §4.2
#[test]
fn a_round_trip_that_stays_longer_ends_slow_start_after_five_rounds() {
    let mut pair = far(true);
    narrow(&mut pair, |at| if at >= 170 { 20 } else { 0 });
    growth(&mut pair, 3, 90);
    let mut grown = growth(&mut pair, 4, 101);
    assert!(grown[1..].iter().all(|grown| (1.15..1.35).contains(grown)), "{grown:?}");
    assert_eq!(windows(&pair.ends[A]).1, u32::MAX, "{grown:?}");
    grown.extend(growth(&mut pair, 4, 101));
    let (window, threshold) = windows(&pair.ends[A]);
    assert!(window >= threshold && threshold < u32::MAX, "{grown:?}");
    assert!(grown[7] < 1.1, "{grown:?}");
}

/// A peer that acknowledges ten octets at a time, which all seem to be late, wins nothing by it and ends no round; nor
/// one whose ACKs are for ten segments each.
///
/// Covers: RFC 9406 §4.2
#[test]
fn how_many_acks_there_are_ends_no_round() {
    for (step, count) in [(10, 6_000), (10 * MSS as u32, 12)] {
        let mut peer = Peer::with(stamped(1_000, 200_000));
        peer.stamp = Stamp::new(1_000, 0);
        let options = Options { mss: MSS as u16, window_scale: 4, ..Options::NONE };
        let mut peer = peer.into_connected(options, 0xffff);
        peer.socket.send_slice(&[0; 200_000]).unwrap();
        let before = windows(&peer.socket).0;
        let mut plans: VecDeque<Plan> = peer.sent().into();
        let mut echo = 0;
        for i in 0..count {
            peer.ack = peer.ack + step;
            while plans.front().is_some_and(|plan| plan.seq.lt(peer.ack)) {
                echo = plans.pop_front().unwrap().stamp.value;
            }
            peer.stamp.echo = echo.wrapping_sub(i);
            peer.give_ack();
            plans.extend(peer.sent());
        }
        let (window, threshold) = windows(&peer.socket);
        assert!(window - before <= step * count, "{window}");
        // No more rounds than flights.
        assert_eq!(threshold, u32::MAX);
    }
}

/// Once a loss has taught where slow start ends, longer round trips say nothing of it.
///
/// Covers: RFC 9406 §4.2
#[test]
fn after_a_loss_round_trips_do_not_move_the_threshold() {
    let mut pair = far(true);
    lose(&mut pair, &[20]);
    transfer(&mut pair, A, &pattern(200 * MSS, 4), Duration::from_secs(2));
    let (_, threshold) = windows(&pair.ends[A]);
    assert!(threshold < u32::MAX);
    let start = pair.now;
    pair.script = Box::new(move |sent| {
        let rounds = sent.at.saturating_duration_since(start).total_millis() / 80;
        if sent.from == B { Fate::Late(15 * rounds) } else { Fate::Pass }
    });
    pair.ends[A].send_slice(&pattern(1_500 * MSS, 4)).unwrap();
    pair.run(Duration::from_secs(3));
    assert_eq!(windows(&pair.ends[A]).1, threshold);
}
