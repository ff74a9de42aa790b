//! ICMP (RFC 792, RFC 1122 §3.2.2): answers echo requests, sends errors, counts what it is told.

use super::icmp::{self, Message};
use super::icmp_error;
use super::ingress::{Ingress, Received, Taken};
use crate::config;
use crate::stats::{DropReason, IpCount};
use crate::wire::checksum;

const ECHO_REPLY: u8 = 0;
pub(crate) const DESTINATION_UNREACHABLE: u8 = 3;
const ECHO_REQUEST: u8 = 8;
pub(crate) const REDIRECT: u8 = 5;
#[cfg(feature = "iface-forward")]
pub(crate) const TIME_EXCEEDED: u8 = 11;

/// Nobody here speaks the protocol.
pub(crate) const PROTOCOL_UNREACHABLE: Message = Message { kind: DESTINATION_UNREACHABLE, code: 2, word: 0 };
/// Nobody here has the port.
pub(crate) const PORT_UNREACHABLE: Message = Message { kind: DESTINATION_UNREACHABLE, code: 3, word: 0 };

/// Fragments of the datagram are missing.
#[cfg(feature = "iface-fragments")]
pub(crate) const REASSEMBLY_TIMEOUT: Message = Message { kind: 11, code: 1, word: 0 };

/// Octets of an error with the packet that it quotes (RFC 1812 §4.3.2.3).
pub(crate) const MAX_ERROR_LEN: usize = 576 - 20;

pub(crate) fn process(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &Received<'_>) -> Taken {
    if !config::HAS_IPV4 {
        return Err(DropReason::UnknownProtocol);
    }
    if !checksum::sum(received.payload).is_valid() {
        ingress.links.iface.stats.counters.add_ip(true, IpCount::IcmpInUntyped, 1);
        return Err(DropReason::Checksum);
    }
    let kind = received.payload.first().copied().unwrap_or_default(); // without any the checksum is wrong
    ingress.links.iface.stats.counters.on_icmp_received(true, kind);
    let (header, data) = icmp::split(received.payload)?;
    match header.kind {
        // RFC 1122 §3.2.2.6: one to a group or broadcast address may be ignored, and is.
        ECHO_REQUEST if received.unicast => {
            let reply = Message { kind: ECHO_REPLY, code: 0, word: header.word };
            icmp::answer(ingress, received, &reply, data)
        }
        ECHO_REQUEST => Err(DropReason::Unacceptable),
        REDIRECT => ingress.redirected_v4(received, header.word, data),
        _ => icmp_error::process(ingress, received, &header, data),
    }
}

/// Sends an error about a packet, if the rules allow (RFC 1122 §3.2.2).
pub(crate) fn send_error(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &Received<'_>, error: Message) {
    // No error about an error, nor about anything that was not for us alone.
    let about_error = received.protocol == crate::wire::IpProtocol::ICMP && is_error(received.payload);
    if received.unicast && !about_error {
        icmp::send_error(ingress, received, &error, MAX_ERROR_LEN);
    }
}

/// Whether an ICMP message is one that no error is sent about: all are, but echoes.
#[inline]
pub(crate) fn is_error(message: &[u8]) -> bool {
    !matches!(message.first(), Some(&ECHO_REQUEST | &ECHO_REPLY))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 1122 §3.2.2
    #[test]
    fn all_but_echoes_are_taken_for_errors() {
        for (message, expected) in [
            (&[0][..], false),
            (&[8], false),
            (&[3], true),
            (&[5], true),
            (&[11], true),
            (&[13], true),
            (&[], true),
        ] {
            assert_eq!(is_error(message), expected, "{message:?}");
        }
    }
}
