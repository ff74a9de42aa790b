//! What SNMP reads, held against frames one by one, and against each other in a run of random ones.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::net::*;
use crate::socket::udp;
use crate::stats::{DropReason, Mib};
use crate::time::Duration;
use crate::wire::IpAddress;
use crate::wire::tcp::Flags;

/// The names and values of the counters that moved between two readings, as one line each.
fn moved(before: &Mib, after: &Mib) -> Vec<String> {
    let lines = |mib: &Mib| -> Vec<String> {
        let mut table = "";
        let text = format!("{mib:#?}");
        let mut found = Vec::new();
        let text: Vec<String> = text.lines().map(String::from).collect();
        for line in &text {
            match line.trim().trim_end_matches(',').split_once(": ") {
                Some((name, value)) if value.parse::<u64>().is_ok() => {
                    found.push(format!("{table}.{name} {value}"))
                }
                Some((name, value)) if value.ends_with('{') => table = name,
                _ => {}
            }
        }
        found
    };
    let value = |line: &String| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
    let (old, new) = (lines(before), lines(after));
    assert_eq!(old.len(), new.len());
    let changed = old.iter().zip(&new).filter(|(old, new)| old != new);
    changed
        .map(|(old, new)| format!("{} {}", new.rsplit_once(' ').unwrap().0, value(new) - value(old)))
        .collect()
}

/// A stack with a UDP socket for port 7, that knows its peer.
fn stack() -> Net {
    let mut net = Net::ethernet();
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 64]);
    let handle = net.sockets.add(udp::Socket::new(queue(), queue()));
    net.sockets.bind(handle, 7).unwrap();
    net.meet(PEER_IP);
    net
}

fn v4(packet: Vec<u8>) -> Vec<u8> {
    ethernet(0x800, &packet)
}

fn to(hardware: [u8; 6], mut frame: Vec<u8>) -> Vec<u8> {
    frame[..6].copy_from_slice(&hardware);
    frame
}

fn changed(mut frame: Vec<u8>, at: usize) -> Vec<u8> {
    frame[at] ^= 0xff;
    frame
}

const SYN: Flags = Flags::SYN;

