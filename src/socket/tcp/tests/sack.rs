//! Selective acknowledgments, and the losses that they repair.

use super::*;
use crate::wire::tcpopt::{SackBlock, TcpOption};

fn repeated(pair: &Pair) -> usize {
    let kinds = [Kind::FastRetransmit, Kind::SackRetransmit, Kind::RtoRetransmit, Kind::PartialAckRetransmit];
    kinds.into_iter().map(|kind| pair.count(A, kind)).sum()
}

/// Covers: RFC 6675 §5
#[test]
fn what_is_lost_is_sent_once_more_and_nothing_else() {
    let holes: [&[usize]; 7] =
        [&[0], &[2], &[0, 5], &[1, 2, 3], &[0, 2, 4, 6], &[3, 12, 13, 20], &[10, 30, 31, 32, 33, 34, 35, 40]];
    for lost in holes {
        let mut pair = Pair::established(400_000, 400_000);
        lose(&mut pair, lost);
        let begun = pair.now;
        transfer(&mut pair, A, &pattern(150_000, 9), Duration::from_secs(3));
        assert_eq!(pair.count(A, Kind::RtoRetransmit), 0, "lost {lost:?}");
        assert_eq!(repeated(&pair), lost.len(), "lost {lost:?}");
        let last = pair.log.iter().rfind(|sent| sent.from == A && sent.plan.len > 0).unwrap();
        assert!(last.at.saturating_duration_since(begun) < millis(600), "lost {lost:?}: {}", last.at);
    }
}

/// Many holes in one flight are repaired in about one round trip; by partial ACKs it would take one each.
#[test]
fn twelve_losses_in_a_flight_take_no_twelve_round_trips() {
    let lost: Vec<usize> = (40..64).step_by(2).collect();
    let took = |pair: &mut Pair| {
        lose(pair, &lost);
        let begun = pair.now;
        transfer(pair, A, &pattern(200_000, 3), Duration::from_secs(10));
        let acks = pair.log.iter().filter(|sent| sent.from == B);
        acks.map(|sent| sent.at.saturating_duration_since(begun)).max().unwrap()
    };
    let with = took(&mut Pair::established(400_000, 400_000));
    let without = took(&mut Pair::established_without_sack(400_000, 400_000));
    assert!(with + millis(100) < without, "{with} with, {without} without");
}

/// The last segments are lost: no block can tell, but with one of them known the others follow.
#[test]
fn a_lost_end_behind_a_known_loss_needs_no_timeout() {
    let mut pair = Pair::established(400_000, 400_000);
    lose(&mut pair, &[2, 9]);
    transfer(&mut pair, A, &pattern(10 * MSS, 9), Duration::from_secs(3));
    assert_eq!(pair.count(A, Kind::RtoRetransmit), 0);
}

/// Covers: RFC 2018 §8
#[test]
fn after_a_timeout_what_has_arrived_is_not_sent_again() {
    let mut pair = Pair::established(400_000, 400_000);
    let mut dropped = [0; 2];
    let mut first = None;
    pair.script = Box::new(move |sent| {
        if sent.from == B || sent.plan.len == 0 {
            return Fate::Pass;
        }
        // The first segment and its repetition, and the third one.
        let first = *first.get_or_insert(sent.plan.seq);
        let index = match sent.plan.seq.since(first) as usize / MSS {
            0 => 0,
            2 => 1,
            _ => return Fate::Pass,
        };
        dropped[index] += 1;
        if dropped[index] <= 2 { Fate::Drop } else { Fate::Pass }
    });
    transfer(&mut pair, A, &pattern(10 * MSS, 9), Duration::from_secs(3));
    assert_eq!(pair.count(A, Kind::RtoRetransmit), 2);
    assert_eq!(repeated(&pair), 4);
}

#[test]
fn a_fin_that_is_lost_behind_a_hole_is_found() {
    let mut pair = Pair::established(400_000, 400_000);
    lose(&mut pair, &[2, 9]);
    let data = pattern(10 * MSS - 700, 9);
    pair.ends[A].send_slice(&data).unwrap();
    pair.ends[A].close();
    let mut got = Vec::new();
    pair.run_with(Duration::from_secs(2), |pair| got.extend(read_all(&mut pair.ends[B])));
    assert!(got == data);
    assert_eq!(pair.states(), [State::FinWait2, State::CloseWait]);
}

