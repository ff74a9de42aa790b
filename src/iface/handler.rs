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
    /// Sent by us, complete; only where [`Handler::hooks`] says so.
    LocalOut,
    /// About to leave, or to wait for its neighbour or the device, whoever sent it; a forwarded one as it
    /// came in. Only where [`Handler::hooks`] says so.
    PostRoute,
}

bitflags::bitflags! {
    /// Hooks at which a handler is asked.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct HookSet: u8 {
        /// [`Hook::PreRoute`].
        const PRE_ROUTE = 1;
        /// [`Hook::LocalIn`].
        const LOCAL_IN = 1 << 1;
        /// [`Hook::Forward`].
        const FORWARD = 1 << 2;
        /// [`Hook::LocalOut`].
        const LOCAL_OUT = 1 << 3;
        /// [`Hook::PostRoute`].
        const POST_ROUTE = 1 << 4;
    }
}

impl HookSet {
    const OUTPUT: HookSet = HookSet::LOCAL_OUT.union(HookSet::POST_ROUTE);

    #[inline]
    const fn of(hook: Hook) -> HookSet {
        match hook {
            Hook::PreRoute => HookSet::PRE_ROUTE,
            Hook::LocalIn => HookSet::LOCAL_IN,
            Hook::Forward => HookSet::FORWARD,
            Hook::LocalOut => HookSet::LOCAL_OUT,
            Hook::PostRoute => HookSet::POST_ROUTE,
        }
    }
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
    /// It is not answered until the application has decided, after the poll, by
    /// [`SocketSet::answer_syn`](crate::iface::SocketSet::answer_syn).
    ///
    /// The request takes one of the listener's records. It waits for
    /// [`TCP_SYN_WAIT`](crate::config::TCP_SYN_WAIT) at most; in a full table it may have to give way to a newer one, as any
    /// half-open connection, or finds no room, and is dropped. A socket that listens for itself has no records: it
    /// ignores the request.
    #[cfg(feature = "tcp-syn-wait")]
    Wait,
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

    /// A SYN from `remote` for a listener of ours. A repeated one is asked about again; with the feature `tcp-syn-wait`
    /// not if the request waits for a decision or, once a request of this listener has, is answered already.
    #[cfg(feature = "iface-hooks")]
    fn syn(&mut self, _listener: SocketHandle, _remote: IpEndpoint, _local: IpEndpoint) -> SynVerdict {
        SynVerdict::Accept
    }

    /// An IP packet at a hook.
    ///
    /// `interface` is the port that it concerns, as its place in the [`Router`](crate::iface::Router), 0 with only one: by which
    /// it came in, at `PreRoute`, `LocalIn` and `Forward`, or by which it is about to leave, at `LocalOut` and `PostRoute`. A
    /// packet to ourselves comes in by the port that it left by.
    #[cfg(feature = "iface-hooks")]
    fn packet(&mut self, _hook: Hook, _interface: u8, _packet: &[u8]) -> Verdict {
        Verdict::Accept
    }

    /// At which hooks [`packet`](Self::packet) is asked: those for what comes in, unless it says otherwise.
    ///
    /// `LOCAL_OUT` and `POST_ROUTE` cost a copy of each packet that we send ourselves, by way of the
    /// interface's pool of waiting packets: a packet larger than its cells is dropped. They need the feature
    /// `iface-queue`. The answer must not change during a poll.
    #[cfg(feature = "iface-hooks")]
    fn hooks(&self) -> HookSet {
        HookSet::PRE_ROUTE | HookSet::LOCAL_IN | HookSet::FORWARD
    }

    /// A TCP segment has come, with a right checksum, for a connection or a listener that has
    /// [asked for room](crate::socket::tcp::Socket::set_option_room), or for what is left of such a connection:
    /// whether it goes on. One that does not is as if it had never come, but for a counter
    /// ([`DropReason::OptionRefused`]).
    ///
    /// `segment` is all of it, header, options and payload. Unless a handler says otherwise everything is dropped,
    /// so that nothing that was to be checked is taken unchecked. The ends have no zones.
    #[cfg(feature = "tcp-options")]
    fn segment_received(&mut self, _remote: IpEndpoint, _local: IpEndpoint, _segment: &[u8]) -> Verdict {
        Verdict::Drop
    }

