//! What happens in one run: everything that chance decides beforehand, drawn from the seed.

use goldcrest::iface::Budget;
use goldcrest::phy::{BurstLoss, Flap, Medium, PathConfig, SimConfig, SimRng, WhenFull};
use goldcrest::socket::tcp::EcnMode;
use goldcrest::time::{Duration, Instant};

/// Random numbers in the shapes that plans need.
pub(crate) struct Dice(SimRng);

impl Dice {
    pub(crate) fn new(seed: u64, stream: u64) -> Dice {
        Dice(SimRng::new(seed).fork(stream))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    /// From `low` to `high`, both included.
    pub(crate) fn range(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.max(low) - low + 1)
    }

    /// From `low` to about `high`, each power of two as likely as any other.
    pub(crate) fn spread(&mut self, low: usize, high: usize) -> usize {
        let doublings = (high.max(low) / low.max(1)).ilog2() as usize;
        let base = low << self.below(doublings + 1);
        self.range(base, (2 * base).min(high.max(low)))
    }

    pub(crate) fn percent(&mut self, chance: u32) -> bool {
        self.0.chance(chance * 10_000)
    }

    pub(crate) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    pub(crate) fn millis(&mut self, low: usize, high: usize) -> Duration {
        // Not on whole milliseconds, so that ticks and deadlines meet at all phases.
        Duration::from_micros((self.range(low, high) * 1_000 + self.below(1_000)) as u64)
    }
}

/// A whole run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) link: SimConfig,
    /// The paths once the link has healed.
    pub(crate) healed: [PathConfig; 2],
    pub(crate) heal_at: Instant,
    /// When the cable is pulled (`false`) or put back (`true`).
    pub(crate) cable: Vec<(Instant, bool)>,
    /// Nothing that happens excuses an error: every stream must arrive whole.
    pub(crate) is_calm: bool,
    pub(crate) hosts: [HostPlan; 2],
    pub(crate) connections: Vec<ConnectionPlan>,
}

/// One stack.
#[derive(Debug, Clone)]
pub(crate) struct HostPlan {
    /// So many lent slots; `None` for a set that grows.
    pub(crate) slots: Option<usize>,
    pub(crate) has_table: bool,
    pub(crate) time_wait: usize,
    pub(crate) neighbors: usize,
    /// Packets that may wait for a neighbour or for the device.
    pub(crate) packets: usize,
    pub(crate) budget: Budget,
    pub(crate) server: ServerPlan,
    /// Times between which listeners get no memory.
    pub(crate) no_memory: Option<(Instant, Instant)>,
    /// How long established connections wait to be accepted.
    pub(crate) accept_delay: Duration,
}

/// Who takes connections.
#[derive(Debug, Clone)]
pub(crate) struct ServerPlan {
    pub(crate) kind: ServerKind,
    pub(crate) rx_len: usize,
    pub(crate) tx_len: usize,
    /// Half-open records, and how many may wait to be accepted.
    pub(crate) records: usize,
    pub(crate) backlog: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerKind {
    /// A listener that makes at most so many sockets.
    Made(usize),
    /// A listener with so many lent sockets.
    Lent(usize),
    /// So many sockets that listen for one connection each.
    Sockets(usize),
}

/// A connection from the host `client` to the other.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionPlan {
    pub(crate) client: usize,
    pub(crate) is_v6: bool,
    /// Both ends connect to each other.
    pub(crate) is_simultaneous: bool,
    /// By `get_mut(..).connect(..)`, settled by the next poll.
    pub(crate) is_by_mark: bool,
    /// 0 for any.
    pub(crate) local_port: u16,
    pub(crate) start_at: Instant,
    /// Starts after this one is over, from the same port.
    pub(crate) after: Option<usize>,
    pub(crate) rx_len: usize,
    pub(crate) tx_len: usize,
    pub(crate) ends: [EndPlan; 2],
}

/// What the application at one end does.
#[derive(Debug, Clone)]
pub(crate) struct EndPlan {
    /// Octets to send.
    pub(crate) len: usize,
    pub(crate) write_chunk: usize,
    /// Waits so long after each so many octets.
    pub(crate) write_pause: Option<(usize, Duration)>,
    pub(crate) read_chunk: usize,
    pub(crate) read_pause: Option<Duration>,
    /// Stops reading at this offset for so long.
    pub(crate) stall: Option<(usize, Duration)>,
    pub(crate) finish: Finish,
    /// Lets go of the handle as soon as both directions are done with, not when told that it is closed.
    pub(crate) is_hasty: bool,
    pub(crate) is_in_place: bool,
    pub(crate) is_nodelay: bool,
    pub(crate) ack_delay: Option<Duration>,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) ecn: EcnMode,
}

/// How an end finishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// Closes when all is sent, and reads on.
    Close,
    /// Closes when all is sent and the peer has closed.
    CloseLast,
    /// Aborts when so many octets were queued or read.
    Abort(usize),
    /// Lets go when all is queued.
    Release,
    /// Takes the socket away when so many octets were queued or read: the peer hears nothing of it.
    Remove(usize),
}

