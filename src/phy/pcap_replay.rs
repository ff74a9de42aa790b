//! A device that receives what a pcap file holds, in virtual time.
//!
//! Classic pcap, both byte orders, micro- and nanoseconds, by the `pcap-file` crate. Each frame's time in the file is its
//! timestamp ([`RxMeta`]). What is sent is counted and gone; a [`PcapWriter`](super::PcapWriter) around this device keeps it.

use std::io::{self, Read};
use std::{error, fmt};

use pcap_file::pcap::PcapReader;
use pcap_file::{DataLink, PcapError, TsResolution};

use super::{Device, DeviceCapabilities, HardwareAddress, Medium, RxMeta, RxToken, TxToken};
use crate::time::{Duration, Instant};

/// When the frames of a file are received.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As far apart as they were recorded; the first one at the first poll.
    #[default]
    Recorded,
    /// As fast as they are asked for.
    AsPolled,
}

/// Why a file can't be replayed, or not further.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// It begins as no classic pcap file does. (A pcapng file can be converted: `editcap -F pcap`.)
    NotPcap,
    /// Its frames are of another link type than the device's medium; the number is that of the file.
    WrongLinkType(u32),
    /// A record says it is longer than a frame can be; its octets.
    RecordTooLong(u32),
    /// The file ends within a record.
    Truncated,
    /// A field of a record's header is wrong.
    Malformed(PcapError),
    /// The file can't be read.
    Io(io::Error),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::NotPcap => f.write_str("no pcap file (pcapng: convert it by `editcap -F pcap`)"),
            ReplayError::WrongLinkType(number) => {
                write!(f, "the file's link type {number} is not that of the medium")
            }
            ReplayError::RecordTooLong(len) => write!(f, "a record of {len} octets: the file is damaged"),
            ReplayError::Truncated => f.write_str("the file ends within a record"),
            ReplayError::Malformed(error) => write!(f, "damaged record: {error}"),
            ReplayError::Io(error) => write!(f, "can't read: {error}"),
        }
    }
}

impl error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            ReplayError::Malformed(error) => Some(error),
            ReplayError::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Receives the frames of a pcap file.
///
/// A record that is wrong ends the replay: [`error`](Self::error) says why.
#[derive(Debug)]
pub struct PcapReplay<R: Read> {
    reader: PcapReader<R>,
    medium: Medium,
    pace: Pace,
    /// The next frame, and its time in the file.
    frame: Vec<u8>,
    frame_time: Option<Duration>,
    /// The same in nanoseconds, as exactly as the file has it.
    frame_nanos: u64,
    /// The file's time of the first frame, and when that was received.
    began: Option<(Duration, Instant)>,
    received: u64,
    cut: u64,
    sent: u64,
    error: Option<ReplayError>,
    tx_frame: Vec<u8>,
}

impl<R: Read> PcapReplay<R> {
    /// Octets of the longest record that is believed: a packet of 65,535 octets and a link header with tags.
    pub const MAX_RECORD_LEN: u32 = 65_535 + 22;

    /// Opens a file of frames as `medium` carries them.
    pub fn new(reader: R, medium: Medium, pace: Pace) -> Result<PcapReplay<R>, ReplayError> {
        let reader = PcapReader::new(reader).map_err(|error| match error {
            PcapError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                ReplayError::Io(error)
            }
            _ => ReplayError::NotPcap,
        })?;
        let link_type = reader.header().datalink;
        if !fits(medium, link_type) {
            return Err(ReplayError::WrongLinkType(u32::from(link_type)));
        }
        let mut replay = PcapReplay {
            reader,
            medium,
            pace,
            frame: Vec::new(),
            frame_time: None,
            frame_nanos: 0,
            began: None,
            received: 0,
            cut: 0,
            sent: 0,
            error: None,
            tx_frame: Vec::new(),
        };
        replay.advance();
        Ok(replay)
    }

    /// Whether all frames have been received, or a bad record ended the replay.
    pub fn is_finished(&self) -> bool {
        self.frame_time.is_none()
    }

    /// Why the replay ended early.
    pub fn error(&self) -> Option<&ReplayError> {
        self.error.as_ref()
    }

    /// How many frames were received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many records were passed over since the capture had cut them short.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// How many frames were sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Reads the next whole frame, if there is one.
    fn advance(&mut self) {
        self.frame_time = None;
        while self.error.is_none() {
            match self.read_record() {
                Ok(None) => return,
                Ok(Some((time, true))) => {
                    self.frame_time = Some(time);
                    return;
                }
                Ok(Some((_, false))) => self.cut += 1,
                Err(error) => self.error = Some(error),
            }
        }
    }

    /// The next record's time, and whether all of the frame is there.
    fn read_record(&mut self) -> Result<Option<(Duration, bool)>, ReplayError> {
        let nanos_per_fraction = match self.reader.header().ts_resolution {
            TsResolution::MicroSecond => 1_000,
            TsResolution::NanoSecond => 1,
        };
        let record = match self.reader.next_raw_packet() {
            None => return Ok(None),
            Some(record) => record.map_err(to_replay_error)?,
        };
        // The crate reads no more than its buffer of 8 MB at once.
        if record.incl_len > Self::MAX_RECORD_LEN {
            return Err(ReplayError::RecordTooLong(record.incl_len));
        }
        self.frame.clear();
        self.frame.extend_from_slice(&record.data);
        // Below 2^32 seconds and as many microseconds: far from 2^64 nanoseconds.
        self.frame_nanos =
            u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_frac) * nanos_per_fraction;
        Ok(Some((Duration::from_micros(self.frame_nanos / 1_000), record.incl_len >= record.orig_len)))
    }

    /// When the next frame is due. A file whose time runs back does not hold frames up.
    fn due_at(&self, now: Instant) -> Option<Instant> {
        let time = self.frame_time?;
        match (self.pace, self.began) {
            (Pace::Recorded, Some((first, began_at))) if time > first => {
                Some(began_at + Duration::from_micros(time.total_micros() - first.total_micros()))
            }
            _ => Some(now),
        }
    }
}

