//! What SNMP reads, held against frames one by one, and against each other in a run of random ones.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::net::*;
use crate::socket::udp;
use crate::stats::{DropReason, Mib};
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
                Some((name, value)) if value.parse::<u32>().is_ok() => {
                    found.push(format!("{table}.{name} {value}"))
                }
                Some((name, value)) if value.ends_with('{') => table = name,
                _ => {}
            }
        }
        found
    };
    let value = |line: &String| line.rsplit_once(' ').unwrap().1.parse::<u32>().unwrap();
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
        let len = frame.len() as u32;
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
        assert_eq!(frames, [sent.len() as u32, octets as u32], "{name}");
        let frames =
            ["interface.in_frames", "interface.in_octets", "interface.in_ucast_pkts", "interface.out_"];
        let mut moved = moved(&before, &after);
        moved.retain(|line| !frames.iter().any(|name| line.starts_with(name)));
        moved.sort();
        assert_eq!(moved, expected, "{name}");
    }
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
        assert_eq!(delivered, taken + mib.icmpv4.in_msgs + mib.icmpv6.in_msgs);
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
}
