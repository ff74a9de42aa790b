//! A path through a network, emulated in real time: two TAPs in two network namespaces, joined by the simulated link.
//!
//! ```text
//! sudo cargo run --release --example path -- --rate 100M --delay 10ms --loss 1 --queue 1bdp
//! ```
//!
//! It prints how to get into the two namespaces. Whatever runs in one of them, reaches the other over the path.

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use clap::Parser;
use goldcrest::phy::{
    BurstLoss, Device, Medium, PathConfig, PathCounters, RxToken, SimConfig, SimLink, SimPort,
    TunTapInterface, TunTapOptions, TxToken, unshare_network, wait_any,
};
use goldcrest::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How long a signal may go unnoticed.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// Frames that one side is served before it is the other's turn.
const TURN: usize = 64;
/// The names of the sides, and of their TAPs where they are made here.
const SIDES: [&str; 2] = ["left", "right"];

/// Emulates a path between two network namespaces, in real time: a rate, a delay, a queue, and what goes wrong.
///
/// Two TAPs are joined by a link on which frames of either direction queue for their turn at the rate, may get lost,
/// and arrive after the delay. Both directions are alike and independent of each other.
///
/// Unless --tap names them, the TAPs `left` and `right` are made in a network namespace each, as 10.0.0.1 and
/// fd00::1, and 10.0.0.2 and fd00::2. How to run programs there is printed:
///
///     nsenter --net=/proc/4711/task/4712/ns/net iperf3 -s &
///     nsenter --net=/proc/4711/task/4713/ns/net iperf3 -c 10.0.0.1
///
/// The namespaces go with this program, at SIGINT (Ctrl-C), SIGTERM or the end of --for, and what became of the frames
/// is printed. That takes root, or `unshare --user --map-root-user --net` around it.
///
/// Examples:
///     path --rate 10M --delay 50ms --queue 1bdp           a slow line to far away
///     path --rate 1G --delay 500us --loss 0.1 --seed 7    the same frames are lost each time
///     path --delay 10ms --burst 1,20 --reorder 1,3ms      1 % lost, 20 in a row; 1 % are 3 ms late
///     path --tap tap0 --tap tap1 --rate 100M              between TAPs that are there, or are made here
#[derive(Parser)]
#[command(name = "path", verbatim_doc_comment)]
struct Arguments {
    /// bit/s at which frames leave, as 500k, 10M, 1G; 0 is without limit
    ///
    /// All octets of a frame count, its Ethernet header too, but no preamble and no gap: TCP gets at most 95.6 %.
    #[arg(long, value_name = "RATE", default_value = "0")]
    rate: Quantity,
    /// One way, from the departure of a frame to its arrival, as 500us, 10ms, 1s; the round-trip time is twice that
    #[arg(long, value_name = "TIME", default_value = "0ms")]
    delay: Time,
    /// At most so much more, evenly spread, without reordering
    #[arg(long, value_name = "TIME", default_value = "0ms")]
    jitter: Time,
    /// How much may wait to leave: octets (64k), frames (50f), or in products of rate and round-trip time (1bdp, 0.1bdp)
    ///
    /// A frame that finds the queue full is lost. Without this everything may wait.
    #[arg(long, value_name = "SIZE")]
    queue: Option<Queue>,
    /// How much may wait before senders that heed it (ECN) are told by a mark, in the same units
    ///
    /// TCP of Linux heeds it after `sysctl net.ipv4.tcp_ecn=1`.
    #[arg(long, value_name = "SIZE")]
    mark: Option<Queue>,
    /// Frames that are lost, each for itself
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    loss: Percent,
    /// Frames that are lost in bursts, and how many in a row in the mean; 10 unless given
    #[arg(long, value_name = "PERCENT[,COUNT]")]
    burst: Option<With<Count>>,
    /// Frames that come late, so that others pass them, and by how much; 10 ms unless given
    #[arg(long, value_name = "PERCENT[,TIME]")]
    reorder: Option<With<Time>>,
    /// Makes the same frames of each direction meet the same fate again
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// A TAP of this namespace to use instead, made if it is not there; twice
    #[arg(long, value_name = "NAME")]
    tap: Vec<String>,
    /// End by itself after so long, as 30s
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<Time>,
}

