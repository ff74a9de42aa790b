//! The handler is asked at each of its five places.

use super::family::*;
use super::net::*;
use crate::iface::{Budget, Handler, Hook, HookSet, NoHandler, Verdict};
use crate::socket::{raw, udp};
use crate::stats::DropReason;
use crate::wire::{IpAddress, IpProtocol};

/// Notes where it was asked and about what, and drops at one place.
struct Judge {
    seen: Vec<(Hook, Vec<u8>)>,
    drops_at: Option<Hook>,
    hooks: HookSet,
}

impl Judge {
    fn new(drops_at: Option<Hook>) -> Judge {
        Judge { seen: Vec::new(), drops_at, hooks: HookSet::all() }
    }

    fn places(&self) -> Vec<Hook> {
        self.seen.iter().map(|(hook, _)| *hook).collect()
    }
}

impl Handler for Judge {
    fn packet(&mut self, hook: Hook, interface: u8, packet: &[u8]) -> Verdict {
        assert_eq!(interface, 0, "there is one");
        self.seen.push((hook, packet.to_vec()));
        if self.drops_at == Some(hook) { Verdict::Drop } else { Verdict::Accept }
    }

    fn hooks(&self) -> HookSet {
        self.hooks
    }
}

fn poll(net: &mut Net, judge: &mut Judge) -> Vec<Vec<u8>> {
    let Net { now, iface, wire, sockets } = net;
    iface.poll_with(*now, wire, sockets, judge, Budget::default());
    net.sent()
}

fn echo(family: Family) -> Vec<u8> {
    let kind = if family.is_v4() { 8 } else { 128 };
    family.icmp(2, vec![kind, 0, 0, 0, 0, 1, 0, 1])
}

#[test]
fn a_packet_and_its_answer_pass_four_places_in_their_order() {
    for family in FAMILIES {
        let mut net = Net::ip();
        let mut judge = Judge::new(None);
        net.wire.to_stack.push_back(echo(family));
        let sent = poll(&mut net, &mut judge);
        assert_eq!(judge.places(), [Hook::PreRoute, Hook::LocalIn, Hook::LocalOut, Hook::PostRoute]);
        assert_eq!(judge.seen[0].1, echo(family));
        assert_eq!((&judge.seen[2].1, &judge.seen[3].1), (&sent[0], &sent[0]), "what was shown is what left");
        assert_checksums(&sent[0]);
    }
}

#[test]
fn what_is_dropped_at_any_place_goes_no_further() {
    let hooks = [Hook::PreRoute, Hook::LocalIn, Hook::LocalOut, Hook::PostRoute];
    for (family, hook) in FAMILIES.into_iter().flat_map(|family| hooks.map(|hook| (family, hook))) {
        let mut net = Net::ip();
        let mut judge = Judge::new(Some(hook));
        net.wire.to_stack.push_back(echo(family));
        assert!(poll(&mut net, &mut judge).is_empty(), "{hook:?}");
        assert_eq!(judge.seen.last().map(|seen| seen.0), Some(hook));
        assert_eq!(net.iface.stats().drops(DropReason::Filtered), 1);
        assert_eq!(net.iface.stats().total_drops(), 1, "one reason each");
        assert_eq!(net.iface.packets.free_count(), crate::config::DEFAULT_WAITING_PACKETS);
    }
}

#[test]
fn nobody_is_asked_where_he_does_not_want_to_be() {
    struct Other;
    impl Handler for Other {}
    assert_eq!(Other.hooks(), HookSet::PRE_ROUTE | HookSet::LOCAL_IN | HookSet::FORWARD);
    assert_eq!(NoHandler.hooks(), HookSet::empty());
    let mut net = Net::ip();
    for family in FAMILIES {
        let mut judge = Judge { hooks: HookSet::LOCAL_IN | HookSet::POST_ROUTE, ..Judge::new(None) };
        net.wire.to_stack.push_back(echo(family));
        assert_eq!(poll(&mut net, &mut judge).len(), 1);
        assert_eq!(judge.places(), [Hook::LocalIn, Hook::PostRoute]);
    }
}

