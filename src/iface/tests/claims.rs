//! Addresses that are checked before they are used, and those that end, in virtual time.

use super::groups::{run, run_for};
use super::net::*;
use crate::iface::autoconf::Terms;
use crate::iface::{AddressError, AddressOrigin, AddressState};
use crate::phy::{LinkState, Medium};
use crate::stats::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::{Addr, IpAddress, IpCidr};

const V6: [u8; 16] = ula(0x77);
const V4: [u8; 4] = [10, 0, 0, 0x77];
const NOBODY: [u8; 16] = [0; 16];
const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const GROUP: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0x77];
const SECOND: Duration = Duration::from_secs(1);

fn v6() -> IpAddress {
    crate::wire::Ipv6Address::from(V6).into()
}

fn v4() -> IpAddress {
    crate::wire::Ipv4Address::from(V4).into()
}

/// The state of the claimed address.
fn state(net: &Net, addr: IpAddress) -> Option<AddressState> {
    let mut all = net.iface.addresses().filter(|info| info.cidr.address() == addr);
    let state = all.next().map(|info| info.state);
    assert!(all.next().is_none(), "listed once");
    state
}

/// Frames that ask about our claim, and when they went.
fn probes(sent: &[(Instant, Vec<u8>)]) -> Vec<(Instant, Vec<u8>)> {
    let is_probe = |frame: &[u8]| match frame[12..14] {
        [0x86, 0xdd] => frame[20] == 58 && frame[54] == 135,
        _ => frame[12..14] == [8, 6],
    };
    sent.iter().filter(|(_, frame)| is_probe(frame)).cloned().collect()
}

fn claiming(addr: IpAddress) -> Net {
    let mut net = Net::ethernet();
    net.iface.claim_address(IpCidr::new(addr, if addr == v4() { 24 } else { 64 })).unwrap();
    assert_eq!(state(&net, addr), Some(AddressState::Tentative));
    net
}

/// Runs until the first question has gone, and gives it.
fn until_asked(net: &mut Net) -> Vec<u8> {
    for _ in 0..8 {
        let at = net.iface.poll_at(net.now, &mut net.sockets).unwrap();
        net.now = net.now.max(at);
        net.poll();
        if let Some((_, probe)) =
            probes(&net.sent().into_iter().map(|f| (net.now, f)).collect::<Vec<_>>()).pop()
        {
            return probe;
        }
    }
    panic!("nobody was asked");
}

/// A solicitation for the claimed address, or an advertisement of it.
fn solicit(src: [u8; 16], dst: [u8; 16], options: &[u8]) -> Vec<u8> {
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &V6, options].concat();
    let frame = ethernet(0x86dd, &icmp6(src, dst, 255, message));
    [&[0x33, 0x33, 0xff, 0, 0, 0x77], &frame[6..]].concat()
}

fn advertise() -> Vec<u8> {
    let message = [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &V6, &[2, 1], &PEER_MAC].concat();
    let frame = ethernet(0x86dd, &icmp6(V6, ALL_NODES, 255, message));
    [&[0x33, 0x33, 0, 0, 0, 1], &frame[6..]].concat()
}

/// Covers: RFC 4862 §5.4.2, §5.4, §5.1, RFC 7527 §4.1, RFC 4861 §4.3
#[test]
fn an_address_is_asked_for_once_after_a_random_delay_and_used_a_second_later() {
    let mut delays = Vec::new();
    for seed in 0..20 {
        let mut net = claiming(v6());
        net.sockets = crate::iface::SocketSet::with_capacity(1, crate::rand::Keys::new([seed; 32]));
        let start = net.now;
        let sent = run_for(&mut net, 10);
        assert_eq!(state(&net, v6()), Some(AddressState::Preferred));
        let [(at, frame)] = &probes(&sent)[..] else { panic!("one question: {sent:?}") };
        assert!(*at - start <= Duration::from_millis(1_003), "{}", *at - start);
        assert_eq!(frame[..14], [0x33, 0x33, 0xff, 0, 0, 0x77, 2, 0, 0, 0, 0, 1, 0x86, 0xdd]);
        assert_checksums(&frame[14..]);
        assert_eq!((&frame[22..38], &frame[38..54], frame[21]), (&NOBODY[..], &GROUP[..], 255));
        assert_eq!(frame[54..56], [135, 0]);
        assert_eq!(
            (&frame[62..78], &frame[78..80], frame.len()),
            (&V6[..], &[14, 1][..], 86),
            "with a nonce"
        );
        delays.push(*at - start);
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    }
    delays.sort();
    assert!(delays[0] < Duration::from_millis(300) && delays[19] > Duration::from_millis(700), "{delays:?}");
    // It is ours a second after the question, and not before.
    let mut net = claiming(v6());
    until_asked(&mut net);
    net.now += Duration::from_millis(999);
    net.poll();
    assert_eq!(state(&net, v6()), Some(AddressState::Tentative));
    net.now += Duration::from_millis(2);
    net.poll();
    assert_eq!(state(&net, v6()), Some(AddressState::Preferred));
}

