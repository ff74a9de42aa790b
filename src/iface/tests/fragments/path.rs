//! Datagrams over IPv6 after a router has said that one was too big (RFC 8201).

use super::*;
use crate::phy::{HardwareAddress, Medium};
use crate::rand::Keys;
use crate::socket::raw;
use crate::time::{Duration, Instant};
use crate::wire::{IpAddress, IpCidr, IpProtocol, IpVersion};

const ROUTER: u8 = 99;

/// A report of a router about a packet of ours: a link behind it carries no more than `mtu`.
fn too_big(family: Family, mtu: u16, quoted: &[u8]) -> Vec<u8> {
    let [a, b] = mtu.to_be_bytes();
    match family {
        Family::V4 => icmp4([10, 0, 0, ROUTER], OUR_IP, [&[3, 4, 0, 0, 0, 0, a, b], &quoted[..28]].concat()),
        Family::V6 => {
            let quoted = &quoted[..quoted.len().min(1_232)];
            icmp6(ula(ROUTER), ula(1), 64, [&[2, 0, 0, 0, 0, 0, a, b], quoted].concat())
        }
    }
}

/// What a datagram of so many octets leaves as.
fn sent_to(net: &mut Net, handle: SocketHandle, to: Addr, len: usize) -> Vec<Vec<u8>> {
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    socket.send_slice(&octets(len), (IpAddress::from(to), 4_000)).unwrap();
    net.poll();
    net.sent()
}

fn lens(packets: &[Vec<u8>]) -> Vec<usize> {
    packets.iter().map(Vec::len).collect()
}

fn peer(last: u8) -> Addr {
    Family::V6.addrs(last).0
}

/// Covers: RFC 8201 §4, RFC 8200 §5, RFC 8504 §5.7
#[test]
fn after_packet_too_big_datagrams_are_cut_for_the_path() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    // As large as the link carries.
    let whole = sent_to(&mut net, handle, peer(2), 1_452);
    assert_eq!(lens(&whole), [1_500]);
    let others = net.exchange(too_big(Family::V6, 1_400, &whole[0]));
    assert!(others.is_empty());
    assert!(net.sockets.get_mut::<udp::Socket>(handle).take_icmp_error().is_some(), "it is told as ever");
    let cut = sent_to(&mut net, handle, peer(2), 1_400);
    assert_eq!(lens(&cut), [1_400, 8 + 40 + 1_408 - 1_352]);
    assert_eq!(Family::V6.join(&cut).1[8..], octets(1_400));
    assert_eq!(lens(&sent_to(&mut net, handle, peer(2), 1_352)), [1_400], "what fits goes whole");
    // The next link is smaller still: it is a fragment now that is quoted, maybe cut short.
    for quoted in [&cut[0][..], &cut[0][..62]] {
        net.exchange(too_big(Family::V6, 1_280, quoted));
        let cut = sent_to(&mut net, handle, peer(2), 9_000);
        assert!(cut[..7].iter().all(|packet| packet.len() == 1_280), "{:?}", lens(&cut));
        assert_eq!(Family::V6.join(&cut).1[8..], octets(9_000));
    }
    // Others have ways of their own.
    assert_eq!(lens(&sent_to(&mut net, handle, peer(3), 1_400)), [1_448]);
    assert_eq!(lens(&sent_to(&mut net, handle, Family::V4.addrs(2).0, 1_400)), [1_428]);
    assert_eq!(net.iface.stats().total_drops(), 0);
}

