//! Conditions and ranges (RFC 9110 §13, §14).
//!
//! There is no clock, so nothing has a date: conditions on dates are passed over, as §13.1 wants. Of several
//! ranges none is served, but the whole (§14.2).

use super::fields::trim;
use super::request::Request;
use super::status::{Methods, Status};

/// What of a representation is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selected {
    Whole,
    /// From this octet, so many.
    Part(usize, usize),
    /// Nothing but this status.
    Nothing(Status),
}

/// What GET or HEAD of a representation of `len` octets gives.
pub(super) fn select(request: &Request<'_>, etag: &str, len: usize) -> Selected {
    // RFC 9110 §13.2.2 (the order).
    if let Some(status) = unmet(request, etag) {
        return Selected::Nothing(status);
    }
    let mut ranges = request.fields("range");
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Selected::Whole };
    // RFC 9110 §14.2 (of GET only), §13.1.5 (if it is still what the client has a part of).
    let is_same = |condition: &[u8]| is_strong(etag) && condition == etag.as_bytes();
    if request.method != Methods::GET || !request.fields("if-range").all(is_same) {
        return Selected::Whole;
    }
    part(range, len)
}

/// The status that a request whose conditions do not hold gets.
pub(super) fn unmet(request: &Request<'_>, etag: &str) -> Option<Status> {
    let exists = !etag.is_empty();
    let mut wanted = request.fields("if-match").peekable();
    // RFC 9110 §13.1.1 (by strong comparison).
    let is_same = |tag: &str| is_strong(etag) && tag == etag;
    if wanted.peek().is_some() && !wanted.any(|list| is_listed(list, exists, is_same)) {
        return Some(Status::PRECONDITION_FAILED);
    }
    // RFC 9110 §13.1.2 (by weak comparison).
    let is_alike = |tag: &str| exists && opaque(tag) == opaque(etag);
    if request.fields("if-none-match").any(|list| is_listed(list, exists, is_alike)) {
        let is_reading = Methods::READING.contains(request.method);
        return Some(if is_reading { Status::NOT_MODIFIED } else { Status::PRECONDITION_FAILED });
    }
    None
}

/// A tag without the mark of a weak one.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn is_strong(etag: &str) -> bool {
    etag.starts_with('"')
}

/// Whether a list of tags is `*`, and there is something, or has a tag that fits.
fn is_listed(list: &[u8], exists: bool, fits: impl Fn(&str) -> bool) -> bool {
    if trim(list) == b"*" {
        return exists;
    }
    let mut rest = list;
    core::iter::from_fn(|| next_tag(&mut rest)).any(fits)
}

/// The next tag of a list; a comma within its quotes is part of it.
fn next_tag<'l>(rest: &mut &'l [u8]) -> Option<&'l str> {
    let start = rest.iter().position(|octet| !matches!(octet, b' ' | b'\t' | b','))?;
    let list = rest.get(start..)?;
    let open = if list.starts_with(b"W/") { 2 } else { 0 };
    list.get(open).filter(|&&octet| octet == b'"')?;
    let close = list.get(open + 1..)?.iter().position(|&octet| octet == b'"')?;
    let (tag, after) = list.split_at_checked(open + close + 2)?;
    *rest = after;
    core::str::from_utf8(tag).ok()
}

/// The part that a Range field's value names. What can't be read is passed over (RFC 9110 §14.2).
fn part(range: &[u8], len: usize) -> Selected {
    let unit = range.get(..6).filter(|unit| unit.eq_ignore_ascii_case(b"bytes="));
    let set = range.get(6..).filter(|_| unit.is_some()).map(trim).unwrap_or_default();
    let Some(dash) = set.iter().position(|&octet| octet == b'-') else { return Selected::Whole };
    let (first, last) = (set.get(..dash).unwrap_or_default(), set.get(dash + 1..).unwrap_or_default());
    let (Some(first), Some(last)) = (position(first), position(last)) else { return Selected::Whole };
    let (first, end) = match (first, last) {
        (None, None) => return Selected::Whole,
        // RFC 9110 §14.1.2 (the last octets, all if there are fewer).
        (None, Some(count)) => (len.saturating_sub(count), len),
        (Some(first), None) => (first, len),
        (Some(first), Some(last)) if first > last => return Selected::Whole,
        (Some(first), Some(last)) => (first, last.saturating_add(1).min(len)),
    };
    if first >= end {
        return Selected::Nothing(Status::RANGE_NOT_SATISFIABLE);
    }
    Selected::Part(first, end - first)
}

/// A position, if it says one; `None` if it is no number. One beyond all is as good as the last.
fn position(digits: &[u8]) -> Option<Option<usize>> {
    if digits.is_empty() {
        return Some(None);
    }
    match super::fields::number(digits) {
        Err(Status::CONTENT_TOO_LARGE) => Some(Some(usize::MAX)),
        number => number.ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 9110 §14.1.2
    /// Covers: RFC 9110 §14.2
    #[test]
    fn a_range_is_a_part_or_nothing_or_passed_over() {
        const NONE: Selected = Selected::Nothing(Status::RANGE_NOT_SATISFIABLE);
        for (range, selected) in [
            ("bytes=0-0", Selected::Part(0, 1)),
            ("bytes=0-9", Selected::Part(0, 10)),
            ("BYTES=2-", Selected::Part(2, 8)),
            ("bytes=-3", Selected::Part(7, 3)),
            ("bytes=-30", Selected::Part(0, 10)),
            ("bytes=9-99999999999999999999999", Selected::Part(9, 1)),
            ("bytes=10-", NONE),
            ("bytes=10-11", NONE),
            ("bytes=-0", NONE),
            ("bytes=5-4", Selected::Whole),
            ("bytes=0-1,3-4", Selected::Whole),
            ("bytes=-", Selected::Whole),
            ("bytes=a-b", Selected::Whole),
            ("bytes=0", Selected::Whole),
            ("bytes", Selected::Whole),
            ("lines=0-1", Selected::Whole),
        ] {
            assert_eq!(part(range.as_bytes(), 10), selected, "{range}");
        }
        assert_eq!(part(b"bytes=0-", 0), NONE);
    }

    #[test]
    fn tags_are_told_apart_in_a_list() {
        let mut list = &br#""a,b", W/"c" ,"", x"#[..];
        let tags: Vec<_> = core::iter::from_fn(|| next_tag(&mut list)).collect();
        assert_eq!(tags, [r#""a,b""#, r#"W/"c""#, r#""""#]);
    }
}
