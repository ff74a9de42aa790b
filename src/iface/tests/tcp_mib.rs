//! RFC 4022's counts of connections: each transition by itself, then sums over a run of random connections.

use std::vec::Vec;

use super::net::*;
use crate::iface::SocketHandle;
use crate::socket::tcp::{self, HalfOpen, State};
use crate::socket::{Events, Socket};
use crate::storage::SocketBuffer;
use crate::time::Duration;
use crate::wire::IpAddress;
use crate::wire::tcp::Flags;

const PEER: IpAddress = IpAddress::v4(10, 0, 0, 2);
const ACK: Flags = Flags::ACK;
const RST: Flags = Flags::RST;
const SYN: Flags = Flags::SYN;

fn buffer() -> SocketBuffer<'static> {
    SocketBuffer::new(vec![0; 1_000])
}

/// One stack and the peer's port 9, whose initial sequence number is 100.
struct Desk {
    net: Net,
    handle: SocketHandle,
    port: u16,
    iss: u32,
}

impl Desk {
    fn new() -> Desk {
        let mut net = Net::ip();
        let handle = net.sockets.add(tcp::Socket::new(buffer(), buffer()));
        Desk { net, handle, port: 80, iss: 0 }
    }

    fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.net.sockets.get_mut(self.handle)
    }

    fn learn(&mut self, sent: Vec<Vec<u8>>) {
        if let Some(packet) = sent.iter().find(|packet| packet[33] & 2 != 0) {
            self.port = u16::from_be_bytes([packet[20], packet[21]]);
            self.iss = u32::from_be_bytes(packet[24..28].try_into().unwrap());
        }
    }

    fn connect(&mut self) {
        self.socket().connect((PEER, 9), 0).unwrap();
        self.net.poll();
        let sent = self.net.sent();
        self.learn(sent);
    }

    fn listen(&mut self) {
        self.socket().listen(80).unwrap();
        self.net.poll();
    }

    /// A segment at the sequence number 100 + `offset` that acknowledges all we have sent.
    fn give(&mut self, offset: u32, flags: Flags) {
        let ports = (9, self.port);
        let numbers = (100 + offset, self.iss.wrapping_add(1));
        let sent = self.net.exchange(tcp4(PEER_IP, OUR_IP, ports, numbers, flags, &[], &[]));
        self.learn(sent);
    }

    fn establish(&mut self) {
        self.connect();
        self.give(0, SYN | ACK);
        assert_eq!(self.socket().state(), State::Established);
    }

    /// Active and passive opens, failed attempts, resets, and those that stand now.
    fn counts(&self) -> [u32; 5] {
        let mib = self.net.sockets.tcp_mib();
        [mib.active_opens, mib.passive_opens, mib.attempt_fails, mib.estab_resets, mib.curr_estab]
    }
}

