//! A frame as text, one line a layer, for tracers and for looking at captures.
//!
//! What can't be read is said and ends the text; a wrong transport checksum is only noted, since a
//! frame on its way to a device that computes checksums has one. Nothing here is used by the engine.

use core::fmt;

use super::checksum::{pseudo_header_of, sum};
use super::ipv6ext::{self, Fragment};
#[cfg(feature = "medium-ethernet")]
use super::{ArpPacket, ArpRepr, EtherType, EthernetFrame, EthernetRepr, VlanPacket, VlanRepr, vlan};
use super::{
    Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IgmpPacket, IgmpRepr, IpAddress, IpProtocol,
    IpVersion, Ipv4Packet, Ipv6Packet, Ipv6Repr, TcpPacket, TcpRepr, UdpLitePacket, UdpLiteRepr, UdpPacket,
};
use crate::wire::Medium;

/// A frame that prints itself, one line a layer, each behind a prefix.
#[derive(Debug, Clone, Copy)]
pub struct PrettyPrinter<'a> {
    prefix: &'a str,
    medium: Medium,
    frame: &'a [u8],
}

impl<'a> PrettyPrinter<'a> {
    /// A frame as devices of `medium` carry it. Each line begins with `prefix`.
    pub const fn new(prefix: &'a str, medium: Medium, frame: &'a [u8]) -> PrettyPrinter<'a> {
        PrettyPrinter { prefix, medium, frame }
    }
}

impl fmt::Display for PrettyPrinter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines { f, prefix: self.prefix, depth: 0 };
        match self.medium {
            #[cfg(feature = "medium-ethernet")]
            Medium::Ethernet => lines.ethernet(self.frame),
            #[cfg(feature = "medium-ip")]
            Medium::Ip => lines.ip(self.frame),
        }
    }
}

/// The text so far: how many layers deep it is.
struct Lines<'l, 'f> {
    f: &'l mut fmt::Formatter<'f>,
    prefix: &'l str,
    depth: usize,
}

/// What a transport's checksum and text need of the packet around it.
struct Envelope {
    src: IpAddress,
    dst: IpAddress,
    protocol: IpProtocol,
    /// Whether the payload is all there, so that its checksum can be verified.
    whole: bool,
}

impl Lines<'_, '_> {
    fn line(&mut self, text: fmt::Arguments<'_>) -> fmt::Result {
        match self.depth {
            0 => write!(self.f, "{}{text}", self.prefix)?,
            depth => write!(self.f, "\n{}{:depth$}└─ {text}", self.prefix, "")?,
        }
        self.depth += 1;
        Ok(())
    }

    /// A layer, or why it can't be read.
    fn layer<T: fmt::Display>(&mut self, name: &str, layer: super::Result<T>) -> fmt::Result {
        match layer {
            Ok(layer) => self.line(format_args!("{layer}")),
            Err(error) => self.line(format_args!("{name}: {error}")),
        }
    }

    #[cfg(feature = "medium-ethernet")]
    fn ethernet(&mut self, data: &[u8]) -> fmt::Result {
        let frame = match EthernetFrame::new_checked(data) {
            Ok(frame) => frame,
            Err(error) => return self.line(format_args!("Ethernet: {error}")),
        };
        self.layer("Ethernet", EthernetRepr::parse(&frame))?;
        let (mut ethertype, mut payload) = (frame.ethertype(), frame.payload());
        for _ in 0..vlan::MAX_TAGS {
            if !vlan::is_tag(ethertype) {
                break;
            }
            let tag = VlanRepr::parse(&VlanPacket::new_unchecked(payload));
            self.layer("VLAN", tag)?;
            let (Ok(tag), Some(rest)) = (tag, payload.get(vlan::TAG_LEN..)) else { return Ok(()) };
            (ethertype, payload) = (tag.ethertype, rest);
        }
        match ethertype {
            EtherType::ARP => {
                let packet = ArpPacket::new_unchecked(payload);
                self.layer("ARP", ArpRepr::parse(&packet))
            }
            EtherType::IPV4 | EtherType::IPV6 => self.ip(payload),
            _ => Ok(()),
        }
    }

    fn ip(&mut self, data: &[u8]) -> fmt::Result {
        match IpVersion::of_packet(data) {
            Some(IpVersion::Ipv4) => self.ipv4(data),
            Some(IpVersion::Ipv6) => self.ipv6(data),
            None => self.line(format_args!("IP: neither version 4 nor 6")),
        }
    }

    fn ipv4(&mut self, data: &[u8]) -> fmt::Result {
        let packet = match Ipv4Packet::new_checked(data) {
            Ok(packet) => packet,
            Err(error) => return self.line(format_args!("IPv4: {error}")),
        };
        let repr = packet.repr();
        self.line(format_args!("{repr}{}", note(packet.verify_checksum())))?;
        if packet.fragment_offset() != 0 {
            return Ok(());
        }
        let envelope = Envelope {
            src: repr.src_addr.into(),
            dst: repr.dst_addr.into(),
            protocol: repr.next_header,
            whole: !repr.more_fragments,
        };
        self.transport(&envelope, packet.payload())
    }

