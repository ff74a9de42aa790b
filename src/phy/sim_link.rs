//! A point-to-point link in virtual time that can do to frames what a network does to them.
//!
//! Each direction is a path: frames queue at its head, leave at its rate, may get lost, damaged or
//! doubled, and arrive after its delay. Both ends are devices of their own; they share the paths, so a
//! frame sent at one end arrives at the other when that is asked with a late enough `now`. All
//! randomness comes from one seed: the same calls give the same run.
//!
//! A frame's lot is drawn when it is sent, in this order: link down, queue full, single loss, burst
//! loss, damage, delay with jitter, reordering, doubling. What is off draws nothing.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
        let paths =
            [Path::new(config.a_to_b, max_len, rng.fork(1)), Path::new(config.b_to_a, max_len, rng.fork(2))];
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

/// Times up and down, drawn as time goes on.
#[derive(Debug)]
struct Schedule {
    flap: Option<Flap>,
    rng: SimRng,
    is_up: bool,
    change_at: Option<Instant>,
}

impl Schedule {
    fn new(flap: Option<Flap>, rng: SimRng) -> Schedule {
        Schedule { flap, rng, is_up: true, change_at: None }
    }

    /// The next change up to `now`, if there is one left: when, and whether the link is up then.
    fn step(&mut self, now: Instant) -> Option<(Instant, bool)> {
        let flap = self.flap?;
        // The first period begins with the first call.
        let change_at = *self.change_at.get_or_insert_with(|| now + around(&mut self.rng, flap.up));
        if change_at > now {
            return None;
        }
        self.is_up = !self.is_up;
        let mean = if self.is_up { flap.up } else { flap.down };
        self.change_at = Some(change_at + around(&mut self.rng, mean));
        Some((change_at, self.is_up))
    }
}

/// Between half and one and a half times `mean`, and at least 1 µs so that time goes on.
fn around(rng: &mut SimRng, mean: Duration) -> Duration {
    let mean = mean.total_micros();
    Duration::from_micros((mean / 2 + rng.below(mean)).max(1))
}

/// One direction.
#[derive(Debug)]
struct Path {
    config: PathConfig,
    max_len: usize,
    counters: PathCounters,
    rng: SimRng,
    is_bad: bool,
    /// Frames that have not left yet, in order.
    waiting: VecDeque<Waiting>,
    waiting_octets: usize,
    /// When the last frame leaves, in ns: at 10 Gbit/s a small frame takes a fraction of a µs.
    busy_until_ns: i64,
    /// Sorted by arrival; equal ones in the order in which they were sent.
    in_flight: VecDeque<InFlight>,
    /// The latest arrival of a frame that was not held back.
    last_arrival_at: Instant,
    spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Waiting {
    departs_ns: i64,
    len: usize,
}

#[derive(Debug)]
struct InFlight {
    arrives_at: Instant,
    frame: Vec<u8>,
}

/// Buffers kept for later frames.
const SPARE_COUNT: usize = 64;

impl Path {
    fn new(config: PathConfig, max_len: usize, rng: SimRng) -> Path {
        Path {
            config,
            max_len,
            counters: PathCounters::default(),
            rng,
            is_bad: false,
            waiting: VecDeque::new(),
            waiting_octets: 0,
            busy_until_ns: i64::MIN,
            in_flight: VecDeque::new(),
            last_arrival_at: Instant::ZERO,
            spare: Vec::new(),
        }
    }

    /// Lets the frames go that have left by `now`.
    fn advance(&mut self, now: Instant) {
        while let Some(first) = self.waiting.front()
            && first.departs_ns <= nanos(now)
        {
            self.waiting_octets -= first.len;
            self.waiting.pop_front();
        }
    }

    /// The link went down at `at`: what has not arrived by then never will.
    fn lose_from(&mut self, at: Instant) {
        let arrived_count = self.in_flight.partition_point(|entry| entry.arrives_at < at);
        self.counters.link_down += (self.in_flight.len() - arrived_count) as u64;
        self.in_flight.truncate(arrived_count);
        self.waiting.clear();
        self.waiting_octets = 0;
        self.busy_until_ns = nanos(at);
    }

    /// Whether a token can be given: always, unless a full queue shall be seen by the sender.
    fn has_room(&self) -> bool {
        self.config.when_full == WhenFull::Drop || !self.is_full(self.max_len)
    }

    fn is_full(&self, len: usize) -> bool {
        // What finds the path idle leaves at once and never waits, however small the queue.
        !self.waiting.is_empty()
            && (self.waiting.len() >= self.config.queue_frames
                || self.waiting_octets.saturating_add(len) > self.config.queue_octets)
    }

