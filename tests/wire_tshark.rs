//! One frame of each format and kind, written by the `Repr`s, dissected by tshark: it finds what was meant,
//! nothing malformed and no wrong checksum.

#![cfg(feature = "medium-ethernet")]

use std::process::Command;

use goldcrest::wire::ndisc::{NeighborFlags, PrefixFlags, PrefixInformation, RouteInformation, RouterFlags};
use goldcrest::wire::{
    ArpOperation, ArpPacket, ArpRepr, Dhcpv4Packet, Dhcpv4Repr, EtherType, EthernetAddress, EthernetFrame,
    EthernetRepr, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IgmpPacket, IgmpRepr, IpAddress,
    IpProtocol, Ipv4Address, Ipv4Option, Ipv4Packet, Ipv4Repr, Ipv6Address, Ipv6ExtHeader, Ipv6Option,
    Ipv6Packet, Ipv6Repr, Medium, MldRepr, NdOption, NdiscRepr, PrettyPrinter, TcpFlags, TcpOption,
    TcpPacket, TcpSeqNumber, UdpLitePacket, UdpLiteRepr, UdpPacket, UdpRepr, VlanId, VlanPacket,
    VlanPriority, VlanRepr, dhcpv4, group, icmpv4, igmp, ipv4, ipv4opt, ipv6ext, ipv6opt, mld, ndisc, tcpopt,
};

#[expect(dead_code, reason = "no example is needed here")]
mod common;

const OUR_HARDWARE: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
const V4: (Ipv4Address, Ipv4Address) = (Ipv4Address::new(10, 0, 0, 1), Ipv4Address::new(10, 0, 0, 2));
const LINK_LOCAL: Ipv6Address = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const GROUP: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0x1ff, 2);

/// What tshark has to say of a frame, and the frame.
type Case = (&'static str, Vec<u8>);

fn frame(ethertype: EtherType, dst: EthernetAddress, packet: &[u8]) -> Vec<u8> {
    let repr = EthernetRepr { src_addr: OUR_HARDWARE, dst_addr: dst, ethertype };
    let mut frame = EthernetFrame::new_unchecked(vec![0xff; repr.buffer_len() + packet.len()]);
    repr.emit(&mut frame);
    frame.payload_mut().copy_from_slice(packet);
    frame.into_inner()
}

fn ipv4_packet(dst: Ipv4Address, protocol: IpProtocol, area: &[u8], payload: &[u8]) -> Vec<u8> {
    let hop_limit = if dst.is_multicast() { 1 } else { 64 };
    let header = Ipv4Repr::new(V4.0, dst, protocol, payload.len() as u16, hop_limit);
    let repr = ipv4opt::Repr { header, options: ipv4opt::Options::parse(area).unwrap() };
    let mut packet = Ipv4Packet::new_unchecked(vec![0xff; repr.buffer_len() + payload.len()]);
    repr.emit(&mut packet);
    packet.payload_mut().copy_from_slice(payload);
    packet.into_inner()
}

fn ipv4(dst: Ipv4Address, protocol: IpProtocol, area: &[u8], payload: &[u8]) -> Vec<u8> {
    let [_, b, c, d] = dst.octets();
    let hardware = if dst.is_multicast() { [1, 0, 0x5e, b & 0x7f, c, d] } else { [2, 0, 0, 0, 0, 2] };
    frame(EtherType::IPV4, EthernetAddress(hardware), &ipv4_packet(dst, protocol, area, payload))
}

fn ipv6_packet(dst: Ipv6Address, hop_limit: u8, next_header: IpProtocol, payload: &[u8]) -> Vec<u8> {
    let repr = Ipv6Repr::new(LINK_LOCAL, dst, next_header, payload.len() as u16, hop_limit);
    let mut packet = Ipv6Packet::new_unchecked(vec![0xff; repr.buffer_len() + payload.len()]);
    repr.emit(&mut packet);
    packet.payload_mut().copy_from_slice(payload);
    packet.into_inner()
}

fn ipv6(dst: Ipv6Address, hop_limit: u8, next_header: IpProtocol, payload: &[u8]) -> Vec<u8> {
    let [.., a, b, c, d] = dst.octets();
    let hardware = if dst.is_multicast() { [0x33, 0x33, a, b, c, d] } else { [2, 0, 0, 0, 0, 2] };
    frame(EtherType::IPV6, EthernetAddress(hardware), &ipv6_packet(dst, hop_limit, next_header, payload))
}

fn udp(src: IpAddress, dst: IpAddress) -> Vec<u8> {
    let repr = UdpRepr { src_port: 5555, dst_port: 7777 };
    let mut packet = UdpPacket::new_unchecked(vec![0xff; repr.buffer_len(5)]);
    repr.emit(&mut packet, &src, &dst, b"hello");
    packet.into_inner()
}

fn udp4() -> Vec<u8> {
    udp(V4.0.into(), V4.1.into())
}

/// A frame with these tags behind the addresses, the outer one first.
fn tagged(tags: &[(EtherType, VlanRepr)], frame: &[u8]) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    let mut tagged = addresses.to_vec();
    for (ethertype, repr) in tags {
        let mut tag = VlanPacket::new_unchecked(vec![0xff; repr.buffer_len()]);
        repr.emit(&mut tag);
        // What follows the EtherType of a tag: the tag's number, and the next EtherType.
        tagged.extend(ethertype.0.to_be_bytes());
        tagged.extend(&tag.as_ref()[..2]);
    }
    [&tagged[..], rest].concat()
}

