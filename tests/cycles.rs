//! Ten clients of the kernel's, each with an address of its own, half of them of IPv6, connect, ask and close over and over, against one
//! listener with a backlog of 128: all are served. Once our end closes first, and remembers each connection in TIME-WAIT,
//! once the kernel's.
//!
//! `GOLDCREST_CYCLES=10000` has each client come so often instead of 200 times, and `--nocapture` shows how it went.
#![cfg(all(target_os = "linux", feature = "phy-tuntap"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/own_network.rs"]
mod own_network;
#[path = "common/skip.rs"]
mod skip;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant as Clock};

use captured::Captured;
use goldcrest::iface::{Config, Interface, SocketHandle, SocketSet};
use goldcrest::phy::{Device, Medium, TunTapInterface, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{HalfOpen, Listener, RecvError, Socket};
use goldcrest::stats::TcpMib;
use goldcrest::time::{self, Instant};
use goldcrest::wire::IpCidr;
use own_network::has_own_network;

const PORT: u16 = 7;
const CLIENTS: u8 = 10;
const BACKLOG: usize = 128;
const CYCLES: usize = 200;
const REQUEST_LEN: usize = 16;
/// How long a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClosesFirst {
    Us,
    Kernel,
}

/// A host's address: of IPv4 if its number is even, else of IPv6.
fn address(host: u8) -> IpAddr {
    if host.is_multiple_of(2) {
        Ipv4Addr::new(10, 69, 0, host).into()
    } else {
        Ipv6Addr::new(0xfd69, 0, 0, 0, 0, 0, 0, host.into()).into()
    }
}

fn prefix_len(address: IpAddr) -> u8 {
    if address.is_ipv4() { 24 } else { 64 }
}

/// Ours of the same family.
fn ours(of: IpAddr) -> IpAddr {
    if of.is_ipv4() { address(2) } else { address(3) }
}

/// The stack: it gives each request back, once.
struct Server {
    device: Captured<TunTapInterface>,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    listener: SocketHandle,
    first: ClosesFirst,
    /// Those that are open, and whether they were answered.
    open: HashMap<SocketHandle, bool>,
    served: usize,
}

/// What the server has seen.
struct Seen {
    served: usize,
    time_wait: usize,
    sockets: usize,
    drops: String,
    tcp: TcpMib,
}

impl Server {
    fn new(device: TunTapInterface, first: ClosesFirst) -> Server {
        let mut device = Captured::new(device, "cycles");
        let config = Config::new(device.hardware_address());
        let mut iface = Interface::new(config, &mut device, Instant::now());
        for ours in [address(2), address(3)] {
            iface.add_address(IpCidr::new(ours.into(), prefix_len(ours))).unwrap();
        }
        let mut sockets = SocketSet::with_capacity(2 * BACKLOG, Keys::new([7; 32]));
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; BACKLOG]);
        listener.set_buffers(1_024, 1_024, BACKLOG);
        let listener = sockets.add(listener);
        sockets.listen(listener, PORT).unwrap();
        Server { device, iface, sockets, listener, first, open: HashMap::new(), served: 0 }
    }

    fn run(mut self, stop: &AtomicBool) -> Seen {
        while !stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            self.iface.poll(now, &mut self.device, &mut self.sockets);
            while let Some((handle, _)) = self.sockets.next_ready() {
                self.on_ready(handle);
            }
            let look = time::Duration::from_millis(5);
            let next = self.iface.poll_at(now, &mut self.sockets);
            let delay = next.map_or(look, |at| at.saturating_duration_since(now).min(look));
            wait(self.device.as_raw_fd(), Some(delay)).unwrap();
        }
        let drops = format!("{:?}", self.iface.stats().dropped().collect::<Vec<_>>());
        let (time_wait, sockets) = (self.sockets.time_wait_count(), self.sockets.len());
        Seen { served: self.served, time_wait, sockets, drops, tcp: self.iface.mib().tcp }
    }

    fn on_ready(&mut self, handle: SocketHandle) {
        if handle != self.listener {
            return self.go_on(handle);
        }
        while let Some(connection) = self.sockets.accept(handle) {
            self.open.insert(connection, false);
            self.go_on(connection);
        }
    }

    fn go_on(&mut self, handle: SocketHandle) {
        let Some(is_answered) = self.open.get_mut(&handle) else { return };
        let socket = self.sockets.get_mut::<Socket>(handle);
        if !*is_answered {
            if socket.recv_queue() < REQUEST_LEN {
                assert!(socket.may_recv(), "a client has gone without a request");
                return;
            }
            let mut request = [0; REQUEST_LEN];
            assert_eq!(socket.recv_slice(&mut request), Ok(REQUEST_LEN));
            assert_eq!(socket.send_slice(&request), Ok(REQUEST_LEN));
            *is_answered = true;
            self.served += 1;
        }
        let is_over = match self.first {
            ClosesFirst::Us => true,
            ClosesFirst::Kernel => socket.recv_slice(&mut [0; 1]) == Err(RecvError::Finished),
        };
        if is_over {
            self.open.remove(&handle);
            self.sockets.release(handle).unwrap();
        }
    }
}

