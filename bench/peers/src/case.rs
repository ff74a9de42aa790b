//! What is measured.

use std::fmt;

/// Who talks with the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Goldcrest,
    Smoltcp,
    /// The kernel itself, in another namespace, over a veth pair.
    Kernel,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Peer::Goldcrest => "goldcrest",
            Peer::Smoltcp => "smoltcp",
            Peer::Kernel => "kernel",
        })
    }
}

/// Where the octets go, as the stack that is measured sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Send,
    Receive,
}

/// What all stacks are measured at alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) direction: Direction,
    /// Octets of each of the connection's buffers.
    pub(crate) buffer: usize,
    /// Segments are handed over together, and checksums left out.
    pub(crate) offloads: bool,
    /// Frames are looked for without a pause, instead of waited for.
    pub(crate) busy: bool,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { direction, buffer, offloads, busy } = self;
        let direction = match direction {
            Direction::Send => "send",
            Direction::Receive => "receive",
        };
        let offloads = if *offloads { "offloads" } else { "plain" };
        let waits = if *busy { ", busy" } else { "" };
        write!(f, "{direction}, {offloads}, {} KiB{waits}", buffer >> 10)
    }
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) setting: Setting,
    pub(crate) peer: Peer,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.peer)
    }
}

/// The cases, those of a setting together.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for direction in [Direction::Send, Direction::Receive] {
        for offloads in [false, true] {
            for buffer in [64 << 10, 1 << 20] {
                for busy in [false, true] {
                    let setting = Setting { direction, buffer, offloads, busy };
                    cases.extend(peers(busy).iter().map(|&peer| Case { setting, peer }));
                }
            }
        }
    }
    cases
}

/// The kernel waits by itself as it likes.
fn peers(busy: bool) -> &'static [Peer] {
    if busy { &[Peer::Goldcrest, Peer::Smoltcp] } else { &[Peer::Goldcrest, Peer::Smoltcp, Peer::Kernel] }
}
