//! BBR as a connection has it: what it is told, and how its pace is kept. What it makes of that is tried in
//! `congestion::bbr`.

use super::*;
use crate::socket::tcp::CongestionControl;
use crate::socket::tcp::congestion::Control;

/// Octets of a full segment, which has a timestamp.
const M: u32 = MSS as u32 - 12;

/// A connection over a round trip of 80 ms, which A has filled for a while.
fn practised(heeds_loss: bool, has_sack: bool) -> Pair {
    let end = || {
        let mut socket = stamped(1 << 20, 1 << 20);
        socket.set_pacing_enabled(true);
        socket.set_sack_enabled(has_sack);
        socket.set_congestion_control(CongestionControl::Bbr { heeds_loss });
        socket
    };
    let mut pair = Pair::of(end(), end());
    pair.delay = millis(40);
    // Two segments in a millisecond, and no more.
    let mut free_at = Instant::ZERO;
    pair.script = Box::new(move |sent| {
        if sent.from == B || sent.plan.len == 0 {
            return Fate::Pass;
        }
        free_at = free_at.max(sent.at) + Duration::from_micros(500);
        Fate::Late(free_at.saturating_duration_since(sent.at).total_millis())
    });
    pair.open();
    transfer(&mut pair, A, &pattern(3_000 * MSS, 4), Duration::from_secs(3));
    pair.log.clear();
    pair
}

fn control(pair: &Pair) -> &Control {
    let Phase::Connection(connection) = &pair.ends[A].phase else { panic!("there is no connection") };
    &connection.control
}

/// Octets of data that A has sent in each tick, at most.
fn most_at_once(pair: &Pair) -> u32 {
    let data: Vec<&Sent> = pair.log.iter().filter(|sent| sent.from == A && sent.plan.len > 0).collect();
    let in_tick = data
        .chunk_by(|a, b| Ticks::from_instant(a.at) == Ticks::from_instant(b.at))
        .map(|sent| sent.iter().map(|sent| sent.plan.len).sum());
    in_tick.max().unwrap_or(0)
}

#[test]
fn what_the_path_delivers_is_known_and_the_pace_is_that() {
    let pair = practised(true, true);
    // Two segments in 1,000 µs are 2.05 in a tick; in 16ths, with what it is faster or slower for now.
    let delivered = 16 * M * 2_048 / 1_000;
    let pace = control(&pair).pace(80 << 3);
    assert!((delivered * 85 / 100..delivered * 130 / 100).contains(&pace), "{pace} of {delivered}");
    let window = control(&pair).window();
    assert!((150 * M..500 * M).contains(&window), "160 segments are on their way: {}", window / M);
}

/// Where CUBIC's window would be halved ten times.
#[test]
fn losses_do_not_shrink_it_and_what_is_sent_again_waits_for_its_time() {
    for heeds_loss in [true, false] {
        let mut pair = practised(heeds_loss, true);
        let window = control(&pair).window();
        let mut count = 0;
        let mut free_at = pair.now;
        pair.script = Box::new(move |sent| {
            if sent.from == B || sent.plan.len == 0 {
                return Fate::Pass;
            }
            count += 1;
            free_at = free_at.max(sent.at) + Duration::from_micros(500);
            if count % 100 == 0 || (500..540).contains(&count) {
                return Fate::Drop;
            }
            Fate::Late(free_at.saturating_duration_since(sent.at).total_millis())
        });
        transfer(&mut pair, A, &pattern(2_000 * MSS, 4), Duration::from_secs(3));
        let again = pair.log.iter().filter(|sent| sent.from == A && sent.plan.kind == Kind::SackRetransmit);
        assert!(again.count() > 40);
        // Ten segments after a silence; four ticks' worth when a quarter more is tried.
        let most = most_at_once(&pair);
        assert!(most <= 13 * M, "{} segments in a tick", most / M);
        assert!(control(&pair).window() >= window / 2, "{} {window}", control(&pair).window());
    }
}

#[test]
fn a_peer_without_selective_acknowledgments_gets_all_too() {
    let mut pair = practised(true, false);
    lose(&mut pair, &[3, 40, 41, 90, 150, 151, 152]);
    transfer(&mut pair, A, &pattern(400 * MSS, 4), Duration::from_secs(8));
    assert!(control(&pair).window() >= 40 * M, "{}", control(&pair).window());
}

#[test]
fn after_a_timeout_one_segment_goes_and_all_comes_back() {
    let mut pair = practised(true, true);
    let window = control(&pair).window();
    pair.script = Box::new(|sent| if sent.from == A { Fate::Drop } else { Fate::Pass });
    pair.ends[A].send_slice(&pattern(300 * MSS, 5)).unwrap();
    pair.run(Duration::from_secs(2));
    assert_eq!(control(&pair).window(), M);
    pair.script = Box::new(|_| Fate::Pass);
    pair.run_with(Duration::from_secs(5), |pair| {
        read_all(&mut pair.ends[B]);
    });
    assert!(pair.ends[A].send_queue() == 0 && control(&pair).window() >= window / 2);
}

/// It ends with the connection, and in between nothing is late.
#[test]
fn what_is_not_marked_for_congestion_is_not_paced_after_the_end() {
    let mut pair = practised(true, true);
    assert!(!control(&pair).is_heeding() && !control(&pair).is_searching());
    pair.ends[A].send_slice(&pattern(100 * M as usize, 5)).unwrap();
    pair.flush(A);
    pair.ends[A].abort();
    pair.flush(A);
    assert_eq!(pair.ends[A].deadline(Ticks::from_instant(pair.now)), None);
}
