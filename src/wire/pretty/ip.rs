//! The lines of IP packets and of what they carry, down to packets that ICMP errors quote.

use core::fmt;

use super::Lines;
use crate::wire::checksum::{pseudo_header_of, sum};
use crate::wire::ipv6ext::MAX_HEADERS;
use crate::wire::ipv6opt::Content;
use crate::wire::{
    Dhcpv4Packet, Dhcpv4Repr, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IgmpPacket, IgmpRepr,
    IpAddress, IpProtocol, IpVersion, Ipv4Packet, Ipv4Repr, Ipv6Address, Ipv6ExtHeader, Ipv6Packet, NdOption,
    NdiscRepr, TcpPacket, UdpLitePacket, UdpLiteRepr, UdpPacket, dhcpv4, ipv4, ipv4opt, ipv6, ndisc, tcpopt,
};

/// How deep packets may quote packets. An error about an error should not be, so that one is usual.
const MAX_QUOTES: usize = 3;

/// What a transport's checksum and text need of the packet around it.
struct Envelope {
    src: IpAddress,
    dst: IpAddress,
    protocol: IpProtocol,
    /// Whether the payload is all there, so that its checksum can be verified.
    whole: bool,
    /// How many errors the packet is quoted by.
    quotes: usize,
}

impl Lines<'_, '_> {
    pub(super) fn ip(&mut self, data: &[u8]) -> fmt::Result {
        match IpVersion::of_packet(data) {
            Some(IpVersion::Ipv4) => self.ipv4(data),
            Some(IpVersion::Ipv6) => self.ipv6(data),
            None => self.line(format_args!("IP: neither version 4 nor 6")),
        }
    }

    fn ipv4(&mut self, data: &[u8]) -> fmt::Result {
        match Ipv4Packet::new_checked(data) {
            Ok(packet) => self.ipv4_parts(data, 0, note(packet.verify_checksum())),
            Err(error) => self.line(format_args!("IPv4: {error}")),
        }
    }

    fn ipv6(&mut self, data: &[u8]) -> fmt::Result {
        match Ipv6Packet::new_checked(data) {
            Ok(_) => self.ipv6_parts(data, 0),
            Err(error) => self.line(format_args!("IPv6: {error}")),
        }
    }

    /// A packet that an error quotes; its end may be missing.
    fn quoted(&mut self, data: &[u8], quotes: usize) -> fmt::Result {
        match IpVersion::of_packet(data) {
            _ if quotes > MAX_QUOTES => self.line(format_args!("quoted packet")),
            Some(IpVersion::Ipv4) => self.ipv4_parts(data, quotes, ""),
            Some(IpVersion::Ipv6) => self.ipv6_parts(data, quotes),
            None => Ok(()),
        }
    }

    fn ipv4_parts(&mut self, data: &[u8], quotes: usize, checksum: &str) -> fmt::Result {
        let parts = match ipv4::Header::split_quoted(data) {
            Ok(parts) => parts,
            Err(error) => return self.line(format_args!("quoted IPv4: {error}")),
        };
        let payload_len = parts.header.total_len() - u16::from(parts.header.header_len());
        let header = Ipv4Repr::of(parts.header, payload_len);
        let (quoted, mut dst) = (quoted(quotes), header.dst_addr);
        match ipv4opt::Options::parse(parts.options) {
            Ok(options) => {
                dst = options.final_dst().unwrap_or(dst);
                let repr = ipv4opt::Repr { header, options };
                self.line(format_args!("{quoted}{repr}{checksum}"))?;
            }
            Err(error) => self.line(format_args!("{quoted}{header} options: {error}{checksum}"))?,
        }
        if header.fragment_offset != 0 {
            return Ok(());
        }
        let envelope = Envelope {
            src: header.src_addr.into(),
            dst: dst.into(),
            protocol: header.next_header,
            whole: !header.more_fragments && usize::from(payload_len) == parts.payload.len(),
            quotes,
        };
        self.transport(&envelope, parts.payload)
    }

    fn ipv6_parts(&mut self, data: &[u8], quotes: usize) -> fmt::Result {
        let (header, payload) = match ipv6::Header::split_quoted(data) {
            Ok(parts) => parts,
            Err(error) => return self.line(format_args!("quoted IPv6: {error}")),
        };
        self.line(format_args!("{}{}", quoted(quotes), header.repr()))?;
        let (mut rest, mut envelope) = (
            payload,
            Envelope {
                src: Ipv6Address::from(*header.src()).into(),
                dst: Ipv6Address::from(*header.dst()).into(),
                protocol: header.next_header(),
                whole: usize::from(header.payload_len()) == payload.len(),
                quotes,
            },
        );
        for _ in 0..MAX_HEADERS {
            if !Ipv6ExtHeader::is_read(envelope.protocol) {
                return self.transport(&envelope, rest);
            }
            let header = match Ipv6ExtHeader::parse(envelope.protocol, rest) {
                Ok((header, after)) => {
                    rest = after;
                    header
                }
                Err(error) => return self.line(format_args!("{}: {error}", envelope.protocol)),
            };
            self.line(format_args!("{header}"))?;
            envelope.protocol = header.next_header;
            match header.content {
                Content::Fragment(fragment) if fragment.offset != 0 => return Ok(()),
                Content::Fragment(fragment) => envelope.whole &= !fragment.more,
                content => {
                    if let Some(dst) = content.final_dst() {
                        envelope.dst = dst.into();
                    }
                }
            }
        }
        match Ipv6ExtHeader::is_read(envelope.protocol) {
            true => self.line(format_args!("more than {MAX_HEADERS} extension headers")),
            false => self.transport(&envelope, rest),
        }
    }

