use super::*;
use crate::phy::{Medium, SimRng};
use crate::stats::DropReason::{self, *};
use crate::time::Duration;
use crate::wire::{IpAddress, IpCidr};

fn drops(net: &Net, reason: DropReason) -> u32 {
    net.iface.stats().drops(reason)
}

/// Covers: RFC 791 §3.2, RFC 8200 §4.5, RFC 1122 §3.3.2a
#[test]
fn pieces_make_up_the_datagram_in_any_order() {
    for family in BOTH {
        let data = octets(3_000);
        let datagram = family.udp(7, &data);
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let mut net = Net::ip();
            let handle = bound(&mut net, 7);
            let pieces = family.cut(9, &datagram, &[800, 1_600, 2_400]);
            assert!(exchange_all(&mut net, order.map(|ix| pieces[ix].clone())).is_empty());
            assert_eq!(received(&mut net, handle), [&data[..]]);
            let mib = family.mib(&net);
            assert_eq!((mib.reasm_reqds, mib.reasm_oks, mib.reasm_fails), (4, 1, 0));
            assert_eq!((mib.in_receives, mib.in_delivers), (4, 1));
            assert_eq!((mib.in_discards, net.iface.fragments().in_use()), (0, 0));
            assert_eq!(net.iface.fragments().owned_memory(), 0);
        }
    }
}

/// Covers: RFC 5722 §3, RFC 8200 §4.5
#[test]
fn an_overlap_drops_the_datagram_and_whatever_else_comes_of_it() {
    for family in BOTH {
        let mut net = Net::ip();
        let handle = bound(&mut net, 7);
        let datagram = family.udp(7, &octets(100));
        let pieces = family.cut(9, &datagram, &[40, 80]);
        let overlap = family.piece(9, 32, true, &datagram[32..48]);
        let frames = [pieces[0].clone(), overlap, pieces[1].clone(), pieces[2].clone()];
        assert!(exchange_all(&mut net, frames).is_empty());
        exchange_all(&mut net, pieces);
        assert!(received(&mut net, handle).is_empty());
        assert_eq!(drops(&net, FragmentOverlap), 1 + 2 + 3);
        net.advance(Duration::from_secs(61));
        net.poll();
        assert!(net.sent().is_empty(), "no ICMP about it");
        assert_eq!((net.iface.fragments().in_use(), drops(&net, ReassemblyTimeout)), (0, 0));
    }
}

/// Covers: RFC 8200 §4.5 (exact duplicates)
#[test]
fn an_exact_duplicate_is_dropped_by_itself() {
    for family in BOTH {
        let mut net = Net::ip();
        let handle = bound(&mut net, 7);
        let pieces = family.cut(9, &family.udp(7, &octets(99)), &[40, 80]);
        let order = [2, 2, 0, 0, 2, 1].map(|ix| pieces[ix].clone());
        exchange_all(&mut net, order);
        assert_eq!(received(&mut net, handle), [octets(99)]);
        assert_eq!(drops(&net, FragmentDuplicate), 3);
    }
}

#[test]
fn pieces_that_disagree_about_the_end_drop_the_datagram() {
    for family in BOTH {
        let datagram = family.udp(7, &octets(100));
        let all = family.cut(9, &datagram, &[40, 80]);
        let second_end = family.piece(9, 40, false, &datagram[40..80]);
        let beyond = family.piece(9, 112, true, &[0; 8]);
        let goes_on = family.piece(9, 80, true, &octets(24));
        for pieces in [
            [all[2].clone(), second_end.clone()],
            [all[2].clone(), beyond.clone()],
            [beyond, all[2].clone()],
            [all[1].clone(), second_end],
            [goes_on, family.piece(9, 80, false, &octets(24))],
        ] {
            let mut net = Net::ip();
            exchange_all(&mut net, pieces);
            assert_eq!(drops(&net, FragmentOverlap), 1, "{family:?}");
        }
    }
}

