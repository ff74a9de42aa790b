//! A request's head (RFC 9112 §3, §5, §6), read from contiguous memory and held to the rules.
//!
//! Where two readers could disagree about where a request ends, there is no request: that is how requests
//! are smuggled past one of them.

use super::fields::{elements, is_a_token, is_host, lines, number, split_field, split_line};
use super::status::{Methods, Status};
use super::target::{self, Target};

/// How the body's end is known (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Nothing says that there is one.
    None,
    /// After so many octets.
    Length(usize),
    /// By the last chunk.
    Chunked,
}

/// The head of a request.
#[derive(Debug)]
pub struct Request<'r> {
    pub(super) method: Methods,
    target: Target<'r>,
    fields: &'r [u8],
    pub(super) framing: Framing,
    /// HTTP/1.1 or a later 1.x, not 1.0.
    pub(super) is_1_1: bool,
    /// The connection shall go on.
    pub(super) is_persistent: bool,
    /// The body comes when it is asked for.
    pub(super) expects_continue: bool,
}

impl<'r> Request<'r> {
    /// What is asked for: one method.
    pub fn method(&self) -> Methods {
        self.method
    }

    /// The path, decoded: it begins with a slash, and no part of it is `.` or `..`.
    pub fn path(&self) -> &'r str {
        self.target.path
    }

    /// What follows the question mark, if there is one, as it came.
    pub fn query(&self) -> Option<&'r str> {
        self.target.query
    }

    /// Octets of the body, if that is said in advance. 0 if there is none.
    pub fn content_length(&self) -> Option<usize> {
        match self.framing {
            Framing::None => Some(0),
            Framing::Length(len) => Some(len),
            Framing::Chunked => None,
        }
    }

    /// The values of all fields of this name; names don't depend on case.
    pub fn fields<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'r [u8]> + 'f {
        let fields = lines(self.fields).filter_map(|line| split_field(line).ok());
        fields.filter(move |(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<&'r [u8]> {
        self.fields(name).next()
    }

    /// What a request that would change what `etag` stands for is to be answered instead, if it has
    /// conditions that do not hold (RFC 9110 §13.1). `etag` is quoted, and empty where there is nothing yet.
    ///
    /// Handlers of POST and PUT ask before they change anything; for GET and HEAD the server asks itself.
    pub fn unmet_condition(&self, etag: &str) -> Option<Status> {
        super::conditions::unmet(self, etag)
    }
}

/// What fields say that concern the message itself.
#[derive(Default)]
struct Control<'r> {
    host: Option<&'r [u8]>,
    length: Option<usize>,
    is_chunked: bool,
    says_close: bool,
    says_keep_alive: bool,
    expects_continue: bool,
}

impl<'r> Control<'r> {
    fn take(&mut self, name: &[u8], value: &'r [u8]) -> Result<(), Status> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("host") {
            // RFC 9112 §3.2 (one and no other).
            let is_fine = is_host(value) && self.host.replace(value).is_none();
            return if is_fine { Ok(()) } else { Err(Status::BAD_REQUEST) };
        }
        if is("content-length") {
            // RFC 9112 §6.3 (said twice, even alike, it is not to be trusted).
            let len = number(value)?;
            return if self.length.replace(len).is_none() { Ok(()) } else { Err(Status::BAD_REQUEST) };
        }
        if is("transfer-encoding") {
            return self.take_coding(value);
        }
        if is("connection") {
            self.says_close |= elements(value).any(|option| option.eq_ignore_ascii_case(b"close"));
            self.says_keep_alive |= elements(value).any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
        }
        if is("expect") {
            // RFC 9110 §10.1.1 (no other is known).
            self.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
            return if self.expects_continue { Ok(()) } else { Err(Status::EXPECTATION_FAILED) };
        }
        Ok(())
    }

    fn take_coding(&mut self, value: &[u8]) -> Result<(), Status> {
        for coding in elements(value) {
            // RFC 9112 §6.1 (chunked comes once and last; others are not understood).
            if self.is_chunked {
                return Err(Status::BAD_REQUEST);
            }
            if !coding.eq_ignore_ascii_case(b"chunked") {
                return Err(Status::NOT_IMPLEMENTED);
            }
            self.is_chunked = true;
        }
        // An empty list is a length that somebody else would read otherwise.
        if self.is_chunked { Ok(()) } else { Err(Status::BAD_REQUEST) }
    }

    fn framing(&self, is_1_1: bool) -> Result<Framing, Status> {
        match (self.length, self.is_chunked) {
            (None, false) => Ok(Framing::None),
            (Some(len), false) => Ok(Framing::Length(len)),
            // RFC 9112 §6.1 (HTTP/1.0 has no chunks, and who forwards it may not know them).
            (None, true) if is_1_1 => Ok(Framing::Chunked),
            // RFC 9112 §6.1, §11.2 (both lengths: one reader would take the one, another the other).
            (_, true) => Err(Status::BAD_REQUEST),
        }
    }
}

