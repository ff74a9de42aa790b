//! A response (RFC 9110 §15, RFC 9112 §4): what the application says of it, and its head.

use core::fmt;

use super::conditions::Selected;
use super::status::{Methods, Status};
use crate::socket::tcp;

/// Where a response's body comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// From where it lies; nothing if it is empty.
    Octets(&'static [u8]),
    /// From the reply's memory, so many octets.
    Copied(usize),
    /// From the handler, so many octets.
    Generated(usize),
    /// From the handler, as many as it likes.
    Open,
}

/// A response in the making. At first it is 200 without a body.
#[derive(Debug)]
pub struct Reply<'r> {
    pub(super) status: Status,
    pub(super) content_type: &'static str,
    pub(super) etag: &'static str,
    field_lines: &'static str,
    pub(super) source: Source,
    memory: &'r mut [u8],
    pub(super) is_too_long: bool,
    /// Octets of what the client asks for a part of.
    pub(super) whole_len: usize,
}

impl<'r> Reply<'r> {
    /// What is copied goes to `memory`.
    pub(super) fn new(memory: &'r mut [u8]) -> Reply<'r> {
        Reply {
            status: Status::OK,
            content_type: "",
            etag: "",
            field_lines: "",
            source: Source::Octets(&[]),
            memory,
            is_too_long: false,
            whole_len: 0,
        }
    }

    /// Sets the status code.
    pub fn status(&mut self, status: Status) -> &mut Self {
        self.status = status;
        self
    }

    /// Sets the media type, as in `text/plain`.
    pub fn content_type(&mut self, content_type: &'static str) -> &mut Self {
        self.content_type = content_type;
        self
    }

    /// Sets the entity tag, with its quotes. GET and HEAD are then answered by 304 or 412 where the
    /// client's conditions say so.
    pub fn etag(&mut self, etag: &'static str) -> &mut Self {
        self.etag = etag;
        self
    }

    /// Adds field lines of any kind, each with CR LF at its end. Not those that the server writes itself:
    /// Content-Length, Transfer-Encoding, Content-Range, Accept-Ranges, Connection and Allow.
    pub fn field_lines(&mut self, lines: &'static str) -> &mut Self {
        debug_assert!(lines.is_empty() || lines.ends_with("\r\n"));
        self.field_lines = lines;
        self
    }

    /// The body is `octets`, which are not copied. Parts of it can be asked for.
    pub fn send_static(&mut self, octets: &'static [u8]) -> &mut Self {
        self.source = Source::Octets(octets);
        self
    }

    /// Appends to a body that is copied. It is small: the memory that the server was lent for it, and less
    /// than half of the connection's send buffer. One that is longer becomes 500 Internal Server Error.
    ///
    /// The reply is a [`fmt::Write`] too, which does the same.
    pub fn send(&mut self, octets: &[u8]) -> &mut Self {
        let len = if let Source::Copied(len) = self.source { len } else { 0 };
        match self.memory.get_mut(len..).and_then(|free| free.get_mut(..octets.len())) {
            Some(place) => {
                place.copy_from_slice(octets);
                self.source = Source::Copied(len + octets.len());
            }
            None => self.is_too_long = true,
        }
        self
    }

    /// The body is what [`fill`](super::Handler::fill) writes, and is so many octets long.
    pub fn generate(&mut self, len: usize) -> &mut Self {
        self.source = Source::Generated(len);
        self
    }

    /// The body is what [`fill`](super::Handler::fill) writes until it says that it is over.
    pub fn generate_open(&mut self) -> &mut Self {
        self.source = Source::Open;
        self
    }

    /// An answer with nothing but its status, and that in words for whoever looks at it.
    pub(super) fn only(&mut self, status: Status) -> &mut Self {
        let memory = core::mem::take(&mut self.memory);
        *self = Reply { status, ..Reply::new(memory) };
        if status.has_no_body() {
            return self;
        }
        self.content_type("text/plain").send_static(status.reason().as_bytes())
    }

    /// What was copied.
    pub(super) fn copied(&self) -> &[u8] {
        let len = if let Source::Copied(len) = self.source { len } else { 0 };
        self.memory.get(..len).unwrap_or_default()
    }
}

impl fmt::Write for Reply<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.send(text.as_bytes());
        if self.is_too_long { Err(fmt::Error) } else { Ok(()) }
    }
}

