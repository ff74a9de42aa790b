//! A whole stack with tiny tables, driven by a program: frames, calls of the application, time, trouble.
//!
//! What is promised, and held against every step:
//! - nothing panics, every poll ends, and sends a bounded number of frames;
//! - each frame sent is right in every field that an independent reader knows, and fits the MTU;
//! - each octet delivered to the application, or sent for it, is the one of its place in the stream;
//! - `poll_at` is never late: a poll before it sends nothing and has no events; and it does not spin:
//!   a poll at it leads somewhere, sooner or later;
//! - drops are counted; tables keep their size; at the end everything that was let go is gone.

use goldcrest::iface::{
    Budget, Config, Fragments, Group, Handler, Hook, Interface, InterfaceStorage, Neighbor, Route,
    SocketHandle, SocketSet, SocketSlot, SynVerdict, Verdict,
};
use goldcrest::phy::{Device, HardwareAddress, LinkState, RxMeta};
use goldcrest::rand::Keys;
use goldcrest::socket::{Socket, tcp, udp};
use goldcrest::stats::DropReason;
use goldcrest::storage::{PacketPool, SocketBuffer};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr, IpEndpoint, IpListenEndpoint, Ipv4Address, Ipv6Address};

use super::peers::{OUR_LINK_LOCAL, OUR_PORTS, OUR_V4, OUR_V6, Peers, Twist, peer_v4, peer_v6};
use super::program::Program;
use super::verify;
use super::wire::{OUR_HARDWARE, Wire};

const SLOTS: usize = 12;
const NEIGHBORS: usize = 3;
const POOL: usize = 3;
const TIME_WAITS: usize = 4;
const HALF_OPEN: usize = 2;
/// Steps of a program.
const STEPS: usize = 400;
/// Wakes one after the other that may come to nothing: each stored deadline can be stale once, and
/// records and neighbours age without a sound.
const EMPTY_WAKES: usize = 64;
/// Wakes until a stack that is left alone comes to rest.
const WAKES_TO_REST: usize = 3_000;

/// What the program has decided about the decisions of the handler.
#[derive(Default)]
struct Judge {
    decisions: u8,
    /// Raw octets have come whose checksum a device vouched for: streams are no longer the peers'.
    is_tainted: bool,
    dropped: u32,
    /// Requests that were told to wait, some of which do no longer: their listener and ends.
    waiting: Vec<(SocketHandle, IpEndpoint, IpEndpoint)>,
}

impl Handler for Judge {
    fn payload(&mut self, _socket: SocketHandle, data: &[u8]) -> usize {
        assert!(self.is_tainted || is_stream(data), "in place: {data:02x?}");
        match self.decisions & 3 {
            0 => 0,
            1 => data.len(),
            2 => data.len() / 2,
            _ => data.len().min(1),
        }
    }

    fn syn(&mut self, listener: SocketHandle, remote: IpEndpoint, local: IpEndpoint) -> SynVerdict {
        match self.decisions >> 2 & 7 {
            5 => {
                self.waiting.truncate(7);
                self.waiting.push((listener, remote, local));
                SynVerdict::Wait
            }
            6 => SynVerdict::Reset,
            7 => SynVerdict::Ignore,
            _ => SynVerdict::Accept,
        }
    }

    fn packet(&mut self, hook: Hook, interface: u8, packet: &[u8]) -> Verdict {
        assert_eq!(interface, 0, "there is one");
        assert!(packet.len() >= 20);
        let is_dropped = match hook {
            Hook::PreRoute => self.decisions >> 5 == 6,
            _ => self.decisions >> 5 == 7,
        };
        if is_dropped { Verdict::Drop } else { Verdict::Accept }
    }

    fn dropped(&mut self, _reason: DropReason, _frame: &[u8]) {
        self.dropped += 1;
    }
}

/// Whether each octet is one more than that before it.
fn is_stream(data: &[u8]) -> bool {
    data.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1))
}

