//! `poll_at` against an oracle: random use of two stacks, and after each step the truth by brute force.
//!
//! Never late: no later than anything that any socket has to do, and a poll before then does nothing that
//! could be seen. Early at most once for each deadline that was stored.

use std::collections::VecDeque;
use std::vec::Vec;

use super::net::*;
use crate::config;
use crate::iface::engine::context;
use crate::iface::{
    Budget, Config, Handler, HookSet, Interface, InterfaceStorage, Neighbor, SocketHandle, SocketSet,
    SynVerdict,
};
use crate::phy::{Device, HardwareAddress, Medium, SimRng};
use crate::rand::Keys;
use crate::socket::tcp::{self, HalfOpen, Listener};
use crate::socket::{Socket, udp};
use crate::storage::{PacketPool, SocketBuffer, list_of, lists};
use crate::time::{Duration, Instant, Ticks};
use crate::wire::{IpAddress, IpCidr, IpEndpoint};

/// One request in two waits until the application has decided, if it decides.
#[derive(Default)]
struct Desk {
    decides: bool,
    count: usize,
    waiting: Vec<(IpEndpoint, IpEndpoint)>,
}

impl Handler for Desk {
    fn syn(&mut self, _listener: SocketHandle, remote: IpEndpoint, local: IpEndpoint) -> SynVerdict {
        self.count += 1;
        if self.count.is_multiple_of(2) || !self.decides {
            return SynVerdict::Accept;
        }
        self.waiting.push((remote, local));
        SynVerdict::Wait
    }

    fn hooks(&self) -> HookSet {
        HookSet::empty()
    }
}

/// Random numbers with a few shapes.
struct Dice(SimRng);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn micros(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.0.below(most) + 1)
    }
}

/// One stack.
pub(super) struct Stack {
    pub(super) wire: Wire,
    pub(super) iface: Interface<'static>,
    pub(super) sockets: SocketSet<'static>,
    pub(super) listener: SocketHandle,
    /// The sockets that the application has: first four for TCP.
    pub(super) handles: Vec<SocketHandle>,
    desk: Desk,
    /// Each slot's deadline as of the last look, and how often one was stored.
    deadlines: Vec<Option<Ticks>>,
    stored: usize,
}

fn hardware(last: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, last]
}

fn tcp_socket() -> tcp::Socket<'static> {
    tcp::Socket::new(SocketBuffer::new(vec![0; 2_000]), SocketBuffer::new(vec![0; 3_000]))
}

fn udp_socket() -> udp::Socket<'static> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 2_000]);
    udp::Socket::new(buffer(), buffer())
}