#[test]
fn a_watched_packet_waits_for_its_neighbor_and_leaves_in_order() {
    for family in FAMILIES {
        let mut net = Net::ethernet();
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 4_096]);
        let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
        net.sockets.bind(handle, 9_000).unwrap();
        for data in [b"1", b"2", b"3", b"4"] {
            net.sockets.get_mut::<udp::Socket>(handle).send_slice(data, (family.peer(), 7)).unwrap();
        }
        let mut judge = Judge::new(None);
        poll(&mut net, &mut judge);
        let is_datagram =
            |(_, packet): &&(Hook, Vec<u8>)| packet[payload_at(packet)..].starts_with(&[0x23, 0x28, 0, 7]);
        let places =
            |judge: &Judge| judge.seen.iter().filter(is_datagram).map(|seen| seen.0).collect::<Vec<_>>();
        let three = [Hook::LocalOut, Hook::PostRoute].repeat(3);
        assert_eq!(places(&judge), three, "the fourth is more than may wait");
        assert_eq!(net.iface.stats().drops(DropReason::QueueFull), 1);
        net.wire.to_stack.push_back(family.ask(2));
        let sent = poll(&mut net, &mut judge);
        let at = 14 + family.header_len() + 8;
        let datagrams = sent.iter().filter(|frame| frame.len() == at + 1);
        assert_eq!(datagrams.map(|frame| frame[at]).collect::<Vec<_>>(), *b"123");
        assert_eq!(places(&judge), three, "each is asked about once");
    }
}

#[test]
fn a_watched_socket_waits_while_the_device_has_no_room() {
    let mut net = Net::ip();
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 4_096]);
    let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
    net.sockets.bind(handle, 9_000).unwrap();
    net.wire.room = 0;
    for _ in 0..5 {
        let peer = (IpAddress::v4(10, 0, 0, 2), 7);
        net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", peer).unwrap();
    }
    let mut judge = Judge::new(None);
    assert!(poll(&mut net, &mut judge).is_empty());
    assert_eq!(judge.seen.len(), 2, "one waits for the device, the others in their socket");
    net.wire.room = 9;
    assert_eq!(poll(&mut net, &mut judge).len(), 5);
}

#[test]
fn a_packet_to_ourselves_passes_the_way_out_and_the_way_in() {
    let mut net = Net::ip();
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 4_096]);
    let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
    net.sockets.bind(handle, 7).unwrap();
    for ours in [IpAddress::v4(127, 0, 0, 1), IpAddress::v6(0, 0, 0, 0, 0, 0, 0, 1)] {
        net.sockets.get_mut::<udp::Socket>(handle).send_slice(b"x", (ours, 7)).unwrap();
        let mut judge = Judge::new(None);
        poll(&mut net, &mut judge);
        assert_eq!(judge.places(), [Hook::LocalOut, Hook::PostRoute, Hook::PreRoute, Hook::LocalIn]);
        assert!(net.sockets.get_mut::<udp::Socket>(handle).recv().is_ok());
    }
}

#[test]
#[cfg(feature = "iface-fragments")]
fn a_datagram_is_seen_whole_before_it_is_cut() {
    let places = [None, Some(Hook::LocalOut), Some(Hook::PostRoute)];
    for (family, drops_at) in FAMILIES.into_iter().flat_map(|family| places.map(|place| (family, place))) {
        let mut net = Net::ip();
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 9_000]);
        let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
        net.sockets.bind(handle, 7).unwrap();
        let socket = net.sockets.get_mut::<udp::Socket>(handle);
        socket.send_slice(&[0x55; 3_000], (family.peer(), 9)).unwrap();
        let mut judge = Judge::new(drops_at);
        let sent = poll(&mut net, &mut judge);
        let whole = &judge.seen[0].1;
        assert_checksums(whole);
        let at = family.header_len() + 8;
        assert_eq!((whole.len(), &whole[at..]), (at + 3_000, &[0x55; 3_000][..]));
        if drops_at.is_some() {
            assert!(sent.is_empty() && judge.places().last() == drops_at.as_ref());
            assert_eq!(net.iface.stats().drops(DropReason::Filtered), 1);
        } else {
            assert_eq!(judge.places(), [Hook::LocalOut, Hook::PostRoute]);
            // With IPv6 there is a fragment header in each.
            let headers_len = if family.is_v4() { 20 } else { 48 };
            assert_eq!(sent.iter().map(|packet| packet.len() - headers_len).sum::<usize>(), 3_008);
        }
        assert_eq!(net.iface.fragments().in_use(), 0);
    }
}

fn raw_socket(net: &mut Net, family: Family) -> crate::iface::SocketHandle {
    let buffer = || raw::PacketBuffer::new(vec![raw::PacketMetadata::EMPTY; 5], vec![0; 400]);
    net.sockets.add(raw::Socket::new(family.0, IpProtocol(253), buffer(), buffer()))
}

