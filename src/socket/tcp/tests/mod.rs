//! Tests of the connection: two sockets, a wire between them, virtual time.
//!
//! [`Pair`] lets a script decide what happens to each segment; [`Peer`] is one socket and hand-made
//! segments. Files by theme.

mod acceptance;
mod autotune;
#[cfg(feature = "tcp-bbr")]
mod bbr;
mod close;
mod ecn;
mod establish;
#[cfg(feature = "tcp-fastopen")]
mod fast_open;
mod half_open;
mod hostile;
mod hystart;
#[cfg(feature = "tcp-info")]
mod info;
mod linger;
mod listener;
mod loss;
mod misbehaving;
mod pace;
mod pmtu;
mod probe;
mod rack;
mod random;
mod recovery;
mod reports;
mod sack;
mod send_ref;
mod settings;
mod stamps;
mod timers;
mod transfer;
mod undo;
#[cfg(feature = "tcp-uto")]
mod uto;
mod validation;
mod window;

use std::boxed::Box;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::rand::Keys;
use crate::time::Instant;
use crate::wire::checksum;
use crate::wire::tcp::{Flags, Options, SeqNum};

const MTU: u16 = 1_500;
const MSS: usize = 1_460;

fn addr(last: u8) -> Addr {
    to_addr(IpAddress::v4(192, 0, 2, last)).unwrap_or_else(|| v6(last))
}

#[cfg(feature = "proto-ipv6")]
fn v6(last: u8) -> Addr {
    Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])
}

#[cfg(not(feature = "proto-ipv6"))]
fn v6(_: u8) -> Addr {
    unreachable!("IPv4 is built in")
}

/// Without timestamps, so that segments have their full size.
fn socket(rx: usize, tx: usize) -> Socket<'static> {
    let mut socket = stamped(rx, tx);
    socket.set_timestamps_enabled(false);
    socket
}

/// Without pacing, so that what may go goes at once.
fn stamped(rx: usize, tx: usize) -> Socket<'static> {
    let mut socket = Socket::new(SocketBuffer::new(vec![0; rx]), SocketBuffer::new(vec![0; tx]));
    socket.set_pacing_enabled(false);
    socket
}

fn endpoint(last: u8, port: u16) -> IpEndpoint {
    to_endpoint(addr(last), port)
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A context at `now`.
macro_rules! context {
    ($keys:expr, $now:expr, $mtu:expr) => {
        Context { now: $now, ticks: Ticks::from_instant($now), ip_mtu: $mtu, burst_len: 0, keys: &$keys }
    };
}
use context;

/// What the script does to a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pass,
    Drop,
    /// Arrives so many ms later than others.
    Late(u64),
    Twice,
    /// Arrives with a mark, if it can be marked.
    Marked,
}

/// A segment that was sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Instant,
    from: usize,
    plan: Plan,
}

struct Flying {
    at: Instant,
    to: usize,
    octets: Vec<u8>,
    mark: Mark,
}

type Script = Box<dyn FnMut(&Sent) -> Fate>;

impl Socket<'_> {
    /// The segment that should leave now.
    fn decide(&mut self, cx: &Context<'_>) -> Option<Plan> {
        let mut plan = Plan::none();
        self.plan(cx, &mut plan).then_some(plan)
    }
}

impl Outcome {
    /// The reset that answers `seg` at once.
    fn reply_to(self, seg: &Segment<'_>) -> Option<Plan> {
        let is_refused = matches!(self.verdict, Verdict::Refuse(_));
        Some(seg).filter(|_| is_refused).and_then(reset_for)
    }

    fn is_taken(self) -> bool {
        self.verdict == Verdict::Taken
    }
}

/// What congestion control lets go, and where it ends slow start.
fn windows(socket: &Socket<'_>) -> (u32, u32) {
    let Phase::Connection(connection) = &socket.phase else { panic!("there is no connection") };
    (connection.control.window(), connection.control.threshold())
}

fn reset_for(seg: &Segment<'_>) -> Option<Plan> {
    let mut plan = Plan::none();
    plan_reset(seg, &mut plan).then_some(plan)
}

