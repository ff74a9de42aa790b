//! What the engine does with a UDP socket.

use super::{BindError, Peer, QueuedPeer, Socket, To};
use crate::socket::Events;
use crate::stats::DropReason;
use crate::wire::Addr;

impl Socket<'_> {
    /// The address and port that it is filed under.
    pub(crate) fn bound_to(&self) -> (Option<Addr>, u16) {
        (self.local, self.local_port)
    }

    /// Whether an ephemeral port is still to be chosen.
    pub(crate) fn wants_port(&self) -> bool {
        self.wants_port
    }

    /// Whether it may have to be filed elsewhere than it is.
    pub(crate) fn has_moved(&self) -> bool {
        self.moved
    }

    /// The set has chosen a port, or found the one asked for free.
    pub(crate) fn settle(&mut self, port: u16) {
        self.local_port = port;
        self.wants_port = false;
        self.moved = false;
    }

    /// The set has refused the binding.
    pub(crate) fn refuse(&mut self, error: BindError) -> Events {
        self.close();
        self.error = Some(error);
        Events::ERROR
    }

    /// Whether a datagram is for this socket, if it takes what comes from the sender.
    #[inline]
    pub(crate) fn accepts(&self, to: &To<'_>) -> bool {
        self.protocol() == to.protocol
            && self.local_port == to.port
            && self.bound.admits(to.interface)
            && self.local.is_none_or(|local| local == *to.addr)
    }

    /// Whether it and `other` would take the same datagrams, and not both have agreed to that.
    pub(crate) fn is_in_conflict(&self, port: u16, other: &Socket<'_>) -> bool {
        let overlap = self.local.is_none() || other.local.is_none() || self.local == other.local;
        let overlap = overlap && self.bound.overlaps(other.bound);
        let same_remote = match (self.remote(), other.remote()) {
            (None, None) => true,
            (Some(a), Some(b)) => a.addr == b.addr && a.port == b.port,
            _ => false,
        };
        let agreed = self.shares_port() && other.shares_port();
        other.protocol() == self.protocol() && other.local_port == port && overlap && same_remote && !agreed
    }

    pub(crate) fn takes_in_place(&self) -> bool {
        self.in_place
    }

    /// Takes a datagram.
    pub(crate) fn process(&mut self, peer: &Peer, data: &[u8]) -> Result<Events, DropReason> {
        let room = self.rx.enqueue(data.len(), QueuedPeer(*peer)).map_err(|_| DropReason::BufferFull)?;
        room.copy_from_slice(data);
        Ok(Events::READABLE)
    }

    /// The next datagram to send.
    pub(crate) fn next(&self) -> Option<(&Peer, &[u8])> {
        let (peer, data) = self.tx.peek().ok()?;
        Some((&peer.0, data))
    }

    /// The next datagram has gone, one way or another.
    pub(crate) fn on_sent(&mut self) -> Events {
        let was_full = self.tx.is_full();
        self.tx.drop_front();
        if was_full { Events::WRITABLE } else { Events::empty() }
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.tx.is_empty()
    }

    pub(crate) fn hop_limit(&self) -> Option<u8> {
        self.hop_limit
    }
}
