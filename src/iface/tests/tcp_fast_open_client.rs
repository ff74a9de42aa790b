//! Connections that begin with data, as a client makes them (RFC 7413).

use super::net::*;
use super::tcp_fast_open::{Sent, option, wait};
use crate::iface::{FastOpenStats, SocketHandle};
use crate::socket::tcp::{Error, FastOpenCookie, Socket, State};
use crate::storage::SocketBuffer;
use crate::time::Duration;
use crate::wire::tcp::Flags;
use crate::wire::{IpAddress, Ipv4Address};

const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);
const IRS: u32 = 7_000;
const COOKIE: [u8; 8] = *b"mycookie";
const REQUEST: &[u8] = b"request";
const MINUTE: Duration = Duration::from_secs(60);

struct Bench {
    net: Net,
    has_stamps: bool,
}

/// A connection to be, and its SYN.
struct Attempt {
    handle: SocketHandle,
    syn: Sent,
}

impl Bench {
    fn new() -> Bench {
        Bench { net: Net::ip(), has_stamps: false }
    }

    fn connect_to(&mut self, server: [u8; 4], data: &[u8]) -> Attempt {
        let buffer = || SocketBuffer::new(vec![0; 4_000]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_timestamps_enabled(self.has_stamps);
        socket.set_fast_open(true);
        assert!(socket.fast_open());
        let handle = self.net.sockets.add(socket);
        let server = (IpAddress::from(Ipv4Address::from(server)), 80);
        self.net.iface.connect(self.net.now, &mut self.net.sockets, handle, server, 0).unwrap();
        self.socket(handle).send_slice(data).unwrap();
        self.net.poll();
        let mut sent = self.sent();
        assert_eq!((sent.len(), sent[0].flags), (1, Flags::SYN));
        Attempt { handle, syn: sent.remove(0) }
    }

    fn connect(&mut self, data: &[u8]) -> Attempt {
        self.connect_to(PEER_IP, data)
    }

    fn sent(&mut self) -> Vec<Sent> {
        self.net.sent().iter().map(|packet| Sent::of(packet)).collect()
    }

    fn give_from(
        &mut self,
        from: [u8; 4],
        to: &Attempt,
        ack: u32,
        flags: Flags,
        options: &[u8],
    ) -> Vec<Sent> {
        let ports = (80, to.syn.ports.0);
        let seq = if flags.contains(Flags::SYN) { IRS } else { IRS + 1 };
        let sent = self.net.exchange(tcp4(from, OUR_IP, ports, (seq, ack), flags, options, &[]));
        sent.iter().map(|packet| Sent::of(packet)).collect()
    }

    /// What is sent upon a SYN-ACK that acknowledges the SYN and `len` octets.
    fn answer(&mut self, to: &Attempt, len: u32, options: &[u8]) -> Vec<Sent> {
        self.give_from(PEER_IP, to, to.syn.seq + 1 + len, SYN_ACK, options)
    }

    /// A server's cookie is known.
    fn knows(&mut self, cookie: &[u8]) {
        self.knows_of(PEER_IP, cookie);
    }

    fn knows_of(&mut self, server: [u8; 4], cookie: &[u8]) {
        let attempt = self.connect_to(server, &[]);
        self.give_from(server, &attempt, attempt.syn.seq + 1, SYN_ACK, &[&option(cookie)[..], MSS].concat());
        assert_eq!(self.socket(attempt.handle).state(), State::Established);
        self.end(attempt);
    }

    fn end(&mut self, attempt: Attempt) {
        self.net.sockets.remove(attempt.handle).unwrap();
        self.net.poll();
        self.net.sent();
    }

    /// The cookie and the data of a SYN that goes now.
    fn tries(&mut self, data: &[u8]) -> (Option<Vec<u8>>, Vec<u8>) {
        let attempt = self.connect(data);
        let result = (attempt.syn.cookie(), attempt.syn.data.clone());
        // Refused, so that nothing is learned.
        self.give_from(
            PEER_IP,
            &attempt,
            attempt.syn.seq + 1 + result.1.len() as u32,
            Flags::RST | Flags::ACK,
            &[],
        );
        assert_eq!(self.socket(attempt.handle).error(), Some(Error::Refused));
        self.end(attempt);
        result
    }

    fn socket(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.net.sockets.get_mut(handle)
    }

    fn stats(&self) -> FastOpenStats {
        self.net.sockets.fast_open_stats()
    }
}

const MSS: &[u8] = &[2, 4, 5, 0xb4];

fn with_cookie(data: &[u8]) -> (Option<Vec<u8>>, Vec<u8>) {
    (Some(COOKIE.to_vec()), data.to_vec())
}

/// Covers: RFC 7413 §4.1.3, §4.2.1, §4.2.2
#[test]
fn the_first_syn_asks_and_the_second_has_cookie_and_data() {
    let mut bench = Bench::new();
    let first = bench.connect(REQUEST);
    assert_eq!((first.syn.cookie(), &first.syn.data[..]), (Some(vec![]), &[][..]));
    let sent = bench.answer(&first, 0, &[&option(&COOKIE)[..], MSS].concat());
    assert_eq!((sent.len(), &sent[0].data[..]), (1, REQUEST), "with the ACK");
    assert_eq!(bench.stats(), FastOpenStats::default());
    let second = bench.connect(REQUEST);
    assert_eq!((second.syn.cookie(), &second.syn.data[..]), (Some(COOKIE.to_vec()), REQUEST));
    bench.socket(second.handle).send_slice(b" more").unwrap();
    bench.net.advance(Duration::from_millis(40));
    let sent = bench.answer(&second, 7, MSS);
    assert_eq!((sent.len(), sent[0].flags), (1, Flags::ACK | Flags::PSH));
    assert_eq!(
        (sent[0].seq, &sent[0].data[..]),
        (second.syn.seq + 8, &b" more"[..]),
        "what was taken is not sent again"
    );
    let socket = bench.socket(second.handle);
    assert_eq!((socket.state(), socket.send_queue()), (State::Established, 5));
    assert_eq!(socket.round_trip_time().unwrap().total_millis(), 39);
    assert_eq!(bench.stats(), FastOpenStats { active: 1, ..Default::default() });
    assert_eq!(bench.tries(REQUEST), with_cookie(REQUEST), "the cookie stays");
}

/// Covers: RFC 7413 §4.1.3.1, §4.2.2
#[test]
fn data_that_is_not_taken_goes_at_once_and_the_server_has_a_minute_of_rest() {
    let mut bench = Bench::new();
    bench.knows(&COOKIE);
    let attempt = bench.connect(REQUEST);
    bench.net.advance(Duration::from_millis(40));
    let sent = bench.answer(&attempt, 0, MSS);
    assert_eq!((sent.len(), sent[0].seq, &sent[0].data[..]), (1, attempt.syn.seq + 1, REQUEST));
    assert_eq!(bench.socket(attempt.handle).round_trip_time().unwrap().total_millis(), 39);
    assert_eq!(bench.give_from(PEER_IP, &attempt, attempt.syn.seq + 8, Flags::ACK, &[]), []);
    assert_eq!(bench.socket(attempt.handle).send_queue(), 0);
    assert_eq!(bench.stats().active_fail, 1);
    assert_eq!(bench.tries(REQUEST), (None, vec![]));
    bench.net.advance(MINUTE + Duration::from_secs(1));
    assert_eq!(bench.tries(REQUEST), with_cookie(REQUEST));
}

/// Covers: RFC 7413 §4.2.2
#[test]
fn what_of_the_data_is_not_taken_goes_at_once() {
    let mut bench = Bench::new();
    bench.knows(&COOKIE);
    let attempt = bench.connect(REQUEST);
    let sent = bench.answer(&attempt, 3, MSS);
    assert_eq!((sent.len(), sent[0].seq, &sent[0].data[..]), (1, attempt.syn.seq + 4, &REQUEST[3..]));
    assert_eq!((bench.stats().active, bench.stats().active_fail), (1, 0));
}

/// Covers: RFC 7413 §4.1.3.1, §4.2.2
#[test]
fn a_syn_that_is_lost_goes_again_without_and_the_next_ones_too() {
    let mut bench = Bench::new();
    bench.knows(&COOKIE);
    for pause in [1, 2, 4] {
        let attempt = bench.connect(REQUEST);
        assert_eq!(attempt.syn.cookie(), Some(COOKIE.to_vec()));
        for _ in 0..2 {
            let (_, again) = wait(&mut bench.net);
            assert_eq!((again[0].flags, again[0].seq), (Flags::SYN, attempt.syn.seq));
            assert_eq!((again[0].cookie(), again[0].data.len()), (None, 0));
        }
        let sent = bench.answer(&attempt, 0, MSS);
        assert_eq!((sent.len(), sent[0].seq, &sent[0].data[..]), (1, attempt.syn.seq + 1, REQUEST));
        bench.end(attempt);
        bench.net.advance(Duration::from_secs(60 * pause - 8));
        assert_eq!(bench.tries(REQUEST), (None, vec![]), "{pause}");
        bench.net.advance(Duration::from_secs(8));
    }
    assert_eq!(bench.stats().active_fail, 3);
    // What works makes good for it.
    let attempt = bench.connect(REQUEST);
    bench.answer(&attempt, 7, MSS);
    let attempt = bench.connect(REQUEST);
    wait(&mut bench.net);
    bench.end(attempt);
    bench.net.advance(MINUTE + Duration::from_secs(1));
    assert_eq!(bench.tries(REQUEST), with_cookie(REQUEST));
}

#[test]
fn a_late_answer_to_the_first_syn_counts() {
    let mut bench = Bench::new();
    bench.knows(&COOKIE);
    let attempt = bench.connect(REQUEST);
    wait(&mut bench.net);
    let sent = bench.answer(&attempt, 7, MSS);
    assert_eq!((sent.len(), sent[0].flags, sent[0].seq), (1, Flags::ACK, attempt.syn.seq + 8));
    assert_eq!(bench.socket(attempt.handle).send_queue(), 0);
    assert_eq!(bench.tries(REQUEST), with_cookie(REQUEST), "it worked after all");
}

/// Covers: RFC 7413 §4.1.3
#[test]
fn a_new_cookie_replaces_the_old_one_and_nonsense_does_not() {
    let mut bench = Bench::new();
    bench.knows(&COOKIE);
    let attempt = bench.connect(REQUEST);
    bench.answer(&attempt, 0, &option(b"anew"));
    assert_eq!(
        bench.tries(REQUEST),
        (Some(b"anew".to_vec()), REQUEST.to_vec()),
        "no rest: it is told what to bring"
    );
    for nonsense in [&b"odd"[..], b"fives", b""] {
        let attempt = bench.connect(REQUEST);
        bench.answer(&attempt, 7, &option(nonsense));
    }
    assert_eq!(bench.tries(REQUEST).0, Some(b"anew".to_vec()));
}

/// Covers: RFC 7413 §4.1.3
#[test]
fn no_more_goes_than_the_server_takes_in_a_segment() {
    let data = [9; 3_000];
    for (mss, most) in [
        (MSS, 1_460),
        (&[2, 4, 2, 0][..], 512),
        (&[2, 4, 0xff, 0xff], 1_460),
        (&[], 536),
        (&[2, 4, 0, 1], 64),
    ] {
        let mut bench = Bench::new();
        let attempt = bench.connect(&[]);
        bench.answer(&attempt, 0, &[&option(&COOKIE)[..], mss].concat());
        let attempt = bench.connect(&data);
        let len = attempt.syn.data.len();
        assert_eq!(len + attempt.syn.options.len(), most, "{mss:?}");
        bench.answer(&attempt, len as u32, mss);
        let sent = bench.sent().len();
        assert_eq!(sent, 0);
        assert_eq!(bench.socket(attempt.handle).send_queue(), 3_000 - len);
    }
}

/// Covers: RFC 7413 §4.1.1
#[test]
fn a_cookie_goes_where_there_is_room_for_it() {
    for (len, has_stamps, fits) in [(4, true, true), (14, true, true), (16, true, false), (16, false, true)] {
        let mut bench = Bench::new();
        bench.has_stamps = has_stamps;
        bench.knows(&vec![5; len]);
        let attempt = bench.connect(REQUEST);
        let expected = if fits { (Some(vec![5; len]), REQUEST.to_vec()) } else { (Some(vec![]), vec![]) };
        assert_eq!((attempt.syn.cookie(), attempt.syn.data), expected, "{len} {has_stamps}");
    }
}

/// Covers: RFC 7413 §4.1.3
#[test]
fn cookies_are_kept_for_each_server_as_long_as_there_is_room() {
    let mut bench = Bench::new();
    let sockets = core::mem::replace(
        &mut bench.net.sockets,
        crate::iface::SocketSet::with_capacity(8, crate::rand::Keys::new([7; 32])),
    );
    bench.net.sockets = sockets.with_fast_open_cache(vec![FastOpenCookie::default(); 2]);
    let servers = [[10, 0, 0, 2], [10, 0, 0, 3], [10, 0, 0, 4]];
    let has_cookie = |bench: &mut Bench, server: usize| {
        bench.net.advance(Duration::from_secs(1));
        let attempt = bench.connect_to(servers[server], &[]);
        let cookie = attempt.syn.cookie().unwrap();
        bench.end(attempt);
        !cookie.is_empty()
    };
    bench.knows_of(servers[0], &COOKIE);
    bench.net.advance(Duration::from_secs(1));
    bench.knows_of(servers[1], b"othercookie!");
    assert!(has_cookie(&mut bench, 1) && has_cookie(&mut bench, 0) && !has_cookie(&mut bench, 2));
    // The second was not used for longest.
    bench.knows_of(servers[2], &COOKIE);
    assert!(has_cookie(&mut bench, 0) && !has_cookie(&mut bench, 1) && has_cookie(&mut bench, 2));
}

#[test]
fn without_places_none_is_kept_and_no_data_goes() {
    let mut bench = Bench::new();
    let sockets = core::mem::replace(
        &mut bench.net.sockets,
        crate::iface::SocketSet::with_capacity(8, crate::rand::Keys::new([7; 32])),
    );
    bench.net.sockets = sockets.with_fast_open_cache(vec![]);
    bench.knows(&COOKIE);
    assert_eq!(bench.tries(REQUEST), (Some(vec![]), vec![]));
}

#[test]
fn who_does_not_ask_for_it_sends_no_option() {
    let mut bench = Bench::new();
    bench.knows(&COOKIE);
    let buffer = || SocketBuffer::new(vec![0; 4_000]);
    let handle = bench.net.sockets.add(Socket::new(buffer(), buffer()));
    let server = (IpAddress::from(Ipv4Address::from(PEER_IP)), 80);
    bench.net.iface.connect(bench.net.now, &mut bench.net.sockets, handle, server, 0).unwrap();
    bench.socket(handle).send_slice(REQUEST).unwrap();
    bench.net.poll();
    let syn = bench.sent().remove(0);
    assert_eq!((syn.cookie(), syn.data.len()), (None, 0));
}

#[test]
fn a_syn_ack_of_what_was_not_sent_is_reset() {
    let mut bench = Bench::new();
    bench.knows(&COOKIE);
    let attempt = bench.connect(REQUEST);
    for ack in [attempt.syn.seq, attempt.syn.seq + 9] {
        let sent = bench.give_from(PEER_IP, &attempt, ack, SYN_ACK, &[]);
        assert_eq!((sent.len(), sent[0].flags, sent[0].seq), (1, Flags::RST, ack));
    }
    assert_eq!(bench.socket(attempt.handle).state(), State::SynSent);
}

#[test]
fn when_both_open_at_once_the_data_goes_after_the_handshake() {
    for taken in [0, 7] {
        let mut bench = Bench::new();
        bench.knows(&COOKIE);
        let attempt = bench.connect(REQUEST);
        let sent = bench.give_from(PEER_IP, &attempt, 0, Flags::SYN, MSS);
        assert_eq!((sent.len(), sent[0].flags, sent[0].data.len()), (1, SYN_ACK, 0));
        let sent = bench.give_from(PEER_IP, &attempt, attempt.syn.seq + 1 + taken, Flags::ACK, &[]);
        let data: Vec<u8> = sent.iter().flat_map(|sent| sent.data.clone()).collect();
        assert_eq!(data, REQUEST[taken as usize..]);
        assert_eq!(bench.socket(attempt.handle).state(), State::Established);
        assert_eq!(bench.stats().active_fail, 0, "there was no SYN-ACK that could have taken it");
    }
}

/// Covers: RFC 7413 §4.1.3
#[test]
fn a_cookie_is_for_one_of_our_addresses() {
    let mut bench = Bench::new();
    let other = [10, 0, 0, 77];
    let cidr = crate::wire::IpCidr::new(IpAddress::from(Ipv4Address::from(other)), 24);
    bench.net.iface.add_address(cidr).unwrap();
    bench.knows(&COOKIE);
    let buffer = || SocketBuffer::new(vec![0; 4_000]);
    let mut socket = Socket::new(buffer(), buffer());
    socket.set_fast_open(true);
    let handle = bench.net.sockets.add(socket);
    let server = (IpAddress::from(Ipv4Address::from(PEER_IP)), 80);
    let local = (IpAddress::from(Ipv4Address::from(other)), 4_000);
    bench.net.iface.connect(bench.net.now, &mut bench.net.sockets, handle, server, local).unwrap();
    bench.net.poll();
    assert_eq!(bench.sent().remove(0).cookie(), Some(vec![]));
}

/// Covers: RFC 7413 §4.1.3.1
#[test]
fn a_server_is_tried_again_every_hour_at_the_least() {
    let mut bench = Bench::new();
    bench.knows(&COOKIE);
    for n in 0..10 {
        let attempt = bench.connect(REQUEST);
        assert_eq!(attempt.syn.cookie(), Some(COOKIE.to_vec()), "{n}");
        wait(&mut bench.net);
        bench.end(attempt);
        bench.net.advance(Duration::from_secs(64 * 60 + 1));
    }
}
