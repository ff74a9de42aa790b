//! Segments from who is not the peer (RFC 5961), and nonsense.

use super::*;
use crate::stats::DropReason;

/// Covers: RFC 5961 §3.2; RFC 9293 MUST-12
#[test]
fn only_the_exact_reset_resets() {
    let mut peer = Peer::plain(1_000, 1_000);
    let rst = Segment { flags: Flags::RST, ..peer.ack_segment() };
    for offset in [1, 500, 999] {
        peer.now += Duration::from_secs(1);
        let out = peer.give(Segment { seq: peer.seq + offset, ..rst });
        assert_eq!(out, Outcome::DROPPED);
        let sent = peer.sent();
        assert_eq!((sent.len(), sent[0].ack, sent[0].kind), (1, peer.seq, Kind::DupAck), "challenge");
    }
    for seq in [peer.seq - 1, peer.seq + 1_000, peer.seq + 100_000] {
        peer.now += Duration::from_secs(1);
        peer.give(Segment { seq, ..rst });
        assert!(peer.sent().is_empty());
    }
    assert_eq!(peer.socket.state(), State::Established);
    let out = peer.give(rst);
    assert_eq!(out.events, Events::CLOSED | Events::ERROR);
    assert_eq!(peer.socket.error(), Some(Error::Reset));
    assert!(peer.sent().is_empty());
}

/// Covers: RFC 5961 §4.2
#[test]
fn a_syn_in_the_window_is_challenged() {
    let mut peer = Peer::plain(1_000, 1_000);
    for flags in [Flags::SYN, Flags::SYN | Flags::ACK] {
        for offset in [0u32, 10, 5_000, u32::MAX] {
            peer.now += Duration::from_secs(1);
            let out = peer.give(Segment { seq: peer.seq + offset, flags, ..peer.ack_segment() });
            assert_eq!(out, Outcome::DROPPED);
            assert_eq!(peer.sent().len(), 1);
        }
    }
    assert_eq!(peer.socket.state(), State::Established);
}

/// Covers: RFC 5961 §7
#[test]
fn challenges_are_limited() {
    let mut peer = Peer::plain(1_000, 1_000);
    let mut count = 0;
    for _ in 0..1_000 {
        peer.now += millis(1);
        peer.give(Segment { flags: Flags::SYN, ..peer.ack_segment() });
        count += peer.sent().len();
    }
    assert!((2..=3).contains(&count), "{count}");
}

/// Covers: RFC 5961 §5
#[test]
fn data_with_an_impossible_ack_is_not_taken() {
    let mut peer = Peer::plain(1_000, 1_000);
    for ack in [peer.ack + 1, peer.ack + 1_000_000, peer.ack - 100_000] {
        peer.now += Duration::from_secs(1);
        peer.give(Segment { ack, payload: b"evil", ..peer.ack_segment() });
        assert_eq!(peer.sent().len(), 1);
        assert!(!peer.socket.can_recv());
    }
    peer.give(Segment { flags: Flags::empty(), payload: b"evil", ..peer.ack_segment() });
    assert!(!peer.socket.can_recv());
    // A little old is what the network does.
    peer.give(Segment { ack: peer.ack - 1, payload: b"good", ..peer.ack_segment() });
    assert_eq!(read_all(&mut peer.socket), b"good");
}

#[test]
fn data_outside_the_window_is_acknowledged_and_dropped() {
    let mut peer = Peer::plain(1_000, 1_000);
    for seq in [peer.seq + 1_001, peer.seq - 4, peer.seq + 0x7fff_ffff, peer.seq + 0x8000_0000] {
        let out = peer.give(Segment { seq, payload: b"evil", ..peer.ack_segment() });
        assert_eq!(out.verdict, Verdict::Drop(DropReason::Unacceptable));
        assert_eq!(peer.sent().len(), 1);
    }
    assert!(!peer.socket.can_recv());
    assert_eq!(peer.socket.state(), State::Established);
}

#[test]
fn a_reset_answers_what_no_socket_wants() {
    let seg = Segment {
        seq: SeqNum(100),
        ack: SeqNum(200),
        flags: Flags::SYN,
        window: 1,
        options: Options::NONE,
        area: &[],
        stamp: Stamp::NONE,
        mark: Mark::NONE,
        payload: b"abc",
    };
    let rst = reset_for(&seg).unwrap();
    assert_eq!((rst.seq, rst.ack, rst.flags), (SeqNum(0), SeqNum(104), Flags::RST | Flags::ACK));
    let rst = reset_for(&Segment { flags: Flags::ACK, ..seg }).unwrap();
    assert_eq!((rst.seq, rst.flags), (SeqNum(200), Flags::RST));
    assert_eq!(reset_for(&Segment { flags: Flags::RST, ..seg }), None);
}

#[test]
fn two_that_disagree_do_not_talk_for_ever() {
    let mut pair = Pair::established(1_000, 1_000);
    // A's idea of the connection is replaced by one with other numbers.
    let mut other = Pair::new(1_000, 1_000);
    other.now += Duration::from_secs(77);
    other.open();
    other.run(millis(50));
    core::mem::swap(&mut pair.ends[A], &mut other.ends[A]);
    pair.now = other.now;
    pair.ends[A].send_slice(b"x").unwrap();
    pair.run(Duration::from_secs(10));
    assert!(pair.log.len() < 60, "{}", pair.log.len());
}

/// Any segment at any time: nothing panics, and the invariants hold.
#[test]
fn random_segments_do_no_harm() {
    let mut random = random::Random::new(5);
    for round in 0..2_000 {
        let mut peer = match round % 3 {
            0 => Peer::connecting(500, 500),
            1 => Peer::plain(500, 500),
            _ => small_window(),
        };
        for _ in 0..60 {
            let near = |random: &mut random::Random, at: SeqNum| match random.below(4) {
                0 => at,
                1 => at + random.below(3_000),
                2 => at - random.below(3_000),
                _ => SeqNum(random.next()),
            };
            let data = pattern(random.below(700) as usize, 1);
            let seg = Segment {
                seq: near(&mut random, peer.seq),
                ack: near(&mut random, peer.ack),
                flags: Flags::from_bits_retain(random.next() as u8 & random.next() as u8),
                window: random.next() as u16,
                options: Options { mss: random.next() as u16, window_scale: 3, sack_permitted: true },
                area: &[],
                stamp: Stamp::NONE,
                mark: Mark::NONE,
                payload: &data,
            };
            peer.give(seg);
            match random.below(8) {
                0 => peer.socket.close(),
                1 => _ = peer.socket.send_slice(&data),
                2 => _ = peer.socket.recv_slice(&mut [0; 100]),
                3 => _ = peer.sleep(millis(u64::from(random.below(3_000)))),
                _ => {}
            }
            for plan in peer.sent() {
                let mut octets = vec![0; plan.total_len()];
                peer.socket.emit(&plan, true, &mut octets);
            }
        }
    }
}

fn small_window() -> Peer {
    Peer::connected(500, 500, Options { mss: 64, window_scale: 14, sack_permitted: false }, 3)
}
