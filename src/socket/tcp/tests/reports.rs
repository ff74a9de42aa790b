//! What routers say of segments that are too large, and what probes say: to the octet, beside `pmtu`.

use super::*;
use crate::stats::DropReason;

const M: u32 = MSS as u32;
/// Octets of an IP header and a TCP header.
const HEADERS: u32 = 40;

/// A router tells of a packet of `quoted_len` octets.
fn tell(peer: &mut Peer, seq: SeqNum, mtu: u32, quoted_len: usize) -> Result<(), DropReason> {
    let cx = context!(peer.keys, peer.now, MTU);
    peer.socket.on_too_big(&cx, seq, mtu, quoted_len)
}

fn plain() -> (Peer, SeqNum) {
    let mut peer = Peer::plain(1_000, 90_000);
    peer.socket.send_slice(&[0; 90_000]).unwrap();
    let first = peer.sent()[0].seq;
    (peer, first)
}

/// A connection that begins with segments of 1,024 octets and looks for larger ones: its probe of 1,460 is out.
fn probing(socket: Socket<'static>) -> (Peer, Plan) {
    let mut socket = socket;
    socket.set_mtu_probing(MtuProbing::Always);
    let mut peer = Peer::with(socket);
    if peer.socket.timestamps_enabled() {
        peer.stamp = Stamp::new(1_000, 0);
    }
    let mut peer = peer.into_connected(Options { mss: 1_460, ..Options::NONE }, 0xffff);
    peer.socket.send_slice(&vec![0; 60_000]).unwrap();
    for _ in 0..20 {
        let sent = peer.sent();
        if let Some(probe) = sent.iter().find(|plan| plan.kind == Kind::MtuProbe) {
            return (peer, *probe);
        }
        peer.ack = sent.last().map(|plan| plan.seq + plan.len).unwrap();
        peer.give_ack();
    }
    panic!("no probe is sent");
}

fn raw() -> Socket<'static> {
    socket(1_000, 60_000)
}

/// Covers: RFC 4821 §7.6.1
#[test]
fn a_size_is_good_when_all_of_its_probe_has_arrived() {
    for socket in [raw(), stamped(1_000, 60_000)] {
        let options_len = if socket.timestamps_enabled() { 12 } else { 0 };
        let (mut peer, probe) = probing(socket);
        assert_eq!(probe.len, M - options_len);
        for len in [0, 1, probe.len - 1] {
            peer.ack = probe.seq + len;
            peer.give_ack();
            assert_eq!(peer.socket.path_mtu(), Some(1_064), "{len} octets of it");
        }
        peer.ack = probe.seq + probe.len;
        peer.give_ack();
        assert_eq!(peer.socket.path_mtu(), None);
    }
}

/// Covers: RFC 4821 §7.6.2, RFC 8201 §4
#[test]
fn a_report_about_a_probe_lowers_what_is_looked_for_and_never_raises_it() {
    let (mut peer, probe) = probing(raw());
    // Not about the probe.
    assert_eq!(tell(&mut peer, probe.seq + probe.len, 1_300, 1_500), Err(DropReason::PathMtu));
    // No smaller than the probe is, though the quotation is of something longer.
    assert_eq!(tell(&mut peer, probe.seq, 1_500, 9_000), Err(DropReason::PathMtu));
    assert_eq!(tell(&mut peer, probe.seq, 1_400, 1_500), Ok(()));
    for mtu in [1_400, 1_401, 1_450] {
        assert_eq!(tell(&mut peer, probe.seq, mtu, 1_500), Err(DropReason::PathMtu), "{mtu}");
    }
    assert_eq!(tell(&mut peer, probe.seq, 1_300, 1_500), Ok(()));
    assert_eq!(peer.socket.path_mtu(), Some(1_064), "nothing larger has passed");
    // Smaller than what passes now: that is a report as any other, which waits, for segments of that size have arrived.
    assert_eq!(tell(&mut peer, probe.seq, 900, 1_500), Ok(()));
    let Phase::Connection(connection) = &peer.socket.phase else { panic!() };
    assert!(!connection.pmtu.is_probe_at(probe.seq));
}

