//! What crosses a router of two or three ports, what does not, and who is told.
//!
//! Port 0 is Ethernet with 10.0.0.1/24 and fd00::1/64, port 1 Ethernet with 10.1.0.1/24 and fd01::1/64; behind
//! neighbour 10.1.0.2 is 192.0.2.0/24.

use super::net::*;
use crate::iface::{
    Budget, Config, Handler, Hook, HookSet, Interface, NoHandler, Port, Route, Router, SocketSet, Verdict,
};
use crate::phy::{HardwareAddress, LinkState, Medium, RxMeta};
use crate::rand::Keys;
use crate::stats::{DropReason, IpMib};
use crate::time::{Duration, Instant};
use crate::wire::checksum::{pseudo_header, sum};
use crate::wire::{Addr, IpAddress, IpCidr, ipv4};

const MACS: [[u8; 6]; 2] = [OUR_MAC, [2, 0, 0, 0, 1, 1]];
pub(super) const FAR_MAC: [u8; 6] = [2, 0, 0, 0, 1, 2];
const FAR_IP: [u8; 4] = [10, 1, 0, 2];

pub(super) struct Routed {
    pub(super) now: Instant,
    pub(super) wires: Vec<Wire>,
    pub(super) ifaces: Vec<Interface<'static>>,
    pub(super) sockets: SocketSet<'static>,
}

pub(super) fn cidr(text: &str, prefix_len: u8) -> IpCidr {
    IpCidr::new(text.parse().unwrap(), prefix_len)
}

/// An address of fd01::/64.
pub(super) fn ula1(last: u8) -> [u8; 16] {
    let mut addr = ula(last);
    addr[1] = 1;
    addr
}

impl Routed {
    pub(super) fn with_mtu(ip_mtu: usize) -> Routed {
        let now = Instant::from_secs(1);
        let mut wires = vec![Wire::new(Medium::Ethernet), Wire::new(Medium::Ethernet)];
        wires[1].ip_mtu = ip_mtu;
        let addresses = [["10.0.0.1", "fd00::1", "fe80::1"], ["10.1.0.1", "fd01::1", "fe80::1"]];
        let mut ifaces = Vec::new();
        for (port, wire) in wires.iter_mut().enumerate() {
            let config = Config::new(HardwareAddress::Ethernet(MACS[port]));
            let mut iface = interface(config, wire, 0);
            for (text, prefix_len) in addresses[port].iter().zip([24, 64, 64]) {
                iface.add_address(cidr(text, prefix_len)).unwrap();
            }
            iface.set_forwarding(true);
            ifaces.push(iface);
        }
        let far = Route::new(cidr("192.0.2.0", 24), Some("10.1.0.2".parse().unwrap())).unwrap();
        ifaces[1].routes_mut().add(far).unwrap();
        let mut net = Routed { now, wires, ifaces, sockets: SocketSet::with_capacity(4, Keys::new([7; 32])) };
        net.meet();
        net
    }

    pub(super) fn new() -> Routed {
        Routed::with_mtu(1_500)
    }

    /// The neighbours of both sides ask who we are, by which they are known.
    fn meet(&mut self) {
        self.greet();
        assert_eq!(self.sent().map(|sent| sent.len()), [2, 2]);
    }

    /// The same, with one question of each family on each side.
    pub(super) fn greet(&mut self) {
        self.receive(0, arp(1, PEER_MAC, PEER_IP, [0; 6], OUR_IP));
        self.receive(1, arp(1, FAR_MAC, FAR_IP, [0; 6], [10, 1, 0, 1]));
        let solicit = |mac: [u8; 6], src, dst: [u8; 16]| {
            let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &dst, &[1, 1], &mac].concat();
            icmp6(src, dst, 255, body)
        };
        self.receive(0, frame(0, 0x86dd, &solicit(PEER_MAC, ula(2), ula(1))));
        self.receive(1, frame(1, 0x86dd, &solicit(FAR_MAC, ula1(2), ula1(1))));
    }

    pub(super) fn poll(&mut self) {
        self.poll_with(&mut NoHandler);
    }

    fn poll_with(&mut self, handler: &mut dyn Handler) {
        let Routed { now, wires, ifaces, sockets } = self;
        let ports = ifaces.iter_mut().zip(wires).map(|(iface, wire)| Port::new(iface, wire));
        Router::new(ports.collect::<Vec<_>>()).poll_with(*now, sockets, handler, Budget::default());
    }

    pub(super) fn receive(&mut self, port: usize, frame: Vec<u8>) {
        self.wires[port].to_stack.push_back(frame);
        self.poll();
    }

    pub(super) fn sent(&mut self) -> [Vec<Vec<u8>>; 2] {
        let mut wires = self.wires.iter_mut().map(|wire| wire.from_stack.drain(..).collect());
        [wires.next().unwrap(), wires.next().unwrap()]
    }

    /// Puts an IP packet in at port 0 and gives the IP packets that leave by each port.
    pub(super) fn exchange(&mut self, packet: &[u8]) -> [Vec<Vec<u8>>; 2] {
        let ether_type = if packet[0] >> 4 == 4 { 0x800 } else { 0x86dd };
        self.receive(0, frame(0, ether_type, packet));
        let packets = |frames: Vec<Vec<u8>>| frames.iter().map(|frame| frame[14..].to_vec()).collect();
        self.sent().map(packets)
    }

    pub(super) fn drops(&self, reason: DropReason) -> u32 {
        self.ifaces.iter().map(|iface| iface.stats().drops(reason)).sum()
    }
}

