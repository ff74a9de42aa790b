//! The server's TCP side: a listener with sockets lent to it.

use goldcrest::iface::{SocketHandle, SocketSet};
use goldcrest::socket::tcp;
use goldcrest::storage::SocketBuffer;

use crate::PORT;

/// Connections at once.
const CONNECTIONS: usize = 2;
/// Octets of each receive buffer and of each send buffer.
const BUFFER_LEN: usize = 2_048;
/// Connections that are begun.
const HALF_OPEN: usize = 4;
/// Connections that have ended, and are remembered.
const ENDED: usize = 4;

/// Sockets that the set needs room for: the listener's and the connections'.
pub(crate) const SLOTS: usize = 1 + CONNECTIONS;

/// The memory.
pub(crate) struct Storage {
    half_open: [tcp::HalfOpen; HALF_OPEN],
    rx: [[u8; BUFFER_LEN]; CONNECTIONS],
    tx: [[u8; BUFFER_LEN]; CONNECTIONS],
}

impl Storage {
    pub(crate) const EMPTY: Storage = Storage {
        half_open: [tcp::HalfOpen::EMPTY; HALF_OPEN],
        rx: [[0; BUFFER_LEN]; CONNECTIONS],
        tx: [[0; BUFFER_LEN]; CONNECTIONS],
    };
}

/// The records of connections that have ended.
pub(crate) struct Ended([tcp::TimeWait; ENDED]);

impl Ended {
    pub(crate) const EMPTY: Ended = Ended([tcp::TimeWait::EMPTY; ENDED]);

    /// Gives the records to the set.
    pub(crate) fn lend_to<'a>(&'a mut self, sockets: SocketSet<'a>) -> SocketSet<'a> {
        sockets.with_time_wait(&mut self.0[..])
    }
}

pub(crate) struct Streams {
    listener: SocketHandle,
}

impl Streams {
    /// Listens.
    pub(crate) fn open<'a>(storage: &'a mut Storage, sockets: &mut SocketSet<'a>) -> Option<Streams> {
        let mut listener = tcp::Listener::new(&mut storage.half_open[..]);
        listener.listen(PORT).ok()?;
        let listener = sockets.try_add(listener).ok()?;
        for (rx, tx) in storage.rx.iter_mut().zip(&mut storage.tx) {
            let socket = tcp::Socket::new(SocketBuffer::new(&mut rx[..]), SocketBuffer::new(&mut tx[..]));
            let handle = sockets.try_add(socket).ok()?;
            sockets.lend(listener, handle).ok()?;
        }
        Some(Streams { listener })
    }

    /// Something has happened to a socket.
    pub(crate) fn serve(&self, sockets: &mut SocketSet<'_>, handle: SocketHandle, scratch: &mut [u8]) {
        if handle == self.listener {
            // What has come for a connection already is an event of its own.
            while sockets.accept(self.listener).is_some() {}
        } else {
            echo(sockets, handle, scratch);
        }
    }
}

/// Sends back what has come, as far as there is room, and lets go of a connection when all is sent.
fn echo(sockets: &mut SocketSet<'_>, handle: SocketHandle, scratch: &mut [u8]) {
    let Ok(socket) = sockets.try_get_mut::<tcp::Socket<'_>>(handle) else { return };
    loop {
        let room = socket.send_capacity() - socket.send_queue(); // never more queued than fits
        let len = room.min(scratch.len());
        let piece = scratch.get_mut(..len).unwrap_or_default(); // `len` is within the slice
        match socket.recv_slice(piece) {
            Ok(0) => return,
            Ok(len) => {
                let data = piece.get(..len).unwrap_or_default(); // `len` is within the slice
                // All of it fits; where the connection is no longer open, nobody waits for it.
                let _ = socket.send_slice(data);
            }
            Err(_) => break,
        }
    }
    // The stack sends what is queued, closes, and gives the socket back to the listener.
    let _ = sockets.release(handle);
}
