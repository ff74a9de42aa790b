use super::*;
use crate::iface::NoHandler;
use crate::socket::icmp;
use crate::stats::DropReason;
use crate::time::Duration;
use crate::wire::{Addr, IpAddress};

fn send(net: &mut Net, handle: SocketHandle, family: Family, data: &[u8]) {
    let (peer, _) = family.addrs(2);
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    socket.send_slice(data, (IpAddress::from(peer), 4_000)).unwrap();
}

/// The datagram that we sent in fragments, its checksum verified.
fn udp_data(family: Family, packets: &[Vec<u8>]) -> Vec<u8> {
    let (_, datagram) = family.join(packets);
    let (peer, us) = family.addrs(2);
    let pseudo = pseudo_header(&us, &peer, 17, datagram.len() as u32);
    assert!(pseudo.add(sum(&datagram)).is_valid(), "checksum");
    assert_eq!(usize::from(u16::from_be_bytes([datagram[4], datagram[5]])), datagram.len());
    datagram[8..].to_vec()
}

/// Both families together.
fn total(net: &Net) -> crate::stats::IpMib {
    let mut total = net.iface.mib().ipv4;
    total += net.iface.mib().ipv6;
    total
}

/// Covers: RFC 791 §3.2, RFC 1122 §3.3.3, RFC 8200 §4.5
#[test]
fn a_datagram_larger_than_the_link_carries_goes_in_fragments() {
    for family in BOTH {
        for len in [1_473, 9_000, 65_507 - if family == Family::V4 { 0 } else { 20 }] {
            let mut net = Net::ip();
            let handle = bound(&mut net, 7);
            send(&mut net, handle, family, &octets(len));
            net.poll();
            let sent = net.sent();
            assert_eq!(udp_data(family, &sent), octets(len));
            let mib = family.mib(&net);
            assert_eq!((mib.out_frag_reqds, mib.out_frag_oks), (1, 1));
            assert_eq!([mib.out_frag_creates, mib.out_transmits], [sent.len() as u64; 2]);
            assert_eq!((net.iface.mib().udp.out_datagrams, mib.out_requests), (1, 1));
        }
    }
}

/// Covers: RFC 1122 §3.2.2.6 (an echo reply has all the data of the request), RFC 4443 §4.2
#[test]
fn a_large_echo_request_is_answered_in_fragments() {
    for family in BOTH {
        let mut net = Net::ethernet();
        net.meet(PEER_IP);
        let request = family.echo_request(&octets(20_000));
        let ether_type = if family == Family::V4 { 0x800 } else { 0x86dd };
        let pieces = (0..20_008).step_by(1_400).map(|at| {
            let end = (at + 1_400).min(20_008);
            let piece = family.piece_from(2, family.icmp(), 9, at, end < 20_008, &request[at..end]);
            ethernet(ether_type, &piece)
        });
        let mut sent = exchange_all(&mut net, pieces.collect::<Vec<_>>());
        if family == Family::V6 {
            // The peer's address has to be asked for.
            assert_eq!(sent.len(), 1);
            let advert = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &ula(2), &[2, 1], &PEER_MAC].concat();
            sent = net.exchange(ethernet(0x86dd, &icmp6(ula(2), ula(1), 255, advert)));
        }
        let sent: Vec<_> = sent.iter().map(|frame| frame[14..].to_vec()).collect();
        let (_, reply) = family.join(&sent);
        assert_eq!(reply[0], if family == Family::V4 { 0 } else { 129 });
        assert_eq!(reply[4..], request[4..]);
        let (peer, us) = family.addrs(2);
        let pseudo = pseudo_header(&us, &peer, 58, reply.len() as u32);
        let total = if family == Family::V4 { sum(&reply) } else { pseudo.add(sum(&reply)) };
        assert!(total.is_valid());
        assert_eq!(net.iface.fragments().in_use(), 0);
    }
}

#[test]
fn what_found_no_room_in_the_device_goes_on_when_there_is_some() {
    for family in BOTH {
        let mut net = Net::ip();
        let handle = bound(&mut net, 7);
        send(&mut net, handle, family, &octets(9_000));
        send(&mut net, handle, family, &octets(500));
        net.wire.room = 2;
        net.poll();
        assert_eq!(net.iface.fragments().in_use(), 1);
        let mut sent = net.sent();
        assert_eq!(sent.len(), 2);
        let mut polls = 0;
        while let Some(at) = net.iface.poll_at(net.now, &mut net.sockets) {
            net.now = at;
            net.wire.room = 1;
            net.poll();
            sent.append(&mut net.sent());
            polls += 1;
        }
        let small = sent.pop().unwrap();
        assert_eq!(udp_data(family, &sent), octets(9_000));
        assert_eq!(small[family.header_len() + 8..], octets(500));
        assert!(polls <= 2 * sent.len(), "{polls} polls");
        assert_eq!((net.iface.fragments().in_use(), net.iface.stats().total_drops()), (0, 0));
    }
}

