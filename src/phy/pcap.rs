//! A device wrapped so that every frame is written to a pcap file, which Wireshark and tcpdump open.
//!
//! Classic pcap, in microseconds, by the `pcap-file` crate. A frame that can't be written is counted;
//! the stack is not disturbed.

use core::{cell::RefCell, mem};
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pcap_file::pcap::{PcapHeader, PcapPacket};
use pcap_file::{DataLink, PcapError};

use super::{Device, Medium, RxMeta, RxToken, TxMeta, TxToken};
use crate::time::Instant;
use crate::wire::partial;

/// Which frames are written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum PcapMode {
    /// Received and sent ones.
    #[default]
    Both,
    /// Only received ones.
    RxOnly,
    /// Only sent ones.
    TxOnly,
}

/// What is written, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcapOptions {
    /// Which frames.
    pub mode: PcapMode,
    /// How many octets of each frame at most.
    pub max_len: u32,
    /// The time since 1970 at [`Instant::ZERO`]. Zero leaves the stack's own time in the file.
    pub epoch: Duration,
}

impl PcapOptions {
    /// Frames of any length, as tcpdump's own limit has it.
    pub const MAX_LEN: u32 = 262_144;

    /// Makes the file show the time of day, `now` being now.
    pub fn wall_clock(self, now: Instant) -> PcapOptions {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since_zero = Duration::from_micros(u64::try_from(now.total_micros()).unwrap_or(0));
        PcapOptions { epoch: since_1970.saturating_sub(since_zero), ..self }
    }
}

impl Default for PcapOptions {
    fn default() -> PcapOptions {
        PcapOptions { mode: PcapMode::Both, max_len: PcapOptions::MAX_LEN, epoch: Duration::ZERO }
    }
}

/// Writes every frame of the device that it wraps to `W`.
///
/// Checksums that are left to a device are complete in the file; segments that are handed over together stay together.
///
/// A `BufWriter` around a file keeps it fast; what is in its buffer is written when the `PcapWriter`
/// is dropped or taken apart.
#[derive(Debug)]
pub struct PcapWriter<D, W: Write> {
    inner: D,
    // Both tokens of `receive` write to it, never at the same time: it is borrowed for one frame only.
    file: RefCell<File<W>>,
}

#[derive(Debug)]
struct File<W: Write> {
    writer: pcap_file::pcap::PcapWriter<W>,
    is_ethernet: bool,
    /// Where checksums are completed that a device computes later, or no wire needed.
    scratch: Vec<u8>,
    options: PcapOptions,
    written: u64,
    errors: u64,
    first_error: Option<io::Error>,
}

impl<D: Device, W: Write> PcapWriter<D, W> {
    /// Wraps `inner`: whole frames, both directions. Writes the file's header.
    pub fn new(inner: D, writer: W) -> io::Result<PcapWriter<D, W>> {
        PcapWriter::with_options(inner, writer, PcapOptions::default())
    }

    /// Wraps `inner`. Writes the file's header.
    pub fn with_options(inner: D, writer: W, options: PcapOptions) -> io::Result<PcapWriter<D, W>> {
        let datalink = match inner.capabilities().medium {
            #[cfg(feature = "medium-ethernet")]
            Medium::Ethernet => DataLink::ETHERNET,
            #[cfg(feature = "medium-ip")]
            Medium::Ip => DataLink::RAW,
        };
        let header = PcapHeader { snaplen: options.max_len, datalink, ..PcapHeader::default() };
        let writer = pcap_file::pcap::PcapWriter::with_header(writer, header).map_err(to_io)?;
        let is_ethernet = inner.capabilities().medium.header_len() > 0;
        let scratch = Vec::new();
        let file = File { writer, is_ethernet, scratch, options, written: 0, errors: 0, first_error: None };
        Ok(PcapWriter { inner, file: RefCell::new(file) })
    }

    /// How many frames were written.
    pub fn written(&self) -> u64 {
        self.file.borrow().written
    }

    /// How many frames could not be written.
    pub fn errors(&self) -> u64 {
        self.file.borrow().errors
    }