fn vlans() -> Vec<Case> {
    let tag = |id, priority, drop_eligible, ethertype| VlanRepr {
        id: VlanId::new(id),
        priority: VlanPriority::new(priority).unwrap(),
        drop_eligible,
        ethertype,
    };
    let datagram = ipv4(V4.1, IpProtocol::UDP, &[], &udp4());
    let single = [(EtherType::VLAN, tag(42, 5, false, EtherType::IPV4))];
    let stacked = [
        (EtherType::QINQ, tag(100, 3, true, EtherType::VLAN)),
        (EtherType::VLAN, tag(200, 0, false, EtherType::IPV4)),
    ];
    let priority_only = [(EtherType::VLAN, tag(0, 7, false, EtherType::IPV4))];
    vec![
        ("0000 0010 1010 = ID: 42", tagged(&single, &datagram)),
        ("101. .... .... .... = Priority: ", tagged(&single, &datagram)),
        ("IEEE 802.1ad, ID: 100", tagged(&stacked, &datagram)),
        ("802.1Q Virtual LAN, PRI: 0, DEI: 0, ID: 200", tagged(&stacked, &datagram)),
        ("...1 .... .... .... = DEI: 1", tagged(&stacked, &datagram)),
        ("802.1Q Virtual LAN, PRI: 7, DEI: 0, ID: 0", tagged(&priority_only, &datagram)),
    ]
}

fn arp() -> Vec<Case> {
    let repr = |operation| ArpRepr {
        operation,
        source_hardware_addr: OUR_HARDWARE,
        source_protocol_addr: V4.0,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: V4.1,
    };
    let frame = |operation| {
        let mut packet = ArpPacket::new_unchecked([0xff; 28]);
        repr(operation).emit(&mut packet);
        frame(EtherType::ARP, EthernetAddress([0xff; 6]), &packet.into_inner())
    };
    vec![
        ("Opcode: request (1)", frame(ArpOperation::REQUEST)),
        ("Opcode: reply (2)", frame(ArpOperation::REPLY)),
    ]
}

