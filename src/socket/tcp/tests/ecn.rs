//! Explicit congestion notification, clause by clause of RFC 3168.

use super::*;

const SETUP: Flags = Flags::ECE.union(Flags::CWR);
const OPTIONS: Options = Options { mss: 1_460, window_scale: 7, sack_permitted: true };

/// Two sockets of these modes; A connects.
fn pair_of(a: EcnMode, b: EcnMode) -> Pair {
    let mut pair = Pair::new(400_000, 400_000);
    pair.ends[A].set_ecn(a);
    pair.ends[B].set_ecn(b);
    pair
}

fn agreed() -> Pair {
    let pair = pair_of(EcnMode::Ask, EcnMode::Accept).into_established();
    assert!(pair.ends.iter().all(|end| end.is_ecn_agreed()));
    pair
}

/// A connection that has agreed with a peer whose segments are made by hand.
pub(super) fn peer() -> Peer {
    peer_of(socket(400_000, 400_000))
}

pub(super) fn peer_of(mut socket: Socket<'static>) -> Peer {
    socket.set_ecn(EcnMode::Ask);
    let mut peer = Peer::with(socket);
    let syn = peer.sent()[0];
    peer.ack = syn.seq + 1;
    peer.window = 0xffff;
    let (flags, seq) = (Flags::SYN | Flags::ACK | Flags::ECE, peer.seq);
    peer.seq = seq + 1;
    peer.give(Segment { options: OPTIONS, flags, seq, ..peer.ack_segment() });
    peer.sent();
    assert!(peer.socket.is_ecn_agreed());
    peer
}

impl Peer {
    /// Acknowledges `len` more octets, with these flags too.
    pub(super) fn acknowledge(&mut self, len: u32, flags: Flags) {
        self.ack = self.ack + len;
        self.give(Segment { flags: Flags::ACK | flags, ..self.ack_segment() });
    }

    /// Gives a full segment of data.
    pub(super) fn give_marked(&mut self, mark: Mark, flags: Flags) {
        let data = [7; MSS];
        self.give(Segment { payload: &data, mark, flags: Flags::ACK | flags, ..self.ack_segment() });
        self.seq = self.seq + MSS as u32;
    }

    fn mark_of(&self, plan: &Plan) -> u8 {
        self.socket.mark_for(plan).bits()
    }
}

/// What the plans say of congestion.
fn told(plans: &[Plan]) -> Vec<Flags> {
    plans.iter().map(|plan| plan.flags & SETUP).collect()
}

/// Covers: RFC 3168 §6.1.1
#[test]
fn who_asks_is_granted_it_by_who_does_not_refuse() {
    use EcnMode::{Accept, Ask, Off};
    for (a, b, asks, grants) in [
        (Off, Ask, false, false),
        (Accept, Ask, false, false),
        (Ask, Off, true, false),
        (Ask, Accept, true, true),
        (Ask, Ask, true, true),
    ] {
        let mut pair = pair_of(a, b);
        assert_eq!((pair.ends[A].ecn(), pair.ends[B].ecn()), (a, b));
        pair.open();
        pair.run(millis(35));
        assert_eq!(pair.plans(A)[0].flags & SETUP, if asks { SETUP } else { Flags::empty() });
        assert_eq!(pair.plans(B)[0].flags & SETUP, if grants { Flags::ECE } else { Flags::empty() });
        assert_eq!(pair.ends.each_ref().map(|end| end.is_ecn_agreed()), [grants; 2], "{a:?} {b:?}");
    }
    assert_eq!(socket(1, 1).ecn(), Accept);
}

/// Covers: RFC 3168 §6.1.1.1
#[test]
fn a_syn_that_is_repeated_does_not_ask_and_a_late_grant_is_none() {
    let mut pair = pair_of(EcnMode::Ask, EcnMode::Accept);
    pair.script(|n, _| if n == 0 { Fate::Drop } else { Fate::Pass });
    pair.open();
    pair.run(Duration::from_secs(3));
    assert_eq!(told(&pair.plans(A)[..2]), [SETUP, Flags::empty()]);
    assert!(!pair.ends[A].is_ecn_agreed() && !pair.ends[B].is_ecn_agreed());
    // The grant of the first comes after the second has left.
    let mut socket = socket(1_000, 1_000);
    socket.set_ecn(EcnMode::Ask);
    let mut peer = Peer::with(socket);
    peer.ack = peer.sent()[0].seq + 1;
    peer.sleep_to_deadline();
    assert_eq!(told(&peer.sent()), [Flags::empty()]);
    peer.give(Segment { flags: Flags::SYN | Flags::ACK | Flags::ECE, ..peer.ack_segment() });
    assert_eq!((peer.socket.state(), peer.socket.is_ecn_agreed()), (State::Established, false));
}