/// Covers: RFC 8201 §4, RFC 4443 §4.2
#[test]
fn echo_replies_and_what_raw_sockets_make_are_cut_for_the_path_too() {
    let mut net = Net::ip();
    let request = || ipv6(ula(2), ula(1), 58, 64, &Family::V6.echo_request(&octets(1_400)));
    let reply = net.exchange(request());
    assert_eq!(lens(&reply), [1_448]);
    net.exchange(too_big(Family::V6, 1_300, &reply[0]));
    let replies = net.exchange(request());
    assert_eq!(replies.len(), 2);
    assert!(replies[0].len() <= 1_300);
    assert_eq!(Family::V6.join(&replies).1[8..], octets(1_400));

    let buffer = || raw::PacketBuffer::new(vec![raw::PacketMetadata::EMPTY; 4], vec![0; 20_000]);
    let packet = ipv6(ula(1), ula(3), 253, 64, &octets(1_400));
    net.sockets.add(raw::Socket::new(IpVersion::Ipv6, IpProtocol(254), buffer(), buffer()));
    net.poll();
    assert_eq!(net.exchange(too_big(Family::V6, 1_300, &packet)), Vec::<Vec<u8>>::new());
    let handle = net.sockets.add(raw::Socket::new(IpVersion::Ipv6, IpProtocol(253), buffer(), buffer()));
    for (report, count) in [(None, 1), (Some(1_300), 2)] {
        if let Some(mtu) = report {
            net.exchange(too_big(Family::V6, mtu, &packet));
        }
        net.sockets.get_mut::<raw::Socket>(handle).send_slice(&packet, raw::Metadata::default()).unwrap();
        net.poll();
        let sent = net.sent();
        assert_eq!(sent.len(), count, "nobody could have sent the first one that was reported");
        assert!(count == 1 || Family::V6.join(&sent).1 == octets(1_400));
    }
}

/// Covers: RFC 8201 §4, RFC 5927 §4
#[test]
fn what_can_not_be_is_not_believed() {
    let udp = |src: u8, port, dst, len| udp6((ula(src), port), (ula(dst), 4_000), 64, &octets(len));
    let right = udp(1, 7, 2, 1_400);
    let mut later_fragment = right.clone();
    later_fragment[6] = 44;
    later_fragment[40..48].copy_from_slice(&[17, 0, 0, 8, 0, 0, 0, 1]);
    let echo_request =
        ipv6(ula(1), ula(2), 58, 64, &[&[128, 0, 0, 0, 0, 1, 0, 1][..], &octets(1_400)].concat());
    let mut link_local = right.clone();
    link_local[24..26].copy_from_slice(&[0xfe, 0x80]);
    let mut to_all = too_big(Family::V6, 1_300, &right);
    to_all[42..44].fill(0);
    to_all =
        icmp6(ula(ROUTER), [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 64, to_all[40..].to_vec());
    let reports = [
        ("less than any link", too_big(Family::V6, 1_279, &right)),
        ("it passes", too_big(Family::V6, 1_448, &right)),
        ("our link does not carry it", too_big(Family::V6, 1_400, &udp(1, 7, 2, 1_453))),
        ("not our address", too_big(Family::V6, 1_300, &udp(9, 7, 2, 1_400))),
        ("nobody's port", too_big(Family::V6, 1_300, &udp(1, 8, 2, 1_400))),
        ("says not whose it is", too_big(Family::V6, 1_300, &later_fragment)),
        ("nobody asked", too_big(Family::V6, 1_300, &echo_request)),
        ("no router is between", too_big(Family::V6, 1_300, &link_local)),
        ("errors are for one", to_all),
    ];
    for (what, report) in reports {
        let mut net = Net::ip();
        let handle = bound(&mut net, 7);
        net.exchange(report);
        assert_eq!(lens(&sent_to(&mut net, handle, peer(2), 1_400)), [1_448], "{what}");
        let near = Addr::v6(link_local[24..40].try_into().unwrap());
        assert_eq!(lens(&sent_to(&mut net, handle, near, 1_400)), [1_448], "{what}");
        net.exchange(too_big(Family::V6, 1_300, &right));
        assert_eq!(sent_to(&mut net, handle, peer(2), 1_400).len(), 2, "{what}");
    }
}

/// Covers: RFC 8201 §4, §5.3
#[test]
fn after_ten_minutes_datagrams_go_whole_again() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let whole = sent_to(&mut net, handle, peer(2), 1_400);
    net.exchange(too_big(Family::V6, 1_300, &whole[0]));
    net.advance(Duration::from_secs(599));
    assert_eq!(sent_to(&mut net, handle, peer(2), 1_400).len(), 2);
    // Said anew; but no report makes it larger.
    net.exchange(too_big(Family::V6, 1_300, &whole[0]));
    net.exchange(too_big(Family::V6, 1_440, &whole[0]));
    net.advance(Duration::from_secs(599));
    assert_eq!(sent_to(&mut net, handle, peer(2), 1_400).len(), 2);
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None, "it needs no wake");
    net.advance(Duration::from_secs(3));
    assert_eq!(lens(&sent_to(&mut net, handle, peer(2), 1_400)), [1_448]);
}

