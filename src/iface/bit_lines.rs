//! A listener's lines of sockets where `iface-scale` is not built in: a bit for each socket.

use super::socket_set::SocketSet;
use super::tcp_set::LineOf;

impl SocketSet<'_> {
    /// Appends a socket to one of a listener's lines.
    pub(super) fn stand_in_line(&mut self, at: u32, ix: u32, line: LineOf) {
        if let Some(listener) = self.listener_mut(at) {
            line(listener).push_back(ix);
        }
    }

    /// A socket leaves one of a listener's lines.
    pub(super) fn next_in_line(&mut self, at: u32, line: LineOf) -> Option<u32> {
        line(self.listener_mut(at)?).pop_front()
    }
}
