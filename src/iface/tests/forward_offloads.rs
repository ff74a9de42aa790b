//! Segments that stay together, and checksums that stay open, across a router whose next device takes them so.

use super::forward::{FAR_MAC, Routed, partial_tcp, with_checksum};
use super::net::*;
use crate::iface::coalesced::Coalesced;
use crate::phy::{RxMeta, TxChecksum, TxMeta};
use crate::stats::DropReason;
use crate::wire::checksum::pseudo_header;
use crate::wire::{Addr, IpProtocol, partial};

/// Payload of the whole, and of a segment.
const LEN: usize = 3_000;
const SEGMENT_LEN: u16 = 1_400;

const TOGETHER: RxMeta = RxMeta {
    checksum_ok: true,
    checksum_partial: true,
    timestamp: 0,
    segment_len: SEGMENT_LEN,
    packet_id: 0,
};
const PARTIAL: RxMeta = RxMeta { segment_len: 0, ..TOGETHER };

/// A router that receives what `meta` says, and whose port 1 can do so much.
fn routed(meta: RxMeta, checksums: TxChecksum, max_segmentation_len: usize) -> Routed {
    let mut net = Routed::new();
    net.wires[0].meta = meta;
    net.wires[1].asked.clear();
    let capabilities = &mut net.ifaces[1].capabilities;
    capabilities.tx_checksum = checksums;
    capabilities.max_segmentation_len = max_segmentation_len;
    net
}

fn headers_len(is_v4: bool) -> usize {
    if is_v4 { 40 } else { 60 }
}

/// The sum of a packet's pseudo-header.
fn pseudo(packet: &[u8], protocol: IpProtocol) -> [u8; 2] {
    let (src, dst, len) = match packet[0] >> 4 {
        4 => {
            let addr = |at: usize| Addr::v4(*packet[at..].first_chunk().unwrap());
            (addr(12), addr(16), packet.len() - 20)
        }
        _ => {
            let addr = |at: usize| Addr::v6(*packet[at..].first_chunk().unwrap());
            (addr(8), addr(24), packet.len() - 40)
        }
    };
    pseudo_header(&src, &dst, protocol.0, len as u32).partial()
}

/// What a device makes of the whole.
fn cut(whole: &[u8]) -> Vec<Vec<u8>> {
    let whole = Coalesced::new(whole, SEGMENT_LEN.into()).unwrap();
    let segment = |index| {
        let mut segment = vec![0; whole.len_of(index)];
        whole.write(index, &mut segment);
        partial::complete(&mut segment);
        segment
    };
    (0..whole.count()).map(segment).collect()
}

#[test]
fn segments_stay_together_where_the_device_cuts_them() {
    for is_v4 in [true, false] {
        let packet = partial_tcp(is_v4, LEN);
        let mut net = routed(TOGETHER, TxChecksum::TCP, packet.len());
        let [back, on] = net.exchange(&packet);
        assert!(back.is_empty());
        let [whole] = &on[..] else { panic!("{} frames", on.len()) };
        let tcp_at = headers_len(is_v4) - 20;
        assert_eq!(whole[tcp_at + 16..][..2], pseudo(whole, IpProtocol::TCP));
        let asked = TxMeta {
            checksum_start: (14 + tcp_at) as u16,
            checksum_offset: 16,
            segment_len: SEGMENT_LEN,
            ..TxMeta::default()
        };
        assert_eq!(net.wires[1].asked, [asked]);
        // On the wire, and in all counters, it is what it would have been.
        let mut plain = routed(TOGETHER, TxChecksum::empty(), 0);
        let [_, segments] = plain.exchange(&packet);
        assert_eq!((segments.len(), cut(whole)), (3, segments));
        for (net, plain) in net.ifaces.iter().zip(&plain.ifaces) {
            assert_eq!(net.mib(), plain.mib());
        }
    }
}

