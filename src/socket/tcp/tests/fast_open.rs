//! Connections that begin with the data of their SYN (RFC 7413), in `fast_open`; more with a network in `iface/tests`.

use super::listener::{Bench, syn, tuple};
use super::*;

/// A server that has read a request out of a SYN, and has sent its SYN-ACK and an answer.
fn answered(sack_permitted: bool) -> (Peer, Plan) {
    let mut bench = Bench::new(4);
    bench.listener.set_fast_open(4);
    let seg = Segment { payload: b"GET /", ..syn(7) };
    let options = Options { sack_permitted, ..seg.options };
    let seg = Segment { options, ..seg };
    let cx = context!(bench.keys, bench.now, MTU);
    let half = bench.listener.fast_record(&cx, &tuple(9), &seg);
    let mut peer = Peer::connecting(1, 1);
    peer.socket = socket(20_000, 20_000);
    (peer.now, peer.keys) = (bench.now, bench.keys.clone());
    let events = peer.socket.open_fast(&cx, &half, &seg, false);
    assert!(events.contains(Events::READABLE | Events::WRITABLE));
    assert_eq!(read_all(&mut peer.socket), b"GET /");
    peer.socket.send_slice(b"the answer").unwrap();
    let sent = peer.sent();
    assert_eq!(sent[0].flags, Flags::SYN | Flags::ACK);
    assert_eq!((sent.len(), sent[1].seq, sent[1].len), (2, sent[0].seq + 1, 10));
    (peer.seq, peer.ack, peer.window) = (SeqNum(13), sent[0].seq + 1, 1_000);
    (peer, sent[1])
}

/// Covers: RFC 7413 §4.2.2
#[test]
fn an_answer_that_is_lost_behind_its_syn_ack_is_repeated() {
    for sack_permitted in [true, false] {
        let (mut peer, answer) = answered(sack_permitted);
        peer.sleep(millis(30));
        let out = peer.give_ack();
        assert!(out.events.contains(Events::CONNECTED));
        assert_eq!(peer.socket.state(), State::Established);
        assert!(peer.sent().is_empty(), "it may be on its way");
        let again = (0..9).find_map(|_| {
            peer.sleep_to_deadline();
            peer.sent().pop()
        });
        assert_eq!(again.map(|plan| (plan.seq, plan.len)), Some((answer.seq, 10)));
        // Nothing of the opening is left that a probe would have to wait for.
        let kind = if sack_permitted { Kind::TailLossProbe } else { Kind::RtoRetransmit };
        assert_eq!(again.map(|plan| plan.kind), Some(kind));
    }
}

/// Without the SYN-ACK the client has taken nothing of what came behind it.
///
/// Covers: RFC 7413 §4.2.2
#[test]
fn when_the_syn_ack_was_lost_the_answer_goes_again_at_once() {
    for sack_permitted in [true, false] {
        let (mut peer, answer) = answered(sack_permitted);
        let again = loop {
            peer.sleep_to_deadline();
            if let Some(plan) = peer.sent().pop() {
                break plan;
            }
        };
        assert_eq!((again.kind, again.flags), (Kind::SynAckRetransmit, Flags::SYN | Flags::ACK));
        peer.give_ack();
        let sent = peer.sent();
        assert_eq!((sent.len(), sent[0].seq, sent[0].len), (1, answer.seq, 10));
        peer.ack = peer.ack + 10;
        peer.give_ack();
        assert_eq!(peer.socket.send_queue(), 0);
    }
}

#[test]
fn a_syn_without_the_option_has_no_ending() {
    assert!(Peer::plain(100, 100).socket.fast_open_ending().is_none());
}
