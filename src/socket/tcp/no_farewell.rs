//! Without the queue of resets, that of a connection is lost with its socket.

use super::Socket;

#[derive(Debug)]
pub(super) struct Farewell;

impl Farewell {
    pub(super) const NONE: Farewell = Farewell;
}

impl Socket<'_> {
    #[inline]
    pub(super) fn keep_farewell(&mut self) {}
}
