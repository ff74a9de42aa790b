//! When what the window lets go leaves, in `pace`.

use super::*;

/// Octets of a full segment, which has a timestamp.
const M: u32 = MSS as u32 - 12;

/// A connection over a round trip of twice `delay` ms, with pacing or without.
fn pair(is_paced: bool, delay: u64) -> Pair {
    let end = || {
        let mut socket = stamped(1 << 20, 1 << 20);
        socket.set_pacing_enabled(is_paced);
        socket
    };
    let mut pair = Pair::of(end(), end());
    pair.delay = millis(delay);
    pair.open();
    pair.run(millis(3 * delay));
    pair.log.clear();
    pair
}

/// The same over 80 ms; A has sent for a while, and all has arrived.
fn practised(is_paced: bool) -> Pair {
    let mut pair = pair(is_paced, 40);
    transfer(&mut pair, A, &pattern(200 * MSS, 4), millis(600));
    pair.log.clear();
    pair
}

/// Octets that A has sent by `ms` after `start`.
fn sent_by(pair: &Pair, start: Instant, ms: u64) -> u32 {
    let by = |sent: &&Sent| sent.from == A && sent.at <= start + millis(ms);
    pair.log.iter().filter(by).map(|sent| sent.plan.len).sum()
}

/// Segments that A has sent in one tick, at most.
fn most_at_once(pair: &Pair) -> usize {
    let ticks: Vec<u32> =
        pair.log.iter().filter(|sent| sent.from == A).map(|sent| Ticks::from_instant(sent.at).0).collect();
    ticks.chunk_by(|a, b| a == b).map(<[u32]>::len).max().unwrap_or(0)
}

/// In slow start the rate is two windows a round trip.
///
/// Covers: RFC 6928
#[test]
fn ten_segments_go_at_once_and_the_rest_of_the_window_in_its_time() {
    let mut pair = practised(true);
    let (window, start) = (windows(&pair.ends[A]).0, pair.now);
    assert!((100 * M..400 * M).contains(&window), "{window}");
    pair.ends[A].send_slice(&pattern(100 * M as usize, 5)).unwrap();
    pair.flush(A);
    assert!((10 * M..=12 * M).contains(&sent_by(&pair, start, 0)));
    // No ACK comes so soon: time alone lets it go.
    pair.run(millis(79));
    let rate = window / 40;
    for ms in [4, 8, 12] {
        let (sent, due) = (sent_by(&pair, start, u64::from(ms)), 10 * M + rate * ms);
        assert!((due - 2 * rate..due + 2 * rate).contains(&sent), "{sent} of {due} by {ms} ms");
    }
    assert_eq!(sent_by(&pair, start, 79), 100 * M);
}

#[test]
fn without_it_the_window_goes_at_once() {
    let mut pair = practised(false);
    let start = pair.now;
    pair.ends[A].send_slice(&pattern(100 * M as usize, 5)).unwrap();
    pair.flush(A);
    assert_eq!(sent_by(&pair, start, 0), 100 * M);
    for is_enabled in [true, false] {
        pair.ends[A].set_pacing_enabled(is_enabled);
        assert_eq!(pair.ends[A].pacing_enabled(), is_enabled);
    }
}

/// What goes in a tick is a part of the window, and the first windows are not slower for it.
#[test]
fn slow_start_has_no_bursts_and_doubles_all_the_same() {
    let [paced, plain] = [true, false].map(|is_paced| {
        let mut pair = pair(is_paced, 40);
        transfer(&mut pair, A, &pattern(400 * MSS, 4), Duration::from_secs(2));
        let end =
            pair.log.iter().rfind(|sent| sent.from == A && sent.plan.len > 0).map(|sent| sent.at).unwrap();
        let start = pair.log[0].at;
        (most_at_once(&pair), end.saturating_duration_since(start).total_millis())
    });
    assert!(plain.0 > 100, "{plain:?}");
    assert!(paced.0 <= 20, "{paced:?}");
    assert!(paced.1 < plain.1 + 80, "{paced:?} {plain:?}");
}

/// A host that polls every 15 ms, whatever it was told, sends as much.
#[test]
fn who_is_polled_late_makes_up_for_it() {
    let mut pair = practised(true);
    let (window, start) = (windows(&pair.ends[A]).0, pair.now);
    pair.ends[A].send_slice(&pattern(200 * MSS, 5)).unwrap();
    for _ in 0..4 {
        pair.flush(A);
        pair.now += millis(15);
    }
    let sent = sent_by(&pair, start, 79);
    assert!(sent >= (200 * M).min(window) * 9 / 10, "{sent} of {window}");
}

/// What is not used is lost, but for ten segments or two ticks' worth.
#[test]
fn what_was_not_sent_in_time_is_not_sent_in_a_burst() {
    let mut pair = practised(true);
    pair.ends[A].send_slice(&pattern(MSS, 5)).unwrap();
    pair.flush(A);
    pair.now += millis(60);
    let (window, start) = (windows(&pair.ends[A]).0, pair.now);
    pair.ends[A].send_slice(&pattern(100 * M as usize, 5)).unwrap();
    pair.flush(A);
    let sent = sent_by(&pair, start, 0) - M;
    assert!((10 * M - 500..=(10 * M).max(window / 40 * 2) + M).contains(&sent), "{sent}");
}

