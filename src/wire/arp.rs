//! ARP for IPv4 over Ethernet (RFC 826; RFC 5227 for its use in conflict detection).
//!
//! ```text
//!  0                   1                   2                   3
//! |     hardware type (1)         |   protocol type (0x0800)      |
//! |  hlen (6)     |   plen (4)    |          operation            |
//! |                  sender hardware address                      |
//! |  sender hardware (continued)  |     sender IPv4 address       |
//! |  sender IPv4 (continued)      |  target hardware address      |
//! |              target hardware address (continued)              |
//! |                  target IPv4 address                          |
//! ```

use core::fmt;

use super::field::{octets, u16_at};
use super::{Error, EthernetAddress, Ipv4Address, Result};

/// Octets of the packet.
pub const PACKET_LEN: usize = 28;

/// The four fixed fields: Ethernet, IPv4, and the lengths of their addresses.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// What an ARP packet wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation(pub u16);

impl Operation {
    /// Who has the target's protocol address?
    pub const REQUEST: Operation = Operation(1);
    /// The sender has it.
    pub const REPLY: Operation = Operation(2);
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Operation::REQUEST => f.write_str("request"),
            Operation::REPLY => f.write_str("reply"),
            Operation(number) => write!(f, "operation {number}"),
        }
    }
}

/// A packet that is ARP for IPv4 over Ethernet.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a>(&'a [u8; PACKET_LEN]);

impl<'a> Header<'a> {
    /// Reads a packet; Ethernet's padding may follow it.
    ///
    /// `Unsupported` if it is about other addresses than Ethernet's and IPv4's.
    pub fn parse(data: &'a [u8]) -> Result<Header<'a>> {
        let packet = data.first_chunk().ok_or(Error::Truncated)?;
        if *octets::<0, 6, PACKET_LEN>(packet) != ETHERNET_IPV4 {
            return Err(Error::Unsupported);
        }
        Ok(Header(packet))
    }

    /// What the packet wants; others than the two known may come.
    #[inline]
    pub fn operation(&self) -> Operation {
        Operation(u16_at::<6, PACKET_LEN>(self.0))
    }

    /// The sender's link-layer address.
    #[inline]
    pub fn source_hardware(&self) -> &'a [u8; 6] {
        octets::<8, 6, PACKET_LEN>(self.0)
    }

    /// The sender's address; 0.0.0.0 in a probe.
    #[inline]
    pub fn source_protocol(&self) -> &'a [u8; 4] {
        octets::<14, 4, PACKET_LEN>(self.0)
    }

    /// The target's link-layer address; of no meaning in a request.
    #[inline]
    pub fn target_hardware(&self) -> &'a [u8; 6] {
        octets::<18, 6, PACKET_LEN>(self.0)
    }

    /// The address that is asked for.
    #[inline]
    pub fn target_protocol(&self) -> &'a [u8; 4] {
        octets::<24, 4, PACKET_LEN>(self.0)
    }
}

/// One party of a packet: its link-layer and its protocol address.
pub type Party<'a> = (&'a [u8; 6], &'a [u8; 4]);

/// Writes a packet.
pub fn emit(packet: &mut [u8; PACKET_LEN], operation: Operation, source: Party<'_>, target: Party<'_>) {
    let [op_high, op_low] = operation.0.to_be_bytes();
    let ([a, b, c, d, e, f], [g, h, i, j]) = (*source.0, *source.1);
    let ([k, l, m, n, o, p], [q, r, s, t]) = (*target.0, *target.1);
    *packet = [
        0, 1, 8, 0, 6, 4, op_high, op_low, //
        a, b, c, d, e, f, g, h, i, j, //
        k, l, m, n, o, p, q, r, s, t,
    ];
}

packet! {
    /// A packet in a buffer, of Ethernet's and IPv4's addresses.
    Packet, |data| Header::parse(data).map(|_| ())
}

getters! { Packet:
    operation -> Operation;
}

setters! { Packet:
    set_operation(operation: Operation) at 6 = operation.0.to_be_bytes();
    set_source_hardware_addr(addr: EthernetAddress) at 8 = addr.0;
    set_source_protocol_addr(addr: Ipv4Address) at 14 = addr.octets();
    set_target_hardware_addr(addr: EthernetAddress) at 18 = addr.0;
    set_target_protocol_addr(addr: Ipv4Address) at 24 = addr.octets();
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// The sender's link-layer address.
    pub fn source_hardware_addr(&self) -> EthernetAddress {
        EthernetAddress(*self.header().source_hardware())
    }

    /// The sender's address; 0.0.0.0 in a probe.
    pub fn source_protocol_addr(&self) -> Ipv4Address {
        Ipv4Address::from(*self.header().source_protocol())
    }

    /// The target's link-layer address; of no meaning in a request.
    pub fn target_hardware_addr(&self) -> EthernetAddress {
        EthernetAddress(*self.header().target_hardware())
    }

    /// The address that is asked for.
    pub fn target_protocol_addr(&self) -> Ipv4Address {
        Ipv4Address::from(*self.header().target_protocol())
    }
}

