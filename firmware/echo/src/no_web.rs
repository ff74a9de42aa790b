//! The server's web side where it has none.

use core::marker::PhantomData;

use goldcrest::iface::{SocketHandle, SocketSet};
use goldcrest::socket::Events;
use goldcrest::time::Instant;

pub(crate) const SLOTS: usize = 0;

pub(crate) struct Storage;

impl Storage {
    pub(crate) const EMPTY: Storage = Storage;
}

pub(crate) struct Web<'a>(PhantomData<&'a mut Storage>);

impl<'a> Web<'a> {
    pub(crate) fn open(_: &'a mut Storage, _: &mut SocketSet<'a>) -> Option<Web<'a>> {
        Some(Web(PhantomData))
    }

    #[inline(always)]
    pub(crate) fn serve(&mut self, _: Instant, _: &mut SocketSet<'_>, _: SocketHandle, _: Events) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn poll(&mut self, _: Instant, _: &mut SocketSet<'_>) {}

    #[inline(always)]
    pub(crate) fn or_before(&mut self, _: Instant, at: Option<Instant>) -> Option<Instant> {
        at
    }
}
