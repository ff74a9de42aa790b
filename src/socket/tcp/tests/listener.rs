//! The listener and its records.

use super::*;
use crate::socket::tcp::Decision;

pub(super) struct Bench {
    pub(super) now: Instant,
    pub(super) keys: Keys,
    pub(super) listener: Listener<'static>,
}

pub(super) fn tuple(port: u16) -> Tuple {
    Tuple { local: addr(1), remote: addr(2), local_port: 80, remote_port: port, zone: 0 }
}

pub(super) fn syn(seq: u32) -> Segment<'static> {
    Segment {
        seq: SeqNum(seq),
        ack: SeqNum(0),
        flags: Flags::SYN,
        window: 1_000,
        options: Options { mss: 1_460, window_scale: 7, sack_permitted: true },
        area: &[],
        stamp: Stamp::NONE,
        mark: Mark::NONE,
        payload: &[],
    }
}

impl Bench {
    pub(super) fn new(records: usize) -> Bench {
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; records]);
        listener.set_receive_len(1 << 18);
        listener.listen(80).unwrap();
        Bench { now: Instant::from_secs(50), keys: Keys::new([1; 32]), listener }
    }

    pub(super) fn syn(&mut self, port: u16) -> Option<Plan> {
        self.request(port, &syn(u32::from(port)))
    }

    /// The answer to `seg`, with what the listener said of it.
    pub(super) fn give(&mut self, port: u16, seg: &Segment<'_>) -> (Verdict, Plan) {
        let cx = context!(self.keys, self.now, MTU);
        let mut reply = Plan::none();
        let verdict = self.listener.process(&cx, &tuple(port), seg, &mut reply);
        (verdict, reply)
    }

    fn request(&mut self, port: u16, seg: &Segment<'_>) -> Option<Plan> {
        let (verdict, reply) = self.give(port, seg);
        (verdict == Verdict::Reply).then_some(reply)
    }

    fn segment(&mut self, port: u16, seg: &Segment<'_>) -> Verdict {
        self.give(port, seg).0
    }

    /// The last ACK of the handshake, with the first request.
    pub(super) fn ack(&mut self, port: u16, syn_ack: &Plan) -> Verdict {
        self.segment(port, &request(syn_ack))
    }

    pub(super) fn retransmits(&mut self) -> Vec<(Tuple, Plan)> {
        let cx = context!(self.keys, self.now, MTU);
        let mut plan = Plan::none();
        core::iter::from_fn(|| {
            self.listener.next_retransmit(&cx, &mut plan).copied().map(|tuple| (tuple, plan))
        })
        .collect()
    }
}

pub(super) fn request(syn_ack: &Plan) -> Segment<'static> {
    Segment {
        seq: syn_ack.ack,
        ack: syn_ack.seq + 1,
        flags: Flags::ACK,
        window: 500,
        options: Options::NONE,
        area: &[],
        stamp: Stamp::NONE,
        mark: Mark::NONE,
        payload: b"GET /",
    }
}

#[test]
fn a_record_becomes_a_connection_with_its_first_request() {
    let mut bench = Bench::new(4);
    let syn_ack = bench.syn(1_000).unwrap();
    assert_eq!(syn_ack.flags, Flags::SYN | Flags::ACK);
    assert_eq!((syn_ack.ack, syn_ack.window), (SeqNum(1_001), 0xffff));
    assert_eq!((syn_ack.options.mss, syn_ack.options.window_scale), (1_460, 3));
    let Verdict::Complete(index) = bench.ack(1_000, &syn_ack) else { panic!() };
    let mut socket = socket(1 << 18, 10_000);
    let cx = context!(bench.keys, bench.now, MTU);
    let events = socket.open_from(&cx, &bench.listener.complete(usize::from(index)).unwrap(), false);
    assert!(events.contains(Events::CONNECTED));
    assert_eq!(socket.tuple(), Some(&tuple(1_000)));
    let out = socket.process(&cx, &request(&syn_ack), None);
    assert!(out.events.contains(Events::READABLE));
    bench.listener.forget(usize::from(index));
    assert_eq!(bench.listener.half_open_count(), 0);
    assert_eq!(socket.state(), State::Established);
    assert_eq!(read_all(&mut socket), b"GET /");
    // The peer's window is scaled by what its SYN said.
    socket.send_slice(&[0; 10_000]).unwrap();
    let plan = socket.decide(&cx).unwrap();
    assert_eq!((plan.seq, plan.len), (syn_ack.seq + 1, 1_460));
}