struct World<'a> {
    now: Instant,
    iface: Interface<'static>,
    sockets: SocketSet<'a>,
    wire: Wire,
    judge: Judge,
    peers: Peers,
    /// Handles that the application knows, stale ones among them, each with the next octet to be sent.
    handles: Vec<(SocketHandle, u8)>,
    /// Whether the peers answer ARP and neighbour solicitations.
    answers: bool,
    /// Whether frames are given to `process` instead of a device.
    is_direct: bool,
}

/// A program for a stack. The first two octets say what kind of stack.
pub(crate) fn interface(data: &[u8]) {
    let mut slots = [const { SocketSlot::EMPTY }; SLOTS];
    let mut table = [u32::MAX; 4];
    let mut time_wait = [tcp::TimeWait::EMPTY; TIME_WAITS];
    let mut program = Program::new(data);
    let (kind, start) = (program.octet(), program.octet());
    let mut sockets = SocketSet::new(&mut slots[..], Keys::new([start; 32]));
    if kind & 1 == 0 {
        sockets = sockets.with_table(&mut table[..]);
    }
    if kind & 2 == 0 {
        sockets = sockets.with_time_wait(&mut time_wait[..]);
    }
    let mut world = World::new(kind, start, sockets);
    for _ in 0..STEPS {
        if program.is_over() {
            break;
        }
        world.step(&mut program);
    }
    world.come_to_rest();
}

fn buffer(len: usize) -> SocketBuffer<'static> {
    SocketBuffer::new(vec![0; len])
}

fn tcp_socket<'a>(rx: usize, tx: usize) -> tcp::Socket<'a> {
    tcp::Socket::new(buffer(rx), buffer(tx))
}

fn udp_socket(packets: usize, octets: usize) -> udp::Socket<'static> {
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; packets], vec![0; octets]);
    udp::Socket::new(queue(), queue())
}

