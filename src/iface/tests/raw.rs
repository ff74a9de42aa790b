//! Raw sockets: what came, as it came, and what the application makes.

use super::net::*;
use crate::iface::{Budget, NoHandler, SocketHandle};
use crate::phy::{LinkState, Medium};
use crate::socket::Events;
use crate::socket::raw::{self, Metadata, PacketBuffer, PacketMetadata, RecvError, SendError};
use crate::stats::DropReason;
use crate::wire::{EtherType, IpProtocol, IpVersion};

fn buffer() -> PacketBuffer<'static> {
    PacketBuffer::new(vec![PacketMetadata::EMPTY; 4], vec![0; 400])
}

fn ip_socket(net: &mut Net, version: IpVersion, protocol: u8) -> SocketHandle {
    let handle = net.sockets.add(raw::Socket::new(version, IpProtocol(protocol), buffer(), buffer()));
    net.poll();
    handle
}

fn next(net: &mut Net, handle: SocketHandle) -> Option<Vec<u8>> {
    net.sockets.get_mut::<raw::Socket>(handle).recv().ok().map(|(packet, _)| packet.to_vec())
}

#[test]
fn every_raw_socket_for_a_protocol_gets_the_packet_with_its_header_and_no_error_is_sent() {
    let mut net = Net::ip();
    let (a, b) = (ip_socket(&mut net, IpVersion::Ipv4, 89), ip_socket(&mut net, IpVersion::Ipv4, 89));
    let (other, v6) = (ip_socket(&mut net, IpVersion::Ipv4, 90), ip_socket(&mut net, IpVersion::Ipv6, 89));
    let packet = ipv4(PEER_IP, OUR_IP, 89, b"routing");
    assert!(net.exchange(packet.clone()).is_empty(), "somebody speaks it");
    assert_eq!((next(&mut net, a), next(&mut net, b)), (Some(packet.clone()), Some(packet)));
    assert_eq!((next(&mut net, other), next(&mut net, v6)), (None, None));
    net.sockets.remove(a);
    net.sockets.remove(b);
    assert_eq!(net.exchange(ipv4(PEER_IP, OUR_IP, 89, b"routing"))[0][20..22], [3, 2]);
}

#[test]
fn the_stack_goes_on_with_what_a_raw_socket_has_seen() {
    let mut net = Net::ip();
    let icmp = ip_socket(&mut net, IpVersion::Ipv4, 1);
    let udp = ip_socket(&mut net, IpVersion::Ipv4, 17);
    let request = icmp4(PEER_IP, OUR_IP, vec![8, 0, 0, 0, 0, 7, 0, 1]);
    assert_eq!(net.exchange(request.clone())[0][20], 0, "it is answered");
    assert_eq!(next(&mut net, icmp), Some(request));
    let datagram = udp4((PEER_IP, 1), (OUR_IP, 9), b"x");
    assert_eq!(net.exchange(datagram.clone())[0][20..22], [3, 3], "no UDP socket has the port");
    assert_eq!(next(&mut net, udp), Some(datagram));
    // Not for us: not for it either.
    net.exchange(udp4((PEER_IP, 1), ([10, 0, 0, 77], 9), b"x"));
    assert_eq!(next(&mut net, udp), None);
}

#[test]
fn a_protocol_behind_extension_headers_is_found_and_the_packet_comes_whole() {
    let mut net = Net::ip();
    let socket = ip_socket(&mut net, IpVersion::Ipv6, 89);
    let packet = ipv6(ula(2), ula(1), 60, 64, &[89, 0, 1, 4, 0, 0, 0, 0, 1, 2, 3]);
    net.exchange(packet.clone());
    assert_eq!(next(&mut net, socket), Some(packet));
}