/// Two sockets with a wire between them.
struct Pair {
    now: Instant,
    keys: Keys,
    ends: [Socket<'static>; 2],
    mtu: u16,
    delay: Duration,
    burst_len: u32,
    wire: VecDeque<Flying>,
    script: Script,
    log: Vec<Sent>,
    events: [Events; 2],
}

const A: usize = 0;
const B: usize = 1;

fn parse<'f>(octets: &'f [u8]) -> (u16, u16, Segment<'f>) {
    let (header, area, payload) = crate::wire::tcp::parse(octets).unwrap();
    let (mut options, mut stamp) = (Options::NONE, Stamp::NONE);
    let area = stamp.strip(area);
    stamp.parse(area, &mut options).unwrap();
    let segment = Segment {
        seq: header.seq(),
        ack: header.ack(),
        flags: header.flags(),
        window: header.window(),
        options,
        stamp,
        mark: Mark::NONE,
        area,
        payload,
    };
    (header.src_port(), header.dst_port(), segment)
}

impl Pair {
    fn of(a: Socket<'static>, b: Socket<'static>) -> Pair {
        Pair {
            now: Instant::from_secs(1_000),
            keys: Keys::new([7; 32]),
            ends: [a, b],
            mtu: MTU,
            delay: millis(10),
            burst_len: 0,
            wire: VecDeque::new(),
            script: Box::new(|_| Fate::Pass),
            log: Vec::new(),
            events: [Events::empty(); 2],
        }
    }

    fn new(rx: usize, tx: usize) -> Pair {
        Pair::of(socket(rx, tx), socket(rx, tx))
    }

    /// B listens, A connects; both are established.
    fn established(rx: usize, tx: usize) -> Pair {
        Pair::new(rx, tx).into_established()
    }

    /// The same without selective acknowledgments.
    fn established_without_sack(rx: usize, tx: usize) -> Pair {
        let mut pair = Pair::new(rx, tx);
        pair.ends[A].set_sack_enabled(false);
        pair.into_established()
    }

    fn into_established(self) -> Pair {
        let mut pair = self;
        pair.open();
        pair.run(millis(35));
        assert_eq!(pair.states(), [State::Established; 2]);
        pair.log.clear();
        pair
    }

    /// B listens, A connects.
    fn open(&mut self) {
        self.ends[B].listen(80).unwrap();
        self.ends[A].connect(endpoint(2, 80), 49_152).unwrap();
        self.settle(A);
    }

    fn settle(&mut self, end: usize) {
        let cx = context!(self.keys, self.now, self.mtu);
        let port = self.ends[end].wish().unwrap().local_port;
        self.ends[end].settle(&cx, addr(end as u8 + 1), port);
    }

    /// Lets `script` decide from now on; it is told the number of the segment, from 0.
    fn script(&mut self, mut script: impl FnMut(usize, &Sent) -> Fate + 'static) {
        let mut n = 0;
        self.script = Box::new(move |sent| {
            n += 1;
            script(n - 1, sent)
        });
    }

    fn states(&self) -> [State; 2] {
        [self.ends[A].state(), self.ends[B].state()]
    }

    fn send_plan(&mut self, from: usize, plan: Plan, octets: Vec<u8>) {
        let sent = Sent { at: self.now, from, plan };
        self.log.push(sent);
        assert!(self.log.len() < 200_000, "no end of segments");
        let (mut at, mut mark) = (self.now + self.delay, self.ends[from].mark_for(&plan));
        match (self.script)(&sent) {
            Fate::Pass => {}
            Fate::Drop => return,
            Fate::Late(ms) => at += millis(ms),
            Fate::Twice => self.wire.push_back(Flying { at, to: 1 - from, octets: octets.clone(), mark }),
            Fate::Marked if mark != Mark::NONE => mark = Mark::EXPERIENCED,
            Fate::Marked => {}
        }
        self.wire.push_back(Flying { at, to: 1 - from, octets, mark });
    }

    /// Sends all that an end wants to send now.
    fn flush(&mut self, end: usize) {
        let keys = self.keys.clone();
        let cx = Context { burst_len: self.burst_len, ..context!(keys, self.now, self.mtu) };
        self.events[end] |= self.ends[end].on_timer(&cx);
        let before = self.ends[end].deadline(cx.ticks);
        self.events[end] |= self.ends[end].on_timer(&cx);
        assert_eq!(self.ends[end].deadline(cx.ticks), before, "on_timer settles in one call");
        for count in 0.. {
            assert!(count < 10_000, "decide never ends");
            let Some(plan) = self.ends[end].decide(&cx) else { break };
            assert!(plan.total_len() <= usize::from(self.mtu - 20).max(self.burst_len as usize + 60));
            let mut octets = vec![0xff; plan.total_len()];
            let sum = self.ends[end].emit(&plan, true, &mut octets);
            assert_eq!(sum.finish(), checksum::sum(&octets).finish());
            self.ends[end].on_sent(&cx, &plan);
            self.send_plan(end, plan, octets);
        }
        let due = self.ends[end].deadline(cx.ticks);
        assert!(due.is_none_or(|at| !at.is_due(cx.ticks)), "what was done stays done");
    }

