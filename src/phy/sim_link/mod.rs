//! A point-to-point link in virtual time that can do to frames what a network does to them.
//!
//! Each direction is a path: frames queue at its head, leave at its rate, may get lost, damaged or
//! doubled, and arrive after its delay. Both ends are devices of their own; they share the paths, so a
//! frame sent at one end arrives at the other when that is asked with a late enough `now`. All
//! randomness comes from one seed: the same calls give the same run.
//!
//! A frame's lot is drawn when it is sent, in this order: link down, queue full, single loss, burst
//! loss, damage, delay with jitter, reordering, doubling. What is off draws nothing. A queue that is long
//! can say so to those who heed it (RFC 3168) instead of growing until it is full.

mod mark;
mod path;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;
use alloc::vec::Vec;
use std::sync::{Mutex, MutexGuard, PoisonError};

use path::{Path, Schedule};

use super::{Device, DeviceCapabilities, HardwareAddress, LinkState, Medium, RxToken, SimRng, TxToken};
use crate::time::{Duration, Instant};

/// A link: its medium and its two paths. Made by [`SimConfig::new`], then changed field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimConfig {
    /// What kind of frames.
    pub medium: Medium,
    /// The largest frame in octets, link header included. Larger ones are lost.
    pub max_transmission_unit: usize,
    /// From the first end to the second.
    pub a_to_b: PathConfig,
    /// From the second end to the first.
    pub b_to_a: PathConfig,
    /// Times in which nothing passes.
    pub flap: Option<Flap>,
}

impl SimConfig {
    /// A perfect link with an IP MTU of 1,500 octets: no delay, no limit, no loss.
    pub fn new(medium: Medium) -> SimConfig {
        SimConfig::symmetric(medium, PathConfig::default())
    }

    /// Both directions alike.
    pub fn symmetric(medium: Medium, path: PathConfig) -> SimConfig {
        SimConfig {
            medium,
            max_transmission_unit: 1_500 + medium.header_len(),
            a_to_b: path,
            b_to_a: path,
            flap: None,
        }
    }
}

/// One direction of a link. The default is a perfect one. Chances are in a million frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathConfig {
    /// From the departure of a frame's last bit to its arrival.
    pub delay: Duration,
    /// At most so much more, evenly spread. Frames are not reordered by it.
    pub jitter: Duration,
    /// bit/s; 0 for infinitely fast. Only the frame's octets count, no preamble and no gap.
    pub rate: u64,
    /// Frames that may wait for those before them to leave.
    pub queue_frames: usize,
    /// Octets that may wait for those before them to leave.
    pub queue_octets: usize,
    /// What a full queue does.
    pub when_full: WhenFull,
    /// Octets that wait for those before them to leave from which on IP packets are marked with congestion
    /// experienced, if their senders heed that; others pass.
    pub mark_octets: usize,
    /// Frames lost independently of each other.
    pub loss_ppm: u32,
    /// Frames lost in bursts.
    pub burst: Option<BurstLoss>,
    /// Frames with one bit inverted.
    pub corrupt_ppm: u32,
    /// Frames that arrive twice, the second time right after the first.
    pub duplicate_ppm: u32,
    /// Frames that take `reorder_delay` longer, while those behind pass.
    pub reorder_ppm: u32,
    /// How much longer.
    pub reorder_delay: Duration,
}

impl Default for PathConfig {
    fn default() -> PathConfig {
        PathConfig {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            rate: 0,
            queue_frames: usize::MAX,
            queue_octets: usize::MAX,
            when_full: WhenFull::Drop,
            mark_octets: usize::MAX,
            loss_ppm: 0,
            burst: None,
            corrupt_ppm: 0,
            duplicate_ppm: 0,
            reorder_ppm: 0,
            reorder_delay: Duration::from_millis(10),
        }
    }
}

/// What a full queue does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// Loses the frame, as a bottleneck in the network does.
    Drop,
    /// Gives no token for it, as the ring of a network card does.
    Busy,
}

/// Gilbert and Elliott's model: a path is in a good or a bad state, and loses frames in the bad one.
///
/// Mean length of a burst: 1,000,000 / `leave_ppm` frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurstLoss {
    /// Chance at each frame to go bad.
    pub enter_ppm: u32,
    /// Chance at each frame to become good again.
    pub leave_ppm: u32,
    /// Frames lost in the bad state.
    pub loss_ppm: u32,
}

