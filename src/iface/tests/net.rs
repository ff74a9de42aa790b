//! A device whose frames the test puts in and takes out, and stacks on it.

use std::collections::VecDeque;
use std::vec::Vec;

use crate::iface::{Config, Group, Interface, InterfaceStorage, SocketSet};
use crate::phy::{
    Device, DeviceCapabilities, HardwareAddress, LinkState, Medium, RxMeta, RxToken, TxMeta, TxToken,
};
use crate::rand::Keys;
use crate::time::{Duration, Instant};
use crate::wire::IpCidr;
use crate::wire::checksum::{pseudo_header, sum};
use crate::wire::tcp::Flags;
use crate::wire::{Addr, IpAddress};

pub(super) const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(super) const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub(super) const OUR_IP: [u8; 4] = [10, 0, 0, 1];
pub(super) const PEER_IP: [u8; 4] = [10, 0, 0, 2];

/// Frames in, frames out, and how many more it takes.
pub(super) struct Wire {
    pub(super) medium: Medium,
    pub(super) to_stack: VecDeque<Vec<u8>>,
    pub(super) from_stack: VecDeque<Vec<u8>>,
    pub(super) room: usize,
    /// Octets of the largest IP packet; to be set before the interface is made.
    pub(super) ip_mtu: usize,
    /// What is said of each frame that comes in.
    pub(super) meta: RxMeta,
    /// What was said of each frame that went out.
    pub(super) asked: Vec<TxMeta>,
    pub(super) link: LinkState,
    pub(super) filter: Vec<HardwareAddress>,
}

impl Wire {
    pub(super) fn new(medium: Medium) -> Wire {
        Wire {
            medium,
            to_stack: VecDeque::new(),
            from_stack: VecDeque::new(),
            room: usize::MAX,
            ip_mtu: 1_500,
            meta: RxMeta::default(),
            asked: Vec::new(),
            link: LinkState::UP,
            filter: Vec::new(),
        }
    }
}

pub(super) struct Rx(Vec<u8>, RxMeta);
pub(super) struct Tx<'a> {
    frames: &'a mut VecDeque<Vec<u8>>,
    room: &'a mut usize,
    asked: &'a mut Vec<TxMeta>,
    meta: TxMeta,
}

impl RxToken for Rx {
    fn meta(&self) -> RxMeta {
        self.1
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Tx<'_> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.meta = meta;
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0xff; len];
        let result = f(&mut frame);
        self.frames.push_back(frame);
        self.asked.push(self.meta);
        *self.room -= 1;
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Rx, Option<Tx<'_>>)> {
        let frame = self.to_stack.pop_front()?;
        Some((Rx(frame, self.meta), self.transmit(now)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Tx<'_>> {
        let Wire { from_stack, room, asked, .. } = self;
        (*room > 0).then_some(Tx { frames: from_stack, room, asked, meta: TxMeta::default() })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let header_len = if self.medium == Medium::Ethernet { 14 } else { 0 };
        DeviceCapabilities::new(self.medium, self.ip_mtu + header_len)
    }

    fn link(&self) -> LinkState {
        self.link
    }

    fn set_multicast_filter(&mut self, groups: &[HardwareAddress]) {
        self.filter = groups.to_vec();
    }
}

/// An interface with room for so many groups: with none, nothing is said of the own addresses' groups.
pub(super) fn interface(config: Config, wire: &Wire, groups: usize) -> Interface<'static> {
    let groups = vec![Group::EMPTY; groups].into();
    let storage = InterfaceStorage { groups, ..InterfaceStorage::default() };
    Interface::with_storage(config, wire.capabilities(), storage)
}

/// A stack on one wire.
pub(super) struct Net {
    pub(super) now: Instant,
    pub(super) wire: Wire,
    pub(super) iface: Interface<'static>,
    pub(super) sockets: SocketSet<'static>,
}

impl Net {
    /// Without room for groups, so that nothing is said of the own addresses' groups.
    pub(super) fn new(medium: Medium) -> Net {
        Net::with_groups(medium, 0)
    }