fn icmpv4() -> Vec<Case> {
    let quoted = ipv4_packet(V4.1, IpProtocol::UDP, &[], &udp4());
    let (ident, seq_no, mask) = (7, 1, Ipv4Address::new(255, 255, 255, 0));
    let (data, times) = (&quoted[..], icmpv4::Times { originate: 1, receive: 2, transmit: 3 });
    let reprs = [
        ("Type: 8 (Echo (ping) request)", Icmpv4Repr::EchoRequest { ident, seq_no, data: b"data" }),
        ("Type: 0 (Echo (ping) reply)", Icmpv4Repr::EchoReply { ident, seq_no, data: b"data" }),
        ("Code: 3 (Port unreachable)", Icmpv4Repr::DstUnreachable { code: 3, next_hop_mtu: 0, data }),
        ("MTU of next hop: 1400", Icmpv4Repr::DstUnreachable { code: 4, next_hop_mtu: 1400, data }),
        ("Type: 4 (Source quench", Icmpv4Repr::SourceQuench { data }),
        ("Gateway Address: 10.0.0.2", Icmpv4Repr::Redirect { code: 1, gateway: V4.1, data }),
        ("Type: 11 (Time-to-live exceeded)", Icmpv4Repr::TimeExceeded { code: 0, data }),
        ("Pointer: 20", Icmpv4Repr::ParamProblem { code: 0, pointer: 20, data }),
        ("Originate Timestamp: 1 ", Icmpv4Repr::TimestampRequest { ident, seq_no, times }),
        ("Transmit Timestamp: 3 ", Icmpv4Repr::TimestampReply { ident, seq_no, times }),
        ("Type: 15 (Information request)", Icmpv4Repr::InformationRequest { ident, seq_no }),
        ("Type: 16 (Information reply)", Icmpv4Repr::InformationReply { ident, seq_no }),
        ("Type: 17 (Address mask request)", Icmpv4Repr::MaskRequest { ident, seq_no, mask }),
        ("Address Mask: 255.255.255.0", Icmpv4Repr::MaskReply { ident, seq_no, mask }),
    ];
    let case = |(text, repr): (_, Icmpv4Repr<'_>)| {
        let mut packet = Icmpv4Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
        repr.emit(&mut packet);
        (text, ipv4(V4.1, IpProtocol::ICMP, &[], packet.as_ref()))
    };
    reprs.into_iter().map(case).collect()
}

fn igmp() -> Vec<Case> {
    let group = Ipv4Address::new(239, 1, 2, 3);
    let (octets, sources) = (group.octets(), [[10, 9, 9, 8], [10, 9, 9, 9]]);
    let details =
        igmp::QueryDetails { suppress: true, robustness: 2, query_interval: 125, sources: &sources };
    let records = [
        igmp::Record::new(group::RecordType::CHANGE_TO_EXCLUDE, &octets, &[]),
        igmp::Record::new(group::RecordType::ALLOW_NEW_SOURCES, &octets, &sources),
    ];
    let mut buffer = vec![0xff; records.iter().map(igmp::Record::buffer_len).sum()];
    records.iter().fold(&mut buffer[..], |rest, record| record.emit(rest));
    let records = igmp::Records::parse(2, &buffer).unwrap();
    let to_all = Ipv4Address::UNSPECIFIED;
    let reprs = [
        ("IGMP Version: 1", igmp::ALL_SYSTEMS, IgmpRepr::Query { max_resp_time: 0, group: to_all }),
        ("IGMP Version: 2", igmp::ALL_SYSTEMS, IgmpRepr::Query { max_resp_time: 100, group: to_all }),
        ("Source Address: 10.9.9.9", group, IgmpRepr::Query3 { max_resp_time: 256, group, details }),
        ("Type: Membership Report (0x12)", group, IgmpRepr::Report1 { group }),
        ("Type: Membership Report (0x16)", group, IgmpRepr::Report2 { group }),
        ("Type: Leave Group (0x17)", igmp::ALL_ROUTERS, IgmpRepr::Leave { group }),
        ("Allow New Sources", igmp::ALL_V3_ROUTERS, IgmpRepr::Report3 { records }),
    ];
    let case = |(text, dst, repr): (_, _, IgmpRepr<'_>)| {
        let mut packet = IgmpPacket::new_unchecked(vec![0xff; repr.buffer_len()]);
        repr.emit(&mut packet);
        (text, ipv4(dst, IpProtocol::IGMP, &ipv4::ROUTER_ALERT, packet.as_ref()))
    };
    reprs.into_iter().map(case).collect()
}

fn icmpv6_message(dst: Ipv6Address, repr: &Icmpv6Repr<'_>) -> Vec<u8> {
    let mut packet = Icmpv6Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
    repr.emit(&LINK_LOCAL, &dst, &mut packet);
    packet.into_inner()
}

fn icmpv6() -> Vec<Case> {
    let dst = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    let quoted = ipv6_packet(dst, 64, IpProtocol::UDP, &udp(LINK_LOCAL.into(), dst.into()));
    let (ident, seq_no, data) = (7, 1, &quoted[..]);
    let reprs = [
        ("Type: Echo (ping) request (128)", Icmpv6Repr::EchoRequest { ident, seq_no, data: b"data" }),
        ("Type: Echo (ping) reply (129)", Icmpv6Repr::EchoReply { ident, seq_no, data: b"data" }),
        ("Code: 4 (Port unreachable)", Icmpv6Repr::DstUnreachable { code: 4, data }),
        ("MTU: 1280", Icmpv6Repr::PktTooBig { mtu: 1280, data }),
        ("Type: Time Exceeded (3)", Icmpv6Repr::TimeExceeded { code: 0, data }),
        ("Pointer: 40", Icmpv6Repr::ParamProblem { code: 1, pointer: 40, data }),
    ];
    let case = |(text, repr)| (text, ipv6(dst, 64, IpProtocol::ICMPV6, &icmpv6_message(dst, &repr)));
    reprs.into_iter().map(case).collect()
}