/// Covers: RFC 3168 §6.1.1
#[test]
fn flags_that_a_middlebox_sends_back_are_no_grant() {
    for (asks, flags, is_granted) in [
        (true, Flags::ECE, true),
        (true, SETUP, false),
        (true, Flags::CWR, false),
        (true, Flags::empty(), false),
        (false, Flags::ECE, false),
    ] {
        let mut socket = socket(1_000, 1_000);
        socket.set_ecn(if asks { EcnMode::Ask } else { EcnMode::Accept });
        let mut peer = Peer::with(socket);
        peer.ack = peer.sent()[0].seq + 1;
        peer.give(Segment { flags: Flags::SYN | Flags::ACK | flags, ..peer.ack_segment() });
        assert_eq!(peer.socket.is_ecn_agreed(), is_granted, "{asks} {flags:?}");
    }
}

fn request(seq: SeqNum, flags: Flags) -> Segment<'static> {
    Segment {
        seq,
        ack: SeqNum(0),
        flags: Flags::SYN | flags,
        window: 1_000,
        options: OPTIONS,
        area: &[],
        stamp: Stamp::NONE,
        mark: Mark::NONE,
        payload: &[],
    }
}

/// The SYNs that a listening socket gets of the same connection; whether it uses it in the end.
fn passive(mode: EcnMode, syns: &[Flags]) -> bool {
    let mut peer = Peer::with(socket(1_000, 1_000));
    peer.socket = socket(1_000, 1_000);
    peer.socket.set_ecn(mode);
    peer.socket.listen(80).unwrap();
    let tuple = Tuple { local: addr(1), remote: addr(2), local_port: 80, remote_port: 9, zone: 0 };
    let mut last = Flags::empty();
    for (n, &flags) in syns.iter().enumerate() {
        let cx = context!(peer.keys, peer.now, MTU);
        let syn = request(peer.seq, flags);
        if n == 0 {
            peer.socket.accept_syn(&cx, &tuple, &syn);
        } else {
            peer.socket.process(&cx, &syn, None);
        }
        let plans = peer.sent();
        last = plans[0].flags - (Flags::SYN | Flags::ACK);
        peer.ack = plans[0].seq + 1;
        peer.sleep(Duration::from_secs(1));
    }
    peer.seq = peer.seq + 1;
    peer.give_ack();
    assert_eq!(peer.socket.state(), State::Established);
    assert_eq!(last, if peer.socket.is_ecn_agreed() { Flags::ECE } else { Flags::empty() });
    peer.socket.is_ecn_agreed()
}

/// The same of a listener.
fn by_record(mode: EcnMode, syns: &[Flags]) -> bool {
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 1]);
    listener.set_ecn(mode);
    assert_eq!(listener.ecn(), mode);
    listener.listen(80).unwrap();
    let (keys, now) = (Keys::new([3; 32]), Instant::from_secs(3));
    let cx = context!(keys, now, MTU);
    let tuple = Tuple { local: addr(1), remote: addr(2), local_port: 80, remote_port: 9, zone: 0 };
    let mut reply = Plan::none();
    for &flags in syns {
        assert_eq!(listener.process(&cx, &tuple, &request(SeqNum(7), flags), &mut reply), Verdict::Reply);
    }
    let mut socket = socket(1_000, 1_000);
    socket.open_from(&cx, &listener.complete(0).unwrap(), false);
    let told = reply.flags - (Flags::SYN | Flags::ACK);
    assert_eq!(told, if socket.is_ecn_agreed() { Flags::ECE } else { Flags::empty() });
    socket.is_ecn_agreed()
}

/// Covers: RFC 3168 §6.1.1, §6.1.1.1
#[test]
fn a_syn_asks_with_both_flags_and_each_time() {
    for grants in [passive, by_record] {
        assert!(grants(EcnMode::Accept, &[SETUP]));
        assert!(grants(EcnMode::Ask, &[SETUP, SETUP]));
        assert!(!grants(EcnMode::Off, &[SETUP]));
        for one in [Flags::ECE, Flags::CWR, Flags::empty()] {
            assert!(!grants(EcnMode::Accept, &[one]), "{one:?}");
            assert!(!grants(EcnMode::Accept, &[SETUP, one]), "the second did not ask: {one:?}");
            assert!(!grants(EcnMode::Accept, &[one, SETUP]), "the first did not ask: {one:?}");
        }
    }
}