#[test]
fn a_full_queue_is_counted_and_the_others_get_theirs() {
    let mut net = Net::ip();
    let full = ip_socket(&mut net, IpVersion::Ipv4, 89);
    (0..5).for_each(|_| drop(net.exchange(ipv4(PEER_IP, OUR_IP, 89, b"x"))));
    assert_eq!(net.iface.stats().drops(DropReason::BufferFull), 1);
    let fresh = ip_socket(&mut net, IpVersion::Ipv4, 89);
    net.exchange(ipv4(PEER_IP, OUR_IP, 89, b"y"));
    assert!(next(&mut net, fresh).is_some() && next(&mut net, full).is_some());
}

#[test]
fn a_header_that_the_application_made_is_completed_and_kept_otherwise() {
    let mut net = Net::ip();
    let v4 = ip_socket(&mut net, IpVersion::Ipv4, 89);
    let mut packet = ipv4([0; 4], PEER_IP, 89, b"mine");
    (packet[1], packet[2], packet[4], packet[5], packet[8]) = (0xc0, 0xff, 0x12, 0x34, 7);
    packet[10..12].fill(0xee);
    net.sockets.get_mut::<raw::Socket>(v4).send_slice(&packet, Metadata::default()).unwrap();
    net.poll();
    let sent = net.sent();
    assert_eq!(sent[0][..10], [0x45, 0xc0, 0, 24, 0x12, 0x34, 0, 0, 7, 89]);
    assert!(crate::wire::checksum::sum(&sent[0][..20]).is_valid());
    assert_eq!((&sent[0][12..16], &sent[0][20..]), (&OUR_IP[..], &b"mine"[..]));
    // A source that is there stays, even if it is nobody's.
    let forged = ipv4([10, 0, 0, 99], PEER_IP, 89, b"");
    net.sockets.get_mut::<raw::Socket>(v4).send_slice(&forged, Metadata::default()).unwrap();
    let v6 = ip_socket(&mut net, IpVersion::Ipv6, 89);
    let packet = ipv6([0; 16], ula(2), 89, 3, b"six");
    net.sockets.get_mut::<raw::Socket>(v6).send_slice(&packet, Metadata::default()).unwrap();
    net.poll();
    let sent = net.sent();
    assert_eq!(sent[0][12..16], [10, 0, 0, 99]);
    assert_eq!(sent[1], ipv6(ula(1), ula(2), 89, 3, b"six"));
}

#[test]
fn what_is_no_packet_of_the_kind_can_not_be_sent() {
    let mut net = Net::ip();
    let handle = ip_socket(&mut net, IpVersion::Ipv4, 89);
    let good = ipv4(OUR_IP, PEER_IP, 89, b"");
    let socket = net.sockets.get_mut::<raw::Socket>(handle);
    let mut long_header = good.clone();
    long_header[0] = 0x46;
    let v6 = ipv6(ula(1), ula(2), 89, 3, b"");
    let other = ipv4(OUR_IP, PEER_IP, 88, b"");
    for bad in [&[][..], &good[..19], &long_header, &v6, &other] {
        assert_eq!(socket.send_slice(bad, Metadata::default()), Err(SendError::Malformed));
    }
    socket.send(60, Metadata::default()).unwrap().fill(0);
    socket.send_slice(&good, Metadata::default()).unwrap();
    assert_eq!(socket.send(401, Metadata::default()).err(), Some(SendError::TooLarge));
    assert_eq!(socket.recv_slice(&mut []).err(), Some(RecvError::Exhausted));
    net.poll();
    assert_eq!((net.sent().len(), net.iface.stats().drops(DropReason::Malformed)), (1, 1));
}

#[test]
fn a_packet_waits_for_its_neighbor() {
    let mut net = Net::ethernet();
    let handle = ip_socket(&mut net, IpVersion::Ipv4, 89);
    let packet = ipv4(OUR_IP, PEER_IP, 89, b"late");
    net.sockets.get_mut::<raw::Socket>(handle).send_slice(&packet, Metadata::default()).unwrap();
    net.poll();
    assert_eq!(net.sent()[0][12..14], [8, 6], "it is asked for");
    let sent = net.exchange(arp(2, PEER_MAC, PEER_IP, OUR_MAC, OUR_IP));
    assert_eq!((&sent[0][..6], &sent[0][34..]), (&PEER_MAC[..], &b"late"[..]));
    assert_eq!((sent.len(), net.iface.poll_at(net.now, &mut net.sockets)), (1, None), "once");
}