#[test]
fn each_transition_moves_its_counter_and_no_other() {
    type Story = fn(&mut Desk);
    let table: [(&str, Story, [u32; 5]); 18] = [
        ("a wish without a way", |d| _ = d.socket().connect((IpAddress::v4(9, 9, 9, 9), 9), 0), [0; 5]),
        ("connects", |d| d.connect(), [1, 0, 0, 0, 0]),
        (
            "refused",
            |d| {
                d.connect();
                d.give(0, RST | ACK);
            },
            [1, 0, 1, 0, 0],
        ),
        (
            "aborted before it stood",
            |d| {
                d.connect();
                d.socket().abort();
            },
            [1, 0, 1, 0, 0],
        ),
        (
            "both at once, then refused",
            |d| {
                d.connect();
                d.give(0, SYN);
                assert_eq!(d.socket().state(), State::SynReceived);
                d.give(1, RST);
            },
            [1, 0, 1, 0, 0],
        ),
        ("stands", |d| d.establish(), [1, 0, 0, 0, 1]),
        (
            "reset by the peer",
            |d| {
                d.establish();
                d.give(1, RST);
            },
            [1, 0, 0, 1, 0],
        ),
        (
            "the peer has closed",
            |d| {
                d.establish();
                d.give(1, Flags::FIN | ACK);
            },
            [1, 0, 0, 0, 1],
        ),
        (
            "the peer has closed, then resets",
            |d| {
                d.establish();
                d.give(1, Flags::FIN | ACK);
                d.give(2, RST);
            },
            [1, 0, 0, 1, 0],
        ),
        (
            "aborted by us, and connects again before a poll",
            |d| {
                d.establish();
                d.socket().abort();
                d.connect();
            },
            [2, 0, 0, 1, 0],
        ),
        (
            "removed as it stands",
            |d| {
                d.establish();
                d.net.sockets.remove(d.handle).unwrap();
            },
            [1, 0, 0, 1, 0],
        ),
        (
            "closed",
            |d| {
                d.establish();
                d.socket().close();
            },
            [1, 0, 0, 0, 0],
        ),
        (
            "closed, then reset",
            |d| {
                d.establish();
                d.socket().close();
                d.net.poll();
                d.give(1, RST);
            },
            [1, 0, 0, 0, 0],
        ),
        ("listens", |d| d.listen(), [0; 5]),
        (
            "is asked",
            |d| {
                d.listen();
                d.give(0, SYN);
            },
            [0, 1, 0, 0, 0],
        ),
        (
            "is asked, and listens again",
            |d| {
                d.listen();
                d.give(0, SYN);
                d.give(1, RST);
                assert_eq!(d.socket().state(), State::Listen);
            },
            [0, 1, 1, 0, 0],
        ),
        (
            "is asked, and closed meanwhile",
            |d| {
                d.listen();
                d.give(0, SYN);
                d.socket().abort();
            },
            [0, 1, 1, 0, 0],
        ),
        (
            "is asked and stands",
            |d| {
                d.listen();
                d.give(0, SYN);
                d.give(1, ACK);
            },
            [0, 1, 0, 0, 1],
        ),
    ];
    for (name, story, expected) in table {
        let mut desk = Desk::new();
        story(&mut desk);
        assert_eq!(desk.counts(), expected, "{name}");
        desk.net.poll();
        assert_eq!(desk.counts(), expected, "{name}, once more");
    }
}

/// A listener's requests are in SYN-RECEIVED, though they have no socket.
#[test]
fn a_listeners_requests_are_opened_and_fail() {
    type Story = fn(&mut Desk);
    let table: [(&str, Story, [u32; 5]); 7] = [
        ("asked", |d| d.give(0, SYN), [0, 1, 0, 0, 0]),
        (
            "asked twice",
            |d| {
                d.give(0, SYN);
                d.give(0, SYN);
            },
            [0, 1, 0, 0, 0],
        ),
        (
            "asked anew",
            |d| {
                d.give(0, SYN);
                d.give(5_000, SYN);
            },
            [0, 2, 1, 0, 0],
        ),
        (
            "reset",
            |d| {
                d.give(0, SYN);
                d.give(1, RST);
            },
            [0, 1, 1, 0, 0],
        ),
        (
            "no longer listening",
            |d| {
                d.give(0, SYN);
                d.net.sockets.get_mut::<tcp::Listener>(d.handle).close();
            },
            [0, 1, 1, 0, 0],
        ),
        (
            "stands",
            |d| {
                d.give(0, SYN);
                d.give(1, ACK);
            },
            [0, 1, 0, 0, 1],
        ),
        (
            "never answered",
            |d| {
                d.give(0, SYN);
                for _ in 0..200 {
                    d.net.advance(Duration::from_secs(1));
                    d.net.poll();
                }
            },
            [0, 1, 1, 0, 0],
        ),
    ];
    for (name, story, expected) in table {
        let mut net = Net::ip();
        let mut listener = tcp::Listener::new(vec![HalfOpen::EMPTY; 1]);
        listener.set_buffers(1_000, 1_000, 4);
        let handle = net.sockets.add(listener);
        net.sockets.listen(handle, 80).unwrap();
        let mut desk = Desk { net, handle, port: 80, iss: 0 };
        story(&mut desk);
        assert_eq!(desk.counts(), expected, "{name}");
    }
}

