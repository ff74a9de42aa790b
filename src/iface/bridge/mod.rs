//! A learning bridge between Ethernet devices (feature `iface-bridge`; IEEE 802.1D-2004 §7, without spanning
//! tree).
//!
//! [`Bridge`] joins devices to one link, and is itself a device: an [`Interface`](super::Interface) or a port of a
//! [`Router`](super::Router) may sit on it. Without one, [`Bridge::poll`] alone drives it.
//!
//! | file | what |
//! | --- | --- |
//! | `port` | the ports and sets of them |
//! | `table` | who was heard by which port, static entries |
//! | `frame` | what a frame looks like where it goes out |
//! | `device` | the bridge as a device |
//!
//! Frames pass with the tags they have; learning is shared by all VLANs. There is no spanning tree: two ways
//! between the same links are a loop, which the one who joins them has to avoid. A frame that another port has no
//! room for is dropped and counted; only those of the stack on the bridge wait for the port they go to.

mod device;
mod frame;
mod port;
mod table;
#[cfg(all(test, feature = "alloc"))]
mod tests;

use managed::ManagedSlice;

pub use device::{BridgeRxToken, BridgeTxToken};
use frame::Frame;
pub use port::{Port, PortSet};
use table::Table;
pub use table::{Entry, TableCounters, Whereabouts};

use super::engine::{Budget, Progress};
use crate::config;
use crate::phy::{DynDevice, Medium, RxMeta};
use crate::rand::Keys;
use crate::stats::{DropReason, Stats};
#[cfg(feature = "alloc")]
use crate::storage::PacketMetadata;
use crate::storage::{EnqueueError, PacketBuffer};
use crate::time::{Duration, Instant};
use crate::wire::{EthernetAddress, ethernet};

/// The place of the stack on the bridge, behind those of the ports.
const LOCAL: usize = config::MAX_BRIDGE_PORTS;
/// Octets of a plain Ethernet frame.
const FRAME_LEN: usize = 1_514;

/// What a bridge is told when it is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The bridge's own address: frames for it are handed up and go no further.
    pub hardware: EthernetAddress,
    /// How long a station that is silent stays in the table; 300 s unless set (IEEE 802.1D allows 10 s to
    /// 1,000,000 s). With zero the bridge floods all.
    pub ageing: Duration,
    /// The largest frame, in octets with its link header, that the stack on the bridge may send; 1,514 unless set.
    pub max_transmission_unit: usize,
    keys: Keys,
}

impl Config {
    /// With defaults for all but the bridge's own address and its secret.
    pub fn new(hardware: EthernetAddress, keys: Keys) -> Config {
        let ageing = Duration::from_secs(config::BRIDGE_AGEING);
        Config { hardware, ageing, max_transmission_unit: FRAME_LEN, keys }
    }
}

/// The memory of a bridge.
pub struct Storage<'b, 'p> {
    /// Places for ports; those beyond [`MAX_BRIDGE_PORTS`](config::MAX_BRIDGE_PORTS) stay vacant.
    pub ports: ManagedSlice<'b, Port<'p>>,
    /// Places for stations, learned and static.
    pub entries: ManagedSlice<'b, Entry>,
    /// Frames that wait to be received by the stack on the bridge. With room for none there is no such stack.
    pub up: PacketBuffer<'b, RxMeta>,
    /// Frames of that stack which wait for a port, with the time since when. With less room than for the largest
    /// frame it can't send.
    pub down: PacketBuffer<'b, Instant>,
}

#[cfg(feature = "alloc")]
impl<'p> Storage<'p, 'p> {
    /// Owned memory for so many ports and stations, and for as many frames as by default to and from a stack on
    /// the bridge.
    pub fn with_capacity(ports: usize, entries: usize) -> Storage<'p, 'p> {
        fn queue<'q, H>() -> PacketBuffer<'q, H> {
            let count = config::DEFAULT_BRIDGE_QUEUE;
            let metadata = (0..count).map(|_| PacketMetadata::EMPTY).collect::<alloc::vec::Vec<_>>();
            PacketBuffer::new(metadata, alloc::vec![0; count * FRAME_LEN])
        }
        Storage {
            ports: (0..ports).map(|_| Port::VACANT).collect::<alloc::vec::Vec<_>>().into(),
            entries: alloc::vec![Entry::EMPTY; entries].into(),
            up: queue(),
            down: queue(),
        }
    }
}

