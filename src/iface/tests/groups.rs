//! Groups, and what routers hear of them, in virtual time.

use super::net::*;
use super::udp::socket;
use crate::iface::GroupError;
use crate::phy::{HardwareAddress, LinkState, Medium};
use crate::socket::Events;
use crate::socket::udp::{self, Membership, MembershipError};
use crate::stats::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::{IpAddress, Ipv6Address};

pub(super) const GROUP: [u8; 4] = [239, 1, 2, 3];
pub(super) const OTHER: [u8; 4] = [239, 1, 2, 4];
const ROUTER: [u8; 4] = [10, 0, 0, 254];

pub(super) fn addr(octets: [u8; 4]) -> IpAddress {
    IpAddress::from(crate::wire::Ipv4Address::from(octets))
}

/// A stack with IPv4 alone to look at: its IPv6 addresses are gone.
pub(super) fn v4_net() -> Net {
    let mut net = Net::with_groups(Medium::Ip, 4);
    for own in net.iface.ip_addrs().collect::<Vec<_>>() {
        if matches!(own.address(), IpAddress::Ipv6(_)) {
            net.iface.remove_address(own.address());
        }
    }
    net
}

/// Polls whenever the stack wants to, up to `until`, and says when it sent what.
pub(super) fn run(net: &mut Net, until: Instant) -> Vec<(Instant, Vec<u8>)> {
    let mut all = Vec::new();
    net.poll();
    loop {
        all.extend(net.sent().into_iter().map(|packet| (net.now, packet)));
        match net.iface.poll_at(net.now, &mut net.sockets) {
            Some(at) if at <= until => net.now = at.max(net.now + Duration::from_micros(1)),
            _ => break,
        }
        net.poll();
    }
    net.now = until;
    all
}

pub(super) fn run_for(net: &mut Net, secs: u64) -> Vec<(Instant, Vec<u8>)> {
    let until = net.now + Duration::from_secs(secs);
    run(net, until)
}

/// An IGMP packet, with a router alert if asked for.
fn igmp(src: [u8; 4], dst: [u8; 4], ttl: u8, alert: bool, mut message: Vec<u8>) -> Vec<u8> {
    let checksum = crate::wire::checksum::sum(&message).finish();
    message[2..4].copy_from_slice(&checksum);
    let mut packet = ipv4(src, dst, 2, &message);
    packet[8] = ttl;
    if alert {
        (packet[0], packet[3]) = (0x46, packet[3] + 4);
        packet.splice(20..20, [0x94, 4, 0, 0]);
    }
    packet[10..12].fill(0);
    let header_len = usize::from(packet[0] & 15) * 4;
    let checksum = crate::wire::checksum::sum(&packet[..header_len]).finish();
    packet[10..12].copy_from_slice(&checksum);
    packet
}

pub(super) fn query3(max_tenths: u8, group: [u8; 4]) -> Vec<u8> {
    let dst = if group == [0; 4] { [224, 0, 0, 1] } else { group };
    let message = [&[0x11, max_tenths, 0, 0][..], &group, &[2, 125, 0, 0]].concat();
    igmp(ROUTER, dst, 1, true, message)
}

fn query2(max_tenths: u8, group: [u8; 4]) -> Vec<u8> {
    let dst = if group == [0; 4] { [224, 0, 0, 1] } else { group };
    igmp(ROUTER, dst, 1, max_tenths > 0, [&[0x11, max_tenths, 0, 0][..], &group].concat())
}

/// The destination and the message of an IGMP packet that is right in all else.
fn message_of(packet: &[u8]) -> ([u8; 4], &[u8]) {
    assert_eq!((packet[0], packet[8], packet[9]), (0x46, 1, 2));
    assert_eq!(packet[20..24], [0x94, 4, 0, 0]);
    assert!(crate::wire::checksum::sum(&packet[..24]).is_valid());
    assert!(crate::wire::checksum::sum(&packet[24..]).is_valid());
    assert_eq!(packet[12..16], OUR_IP);
    assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
    (packet[16..20].try_into().unwrap(), &packet[24..])
}

