//! UDP sockets (RFC 768): whole datagrams, each with its peer.
//!
//! Not here: UDP-Lite, multicast membership, errors learned from ICMP.

mod api;
mod engine;

pub use api::{BindError, Metadata, RecvError, SendError, Socket};

/// What is kept beside each datagram in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) remote: crate::wire::Addr,
    pub(crate) local: Option<crate::wire::Addr>,
    pub(crate) remote_port: u16,
    /// The port of the stack that a link-local peer is behind, plus one; 0 for none.
    pub(crate) zone: u8,
}

/// Storage for the descriptions of datagrams.
pub type PacketMetadata = crate::storage::PacketMetadata<QueuedPeer>;

/// A queue of datagrams over lent or owned storage.
pub type PacketBuffer<'a> = crate::storage::PacketBuffer<'a, QueuedPeer>;

/// Whom a queued datagram came from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedPeer(pub(crate) Peer);
