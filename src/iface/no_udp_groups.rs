//! No UDP socket joins a group.

use super::socket_set::SocketSet;
#[cfg(feature = "iface-multicast")]
use crate::wire::Addr;

#[derive(Debug, Default)]
pub(crate) struct Wants;

impl SocketSet<'_> {
    #[cfg(feature = "socket-udp")]
    #[inline]
    pub(crate) fn note_members(&mut self, _ix: u32) {}

    #[inline]
    pub(crate) fn drop_members(&mut self, _ix: u32) {}

    #[inline]
    pub(crate) fn have_groups_changed(&self) -> bool {
        false
    }

    #[cfg(feature = "iface-multicast")]
    pub(crate) fn groups_are_settled(&mut self) {}

    #[cfg(feature = "iface-multicast")]
    pub(crate) fn for_each_membership(&mut self, _port: usize, _want: &mut dyn FnMut(&Addr) -> bool) {}
}
