//! Listeners at ranges of ports and at all of them: who gets a request, and who can't listen.

use core::ops::RangeInclusive;

use super::net::*;
use crate::iface::SocketHandle;
use crate::socket::Events;
use crate::socket::tcp::{HalfOpen, ListenError, ListenRange, Listener, Socket};
use crate::storage::SocketBuffer;
use crate::wire::tcp::Flags;
use crate::wire::{IpAddress, IpListenEndpoint};

const OURS: IpAddress = IpAddress::v4(10, 0, 0, 1);
const OTHER_IP: [u8; 4] = [10, 0, 0, 9];

fn listener() -> Listener<'static> {
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 8]);
    listener.set_buffers(1_000, 1_000, 100);
    listener
}

fn listen(net: &mut Net, endpoint: impl Into<ListenRange>) -> Result<SocketHandle, ListenError> {
    let handle = net.sockets.add(listener());
    let result = net.sockets.listen(handle, endpoint).map(|()| handle);
    if result.is_err() {
        net.sockets.remove(handle);
    }
    result
}

/// Who answers a request to this end.
fn asked(net: &mut Net, dst: [u8; 4], port: u16) -> Option<SocketHandle> {
    let counts = |net: &Net| -> Vec<_> {
        net.sockets
            .iter()
            .filter_map(|(handle, _)| Some((handle, net.sockets.try_get::<Listener>(handle).ok()?)))
            .map(|(handle, listener)| (handle, listener.half_open_count()))
            .collect()
    };
    let before = counts(net);
    let answers = net.exchange(tcp4(PEER_IP, dst, (4_000, port), (100, 0), Flags::SYN, &[], &[]));
    let is_refused = Flags::from_bits_retain(answers[0][33]).contains(Flags::RST);
    let after = counts(net);
    let who = before.into_iter().zip(after).find(|(a, b)| b.1 > a.1).map(|(a, _)| a.0);
    assert_eq!(who.is_none(), is_refused);
    // As if nobody had asked.
    net.exchange(tcp4(PEER_IP, dst, (4_000, port), (101, 0), Flags::RST, &[], &[]));
    who
}

#[test]
fn a_range_takes_requests_to_its_ports_and_no_others() {
    let mut net = Net::ip();
    let range = listen(&mut net, 8_000..=8_009).unwrap();
    for (port, who) in
        [(7_999, None), (8_000, Some(range)), (8_005, Some(range)), (8_009, Some(range)), (8_010, None)]
    {
        assert_eq!(asked(&mut net, OUR_IP, port), who, "{port}");
    }
    let listener = net.sockets.get::<Listener>(range);
    assert_eq!(listener.listen_ports(), Some(8_000..=8_009));
    assert_eq!(listener.listen_endpoint(), Some(8_000.into()));
    net.sockets.get_mut::<Listener>(range).close();
    assert_eq!(net.sockets.get::<Listener>(range).listen_ports(), None);
    assert_eq!(asked(&mut net, OUR_IP, 8_005), None);
}

#[test]
fn fewer_ports_are_asked_before_more_and_an_address_before_any() {
    let mut net = Net::ip();
    net.iface.set_any_ip(true);
    // In an order in which neither the first nor the last to come would do.
    let wide = listen(&mut net, 1_000..=1_999).unwrap();
    let one = listen(&mut net, 1_500).unwrap();
    let all = listen(&mut net, ..).unwrap();
    let ours = listen(&mut net, (OURS, 1_400..=1_599)).unwrap();
    let narrow = listen(&mut net, 1_450..=1_549).unwrap();
    let cases = [
        (OUR_IP, 1_500, one),
        (OUR_IP, 1_499, narrow),
        (OUR_IP, 1_449, ours),
        (OTHER_IP, 1_449, wide),
        (OUR_IP, 1_399, wide),
        (OUR_IP, 999, all),
        (OTHER_IP, 1, all),
        (OTHER_IP, 65_535, all),
    ];
    for (dst, port, who) in cases {
        assert_eq!(asked(&mut net, dst, port), Some(who), "{dst:?}:{port}");
    }
    // Who goes leaves his ports to the next.
    net.sockets.remove(one);
    assert_eq!(asked(&mut net, OUR_IP, 1_500), Some(narrow));
    net.sockets.get_mut::<Listener>(narrow).close();
    assert_eq!(asked(&mut net, OUR_IP, 1_500), Some(ours));
}

/// Sockets that listen for one connection may share a port, whoever came first.
#[test]
fn of_sockets_at_one_port_the_one_with_the_address_is_asked_first() {
    for is_first in [true, false] {
        let mut net = Net::ip();
        let mut handles = [0; 2].map(|_| {
            let buffer = || SocketBuffer::new(vec![0; 100]);
            net.sockets.add(Socket::new(buffer(), buffer()))
        });
        let ends: [ListenRange; 2] =
            if is_first { [(OURS, 80).into(), 80.into()] } else { [80.into(), (OURS, 80).into()] };
        for (handle, end) in handles.into_iter().zip(ends) {
            net.sockets.listen(handle, end).unwrap();
        }
        if !is_first {
            handles.reverse();
        }
        net.exchange(tcp4(PEER_IP, OUR_IP, (4_000, 80), (100, 0), Flags::SYN, &[], &[]));
        let listens = handles.map(|handle| net.sockets.get::<Socket>(handle).is_listening());
        assert_eq!(listens, [false, true]);
    }
}

