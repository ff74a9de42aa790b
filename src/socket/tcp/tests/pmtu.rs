//! The path's MTU (RFC 1191, RFC 8201, RFC 5927 §7, RFC 4821), in `pmtu`.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::stats::DropReason;

/// Octets of a packet around a segment.
const IP: usize = 20;
/// Longer than larger segments are waited for.
const AGE: Duration = Duration::from_secs(605);

fn packet_len(plan: &Plan) -> usize {
    plan.total_len() + IP
}

/// Lengths of the packets with data that A has sent.
fn lengths(pair: &Pair) -> Vec<usize> {
    pair.plans(A).iter().filter(|plan| plan.len > 0).map(packet_len).collect()
}

fn longest(pair: &Pair) -> usize {
    lengths(pair).into_iter().max().unwrap_or(0)
}

fn window(socket: &Socket<'_>) -> u32 {
    let Phase::Connection(connection) = &socket.phase else { panic!("no connection") };
    connection.control.window()
}

fn next(pair: &Pair) -> SeqNum {
    let Phase::Connection(connection) = &pair.ends[A].phase else { panic!("no connection") };
    connection.snd.max
}

/// A router tells A that a packet of 1,500 octets with this number was too big.
fn tell(pair: &mut Pair, seq: SeqNum, mtu: u32) -> Result<(), DropReason> {
    let cx = context!(pair.keys, pair.now, pair.mtu);
    pair.ends[A].on_too_big(&cx, seq, mtu, 1_500)
}

/// What A sends that is larger than `mtu` is lost, and nobody says so.
fn shrink(pair: &mut Pair, mtu: usize) {
    pair.script =
        Box::new(
            move |sent| if sent.from == A && packet_len(&sent.plan) > mtu { Fate::Drop } else { Fate::Pass },
        );
}

/// Sends `data` over a path of routers, each with the MTU of its next hop, who report.
fn transfer_over(pair: &mut Pair, mtus: &[usize], data: &[u8], span: Duration) {
    let reports = Rc::new(RefCell::new(Vec::new()));
    let (mtus, list) = (mtus.to_vec(), Rc::clone(&reports));
    pair.script = Box::new(move |sent| {
        let len = packet_len(&sent.plan);
        match mtus.iter().find(|&&mtu| sent.from == A && len > mtu) {
            Some(&mtu) => {
                list.borrow_mut().push((sent.plan.seq, mtu, len));
                Fate::Drop
            }
            None => Fate::Pass,
        }
    });
    let (mut sent, mut got) = (0, Vec::new());
    pair.run_with(span, |pair| {
        if sent < data.len() {
            sent += pair.ends[A].send_slice(&data[sent..]).unwrap();
        }
        got.extend(read_all(&mut pair.ends[B]));
        pair.flush(A);
        while !reports.borrow().is_empty() {
            let cx = context!(pair.keys, pair.now, pair.mtu);
            for (seq, mtu, len) in reports.borrow_mut().drain(..) {
                let _ = pair.ends[A].on_too_big(&cx, seq, mtu as u32, len);
            }
            pair.flush(A);
        }
    });
    assert!(got == data, "{} of {} octets", got.len(), data.len());
}

fn variants() -> [Pair; 3] {
    let stamps = Pair::of(stamped(400_000, 400_000), stamped(400_000, 400_000));
    [
        Pair::established(400_000, 400_000),
        Pair::established_without_sack(400_000, 400_000),
        stamps.into_established(),
    ]
}

/// Covers: RFC 1191 §6.4, RFC 8201 §5.4, RFC 4821 §7.2
#[test]
fn a_report_shrinks_segments_at_once_and_not_the_window() {
    for mut pair in variants() {
        let before = window(&pair.ends[A]);
        transfer_over(&mut pair, &[1_500, 1_300], &pattern(200 * MSS, 4), millis(400));
        let too_long = lengths(&pair).iter().filter(|&&len| len > 1_300).count();
        assert!(too_long <= 10, "{too_long}: no more than the first window");
        assert!(lengths(&pair).iter().filter(|&&len| len == 1_300).count() > 200);
        assert!(window(&pair.ends[A]) > before);
        assert_eq!(pair.ends[A].path_mtu(), Some(1_300));
    }
}

