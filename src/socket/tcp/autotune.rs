//! How large growing buffers may be: as the path and the application need it, up to their limits.
//!
//! The receive buffer, which is the window that the peer sees, is for four times what the application took in a round trip:
//! twice that may come in the next one while the peer's window doubles, and as much may lie there until it is taken. The
//! send buffer is for two windows: one in flight, and one that may leave in the next round trip.

use super::connection::Connection;
use super::listener::make_buffer;
use super::ticks_of_ms;
use super::{Listener, Side, Socket};
use crate::socket::Context;
use crate::storage::{Memory, SocketBuffer};
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

/// Octets that a buffer may have at first: what a window without scaling is.
const FIRST: usize = 0xffff;

/// How often a buffer is looked at where no round trip is known, in ticks.
const UNKNOWN: u32 = ticks_of_ms(100);

/// What was taken of the stream when it was last looked at, and when that is next.
#[derive(Debug, Clone)]
pub(super) struct Autotune {
    taken: SeqNum,
    due: Ticks,
    is_begun: bool,
}

impl Autotune {
    pub(super) const fn new() -> Autotune {
        Autotune { taken: SeqNum(0), due: Ticks(0), is_begun: false }
    }
}

impl Connection {
    /// Octets have come in order.
    #[inline]
    pub(super) fn tune_receive(&mut self, cx: &Context<'_>, side: &mut Side<'_>) {
        if !self.tune.is_begun || self.tune.due.is_due(cx.ticks) {
            self.tune_round(cx, side);
        }
    }

    #[cold]
    #[inline(never)]
    fn tune_round(&mut self, cx: &Context<'_>, side: &mut Side<'_>) {
        let taken = SeqNum(self.rcv.nxt.0.wrapping_sub(side.rx.len() as u32));
        if self.tune.is_begun {
            side.rx.allow((taken.since(self.tune.taken).max(0) as usize).saturating_mul(4));
        }
        let round = self.rtt.srtt().unwrap_or(UNKNOWN).max(1);
        self.tune = Autotune { taken, due: cx.ticks.after(round), is_begun: true };
    }

    /// The congestion window has changed.
    #[inline]
    pub(super) fn tune_send(&self, side: &mut Side<'_>) {
        side.tx.allow((self.control.window() as usize).saturating_mul(2));
    }
}

/// Where the buffers of a listener's connections have their octets from: the heap at once, or shared memory with need.
#[derive(Debug, Clone, Default)]
pub(crate) struct BufferMemory(Option<Memory>);

impl BufferMemory {
    /// Buffers for `rx_len` and `tx_len` octets, now or ever.
    pub(super) fn buffers<'a>(&self, rx_len: u32, tx_len: u32) -> Option<[SocketBuffer<'a>; 2]> {
        match &self.0 {
            Some(memory) => Some([receiving(rx_len as usize, memory), sending(tx_len as usize, memory)]),
            None => Some([make_buffer(rx_len)?, make_buffer(tx_len)?]),
        }
    }
}

/// A buffer that grows up to `limit`.
fn receiving<'a>(limit: usize, memory: &Memory) -> SocketBuffer<'a> {
    SocketBuffer::growing_from(FIRST, limit, memory, 0)
}

/// A quarter of the memory is for what comes: what is sent may be waiting for just that.
fn sending<'a>(limit: usize, memory: &Memory) -> SocketBuffer<'a> {
    SocketBuffer::growing_from(FIRST, limit, memory, memory.limit() / 4)
}

impl<'a> Socket<'a> {
    /// A closed socket whose buffers have memory only while there is something in them, and grow as path and application
    /// need it: to `rx_limit` and `tx_limit` octets at most, of what other buffers have left of `memory`.
    ///
    /// The window that the peer sees is 65,535 octets at first, or the limit, and then as much as the application can
    /// take. If there is no memory left when octets come, they are not acknowledged, so that the peer sends them again;
    /// [`send_slice`](Self::send_slice) queues fewer, and [`can_send`](Self::can_send) says whether any. Where the set knows
    /// of the memory ([`SocketSet::with_buffer_memory`](crate::iface::SocketSet::with_buffer_memory)),
    /// [`WRITABLE`](crate::socket::Events::WRITABLE) tells when there is room again.
    ///
    /// ```
    /// use goldcrest::socket::tcp;
    /// use goldcrest::storage::Memory;
    ///
    /// let memory = Memory::new(64 << 20);
    /// let socket = tcp::Socket::growing(6 << 20, 4 << 20, &memory);
    /// assert_eq!((socket.recv_capacity(), memory.used()), (65_535, 0));
    /// ```
    pub fn growing(rx_limit: usize, tx_limit: usize, memory: &Memory) -> Socket<'a> {
        Socket::new(receiving(rx_limit, memory), sending(tx_limit, memory))
    }

    /// Gives back the memory of growing buffers that are empty, and of what a connection that has ended did not send. They
    /// have it again when they need it.
    ///
    /// [`SocketSet::release_buffers`](crate::iface::SocketSet::release_buffers) does so for all sockets, and by itself when
    /// memory is short.
    pub fn release_buffers(&mut self) {
        let has_ahead = matches!(&self.phase, super::Phase::Connection(it) if !it.rcv.assembler.is_empty());
        if !has_ahead {
            self.side.rx.give_back();
        }
        if !self.is_open() && self.side.tx.is_growing() {
            self.side.tx.forget_copied();
        }
        self.side.tx.give_back();
    }
}

impl Socket<'_> {
    /// If the application was told that there is no room, for want of memory: whether there is some now, and whether
    /// there is none yet.
    pub(crate) fn relief(&mut self) -> (bool, bool) {
        self.side.tx.relief()
    }
}

impl Listener<'_> {
    /// Makes sockets with [growing](Socket::growing) buffers on demand: for up to `max_connections` at a time.
    pub fn set_growing_buffers(
        &mut self,
        rx_limit: usize,
        tx_limit: usize,
        max_connections: usize,
        memory: &Memory,
    ) {
        self.set_buffers(rx_limit, tx_limit, max_connections);
        if let Some(source) = &mut self.source {
            source.memory = BufferMemory(Some(memory.clone()));
        }
    }
}