/// Why a device did not become a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddPortError {
    /// All places are taken: remove a port, or lend more memory.
    NoPlace,
    /// The device does not carry Ethernet frames.
    NotEthernet,
}

impl core::fmt::Display for AddPortError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            AddPortError::NoPlace => "no place for another port",
            AddPortError::NotEthernet => "the device does not carry Ethernet frames",
        })
    }
}

impl core::error::Error for AddPortError {}

/// Why there is no static entry now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaticError {
    /// Static entries have all places of the table: remove one, or lend more memory.
    Full,
    /// The address is zero, the bridge's own, or one that a bridge never forwards.
    NotForwarded,
    /// It names a place that the bridge does not have.
    NoSuchPort,
}

impl core::fmt::Display for StaticError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            StaticError::Full => "static entries have all places",
            StaticError::NotForwarded => "nothing is ever forwarded to this address",
            StaticError::NoSuchPort => "the bridge has no such port",
        })
    }
}

impl core::error::Error for StaticError {}

/// Ethernet devices that are one link, and a device for the stack on that link.
///
/// ```
/// # #[cfg(all(feature = "alloc", feature = "phy-loopback"))] {
/// use goldcrest::iface::bridge::{Bridge, Config, PortSet, Storage};
/// use goldcrest::phy::{Loopback, Medium};
/// use goldcrest::{rand::Keys, time::Instant, wire::EthernetAddress};
///
/// let (mut left, mut right) = (Loopback::new(Medium::Ethernet), Loopback::new(Medium::Ethernet));
/// let config = Config::new(EthernetAddress([2, 0, 0, 0, 0, 9]), Keys::new([7; 32])); // 32 secret octets
/// let mut bridge = Bridge::new(config, Storage::with_capacity(2, 1_024));
/// let left = bridge.add_port(Instant::ZERO, &mut left)?;
/// bridge.add_port(Instant::ZERO, &mut right)?;
/// bridge.add_static(EthernetAddress([2, 0, 0, 0, 0, 1]), PortSet::port(left))?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Bridge<'b, 'p> {
    core: Core<'b, 'p>,
    up: PacketBuffer<'b, RxMeta>,
    down: PacketBuffer<'b, Instant>,
}

/// All but the queues, which tokens borrow one by one.
struct Core<'b, 'p> {
    ports: ManagedSlice<'b, Port<'p>>,
    table: Table<'b>,
    hardware: EthernetAddress,
    max_transmission_unit: usize,
    /// What the stack on the bridge sent, and what it was given.
    local: Stats,
    has_local: bool,
    /// The port that gives the next frame, and how many it may still give in a row.
    turn: usize,
    turn_left: usize,
    /// More frames may wait than were taken.
    more: bool,
}

impl<'b, 'p> Bridge<'b, 'p> {
    /// Without any port so far.
    pub fn new(config: Config, storage: Storage<'b, 'p>) -> Bridge<'b, 'p> {
        let Storage { ports, entries, up, down } = storage;
        let core = Core {
            ports,
            table: Table::new(entries, config.keys, config.ageing),
            hardware: config.hardware,
            max_transmission_unit: config.max_transmission_unit,
            local: Stats::new(),
            has_local: up.packet_capacity() > 0,
            turn: 0,
            turn_left: config::BRIDGE_FRAMES_PER_TURN,
            more: false,
        };
        Bridge { core, up, down }
    }

