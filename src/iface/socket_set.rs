//! The sockets of a stack: who they are, whom a packet is for, who has something to do.
//!
//! The cost of everything here follows what happens, not how many sockets there are: a packet finds its
//! socket by a keyed hash, what has output stands on a work list, what waits hangs where it waits, and
//! deadlines lie in a lazy heap.

use core::fmt;
use core::marker::PhantomData;

use managed::ManagedSlice;

use crate::rand::Keys;
use crate::socket::{AnySocket, Events, Socket};
use crate::storage::{List, NIL, ReadyList, Slot, Slots, SocketHandle, Table, Timers, list_of, lists};
use crate::time::Ticks;
use crate::wire::IpProtocol;

bitflags::bitflags! {
    /// What the set knows of a socket, beside the socket.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Flags: u8 {
        /// The application has had its hands on it: its key, port and address are to be settled.
        const UNSETTLED = 1;
        /// It belongs to a listener, which has not handed it out yet.
        const UNACCEPTED = 1 << 1;
        /// Lent to a listener, for a connection to come.
        const LENT = 1 << 2;
        /// The application has released it: the engine brings it to its end.
        const ORPHAN = 1 << 3;
        /// Removed, but still on the list of a neighbour or port, which will let go of it.
        const REMOVED = 1 << 4;
        /// Made for a listener, not lent: it goes when its connection ends.
        const MADE = 1 << 5;
        /// It has begun with data, and its listener counts it as long as nothing has acknowledged that.
        #[cfg(feature = "tcp-fastopen")]
        const PENDING = 1 << 6;
    }
}

/// A socket and what the set notes about it.
#[repr(C)]
pub(crate) struct Entry<'a> {
    pub(crate) events: Events,
    pub(crate) flags: Flags,
    /// The listener's slot, for a socket that is lent to one or was accepted from one; else `NIL`.
    pub(crate) listener: u32,
    #[cfg(feature = "iface-scale")]
    /// The next in the listener's line that it stands in, or `NIL`.
    pub(crate) next_in_line: u32,
    pub(crate) socket: Socket<'a>,
}

/// Storage for one socket. Lend an array of [`SocketSlot::EMPTY`](Slot::EMPTY).
pub type SocketSlot<'a> = Slot<SocketEntry<'a>>;

/// What a slot holds; opaque.
pub struct SocketEntry<'a>(pub(crate) Entry<'a>);

/// The set is full: lend more slots, or remove a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetFull;

impl fmt::Display for SetFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("socket set full: lend more slots or remove a socket")
    }
}

impl core::error::Error for SetFull {}

/// Why a handle names no such socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandleError {
    /// The socket was removed, or was never in this set.
    Stale,
    /// It is of another kind.
    WrongKind,
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HandleError::Stale => "stale handle: its socket is no longer in the set",
            HandleError::WrongKind => "the handle's socket is of another kind",
        })
    }
}

impl core::error::Error for HandleError {}

/// All sockets of a stack.
pub struct SocketSet<'a> {
    pub(crate) slots: Slots<'a, SocketEntry<'a>>,
    pub(crate) table: Table<'a>,
    pub(crate) timers: Timers,
    pub(crate) touched: List,
    ready: ReadyList,
    pub(crate) taps: super::raw_socket::Taps,
    pub(crate) resets: super::resets::Resets,
    pub(crate) reclaim: super::reclaim::Reclaim,
    /// Who had the last segment of a connection.
    pub(crate) latest: u32,
    pub(crate) wants: super::udp_groups::Wants,
    #[cfg(feature = "socket-udp")]
    pub(crate) flows: super::udp_flow::Flows,
    #[cfg(feature = "socket-tcp")]
    pub(crate) tied: super::tied::Tied,
    #[cfg(feature = "socket-tcp")]
    pub(crate) gone: super::tcp_mib::Gone,
    #[cfg(feature = "socket-tcp")]
    #[cfg_attr(not(feature = "tcp-fastopen"), allow(dead_code, reason = "there is nothing in it"))]
    pub(crate) fast_open: super::fast_open::State<'a>,
    #[cfg(feature = "socket-tcp")]
    pub(crate) time_wait: super::time_wait::TimeWaitTable<'a>,
    pub(crate) keys: Keys,
    /// Sockets whose application has let go of them.
    #[cfg(feature = "socket-tcp")]
    pub(crate) orphan_count: usize,
    /// Varies the choice of ephemeral ports (RFC 6056 §3.3.3).
    pub(crate) port_counter: u16,
}

