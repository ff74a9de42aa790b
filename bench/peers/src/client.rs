//! The kernel's end of a transfer, and what is transferred.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::case::Work;
use crate::exchange;

pub(crate) const KERNEL: Ipv4Addr = Ipv4Addr::new(10, 69, 0, 1);
pub(crate) const STACK: Ipv4Addr = Ipv4Addr::new(10, 69, 0, 2);
pub(crate) const PORT: u16 = 45_678;
/// Octets of a read or a write.
const CHUNK: usize = 256 << 10;

/// Octets without a pattern that a lost or repeated segment would keep; twice, so that each stretch of half of it is in
/// one piece.
static OCTETS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let half: Vec<u8> = std::iter::repeat_with(&mut next).take(PERIOD / 8).flatten().collect();
    [&half[..], &half[..]].concat()
});
const PERIOD: usize = 1 << 20;

/// What is sent after `count` octets: at most `len`, and at least one if `len` is not 0.
pub(crate) fn octets(count: u64, len: usize) -> &'static [u8] {
    let at = (count % PERIOD as u64) as usize;
    &OCTETS[at..at + len.min(PERIOD)]
}

/// How far a stream has come, as who sends or receives sees it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) count: u64,
    /// What came was not what was sent.
    pub(crate) is_wrong: bool,
}

impl Stream {
    /// Fills in what is next; how much it was.
    pub(crate) fn fill(&mut self, room: &mut [u8]) -> usize {
        let next = octets(self.count, room.len());
        room[..next.len()].copy_from_slice(next);
        self.count += next.len() as u64;
        next.len()
    }

    /// Compares what came.
    pub(crate) fn take(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let expected = octets(self.count, data.len());
            let (head, rest) = data.split_at(expected.len());
            self.is_wrong |= head != expected;
            self.count += head.len() as u64;
            data = rest;
        }
    }
}

/// How many octets crossed, or connections came to their end, and how long that took.
pub(crate) struct Transfer {
    pub(crate) count: u64,
    pub(crate) took: Duration,
}

/// The kernel's part of the stack's `work`.
pub(crate) fn run(work: Work, address: Ipv4Addr, span: Duration) -> Result<Transfer> {
    match work {
        Work::Answer { at_once } => exchange::run(address, at_once, span),
        Work::Send => run_stream(address, |stream, _| receive(stream), span),
        Work::Receive => run_stream(address, send, span),
    }
}

fn run_stream(
    address: Ipv4Addr,
    part: fn(&mut TcpStream, Instant) -> Result<Stream>,
    span: Duration,
) -> Result<Transfer> {
    let mut stream = TcpStream::connect((IpAddr::V4(address), PORT)).context("the stack does not answer")?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let began = Instant::now();
    let progress = part(&mut stream, began + span)?;
    Ok(Transfer { count: progress.count, took: began.elapsed() })
}

fn receive(stream: &mut TcpStream) -> Result<Stream> {
    let (mut progress, mut buffer) = (Stream::default(), vec![0; CHUNK]);
    loop {
        let len = stream.read(&mut buffer).context("the stack stands still")?;
        if len == 0 {
            break;
        }
        progress.take(&buffer[..len]);
    }
    ensure!(!progress.is_wrong, "what came is not what was sent");
    Ok(progress)
}

fn send(stream: &mut TcpStream, end: Instant) -> Result<Stream> {
    let mut progress = Stream::default();
    while Instant::now() < end {
        let len = stream.write(octets(progress.count, CHUNK)).context("the stack stands still")?;
        progress.count += len as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    // It says how much it has got, and ends when it has all.
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).context("the stack says nothing")?;
    ensure!(u64::from_be_bytes(answer) == progress.count, "not all came, or not as it was sent");
    Ok(progress)
}

/// What who received the data answers: how much came, or what is never true.
pub(crate) fn answer(progress: &Stream) -> [u8; 8] {
    if progress.is_wrong { [0xff; 8] } else { progress.count.to_be_bytes() }
}