/// Nothing leaves past the handler, whoever has made it.
#[test]
fn packets_of_raw_sockets_are_seen_on_their_way_out() {
    let cases = [None, Some(Hook::LocalOut), Some(Hook::PostRoute)];
    for (family, drops_at) in FAMILIES.into_iter().flat_map(|family| cases.map(|place| (family, place))) {
        let mut net = Net::ip();
        let handle = raw_socket(&mut net, family);
        let packet = ip(family.ours(), family.peer(), 253, b"made by hand");
        let own = ip(family.ours(), family.ours(), 253, b"made by hand");
        for (packet, leaves) in [(packet, 1), (own, 0)] {
            let socket = net.sockets.get_mut::<raw::Socket>(handle);
            socket.send_slice(&packet, raw::Metadata::default()).unwrap();
            let mut judge = Judge::new(drops_at);
            let sent = poll(&mut net, &mut judge);
            assert_eq!(sent.len(), if drops_at.is_none() { leaves } else { 0 });
            let seen = judge.places();
            let out = if drops_at == Some(Hook::LocalOut) { 1 } else { 2 };
            assert_eq!(seen[..out], [Hook::LocalOut, Hook::PostRoute][..out]);
            assert_eq!(seen.len(), if leaves == 0 && drops_at.is_none() { 4 } else { out });
            assert!(judge.seen[0].1.ends_with(b"made by hand"));
        }
        let dropped = if drops_at.is_some() { 2 } else { 0 };
        assert_eq!(net.iface.stats().drops(DropReason::Filtered), dropped);
        assert_eq!((net.iface.stats().total_drops(), net.iface.fragments().in_use()), (dropped, 0));
        let mib = if family.is_v4() { net.iface.mib().ipv4 } else { net.iface.mib().ipv6 };
        assert_eq!((mib.out_requests, mib.out_discards), (2, u64::from(dropped)));
    }
}

#[test]
fn a_watched_packet_of_a_raw_socket_waits_for_its_neighbor_or_for_room() {
    for family in FAMILIES {
        let mut net = Net::ethernet();
        let handle = raw_socket(&mut net, family);
        let packet = ip(family.ours(), family.peer(), 253, b"made by hand");
        let send = |net: &mut Net| {
            let socket = net.sockets.get_mut::<raw::Socket>(handle);
            socket.send_slice(&packet, raw::Metadata::default()).unwrap();
        };
        let count = |frames: &[Vec<u8>]| frames.iter().filter(|frame| frame.ends_with(b"by hand")).count();
        let seen = |judge: &Judge| judge.seen.iter().filter(|seen| seen.1.ends_with(b"by hand")).count();
        let mut judge = Judge::new(None);
        for _ in 0..4 {
            send(&mut net);
        }
        assert_eq!(count(&poll(&mut net, &mut judge)), 0);
        assert_eq!((seen(&judge), net.iface.stats().drops(DropReason::QueueFull)), (6, 1), "three may wait");
        net.wire.to_stack.push_back(family.ask(2));
        assert_eq!((count(&poll(&mut net, &mut judge)), seen(&judge)), (3, 6), "each is asked about once");
        net.wire.room = 0;
        for _ in 0..3 {
            send(&mut net);
        }
        assert_eq!(count(&poll(&mut net, &mut judge)), 0);
        assert_eq!(seen(&judge), 8, "one waits for the device, the others in their socket");
        net.wire.room = 9;
        assert_eq!((count(&poll(&mut net, &mut judge)), seen(&judge)), (3, 12));
        assert_eq!(net.iface.packets.free_count(), crate::config::DEFAULT_WAITING_PACKETS);
    }
}

/// Covers: RFC 3376 §4.2
#[test]
fn reports_of_groups_are_seen_on_their_way_out() {
    for drops_at in [None, Some(Hook::PostRoute)] {
        let mut net = Net::with_groups(crate::phy::Medium::Ethernet, 4);
        let mut judge = Judge::new(drops_at);
        let sent = poll(&mut net, &mut judge);
        assert_eq!(sent.is_empty(), drops_at.is_some());
        let shown = judge.seen.iter().filter(|seen| seen.0 == Hook::PostRoute).count();
        assert!(shown > 0 && (sent.len() == shown || drops_at.is_some()));
    }
}