/// A peer that says what the test wants it to, on a connection with selective acknowledgments.
pub(super) fn peer(tx: usize) -> Peer {
    peer_of(CongestionControl::default(), tx)
}

fn peer_of(control: CongestionControl, tx: usize) -> Peer {
    let options = Options { mss: MSS as u16, sack_permitted: true, ..Options::NONE };
    let mut socket = socket(20_000, tx);
    socket.set_congestion_control(control);
    let mut peer = Peer::with(socket).into_connected(options, 0xffff);
    peer.socket.send_slice(&vec![0; tx]).unwrap();
    assert_eq!(peer.sent().len(), 10);
    peer
}

/// An ACK with blocks, which are in octets from what is acknowledged.
pub(super) fn give_blocks(peer: &mut Peer, blocks: &[(u32, u32)]) {
    let area = area_with(peer, blocks);
    let seg = Segment { area: &area, ..peer.ack_segment() };
    peer.give(seg);
}

/// Options with blocks, which are in octets from what is acknowledged.
pub(super) fn area_with(peer: &Peer, blocks: &[(u32, u32)]) -> Vec<u8> {
    let octets = |n: u32| (peer.ack + n).0.to_be_bytes();
    let blocks: Vec<SackBlock> = blocks.iter().map(|&(start, end)| [octets(start), octets(end)]).collect();
    let mut area = vec![1; 40];
    TcpOption::Sack(&blocks).emit(&mut area[2..]);
    area.truncate(4 + 8 * blocks.len());
    area
}

const M: u32 = MSS as u32;

/// Covers: RFC 6675 §4
#[test]
fn two_segments_beyond_a_hole_may_be_reordering_and_three_are_a_loss() {
    let mut peer = peer(60_000);
    give_blocks(&mut peer, &[(M, 3 * M)]);
    let sent = peer.sent();
    assert!(sent.iter().all(|plan| plan.kind == Kind::New) && sent.len() == 2, "limited transmit: {sent:?}");
    give_blocks(&mut peer, &[(M, 4 * M)]);
    let sent = peer.sent();
    assert_eq!((sent[0].kind, sent[0].seq, sent[0].len), (Kind::FastRetransmit, peer.ack, M));
}

/// Covers: RFC 9937 §6
#[test]
fn the_flight_comes_down_within_the_round_trip() {
    // Two by limited transmit, the lost one, and of what has arrived since one for two, or seven for ten.
    for (control, within, most) in
        [(CongestionControl::Reno, 4..=7, 9), (CongestionControl::Cubic, 7..=9, 11)]
    {
        let mut peer = peer_of(control, 60_000);
        let mut sent = 0;
        for n in 1..10 {
            give_blocks(&mut peer, &[(M, (n + 1) * M)]);
            sent += peer.sent().len();
        }
        assert!(within.contains(&sent), "{control:?}: {sent}");
        peer.ack = peer.ack + 10 * M;
        peer.give_ack();
        let window = (peer.sent().len() + sent) as u32;
        assert!(window <= most, "{control:?}: {window} segments after ten");
    }
}

#[test]
fn blocks_that_can_not_be_say_nothing() {
    let nonsense: [&[(u32, u32)]; 8] = [
        &[(0, M)],
        &[(0u32.wrapping_sub(5 * M), M)],
        &[(0u32.wrapping_sub(5 * M), 0u32.wrapping_sub(M))],
        &[(5 * M, 5 * M)],
        &[(9 * M, 4 * M)],
        &[(4 * M, 10 * M + 1)],
        &[(1 << 30, (1 << 30) + M), (1 << 31, (1 << 31) + 5)],
        &[(11 * M, 12 * M), (12 * M, 13 * M), (14 * M, 15 * M), (16 * M, 17 * M)],
    ];
    for blocks in nonsense {
        let mut peer = peer(60_000);
        for _ in 0..5 {
            give_blocks(&mut peer, blocks);
            assert!(peer.sent().is_empty(), "{blocks:?}");
        }
    }
}

