//! What the application sees of neighbours, and decides about them.

use super::family::*;
use super::net::*;
use crate::iface::{
    Config, Interface, InterfaceStorage, Neighbor, NeighborError, NeighborState, SocketHandle,
};
use crate::phy::{Device, HardwareAddress, LinkState};
use crate::socket::udp;
use crate::stats::DropReason;
use crate::time::Duration;
use crate::wire::{IpAddress, IpCidr};

const OTHER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x77];

fn bound(net: &mut Net) -> SocketHandle {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 4_096]);
    let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
    net.sockets.bind(handle, 7).unwrap();
    handle
}

fn send_to(net: &mut Net, handle: SocketHandle, peer: IpAddress) -> Vec<Vec<u8>> {
    net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"word", (peer, 9)).unwrap();
    net.poll();
    net.sent()
}

fn states(net: &Net) -> Vec<(IpAddress, Option<[u8; 6]>, NeighborState)> {
    net.iface.neighbors().map(|neighbor| (neighbor.addr, neighbor.hardware_addr, neighbor.state)).collect()
}

#[test]
fn each_state_of_a_neighbor_is_shown() {
    for family in FAMILIES {
        let (mut net, peer) = (Net::ethernet(), family.peer());
        let handle = bound(&mut net);
        assert_eq!(states(&net), []);
        send_to(&mut net, handle, peer);
        assert_eq!(states(&net), [(peer, None, NeighborState::Incomplete)]);
        net.exchange(family.ask(2));
        // An answer of Neighbor Discovery is a packet to it.
        let state = if family.is_v4() { NeighborState::Stale } else { NeighborState::Delay };
        assert_eq!(states(&net), [(peer, Some(PEER_MAC), state)]);
        send_to(&mut net, handle, peer);
        assert_eq!(states(&net)[0].2, NeighborState::Delay);
        net.advance(Duration::from_secs(6));
        net.poll();
        assert_eq!(states(&net)[0].2, NeighborState::Probe);
        net.iface.set_neighbor(peer, OTHER_MAC, &mut net.sockets).unwrap();
        assert_eq!(states(&net), [(peer, Some(OTHER_MAC), NeighborState::Static)]);
        assert_eq!(net.iface.neighbor_count(), 1);
    }
    let mut net = Net::ethernet();
    let handle = bound(&mut net);
    send_to(&mut net, handle, FAMILIES[0].peer());
    net.exchange(arp(2, PEER_MAC, PEER_IP, OUR_MAC, OUR_IP));
    assert_eq!(states(&net)[0].2, NeighborState::Reachable);
}

#[test]
fn a_static_neighbor_is_neither_asked_for_nor_probed_and_nobody_takes_its_place() {
    for family in FAMILIES {
        let (mut net, peer) = (Net::ethernet(), family.peer());
        let handle = bound(&mut net);
        net.iface.set_neighbor(peer, OTHER_MAC, &mut net.sockets).unwrap();
        for _ in 0..3 {
            let sent = send_to(&mut net, handle, peer);
            assert_eq!((sent.len(), &sent[0][..6]), (1, &OTHER_MAC[..]));
            // Who says that it is elsewhere is answered, and not believed.
            assert_eq!(net.exchange(family.ask(2)).len(), 1);
            assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
            net.advance(Duration::from_secs(60));
            net.poll();
            assert!(net.sent().is_empty());
        }
        // It stays when the link goes.
        net.wire.link = LinkState { up: false, ..LinkState::UP };
        net.poll();
        net.wire.link = LinkState::UP;
        assert_eq!(send_to(&mut net, handle, peer)[0][..6], OTHER_MAC);
        assert_eq!(net.iface.stats().total_drops(), 0);
    }
}

#[test]
fn what_waits_for_a_neighbor_goes_when_it_is_set() {
    for family in FAMILIES {
        let (mut net, peer) = (Net::ethernet(), family.peer());
        let handle = bound(&mut net);
        for _ in 0..2 {
            send_to(&mut net, handle, peer);
        }
        net.sockets.get_mut::<udp::Socket>(handle).send_slice(&[7; 4_000], (peer, 9)).unwrap();
        net.poll();
        net.iface.set_neighbor(peer, OTHER_MAC, &mut net.sockets).unwrap();
        let at = net.iface.poll_at(net.now, &mut net.sockets);
        assert!(at.is_some_and(|at| at < net.now + Duration::from_millis(1)), "there is something to do");
        net.sent();
        net.poll();
        let sent = net.sent();
        assert_eq!(sent.len(), 2 + 3, "two datagrams, and one in three pieces");
        assert!(sent.iter().all(|frame| frame[..6] == OTHER_MAC));
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None, "nobody is asked for any more");
    }
}

#[test]
fn a_neighbor_that_is_removed_is_asked_for_anew() {
    for family in FAMILIES {
        let (mut net, peer) = (Net::ethernet(), family.peer());
        let handle = bound(&mut net);
        assert!(!net.iface.remove_neighbor(peer));
        send_to(&mut net, handle, peer);
        assert!(!net.iface.remove_neighbor(peer), "it is being asked for");
        net.exchange(family.ask(2));
        send_to(&mut net, handle, peer);
        assert!(net.iface.remove_neighbor(peer) && !net.iface.remove_neighbor(peer));
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None, "there is nothing to probe");
        assert_eq!(send_to(&mut net, handle, peer)[0][0] & 1, 1, "all are asked");
        assert_eq!(states(&net)[0].2, NeighborState::Incomplete);
        net.iface.set_neighbor(peer, OTHER_MAC, &mut net.sockets).unwrap();
        assert!(net.iface.remove_neighbor(peer));
        assert_eq!(net.iface.neighbor_count(), 0);
    }
}