impl<'a> SocketSet<'a> {
    /// An empty set over `slots`: a borrowed slice holds so many sockets, an owned vector grows. Without
    /// `iface-scale` there are 32 at most.
    pub fn new(slots: impl Into<ManagedSlice<'a, SocketSlot<'a>>>, keys: Keys) -> SocketSet<'a> {
        let demux = keys.demux();
        SocketSet {
            slots: Slots::new(slots),
            table: Table::new(ManagedSlice::Borrowed(&mut []), demux),
            timers: Timers::new(),
            touched: List::new(lists::TOUCHED),
            ready: ReadyList::new(),
            taps: Default::default(),
            resets: super::resets::Resets::new(),
            reclaim: Default::default(),
            latest: NIL,
            wants: Default::default(),
            #[cfg(feature = "socket-udp")]
            flows: Default::default(),
            #[cfg(feature = "socket-tcp")]
            tied: Default::default(),
            #[cfg(feature = "socket-tcp")]
            gone: Default::default(),
            #[cfg(feature = "socket-tcp")]
            fast_open: super::fast_open::State::new(),
            #[cfg(feature = "socket-tcp")]
            time_wait: super::time_wait::TimeWaitTable::new(ManagedSlice::Borrowed(&mut [])),
            keys,
            #[cfg(feature = "socket-tcp")]
            orphan_count: 0,
            port_counter: 0,
        }
    }

    /// The same with a table for demultiplexing; as many words as there are sockets is a good size, and a
    /// power of two is used whole. Without a table a packet looks at every socket, which is fine for
    /// up to 16.
    ///
    /// # Panics
    /// If there are sockets in the set already.
    #[cfg(feature = "iface-scale")]
    pub fn with_table(mut self, table: impl Into<ManagedSlice<'a, u32>>) -> SocketSet<'a> {
        assert!(self.slots.is_empty(), "lend the table before adding sockets");
        self.table = Table::new(table.into(), self.keys.demux());
        self
    }

    /// The same with room for connections in TIME-WAIT. Without any, a closed connection is forgotten at
    /// once, and a late segment of it is answered by a reset.
    #[cfg(feature = "socket-tcp")]
    pub fn with_time_wait(
        mut self,
        records: impl Into<ManagedSlice<'a, crate::socket::tcp::TimeWait>>,
    ) -> SocketSet<'a> {
        self.time_wait = super::time_wait::TimeWaitTable::new(records.into());
        self
    }

    /// Adds a socket.
    pub fn try_add<T: AnySocket<'a>>(&mut self, socket: T) -> Result<SocketHandle, SetFull> {
        self.insert(socket.upcast())
    }

    /// Adds a socket.
    ///
    /// # Panics
    /// If the set is full; [`try_add`](Self::try_add) returns an error instead.
    pub fn add<T: AnySocket<'a>>(&mut self, socket: T) -> SocketHandle {
        match self.try_add(socket) {
            Ok(handle) => handle,
            Err(SetFull) => panic!("socket set full"),
        }
    }

    pub(crate) fn insert(&mut self, socket: Socket<'a>) -> Result<SocketHandle, SetFull> {
        if !self.slots.has_room() {
            return Err(SetFull);
        }
        let entry = Entry {
            socket,
            events: Events::empty(),
            flags: Flags::UNSETTLED,
            listener: NIL,
            #[cfg(feature = "iface-scale")]
            next_in_line: NIL,
        };
        let handle = self.slots.insert(SocketEntry(entry)).map_err(|_| SetFull)?;
        if let Some(ix) = self.slots.index_of(handle) {
            self.touched.push_back(&mut self.slots, ix);
        }
        Ok(handle)
    }

    /// How many sockets there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn index_of(&self, handle: SocketHandle) -> Result<u32, HandleError> {
        let ix = self.slots.index_of(handle).ok_or(HandleError::Stale)?;
        let gone = Flags::REMOVED | Flags::ORPHAN | Flags::LENT | Flags::UNACCEPTED;
        match self.entry(ix) {
            Some(entry) if !entry.flags.intersects(gone) => Ok(ix),
            _ => Err(HandleError::Stale),
        }
    }

    pub(crate) fn entry(&self, ix: u32) -> Option<&Entry<'a>> {
        self.slots.get(ix).map(|entry| &entry.0)
    }

    pub(crate) fn entry_mut(&mut self, ix: u32) -> Option<&mut Entry<'a>> {
        self.slots.get_mut(ix).map(|entry| &mut entry.0)
    }

    /// The socket that `handle` names.
    pub fn try_get<T: AnySocket<'a>>(&self, handle: SocketHandle) -> Result<&T, HandleError> {
        let ix = self.index_of(handle)?;
        let entry = self.entry(ix).ok_or(HandleError::Stale)?;
        T::downcast(&entry.socket).ok_or(HandleError::WrongKind)
    }

    /// The socket that `handle` names, to change. It is settled, and what it has to send is sent, at the
    /// next poll.
    pub fn try_get_mut<T: AnySocket<'a>>(&mut self, handle: SocketHandle) -> Result<&mut T, HandleError> {
        let ix = self.index_of(handle)?;
        self.touch(ix);
        let entry = self.entry_mut(ix).ok_or(HandleError::Stale)?;
        entry.flags |= Flags::UNSETTLED;
        T::downcast_mut(&mut entry.socket).ok_or(HandleError::WrongKind)
    }

    /// The socket that `handle` names.
    ///
    /// # Panics
    /// If there is none of this kind; [`try_get`](Self::try_get) returns an error instead.
    pub fn get<T: AnySocket<'a>>(&self, handle: SocketHandle) -> &T {
        match self.try_get(handle) {
            Ok(socket) => socket,
            Err(_) => panic!("handle does not refer to a socket of this kind"),
        }
    }

    /// The socket that `handle` names, to change.
    ///
    /// # Panics
    /// If there is none of this kind; [`try_get_mut`](Self::try_get_mut) returns an error instead.
    pub fn get_mut<T: AnySocket<'a>>(&mut self, handle: SocketHandle) -> &mut T {
        match self.try_get_mut(handle) {
            Ok(socket) => socket,
            Err(_) => panic!("handle does not refer to a socket of this kind"),
        }
    }

    /// All sockets that the application has, with their handles.
    pub fn iter(&self) -> impl Iterator<Item = (SocketHandle, &Socket<'a>)> {
        let hidden = Flags::REMOVED | Flags::ORPHAN | Flags::LENT | Flags::UNACCEPTED;
        self.slots.iter().filter_map(move |(ix, entry)| {
            let visible = !entry.0.flags.intersects(hidden);
            Some((self.slots.handle_at(ix)?, &entry.0.socket)).filter(|_| visible)
        })
    }

    /// Takes a socket out: nothing more is sent for it. `None` if the handle is stale.
    ///
    /// The peer of a TCP connection gets a reset, by the next poll, and the socket is closed (feature
    /// `tcp-abort-queue`; without it the socket comes out as it is, in silence). To let a connection end in order,
    /// `release` it instead.
    pub fn remove(&mut self, handle: SocketHandle) -> Option<Socket<'a>> {
        let ix = self.index_of(handle).ok()?;
        self.cut(ix);
        self.take(ix)
    }

    /// Takes the socket in slot `ix` out of everything.
    pub(crate) fn take(&mut self, ix: u32) -> Option<Socket<'a>> {
        self.table.unfile(&mut self.slots, ix);
        self.timers.remove(&mut self.slots, ix);
        self.ready.unmark(&mut self.slots, ix);
        self.detach(ix);
        self.drop_members(ix);
        if !matches!(list_of(&self.slots, ix), lists::NEIGHBOR | lists::PORT) {
            self.touched.remove(&mut self.slots, ix);
            return self.slots.vacate(ix).map(|entry| entry.0.socket);
        }
        // The list is a neighbour's or a port's, which is out of reach here; it lets go of the slot later.
        let entry = self.entry_mut(ix)?;
        entry.flags = Flags::REMOVED;
        Some(core::mem::replace(&mut entry.socket, Socket::Vacant(PhantomData)))
    }

    #[cfg(not(feature = "socket-tcp"))]
    fn detach(&mut self, _ix: u32) {}

    #[cfg(not(feature = "socket-tcp"))]
    pub(crate) fn end_turn(&mut self, _ix: u32, _now: Ticks) {}

    /// Whether the application has bound it, or made it listen, where it is not filed yet: that may fail,
    /// and be an event.
    pub(crate) fn is_unfiled(&self, ix: u32) -> bool {
        let Some(entry) = self.entry(ix).filter(|entry| entry.flags.contains(Flags::UNSETTLED)) else {
            return false;
        };
        let (port, hash) = match &entry.socket {
            #[cfg(feature = "socket-udp")]
            Socket::Udp(socket) => {
                let port = socket.bound_to().1;
                (port, self.udp_hash(socket, port))
            }
            #[cfg(feature = "socket-tcp")]
            socket => match super::tcp_set::listen_key(socket) {
                Some(key) => (key.endpoint().port, self.table.hash_port(IpProtocol::TCP.0, key.filed_at())),
                None => (0, 0),
            },
            #[cfg(not(feature = "socket-tcp"))]
            _ => (0, 0),
        };
        port != 0 && self.table.filed_under(&self.slots, ix) != Some(hash)
    }

    /// The next socket after `after` among those filed under `hash` that `wants` says yes to; `NIL` begins.
    #[cfg(any(feature = "socket-icmp", feature = "socket-raw"))]
    pub(crate) fn next_in_chain(
        &self,
        hash: u32,
        after: u32,
        wants: &dyn Fn(&Socket<'a>) -> bool,
    ) -> Option<u32> {
        let mut chain = self.table.chain(&self.slots, hash);
        if after != NIL {
            chain.find(|&(ix, _)| ix == after)?;
        }
        chain.find(|(_, entry)| wants(&entry.0.socket)).map(|(ix, _)| ix)
    }

    /// Notes that the socket has something to do, unless it waits for something that will wake it.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn touch(&mut self, ix: u32) {
        self.touched.push_back(&mut self.slots, ix);
    }

    /// Everybody on `list` has something to do.
    pub(crate) fn wake_all(&mut self, list: &mut List) {
        while let Some(ix) = list.pop_front(&mut self.slots) {
            self.wake(ix);
        }
    }

    /// A socket that was just taken off a list has something to do; a removed one is let go.
    pub(crate) fn wake(&mut self, ix: u32) {
        if self.entry(ix).is_some_and(|entry| entry.flags.contains(Flags::REMOVED)) {
            self.slots.vacate(ix);
        } else {
            self.touch(ix);
        }
    }

    /// Notes what the application shall hear of.
    #[inline]
    pub(crate) fn notify(&mut self, ix: u32, events: Events) {
        if events.is_empty() {
            return;
        }
        let Some(entry) = self.entry_mut(ix) else { return };
        entry.events |= events;
        if !entry.flags.intersects(Flags::UNACCEPTED | Flags::ORPHAN | Flags::LENT) {
            self.ready.mark(&mut self.slots, ix);
        }
    }

    /// The next socket that has something for the application, and what. Each event is reported once.
    pub fn next_ready(&mut self) -> Option<(SocketHandle, Events)> {
        let ix = self.ready.pop(&mut self.slots)?;
        let handle = self.slots.handle_at(ix)?;
        let entry = self.entry_mut(ix)?;
        Some((handle, core::mem::take(&mut entry.events)))
    }

    /// What the application would have heard of, it no longer wants to.
    #[cfg(feature = "socket-tcp")]
    pub(crate) fn forget_events(&mut self, ix: u32) {
        self.ready.unmark(&mut self.slots, ix);
        if let Some(entry) = self.entry_mut(ix) {
            entry.events = Events::empty();
        }
    }

    /// Whether `next_ready` has something to tell.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The socket's deadline is as it says.
    #[inline]
    pub(crate) fn update_timer(&mut self, ix: u32, now: Ticks) {
        let deadline = self.entry(ix).and_then(|entry| entry.socket.deadline(now));
        self.timers.set(&mut self.slots, ix, deadline);
    }

    /// A socket has something to do `now`, if it is still there.
    pub(crate) fn be_due(&mut self, ix: u32, now: Ticks) {
        if self.entry(ix).is_some() {
            self.timers.set(&mut self.slots, ix, Some(now));
        }
    }

    /// When a socket's timer may be due: never late.
    pub(crate) fn timer_bound(&mut self) -> Option<Ticks> {
        self.timers.settle(&mut self.slots, crate::config::SETTLED_HEADS);
        self.timers.bound(&self.slots)
    }
}

#[cfg(feature = "alloc")]
impl SocketSet<'static> {
    /// A set that owns its memory and grows, with a demultiplexing table and TIME-WAIT records for
    /// about `expected` sockets.
    pub fn with_capacity(expected: usize, keys: Keys) -> SocketSet<'static> {
        use alloc::vec;
        use alloc::vec::Vec;
        let buckets = expected.next_power_of_two();
        let set = SocketSet::new(Vec::with_capacity(expected), keys);
        #[cfg(feature = "iface-scale")]
        let set = set.with_table(vec![NIL; buckets]);
        #[cfg(feature = "socket-tcp")]
        let set = set.with_time_wait(vec![crate::socket::tcp::TimeWait::EMPTY; buckets]);
        #[cfg(all(feature = "tcp-fastopen", feature = "tcp-connect"))]
        let set = set.with_fast_open_cache(vec![
            crate::socket::tcp::FastOpenCookie::EMPTY;
            crate::config::TCP_FAST_OPEN_COOKIES
        ]);
        set
    }
}
