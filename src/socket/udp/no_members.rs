//! Without `iface-multicast` a socket joins no groups.

use super::Socket;
use crate::wire::Addr;

pub(crate) struct Members<'a>(core::marker::PhantomData<&'a ()>);

impl<'a> Members<'a> {
    pub(super) const fn none() -> Members<'a> {
        Members(core::marker::PhantomData)
    }

    pub(super) fn clear(&mut self) {}
}

impl Socket<'_> {
    #[inline]
    pub(crate) fn hears(&self, _group: &Addr, _interface: usize) -> bool {
        true
    }

    #[inline]
    pub(crate) fn have_members_changed(&self) -> bool {
        false
    }
}
