//! What applications do with a UDP socket.

use super::flow::Flow;
use super::lite::Lite;
use super::members::Members;
use super::meta::Settings;
use super::{PacketBuffer, Peer, QueuedPeer};
use crate::socket::Bound;
use crate::storage::EnqueueError;
use crate::wire::{Addr, IpAddress, IpEndpoint, IpListenEndpoint};

/// Where a datagram came from, or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The other end.
    pub endpoint: IpEndpoint,
    /// Our address: what a received datagram was sent to; what the datagram to be sent shall come
    /// from, or `None` to let the route decide.
    pub local_address: Option<IpAddress>,
    /// What else is known of a received datagram. It plays no part in sending: an answer goes by the route,
    /// with what the socket's own settings say.
    pub received: Received,
}

/// What is known of a received datagram beside its two ends, with the feature `udp-metadata`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// When it arrived, in ns of the device's clock; where the device does not say
    /// ([`RxMeta::timestamp`](crate::phy::RxMeta)), the time of the poll that took it in, in ns of the stack's clock.
    pub timestamp: u64,
    /// Which interface it came by, as its place in the `Router`; 0 with only one.
    pub interface: u8,
    /// The hop limit that it had left; 0 if nothing is known.
    pub hop_limit: u8,
    /// Its DSCP and ECN.
    pub traffic_class: u8,
}

impl Received {
    /// Nothing is known.
    pub const NOTHING: Received = Received { timestamp: 0, interface: 0, hop_limit: 0, traffic_class: 0 };
}

impl Metadata {
    /// To or from `endpoint`.
    pub fn new(endpoint: impl Into<IpEndpoint>) -> Metadata {
        Metadata { endpoint: endpoint.into(), local_address: None, received: Received::NOTHING }
    }
}

impl<T: Into<IpEndpoint>> From<T> for Metadata {
    fn from(endpoint: T) -> Metadata {
        Metadata::new(endpoint)
    }
}

/// Why a socket can't be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindError {
    /// It is bound already: `close` it first.
    AlreadyOpen,
    /// Another socket has this port: choose another, or close that one.
    PortInUse,
    /// All ephemeral ports are taken.
    NoPort,
    /// The address is of a family that is not built in: enable `proto-ipv4` or `proto-ipv6`.
    FamilyNotBuiltIn,
}

/// Why a datagram can't be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The socket is not bound.
    NotOpen,
    /// The destination has no address or no port, is of another family than our address, or lies behind another
    /// interface than the one that the socket is tied to.
    Unaddressable,
    /// No room now: try again when the socket is writable.
    BufferFull,
    /// Larger than the whole transmit buffer, or than UDP can carry: it can never be sent.
    TooLarge,
    /// The address is of a family that is not built in: enable `proto-ipv4` or `proto-ipv6`.
    FamilyNotBuiltIn,
}

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// No datagram waits.
    Exhausted,
    /// The datagram was larger than the slice: the part that fits was copied, the rest is lost.
    Truncated,
}

error_texts!(BindError:
    AlreadyOpen => "already bound: close the socket first",
    PortInUse => "port in use: choose another or close the socket that has it",
    NoPort => "no ephemeral port is free",
    FamilyNotBuiltIn => "address family not built in: enable `proto-ipv4` or `proto-ipv6`");
error_texts!(SendError:
    NotOpen => "not bound",
    Unaddressable => "the destination has no address or no port, is of another family than our address, or lies \
                      behind another interface than the socket's",
    BufferFull => "transmit buffer full: try again when the socket is writable",
    TooLarge => "larger than the transmit buffer or than UDP can carry",
    FamilyNotBuiltIn => "address family not built in: enable `proto-ipv4` or `proto-ipv6`");
error_texts!(RecvError:
    Exhausted => "no datagram waits",
    Truncated => "datagram truncated: lend a larger slice");

/// A UDP socket.
///
/// Bound to a local port, it takes what comes from anybody.
pub struct Socket<'a> {
    pub(super) rx: PacketBuffer<'a>,
    pub(super) tx: PacketBuffer<'a>,
    pub(super) local: Option<Addr>,
    /// 0: not bound, unless `wants_port`.
    pub(super) local_port: u16,
    pub(super) wants_port: bool,
    /// What it is filed under may have changed.
    pub(super) moved: bool,
    pub(super) in_place: bool,
    pub(super) hop_limit: Option<u8>,
    pub(super) bound: Bound,
    pub(super) error: Option<BindError>,
    pub(super) flow: Flow,
    pub(super) settings: Settings,
    pub(super) members: Members<'a>,
    pub(super) lite: Lite,
}

