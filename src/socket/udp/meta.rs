//! What comes with each datagram, and goes out with it (feature `udp-metadata`).

use super::{Received, Socket};
use crate::config;
use crate::wire::Addr;

/// In place of the interface of a datagram to be sent.
const LOOPS: u8 = 1;
const UNSUMMED: u8 = 2;

/// What is kept beside a datagram, but for its peer: of one to be sent, what it goes out with, and in place of the
/// interface whether the copy for ourselves is wanted and whether it has no checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta(Received);

impl Meta {
    /// Of a received datagram.
    #[inline]
    pub(crate) fn received(interface: usize, hop_limit: u8, packet: &[u8], timestamp: u64) -> Meta {
        let first_two = packet.first_chunk().map_or(0, |octets| u16::from_be_bytes(*octets));
        // In an IPv4 packet the second octet, in an IPv6 packet the octet after the first four bits.
        let shift = if first_two >> 12 == 4 { 0 } else { 4 };
        let traffic_class = (first_two >> shift) as u8;
        Meta(Received { interface: interface as u8, hop_limit, traffic_class, timestamp })
    }

    #[inline]
    pub(crate) fn hop_limit(&self, _socket: Option<u8>) -> u8 {
        self.0.hop_limit
    }

    #[inline]
    pub(crate) fn traffic_class(&self) -> u8 {
        self.0.traffic_class
    }

    /// Whether what is sent to a group goes to those of us, too, who are in it.
    #[inline]
    pub(crate) fn loops(&self) -> bool {
        self.0.interface & LOOPS != 0
    }

    /// Whether it goes without a checksum.
    #[inline]
    pub(crate) fn unsummed(&self) -> bool {
        self.0.interface & UNSUMMED != 0
    }

    /// Of what is sent where only the hop limit is chosen.
    #[cfg(feature = "socket-icmp")]
    pub(crate) fn to_send(hop_limit: Option<u8>) -> Meta {
        let hop_limit = hop_limit.unwrap_or(config::DEFAULT_HOP_LIMIT);
        Meta(Received { hop_limit, ..Received::NOTHING })
    }

    /// For the application.
    #[inline]
    pub(crate) fn told(&self) -> Received {
        self.0
    }
}

/// What datagrams are sent with.
#[derive(Debug)]
pub(crate) struct Settings {
    traffic_class: u8,
    multicast_hop_limit: u8,
    /// The port that groups are reached by, plus one; 0: the route says.
    multicast_zone: u8,
    multicast_loops: bool,
    unsummed: bool,
}

impl Settings {
    /// RFC 1112 §6.1: a group is reached on the own link only, unless the application says otherwise.
    pub(super) const DEFAULT: Settings = Settings {
        traffic_class: 0,
        multicast_hop_limit: 1,
        multicast_zone: 0,
        multicast_loops: true,
        unsummed: false,
    };

    /// What a datagram to `remote` that is queued now goes out with, and the zone of a remote end that none
    /// was given for.
    #[inline]
    pub(super) fn meta_for(&self, remote: &Addr, hop_limit: Option<u8>) -> (Meta, u8) {
        let (hop_limit, zone) = if remote.is_multicast() {
            (self.multicast_hop_limit, self.multicast_zone)
        } else {
            (hop_limit.unwrap_or(config::DEFAULT_HOP_LIMIT), 0)
        };
        let mut interface = if self.multicast_loops { LOOPS } else { 0 };
        if self.unsummed && remote.is_v4() {
            interface |= UNSUMMED;
        }
        let traffic_class = self.traffic_class;
        (Meta(Received { interface, hop_limit, traffic_class, timestamp: 0 }), zone)
    }
}

impl Socket<'_> {
    /// DSCP and ECN of what is sent from now on (RFC 1122 §4.1.4); 0 unless set.
    pub fn set_traffic_class(&mut self, traffic_class: u8) {
        self.settings.traffic_class = traffic_class;
    }

    /// Whether what is sent over IPv4 from now on has a checksum: yes, unless set (RFC 1122 §4.1.3.4). Without one nobody
    /// notices what a link or a router has changed; it saves a pass over the data where no device computes it. Over IPv6 there
    /// always is one (RFC 8200 §8.1), and UDP-Lite has its own choice.
    pub fn set_checksum_enabled(&mut self, is_enabled: bool) {
        self.settings.unsummed = !is_enabled;
    }

    /// How far what is sent to groups from now on may go; 1, this link only, unless set (RFC 1112 §6.1). 0 is
    /// taken as 1.
    pub fn set_multicast_hop_limit(&mut self, hop_limit: u8) {
        self.settings.multicast_hop_limit = hop_limit.max(1);
    }

    /// By which interface, named by its place in the `Router`, groups are reached from now on; `None` lets
    /// the route decide. A zone in the destination has precedence.
    pub fn set_multicast_interface(&mut self, interface: Option<u8>) {
        self.settings.multicast_zone = interface.map_or(0, |port| port.saturating_add(1));
    }

    /// Whether what is sent to groups from now on reaches those of our own sockets, too, that hear of them at the
    /// interface that it leaves by (`IP_MULTICAST_LOOP` and `IPV6_MULTICAST_LOOP`): yes, unless set. If the sender
    /// itself is one it hears itself.
    ///
    /// The copy waits in the interface's pool until the poll takes it in, and is dropped if there is no room. What
    /// is sent to a broadcast address always reaches our own sockets.
    #[cfg(feature = "iface-loopback")]
    pub fn set_multicast_loop(&mut self, loops: bool) {
        self.settings.multicast_loops = loops;
    }
}
