//! Junk and SYN floods on a path of 0.1 ms: who means it gets through, and memory stays what it is.

use std::collections::VecDeque;

use super::family::*;
use super::net::*;
use crate::iface::{Config, Interface, SocketHandle, SocketSet};
use crate::phy::{HardwareAddress, Medium, SimRng};
use crate::rand::Keys;
use crate::socket::tcp::{HalfOpen, Listener, Socket, State};
use crate::storage::SocketBuffer;
use crate::time::{Duration, Instant};
use crate::wire::tcp::Flags;
use crate::wire::{IpAddress, IpCidr};

/// Between two SYNs: 50,000 a second.
const STEP: Duration = Duration::from_micros(20);
/// Steps that a frame is under way: 0.05 ms each way, and a little.
const DELAY: usize = 3;
/// Steps between two frames of junk of 1,500 octets: 1,500 kB a second.
const JUNK_STEPS: usize = 50;
/// The last octets of the ends' addresses.
const CLIENT: u8 = 1;
const SERVER: u8 = 2;
const RECORDS: usize = 16;
const CLIENTS: usize = 40;

/// One end of the path.
struct End {
    wire: Wire,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
}

impl End {
    fn new(last: u8) -> End {
        let mut wire = Wire::new(Medium::Ip);
        let mut iface = Interface::new(Config::new(HardwareAddress::Ip), &mut wire, Instant::ZERO);
        let v6 = |last| IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, last);
        iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24)).unwrap();
        iface.add_address(IpCidr::new(v6(last.into()), 64)).unwrap();
        // Whoever asks is answered by this way.
        iface.add_default_ipv4_route([10, 0, 0, CLIENT].into()).unwrap();
        iface.add_default_ipv6_route(ula(CLIENT).into()).unwrap();
        End { wire, iface, sockets: SocketSet::with_capacity(64, Keys::new([last; 32])) }
    }

    fn poll(&mut self, now: Instant) {
        self.iface.poll(now, &mut self.wire, &mut self.sockets);
    }
}

struct Flood {
    family: Family,
    now: Instant,
    random: SimRng,
    client: End,
    server: End,
    listener: SocketHandle,
    /// What is under way, a step behind the other.
    there: VecDeque<Vec<Vec<u8>>>,
    back: VecDeque<Vec<Vec<u8>>>,
    /// The flood's packets that the server has answered.
    answered: usize,
}

