//! The user timeout option (RFC 5482), in `uto`.

use super::*;
use crate::wire::tcpopt::TcpOption;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A socket that says it waits so many seconds.
fn advising(seconds: u64) -> Socket<'static> {
    let mut socket = socket(20_000, 20_000);
    socket.set_timeout_advice(Some(secs(seconds)));
    socket
}

/// What the option says, of all segments that were sent by this end.
fn told(pair: &Pair, from: usize) -> Vec<(Flags, usize)> {
    let told = pair.log.iter().filter(|sent| sent.from == from && sent.plan.advice.buffer_len() > 0);
    told.map(|sent| (sent.plan.flags, sent.plan.payload_len())).collect()
}

fn advice(in_minutes: bool, value: u16) -> [u8; 4] {
    let mut area = [0; 4];
    TcpOption::UserTimeout { in_minutes, value }.emit(&mut area);
    area
}

/// How long the socket waits for an acknowledgment, in s; it sends something.
fn patience(peer: &mut Peer) -> u64 {
    peer.socket.send_slice(b"is anybody there").unwrap();
    peer.sent();
    let begin = peer.now;
    while peer.socket.state() != State::Closed {
        peer.sleep_to_deadline();
        peer.sent();
    }
    assert_eq!(peer.socket.error(), Some(Error::TimedOut));
    peer.now.saturating_duration_since(begin).total_millis() / 1_000
}

fn peer(seconds: u64) -> Peer {
    let options = Options { mss: MSS as u16, ..Options::NONE };
    Peer::with(advising(seconds)).into_connected(options, 0xffff)
}

/// Covers: RFC 5482 §3.1
#[test]
fn both_ends_tell_each_other_in_the_syn_and_with_the_first_ack() {
    let mut pair = Pair::of(advising(200), advising(500));
    pair.open();
    transfer(&mut pair, A, &pattern(20 * MSS, 1), secs(2));
    transfer(&mut pair, B, &pattern(20 * MSS, 1), secs(2));
    let syn_ack = Flags::SYN | Flags::ACK;
    assert_eq!(told(&pair, A), [(Flags::SYN, 0), (Flags::ACK, 0)]);
    assert_eq!(told(&pair, B), [(syn_ack, 0), (Flags::ACK, 0)]);
    for end in &pair.ends {
        let adopted = end.adopted_timeout().unwrap().total_millis();
        assert!((499_000..=501_000).contains(&adopted), "the longer of both: {adopted}");
    }
}

/// Covers: RFC 5482 §3
#[test]
fn who_does_not_use_the_option_neither_tells_nor_listens() {
    let mut pair = Pair::of(advising(200), socket(20_000, 20_000));
    pair.open();
    transfer(&mut pair, A, &pattern(3 * MSS, 1), secs(2));
    assert_eq!(told(&pair, B), []);
    assert_eq!(pair.ends[B].adopted_timeout(), None);
    assert!(pair.ends[A].adopted_timeout().is_some(), "what we say we hold to");
}

/// Covers: RFC 5482 §3.1
#[test]
fn a_change_is_told_with_the_next_ack_and_once() {
    let mut pair = Pair::of(advising(200), advising(200));
    pair = pair.into_established();
    pair.run(secs(1));
    pair.log.clear();
    pair.ends[A].set_timeout_advice(Some(secs(900)));
    pair.run(secs(1));
    assert_eq!(told(&pair, A), [(Flags::ACK, 0)]);
    assert!(pair.ends[B].adopted_timeout().unwrap() > secs(890));
    pair.ends[A].set_timeout_advice(None);
    pair.run(secs(1));
    assert_eq!((told(&pair, A).len(), pair.ends[A].adopted_timeout()), (1, None));
}

/// Covers: RFC 5482 §3.1
#[test]
fn the_timeout_is_the_longer_advice_within_limits() {
    for (ours, theirs, adopted) in [
        (200, advice(false, 300), 300),
        (300, advice(false, 200), 300),
        (1, advice(false, 1), 100),
        (200, advice(true, 10), 600),
        (200, advice(true, 0x7fff), 3_600),
        (200, advice(false, 0x7fff), 3_600),
        (100_000, advice(false, 1), 3_600),
    ] {
        let mut peer = peer(ours);
        peer.give(Segment { area: &theirs, payload: b"data", ..peer.ack_segment() });
        let waited = patience(&mut peer);
        // Once more is repeated before it is found to be over.
        assert!((adopted - 1..=adopted + 1).contains(&waited), "{ours} {theirs:?}: {waited}, not {adopted}");
    }
}

