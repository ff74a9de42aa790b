//! Who listens at a port, where each listener has one.

use super::socket_set::SocketSet;
use super::tcp_set::{TCP, listen_key};
use crate::socket::Tuple;

impl SocketSet<'_> {
    /// Who listens for connections at a segment's destination: for that address before any. Asked only when
    /// no connection has it (RFC 9293 §3.9.1.1, MUST-41, MUST-42).
    pub(crate) fn find_listener(&self, tuple: &Tuple, interface: usize) -> Option<u32> {
        let mut best = None;
        let hash = self.table.hash_port(TCP, tuple.local_port);
        for (ix, entry) in self.table.chain(&self.slots, hash) {
            if let Some(key) = listen_key(&entry.0.socket)
                && key.takes(&tuple.local, tuple.local_port, interface)
            {
                best = Some(ix);
                if !key.is_any() {
                    break;
                }
            }
        }
        best
    }
}