/// What a report of IGMPv3 says of each group.
pub(super) fn records(packet: &[u8]) -> Vec<(u8, [u8; 4])> {
    let (dst, message) = message_of(packet);
    assert_eq!((dst, message[0], packet[1]), ([224, 0, 0, 22], 0x22, 0xc0));
    assert_eq!(usize::from(message[7]) * 8, message.len() - 8);
    message[8..].chunks(8).map(|record| (record[0], record[4..8].try_into().unwrap())).collect()
}

/// Covers: RFC 3376 §5.1, RFC 3376 §4.2.12, RFC 1112 §7.2, RFC 1122 §3.2.3a
#[test]
fn a_join_is_reported_at_once_and_again_within_a_second_and_so_is_the_end() {
    let mut net = v4_net();
    assert!(run_for(&mut net, 5).is_empty());
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    for kind in [4, 3] {
        let start = net.now;
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), Some(start));
        let sent = run_for(&mut net, 60);
        assert_eq!(sent.len(), 2, "robustness 2");
        assert!(sent.iter().all(|(_, packet)| records(packet) == [(kind, GROUP)]));
        assert_eq!(sent[0].0, start);
        let pause = sent[1].0 - start;
        assert!(pause <= Duration::from_millis(1_001), "{pause:?}");
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
        assert_eq!(net.iface.has_multicast_group(addr(GROUP)), kind == 4);
        if kind == 4 {
            net.iface.leave_multicast_group(addr(GROUP)).unwrap();
        }
    }
}

#[test]
fn joins_are_counted_and_wrong_use_has_its_error() {
    let mut net = v4_net();
    for _ in 0..2 {
        net.iface.join_multicast_group(addr(GROUP)).unwrap();
    }
    run_for(&mut net, 5);
    net.iface.leave_multicast_group(addr(GROUP)).unwrap();
    assert!(run_for(&mut net, 5).is_empty(), "one is left");
    net.iface.leave_multicast_group(addr(GROUP)).unwrap();
    assert_eq!(net.iface.leave_multicast_group(addr(GROUP)), Err(GroupError::NotJoined));
    run_for(&mut net, 5);
    assert_eq!(net.iface.join_multicast_group(addr(OUR_IP)), Err(GroupError::NotAGroup));
    for last in 0..32 {
        net.iface.join_multicast_group(addr([239, 9, 9, last])).unwrap();
    }
    assert_eq!(net.iface.join_multicast_group(addr([239, 9, 9, 77])), Err(GroupError::Full));
}

/// Covers: RFC 3376 §5.2, RFC 3376 §4.1.1, RFC 1122 §3.2.3a
#[test]
fn a_general_query_is_answered_once_for_all_groups_within_its_time() {
    let mut net = v4_net();
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    net.iface.join_multicast_group(addr(OTHER)).unwrap();
    run_for(&mut net, 5);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let start = net.now;
        assert!(net.exchange(query3(100, [0; 4])).is_empty(), "not at once");
        let at = net.iface.poll_at(net.now, &mut net.sockets).unwrap();
        net.now = at - Duration::from_micros(1_025);
        net.poll();
        assert!(net.sent().is_empty(), "not before its time");
        let sent = run_for(&mut net, 20);
        assert_eq!(sent.len(), 1);
        assert_eq!(records(&sent[0].1), [(2, GROUP), (2, OTHER)]);
        pauses.push(sent[0].0 - start);
    }
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_millis(10_001)), "{pauses:?}");
    let mut different = pauses.clone();
    different.dedup();
    assert_eq!(different.len(), 8, "nobody can foretell them");
}

