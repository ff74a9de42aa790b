//! UDP datagrams of one flow that the kernel has left together (`UDP_SEGMENT`, or what its GRO has joined): cut apart.
//!
//! Each is written with lengths and checksums of its own, in a buffer of its own. How long they are only the kernel
//! says, in the header before the frame.

use std::ops::Range;

use crate::wire::{Addr, IpAddress, IpProtocol, Ipv4Address, Ipv6Address, checksum, ipv4, ipv6, vlan};

const UDP_HEADER_LEN: usize = 8;

/// Where in a frame the datagrams are that are still to be cut out.
#[derive(Debug)]
pub(super) struct Datagrams {
    /// Where the frame begins in its buffer, where its IP header does, and its UDP header.
    frame_at: usize,
    ip_at: usize,
    udp_at: usize,
    /// The octets that have not been cut out yet.
    rest: Range<usize>,
    /// Octets of each but the last.
    segment_len: usize,
    /// How many have been cut out.
    count: u16,
    src: Addr,
    dst: Addr,
}

impl Datagrams {
    /// Those of a frame that begins at `frame_at` of a buffer and whose link header is Ethernet's or none; `None` if they
    /// are none.
    pub(super) fn new(
        buffer: &[u8],
        frame_at: usize,
        is_ethernet: bool,
        segment_len: u16,
    ) -> Option<Datagrams> {
        let ip_at = frame_at + vlan::link_header_len(buffer.get(frame_at..)?, is_ethernet)?;
        let packet = buffer.get(ip_at..)?;
        let (ip_len, packet_len, protocol, src, dst): (_, _, _, IpAddress, IpAddress) = if packet.first()?
            >> 4
            == 4
        {
            let header = ipv4::Header::split(packet).ok().map(|parts| parts.header)?;
            let [src, dst] = [*header.src(), *header.dst()].map(|octets| Ipv4Address::from(octets).into());
            (usize::from(header.header_len()), usize::from(header.total_len()), header.protocol(), src, dst)
        } else {
            let (header, payload) = ipv6::Header::split(packet).ok()?;
            let [src, dst] = [*header.src(), *header.dst()].map(|octets| Ipv6Address::from(octets).into());
            let packet_len = ipv6::HEADER_LEN + payload.len();
            (ipv6::HEADER_LEN, packet_len, header.next_header(), src, dst)
        };
        let (src, dst) = (Addr::try_from(src).ok()?, Addr::try_from(dst).ok()?);
        let udp_at = ip_at + ip_len;
        let rest = udp_at + UDP_HEADER_LEN..ip_at + packet_len;
        let is_cut = protocol == IpProtocol::UDP && segment_len > 0 && !rest.is_empty();
        let segment_len = usize::from(segment_len);
        is_cut.then_some(Datagrams { frame_at, ip_at, udp_at, rest, segment_len, count: 0, src, dst })
    }

    /// Cuts the next one out of the buffer; false if there is none.
    pub(super) fn next(&mut self, buffer: &[u8], out: &mut Vec<u8>) -> bool {
        let end = self.rest.end.min(self.rest.start + self.segment_len);
        let headers = buffer.get(self.frame_at..self.udp_at + UDP_HEADER_LEN);
        let payload = buffer.get(self.rest.start..end).filter(|payload| !payload.is_empty());
        let (Some(headers), Some(payload)) = (headers, payload) else { return false };
        out.clear();
        out.extend_from_slice(headers);
        out.extend_from_slice(payload);
        self.rest.start = end;
        self.write_ip(&mut out[self.ip_at - self.frame_at..]);
        self.write_udp(&mut out[self.udp_at - self.frame_at..]);
        self.count += 1;
        true
    }

