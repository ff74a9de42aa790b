//! Explicit congestion notification (RFC 3168) on a path that marks: between two stacks in virtual time, and with the kernel
//! at the other end, which asks and is asked.
//!
//! tshark dissects what goes over the wire. What can't be run here is skipped by name, but fails with `CI=true`.
#![cfg(all(
    target_os = "linux",
    feature = "phy-tuntap",
    feature = "phy-pcap",
    feature = "phy-sim",
    feature = "tcp-ecn",
    feature = "iface-vlan"
))]

#[path = "common/skip.rs"]
mod skip;
#[path = "common/tshark.rs"]
mod tshark;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;

use goldcrest::iface::{Config, Interface, SocketHandle, SocketSet, VlanTags};
use goldcrest::phy::{
    Device, DeviceCapabilities, HardwareAddress, Medium, PathConfig, PathCounters, PcapWriter, RxMeta,
    RxToken, SimConfig, SimLink, SimPort, TunTapInterface, TunTapOptions, TxMeta, TxToken, unshare_network,
    wait,
};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{EcnMode, HalfOpen, Listener, Socket};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr, IpEndpoint, VlanId};
use skip::skip;
use tshark::{FAULTS, found};

const PORT: u16 = 80;

/// A stack at its end of a link.
struct Host<D> {
    device: D,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
}

impl<D: Device> Host<D> {
    fn new(mut device: D, number: u8, now: Instant, tags: VlanTags) -> Host<D> {
        let mut config = Config::new(device.hardware_address());
        config.vlan = tags;
        let mut iface = Interface::new(config, &mut device, now);
        iface.add_address(IpCidr::new(address(false, number), 24)).unwrap();
        iface.add_address(IpCidr::new(address(true, number), 64)).unwrap();
        Host { device, iface, sockets: SocketSet::with_capacity(4, Keys::new([number; 32])) }
    }

    fn poll(&mut self, now: Instant) {
        self.iface.poll(now, &mut self.device, &mut self.sockets);
    }

    fn next_at(&mut self, now: Instant) -> Option<Instant> {
        [self.iface.poll_at(now, &mut self.sockets), self.device.poll_at(now)].into_iter().flatten().min()
    }
}

fn address(is_v6: bool, number: u8) -> IpAddress {
    if is_v6 {
        IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, number.into())
    } else {
        IpAddress::v4(10, 0, 0, number)
    }
}

fn buffer(len: usize) -> SocketBuffer<'static> {
    SocketBuffer::new(vec![0; len])
}

/// Ten seconds of a transfer over 10 Mbit/s and 40 ms, which are 50 kB, with a queue of so many octets that marks from so
/// many on: the octets that arrive, and what became of the frames with data.
fn transfer(
    mode: EcnMode,
    is_v6: bool,
    tags: VlanTags,
    queue_octets: usize,
    mark_octets: usize,
) -> (usize, PathCounters) {
    let path = PathConfig {
        delay: Duration::from_millis(20),
        rate: 10_000_000,
        queue_octets,
        mark_octets,
        ..PathConfig::default()
    };
    let mut config = SimConfig::symmetric(Medium::Ethernet, path);
    config.max_transmission_unit += 4;
    let (a, b): (SimPort, SimPort) = SimLink::pair(config, 1);
    let start = Instant::ZERO;
    let (mut client, mut server) = (Host::new(a, 1, start, tags), Host::new(b, 2, start, tags));
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 2]);
    listener.set_buffers(400_000, 4_096, 1);
    let listener = server.sockets.add(listener);
    server.sockets.listen(listener, PORT).unwrap();
    let mut socket = Socket::new(buffer(4_096), buffer(400_000));
    socket.set_ecn(mode);
    let handle = client.sockets.add(socket);
    let remote = IpEndpoint::new(address(is_v6, 2), PORT);
    client.iface.connect(start, &mut client.sockets, handle, remote, 0).unwrap();
    let (mut now, mut taken, mut accepted) = (start, 0, None);
    while now < Instant::from_secs(10) {
        client.poll(now);
        let socket = client.sockets.get_mut::<Socket>(handle);
        while socket.can_send() && socket.send_slice(&[7; 40_000]).unwrap_or(0) > 0 {}
        server.poll(now);
        accepted = accepted.or_else(|| server.sockets.accept(listener));
        if let Some(handle) = accepted {
            let mut octets = vec![0; 400_000];
            taken += server.sockets.get_mut::<Socket>(handle).recv_slice(&mut octets).unwrap_or(0);
        }
        let next = [client.next_at(now), server.next_at(now)].into_iter().flatten().min().unwrap();
        now = next.max(now + Duration::from_micros(1));
    }
    (taken, client.device.tx_counters())
}

