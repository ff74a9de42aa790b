//! TCP sockets in the set: keys, connecting, listening, accepting, letting go.
//!
//! A listener's sockets come from its *pool*, sockets that the application has lent it, or, with `alloc`,
//! are made when a connection needs one. One that was handed out by [`SocketSet::accept`] goes
//! back where it came from when the application [releases](SocketSet::release) it and its connection
//! has ended.

use super::engine::context;
use super::links::Links;
use super::options::share_room;
use super::socket_set::{Flags, HandleError, SocketSet};
use crate::config;
use crate::socket::tcp::{self, Error, ListenError, ListenKey, ListenRange, Stamp};
use crate::socket::{Events, Socket, Tuple};
use crate::storage::{Line, NIL, Slots, SocketHandle};
use crate::time::Instant;
use crate::wire::IpProtocol;

pub(super) const TCP: u8 = IpProtocol::TCP.0;

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

#[inline]
fn has_connection(socket: &Socket<'_>, tuple: &Tuple) -> bool {
    matches!(socket, Socket::Tcp(socket) if socket.is_for(tuple))
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
        chain.find(|(_, entry)| has_connection(&entry.0.socket, tuple)).map(|(ix, _)| ix)
    }

    /// Whether the socket at `ix` has this connection.
    #[inline]
    pub(crate) fn is_connection(&self, ix: u32, tuple: &Tuple) -> bool {
        self.entry(ix).is_some_and(|entry| has_connection(&entry.socket, tuple))
    }

    /// The stamp of a SYN for who listens at `ix`, if the connection is to have some.
    #[inline]
    pub(crate) fn granted_stamp(&self, ix: u32, syn: &Stamp) -> Stamp {
        if !config::HAS_TCP_STAMPS {
            return Stamp::NONE;
        }
        match self.entry(ix).map(|entry| &entry.socket) {
            Some(Socket::Tcp(socket)) => socket.granted_stamp(syn),
            Some(Socket::TcpListener(listener)) => listener.granted_stamp(syn),
            _ => Stamp::NONE,
        }
    }

    /// Files a TCP socket under what it is or listens for, if that has changed.
    pub(crate) fn refile_tcp(&mut self, ix: u32) {
        let Some(entry) = self.entry(ix) else { return };
        let hash = match (&entry.socket, listen_key(&entry.socket)) {
            (_, Some(key)) => Some(self.table.hash_port(TCP, key.filed_at())),
            (Socket::Tcp(socket), None) => socket.tuple().map(|tuple| self.hash_of(tuple)),
            _ => None,
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
    /// With the feature `tcp-listen-range` a listener may have a range of ports, or all. Who has fewer ports is asked
    /// before who has more, so that a range may lie around others; of as many, who has the address before who has any.
    ///
    /// # Errors
    /// Those of the socket's own `listen`, [`ListenError::PortInUse`] if a request could be for somebody else as well who
    /// has as many ports, and [`ListenError::InvalidState`] if the handle names neither kind.
    /// [`ListenError::Unaddressable`] also if a socket is to listen at more than one port.
    pub fn listen(
        &mut self,
        handle: SocketHandle,
        endpoint: impl Into<ListenRange>,
    ) -> Result<(), ListenError> {
        let ix = self.index_of(handle).map_err(|_| ListenError::InvalidState)?;
        match self.entry_mut(ix).map(|entry| &mut entry.socket) {
            #[cfg(feature = "tcp-listen-once")]
            Some(Socket::Tcp(socket)) => socket.listen(tcp::single(endpoint.into())?)?,
            Some(Socket::TcpListener(listener)) => listener.listen(endpoint)?,
            _ => return Err(ListenError::InvalidState),
        }
        self.say_farewell(ix);
        self.settle_listener(ix)
    }

    /// Files whoever listens, unless somebody else does so there.
    pub(crate) fn settle_listener(&mut self, ix: u32) -> Result<(), ListenError> {
        self.note_listener_tie(ix);
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

    /// Files a socket anew whose state has changed. One whose request came to nothing listens once more, unless somebody
    /// else does so there by now: an error then shows in its events.
    pub(crate) fn listen_again(&mut self, ix: u32) {
        if config::HAS_TCP_LISTEN_ONCE {
            let _ = self.settle_listener(ix);
        } else {
            self.refile_tcp(ix);
        }
    }

    /// Sockets that listen for one connection each may share a port, as in smoltcp; a listener shares
    /// with nobody.
    fn has_listen_conflict(&self, ix: u32) -> bool {
        let Some(entry) = self.entry(ix) else { return false };
        let Some(key) = listen_key(&entry.socket) else { return false };
        let is_listener = matches!(entry.socket, Socket::TcpListener(_));
        self.table.chain(&self.slots, self.table.hash_port(TCP, key.filed_at())).any(|(other, entry)| {
            let exclusive = is_listener || matches!(entry.0.socket, Socket::TcpListener(_));
            other != ix && exclusive && listen_key(&entry.0.socket).is_some_and(|bound| bound.overlaps(key))
        })
    }

    /// Settles a TCP socket: a connection to be gets its address, port and sequence number.
    pub(crate) fn settle_tcp(&mut self, ix: u32, links: &Links<'_, '_, '_>) -> Result<(), Error> {
        self.say_farewell(ix);
        let now = links.now;
        let ip_mtu = links.iface.ip_mtu();
        let Some(Socket::Tcp(socket)) = self.entry(ix).map(|entry| &entry.socket) else { return Ok(()) };
        if let Some(wish) = socket.wish() {
            self.settle_wish(ix, &wish, links)?;
        } else if socket.listen_key().is_some() {
            // An error shows in its events.
            let _ = self.settle_listener(ix);
        }
        let SocketSet { slots, keys, .. } = self;
        let Some(entry) = slots.get_mut(ix).map(|entry| &mut entry.0) else { return Ok(()) };
        let Socket::Tcp(socket) = &mut entry.socket else { return Ok(()) };
        let cx = context(keys, now, ip_mtu);
        if entry.flags.contains(Flags::ORPHAN) {
            socket.orphan(&cx);
        }
        let events = socket.on_timer(&cx);
        self.notify(ix, events);
        self.refile_tcp(ix);
        Ok(())
    }

    /// Lends a closed socket to a listener, for a connection to come. Its handle is void until
    /// [`accept`](Self::accept) gives one out again.
    pub fn lend(&mut self, listener: SocketHandle, socket: SocketHandle) -> Result<(), LendError> {
        let (at, ix) = (self.index_of(listener)?, self.index_of(socket)?);
        if !matches!(self.entry(at).map(|entry| &entry.socket), Some(Socket::TcpListener(_))) {
            return Err(HandleError::WrongKind.into());
        }
        match self.entry(ix).map(|entry| &entry.socket) {
            Some(Socket::Tcp(socket)) if socket.is_done() => {}
            Some(Socket::Tcp(_)) => return Err(LendError::InUse),
            _ => return Err(HandleError::WrongKind.into()),
        }
        self.touched.remove(&mut self.slots, ix);
        self.pool(at, ix);
        Ok(())
    }

    /// Puts a closed socket into a listener's pool.
    fn pool(&mut self, at: u32, ix: u32) {
        self.table.unfile(&mut self.slots, ix);
        self.timers.remove(&mut self.slots, ix);
        // The handles that are about are void from now on.
        if !self.slots.renew(ix) {
            return;
        }
        self.forget_events(ix);
        let Some(entry) = self.entry_mut(ix) else { return };
        entry.flags = Flags::LENT;
        entry.listener = at;
        let Socket::Tcp(socket) = &mut entry.socket else { return };
        if config::HAS_TCP_GROW {
            // Its memory is for others as long as it waits.
            socket.forget_left();
        }
        let receive_len = socket.recv_capacity();
        if let Some(listener) = self.listener_mut(at) {
            listener.set_receive_len(receive_len);
        }
        self.stand_in_line(at, ix, |listener| &mut listener.pool);
        self.touch(at);
    }

    pub(super) fn listener_mut(&mut self, at: u32) -> Option<&mut tcp::Listener<'a>> {
        listener_in(&mut self.slots, at)
    }

    /// Whether [`accept`](Self::accept) would return a connection.
    pub fn has_accepted(&self, listener: SocketHandle) -> bool {
        self.try_get::<tcp::Listener<'a>>(listener).is_ok_and(|listener| listener.accepted.count() > 0)
    }

    /// The next established connection of a listener.
    pub fn accept(&mut self, listener: SocketHandle) -> Option<SocketHandle> {
        let at = self.index_of(listener).ok()?;
        let ix = self.next_in_line(at, |listener| &mut listener.accepted)?;
        let entry = self.entry_mut(ix)?;
        entry.flags.remove(Flags::UNACCEPTED);
        // Established it is known to be.
        let events = core::mem::take(&mut entry.events) - Events::CONNECTED;
        self.notify(ix, events);
        // There is room for one more.
        self.touch(at);
        self.slots.handle_at(ix)
    }

    /// Opens a socket for a listener's complete half-open connection, if there is one to be had; it
    /// `was_before` complete already, or the segment that completes it is to be processed next.
    pub(crate) fn open_half(
        &mut self,
        at: u32,
        index: usize,
        was_before: bool,
        now: Instant,
        ip_mtu: usize,
    ) -> Option<u32> {
        let half = self.listener_mut(at)?.complete(index)?;
        let ix = self.socket_for(at)?;
        let SocketSet { slots, keys, .. } = self;
        follow_listener(slots, at, ix)?;
        let events = tcp_in(slots, ix)?.open_from(&context(keys, now, ip_mtu), &half, was_before);
        self.listener_mut(at)?.forget(index);
        self.hand_in(at, ix, events);
        Some(ix)
    }

    /// A listener's connection, made in a socket for it, waits to be accepted.
    #[inline]
    pub(super) fn hand_in(&mut self, at: u32, ix: u32, events: Events) {
        if let Some(entry) = self.entry_mut(ix) {
            entry.flags = (entry.flags & Flags::MADE) | Flags::UNACCEPTED;
            entry.listener = at;
        }
        self.refile_tcp(ix);
        self.stand_in_line(at, ix, |listener| &mut listener.accepted);
        // If it was complete before, no segment follows that would do so.
        self.touch(ix);
        self.notify(ix, events);
        self.notify(at, Events::ACCEPTABLE);
    }

    /// Opens the connections that have waited for a socket.
    pub(crate) fn open_waiting(&mut self, at: u32, now: Instant, ip_mtu: usize) {
        while let Some(index) = self.listener_mut(at).and_then(|listener| listener.next_acked()) {
            if self.open_half(at, index, true, now, ip_mtu).is_none() {
                return;
            }
        }
    }

    /// A closed socket for a listener: from its pool, or made for it.
    pub(super) fn socket_for(&mut self, at: u32) -> Option<u32> {
        self.next_in_line(at, |listener| &mut listener.pool).or_else(|| self.make_socket(at))
    }

    #[cfg(not(feature = "alloc"))]
    fn make_socket(&mut self, _at: u32) -> Option<u32> {
        None
    }

    #[cfg(feature = "alloc")]
    fn make_socket(&mut self, at: u32) -> Option<u32> {
        let source = self.listener_mut(at)?.source.as_ref().filter(|source| source.left > 0)?;
        let [rx, tx] = source.buffers()?;
        let socket = tcp::Socket::new(rx, tx).with_send_refs(source.refs)?;
        let handle = self.insert(Socket::Tcp(socket)).ok()?;
        if let Some(source) = self.listener_mut(at).and_then(|listener| listener.source.as_mut()) {
            source.left -= 1;
        }
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
        self.keep_tally(ix);
        self.forget_fast_open(ix);
        if self.listener_mut(ix).is_some() {
            self.detach_listener(ix);
        }
    }

    /// A listener's lent sockets go with it; connections that nobody accepted are reset.
    fn detach_listener(&mut self, at: u32) {
        while let Some(ix) = self.next_in_line(at, |listener| &mut listener.pool) {
            self.take(ix);
        }
        while let Some(ix) = self.next_in_line(at, |listener| &mut listener.accepted) {
            if let Some(socket) = tcp_in(&mut self.slots, ix) {
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

/// The socket at `ix` becomes one of the listener's: it has its settings, and looks like it.
#[inline]
pub(super) fn follow_listener(slots: &mut SocketSlots<'_>, at: u32, ix: u32) -> Option<()> {
    if config::HAS_TCP_LISTENER_SETTINGS {
        let template = listener_in(slots, at)?.template();
        tcp_in(slots, ix)?.follow(&template);
    }
    #[cfg(feature = "tcp-traffic-class")]
    {
        let look = listener_in(slots, at)?.look();
        tcp_in(slots, ix)?.set_look(look);
    }
    share_room(slots, at, ix);
    Some(())
}

/// Where a socket or listener listens.
pub(super) fn listen_key<'s>(socket: &'s Socket<'_>) -> Option<&'s ListenKey> {
    match socket {
        Socket::Tcp(socket) => socket.listen_key(),
        Socket::TcpListener(listener) => listener.listen_key(),
        _ => None,
    }
}

pub(super) type SocketSlots<'a> = Slots<'a, super::SocketEntry<'a>>;

/// Chooses one of a listener's lines.
pub(super) type LineOf = for<'l, 'a> fn(&'l mut tcp::Listener<'a>) -> &'l mut Line;

/// The TCP socket in the slot `ix`.
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(super) fn tcp_in<'s, 'a>(slots: &'s mut SocketSlots<'a>, ix: u32) -> Option<&'s mut tcp::Socket<'a>> {
    match &mut slots.get_mut(ix)?.0.socket {
        Socket::Tcp(socket) => Some(socket),
        _ => None,
    }
}

/// The listener in the slot `at`.
#[inline(never)]
pub(super) fn listener_in<'s, 'a>(
    slots: &'s mut SocketSlots<'a>,
    at: u32,
) -> Option<&'s mut tcp::Listener<'a>> {
    match &mut slots.get_mut(at)?.0.socket {
        Socket::TcpListener(listener) => Some(listener),
        _ => None,
    }
}