    pub(super) fn with_groups(medium: Medium, count: usize) -> Net {
        let wire = Wire::new(medium);
        let hardware = match medium {
            Medium::Ethernet => HardwareAddress::Ethernet(OUR_MAC),
            Medium::Ip => HardwareAddress::Ip,
        };
        let now = Instant::from_secs(1);
        let mut iface = interface(Config::new(hardware), &wire, count);
        iface.add_address(IpCidr::new(IpAddress::from(crate::wire::Ipv4Address::from(OUR_IP)), 24)).unwrap();
        iface.add_address(IpCidr::new(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1), 64)).unwrap();
        iface.add_address(IpCidr::new(IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 1), 64)).unwrap();
        let sockets = SocketSet::with_capacity(8, Keys::new([7; 32]));
        Net { now, wire, iface, sockets }
    }

    pub(super) fn ethernet() -> Net {
        Net::new(Medium::Ethernet)
    }

    pub(super) fn ip() -> Net {
        Net::new(Medium::Ip)
    }

    pub(super) fn poll(&mut self) {
        self.iface.poll(self.now, &mut self.wire, &mut self.sockets);
    }

    /// Puts a frame in and gives what comes out.
    pub(super) fn exchange(&mut self, frame: Vec<u8>) -> Vec<Vec<u8>> {
        self.wire.to_stack.push_back(frame);
        self.poll();
        self.sent()
    }

    pub(super) fn sent(&mut self) -> Vec<Vec<u8>> {
        self.wire.from_stack.drain(..).collect()
    }

    pub(super) fn advance(&mut self, span: Duration) {
        self.now += span;
    }

    /// The peer asks who we are, by which we learn who it is.
    pub(super) fn meet(&mut self, peer: [u8; 4]) {
        let answers = self.exchange(arp(1, PEER_MAC, peer, [0; 6], OUR_IP));
        assert_eq!(answers.len(), 1);
    }
}

/// An ARP frame.
pub(super) fn arp(op: u8, sha: [u8; 6], spa: [u8; 4], tha: [u8; 6], tpa: [u8; 4]) -> Vec<u8> {
    let to = if op == 1 { [0xff; 6] } else { OUR_MAC };
    [&to[..], &sha, &[8, 6, 0, 1, 8, 0, 6, 4, 0, op], &sha, &spa, &tha, &tpa].concat()
}

/// An Ethernet frame from the peer to us.
pub(super) fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&OUR_MAC[..], &PEER_MAC, &ether_type.to_be_bytes(), payload].concat()
}

/// An IPv4 packet.
pub(super) fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len()) as u16;
    let mut header = vec![0x45, 0, (len >> 8) as u8, len as u8, 0, 1, 0, 0, 64, protocol, 0, 0];
    header.extend(src);
    header.extend(dst);
    let checksum = sum(&header).finish();
    header[10..12].copy_from_slice(&checksum);
    header.extend(payload);
    header
}

/// An IPv6 packet.
pub(super) fn ipv6(src: [u8; 16], dst: [u8; 16], next: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u16;
    [&[0x60, 0, 0, 0, (len >> 8) as u8, len as u8, next, hop_limit][..], &src, &dst, payload].concat()
}