/// A number with a suffix of k, M or G.
#[derive(Clone, Copy)]
struct Quantity(u64);

impl FromStr for Quantity {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Quantity, String> {
        let (digits, factor) = match text.char_indices().last() {
            Some((at, 'k')) => (&text[..at], 1e3),
            Some((at, 'M')) => (&text[..at], 1e6),
            Some((at, 'G')) => (&text[..at], 1e9),
            _ => (text, 1.0),
        };
        Ok(Quantity((number(digits)? * factor).round() as u64))
    }
}

fn number(text: &str) -> std::result::Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if number.is_finite() && (0.0..1e15).contains(&number) { Ok(number) } else { Err("out of range".into()) }
}

#[derive(Clone, Copy)]
struct Time(Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Time, String> {
        for (unit, micros) in [("us", 1.0), ("ms", 1e3), ("s", 1e6)] {
            if let Some(digits) = text.strip_suffix(unit) {
                return Ok(Time(Duration::from_micros((number(digits)? * micros).round() as u64)));
            }
        }
        Err("us, ms or s is missing at its end".into())
    }
}

/// In parts of a million.
#[derive(Clone, Copy)]
struct Percent(u32);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Percent, String> {
        match number(text)? {
            percent @ 0.0..=100.0 => Ok(Percent((percent * 10_000.0).round() as u32)),
            _ => Err("it is not between 0 and 100".into()),
        }
    }
}

#[derive(Clone, Copy)]
struct Count(u32);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Count, String> {
        match text.parse() {
            Ok(count @ 1..=1_000_000) => Ok(Count(count)),
            _ => Err("a number from 1 on is wanted".into()),
        }
    }
}

/// A percentage, and what may follow it.
#[derive(Clone, Copy)]
struct With<T> {
    percent: Percent,
    value: Option<T>,
}

impl<T: FromStr<Err = String>> FromStr for With<T> {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<With<T>, String> {
        let (percent, value) = match text.split_once(',') {
            Some((percent, value)) => (percent, Some(value.parse()?)),
            None => (text, None),
        };
        Ok(With { percent: percent.parse()?, value })
    }
}

#[derive(Clone, Copy)]
enum Queue {
    Octets(u64),
    Frames(u64),
    /// Products of rate and round-trip time.
    Products(f64),
}

impl FromStr for Queue {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Queue, String> {
        if let Some(products) = text.strip_suffix("bdp") {
            return Ok(Queue::Products(number(products)?));
        }
        match text.strip_suffix('f') {
            Some(frames) => Ok(Queue::Frames(frames.parse::<Quantity>()?.0)),
            None => Ok(Queue::Octets(text.parse::<Quantity>()?.0)),
        }
    }
}

impl Arguments {
    /// Either direction.
    fn path(&self) -> PathConfig {
        let mut path = PathConfig {
            delay: self.delay.0,
            jitter: self.jitter.0,
            rate: self.rate.0,
            loss_ppm: self.loss.0,
            burst: self.burst.map(burst_loss),
            ..PathConfig::default()
        };
        if let Some(With { percent, value }) = self.reorder {
            path.reorder_ppm = percent.0;
            path.reorder_delay = value.map_or(path.reorder_delay, |time| time.0);
        }
        match self.queue {
            None => {}
            Some(Queue::Frames(frames)) => path.queue_frames = frames as usize,
            Some(queue) => path.queue_octets = self.octets(queue),
        }
        if let Some(mark) = self.mark {
            path.mark_octets = self.octets(mark);
        }
        path
    }

