//! A request's body, piece by piece (RFC 9112 §6, §7.1).

use super::request::Framing;
use super::status::Status;
use crate::config;

/// How much of a body is still to come.
#[derive(Debug)]
pub(super) struct Body {
    rest: Rest,
    /// Octets that may yet come.
    quota: usize,
}

#[derive(Debug)]
enum Rest {
    Length(usize),
    Chunks(Chunks),
}

impl Body {
    /// Of a request with this framing. A body of more than `most` octets is refused.
    pub(super) fn new(framing: Framing, most: usize) -> Result<Body, Status> {
        let rest = match framing {
            Framing::None => Rest::Length(0),
            Framing::Length(len) if len > most => return Err(Status::CONTENT_TOO_LARGE),
            Framing::Length(len) => Rest::Length(len),
            Framing::Chunked => Rest::Chunks(Chunks::new()),
        };
        Ok(Body { rest, quota: most })
    }

    pub(super) fn is_over(&self) -> bool {
        match &self.rest {
            Rest::Length(len) => *len == 0,
            Rest::Chunks(chunks) => matches!(chunks.at, At::End),
        }
    }

    /// Reads on in `input`: how many octets of it that took, and which of them are data. Without data it
    /// took all, or the body is over.
    pub(super) fn take<'i>(&mut self, input: &'i [u8]) -> Result<(usize, &'i [u8]), Status> {
        let (used, data) = match &mut self.rest {
            Rest::Length(left) => {
                let len = input.len().min(*left);
                *left -= len;
                (len, input.get(..len).unwrap_or_default())
            }
            Rest::Chunks(chunks) => chunks.take(input, self.quota)?,
        };
        // A body of known length was measured before.
        self.quota = self.quota.checked_sub(data.len()).ok_or(Status::CONTENT_TOO_LARGE)?;
        Ok((used, data))
    }
}

/// What the next octet is.
#[derive(Debug, Clone, Copy)]
enum At {
    /// A digit of a chunk's size, of which there were so many.
    Size(u8),
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// In the trailer section, in a line of so many octets.
    Trailer(usize),
    TrailerLf(usize),
    End,
}

/// Reads chunks.
#[derive(Debug)]
struct Chunks {
    at: At,
    /// Octets of this chunk that are still to come.
    left: usize,
    /// Octets that extensions and trailers may yet have.
    slack: usize,
}

impl Chunks {
    fn new() -> Chunks {
        Chunks { at: At::Size(0), left: 0, slack: config::HTTP_CHUNK_SLACK }
    }

