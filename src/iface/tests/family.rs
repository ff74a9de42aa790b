//! Who is who in either family, for tests that run over both.

use super::net::*;
use crate::wire::tcp::Flags;
use crate::wire::{Addr, EtherType, IpAddress, IpVersion};

pub(super) const FAMILIES: [Family; 2] = [Family(IpVersion::Ipv4), Family(IpVersion::Ipv6)];

/// One of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family(pub(super) IpVersion);

impl Family {
    pub(super) fn is_v4(self) -> bool {
        self.0 == IpVersion::Ipv4
    }

    /// A host of our link.
    pub(super) fn host(self, last: u8) -> IpAddress {
        if self.is_v4() {
            IpAddress::v4(10, 0, 0, last)
        } else {
            IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, last.into())
        }
    }

    pub(super) fn ours(self) -> IpAddress {
        self.host(1)
    }

    pub(super) fn peer(self) -> IpAddress {
        self.host(2)
    }

    /// Octets of the IP header.
    pub(super) fn header_len(self) -> usize {
        if self.is_v4() { 20 } else { 40 }
    }

    /// A segment from the peer to us.
    pub(super) fn tcp(
        self,
        ports: (u16, u16),
        numbers: (u32, u32),
        flags: Flags,
        options: &[u8],
        data: &[u8],
    ) -> Vec<u8> {
        tcp(self.peer(), self.ours(), ports, numbers, flags, options, data)
    }

    /// A host of our link asks for us, by which we learn of it: ARP, or a neighbour solicitation.
    pub(super) fn ask(self, last: u8) -> Vec<u8> {
        let mac = [2, 0, 0, 0, 0, last];
        if self.is_v4() {
            arp(1, mac, [10, 0, 0, last], [0; 6], OUR_IP)
        } else {
            ethernet(EtherType::IPV6.0, &solicit(mac, ula(last), ula(1)))
        }
    }

    /// An ICMP message from one host of our link to us.
    pub(super) fn icmp(self, last: u8, message: Vec<u8>) -> Vec<u8> {
        if self.is_v4() {
            icmp4([10, 0, 0, last], OUR_IP, message)
        } else {
            icmp6(ula(last), ula(1), 64, message)
        }
    }
}

/// A packet without checksums of its own, from one address to another.
pub(super) fn ip(src: IpAddress, dst: IpAddress, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (src, dst) {
        (IpAddress::Ipv4(src), IpAddress::Ipv4(dst)) => ipv4(src.octets(), dst.octets(), protocol, payload),
        (IpAddress::Ipv6(src), IpAddress::Ipv6(dst)) => {
            ipv6(src.octets(), dst.octets(), protocol, 64, payload)
        }
        _ => panic!("from one family to the other"),
    }
}

/// A neighbour solicitation to the very host that is asked for.
pub(super) fn solicit(mac: [u8; 6], src: [u8; 16], dst: [u8; 16]) -> Vec<u8> {
    icmp6(src, dst, 255, [&[135, 0, 0, 0, 0, 0, 0, 0][..], &dst, &[1, 1], &mac].concat())
}

/// As [`tcp4`], in a packet of the addresses' family.
pub(super) fn tcp(
    src: IpAddress,
    dst: IpAddress,
    ports: (u16, u16),
    numbers: (u32, u32),
    flags: Flags,
    options: &[u8],
    data: &[u8],
) -> Vec<u8> {
    let addr = |addr: IpAddress| Addr::try_from(addr).unwrap();
    ip(src, dst, 6, &segment(addr(src), addr(dst), ports, numbers, flags, options, data))
}

/// Where the payload of a packet without extension headers begins.
pub(super) fn payload_at(packet: &[u8]) -> usize {
    if packet[0] >> 4 == 4 { 20 } else { 40 }
}

/// Traffic class and hop limit of a packet.
pub(super) fn look(packet: &[u8]) -> (u8, u8) {
    match packet[0] >> 4 {
        4 => (packet[1], packet[8]),
        _ => (packet[0] << 4 | packet[1] >> 4, packet[7]),
    }
}

/// The sequence number of the segment in a packet.
pub(super) fn seq_of(packet: &[u8]) -> u32 {
    let at = payload_at(packet) + 4;
    u32::from_be_bytes(packet[at..at + 4].try_into().unwrap())
}
