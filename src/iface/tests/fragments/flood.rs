use super::*;
use crate::iface::{Config, FragmentPlace, Fragments, Interface, InterfaceStorage};
use crate::phy::{Device, HardwareAddress};
use crate::stats::DropReason;
use crate::time::Duration;
use crate::wire::{IpAddress, IpCidr};

/// A stack on bare IP with this room for fragments.
fn with_fragments(fragments: Fragments<'static>) -> Net {
    let mut net = Net::ip();
    let storage = InterfaceStorage { fragments, ..InterfaceStorage::default() };
    net.iface = Interface::with_storage(Config::new(HardwareAddress::Ip), net.wire.capabilities(), storage);
    net.iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 8)).unwrap();
    net.iface.add_address(IpCidr::new(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1), 64)).unwrap();
    net
}

fn lent(count: usize, len: usize) -> Fragments<'static> {
    let place = || FragmentPlace::new(vec![0; len].leak());
    Fragments::new(std::iter::repeat_with(place).take(count).collect::<Vec<_>>())
}

/// Covers: RFC 1122 §3.3.2a, §3.3.2b
#[test]
fn datagrams_are_put_together_in_lent_memory() {
    for family in BOTH {
        let mut net = with_fragments(lent(2, 128 + 33 * 32));
        assert_eq!(net.iface.fragments().largest_datagram(), 1_024);
        let handle = bound(&mut net, 7);
        for ident in 0..5 {
            exchange_all(&mut net, family.cut(ident, &family.udp(7, &octets(1_016)), &[512]));
        }
        assert_eq!(received(&mut net, handle).len(), 5);
        exchange_all(&mut net, family.cut(9, &family.udp(7, &octets(1_017)), &[512]));
        assert!(received(&mut net, handle).is_empty(), "one octet too long");
        assert_eq!(net.iface.stats().drops(DropReason::Fragment), 1);
    }
}

/// Covers: RFC 1122 §3.3.2a, §3.3.2b
#[test]
fn places_that_grow_take_datagrams_as_large_as_their_memory_allows() {
    for (limit, largest) in [(2_047, 0), (2_048, 2_048), (4_095, 2_048), (4_096, 4_096)] {
        assert_eq!(Fragments::growing(2, limit).largest_datagram(), largest);
    }
    for (limit, largest) in [(100, 0), (5_000, 4_096), (1 << 20, 65_535)] {
        let mut net = with_fragments(Fragments::growing(2, limit));
        assert_eq!(net.iface.fragments().largest_datagram(), largest);
        let handle = bound(&mut net, 7);
        for (len, is_taken) in
            [(576 - 28, largest > 0), (4_096 - 8, largest > 0), (4_097 - 8, largest > 4_096)]
        {
            exchange_all(&mut net, Family::V4.cut(len as u16, &Family::V4.udp(7, &octets(len)), &[512]));
            assert_eq!(received(&mut net, handle).len(), usize::from(is_taken), "{len} of {limit}");
            net.advance(Duration::from_secs(61));
            net.poll();
        }
    }
}

#[test]
fn without_places_fragments_are_dropped() {
    let mut net = with_fragments(lent(0, 0));
    assert_eq!(net.iface.fragments().largest_datagram(), 0);
    exchange_all(&mut net, Family::V4.cut(1, &Family::V4.udp(7, &octets(100)), &[40]));
    assert_eq!(net.iface.stats().drops(DropReason::Fragment), 2);
}

/// A source that never finishes anything takes a quarter of the places, not its neighbour's.
#[test]
fn one_source_cannot_push_out_the_others() {
    for family in BOTH {
        let mut net = with_fragments(lent(8, 4_000));
        let handle = bound(&mut net, 7);
        let pieces = family.cut(1, &family.udp(7, &octets(100)), &[40]);
        exchange_all(&mut net, [pieces[0].clone()]);
        for ident in 0..2_000 {
            exchange_all(&mut net, [family.piece_from(66, 17, ident, 8, true, &[0; 8])]);
            assert!(net.iface.fragments().in_use() <= 1 + 2);
        }
        exchange_all(&mut net, [pieces[1].clone()]);
        assert_eq!(received(&mut net, handle), [octets(100)]);
        assert_eq!(net.iface.stats().drops(DropReason::Fragment), 1_998);
    }
}

