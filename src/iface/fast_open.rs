//! TCP Fast Open in the set of sockets (RFC 7413): requests that become connections at once, and what became of them.

use super::engine::context;
use super::fast_open_cache::Cache;
use super::ingress::Ingress;
use super::socket_set::{Flags, SocketSet};
use super::tcp_set::{follow_listener, listener_in, tcp_in};
use crate::socket::tcp::{Error, FastOpenRequest as Request, Plan, Segment};
use crate::socket::{Context, Socket, Tuple};
use crate::time::Ticks;

/// How often connections began with data, or could have: what Linux counts as `TcpExt: TCPFastOpen…`. They wrap.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FastOpenStats {
    /// Connections that a listener took with a cookie, before their handshake was over.
    pub passive: u32,
    /// Requests with a cookie that is none of ours or too old, or for which there was no socket or no room.
    pub passive_fail: u32,
    /// Requests with a cookie that came when as many connections were pending as may be.
    pub listen_overflow: u32,
    /// Requests for a cookie that a listener has answered.
    pub cookie_reqd: u32,
    /// Connections of ours whose SYN had data, which the server has taken.
    pub active: u32,
    /// Those whose SYN had data that it has not, or the option, and was not answered.
    pub active_fail: u32,
}

/// What a set of sockets keeps of it.
pub(crate) struct State<'a> {
    pub(super) stats: FastOpenStats,
    pub(super) cache: Cache<'a>,
}

impl State<'_> {
    pub(super) fn new() -> Self {
        State { stats: FastOpenStats::default(), cache: Cache::new() }
    }

    /// Puts into a SYN that asks for a cookie what is known, and data with it.
    #[inline]
    pub(super) fn fill(&mut self, cx: &Context<'_>, tuple: &Tuple, queued: usize, plan: &mut Plan) {
        self.cache.fill(cx, tuple, queued, plan);
    }
}

pub(super) fn count(counter: &mut u32) {
    *counter = counter.wrapping_add(1);
}

impl Ingress<'_, '_, '_, '_, '_> {
    /// What a segment for the listener at `ix` asks of it.
    pub(super) fn ask_fast_open(&mut self, ix: u32, tuple: &Tuple, segment: &Segment<'_>) -> Request {
        let SocketSet { slots, keys, fast_open, .. } = &mut *self.sockets;
        let Some(listener) = listener_in(slots, ix).filter(|_| segment.is_request()) else {
            return Request::None;
        };
        let cx = context(keys, self.links.now, self.links.iface.ip_mtu());
        let request = listener.fast_open_request(&cx, tuple, segment);
        match request {
            Request::None | Request::Open { .. } => {}
            Request::Cookie => count(&mut fast_open.stats.cookie_reqd),
            Request::Invalid | Request::Pressed => count(&mut fast_open.stats.passive_fail),
            Request::Crowded => count(&mut fast_open.stats.listen_overflow),
        }
        request
    }

    /// Makes a connection of a request that may begin with its data; says whether there is a socket for it.
    pub(super) fn open_fast(&mut self, at: u32, tuple: &Tuple, syn: &Segment<'_>, request: Request) -> bool {
        let Request::Open { is_old } = request else { return false };
        let is_open = self.make_fast(at, tuple, syn, is_old).is_some();
        let stats = &mut self.sockets.fast_open.stats;
        count(if is_open { &mut stats.passive } else { &mut stats.passive_fail });
        is_open
    }

    fn make_fast(&mut self, at: u32, tuple: &Tuple, syn: &Segment<'_>, is_old: bool) -> Option<()> {
        let (now, ip_mtu) = (self.links.now, self.links.iface.ip_mtu());
        let ix = self.sockets.socket_for(at)?;
        let SocketSet { slots, keys, .. } = &mut *self.sockets;
        let cx = context(keys, now, ip_mtu);
        follow_listener(slots, at, ix)?;
        let half = listener_in(slots, at)?.fast_record(&cx, tuple, syn);
        let events = tcp_in(slots, ix)?.open_fast(&cx, &half, syn, is_old);
        listener_in(slots, at)?.on_fast_opened();
        self.sockets.hand_in(at, ix, events);
        self.sockets.entry_mut(ix)?.flags |= Flags::PENDING;
        Some(())
    }
}

impl SocketSet<'_> {
    /// How often connections began with data, or could have.
    pub fn fast_open_stats(&self) -> FastOpenStats {
        self.fast_open.stats
    }

    /// The socket at `ix` has had its turn: its listener counts it no longer, if it is acknowledged or no more.
    #[inline]
    pub(super) fn end_fast_open(&mut self, ix: u32, now: Ticks) {
        let is_pending = |socket: &Socket<'_>| matches!(socket, Socket::Tcp(it) if it.is_fast_open_pending());
        self.note_loss(ix, now);
        let entry = self.entry(ix).filter(|entry| entry.flags.contains(Flags::PENDING));
        if entry.is_some_and(|entry| !is_pending(&entry.socket)) {
            self.end_pending(ix, Some(now));
        }
    }

    /// What has come to its end `now` may have been reset by the peer.
    #[cold]
    fn end_pending(&mut self, ix: u32, now: Option<Ticks>) {
        let Some(entry) = self.entry_mut(ix) else { return };
        entry.flags.remove(Flags::PENDING);
        let was_reset = matches!(&entry.socket, Socket::Tcp(it) if it.error() == Some(Error::Refused));
        let at = entry.listener;
        if let Some(listener) = self.listener_mut(at) {
            listener.on_fast_open_end(now.filter(|_| was_reset));
        }
    }

    /// The socket at `ix` is about to be removed.
    pub(super) fn forget_fast_open(&mut self, ix: u32) {
        if self.entry(ix).is_some_and(|entry| entry.flags.contains(Flags::PENDING)) {
            self.end_pending(ix, None);
        }
    }
}
