//! Devices of Linux: TUN, TAP and AF_PACKET, and what a program needs around them.
//!
//! The one place of the crate with system calls, and so with `unsafe`: each call stands in a function
//! of its own in `call`, and nothing else here is unsafe. What is not here: UDP datagrams sent together, AF_XDP.

#[allow(unsafe_code)]
mod call;
#[cfg(feature = "phy-raw")]
mod datagrams;
mod kernel;
mod netlink;
mod netns;
#[cfg(feature = "phy-raw")]
mod raw_socket;
#[cfg(feature = "phy-tuntap")]
mod tuntap;
mod vnet;
mod wait;

use std::io;

pub use kernel::{KernelError, KernelInterface, veth_pair};
pub use netns::{NetnsError, NetnsKind, unshare_network};
#[cfg(feature = "phy-raw")]
pub use raw_socket::{RawSocket, RawSocketError, RawSocketRxToken, RawSocketTxToken};
#[cfg(feature = "phy-tuntap")]
pub use tuntap::{TunTapError, TunTapInterface, TunTapOptions, TunTapRxToken, TunTapTxToken};
pub use wait::{wait, wait_any};

use super::LinkState;
use crate::time::{Duration, Instant};

/// What went wrong on a device of the system. Its queue being full is no error of the stack's.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemCounters {
    /// Reads that failed for another reason than that there was nothing.
    pub rx_errors: u64,
    /// Writes that failed for another reason than a full queue.
    pub tx_errors: u64,
    /// Frames lost since the kernel's queue was full.
    pub tx_dropped: u64,
}

impl SystemCounters {
    fn on_read_error(&mut self, error: &io::Error) {
        if !is_busy(error) {
            self.rx_errors += 1;
        }
    }

    fn on_written<T>(&mut self, result: io::Result<T>) {
        match result {
            Ok(_) => (),
            Err(error) if is_busy(&error) => self.tx_dropped += 1,
            Err(_) => self.tx_errors += 1,
        }
    }
}

/// Nothing there to read, or no room to write.
fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

/// How old what is known of the link may get: asking is a system call.
const LINK_AGE: Duration = Duration::from_millis(100);

/// The state of the link as the kernel last told it.
#[derive(Debug)]
struct LinkCache {
    interface: KernelInterface,
    state: LinkState,
    asked_at: Option<Instant>,
}

impl LinkCache {
    fn new(interface: KernelInterface) -> LinkCache {
        let mut cache = LinkCache { interface, state: LinkState::UP, asked_at: None };
        cache.ask();
        cache
    }

    /// Up as of a while ago, or down as of now: a link is brought up once, and the first frame that comes
    /// over it shall not find it down.
    fn state(&self) -> LinkState {
        if self.state.up { self.state } else { self.answer() }
    }

    /// Called when there is nothing to receive.
    fn refresh(&mut self, now: Instant) {
        if self.asked_at.is_none_or(|asked_at| now - asked_at >= LINK_AGE) {
            self.asked_at = Some(now);
            self.ask();
        }
    }

    fn ask(&mut self) {
        self.state = self.answer();
    }

    /// What the kernel says.
    fn answer(&self) -> LinkState {
        // An interface that is gone is down.
        let is_running = self.interface.is_running().unwrap_or(false);
        if is_running { LinkState::UP } else { LinkState::DOWN }
    }
}