    /// When the queue has room again, if it is full and its sender waits for that.
    fn room_at(&self) -> Option<Instant> {
        if self.has_room() {
            return None;
        }
        Some(instant_after(self.waiting.front()?.departs_ns))
    }

    fn next_arrival_at(&self, now: Instant) -> Option<Instant> {
        Some(self.in_flight.front()?.arrives_at.max(now))
    }

    /// Swaps the next frame that has arrived into `frame`.
    fn deliver(&mut self, now: Instant, frame: &mut Vec<u8>) -> bool {
        if self.in_flight.front().is_none_or(|first| first.arrives_at > now) {
            return false;
        }
        let Some(first) = self.in_flight.pop_front() else { return false };
        self.counters.delivered += 1;
        self.counters.delivered_octets += first.frame.len() as u64;
        self.recycle(mem::replace(frame, first.frame));
        true
    }

    fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < SPARE_COUNT {
            self.spare.push(buffer);
        }
    }

    /// Takes a frame, leaving another buffer in its place.
    fn send(&mut self, now: Instant, is_up: bool, frame: &mut Vec<u8>) {
        self.counters.sent += 1;
        self.counters.sent_octets += frame.len() as u64;
        let Some(departs_ns) = self.admit(now, is_up, frame.len()) else { return };
        if self.is_lost() {
            return;
        }
        if self.rng.chance(self.config.corrupt_ppm) {
            self.counters.corrupted += 1;
            self.rng.flip_bit(frame);
        }
        let arrives_at = self.arrival(departs_ns);
        if self.rng.chance(self.config.duplicate_ppm) {
            self.counters.duplicated += 1;
            let mut double = self.spare.pop().unwrap_or_default();
            double.clear();
            double.extend_from_slice(frame);
            self.insert(arrives_at, double);
        }
        let buffer = self.spare.pop().unwrap_or_default();
        self.insert(arrives_at, mem::replace(frame, buffer));
    }

    /// Queues a frame and says when its last bit leaves; `None`, and counted, if it does not.
    fn admit(&mut self, now: Instant, is_up: bool, len: usize) -> Option<i64> {
        let lost = if !is_up {
            &mut self.counters.link_down
        } else if len > self.max_len {
            &mut self.counters.too_long
        } else if self.is_full(len) {
            &mut self.counters.queue_full
        } else {
            let begins_ns = self.busy_until_ns.max(nanos(now));
            self.busy_until_ns = begins_ns + transmission_ns(len, self.config.rate);
            self.waiting.push_back(Waiting { departs_ns: self.busy_until_ns, len });
            self.waiting_octets += len;
            return Some(self.busy_until_ns);
        };
        *lost += 1;
        None
    }

    fn is_lost(&mut self) -> bool {
        if self.rng.chance(self.config.loss_ppm) {
            self.counters.lost += 1;
            return true;
        }
        let Some(burst) = self.config.burst else { return false };
        let change_ppm = if self.is_bad { burst.leave_ppm } else { burst.enter_ppm };
        self.is_bad ^= self.rng.chance(change_ppm);
        let is_lost = self.is_bad && self.rng.chance(burst.loss_ppm);
        self.counters.burst_lost += u64::from(is_lost);
        is_lost
    }

    fn arrival(&mut self, departs_ns: i64) -> Instant {
        let jitter_micros = self.config.jitter.total_micros();
        let jitter = if jitter_micros == 0 { 0 } else { self.rng.below(jitter_micros + 1) };
        let on_time = instant_after(departs_ns) + self.config.delay + Duration::from_micros(jitter);
        let in_order = on_time.max(self.last_arrival_at);
        if self.rng.chance(self.config.reorder_ppm) {
            self.counters.reordered += 1;
            return in_order + self.config.reorder_delay;
        }
        self.last_arrival_at = in_order;
        in_order
    }

    fn insert(&mut self, arrives_at: Instant, frame: Vec<u8>) {
        // Nearly always the last one, so from the back.
        let later_count =
            self.in_flight.iter().rev().take_while(|entry| entry.arrives_at > arrives_at).count();
        let index = self.in_flight.len() - later_count;
        self.in_flight.insert(index, InFlight { arrives_at, frame });
    }
}

fn nanos(at: Instant) -> i64 {
    at.total_micros().saturating_mul(1_000)
}

/// The first whole microsecond not before `at_ns`.
fn instant_after(at_ns: i64) -> Instant {
    Instant::from_micros(at_ns.saturating_add(999).div_euclid(1_000))
}