/// A frame to a port's own hardware address.
pub(super) fn frame(port: usize, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let from = [PEER_MAC, FAR_MAC][port];
    [&MACS[port][..], &from, &ether_type.to_be_bytes(), payload].concat()
}

/// The packet with another hop limit.
pub(super) fn with_hop_limit(mut packet: Vec<u8>, hop_limit: u8) -> Vec<u8> {
    if packet[0] >> 4 == 6 {
        packet[7] = hop_limit;
        return packet;
    }
    packet[8] = hop_limit;
    with_checksum(packet)
}

pub(super) fn with_checksum(mut packet: Vec<u8>) -> Vec<u8> {
    packet[10..12].fill(0);
    let checksum = sum(&packet[..20]).finish();
    packet[10..12].copy_from_slice(&checksum);
    packet
}

fn udp6(src: [u8; 16], dst: [u8; 16], data: &[u8]) -> Vec<u8> {
    let len = (8 + data.len()) as u16;
    let mut datagram = [&[0x10, 0, 0, 7][..], &len.to_be_bytes(), &[0, 0], data].concat();
    let pseudo = pseudo_header(&Addr::v6(src), &Addr::v6(dst), 17, u32::from(len));
    let checksum = pseudo.add(sum(&datagram)).finish_udp();
    datagram[6..8].copy_from_slice(&checksum);
    ipv6(src, dst, 17, 64, &datagram)
}

fn to_far(data: &[u8]) -> Vec<u8> {
    udp4((PEER_IP, 4_000), (FAR_IP, 7), data)
}

/// Covers: RFC 1812 §5.3.1, RFC 8200 §3
#[test]
fn a_packet_crosses_one_hop_older_and_otherwise_as_it_was() {
    let mut net = Routed::new();
    for packet in [to_far(b"cross"), udp6(ula(2), ula1(2), b"cross")] {
        let ether_type = if packet[0] >> 4 == 4 { 0x800 } else { 0x86dd };
        net.receive(0, frame(0, ether_type, &packet));
        let [back, on] = net.sent();
        assert_eq!((back.len(), on.len()), (0, 1));
        assert_eq!((&on[0][..6], &on[0][6..12]), (&FAR_MAC[..], &MACS[1][..]));
        assert_checksums(&on[0][14..]);
        assert_eq!(on[0][14..], with_hop_limit(packet, 63));
    }
    assert_eq!([net.ifaces[1].mib().ipv4, net.ifaces[1].mib().ipv6].map(|ip| ip.out_forw_datagrams), [1, 1]);
}

#[test]
fn the_links_padding_does_not_cross() {
    let mut net = Routed::new();
    let mut padded = frame(0, 0x800, &to_far(b""));
    let len = padded.len();
    padded.resize(60, 0);
    net.receive(0, padded);
    assert_eq!(net.sent()[1][0].len(), len);
}

#[test]
fn nothing_crosses_unless_both_ports_forward() {
    for off in 0..2 {
        let mut net = Routed::new();
        net.ifaces[off].set_forwarding(false);
        assert_eq!(net.exchange(&to_far(b"x")), [vec![], vec![]] as [Vec<Vec<u8>>; 2]);
        let reason = [DropReason::NotOurAddress, DropReason::NotForwarded][off];
        assert_eq!(net.drops(reason), 1);
    }
}

/// Covers: RFC 1812 §5.3.1, RFC 4443 §3.3
#[test]
fn a_packet_on_its_last_hop_is_reported_by_the_side_that_it_came_from() {
    let mut net = Routed::new();
    let packet = with_hop_limit(to_far(b"x"), 1);
    let [back, on] = net.exchange(&packet);
    assert!(on.is_empty());
    assert_checksums(&back[0]);
    assert_eq!((&back[0][12..16], &back[0][16..20]), (&OUR_IP[..], &PEER_IP[..]));
    assert_eq!((&back[0][20..22], &back[0][28..]), (&[11, 0][..], &packet[..]));

    let packet = with_hop_limit(udp6(ula(2), ula1(2), b"x"), 1);
    let [back, _] = net.exchange(&packet);
    assert_checksums(&back[0]);
    assert_eq!((&back[0][8..24], &back[0][24..40]), (&ula(1)[..], &ula(2)[..]));
    assert_eq!((&back[0][40..42], &back[0][48..]), (&[3, 0][..], &packet[..]));
    assert_eq!(net.drops(DropReason::HopLimit), 2);
}