#[test]
fn all_but_static_ones_and_those_asked_for_can_be_forgotten() {
    let mut net = Net::ethernet();
    let handle = bound(&mut net);
    net.iface.set_neighbor(IpAddress::v4(10, 0, 0, 3), OTHER_MAC, &mut net.sockets).unwrap();
    send_to(&mut net, handle, IpAddress::v4(10, 0, 0, 4));
    for family in FAMILIES {
        net.exchange(family.ask(2));
        send_to(&mut net, handle, family.peer());
    }
    assert_eq!(net.iface.neighbor_count(), 4);
    net.iface.flush_neighbors();
    let left: Vec<_> = states(&net).into_iter().map(|(.., state)| state).collect();
    assert_eq!(left, [NeighborState::Static, NeighborState::Incomplete]);
    net.exchange(arp(2, PEER_MAC, [10, 0, 0, 4], OUR_MAC, OUR_IP));
    net.iface.flush_neighbors();
    assert_eq!((net.iface.neighbor_count(), net.iface.poll_at(net.now, &mut net.sockets)), (1, None));
}

#[test]
fn static_neighbors_may_take_all_entries_and_no_more() {
    let mut net = Net::ethernet();
    let storage = InterfaceStorage {
        neighbors: vec![Neighbor::EMPTY, Neighbor::EMPTY].into(),
        ..InterfaceStorage::default()
    };
    let config = Config::new(HardwareAddress::Ethernet(OUR_MAC));
    net.iface = Interface::with_storage(config, net.wire.capabilities(), storage);
    net.iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
    let handle = bound(&mut net);
    let host = |last| IpAddress::v4(10, 0, 0, last);
    for last in [3, 4, 3] {
        net.iface.set_neighbor(host(last), OTHER_MAC, &mut net.sockets).unwrap();
    }
    assert_eq!(net.iface.set_neighbor(host(5), OTHER_MAC, &mut net.sockets), Err(NeighborError::Full));
    assert_eq!(send_to(&mut net, handle, host(5)).len(), 0);
    net.exchange(arp(1, PEER_MAC, PEER_IP, [0; 6], OUR_IP));
    assert_eq!(states(&net).len(), 2);
    assert!(states(&net).iter().all(|(.., state)| *state == NeighborState::Static));
    assert_eq!(net.iface.stats().drops(DropReason::NeighborUnreachable), 1);
}

#[test]
fn what_no_neighbor_can_be_is_refused() {
    let refusals = [
        ("10.0.0.1", OTHER_MAC, NeighborError::NotAHost),
        ("10.0.0.255", OTHER_MAC, NeighborError::NotAHost),
        ("224.0.0.1", OTHER_MAC, NeighborError::NotAHost),
        ("127.0.0.1", OTHER_MAC, NeighborError::NotAHost),
        ("fd00::1", OTHER_MAC, NeighborError::NotAHost),
        ("ff02::1", OTHER_MAC, NeighborError::NotAHost),
        ("::", OTHER_MAC, NeighborError::NotAHost),
        ("10.0.0.2", [3, 0, 0, 0, 0, 1], NeighborError::NotUnicast),
        ("10.0.0.2", [0xff; 6], NeighborError::NotUnicast),
    ];
    let mut net = Net::ethernet();
    for (addr, hardware, error) in refusals {
        let addr: IpAddress = addr.parse().unwrap();
        assert_eq!(net.iface.set_neighbor(addr, hardware, &mut net.sockets), Err(error), "{addr}");
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(net.iface.neighbor_count(), 0);
    let mut net = Net::ip();
    let refused = net.iface.set_neighbor(FAMILIES[0].peer(), OTHER_MAC, &mut net.sockets);
    assert_eq!(refused, Err(NeighborError::NotEthernet));
}

/// Covers: RFC 5227 §2.3, RFC 4861 §7.2.6
#[test]
fn own_addresses_are_announced_once_and_when_the_link_is_there() {
    let mut net = Net::ethernet();
    net.wire.link = LinkState { up: false, ..LinkState::UP };
    net.poll();
    net.iface.announce();
    net.poll();
    assert_eq!((net.sent().len(), net.iface.poll_at(net.now, &mut net.sockets)), (0, None));
    net.wire.link = LinkState::UP;
    net.poll();
    let sent = net.sent();
    assert_eq!(sent.len(), 3, "10.0.0.1, fd00::1 and fe80::1");
    assert_eq!(sent[0], [&[0xff; 6], &OUR_MAC[..], &arp(1, OUR_MAC, OUR_IP, [0; 6], OUR_IP)[12..]].concat());
    for (frame, own) in sent[1..].iter().zip([ula(1), [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]])
    {
        assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 1]);
        assert_checksums(&frame[14..]);
        assert_eq!((frame[21], &frame[22..38], frame[54], frame[58]), (255, &own[..], 136, 0x20));
        assert_eq!((&frame[62..78], &frame[78..86]), (&own[..], &[2, 1, 2, 0, 0, 0, 0, 1][..]));
    }
    net.poll();
    assert_eq!((net.sent().len(), net.iface.poll_at(net.now, &mut net.sockets)), (0, None), "once");
    net.iface.announce();
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), Some(net.now));
    net.poll();
    assert_eq!(net.sent().len(), 3);
    // Bare IP has nothing to announce.
    let mut net = Net::ip();
    net.iface.announce();
    net.poll();
    assert_eq!((net.sent().len(), net.iface.poll_at(net.now, &mut net.sockets)), (0, None));
}
