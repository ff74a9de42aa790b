//! What becomes of a window that the application does not use, in `validation`.

use super::*;

/// Octets of a full segment, which has a timestamp.
const M: u32 = MSS as u32 - 12;

/// A paced connection over 80 ms; A has sent for a while, and all has arrived. Its window is far larger than at first.
fn practised() -> Pair {
    practised_over(40)
}

/// The same over a path that takes so many ms each way.
fn practised_over(delay: u64) -> Pair {
    let mut pair = Pair::of(paced(), paced());
    pair.delay = millis(delay);
    pair.open();
    pair.run(millis(3 * delay));
    transfer(&mut pair, A, &pattern(200 * MSS, 4), millis(15 * delay));
    assert!(window(&pair) > 100 * M, "{}", window(&pair));
    pair.log.clear();
    pair
}

fn paced() -> Socket<'static> {
    let mut socket = stamped(1 << 20, 1 << 20);
    socket.set_pacing_enabled(true);
    socket
}

fn window(pair: &Pair) -> u32 {
    windows(&pair.ends[A]).0
}

/// A says a little, and gets its ACK.
fn speak(pair: &mut Pair, segments: usize) {
    let len = segments * M as usize;
    transfer(pair, A, &pattern(len, 9), millis(200));
}

/// Covers: RFC 7661 §4.4
#[test]
fn a_silence_of_minutes_keeps_the_window_and_one_of_more_does_not() {
    for (seconds, is_kept) in [(1, true), (60, true), (299, true), (301, false), (3_600, false)] {
        let mut pair = practised();
        let (before, threshold) = windows(&pair.ends[A]);
        pair.now += Duration::from_secs(seconds);
        speak(&mut pair, 1);
        let expected = if is_kept { before } else { 10 * M };
        assert!((expected..=expected + M).contains(&window(&pair)), "after {seconds} s: {}", window(&pair));
        assert_eq!(windows(&pair.ends[A]).1, threshold);
    }
}

/// Covers: RFC 5681 §4.1
#[test]
fn who_wants_it_begins_anew_after_a_silence() {
    let mut pair = practised();
    pair.ends[A].set_slow_start_after_idle(true);
    assert!(pair.ends[A].slow_start_after_idle() && !pair.ends[B].slow_start_after_idle());
    pair.now += Duration::from_secs(5);
    speak(&mut pair, 1);
    assert!((10 * M..=11 * M).contains(&window(&pair)), "{}", window(&pair));
}

/// Nothing divides a window that would go at once.
#[test]
fn without_pacing_a_silence_costs_the_window() {
    let mut pair = practised();
    pair.ends[A].set_pacing_enabled(false);
    speak(&mut pair, 1);
    pair.now += Duration::from_secs(5);
    speak(&mut pair, 1);
    assert!((10 * M..=11 * M).contains(&window(&pair)), "{}", window(&pair));
}

/// Covers: RFC 7661 §4.3, §4.4.2
#[test]
fn a_window_that_is_hardly_used_stays_for_five_minutes_and_then_halves() {
    let mut pair = practised();
    let before = window(&pair);
    let start = pair.now;
    while pair.now < start + Duration::from_secs(299) {
        speak(&mut pair, 4);
        assert_eq!(window(&pair), before, "after {}", pair.now);
    }
    while pair.now < start + Duration::from_secs(303) {
        speak(&mut pair, 4);
    }
    let (halved, threshold) = windows(&pair.ends[A]);
    assert_eq!(halved, before / 2);
    assert!(threshold == u32::MAX || threshold >= before / 4 * 3);
    // Once in five minutes.
    while pair.now < start + Duration::from_secs(590) {
        speak(&mut pair, 4);
    }
    assert_eq!(window(&pair), halved);
}

