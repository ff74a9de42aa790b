//! The send queue of octets that are copied: the ring alone.

use super::Socket;
use super::error::SendError;
use super::segment::emit_ring;
use crate::storage::SocketBuffer;
use crate::wire::checksum::Sum;

pub(super) type SendQueue<'a> = SocketBuffer<'a>;

impl SocketBuffer<'_> {
    /// Forgets what was copied to it: nobody will send it.
    pub(super) fn forget_copied(&mut self) {
        self.clear();
    }

    /// Copies the octets from `offset` on to `out`, and returns their sum if `is_summed`.
    #[inline]
    pub(super) fn emit(&self, offset: u32, is_summed: bool, out: &mut [u8]) -> Sum {
        emit_ring(self, offset as usize, is_summed, out)
    }
}

#[cfg_attr(not(feature = "app-http"), expect(dead_code, reason = "for applications of ours"))]
impl Socket<'_> {
    pub(crate) fn send_ref(&mut self, _octets: &'static [u8]) -> Result<(), SendError> {
        Err(SendError::InvalidState)
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn with_send_refs(self, _count: u16) -> Option<Self> {
        Some(self)
    }

    #[inline]
    pub(crate) fn refs_capacity(&self) -> usize {
        0
    }
}