/// Covers: RFC 1812 §5.2.7.1, RFC 4443 §3.1
#[test]
fn where_no_route_leads_the_sender_is_told() {
    let mut net = Routed::new();
    let [back, _] = net.exchange(&udp4((PEER_IP, 1), ([203, 0, 113, 1], 7), b"x"));
    assert_eq!(back[0][20..22], [3, 0]);
    let [back, _] = net.exchange(&udp6(ula(2), [0x20; 16], b"x"));
    assert_checksums(&back[0]);
    assert_eq!(back[0][40..42], [1, 0]);
    assert_eq!(net.drops(DropReason::NoRoute), 2);
}

/// Covers: RFC 1191 §4, RFC 4443 §3.2, RFC 1812 §5.2.6
#[test]
fn a_packet_too_large_is_reported_with_the_mtu() {
    let mut net = Routed::with_mtu(1_280);
    let mut packet = to_far(&[0x55; 1_253]);
    packet[6] = 0x40;
    let [back, on] = net.exchange(&with_checksum(packet.clone()));
    assert!(on.is_empty());
    assert_checksums(&back[0]);
    assert_eq!(back[0][20..28][..2], [3, 4]);
    assert_eq!(back[0][24..28], [0, 0, 5, 0]);
    assert_eq!(back[0].len(), 576);

    let [back, _] = net.exchange(&udp6(ula(2), ula1(2), &[0x55; 1_233]));
    assert_checksums(&back[0]);
    assert_eq!(back[0][40..48][..2], [2, 0]);
    assert_eq!((&back[0][44..48], back[0].len()), (&[0, 0, 5, 0][..], 1_280));
    assert_eq!(net.drops(DropReason::TooBig), 2);

    packet.truncate(1_280);
    packet[2..4].copy_from_slice(&1_280_u16.to_be_bytes());
    assert_eq!(net.exchange(&with_checksum(packet))[1].len(), 1, "what just fits goes on");
}

#[test]
fn a_packet_for_an_unresolved_neighbor_waits_and_leaves_when_it_answers() {
    let mut net = Routed::new();
    let packet = udp4((PEER_IP, 1), ([10, 1, 0, 9], 7), b"wait");
    net.receive(0, frame(0, 0x800, &packet));
    let [back, on] = net.sent();
    assert_eq!((back.len(), on.len()), (0, 1), "only the question");
    assert_eq!(on[0][12..14], [8, 6]);
    let answer = [&MACS[1][..], &arp(2, FAR_MAC, [10, 1, 0, 9], MACS[1], [10, 1, 0, 1])[6..]].concat();
    net.receive(1, answer);
    let [_, on] = net.sent();
    assert_eq!(on[0][..6], FAR_MAC);
    assert_eq!(on[0][14..], with_hop_limit(packet, 63));
}

/// Covers: RFC 1812 §5.2.7.1, RFC 4443 §3.1
#[test]
fn who_sent_what_waited_in_vain_is_told() {
    let mut net = Routed::new();
    let packets = [udp4((PEER_IP, 1), ([10, 1, 0, 9], 7), b"v4"), udp6(ula(2), ula1(9), b"v6")];
    for packet in &packets {
        net.exchange(packet);
    }
    let mut told = Vec::new();
    for _ in 0..50 {
        net.now += Duration::from_millis(100);
        net.poll();
        told.extend(net.sent()[0].drain(..).map(|frame| frame[14..].to_vec()));
    }
    assert_eq!(told.len(), 2);
    told.iter().for_each(|packet| assert_checksums(packet));
    assert_eq!(
        (&told[0][20..22], &told[0][28..]),
        (&[3, 1][..], &with_hop_limit(packets[0].clone(), 63)[..])
    );
    assert_eq!(
        (&told[1][40..42], &told[1][48..]),
        (&[1, 3][..], &with_hop_limit(packets[1].clone(), 63)[..])
    );
    assert_eq!(net.drops(DropReason::NeighborUnreachable), 2);
}

#[test]
fn one_dead_neighbor_holds_only_its_share() {
    let mut net = Routed::new();
    for _ in 0..10 {
        net.exchange(&udp4((PEER_IP, 1), ([10, 1, 0, 9], 7), b"x"));
    }
    assert_eq!(net.drops(DropReason::QueueFull), 7);
    assert_eq!(net.exchange(&to_far(b"x"))[1].len(), 1);
}

