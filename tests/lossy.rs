//! TCP with the kernel over a cable that loses, doubles and reorders one frame in a hundred, each way: what was
//! sent is what arrives, both ways, over IPv4 and IPv6.
//!
//! `GOLDCREST_LOSSY_MB=100` sends so many MB instead of 2, and `--nocapture` shows how it went.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-sim"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/skip.rs"]
mod skip;
#[path = "../examples/quickstart/stack.rs"]
mod stack;
#[path = "../examples/quickstart/transfer.rs"]
mod transfer;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use captured::Captured;
use goldcrest::phy::{
    FaultConfig, FaultCounters, FaultInjector, Medium, TunTapInterface, TunTapOptions, unshare_network, wait,
};
use goldcrest::time;
use skip::skip;
use stack::Stack;
use transfer::{Answer, Data};
use xxhash_rust::xxh3::Xxh3;

// What the quickstart's stack asks its program for.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
const PORT: u16 = 45_678;
const PREFIX_LEN: [u8; 2] = [24, 64];

const KERNEL: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 69, 0, 1)), ipv6(1)];
const OURS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 69, 0, 2)), ipv6(2)];
/// How soon the stack's loop sees that a thread of the kernel's end is done.
const LOOK: time::Duration = time::Duration::from_millis(2);
/// One in a hundred.
const ONE_PERCENT: u32 = 10_000;
/// Longer than nothing may stand still: a retransmission that is lost three times takes about 7 s.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

const fn ipv6(host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x69, 0, 0, 0, 0, 0, host))
}

/// What we send is looked at before anything happens to it.
type Cable = Captured<FaultInjector<TunTapInterface>>;

fn cable() -> Cable {
    let tap = TunTapInterface::with_options("tap0", Medium::Ethernet, TunTapOptions::plain()).unwrap();
    tap.kernel().disable_dad().unwrap();
    tap.kernel().set_up().unwrap();
    for (address, prefix_len) in KERNEL.into_iter().zip(PREFIX_LEN) {
        tap.kernel().add_address(address, prefix_len).unwrap();
    }
    let config = FaultConfig {
        drop_ppm: ONE_PERCENT,
        duplicate_ppm: ONE_PERCENT,
        reorder_ppm: ONE_PERCENT,
        ..FaultConfig::NONE
    };
    Captured::new(FaultInjector::new(tap, config, config, 1), "lossy")
}

/// Drives the stack until `is_done`.
fn run(stack: &mut Stack<Cable>, mut is_done: impl FnMut(&mut Stack<Cable>) -> bool) {
    while !is_done(stack) {
        let now = time::Instant::now();
        stack.poll(now).unwrap();
        let delay = stack.poll_at(now).map_or(LOOK, |at| at.saturating_duration_since(now).min(LOOK));
        wait(stack.device().as_raw_fd(), Some(delay)).unwrap();
    }
}

/// How the kernel's end of a transfer went.
#[derive(Debug, Clone, Copy)]
struct Course {
    took: Duration,
    /// For how long at most nothing came, or nothing could be sent.
    longest_pause: Duration,
}

/// The longest time between two steps.
struct Pauses {
    last: Instant,
    longest: Duration,
}

impl Pauses {
    fn new() -> Pauses {
        Pauses { last: Instant::now(), longest: Duration::ZERO }
    }

    fn step(&mut self) {
        self.longest = self.longest.max(self.last.elapsed());
        self.last = Instant::now();
    }
}

/// The kernel sends the data, and gets the right hash back.
fn send(to: IpAddr, data: &Data) -> Course {
    let began = Instant::now();
    let mut stream = TcpStream::connect(SocketAddr::new(to, PORT)).unwrap();
    stream.set_write_timeout(Some(LONGEST_PAUSE)).unwrap();
    stream.set_read_timeout(Some(LONGEST_PAUSE)).unwrap();
    let mut pauses = Pauses::new();
    for piece in data.octets.chunks(1 << 16) {
        stream.write_all(piece).expect("it does not stand still");
        pauses.step();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Answer::default();
    stream.read_exact(&mut answer).expect("it does not stand still");
    pauses.step();
    data.check(answer).unwrap();
    Course { took: began.elapsed(), longest_pause: pauses.longest }
}

/// The kernel takes the data, and answers with its hash, which the stack checks.
fn receive(listener: &TcpListener) -> Course {
    let began = Instant::now();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(LONGEST_PAUSE)).unwrap();
    let (mut hash, mut octets, mut pauses) = (Xxh3::new(), vec![0; 1 << 16], Pauses::new());
    loop {
        let len = stream.read(&mut octets).expect("it does not stand still");
        pauses.step();
        if len == 0 {
            break;
        }
        hash.update(&octets[..len]);
    }
    stream.write_all(&hash.digest().to_be_bytes()).unwrap();
    Course { took: began.elapsed(), longest_pause: pauses.longest }
}

fn report(way: &str, address: IpAddr, len: usize, course: Course) {
    let Course { took, longest_pause } = course;
    let rate = len as f64 * 8e-6 / took.as_secs_f64();
    println!(
        "{way} {address}: {len} octets in {took:.1?}, {rate:.1} Mbit/s, longest pause {longest_pause:.2?}"
    );
    assert!(longest_pause < LONGEST_PAUSE, "{way} {address}");
}

/// Both ways, one after the other.
fn transfer(stack: &mut Stack<Cable>, data: &Arc<Data>, ours: IpAddr, kernel: IpAddr) {
    let len = data.octets.len();
    let octets = Arc::clone(data);
    let sender = thread::spawn(move || send(ours, &octets));
    run(stack, |_| sender.is_finished());
    report("kernel to", ours, len, sender.join().unwrap());

    let listener = TcpListener::bind((kernel, PORT)).unwrap();
    let receiver = thread::spawn(move || receive(&listener));
    stack.send(kernel, time::Instant::now()).unwrap();
    let mut is_sent = false;
    run(stack, |stack| {
        is_sent |= stack.take_sent().is_some();
        is_sent && receiver.is_finished()
    });
    report("stack to", kernel, len, receiver.join().unwrap());
}

/// As many as there should be, more or less, were lost, doubled and held back.
fn assert_spoiled(counters: FaultCounters) {
    let frames = counters.passed + counters.dropped;
    for count in [counters.dropped, counters.duplicated, counters.reordered] {
        assert!((frames / 300..frames / 30).contains(&count), "{counters:?}");
    }
    assert_eq!((counters.corrupted, counters.held_full), (0, 0));
}

#[test]
fn what_is_sent_arrives_although_frames_are_lost_doubled_and_reordered() {
    if let Err(error) = unshare_network() {
        return skip(&error.to_string());
    }
    if std::fs::metadata("/dev/net/tun").is_err() {
        return skip("no /dev/net/tun");
    }
    let megabytes = std::env::var("GOLDCREST_LOSSY_MB").map_or(2, |text| text.parse().expect("a number"));
    let data = Arc::new(Data::new(megabytes * 1_000_000));
    let mut stack = Stack::new(cable(), [7; 32], OURS, &data, time::Instant::now()).unwrap();
    for (ours, kernel) in OURS.into_iter().zip(KERNEL) {
        transfer(&mut stack, &data, ours, kernel);
    }
    println!("{:?}", stack.stats().dropped().collect::<Vec<_>>());
    println!("segments sent again: {} of {}", stack.mib().tcp.retrans_segs, stack.mib().tcp.out_segs);
    let (rx, tx) = (stack.device().rx_counters(), stack.device().tx_counters());
    println!("received: {rx:?}\nsent: {tx:?}");
    assert_spoiled(rx);
    assert_spoiled(tx);
}