/// Times in which the link is up and down in turn, each between half and one and a half times the mean.
///
/// The link begins up. What is on the way when it goes down is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flap {
    /// Mean time up.
    pub up: Duration,
    /// Mean time down.
    pub down: Duration,
}

/// What became of the frames of one direction.
///
/// `sent + duplicated` is the sum of `delivered`, all that was lost, and what is in flight.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathCounters {
    /// Frames given to the path.
    pub sent: u64,
    /// Octets of those.
    pub sent_octets: u64,
    /// Frames taken at the other end, doubles included.
    pub delivered: u64,
    /// Octets of those.
    pub delivered_octets: u64,
    /// Lost one by one.
    pub lost: u64,
    /// Lost in bursts.
    pub burst_lost: u64,
    /// Lost at the full queue.
    pub queue_full: u64,
    /// Marked with congestion experienced.
    pub marked: u64,
    /// Lost since the link was down, or went down.
    pub link_down: u64,
    /// Lost since they were larger than the MTU.
    pub too_long: u64,
    /// Damaged.
    pub corrupted: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Held back while others passed.
    pub reordered: u64,
}

impl PathCounters {
    /// Frames lost for any reason.
    pub fn total_lost(&self) -> u64 {
        self.lost + self.burst_lost + self.queue_full + self.link_down + self.too_long
    }
}

/// Makes simulated links.
///
/// ```
/// # #[cfg(feature = "medium-ip")] {
/// use goldcrest::phy::{Medium, PathConfig, SimConfig, SimLink};
/// use goldcrest::time::Duration;
///
/// let path = PathConfig {
///     delay: Duration::from_millis(20),
///     rate: 10_000_000,
///     queue_frames: 100,
///     loss_ppm: 10_000,
///     ..PathConfig::default()
/// };
/// let (client_end, server_end) = SimLink::pair(SimConfig::symmetric(Medium::Ip, path), 1);
/// # let _ = (client_end, server_end);
/// # }
/// ```
#[derive(Debug)]
pub struct SimLink;

impl SimLink {
    /// The two ends of a link.
    pub fn pair(config: SimConfig, seed: u64) -> (SimPort, SimPort) {
        let rng = SimRng::new(seed);
        let max_len = config.max_transmission_unit;
        let paths = [(config.a_to_b, 1), (config.b_to_a, 2)]
            .map(|(path, stream)| Path::new(path, config.medium, max_len, rng.fork(stream)));
        let schedule = Schedule::new(config.flap, rng.fork(0));
        let link = Arc::new(Mutex::new(Link { paths, schedule, has_cable: true }));
        let port = |end: End| SimPort {
            end,
            capabilities: DeviceCapabilities::new(config.medium, max_len),
            hardware_address: hardware_address(config.medium, end),
            link: Arc::clone(&link),
            rx_frame: Vec::new(),
            tx_frame: Vec::new(),
        };
        (port(End::A), port(End::B))
    }
}

/// Which end of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    A,
    B,
}

fn hardware_address(medium: Medium, end: End) -> HardwareAddress {
    match medium {
        #[cfg(feature = "medium-ethernet")]
        Medium::Ethernet => HardwareAddress::Ethernet([2, 0, 0, 0, 1, 1 + end as u8]),
        #[cfg(feature = "medium-ip")]
        Medium::Ip => {
            let _ = end;
            HardwareAddress::Ip
        }
    }
}

/// One end of a simulated link.
#[derive(Debug)]
pub struct SimPort {
    end: End,
    capabilities: DeviceCapabilities,
    hardware_address: HardwareAddress,
    link: Arc<Mutex<Link>>,
    rx_frame: Vec<u8>,
    tx_frame: Vec<u8>,
}

impl SimPort {
    /// What became of the frames sent here.
    pub fn tx_counters(&self) -> PathCounters {
        lock(&self.link).from(self.end).counters
    }

    /// What became of the frames sent at the other end.
    pub fn rx_counters(&self) -> PathCounters {
        lock(&self.link).to(self.end).counters
    }

    /// How many frames are on the way from here to the other end.
    pub fn in_flight(&self) -> usize {
        lock(&self.link).from(self.end).in_flight.len()
    }

