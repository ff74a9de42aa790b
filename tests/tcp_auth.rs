//! TCP-MD5 (RFC 2385) with the kernel, and TCP-AO (RFC 5925) between two stacks and by the test vectors of RFC 9235,
//! both made of the hooks for options.
#![cfg(all(
    target_os = "linux",
    feature = "phy-tuntap",
    feature = "phy-pcap",
    feature = "tcp-options",
    feature = "tcp-connect"
))]

#[path = "common/own_network.rs"]
mod own_network;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/tcp_auth.rs"]
mod tcp_auth;
#[path = "common/tshark.rs"]
mod tshark;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration as StdDuration;

use goldcrest::iface::{Budget, Config, Handler, Interface, SocketHandle, SocketSet, Verdict};
use goldcrest::phy::{
    Device, DeviceCapabilities, HardwareAddress, Medium, PcapWriter, RxToken, TunTapInterface, TxToken, wait,
};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{HalfOpen, Listener, Socket, State};
use goldcrest::stats::DropReason;
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr, IpEndpoint};
use own_network::has_own_network;
use skip::skip;
use socket2::{Domain, Type};
use tcp_auth::{Algorithm, MasterKey, TcpAo, TcpMd5};
use tshark::{FAULTS, found};

const KERNEL: Ipv4Addr = Ipv4Addr::new(10, 69, 0, 1);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 69, 0, 2);
const PORT: u16 = 179;
const KEY: &[u8] = b"as good as any";
const OCTETS: usize = 1 << 20;

