//! In place of the packet pool where `iface-queue` is not built in: no packet waits.

use managed::ManagedSlice;

use super::packet_cell::{Class, PacketCell, PoolError};

/// A store that has no room for any packet.
#[derive(Debug)]
pub struct PacketPool<'a>(core::marker::PhantomData<&'a ()>);

impl<'a> PacketPool<'a> {
    /// A pool that makes no use of what is lent to it: enable the feature `iface-queue`.
    pub fn new(
        _memory: impl Into<ManagedSlice<'a, u8>>,
        _cells: impl Into<ManagedSlice<'a, PacketCell>>,
        _reserve: usize,
    ) -> PacketPool<'a> {
        PacketPool(core::marker::PhantomData)
    }

    /// A pool that owns nothing: enable the feature `iface-queue`.
    #[cfg(feature = "alloc")]
    pub fn with_cells(_count: usize, _cell_len: usize) -> PacketPool<'static> {
        PacketPool(core::marker::PhantomData)
    }

    /// Octets of the largest packet that can wait: none.
    pub fn cell_len(&self) -> usize {
        0
    }

    /// How many more packets may wait: none.
    pub fn free_count(&self) -> usize {
        0
    }

    pub(crate) fn push(
        &mut self,
        _tag: u32,
        _len: usize,
        _quota: usize,
        _class: Class,
        _fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), PoolError> {
        Err(PoolError::Full)
    }

    #[cfg(feature = "iface-forward")]
    pub(crate) fn mark_newest_passing(&mut self) {}

    #[cfg(feature = "iface-forward")]
    pub(crate) fn is_passing(&self, _tag: u32) -> bool {
        false
    }

    pub(crate) fn peek(&self, _tag: u32) -> Option<&[u8]> {
        None
    }

    pub(crate) fn count(&self, _tag: u32) -> usize {
        0
    }

    pub(crate) fn drop_front(&mut self, _tag: u32) -> bool {
        false
    }

    pub(crate) fn retag(&mut self, _tag: u32, _new_tag: u32, _patch: &mut dyn FnMut(&mut [u8])) {}

    pub(crate) fn clear(&mut self, _tag: u32) -> usize {
        0
    }
}
