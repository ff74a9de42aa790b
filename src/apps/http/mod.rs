//! An HTTP/1.1 server (RFC 9110, RFC 9112) in lent memory.
//!
//! GET, HEAD, POST and PUT; persistent and pipelined requests; files that lie in flash, whole or in part,
//! with entity tags; routes that the application answers for, with bodies that are known, copied, or
//! generated as there is room; bodies of requests in pieces, as they come. A request that two readers could
//! understand differently is refused. HTTP/1.0 is understood, with its keep-alive.
//!
//! Not here: TLS, content codings, multipart ranges, dates (there is no clock), OPTIONS, TRACE, CONNECT.
//!
//! | file | what |
//! | --- | --- |
//! | `server` | the connections: accepting, events, time |
//! | `connection` | one connection's states |
//! | `scan`, `request`, `target`, `fields` | a request's head |
//! | `body` | a request's body |
//! | `conditions` | whether, and how much of, a representation is sent |
//! | `reply`, `respond`, `status` | a response |
//! | `handler` | files, routes, and the application's part |
//!
//! ```
//! use goldcrest::apps::http::{File, NoHandler, Server, Site};
//! use goldcrest::iface::SocketSet;
//! use goldcrest::socket::tcp::{HalfOpen, Listener};
//! use goldcrest::{rand::Keys, time::Instant};
//!
//! static FILES: [File; 1] = [File {
//!     path: "/",
//!     content_type: "text/html",
//!     octets: b"<p>Goldcrest",
//!     etag: "\"1\"",
//! }];
//!
//! let mut sockets = SocketSet::with_capacity(16, Keys::new([7; 32]));
//! let listener = sockets.add(Listener::new(vec![HalfOpen::EMPTY; 8]));
//! sockets.get_mut::<Listener>(listener).set_buffers(2_048, 4_096, 16);
//! sockets.listen(listener, 80)?;
//! let mut server = Server::with_capacity(listener, Site { files: &FILES, routes: &[] }, 15);
//!
//! // After each poll of the interface:
//! let now = Instant::ZERO;
//! while let Some((handle, events)) = sockets.next_ready() {
//!     if server.on_ready(now, &mut sockets, handle, events, &mut NoHandler) {
//!         continue;
//!     }
//!     // It is another application's.
//! }
//! server.poll(now, &mut sockets, &mut NoHandler);
//! assert_eq!(server.poll_at(now), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod conditions;
mod connection;
mod fields;
mod handler;
mod reply;
mod request;
mod respond;
mod scan;
mod server;
mod status;
mod target;
#[cfg(all(test, feature = "std", feature = "medium-ip", feature = "proto-ipv4", feature = "tcp-connect"))]
mod tests;

pub use connection::Connection;
pub use handler::{Exchange, File, Handler, Next, NoHandler, Route, Site};
pub use reply::Reply;
pub use request::Request;
pub use server::{ConnectionSlot, Server, Storage};
pub use status::{Methods, Status};

use crate::time::Duration;

/// What a client may take of a server. Change fields of the [default](Limits::DEFAULT).
///
/// The octets of a head are limited by the memory for them: that which the server was lent, and the
/// connection's receive buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of a request line; more are answered by 414.
    pub request_line_len: usize,
    /// Field lines of a head; more are answered by 431.
    pub fields: u16,
    /// Octets of a request's body; more are answered by 413.
    pub body_len: usize,
    /// Requests of one connection, which is closed after them.
    pub requests: u16,
    /// Requests that are answered ahead of the client's acknowledgment of all before.
    pub pipelined: u16,
    /// How long a connection may wait for a request to begin. It is closed then, or before that if a new one
    /// finds no place.
    pub idle_timeout: Duration,
    /// How long a head may take, from its first octet; more is answered by 408.
    pub head_timeout: Duration,
    /// How long a body or a response may take for each `progress` octets of it; a body that is slower is
    /// answered by 408, a response ends with a reset.
    pub progress_timeout: Duration,
    /// See `progress_timeout`.
    pub progress: usize,
    /// How long, and for how many octets, a connection waits for the client to close it too.
    pub close_timeout: Duration,
    /// See `close_timeout`.
    pub linger_len: usize,
}

impl Limits {
    /// What fits a small server.
    pub const DEFAULT: Limits = Limits {
        request_line_len: 1_024,
        fields: 64,
        body_len: 1 << 20,
        requests: 1_000,
        pipelined: 16,
        idle_timeout: Duration::from_secs(30),
        head_timeout: Duration::from_secs(10),
        progress_timeout: Duration::from_secs(10),
        progress: 512,
        close_timeout: Duration::from_secs(2),
        linger_len: 1 << 18,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

/// What has happened. All wrap at 2^32; without the feature `stats-mib` they stay 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that were accepted.
    pub connections: u32,
    /// Requests whose head was complete.
    pub requests: u32,
    /// Responses that were given to their connection whole.
    pub responses: u32,
    /// Requests that were malformed, beyond a limit, or refused by the application in their body.
    pub refused: u32,
    /// Requests and responses that took too long.
    pub timeouts: u32,
    /// Idle connections that were closed for new ones.
    pub evicted: u32,
    /// Connections that ended with an exchange unfinished.
    pub aborted: u32,
    /// Responses that the application made too long, or shorter than it had said.
    pub faults: u32,
}