fn discovery_options() -> Vec<u8> {
    let prefix = PrefixInformation {
        prefix_len: 64,
        flags: PrefixFlags::ON_LINK | PrefixFlags::ADDRCONF,
        valid_lifetime: 3600,
        preferred_lifetime: 1800,
        prefix: "fd00:1::".parse().unwrap(),
    };
    let route = RouteInformation {
        prefix_len: 48,
        preference: ndisc::Preference::High,
        lifetime: 600,
        prefix: &[0xfd, 0, 0, 2, 0, 0, 0, 0],
    };
    let names = ndisc::SearchList::parse(b"\x07example\x03org\0").unwrap();
    let options = [
        NdOption::SourceLinkAddr(&OUR_HARDWARE.0),
        NdOption::Mtu(1480),
        NdOption::Prefix(prefix),
        NdOption::Route(route),
        NdOption::DnsServers { lifetime: 600, servers: &[[0xfd; 16]] },
        NdOption::DnsSearch { lifetime: 600, names },
    ];
    let mut area = Vec::new();
    for option in options {
        let at = area.len();
        area.resize(at + option.buffer_len(), 0xff);
        option.emit(&mut area[at..]);
    }
    area
}

fn discovery() -> Vec<Case> {
    let (target, dest) = (LINK_LOCAL.octets(), [0xfd; 16]);
    let (lladdr, area) = (Some(&OUR_HARDWARE.0), discovery_options());
    let advert = NdiscRepr::RouterAdvert {
        hop_limit: 64,
        flags: RouterFlags::OTHER,
        router_lifetime: 1800,
        reachable_time: 30_000,
        retrans_time: 1000,
        lladdr,
        options: ndisc::Options::parse(&area).unwrap(),
    };
    let unicast = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    let quoted = ipv6_packet(unicast, 64, IpProtocol::IPV6_NO_NEXT, &[0; 8]);
    let flags = NeighborFlags::SOLICITED | NeighborFlags::OVERRIDE;
    let messages = [
        ("Type: Router Solicitation (133)", mld::ALL_ROUTERS, NdiscRepr::RouterSolicit { lladdr }),
        ("Domain Names: example.org", mld::ALL_NODES, advert),
        ("Type: Neighbor Solicitation (135)", GROUP, NdiscRepr::NeighborSolicit { target: &target, lladdr }),
        ("Solicited: Set", unicast, NdiscRepr::NeighborAdvert { flags, target: &target, lladdr }),
        (
            "ICMPv6 Option (Redirected header)",
            unicast,
            NdiscRepr::Redirect { target: &target, dest: &dest, lladdr, redirected: Some(&quoted) },
        ),
    ];
    let case = |(text, dst, message)| {
        let message = icmpv6_message(dst, &Icmpv6Repr::Ndisc(message));
        (text, ipv6(dst, ndisc::HOP_LIMIT, IpProtocol::ICMPV6, &message))
    };
    messages.into_iter().map(case).collect()
}

fn listeners() -> Vec<Case> {
    let (group, octets, sources) = (GROUP, GROUP.octets(), [[0xfd; 16]]);
    let details =
        mld::QueryDetails { suppress: false, robustness: 2, query_interval: 128, sources: &sources };
    let record = mld::Record::new(group::RecordType::BLOCK_OLD_SOURCES, &octets, &sources);
    let mut buffer = vec![0xff; record.buffer_len()];
    record.emit(&mut buffer);
    let records = mld::Records::parse(1, &buffer).unwrap();
    let messages = [
        (
            "Maximum Response Delay [ms]: 10000",
            mld::ALL_NODES,
            MldRepr::Query { max_resp_delay: 10_000, group: Ipv6Address::UNSPECIFIED },
        ),
        ("Number of Sources: 1", group, MldRepr::Query2 { max_resp_delay: 32_768, group, details }),
        ("Type: Multicast Listener Report (131)", group, MldRepr::Report { group }),
        ("Type: Multicast Listener Done (132)", mld::ALL_ROUTERS, MldRepr::Done { group }),
        ("Block old sources", mld::ALL_V2_ROUTERS, MldRepr::Report2 { records }),
    ];
    let case = |(text, dst, message)| {
        let message = icmpv6_message(dst, &Icmpv6Repr::Mld(message));
        let payload = [&ipv6ext::ROUTER_ALERT_HEADER[..], &message].concat();
        (text, ipv6(dst, 1, IpProtocol::HOP_BY_HOP, &payload))
    };
    messages.into_iter().map(case).collect()
}