/// A frame, and what moves: those of the frame itself, with its octets, are left out where it is for us alone.
#[test]
fn each_frame_moves_its_counters_and_no_other() {
    let echo = || icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1]);
    let datagram = |port| udp4((PEER_IP, 9), (OUR_IP, port), b"xyz");
    let segment = || tcp4(PEER_IP, OUR_IP, (9, 80), (1, 0), SYN, &[], &[]);
    let unreachable = ["ipv4.out_octets 59", "ipv4.out_requests 1", "ipv4.out_transmits 1"];
    let in_error = |name: &'static str| vec!["ipv4.in_octets 31", name, "ipv4.in_receives 1"];
    let all = [255; 4];
    let table: [(&str, Vec<u8>, Vec<&str>); 14] = [
        (
            "datagram",
            v4(datagram(7)),
            vec!["ipv4.in_delivers 1", "ipv4.in_octets 31", "ipv4.in_receives 1", "udp.in_datagrams 1"],
        ),
        (
            "no port",
            v4(datagram(8)),
            [
                &["icmpv4.out_msgs 1", "ipv4.in_delivers 1", "ipv4.in_octets 31", "ipv4.in_receives 1"][..],
                &unreachable,
                &["udp.no_ports 1"],
            ]
            .concat(),
        ),
        (
            "UDP checksum",
            changed(v4(datagram(7)), 44),
            vec!["ipv4.in_delivers 1", "ipv4.in_octets 31", "ipv4.in_receives 1", "udp.in_errors 1"],
        ),
        ("IP checksum", changed(v4(datagram(7)), 24), in_error("ipv4.in_hdr_errors 1")),
        (
            "cut",
            v4(datagram(7)[..30].to_vec()),
            vec!["ipv4.in_octets 30", "ipv4.in_receives 1", "ipv4.in_truncated_pkts 1"],
        ),
        ("elsewhere", v4(udp4((PEER_IP, 9), ([10, 0, 0, 77], 7), b"xyz")), in_error("ipv4.in_addr_errors 1")),
        (
            "from nowhere",
            v4(udp4(([224, 0, 0, 9], 9), (OUR_IP, 7), b"xyz")),
            in_error("ipv4.in_addr_errors 1"),
        ),
        (
            "to all",
            to([0xff; 6], v4(udp4((PEER_IP, 9), (all, 7), b"xyz"))),
            vec![
                "interface.in_broadcast_pkts 1",
                "ipv4.in_bcast_pkts 1",
                "ipv4.in_delivers 1",
                "ipv4.in_octets 31",
                "ipv4.in_receives 1",
                "udp.in_datagrams 1",
            ],
        ),
        (
            "to a group",
            to([1, 0, 0x5e, 0, 0, 9], v4(udp4((PEER_IP, 9), ([224, 0, 0, 9], 7), b"xyz"))),
            vec![
                "interface.in_multicast_pkts 1",
                "ipv4.in_addr_errors 1",
                "ipv4.in_mcast_octets 31",
                "ipv4.in_mcast_pkts 1",
                "ipv4.in_octets 31",
                "ipv4.in_receives 1",
            ],
        ),
        ("somebody's frame", to([2, 0, 0, 0, 0, 9], v4(datagram(7))), vec!["interface.in_discards 1"]),
        ("unknown type", ethernet(0x1234, &[0; 31]), vec!["interface.in_unknown_protos 1"]),
        ("short frame", v4(Vec::new())[..13].to_vec(), vec!["interface.in_errors 1"]),
        (
            "echo",
            v4(echo()),
            vec![
                "icmpv4.in_msgs 1",
                "icmpv4.out_msgs 1",
                "ipv4.in_delivers 1",
                "ipv4.in_octets 28",
                "ipv4.in_receives 1",
                "ipv4.out_octets 28",
                "ipv4.out_requests 1",
                "ipv4.out_transmits 1",
            ],
        ),
        (
            "SYN to nobody",
            v4(segment()),
            vec![
                "ipv4.in_delivers 1",
                "ipv4.in_octets 40",
                "ipv4.in_receives 1",
                "ipv4.out_octets 40",
                "ipv4.out_requests 1",
                "ipv4.out_transmits 1",
                "tcp.in_segs 1",
                "tcp.out_rsts 1",
                "tcp.out_segs 1",
            ],
        ),
    ];
    for (name, frame, mut expected) in table {
        expected.sort_unstable();
        let mut net = stack();
        let before = net.iface.mib();
        let len = frame.len() as u64;
        let sent = net.exchange(frame);
        let after = net.iface.mib();
        let frames = [
            after.interface.in_frames - before.interface.in_frames,
            after.interface.in_octets - before.interface.in_octets,
        ];
        assert_eq!(frames, [1, len], "{name}");
        let octets: usize = sent.iter().map(Vec::len).sum();
        let frames = [
            after.interface.out_frames - before.interface.out_frames,
            after.interface.out_octets - before.interface.out_octets,
        ];
        assert_eq!(frames, [sent.len() as u64, octets as u64], "{name}");
        let frames =
            ["interface.in_frames", "interface.in_octets", "interface.in_ucast_pkts", "interface.out_"];
        let mut moved = moved(&before, &after);
        moved.retain(|line| !frames.iter().any(|name| line.starts_with(name)));
        moved.sort();
        assert_eq!(moved, expected, "{name}");
    }
}

