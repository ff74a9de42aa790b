//! Buffers have the size that they are made with.

use super::RingBuffer;

#[derive(Debug)]
pub(super) struct Growth;

impl Growth {
    #[inline]
    pub(super) fn fixed(_len: usize) -> Growth {
        Growth
    }

    #[inline]
    pub(super) fn capacity(&self, len: usize) -> usize {
        len
    }

    #[inline]
    pub(super) fn settle(&mut self, _len: usize) -> bool {
        true
    }
}

impl<T> RingBuffer<'_, T> {
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.room() > 0
    }

    pub(crate) fn relief(&mut self) -> (bool, bool) {
        (false, false)
    }

    pub(crate) fn is_growing(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn limit(&self) -> usize {
        self.capacity()
    }

    #[inline]
    pub(crate) fn allow(&mut self, _items: usize) {}

    #[inline]
    pub(crate) fn give_back(&mut self) {}

    #[inline]
    pub(crate) fn make_room(&mut self, _count: usize) {}
}