fn datagrams() -> Vec<Case> {
    let lite = |coverage, src: IpAddress, dst: IpAddress| {
        let repr = UdpLiteRepr { src_port: 5555, dst_port: 7777, coverage };
        let mut packet = UdpLitePacket::new_unchecked(vec![0xff; repr.buffer_len(10)]);
        repr.emit(&mut packet, &src, &dst, b"hello lite");
        packet.into_inner()
    };
    let (src, dst) = (V4.0.into(), V4.1.into());
    let (src6, dst6) = (LINK_LOCAL.into(), GROUP.into());
    vec![
        ("Source Port: 5555", ipv4(V4.1, IpProtocol::UDP, &[], &udp4())),
        ("Source Port: 5555", ipv6(GROUP, 64, IpProtocol::UDP, &udp(src6, dst6))),
        ("Checksum coverage: 0", ipv4(V4.1, IpProtocol::UDP_LITE, &[], &lite(0, src, dst))),
        ("Checksum coverage: 12", ipv4(V4.1, IpProtocol::UDP_LITE, &[], &lite(12, src, dst))),
        ("Checksum coverage: 8", ipv6(GROUP, 64, IpProtocol::UDP_LITE, &lite(8, src6, dst6))),
    ]
}

fn leases() -> Vec<Case> {
    let classes = [&[200][..], &[b'u'; 200], &[150], &[b'v'; 150]].concat();
    let routes = [&[24, 192, 0, 2][..], &V4.1.octets(), &[0], &V4.1.octets()].concat();
    let options: [(&str, u8, &[u8]); 15] = [
        ("Option: (53) DHCP Message Type (Discover)", dhcpv4::code::MESSAGE_TYPE, &[1]),
        ("Client MAC address: 02:00:00:00:00:01", dhcpv4::code::CLIENT_ID, &[1, 2, 0, 0, 0, 0, 1]),
        ("Host Name: bird", dhcpv4::code::HOST_NAME, b"bird"),
        ("Maximum DHCP Message Size: 548", dhcpv4::code::MAX_SIZE, &548_u16.to_be_bytes()),
        ("Parameter Request List Item: (121)", dhcpv4::code::PARAMETERS, &[1, 121]),
        ("Requested IP Address: 10.0.0.2", dhcpv4::code::REQUESTED_ADDRESS, &V4.1.octets()),
        ("(300s) 5 minutes", dhcpv4::code::LEASE_TIME, &300_u32.to_be_bytes()),
        ("DHCP Server Identifier: 10.0.0.2", dhcpv4::code::SERVER_ID, &V4.1.octets()),
        ("Vendor class identifier: crest", dhcpv4::code::VENDOR_CLASS, b"crest"),
        ("Option: (77) User Class Information", dhcpv4::code::USER_CLASS, &classes),
        ("Option: (80) Rapid commit", dhcpv4::code::RAPID_COMMIT, &[]),
        ("Option: (119) Domain Search", dhcpv4::code::SEARCH_LIST, b"\x07example\x03org\0\x03lan\xc0\0"),
        ("192.0.2.0/24-10.0.0.2", dhcpv4::code::CLASSLESS_ROUTES, &routes),
        ("Interface MTU: 1400", dhcpv4::code::MTU, &1400_u16.to_be_bytes()),
        ("Option: (108) IPv6-Only Preferred", dhcpv4::code::IPV6_ONLY, &1800_u32.to_be_bytes()),
    ];
    let mut area = [0; 700];
    let mut writer = dhcpv4::Writer::new(&mut area);
    assert!(options.iter().all(|(_, code, data)| writer.put(*code, data)));
    let options_read = dhcpv4::Options::new(writer.finish()).unwrap();
    let client = dhcpv4::ClientHardware::ethernet(OUR_HARDWARE);
    let mut repr = Dhcpv4Repr::request(client, 7, options_read);
    repr.broadcast = true;
    let mut message = Dhcpv4Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
    repr.emit(&mut message);
    let ports = UdpRepr { src_port: dhcpv4::CLIENT_PORT, dst_port: dhcpv4::SERVER_PORT };
    let mut packet = UdpPacket::new_unchecked(vec![0xff; ports.buffer_len(message.as_ref().len())]);
    ports.emit(&mut packet, &V4.0.into(), &V4.1.into(), message.as_ref());
    let frame = ipv4(V4.1, IpProtocol::UDP, &[], packet.as_ref());
    let fields = ["Client MAC address: 02:00:00:00:00:01", "Broadcast flag: Broadcast", "Option End: 255"];
    let texts = options.iter().map(|(text, ..)| *text).chain(fields);
    texts.map(|text| (text, frame.clone())).collect()
}

