//! Sockets and listeners that are tied to one interface (feature `socket-interface`).

use super::{Listener, Phase, Socket};
use crate::socket::Bound;

impl Socket<'_> {
    /// Ties what the socket does next to an interface, named by its place in the `Router` (`SO_BINDTODEVICE`): it listens
    /// at that one only, and the connection that it begins or takes stays with it. `None`, as it is unless set, unties it;
    /// then a zone in the remote end of [`connect`](Self::connect) ties that connection.
    ///
    /// A connection that has begun stays where it is. One that is tied is told apart from others between the same ends, and
    /// its remote end is shown with the interface as its zone.
    pub fn set_interface(&mut self, interface: Option<u8>) {
        self.side.bound = Bound::to(interface);
        #[cfg(feature = "tcp-listen-once")]
        if let Phase::Listen(key) = &mut self.phase {
            key.bound = self.side.bound;
        }
    }

    /// The interface that it is tied to.
    pub fn interface(&self) -> Option<u8> {
        self.side.bound.interface()
    }
}

impl Listener<'_> {
    /// Ties the listener to an interface, named by its place in the `Router` (`SO_BINDTODEVICE`): it hears requests that come
    /// by that one only, and its connections stay with it. `None`, as it is unless set, unties it. Listeners that are tied to
    /// different interfaces may have the same port.
    ///
    /// The remote end of its connections is shown with the interface as its zone. What was requested before it was tied is
    /// not completed any more.
    pub fn set_interface(&mut self, interface: Option<u8>) {
        self.bound = Bound::to(interface);
        if let Some(key) = &mut self.endpoint {
            key.bound = self.bound;
        }
    }

    /// The interface that it is tied to.
    pub fn interface(&self) -> Option<u8> {
        self.bound.interface()
    }
}
