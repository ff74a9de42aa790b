//! Where a request's head ends, found octet by octet (RFC 9112 §2.2).
//!
//! Each octet is looked at once, however the head arrives, and the first fault decides. So an endless head
//! is refused at its limit, and a bare CR or LF where it stands, whatever may follow.

use super::Limits;
use super::status::Status;

/// Empty lines that may precede a request.
const EMPTY_LINES: u8 = 2;

/// How far the head was scanned.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scan {
    at: usize,
    /// Where the request line begins.
    start: usize,
    /// Octets of this line, without its end.
    line_len: usize,
    /// Lines that have ended; the first is the request line.
    lines: u16,
    empty_lines: u8,
    is_after_cr: bool,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The head goes on.
    More,
    /// The head's first octet, and the one after its last.
    Head(usize, usize),
    /// It is none, and what to say to that.
    Fault(Status),
}

impl Scan {
    /// Whether nothing has come yet.
    pub(super) fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// Goes on in `data`, which begins as it did the last time. More than `most` octets are too many.
    pub(super) fn go_on(&mut self, data: &[u8], most: usize, limits: &Limits) -> Found {
        for &octet in data.get(self.at..).unwrap_or_default() {
            if self.at >= most {
                return self.too_long();
            }
            self.at += 1;
            match self.take(octet, limits) {
                Found::More => {}
                found => return found,
            }
        }
        if self.at >= most { self.too_long() } else { Found::More }
    }

    fn too_long(&self) -> Found {
        Found::Fault(if self.lines == 0 { Status::URI_TOO_LONG } else { Status::HEADERS_TOO_LARGE })
    }

    fn take(&mut self, octet: u8, limits: &Limits) -> Found {
        match (octet, self.is_after_cr) {
            (b'\n', true) => return self.end_line(limits),
            // A line ends with CR LF. Who takes either alone for an end reads another request than we do.
            (b'\n', false) | (_, true) | (0, _) => return Found::Fault(Status::BAD_REQUEST),
            (b'\r', false) => self.is_after_cr = true,
            _ => self.line_len += 1,
        }
        if self.lines == 0 && self.line_len > limits.request_line_len {
            return Found::Fault(Status::URI_TOO_LONG);
        }
        Found::More
    }

    fn end_line(&mut self, limits: &Limits) -> Found {
        self.is_after_cr = false;
        let is_empty = core::mem::take(&mut self.line_len) == 0;
        if is_empty && self.lines > 0 {
            return Found::Head(self.start, self.at);
        }
        if is_empty {
            // RFC 9112 §2.2 (some clients send an empty line after a body).
            self.start = self.at;
            self.empty_lines += 1;
            let is_fine = self.empty_lines <= EMPTY_LINES;
            return if is_fine { Found::More } else { Found::Fault(Status::BAD_REQUEST) };
        }
        self.lines += 1;
        if self.lines > limits.fields + 1 {
            return Found::Fault(Status::HEADERS_TOO_LARGE);
        }
        Found::More
    }
}
