//! What a listener's records take and announce, beside `listener`.

use super::listener::{Bench, request, syn, tuple};
use super::*;
use crate::socket::tcp::Decision;

/// Covers: RFC 9293 §3.10.7.4
#[test]
fn whatever_is_within_the_window_completes_a_record() {
    for (offset, is_within) in [(0, true), (1, true), (100, true), (1 << 18, true), ((1 << 18) + 1, false)] {
        let mut bench = Bench::new(1);
        let syn_ack = bench.syn(1_000).unwrap();
        let good = request(&syn_ack);
        let (verdict, reply) = bench.give(1_000, &Segment { seq: good.seq + offset, ..good });
        if is_within {
            assert!(matches!(verdict, Verdict::Complete(_)), "{offset}");
            continue;
        }
        // Else it is told where we are.
        assert_eq!(verdict, Verdict::Reply);
        assert_eq!((reply.kind, reply.seq, reply.ack), (Kind::DupAck, good.ack, good.seq));
        assert_eq!(reply.window, 0xffff >> 3);
    }
}

#[test]
#[cfg(feature = "tcp-cookies")]
fn without_cookies_the_oldest_is_forgotten() {
    for has_cookies in [true, false] {
        let mut bench = Bench::new(2);
        bench.listener.set_cookies(has_cookies);
        let first = bench.syn(1_000).unwrap();
        for port in [1_001, 1_002] {
            bench.now += millis(2);
            assert!(bench.syn(port).is_some());
        }
        assert_eq!(matches!(bench.ack(1_000, &first), Verdict::Complete(_)), has_cookies);
    }
}

#[test]
fn who_is_complete_and_has_no_socket_is_reminded_after_four_seconds() {
    let mut bench = Bench::new(1);
    bench.listener.set_backlog(0);
    let syn_ack = bench.syn(1_000).unwrap();
    bench.now += millis(50);
    let Verdict::Complete(index) = bench.ack(1_000, &syn_ack) else { panic!() };
    assert!(bench.listener.complete(usize::from(index)).is_none());
    let mut waited = 0;
    while bench.retransmits().is_empty() {
        bench.now += millis(50);
        waited += 50;
    }
    assert!((3_900..=4_050).contains(&waited), "{waited} ms");
}

#[test]
fn there_is_work_when_something_is_due_or_can_be_accepted() {
    let mut bench = Bench::new(2);
    bench.listener.set_backlog(0);
    let has_work = |bench: &Bench| bench.listener.has_work(Ticks::from_instant(bench.now));
    assert!(!has_work(&bench));
    let syn_ack = bench.syn(1_000).unwrap();
    assert!(!has_work(&bench));
    let Verdict::Complete(index) = bench.ack(1_000, &syn_ack) else { panic!() };
    assert!(bench.listener.complete(usize::from(index)).is_none());
    assert!(!has_work(&bench), "nobody may wait");
    bench.listener.set_backlog(1);
    assert!(has_work(&bench));
    bench.listener.set_backlog(0);
    bench.now += Duration::from_secs(5);
    assert!(has_work(&bench), "it is reminded");
    // As long as somebody may wait and nobody does.
    let mut bench = Bench::new(2);
    bench.listener.set_backlog(5);
    assert!(!has_work(&bench));
}

/// What a client asks of congestion notification counts if it asks each time, and anew when it is another client.
///
/// Covers: RFC 3168 §6.1.1
#[test]
fn a_request_that_waits_is_granted_what_each_of_its_syns_asks_for() {
    const ASKS: Flags = Flags::SYN.union(Flags::ECE).union(Flags::CWR);
    const ASKS_NOT: Flags = Flags::SYN;
    for (syns, is_granted) in [
        (&[(5, ASKS)][..], true),
        (&[(5, ASKS_NOT)], false),
        (&[(5, ASKS), (5, ASKS)], true),
        (&[(5, ASKS), (5, ASKS_NOT)], false),
        (&[(5, ASKS_NOT), (5, ASKS)], false),
        (&[(5, ASKS_NOT), (900, ASKS)], true),
        (&[(0, ASKS)], true),
    ] {
        let mut bench = Bench::new(1);
        bench.listener.set_ecn(EcnMode::Accept);
        let cx = context!(bench.keys, bench.now, MTU);
        for &(seq, flags) in syns {
            let verdict = bench.listener.keep_waiting(&cx, &tuple(9), &Segment { flags, ..syn(seq) });
            assert_eq!(verdict, Verdict::Taken);
        }
        assert!(bench.listener.decide(&tuple(9), Decision::Accept));
        let mut plan = Plan::none();
        assert!(bench.listener.next_decided(&cx, &mut plan).is_some());
        assert_eq!(plan.flags.contains(Flags::ECE), is_granted, "{syns:?}");
    }
}
