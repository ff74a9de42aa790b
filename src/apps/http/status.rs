//! Methods and status codes (RFC 9110 §9, §15).

use core::fmt;

bitflags::bitflags! {
    /// What can be asked for: a set of methods, or one.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Methods: u8 {
        /// A representation is wanted.
        const GET = 1;
        /// The head of what GET would give.
        const HEAD = 1 << 1;
        /// The body is to be processed.
        const POST = 1 << 2;
        /// The body is to be kept under this path.
        const PUT = 1 << 3;
    }
}

impl Methods {
    /// The methods that change nothing.
    pub const READING: Methods = Methods::GET.union(Methods::HEAD);

    const NAMES: [(Methods, &'static str); 4] =
        [(Methods::GET, "GET"), (Methods::HEAD, "HEAD"), (Methods::POST, "POST"), (Methods::PUT, "PUT")];

    /// The method of this name; methods are case-sensitive.
    pub(super) fn of_name(name: &[u8]) -> Option<Methods> {
        Methods::NAMES.into_iter().find(|(_, known)| known.as_bytes() == name).map(|(method, _)| method)
    }

    /// The names of those that are in the set.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        Methods::NAMES.into_iter().filter(move |(method, _)| self.contains(*method)).map(|(_, name)| name)
    }
}

/// A status code, from 200 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u16);

macro_rules! statuses {
    ($($name:ident = $code:literal $reason:literal),* $(,)?) => {
        impl Status {
            $(
                #[doc = $reason]
                pub const $name: Status = Status($code);
            )*

            /// What the code means, in a word or two; empty for one that is not listed here.
            pub fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)*
                    _ => "",
                }
            }
        }
    };
}

statuses! {
    OK = 200 "OK",
    CREATED = 201 "Created",
    ACCEPTED = 202 "Accepted",
    NO_CONTENT = 204 "No Content",
    PARTIAL_CONTENT = 206 "Partial Content",
    MOVED_PERMANENTLY = 301 "Moved Permanently",
    FOUND = 302 "Found",
    SEE_OTHER = 303 "See Other",
    NOT_MODIFIED = 304 "Not Modified",
    BAD_REQUEST = 400 "Bad Request",
    UNAUTHORIZED = 401 "Unauthorized",
    FORBIDDEN = 403 "Forbidden",
    NOT_FOUND = 404 "Not Found",
    METHOD_NOT_ALLOWED = 405 "Method Not Allowed",
    REQUEST_TIMEOUT = 408 "Request Timeout",
    CONFLICT = 409 "Conflict",
    LENGTH_REQUIRED = 411 "Length Required",
    PRECONDITION_FAILED = 412 "Precondition Failed",
    CONTENT_TOO_LARGE = 413 "Content Too Large",
    URI_TOO_LONG = 414 "URI Too Long",
    UNSUPPORTED_MEDIA_TYPE = 415 "Unsupported Media Type",
    RANGE_NOT_SATISFIABLE = 416 "Range Not Satisfiable",
    EXPECTATION_FAILED = 417 "Expectation Failed",
    HEADERS_TOO_LARGE = 431 "Request Header Fields Too Large",
    INTERNAL_SERVER_ERROR = 500 "Internal Server Error",
    NOT_IMPLEMENTED = 501 "Not Implemented",
    SERVICE_UNAVAILABLE = 503 "Service Unavailable",
    INSUFFICIENT_STORAGE = 507 "Insufficient Storage",
    VERSION_NOT_SUPPORTED = 505 "HTTP Version Not Supported",
}

impl Status {
    /// Whether a response with it never has a body (RFC 9110 §6.4.1).
    pub(super) fn has_no_body(self) -> bool {
        matches!(self, Status::NO_CONTENT | Status::NOT_MODIFIED)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.reason())
    }
}