/// Covers: RFC 792 (time exceeded, code 1), RFC 1122 §3.3.2c, RFC 4443 §3.3, RFC 8200 §4.5
#[test]
fn the_sender_hears_that_fragments_are_missing_if_the_first_has_come() {
    for (family, message) in [(Family::V4, [11, 1]), (Family::V6, [3, 1])] {
        let mut net = Net::ip();
        let pieces = family.cut(9, &family.udp(7, &octets(100)), &[40, 80]);
        exchange_all(&mut net, [pieces[0].clone(), pieces[2].clone()]);
        let at = net.iface.poll_at(net.now, &mut net.sockets).unwrap();
        assert!(at > net.now + Duration::from_secs(59) && at < net.now + Duration::from_secs(61));
        net.now = at - Duration::from_millis(2);
        net.poll();
        assert!(net.sent().is_empty());
        net.now = at;
        net.poll();
        let sent = net.sent();
        assert_checksums(&sent[0]);
        assert_eq!(sent[0][family.header_len()..][..2], message);
        assert_eq!(sent[0][family.header_len() + 8..], pieces[0], "the first fragment as it came");
        assert_eq!(drops(&net, ReassemblyTimeout), 1);
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
    }
}

#[test]
fn nobody_hears_of_missing_fragments_who_should_not() {
    for family in BOTH {
        let datagram = family.udp(7, &octets(100));
        let without_first = family.cut(9, &datagram, &[40])[1].clone();
        let error = [[if family == Family::V4 { 3 } else { 1 }, 3, 0, 0, 0, 0, 0, 0], [0; 8]].concat();
        let of_error = family.piece_from(2, family.icmp(), 9, 0, true, &error);
        let mut to_group = family.cut(9, &datagram, &[40])[0].clone();
        match family {
            Family::V4 => {
                to_group[16..20].copy_from_slice(&[10, 0, 0, 255]);
                let mut packet = ipv4::Packet::new_unchecked(to_group);
                packet.fill_checksum();
                to_group = packet.into_inner();
            }
            Family::V6 => {
                to_group[24..40].copy_from_slice(&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
            }
        }
        // An error, too, if options are in front of it.
        let options = [&[58, 0, 1, 4, 0, 0, 0, 0], &error[..]].concat();
        let of_hidden_error = match family {
            Family::V4 => of_error.clone(),
            Family::V6 => family.piece_from(2, 60, 9, 0, true, &options),
        };
        for piece in [without_first, of_error, of_hidden_error, to_group] {
            let mut net = Net::ip();
            exchange_all(&mut net, [piece]);
            net.advance(Duration::from_secs(61));
            net.poll();
            assert!(net.sent().is_empty());
            assert_eq!(drops(&net, ReassemblyTimeout), 1);
        }
    }
}

/// Covers: RFC 1122 §3.2.2
#[test]
fn a_source_that_has_become_a_broadcast_address_hears_of_no_missing_fragments() {
    let mut net = Net::ip();
    let first = |last| Family::V4.piece_from(last, 17, 9, 0, true, &[0; 16]);
    exchange_all(&mut net, [first(127), first(126)]);
    net.iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 65), 26)).unwrap();
    net.advance(Duration::from_secs(61));
    net.poll();
    let told: Vec<_> = net.sent().iter().map(|packet| packet[16..20].to_vec()).collect();
    assert_eq!(told, [[10, 0, 0, 126]]);
    assert_eq!(drops(&net, ReassemblyTimeout), 2);
}

#[test]
fn the_time_of_ipv4_can_be_set_within_bounds() {
    for (set, least, most) in [(1, 14, 16), (30, 29, 31), (1_000, 119, 121)] {
        let mut net = Net::ip();
        net.iface.set_ipv4_reassembly_timeout(Duration::from_secs(set));
        exchange_all(&mut net, [Family::V4.piece(1, 8, false, &[0; 8])]);
        let wait = net.iface.poll_delay(net.now, &mut net.sockets).unwrap();
        assert!(wait > Duration::from_secs(least) && wait < Duration::from_secs(most));
    }
}