/// Covers: RFC 4862 §5.4.2
#[test]
fn the_group_is_joined_and_told_before_anybody_is_asked() {
    let mut net = Net::with_groups(Medium::Ethernet, 8);
    run_for(&mut net, 20);
    net.iface.claim_address(IpCidr::new(v6(), 64)).unwrap();
    net.poll();
    assert!(
        !net.iface.has_multicast_group(crate::wire::Ipv6Address::from(GROUP)),
        "the delay is the group's, too"
    );
    let sent = run_for(&mut net, 20);
    let kinds: Vec<_> = sent.iter().map(|(_, f)| if f[20] == 0 { f[62] } else { f[54] }).collect();
    assert_eq!(kinds, [143, 135, 143], "a report, the question, the report once more");
    assert_eq!(sent[0].1[70..], [&[4, 0, 0, 0][..], &GROUP].concat());
    assert!(net.wire.filter.contains(&crate::phy::HardwareAddress::Ethernet([0x33, 0x33, 0xff, 0, 0, 0x77])));
    assert!(net.iface.has_multicast_group(crate::wire::Ipv6Address::from(GROUP)));
    // The device was told of the group before the question went out.
    assert!(net.iface.remove_address(v6()));
    net.poll();
    assert!(!net.iface.has_multicast_group(crate::wire::Ipv6Address::from(GROUP)));
}

/// Covers: RFC 4862 §5.4.3, §5.4.4, §5.4.5
#[test]
fn what_another_has_or_is_about_to_take_is_a_duplicate_and_not_used() {
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    for answer in [advertise(), solicit(NOBODY, GROUP, &[]), solicit(NOBODY, GROUP, &nonce)] {
        let mut net = claiming(v6());
        until_asked(&mut net);
        assert!(net.exchange(answer.clone()).is_empty());
        assert_eq!(state(&net, v6()), Some(AddressState::Duplicate));
        assert!(net.iface.take_configuration_changed());
        assert!(run_for(&mut net, 100).is_empty(), "it is not asked for again");
        assert_eq!(state(&net, v6()), Some(AddressState::Duplicate));
        assert!(!net.iface.has_address(&Addr::v6(V6)));
        // Claimed again it is tried again, unless it is let go.
        net.iface.claim_address(IpCidr::new(v6(), 64)).unwrap();
        assert_eq!(probes(&run_for(&mut net, 10)).len(), 1);
        assert_eq!(state(&net, v6()), Some(AddressState::Preferred));
    }
    let mut net = claiming(v6());
    until_asked(&mut net);
    net.exchange(advertise());
    assert!(net.iface.remove_address(v6()));
    assert_eq!(state(&net, v6()), None);
    assert!(!net.iface.remove_address(v6()));
}