/// Covers: RFC 3168 §6.1.1
#[test]
fn who_opens_at_the_same_time_does_without() {
    let mut socket = socket(1_000, 1_000);
    socket.set_ecn(EcnMode::Ask);
    let mut peer = Peer::with(socket);
    peer.ack = peer.sent()[0].seq + 1;
    peer.give(request(peer.seq, SETUP));
    let plans = peer.sent();
    assert_eq!((plans[0].flags, plans.len()), (Flags::SYN | Flags::ACK, 1));
    peer.give(Segment { flags: Flags::SYN | Flags::ACK | Flags::ECE, ..peer.ack_segment() });
    assert_eq!((peer.socket.state(), peer.socket.is_ecn_agreed()), (State::Established, false));
}

#[cfg(feature = "tcp-cookies")]
#[test]
fn a_cookie_keeps_what_was_granted_where_there_are_timestamps() {
    for (flags, has_stamp) in [(SETUP, true), (Flags::empty(), true), (SETUP, false)] {
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 0]);
        listener.listen(80).unwrap();
        let (keys, now) = (Keys::new([3; 32]), Instant::from_secs(300));
        let cx = context!(keys, now, MTU);
        let tuple = Tuple { local: addr(1), remote: addr(2), local_port: 80, remote_port: 9, zone: 0 };
        let stamp = if has_stamp { Stamp::new(5, 0) } else { Stamp::NONE };
        let syn = Segment { stamp, ..request(SeqNum(7), flags) };
        let mut reply = Plan::none();
        assert_eq!(listener.process(&cx, &tuple, &syn, &mut reply), Verdict::Reply);
        let is_granted = flags == SETUP && has_stamp;
        assert_eq!(reply.flags.contains(Flags::ECE), is_granted);
        let stamp = if has_stamp { Stamp::new(6, reply.stamp.value) } else { Stamp::NONE };
        let ack = Segment { seq: SeqNum(8), ack: reply.seq + 1, flags: Flags::ACK, stamp, ..syn };
        let Verdict::Complete(index) = listener.process(&cx, &tuple, &ack, &mut reply) else { panic!() };
        let mut socket = stamped(1_000, 1_000);
        socket.open_from(&cx, &listener.complete(index.into()).unwrap(), false);
        assert_eq!(socket.is_ecn_agreed(), is_granted);
    }
}

/// Covers: RFC 3168 §6.1.3
#[test]
fn every_ack_tells_of_a_mark_until_the_window_is_reduced() {
    let mut peer = peer();
    peer.give_marked(Mark::EXPERIENCED, Flags::empty());
    assert_eq!(told(&peer.sent()), [Flags::ECE], "at once");
    for _ in 0..3 {
        peer.give_marked(Mark::NONE, Flags::empty());
        assert_eq!(told(&peer.sent()), [], "the others may wait");
        peer.give_marked(Mark::NONE, Flags::empty());
        assert_eq!(told(&peer.sent()), [Flags::ECE]);
    }
    // Also what goes with data, and out of order.
    peer.socket.send_slice(b"data").unwrap();
    assert_eq!(told(&peer.sent()), [Flags::ECE]);
    peer.seq = peer.seq + 1;
    peer.give_marked(Mark::NONE, Flags::empty());
    assert_eq!(told(&peer.sent()), [Flags::ECE]);
    peer.seq = peer.seq - MSS as u32 - 1;
    peer.give_marked(Mark::NONE, Flags::CWR);
    assert_eq!(told(&peer.sent()), [Flags::empty()], "at once, since the peer's window may be small");
    peer.give_marked(Mark::NONE, Flags::empty());
    peer.give_marked(Mark::NONE, Flags::empty());
    assert_eq!(told(&peer.sent()), [Flags::empty()]);
    // What tells of the reduction is marked itself.
    peer.give_marked(Mark::EXPERIENCED, Flags::CWR);
    assert_eq!(told(&peer.sent()), [Flags::ECE]);
}

