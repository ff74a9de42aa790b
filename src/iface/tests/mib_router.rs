//! What SNMP reads of a router, in a run of random traffic: each packet is where RFC 4293's Case diagram has it.
//!
//! Port 1 carries 1,280 octets, port 0 more. Packets come in by either, cross, can't, or are for us; we send, too: to
//! both sides, and to ourselves.

use std::vec::Vec;

use super::forward::{Routed, frame, partial_tcp, ula1, with_checksum, with_hop_limit};
use super::net::*;
use crate::phy::{RxMeta, SimRng};
use crate::socket::udp;
use crate::stats::{IpMib, Mib};
use crate::time::Duration;
use crate::wire::IpAddress;

const MTU: usize = 1_280;
/// Both families: IPv6 first, as the stack has them.
const FAMILIES: [bool; 2] = [false, true];

/// What the packets that came in must have been counted as, by what they are.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Expected {
    receives: u64,
    hdr_errors: u64,
    no_routes: u64,
    addr_errors: u64,
    unknown_protos: u64,
    truncated: u64,
    forwarded: u64,
    reasm_reqds: u64,
    discards: u64,
}

impl Expected {
    fn counted(ip: &IpMib) -> Expected {
        Expected {
            receives: ip.in_receives,
            hdr_errors: ip.in_hdr_errors,
            no_routes: ip.in_no_routes,
            addr_errors: ip.in_addr_errors,
            unknown_protos: ip.in_unknown_protos,
            truncated: ip.in_truncated_pkts,
            forwarded: ip.in_forw_datagrams,
            reasm_reqds: ip.reasm_reqds,
            discards: ip.in_discards,
        }
    }
}

struct Random(SimRng);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0.below(end as u64) as usize
    }
}

/// A datagram of either family between hosts of the nets behind two ports, or of none.
fn datagram(is_v4: bool, src: (usize, u8), dst: (usize, u8), data: &[u8]) -> Vec<u8> {
    if is_v4 {
        let addr = |(net, last)| [[10, 0, 0, last], [10, 1, 0, last], [203, 0, 113, last]][net];
        return udp4((addr(src), 9), (addr(dst), 7), data);
    }
    let addr = |(net, last)| {
        let mut far = ula(last);
        far[0] = 0x20;
        [ula(last), ula1(last), far][net]
    };
    udp6((addr(src), 9), (addr(dst), 7), 64, data)
}

/// One packet that comes in at `port`, what is said of it, and the counter that it moves besides `receives`, where the
/// other port's link is up or not.
fn packet(
    random: &mut Random,
    is_v4: bool,
    port: usize,
    is_up: bool,
    expected: &mut Expected,
) -> (Vec<u8>, RxMeta) {
    let (here, there) = ((port, 2), (1 - port, 2));
    let us = (port, 1);
    let small = vec![7; random.below(64)];
    expected.receives += 1;
    let packet = match random.below(20) {
        0 | 1 => {
            expected.forwarded += 1;
            datagram(is_v4, here, there, &small)
        }
        2 => {
            // To a neighbor that nobody has.
            expected.forwarded += 1;
            datagram(is_v4, here, (1 - port, 9 + random.below(3) as u8), &small)
        }
        3 => {
            expected.no_routes += 1;
            datagram(is_v4, here, (2, 1), &small)
        }
        4 => {
            expected.hdr_errors += 1;
            with_hop_limit(datagram(is_v4, here, there, &small), random.below(2) as u8)
        }
        5 => {
            // May be cut, in IPv4.
            expected.forwarded += 1;
            datagram(is_v4, here, there, &[5; 1_400])
        }
        6 => {
            expected.forwarded += 1;
            let mut packet = datagram(is_v4, here, there, &[6; 1_400]);
            if is_v4 {
                packet[6] = 0x40;
                packet = with_checksum(packet);
            }
            packet
        }
        7 => datagram(is_v4, here, us, &small),
        8 => datagram(is_v4, here, (1 - port, 1), &small),
        9 => {
            expected.addr_errors += 1;
            datagram(is_v4, us, there, &small)
        }
        10 => {
            // The groups of all hosts are ours; this one is not.
            expected.addr_errors += 1;
            match is_v4 {
                true => udp4(([10, port as u8, 0, 2], 9), ([224, 0, 0, 99], 7), &small),
                false => {
                    let mut group = ula(99);
                    group[..2].copy_from_slice(&[0xff, 0x0e]);
                    udp6(([ula(2), ula1(2)][port], 9), (group, 7), 64, &small)
                }
            }
        }
        11 => {
            expected.truncated += 1;
            let mut packet = datagram(is_v4, here, there, &[1; 9]);
            packet.truncate(packet.len() - 1 - random.below(9));
            packet
        }
        12 if is_v4 => {
            expected.hdr_errors += 1;
            let mut packet = datagram(is_v4, here, there, &small);
            packet[10] ^= 1;
            packet
        }
        12 => {
            // From a link to beyond it: RFC 4443 §3.1.
            expected.addr_errors += 1;
            let mut src = ula(2);
            src[..2].copy_from_slice(&[0xfe, 0x80]);
            udp6((src, 9), ([ula(2), ula1(2)][1 - port], 7), 64, &small)
        }
        13 => {
            expected.unknown_protos += 1;
            match is_v4 {
                true => ipv4([10, port as u8, 0, 2], [10, port as u8, 0, 1], 99, &small),
                false => ipv6([ula(2), ula1(2)][port], [ula(1), ula1(1)][port], 99, 64, &small),
            }
        }
        14 => match is_v4 {
            true => icmp4([10, port as u8, 0, 2], [10, port as u8, 0, 1], vec![8, 0, 0, 0, 0, 1, 0, 1]),
            false => {
                let hosts = [[ula(2), ula(1)], [ula1(2), ula1(1)]][port];
                icmp6(hosts[0], hosts[1], 64, vec![128, 0, 0, 0, 0, 1, 0, 1])
            }
        },
        15 | 18 | 19 => {
            // A fragment: of what is for us, or of what crosses.
            let is_ours = random.below(4) > 0;
            match is_ours {
                true => expected.reasm_reqds += 1,
                false => expected.forwarded += 1,
            }
            fragment(is_v4, here, if is_ours { us } else { there }, random.below(3) as u8)
        }
        16 if port == 0 => {
            // The device has put three segments together, which fit, or do not.
            let segment_len = [1_000, 1_400][random.below(2)];
            let count = if segment_len == 1_000 && is_up { 3 } else { 1 };
            expected.receives += count - 1;
            expected.forwarded += count;
            let meta = RxMeta { checksum_ok: true, checksum_partial: true, segment_len, ..RxMeta::default() };
            return (partial_tcp(is_v4, 2_500), meta);
        }
        _ => datagram(is_v4, here, us, &small),
    };
    (packet, RxMeta::default())
}