/// Covers: RFC 3376 §5.2
#[test]
fn a_query_about_a_group_is_answered_for_it_and_not_beside_a_sooner_answer_for_all() {
    let mut net = v4_net();
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    net.iface.join_multicast_group(addr(OTHER)).unwrap();
    run_for(&mut net, 5);
    net.exchange(query3(10, GROUP));
    let sent = run_for(&mut net, 20);
    assert_eq!(sent.iter().map(|(_, packet)| records(packet)).collect::<Vec<_>>(), [[(2, GROUP)]]);
    // One for all is due very soon; the one for the group would come later.
    net.exchange(query3(1, [0; 4]));
    net.exchange(query3(127, GROUP));
    let sent = run_for(&mut net, 20);
    assert_eq!((sent.len(), records(&sent[0].1).len()), (1, 2));
    // A group that is not joined is nothing to us.
    net.exchange(query3(10, [239, 5, 5, 5]));
    assert!(run_for(&mut net, 20).is_empty());
}

/// Covers: RFC 3376 §7.2.1, RFC 2236 §3, RFC 2236 §6
#[test]
fn for_a_router_of_version_2_reports_are_of_version_2_and_another_hosts_report_is_enough() {
    let mut net = v4_net();
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    run_for(&mut net, 5);
    net.exchange(query2(100, [0; 4]));
    let sent = run_for(&mut net, 11);
    assert_eq!(sent.len(), 1);
    let (dst, message) = message_of(&sent[0].1);
    assert_eq!((dst, message[0], &message[4..]), (GROUP, 0x16, &GROUP[..]));
    // Somebody else speaks first: nothing to say, and nothing to take back.
    net.exchange(query2(100, [0; 4]));
    net.exchange(igmp(PEER_IP, GROUP, 1, true, [&[0x16, 0, 0, 0][..], &GROUP].concat()));
    assert!(run_for(&mut net, 11).is_empty());
    net.iface.leave_multicast_group(addr(GROUP)).unwrap();
    assert!(run_for(&mut net, 11).is_empty());
    // Who was the last to report says that it leaves, once, to the routers.
    net.iface.join_multicast_group(addr(OTHER)).unwrap();
    let sent = run_for(&mut net, 11);
    assert_eq!(sent.iter().map(|(_, p)| message_of(p).0).collect::<Vec<_>>(), [OTHER; 2]);
    net.iface.leave_multicast_group(addr(OTHER)).unwrap();
    let sent = run_for(&mut net, 11);
    assert_eq!(sent.len(), 1);
    let (dst, message) = message_of(&sent[0].1);
    assert_eq!((dst, message[0], &message[4..]), ([224, 0, 0, 2], 0x17, &OTHER[..]));
    // 260 s after its last query the router no longer counts.
    run_for(&mut net, 260);
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    assert_eq!(records(&run_for(&mut net, 5)[0].1), [(4, GROUP)]);
}

/// Covers: RFC 1112 §7.2, RFC 2236 §4, RFC 3376 §7.2.1
#[test]
fn for_a_router_of_version_1_reports_are_of_version_1_and_nobody_leaves() {
    let mut net = v4_net();
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    run_for(&mut net, 5);
    let start = net.now;
    net.exchange(query2(0, [0; 4]));
    let sent = run_for(&mut net, 11);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].0 - start <= Duration::from_millis(10_001));
    let (dst, message) = message_of(&sent[0].1);
    assert_eq!((dst, message[0], &message[4..]), (GROUP, 0x12, &GROUP[..]));
    net.iface.leave_multicast_group(addr(GROUP)).unwrap();
    assert!(run_for(&mut net, 11).is_empty());
}

