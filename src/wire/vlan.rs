//! VLAN tags: the customer's of IEEE 802.1Q and the service provider's of 802.1ad (QinQ).
//!
//! A tag is what follows an Ethernet header, or another tag, whose EtherType says so: 0x8100 or 0x88a8. It
//! ends with the EtherType of what follows it. More than two are not walked.
//!
//! ```text
//!  0                   1                   2                   3
//! | priority |D|    VLAN identifier       |  EtherType            |  payload …
//! ```

use core::fmt;

use super::ethernet::{self, EtherType};
use super::field::u16_at;
use super::{Error, Result};

/// Octets of a tag behind the EtherType that announces it, and so what it adds to a frame.
pub const TAG_LEN: usize = 4;
const _: () = assert!(TAG_LEN == size_of::<[u16; 2]>());

/// How many tags of a frame are read: the provider's and the customer's.
pub const MAX_TAGS: usize = 2;

/// The reserved identifier, which no frame may carry (IEEE 802.1Q table 9-2).
const RESERVED_ID: u16 = 0xfff;

/// The number of a VLAN: 1 to 4,094.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u16);

impl Id {
    /// `None` for 0, which names no VLAN, for the reserved 4,095, and for what has no place in a tag.
    pub const fn new(number: u16) -> Option<Id> {
        if number == 0 || number >= RESERVED_ID { None } else { Some(Id(number)) }
    }

    /// 1 to 4,094.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A frame's priority, the PCP: 0 (best effort) to 7 (network control). 1 is less than 0.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Priority(u8);

impl Priority {
    /// What traffic has that nobody gave one.
    pub const BEST_EFFORT: Priority = Priority(0);

    /// `None` above 7.
    pub const fn new(number: u8) -> Option<Priority> {
        if number > 7 { None } else { Some(Priority(number)) }
    }

    /// 0 to 7.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// Whether `ethertype` announces a tag.
pub const fn is_tag(ethertype: EtherType) -> bool {
    matches!(ethertype, EtherType::VLAN | EtherType::QINQ)
}

/// A tag of 4 octets.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a>(&'a [u8; TAG_LEN]);

impl<'a> Header<'a> {
    /// Splits what follows the EtherType of a tag into the tag and its payload.
    #[inline]
    pub fn split(data: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, payload) = data.split_first_chunk().ok_or(Error::Truncated)?;
        Ok((Header(header), payload))
    }

    /// Priority, drop eligibility and identifier together.
    #[inline]
    pub fn control(&self) -> u16 {
        u16_at::<0, TAG_LEN>(self.0)
    }

    /// How urgent the frame is.
    #[inline]
    pub fn priority(&self) -> Priority {
        Priority(self.0[0] >> 5)
    }

    /// Whether the frame may be dropped before others.
    #[inline]
    pub fn drop_eligible(&self) -> bool {
        self.0[0] & 0x10 != 0
    }

    /// The identifier as it stands there: 0 for a tag that carries a priority only, 4,095 is reserved.
    #[inline]
    pub fn raw_id(&self) -> u16 {
        self.control() & 0xfff
    }

    /// What the tag's payload is.
    #[inline]
    pub fn ethertype(&self) -> EtherType {
        EtherType(u16_at::<2, TAG_LEN>(self.0))
    }
}

packet! {
    /// A tag and its payload in a buffer.
    Packet, |data| Header::split(data).map(|_| ())
}

getters! { Packet:
    control -> u16;
    priority -> Priority;
    drop_eligible -> bool;
    raw_id -> u16;
    ethertype -> EtherType;
}

setters! { Packet:
    set_control(control: u16) at 0 = control.to_be_bytes();
    set_ethertype(ethertype: EtherType) at 2 = ethertype.0.to_be_bytes();
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// What follows the tag, padding included.
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[TAG_LEN..]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// What follows the tag, to write it.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.as_mut()[TAG_LEN..]
    }
}

/// A tag in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// The VLAN; `None` in a tag that carries a priority only.
    pub id: Option<Id>,
    /// How urgent the frame is.
    pub priority: Priority,
    /// Whether the frame may be dropped before others.
    pub drop_eligible: bool,
    /// What the payload is.
    pub ethertype: EtherType,
}