#[test]
fn what_never_finds_room_is_given_up() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    send(&mut net, handle, Family::V4, &octets(9_000));
    net.wire.room = 3;
    net.poll();
    net.advance(Duration::from_secs(6));
    net.poll();
    assert_eq!(net.iface.stats().drops(DropReason::DeviceBusy), 1);
    assert_eq!((total(&net).out_frag_fails, total(&net).out_frag_oks), (1, 0));
    assert_eq!(net.iface.fragments().in_use(), 0);
}

#[test]
fn fragments_wait_for_a_neighbor_and_not_for_ever() {
    let mut net = Net::ethernet();
    let handle = bound(&mut net, 7);
    send(&mut net, handle, Family::V4, &octets(5_000));
    net.poll();
    assert_eq!(net.sent().len(), 1, "who is it?");
    let sent = net.exchange(arp(2, PEER_MAC, PEER_IP, OUR_MAC, OUR_IP));
    let packets: Vec<_> = sent.iter().map(|frame| frame[14..].to_vec()).collect();
    assert_eq!(udp_data(Family::V4, &packets), octets(5_000));

    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    socket.send_slice(&octets(5_000), (IpAddress::v4(10, 0, 0, 99), 1)).unwrap();
    net.poll();
    while let Some(at) = net.iface.poll_at(net.now, &mut net.sockets) {
        net.now = at;
        net.poll();
    }
    assert_eq!(net.iface.fragments().in_use(), 0);
    assert!(net.iface.stats().drops(DropReason::NeighborUnreachable) >= 1);
    assert_eq!(net.sent().len(), 3, "solicitations, and no more");
}

#[test]
fn who_only_receives_is_told_that_fragments_can_go_on() {
    let mut net = Net::ethernet();
    let handle = bound(&mut net, 7);
    send(&mut net, handle, Family::V4, &octets(5_000));
    net.poll();
    net.sent();
    net.wire.to_stack.push_back(arp(2, PEER_MAC, PEER_IP, OUR_MAC, OUR_IP));
    net.iface.poll_ingress_single(net.now, &mut net.wire, &mut net.sockets, &mut NoHandler);
    let at = net.iface.poll_at(net.now, &mut net.sockets).unwrap();
    assert!(at <= net.now + Duration::from_millis(2), "{at:?}");
    net.now = at;
    net.poll();
    let packets: Vec<_> = net.sent().iter().map(|frame| frame[14..].to_vec()).collect();
    assert_eq!(udp_data(Family::V4, &packets), octets(5_000));
}

#[test]
fn a_socket_waits_while_as_many_are_on_their_way_as_may() {
    let mut net = Net::ip();
    let handles: Vec<_> = (0..5).map(|port| bound(&mut net, 7 + port)).collect();
    net.wire.room = 0;
    for round in 0..8 {
        for handle in &handles {
            send(&mut net, *handle, Family::V4, &octets(2_000 + round));
        }
    }
    net.poll();
    assert_eq!(net.iface.fragments().in_use(), 32, "half of the places");
    assert_eq!(net.iface.stats().total_drops(), 0);
    net.wire.room = usize::MAX;
    net.advance(Duration::from_millis(2));
    net.poll();
    net.poll();
    assert_eq!(net.sent().len(), 2 * 40);
    assert_eq!((total(&net).out_frag_oks, net.iface.stats().total_drops()), (40, 0));
}

#[test]
fn more_than_a_packet_can_hold_is_refused() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    send(&mut net, handle, Family::V4, &octets(65_508));
    net.poll();
    assert!(net.sent().is_empty());
    assert_eq!((net.iface.stats().drops(DropReason::TooBig), total(&net).out_frag_fails), (1, 1));
}

/// Covers: RFC 6864 §4.3, RFC 7739 §3
#[test]
fn nobody_foresees_the_numbers_of_others() {
    for family in BOTH {
        let mut net = Net::ip();
        let handle = bound(&mut net, 7);
        let mut number = |last: u8| {
            let (peer, _): (Addr, _) = family.addrs(last);
            let socket = net.sockets.get_mut::<udp::Socket>(handle);
            socket.send_slice(&octets(2_000), (IpAddress::from(peer), 1)).unwrap();
            net.poll();
            family.join(&net.sent()).0
        };
        let numbers: Vec<u32> = (2..10).map(&mut number).collect();
        let near = |pair: &[u32]| pair[0].abs_diff(pair[1]) < 16;
        assert!(numbers.windows(2).filter(|pair| near(pair)).count() <= 1, "{numbers:?}");
        let again = number(2);
        let step = again.wrapping_sub(numbers[0]) & if family == Family::V4 { 0xffff } else { u32::MAX };
        assert!((1..=9).contains(&step), "the same flow counts on: {step}");
    }
}