impl Finish {
    /// The peer gets all that was queued, if nothing else goes wrong.
    pub(crate) fn is_orderly(self) -> bool {
        matches!(self, Finish::Close | Finish::CloseLast)
    }
}

/// How bad the world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Calm,
    Rough,
    Cut,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Plan {
        let mut dice = Dice::new(seed, 1);
        let mood = dice.pick(&[Mood::Calm, Mood::Calm, Mood::Rough, Mood::Rough, Mood::Rough, Mood::Cut]);
        let mut link = SimConfig::new(if dice.percent(50) { Medium::Ethernet } else { Medium::Ip });
        link.max_transmission_unit =
            dice.pick(&[1_500, 1_500, 1_500, 1_280, 9_000]) + link.medium.header_len();
        link.a_to_b = path(&mut dice, mood);
        link.b_to_a = if dice.percent(60) { link.a_to_b } else { path(&mut dice, mood) };
        let heal_at = Instant::from_secs(dice.range(20, 120) as i64);
        let cable = cable(&mut dice, mood, heal_at);
        if mood == Mood::Rough && dice.percent(25) {
            link.flap = Some(Flap { up: dice.millis(300, 8_000), down: dice.millis(10, 2_000) });
        }
        let hosts = [host(&mut dice, mood), host(&mut dice, mood)];
        let count = dice.range(2, 8);
        let connections = (0..count).map(|index| connection(&mut dice, mood, index)).collect();
        let healed = [link.a_to_b, link.b_to_a].map(healed);
        let mut plan = Plan { link, healed, heal_at, cable, is_calm: mood == Mood::Calm, hosts, connections };
        plan.make_room();
        // What it draws leaves the rest of a seed's world as it was.
        plan.let_mark(&mut Dice::new(seed, 2));
        plan
    }

    /// A set that is too small for its own server and one client would never get anywhere.
    fn make_room(&mut self) {
        for (host, plan) in self.hosts.iter_mut().enumerate() {
            let clients = self.connections.iter().filter(|c| c.client == host || c.is_simultaneous).count();
            let own = match plan.server.kind {
                ServerKind::Made(_) => 2,
                ServerKind::Lent(count) => 1 + count,
                ServerKind::Sockets(count) => count,
            };
            plan.slots = plan.slots.map(|slots| slots.clamp(own + 1, own + clients.max(1) + 8));
        }
    }

    /// In every second world queues mark, and some ends ask for it.
    fn let_mark(&mut self, dice: &mut Dice) {
        if dice.percent(50) {
            return;
        }
        let paths = [&mut self.link.a_to_b, &mut self.link.b_to_a].into_iter().chain(&mut self.healed);
        let mark_octets = dice.spread(1, 60_000);
        paths.for_each(|path| path.mark_octets = mark_octets);
        for end in self.connections.iter_mut().flat_map(|connection| &mut connection.ends) {
            end.ecn = dice.pick(&[EcnMode::Ask, EcnMode::Ask, EcnMode::Accept, EcnMode::Off]);
        }
    }
}

fn path(dice: &mut Dice, mood: Mood) -> PathConfig {
    let mut path =
        PathConfig { delay: dice.pick(&[0, 1, 5, 20, 80, 200]).millis(dice), ..PathConfig::default() };
    if dice.percent(40) {
        path.jitter = dice.millis(0, 30);
    }
    path.rate = dice.pick(&[0, 0, 256_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000]);
    if path.rate > 0 && dice.percent(70) {
        path.queue_frames = dice.spread(4, 200);
        path.when_full = dice.pick(&[WhenFull::Drop, WhenFull::Busy]);
        if path.rate < 1_000_000 {
            path.queue_frames = path.queue_frames.min(30);
        }
    }
    let worst = if mood == Mood::Calm { 10_000 } else { 150_000 };
    let ppm = |dice: &mut Dice, chance: u32, worst: usize| {
        if dice.percent(chance) { dice.spread(100, worst) as u32 } else { 0 }
    };
    path.loss_ppm = ppm(dice, 50, worst);
    path.duplicate_ppm = ppm(dice, 30, 100_000);
    path.reorder_ppm = ppm(dice, 40, 200_000);
    path.reorder_delay = dice.millis(1, 60);
    path.corrupt_ppm = ppm(dice, 30, worst / 3);
    if mood != Mood::Calm && dice.percent(40) {
        path.burst = Some(BurstLoss {
            enter_ppm: dice.spread(500, 30_000) as u32,
            leave_ppm: dice.spread(50_000, 500_000) as u32,
            loss_ppm: dice.range(300_000, 1_000_000) as u32,
        });
    }
    path
}

trait Millis {
    fn millis(self, dice: &mut Dice) -> Duration;
}

impl Millis for usize {
    /// About so many milliseconds; 0 stays 0.
    fn millis(self, dice: &mut Dice) -> Duration {
        if self == 0 { Duration::ZERO } else { dice.millis(self / 2, self * 3 / 2) }
    }
}

/// A path that loses nothing any more but what its queue does not hold.
fn healed(path: PathConfig) -> PathConfig {
    PathConfig { loss_ppm: 0, burst: None, corrupt_ppm: 0, ..path }
}