/// Datagrams whose fragments come together get through, and memory stays what it was.
#[test]
fn a_flood_from_everywhere_takes_bounded_memory_and_stops_nobody() {
    let limit = 200_000;
    let mut net = with_fragments(Fragments::growing(16, limit));
    let handle = bound(&mut net, 7);
    let mut got = 0;
    for step in 0..20_000_u32 {
        let [_, b, c, d] = step.to_be_bytes();
        let at = if step % 3 == 0 { 60_000 } else { 0 };
        let mut junk = Family::V4.piece(step as u16, at, true, &[0; 1_400]);
        junk[12..16].copy_from_slice(&[10, 1 + b, c, d]);
        let mut junk = ipv4::Packet::new_unchecked(junk);
        junk.fill_checksum();
        net.wire.to_stack.push_back(junk.into_inner());
        if step % 50 == 0 {
            let family = BOTH[step as usize / 50 % 2];
            let datagram = family.udp(7, &octets(5_000));
            exchange_all(&mut net, family.cut(step as u16, &datagram, &[1_400, 2_800, 4_200]));
            got += received(&mut net, handle).len();
        }
        assert!(net.iface.fragments().owned_memory() <= limit);
        assert!(net.iface.fragments().in_use() <= 16);
    }
    assert_eq!(got, 400, "every one of them");
    net.poll();
    net.advance(Duration::from_secs(61));
    net.poll();
    assert_eq!((net.iface.fragments().in_use(), net.iface.fragments().owned_memory()), (0, 0));
    // Of the errors about what has not come, no more than the rate allows.
    assert!(net.sent().len() <= 16);
}

/// Covers: RFC 5722 §3
#[test]
fn for_memory_the_oldest_that_has_some_gives_way_and_what_is_condemned_stays_so() {
    let mut net = with_fragments(Fragments::growing(8, 2 * 2_048 + 600));
    let handle = bound(&mut net, 7);
    let v4 = Family::V4;
    let piece = |last: u8, place: usize| {
        let datagram = v4.udp_from(last, 7, &octets(100 + usize::from(last)));
        match place {
            0 => v4.piece_from(last, 17, 1, 0, true, &datagram[..40]),
            _ => v4.piece_from(last, 17, 1, 40, false, &datagram[40..]),
        }
    };
    let overlap = v4.piece_from(5, 17, 1, 32, true, &[9; 16]);
    exchange_all(&mut net, [piece(5, 0), overlap]);
    exchange_all(&mut net, [piece(2, 0), piece(3, 0), piece(4, 0)]);
    assert_eq!(net.iface.fragments().in_use(), 3, "the first that has memory is gone");
    exchange_all(&mut net, [piece(5, 0), piece(5, 1), piece(3, 1), piece(4, 1)]);
    assert_eq!(received(&mut net, handle), [octets(103), octets(104)]);
    assert_eq!(net.iface.fragments().in_use(), 1);
}

#[test]
fn condemned_datagrams_take_no_more_places_than_the_share_of_their_source() {
    for family in BOTH {
        let mut net = with_fragments(lent(8, 4_000));
        for ident in 0..20 {
            let piece = |at| family.piece_from(66, 17, ident, at, true, &[at as u8; 16]);
            exchange_all(&mut net, [piece(0), piece(8)]);
            assert!(net.iface.fragments().in_use() <= 2);
        }
    }
}

/// Nothing waits that can not be kept: it is lost, and its place is free.
#[test]
fn what_neither_leaves_nor_can_be_kept_is_lost() {
    let send = |fragments, data: &[u8]| {
        let mut net = with_fragments(fragments);
        let handle = bound(&mut net, 7);
        net.wire.room = 0;
        let socket = net.sockets.get_mut::<udp::Socket>(handle);
        socket.send_slice(data, (IpAddress::v4(10, 0, 0, 2), 7)).unwrap();
        net.poll();
        assert_eq!((net.iface.fragments().in_use(), net.iface.stats().total_drops()), (0, 1));
        assert_eq!(Family::V4.mib(&net).out_frag_fails, 1);
        net.wire.room = 9;
        net.poll();
        assert!(net.sent().is_empty());
        net
    };
    let busy = send(Fragments::growing(2, 2_048), &octets(4_000));
    assert_eq!(busy.iface.stats().drops(DropReason::DeviceBusy), 1);
    // Without a place nothing is cut, were there room in the device or not.
    let uncut = send(lent(0, 0), &octets(4_000));
    assert_eq!(uncut.iface.stats().drops(DropReason::TooBig), 1);
}