/// Covers: RFC 6946 §4, RFC 8200 §4.5
#[test]
fn an_atomic_fragment_is_processed_by_itself() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let datagram = Family::V6.udp(7, &octets(100));
    let pieces = Family::V6.cut(9, &datagram, &[40]);
    let atomic = Family::V6.piece(9, 0, false, &Family::V6.udp(7, b"alone"));
    exchange_all(&mut net, [pieces[0].clone(), atomic, pieces[1].clone()]);
    assert_eq!(received(&mut net, handle), [b"alone".to_vec(), octets(100)]);
}

/// Covers: RFC 1858 §3, RFC 3128
#[test]
fn a_first_fragment_without_the_tcp_header_is_dropped() {
    let mut net = Net::ip();
    let tiny = Family::V4.piece_from(2, 6, 9, 0, true, &[0; 16]);
    let behind = Family::V4.piece_from(2, 6, 9, 8, false, &[0; 32]);
    assert!(exchange_all(&mut net, [tiny, behind]).is_empty());
    assert_eq!((drops(&net, FragmentTiny), net.iface.fragments().in_use()), (2, 0));
    exchange_all(&mut net, [Family::V4.piece_from(2, 6, 9, 0, true, &[0; 24])]);
    assert_eq!(net.iface.fragments().in_use(), 1);
}

/// Covers: RFC 7112 §5, RFC 8200 §4.5
#[test]
fn a_first_fragment_has_all_headers_or_is_refused() {
    let mut net = Net::ip();
    for (protocol, data) in [(6, vec![0; 16]), (60, vec![17, 0, 1, 4, 0, 0, 0, 0]), (60, vec![17; 8])] {
        let sent = exchange_all(&mut net, [Family::V6.piece_from(2, protocol, 9, 0, true, &data)]);
        assert_checksums(&sent[0]);
        assert_eq!(sent[0][40..42], [4, 3], "parameter problem, code 3");
        assert_eq!(sent[0][44..48], [0; 4], "the pointer is zero");
    }
    assert_eq!((drops(&net, FragmentTiny), net.iface.fragments().in_use()), (3, 0));
}

/// Covers: RFC 791 §3.2, RFC 8200 §4.5
#[test]
fn what_cannot_be_a_piece_is_refused() {
    // A length that is no multiple of 8; an end beyond 65,535.
    let (odd, far) = (vec![0; 13], vec![0; 48]);
    for (at, more, data, pointer) in [(64, true, &odd, 4), (65_504, false, &far, 42)] {
        for family in BOTH {
            let mut net = Net::ip();
            let sent = exchange_all(&mut net, [family.piece(9, at, more, data)]);
            assert_eq!((drops(&net, Malformed), net.iface.fragments().in_use()), (1, 0));
            if family == Family::V4 {
                assert!(sent.is_empty());
                continue;
            }
            assert_checksums(&sent[0]);
            assert_eq!(sent[0][40..42], [4, 0], "parameter problem, code 0");
            assert_eq!(sent[0][44..48], [0, 0, 0, pointer]);
        }
    }
    // IPv4's header counts; so do the extension headers before that of a fragment.
    let mut net = Net::ip();
    exchange_all(&mut net, [Family::V4.piece(9, 65_504, false, &[0; 16])]);
    let fragment = [17, 0, 0xff, 0xf0, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8];
    let options = [44, 0, 1, 4, 0, 0, 0, 0];
    let sent = exchange_all(&mut net, [ipv6(ula(2), ula(1), 60, 64, &[&options[..], &fragment].concat())]);
    assert_eq!(sent[0][44..48], [0, 0, 0, 50], "at the offset");
    assert_eq!((drops(&net, Malformed), net.iface.fragments().in_use()), (2, 0));
}