#[test]
fn segments_are_cut_apart_where_the_device_can_not() {
    for is_v4 in [true, false] {
        let packet = partial_tcp(is_v4, LEN);
        let len = packet.len();
        for (checksums, max_len) in
            [(TxChecksum::TCP, len - 1), (TxChecksum::TCP, 0), (TxChecksum::UDP | TxChecksum::IPV4, len)]
        {
            let mut net = routed(TOGETHER, checksums, max_len);
            let [_, on] = net.exchange(&packet);
            assert_eq!(on.len(), 3, "{checksums:?}, {max_len} octets");
            on.iter().for_each(|segment| assert_checksums(segment));
            assert_eq!(net.wires[1].asked, [TxMeta::default(); 3]);
        }
    }
}

/// A device might say with each segment what is to be said once.
///
/// Covers: RFC 3168 §6.1.2
#[test]
fn segments_that_tell_of_a_smaller_window_are_cut_apart() {
    for is_v4 in [true, false] {
        let flags_at = headers_len(is_v4) - 20 + 13;
        let mut packet = partial_tcp(is_v4, LEN);
        packet[flags_at] |= 0x80;
        let [_, on] = routed(TOGETHER, TxChecksum::TCP, 65_535).exchange(&packet);
        let tells: Vec<_> = on.iter().map(|segment| segment[flags_at] & 0x80 != 0).collect();
        assert_eq!(tells, [true, false, false]);
    }
}

/// What the device cuts would not fit either.
#[test]
fn segments_that_do_not_fit_are_no_better_together() {
    let mut net = routed(TOGETHER, TxChecksum::TCP, 65_535);
    net.wires[0].meta.segment_len = 1_461;
    let [back, on] = net.exchange(&partial_tcp(true, LEN));
    assert_eq!((back[0][20..22].to_vec(), on.len()), (vec![3, 4], 0));
    assert_eq!(net.drops(DropReason::TooBig), 1);
    net.wires[0].meta.segment_len = 1_460;
    assert_eq!(net.exchange(&partial_tcp(true, LEN))[1].len(), 1);
}

#[test]
fn one_segment_alone_is_not_to_be_cut() {
    for is_v4 in [true, false] {
        let mut net = routed(TOGETHER, TxChecksum::TCP, 65_535);
        let [_, on] = net.exchange(&partial_tcp(is_v4, SEGMENT_LEN.into()));
        let asked = net.wires[1].asked[0];
        assert_eq!((on.len(), asked.segment_len, asked.checksum_offset), (1, 0, 16));
    }
}

/// What waits does so without its metadata: in pieces, and complete.
#[test]
fn what_waits_for_room_or_for_a_neighbor_is_cut_and_completed() {
    for (meta, len, count) in [(TOGETHER, LEN, 3), (PARTIAL, 99, 1)] {
        for is_full in [true, false] {
            let mut net = routed(meta, TxChecksum::TCP, 65_535);
            let mut packet = partial_tcp(true, len);
            if is_full {
                net.wires[1].room = 0;
            } else {
                packet[19] = 9;
                packet[10..12].fill(0);
                let sum = crate::wire::checksum::sum(&packet[..20]).finish();
                packet[10..12].copy_from_slice(&sum);
            }
            net.exchange(&packet);
            net.wires[1].room = usize::MAX;
            net.receive(1, arp(1, FAR_MAC, [10, 1, 0, 9], [0; 6], [10, 1, 0, 1]));
            let [_, mut on] = net.sent();
            on.retain(|frame| frame[12..14] == [8, 0]);
            assert_eq!(on.len(), count);
            assert!(net.wires[1].asked.iter().all(|asked| *asked == TxMeta::default()));
            on.iter().for_each(|frame| assert_checksums(&frame[14..]));
        }
    }
}

