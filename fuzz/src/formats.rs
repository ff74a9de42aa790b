//! Formats by themselves: what is read is written, and reads as the same again.
//!
//! The first octet of the input says which format the others are read as. Checksums are put right first:
//! a fuzzer does not guess them.

use std::fmt::Debug;

use goldcrest::wire::{
    Dhcpv4Packet, Dhcpv4Repr, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IgmpPacket, IgmpRepr,
    IpAddress, IpProtocol, Ipv4Packet, Ipv6Address, Ipv6ExtHeader, MldRepr, TcpPacket, UdpLitePacket,
    UdpLiteRepr, UdpPacket, UdpRepr, ipv4opt, mld, ndisc, tcpopt,
};

const LINK_LOCAL: Ipv6Address = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const GROUP: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// `read` once more what `write` made of what it read: `parse(emit(parse(x))) == parse(x)`.
fn kept<'d, R: PartialEq + Debug + 'd>(first: &R, written: &'d [u8], read: impl Fn(&'d [u8]) -> Option<R>) {
    let again = read(written);
    assert_eq!(again.as_ref(), Some(first), "written {written:02x?}");
}

/// IGMP and multicast listener discovery.
pub(crate) fn groups(data: &[u8]) {
    match data.split_first() {
        Some((format, data)) if format & 1 == 0 => igmp(data),
        Some((_, data)) => listeners(data),
        None => {}
    }
}

fn igmp(data: &[u8]) {
    let Ok(mut packet) = IgmpPacket::new_checked(data.to_vec()) else { return };
    packet.fill_checksum();
    let data = packet.into_inner();
    let read = |data| IgmpRepr::parse(&IgmpPacket::new_unchecked(data)).ok();
    let Some(repr) = read(&data[..]) else { return };
    assert!(repr.buffer_len() <= data.len() && !repr.to_string().is_empty());
    if let IgmpRepr::Report3 { records } = repr {
        assert_eq!(records.count(), usize::from(records.count_left()));
    }
    let mut written = IgmpPacket::new_unchecked(vec![0xff; repr.buffer_len()]);
    repr.emit(&mut written);
    kept(&repr, written.as_ref(), read);
}

fn listeners(data: &[u8]) {
    let read = |data| MldRepr::parse(&LINK_LOCAL.octets(), data).ok();
    let Some(message) = read(data) else { return };
    assert!(message.buffer_len() <= data.len() && !message.to_string().is_empty());
    if let mld::Message::Report2 { records } = message {
        assert_eq!(records.count(), usize::from(records.count_left()));
    }
    let mut written = vec![0xff; message.buffer_len()];
    message.emit(&mut written);
    kept(&message, &written, read);
}

/// ICMP of both families, neighbour discovery among it.
pub(crate) fn icmp(data: &[u8]) {
    match data.split_first() {
        Some((format, data)) if format & 1 == 0 => icmpv4(data),
        Some((_, data)) => icmpv6(data),
        None => {}
    }
}

fn icmpv4(data: &[u8]) {
    let Ok(mut packet) = Icmpv4Packet::new_checked(data.to_vec()) else { return };
    packet.fill_checksum();
    let data = packet.into_inner();
    let read = |data| Icmpv4Repr::parse(&Icmpv4Packet::new_unchecked(data)).ok();
    let Some(repr) = read(&data[..]) else { return };
    assert!(repr.buffer_len() <= data.len() && !repr.to_string().is_empty());
    let mut written = Icmpv4Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
    repr.emit(&mut written);
    kept(&repr, written.as_ref(), read);
}

fn icmpv6(data: &[u8]) {
    let Ok(mut packet) = Icmpv6Packet::new_checked(data.to_vec()) else { return };
    packet.fill_checksum(&LINK_LOCAL, &GROUP);
    let data = packet.into_inner();
    let read = |data| Icmpv6Repr::parse(&LINK_LOCAL, &GROUP, &Icmpv6Packet::new_unchecked(data)).ok();
    let Some(repr) = read(&data[..]) else { return };
    assert!(!repr.to_string().is_empty());
    let mut written = Icmpv6Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
    repr.emit(&LINK_LOCAL, &GROUP, &mut written);
    kept(&repr, written.as_ref(), read);
}

/// The options of IPv4, the extension headers of IPv6, and the options of neighbour discovery.
pub(crate) fn ip_options(data: &[u8]) {
    let Some((format, data)) = data.split_first() else { return };
    match format & 7 {
        0 => ipv4_options(data),
        1 => ipv4_header(data),
        2 => ext_header(IpProtocol::HOP_BY_HOP, data),
        3 => ext_header(IpProtocol::IPV6_OPTIONS, data),
        4 => ext_header(IpProtocol::IPV6_ROUTE, data),
        5 => ext_header(IpProtocol::IPV6_FRAGMENT, data),
        _ => discovery_options(data),
    }
}

fn ext_header(protocol: IpProtocol, data: &[u8]) {
    let read = |data| Ipv6ExtHeader::parse(protocol, data).ok().map(|(header, _)| header);
    let Some(header) = read(data) else { return };
    assert!(header.buffer_len() <= data.len() && !header.to_string().is_empty());
    assert_eq!(header.protocol(), protocol);
    let mut written = vec![0xff; header.buffer_len()];
    header.emit(&mut written);
    kept(&header, &written, read);
}

