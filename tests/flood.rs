//! A flood of SYNs from addresses that nobody has, and junk, while the kernel's clients are served all the same, over IPv4
//! and IPv6.
//!
//! The flood enters as frames on the kernel's side of a TAP: 50,000 SYNs a second, if the machine can, and 1,600 kB of junk;
//! the path has a round trip of 0.1 ms. Everything is in one process, so that its memory is seen. tshark looks at a part of
//! what is sent.
//!
//! `GOLDCREST_FLOOD_SECONDS=30` floods for so long instead of 3 s, and `--nocapture` shows how it went.
#![cfg(all(
    target_os = "linux",
    feature = "phy-tuntap",
    feature = "phy-raw",
    feature = "phy-sim",
    feature = "tcp-cookies"
))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/skip.rs"]
mod skip;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use captured::Captured;
use goldcrest::iface::{Config, Interface, SocketHandle, SocketSet};
use goldcrest::phy::{
    Device, FaultConfig, FaultInjector, Medium, RawSocket, SimRng, TunTapInterface, TxToken, unshare_network,
    wait,
};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{Error, HalfOpen, Listener, RecvError, Socket};
use goldcrest::stats::{InterfaceMib, Stats};
use goldcrest::time;
use goldcrest::wire::IpCidr;
use skip::skip;

const KERNEL: (Ipv4Addr, Ipv6Addr) = (ipv4(1), ipv6(1));
const OURS: (Ipv4Addr, Ipv6Addr) = (ipv4(2), ipv6(2));
const PORT: u16 = 7;
const CLIENTS: usize = 40;
/// A second.
const SYNS: u64 = 50_000;
const JUNK_OCTETS: u64 = 1_600_000;
/// A second, on a machine that is busy with other things, too.
const LEAST_SYNS: u64 = 10_000;
const LEAST_JUNK_OCTETS: u64 = 1_500_000;
const SECONDS: u64 = 3;
/// A direction in which all frames are late, and none overtakes another.
const HALF_A_PATH: FaultConfig = FaultConfig {
    reorder_ppm: 1_000_000,
    reorder_count: u32::MAX,
    reorder_delay: time::Duration::from_micros(50),
    held_count: 1_024,
    ..FaultConfig::NONE
};
/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a flood may cost: 150,000 records of 48 octets would be more.
const MOST_GROWTH: usize = 4 << 20;

const fn ipv4(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 69, 0, host)
}

const fn ipv6(host: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd69, 0, 0, 0, 0, 0, 0, host as u16)
}

/// The stack: an echo server.
struct Server {
    device: Captured<FaultInjector<TunTapInterface>>,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    listener: SocketHandle,
    connections: Vec<SocketHandle>,
    /// Connections that clients have reset.
    reset: usize,
}

impl Server {
    fn new(device: TunTapInterface) -> Server {
        let mut device = Captured::new(FaultInjector::new(device, HALF_A_PATH, HALF_A_PATH, 1), "flood");
        let config = Config::new(device.hardware_address());
        let mut iface = Interface::new(config, &mut device, time::Instant::now());
        iface.add_address(IpCidr::new(OURS.0.into(), 24)).unwrap();
        iface.add_address(IpCidr::new(OURS.1.into(), 64)).unwrap();
        // So that the flood is answered.
        iface.add_default_ipv4_route(KERNEL.0).unwrap();
        iface.add_default_ipv6_route(KERNEL.1).unwrap();
        let mut sockets = SocketSet::with_capacity(4 * CLIENTS, Keys::new([7; 32]));
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 64]);
        listener.set_buffers(16 << 10, 16 << 10, 2 * CLIENTS);
        let listener = sockets.add(listener);
        sockets.listen(listener, PORT).unwrap();
        Server { device, iface, sockets, listener, connections: Vec::new(), reset: 0 }
    }

    /// Serves until told to end. What was counted, how many sockets are left, and how many connections were reset.
    fn run(mut self, stop: &AtomicBool) -> (Stats, InterfaceMib, [usize; 2]) {
        while !stop.load(Ordering::Relaxed) {
            let now = time::Instant::now();
            self.iface.poll(now, &mut self.device, &mut self.sockets);
            while let Some((handle, _)) = self.sockets.next_ready() {
                self.on_ready(handle);
            }
            let look = time::Duration::from_millis(2);
            let next = self.iface.poll_at(now, &mut self.sockets);
            let next = next.into_iter().chain(self.device.poll_at(now)).min();
            let delay = next.map_or(look, |at| at.saturating_duration_since(now).min(look));
            wait(self.device.as_raw_fd(), Some(delay)).unwrap();
        }
        (self.iface.stats().clone(), self.iface.mib().interface, [self.sockets.len(), self.reset])
    }

    fn on_ready(&mut self, handle: SocketHandle) {
        if handle == self.listener {
            while let Some(connection) = self.sockets.accept(handle) {
                self.connections.push(connection);
                self.go_on(connection);
            }
        } else {
            self.go_on(handle);
        }
    }

    fn go_on(&mut self, handle: SocketHandle) {
        let Some(place) = self.connections.iter().position(|connection| *connection == handle) else {
            return;
        };
        if !echo(self.sockets.get_mut::<Socket>(handle)) {
            self.reset += usize::from(self.sockets.get::<Socket>(handle).error().is_some());
            self.connections.swap_remove(place);
            self.sockets.release(handle).unwrap();
        }
    }
}

