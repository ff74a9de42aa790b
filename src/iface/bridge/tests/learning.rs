//! What the table learns, keeps and forgets.

use super::*;

/// Covers: IEEE 802.1D §7.8
#[test]
fn a_frame_for_a_station_that_was_heard_goes_there_only() {
    with_lan(3, 16, |lan| {
        assert_eq!(lan.talk(0, 1, 2), [1, 2], "nobody knows 2");
        assert_eq!(lan.talk(1, 2, 1), [0]);
        assert_eq!(lan.talk(0, 1, 2), [1]);
        assert_eq!(lan.hear(0, frame(EVERYBODY, station(1), 60)), [1, 2]);
        assert_eq!(lan.hear(2, frame(GROUP, station(3), 60)), [0, 1]);
        assert_eq!([1, 2, 3].map(|number| lan.place_of(number)), [Some(0), Some(1), Some(2)]);
        assert_eq!(lan.bridge.table_counters().learned, 3);
    });
}

/// Covers: IEEE 802.1D §7.7.1
#[test]
fn no_frame_goes_back_to_the_port_it_came_by() {
    with_lan(2, 16, |lan| {
        lan.talk(0, 1, 9);
        assert_eq!(lan.talk(0, 2, 1), []);
        assert_eq!(lan.drops(0, DropReason::SameSegment), 1);
    });
}

#[test]
fn groups_and_nobody_are_no_sources() {
    with_lan(2, 16, |lan| {
        for src in [GROUP, EVERYBODY, [0; 6], OWN] {
            assert_eq!(lan.hear(0, frame(EVERYBODY, src, 60)), []);
        }
        assert_eq!((lan.drops(0, DropReason::BadSource), lan.count()), (4, 0));
        assert_eq!(lan.handed_up(), [[0; 0]; 0]);
    });
}

/// Covers: IEEE 802.1D §7.9.2
#[test]
fn a_station_that_is_silent_for_300_seconds_is_forgotten() {
    with_lan(3, 16, |lan| {
        lan.talk(1, 2, 9);
        lan.talk(0, 1, 9);
        lan.wait(200);
        lan.talk(1, 2, 9);
        lan.wait(99);
        assert_eq!(lan.talk(2, 3, 1), [0], "299 s");
        lan.wait(1);
        assert_eq!(lan.talk(2, 3, 1), [0, 1], "300 s");
        assert_eq!(lan.talk(0, 4, 2), [1], "it was heard 100 s ago");
        assert_eq!((lan.bridge.table_counters().aged, lan.count()), (1, 3));
    });
}

#[test]
fn an_aged_station_is_nowhere_before_a_poll_removes_it() {
    with_lan(2, 64, |lan| {
        (0..30).for_each(|number| drop(lan.talk(0, number, 99)));
        lan.wait(300);
        assert_eq!((lan.place_of(1), lan.count()), (None, 0));
        assert_eq!(lan.bridge.poll_at(lan.now), None);
        lan.poll();
        assert_eq!(lan.bridge.ports()[0].learned_count(), 30 - config::BRIDGE_REMOVALS, "some at a time");
        lan.poll();
        assert_eq!((lan.bridge.ports()[0].learned_count(), lan.bridge.table_counters().aged), (0, 30));
    });
}

#[test]
fn the_time_to_age_is_the_users() {
    let mut config = Config::new(EthernetAddress(OWN), Keys::new([7; 32]));
    config.ageing = Duration::from_secs(10);
    with_config(config.clone(), 3, 16, |lan| {
        lan.talk(0, 1, 9);
        lan.wait(9);
        assert_eq!(lan.talk(1, 2, 1), [0]);
        lan.wait(1);
        assert_eq!(lan.talk(1, 2, 1), [0, 2]);
    });
    config.ageing = Duration::ZERO;
    with_config(config, 3, 16, |lan| {
        lan.talk(0, 1, 9);
        assert_eq!(lan.talk(1, 2, 1), [0, 2], "a hub");
    });
}

#[test]
fn a_station_that_moves_is_found_where_it_was_heard_last() {
    with_lan(3, 16, |lan| {
        lan.talk(0, 1, 9);
        lan.talk(1, 1, 9);
        assert_eq!(lan.talk(2, 2, 1), [1]);
        assert_eq!((lan.bridge.table_counters().moved, lan.count()), (1, 2));
        let learned: Vec<_> = lan.bridge.ports().iter().map(Port::learned_count).collect();
        assert_eq!(learned, [0, 1, 1]);
    });
}

