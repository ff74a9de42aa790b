//! Connections that begin with data, as a server sees them (RFC 7413).

use super::net::*;
use crate::iface::{FastOpenStats, SocketHandle};
use crate::socket::Events;
use crate::socket::tcp::{Error, HalfOpen, Listener, Socket, State};
use crate::time::Duration;
use crate::wire::tcp::Flags;

/// A segment that was sent over IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) ports: (u16, u16),
    pub(super) flags: Flags,
    pub(super) seq: u32,
    ack: u32,
    window: u16,
    pub(super) options: Vec<u8>,
    pub(super) data: Vec<u8>,
}

impl Sent {
    pub(super) fn of(packet: &[u8]) -> Sent {
        assert_checksums(packet);
        let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        let header_len = usize::from(packet[32] >> 4) * 4;
        let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        Sent {
            ports: (port(20), port(22)),
            flags: Flags::from_bits_retain(packet[33]),
            seq: word(24),
            ack: word(28),
            window: u16::from_be_bytes([packet[34], packet[35]]),
            options: packet[40..20 + header_len].to_vec(),
            data: packet[20 + header_len..].to_vec(),
        }
    }

    /// The cookie of its option, which is the last; of none, if it asks for one.
    pub(super) fn cookie(&self) -> Option<Vec<u8>> {
        let len = |at: usize| self.options.len() - at;
        let at = (0..self.options.len()).find(|&at| {
            self.options[at] == 34
                && self.options.get(at + 1) == Some(&(len(at) as u8))
                && self.options.len().is_multiple_of(4)
        })?;
        Some(self.options[at + 2..].to_vec())
    }
}

struct Bench {
    net: Net,
    listener: SocketHandle,
}

const IRS: u32 = 100;
const ASK: &[u8] = &[1, 1, 34, 2];
const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);
const REQUEST: &[u8] = b"request";
const ACCEPTED: u32 = IRS + 1 + REQUEST.len() as u32;

/// What is sent by itself until something is, and after how many seconds.
pub(super) fn wait(net: &mut Net) -> (u64, Vec<Sent>) {
    let start = net.now;
    loop {
        let Some(at) = net.iface.poll_at(net.now, &mut net.sockets) else { return (0, vec![]) };
        net.now = at.max(net.now + Duration::from_micros(1));
        net.poll();
        let sent: Vec<_> = net.sent().iter().map(|packet| Sent::of(packet)).collect();
        if !sent.is_empty() {
            return (net.now.saturating_duration_since(start).total_millis() / 1_000, sent);
        }
    }
}

pub(super) fn option(cookie: &[u8]) -> Vec<u8> {
    let option = [&[34, cookie.len() as u8 + 2], cookie].concat();
    [vec![1; option.len().next_multiple_of(4) - option.len()], option].concat()
}

impl Bench {
    fn new(limit: u16) -> Bench {
        Bench::with_records(4, limit)
    }