/// Covers: RFC 3168 §6.1.3
#[test]
fn a_mark_before_a_delayed_ack_is_told_with_it() {
    let mut peer = peer();
    peer.give_marked(Mark::NONE, Flags::empty());
    peer.give_marked(Mark::EXPERIENCED, Flags::empty());
    peer.give_marked(Mark::EXPERIENCED, Flags::empty());
    assert_eq!(told(&peer.sent()), [Flags::ECE], "one for all");
}

/// Covers: RFC 3168 §6.1.3, §6.1.4, §6.1.5
#[test]
fn marks_count_on_data_within_the_window_alone() {
    let mut peer = peer();
    let data = [7; 10];
    let marked = |peer: &Peer| Segment { mark: Mark::EXPERIENCED, ..peer.ack_segment() };
    peer.give(marked(&peer));
    for offset in [1 << 20, 0xf000_0000] {
        let seq = peer.seq + offset;
        peer.give(Segment { seq, payload: &data, ..marked(&peer) });
    }
    let ack = peer.ack + (1 << 30);
    peer.give(Segment { ack, payload: &data, ..marked(&peer) });
    peer.give_marked(Mark::NONE, Flags::empty());
    peer.give_marked(Mark::NONE, Flags::empty());
    let plans = peer.sent();
    assert!(!plans.is_empty() && plans.iter().all(|plan| plan.flags == Flags::ACK), "{plans:?}");
    // Nor where nothing was agreed on.
    let mut peer = Peer::plain(400_000, 400_000);
    peer.give_marked(Mark::EXPERIENCED, Flags::empty());
    peer.give_marked(Mark::EXPERIENCED, Flags::empty());
    assert_eq!(told(&peer.sent()), [Flags::empty()]);
    peer.socket.send_slice(&[0; 30_000]).unwrap();
    let before = windows(&peer.socket);
    peer.sent();
    peer.acknowledge(1_460, Flags::ECE);
    assert!(windows(&peer.socket).0 > before.0);
    let plans = peer.sent();
    assert!(plans.iter().all(|plan| plan.flags & SETUP == Flags::empty() && peer.mark_of(plan) == 0));
}

/// Covers: RFC 3168 §6.1.2
#[test]
fn the_window_is_reduced_once_a_round_trip_and_the_peer_is_told() {
    let mut peer = peer();
    let mss = MSS as u32;
    peer.socket.send_slice(&[0; 200 * MSS]).unwrap();
    let first = peer.sent();
    assert_eq!(first.len(), 10);
    assert!(first.iter().all(|plan| plan.flags & SETUP == Flags::empty() && peer.mark_of(plan) == 2));
    peer.acknowledge(mss, Flags::ECE);
    // CUBIC's seven tenths of what was out.
    assert_eq!(windows(&peer.socket), (7 * mss, 7 * mss));
    // Neither reduced nor grown by what was out then.
    for _ in 0..2 {
        assert!(peer.sent().is_empty());
        peer.acknowledge(mss, Flags::ECE);
    }
    assert_eq!(windows(&peer.socket), (7 * mss, 7 * mss));
    peer.acknowledge(mss, Flags::ECE);
    let next = peer.sent();
    assert_eq!(told(&next), [Flags::CWR], "the first new data");
    for _ in 0..6 {
        peer.acknowledge(mss, Flags::ECE);
        assert_eq!(told(&peer.sent()), [Flags::empty()], "and no other");
        assert_eq!(windows(&peer.socket), (7 * mss, 7 * mss));
    }
    // What acknowledges the news speaks of something else.
    peer.acknowledge(mss, Flags::ECE);
    let (window, threshold) = windows(&peer.socket);
    assert_eq!((window, threshold), (49 * mss / 10, 49 * mss / 10));
    // And without being told of anything it grows.
    for _ in 0..12 {
        peer.sent();
        peer.acknowledge(mss, Flags::empty());
    }
    assert!(windows(&peer.socket).0 > window);
}

/// Covers: RFC 3168 §6.1.2
#[test]
fn slow_start_does_not_grow_by_what_tells_of_congestion() {
    let mut peer = peer();
    peer.socket.set_congestion_control(CongestionControl::None);
    peer.socket.send_slice(&[0; 200 * MSS]).unwrap();
    peer.sent();
    peer.acknowledge(MSS as u32, Flags::empty());
    let before = windows(&peer.socket).0;
    assert_eq!(before, 11 * MSS as u32);
    peer.sent();
    peer.acknowledge(MSS as u32, Flags::ECE);
    assert!(windows(&peer.socket).0 < before);
    assert_eq!(windows(&peer.socket).1, windows(&peer.socket).0, "slow start is over");
}

