//! TCP sockets in the set: keys, connecting, listening, accepting, letting go.
//!
//! A listener's sockets come from its *pool*, sockets that the application has lent it, or, with `alloc`,
//! are made when a connection needs one. One that was handed out by [`SocketSet::accept`] goes
//! back where it came from when the application [releases](SocketSet::release) it and its connection
//! has ended.

use super::engine::context;
use super::links::Links;
use super::socket_set::{Flags, HandleError, SocketSet};
use crate::config;
use crate::socket::tcp::{self, ConnectError, Error, ListenError};
use crate::socket::{Events, Socket, Tuple};
use crate::storage::{List, NIL, Slots, SocketHandle, lists};
use crate::time::{Instant, Ticks};
use crate::wire::{Addr, IpEndpoint, IpListenEndpoint, IpProtocol};

const TCP: u8 = IpProtocol::TCP.0;

/// Why a socket can't be lent to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LendError {
    /// One of the handles names no such socket.
    Handle(HandleError),
    /// The socket is in use: close it first.
    InUse,
}

impl core::fmt::Display for LendError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            LendError::Handle(error) => error.fmt(f),
            LendError::InUse => f.write_str("socket in use: close it first"),
        }
    }
}

impl core::error::Error for LendError {}

impl From<HandleError> for LendError {
    fn from(error: HandleError) -> LendError {
        LendError::Handle(error)
    }
}

impl<'a> SocketSet<'a> {
    #[inline]
    pub(crate) fn hash_of(&self, tuple: &Tuple) -> u32 {
        let (local, remote) = ((&tuple.local, tuple.local_port), (&tuple.remote, tuple.remote_port));
        self.table.hash_tuple(local, remote, TCP)
    }

    #[inline]
    pub(crate) fn find_connection(&self, hash: u32, tuple: &Tuple) -> Option<u32> {
        let mut chain = self.table.chain(&self.slots, hash);
        let hit = |socket: &Socket<'_>| matches!(socket, Socket::Tcp(socket) if socket.is_for(tuple));
        chain.find(|(_, entry)| hit(&entry.0.socket)).map(|(ix, _)| ix)
    }

    /// Who listens for connections at a segment's destination: for that address before any.
    pub(crate) fn find_listener(&self, tuple: &Tuple) -> Option<u32> {
        let mut best = None;
        let hash = self.table.hash_port(TCP, tuple.local_port);
        for (ix, entry) in self.table.chain(&self.slots, hash) {
            let Some((addr, port)) = listen_key(&entry.0.socket) else { continue };
            if port != tuple.local_port || addr.is_some_and(|addr| addr != tuple.local) {
                continue;
            }
            if addr.is_some() {
                return Some(ix);
            }
            best = Some(ix);
        }
        best
    }

    /// Files a TCP socket under what it is or listens for, if that has changed.
    pub(crate) fn refile_tcp(&mut self, ix: u32) {
        let Some(entry) = self.entry(ix) else { return };
        let hash = match &entry.socket {
            Socket::Tcp(socket) => match socket.tuple() {
                Some(tuple) => Some(self.hash_of(&tuple)),
                None => listen_key(&entry.socket).map(|(_, port)| self.table.hash_port(TCP, port)),
            },
            socket => listen_key(socket).map(|(_, port)| self.table.hash_port(TCP, port)),
        };
        if self.table.filed_under(&self.slots, ix) == hash {
            return;
        }
        match hash {
            Some(hash) => self.table.file(&mut self.slots, ix, hash),
            None => self.table.unfile(&mut self.slots, ix),
        }
    }

    /// Starts listening with a [`tcp::Listener`] or for one connection with a [`tcp::Socket`], at once.
    ///
    /// # Errors
    /// Those of the socket's own `listen`, [`ListenError::PortInUse`], and
    /// [`ListenError::InvalidState`] if the handle names neither kind.
    pub fn listen(
        &mut self,
        handle: SocketHandle,
        endpoint: impl Into<IpListenEndpoint>,
    ) -> Result<(), ListenError> {
        let ix = self.index_of(handle).map_err(|_| ListenError::InvalidState)?;
        match self.entry_mut(ix).map(|entry| &mut entry.socket) {
            Some(Socket::Tcp(socket)) => socket.listen(endpoint)?,
            Some(Socket::TcpListener(listener)) => listener.listen(endpoint)?,
            _ => return Err(ListenError::InvalidState),
        }
        self.settle_listener(ix)
    }

