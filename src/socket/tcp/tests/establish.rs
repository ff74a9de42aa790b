//! How connections begin.

use super::*;

/// Covers: RFC 9293 MUST-14, MUST-67
#[test]
fn three_segments_establish_a_connection() {
    let mut pair = Pair::new(65_535, 65_535);
    pair.open();
    assert_eq!(pair.states(), [State::SynSent, State::Listen]);
    pair.run(millis(15));
    assert_eq!(pair.states(), [State::SynSent, State::SynReceived]);
    pair.run(millis(20));
    assert_eq!(pair.states(), [State::Established; 2]);
    assert_eq!(pair.log.len(), 3);
    assert!(pair.events[A].contains(Events::CONNECTED) && pair.events[B].contains(Events::CONNECTED));
    assert_eq!(pair.ends[A].remote_endpoint(), Some(endpoint(2, 80)));
    assert_eq!(pair.ends[B].remote_endpoint(), Some(endpoint(1, 49_152)));
    assert_eq!(pair.log[0].plan.options.mss, 1_460);
    assert_eq!(pair.next_at(), None);
}

/// Covers: RFC 9293 §3.5, figure 7, MUST-10
#[test]
fn both_may_open_at_once() {
    for lost in [None, Some(0), Some(1), Some(2), Some(3)] {
        let mut pair = Pair::new(4_096, 4_096);
        pair.ends[A].connect(endpoint(2, 2_000), 1_000).unwrap();
        pair.ends[B].connect(endpoint(1, 1_000), 2_000).unwrap();
        pair.settle(A);
        pair.settle(B);
        pair.script(move |n, _| if Some(n) == lost { Fate::Drop } else { Fate::Pass });
        pair.run(millis(15));
        if lost.is_none() {
            assert_eq!(pair.states(), [State::SynReceived; 2]);
        }
        pair.run(millis(5_000));
        assert_eq!(pair.states(), [State::Established; 2], "lost {lost:?}");
        transfer(&mut pair, A, b"after a simultaneous open", millis(1_000));
        transfer(&mut pair, B, b"and back", millis(1_000));
    }
}

#[test]
fn a_lost_syn_or_syn_ack_is_repeated() {
    for (lost, kind, from) in
        [(0, Kind::SynRetransmit, A), (1, Kind::SynAckRetransmit, B), (2, Kind::SynAckRetransmit, B)]
    {
        let mut pair = Pair::new(4_096, 4_096);
        pair.open();
        pair.script(move |n, _| if n == lost { Fate::Drop } else { Fate::Pass });
        pair.run(millis(3_500));
        assert_eq!(pair.states(), [State::Established; 2], "lost {lost}");
        assert!(pair.count(from, kind) >= 1);
    }
}

/// Covers: RFC 9293 MUST-22, MUST-23
#[test]
fn a_syn_that_nobody_answers_is_given_up() {
    let mut peer = Peer::connecting(100, 100);
    let mut waits = Vec::new();
    while peer.socket.is_open() {
        peer.sent();
        waits.push(peer.sleep_to_deadline());
    }
    assert_eq!(waits.len(), 8);
    for (n, wait) in waits.iter().enumerate() {
        let rto = (1_000 << n).min(60_000);
        assert!((rto..rto * 3 / 2).contains(wait), "{waits:?}");
    }
    assert!(waits.iter().sum::<u64>() > 180_000, "three minutes");
    assert_ne!(waits[1], 2 * waits[0], "each wait is a little longer by chance");
    assert_eq!(peer.socket.error(), Some(Error::TimedOut));
    assert!(peer.sent().is_empty());
}

#[test]
fn a_connection_to_a_closed_port_is_refused() {
    let mut pair = Pair::new(100, 100);
    pair.ends[A].connect(endpoint(2, 81), 1_000).unwrap();
    pair.settle(A);
    pair.run(millis(100));
    assert_eq!(pair.ends[A].state(), State::Closed);
    assert_eq!(pair.ends[A].error(), Some(Error::Refused));
    assert!(pair.events[A].contains(Events::CLOSED | Events::ERROR));
    pair.ends[A].connect(endpoint(2, 80), 1_001).unwrap();
    assert_eq!(pair.ends[A].error(), None);
}

/// Covers: RFC 9293 MUST-11
#[test]
fn a_reset_returns_a_listening_socket_to_listening() {
    let mut pair = Pair::new(100, 100);
    pair.open();
    pair.run(millis(15));
    assert_eq!(pair.states()[B], State::SynReceived);
    pair.ends[A].abort();
    // B's SYN-ACK finds nobody and is reset; then the second SYN finds the port free again.
    pair.run(millis(30));
    assert_eq!(pair.states(), [State::Closed, State::Listen]);
    pair.ends[A].connect(endpoint(2, 80), 49_153).unwrap();
    pair.settle(A);
    pair.run(millis(100));
    assert_eq!(pair.states(), [State::Established; 2]);
    assert_eq!(pair.ends[B].remote_endpoint(), Some(endpoint(1, 49_153)));
}

#[test]
fn a_request_that_goes_silent_returns_a_socket_to_listening() {
    let mut pair = Pair::new(100, 100);
    pair.open();
    pair.script(|_, sent| if sent.from == B { Fate::Drop } else { Fate::Pass });
    pair.run(millis(15));
    pair.ends[A].abort();
    pair.run(Duration::from_secs(300));
    assert_eq!(pair.states()[B], State::Listen);
    assert_eq!(pair.ends[B].listen_endpoint(), Some(80.into()));
}