/// Covers: RFC 1191 §3
#[test]
fn each_router_on_the_way_may_be_narrower() {
    for mut pair in variants() {
        transfer_over(&mut pair, &[1_450, 1_400, 1_320, 1_006, 700], &pattern(100 * MSS, 4), millis(700));
        assert_eq!(pair.ends[A].path_mtu(), Some(700));
    }
}

/// Covers: RFC 1191 §5, §7.1
#[test]
fn who_does_not_say_its_mtu_has_the_next_smaller_usual_one() {
    let mut pair = Pair::established(100_000, 100_000);
    pair.ends[A].send_slice(&pattern(50_000, 4)).unwrap();
    pair.flush(A);
    let first = pair.plans(A)[0].seq;
    for mtu in [1_492, 1_006, 552] {
        assert_eq!(tell(&mut pair, first, 0), Ok(()));
        assert_eq!(pair.ends[A].path_mtu(), Some(mtu));
    }
    assert_eq!(tell(&mut pair, first, 0), Err(DropReason::PathMtu));
}

/// Covers: RFC 1191 §3, RFC 5927 §7.2, RFC 8201 §4
#[test]
fn what_can_not_be_is_not_believed() {
    let mut pair = Pair::established(100_000, 100_000);
    pair.ends[A].send_slice(&pattern(50_000, 4)).unwrap();
    pair.flush(A);
    let (first, count) = (pair.plans(A)[0].seq, pair.log.len());
    let end = next(&pair);
    for mtu in [1, 67, 1_500, 1_501, 9_000, 65_535, u32::MAX] {
        assert_eq!(tell(&mut pair, first, mtu), Err(DropReason::PathMtu), "{mtu}");
    }
    for seq in [first - 1, end, end + 1, first + (1 << 31)] {
        assert_eq!(tell(&mut pair, seq, 1_300), Err(DropReason::IcmpMismatch));
    }
    pair.flush(A);
    assert_eq!((pair.ends[A].path_mtu(), pair.log.len()), (None, count));
    // It never raises.
    assert_eq!(tell(&mut pair, first, 1_300), Ok(()));
    for mtu in [1_300, 1_301, 1_499] {
        assert_eq!(tell(&mut pair, end - 1, mtu), Err(DropReason::PathMtu), "{mtu}");
    }
    assert_eq!(pair.ends[A].path_mtu(), Some(1_300));
}

#[test]
fn a_syn_is_never_too_big() {
    let mut pair = Pair::new(1_000, 1_000);
    pair.open();
    pair.flush(A);
    let (seq, len) = (pair.log[0].plan.seq, packet_len(&pair.log[0].plan));
    let cx = context!(pair.keys, pair.now, pair.mtu);
    for mtu in [0, 1, 59, 60, 68, 576] {
        assert_eq!(pair.ends[A].on_too_big(&cx, seq, mtu, len), Err(DropReason::PathMtu), "{mtu}");
    }
    pair.run(millis(50));
    assert_eq!(pair.states(), [State::Established; 2]);
}

/// Covers: RFC 1191 §3
#[test]
fn below_the_floor_routers_cut() {
    let mut pair = Pair::established(100_000, 100_000);
    pair.ends[A].send_slice(&pattern(50_000, 4)).unwrap();
    pair.flush(A);
    let first = pair.plans(A)[0];
    assert!(!pair.ends[A].may_be_cut());
    assert_eq!(tell(&mut pair, first.seq, 68), Ok(()));
    assert_eq!((pair.ends[A].path_mtu(), pair.ends[A].may_be_cut()), (Some(552), true));
    assert_eq!(tell(&mut pair, first.seq, 68), Err(DropReason::PathMtu));
}