    /// Makes a device a port, and says its place. It must receive frames for everybody (a raw socket is to be
    /// set promiscuous), and it must not change its capabilities.
    pub fn add_port(
        &mut self,
        now: Instant,
        device: &'p mut (dyn DynDevice + Send + 'p),
    ) -> Result<usize, AddPortError> {
        let status = device.status(now);
        if status.capabilities.medium != Medium::Ethernet {
            return Err(AddPortError::NotEthernet);
        }
        let mut places = self.core.ports.iter_mut().take(config::MAX_BRIDGE_PORTS).enumerate();
        let (place, port) = places.find(|(_, port)| !port.is_taken).ok_or(AddPortError::NoPlace)?;
        let quota = port.learned.quota;
        *port = Port::VACANT;
        port.learned.quota = quota;
        (port.capabilities, port.link) = (status.capabilities, status.link);
        (port.device, port.is_taken) = (Some(device), true);
        Ok(place)
    }

    /// Takes a port away and forgets what it has learned. Static entries that name it name whoever takes its place.
    pub fn remove_port(&mut self, place: usize) -> Option<&'p mut (dyn DynDevice + Send + 'p)> {
        let device = self.core.ports.get_mut(place)?.device.take();
        self.core.table.flush(place, &mut self.core.ports);
        self.core.ports[place].is_taken = false;
        device
    }

    /// Shuts a port, or opens it again; all are open unless set. What a port that is shut has learned is forgotten,
    /// and what comes by it is dropped. False if there is no such port.
    pub fn set_port_enabled(&mut self, place: usize, on: bool) -> bool {
        let Core { table, ports, .. } = &mut self.core;
        let Some(port) = ports.get_mut(place).filter(|port| port.is_taken) else { return false };
        port.is_enabled = on;
        if !on {
            table.flush(place, ports);
        }
        true
    }

    /// The places of ports, vacant ones too.
    pub fn ports(&self) -> &[Port<'p>] {
        &self.core.ports
    }

    /// The places of ports, vacant ones too.
    pub fn ports_mut(&mut self) -> &mut [Port<'p>] {
        &mut self.core.ports
    }

    /// Frames for this address, which may be a group's, go to these ports, wherever it is heard: to none if the set
    /// is empty, and never back. Takes the place of what was learned or told before.
    pub fn add_static(&mut self, address: EthernetAddress, to: PortSet) -> Result<(), StaticError> {
        let Core { table, ports, hardware, .. } = &mut self.core;
        if address.0 == [0; 6] || address == *hardware || is_reserved(&address.0) {
            return Err(StaticError::NotForwarded);
        }
        if to.places().any(|place| place >= ports.len()) {
            return Err(StaticError::NoSuchPort);
        }
        table.add_static(&address.0, to, ports).map_err(|_| StaticError::Full)
    }

    /// Removes a static entry, and says whether there was one.
    pub fn remove_static(&mut self, address: EthernetAddress) -> bool {
        self.core.table.remove_static(&address.0)
    }

    /// What the table knows of an address.
    pub fn lookup(&self, now: Instant, address: EthernetAddress) -> Option<Whereabouts> {
        self.core.table.lookup(now, &address.0)
    }

    /// All that the table knows, in no order.
    pub fn entries(&self, now: Instant) -> impl Iterator<Item = (EthernetAddress, Whereabouts)> + '_ {
        self.core.table.iter(now)
    }

    /// What became of the table.
    pub fn table_counters(&self) -> TableCounters {
        self.core.table.counters
    }

    /// What the stack on the bridge has sent (as received here), and what it was given (as sent).
    pub fn local_stats(&self) -> &Stats {
        &self.core.local
    }

    /// Passes on what has come by the ports, within `budget` for all of them, and queues what is for the stack on
    /// the bridge. Needed only where there is none: an interface that is polled on the bridge drives it as well.
    pub fn poll(&mut self, now: Instant, budget: Budget) -> Progress {
        self.begin(now);
        let mut progress = Progress::default();
        progress.more = loop {
            if progress.has_used(budget) {
                break true;
            }
            if !self.core.receive(now, &mut self.up, &mut progress) {
                break false;
            }
        };
        self.core.more = progress.more;
        progress
    }

    /// When to poll next: never later than anything has to happen, `None` for not before a frame comes. That an entry
    /// ages needs no poll: nobody sees it from then on. What waits for the stack on the bridge counts only in
    /// [`Device::poll_at`](crate::phy::Device::poll_at), which is what to ask if there is one.
    pub fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        if self.core.more {
            return Some(now);
        }
        let retry = (!self.down.is_empty()).then(|| now + Duration::from_millis(1));
        let devices = self.core.ports.iter_mut().filter_map(|port| port.device.as_mut()?.status(now).poll_at);
        devices.chain(retry).min()
    }

    /// What is to be done before frames are taken in.
    fn begin(&mut self, now: Instant) {
        self.core.watch_links(now);
        self.core.table.expire(now, &mut self.core.ports);
        self.core.flush(now, &mut self.down);
    }
}