/// Covers: RFC 7661 §4.4.1
#[test]
fn a_loss_reduces_what_was_carried_not_what_was_allowed() {
    let mut pair = practised();
    // Long enough for what was carried before to be no measure any more.
    for _ in 0..20 {
        speak(&mut pair, 20);
    }
    let before = window(&pair);
    assert!(before > 100 * M);
    let mut left = 1;
    pair.script(move |_, sent| {
        let is_lost = sent.from == A && sent.plan.len > 0 && left > 0;
        left -= i32::from(is_lost);
        if is_lost { Fate::Drop } else { Fate::Pass }
    });
    // Five segments are in flight, and twenty were carried.
    transfer(&mut pair, A, &pattern(5 * M as usize, 9), millis(400));
    let threshold = windows(&pair.ends[A]).1;
    assert!((13 * M..=15 * M).contains(&threshold), "{} segments of {}", threshold / M, before / M);
}

/// Covers: RFC 7661 §4.2
#[test]
fn what_was_carried_is_remembered_for_three_round_trips_where_those_are_long() {
    let mut pair = practised_over(400);
    // What is carried then begins a new period.
    pair.now += Duration::from_secs(20);
    for segments in [40, 5, 5] {
        transfer(&mut pair, A, &pattern(segments * M as usize, 9), millis(1_300));
    }
    let mut left = 1;
    pair.script(move |_, sent| {
        let is_lost = sent.from == A && sent.plan.len > 0 && left > 0;
        left -= i32::from(is_lost);
        if is_lost { Fate::Drop } else { Fate::Pass }
    });
    transfer(&mut pair, A, &pattern(5 * M as usize, 9), millis(4_000));
    let threshold = windows(&pair.ends[A]).1;
    assert!((27 * M..=29 * M).contains(&threshold), "{} segments", threshold / M);
}

/// Covers: RFC 7661 §4.3
#[test]
fn what_is_not_validated_does_not_grow_until_it_is() {
    let mut pair = practised();
    for _ in 0..20 {
        speak(&mut pair, 4);
    }
    let before = window(&pair);
    let Phase::Connection(connection) = &pair.ends[A].phase else { panic!("there is no connection") };
    assert!(!connection.validation.may_grow(before));
    // As much as the window allows, for some round trips: the first shows that the path carries it.
    transfer(&mut pair, A, &pattern(800 * MSS, 4), millis(2_000));
    assert!(window(&pair) > before);
}

/// The window of before, which was not used, says nothing about the one that a timeout has left.
///
/// Covers: RFC 7661 §4.4.1
#[test]
fn a_timeout_begins_a_slow_start_whatever_was_lacking_before() {
    let mut pair = practised();
    for _ in 0..20 {
        speak(&mut pair, 40);
    }
    // All of a flight is lost, and its probes.
    let healed = pair.now + millis(300);
    pair.script(move |_, sent| if sent.at < healed { Fate::Drop } else { Fate::Pass });
    pair.ends[A].send_slice(&pattern(40 * M as usize, 9)).unwrap();
    pair.flush(A);
    let mut rounds = 0;
    while pair.ends[A].send_queue() > 0 {
        pair.run(millis(80));
        rounds += 1;
        assert!(rounds < 40, "a segment a round trip");
    }
    // A timeout or two, and doublings from one segment to forty.
    assert!(rounds <= 20, "{rounds}");
}

/// How much the window of who said little has grown when it is filled, before a whole round trip has been acknowledged.
fn growth_in_a_round_trip_after(silence: Duration) -> u32 {
    let mut pair = practised();
    for _ in 0..20 {
        speak(&mut pair, 4);
    }
    let before = window(&pair);
    pair.now += silence;
    pair.ends[A].send_slice(&pattern(1 << 20, 4)).unwrap();
    pair.run(millis(140));
    let Phase::Connection(connection) = &pair.ends[A].phase else { panic!("there is no connection") };
    assert!(connection.snd.una.lt(connection.snd.full) && connection.snd.outstanding() > before / 2);
    window(&pair) - before
}

/// Covers: RFC 7661 §4.3
#[test]
fn a_window_that_is_filled_for_less_than_a_round_trip_is_as_before() {
    assert_eq!(growth_in_a_round_trip_after(millis(0)), 0);
}

/// Covers: RFC 7661 §4.2
#[test]
fn a_silence_leaves_no_doubt_of_what_was_carried_before_it() {
    assert!(growth_in_a_round_trip_after(Duration::from_secs(5)) > 0);
}