/// One of the three fragments of a datagram.
fn fragment(is_v4: bool, src: (usize, u8), dst: (usize, u8), index: u8) -> Vec<u8> {
    let whole = datagram(is_v4, src, dst, &[9; 40]);
    let offset = 16 * usize::from(index);
    let is_last = index == 2;
    if is_v4 {
        let mut packet = whole[..20].to_vec();
        packet.extend(&whole[20..][offset..][..16]);
        packet[3] = packet.len() as u8;
        packet[6..8].copy_from_slice(&[if is_last { 0 } else { 0x20 }, 2 * index]);
        return with_checksum(packet);
    }
    let header = [17, 0, 0, 16 * index + u8::from(!is_last), 0, 0, 0, 1];
    let addr = |at: usize| *whole[at..].first_chunk::<16>().unwrap();
    ipv6(addr(8), addr(24), 44, 64, &[&header[..], &whole[40..][offset..][..16]].concat())
}

fn of(mib: &Mib, is_v4: bool) -> &IpMib {
    if is_v4 { &mib.ipv4 } else { &mib.ipv6 }
}

/// Packets of either family among frames, and their octets.
fn seen(frames: &[Vec<u8>]) -> [[u64; 2]; 2] {
    FAMILIES.map(|is_v4| {
        let kind = if is_v4 { [8, 0] } else { [0x86, 0xdd] };
        let lens = frames.iter().filter(|frame| frame[12..14] == kind).map(|frame| frame.len() as u64 - 14);
        [lens.clone().count() as u64, lens.sum()]
    })
}

fn on_wire_now(sums: &mut [[[u64; 2]; 2]; 2], net: &mut Routed) {
    for (sums, frames) in sums.iter_mut().zip(net.sent()) {
        for (sum, seen) in sums.iter_mut().zip(seen(&frames)) {
            *sum = [sum[0] + seen[0], sum[1] + seen[1]];
        }
    }
}

/// What leaves is what was asked for or passed on, what was cut counted once, and without what was lost.
fn assert_sent(ip: &IpMib) {
    let asked = ip.out_requests + ip.out_forw_datagrams;
    let done = ip.out_transmits - ip.out_frag_creates + ip.out_frag_reqds;
    assert_eq!(asked, done + ip.out_discards + ip.out_no_routes, "{ip:?}");
    assert_eq!(ip.out_frag_reqds, ip.out_frag_oks + ip.out_frag_fails, "{ip:?}");
}