#[test]
fn a_repeated_syn_gets_the_same_answer() {
    let mut bench = Bench::new(4);
    let first = bench.syn(1_000).unwrap();
    bench.now += millis(100);
    let again = bench.syn(1_000).unwrap();
    assert_eq!((again.seq, again.kind), (first.seq, Kind::SynAckRetransmit));
    assert_eq!(bench.listener.half_open_count(), 1);
    let other = bench.request(1_000, &syn(77)).unwrap();
    assert_eq!(other.ack, SeqNum(78), "a new request from the same port");
    assert_eq!(bench.listener.half_open_count(), 1);
}

#[test]
fn a_syn_ack_is_repeated_five_times() {
    let mut bench = Bench::new(2);
    bench.syn(1_000);
    let mut waits = Vec::new();
    let mut count = 0;
    while let Some(at) = bench.listener.deadline() {
        let at = at.to_instant(bench.now);
        waits.push(at.saturating_duration_since(bench.now).total_millis() / 1_000);
        bench.now = at;
        count += bench.retransmits().len();
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32]);
    assert_eq!(count, 5);
    assert_eq!(bench.listener.half_open_count(), 0);
}

#[test]
fn a_full_table_drops_young_requests_and_evicts_old_ones() {
    let mut bench = Bench::new(2);
    // Without room behind the table there are no cookies.
    bench.listener.set_backlog(0);
    bench.syn(1_000);
    bench.now += millis(500);
    let second = bench.syn(1_001).unwrap();
    assert_eq!(bench.syn(1_002), None);
    bench.now += millis(600);
    assert!(bench.syn(1_002).is_some(), "the oldest has had its second");
    assert!(matches!(bench.ack(1_001, &second), Verdict::Complete(_)));
    assert!(matches!(bench.segment(1_000, &request(&second)), Verdict::Refuse(_)));
}

#[test]
#[cfg(feature = "tcp-cookies")]
fn without_cookies_the_oldest_gives_way_at_once() {
    let mut bench = Bench::new(2);
    bench.listener.set_cookies(false);
    bench.syn(1_000);
    bench.now += millis(2);
    let second = bench.syn(1_001).unwrap();
    bench.now += millis(2);
    let third = bench.syn(1_002).unwrap();
    assert_eq!(bench.listener.half_open_count(), 2);
    assert!(matches!(bench.segment(1_000, &request(&second)), Verdict::Refuse(_)), "it gave way");
    assert!(matches!(bench.ack(1_001, &second), Verdict::Complete(_)));
    assert!(matches!(bench.ack(1_002, &third), Verdict::Complete(_)));
}

