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
use super::{Error, Result};

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
