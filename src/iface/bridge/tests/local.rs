//! The stack on the bridge.

use super::*;

fn send(lan: &mut Lan<'_, '_>, dst: [u8; 6], len: usize) -> bool {
    let Some(token) = lan.bridge.transmit(lan.now) else { return false };
    token.consume(len, |octets| octets.copy_from_slice(&frame(dst, OWN, len)));
    true
}

/// What the stack receives in one go.
fn receive(lan: &mut Lan<'_, '_>) -> Option<Vec<u8>> {
    let (rx, _) = lan.bridge.receive(lan.now)?;
    Some(rx.consume(|octets| octets.to_vec()))
}

fn sent(lan: &Lan<'_, '_>) -> Vec<usize> {
    lan.cables.iter().map(|cable| cable.take().len()).collect()
}

#[test]
fn what_is_for_the_bridge_is_handed_up_and_groups_are_flooded_as_well() {
    with_lan(2, 16, |lan| {
        let own = frame(OWN, station(1), 60);
        assert_eq!(lan.hear(0, own.clone()), []);
        assert_eq!(lan.hear(0, frame(station(9), station(1), 60)), [1]);
        let group = frame(GROUP, station(1), 60);
        assert_eq!(lan.hear(0, group.clone()), [1]);
        assert_eq!(Device::poll_at(&mut lan.bridge, lan.now), Some(lan.now), "the stack has something to do");
        assert_eq!(lan.bridge.poll_at(lan.now), None, "and the bridge has not");
        assert_eq!(lan.handed_up(), [own, group], "and nothing of others");
    });
}

#[test]
fn what_the_stack_sends_goes_where_a_station_is_known_and_else_everywhere() {
    with_lan(3, 16, |lan| {
        lan.talk(1, 1, 9);
        assert!(send(lan, station(1), 60));
        assert_eq!(sent(lan), [0, 1, 0]);
        assert!(send(lan, station(2), 60) && send(lan, EVERYBODY, 60));
        assert_eq!(sent(lan), [2, 2, 2]);
        assert_eq!(lan.count(), 1, "nothing is learned of ourselves");
        assert!(send(lan, [1, 0x80, 0xc2, 0, 0, 0], 60) && send(lan, OWN, 60));
        assert_eq!((sent(lan), lan.bridge.local_stats().drops(DropReason::NotForwarded)), (vec![0, 0, 0], 2));
    });
}

#[test]
fn a_frame_of_the_stacks_waits_for_a_busy_port_but_not_for_ever() {
    with_lan(2, 16, |lan| {
        lan.talk(1, 1, 9);
        lan.cables.iter().for_each(|cable| drop(cable.take()));
        lan.cables[1].with(|state| state.room = 0);
        assert!((0..4).all(|_| send(lan, station(1), FRAME_LEN)));
        assert!(!send(lan, station(1), FRAME_LEN), "no token");
        assert_eq!(lan.bridge.poll_at(lan.now), Some(lan.now + Duration::from_millis(1)));
        lan.cables[1].with(|state| state.room = 2);
        assert!(send(lan, station(1), FRAME_LEN));
        assert_eq!((sent(lan), lan.drops(1, DropReason::DeviceBusy)), (vec![0, 2], 0));
        lan.now += Duration::from_millis(config::BRIDGE_MAX_WAIT);
        lan.poll();
        assert_eq!((lan.bridge.poll_at(lan.now), lan.drops(1, DropReason::DeviceBusy)), (None, 3));
        // What is for several waits for none of them.
        assert!(send(lan, EVERYBODY, 60));
        assert_eq!((sent(lan), lan.drops(1, DropReason::DeviceBusy)), (vec![1, 0], 4));
    });
}

#[test]
fn a_stack_that_is_slow_loses_frames_and_the_ports_do_not() {
    with_lan(2, 16, |lan| {
        for _ in 0..6 {
            assert_eq!(lan.hear(0, frame(EVERYBODY, station(1), FRAME_LEN)), [1]);
        }
        assert_eq!(lan.bridge.local_stats().drops(DropReason::QueueFull), 2);
        assert_eq!(lan.handed_up().len(), 4);
        lan.cables[0].put(frame(OWN, station(1), 4 * FRAME_LEN + 1));
        lan.poll();
        assert_eq!(lan.handed_up().len(), 0);
        assert_eq!(lan.bridge.local_stats().drops(DropReason::TooBig), 1);
    });
}

