//! A frame as it goes out by another port: as it came, but for what its device has left undone.

use core::ops::Range;

use crate::iface::coalesced::Coalesced;
use crate::phy::RxMeta;
use crate::stats::DropReason;
use crate::wire::vlan::{self, MAX_TAGS, TAG_LEN};
use crate::wire::{EtherType, ethernet, partial};

/// A frame on its way through.
pub(super) struct Frame<'f> {
    octets: &'f [u8],
    /// Octets of its tags.
    pub(super) tags_len: usize,
    work: Work<'f>,
}

/// Is given the octets of a frame, and what writes it.
type Send<'s> = dyn FnMut(usize, &mut dyn FnMut(&mut [u8])) + 's;

/// What is to be done.
enum Work<'f> {
    Nothing,
    /// Complete the checksum of the packet that stands there.
    Complete(Range<usize>),
    /// Cut it into these, behind so many octets of link header.
    Cut(usize, Coalesced<'f>),
}

impl<'f> Frame<'f> {
    /// Whom it is for.
    pub(super) fn hardware(&self) -> Option<&[u8; 6]> {
        self.octets.first_chunk()
    }

    /// `Checksum`: it can't be completed. `TooBig`: the parts can't be found.
    pub(super) fn new(meta: &RxMeta, octets: &'f [u8]) -> Result<Frame<'f>, DropReason> {
        let (ethertype, link_len) = link_header(octets)?;
        let tags_len = link_len - ethernet::HEADER_LEN;
        let is_plain = meta.segment_len == 0 && !meta.checksum_partial;
        let work = if is_plain { Work::Nothing } else { work(meta, octets, ethertype, link_len)? };
        Ok(Frame { octets, tags_len, work })
    }

    /// Octets of the largest frame that it becomes.
    pub(super) fn max_len(&self) -> usize {
        match &self.work {
            Work::Cut(link_len, whole) => link_len + whole.max_len(),
            _ => self.octets.len(),
        }
    }

    /// Calls `send` with the octets of each frame that it becomes, and with what writes them.
    pub(super) fn for_each(&self, send: &mut Send<'_>) {
        match &self.work {
            Work::Nothing => send(self.octets.len(), &mut |out| out.copy_from_slice(self.octets)),
            Work::Complete(place) => send(self.octets.len(), &mut |out| {
                out.copy_from_slice(self.octets);
                if let Some(ip) = out.get_mut(place.clone()) {
                    partial::complete(ip);
                }
            }),
            Work::Cut(link_len, whole) => {
                let link = self.octets.get(..*link_len).unwrap_or_default();
                for index in 0..whole.count() {
                    send(link_len + whole.len_of(index), &mut |out| write_segment(link, whole, index, out));
                }
            }
        }
    }
}

fn write_segment(link: &[u8], whole: &Coalesced<'_>, index: usize, out: &mut [u8]) {
    let Some((header, ip)) = out.split_at_mut_checked(link.len()) else { return };
    header.copy_from_slice(link);
    whole.write(index, ip);
    partial::complete(ip);
}

/// What a device has left undone in this frame.
#[inline(never)]
fn work<'f>(
    meta: &RxMeta,
    octets: &'f [u8],
    ethertype: EtherType,
    link_len: usize,
) -> Result<Work<'f>, DropReason> {
    let is_ip = matches!(ethertype, EtherType::IPV4 | EtherType::IPV6);
    let packet = octets.get(link_len..).filter(|_| is_ip).unwrap_or_default();
    if meta.segment_len > 0 {
        let whole = Coalesced::new(packet, usize::from(meta.segment_len)).ok_or(DropReason::TooBig)?;
        return Ok(Work::Cut(link_len, whole));
    }
    let end = partial::packet_len(packet).filter(|len| *len <= packet.len()).ok_or(DropReason::Checksum)?;
    let can_complete = packet.get(..end).is_some_and(partial::can_complete);
    can_complete.then_some(Work::Complete(link_len..link_len + end)).ok_or(DropReason::Checksum)
}

/// What the frame carries behind its tags, and where that begins.
fn link_header(octets: &[u8]) -> Result<(EtherType, usize), DropReason> {
    let (header, mut payload) = ethernet::Header::split(octets)?;
    let (mut ethertype, mut len) = (header.ethertype(), ethernet::HEADER_LEN);
    for _ in 0..MAX_TAGS {
        if !vlan::is_tag(ethertype) {
            break;
        }
        let (tag, rest) = vlan::Header::split(payload)?;
        (ethertype, payload, len) = (tag.ethertype(), rest, len + TAG_LEN);
    }
    Ok((ethertype, len))
}
