//! What the fuzzed stack sends: whether each frame is right, and what its peers learn from it.

use goldcrest::wire::{
    ArpPacket, ArpRepr, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, Ipv4Packet, Ipv4Repr, Ipv6Packet,
    Ipv6Repr, Medium, MldRepr, PrettyPrinter, TcpPacket, TcpRepr, UdpPacket, ipv6ext,
};

use super::checksum::plain;
use super::peers::{Flow, Peers, peer_v4, peer_v6};
use super::wire::OUR_HARDWARE;

/// How many connections the peers keep in mind.
const FLOWS: usize = 16;
/// Octets that a connection may be ahead of what was seen on the wire: what was lost before it got there.
const UNSEEN: u32 = 8_192;

/// Checks a frame that was sent, and lets the peers learn from it.
pub(crate) fn sent(frame: &[u8], peers: &mut Peers) {
    assert!(frame.len() >= 14 && frame[6..12] == OUR_HARDWARE, "link header {frame:02x?}");
    assert!(frame[..6] != OUR_HARDWARE, "to ourselves");
    let text = PrettyPrinter::new("", Medium::Ethernet, frame).to_string();
    // What it quotes may be wrong.
    let ours = text.split("quoted ").next().unwrap_or(&text);
    let is_whole = !["truncated", "malformed", "wrong", "unsupported"].iter().any(|bad| ours.contains(bad));
    // A peer may have used port 0, and gets its answer there.
    assert!(is_whole || text.contains(" > 0"), "{text}\n{frame:02x?}");
    let packet = &frame[14..];
    match frame[12..14] {
        [8, 6] => {
            let arp = ArpPacket::new_checked(packet).and_then(|packet| ArpRepr::parse(&packet));
            let arp = arp.unwrap_or_else(|error| panic!("{error} in {packet:02x?}"));
            assert_eq!(arp.source_hardware_addr.0, OUR_HARDWARE);
            assert_eq!(packet.len(), 28);
        }
        [8, 0] => ipv4(frame[0], packet, peers),
        [0x86, 0xdd] => ipv6(frame[0], packet, peers),
        _ => panic!("EtherType of {text}"),
    }
}

fn ipv4(link: u8, packet: &[u8], peers: &mut Peers) {
    let view = Ipv4Packet::new_checked(packet).unwrap_or_else(|error| panic!("{error} in {packet:02x?}"));
    let header = Ipv4Repr::parse(&view).unwrap_or_else(|error| panic!("{error} in {packet:02x?}"));
    assert_eq!(packet[0], 0x45);
    assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
    let flags_and_offset = u16::from_be_bytes([packet[6], packet[7]]);
    assert_eq!(flags_and_offset & 0x8000, 0, "reserved bit");
    assert!(packet[8] > 0, "hop limit");
    assert_eq!(plain(&packet[..20]), 0, "IPv4 header checksum");
    let (src, dst): ([u8; 4], [u8; 4]) =
        (packet[12..16].try_into().unwrap(), packet[16..20].try_into().unwrap());
    assert!(header.src_addr.octets() == src && header.dst_addr.octets() == dst);
    let is_net4_broadcast = |addr| peers.is_on_net4 && addr == [10, 0, 0, 255];
    let is_group = |addr: [u8; 4]| addr[0] >> 4 == 14 || addr == [255; 4] || is_net4_broadcast(addr);
    // What waited for a neighbour has the source that was right when it was made.
    let is_old = is_net4_broadcast(src) && peers.was_off_net4;
    assert!(src != [0; 4] && (is_old || !is_group(src)), "source {src:?}");
    // So has it the hardware address that was right, which says what its destination was then.
    let is_old = dst == [10, 0, 0, 255] && peers.was_off_net4;
    assert!(is_old || (link & 1 == 1) == is_group(dst), "link-layer group bit for {dst:?}");
    let is_group = link & 1 == 1;
    let data = &packet[20..];
    peers.last = packet.to_vec();
    // More follows, or something came before: its checksum is the whole datagram's.
    if flags_and_offset & 0x3fff != 0 {
        assert!(
            flags_and_offset & 0x2000 == 0 || data.len().is_multiple_of(8),
            "a fragment of {} octets",
            data.len()
        );
        return;
    }
    if packet[9] == 1 {
        assert!(!is_group, "ICMP to a group");
        let message = Icmpv4Packet::new_checked(data).unwrap();
        Icmpv4Repr::parse(&message).unwrap_or_else(|error| panic!("{error} in {packet:02x?}"));
        assert_eq!(plain(data), 0, "ICMP checksum");
        return;
    }
    let pseudo = [&src[..], &dst, &[0, packet[9]], &(data.len() as u16).to_be_bytes()].concat();
    let who = (0..4).find(|&who| peer_v4(who) == dst);
    transport(packet[9], &pseudo, data, is_group, false, who, peers);
}

