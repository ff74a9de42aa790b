//! What frames look like that pass, which don't, and how many at a time.

use super::*;
use crate::wire::checksum;

/// Covers: IEEE 802.1D §7.12.6
#[test]
fn what_is_for_the_next_bridge_is_handed_up_and_goes_no_further() {
    with_lan(2, 16, |lan| {
        for last in 0..=0x0f {
            assert_eq!(lan.hear(0, frame([1, 0x80, 0xc2, 0, 0, last], station(1), 60)), []);
            assert_eq!(lan.handed_up().len(), 1);
        }
        for dst in [[1, 0x80, 0xc2, 0, 0, 0x10], [1, 0x80, 0xc2, 0, 1, 0]] {
            assert_eq!(lan.hear(0, frame(dst, station(1), 60)), [1]);
        }
        assert_eq!(lan.place_of(1), Some(0), "such frames say where their sender is");
    });
}

#[test]
fn tags_pass_untouched_and_may_make_a_frame_longer_where_there_is_room() {
    with_lan(2, 16, |lan| {
        let mut tagged = frame(station(9), station(1), FRAME_LEN + 4);
        tagged[12..18].copy_from_slice(&[0x81, 0, 0xe0, 42, 8, 6]);
        assert_eq!(lan.hear(0, tagged.clone()), []);
        assert_eq!(lan.drops(1, DropReason::TooBig), 1);
        lan.bridge.core.ports[1].capabilities.max_tag_len = 4;
        assert_eq!(lan.hear(0, tagged.clone()), [1]);
        tagged.push(0);
        assert_eq!(lan.hear(0, tagged), []);
        assert_eq!(lan.hear(0, frame(station(9), station(1), FRAME_LEN + 1)), [], "no tag");
        assert_eq!(lan.drops(1, DropReason::TooBig), 3);
        assert_eq!(lan.hear(0, frame(station(9), station(1), FRAME_LEN)), [1]);
    });
}

#[test]
fn a_frame_is_dropped_only_where_the_link_is_too_small_for_it() {
    with_lan(3, 16, |lan| {
        lan.bridge.core.ports[1].capabilities.max_transmission_unit = 1_000;
        assert_eq!(lan.hear(0, frame(EVERYBODY, station(1), 1_001)), [2]);
        assert_eq!(lan.hear(0, frame(EVERYBODY, station(1), 1_000)), [1, 2]);
        assert_eq!((lan.drops(1, DropReason::TooBig), lan.drops(0, DropReason::TooBig)), (1, 0));
    });
}

#[test]
fn a_frame_cut_short_is_dropped_with_its_reason() {
    with_lan(2, 16, |lan| {
        let mut whole = frame(station(9), station(1), 22);
        whole[12..22].copy_from_slice(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0]);
        for len in 0..whole.len() {
            assert_eq!(lan.hear(0, whole[..len].to_vec()), [], "{len}");
        }
        assert_eq!(lan.drops(0, DropReason::Truncated), 22);
        assert_eq!(lan.hear(0, whole), [1]);
    });
}

#[test]
fn a_port_without_room_drops_what_is_for_it_and_counts_that() {
    with_lan(3, 16, |lan| {
        lan.cables[1].with(|state| state.room = 1);
        assert_eq!(lan.hear(0, frame(EVERYBODY, station(1), 60)), [1, 2]);
        assert_eq!(lan.hear(0, frame(EVERYBODY, station(1), 60)), [2]);
        assert_eq!(lan.drops(1, DropReason::DeviceBusy), 1);
    });
}

#[test]
fn a_poll_takes_no_more_than_its_budget_and_ports_take_turns() {
    with_lan(3, 16, |lan| {
        for number in 0..100 {
            lan.cables[0].put(frame(EVERYBODY, station(1), 60 + number));
        }
        lan.cables[1].put(frame(EVERYBODY, station(2), 60));
        let budget = Budget { frames: config::BRIDGE_FRAMES_PER_TURN + 1, octets: usize::MAX };
        let progress = lan.bridge.poll(lan.now, budget);
        assert_eq!((progress.frames, progress.more), (budget.frames, true));
        assert_eq!(lan.cables[0].take().len(), 1, "port 1 had its turn");
        assert_eq!(lan.bridge.poll_at(lan.now), Some(lan.now));
        assert_eq!(lan.bridge.poll(lan.now, Budget { frames: 1, octets: 1 }).frames, 1);
        lan.poll();
        lan.handed_up();
        assert_eq!(lan.bridge.poll_at(lan.now), None);
        assert_eq!(lan.cables[2].take().len(), 101);
    });
}