#[test]
fn what_is_on_its_way_goes_on_in_smaller_pieces() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    net.wire.room = 2;
    let mut sent = sent_to(&mut net, handle, peer(2), 9_000);
    net.exchange(too_big(Family::V6, 1_280, &sent[0].clone()));
    net.wire.room = usize::MAX;
    net.advance(Duration::from_millis(2));
    net.poll();
    sent.append(&mut net.sent());
    assert_eq!(lens(&sent)[..3], [1_496, 1_496, 1_280]);
    assert_eq!(Family::V6.join(&sent).1[8..], octets(9_000));
}

/// Covers: RFC 791 §3.2
#[test]
fn over_ipv4_routers_cut_so_nothing_is_learned() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let peer = Family::V4.addrs(2).0;
    let whole = sent_to(&mut net, handle, peer, 1_400);
    assert_eq!(whole[0][6] & 0x40, 0, "no DF");
    net.exchange(too_big(Family::V4, 600, &whole[0]));
    assert_eq!(lens(&sent_to(&mut net, handle, peer, 1_400)), [1_428]);
}

/// The report comes by another port than the one that leads there.
#[test]
fn what_is_learned_is_kept_where_the_way_begins() {
    use crate::iface::{Config, Port, Router, SocketSet};
    let now = Instant::from_secs(1);
    let mut wires = [Wire::new(Medium::Ip), Wire::new(Medium::Ip)];
    let mut ifaces = wires.each_mut().map(|wire| interface(Config::new(HardwareAddress::Ip), wire, 0));
    for (iface, text) in ifaces.iter_mut().zip(["fd00::1", "fd01::1"]) {
        iface.add_address(IpCidr::new(text.parse().unwrap(), 64)).unwrap();
    }
    let mut sockets = SocketSet::with_capacity(8, Keys::new([1; 32]));
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 10_000]);
    let handle = sockets.add(udp::Socket::new(buffer(), buffer()));
    sockets.bind(handle, 7).unwrap();
    let report = too_big(Family::V6, 1_300, &udp6((ula(1), 7), (ula(2), 4_000), 64, &octets(1_400)));
    let mut to_the_other = report[40..].to_vec();
    to_the_other[2..4].fill(0);
    let other = [0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    wires[1].to_stack.push_back(icmp6(
        [other[..15].to_vec(), vec![9]].concat().try_into().unwrap(),
        other,
        64,
        to_the_other,
    ));
    let ports = ifaces.iter_mut().zip(&mut wires).map(|(iface, wire)| Port::new(iface, wire));
    let mut router = Router::new(ports.collect::<Vec<_>>());
    router.poll(now, &mut sockets);
    let socket = sockets.get_mut::<udp::Socket>(handle);
    socket.send_slice(&octets(1_400), (IpAddress::from(peer(2)), 4_000)).unwrap();
    router.poll(now, &mut sockets);
    drop(router);
    assert_eq!((wires[0].from_stack.len(), wires[1].from_stack.len()), (2, 0));
}
