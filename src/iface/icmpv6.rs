//! ICMPv6 (RFC 4443): answers echo requests, sends errors, hands Neighbor Discovery on.

use super::icmp::{self, Message};
use super::icmp_error;
use super::ingress::{Ingress, Received, Taken};
use super::ndisc;
use crate::config;
use crate::stats::{DropReason, IpCount};
use crate::wire::IpProtocol;
use crate::wire::checksum;
use crate::wire::ipv6ext::{self, Fragment, Stop};

pub(crate) const DESTINATION_UNREACHABLE: u8 = 1;
#[cfg(feature = "iface-forward")]
pub(crate) const PACKET_TOO_BIG: u8 = 2;
#[cfg(feature = "iface-forward")]
pub(crate) const TIME_EXCEEDED: u8 = 3;
const PARAMETER_PROBLEM: u8 = 4;
const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;
const ROUTER_SOLICITATION: u8 = 133;
const REDIRECT: u8 = 137;
#[cfg(feature = "iface-multicast")]
use crate::wire::mld::msg_type::{DONE as MLD_DONE, QUERY as MLD_QUERY, REPORT2 as MLD_REPORT2};

/// Nobody here has the port.
pub(crate) const PORT_UNREACHABLE: Message = Message { kind: DESTINATION_UNREACHABLE, code: 4, word: 0 };

/// Fragments of the datagram are missing.
#[cfg(feature = "iface-fragments")]
pub(crate) const REASSEMBLY_TIMEOUT: Message = Message { kind: 3, code: 1, word: 0 };

/// Octets of an error with the packet that it quotes (RFC 4443 §2.4 c).
pub(crate) const MAX_ERROR_LEN: usize = 1_280 - 40;

pub(crate) fn process(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &Received<'_>) -> Taken {
    if !config::HAS_IPV6 {
        return Err(DropReason::UnknownProtocol);
    }
    let len = received.payload.len() as u32;
    let pseudo = checksum::pseudo_header(&received.src, &received.dst, IpProtocol::ICMPV6.0, len);
    if !pseudo.add(checksum::sum(received.payload)).is_valid() {
        ingress.links.iface.stats.counters.add_ip(false, IpCount::IcmpInUntyped, 1);
        return Err(DropReason::Checksum);
    }
    let kind = received.payload.first().copied().unwrap_or_default(); // without any the checksum is wrong
    ingress.links.iface.stats.counters.on_icmp_received(false, kind);
    let (header, data) = icmp::split(received.payload)?;
    match header.kind {
        // RFC 4443 §4.2 allows answers to a group; they are not given, so that nobody multiplies traffic.
        ECHO_REQUEST if received.unicast => {
            let reply = Message { kind: ECHO_REPLY, code: 0, word: header.word };
            icmp::answer(ingress, received, &reply, data)
        }
        ECHO_REQUEST => Err(DropReason::Unacceptable),
        ROUTER_SOLICITATION..=REDIRECT => ndisc::process(ingress, received),
        #[cfg(feature = "iface-multicast")]
        MLD_QUERY..=MLD_DONE | MLD_REPORT2 => super::groups::mld(ingress, received),
        _ => icmp_error::process(ingress, received, &header, data),
    }
}

/// Goes over the extension headers, up to the protocol that the packet carries or to a fragment of it.
pub(crate) fn walk_extensions(
    ingress: &mut Ingress<'_, '_, '_, '_, '_>,
    received: &mut Received<'_>,
) -> Result<Option<Fragment>, DropReason> {
    match ipv6ext::walk(received.protocol, received.payload) {
        Ok(walk) => {
            received.protocol = walk.protocol;
            received.payload = walk.payload;
            received.next_header_at = walk.next_header_at;
            Ok(walk.fragment)
        }
        Err(stop) => Err(refuse_extensions(ingress, received, stop)),
    }
}

/// The same for a packet that was put together, and is no fragment of another one.
#[cfg(feature = "iface-fragments")]
pub(crate) fn walk_whole(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &mut Received<'_>) -> Taken {
    received.protocol = IpProtocol(received.packet.get(6).copied().unwrap_or_default()); // it has a header
    if walk_extensions(ingress, received)?.is_some() {
        return Err(DropReason::ExtensionHeaders);
    }
    let is_discovery = |kind: &u8| (ROUTER_SOLICITATION..=REDIRECT).contains(kind);
    // RFC 6980 §5: Neighbor Discovery is never fragmented.
    if received.protocol == IpProtocol::ICMPV6 && received.payload.first().is_some_and(is_discovery) {
        return Err(DropReason::BadNeighborMessage);
    }
    Ok(())
}