impl<'a> World<'a> {
    fn new(kind: u8, start: u8, mut sockets: SocketSet<'a>) -> World<'a> {
        // The clock's ticks of 1,024 µs wrap after 2^32, and become negative after 2^31.
        let start =
            [1, 0, (1 << 31) * 1_024 - 3_000_000, (1 << 32) * 1_024 - 3_000_000][usize::from(start & 3)];
        let now = Instant::from_micros(start);
        let mtu = [1_514, 590, 1_294, 114][usize::from(kind >> 2 & 3)];
        let wire = Wire::new(mtu, kind & 16 != 0, kind & 64 != 0);
        let storage = InterfaceStorage {
            addresses: vec![None; 4].into(),
            routes: vec![None; 2].into(),
            neighbors: std::iter::repeat_with(|| Neighbor::EMPTY).take(NEIGHBORS).collect::<Vec<_>>().into(),
            packets: PacketPool::with_cells(POOL, 160),
            groups: vec![Group::EMPTY; 3].into(),
            fragments: Fragments::growing(4, 20_000),
        };
        let config = Config::new(HardwareAddress::Ethernet(OUR_HARDWARE));
        let mut iface = Interface::with_storage(config, wire.capabilities(), storage);
        let (v4, v6) = (Ipv4Address::from(OUR_V4), Ipv6Address::from(OUR_V6));
        iface.add_address(IpCidr::new(v4.into(), 24)).unwrap();
        iface.add_address(IpCidr::new(v6.into(), 64)).unwrap();
        iface.add_address(IpCidr::new(Ipv6Address::from(OUR_LINK_LOCAL).into(), 64)).unwrap();
        iface.add_default_ipv4_route(Ipv4Address::from(peer_v4(0))).unwrap();

        let mut handles = Vec::new();
        // A listener that makes sockets, a socket that listens, a listener with lent sockets.
        let mut listener = tcp::Listener::new(vec![tcp::HalfOpen::EMPTY; HALF_OPEN]);
        listener.set_buffers(64, 100, 2);
        listener.set_backlog(u16::from(kind >> 5 & 1) + 1);
        let makes = sockets.add(listener);
        sockets.listen(makes, OUR_PORTS[0]).unwrap();
        let single = sockets.add(tcp_socket(300, 64));
        sockets.listen(single, OUR_PORTS[1]).unwrap();
        let lends = sockets.add(tcp::Listener::new(vec![tcp::HalfOpen::EMPTY; 1]));
        sockets.listen(lends, OUR_PORTS[2]).unwrap();
        let lent = sockets.add(tcp_socket(100, 1_000));
        sockets.lend(lends, lent).unwrap();
        let bound = sockets.add(udp_socket(2, 200));
        sockets.bind(bound, OUR_PORTS[3]).unwrap();
        let free = sockets.add(tcp_socket(64, 3_000));
        handles.extend([makes, single, lends, lent, bound, free].map(|handle| (handle, 0)));
        World {
            now,
            iface,
            sockets,
            wire,
            judge: Judge::default(),
            peers: Peers::default(),
            handles,
            answers: true,
            is_direct: false,
        }
    }

    fn step(&mut self, program: &mut Program<'_>) {
        let op = program.octet();
        match (op & 0x3f) % 26 {
            _ if op & 0x3f == 0x3f => self.neighbors(program),
            0..=3 => {
                let frame = self.peers.tcp(program);
                self.give(frame, false);
            }
            4 => self.raw(program),
            5 => {
                let frame = self.peers.arp(program);
                self.give(frame, false);
            }
            6 => {
                let frame = self.peers.nd(program);
                self.give(frame, false);
            }
            7 => {
                let frame = self.peers.icmp(program);
                self.give(frame, false);
            }
            8 => {
                let frame = self.peers.udp(program);
                self.give(frame, false);
            }
            9 | 10 => self.app_send(program),
            11 => self.app_recv(program),
            12 => self.app_end(program),
            13 => self.app_connect(program),
            14 => self.app_listen(program),
            15 => self.app_accept(program),
            16 => self.app_lend_or_add(program),
            17 => self.app_set(program),
            18 => self.pass_time(program),
            19 => self.poll_by_steps(program),
            20 => self.device(program),
            21 => self.decide(program.octet()),
            22 => self.addresses(program),
            23 => {
                self.wake(&mut 0);
            }
            24 => self.peers.twist = Twist(program.octet(), program.octet()),
            _ => self.take_events(),
        }
        if op & 0x40 == 0 {
            let budget = if op & 0x80 == 0 {
                Budget::default()
            } else {
                Budget { frames: usize::from(program.octet() % 4), octets: 100 }
            };
            self.poll(budget);
        }
        self.check();
    }

    /// What comes is decided otherwise from now on, and one that waits now.
    fn decide(&mut self, decisions: u8) {
        self.judge.decisions = decisions;
        let Some((listener, remote, local)) = self.judge.waiting.pop() else { return };
        let verdicts = [SynVerdict::Accept, SynVerdict::Reset, SynVerdict::Ignore, SynVerdict::Wait];
        let is_waiting = self.sockets.is_syn_waiting(listener, remote, local);
        let verdict = verdicts[usize::from(decisions & 3)];
        let answer = self.sockets.answer_syn(listener, remote, local, verdict);
        assert_eq!(answer.is_ok(), is_waiting);
        let waits_on = self.sockets.is_syn_waiting(listener, remote, local);
        assert_eq!(waits_on, is_waiting && verdict == SynVerdict::Wait);
    }

    fn give(&mut self, frame: Vec<u8>, is_vouched_for: bool) {
        let mut meta = RxMeta::default();
        meta.checksum_ok = is_vouched_for;
        if self.is_direct {
            let before = self.iface.mib().interface.in_frames;
            let (now, slot) = (self.now, self.wire.slot());
            self.iface.process(now, &frame, meta, slot, &mut self.sockets, &mut self.judge);
            assert_eq!(self.iface.mib().interface.in_frames, before.wrapping_add(1));
            self.look_at_sent();
        } else {
            self.wire.received.push_back((frame, meta));
        }
    }

    fn raw(&mut self, program: &mut Program<'_>) {
        let (kind, len) = (program.octet(), program.octet());
        let mut frame = match kind & 3 {
            0 => vec![],
            1 => [&OUR_HARDWARE[..], &[2, 0, 0, 0, 1, 0, 8, 0]].concat(),
            2 => [&OUR_HARDWARE[..], &[2, 0, 0, 0, 1, 0, 0x86, 0xdd]].concat(),
            _ => [&OUR_HARDWARE[..], &[2, 0, 0, 0, 1, 0, 8, 6]].concat(),
        };
        frame.extend(program.octets(len.into()));
        self.judge.is_tainted = true;
        self.give(frame, kind & 4 != 0);
    }

    /// Fragments sent so far.
    fn pieces(&self) -> u64 {
        let mib = self.iface.mib();
        mib.ipv4.out_frag_creates.wrapping_add(mib.ipv6.out_frag_creates)
    }

    /// One poll, and what it may not do.
    fn poll(&mut self, budget: Budget) -> usize {
        let (dropped, drops) = (self.judge.dropped, self.iface.stats().total_drops());
        let (room, waiting) = (self.wire.room, self.wire.received.len());
        let pieces = self.pieces();
        let progress =
            self.iface.poll_with(self.now, &mut self.wire, &mut self.sockets, &mut self.judge, budget);
        let (received, sent) = (waiting - self.wire.received.len(), self.wire.count());
        // What the stack sends to itself counts, too, and waits in its pool until then.
        assert!((received..=received + budget.frames + POOL).contains(&progress.frames), "{progress:?}");
        assert!(received <= budget.frames.max(1));
        assert!(sent <= room);
        // Answers, what sockets may send, what waited, and questions for neighbours; a datagram counts once,
        // however many fragments it leaves in.
        let pieces = self.pieces().wrapping_sub(pieces) as usize;
        let most = 2 * received + budget.frames.min(10 * SLOTS * 64) + 16 + 2 * POOL + 2 * NEIGHBORS + SLOTS;
        assert!(sent <= most + pieces, "{sent} frames sent in a poll of {budget:?} that took {received} in");
        let drops = self.iface.stats().total_drops().wrapping_sub(drops);
        assert!(drops >= self.judge.dropped - dropped, "a drop that was not counted");
        self.look_at_sent();
        sent
    }

    fn look_at_sent(&mut self) {
        let our_v4 = IpAddress::from(Ipv4Address::from(OUR_V4));
        self.peers.is_on_net4 = self.iface.ip_addrs().any(|cidr| cidr.address() == our_v4);
        self.peers.was_off_net4 |= !self.peers.is_on_net4;
        for frame in self.wire.take_sent() {
            verify::sent(&frame, &mut self.peers);
            if self.answers
                && let Some(answer) = Peers::answer(&frame)
            {
                self.wire.received.push_back((answer, RxMeta::default()));
            }
        }
    }

    /// After each step.
    fn check(&mut self) {
        assert!(self.sockets.len() <= SLOTS);
        assert!(self.iface.neighbor_count() <= NEIGHBORS);
        assert!(self.sockets.time_wait_count() <= TIME_WAITS);
        if let Some(at) = self.iface.poll_at(self.now, &mut self.sockets) {
            assert!(at >= self.now, "poll_at in the past");
        }
        for (_, socket) in self.sockets.iter() {
            match socket {
                Socket::Tcp(socket) => {
                    assert!(socket.recv_queue() <= socket.recv_capacity());
                    assert!(socket.send_queue() <= socket.send_capacity());
                    assert!(socket.is_open() || !socket.is_active());
                }
                Socket::TcpListener(listener) => assert!(listener.half_open_count() <= HALF_OPEN),
                _ => {}
            }
        }
    }

    fn handle(&self, octet: u8) -> SocketHandle {
        self.handles[usize::from(octet) % self.handles.len()].0
    }

    fn remember(&mut self, handle: SocketHandle, next: u8) {
        if self.handles.len() == 24 {
            self.handles.remove(0);
        }
        self.handles.push((handle, next));
    }

    fn app_send(&mut self, program: &mut Program<'_>) {
        let (which, len) = (program.octet(), program.octet());
        let which = usize::from(which) % self.handles.len();
        let (handle, next) = self.handles[which];
        let len = usize::from(len) * if len > 200 { 8 } else { 1 };
        let data: Vec<u8> = (0..len).map(|i| next.wrapping_add(i as u8)).collect();
        if let Ok(socket) = self.sockets.try_get_mut::<tcp::Socket<'_>>(handle) {
            let taken = if len % 2 == 0 {
                socket.send_slice(&data).unwrap_or(0)
            } else {
                let fill = |room: &mut [u8]| {
                    let len = room.len().min(data.len());
                    room[..len].copy_from_slice(&data[..len]);
                    (len, len)
                };
                socket.send(fill).unwrap_or(0)
            };
            assert!(taken <= len);
            self.handles[which].1 = next.wrapping_add(taken as u8);
        } else if let Ok(socket) = self.sockets.try_get_mut::<udp::Socket<'_>>(handle) {
            let remote = remote(program);
            if socket.send_slice(&data, remote).is_ok() {
                assert!(len <= socket_room(socket));
            }
        }
    }

    fn app_recv(&mut self, program: &mut Program<'_>) {
        let (which, len) = (program.octet(), program.octet());
        let handle = self.handle(which);
        let mut room = vec![0; usize::from(len) * 2];
        let is_tainted = self.judge.is_tainted;
        if let Ok(socket) = self.sockets.try_get_mut::<tcp::Socket<'_>>(handle) {
            let waiting = socket.recv_queue();
            let peeked = socket.peek_slice(&mut room).unwrap_or(0);
            let peeked = room[..peeked].to_vec();
            if let Ok(len) = socket.recv_slice(&mut room) {
                assert_eq!(room[..len], peeked[..]);
                assert_eq!(socket.recv_queue(), waiting - len);
                assert!(is_tainted || is_stream(&room[..len]), "received {:02x?}", &room[..len]);
            }
        } else if let Ok(socket) = self.sockets.try_get_mut::<udp::Socket<'_>>(handle)
            && let Ok((len, meta)) = socket.recv_slice(&mut room)
        {
            assert!(is_tainted || is_stream(&room[..len]));
            assert!(!meta.endpoint.addr.is_multicast());
            // As an echo server does, whoever it was sent to.
            let _ = socket.send_slice(&room[..len], meta);
        }
    }

    fn app_end(&mut self, program: &mut Program<'_>) {
        let (which, how) = (program.octet(), program.octet());
        let which = usize::from(which) % self.handles.len();
        let (handle, next) = self.handles[which];
        match how % 6 {
            0 => {
                let _ = self.sockets.release(handle);
                assert!(self.sockets.try_get::<tcp::Socket<'_>>(handle).is_err());
            }
            1 => {
                let Some(socket) = self.sockets.remove(handle) else { return };
                // It may go on in another place, where it was.
                if how & 8 != 0
                    && let Socket::Tcp(socket) = socket
                {
                    // Its slot is not free as long as a neighbour's list has it.
                    if let Ok(handle) = self.sockets.try_add(socket) {
                        self.handles[which] = (handle, next);
                    }
                }
            }
            2 => {
                if let Ok(socket) = self.sockets.try_get_mut::<tcp::Socket<'_>>(handle) {
                    socket.abort();
                }
            }
            _ => {
                if let Ok(socket) = self.sockets.try_get_mut::<tcp::Socket<'_>>(handle) {
                    socket.close();
                } else if let Ok(listener) = self.sockets.try_get_mut::<tcp::Listener<'_>>(handle) {
                    listener.close();
                } else if let Ok(socket) = self.sockets.try_get_mut::<udp::Socket<'_>>(handle) {
                    socket.close();
                }
            }
        }
    }

    fn app_connect(&mut self, program: &mut Program<'_>) {
        let (which, how) = (program.octet(), program.octet());
        let handle = self.handle(which);
        let remote = remote(program);
        let local = IpListenEndpoint::from(if how & 2 != 0 { 5_000 + u16::from(how >> 2 & 1) } else { 0 });
        if how & 1 == 0 {
            let _ = self.iface.connect(self.now, &mut self.sockets, handle, remote, local);
        } else if let Ok(socket) = self.sockets.try_get_mut::<tcp::Socket<'_>>(handle) {
            let _ = socket.connect(remote, local);
        }
    }

    fn app_listen(&mut self, program: &mut Program<'_>) {
        let (which, how) = (program.octet(), program.octet());
        let handle = self.handle(which);
        let addr = match how >> 3 & 3 {
            0 => Some(IpAddress::from(Ipv4Address::from(OUR_V4))),
            1 => Some(IpAddress::from(Ipv6Address::from(OUR_V6))),
            _ => None,
        };
        let port = if how & 0xe0 == 0xe0 { 0 } else { OUR_PORTS[usize::from(how & 3)] };
        let at = IpListenEndpoint { addr, port };
        if let Ok(socket) = self.sockets.try_get_mut::<udp::Socket<'_>>(handle) {
            if how & 4 == 0 {
                let _ = socket.bind(at);
            } else {
                let _ = self.sockets.bind(handle, at);
            }
        } else if how & 4 == 0 {
            let _ = self.sockets.listen(handle, at);
        } else if let Ok(socket) = self.sockets.try_get_mut::<tcp::Socket<'_>>(handle) {
            let _ = socket.listen(at);
        } else if let Ok(listener) = self.sockets.try_get_mut::<tcp::Listener<'_>>(handle) {
            let _ = listener.listen(at);
        }
    }

    fn app_accept(&mut self, program: &mut Program<'_>) {
        let handle = self.handle(program.octet());
        if let Some(accepted) = self.sockets.accept(handle) {
            assert!(self.sockets.try_get::<tcp::Socket<'_>>(accepted).is_ok());
            self.remember(accepted, 0);
        }
    }

    fn app_lend_or_add(&mut self, program: &mut Program<'_>) {
        let (which, how) = (program.octet(), program.octet());
        let len = [64, 1, 0, 300][usize::from(how >> 3 & 3)];
        let added = match how & 7 {
            0..=3 => {
                let (listener, socket) = (self.handle(which), self.handle(how >> 2));
                if self.sockets.lend(listener, socket).is_ok() {
                    assert!(self.sockets.try_get::<tcp::Socket<'_>>(socket).is_err(), "lent and named");
                }
                return;
            }
            4 | 5 => self.sockets.try_add(tcp_socket(len, usize::from(which) * 4)),
            6 => self.sockets.try_add(udp_socket(usize::from(which & 3), len)),
            _ => {
                let mut listener = tcp::Listener::new(vec![tcp::HalfOpen::EMPTY; usize::from(how >> 5 & 1)]);
                if how & 64 != 0 {
                    listener.set_buffers(len, 50, 1);
                }
                self.sockets.try_add(listener)
            }
        };
        match added {
            Ok(handle) => self.remember(handle, 0),
            Err(_) => assert_eq!(self.sockets.len(), SLOTS),
        }
    }

    fn app_set(&mut self, program: &mut Program<'_>) {
        let (which, what, value) = (program.octet(), program.octet(), program.octet());
        let handle = self.handle(which);
        let time = (value > 0).then(|| Duration::from_millis(u64::from(value) * u64::from(value)));
        if let Ok(socket) = self.sockets.try_get_mut::<tcp::Socket<'_>>(handle) {
            match what % 6 {
                0 => socket.set_keep_alive(time),
                1 => socket.set_timeout(time),
                2 => socket.set_ack_delay(time),
                3 => socket.set_nagle_enabled(value & 1 == 0),
                4 => socket.set_in_place(value & 1 == 0),
                _ => socket.set_hop_limit((value > 0).then_some(value)),
            }
        } else if let Ok(socket) = self.sockets.try_get_mut::<udp::Socket<'_>>(handle) {
            match what % 2 {
                0 => socket.set_in_place(value & 1 == 0),
                _ => socket.set_hop_limit(Some(value.max(1))),
            }
        } else if let Ok(listener) = self.sockets.try_get_mut::<tcp::Listener<'_>>(handle) {
            match what % 2 {
                0 => listener.set_backlog((value & 3).into()),
                _ => listener.set_buffers((value & 0xf).into(), (value >> 4).into(), usize::from(what & 3)),
            }
        }
    }

    fn pass_time(&mut self, program: &mut Program<'_>) {
        let octet = program.octet();
        let unit = [1, 1_000, 40_000, 200_000, 1_000_000, 5_000_000, 60_000_000, 3_600_000_000];
        let micros = unit[usize::from(octet & 7)] * (1 + u64::from(octet >> 3));
        self.now += Duration::from_micros(micros);
    }

    fn poll_by_steps(&mut self, program: &mut Program<'_>) {
        let (mut how, frames) = (program.octet(), program.octet());
        for _ in 0..4 {
            let budget = Budget { frames: usize::from(frames & 7), octets: 10_000 };
            match how & 3 {
                0 => self.iface.poll_settle(self.now, &mut self.sockets),
                1 => {
                    self.iface.poll_settle(self.now, &mut self.sockets);
                    let (now, wire) = (self.now, &mut self.wire);
                    self.iface.poll_ingress_single(now, wire, &mut self.sockets, &mut self.judge);
                }
                2 => {
                    let (now, wire) = (self.now, &mut self.wire);
                    self.iface.poll_egress(now, wire, &mut self.sockets, &mut self.judge, budget);
                }
                _ => self.take_events(),
            }
            self.look_at_sent();
            how >>= 2;
        }
    }

    fn device(&mut self, program: &mut Program<'_>) {
        let octet = program.octet();
        self.wire.room = match octet & 3 {
            0 => 0,
            1 => 1 + usize::from(octet >> 2 & 3),
            _ => usize::MAX,
        };
        let link = if octet & 0x30 == 0x30 { LinkState::DOWN } else { LinkState::UP };
        let is_new = core::mem::replace(&mut self.wire.link, link) != link;
        self.answers = octet & 0x40 == 0;
        self.is_direct = octet & 0x80 != 0;
        if is_new {
            // A device whose link changes wakes who polls it; `poll_at` knows nothing of it before.
            self.poll(Budget::default());
        }
    }

    fn addresses(&mut self, program: &mut Program<'_>) {
        let (what, value) = (program.octet(), program.octet());
        let v4 = Ipv4Address::from(OUR_V4);
        match what % 8 {
            0 => _ = self.iface.remove_address(IpAddress::from(v4)),
            1 => _ = self.iface.remove_address(IpAddress::from(Ipv6Address::from(OUR_V6))),
            2 => _ = self.iface.add_address(IpCidr::new(v4.into(), 24)),
            3 => _ = self.iface.add_address(IpCidr::new(Ipv6Address::from(OUR_V6).into(), 64)),
            4 => self.iface.set_any_ip(value & 1 == 0),
            5 => _ = self.iface.routes_mut().remove(IpCidr::new(Ipv4Address::UNSPECIFIED.into(), 0)),
            6 => _ = self.iface.add_default_ipv6_route(Ipv6Address::from(peer_v6(value))),
            _ => {
                let network = IpCidr::new(Ipv4Address::from(peer_v4(3)).into(), 24);
                let gateway = (value & 1 == 0).then(|| Ipv4Address::from(peer_v4(value >> 1)).into());
                if let Ok(route) = Route::new(network, gateway) {
                    let at = self.now + Duration::from_secs(value.into());
                    _ = self.iface.routes_mut().add(route.with_expiry(at));
                }
            }
        }
    }

    fn neighbors(&mut self, program: &mut Program<'_>) {
        let (what, who) = (program.octet(), program.octet());
        let addr = match what & 1 {
            0 => IpAddress::from(Ipv4Address::from(peer_v4(who))),
            _ => IpAddress::from(Ipv6Address::from(peer_v6(who))),
        };
        match what >> 1 & 3 {
            0 => _ = self.iface.set_neighbor(addr, [2, 0, 0, 0, 1, who], &mut self.sockets),
            1 => _ = self.iface.remove_neighbor(addr),
            2 => self.iface.flush_neighbors(),
            _ => self.iface.announce(),
        }
        assert_eq!(self.iface.neighbors().count(), self.iface.neighbor_count());
    }

    fn take_events(&mut self) {
        let mut count = 0;
        while let Some((handle, events)) = self.sockets.next_ready() {
            assert!(!events.is_empty());
            let is_known = self.sockets.try_get::<tcp::Socket<'_>>(handle).is_ok()
                || self.sockets.try_get::<udp::Socket<'_>>(handle).is_ok()
                || self.sockets.try_get::<tcp::Listener<'_>>(handle).is_ok();
            assert!(is_known, "an event for nobody: {events:?}");
            count += 1;
            assert!(count <= SLOTS, "events without end");
        }
    }

    /// Sleeps until the stack wants to be polled, and looks whether it slept too long or is woken for
    /// nothing. Says whether it wants to at all. `empty` counts wakes that came to nothing.
    fn wake(&mut self, empty: &mut usize) -> bool {
        let is_free = self.wire.room == usize::MAX && self.wire.link.up;
        while !self.wire.received.is_empty() {
            self.poll(Budget::default());
        }
        self.take_events();
        let at = self.iface.poll_at(self.now, &mut self.sockets);
        let tick = Duration::from_micros(1_024);
        let end = at.unwrap_or(self.now + Duration::from_secs(3_600));
        assert!(end >= self.now, "poll_at in the past");
        if is_free && end > self.now + tick + tick {
            // Nothing can be due before.
            let half = end.saturating_duration_since(self.now).total_micros() / 2;
            for early in [half, half * 2 - 2_048] {
                let then = self.now;
                self.now += Duration::from_micros(early);
                let sent = self.poll(Budget::default());
                assert_eq!(sent, 0, "sent {early} µs after {then:?}, and poll_at had said {at:?}");
                let early_event = self.sockets.next_ready().map(|(_, events)| events);
                assert_eq!(
                    early_event, None,
                    "an event {early} µs after {then:?}, and poll_at had said {at:?}"
                );
                self.now = then;
            }
        }
        self.now = end;
        let drops = self.iface.stats().total_drops();
        let sent = self.poll(Budget::default());
        let had_events = self.sockets.next_ready().is_some();
        self.take_events();
        // What can't be sent, for want of an address or a neighbour, is counted.
        let has_dropped = self.iface.stats().total_drops() != drops;
        if sent > 0 || had_events || has_dropped || !is_free {
            *empty = 0;
        } else {
            *empty += 1;
            assert!(*empty < EMPTY_WAKES, "woken for nothing at {at:?}");
        }
        at.is_some()
    }

    /// The network heals, the application lets go of everything, and nothing is left after a while.
    fn come_to_rest(mut self) {
        self.wire.room = usize::MAX;
        self.wire.link = LinkState::UP;
        self.judge.decisions = 0;
        self.poll(Budget::default());
        let mut empty = 0;
        for _ in 0..20 {
            self.wake(&mut empty);
        }
        let all: Vec<SocketHandle> = self.sockets.iter().map(|(handle, _)| handle).collect();
        for handle in all {
            let _ = self.sockets.release(handle);
        }
        let mut wakes = 0;
        while self.wake(&mut empty) {
            wakes += 1;
            assert!(wakes < WAKES_TO_REST, "never comes to rest");
        }
        let left: Vec<_> = self.sockets.iter().map(|(handle, _)| handle).collect();
        assert_eq!(self.sockets.len(), 0, "left behind; {left:?} of them visible");
    }
}

fn socket_room(socket: &udp::Socket<'_>) -> usize {
    // A datagram larger than any queue of ours was refused.
    if socket.is_open() { 300 } else { 0 }
}

/// A place to send to: a peer, or somebody who can't be.
fn remote(program: &mut Program<'_>) -> IpEndpoint {
    let (who, port) = (program.octet(), program.octet());
    let addr = match who >> 2 & 7 {
        0 | 1 => IpAddress::from(Ipv4Address::from(peer_v4(who))),
        2 | 3 => IpAddress::from(Ipv6Address::from(peer_v6(who))),
        4 => IpAddress::from(Ipv4Address::from([10, 0, 0, 255])),
        5 => IpAddress::from(Ipv6Address::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        6 => IpAddress::from(Ipv4Address::from([10, 0, 0, 1 + (who >> 5)])),
        _ => IpAddress::from(Ipv4Address::from([255, 255, 255, who])),
    };
    let endpoint = IpEndpoint::new(addr, 1_000 + u16::from(port & 3));
    if port & 0x80 != 0 { endpoint.with_zone(port & 3) } else { endpoint }
}