/// Covers: RFC 1812 §5.3.7, RFC 3927 §7, RFC 4291 §2.5.6, RFC 1122 §3.2.1.3
#[test]
fn what_means_nothing_beyond_its_link_stays_there() {
    let mut net = Routed::new();
    let sources = [
        [0, 0, 0, 0],
        [0, 1, 2, 3],
        [169, 254, 1, 1],
        [240, 0, 0, 1],
        [127, 0, 0, 1],
        [10, 1, 0, 1],
        [224, 0, 0, 1],
    ];
    for src in sources {
        assert!(net.exchange(&udp4((src, 1), (FAR_IP, 7), b"x")).concat().is_empty(), "{src:?}");
    }
    for dst in [[169, 254, 1, 1], [127, 0, 0, 1], [240, 0, 0, 1], [224, 0, 0, 9], [0, 0, 0, 9]] {
        assert!(net.exchange(&udp4((PEER_IP, 1), (dst, 7), b"x")).concat().is_empty(), "{dst:?}");
    }
    let link_local = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    let groups = [0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    for (src, dst) in [(ula(2), link_local), (ula(2), groups), ([0; 16], ula1(2)), (ula1(1), ula1(2))] {
        assert!(net.exchange(&udp6(src, dst, b"x")).concat().is_empty(), "{src:?} {dst:?}");
    }
    let [back, on] = net.exchange(&udp6(link_local, ula1(2), b"x"));
    assert!(on.is_empty());
    assert!(back.len() == 1 && back[0][40] == 135, "its neighbour is asked for, to be told");
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9];
    for (src, dst) in [(mapped, ula1(2)), (ula(2), mapped)] {
        assert!(net.exchange(&udp6(src, dst, b"x")).concat().is_empty(), "{src:?} {dst:?}");
    }
    assert_eq!(net.drops(DropReason::NotForwarded) + net.drops(DropReason::BadSource), 19);
    // Of IPv4 nobody is told, even where the way back is known.
    net.ifaces[0].add_address(cidr("169.254.9.1", 16)).unwrap();
    assert!(net.exchange(&udp4(([169, 254, 1, 1], 1), (FAR_IP, 7), b"x")).concat().is_empty());
    assert_eq!(net.drops(DropReason::NotForwarded) + net.drops(DropReason::BadSource), 20);
    assert!(net.ifaces.iter_mut().all(|iface| iface.forwarding()));
    net.ifaces[0].set_forwarding(false);
    assert!(!net.ifaces[0].forwarding());
}