    /// As [`Body::take`]; no chunk has more than `quota` octets left.
    fn take<'i>(&mut self, input: &'i [u8], quota: usize) -> Result<(usize, &'i [u8]), Status> {
        let mut used = 0;
        while let Some(&octet) = input.get(used) {
            match self.at {
                At::End => break,
                At::Data => {
                    let rest = input.get(used..).unwrap_or_default();
                    let len = rest.len().min(self.left);
                    self.left -= len;
                    if self.left == 0 {
                        self.at = At::DataCr;
                    }
                    return Ok((used + len, rest.get(..len).unwrap_or_default()));
                }
                _ => self.at = self.framing(octet).ok_or(Status::BAD_REQUEST)?,
            }
            if matches!(self.at, At::Data) && self.left > quota {
                return Err(Status::CONTENT_TOO_LARGE);
            }
            used += 1;
        }
        Ok((used, &[]))
    }

    /// An octet that is no data. `None` if it may not be there.
    fn framing(&mut self, octet: u8) -> Option<At> {
        match (self.at, octet) {
            // RFC 9112 §7.1 (a size that overflows must not become a small one).
            (At::Size(count @ 0..=7), digit) if digit.is_ascii_hexdigit() => {
                let digit = char::from(digit).to_digit(16)?;
                self.left = self.left.checked_mul(16)?.checked_add(digit as usize)?;
                Some(At::Size(count + 1))
            }
            (At::Size(1..), b'\r') | (At::Extension, b'\r') => Some(At::SizeLf),
            // RFC 9112 §7.1.1 (extensions that are not known are passed over).
            (At::Size(1..), b';' | b' ' | b'\t') => Some(At::Extension),
            (At::Extension, _) => self.pass(octet, At::Extension),
            (At::SizeLf, b'\n') if self.left == 0 => Some(At::Trailer(0)),
            (At::SizeLf, b'\n') => Some(At::Data),
            (At::DataCr, b'\r') => Some(At::DataLf),
            (At::DataLf, b'\n') => Some(At::Size(0)),
            // RFC 9112 §7.1.2 (and so are trailers).
            (At::Trailer(len), b'\r') => Some(At::TrailerLf(len)),
            (At::Trailer(len), _) => self.pass(octet, At::Trailer(len + 1)),
            (At::TrailerLf(0), b'\n') => Some(At::End),
            (At::TrailerLf(_), b'\n') => Some(At::Trailer(0)),
            _ => None,
        }
    }

    /// An octet that nobody reads, as long as it is text and there are not too many.
    fn pass(&mut self, octet: u8, next: At) -> Option<At> {
        self.slack = self.slack.checked_sub(1)?;
        Some(next).filter(|_| octet == b'\t' || (octet >= b' ' && octet != 0x7f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All data of a chunked body that comes in pieces of `step` octets, and what follows it.
    fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, usize), Status> {
        let mut body = Body::new(Framing::Chunked, 100).unwrap();
        let (mut data, mut at) = (Vec::new(), 0);
        while !body.is_over() && at < input.len() {
            let piece = &input[at..(at + step).min(input.len())];
            let (used, octets) = body.take(piece)?;
            data.extend(octets);
            at += used;
        }
        assert!(body.is_over(), "it goes on");
        Ok((data, input.len() - at))
    }

    /// Covers: RFC 9112 §7.1
    #[test]
    fn chunks_become_data_however_they_are_cut() {
        let input =
            b"4\r\nWiki\r\n06;a=\"b\"\r\npedia \r\nA \r\n0123456789\r\n000\r\nTrailer: x\r\nB:\r\n\r\nNext";
        for step in 1..input.len() {
            assert_eq!(decode(input, step), Ok((b"Wikipedia 0123456789".to_vec(), 4)), "{step}");
        }
    }

    /// Covers: RFC 9112 §7.1
    #[test]
    fn chunks_that_can_be_read_in_two_ways_are_refused() {
        for bad in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x1\r\n",
            b" 1\r\n",
            b"1\n",
            b"1\rX",
            b"1\r\nab",
            b"1\r\na\n",
            b"1\r\na\rb",
            b"123456789\r\n",
            b"0\r\n\n",
            b"0\r\nA\n",
            b"0\r\nA: \x00",
            b"1;\x01\r\n",
            b"1\r\na\r\n\r\n",
            b";\r\n",
        ] {
            for step in [1, bad.len()] {
                assert_eq!(decode(bad, step), Err(Status::BAD_REQUEST), "{bad:?}");
            }
        }
    }

    #[test]
    fn endless_extensions_trailers_and_data_are_cut() {
        let extension = [b"1;".to_vec(), vec![b'x'; config::HTTP_CHUNK_SLACK + 1]].concat();
        assert_eq!(decode(&extension, 99), Err(Status::BAD_REQUEST));
        let trailer = [b"0\r\n".to_vec(), b"A:\r\n".repeat(config::HTTP_CHUNK_SLACK)].concat();
        assert_eq!(decode(&trailer, 99), Err(Status::BAD_REQUEST));
        let data = b"20\r\n01234567012345670123456701234567\r\n".repeat(4);
        assert_eq!(decode(&data, 9), Err(Status::CONTENT_TOO_LARGE));
    }
}