#[test]
fn any_blocks_cost_a_bounded_amount_and_do_no_harm() {
    let mut random = random::Random::new(11);
    for _ in 0..300 {
        let mut peer = peer(40_000);
        let mut end = peer.ack + 10 * M;
        for _ in 0..60 {
            let span = 11 * M;
            let blocks: Vec<(u32, u32)> = (0..1 + random.below(4))
                .map(|_| {
                    let (a, b) = (random.below(span), random.below(span));
                    if random.below(20) == 0 { (a, b) } else { (a.min(b), a.max(b)) }
                })
                .collect();
            give_blocks(&mut peer, &blocks);
            if random.below(10) == 0 {
                peer.sleep_to_deadline();
            }
            let sent = peer.sent();
            assert!(sent.len() <= 40);
            end = sent.iter().map(|plan| plan.seq + plan.len).fold(end, SeqNum::max);
            if random.below(8) == 0 {
                peer.ack = end.min(peer.ack + random.below(2 * M));
            }
        }
        // All of it gets through in the end.
        for _ in 0..200 {
            end = peer.sent().iter().map(|plan| plan.seq + plan.len).fold(end, SeqNum::max);
            if end == peer.ack {
                peer.sleep_to_deadline();
            }
            peer.ack = end;
            peer.give_ack();
            if peer.socket.send_queue() == 0 {
                break;
            }
        }
        assert_eq!(peer.socket.send_queue(), 0);
    }
}

/// Covers: RFC 2018 §8
#[test]
fn a_peer_that_lets_go_of_what_it_had_gets_it_again() {
    let mut peer = peer(10 * MSS);
    give_blocks(&mut peer, &[(M, 10 * M)]);
    assert_eq!(peer.sent()[0].seq, peer.ack);
    peer.ack = peer.ack + M;
    peer.give_ack();
    for n in 0..9 {
        for _ in 0..3 {
            if peer.socket.send_queue() < (10 - n) * MSS {
                break;
            }
            peer.sleep_to_deadline();
        }
        peer.sleep_to_deadline();
        let sent = peer.sent();
        assert!(sent.iter().any(|plan| plan.seq == peer.ack), "{n}: {sent:?}");
        peer.ack = peer.ack + M;
        peer.give_ack();
        peer.sent();
    }
    assert_eq!(peer.socket.send_queue(), 0);
}

/// Covers: RFC 2018 §3, §4, RFC 2883 §4
#[test]
fn a_receiver_tells_what_it_has() {
    let options = Options { mss: MSS as u16, sack_permitted: true, ..Options::NONE };
    let mut peer = Peer::connected(20_000, 1_000, options, 0xffff);
    let told = |peer: &mut Peer, at: u32, len: usize| {
        let (seq, nxt) = (peer.seq + at, peer.seq);
        let data = pattern(len, 1);
        peer.give(Segment { seq, payload: &data, ..peer.ack_segment() });
        let cx = context!(peer.keys, peer.now, MTU);
        let plan = peer.socket.decide(&cx).unwrap();
        let mut octets = vec![0; plan.total_len()];
        peer.socket.emit(&plan, true, &mut octets);
        peer.socket.on_sent(&cx, &plan);
        assert!(peer.sent().is_empty());
        let (_, _, seg) = parse(&octets);
        let mut blocks = Vec::new();
        for option in crate::wire::tcpopt::Options::parse(seg.area).unwrap() {
            if let TcpOption::Sack(told) = option {
                let offset = |octets: [u8; 4]| SeqNum(u32::from_be_bytes(octets)).since(nxt);
                blocks.extend(told.iter().map(|&[start, end]| (offset(start), offset(end))));
            }
        }
        (seg.ack.since(nxt), blocks)
    };
    assert_eq!(told(&mut peer, 100, 50), (0, vec![(100, 150)]));
    assert_eq!(told(&mut peer, 200, 50), (0, vec![(200, 250), (100, 150)]));
    assert_eq!(told(&mut peer, 210, 20), (0, vec![(210, 230), (200, 250), (100, 150)]));
    assert_eq!(told(&mut peer, 150, 10), (0, vec![(100, 160), (200, 250)]));
    assert_eq!(told(&mut peer, 0, 100), (160, vec![(200, 250)]));
    assert_eq!(told(&mut peer, 10, 30), (160, vec![(10, 40), (200, 250)]));
    assert_eq!(told(&mut peer, 160, 40), (250, vec![]));
}

#[test]
fn without_permission_nobody_tells() {
    let mut pair = Pair::established_without_sack(100_000, 100_000);
    lose(&mut pair, &[2, 5]);
    transfer(&mut pair, A, &pattern(50_000, 2), Duration::from_secs(3));
    assert!(pair.log.iter().all(|sent| sent.plan.total_len() == 20 + sent.plan.payload_len()));
}