#[test]
fn ranges_that_neither_lies_within_are_refused_if_they_have_as_many_ports() {
    let mut net = Net::ip();
    listen(&mut net, 1_000..=1_099).unwrap();
    for ports in [1_000..=1_099, 1_099..=1_198, 901..=1_000] {
        assert_eq!(listen(&mut net, ports.clone()), Err(ListenError::PortInUse), "{ports:?}");
        // As with one port, any address is this one, too.
        assert_eq!(listen(&mut net, (OURS, ports)), Err(ListenError::PortInUse));
    }
    for ports in [1_100..=1_199, 900..=999, 1_000..=1_098, 1_000..=1_100, 1_050..=1_050] {
        assert!(listen(&mut net, ports.clone()).is_ok(), "{ports:?}");
    }
    assert_eq!(listen(&mut net, 1_050), Err(ListenError::PortInUse), "a range of one port is that port");
    listen(&mut net, (OURS, 5_000..=5_009)).unwrap();
    assert!(listen(&mut net, (IpAddress::v4(10, 0, 0, 7), 5_000..=5_009)).is_ok(), "another address");
    listen(&mut net, ..).unwrap();
    assert_eq!(listen(&mut net, 1..=u16::MAX), Err(ListenError::PortInUse));
}

#[test]
fn a_conflict_that_shows_in_the_next_poll_is_an_event() {
    let mut net = Net::ip();
    listen(&mut net, 1_000..=1_099).unwrap();
    let mut second = listener();
    second.listen(1_050..=1_149).unwrap();
    let second = net.sockets.add(second);
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), Some(net.now));
    net.poll();
    assert_eq!(net.sockets.next_ready(), Some((second, Events::ERROR)));
    assert!(!net.sockets.get::<Listener>(second).is_listening());
    // One that has none is filed, and served.
    let mut third = listener();
    third.listen(2_000..=2_099).unwrap();
    let third = net.sockets.add(third);
    assert_eq!(asked(&mut net, OUR_IP, 2_001), Some(third));
}

#[test]
fn no_port_is_no_range() {
    let mut net = Net::ip();
    #[allow(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let wrong: [RangeInclusive<u16>; 4] = [0..=0, 0..=u16::MAX, 5..=4, u16::MAX..=1];
    for ports in wrong {
        assert_eq!(listen(&mut net, ports), Err(ListenError::Unaddressable));
    }
    let buffer = || SocketBuffer::new(vec![0; 100]);
    let socket = net.sockets.add(Socket::new(buffer(), buffer()));
    assert_eq!(
        net.sockets.listen(socket, 80..=81),
        Err(ListenError::Unaddressable),
        "it takes one connection"
    );
    assert!(net.sockets.listen(socket, 80..=80).is_ok());
}

#[test]
fn what_makes_an_endpoint_makes_a_range() {
    let one = ListenRange { addr: None, ports: 80..=80 };
    let same = [ListenRange::from(80), IpListenEndpoint::from(80).into(), (80..=80).into()];
    assert_eq!(same, [one.clone(), one.clone(), one]);
    let any = IpAddress::v4(0, 0, 0, 0);
    assert_eq!(ListenRange::from(..), ListenRange { addr: None, ports: 1..=65_535 });
    assert_eq!(ListenRange::from((any, 1..=9)), (1..=9).into());
    assert_eq!(ListenRange::from((OURS, ..)), ListenRange { addr: Some(OURS), ports: 1..=65_535 });
    assert_eq!(ListenRange::from((OURS, 9)), (OURS, 9..=9).into());
}

/// Covers: RFC 9293 MUST-41, MUST-42
#[test]
fn a_transparent_proxy_takes_connections_to_any_end_and_sees_which() {
    let mut net = Net::ip();
    net.iface.set_any_ip(true);
    let proxy = listen(&mut net, ..).unwrap();
    let ends = [([203, 0, 113, 5], 443), (OUR_IP, 80), ([8, 8, 8, 8], 53)];
    for (number, &(dst, port)) in ends.iter().enumerate() {
        let ports = (5_000 + number as u16, port);
        let answer = net.exchange(tcp4(PEER_IP, dst, ports, (100, 0), Flags::SYN, &[], &[])).remove(0);
        assert_eq!(answer[12..16], dst, "the answer is from whom the client has asked");
        let iss = u32::from_be_bytes(answer[24..28].try_into().unwrap());
        net.exchange(tcp4(PEER_IP, dst, ports, (101, iss + 1), Flags::ACK, &[], b"hello"));
        let socket = net.sockets.accept(proxy).unwrap();
        let socket = net.sockets.get_mut::<Socket>(socket);
        assert_eq!(socket.local_endpoint(), Some((crate::wire::Ipv4Address::from(dst), port).into()));
        assert_eq!(socket.recv_slice(&mut [0; 9]), Ok(5));
    }
}
