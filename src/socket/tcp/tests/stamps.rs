//! Timestamps (RFC 7323), in `stamps`.

use super::super::stamps::Choice;
use super::*;
use crate::wire::tcpopt::TcpOption;

const LEN: u32 = 12;
const M: u32 = MSS as u32;

/// A connection whose peer's clock shows 1,000.
fn peer() -> Peer {
    let mut peer = Peer::with(stamped(20_000, 60_000));
    peer.stamp = Stamp::new(1_000, 0);
    let options = Options { mss: MSS as u16, sack_permitted: true, ..Options::NONE };
    peer.into_connected(options, 0xffff)
}

impl Peer {
    fn at(&mut self, value: u32) -> &mut Peer {
        self.stamp.value = value;
        self
    }
}

/// Covers: RFC 7323 §3.2
#[test]
fn both_ends_ask_and_then_every_segment_has_a_stamp() {
    let mut pair = Pair::of(stamped(100_000, 100_000), stamped(100_000, 100_000));
    pair.open();
    transfer(&mut pair, A, &pattern(20 * MSS, 3), Duration::from_secs(2));
    pair.ends[A].close();
    pair.ends[B].close();
    pair.run(Duration::from_secs(1));
    let first = pair.log[0].plan;
    assert_eq!((first.flags, first.stamp.is_there, first.stamp.echo), (Flags::SYN, true, 0));
    for sent in &pair.log {
        assert!(sent.plan.stamp.is_there, "{sent:?}");
        assert!(sent.plan.total_len() <= 20 + MSS);
    }
    assert!(pair.log.iter().any(|sent| sent.plan.len == M - LEN), "full segments carry twelve octets less");
    let echoes = pair.log.iter().filter(|sent| sent.plan.flags.contains(Flags::ACK));
    assert!(echoes.into_iter().all(|sent| sent.plan.stamp.echo != 0));
}

/// Covers: RFC 7323 §3.2
#[test]
fn who_does_not_ask_gets_none() {
    for (a, b) in
        [(stamped(9_000, 9_000), socket(9_000, 9_000)), (socket(9_000, 9_000), stamped(9_000, 9_000))]
    {
        let asks = a.timestamps_enabled();
        let mut pair = Pair::of(a, b);
        pair.open();
        transfer(&mut pair, A, &pattern(3 * MSS, 3), Duration::from_secs(2));
        let mut plans = pair.plans(A).into_iter().chain(pair.plans(B));
        assert_eq!(plans.next().map(|syn| syn.stamp.is_there), Some(asks));
        assert!(plans.all(|plan| !plan.stamp.is_there));
    }
}

/// Covers: RFC 7323 §5.3
#[test]
fn a_segment_from_long_ago_is_answered_and_not_taken() {
    let mut peer = peer();
    peer.at(1_001).give_data(b"new");
    assert_eq!(read_all(&mut peer.socket), b"new");
    peer.sent();
    let (seq, now) = (peer.seq, peer.now);
    for value in [1_000, 1_001_u32.wrapping_sub(1 << 31)] {
        peer.now += Duration::from_secs(2);
        let out = peer.at(value).give_data(b"old");
        assert!(!out.is_taken());
        peer.seq = seq;
        assert_eq!(peer.socket.recv_queue(), 0);
        assert_eq!(peer.sent().len(), 1, "it is told where we are");
    }
    assert!(peer.now > now);
    peer.at(1_001).give_data(b"of the same tick");
    assert_eq!(read_all(&mut peer.socket), b"of the same tick");
}

/// Covers: RFC 7323 §3.2, RFC 7323 §5.2
#[test]
fn without_a_stamp_only_a_reset_counts() {
    let mut peer = peer();
    peer.stamp = Stamp::NONE;
    assert!(!peer.give_data(b"forged").is_taken());
    assert!(peer.sent().is_empty());
    assert_eq!(peer.socket.recv_queue(), 0);
    peer.seq = peer.seq - 6;
    let out = peer.give(Segment { flags: Flags::RST, ..peer.ack_segment() });
    assert!(out.events.contains(Events::CLOSED));
}