impl<'a> Socket<'a> {
    /// A socket over these queues, not bound yet.
    pub fn new(rx: PacketBuffer<'a>, tx: PacketBuffer<'a>) -> Socket<'a> {
        Socket {
            rx,
            tx,
            local: None,
            local_port: 0,
            wants_port: false,
            moved: true,
            in_place: false,
            hop_limit: None,
            bound: Bound::ANY,
            error: None,
            flow: Flow::NONE,
            settings: Settings::DEFAULT,
            members: Members::none(),
            lite: Lite::OFF,
        }
    }

    /// Binds to a port, and to one of our addresses if one is given. Port 0 asks for an ephemeral one.
    ///
    /// Conflicts with other sockets are found when the set settles: at the next poll, where they show as
    /// [`Events::ERROR`] and in [`error`](Self::error), or at once by `SocketSet::bind`.
    pub fn bind(&mut self, endpoint: impl Into<IpListenEndpoint>) -> Result<(), BindError> {
        let endpoint = endpoint.into();
        if self.is_open() {
            return Err(BindError::AlreadyOpen);
        }
        let local = endpoint.addr.map(Addr::try_from).transpose();
        self.local = local.map_err(|_| BindError::FamilyNotBuiltIn)?;
        self.local_port = endpoint.port;
        self.wants_port = endpoint.port == 0;
        self.moved = true;
        self.error = None;
        Ok(())
    }

    /// Unbinds, disconnects, leaves all groups and drops whatever is queued.
    pub fn close(&mut self) {
        self.flow.clear();
        self.members.clear();
        self.local = None;
        self.local_port = 0;
        self.wants_port = false;
        self.moved = true;
        self.rx.reset();
        self.tx.reset();
    }

    /// Whether the socket is bound.
    pub fn is_open(&self) -> bool {
        self.local_port != 0 || self.wants_port
    }

    /// What it is bound to; port 0 if not at all, or if an ephemeral one is still to be chosen.
    pub fn endpoint(&self) -> IpListenEndpoint {
        IpListenEndpoint { addr: self.local.map(IpAddress::from), port: self.local_port }
    }

    /// Why the last binding failed to settle.
    pub fn error(&self) -> Option<BindError> {
        self.error
    }

    /// The hop limit of what is sent from now on; `None` for the stack's default. 0 is taken as 1.
    pub fn set_hop_limit(&mut self, hop_limit: Option<u8>) {
        // RFC 1122 §3.2.1.7: nothing is sent with 0.
        self.hop_limit = hop_limit.map(|hop_limit| hop_limit.max(1));
    }

    /// Ties the socket to an interface, named by its place in the `Router` (`SO_BINDTODEVICE`): it gets only what comes by
    /// that one, and what is queued from now on leaves by it. `None`, as it is unless set, unties it. It stays so when
    /// the socket is closed.
    ///
    /// Sockets that are tied to different interfaces may have the same port. Conflicts are found as those of
    /// [`bind`](Self::bind).
    #[cfg(feature = "socket-interface")]
    pub fn set_interface(&mut self, interface: Option<u8>) {
        self.bound = Bound::to(interface);
        self.moved = true;
    }

    /// The interface that it is tied to.
    #[cfg(feature = "socket-interface")]
    pub fn interface(&self) -> Option<u8> {
        self.bound.interface()
    }

    /// Whether datagrams are offered to the `Handler` in place before they are queued.
    pub fn set_in_place(&mut self, in_place: bool) {
        self.in_place = in_place;
    }

    /// Whether a datagram waits.
    pub fn can_recv(&self) -> bool {
        !self.rx.is_empty()
    }

    /// Whether at least an empty datagram could be queued.
    pub fn can_send(&self) -> bool {
        self.is_open() && !self.tx.is_full()
    }

    /// Queues room for a datagram of `len` octets, which the caller fills.
    pub fn send(&mut self, len: usize, meta: impl Into<Metadata>) -> Result<&mut [u8], SendError> {
        let meta = meta.into();
        let peer = self.peer_of(&meta)?;
        if len > usize::from(u16::MAX) - 8 {
            return Err(SendError::TooLarge);
        }
        match self.tx.enqueue(len, QueuedPeer(peer)) {
            Ok(room) => Ok(room),
            Err(EnqueueError::Full) => Err(SendError::BufferFull),
            Err(EnqueueError::TooLarge) => Err(SendError::TooLarge),
        }
    }

    /// Queues a datagram.
    pub fn send_slice(&mut self, data: &[u8], meta: impl Into<Metadata>) -> Result<(), SendError> {
        self.send(data.len(), meta)?.copy_from_slice(data);
        Ok(())
    }

    fn peer_of(&self, meta: &Metadata) -> Result<Peer, SendError> {
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        if meta.endpoint.port == 0 || meta.endpoint.addr.is_unspecified() {
            return Err(SendError::Unaddressable);
        }
        let addr = |a| Addr::try_from(a).map_err(|_| SendError::FamilyNotBuiltIn);
        let remote = addr(meta.endpoint.addr)?;
        let local = meta.local_address.map(addr).transpose()?.or(self.local);
        if local.is_some_and(|local| local.is_v4() != remote.is_v4()) {
            return Err(SendError::Unaddressable);
        }
        let (meta_out, zone) = self.settings.meta_for(&remote, self.hop_limit);
        let zone = meta.endpoint.zone.map_or(zone, |zone| zone.saturating_add(1));
        let zone = self.bound.zone(zone).ok_or(SendError::Unaddressable)?;
        Ok(Peer { remote, local, remote_port: meta.endpoint.port, zone, meta: meta_out })
    }

    /// The next datagram, which is taken off the queue.
    pub fn recv(&mut self) -> Result<(&[u8], Metadata), RecvError> {
        let (peer, data) = self.rx.dequeue().ok().ok_or(RecvError::Exhausted)?;
        Ok((data, metadata_of(&peer.0)))
    }

    /// Copies the next datagram into `data` and takes it off the queue.
    pub fn recv_slice(&mut self, data: &mut [u8]) -> Result<(usize, Metadata), RecvError> {
        let (datagram, meta) = self.recv()?;
        let room = data.get_mut(..datagram.len()).ok_or(RecvError::Truncated)?;
        room.copy_from_slice(datagram);
        Ok((datagram.len(), meta))
    }

    /// The next datagram, which stays on the queue.
    pub fn peek(&mut self) -> Result<(&[u8], Metadata), RecvError> {
        let (peer, data) = self.rx.peek().ok().ok_or(RecvError::Exhausted)?;
        Ok((data, metadata_of(&peer.0)))
    }
}

fn metadata_of(peer: &Peer) -> Metadata {
    let mut endpoint = IpEndpoint::new(peer.remote.into(), peer.remote_port);
    endpoint.zone = peer.zone.checked_sub(1);
    Metadata { endpoint, local_address: peer.local.map(IpAddress::from), received: peer.meta.told() }
}