    fn with_records(records: usize, limit: u16) -> Bench {
        let mut net = Net::ip();
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; records]);
        listener.set_buffers(1_000, 1_000, 100);
        listener.set_fast_open(limit);
        let listener = net.sockets.add(listener);
        net.sockets.listen(listener, 80).unwrap();
        Bench { net, listener }
    }

    fn give(
        &mut self,
        port: u16,
        numbers: (u32, u32),
        flags: Flags,
        options: &[u8],
        data: &[u8],
    ) -> Vec<Sent> {
        self.give_from(PEER_IP, port, numbers, flags, options, data)
    }

    fn give_from(
        &mut self,
        from: [u8; 4],
        port: u16,
        numbers: (u32, u32),
        flags: Flags,
        options: &[u8],
        data: &[u8],
    ) -> Vec<Sent> {
        let sent = self.net.exchange(tcp4(from, OUR_IP, (port, 80), numbers, flags, options, data));
        sent.iter().map(|packet| Sent::of(packet)).collect()
    }

    fn syn(&mut self, port: u16, options: &[u8], data: &[u8]) -> Sent {
        let mut sent = self.give(port, (IRS, 0), Flags::SYN, options, data);
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert_eq!(sent[0].flags, SYN_ACK);
        sent.remove(0)
    }

    fn ack(&mut self, port: u16, seq: u32, ack: u32) -> Vec<Sent> {
        self.give(port, (seq, ack), Flags::ACK, &[], &[])
    }

    fn wait(&mut self) -> (u64, Vec<Sent>) {
        wait(&mut self.net)
    }

    /// The option with a cookie for the peer.
    fn cookie(&mut self) -> Vec<u8> {
        let syn_ack = self.syn(9, ASK, &[]);
        self.give(9, (IRS + 1, 0), Flags::RST, &[], &[]);
        self.net.sockets.next_ready();
        option(&syn_ack.cookie().unwrap())
    }

    /// A connection that has begun with a request, and its SYN-ACK.
    fn open(&mut self, port: u16) -> (SocketHandle, Sent) {
        let cookie = self.cookie();
        let syn_ack = self.syn(port, &cookie, REQUEST);
        assert_eq!(syn_ack.ack, ACCEPTED);
        (self.accept().unwrap(), syn_ack)
    }

    fn accept(&mut self) -> Option<SocketHandle> {
        self.net.sockets.accept(self.listener)
    }

    fn socket(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.net.sockets.get_mut(handle)
    }

    fn listener(&mut self) -> &mut Listener<'static> {
        self.net.sockets.get_mut(self.listener)
    }

    fn pending(&self) -> u16 {
        self.net.sockets.get::<Listener>(self.listener).fast_open_pending()
    }

    fn half_open(&self) -> usize {
        self.net.sockets.get::<Listener>(self.listener).half_open_count()
    }

    fn stats(&self) -> FastOpenStats {
        self.net.sockets.fast_open_stats()
    }

    fn read(&mut self, handle: SocketHandle) -> Vec<u8> {
        let mut data = vec![0; 1_000];
        let len = self.socket(handle).recv_slice(&mut data).unwrap();
        data.truncate(len);
        data
    }
}

/// Covers: RFC 7413 §4.1.2, §4.2.1
#[test]
fn who_asks_gets_a_cookie_and_an_ordinary_handshake() {
    let mut bench = Bench::new(4);
    let syn_ack = bench.syn(1_000, ASK, REQUEST);
    assert_eq!(syn_ack.ack, IRS + 1, "data without a cookie is not taken");
    assert_eq!(syn_ack.cookie().unwrap().len(), 8);
    assert_eq!((bench.half_open(), bench.pending(), bench.stats().cookie_reqd), (1, 0, 1));
    // RFC 7413 §4.2.2: it is repeated without.
    let (_, again) = bench.wait();
    assert_eq!((again[0].flags, again[0].cookie()), (SYN_ACK, None));
    bench.ack(1_000, IRS + 1, syn_ack.seq + 1);
    let handle = bench.accept().unwrap();
    assert_eq!(bench.socket(handle).state(), State::Established);
}

/// Covers: RFC 7413 §4.2.2
#[test]
fn a_request_with_a_cookie_is_read_and_answered_before_the_handshake_is_over() {
    let mut bench = Bench::new(4);
    let (handle, syn_ack) = bench.open(1_000);
    assert_eq!((bench.half_open(), bench.pending()), (0, 1));
    assert_eq!((syn_ack.cookie(), syn_ack.window), (None, 1_000 - REQUEST.len() as u16));
    assert_eq!(bench.net.sockets.next_ready().unwrap(), (bench.listener, Events::ACCEPTABLE));
    let (ready, events) = bench.net.sockets.next_ready().unwrap();
    assert_eq!((ready, events), (handle, Events::READABLE | Events::WRITABLE));
    let socket = bench.socket(handle);
    assert_eq!(socket.state(), State::SynReceived);
    assert!(socket.may_send() && socket.can_send() && socket.may_recv() && socket.can_recv());
    assert_eq!(bench.read(handle), REQUEST);
    assert!(bench.socket(handle).may_recv(), "more may come");
    assert_eq!(bench.socket(handle).recv_slice(&mut [0; 4]), Ok(0));
    bench.socket(handle).send_slice(b"answer").unwrap();
    bench.net.poll();
    let sent = bench.net.sent();
    let answer = Sent::of(&sent[0]);
    assert_eq!((sent.len(), &answer.data[..]), (1, &b"answer"[..]));
    assert_eq!((answer.flags, answer.seq, answer.ack), (Flags::ACK | Flags::PSH, syn_ack.seq + 1, ACCEPTED));
    // One ACK for both, after a round trip of 50 ms.
    bench.net.advance(Duration::from_millis(50));
    assert_eq!(bench.ack(1_000, ACCEPTED, syn_ack.seq + 7), []);
    let socket = bench.socket(handle);
    assert_eq!((socket.state(), socket.send_queue()), (State::Established, 0));
    assert_eq!(socket.round_trip_time().unwrap().total_millis(), 50);
    let (_, events) = bench.net.sockets.next_ready().unwrap();
    assert!(events.contains(Events::CONNECTED | Events::WRITABLE));
    assert_eq!(bench.pending(), 0);
    assert_eq!(bench.stats(), FastOpenStats { passive: 1, cookie_reqd: 1, ..Default::default() });
    let mib = bench.net.sockets.tcp_mib();
    assert_eq!((mib.passive_opens, mib.attempt_fails, mib.curr_estab), (2, 1, 1));
    // And on it goes.
    bench.give(1_000, (ACCEPTED, syn_ack.seq + 7), Flags::ACK | Flags::FIN, &[], b"more");
    assert_eq!(bench.read(handle), b"more");
    bench.socket(handle).close();
    bench.net.poll();
    let last = Sent::of(&bench.net.sent()[0]);
    assert_eq!((last.ack, last.flags), (ACCEPTED + 5, Flags::ACK | Flags::FIN));
}

