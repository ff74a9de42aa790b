//! Octets that are sent from where they lie.

use std::string::ToString;

use super::random::Random;
use super::*;

/// A slice that lives for ever.
fn lasting(data: &[u8]) -> &'static [u8] {
    Vec::leak(data.to_vec())
}

/// A socket that copies little and has room for `places` slices.
fn referring(tx: usize, places: usize) -> Socket<'static> {
    let mut socket = socket(30_000, tx);
    socket.set_send_refs(vec![SendRef::EMPTY; places]).unwrap();
    socket
}

fn pair(tx: usize, places: usize) -> Pair {
    Pair::of(referring(tx, places), socket(30_000, 1_000)).into_established()
}

/// What B gets until it is `len` octets, or `span` is over.
fn collect(pair: &mut Pair, len: usize, span: Duration) -> Vec<u8> {
    let mut got = Vec::new();
    let end = pair.now + span;
    while got.len() < len && pair.now < end {
        pair.run_with(millis(10), |pair| got.extend(read_all(&mut pair.ends[B])));
    }
    got
}

/// Octets that are made when they are asked for.
struct Made;

impl Source for Made {
    fn read(&self, offset: u32, out: &mut [u8]) {
        for (octet, at) in out.iter_mut().zip(0..) {
            *octet = (offset.wrapping_add(at).wrapping_mul(2_654_435_761) >> 24) as u8;
        }
    }
}

fn made(offset: u32, len: usize) -> Vec<u8> {
    let mut data = vec![0; len];
    Made.read(offset, &mut data);
    data
}

#[test]
fn copied_and_referred_octets_arrive_in_the_order_in_which_they_were_queued() {
    let mut pair = pair(600, 4);
    let data = pattern(100_000, 7);
    let a = &mut pair.ends[A];
    assert_eq!(a.send_slice(&data[..300]), Ok(300));
    a.send_ref(lasting(&data[300..40_301])).unwrap();
    assert_eq!(a.send_slice(&data[40_301..40_500]), Ok(199));
    a.send_ref(lasting(&data[40_500..40_501])).unwrap();
    a.send_ref(lasting(&data[40_501..99_990])).unwrap();
    assert_eq!(a.send_slice(&data[99_990..]), Ok(10));
    assert_eq!((a.send_queue(), a.refs_queued(), a.refs_acknowledged()), (100_000, 3, 0));
    assert!(collect(&mut pair, 100_000, Duration::from_secs(5)) == data);
    pair.run(millis(100));
    let a = &pair.ends[A];
    assert_eq!((a.send_queue(), a.refs_queued(), a.refs_acknowledged()), (0, 0, 3));
    // Full segments all the way: the borders of slices are none in the stream.
    let short = pair.plans(A).iter().filter(|plan| plan.len > 0 && plan.len < MSS as u32).count();
    assert!(short <= 2, "{short} short segments");
}

#[test]
fn an_acknowledgment_counts_slices_to_their_last_octet() {
    let mut peer =
        Peer::with(referring(100, 3)).into_connected(Options { mss: 1_460, ..Options::NONE }, 9_000);
    peer.socket.set_nagle_enabled(false);
    peer.socket.send_ref(lasting(&[1; 1_000])).unwrap();
    peer.socket.send_ref(&[]).unwrap();
    peer.socket.send_ref(lasting(&[2; 1_000])).unwrap();
    assert_eq!(peer.socket.send_ref(b"x"), Err(SendError::Full));
    assert_eq!(peer.sent().iter().map(|plan| plan.len).sum::<u32>(), 2_000);
    let mut ack = |more: u32| {
        peer.ack = peer.ack + more;
        assert!(peer.give_ack().events.contains(Events::WRITABLE));
        peer.sent();
        (peer.socket.refs_acknowledged(), peer.socket.refs_queued(), peer.socket.send_queue())
    };
    assert_eq!(ack(999), (0, 3, 1_001));
    assert_eq!(ack(1), (2, 1, 1_000), "the empty one goes with the one before it");
    assert_eq!(ack(999), (2, 1, 1));
    assert_eq!(ack(1), (3, 0, 0));
    // Nothing is before this one.
    peer.socket.send_ref(&[]).unwrap();
    assert_eq!((peer.socket.refs_acknowledged(), peer.socket.refs_queued()), (4, 0));
    assert!(peer.sent().is_empty());
}