/// Covers: RFC 3376 §9.1, RFC 3376 §4
#[test]
fn forged_and_broken_queries_are_ignored_and_counted() {
    let mut net = v4_net();
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    run_for(&mut net, 5);
    let all = [224, 0, 0, 1];
    let message = |tail: &[u8]| [&[0x11, 100, 0, 0, 0, 0, 0, 0][..], tail].concat();
    let mut bad_sum = query3(100, [0; 4]);
    *bad_sum.last_mut().unwrap() ^= 1;
    let cases = [
        (igmp(ROUTER, all, 64, true, message(&[2, 125, 0, 0])), DropReason::HopLimit),
        (igmp(ROUTER, all, 1, false, message(&[2, 125, 0, 0])), DropReason::Malformed),
        (igmp(ROUTER, all, 1, false, message(&[])), DropReason::Malformed),
        (igmp(ROUTER, all, 1, true, message(&[2, 125])), DropReason::Malformed),
        (igmp(ROUTER, all, 1, true, message(&[2, 125, 0, 9])), DropReason::Truncated),
        (igmp(ROUTER, all, 1, true, vec![0x11, 0, 0, 0]), DropReason::Truncated),
        (igmp(ROUTER, all, 1, true, vec![0x99, 0, 0, 0, 0, 0, 0, 0]), DropReason::UnknownProtocol),
        (bad_sum, DropReason::Checksum),
    ];
    for (packet, reason) in cases {
        let before = net.iface.stats().drops(reason);
        net.exchange(packet);
        assert_eq!(net.iface.stats().drops(reason), before + 1, "{reason:?}");
    }
    assert!(run_for(&mut net, 20).is_empty());
}

fn join(net: &mut Net, port: u16, group: [u8; 4]) -> crate::iface::SocketHandle {
    let handle = net.sockets.add(socket().with_memberships(vec![Membership::EMPTY; 2]));
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    socket.set_port_sharing(true);
    socket.bind(port).unwrap();
    socket.join_multicast_group(addr(group), 0).unwrap();
    handle
}

/// Covers: RFC 1112 §7.1, RFC 1122 §4.1.3.5, §3.3.7a
#[test]
fn sockets_hear_the_groups_that_they_have_joined_and_the_interface_leaves_with_the_last() {
    let mut net = v4_net();
    let (a, b, c) = (join(&mut net, 7, GROUP), join(&mut net, 7, GROUP), join(&mut net, 7, OTHER));
    let sent = run_for(&mut net, 5);
    assert_eq!(sent.len(), 4, "two groups, each twice");
    net.exchange(udp4((PEER_IP, 1), (GROUP, 7), b"all"));
    let mut heard = |handle| net.sockets.get_mut::<udp::Socket>(handle).recv().is_ok();
    assert_eq!((heard(a), heard(b), heard(c)), (true, true, false));
    net.exchange(udp4((PEER_IP, 1), ([239, 7, 7, 7], 7), b"nobody"));
    assert_eq!(net.iface.stats().drops(DropReason::NotOurAddress), 1);
    net.sockets.get_mut::<udp::Socket>(a).leave_multicast_group(addr(GROUP), 0).unwrap();
    assert!(run_for(&mut net, 5).is_empty());
    net.sockets.remove(b);
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), Some(net.now));
    let sent = run_for(&mut net, 5);
    assert!(sent.iter().all(|(_, packet)| records(packet) == [(3, GROUP)]) && sent.len() == 2);
    net.sockets.get_mut::<udp::Socket>(c).close();
    assert_eq!(records(&run_for(&mut net, 5)[0].1), [(3, OTHER)]);
    assert!(!net.iface.has_multicast_group(addr(OTHER)));
}