#[inline(never)]
fn refuse_extensions(
    ingress: &mut Ingress<'_, '_, '_, '_, '_>,
    received: &Received<'_>,
    stop: Stop,
) -> DropReason {
    match stop {
        Stop::Discard => DropReason::Malformed,
        Stop::TooMany => DropReason::ExtensionHeaders,
        Stop::ParamProblem { code, pointer, even_if_multicast } => {
            // To a group only where RFC 4443 §2.4 e.3 allows it; then the answer comes from an own address.
            if received.unicast {
                problem_from(ingress, received, code, pointer);
            } else if even_if_multicast && let Some(own) = ingress.links.iface.source_for(&received.src) {
                problem_from(ingress, &Received { dst: own, ..*received }, code, pointer);
            }
            DropReason::Malformed
        }
    }
}

/// Says what is wrong with a packet, if it was for us alone.
#[cfg(feature = "iface-fragments")]
pub(crate) fn parameter_problem(
    ingress: &mut Ingress<'_, '_, '_, '_, '_>,
    received: &Received<'_>,
    code: u8,
    pointer: u16,
) {
    if received.unicast {
        problem_from(ingress, received, code, pointer);
    }
}

fn problem_from(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &Received<'_>, code: u8, pointer: u16) {
    let error = Message { kind: PARAMETER_PROBLEM, code, word: u32::from(pointer) };
    if is_worth_an_error(received) {
        icmp::send_error(ingress, received, &error, MAX_ERROR_LEN);
    }
}

/// Nobody here speaks the protocol (RFC 8200 §4).
pub(crate) fn unknown_next_header(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &Received<'_>) {
    const NO_NEXT_HEADER: IpProtocol = IpProtocol(59);
    if received.unicast && received.protocol != NO_NEXT_HEADER {
        problem_from(ingress, received, 1, received.next_header_at);
    }
}

/// Sends an error about a packet, if the rules allow (RFC 4443 §2.4).
pub(crate) fn send_error(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &Received<'_>, error: Message) {
    if received.unicast && is_worth_an_error(received) {
        icmp::send_error(ingress, received, &error, MAX_ERROR_LEN);
    }
}

/// No error about an error or a redirect, nor to somebody without an address.
fn is_worth_an_error(received: &Received<'_>) -> bool {
    let about_error = received.protocol == IpProtocol::ICMPV6 && is_error(received.payload);
    !about_error && received.src.is_unicast()
}

/// Whether an ICMPv6 message is one that no error is sent about.
#[inline]
pub(crate) fn is_error(message: &[u8]) -> bool {
    message.first().is_none_or(|kind| *kind < 128 || *kind == REDIRECT)
}

#[cfg(all(test, feature = "proto-ipv6"))]
mod tests {
    use super::*;
    use crate::wire::Addr;

    /// Covers: RFC 4443 §2.1, §2.4
    #[test]
    fn no_error_is_sent_about_an_error_or_a_redirect_or_to_nobody() {
        let cases: [(&[u8], bool); 8] = [
            (&[1], true),
            (&[4], true),
            (&[127], true),
            (&[128], false),
            (&[129], false),
            (&[135], false),
            (&[REDIRECT], true),
            (&[], true),
        ];
        let host = Addr::v6([0xfd; 16]);
        for (message, expected) in cases {
            assert_eq!(is_error(message), expected, "{message:?}");
            for (protocol, src, is_worth) in [
                (IpProtocol::ICMPV6, host, !expected),
                (IpProtocol::UDP, host, true),
                (IpProtocol::UDP, Addr::v6([0xff; 16]), false),
                (IpProtocol::UDP, Addr::v6([0; 16]), false),
            ] {
                let received = Received {
                    src,
                    dst: host,
                    protocol,
                    hop_limit: 64,
                    unicast: true,
                    next_header_at: 6,
                    packet: message,
                    payload: message,
                };
                assert_eq!(is_worth_an_error(&received), is_worth, "{protocol} {src:?} {message:?}");
            }
        }
    }
}