/// Covers: RFC 3168 §6.1
#[test]
fn a_path_that_marks_loses_nothing_and_carries_no_less() {
    let tagged = VlanTags::single(VlanId::new(42).unwrap());
    for (is_v6, tags) in [(false, VlanTags::NONE), (true, VlanTags::NONE), (false, tagged), (true, tagged)] {
        let (without, lost) = transfer(EcnMode::Accept, is_v6, tags, 100_000, 30_000);
        assert!(lost.queue_full > 0 && lost.marked == 0, "{lost:?}");
        let (with, path) = transfer(EcnMode::Ask, is_v6, tags, 100_000, 30_000);
        assert!(path.marked > 0 && path.total_lost() == 0, "{path:?}");
        assert!(with >= without, "{with} octets with it, {without} without");
    }
}

/// Who is told before the queue is full keeps it shorter still, at the price of a few hundredths.
///
/// Covers: RFC 3168 §6.1
#[test]
fn a_short_queue_that_marks_loses_nothing() {
    let (without, lost) = transfer(EcnMode::Accept, false, VlanTags::NONE, 25_000, 15_000);
    assert!(lost.queue_full > 20, "{lost:?}");
    let (with, path) = transfer(EcnMode::Ask, false, VlanTags::NONE, 25_000, 15_000);
    assert!(path.marked > 0 && path.total_lost() == 0, "{path:?}");
    assert!(with * 100 >= without * 94, "{with} octets with it, {without} without");
}

/// A device of which those frames with data that can be marked are, from one to another of either direction.
struct Marking<D> {
    inner: D,
    received: Seen,
    sent: Seen,
}

/// What was seen of one direction.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    /// Frames that could be marked, and those that were.
    capable: usize,
    marked: usize,
    /// Segments with ECE and with CWR, but for SYNs.
    echoes: usize,
    reductions: usize,
    /// Segments since the last with ECE.
    quiet: usize,
}

const MARKED: std::ops::Range<usize> = 60..64;

impl Seen {
    /// Looks at an Ethernet frame of IPv4, and marks it if it is its turn.
    fn look(&mut self, frame: &mut [u8]) {
        if frame.len() < 54 || frame[12..14] != [8, 0] || frame[23] != 6 {
            return;
        }
        let flags = frame[14 + 20 + 13];
        if flags & 2 == 0 {
            self.echoes += usize::from(flags & 0x40 != 0);
            self.reductions += usize::from(flags & 0x80 != 0);
            self.quiet = if flags & 0x40 != 0 { 0 } else { self.quiet + 1 };
        }
        if frame[15] & 3 == 0 {
            return;
        }
        self.capable += 1;
        if MARKED.contains(&self.capable) {
            self.marked += 1;
            frame[15] |= 3;
            frame[24..26].fill(0);
            let checksum = goldcrest::wire::checksum::sum(&frame[14..34]).finish();
            frame[24..26].copy_from_slice(&checksum);
        }
    }
}

struct MarkingRx<'a, T>(T, &'a mut Seen);
struct MarkingTx<'a, T>(T, &'a mut Seen);

impl<T: RxToken> RxToken for MarkingRx<'_, T> {
    fn meta(&self) -> RxMeta {
        self.0.meta()
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.consume(|frame| {
            let mut frame = frame.to_vec();
            self.1.look(&mut frame);
            f(&frame)
        })
    }
}

impl<T: TxToken> TxToken for MarkingTx<'_, T> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.0.set_meta(meta);
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.0.consume(len, |frame| {
            let result = f(frame);
            self.1.look(frame);
            result
        })
    }
}

