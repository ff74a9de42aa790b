//! Buffers have the size that they are made with.

use super::Side;
use super::connection::Connection;
#[cfg(feature = "alloc")]
use super::listener::make_buffer;
use crate::socket::Context;
#[cfg(feature = "alloc")]
use crate::storage::SocketBuffer;

#[derive(Debug, Clone)]
pub(super) struct Autotune;

impl Autotune {
    pub(super) const fn new() -> Autotune {
        Autotune
    }
}

/// The buffers of a listener's connections come from the heap.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Default)]
pub(crate) struct BufferMemory;

#[cfg(feature = "alloc")]
impl BufferMemory {
    pub(super) fn buffers<'a>(&self, rx_len: u32, tx_len: u32) -> Option<[SocketBuffer<'a>; 2]> {
        Some([make_buffer(rx_len)?, make_buffer(tx_len)?])
    }
}

impl Connection {
    #[inline]
    pub(super) fn tune_receive(&mut self, _cx: &Context<'_>, _side: &mut Side<'_>) {}

    #[inline]
    pub(super) fn tune_send(&self, _side: &mut Side<'_>) {}
}