/// Requests, replies and what is neither; the other side's, and our own.
#[test]
fn arp_is_counted_by_kind() {
    let mut net = Net::ethernet();
    let counts = |net: &Net| {
        let arp = net.iface.mib().arp;
        [arp.in_requests, arp.in_replies, arp.in_errors, arp.out_requests, arp.out_replies]
    };
    net.exchange(arp(1, PEER_MAC, PEER_IP, [0; 6], OUR_IP));
    net.exchange(arp(1, PEER_MAC, PEER_IP, [0; 6], [10, 0, 0, 9]));
    assert_eq!(counts(&net), [2, 0, 0, 0, 1], "one is for somebody else");
    net.exchange(arp(2, PEER_MAC, PEER_IP, OUR_MAC, OUR_IP));
    assert_eq!(counts(&net), [2, 1, 0, 0, 1]);
    net.exchange(arp(8, PEER_MAC, PEER_IP, OUR_MAC, OUR_IP));
    net.exchange(arp(1, [0xff; 6], PEER_IP, [0; 6], OUR_IP));
    net.exchange(changed(arp(1, PEER_MAC, PEER_IP, [0; 6], OUR_IP), 14));
    assert_eq!(counts(&net), [2, 1, 3, 0, 1]);
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 64]);
    let handle = net.sockets.add(udp::Socket::new(queue(), queue()));
    net.sockets.bind(handle, 7).unwrap();
    net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", (IpAddress::v4(10, 0, 0, 3), 7)).unwrap();
    net.poll();
    net.advance(Duration::from_secs(2));
    net.poll();
    assert_eq!(counts(&net), [2, 1, 3, 2, 1], "asked twice");
    let mut both = net.iface.mib();
    both += net.iface.mib();
    assert_eq!((both.arp.in_requests, both.arp.out_requests), (4, 4));
}

/// Each message under its type, also where several share a counter.
#[test]
fn icmp_is_counted_by_type() {
    let mut net = stack();
    net.exchange(v4(icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1])));
    net.exchange(v4(icmp4(PEER_IP, OUR_IP, vec![200, 0, 0, 0, 0, 1, 0, 1])));
    let mib = net.iface.mib().icmpv4;
    assert_eq!([mib.in_pkts(8), mib.in_pkts(200), mib.in_pkts(0)], [1, 1, 0]);
    assert_eq!([mib.out_pkts(0), mib.out_pkts(8)], [1, 0]);
    net.exchange(changed(v4(icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1])), 36));
    let mib = net.iface.mib().icmpv4;
    assert_eq!([mib.in_msgs, mib.in_errors, mib.in_pkts(8)], [3, 1, 1]);
}

/// What waits for its neighbor was asked for, but is sent only once, or lost.
#[test]
fn a_packet_in_the_pool_is_handed_over_once() {
    let mut net = stack();
    net.wire.room = 0;
    net.exchange(v4(icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1])));
    let waiting = net.iface.mib().ipv4;
    assert_eq!((waiting.out_requests, waiting.out_transmits, waiting.out_octets), (1, 0, 0));
    net.wire.room = 9;
    net.poll();
    assert_eq!(net.sent().len(), 1);
    let sent = net.iface.mib().ipv4;
    assert_eq!((sent.out_requests, sent.out_transmits, sent.out_octets), (1, 1, 28));
    assert_eq!(net.iface.mib().interface.out_frames, 2, "the other one is ARP's");
}

/// What is not IP waits for room as well, and is lost only if it can not even wait.
#[test]
fn an_answer_of_arp_is_lost_when_the_pool_is_full_and_not_before() {
    let mut net = stack();
    net.wire.room = 0;
    let places = net.iface.packets.free_count() as u64;
    for count in 1..=places + 2 {
        net.exchange(arp(1, PEER_MAC, PEER_IP, [0; 6], OUR_IP));
        assert_eq!(net.iface.mib().interface.out_discards, count.saturating_sub(places), "{count}");
    }
}