    fn transport(&mut self, envelope: &Envelope, data: &[u8]) -> fmt::Result {
        match (envelope.protocol, envelope.src, envelope.dst) {
            _ if !envelope.whole => self.cut(envelope.protocol, data),
            (IpProtocol::UDP, ..) => self.udp(envelope, data),
            (IpProtocol::TCP, ..) => self.tcp(envelope, data),
            (IpProtocol::UDP_LITE, src, dst) => {
                self.layer("UDP-Lite", UdpLiteRepr::parse(&UdpLitePacket::new_unchecked(data), &src, &dst))
            }
            (IpProtocol::IGMP, IpAddress::Ipv4(_), _) => {
                self.layer("IGMP", IgmpRepr::parse(&IgmpPacket::new_unchecked(data)))
            }
            (IpProtocol::ICMP, IpAddress::Ipv4(_), _) => self.icmpv4(data, envelope.quotes),
            (IpProtocol::ICMPV6, IpAddress::Ipv6(src), IpAddress::Ipv6(dst)) => {
                self.icmpv6(&src, &dst, data, envelope.quotes)
            }
            _ => Ok(()),
        }
    }

    /// The beginning of a transport's packet.
    fn cut(&mut self, protocol: IpProtocol, data: &[u8]) -> fmt::Result {
        match (protocol, data) {
            (IpProtocol::UDP | IpProtocol::UDP_LITE | IpProtocol::TCP, &[s0, s1, d0, d1, ..]) => {
                let (src, dst) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
                self.line(format_args!("{protocol} {src} > {dst} in part"))
            }
            (IpProtocol::ICMP | IpProtocol::ICMPV6, &[msg_type, code, ..]) => {
                self.line(format_args!("{protocol} type={msg_type} code={code} in part"))
            }
            _ => Ok(()),
        }
    }

    fn udp(&mut self, envelope: &Envelope, data: &[u8]) -> fmt::Result {
        let packet = match UdpPacket::new_checked(data) {
            Ok(packet) => packet,
            Err(error) => return self.line(format_args!("UDP: {error}")),
        };
        let valid = packet.verify_checksum(&envelope.src, &envelope.dst);
        let (src, dst, len) = (packet.src_port(), packet.dst_port(), packet.payload().len());
        self.line(format_args!("UDP {src} > {dst} len={len}{}", note(valid)))?;
        let dhcpv4 = [dhcpv4::CLIENT_PORT, dhcpv4::SERVER_PORT];
        match envelope.dst {
            IpAddress::Ipv4(_) if dhcpv4.contains(&src) && dhcpv4.contains(&dst) => {
                self.layer("DHCP", Dhcpv4Repr::parse(&Dhcpv4Packet::new_unchecked(packet.payload())))
            }
            _ => Ok(()),
        }
    }

    fn tcp(&mut self, envelope: &Envelope, data: &[u8]) -> fmt::Result {
        let repr = match TcpPacket::new_checked(data).and_then(|packet| tcpopt::Repr::parse(&packet)) {
            Ok(repr) => repr,
            Err(error) => return self.line(format_args!("TCP: {error}")),
        };
        let pseudo = pseudo_header_of(&envelope.src, &envelope.dst, IpProtocol::TCP.0, data.len() as u32);
        let valid = pseudo.add(sum(data)).is_valid();
        self.line(format_args!("{repr}{}", note(valid)))
    }

    fn icmpv4(&mut self, data: &[u8], quotes: usize) -> fmt::Result {
        let message = Icmpv4Repr::parse(&Icmpv4Packet::new_unchecked(data));
        self.layer("ICMPv4", message)?;
        match message {
            Ok(
                Icmpv4Repr::DstUnreachable { data, .. }
                | Icmpv4Repr::SourceQuench { data }
                | Icmpv4Repr::Redirect { data, .. }
                | Icmpv4Repr::TimeExceeded { data, .. }
                | Icmpv4Repr::ParamProblem { data, .. },
            ) => self.quoted(data, quotes + 1),
            _ => Ok(()),
        }
    }

    fn icmpv6(&mut self, src: &Ipv6Address, dst: &Ipv6Address, data: &[u8], quotes: usize) -> fmt::Result {
        let message = Icmpv6Repr::parse(src, dst, &Icmpv6Packet::new_unchecked(data));
        self.layer("ICMPv6", message)?;
        match message {
            Ok(
                Icmpv6Repr::DstUnreachable { data, .. }
                | Icmpv6Repr::PktTooBig { data, .. }
                | Icmpv6Repr::TimeExceeded { data, .. }
                | Icmpv6Repr::ParamProblem { data, .. },
            ) => self.quoted(data, quotes + 1),
            Ok(Icmpv6Repr::Ndisc(message)) => self.discovery(&message, data, quotes),
            _ => Ok(()),
        }
    }

    /// What a message of neighbour discovery says beyond its line.
    fn discovery(&mut self, message: &NdiscRepr<'_>, data: &[u8], quotes: usize) -> fmt::Result {
        let is_said = |option: &NdOption<'_>| {
            use NdOption::{Redirected, SourceLinkAddr, TargetLinkAddr};
            matches!(option, SourceLinkAddr(_) | TargetLinkAddr(_) | Redirected(_))
        };
        for option in ndisc::options(data).into_iter().flatten().filter(|option| !is_said(option)) {
            // All options are side by side.
            self.line(format_args!("{option}"))?;
            self.depth -= 1;
        }
        match message {
            NdiscRepr::Redirect { redirected: Some(packet), .. } => self.quoted(packet, quotes + 1),
            _ => Ok(()),
        }
    }
}

const fn note(checksum_valid: bool) -> &'static str {
    if checksum_valid { "" } else { " (wrong checksum)" }
}

const fn quoted(quotes: usize) -> &'static str {
    if quotes == 0 { "" } else { "quoted " }
}
