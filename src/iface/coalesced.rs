//! TCP segments of one flow that the device has put together (its LRO, the sender's TSO): cut apart again.
//!
//! Only addresses and lengths are changed back; whoever writes a segment completes its checksums after it.

use crate::wire::{IpProtocol, checksum, ipv4, ipv6};

/// Octets of a TCP header without options.
const TCP_HEADER_LEN: usize = 20;
const FIN: u8 = 1;
const PSH: u8 = 8;
const CWR: u8 = 0x80;

/// An IP packet with TCP whose payload is that of several segments.
pub(crate) struct Coalesced<'f> {
    packet: &'f [u8],
    /// Octets of the IP header, without extension headers.
    ip_len: usize,
    /// Octets of both headers.
    headers_len: usize,
    /// Payload octets of each segment but the last.
    segment_len: usize,
}

impl<'f> Coalesced<'f> {
    /// A packet whose segments have `segment_len` octets; `None` if it carries no TCP that could be cut.
    pub(crate) fn new(packet: &'f [u8], segment_len: usize) -> Option<Coalesced<'f>> {
        let (ip_len, protocol) = if packet.first()? >> 4 == 4 {
            let header = ipv4::Header::split(packet).ok()?.header;
            (usize::from(header.header_len()), header.protocol())
        } else {
            (ipv6::HEADER_LEN, ipv6::Header::split(packet).ok()?.0.next_header())
        };
        let tcp = packet.get(ip_len..).filter(|_| protocol == IpProtocol::TCP && segment_len > 0)?;
        let tcp_len = usize::from(tcp.get(12)? >> 4) * 4;
        let headers_len = ip_len + tcp_len;
        (tcp_len >= TCP_HEADER_LEN && headers_len < packet.len()).then_some(Coalesced {
            packet,
            ip_len,
            headers_len,
            segment_len,
        })
    }

    fn payload(&self) -> &'f [u8] {
        self.packet.get(self.headers_len..).unwrap_or_default()
    }

    /// How many segments there are.
    pub(crate) fn count(&self) -> usize {
        self.payload().len().div_ceil(self.segment_len)
    }

    /// Octets of the largest as an IP packet.
    pub(crate) fn max_len(&self) -> usize {
        self.headers_len + self.segment_len.min(self.payload().len())
    }

