//! All connections of a server: accepting, events, time.

use managed::ManagedSlice;

use super::connection::{Connection, End, Env, Waits};
use super::handler::{Handler, Site};
use super::{Limits, Stats};
use crate::apps::SessionSlot;
use crate::apps::sessions::Sessions;
use crate::iface::{SocketHandle, SocketSet};
use crate::socket::{Events, tcp};
use crate::stats::count;
use crate::time::{Instant, Ticks};

/// Storage for one connection. Lend an array of `ConnectionSlot::EMPTY`.
pub type ConnectionSlot = SessionSlot<Connection>;

/// The memory that a server works in.
pub struct Storage<'a> {
    /// Room for connections: as many as there may be at once. One less than the listener has sockets is
    /// a good number: then a new one can push an idle one out.
    pub connections: ManagedSlice<'a, ConnectionSlot>,
    /// Heads of chains to find them by, about as many; none for up to 16.
    pub table: ManagedSlice<'a, u32>,
    /// Where a request's head is put together: as long as the longest that is served, 1 kB or 2. One for
    /// all connections.
    pub head: ManagedSlice<'a, u8>,
    /// Where the application writes what is sent, a piece at a time: 256 octets to some kB. One for all.
    pub reply: ManagedSlice<'a, u8>,
}

/// An HTTP server on one listener.
///
/// The listener and its sockets are the caller's to make: their buffers are the connections' (2 kB for
/// sending at least, so that heads of responses fit with room to spare).
pub struct Server<'a> {
    listener: SocketHandle,
    site: Site,
    limits: Limits,
    stats: Stats,
    sessions: Sessions<'a, Connection>,
    head: ManagedSlice<'a, u8>,
    reply: ManagedSlice<'a, u8>,
    /// Connections wait for room.
    has_waiting: bool,
}

impl<'a> Server<'a> {
    /// A server for what `listener` accepts.
    pub fn new(listener: SocketHandle, site: Site, storage: Storage<'a>) -> Server<'a> {
        Server {
            listener,
            site,
            limits: Limits::DEFAULT,
            stats: Stats::default(),
            sessions: Sessions::new(storage.connections, storage.table),
            head: storage.head,
            reply: storage.reply,
            has_waiting: false,
        }
    }

    /// Sets the limits, for whatever begins from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How many connections there are.
    pub fn connection_count(&self) -> usize {
        self.sessions.len()
    }

    /// Something has happened to a socket. Says whether it is one of the server's; if not, nothing was done.
    pub fn on_ready(
        &mut self,
        now: Instant,
        sockets: &mut SocketSet<'_>,
        handle: SocketHandle,
        events: Events,
        handler: &mut dyn Handler,
    ) -> bool {
        if handle == self.listener {
            self.accept(now, sockets, handler);
            return true;
        }
        let Some(ix) = self.sessions.find(handle) else { return false };
        if events.intersects(Events::CLOSED | Events::ERROR) {
            self.end(ix, End::Close, sockets, handler);
        } else {
            self.go_on(ix, now, sockets, handler, Connection::serve);
        }
        if self.has_waiting {
            self.accept(now, sockets, handler);
        }
        true
    }

    /// Does what time has brought: connections that are too slow are cut off, idle ones closed.
    pub fn poll(&mut self, now: Instant, sockets: &mut SocketSet<'_>, handler: &mut dyn Handler) {
        while let Some(ix) = self.sessions.expired(Ticks::from_instant(now)) {
            self.set_deadline(ix, now);
            self.go_on(ix, now, sockets, handler, Connection::on_timeout);
        }
        if self.has_waiting {
            self.accept(now, sockets, handler);
        }
    }

    /// When `poll` has something to do next; may be too early, never late.
    pub fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        self.sessions.bound().map(|at| at.to_instant(now))
    }

