//! Losses told by time (RFC 8985), in `sack/rack`.

use super::*;

/// Octets that A has sent more than once.
fn repeated(pair: &Pair) -> usize {
    let kinds = [Kind::FastRetransmit, Kind::SackRetransmit, Kind::RtoRetransmit];
    kinds.iter().map(|&kind| pair.count(A, kind)).sum()
}

/// A round trip of 80 ms.
fn far() -> Pair {
    let mut pair = Pair::new(400_000, 400_000);
    pair.delay = millis(40);
    pair.open();
    pair.run(millis(100));
    pair.log.clear();
    pair
}

/// Every twentieth segment takes `late` ms longer.
fn overtake(pair: &mut Pair, late: u64) {
    let mut n = 0;
    pair.script = Box::new(move |sent| {
        n += u32::from(sent.from == A && sent.plan.len > 0);
        if sent.from == A && n % 20 == 7 { Fate::Late(late) } else { Fate::Pass }
    });
}

/// Covers: RFC 8985 §6.2
#[test]
fn segments_that_are_overtaken_are_not_sent_again_once_that_was_seen() {
    let mut pair = far();
    overtake(&mut pair, 15);
    transfer(&mut pair, A, &pattern(600 * MSS, 4), Duration::from_secs(10));
    assert!(repeated(&pair) <= 2, "{} of 30 that were late", repeated(&pair));
    assert_eq!(pair.count(A, Kind::RtoRetransmit), 0);
}

/// Covers: RFC 8985 §6.2
#[test]
fn needless_repetitions_make_it_wait_longer() {
    // Later than a quarter of a round trip, which at first is all that is waited for.
    let mut pair = far();
    overtake(&mut pair, 45);
    transfer(&mut pair, A, &pattern(600 * MSS, 4), Duration::from_secs(10));
    assert!(repeated(&pair) > 0);
    pair.log.clear();
    transfer(&mut pair, A, &pattern(1_200 * MSS, 4), Duration::from_secs(20));
    assert_eq!(repeated(&pair), 0, "of 60 that were late");
}

/// Covers: RFC 8985 §3.3
#[test]
fn a_lost_repetition_is_sent_again_without_the_timer() {
    let mut pair = Pair::established(400_000, 400_000);
    let mut dropped = 0;
    pair.script = Box::new(move |sent| {
        let is_first = sent.from == A && sent.plan.len > 0 && sent.plan.offset == 0;
        dropped += usize::from(is_first && dropped < 3);
        if is_first && dropped < 3 { Fate::Drop } else { Fate::Pass }
    });
    transfer(&mut pair, A, &pattern(100 * MSS, 4), Duration::from_secs(3));
    assert_eq!(pair.count(A, Kind::RtoRetransmit), 0);
    assert_eq!(repeated(&pair), 2);
}

/// Covers: RFC 8985 §6.2
#[test]
fn what_is_late_for_good_is_lost_when_its_time_is_over() {
    let mut pair = far();
    overtake(&mut pair, 15);
    transfer(&mut pair, A, &pattern(100 * MSS, 4), Duration::from_secs(3));
    pair.log.clear();
    // One in the middle of a short flight, so that no three come behind it.
    lose(&mut pair, &[1]);
    let began = pair.now;
    pair.ends[A].send_slice(&pattern(3 * MSS, 5)).unwrap();
    pair.run(millis(400));
    assert_eq!(read_all(&mut pair.ends[B]), pattern(3 * MSS, 5));
    let again =
        pair.log.iter().find(|sent| sent.from == A && sent.plan.kind == Kind::FastRetransmit).unwrap();
    let waited = (again.at - began).total_millis();
    // A round trip, and as many quarters of one as needless repetitions have shown to be wise.
    assert!((95..=165).contains(&waited), "{waited} ms");
    assert_eq!(pair.count(A, Kind::RtoRetransmit), 0);
}
