//! The device of the fuzzed stack: what is to be received, what was sent, and how much room there is.

use std::collections::VecDeque;

use goldcrest::phy::{
    Device, DeviceCapabilities, HardwareAddress, LinkState, RxMeta, RxToken, TxChecksum, TxMeta, TxToken,
};
use goldcrest::time::Instant;
use goldcrest::wire::Medium;

use super::checksum::plain;

pub(crate) const OUR_HARDWARE: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Octets of the longest packet that a device takes which cuts segments.
const MAX_TOGETHER: usize = 4_000;
const LINK_LEN: usize = 14;
/// More frames than one poll could ever have a reason to send.
const ENDLESS: usize = 5_000;

pub(crate) struct Wire {
    pub(crate) received: VecDeque<(Vec<u8>, RxMeta)>,
    pub(crate) sent: Vec<Vec<u8>>,
    /// Frames that the device still takes.
    pub(crate) room: usize,
    pub(crate) link: LinkState,
    /// How many frames more are on the wire than were handed over.
    cuts: usize,
    capabilities: DeviceCapabilities,
}

impl Wire {
    /// With checksums left to it, and the cutting of segments.
    pub(crate) fn new(mtu: usize, sums: bool, cuts: bool) -> Wire {
        let mut capabilities = DeviceCapabilities::new(Medium::Ethernet, mtu);
        if sums || cuts {
            capabilities.tx_checksum = TxChecksum::all();
        }
        if cuts {
            capabilities.max_segmentation_len = MAX_TOGETHER;
        }
        Wire {
            received: VecDeque::new(),
            sent: Vec::new(),
            room: usize::MAX,
            link: LinkState::UP,
            cuts: 0,
            capabilities,
        }
    }

    /// How many frames were handed over of which `sent` holds what became.
    pub(crate) fn count(&self) -> usize {
        self.sent.len() - self.cuts
    }

    /// What was sent since it was asked last.
    pub(crate) fn take_sent(&mut self) -> Vec<Vec<u8>> {
        self.cuts = 0;
        std::mem::take(&mut self.sent)
    }

    pub(crate) fn slot(&mut self) -> Option<Room<'_>> {
        let Wire { sent, room, cuts, capabilities, .. } = self;
        (*room > 0).then_some(Room { sent, room, cuts, capabilities, meta: TxMeta::default() })
    }
}

pub(crate) struct Frame(Vec<u8>, RxMeta);

impl RxToken for Frame {
    fn meta(&self) -> RxMeta {
        self.1
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub(crate) struct Room<'w> {
    sent: &'w mut Vec<Vec<u8>>,
    room: &'w mut usize,
    cuts: &'w mut usize,
    capabilities: &'w DeviceCapabilities,
    meta: TxMeta,
}

impl TxToken for Room<'_> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.meta = meta;
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let most = match self.meta.segment_len {
            0 => self.capabilities.max_transmission_unit,
            _ => LINK_LEN + self.capabilities.max_segmentation_len,
        };
        assert!(len <= most, "a frame of {len} octets");
        // Whatever is not written shows.
        let mut frame = vec![0xa5; len];
        let result = f(&mut frame);
        complete(&mut frame, self.capabilities.tx_checksum, self.meta);
        let segment_len = usize::from(self.meta.segment_len);
        if segment_len == 0 {
            self.sent.push(frame);
        } else {
            let frames = cut(&frame, usize::from(self.meta.checksum_start), segment_len);
            assert!(frames.iter().all(|frame| frame.len() <= self.capabilities.max_transmission_unit));
            *self.cuts += frames.len() - 1;
            self.sent.extend(frames);
        }
        assert!(self.sent.len() < ENDLESS, "sends without end");
        *self.room -= 1;
        result
    }
}

/// What a device with these offloads does to a frame.
fn complete(frame: &mut [u8], offloads: TxChecksum, meta: TxMeta) {
    let (start, offset) = (usize::from(meta.checksum_start), usize::from(meta.checksum_offset));
    if start > 0 {
        assert!(offloads.intersects(TxChecksum::TCP | TxChecksum::UDP));
        let sum = plain(&frame[start..]);
        frame[start + offset..start + offset + 2].copy_from_slice(&sum.to_be_bytes());
    }
    if offloads.contains(TxChecksum::IPV4) && frame.get(12..14) == Some(&[8, 0]) {
        frame[24..26].fill(0);
        let sum = plain(&frame[14..34]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
    }
}

/// What a device that cuts makes of TCP segments that are together: each with lengths, number, flags and sums of its own.
fn cut(frame: &[u8], tcp_at: usize, segment_len: usize) -> Vec<Vec<u8>> {
    let is_v4 = frame[12..14] == [8, 0];
    assert_eq!(frame[if is_v4 { 23 } else { 20 }], 6, "only TCP is cut");
    assert_eq!(plain(&[&pseudo(frame, tcp_at), &frame[tcp_at..]].concat()), 0, "the sum of all of it");
    let data_at = tcp_at + usize::from(frame[tcp_at + 12] >> 4) * 4;
    let seq = u32::from_be_bytes(frame[tcp_at + 4..tcp_at + 8].try_into().unwrap());
    let count = (frame.len() - data_at).div_ceil(segment_len);
    assert!(count > 1, "nothing to cut");
    let piece = |(index, data): (usize, &[u8])| {
        let mut frame = [&frame[..data_at], data].concat();
        let ip_len = frame.len() - LINK_LEN;
        if is_v4 {
            frame[16..18].copy_from_slice(&(ip_len as u16).to_be_bytes());
            frame[24..26].fill(0);
            let sum = plain(&frame[14..34]);
            frame[24..26].copy_from_slice(&sum.to_be_bytes());
        } else {
            frame[18..20].copy_from_slice(&(ip_len as u16 - 40).to_be_bytes());
        }
        let at = seq.wrapping_add((index * segment_len) as u32);
        frame[tcp_at + 4..tcp_at + 8].copy_from_slice(&at.to_be_bytes());
        // FIN and PSH are of the last, CWR of the first.
        let not_here = if index + 1 < count { 0x09 } else { 0 } | if index > 0 { 0x80 } else { 0 };
        frame[tcp_at + 13] &= !not_here;
        frame[tcp_at + 16..tcp_at + 18].fill(0);
        let sum = plain(&[&pseudo(&frame, tcp_at), &frame[tcp_at..]].concat());
        frame[tcp_at + 16..tcp_at + 18].copy_from_slice(&sum.to_be_bytes());
        frame
    };
    frame[data_at..].chunks(segment_len).enumerate().map(piece).collect()
}

/// The pseudo-header of TCP that begins at `tcp_at`.
fn pseudo(frame: &[u8], tcp_at: usize) -> Vec<u8> {
    let addresses = if frame[12..14] == [8, 0] { &frame[26..34] } else { &frame[22..54] };
    [addresses, &[0, 6], &((frame.len() - tcp_at) as u16).to_be_bytes()].concat()
}

impl Device for Wire {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Frame, Option<Room<'_>>)> {
        let (frame, meta) = self.received.pop_front()?;
        Some((Frame(frame, meta), self.slot()))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Room<'_>> {
        self.slot()
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(OUR_HARDWARE)
    }

    fn link(&self) -> LinkState {
        self.link
    }
}
