//! What an ICMP error says to the socket that provoked it (RFC 1122 §3.2.2, RFC 4443 §3), in one form for
//! both families.

use core::fmt;

use crate::wire::{IpAddress, IpEndpoint, icmpv4, icmpv6};

/// Why a packet did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreachable {
    /// No route leads to its network.
    Network,
    /// The host does not answer.
    Host,
    /// The host does not speak the protocol.
    Protocol,
    /// Nobody is at the port.
    Port,
    /// Someone forbids it.
    Prohibited,
    /// It was larger than what the next hop carries, in octets of IP packet; 0 if that was not said.
    TooBig(u32),
    /// Its hop limit ran out on the way.
    HopLimit,
    /// Some of its fragments stayed away.
    Reassembly,
    /// A router or the host found something wrong in its header.
    Malformed,
    /// Something else.
    Other,
}

/// An ICMP error about something that a socket has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// Why it did not arrive.
    pub reason: Unreachable,
    /// Whom it was sent to.
    pub remote: IpEndpoint,
    /// Who says so: a router on the way, or the host itself.
    pub reporter: IpAddress,
}

impl fmt::Display for IcmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.reason {
            Unreachable::Network => "network unreachable",
            Unreachable::Host => "host unreachable",
            Unreachable::Protocol => "protocol unreachable",
            Unreachable::Port => "port unreachable",
            Unreachable::Prohibited => "prohibited",
            Unreachable::TooBig(_) => "packet too big",
            Unreachable::HopLimit => "hop limit exceeded",
            Unreachable::Reassembly => "reassembly timed out",
            Unreachable::Malformed => "header refused",
            Unreachable::Other => "not delivered",
        };
        write!(f, "{}: {what}, says {}", self.remote, self.reporter)
    }
}

impl core::error::Error for IcmpError {}

/// What an ICMP message of this type, code and word says; `None` if it is no error.
pub(crate) fn reason_v4(kind: u8, code: u8, word: u32) -> Option<Unreachable> {
    use icmpv4::{msg_type, time_exceeded, unreachable};
    Some(match (kind, code) {
        (msg_type::DST_UNREACHABLE, unreachable::NET | 6 | 8 | 11) => Unreachable::Network,
        (msg_type::DST_UNREACHABLE, unreachable::HOST | 7 | 12) => Unreachable::Host,
        (msg_type::DST_UNREACHABLE, unreachable::PROTOCOL) => Unreachable::Protocol,
        (msg_type::DST_UNREACHABLE, unreachable::PORT) => Unreachable::Port,
        (msg_type::DST_UNREACHABLE, unreachable::FRAGMENTATION_NEEDED) => Unreachable::TooBig(word & 0xffff),
        (msg_type::DST_UNREACHABLE, 9 | 10 | unreachable::PROHIBITED) => Unreachable::Prohibited,
        (msg_type::DST_UNREACHABLE, _) => Unreachable::Other,
        (msg_type::TIME_EXCEEDED, time_exceeded::REASSEMBLY) => Unreachable::Reassembly,
        (msg_type::TIME_EXCEEDED, _) => Unreachable::HopLimit,
        (msg_type::PARAM_PROBLEM, _) => Unreachable::Malformed,
        // RFC 9293 §3.9.2.2 (MUST-55), RFC 6633 §3: source quench is not listened to. A redirect is no error.
        _ => return None,
    })
}

/// The same for ICMPv6.
pub(crate) fn reason_v6(kind: u8, code: u8, word: u32) -> Option<Unreachable> {
    use icmpv6::msg_type;
    Some(match (kind, code) {
        (msg_type::DST_UNREACHABLE, 0 | 2) => Unreachable::Network,
        (msg_type::DST_UNREACHABLE, 1 | 5 | 6) => Unreachable::Prohibited,
        (msg_type::DST_UNREACHABLE, 3) => Unreachable::Host,
        (msg_type::DST_UNREACHABLE, 4) => Unreachable::Port,
        (msg_type::PKT_TOO_BIG, _) => Unreachable::TooBig(word),
        (msg_type::TIME_EXCEEDED, 1) => Unreachable::Reassembly,
        (msg_type::TIME_EXCEEDED, _) => Unreachable::HopLimit,
        (msg_type::PARAM_PROBLEM, 1) => Unreachable::Protocol,
        (msg_type::PARAM_PROBLEM, _) => Unreachable::Malformed,
        // RFC 4443 §2.4 a: unknown errors are passed on as well.
        (kind, _) if kind < 128 => Unreachable::Other,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 1122 §3.2.2.1, RFC 6633 §3
    #[test]
    fn every_code_of_ipv4_has_its_meaning() {
        let cases = [
            ((3, 0), Some(Unreachable::Network)),
            ((3, 1), Some(Unreachable::Host)),
            ((3, 2), Some(Unreachable::Protocol)),
            ((3, 3), Some(Unreachable::Port)),
            ((3, 4), Some(Unreachable::TooBig(1_400))),
            ((3, 5), Some(Unreachable::Other)),
            ((3, 13), Some(Unreachable::Prohibited)),
            ((11, 0), Some(Unreachable::HopLimit)),
            ((11, 1), Some(Unreachable::Reassembly)),
            ((12, 0), Some(Unreachable::Malformed)),
            ((4, 0), None),
            ((5, 0), None),
            ((0, 0), None),
            ((8, 0), None),
        ];
        for ((kind, code), expected) in cases {
            assert_eq!(reason_v4(kind, code, 1_400), expected, "{kind}/{code}");
        }
    }

    /// Covers: RFC 4443 §2.4
    #[test]
    fn every_code_of_ipv6_has_its_meaning() {
        let cases = [
            ((1, 0), Some(Unreachable::Network)),
            ((1, 1), Some(Unreachable::Prohibited)),
            ((1, 3), Some(Unreachable::Host)),
            ((1, 4), Some(Unreachable::Port)),
            ((2, 0), Some(Unreachable::TooBig(1_400))),
            ((3, 0), Some(Unreachable::HopLimit)),
            ((3, 1), Some(Unreachable::Reassembly)),
            ((4, 0), Some(Unreachable::Malformed)),
            ((4, 1), Some(Unreachable::Protocol)),
            ((100, 0), Some(Unreachable::Other)),
            ((128, 0), None),
            ((135, 0), None),
        ];
        for ((kind, code), expected) in cases {
            assert_eq!(reason_v6(kind, code, 1_400), expected, "{kind}/{code}");
        }
    }
}