/// What a head says beside what its reply does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// HTTP/1.1 or later.
    pub(super) is_1_1: bool,
    pub(super) is_persistent: bool,
    pub(super) selected: Selected,
    /// For 405.
    pub(super) allowed: Methods,
}

/// Writes to a connection, all or nothing.
pub(super) struct Out<'o, 's> {
    socket: &'o mut tcp::Socket<'s>,
    is_cut: bool,
}

impl<'o, 's> Out<'o, 's> {
    pub(super) fn new(socket: &'o mut tcp::Socket<'s>) -> Out<'o, 's> {
        Out { socket, is_cut: false }
    }

    pub(super) fn put(&mut self, octets: &[u8]) -> &mut Self {
        self.is_cut |= self.socket.send_slice(octets) != Ok(octets.len());
        self
    }

    fn put_number(&mut self, number: usize) -> &mut Self {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.put(&digits[at..])
    }

    /// A field line, unless its value is empty.
    fn put_field(&mut self, name: &[u8], value: &str) -> &mut Self {
        if value.is_empty() {
            return self;
        }
        self.put(name).put(value.as_bytes()).put(b"\r\n")
    }

    /// Whether something did not fit.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Writes a response's head (RFC 9112 §4).
    pub(super) fn put_head(&mut self, reply: &Reply<'_>, head: &Head) {
        let status = match head.selected {
            Selected::Part(..) => Status::PARTIAL_CONTENT,
            _ => reply.status,
        };
        self.put(b"HTTP/1.1 ").put_number(usize::from(status.0)).put(b" ");
        self.put(status.reason().as_bytes()).put(b"\r\n");
        // RFC 9110 §15.4.5 (304 repeats the tag, but says nothing about a body that it does not have).
        if status != Status::NOT_MODIFIED {
            self.put_field(b"Content-Type: ", reply.content_type);
        }
        self.put_field(b"ETag: ", reply.etag);
        self.put_length(reply, head, status);
        if status == Status::METHOD_NOT_ALLOWED {
            self.put_allow(head.allowed);
        }
        self.put(reply.field_lines.as_bytes());
        // RFC 9112 §9.3, §9.6.
        if !head.is_persistent {
            self.put(b"Connection: close\r\n");
        } else if !head.is_1_1 {
            self.put(b"Connection: keep-alive\r\n");
        }
        self.put(b"\r\n");
    }

    fn put_length(&mut self, reply: &Reply<'_>, head: &Head, status: Status) {
        if let Selected::Part(first, len) = head.selected {
            // RFC 9110 §14.4.
            self.put(b"Content-Range: bytes ").put_number(first).put(b"-").put_number(first + len - 1);
            self.put(b"/").put_number(reply.whole_len).put(b"\r\n");
        } else if status == Status::RANGE_NOT_SATISFIABLE {
            self.put(b"Content-Range: bytes */").put_number(reply.whole_len).put(b"\r\n");
        } else if let (Source::Octets([_, ..]), Status::OK) = (reply.source, status) {
            self.put(b"Accept-Ranges: bytes\r\n");
        }
        // RFC 9110 §8.6, RFC 9112 §6.1 (neither where there never is a body).
        if status.has_no_body() {
            return;
        }
        match (reply.source, head.selected) {
            (Source::Open, _) if head.is_1_1 => self.put(b"Transfer-Encoding: chunked\r\n"),
            (Source::Open, _) => self,
            (_, Selected::Part(_, len)) | (Source::Copied(len) | Source::Generated(len), _) => {
                self.put(b"Content-Length: ").put_number(len).put(b"\r\n")
            }
            (Source::Octets(octets), _) => {
                self.put(b"Content-Length: ").put_number(octets.len()).put(b"\r\n")
            }
        };
    }

    /// RFC 9110 §10.2.1.
    fn put_allow(&mut self, allowed: Methods) {
        self.put(b"Allow: ");
        for (index, name) in allowed.names().enumerate() {
            self.put(if index > 0 { b", " } else { b"" }).put(name.as_bytes());
        }
        self.put(b"\r\n");
    }
}