/// Covers: RFC 7413 §4.2.2
#[test]
fn a_cookie_without_data_opens_too() {
    let mut bench = Bench::new(4);
    let cookie = bench.cookie();
    let syn_ack = bench.syn(1_000, &cookie, &[]);
    assert_eq!((syn_ack.ack, bench.pending()), (IRS + 1, 1));
    let handle = bench.accept().unwrap();
    assert!(!bench.socket(handle).can_recv());
    bench.socket(handle).send_slice(b"welcome").unwrap();
    bench.net.poll();
    assert_eq!(Sent::of(&bench.net.sent()[0]).data, b"welcome");
    // The ACK of the SYN alone leaves the data out.
    assert_eq!(bench.ack(1_000, IRS + 1, syn_ack.seq + 1), []);
    assert_eq!((bench.socket(handle).state(), bench.socket(handle).send_queue()), (State::Established, 7));
    let (_, again) = bench.wait();
    assert_eq!((&again[0].data[..], again[0].seq), (&b"welcome"[..], syn_ack.seq + 1));
}

/// Covers: RFC 7413 §4.1.2
#[test]
fn a_cookie_that_is_none_gets_a_new_one() {
    let mut bench = Bench::new(4);
    let good = bench.cookie();
    for (port, len) in [4, 6, 8, 10, 12, 14, 16].into_iter().enumerate() {
        let mut cookie = good[2..].to_vec();
        cookie.resize(2 + len, 7);
        cookie[2] ^= 1;
        let syn_ack = bench.syn(1_000 + port as u16, &option(&cookie[2..]), REQUEST);
        assert_eq!((syn_ack.ack, option(&syn_ack.cookie().unwrap())), (IRS + 1, good.clone()), "{len}");
        bench.give(1_000 + port as u16, (IRS + 1, 0), Flags::RST, &[], &[]);
    }
    assert_eq!((bench.pending(), bench.stats().passive_fail), (0, 7));
    // What is no option of this kind asks for nothing.
    for len in [1, 2, 3, 5, 7, 9, 17, 18] {
        let syn_ack = bench.syn(2_000, &option(&vec![7; len]), REQUEST);
        assert_eq!((syn_ack.ack, syn_ack.cookie()), (IRS + 1, None), "{len}");
    }
    assert_eq!(bench.stats().passive_fail, 7);
}

/// Covers: RFC 7413 §4.1.2
#[test]
fn a_cookie_is_good_for_one_address() {
    let mut bench = Bench::new(4);
    let cookie = bench.cookie();
    let sent = bench.give_from([10, 0, 0, 3], 1_000, (IRS, 0), Flags::SYN, &cookie, REQUEST);
    assert_eq!(sent[0].ack, IRS + 1);
    assert_ne!(option(&sent[0].cookie().unwrap()), cookie);
    assert_eq!(bench.syn(1_001, &cookie, REQUEST).ack, ACCEPTED, "any port is good");
}