/// After a loss the rate is a quarter above the window's, as far as nothing is known of the path.
#[test]
fn in_avoidance_a_window_takes_most_of_a_round_trip() {
    let mut pair = practised(true);
    lose(&mut pair, &[20]);
    transfer(&mut pair, A, &pattern(100 * MSS, 4), millis(280));
    pair.log.clear();
    pair.script(|_, _| Fate::Pass);
    let ((window, threshold), start) = (windows(&pair.ends[A]), pair.now);
    assert!(window >= threshold && window > 40 * M, "{window}");
    pair.ends[A].send_slice(&pattern(300 * MSS, 5)).unwrap();
    pair.run(millis(79));
    let due = 10 * M + window / 64 * 20;
    let sent = sent_by(&pair, start, 20);
    assert!((due * 9 / 10..due * 11 / 10).contains(&sent), "{sent} of {due}");
}

#[test]
fn a_short_round_trip_is_not_divided() {
    let mut pair = pair(true, 1);
    transfer(&mut pair, A, &pattern(500 * MSS, 4), millis(100));
    pair.log.clear();
    let start = pair.now;
    pair.ends[A].send_slice(&pattern(100 * M as usize, 5)).unwrap();
    pair.flush(A);
    assert_eq!(sent_by(&pair, start, 0), 100 * M);
}

/// Clocked by ACKs at the rate of the path it wakes for nothing else.
#[test]
fn who_is_clocked_by_acks_has_no_timer() {
    let mut pair = practised(true);
    let data = pattern(1 << 20, 7);
    let mut free_at = pair.now;
    // Two segments in a millisecond.
    pair.script = Box::new(move |sent| {
        if sent.from == B {
            return Fate::Pass;
        }
        free_at = free_at.max(sent.at) + Duration::from_micros(500);
        Fate::Late(free_at.saturating_duration_since(sent.at).total_millis())
    });
    let mut held = [0; 2];
    for count in &mut held {
        pair.run_with(Duration::from_secs(4), |pair| {
            pair.ends[A].send_slice(&data).unwrap();
            read_all(&mut pair.ends[B]);
            let Phase::Connection(connection) = &pair.ends[A].phase else { panic!("there is no connection") };
            *count += usize::from(connection.pace.deadline().is_some());
        });
        pair.log.clear();
    }
    assert!(held[1] <= 40, "{held:?} of 4,000 ticks");
}

/// It ends with the connection, and in between nothing is late.
#[test]
fn what_is_held_back_ends_with_the_connection() {
    let mut pair = practised(true);
    pair.ends[A].send_slice(&pattern(100 * M as usize, 5)).unwrap();
    pair.flush(A);
    pair.ends[A].abort();
    pair.flush(A);
    assert_eq!(pair.ends[A].deadline(Ticks::from_instant(pair.now)), None);
}

/// What a loss reduces.
#[test]
fn what_is_held_back_is_in_use_as_what_is_out() {
    for is_paced in [true, false] {
        let pair = practised(is_paced);
        let Phase::Connection(connection) = &pair.ends[A].phase else { panic!("there is no connection") };
        let window = connection.control.window();
        let half = if is_paced { window } else { window / 2 };
        assert_eq!(connection.in_use(window / 2), half);
        assert_eq!(connection.in_use(window / 2 - 1), window / 2 - 1, "less than half is not held back");
        assert_eq!(connection.in_use(window + M), window);
    }
}

/// The time at which it goes is another when all that was out is acknowledged in the tick that has let too much go.
#[test]
fn once_all_is_acknowledged_the_next_tick_lets_more_go() {
    let mut pair = pair(true, 500);
    transfer(&mut pair, A, &pattern(10 * MSS, 4), millis(2_000));
    pair.delay = Duration::ZERO;
    pair.script = Box::new(|sent| if sent.from == B { Fate::Drop } else { Fate::Pass });
    pair.ends[A].send_slice(&pattern(9 * M as usize, 5)).unwrap();
    pair.run(millis(1));
    // A segment and a part of one are left in the next tick; two go, and are acknowledged with all others.
    pair.script = Box::new(|_| Fate::Pass);
    pair.now += Duration::from_micros(100);
    pair.ends[A].send_slice(&pattern(2 * M as usize, 6)).unwrap();
    pair.flush(A);
    let held = |pair: &Pair| {
        let Phase::Connection(connection) = &pair.ends[A].phase else { panic!("there is no connection") };
        (connection.snd.outstanding(), connection.pace.deadline())
    };
    pair.ends[A].send_slice(&pattern(3 * M as usize, 7)).unwrap();
    pair.flush(A);
    let now = Ticks::from_instant(pair.now);
    assert!(held(&pair).1.is_some_and(|at| at.since(now) > 10), "{:?}", held(&pair));
    pair.run(Duration::ZERO);
    assert_eq!(held(&pair), (0, Some(now.after(1))));
}
