//! Connected sockets, shared ports, and what ICMP says (feature `udp-connect`).

use super::{Peer, SendError, Socket};
use crate::socket::Events;
use crate::socket::icmp_error::IcmpError;
use crate::wire::{Addr, IpEndpoint};

/// The other end of a connected socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) addr: Addr,
    pub(crate) port: u16,
    /// The port of the stack that it is behind, plus one; 0 for any.
    pub(crate) zone: u8,
}

/// Whom a socket talks to, and what was said of that.
#[derive(Debug)]
pub(crate) struct Flow {
    remote: Option<Remote>,
    shares_port: bool,
    error: Option<IcmpError>,
}

impl Flow {
    pub(super) const NONE: Flow = Flow { remote: None, shares_port: false, error: None };

    pub(super) fn clear(&mut self) {
        self.remote = None;
        self.error = None;
    }
}

/// Why a socket can't be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The remote end has no address or no port, or is of another family than the address that the socket
    /// is bound to.
    Unaddressable,
    /// The address is of a family that is not built in: enable `proto-ipv4` or `proto-ipv6`.
    FamilyNotBuiltIn,
}

error_texts!(ConnectError:
    Unaddressable => "the remote end has no address or port, or is of another family",
    FamilyNotBuiltIn => "address family not built in: enable `proto-ipv4` or `proto-ipv6`");

impl Socket<'_> {
    /// Takes datagrams from `remote` only, and sends there what [`send_to_remote`](Self::send_to_remote)
    /// gets. If the socket is not bound, an ephemeral port is chosen when the set settles.
    ///
    /// Nothing is sent. Beside a socket that is bound to the same port without being connected, this one has
    /// precedence; two that are connected to the same remote end from the same port are in conflict, which
    /// shows as for `bind`. What has been queued before stays.
    pub fn connect(&mut self, remote: impl Into<IpEndpoint>) -> Result<(), ConnectError> {
        let remote = remote.into();
        if remote.port == 0 || remote.addr.is_unspecified() {
            return Err(ConnectError::Unaddressable);
        }
        let addr = Addr::try_from(remote.addr).map_err(|_| ConnectError::FamilyNotBuiltIn)?;
        if self.local.is_some_and(|local| local.is_v4() != addr.is_v4()) {
            return Err(ConnectError::Unaddressable);
        }
        let zone = remote.zone.map_or(0, |zone| zone.saturating_add(1));
        self.flow.remote = Some(Remote { addr, port: remote.port, zone });
        self.wants_port |= self.local_port == 0;
        self.moved = true;
        self.error = None;
        Ok(())
    }

    /// Takes datagrams from anybody again; the socket stays bound.
    pub fn disconnect(&mut self) {
        self.flow.remote = None;
        self.moved = true;
    }

    /// Whom the socket is connected to.
    pub fn remote_endpoint(&self) -> Option<IpEndpoint> {
        let remote = self.flow.remote.as_ref()?;
        let mut endpoint = IpEndpoint::new(remote.addr.into(), remote.port);
        endpoint.zone = remote.zone.checked_sub(1);
        Some(endpoint)
    }

    /// Queues a datagram for whom the socket is connected to.
    ///
    /// # Errors
    /// [`SendError::Unaddressable`] if it is connected to nobody, and those of `send`.
    pub fn send_to_remote(&mut self, data: &[u8]) -> Result<(), SendError> {
        let remote = self.remote_endpoint().ok_or(SendError::Unaddressable)?;
        self.send_slice(data, remote)
    }

    /// Whether the port may be shared with other sockets that say the same, for groups that several want to
    /// hear. Each gets what is sent to a group or to all, connected ones from their remote end; what is for one
    /// host goes to one of them.
    pub fn set_port_sharing(&mut self, shares: bool) {
        self.flow.shares_port = shares;
        self.moved = true;
    }

    /// The last ICMP error about what this socket has sent (RFC 1122 §4.1.3.3), once; it was announced by
    /// `Events::ERROR`. The socket goes on as before.
    ///
    /// Errors are believed when the packet that they quote came from this socket's address and port and, if
    /// it is connected, went to its remote end.
    pub fn take_icmp_error(&mut self) -> Option<IcmpError> {
        self.flow.error.take()
    }

    pub(crate) fn remote(&self) -> Option<&Remote> {
        self.flow.remote.as_ref()
    }

    /// Whether what comes from `peer` is for a socket that is connected as this one.
    pub(crate) fn takes_from(&self, peer: &Peer, interface: usize) -> bool {
        self.flow.remote.as_ref().is_none_or(|remote| {
            remote.addr == peer.remote
                && remote.port == peer.remote_port
                && (remote.zone == 0 || usize::from(remote.zone) == interface + 1)
        })
    }

    pub(crate) fn shares_port(&self) -> bool {
        self.flow.shares_port
    }

    /// Something it has sent did not arrive.
    pub(crate) fn on_icmp_error(&mut self, error: IcmpError) -> Events {
        self.flow.error = Some(error);
        Events::ERROR
    }
}