/// Covers: RFC 3168 §6.1.2
#[test]
fn after_a_loss_the_next_new_data_tells_of_the_reduction() {
    let mut pair = agreed();
    lose(&mut pair, &[3]);
    transfer(&mut pair, A, &pattern(60 * MSS, 4), Duration::from_secs(3));
    let plans = pair.plans(A);
    let again = plans.iter().position(|plan| plan.kind != Kind::New).unwrap();
    let tells: Vec<_> = (0..plans.len()).filter(|&n| plans[n].flags.contains(Flags::CWR)).collect();
    assert_eq!(tells.len(), 1);
    assert!(tells[0] > again && plans[again + 1..tells[0]].iter().all(|plan| plan.kind != Kind::New));
    assert!(plans[tells[0]].len > 0 && plans[tells[0]].kind == Kind::New);
}

/// Covers: RFC 3168 §6.1.2
#[test]
fn a_timeout_is_told_of_too() {
    let mut peer = peer();
    peer.socket.send_slice(&[0; MSS]).unwrap();
    peer.sent();
    while peer.sent().iter().all(|plan| plan.kind != Kind::RtoRetransmit) {
        peer.sleep_to_deadline();
    }
    peer.acknowledge(MSS as u32, Flags::empty());
    peer.socket.send_slice(&[0; MSS]).unwrap();
    assert_eq!(told(&peer.sent()), [Flags::CWR]);
}

/// Covers: RFC 3168 §6.1.2
#[test]
fn a_loss_and_a_mark_of_one_flight_reduce_the_window_once() {
    let mss = MSS as u32;
    for has_sack in [true, false] {
        // First the mark, then the loss.
        let mut socket = socket(400_000, 400_000);
        socket.set_sack_enabled(has_sack);
        let mut peer = peer_of(socket);
        peer.socket.send_slice(&[0; 200 * MSS]).unwrap();
        assert_eq!(peer.sent().len(), 10);
        peer.acknowledge(mss, Flags::ECE);
        let (_, threshold) = windows(&peer.socket);
        for n in 2..6 {
            let area = blocks(peer.ack + mss, peer.ack + n * mss);
            let area = if has_sack { &area[..] } else { &[] };
            peer.give(Segment { area, flags: Flags::ACK | Flags::ECE, ..peer.ack_segment() });
        }
        let plans = peer.sent();
        assert!(plans.iter().any(|plan| plan.kind == Kind::FastRetransmit), "{plans:?}");
        assert_eq!(windows(&peer.socket).1, threshold, "{has_sack}");
        // First the loss, then the mark.
        let mut socket = super::socket(400_000, 400_000);
        socket.set_sack_enabled(has_sack);
        let mut peer = peer_of(socket);
        peer.socket.send_slice(&[0; 200 * MSS]).unwrap();
        peer.sent();
        for n in 2..6 {
            let area = blocks(peer.ack + mss, peer.ack + n * mss);
            let area = if has_sack { &area[..] } else { &[] };
            peer.give(Segment { area, ..peer.ack_segment() });
            peer.sent();
        }
        let (_, threshold) = windows(&peer.socket);
        assert!(threshold < u32::MAX);
        peer.acknowledge(5 * mss, Flags::ECE);
        peer.acknowledge(mss, Flags::ECE);
        assert_eq!(windows(&peer.socket).1, threshold, "{has_sack}");
    }
}

/// The option of one block, padded.
fn blocks(start: SeqNum, end: SeqNum) -> [u8; 12] {
    let mut area = [1; 12];
    area[2..4].copy_from_slice(&[5, 10]);
    area[4..8].copy_from_slice(&start.0.to_be_bytes());
    area[8..].copy_from_slice(&end.0.to_be_bytes());
    area
}