/// Reads a head, from its request line to its empty line. The path is decoded in place.
///
/// # Errors
/// The status to refuse it with; the connection is to be closed then, as nobody knows where it goes on.
pub(super) fn parse(head: &mut [u8]) -> Result<Request<'_>, Status> {
    let (line, _) = split_line(head).ok_or(Status::BAD_REQUEST)?;
    let line_len = line.len();
    let (line, fields) = head.split_at_mut_checked(line_len).ok_or(Status::BAD_REQUEST)?;
    let fields = fields.get(2..).unwrap_or_default();
    let (method, target, is_1_1) = parse_line(line)?;
    let mut control = Control::default();
    for line in lines(fields) {
        let (name, value) = split_field(line)?;
        control.take(name, value)?;
    }
    // RFC 9112 §3.2 (a request of 1.1 names its host).
    if is_1_1 && control.host.is_none() {
        return Err(Status::BAD_REQUEST);
    }
    // RFC 9112 §9.3 (1.1 goes on unless it says otherwise, 1.0 only if it says so).
    let is_persistent = !control.says_close && (is_1_1 || control.says_keep_alive);
    Ok(Request {
        method: method.ok_or(Status::NOT_IMPLEMENTED)?,
        target: target::parse(target)?,
        framing: control.framing(is_1_1)?,
        // RFC 9110 §10.1.1 (in 1.0 it means nothing).
        expects_continue: control.expects_continue && is_1_1,
        fields,
        is_1_1,
        is_persistent,
    })
}

/// The method, if it is known, the target, and whether the version is 1.1 or later.
fn parse_line(line: &mut [u8]) -> Result<(Option<Methods>, &mut [u8], bool), Status> {
    let is_space = |&octet: &u8| octet == b' ';
    let first = line.iter().position(is_space).ok_or(Status::BAD_REQUEST)?;
    let last = line.iter().rposition(is_space).ok_or(Status::BAD_REQUEST)?;
    let method = line.get(..first).filter(|name| is_a_token(name)).ok_or(Status::BAD_REQUEST)?;
    let method = Methods::of_name(method);
    let version = line.get(last + 1..).unwrap_or_default();
    let &[b'H', b'T', b'T', b'P', b'/', major, b'.', minor] = version else {
        return Err(Status::BAD_REQUEST);
    };
    if !major.is_ascii_digit() || !minor.is_ascii_digit() {
        return Err(Status::BAD_REQUEST);
    }
    // RFC 9110 §15.6.6, §2.5 (a later minor version is understood as ours).
    if major != b'1' {
        return Err(Status::VERSION_NOT_SUPPORTED);
    }
    // Spaces within the target are found there.
    let target = line.get_mut(first + 1..last).ok_or(Status::BAD_REQUEST)?;
    Ok((method, target, minor != b'0'))
}
