//! The server's web side: HTTP on port 80, with a page in flash and a number that changes.

use goldcrest::apps::http::{
    self, ConnectionSlot, Exchange, File, Handler, Methods, Next, Reply, Request, Route, Site,
};
use goldcrest::iface::{SocketHandle, SocketSet};
use goldcrest::socket::{Events, tcp};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::Instant;
use managed::ManagedSlice;

const PORT: u16 = 80;
/// Sockets of the listener's; one connection less is served at once, so that a new one pushes an idle one out.
const SOCKETS: usize = 3;
/// Octets of each receive buffer and of each send buffer.
const BUFFER_LEN: usize = 2_048;
/// Connections that are begun.
const HALF_OPEN: usize = 4;
/// Octets of the longest head of a request, and of a piece of a response.
const HEAD_LEN: usize = 1_024;
const REPLY_LEN: usize = 256;

/// Sockets that the set needs room for: the listener's and the connections'.
pub(crate) const SLOTS: usize = 1 + SOCKETS;

const SITE: Site = Site {
    routes: &[Route { path: "/requests", methods: Methods::READING }],
    files: &[File {
        path: "/",
        content_type: "text/html",
        octets:
            b"<!DOCTYPE html><title>Goldcrest</title><p>Small and alive. <a href=requests>How often asked</a>",
        etag: "\"1\"",
    }],
};

/// The memory.
pub(crate) struct Storage {
    half_open: [tcp::HalfOpen; HALF_OPEN],
    rx: [[u8; BUFFER_LEN]; SOCKETS],
    tx: [[u8; BUFFER_LEN]; SOCKETS],
    connections: [ConnectionSlot; SOCKETS - 1],
    head: [u8; HEAD_LEN],
    reply: [u8; REPLY_LEN],
}

impl Storage {
    pub(crate) const EMPTY: Storage = Storage {
        half_open: [tcp::HalfOpen::EMPTY; HALF_OPEN],
        rx: [[0; BUFFER_LEN]; SOCKETS],
        tx: [[0; BUFFER_LEN]; SOCKETS],
        connections: [const { ConnectionSlot::EMPTY }; SOCKETS - 1],
        head: [0; HEAD_LEN],
        reply: [0; REPLY_LEN],
    };
}

/// How often somebody has asked.
struct Requests(u32);

impl Handler for Requests {
    fn request(&mut self, _: &mut Exchange, _: &Request<'_>, reply: &mut Reply<'_>) -> Next {
        self.0 = self.0.wrapping_add(1);
        let (mut digits, mut rest, mut at) = ([0; 10], self.0, 10);
        while at == 10 || rest > 0 {
            at -= 1;
            if let Some(digit) = digits.get_mut(at) {
                *digit = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
        }
        reply.content_type("text/plain").send(digits.get(at..).unwrap_or_default()); // `at` is within
        Next::Respond
    }
}

pub(crate) struct Web<'a> {
    server: http::Server<'a>,
    requests: Requests,
}

impl<'a> Web<'a> {
    /// Listens.
    pub(crate) fn open(storage: &'a mut Storage, sockets: &mut SocketSet<'a>) -> Option<Web<'a>> {
        let mut listener = tcp::Listener::new(&mut storage.half_open[..]);
        listener.listen(PORT).ok()?;
        let listener = sockets.try_add(listener).ok()?;
        for (rx, tx) in storage.rx.iter_mut().zip(&mut storage.tx) {
            let socket = tcp::Socket::new(SocketBuffer::new(&mut rx[..]), SocketBuffer::new(&mut tx[..]));
            let handle = sockets.try_add(socket).ok()?;
            sockets.lend(listener, handle).ok()?;
        }
        let memory = http::Storage {
            connections: ManagedSlice::Borrowed(&mut storage.connections),
            table: ManagedSlice::Borrowed(&mut []),
            head: ManagedSlice::Borrowed(&mut storage.head),
            reply: ManagedSlice::Borrowed(&mut storage.reply),
        };
        Some(Web { server: http::Server::new(listener, SITE, memory), requests: Requests(0) })
    }

    /// Something has happened to a socket. Says whether it is one of these.
    pub(crate) fn serve(
        &mut self,
        now: Instant,
        sockets: &mut SocketSet<'_>,
        handle: SocketHandle,
        events: Events,
    ) -> bool {
        self.server.on_ready(now, sockets, handle, events, &mut self.requests)
    }

    /// Does what time has brought.
    pub(crate) fn poll(&mut self, now: Instant, sockets: &mut SocketSet<'_>) {
        self.server.poll(now, sockets, &mut self.requests);
    }

    /// `at`, or when there is something to do before that.
    pub(crate) fn or_before(&mut self, now: Instant, at: Option<Instant>) -> Option<Instant> {
        self.server.poll_at(now).into_iter().chain(at).min()
    }
}