fn ipv6(link: u8, packet: &[u8], peers: &mut Peers) {
    let view = Ipv6Packet::new_checked(packet).unwrap_or_else(|error| panic!("{error} in {packet:02x?}"));
    Ipv6Repr::parse(&view).unwrap_or_else(|error| panic!("{error} in {packet:02x?}"));
    assert_eq!(packet[0] >> 4, 6);
    assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])) + 40, packet.len());
    assert!(packet[7] > 0, "hop limit");
    let (src, dst) = (&packet[8..24], &packet[24..40]);
    assert!(src[0] != 0xff, "source {src:02x?}");
    assert!(dst != [0; 16], "to nobody");
    let is_group = dst[0] == 0xff;
    assert_eq!(link & 1 == 1, is_group, "link-layer group bit for {dst:02x?}");
    let walk = ipv6ext::walk(packet[6].into(), &packet[40..]).unwrap();
    let (protocol, data) = (walk.protocol.0, walk.payload);
    peers.last = packet.to_vec();
    // More follows, or something came before: its checksum is the whole datagram's.
    if walk.fragment.is_some() {
        assert!(packet[6] == 44 && data.len() <= 1_500, "headers before a fragment's");
        return;
    }
    let pseudo = [src, dst, &[0, protocol], &(data.len() as u16).to_be_bytes()].concat();
    if packet[6] == 0 {
        assert!(is_group && protocol == 58, "only group reports have a router alert");
        assert_eq!((plain(&[&pseudo[..], data].concat()), packet[7]), (0, 1), "checksum, hop limit");
        let message = MldRepr::parse(src.try_into().unwrap(), data);
        message.unwrap_or_else(|error| panic!("{error} in {packet:02x?}"));
        return;
    }
    assert_eq!(protocol, packet[6], "the stack sends no other extension headers");
    assert!(src != [0; 16], "from nobody");
    if packet[6] == 58 {
        assert_eq!(plain(&[&pseudo[..], data].concat()), 0, "ICMPv6 checksum");
        let is_discovery = (133..=137).contains(&data[0]);
        assert!(is_discovery || !is_group, "ICMPv6 to a group");
        assert!(!is_discovery || packet[7] == 255, "hop limit of a discovery");
        assert!(is_discovery || packet.len() <= 1_280 || data[0] >= 128, "an error above the least MTU");
        let message = Icmpv6Packet::new_checked(data).unwrap();
        let (src, dst) = (view.src_addr(), view.dst_addr());
        Icmpv6Repr::parse(&src, &dst, &message).unwrap_or_else(|error| panic!("{error} in {packet:02x?}"));
        return;
    }
    let who = (0..4).find(|&who| peer_v6(who) == dst);
    transport(packet[6], &pseudo, data, is_group, true, who, peers);
}