/// Covers: RFC 4293 §3.2.3
#[test]
fn every_packet_of_a_router_is_where_the_case_diagram_has_it() {
    let mut random = Random(SimRng::new(7));
    let mut net = Routed::with_mtu(MTU);
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 9_000]);
    let [bound, sender] = [7, 1_000].map(|port| {
        let handle = net.sockets.add(udp::Socket::new(queue(), queue()));
        net.sockets.bind(handle, port).unwrap();
        handle
    });
    let totals = |net: &Routed| {
        let mibs = net.ifaces.iter().map(|iface| iface.mib());
        mibs.reduce(|mut sum, mib| {
            sum += mib;
            sum
        })
    };
    let met = totals(&net).unwrap();
    let mut expected = FAMILIES.map(|is_v4| Expected::counted(of(&met, is_v4)));
    let mut on_wire: [[_; 2]; 2] = core::array::from_fn(|port| {
        let mib = net.ifaces[port].mib();
        FAMILIES.map(|is_v4| [of(&mib, is_v4).out_transmits, of(&mib, is_v4).out_octets])
    });
    let free: Vec<_> = net.ifaces.iter().map(|iface| iface.packets.free_count()).collect();
    let mut own = [0_u64; 2];
    for round in 0..30_000 {
        let (port, is_v4) = (random.below(2), random.below(2) == 0);
        let link = &mut net.wires[1 - port].link;
        link.up = random.below(40) > 0;
        let expect = &mut expected[usize::from(is_v4)];
        let (octets, meta) = packet(&mut random, is_v4, port, link.up, expect);
        net.wires[port].meta = meta;
        net.wires[port].to_stack.push_back(frame(port, if is_v4 { 0x800 } else { 0x86dd }, &octets));
        if random.below(4) == 0 {
            let to = match (random.below(4), is_v4) {
                (0, true) => IpAddress::v4(10, random.below(2) as u8, 0, 1),
                (0, false) => IpAddress::v6(0xfd00 + random.below(2) as u16, 0, 0, 0, 0, 0, 0, 1),
                (1, true) => IpAddress::v4(10, 1, 0, 2),
                (1, false) => IpAddress::v6(0xfd01, 0, 0, 0, 0, 0, 0, 2),
                (2, true) => IpAddress::v4(10, 0, 0, 8),
                _ => IpAddress::v4(203, 0, 113, 1),
            };
            let len = if random.below(3) == 0 { 2_000 } else { 9 };
            let _ = net.sockets.get_mut::<udp::Socket>(sender).send_slice(&vec![0; len], (to, 7));
        }
        net.wires.iter_mut().for_each(|wire| wire.room = random.below(8));
        net.poll();
        on_wire_now(&mut on_wire, &mut net);
        net.now += Duration::from_millis(random.below(50) as u64);
        while net.sockets.get_mut::<udp::Socket>(bound).recv().is_ok() {}

        let total = totals(&net).unwrap();
        for is_v4 in FAMILIES {
            let ip = of(&total, is_v4);
            let index = usize::from(is_v4);
            // What we sent to ourselves was received as well, by no wire.
            own[index] = ip.in_receives - expected[index].receives;
            let looped = own[index];
            let wanted = Expected { receives: ip.in_receives, ..expected[index] };
            assert_eq!(Expected::counted(ip), wanted);
            assert_eq!(ip.in_forw_datagrams, ip.out_forw_datagrams, "IPv4: {is_v4}");
            let sent: u64 = on_wire.iter().map(|sums| sums[index][0]).sum();
            assert_eq!(ip.out_transmits, sent + looped, "IPv4: {is_v4}");
            let octets: u64 = on_wire.iter().map(|sums| sums[index][1]).sum();
            assert!(ip.out_octets >= octets + 37 * looped, "IPv4: {is_v4}");
        }
        let taken = total.udp.in_datagrams + total.udp.no_ports + total.udp.in_errors + total.tcp.in_segs;
        let icmp = u64::from(total.icmpv4.in_msgs + total.icmpv6.in_msgs);
        assert_eq!(total.ipv4.in_delivers + total.ipv6.in_delivers, taken + icmp);
        if round % 400 == 399 {
            // What still waits goes, or is given up.
            net.wires.iter_mut().for_each(|wire| (wire.room, wire.link.up) = (usize::MAX, true));
            for _ in 0..90 {
                net.now += Duration::from_secs(1);
                net.poll();
            }
            // Who was forgotten meanwhile is known again.
            net.wires.iter_mut().for_each(|wire| wire.meta = RxMeta::default());
            net.greet();
            expected[0].receives += 2;
            on_wire_now(&mut on_wire, &mut net);
            for (iface, free) in net.ifaces.iter().zip(&free) {
                assert!(iface.packets.free_count() == *free && iface.fragments.is_idle());
                FAMILIES.into_iter().for_each(|is_v4| assert_sent(of(&iface.mib(), is_v4)));
            }
        }
    }
    let total = totals(&net).unwrap();
    for is_v4 in FAMILIES {
        let (ip, expected) = (of(&total, is_v4), &expected[usize::from(is_v4)]);
        let least = [expected.hdr_errors, expected.no_routes, expected.forwarded, expected.reasm_reqds];
        assert!(least.iter().all(|count| *count > 300), "{expected:?}");
        assert!(own[usize::from(is_v4)] > 100 && ip.out_discards > 100 && ip.reasm_oks > 50, "{ip:?}");
        assert!(ip.out_frag_fails > 100, "{ip:?}");
    }
    assert!(total.ipv4.out_frag_creates > 300, "{total:?}");
}
