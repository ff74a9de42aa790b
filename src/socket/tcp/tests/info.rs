//! What a connection says of itself, `info`: each counter against what the script has made happen.

use super::*;

impl Pair {
    fn info(&self, end: usize) -> Info {
        self.ends[end].info(self.now).unwrap()
    }
}

/// A tick, of which spans are whole multiples.
const TICK: u32 = 1_024;

#[test]
fn without_a_connection_there_is_nothing_to_say() {
    let mut socket = socket(10, 10);
    assert_eq!(socket.info(Instant::ZERO), None);
    socket.listen(80).unwrap();
    assert_eq!(socket.info(Instant::ZERO), None);
}

#[test]
fn both_ends_count_the_same_octets_and_segments() {
    let mut pair = Pair::of(stamped(100_000, 100_000), stamped(100_000, 200_000)).into_established();
    transfer(&mut pair, A, &pattern(100 * 1_448, 4), Duration::from_secs(3));
    transfer(&mut pair, B, &pattern(1_000, 4), Duration::from_secs(3));
    let (a, b) = (pair.info(A), pair.info(B));
    assert_eq!((a.bytes_acked, a.bytes_sent, a.bytes_retrans), (144_800, 144_800, 0));
    assert_eq!((b.bytes_received, a.bytes_received, b.bytes_acked), (144_800, 1_000, 1_000));
    // The first SYN is not for the connection that it begins, as on Linux.
    assert_eq!((a.segs_out, a.segs_in), (b.segs_in + 1, b.segs_out));
    assert_eq!((a.data_segs_out, b.data_segs_in), (100, 100));
    assert_eq!((b.data_segs_out, a.data_segs_in), (1, 1));
    assert_eq!((a.total_retrans, a.lost, a.retrans, a.unacked, a.notsent_bytes), (0, 0, 0, 0, 0));
    assert_eq!((a.state, a.ca_state), (State::Established, CaState::Open));
    assert_eq!(a.options, InfoOptions::TIMESTAMPS | InfoOptions::SACK | InfoOptions::WSCALE);
    assert_eq!((a.snd_wscale, a.rcv_wscale), (1, 1));
    assert_eq!((b.snd_wscale, a.snd_mss, b.rcv_mss, a.advmss, a.pmtu), (1, 1_448, 1_448, 1_448, 1_500));
    assert_eq!((a.reordering, a.dsack_dups, a.reord_seen), (3, 0, 0));
    assert_eq!((a.retransmits, a.probes, a.backoff), (0, 0, 0));
    assert_eq!((b.rcv_ssthresh, b.rcv_space), (100_000, 100_000));
    assert_eq!(a.snd_wnd, b.rcv_wnd & !1);
}

#[test]
fn round_trips_are_told_in_microseconds() {
    let mut pair = Pair::established(100_000, 100_000);
    assert_eq!(pair.info(A).snd_ssthresh, 0x7fff_ffff);
    pair.delay = millis(20);
    transfer(&mut pair, A, &pattern(2_000 * MSS, 4), Duration::from_secs(3));
    let info = pair.info(A);
    assert!((38_000..42_000).contains(&info.rtt), "{}", info.rtt);
    // That of the handshake was the shortest.
    assert!((19 * TICK..=20 * TICK).contains(&info.min_rtt), "{}", info.min_rtt);
    assert!((200_000..202_000).contains(&info.rto), "{}", info.rto);
    assert!(info.rttvar < 10_000, "{}", info.rttvar);
    assert!((40_000..=41_000).contains(&info.ato), "{}", info.ato);
    assert!((40..=200).contains(&info.snd_cwnd), "slow start from 10: {}", info.snd_cwnd);
    pair.run(millis(500));
    let ago = pair.info(A);
    assert!((500..4_000).contains(&ago.last_data_sent), "{ago:?}");
    assert!((ago.last_ack_recv - info.last_ack_recv).abs_diff(500) <= 2);
    assert!((ago.last_data_sent - info.last_data_sent).abs_diff(500) <= 2);
    assert!((pair.info(B).last_data_recv - info.last_data_sent).abs_diff(480) <= 2);
    assert_eq!(ago.busy_time, info.busy_time, "nothing is left to do");
}

