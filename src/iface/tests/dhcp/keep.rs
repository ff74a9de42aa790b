//! How an address is kept, and when it goes.

use super::acquire::route;
use super::*;
use crate::phy::LinkState;
use crate::stats::DropReason;

/// T1 may come a sixteenth earlier than it is.
fn is_about(at: Instant, expected: Instant) -> bool {
    let early = expected.saturating_duration_since(at).total_millis();
    at <= expected + Duration::from_millis(2) && early <= (expected.total_millis() as u64) / 16
}

/// Covers: RFC 2131 §4.4.5, §4.3.2
#[test]
fn at_t1_the_server_alone_is_asked_for_more_time() {
    let (mut net, asked_at) = bound();
    let renews_at = net.iface.dhcp_lease().unwrap().renews_at().unwrap();
    assert!(is_about(renews_at, asked_at + secs(1_800)), "{}", renews_at - asked_at);
    assert_eq!(
        net.iface.poll_at(net.now, &mut net.sockets).map(|at| at.total_millis() / 10),
        Some(renews_at.total_millis() / 10)
    );
    let request = next(&mut net);
    assert!(request.at >= renews_at && request.at <= renews_at + Duration::from_millis(2));
    assert_eq!((state(&net), request.kind()), (DhcpState::Renewing, MessageType::REQUEST));
    assert_eq!((request.src, request.dst, request.to), (LENT, SERVER, PEER_MAC));
    let (repr, options) = (request.repr(), request.options());
    assert_eq!((repr.ciaddr, repr.broadcast), (LENT.into(), false));
    assert!(options.get(code::SERVER_ID).is_none() && options.get(code::REQUESTED_ADDRESS).is_none());
    assert!(options.get(code::PARAMETERS).is_some());
    assert!(hear(&mut net, request.answer(MessageType::ACK, LENT, TERMS)).is_empty());
    assert_eq!((state(&net), addrs(&net)), (DhcpState::Bound, vec![lent()]));
    assert_eq!(net.iface.dhcp_lease().unwrap().expires_at(), Some(request.at + HOUR));
    assert_eq!(net.iface.addresses().next().unwrap().valid_until, Some(request.at + HOUR));
    assert_eq!(route(&net), Some(SERVER));
}

/// Covers: RFC 2131 §4.4.5
#[test]
fn it_asks_after_half_of_what_is_left_then_everybody_and_then_it_is_over() {
    let (mut net, asked_at) = bound();
    let said = listen(&mut net, secs(3_650));
    let lease = |at: Instant| (at - asked_at).total_millis() / 1_000;
    let requests: Vec<_> = said.iter().filter(|said| said.kind() == MessageType::REQUEST).collect();
    let (mut last, t2, end) = (lease(requests[0].at), 3_150, 3_600);
    assert!((1_687..=1_800).contains(&last));
    for request in &requests[1..] {
        let at = lease(request.at);
        let until = if last < t2 { t2 } else { end };
        let expected = until.min(last + 60.max((until - last) / 2));
        assert!(at.abs_diff(expected) <= 1, "{at} and not {expected}, after {last}");
        assert_eq!(request.is_to_all(), at >= t2, "{at}");
        assert_eq!((request.src, request.repr().ciaddr), (LENT, LENT.into()));
        last = at;
    }
    assert!(requests.len() > 8);
    let xids: std::collections::BTreeSet<_> = requests.iter().map(|request| request.repr().xid).collect();
    assert_eq!(xids.len(), requests.len(), "each counts from when it was sent");
    let discover = said.iter().find(|said| said.kind() == MessageType::DISCOVER).unwrap();
    assert_eq!((lease(discover.at), discover.src), (end, [0; 4]));
    assert_eq!((addrs(&net), route(&net)), (vec![], None));
    assert!(net.iface.dhcp_lease().is_none() && net.iface.addresses().next().is_none());
}

/// Covers: RFC 2131 §4.4.5, §3.1 step 4
#[test]
fn a_refusal_while_renewing_ends_the_lease_at_once() {
    let (mut net, _) = bound();
    assert!(net.iface.dhcp_renew());
    let request = next(&mut net);
    assert_eq!(addrs(&net), [lent()]);
    let discover = hear(&mut net, request.answer(MessageType::NAK, [0; 4], &[54, 4, 10, 0, 0, 2])).remove(0);
    assert_eq!((discover.kind(), discover.src), (MessageType::DISCOVER, [0; 4]));
    assert_eq!((addrs(&net), route(&net)), (vec![], None));
}

