//! Whom a received ICMP error is for (RFC 1122 §3.2.2, §4.1.3.3; RFC 4443 §2.4).
//!
//! An error quotes what it is about: the IP header and at least eight octets of what follows. It is believed
//! when that came from one of our addresses and from a socket of ours (RFC 5927 §4); too short a quote is
//! nobody's.

use super::icmp::Message;
use super::ingress::{Ingress, Received, Taken};
use super::links::Links;
#[cfg(feature = "udp-connect")]
use crate::socket::icmp_error::IcmpError;
use crate::socket::icmp_error::{Unreachable, reason_v4, reason_v6};
#[cfg(feature = "udp-connect")]
use crate::socket::udp;
use crate::stats::DropReason;
#[cfg(feature = "udp-connect")]
use crate::wire::IpEndpoint;
use crate::wire::{Addr, IpProtocol, icmpv4, icmpv6, ipv4, ipv6, ipv6ext};

/// The packet that an error is about, as far as it is quoted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quote<'f> {
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) protocol: IpProtocol,
    /// Octets of the whole packet, by its header.
    pub(crate) len: usize,
    /// Eight octets at least (RFC 792; RFC 1122 §3.2.2).
    pub(crate) payload: &'f [u8],
}

impl<'f> Quote<'f> {
    pub(crate) fn parse(data: &'f [u8], is_v4: bool) -> Option<Quote<'f>> {
        let quote = if is_v4 { Quote::parse_v4(data)? } else { Quote::parse_v6(data)? };
        (quote.payload.len() >= 8).then_some(quote)
    }

    #[cfg(not(feature = "proto-ipv4"))]
    fn parse_v4(_data: &'f [u8]) -> Option<Quote<'f>> {
        None
    }

    #[cfg(feature = "proto-ipv4")]
    fn parse_v4(data: &'f [u8]) -> Option<Quote<'f>> {
        let header = data.first_chunk::<{ ipv4::HEADER_LEN }>()?;
        let &[first, _, l0, l1, _, _, o0, o1, _, protocol, _, _, a, b, c, d, e, f, g, h] = header;
        let header_len = usize::from(first & 0xf) * 4;
        // A later fragment does not say whose it is.
        let is_first = u16::from_be_bytes([o0, o1]) & 0x1fff == 0;
        if first >> 4 != 4 || header_len < ipv4::HEADER_LEN || !is_first {
            return None;
        }
        Some(Quote {
            src: Addr::v4([a, b, c, d]),
            dst: Addr::v4([e, f, g, h]),
            protocol: IpProtocol(protocol),
            len: u16::from_be_bytes([l0, l1]).into(),
            payload: data.get(header_len..)?,
        })
    }

    #[cfg(not(feature = "proto-ipv6"))]
    fn parse_v6(_data: &'f [u8]) -> Option<Quote<'f>> {
        None
    }

    #[cfg(feature = "proto-ipv6")]
    fn parse_v6(data: &'f [u8]) -> Option<Quote<'f>> {
        let (header, rest) = data.split_first_chunk::<{ ipv6::HEADER_LEN }>()?;
        let [first, _, _, _, l0, l1, next, _, addresses @ ..] = header;
        let (src, dst) = addresses.split_first_chunk::<16>()?;
        // The quote may be cut anywhere; what is cut within the extension headers does not say whose it is.
        let (next, rest) = behind_fragment_header(IpProtocol(*next), rest)?;
        let walk = ipv6ext::walk(next, rest).ok().filter(|walk| walk.fragment.is_none())?;
        (first >> 4 == 6).then_some(())?;
        Some(Quote {
            src: Addr::v6(*src),
            dst: Addr::v6(*dst.first_chunk()?),
            protocol: walk.protocol,
            len: ipv6::HEADER_LEN + usize::from(u16::from_be_bytes([*l0, *l1])),
            payload: walk.payload,
        })
    }

    /// The two ports, if the protocol has some there.
    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
        let &[a, b, c, d] = self.payload.first_chunk()?;
        Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }
}

/// What follows the fragment header of a first fragment, as we make them. A later one does not say whose it is.
#[cfg(feature = "proto-ipv6")]
fn behind_fragment_header(next: IpProtocol, rest: &[u8]) -> Option<(IpProtocol, &[u8])> {
    if next != IpProtocol::IPV6_FRAGMENT {
        return Some((next, rest));
    }
    let (&[next, _, high, low, ..], rest) = rest.split_first_chunk::<{ ipv6ext::FRAGMENT_HEADER_LEN }>()?;
    (u16::from_be_bytes([high, low]) & !7 == 0).then_some((IpProtocol(next), rest))
}

/// Tells the socket that an error is about, if the message is one and quotes something of ours.
#[inline(never)]
pub(crate) fn process(
    ingress: &mut Ingress<'_, '_, '_, '_, '_>,
    received: &Received<'_>,
    message: &Message,
    data: &[u8],
) -> Taken {
    let is_v4 = received.dst.is_v4();
    let reason = if is_v4 { reason_v4 } else { reason_v6 };
    let Some(reason) = reason(message.kind, message.code, message.word) else {
        return no_error(ingress, received, message);
    };
    // RFC 1122 §3.2.2: an error comes to one host.
    let quote = Quote::parse(data, is_v4).filter(|_| received.unicast).ok_or(DropReason::IcmpMismatch)?;
    if !is_own(ingress.links, &quote.src) {
        return Err(DropReason::IcmpMismatch);
    }
    let shown = ingress.quoted(received, &quote);
    let told = match quote.protocol {
        IpProtocol::UDP | IpProtocol::UDP_LITE => ingress.udp_error(received, &quote, reason),
        IpProtocol::TCP => ingress.tcp_error(&quote, reason),
        _ => shown,
    };
    if let Unreachable::TooBig(mtu) = reason {
        ingress.learn_path(&quote, mtu, told.is_ok());
    }
    match quote.protocol {
        IpProtocol::UDP | IpProtocol::UDP_LITE | IpProtocol::TCP => shown.or(told),
        _ => Ok(()),
    }
}

/// Only an echo reply has somebody who waits for it.
fn no_error(ingress: &mut Ingress<'_, '_, '_, '_, '_>, received: &Received<'_>, message: &Message) -> Taken {
    let echo_reply =
        if received.dst.is_v4() { icmpv4::msg_type::ECHO_REPLY } else { icmpv6::msg_type::ECHO_REPLY };
    if message.kind == echo_reply {
        ingress.echo_reply(received, (message.word >> 16) as u16)
    } else {
        Ok(())
    }
}

#[cfg(not(feature = "udp-connect"))]
impl Ingress<'_, '_, '_, '_, '_> {
    #[inline]
    fn udp_error(&mut self, _received: &Received<'_>, _quote: &Quote<'_>, _reason: Unreachable) -> Taken {
        Ok(())
    }
}

/// Whether the stack may have sent from this address.
fn is_own(links: &Links<'_, '_, '_>, addr: &Addr) -> bool {
    let owns = |port| links.iface(port).is_some_and(|iface| iface.any_ip || iface.has_address(addr));
    (0..links.count()).any(owns)
}

#[cfg(feature = "udp-connect")]
impl Ingress<'_, '_, '_, '_, '_> {
    /// Whether a socket may have sent a datagram.
    #[cfg(feature = "iface-redirects")]
    pub(crate) fn has_udp_sender(&self, quote: &Quote<'_>) -> bool {
        self.udp_sender(quote).is_some()
    }

    /// Who may have sent a datagram, and to whom.
    fn udp_sender(&self, quote: &Quote<'_>) -> Option<(u32, udp::Peer)> {
        let (local_port, remote_port) = quote.ports()?;
        let peer = udp::Peer {
            remote: quote.dst,
            local: Some(quote.src),
            remote_port,
            zone: super::icmp::zone_of(self, &quote.dst),
            meta: udp::Meta::received(0, 0, &[], 0),
        };
        let interface = self.links.port();
        let from = udp::To { protocol: quote.protocol, addr: &quote.src, port: local_port, interface };
        Some((self.sockets.udp_sender(&peer, &from)?, peer))
    }

    fn udp_error(&mut self, received: &Received<'_>, quote: &Quote<'_>, reason: Unreachable) -> Taken {
        let (ix, peer) = self.udp_sender(quote).ok_or(DropReason::IcmpMismatch)?;
        let mut remote = IpEndpoint::new(quote.dst.into(), peer.remote_port);
        remote.zone = peer.zone.checked_sub(1);
        let error = IcmpError { reason, remote, reporter: received.src.into() };
        self.sockets.tell_icmp_error(ix, error);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 792, RFC 1122 §3.2.2
    #[test]
    #[cfg(feature = "proto-ipv4")]
    fn a_quote_of_ipv4_has_a_header_and_eight_octets_of_what_began_the_datagram() {
        let packet = |first: u8, offset: u16, payload: &[u8]| {
            let [o0, o1] = offset.to_be_bytes();
            let header = [first, 0, 0x12, 0x34, 0, 0, o0, o1, 9, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            [&header[..], payload].concat()
        };
        let ports = [0, 53, 0x13, 0x88, 0, 9, 0, 0];
        let options = [7, 3, 4, 0];
        let behind = [&options[..], &ports].concat();
        for (data, ports_of) in [
            (packet(0x45, 0, &ports), Some((53, 5_000))),
            (packet(0x45, 0x4000, &ports), Some((53, 5_000))),
            (packet(0x45, 0x2000, &ports), Some((53, 5_000))),
            (packet(0x46, 0, &behind), Some((53, 5_000))),
            (packet(0x45, 0, &ports[..7]), None),
            (packet(0x46, 0, &behind[..11]), None),
            (packet(0x45, 1, &ports), None),
            (packet(0x45, 0x1000, &ports), None),
            (packet(0x44, 0, &ports), None),
            (packet(0x55, 0, &ports), None),
            (packet(0x65, 0, &ports), None),
        ] {
            let quote = Quote::parse(&data, true);
            assert_eq!(quote.and_then(|quote| quote.ports()), ports_of, "{data:?}");
            let said = quote.map(|quote| (quote.src, quote.dst, quote.len, quote.protocol));
            let ends = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]), 0x1234, IpProtocol::UDP);
            assert!(said.is_none_or(|said| said == ends));
        }
    }

    /// Covers: RFC 4443 §2.4
    #[test]
    #[cfg(feature = "proto-ipv6")]
    fn a_quote_of_ipv6_says_how_long_the_packet_was() {
        let packet = |first: u8, len: usize| {
            let header = [first, 0, 0, 0, 0x05, 0x10, 17, 9];
            [&header[..], &[0xfd; 32], &[0, 53, 0x13, 0x88, 0, 9, 0, 0][..len]].concat()
        };
        let data = packet(0x60, 8);
        let quote = Quote::parse(&data, false).unwrap();
        assert_eq!((quote.len, quote.ports()), (40 + 0x510, Some((53, 5_000))));
        assert!(Quote::parse(&packet(0x60, 7), false).is_none());
        assert!(Quote::parse(&packet(0x40, 8), false).is_none());
    }
}