/// Covers: RFC 2933 §3
#[test]
fn igmp_is_counted_by_kind() {
    let mut net = v4_net();
    let counts = |net: &Net| {
        let igmp = net.iface.mib().igmp;
        [igmp.in_queries, igmp.in_reports, igmp.in_errors, igmp.out_reports, igmp.out_leaves]
    };
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    run_for(&mut net, 5);
    assert_eq!(counts(&net), [0, 0, 0, 2, 0], "a change is told twice");
    // Of others: a report, a leave, and a query of version 2.
    net.exchange(igmp(PEER_IP, GROUP, 1, true, [&[0x16, 0, 0, 0][..], &GROUP].concat()));
    net.exchange(igmp(PEER_IP, [224, 0, 0, 1], 1, true, [&[0x17, 0, 0, 0][..], &GROUP].concat()));
    assert_eq!(counts(&net), [0, 2, 0, 2, 0]);
    net.exchange(query2(10, [0; 4]));
    run_for(&mut net, 5);
    assert_eq!(counts(&net), [1, 2, 0, 3, 0]);
    net.iface.leave_multicast_group(addr(GROUP)).unwrap();
    run_for(&mut net, 5);
    assert_eq!(counts(&net), [1, 2, 0, 3, 1]);
    // From beyond the link, with a wrong checksum, without a router alert.
    let message = || [&[0x11, 10, 0, 0][..], &[0; 4]].concat();
    net.exchange(igmp(ROUTER, [224, 0, 0, 1], 2, true, message()));
    let mut wrong = igmp(ROUTER, [224, 0, 0, 1], 1, true, message());
    wrong[26] ^= 1;
    net.exchange(wrong);
    net.exchange(igmp(ROUTER, [224, 0, 0, 1], 1, false, message()));
    assert_eq!(counts(&net), [1, 2, 3, 3, 1]);
}

#[test]
fn a_group_that_finds_no_room_is_an_error_of_its_socket() {
    let mut net = Net::with_groups(Medium::Ip, 0);
    let handle = join(&mut net, 7, GROUP);
    net.poll();
    assert_eq!(net.sockets.next_ready(), Some((handle, Events::ERROR)));
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    assert!(socket.has_membership_failed());
    socket.join_multicast_group(addr(OTHER), 0).unwrap();
    assert_eq!(socket.join_multicast_group(addr([239, 3, 3, 3]), 0), Err(MembershipError::Full));
    assert_eq!(socket.leave_multicast_group(addr([239, 3, 3, 3]), 0), Err(MembershipError::NotJoined));
    assert_eq!(socket.join_multicast_group(addr(PEER_IP), 0), Err(MembershipError::NotAGroup));
}

#[test]
fn a_new_link_hears_of_all_groups_anew_and_the_device_of_their_addresses() {
    let mut net = Net::with_groups(Medium::Ethernet, 4);
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    net.iface.remove_address(IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 1));
    net.iface.remove_address(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1));
    let sent = run_for(&mut net, 5);
    assert_eq!(sent[0].1[..6], [1, 0, 0x5e, 0, 0, 22]);
    let known = [[1, 0, 0x5e, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1], [1, 0, 0x5e, 1, 2, 3]];
    assert!(net.wire.filter.iter().copied().eq(known.map(HardwareAddress::Ethernet)));
    net.wire.link = LinkState::DOWN;
    assert!(run_for(&mut net, 5).is_empty());
    net.wire.link = LinkState::UP;
    let sent = run_for(&mut net, 5);
    assert!(sent.len() == 2 && sent.iter().all(|(_, frame)| records(&frame[14..]) == [(4, GROUP)]));
    net.iface.leave_multicast_group(addr(GROUP)).unwrap();
    run_for(&mut net, 5);
    assert_eq!(net.wire.filter.len(), 2);
}

#[test]
fn a_report_that_finds_no_room_in_the_device_goes_out_later() {
    let mut net = v4_net();
    net.wire.room = 0;
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    net.poll();
    assert!(net.sent().is_empty());
    // Found by simulation seed 155: a stack that wants to be polled at once for what it can't do never rests.
    let at = net.iface.poll_at(net.now, &mut net.sockets);
    assert!(at.is_none_or(|at| at > net.now), "{at:?}");
    net.wire.room = 9;
    net.now = at.unwrap_or(net.now);
    assert_eq!(run_for(&mut net, 5).len(), 2);
}