/// Covers: RFC 6864 §4.3
#[test]
fn packets_that_a_router_may_cut_have_numbers_that_do_not_count_up() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let mut numbers: Vec<u16> = Vec::new();
    for _ in 0..200 {
        send(&mut net, handle, Family::V4, b"x");
        net.poll();
        numbers.extend(net.sent().iter().map(|packet| u16::from_be_bytes([packet[4], packet[5]])));
    }
    let in_a_row = numbers.windows(2).filter(|pair| pair[1].wrapping_sub(pair[0]) < 16).count();
    assert!(in_a_row < 10, "{in_a_row}");
    // The keys that they are mixed by last until all 65,536 have been used, and not from poll to poll.
    assert!(!net.iface.is_unsettled());
    let keys = format!("{:?}", net.iface.idents);
    net.poll();
    assert_eq!(format!("{:?}", net.iface.idents), keys);
    let counted = (200..65_536).map(|_| {
        net.iface.use_ident();
        net.iface.idents.next()
    });
    assert!(counted.last().is_some());
    assert!(keys.contains("counter: 200") && net.iface.idents.next() != 0);
    let after = format!("{:?}", net.iface.idents);
    assert_ne!(keys.split("keys").last(), after.split("keys").last(), "the next ones are in another order");
    net.iface.use_ident();
    let next = format!("{:?}", net.iface.idents);
    assert_eq!(after.split("keys").last(), next.split("keys").last());
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 200);
}

/// Covers: RFC 1122 §3.3.3
#[test]
fn a_socket_pings_with_more_than_the_link_carries() {
    for family in BOTH {
        let mut net = Net::ip();
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 20_000]);
        let handle = net.sockets.add(icmp::Socket::new(buffer(), buffer()));
        let socket = net.sockets.get_mut::<icmp::Socket>(handle);
        socket.bind(icmp::Endpoint::Ident(0x1234)).unwrap();
        let (peer, us) = family.addrs(2);
        let request = family.echo_request(&octets(8_000));
        socket.send_slice(&request, IpAddress::from(peer)).unwrap();
        net.poll();
        let (_, message) = family.join(&net.sent());
        let pseudo = match family {
            Family::V4 => crate::wire::checksum::Sum::ZERO,
            Family::V6 => pseudo_header(&us, &peer, 58, message.len() as u32),
        };
        assert!(pseudo.add(sum(&message)).is_valid(), "checksum");
        assert_eq!(message[4..], request[4..]);
        assert_eq!(net.iface.mib().icmpv4.out_msgs + net.iface.mib().icmpv6.out_msgs, 1);
    }
}

/// Covers: RFC 768, RFC 8200 §8.1
#[test]
fn no_checksum_of_a_datagram_in_fragments_is_zero() {
    for family in BOTH {
        let mut net = Net::ip();
        let handle = bound(&mut net, 7);
        let mut data = octets(4_000);
        data[..2].fill(0);
        let mut checksum = |data: &[u8]| {
            send(&mut net, handle, family, data);
            net.poll();
            let (_, datagram) = family.join(&net.sent());
            [datagram[6], datagram[7]]
        };
        // What is added to the sum makes it all ones.
        let added = checksum(&data);
        data[..2].copy_from_slice(&added);
        assert_eq!(checksum(&data), [0xff; 2]);
    }
}

#[test]
fn an_echo_reply_that_fits_exactly_goes_whole() {
    for family in BOTH {
        let mut net = Net::ip();
        for (len, count) in [(1_500, 1), (1_501, 2)] {
            let request = family.echo_request(&octets(len - family.header_len() - 8));
            let sent = exchange_all(
                &mut net,
                family.cut(len as u16, &request, &[800]).into_iter().map(|mut piece| match family {
                    Family::V4 => {
                        piece[9] = 1;
                        let mut packet = crate::wire::ipv4::Packet::new_unchecked(piece);
                        packet.fill_checksum();
                        packet.into_inner()
                    }
                    Family::V6 => {
                        piece[40] = 58;
                        piece
                    }
                }),
            );
            assert_eq!((sent.len(), total(&net).out_frag_reqds), (count, count as u64 - 1), "{family:?}");
        }
    }
}
