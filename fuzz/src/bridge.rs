//! A bridge of a few ports, driven by a program: frames, calls, time, links and rooms that come and go.
//!
//! What is promised, and held against every step:
//! - nothing panics, every poll ends;
//! - nobody gets a frame back by the port that it came by, nor by a port that is shut, down or gone;
//! - a frame goes where the table says and nowhere else, and where it is not cut or completed it goes as it came;
//! - the table keeps its size, knows no address twice, and counts for each port what it has learned;
//! - a port does not grow beyond its share, and takes no place of another that is within its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use goldcrest::iface::Budget;
use goldcrest::iface::bridge::{Bridge, Config, Entry, Port, PortSet, Storage, Whereabouts};
use goldcrest::phy::{
    Device, DeviceCapabilities, DynDevice, LinkState, Medium, RxMeta, RxToken, TxMeta, TxToken,
};
use goldcrest::rand::Keys;
use goldcrest::storage::{PacketBuffer, PacketMetadata};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::EthernetAddress;

use super::program::Program;

const PORTS: usize = 4;
const OWN: [u8; 6] = [2, 0, 0, 0, 0, 0xff];
const MTU: usize = 200;
/// Steps of a program.
const STEPS: usize = 400;

struct State {
    incoming: VecDeque<(RxMeta, Vec<u8>)>,
    outgoing: Vec<Vec<u8>>,
    /// How many more frames it takes.
    room: usize,
    link: LinkState,
}

/// A cable: the bridge has it as a device, the program as its other end.
#[derive(Clone)]
struct Cable(Arc<Mutex<State>>);

impl Cable {
    fn new() -> Cable {
        let (incoming, outgoing) = (VecDeque::new(), Vec::new());
        Cable(Arc::new(Mutex::new(State { incoming, outgoing, room: usize::MAX, link: LinkState::UP })))
    }

    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.0.lock().unwrap())
    }
}

struct Rx(RxMeta, Vec<u8>);
struct Tx<'t>(&'t Cable);

impl RxToken for Rx {
    fn meta(&self) -> RxMeta {
        self.0
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.1)
    }
}

impl TxToken for Tx<'_> {
    fn set_meta(&mut self, meta: TxMeta) {
        assert_eq!(meta, TxMeta::default(), "the devices here do nothing for a bridge");
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut octets = vec![0xff; len];
        let result = f(&mut octets);
        self.0.with(|state| {
            state.room -= 1;
            state.outgoing.push(octets);
        });
        result
    }
}

impl Device for Cable {
    type RxToken<'t> = Rx;
    type TxToken<'t> = Tx<'t>;