impl Stack {
    pub(super) fn new(last: u8, medium: Medium) -> Stack {
        let wire = Wire::new(medium);
        let address = match medium {
            Medium::Ethernet => HardwareAddress::Ethernet(hardware(last)),
            Medium::Ip => HardwareAddress::Ip,
        };
        let storage = InterfaceStorage {
            neighbors: (0..3).map(|_| Neighbor::EMPTY).collect::<Vec<_>>().into(),
            packets: PacketPool::with_cells(4, 600),
            ..InterfaceStorage::default()
        };
        let mut iface = Interface::with_storage(Config::new(address), wire.capabilities(), storage);
        iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24)).unwrap();
        let mut sockets = SocketSet::with_capacity(16, Keys::new([last; 32]));
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 3]);
        listener.set_backlog(1);
        let listener = sockets.add(listener);
        for _ in 0..2 {
            let lent = sockets.add(tcp_socket());
            sockets.lend(listener, lent).unwrap();
        }
        sockets.listen(listener, 80).unwrap();
        let mut handles: Vec<_> = (0..4).map(|_| sockets.add(tcp_socket())).collect();
        for port in [9_000, 9_001] {
            let handle = sockets.add(udp_socket());
            sockets.bind(handle, port).unwrap();
            handles.push(handle);
        }
        let (desk, deadlines) = (Desk::default(), Vec::new());
        Stack { wire, iface, sockets, listener, handles, desk, deadlines, stored: 0 }
    }

    pub(super) fn poll(&mut self, now: Instant) {
        let Stack { wire, iface, sockets, desk, .. } = self;
        iface.poll_with(now, wire, sockets, desk, Budget::default());
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        self.iface.poll_at(now, &mut self.sockets)
    }

    /// When something has to be done, by looking at everything there is.
    fn truth(&mut self, now: Instant) -> Option<Instant> {
        let cx = context(&self.sockets.keys, now, self.iface.ip_mtu());
        let mut at = self.iface.neighbors.poll_at();
        if self.iface.is_blocked() {
            at = Ticks::earlier(at, Some(cx.ticks.after(config::PORT_RETRY)));
        }
        self.deadlines.resize(64, None);
        for (ix, entry) in self.sockets.slots.iter() {
            let list = list_of(&self.sockets.slots, ix);
            let waits = matches!(list, lists::NEIGHBOR | lists::PORT);
            // A listener can't see whether there is a socket for it; who gives it one touches it.
            let can_tell = !matches!(entry.0.socket, Socket::TcpListener(_)) || list == lists::TOUCHED;
            if !waits && can_tell && entry.0.socket.has_work(&cx) {
                at = Some(cx.ticks);
            }
            // What the application does to one that waits counts when it has waited.
            let deadline = match waits {
                true => self.sockets.timers.deadline(&self.sockets.slots, ix),
                false => entry.0.socket.deadline(cx.ticks),
            };
            at = Ticks::earlier(at, deadline);
            let known = &mut self.deadlines[ix as usize];
            if deadline != *known {
                self.stored += 1;
                *known = deadline;
            }
        }
        at.map(|at| at.to_instant(now).max(now))
    }

    /// All that the truth is made of.
    fn explain(&self, now: Instant) -> String {
        let cx = context(&self.sockets.keys, now, self.iface.ip_mtu());
        let mut text = format!("\ntick {:?}, neighbours {:?}", cx.ticks, self.iface.neighbors.poll_at());
        for (ix, entry) in self.sockets.slots.iter() {
            let list = list_of(&self.sockets.slots, ix);
            let (socket, flags) = (&entry.0.socket, entry.0.flags);
            let (work, deadline) = (socket.has_work(&cx), socket.deadline(cx.ticks));
            let stored = self.sockets.timers.deadline(&self.sockets.slots, ix);
            text += &format!("\n{ix}: list {list}, {flags:?}, work {work}, {deadline:?}, stored {stored:?}");
        }
        text
    }

    /// What could be seen to change.
    fn visible(&self) -> (u64, usize, bool) {
        (self.iface.mib().interface.out_frames, self.wire.from_stack.len(), self.sockets.has_ready())
    }

    /// The application does something.
    fn act(&mut self, now: Instant, dice: &mut Dice, peer: u8) {
        if dice.one_in(4) {
            while let Some(accepted) = self.sockets.accept(self.listener) {
                self.handles.push(accepted);
            }
        }
        if dice.one_in(4) && !self.desk.waiting.is_empty() {
            let (remote, local) = self.desk.waiting.swap_remove(dice.below(self.desk.waiting.len()));
            let verdicts = [SynVerdict::Accept, SynVerdict::Accept, SynVerdict::Reset, SynVerdict::Ignore];
            // It may have given way meanwhile.
            let _ = self.sockets.answer_syn(self.listener, remote, local, verdicts[dice.below(4)]);
        }
        let index = dice.below(self.handles.len());
        let handle = self.handles[index];
        if self.sockets.try_get::<tcp::Socket>(handle).is_ok() {
            return self.act_tcp(now, dice, index, peer);
        }
        // One in four goes to somebody who is not there.
        let last = if dice.one_in(4) { 77 } else { peer };
        let socket = self.sockets.get_mut::<udp::Socket>(handle);
        match socket.send_slice(&[1; 300][..dice.below(300)], (IpAddress::v4(10, 0, 0, last), 9_000)) {
            Ok(()) | Err(udp::SendError::BufferFull) => {}
            Err(error) => panic!("{error}"),
        }
        let _ = socket.recv_slice(&mut [0; 500]);
    }

    fn act_tcp(&mut self, now: Instant, dice: &mut Dice, index: usize, peer: u8) {
        let handle = self.handles[index];
        let is_from_start = index < 4;
        let action = dice.below(if is_from_start { 22 } else { 24 });
        if action >= 22 {
            self.sockets.release(handle).unwrap();
            self.handles.swap_remove(index);
            return;
        }
        let socket = self.sockets.get_mut::<tcp::Socket>(handle);
        match action {
            0..8 => drop(socket.send_slice(&[7; 3_000][..dice.below(3_000)])),
            8..16 => drop(socket.recv_slice(&mut [0; 2_000][..dice.below(2_000)])),
            16 => socket.set_keep_alive(dice.one_in(2).then(|| dice.micros(3_000_000))),
            17 => socket.set_timeout(dice.one_in(3).then(|| dice.micros(20_000_000))),
            18 if dice.one_in(4) => socket.abort(),
            19 if dice.one_in(2) => socket.close(),
            20 if !socket.is_open() && is_from_start => {
                let remote = (IpAddress::v4(10, 0, 0, peer), [80, 80, 81][dice.below(3)]);
                if dice.one_in(2) {
                    let _ = socket.connect(remote, 0);
                } else {
                    let _ = self.iface.connect(now, &mut self.sockets, handle, remote, 0);
                }
            }
            21 if !socket.is_open() && is_from_start => drop(socket.listen(81)),
            // A mark alone.
            _ => {}
        }
    }
}

/// Two stacks, frames on the way, and what was counted.
struct World {
    now: Instant,
    dice: Dice,
    stacks: [Stack; 2],
    flying: VecDeque<(Instant, usize, Vec<u8>)>,
    wakes: usize,
    empty_wakes: usize,
}