    /// Files whoever listens, unless somebody else does so there.
    pub(crate) fn settle_listener(&mut self, ix: u32) -> Result<(), ListenError> {
        if self.has_listen_conflict(ix) {
            match self.entry_mut(ix).map(|entry| &mut entry.socket) {
                Some(Socket::Tcp(socket)) => socket.close(),
                Some(Socket::TcpListener(listener)) => listener.close(),
                _ => {}
            }
            self.refile_tcp(ix);
            self.notify(ix, Events::ERROR);
            return Err(ListenError::PortInUse);
        }
        self.refile_tcp(ix);
        Ok(())
    }

    /// Sockets that listen for one connection each may share a port, as in smoltcp; a listener shares
    /// with nobody.
    fn has_listen_conflict(&self, ix: u32) -> bool {
        let Some(entry) = self.entry(ix) else { return false };
        let Some((addr, port)) = listen_key(&entry.socket) else { return false };
        let is_listener = matches!(entry.socket, Socket::TcpListener(_));
        self.table.chain(&self.slots, self.table.hash_port(TCP, port)).any(|(other, entry)| {
            let Some((bound, bound_port)) = listen_key(&entry.0.socket) else { return false };
            let overlap = bound.is_none() || addr.is_none() || bound == addr;
            let exclusive = is_listener || matches!(entry.0.socket, Socket::TcpListener(_));
            other != ix && bound_port == port && overlap && exclusive
        })
    }

    /// Settles a TCP socket: a connection to be gets its address, port and sequence number.
    pub(crate) fn settle_tcp(&mut self, ix: u32, links: &Links<'_, '_, '_>) -> Result<(), Error> {
        let now = links.now;
        let ip_mtu = links.iface.ip_mtu();
        let Some(Socket::Tcp(socket)) = self.entry(ix).map(|entry| &entry.socket) else { return Ok(()) };
        if let Some(wish) = socket.wish() {
            match self.local_end(&wish, links) {
                Ok((local, port)) => {
                    self.with_tcp(ix, now, ip_mtu, |socket, cx| socket.settle(cx, local, port))
                }
                Err(error) => {
                    let mut events = Events::empty();
                    self.with_tcp(ix, now, ip_mtu, |socket, _| events = socket.fail(error));
                    self.notify(ix, events);
                    return Err(error);
                }
            }
        } else if socket.listen_key().is_some() {
            // An error shows in its events.
            let _ = self.settle_listener(ix);
        }
        let is_orphan = self.entry(ix).is_some_and(|entry| entry.flags.contains(Flags::ORPHAN));
        let mut events = Events::empty();
        self.with_tcp(ix, now, ip_mtu, |socket, cx| {
            if is_orphan {
                socket.orphan(cx);
            }
            events = socket.on_timer(cx);
        });
        self.notify(ix, events);
        self.refile_tcp(ix);
        Ok(())
    }

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

    fn with_tcp(
        &mut self,
        ix: u32,
        now: Instant,
        ip_mtu: usize,
        f: impl FnOnce(&mut tcp::Socket<'a>, &crate::socket::Context<'_>),
    ) {
        let SocketSet { slots, keys, .. } = self;
        if let Some(Socket::Tcp(socket)) = slots.get_mut(ix).map(|entry| &mut entry.0.socket) {
            f(socket, &context(keys, now, ip_mtu, 0));
        }
    }

