//! What happens when every buffer is full: the traffic that a network lives by goes on.

use super::net::*;
use super::poll_at::Stack;
use crate::iface::SocketHandle;
use crate::phy::Medium;
use crate::socket::{tcp, udp};
use crate::time::{Duration, Instant};
use crate::wire::IpAddress;

/// Two stacks on an Ethernet; frames take a millisecond.
struct Pair {
    now: Instant,
    a: Stack,
    b: Stack,
}

const MAC_A: [u8; 6] = [2, 0, 0, 0, 0, 1];
const MAC_B: [u8; 6] = [2, 0, 0, 0, 0, 2];

impl Pair {
    fn new() -> Pair {
        let (a, b) = (Stack::new(1, Medium::Ethernet), Stack::new(2, Medium::Ethernet));
        Pair { now: Instant::from_secs(1), a, b }
    }

    fn run(&mut self, millis: usize) {
        for _ in 0..millis {
            self.a.poll(self.now);
            self.b.poll(self.now);
            self.b.wire.to_stack.append(&mut self.a.wire.from_stack);
            self.a.wire.to_stack.append(&mut self.b.wire.from_stack);
            self.now += Duration::from_millis(1);
        }
    }

    /// A connection from `a` to `b`, with all four of its buffers full.
    fn connect_and_fill(&mut self) -> (SocketHandle, SocketHandle) {
        let client = self.a.handles[0];
        let Pair { now, a, .. } = self;
        a.iface.connect(*now, &mut a.sockets, client, (IpAddress::v4(10, 0, 0, 2), 80), 0).unwrap();
        self.run(10);
        let server = self.b.sockets.accept(self.b.listener).unwrap();
        for _ in 0..20 {
            let _ = self.a.sockets.get_mut::<tcp::Socket>(client).send_slice(&[1; 3_000]);
            let _ = self.b.sockets.get_mut::<tcp::Socket>(server).send_slice(&[2; 3_000]);
            self.run(50);
        }
        for (stack, handle) in [(&self.a, client), (&self.b, server)] {
            let socket = stack.sockets.get::<tcp::Socket>(handle);
            assert_eq!((socket.recv_queue(), socket.send_queue()), (2_000, 3_000));
        }
        (client, server)
    }

    /// Reads everything at both ends until nothing more comes; says how much that was.
    fn drain(&mut self, handles: (SocketHandle, SocketHandle)) -> [usize; 2] {
        let mut got = [0, 0];
        for _ in 0..200 {
            for (index, stack, handle) in [(0, &mut self.a, handles.0), (1, &mut self.b, handles.1)] {
                let socket = stack.sockets.get_mut::<tcp::Socket>(handle);
                while let Ok(len @ 1..) = socket.recv_slice(&mut [0; 500]) {
                    got[index] += len;
                }
            }
            self.run(20);
        }
        got
    }
}

fn is_arp_reply(frame: &[u8]) -> bool {
    frame[12..14] == [8, 6] && frame[21] == 2
}

/// An ACK, at most with a probe of ours, that says that there is no room.
fn is_closed_window(frame: &[u8]) -> bool {
    frame[12..14] == [8, 0] && frame[23] == 6 && frame.len() <= 67 && frame[48..50] == [0, 0]
}

#[test]
fn a_fault_that_drains_every_buffer_leaves_arp_and_acks_working() {
    let mut pair = Pair::new();
    let handles = pair.connect_and_fill();
    let Pair { now, a, .. } = &mut pair;

    // The device takes nothing any more; pings and datagrams to nobody take what memory there is.
    a.wire.room = 0;
    a.wire.from_stack.clear();
    a.wire.to_stack.clear();
    for _ in 0..20 {
        let mut ping = ethernet(0x800, &icmp4([10, 0, 0, 2], [10, 0, 0, 1], vec![8, 0, 0, 0, 0, 1, 0, 1]));
        ping[..6].copy_from_slice(&MAC_A);
        ping[6..12].copy_from_slice(&MAC_B);
        a.wire.to_stack.push_back(ping);
    }
    for stranger in 70..90 {
        for index in [4, 5] {
            let socket = a.sockets.get_mut::<udp::Socket>(a.handles[index]);
            let _ = socket.send_slice(&[3; 100], (IpAddress::v4(10, 0, 0, stranger), 7));
        }
        a.poll(*now);
    }
    assert_eq!(a.iface.packets.free_count(), 1, "nothing is left but the reserve");

    // Somebody asks for our address, and the peer probes our window.
    let mut request = arp(1, MAC_B, [10, 0, 0, 2], [0; 6], [10, 0, 0, 1]);
    request[..6].copy_from_slice(&[0xff; 6]);
    a.wire.to_stack.push_back(request);
    a.poll(*now);
    assert!(a.wire.from_stack.is_empty());
    a.wire.room = 1_000;
    a.poll(*now);
    assert!(a.wire.from_stack.iter().any(|frame| is_arp_reply(frame)), "the answer has waited for room");

    a.wire.room = 0;
    let mut probes = 0;
    for _ in 0..10_000 {
        pair.b.poll(pair.now);
        probes += pair.b.wire.from_stack.iter().filter(|frame| frame.len() == 67).count();
        pair.a.wire.to_stack.append(&mut pair.b.wire.from_stack);
        pair.a.poll(pair.now);
        pair.now += Duration::from_millis(1);
        if probes > 0 {
            break;
        }
    }
    assert_eq!(probes, 1);
    pair.a.wire.from_stack.clear();
    pair.a.wire.room = 1_000;
    pair.a.poll(pair.now);
    assert!(pair.a.wire.from_stack.iter().any(|frame| is_closed_window(frame)), "the probe is answered");

    // And when the applications read again, everything arrives.
    assert_eq!(pair.drain(handles), [5_000, 5_000]);
}

#[test]
fn a_question_that_finds_no_room_is_asked_when_there_is_some() {
    let mut net = Net::ethernet();
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 4_096]);
    let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
    net.sockets.bind(handle, 9_000).unwrap();
    net.wire.room = 0;
    let to = (IpAddress::v4(10, 0, 0, 2), 7);
    net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"hi", to).unwrap();
    net.poll();
    net.wire.room = 10;
    net.poll();
    assert_eq!(net.sent(), [arp(1, OUR_MAC, OUR_IP, [0; 6], PEER_IP)]);
}

/// Two sockets with much to send, and a device that takes one frame at a time.
#[test]
fn sockets_take_turns_at_a_device_that_has_room_for_one_frame() {
    let mut net = Net::ip();
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 64], vec![0; 4_096]);
    for port in [9_001, 9_002, 9_003] {
        let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
        net.sockets.bind(handle, port).unwrap();
        for _ in 0..20 {
            let socket = net.sockets.get_mut::<udp::Socket>(handle);
            socket.send_slice(b"x", (IpAddress::v4(10, 0, 0, 2), 7)).unwrap();
        }
    }
    let mut sent = [0; 3];
    for _ in 0..30 {
        net.wire.room = 1;
        net.poll();
        for frame in net.sent() {
            sent[usize::from(frame[21]) - usize::from(9_001_u16.to_be_bytes()[1])] += 1;
        }
        net.advance(Duration::from_millis(1));
    }
    assert_eq!(sent, [10, 10, 10]);
}