/// Covers: RFC 7413 §4.1.2
#[test]
fn a_cookie_is_renewed_after_a_day_and_worthless_after_two() {
    let mut bench = Bench::new(4);
    let cookie = bench.cookie();
    bench.net.advance(Duration::from_secs(19 * 3_600 + 600));
    let syn_ack = bench.syn(1_000, &cookie, REQUEST);
    let fresh = option(&syn_ack.cookie().unwrap());
    assert_eq!(syn_ack.ack, ACCEPTED);
    assert_ne!(fresh, cookie);
    let (_, again) = bench.wait();
    assert_eq!((again[0].flags, again[0].cookie()), (SYN_ACK, None), "it is repeated without");
    bench.give(1_000, (ACCEPTED, 0), Flags::RST, &[], &[]);
    let syn_ack = bench.syn(1_001, &fresh, REQUEST);
    assert_eq!((syn_ack.ack, syn_ack.cookie()), (ACCEPTED, None));
    bench.give(1_001, (ACCEPTED, 0), Flags::RST, &[], &[]);
    bench.net.advance(Duration::from_secs(19 * 3_600 + 600));
    let syn_ack = bench.syn(1_002, &cookie, REQUEST);
    assert_eq!(syn_ack.ack, IRS + 1);
    assert!(syn_ack.cookie().is_some());
}

#[test]
fn nothing_of_it_is_on_at_first() {
    let mut bench = Bench::new(4);
    let cookie = bench.cookie();
    assert_eq!(bench.listener().fast_open(), 4);
    bench.listener().set_fast_open(0);
    let before = bench.stats();
    for options in [ASK, &cookie] {
        let syn_ack = bench.syn(1_000, options, REQUEST);
        assert_eq!((syn_ack.ack, syn_ack.cookie()), (IRS + 1, None));
    }
    assert_eq!((bench.stats(), bench.half_open()), (before, 1));
    assert_eq!(Listener::new(vec![]).fast_open(), 0);
}

/// Covers: RFC 7413 §4.2.2, §5.1
#[test]
fn beyond_the_limit_the_handshake_comes_first() {
    let mut bench = Bench::new(2);
    let cookie = bench.cookie();
    let first = bench.syn(1_000, &cookie, REQUEST);
    bench.syn(1_001, &cookie, REQUEST);
    let third = bench.syn(1_002, &cookie, REQUEST);
    assert_eq!((third.ack, third.cookie(), bench.pending(), bench.half_open()), (IRS + 1, None, 2, 1));
    assert_eq!(bench.stats().listen_overflow, 1);
    // Who is acknowledged makes room.
    bench.ack(1_000, ACCEPTED, first.seq + 1);
    assert_eq!(bench.pending(), 1);
    assert_eq!(bench.syn(1_003, &cookie, REQUEST).ack, ACCEPTED);
    // Whoever is aborted or removed does so, too.
    for _ in 0..3 {
        let handle = bench.accept().unwrap();
        bench.net.sockets.remove(handle).unwrap();
    }
    assert_eq!((bench.accept(), bench.pending()), (None, 0));
    bench.net.poll();
    assert_eq!(bench.net.sent().len(), 3, "each is reset");
}

/// Covers: RFC 7413 §5.1
#[test]
fn what_is_reset_counts_for_a_while() {
    let mut bench = Bench::new(2);
    let cookie = bench.cookie();
    for port in [1_000, 1_001] {
        let (listener, syn_ack) = (bench.listener, bench.syn(port, &cookie, REQUEST));
        // The machine whose address was forged knows of nothing.
        assert_eq!(bench.give(port, (syn_ack.ack, 0), Flags::RST, &[], &[]), []);
        let handle = bench.accept().unwrap();
        assert_eq!(bench.socket(handle).error(), Some(Error::Refused));
        assert_eq!(bench.socket(handle).state(), State::Closed);
        assert!(bench.net.sockets.get::<Listener>(listener).is_listening());
        assert_eq!(bench.pending(), 0);
        bench.net.advance(Duration::from_secs(20));
    }
    for (after, ack) in [(0, IRS + 1), (18, IRS + 1), (3, ACCEPTED)] {
        bench.net.advance(Duration::from_secs(after));
        let syn_ack = bench.syn(1_002, &cookie, REQUEST);
        assert_eq!(syn_ack.ack, ack, "{after}");
        bench.give(1_002, (syn_ack.ack, 0), Flags::RST, &[], &[]);
    }
    // One counts, and one is pending. After a long silence none does.
    for (port, ack) in [(1_003, ACCEPTED), (1_004, IRS + 1)] {
        assert_eq!(bench.syn(port, &cookie, REQUEST).ack, ack);
        bench.give(port, (ack, 0), Flags::RST, &[], &[]);
    }
    bench.net.advance(Duration::from_secs(61));
    assert_eq!(bench.syn(1_005, &cookie, REQUEST).ack, ACCEPTED);
    assert_eq!(bench.syn(1_006, &cookie, REQUEST).ack, ACCEPTED);
}

