//! A router of two Ethernet ports: IPv4 packets of 64 octets come in by one and leave by the other.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use goldcrest::iface::{Config, Interface, Port, Router, SocketSet};
use goldcrest::phy::{Device, DeviceCapabilities, HardwareAddress, Medium, RxToken, TxToken};
use goldcrest::rand::Keys;
use goldcrest::time::Instant;
use goldcrest::wire::{IpAddress, IpCidr, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr};

use crate::wire::FRAME_LEN;

/// Octets of the Ethernet header.
const LINK_LEN: usize = 14;
/// Octets of the packet.
const PACKET_LEN: usize = 64;
/// Packets that wait when the router is polled.
const BURST: usize = 32;
const OURS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 1, 1]];
const THEIRS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 1, 2]];

/// The port's own address (`host` 1) and its neighbour's (2).
fn address(port: u8, host: u8) -> Ipv4Address {
    Ipv4Address::new(10, port, 0, host)
}

/// Gives its frames in turn, as often as was asked for, and keeps the last one sent.
struct Feed<'c> {
    frames: [Vec<u8>; 2],
    waiting: &'c AtomicUsize,
    sent: &'c AtomicUsize,
    last: [u8; FRAME_LEN],
}

struct Rx<'a>(&'a [u8]);
struct Tx<'a>(&'a mut [u8; FRAME_LEN], &'a AtomicUsize);

impl Device for Feed<'_> {
    type RxToken<'a>
        = Rx<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Tx<'a>
    where
        Self: 'a;

    fn receive(&mut self, _now: Instant) -> Option<(Rx<'_>, Option<Tx<'_>>)> {
        let waiting = self.waiting.load(Relaxed).checked_sub(1)?;
        self.waiting.store(waiting, Relaxed);
        Some((Rx(&self.frames[waiting & 1]), Some(Tx(&mut self.last, self.sent))))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Tx<'_>> {
        Some(Tx(&mut self.last, self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::new(Medium::Ethernet, FRAME_LEN)
    }
}

impl RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.1.store(self.1.load(Relaxed) + 1, Relaxed);
        f(&mut self.0[..len])
    }
}

/// Lets `with` have a function that forwards so many packets, of these two flows in turn.
pub(crate) fn run(flows: [u8; 2], with: impl FnOnce(&mut dyn FnMut(usize))) {
    let waiting = [const { AtomicUsize::new(0) }; 2];
    let sent = [const { AtomicUsize::new(0) }; 2];
    let feed = |port: usize| Feed {
        frames: [question(port as u8), question(port as u8)],
        waiting: &waiting[port],
        sent: &sent[port],
        last: [0; FRAME_LEN],
    };
    let (mut first, mut second) = (feed(0), feed(1));
    let mut ifaces = [interface(0, &mut first), interface(1, &mut second)];
    let mut sockets = SocketSet::with_capacity(1, Keys::new([1; 32]));
    let now = Instant::from_secs(1);
    for (iface, device) in ifaces.iter_mut().zip([&mut first, &mut second]) {
        device.waiting.store(1, Relaxed);
        iface.poll(now, device, &mut sockets);
        assert_eq!(iface.neighbor_count(), 1, "who asks for us is known");
    }
    first.frames = flows.map(frame);
    let [in_iface, out_iface] = &mut ifaces;
    let ports = [Port::new(in_iface, &mut first), Port::new(out_iface, &mut second)];
    let mut router = Router::new(Vec::from(ports));
    router.set_forwarding(true);
    sent[1].store(0, Relaxed);
    let mut total = 0;
    with(&mut |count| {
        for _ in 0..count / BURST {
            waiting[0].store(BURST, Relaxed);
            black_box(router.poll(now, &mut sockets));
        }
        total += count / BURST * BURST;
        assert_eq!(sent[1].load(Relaxed), total);
    });
    drop(router);
    let packet = Ipv4Packet::new_checked(&second.last[LINK_LEN..LINK_LEN + PACKET_LEN]).expect("a packet");
    assert!(packet.verify_checksum() && packet.hop_limit() == 63);
}

fn interface(port: u8, device: &mut Feed<'_>) -> Interface<'static> {
    let config = Config::new(HardwareAddress::Ethernet(OURS[usize::from(port)]));
    let mut iface = Interface::new(config, device, Instant::ZERO);
    iface.add_address(IpCidr::new(IpAddress::from(address(port, 1)), 24)).expect("there is room");
    iface
}

/// The neighbour's ARP request for us.
fn question(port: u8) -> Vec<u8> {
    let theirs = THEIRS[usize::from(port)];
    let addresses = [&theirs[..], &address(port, 2).octets(), &[0; 6], &address(port, 1).octets()].concat();
    [&[0xff; 6][..], &theirs, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &addresses].concat()
}

/// A packet from a host at one port to the neighbour at the other.
fn frame(flow: u8) -> Vec<u8> {
    let mut frame = [&OURS[0][..], &THEIRS[0], &[8, 0]].concat();
    frame.resize(LINK_LEN + PACKET_LEN, 0x55);
    let payload_len = (PACKET_LEN - 20) as u16;
    let repr = Ipv4Repr::new(address(0, 2 + flow), address(1, 2), IpProtocol::UDP, payload_len, 64);
    repr.emit(&mut Ipv4Packet::new_unchecked(&mut frame[LINK_LEN..]));
    frame
}
