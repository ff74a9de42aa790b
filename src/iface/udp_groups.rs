//! Which groups the UDP sockets of a set have joined (feature `iface-multicast`).

use super::socket_set::SocketSet;
use crate::socket::{Events, Socket};
use crate::wire::Addr;

/// Whether a socket may have joined or left a group since the interfaces were asked.
#[derive(Debug, Default)]
pub(crate) struct Wants(bool);

impl SocketSet<'_> {
    /// Notes what a socket that is being settled has joined or left.
    pub(crate) fn note_members(&mut self, ix: u32) {
        if let Some(socket) = self.udp_mut(ix)
            && socket.have_members_changed()
        {
            socket.members_are_settled();
            self.wants.0 = true;
        }
    }

    /// A socket leaves the set, and with it its groups.
    pub(crate) fn drop_members(&mut self, ix: u32) {
        self.wants.0 |= self.udp(ix).is_some_and(|socket| socket.has_members());
    }

    #[inline]
    pub(crate) fn have_groups_changed(&self) -> bool {
        self.wants.0
    }

    pub(crate) fn groups_are_settled(&mut self) {
        self.wants.0 = false;
    }

    /// Calls `want` with every group that a socket has joined on a port, and tells the sockets that one found
    /// no room for.
    pub(crate) fn for_each_membership(&mut self, port: usize, want: &mut dyn FnMut(&Addr) -> bool) {
        for ix in 0..self.slots.slot_count() as u32 {
            let Some(entry) = self.entry_mut(ix) else { continue };
            let failed = match &mut entry.socket {
                Socket::Udp(socket) => socket.for_each_group(port, want),
                _ => false,
            };
            if failed {
                self.notify(ix, Events::ERROR);
            }
        }
    }
}