/// Whether a bridge never forwards to this group (IEEE 802.1D table 7-10).
fn is_reserved(address: &[u8; 6]) -> bool {
    matches!(address, [0x01, 0x80, 0xc2, 0, 0, 0..=0x0f])
}

impl Core<'_, '_> {
    /// A port whose link is gone has no stations (IEEE 802.1D §7.9: nothing is learned by a port that is not in use).
    fn watch_links(&mut self, now: Instant) {
        for place in 0..self.ports.len() {
            let port = &mut self.ports[place];
            let Some(device) = port.device.as_mut() else { continue };
            let link = device.status(now).link;
            let went_down = port.link.up && !link.up;
            port.link = link;
            if went_down {
                self.table.flush(place, &mut self.ports);
            }
        }
    }

    /// Takes one frame from the port whose turn it is, or else from the next that has one. False if none has.
    fn receive(&mut self, now: Instant, up: &mut PacketBuffer<'_, RxMeta>, progress: &mut Progress) -> bool {
        for _ in 0..=self.ports.len() {
            if self.turn_left > 0 && self.receive_by(now, self.turn, up, progress) {
                self.turn_left -= 1;
                return true;
            }
            self.turn = if self.turn + 1 < self.ports.len() { self.turn + 1 } else { 0 };
            self.turn_left = config::BRIDGE_FRAMES_PER_TURN;
        }
        false
    }

    fn receive_by(
        &mut self,
        now: Instant,
        place: usize,
        up: &mut PacketBuffer<'_, RxMeta>,
        progress: &mut Progress,
    ) -> bool {
        let Some(device) = self.ports.get_mut(place).and_then(|port| port.device.take()) else {
            return false;
        };
        let any = device.receive_dyn(now, &mut |meta, octets, _| {
            progress.frames += 1;
            progress.octets += octets.len();
            self.ports[place].stats.on_frame_received(octets.first_chunk(), octets.len());
            if let Err(reason) = self.pass(now, place, &meta, octets, up) {
                self.ports[place].stats.on_drop(reason);
            }
        });
        self.ports[place].device = Some(device);
        any
    }

    /// A frame that came by the port at `from` goes wherever it has to.
    fn pass(
        &mut self,
        now: Instant,
        from: usize,
        meta: &RxMeta,
        octets: &[u8],
        up: &mut PacketBuffer<'_, RxMeta>,
    ) -> Result<(), DropReason> {
        if !self.ports[from].is_up() {
            return Err(DropReason::LinkDown);
        }
        let (header, _) = ethernet::Header::split(octets)?;
        let src = EthernetAddress(*header.src());
        // Our own address as a source is a loop, or forged.
        if !src.is_unicast() || src == self.hardware {
            return Err(DropReason::BadSource);
        }
        let frame = Frame::new(meta, octets)?;
        self.table.learn(now, &src.0, from, &mut self.ports);
        let to = self.decide(now, from, header.dst())?;
        for place in to.places() {
            self.ports[place].send(now, &frame, false);
        }
        if to.has_local() {
            self.hand_up(meta, octets, up);
        }
        Ok(())
    }

