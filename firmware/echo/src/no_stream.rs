//! The server's TCP side where it has none.

use goldcrest::iface::{SocketHandle, SocketSet};

pub(crate) const SLOTS: usize = 0;

pub(crate) struct Storage;

impl Storage {
    pub(crate) const EMPTY: Storage = Storage;
}

pub(crate) struct Ended;

impl Ended {
    pub(crate) const EMPTY: Ended = Ended;

    pub(crate) fn lend_to<'a>(&'a mut self, sockets: SocketSet<'a>) -> SocketSet<'a> {
        sockets
    }
}

pub(crate) struct Streams;

impl Streams {
    pub(crate) fn open(_: &mut Storage, _: &mut SocketSet<'_>) -> Option<Streams> {
        Some(Streams)
    }

    pub(crate) fn serve(&self, _: &mut SocketSet<'_>, _: SocketHandle, _: &mut [u8]) {}
}
