//! The header before each frame by which the kernel and we tell each other of offloads (linux/virtio_net.h).
//!
//! TAP, TUN and AF_PACKET have the same one. What comes from the kernel is checked like a frame's own octets: a TAP's
//! other side may be a bridge or another machine's, and what they say of a frame passes through the kernel.

use std::ops::Range;

use crate::phy::{DeviceCapabilities, RxMeta, TxChecksum, TxMeta};
use crate::wire::vlan;

/// Octets of it.
pub(super) const LEN: usize = 10;
/// A frame as long as it can be when segments are together: an IP packet's 65,535 octets, and what links add.
pub(super) const MAX_FRAME_LEN: usize = 65_536 + 18;

/// Its flags: a checksum is still to be completed, or was found right.
const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;
/// What is together: nothing, TCP, or UDP.
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
/// Beside these: the first segment alone has TCP's CWR.
const GSO_ECN: u8 = 0x80;

/// Where in TCP's header its length and its flags stand, and the flag CWR.
const TCP_OFFSET_AT: usize = 12;
const TCP_FLAGS_AT: usize = 13;
const CWR: u8 = 0x80;

/// What it says of a received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) meta: RxMeta,
    /// What is together are UDP datagrams.
    pub(super) is_datagrams: bool,
}

/// The longest IP packet.
const MAX_SEGMENTATION_LEN: usize = 65_535;

/// Announces what can be left to the kernel.
pub(super) fn announce(capabilities: &mut DeviceCapabilities) {
    capabilities.tx_checksum = TxChecksum::TCP | TxChecksum::UDP;
    capabilities.max_segmentation_len = MAX_SEGMENTATION_LEN;
}

/// Reads the header that `frame` came with; `None` if it says what can't be, or something is together that can't be
/// taken for what it was.
pub(super) fn read(header: &[u8; LEN], frame: &[u8]) -> Option<Received> {
    let &[flags, kind, _, _, size_0, size_1, start_0, start_1, offset_0, offset_1] = header;
    let segment_len = match kind & !GSO_ECN {
        GSO_NONE => 0,
        GSO_TCPV4 | GSO_TCPV6 | GSO_UDP_L4 => u16::from_ne_bytes([size_0, size_1]),
        _ => return None,
    };
    let is_together = kind & !GSO_ECN != GSO_NONE;
    if is_together && !(1..frame.len()).contains(&usize::from(segment_len)) {
        return None;
    }
    let is_partial = flags & NEEDS_CSUM != 0;
    if is_partial {
        let [start, offset] = [[start_0, start_1], [offset_0, offset_1]].map(u16::from_ne_bytes);
        frame.get(field(start, offset))?;
    }
    let checksum_ok = is_partial || flags & DATA_VALID != 0;
    let meta = RxMeta { checksum_ok, checksum_partial: is_partial, segment_len, ..RxMeta::default() };
    Some(Received { meta, is_datagrams: kind & !GSO_ECN == GSO_UDP_L4 })
}

/// Where in the frame a checksum stands.
fn field(start: u16, offset: u16) -> Range<usize> {
    let at = usize::from(start) + usize::from(offset);
    at..at + 2
}

/// Writes the header that tells the kernel what is left to it: to complete a checksum, to cut TCP into segments.
pub(super) fn write(header: &mut [u8; LEN], frame: &[u8], is_ethernet: bool, meta: &TxMeta) {
    *header = [0; LEN];
    if meta.checksum_start == 0 {
        return;
    }
    header[0] = NEEDS_CSUM;
    header[6..8].copy_from_slice(&meta.checksum_start.to_ne_bytes());
    header[8..10].copy_from_slice(&meta.checksum_offset.to_ne_bytes());
    let tcp_at = usize::from(meta.checksum_start);
    let tcp = frame.get(tcp_at..).unwrap_or_default();
    let (Some(offset), Some(flags)) = (tcp.get(TCP_OFFSET_AT), tcp.get(TCP_FLAGS_AT)) else { return };
    let headers_len = tcp_at + usize::from(offset >> 4) * 4;
    // A packet with no more than one segment in it is none that could be cut.
    if meta.segment_len == 0 || frame.len() <= headers_len + usize::from(meta.segment_len) {
        return;
    }
    let version =
        vlan::link_header_len(frame, is_ethernet).and_then(|len| frame.get(len)).map(|first| first >> 4);
    header[1] = if version == Some(4) { GSO_TCPV4 } else { GSO_TCPV6 };
    if flags & CWR != 0 {
        header[1] |= GSO_ECN;
    }
    header[2..4].copy_from_slice(&(headers_len as u16).to_ne_bytes());
    header[4..6].copy_from_slice(&meta.segment_len.to_ne_bytes());
}