/// Covers: RFC 4862 §5.4.3, RFC 4862 §5.4
#[test]
fn an_address_that_is_checked_is_not_used_yet_and_who_looks_for_it_is_not_answered() {
    let mut net = claiming(v6());
    until_asked(&mut net);
    let source = [&[1, 1][..], &PEER_MAC].concat();
    assert!(net.exchange(solicit(ula(2), GROUP, &source)).is_empty());
    assert_eq!(state(&net, v6()), Some(AddressState::Tentative), "it wants to talk to whoever has it");
    let echo = ethernet(0x86dd, &icmp6(ula(2), V6, 64, vec![128, 0, 0, 0, 0, 1, 0, 1]));
    assert!(net.exchange(echo.clone()).is_empty());
    assert_eq!(net.iface.source_for(&Addr::v6(ula(0x76))), Some(Addr::v6(ula(1))));
    assert_eq!(net.iface.stats().drops(DropReason::NotOurAddress), 2);
    run_for(&mut net, 2);
    net.wire.to_stack.push_back(solicit(ula(2), GROUP, &source));
    assert_eq!(net.exchange(echo).len(), 2, "an advertisement and an echo reply");
    assert_eq!(net.iface.stats().drops(DropReason::NotOurAddress), 2);
}

/// Covers: RFC 4862 §5.4, RFC 4861 §7.2.4
#[test]
fn an_address_in_use_does_not_become_a_duplicate_by_what_anybody_says() {
    let mut net = claiming(v6());
    run_for(&mut net, 10);
    assert!(net.exchange(advertise()).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::BadSource), 1);
    let message = [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &V6, &[2, 1], &PEER_MAC].concat();
    assert!(net.exchange(ethernet(0x86dd, &icmp6(ula(2), V6, 255, message))).is_empty());
    assert_eq!(net.iface.stats().drops(DropReason::BadNeighborMessage), 1);
    assert_eq!(net.exchange(solicit(NOBODY, GROUP, &[])).len(), 1, "who asks hears that it is ours");
    assert_eq!(state(&net, v6()), Some(AddressState::Preferred));
}

/// Covers: RFC 7527 §4.1, §4.2
#[test]
fn a_question_that_the_link_sends_back_is_no_duplicate_but_leads_to_three_more() {
    let mut net = claiming(v6());
    let first = until_asked(&mut net);
    net.exchange(first.clone());
    assert_eq!(net.iface.stats().drops(DropReason::LoopedProbe), 1);
    let until = net.now + Duration::from_millis(2_500);
    let mut sent = probes(&run(&mut net, until));
    assert_eq!(sent.len(), 2, "a second apart");
    assert_eq!(state(&net, v6()), Some(AddressState::Tentative));
    sent.extend(probes(&run_for(&mut net, 8)));
    let mut nonces: Vec<_> = sent.iter().map(|(_, frame)| frame[80..86].to_vec()).collect();
    nonces.push(first[80..86].to_vec());
    nonces.sort();
    nonces.dedup();
    assert_eq!((sent.len(), nonces.len()), (3, 4), "each has a nonce of its own");
    assert_eq!(state(&net, v6()), Some(AddressState::Preferred));
}

/// Covers: RFC 4862 §5.1, §5.4
#[test]
fn how_often_is_asked_can_be_set_and_nobody_is_asked_where_nobody_can_answer() {
    let mut net = Net::ethernet();
    net.iface.set_dad_transmits(3);
    net.iface.claim_address(IpCidr::new(v6(), 64)).unwrap();
    let sent = probes(&run_for(&mut net, 10));
    assert_eq!(sent.len(), 3);
    for pair in sent.windows(2) {
        assert!((SECOND..Duration::from_millis(1_002)).contains(&(pair[1].0 - pair[0].0)));
    }
    let mut net = Net::ethernet();
    net.iface.set_dad_transmits(0);
    let mut bare = Net::ip();
    for net in [&mut net, &mut bare] {
        net.iface.claim_address(IpCidr::new(v6(), 64)).unwrap();
        net.poll();
        assert_eq!(state(net, v6()), Some(AddressState::Preferred));
        assert!(net.sent().is_empty());
    }
}