    fn part(&self, index: usize) -> &'f [u8] {
        self.payload().chunks(self.segment_len).nth(index).unwrap_or_default()
    }

    /// Whether it says what only the first segment may say (RFC 3168 §6.1.2): a device might say it with each.
    #[cfg(feature = "iface-forward")]
    pub(crate) fn has_cwr(&self) -> bool {
        self.packet.get(self.ip_len + 13).is_some_and(|flags| flags & CWR != 0)
    }

    /// Octets of all as IP packets.
    #[cfg(feature = "iface-forward")]
    pub(crate) fn total_len(&self) -> usize {
        self.count() * self.headers_len + self.payload().len()
    }

    /// Octets of a segment as an IP packet.
    pub(crate) fn len_of(&self, index: usize) -> usize {
        self.headers_len + self.part(index).len()
    }

    /// Writes a segment, but for TCP's checksum, into as many octets as it has.
    pub(crate) fn write(&self, index: usize, out: &mut [u8]) {
        let Some((headers, payload)) = out.split_at_mut_checked(self.headers_len) else { return };
        let Some((ip, tcp)) = headers.split_at_mut_checked(self.ip_len) else { return };
        let Some((whole_ip, rest)) = self.packet.split_at_checked(self.ip_len) else { return };
        ip.copy_from_slice(whole_ip);
        tcp.copy_from_slice(rest.get(..tcp.len()).unwrap_or_default());
        payload.copy_from_slice(self.part(index));
        self.write_ip(index, ip, tcp.len() + payload.len());
        if let Some(tcp) = tcp.first_chunk_mut() {
            self.write_tcp(index, tcp);
        }
    }

    /// Lengths, and what tells the packets apart (RFC 6864 §4.3: each its own identification).
    fn write_ip(&self, index: usize, ip: &mut [u8], len: usize) {
        if ip.len() == ipv6::HEADER_LEN && ip[0] >> 4 == 6 {
            ip[4..6].copy_from_slice(&(len as u16).to_be_bytes());
            return;
        }
        let total_len = (ip.len() + len) as u16;
        ip[2..4].copy_from_slice(&total_len.to_be_bytes());
        let ident = u16::from_be_bytes([ip[4], ip[5]]).wrapping_add(index as u16);
        ip[4..6].copy_from_slice(&ident.to_be_bytes());
        ip[10..12].fill(0);
        let sum = checksum::sum(ip).finish();
        ip[10..12].copy_from_slice(&sum);
    }

    /// Where in the stream it is; what is said once is said by the first or by the last.
    fn write_tcp(&self, index: usize, tcp: &mut [u8; TCP_HEADER_LEN]) {
        let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
        let seq = seq.wrapping_add((index * self.segment_len) as u32);
        tcp[4..8].copy_from_slice(&seq.to_be_bytes());
        if index > 0 {
            // RFC 3168 §6.1.2: the reduced window is told once.
            tcp[13] &= !CWR;
        }
        if index + 1 < self.count() {
            tcp[13] &= !(FIN | PSH);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bare headers and `len` octets of payload that tell where they stand.
    fn packet(is_v4: bool, len: usize) -> Vec<u8> {
        let mut tcp =
            vec![0, 80, 4, 0, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 9, 0x50, FIN | PSH | CWR | 0x10, 1, 0];
        tcp.extend([0; 4]);
        tcp.extend((0..len).map(|i| i as u8));
        let mut ip = if is_v4 {
            let mut ip = vec![0x45, 0, 0, 0, 0xff, 0xff, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            ip[2..4].copy_from_slice(&((20 + tcp.len()) as u16).to_be_bytes());
            let sum = checksum::sum(&ip).finish();
            ip[10..12].copy_from_slice(&sum);
            ip
        } else {
            let mut ip = vec![0x60, 0, 0, 0, 0, 0, 6, 64];
            ip[4..6].copy_from_slice(&(tcp.len() as u16).to_be_bytes());
            ip.extend([0xfd; 32]);
            ip
        };
        ip.extend(tcp);
        ip
    }

    #[test]
    fn the_segments_are_those_that_were_put_together() {
        for is_v4 in [true, false] {
            let whole = packet(is_v4, 250);
            let headers_len = if is_v4 { 40 } else { 60 };
            let cut = Coalesced::new(&whole, 100).unwrap();
            assert_eq!((cut.count(), cut.max_len()), (3, headers_len + 100));
            let mut payload: Vec<u8> = Vec::new();
            for index in 0..3 {
                let mut out = vec![0xff; cut.len_of(index)];
                cut.write(index, &mut out);
                let tcp = &out[headers_len - 20..];
                let seq = 0xffff_fff0_u32.wrapping_add(100 * index as u32);
                assert_eq!(tcp[4..8], seq.to_be_bytes());
                assert_eq!(tcp[13] & CWR != 0, index == 0);
                assert_eq!(tcp[13] & (FIN | PSH) != 0, index == 2);
                payload.extend(&tcp[20..]);
                if is_v4 {
                    let parts = ipv4::Header::split(&out).expect("lengths and checksum are right");
                    assert_eq!(parts.header.ident(), 0xffff_u16.wrapping_add(index as u16));
                } else {
                    assert_eq!(ipv6::Header::split(&out).unwrap().1.len(), tcp.len());
                }
            }
            assert_eq!(payload, whole[headers_len..]);
        }
    }

    #[test]
    fn a_header_of_ipv4_that_is_as_long_as_one_of_ipv6_stays_one() {
        let bare = packet(true, 250);
        let mut whole = [&bare[..20], &[1; 20], &bare[20..]].concat();
        whole[0] = 0x4a;
        let len = whole.len() as u16;
        whole[2..4].copy_from_slice(&len.to_be_bytes());
        whole[10..12].fill(0);
        let sum = checksum::sum(&whole[..40]).finish();
        whole[10..12].copy_from_slice(&sum);
        let cut = Coalesced::new(&whole, 100).unwrap();
        for index in 0..3 {
            let mut out = vec![0xff; cut.len_of(index)];
            cut.write(index, &mut out);
            let parts = ipv4::Header::split(&out).expect("lengths and checksum are right");
            assert_eq!(parts.header.ident(), 0xffff_u16.wrapping_add(index as u16));
            assert_eq!(parts.payload.len(), out.len() - 40);
        }
    }

    #[test]
    fn what_is_no_tcp_or_has_no_payload_is_not_cut() {
        let whole = packet(true, 10);
        assert!(Coalesced::new(&whole, 0).is_none());
        assert!(Coalesced::new(&packet(true, 0), 100).is_none());
        let mut udp = packet(false, 10);
        udp[6] = 17;
        assert!(Coalesced::new(&udp, 100).is_none());
        let mut short = packet(false, 10);
        short[52] = 0x40;
        assert!(Coalesced::new(&short, 100).is_none());
        for len in 0..whole.len() {
            let _ = Coalesced::new(&whole[..len], 4).map(|cut| cut.count());
        }
    }
}
