//! Requests for connections that wait until the application has decided about them.

use super::net::*;
use crate::config;
use crate::iface::{AnswerError, Budget, HandleError, Handler, HookSet, SocketHandle, SynVerdict};
use crate::socket::tcp::{HalfOpen, Listener, Socket, State};
use crate::socket::{Events, udp};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::time::{Duration, Instant};
use crate::wire::checksum::{pseudo_header, sum};
use crate::wire::tcp::Flags;
use crate::wire::{Addr, IpAddress, IpEndpoint};

/// Says the same of each request, and remembers whom it was asked about.
struct Desk {
    verdict: SynVerdict,
    asked: Vec<(IpEndpoint, IpEndpoint)>,
}

impl Handler for Desk {
    fn syn(&mut self, _listener: SocketHandle, remote: IpEndpoint, local: IpEndpoint) -> SynVerdict {
        self.asked.push((remote, local));
        self.verdict
    }

    fn hooks(&self) -> HookSet {
        HookSet::empty()
    }
}

struct Bench {
    net: Net,
    desk: Desk,
    listener: SocketHandle,
}

const LOCAL: (IpAddress, u16) = (IpAddress::v4(10, 0, 0, 1), 80);

fn remote(port: u16) -> (IpAddress, u16) {
    (IpAddress::v4(10, 0, 0, 2), port)
}

fn segment(port: u16, numbers: (u32, u32), flags: Flags) -> Vec<u8> {
    tcp4(PEER_IP, OUR_IP, (port, 80), numbers, flags, &[], &[])
}

/// Flags, sequence and acknowledgment number of a segment that was sent.
fn parts(packet: &[u8]) -> (Flags, u32, u32) {
    let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
    (Flags::from_bits_retain(packet[33]), word(24), word(28))
}

impl Bench {
    fn new(records: usize) -> Bench {
        let mut net = Net::ip();
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; records]);
        listener.set_buffers(1_000, 1_000, 100);
        let listener = net.sockets.add(listener);
        net.sockets.listen(listener, 80).unwrap();
        Bench { net, desk: Desk { verdict: SynVerdict::Wait, asked: Vec::new() }, listener }
    }

    /// What is sent in a poll.
    fn poll(&mut self) -> Vec<Vec<u8>> {
        let Net { now, iface, wire, sockets } = &mut self.net;
        iface.poll_with(*now, wire, sockets, &mut self.desk, Budget::default());
        self.net.sent()
    }

    fn give(&mut self, packet: Vec<u8>) -> Vec<Vec<u8>> {
        self.net.wire.to_stack.push_back(packet);
        self.poll()
    }

    fn syn(&mut self, port: u16, seq: u32) -> Vec<Vec<u8>> {
        self.give(segment(port, (seq, 0), Flags::SYN))
    }

    fn answer(&mut self, port: u16, verdict: SynVerdict) -> Result<(), AnswerError> {
        self.net.sockets.answer_syn(self.listener, remote(port), LOCAL, verdict)
    }

    fn waits(&self, port: u16) -> bool {
        self.net.sockets.is_syn_waiting(self.listener, remote(port), LOCAL)
    }

    fn half_open(&self) -> usize {
        self.net.sockets.get::<Listener>(self.listener).half_open_count()
    }

    fn drops(&self, reason: DropReason) -> u32 {
        self.net.iface.stats().drops(reason)
    }

    fn poll_at(&mut self) -> Option<Instant> {
        self.net.iface.poll_at(self.net.now, &mut self.net.sockets)
    }
}

