//! Gateways that fall silent, and others in their place.
//!
//! We are 10.0.0.1/24 on Ethernet; the gateways are 10.0.0.8, which is better, and 10.0.0.9.

use super::net::*;
use super::udp::socket;
use crate::iface::{Route, SocketHandle};
use crate::phy::LinkState;
use crate::socket::udp;
use crate::time::Duration;
use crate::wire::IpCidr;

const FIRST: [u8; 4] = [10, 0, 0, 8];
const SECOND: [u8; 4] = [10, 0, 0, 9];

struct Host {
    net: Net,
    handle: SocketHandle,
}

impl Host {
    fn new() -> Host {
        let mut net = Net::ethernet();
        let handle = net.sockets.add(socket());
        net.sockets.bind(handle, 9_000).unwrap();
        let mut host = Host { net, handle };
        host.add_route("0.0.0.0", 0, "10.0.0.8", 0);
        host.add_route("0.0.0.0", 0, "10.0.0.9", 1);
        host
    }

    fn add_route(&mut self, network: &str, prefix_len: u8, gateway: &str, metric: u16) {
        let network = IpCidr::new(network.parse().unwrap(), prefix_len);
        let route = Route::new(network, Some(gateway.parse().unwrap())).unwrap();
        self.net.iface.routes_mut().add(route.with_metric(metric)).unwrap();
    }

    /// Who is asked for, or whose hardware address is written to, for a datagram to `dst`: the last octet of
    /// both is the same.
    fn next_hop(&mut self, dst: &str) -> u8 {
        self.net.sent();
        let to = crate::wire::IpEndpoint::new(dst.parse().unwrap(), 7);
        self.net.sockets.get_mut::<udp::Socket>(self.handle).send_slice(b"x", to).unwrap();
        self.net.poll();
        let sent = self.net.sent();
        let frame = sent.last().expect("a question or a datagram");
        if frame[12..14] == [8, 6] { frame[41] } else { frame[5] }
    }

    /// The gateway asks for us.
    fn hear(&mut self, gateway: [u8; 4]) {
        let mac = [2, 0, 0, 0, 0, gateway[3]];
        self.net.exchange(arp(1, mac, gateway, [0; 6], OUR_IP));
    }

    fn wait(&mut self, secs: u32) {
        for _ in 0..secs * 2 {
            self.net.advance(Duration::from_millis(500));
            self.net.poll();
        }
    }
}

/// Covers: RFC 1122 §3.3.1.4a, RFC 4861 §6.3.6
#[test]
fn a_gateway_that_falls_silent_gives_way_to_another_until_it_is_heard_of() {
    let mut host = Host::new();
    host.hear(FIRST);
    host.hear(SECOND);
    assert_eq!(host.next_hop("192.0.2.1"), 8);
    host.wait(7);
    assert_eq!(host.next_hop("192.0.2.1"), 8, "it is probed, but used");
    host.wait(4);
    assert_eq!(host.next_hop("192.0.2.1"), 9);
    assert_eq!(host.next_hop("198.51.100.1"), 9);
    host.hear(FIRST);
    assert_eq!(host.next_hop("192.0.2.1"), 8);
}

/// Covers: RFC 1122 §3.3.1.4a
#[test]
fn a_gateway_that_was_never_there_gives_way_and_is_tried_again_after_ten_minutes() {
    let mut host = Host::new();
    assert_eq!(host.next_hop("192.0.2.1"), 8);
    host.wait(4);
    assert_eq!(host.next_hop("192.0.2.1"), 9);
    host.hear(SECOND);
    host.wait(590);
    host.hear(SECOND);
    assert_eq!(host.next_hop("192.0.2.1"), 9);
    host.wait(10);
    assert_eq!(host.next_hop("192.0.2.1"), 8);
}

#[test]
fn where_no_gateway_answers_the_best_is_asked_again() {
    let mut host = Host::new();
    for expected in [8, 9, 8, 8] {
        assert_eq!(host.next_hop("192.0.2.1"), expected);
        host.wait(4);
    }
}

/// A tunnel's traffic, say, must not leave beside it.
#[test]
fn a_route_to_a_wider_network_takes_nothing_over() {
    let mut host = Host::new();
    host.add_route("192.0.2.0", 24, "10.0.0.7", 0);
    assert_eq!(host.next_hop("192.0.2.1"), 7);
    host.wait(4);
    assert_eq!(host.next_hop("192.0.2.1"), 7);
    host.wait(4);
    host.add_route("192.0.2.0", 24, "10.0.0.9", 9);
    assert_eq!(host.next_hop("192.0.2.1"), 9, "but another to the same network does");
}

#[test]
fn on_a_new_link_every_gateway_is_as_good_as_it_was() {
    let mut host = Host::new();
    host.next_hop("192.0.2.1");
    host.wait(4);
    assert_eq!(host.next_hop("192.0.2.1"), 9);
    for link in [LinkState::DOWN, LinkState::UP] {
        host.net.wire.link = link;
        host.net.poll();
    }
    assert_eq!(host.next_hop("192.0.2.1"), 8);
}