    fn receive(&mut self, _now: Instant) -> Option<(Rx, Option<Tx<'_>>)> {
        let (meta, octets) = self.with(|state| state.incoming.pop_front())?;
        Some((Rx(meta, octets), None))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Tx<'_>> {
        self.with(|state| state.room > 0).then_some(Tx(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::new(Medium::Ethernet, MTU)
    }

    fn link(&self) -> LinkState {
        self.with(|state| state.link)
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        self.with(|state| !state.incoming.is_empty()).then_some(now)
    }
}

type Dyn<'p> = &'p mut (dyn DynDevice + Send + 'p);

struct World<'b, 'p> {
    now: Instant,
    cables: Vec<Cable>,
    bridge: Bridge<'b, 'p>,
    /// The cable at each place, and devices that are at none.
    at: [Option<usize>; PORTS],
    parked: Vec<(usize, Dyn<'p>)>,
    /// The share of each place, as it was set.
    quotas: [Option<usize>; PORTS],
    capacity: usize,
    has_local: bool,
    /// Entries age at once.
    is_forgetful: bool,
}

/// What of the table a step is held against: of each port the count, and who was learned there.
struct Before {
    counts: [usize; PORTS],
    learned: Vec<(EthernetAddress, usize)>,
    unlearned: u32,
}

/// A program for a bridge. The first octet says what kind.
pub(crate) fn bridge(data: &[u8]) {
    let mut program = Program::new(data);
    let kind = program.octet();
    let capacity = [6, 1, 16, 0][usize::from(kind & 3)];
    let mut config = Config::new(EthernetAddress(OWN), Keys::new([kind; 32]));
    config.ageing = Duration::from_secs([300, 10, 0, 1_000_000][usize::from(kind >> 2 & 3)]);
    config.max_transmission_unit = MTU;
    let cables: Vec<Cable> = (0..PORTS).map(|_| Cable::new()).collect();
    let mut devices = cables.clone();
    let queue = |frames: usize| vec![0; frames * MTU];
    let (has_local, depth) = (kind & 16 == 0, 2);
    let (mut ports, mut entries) = ([const { Port::VACANT }; PORTS], vec![Entry::EMPTY; capacity]);
    let mut up_meta = vec![PacketMetadata::EMPTY; if has_local { depth } else { 0 }];
    let mut down_meta = vec![PacketMetadata::EMPTY; depth];
    let (mut up, mut down) = (queue(depth), queue(depth));
    let storage = Storage {
        ports: (&mut ports[..]).into(),
        entries: (&mut entries[..]).into(),
        up: PacketBuffer::new(&mut up_meta[..], &mut up[..]),
        down: PacketBuffer::new(&mut down_meta[..], &mut down[..]),
    };
    let is_forgetful = config.ageing == Duration::ZERO;
    let mut bridge = Bridge::new(config, storage);
    let mut at = [None; PORTS];
    for (number, device) in devices.iter_mut().enumerate() {
        at[bridge.add_port(Instant::ZERO, device).unwrap()] = Some(number);
    }
    let (now, parked, quotas) = (Instant::from_secs(1), Vec::new(), [None; PORTS]);
    let mut world = World { now, cables, bridge, at, parked, quotas, capacity, has_local, is_forgetful };
    for _ in 0..STEPS {
        if program.is_over() {
            break;
        }
        world.step(&mut program);
        world.check_table();
    }
}

fn address(program: &mut Program<'_>) -> [u8; 6] {
    let octet = program.octet();
    match octet >> 5 {
        0 => [0xff; 6],
        1 => [0x33, 0x33, 0, 0, 0, octet & 1],
        2 if octet & 1 == 0 => OWN,
        2 => [1, 0x80, 0xc2, 0, 0, octet & 0x1f],
        3 if octet & 0xf == 0 => [0; 6],
        _ => [2, 1, 0, 0, 0, octet & 0x1f],
    }
}

fn frame(program: &mut Program<'_>) -> (RxMeta, Vec<u8>) {
    let shape = program.octet();
    let mut octets = [address(program), address(program)].concat();
    octets.extend([[0x88, 0xb5], [8, 0], [0x86, 0xdd], [0x81, 0]][usize::from(shape & 3)]);
    let len = usize::from(program.octet());
    octets.extend(program.octets(len));
    // Mostly as long as it says, so that there is something to pass on.
    octets.resize(if shape & 0x1c == 4 { len } else { 14 + len }, shape);
    let mut meta = RxMeta::default();
    meta.checksum_partial = shape & 0xe0 == 0x20;
    meta.segment_len = if shape & 0xe0 == 0x40 { 7 } else { 0 };
    (meta, octets)
}

impl World<'_, '_> {
    fn step(&mut self, program: &mut Program<'_>) {
        let (op, number) = (program.octet(), program.octet());
        let (cable, place) = (&self.cables[usize::from(number) % PORTS], usize::from(number) % PORTS);
        match op % 24 {
            0 => self.now += Duration::from_secs(number.into()),
            1 => {
                cable.with(|state| state.link = if number & 4 == 0 { LinkState::DOWN } else { LinkState::UP })
            }
            2 => cable.with(|state| state.room = usize::from(number >> 2 & 3)),
            3 => cable.with(|state| state.room = usize::MAX),
            4 => {
                let sets =
                    [PortSet::NONE, PortSet::LOCAL, PortSet::port(0), PortSet::port(1), PortSet::port(3)];
                let of = |n: u8| sets[usize::from(n) % sets.len()];
                let to = of(number).with(of(number / 5));
                let address = EthernetAddress(address(program));
                if self.bridge.add_static(address, to).is_ok() {
                    assert_eq!(self.bridge.lookup(self.now, address), Some(Whereabouts::Static(to)));
                }
            }
            5 | 6 => {
                let address = EthernetAddress(address(program));
                let is_static = matches!(self.bridge.lookup(self.now, address), Some(Whereabouts::Static(_)));
                assert_eq!(self.bridge.remove_static(address), is_static);
            }
            7 => {
                let is_there = self.bridge.set_port_enabled(place, number & 12 != 0);
                assert_eq!(is_there, self.at[place].is_some());
            }
            8 => {
                let quota = [None, Some(0), Some(2), Some(99)][usize::from(number >> 2 & 3)];
                self.bridge.ports_mut()[place].set_quota(quota);
                self.quotas[place] = quota;
            }
            9 => self.remove(place),
            10 => self.add(usize::from(number)),
            11 => self.several(program),
            12 => self.send_from_above(program),
            _ => self.one(place, program),
        }
    }

    fn remove(&mut self, place: usize) {
        let device = self.bridge.remove_port(place);
        let number = self.at[place].take();
        assert_eq!(device.is_some(), number.is_some());
        self.parked.extend(number.zip(device));
        assert_eq!(self.bridge.ports()[place].learned_count(), 0);
    }

    fn add(&mut self, which: usize) {
        if self.parked.is_empty() {
            return;
        }
        let (number, device) = self.parked.swap_remove(which % self.parked.len());
        self.at[self.bridge.add_port(self.now, device).unwrap()] = Some(number);
    }

    /// All that waits goes where it goes, and the stack on the bridge is given what it is given.
    fn run(&mut self) -> Vec<Vec<u8>> {
        let mut given = Vec::new();
        for _ in 0..100 {
            let more = self.bridge.poll(self.now, Budget::default()).more;
            let above = Device::receive(&mut self.bridge, self.now);
            let is_done = above.is_none() && !more;
            given.extend(above.map(|(token, _)| token.consume(<[u8]>::to_vec)));
            if is_done {
                return given;
            }
        }
        panic!("it does not come to an end");
    }

    /// Links and ages are seen, and what the stack on the bridge has sent leaves, for which there is room for a moment.
    fn settle(&mut self) {
        let rooms: Vec<usize> = self.cables.iter().map(|cable| cable.with(|state| state.room)).collect();
        self.cables.iter().for_each(|cable| cable.with(|state| state.room = usize::MAX));
        self.run();
        self.sent();
        self.cables.iter().zip(rooms).for_each(|(cable, room)| cable.with(|state| state.room = room));
    }

    /// What has left by each place since it was asked last.
    fn sent(&self) -> [Vec<Vec<u8>>; PORTS] {
        let sent = self.at.map(|number| match number {
            Some(number) => self.cables[number].with(|state| std::mem::take(&mut state.outgoing)),
            None => Vec::new(),
        });
        for (number, _) in &self.parked {
            assert!(self.cables[*number].with(|state| state.outgoing.is_empty()), "by a port that is gone");
        }
        sent
    }

    /// Whether frames pass a place: said by its cable and by the bridge alike.
    fn is_up(&self, place: usize) -> bool {
        let is_up = self.bridge.ports()[place].is_up();
        let link = self.at[place].map(|number| self.cables[number].with(|state| state.link.up));
        assert!(!is_up || link == Some(true));
        is_up
    }

    fn share(&self, place: usize) -> usize {
        self.quotas[place].unwrap_or((self.capacity / PORTS).max(1))
    }

    fn before(&self) -> Before {
        let ports = self.bridge.ports();
        let learned = self.bridge.entries(self.now).filter_map(|(address, whereabouts)| match whereabouts {
            Whereabouts::Learned { port, .. } => Some((address, port)),
            _ => None,
        });
        Before {
            counts: std::array::from_fn(|place| ports[place].learned_count()),
            learned: learned.collect(),
            unlearned: self.bridge.table_counters().unlearned,
        }
    }

    /// One frame by one port, while nothing else goes on: all that comes of it is known.
    fn one(&mut self, place: usize, program: &mut Program<'_>) {
        let (meta, octets) = frame(program);
        let Some(number) = self.at[place] else { return };
        self.settle();
        let before = self.before();
        self.cables[number].with(|state| state.incoming.push_back((meta, octets.clone())));
        let given = self.run();
        let sent = self.sent();
        // Nothing has happened since it was decided on.
        let wanted = self.wanted(place, &octets);
        // Of others parts or tags may be missing.
        let is_whole = meta == RxMeta::default() && octets.get(12..14) != Some(&[0x81, 0]);
        for (to, frames) in sent.iter().enumerate() {
            let may_go = wanted.is_some_and(|set| set.contains(to));
            assert!(frames.is_empty() || (to != place && may_go && self.is_up(to)), "{octets:02x?} by {to}");
            assert!(!is_whole || frames.len() <= 1);
            for frame in frames {
                assert!(frame[..12] == octets[..12] && (!is_whole || *frame == octets), "{frame:02x?}");
                // A tag may come on top.
                assert!(frame.len() <= MTU + 8, "{} octets", frame.len());
            }
            let has_room = self.at[to].is_some_and(|number| self.cables[number].with(|state| state.room > 0));
            if is_whole && may_go && has_room && octets.len() <= MTU {
                assert_eq!(frames.len(), 1, "{octets:02x?} not by {to}");
            }
        }
        let may_be_given = self.has_local && wanted.is_some_and(PortSet::has_local);
        assert!(given.is_empty() || may_be_given && given == [octets.clone()]);
        assert!(!may_be_given || !is_whole || octets.len() > MTU || given.len() == 1);
        let src = wanted.map(|_| octets[6..12].try_into().unwrap());
        self.check_learning(place, &before, src, is_whole);
    }

    /// Where a frame that came by `place` may go; `None` if it is dropped before anything is learned of it.
    fn wanted(&self, place: usize, octets: &[u8]) -> Option<PortSet> {
        let (dst, src) = (octets.get(..6)?, octets.get(6..12)?);
        if octets.len() < 14 || src[0] & 1 != 0 || src == [0; 6] || src == OWN || !self.is_up(place) {
            return None;
        }
        let dst = EthernetAddress(dst.try_into().unwrap());
        let all = (0..PORTS)
            .filter(|to| self.is_up(*to))
            .fold(PortSet::NONE, |set, to| set.with(PortSet::port(to)));
        let is_reserved = dst.0[..5] == [1, 0x80, 0xc2, 0, 0] && dst.0[5] < 0x10;
        let wanted = match self.bridge.lookup(self.now, dst) {
            _ if is_reserved || dst.0 == OWN => PortSet::LOCAL,
            Some(Whereabouts::Learned { port, .. }) => PortSet::port(port),
            Some(Whereabouts::Static(to)) => to,
            Some(other) => panic!("{other:?} is new here"),
            None if dst.is_multicast() => all.with(PortSet::LOCAL),
            None => all,
        };
        let down = (0..PORTS)
            .filter(|to| !all.contains(*to))
            .fold(PortSet::NONE, |set, to| set.with(PortSet::port(to)));
        Some(wanted.without(PortSet::port(place)).without(down))
    }

    fn check_learning(&self, place: usize, before: &Before, src: Option<[u8; 6]>, is_sure: bool) {
        let counts = self.before().counts;
        for (to, (count, count_before)) in counts.into_iter().zip(before.counts).enumerate() {
            let grew = count > count_before;
            assert!(!grew || (to == place && src.is_some()), "learned at {to}");
            assert!(!grew || count <= self.share(to), "beyond its share");
        }
        for &(address, port) in &before.learned {
            let is_its_own = port == place || src == Some(address.0);
            let was_within = before.counts[port] <= self.share(port);
            let is_there = self.bridge.lookup(self.now, address).is_some();
            assert!(is_its_own || !was_within || is_there, "{address} gave way");
        }
        let Some(src) = src else { return };
        let is_unlearned = self.bridge.table_counters().unlearned != before.unlearned;
        match self.bridge.lookup(self.now, EthernetAddress(src)) {
            Some(Whereabouts::Learned { port, .. }) => assert!(port == place || !is_sure),
            // With no time at all it has aged at once.
            None => assert!(is_unlearned || self.is_forgetful || !is_sure),
            Some(_) => {}
        }
    }

    /// Several at once, each with a number: none comes back where it came from.
    fn several(&mut self, program: &mut Program<'_>) {
        self.settle();
        let count = program.octet() % 12;
        for serial in 0..count {
            let (_, mut octets) = frame(program);
            octets.truncate(100);
            octets.push(serial);
            if let Some(number) = self.at[usize::from(serial) % PORTS] {
                self.cables[number].with(|state| state.incoming.push_back((RxMeta::default(), octets)));
            }
        }
        let given = self.run();
        let origin = |frame: &Vec<u8>| usize::from(*frame.last().unwrap()) % PORTS;
        for (place, frames) in self.sent().iter().enumerate() {
            assert!(frames.iter().all(|frame| origin(frame) != place), "back by {place}");
            let mut serials: Vec<u8> = frames.iter().map(|frame| *frame.last().unwrap()).collect();
            serials.sort_unstable();
            assert!(serials.windows(2).all(|pair| pair[0] < pair[1]), "twice by {place}");
        }
        assert!(given.iter().all(|frame| *frame.last().unwrap() < count));
    }

    /// The stack on the bridge sends, and does not hear itself.
    fn send_from_above(&mut self, program: &mut Program<'_>) {
        self.settle();
        let (_, mut octets) = frame(program);
        octets.truncate(MTU);
        let before = self.before();
        if let Some(token) = Device::transmit(&mut self.bridge, self.now) {
            token.consume(octets.len(), |out| {
                if out.len() == octets.len() {
                    out.copy_from_slice(&octets);
                }
            });
        }
        assert!(self.run().is_empty(), "it heard itself");
        for (place, frames) in self.sent().iter().enumerate() {
            assert!(frames.is_empty() || self.is_up(place));
            assert!(frames.iter().all(|frame| *frame == octets) && frames.len() <= 1);
        }
        assert_eq!(self.before().counts, before.counts, "nothing is learned of it");
    }

    /// The table has at most as many as there is room for, none twice, and each port counts its own.
    fn check_table(&self) {
        let (mut seen, mut counts) = (Vec::new(), [0; PORTS]);
        // Nothing is older than the beginning: this way aged entries show, too.
        for (address, whereabouts) in self.bridge.entries(Instant::ZERO) {
            assert!(!seen.contains(&address), "{address} twice");
            assert!(address.0 != [0; 6] && address.0 != OWN);
            if let Whereabouts::Learned { port, .. } = whereabouts {
                assert!(address.is_unicast());
                counts[port] += 1;
            }
            seen.push(address);
        }
        assert!(seen.len() <= self.capacity);
        let learned: [usize; PORTS] = std::array::from_fn(|place| self.bridge.ports()[place].learned_count());
        // With no time at all even the newest do not show.
        assert!(self.is_forgetful || learned == counts, "{learned:?} {counts:?}");
    }
}