/// Covers: RFC 4443 §3.1
#[test]
fn who_sends_beyond_the_scope_of_its_address_is_told() {
    let mut net = Routed::new();
    let [ours, theirs] = [1, 9].map(|last| [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    let packet = udp6(theirs, ula1(2), b"x");
    let [asked, on] = net.exchange(&packet);
    assert!(asked.len() == 1 && on.is_empty());
    let body = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &theirs, &[2, 1], &PEER_MAC].concat();
    let [told, on] = net.exchange(&icmp6(theirs, ours, 255, body));
    assert!(told.len() == 1 && on.is_empty());
    assert_checksums(&told[0]);
    assert_eq!((&told[0][8..24], &told[0][24..40]), (&ours[..], &theirs[..]));
    assert_eq!(
        (&told[0][40..42], &told[0][48..]),
        (&[1, 2][..], &packet[..]),
        "beyond the scope of its source"
    );
}

/// Covers: RFC 2644 §3, RFC 1812 §5.3.4
#[test]
fn broadcasts_are_not_forwarded() {
    let mut net = Routed::new();
    assert!(net.exchange(&udp4((PEER_IP, 1), ([10, 1, 0, 255], 7), b"x")).concat().is_empty());
    assert!(net.exchange(&udp4((PEER_IP, 1), ([255; 4], 7), b"x")).concat().is_empty());
    assert_eq!(net.drops(DropReason::NotForwarded), 1);
    let mut to_all = frame(0, 0x800, &to_far(b"x"));
    to_all[..6].fill(0xff);
    net.receive(0, to_all);
    assert!(net.sent().concat().is_empty());
    assert_eq!(net.drops(DropReason::NotForwarded), 2);
}

/// Covers: RFC 1122 §3.3.4.2
#[test]
fn between_forwarding_ports_an_address_of_one_is_ours_on_all() {
    let mut net = Routed::new();
    let echo = |dst| icmp4(PEER_IP, dst, vec![8, 0, 0, 0, 0, 1, 0, 1, 9]);
    let [back, _] = net.exchange(&echo([10, 1, 0, 1]));
    assert_checksums(&back[0]);
    assert_eq!((&back[0][12..16], back[0][20]), (&[10, 1, 0, 1][..], 0));
    net.ifaces[1].set_forwarding(false);
    assert!(net.exchange(&echo([10, 1, 0, 1])).concat().is_empty(), "the strong host model");
}

/// Covers: RFC 3704 §2.2
#[test]
fn a_source_behind_another_port_is_dropped_when_told_so() {
    // From behind the other port, and from where no route leads.
    let from_v4 = |src| udp4((src, 1), (FAR_IP, 7), b"x");
    let from_v6 = |src| udp6(src, ula1(2), b"x");
    let cases = [
        (from_v4([192, 0, 2, 9]), from_v4([203, 0, 113, 1]), to_far(b"x")),
        (from_v6(ula1(9)), from_v6([0x20; 16]), from_v6(ula(2))),
    ];
    for (behind_another, from_nowhere, honest) in cases {
        let mut net = Routed::new();
        for spoofed in [&behind_another, &from_nowhere] {
            assert_eq!(net.exchange(spoofed)[1].len(), 1, "it is off unless set");
        }
        net.ifaces[0].set_reverse_path_check(true);
        for (count, spoofed) in [&behind_another, &from_nowhere].into_iter().enumerate() {
            assert!(net.exchange(spoofed).concat().is_empty());
            assert_eq!(net.drops(DropReason::SpoofedSource), count as u32 + 1);
        }
        assert_eq!(net.exchange(&honest)[1].len(), 1);
    }
}

/// Covers: RFC 1812 §4.3.2.7, RFC 4443 §2.4 (e)
#[test]
fn no_error_is_sent_about_an_error_or_a_later_fragment() {
    let mut net = Routed::new();
    let quoted = udp4((FAR_IP, 1), (PEER_IP, 2), b"");
    let error = icmp4(PEER_IP, [203, 0, 113, 1], [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted].concat());
    assert!(net.exchange(&error).concat().is_empty());
    let error = icmp6(ula(2), [0x20; 16], 64, vec![1, 4, 0, 0, 0, 0, 0, 0]);
    assert!(net.exchange(&error).concat().is_empty());
    let mut fragment = udp4((PEER_IP, 1), ([203, 0, 113, 1], 7), &[0; 16]);
    fragment[7] = 1;
    assert!(net.exchange(&with_checksum(fragment.clone())).concat().is_empty());
    fragment[6..8].copy_from_slice(&[0x20, 0]);
    assert_eq!(net.exchange(&with_checksum(fragment))[0].len(), 1, "the first fragment is one's own fault");
}

#[test]
fn fragments_cross_as_they_are() {
    let mut net = Routed::new();
    for flags in [[0x20, 0], [0x20, 8], [0, 16]] {
        let mut fragment = to_far(&[7; 64]);
        fragment[6..8].copy_from_slice(&flags);
        let fragment = with_checksum(fragment);
        assert_eq!(net.exchange(&fragment)[1], [with_hop_limit(fragment, 63)]);
    }
    let fragment = ipv6(ula(2), ula1(2), 44, 64, &[17, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4]);
    assert_eq!(net.exchange(&fragment)[1], [with_hop_limit(fragment, 63)]);
}

/// A TCP segment with `len` octets of payload and a sum in its checksum field that covers only the addresses.
pub(super) fn partial_tcp(is_v4: bool, len: usize) -> Vec<u8> {
    let mut tcp = vec![0x10, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0xab, 0xcd, 0, 0];
    tcp.extend((0..len).map(|i| (i % 251) as u8));
    if !is_v4 {
        return ipv6(ula(2), ula1(2), 6, 64, &tcp);
    }
    let mut packet = ipv4(PEER_IP, FAR_IP, 6, &tcp);
    packet[6] = 0x40;
    with_checksum(packet)
}

#[test]
fn coalesced_segments_are_cut_apart_again() {
    for is_v4 in [true, false] {
        let mut net = Routed::new();
        net.wires[0].meta =
            RxMeta { checksum_ok: true, checksum_partial: true, segment_len: 1_400, ..RxMeta::default() };
        let packet = partial_tcp(is_v4, 3_000);
        let [_, on] = net.exchange(&packet);
        let headers_len = packet.len() - 3_000;
        let lens: Vec<_> = on.iter().map(|packet| packet.len() - headers_len).collect();
        assert_eq!(lens, [1_400, 1_400, 200]);
        on.iter().for_each(|packet| assert_checksums(packet));
        let payload: Vec<u8> = on.iter().flat_map(|packet| packet[headers_len..].to_vec()).collect();
        assert_eq!(payload, packet[headers_len..]);
        let hop_limits: Vec<_> = on.iter().map(|packet| packet[if is_v4 { 8 } else { 7 }]).collect();
        assert_eq!(hop_limits, [63; 3]);
    }
}

#[test]
fn coalesced_segments_that_do_not_fit_are_reported_with_the_mtu() {
    let mut net = Routed::with_mtu(1_280);
    net.wires[0].meta = RxMeta { checksum_ok: true, segment_len: 1_400, ..RxMeta::default() };
    let [back, on] = net.exchange(&partial_tcp(true, 3_000));
    assert!(on.is_empty());
    assert_eq!((&back[0][20..22], &back[0][24..28]), (&[3, 4][..], &[0, 0, 5, 0][..]));
}

#[test]
fn a_checksum_that_was_never_completed_is_before_it_meets_a_wire() {
    let mut net = Routed::new();
    net.wires[0].meta = RxMeta { checksum_ok: true, checksum_partial: true, ..RxMeta::default() };
    for packet in [partial_tcp(true, 99), partial_tcp(false, 99), to_far(b"datagram")] {
        let [_, on] = net.exchange(&packet);
        assert_checksums(&on[0]);
    }
}

#[test]
fn a_handler_decides_what_crosses() {
    struct Judge(Vec<Vec<u8>>, Verdict);
    impl Handler for Judge {
        fn packet(&mut self, hook: Hook, _interface: u8, packet: &[u8]) -> Verdict {
            if hook != Hook::Forward {
                return Verdict::Accept;
            }
            self.0.push(packet.to_vec());
            self.1
        }
    }
    let echoes = [
        icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1]),
        icmp6(ula(2), ula(1), 64, vec![128, 0, 0, 0, 0, 1, 0, 1]),
    ];
    let crossing = [to_far(b"x"), udp6(ula(2), ula1(2), b"x")];
    for ((across, echo), ether_type) in crossing.into_iter().zip(echoes).zip([0x800, 0x86dd]) {
        let mut net = Routed::new();
        for (verdict, crossed) in [(Verdict::Accept, 1), (Verdict::Drop, 0)] {
            let mut judge = Judge(Vec::new(), verdict);
            net.wires[0].to_stack.push_back(frame(0, ether_type, &across));
            net.wires[0].to_stack.push_back(frame(0, ether_type, &echo));
            net.poll_with(&mut judge);
            assert!(judge.0.iter().eq([&across]), "the echo request is for us");
            assert_eq!(net.sent()[1].len(), crossed);
        }
        assert_eq!(net.drops(DropReason::Filtered), 1);
    }
}

