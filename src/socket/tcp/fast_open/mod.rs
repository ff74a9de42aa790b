//! TCP Fast Open (RFC 7413): data goes with the SYN, and is answered a round trip earlier.
//!
//! A client first asks for a cookie, which proves at the next time that its address is its own:
//!
//! ```text
//!   client                                     server
//!   SYN, asks for a cookie ------------------------->
//!    <--------------------------- SYN-ACK with a cookie
//!     ...
//!   SYN with the cookie, request -------------------->  the application reads the request
//!    <------------- SYN-ACK, acknowledges the request
//!    <------------------------------------- answer
//!   ACK --------------------------------------------->  established
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `mod` | the option, and what a connection knows of it |
//! | `active` | clients: which cookie and how much data goes with a SYN, and what came of it |
//! | `passive` | listeners: cookies, and how many connections may be open that nobody has acknowledged |
//! | `opening` | connections that begin with data |

#[cfg_attr(not(feature = "tcp-connect"), path = "no_active.rs")]
mod active;
mod opening;
mod passive;

#[cfg(feature = "tcp-connect")]
pub use self::active::FastOpenCookie;
pub(super) use self::passive::Gate;
pub(crate) use self::passive::Request;
use crate::wire::tcpopt::{self, TcpOption};

/// Octets of the longest cookie.
const MAX_LEN: usize = 16;

/// The option of a SYN or SYN-ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cookie {
    /// Zeros behind the cookie.
    octets: [u8; MAX_LEN],
    /// [`NO_OPTION`], or 0 if a cookie is asked for, or its octets.
    len: u8,
}

const NO_OPTION: u8 = 0xff;

impl Cookie {
    /// There is no option.
    pub(crate) const NONE: Cookie = Cookie { octets: [0; MAX_LEN], len: NO_OPTION };

    /// A cookie of at most 16 octets; of none, it is asked for.
    fn new(cookie: &[u8]) -> Cookie {
        let mut octets = [0; MAX_LEN];
        octets.iter_mut().zip(cookie).for_each(|(to, from)| *to = *from);
        Cookie { octets, len: cookie.len().min(MAX_LEN) as u8 }
    }

    /// The first in an options area. RFC 7413 §4.1.1: one of another length than a cookie may have is none.
    fn read(area: &[u8]) -> Cookie {
        let mut options = tcpopt::Options::parse(area).into_iter().flatten();
        let cookie = options.find_map(|option| match option {
            TcpOption::FastOpen(cookie) => Some(Cookie::new(cookie)),
            _ => None,
        });
        cookie.unwrap_or(Cookie::NONE)
    }

    /// Whether a cookie is asked for.
    #[inline]
    #[cfg(feature = "tcp-connect")]
    pub(crate) fn is_request(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(super) fn is_there(&self) -> bool {
        self.len != NO_OPTION
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..self.len.into()).unwrap_or_default()
    }

    /// Octets of the option, with padding.
    #[inline]
    pub(super) fn buffer_len(&self) -> usize {
        if self.is_there() { (usize::from(self.len) + 2).next_multiple_of(4) } else { 0 }
    }

    /// Writes the option, if it is there, behind `before` octets of an options area.
    #[inline]
    pub(super) fn emit(&self, before: usize, area: &mut [u8]) {
        if self.is_there() {
            self.emit_at(before, area);
        }
    }

    #[cold]
    fn emit_at(&self, before: usize, area: &mut [u8]) {
        let Some(area) = area.get_mut(before..before + self.buffer_len()) else { return };
        area.fill(tcpopt::NOP);
        let option = TcpOption::FastOpen(self.octets());
        // The padding stands in front, as that of other options does.
        if let Some(out) = area.len().checked_sub(option.buffer_len()).and_then(|at| area.get_mut(at..)) {
            option.emit(out);
        }
    }
}

bitflags::bitflags! {
    /// Where an opening with data stands.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Stage: u16 {
        /// A listener's: nothing has acknowledged our SYN. SND.UNA is behind it, so that the send buffer begins there.
        const PENDING = 1;
        /// Its SYN-ACK is to be sent.
        const DUE = 1 << 1;
        /// It was sent before.
        const SENT = 1 << 2;
        /// It brings a new cookie, for the one that came is old.
        const RENEW = 1 << 3;
        /// A client's: the first SYN is to have the option.
        const ASKS = 1 << 4;
        /// It has had it.
        const ASKED = 1 << 5;
        /// And data.
        const DATA = 1 << 6;
        /// The server has taken some of that.
        const TAKEN = 1 << 7;
        /// It was not answered in time, and nobody knows of that yet.
        const LOST = 1 << 8;
    }
}

/// Whether the socket's next connection is to begin with data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice(
    #[cfg_attr(not(feature = "tcp-connect"), allow(dead_code, reason = "none connects"))] bool,
);

impl Choice {
    pub(super) const DEFAULT: Choice = Choice(false);
}

/// What a connection knows of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FastOpen(Stage);

impl FastOpen {
    pub(super) const NONE: FastOpen = FastOpen(Stage::empty());

    /// Whether it is open, and nothing has acknowledged our SYN.
    #[inline]
    pub(super) fn is_pending(self) -> bool {
        self.0.contains(Stage::PENDING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 7413 §4.1.1
    #[test]
    fn cookies_are_written_with_their_padding_in_front() {
        for (cookie, expected) in [
            (Cookie::NONE, &[][..]),
            (Cookie::new(&[]), &[1, 1, 34, 2]),
            (Cookie::new(&[1, 2, 3, 4]), &[1, 1, 34, 6, 1, 2, 3, 4]),
            (Cookie::new(&[1, 2, 3, 4, 5, 6]), &[34, 8, 1, 2, 3, 4, 5, 6]),
        ] {
            let mut area = [0xff; 12];
            cookie.emit(2, &mut area);
            let len = cookie.buffer_len();
            assert_eq!(&area[2..2 + len], expected);
            assert!(area[..2].iter().chain(&area[2 + len..]).all(|&octet| octet == 0xff));
            assert_eq!(Cookie::read(&area[2..2 + len]), cookie);
            // There is always room; where there is none, nothing is written.
            cookie.emit(12, &mut area);
        }
        let longest: Vec<u8> = (0..16).collect();
        let mut area = [0xff; 20];
        Cookie::new(&longest).emit(0, &mut area);
        assert_eq!(Cookie::read(&area), Cookie::new(&longest));
    }

    /// Covers: RFC 7413 §4.1.1
    #[test]
    fn what_has_no_length_of_a_cookie_is_none() {
        for len in 0..=18_u8 {
            let area: Vec<u8> = [34, len + 2].into_iter().chain(0..len).collect();
            let is_cookie = matches!(len, 0 | 4 | 6 | 8 | 10 | 12 | 14 | 16);
            assert_eq!(Cookie::read(&area).is_there(), is_cookie, "{len}");
        }
        assert_eq!(Cookie::read(&[34, 9, 1]), Cookie::NONE);
        assert_eq!(Cookie::read(&[34, 2, 34, 6, 1, 2, 3, 4]), Cookie::new(&[]), "the first counts");
    }
}