#[test]
fn frames_come_by_their_type_and_go_as_they_are() {
    let mut net = Net::ethernet();
    let socket = raw::Socket::ethernet(EtherType(0x88b5), buffer(), buffer());
    let handle = net.sockets.add(socket);
    net.poll();
    let frame = ethernet(0x88b5, b"experiment");
    net.exchange(frame.clone());
    assert_eq!(net.sockets.next_ready(), Some((handle, Events::READABLE)));
    assert_eq!(next(&mut net, handle), Some(frame.clone()));
    // Another type, and another host's frame.
    net.exchange(ethernet(0x88b6, b"experiment"));
    let mut elsewhere = frame.clone();
    elsewhere[5] ^= 7;
    net.exchange(elsewhere);
    assert_eq!(next(&mut net, handle), None);
    assert_eq!(net.iface.stats().drops(DropReason::UnknownProtocol), 1);
    let socket = net.sockets.get_mut::<raw::Socket>(handle);
    assert_eq!(socket.send_slice(&ethernet(0x88b6, b""), Metadata::default()), Err(SendError::Malformed));
    socket.send_slice(&frame, Metadata::by_interface(0)).unwrap();
    net.poll();
    assert_eq!(net.sent(), [frame]);
}

#[test]
fn a_device_without_room_delays_a_packet() {
    let mut net = Net::new(Medium::Ip);
    let handle = ip_socket(&mut net, IpVersion::Ipv4, 89);
    net.wire.room = 0;
    let packet = ipv4(OUR_IP, PEER_IP, 89, b"x");
    net.sockets.get_mut::<raw::Socket>(handle).send_slice(&packet, Metadata::default()).unwrap();
    net.poll();
    assert!(net.sent().is_empty());
    net.wire.room = 1;
    net.poll();
    assert_eq!(net.sent().len(), 1);
}

#[cfg(feature = "iface-fragments")]
mod cut {
    use super::*;
    use crate::stats::IpMib;
    use crate::time::Duration;

