//! What sockets of each kind are told of the port that something came by and of the time that it did, and by which port
//! they send: a router of two, `forward`'s.

use super::forward::*;
use super::net::*;
use crate::iface::SocketHandle;
use crate::phy::RxMeta;
use crate::socket::{icmp, raw, udp};
use crate::time::Duration;
use crate::wire::{EtherType, IpAddress, IpEndpoint, IpProtocol, IpVersion};

/// Whose address both ports' links have.
const LINK_LOCAL: IpAddress = IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const LINK_LOCAL_OCTETS: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const OUR_LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// Of an experiment, for raw IP and raw Ethernet.
const PROTOCOL: IpProtocol = IpProtocol(253);
const ETHER_TYPE: EtherType = EtherType(0x88b5);

fn datagrams() -> udp::PacketBuffer<'static> {
    udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 400])
}

fn packets() -> raw::PacketBuffer<'static> {
    raw::PacketBuffer::new(vec![raw::PacketMetadata::EMPTY; 4], vec![0; 400])
}

/// A socket of each kind: UDP's port 7, echo's identifier 7, the protocol and the type of experiments.
struct Sockets {
    net: Routed,
    udp: SocketHandle,
    icmp: SocketHandle,
    raw: SocketHandle,
    frames: SocketHandle,
}

impl Sockets {
    fn new() -> Sockets {
        let mut net = Routed::new();
        let sockets = &mut net.sockets;
        let udp = sockets.add(udp::Socket::new(datagrams(), datagrams()));
        sockets.bind(udp, 7).unwrap();
        let icmp = sockets.add(icmp::Socket::new(datagrams(), datagrams()));
        sockets.get_mut::<icmp::Socket>(icmp).bind(icmp::Endpoint::Ident(7)).unwrap();
        let raw = sockets.add(raw::Socket::new(IpVersion::Ipv6, PROTOCOL, packets(), packets()));
        let frames = sockets.add(raw::Socket::ethernet(ETHER_TYPE, packets(), packets()));
        net.poll();
        Sockets { net, udp, icmp, raw, frames }
    }

    /// Something for each of them comes in by a port.
    fn receive(&mut self, port: usize) {
        let (src, dst) = (LINK_LOCAL_OCTETS, OUR_LINK_LOCAL);
        let reply = icmp6(src, dst, 64, vec![129, 0, 0, 0, 0, 7, 0, 1]);
        for packet in [udp6((src, 9), (dst, 7), 64, b"x"), reply, ipv6(src, dst, PROTOCOL.0, 64, b"x")] {
            self.net.receive(port, frame(port, EtherType::IPV6.0, &packet));
        }
        self.net.receive(port, frame(port, ETHER_TYPE.0, b"x"));
    }

    /// Interface and time of what each of them has received last.
    fn heard(&mut self) -> [(Option<u8>, u64); 4] {
        let sockets = &mut self.net.sockets;
        let udp = sockets.get_mut::<udp::Socket>(self.udp).recv().unwrap().1;
        assert_eq!(udp.endpoint.zone, Some(udp.received.interface), "the zone of who sent it");
        let icmp = sockets.get_mut::<icmp::Socket>(self.icmp).recv().unwrap().1;
        assert_eq!(icmp.zone, Some(icmp.received.interface));
        let [udp, icmp] = [udp.received, icmp.received].map(|meta| (Some(meta.interface), meta.timestamp));
        let [raw, frames] = [self.raw, self.frames].map(|handle| {
            let meta = sockets.get_mut::<raw::Socket>(handle).recv().unwrap().1;
            (meta.interface, meta.timestamp)
        });
        [udp, icmp, raw, frames]
    }

    /// How many frames have left by each port.
    fn left(&mut self) -> [usize; 2] {
        self.net.poll();
        self.net.sent().map(|frames| frames.len())
    }
}

/// Covers: RFC 1122 §4.1.3.5
#[test]
fn sockets_hear_by_which_port_and_when_something_came() {
    let mut sockets = Sockets::new();
    for (port, millis) in [(1, 0), (0, 7)] {
        sockets.net.now += Duration::from_millis(millis);
        sockets.receive(port);
        let polled_at = sockets.net.now.total_micros() as u64 * 1_000;
        assert_eq!(sockets.heard(), [(Some(port as u8), polled_at); 4], "the device says nothing");
        sockets.net.wires[port].meta = RxMeta { timestamp: 77, ..RxMeta::default() };
        sockets.receive(port);
        assert_eq!(sockets.heard(), [(Some(port as u8), 77); 4], "the device's own time");
    }
}

/// Covers: RFC 4007 §6, §9
#[test]
fn sockets_send_by_the_port_that_they_name() {
    let mut sockets = Sockets::new();
    for port in [1, 0] {
        let only = [1 - usize::from(port), usize::from(port)];
        // The neighbour answers, so that it need not be asked for.
        let body =
            [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &LINK_LOCAL_OCTETS, &[2, 1, 2, 0, 0, 0, port, 2]].concat();
        let advert = icmp6(LINK_LOCAL_OCTETS, OUR_LINK_LOCAL, 255, body);
        let set = &mut sockets.net.sockets;
        let remote = IpEndpoint { zone: Some(port), ..IpEndpoint::new(LINK_LOCAL, 9) };
        set.get_mut::<udp::Socket>(sockets.udp).send_slice(b"x", remote).unwrap();
        assert_eq!(sockets.left(), only, "the question for the neighbour");
        sockets.net.receive(port.into(), frame(port.into(), EtherType::IPV6.0, &advert));
        assert_eq!(sockets.left(), only, "UDP");

        let socket = sockets.net.sockets.get_mut::<icmp::Socket>(sockets.icmp);
        let meta = icmp::Metadata { zone: Some(port), ..icmp::Metadata::new(LINK_LOCAL) };
        socket.send_slice(&[128, 0, 0, 0, 0, 7, 0, 1], meta).unwrap();
        assert_eq!(sockets.left(), only, "ICMP");

        let packet = ipv6([0; 16], LINK_LOCAL_OCTETS, PROTOCOL.0, 64, b"x");
        let by_port = raw::Metadata::by_interface(port);
        let socket = sockets.net.sockets.get_mut::<raw::Socket>(sockets.raw);
        socket.send_slice(&packet, by_port).unwrap();
        assert_eq!(sockets.left(), only, "raw IP");

        let socket = sockets.net.sockets.get_mut::<raw::Socket>(sockets.frames);
        socket.send_slice(&frame(0, ETHER_TYPE.0, b"x"), by_port).unwrap();
        assert_eq!(sockets.left(), only, "raw Ethernet");

        let socket = sockets.net.sockets.get_mut::<udp::Socket>(sockets.udp);
        socket.set_multicast_interface(Some(port));
        for group in [IpAddress::v4(224, 0, 0, 251), IpAddress::v6(0xff02, 0, 0, 0, 0, 0, 0, 0xfb)] {
            let socket = sockets.net.sockets.get_mut::<udp::Socket>(sockets.udp);
            socket.send_slice(b"x", (group, 5_353)).unwrap();
            assert_eq!(sockets.left(), only, "{group}");
        }
    }
}