/// "A counted reason for every drop", by arithmetic: IP delivered what it received and did not use up
/// otherwise; the protocols, which count for themselves, must have got as many.
#[test]
fn what_ip_received_is_what_became_of_it() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize
    };
    let mut net = stack();
    let mut frames = 0;
    for _ in 0..20_000 {
        let data = vec![0; random() % 40];
        let port = 7 + random() as u16 % 2;
        let mut frame = match random() % 7 {
            0 => v4(udp4((PEER_IP, 9), (OUR_IP, port), &data)),
            1 => v4(udp4((PEER_IP, 9), ([10, 0, 0, random() as u8], port), &data)),
            2 => v4(tcp4(PEER_IP, OUR_IP, (9, port), (1, 1), Flags::ACK, &[], &data)),
            3 => v4(icmp4(PEER_IP, OUR_IP, [&[random() as u8, 0, 0, 0, 0, 0, 0, 0][..], &data].concat())),
            4 => ethernet(0x86dd, &udp6((ula(2), 9), (ula(1 + random() as u8 % 2), port), 64, &data)),
            5 => ethernet(
                0x86dd,
                &icmp6(ula(2), ula(1), 255, [&[random() as u8, 0, 0, 0, 0, 0, 0, 0][..], &data].concat()),
            ),
            _ => ethernet(0x86dd, &ipv6(ula(2), ula(1), [0, 43, 44, 60, 99][random() % 5], 64, &data)),
        };
        for _ in 0..random() % 3 {
            let at = random() % frame.len();
            frame[at] ^= 1 << (random() % 8);
        }
        frames += 1;
        net.exchange(frame);
        let mib = net.iface.mib();
        let delivered = mib.ipv4.in_delivers + mib.ipv6.in_delivers;
        let (udp, lite) = (&mib.udp, &mib.udplite);
        let taken = udp.in_datagrams + udp.no_ports + udp.in_errors;
        let taken = taken + lite.in_datagrams + lite.no_ports + lite.in_errors + mib.tcp.in_segs;
        assert_eq!(delivered, taken + u64::from(mib.icmpv4.in_msgs + mib.icmpv6.in_msgs));
        let held_back = mib.icmpv4.out_errors + mib.icmpv6.out_errors;
        assert_eq!(held_back, net.iface.stats().drops(DropReason::RateLimited));
        let received = mib.ipv4.in_receives + mib.ipv6.in_receives;
        let interface = &mib.interface;
        assert_eq!(interface.in_frames, frames + 1, "one is ARP's that we met the peer by");
        let known = received + interface.in_discards + interface.in_unknown_protos;
        assert!(known <= interface.in_frames);
    }
    let mib = net.iface.mib();
    assert!([&mib.ipv4, &mib.ipv6].iter().all(|ip| ip.in_delivers > 1_000 && ip.in_addr_errors > 100));
    assert!([&mib.ipv4, &mib.ipv6].iter().all(|ip| ip.in_hdr_errors > 100));
    assert!(net.iface.stats().drops(DropReason::Checksum) > 100);
    assert!(mib.icmpv4.out_errors > 100 && mib.icmpv6.out_errors > 100);
}

/// What a frame on the wire is counted as, by its addresses alone.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    frames: u64,
    octets: u64,
    link: [u64; 2],
    /// Packets and octets to groups, and packets to all, of IPv6, then of IPv4.
    ip: [[u64; 3]; 2],
}

impl Seen {
    fn look(&mut self, frame: &[u8]) {
        self.frames += 1;
        self.octets += frame.len() as u64;
        let is_to_all = frame[..6] == [0xff; 6];
        self.link[0] += u64::from(frame[0] & 1 == 1 && !is_to_all);
        self.link[1] += u64::from(is_to_all);
        let (is_v4, is_group) = match frame[12..14] {
            [8, 0] => (true, (224..240).contains(&frame[30])),
            [0x86, 0xdd] => (false, frame[38] == 0xff),
            _ => return,
        };
        let ip = &mut self.ip[usize::from(is_v4)];
        ip[0] += u64::from(is_group);
        ip[1] += if is_group { frame.len() as u64 - 14 } else { 0 };
        ip[2] += u64::from(is_v4 && is_to_all);
    }

    fn counted(mib: &Mib) -> Seen {
        let interface = &mib.interface;
        let ip = [&mib.ipv6, &mib.ipv4].map(|ip| [ip.out_mcast_pkts, ip.out_mcast_octets, ip.out_bcast_pkts]);
        Seen {
            frames: interface.out_frames,
            octets: interface.out_octets,
            link: [interface.out_multicast_pkts, interface.out_broadcast_pkts],
            ip,
        }
    }
}