    /// A frame is as long as Ethernet's longest.
    fn octets(&self, queue: Queue) -> usize {
        match queue {
            Queue::Frames(frames) => frames as usize * 1_514,
            Queue::Octets(octets) => octets as usize,
            Queue::Products(count) => {
                let octets = count * self.rate.0 as f64 / 8.0 * self.delay.0.total_micros() as f64 * 2e-6;
                octets.round() as usize
            }
        }
    }
}

/// In the bad state all are lost; so the share of time in it is the share of frames lost.
fn burst_loss(With { percent, value }: With<Count>) -> BurstLoss {
    let leave_ppm = 1_000_000 / value.map_or(10, |count| count.0);
    let (lost, kept) = (u64::from(percent.0), 1_000_000 - u64::from(percent.0.min(999_999)));
    let enter_ppm = u64::from(leave_ppm) * lost / kept;
    BurstLoss { enter_ppm: enter_ppm.min(1_000_000) as u32, leave_ppm, loss_ppm: 1_000_000 }
}

/// One side: a TAP, and its end of the link.
struct Side {
    name: String,
    tap: TunTapInterface,
    port: SimPort,
    /// The thread that holds the namespace, until this is dropped; and what it says then.
    keeper: Option<(mpsc::Sender<()>, thread::JoinHandle<Option<u64>>)>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if !arguments.tap.is_empty() && arguments.tap.len() != 2 {
        return Err("a path has two ends: --tap NAME --tap NAME".into());
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let mut config = SimConfig::symmetric(Medium::Ethernet, arguments.path());
    // Room for a VLAN tag.
    config.max_transmission_unit += 4;
    let (left, right) = SimLink::pair(config, arguments.seed);
    let open = |number: usize, port| match arguments.tap.get(number) {
        Some(name) => open_here(name, port),
        None => open_apart(number, port),
    };
    let mut sides = [open(0, left)?, open(1, right)?];
    println!("{}, {} are one path", sides[0].name, sides[1].name);
    std::io::stdout().flush()?;
    let end_at = arguments.lasts.map(|time| Instant::now() + time.0);
    while !stop.load(Ordering::Relaxed) && end_at.is_none_or(|at| at > Instant::now()) {
        carry(&mut sides)?;
    }
    report(sides);
    Ok(())
}

/// A side in this namespace.
fn open_here(name: &str, port: SimPort) -> Result<Side> {
    let tap = TunTapInterface::with_options(name, Medium::Ethernet, TunTapOptions::plain())?;
    tap.kernel().set_up()?;
    Ok(Side { name: tap.name().into(), tap, port, keeper: None })
}

/// A side in a namespace of its own, which lasts as long as the thread that made it.
fn open_apart(number: usize, port: SimPort) -> Result<Side> {
    let (give, take) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let keeper = thread::spawn(move || {
        let made = make_namespace(number);
        let is_made = made.is_ok();
        if give.send(made).is_err() || !is_made {
            return None;
        }
        // Ends when the sender is dropped.
        let _ = released.recv();
        lost_by_kernel(SIDES[number])
    });
    let (tap, place) = take.recv()??;
    println!("{}: 10.0.0.{1}, fd00::{1}: nsenter --net={place}", SIDES[number], number + 1);
    let name = SIDES[number].into();
    Ok(Side { name, tap, port, keeper: Some((release, keeper)) })
}

/// Moves this thread to a namespace with a TAP; and says where it is.
fn make_namespace(number: usize) -> Result<(TunTapInterface, String)> {
    unshare_network()?;
    let tap = TunTapInterface::with_options(SIDES[number], Medium::Ethernet, TunTapOptions::plain())?;
    lengthen_queue(SIDES[number]);
    let kernel = tap.kernel();
    kernel.disable_dad()?;
    kernel.set_up()?;
    for (address, prefix_len) in [("10.0.0.", 24), ("fd00::", 64)] {
        kernel.add_address(format!("{address}{}", number + 1).parse()?, prefix_len)?;
    }
    let thread = std::fs::read_link("/proc/thread-self")?;
    Ok((tap, format!("/proc/{}/ns/net", thread.display())))
}

/// The kernel's queue in front of the TAP is no part of the path, and shall not be what loses frames. Without the program `ip`
/// it holds 1,000; the report tells what that has cost.
fn lengthen_queue(name: &str) {
    let _ = Command::new("ip").args(["link", "set", name, "txqueuelen", "10000"]).status();
}

/// Frames that the kernel had for a TAP of this thread's namespace, and that found its queue full: this program was too slow.
fn lost_by_kernel(name: &str) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/thread-self/net/dev").ok()?;
    let line = table.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))?;
    // Eight columns of what came in, then octets, packets, errors, drops of what went out.
    line.split_whitespace().nth(11)?.parse().ok()
}

