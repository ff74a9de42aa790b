//! The user's timeout (RFC 9293 §3.9.1.1, §3.8.3): how long the peer may acknowledge nothing.

use super::{Socket, from_ticks, to_ticks};
use crate::time::Duration;

/// In ticks; 0 is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct UserTimeout(u32);

impl UserTimeout {
    pub(super) const NONE: UserTimeout = UserTimeout(0);

    /// What is left of it after so many ticks, if there is one.
    #[inline]
    pub(super) fn left(self, gone: u32) -> Option<u32> {
        (self.0 > 0).then(|| self.0.saturating_sub(gone)) // it is over
    }
}

impl Socket<'_> {
    /// Gives up if the peer has acknowledged nothing for this long, or answers no keep-alive.
    ///
    /// Without it a connection ends when data was repeated a dozen times, which takes minutes.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.side.config.timeout = UserTimeout(to_ticks(timeout));
        self.rearm();
    }

    /// The timeout, in steps of 1.024 ms.
    pub fn timeout(&self) -> Option<Duration> {
        from_ticks(self.side.config.timeout.0)
    }
}