#[test]
fn others_frames_pass_while_the_stack_receives_its_own_a_burst_at_a_time() {
    with_lan(2, 16, |lan| {
        for _ in 0..config::BRIDGE_BURST + 10 {
            lan.cables[0].put(frame(station(9), station(1), 60));
        }
        lan.cables[0].put(frame(OWN, station(1), 61));
        assert_eq!(receive(lan), None);
        assert_eq!(sent(lan), [0, config::BRIDGE_BURST]);
        assert_eq!(lan.bridge.poll_at(lan.now), Some(lan.now), "more waits");
        assert_eq!(receive(lan).map(|octets| octets.len()), Some(61));
        assert_eq!(sent(lan), [0, 10]);
        assert_eq!((receive(lan), lan.bridge.poll_at(lan.now)), (None, None));
    });
}

#[test]
fn the_bridge_is_a_device_like_any_other() {
    with_lan(2, 16, |lan| {
        assert_eq!(lan.bridge.hardware_address(), crate::phy::HardwareAddress::Ethernet(OWN));
        assert_eq!(lan.bridge.capabilities(), DeviceCapabilities::new(Medium::Ethernet, FRAME_LEN));
        assert!(lan.bridge.link().up);
        lan.cables.iter().for_each(|cable| cable.with(|state| state.link = LinkState::DOWN));
        lan.poll();
        assert!(!lan.bridge.link().up);
    });
}

/// Without places in the queue nothing is handed up, and what is for the bridge itself has no taker.
#[test]
fn a_bridge_without_a_stack_only_bridges() {
    let cables = [Cable::new(), Cable::new()];
    let mut devices = cables.clone();
    let storage = Storage {
        ports: vec![Port::VACANT, Port::VACANT].into(),
        entries: vec![Entry::EMPTY; 8].into(),
        up: PacketBuffer::new(vec![], vec![]),
        down: PacketBuffer::new(vec![], vec![]),
    };
    let mut bridge = Bridge::new(Config::new(EthernetAddress(OWN), Keys::new([7; 32])), storage);
    for device in &mut devices {
        bridge.add_port(Instant::ZERO, device).unwrap();
    }
    cables[0].put(frame(EVERYBODY, station(1), 60));
    cables[0].put(frame(OWN, station(1), 60));
    bridge.poll(Instant::ZERO, Budget::default());
    assert_eq!(cables[1].take().len(), 1);
    assert_eq!(bridge.ports()[0].stats().drops(DropReason::NotForwarded), 1);
    assert!(bridge.transmit(Instant::ZERO).is_none() && bridge.receive(Instant::ZERO).is_none());
}

/// A whole stack on the bridge answers a ping that came by a port, by that port.
#[cfg(feature = "proto-ipv4")]
#[test]
fn an_interface_on_the_bridge_answers_by_the_port_where_the_asker_is() {
    use crate::iface::{Config as InterfaceConfig, Interface, SocketSet};
    use crate::wire::{IpAddress, IpCidr};
    with_lan(2, 16, |lan| {
        let config = InterfaceConfig::new(lan.bridge.hardware_address());
        let mut iface = Interface::new(config, &mut lan.bridge, lan.now);
        iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
        let mut sockets = SocketSet::with_capacity(1, Keys::new([1; 32]));
        let poll = |lan: &mut Lan<'_, '_>, iface: &mut Interface<'_>, sockets: &mut SocketSet<'_>| {
            iface.poll(lan.now, &mut lan.bridge, sockets);
            lan.cables.iter().map(Cable::take).collect::<Vec<_>>()
        };
        poll(lan, &mut iface, &mut sockets);
        let mut who_has = frame(EVERYBODY, station(1), 14);
        who_has[12..14].copy_from_slice(&[8, 6]);
        who_has.extend([0, 1, 8, 0, 6, 4, 0, 1]);
        who_has.extend(station(1));
        who_has.extend([10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
        lan.cables[1].put(who_has.clone());
        let sent = poll(lan, &mut iface, &mut sockets);
        assert_eq!(sent[0], [who_has], "the question is flooded");
        let [answer] = &sent[1][..] else { panic!("one answer") };
        assert_eq!(answer[..14], [&station(1)[..], &OWN, &[8, 6]].concat());
        assert_eq!(answer[20..32], [&[0, 2][..], &OWN, &[10, 0, 0, 1]].concat());
    });
}
