//! A frame as text, one line a layer, for tracers and for looking at captures. A packet that an ICMP error
//! quotes is "quoted", and indented below the error.
//!
//! What can't be read is said and ends the text; a wrong transport checksum is only noted, since a
//! frame on its way to a device that computes checksums has one. Nothing here is used by the engine.

use core::fmt;

mod ip;

#[cfg(feature = "medium-ethernet")]
use super::{ArpPacket, ArpRepr, EtherType, EthernetFrame, EthernetRepr, VlanPacket, VlanRepr, vlan};
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};
    use crate::wire::{Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr, captured};

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
        assert_eq!(
            text,
            "IPv6 fd00::1 > fd00::2 Hop-by-Hop len=34 hop-limit=64\n \
             └─ Hop-by-Hop router-alert=0 IPv6-Opts\n  \
             └─ IPv6-Opts IPv6-Frag\n   \
             └─ fragment=0x00000009@0 UDP\n    \
             └─ UDP 5 > 6 len=2"
        );
        let many = [&hex(frames::EXTENSIONS)[..6], &[60, 64], &[0; 32], &[60, 0, 1, 4, 0, 0, 0, 0].repeat(9)]
            .concat();
        let mut many = many;
        many[5] = 72;
        let text = PrettyPrinter::new("", Medium::Ip, &many).to_string();
        assert!(text.ends_with("└─ more than 8 extension headers"), "{text}");
        assert_eq!(text.lines().count(), 10);
    }

    #[test]
    #[cfg(feature = "medium-ethernet")]
    fn options_and_quoted_packets_have_lines() {
        let text = |frame: &str| PrettyPrinter::new("", Medium::Ethernet, &hex(frame)).to_string();
        let ends = [
            (
                frames::UNREACHABLE4,
                "└─ ICMPv4 destination unreachable code=3\n   \
                 └─ quoted IPv4 10.0.0.1 > 10.0.0.2 UDP len=13 ttl=64\n    \
                 └─ UDP 5555 > 7777 len=5",
            ),
            (
                frames::TIME_EXCEEDED4,
                "└─ ICMPv4 time exceeded code=0\n   \
                 └─ quoted IPv4 10.0.0.1 > 10.9.9.9 UDP len=16 ttl=64\n    \
                 └─ UDP 5 > 6 in part",
            ),
            (
                captured::REDIRECT6,
                "└─ ICMPv6 redirect fd05::1 by fe80::77\n   \
                 └─ quoted IPv6 fd00::1 > fd05::1 ICMPv6 len=64 hop-limit=64\n    \
                 └─ ICMPv6 echo request id=19748 seq=1 len=56",
            ),
            (
                captured::ADVERT_OF_RADVD,
                "prefix=fd00:1::/64\n   \
                 └─ prefix=fd00:1::/64 ON_LINK ADDRCONF\n   \
                 └─ route=fd00:2::/48 Low lifetime=600s\n   \
                 └─ route=fd00:3::/96 Medium lifetime=12s\n   \
                 └─ dns={fd00::53, fd00::54} lifetime=600s\n   \
                 └─ search={example.org, lan.example.org} lifetime=600s\n   \
                 └─ mtu=1480",
            ),
            (
                captured::IGMP3_QUERY,
                "IGMP len=12 ttl=1 router-alert=0\n  \
                 └─ IGMPv3 query group=0.0.0.0 within=100ds robustness=2 interval=125s",
            ),
            (
                captured::DHCP_NAK,
                "└─ UDP 67 > 68 len=300 (wrong checksum)\n   \
                 └─ DHCP nak xid=0x4f2a11c3 client=02:00:00:00:00:01 broadcast server=10.9.0.1 \
                 message=wrong address",
            ),
            (captured::SYN_MD5, "win=64240 len=0 md5 mss=1460 sackOK wscale=10 (wrong checksum)"),
            (
                captured::UDPLITE6_PART,
                "└─ IPv6 fd00::1 > fd00::2 UDP-Lite len=18 hop-limit=64\n  \
                 └─ UDP-Lite 5555 > 7777 coverage=12",
            ),
        ];
        for (frame, end) in ends {
            let text = text(frame);
            assert!(text.ends_with(end), "{text}\n\n{end}");
        }
    }

    #[test]
    #[cfg(feature = "medium-ip")]
    fn errors_about_errors_end() {
        let mut data = hex(frames::UDP4)[14..].to_vec();
        for _ in 0..40 {
            let error = Icmpv4Repr::TimeExceeded { code: 0, data: &data };
            let mut message = Icmpv4Packet::new_unchecked(vec![0; error.buffer_len()]);
            error.emit(&mut message);
            let (src, dst) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
            let header = Ipv4Repr::new(src, dst, IpProtocol::ICMP, error.buffer_len() as u16, 64);
            let mut packet = vec![0; 20];
            header.emit(&mut Ipv4Packet::new_unchecked(&mut packet[..]));
            packet.extend(message.into_inner());
            data = packet;
        }
        let text = PrettyPrinter::new("", Medium::Ip, &data).to_string();
        assert_eq!(text.lines().count(), 2 + 3 * 2 + 1);
        assert!(text.ends_with("└─ quoted packet"), "{text}");
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
            let bad = ["malformed", "truncated", "unsupported", ": wrong checksum"];
            assert!(!bad.iter().any(|bad| text.contains(bad)), "{text}");
            // On a veth Linux leaves the sums of UDP and TCP to a device that is not there.
            assert!(medium == Medium::Ethernet || !text.contains("wrong checksum"), "{text}");
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
