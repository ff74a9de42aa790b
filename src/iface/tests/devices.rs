//! Devices of the crate under a stack: a capture that is replayed, and two stacks that feed each other by queues.

use std::vec::Vec;

use crate::iface::{Config, Interface, SocketHandle, SocketSet};
use crate::phy::{
    Device, DeviceCapabilities, HardwareAddress, Medium, Pace, PacketQueue, PcapReplay, PcapWriter, TxToken,
};
use crate::rand::Keys;
use crate::socket::tcp::{HalfOpen, Listener, Socket, State};
use crate::socket::udp;
use crate::storage::SocketBuffer;
use crate::time::{Duration, Instant};
use crate::wire::frames::{self, hex};
use crate::wire::{IpAddress, IpCidr};

/// An interface at 10.0.0.N and fd00::N, as the hosts of the captures have them.
fn host<D: Device>(device: &mut D, last: u8) -> (Interface<'static>, SocketSet<'static>) {
    let hardware = HardwareAddress::Ethernet([2, 0, 0, 0, 0, last]);
    let mut iface = Interface::new(Config::new(hardware), device, Instant::ZERO);
    iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24)).unwrap();
    iface.add_address(IpCidr::new(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, last.into()), 64)).unwrap();
    (iface, SocketSet::with_capacity(4, Keys::new([last; 32])))
}

/// A capture file of these frames, `GAP` apart, the first at `BEGAN`.
fn capture(frames: &[&str]) -> Vec<u8> {
    let queue = PacketQueue::new(
        DeviceCapabilities::new(Medium::Ethernet, 1_514),
        HardwareAddress::Ethernet([2; 6]),
        frames.len(),
    );
    let mut writer = PcapWriter::new(queue, Vec::new()).unwrap();
    for (number, text) in frames.iter().enumerate() {
        let (frame, at) = (hex(text), BEGAN + Duration::from_micros(GAP.total_micros() * number as u64));
        writer.transmit(at).unwrap().consume(frame.len(), |place| place.copy_from_slice(&frame));
    }
    writer.into_inner().1
}

const BEGAN: Instant = Instant::from_secs(1_000);
const GAP: Duration = Duration::from_millis(20);

/// What Linux has sent to Linux goes to us in its stead, as fast as it came then.
#[test]
fn a_capture_that_is_replayed_is_answered_by_the_stack() {
    let said =
        [frames::ARP_REQUEST, frames::PING4, frames::UDP4, frames::SOLICIT, frames::PING6, frames::UDP6];
    let file = capture(&said);
    let replay = PcapReplay::new(&file[..], Medium::Ethernet, Pace::Recorded).unwrap();
    let mut device = PcapWriter::new(replay, Vec::new()).unwrap();
    let (mut iface, mut sockets) = host(&mut device, 2);
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 100]);
    let handle = sockets.add(udp::Socket::new(queue(), queue()));
    sockets.bind(handle, 7_777).unwrap();
    let (mut now, mut heard) = (Instant::from_secs(5), Vec::new());
    for _ in 0..said.len() {
        iface.poll(now, &mut device, &mut sockets);
        while let Ok((data, meta)) = sockets.get_mut::<udp::Socket>(handle).recv() {
            assert_eq!(data, b"hello");
            heard.push(meta.received.timestamp);
        }
        now += GAP;
    }
    let ms = |millis: u64| (BEGAN.total_micros() as u64 + millis * 1_000) * 1_000;
    assert_eq!(heard, [ms(40), ms(100)], "the capture's times, though ours are others");
    let (replay, written) = device.into_inner();
    assert!(replay.is_finished() && replay.error().is_none());
    // What Linux said then we say now, but for the identification and the flow label that it has chosen.
    let ours = records(&written).into_iter().filter(|frame| frame[..6] == [2, 0, 0, 0, 0, 1]);
    let ours: Vec<_> = ours.collect();
    assert_eq!(ours.len(), 4, "ARP, echo, advertisement, echo");
    assert!(replay.sent() >= 4, "and reports of our groups");
    assert_eq!(ours[0], hex(frames::ARP_REPLY));
    assert_eq!(ours[1][26..], hex(frames::PONG4)[26..]);
    assert_eq!(ours[2][54..56], hex(frames::ADVERT)[54..56]);
    assert_eq!(ours[3][18..], hex(frames::PONG6)[18..]);
}