fn transport(
    protocol: u8,
    pseudo: &[u8],
    data: &[u8],
    is_group: bool,
    is_v6: bool,
    who: Option<u8>,
    peers: &mut Peers,
) {
    assert_eq!(plain(&[pseudo, data].concat()), 0, "checksum of protocol {protocol}: {data:02x?}");
    match protocol {
        6 => {
            assert!(!is_group, "TCP to a group");
            if let Some(who) = who {
                tcp(data, is_v6, who, peers);
            }
        }
        17 => {
            let datagram = UdpPacket::new_checked(data).unwrap();
            assert_eq!(usize::from(datagram.length()), data.len());
            assert!(datagram.checksum() != [0, 0] && datagram.dst_port() != 0 && datagram.src_port() != 0);
        }
        _ => panic!("protocol {protocol}"),
    }
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const ECE: u8 = 64;
const CWR: u8 = 128;

fn tcp(data: &[u8], is_v6: bool, who: u8, peers: &mut Peers) {
    let segment = TcpPacket::new_checked(data).unwrap();
    assert!(TcpRepr::parse(&segment).is_ok() || segment.dst_port() == 0, "{data:02x?}");
    let (our_port, port) = (segment.src_port(), segment.dst_port());
    let (seq, flags) = (segment.seq_number().0, data[13]);
    assert_eq!(data[18..20], [0, 0], "urgent pointer");
    assert_eq!(flags & !(FIN | SYN | RST | 8 | ACK | ECE | CWR), 0, "flags {flags:x}");
    // RFC 3168 §6.1: a SYN asks by both, a SYN-ACK grants by one, resets say nothing, CWR comes with data.
    let is_request = flags & (SYN | ACK) == SYN;
    assert!(!is_request || matches!(flags & (ECE | CWR), 0 | 0xc0), "flags {flags:x}");
    assert!(flags & RST == 0 || flags & (ECE | CWR) == 0, "flags {flags:x}");
    assert!(flags & CWR == 0 || is_request || !segment.payload().is_empty(), "flags {flags:x}");
    assert!(flags & (SYN | RST | ACK) != 0 && !(flags & SYN != 0 && flags & (FIN | RST) != 0));
    let payload = segment.payload();
    assert!(flags & (SYN | RST) == 0 || payload.is_empty(), "data with SYN or RST");
    if flags & RST != 0 {
        // What it resets is over.
        return;
    }
    let at =
        peers.flows.iter().position(|f| (f.is_v6, f.who, f.port, f.our_port) == (is_v6, who, port, our_port));
    let at = at.unwrap_or_else(|| {
        let flow = Flow {
            is_v6,
            who,
            port,
            our_port,
            iss: seq,
            snd_nxt: seq,
            rcv_nxt: 0x1234_5678,
            window: 0,
            stamp: None,
        };
        if peers.flows.len() == FLOWS {
            peers.flows.remove(0);
        }
        peers.flows.push(flow);
        peers.flows.len() - 1
    });
    let flow = &mut peers.flows[at];
    if flags & SYN != 0 && seq != flow.iss {
        flow.iss = seq;
        flow.snd_nxt = seq;
        flow.stamp = None;
    } else if flags & SYN != 0 && flags & ACK == 0 {
        flow.stamp = None;
    } else if seq.wrapping_sub(flow.iss) > flow.snd_nxt.wrapping_sub(flow.iss).wrapping_add(UNSEEN) {
        // Another connection between the same ends, whose SYN was lost before it was on the wire.
        flow.iss = seq.wrapping_sub(1);
        flow.snd_nxt = seq;
        flow.stamp = None;
    }
    let len = payload.len() as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
    let end = seq.wrapping_add(len);
    if end.wrapping_sub(flow.snd_nxt) as i32 > 0 {
        flow.snd_nxt = end;
    }
    if flags & ACK != 0 {
        flow.rcv_nxt = segment.ack_number().0;
    }
    flow.window = segment.window_len();
    for (i, octet) in payload.iter().enumerate() {
        let stamp = octet.wrapping_sub((seq as u8).wrapping_add(i as u8));
        assert_eq!(*flow.stamp.get_or_insert(stamp), stamp, "octet {i} of {data:02x?} is another's");
    }
}