fn cable(dice: &mut Dice, mood: Mood, heal_at: Instant) -> Vec<(Instant, bool)> {
    let mut cable = Vec::new();
    if mood == Mood::Calm {
        return cable;
    }
    let mut at = Instant::ZERO;
    while mood == Mood::Rough && dice.percent(40) {
        at += dice.millis(10, 5_000);
        cable.push((at, false));
        at += dice.millis(1, 15_000);
        if at >= heal_at {
            cable.pop();
            break;
        }
        cable.push((at, true));
    }
    if mood == Mood::Cut {
        cable.push((Instant::ZERO + dice.millis(0, 20_000), false));
    }
    cable
}

fn host(dice: &mut Dice, mood: Mood) -> HostPlan {
    let is_short = mood != Mood::Calm && dice.percent(40);
    let count = if is_short { dice.range(1, 3) } else { 16 };
    let kind = match dice.below(3) {
        0 => ServerKind::Made(count),
        1 => ServerKind::Lent(count),
        _ => ServerKind::Sockets(count),
    };
    let no_memory = (mood != Mood::Calm && dice.percent(30)).then(|| {
        let from = Instant::ZERO + dice.millis(0, 2_000);
        (from, from + dice.millis(100, 20_000))
    });
    HostPlan {
        slots: (mood != Mood::Calm && dice.percent(30)).then(|| dice.range(2, 12)),
        has_table: dice.percent(70),
        // Without a record a FIN that was repeated is answered by a reset.
        time_wait: if mood == Mood::Calm { 64 } else { dice.pick(&[0, 1, 4, 16]) },
        neighbors: if mood == Mood::Calm { 2 } else { dice.pick(&[1, 2, 8]) },
        // Without any, a busy device may lose every answer there is.
        packets: if mood == Mood::Calm { dice.pick(&[4, 16]) } else { dice.pick(&[0, 1, 4, 16]) },
        budget: if dice.percent(30) {
            Budget { frames: dice.range(1, 40), octets: dice.spread(100, 100_000) }
        } else {
            Budget::default()
        },
        server: ServerPlan {
            kind,
            rx_len: dice.spread(2_500, 250_000),
            tx_len: dice.spread(2_500, 250_000),
            records: if is_short { dice.range(1, 4) } else { 16 },
            backlog: if is_short { dice.range(1, 4) as u16 } else { 16 },
        },
        no_memory,
        accept_delay: if dice.percent(30) { dice.millis(1, 3_000) } else { Duration::ZERO },
    }
}

fn connection(dice: &mut Dice, mood: Mood, index: usize) -> ConnectionPlan {
    let is_simultaneous = dice.percent(8);
    let after = (index > 0 && !is_simultaneous && dice.percent(15)).then(|| index - 1);
    let mut ends = [end(dice, mood), end(dice, mood)];
    if ends.iter().all(|end| end.finish == Finish::CloseLast) {
        ends[dice.below(2)].finish = Finish::Close;
    }
    // Who is left alone notices only if it asks.
    if mood != Mood::Calm || ends.iter().any(|end| end.is_hasty || !end.finish.is_orderly()) {
        for end in &mut ends {
            end.keep_alive.get_or_insert(dice.millis(2_000, 30_000));
        }
    }
    ConnectionPlan {
        client: dice.below(2),
        is_v6: dice.percent(50),
        is_simultaneous,
        is_by_mark: is_simultaneous || dice.percent(40),
        local_port: if is_simultaneous || dice.percent(40) { 50_000 + index as u16 } else { 0 },
        start_at: Instant::ZERO + dice.pick(&[0, 0, 10, 300, 5_000]).millis(dice),
        after,
        rx_len: dice.spread(2_500, 250_000),
        tx_len: dice.spread(2_500, 250_000),
        ends,
    }
}

fn end(dice: &mut Dice, mood: Mood) -> EndPlan {
    let len = dice.spread(10_000, 1_000_000);
    let finish = match dice.below(if mood == Mood::Calm { 16 } else { 12 }) {
        0 => Finish::Abort(dice.below(len)),
        1 => Finish::Release,
        2 => Finish::Remove(dice.below(len)),
        3..6 => Finish::CloseLast,
        _ => Finish::Close,
    };
    EndPlan {
        len,
        write_chunk: dice.spread(len / 2_000 + 1, len),
        write_pause: dice.percent(25).then(|| (len / dice.range(2, 10), dice.millis(1, 6_000))),
        read_chunk: dice.spread(200, 100_000),
        read_pause: dice.percent(15).then(|| dice.millis(1, 80)),
        stall: dice.percent(20).then(|| (dice.below(len), dice.millis(500, 12_000))),
        finish,
        is_hasty: dice.percent(30),
        is_in_place: dice.percent(20),
        is_nodelay: dice.percent(40),
        ack_delay: dice.pick(&[None, Some(Duration::from_millis(40)), Some(Duration::from_millis(200))]),
        keep_alive: dice.percent(40).then(|| dice.millis(500, 20_000)),
        timeout: (mood != Mood::Calm && dice.percent(30)).then(|| dice.millis(3_000, 60_000)),
        ecn: EcnMode::default(),
    }
}