#[test]
fn with_its_share_full_a_port_forgets_its_oldest_and_no_other_ports() {
    with_lan(2, 8, |lan| {
        lan.talk(1, 100, 99);
        (0..4).for_each(|number| drop(lan.talk(0, number, 99)));
        lan.talk(0, 0, 99);
        lan.talk(0, 4, 99);
        assert_eq!(
            [0, 1, 2, 3, 4, 100].map(|n| lan.place_of(n)),
            [Some(0), None, Some(0), Some(0), Some(0), Some(1)]
        );
        assert_eq!(lan.bridge.table_counters().evicted, 1);
    });
}

#[test]
fn a_million_forged_sources_take_nothing_from_other_ports_and_no_memory() {
    with_lan(3, 96, |lan| {
        (0..32).for_each(|number| drop(lan.talk(1, number, 9_999)));
        for first in (0..1_000_000).step_by(500) {
            lan.cables[0].with(|state| {
                for number in first..first + 500 {
                    let octets = frame(station(0), station(0x0100_0000 + number), 60);
                    state.incoming.push_back((RxMeta::default(), octets));
                }
            });
            lan.poll();
            assert_eq!(lan.bridge.ports()[0].learned_count(), 32.min(first as usize + 500));
            assert_eq!(lan.cables[1].take().len(), 500, "station 0 is known");
            assert_eq!(lan.cables[2].take().len(), 0);
        }
        assert_eq!((lan.count(), lan.bridge.table_counters().learned), (64, 1_000_032));
        assert!((0..32).all(|number| lan.place_of(number) == Some(1)));
        assert_eq!(lan.talk(2, 50, 31), [1]);
    });
}

#[test]
fn a_quota_may_differ_and_be_none_at_all() {
    with_lan(3, 9, |lan| {
        lan.bridge.ports_mut()[0].set_quota(Some(1));
        lan.bridge.ports_mut()[1].set_quota(Some(0));
        lan.talk(0, 1, 9);
        lan.talk(0, 2, 9);
        assert_eq!((lan.place_of(1), lan.place_of(2)), (None, Some(0)));
        assert_eq!(lan.talk(1, 2, 9), [0, 2]);
        assert_eq!((lan.place_of(2), lan.count()), (None, 0), "it is no longer behind port 0");
        assert_eq!(lan.bridge.table_counters().unlearned, 1);
    });
}

#[test]
fn where_quotas_are_more_than_the_table_the_richest_port_makes_room() {
    with_lan(2, 4, |lan| {
        lan.bridge.ports_mut()[0].set_quota(Some(100));
        (0..6).for_each(|number| drop(lan.talk(0, number, 99)));
        assert_eq!(lan.bridge.ports()[0].learned_count(), 4);
        lan.bridge.ports_mut()[0].set_quota(None);
        lan.talk(1, 50, 99);
        assert_eq!((lan.place_of(50), lan.bridge.ports()[0].learned_count()), (Some(1), 3));
        let far = EthernetAddress(station(77));
        for number in 60..64 {
            lan.bridge.add_static(EthernetAddress(station(number)), PortSet::port(0)).unwrap();
        }
        assert_eq!(lan.bridge.add_static(far, PortSet::NONE), Err(StaticError::Full));
        assert_eq!(lan.talk(1, 50, 99), [0]);
        assert_eq!((lan.place_of(50), lan.bridge.table_counters().unlearned), (None, 1));
    });
    with_lan(2, 0, |lan| assert_eq!(lan.talk(0, 1, 2), [1], "without memory it is a hub"));
}

/// Covers: IEEE 802.1D §7.9.1
#[test]
fn a_static_entry_stays_whatever_is_heard_and_however_long() {
    with_lan(4, 16, |lan| {
        lan.talk(0, 1, 9);
        let one = EthernetAddress(station(1));
        lan.bridge.add_static(one, PortSet::port(1).with(PortSet::port(2))).unwrap();
        assert_eq!(lan.bridge.ports()[0].learned_count(), 0);
        lan.talk(0, 1, 9);
        lan.wait(1_000_000);
        assert_eq!(lan.talk(3, 2, 1), [1, 2]);
        assert_eq!(lan.talk(1, 3, 1), [2]);
        assert!(lan.bridge.remove_static(one) && !lan.bridge.remove_static(one));
        assert_eq!(lan.talk(3, 2, 1), [0, 1, 2]);
        let group = EthernetAddress(GROUP);
        lan.bridge.add_static(group, PortSet::port(3).with(PortSet::LOCAL)).unwrap();
        assert_eq!(lan.hear(0, frame(GROUP, station(5), 60)), [3]);
        assert_eq!(lan.handed_up().len(), 1);
    });
}

