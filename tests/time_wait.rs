//! A port of the kernel's that connects again and again, while our end of its last connection is in TIME-WAIT.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "tcp-timestamps"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/own_network.rs"]
mod own_network;
#[path = "common/skip.rs"]
mod skip;

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant as Clock};

use captured::Captured;
use goldcrest::iface::{Config, Interface, SocketSet};
use goldcrest::phy::{Device, Medium, TunTapInterface, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{HalfOpen, Listener, Socket};
use goldcrest::time::{self, Instant};
use goldcrest::wire::IpCidr;
use own_network::has_own_network;

/// The kernel's address and ours, and the length of their prefix, in each family.
const ENDS: [(IpAddr, IpAddr, u8); 2] = [(ipv4(1), ipv4(2), 24), (ipv6(1), ipv6(2), 64)];
const PORT: u16 = 7;
/// The kernel's only port.
const FROM: u16 = 4_000;
/// How long a handshake may take, and before it our ACK of the kernel's FIN, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(10);

const fn ipv4(host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 69, 0, host))
}

const fn ipv6(host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd69, 0, 0, 0, 0, 0, 0, host))
}

/// One connection: `len` octets there, an answer back, and our end closes first.
fn cycle(kernel: IpAddr, ours: IpAddr, len: usize) {
    let begin = Clock::now();
    let mut stream = loop {
        let server = SocketAddr::new(ours, PORT);
        let domain = socket2::Domain::for_address(server);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::new(kernel, FROM).into()).unwrap();
        match socket.connect_timeout(&server.into(), PATIENCE) {
            Ok(()) => break TcpStream::from(socket),
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable && begin.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    };
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(&vec![5; len]).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"done");
}

/// SYNs that the kernel had to repeat in this thread's network, as it does with what is dropped.
fn repeated_syns() -> u64 {
    let all = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = all.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut columns = names.split_whitespace().zip(values.split_whitespace());
    columns.find(|(name, _)| *name == "TCPSynRetrans").unwrap().1.parse().unwrap()
}

/// Serves so many connections of `len` octets each, one after the other, and closes each first.
fn serve(device: TunTapInterface, ours: IpCidr, count: usize, len: usize, kernel: &thread::JoinHandle<()>) {
    let mut device = Captured::new(device, "time-wait");
    let config = Config::new(device.hardware_address());
    let mut iface = Interface::new(config, &mut device, Instant::now());
    iface.add_address(ours).unwrap();
    let mut sockets = SocketSet::with_capacity(8, Keys::new([7; 32]));
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
    listener.set_buffers(256 << 10, 64, 4);
    let listener = sockets.add(listener);
    sockets.listen(listener, PORT).unwrap();
    let (mut connection, mut got, mut served) = (None, 0, 0);
    let mut buffer = vec![0; 256 << 10];
    while served < count || sockets.time_wait_count() == 0 {
        assert!(served == count || !kernel.is_finished(), "the kernel has given up");
        let now = Instant::now();
        iface.poll(now, &mut device, &mut sockets);
        connection = connection.or_else(|| sockets.accept(listener));
        if let Some(handle) = connection {
            let socket = sockets.get_mut::<Socket>(handle);
            got += socket.recv_slice(&mut buffer).unwrap();
            if got == len {
                socket.send_slice(b"done").unwrap();
                sockets.release(handle).unwrap();
                (connection, got) = (None, 0);
                served += 1;
                assert!(served == 1 || sockets.time_wait_count() <= 1, "there is one pair of ends");
            }
        }
        let most = time::Duration::from_millis(5);
        let delay = iface.poll_at(now, &mut sockets).map_or(most, |at| at.saturating_duration_since(now));
        wait(device.as_raw_fd(), Some(delay.min(most))).unwrap();
    }
    assert_eq!(sockets.time_wait_count(), 1);
}

/// The kernel connects `count` times, and no SYN is in vain.
fn runs(has_stamps: bool, count: usize, len: usize, pause: Duration) {
    ENDS.into_iter().for_each(|ends| runs_between(ends, has_stamps, count, len, pause));
}

fn runs_between(ends: (IpAddr, IpAddr, u8), has_stamps: bool, count: usize, len: usize, pause: Duration) {
    let (kernel_address, ours, prefix_len) = ends;
    let name = thread::current().name().unwrap_or_default().to_owned();
    let test = thread::Builder::new().name(name).spawn(move || {
        if !has_own_network() {
            return;
        }
        let tap = TunTapInterface::new("tap0", Medium::Ethernet).unwrap();
        tap.kernel().disable_dad().unwrap();
        tap.kernel().set_up().unwrap();
        tap.kernel().add_address(kernel_address, prefix_len).unwrap();
        std::fs::write("/proc/sys/net/ipv4/tcp_timestamps", if has_stamps { "1" } else { "0" }).unwrap();
        let kernel = thread::spawn(move || {
            for round in 0..count {
                cycle(kernel_address, ours, len);
                assert_eq!(repeated_syns(), 0, "in round {round}");
                thread::sleep(pause);
            }
        });
        serve(tap, IpCidr::new(ours.into(), prefix_len), count, len, &kernel);
        kernel.join().unwrap();
    });
    test.unwrap().join().unwrap();
}

/// Sent faster than initial numbers grow, so that each connection begins with a number below the last one's: only the
/// clock says that it is new.
///
/// Covers: RFC 6191 §2
#[test]
fn the_kernel_uses_its_port_again_after_more_octets_than_its_initial_numbers_have_grown_by() {
    // The clock ticks once a millisecond.
    runs(true, 20, 4 << 20, Duration::from_millis(3));
}

/// Covers: RFC 6191 §2
#[test]
fn the_kernel_uses_its_port_again_at_once() {
    runs(true, 500, 20, Duration::ZERO);
}

/// Covers: RFC 6191 §2
#[test]
fn the_kernel_uses_its_port_again_without_timestamps() {
    runs(false, 500, 20, Duration::ZERO);
}