    /// Takes what connections there is room for. For others, idle ones give way; if there are none, they
    /// wait, established, with the listener.
    fn accept(&mut self, now: Instant, sockets: &mut SocketSet<'_>, handler: &mut dyn Handler) {
        self.has_waiting = false;
        while sockets.has_accepted(self.listener) {
            if !self.sessions.has_room() {
                let Some(idle) = self.sessions.oldest_idle() else {
                    self.has_waiting = true;
                    return;
                };
                count(&mut self.stats.evicted, 1);
                self.end(idle, End::Close, sockets, handler);
            }
            let Some(handle) = sockets.accept(self.listener) else { return };
            let Ok(ix) = self.sessions.open(handle, Connection::new()) else { return };
            if let Ok(socket) = sockets.try_get_mut::<tcp::Socket<'_>>(handle) {
                // What is written at once leaves together, as nothing does before the next poll.
                socket.set_nagle_enabled(false);
            }
            count(&mut self.stats.connections, 1);
            if let Some(session) = self.sessions.get_mut(ix) {
                session.state.set_key(ix);
            }
            // What has come already is an event of its own.
            self.set_deadline(ix, now);
        }
    }

    /// Lets a connection go on, and sets its clock if it waits for something else then.
    fn go_on(
        &mut self,
        ix: u32,
        now: Instant,
        sockets: &mut SocketSet<'_>,
        handler: &mut dyn Handler,
        step: for<'c, 'e, 's> fn(&'c mut Connection, &'c mut Env<'e, 's>) -> Option<End>,
    ) {
        let Some(session) = self.sessions.get_mut(ix) else { return };
        let Ok(socket) = sockets.try_get_mut::<tcp::Socket<'_>>(session.socket) else {
            // Somebody has removed it.
            return self.end(ix, End::Close, sockets, handler);
        };
        let connection = &mut session.state;
        let before = (connection.waits(), connection.served());
        let end = step(
            connection,
            &mut Env {
                socket,
                site: &self.site,
                limits: &self.limits,
                stats: &mut self.stats,
                head: &mut self.head,
                reply: &mut self.reply,
                handler,
            },
        );
        let after = (connection.waits(), connection.served());
        match end {
            Some(end) => self.end(ix, end, sockets, handler),
            None if after != before => self.set_deadline(ix, now),
            None => {}
        }
    }

    /// The connection has what time it has for what it waits for now.
    fn set_deadline(&mut self, ix: u32, now: Instant) {
        let Some(session) = self.sessions.get_mut(ix) else { return };
        let waits = session.state.waits();
        let timeout = waits.timeout(&self.limits).to_ticks();
        self.sessions.set_deadline(ix, Some(Ticks::from_instant(now).after(timeout)));
        self.sessions.set_idle(ix, waits == Waits::Request);
    }

    /// A connection ends, for us; the stack brings it to its end.
    fn end(&mut self, ix: u32, end: End, sockets: &mut SocketSet<'_>, handler: &mut dyn Handler) {
        let Some(mut session) = self.sessions.close(ix) else { return };
        if session.state.on_gone(handler) {
            count(&mut self.stats.aborted, 1);
        }
        if let Ok(socket) = sockets.try_get_mut::<tcp::Socket<'_>>(session.socket)
            && end == End::Abort
        {
            socket.abort();
        }
        // Stale if somebody has removed it, and then there is nothing to release.
        let _ = sockets.release(session.socket);
    }
}

#[cfg(feature = "alloc")]
impl Server<'static> {
    /// A server in memory of its own, for up to `connections` at once, with heads of up to 4 kB.
    pub fn with_capacity(listener: SocketHandle, site: Site, connections: usize) -> Server<'static> {
        use alloc::vec;
        let storage = Storage {
            connections: core::iter::repeat_with(|| ConnectionSlot::EMPTY)
                .take(connections)
                .collect::<vec::Vec<_>>()
                .into(),
            table: vec![0; connections.next_power_of_two()].into(),
            head: vec![0; 4_096].into(),
            reply: vec![0; 4_096].into(),
        };
        Server::new(listener, site, storage)
    }
}
