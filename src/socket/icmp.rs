//! ICMP sockets (RFC 792, RFC 4443): whole messages, for echo or for the errors about a port.
//!
//! The stack goes on answering echo requests by itself; what a socket gets is a copy.

use super::Events;
use super::udp::{Meta, PacketBuffer, Peer, QueuedPeer, Received, RecvError};
use crate::stats::DropReason;
use crate::storage::EnqueueError;
use crate::wire::{Addr, IpAddress, IpListenEndpoint, IpProtocol};

/// Octets of the smallest message.
const HEADER_LEN: usize = 8;

/// What a socket is for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Nothing yet.
    #[default]
    Unspecified,
    /// Echo replies with this identifier, and errors about echo requests with it.
    Ident(u16),
    /// Errors about UDP datagrams from this port, and this own address if one is given.
    Udp(IpListenEndpoint),
    /// Errors about TCP segments from this port, and this own address if one is given.
    Tcp(IpListenEndpoint),
}

/// Whom a message came from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The other end.
    pub address: IpAddress,
    /// The interface that a link-local address is behind, as its place in the `Router`.
    pub zone: Option<u8>,
    /// Our address: what a message was sent to; what one shall come from, or `None` for the route's choice.
    pub local_address: Option<IpAddress>,
    /// What else is known of a received message; no part of sending.
    pub received: Received,
}

impl Metadata {
    /// To or from `address`.
    pub fn new(address: impl Into<IpAddress>) -> Metadata {
        let address = address.into();
        Metadata { address, zone: None, local_address: None, received: Received::NOTHING }
    }
}

impl<T: Into<IpAddress>> From<T> for Metadata {
    fn from(address: T) -> Metadata {
        Metadata::new(address)
    }
}

/// Why a socket can't be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindError {
    /// It is bound already: `close` it first.
    AlreadyOpen,
    /// The endpoint names no port, or nothing at all.
    Unaddressable,
    /// Its address is of a family that is not built in: enable `proto-ipv4` or `proto-ipv6`.
    FamilyNotBuiltIn,
}

/// Why a message can't be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The socket is not bound.
    NotOpen,
    /// There is no destination, or it is of another family than our address.
    Unaddressable,
    /// A message has eight octets at least.
    TooShort,
    /// No room now: try again when the socket is writable.
    BufferFull,
    /// Larger than the whole transmit buffer: it can never be sent.
    TooLarge,
    /// The address is of a family that is not built in: enable `proto-ipv4` or `proto-ipv6`.
    FamilyNotBuiltIn,
}

error_texts!(BindError:
    AlreadyOpen => "already bound: close the socket first",
    Unaddressable => "the endpoint names no port",
    FamilyNotBuiltIn => "address family not built in: enable `proto-ipv4` or `proto-ipv6`");
error_texts!(SendError:
    NotOpen => "not bound",
    Unaddressable => "no destination, or one of another family than our address",
    TooShort => "an ICMP message has eight octets at least",
    BufferFull => "transmit buffer full: try again when the socket is writable",
    TooLarge => "larger than the transmit buffer",
    FamilyNotBuiltIn => "address family not built in: enable `proto-ipv4` or `proto-ipv6`");

/// An ICMP socket, for both families.
///
/// Several sockets may be bound to the same: each gets a copy of what comes.
pub struct Socket<'a> {
    rx: PacketBuffer<'a>,
    tx: PacketBuffer<'a>,
    endpoint: Endpoint,
    /// The address of the endpoint.
    local: Option<Addr>,
    hop_limit: Option<u8>,
}