/// A request or a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// Request or reply.
    pub operation: Operation,
    /// The sender's link-layer address.
    pub source_hardware_addr: EthernetAddress,
    /// The sender's address; 0.0.0.0 in a probe.
    pub source_protocol_addr: Ipv4Address,
    /// The target's link-layer address; of no meaning in a request.
    pub target_hardware_addr: EthernetAddress,
    /// The address that is asked for.
    pub target_protocol_addr: Ipv4Address,
}

impl Repr {
    /// Reads a packet; `Unsupported` if it is neither request nor reply.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>) -> Result<Repr> {
        packet.check_len()?;
        let operation = packet.operation();
        if !matches!(operation, Operation::REQUEST | Operation::REPLY) {
            return Err(Error::Unsupported);
        }
        Ok(Repr {
            operation,
            source_hardware_addr: packet.source_hardware_addr(),
            source_protocol_addr: packet.source_protocol_addr(),
            target_hardware_addr: packet.target_hardware_addr(),
            target_protocol_addr: packet.target_protocol_addr(),
        })
    }

    /// Octets of the packet.
    pub const fn buffer_len(&self) -> usize {
        PACKET_LEN
    }

    /// Writes the packet.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, packet: &mut Packet<T>) {
        let source = (&self.source_hardware_addr.0, &self.source_protocol_addr.octets());
        let target = (&self.target_hardware_addr.0, &self.target_protocol_addr.octets());
        match packet.buffer.as_mut().first_chunk_mut() {
            Some(packet) => emit(packet, self.operation, source, target),
            None => panic!("an ARP packet has 28 octets"),
        }
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, target) = (self.source_protocol_addr, self.target_protocol_addr);
        match self.operation {
            Operation::REQUEST => write!(f, "ARP who has {target}? tell {source}")?,
            _ => write!(f, "ARP {source} is")?,
        }
        write!(f, " at {}", self.source_hardware_addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bar;
    use crate::wire::frames::{self, hex};

    #[test]
    fn packets_of_linux_parse_and_are_written_again() {
        let cases = [
            (frames::ARP_REQUEST, "ARP who has 10.0.0.2? tell 10.0.0.1 at 02:00:00:00:00:01"),
            (frames::ARP_REPLY, "ARP 10.0.0.2 is at 02:00:00:00:00:02"),
        ];
        for (frame, text) in cases {
            let data = &hex(frame)[14..];
            let repr = Repr::parse(&Packet::new_checked(data).unwrap()).unwrap();
            assert_eq!(repr.to_string(), text);
            let mut copy = Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
            repr.emit(&mut copy);
            assert_eq!(copy.into_inner(), data);
        }
    }

    #[test]
    fn what_is_no_arp_for_ipv4_over_ethernet_gets_its_error() {
        let good = hex(frames::ARP_REQUEST)[14..].to_vec();
        for len in 0..good.len() {
            assert_eq!(Header::parse(&good[..len]).unwrap_err(), Error::Truncated, "{len}");
        }
        for (at, value) in [(1, 6), (2, 0x86), (4, 8), (5, 16), (7, 3), (6, 1)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Repr::parse(&Packet::new_unchecked(bad)).unwrap_err(), Error::Unsupported, "{at}");
        }
    }

    #[test]
    fn cuts_and_flips_are_found_or_survived() {
        let rewrite = |data: &[u8]| {
            let repr = Repr::parse(&Packet::new_checked(data)?)?;
            let mut copy = Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
            repr.emit(&mut copy);
            Ok((format!("{repr:?} {repr}"), copy.into_inner()))
        };
        for frame in [frames::ARP_REQUEST, frames::ARP_REPLY] {
            let data = &hex(frame)[14..];
            bar::cuts_are_found("ARP", data, &[], &bar::as_it_is, &rewrite);
            // Any address is read; of the other fields only the operation has a second value.
            assert_eq!(bar::flips_are_survived("ARP", data, &bar::as_it_is, &rewrite), 20 * 8);
        }
    }

    #[test]
    fn a_setter_writes_what_its_getter_reads() {
        let mut packet = Packet::new_unchecked(hex(frames::ARP_REQUEST)[14..].to_vec());
        packet.set_operation(Operation::REPLY);
        packet.set_source_hardware_addr(EthernetAddress([1; 6]));
        packet.set_source_protocol_addr(Ipv4Address::new(2, 2, 2, 2));
        packet.set_target_hardware_addr(EthernetAddress([3; 6]));
        packet.set_target_protocol_addr(Ipv4Address::new(4, 4, 4, 4));
        let repr = Repr::parse(&packet).unwrap();
        assert_eq!(repr.operation, Operation::REPLY);
        assert_eq!(repr.source_hardware_addr, EthernetAddress([1; 6]));
        assert_eq!(repr.source_protocol_addr, Ipv4Address::new(2, 2, 2, 2));
        assert_eq!(repr.target_hardware_addr, EthernetAddress([3; 6]));
        assert_eq!(repr.target_protocol_addr, Ipv4Address::new(4, 4, 4, 4));
    }
}