/// One that was answered by a cookie was opened when that comes back, and only then.
#[test]
#[cfg(feature = "tcp-cookies")]
fn a_cookie_that_comes_back_is_an_open() {
    let mut net = Net::ip();
    let mut listener = tcp::Listener::new(vec![HalfOpen::EMPTY; 0]);
    listener.set_buffers(1_000, 1_000, 4);
    let handle = net.sockets.add(listener);
    net.sockets.listen(handle, 80).unwrap();
    let mut desk = Desk { net, handle, port: 80, iss: 0 };
    desk.give(0, SYN);
    assert_eq!(desk.counts(), [0; 5]);
    desk.give(1, ACK);
    assert_eq!(desk.counts(), [0, 1, 0, 0, 1]);
}

/// Whoever asks for a connection, what it says once more is not counted as new.
#[test]
fn what_is_sent_again_is_counted_by_itself() {
    let counts = |desk: &Desk| {
        let mib = desk.net.iface.mib().tcp;
        (mib.out_segs, mib.retrans_segs)
    };
    let again = |desk: &mut Desk, expected| {
        while desk.net.sent().is_empty() {
            desk.net.advance(Duration::from_millis(100));
            desk.net.poll();
        }
        assert_eq!(counts(desk), expected);
    };
    let mut desk = Desk::new();
    desk.connect();
    assert_eq!(counts(&desk), (1, 0));
    again(&mut desk, (1, 1));
    desk.give(0, SYN | ACK);
    assert_eq!(counts(&desk), (2, 1), "the ACK");
    desk.socket().send_slice(&[1; 10]).unwrap();
    desk.net.poll();
    assert_eq!((desk.net.sent().len(), counts(&desk)), (1, (3, 1)));
    again(&mut desk, (3, 2));
    let mut desk = Desk::new();
    desk.listen();
    desk.give(0, SYN);
    again(&mut desk, (1, 1));
}

/// Two stacks and a way between them that loses packets.
struct Pair {
    ends: [Net; 2],
    /// Connections that the application was told stand.
    stood: [u32; 2],
    /// Those that it has closed in order while they stood.
    closed: [u32; 2],
    listener: SocketHandle,
    seed: u64,
}