const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const ROUTER6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// The group of the own addresses, which all end alike.
const SOLICITED: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1];

/// An MLD packet behind a hop-by-hop header.
fn mld(src: [u8; 16], dst: [u8; 16], alert: u8, message: Vec<u8>) -> Vec<u8> {
    let mut packet = icmp6(src, dst, 1, message);
    packet.splice(40..40, [58, 0, alert, 2, 0, 0, 1, 0]);
    packet[6] = 0;
    packet[5] += 8;
    packet
}

pub(super) fn general_query_of_mld() -> Vec<u8> {
    mld(ROUTER6, ALL_NODES, 5, [&[130, 0, 0, 0, 0, 100, 0, 0][..], &[0; 16], &[2, 125, 0, 0]].concat())
}

/// The destination and the message of an MLD packet that is right in all else.
fn mld_message(packet: &[u8]) -> ([u8; 16], &[u8]) {
    assert_eq!(packet[6..24], [&[0, 1][..], &LINK_LOCAL].concat());
    assert_eq!(packet[40..48], [58, 0, 5, 2, 0, 0, 1, 0]);
    assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len() - 40);
    let mut plain = [&packet[..40], &packet[48..]].concat();
    (plain[5], plain[6]) = (packet[5] - 8, 58);
    assert_checksums(&plain);
    (packet[24..40].try_into().unwrap(), &packet[48..])
}

/// Covers: RFC 3810 §6.1, RFC 3810 §5.2, RFC 4861 §7.2.1, RFC 2710 §4, RFC 8504 §5.11a
#[test]
fn the_groups_of_own_addresses_are_reported_by_mldv2() {
    let mut net = Net::with_groups(Medium::Ip, 4);
    let sent = run_for(&mut net, 5);
    assert_eq!(sent.len(), 2, "one group, twice");
    for (_, packet) in &sent {
        let (dst, message) = mld_message(packet);
        assert_eq!(dst, [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16]);
        assert_eq!(message[..2], [143, 0]);
        assert_eq!(message[4..], [&[0, 0, 0, 1, 4, 0, 0, 0][..], &SOLICITED].concat());
    }
    // A query of version 2, then one of version 1.
    let query = [&[130, 0, 0, 0, 0x03, 0xe8, 0, 0][..], &[0; 16]].concat();
    net.exchange(mld(ROUTER6, ALL_NODES, 5, [&query[..], &[2, 125, 0, 0]].concat()));
    let start = net.now;
    let sent = run_for(&mut net, 5);
    assert_eq!((sent.len(), mld_message(&sent[0].1).1[8]), (1, 2));
    assert!(sent[0].0 - start <= Duration::from_secs(1));
    net.exchange(mld(ROUTER6, ALL_NODES, 5, query));
    let sent = run_for(&mut net, 5);
    let (dst, message) = mld_message(&sent[0].1);
    assert_eq!((sent.len(), dst, message[0], &message[8..]), (1, SOLICITED, 131, &SOLICITED[..]));
    let group = Ipv6Address::new(0xff05, 0, 0, 0, 0, 0, 0, 9);
    net.iface.join_multicast_group(group).unwrap();
    assert_eq!(run_for(&mut net, 11).len(), 2);
    net.iface.leave_multicast_group(group).unwrap();
    let sent = run_for(&mut net, 11);
    let (dst, message) = mld_message(&sent[0].1);
    assert_eq!((sent.len(), dst[15], message[0]), (1, 2, 132));
}

