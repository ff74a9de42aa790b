//! The DHCP client, in virtual time, at a server that the tests write by hand.

mod acquire;
mod hostile;
mod keep;
mod settings;

use std::vec::Vec;

use super::net::*;
use crate::iface::{Config, DhcpConfig, DhcpState, SocketSet};
use crate::phy::{HardwareAddress, Medium};
use crate::rand::Keys;
use crate::time::{Duration, Instant};
use crate::wire::dhcpv4::{MessageType, Operation, Options, Packet, Repr, code};
use crate::wire::{IpCidr, Ipv4Address, Ipv4Cidr};

const SERVER: [u8; 4] = PEER_IP;
const LENT: [u8; 4] = [10, 0, 0, 77];
/// A lease of an hour, the mask, the server as router, and a DNS server.
pub(super) const TERMS: &[u8] =
    &[51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 2, 6, 4, 10, 0, 0, 53, 54, 4, 10, 0, 0, 2];
const HOUR: Duration = Duration::from_secs(3_600);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A stack without any address.
fn net(seed: u8) -> Net {
    let wire = Wire::new(Medium::Ethernet);
    let iface = interface(Config::new(HardwareAddress::Ethernet(OUR_MAC)), &wire, 0);
    let sockets = SocketSet::with_capacity(8, Keys::new([seed; 32]));
    Net { now: Instant::from_secs(1), wire, iface, sockets }
}

/// The same with a client.
fn client() -> Net {
    client_with(DhcpConfig::default())
}

fn client_with(config: DhcpConfig) -> Net {
    let mut net = net(7);
    net.iface.set_dhcp(Some(config));
    net
}

/// A message of the client, and the packet around it.
#[derive(Debug, Clone)]
struct Said {
    at: Instant,
    to: [u8; 6],
    src: [u8; 4],
    dst: [u8; 4],
    data: Vec<u8>,
}

impl Said {
    /// What a frame carries, if that is a client's message.
    fn of(at: Instant, frame: &[u8]) -> Option<Said> {
        if frame[12..14] != [8, 0] || frame[23] != 17 || frame[34..38] != [0, 68, 0, 67] {
            return None;
        }
        assert_checksums(&frame[14..]);
        let addr = |at: usize| frame[at..at + 4].try_into().unwrap();
        let (src, dst, to) = (addr(26), addr(30), frame[..6].try_into().unwrap());
        Some(Said { at, to, src, dst, data: frame[42..].to_vec() })
    }

    fn repr(&self) -> Repr<'_> {
        Repr::parse(&Packet::new_unchecked(&self.data[..])).unwrap()
    }

    fn options(&self) -> Options<'_> {
        self.repr().options
    }

    fn kind(&self) -> MessageType {
        self.options().message_type().unwrap()
    }

    fn is_to_all(&self) -> bool {
        (self.to, self.dst) == ([0xff; 6], [255; 4])
    }

    /// An answer to it.
    fn answer(&self, kind: MessageType, yiaddr: [u8; 4], options: &[u8]) -> Vec<u8> {
        let area = [&[code::MESSAGE_TYPE, 1, kind.0][..], options].concat();
        let mut repr = self.repr();
        repr.operation = Operation::Reply;
        repr.options = Options::new(&area).unwrap();
        repr.ciaddr = Ipv4Address::UNSPECIFIED;
        repr.yiaddr = yiaddr.into();
        let mut message = Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
        repr.emit(&mut message);
        from_server(yiaddr, &message.into_inner())
    }
}

/// A server's datagram; one to nobody goes to all.
fn from_server(dst: [u8; 4], message: &[u8]) -> Vec<u8> {
    let dst = if dst == [0; 4] { [255; 4] } else { dst };
    ethernet(0x800, &udp4((SERVER, 67), (dst, 68), message))
}

fn said(sent: &[(Instant, Vec<u8>)]) -> Vec<Said> {
    sent.iter().filter_map(|(at, frame)| Said::of(*at, frame)).collect()
}

/// Polls once and gives what was sent; the server answers who asks for its hardware address.
fn step(net: &mut Net) -> Vec<(Instant, Vec<u8>)> {
    net.poll();
    let mut sent = net.sent();
    if sent.iter().any(|frame| frame[12..14] == [8, 6] && frame[20..22] == [0, 1] && frame[38..42] == SERVER)
    {
        sent.extend(net.exchange(arp(2, PEER_MAC, SERVER, OUR_MAC, LENT)));
    }
    sent.into_iter().map(|frame| (net.now, frame)).collect()
}

/// What is sent until `until`, polled whenever it wants to.
fn run(net: &mut Net, until: Instant) -> Vec<(Instant, Vec<u8>)> {
    let mut all = step(net);
    while let Some(at) = net.iface.poll_at(net.now, &mut net.sockets).filter(|at| *at <= until) {
        net.now = at.max(net.now + Duration::from_micros(1));
        all.extend(step(net));
    }
    net.now = until;
    all
}

/// What the client says for so long.
fn listen(net: &mut Net, span: Duration) -> Vec<Said> {
    let until = net.now + span;
    let sent = run(net, until);
    said(&sent)
}

/// What the client says next, as soon as it does.
fn next(net: &mut Net) -> Said {
    for _ in 0..64 {
        let sent = step(net);
        if let Some(first) = said(&sent).into_iter().next() {
            return first;
        }
        let at = net.iface.poll_at(net.now, &mut net.sockets).expect("it waits for something");
        net.now = at.max(net.now + Duration::from_micros(1));
    }
    panic!("it says nothing");
}

/// Gives it a frame, and what it says at once to that.
fn hear(net: &mut Net, frame: Vec<u8>) -> Vec<Said> {
    let sent: Vec<_> = net.exchange(frame).into_iter().map(|frame| (net.now, frame)).collect();
    said(&sent)
}

fn state(net: &Net) -> DhcpState {
    net.iface.dhcp_state().unwrap()
}

fn addrs(net: &Net) -> Vec<IpCidr> {
    net.iface.ip_addrs().collect()
}

fn lent() -> IpCidr {
    IpCidr::Ipv4(Ipv4Cidr::new(LENT.into(), 24))
}

/// Takes the first offer, up to the acknowledgment.
fn to_ack(net: &mut Net, terms: &[u8]) -> Said {
    let discover = next(net);
    assert_eq!(discover.kind(), MessageType::DISCOVER);
    let request = hear(net, discover.answer(MessageType::OFFER, LENT, terms)).remove(0);
    assert!(hear(net, request.answer(MessageType::ACK, LENT, terms)).is_empty());
    assert_eq!(state(net), DhcpState::Checking);
    request
}

/// Waits until the address is known to be nobody else's.
fn to_bound(net: &mut Net) {
    let said = listen(net, secs(10));
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(state(net), DhcpState::Bound);
}

/// A client with an address, lent on these terms, and when that was asked for.
pub(super) fn bound_with(config: DhcpConfig, terms: &[u8]) -> (Net, Instant) {
    let mut net = client_with(config);
    let asked_at = to_ack(&mut net, terms).at;
    to_bound(&mut net);
    (net, asked_at)
}

pub(super) fn bound() -> (Net, Instant) {
    bound_with(DhcpConfig::default(), TERMS)
}