    /// Where a frame goes that came from a port, or from the stack: to somebody who can take it, or the reason why
    /// it is dropped.
    fn decide(&self, now: Instant, from: usize, dst: &[u8; 6]) -> Result<PortSet, DropReason> {
        let address = EthernetAddress(*dst);
        // IEEE 802.1D §7.12.6: what is for the next bridge or its like goes no further.
        let wanted = if is_reserved(dst) || address == self.hardware {
            PortSet::LOCAL
        } else {
            match self.table.lookup(now, dst) {
                Some(Whereabouts::Static(to)) if to.is_empty() => return Err(DropReason::Filtered),
                Some(Whereabouts::Static(to)) => to,
                Some(Whereabouts::Learned { port, .. }) => PortSet::at(port),
                None => return self.flood(from, address.is_multicast()),
            }
        };
        let others = wanted.without(PortSet::at(from));
        let reachable = PortSet(self.reachable().0 & others.0);
        match (others.is_empty(), reachable.is_empty()) {
            (_, false) => Ok(reachable),
            // IEEE 802.1D §7.7.1: never back to where it came from.
            (true, _) if from != LOCAL => Err(DropReason::SameSegment),
            _ if wanted == PortSet::LOCAL => Err(DropReason::NotForwarded),
            _ => Err(DropReason::LinkDown),
        }
    }

    /// To all but where it came from; the stack gets what is for groups.
    fn flood(&self, from: usize, is_group: bool) -> Result<PortSet, DropReason> {
        let mut to = self.reachable().without(PortSet::at(from));
        if !is_group {
            to = to.without(PortSet::LOCAL);
        }
        if to.is_empty() { Err(DropReason::NotForwarded) } else { Ok(to) }
    }

    /// All that can take a frame.
    fn reachable(&self) -> PortSet {
        let ports = self.ports.iter().take(config::MAX_BRIDGE_PORTS).enumerate();
        let up = ports.filter(|(_, port)| port.is_up());
        let local = if self.has_local { PortSet::LOCAL } else { PortSet::NONE };
        up.fold(local, |set, (place, _)| set.with(PortSet::at(place)))
    }

    /// Queues a frame for the stack on the bridge.
    fn hand_up(&mut self, meta: &RxMeta, octets: &[u8], up: &mut PacketBuffer<'_, RxMeta>) {
        match up.enqueue(octets.len(), *meta) {
            Ok(place) => {
                place.copy_from_slice(octets);
                self.local.on_link_frame_sent(octets.first_chunk(), octets.len());
            }
            Err(EnqueueError::TooLarge) => self.local.on_frame_lost(DropReason::TooBig),
            Err(_) => self.local.on_frame_lost(DropReason::QueueFull),
        }
    }

    /// Sends what the stack on the bridge has queued, until a port that one is for has no room.
    fn flush(&mut self, now: Instant, down: &mut PacketBuffer<'_, Instant>) {
        while let Ok((since, octets)) = down.peek() {
            let may_wait =
                now.saturating_duration_since(*since) < Duration::from_millis(config::BRIDGE_MAX_WAIT);
            match self.send_own(now, octets, may_wait) {
                Ok(true) => {}
                Ok(false) => return,
                Err(reason) => self.local.on_drop(reason),
            }
            down.drop_front();
        }
    }

    /// Sends a frame of the stack on the bridge; false if it has to wait, which one for several ports never does.
    fn send_own(&mut self, now: Instant, octets: &[u8], may_wait: bool) -> Result<bool, DropReason> {
        let (header, _) = ethernet::Header::split(octets)?;
        let frame = Frame::new(&RxMeta::default(), octets)?;
        let to = self.decide(now, LOCAL, header.dst())?;
        let may_wait = may_wait && to.places().count() == 1;
        Ok(to.places().all(|place| self.ports[place].send(now, &frame, may_wait)))
    }
}
