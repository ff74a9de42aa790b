//! Transport checksums that were never completed, since the packet crossed no wire so far, or that have become
//! wrong, since it was cut out of a larger one; and such as are left to a device.

use core::ops::Range;

use super::{IpProtocol, checksum, ipv4, ipv6, ipv6ext, vlan};

/// Where a packet's transport checksum stands, and what it covers.
struct Field {
    /// The addresses' part of the pseudo-header.
    addresses: checksum::Sum,
    protocol: IpProtocol,
    /// Where the transport header begins, in octets of the packet.
    start: usize,
    /// The checksum, in octets of the transport header.
    place: Range<usize>,
}

impl Field {
    /// `None` if the packet is a fragment, or carries neither TCP nor UDP.
    fn of(ip: &[u8]) -> Option<Field> {
        let (addresses, protocol, start) = transport_of(ip)?;
        let place = match protocol {
            IpProtocol::TCP => 16..18,
            IpProtocol::UDP => 6..8,
            _ => return None,
        };
        ip.get(start..)?.get(place.clone())?;
        Some(Field { addresses, protocol, start, place })
    }

    /// The sum of the pseudo-header before so many octets.
    fn pseudo_header(&self, len: usize) -> checksum::Sum {
        let rest = [u32::from(self.protocol.0), len as u32].map(checksum::Sum::of_u32);
        self.addresses.add(rest[0]).add(rest[1])
    }
}

/// Where the IP packet is in a frame of Ethernet or of bare IP, padding left out; `None` if it is not whole.
#[cfg(feature = "phy-pcap")]
pub(crate) fn packet_in(frame: &[u8], is_ethernet: bool) -> Option<Range<usize>> {
    let at = vlan::link_header_len(frame, is_ethernet)?;
    let packet = frame.get(at..)?;
    let len = packet_len(packet).filter(|len| *len <= packet.len())?;
    Some(at..at + len)
}

/// What an IP header says of the packet's length: padding may follow.
pub(crate) fn packet_len(packet: &[u8]) -> Option<usize> {
    let word = |at: usize| Some(usize::from(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?])));
    if packet.first()? >> 4 == 4 { word(2) } else { Some(ipv6::HEADER_LEN + word(4)?) }
}

/// Whether a packet, without padding, has a checksum that [`complete`] can compute.
#[cfg(feature = "iface-bridge")]
pub(crate) fn can_complete(ip: &[u8]) -> bool {
    Field::of(ip).is_some()
}

/// Computes the transport checksum of a packet, which has no padding.
#[inline(never)]
pub(crate) fn complete(ip: &mut [u8]) {
    let Some(field) = Field::of(ip) else { return };
    let Some(transport) = ip.get_mut(field.start..) else { return };
    let Some(octets) = transport.get_mut(field.place.clone()) else { return };
    octets.fill(0);
    let sum = field.pseudo_header(transport.len()).add(checksum::sum(transport));
    let value = if field.protocol == IpProtocol::UDP { sum.finish_udp() } else { sum.finish() };
    if let Some(octets) = transport.get_mut(field.place) {
        octets.copy_from_slice(&value);
    }
}

/// A transport checksum as it is left to a device.
#[cfg(feature = "iface-forward")]
pub(crate) struct Open {
    pub(crate) protocol: IpProtocol,
    /// Where the transport header begins, in octets of the packet.
    pub(crate) start: usize,
    /// The checksum, in octets of the transport header.
    pub(crate) offset: usize,
    /// What the field holds: the pseudo-header's sum.
    sum: [u8; 2],
}

#[cfg(feature = "iface-forward")]
impl Open {
    /// Of a packet without padding, if it has a checksum that [`complete`] could compute.
    pub(crate) fn of(ip: &[u8]) -> Option<Open> {
        let field = Field::of(ip)?;
        let sum = field.pseudo_header(ip.len() - field.start).partial();
        Some(Open { protocol: field.protocol, start: field.start, offset: field.place.start, sum })
    }

    /// Writes the sum into a copy of the packet.
    pub(crate) fn write(&self, ip: &mut [u8]) {
        let field = ip.get_mut(self.start + self.offset..).and_then(|rest| rest.first_chunk_mut());
        if let Some(field) = field {
            *field = self.sum;
        }
    }
}

/// The addresses' part of a packet's pseudo-header, its protocol, and where that begins.
fn transport_of(ip: &[u8]) -> Option<(checksum::Sum, IpProtocol, usize)> {
    if ip.first()? >> 4 == 4 {
        let parts = ipv4::Header::split(ip).ok().filter(|parts| !parts.header.is_fragment())?;
        let at = usize::from(parts.header.header_len());
        return Some((checksum::sum(ip.get(12..20)?), parts.header.protocol(), at));
    }
    let (header, payload) = ipv6::Header::split(ip).ok()?;
    let walk = ipv6ext::walk(header.next_header(), payload).ok().filter(|walk| walk.fragment.is_none())?;
    Some((checksum::sum(ip.get(8..40)?), walk.protocol, ip.len() - walk.payload.len()))
}