#[test]
fn a_reset_of_another_number_ends_nothing() {
    let mut bench = Bench::new(2);
    let (handle, _) = bench.open(1_000);
    for seq in [IRS, IRS + 1, ACCEPTED - 1, ACCEPTED + 2_000] {
        bench.give(1_000, (seq, 0), Flags::RST, &[], &[]);
        assert_eq!(bench.socket(handle).state(), State::SynReceived, "{seq}");
    }
    // One within the window is asked back.
    let sent = bench.give(1_000, (ACCEPTED + 1, 0), Flags::RST, &[], &[]);
    assert_eq!((sent[0].flags, sent[0].ack), (Flags::ACK, ACCEPTED));
}

#[test]
fn without_buffers_or_room_behind_it_a_request_waits_for_its_handshake() {
    let mut bench = Bench::new(4);
    let cookie = bench.cookie();
    bench.listener().set_backlog(0);
    assert_eq!(bench.syn(1_000, &cookie, REQUEST).ack, IRS + 1, "nobody may wait to be accepted");
    bench.listener().set_backlog(9);
    bench.listener().set_buffers(1_000, 1_000, 0);
    let syn_ack = bench.syn(1_001, &cookie, REQUEST);
    assert_eq!((syn_ack.ack, syn_ack.cookie(), bench.pending()), (IRS + 1, None, 0), "no buffers");
    bench.listener().set_buffers(1_000, 1_000, 9);
    assert_eq!(bench.syn(1_001, &cookie, REQUEST).ack, IRS + 1, "it has a record");
    assert_eq!((bench.stats().passive_fail, bench.stats().passive), (3, 0));
    assert_eq!(bench.syn(1_002, &cookie, REQUEST).ack, ACCEPTED);
}

/// Covers: RFC 7413 §5.1
#[test]
fn under_a_flood_a_request_waits_for_its_handshake() {
    let mut bench = Bench::with_records(1, 4);
    let cookie = bench.cookie();
    bench.give_from([10, 0, 0, 9], 5, (7, 0), Flags::SYN, &[], &[]);
    let syn_ack = bench.syn(1_000, &cookie, REQUEST);
    assert_eq!((syn_ack.ack, bench.pending(), bench.half_open()), (IRS + 1, 0, 1));
    // That was a cookie of the other kind.
    bench.ack(1_000, IRS + 1, syn_ack.seq + 1);
    assert!(bench.accept().is_some());
}

/// Covers: RFC 7413 §4.2.2
#[test]
fn a_syn_that_comes_again_is_answered_again_and_its_data_not_taken_twice() {
    let mut bench = Bench::new(4);
    let (handle, first) = bench.open(1_000);
    let cookie = option(&[0; 8]);
    bench.socket(handle).send_slice(b"answer").unwrap();
    bench.net.poll();
    assert_eq!(bench.net.sent().len(), 1);
    for (options, data) in [(&cookie[..], REQUEST), (&[], &[])] {
        bench.net.advance(Duration::from_millis(600));
        let again = bench.syn(1_000, options, data);
        assert_eq!((again.seq, again.ack, again.cookie()), (first.seq, ACCEPTED, None));
        assert!(again.data.is_empty());
    }
    // Not more often than that.
    assert_eq!(bench.give(1_000, (IRS, 0), Flags::SYN, &[], &[]), []);
    assert_eq!((bench.pending(), bench.accept()), (1, None));
    assert_eq!(bench.read(handle), REQUEST);
    bench.ack(1_000, ACCEPTED, first.seq + 7);
    assert_eq!(bench.socket(handle).state(), State::Established);
    assert_eq!(bench.socket(handle).round_trip_time(), None, "the ACK may be of either");
}

#[test]
fn another_syn_is_challenged() {
    let mut bench = Bench::new(4);
    bench.open(1_000);
    let sent = bench.give(1_000, (IRS + 5, 0), Flags::SYN, &[], &[]);
    assert_eq!((sent[0].flags, sent[0].ack), (Flags::ACK, ACCEPTED));
}