/// Sends back what has come, as far as there is room. False once all is over.
fn echo(socket: &mut Socket<'_>) -> bool {
    let mut octets = [0; 4 << 10];
    loop {
        let room = socket.send_capacity() - socket.send_queue();
        let most = room.min(octets.len());
        match socket.recv_slice(&mut octets[..most]) {
            Ok(0) => return true,
            Ok(len) => assert_eq!(socket.send_slice(&octets[..len]), Ok(len)),
            Err(RecvError::Finished) => return false,
            // A first segment that comes once more, late, brings its cookie back a second time: the client resets that.
            Err(_) if socket.error() == Some(Error::Reset) => return false,
            Err(error) => panic!("a client's connection broke: {error}, {:?}", socket.error()),
        }
    }
}

/// Each client has its own, so that ports in TIME-WAIT are never all that there are; every other one is of IPv6.
fn address_of(client: usize) -> IpAddr {
    let host = 100 + client as u8;
    if client.is_multiple_of(2) { ipv4(host).into() } else { ipv6(host).into() }
}

/// What became of a client's connections.
#[derive(Debug, Default, Clone, Copy)]
struct Served {
    tried: usize,
    accepted: usize,
    /// Reset later, since its record had to give way.
    reset: usize,
    slowest_accept: Duration,
    slowest: Duration,
}

impl Served {
    fn add(self, other: Served) -> Served {
        Served {
            tried: self.tried + other.tried,
            accepted: self.accepted + other.accepted,
            reset: self.reset + other.reset,
            slowest_accept: self.slowest_accept.max(other.slowest_accept),
            slowest: self.slowest.max(other.slowest),
        }
    }
}

fn seconds() -> u64 {
    let seconds = std::env::var("GOLDCREST_FLOOD_SECONDS");
    seconds.map_or(SECONDS, |text| text.parse().expect("a number"))
}

/// How often one client may find its record evicted: once a second, three times at least.
fn most_resets() -> usize {
    seconds().max(3) as usize
}

/// A client of the kernel's: connects, sends, compares what comes back, over and over until `is_over`. Says how it
/// was served.
///
/// Whose ACKs are lost for more than a second, in a queue that the flood fills because the cores are too few for all of
/// this, may find its half-open connection evicted and be reset: it comes again, as clients do, but that is rare.
fn be_client(number: usize, is_over: &AtomicBool) -> Served {
    let sent: Vec<u8> = (0..20_000).map(|at: usize| (at * (2 * number + 1) % 251) as u8).collect();
    let mut served = Served::default();
    while served.accepted == served.reset || !is_over.load(Ordering::Relaxed) {
        let own = address_of(number);
        let server = if own.is_ipv4() { OURS.0.into() } else { OURS.1.into() };
        let address = SocketAddr::new(server, PORT);
        let began = Instant::now();
        served.tried += 1;
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(own, 0).into()).unwrap();
        socket.connect_timeout(&address.into(), PATIENCE).expect("the server accepts");
        let mut stream = TcpStream::from(socket);
        served.accepted += 1;
        served.slowest_accept = served.slowest_accept.max(began.elapsed());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        // Both directions fit into the buffers of both ends.
        let mut received = Vec::new();
        let talked = stream.write_all(&sent).and_then(|()| stream.shutdown(Shutdown::Write));
        if let Err(error) = talked.and_then(|()| stream.read_to_end(&mut received)) {
            let is_reset = matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::NotConnected | ErrorKind::BrokenPipe
            );
            assert!(is_reset, "the server answers: {error}");
            served.reset += 1;
            assert!(served.reset <= most_resets() && received.is_empty(), "client {number}: {served:?}");
            continue;
        }
        assert!(received == sent, "client {number}, {served:?}: {} octets", received.len());
        served.slowest = served.slowest.max(began.elapsed());
    }
    served
}