/// The last `octets` of an address in fd00::/64.
pub(super) const fn ula(last: u8) -> [u8; 16] {
    [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
}

/// A UDP datagram in an IPv6 packet.
pub(super) fn udp6(src: ([u8; 16], u16), dst: ([u8; 16], u16), hop_limit: u8, data: &[u8]) -> Vec<u8> {
    let len = (8 + data.len()) as u16;
    let ports = [src.1.to_be_bytes(), dst.1.to_be_bytes()].concat();
    let mut datagram = [&ports[..], &len.to_be_bytes(), &[0, 0], data].concat();
    let pseudo = pseudo_header(&Addr::v6(src.0), &Addr::v6(dst.0), 17, u32::from(len));
    let checksum = pseudo.add(sum(&datagram)).finish_udp();
    datagram[6..8].copy_from_slice(&checksum);
    ipv6(src.0, dst.0, 17, hop_limit, &datagram)
}

/// A UDP datagram in an IPv4 packet.
pub(super) fn udp4(src: ([u8; 4], u16), dst: ([u8; 4], u16), data: &[u8]) -> Vec<u8> {
    let len = (8 + data.len()) as u16;
    let ports = [src.1.to_be_bytes(), dst.1.to_be_bytes()].concat();
    let mut datagram = [&ports[..], &len.to_be_bytes(), &[0, 0], data].concat();
    let pseudo = pseudo_header(&Addr::v4(src.0), &Addr::v4(dst.0), 17, u32::from(len));
    let checksum = pseudo.add(sum(&datagram)).finish_udp();
    datagram[6..8].copy_from_slice(&checksum);
    ipv4(src.0, dst.0, 17, &datagram)
}

/// A TCP segment in an IPv4 packet: ports, then sequence and acknowledgment number; a window of 65,535 octets.
pub(super) fn tcp4(
    src: [u8; 4],
    dst: [u8; 4],
    ports: (u16, u16),
    numbers: (u32, u32),
    flags: Flags,
    options: &[u8],
    data: &[u8],
) -> Vec<u8> {
    ipv4(src, dst, 6, &segment(Addr::v4(src), Addr::v4(dst), ports, numbers, flags, options, data))
}

/// The segment alone, with its checksum.
pub(super) fn segment(
    src: Addr,
    dst: Addr,
    ports: (u16, u16),
    numbers: (u32, u32),
    flags: Flags,
    options: &[u8],
    data: &[u8],
) -> Vec<u8> {
    let mut segment = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    segment.extend([numbers.0.to_be_bytes(), numbers.1.to_be_bytes()].concat());
    let offset = (5 + options.len() / 4) as u8;
    segment.extend([offset << 4, flags.bits(), 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend([options, data].concat());
    let pseudo = pseudo_header(&src, &dst, 6, segment.len() as u32);
    let checksum = pseudo.add(sum(&segment)).finish();
    segment[16..18].copy_from_slice(&checksum);
    segment
}

/// An ICMP message with its checksum, in an IPv4 packet.
pub(super) fn icmp4(src: [u8; 4], dst: [u8; 4], mut message: Vec<u8>) -> Vec<u8> {
    let checksum = sum(&message).finish();
    message[2..4].copy_from_slice(&checksum);
    ipv4(src, dst, 1, &message)
}

/// An ICMPv6 message with its checksum, in an IPv6 packet.
pub(super) fn icmp6(src: [u8; 16], dst: [u8; 16], hop_limit: u8, mut message: Vec<u8>) -> Vec<u8> {
    let pseudo = pseudo_header(&Addr::v6(src), &Addr::v6(dst), 58, message.len() as u32);
    let checksum = pseudo.add(sum(&message)).finish();
    message[2..4].copy_from_slice(&checksum);
    ipv6(src, dst, 58, hop_limit, &message)
}

/// Checks the checksums of an IP packet that the stack sent.
pub(super) fn assert_checksums(packet: &[u8]) {
    let (src, dst, protocol, payload) = if packet[0] >> 4 == 4 {
        assert!(sum(&packet[..20]).is_valid(), "IPv4 header checksum");
        let at = |i: usize| packet[i..i + 4].try_into().unwrap();
        (Addr::v4(at(12)), Addr::v4(at(16)), packet[9], &packet[20..])
    } else {
        let at = |i: usize| packet[i..i + 16].try_into().unwrap();
        (Addr::v6(at(8)), Addr::v6(at(24)), packet[6], &packet[40..])
    };
    let pseudo = match protocol {
        1 => crate::wire::checksum::Sum::ZERO,
        _ => pseudo_header(&src, &dst, protocol, payload.len() as u32),
    };
    assert!(pseudo.add(sum(payload)).is_valid(), "transport checksum");
}