impl<'a> Socket<'a> {
    /// A socket over these queues, not bound yet.
    pub fn new(rx: PacketBuffer<'a>, tx: PacketBuffer<'a>) -> Socket<'a> {
        Socket { rx, tx, endpoint: Endpoint::Unspecified, local: None, hop_limit: None }
    }

    /// Says what the socket is for.
    pub fn bind(&mut self, endpoint: Endpoint) -> Result<(), BindError> {
        if self.is_open() {
            return Err(BindError::AlreadyOpen);
        }
        let local = match endpoint {
            Endpoint::Ident(_) => None,
            Endpoint::Udp(local) | Endpoint::Tcp(local) if local.port != 0 => local.addr,
            _ => return Err(BindError::Unaddressable),
        };
        self.local = local.map(Addr::try_from).transpose().map_err(|_| BindError::FamilyNotBuiltIn)?;
        self.endpoint = endpoint;
        Ok(())
    }

    /// Unbinds and drops whatever is queued.
    pub fn close(&mut self) {
        self.endpoint = Endpoint::Unspecified;
        self.rx.reset();
        self.tx.reset();
    }

    /// Whether the socket is bound.
    pub fn is_open(&self) -> bool {
        self.endpoint != Endpoint::Unspecified
    }

    /// What it is bound to.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The hop limit of what is sent from now on; `None` for the stack's default. 0 is taken as 1.
    pub fn set_hop_limit(&mut self, hop_limit: Option<u8>) {
        // RFC 1122 §3.2.1.7: nothing is sent with 0.
        self.hop_limit = hop_limit.map(|hop_limit| hop_limit.max(1));
    }

    /// Whether a message waits.
    pub fn can_recv(&self) -> bool {
        !self.rx.is_empty()
    }

    /// Whether a small message could be queued.
    pub fn can_send(&self) -> bool {
        self.is_open() && self.tx.fits(HEADER_LEN).is_ok()
    }

    /// Queues room for a message of `len` octets, header included, which the caller fills. The stack
    /// computes the checksum.
    pub fn send(&mut self, len: usize, meta: impl Into<Metadata>) -> Result<&mut [u8], SendError> {
        let peer = self.peer_of(&meta.into())?;
        if len < HEADER_LEN {
            return Err(SendError::TooShort);
        }
        match self.tx.enqueue(len, QueuedPeer(peer)) {
            Ok(room) => Ok(room),
            Err(EnqueueError::Full) => Err(SendError::BufferFull),
            Err(EnqueueError::TooLarge) => Err(SendError::TooLarge),
        }
    }

    /// Queues a message, header included. The stack computes the checksum.
    pub fn send_slice(&mut self, message: &[u8], meta: impl Into<Metadata>) -> Result<(), SendError> {
        self.send(message.len(), meta)?.copy_from_slice(message);
        Ok(())
    }

    fn peer_of(&self, meta: &Metadata) -> Result<Peer, SendError> {
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        let addr = |a| Addr::try_from(a).map_err(|_| SendError::FamilyNotBuiltIn);
        let remote = addr(meta.address)?;
        let local = meta.local_address.map(addr).transpose()?.or(self.local);
        if remote.is_unspecified() || local.is_some_and(|local| local.is_v4() != remote.is_v4()) {
            return Err(SendError::Unaddressable);
        }
        let zone = meta.zone.map_or(0, |zone| zone.saturating_add(1));
        Ok(Peer { remote, local, remote_port: 0, zone, meta: Meta::to_send(self.hop_limit) })
    }

    /// The next message, header included, which is taken off the queue.
    pub fn recv(&mut self) -> Result<(&[u8], Metadata), RecvError> {
        let (peer, message) = self.rx.dequeue().ok().ok_or(RecvError::Exhausted)?;
        let meta = Metadata {
            address: peer.0.remote.into(),
            zone: peer.0.zone.checked_sub(1),
            local_address: peer.0.local.map(IpAddress::from),
            received: peer.0.meta.told(),
        };
        Ok((message, meta))
    }

    /// Copies the next message into `data` and takes it off the queue.
    pub fn recv_slice(&mut self, data: &mut [u8]) -> Result<(usize, Metadata), RecvError> {
        let (message, meta) = self.recv()?;
        let room = data.get_mut(..message.len()).ok_or(RecvError::Truncated)?;
        room.copy_from_slice(message);
        Ok((message.len(), meta))
    }
}

