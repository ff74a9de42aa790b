//! IPv4 addresses of one's own choice (RFC 3927), in virtual time.

use super::groups::run_for;
use super::net::*;
use crate::iface::{AddressOrigin, AddressState, AutoIpMode, Config, SocketSet};
use crate::phy::{HardwareAddress, Medium};
use crate::rand::Keys;
use crate::time::Instant;
use crate::wire::{Addr, IpAddress, IpCidr};

const RIVAL: [u8; 6] = [2, 0, 0, 0, 0, 9];

/// A stack without any address, that may choose one.
fn net(mode: AutoIpMode) -> Net {
    let wire = Wire::new(Medium::Ethernet);
    let iface = interface(Config::new(HardwareAddress::Ethernet(OUR_MAC)), &wire, 0);
    let sockets = SocketSet::with_capacity(1, Keys::new([7; 32]));
    let mut net = Net { now: Instant::from_secs(1), wire, iface, sockets };
    net.iface.set_autoip(Some(mode));
    net
}

fn own(net: &Net) -> Option<[u8; 4]> {
    let mut all = net.iface.addresses().filter(|info| info.origin == AddressOrigin::AutoIp);
    let info = all.next().filter(|info| info.state == AddressState::Preferred)?;
    assert!(all.next().is_none() && info.cidr.prefix_len() == 16);
    Addr::try_from(info.cidr.address()).unwrap().as_v4()
}

/// The address that is being asked for.
fn tentative(net: &Net) -> [u8; 4] {
    let info = net.iface.addresses().find(|info| info.state == AddressState::Tentative).unwrap();
    Addr::try_from(info.cidr.address()).unwrap().as_v4().unwrap()
}

/// Covers: RFC 3927 §2.1, §2.2, §2.4, §2.5
#[test]
fn an_address_is_chosen_checked_announced_and_the_same_each_time() {
    let mut chosen = Vec::new();
    for _ in 0..2 {
        let mut net = net(AutoIpMode::Always);
        let sent = run_for(&mut net, 20);
        let own = own(&net).unwrap();
        let probes = sent.iter().filter(|(_, frame)| *frame == arp(1, OUR_MAC, [0; 4], [0; 6], own)).count();
        let announced = sent.iter().filter(|(_, frame)| *frame == arp(1, OUR_MAC, own, [0; 6], own)).count();
        assert_eq!((probes, announced, sent.len()), (3, 2, 5));
        assert!(net.iface.ip_addrs().eq([IpCidr::new(IpAddress::v4(own[0], own[1], own[2], own[3]), 16)]));
        // RFC 3927 §2.5: what is said of it by ARP is said to all.
        let answer = net.exchange(arp(1, PEER_MAC, [169, 254, 7, 7], [0; 6], own)).remove(0);
        assert_eq!((&answer[..6], &answer[20..22]), (&[0xff; 6][..], &[0, 2][..]));
        net.iface.set_autoip(None);
        net.poll();
        assert_eq!(net.iface.addresses().count(), 0);
        chosen.push(own);
    }
    assert_eq!(chosen[0], chosen[1]);
}

/// Covers: RFC 3927 §2.2.1, §2.5
#[test]
fn another_is_chosen_where_one_is_taken_before_or_after() {
    let mut net = net(AutoIpMode::Always);
    run_for(&mut net, 2);
    let first = tentative(&net);
    net.exchange(arp(1, RIVAL, [0; 4], [0; 6], first));
    net.poll();
    let second = tentative(&net);
    assert_ne!(first, second);
    run_for(&mut net, 20);
    assert_eq!(own(&net), Some(second));
    // It is defended once.
    net.exchange(arp(1, RIVAL, second, [0; 6], second));
    assert_eq!(own(&net), Some(second));
    net.exchange(arp(1, RIVAL, second, [0; 6], second));
    run_for(&mut net, 20);
    let third = own(&net).unwrap();
    assert!(third != first && third != second);
    assert_eq!(net.iface.addresses().count(), 1);
}