fn ipv4_options() -> Vec<Case> {
    let (places, words) =
        ([[10, 0, 0, 9], V4.1.octets()], [[10, 0, 0, 9], [0, 0, 0, 5], [10, 0, 0, 2], [0; 4]]);
    let route = ipv4opt::Route { done: 1, places: &places };
    let timestamps = ipv4opt::Timestamps {
        flag: ipv4opt::TimestampFlag::WithAddresses,
        done: 2,
        overflow: 0,
        words: &words,
    };
    let options = [
        ("IP Option - Record Route (11 bytes)", Ipv4Option::RecordRoute(route)),
        ("IP Option - Loose Source Route (11 bytes)", Ipv4Option::LooseRoute(route)),
        ("IP Option - Strict Source Route (11 bytes)", Ipv4Option::StrictRoute(route)),
        ("IP Option - Time Stamp (20 bytes)", Ipv4Option::Timestamps(timestamps)),
        ("IP Option - Router Alert (4 bytes)", Ipv4Option::RouterAlert(0)),
        ("Unknown (0x5e) (4 bytes)", Ipv4Option::Unknown(0x5e, &[1, 2])),
    ];
    let case = |(text, option): (_, Ipv4Option<'_>)| {
        let mut area = vec![0xff; option.buffer_len()];
        option.emit(&mut area);
        (text, ipv4(V4.1, IpProtocol::UDP, &area, &udp4()))
    };
    options.into_iter().map(case).collect()
}

fn ext_headers() -> Vec<Case> {
    let mut area = [0xff; 10];
    let rest = Ipv6Option::RouterAlert(0).emit(&mut area);
    Ipv6Option::Unknown(0x1e, &[1, 2, 3, 4]).emit(rest);
    let options = ipv6opt::Options::parse(&area).unwrap();
    let segments = [&[0; 4][..], &LINK_LOCAL.octets()].concat();
    let routing = ipv6opt::Content::Routing { kind: 0, segments_left: 0, data: &segments };
    let fragment = ipv6ext::Fragment { ident: 0x1234_5678, offset: 0, more: false };
    let contents = [
        ("Type: Router Alert (0x05)", ipv6opt::Content::HopByHop(options)),
        ("Destination Options for IPv6", ipv6opt::Content::Destination(options)),
        ("Routing Header for IPv6", routing),
        ("Identification: 0x12345678", ipv6opt::Content::Fragment(fragment)),
    ];
    let case = |(text, content)| {
        let header = Ipv6ExtHeader { next_header: IpProtocol::UDP, content };
        let mut payload = vec![0xff; header.buffer_len()];
        header.emit(&mut payload);
        payload.extend(udp(LINK_LOCAL.into(), GROUP.into()));
        (text, ipv6(GROUP, 64, header.protocol(), &payload))
    };
    contents.into_iter().map(case).collect()
}