/// Covers: RFC 7323 §4.3
#[test]
fn what_is_echoed_is_the_clock_of_the_first_segment_that_is_acknowledged() {
    let mut peer = peer();
    // (A) Delayed acknowledgments: the earlier one.
    peer.at(1_010).give_data(&[1; 500]);
    peer.at(1_020).give_data(&[1; 500]);
    peer.at(1_030).give_data(&[1; 500]);
    assert_eq!(peer.sent()[0].stamp.echo, 1_010);
    // (B) A hole: the last one that came in order.
    peer.at(1_040).give_data(&[1; 1_000]);
    peer.at(1_050).give_data(&[1; 1_000]);
    assert_eq!(peer.sent()[0].stamp.echo, 1_040);
    let hole = peer.seq;
    peer.seq = hole + 1_000;
    peer.at(1_060).give_data(&[1; 1_000]);
    assert_eq!(peer.sent()[0].stamp.echo, 1_040);
    // (C) The hole is filled: the one that does it.
    let end = peer.seq;
    peer.seq = hole;
    peer.at(1_070).give_data(&[1; 1_000]);
    peer.seq = end;
    let ack = peer.sent()[0];
    assert_eq!((ack.ack, ack.stamp.echo), (end, 1_070));
}

/// Covers: RFC 7323 §5.5
#[test]
fn after_24_days_of_silence_any_clock_will_do() {
    for (days, is_taken) in [(23, false), (25, true), (40, true)] {
        let mut peer = peer();
        peer.now += Duration::from_secs(days * 24 * 3_600);
        let out = peer.at(1_000_u32.wrapping_sub(1 << 30)).give_data(b"again");
        assert_eq!(out.is_taken(), is_taken, "{days} days");
        assert_eq!(peer.socket.recv_queue(), if is_taken { 5 } else { 0 });
    }
}

/// Covers: RFC 7323 §4.1
#[test]
fn a_round_trip_is_measured_though_the_segment_went_twice() {
    for (is_stamped, expected) in [(true, 160), (false, 20)] {
        let end = || if is_stamped { stamped(50_000, 50_000) } else { socket(50_000, 50_000) };
        let mut pair = Pair::of(end(), end()).into_established();
        pair.delay = millis(60);
        pair.script(|n, sent| if sent.from == A && n == 0 { Fate::Drop } else { Fate::Pass });
        pair.ends[A].send_slice(&[1; 100]).unwrap();
        pair.run(Duration::from_secs(5));
        assert_eq!(pair.count(A, Kind::TailLossProbe), 1);
        let srtt = pair.ends[A].round_trip_time().unwrap().total_millis();
        // The estimate moves an eighth of the way, from 20 ms; the acknowledgment waits for 40 ms.
        let moved = 20 + (expected - 20) / 8;
        assert!(srtt.abs_diff(moved) <= 3, "{srtt} of {moved}");
    }
}

#[test]
fn an_echo_of_what_was_never_said_is_no_round_trip() {
    let mut peer = peer();
    let before = peer.socket.round_trip_time();
    peer.socket.send_slice(&[1; 100]).unwrap();
    peer.sent();
    while peer.sent().is_empty() {
        peer.sleep_to_deadline();
    }
    peer.ack = peer.ack + 100;
    peer.now += millis(700);
    // Later than now, and before the connection began.
    peer.stamp.echo = 0x8000_0000;
    peer.give_ack();
    assert_eq!(peer.socket.round_trip_time(), before);
    assert_eq!(peer.socket.send_queue(), 0);
}

