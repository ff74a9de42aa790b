//! What an application keeps for each of its connections, found by the socket's handle.
//!
//! The same lists, table and timers that the set of sockets uses: an event costs one look-up, a deadline
//! one place in a heap, however many connections there are. Without a table a look-up walks all
//! sessions, which is fine for up to 16.

use managed::ManagedSlice;

use crate::storage::{List, Slot, SlotsFull, SocketHandle, Table, Timers, list_of};
use crate::time::Ticks;

type Slots<'a, T> = crate::storage::Slots<'a, Session<T>>;

/// The list of sessions that wait for their peer to ask for something.
const IDLE: u8 = 1;

/// A connection's state, and its socket.
#[derive(Debug)]
pub struct Session<T> {
    pub(super) socket: SocketHandle,
    pub(super) state: T,
}

/// Storage for one connection. Lend an array of [`SessionSlot::EMPTY`](Slot::EMPTY).
pub type SessionSlot<T> = Slot<Session<T>>;

/// All connections of an application.
#[derive(Debug)]
pub(super) struct Sessions<'a, T> {
    slots: Slots<'a, T>,
    table: Table<'a>,
    timers: Timers,
    /// The one that was idle for longest is the first.
    idle: List,
    /// So many at once.
    most: usize,
}

impl<'a, T> Sessions<'a, T> {
    /// None yet. There will be no more than there are slots.
    pub(super) fn new(
        slots: impl Into<ManagedSlice<'a, SessionSlot<T>>>,
        table: impl Into<ManagedSlice<'a, u32>>,
    ) -> Sessions<'a, T> {
        let slots = slots.into();
        let most = slots.len();
        Sessions {
            slots: Slots::new(slots),
            table: Table::new(table, [0; 2]),
            timers: Timers::new(),
            idle: List::new(IDLE),
            most,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < self.most
    }

    /// A session for this socket, if there is room.
    pub(super) fn open(&mut self, socket: SocketHandle, state: T) -> Result<u32, SlotsFull> {
        if !self.has_room() {
            return Err(SlotsFull);
        }
        let handle = self.slots.insert(Session { socket, state })?;
        let ix = self.slots.index_of(handle).ok_or(SlotsFull)?;
        self.table.file(&mut self.slots, ix, socket.slot());
        Ok(ix)
    }

    /// The session of this socket.
    pub(super) fn find(&self, socket: SocketHandle) -> Option<u32> {
        let mut chain = self.table.chain(&self.slots, socket.slot());
        chain.find(|(_, session)| session.socket == socket).map(|(ix, _)| ix)
    }

    pub(super) fn get_mut(&mut self, ix: u32) -> Option<&mut Session<T>> {
        self.slots.get_mut(ix)
    }

    pub(super) fn set_deadline(&mut self, ix: u32, at: Option<Ticks>) {
        self.timers.set(&mut self.slots, ix, at);
    }

    /// A session whose deadline has come; it has none then.
    pub(super) fn expired(&mut self, now: Ticks) -> Option<u32> {
        self.timers.expired(&mut self.slots, now)
    }

    /// When `expired` will have something; may be too early, never late.
    pub(super) fn bound(&mut self) -> Option<Ticks> {
        self.timers.settle(&mut self.slots, crate::config::SETTLED_HEADS);
        self.timers.bound(&self.slots)
    }

    /// Whether the session may give way to a new one.
    pub(super) fn set_idle(&mut self, ix: u32, is_idle: bool) {
        if !is_idle {
            self.idle.remove(&mut self.slots, ix);
        } else if list_of(&self.slots, ix) != IDLE {
            self.idle.push_back(&mut self.slots, ix);
        }
    }

    /// The session that was idle for longest.
    pub(super) fn oldest_idle(&self) -> Option<u32> {
        self.idle.first()
    }

    /// Forgets a session.
    pub(super) fn close(&mut self, ix: u32) -> Option<Session<T>> {
        self.table.unfile(&mut self.slots, ix);
        self.timers.remove(&mut self.slots, ix);
        self.idle.remove(&mut self.slots, ix);
        self.slots.vacate(ix)
    }
}
