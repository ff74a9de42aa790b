//! What ICMP says of connections: whom it is believed to concern, and what it does. And what packets of TCP
//! look like from outside: traffic class and hop limit.

use super::net::*;
use crate::iface::SocketHandle;
use crate::socket::tcp::{Error, HalfOpen, Listener, Socket, State};
use crate::socket::{Events, Unreachable};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::wire::IpAddress;
use crate::wire::tcp::Flags;

const ROUTER: [u8; 4] = [10, 0, 0, 254];

/// A connection with something in flight, and the packet that has it.
struct Bench {
    net: Net,
    handle: SocketHandle,
    packet: Vec<u8>,
}

impl Bench {
    /// The SYN is out.
    fn attempt() -> Bench {
        let mut net = Net::ip();
        let buffer = || SocketBuffer::new(vec![0; 1_000]);
        let handle = net.sockets.add(Socket::new(buffer(), buffer()));
        net.sockets.get_mut::<Socket>(handle).connect((IpAddress::v4(10, 0, 0, 2), 4_000), 80).unwrap();
        net.poll();
        let packet = net.sent().remove(0);
        Bench { net, handle, packet }
    }

    /// Ten octets are out.
    fn connection() -> Bench {
        let mut bench = Bench::attempt();
        let iss = u32::from_be_bytes(bench.packet[24..28].try_into().unwrap());
        let flags = Flags::SYN | Flags::ACK;
        bench.net.exchange(tcp4(PEER_IP, OUR_IP, (4_000, 80), (99, iss + 1), flags, &[], &[]));
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
        assert!(self.net.exchange(icmp4(ROUTER, OUR_IP, message)).is_empty());
        self.net.sockets.next_ready().map_or(Events::empty(), |(_, events)| events)
    }

    /// The same that quotes what RFC 792 asks for: eight octets behind the IP header.
    fn tell_of_packet(&mut self, kind: u8, code: u8) -> Events {
        let quote = self.packet[..28].to_vec();
        self.tell(kind, code, &quote)
    }

    fn state(&mut self) -> State {
        self.socket().state()
    }
}

/// Covers: RFC 9293 MUST-47, MUST-54, MUST-56; RFC 1122 §4.2.3.9; RFC 5461 §2.1
#[test]
fn a_soft_error_is_told_and_ends_nothing() {
    let cases = [
        (3, 0, Unreachable::Network),
        (3, 1, Unreachable::Host),
        (3, 5, Unreachable::Other),
        (3, 13, Unreachable::Prohibited),
        (11, 0, Unreachable::HopLimit),
        (12, 0, Unreachable::Malformed),
    ];
    for mut bench in [Bench::attempt(), Bench::connection()] {
        let state = bench.state();
        for (kind, code, reason) in cases {
            assert_eq!(bench.tell_of_packet(kind, code), Events::ERROR, "{reason:?}");
            assert_eq!(bench.socket().take_icmp_error(), Some(reason));
            assert_eq!(bench.socket().take_icmp_error(), None, "once");
            assert_eq!((bench.state(), bench.socket().error()), (state, None));
        }
    }
}

/// Covers: RFC 9293 MUST-55; RFC 6633 §3
#[test]
fn source_quench_and_too_big_are_not_told() {
    let mut bench = Bench::connection();
    for (kind, code) in [(4, 0), (3, 4), (5, 1)] {
        assert_eq!(bench.tell_of_packet(kind, code), Events::empty());
    }
    assert_eq!((bench.socket().take_icmp_error(), bench.state()), (None, State::Established));
}

/// Covers: RFC 1122 §4.2.3.9; RFC 5927 §5.2; RFC 5461 §2.2
#[test]
fn a_hard_error_ends_an_attempt_and_no_connection() {
    for (code, error) in [(3, Error::Refused), (2, Error::Unreachable)] {
        let mut bench = Bench::attempt();
        assert_eq!(bench.tell_of_packet(3, code), Events::ERROR | Events::CLOSED);
        assert_eq!((bench.state(), bench.socket().error()), (State::Closed, Some(error)));
        assert!(bench.net.sent().is_empty());
        let mut bench = Bench::connection();
        assert_eq!(bench.tell_of_packet(3, code), Events::ERROR);
        assert_eq!((bench.state(), bench.socket().error()), (State::Established, None));
    }
}