/// It keeps what comes by one port from crossing, and lets nothing of ours leave by another.
#[test]
fn a_handler_is_told_the_port_that_a_packet_concerns() {
    /// Where it was asked, and by which port.
    struct Judge(Vec<(Hook, u8)>, Option<(Hook, u8)>);
    impl Handler for Judge {
        fn packet(&mut self, hook: Hook, interface: u8, _packet: &[u8]) -> Verdict {
            self.0.push((hook, interface));
            if self.1 == Some((hook, interface)) { Verdict::Drop } else { Verdict::Accept }
        }
        fn hooks(&self) -> HookSet {
            HookSet::all()
        }
    }
    let echo = |port: u8| match port {
        0 => icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1]),
        _ => icmp4(FAR_IP, [10, 1, 0, 1], vec![8, 0, 0, 0, 0, 1, 0, 1]),
    };
    // From where a packet comes, which, and where it is seen.
    use Hook::{Forward, LocalIn, LocalOut, PostRoute, PreRoute};
    let back = udp4((FAR_IP, 7), (PEER_IP, 4_000), b"back");
    let cases = [
        (0_u8, to_far(b"on"), vec![(PreRoute, 0), (Forward, 0), (PostRoute, 1)]),
        (1, back, vec![(PreRoute, 1), (Forward, 1), (PostRoute, 0)]),
        (0, echo(0), vec![(PreRoute, 0), (LocalIn, 0), (LocalOut, 0), (PostRoute, 0)]),
        (1, echo(1), vec![(PreRoute, 1), (LocalIn, 1), (LocalOut, 1), (PostRoute, 1)]),
    ];
    for (port, packet, places) in cases {
        let mut net = Routed::new();
        net.wires[usize::from(port)].to_stack.push_back(frame(port.into(), 0x800, &packet));
        let mut judge = Judge(Vec::new(), None);
        net.poll_with(&mut judge);
        assert_eq!(judge.0, places);
        assert_eq!(net.sent().concat().len(), 1);
        for place in places {
            net.wires[usize::from(port)].to_stack.push_back(frame(port.into(), 0x800, &packet));
            net.poll_with(&mut Judge(Vec::new(), Some(place)));
            assert!(net.sent().concat().is_empty(), "{place:?}");
        }
    }
    // An error goes back by the port that the packet came by, and a datagram of ours by its route.
    let mut net = Routed::new();
    let mut judge = Judge(Vec::new(), None);
    net.wires[0].to_stack.push_back(frame(0, 0x800, &udp4((FAR_IP, 7), (OUR_IP, 9), b"by a detour")));
    net.poll_with(&mut judge);
    assert_eq!(judge.0.last(), Some(&(PostRoute, 1)), "the answer leaves by another port");
}