#[test]
fn a_complete_connection_without_a_socket_is_kept() {
    let mut bench = Bench::new(1);
    bench.listener.set_backlog(0);
    let syn_ack = bench.syn(1_000).unwrap();
    let Verdict::Complete(index) = bench.ack(1_000, &syn_ack) else { panic!() };
    assert!(bench.listener.complete(usize::from(index)).is_none(), "nobody may wait to be accepted");
    bench.now += Duration::from_secs(100);
    assert_eq!(bench.syn(1_001), None, "it is never evicted");
    // It is reminded, and when the client answers it is still there.
    let mut reminders = 0;
    for _ in 0..60 {
        bench.now += Duration::from_secs(1);
        reminders += bench.retransmits().len();
    }
    assert!(reminders >= 10, "{reminders}");
    assert!(matches!(bench.ack(1_000, &syn_ack), Verdict::Complete(_)));
    assert_eq!(bench.listener.next_acked(), Some(usize::from(index)));
    bench.listener.set_backlog(1);
    // Without a segment at hand the socket is established from the record alone.
    let mut socket = socket(1 << 18, 1_000);
    let cx = context!(bench.keys, bench.now, MTU);
    let events = socket.open_from(&cx, &bench.listener.complete(usize::from(index)).unwrap(), true);
    assert!(events.contains(Events::CONNECTED));
    assert_eq!(socket.state(), State::Established);
    assert_eq!(socket.decide(&cx).unwrap().ack, SeqNum(1_001));
    // Not for ever.
    bench.now += Duration::from_secs(60);
    assert!(bench.retransmits().is_empty());
    assert_eq!(bench.listener.half_open_count(), 0);
    assert_eq!(bench.listener.deadline(), None);
}

#[test]
fn a_record_believes_only_the_right_numbers() {
    let mut bench = Bench::new(1);
    let syn_ack = bench.syn(1_000).unwrap();
    let good = request(&syn_ack);
    let verdict = bench.segment(1_000, &Segment { ack: good.ack + 1, ..good });
    assert!(matches!(verdict, Verdict::Refuse(_)));
    for seq in [good.seq - 1, good.seq + (1 << 18) + 1] {
        let (verdict, plan) = bench.give(1_000, &Segment { seq, ..good });
        assert_eq!((verdict, plan.flags), (Verdict::Reply, Flags::ACK));
    }
    for (seq, flags) in [(good.seq + 1, Flags::RST), (good.seq, Flags::empty())] {
        let verdict = bench.segment(1_000, &Segment { seq, flags, ..good });
        assert!(matches!(verdict, Verdict::Drop(_)));
    }
    assert_eq!(bench.listener.half_open_count(), 1);
    bench.segment(1_000, &Segment { flags: Flags::RST, ..good });
    assert_eq!(bench.listener.half_open_count(), 0);
}

#[test]
fn nonsense_at_a_listening_port_is_reset_or_dropped() {
    let mut bench = Bench::new(1);
    for flags in [Flags::SYN | Flags::ACK, Flags::SYN | Flags::FIN, Flags::SYN | Flags::RST] {
        let seg = Segment { flags, ..syn(1) };
        let verdict = bench.segment(1, &seg);
        let reply = Outcome { verdict, ..Outcome::NONE }.reply_to(&seg);
        assert_eq!(reply.is_some(), !flags.contains(Flags::RST));
    }
    assert_eq!(bench.listener.half_open_count(), 0);
}

#[test]
fn a_client_that_does_not_scale_is_not_scaled_for() {
    let mut bench = Bench::new(1);
    let plain = Segment { options: Options::NONE, ..syn(5) };
    let syn_ack = bench.request(9, &plain).unwrap();
    assert_eq!(syn_ack.options.window_scale, 0xff);
    let Verdict::Complete(index) = bench.ack(9, &syn_ack) else { panic!() };
    let cx = context!(bench.keys, bench.now, MTU);
    let mut socket = socket(1 << 18, 10_000);
    socket.open_from(&cx, &bench.listener.complete(usize::from(index)).unwrap(), false);
    socket.process(&cx, &request(&syn_ack), None);
    socket.send_slice(&[0; 5_000]).unwrap();
    let plan = socket.decide(&cx).unwrap();
    assert!(plan.window > 0xff00 && plan.len == 500, "an octet is an octet: {plan:?}");
}