/// Covers: RFC 5927 §4.1; RFC 1122 §3.2.2
#[test]
fn an_error_is_believed_only_if_it_quotes_what_is_in_flight() {
    let mut bench = Bench::attempt();
    let whole = bench.packet.clone();
    let changed = |at: usize, by: u8| {
        let mut quote = whole[..28].to_vec();
        quote[at] = quote[at].wrapping_add(by);
        quote
    };
    let quotes = [
        ("seven octets of TCP", whole[..27].to_vec()),
        ("half an IP header", whole[..10].to_vec()),
        ("nothing", vec![]),
        ("a number before", changed(27, 0xff)),
        ("a number not sent yet", changed(27, 1)),
        ("another port of ours", changed(21, 1)),
        ("another port of the peer", changed(23, 1)),
        ("another source", changed(15, 1)),
        ("another destination", changed(19, 1)),
        ("a later fragment", changed(7, 1)),
        ("another protocol", changed(9, 1)),
    ];
    for (name, quote) in quotes {
        assert_eq!(bench.tell(3, 3, &quote), Events::empty(), "{name}");
    }
    assert_eq!(bench.state(), State::SynSent);
    assert_eq!(bench.net.iface.stats().drops(DropReason::IcmpMismatch), 10, "all that speak of TCP");
    assert_eq!(bench.tell(3, 3, &whole[..28]), Events::ERROR | Events::CLOSED);
}

/// Covers: RFC 9293 MUST-48, MUST-49
#[test]
fn packets_have_the_traffic_class_and_hop_limit_that_their_socket_says() {
    let mut bench = Bench::connection();
    assert_eq!((bench.packet[1], bench.packet[8]), (0, 64));
    bench.socket().set_traffic_class(0xbb);
    bench.socket().set_hop_limit(Some(3));
    assert_eq!(bench.socket().traffic_class(), 0xb8, "without the bits of ECN");
    bench.socket().close();
    bench.net.poll();
    let fin = bench.net.sent().remove(0);
    assert_checksums(&fin);
    assert_eq!((fin[1], fin[8]), (0xb8, 3), "changed while connected");
}

#[test]
fn connections_inherit_from_their_listener() {
    let mut net = Net::ip();
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 2]);
    listener.set_buffers(1_000, 1_000, 2);
    listener.set_hop_limit(Some(255));
    listener.set_traffic_class(0x2c);
    assert_eq!((listener.hop_limit(), listener.traffic_class()), (255, 0x2c));
    let listener = net.sockets.add(listener);
    net.sockets.listen(listener, 80).unwrap();
    let look = |packet: &[u8]| (packet[1], packet[8]);
    let syn_ack = net.exchange(tcp4(PEER_IP, OUR_IP, (4_000, 80), (1, 0), Flags::SYN, &[], &[])).remove(0);
    assert_eq!(look(&syn_ack), (0x2c, 255));
    net.advance(crate::time::Duration::from_secs(2));
    net.poll();
    assert_eq!(look(&net.sent()[0]), (0x2c, 255), "once more");
    let iss = u32::from_be_bytes(syn_ack[24..28].try_into().unwrap());
    net.exchange(tcp4(PEER_IP, OUR_IP, (4_000, 80), (2, iss + 1), Flags::ACK, &[], &[]));
    let handle = net.sockets.accept(listener).unwrap();
    let socket = net.sockets.get_mut::<Socket>(handle);
    assert_eq!((socket.traffic_class(), socket.hop_limit()), (0x2c, 255));
    socket.send_slice(b"hello").unwrap();
    net.poll();
    assert_eq!(look(&net.sent()[0]), (0x2c, 255));
    net.exchange(tcp4(PEER_IP, OUR_IP, (4_000, 99), (1, 0), Flags::SYN, &[], &[]));
}