    /// Gives the end a segment, as the engine would.
    fn deliver(&mut self, to: usize, octets: &[u8], mark: Mark) {
        let cx = context!(self.keys, self.now, self.mtu);
        let (src, dst, seg) = parse(octets);
        let seg = Segment { mark, ..seg };
        let tuple = Tuple {
            local: addr(to as u8 + 1),
            remote: addr(2 - to as u8),
            local_port: dst,
            remote_port: src,
            zone: 0,
        };
        let socket = &mut self.ends[to];
        let out = if socket.tuple() == Some(&tuple) {
            socket.process(&cx, &seg, None)
        } else if socket.listen_key().is_some_and(|key| key.filed_at() == dst) {
            socket.accept_syn(&cx, &tuple, &seg)
        } else {
            Outcome::REFUSED
        };
        self.events[to] |= out.events;
        if let Some(plan) = out.reply_to(&seg) {
            let mut octets = vec![0xff; plan.total_len()];
            emit_control(&plan, dst, src, &mut octets);
            self.send_plan(to, plan, octets);
        }
    }

    /// The next time at which something happens.
    fn next_at(&self) -> Option<Instant> {
        let ticks = Ticks::from_instant(self.now);
        let deadlines =
            self.ends.iter().filter_map(|end| end.deadline(ticks)).map(|at| at.to_instant(self.now));
        deadlines.chain(self.wire.iter().map(|flying| flying.at)).min()
    }

    /// All that happens now.
    fn step(&mut self) {
        // What arrives now, in the order it was sent.
        let mut i = 0;
        while i < self.wire.len() {
            if self.wire[i].at <= self.now {
                let flying = self.wire.remove(i).unwrap();
                self.deliver(flying.to, &flying.octets, flying.mark);
            } else {
                i += 1;
            }
        }
        self.flush(A);
        self.flush(B);
    }

    /// Lets time pass and everything in it happen.
    fn run(&mut self, span: Duration) {
        self.run_with(span, |_| {});
    }

    /// The same, with an application that has its turn after every step.
    fn run_with(&mut self, span: Duration, mut app: impl FnMut(&mut Pair)) {
        let end = self.now + span;
        loop {
            self.step();
            app(self);
            self.flush(A);
            self.flush(B);
            match self.next_at() {
                Some(at) if at <= end => self.now = at.max(self.now + Duration::from_micros(1)),
                _ => break,
            }
        }
        self.now = end;
    }

    /// Segments that an end has sent, of one kind.
    fn count(&self, from: usize, kind: Kind) -> usize {
        self.log.iter().filter(|sent| sent.from == from && sent.plan.kind == kind).count()
    }

    fn plans(&self, from: usize) -> Vec<Plan> {
        self.log.iter().filter(|sent| sent.from == from).map(|sent| sent.plan).collect()
    }
}

fn pattern(len: usize, seed: u32) -> Vec<u8> {
    let mut x = seed | 1;
    (0..len)
        .map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 24) as u8
        })
        .collect()
}

fn read_all(socket: &mut Socket<'_>) -> Vec<u8> {
    let mut data = vec![0; socket.recv_queue()];
    let len = socket.recv_slice(&mut data).unwrap_or(0);
    assert_eq!(len, data.len());
    data
}

/// Sends `data` from one end to the other, which reads at once. Both have it within `span`.
fn transfer(pair: &mut Pair, from: usize, data: &[u8], span: Duration) {
    let (mut sent, mut got) = (0, Vec::new());
    pair.run_with(span, |pair| {
        if sent < data.len() {
            sent += pair.ends[from].send_slice(&data[sent..]).unwrap();
        }
        got.extend(read_all(&mut pair.ends[1 - from]));
    });
    assert_eq!(got.len(), data.len());
    assert!(got == data, "the data differ");
}

