//! Checksums of what raw sockets carry over IPv6 (RFC 3542 §3.1).

use super::{Binding, Socket};
use crate::wire::checksum::{pseudo_header, sum};
use crate::wire::{Addr, IpProtocol, IpVersion, ipv6, ipv6ext};

/// Where ICMPv6 has its checksum.
const ICMPV6_OFFSET: u16 = 2;

/// The socket has no checksum that could be elsewhere: it is not for IPv6, or it is for ICMPv6, or the offset is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChecksumOffsetError;

impl core::fmt::Display for ChecksumOffsetError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the offset is odd, or the socket is not for IPv6, or for ICMPv6, whose offset is 2")
    }
}

impl core::error::Error for ChecksumOffsetError {}

/// The offset that packets of a kind have from the start: those of ICMPv6 always have their checksum.
pub(super) fn offset_for(version: IpVersion, protocol: IpProtocol) -> Option<u16> {
    (version == IpVersion::Ipv6 && protocol == IpProtocol::ICMPV6).then_some(ICMPV6_OFFSET)
}

impl Socket<'_> {
    /// Where the protocol has a checksum of the kind that IPv6's upper layers have (RFC 8200 §8.1): that many octets behind
    /// the IPv6 header and its extensions, an even number. The stack then writes it into what is sent, and what is received
    /// with a wrong one, or too short to have one, is not for the socket. `None` if the application cares for it itself,
    /// as it does unless set. ICMPv6 always has its own.
    ///
    /// What is sent behind a fragment header that the application has made goes as it is.
    pub fn set_checksum_offset(&mut self, offset: Option<u16>) -> Result<(), ChecksumOffsetError> {
        let Binding::Ip(IpVersion::Ipv6, protocol) = self.binding else { return Err(ChecksumOffsetError) };
        if protocol == IpProtocol::ICMPV6 || offset.is_some_and(|offset| offset % 2 != 0) {
            return Err(ChecksumOffsetError);
        }
        self.checksum_offset = offset;
        Ok(())
    }

    /// Whether a packet's payload is for it, as far as the checksum says.
    pub(crate) fn is_sum_right(&self, src: &Addr, dst: &Addr, protocol: IpProtocol, payload: &[u8]) -> bool {
        let Some(offset) = self.checksum_offset else { return true };
        payload.len() >= usize::from(offset) + 2
            && pseudo_header(src, dst, protocol.0, payload.len() as u32).add(sum(payload)).is_valid()
    }
}

/// Writes the checksum of a packet that leaves from `src` unless its header says otherwise. `false` if it is too short.
pub(crate) fn complete_checksum(packet: &mut [u8], src: &Addr, offset: u16) -> bool {
    let Some((header, rest)) = packet.split_first_chunk_mut::<{ ipv6::HEADER_LEN }>() else { return false };
    let [_, _, _, _, _, _, next, _, ends @ ..] = header;
    let Some((own, dst)) = ends.split_first_chunk::<16>() else { return false };
    let Some(dst) = dst.first_chunk() else { return false };
    let src = if *own == [0; 16] { *src } else { Addr::v6(*own) };
    // What can't be gone through, or is in pieces already, is left to its maker.
    let Ok(walk) = ipv6ext::walk(IpProtocol(*next), rest) else { return true };
    if walk.fragment.is_some() {
        return true;
    }
    let (protocol, len) = (walk.protocol, walk.payload.len());
    let payload = rest.len().checked_sub(len).and_then(|start| rest.get_mut(start..)).unwrap_or_default();
    let at = usize::from(offset);
    let Some(place) = payload.get_mut(at..at + 2) else { return false };
    place.fill(0);
    let total = pseudo_header(&src, &Addr::v6(*dst), protocol.0, len as u32).add(sum(payload));
    // RFC 3542 §3.1 leaves a zero as it is but for UDP, which has sockets of its own.
    if let Some(place) = payload.get_mut(at..at + 2) {
        place.copy_from_slice(&total.finish());
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::{PacketBuffer, PacketMetadata};
    use super::*;

    fn socket(version: IpVersion, protocol: IpProtocol) -> Socket<'static> {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 2], vec![0; 200]);
        Socket::new(version, protocol, buffer(), buffer())
    }

    /// Covers: RFC 3542 §3.1
    #[test]
    fn an_offset_is_even_and_of_ipv6_and_that_of_icmp_stays() {
        let offsets = [Some(0), Some(4), Some(3), None];
        for (mut socket, results) in [
            (socket(IpVersion::Ipv6, IpProtocol(89)), [true, true, false, true]),
            (socket(IpVersion::Ipv4, IpProtocol(89)), [false; 4]),
            (socket(IpVersion::Ipv6, IpProtocol::ICMPV6), [false; 4]),
        ] {
            assert_eq!(offsets.map(|offset| socket.set_checksum_offset(offset).is_ok()), results);
        }
        assert_eq!(socket(IpVersion::Ipv6, IpProtocol::ICMPV6).checksum_offset, Some(2));
        assert_eq!(socket(IpVersion::Ipv6, IpProtocol(89)).checksum_offset, None);
        assert_eq!(socket(IpVersion::Ipv4, IpProtocol::ICMPV6).checksum_offset, None);
    }

    /// Covers: RFC 3542 §3.1
    #[test]
    fn what_was_completed_is_right_and_what_is_too_short_is_not_sent() {
        let (src, dst) = (Addr::v6([0xfd; 16]), Addr::v6([0xfe; 16]));
        let packet = |own: [u8; 16], next: u8, payload: &[u8]| {
            [&[0x60, 0, 0, 0, 0, 0, next, 64][..], &own, &[0xfe; 16], payload].concat()
        };
        let mut rest = socket(IpVersion::Ipv6, IpProtocol(89));
        rest.set_checksum_offset(Some(2)).unwrap();
        let options = [89, 0, 1, 4, 0, 0, 0, 0];
        let behind = [&options[..], b"abcdef"].concat();
        for (own, from, next, payload, start) in [
            ([0; 16], src, 89, &b"abcdef"[..], 40),
            ([7; 16], Addr::v6([7; 16]), 89, b"abcdef", 40),
            ([0; 16], src, 60, &behind, 48),
        ] {
            let mut packet = packet(own, next, payload);
            assert!(complete_checksum(&mut packet, &src, 2));
            assert_eq!((&packet[start..start + 2], &packet[start + 4..]), (&b"ab"[..], &b"ef"[..]));
            assert!(rest.is_sum_right(&from, &dst, IpProtocol(89), &packet[start..]));
            packet[start] ^= 1;
            assert!(!rest.is_sum_right(&from, &dst, IpProtocol(89), &packet[start..]));
        }
        assert!(!rest.is_sum_right(&src, &dst, IpProtocol(89), b"abc"), "too short");
        assert!(!complete_checksum(&mut packet([0; 16], 89, b"abc"), &src, 2));
        assert!(complete_checksum(&mut packet([0; 16], 89, b"abcd"), &src, 2));
        assert!(!complete_checksum(&mut [0x60; 39], &src, 2));
        // A fragment: its maker knows the whole.
        let fragment = packet([0; 16], 44, &[89, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4]);
        let mut sent = fragment.clone();
        assert!(complete_checksum(&mut sent, &src, 2));
        assert_eq!(sent, fragment);
    }
}