#[test]
fn a_listener_is_opened_and_closed() {
    let mut bench = Bench::new(1);
    assert_eq!(bench.listener.listen(81), Err(ListenError::InvalidState));
    assert_eq!(bench.listener.listen_endpoint(), Some(80.into()));
    bench.syn(1);
    bench.listener.close();
    assert_eq!((bench.listener.half_open_count(), bench.listener.deadline()), (0, None));
    assert!(!bench.listener.is_listening());
    assert_eq!(bench.listener.listen(0), Err(ListenError::Unaddressable));
    bench.listener.listen(81).unwrap();
}

/// A client whose clock shows `value`, and who has seen `echo` of ours.
fn stamped_at(seg: Segment<'_>, value: u32, echo: u32) -> Segment<'_> {
    Segment { stamp: Stamp::new(value, echo), ..seg }
}

/// Covers: RFC 7323 §3.2
#[test]
fn a_record_keeps_the_clock_of_the_syn() {
    let mut bench = Bench::new(1);
    let first = bench.request(9, &stamped_at(syn(5), 700, 0)).unwrap();
    assert_eq!((first.stamp.is_there, first.stamp.echo), (true, 700));
    bench.now = bench.listener.deadline().unwrap().to_instant(bench.now);
    let (_, again) = bench.retransmits()[0];
    assert_eq!(again.stamp.echo, 700);
    let waited = again.stamp.value.wrapping_sub(first.stamp.value);
    assert!((976..=978).contains(&waited), "the clock goes on: {waited}");
    let outside = Segment { seq: again.ack - 1, ..stamped_at(request(&again), 701, again.stamp.value) };
    assert!(bench.request(9, &outside).unwrap().stamp.is_there);
    let ack = stamped_at(request(&again), 702, again.stamp.value);
    let Verdict::Complete(index) = bench.segment(9, &ack) else { panic!() };
    let cx = context!(bench.keys, bench.now, MTU);
    // The listener has granted them, whatever the socket would.
    let mut socket = socket(1 << 18, 10_000);
    socket.open_from(&cx, &bench.listener.complete(usize::from(index)).unwrap(), false);
    assert!(socket.process(&cx, &ack, None).is_taken());
    socket.send_slice(&[0; 5_000]).unwrap();
    let plan = socket.decide(&cx).unwrap();
    assert_eq!((plan.stamp.echo, plan.header_len()), (702, 32));
    assert!(!socket.process(&cx, &stamped_at(request(&again), 699, 0), None).is_taken());
}

#[test]
fn a_listener_that_wants_no_stamps_grants_none() {
    let mut bench = Bench::new(1);
    bench.listener.set_timestamps_enabled(false);
    assert!(!bench.listener.timestamps_enabled());
    let syn_ack = bench.request(9, &stamped_at(syn(5), 700, 0)).unwrap();
    assert_eq!(syn_ack.stamp, Stamp::NONE);
}

/// Covers: RFC 4987 §3.6
#[test]
#[cfg(feature = "tcp-cookies")]
fn a_cookie_with_a_stamp_keeps_scale_and_selective_acknowledgments() {
    for is_wanted in [true, false] {
        let mut bench = Bench::new(0);
        bench.listener.set_timestamps_enabled(is_wanted);
        let syn_ack = bench.request(9, &stamped_at(syn(5), 700, 0)).unwrap();
        let scale = if is_wanted { 3 } else { 0xff };
        assert_eq!((syn_ack.options.window_scale, syn_ack.options.sack_permitted), (scale, is_wanted));
        bench.now += millis(30);
        let ack = stamped_at(request(&syn_ack), 730, syn_ack.stamp.value | 0x27);
        let Verdict::Complete(index) = bench.segment(9, &ack) else { panic!() };
        let half = bench.listener.complete(usize::from(index)).unwrap();
        assert_eq!(half.options().window_scale, if is_wanted { 7 } else { 0xff });
        assert_eq!(half.options().sack_permitted, is_wanted);
        assert_eq!(half.stamp().is_there, is_wanted);
    }
}

/// Covers: RFC 6298 §2.2; RFC 6928 §2
#[test]
#[cfg(all(feature = "tcp-cookies", feature = "tcp-cubic"))]
fn a_cookie_with_a_stamp_tells_the_round_trip() {
    let begun = |millis_after: i64, is_wanted: bool, change: u32| {
        let mut bench = Bench::new(0);
        bench.listener.set_timestamps_enabled(is_wanted);
        let syn_ack = bench.request(9, &stamped_at(syn(5), 700, 0)).unwrap();
        bench.now += millis(millis_after as u64);
        let ack = stamped_at(request(&syn_ack), 730, syn_ack.stamp.value.wrapping_add(change));
        let Verdict::Complete(index) = bench.segment(9, &ack) else { panic!() };
        let half = bench.listener.complete(usize::from(index)).unwrap();
        let mut socket = socket(1 << 18, 1_000);
        socket.open_from(&context!(bench.keys, bench.now, MTU), &half, false);
        let Phase::Connection(connection) = &socket.phase else { panic!() };
        let segments = connection.control.window() / connection.mss(&context!(bench.keys, bench.now, MTU));
        (segments, connection.rtt.rto())
    };
    for after in [1, 30, 500, 5_000] {
        let (segments, timeout) = begun(after, true, 0);
        assert_eq!(segments, config::TCP_INITIAL_WINDOW);
        // The round trip, and four times half of it; stamps tell it to within 64 ticks.
        let least = 3 * after as u32 * 1_000 / 1_024;
        assert!((least.max(190)..=(least + 3 * 66).max(200)).contains(&timeout), "{after} ms: {timeout}");
    }
    let unknown = (1, 3 * crate::time::TICKS_PER_SEC);
    assert_eq!(begun(30, false, 0), unknown, "no stamps");
    assert_eq!(begun(31_000, true, 0), unknown, "after longer than any round trip");
    assert_eq!(begun(30, true, 1_000), unknown, "a stamp that is yet to come");
    assert_eq!(begun(30, true, 1 << 31), unknown, "one that was never ours");
}

#[test]
#[cfg(feature = "tcp-cookies")]
fn a_cookie_grants_what_the_template_says() {
    for is_wanted in [true, false] {
        let mut bench = Bench::new(0);
        let mut template = Socket::template();
        template.set_sack_enabled(is_wanted);
        bench.listener.set_template(&template);
        let syn_ack = bench.request(9, &stamped_at(syn(5), 700, 0)).unwrap();
        assert_eq!((syn_ack.options.window_scale, syn_ack.options.sack_permitted), (3, is_wanted));
        bench.now += millis(30);
        let ack = stamped_at(request(&syn_ack), 730, syn_ack.stamp.value | 0x27);
        let Verdict::Complete(index) = bench.segment(9, &ack) else { panic!() };
        let half = bench.listener.complete(usize::from(index)).unwrap();
        assert_eq!(half.options().sack_permitted, is_wanted, "though the client claims otherwise");
    }
}

/// Covers: RFC 9293 §3.10.7.2
#[test]
fn nothing_acknowledges_a_request_that_waits() {
    let mut bench = Bench::new(1);
    let cx = context!(bench.keys, bench.now, MTU);
    assert_eq!(bench.listener.keep_waiting(&cx, &tuple(9), &syn(5)), Verdict::Taken);
    // Who could guess the number that will be sent.
    let iss = bench.listener.half_open[0].iss;
    let ack = Segment { seq: SeqNum(6), ack: iss + 1, flags: Flags::ACK, ..syn(5) };
    for decision in [None, Some(Decision::Accept)] {
        if let Some(decision) = decision {
            assert!(bench.listener.decide(&tuple(9), decision));
        }
        assert!(matches!(bench.segment(9, &ack), Verdict::Refuse(_)));
    }
    assert_eq!(bench.listener.half_open_count(), 1);
}