#[test]
fn an_ack_of_something_else_in_syn_sent_is_reset() {
    let mut peer = Peer::connecting(100, 100);
    let syn = peer.sent()[0];
    for ack in [syn.seq, syn.seq + 2] {
        let seg = Segment { ack, flags: Flags::SYN | Flags::ACK, ..peer.ack_segment() };
        let reply = peer.give(seg).reply_to(&seg).unwrap();
        assert_eq!((reply.seq, reply.flags), (ack, Flags::RST));
        let rst = Segment { ack, flags: Flags::RST | Flags::ACK, ..peer.ack_segment() };
        assert_eq!(peer.give(rst).reply_to(&rst), None);
    }
    assert!(matches!(
        peer.give(Segment { flags: Flags::RST, ..peer.ack_segment() }).verdict,
        Verdict::Drop(_)
    ));
    assert_eq!(peer.socket.state(), State::SynSent);
}

/// Covers: RFC 9293 MUST-16
#[test]
fn syn_with_tiny_mss_is_clamped() {
    let mut peer = Peer::connected(100, 10_000, Options { mss: 1, ..Options::NONE }, 0xffff);
    peer.socket.send_slice(&[0; 200]).unwrap();
    assert_eq!(peer.sent()[0].len, u32::from(config::TCP_MIN_MSS));
}

/// Covers: RFC 9293 MUST-15
#[test]
fn a_peer_without_mss_gets_536_octets() {
    let mut peer = Peer::connected(100, 10_000, Options::NONE, 0xffff);
    peer.socket.send_slice(&[0; 2_000]).unwrap();
    assert_eq!(peer.sent()[0].len, 536);
    let v6 = Tuple { local: v6(1), remote: v6(2), local_port: 1, remote_port: 2, zone: 0 };
    assert_eq!(connection::default_mss(&v6), 1_220);
}

#[test]
fn windows_are_scaled_only_if_both_say_so() {
    let scaled = Options { mss: 1_460, window_scale: 7, sack_permitted: false };
    let mut peer = Peer::connected(1 << 20, 1 << 20, scaled, 0xffff);
    peer.window = 100;
    peer.give_ack();
    peer.socket.send_slice(&[0; 40_000]).unwrap();
    let sent: u32 = peer.sent().iter().map(|plan| plan.len).sum();
    assert!(sent > 1_460 && sent <= 12_800, "{sent}");
    let data = [0; 100];
    peer.give_data(&data);
    peer.sleep(millis(50));
    let ack = peer.sent().pop().unwrap();
    // A megabyte needs a shift of 5; the window in the SYN was not scaled, and now it is.
    assert!(ack.window > 0x7000, "{}", ack.window);

    let mut peer = Peer::connected(1 << 20, 1 << 20, Options { mss: 1_460, ..Options::NONE }, 100);
    peer.socket.send_slice(&[0; 40_000]).unwrap();
    assert_eq!(peer.sent().iter().map(|plan| plan.len).sum::<u32>(), 100);
    peer.give_data(&data);
    peer.sleep(millis(50));
    assert!(peer.sent().pop().unwrap().window > 0xff00);
}

/// Covers: RFC 9293 MUST-8, MUST-9
#[test]
fn two_connections_of_one_tuple_start_at_different_numbers() {
    let mut first = Peer::connecting(100, 100);
    let mut second = Peer::connecting(100, 100);
    let a = first.sent()[0].seq;
    assert_eq!(a, second.sent()[0].seq, "the number follows from secret, tuple and time");
    second.socket.abort();
    second.now += millis(10);
    second.socket.connect(endpoint(2, 80), 50_000).unwrap();
    let cx = context!(second.keys, second.now, MTU);
    second.socket.settle(&cx, addr(1), 50_000);
    assert_eq!(second.sent()[0].seq.since(a), 160_000);
    let tuple = *second.socket.tuple().unwrap();
    let isn = |secret| super::isn::isn(&Keys::new([secret; 32]), &tuple, second.now);
    assert_ne!(isn(1), isn(2), "who does not know the secret can't compute it");
}

#[test]
fn wrong_use_is_refused() {
    let mut socket = socket(100, 100);
    assert_eq!(socket.listen(0), Err(ListenError::Unaddressable));
    assert_eq!(socket.connect(endpoint(2, 0), 0), Err(ConnectError::Unaddressable));
    assert_eq!(socket.connect((IpAddress::v4(0, 0, 0, 0), 80), 0), Err(ConnectError::Unaddressable));
    assert_eq!(socket.connect((IpAddress::v4(224, 0, 0, 1), 80), 0), Err(ConnectError::Unaddressable));
    assert_eq!(socket.send_slice(b"x"), Err(SendError::InvalidState));
    assert_eq!(socket.recv_slice(&mut [0]), Err(RecvError::InvalidState));
    socket.listen(80).unwrap();
    assert_eq!(socket.listen(81), Err(ListenError::InvalidState));
    assert_eq!(socket.connect(endpoint(2, 80), 0), Err(ConnectError::InvalidState));
    socket.close();
    assert_eq!(socket.state(), State::Closed);
    socket.connect(endpoint(2, 80), 0).unwrap();
    assert!(socket.wish().is_some());
    assert_eq!(socket.fail(Error::Unreachable), Events::CLOSED | Events::ERROR);
    assert_eq!((socket.state(), socket.error()), (State::Closed, Some(Error::Unreachable)));
}
