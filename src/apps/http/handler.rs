//! What answers requests: a table of files, and the application behind a table of routes.

use super::reply::Reply;
use super::request::Request;
use super::status::{Methods, Status};

/// A resource that is the same octets always, in flash or wherever it lies; it is not copied but to be sent.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// The path, decoded, beginning with a slash.
    pub path: &'static str,
    /// The media type, as in `text/html; charset=utf-8`.
    pub content_type: &'static str,
    /// What it is.
    pub octets: &'static [u8],
    /// A name of this content, with its quotes, as in `"3f2a"`, which changes when the content does; empty
    /// for none.
    pub etag: &'static str,
}

/// A path that the application answers for.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The path, decoded; if it ends with `/*`, all that begin with what precedes the star.
    pub path: &'static str,
    /// What can be asked for there. Who takes GET should take HEAD too: the server leaves out the body.
    pub methods: Methods,
}

impl Route {
    fn takes(&self, path: &str) -> bool {
        match self.path.strip_suffix('*').filter(|prefix| prefix.ends_with('/')) {
            Some(prefix) => path.starts_with(prefix),
            None => path == self.path,
        }
    }
}

/// All that there is on a server.
#[derive(Debug, Clone, Copy, Default)]
pub struct Site {
    /// What the application answers for. The first that fits path and method counts.
    pub routes: &'static [Route],
    /// What is there without it. A request looks at one after the other.
    pub files: &'static [File],
}

/// What is found for a request.
pub(super) enum Found {
    /// The route of this index.
    Route(usize),
    File(&'static File),
    /// Nothing, but for these methods; none if there is no such path.
    Nothing(Methods),
}

impl Site {
    pub(super) fn find(&self, method: Methods, path: &str) -> Found {
        let mut allowed = Methods::empty();
        for (index, route) in self.routes.iter().enumerate().filter(|(_, route)| route.takes(path)) {
            if route.methods.contains(method) {
                return Found::Route(index);
            }
            allowed |= route.methods;
        }
        match self.files.iter().find(|file| file.path == path) {
            Some(file) if Methods::READING.contains(method) => Found::File(file),
            Some(_) => Found::Nothing(allowed | Methods::READING),
            None => Found::Nothing(allowed),
        }
    }
}

/// A request and its response, as the application knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// The index of its route.
    pub route: usize,
    /// For the application's use; 0 at first.
    pub state: usize,
    key: u32,
}

impl Exchange {
    pub(super) fn new(route: usize, key: u32) -> Exchange {
        Exchange { route, state: 0, key }
    }

    /// A number below that of connections, which no other exchange has at the same time.
    pub fn key(&self) -> usize {
        self.key as usize
    }
}

/// What happens next in an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The reply is complete. A body that is still to come is not taken, and the connection ends.
    Respond,
    /// The body is wanted: the handler's `body` gets its pieces, then `respond` is called.
    Receive,
}

/// The application's part of a server: it answers for the routes.
///
/// What it answers is decided while it is asked. A long answer is written as there is room
/// ([`fill`](Self::fill)), so it needs no memory but [`Exchange::state`].
pub trait Handler {
    /// The head of a request has come.
    fn request(&mut self, exchange: &mut Exchange, request: &Request<'_>, reply: &mut Reply<'_>) -> Next;

    /// A piece of its body has come. An error is what the request is answered, and ends the connection.
    fn body(&mut self, _exchange: &mut Exchange, _piece: &[u8]) -> Result<(), Status> {
        Err(Status::CONTENT_TOO_LARGE)
    }

    /// All of its body has come.
    fn respond(&mut self, _exchange: &mut Exchange, reply: &mut Reply<'_>) {
        reply.status(Status::NO_CONTENT);
    }

    /// There is room for more of the response's body, if that is one that is generated: writes some of it
    /// to `out` and says how much, at least an octet; 0 is the end.
    fn fill(&mut self, _exchange: &mut Exchange, _out: &mut [u8]) -> usize {
        0
    }

    /// The exchange is over; `is_complete` if the whole response was given to the connection.
    fn ended(&mut self, _exchange: &mut Exchange, _is_complete: bool) {}
}

/// For a site that has files only.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHandler;

impl Handler for NoHandler {
    fn request(&mut self, _: &mut Exchange, _: &Request<'_>, reply: &mut Reply<'_>) -> Next {
        reply.status(Status::NOT_FOUND);
        Next::Respond
    }
}