#[test]
fn a_loss_is_told_while_it_is_repaired_and_counted_after() {
    let mut pair = Pair::established(400_000, 400_000);
    lose(&mut pair, &[3]);
    let mut seen = Vec::new();
    pair.ends[A].send_slice(&pattern(40 * MSS, 4)).unwrap();
    pair.run_with(Duration::from_secs(2), |pair| {
        seen.push(pair.info(A));
        read_all(&mut pair.ends[B]);
    });
    let repaired = seen.iter().find(|info| info.ca_state == CaState::Recovery).expect("a recovery");
    assert_eq!((repaired.retrans, repaired.lost), (1, 1), "it went again at once");
    assert!(repaired.sacked >= 3 && repaired.unacked > repaired.sacked, "{repaired:?}");
    let info = pair.info(A);
    assert_eq!((info.total_retrans, info.bytes_retrans), (1, MSS as u64));
    assert_eq!((info.bytes_sent, info.bytes_acked), (41 * MSS as u64, 40 * MSS as u64));
    assert_eq!((info.data_segs_out, pair.info(B).data_segs_in), (41, 40));
    assert_eq!((info.ca_state, info.sacked, info.retrans), (CaState::Open, 0, 0));
    assert!(info.snd_ssthresh < 100);
    assert_eq!((info.reord_seen, info.dsack_dups), (0, 0));
    // Only one has come behind it: that may still be disorder.
    lose(&mut pair, &[1]);
    pair.ends[A].send_slice(&pattern(3 * MSS, 4)).unwrap();
    pair.run(millis(22));
    let info = pair.info(A);
    assert_eq!((info.ca_state, info.sacked, info.unacked), (CaState::Disorder, 1, 2));
}

#[test]
fn timeouts_are_told_until_an_acknowledgment_comes() {
    for has_sack in [false, true] {
        let mut pair = Pair::new(100_000, 100_000);
        pair.ends[A].set_sack_enabled(has_sack);
        // Or the segments would become smaller.
        pair.ends[A].set_mtu_probing(MtuProbing::Off);
        let mut pair = pair.into_established();
        pair.script(|_, sent| if sent.from == A { Fate::Drop } else { Fate::Pass });
        pair.ends[A].send_slice(&pattern(5 * MSS, 4)).unwrap();
        pair.run(millis(700));
        let info = pair.info(A);
        assert_eq!((info.retransmits, info.backoff, info.ca_state), (2, 2, CaState::Loss));
        assert_eq!((info.unacked, info.snd_cwnd), (5, 1));
        assert!((800_000..810_000).contains(&info.rto), "{}", info.rto);
        // With SACK a tail probe has gone before the first timeout: a repetition, but no timeout.
        assert_eq!(info.total_retrans, if has_sack { 3 } else { 2 });
        assert_eq!(info.bytes_retrans, u64::from(info.total_retrans) * MSS as u64);
        assert_eq!(info.bytes_sent, info.bytes_retrans + 5 * MSS as u64);
        assert_eq!((info.lost, info.retrans), (5, 1));
        pair.script = Box::new(|_| Fate::Pass);
        pair.run(Duration::from_secs(3));
        assert_eq!((pair.info(A).retransmits, pair.info(A).ca_state), (0, CaState::Open));
    }
}

