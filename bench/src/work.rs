//! What is counted: a TCP transfer, UDP datagrams, `poll_at`, forwarding; each twice, so that the difference has no
//! set-up in it.

use std::hint::black_box;
use std::process::ExitCode;

use goldcrest::iface::{Budget, Handler, HookSet, SocketHandle};
use goldcrest::socket::tcp::{self, State};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::IpEndpoint;

use crate::marks::Parts;
use crate::stack::{BUFFER_LEN, Stack, address};
use crate::wire::{End, Queue};
use crate::{forward, idle};

const SEGMENT_LEN: usize = 1_460;
const DATAGRAM_LEN: usize = 64;
/// Of it, the octets of a timestamp and its padding.
const STAMP_LEN: usize = 12;
/// Slices that a sender may have queued.
const REFS: usize = 4;
const TCP_PORT: u16 = 5_001;
const STAMPED_PORT: u16 = 5_003;
const WAYS_PORT: u16 = 5_004;
const UDP_PORT: u16 = 5_002;
/// Datagrams that are queued before either stack is polled.
const BURST: usize = 32;
/// Virtual time between two rounds, so that timers are set anew and pass.
const ROUND: Duration = Duration::from_millis(1);

/// How octets get from the application into segments, and from there to the other application.
#[derive(Clone, Copy)]
struct Way {
    sent: Sent,
    taken: Taken,
}

#[derive(Clone, Copy)]
enum Sent {
    /// `send_slice`: copied into the ring.
    Copied,
    /// `send`: written into the ring by a closure, which copies them too.
    Written,
    /// `send_ref`: they stay where they lie.
    Referred,
    /// `send_from`: copied from there into the segment, each time it is written.
    Made,
}

#[derive(Clone, Copy)]
enum Taken {
    /// `recv_slice`: copied out of the ring.
    Copied,
    /// `recv`: a closure looks at them in the ring.
    Seen,
    /// The handler looks at them in the frame.
    InPlace,
}

const COPIED: Way = Way { sent: Sent::Copied, taken: Taken::Copied };

/// The ways that are compared, without idle connections or with.
const WAYS: [(&str, Way); 7] = [
    ("copied", COPIED),
    ("closures", Way { sent: Sent::Written, taken: Taken::Seen }),
    ("copied_seen", Way { sent: Sent::Copied, taken: Taken::Seen }),
    ("copied_in_place", Way { sent: Sent::Copied, taken: Taken::InPlace }),
    ("referred_seen", Way { sent: Sent::Referred, taken: Taken::Seen }),
    ("made_seen", Way { sent: Sent::Made, taken: Taken::Seen }),
    ("referred_in_place", Way { sent: Sent::Referred, taken: Taken::InPlace }),
];

/// The data again and again.
struct Repeated(&'static [u8]);

impl tcp::Source for Repeated {
    fn read(&self, offset: u32, out: &mut [u8]) {
        let from = offset as usize;
        out.copy_from_slice(&self.0[from..from + out.len()]);
    }
}

/// Counts what it sees in place.
struct Counter<'c>(&'c mut usize);

impl Handler for Counter<'_> {
    fn payload(&mut self, _socket: SocketHandle, data: &[u8]) -> usize {
        *self.0 += black_box(data).len();
        data.len()
    }

    fn hooks(&self) -> HookSet {
        HookSet::empty()
    }
}

/// A connection from stack 1 to stack 2.
#[derive(Clone, Copy)]
struct Flow {
    sockets: [SocketHandle; 2],
    port: u16,
    /// Octets of payload in a full segment.
    segment_len: usize,
}

/// Two stacks on a wire. Stack 1 sends, stack 2 receives.
struct Pair {
    now: Instant,
    stacks: [Stack; 2],
    wire: [Queue; 2],
    tcp: Flow,
    stamped: Flow,
    /// For what is not copied.
    ways: Flow,
    udp: [SocketHandle; 2],
    data: &'static [u8],
    source: &'static Repeated,
    /// Octets that were seen in place, if some are to be.
    seen: Option<usize>,
    received: Vec<u8>,
    /// How often one of them was polled.
    polls: usize,
}

/// Does it, beside as many idle connections as the command line says.
pub(crate) fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let idle = match (arguments.next().as_deref(), arguments.next().map(|count| count.parse())) {
        (Some("instructions"), Some(Ok(idle))) => idle,
        _ => {
            eprintln!("usage: bench instructions IDLE_CONNECTIONS");
            return ExitCode::FAILURE;
        }
    };
    run(idle);
    ExitCode::SUCCESS
}