/// Sent at once, from the pool, in fragments, to one, to groups and to all, on a device that seldom has room and a
/// link that comes and goes: what was counted is what the wire has seen, and each request is sent, cut or dropped.
#[test]
fn what_was_sent_is_what_the_wire_has_seen() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 8) as usize
    };
    let mut net = stack();
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 9_000]);
    let handle = net.sockets.add(udp::Socket::new(queue(), queue()));
    net.sockets.bind(handle, 1_000).unwrap();
    let mut seen = Seen { frames: 1, octets: 42, ..Seen::default() };
    let free = net.iface.packets.free_count();
    let mut balanced = 0;
    for _ in 0..20_000 {
        let last = random() as u8;
        let to = match random() % 8 {
            0 => IpAddress::v4(10, 0, 0, 2),
            1 => IpAddress::v4(224, 0, 0, last.max(3)),
            2 => IpAddress::v4(255, 255, 255, 255),
            3 => IpAddress::v4(10, 0, 0, 255),
            4 => IpAddress::v6(0xff02, 0, 0, 0, 0, 0, 0, 9),
            5 => IpAddress::v4(9, 9, 9, last),
            6 => IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2 + u16::from(last)),
            _ => IpAddress::v4(10, 0, 0, 3 + last % 9),
        };
        let len = random() % if random().is_multiple_of(4) { 4_000 } else { 100 };
        let _ = net.sockets.get_mut::<udp::Socket>(handle).send_slice(&vec![0; len], (to, 7));
        if random().is_multiple_of(3) {
            net.wire.to_stack.push_back(v4(icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 1, 0, 1])));
        }
        net.wire.link.up = !random().is_multiple_of(50);
        net.wire.room = random() % 4;
        net.poll();
        net.sent().iter().for_each(|frame| seen.look(frame));
        net.advance(Duration::from_millis(random() as u64 % 300));
        let mib = net.iface.mib();
        assert_eq!(Seen::counted(&mib), seen);
        let interface = &mib.interface;
        let asked = interface.out_ucast_pkts + interface.out_multicast_pkts + interface.out_broadcast_pkts;
        assert_eq!(asked, seen.frames + interface.out_discards + interface.out_errors);
        if net.iface.packets.free_count() == free {
            balanced += 1;
            for ip in [&mib.ipv4, &mib.ipv6] {
                let done = ip.out_transmits - ip.out_frag_creates + ip.out_frag_reqds;
                assert_eq!(ip.out_requests, done + ip.out_discards + ip.out_no_routes);
            }
        }
    }
    let interface = net.iface.mib().interface;
    assert!(interface.out_discards > 100 && interface.out_errors > 100, "{interface:?}");
    assert!(balanced > 300, "{balanced}");
    assert!(seen.ip.iter().all(|ip| ip[0] > 1_000) && seen.ip[1][2] > 1_000, "{seen:?}");
}

/// On a link without addresses all are to one; IP tells groups apart all the same.
#[test]
fn without_a_link_header_only_ip_knows_groups() {
    let mut net = Net::ip();
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 100]);
    let handle = net.sockets.add(udp::Socket::new(queue(), queue()));
    net.sockets.bind(handle, 1_000).unwrap();
    for to in [IpAddress::v4(10, 0, 0, 2), IpAddress::v4(224, 0, 0, 9), IpAddress::v4(255, 255, 255, 255)] {
        net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"xyz", (to, 7)).unwrap();
    }
    net.poll();
    let mib = net.iface.mib();
    assert_eq!((mib.interface.out_frames, mib.interface.out_ucast_pkts), (3, 3));
    let ip = &mib.ipv4;
    assert_eq!((ip.out_mcast_pkts, ip.out_mcast_octets, ip.out_bcast_pkts), (1, 31, 1));
}