/// Covers: RFC 5927 §7.2
#[test]
fn where_full_segments_have_arrived_a_report_waits_for_the_timer() {
    for mut pair in variants() {
        transfer(&mut pair, A, &pattern(20 * MSS, 4), millis(300));
        // A forged one: what it quotes arrives.
        pair.ends[A].send_slice(&pattern(5 * MSS, 5)).unwrap();
        pair.flush(A);
        let seq = next(&pair) - 1;
        assert_eq!(tell(&mut pair, seq, 600), Ok(()));
        pair.run(millis(500));
        read_all(&mut pair.ends[B]);
        // Nor does a later timeout bring it back.
        let until = pair.now + millis(350);
        pair.script = Box::new(move |sent| if sent.at < until { Fate::Drop } else { Fate::Pass });
        pair.log.clear();
        transfer(&mut pair, A, &pattern(MSS, 5), millis(1_500));
        assert!(pair.count(A, Kind::RtoRetransmit) > 0 && pair.ends[A].path_mtu().is_none());
        // A true one: the path has changed.
        let before = window(&pair.ends[A]);
        transfer_over(&mut pair, &[1_300], &pattern(50 * MSS, 6), millis(1_600));
        assert_eq!(pair.ends[A].path_mtu(), Some(1_300));
        assert!(window(&pair.ends[A]) >= before, "it was no congestion");
    }
}

/// Covers: RFC 1191 §6.3, RFC 8201 §5.3
#[test]
fn after_ten_minutes_the_full_size_is_tried_again() {
    for probing in [MtuProbing::Off, MtuProbing::OnBlackHole] {
        let mut pair = Pair::established(400_000, 400_000);
        pair.ends[A].set_mtu_probing(probing);
        transfer_over(&mut pair, &[1_300], &pattern(50 * MSS, 4), millis(300));
        pair.run(Duration::from_secs(590));
        pair.log.clear();
        transfer_over(&mut pair, &[1_500], &pattern(50 * MSS, 4), millis(300));
        assert_eq!(longest(&pair), 1_300, "not yet");
        pair.run(Duration::from_secs(15));
        // The first acknowledgment is what says that it is time.
        transfer_over(&mut pair, &[1_500], &pattern(200 * MSS, 4), millis(500));
        assert_eq!((pair.ends[A].path_mtu(), longest(&pair)), (None, 1_500));
    }
}

/// Covers: RFC 4821 §7.6.2, §7.4; RFC 8899 §5.1.1
#[test]
fn a_larger_size_that_does_not_pass_costs_single_segments() {
    for mut pair in variants() {
        transfer_over(&mut pair, &[1_300], &pattern(50 * MSS, 4), millis(300));
        pair.run(AGE);
        pair.log.clear();
        let before = window(&pair.ends[A]);
        shrink(&mut pair, 1_300);
        transfer(&mut pair, A, &pattern(400 * MSS, 4), Duration::from_secs(2));
        let too_long = lengths(&pair).iter().filter(|&&len| len > 1_300).count();
        assert!((3..=15).contains(&too_long), "{too_long} probes were lost");
        assert_eq!(pair.count(A, Kind::MtuProbe), too_long);
        assert!(window(&pair.ends[A]) >= before);
        assert_eq!(pair.ends[A].path_mtu(), Some(1_300));
    }
}

/// Covers: RFC 4821 §7.7, §7.3, §7.6.1
#[test]
fn a_black_hole_heals_without_a_word() {
    for mtu in [1_100, 1_300, 1_420, 1_492] {
        for mut pair in variants() {
            shrink(&mut pair, mtu);
            transfer(&mut pair, A, &pattern(1_000 * MSS, 4), Duration::from_secs(4));
            let found = pair.ends[A].path_mtu().unwrap() as usize;
            assert!(found <= mtu && mtu - found <= 16, "{found} of {mtu}");
            let too_long = lengths(&pair).iter().filter(|&&len| len > mtu).count();
            assert!(too_long <= 40, "{too_long}");
        }
    }
}

/// Covers: RFC 4821 §7.7
#[test]
fn a_path_that_takes_next_to_nothing_gets_what_routers_may_cut() {
    let mut pair = Pair::established(100_000, 100_000);
    shrink(&mut pair, 600);
    transfer(&mut pair, A, &pattern(100 * MSS, 4), Duration::from_secs(20));
    assert!(pair.ends[A].path_mtu().unwrap() <= 600 && pair.ends[A].may_be_cut());
}

#[test]
fn an_outage_leaves_the_size_as_it_was() {
    for mut pair in variants() {
        transfer(&mut pair, A, &pattern(20 * MSS, 4), millis(300));
        let until = pair.now + Duration::from_secs(10);
        pair.script = Box::new(move |sent| if sent.at < until { Fate::Drop } else { Fate::Pass });
        transfer(&mut pair, A, &pattern(400 * MSS, 4), Duration::from_secs(40));
        assert_eq!(pair.ends[A].path_mtu(), None);
    }
}