/// Does it all beside `idle` established connections in each of the stacks.
fn run(idle: usize) {
    let mut pair = Pair::new(idle);
    pair.connect(pair.tcp);
    pair.connect(pair.stamped);
    pair.connect(pair.ways);
    pair.now = pair.now.max(idle::establish(&mut pair.stacks[0], idle, pair.now));
    pair.now = pair.now.max(idle::establish(&mut pair.stacks[1], idle, pair.now));
    for _ in 0..4 {
        pair.round();
    }
    // The congestion window is as large as it gets, and everything has been touched once.
    pair.transfer(pair.tcp, 2_000, false);
    pair.transfer(pair.stamped, 2_000, false);
    pair.transfer(pair.ways, 2_000, false);
    pair.exchange(BURST, BURST);
    if crate::HAS_HANDLER {
        return pair.compare_ways();
    }

    let mut parts = Parts::default();
    for count in [1_000, 11_000] {
        parts.measure("tcp", count, || pair.transfer(pair.tcp, count, false));
    }
    for count in [1_000, 11_000] {
        parts.measure("tcp_stamped", count, || pair.transfer(pair.stamped, count, false));
    }
    for count in [1_000, 11_000] {
        parts.measure("tcp_paced", count, || pair.transfer_paced(pair.tcp, count));
    }
    for count in [320, 10_240] {
        parts.measure("udp", count, || pair.exchange(count, BURST));
    }
    for count in [100, 5_100] {
        parts.measure("udp_single", count, || pair.exchange(count, 1));
    }
    for count in [100, 10_100] {
        parts.measure("poll_at", count, || pair.poll_at(count));
    }
    // The same transfer with and without a call after each poll; the units are the calls.
    let before = pair.polls;
    parts.measure("poll_at_transfer", 0, || pair.transfer(pair.tcp, 10_000, false));
    let polls = pair.polls - before;
    parts.measure("poll_at_transfer", polls, || pair.transfer(pair.tcp, 10_000, true));
    for (name, flows) in [("forward", [0, 0]), ("forward_mixed", [0, 1])] {
        forward::run(flows, |forward| {
            forward(320);
            for count in [1_024, 11_264] {
                parts.measure(name, count, || forward(count));
            }
        });
    }
    parts.print();
    pair.print_frames();
}

impl Pair {
    fn new(idle: usize) -> Pair {
        let mut stacks = [Stack::new(1, idle + 8), Stack::new(2, idle + 8)];
        let mut flow = |port, has_stamps, segment_len| Flow {
            sockets: stacks.each_mut().map(|stack| stack.add_tcp(has_stamps)),
            port,
            segment_len,
        };
        let tcp = flow(TCP_PORT, false, SEGMENT_LEN);
        let stamped = flow(STAMPED_PORT, true, SEGMENT_LEN - STAMP_LEN);
        let ways = flow(WAYS_PORT, false, SEGMENT_LEN);
        let udp = [stacks[0].add_udp(UDP_PORT), stacks[1].add_udp(UDP_PORT)];
        let wire = [Queue::new(), Queue::new()];
        stacks[0]
            .tcp(ways.sockets[0])
            .set_send_refs(vec![tcp::SendRef::EMPTY; REFS])
            .expect("nothing is queued");
        let data: Vec<u8> = (0..BUFFER_LEN).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let data: &'static [u8] = data.leak();
        let source = Box::leak(Box::new(Repeated(data)));
        let received = vec![0; BUFFER_LEN];
        Pair {
            now: Instant::from_secs(1),
            stacks,
            wire,
            tcp,
            stamped,
            ways,
            udp,
            data,
            source,
            seen: None,
            received,
            polls: 0,
        }
    }

    /// Transfers the same octets in one way after the other.
    fn compare_ways(&mut self) {
        let mut parts = Parts::default();
        for (name, way) in WAYS {
            for count in [1_000, 11_000] {
                parts.measure(name, count, || self.send(self.ways, count, BUFFER_LEN, false, way));
            }
        }
        parts.print();
    }

    /// Polls one of the stacks, hears what it has to tell and, if told to, asks when to poll next.
    fn poll(&mut self, index: usize, ask: bool) {
        let [first, second] = &mut self.wire;
        let (from, to) = if index == 0 { (second, first) } else { (first, second) };
        let Stack { iface, sockets, .. } = &mut self.stacks[index];
        if crate::HAS_HANDLER {
            let mut unseen = 0;
            let mut counter = Counter(self.seen.as_mut().unwrap_or(&mut unseen));
            iface.poll_with(self.now, &mut End { from, to }, sockets, &mut counter, Budget::default());
        } else {
            iface.poll(self.now, &mut End { from, to }, sockets);
        }
        while let Some(ready) = sockets.next_ready() {
            black_box(ready);
        }
        if ask {
            black_box(iface.poll_at(self.now, sockets));
        }
        self.polls += 1;
    }

    fn round(&mut self) {
        self.now += ROUND;
        self.poll(0, false);
        self.poll(1, false);
    }

    fn connect(&mut self, flow: Flow) {
        self.stacks[1].tcp(flow.sockets[1]).listen(flow.port).expect("the port is free");
        self.round();
        let peer = IpEndpoint::new(address(2).into(), flow.port);
        self.stacks[0].tcp(flow.sockets[0]).connect(peer, 0).expect("the socket is closed");
        for _ in 0..8 {
            self.round();
        }
        for (stack, handle) in self.stacks.iter_mut().zip(flow.sockets) {
            assert_eq!(stack.tcp(handle).state(), State::Established);
            // So that there is a timer when nothing goes on, idle connections or not.
            stack.tcp(handle).set_keep_alive(Some(idle::KEEP_ALIVE));
        }
    }