#[cfg(all(test, feature = "proto-ipv4", feature = "proto-ipv6"))]
mod tests {
    use super::super::{PacketBuffer, PacketMetadata};
    use super::*;
    use crate::wire::IpAddress;

    fn socket() -> Socket<'static> {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 2], vec![0; 70_000]);
        Socket::new(buffer(), buffer())
    }

    const REMOTE: IpEndpoint = IpEndpoint::new(IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 2), 53);

    /// Covers: RFC 1122 §4.1.3.5
    #[test]
    fn a_connected_socket_takes_from_its_remote_end_alone() {
        let mut socket = socket();
        socket.bind(5_000).unwrap();
        socket.send_slice(b"", REMOTE).unwrap();
        let (peer, _) = socket.next().unwrap();
        let peer = Peer { zone: 3, ..*peer };
        let mut strangers = [peer; 2];
        strangers[0].remote_port = 54;
        strangers[1].remote = Addr::try_from(IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 3)).unwrap();
        assert!(
            socket.takes_from(&peer, 2) && strangers.iter().all(|stranger| socket.takes_from(stranger, 2))
        );
        for (zone, is_taken) in [(None, true), (Some(2), true), (Some(1), false), (Some(3), false)] {
            socket.connect(IpEndpoint { zone, ..REMOTE }).unwrap();
            assert_eq!(socket.takes_from(&peer, 2), is_taken, "{zone:?}");
            assert!(!strangers.iter().any(|stranger| socket.takes_from(stranger, 2)));
            assert_eq!(socket.remote_endpoint(), Some(IpEndpoint { zone, ..REMOTE }));
        }
        socket.disconnect();
        assert!(socket.takes_from(&strangers[0], 2));
    }

    #[test]
    fn closing_ends_the_connection_and_forgets_what_was_said_of_it() {
        let mut socket = socket();
        socket.connect(REMOTE).unwrap();
        assert!(socket.is_open(), "a port is chosen for it");
        socket.on_icmp_error(IcmpError {
            reason: crate::socket::Unreachable::Port,
            remote: REMOTE,
            reporter: REMOTE.addr,
        });
        socket.close();
        assert_eq!((socket.remote_endpoint(), socket.take_icmp_error()), (None, None));
        assert!(!socket.is_open());
    }

    #[test]
    fn it_can_send_while_it_is_open_and_has_room() {
        let mut socket = socket();
        assert!(!socket.can_send());
        socket.bind(5_000).unwrap();
        assert!(socket.can_send());
        socket.send_slice(b"1", REMOTE).unwrap();
        assert!(socket.can_send());
        socket.send_slice(b"2", REMOTE).unwrap();
        assert!(!socket.can_send());
        socket.close();
        assert!(!socket.can_send());
    }

    /// Covers: RFC 768
    #[test]
    fn no_datagram_is_larger_than_its_length_field_can_say() {
        let mut socket = socket();
        socket.bind(5_000).unwrap();
        assert_eq!(socket.send(65_528, REMOTE).err(), Some(SendError::TooLarge));
        assert_eq!(socket.send(65_527, REMOTE).map(|room| room.len()), Ok(65_527));
    }

    #[test]
    #[cfg(feature = "udp-metadata")]
    fn groups_are_reached_by_the_interface_that_was_chosen() {
        let mut socket = socket();
        socket.bind(5_000).unwrap();
        let group = IpEndpoint::new(IpAddress::v4(239, 1, 2, 3), 7);
        let host = IpEndpoint::new(IpAddress::v4(10, 0, 0, 2), 7);
        let cases = [
            (None, group, None, 0),
            (Some(4), group, None, 5),
            (Some(4), group, Some(1), 2),
            (Some(4), host, None, 0),
        ];
        for (interface, to, zone, expected) in cases {
            socket.set_multicast_interface(interface);
            socket.send_slice(b"", IpEndpoint { zone, ..to }).unwrap();
            assert_eq!(socket.next().unwrap().0.zone, expected, "{interface:?} {to} {zone:?}");
            socket.on_sent();
        }
    }
}
