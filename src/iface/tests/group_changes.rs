//! What becomes of reports when groups, links and tables change under them.

use super::groups::*;
use super::net::*;
use crate::iface::GroupError;
use crate::phy::{LinkState, Medium};
use crate::wire::{IpAddress, Ipv6Address};

/// What is said of a group, of all that was sent.
fn about(sent: &[Vec<u8>], group: [u8; 4]) -> Vec<u8> {
    let all = sent.iter().flat_map(|packet| records(packet));
    all.filter(|(_, of)| *of == group).map(|(kind, _)| kind).collect()
}

fn packets(net: &mut Net, secs: u64) -> Vec<Vec<u8>> {
    run_for(net, secs).into_iter().map(|(_, packet)| packet).collect()
}

/// Covers: RFC 3376 §5.1
#[test]
fn the_end_of_a_group_is_told_twice_whatever_else_changes_between() {
    let mut net = v4_net();
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    packets(&mut net, 5);
    net.iface.leave_multicast_group(addr(GROUP)).unwrap();
    net.poll();
    assert_eq!(about(&net.sent(), GROUP), [3]);
    net.iface.join_multicast_group(addr(OTHER)).unwrap();
    net.poll();
    let sent = net.sent();
    assert_eq!((about(&sent, OTHER), about(&sent, GROUP)), (vec![4], vec![]), "not before its time");
    let sent = packets(&mut net, 5);
    assert_eq!((about(&sent, OTHER), about(&sent, GROUP)), (vec![4], vec![3]));
}

#[test]
fn a_new_link_hears_nothing_of_a_group_that_was_left_on_the_old_one() {
    let mut net = v4_net();
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    packets(&mut net, 5);
    net.iface.leave_multicast_group(addr(GROUP)).unwrap();
    net.poll();
    net.sent();
    net.wire.link = LinkState::DOWN;
    net.iface.join_multicast_group(addr(OTHER)).unwrap();
    assert!(packets(&mut net, 5).is_empty());
    assert_eq!(net.iface.stats().total_drops(), 0, "nothing is tried without a link");
    net.wire.link = LinkState::UP;
    let sent = packets(&mut net, 5);
    assert_eq!((about(&sent, OTHER), about(&sent, GROUP)), (vec![4, 4], vec![]));
    assert!(net.wire.filter.is_empty(), "a link without hardware addresses has no groups of them");
}

#[test]
fn in_a_full_table_only_a_group_that_nobody_wants_any_more_gives_way() {
    let mut net = v4_net();
    let nth = |last| addr([239, 9, 9, last]);
    let most = crate::config::MAX_GROUPS as u8;
    for last in 0..most {
        net.iface.join_multicast_group(nth(last)).unwrap();
    }
    packets(&mut net, 5);
    assert_eq!(net.iface.join_multicast_group(nth(most)), Err(GroupError::Full));
    net.iface.leave_multicast_group(nth(3)).unwrap();
    net.poll();
    // Somebody wants it again before its end was told twice.
    net.iface.join_multicast_group(nth(3)).unwrap();
    assert_eq!(net.iface.join_multicast_group(nth(most)), Err(GroupError::Full));
    net.iface.leave_multicast_group(nth(3)).unwrap();
    net.iface.join_multicast_group(nth(most)).unwrap();
    packets(&mut net, 5);
    assert!(net.iface.has_multicast_group(nth(most)) && !net.iface.has_multicast_group(nth(3)));
    assert!((0..most).filter(|last| *last != 3).all(|last| net.iface.has_multicast_group(nth(last))));
}

/// Covers: RFC 3376 §4.2.16, RFC 3810 §5.2.15
#[test]
fn an_answer_about_many_groups_takes_as_many_packets_as_the_link_needs() {
    // Room for eight records of IPv4, and three of IPv6.
    for (is_v4, ip_mtu, count, expected) in
        [(true, 24 + 8 + 8 * 8 + 7, 20, &[8, 8, 4][..]), (false, 48 + 8 + 3 * 20 + 19, 8, &[3, 3, 2])]
    {
        let mut net = Net::ip();
        net.wire.ip_mtu = ip_mtu;
        net.iface = interface(crate::iface::Config::new(crate::phy::HardwareAddress::Ip), &net.wire, 4);
        net.iface.add_address(crate::wire::IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
        for last in 0..count {
            let group = match is_v4 {
                true => addr([239, 9, 9, last]),
                false => Ipv6Address::new(0xff05, 0, 0, 0, 0, 0, 0, last.into()).into(),
            };
            net.iface.join_multicast_group(group).unwrap();
        }
        packets(&mut net, 5);
        net.exchange(if is_v4 { query3(1, [0; 4]) } else { general_query_of_mld() });
        let sent = packets(&mut net, 5);
        assert!(sent.iter().all(|packet| packet.len() <= ip_mtu));
        let records: Vec<_> = sent.iter().map(|packet| packet[if is_v4 { 31 } else { 55 }]).collect();
        assert_eq!(records, expected);
    }
}

/// Covers: RFC 4293 icmpStatsOutMsgs
#[test]
fn reports_of_mld_are_messages_of_icmpv6_and_those_of_igmp_are_not() {
    let mut net = Net::with_groups(Medium::Ip, 4);
    let count = packets(&mut net, 5).len() as u32;
    assert_eq!((net.iface.mib().icmpv6.out_msgs, net.iface.mib().icmpv4.out_msgs), (count, 0));
    let mut net = v4_net();
    net.iface.join_multicast_group(addr(GROUP)).unwrap();
    assert_eq!(packets(&mut net, 5).len(), 2);
    assert_eq!((net.iface.mib().icmpv6.out_msgs, net.iface.mib().icmpv4.out_msgs), (0, 0));
}