    /// Sends `segments` full segments, as many at once as buffers and wire hold.
    fn transfer(&mut self, flow: Flow, segments: usize, ask: bool) {
        self.send(flow, segments, BUFFER_LEN, ask, COPIED);
    }

    /// Sends `segments` full segments, two at a time, so that every second one is acknowledged.
    fn transfer_paced(&mut self, flow: Flow, segments: usize) {
        self.send(flow, segments, 2 * flow.segment_len, false, COPIED);
    }

    /// Sends octets, `most` of them a round, and compares the last of them in the end, if they were copied.
    fn send(&mut self, flow: Flow, segments: usize, most: usize, ask: bool, way: Way) {
        let total = segments * flow.segment_len;
        let (mut sent, mut received) = (0, 0);
        self.received.fill(0);
        let is_in_place = matches!(way.taken, Taken::InPlace);
        self.seen = is_in_place.then_some(0);
        self.stacks[1].tcp(flow.sockets[1]).set_in_place(is_in_place);
        while received < total {
            self.now += ROUND;
            sent += self.queue(flow, sent, total.min(sent + most), way.sent);
            self.poll(0, ask);
            self.poll(1, ask);
            received += self.take(flow, received, way.taken);
            // The window has opened, which the peer is told.
            self.poll(1, ask);
        }
        let is_copied = matches!(way.taken, Taken::Copied);
        assert!(!is_copied || self.received == self.data, "the data is not what was sent");
    }

    /// Queues octets from the one at `at` up to that at `end`, as far as there is room, and says how many.
    fn queue(&mut self, flow: Flow, at: usize, end: usize, sent: Sent) -> usize {
        let Pair { stacks: [sender, _], data, source, .. } = self;
        let socket = sender.tcp(flow.sockets[0]);
        let mut next = at;
        // No more waits than the buffer holds, wherever it lies.
        let end = match sent {
            Sent::Copied | Sent::Written => end,
            Sent::Referred | Sent::Made => end.min(at + BUFFER_LEN - socket.send_queue()),
        };
        while next < end {
            let from = next % BUFFER_LEN;
            let octets = &data[from..BUFFER_LEN.min(from + end - next)];
            match queue(socket, octets, source, from as u32, sent) {
                0 => break,
                count => next += count,
            }
        }
        next - at
    }

    /// Takes all that has come.
    fn take(&mut self, flow: Flow, at: usize, taken: Taken) -> usize {
        let mut count = self.seen.as_mut().map_or(0, std::mem::take);
        let socket = self.stacks[1].tcp(flow.sockets[1]);
        while socket.can_recv() {
            let from = (at + count) % BUFFER_LEN;
            let took = match taken {
                Taken::Copied => socket.recv_slice(&mut self.received[from..]),
                _ => socket.recv(|piece| (piece.len(), black_box(piece).len())),
            };
            count += took.expect("the connection is open");
        }
        count
    }

    /// Sends `count` datagrams, `burst` at a time, and reads them.
    fn exchange(&mut self, count: usize, burst: usize) {
        let peer = IpEndpoint::new(address(2).into(), UDP_PORT);
        for _ in 0..count / burst {
            self.now += Duration::from_micros(10);
            for _ in 0..burst {
                let sender = self.stacks[0].udp(self.udp[0]);
                sender.send_slice(&self.data[..DATAGRAM_LEN], peer).expect("there is room");
            }
            self.poll(0, false);
            self.poll(1, false);
            for _ in 0..burst {
                let receiver = self.stacks[1].udp(self.udp[1]);
                let (len, _) = receiver.recv_slice(&mut self.received).expect("a datagram");
                assert_eq!(len, DATAGRAM_LEN);
            }
        }
        assert!(self.received[..DATAGRAM_LEN] == self.data[..DATAGRAM_LEN], "not what was sent");
    }

    /// Asks both stacks when to poll next, in turns.
    fn poll_at(&mut self, count: usize) {
        for asked in 0..count {
            let Stack { iface, sockets, .. } = &mut self.stacks[asked % 2];
            black_box(iface.poll_at(self.now, sockets));
        }
    }

    fn print_frames(&self) {
        let [there, back] = &self.wire;
        println!("frames {} {}", there.sent, back.sent);
    }
}

/// Queues octets, which are those that the source has from `from` on, and says how many.
fn queue(
    socket: &mut tcp::Socket<'static>,
    octets: &'static [u8],
    source: &'static Repeated,
    from: u32,
    sent: Sent,
) -> usize {
    let queued = match sent {
        Sent::Copied => return socket.send_slice(octets).expect("the connection is open"),
        Sent::Written => {
            let written = socket.send(|piece| {
                let count = piece.len().min(octets.len());
                piece[..count].copy_from_slice(&octets[..count]);
                (count, count)
            });
            return written.expect("the connection is open");
        }
        Sent::Referred => socket.send_ref(octets),
        Sent::Made => socket.send_from(source, from, octets.len()),
    };
    queued.map_or(0, |()| octets.len())
}
