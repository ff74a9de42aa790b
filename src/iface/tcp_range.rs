//! Who listens at a port, where listeners can have many (feature `tcp-listen-range`).

use super::socket_set::SocketSet;
use super::tcp_set::{TCP, listen_key};
use crate::socket::Tuple;

impl SocketSet<'_> {
    /// Who listens for connections at a segment's destination: with the fewest ports, and of those with as many for that
    /// address before any. Asked only when no connection has it (RFC 9293 §3.9.1.1, MUST-41, MUST-42).
    pub(crate) fn find_listener(&self, tuple: &Tuple, interface: usize) -> Option<u32> {
        let find = |port| self.find_listener_filed_at(port, tuple, interface);
        find(tuple.local_port).or_else(|| find(0))
    }

    /// The same of those who are filed under this port.
    fn find_listener_filed_at(&self, port: u16, tuple: &Tuple, interface: usize) -> Option<u32> {
        let chain = self.table.chain(&self.slots, self.table.hash_port(TCP, port));
        let ranked = chain.filter_map(|(ix, entry)| {
            let key = listen_key(&entry.0.socket)?;
            key.takes(&tuple.local, tuple.local_port, interface).then(|| (key.rank(), ix))
        });
        // Of sockets that share a port, who listened first.
        ranked.reduce(|a, b| if b.0 <= a.0 { b } else { a }).map(|(_, ix)| ix)
    }
}