    fn ipv6(&mut self, data: &[u8]) -> fmt::Result {
        let repr = Ipv6Packet::new_checked(data).and_then(|packet| Ipv6Repr::parse(&packet));
        self.layer("IPv6", repr)?;
        let (Ok(repr), Ok(packet)) = (repr, Ipv6Packet::new_checked(data)) else { return Ok(()) };
        let walk = match ipv6ext::walk(repr.next_header, packet.payload()) {
            Ok(walk) => walk,
            Err(stop) => return self.line(format_args!("extension headers: {stop:?}")),
        };
        if let Some(Fragment { ident, offset, more }) = walk.fragment {
            let more = if more { "+" } else { "" };
            self.line(format_args!("fragment={ident:#010x}@{offset}{more} {}", walk.protocol))?;
            if offset != 0 {
                return Ok(());
            }
        }
        let envelope = Envelope {
            src: repr.src_addr.into(),
            dst: repr.dst_addr.into(),
            protocol: walk.protocol,
            whole: walk.fragment.is_none(),
        };
        self.transport(&envelope, walk.payload)
    }

    fn transport(&mut self, envelope: &Envelope, data: &[u8]) -> fmt::Result {
        match (envelope.protocol, envelope.src, envelope.dst) {
            (IpProtocol::UDP, ..) => self.udp(envelope, data),
            (IpProtocol::TCP, ..) => self.tcp(envelope, data),
            (IpProtocol::UDP_LITE, ..) if !envelope.whole => Ok(()), // the coverage may be beyond
            (IpProtocol::UDP_LITE, src, dst) => {
                self.layer("UDP-Lite", UdpLiteRepr::parse(&UdpLitePacket::new_unchecked(data), &src, &dst))
            }
            (IpProtocol::ICMP | IpProtocol::ICMPV6 | IpProtocol::IGMP, ..) if !envelope.whole => Ok(()),
            (IpProtocol::IGMP, IpAddress::Ipv4(_), _) => {
                self.layer("IGMP", IgmpRepr::parse(&IgmpPacket::new_unchecked(data)))
            }
            (IpProtocol::ICMP, IpAddress::Ipv4(_), _) => {
                self.layer("ICMPv4", Icmpv4Repr::parse(&Icmpv4Packet::new_unchecked(data)))
            }
            (IpProtocol::ICMPV6, IpAddress::Ipv6(src), IpAddress::Ipv6(dst)) => {
                let packet = Icmpv6Packet::new_unchecked(data);
                self.layer("ICMPv6", Icmpv6Repr::parse(&src, &dst, &packet))
            }
            _ => Ok(()),
        }
    }

    fn udp(&mut self, envelope: &Envelope, data: &[u8]) -> fmt::Result {
        let packet = match UdpPacket::new_checked(data) {
            Ok(packet) => packet,
            Err(error) => return self.line(format_args!("UDP: {error}")),
        };
        let valid = !envelope.whole || packet.verify_checksum(&envelope.src, &envelope.dst);
        let (src, dst, len) = (packet.src_port(), packet.dst_port(), packet.payload().len());
        self.line(format_args!("UDP {src} > {dst} len={len}{}", note(valid)))
    }

    fn tcp(&mut self, envelope: &Envelope, data: &[u8]) -> fmt::Result {
        let repr = match TcpPacket::new_checked(data).and_then(|packet| TcpRepr::parse(&packet)) {
            Ok(repr) => repr,
            Err(error) => return self.line(format_args!("TCP: {error}")),
        };
        let pseudo = pseudo_header_of(&envelope.src, &envelope.dst, IpProtocol::TCP.0, data.len() as u32);
        let valid = !envelope.whole || pseudo.add(sum(data)).is_valid();
        self.line(format_args!("{repr}{}", note(valid)))
    }
}