/// Covers: RFC 7413 §4.2.2
#[test]
fn a_lost_syn_ack_goes_again_and_what_came_behind_it_after_its_ack() {
    for options in [&[][..], &[4, 2, 1, 1]] {
        let mut bench = Bench::new(4);
        let cookie = [&bench.cookie()[..], options].concat();
        let first = bench.syn(1_000, &cookie, REQUEST);
        let handle = bench.accept().unwrap();
        bench.socket(handle).send_slice(b"answer").unwrap();
        bench.net.poll();
        assert_eq!(bench.net.sent().len(), 1);
        for seconds in [1, 2, 4] {
            let (waited, sent) = bench.wait();
            assert!((seconds..=seconds * 3 / 2).contains(&waited), "{waited} for {seconds}");
            assert_eq!((sent.len(), sent[0].flags, sent[0].seq), (1, SYN_ACK, first.seq));
            assert!(sent[0].data.is_empty());
        }
        bench.socket(handle).send_slice(b" more").unwrap();
        bench.net.poll();
        assert!(bench.net.sent().is_empty(), "nothing before the handshake");
        let sent = bench.ack(1_000, ACCEPTED, first.seq + 1);
        let data: Vec<u8> = sent.iter().flat_map(|sent| sent.data.clone()).collect();
        assert_eq!((sent[0].seq, &data[..6]), (first.seq + 1, &b"answer"[..]));
        let mut all = data.len() as u32;
        while all < 11 {
            let sent = bench.ack(1_000, ACCEPTED, first.seq + 1 + all);
            assert_eq!(sent[0].seq, first.seq + 1 + all);
            all += sent[0].data.len() as u32;
        }
        assert_eq!(bench.ack(1_000, ACCEPTED, first.seq + 12), []);
        assert_eq!(bench.socket(handle).send_queue(), 0);
    }
}

#[test]
fn who_never_answers_is_given_up() {
    let mut bench = Bench::new(4);
    let (handle, _) = bench.open(1_000);
    let mut repeats = 0;
    while bench.socket(handle).state() != State::Closed {
        let (_, sent) = bench.wait();
        repeats += sent.iter().filter(|sent| sent.flags == SYN_ACK).count();
    }
    assert_eq!(repeats, usize::from(crate::config::TCP_SYN_RETRIES));
    assert_eq!((bench.socket(handle).error(), bench.pending()), (Some(Error::TimedOut), 0));
    assert_eq!(bench.read(handle), REQUEST, "what has come is there");
}

/// Covers: RFC 7413 §4.2.2
#[test]
fn what_there_is_no_room_for_is_not_acknowledged() {
    let mut bench = Bench::new(4);
    let cookie = bench.cookie();
    let data: Vec<u8> = (0..1_400).map(|i| i as u8).collect();
    let syn_ack = bench.syn(1_000, &cookie, &data);
    assert_eq!((syn_ack.ack, syn_ack.window), (IRS + 1 + 1_000, 0));
    let handle = bench.accept().unwrap();
    assert_eq!(bench.read(handle), data[..1_000]);
    bench.net.poll();
    bench.net.sent();
    bench.give(1_000, (IRS + 1_001, syn_ack.seq + 1), Flags::ACK, &[], &data[1_000..]);
    assert_eq!(bench.read(handle), data[1_000..]);
}

#[test]
fn a_syn_with_a_fin_is_refused_whatever_it_brings() {
    let mut bench = Bench::new(4);
    let cookie = bench.cookie();
    let sent = bench.give(1_000, (IRS, 0), Flags::SYN | Flags::FIN, &cookie, REQUEST);
    assert_eq!(sent[0].flags, Flags::RST | Flags::ACK);
    assert_eq!((bench.pending(), bench.half_open(), bench.accept()), (0, 0, None));
}

#[test]
fn an_ack_of_something_else_is_reset_and_opens_nothing() {
    let mut bench = Bench::new(4);
    let (handle, syn_ack) = bench.open(1_000);
    bench.socket(handle).send_slice(b"answer").unwrap();
    bench.net.poll();
    bench.net.sent();
    for ack in [syn_ack.seq - 1, syn_ack.seq, syn_ack.seq + 8] {
        let sent = bench.ack(1_000, ACCEPTED, ack);
        assert_eq!((sent[0].flags, sent[0].seq), (Flags::RST, ack));
    }
    // Nor does data from beyond the window, or what has no ACK.
    let sent = bench.give(1_000, (ACCEPTED + 2_000, syn_ack.seq + 1), Flags::ACK, &[], b"x");
    assert_eq!((sent[0].flags, sent[0].ack), (Flags::ACK, ACCEPTED));
    assert_eq!(bench.give(1_000, (ACCEPTED, 0), Flags::PSH, &[], b"x"), []);
    assert_eq!((bench.socket(handle).state(), bench.pending()), (State::SynReceived, 1));
    assert_eq!(bench.read(handle), REQUEST);
}

