//! Active opens in the set: from where a connection is made, and by which port.

use super::engine::context;
use super::links::Links;
use super::socket_set::SocketSet;
use super::tcp_set::tcp_in;
use crate::socket::Tuple;
use crate::socket::tcp::{self, ConnectError, Error, Wish};
use crate::storage::SocketHandle;
use crate::time::Ticks;
use crate::wire::{Addr, IpEndpoint, IpListenEndpoint, IpProtocol};

impl<'a> SocketSet<'a> {
    /// Begins to connect a TCP socket, at once: `links` says from where.
    pub(crate) fn connect_by(
        &mut self,
        links: &Links<'_, '_, '_>,
        handle: SocketHandle,
        remote: impl Into<IpEndpoint>,
        local: impl Into<IpListenEndpoint>,
    ) -> Result<(), ConnectError> {
        let socket = self.try_get_mut::<tcp::Socket<'a>>(handle).map_err(|_| ConnectError::Handle)?;
        socket.connect(remote, local)?;
        let ix = self.index_of(handle).map_err(|_| ConnectError::Handle)?;
        let settled = self.settle_tcp(ix, links);
        self.update_timer(ix, Ticks::from_instant(links.now));
        settled.map_err(|error| {
            self.forget_events(ix);
            match error {
                Error::ZoneNeeded => ConnectError::ZoneNeeded,
                Error::AddressInUse => ConnectError::AddressInUse,
                _ => ConnectError::Unreachable,
            }
        })
    }

    /// Gives a connection to be its address, port and sequence number.
    pub(super) fn settle_wish(
        &mut self,
        ix: u32,
        wish: &Wish,
        links: &Links<'_, '_, '_>,
    ) -> Result<(), Error> {
        let end = self.local_end(wish, links);
        self.note_tie(&wish.remote, wish.zone);
        let SocketSet { slots, keys, .. } = self;
        let Some(socket) = tcp_in(slots, ix) else { return Ok(()) };
        match end {
            Ok((local, port)) => {
                socket.settle(&context(keys, links.now, links.iface.ip_mtu()), local, port);
                // The record of an earlier connection would speak for this one once it has ended.
                if let Some(tuple) = socket.tuple().copied() {
                    let hash = self.hash_of(&tuple);
                    self.time_wait.forget(hash, &tuple);
                }
                Ok(())
            }
            Err(error) => {
                let events = socket.fail(error);
                self.notify(ix, events);
                Err(error)
            }
        }
    }

    /// The local address and port for a connection to be.
    fn local_end(&mut self, wish: &Wish, links: &Links<'_, '_, '_>) -> Result<(Addr, u16), Error> {
        let needs_zone = !wish.remote.is_v4() && wish.remote.is_link_local() && links.count() > 1;
        if needs_zone && wish.zone == 0 {
            return Err(Error::ZoneNeeded);
        }
        let zone = wish.zone;
        let iface = links.route(&wish.remote, zone).and_then(|route| links.iface(route.port));
        // RFC 9293 §3.9.2.3 (MUST-46): which address is a network's broadcast, only the interface knows.
        if iface.is_some_and(|iface| iface.is_broadcast(&wish.remote)) {
            return Err(Error::Unreachable);
        }
        let source = || iface?.source_for(&wish.remote);
        // RFC 9293 §3.9.1.1 (MUST-43, MUST-44, MUST-45): what was asked for, else what the way there says; kept
        // for the life of the connection.
        let local = wish.local.or_else(source).ok_or(Error::Unreachable)?;
        // RFC 1122 §3.2.1.3 (g): a loopback address is never the source of what leaves the host.
        if local.is_loopback() && !wish.remote.is_loopback() {
            return Err(Error::Unreachable);
        }
        let (remote, remote_port) = (wish.remote, wish.remote_port);
        let tuple = |port| Tuple { local, remote, local_port: port, remote_port, zone };
        let is_free =
            |set: &Self, port| set.find_connection(set.hash_of(&tuple(port)), &tuple(port)).is_none();
        if wish.local_port != 0 {
            return if is_free(self, wish.local_port) {
                Ok((local, wish.local_port))
            } else {
                Err(Error::AddressInUse)
            };
        }
        let [a, b, c, d] = remote.words();
        let flow = [a, b, c, d, u32::from(remote_port)];
        let port = self.ephemeral_port(IpProtocol::TCP, &flow, &is_free);
        port.map(|port| (local, port)).ok_or(Error::AddressInUse)
    }
}