/// Takes what the kernel has sent, gives it what has arrived, and waits for more of either.
fn carry(sides: &mut [Side; 2]) -> Result<()> {
    let now = Instant::now();
    let mut is_idle = true;
    for side in &mut *sides {
        is_idle &= !side.send(now) & !side.deliver(now);
    }
    if !is_idle {
        return Ok(());
    }
    let at = sides.iter_mut().filter_map(|side| side.port.poll_at(now)).min();
    let rest = at.map_or(LONGEST_WAIT, |at| at.saturating_duration_since(Instant::now())).min(LONGEST_WAIT);
    wait_any(&[sides[0].tap.as_raw_fd(), sides[1].tap.as_raw_fd()], Some(rest))?;
    Ok(())
}

impl Side {
    /// Sends frames of the kernel's on the path; whether a turn did not suffice.
    fn send(&mut self, now: Instant) -> bool {
        for _ in 0..TURN {
            let Some((rx, _)) = self.tap.receive(now) else { return false };
            let Some(tx) = self.port.transmit(now) else { continue };
            rx.consume(|frame| tx.consume(frame.len(), |room| room.copy_from_slice(frame)));
        }
        true
    }

    /// Gives the kernel frames that have arrived; whether a turn did not suffice.
    fn deliver(&mut self, now: Instant) -> bool {
        for _ in 0..TURN {
            let Some((rx, _)) = self.port.receive(now) else { return false };
            let Some(tx) = self.tap.transmit(now) else { continue };
            rx.consume(|frame| tx.consume(frame.len(), |room| room.copy_from_slice(frame)));
        }
        true
    }
}

/// What became of the frames of one direction.
struct Fate<'a> {
    from: &'a str,
    to: &'a str,
    counters: PathCounters,
    in_flight: usize,
}

impl fmt::Display for Fate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fate { from, to, counters: c, in_flight } = self;
        write!(
            f,
            "{from} to {to}: {} frames sent ({} octets), {} arrived ({} octets), {} lost, {} lost in bursts, \
             {} lost at the full queue, {} marked, {} too long, {} held back, {in_flight} under way",
            c.sent,
            c.sent_octets,
            c.delivered,
            c.delivered_octets,
            c.lost,
            c.burst_lost,
            c.queue_full,
            c.marked,
            c.too_long,
            c.reordered,
        )
    }
}

fn report(sides: [Side; 2]) {
    for (from, to) in [(0, 1), (1, 0)] {
        let (from, to) = (&sides[from], &sides[to]);
        let (counters, in_flight) = (from.port.tx_counters(), from.port.in_flight());
        println!("{}", Fate { from: &from.name, to: &to.name, counters, in_flight });
    }
    for Side { name, tap, keeper, .. } in sides {
        let mut refused = tap.counters();
        let lost = keeper.and_then(|(release, keeper)| {
            drop(release);
            keeper.join().ok().flatten()
        });
        let lost = lost.or_else(|| lost_by_kernel(&name)).unwrap_or_default();
        refused.tx_dropped += refused.tx_errors + refused.rx_errors;
        println!("{name}: {lost} frames did not get to the path, {} not from it", refused.tx_dropped);
    }
}
