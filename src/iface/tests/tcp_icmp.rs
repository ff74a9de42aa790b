//! What ICMP says of connections: whom it is believed to concern, and what it does. And what packets of TCP
//! look like from outside: traffic class and hop limit.

use super::family::*;
use super::net::*;
use crate::iface::SocketHandle;
use crate::socket::tcp::{Error, HalfOpen, Listener, Socket, State};
use crate::socket::{Events, Unreachable};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::wire::tcp::Flags;

/// The last octet of the router's address.
const ROUTER: u8 = 254;

/// A connection with something in flight, and the packet that has it.
struct Bench {
    family: Family,
    net: Net,
    handle: SocketHandle,
    packet: Vec<u8>,
}

impl Bench {
    /// The SYN is out.
    fn attempt(family: Family) -> Bench {
        let mut net = Net::ip();
        let buffer = || SocketBuffer::new(vec![0; 1_000]);
        let handle = net.sockets.add(Socket::new(buffer(), buffer()));
        net.sockets.get_mut::<Socket>(handle).connect((family.peer(), 4_000), 80).unwrap();
        net.poll();
        let packet = net.sent().remove(0);
        Bench { family, net, handle, packet }
    }

    /// Ten octets are out.
    fn connection(family: Family) -> Bench {
        let mut bench = Bench::attempt(family);
        let iss = seq_of(&bench.packet);
        let flags = Flags::SYN | Flags::ACK;
        bench.net.exchange(family.tcp((4_000, 80), (99, iss + 1), flags, &[], &[]));
        bench.socket().send_slice(&[7; 10]).unwrap();
        bench.net.poll();
        bench.packet = bench.net.sent().remove(0);
        while bench.net.sockets.next_ready().is_some() {}
        bench
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.net.sockets.get_mut(self.handle)
    }

    /// An ICMP error that quotes `quote`; what the application hears.
    fn tell(&mut self, kind: u8, code: u8, quote: &[u8]) -> Events {
        let message = [&[kind, code, 0, 0, 0, 0, 5, 0][..], quote].concat();
        assert!(self.net.exchange(self.family.icmp(ROUTER, message)).is_empty());
        self.net.sockets.next_ready().map_or(Events::empty(), |(_, events)| events)
    }

    /// The same that quotes what RFC 792 asks for: eight octets behind the IP header.
    fn tell_of_packet(&mut self, kind: u8, code: u8) -> Events {
        let quote = self.packet[..self.family.header_len() + 8].to_vec();
        self.tell(kind, code, &quote)
    }

    fn state(&mut self) -> State {
        self.socket().state()
    }
}

const SOFT_V4: &[(u8, u8, Unreachable)] = &[
    (3, 0, Unreachable::Network),
    (3, 1, Unreachable::Host),
    (3, 5, Unreachable::Other),
    (3, 13, Unreachable::Prohibited),
    (11, 0, Unreachable::HopLimit),
    (12, 0, Unreachable::Malformed),
];

const SOFT_V6: &[(u8, u8, Unreachable)] = &[
    (1, 0, Unreachable::Network),
    (1, 1, Unreachable::Prohibited),
    (1, 3, Unreachable::Host),
    (1, 9, Unreachable::Other),
    (3, 0, Unreachable::HopLimit),
    (4, 0, Unreachable::Malformed),
    (100, 0, Unreachable::Other),
];

/// Covers: RFC 9293 MUST-47, MUST-54, MUST-56; RFC 1122 §4.2.3.9; RFC 5461 §2.1; RFC 4443 §2.4
#[test]
fn a_soft_error_is_told_and_ends_nothing() {
    for (family, cases) in FAMILIES.into_iter().zip([SOFT_V4, SOFT_V6]) {
        for mut bench in [Bench::attempt(family), Bench::connection(family)] {
            let state = bench.state();
            for &(kind, code, reason) in cases {
                assert_eq!(bench.tell_of_packet(kind, code), Events::ERROR, "{reason:?}");
                assert_eq!(bench.socket().take_icmp_error(), Some(reason));
                assert_eq!(bench.socket().take_icmp_error(), None, "once");
                assert_eq!((bench.state(), bench.socket().error()), (state, None));
            }
        }
    }
}

/// Covers: RFC 9293 MUST-55; RFC 6633 §3; RFC 4443 §2.4
#[test]
fn source_quench_and_too_big_are_not_told() {
    // Of IPv6: too big, no error at all, and echoes.
    let silent: [&[(u8, u8)]; 2] = [&[(4, 0), (3, 4), (5, 1)], &[(2, 0), (129, 0), (200, 0)]];
    for (family, cases) in FAMILIES.into_iter().zip(silent) {
        let mut bench = Bench::connection(family);
        for &(kind, code) in cases {
            assert_eq!(bench.tell_of_packet(kind, code), Events::empty(), "{kind}/{code}");
        }
        assert_eq!((bench.socket().take_icmp_error(), bench.state()), (None, State::Established));
    }
}