    fn large_socket(net: &mut Net, version: IpVersion, protocol: u8) -> SocketHandle {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 4], vec![0; 70_000]);
        net.sockets.add(raw::Socket::new(version, IpProtocol(protocol), buffer(), buffer()))
    }

    fn send(net: &mut Net, handle: SocketHandle, packet: &[u8]) {
        net.sockets.get_mut::<raw::Socket>(handle).send_slice(packet, Metadata::default()).unwrap();
    }

    fn octets(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    /// The payload that fragments make up, in the order in which they came.
    fn joined_v4(sent: &[Vec<u8>]) -> Vec<u8> {
        let mut data = Vec::new();
        for (number, fragment) in sent.iter().enumerate() {
            let header_len = usize::from(fragment[0] & 15) * 4;
            assert!(
                fragment.len() <= 1_500 && crate::wire::checksum::sum(&fragment[..header_len]).is_valid()
            );
            assert_eq!(usize::from(u16::from_be_bytes([fragment[2], fragment[3]])), fragment.len());
            let flags = u16::from_be_bytes([fragment[6], fragment[7]]);
            assert_eq!(
                (usize::from(flags & 0x1fff) * 8, flags & 0x2000 != 0),
                (data.len(), number + 1 < sent.len())
            );
            assert_eq!(
                (&fragment[4..6], &fragment[8..10], &fragment[12..20]),
                (&sent[0][4..6], &sent[0][8..10], &sent[0][12..20])
            );
            data.extend(&fragment[header_len..]);
        }
        data
    }

    fn counts(ip: &IpMib) -> [u64; 6] {
        let sent = [ip.out_requests, ip.out_transmits];
        let cut = [ip.out_frag_reqds, ip.out_frag_oks, ip.out_frag_fails, ip.out_frag_creates];
        [sent[0], sent[1], cut[0], cut[1], cut[2], cut[3]]
    }

    /// Covers: RFC 791 §3.2
    #[test]
    fn a_packet_larger_than_the_link_is_cut_and_its_header_is_completed() {
        let mut net = Net::ip();
        let handle = large_socket(&mut net, IpVersion::Ipv4, 89);
        let data = octets(60_000);
        let mut packet = ipv4([0; 4], PEER_IP, 89, &data);
        (packet[1], packet[4], packet[5], packet[8]) = (0xc0, 0, 0, 7);
        send(&mut net, handle, &packet);
        // Room for one frame at a time: it goes on where it stopped.
        let mut sent = Vec::new();
        for _ in 0..60 {
            net.wire.room = 1;
            net.poll();
            sent.extend(net.sent());
        }
        assert_eq!(sent.len(), 60_000_usize.div_ceil(1_480));
        assert_eq!(joined_v4(&sent), data);
        assert_eq!((sent[0][1], sent[0][8], &sent[0][12..16]), (0xc0, 7, &OUR_IP[..]));
        assert_ne!(sent[0][4..6], [0; 2], "a number that they have in common");
        let pieces = sent.len() as u64;
        assert_eq!(counts(&net.iface.mib().ipv4), [1, pieces, 1, 1, 0, pieces]);
        assert_eq!(net.iface.stats().total_drops(), 0);
        // Without a link it is lost at once.
        net.wire.link = LinkState::DOWN;
        net.poll();
        send(&mut net, handle, &packet);
        net.poll();
        assert_eq!(counts(&net.iface.mib().ipv4), [2, pieces, 2, 1, 1, pieces]);
        assert_eq!(net.iface.stats().drops(DropReason::LinkDown), 1);
        net.wire.link = LinkState::UP;
        // What fits exactly goes whole.
        net.wire.room = usize::MAX;
        send(&mut net, handle, &ipv4(OUR_IP, PEER_IP, 89, &data[..1_480]));
        net.poll();
        assert_eq!(net.sent().iter().map(Vec::len).collect::<Vec<_>>(), [1_500]);
        assert_eq!(net.iface.mib().ipv4.out_frag_reqds, 2);
        // One with a number keeps it; its options go into the first alone, but for those that are to be copied.
        let mut packet = ipv4(
            OUR_IP,
            PEER_IP,
            89,
            &[&[7, 7, 4, 0, 0, 0, 0, 0x88, 4, 1, 2, 0][..], &data[..3_000]].concat(),
        );
        (packet[0], packet[4], packet[5]) = (0x48, 0x12, 0x34);
        net.wire.room = usize::MAX;
        send(&mut net, handle, &packet);
        net.poll();
        let sent = net.sent();
        assert_eq!((sent.len(), sent[0][0], sent[1][0], &sent[2][4..6]), (3, 0x48, 0x46, &[0x12, 0x34][..]));
        assert_eq!(sent[0][4..6], [0x12, 0x34]);
        assert_eq!(sent[2][20..24], [0x88, 4, 1, 2]);
    }

    #[test]
    fn a_packet_that_may_not_be_cut_is_too_big() {
        let mut net = Net::ip();
        let v4 = large_socket(&mut net, IpVersion::Ipv4, 89);
        let mut packet = ipv4(OUR_IP, PEER_IP, 89, &octets(2_000));
        packet[6] = 0x40;
        send(&mut net, v4, &packet);
        let v6 = large_socket(&mut net, IpVersion::Ipv6, 89);
        let fragment = [&[89, 0, 0, 1, 0, 0, 0, 1][..], &octets(2_000)].concat();
        send(&mut net, v6, &ipv6(ula(1), ula(2), 44, 9, &fragment));
        // Headers that the first fragment has no room for (RFC 7112 §5).
        let options = [&[89, 200, 1, 4, 0, 0, 0, 0][..], &[0; 1_600]].concat();
        send(&mut net, v6, &ipv6(ula(1), ula(2), 60, 9, &options));
        net.poll();
        assert!(net.sent().is_empty());
        assert_eq!(net.iface.stats().drops(DropReason::TooBig), 3);
        assert_eq!(counts(&net.iface.mib().ipv4), [1, 0, 1, 0, 1, 0]);
        assert_eq!(counts(&net.iface.mib().ipv6), [2, 0, 2, 0, 2, 0]);
        // And is in nobody's way.
        send(&mut net, v4, &ipv4(OUR_IP, PEER_IP, 89, b"small"));
        net.poll();
        assert_eq!(net.sent().len(), 1);
    }

    /// Covers: RFC 8200 §4.5
    #[test]
    fn ipv6_repeats_the_headers_for_routers_and_cuts_the_rest() {
        let mut net = Net::ip();
        let handle = large_socket(&mut net, IpVersion::Ipv6, 89);
        let heads = [43, 0, 1, 4, 0, 0, 0, 0, 60, 0, 253, 0, 0, 0, 0, 0];
        let rest = [&[89, 0, 1, 4, 0, 0, 0, 0][..], &octets(20_000)].concat();
        send(&mut net, handle, &ipv6([0; 16], ula(2), 0, 9, &[&heads[..], &rest].concat()));
        net.poll();
        let sent = net.sent();
        let mut data: Vec<u8> = Vec::new();
        for (number, fragment) in sent.iter().enumerate() {
            assert!(fragment.len() <= 1_500);
            assert_eq!(
                (fragment[6], fragment[7], &fragment[8..24], &fragment[24..40]),
                (0, 9, &ula(1)[..], &ula(2)[..])
            );
            assert_eq!(usize::from(u16::from_be_bytes([fragment[4], fragment[5]])), fragment.len() - 40);
            assert_eq!((&fragment[40..48], fragment[48], &fragment[49..56]), (&heads[..8], 44, &heads[9..]));
            let more = u16::from(number + 1 < sent.len());
            let place = (data.len() as u16 | more).to_be_bytes();
            assert_eq!(
                (&fragment[56..58], &fragment[58..60], &fragment[60..64]),
                (&[60, 0][..], &place[..], &sent[0][60..64])
            );
            data.extend(&fragment[64..]);
        }
        assert_eq!(data, rest);
        let pieces = sent.len() as u64;
        assert_eq!(counts(&net.iface.mib().ipv6), [1, pieces, 1, 1, 0, pieces]);
    }

    #[test]
    fn what_is_to_be_cut_waits_for_its_neighbor_or_is_lost_with_it() {
        for answers in [true, false] {
            let mut net = Net::ethernet();
            let handle = large_socket(&mut net, IpVersion::Ipv4, 89);
            send(&mut net, handle, &ipv4(OUR_IP, PEER_IP, 89, &octets(30_000)));
            send(&mut net, handle, &ipv4(OUR_IP, [224, 0, 0, 9], 89, &octets(2_000)));
            net.poll();
            assert_eq!(net.sent().len(), 1, "a question for the neighbor");
            let expected = if answers {
                net.wire.to_stack.push_back(arp(2, PEER_MAC, PEER_IP, OUR_MAC, OUR_IP));
                net.poll();
                21 + 2
            } else {
                for _ in 0..8 {
                    net.advance(Duration::from_secs(1));
                    net.poll();
                }
                2
            };
            let sent = net.sent();
            assert_eq!(sent.iter().filter(|frame| frame[12..14] == [8, 0]).count(), expected);
            let lost = u32::from(!answers);
            assert_eq!(net.iface.stats().drops(DropReason::NeighborUnreachable), lost);
            let mib = net.iface.mib().ipv4;
            assert_eq!(
                (mib.out_frag_reqds, mib.out_frag_oks, mib.out_frag_fails),
                (2, 2 - u64::from(lost), lost.into())
            );
            assert_eq!(mib.out_requests, 2);
        }
    }
}