#[test]
fn a_guess_gets_no_connection() {
    let mut bench = Bench::new(4);
    for guess in 0..1_000_u64 {
        let from = [10, 0, (guess >> 7) as u8, (guess & 0x7f) as u8 + 3];
        let guess = guess.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        bench.give_from(from, 1_000, (IRS, 0), Flags::SYN, &option(&guess), REQUEST);
    }
    assert_eq!((bench.pending(), bench.accept(), bench.net.sockets.len()), (0, None, 1));
    assert_eq!(bench.stats(), FastOpenStats { passive_fail: 1_000, ..Default::default() });
}

#[test]
fn a_thousand_with_a_good_cookie_get_as_many_connections_as_the_limit_says() {
    let mut bench = Bench::new(3);
    let cookie = bench.cookie();
    for port in 1_000..2_000 {
        bench.give(port, (IRS, 0), Flags::SYN, &cookie, REQUEST);
    }
    assert_eq!((bench.pending(), bench.net.sockets.len()), (3, 4));
    assert_eq!((bench.stats().passive, bench.stats().listen_overflow), (3, 997));
}

#[test]
fn a_close_before_the_handshake_is_over_sends_its_fin_after_it() {
    let mut bench = Bench::new(4);
    let (handle, syn_ack) = bench.open(1_000);
    bench.read(handle);
    bench.socket(handle).send_slice(b"bye").unwrap();
    bench.net.sockets.release(handle).unwrap();
    bench.net.poll();
    let sent: Vec<_> = bench.net.sent().iter().map(|packet| Sent::of(packet)).collect();
    assert_eq!((sent.len(), &sent[0].data[..]), (1, &b"bye"[..]));
    let sent = bench.ack(1_000, ACCEPTED, syn_ack.seq + 4);
    assert_eq!((sent[0].flags, sent[0].seq), (Flags::FIN | Flags::ACK, syn_ack.seq + 4));
    assert_eq!(bench.pending(), 0);
    bench.give(1_000, (ACCEPTED, syn_ack.seq + 5), Flags::FIN | Flags::ACK, &[], &[]);
    assert_eq!(bench.net.sockets.len(), 1);
}

#[test]
fn a_listener_that_goes_leaves_nothing_behind() {
    let mut bench = Bench::new(4);
    let (handle, syn_ack) = bench.open(1_000);
    let cookie = bench.cookie();
    bench.syn(1_001, &cookie, REQUEST);
    bench.net.sockets.remove(bench.listener).unwrap();
    bench.net.poll();
    let sent = bench.net.sent();
    assert_eq!(Sent::of(&sent[0]).flags, Flags::RST | Flags::ACK, "nobody will accept it");
    assert_eq!(sent.len(), 1);
    bench.ack(1_000, ACCEPTED, syn_ack.seq + 1);
    assert_eq!(bench.socket(handle).state(), State::Established);
}

