//! VLAN tags of an interface (feature `iface-vlan`; IEEE 802.1Q, 802.1ad).
//!
//! Several interfaces are on one device, each with tags of its own, and one of them without. What comes in
//! is for the interface whose tags it has; a tag without an identifier only carries a priority, and counts
//! as none (IEEE 802.1Q §6.9). A frame with tags that nobody has is a counted drop.

use crate::phy::DeviceCapabilities;
use crate::stats::DropReason;
use crate::wire::vlan::{self, Header, MAX_TAGS, TAG_LEN};
use crate::wire::{EtherType, VlanId, VlanPriority, ethernet};

/// What tells tags apart: their EtherType and identifier, not the priority.
const IDENTITY: u32 = 0xffff_0fff;

/// The tags of an interface's frames. The default is none.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct VlanTags {
    /// EtherType and control field of each, the outermost first; zero for none.
    words: [u32; MAX_TAGS],
    /// Octets of all.
    len: u8,
}

impl VlanTags {
    /// Frames without a tag.
    pub const NONE: VlanTags = VlanTags { words: [0; MAX_TAGS], len: 0 };

    /// One tag of 802.1Q.
    pub const fn single(id: VlanId) -> VlanTags {
        VlanTags { words: [word(EtherType::VLAN, id), 0], len: TAG_LEN as u8 }
    }

    /// A service provider's tag of 802.1ad, and a customer's within it.
    pub const fn stacked(service: VlanId, customer: VlanId) -> VlanTags {
        let words = [word(EtherType::QINQ, service), word(EtherType::VLAN, customer)];
        VlanTags { words, len: 2 * TAG_LEN as u8 }
    }

    /// The same with this priority in each tag that is sent.
    pub fn with_priority(mut self, priority: VlanPriority) -> VlanTags {
        for word in self.words.iter_mut().filter(|word| **word != 0) {
            *word = *word & IDENTITY | u32::from(priority.number()) << 13;
        }
        self
    }

    /// Octets that they add to a frame.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Octets that they take from the IP MTU of such a device.
    pub(crate) fn cost(&self, capabilities: &DeviceCapabilities) -> usize {
        // Where the device leaves enough room for tags beside its MTU, they cost nothing.
        self.len().saturating_sub(capabilities.max_tag_len)
    }

    /// What the Ethernet header says that follows it, where the tags are followed by `ethertype`.
    #[inline]
    pub(crate) fn outermost(&self, ethertype: EtherType) -> EtherType {
        if self.len == 0 { ethertype } else { EtherType((self.words[0] >> 16) as u16) }
    }

    /// Writes the tags behind the Ethernet header, and returns the place for what follows.
    #[inline]
    pub(crate) fn emit<'f>(&self, rest: &'f mut [u8], ethertype: EtherType) -> Option<&'f mut [u8]> {
        if self.len == 0 { Some(rest) } else { self.emit_all(rest, ethertype) }
    }

    #[inline(never)]
    fn emit_all<'f>(&self, mut rest: &'f mut [u8], ethertype: EtherType) -> Option<&'f mut [u8]> {
        let [_, inner] = self.words;
        for (word, next) in self.words.iter().zip([inner, 0]).take_while(|(word, _)| **word != 0) {
            let next = if next == 0 { ethertype.0 } else { (next >> 16) as u16 };
            let (tag, behind) = rest.split_first_chunk_mut::<TAG_LEN>()?;
            *tag = (*word << 16 | u32::from(next)).to_be_bytes();
            rest = behind;
        }
        Some(rest)
    }

    /// Takes the tags off, if they are ours.
    #[inline]
    pub(crate) fn strip<'f>(
        &self,
        ethertype: EtherType,
        payload: &'f [u8],
    ) -> Result<(EtherType, &'f [u8]), DropReason> {
        if self.len == 0 && !vlan::is_tag(ethertype) {
            return Ok((ethertype, payload));
        }
        self.strip_all(ethertype, payload)
    }

    #[inline(never)]
    fn strip_all<'f>(
        &self,
        ethertype: EtherType,
        payload: &'f [u8],
    ) -> Result<(EtherType, &'f [u8]), DropReason> {
        let (tags, ethertype, payload) = read(ethertype, payload)?;
        if tags != self.words.map(|word| word & IDENTITY) {
            return Err(DropReason::UnknownVlan);
        }
        Ok((ethertype, payload))
    }

    /// Whether a frame has these tags.
    #[cfg(feature = "iface-router")]
    pub(crate) fn are_on(&self, frame: &[u8]) -> bool {
        let Ok((header, payload)) = ethernet::Header::split(frame) else { return false };
        self.strip(header.ethertype(), payload).is_ok()
    }
}

