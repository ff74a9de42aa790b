//! TCP Fast Open (RFC 7413) with the kernel at the other end, over IPv4 and IPv6: what its counters say of data that went
//! with a SYN, and that it was read before the handshake was over.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "tcp-fastopen", feature = "tcp-connect"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/own_network.rs"]
mod own_network;
#[path = "common/skip.rs"]
mod skip;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;

use captured::Captured;
use goldcrest::iface::{Config, Interface, SocketHandle, SocketSet};
use goldcrest::phy::{Device, Medium, TunTapInterface, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{HalfOpen, Listener, RecvError, Socket, State};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr};
use own_network::has_own_network;

const PORT: u16 = 80;
const ADDRESSES: [(&str, &str, u8); 2] = [("10.69.0.1", "10.69.0.2", 24), ("fd69::1", "fd69::2", 64)];
const REQUEST: &[u8] = b"request";
const ANSWER: &[u8] = b"answer";

/// One of the kernel's counters of this network: `TCPFastOpen` and what follows.
fn counter(name: &str) -> u32 {
    let all = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = all.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut columns = names.split_whitespace().zip(values.split_whitespace());
    let is_it = |column: &str| column.strip_prefix("TCPFastOpen") == Some(name);
    columns.find(|(column, _)| is_it(column)).unwrap().1.parse().unwrap()
}

/// Our stack on a TUN device whose other end is the kernel.
struct Ours {
    device: Captured<TunTapInterface>,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    end: Instant,
}

impl Ours {
    /// None if there can't be one.
    fn new() -> Option<Ours> {
        if !has_own_network() {
            return None;
        }
        std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", "3").unwrap();
        let device = TunTapInterface::new("tun0", Medium::Ip).unwrap();
        device.kernel().set_up().unwrap();
        let mut device = Captured::new(device, "fast-open");
        let config = Config::new(device.hardware_address());
        let mut iface = Interface::new(config, &mut device, Instant::now());
        for (kernel, ours, prefix_len) in ADDRESSES {
            let (kernel, ours): (IpAddr, IpAddr) = (kernel.parse().unwrap(), ours.parse().unwrap());
            device.kernel().add_address(kernel, prefix_len).unwrap();
            iface.add_address(IpCidr::new(ours.into(), prefix_len)).unwrap();
        }
        let sockets = SocketSet::with_capacity(8, Keys::new([7; 32]));
        Some(Ours { device, iface, sockets, end: Instant::now() + Duration::from_secs(20) })
    }

    fn poll(&mut self) {
        let now = Instant::now();
        assert!(now < self.end, "it takes too long");
        self.iface.poll(now, &mut self.device, &mut self.sockets);
        wait(self.device.as_raw_fd(), Some(Duration::from_millis(1))).unwrap();
    }
}

/// Asks by the kernel, with the request in the SYN if it has a cookie.
fn ask(server: SocketAddr) {
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(server), socket2::Type::STREAM, None).unwrap();
    let sent = socket.send_to_with_flags(REQUEST, &server.into(), libc::MSG_FASTOPEN).unwrap();
    assert_eq!(sent, REQUEST.len());
    let mut answer = Vec::new();
    TcpStream::from(socket).read_to_end(&mut answer).unwrap();
    assert_eq!(answer, ANSWER);
}

/// Answers a request if it has come; says in which state the connection was then.
fn answer(sockets: &mut SocketSet<'_>, handle: SocketHandle) -> Option<State> {
    let socket = sockets.get_mut::<Socket>(handle);
    let (state, mut data) = (socket.state(), [0; 100]);
    let len = socket.recv_slice(&mut data).unwrap();
    if len == 0 {
        return None;
    }
    assert_eq!(data[..len], *REQUEST);
    socket.send_slice(ANSWER).unwrap();
    sockets.release(handle).unwrap();
    Some(state)
}