fn pattern() -> Vec<u8> {
    (0..OCTETS as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Has the kernel sign and check what goes between a socket and `peer` (`TCP_MD5SIG`).
fn sign(socket: RawFd, peer: Ipv4Addr, key: &[u8]) -> std::io::Result<()> {
    const TCP_MD5SIG: libc::c_int = 14;
    // `struct tcp_md5sig`: an address in 128 octets, flags, prefix, the key's length, an interface, the key.
    let mut request = [0_u8; 216];
    request[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    request[4..8].copy_from_slice(&peer.octets());
    request[130..132].copy_from_slice(&(key.len() as u16).to_ne_bytes());
    request[136..136 + key.len()].copy_from_slice(key);
    // SAFETY: the buffer has the length that is said.
    let result = unsafe {
        libc::setsockopt(socket, libc::IPPROTO_TCP, TCP_MD5SIG, request.as_ptr().cast(), request.len() as u32)
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// A socket of the kernel's that signs with `key`.
fn kernel_socket(key: &[u8]) -> socket2::Socket {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    sign(socket.as_raw_fd(), OURS, key).unwrap();
    socket
}

/// Whether the kernel can sign at all, programs are there, and a network of this thread's own.
fn is_ready() -> bool {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    if let Err(error) = sign(socket.as_raw_fd(), OURS, KEY) {
        skip(&format!("the kernel has no TCP-MD5: {error}"));
        return false;
    }
    if Command::new("tshark").arg("-v").output().is_err() {
        skip("not installed: tshark");
        return false;
    }
    has_own_network()
}

type Tap = PcapWriter<TunTapInterface, Vec<u8>>;

/// Our stack on a TAP.
struct Stack {
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    tap: Tap,
    handler: TcpMd5,
}

impl Stack {
    fn new() -> Stack {
        let tap = TunTapInterface::new("tap0", Medium::Ethernet).unwrap();
        tap.kernel().set_up().unwrap();
        tap.kernel().add_address(KERNEL.into(), 24).unwrap();
        let mut tap = PcapWriter::new(tap, Vec::new()).unwrap();
        let config = Config::new(tap.hardware_address());
        let mut iface = Interface::new(config, &mut tap, Instant::now());
        iface.add_address(IpCidr::new(OURS.into(), 24)).unwrap();
        let sockets = SocketSet::with_capacity(4, Keys::new([7; 32]));
        Stack { iface, sockets, tap, handler: TcpMd5(KEY) }
    }

    fn listen(&mut self) -> SocketHandle {
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
        listener.set_buffers(64 << 10, 64 << 10, 2);
        listener.set_option_room(TcpMd5::ROOM).unwrap();
        let handle = self.sockets.add(listener);
        self.sockets.listen(handle, PORT).unwrap();
        handle
    }

    /// Polls until `done` gives something; panics after so long.
    fn until<T>(&mut self, within: Duration, mut done: impl FnMut(&mut Stack) -> Option<T>) -> T {
        let end = Instant::now() + within;
        loop {
            let now = Instant::now();
            self.iface.poll_with(now, &mut self.tap, &mut self.sockets, &mut self.handler, Budget::default());
            if let Some(result) = done(self) {
                return result;
            }
            assert!(now < end, "nothing comes");
            wait(self.tap.as_raw_fd(), Some(Duration::from_millis(2))).unwrap();
        }
    }

    /// Takes what the peer sends, sends it back, and closes when the peer has.
    fn echo(&mut self, handle: SocketHandle) {
        let mut back = VecDeque::new();
        self.until(Duration::from_secs(20), |stack| {
            let socket = stack.sockets.get_mut::<Socket>(handle);
            let mut octets = [0; 32 << 10];
            while let Ok(len @ 1..) = socket.recv_slice(&mut octets) {
                back.extend(&octets[..len]);
            }
            let (piece, _) = back.as_slices();
            let len = socket.send_slice(piece).unwrap_or(0);
            back.drain(..len);
            if back.is_empty() && !socket.may_recv() {
                socket.close();
            }
            (socket.state() == State::Closed).then_some(())
        });
    }

    /// What tshark says: no fault, and each of our segments is signed.
    fn dissect(self, name: &str) -> PathBuf {
        let capture = std::env::temp_dir().join(format!("goldcrest-{name}-{}.pcap", std::process::id()));
        std::fs::write(&capture, self.tap.into_inner().1).unwrap();
        for fault in FAULTS {
            assert_eq!(found(&capture, fault), 0, "{fault}");
        }
        assert_eq!(found(&capture, "ip.src == 10.69.0.2 && tcp && !tcp.options.md5.digest"), 0);
        capture
    }
}

/// The kernel's part of an echo: sends all, gets all.
fn speak(mut stream: TcpStream) {
    stream.set_read_timeout(Some(StdDuration::from_secs(20))).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sending = thread::spawn(move || {
        writer.write_all(&pattern()).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    sending.join().unwrap();
    assert!(got == pattern(), "{} octets", got.len());
}

/// Covers: RFC 2385 §2.0, §4.1
#[test]
fn the_kernel_connects_and_everything_is_signed() {
    if !is_ready() {
        return;
    }
    let mut stack = Stack::new();
    let listener = stack.listen();
    let kernel = thread::spawn(|| {
        let socket = kernel_socket(KEY);
        socket.connect(&SocketAddrV4::new(OURS, PORT).into()).unwrap();
        speak(TcpStream::from(socket));
    });
    let server = stack.until(Duration::from_secs(10), |stack| stack.sockets.accept(listener));
    stack.echo(server);
    kernel.join().unwrap();
    assert_eq!(stack.iface.stats().drops(DropReason::OptionRefused), 0);
    let capture = stack.dissect("md5-in");
    assert!(found(&capture, "ip.src == 10.69.0.2 && tcp.options.md5.digest && tcp.len > 1000") > 500);
    // A SYN has no room for timestamps beside it.
    assert_eq!(found(&capture, "ip.src == 10.69.0.2 && tcp.options.timestamp.tsval"), 0);
    std::fs::remove_file(capture).unwrap();
}

/// Covers: RFC 2385 §2.0, §4.1
#[test]
fn the_kernel_takes_our_connection_and_everything_is_signed() {
    if !is_ready() {
        return;
    }
    let mut stack = Stack::new();
    let listening = kernel_socket(KEY);
    listening.bind(&SocketAddr::new(KERNEL.into(), PORT).into()).unwrap();
    listening.listen(1).unwrap();
    let kernel = thread::spawn(move || speak(TcpStream::from(listening.accept().unwrap().0)));
    let buffer = || SocketBuffer::new(vec![0; 64 << 10]);
    let mut socket = Socket::new(buffer(), buffer());
    socket.set_option_room(TcpMd5::ROOM).unwrap();
    let client = stack.sockets.add(socket);
    let remote = (IpAddress::from(KERNEL), PORT);
    stack.iface.connect(Instant::now(), &mut stack.sockets, client, remote, 0).unwrap();
    stack.until(Duration::from_secs(10), |stack| {
        let socket = stack.sockets.get_mut::<Socket>(client);
        (socket.state() == State::Established).then_some(())
    });
    stack.echo(client);
    kernel.join().unwrap();
    std::fs::remove_file(stack.dissect("md5-out")).unwrap();
}

/// Covers: RFC 2385 §2.0
#[test]
fn who_has_another_key_or_none_gets_nothing() {
    if !is_ready() {
        return;
    }
    let mut stack = Stack::new();
    let listener = stack.listen();
    let kernel = thread::spawn(|| {
        for key in [Some(&b"another"[..]), None] {
            let socket = match key {
                Some(key) => kernel_socket(key),
                None => socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap(),
            };
            let to = SocketAddrV4::new(OURS, PORT).into();
            let error = socket.connect_timeout(&to, StdDuration::from_millis(1_500)).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
        }
    });
    stack.until(Duration::from_secs(10), |_| kernel.is_finished().then_some(()));
    kernel.join().unwrap();
    assert_eq!(stack.sockets.get::<Listener>(listener).half_open_count(), 0);
    assert!(stack.iface.stats().drops(DropReason::OptionRefused) >= 2);
    let capture = stack.dissect("md5-wrong");
    assert!(found(&capture, "ip.src == 10.69.0.1 && tcp.flags.syn == 1") >= 2);
    assert_eq!(found(&capture, "ip.src == 10.69.0.2 && tcp"), 0);
    std::fs::remove_file(capture).unwrap();
}

/// A link of two ends, without time.
struct Cable {
    to_us: VecDeque<Vec<u8>>,
    from_us: VecDeque<Vec<u8>>,
}

struct Rx(Vec<u8>);
struct Tx<'a>(&'a mut VecDeque<Vec<u8>>);

impl RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

impl Device for Cable {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Rx, Option<Tx<'_>>)> {
        let frame = self.to_us.pop_front()?;
        Some((Rx(frame), Some(Tx(&mut self.from_us))))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Tx<'_>> {
        Some(Tx(&mut self.from_us))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::new(Medium::Ip, 1_500)
    }
}

/// One of two stacks of ours.
struct End {
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    cable: Cable,
    handler: TcpAo,
}

impl End {
    fn new(last: u8, master: MasterKey) -> End {
        let mut cable = Cable { to_us: VecDeque::new(), from_us: VecDeque::new() };
        let mut iface = Interface::new(Config::new(HardwareAddress::Ip), &mut cable, Instant::ZERO);
        iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24)).unwrap();
        let sockets = SocketSet::with_capacity(4, Keys::new([last; 32]));
        End { iface, sockets, cable, handler: TcpAo::new(master) }
    }
}

fn master(algorithm: Algorithm, covers_options: bool, ids: (u8, u8)) -> MasterKey {
    MasterKey { key: b"testvector", send_id: ids.0, recv_id: ids.1, algorithm, covers_options }
}

/// Two ends that talk for so many ms, by millisecond; every third segment is lost if it `loses`.
fn run(
    now: &mut Instant,
    ends: &mut [End; 2],
    millis: usize,
    loses: bool,
    mut app: impl FnMut(&mut [End; 2]),
) {
    let mut count = 0;
    for _ in 0..millis {
        for end in ends.iter_mut() {
            end.iface.poll_with(*now, &mut end.cable, &mut end.sockets, &mut end.handler, Budget::default());
        }
        for (from, to) in [(0, 1), (1, 0)] {
            for frame in std::mem::take(&mut ends[from].cable.from_us) {
                count += 1;
                if !loses || count % 3 != 0 {
                    ends[to].cable.to_us.push_back(frame);
                }
            }
        }
        app(ends);
        *now += Duration::from_millis(1);
    }
}

/// Covers: RFC 5925 §5.1, §5.2, §7.4
#[test]
fn two_stacks_with_one_key_talk_by_ao_through_losses() {
    for (algorithm, covers) in [(Algorithm::HmacSha1, true), (Algorithm::AesCmac, false)] {
        let mut ends = [
            End::new(1, master(algorithm, covers, (61, 84))),
            End::new(2, master(algorithm, covers, (84, 61))),
        ];
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
        listener.set_buffers(32 << 10, 32 << 10, 2);
        listener.set_option_room(TcpAo::ROOM).unwrap();
        let listener = ends[1].sockets.add(listener);
        ends[1].sockets.listen(listener, PORT).unwrap();
        let buffer = || SocketBuffer::new(vec![0; 32 << 10]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_option_room(TcpAo::ROOM).unwrap();
        let client = ends[0].sockets.add(socket);
        let mut now = Instant::from_secs(1);
        let remote = (IpAddress::v4(10, 0, 0, 2), PORT);
        ends[0].iface.connect(now, &mut ends[0].sockets, client, remote, 0).unwrap();
        let data = pattern();
        let (mut server, mut sent, mut got) = (None, 0, Vec::<u8>::new());
        run(&mut now, &mut ends, 200_000, true, |[a, b]| {
            server = server.or_else(|| b.sockets.accept(listener));
            let socket = a.sockets.get_mut::<Socket>(client);
            if sent < 200_000 {
                sent += socket.send_slice(&data[sent..200_000]).unwrap_or(0);
            } else {
                socket.close();
            }
            let mut octets = [0; 4_096];
            if let Some(server) = server {
                let socket = b.sockets.get_mut::<Socket>(server);
                while let Ok(len @ 1..) = socket.recv_slice(&mut octets) {
                    got.extend(&octets[..len]);
                }
                if !socket.may_recv() {
                    socket.close();
                }
            }
        });
        assert!(got == data[..200_000], "{} octets", got.len());
        assert_eq!(ends[0].sockets.get::<Socket>(client).state(), State::Closed);
        assert_eq!(ends[0].sockets.get::<Socket>(client).error(), None);
        for end in &ends {
            assert_eq!(end.iface.stats().drops(DropReason::OptionRefused), 0);
        }
    }
}

/// Covers: RFC 5925 §7.3
#[test]
fn by_ao_another_key_or_another_algorithm_gets_nothing() {
    let right = master(Algorithm::HmacSha1, true, (84, 61));
    for wrong in [
        MasterKey { key: b"another", ..master(Algorithm::HmacSha1, true, (61, 84)) },
        master(Algorithm::AesCmac, true, (61, 84)),
        master(Algorithm::HmacSha1, false, (61, 84)),
        master(Algorithm::HmacSha1, true, (60, 84)),
    ] {
        let mut ends = [End::new(1, wrong), End::new(2, right.clone())];
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
        listener.set_option_room(TcpAo::ROOM).unwrap();
        let listener = ends[1].sockets.add(listener);
        ends[1].sockets.listen(listener, PORT).unwrap();
        let buffer = || SocketBuffer::new(vec![0; 1_000]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_option_room(TcpAo::ROOM).unwrap();
        let client = ends[0].sockets.add(socket);
        let mut now = Instant::from_secs(1);
        ends[0]
            .iface
            .connect(now, &mut ends[0].sockets, client, (IpAddress::v4(10, 0, 0, 2), PORT), 0)
            .unwrap();
        run(&mut now, &mut ends, 5_000, false, |[a, b]| {
            assert!(a.cable.to_us.is_empty(), "it is told nothing");
            assert_eq!(b.sockets.get::<Listener>(listener).half_open_count(), 0);
        });
        assert_eq!(ends[0].sockets.get::<Socket>(client).state(), State::SynSent);
        assert!(ends[1].iface.stats().drops(DropReason::OptionRefused) >= 2);
    }
}

fn octets(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

/// A SYN and its SYN-ACK, IPv4 header included, of RFC 9235: the client's ends with key IDs 61 and 84.
struct Vectors {
    algorithm: Algorithm,
    covers_options: bool,
    syn: &'static str,
    syn_ack: Option<&'static str>,
}

const VECTORS: [Vectors; 3] = [
    // §4.1
    Vectors {
        algorithm: Algorithm::HmacSha1,
        covers_options: true,
        syn: "45 e0 00 4c dd 0f 40 00 ff 06 bf 6b 0a 0b 0c 0d ac 1b 1c 1d e9 d7 00 b3 fb fb ab 5a 00 00 00 00 \
              e0 02 ff ff ca c4 00 00 02 04 05 b4 01 03 03 08 04 02 08 0a 00 15 5a b7 00 00 00 00 1d 10 3d 54 \
              2e e4 37 c6 f8 ed e6 d7 c4 d6 02 e7",
        syn_ack: Some(
            "45 e0 00 4c 65 06 40 00 ff 06 37 75 ac 1b 1c 1d 0a 0b 0c 0d 00 b3 e9 d7 11 c1 42 61 fb fb ab 5b \
             e0 12 ff ff 37 76 00 00 02 04 05 b4 01 03 03 08 04 02 08 0a 84 a5 0b eb 00 15 5a b7 1d 10 54 3d \
             ee ab 0f e2 4c 30 10 81 51 16 b3 be",
        ),
    },
    // §4.2
    Vectors {
        algorithm: Algorithm::HmacSha1,
        covers_options: false,
        syn: "45 e0 00 4c 53 99 40 00 ff 06 48 e2 0a 0b 0c 0d ac 1b 1c 1d ff 12 00 b3 cb 0e fb ee 00 00 00 00 \
              e0 02 ff ff 54 1f 00 00 02 04 05 b4 01 03 03 08 04 02 08 0a 00 02 4c ce 00 00 00 00 1d 10 3d 54 \
              80 af 3c fe b8 53 68 93 7b 8f 9e c2",
        syn_ack: None,
    },
    // §5.1
    Vectors {
        algorithm: Algorithm::AesCmac,
        covers_options: true,
        syn: "45 e0 00 4c 7b 9f 40 00 ff 06 20 dc 0a 0b 0c 0d ac 1b 1c 1d c4 fa 00 b3 78 7a 1d df 00 00 00 00 \
              e0 02 ff ff 5a 0f 00 00 02 04 05 b4 01 03 03 08 04 02 08 0a 00 01 7e d0 00 00 00 00 1d 10 3d 54 \
              e4 77 e9 9c 80 40 76 54 98 e5 50 91",
        syn_ack: Some(
            "45 e0 00 4c 4b ad 40 00 ff 06 50 ce ac 1b 1c 1d 0a 0b 0c 0d 00 b3 c4 fa fa dd 6d e9 78 7a 1d e0 \
             e0 12 ff ff f3 f2 00 00 02 04 05 b4 01 03 03 08 04 02 08 0a 93 f4 e9 e8 00 01 7e d0 1d 10 54 3d \
             d6 ad a7 bc 4c dd 53 6d 17 69 db 5f",
        ),
    },
];

/// The handler that the stacks above have takes the SYN of each, and signs its SYN-ACK as it is signed there.
///
/// Covers: RFC 5925 §5.1, §5.2
#[test]
fn the_vectors_of_rfc_9235_come_out() {
    for Vectors { algorithm, covers_options, syn, syn_ack } in VECTORS {
        let syn = octets(syn);
        let port = u16::from_be_bytes([syn[20], syn[21]]);
        let client = IpEndpoint::new(IpAddress::v4(10, 11, 12, 13), port);
        let server = IpEndpoint::new(IpAddress::v4(172, 27, 28, 29), 179);
        let mut handler = TcpAo::new(master(algorithm, covers_options, (84, 61)));
        for at in [5, 13, 35, 50] {
            let mut forged = syn[20..].to_vec();
            forged[at] ^= 1;
            assert_eq!(
                handler.segment_received(client, server, &forged),
                expected(covers_options, at),
                "{at}"
            );
        }
        assert_eq!(handler.segment_received(client, server, &syn[20..]), Verdict::Accept, "{algorithm:?}");
        let Some(syn_ack) = syn_ack else { continue };
        let whole = octets(syn_ack);
        let mut segment = whole[20..].to_vec();
        segment[16..18].fill(0);
        segment[40..].fill(1);
        handler.fill_options(client, server, &mut segment, 40..56);
        assert_eq!(segment[40..], whole[60..], "{algorithm:?}");
    }
}

/// What becomes of a SYN with a flipped bit: a timestamp may differ where options are not covered.
fn expected(covers_options: bool, at: usize) -> Verdict {
    if at == 35 && !covers_options { Verdict::Accept } else { Verdict::Drop }
}