/// Covers: RFC 3810 §6.2, RFC 3810 §5.1.14
#[test]
fn a_query_of_mld_from_beyond_the_link_or_without_an_alert_is_ignored() {
    let mut net = Net::with_groups(Medium::Ip, 4);
    run_for(&mut net, 5);
    let query = || [&[130, 0, 0, 0, 0, 100, 0, 0][..], &[0; 16], &[2, 125, 0, 0]].concat();
    net.exchange(mld(ROUTER6, ALL_NODES, 1, query()));
    net.exchange(mld(ula(2), ALL_NODES, 5, query()));
    net.exchange(icmp6(ROUTER6, ALL_NODES, 1, query()));
    assert_eq!(net.iface.stats().drops(DropReason::Malformed), 3);
    net.exchange(icmp6(ROUTER6, ALL_NODES, 64, query()));
    assert_eq!(net.iface.stats().drops(DropReason::HopLimit), 1);
    assert!(run_for(&mut net, 20).is_empty());
}

/// Covers: RFC 3810 §6
#[test]
fn groups_that_never_leave_the_host_and_that_of_all_nodes_are_not_reported() {
    let mut net = v4_net();
    for group in
        [Ipv6Address::new(0xff01, 0, 0, 0, 0, 0, 0, 9), Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 1)]
    {
        net.iface.join_multicast_group(group).unwrap();
    }
    net.iface.join_multicast_group(addr([224, 0, 0, 1])).unwrap();
    assert!(run_for(&mut net, 5).is_empty());
    assert!(net.iface.has_multicast_group(Ipv6Address::new(0xff01, 0, 0, 0, 0, 0, 0, 9)));
}

/// Covers: RFC 3376 §5.2, RFC 2236 §3
#[test]
fn only_groups_that_are_joined_and_told_of_are_answered_for_in_their_own_family() {
    for query in [query2, query3] {
        let mut net = v4_net();
        let all = Ipv6Address::new(0xff05, 0, 0, 0, 0, 0, 0, 9);
        net.iface.join_multicast_group(all).unwrap();
        for group in [[224, 0, 0, 1], GROUP, OTHER] {
            net.iface.join_multicast_group(addr(group)).unwrap();
        }
        run_for(&mut net, 5);
        net.exchange(query(10, [224, 0, 0, 1]));
        assert!(run_for(&mut net, 20).is_empty(), "everybody is in it");
        // Of one that was left only its end is told, whatever is asked.
        net.exchange(query(10, [239, 5, 5, 5]));
        net.iface.leave_multicast_group(addr(OTHER)).unwrap();
        net.poll();
        net.sent();
        net.exchange(query(10, OTHER));
        net.exchange(query(10, [0; 4]));
        let sent = run_for(&mut net, 20);
        let about = |group: [u8; 4]| sent.iter().filter(move |(_, packet)| packet.ends_with(&group));
        assert!(sent.iter().all(|(_, packet)| packet[0] == 0x46), "the query was one of IPv4");
        assert_eq!(about(GROUP).count(), 1);
        assert!(about([224, 0, 0, 1]).count() == 0 && about(OTHER).count() <= 1);
    }
}

/// Covers: RFC 3376 §7.2.1
#[test]
fn when_the_version_changes_what_was_to_be_said_is_not_said() {
    for is_left in [false, true] {
        let mut net = v4_net();
        let other_family = Ipv6Address::new(0xff05, 0, 0, 0, 0, 0, 0, 9);
        net.iface.join_multicast_group(addr(GROUP)).unwrap();
        if is_left {
            run_for(&mut net, 5);
            net.iface.leave_multicast_group(addr(GROUP)).unwrap();
        }
        net.iface.join_multicast_group(other_family).unwrap();
        net.poll();
        assert_eq!(net.sent().len(), 2, "each will be said once more");
        let about_another = vec![0x11, 100, 0, 0, 239, 5, 5, 5];
        net.exchange(igmp(ROUTER, [224, 0, 0, 1], 1, true, about_another));
        let sent = run_for(&mut net, 20);
        assert_eq!(sent.len(), 1, "{is_left}");
        assert_eq!(sent[0].1[0] >> 4, 6, "the routers of IPv6 are others");
        assert_eq!(net.iface.has_multicast_group(addr(GROUP)), !is_left);
    }
}