const fn note(checksum_valid: bool) -> &'static str {
    if checksum_valid { "" } else { " (wrong checksum)" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::captured;
    use crate::wire::frames::{self, hex};

    #[test]
    #[cfg(feature = "medium-ethernet")]
    fn each_layer_is_a_line() {
        let text = |frame: &str| PrettyPrinter::new("> ", Medium::Ethernet, &hex(frame)).to_string();
        assert_eq!(
            text(frames::UDP4),
            "> Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02 IPv4\n\
             >  └─ IPv4 10.0.0.1 > 10.0.0.2 UDP len=13 ttl=64\n\
             >   └─ UDP 5555 > 7777 len=5"
        );
        assert_eq!(
            text(frames::ARP_REPLY),
            "> Ethernet 02:00:00:00:00:02 > 02:00:00:00:00:01 ARP\n\
             >  └─ ARP 10.0.0.2 is at 02:00:00:00:00:02"
        );
        assert_eq!(
            text(frames::SOLICIT),
            "> Ethernet 02:00:00:00:00:01 > 33:33:ff:00:00:02 IPv6\n\
             >  └─ IPv6 fd00::1 > ff02::1:ff00:2 ICMPv6 len=32 hop-limit=255\n\
             >   └─ ICMPv6 neighbor solicitation who has fd00::2? at 02:00:00:00:00:01"
        );
        assert!(
            text(frames::TCP_SYN)
                .ends_with("\n>   └─ TCP 49152 > 80 SYN seq=16909060 win=65535 len=0 mss=1460 wscale=7")
        );
        assert!(text(frames::FRAGMENT6_LAST).ends_with("\n>   └─ fragment=0x8e81741f@1448 ICMPv6"));
    }

    #[test]
    #[cfg(feature = "medium-ethernet")]
    fn each_tag_is_a_line() {
        let text = |data: &[u8]| PrettyPrinter::new("", Medium::Ethernet, data).to_string();
        let frame = hex(frames::QINQ_ARP);
        assert_eq!(
            text(&frame),
            "Ethernet 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff 802.1ad\n \
             └─ VLAN 100 priority=3 drop-eligible 802.1Q\n  \
             └─ VLAN 200 priority=0 ARP\n   \
             └─ ARP who has 10.0.0.2? tell 10.0.0.1 at 02:00:00:00:00:01"
        );
        assert!(text(&frame[..20]).ends_with("802.1Q\n  └─ VLAN: truncated packet"));
        let tag = [0x81, 0, 0, 7];
        let many = [&frame[..12], &tag, &tag, &tag, &tag].concat();
        assert_eq!(text(&many).lines().count(), 1 + vlan::MAX_TAGS);
    }

    #[test]
    #[cfg(feature = "medium-ip")]
    fn extension_headers_are_seen_through() {
        let text = PrettyPrinter::new("", Medium::Ip, &hex(frames::EXTENSIONS)).to_string();
        assert_eq!(text, "IPv6 fd00::1 > fd00::2 Hop-by-Hop len=34 hop-limit=64\n └─ UDP 5 > 6 len=2");
    }

    #[test]
    #[cfg(feature = "medium-ip")]
    fn what_is_wrong_is_said() {
        let text = |data: &[u8]| PrettyPrinter::new("", Medium::Ip, data).to_string();
        let good = hex(frames::UDP4)[14..].to_vec();
        let with = |at: usize, value: u8| {
            let mut data = good.clone();
            data[at] = value;
            text(&data)
        };
        assert!(with(32, b'j').ends_with("\n └─ UDP 5555 > 7777 len=5 (wrong checksum)"));
        assert!(with(8, 1).starts_with("IPv4 10.0.0.1 > 10.0.0.2 UDP len=13 ttl=1 (wrong checksum)\n"));
        assert!(with(25, 3).ends_with("\n └─ UDP: malformed packet"));
        assert_eq!(with(0, 0x44), "IPv4: malformed packet");
        assert_eq!(with(0, 0x54), "IP: neither version 4 nor 6");
        assert_eq!(text(&good[..19]), "IPv4: truncated packet");
        assert_eq!(text(&[]), "IP: neither version 4 nor 6");
    }

    #[test]
    #[cfg(all(feature = "medium-ethernet", feature = "medium-ip"))]
    fn what_others_sent_is_printed_without_complaint() {
        for frame in captured::ALL {
            let medium = if frame.starts_with(['4', '6']) { Medium::Ip } else { Medium::Ethernet };
            let text = PrettyPrinter::new("", medium, &hex(frame)).to_string();
            let bad = ["malformed", "truncated", "unsupported", "IPv4 checksum"];
            assert!(!bad.iter().any(|bad| text.contains(bad)), "{text}");
        }
    }

    #[test]
    #[cfg(feature = "medium-ethernet")]
    fn no_cut_and_no_flipped_bit_makes_it_panic() {
        let frames = [
            frames::ARP_REQUEST,
            frames::UDP4,
            frames::ROUTER_ALERT4,
            frames::FRAGMENT4_FIRST,
            frames::FRAGMENTATION_NEEDED,
            frames::TCP_SYN,
            frames::UDP6,
            frames::UNREACHABLE6,
            frames::ADVERT,
            frames::PROBE,
            frames::MLD_REPORT,
            frames::VLAN_UDP4,
            frames::QINQ_ARP,
            frames::PRIORITY_UDP6,
        ];
        for frame in frames {
            let mut data = hex(frame);
            for len in 0..data.len() {
                assert!(!PrettyPrinter::new("", Medium::Ethernet, &data[..len]).to_string().is_empty());
            }
            for bit in 0..data.len() * 8 {
                data[bit / 8] ^= 1 << (bit % 8);
                assert!(!PrettyPrinter::new("", Medium::Ethernet, &data).to_string().is_empty());
                data[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}