#[test]
fn without_probing_a_black_hole_stays_one() {
    let mut pair = Pair::established(100_000, 100_000);
    pair.ends[A].set_mtu_probing(MtuProbing::Off);
    shrink(&mut pair, 1_300);
    pair.ends[A].send_slice(&pattern(50_000, 4)).unwrap();
    pair.run(Duration::from_secs(60));
    assert_eq!((pair.ends[A].path_mtu(), pair.ends[B].recv_queue()), (None, 0));
}

/// Covers: RFC 4821 §7.2
#[test]
fn who_always_probes_begins_small() {
    let mut pair = Pair::new(400_000, 400_000);
    pair.ends[A].set_mtu_probing(MtuProbing::Always);
    let mut pair = pair.into_established();
    transfer(&mut pair, A, &pattern(100 * MSS, 4), millis(500));
    assert_eq!((lengths(&pair)[0], longest(&pair)), (1_064, 1_500));
    assert_eq!((pair.ends[A].path_mtu(), pair.count(A, Kind::MtuProbe)), (None, 1));
}

/// Covers: RFC 8201 §4
#[test]
fn over_ipv6_less_than_1280_is_not_believed() {
    let mut pair = Pair::new(100_000, 100_000);
    pair.ends[B].listen(80).unwrap();
    pair.ends[A].connect(to_endpoint(v6(2), 80), 49_152).unwrap();
    let cx = context!(pair.keys, pair.now, pair.mtu);
    pair.ends[A].settle(&cx, v6(1), 49_152);
    let mut peer = Peer {
        now: pair.now,
        keys: pair.keys.clone(),
        socket: pair.ends.into_iter().next().unwrap(),
        seq: SeqNum(7),
        ack: SeqNum(0),
        window: 0,
        stamp: Stamp::NONE,
    }
    .into_connected(Options { mss: 1_440, ..Options::NONE }, 0xffff);
    peer.socket.send_slice(&pattern(20_000, 4)).unwrap();
    let first = peer.sent()[0];
    assert_eq!(first.len, 1_440);
    let cx = context!(peer.keys, peer.now, MTU);
    for mtu in [0, 1, 68, 1_279, 1_500] {
        assert_eq!(peer.socket.on_too_big(&cx, first.seq, mtu, 1_500), Err(DropReason::PathMtu), "{mtu}");
    }
    assert_eq!(peer.socket.on_too_big(&cx, first.seq, 1_280, 1_500), Ok(()));
    assert!(peer.sent().iter().all(|plan| plan.len <= 1_220));
    assert_eq!(peer.socket.path_mtu(), Some(1_280));
}

/// Covers: RFC 5927 §7.2
#[test]
fn ten_thousand_reports_do_no_more_harm_than_a_few() {
    for mut pair in variants() {
        let mut random = crate::phy::SimRng::new(9);
        let data = pattern(300 * MSS, 4);
        let (mut sent, mut got, mut told) = (0, 0, 0);
        pair.run_with(Duration::from_secs(20), |pair| {
            if sent < data.len() {
                sent += pair.ends[A].send_slice(&data[sent..]).unwrap();
            }
            got += read_all(&mut pair.ends[B]).len();
            for _ in 0..20 {
                // Whoever sees the connection, and so knows its numbers.
                let back = random.below(4 * MSS as u64) as u32;
                let seq = next(pair) - back;
                let mtu = random.below(1_600) as u32;
                told += usize::from(tell(pair, seq, mtu).is_ok());
                assert!(pair.ends[A].path_mtu().is_none_or(|mtu| mtu >= 552));
            }
        });
        assert_eq!(got, data.len());
        assert!(told > 0);
        assert!(pair.plans(A).len() < 3_000, "{} segments", pair.plans(A).len());
    }
}

/// Covers: RFC 4821 §7.6.2
#[test]
fn a_report_about_a_probe_is_where_the_search_goes_on() {
    for mut pair in variants() {
        transfer_over(&mut pair, &[1_200], &pattern(50 * MSS, 4), millis(300));
        pair.run(AGE);
        pair.log.clear();
        transfer_over(&mut pair, &[1_400], &pattern(200 * MSS, 4), Duration::from_secs(1));
        let probes: Vec<_> =
            pair.plans(A).iter().filter(|plan| plan.kind == Kind::MtuProbe).map(packet_len).collect();
        assert_eq!((&probes[..], pair.ends[A].path_mtu()), (&[1_500, 1_400][..], Some(1_400)));
    }
}

