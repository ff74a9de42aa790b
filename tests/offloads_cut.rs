//! Segments that we leave together and the kernel sends on, over a wire without offloads: each frame there is one that a
//! host could have sent by itself. The other way round the kernel's forwarding joins nothing, and single ones arrive.
#![cfg(all(target_os = "linux", feature = "phy-raw", feature = "phy-tuntap"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/skip.rs"]
mod skip;

#[path = "common/own_network.rs"]
mod own_network;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

use captured::Captured;
use goldcrest::iface::{Config, Interface, SocketHandle, SocketSet};
use goldcrest::phy::{
    Device, DeviceCapabilities, HardwareAddress, Medium, RawSocket, RxMeta, RxToken, TunTapInterface,
    veth_pair, wait_any,
};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp;
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr, Ipv4Packet, Ipv6Packet, TcpPacket};
use own_network::has_own_network;

const PORT: u16 = 45_678;
const LEN: usize = 4_000_000;
const BUFFER_LEN: usize = 256 << 10;
const NEAR: [IpAddr; 2] = [v4(69, 2), v6(0x69, 2)];
const NEAR_ROUTER: [IpAddr; 2] = [v4(69, 1), v6(0x69, 1)];
const FAR_ROUTER: [IpAddr; 2] = [v4(70, 1), v6(0x70, 1)];
const FAR: [IpAddr; 2] = [v4(70, 2), v6(0x70, 2)];
const PREFIX_LEN: [u8; 2] = [24, 64];
/// How long nothing may happen.
const LONGEST: Duration = Duration::from_millis(20);

const fn v4(net: u8, host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, net, 0, host))
}

const fn v6(net: u16, host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd00, net, 0, 0, 0, 0, 0, host))
}

/// The wire's end, where each frame is looked at.
struct Checked {
    inner: RawSocket,
    /// Payload octets of each segment that carries data.
    segments: Vec<usize>,
}

struct CheckedFrame<'a, T> {
    inner: T,
    segments: &'a mut Vec<usize>,
}

impl<T: RxToken> RxToken for CheckedFrame<'_, T> {
    fn meta(&self) -> RxMeta {
        self.inner.meta()
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.inner.consume(|frame| {
            self.segments.extend(segment(frame));
            f(frame)
        })
    }
}

/// How long the data of a segment is that has some. Its lengths and checksums are right, and no router may cut it: only
/// then may the kernel number what it cuts as it likes (RFC 6864 §4.1).
fn segment(frame: &[u8]) -> Option<usize> {
    assert!(frame.len() <= 1_514, "a frame of {} octets", frame.len());
    let (src, dst, tcp): (IpAddress, IpAddress, _) = match frame[12..14] {
        [0x08, 0x00] => {
            let packet = Ipv4Packet::new_checked(&frame[14..]).expect("it is well-formed");
            assert!(packet.verify_checksum() && packet.dont_fragment());
            let end = 14 + usize::from(packet.total_len());
            let start = 14 + usize::from(packet.header_len());
            (packet.src_addr().into(), packet.dst_addr().into(), &frame[start..end])
        }
        [0x86, 0xdd] if frame[20] == 6 => {
            let packet = Ipv6Packet::new_checked(&frame[14..]).expect("it is well-formed");
            let end = 54 + usize::from(packet.payload_len());
            (packet.src_addr().into(), packet.dst_addr().into(), &frame[54..end])
        }
        _ => return None,
    };
    let tcp = TcpPacket::new_checked(tcp).expect("it is well-formed");
    assert!(tcp.verify_checksum(&src, &dst), "a wrong TCP checksum");
    let len = tcp.payload().len();
    (len > 0).then_some(len)
}

impl Device for Checked {
    type RxToken<'a> = CheckedFrame<'a, <RawSocket as Device>::RxToken<'a>>;
    type TxToken<'a> = <RawSocket as Device>::TxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        let (inner, tx) = self.inner.receive(now)?;
        assert_eq!((inner.meta().segment_len, inner.meta().checksum_partial), (0, false));
        Some((CheckedFrame { inner, segments: &mut self.segments }, tx))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.inner.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.inner.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.inner.hardware_address()
    }
}

/// An interface and its sockets.
struct Stack<D> {
    device: D,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
}

impl<D: Device> Stack<D> {
    fn new(mut device: D, addresses: [IpAddr; 2], routers: [IpAddr; 2]) -> Stack<D> {
        let config = Config::new(device.hardware_address());
        let mut iface = Interface::new(config, &mut device, Instant::now());
        for (address, prefix_len) in addresses.into_iter().zip(PREFIX_LEN) {
            iface.add_address(IpCidr::new(address.into(), prefix_len)).unwrap();
        }
        for router in routers {
            match router {
                IpAddr::V4(router) => iface.add_default_ipv4_route(router).unwrap(),
                IpAddr::V6(router) => iface.add_default_ipv6_route(router).unwrap(),
            };
        }
        Stack { device, iface, sockets: SocketSet::with_capacity(4, Keys::new([7; 32])) }
    }