/// Covers: RFC 3168 §6.1.2; RFC 9438 §4.9
#[test]
fn what_was_no_loss_is_told_of_no_more_and_a_mark_is_not_taken_back() {
    for is_marked in [false, true] {
        let mut socket = stamped(400_000, 400_000);
        socket.set_nagle_enabled(false);
        let mut peer = Peer::with(socket);
        peer.socket = {
            let mut socket = stamped(400_000, 400_000);
            socket.set_ecn(EcnMode::Ask);
            socket
        };
        peer.socket.connect(endpoint(2, 80), 50_000).unwrap();
        peer.socket.settle(&context!(peer.keys, peer.now, MTU), addr(1), 50_000);
        let syn = peer.sent()[0];
        (peer.ack, peer.window, peer.stamp) = (syn.seq + 1, 0xffff, Stamp::new(9, syn.stamp.value));
        let seq = peer.seq;
        peer.seq = seq + 1;
        let flags = Flags::SYN | Flags::ACK | Flags::ECE;
        peer.give(Segment { options: OPTIONS, flags, seq, ..peer.ack_segment() });
        peer.sent();
        peer.socket.send_slice(&[0; 200_000]).unwrap();
        let plans = peer.sent();
        let len = plans[0].len;
        peer.stamp.echo = plans[0].stamp.value;
        peer.sleep(millis(50));
        // The second overtakes the first by so much that it seems lost.
        for n in 2..8 {
            let area = blocks(peer.ack + len, peer.ack + n * len);
            peer.give(Segment { area: &area, ..peer.ack_segment() });
        }
        assert!(peer.sent().iter().any(|plan| plan.kind == Kind::FastRetransmit));
        let reduced = windows(&peer.socket).1;
        assert_eq!(reduced, 7 * len);
        // But it was only late.
        peer.acknowledge(7 * len, if is_marked { Flags::ECE } else { Flags::empty() });
        let plans = peer.sent();
        let tells = plans.iter().filter(|plan| plan.flags.contains(Flags::CWR)).count();
        if is_marked {
            assert_eq!(windows(&peer.socket).1, reduced);
        } else {
            assert_eq!((windows(&peer.socket).1, tells), (u32::MAX, 0));
        }
    }
}

/// Covers: RFC 3168 §5.2, §6.1.1, §6.1.4, §6.1.5, §6.1.6
#[test]
fn only_data_for_the_first_time_can_be_marked() {
    let mut pair = agreed();
    pair.ends[B].set_nagle_enabled(false);
    let capable = |pair: &Pair, from: usize| -> Vec<(Kind, u32, u8)> {
        pair.plans(from)
            .iter()
            .map(|plan| (plan.kind, plan.len, pair.ends[from].mark_for(plan).bits()))
            .collect()
    };
    lose(&mut pair, &[2, 9]);
    transfer(&mut pair, A, &pattern(30 * MSS, 4), Duration::from_secs(3));
    transfer(&mut pair, B, &pattern(300, 4), Duration::from_secs(3));
    pair.ends[A].close();
    pair.run(millis(100));
    for from in [A, B] {
        let seen = capable(&pair, from);
        assert!(seen.iter().any(|&(kind, len, _)| kind == Kind::New && len > 0));
        for (kind, len, bits) in seen {
            assert_eq!(bits, if kind == Kind::New && len > 0 { 2 } else { 0 }, "{kind:?} {len}");
        }
    }
    assert!(pair.count(A, Kind::FastRetransmit) + pair.count(A, Kind::SackRetransmit) >= 2);
    // A lost end, a timeout, a closed window, a silence, a reset.
    let mut peer = peer();
    peer.socket.set_keep_alive(Some(Duration::from_secs(10)));
    peer.socket.set_nagle_enabled(false);
    peer.socket.send_slice(&[0; 2_000]).unwrap();
    peer.sent();
    let mut seen = Vec::new();
    while !seen.contains(&Kind::RtoRetransmit) {
        peer.sleep_to_deadline();
        for plan in peer.sent() {
            assert_eq!(peer.mark_of(&plan), 0, "{:?}", plan.kind);
            seen.push(plan.kind);
        }
    }
    peer.window = 0;
    peer.acknowledge(2_000, Flags::empty());
    peer.socket.send_slice(&[0; 2_000]).unwrap();
    peer.sleep(Duration::ZERO);
    while !seen.contains(&Kind::ZeroWindowProbe) {
        peer.sleep_to_deadline();
        for plan in peer.sent() {
            assert_eq!((peer.mark_of(&plan), plan.flags.contains(Flags::CWR)), (0, false), "{:?}", plan.kind);
            seen.push(plan.kind);
        }
    }
    peer.socket.abort();
    let reset = peer.sent()[0];
    assert_eq!((reset.kind, peer.mark_of(&reset), reset.flags & SETUP), (Kind::Reset, 0, Flags::empty()));
    assert!(seen.contains(&Kind::TailLossProbe), "{seen:?}");
}