#[test]
fn a_full_list_takes_nothing_and_says_so() {
    let mut pair = pair(100, 2);
    let a = &mut pair.ends[A];
    let data = lasting(&pattern(5_000, 3));
    a.send_ref(&data[..2_000]).unwrap();
    a.send_ref(&data[2_000..]).unwrap();
    for _ in 0..1_000_000 {
        assert_eq!(a.send_ref(b"x"), Err(SendError::Full));
    }
    assert_eq!(a.send_from(&Made, 0, 1), Err(SendError::Full));
    assert_eq!(a.set_send_refs(vec![]), Err(SendError::Full), "some are queued");
    assert_eq!(SendError::Full.to_string(), "too many slices are queued");
    assert_eq!(collect(&mut pair, 5_000, Duration::from_secs(1)), data);
    // A socket that was lent no list has none to fill.
    assert_eq!(pair.ends[B].send_ref(b"x"), Err(SendError::Full));
    pair.ends[A].close();
    assert_eq!(pair.ends[A].send_ref(b"x"), Err(SendError::InvalidState));
}

#[test]
fn no_more_octets_wait_than_sequence_numbers_can_tell_apart() {
    let mut pair = pair(100, 8);
    let a = &mut pair.ends[A];
    assert_eq!(a.send_from(&Made, 0, usize::MAX), Err(SendError::Full));
    assert_eq!(a.send_from(&Made, 0, (1 << 30) + 1), Err(SendError::Full));
    a.send_from(&Made, 0, 1 << 30).unwrap();
    assert_eq!(a.send_ref(b"x"), Err(SendError::Full));
    let got = collect(&mut pair, 200_000, Duration::from_secs(5));
    assert!(got == made(0, got.len()));
}

#[test]
fn a_source_is_asked_for_what_leaves_and_again_for_what_was_lost() {
    let mut pair = pair(600, 3);
    lose(&mut pair, &[0, 7, 8, 30, 31, 32, 60]);
    let a = &mut pair.ends[A];
    a.send_slice(b"head").unwrap();
    a.send_from(&Made, 1_001, 70_001).unwrap();
    a.send_from(&Made, u32::MAX - 10, 30_000).unwrap();
    a.send_slice(b"tail").unwrap();
    let data = [&b"head"[..], &made(1_001, 70_001), &made(u32::MAX - 10, 30_000), b"tail"].concat();
    assert!(collect(&mut pair, data.len(), Duration::from_secs(10)) == data);
}

#[test]
fn a_fin_follows_the_last_slice_and_comes_once_more_with_it() {
    for places in [1, 5] {
        let mut pair = pair(100, places);
        let data = lasting(&pattern(10_000, 5));
        for part in data.chunks(10_000 / places) {
            pair.ends[A].send_ref(part).unwrap();
        }
        pair.ends[A].close();
        // The last one, with the FIN.
        lose(&mut pair, &[6]);
        assert_eq!(collect(&mut pair, 10_000, Duration::from_secs(3)), data);
        pair.run(millis(300));
        assert_eq!(pair.states(), [State::FinWait2, State::CloseWait]);
        assert_eq!(pair.ends[A].refs_acknowledged() as usize, places);
    }
}

#[test]
fn an_abort_forgets_slices_and_the_next_connection_begins_without() {
    let mut pair = pair(100, 2);
    let data = lasting(&[1; 100_000]);
    pair.ends[A].send_ref(data).unwrap();
    pair.run(millis(20));
    pair.ends[A].abort();
    pair.run(millis(50));
    assert_eq!(pair.states(), [State::Closed; 2]);
    let _ = read_all(&mut pair.ends[B]);
    pair.ends[B].listen(80).unwrap();
    pair.ends[A].connect(endpoint(2, 80), 49_153).unwrap();
    pair.settle(A);
    assert_eq!((pair.ends[A].refs_queued(), pair.ends[A].send_queue()), (0, 0));
    pair.ends[A].send_ref(b"anew").unwrap();
    assert_eq!(collect(&mut pair, 4, Duration::from_secs(1)), b"anew");
    pair.run(millis(100));
    assert_eq!(pair.ends[A].refs_acknowledged(), 1);
}