/// Covers: RFC 7323 §3.2
#[test]
fn three_blocks_fit_beside_a_stamp() {
    let mut peer = peer();
    for n in 1..6 {
        peer.seq = peer.seq + 1_000;
        peer.at(1_000 + n).give_data(&[1; 100]);
    }
    let plan = peer.sent()[0];
    assert_eq!(plan.header_len(), 60);
    let mut octets = vec![0; plan.total_len()];
    peer.socket.emit(&plan, true, &mut octets);
    let (_, _, seg) = parse(&octets);
    assert_eq!(seg.stamp, plan.stamp);
    let blocks = crate::wire::tcpopt::Options::parse(seg.area).unwrap().find_map(|option| match option {
        TcpOption::Sack(blocks) => Some(blocks.len()),
        _ => None,
    });
    assert_eq!(blocks, Some(3));
}

#[test]
fn a_stamp_is_found_wherever_it_stands() {
    let mut octets = [1; 24];
    octets[..4].copy_from_slice(&[2, 4, 5, 0xb4]);
    TcpOption::Timestamps { value: 7, echo: 8 }.emit(&mut octets[5..15]);
    let (mut stamp, mut options) = (Stamp::NONE, Options::NONE);
    let rest = stamp.strip(&octets);
    assert_eq!((stamp, rest.len()), (Stamp::NONE, 24));
    stamp.parse(rest, &mut options).unwrap();
    assert_eq!((stamp, options.mss), (Stamp::new(7, 8), 1_460));
    assert!(stamp.parse(&[8, 10, 1], &mut options).is_err());
}

/// Covers: RFC 7323 §7.1
#[test]
fn each_pair_of_hosts_sees_another_clock_that_goes_on_from_one_connection_to_the_next() {
    let keys = Keys::new([9; 32]);
    let of = |local, port| Tuple {
        local: addr(local),
        remote: addr(9),
        local_port: port,
        remote_port: 80,
        zone: 0,
    };
    let seen = |tuple: &Tuple| Stamp::new(5, 6).answer(&keys, tuple, Ticks(100));
    assert_eq!(seen(&of(1, 1_000)), seen(&of(1, 2_000)));
    assert_ne!(seen(&of(1, 1_000)), seen(&of(2, 1_000)));
    assert_eq!(seen(&of(1, 1_000)).echo, 5);
    assert_eq!(Stamp::NONE.answer(&keys, &of(1, 1), Ticks(100)), Stamp::NONE);
    // A connection of these ends shows the same clock.
    let peer = peer();
    let cx = context!(peer.keys, peer.now, MTU);
    let tuple = *peer.socket.tuple().unwrap();
    let plan = Stamp::new(0, 0).answer(&peer.keys, &tuple, cx.ticks);
    let Phase::Connection(connection) = &peer.socket.phase else { panic!() };
    assert_eq!(connection.stamps.stamp(cx.ticks).value, plan.value);
}

#[test]
fn what_is_hidden_in_a_stamp_is_found_and_lies_in_the_past() {
    for now in [0, 1, 0x3f, 0x40, 1_000_003, u32::MAX] {
        for window_scale in (0..=14).chain([0xff]) {
            for (sack_permitted, has_ecn) in [(false, false), (true, false), (false, true), (true, true)] {
                let options = Options { mss: 1_000, window_scale, sack_permitted };
                let stamp = Stamp::new(now, 5).hide(&options, has_ecn);
                let age = now.wrapping_sub(stamp.value);
                assert!(age <= 64, "{age}");
                let echoed = Stamp::new(1, stamp.value);
                assert_eq!(echoed.hidden(1_000, Choice::DEFAULT), options);
                assert_eq!(echoed.hidden_ecn(Choice::DEFAULT), has_ecn);
            }
        }
    }
    let plain = Options { mss: 536, ..Options::NONE };
    assert_eq!(Stamp::NONE.hidden(536, Choice::DEFAULT), plain);
    assert!(!Stamp::NONE.hidden_ecn(Choice::DEFAULT));
}