fn frame_socket(net: &mut Net) -> SocketHandle {
    let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 4], vec![0; 4_000]);
    let handle = net.sockets.add(raw::Socket::ethernet(EtherType(0x88b5), buffer(), buffer()));
    net.poll();
    handle
}

fn poll_sent(net: &mut Net) -> usize {
    let Net { now, iface, wire, sockets } = net;
    iface.poll_with(*now, wire, sockets, &mut NoHandler, Budget::default()).sent
}

#[test]
fn a_frame_is_as_large_as_the_link_carries_at_most_and_is_lost_without_a_link() {
    let mut net = Net::ethernet();
    let handle = frame_socket(&mut net);
    let send = |net: &mut Net, len: usize| {
        let frame = ethernet(0x88b5, &vec![7; len - 14]);
        net.sockets.get_mut::<raw::Socket>(handle).send_slice(&frame, Metadata::default()).unwrap();
        let count = poll_sent(net);
        (count, net.sent().len())
    };
    assert_eq!(send(&mut net, 1_514), (1, 1));
    assert_eq!(send(&mut net, 1_515), (1, 0));
    assert_eq!(net.iface.stats().drops(DropReason::TooBig), 1);
    net.wire.link = LinkState::DOWN;
    assert_eq!(send(&mut net, 100), (1, 0));
    assert_eq!(net.iface.stats().drops(DropReason::LinkDown), 1);
    let mut bare = Net::ip();
    let handle = frame_socket(&mut bare);
    let frame = ethernet(0x88b5, b"no such link");
    bare.sockets.get_mut::<raw::Socket>(handle).send_slice(&frame, Metadata::default()).unwrap();
    bare.poll();
    assert!(bare.sent().is_empty());
    assert_eq!(bare.iface.stats().drops(DropReason::LinkDown), 1);
}