/// Drops those of A's segments with data that are in `holes`, counted from 0, when they are new.
fn lose(pair: &mut Pair, holes: &[usize]) {
    let holes = holes.to_vec();
    let mut n = 0;
    pair.script = Box::new(move |sent| {
        if sent.from == B || sent.plan.kind != Kind::New || sent.plan.len == 0 {
            return Fate::Pass;
        }
        n += 1;
        if holes.contains(&(n - 1)) { Fate::Drop } else { Fate::Pass }
    });
}

/// One socket and hand-made segments: what the peer says is the test's business.
struct Peer {
    now: Instant,
    keys: Keys,
    socket: Socket<'static>,
    /// The peer's next sequence number.
    seq: SeqNum,
    /// What the peer expects next.
    ack: SeqNum,
    window: u16,
    stamp: Stamp,
}

impl Peer {
    /// The socket is connected to the peer, which announced this MSS, window and scale.
    fn connected(rx: usize, tx: usize, options: Options, window: u16) -> Peer {
        Peer::connecting(rx, tx).into_connected(options, window)
    }

    fn into_connected(self, options: Options, window: u16) -> Peer {
        let mut peer = self;
        let plan = peer.sent().pop().unwrap();
        assert_eq!(plan.flags, Flags::SYN);
        peer.ack = plan.seq + 1;
        peer.window = window;
        let seq = peer.seq;
        peer.seq = seq + 1;
        let out = peer.give(Segment { options, flags: Flags::SYN | Flags::ACK, seq, ..peer.ack_segment() });
        assert_eq!(out.events, Events::CONNECTED | Events::WRITABLE);
        let plan = peer.sent().pop().unwrap();
        assert_eq!((plan.flags, plan.ack), (Flags::ACK, peer.seq));
        peer
    }

    fn connecting(rx: usize, tx: usize) -> Peer {
        Peer::with(socket(rx, tx))
    }

    fn with(socket: Socket<'static>) -> Peer {
        let mut peer = Peer {
            now: Instant::from_secs(500),
            keys: Keys::new([3; 32]),
            socket,
            seq: SeqNum(0xffff_fff0),
            ack: SeqNum(0),
            window: 0,
            stamp: Stamp::NONE,
        };
        peer.socket.connect(endpoint(2, 80), 50_000).unwrap();
        let cx = context!(peer.keys, peer.now, MTU);
        peer.socket.settle(&cx, addr(1), 50_000);
        peer
    }

    fn plain(rx: usize, tx: usize) -> Peer {
        Peer::connected(rx, tx, Options { mss: 1_460, ..Options::NONE }, 0xffff)
    }

    fn ack_segment(&self) -> Segment<'static> {
        Segment {
            seq: self.seq,
            ack: self.ack,
            flags: Flags::ACK,
            window: self.window,
            options: Options::NONE,
            area: &[],
            stamp: self.stamp,
            mark: Mark::NONE,
            payload: &[],
        }
    }

    fn give(&mut self, seg: Segment<'_>) -> Outcome {
        let cx = context!(self.keys, self.now, MTU);
        self.socket.process(&cx, &seg, None)
    }

    /// An ACK of everything so far.
    fn give_ack(&mut self) -> Outcome {
        self.give(self.ack_segment())
    }

    fn give_data(&mut self, data: &[u8]) -> Outcome {
        let out = self.give(Segment { payload: data, ..self.ack_segment() });
        self.seq = self.seq + data.len() as u32;
        out
    }

    /// What the socket sends now. `ack` is not moved.
    fn sent(&mut self) -> Vec<Plan> {
        let cx = context!(self.keys, self.now, MTU);
        let mut plans = Vec::new();
        while let Some(plan) = self.socket.decide(&cx) {
            self.socket.on_sent(&cx, &plan);
            plans.push(plan);
            assert!(plans.len() < 1_000);
        }
        plans
    }

    fn sleep(&mut self, span: Duration) -> Events {
        self.now += span;
        let cx = context!(self.keys, self.now, MTU);
        self.socket.on_timer(&cx)
    }

    /// Sleeps until the next deadline and says how long, in ms.
    fn sleep_to_deadline(&mut self) -> u64 {
        let at =
            self.socket.deadline(Ticks::from_instant(self.now)).expect("a timer runs").to_instant(self.now);
        let span = at.saturating_duration_since(self.now);
        self.sleep(span);
        span.total_millis()
    }
}
