//! What can go wrong, one small enum an operation.

use core::fmt;

macro_rules! errors {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$variant_doc:meta])* $variant:ident: $text:literal ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $( $(#[$variant_doc])* $variant ),* }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $( $name::$variant => $text ),* })
            }
        }

        impl core::error::Error for $name {}
    )* };
}

errors! {
    /// Why a socket can't listen.
    ListenError {
        /// It is in use: close or abort it first.
        InvalidState: "socket in use: close it first",
        /// Port 0: say which port.
        Unaddressable: "listening needs a port",
        /// The address is of a family that is not built in.
        FamilyNotBuiltIn: "address family not built in",
        /// Somebody else listens there: choose another port, or close that one.
        PortInUse: "port in use",
    }
    /// Why a socket can't connect.
    ConnectError {
        /// It is in use: close or abort it first.
        InvalidState: "socket in use: close it first",
        /// The remote address or port is missing, or no unicast address: give both.
        Unaddressable: "connecting needs a remote unicast address and a port",
        /// The remote end has the zone of another interface than the socket is tied to.
        OtherInterface: "the remote end has the zone of another interface than the socket is tied to",
        /// One of the addresses is of a family that is not built in.
        FamilyNotBuiltIn: "address family not built in",
        /// The local and the remote address are of different families.
        FamilyMismatch: "local and remote address are of different families",
        /// The handle names no TCP socket.
        Handle: "the handle names no TCP socket",
        /// No route leads there, or no own address fits.
        Unreachable: "no route to the peer, or no own address to use",
        /// The local address and port are in use with this peer already, or all ports are.
        AddressInUse: "address and port in use",
        /// The peer's link-local address does not say behind which interface: give the endpoint a zone.
        ZoneNeeded: "link-local address without a zone",
    }
    /// Why nothing can be queued for sending.
    SendError {
        /// Not connected and not about to be, or closed by us: connect first.
        InvalidState: "not connected, or already closed for sending",
        /// The list of slices (feature `tcp-send-ref`) has no free place, or too many octets wait: send more once some are
        /// acknowledged.
        Full: "too many slices are queued",
    }
    /// Why nothing can be received.
    RecvError {
        /// Not connected, or the connection ended with an error: see `error()`.
        InvalidState: "not connected",
        /// The peer has sent everything, and all of it was read.
        Finished: "the peer has closed, and everything was read",
    }
    /// Why a connection ended out of order.
    Error {
        /// The peer does not listen there.
        Refused: "connection refused",
        /// The peer has reset the connection.
        Reset: "connection reset by peer",
        /// The peer did not answer in time.
        TimedOut: "connection timed out",
        /// No route, no source address, or the network says the peer can't be reached.
        Unreachable: "peer unreachable",
        /// The local address and port are in use with this peer already.
        AddressInUse: "address and port in use",
        /// The peer's link-local address does not say behind which interface: give the endpoint a zone.
        ZoneNeeded: "link-local address without a zone",
    }
}