/// Covers: RFC 7413 §4.2.2
#[test]
fn the_kernels_request_is_read_before_its_handshake_is_over() {
    let Some(mut ours) = Ours::new() else { return };
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
    listener.set_buffers(10_000, 10_000, 4);
    listener.set_fast_open(4);
    let listener = ours.sockets.add(listener);
    ours.sockets.listen(listener, PORT).unwrap();
    for (_, server, _) in ADDRESSES {
        let server = SocketAddr::new(server.parse().unwrap(), PORT);
        let (before, active) = (ours.sockets.fast_open_stats(), counter("Active"));
        let client = thread::spawn(move || (0..3).for_each(|_| ask(server)));
        let (mut connections, mut states) = (Vec::new(), Vec::new());
        while !client.is_finished() {
            ours.poll();
            connections.extend(ours.sockets.accept(listener));
            connections.retain(|&handle| {
                let state = answer(&mut ours.sockets, handle);
                states.extend(state);
                state.is_none()
            });
        }
        client.join().unwrap();
        // The first has asked for a cookie; the others have saved a round trip.
        assert_eq!(states, [State::Established, State::SynReceived, State::SynReceived], "{server}");
        let after = ours.sockets.fast_open_stats();
        assert_eq!((after.cookie_reqd - before.cookie_reqd, after.passive - before.passive), (1, 2));
        assert_eq!(counter("Active") - active, 2);
    }
    assert_eq!((counter("ActiveFail"), ours.sockets.fast_open_stats().passive_fail), (0, 0));
}

/// Lets the kernel take data with SYNs.
fn take_data(listener: &TcpListener) {
    let limit: libc::c_int = 5;
    // SAFETY: the value has the length that is said.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_FASTOPEN,
            (&raw const limit).cast(),
            size_of_val(&limit) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Answers three requests by the kernel; says when each was read.
fn serve(listener: TcpListener, is_read: mpsc::Sender<()>) {
    for stream in listener.incoming().take(3) {
        let (mut stream, mut request) = (stream.unwrap(), [0; REQUEST.len()]);
        stream.read_exact(&mut request).unwrap();
        assert_eq!(request, *REQUEST);
        is_read.send(()).unwrap();
        stream.write_all(ANSWER).unwrap();
    }
}

impl Ours {
    fn ask(&mut self, server: SocketAddr) -> SocketHandle {
        let buffer = || SocketBuffer::new(vec![0; 10_000]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_fast_open(true);
        let handle = self.sockets.add(socket);
        let server = (IpAddress::from(server.ip()), server.port());
        self.iface.connect(Instant::now(), &mut self.sockets, handle, server, 0).unwrap();
        self.sockets.get_mut::<Socket>(handle).send_slice(REQUEST).unwrap();
        handle
    }

    /// Reads the answer, to its end.
    fn read(&mut self, handle: SocketHandle) {
        let (mut answer, mut data) = (Vec::<u8>::new(), [0; 100]);
        loop {
            self.poll();
            match self.sockets.get_mut::<Socket>(handle).recv_slice(&mut data) {
                Ok(len) => answer.extend(&data[..len]),
                Err(RecvError::Finished) => break,
                // It is not yet open.
                Err(_) => {}
            }
        }
        assert_eq!(answer, ANSWER);
        self.sockets.release(handle).unwrap();
    }
}

/// Covers: RFC 7413 §4.2.1, §4.2.2
#[test]
fn the_kernel_reads_our_request_when_nothing_but_the_syn_has_left() {
    let Some(mut ours) = Ours::new() else { return };
    for (server, _, _) in ADDRESSES {
        let server = SocketAddr::new(server.parse().unwrap(), PORT);
        let listener = TcpListener::bind(server).unwrap();
        take_data(&listener);
        let (before, passive, asked) =
            (ours.sockets.fast_open_stats().active, counter("Passive"), counter("CookieReqd"));
        let (is_read, read) = mpsc::channel();
        let kernel = thread::spawn(move || serve(listener, is_read));
        for n in 0..3 {
            let handle = ours.ask(server);
            ours.poll();
            if n > 0 {
                // Nothing is polled meanwhile, so no ACK has left.
                read.recv_timeout(std::time::Duration::from_secs(5)).expect("it has come with the SYN");
            }
            ours.read(handle);
            if n == 0 {
                read.recv().unwrap();
            }
        }
        kernel.join().unwrap();
        assert_eq!(ours.sockets.fast_open_stats().active - before, 2, "{server}");
        assert_eq!((counter("Passive") - passive, counter("CookieReqd") - asked), (2, 1));
    }
    assert_eq!((counter("PassiveFail"), ours.sockets.fast_open_stats().active_fail), (0, 0));
}
