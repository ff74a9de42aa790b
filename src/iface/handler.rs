//! What the application decides while a packet is being handled.

use crate::socket::Events;
use crate::stats::DropReason;
use crate::storage::SocketHandle;
use crate::wire::IpEndpoint;

/// Where in its way a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hook {
    /// Received, well-formed, before it is decided whom it is for.
    PreRoute,
    /// For one of our addresses, before a protocol sees it.
    LocalIn,
}

/// What shall happen to a packet at a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Accept,
    /// It is dropped, and counted as filtered.
    Drop,
}

/// What shall happen to a request for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SynVerdict {
    /// The listener takes it.
    Accept,
    /// It is answered by a reset.
    Reset,
    /// It is not answered.
    Ignore,
}

/// Decides what the application wants decided while a packet is being handled.
///
/// It is an argument of `poll_with`, so sockets borrow nothing of the application. It gets handles,
/// never the set: what it wants done to sockets it does after the poll. Every method has a default that
/// changes nothing.
pub trait Handler {
    /// In-order payload for a socket that was told `set_in_place(true)`, in the driver's own memory.
    ///
    /// Returns how many octets were taken, at most `data.len()`; what remains goes to the socket's buffer.
    /// A datagram is taken whole (any number but 0) or not at all.
    fn payload(&mut self, _socket: SocketHandle, _data: &[u8]) -> usize {
        0
    }

    /// A SYN for a listener of ours.
    fn syn(&mut self, _listener: SocketHandle, _remote: IpEndpoint, _local: IpEndpoint) -> SynVerdict {
        SynVerdict::Accept
    }

    /// An IP packet at a hook.
    fn packet(&mut self, _hook: Hook, _packet: &[u8]) -> Verdict {
        Verdict::Accept
    }

    /// Something has happened to a socket. [`SocketSet::next_ready`] reports it too, after the poll.
    ///
    /// [`SocketSet::next_ready`]: crate::iface::SocketSet::next_ready
    fn event(&mut self, _socket: SocketHandle, _events: Events) {}

    /// A frame was dropped.
    fn dropped(&mut self, _reason: DropReason, _frame: &[u8]) {}
}

/// Decides nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoHandler;

impl Handler for NoHandler {}