/// Covers: RFC 5482 §3.2
#[test]
fn zero_and_what_is_no_option_say_nothing() {
    for area in [&advice(false, 0)[..], &advice(true, 0), &[28, 3, 9, 0], &[28, 4, 0xff], &[1, 1, 1, 28]] {
        let mut peer = peer(200);
        peer.give(Segment { area, payload: b"data", ..peer.ack_segment() });
        assert_eq!(peer.socket.adopted_timeout().unwrap().total_millis() / 1_000, 200, "{area:?}");
    }
}

/// Covers: RFC 5482 §3.1, RFC 5961 §5
#[test]
fn what_is_not_acceptable_advises_nothing() {
    let mut peer = peer(200);
    let area = advice(false, 900);
    let (seq, ack) = (peer.seq, peer.ack);
    for seg in [
        Segment { seq: seq + 100_000, payload: b"far", ..peer.ack_segment() },
        Segment { ack: ack + 5_000, ..peer.ack_segment() },
        Segment { flags: Flags::SYN, seq: seq + 9, ..peer.ack_segment() },
    ] {
        peer.give(Segment { area: &area, ..seg });
        assert!(peer.socket.adopted_timeout().unwrap() < secs(201), "{seg:?}");
    }
}

/// Covers: RFC 5482 §3.1
#[test]
fn a_timeout_of_the_applications_own_counts_instead() {
    let mut peer = peer(200);
    peer.socket.set_timeout(Some(secs(5)));
    peer.give(Segment { area: &advice(false, 900), ..peer.ack_segment() });
    assert_eq!(peer.socket.adopted_timeout(), None);
    assert!((4..=6).contains(&patience(&mut peer)));
}

#[test]
fn long_times_are_told_in_minutes() {
    for (seconds, said) in [(0, 1), (1, 1), (32_767, 32_767), (32_768, 32_760), (9_999_999, 32_767 * 60)] {
        assert_eq!(advising(seconds).timeout_advice(), Some(secs(said)), "{seconds}");
    }
    assert_eq!(socket(10, 10).timeout_advice(), None);
}

/// Twelve octets of timestamps and three blocks are all that a header has room for.
#[test]
fn an_ack_with_blocks_has_no_room_for_advice_and_it_follows() {
    let mut peer = Peer::with(stamped(20_000, 20_000));
    peer.socket.set_timeout_advice(Some(secs(200)));
    peer.stamp = super::super::Stamp::new(1_000, 0);
    let options = Options { mss: MSS as u16, sack_permitted: true, ..Options::NONE };
    let mut peer = peer.into_connected(options, 0xffff);
    peer.socket.set_timeout_advice(Some(secs(300)));
    let first = peer.seq;
    for at in [100, 300, 500] {
        peer.seq = first + at;
        peer.give_data(&[1; 50]);
    }
    let plans = peer.sent();
    assert!(plans.iter().all(|plan| plan.advice.buffer_len() == 0 && plan.header_len() == 60), "{plans:?}");
    peer.seq = first;
    peer.give_data(&[1; 550]);
    let plans = peer.sent();
    assert_eq!(plans.iter().filter(|plan| plan.advice.buffer_len() == 4).count(), 1, "{plans:?}");
}

/// Covers: RFC 5482 §4.2
#[test]
fn keep_alives_wait_for_the_adopted_timeout() {
    let mut peer = peer(400);
    peer.socket.set_keep_alive(Some(secs(10)));
    let begin = peer.now;
    while peer.socket.state() != State::Closed {
        peer.sleep_to_deadline();
        peer.sent();
    }
    let waited = peer.now.saturating_duration_since(begin);
    assert!(waited >= secs(399) && waited <= secs(411), "{waited:?}");
}
