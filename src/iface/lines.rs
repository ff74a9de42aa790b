//! A listener's lines of sockets: those that wait for a connection, and those that wait to be accepted.
//!
//! They are threaded through the entries of the set.

use super::socket_set::SocketSet;
use super::tcp_set::LineOf;
use crate::storage::NIL;

impl SocketSet<'_> {
    /// Appends a socket to one of a listener's lines.
    pub(super) fn stand_in_line(&mut self, at: u32, ix: u32, line: LineOf) {
        let Some(line) = self.listener_mut(at).map(line) else { return };
        let last = core::mem::replace(&mut line.tail, ix);
        line.count += 1;
        if last == NIL {
            line.head = ix;
        } else if let Some(entry) = self.entry_mut(last) {
            entry.next_in_line = ix;
        }
    }

    /// The socket that is first in one of a listener's lines leaves it.
    pub(super) fn next_in_line(&mut self, at: u32, line: LineOf) -> Option<u32> {
        let ix = line(self.listener_mut(at)?).head;
        let next = core::mem::replace(&mut self.entry_mut(ix)?.next_in_line, NIL);
        let line = line(self.listener_mut(at)?);
        line.head = next;
        line.count -= 1;
        if next == NIL {
            line.tail = NIL;
        }
        Some(ix)
    }
}