#[test]
fn a_piece_of_nothing_takes_no_memory() {
    for (family, at, more) in BOTH.into_iter().flat_map(|f| [(f, 0, true), (f, 8, true), (f, 8, false)]) {
        let mut net = Net::ip();
        exchange_all(&mut net, [family.piece_from(2, 200, 9, at, more, &[])]);
        assert_eq!((drops(&net, Malformed), net.iface.fragments().in_use()), (1, 0));
    }
}

/// Covers: RFC 6980 §5
#[test]
fn neighbor_discovery_in_fragments_is_not_believed() {
    let mut net = Net::ethernet();
    let target = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &ula(1), &[1, 1], &PEER_MAC].concat();
    let mut message = target.clone();
    let (src, dst) = Family::V6.addrs(2);
    let pseudo = pseudo_header(&src, &dst, 58, message.len() as u32);
    let checksum = pseudo.add(sum(&message)).finish();
    message[2..4].copy_from_slice(&checksum);
    let frame = |at, more, data: &[u8]| {
        let mut packet = Family::V6.piece_from(2, 58, 5, at, more, data);
        packet[7] = 255;
        ethernet(0x86dd, &packet)
    };
    assert!(exchange_all(&mut net, [frame(0, false, &message)]).is_empty());
    assert_eq!(drops(&net, BadNeighborMessage), 1);
    let pieces = [frame(0, true, &message[..16]), frame(16, false, &message[16..])];
    assert!(exchange_all(&mut net, pieces).is_empty());
    assert_eq!((drops(&net, BadNeighborMessage), net.iface.neighbor_count()), (2, 0));
    let mut whole = ipv6(ula(2), ula(1), 58, 255, &message);
    whole[7] = 255;
    assert_eq!(exchange_all(&mut net, [ethernet(0x86dd, &whole)]).len(), 1, "it was right otherwise");
}

/// Covers: RFC 3168 §5.3
#[test]
fn congestion_that_one_piece_has_met_is_kept() {
    let with_ecn = |mut packet: Vec<u8>, ecn: u8| match packet[0] >> 4 {
        4 => {
            packet[1] |= ecn;
            let mut packet = ipv4::Packet::new_unchecked(packet);
            packet.fill_checksum();
            packet.into_inner()
        }
        _ => {
            packet[1] |= ecn << 4;
            packet
        }
    };
    for (family, (first, second), expected) in
        BOTH.into_iter().flat_map(|f| [(f, (2, 3), Some(3)), (f, (2, 2), Some(2)), (f, (0, 3), None)])
    {
        // To a closed port, whose error quotes the whole.
        let mut net = Net::ip();
        let pieces = family.cut(9, &family.udp(9, &octets(40)), &[24]);
        let pieces = [with_ecn(pieces[0].clone(), first), with_ecn(pieces[1].clone(), second)];
        let sent = exchange_all(&mut net, pieces);
        let quoted = sent.first().map(|error| {
            let octet = error[family.header_len() + 8 + 1];
            if family == Family::V4 { octet & 3 } else { octet >> 4 & 3 }
        });
        assert_eq!(quoted, expected, "{family:?}");
    }
}

/// Covers: RFC 8200 §4.5 (what is kept of the first fragment's headers)
#[test]
fn headers_before_and_behind_that_of_the_fragment_are_gone_through() {
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let datagram = [&options(17)[..], &Family::V6.udp(7, &octets(50))].concat();
    let piece = |at: usize, more: bool, data: &[u8]| {
        let fragment = [60, 0, (at >> 8) as u8, at as u8 | u8::from(more), 0, 0, 0, 9];
        ipv6(ula(2), ula(1), 0, 64, &[&options(60)[..], &options(44), &fragment, data].concat())
    };
    exchange_all(&mut net, [piece(24, false, &datagram[24..]), piece(0, true, &datagram[..24])]);
    assert_eq!(received(&mut net, handle), [octets(50)]);
}