/// What the engine does with it.
impl Socket<'_> {
    /// The number that it is filed under: an identifier or a port.
    pub(crate) fn key(&self) -> Option<u16> {
        match self.endpoint {
            Endpoint::Unspecified => None,
            Endpoint::Ident(ident) => Some(ident),
            Endpoint::Udp(local) | Endpoint::Tcp(local) => Some(local.port),
        }
    }

    /// Whether it is for echoes with this identifier.
    pub(crate) fn is_for_echo(&self, ident: u16) -> bool {
        self.endpoint == Endpoint::Ident(ident)
    }

    /// Whether it is for errors about what came from `src` and `port`.
    pub(crate) fn is_for_port(&self, protocol: IpProtocol, src: &Addr, port: u16) -> bool {
        let bound = match (self.endpoint, protocol) {
            (Endpoint::Udp(local), IpProtocol::UDP | IpProtocol::UDP_LITE) => local.port,
            (Endpoint::Tcp(local), IpProtocol::TCP) => local.port,
            _ => return false,
        };
        bound == port && self.local.is_none_or(|local| local == *src)
    }

    /// Takes a message.
    pub(crate) fn process(&mut self, peer: &Peer, message: &[u8]) -> Result<Events, DropReason> {
        let room = self.rx.enqueue(message.len(), QueuedPeer(*peer)).map_err(|_| DropReason::BufferFull)?;
        room.copy_from_slice(message);
        Ok(Events::READABLE)
    }

    /// The next message to send.
    pub(crate) fn next(&self) -> Option<(&Peer, &[u8])> {
        let (peer, message) = self.tx.peek().ok()?;
        Some((&peer.0, message))
    }

    /// The next message has gone, one way or another.
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

#[cfg(all(test, feature = "proto-ipv4", feature = "proto-ipv6"))]
mod tests {
    use super::super::udp::PacketMetadata;
    use super::*;

    fn socket() -> Socket<'static> {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 2], vec![0; 20]);
        Socket::new(buffer(), buffer())
    }

    const V4: IpAddress = IpAddress::v4(10, 0, 0, 2);
    const V6: IpAddress = IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2);

    #[test]
    fn its_queues_say_what_they_have_and_what_they_take() {
        let mut socket = socket();
        assert_eq!(socket.endpoint(), Endpoint::Unspecified);
        assert!(!socket.can_send() && !socket.can_recv() && !socket.has_output());
        socket.bind(Endpoint::Ident(7)).unwrap();
        assert_eq!(socket.endpoint(), Endpoint::Ident(7));
        assert!(socket.is_for_echo(7) && !socket.is_for_echo(8));
        assert!(socket.can_send() && !socket.has_output());
        assert_eq!(socket.send(7, V4).err(), Some(SendError::TooShort));
        assert_eq!(socket.send(8, V4).map(|room| room.len()), Ok(8));
        assert!(socket.has_output() && socket.can_send());
        socket.send_slice(&[8; 8], V4).unwrap();
        assert!(!socket.can_send());
        assert_eq!(socket.on_sent(), Events::WRITABLE);
        assert!(socket.can_send() && socket.has_output());
        let peer = socket.peer_of(&V4.into()).unwrap();
        assert!(!socket.can_recv());
        socket.process(&peer, b"message!").unwrap();
        assert!(socket.can_recv());
        assert_eq!(socket.recv().unwrap().0, b"message!");
        assert!(!socket.can_recv());
    }

    #[test]
    fn both_ends_of_what_is_sent_are_of_one_family() {
        let mut socket = socket();
        socket.bind(Endpoint::Ident(7)).unwrap();
        let cases = [(V4, V4, true), (V6, V6, true), (V4, V6, false), (V6, V4, false)];
        for (address, local, is_right) in cases {
            let meta = Metadata { local_address: Some(local), ..Metadata::new(address) };
            let sent = socket.peer_of(&meta).map(|peer| peer.local);
            assert_eq!(sent.is_ok(), is_right, "{address} {local}");
            assert!(is_right || sent == Err(SendError::Unaddressable));
        }
    }
}