/// Covers: RFC 4862 §5.4
#[test]
fn when_the_link_comes_again_the_address_is_asked_for_again() {
    let mut net = claiming(v6());
    run_for(&mut net, 10);
    for was_asked in [false, true] {
        net.wire.link = LinkState::DOWN;
        assert!(run_for(&mut net, 10).is_empty(), "{was_asked}");
        net.wire.link = LinkState::UP;
        if was_asked {
            // In the midst of it the link goes once more, and comes.
            net.poll();
            until_asked(&mut net);
            net.wire.link = LinkState::DOWN;
            net.poll();
            assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
            net.wire.link = LinkState::UP;
        }
        net.poll();
        assert_eq!(state(&net, v6()), Some(AddressState::Tentative));
        assert_eq!(probes(&run_for(&mut net, 10)).len(), 1);
        assert_eq!(state(&net, v6()), Some(AddressState::Preferred));
    }
}

#[test]
fn a_claim_ends_with_the_address_and_is_no_more_when_that_is_added_at_once() {
    let mut net = claiming(v6());
    net.iface.add_address(IpCidr::new(v6(), 64)).unwrap();
    assert_eq!(state(&net, v6()), Some(AddressState::Preferred));
    assert!(probes(&run_for(&mut net, 10)).is_empty());
    net.iface.claim_address(IpCidr::new(v6(), 64)).unwrap();
    assert!(probes(&run_for(&mut net, 10)).is_empty(), "it is ours already");
    assert!(net.iface.remove_address(v6()));
    let mut net = claiming(v6());
    until_asked(&mut net);
    assert!(net.iface.remove_address(v6()));
    assert!(run_for(&mut net, 10).is_empty());
    assert_eq!(state(&net, v6()), None);
}

#[test]
fn what_no_host_can_have_and_what_has_no_room_is_refused() {
    let mut net = Net::ethernet();
    let group = IpCidr::new(crate::wire::Ipv6Address::from(ALL_NODES).into(), 64);
    assert_eq!(net.iface.claim_address(group), Err(AddressError::NotUnicast));
    let room = net.iface.addresses.len() - net.iface.addresses().count();
    for last in 0..room {
        net.iface
            .claim_address(IpCidr::new(crate::wire::Ipv6Address::from(ula(100 + last as u8)).into(), 64))
            .unwrap();
    }
    assert_eq!(net.iface.claim_address(IpCidr::new(v6(), 64)), Err(AddressError::Full));
    // What was promised is kept, unless the application has taken the room.
    net.iface.add_address(IpCidr::new(v6(), 64)).unwrap();
    run_for(&mut net, 10);
    assert_eq!(net.iface.addresses().count(), net.iface.addresses.len());
    assert!(net.iface.addresses().all(|info| info.state == AddressState::Preferred));
}

#[test]
fn a_question_that_finds_no_room_is_asked_later() {
    let mut net = Net::ethernet();
    net.iface.packets = crate::storage::PacketPool::with_cells(0, 0);
    net.iface.claim_address(IpCidr::new(v6(), 64)).unwrap();
    net.wire.room = 0;
    assert!(run_for(&mut net, 5).is_empty());
    assert_eq!(state(&net, v6()), Some(AddressState::Tentative));
    net.wire.room = 9;
    assert_eq!(probes(&run_for(&mut net, 5)).len(), 1);
    assert_eq!(state(&net, v6()), Some(AddressState::Preferred));
}

/// Covers: RFC 5227 §2.1, §2.1.1, §1.1
#[test]
fn an_ipv4_address_is_asked_for_three_times_and_used_two_seconds_later() {
    let mut net = claiming(v4());
    let start = net.now;
    let mut sent = probes(&run_for(&mut net, 20));
    sent.retain(|(_, frame)| frame[28..32] == [0; 4]);
    assert_eq!(sent.len(), 3);
    assert!(sent[0].0 - start <= Duration::from_millis(1_003));
    for pair in sent.windows(2) {
        assert!((SECOND..=Duration::from_millis(2_003)).contains(&(pair[1].0 - pair[0].0)));
    }
    for (_, frame) in &sent {
        let expected = arp(1, OUR_MAC, [0; 4], [0; 6], V4);
        assert_eq!(*frame, expected);
    }
    assert_eq!(state(&net, v4()), Some(AddressState::Preferred));
    let mut net = claiming(v4());
    run(&mut net, sent[2].0 + Duration::from_millis(1_990));
    assert_eq!(state(&net, v4()), Some(AddressState::Tentative));
    run_for(&mut net, 1);
    assert_eq!(state(&net, v4()), Some(AddressState::Preferred));
}