/// One connection; how long it took.
fn cycle(from: IpAddr, number: usize, first: ClosesFirst) -> Duration {
    let began = Clock::now();
    let server = SocketAddr::new(ours(from), PORT);
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(server), socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket
        .connect_timeout(&server.into(), PATIENCE)
        .unwrap_or_else(|error| panic!("{from}, cycle {number}: {error}"));
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = [from.to_string().bytes().last().unwrap_or(0); REQUEST_LEN];
    request[..8].copy_from_slice(&number.to_be_bytes());
    stream.write_all(&request).unwrap();
    let mut answer = [0; REQUEST_LEN];
    stream.read_exact(&mut answer).unwrap_or_else(|error| panic!("{from}, cycle {number}: {error}"));
    assert_eq!(answer, request);
    if first == ClosesFirst::Us {
        assert_eq!(stream.read(&mut answer).unwrap(), 0);
    }
    began.elapsed()
}

/// SYNs, and then all segments, that the kernel had to repeat in this thread's network.
fn repeated() -> [u64; 2] {
    let counter = |file: &str, group: &str, name: &str| {
        let all = std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap();
        let mut lines = all.lines().filter(|line| line.starts_with(group));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let mut columns = names.split_whitespace().zip(values.split_whitespace());
        columns.find(|(column, _)| *column == name).unwrap().1.parse().unwrap()
    };
    [counter("netstat", "TcpExt:", "TCPSynRetrans"), counter("snmp", "Tcp:", "RetransSegs")]
}

fn run(first: ClosesFirst) {
    if !has_own_network() {
        return;
    }
    let cycles = std::env::var("GOLDCREST_CYCLES").map_or(CYCLES, |text| text.parse().expect("a number"));
    let tap = TunTapInterface::new("tap0", Medium::Ethernet).unwrap();
    tap.kernel().disable_dad().unwrap();
    tap.kernel().set_up().unwrap();
    let sources: Vec<_> = (0..CLIENTS).map(|number| address(100 + number)).collect();
    for source in &sources {
        tap.kernel().add_address(*source, prefix_len(*source)).unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let server = thread::spawn(move || Server::new(tap, first).run(&stopped));
    let began = Clock::now();
    let clients: Vec<_> = sources
        .into_iter()
        .map(|from| thread::spawn(move || (0..cycles).map(|number| cycle(from, number, first)).max()))
        .collect();
    let slowest = clients.into_iter().map(|client| client.join().expect("each client is served")).max();
    let took = began.elapsed();
    let [syns, segments] = repeated();
    stop.store(true, Ordering::Relaxed);
    let seen = server.join().expect("the server goes on");

    let wanted = cycles * usize::from(CLIENTS);
    let rate = wanted as f64 / took.as_secs_f64();
    println!("{first:?} close first: {} of {wanted} served in {took:.1?}, {rate:.0} a second", seen.served);
    println!("slowest {slowest:.1?}; the kernel repeated {syns} SYNs, {segments} segments in all");
    println!("{} in TIME-WAIT, {} sockets left, dropped: {}", seen.time_wait, seen.sockets, seen.drops);
    println!("{:?}", seen.tcp);
    assert_eq!(seen.served, wanted);
    assert!(seen.time_wait > 0 || first == ClosesFirst::Kernel);
    assert!(seen.sockets <= 1 + BACKLOG, "{} sockets", seen.sockets);
    assert_eq!(seen.tcp.out_rsts, 0, "nobody was refused");
}

/// Covers: RFC 9293 §3.6.1, RFC 6191 §2
#[test]
fn all_are_served_though_we_close_first() {
    run(ClosesFirst::Us);
}

#[test]
fn all_are_served_though_the_kernel_closes_first() {
    run(ClosesFirst::Kernel);
}