/// Two segments and the probe between them are lost: that is congestion.
///
/// Covers: RFC 4821 §7.6.2
#[test]
fn a_loss_beside_a_probe_reduces_the_window() {
    for (lost, is_reduced) in [(&[0][..], false), (&[0, 1], true), (&[1], true)] {
        let pair = Pair::new(400_000, 400_000);
        let mut pair = pair;
        pair.ends[A].set_mtu_probing(MtuProbing::Always);
        let mut pair = pair.into_established();
        let lost = lost.to_vec();
        let mut since = None;
        pair.script = Box::new(move |sent| {
            if sent.from == B || sent.plan.len == 0 {
                return Fate::Pass;
            }
            since = match (since, sent.plan.kind) {
                (None, Kind::MtuProbe) => Some(0),
                (since, _) => since.map(|n| n + 1),
            };
            if since.is_some_and(|n| lost.contains(&n)) { Fate::Drop } else { Fate::Pass }
        });
        transfer(&mut pair, A, &pattern(60 * MSS, 4), Duration::from_secs(3));
        assert_eq!(windows(&pair.ends[A]).1 < u32::MAX, is_reduced);
    }
}

/// Covers: RFC 8899 §5.1.2
#[test]
fn each_size_that_does_not_pass_is_tried_three_times() {
    let mut pair = Pair::new(400_000, 400_000);
    pair.ends[A].set_mtu_probing(MtuProbing::Always);
    let mut pair = pair.into_established();
    pair.script = Box::new(|sent| {
        let len = sent.plan.total_len() + 20;
        if sent.from == A && len > 1_100 { Fate::Drop } else { Fate::Pass }
    });
    transfer(&mut pair, A, &pattern(2_000 * MSS, 4), Duration::from_secs(4));
    let probes: Vec<u32> =
        pair.plans(A).iter().filter(|plan| plan.kind == Kind::MtuProbe).map(|plan| plan.len).collect();
    let sizes: Vec<_> = probes.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect();
    // All that is possible, and then ever half of what is left between what passes and what does not.
    assert_eq!(sizes[..3], [(1_460, 3), (1_242, 3), (1_133, 3)], "{sizes:?}");
    assert_eq!(sizes[3].0, 1_078);
}

/// A probe needs as much behind it that its loss would be seen soon: three segments.
///
/// Covers: RFC 4821 §7.4
#[test]
fn a_probe_goes_when_three_segments_can_follow_it() {
    let needed = M + 3 * 1_024;
    for (queued, window, is_sent) in [
        (needed, 0xffff, true),
        (needed - 1, 0xffff, false),
        (20_000, needed, true),
        (20_000, needed - 1, false),
    ] {
        let mut socket = raw();
        socket.set_mtu_probing(MtuProbing::Always);
        let mut peer = Peer::with(socket).into_connected(Options { mss: 1_460, ..Options::NONE }, 0xffff);
        peer.socket.send_slice(&vec![0; 1_024]).unwrap();
        peer.ack = peer.sent().last().map(|plan| plan.seq + plan.len).unwrap();
        peer.window = window as u16;
        peer.give_ack();
        peer.socket.send_slice(&vec![0; queued as usize]).unwrap();
        let sent = peer.sent();
        assert_eq!(sent[0].kind == Kind::MtuProbe, is_sent, "{queued} octets, a window of {window}");
    }
}

/// What is out leaves just as much as the probe has: it goes.
///
/// Covers: RFC 4821 §7.4
#[test]
fn a_probe_that_just_fits_the_window_goes() {
    for (spare, is_sent) in [(0, true), (1, false)] {
        let mut socket = raw();
        socket.set_mtu_probing(MtuProbing::Always);
        let window = 6 * 1_024 + M - spare;
        let mut peer =
            Peer::with(socket).into_connected(Options { mss: 1_460, ..Options::NONE }, window as u16);
        peer.socket.send_slice(&vec![0; 60_000]).unwrap();
        let out: u32 = peer.sent().iter().map(|plan| plan.len).sum();
        assert_eq!(out, 7 * 1_024);
        peer.ack = peer.ack + 1_024;
        peer.give_ack();
        assert_eq!(peer.sent().first().is_some_and(|plan| plan.kind == Kind::MtuProbe), is_sent, "{spare}");
    }
}