#[test]
fn a_frame_waits_for_room_in_the_device_and_goes_out_once() {
    let mut net = Net::ethernet();
    let handle = frame_socket(&mut net);
    net.wire.room = 0;
    let frame = ethernet(0x88b5, b"later");
    net.sockets.get_mut::<raw::Socket>(handle).send_slice(&frame, Metadata::default()).unwrap();
    assert_eq!((poll_sent(&mut net), net.sent().len()), (0, 0));
    net.wire.room = 9;
    assert_eq!(poll_sent(&mut net), 1);
    assert_eq!(net.sent(), [frame]);
    assert_eq!((poll_sent(&mut net), net.sent().len()), (0, 0));
    assert_eq!(net.iface.stats().total_drops(), 0);
}

#[test]
fn a_packet_that_no_route_takes_is_counted_for_its_family() {
    let mut net = Net::ip();
    let (v4, v6) = (ip_socket(&mut net, IpVersion::Ipv4, 89), ip_socket(&mut net, IpVersion::Ipv6, 89));
    let no_routes = |net: &Net| (net.iface.mib().ipv4.out_no_routes, net.iface.mib().ipv6.out_no_routes);
    let nowhere = ipv4(OUR_IP, [192, 0, 2, 1], 89, b"");
    net.sockets.get_mut::<raw::Socket>(v4).send_slice(&nowhere, Metadata::default()).unwrap();
    net.poll();
    assert_eq!(no_routes(&net), (1, 0));
    let nowhere = ipv6(ula(1), [0x20; 16], 89, 3, b"");
    net.sockets.get_mut::<raw::Socket>(v6).send_slice(&nowhere, Metadata::default()).unwrap();
    net.poll();
    assert_eq!(no_routes(&net), (1, 1));
    assert_eq!(net.iface.stats().drops(DropReason::NoRoute), 2);
}