    /// A TCP segment is about to leave for a connection or a listener that has asked for room: the handler fills that,
    /// `segment[room]`, which holds padding, the last of the options.
    ///
    /// `segment` is complete otherwise, but for its checksum, which is zero as digests want it. This is asked for each
    /// segment each time that it leaves: SYN, SYN-ACK, data, ACKs, resets. Nothing but the room may be changed. The
    /// ends have no zones.
    #[cfg(feature = "tcp-options")]
    fn fill_options(
        &mut self,
        _remote: IpEndpoint,
        _local: IpEndpoint,
        _segment: &mut [u8],
        _room: core::ops::Range<usize>,
    ) {
    }

    /// A frame was dropped.
    #[cfg(feature = "iface-hooks")]
    fn dropped(&mut self, _reason: DropReason, _frame: &[u8]) {}
}

/// Decides nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoHandler;

impl Handler for NoHandler {
    #[cfg(feature = "iface-hooks")]
    fn hooks(&self) -> HookSet {
        HookSet::empty()
    }
}

/// The handler as the engine calls it, and where it is asked.
#[cfg(feature = "iface-hooks")]
pub(crate) struct Hooks<'h> {
    pub(super) handler: &'h mut dyn Handler,
    wanted: HookSet,
    /// The port whose packets it is asked about.
    port: u8,
}

#[cfg(feature = "iface-hooks")]
impl<'h> Hooks<'h> {
    #[inline]
    pub(crate) fn new(handler: &'h mut dyn Handler) -> Hooks<'h> {
        let wanted = handler.hooks();
        Hooks { handler, wanted, port: 0 }
    }

    /// The same handler, for a shorter time and this port.
    #[inline]
    #[cfg(feature = "iface-router")]
    pub(crate) fn again(&mut self, port: usize) -> Hooks<'_> {
        Hooks { handler: &mut *self.handler, wanted: self.wanted, port: port as u8 }
    }

    /// From now on it is asked about this port's packets. Says which it was before.
    #[inline]
    #[cfg(feature = "iface-router")]
    pub(crate) fn turn_to(&mut self, port: usize) -> usize {
        core::mem::replace(&mut self.port, port as u8).into()
    }

    pub(crate) fn payload(&mut self, socket: SocketHandle, data: &[u8]) -> usize {
        self.handler.payload(socket, data)
    }

    #[cfg(feature = "socket-tcp")]
    pub(crate) fn syn(
        &mut self,
        listener: SocketHandle,
        remote: IpEndpoint,
        local: IpEndpoint,
    ) -> SynVerdict {
        self.handler.syn(listener, remote, local)
    }

    #[inline]
    pub(crate) fn packet(&mut self, hook: Hook, packet: &[u8]) -> Verdict {
        self.packet_at(hook, self.port.into(), packet)
    }

    /// The same about any port's packet.
    #[inline]
    pub(crate) fn packet_at(&mut self, hook: Hook, port: usize, packet: &[u8]) -> Verdict {
        if self.wanted.contains(HookSet::of(hook)) {
            self.handler.packet(hook, port as u8, packet)
        } else {
            Verdict::Accept
        }
    }

    #[inline]
    pub(crate) fn watches_output(&self) -> bool {
        crate::config::HAS_QUEUE && self.wanted.intersects(HookSet::OUTPUT)
    }

    /// Whether it lets out a packet of ours, whole and with its header.
    pub(crate) fn lets_out(&mut self, packet: &[u8]) -> bool {
        [Hook::LocalOut, Hook::PostRoute].into_iter().all(|hook| self.packet(hook, packet) == Verdict::Accept)
    }

    pub(crate) fn dropped(&mut self, reason: DropReason, frame: &[u8]) {
        self.handler.dropped(reason, frame);
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
    #[cfg(feature = "iface-router")]
    pub(crate) fn again(&mut self, _port: usize) -> Hooks<'_> {
        Hooks(core::marker::PhantomData)
    }

    #[cfg(feature = "iface-router")]
    pub(crate) fn turn_to(&mut self, _port: usize) -> usize {
        0
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

    #[cfg(feature = "iface-forward")]
    pub(crate) fn packet_at(&mut self, _hook: Hook, _port: usize, _packet: &[u8]) -> Verdict {
        Verdict::Accept
    }

    #[inline]
    pub(crate) fn watches_output(&self) -> bool {
        false
    }

    pub(crate) fn lets_out(&mut self, _packet: &[u8]) -> bool {
        true
    }

    pub(crate) fn dropped(&mut self, _reason: DropReason, _frame: &[u8]) {}
}