#[test]
fn a_full_port_lets_packets_wait_and_then_drops_them() {
    let mut net = Routed::new();
    net.wires[1].room = 0;
    for _ in 0..100 {
        net.exchange(&to_far(b"x"));
    }
    let waiting = 100 - net.drops(DropReason::DeviceBusy) as usize;
    assert!((8..64).contains(&waiting), "{waiting}");
    assert_eq!(net.ifaces[1].mib().ipv4.out_discards, 100 - waiting as u64);
    net.wires[1].room = 1_000;
    net.poll();
    assert_eq!(net.sent()[1].len(), waiting);
}

#[test]
fn a_port_whose_link_is_down_is_reported_as_an_unreachable_host() {
    let mut net = Routed::new();
    net.wires[1].link = LinkState::DOWN;
    let [back, _] = net.exchange(&to_far(b"x"));
    assert_eq!(back[0][20..22], [3, 1]);
    // A device whose link is down may go on giving frames: that the neighbour is known does not help.
    for operation in [1, 2] {
        let mut frame = arp(operation, FAR_MAC, FAR_IP, MACS[1], [10, 1, 0, 1]);
        frame[..6].copy_from_slice(&MACS[1]);
        net.receive(1, frame);
    }
    net.sent();
    let [back, on] = net.exchange(&to_far(b"x"));
    assert_eq!((&back[0][20..22], on.len()), (&[3, 1][..], 0));
}

#[test]
fn errors_about_packets_of_others_are_limited_in_rate() {
    let mut net = Routed::new();
    let mut told = 0;
    for _ in 0..1_000 {
        told += net.exchange(&udp4((PEER_IP, 1), ([203, 0, 113, 1], 7), b"x"))[0].len();
    }
    assert_eq!(told, usize::from(crate::config::ICMP_ERROR_BURST));
    assert_eq!(net.drops(DropReason::RateLimited), 950);
}

/// Whatever comes in, what leaves is well-formed, and what does not is counted.
#[test]
fn any_octets_are_survived_by_a_router() {
    let mut seed = 0x1234_5678_9abc_def1_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut net = Routed::new();
    let samples = [
        frame(0, 0x800, &to_far(b"xyz")),
        frame(0, 0x86dd, &udp6(ula(2), ula1(2), b"xyz")),
        frame(0, 0x800, &partial_tcp(true, 2_000)),
        frame(0, 0x86dd, &partial_tcp(false, 2_000)),
        frame(
            0,
            0x86dd,
            &ipv6(ula(2), ula1(2), 0, 64, &[44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 0, 1]),
        ),
    ];
    for _ in 0..20_000 {
        let mut frame = samples[random() as usize % samples.len()].clone();
        for _ in 0..random() % 3 {
            let at = random() as usize % 90.min(frame.len());
            frame[at] ^= 1 << (random() % 8);
        }
        if frame[12..14] == [8, 0] && random() % 4 > 0 {
            let fixed = with_checksum(frame[14..].to_vec());
            frame.truncate(14);
            frame.extend(fixed);
        }
        frame.truncate(random() as usize % (4 * frame.len()));
        let segment_len = [0, 1, 100, 1_400, 60_000][random() as usize % 5];
        net.wires[0].meta = RxMeta { segment_len, checksum_partial: random() % 2 == 0, ..RxMeta::default() };
        let count = |net: &Routed| {
            let of = |iface: &Interface<'_>| {
                let (mib, drops) = (iface.mib(), iface.stats().total_drops());
                let of = |ip: &IpMib| ip.in_delivers + ip.in_forw_datagrams;
                u64::from(drops) + of(&mib.ipv4) + of(&mib.ipv6)
            };
            net.ifaces.iter().map(of).sum::<u64>()
        };
        let before = count(&net);
        let free = |net: &Routed| net.ifaces.iter().map(|iface| iface.packets.free_count()).sum::<usize>();
        let waiting = free(&net);
        net.receive(0, frame.clone());
        let waits = free(&net) < waiting;
        assert!(count(&net) > before || waits || frame.get(12..14) == Some(&[8, 6]), "{frame:02x?}");
        for frame in net.sent()[1].iter().filter(|frame| frame[12..14] == [8, 0]) {
            let header_len = usize::from(frame[14] & 15) * 4;
            assert!(sum(&frame[14..14 + header_len]).is_valid());
        }
        net.now += Duration::from_millis(10);
    }
}

#[test]
fn a_packet_may_leave_by_the_port_that_it_came_by() {
    let mut net = Routed::new();
    let gateway = "10.0.0.2".parse::<IpAddress>().unwrap();
    let route = Route::new(cidr("198.51.100.0", 24), Some(gateway)).unwrap();
    net.ifaces[0].routes_mut().add(route).unwrap();
    let packet = udp4(([203, 0, 113, 5], 1), ([198, 51, 100, 9], 7), b"x");
    assert_eq!(net.exchange(&packet)[0], [with_hop_limit(packet, 63)]);
}

