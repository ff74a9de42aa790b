//! Fields of a head (RFC 9110 §5, RFC 9112 §5): lines, names, values, lists.

use super::status::Status;

/// Whether an octet may be in a token (RFC 9110 §5.6.2).
pub(super) fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

/// Whether `octets` are a token.
pub(super) fn is_a_token(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(|&octet| is_token(octet))
}

/// Without the spaces and tabs at both ends.
pub(super) fn trim(octets: &[u8]) -> &[u8] {
    let is_text = |octet: &u8| !matches!(octet, b' ' | b'\t');
    let first = octets.iter().position(is_text).unwrap_or(octets.len());
    let end = octets.iter().rposition(is_text).map_or(first, |last| last + 1);
    octets.get(first..end).unwrap_or_default()
}

/// The first line of `octets`, and what follows it. All lines end with CR LF.
pub(super) fn split_line(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = octets.windows(2).position(|pair| pair == b"\r\n")?;
    Some((octets.get(..end)?, octets.get(end + 2..)?))
}

/// A field line's name and value.
///
/// A name is a token right before the colon. So there is no space before that (RFC 9112 §5.1), and a
/// line that begins with one is no continuation of the last (RFC 9112 §5.2) but malformed.
pub(super) fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), Status> {
    let colon = line.iter().position(|&octet| octet == b':').ok_or(Status::BAD_REQUEST)?;
    let (name, value) = line.split_at_checked(colon).ok_or(Status::BAD_REQUEST)?;
    let value = trim(value.get(1..).unwrap_or_default());
    let is_text = |&octet: &u8| octet == b'\t' || (octet >= b' ' && octet != 0x7f);
    if is_a_token(name) && value.iter().all(is_text) { Ok((name, value)) } else { Err(Status::BAD_REQUEST) }
}

/// The field lines of a head.
pub(super) fn lines(mut octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let (line, rest) = split_line(octets)?;
        octets = rest;
        Some(line).filter(|line| !line.is_empty())
    })
}

/// The elements of a list of tokens.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&octet| octet == b',').map(trim).filter(|element| !element.is_empty())
}

/// A decimal number. Not digits: a bad request; too large: too large a body.
pub(super) fn number(value: &[u8]) -> Result<usize, Status> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Status::BAD_REQUEST);
    }
    let add = |sum: usize, digit: &u8| sum.checked_mul(10)?.checked_add(usize::from(digit - b'0'));
    value.iter().try_fold(0, add).ok_or(Status::CONTENT_TOO_LARGE)
}

/// Whether a value is that of a Host field: a name or address, and perhaps a port (RFC 9110 §7.2).
pub(super) fn is_host(value: &[u8]) -> bool {
    let is_part = |&octet: &u8| octet.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&octet);
    value.iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_told_from_what_is_too_large() {
        assert_eq!(number(b"0"), Ok(0));
        assert_eq!(number(b"007"), Ok(7));
        assert_eq!(number(b"18446744073709551616"), Err(Status::CONTENT_TOO_LARGE));
        for bad in [&b""[..], b"+1", b"-1", b"1 2", b"0x1", b"1,1", b"\xb2"] {
            assert_eq!(number(bad), Err(Status::BAD_REQUEST), "{bad:?}");
        }
    }

    #[test]
    fn spaces_at_the_ends_are_no_part_of_a_value() {
        assert_eq!(split_field(b"A: \t b c \t"), Ok((&b"A"[..], &b"b c"[..])));
        assert_eq!(split_field(b"A:"), Ok((&b"A"[..], &b""[..])));
        assert_eq!(trim(b" \t "), b"");
        assert!(elements(b" a ,, b,").eq([&b"a"[..], b"b"]));
    }
}
