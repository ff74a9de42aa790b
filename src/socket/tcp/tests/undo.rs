//! Losses that were none (RFC 3522, RFC 4015, RFC 3708, RFC 5682), in `sack/undo`.

use super::sack::give_blocks;
use super::*;

const M: u32 = MSS as u32;

/// A has sent for a while over a round trip of 80 ms, with or without timestamps.
fn pair(is_stamped: bool) -> Pair {
    let end = || if is_stamped { stamped(400_000, 400_000) } else { socket(400_000, 400_000) };
    let mut pair = Pair::of(end(), end());
    pair.delay = millis(40);
    pair.open();
    pair.run(millis(100));
    transfer(&mut pair, A, &pattern(60 * MSS, 4), Duration::from_secs(3));
    pair.log.clear();
    pair
}

fn repeated(pair: &Pair) -> usize {
    let kinds = [Kind::FastRetransmit, Kind::SackRetransmit, Kind::RtoRetransmit];
    kinds.into_iter().map(|kind| pair.count(A, kind)).sum()
}

/// The windows after so many segments, of which a script disturbs some.
fn after(pair: &mut Pair, segments: usize, script: impl FnMut(usize, &Sent) -> Fate + 'static) -> (u32, u32) {
    pair.script(script);
    transfer(pair, A, &pattern(segments * MSS, 4), Duration::from_secs(4));
    windows(&pair.ends[A])
}

/// Covers: RFC 3522 §3.2, RFC 3708 §3, RFC 4015 §3.2
#[test]
fn a_segment_that_is_overtaken_costs_no_window() {
    for is_stamped in [true, false] {
        let undisturbed = after(&mut pair(is_stamped), 40, |_, _| Fate::Pass);
        let mut pair = pair(is_stamped);
        let left = after(&mut pair, 40, |n, sent| match n {
            5 if sent.from == A => Fate::Late(15),
            _ => Fate::Pass,
        });
        assert_eq!(repeated(&pair), 1, "it was taken for lost");
        assert!(left.0 >= undisturbed.0 * 3 / 4 && left.1 == undisturbed.1, "{left:?} of {undisturbed:?}");
    }
}

/// One that is lost in truth does.
#[test]
fn a_segment_that_is_lost_does_cost_window() {
    for is_stamped in [true, false] {
        let mut pair = pair(is_stamped);
        let (before, _) = windows(&pair.ends[A]);
        lose(&mut pair, &[5]);
        transfer(&mut pair, A, &pattern(40 * MSS, 4), Duration::from_secs(2));
        assert_eq!(repeated(&pair), 1);
        let (cwnd, threshold) = windows(&pair.ends[A]);
        assert!(cwnd < before && threshold < before, "{cwnd} and {threshold} of {before}");
    }
}

/// One is overtaken and another lost: while the repair of that is under way, the first proves nothing.
#[test]
fn a_loss_beside_an_overtaken_segment_does_cost_window() {
    for is_stamped in [true, false] {
        let (_, undisturbed) = after(&mut pair(is_stamped), 40, |_, _| Fate::Pass);
        let (_, threshold) = after(&mut pair(is_stamped), 40, |n, sent| match n {
            5 if sent.from == A => Fate::Late(15),
            7 if sent.from == A => Fate::Drop,
            _ => Fate::Pass,
        });
        assert!(threshold < undisturbed, "{threshold} of {undisturbed}");
    }
}

/// Covers: RFC 3522 §3.2, RFC 5682 §3.1, RFC 4015 §3.2
#[test]
fn a_silence_that_is_longer_than_the_timeout_costs_no_window() {
    for is_stamped in [true, false] {
        let undisturbed = after(&mut pair(is_stamped), 120, |_, _| Fate::Pass);
        let mut pair = pair(is_stamped);
        // All that leaves in the next 600 ms comes late, in its order.
        let end = pair.now + millis(600);
        let left = after(&mut pair, 120, move |_, sent| match sent.at {
            at if sent.from == A && at < end => Fate::Late((end - at).total_micros().div_ceil(1_000)),
            _ => Fate::Pass,
        });
        let timeouts = pair.count(A, Kind::RtoRetransmit);
        assert!((1..=4).contains(&timeouts), "stamped {is_stamped}: {timeouts}");
        assert!(repeated(&pair) <= 4, "stamped {is_stamped}: {}", repeated(&pair));
        assert!(left.0 >= undisturbed.0 * 3 / 4 && left.1 == undisturbed.1, "{left:?} of {undisturbed:?}");
    }
}

/// Covers: RFC 5682 §3.1
#[test]
fn a_flight_that_is_lost_as_a_whole_is_sent_again_and_costs_window() {
    for is_stamped in [true, false] {
        let mut pair = pair(is_stamped);
        let (before, _) = windows(&pair.ends[A]);
        let end = pair.now + millis(300);
        pair.script(move |_, sent| if sent.at < end { Fate::Drop } else { Fate::Pass });
        transfer(&mut pair, A, &pattern(40 * MSS, 4), Duration::from_secs(4));
        assert!(pair.count(A, Kind::RtoRetransmit) > 0);
        let (_, threshold) = windows(&pair.ends[A]);
        assert!(threshold < before, "{threshold} of {before}");
    }
}

/// Covers: RFC 4015 §3.2
#[test]
fn after_a_needless_timeout_more_patience_is_had() {
    let mut pair = pair(true);
    pair.delay = millis(250);
    let srtt = |pair: &Pair| pair.ends[A].round_trip_time().unwrap().total_millis();
    transfer(&mut pair, A, &pattern(10 * MSS, 4), Duration::from_secs(4));
    assert!(pair.count(A, Kind::RtoRetransmit) > 0 && srtt(&pair) >= 450, "{} ms", srtt(&pair));
    pair.log.clear();
    transfer(&mut pair, A, &pattern(10 * MSS, 4), Duration::from_secs(4));
    assert_eq!(pair.count(A, Kind::RtoRetransmit), 0);
}

/// Blocks about what was never sent twice take nothing back; the true one does.
#[test]
fn lies_about_what_came_twice_take_nothing_back() {
    let mut peer = super::sack::peer(60_000);
    let (before, threshold) = windows(&peer.socket);
    give_blocks(&mut peer, &[(M, 4 * M)]);
    assert_eq!(peer.sent()[0].kind, Kind::FastRetransmit);
    assert!(windows(&peer.socket).1 < before);
    let below = |n: u32| n.wrapping_neg();
    for lie in [(below(5 * M), below(4 * M)), (0, 0), (M, 0), (0, below(M)), (50 * M, 51 * M), (1 << 31, M)] {
        give_blocks(&mut peer, &[lie, (M, 4 * M)]);
        assert!(windows(&peer.socket).1 < before, "{lie:?}");
    }
    peer.ack = peer.ack + 4 * M;
    give_blocks(&mut peer, &[(below(4 * M), below(3 * M))]);
    assert!(windows(&peer.socket).0 >= before && windows(&peer.socket).1 == threshold);
}