impl Flood {
    fn new(family: Family, has_cookies: bool) -> Flood {
        let mut server = End::new(SERVER);
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; RECORDS]);
        listener.set_buffers(2_000, 2_000, CLIENTS);
        listener.set_cookies(has_cookies);
        let listener = server.sockets.add(listener);
        server.sockets.listen(listener, 80).unwrap();
        let (there, back) = (vec![vec![]; DELAY].into(), vec![vec![]; DELAY].into());
        let (now, random) = (Instant::from_secs(1), SimRng::new(7));
        let client = End::new(CLIENT);
        Flood { family, now, random, client, server, listener, there, back, answered: 0 }
    }

    fn number(&mut self) -> u32 {
        self.random.next_u64() as u32
    }

    /// Somebody far away, named by some octets.
    fn somebody(&self, octets: [u8; 4]) -> IpAddress {
        if self.family.is_v4() {
            IpAddress::Ipv4(octets.into())
        } else {
            let [a, b, c, d] = octets.map(u16::from);
            IpAddress::v6(0x2001, 0xdb8, a, b, c, d, 0, 1)
        }
    }

    /// A SYN from somebody who will never answer.
    fn syn(&mut self) -> Vec<u8> {
        let [a, b, c, d] = self.number().to_be_bytes();
        let src = self.somebody([100 + a % 64, b, c, d]);
        let port = self.number() as u16 | 1;
        let numbers = (self.number(), 0);
        tcp(src, self.family.host(SERVER), (port, 80), numbers, Flags::SYN, &[2, 4, 5, 180], &[])
    }

    /// 1,500 octets: a packet of nothing known, or a segment of no connection.
    fn junk(&mut self) -> Vec<u8> {
        let mut octets: Vec<u8> =
            (0..1_500 - self.family.header_len()).map(|_| self.number() as u8).collect();
        let (src, dst) = (self.somebody([192, 0, 2, octets[0]]), self.family.host(SERVER));
        if self.number().is_multiple_of(2) {
            return ip(src, dst, octets[1], &octets);
        }
        octets.truncate(octets.len() - 20);
        let flags = Flags::from_bits_retain(octets[0]) - Flags::SYN;
        tcp(src, dst, (9, 80), (self.number(), self.number()), flags, &[], &octets)
    }

    /// Whether a packet of the server's goes to the client.
    fn is_for_client(&self, packet: &[u8]) -> bool {
        match self.family.host(CLIENT) {
            IpAddress::Ipv4(client) => packet[16..20] == client.octets(),
            IpAddress::Ipv6(client) => packet[24..40] == client.octets(),
        }
    }

    fn step(&mut self, n: usize) {
        let mut sent: Vec<_> = self.client.wire.from_stack.drain(..).collect();
        sent.push(self.syn());
        if n.is_multiple_of(JUNK_STEPS) {
            sent.push(self.junk());
        }
        self.there.push_back(sent);
        self.back.push_back(self.server.wire.from_stack.drain(..).collect());
        self.server.wire.to_stack.extend(self.there.pop_front().unwrap());
        for packet in self.back.pop_front().unwrap() {
            if self.is_for_client(&packet) {
                self.client.wire.to_stack.push_back(packet);
            } else {
                self.answered += 1;
            }
        }
        self.client.poll(self.now);
        self.server.poll(self.now);
        self.now += STEP;
    }

    fn connect(&mut self) -> SocketHandle {
        let buffer = || SocketBuffer::new(vec![0; 2_000]);
        let handle = self.client.sockets.add(Socket::new(buffer(), buffer()));
        let Flood { family, now, client, .. } = self;
        let server = (family.host(SERVER), 80);
        client.iface.connect(*now, &mut client.sockets, handle, server, 0).unwrap();
        handle
    }

    /// Answers who has asked; says how many.
    fn serve(&mut self, open: &mut Vec<SocketHandle>) -> usize {
        let sockets = &mut self.server.sockets;
        open.extend(core::iter::from_fn(|| sockets.accept(self.listener)));
        let before = open.len();
        open.retain(|&handle| {
            let socket = sockets.get_mut::<Socket>(handle);
            let has_asked = socket.recv_slice(&mut [0; 16]) == Ok(7);
            if has_asked {
                socket.send_slice(b"answer").unwrap();
                sockets.release(handle).unwrap();
            }
            !has_asked
        });
        before - open.len()
    }
}

/// Clients come one after the other during three seconds, 150,000 SYNs and 4.5 MB of junk.
fn all_get_through(family: Family, has_cookies: bool) -> Flood {
    let mut flood = Flood::new(family, has_cookies);
    let (mut clients, mut open) = (Vec::new(), Vec::new());
    let (mut served, mut most) = (0, 0);
    for n in 0..150_000_usize {
        if n.is_multiple_of(1_250) && clients.len() < CLIENTS {
            let client = flood.connect();
            clients.push(client);
        }
        flood.step(n);
        served += flood.serve(&mut open);
        for &client in clients.iter().filter(|_| n.is_multiple_of(5)) {
            let socket = flood.client.sockets.get_mut::<Socket>(client);
            if socket.state() == State::Established && socket.send_queue() == 0 && !socket.can_recv() {
                socket.send_slice(b"request").unwrap();
                socket.close();
            }
        }
        most = most.max(flood.server.sockets.len());
        let half_open = flood.server.sockets.get::<Listener>(flood.listener).half_open_count();
        assert!(half_open <= RECORDS);
    }
    for client in clients {
        let mut data = [0; 16];
        assert_eq!(flood.client.sockets.get_mut::<Socket>(client).recv_slice(&mut data), Ok(6));
    }
    assert_eq!((served, open.len()), (CLIENTS, 0));
    assert!(most <= 1 + CLIENTS, "the flood gets no socket: {most}");
    flood
}

#[test]
fn with_cookies_a_flood_keeps_nobody_out() {
    for family in FAMILIES {
        let flood = all_get_through(family, true);
        assert!(flood.answered > 140_000, "each SYN has its cookie: {}", flood.answered);
    }
}

#[test]
fn without_cookies_the_oldest_gives_way_and_a_flood_keeps_nobody_near_out() {
    for family in FAMILIES {
        all_get_through(family, false);
    }
}