impl World {
    fn new(seed: u64, medium: Medium) -> World {
        let mut stacks = [Stack::new(1, medium), Stack::new(2, medium)];
        stacks.iter_mut().for_each(|stack| stack.desk.decides = true);
        World {
            now: Instant::from_secs(10),
            dice: Dice(SimRng::new(seed)),
            stacks,
            flying: VecDeque::new(),
            wakes: 0,
            empty_wakes: 0,
        }
    }

    /// What was sent is lost, or arrives after a while.
    fn collect(&mut self) {
        for from in 0..2 {
            for frame in self.stacks[from].wire.from_stack.drain(..) {
                if !self.dice.one_in(20) {
                    self.flying.push_back((self.now + self.dice.micros(20_000), 1 - from, frame));
                }
            }
        }
        let mut flying: Vec<_> = self.flying.drain(..).collect();
        flying.sort_by_key(|frame| frame.0);
        self.flying.extend(flying);
    }

    /// The next thing that happens, be it a frame or what a stack wants.
    fn next_at(&mut self) -> Option<Instant> {
        let now = self.now;
        let frame_at = self.flying.front().map(|frame| frame.0);
        self.stacks.iter_mut().filter_map(|stack| stack.poll_at(now)).chain(frame_at).min()
    }

    fn check(&mut self) {
        for stack in &mut self.stacks {
            let (at, truth) = (stack.poll_at(self.now), stack.truth(self.now));
            let is_late = truth.is_some_and(|truth| at.is_none_or(|at| at > truth));
            assert!(!is_late, "at {}: {at:?} is later than {truth:?}:{}", self.now, stack.explain(self.now));
            assert!(at.is_none_or(|at| at >= self.now), "{at:?} has passed");
        }
    }

    /// A poll before anything is due does nothing that could be seen.
    fn poll_early(&mut self) {
        let Some(next) = self.next_at() else { return };
        let span = (next - self.now).total_micros();
        if span < 2 {
            return;
        }
        self.now += self.dice.micros(span - 1);
        for stack in &mut self.stacks {
            while stack.sockets.next_ready().is_some() {}
            if stack.iface.is_blocked() {
                // The device may have room meanwhile, and has not said so.
                continue;
            }
            let before = stack.visible();
            stack.poll(self.now);
            assert_eq!(stack.visible(), before, "at {}, though nothing was due before {next}", self.now);
        }
    }

    /// Sleeps until something is due, and no longer.
    fn poll_in_time(&mut self) {
        let Some(next) = self.next_at() else { return };
        self.now = self.now.max(next);
        while let Some(&(at, ..)) = self.flying.front()
            && at <= self.now
            && let Some((_, to, frame)) = self.flying.pop_front()
        {
            self.stacks[to].wire.to_stack.push_back(frame);
        }
        for stack in &mut self.stacks {
            while stack.sockets.next_ready().is_some() {}
            let wants = stack.poll_at(self.now).is_some_and(|at| at <= self.now);
            let is_alone = wants && stack.wire.to_stack.is_empty();
            // Not blocked by a full device: that is retried, which nobody calls a deadline.
            let is_free = stack.wire.room > 0;
            let truth = stack.truth(self.now);
            stack.poll(self.now);
            if is_alone && is_free {
                self.wakes += 1;
                self.empty_wakes += usize::from(truth.is_none_or(|truth| truth > self.now));
                let again = stack.poll_at(self.now);
                assert!(
                    again.is_none_or(|again| again > self.now),
                    "wants to be polled once more at {}",
                    self.now
                );
            }
        }
    }

    fn step(&mut self) {
        match self.dice.below(8) {
            0..3 => self.poll_in_time(),
            3 => self.poll_early(),
            _ => {
                let which = self.dice.below(2);
                let World { now, dice, stacks, .. } = self;
                stacks[which].act(*now, dice, 2 - which as u8);
                if dice.one_in(50) {
                    stacks[which].wire.room = dice.below(3);
                } else if dice.one_in(3) {
                    stacks[which].wire.room = 1_000;
                }
            }
        }
        self.collect();
        self.check();
    }
}

#[test]
fn poll_at_is_never_late_and_early_once_a_deadline_in_a_million_random_steps() {
    let (mut wakes, mut empty_wakes, mut stored) = (0, 0, 0);
    for seed in 0..100 {
        let medium = if seed % 2 == 0 { Medium::Ethernet } else { Medium::Ip };
        let mut world = World::new(seed, medium);
        for _ in 0..10_000 {
            world.step();
        }
        let stored_here: usize = world.stacks.iter().map(|stack| stack.stored).sum();
        assert!(world.empty_wakes <= stored_here, "{} > {stored_here}", world.empty_wakes);
        wakes += world.wakes;
        empty_wakes += world.empty_wakes;
        stored += stored_here;
    }
    println!("{wakes} wakes, {empty_wakes} of them empty, {stored} deadlines stored");
    assert!(wakes > 10_000 && empty_wakes * 20 < wakes, "{empty_wakes} of {wakes} wakes were empty");
}