#[test]
fn a_request_waits_in_silence_and_is_answered_as_soon_as_it_is_accepted() {
    let mut bench = Bench::new(4);
    assert!(bench.syn(4_000, 100).is_empty());
    assert_eq!(bench.desk.asked, [(remote(4_000).into(), LOCAL.into())]);
    for _ in 0..3 {
        bench.net.advance(Duration::from_secs(1));
        assert!(bench.syn(4_000, 100).is_empty(), "a repeat changes nothing");
    }
    assert!(bench.waits(4_000));
    assert_eq!((bench.desk.asked.len(), bench.half_open()), (1, 1));
    assert!(bench.poll_at().unwrap() > bench.net.now, "nothing to be done");
    bench.answer(4_000, SynVerdict::Accept).unwrap();
    assert_eq!(bench.poll_at(), Some(bench.net.now));
    assert!(!bench.waits(4_000));
    let sent = bench.poll();
    assert_eq!(sent.len(), 1);
    assert_checksums(&sent[0]);
    let (flags, iss, ack) = parts(&sent[0]);
    assert_eq!((flags, ack), (Flags::SYN | Flags::ACK, 101));
    assert!(bench.poll().is_empty());
    bench.net.advance(Duration::from_millis(20));
    bench.give(segment(4_000, (101, iss + 1), Flags::ACK));
    assert_eq!(bench.net.sockets.next_ready(), Some((bench.listener, Events::ACCEPTABLE)));
    let socket = bench.net.sockets.accept(bench.listener).unwrap();
    let socket = bench.net.sockets.get::<Socket>(socket);
    assert_eq!((socket.state(), socket.local_endpoint()), (State::Established, Some(LOCAL.into())));
    let rtt = socket.round_trip_time().unwrap();
    assert!(rtt < Duration::from_millis(25), "it is the client's, without the wait: {rtt}");
    let tcp = bench.net.iface.mib().tcp;
    assert_eq!((tcp.retrans_segs, bench.drops(DropReason::Undecided)), (0, 0));
}

#[test]
fn the_syn_ack_goes_again_a_second_after_the_decision() {
    let mut bench = Bench::new(4);
    bench.syn(4_000, 100);
    bench.net.advance(Duration::from_secs(30));
    bench.answer(4_000, SynVerdict::Accept).unwrap();
    assert_eq!(bench.poll().len(), 1);
    let at = bench.poll_at().unwrap();
    assert_eq!((at - bench.net.now).total_millis() / 10, 100);
    bench.net.now = at;
    assert_eq!(parts(&bench.poll()[0]).0, Flags::SYN | Flags::ACK);
}

/// Covers: RFC 9293 §3.10.7.1
#[test]
fn a_request_that_is_turned_away_gets_a_reset_with_the_right_numbers() {
    let mut bench = Bench::new(4);
    bench.syn(4_000, 100);
    bench.answer(4_000, SynVerdict::Reset).unwrap();
    assert_eq!(bench.answer(4_000, SynVerdict::Accept), Err(AnswerError::NotWaiting), "it is decided");
    let sent = bench.poll();
    assert_eq!(sent.len(), 1);
    assert_checksums(&sent[0]);
    assert_eq!(parts(&sent[0]), (Flags::RST | Flags::ACK, 0, 101));
    assert_eq!((bench.half_open(), bench.drops(DropReason::Filtered)), (0, 1));
    assert_eq!(bench.net.iface.mib().tcp.out_rsts, 1);
    assert_eq!(bench.poll_at().filter(|&at| at <= bench.net.now), None);
    bench.syn(4_000, 100);
    assert_eq!(bench.desk.asked.len(), 2, "who asks again is asked about again");
}

#[test]
fn a_request_that_is_ignored_is_forgotten() {
    let mut bench = Bench::new(4);
    bench.syn(4_000, 100);
    bench.answer(4_000, SynVerdict::Ignore).unwrap();
    assert_eq!(bench.half_open(), 0);
    assert!(bench.poll().is_empty());
    assert_eq!(bench.drops(DropReason::Filtered), 1);
    bench.syn(4_000, 100);
    assert_eq!(bench.desk.asked.len(), 2);
}

#[test]
fn a_request_waits_for_a_minute_and_repeats_do_not_prolong_it() {
    let mut bench = Bench::new(4);
    let began = bench.net.now;
    bench.syn(4_000, 100);
    bench.net.advance(Duration::from_secs(59));
    bench.syn(4_000, 100);
    bench.answer(4_000, SynVerdict::Wait).unwrap();
    bench.poll();
    let at = bench.poll_at().unwrap();
    let waited = (at - began).total_millis();
    assert!(waited.abs_diff(u64::from(config::TCP_SYN_WAIT)) < 10, "{waited} ms");
    bench.net.now = at - Duration::from_millis(2);
    assert!(bench.poll().is_empty() && bench.waits(4_000));
    bench.net.now = at;
    assert!(bench.poll().is_empty() && !bench.waits(4_000));
    assert_eq!((bench.half_open(), bench.drops(DropReason::Undecided)), (0, 1));
    for verdict in [SynVerdict::Accept, SynVerdict::Wait] {
        assert_eq!(bench.answer(4_000, verdict), Err(AnswerError::NotWaiting));
    }
    assert_eq!(bench.net.sockets.tcp_mib().attempt_fails, 1);
    assert!(bench.poll().is_empty());
}