fn clients(is_over: &Arc<AtomicBool>) -> Vec<thread::JoinHandle<Served>> {
    let start = |number| {
        let is_over = Arc::clone(is_over);
        thread::spawn(move || be_client(number, &is_over))
    };
    (0..CLIENTS).map(start).collect()
}

fn words(octets: &[u8]) -> u32 {
    octets.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0))).sum()
}

/// The sum of RFC 1071 over what begins with `sum`.
fn checksum(sum: u32, octets: &[u8]) -> [u8; 2] {
    let mut sum = sum + words(octets);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// A segment to the server from a random address and port, in an Ethernet frame of either family.
fn segment(rng: &mut SimRng, addresses: &[u8; 12], flags: u8) -> Vec<u8> {
    let number = rng.next_u64().to_be_bytes();
    let (kind, header, ends) = if rng.below(2) == 0 {
        ([8, 0], ipv4_header(rng, number), 12..20)
    } else {
        ([0x86, 0xdd], ipv6_header(number), 8..40)
    };
    let port = 1_024 + rng.below(60_000) as u16;
    let mut tcp = [&port.to_be_bytes()[..], &PORT.to_be_bytes(), &number[..4], &[0; 4]].concat();
    tcp.extend([0x60, flags, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 5, 0xb4]);
    // The pseudo-header: addresses, protocol, length.
    let sum = checksum(words(&header[ends]) + 6 + tcp.len() as u32, &tcp);
    tcp[16..18].copy_from_slice(&sum);
    [&addresses[..], &kind, &header, &tcp].concat()
}

fn ipv4_header(rng: &mut SimRng, number: [u8; 8]) -> Vec<u8> {
    // Any unicast address but those of 0, 127 and the groups.
    let source = [11 + rng.below(100) as u8, number[0], number[1], 1 + number[2] % 250];
    let mut header = vec![0x45, 0, 0, 44, number[3], number[4], 0, 0, 64, 6, 0, 0];
    header.extend(source.into_iter().chain(OURS.0.octets()));
    let sum = checksum(0, &header);
    header[10..12].copy_from_slice(&sum);
    header
}

fn ipv6_header(number: [u8; 8]) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, 24, 6, 64, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0];
    header.extend(number.into_iter().chain(OURS.1.octets()));
    header
}

/// Something that should not be: random octets of some EtherType, a segment of random flags, or one that is cut off.
fn junk(rng: &mut SimRng, addresses: &[u8; 12]) -> Vec<u8> {
    let flags = rng.next_u64() as u8;
    let mut frame = segment(rng, addresses, flags);
    match rng.below(4) {
        0 => {}
        1 => frame.truncate(14 + rng.below(44) as usize),
        2 => {
            rng.flip_bit(&mut frame[14..]);
        }
        _ => {
            let kind = [[8, 0], [8, 6], [0x86, 0xdd], [0x81, 0]][rng.below(4) as usize];
            frame[12..14].copy_from_slice(&kind);
            let len = rng.below(1_400);
            frame.truncate(14);
            frame.extend((0..len).map(|_| rng.next_u64() as u8));
        }
    }
    frame
}

/// What got away of a flood.
#[derive(Debug, Default, Clone, Copy)]
struct Sent {
    syns: u64,
    junk: u64,
    junk_octets: u64,
}