/// Covers: RFC 4821 §7.7
#[test]
fn one_timeout_is_no_black_hole_nor_are_three_where_full_segments_have_arrived() {
    for (octets, timeouts) in [(0, 1), (20 * MSS, 3)] {
        for mut pair in variants() {
            transfer(&mut pair, A, &pattern(octets, 4), millis(300));
            pair.log.clear();
            let mut lost = 0;
            pair.script = Box::new(move |sent| {
                lost += usize::from(sent.plan.kind == Kind::RtoRetransmit);
                if sent.from == A && lost < timeouts { Fate::Drop } else { Fate::Pass }
            });
            transfer(&mut pair, A, &pattern(MSS, 5), Duration::from_secs(5));
            assert!(lengths(&pair).len() > timeouts && !lengths(&pair).contains(&1_064));
            assert_eq!(pair.ends[A].path_mtu(), None);
        }
    }
}

/// Covers: RFC 4821 §7.4
#[test]
fn a_probe_waits_until_the_windows_have_room() {
    let mut socket = socket(1_000, 60_000);
    socket.set_mtu_probing(MtuProbing::Always);
    let mut peer = Peer::with(socket).into_connected(Options { mss: 1_460, ..Options::NONE }, 7_400);
    peer.socket.send_slice(&pattern(60_000, 4)).unwrap();
    assert_eq!(peer.sent().iter().map(|plan| plan.len).collect::<Vec<_>>(), [1_024; 7]);
    peer.ack = peer.ack + 1_024;
    peer.give_ack();
    assert_eq!(peer.sent(), [], "1,256 octets are too few for it");
    peer.ack = peer.ack + 1_024;
    peer.give_ack();
    let plan = peer.sent()[0];
    assert_eq!((plan.kind, plan.len), (Kind::MtuProbe, 1_460));
}

#[test]
fn what_the_device_cuts_is_cut_to_the_new_size() {
    let mut pair = Pair::of(socket(400_000, 400_000), socket(400_000, 400_000));
    pair.burst_len = 20_000;
    let mut pair = pair.into_established();
    pair.ends[A].send_slice(&pattern(100_000, 4)).unwrap();
    pair.flush(A);
    let first = pair.plans(A)[0];
    assert_eq!((first.len as usize % MSS, first.len > 10_000), (0, true));
    assert_eq!(tell(&mut pair, first.seq, 1_300), Ok(()));
    pair.log.clear();
    pair.run(millis(200));
    let lens: Vec<_> = pair.plans(A).iter().map(|plan| plan.len).filter(|&len| len > 1_260).collect();
    assert!(!lens.is_empty() && lens.iter().all(|len| len % 1_260 == 0), "{lens:?}");
}

/// What is not in doubt any more is tried first: the report may be right.
///
/// Covers: RFC 1191 §6.3, RFC 5927 §7.2
#[test]
fn a_report_that_waits_is_not_forgotten_because_larger_segments_are_due() {
    let mut pair = Pair::established(400_000, 400_000);
    pair.ends[A].set_mtu_probing(MtuProbing::Off);
    transfer_over(&mut pair, &[1_300], &pattern(50 * MSS, 4), millis(300));
    assert_eq!(pair.ends[A].path_mtu(), Some(1_300));
    pair.run(AGE);
    pair.log.clear();
    let first = next(&pair);
    pair.script(
        move |_, sent| if sent.plan.seq == first || sent.from == B { Fate::Pass } else { Fate::Drop },
    );
    pair.ends[A].send_slice(&pattern(5 * MSS, 4)).unwrap();
    pair.flush(A);
    let second = pair.plans(A)[1].seq;
    assert_eq!(tell(&mut pair, second, 1_200), Ok(()));
    pair.run(millis(100));
    let Phase::Connection(connection) = &pair.ends[A].phase else { panic!("no connection") };
    assert_eq!(connection.snd.una, second, "only the first has arrived");
    assert_eq!(pair.ends[A].path_mtu(), Some(1_300), "no larger one is sent yet");
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.ends[A].path_mtu(), Some(1_200), "the timer has run out");
}