impl Pair {
    fn random(&mut self) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 8) as usize
    }

    fn poll(&mut self, end: usize) {
        let net = &mut self.ends[end];
        net.poll();
        while let Some((handle, events)) = net.sockets.next_ready() {
            if events.contains(Events::CONNECTED) {
                self.stood[end] += 1;
            }
            if handle == self.listener && end == 1 {
                while net.sockets.accept(handle).is_some() {
                    self.stood[end] += 1;
                }
            }
        }
        for packet in net.sent() {
            if !self.random().is_multiple_of(4) {
                self.ends[1 - end].wire.to_stack.push_back(packet);
            }
        }
    }

    /// What an application does to one of its sockets.
    fn act(&mut self, end: usize) {
        let (chance, act) = (self.random(), self.random() % 6);
        let net = &mut self.ends[end];
        let sockets = net.sockets.iter().filter_map(|(handle, socket)| match socket {
            Socket::Tcp(socket) => Some((handle, socket.state())),
            _ => None,
        });
        let sockets: Vec<(SocketHandle, State)> = sockets.collect();
        if sockets.is_empty() {
            return;
        }
        let (handle, state) = sockets[chance % sockets.len()];
        let stands = matches!(state, State::Established | State::CloseWait);
        let is_ours = end == 0;
        match act {
            0 if state == State::Closed && is_ours => {
                let to = [80, 81][chance / 7 % 2];
                net.sockets.get_mut::<tcp::Socket>(handle).connect((PEER, to), 0).unwrap();
            }
            1 => net.sockets.get_mut::<tcp::Socket>(handle).abort(),
            // In SYN-RECEIVED it would stand for no time.
            2 if state != State::SynReceived => {
                net.sockets.get_mut::<tcp::Socket>(handle).close();
                self.closed[end] += u32::from(stands);
            }
            3 if stands && !is_ours => {
                net.sockets.release(handle).unwrap();
                self.closed[end] += 1;
                // The next poll closes it.
                self.poll(end);
            }
            4 if chance % 5 == 0 => {
                net.sockets.remove(handle).unwrap();
                net.sockets.add(tcp::Socket::new(buffer(), buffer()));
            }
            5 if state == State::Closed && !is_ours => {
                _ = net.sockets.listen(handle, 81);
            }
            _ => {}
        }
    }

    /// Each attempt is under way, has failed, or stood; each connection that stood still does, was reset or was
    /// closed.
    fn check(&self, end: usize) {
        let sockets = &self.ends[end].sockets;
        let mib = sockets.tcp_mib();
        let mut half_open = 0;
        for (_, entry) in sockets.slots.iter() {
            half_open += match &entry.0.socket {
                // A wish for a connection is none yet.
                Socket::Tcp(socket) if socket.tuple().is_none() => 0,
                Socket::Tcp(socket) => {
                    usize::from(matches!(socket.state(), State::SynSent | State::SynReceived))
                }
                Socket::TcpListener(listener) => listener.half_open_count(),
                _ => 0,
            };
        }
        let begun = mib.active_opens + mib.passive_opens;
        assert_eq!(begun, mib.attempt_fails + half_open as u32 + self.stood[end]);
        assert_eq!(self.stood[end], mib.curr_estab + mib.estab_resets + self.closed[end]);
    }
}

#[test]
fn what_becomes_of_connections_adds_up() {
    let mut ends = [Net::ip(), Net::ip()];
    // They mirror each other: the peer's packets seem to come from the address that ours go to.
    ends[1].iface = {
        let storage = crate::iface::InterfaceStorage::default();
        let config = crate::iface::Config::new(crate::phy::HardwareAddress::Ip);
        let mut iface = crate::iface::Interface::with_storage(
            config,
            crate::phy::Device::capabilities(&ends[1].wire),
            storage,
        );
        iface.add_address(crate::wire::IpCidr::new(PEER, 24)).unwrap();
        iface
    };
    let mut listener = tcp::Listener::new(vec![HalfOpen::EMPTY; 2]);
    listener.set_buffers(1_000, 1_000, 10);
    let listener = ends[1].sockets.add(listener);
    ends[1].sockets.listen(listener, 80).unwrap();
    for end in &mut ends {
        (0..6).for_each(|_| _ = end.sockets.add(tcp::Socket::new(buffer(), buffer())));
    }
    let mut pair = Pair { ends, stood: [0; 2], closed: [0; 2], listener, seed: 0x9e37_79b9_7f4a_7c15 };
    for _ in 0..40_000 {
        let end = pair.random() % 2;
        match pair.random() % 4 {
            0 => pair.act(end),
            _ => pair.poll(end),
        }
        if pair.random().is_multiple_of(3) {
            let span = Duration::from_millis(pair.random() as u64 % 400);
            pair.ends.iter_mut().for_each(|end| end.advance(span));
        }
        pair.check(end);
    }
    let [ours, theirs] = [0, 1].map(|end| pair.ends[end].sockets.tcp_mib());
    assert!(ours.active_opens > 300 && ours.attempt_fails > 50 && ours.estab_resets > 30, "{ours:?}");
    assert!(
        theirs.passive_opens > 200 && theirs.attempt_fails > 20 && theirs.estab_resets > 30,
        "{theirs:?}"
    );
    assert!(pair.closed.iter().all(|&closed| closed > 30), "{:?}", pair.closed);
}