/// A buffer for frames to the kernel, each with its header, if the device has them.
#[derive(Debug)]
pub(super) struct TxFrame {
    octets: Vec<u8>,
    header_len: usize,
    is_ethernet: bool,
}

impl TxFrame {
    /// With room for frames of `len` octets; longer ones make more.
    pub(super) fn new(len: usize, has_header: bool, is_ethernet: bool) -> TxFrame {
        let header_len = if has_header { LEN } else { 0 };
        TxFrame { octets: vec![0; header_len + len], header_len, is_ethernet }
    }

    /// Has `f` fill a frame of `len` octets, and says what to hand over.
    ///
    /// A frame above the MTU, which no stack should send, is given room too: it is the kernel that refuses it, and it
    /// is counted.
    pub(super) fn fill<R>(
        &mut self,
        len: usize,
        meta: &TxMeta,
        f: impl FnOnce(&mut [u8]) -> R,
    ) -> (R, &[u8]) {
        let end = self.header_len + len;
        if self.octets.len() < end {
            self.octets.resize(end, 0);
        }
        let (header, frame) = self.octets[..end].split_at_mut(self.header_len);
        let result = f(frame);
        if let Some(header) = header.first_chunk_mut() {
            write(header, frame, self.is_ethernet, meta);
        }
        (result, &self.octets[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETHERNET_LEN: usize = 14;

    /// A header as the kernel writes it.
    fn header(flags: u8, kind: u8, segment_len: u16, start: u16, offset: u16) -> [u8; LEN] {
        let mut header = [flags, kind, 0xaa, 0xaa, 0, 0, 0, 0, 0, 0];
        for (place, value) in header[4..].chunks_exact_mut(2).zip([segment_len, start, offset]) {
            place.copy_from_slice(&value.to_ne_bytes());
        }
        header
    }

    fn meta(checksum_ok: bool, checksum_partial: bool, segment_len: u16) -> RxMeta {
        RxMeta { checksum_ok, checksum_partial, segment_len, ..RxMeta::default() }
    }

    #[test]
    fn what_the_kernel_says_of_a_frame_is_read() {
        let frame = [0; 100];
        let received = |header| read(&header, &frame).map(|received| (received.meta, received.is_datagrams));
        assert_eq!(received(header(0, 0, 0, 0, 0)), Some((meta(false, false, 0), false)));
        // Where nothing is together the size says nothing; where no checksum is open its place doesn't.
        assert_eq!(received(header(DATA_VALID, 0, 7_000, 7_000, 9)), Some((meta(true, false, 0), false)));
        assert_eq!(received(header(NEEDS_CSUM, 0, 0, 34, 16)), Some((meta(true, true, 0), false)));
        for kind in [GSO_TCPV4, GSO_TCPV6, GSO_TCPV4 | GSO_ECN, GSO_TCPV6 | GSO_ECN] {
            assert_eq!(received(header(NEEDS_CSUM, kind, 20, 34, 16)), Some((meta(true, true, 20), false)));
        }
        assert_eq!(received(header(0, GSO_UDP_L4, 20, 0, 0)), Some((meta(false, false, 20), true)));
    }

    #[test]
    fn a_header_that_lies_is_refused() {
        let frame = [0; 100];
        let is_refused = |header| read(&header, &frame).is_none();
        for kind in [GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, GSO_TCPV4 | GSO_ECN] {
            // Segments of nothing, or longer than what there is.
            assert!(is_refused(header(NEEDS_CSUM, kind, 0, 34, 16)));
            assert!(is_refused(header(NEEDS_CSUM, kind, 100, 34, 16)));
            assert!(is_refused(header(NEEDS_CSUM, kind, 65_535, 34, 16)));
            assert!(!is_refused(header(NEEDS_CSUM, kind, 99, 34, 16)));
        }
        // 3 is UDP in fragments; the others are nothing.
        for kind in (0..=0x7f).filter(|kind| ![GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4].contains(kind)) {
            assert!(is_refused(header(0, kind, 20, 0, 0)) && is_refused(header(0, kind | GSO_ECN, 20, 0, 0)));
        }
        // A checksum that stands outside, if only by an octet.
        for (start, offset) in [(34, 65), (99, 0), (98, 1), (100, 0), (65_535, 65_535)] {
            assert!(is_refused(header(NEEDS_CSUM, 0, 0, start, offset)), "{start} {offset}");
        }
        assert!(!is_refused(header(NEEDS_CSUM, 0, 0, 82, 16)));
        assert!(read(&header(NEEDS_CSUM, 0, 0, 0, 0), &[0]).is_none());
    }

    /// A frame of TCP with `payload` octets.
    fn tcp(version: u8, tags: &[u8], options_len: usize, flags: u8, payload: usize) -> (Vec<u8>, TxMeta) {
        let (ether_type, ip_len) = if version == 4 { ([8, 0], 20) } else { ([0x86, 0xdd], 40) };
        let mut frame = [&[0; 12], tags, &ether_type].concat();
        frame.push(version << 4 | 5);
        frame.resize(frame.len() + ip_len - 1, 0);
        let start = frame.len();
        frame.resize(start + 20 + options_len + payload, 0);
        frame[start + TCP_OFFSET_AT] = (((20 + options_len) / 4) << 4) as u8;
        frame[start + TCP_FLAGS_AT] = flags;
        (frame, TxMeta { checksum_start: start as u16, checksum_offset: 16, ..TxMeta::default() })
    }

    fn written(frame: &[u8], is_ethernet: bool, meta: &TxMeta) -> [u8; LEN] {
        let mut header = [0xff; LEN];
        write(&mut header, frame, is_ethernet, meta);
        header
    }

    #[test]
    fn what_is_left_to_the_kernel_is_written() {
        for (version, tags, kind) in [
            (4, &[][..], 1),
            (6, &[], 4),
            (4, &[0x81, 0, 0, 7], 1),
            (6, &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2], 4),
        ] {
            let (frame, meta) = tcp(version, tags, 12, 0x10, 3_000);
            let start = meta.checksum_start;
            let mut expected = header(NEEDS_CSUM, 0, 0, start, 16);
            expected[2..4].fill(0);
            assert_eq!(written(&frame, true, &meta), expected);
            // To be cut: with the length of all headers, which the kernel copies.
            let meta = TxMeta { segment_len: 1_448, ..meta };
            expected = header(NEEDS_CSUM, kind, 1_448, start, 16);
            expected[2..4].copy_from_slice(&(start + 32).to_ne_bytes());
            assert_eq!(written(&frame, true, &meta), expected);
            // Bare IP, and CWR.
            let at = ETHERNET_LEN + tags.len();
            let (mut frame, meta) =
                (frame[at..].to_vec(), TxMeta { checksum_start: start - at as u16, ..meta });
            frame[usize::from(meta.checksum_start) + TCP_FLAGS_AT] |= CWR;
            let bare = written(&frame, false, &meta);
            assert_eq!((bare[0], bare[1]), (NEEDS_CSUM, kind | GSO_ECN));
        }
    }

    #[test]
    fn what_needs_no_cutting_or_can_not_be_cut_is_not_cut() {
        assert_eq!(written(&[0; 60], true, &TxMeta { segment_len: 20, ..TxMeta::default() }), [0; LEN]);
        let (frame, meta) = tcp(4, &[], 0, 0x10, 1_000);
        for (segment_len, kind) in [(0, GSO_NONE), (1_000, GSO_NONE), (1_001, GSO_NONE), (999, GSO_TCPV4)] {
            assert_eq!(written(&frame, true, &TxMeta { segment_len, ..meta })[1], kind);
        }
        // Too short to be TCP.
        let meta = TxMeta { segment_len: 1, ..meta };
        assert_eq!(written(&frame[..34 + TCP_FLAGS_AT], true, &meta)[..2], [NEEDS_CSUM, GSO_NONE]);
    }
}
