//! Connections that are tied to one interface (feature `socket-interface`). Their zone is that of the interface, whatever
//! kind of address the peer has.

use super::socket_set::SocketSet;
use super::tcp_set::listen_key;
use crate::socket::Tuple;
use crate::wire::Addr;

/// Whether a connection or a listener was ever tied: without any, no segment is looked at a second time.
#[derive(Debug, Default)]
pub(crate) struct Tied(bool);

impl SocketSet<'_> {
    /// Notes that there are connections tied to an interface, if this is one.
    pub(crate) fn note_tie(&mut self, peer: &Addr, zone: u8) {
        self.tied.0 |= zone != 0 && (peer.is_v4() || !peer.is_link_local());
    }

    /// The same of whoever listens at `ix`.
    pub(crate) fn note_listener_tie(&mut self, ix: u32) {
        let key = self.entry(ix).and_then(|entry| listen_key(&entry.socket));
        self.tied.0 |= key.is_some_and(|key| key.is_tied());
    }

    /// A segment's connection, which is not known under the zone of its address, under that of the interface, if somebody has
    /// it there.
    pub(crate) fn tied(&mut self, hash: u32, tuple: &Tuple, interface: usize) -> Option<Tuple> {
        let here = Tuple { zone: (interface as u8).saturating_add(1), ..*tuple };
        let is_here = self.tied.0
            && (self.find_connection(hash, &here).is_some()
                || self.time_wait.has(hash, &here)
                || self.find_listener(tuple, interface).is_some_and(|ix| self.is_tied_listener(ix)));
        is_here.then_some(here)
    }

    fn is_tied_listener(&self, ix: u32) -> bool {
        self.entry(ix).and_then(|entry| listen_key(&entry.socket)).is_some_and(|key| key.is_tied())
    }
}