#[test]
fn in_a_full_table_who_waits_gets_no_cookie_and_gives_way_to_newer_ones() {
    let mut bench = Bench::new(2);
    bench.syn(4_000, 100);
    bench.net.advance(Duration::from_millis(500));
    bench.syn(4_001, 100);
    assert!(bench.syn(4_002, 100).is_empty());
    assert_eq!((bench.half_open(), bench.drops(DropReason::BacklogFull)), (2, 1));
    bench.net.advance(Duration::from_millis(600));
    bench.syn(4_002, 100);
    let waiting: Vec<_> = (4_000..4_003).filter(|&port| bench.waits(port)).collect();
    assert_eq!(
        (waiting, bench.drops(DropReason::Undecided)),
        (vec![4_001, 4_002], 1),
        "the oldest had to go"
    );
    assert_eq!(bench.answer(4_000, SynVerdict::Accept), Err(AnswerError::NotWaiting));
    // To one that need not wait as well.
    bench.desk.verdict = SynVerdict::Accept;
    bench.net.advance(Duration::from_secs(2));
    assert_eq!(bench.syn(4_003, 100).len(), 1);
    assert!(!bench.waits(4_001));
    assert_eq!(bench.drops(DropReason::Undecided), 2);
    // What is decided stays.
    bench.answer(4_002, SynVerdict::Accept).unwrap();
    bench.net.advance(Duration::from_secs(2));
    assert_eq!(bench.syn(4_004, 100).len(), 2);
    assert_eq!(bench.half_open(), 2);
}

/// Covers: RFC 5961 §3.2
#[test]
fn only_a_reset_with_the_right_number_ends_the_wait() {
    let mut bench = Bench::new(4);
    bench.syn(4_000, 100);
    let sent = bench.give(segment(4_000, (101, 7), Flags::ACK));
    assert_eq!(parts(&sent[0]), (Flags::RST, 7, 0), "nothing was sent that it could acknowledge");
    for seq in [100, 102, 0] {
        assert!(bench.give(segment(4_000, (seq, 0), Flags::RST)).is_empty());
        assert!(bench.waits(4_000));
    }
    assert!(bench.give(segment(4_000, (101, 0), Flags::RST)).is_empty());
    assert!(!bench.waits(4_000));
    assert_eq!(bench.half_open(), 0);
    assert_eq!(bench.answer(4_000, SynVerdict::Accept), Err(AnswerError::NotWaiting));
    // Nor is anything sent if it comes between decision and poll.
    for verdict in [SynVerdict::Accept, SynVerdict::Reset] {
        bench.syn(4_000, 100);
        bench.answer(4_000, verdict).unwrap();
        assert!(bench.give(segment(4_000, (101, 0), Flags::RST)).is_empty());
        assert!(bench.poll_at().is_none_or(|at| at > bench.net.now));
    }
}

#[test]
fn a_repeat_of_what_is_answered_gets_the_same_answer_and_a_new_request_is_asked_about() {
    let mut bench = Bench::new(4);
    bench.syn(4_000, 100);
    bench.answer(4_000, SynVerdict::Accept).unwrap();
    // It comes before the answer can go: one is enough.
    let first = bench.syn(4_000, 100);
    assert_eq!(first.len(), 1);
    let again = bench.syn(4_000, 100);
    assert_eq!((parts(&again[0]), bench.desk.asked.len()), (parts(&first[0]), 1));
    assert!(bench.syn(4_000, 900).is_empty());
    assert_eq!((bench.desk.asked.len(), bench.half_open()), (2, 1));
    bench.answer(4_000, SynVerdict::Accept).unwrap();
    assert_eq!(parts(&bench.poll()[0]).2, 901);
}

#[test]
fn of_several_syns_the_newest_counts() {
    let mut bench = Bench::new(4);
    bench.syn(4_000, 100);
    bench.syn(4_000, 900);
    assert_eq!((bench.desk.asked.len(), bench.half_open()), (1, 1));
    bench.answer(4_000, SynVerdict::Reset).unwrap();
    assert_eq!(parts(&bench.poll()[0]).2, 901);
}

#[test]
fn all_that_were_decided_are_answered_in_one_poll() {
    let count = 3 * config::PACKETS_PER_TURN as u16;
    let mut bench = Bench::new(usize::from(count));
    for port in 0..count {
        bench.syn(4_000 + port, 100);
    }
    for port in 0..count {
        let verdict = if port % 3 == 0 { SynVerdict::Reset } else { SynVerdict::Accept };
        bench.answer(4_000 + port, verdict).unwrap();
    }
    let sent = bench.poll();
    let resets = sent.iter().filter(|packet| parts(packet).0.contains(Flags::RST)).count();
    assert_eq!((sent.len(), resets), (usize::from(count), usize::from(count) / 3));
    assert_eq!(bench.drops(DropReason::Filtered), u32::from(count) / 3);
    assert!(bench.poll().is_empty());
}

