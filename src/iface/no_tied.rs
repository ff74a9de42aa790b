//! Without `socket-interface` a connection has the zone of its peer's address.

use super::socket_set::SocketSet;
use crate::socket::Tuple;
use crate::wire::Addr;

#[derive(Debug, Default)]
pub(crate) struct Tied;

impl SocketSet<'_> {
    #[inline]
    #[cfg_attr(not(feature = "tcp-connect"), allow(dead_code))]
    pub(crate) fn note_tie(&mut self, _peer: &Addr, _zone: u8) {}

    #[inline]
    pub(crate) fn note_listener_tie(&mut self, _ix: u32) {}

    #[inline]
    pub(crate) fn tied(&mut self, _hash: u32, _tuple: &Tuple, _interface: usize) -> Option<Tuple> {
        None
    }
}