    /// The local address and port for a connection to be.
    fn local_end(&mut self, wish: &tcp::Wish, links: &Links<'_, '_, '_>) -> Result<(Addr, u16), Error> {
        let needs_zone = !wish.remote.is_v4() && wish.remote.is_link_local() && links.count() > 1;
        if needs_zone && wish.zone.is_none() {
            return Err(Error::ZoneNeeded);
        }
        let zone = wish.zone.map_or(0, |zone| zone.saturating_add(1));
        let iface = links.route(&wish.remote, zone).and_then(|route| links.iface(route.port));
        // RFC 9293 §3.9.2.3 (MUST-46): which address is a network's broadcast, only the interface knows.
        if iface.is_some_and(|iface| iface.is_broadcast(&wish.remote)) {
            return Err(Error::Unreachable);
        }
        let source = || iface?.source_for(&wish.remote);
        let local = wish.local.or_else(source).ok_or(Error::Unreachable)?;
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

    /// Lends a closed socket to a listener, for a connection to come. Its handle is void until
    /// [`accept`](Self::accept) gives one out again.
    pub fn lend(&mut self, listener: SocketHandle, socket: SocketHandle) -> Result<(), LendError> {
        let (at, ix) = (self.index_of(listener)?, self.index_of(socket)?);
        if !matches!(self.entry(at).map(|entry| &entry.socket), Some(Socket::TcpListener(_))) {
            return Err(HandleError::WrongKind.into());
        }
        match self.entry(ix).map(|entry| &entry.socket) {
            Some(Socket::Tcp(socket)) if !socket.is_open() && socket.tuple().is_none() => {}
            Some(Socket::Tcp(_)) => return Err(LendError::InUse),
            _ => return Err(HandleError::WrongKind.into()),
        }
        self.touched.remove(&mut self.slots, ix);
        self.pool(at, ix);
        Ok(())
    }

    /// Puts a closed socket into a listener's pool.
    fn pool(&mut self, at: u32, ix: u32) {
        let Some(ix) = self.renew(ix) else { return };
        let Some(entry) = self.entry_mut(ix) else { return };
        entry.flags = Flags::LENT;
        entry.events = Events::empty();
        entry.listener = at;
        let Socket::Tcp(socket) = &entry.socket else { return };
        let receive_len = socket.recv_capacity();
        if let Some(listener) = self.listener_mut(at) {
            listener.set_receive_len(receive_len);
        }
        self.with_pool(at, |pool, slots| pool.push_back(slots, ix));
        self.touch(at);
    }

    /// Gives the socket in slot `ix` another handle, so that the ones that are about are void.
    fn renew(&mut self, ix: u32) -> Option<u32> {
        self.table.unfile(&mut self.slots, ix);
        self.timers.remove(&mut self.slots, ix);
        let handle = self.slots.handle_at(ix)?;
        let entry = self.slots.remove(handle)?;
        let handle = self.slots.insert(entry).ok()?;
        self.slots.index_of(handle)
    }

    /// Calls `f` with the pool of the listener in slot `at`, and the slots that it runs through.
    fn with_pool<R>(&mut self, at: u32, f: impl FnOnce(&mut List, &mut SocketSlots<'a>) -> R) -> Option<R> {
        // The listener is in one of the slots, so its list is taken out meanwhile.
        let mut pool = core::mem::replace(&mut self.listener_mut(at)?.pool, List::new(lists::LENT));
        let result = f(&mut pool, &mut self.slots);
        self.listener_mut(at)?.pool = pool;
        Some(result)
    }

    /// Appends an established connection to those that wait to be accepted.
    fn push_accepted(&mut self, at: u32, ix: u32) {
        let Some(listener) = self.listener_mut(at) else { return };
        let last = core::mem::replace(&mut listener.accepted.tail, ix);
        listener.accepted_count += 1;
        if last == NIL {
            listener.accepted.head = ix;
        } else if let Some(entry) = self.entry_mut(last) {
            entry.next_accepted = ix;
        }
    }

    fn pop_accepted(&mut self, at: u32) -> Option<u32> {
        let ix = Some(self.listener_mut(at)?.accepted.head).filter(|&ix| ix != NIL)?;
        let next = core::mem::replace(&mut self.entry_mut(ix)?.next_accepted, NIL);
        let listener = self.listener_mut(at)?;
        listener.accepted.head = next;
        listener.accepted_count -= 1;
        if next == NIL {
            listener.accepted.tail = NIL;
        }
        Some(ix)
    }

    fn listener_mut(&mut self, at: u32) -> Option<&mut tcp::Listener<'a>> {
        match self.entry_mut(at).map(|entry| &mut entry.socket) {
            Some(Socket::TcpListener(listener)) => Some(listener),
            _ => None,
        }
    }

    /// The next established connection of a listener.
    pub fn accept(&mut self, listener: SocketHandle) -> Option<SocketHandle> {
        let at = self.index_of(listener).ok()?;
        let ix = self.pop_accepted(at)?;
        let entry = self.entry_mut(ix)?;
        entry.flags.remove(Flags::UNACCEPTED);
        // Established it is known to be.
        let events = core::mem::take(&mut entry.events) - Events::CONNECTED;
        self.notify(ix, events);
        // There is room for one more.
        self.touch(at);
        self.slots.handle_at(ix)
    }

    /// Opens a socket for a listener's complete half-open connection, if there is one to be had.
    pub(crate) fn open_half(&mut self, at: u32, index: usize, now: Instant, ip_mtu: usize) -> Option<u32> {
        let listener = self.listener_mut(at)?;
        let Some(ix) = (if listener.has_room() { self.socket_for(at) } else { None }) else {
            self.listener_mut(at)?.keep_acked(index);
            return None;
        };
        let SocketSet { slots, keys, .. } = self;
        let cx = context(keys, now, ip_mtu, 0);
        let (Some(listener), Some(socket)) = pair(slots, at, ix) else { return None };
        if let Some(half) = listener.half_open(index) {
            socket.open_from(&cx, half);
        }
        listener.forget(index);
        if let Some(entry) = self.entry_mut(ix) {
            entry.flags = (entry.flags & Flags::MADE) | Flags::UNACCEPTED;
            entry.listener = at;
        }
        self.refile_tcp(ix);
        self.push_accepted(at, ix);
        self.notify(at, Events::ACCEPTABLE);
        Some(ix)
    }

    /// Opens the connections that have waited for a socket.
    pub(crate) fn open_waiting(&mut self, at: u32, now: Instant, ip_mtu: usize) {
        while let Some(index) = self.listener_mut(at).and_then(|listener| listener.next_acked()) {
            let Some(ix) = self.open_half(at, index, now, ip_mtu) else { return };
            let mut events = Events::empty();
            self.with_tcp(ix, now, ip_mtu, |socket, cx| events = socket.establish(cx));
            self.notify(ix, events);
        }
    }

    /// A closed socket for a listener: from its pool, or made for it.
    fn socket_for(&mut self, at: u32) -> Option<u32> {
        let lent = self.with_pool(at, |pool, slots| pool.pop_front(slots)).flatten();
        lent.or_else(|| self.make_socket(at))
    }

    #[cfg(not(feature = "alloc"))]
    fn make_socket(&mut self, _at: u32) -> Option<u32> {
        None
    }

    #[cfg(feature = "alloc")]
    fn make_socket(&mut self, at: u32) -> Option<u32> {
        let source = self.listener_mut(at)?.source.as_mut().filter(|source| source.left > 0)?;
        let (rx, tx) = (make_buffer(source.rx_len)?, make_buffer(source.tx_len)?);
        source.left -= 1;
        let handle = self.insert(Socket::Tcp(tcp::Socket::new(rx, tx))).ok()?;
        let ix = self.slots.index_of(handle)?;
        self.touched.remove(&mut self.slots, ix);
        self.entry_mut(ix)?.flags |= Flags::MADE;
        Some(ix)
    }

    /// Lets go of a socket: the handle is void from now on. A TCP connection is closed in order, its
    /// queued data sent, by the engine, within a minute; then the slot is free again, or back with the
    /// listener that it was lent to. Data that was received and not read resets the connection instead.
    ///
    /// A socket of another kind is removed.
    pub fn release(&mut self, handle: SocketHandle) -> Result<(), HandleError> {
        let ix = self.index_of(handle)?;
        if !matches!(self.entry(ix).map(|entry| &entry.socket), Some(Socket::Tcp(_))) {
            self.take(ix);
            return Ok(());
        }
        self.orphan(ix);
        Ok(())
    }

    fn orphan(&mut self, ix: u32) {
        let too_many = self.orphan_count >= config::MAX_ORPHANS;
        let Some(entry) = self.entry_mut(ix) else { return };
        entry.flags.remove(Flags::UNACCEPTED);
        entry.flags |= Flags::ORPHAN | Flags::UNSETTLED;
        if let Socket::Tcp(socket) = &mut entry.socket
            && too_many
        {
            socket.abort();
        }
        self.orphan_count += 1;
        self.forget_events(ix);
        self.touch(ix);
    }

    /// An orphan's connection has ended.
    pub(crate) fn reap(&mut self, ix: u32) {
        self.orphan_count = self.orphan_count.saturating_sub(1);
        self.touched.remove(&mut self.slots, ix);
        let Some((at, flags)) = self.entry(ix).map(|entry| (entry.listener, entry.flags)) else { return };
        if at != NIL && !flags.contains(Flags::MADE) {
            self.pool(at, ix);
            return;
        }
        self.take(ix);
        if at != NIL {
            self.give_back(at);
        }
    }

    #[cfg(not(feature = "alloc"))]
    fn give_back(&mut self, _at: u32) {}

    /// The listener may make another socket.
    #[cfg(feature = "alloc")]
    fn give_back(&mut self, at: u32) {
        if let Some(source) = self.listener_mut(at).and_then(|listener| listener.source.as_mut()) {
            source.left += 1;
        }
        self.touch(at);
    }

    /// A socket is about to be removed: what it has to do with a listener ends.
    ///
    /// The application can't name a lent socket, nor one that it has not accepted, so only a listener has.
    pub(crate) fn detach(&mut self, ix: u32) {
        if self.listener_mut(ix).is_some() {
            self.detach_listener(ix);
        }
    }

    /// A listener's lent sockets go with it; connections that nobody accepted are reset.
    fn detach_listener(&mut self, at: u32) {
        while let Some(ix) = self.with_pool(at, |pool, slots| pool.pop_front(slots)).flatten() {
            self.take(ix);
        }
        while let Some(ix) = self.pop_accepted(at) {
            if let Some(Socket::Tcp(socket)) = self.entry_mut(ix).map(|entry| &mut entry.socket) {
                socket.abort();
            }
            self.orphan(ix);
        }
        for (_, entry) in self.slots.iter_mut() {
            if entry.0.listener == at {
                entry.0.listener = NIL;
            }
        }
    }

    /// How many connections are in TIME-WAIT, or were until lately.
    pub fn time_wait_count(&self) -> usize {
        self.time_wait.len()
    }
}

/// Where a socket or listener listens.
pub(super) fn listen_key(socket: &Socket<'_>) -> Option<(Option<Addr>, u16)> {
    match socket {
        Socket::Tcp(socket) => socket.listen_key(),
        Socket::TcpListener(listener) => listener.listen_key(),
        _ => None,
    }
}

type SocketSlots<'a> = Slots<'a, super::SocketEntry<'a>>;
type Pair<'p, 'a> = (Option<&'p mut tcp::Listener<'a>>, Option<&'p mut tcp::Socket<'a>>);

/// A listener and a socket, both to change.
fn pair<'p, 'a>(slots: &'p mut SocketSlots<'a>, at: u32, ix: u32) -> Pair<'p, 'a> {
    let (a, b) = slots.get_two_mut(at, ix);
    let listener = a.and_then(|entry| match &mut entry.0.socket {
        Socket::TcpListener(listener) => Some(listener),
        _ => None,
    });
    let socket = b.and_then(|entry| match &mut entry.0.socket {
        Socket::Tcp(socket) => Some(socket),
        _ => None,
    });
    (listener, socket)
}

#[cfg(feature = "alloc")]
fn make_buffer(len: u32) -> Option<crate::storage::SocketBuffer<'static>> {
    let mut memory = alloc::vec::Vec::new();
    memory.try_reserve_exact(len as usize).ok()?;
    memory.resize(len as usize, 0);
    Some(crate::storage::SocketBuffer::new(memory))
}