#[test]
fn who_closes_or_goes_has_nobody_waiting() {
    let mut bench = Bench::new(4);
    bench.syn(4_000, 100);
    bench.net.sockets.get_mut::<Listener>(bench.listener).close();
    assert!(!bench.waits(4_000));
    assert_eq!(bench.answer(4_000, SynVerdict::Accept), Err(AnswerError::NotWaiting));
    assert!(bench.poll().is_empty());
    bench.net.sockets.listen(bench.listener, 80).unwrap();
    bench.syn(4_000, 100);
    let listener = bench.net.sockets.remove(bench.listener);
    assert!(listener.is_some() && !bench.waits(4_000));
    let stale = AnswerError::Handle(HandleError::Stale);
    assert_eq!(bench.answer(4_000, SynVerdict::Accept), Err(stale));
    assert!(bench.poll().is_empty());
}

#[test]
fn a_decision_about_nobody_is_an_error() {
    let mut bench = Bench::new(4);
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 1], vec![0; 10]);
    let other = bench.net.sockets.add(udp::Socket::new(buffer(), buffer()));
    bench.syn(4_000, 100);
    let sockets = &mut bench.net.sockets;
    let wrong = sockets.answer_syn(other, remote(4_000), LOCAL, SynVerdict::Accept);
    assert_eq!(wrong, Err(AnswerError::Handle(HandleError::WrongKind)));
    assert!(!sockets.is_syn_waiting(other, remote(4_000), LOCAL));
    let elsewhere = (IpAddress::v4(10, 0, 0, 3), 80);
    for (remote, local) in [(remote(4_001), LOCAL), (remote(4_000), elsewhere), (LOCAL, remote(4_000))] {
        let answer = sockets.answer_syn(bench.listener, remote, local, SynVerdict::Accept);
        assert_eq!(answer, Err(AnswerError::NotWaiting));
        assert!(!sockets.is_syn_waiting(bench.listener, remote, local));
    }
    assert!(bench.waits(4_000) && bench.poll().is_empty());
}

/// It has no place to keep one.
#[test]
fn a_socket_that_listens_for_itself_ignores_who_is_to_wait() {
    let mut bench = Bench::new(4);
    let buffer = || SocketBuffer::new(vec![0; 1_000]);
    let socket = bench.net.sockets.add(Socket::new(buffer(), buffer()));
    bench.net.sockets.listen(socket, 81).unwrap();
    assert!(bench.give(tcp4(PEER_IP, OUR_IP, (4_000, 81), (5, 0), Flags::SYN, &[], &[])).is_empty());
    assert_eq!((bench.desk.asked.len(), bench.drops(DropReason::Filtered)), (1, 1));
    assert!(bench.net.sockets.get::<Socket>(socket).is_listening());
    bench.give(segment(4_000, (5, 0), Flags::SYN | Flags::FIN));
    assert_eq!(bench.half_open(), 0, "nobody asks so");
}

#[test]
fn a_link_local_client_is_named_with_its_zone() {
    let mut bench = Bench::new(4);
    let address = |last: u8| [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    let mut syn = [&4_000_u16.to_be_bytes()[..], &80_u16.to_be_bytes()].concat();
    syn.extend([0, 0, 0, 100, 0, 0, 0, 0, 5 << 4, Flags::SYN.bits(), 0xff, 0xff, 0, 0, 0, 0]);
    let pseudo = pseudo_header(&Addr::v6(address(2)), &Addr::v6(address(1)), 6, syn.len() as u32);
    let checksum = pseudo.add(sum(&syn)).finish();
    syn[16..18].copy_from_slice(&checksum);
    bench.give(ipv6(address(2), address(1), 6, 64, &syn));
    let (remote, local) = bench.desk.asked[0];
    assert_eq!(remote.zone, Some(0));
    let sockets = &mut bench.net.sockets;
    let nowhere = IpEndpoint { zone: None, ..remote };
    let answer = sockets.answer_syn(bench.listener, nowhere, local, SynVerdict::Accept);
    assert_eq!(answer, Err(AnswerError::NotWaiting));
    sockets.answer_syn(bench.listener, remote, local, SynVerdict::Accept).unwrap();
    assert_eq!(bench.poll().len(), 1);
}