/// Covers: RFC 9293 MUST-36
#[test]
fn a_closed_window_is_probed_from_a_slice() {
    let mut pair = Pair::of(referring(100, 2), socket(1_000, 1_000)).into_established();
    let data = lasting(&pattern(1_500, 9));
    pair.ends[A].send_ref(&data[..1_000]).unwrap();
    pair.ends[A].send_ref(&data[1_000..]).unwrap();
    pair.run(Duration::from_secs(5));
    assert!(pair.count(A, Kind::ZeroWindowProbe) >= 2);
    assert_eq!(collect(&mut pair, 1_500, Duration::from_secs(5)), data);
}

#[test]
fn a_close_waits_for_slices_as_long_as_it_lingers() {
    let mut pair = Pair::of(referring(100, 1), socket(1_000, 1_000)).into_established();
    pair.ends[A].set_linger(Some(Duration::from_secs(2)));
    pair.ends[A].send_ref(lasting(&[1; 5_000])).unwrap();
    assert_eq!(pair.ends[A].flush(), Ok(false));
    pair.ends[A].close();
    pair.run(millis(1_900));
    assert_eq!(pair.states(), [State::FinWait1, State::Established]);
    pair.run(millis(200));
    assert_eq!(pair.ends[A].error(), Some(Error::TimedOut));
}

/// Queues something at random and says what.
fn queue(socket: &mut Socket<'static>, random: &mut Random, memory: &'static [u8]) -> Vec<u8> {
    let most = [1, 40, 1_500, 30_000][random.below(4) as usize];
    let len = random.below(most + 1) as usize;
    let from = random.below((memory.len() - len) as u32) as usize;
    let slice = &memory[from..from + len];
    match random.below(3) {
        0 => slice[..socket.send_slice(slice).unwrap()].to_vec(),
        1 if socket.send_ref(slice).is_ok() => slice.to_vec(),
        2 if socket.send_from(&Made, from as u32, len).is_ok() => made(from as u32, len),
        _ => Vec::new(),
    }
}

/// Any mix, over losses, with and without selective acknowledgments and segmentation in the device, past the
/// end of the sequence numbers: what arrives is what was queued, and all slices are acknowledged.
#[test]
fn any_mix_arrives_over_any_losses() {
    let memory = lasting(&pattern(40_000, 11));
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let places = random.below(6) as usize;
        let mut a = referring(random.below(3_000) as usize, places);
        a.set_sack_enabled(random.below(3) > 0);
        a.set_timestamps_enabled(random.below(2) > 0);
        a.set_nagle_enabled(random.below(2) > 0);
        let mut pair = Pair::of(a, socket(1_000 + random.below(60_000) as usize, 500));
        pair.mtu = [1_500, 601, 130][random.below(3) as usize];
        pair.burst_len = [0, 0, 9_000][random.below(3) as usize];
        pair.now += Duration::from_secs(u64::from(random.below(20_000)));
        pair.open();
        let (mut fate, loss) = (Random::new(seed ^ 0xbeef), random.below(20));
        pair.script = Box::new(move |_| if fate.below(100) < loss { Fate::Drop } else { Fate::Pass });
        let (mut data, mut got, mut turns) = (Vec::new(), Vec::new(), 0);
        pair.run_with(Duration::from_secs(40_000), |pair| {
            got.extend(read_all(&mut pair.ends[B]));
            turns += 1;
            if turns <= 300 && pair.ends[A].may_send() {
                data.extend(queue(&mut pair.ends[A], &mut random, memory));
            } else if turns > 300 {
                pair.ends[A].close();
                pair.ends[B].close();
            }
            assert!(data.starts_with(&got), "seed {seed}: what arrives is not what was sent");
        });
        assert_eq!(got.len(), data.len(), "seed {seed}: {:?}", pair.states());
        assert_eq!((pair.ends[A].refs_queued(), pair.ends[A].send_queue()), (0, 0), "seed {seed}");
    }
}
