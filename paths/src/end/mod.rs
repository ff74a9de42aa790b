//! One end of a transfer: it sends, or takes and checks, octets of a pattern that both ends know.

mod linux;
mod ours;

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::plan::Stack;

/// The port that the receiver listens at.
const PORT: u16 = 5_000;

/// Which end of the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Connects and sends
    Send,
    /// Listens and takes
    Receive,
}

/// What this end is to do.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_enum)]
    pub(crate) stack: Stack,
    #[arg(long, value_enum)]
    pub(crate) role: Role,
    /// The TAP that our stack is on
    #[arg(long, default_value = "tap0")]
    pub(crate) tap: String,
    /// Our address
    #[arg(long)]
    pub(crate) address: Ipv4Addr,
    /// The other end's address
    #[arg(long)]
    pub(crate) peer: Ipv4Addr,
    /// Linux: the name of its module; ours: cubic, reno, bbr, bbr-heeding, none
    #[arg(long)]
    pub(crate) congestion: String,
    /// Octets of our stack's receive buffer
    #[arg(long, default_value_t = 1 << 20)]
    pub(crate) rx_buffer: usize,
    /// Octets of our stack's send buffer
    #[arg(long, default_value_t = 1 << 20)]
    pub(crate) tx_buffer: usize,
    /// The sender closes after so many octets; otherwise it goes on until it is killed
    #[arg(long)]
    pub(crate) octets: Option<u64>,
    /// The receiver ends so many seconds after the connection is there
    #[arg(long, default_value_t = 8)]
    pub(crate) seconds: u64,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match (arguments.stack, arguments.role) {
        (Stack::Linux, Role::Send) => linux::send(arguments),
        (Stack::Linux, Role::Receive) => linux::receive(arguments)?.tell(),
        (Stack::Ours, Role::Send) => ours::send(arguments),
        (Stack::Ours, Role::Receive) => ours::receive(arguments)?.tell(),
    }
}

/// Tells the one who has started us that connections are welcome.
fn tell_ready() -> Result<()> {
    println!("ready");
    Ok(std::io::stdout().flush()?)
}

/// The octets of a transfer: a block that comes again and again, of no length that anything else has.
pub(crate) struct Pattern {
    /// Twice the block, so that there is always a piece of its length.
    octets: Vec<u8>,
}

const BLOCK_LEN: usize = 65_521;

impl Pattern {
    pub(crate) fn new() -> Pattern {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let block: Vec<u8> = (0..BLOCK_LEN).map(|_| next()).collect();
        Pattern { octets: [&block[..], &block[..]].concat() }
    }

    /// The octets from `position` on, at most `len` of them.
    pub(crate) fn piece(&self, position: u64, len: usize) -> &[u8] {
        let start = (position % BLOCK_LEN as u64) as usize;
        &self.octets[start..start + len.min(BLOCK_LEN)]
    }
}

/// What a receiver takes.
pub(crate) struct Taken {
    pattern: Pattern,
    octets: u64,
    began_at: Instant,
    last_at: Instant,
    is_whole: bool,
}

impl Taken {
    fn new() -> Taken {
        let now = Instant::now();
        Taken { pattern: Pattern::new(), octets: 0, began_at: now, last_at: now, is_whole: false }
    }

    /// Checks what has come.
    fn take(&mut self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            let expected = self.pattern.piece(self.octets, data.len());
            let (piece, rest) = data.split_at(expected.len());
            ensure!(piece == expected, "something else than was sent, at octet {} or after it", self.octets);
            self.octets += piece.len() as u64;
            data = rest;
        }
        self.last_at = Instant::now();
        Ok(())
    }

    fn rest(&self, arguments: &Arguments) -> Duration {
        Duration::from_secs(arguments.seconds).saturating_sub(self.began_at.elapsed())
    }

    /// In one line, for the one who has started us.
    fn tell(&self) -> Result<()> {
        let end = if self.is_whole { "whole" } else { "cut" };
        // A transfer that was cut has lasted as long as it might, though nothing came in the end.
        let took = if self.is_whole { self.last_at - self.began_at } else { self.began_at.elapsed() };
        println!("{} octets in {} us, {end}", self.octets, took.as_micros());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_in_pieces_is_what_is_expected_and_nothing_else_is() {
        let (pattern, mut taken) = (Pattern::new(), Taken::new());
        for len in [1, 1_460, 65_521, 70_000, 3] {
            let piece = pattern.piece(taken.octets, len).to_vec();
            taken.take(&piece).unwrap();
        }
        assert_eq!(taken.octets, 1 + 1_460 + 65_521 + 65_521 + 3);
        let long: Vec<u8> =
            [pattern.piece(taken.octets, 60_000), pattern.piece(taken.octets + 60_000, 60_000)].concat();
        taken.take(&long).unwrap();
        let wrong = pattern.piece(taken.octets + 1, 100).to_vec();
        assert!(taken.take(&wrong).is_err());
    }
}