/// Covers: RFC 3927 §2.6.2, §2.7, §7
#[test]
fn nothing_goes_by_a_gateway_to_or_from_such_an_address() {
    let mut net = net(AutoIpMode::Always);
    run_for(&mut net, 20);
    let own = own(&net).map(Addr::v4).unwrap();
    net.iface.add_default_ipv4_route([169, 254, 9, 9].into()).unwrap();
    let (near, far, all) = (Addr::v4([169, 254, 3, 3]), Addr::v4([192, 0, 2, 1]), Addr::v4([255; 4]));
    let next_hop = |net: &Net, dst: &Addr| net.iface.route(dst, net.now).map(|found| *found.next_hop);
    assert_eq!((next_hop(&net, &near), net.iface.source_for(&near)), (Some(near), Some(own)));
    assert_eq!(net.iface.source_for(&far), None, "nobody could answer");
    assert_eq!(net.iface.source_for(&all), Some(own));
    assert_eq!(net.iface.source_for(&Addr::v4([224, 0, 0, 251])), Some(own));
    // Beside another each has its own.
    net.iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
    assert_eq!(net.iface.source_for(&far), Some(Addr::v4([10, 0, 0, 1])));
    assert_eq!(net.iface.source_for(&near), Some(own));
    // Who has none finds such hosts on the link all the same.
    net.iface.set_autoip(None);
    net.poll();
    assert_eq!(
        (next_hop(&net, &near), net.iface.source_for(&near)),
        (Some(near), Some(Addr::v4([10, 0, 0, 1])))
    );
}

#[test]
fn without_a_client_it_is_chosen_at_once_and_on_bare_ip_never() {
    let mut without = net(AutoIpMode::WithoutDhcp);
    run_for(&mut without, 20);
    assert!(own(&without).is_some());
    let mut ip = Net::ip();
    ip.iface.set_autoip(Some(AutoIpMode::Always));
    run_for(&mut ip, 20);
    assert!(own(&ip).is_none());
}

#[test]
fn when_the_link_is_back_it_is_checked_anew() {
    let mut net = net(AutoIpMode::Always);
    run_for(&mut net, 20);
    let first = own(&net);
    net.wire.link.up = false;
    run_for(&mut net, 20);
    net.wire.link.up = true;
    net.poll();
    assert_eq!((own(&net), Some(tentative(&net))), (None, first));
    run_for(&mut net, 20);
    assert_eq!(own(&net), first);
}

#[cfg(feature = "iface-dhcp")]
mod with_dhcp {
    use super::*;
    use crate::iface::{DhcpConfig, DhcpState};
    use crate::wire::dhcpv4::{MessageType, Operation, Options, Packet, Repr};

    /// An answer to the last message of the client among these frames.
    fn answer(sent: &[(Instant, Vec<u8>)], kind: MessageType) -> Option<Vec<u8>> {
        let last = sent.iter().rfind(|(_, frame)| frame[12..14] == [8, 0] && frame[36..38] == [0, 67])?;
        let mut repr = Repr::parse(&Packet::new_unchecked(&last.1[42..])).unwrap();
        let area = [53, 1, kind.0, 51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0, 54, 4, 10, 0, 0, 2];
        (repr.operation, repr.options) = (Operation::Reply, Options::new(&area).unwrap());
        repr.yiaddr = [10, 0, 0, 77].into();
        let mut message = Packet::new_unchecked(vec![0; repr.buffer_len()]);
        repr.emit(&mut message);
        Some(ethernet(0x800, &udp4((PEER_IP, 67), ([10, 0, 0, 77], 68), message.as_ref())))
    }

    /// Covers: RFC 3927 §1.9, §2.2
    #[test]
    fn it_is_chosen_when_no_server_has_answered_for_a_while_and_goes_when_one_has() {
        let mut net = net(AutoIpMode::WithoutDhcp);
        net.iface.set_dhcp(Some(DhcpConfig::default()));
        let mut sent = run_for(&mut net, 20);
        assert_eq!(net.iface.addresses().count(), 0, "not yet");
        sent.extend(run_for(&mut net, 40));
        assert!(own(&net).is_some());
        assert_eq!(net.iface.dhcp_state(), Some(DhcpState::Selecting), "it goes on to look for one");
        let request = net.exchange(answer(&sent, MessageType::OFFER).unwrap());
        let sent: Vec<_> = request.into_iter().map(|frame| (net.now, frame)).collect();
        net.exchange(answer(&sent, MessageType::ACK).unwrap());
        assert!(own(&net).is_some(), "while the other is checked");
        run_for(&mut net, 10);
        assert_eq!(net.iface.dhcp_state(), Some(DhcpState::Bound));
        assert_eq!(own(&net), None);
        assert_eq!(net.iface.ip_addrs().count(), 1);
    }
}