/// Covers: RFC 1812 §5.2.7.2, RFC 4861 §8.2
#[test]
fn a_neighbor_with_a_better_first_hop_on_its_link_is_told_of_it() {
    let mut net = Routed::new();
    let far = |last| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    for (network, prefix_len, gateway) in
        [("198.51.100.0", 24, "10.0.0.9"), ("2001:db8::", 64, "fe80::9"), ("2001:db9::", 64, "fd00::9")]
    {
        let route = Route::new(cidr(network, prefix_len), Some(gateway.parse().unwrap())).unwrap();
        net.ifaces[0].routes_mut().add(route).unwrap();
    }
    let packet = udp4((PEER_IP, 1), ([198, 51, 100, 9], 7), b"x");
    let sent = net.exchange(&packet).concat();
    let redirect = sent.iter().find(|packet| packet[0] >> 4 == 4).expect("a redirect");
    assert_checksums(redirect);
    assert_eq!((&redirect[12..16], &redirect[16..20]), (&OUR_IP[..], &PEER_IP[..]));
    assert_eq!((&redirect[20..22], &redirect[24..28]), (&[5, 1][..], &[10, 0, 0, 9][..]));
    assert_eq!(redirect[28..], packet);

    let is_redirect = |packet: &&Vec<u8>| packet[0] >> 4 == 6 && packet[6] == 58 && packet[40] == 137;
    let link_local = |last| [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    for (dst, target) in [(far(7), link_local(9)), (ula(8), ula(8))] {
        let packet = udp6(ula(2), dst, b"x");
        let sent = net.exchange(&packet).concat();
        let redirect = sent.iter().find(is_redirect).expect("a redirect");
        assert_checksums(redirect);
        assert_eq!((&redirect[8..24], &redirect[24..40]), (&link_local(1)[..], &ula(2)[..]));
        assert_eq!((redirect[7], &redirect[48..64], &redirect[64..80]), (255, &target[..], &dst[..]));
    }
    let mut unnamed = far(7);
    unnamed[3] = 0xb9;
    let sent = net.exchange(&udp6(ula(2), unnamed, b"x")).concat();
    assert!(!sent.iter().any(|packet| is_redirect(&packet)), "the gateway's link-local address is not known");
}

#[test]
fn redirects_are_limited_in_rate_and_only_for_neighbors() {
    let mut net = Routed::new();
    let route = Route::new(cidr("198.51.100.0", 24), Some("10.0.0.2".parse().unwrap())).unwrap();
    net.ifaces[0].routes_mut().add(route).unwrap();
    let from = |src| udp4((src, 1), ([198, 51, 100, 9], 7), b"x");
    assert_eq!(net.exchange(&from([203, 0, 113, 5])).concat().len(), 1, "a stranger's packet just goes on");
    assert_eq!(net.exchange(&from(PEER_IP)).concat().len(), 1, "it is the next hop itself");
    net.receive(0, arp(1, [2, 0, 0, 0, 0, 5], [10, 0, 0, 5], [0; 6], OUR_IP));
    net.sent();
    let redirects = (0..200).map(|_| net.exchange(&from([10, 0, 0, 5])).concat().len() - 1).sum::<usize>();
    assert_eq!(redirects, usize::from(crate::config::ICMP_ERROR_BURST));
}

/// Covers: RFC 1812 §4.2.2.7, §5.2.6
#[test]
fn a_packet_that_may_be_cut_goes_on_in_fragments() {
    let mut net = Routed::with_mtu(1_280);
    let packet = to_far(&[0x55; 1_400]);
    let [back, on] = net.exchange(&packet);
    assert!(back.is_empty());
    let parts: Vec<_> = on.iter().map(|packet| ipv4::Header::split(packet).unwrap()).collect();
    assert_eq!(parts.iter().map(|parts| parts.payload.len()).collect::<Vec<_>>(), [1_256, 152]);
    assert_eq!(parts.iter().map(|parts| parts.header.fragment_offset()).collect::<Vec<_>>(), [0, 1_256]);
    assert!(parts[0].header.more_fragments() && !parts[1].header.more_fragments());
    assert!(parts.iter().all(|parts| parts.header.hop_limit() == 63));
    assert_eq!([parts[0].payload, parts[1].payload].concat(), packet[20..]);
    let mib = net.ifaces[1].mib().ipv4;
    assert_eq!((mib.out_frag_reqds, mib.out_frag_oks, mib.out_frag_creates), (1, 1, 2));
    assert_eq!((mib.out_forw_datagrams, mib.out_transmits, mib.out_requests), (1, 2, 0));
    assert_eq!(net.drops(DropReason::TooBig), 0);
}