/// The first word after a time without any is that of a probe: what it tells of was overtaken by nothing.
#[test]
fn a_tail_probe_is_no_sign_that_packets_overtake_each_other() {
    // Initial numbers of either half.
    for start in [0, 8_600] {
        let mut pair = Pair::new(100_000, 100_000);
        pair.now += Duration::from_secs(start);
        let mut pair = pair.into_established();
        transfer(&mut pair, A, &pattern(3 * MSS, 4), Duration::from_secs(2));
        pair.script(|n, sent| if sent.from == B && n < 20 { Fate::Late(90) } else { Fate::Pass });
        transfer(&mut pair, A, &pattern(10 * MSS, 4), Duration::from_secs(2));
        assert_eq!(pair.count(A, Kind::TailLossProbe), 1);
        let info = pair.info(A);
        assert_eq!((info.reord_seen, info.total_retrans, info.retransmits), (0, 1, 0), "{start}");
    }
}

#[test]
fn what_comes_twice_and_what_is_overtaken_is_counted() {
    let mut pair = Pair::established(400_000, 400_000);
    pair.script(|n, sent| match sent.from {
        A if n == 1 => Fate::Late(2),
        _ => Fate::Pass,
    });
    transfer(&mut pair, A, &pattern(3 * MSS, 4), Duration::from_secs(2));
    assert_eq!((pair.info(A).reord_seen, pair.info(A).dsack_dups), (1, 0));
    // It is late by more than is waited for: repeated, it comes twice.
    pair.script(|n, sent| if sent.from == A && n == 1 { Fate::Late(150) } else { Fate::Pass });
    transfer(&mut pair, A, &pattern(8 * MSS, 4), Duration::from_secs(2));
    let info = pair.info(A);
    assert_eq!((info.dsack_dups, info.total_retrans), (1, 1));
}

#[test]
fn what_sending_waits_for_is_timed() {
    // The peer's window: nobody reads.
    let mut pair = Pair::established(10 * MSS, 100_000);
    pair.ends[A].send_slice(&pattern(30 * MSS, 4)).unwrap();
    pair.run(Duration::from_secs(5));
    let info = pair.info(A);
    assert!((4_900_000..=5_001_000).contains(&info.rwnd_limited), "{info:?}");
    assert!((info.rwnd_limited..=5_001_000).contains(&info.busy_time), "{info:?}");
    assert_eq!(info.sndbuf_limited, 0);
    assert!(info.backoff >= 2 && info.probes <= 1 && info.retransmits == 0, "each is answered: {info:?}");
    assert_eq!((info.total_retrans, info.bytes_retrans), (0, 0), "a probe repeats nothing");
    assert_eq!(info.notsent_bytes, 20 * MSS as u32 - info.unacked.min(1));
    // The send buffer: it holds less than a round trip's worth.
    let mut pair = Pair::established(100_000, 4 * MSS);
    transfer(&mut pair, A, &pattern(400 * MSS, 4), Duration::from_secs(5));
    let info = pair.info(A);
    assert!(info.sndbuf_limited > 1_800_000 && info.sndbuf_limited <= info.busy_time, "{info:?}");
    assert_eq!(info.rwnd_limited, 0);
    // The network: most of the time something is queued beyond what may be in flight.
    let mut pair = Pair::established(400_000, 400_000);
    transfer(&mut pair, A, &pattern(200 * MSS, 4), Duration::from_secs(5));
    let info = pair.info(A);
    assert_eq!((info.rwnd_limited, info.sndbuf_limited), (0, 0));
    assert!((60_000..300_000).contains(&info.busy_time), "{info:?}");
}

/// All has arrived, and data of the peer's tells that some of it did so twice.
///
/// Covers: RFC 2883 §4
#[test]
fn data_tells_of_what_came_twice_as_a_bare_acknowledgment_does() {
    let sent = 10 * MSS as u32;
    let mut peer = sack::peer(sent as usize);
    peer.ack = peer.ack + sent;
    peer.give_ack();
    peer.sent();
    let area = sack::area_with(&peer, &[(0_u32.wrapping_sub(sent), 0_u32.wrapping_sub(sent - 100))]);
    let out = peer.give(Segment { area: &area, payload: b"data", ..peer.ack_segment() });
    assert_eq!((out.events, peer.socket.recv_queue()), (Events::READABLE, 4));
    assert_eq!(peer.socket.info(peer.now).unwrap().dsack_dups, 1);
}
