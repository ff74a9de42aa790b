//! Without `iface-multicast` an interface is in the groups that everybody is in, and tells nobody.

use super::links::Links;
use super::socket_set::SocketSet;
use crate::phy::HardwareAddress;
use crate::rand::Keys;
use crate::time::Ticks;
use crate::wire::Addr;

pub(crate) struct Groups;

impl Groups {
    pub(crate) fn on_change(&mut self) {}

    #[inline]
    pub(crate) fn have_changed(&self) -> bool {
        false
    }

    pub(crate) fn on_link(&mut self) {}

    #[inline]
    pub(crate) fn contains(&self, _group: &Addr) -> bool {
        false
    }

    #[inline]
    pub(crate) fn poll_at(&self, _now: Ticks) -> Option<Ticks> {
        None
    }
}

impl super::Interface<'_> {
    #[inline]
    pub(crate) fn update_filter(&mut self, _tell: &mut dyn FnMut(&[HardwareAddress])) {}
}

#[inline]
pub(crate) fn settle(_links: &mut Links<'_, '_, '_>, _sockets: &mut SocketSet<'_>) {}

#[inline]
pub(crate) fn send(_links: &mut Links<'_, '_, '_>, _keys: &Keys) {}