/// Covers: RFC 5227 §2.1.1
#[test]
fn an_arp_message_of_another_who_has_it_or_asks_for_it_ends_the_claim_on_ipv4() {
    let cases = [
        (arp(2, PEER_MAC, V4, OUR_MAC, [0; 4]), AddressState::Duplicate),
        (arp(1, PEER_MAC, V4, [0; 6], V4), AddressState::Duplicate),
        (arp(1, PEER_MAC, V4, [0; 6], PEER_IP), AddressState::Duplicate),
        (arp(1, PEER_MAC, [0; 4], [0; 6], V4), AddressState::Duplicate),
        (arp(1, OUR_MAC, [0; 4], [0; 6], V4), AddressState::Tentative),
        (arp(1, PEER_MAC, PEER_IP, [0; 6], V4), AddressState::Tentative),
        (arp(1, PEER_MAC, [0; 4], [0; 6], PEER_IP), AddressState::Tentative),
    ];
    for (frame, expected) in cases {
        let mut net = claiming(v4());
        until_asked(&mut net);
        assert!(net.exchange(frame.clone()).is_empty());
        assert_eq!(state(&net, v4()), Some(expected), "{frame:?}");
    }
}

/// Covers: RFC 4862 §5.5.4, RFC 6724 §5
#[test]
fn an_address_is_deprecated_and_then_gone_when_its_time_is_over() {
    let mut net = Net::ethernet();
    let start = net.now;
    let terms = Terms {
        preferred_until: Some(start + Duration::from_secs(100)),
        valid_until: Some(start + Duration::from_secs(30 * 86_400)),
        ..Terms::for_ever(AddressOrigin::RouterAdvertisement, 64)
    };
    net.iface.claim(&Addr::v6(V6), terms).unwrap();
    run_for(&mut net, 10);
    let info = net.iface.addresses().find(|info| info.cidr.address() == v6()).unwrap();
    assert_eq!((info.state, info.origin), (AddressState::Preferred, AddressOrigin::RouterAdvertisement));
    assert_eq!((info.preferred_until, info.valid_until), (terms.preferred_until, terms.valid_until));
    assert_eq!(info.cidr.prefix_len(), 64);
    // It says nothing of what is on the link.
    assert!(net.iface.ip_addrs().any(|cidr| cidr == IpCidr::new(v6(), 128)));
    let near = Addr::v6(ula(0x76));
    net.iface.remove_address(crate::wire::Ipv6Address::from(ula(1)));
    assert_eq!(net.iface.source_for(&near), Some(Addr::v6(V6)));
    net.iface.take_configuration_changed();
    run(&mut net, start + Duration::from_secs(99));
    assert_eq!(
        (state(&net, v6()), net.iface.take_configuration_changed()),
        (Some(AddressState::Preferred), false)
    );
    run(&mut net, start + Duration::from_millis(100_001));
    assert_eq!(
        (state(&net, v6()), net.iface.take_configuration_changed()),
        (Some(AddressState::Deprecated), true)
    );
    // Better than none of its scope, and used where it was.
    assert_eq!(net.iface.source_for(&near), Some(Addr::v6(V6)));
    let other = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    net.iface.add_address(IpCidr::new(crate::wire::Ipv6Address::from(other).into(), 64)).unwrap();
    assert_eq!(net.iface.source_for(&near), Some(Addr::v6(other)));
    assert_eq!(net.iface.source_for(&Addr::v6(V6)), Some(Addr::v6(V6)), "rule 1 comes first");
    run(&mut net, start + Duration::from_secs(30 * 86_400 - 1));
    assert_eq!(state(&net, v6()), Some(AddressState::Deprecated), "ticks have come half around");
    run(&mut net, start + Duration::from_millis(30 * 86_400_000 + 2));
    assert_eq!((state(&net, v6()), net.iface.take_configuration_changed()), (None, true));
    assert!(!net.iface.has_address(&Addr::v6(V6)));
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
}