#[test]
fn a_checksum_stays_open_where_the_device_completes_it() {
    let datagram = || udp4((PEER_IP, 1), ([10, 1, 0, 2], 7), b"datagram");
    let packets = [
        (partial_tcp(true, 99), IpProtocol::TCP, TxChecksum::TCP, 20, 16),
        (partial_tcp(false, 99), IpProtocol::TCP, TxChecksum::TCP, 40, 16),
        (datagram(), IpProtocol::UDP, TxChecksum::UDP, 20, 6),
    ];
    for (packet, protocol, checksum, start, offset) in packets {
        for (checksums, is_open) in
            [(checksum, true), (TxChecksum::all(), true), (TxChecksum::all() - checksum, false)]
        {
            let mut net = routed(PARTIAL, checksums, 0);
            let [_, on] = net.exchange(&packet);
            let asked = match is_open {
                true => TxMeta { checksum_start: 14 + start, checksum_offset: offset, ..TxMeta::default() },
                false => TxMeta::default(),
            };
            assert_eq!(net.wires[1].asked, [asked], "{checksums:?}");
            let mut on = on[0].clone();
            if is_open {
                let at = usize::from(start + offset);
                assert_eq!(on[at..at + 2], pseudo(&on, protocol));
                partial::complete(&mut on);
            }
            assert_checksums(&on);
            let counted = net.ifaces[1].mib();
            let ip = if packet[0] >> 4 == 4 { counted.ipv4 } else { counted.ipv6 };
            assert_eq!((ip.out_forw_datagrams, ip.out_discards), (1, 0));
            // A neighbour of IPv6 has been answered before.
            let answers = if packet[0] >> 4 == 4 { [0, 0] } else { [1, 72] };
            assert_eq!([ip.out_transmits - answers[0], ip.out_octets - answers[1]], [1, packet.len() as u64]);
        }
    }
}

/// The packet before has left nothing behind by which the next would go as it is.
#[test]
fn open_and_joined_packets_of_a_burst_are_not_taken_for_others() {
    // Joined by the device that received them, with checksums.
    let joined = RxMeta { checksum_partial: false, ..TOGETHER };
    let small = RxMeta { segment_len: 40, ..joined };
    for (meta, len, count) in [(TOGETHER, LEN, 3), (joined, LEN, 3), (small, 99, 3), (PARTIAL, 99, 1)] {
        for is_v4 in [true, false] {
            let mut net = routed(RxMeta::default(), TxChecksum::empty(), 0);
            for _ in 0..2 {
                net.exchange(&partial_tcp(is_v4, 9));
            }
            net.wires[0].meta = meta;
            let [_, on] = net.exchange(&partial_tcp(is_v4, len));
            assert_eq!(on.len(), count);
            on.iter().for_each(|packet| assert_checksums(packet));
        }
    }
}

#[test]
#[cfg(feature = "iface-vlan")]
fn behind_a_tag_the_checksum_is_as_much_further_on() {
    let mut net = routed(PARTIAL, TxChecksum::TCP, 0);
    net.ifaces[1].tags = crate::iface::VlanTags::single(crate::wire::VlanId::new(42).unwrap());
    net.exchange(&partial_tcp(true, 99));
    assert_eq!(net.wires[1].asked[0].checksum_start, 14 + 4 + 20);
}

/// It might have been cut, if routers did so to what is several segments: who allows that is not told.
///
/// Covers: RFC 1812 §5.2.6
#[test]
fn only_who_forbids_cutting_hears_that_segments_are_too_long() {
    for is_forbidden in [true, false] {
        let mut net = Routed::with_mtu(1_280);
        net.wires[0].meta = TOGETHER;
        let mut packet = partial_tcp(true, LEN);
        packet[6] = if is_forbidden { 0x40 } else { 0 };
        let [back, on] = net.exchange(&with_checksum(packet));
        assert_eq!((back.len(), on.len()), (usize::from(is_forbidden), 0));
        assert_eq!(net.drops(DropReason::TooBig), 1);
    }
}
