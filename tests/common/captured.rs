//! A device that keeps frames that are sent through it, and holds them against tshark in the end.
//!
//! Of a long run it keeps the first ones, and then one of many, so that tshark has an end, too.
//!
//! A checksum that is left to the device is in the file as the device completes it: the sum of what stands in the field,
//! which is the pseudo-header's, and of all behind. So tshark finds a pseudo-header that was summed up wrong. Segments that
//! are left together are one in the file, well-formed as long as it is, with one checksum. What can't be looked at here are
//! the segments that the kernel cuts out of it: they are the kernel's, and there are none before a wire without offloads,
//! where tests/offloads_cut.rs looks at each. What TCP and UDP carry is data to tshark, not the protocol of some port.

use std::cell::RefCell;
use std::fs::{self, File};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;
use std::time::Duration;

use goldcrest::phy::{Device, DeviceCapabilities, HardwareAddress, LinkState, Medium, TxMeta, TxToken};
use goldcrest::time::Instant;
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};

use crate::skip::skip;

/// How many frames are kept before only one of `THEN_ONE_OF` is.
const FIRST: u32 = 2_000;
const THEN_ONE_OF: u32 = 50;
/// Octets of the file after which no more are kept.
const MOST_OCTETS: usize = 16 << 20;

/// What no frame of ours may be. What an ICMP error quotes is somebody else's, and may be anything: of such a frame only
/// the sums of its own headers can be asked for, of which the first IP header is one.
/// Of TCP and IPv4 each sum must have been looked at, and be right.
const WRONG: &str = "(ip && !ipv6 && !(ip.checksum.status#1 == 1)) || \
    icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || \
    (!(icmp.type in {3, 4, 5, 11, 12}) && !(icmpv6.type < 128) && \
    (_ws.malformed || _ws.short || _ws.expert.severity == error || udp.checksum.status == 0 || \
    (tcp && !(tcp.checksum.status == 1))))";

/// The frames that are kept.
struct Frames {
    file: PcapWriter<File>,
    path: PathBuf,
    seen: u32,
    octets: usize,
}

impl Frames {
    /// Opens a pcap file for frames of this kind.
    fn new(name: &str, datalink: DataLink) -> Frames {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("goldcrest-{name}-{}-{number}.pcap", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = File::create(&path).expect("there is room for a file");
        let header = PcapHeader { snaplen: 1 << 18, datalink, ..PcapHeader::default() };
        Frames { file: PcapWriter::with_header(file, header).unwrap(), path, seen: 0, octets: 0 }
    }

    /// Keeps a frame, if it is its turn.
    fn see(&mut self, now: Instant, meta: TxMeta, frame: &[u8]) {
        self.seen += 1;
        let is_due = self.seen <= FIRST || self.seen.is_multiple_of(THEN_ONE_OF);
        if !is_due || self.octets + frame.len() > MOST_OCTETS {
            return;
        }
        self.octets += frame.len();
        let mut frame = frame.to_vec();
        complete(&mut frame, meta);
        let (at, len) = (Duration::from_micros(now.total_micros() as u64), frame.len() as u32);
        self.file.write_packet(&PcapPacket::new_owned(at, len, frame)).unwrap();
    }

    /// Asks tshark.
    fn dissect(&mut self) {
        let mut tshark = Command::new("tshark");
        for protocol in ["ip", "tcp", "udp"] {
            tshark.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
        }
        tshark.args(["-d", "tcp.port==1-65535,data", "-d", "udp.port==1-65535,data"]);
        let Ok(output) = tshark.arg("-nr").arg(&self.path).args(["-Y", WRONG]).output() else {
            return skip("not installed: tshark");
        };
        let (text, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let path = self.path.display();
        assert!(output.status.success() && text.is_empty(), "{path}, {} seen:\n{text}{errors}", self.seen);
    }
}

/// Completes a checksum as a device does that was asked to (`virtio_net_hdr`).
fn complete(frame: &mut [u8], meta: TxMeta) {
    let start = usize::from(meta.checksum_start);
    if start == 0 {
        return;
    }
    let mut sum: u64 = frame[start..]
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let field = start + usize::from(meta.checksum_offset);
    frame[field..field + 2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// A device that keeps frames that are sent through it. When it is dropped, tshark looks at them.
pub(crate) struct Captured<D> {
    device: D,
    frames: RefCell<Frames>,
}

impl<D: Device> Captured<D> {
    /// The file's name has `name` in it; if tshark finds fault with a frame, the file stays.
    pub(crate) fn new(device: D, name: &str) -> Captured<D> {
        let is_ethernet = device.capabilities().medium == Medium::Ethernet;
        let datalink = if is_ethernet { DataLink::ETHERNET } else { DataLink::RAW };
        Captured { device, frames: RefCell::new(Frames::new(name, datalink)) }
    }
}

impl<D> Drop for Captured<D> {
    fn drop(&mut self) {
        let frames = self.frames.get_mut();
        // What has failed already need not fail twice.
        if !std::thread::panicking() && frames.octets > 0 {
            frames.dissect();
        }
        let _ = fs::remove_file(&frames.path);
    }
}

impl<D> Deref for Captured<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.device
    }
}

impl<D> DerefMut for Captured<D> {
    fn deref_mut(&mut self) -> &mut D {
        &mut self.device
    }
}

impl<D: AsRawFd> AsRawFd for Captured<D> {
    fn as_raw_fd(&self) -> RawFd {
        self.device.as_raw_fd()
    }
}

pub(crate) struct CapturedTxToken<'a, T> {
    inner: T,
    now: Instant,
    meta: TxMeta,
    frames: &'a RefCell<Frames>,
}

impl<T: TxToken> TxToken for CapturedTxToken<'_, T> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.meta = meta;
        self.inner.set_meta(meta);
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.inner.consume(len, |frame| {
            let result = f(frame);
            self.frames.borrow_mut().see(self.now, self.meta, frame);
            result
        })
    }
}

impl<D: Device> Device for Captured<D> {
    type RxToken<'a>
        = D::RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = CapturedTxToken<'a, D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        let (rx, tx) = self.device.receive(now)?;
        let frames = &self.frames;
        Some((rx, tx.map(|inner| CapturedTxToken { inner, now, meta: TxMeta::default(), frames })))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        let inner = self.device.transmit(now)?;
        Some(CapturedTxToken { inner, now, meta: TxMeta::default(), frames: &self.frames })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.device.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.device.hardware_address()
    }

    fn link(&self) -> LinkState {
        self.device.link()
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        self.device.poll_at(now)
    }

    fn register_waker(&mut self, waker: &Waker) {
        self.device.register_waker(waker);
    }

    fn set_multicast_filter(&mut self, groups: &[HardwareAddress]) {
        self.device.set_multicast_filter(groups);
    }

    fn tx_done(&mut self) -> Option<(u32, u64)> {
        self.device.tx_done()
    }
}