/// An Ethernet frame with an IP packet of either family in so many octets of tags, and padding behind.
fn packet(is_v4: bool, tags: &[u8], protocol: u8, transport: &[u8], padding: usize) -> Vec<u8> {
    let (ethertype, mut ip) = if is_v4 {
        let mut ip = vec![0x45, 0, 0, 0, 0, 7, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        ip[2..4].copy_from_slice(&(20 + transport.len() as u16).to_be_bytes());
        let sum = checksum::sum(&ip).finish();
        ip[10..12].copy_from_slice(&sum);
        ([8, 0], ip)
    } else {
        let mut ip = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
        ip[4..6].copy_from_slice(&(transport.len() as u16).to_be_bytes());
        ip.extend([0xfd; 32]);
        ([0x86, 0xdd], ip)
    };
    ip.extend(transport);
    ip.extend(std::iter::repeat_n(0xee, padding));
    [&station(9)[..], &station(1), tags, &ethertype, &ip].concat()
}

/// Whether the transport checksum of what [`packet`] made is right.
fn is_valid(octets: &[u8], tags_len: usize, padding: usize) -> bool {
    let ip = &octets[14 + tags_len..octets.len() - padding];
    let (header_len, addresses, protocol) =
        if ip[0] >> 4 == 4 { (20, &ip[12..20], ip[9]) } else { (40, &ip[8..40], ip[6]) };
    let transport = &ip[header_len..];
    let sum = checksum::sum(addresses).add(checksum::sum(&[0, protocol]));
    let len = checksum::sum(&(transport.len() as u16).to_be_bytes());
    sum.add(len).add(checksum::sum(transport)).is_valid()
}

#[test]
fn a_checksum_that_was_never_completed_is_right_where_the_frame_goes_out() {
    let partial = RxMeta { checksum_ok: true, checksum_partial: true, ..RxMeta::default() };
    let udp = [0, 7, 0, 9, 0, 11, 0xbe, 0xef, 1, 2, 3];
    for (is_v4, tags) in
        [(true, &[][..]), (false, &[]), (true, &[0x81, 0, 0, 5]), (false, &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 5])]
    {
        with_lan(3, 16, |lan| {
            let octets = packet(is_v4, tags, 17, &udp, 18);
            assert!(!is_valid(&octets, tags.len(), 18));
            lan.cables[0].put_with(partial, octets.clone());
            lan.poll();
            for cable in &lan.cables[1..] {
                let [sent] = &cable.take()[..] else { panic!("one frame goes out") };
                assert!(is_valid(sent, tags.len(), 18));
                let field = octets.len() - 18 - 5..octets.len() - 18 - 3;
                let mut same = sent.clone();
                same[field.clone()].copy_from_slice(&octets[field]);
                assert_eq!(same, octets, "all else is as it was");
            }
            lan.cables[0].put_with(partial, packet(is_v4, tags, 99, &udp, 0));
            lan.cables[0].put_with(partial, packet(is_v4, tags, 17, &udp[..7], 0));
            lan.cables[0].put_with(partial, frame(station(9), station(1), 60));
            let mut cut = packet(is_v4, tags, 17, &udp, 0);
            cut.pop();
            lan.cables[0].put_with(partial, cut);
            lan.poll();
            assert_eq!((lan.drops(0, DropReason::Checksum), lan.cables[1].take().len()), (4, 0));
        });
    }
}

#[test]
fn a_coalesced_frame_goes_out_as_the_segments_that_it_was() {
    let coalesced = RxMeta { checksum_ok: true, segment_len: 1_000, ..RxMeta::default() };
    let mut tcp = vec![0, 80, 4, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0x50, 0x18, 1, 0, 0, 0, 0, 0];
    tcp.extend((0..2_500).map(|i| i as u8));
    for (is_v4, tags) in [(true, &[][..]), (false, &[0x81, 0, 0, 5])] {
        with_lan(3, 16, |lan| {
            lan.bridge.core.ports[2].capabilities.max_transmission_unit = 1_000;
            lan.cables[0].put_with(coalesced, packet(is_v4, tags, 6, &tcp, 0));
            lan.poll();
            let sent = lan.cables[1].take();
            assert_eq!(sent.len(), 3);
            let header_len = 14 + tags.len() + if is_v4 { 40 } else { 60 };
            let payload: Vec<u8> = sent.iter().flat_map(|octets| octets[header_len..].to_vec()).collect();
            assert_eq!(payload, tcp[20..]);
            assert!(sent.iter().all(|octets| is_valid(octets, tags.len(), 0)));
            assert!(
                sent.iter().all(|octets| octets[..12] == sent[0][..12] && octets[12..].starts_with(tags))
            );
            assert_eq!((lan.cables[2].take().len(), lan.drops(2, DropReason::TooBig)), (0, 1));
            lan.cables[0].put_with(coalesced, packet(is_v4, tags, 17, &tcp, 0));
            lan.poll();
            assert_eq!((lan.drops(0, DropReason::TooBig), lan.cables[1].take().len()), (1, 0), "no TCP");
        });
    }
}