fn discovery_options(data: &[u8]) {
    let read = |data| ndisc::Options::parse(data).ok().map(|options| options.collect::<Vec<_>>());
    let Some(options) = read(data) else { return };
    // No option is shorter than eight octets.
    assert!(options.len() <= data.len() / 8);
    let mut written = Vec::new();
    for option in &options {
        assert!(!option.to_string().is_empty());
        let at = written.len();
        written.resize(at + option.buffer_len(), 0xff);
        option.emit(&mut written[at..]);
    }
    kept(&options, &written, read);
}

fn ipv4_options(data: &[u8]) {
    let Ok(options) = ipv4opt::Options::parse(data) else { return };
    assert!(options.buffer_len() <= ipv4opt::MAX_LEN);
    let mut written = vec![0; options.buffer_len()];
    options.fold(&mut written[..], |rest, option| {
        assert!(!option.to_string().is_empty());
        option.emit(rest)
    });
    kept(&options, &written, |data| ipv4opt::Options::parse(data).ok());
}

fn ipv4_header(data: &[u8]) {
    let Ok(mut packet) = Ipv4Packet::new_checked(data.to_vec()) else { return };
    packet.fill_checksum();
    let data = packet.into_inner();
    let read = |data| ipv4opt::Repr::parse(&Ipv4Packet::new_unchecked(data)).ok();
    let Some(repr) = read(&data[..]) else { return };
    let len = repr.buffer_len() + usize::from(repr.header.payload_len);
    assert!(len <= data.len() && !repr.to_string().is_empty());
    let mut written = Ipv4Packet::new_unchecked(vec![0xff; len]);
    repr.emit(&mut written);
    kept(&repr, written.as_ref(), read);
}

/// UDP with DHCP, UDP-Lite, and TCP with its options.
pub(crate) fn transports(data: &[u8]) {
    let Some((format, data)) = data.split_first() else { return };
    match format & 7 {
        0 => udp(data),
        1 => udplite(data),
        2 => tcp(data),
        4 => dhcpv4(data),
        _ => tcp_options(data),
    }
}

fn dhcpv4(data: &[u8]) {
    let read = |data| Dhcpv4Repr::parse(&Dhcpv4Packet::new_unchecked(data)).ok();
    let Some(repr) = read(data) else { return };
    assert!(!repr.to_string().is_empty());
    for code in repr.options.codes() {
        let value = repr.options.get(code).unwrap();
        assert_eq!(value.octets().count(), value.len());
        assert!(value.names().take(8).all(|name| name.as_octets().ends_with(&[0])));
        assert!(value.routes().is_none_or(|routes| routes.count() <= value.len() / 5));
    }
    let mut written = Dhcpv4Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
    repr.emit(&mut written);
    kept(&repr, written.as_ref(), read);
}

fn tcp(data: &[u8]) {
    let read = |data| TcpPacket::new_checked(data).and_then(|packet| tcpopt::Repr::parse(&packet)).ok();
    let Some(repr) = read(data) else { return };
    assert!(repr.header_len() <= data.len() && !repr.to_string().is_empty());
    let mut written = vec![0xff; repr.header_len() + repr.payload_len];
    repr.emit(&mut TcpPacket::new_unchecked(&mut written[..]));
    kept(&repr, &written, read);
}

fn tcp_options(data: &[u8]) {
    let Ok(options) = tcpopt::Options::parse(data) else { return };
    assert!(options.buffer_len() <= tcpopt::MAX_LEN);
    let mut written = vec![0; options.buffer_len()];
    options.fold(&mut written[..], |rest, option| {
        assert!(!option.to_string().is_empty());
        option.emit(rest)
    });
    kept(&options, &written, |data| tcpopt::Options::parse(data).ok());
}

fn addresses() -> (IpAddress, IpAddress) {
    (LINK_LOCAL.into(), GROUP.into())
}

fn udp(data: &[u8]) {
    let (src, dst) = addresses();
    let Ok(mut packet) = UdpPacket::new_checked(data.to_vec()) else { return };
    packet.fill_checksum(&src, &dst);
    let repr = UdpRepr::parse(&packet, &src, &dst).unwrap();
    let mut written = UdpPacket::new_unchecked(vec![0xff; usize::from(packet.length())]);
    repr.emit(&mut written, &src, &dst, packet.payload());
    assert!(packet.into_inner().starts_with(written.as_ref()));
}

fn udplite(data: &[u8]) {
    let (src, dst) = addresses();
    let Ok(mut packet) = UdpLitePacket::new_checked(data.to_vec()) else { return };
    packet.fill_checksum(&src, &dst);
    let repr = UdpLiteRepr::parse(&packet, &src, &dst).unwrap();
    let mut written = UdpLitePacket::new_unchecked(vec![0xff; data.len()]);
    repr.emit(&mut written, &src, &dst, packet.payload());
    assert_eq!(written, packet);
}