    /// What went wrong first, once.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.file.get_mut().first_error.take()
    }

    /// The device.
    pub fn get_ref(&self) -> &D {
        &self.inner
    }

    /// The device.
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.inner
    }

    /// The device, and the writer, which may have to be flushed.
    pub fn into_inner(self) -> (D, W) {
        (self.inner, self.file.into_inner().writer.into_writer())
    }
}

impl<W: Write> File<W> {
    /// Writes a frame, whose transport checksum may not be complete yet.
    fn write(&mut self, now: Instant, direction: PcapMode, frame: &[u8], is_partial: bool) {
        if self.options.mode != PcapMode::Both && self.options.mode != direction {
            return;
        }
        if !is_partial {
            return self.write_whole(now, frame);
        }
        let mut whole = mem::take(&mut self.scratch);
        whole.clear();
        whole.extend_from_slice(frame);
        let packet = partial::packet_in(&whole, self.is_ethernet);
        if let Some(packet) = packet.and_then(|place| whole.get_mut(place)) {
            partial::complete(packet);
        }
        self.write_whole(now, &whole);
        self.scratch = whole;
    }

    fn write_whole(&mut self, now: Instant, frame: &[u8]) {
        // A pcap file can't hold a time before 1970.
        let since_zero = Duration::from_micros(u64::try_from(now.total_micros()).unwrap_or(0));
        let timestamp = self.options.epoch.saturating_add(since_zero);
        let kept_len = frame.len().min(self.options.max_len as usize);
        let packet = PcapPacket::new(timestamp, frame.len() as u32, &frame[..kept_len]);
        match self.writer.write_packet(&packet) {
            Ok(_) => self.written += 1,
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| to_io(error));
            }
        }
    }
}

fn to_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

/// The descriptor of the device, to wait for.
#[cfg(unix)]
impl<D: std::os::fd::AsRawFd, W: Write> std::os::fd::AsRawFd for PcapWriter<D, W> {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.inner.as_raw_fd()
    }
}

impl<D: Device, W: Write> Device for PcapWriter<D, W> {
    type RxToken<'a>
        = PcapRxToken<'a, D::RxToken<'a>, W>
    where
        Self: 'a;
    type TxToken<'a>
        = PcapTxToken<'a, D::TxToken<'a>, W>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        let (rx, tx) = self.inner.receive(now)?;
        let file = &self.file;
        Some((
            PcapRxToken { inner: rx, file, now },
            tx.map(|inner| PcapTxToken { inner, file, now, is_partial: false }),
        ))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        let inner = self.inner.transmit(now)?;
        Some(PcapTxToken { inner, file: &self.file, now, is_partial: false })
    }

    pass_on!(self => self.inner);
}

/// A received frame that is written when it is consumed.
#[derive(Debug)]
pub struct PcapRxToken<'a, T, W: Write> {
    inner: T,
    #[allow(private_interfaces)]
    file: &'a RefCell<File<W>>,
    now: Instant,
}

impl<T: RxToken, W: Write> RxToken for PcapRxToken<'_, T, W> {
    fn meta(&self) -> RxMeta {
        self.inner.meta()
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let is_partial = self.inner.meta().checksum_partial;
        self.inner.consume(|frame| {
            self.file.borrow_mut().write(self.now, PcapMode::RxOnly, frame, is_partial);
            f(frame)
        })
    }
}

/// Room for a frame that is written when it is sent.
#[derive(Debug)]
pub struct PcapTxToken<'a, T, W: Write> {
    inner: T,
    file: &'a RefCell<File<W>>,
    now: Instant,
    is_partial: bool,
}

