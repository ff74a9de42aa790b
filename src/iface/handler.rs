//! What the application decides while a packet is being handled.

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
    /// For somebody else, and a way to go on is known; as it came in, its hop limit included.
    Forward,
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
/// Events are no part of it: [`SocketSet::next_ready`] reports them after the poll.
///
/// [`SocketSet::next_ready`]: crate::iface::SocketSet::next_ready
///
/// It is an argument of `poll_with`, so sockets borrow nothing of the application. It gets handles,
/// never the set: what it wants done to sockets it does after the poll. Every method has a default that
/// changes nothing.
///
/// Without the feature `iface-hooks` there is nothing to decide, and the trait has no methods.
pub trait Handler {
    /// In-order payload for a socket that was told `set_in_place(true)`, in the driver's own memory.
    ///
    /// Returns how many octets were taken, at most `data.len()`; what remains goes to the socket's buffer.
    /// A datagram is taken whole (any number but 0) or not at all.
    #[cfg(feature = "iface-hooks")]
    fn payload(&mut self, _socket: SocketHandle, _data: &[u8]) -> usize {
        0
    }

    /// A SYN for a listener of ours.
    #[cfg(feature = "iface-hooks")]
    fn syn(&mut self, _listener: SocketHandle, _remote: IpEndpoint, _local: IpEndpoint) -> SynVerdict {
        SynVerdict::Accept
    }

    /// An IP packet at a hook.
    #[cfg(feature = "iface-hooks")]
    fn packet(&mut self, _hook: Hook, _packet: &[u8]) -> Verdict {
        Verdict::Accept
    }

    /// A frame was dropped.
    #[cfg(feature = "iface-hooks")]
    fn dropped(&mut self, _reason: DropReason, _frame: &[u8]) {}
}

/// Decides nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoHandler;

impl Handler for NoHandler {}

/// The handler as the engine calls it.
#[cfg(feature = "iface-hooks")]
pub(crate) struct Hooks<'h>(&'h mut dyn Handler);

#[cfg(feature = "iface-hooks")]
impl<'h> Hooks<'h> {
    pub(crate) fn new(handler: &'h mut dyn Handler) -> Hooks<'h> {
        Hooks(handler)
    }

    /// The same handler, for a shorter time.
    pub(crate) fn again(&mut self) -> Hooks<'_> {
        Hooks(&mut *self.0)
    }

    pub(crate) fn payload(&mut self, socket: SocketHandle, data: &[u8]) -> usize {
        self.0.payload(socket, data)
    }

    #[cfg(feature = "socket-tcp")]
    pub(crate) fn syn(
        &mut self,
        listener: SocketHandle,
        remote: IpEndpoint,
        local: IpEndpoint,
    ) -> SynVerdict {
        self.0.syn(listener, remote, local)
    }

    pub(crate) fn packet(&mut self, hook: Hook, packet: &[u8]) -> Verdict {
        self.0.packet(hook, packet)
    }

    pub(crate) fn dropped(&mut self, reason: DropReason, frame: &[u8]) {
        self.0.dropped(reason, frame);
    }
}

/// Nobody to call: every answer is the default one.
#[cfg(not(feature = "iface-hooks"))]
pub(crate) struct Hooks<'h>(core::marker::PhantomData<&'h ()>);

#[cfg(not(feature = "iface-hooks"))]
impl<'h> Hooks<'h> {
    pub(crate) fn new(_handler: &'h mut dyn Handler) -> Hooks<'h> {
        Hooks(core::marker::PhantomData)
    }

    /// Nobody again.
    pub(crate) fn again(&mut self) -> Hooks<'_> {
        Hooks(core::marker::PhantomData)
    }

    pub(crate) fn payload(&mut self, _socket: SocketHandle, _data: &[u8]) -> usize {
        0
    }

    #[cfg(feature = "socket-tcp")]
    pub(crate) fn syn(
        &mut self,
        _listener: SocketHandle,
        _remote: IpEndpoint,
        _local: IpEndpoint,
    ) -> SynVerdict {
        SynVerdict::Accept
    }

    pub(crate) fn packet(&mut self, _hook: Hook, _packet: &[u8]) -> Verdict {
        Verdict::Accept
    }

    pub(crate) fn dropped(&mut self, _reason: DropReason, _frame: &[u8]) {}
}
