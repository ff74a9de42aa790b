//! Buffers that grow with need: as path and application want it, within what is shared.

use super::*;
use crate::storage::Memory;

const LIMIT: usize = 4 << 20;

/// Two sockets with growing buffers, connected.
fn pair(limit: usize, memory: &Memory) -> Pair {
    let socket = || Socket::growing(limit, limit, memory);
    Pair::of(socket(), socket()).into_established()
}

/// What the application can queue and take, for the whole of `span`; gives what came, and how much memory was taken at
/// most.
fn run(pair: &mut Pair, data: &[u8], memory: &Memory, span: Duration) -> (Vec<u8>, usize) {
    let (mut sent, mut got, mut most) = (0, Vec::new(), 0);
    pair.run_with(span, |pair| {
        sent += pair.ends[A].send_slice(&data[sent..]).unwrap_or(0);
        most = most.max(memory.used());
        got.extend(read_all(&mut pair.ends[B]));
    });
    (got, most)
}

#[test]
fn a_connection_takes_memory_only_for_what_it_holds() {
    let memory = Memory::new(LIMIT);
    let mut pair = pair(LIMIT, &memory);
    assert_eq!(memory.used(), 0, "established, and nothing sent");
    transfer(&mut pair, A, b"request", millis(100));
    assert!((1..=2 * 4_096).contains(&memory.used()));
    pair.ends.iter_mut().for_each(Socket::release_buffers);
    assert_eq!(memory.used(), 0);
    transfer(&mut pair, B, &pattern(50_000, 3), millis(1_000));
    pair.ends.iter_mut().for_each(Socket::abort);
    for end in &mut pair.ends {
        _ = end.connect(endpoint(9, 9), 1);
    }
    assert_eq!(memory.used(), 0, "what comes next begins without");
}

/// A window for the path of 100 ms grows as fast as the sender's does.
#[test]
fn both_buffers_grow_to_what_the_path_holds() {
    let memory = Memory::new(16 << 20);
    let mut pair = pair(LIMIT, &memory);
    pair.delay = millis(50);
    assert_eq!((pair.ends[B].recv_capacity(), pair.ends[A].send_capacity()), (65_535, 65_535));
    let data = pattern(6 << 20, 5);
    let (got, _) = run(&mut pair, &data, &memory, millis(1_400));
    // Of a window that doubles from ten segments on: 14.6 kB to 1.9 MB in seven round trips. Were it that of before, 64 kB
    // each, less than 1 MB would have come.
    assert!(got.len() > 3 << 20, "{} octets have come", got.len());
    assert!(got[..] == data[..got.len()]);
    assert!(pair.ends[B].recv_capacity() > 1 << 20 && pair.ends[A].send_capacity() > 1 << 20);
    assert!(pair.ends[B].recv_capacity() <= LIMIT && pair.ends[A].send_capacity() <= LIMIT);
}

/// Covers: RFC 7323 §2.2
#[test]
fn the_window_scale_is_for_the_limit() {
    let memory = Memory::new(LIMIT);
    let syn = Peer::with(Socket::growing(LIMIT, LIMIT, &memory)).sent()[0];
    assert_eq!((syn.options.window_scale, syn.window), (7, 65_535));
}

#[test]
fn who_does_not_read_gets_no_larger_window() {
    let memory = Memory::new(LIMIT);
    let mut pair = pair(LIMIT, &memory);
    let data = pattern(1 << 20, 7);
    let mut sent = 0;
    pair.run_with(millis(3_000), |pair| sent += pair.ends[A].send_slice(&data[sent..]).unwrap());
    assert_eq!(pair.ends[B].recv_capacity(), 65_535);
    assert!(pair.ends[B].recv_queue() <= 65_535);
}

/// The memory is less than the windows that were announced: it takes longer, but all comes, and the bound holds.
#[test]
fn when_memory_is_short_all_comes_and_the_bound_holds() {
    for limit in [8_192, 20_000, 100_000] {
        let memory = Memory::new(limit);
        let mut pair = pair(LIMIT, &memory);
        let data = pattern(300_000, 9);
        let (got, most) = run(&mut pair, &data, &memory, millis(120_000));
        assert!(got == data, "{} octets of {} with {limit}", got.len(), data.len());
        assert!(most <= limit && most > 0, "{most}");
    }
}

/// One octet at the end of the window has the whole of it made ready, which is all that anybody can have of it.
#[test]
fn far_octets_take_no_more_than_the_window() {
    let memory = Memory::new(LIMIT);
    let mut peer = Peer::with(Socket::growing(LIMIT, LIMIT, &memory))
        .into_connected(Options { mss: 1_460, ..Options::NONE }, 0xffff);
    let seq = peer.seq;
    for ahead in [60_000, 10, 65_000, 30_000, 100_000, 1 << 24] {
        peer.seq = seq + ahead;
        peer.give_data(b"x");
        assert!(memory.used() <= 65_535, "{}", memory.used());
    }
    peer.socket.release_buffers();
    assert!(memory.used() > 60_000, "what is ahead is kept");
    peer.seq = seq;
    peer.give_data(&[0; 10]);
    assert_eq!(peer.socket.recv_queue(), 11);
}

#[test]
fn a_closure_has_room_to_write_to() {
    let memory = Memory::new(LIMIT);
    let mut pair = pair(LIMIT, &memory);
    let len = pair.ends[A].send(|piece| {
        piece.fill(7);
        (piece.len(), piece.len())
    });
    assert_eq!(len, Ok(4_096));
    pair.run(millis(100));
    assert_eq!(read_all(&mut pair.ends[B]), [7; 4_096]);
}