/// Floods until the time is over. Junk comes first where the machine can't do it all.
fn flood(mut socket: RawSocket, addresses: &[u8; 12], span: Duration) -> Sent {
    let (mut rng, mut sent, began) = (SimRng::new(1), Sent::default(), Instant::now());
    let mut send = |frame: Vec<u8>| {
        let token = socket.transmit(time::Instant::now());
        token.map(|token| token.consume(frame.len(), |octets| octets.copy_from_slice(&frame))).is_some()
    };
    while began.elapsed() < span {
        let due = |a_second: u64| a_second * began.elapsed().as_micros() as u64 / 1_000_000;
        if sent.junk_octets < due(JUNK_OCTETS) {
            let frame = junk(&mut rng, addresses);
            let len = frame.len() as u64;
            if send(frame) {
                (sent.junk, sent.junk_octets) = (sent.junk + 1, sent.junk_octets + len);
            }
        } else if sent.syns < due(SYNS) {
            sent.syns += u64::from(send(segment(&mut rng, addresses, 2)));
        } else {
            thread::sleep(Duration::from_millis(1));
        }
    }
    sent
}

/// Octets of memory that this process has.
fn memory() -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

fn join_all(clients: Vec<thread::JoinHandle<Served>>) -> Served {
    let served = clients.into_iter().map(|client| client.join().expect("each client is served"));
    served.fold(Served::default(), Served::add)
}

/// Covers: RFC 4987 §3.6
#[test]
fn forty_clients_are_served_through_a_flood_and_memory_stays_as_it_was() {
    if let Err(error) = unshare_network() {
        return skip(&error.to_string());
    }
    if fs::metadata("/dev/net/tun").is_err() {
        return skip("no /dev/net/tun");
    }
    let tap = TunTapInterface::new("tap0", Medium::Ethernet).unwrap();
    tap.kernel().disable_dad().unwrap();
    tap.kernel().set_up().unwrap();
    for address in [KERNEL.0.into(), KERNEL.1.into()].into_iter().chain((0..CLIENTS).map(address_of)) {
        tap.kernel().add_address(address, if address.is_ipv4() { 24 } else { 64 }).unwrap();
    }
    let kernel_mac = tap.kernel().ethernet_address().unwrap().unwrap();
    let addresses = [[2, 0, 0, 0, 0, 2], kernel_mac].concat().try_into().unwrap();
    let generator = RawSocket::new("tap0", Medium::Ethernet).unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let server = thread::spawn(move || Server::new(tap).run(&stopped));
    // A round without a flood, after which everything has its memory.
    join_all(clients(&Arc::new(AtomicBool::new(true))));
    let before = memory();
    let seconds = seconds();
    let is_over = Arc::new(AtomicBool::new(false));
    let clients = clients(&is_over);
    let Sent { syns, junk, junk_octets } = flood(generator, &addresses, Duration::from_secs(seconds));
    let after = memory();
    is_over.store(true, Ordering::Relaxed);
    let served = join_all(clients);
    stop.store(true, Ordering::Relaxed);
    let (stats, frames, [left, reset_by_client]) = server.join().expect("the server goes on");

    let Served { tried, accepted, reset, slowest_accept, slowest } = served;
    println!("{syns} SYNs in {seconds} s, {} a second", syns / seconds);
    println!("{junk} frames of junk, {} kB a second", junk_octets / seconds / 1_000);
    println!("{} frames received, {} sent", frames.in_frames, frames.out_frames);
    println!("{tried} connections of {CLIENTS} clients tried, {accepted} accepted, {reset} reset later");
    println!("{reset_by_client} connections reset by their clients");
    println!("slowest: accepted after {slowest_accept:.1?}, served after {slowest:.1?}");
    println!("{before} octets before, {after} after; {left} sockets left");
    println!("{:?}", stats.dropped().collect::<Vec<_>>());
    let sent = syns + junk;
    assert!(syns >= LEAST_SYNS * seconds, "that was no flood: {syns} SYNs");
    assert!(junk_octets >= LEAST_JUNK_OCTETS * seconds, "{junk_octets} octets of junk");
    assert!(frames.in_frames > sent / 4, "{} of {sent} frames arrived", frames.in_frames);
    assert!(tried == accepted && accepted >= CLIENTS + reset, "{served:?}");
    assert!(after.saturating_sub(before) < MOST_GROWTH, "{} octets", after - before);
    assert!(reset_by_client * 100 <= accepted, "{reset_by_client} of {accepted} reset");
    assert!(left <= 1 + 2 * CLIENTS, "{left} sockets");
}