/// Covers: RFC 7413 §4.1.2
#[test]
fn addresses_of_ipv6_have_cookies_too() {
    let mut bench = Bench::new(4);
    let mut give = |src: u8, port: u8, options: &[u8]| {
        let mut segment = vec![9, port, 0, 80, 0, 0, 0, 100, 0, 0, 0, 0];
        segment.extend([(5 + options.len() as u8 / 4) << 4, 2, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend([options, REQUEST].concat());
        let (src, dst) = (ula(src), ula(1));
        let pseudo = crate::wire::checksum::pseudo_header(
            &crate::wire::Addr::v6(src),
            &crate::wire::Addr::v6(dst),
            6,
            segment.len() as u32,
        );
        let checksum = pseudo.add(crate::wire::checksum::sum(&segment)).finish();
        segment[16..18].copy_from_slice(&checksum);
        let sent = bench.net.exchange(ipv6(src, dst, 6, 64, &segment));
        assert_checksums(&sent[0]);
        // The same as a segment over IPv4, without its header.
        let header_len = usize::from(sent[0][52] >> 4) * 4;
        let ack = u32::from_be_bytes(sent[0][48..52].try_into().unwrap());
        (ack, sent[0][60..40 + header_len].to_vec())
    };
    let (ack, options) = give(2, 1, ASK);
    assert_eq!(ack, IRS + 1);
    let cookie = options[options.len() - 12..].to_vec();
    assert_eq!(cookie[2..4], [34, 10]);
    assert_eq!(give(3, 2, &cookie).0, IRS + 1, "another address");
    assert_eq!(give(2, 3, &cookie).0, ACCEPTED);
}

/// Covers: RFC 7413 §4.2.2
#[test]
fn no_more_than_the_initial_window_leaves_before_the_ack() {
    let mut bench = Bench::new(4);
    let cookie = [&bench.cookie()[..], &[2, 4, 0, 60]].concat();
    let least = u32::from(crate::config::TCP_MIN_MSS).max(60);
    bench.syn(1_000, &cookie, REQUEST);
    let handle = bench.accept().unwrap();
    bench.socket(handle).send_slice(&[0; 1_000]).unwrap();
    bench.net.poll();
    let sent: usize = bench.net.sent().iter().map(|packet| Sent::of(packet).data.len()).sum();
    assert_eq!(sent as u32, 1_000.min(crate::config::TCP_INITIAL_WINDOW * least));
}

#[test]
fn who_can_not_be_answered_is_given_up_too() {
    let mut bench = Bench::new(4);
    let cookie = bench.cookie();
    bench.net.wire.room = 0;
    bench.give(1_000, (IRS, 0), Flags::SYN, &cookie, REQUEST);
    let handle = bench.accept().unwrap();
    for _ in 0..1_000 {
        bench.net.advance(Duration::from_secs(1));
        bench.net.poll();
    }
    assert_eq!((bench.socket(handle).error(), bench.pending()), (Some(Error::TimedOut), 0));
}

#[test]
#[cfg(feature = "tcp-info")]
fn the_first_syn_ack_is_no_retransmission() {
    let mut bench = Bench::new(4);
    let (handle, _) = bench.open(1_000);
    let info = |bench: &mut Bench| {
        let now = bench.net.now;
        bench.socket(handle).info(now).unwrap()
    };
    let first = info(&mut bench);
    assert_eq!((first.total_retrans, first.bytes_received), (0, REQUEST.len() as u64));
    bench.wait();
    assert_eq!(info(&mut bench).total_retrans, 1);
}

#[test]
fn an_ack_before_the_handshake_is_over_has_a_scaled_window() {
    let mut bench = Bench::new(4);
    bench.listener().set_buffers(1 << 20, 1_000, 9);
    let cookie = [&bench.cookie()[..], &[1, 3, 3, 0]].concat();
    let syn_ack = bench.syn(1_000, &cookie, REQUEST);
    assert_eq!(syn_ack.window, 0xffff);
    bench.wait();
    // The SYN-ACK is lost, and an ACK is asked for.
    let sent = bench.give(1_000, (ACCEPTED + (1 << 21), syn_ack.seq + 1), Flags::ACK, &[], b"x");
    assert_eq!((sent.len(), sent[0].flags, sent[0].window), (1, Flags::ACK, 0xffff >> 5));
}

#[test]
fn who_has_closed_may_receive_but_not_send() {
    let mut bench = Bench::new(4);
    let (handle, syn_ack) = bench.open(1_000);
    bench.read(handle);
    bench.socket(handle).close();
    let socket = bench.socket(handle);
    assert!(!socket.may_send() && !socket.can_send() && socket.may_recv());
    assert!(socket.send_slice(b"x").is_err());
    let sent = bench.give(1_000, (ACCEPTED, syn_ack.seq + 1), Flags::ACK, &[], b"more");
    assert_eq!(sent.last().unwrap().flags, Flags::FIN | Flags::ACK);
    assert_eq!(bench.read(handle), b"more");
}

#[test]
fn nothing_runs_after_the_handshake() {
    let mut bench = Bench::new(4);
    let (handle, syn_ack) = bench.open(1_000);
    bench.ack(1_000, ACCEPTED, syn_ack.seq + 1);
    assert_eq!(bench.socket(handle).state(), State::Established);
    assert_eq!(bench.wait(), (0, vec![]));
}
