//! UDP sockets (RFC 768), and UDP-Lite's (RFC 3828): whole datagrams, each with its peer.
//!
//! `flow` has what concerns connected sockets, `meta` what goes with each datagram.
//!
//! A datagram larger than the link carries is cut by IP, if `iface-fragments` is built in. Over IPv4 routers may cut it further.
//! Over IPv6 none does: with `iface-path-mtu` datagrams are cut for the path, once a router has said what it takes; the one
//! that it has said it about is lost.

mod api;
mod engine;
#[cfg_attr(not(feature = "udp-connect"), path = "no_flow.rs")]
mod flow;
#[cfg_attr(not(feature = "socket-udplite"), path = "no_lite.rs")]
mod lite;
#[cfg_attr(not(feature = "iface-multicast"), path = "no_members.rs")]
mod members;
#[cfg_attr(not(feature = "udp-metadata"), path = "no_meta.rs")]
mod meta;

pub use api::{BindError, Metadata, Received, RecvError, SendError, Socket};
#[cfg(feature = "udp-connect")]
pub use flow::ConnectError;
#[cfg(feature = "socket-udplite")]
pub use lite::CoverageError;
#[cfg(feature = "iface-multicast")]
pub use members::{Membership, MembershipError};
pub(crate) use meta::Meta;

/// What is kept beside each datagram in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) remote: crate::wire::Addr,
    pub(crate) local: Option<crate::wire::Addr>,
    pub(crate) remote_port: u16,
    /// The port of the stack that a link-local peer is behind, plus one; 0 for none.
    pub(crate) zone: u8,
    pub(crate) meta: Meta,
}

/// Whom a datagram is for.
pub(crate) struct To<'d> {
    pub(crate) protocol: crate::wire::IpProtocol,
    pub(crate) addr: &'d crate::wire::Addr,
    pub(crate) port: u16,
    /// The interface that it comes by.
    pub(crate) interface: usize,
}

/// Storage for the descriptions of datagrams.
pub type PacketMetadata = crate::storage::PacketMetadata<QueuedPeer>;

/// A queue of datagrams over lent or owned storage.
pub type PacketBuffer<'a> = crate::storage::PacketBuffer<'a, QueuedPeer>;

/// Whom a queued datagram came from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedPeer(pub(crate) Peer);