#[test]
fn a_fragment_in_a_fragment_goes_no_further() {
    let mut net = Net::ip();
    let inner = [&[17, 0, 0, 1, 0, 0, 0, 1][..], &Family::V6.udp(7, &octets(16))].concat();
    let pieces = [(0, true, &inner[..16]), (16, false, &inner[16..])];
    let pieces = pieces.map(|(at, more, data)| Family::V6.piece_from(2, 44, 9, at, more, data));
    assert!(exchange_all(&mut net, pieces).is_empty());
    assert_eq!((drops(&net, ExtensionHeaders), net.iface.fragments().in_use()), (1, 0));
}

#[test]
fn a_chain_of_headers_that_is_too_long_is_refused() {
    // With the fixed header and that of the fragment 128 octets, then 136.
    for (len, is_refused) in [(80, false), (88, true)] {
        let mut net = Net::ip();
        let mut options = vec![44, len / 8 - 1, 1, len - 4];
        options.resize(len.into(), 0);
        let fragment = [17, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0];
        exchange_all(&mut net, [ipv6(ula(2), ula(1), 60, 64, &[&options[..], &fragment].concat())]);
        assert_eq!(drops(&net, ExtensionHeaders), u32::from(is_refused), "{len}");
        assert_eq!(net.iface.fragments().in_use(), usize::from(!is_refused), "{len}");
    }
}

#[test]
fn an_error_quotes_the_whole_that_it_is_about() {
    for family in BOTH {
        let mut net = Net::ip();
        let datagram = family.udp(9, &octets(100));
        let sent = exchange_all(&mut net, family.cut(9, &datagram, &[40]));
        assert_checksums(&sent[0]);
        let quote = &sent[0][family.header_len() + 8..];
        assert_eq!(quote[family.header_len()..], datagram);
        match family {
            Family::V4 => assert!(!ipv4::Header::split(quote).unwrap().header.is_fragment()),
            Family::V6 => assert_eq!(quote[4..7], [0, 108, 17]),
        }
    }
}

#[test]
fn the_numbers_of_different_peers_and_protocols_are_kept_apart() {
    let family = Family::V4;
    let mut net = Net::ip();
    let handle = bound(&mut net, 7);
    let other = family.udp_from(3, 7, &octets(60));
    let ours = family.cut(9, &family.udp(7, &octets(50)), &[40]);
    let theirs = [(0, true, &other[..40]), (40, false, &other[40..])];
    let theirs = theirs.map(|(at, more, data)| family.piece_from(3, 17, 9, at, more, data));
    let icmp = family.piece_from(2, 1, 9, 40, false, &[0; 8]);
    exchange_all(&mut net, [ours[0].clone(), theirs[0].clone(), icmp, theirs[1].clone(), ours[1].clone()]);
    assert_eq!(received(&mut net, handle), [octets(60), octets(50)]);
}

/// Random cuts, in any order and with duplicates, give the same datagram; with an overlap they give none.
#[test]
fn random_pieces_give_the_datagram_unless_some_overlap() {
    let mut dice = SimRng::new(0xf7a6);
    let mut below = |bound: usize| dice.below(bound as u64) as usize;
    let mut net = Net::new(Medium::Ip);
    let handle = bound(&mut net, 7);
    let (mut whole, mut dropped) = (0, 0);
    for ident in 0..1_500 {
        let family = BOTH[below(2)];
        let data = octets(32 + below(if ident % 50 == 0 { 60_000 } else { 3_000 }));
        let datagram = family.udp(7, &data);
        let mut places: Vec<usize> =
            (0..1 + below(30)).map(|_| 8 * (1 + below(datagram.len() / 8))).collect();
        places.retain(|place| *place < datagram.len());
        places.sort_unstable();
        places.dedup();
        let mut pieces = family.cut(ident, &datagram, &places);
        for _ in 0..below(3) {
            pieces.push(pieces[below(pieces.len())].clone());
        }
        for index in (1..pieces.len()).rev() {
            pieces.swap(index, below(index + 1));
        }
        // An overlap that is no duplicate, nor two pieces in one, before the datagram is complete.
        let overlaps = below(3) == 0 && places.len() > 2 && places[0] > 8;
        if overlaps {
            let start = places[0] - 8;
            let piece = family.piece(ident, start, true, &datagram[start..places[0] + 8]);
            pieces.insert(below(2), piece);
        }
        exchange_all(&mut net, pieces);
        let got = received(&mut net, handle);
        if overlaps {
            assert!(got.is_empty(), "datagram {ident}");
            dropped += 1;
        } else {
            // If each piece was there twice, it came twice.
            assert!((1..=2).contains(&got.len()), "datagram {ident}");
            assert!(got.iter().all(|got| *got == data), "datagram {ident}");
            whole += 1;
        }
        net.advance(Duration::from_secs(61));
        net.poll();
        net.sent();
        assert_eq!((net.iface.fragments().in_use(), net.iface.fragments().owned_memory()), (0, 0));
    }
    assert!(whole > 800 && dropped > 200, "{whole} whole, {dropped} dropped");
}