fn segment(flags: TcpFlags, options: &[TcpOption<'_>], payload: &[u8]) -> Vec<u8> {
    let mut area = vec![0xff; options.iter().map(TcpOption::buffer_len).sum()];
    options.iter().fold(&mut area[..], |rest, option| option.emit(rest));
    let repr = tcpopt::Repr {
        src_port: 49_152,
        dst_port: 80,
        seq: TcpSeqNumber(1),
        ack: TcpSeqNumber(if flags.contains(TcpFlags::ACK) { 1000 } else { 0 }),
        flags,
        window: 1000,
        urgent: 0,
        options: tcpopt::Options::parse(&area).unwrap(),
        payload_len: payload.len(),
    };
    let mut packet = TcpPacket::new_unchecked(vec![0xff; repr.header_len() + payload.len()]);
    repr.emit(&mut packet);
    packet.payload_mut().copy_from_slice(payload);
    packet.fill_checksum(&V4.0.into(), &V4.1.into());
    ipv4(V4.1, IpProtocol::TCP, &[], &packet.into_inner())
}

fn segments() -> Vec<Case> {
    use TcpOption::*;
    let block = [[[0, 0, 4, 0], [0, 0, 5, 0]]];
    let syn = [Mss(1460), SackPermitted, Timestamps { value: 7, echo: 0 }, Nop, WindowScale(7)];
    let user_timeout = UserTimeout { in_minutes: false, value: 300 };
    let authentication = Authentication { key_id: 61, next_key_id: 84, mac: &[7; 12] };
    vec![
        ("TCP Option - Window scale: 7 (multiply by 128)", segment(TcpFlags::SYN, &syn, b"")),
        ("TCP Option - Timestamps: TSval 7", segment(TcpFlags::SYN, &syn, b"")),
        ("TCP Option - SACK", segment(TcpFlags::ACK, &[Nop, Nop, Sack(&block)], b"data")),
        ("TCP Option - User Timeout", segment(TcpFlags::SYN, &[user_timeout], b"")),
        ("TCP Option - TCP MD5 signature", segment(TcpFlags::ACK, &[Md5(&[9; 16])], b"data")),
        ("TCP Option - TCP AO", segment(TcpFlags::ACK, &[authentication], b"data")),
        (
            "TCP Option - TCP Fast Open",
            segment(TcpFlags::SYN, &[FastOpen(&[1, 2, 3, 4, 5, 6, 7, 8])], b"data"),
        ),
        ("TCP Option - Unknown", segment(TcpFlags::SYN, &[Unknown(77, &[1, 2])], b"")),
    ]
}

/// A capture of these frames, in the format of libpcap.
fn capture(cases: &[Case]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (second, (_, frame)) in cases.iter().enumerate() {
        let len = frame.len() as u32;
        for word in [second as u32, 0, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

/// What tshark says of each frame; `None` if there is no tshark.
fn dissect(cases: &[Case]) -> Option<Vec<String>> {
    let path = std::env::temp_dir().join(format!("goldcrest-wire-{}.pcap", std::process::id()));
    std::fs::write(&path, capture(cases)).unwrap();
    let mut tshark = Command::new("tshark");
    for protocol in ["ip", "udp", "udplite", "tcp"] {
        tshark.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    let output = tshark.args(["-V", "-r"]).arg(&path).output();
    std::fs::remove_file(&path).unwrap();
    let output = match output {
        Err(_) => return None,
        Ok(output) => output,
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split("\nFrame ").map(str::to_owned).collect())
}

#[test]
fn tshark_reads_what_was_meant_and_finds_nothing_wrong() {
    let families = [
        vlans(),
        arp(),
        icmpv4(),
        igmp(),
        icmpv6(),
        discovery(),
        listeners(),
        datagrams(),
        leases(),
        ipv4_options(),
        ext_headers(),
        segments(),
    ];
    let cases: Vec<Case> = families.into_iter().flatten().collect();
    let Some(dissected) = dissect(&cases) else { return common::skip("tshark is not installed") };
    assert_eq!(dissected.len(), cases.len());
    let mut complaints = String::new();
    for ((expected, frame), text) in cases.iter().zip(dissected) {
        let ours = PrettyPrinter::new("", Medium::Ethernet, frame).to_string();
        let mut complain = |what: &str| complaints += &format!("{what} for\n{ours}\nin\n{text}\n");
        if !text.contains(expected) {
            complain(&format!("no \"{expected}\""));
        }
        // Checksums in quoted packets are not looked at.
        let unverified = if ours.contains("quoted") { &[][..] } else { &["Unverified", "unverified"] };
        for bad in ["Malformed", "incorrect", "Bad", "ogus", "Expert Info (Error"].iter().chain(unverified) {
            if text.contains(bad) {
                complain(&format!("\"{bad}\""));
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}
