//! Several interfaces, each on its own device, as one stack.

use managed::ManagedSlice;

use super::engine::{self, Budget, Progress};
use super::handler::{Handler, Hooks, NoHandler};
use super::interface::Interface;
use super::links::{DeviceSlot, Links, Others};
use super::loopback;
use super::socket_set::SocketSet;
use crate::phy::DynDevice;
#[cfg(feature = "tcp-connect")]
use crate::socket::tcp::ConnectError;
#[cfg(feature = "tcp-connect")]
use crate::storage::SocketHandle;
use crate::time::Instant;
#[cfg(feature = "tcp-connect")]
use crate::wire::{IpEndpoint, IpListenEndpoint};

/// An interface and the device that it is on.
pub struct Port<'p, 'a> {
    pub(crate) iface: &'p mut Interface<'a>,
    pub(crate) device: &'p mut (dyn DynDevice + Send + 'p),
}

impl<'p, 'a> Port<'p, 'a> {
    /// Puts an interface on a device.
    pub fn new(iface: &'p mut Interface<'a>, device: &'p mut (dyn DynDevice + Send + 'p)) -> Port<'p, 'a> {
        Port { iface, device }
    }

    /// The interface.
    pub fn iface(&mut self) -> &mut Interface<'a> {
        self.iface
    }
}

/// Polls any number of ports against one set of sockets.
///
/// A packet leaves by the port with the best route, whichever port caused it. Ports may be unlike:
/// Ethernet beside bare IP. A link-local address needs a zone to say which port it is behind.
/// What is for others is dropped, unless [forwarding](Self::set_forwarding) is on.
pub struct Router<'r, 'p, 'a> {
    ports: ManagedSlice<'r, Port<'p, 'a>>,
    /// The port that is served first: they take turns.
    turn: usize,
}

impl<'r, 'p, 'a> Router<'r, 'p, 'a> {
    /// A router over these ports. A zone names a port by its place here.
    pub fn new(ports: impl Into<ManagedSlice<'r, Port<'p, 'a>>>) -> Router<'r, 'p, 'a> {
        Router { ports: ports.into(), turn: 0 }
    }

    /// The ports.
    pub fn ports_mut(&mut self) -> &mut [Port<'p, 'a>] {
        &mut self.ports
    }

    /// Whether packets for others go on between all these ports; see [`Interface::set_forwarding`].
    #[cfg(feature = "iface-forward")]
    pub fn set_forwarding(&mut self, on: bool) {
        self.ports.iter_mut().for_each(|port| port.iface.set_forwarding(on));
    }

    /// Receives and sends whatever there is, within the default budget.
    pub fn poll(&mut self, now: Instant, sockets: &mut SocketSet<'_>) -> Progress {
        self.poll_with(now, sockets, &mut NoHandler, Budget::default())
    }

    /// The same with a handler, and at most `budget` on every port.
    pub fn poll_with(
        &mut self,
        now: Instant,
        sockets: &mut SocketSet<'_>,
        handler: &mut dyn Handler,
        budget: Budget,
    ) -> Progress {
        let mut progress = Progress::default();
        for port in self.ports.iter_mut() {
            let link = port.device.status(now).link;
            if link != port.iface.link {
                port.iface.on_link(link, sockets);
            }
        }
        let count = self.ports.len();
        self.with_links(now, handler, &mut |links| engine::settle(links, sockets));
        #[cfg(feature = "iface-multicast")]
        for port in self.ports.iter_mut() {
            port.iface.update_filter(&mut |groups| port.device.set_filter(groups));
        }
        for offset in 0..count {
            let index = (self.turn + offset) % count;
            progress += self.receive(now, index, sockets, handler, budget);
        }
        self.turn = (self.turn + 1) % count.max(1);
        loop {
            self.with_links(now, handler, &mut |links| progress += engine::send(links, sockets, budget));
            if !self.take_looped(now, sockets, handler, &mut progress) {
                return progress;
            }
            if progress.has_used(budget) {
                progress.more = true;
                return progress;
            }
        }
    }

    /// Takes in what we sent to ourselves, at each port, and says whether there was anything.
    fn take_looped(
        &mut self,
        now: Instant,
        sockets: &mut SocketSet<'_>,
        handler: &mut dyn Handler,
        progress: &mut Progress,
    ) -> bool {
        let mut any = false;
        for index in 0..self.ports.len() {
            if self.ports.get(index).is_some_and(|port| port.iface.has_looped()) {
                self.with_current(now, index, handler, &mut |links| loopback::take(links, sockets, progress));
                any = true;
            }
        }
        any
    }

    fn receive(
        &mut self,
        now: Instant,
        index: usize,
        sockets: &mut SocketSet<'_>,
        handler: &mut dyn Handler,
        budget: Budget,
    ) -> Progress {
        let mut progress = Progress::default();
        let Some((before, rest)) = self.ports.split_at_mut_checked(index) else { return progress };
        let Some((port, after)) = rest.split_first_mut() else { return progress };
        while !progress.has_used(budget) {
            let more = port.device.receive_dyn(now, &mut |meta, frame, slot| {
                progress.frames += 1;
                progress.octets += frame.len();
                let hooks = Hooks::new(&mut *handler);
                let mut links = Links::new(now, port.iface, slot, hooks, Others { before, after });
                engine::ingress(&mut links, sockets, meta, frame);
            });
            if !more {
                return progress;
            }
        }
        progress.more = true;
        progress
    }

    /// Begins to connect a TCP socket to `remote` and settles it at once: the error is here, not in an
    /// event. Where `local` says nothing, route and chance choose.
    #[cfg(feature = "tcp-connect")]
    pub fn connect(
        &mut self,
        now: Instant,
        sockets: &mut SocketSet<'_>,
        handle: SocketHandle,
        remote: impl Into<IpEndpoint>,
        local: impl Into<IpListenEndpoint>,
    ) -> Result<(), ConnectError> {
        let (remote, local) = (remote.into(), local.into());
        let mut result = Err(ConnectError::Unreachable);
        self.with_links(now, &mut NoHandler, &mut |links| {
            result = sockets.connect_by(links, handle, remote, local)
        });
        result
    }

    /// When to poll next: never later than anything has to happen, `None` for not before a frame comes.
    pub fn poll_at(&mut self, now: Instant, sockets: &mut SocketSet<'_>) -> Option<Instant> {
        let at = self.ports.iter_mut().filter_map(|port| port.device.status(now).poll_at).min();
        let mut engine_at = None;
        self.with_links(now, &mut NoHandler, &mut |links| engine_at = engine::poll_at(links, sockets));
        at.into_iter().chain(engine_at).min()
    }

    /// Calls `f` with all ports, the first as the current one.
    fn with_links(
        &mut self,
        now: Instant,
        handler: &mut dyn Handler,
        f: &mut dyn FnMut(&mut Links<'_, 'p, 'a>),
    ) {
        self.with_current(now, 0, handler, f);
    }

    /// Calls `f` with all ports, this one as the current one.
    fn with_current(
        &mut self,
        now: Instant,
        index: usize,
        handler: &mut dyn Handler,
        f: &mut dyn FnMut(&mut Links<'_, 'p, 'a>),
    ) {
        let Some((before, rest)) = self.ports.split_at_mut_checked(index) else { return };
        let Some((port, after)) = rest.split_first_mut() else { return };
        let mut slot = DeviceSlot { device: &mut *port.device, now };
        f(&mut Links::new(now, port.iface, &mut slot, Hooks::new(handler), Others { before, after }));
    }
}