fn to_replay_error(error: PcapError) -> ReplayError {
    match error {
        PcapError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => ReplayError::Truncated,
        PcapError::IoError(error) => ReplayError::Io(error),
        other => ReplayError::Malformed(other),
    }
}

fn fits(medium: Medium, link_type: DataLink) -> bool {
    match medium {
        #[cfg(feature = "medium-ethernet")]
        Medium::Ethernet => link_type == DataLink::ETHERNET,
        #[cfg(feature = "medium-ip")]
        Medium::Ip => matches!(link_type, DataLink::RAW | DataLink::IPV4 | DataLink::IPV6),
    }
}

impl<R: Read> Device for PcapReplay<R> {
    type RxToken<'a>
        = ReplayRxToken
    where
        Self: 'a;
    type TxToken<'a>
        = ReplayTxToken<'a>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(ReplayRxToken, Option<ReplayTxToken<'_>>)> {
        if self.due_at(now)? > now {
            return None;
        }
        let time = self.frame_time?;
        self.began.get_or_insert((time, now));
        self.received += 1;
        let frame = core::mem::take(&mut self.frame);
        let meta = RxMeta { timestamp: self.frame_nanos, ..RxMeta::default() };
        self.advance();
        let token = ReplayTxToken { frame: &mut self.tx_frame, sent: &mut self.sent };
        Some((ReplayRxToken { frame, meta }, Some(token)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<ReplayTxToken<'_>> {
        Some(ReplayTxToken { frame: &mut self.tx_frame, sent: &mut self.sent })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::new(self.medium, 1_500 + self.medium.header_len())
    }

    fn hardware_address(&self) -> HardwareAddress {
        match self.medium {
            #[cfg(feature = "medium-ethernet")]
            Medium::Ethernet => HardwareAddress::Ethernet([2, 0, 0, 0, 0, 1]),
            #[cfg(feature = "medium-ip")]
            Medium::Ip => HardwareAddress::Ip,
        }
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        self.due_at(now)
    }
}

/// A frame of the file.
#[derive(Debug)]
pub struct ReplayRxToken {
    frame: Vec<u8>,
    meta: RxMeta,
}

impl RxToken for ReplayRxToken {
    fn meta(&self) -> RxMeta {
        self.meta
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.frame)
    }
}

/// Room for a frame that nobody gets.
#[derive(Debug)]
pub struct ReplayTxToken<'a> {
    frame: &'a mut Vec<u8>,
    sent: &'a mut u64,
}

