//! What a request asks for (RFC 9112 §3.2), as a decoded path and a query.

use super::status::Status;

/// A path, decoded in place, and the query as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'r> {
    pub(super) path: &'r str,
    pub(super) query: Option<&'r str>,
}

/// Reads a target in origin form or absolute form.
pub(super) fn parse(target: &mut [u8]) -> Result<Target<'_>, Status> {
    // RFC 3986 §2: nothing else can be in a URI; and a fragment never leaves its client.
    if !target.iter().all(|octet| octet.is_ascii_graphic() && !b"#\\\"<>".contains(octet)) {
        return Err(Status::BAD_REQUEST);
    }
    let start = path_start(target).ok_or(Status::BAD_REQUEST)?;
    let (_, target) = target.split_at_mut_checked(start).ok_or(Status::BAD_REQUEST)?;
    let path_len = target.iter().position(|&octet| octet == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at_mut_checked(path_len).ok_or(Status::BAD_REQUEST)?;
    let query = match query.get(1..) {
        Some(query) => Some(core::str::from_utf8(query).map_err(|_| Status::BAD_REQUEST)?),
        None => None,
    };
    Ok(Target { path: decode(path)?, query })
}

/// Where the path begins: at once, or after scheme and authority (RFC 9112 §3.2.2).
fn path_start(target: &[u8]) -> Option<usize> {
    if target.first() == Some(&b'/') {
        return Some(0);
    }
    const SCHEME: &[u8] = b"http://";
    let scheme = target.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME))?;
    let authority = target.get(scheme.len()..)?;
    let end = authority.iter().position(|octet| matches!(octet, b'/' | b'?')).unwrap_or(authority.len());
    // RFC 9110 §4.2.1: a host that is empty is invalid; §4.2.4: and so is a user's name before it.
    let is_fine = end > 0 && authority.get(..end).is_some_and(super::fields::is_host);
    is_fine.then_some(scheme.len() + end)
}

/// Decodes a path in place. A path that leads elsewhere than it seems to is refused.
fn decode(path: &mut [u8]) -> Result<&str, Status> {
    let mut len = 0;
    let mut at = 0;
    while let Some(&octet) = path.get(at) {
        let is_encoded = octet == b'%';
        let octet =
            if is_encoded { encoded(path.get(at + 1..at + 3)).ok_or(Status::BAD_REQUEST)? } else { octet };
        // An encoded slash would be a name's part here and a separator there.
        if octet < b' ' || octet == 0x7f || (is_encoded && matches!(octet, b'/' | b'\\')) {
            return Err(Status::BAD_REQUEST);
        }
        *path.get_mut(len).ok_or(Status::BAD_REQUEST)? = octet;
        len += 1;
        at += if is_encoded { 3 } else { 1 };
    }
    let path = path.get(..len).unwrap_or_default(); // never longer than it was
    if path.is_empty() {
        return Ok("/");
    }
    if path.split(|&octet| octet == b'/').any(|segment| matches!(segment, b"." | b"..")) {
        return Err(Status::BAD_REQUEST);
    }
    core::str::from_utf8(path).map_err(|_| Status::BAD_REQUEST)
}

fn encoded(digits: Option<&[u8]>) -> Option<u8> {
    let &[high, low] = digits? else { return None };
    let digit = |octet: u8| char::from(octet).to_digit(16);
    Some((digit(high)? << 4 | digit(low)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(target: &str) -> Result<String, Status> {
        let mut octets = target.as_bytes().to_vec();
        parse(&mut octets).map(|target| [target.path, "|", target.query.unwrap_or("-")].concat())
    }

    /// Covers: RFC 9112 §3.2.1
    /// Covers: RFC 9112 §3.2.2
    #[test]
    fn targets_become_paths() {
        for (target, path) in [
            ("/", "/|-"),
            ("/a/b.html", "/a/b.html|-"),
            ("/a?b=%2f&c", "/a|b=%2f&c"),
            ("/?", "/|"),
            ("/caf%C3%A9%20au%20lait", "/café au lait|-"),
            ("/%41%2e%62", "/A.b|-"),
            ("//a", "//a|-"),
            ("/a..b/...", "/a..b/...|-"),
            ("http://host/a?b", "/a|b"),
            ("HTTP://[fd00::1]:80/", "/|-"),
            ("http://host", "/|-"),
            ("http://host?q", "/|q"),
        ] {
            assert_eq!(path_of(target).as_deref(), Ok(path), "{target}");
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for target in [
            "",
            "*",
            "a",
            "host:80",
            "https://host/",
            "ftp://host/",
            "http:///a",
            "http://a@b/",
            "http://a b/",
            "/..",
            "/../etc/passwd",
            "/a/../../b",
            "/%2e%2e/x",
            "/.%2E/x",
            "/a/.",
            "/./a",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a%00b",
            "/a%0d%0ab",
            "/a%7f",
            "/%",
            "/%4",
            "/%4g",
            "/%-1",
            "/a#b",
            "/caf\u{e9}",
            "/%ff",
            "/%c3",
            "/a\tb",
        ] {
            assert_eq!(path_of(target), Err(Status::BAD_REQUEST), "{target}");
        }
    }
}
