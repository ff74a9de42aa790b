//! A bridge between cables whose other ends the test holds.

mod frames;
mod learning;
mod local;
mod random;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use super::*;
use crate::phy::{Device, DeviceCapabilities, LinkState, RxToken, TxMeta, TxToken};

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 0xff];
const GROUP: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const EVERYBODY: [u8; 6] = [0xff; 6];

/// A station.
fn station(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [2, 1, a, b, c, d]
}

/// A frame with a payload that tells `len` apart.
fn frame(dst: [u8; 6], src: [u8; 6], len: usize) -> Vec<u8> {
    let mut frame = [&dst[..], &src[..], &[0x88, 0xb5]].concat();
    frame.extend((frame.len()..len).map(|i| i as u8));
    frame
}

struct State {
    incoming: VecDeque<(RxMeta, Vec<u8>)>,
    outgoing: Vec<Vec<u8>>,
    /// How many more frames it takes.
    room: usize,
    link: LinkState,
    capabilities: DeviceCapabilities,
}

/// A cable: the bridge has it as a device, the test as its other end.
#[derive(Clone)]
struct Cable(Arc<Mutex<State>>);

impl Cable {
    fn new() -> Cable {
        let capabilities = DeviceCapabilities::new(Medium::Ethernet, FRAME_LEN);
        let (incoming, outgoing, room, link) = (VecDeque::new(), Vec::new(), usize::MAX, LinkState::UP);
        Cable(Arc::new(Mutex::new(State { incoming, outgoing, room, link, capabilities })))
    }

    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.0.lock().unwrap())
    }

    fn put(&self, octets: Vec<u8>) {
        self.put_with(RxMeta::default(), octets);
    }

    fn put_with(&self, meta: RxMeta, octets: Vec<u8>) {
        self.with(|state| state.incoming.push_back((meta, octets)));
    }

    /// What the bridge has sent since the last call.
    fn take(&self) -> Vec<Vec<u8>> {
        self.with(|state| core::mem::take(&mut state.outgoing))
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
        assert_eq!(meta, TxMeta::default(), "the devices here do nothing for us");
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
        self.with(|state| state.capabilities)
    }

    fn link(&self) -> LinkState {
        self.with(|state| state.link)
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        self.with(|state| !state.incoming.is_empty()).then_some(now)
    }
}

/// The cables of a bridge, and the time.
struct Lan<'b, 'p> {
    now: Instant,
    cables: Vec<Cable>,
    bridge: Bridge<'b, 'p>,
}

/// A bridge of `ports` ports with room for so many stations, in lent memory, that never grows.
fn with_lan(ports: usize, entries: usize, f: impl FnOnce(&mut Lan<'_, '_>)) {
    with_config(Config::new(EthernetAddress(OWN), Keys::new([7; 32])), ports, entries, f);
}

fn with_config(config: Config, ports: usize, entries: usize, f: impl FnOnce(&mut Lan<'_, '_>)) {
    let cables: Vec<_> = (0..ports).map(|_| Cable::new()).collect();
    let mut devices = cables.clone();
    let mut places = Vec::from_iter((0..ports).map(|_| Port::VACANT));
    let mut entries = vec![Entry::EMPTY; entries];
    let (mut up, mut down) = ([const { PacketMetadata::EMPTY }; 4], [const { PacketMetadata::EMPTY }; 4]);
    let (mut up_octets, mut down_octets) = ([0; 4 * FRAME_LEN], [0; 4 * FRAME_LEN]);
    let storage = Storage {
        ports: (&mut places[..]).into(),
        entries: (&mut entries[..]).into(),
        up: PacketBuffer::new(&mut up[..], &mut up_octets[..]),
        down: PacketBuffer::new(&mut down[..], &mut down_octets[..]),
    };
    let mut bridge = Bridge::new(config, storage);
    for (place, device) in devices.iter_mut().enumerate() {
        assert_eq!(bridge.add_port(Instant::ZERO, device), Ok(place));
    }
    f(&mut Lan { now: Instant::ZERO, cables, bridge });
}

impl Lan<'_, '_> {
    fn poll(&mut self) {
        let progress = self.bridge.poll(self.now, Budget::default());
        assert!(!progress.more);
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// A frame comes by a port; by which others it leaves, as it came.
    fn hear(&mut self, port: usize, octets: Vec<u8>) -> Vec<usize> {
        self.cables[port].put(octets.clone());
        self.poll();
        let sent = self.cables.iter().map(Cable::take).enumerate();
        let sent = sent.filter(|(_, frames)| !frames.is_empty());
        sent.inspect(|(_, frames)| assert_eq!(*frames, core::slice::from_ref(&octets)))
            .map(|(port, _)| port)
            .collect()
    }

    /// From one station to another by a port.
    fn talk(&mut self, port: usize, src: u32, dst: u32) -> Vec<usize> {
        self.hear(port, frame(station(dst), station(src), 60))
    }

    /// What the stack on the bridge was given.
    fn handed_up(&mut self) -> Vec<Vec<u8>> {
        let frames = core::iter::from_fn(|| self.bridge.up.dequeue().ok().map(|(_, octets)| octets.to_vec()));
        frames.collect()
    }

    fn drops(&self, port: usize, reason: DropReason) -> u32 {
        self.bridge.ports()[port].stats().drops(reason)
    }

    fn count(&self) -> usize {
        self.bridge.entries(self.now).count()
    }

    /// Where a station was learned.
    fn place_of(&self, number: u32) -> Option<usize> {
        match self.bridge.lookup(self.now, EthernetAddress(station(number)))? {
            Whereabouts::Learned { port, .. } => Some(port),
            Whereabouts::Static(_) => None,
        }
    }
}