impl Repr {
    /// Reads a tag; `Malformed` with the reserved identifier.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>) -> Result<Repr> {
        packet.check_len()?;
        let id = match packet.raw_id() {
            0 => None,
            number => Some(Id::new(number).ok_or(Error::Malformed)?),
        };
        let (priority, drop_eligible) = (packet.priority(), packet.drop_eligible());
        Ok(Repr { id, priority, drop_eligible, ethertype: packet.ethertype() })
    }

    /// Octets of the tag.
    pub const fn buffer_len(&self) -> usize {
        TAG_LEN
    }

    /// Priority, drop eligibility and identifier as they stand in the tag.
    pub const fn control(&self) -> u16 {
        let number = match self.id {
            Some(id) => id.0,
            None => 0,
        };
        (self.priority.0 as u16) << 13 | (self.drop_eligible as u16) << 12 | number
    }

    /// Writes the tag.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, packet: &mut Packet<T>) {
        packet.set_control(self.control());
        packet.set_ethertype(self.ethertype);
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "VLAN {id}")?,
            None => f.write_str("VLAN none")?,
        }
        write!(f, " priority={}", self.priority.0)?;
        f.write_str(if self.drop_eligible { " drop-eligible " } else { " " })?;
        self.ethertype.fmt(f)
    }
}

/// Octets before what a frame of Ethernet carries, tags included, or of bare IP; `None` if it ends before.
pub(crate) fn link_header_len(frame: &[u8], is_ethernet: bool) -> Option<usize> {
    if !is_ethernet {
        return Some(0);
    }
    let mut len = ethernet::HEADER_LEN;
    // An EtherType ends the header, and each tag.
    let ethertype = |len| frame.get(..len)?.last_chunk().map(|octets| EtherType(u16::from_be_bytes(*octets)));
    for _ in 0..MAX_TAGS {
        if is_tag(ethertype(len)?) {
            len += TAG_LEN;
        }
    }
    ethertype(len).map(|_| len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::{self, hex};

    /// What follows the EtherType of the frame's first tag.
    fn tagged(frame: &str) -> Vec<u8> {
        let data = hex(frame);
        let (header, payload) = crate::wire::ethernet::Header::split(&data).unwrap();
        assert!(is_tag(header.ethertype()));
        payload.to_vec()
    }

    fn parse(data: &[u8]) -> Result<Repr> {
        Repr::parse(&Packet::new_unchecked(data))
    }

    #[test]
    fn tags_of_another_implementation_parse_and_are_written_again() {
        let cases = [
            (tagged(frames::VLAN_UDP4), "VLAN 42 priority=5 IPv4"),
            (tagged(frames::PRIORITY_UDP6), "VLAN none priority=7 IPv6"),
            (tagged(frames::QINQ_ARP), "VLAN 100 priority=3 drop-eligible 802.1Q"),
            (tagged(frames::QINQ_ARP)[TAG_LEN..].to_vec(), "VLAN 200 priority=0 ARP"),
        ];
        for (data, text) in cases {
            let packet = Packet::new_checked(&data).unwrap();
            let repr = Repr::parse(&packet).unwrap();
            assert_eq!(repr.to_string(), text);
            let mut copy = Packet::new_unchecked(vec![0xff; data.len()]);
            repr.emit(&mut copy);
            copy.payload_mut().copy_from_slice(packet.payload());
            assert_eq!(copy.into_inner(), data);
        }
    }

    #[test]
    fn a_cut_tag_is_truncated() {
        let data = tagged(frames::VLAN_UDP4);
        for len in 0..TAG_LEN {
            assert_eq!(parse(&data[..len]).unwrap_err(), Error::Truncated, "{len}");
        }
        assert!(Packet::new_checked(&data[..TAG_LEN]).unwrap().payload().is_empty());
    }

    #[test]
    fn each_flipped_bit_is_seen_and_written_again() {
        let mut data = tagged(frames::QINQ_ARP)[..TAG_LEN].to_vec();
        let good = parse(&data).unwrap();
        for bit in 0..TAG_LEN * 8 {
            data[bit / 8] ^= 1 << (bit % 8);
            let repr = parse(&data).unwrap();
            assert_ne!(repr, good, "{bit}");
            let mut copy = Packet::new_unchecked([0xff; TAG_LEN]);
            repr.emit(&mut copy);
            assert_eq!(copy.into_inner()[..], data);
            data[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn malformed_tags_get_their_error() {
        let cases: [(&[u8], Error); 4] = [
            (&[], Error::Truncated),
            (&[0, 1, 8], Error::Truncated),
            (&[0x0f, 0xff, 8, 0], Error::Malformed),
            (&[0xff, 0xff, 8, 0], Error::Malformed),
        ];
        for (data, error) in cases {
            assert_eq!(parse(data), Err(error), "{data:x?}");
        }
    }

    #[test]
    fn numbers_that_have_no_place_in_a_tag_make_no_tag() {
        assert_eq!(
            [0, 1, 4_094, 4_095, 4_096, 0xffff].map(|n| Id::new(n).is_some()),
            [false, true, true, false, false, false]
        );
        assert_eq!([0, 7, 8, 255].map(|n| Priority::new(n).is_some()), [true, true, false, false]);
    }
}
