//! How IPv4 addresses are announced, defended and given up (RFC 5227), in virtual time.

use super::groups::run_for;
use super::net::*;
use crate::iface::AddressState;
use crate::time::{Duration, Instant};
use crate::wire::{IpAddress, IpCidr, Ipv4Address};

const OWN: [u8; 4] = [10, 0, 0, 0x77];
const RIVAL: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn addr(last: u8) -> IpAddress {
    Ipv4Address::new(10, 0, 0, last).into()
}

fn state(net: &Net, last: u8) -> Option<AddressState> {
    net.iface.addresses().find(|info| info.cidr.address() == addr(last)).map(|info| info.state)
}

/// Frames that announce our address, and when they went.
fn announced(sent: &[(Instant, Vec<u8>)]) -> Vec<Instant> {
    let announcement = arp(1, OUR_MAC, OWN, [0; 6], OWN);
    sent.iter().filter(|(_, frame)| *frame == announcement).map(|(at, _)| *at).collect()
}

fn claimed() -> (Net, Vec<(Instant, Vec<u8>)>) {
    let mut net = Net::ethernet();
    net.iface.claim_address(IpCidr::new(addr(0x77), 24)).unwrap();
    let sent = run_for(&mut net, 20);
    assert_eq!(state(&net, 0x77), Some(AddressState::Preferred));
    (net, sent)
}

/// Another says that it has our address, and what we say to that.
fn rival(net: &mut Net) -> usize {
    net.wire.to_stack.push_back(arp(1, RIVAL, OWN, [0; 6], OWN));
    let sent = run_for(net, 0);
    announced(&sent).len()
}

/// Covers: RFC 5227 §2.3, §1.1
#[test]
fn an_address_is_announced_twice_when_it_is_ours() {
    let (mut net, sent) = claimed();
    let announced = announced(&sent);
    let [first, second] = announced[..] else { panic!("{announced:?}") };
    let apart = (second - first).total_millis();
    assert!((2_000..=2_003).contains(&apart), "{apart}");
    let last_probe = sent.iter().rfind(|(_, frame)| frame[28..32] == [0; 4]).unwrap().0;
    assert!((2_000..=2_005).contains(&(first - last_probe).total_millis()), "at once");
    assert_eq!(
        net.iface.poll_at(net.now, &mut net.sockets).map(|at| at > net.now + Duration::from_secs(30)),
        None
    );
    // Where the device has no room it is tried again.
    net.iface.remove_address(addr(0x77));
    net.iface.claim_address(IpCidr::new(addr(0x77), 24)).unwrap();
    let before = run_for(&mut net, 3).len();
    net.wire.room = 3 - before;
    run_for(&mut net, 10);
    net.wire.room = 100;
    assert_eq!(self::announced(&run_for(&mut net, 10)).len(), 2);
}

/// Covers: RFC 5227 §2.4
#[test]
fn a_rival_is_told_once_in_ten_seconds_and_then_has_the_address() {
    let (mut net, _) = claimed();
    assert_eq!((rival(&mut net), state(&net, 0x77)), (1, Some(AddressState::Preferred)));
    run_for(&mut net, 11);
    assert_eq!(
        (rival(&mut net), state(&net, 0x77)),
        (1, Some(AddressState::Preferred)),
        "it is as if it were the first"
    );
    run_for(&mut net, 9);
    net.iface.take_configuration_changed();
    assert_eq!((rival(&mut net), state(&net, 0x77)), (0, Some(AddressState::Duplicate)));
    assert!(net.iface.take_configuration_changed());
    assert!(net.iface.ip_addrs().all(|own| own.address() != addr(0x77)));
    assert!(run_for(&mut net, 100).is_empty());
    assert!(net.exchange(arp(1, PEER_MAC, PEER_IP, [0; 6], OWN)).is_empty(), "nothing is answered for it");
}

/// Covers: RFC 5227 §2.4
#[test]
fn an_address_that_is_to_be_kept_is_kept_and_the_link_is_not_flooded() {
    let (mut net, _) = claimed();
    net.iface.set_keep_addresses(true);
    let mut said = 0;
    for _ in 0..200 {
        said += rival(&mut net);
        run_for(&mut net, 1);
    }
    assert_eq!(state(&net, 0x77), Some(AddressState::Preferred));
    assert!((15..=20).contains(&said), "{said}");
}

#[test]
fn what_comes_back_from_the_link_is_no_rival() {
    let (mut net, _) = claimed();
    for frame in [
        arp(1, OUR_MAC, OWN, [0; 6], OWN),
        arp(1, RIVAL, [0; 4], [0; 6], OWN),
        arp(1, RIVAL, PEER_IP, [0; 6], OWN),
    ] {
        for _ in 0..3 {
            net.wire.to_stack.push_back(frame.clone());
            assert!(announced(&run_for(&mut net, 1)).is_empty());
        }
    }
    assert_eq!(state(&net, 0x77), Some(AddressState::Preferred));
    // One that was only added is not defended: nobody was asked for it.
    net.wire.to_stack.push_back(arp(1, RIVAL, OUR_IP, [0; 6], OUR_IP));
    assert!(run_for(&mut net, 20).is_empty());
}

/// Covers: RFC 5227 §2.1.1
#[test]
fn after_ten_conflicts_one_address_a_minute_is_tried() {
    let mut net = Net::ethernet();
    let mut waits = Vec::new();
    for last in 100..112 {
        net.iface.claim_address(IpCidr::new(addr(last), 24)).unwrap();
        let start = net.now;
        net.poll();
        while net.sent().is_empty() {
            net.now =
                net.iface.poll_at(net.now, &mut net.sockets).unwrap().max(net.now + Duration::from_micros(1));
            net.poll();
        }
        waits.push((net.now - start).total_millis() / 1_000);
        net.exchange(arp(2, RIVAL, [10, 0, 0, last], OUR_MAC, [0; 4]));
        assert_eq!(state(&net, last), Some(AddressState::Duplicate));
        net.iface.remove_address(addr(last));
    }
    assert!(
        waits[..10].iter().all(|wait| *wait <= 1) && waits[10..].iter().all(|wait| (60..=61).contains(wait)),
        "{waits:?}"
    );
    // One that is free ends it.
    net.iface.claim_address(IpCidr::new(addr(120), 24)).unwrap();
    run_for(&mut net, 80);
    net.iface.claim_address(IpCidr::new(addr(121), 24)).unwrap();
    run_for(&mut net, 8);
    assert_eq!(state(&net, 121), Some(AddressState::Preferred));
}