    /// Lengths, and what tells the packets apart (RFC 6864 §4.3: each its own identification).
    fn write_ip(&self, packet: &mut [u8]) {
        let len = packet.len();
        let (ip, _) = packet.split_at_mut(self.udp_at - self.ip_at);
        if ip[0] >> 4 == 6 {
            ip[4..6].copy_from_slice(&((len - ipv6::HEADER_LEN) as u16).to_be_bytes());
            return;
        }
        ip[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        let ident = u16::from_be_bytes([ip[4], ip[5]]).wrapping_add(self.count);
        ip[4..6].copy_from_slice(&ident.to_be_bytes());
        ip[10..12].fill(0);
        let sum = checksum::sum(ip).finish();
        ip[10..12].copy_from_slice(&sum);
    }

    fn write_udp(&self, udp: &mut [u8]) {
        let len = udp.len();
        udp[4..6].copy_from_slice(&(len as u16).to_be_bytes());
        udp[6..8].fill(0);
        let pseudo = checksum::pseudo_header(&self.src, &self.dst, IpProtocol::UDP.0, len as u32);
        let sum = pseudo.add(checksum::sum(udp)).finish_udp();
        udp[6..8].copy_from_slice(&sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both Ethernet addresses, and an EtherType.
    const ADDRESSES_LEN: usize = 12;
    const TYPE_LEN: usize = 2;

    const START: usize = 10;

    /// A frame with `tags`, at `START` of a buffer, with padding after it.
    fn together(is_v4: bool, tags: &[u8], payload: &[u8]) -> Vec<u8> {
        let len = (UDP_HEADER_LEN + payload.len()) as u16;
        let mut buffer = vec![0; START];
        buffer.extend([2; ADDRESSES_LEN]);
        buffer.extend(tags);
        if is_v4 {
            buffer.extend([8, 0]);
            let mut ip = vec![0x45, 0, 0, 0, 0xff, 0xff, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            ip[2..4].copy_from_slice(&(20 + len).to_be_bytes());
            let sum = checksum::sum(&ip).finish();
            ip[10..12].copy_from_slice(&sum);
            buffer.extend(ip);
        } else {
            buffer.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            buffer.extend(len.to_be_bytes());
            buffer.extend([17, 64]);
            buffer.extend([0xfd; 32]);
        }
        buffer.extend([0, 9, 0, 7]);
        buffer.extend(len.to_be_bytes());
        buffer.extend([0xab, 0xcd]);
        buffer.extend(payload);
        buffer.extend([0xee; 6]);
        buffer
    }

    #[test]
    #[cfg(all(feature = "proto-ipv4", feature = "proto-ipv6"))]
    fn each_datagram_has_its_own_lengths_and_checksums() {
        let payload: Vec<u8> = (0..=255).collect();
        for (is_v4, tags) in [
            (true, &[][..]),
            (false, &[]),
            (true, &[0x81, 0, 0, 7]),
            (false, &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2]),
        ] {
            let buffer = together(is_v4, tags, &payload);
            let mut cut = Datagrams::new(&buffer, START, true, 100).unwrap();
            let (mut out, mut got, mut lens) = (Vec::new(), Vec::new(), Vec::new());
            while cut.next(&buffer, &mut out) {
                let packet = &out[ADDRESSES_LEN + tags.len() + TYPE_LEN..];
                assert_eq!(out[..ADDRESSES_LEN + tags.len() + TYPE_LEN], buffer[START..][..14 + tags.len()]);
                let (src, dst, datagram) = match is_v4 {
                    true => {
                        let parts = ipv4::Header::split(packet).expect("lengths and checksum are right");
                        assert_eq!(usize::from(parts.header.total_len()), packet.len());
                        assert_eq!(parts.header.ident(), 0xffff_u16.wrapping_add(lens.len() as u16));
                        (Addr::v4(*parts.header.src()), Addr::v4(*parts.header.dst()), parts.payload)
                    }
                    false => {
                        let (header, datagram) = ipv6::Header::split(packet).unwrap();
                        assert_eq!(40 + datagram.len(), packet.len());
                        (Addr::v6(*header.src()), Addr::v6(*header.dst()), datagram)
                    }
                };
                let (header, data) = crate::wire::udp::Header::split(datagram).unwrap();
                assert_eq!(usize::from(header.length()), datagram.len());
                assert!(header.is_checksum_valid(data, &src, &dst) && header.checksum() != [0; 2]);
                lens.push(data.len());
                got.extend(data.to_vec());
            }
            assert_eq!((lens, got), (vec![100, 100, 56], payload.clone()));
        }
    }

    #[test]
    #[cfg(feature = "proto-ipv4")]
    fn what_is_no_udp_or_ends_early_is_not_cut() {
        let buffer = together(true, &[], &[7; 30]);
        assert!(Datagrams::new(&buffer, START, true, 0).is_none());
        assert!(Datagrams::new(&buffer, START, false, 10).is_none());
        assert!(Datagrams::new(&buffer[..buffer.len() - 7], START, true, 10).is_none());
        assert!(Datagrams::new(&together(true, &[], &[]), START, true, 10).is_none());
        let mut tcp = buffer.clone();
        tcp[START + 14 + 9] = 6;
        tcp[START + 14 + 11] += 11;
        assert!(Datagrams::new(&tcp, START, true, 10).is_none());
        for len in 0..buffer.len() {
            assert!(len > buffer.len() - 7 || Datagrams::new(&buffer[..len], START, true, 10).is_none());
        }
    }
}
