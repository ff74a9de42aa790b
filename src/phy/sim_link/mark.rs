//! Congestion experienced, as a router says it (RFC 3168 §5): in the IP header of packets whose sender heeds it.

use crate::phy::Medium;
use crate::wire::checksum;

/// The two bits of the traffic class that are ECN's.
const FIELD: u8 = 3;
/// Congestion experienced.
const CE: u8 = 3;

/// Marks the IP packet in a frame, be it tagged, and says whether it did: only if the packet's sender heeds marks and
/// nobody has marked it.
pub(super) fn mark(medium: Medium, frame: &mut [u8]) -> bool {
    let packet = packet_in(medium, frame).unwrap_or_default();
    match packet.first().map(|octet| octet >> 4) {
        Some(4) => mark_v4(packet),
        Some(6) => mark_v6(packet),
        _ => false,
    }
}

/// What follows the link header of IP.
fn packet_in(medium: Medium, frame: &mut [u8]) -> Option<&mut [u8]> {
    match medium {
        #[cfg(feature = "medium-ethernet")]
        Medium::Ethernet => behind_tags(frame),
        #[cfg(feature = "medium-ip")]
        Medium::Ip => Some(frame),
    }
}

#[cfg(feature = "medium-ethernet")]
fn behind_tags(frame: &mut [u8]) -> Option<&mut [u8]> {
    let mut at = 12;
    while matches!(frame.get(at..at + 2), Some([0x81, 0] | [0x88, 0xa8])) {
        at += 4;
    }
    match frame.get(at..at + 2) {
        Some([8, 0] | [0x86, 0xdd]) => frame.get_mut(at + 2..),
        _ => None,
    }
}

fn heeds_marks(ecn: u8) -> bool {
    !matches!(ecn & FIELD, 0 | CE)
}

fn mark_v4(packet: &mut [u8]) -> bool {
    let Some([version, class, .., high, low]) = packet.get_mut(..12) else { return false };
    if !heeds_marks(*class) {
        return false;
    }
    let old = u16::from_be_bytes([*version, *class]);
    *class |= CE;
    let new = u16::from_be_bytes([*version, *class]);
    // A checksum that was wrong stays wrong.
    [*high, *low] = checksum::update_word([*high, *low], old, new);
    true
}

fn mark_v6(packet: &mut [u8]) -> bool {
    // The traffic class stands across the first two octets.
    match packet.get_mut(1) {
        Some(octet) if heeds_marks(*octet >> 4) => {
            *octet |= CE << 4;
            true
        }
        _ => false,
    }
}

#[cfg(all(
    test,
    feature = "medium-ip",
    feature = "medium-ethernet",
    feature = "proto-ipv4",
    feature = "proto-ipv6"
))]
mod tests {
    use super::*;
    use crate::wire::{IpProtocol, Ipv4Repr, Ipv6Repr, ipv4, ipv6};

    fn packet(is_v4: bool, traffic_class: u8) -> Vec<u8> {
        if is_v4 {
            let [src, dst] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(Into::into);
            let repr = Ipv4Repr { traffic_class, ..Ipv4Repr::new(src, dst, IpProtocol::TCP, 0, 64) };
            let mut packet = vec![0; ipv4::HEADER_LEN];
            repr.emit_header(packet.first_chunk_mut().unwrap(), true);
            return packet;
        }
        let [src, dst] = [[0xfd; 16], [0xfe; 16]].map(Into::into);
        let repr = Ipv6Repr { traffic_class, ..Ipv6Repr::new(src, dst, IpProtocol::TCP, 0, 64) };
        let mut packet = vec![0; ipv6::HEADER_LEN];
        repr.emit_header(packet.first_chunk_mut().unwrap());
        packet
    }

    /// Covers: RFC 3168 §5
    #[test]
    fn only_packets_that_say_that_they_heed_it_are_marked_and_nothing_else_of_them_changes() {
        for is_v4 in [true, false] {
            for (class, is_marked) in [(0xb8, false), (0xb9, true), (0xba, true), (0xbb, false)] {
                let mut frame = packet(is_v4, class);
                assert_eq!(mark(Medium::Ip, &mut frame), is_marked);
                let class = if is_marked { 0xbb } else { class };
                assert!(frame == packet(is_v4, class), "the checksum too");
            }
        }
    }

    #[test]
    fn frames_are_marked_behind_tags_and_nothing_but_ip_is() {
        for is_v4 in [true, false] {
            for tags in [&[][..], &[0x81, 0, 0, 5], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6]] {
                let ether_type = if is_v4 { [8, 0] } else { [0x86, 0xdd] };
                let frame = |ether_type, class| [&[2; 12], tags, ether_type, &packet(is_v4, class)].concat();
                let mut marked = frame(&ether_type, 2);
                assert!(mark(Medium::Ethernet, &mut marked));
                assert!(marked == frame(&ether_type, 3));
                assert!(!mark(Medium::Ethernet, &mut frame(&[8, 6], 2)));
            }
        }
    }

    #[test]
    fn what_is_too_short_is_left_as_it_is() {
        for medium in [
            Medium::Ip,
            #[cfg(feature = "medium-ethernet")]
            Medium::Ethernet,
        ] {
            for is_v4 in [true, false] {
                let whole = packet(is_v4, 2);
                for len in 0..if is_v4 { 12 } else { 2 } {
                    let mut cut = whole[..len].to_vec();
                    assert!(!mark(medium, &mut cut) && cut == whole[..len]);
                }
            }
        }
    }
}