    /// Changes the path from here to the other end, for frames sent from now on.
    pub fn set_path(&mut self, config: PathConfig) {
        lock(&self.link).from(self.end).config = config;
    }

    /// Changes the times in which nothing passes, from now on. The link begins up.
    pub fn set_flap(&mut self, now: Instant, flap: Option<Flap>) {
        let mut link = lock(&self.link);
        link.advance(now);
        link.schedule.restart(flap);
    }

    /// Pulls the cable out or puts it back, for both ends.
    pub fn set_cable(&mut self, now: Instant, is_in: bool) {
        let mut link = lock(&self.link);
        link.advance(now);
        link.has_cable = is_in;
        if !is_in {
            link.lose_from(now);
        }
    }
}

/// A thread that panicked in the middle leaves at worst a frame out.
fn lock(link: &Mutex<Link>) -> MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the two ends share.
#[derive(Debug)]
struct Link {
    /// From the first end, from the second.
    paths: [Path; 2],
    schedule: Schedule,
    has_cable: bool,
}

impl Link {
    fn from(&mut self, end: End) -> &mut Path {
        let [from_a, from_b] = &mut self.paths;
        if end == End::A { from_a } else { from_b }
    }

    fn to(&mut self, end: End) -> &mut Path {
        self.from(if end == End::A { End::B } else { End::A })
    }

    fn is_up(&self) -> bool {
        self.has_cable && self.schedule.is_up
    }

    /// Lets everything happen that happens up to `now`.
    fn advance(&mut self, now: Instant) {
        while let Some((change_at, is_up)) = self.schedule.step(now) {
            if !is_up {
                self.lose_from(change_at);
            }
        }
        for path in &mut self.paths {
            path.advance(now);
        }
    }

    fn lose_from(&mut self, at: Instant) {
        for path in &mut self.paths {
            path.lose_from(at);
        }
    }
}

impl Device for SimPort {
    type RxToken<'a> = SimRxToken<'a>;
    type TxToken<'a> = SimTxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(SimRxToken<'_>, Option<SimTxToken<'_>>)> {
        let mut link = lock(&self.link);
        link.advance(now);
        if !link.to(self.end).deliver(now, &mut self.rx_frame) {
            return None;
        }
        let has_room = link.from(self.end).has_room();
        drop(link);
        let tx = SimTxToken { link: &self.link, end: self.end, frame: &mut self.tx_frame, now };
        Some((SimRxToken { frame: &self.rx_frame }, has_room.then_some(tx)))
    }

    fn transmit(&mut self, now: Instant) -> Option<SimTxToken<'_>> {
        let mut link = lock(&self.link);
        link.advance(now);
        let has_room = link.from(self.end).has_room();
        drop(link);
        let tx = SimTxToken { link: &self.link, end: self.end, frame: &mut self.tx_frame, now };
        has_room.then_some(tx)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.hardware_address
    }

    /// As of the last call that had a `now`.
    fn link(&self) -> LinkState {
        let mut link = lock(&self.link);
        if !link.is_up() {
            return LinkState::DOWN;
        }
        let rate = link.from(self.end).config.rate;
        LinkState { speed: u32::try_from(rate / 1_000).unwrap_or(u32::MAX), ..LinkState::UP }
    }

    /// When the next frame arrives, a full queue has room again, or the link goes up or down.
    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        let mut link = lock(&self.link);
        link.advance(now);
        let change = link.schedule.change_at;
        let arrival = link.to(self.end).next_arrival_at(now);
        let room = link.from(self.end).room_at();
        [arrival, room, change].into_iter().flatten().min()
    }
}

/// A frame that has arrived.
#[derive(Debug)]
pub struct SimRxToken<'a> {
    frame: &'a [u8],
}

impl RxToken for SimRxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.frame)
    }
}

/// Room for a frame at the head of the path.
#[derive(Debug)]
pub struct SimTxToken<'a> {
    link: &'a Mutex<Link>,
    end: End,
    frame: &'a mut Vec<u8>,
    now: Instant,
}

impl TxToken for SimTxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        // The link is not locked while the frame is filled.
        self.frame.resize(len, 0);
        let result = f(self.frame);
        let mut link = lock(self.link);
        link.advance(self.now);
        let is_up = link.is_up();
        link.from(self.end).send(self.now, is_up, self.frame);
        result
    }
}