/// Covers: RFC 2131 §4.4.5
#[test]
fn another_address_in_place_of_ours_is_checked_and_ours_is_gone() {
    let (mut net, _) = bound();
    net.iface.dhcp_renew();
    let request = next(&mut net);
    let other = [10, 0, 0, 78];
    let ack = request.answer(MessageType::ACK, other, TERMS);
    assert!(hear(&mut net, from_server(LENT, &ack[42..])).is_empty());
    assert_eq!((state(&net), addrs(&net)), (DhcpState::Checking, vec![]));
    to_bound(&mut net);
    assert_eq!(addrs(&net), [IpCidr::Ipv4(Ipv4Cidr::new(other.into(), 24))]);
}

/// Covers: RFC 2131 §3.3
#[test]
fn an_infinite_lease_is_never_renewed() {
    let terms = [&[51, 4, 255, 255, 255, 255][..], &TERMS[6..]].concat();
    let (mut net, _) = bound_with(DhcpConfig::default(), &terms);
    let lease = net.iface.dhcp_lease().unwrap();
    assert_eq!((lease.renews_at(), lease.rebinds_at(), lease.expires_at()), (None, None, None));
    assert!(net.iface.addresses().all(|info| info.valid_until.is_none()));
    assert!(listen(&mut net, secs(100 * 365 * 86_400)).is_empty());
    assert_eq!(addrs(&net), [lent()]);
    // Asked to, it asks, but goes on without an answer.
    net.iface.dhcp_renew();
    let said = listen(&mut net, secs(3_600));
    assert!((55..=61).contains(&said.len()) && addrs(&net) == [lent()], "{}", said.len());
}

/// Covers: RFC 2131 §3.3
#[test]
fn a_lease_of_years_is_renewed_in_its_time() {
    let terms = [&[51, 4, 255, 255, 255, 254][..], &TERMS[6..]].concat();
    let (mut net, asked_at) = bound_with(DhcpConfig::default(), &terms);
    let renews_at = net.iface.dhcp_lease().unwrap().renews_at().unwrap();
    assert!(is_about(renews_at, asked_at + secs(u64::from(u32::MAX) / 2)));
    let until = renews_at - secs(1);
    let said: Vec<_> = said(&run(&mut net, until));
    assert!(said.is_empty() && addrs(&net) == [lent()]);
    assert_eq!(listen(&mut net, secs(2)).len(), 1);
}

/// Covers: RFC 2131 §3.2, §4.3.2, §4.4.2
#[test]
fn when_the_link_is_back_the_address_is_asked_for_again() {
    let (mut net, _) = bound();
    net.wire.link.up = false;
    net.poll();
    assert_eq!((addrs(&net), route(&net)), (vec![], None));
    assert!(net.iface.dhcp_lease().is_none() && net.sent().is_empty());
    assert!(listen(&mut net, secs(100)).is_empty());
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    net.wire.link = LinkState::UP;
    let request = next(&mut net);
    assert_eq!(
        (state(&net), request.kind(), request.src, request.is_to_all()),
        (DhcpState::Rebooting, MessageType::REQUEST, [0; 4], true)
    );
    assert_eq!(request.options().address(code::REQUESTED_ADDRESS), Some(LENT.into()));
    assert!(request.options().get(code::SERVER_ID).is_none());
    assert_eq!((request.repr().ciaddr, request.repr().secs), ([0; 4].into(), 0));
    assert!(hear(&mut net, request.answer(MessageType::ACK, LENT, TERMS)).is_empty());
    assert_eq!(state(&net), DhcpState::Checking);
    to_bound(&mut net);
    assert_eq!((addrs(&net), route(&net)), (vec![lent()], Some(SERVER)));
}

/// Covers: RFC 2131 §3.2, §4.4.2
#[test]
fn an_address_that_nobody_confirms_or_somebody_refuses_is_forgotten() {
    let back = || {
        let (mut net, _) = bound();
        net.wire.link.up = false;
        net.poll();
        net.wire.link = LinkState::UP;
        let request = next(&mut net);
        (net, request)
    };
    let (mut net, _) = back();
    let kinds: Vec<_> = listen(&mut net, secs(14)).iter().map(Said::kind).collect();
    assert_eq!(kinds, [MessageType::REQUEST, MessageType::DISCOVER], "two tries");
    let (mut net, request) = back();
    let said = hear(&mut net, request.answer(MessageType::NAK, [0; 4], &[54, 4, 10, 0, 0, 9]));
    assert_eq!(
        (said[0].kind(), said[0].options().get(code::REQUESTED_ADDRESS)),
        (MessageType::DISCOVER, None)
    );
    // Its time is over while there is no link.
    let (mut net, _) = bound();
    net.wire.link.up = false;
    net.poll();
    net.now += HOUR;
    net.wire.link = LinkState::UP;
    assert_eq!(next(&mut net).kind(), MessageType::DISCOVER);
}