    fn poll(&mut self, now: Instant) -> Duration {
        self.iface.poll(now, &mut self.device, &mut self.sockets);
        let at = self.iface.poll_at(now, &mut self.sockets);
        at.map_or(LONGEST, |at| at.saturating_duration_since(now).min(LONGEST))
    }

    fn socket(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }
}

/// A TAP and a wire, between which the kernel forwards. It cuts segments and computes checksums for the wire.
fn network() -> (TunTapInterface, RawSocket) {
    let tap = TunTapInterface::new("t0", Medium::Ethernet).unwrap();
    let (router, end) = veth_pair("r0", "e0").unwrap();
    end.disable_ipv6().unwrap();
    end.set_up().unwrap();
    for (kernel, addresses) in [(tap.kernel(), NEAR_ROUTER), (&router, FAR_ROUTER)] {
        kernel.disable_dad().unwrap();
        kernel.set_up().unwrap();
        for (address, prefix_len) in addresses.into_iter().zip(PREFIX_LEN) {
            kernel.add_address(address, prefix_len).unwrap();
        }
    }
    router.disable_tx_offload().unwrap();
    // Not the wire's end, of which the kernel hears, too.
    for option in ["ipv4/conf/t0", "ipv4/conf/r0", "ipv6/conf/all"] {
        std::fs::write(format!("/proc/sys/net/{option}/forwarding"), "1").unwrap();
    }
    (tap, RawSocket::new("e0", Medium::Ethernet).unwrap().without_offloads())
}

fn data() -> Vec<u8> {
    (0..LEN as u64 / 8).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

#[test]
fn the_kernel_cuts_what_we_left_together_as_a_host_would_have() {
    if !has_own_network() {
        return;
    }
    let (tap, wire) = network();
    let mut near = Stack::new(Captured::new(tap, "offloads-near"), NEAR, NEAR_ROUTER);
    let wire = Captured::new(Checked { inner: wire, segments: Vec::new() }, "offloads-far");
    let mut far = Stack::new(wire, FAR, FAR_ROUTER);
    let buffer = || SocketBuffer::new(vec![0; BUFFER_LEN]);
    let mut listener = tcp::Listener::new(vec![tcp::HalfOpen::EMPTY; 4]);
    listener.set_buffers(BUFFER_LEN, BUFFER_LEN, 4);
    let listener = far.sockets.add(listener);
    far.sockets.listen(listener, PORT).unwrap();
    for (address, mss) in FAR.into_iter().zip([1_460, 1_440]) {
        let handle = near.sockets.add(tcp::Socket::new(buffer(), buffer()));
        near.iface.connect(Instant::now(), &mut near.sockets, handle, (address, PORT), 0).unwrap();
        let (data, mut sent, mut got, mut accepted) = (data(), 0, Vec::new(), None);
        far.device.segments.clear();
        let end = Instant::now() + Duration::from_secs(20);
        while got.len() < LEN {
            let now = Instant::now();
            assert!(now < end, "{} of {LEN} octets came", got.len());
            let delay = near.poll(now).min(far.poll(now));
            if near.socket(handle).can_send() {
                sent += near.socket(handle).send_slice(&data[sent..]).unwrap();
            }
            accepted = accepted.or_else(|| far.sockets.accept(listener));
            if let Some(accepted) = accepted {
                take(far.socket(accepted), &mut got);
            }
            wait_any(&[near.device.as_raw_fd(), far.device.inner.as_raw_fd()], Some(delay)).unwrap();
        }
        assert!(got == data, "the streams differ");
        near.sockets.remove(handle);
        let segments = &far.device.segments;
        let options = 12;
        let full = segments.iter().filter(|len| **len == mss - options).count();
        assert!(full * 10 > segments.len() * 9, "{full} of {} are full", segments.len());
        assert!(segments.iter().all(|len| *len <= mss));
    }
    // Segments of another length than we said would have been refused by the kernel, and repaired one by one.
    // A tail probe or two may go while the machine is busy.
    let again = near.iface.mib().tcp.retrans_segs;
    assert!(again <= 50, "{again} segments went again");
    assert_eq!((near.device.counters().rx_errors, near.device.counters().tx_errors), (0, 0));
}

/// Takes what has come.
fn take(socket: &mut tcp::Socket<'_>, got: &mut Vec<u8>) {
    while socket.can_recv() {
        socket.recv(|octets| (octets.len(), got.extend_from_slice(octets))).unwrap();
    }
}
