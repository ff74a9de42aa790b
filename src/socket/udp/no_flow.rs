//! Without `udp-connect` no socket is connected or shares its port.

use super::{Peer, Socket};
use crate::wire::Addr;

pub(crate) struct Remote {
    pub(crate) addr: Addr,
    pub(crate) port: u16,
}

pub(crate) struct Flow;

impl Flow {
    pub(super) const NONE: Flow = Flow;

    pub(super) fn clear(&mut self) {}
}

impl Socket<'_> {
    #[inline]
    pub(crate) fn remote(&self) -> Option<&Remote> {
        None
    }

    #[inline]
    pub(crate) fn takes_from(&self, _peer: &Peer, _interface: usize) -> bool {
        true
    }

    #[inline]
    pub(crate) fn shares_port(&self) -> bool {
        false
    }
}