impl TxToken for ReplayTxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.frame.resize(len, 0);
        *self.sent += 1;
        f(self.frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phy::testing::{Probe, receive, send};
    use crate::phy::{PcapOptions, PcapWriter};

    #[cfg(feature = "medium-ip")]
    const MEDIUM: Medium = Medium::Ip;
    #[cfg(not(feature = "medium-ip"))]
    const MEDIUM: Medium = Medium::Ethernet;

    /// A file with a frame at each of these times, in ms, that says which it is.
    fn file(times: &[i64], options: PcapOptions) -> Vec<u8> {
        let mut device = PcapWriter::with_options(Probe::new(MEDIUM), Vec::new(), options).unwrap();
        for (number, &millis) in times.iter().enumerate() {
            send(&mut device, Instant::from_millis(millis), &[number as u8; 20]);
        }
        device.into_inner().1
    }

    fn replay(file: &[u8], pace: Pace) -> Result<PcapReplay<&[u8]>, ReplayError> {
        PcapReplay::new(file, MEDIUM, pace)
    }

    /// The numbers of the frames that are there at `millis`.
    fn at(device: &mut PcapReplay<&[u8]>, millis: i64) -> Vec<u8> {
        let now = Instant::from_millis(millis);
        core::iter::from_fn(|| receive(device, now))
            .map(|frame| frame.first().copied().unwrap_or(0xff))
            .collect()
    }

    #[test]
    fn frames_come_as_far_apart_as_they_were_recorded() {
        let file = file(&[5_000, 5_010, 5_030, 5_020], PcapOptions::default());
        let mut device = replay(&file, Pace::Recorded).unwrap();
        assert_eq!(device.poll_at(Instant::from_millis(1)), Some(Instant::from_millis(1)));
        assert_eq!(at(&mut device, 1), [0]);
        assert_eq!(device.poll_at(Instant::from_millis(1)), Some(Instant::from_millis(11)));
        assert_eq!((at(&mut device, 10), at(&mut device, 11)), (vec![], vec![1]));
        // The last one's time runs back: it comes right behind.
        assert_eq!(at(&mut device, 31), [2, 3]);
        assert!(device.is_finished() && device.error().is_none());
        assert_eq!((device.received(), device.poll_at(Instant::ZERO)), (4, None));
    }

    #[test]
    fn frames_come_as_fast_as_they_are_asked_for() {
        let file = file(&[0, 100_000, 200_000], PcapOptions::default());
        let mut device = replay(&file, Pace::AsPolled).unwrap();
        assert_eq!(at(&mut device, 7), [0, 1, 2]);
        assert!(send(&mut device, Instant::ZERO, &[1]));
        assert_eq!(device.sent(), 1);
    }

    #[test]
    fn nanoseconds_and_the_other_byte_order_are_read() {
        let mut octets = vec![0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0];
        octets.extend(if MEDIUM.header_len() == 0 { [101, 0, 0, 0] } else { [1, 0, 0, 0] });
        let mut big: Vec<u8> = octets.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
        big[4..8].copy_from_slice(&[0, 2, 0, 4]);
        for (second, nanos) in [(1_u32, 0_u32), (1, 5_000_000)] {
            for word in [second, nanos, 1, 1] {
                octets.extend(word.to_le_bytes());
                big.extend(word.to_be_bytes());
            }
            octets.push(9);
            big.push(9);
        }
        for file in [octets, big] {
            let mut device = replay(&file, Pace::AsPolled).unwrap();
            let mut time = || device.receive(Instant::ZERO).map(|(frame, _)| frame.meta().timestamp);
            assert_eq!([time(), time(), time()], [Some(1_000_000_000), Some(1_005_000_000), None]);
            let mut device = replay(&file, Pace::Recorded).unwrap();
            assert_eq!(at(&mut device, 0), [9]);
            assert_eq!(device.poll_at(Instant::ZERO), Some(Instant::from_millis(5)));
        }
    }

    #[test]
    fn what_the_capture_cut_short_is_passed_over_and_counted() {
        let file = file(&[0, 1], PcapOptions { max_len: 19, ..PcapOptions::default() });
        let device = replay(&file, Pace::AsPolled).unwrap();
        assert_eq!((device.cut(), device.is_finished()), (2, true));
    }

    #[test]
    fn bad_files_are_refused_with_the_reason() {
        let good = file(&[0, 1], PcapOptions::default());
        for len in 0..24 {
            assert!(matches!(replay(&good[..len], Pace::AsPolled), Err(ReplayError::NotPcap)), "{len}");
        }
        assert!(matches!(replay(&[0x0a; 64], Pace::AsPolled), Err(ReplayError::NotPcap)));
        let mut other = good.clone();
        other[20..24].copy_from_slice(&147_u32.to_be_bytes());
        assert!(matches!(replay(&other, Pace::AsPolled), Err(ReplayError::WrongLinkType(147))));
        for len in 25..good.len() {
            let mut device = replay(&good[..len], Pace::AsPolled).unwrap();
            at(&mut device, 0);
            let whole = len == 24 + 16 + 20;
            assert_eq!(matches!(device.error(), Some(ReplayError::Truncated)), !whole, "{len}");
        }
    }

    #[test]
    fn a_record_that_claims_too_much_ends_the_replay() {
        let len = PcapReplay::<&[u8]>::MAX_RECORD_LEN + 1;
        let mut bad = file(&[0], PcapOptions { max_len: u32::MAX, ..PcapOptions::default() });
        bad[32..36].copy_from_slice(&len.to_be_bytes());
        bad[36..40].copy_from_slice(&len.to_be_bytes());
        bad.resize(24 + 16 + len as usize, 0);
        let device = replay(&bad, Pace::AsPolled).unwrap();
        assert!(device.is_finished());
        assert!(matches!(device.error(), Some(ReplayError::RecordTooLong(l)) if *l == len));
    }

    #[test]
    fn no_flipped_bit_panics_or_replays_without_end() {
        let good = file(&[0, 1], PcapOptions::default());
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(mut device) = replay(&bad, Pace::AsPolled) {
                assert!(at(&mut device, 0).len() <= 2, "{bit}");
            }
        }
    }
}