/// Who takes no more than one begins with has nothing to look for.
#[test]
fn a_peer_of_small_segments_is_not_probed() {
    let mut socket = raw();
    socket.set_mtu_probing(MtuProbing::Always);
    let peer = Peer::with(socket).into_connected(Options { mss: 1_024, ..Options::NONE }, 0xffff);
    assert_eq!(peer.socket.path_mtu(), None);
}

/// Covers: RFC 1191 §3
#[test]
fn routers_may_cut_below_the_floor_and_no_earlier() {
    let (mut peer, first) = plain();
    assert_eq!(tell(&mut peer, first, 552, 1_500), Ok(()));
    assert_eq!((peer.socket.path_mtu(), peer.socket.may_be_cut()), (Some(552), false));
    assert_eq!(tell(&mut peer, first, 552, 1_500), Err(DropReason::PathMtu));
    assert_eq!(tell(&mut peer, first, 551, 1_500), Ok(()));
    assert_eq!((peer.socket.path_mtu(), peer.socket.may_be_cut()), (Some(552), true));
    assert_eq!(tell(&mut peer, first, 300, 1_500), Err(DropReason::PathMtu));
}

/// Covers: RFC 1191 §3
#[test]
fn routers_may_cut_no_more_when_a_larger_size_has_passed() {
    let mut pair = Pair::established(400_000, 400_000);
    pair.ends[A].send_slice(&pattern(50_000, 4)).unwrap();
    pair.flush(A);
    let seq = pair.plans(A)[0].seq;
    let cx = context!(pair.keys, pair.now, pair.mtu);
    assert_eq!(pair.ends[A].on_too_big(&cx, seq, 300, 1_500), Ok(()));
    assert!(pair.ends[A].may_be_cut());
    pair.run(Duration::from_secs(605));
    read_all(&mut pair.ends[B]);
    transfer(&mut pair, A, &pattern(200 * MSS, 4), Duration::from_secs(3));
    assert_eq!((pair.ends[A].path_mtu(), pair.ends[A].may_be_cut()), (None, false));
}

/// Covers: RFC 1191 §5
#[test]
fn who_does_not_say_its_mtu_says_less_than_what_it_quotes() {
    for (quoted_len, mtu) in [(1_493, 1_492), (1_492, 1_006), (1_007, 1_006)] {
        let (mut peer, first) = plain();
        assert_eq!(tell(&mut peer, first, 0, quoted_len), Ok(()));
        assert_eq!(peer.socket.path_mtu(), Some(mtu), "{quoted_len}");
    }
}

/// Covers: RFC 1191 §3
#[test]
fn what_is_no_larger_than_the_link_takes_was_not_too_large_for_it() {
    let (mut peer, first) = plain();
    assert_eq!(tell(&mut peer, first, 1_000, 1_000), Err(DropReason::PathMtu));
    assert_eq!(tell(&mut peer, first, 999, 1_000), Ok(()));
}

/// A repetition that was due by duplicates is one of all that goes again.
#[test]
fn after_a_report_all_is_sent_again_in_order() {
    let (mut peer, first) = plain();
    for _ in 0..3 {
        peer.give_ack();
    }
    assert_eq!(tell(&mut peer, first, 1_300, 1_500), Ok(()));
    let sent = peer.sent();
    assert!(sent.iter().all(|plan| plan.kind == Kind::RtoRetransmit), "{sent:?}");
    assert_eq!((sent[0].seq, sent[0].len, sent[1].seq), (first, 1_300 - HEADERS, first + 1_300 - HEADERS));
}

/// A report waits as long as what it quotes may arrive, whatever arrives before that.
///
/// Covers: RFC 5927 §7.2
#[test]
fn a_report_that_waits_ends_when_what_it_quotes_has_arrived_and_no_earlier() {
    for (acked, is_believed) in [(1, true), (5, true), (6, false)] {
        let (mut peer, _) = plain();
        peer.ack = peer.ack + 10 * M;
        peer.give_ack();
        let sent = peer.sent();
        assert!(sent.len() > 6);
        // About the sixth segment.
        assert_eq!(tell(&mut peer, sent[5].seq, 700, 1_500), Ok(()));
        assert_eq!(peer.socket.path_mtu(), None);
        peer.ack = peer.ack + acked * M;
        peer.give_ack();
        peer.sent();
        peer.sleep_to_deadline();
        assert_eq!(peer.socket.path_mtu().is_some(), is_believed, "{acked} segments");
    }
}
