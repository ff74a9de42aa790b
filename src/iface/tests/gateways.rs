//! Gateways that fall silent, and others in their place.
//!
//! We are 10.0.0.1/24 and fd00::1/64 on Ethernet; the gateways are 10.0.0.8 or fd00::8, which is better, and
//! 10.0.0.9 or fd00::9.

use super::family::*;
use super::net::*;
use super::udp::socket;
use crate::iface::{Route, SocketHandle};
use crate::phy::LinkState;
use crate::socket::udp;
use crate::time::Duration;
use crate::wire::{IpAddress, IpCidr, IpEndpoint};

const FIRST: u8 = 8;
const SECOND: u8 = 9;

struct Host {
    family: Family,
    net: Net,
    handle: SocketHandle,
}

impl Host {
    fn new(family: Family) -> Host {
        let mut net = Net::ethernet();
        let handle = net.sockets.add(socket());
        net.sockets.bind(handle, 9_000).unwrap();
        let mut host = Host { family, net, handle };
        let everything = if family.is_v4() { "0.0.0.0" } else { "::" };
        host.add_route(everything, 0, FIRST, 0);
        host.add_route(everything, 0, SECOND, 1);
        host
    }

    fn add_route(&mut self, network: &str, prefix_len: u8, gateway: u8, metric: u16) {
        let network = IpCidr::new(network.parse().unwrap(), prefix_len);
        let route = Route::new(network, Some(self.family.host(gateway))).unwrap();
        self.net.iface.routes_mut().add(route.with_metric(metric)).unwrap();
    }

    /// A host behind the gateways: of 192.0.2.0/24 or 2001:db8::/64, or elsewhere.
    fn far(&self, is_elsewhere: bool) -> IpAddress {
        let [v4, v6] =
            if is_elsewhere { ["198.51.100.1", "2001:db8:9::1"] } else { ["192.0.2.1", "2001:db8::1"] };
        if self.family.is_v4() { v4 } else { v6 }.parse().unwrap()
    }

    /// Who is asked for, or whose hardware address is written to, for a datagram to `dst`: the last octet of
    /// both is the same.
    fn hop_to(&mut self, dst: IpAddress) -> u8 {
        self.net.sent();
        let to = IpEndpoint::new(dst, 7);
        self.net.sockets.get_mut::<udp::Socket>(self.handle).send_slice(b"x", to).unwrap();
        self.net.poll();
        let sent = self.net.sent();
        let frame = sent.last().expect("a question or a datagram");
        match (frame[12], frame[13], frame[20], frame[54.min(frame.len() - 1)]) {
            (8, 6, ..) => frame[41],
            (0x86, 0xdd, 58, 135) => frame[77],
            _ => frame[5],
        }
    }

    /// The same for the host in the network behind the gateways.
    fn next_hop(&mut self) -> u8 {
        self.hop_to(self.far(false))
    }

    /// The gateway asks for us.
    fn hear(&mut self, gateway: u8) {
        let question = self.family.ask(gateway);
        assert!(!self.net.exchange(question).is_empty(), "the answer");
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
    for family in FAMILIES {
        let mut host = Host::new(family);
        host.hear(FIRST);
        // Over IPv6 our answer is sent to it as anything is, and so it would be probed as well (RFC 4861 §7.3.3).
        if family.is_v4() {
            host.hear(SECOND);
        }
        assert_eq!(host.next_hop(), FIRST);
        host.wait(7);
        assert_eq!(host.next_hop(), FIRST, "it is probed, but used");
        host.wait(4);
        assert_eq!(host.next_hop(), SECOND);
        host.hear(SECOND);
        assert_eq!(host.hop_to(host.far(true)), SECOND);
        host.hear(FIRST);
        assert_eq!(host.next_hop(), FIRST);
    }
}

/// Covers: RFC 1122 §3.3.1.4a
#[test]
fn a_gateway_that_was_never_there_gives_way_and_is_tried_again_after_ten_minutes() {
    for family in FAMILIES {
        let mut host = Host::new(family);
        assert_eq!(host.next_hop(), FIRST);
        host.wait(4);
        assert_eq!(host.next_hop(), SECOND);
        host.hear(SECOND);
        host.wait(590);
        host.hear(SECOND);
        assert_eq!(host.next_hop(), SECOND);
        host.wait(10);
        assert_eq!(host.next_hop(), FIRST);
    }
}

#[test]
fn where_no_gateway_answers_the_best_is_asked_again() {
    for family in FAMILIES {
        let mut host = Host::new(family);
        for expected in [FIRST, SECOND, FIRST, FIRST] {
            assert_eq!(host.next_hop(), expected);
            host.wait(4);
        }
    }
}

/// A tunnel's traffic, say, must not leave beside it.
#[test]
fn a_route_to_a_wider_network_takes_nothing_over() {
    for (family, (network, prefix_len)) in FAMILIES.into_iter().zip([("192.0.2.0", 24), ("2001:db8::", 64)]) {
        let mut host = Host::new(family);
        host.add_route(network, prefix_len, 7, 0);
        assert_eq!(host.next_hop(), 7);
        host.wait(4);
        assert_eq!(host.next_hop(), 7);
        host.wait(4);
        host.add_route(network, prefix_len, SECOND, 9);
        assert_eq!(host.next_hop(), SECOND, "but another to the same network does");
    }
}

#[test]
fn on_a_new_link_every_gateway_is_as_good_as_it_was() {
    for family in FAMILIES {
        let mut host = Host::new(family);
        host.next_hop();
        host.wait(4);
        assert_eq!(host.next_hop(), SECOND);
        for link in [LinkState::DOWN, LinkState::UP] {
            host.net.wire.link = link;
            host.net.poll();
        }
        assert_eq!(host.next_hop(), FIRST);
    }
}