/// Covers: RFC 1122 §4.2.3.9; RFC 5927 §5.2; RFC 5461 §2.2
#[test]
fn a_hard_error_ends_an_attempt_and_no_connection() {
    let hard = [[(3, 3), (3, 2)], [(1, 4), (4, 1)]];
    for (family, cases) in FAMILIES.into_iter().zip(hard) {
        for ((kind, code), error) in cases.into_iter().zip([Error::Refused, Error::Unreachable]) {
            let mut bench = Bench::attempt(family);
            assert_eq!(bench.tell_of_packet(kind, code), Events::ERROR | Events::CLOSED);
            assert_eq!((bench.state(), bench.socket().error()), (State::Closed, Some(error)));
            assert!(bench.net.sent().is_empty());
            let mut bench = Bench::connection(family);
            assert_eq!(bench.tell_of_packet(kind, code), Events::ERROR);
            assert_eq!((bench.state(), bench.socket().error()), (State::Established, None));
        }
    }
}

/// Octets of a quote that make it nobody's, by name: of addresses the last octet, of IPv4's header what says fragment
/// and protocol, of IPv6's the next header and the version.
const SPOILT_V4: &[(&str, usize)] =
    &[("another source", 15), ("another destination", 19), ("a later fragment", 7), ("another protocol", 9)];
const SPOILT_V6: &[(&str, usize)] =
    &[("another source", 23), ("another destination", 39), ("another protocol", 6)];

/// Covers: RFC 5927 §4.1; RFC 1122 §3.2.2; RFC 4443 §2.4
#[test]
fn an_error_is_believed_only_if_it_quotes_what_is_in_flight() {
    // What ends an attempt: nobody is at the port.
    let errors = [(3, 3), (1, 4)];
    for ((family, spoilt), (kind, code)) in FAMILIES.into_iter().zip([SPOILT_V4, SPOILT_V6]).zip(errors) {
        let mut bench = Bench::attempt(family);
        let (whole, at) = (bench.packet.clone(), family.header_len());
        let changed = |at: usize, by: u8| {
            let mut quote = whole[..family.header_len() + 8].to_vec();
            quote[at] = quote[at].wrapping_add(by);
            quote
        };
        let mut quotes = vec![
            ("seven octets of TCP", whole[..at + 7].to_vec()),
            ("half an IP header", whole[..at / 2].to_vec()),
            ("nothing", vec![]),
            ("a number before", changed(at + 7, 0xff)),
            ("a number not sent yet", changed(at + 7, 1)),
            ("another port of ours", changed(at + 1, 1)),
            ("another port of the peer", changed(at + 3, 1)),
        ];
        quotes.extend(spoilt.iter().map(|&(name, at)| (name, changed(at, 1))));
        let speak_of_tcp = quotes.len() as u32 - 1;
        for (name, quote) in quotes {
            assert_eq!(bench.tell(kind, code, &quote), Events::empty(), "{family:?}: {name}");
        }
        assert_eq!(bench.state(), State::SynSent);
        assert_eq!(bench.net.iface.stats().drops(DropReason::IcmpMismatch), speak_of_tcp, "{family:?}");
        assert_eq!(bench.tell(kind, code, &whole[..at + 8]), Events::ERROR | Events::CLOSED);
    }
}

/// Covers: RFC 9293 MUST-48, MUST-49
#[test]
fn packets_have_the_traffic_class_and_hop_limit_that_their_socket_says() {
    for family in FAMILIES {
        let mut bench = Bench::connection(family);
        assert_eq!(look(&bench.packet), (0, 64));
        bench.socket().set_traffic_class(0xbb);
        bench.socket().set_hop_limit(Some(3));
        assert_eq!(bench.socket().traffic_class(), 0xb8, "without the bits of ECN");
        bench.socket().close();
        bench.net.poll();
        let fin = bench.net.sent().remove(0);
        assert_checksums(&fin);
        assert_eq!(look(&fin), (0xb8, 3), "changed while connected");
    }
}

#[test]
fn connections_inherit_from_their_listener() {
    for family in FAMILIES {
        let mut net = Net::ip();
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 2]);
        listener.set_buffers(1_000, 1_000, 2);
        listener.set_hop_limit(Some(255));
        listener.set_traffic_class(0x2c);
        assert_eq!((listener.hop_limit(), listener.traffic_class()), (255, 0x2c));
        let listener = net.sockets.add(listener);
        net.sockets.listen(listener, 80).unwrap();
        let syn_ack = net.exchange(family.tcp((4_000, 80), (1, 0), Flags::SYN, &[], &[])).remove(0);
        assert_eq!(look(&syn_ack), (0x2c, 255));
        net.advance(crate::time::Duration::from_secs(2));
        net.poll();
        assert_eq!(look(&net.sent()[0]), (0x2c, 255), "once more");
        net.exchange(family.tcp((4_000, 80), (2, seq_of(&syn_ack) + 1), Flags::ACK, &[], &[]));
        let handle = net.sockets.accept(listener).unwrap();
        let socket = net.sockets.get_mut::<Socket>(handle);
        assert_eq!((socket.traffic_class(), socket.hop_limit()), (0x2c, 255));
        socket.send_slice(b"hello").unwrap();
        net.poll();
        assert_eq!(look(&net.sent()[0]), (0x2c, 255));
    }
}
