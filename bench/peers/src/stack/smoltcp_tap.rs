//! A TAP for smoltcp that leaves segments together and checksums out, which its own does not.
//!
//! The system calls are those of our device, which hands its buffers over as they are.

use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::{Result, ensure};
use goldcrest::phy::{
    Device as _, Medium as OurMedium, RxToken as _, TunTapInterface, TunTapRxToken, TunTapTxToken, TxMeta,
    TxToken as _,
};
use goldcrest::time::Instant as OurInstant;
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, PacketMeta, RxToken, TxToken};
use smoltcp::time::Instant;

const MTU: usize = 1_514;
/// Where TCP begins in a frame of smoltcp's, over IPv4 and without IP options, and its checksum in there.
const TCP_AT: usize = 34;
const ADDRESSES_AT: usize = 26;
/// Its protocol number.
const TCP: u32 = 6;
const CHECKSUM_AT: usize = 16;

pub(super) struct Tap(TunTapInterface);

impl Tap {
    pub(super) fn new(name: &str) -> Result<Tap> {
        let tap = TunTapInterface::new(name, OurMedium::Ethernet)?;
        ensure!(tap.has_offloads(), "the kernel has no offloads");
        Ok(Tap(tap))
    }
}

impl AsRawFd for Tap {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Device for Tap {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _timestamp: Instant) -> Option<(Received<'_>, Room<'_>)> {
        let (rx, tx) = self.0.receive(OurInstant::now())?;
        Some((Received(rx), Room { inner: tx?, segment_len: 0 }))
    }

    fn transmit(&mut self, _timestamp: Instant) -> Option<Room<'_>> {
        Some(Room { inner: self.0.transmit(OurInstant::now())?, segment_len: 0 })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MTU;
        capabilities.checksum.ipv4 = Checksum::Tx;
        capabilities.checksum.tcp = Checksum::None;
        capabilities.segmentation.tcpv4 = NonZeroUsize::new(65_535);
        capabilities
    }
}

pub(super) struct Received<'a>(TunTapRxToken<'a>);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.consume(f)
    }
}

pub(super) struct Room<'a> {
    inner: TunTapTxToken<'a>,
    segment_len: u16,
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, len: usize, f: F) -> R {
        // What is not TCP over IPv4 has its checksums.
        if len < TCP_AT + 20 {
            return self.inner.consume(len, f);
        }
        let mut meta = TxMeta::default();
        meta.checksum_start = TCP_AT as u16;
        meta.checksum_offset = CHECKSUM_AT as u16;
        meta.segment_len = self.segment_len;
        self.inner.set_meta(meta);
        self.inner.consume(len, |frame| {
            let result = f(frame);
            write_pseudo_sum(frame);
            result
        })
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.segment_len = meta.segmentation_offload_size.map_or(0, u16::from);
    }
}

/// The kernel adds the segment to the pseudo-header's sum, which smoltcp leaves to the device, too.
fn write_pseudo_sum(frame: &mut [u8]) {
    let len = frame.len() - TCP_AT;
    let words =
        frame[ADDRESSES_AT..TCP_AT].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum = words.sum::<u32>() + TCP + len as u32;
    let sum = (sum & 0xffff) + (sum >> 16);
    let folded = (sum & 0xffff) + (sum >> 16);
    frame[TCP_AT + CHECKSUM_AT..][..2].copy_from_slice(&(folded as u16).to_be_bytes());
}
