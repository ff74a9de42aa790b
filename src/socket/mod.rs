//! Sockets: sans-IO state machines that know nothing of interfaces.
//!
//! A socket is told what came (`process`), says what it would send (`plan`), writes it (`emit`) and
//! is told that it went out (`on_sent`). Whatever it needs from outside comes in a [`Context`].

/// Gives each variant of an error its text.
#[cfg(any(feature = "socket-udp", feature = "socket-raw"))]
macro_rules! error_texts {
    ($name:ident: $($variant:ident => $text:literal),+) => {
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(match self { $($name::$variant => $text),+ })
            }
        }
        impl core::error::Error for $name {}
    };
}

#[cfg(feature = "socket-icmp")]
pub mod icmp;
#[cfg(feature = "socket-raw")]
pub mod raw;
#[cfg(feature = "socket-tcp")]
pub mod tcp;
#[cfg(feature = "socket-udp")]
pub mod udp;

mod any;
#[cfg_attr(not(feature = "socket-interface"), path = "no_bound.rs")]
mod bound;
#[cfg(feature = "icmp-errors")]
pub(crate) mod icmp_error;
#[cfg_attr(not(feature = "tcp-options"), path = "no_room.rs")]
mod room;

pub use any::{AnySocket, Socket};
#[cfg(feature = "icmp-errors")]
pub use icmp_error::{IcmpError, Unreachable};

pub(crate) use bound::Bound;
pub(crate) use room::Room;

use crate::rand::Keys;
use crate::time::{Instant, Ticks};
use crate::wire::Addr;

bitflags::bitflags! {
    /// What has happened to a socket since the application last heard of it.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct Events: u8 {
        /// Data can be read.
        const READABLE = 1;
        /// Room to send has been made.
        const WRITABLE = 1 << 1;
        /// The connection is established.
        const CONNECTED = 1 << 2;
        /// A listener has a connection to accept.
        const ACCEPTABLE = 1 << 3;
        /// The peer will send no more.
        const PEER_CLOSED = 1 << 4;
        /// The socket is closed, in order or not; its error says which.
        const CLOSED = 1 << 5;
        /// An error was reported: ask the socket.
        const ERROR = 1 << 6;
    }
}

/// What a socket is told of the world around it, for the time of one call.
#[derive(Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) now: Instant,
    /// `now` in ticks.
    pub(crate) ticks: Ticks,
    /// Octets of the largest IP packet on the path: `config::MIN_PATH_MTU` at least.
    pub(crate) ip_mtu: u16,
    /// Octets of TCP payload that may be planned at once; no more than a segment if that is longer.
    pub(crate) burst_len: u32,
    /// The stack's keyed function.
    pub(crate) keys: &'c Keys,
}

#[cfg(feature = "socket-tcp")]
impl core::fmt::Display for Tuple {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let end = |addr: Addr, port| crate::wire::IpEndpoint::new(addr.into(), port);
        write!(f, "{} - {}", end(self.local, self.local_port), end(self.remote, self.remote_port))
    }
}

/// The two ends of a flow, which is also what it is demultiplexed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuple {
    pub(crate) local: Addr,
    pub(crate) remote: Addr,
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
    /// The port of the stack, plus one, that a link-local peer is behind, or that the flow is tied to; 0 for none.
    pub(crate) zone: u8,
}