impl<D: Device> Device for Marking<D> {
    type RxToken<'a>
        = MarkingRx<'a, D::RxToken<'a>>
    where
        Self: 'a;
    type TxToken<'a>
        = MarkingTx<'a, D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        let (rx, tx) = self.inner.receive(now)?;
        let sent = &mut self.sent;
        Some((MarkingRx(rx, &mut self.received), tx.map(|tx| MarkingTx(tx, sent))))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        Some(MarkingTx(self.inner.transmit(now)?, &mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.inner.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.inner.hardware_address()
    }
}

/// Octets that each end sends.
const LEN: usize = 1_000_000;

/// What the kernel's TCP_INFO says: the options, and how many segments were delivered with ECE.
fn kernel_info(stream: &TcpStream) -> (u8, u32) {
    let mut octets = [0_u8; 232];
    let mut len = octets.len() as libc::socklen_t;
    // SAFETY: the buffer has the length that is said, and any octets are valid in it.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            octets.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    (octets[5], u32::from_ne_bytes(*octets[196..].first_chunk().unwrap()))
}

/// The kernel's end: sends, then reads as much, and says what it knows.
fn kernel_talks(mut stream: TcpStream) -> (u8, u32) {
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    stream.write_all(&vec![5; LEN]).unwrap();
    stream.read_exact(&mut vec![0; LEN]).unwrap();
    kernel_info(&stream)
}

/// Our end: reads what the kernel sends, then sends as much, until the kernel closes. Whether it was agreed on.
fn we_talk(
    host: &mut Host<PcapWriter<Marking<TunTapInterface>, Vec<u8>>>,
    handle: SocketHandle,
    fd: i32,
) -> bool {
    let (mut got, mut sent, mut is_agreed) = (0, 0, false);
    loop {
        let now = Instant::now();
        host.poll(now);
        let socket = host.sockets.get_mut::<Socket>(handle);
        if got == LEN && !socket.may_recv() {
            return is_agreed;
        }
        is_agreed |= socket.is_ecn_agreed();
        got += socket.recv_slice(&mut [0; 64 << 10]).unwrap_or(0);
        if got == LEN && sent < LEN {
            sent += socket.send_slice(&vec![6; (LEN - sent).min(64 << 10)]).unwrap();
        }
        let look = Duration::from_millis(2);
        let delay = host.next_at(now).map_or(look, |at| at.saturating_duration_since(now).min(look));
        wait(fd, Some(delay)).unwrap();
    }
}

/// Who asks, and what the kernel is set to: marks in both directions are told of, heeded and confirmed by both ends.
fn talk(we_ask: bool, file: &str) {
    if let Err(error) = unshare_network() {
        return skip(&error.to_string());
    }
    if std::fs::metadata("/dev/net/tun").is_err() {
        return skip("no /dev/net/tun");
    }
    // Of this namespace. 2 is what kernels have: granted, and not asked for.
    std::fs::write("/proc/sys/net/ipv4/tcp_ecn", if we_ask { "2" } else { "1" }).unwrap();
    let tap = TunTapInterface::with_options("tap0", Medium::Ethernet, TunTapOptions::plain()).unwrap();
    tap.kernel().set_up().unwrap();
    tap.kernel().add_address(Ipv4Addr::new(10, 0, 0, 1).into(), 24).unwrap();
    let fd = tap.as_raw_fd();
    let marking = Marking { inner: tap, received: Seen::default(), sent: Seen::default() };
    let device = PcapWriter::new(marking, Vec::new()).unwrap();
    let mut host = Host::new(device, 2, Instant::now(), VlanTags::NONE);
    let (kernel, handle) = if we_ask {
        let listener = TcpListener::bind((Ipv4Addr::new(10, 0, 0, 1), PORT)).unwrap();
        let kernel = thread::spawn(move || kernel_talks(listener.accept().unwrap().0));
        let mut socket = Socket::new(buffer(64 << 10), buffer(64 << 10));
        socket.set_ecn(EcnMode::Ask);
        let handle = host.sockets.add(socket);
        let remote = IpEndpoint::new(address(false, 1), PORT);
        host.iface.connect(Instant::now(), &mut host.sockets, handle, remote, 0).unwrap();
        (kernel, handle)
    } else {
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 2]);
        listener.set_buffers(64 << 10, 64 << 10, 2);
        let listener = host.sockets.add(listener);
        host.sockets.listen(listener, PORT).unwrap();
        let kernel = thread::spawn(|| {
            kernel_talks(TcpStream::connect(SocketAddr::from(([10, 0, 0, 2], PORT))).unwrap())
        });
        let handle = loop {
            let now = Instant::now();
            host.poll(now);
            if let Some(handle) = host.sockets.accept(listener) {
                break handle;
            }
            wait(fd, Some(Duration::from_millis(2))).unwrap();
        };
        (kernel, handle)
    };
    let is_agreed = we_talk(&mut host, handle, fd);
    let (options, delivered) = kernel.join().unwrap();
    assert!(is_agreed);
    // TCPI_OPT_ECN, TCPI_OPT_ECN_SEEN.
    assert_eq!(options & 24, 24, "the kernel uses it and has seen what it can mark");
    let (marking, capture) = host.device.into_inner();
    for (name, data, acks) in
        [("the kernel's", marking.received, marking.sent), ("ours", marking.sent, marking.received)]
    {
        assert!(data.capable > 100 && data.marked == MARKED.len(), "{name}: {data:?}");
        assert!(acks.echoes > 0, "{name} data is marked, and its sender told: {acks:?}");
        // The marks lie in one or two flights.
        assert!((1..=4).contains(&data.reductions), "{name}: the window is reduced: {data:?}");
        assert!(acks.quiet > 3, "{name}: and the other end believes it: {acks:?}");
    }
    assert!(delivered > 0, "the kernel has counted it");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(&path, capture).unwrap();
    if std::process::Command::new("tshark").arg("--version").output().is_err() {
        return skip("not installed: tshark");
    }
    for fault in FAULTS {
        assert_eq!(found(&path, fault), 0, "{fault}");
    }
    let ours = "ip.src == 10.0.0.2 && ip.dsfield.ecn != 0";
    assert!(found(&path, &format!("{ours} && tcp.len > 0")) > 100);
    assert_eq!(found(&path, &format!("{ours} && (tcp.len == 0 || tcp.analysis.retransmission)")), 0);
}

/// Covers: RFC 3168 §6.1
#[test]
fn the_kernel_asks_and_both_ends_heed_marks() {
    talk(false, "ecn-kernel.pcap");
}

/// Covers: RFC 3168 §6.1
#[test]
fn the_kernel_is_asked_and_both_ends_heed_marks() {
    talk(true, "ecn-ours.pcap");
}