#[test]
fn who_heeds_nothing_sends_nothing_that_can_be_marked() {
    let mut socket = socket(400_000, 400_000);
    socket.set_congestion_control(CongestionControl::None);
    let mut peer = peer_of(socket);
    peer.socket.send_slice(&[0; 20_000]).unwrap();
    let plans = peer.sent();
    assert!(plans.iter().all(|plan| peer.mark_of(plan) == 0));
    peer.acknowledge(1_460, Flags::ECE);
    peer.give_marked(Mark::EXPERIENCED, Flags::empty());
    assert_eq!(told(&peer.sent()), [Flags::ECE], "but it tells of what it sees");
}

/// Covers: RFC 3168 §6.1.2
#[test]
fn less_than_a_segment_a_round_trip_is_one_a_timeout() {
    let mut peer = peer();
    let mss = MSS as u32;
    peer.socket.send_slice(&[0; 200 * MSS]).unwrap();
    peer.sent();
    peer.ack = peer.ack + 10 * mss;
    // Each window is told of, down to two segments, to one, and to none.
    let mut seen = Vec::new();
    let mut waited = 0;
    for _ in 0..20 {
        peer.give(Segment { flags: Flags::ACK | Flags::ECE, ..peer.ack_segment() });
        seen.push(windows(&peer.socket).0);
        let mut plans = peer.sent();
        if plans.is_empty() {
            waited = peer.sleep_to_deadline();
            plans = peer.sent();
            assert_eq!((plans.len(), plans[0].len, plans[0].kind), (1, mss, Kind::New));
        }
        peer.ack = plans.last().map(|plan| plan.seq + plan.len).unwrap();
    }
    assert!(seen.contains(&(2 * mss)) && seen.last() == Some(&mss), "{seen:?}");
    assert!(waited >= 200, "the timer paces: {waited} ms");
    // Then the path is free again.
    peer.give_ack();
    assert!(!peer.sent().is_empty());
    assert!(windows(&peer.socket).0 > mss);
}

/// A path that marks the packets of a flight in the middle of a transfer.
///
/// Covers: RFC 3168 §6.1, §6.1.2, §6.1.3
#[test]
fn a_marked_flight_is_told_of_heeded_and_confirmed_without_a_loss() {
    let mut pair = agreed();
    let mut n = 0;
    pair.script = Box::new(move |sent| {
        n += usize::from(sent.from == A && sent.plan.len > 0);
        if sent.from == A && (40..60).contains(&n) { Fate::Marked } else { Fate::Pass }
    });
    transfer(&mut pair, A, &pattern(1_500 * MSS, 4), Duration::from_secs(5));
    let plans = pair.plans(A);
    assert!(plans.iter().all(|plan| matches!(plan.kind, Kind::New | Kind::Ack)));
    let tells = plans.iter().filter(|plan| plan.flags.contains(Flags::CWR)).count();
    assert!((1..=2).contains(&tells), "the marks span a round trip or two: {tells}");
    let acks = pair.plans(B);
    let last = acks.iter().rposition(|plan| plan.flags.contains(Flags::ECE)).expect("it is told of");
    assert!(last + 3 < acks.len(), "and no more once the window is reduced");
    let (_, threshold) = windows(&pair.ends[A]);
    assert!(threshold < u32::MAX);
}

#[cfg(feature = "tcp-info")]
#[test]
fn info_says_what_was_agreed_seen_and_done() {
    let mut peer = peer();
    let info = |peer: &Peer| peer.socket.info(peer.now).unwrap();
    assert!(info(&peer).options.contains(InfoOptions::ECN));
    assert!(!info(&peer).options.contains(InfoOptions::ECN_SEEN));
    peer.give_marked(Mark::EXPERIENCED, Flags::empty());
    assert!(info(&peer).options.contains(InfoOptions::ECN_SEEN));
    peer.socket.send_slice(&[0; 20 * MSS]).unwrap();
    peer.sent();
    peer.acknowledge(MSS as u32, Flags::ECE);
    assert_eq!((info(&peer).ca_state, info(&peer).snd_cwnd), (CaState::Reduced, 7));
    peer.acknowledge(9 * MSS as u32, Flags::empty());
    peer.sent();
    peer.acknowledge(MSS as u32, Flags::empty());
    assert_eq!(info(&peer).ca_state, CaState::Open);
}
