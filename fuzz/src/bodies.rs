//! What is fuzzed. Each function takes any octets and panics if a promise is broken.
//!
//! Besides the targets in fuzz_targets/, tests/fuzz_replay.rs runs these over the corpus and over
//! mutations of it in every build.

mod autoconf;
mod bridge;
mod checksum;
mod formats;
mod http;
mod interface;
mod peers;
mod program;
mod verify;
mod wire;

use goldcrest::wire::{
    EtherType, IpProtocol, Medium, PrettyPrinter, TcpPacket, TcpRepr, arp, ethernet, icmp, ipv4, ipv6,
    ipv6ext, ndisc, udp, vlan,
};

pub(crate) use autoconf::autoconf;
pub(crate) use bridge::bridge;
pub(crate) use checksum::checksum;
pub(crate) use formats::{groups, icmp, ip_options, transports};
pub(crate) use http::http;
pub(crate) use interface::interface;

/// A function that is fuzzed.
pub(crate) type Body = fn(&[u8]);

/// The functions, by the names of their targets and of their folders in fuzz/corpus.
pub(crate) const BODIES: &[(&str, Body)] = &[
    ("frame", frame),
    ("checksum", checksum),
    ("groups", groups),
    ("icmp", icmp),
    ("ip_options", ip_options),
    ("transports", transports),
    ("interface", interface),
    ("http", http),
    ("bridge", bridge),
    ("autoconf", autoconf),
];

/// An Ethernet frame, down to the last header that the formats know.
pub(crate) fn frame(data: &[u8]) {
    // Each medium's printer walks all the views and `Repr`s.
    let lines = PrettyPrinter::new("> ", Medium::Ethernet, data).to_string();
    assert!(lines.lines().all(|line| line.starts_with("> ")));
    let _ = PrettyPrinter::new("", Medium::Ip, data).to_string();
    let Ok((header, payload)) = ethernet::Header::split(data) else { return };
    let Some((ethertype, payload)) = behind_tags(header.ethertype(), payload) else { return };
    match ethertype {
        EtherType::ARP => arp(payload),
        EtherType::IPV4 => ipv4(payload),
        EtherType::IPV6 => ipv6(payload),
        _ => {}
    }
}

/// What follows the tags, of which each was written again as it was.
fn behind_tags(mut ethertype: EtherType, mut data: &[u8]) -> Option<(EtherType, &[u8])> {
    for _ in 0..vlan::MAX_TAGS {
        if !vlan::is_tag(ethertype) {
            break;
        }
        let tag = vlan::Repr::parse(&vlan::Packet::new_unchecked(data)).ok()?;
        let mut written = [0xff; vlan::TAG_LEN];
        tag.emit(&mut vlan::Packet::new_unchecked(&mut written[..]));
        let (header, payload) = vlan::Header::split(data).ok()?;
        assert_eq!(data.get(..vlan::TAG_LEN), Some(&written[..]));
        assert_eq!(header.raw_id(), tag.id.map_or(0, |id| id.number()));
        (ethertype, data) = (header.ethertype(), payload);
    }
    Some((ethertype, data))
}

/// What was parsed is written again as it was.
fn arp(data: &[u8]) {
    let Ok(header) = arp::Header::parse(data) else { return };
    let mut written = [0xff; arp::PACKET_LEN];
    let source = (header.source_hardware(), header.source_protocol());
    let target = (header.target_hardware(), header.target_protocol());
    arp::emit(&mut written, header.operation(), source, target);
    assert_eq!(data.get(..arp::PACKET_LEN), Some(&written[..]));
}

fn ipv4(data: &[u8]) {
    let Ok(parts) = ipv4::Header::split(data) else { return };
    assert!(parts.options.len() <= 40);
    assert!(ipv4::HEADER_LEN + parts.options.len() + parts.payload.len() <= data.len());
    transport(parts.header.protocol(), parts.payload, None);
}

fn ipv6(data: &[u8]) {
    let Ok((header, payload)) = ipv6::Header::split(data) else { return };
    assert!(ipv6::HEADER_LEN + payload.len() <= data.len());
    let Ok(walk) = ipv6ext::walk(header.next_header(), payload) else { return };
    assert!(walk.payload.len() <= payload.len());
    if let Some(fragment) = &walk.fragment {
        // A datagram that no packet could hold is refused at its first fragment.
        assert!(usize::from(fragment.offset) + walk.payload.len() <= usize::from(u16::MAX));
        return;
    }
    transport(walk.protocol, walk.payload, Some((header.src(), header.dst())));
}

fn transport(protocol: IpProtocol, data: &[u8], addresses: Option<(&[u8; 16], &[u8; 16])>) {
    match protocol {
        IpProtocol::UDP => {
            let Ok((header, payload)) = udp::Header::split(data) else { return };
            assert_eq!(usize::from(header.length()), udp::HEADER_LEN + payload.len());
            assert!(header.dst_port() != 0 && payload.len() + udp::HEADER_LEN <= data.len());
        }
        IpProtocol::TCP => tcp(data),
        IpProtocol::ICMP | IpProtocol::ICMPV6 => {
            let Ok((_, rest)) = icmp::Header::split(data) else { return };
            assert_eq!(icmp::HEADER_LEN + rest.len(), data.len());
            if let Some((src, dst)) = addresses {
                neighbor_discovery(src, dst, data);
            }
        }
        _ => {}
    }
}

/// What was read of a segment is read again when it is written.
fn tcp(data: &[u8]) {
    let Ok(segment) = TcpPacket::new_checked(data) else { return };
    assert_eq!(segment.header_len() + segment.payload().len(), data.len());
    assert_eq!(segment.header_len(), 20 + segment.options().len());
    let Ok(repr) = TcpRepr::parse(&segment) else { return };
    let mut written = vec![0xff; repr.buffer_len()];
    assert!(repr.buffer_len() <= data.len() + 12, "options that are understood take three words");
    let mut packet = TcpPacket::new_unchecked(&mut written[..]);
    repr.emit(&mut packet);
    let again = TcpPacket::new_checked(&written[..]).and_then(|packet| TcpRepr::parse(&packet));
    assert_eq!(again, Ok(repr));
}

fn neighbor_discovery(src: &[u8; 16], dst: &[u8; 16], data: &[u8]) {
    // No option is shorter than eight octets.
    let most = data.len() / 8;
    match ndisc::Message::parse(src, dst, data) {
        Ok(ndisc::Message::RouterAdvert { options, .. }) => assert!(options.take(most + 1).count() <= most),
        Ok(ndisc::Message::Redirect { redirected: Some(packet), .. }) => assert!(packet.len() < data.len()),
        _ => {}
    }
}
