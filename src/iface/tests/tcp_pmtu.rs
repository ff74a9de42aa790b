//! The path's MTU, in packets: the DF bit, and what reports do (RFC 1191, RFC 8201, RFC 5927 §7).

use super::net::*;
use crate::iface::SocketHandle;
use crate::socket::tcp::{Socket, State};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::wire::tcp::Flags;
use crate::wire::{IpAddress, Ipv6Address};

const ROUTER: [u8; 4] = [10, 0, 0, 254];

fn has_df(packet: &[u8]) -> bool {
    packet[6] & 0x40 != 0
}

struct Bench {
    net: Net,
    handle: SocketHandle,
    /// A window of full segments.
    packets: Vec<Vec<u8>>,
}

impl Bench {
    fn new() -> Bench {
        let mut net = Net::ip();
        let buffer = || SocketBuffer::new(vec![0; 20_000]);
        let handle = net.sockets.add(Socket::new(buffer(), buffer()));
        net.sockets.get_mut::<Socket>(handle).connect((IpAddress::v4(10, 0, 0, 2), 4_000), 80).unwrap();
        net.poll();
        let syn = net.sent().remove(0);
        assert!(has_df(&syn));
        let iss = u32::from_be_bytes(syn[24..28].try_into().unwrap());
        let options = [2, 4, 5, 0xb4];
        let flags = Flags::SYN | Flags::ACK;
        let ack = net.exchange(tcp4(PEER_IP, OUR_IP, (4_000, 80), (99, iss + 1), flags, &options, &[]));
        assert!(has_df(&ack[0]));
        net.sockets.get_mut::<Socket>(handle).send_slice(&[7; 20_000]).unwrap();
        net.poll();
        let packets = net.sent();
        assert_eq!(packets.iter().map(Vec::len).max(), Some(1_500));
        Bench { net, handle, packets }
    }

    fn report(&mut self, mtu: u16, quote: &[u8]) -> Vec<Vec<u8>> {
        let [high, low] = mtu.to_be_bytes();
        let message = [&[3, 4, 0, 0, 0, 0, high, low][..], quote].concat();
        self.net.exchange(icmp4(ROUTER, OUR_IP, message))
    }

    fn drops(&self, reason: DropReason) -> u32 {
        self.net.iface.stats().drops(reason)
    }
}

/// Covers: RFC 1191 §3, §6.4
#[test]
fn segments_must_not_be_cut_and_a_report_is_answered_by_smaller_ones() {
    let mut bench = Bench::new();
    assert!(bench.packets.iter().all(|packet| has_df(packet)));
    let quote = bench.packets[0][..28].to_vec();
    let again = bench.report(1_300, &quote);
    assert!(again.iter().map(Vec::len).max() == Some(1_300) && again.iter().all(|packet| has_df(packet)));
    assert_eq!(again[0][24..28], quote[24..28], "from the beginning");
    again.iter().for_each(|packet| assert_checksums(packet));
    // The others say the same.
    for packet in bench.packets.clone() {
        assert!(bench.report(1_300, &packet[..28]).is_empty());
    }
    assert_eq!(bench.drops(DropReason::PathMtu), bench.packets.len() as u32);
}

/// Covers: RFC 1191 §3
#[test]
fn where_nearly_nothing_passes_routers_may_cut() {
    let mut bench = Bench::new();
    let quote = bench.packets[0][..28].to_vec();
    let again = bench.report(500, &quote);
    assert!(again.iter().map(Vec::len).max() == Some(552) && !again.iter().any(|packet| has_df(packet)));
}

/// Covers: RFC 5927 §4.1, §7.2
#[test]
fn forged_reports_are_counted_and_do_nothing() {
    let mut bench = Bench::new();
    let whole = bench.packets[0].clone();
    for len in 0..28 {
        assert!(bench.report(1_300, &whole[..len]).is_empty(), "cut at {len}");
    }
    assert_eq!(bench.drops(DropReason::IcmpMismatch), 28);
    for (at, by) in [(27, 0xff), (24, 0x80), (21, 1), (23, 1), (15, 1), (19, 1), (7, 1)] {
        let mut quote = whole[..28].to_vec();
        quote[at] = quote[at].wrapping_add(by);
        assert!(bench.report(1_300, &quote).is_empty(), "octet {at}");
    }
    assert_eq!(bench.drops(DropReason::IcmpMismatch), 35);
    for mtu in [1, 67, 1_500, 65_535] {
        assert!(bench.report(mtu, &whole[..28]).is_empty(), "{mtu}");
    }
    // What it quotes was shorter than what it names.
    let mut quote = whole[..28].to_vec();
    quote[2..4].copy_from_slice(&1_200u16.to_be_bytes());
    assert!(bench.report(1_300, &quote).is_empty());
    assert_eq!(bench.drops(DropReason::PathMtu), 5);
    for n in 0..10_000u32 {
        let mut quote = whole[..28].to_vec();
        quote[24..28].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
        assert!(bench.report(1_300, &quote).is_empty());
    }
    let socket = bench.net.sockets.get_mut::<Socket>(bench.handle);
    assert_eq!((socket.path_mtu(), socket.state()), (None, State::Established));
}

/// Covers: RFC 8201 §4, §5.4
#[test]
fn packet_too_big_shrinks_segments_of_ipv6() {
    let mut net = Net::ip();
    let buffer = || SocketBuffer::new(vec![0; 20_000]);
    let handle = net.sockets.add(Socket::new(buffer(), buffer()));
    let peer = IpAddress::Ipv6(Ipv6Address::from(ula(2)));
    net.sockets.get_mut::<Socket>(handle).connect((peer, 4_000), 80).unwrap();
    net.poll();
    let syn = net.sent().remove(0);
    let iss = u32::from_be_bytes(syn[44..48].try_into().unwrap());
    let mut segment = vec![0x0f, 0xa0, 0, 80, 0, 0, 0, 9];
    segment.extend((iss + 1).to_be_bytes());
    segment.extend([0x60, 0x12, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 5, 0xa0]);
    let (src, dst) = (crate::wire::Addr::v6(ula(2)), crate::wire::Addr::v6(ula(1)));
    let pseudo = crate::wire::checksum::pseudo_header(&src, &dst, 6, segment.len() as u32);
    let sum = pseudo.add(crate::wire::checksum::sum(&segment)).finish();
    segment[16..18].copy_from_slice(&sum);
    net.exchange(ipv6(ula(2), ula(1), 6, 64, &segment));
    net.sockets.get_mut::<Socket>(handle).send_slice(&[7; 20_000]).unwrap();
    net.poll();
    let packets = net.sent();
    assert_eq!(packets.iter().map(Vec::len).max(), Some(1_500));
    for (mtu, longest) in
        [(1_279u32, None), (1_470, Some(1_470)), (1_400, Some(1_400)), (1_400, None), (1_280, Some(1_280))]
    {
        let message = [&[2, 0, 0, 0][..], &mtu.to_be_bytes(), &packets[0][..1_000]].concat();
        let again = net.exchange(icmp6(ula(3), ula(1), 64, message));
        assert_eq!(again.iter().map(Vec::len).max(), longest, "{mtu}");
    }
    assert_eq!(net.iface.stats().drops(DropReason::PathMtu), 2);
}
