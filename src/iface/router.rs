//! Several interfaces, on as many devices or fewer, as one stack.
//!
//! Interfaces with different VLAN tags can share a device: the first is put there by [`Port::new`], the others
//! join it by [`Port::on`]. Each is a port with a number, routes and a zone of its own; only the device is shared.

use managed::ManagedSlice;

use super::egress;
use super::engine::{self, Budget, Progress};
use super::forward::LastWay;
use super::handler::{Handler, Hooks, NoHandler};
use super::interface::Interface;
use super::links::{DeviceSlot, Links, Others};
use super::loopback;
use super::socket_set::SocketSet;
use crate::config;
use crate::phy::{AnswerSlot, DynDevice, RxMeta};
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
    /// `None` if it is on another port's device, or while that is lent to who uses it.
    pub(crate) device: Option<&'p mut (dyn DynDevice + Send + 'p)>,
    /// The place of the port whose device it is on, if that is another.
    pub(crate) leader: Option<usize>,
}

impl<'p, 'a> Port<'p, 'a> {
    /// Puts an interface on a device.
    pub fn new(iface: &'p mut Interface<'a>, device: &'p mut (dyn DynDevice + Send + 'p)) -> Port<'p, 'a> {
        Port { iface, device: Some(device), leader: None }
    }

    /// Puts an interface on the device of the port whose place in the router is `place`. Its
    /// [`Config::vlan`](super::Config) has to differ from those of all others there.
    #[cfg(feature = "iface-vlan")]
    pub fn on(iface: &'p mut Interface<'a>, place: usize) -> Port<'p, 'a> {
        Port { iface, device: None, leader: Some(place) }
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
    ///
    /// # Panics
    /// If a port is on the device of a port that has none.
    pub fn new(ports: impl Into<ManagedSlice<'r, Port<'p, 'a>>>) -> Router<'r, 'p, 'a> {
        let ports = ports.into();
        let has_device = |place: usize| ports.get(place).is_some_and(|port| port.device.is_some());
        let all_have = ports.iter().filter_map(|port| port.leader).all(has_device);
        assert!(all_have, "a port is on the device of a port that has none");
        Router { ports, turn: 0 }
    }

    /// What SNMP reads of the whole system: the sum over all ports.
    #[cfg(feature = "stats-mib")]
    pub fn mib(&self) -> Option<crate::stats::Mib> {
        self.ports.iter().map(|port| port.iface.mib()).reduce(|mut sum, mib| {
            sum += mib;
            sum
        })
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
        let count = self.ports.len();
        for index in 0..count {
            self.watch_link(now, index, sockets);
            // Whether a source is a host depends on the other ports' addresses, which may have changed.
            self.ports[index].iface.familiar = None;
        }
        self.with_links(now, handler, &mut |links| engine::settle(links, sockets));
        #[cfg(feature = "iface-multicast")]
        self.update_filters();
        if self.ports.iter().any(|port| port.iface.cuts()) {
            self.with_links(now, handler, &mut |links| {
                progress.sent += egress::send_queued(links, sockets, budget)
            });
        }
        let budget = budget.without(progress.sent);
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

    /// Tells the devices which groups to receive. One that several interfaces share takes all: what one of them
    /// wants would keep the others' from them.
    #[cfg(feature = "iface-multicast")]
    fn update_filters(&mut self) {
        for index in 0..self.ports.len() {
            let is_shared = self.ports.iter().any(|port| port.leader == Some(index));
            let Port { iface, device: Some(device), .. } = &mut self.ports[index] else { continue };
            if !is_shared {
                iface.update_filter(&mut |groups| device.set_filter(groups));
            }
        }
    }

    /// The link of a port's device has come or gone.
    fn watch_link(&mut self, now: Instant, index: usize, sockets: &mut SocketSet<'_>) {
        let leader = self.ports[index].leader.unwrap_or(index);
        let Some(device) = self.ports.get_mut(leader).and_then(|port| port.device.as_mut()) else { return };
        let link = device.status(now).link;
        let iface = &mut *self.ports[index].iface;
        if link != iface.link {
            iface.on_link(link, sockets);
        }
    }

    /// Receives by a port's device, for whichever interface there it is.
    fn receive(
        &mut self,
        now: Instant,
        index: usize,
        sockets: &mut SocketSet<'_>,
        handler: &mut dyn Handler,
        budget: Budget,
    ) -> Progress {
        let Some(device) = self.ports.get_mut(index).and_then(|port| port.device.take()) else {
            return Progress::default();
        };
        let mut row = Row {
            now,
            index,
            is_shared: self.ports.iter().any(|port| port.leader == Some(index)),
            ports: &mut self.ports,
            sockets,
            hooks: Hooks::new(handler),
            last_way: LastWay::NONE,
            progress: Progress::default(),
        };
        row.progress.more = loop {
            if row.progress.has_used(budget) {
                break true;
            }
            if !device.receive_dyn(now, &mut |meta, frame, slot| row.take(meta, frame, slot)) {
                break false;
            }
        };
        let progress = row.progress;
        self.ports[index].device = Some(device);
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
        let at = self.ports.iter_mut().filter_map(|port| port.device.as_mut()?.status(now).poll_at).min();
        let mut engine_at = None;
        self.with_links(now, &mut NoHandler, &mut |links| engine_at = engine::poll_at(links, sockets));
        let at = at.into_iter().chain(engine_at).min();
        self.ports.iter().fold(at, |at, port| port.iface.autoconf.earlier(at, now))
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
        let Some(leader) = self.ports.get(index).map(|port| port.leader.unwrap_or(index)) else { return };
        let Some(device) = self.ports.get_mut(leader).and_then(|port| port.device.take()) else { return };
        if let Some((before, rest)) = self.ports.split_at_mut_checked(index)
            && let Some((port, after)) = rest.split_first_mut()
        {
            let mut slot = DeviceSlot { device: &mut *device, now };
            let others = Others { before, after, device: leader, last_way: None };
            let mut hooks = Hooks::new(handler);
            f(&mut Links::new(now, port.iface, &mut slot, hooks.again(index), others));
        }
        self.ports[leader].device = Some(device);
    }
}

/// The frames that a port's device gives in a row, and who takes them.
struct Row<'w, 'p, 'a, 's> {
    now: Instant,
    index: usize,
    /// Other ports are on its device.
    is_shared: bool,
    ports: &'w mut [Port<'p, 'a>],
    sockets: &'w mut SocketSet<'s>,
    hooks: Hooks<'w>,
    last_way: LastWay,
    progress: Progress,
}

impl Row<'_, '_, '_, '_> {
    #[inline]
    fn take(&mut self, meta: RxMeta, frame: &[u8], slot: &mut dyn AnswerSlot) {
        self.progress.frames += 1;
        self.progress.octets += frame.len();
        let place = if self.is_shared { port_for(self.ports, self.index, frame) } else { self.index };
        let Some((before, rest)) = self.ports.split_at_mut_checked(place) else { return };
        let Some((port, after)) = rest.split_first_mut() else { return };
        let others = Others { before, after, device: self.index, last_way: Some(&mut self.last_way) };
        let links = &mut Links::new(self.now, port.iface, slot, self.hooks.again(place), others);
        engine::ingress_inlined(links, self.sockets, meta, frame);
    }
}

/// The port that a frame which the device of `leader`, shared with others, has received is for: the one whose tags
/// it has. With nobody's tags it is the leader's, who drops it.
fn port_for(ports: &[Port<'_, '_>], leader: usize, frame: &[u8]) -> usize {
    let is_there = |port: &&Port<'_, '_>| port.leader == Some(leader);
    if !config::HAS_VLAN || ports[leader].iface.tags.are_on(frame) {
        return leader;
    }
    let other = ports.iter().position(|port| is_there(&port) && port.iface.tags.are_on(frame));
    other.unwrap_or(leader)
}
