//! Memory of buffers that are empty, for those that need it (feature `tcp-grow`).

use super::socket_set::SocketSet;
use crate::config;
use crate::socket::{Events, Socket};
use crate::storage::Memory;
use crate::time::Ticks;

/// The memory that buffers of the set's sockets share, and when all of them may next be looked at.
#[derive(Default)]
pub(crate) struct Reclaim {
    memory: Option<Memory>,
    due: Option<Ticks>,
}

impl SocketSet<'_> {
    /// The same with memory that growing buffers of its sockets share: when one finds none, the next poll has all empty
    /// ones give theirs back, at most ten times a second.
    #[must_use]
    pub fn with_buffer_memory(mut self, memory: &Memory) -> Self {
        self.reclaim.memory = Some(memory.clone());
        self
    }

    /// Gives back the memory of all growing buffers of TCP sockets that are empty, of connections that are idle say. They
    /// have it again when they need it.
    pub fn release_buffers(&mut self) {
        for (_, entry) in self.slots.iter_mut() {
            if let Socket::Tcp(socket) = &mut entry.0.socket {
                socket.release_buffers();
            }
        }
    }

    /// Looks whether memory is short.
    #[inline]
    pub(crate) fn reclaim_if_short(&mut self, now: Ticks) {
        if self.reclaim.memory.is_some() {
            self.reclaim(now);
        }
    }

    #[cold]
    fn reclaim(&mut self, now: Ticks) {
        let is_early = self.reclaim.due.is_some_and(|due| !due.is_due(now));
        if is_early || !self.reclaim.memory.as_ref().is_some_and(Memory::was_short) {
            return;
        }
        self.reclaim.due = Some(now.after(config::RECLAIM_INTERVAL));
        self.release_buffers();
        if self.tell_relieved()
            && let Some(memory) = &self.reclaim.memory
        {
            memory.set_short();
        }
    }

    /// Tells those that there was no room for that there is; says whether there is none for others yet.
    fn tell_relieved(&mut self) -> bool {
        let mut is_short = false;
        for ix in 0..self.slots.slot_count() as u32 {
            let Some(Socket::Tcp(socket)) = self.entry_mut(ix).map(|entry| &mut entry.socket) else {
                continue;
            };
            let (is_relieved, is_still) = socket.relief();
            is_short |= is_still;
            if is_relieved {
                self.notify(ix, Events::WRITABLE);
            }
        }
        is_short
    }

    /// When memory is to be looked for.
    pub(crate) fn reclaim_at(&self, now: Ticks) -> Option<Ticks> {
        let is_short = self.reclaim.memory.as_ref().is_some_and(Memory::is_short);
        is_short.then(|| self.reclaim.due.unwrap_or(now))
    }
}