fn transmission_ns(len: usize, rate: u64) -> i64 {
    if rate == 0 {
        return 0;
    }
    (len as u64).saturating_mul(8_000_000_000).div_ceil(rate) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phy::testing::{number, numbered, receive, send};

    #[cfg(feature = "medium-ip")]
    const MEDIUM: Medium = Medium::Ip;
    #[cfg(not(feature = "medium-ip"))]
    const MEDIUM: Medium = Medium::Ethernet;

    fn pair(path: PathConfig) -> (SimPort, SimPort) {
        SimLink::pair(SimConfig::symmetric(MEDIUM, path), 1)
    }

    fn at(micros: i64) -> Instant {
        Instant::from_micros(micros)
    }

    /// Sends `count` numbered frames of 100 octets, one each 100 µs.
    fn send_many(port: &mut SimPort, count: u32) {
        for number in 0..count {
            send(port, at(i64::from(number) * 100), &numbered(number, 100));
        }
    }

    /// Everything that ever arrives: when, and which.
    fn drain(port: &mut SimPort) -> Vec<(i64, u32)> {
        let mut arrived = Vec::new();
        let mut now = Instant::ZERO;
        while let Some(next) = port.poll_at(now) {
            now = next;
            while let Some(frame) = receive(port, now) {
                arrived.push((now.total_micros(), number(&frame)));
            }
        }
        arrived
    }

    fn numbers(arrived: &[(i64, u32)]) -> Vec<u32> {
        arrived.iter().map(|&(_, number)| number).collect()
    }

    fn assert_adds_up(port: &SimPort) {
        let counters = port.tx_counters();
        let known = counters.delivered + counters.total_lost() + port.in_flight() as u64;
        assert_eq!(counters.sent + counters.duplicated, known, "{counters:?}");
    }

    #[test]
    fn a_perfect_link_delivers_everything_at_once_and_in_order() {
        let (mut a, mut b) = pair(PathConfig::default());
        send(&mut a, at(7), &numbered(1, 60));
        send(&mut a, at(7), &numbered(2, 1_500));
        send(&mut b, at(7), &numbered(3, 4));
        assert_eq!(b.poll_at(at(7)), Some(at(7)));
        assert_eq!(receive(&mut b, at(7)), Some(numbered(1, 60)));
        assert_eq!(receive(&mut b, at(7)), Some(numbered(2, 1_500)));
        assert_eq!(receive(&mut b, at(7)), None);
        assert_eq!(receive(&mut a, at(7)), Some(numbered(3, 4)));
        assert_eq!((a.poll_at(at(7)), b.poll_at(at(7))), (None, None));
        assert_eq!(a.tx_counters().delivered_octets, 1_560);
        assert_eq!(a.rx_counters(), b.tx_counters());
    }

    #[test]
    fn nothing_arrives_before_its_delay_and_poll_at_says_when() {
        let (mut a, mut b) = pair(PathConfig { delay: Duration::from_millis(5), ..PathConfig::default() });
        send(&mut a, at(100), &[1]);
        assert_eq!(b.poll_at(at(100)), Some(at(5_100)));
        assert_eq!(receive(&mut b, at(5_099)), None);
        assert_eq!(receive(&mut b, at(5_100)), Some(vec![1]));
    }

    #[test]
    fn frames_leave_at_the_rate_without_drift() {
        // 1,000 frames of 125 octets at 3 Mbit/s: a third of a millisecond each.
        let (mut a, mut b) = pair(PathConfig { rate: 3_000_000, ..PathConfig::default() });
        for number in 0..1_000 {
            send(&mut a, at(0), &numbered(number, 125));
        }
        let arrived = drain(&mut b);
        assert_eq!(arrived[0], (334, 0));
        assert_eq!(arrived[1].0 - arrived[0].0, 333);
        let last_micros = arrived[999].0;
        assert!((333_333..=333_335).contains(&last_micros), "{last_micros}");
    }

    #[test]
    fn a_full_queue_loses_frames_and_counts_them() {
        let path = PathConfig { rate: 1_000_000, queue_frames: 5, ..PathConfig::default() };
        let (mut a, mut b) = pair(path);
        send_many(&mut a, 8);
        // One leaves each 800 µs: at 700 µs none has left, and five are in.
        assert_eq!(a.tx_counters().queue_full, 3);
        assert_eq!(numbers(&drain(&mut b)), [0, 1, 2, 3, 4]);
        assert!(send(&mut a, at(900), &[0; 4]));
        assert_eq!(a.tx_counters().queue_full, 3);

        let (mut a, _b) = pair(PathConfig { queue_octets: 350, queue_frames: usize::MAX, ..path });
        send_many(&mut a, 8);
        assert_eq!(a.tx_counters().queue_full, 5);
        assert_adds_up(&a);
    }

    #[test]
    fn a_busy_queue_gives_no_token_until_poll_at() {
        let path = PathConfig { rate: 1_000_000, queue_frames: 1, ..PathConfig::default() };
        let (mut a, mut b) = pair(PathConfig { when_full: WhenFull::Busy, ..path });
        assert!(send(&mut a, at(0), &[0; 100]));
        assert!(!send(&mut a, at(799), &[0; 100]));
        assert_eq!(a.poll_at(at(1)), Some(at(800)));
        send(&mut b, at(0), &[0; 4]);
        let (_, answer) = a.receive(at(100)).unwrap();
        assert!(answer.is_none());
        assert!(send(&mut a, at(800), &[0; 100]));
        assert_eq!(a.tx_counters().queue_full, 0);
    }

    #[test]
    fn loss_takes_its_share() {
        let (mut a, mut b) = pair(PathConfig { loss_ppm: 100_000, ..PathConfig::default() });
        send_many(&mut a, 10_000);
        let arrived_count = drain(&mut b).len() as u64;
        assert!((8_800..9_200).contains(&arrived_count), "{arrived_count}");
        assert_eq!(a.tx_counters().lost, 10_000 - arrived_count);
        assert_adds_up(&a);
    }

    #[test]
    fn bursts_have_the_mean_length_that_was_asked_for() {
        let burst = BurstLoss { enter_ppm: 10_000, leave_ppm: 100_000, loss_ppm: 1_000_000 };
        let (mut a, mut b) = pair(PathConfig { burst: Some(burst), ..PathConfig::default() });
        send_many(&mut a, 100_000);
        let arrived = numbers(&drain(&mut b));
        let bursts = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1).count() as u64;
        let lost = a.tx_counters().burst_lost;
        // A tenth of 1 % turns of 10 frames: about 9 % lost, in bursts of ten.
        assert!((8..=12).contains(&(lost / bursts)), "{lost} in {bursts}");
        assert!((7_000..11_000).contains(&lost), "{lost}");
        assert_adds_up(&a);
    }

    #[test]
    fn jitter_spreads_arrivals_but_keeps_the_order() {
        let path = PathConfig { delay: Duration::from_millis(1), ..PathConfig::default() };
        let (mut a, mut b) = pair(PathConfig { jitter: Duration::from_millis(1), ..path });
        send_many(&mut a, 1_000);
        let arrived = drain(&mut b);
        assert_eq!(numbers(&arrived), (0..1_000).collect::<Vec<_>>());
        let took = |&(micros, number): &(i64, u32)| micros - i64::from(number) * 100;
        assert!(arrived.iter().all(|frame| (1_000..=2_000).contains(&took(frame))));
        assert!(arrived.iter().any(|frame| took(frame) < 1_300));
        assert!(arrived.iter().any(|frame| took(frame) > 1_900));
    }

    #[test]
    fn frames_that_are_held_back_arrive_late_and_others_pass_them() {
        let reorder_delay = Duration::from_micros(250);
        let path = PathConfig { reorder_ppm: 100_000, reorder_delay, ..PathConfig::default() };
        let (mut a, mut b) = pair(path);
        send_many(&mut a, 1_000);
        let arrived = drain(&mut b);
        let late_count = arrived.iter().filter(|&&(micros, n)| micros == i64::from(n) * 100 + 250).count();
        assert_eq!(late_count as u64, a.tx_counters().reordered);
        assert!((60..140).contains(&late_count), "{late_count}");
        let mut sorted = numbers(&arrived);
        assert!(!sorted.is_sorted());
        sorted.sort();
        assert_eq!(sorted, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn doubles_arrive_right_behind() {
        let (mut a, mut b) = pair(PathConfig { duplicate_ppm: 1_000_000, ..PathConfig::default() });
        send_many(&mut a, 3);
        assert_eq!(numbers(&drain(&mut b)), [0, 0, 1, 1, 2, 2]);
        assert_eq!(a.tx_counters().duplicated, 3);
        assert_adds_up(&a);
    }

    #[test]
    fn damage_inverts_one_bit() {
        let (mut a, mut b) = pair(PathConfig { corrupt_ppm: 1_000_000, ..PathConfig::default() });
        send(&mut a, at(0), &[0; 200]);
        let frame = receive(&mut b, at(0)).unwrap();
        assert_eq!(frame.iter().map(|octet| octet.count_ones()).sum::<u32>(), 1);
        assert_eq!(a.tx_counters().corrupted, 1);
    }

    #[test]
    fn frames_above_the_mtu_are_lost() {
        let (mut a, mut b) = pair(PathConfig::default());
        let mtu = a.capabilities().max_transmission_unit;
        send(&mut a, at(0), &vec![0; mtu + 1]);
        assert_eq!(receive(&mut b, at(0)), None);
        assert_eq!(a.tx_counters().too_long, 1);
    }

    #[test]
    fn a_pulled_cable_loses_what_is_on_the_way_and_both_ends_see_it() {
        let path = PathConfig { delay: Duration::from_micros(500), ..PathConfig::default() };
        let (mut a, mut b) = pair(PathConfig { rate: 8_000_000, ..path });
        for number in 0..10 {
            send(&mut a, at(0), &numbered(number, 100));
        }
        // Arrivals at 600, 700, ..: two have come when the cable is pulled.
        b.set_cable(at(800), false);
        assert_eq!((a.link(), b.link()), (LinkState::DOWN, LinkState::DOWN));
        assert_eq!(numbers(&drain(&mut b)), [0, 1]);
        send(&mut a, at(900), &[0; 4]);
        assert_eq!(a.tx_counters().link_down, 9);
        a.set_cable(at(1_000), true);
        assert_eq!(b.link(), LinkState { up: true, speed: 8_000, full_duplex: true });
        send(&mut a, at(1_000), &numbered(11, 100));
        assert_eq!(drain(&mut b), [(1_600, 11)]);
        assert_adds_up(&a);
    }

    #[test]
    fn a_flapping_link_goes_down_for_both_ends_at_the_times_that_poll_at_names() {
        let flap = Flap { up: Duration::from_millis(100), down: Duration::from_millis(20) };
        let config = SimConfig { flap: Some(flap), ..SimConfig::new(MEDIUM) };
        let (mut a, mut b) = SimLink::pair(config, 9);
        let (mut now, mut down_micros, mut change_count) = (at(0), 0, 0);
        while now < Instant::from_secs(12) {
            let next = a.poll_at(now).unwrap();
            assert_eq!(b.poll_at(now), Some(next));
            assert_eq!(a.link(), b.link());
            assert!(send(&mut a, now, &[0; 4]));
            assert_eq!(receive(&mut b, now).is_some(), a.link().up);
            if !a.link().up {
                down_micros += (next - now).total_micros();
            }
            assert!(next > now);
            now = next;
            change_count += 1;
        }
        assert!((150..250).contains(&change_count), "{change_count}");
        assert!((1_500_000..2_500_000).contains(&down_micros), "{down_micros}");
        assert_adds_up(&a);
    }

    #[test]
    fn the_same_seed_gives_the_same_run_and_another_seed_another() {
        let path = PathConfig {
            delay: Duration::from_millis(3),
            jitter: Duration::from_millis(2),
            rate: 10_000_000,
            queue_frames: 3,
            loss_ppm: 20_000,
            burst: Some(BurstLoss { enter_ppm: 5_000, leave_ppm: 200_000, loss_ppm: 900_000 }),
            corrupt_ppm: 0,
            duplicate_ppm: 20_000,
            reorder_ppm: 20_000,
            ..PathConfig::default()
        };
        let run = |seed| {
            let (mut a, mut b) = SimLink::pair(SimConfig::symmetric(MEDIUM, path), seed);
            send_many(&mut a, 2_000);
            let arrived = drain(&mut b);
            assert_adds_up(&a);
            (arrived, a.tx_counters())
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5).0, run(6).0);
    }

    #[test]
    fn what_one_direction_draws_leaves_the_other_as_it_was() {
        let path = PathConfig { loss_ppm: 300_000, ..PathConfig::default() };
        let run = |answers| {
            let (mut a, mut b) = pair(path);
            for number in 0..200 {
                send(&mut a, at(number), &numbered(number as u32, 10));
                for _ in 0..answers {
                    send(&mut b, at(number), &[0; 10]);
                }
            }
            numbers(&drain(&mut b))
        };
        assert_eq!(run(0), run(3));
    }

    #[test]
    fn buffers_are_used_again() {
        let (mut a, mut b) = pair(PathConfig::default());
        for number in 0..1_000 {
            send(&mut a, at(number), &[0; 64]);
            receive(&mut b, at(number));
        }
        assert!(lock(&a.link).from(End::A).spare.len() <= 2);
    }
}