impl<T: TxToken, W: Write> TxToken for PcapTxToken<'_, T, W> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.is_partial = meta.checksum_start > 0;
        self.inner.set_meta(meta);
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.inner.consume(len, |frame| {
            let result = f(frame);
            self.file.borrow_mut().write(self.now, PcapMode::TxOnly, frame, self.is_partial);
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phy::testing::{Probe, assert_passes_meta_on, assert_passes_on, receive, send};
    use pcap_file::pcap::PcapReader;

    #[cfg(feature = "medium-ip")]
    const MEDIUM: Medium = Medium::Ip;
    #[cfg(not(feature = "medium-ip"))]
    const MEDIUM: Medium = Medium::Ethernet;

    /// A frame of two octets received after 1.5 s and one of three sent after 2 s.
    fn run(options: PcapOptions) -> Vec<u8> {
        let mut device = PcapWriter::with_options(Probe::new(MEDIUM), Vec::new(), options).unwrap();
        device.get_mut().to_receive.push(vec![1, 2]);
        receive(&mut device, Instant::from_millis(1_500));
        send(&mut device, Instant::from_secs(2), &[3, 4, 5]);
        assert_eq!(device.errors(), 0);
        device.into_inner().1
    }

    fn read(file: &[u8]) -> Vec<(u64, u32, Vec<u8>)> {
        let mut reader = PcapReader::new(file).unwrap();
        let mut packets = Vec::new();
        // The raw ones: the crate's own reader takes no frame that was cut.
        while let Some(packet) = reader.next_raw_packet() {
            let packet = packet.unwrap();
            let micros = u64::from(packet.ts_sec) * 1_000_000 + u64::from(packet.ts_frac);
            packets.push((micros, packet.orig_len, packet.data.to_vec()));
        }
        packets
    }

    #[test]
    fn both_directions_are_in_the_file_with_time_and_length() {
        let file = run(PcapOptions::default());
        assert_eq!(read(&file), [(1_500_000, 2, vec![1, 2]), (2_000_000, 3, vec![3, 4, 5])]);
    }

    #[test]
    fn the_link_type_follows_the_medium() {
        #[cfg(feature = "medium-ethernet")]
        {
            let device = PcapWriter::new(Probe::new(Medium::Ethernet), Vec::new()).unwrap();
            assert_eq!(device.into_inner().1[20..24], 1_u32.to_be_bytes());
        }
        #[cfg(feature = "medium-ip")]
        {
            let device = PcapWriter::new(Probe::new(Medium::Ip), Vec::new()).unwrap();
            assert_eq!(device.into_inner().1[20..24], 101_u32.to_be_bytes());
        }
    }

    #[test]
    fn one_direction_alone_can_be_written() {
        let rx = run(PcapOptions { mode: PcapMode::RxOnly, ..PcapOptions::default() });
        assert_eq!(read(&rx), [(1_500_000, 2, vec![1, 2])]);
        let tx = run(PcapOptions { mode: PcapMode::TxOnly, ..PcapOptions::default() });
        assert_eq!(read(&tx), [(2_000_000, 3, vec![3, 4, 5])]);
    }

    #[test]
    fn long_frames_are_cut_and_keep_their_length() {
        let file = run(PcapOptions { max_len: 2, ..PcapOptions::default() });
        assert_eq!(read(&file)[1], (2_000_000, 3, vec![3, 4]));
    }

    #[test]
    fn the_epoch_is_added_to_the_stacks_time() {
        let file = run(PcapOptions { epoch: Duration::from_secs(1_000), ..PcapOptions::default() });
        assert_eq!(read(&file)[0].0, 1_001_500_000);
        let clock = PcapOptions::default().wall_clock(Instant::from_secs(5));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!((now - clock.epoch).as_secs_f64() - 5.0 < 1.0);
    }

    /// A disk with room for `0` octets.
    #[derive(Debug)]
    struct FullDisk(usize);

    impl Write for FullDisk {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(octets.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_counted_and_disturbs_nobody() {
        let mut device = PcapWriter::new(Probe::new(MEDIUM), FullDisk(24 + 16 + 4)).unwrap();
        for _ in 0..3 {
            assert!(send(&mut device, Instant::ZERO, &[1, 2, 3, 4]));
        }
        assert_eq!(device.get_ref().sent.len(), 3);
        assert_eq!((device.written(), device.errors()), (1, 2));
        assert_eq!(device.take_error().unwrap().kind(), io::ErrorKind::StorageFull);
        assert!(device.take_error().is_none());
        assert!(PcapWriter::new(Probe::new(MEDIUM), FullDisk(3)).is_err());
    }

    #[test]
    fn everything_else_is_passed_on() {
        let mut device = PcapWriter::new(Probe::new(MEDIUM), Vec::new()).unwrap();
        device.get_mut().to_receive.push(vec![1]);
        assert_passes_on(&mut device, |device| device.get_ref());
        assert_passes_meta_on(&mut device, |device| device.get_ref());
    }
}