#[test]
fn what_is_for_a_blackhole_is_dropped() {
    with_lan(2, 16, |lan| {
        lan.talk(1, 1, 9);
        lan.bridge.add_static(EthernetAddress(station(1)), PortSet::NONE).unwrap();
        assert_eq!(lan.talk(0, 2, 1), []);
        assert_eq!(lan.drops(0, DropReason::Filtered), 1);
    });
}

#[test]
fn static_entries_that_mean_nothing_are_refused() {
    with_lan(2, 4, |lan| {
        let mut add = |address, to| lan.bridge.add_static(EthernetAddress(address), to);
        for address in [[0; 6], OWN, [1, 0x80, 0xc2, 0, 0, 14]] {
            assert_eq!(add(address, PortSet::port(0)), Err(StaticError::NotForwarded));
        }
        assert_eq!(add(station(1), PortSet::port(2)), Err(StaticError::NoSuchPort));
        assert_eq!(add(station(1), PortSet::port(1).with(PortSet::LOCAL)), Ok(()));
        assert_eq!(lan.count(), 1);
    });
}

#[test]
fn what_a_port_has_learned_goes_with_its_link() {
    with_lan(3, 16, |lan| {
        lan.talk(0, 1, 9);
        lan.talk(1, 2, 9);
        lan.cables[0].with(|state| state.link = LinkState::DOWN);
        assert_eq!(lan.talk(1, 2, 1), [2], "flooded, but not to where the link is down");
        lan.bridge.add_static(EthernetAddress(station(1)), PortSet::port(0)).unwrap();
        assert_eq!(lan.talk(1, 2, 1), []);
        assert_eq!(lan.talk(0, 3, 2), []);
        assert_eq!((lan.drops(0, DropReason::LinkDown), lan.drops(1, DropReason::LinkDown)), (1, 1));
        lan.cables[0].with(|state| state.link = LinkState::UP);
        assert_eq!(lan.talk(1, 2, 1), [0]);
    });
}

#[test]
fn ports_are_shut_taken_away_and_put_back() {
    with_lan(3, 16, |lan| {
        lan.talk(0, 1, 9);
        assert!(lan.bridge.set_port_enabled(0, false) && !lan.bridge.set_port_enabled(3, false));
        assert_eq!(lan.talk(1, 2, 1), [2]);
        assert_eq!(lan.talk(0, 1, 2), [], "what comes by it does not pass");
        assert!(lan.bridge.set_port_enabled(0, true));
        lan.talk(0, 1, 9);
        let device = lan.bridge.remove_port(0).expect("it was there");
        assert!(lan.bridge.remove_port(0).is_none() && !lan.bridge.ports()[0].is_taken());
        assert_eq!((lan.place_of(1), lan.talk(1, 2, 1)), (None, vec![2]));
        assert_eq!(lan.bridge.add_port(lan.now, device), Ok(0));
        assert_eq!(lan.talk(1, 2, 1), [0, 2]);
    });
}

#[test]
fn a_device_is_no_port_without_a_place_or_without_ethernet() {
    let mut cables = [Cable::new(), Cable::new(), Cable::new()];
    #[cfg(feature = "medium-ip")]
    cables[0].with(|state| state.capabilities.medium = Medium::Ip);
    let config = Config::new(EthernetAddress(OWN), Keys::new([7; 32]));
    let mut bridge = Bridge::new(config, Storage::with_capacity(1, 1));
    let [bare, one, two] = &mut cables;
    if cfg!(feature = "medium-ip") {
        assert_eq!(bridge.add_port(Instant::ZERO, bare), Err(AddPortError::NotEthernet));
    }
    assert_eq!(bridge.add_port(Instant::ZERO, one), Ok(0));
    assert_eq!(bridge.add_port(Instant::ZERO, two), Err(AddPortError::NoPlace));
}

/// Covers: RFC 2863 §3.1.6, IEEE 802.1D §7.7
#[test]
fn a_port_counts_what_came_and_what_went_as_an_interface_does() {
    with_lan(2, 16, |lan| {
        lan.hear(0, frame(station(2), station(1), 60));
        lan.hear(0, frame(EVERYBODY, station(1), 100));
        lan.hear(0, frame(GROUP, station(1), 80));
        let [came, went] = [0, 1].map(|place| lan.bridge.ports()[place].stats().bridged());
        assert_eq!((came.in_octets, came.in_frames), (240, 3));
        assert_eq!((came.in_ucast_pkts, came.in_multicast_pkts, came.in_broadcast_pkts), (1, 1, 1));
        assert_eq!((went.out_octets, went.out_frames), (240, 3));
        assert_eq!((went.out_ucast_pkts, went.out_multicast_pkts, went.out_broadcast_pkts), (1, 1, 1));
        assert_eq!((came.out_octets, went.in_octets), (0, 0));
    });
}