/// Covers: RFC 791 §3.1, RFC 8200 §4.5
#[test]
fn a_whole_may_have_as_many_octets_as_its_length_can_say() {
    // Of IPv4 with its header, of IPv6 without.
    for (family, most) in [(Family::V4, 65_535 - 20), (Family::V6, 65_535)] {
        for (len, is_kept) in [(most, true), (most + 1, false)] {
            let mut net = Net::ip();
            exchange_all(&mut net, [family.piece(9, 65_504, false, &vec![0; len - 65_504])]);
            assert_eq!(net.iface.fragments().in_use(), usize::from(is_kept), "{family:?} {len}");
        }
    }
    // Eight octets of headers before that of the fragment count eight, wherever it belongs.
    let mut net = Net::ip();
    let fragment = [17, 0, 0x3e, 0x80, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8];
    let options = [44, 0, 1, 4, 0, 0, 0, 0];
    assert!(
        exchange_all(&mut net, [ipv6(ula(2), ula(1), 60, 64, &[&options[..], &fragment].concat())])
            .is_empty()
    );
    assert_eq!(net.iface.fragments().in_use(), 1);
}

/// Covers: RFC 1812 §4.3.2.3, RFC 4443 §2.4 (c)
#[test]
fn who_hears_of_missing_fragments_is_quoted_as_much_as_an_error_has_room_for() {
    for (family, most) in [(Family::V4, 576), (Family::V6, 1_280)] {
        let mut net = Net::ip();
        let first = family.piece(9, 0, true, &octets(1_400));
        exchange_all(&mut net, [first.clone()]);
        net.advance(Duration::from_secs(61));
        net.poll();
        let sent = net.sent();
        assert_checksums(&sent[0]);
        assert_eq!((sent.len(), sent[0].len()), (1, most));
        let quote = &sent[0][family.header_len() + 8..];
        assert_eq!(quote, &first[..quote.len()]);
    }
}

/// Covers: RFC 1122 §3.2.2, RFC 4443 §2.4 (e.4)
#[test]
fn a_whole_of_which_one_piece_came_to_all_provokes_no_error() {
    for (family, ether_type) in [(Family::V4, 0x800), (Family::V6, 0x86dd)] {
        for (to_all, errors) in [(None, 1), (Some(0), 0), (Some(1), 0)] {
            let mut net = Net::ethernet();
            net.meet(PEER_IP);
            let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &ula(1), &[1, 1], &PEER_MAC].concat();
            net.exchange(ethernet(0x86dd, &icmp6(ula(2), ula(1), 255, body)));
            let pieces = family.cut(9, &family.udp(9, &octets(100)), &[40]);
            let frames = pieces.iter().enumerate().map(|(place, piece)| {
                let mut frame = ethernet(ether_type, piece);
                if to_all == Some(place) {
                    frame[..6].fill(0xff);
                }
                frame
            });
            assert_eq!(exchange_all(&mut net, frames).len(), errors, "{family:?} {to_all:?}");
        }
    }
}
