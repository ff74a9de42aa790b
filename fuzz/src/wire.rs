//! The device of the fuzzed stack: what is to be received, what was sent, and how much room there is.

use std::collections::VecDeque;

use goldcrest::phy::{
    Device, DeviceCapabilities, HardwareAddress, LinkState, RxMeta, RxToken, TxChecksum, TxMeta, TxToken,
};
use goldcrest::time::Instant;
use goldcrest::wire::Medium;

use super::checksum::plain;

pub(crate) const OUR_HARDWARE: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// More frames than one poll could ever have a reason to send.
const ENDLESS: usize = 5_000;

pub(crate) struct Wire {
    pub(crate) received: VecDeque<(Vec<u8>, RxMeta)>,
    pub(crate) sent: Vec<Vec<u8>>,
    /// Frames that the device still takes.
    pub(crate) room: usize,
    pub(crate) link: LinkState,
    capabilities: DeviceCapabilities,
}

impl Wire {
    pub(crate) fn new(mtu: usize, offloads: bool) -> Wire {
        let mut capabilities = DeviceCapabilities::new(Medium::Ethernet, mtu);
        if offloads {
            capabilities.tx_checksum = TxChecksum::all();
        }
        Wire {
            received: VecDeque::new(),
            sent: Vec::new(),
            room: usize::MAX,
            link: LinkState::UP,
            capabilities,
        }
    }

    pub(crate) fn slot(&mut self) -> Option<Room<'_>> {
        let Wire { sent, room, capabilities, .. } = self;
        (*room > 0).then_some(Room { sent, room, capabilities, meta: TxMeta::default() })
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
    capabilities: &'w DeviceCapabilities,
    meta: TxMeta,
}

impl TxToken for Room<'_> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.meta = meta;
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        assert!(len <= self.capabilities.max_transmission_unit, "a frame of {len} octets");
        // Whatever is not written shows.
        let mut frame = vec![0xa5; len];
        let result = f(&mut frame);
        complete(&mut frame, self.capabilities.tx_checksum, self.meta);
        self.sent.push(frame);
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