/// The frames of a little-endian capture file.
fn records(file: &[u8]) -> Vec<Vec<u8>> {
    let mut replay = PcapReplay::new(file, Medium::Ethernet, Pace::AsPolled).unwrap();
    core::iter::from_fn(|| {
        use crate::phy::RxToken;
        replay.receive(Instant::ZERO).map(|(frame, _)| frame.consume(|frame| frame.to_vec()))
    })
    .collect()
}

/// Two stacks and the queues between them.
struct Pair {
    now: Instant,
    devices: [PacketQueue<'static>; 2],
    stacks: [(Interface<'static>, SocketSet<'static>); 2],
}

impl Pair {
    fn new() -> Pair {
        let mut devices = [1, 2].map(|last| {
            let hardware = HardwareAddress::Ethernet([2, 0, 0, 0, 0, last]);
            PacketQueue::new(DeviceCapabilities::new(Medium::Ethernet, 1_514), hardware, 8)
        });
        let stacks = [host(&mut devices[0], 1), host(&mut devices[1], 2)];
        Pair { now: Instant::from_secs(1), devices, stacks }
    }

    /// Each polls, and what it has sent is pushed to the other.
    fn step(&mut self) {
        for place in [0, 1] {
            let (iface, sockets) = &mut self.stacks[place];
            iface.poll(self.now, &mut self.devices[place], sockets);
            let [one, two] = &mut self.devices;
            let (from, to) = if place == 0 { (one, two) } else { (two, one) };
            while let Some(packet) = from.pop() {
                // What finds no room is lost, and sent again.
                let _ = to.push(packet);
            }
        }
        self.now += Duration::from_millis(1);
    }
}

fn connection(sockets: &mut SocketSet<'static>) -> SocketHandle {
    let buffer = || SocketBuffer::new(vec![0; 20_000]);
    sockets.add(Socket::new(buffer(), buffer()))
}

#[test]
fn two_stacks_speak_by_queues() {
    const LEN: usize = 300_000;
    for server in [IpAddress::v4(10, 0, 0, 2), IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2)] {
        let mut pair = Pair::new();
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 1]);
        listener.set_buffers(20_000, 20_000, 1);
        let listener = pair.stacks[1].1.add(listener);
        pair.stacks[1].1.listen(listener, 80).unwrap();
        let client = connection(&mut pair.stacks[0].1);
        pair.stacks[0].1.get_mut::<Socket>(client).connect((server, 80), 5_000).unwrap();
        let (mut accepted, mut sent, mut received) = (None, 0, 0);
        for _ in 0..60_000 {
            pair.step();
            let socket = pair.stacks[0].1.get_mut::<Socket>(client);
            if sent < LEN && socket.state() == State::Established {
                let octets: Vec<u8> =
                    (sent..LEN.min(sent + 5_000)).map(|place| (place % 251) as u8).collect();
                sent += socket.send_slice(&octets).unwrap();
            }
            accepted = accepted.or_else(|| pair.stacks[1].1.accept(listener));
            let mut room = [0; 5_000];
            while let Some(handle) = accepted
                && let Ok(len @ 1..) = pair.stacks[1].1.get_mut::<Socket>(handle).recv_slice(&mut room)
            {
                let is_right = |(place, octet): (usize, &u8)| *octet == ((received + place) % 251) as u8;
                assert!(room[..len].iter().enumerate().all(is_right));
                received += len;
            }
            if received == LEN {
                break;
            }
        }
        assert_eq!(received, LEN, "{server}");
        let counters = [0, 1].map(|place| pair.devices[place].counters());
        assert_eq!((counters[0].sent, counters[1].sent), {
            let of = |counters: crate::phy::QueueCounters| counters.pushed + counters.refused;
            (of(counters[1]), of(counters[0]))
        });
        assert!(counters.iter().all(|counters| counters.too_long == 0));
    }
}