#[test]
fn the_link_may_go_at_any_time() {
    for step in 0..4 {
        let mut net = client();
        let discover = next(&mut net);
        if step > 0 {
            let request = hear(&mut net, discover.answer(MessageType::OFFER, LENT, TERMS)).remove(0);
            if step > 1 {
                hear(&mut net, request.answer(MessageType::ACK, LENT, TERMS));
            }
        }
        if step == 3 {
            net.now += secs(3);
            net.poll();
        }
        net.sent();
        net.wire.link.up = false;
        net.poll();
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
        assert_eq!(net.iface.addresses().count(), 0);
        net.wire.link = LinkState::UP;
        let kind = if step > 1 { MessageType::REQUEST } else { MessageType::DISCOVER };
        assert_eq!(next(&mut net).kind(), kind, "{step}");
    }
    // There was none when it began.
    let mut net = client();
    net.wire.link.up = false;
    assert!(listen(&mut net, secs(100)).is_empty());
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    net.wire.link = LinkState::UP;
    assert_eq!(next(&mut net).kind(), MessageType::DISCOVER);
}

/// Covers: RFC 2131 §4.4.6
#[test]
fn an_address_that_is_given_back_is_gone_and_the_server_is_told() {
    let (mut net, _) = bound();
    assert!(net.iface.dhcp_release());
    let release = next(&mut net);
    assert_eq!(
        (release.kind(), release.src, release.dst, release.to),
        (MessageType::RELEASE, LENT, SERVER, PEER_MAC)
    );
    assert_eq!(release.repr().ciaddr, Ipv4Address::from(LENT));
    assert_eq!(release.options().address(code::SERVER_ID), Some(SERVER.into()));
    assert!(release.options().codes().eq([53, 54, 61]), "table 5: none else");
    // Until then the server's hardware address was asked for, from ours.
    assert!(listen(&mut net, secs(2)).is_empty());
    assert_eq!((state(&net), addrs(&net), route(&net)), (DhcpState::Released, vec![], None));
    assert!(!net.iface.dhcp_release());
    assert!(listen(&mut net, secs(1_000)).is_empty());
    net.wire.link.up = false;
    net.poll();
    net.wire.link = LinkState::UP;
    assert!(listen(&mut net, secs(1_000)).is_empty());
    assert!(net.iface.dhcp_renew());
    assert_eq!(next(&mut net).kind(), MessageType::DISCOVER);
}

#[test]
fn a_client_that_is_taken_away_takes_all_with_it() {
    let (mut net, _) = bound();
    net.iface.set_dhcp(None);
    assert_eq!((addrs(&net), route(&net), net.iface.dhcp_state()), (vec![], None, None));
    assert!(listen(&mut net, secs(10_000)).is_empty());
    assert!(!net.iface.dhcp_renew() && !net.iface.dhcp_release());
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    // Nor does anybody hear of what still comes.
    let before = net.iface.stats().total_drops();
    net.exchange(from_server([0; 4], &[0; 300]));
    assert_eq!(
        (net.iface.stats().total_drops(), net.iface.stats().drops(DropReason::UnexpectedDhcp)),
        (before + 1, 0)
    );
}

/// Covers: RFC 2131 §4.4.5
#[test]
fn a_lease_that_ends_while_it_is_checked_is_over() {
    let terms = [&[51, 4, 0, 0, 0, 3][..], &TERMS[6..]].concat();
    let mut net = client();
    to_ack(&mut net, &terms);
    let discover = next(&mut net);
    assert_eq!(discover.kind(), MessageType::DISCOVER);
    assert_eq!(net.iface.addresses().count(), 0);
}

/// Covers: RFC 5227 §2.4, RFC 2131 §4.4.4
#[test]
fn an_address_that_is_lost_to_another_is_declined() {
    let (mut net, _) = bound();
    let rival = || arp(2, [2, 0, 0, 0, 0, 9], LENT, [0; 6], LENT);
    assert!(hear(&mut net, rival()).is_empty());
    assert_eq!(addrs(&net), [lent()]);
    let decline = hear(&mut net, rival()).remove(0);
    assert_eq!((decline.kind(), decline.src, decline.is_to_all()), (MessageType::DECLINE, [0; 4], true));
    assert_eq!((state(&net), addrs(&net), route(&net)), (DhcpState::Declined, vec![], None));
    assert_eq!(next(&mut net).kind(), MessageType::DISCOVER);
}