const fn word(ethertype: EtherType, id: VlanId) -> u32 {
    (ethertype.0 as u32) << 16 | id.number() as u32
}

/// A frame's tags that have an identifier, and what follows them.
fn read(
    mut ethertype: EtherType,
    mut payload: &[u8],
) -> Result<([u32; MAX_TAGS], EtherType, &[u8]), DropReason> {
    let mut tags = [0; MAX_TAGS];
    let mut count = 0;
    for _ in 0..MAX_TAGS {
        if !vlan::is_tag(ethertype) {
            break;
        }
        let (header, rest) = Header::split(payload)?;
        let id = header.raw_id();
        if id != 0 {
            let id = VlanId::new(id).ok_or(DropReason::Malformed)?;
            if let Some(tag) = tags.get_mut(count) {
                *tag = word(ethertype, id);
            }
            count += 1;
        }
        (ethertype, payload) = (header.ethertype(), rest);
    }
    Ok((tags, ethertype, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u16) -> VlanId {
        VlanId::new(number).unwrap()
    }

    fn all() -> [VlanTags; 3] {
        [VlanTags::NONE, VlanTags::single(id(42)), VlanTags::stacked(id(100), id(42))]
    }

    #[test]
    fn tags_are_taken_off_as_they_were_written_and_nobody_elses() {
        for (place, tags) in all().into_iter().enumerate() {
            let tags = tags.with_priority(VlanPriority::new(5).unwrap());
            let mut octets = [0xff; 12];
            let payload = tags.emit(&mut octets, EtherType::ARP).unwrap();
            assert_eq!(payload.len(), 12 - tags.len());
            let outermost = tags.outermost(EtherType::ARP);
            for (other_place, other) in all().into_iter().enumerate() {
                let stripped = other.strip(outermost, &octets);
                if place == other_place {
                    assert_eq!(stripped, Ok((EtherType::ARP, &octets[tags.len()..])));
                } else {
                    assert_eq!(stripped, Err(DropReason::UnknownVlan));
                }
            }
            if place > 0 {
                assert_eq!(octets[0] >> 5, 5);
            }
        }
    }

    /// Covers: IEEE 802.1Q §6.9
    #[test]
    fn a_tag_that_carries_a_priority_only_counts_as_none() {
        let priority_only = [0xe0, 0, 8, 6, 1];
        assert_eq!(
            VlanTags::NONE.strip(EtherType::VLAN, &priority_only),
            Ok((EtherType::ARP, &priority_only[4..]))
        );
        let single = VlanTags::single(id(42));
        assert_eq!(single.strip(EtherType::VLAN, &priority_only), Err(DropReason::UnknownVlan));
        assert_eq!(single.strip(EtherType::ARP, &[1]), Err(DropReason::UnknownVlan));
    }

    #[test]
    fn malformed_tags_get_their_reason() {
        let single = VlanTags::single(id(42));
        for len in 0..TAG_LEN {
            let cut = &[0, 42, 8, 6][..len];
            assert_eq!(single.strip(EtherType::VLAN, cut), Err(DropReason::Truncated), "{len}");
        }
        assert_eq!(single.strip(EtherType::VLAN, &[0xf, 0xff, 8, 6]), Err(DropReason::Malformed));
        // The third tag is not looked into: it is what the other two carry.
        let three = [0, 42, 0x81, 0, 0, 0, 0x81, 0, 0, 0, 8, 6];
        assert_eq!(single.strip(EtherType::VLAN, &three), Ok((EtherType::VLAN, &three[8..])));
    }

    #[cfg(feature = "medium-ethernet")]
    #[test]
    fn a_tag_costs_what_the_device_has_no_room_for() {
        let mut capabilities = DeviceCapabilities::new(crate::phy::Medium::Ethernet, 1_514);
        assert_eq!(all().map(|tags| tags.cost(&capabilities)), [0, 4, 8]);
        capabilities.max_tag_len = 4;
        assert_eq!(all().map(|tags| tags.cost(&capabilities)), [0, 0, 4]);
    }
}
