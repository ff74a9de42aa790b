//! Just enough of rtnetlink (RFC 3549, rtnetlink(7)) to make links and give them addresses and routes.
//!
//! A message is built octet by octet and sent; the kernel's acknowledgement says how it went. All
//! numbers are in the host's byte order, all parts padded to four octets.

use std::io;
use std::os::fd::OwnedFd;

use super::call;

/// `IFLA_IFNAME`, rtnetlink(7).
pub(super) const IFLA_IFNAME: u16 = 3;
/// `IFLA_MTU`.
pub(super) const IFLA_MTU: u16 = 4;
/// `IFLA_LINKINFO`.
pub(super) const IFLA_LINKINFO: u16 = 18;
/// `IFLA_INFO_KIND`, within `IFLA_LINKINFO`.
pub(super) const IFLA_INFO_KIND: u16 = 1;
/// `IFLA_INFO_DATA`, within `IFLA_LINKINFO`.
pub(super) const IFLA_INFO_DATA: u16 = 2;
/// `VETH_INFO_PEER`, within `IFLA_INFO_DATA`.
pub(super) const VETH_INFO_PEER: u16 = 1;
/// `IFA_ADDRESS`.
pub(super) const IFA_ADDRESS: u16 = 1;
/// `IFA_LOCAL`.
pub(super) const IFA_LOCAL: u16 = 2;
/// `RTA_DST`.
pub(super) const RTA_DST: u16 = 1;
/// `RTA_OIF`.
pub(super) const RTA_OIF: u16 = 4;
/// `RTA_GATEWAY`.
pub(super) const RTA_GATEWAY: u16 = 5;

const HEADER_LEN: usize = 16;

/// A request under construction.
#[derive(Debug)]
pub(super) struct Request {
    octets: Vec<u8>,
}

impl Request {
    /// `kind` is `RTM_…`; `flags` are added to `NLM_F_REQUEST | NLM_F_ACK`.
    pub(super) fn new(kind: u16, flags: i32) -> Request {
        let flags = (flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        let mut octets = vec![0; HEADER_LEN];
        octets[4..6].copy_from_slice(&kind.to_ne_bytes());
        octets[6..8].copy_from_slice(&flags.to_ne_bytes());
        octets[8..12].copy_from_slice(&1_u32.to_ne_bytes());
        Request { octets }
    }

    /// `struct ifinfomsg`: which link, and flags to set among those in `change`.
    pub(super) fn link(mut self, index: u32, flags: u32, change: u32) -> Request {
        self.octets.extend([0; 4]);
        for word in [index, flags, change] {
            self.octets.extend(word.to_ne_bytes());
        }
        self
    }

    /// Plain octets, a multiple of four.
    pub(super) fn octets(mut self, octets: &[u8]) -> Request {
        self.octets.extend_from_slice(octets);
        self
    }

    /// An attribute with a value.
    pub(super) fn attribute(self, kind: u16, value: &[u8]) -> Request {
        self.nest(kind, |request| request.octets(value))
    }

    /// An attribute with a string and its zero.
    pub(super) fn string(self, kind: u16, value: &str) -> Request {
        self.nest(kind, |request| request.octets(value.as_bytes()).octets(&[0]))
    }

    /// An attribute with what `fill` adds.
    pub(super) fn nest(mut self, kind: u16, fill: impl FnOnce(Request) -> Request) -> Request {
        let start = self.octets.len();
        self.octets.extend([0; 2]);
        self.octets.extend(kind.to_ne_bytes());
        self = fill(self);
        let len = (self.octets.len() - start) as u16;
        self.octets[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
        self
    }

    /// Sends the request and waits for the kernel's word on it.
    pub(super) fn send(mut self) -> io::Result<()> {
        let len = self.octets.len() as u32;
        self.octets[..4].copy_from_slice(&len.to_ne_bytes());
        let socket = call::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
        call::send(&socket, &self.octets)?;
        acknowledgement(&socket)
    }
}

fn acknowledgement(socket: &OwnedFd) -> io::Result<()> {
    let mut answer = [0; 4096];
    let len = call::receive(socket, &mut answer)?;
    match parse_acknowledgement(&answer[..len]) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::from(io::ErrorKind::InvalidData)),
    }
}

/// The code of an `NLMSG_ERROR`: zero, or a negative error number.
fn parse_acknowledgement(answer: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(*answer.get(4..)?.first_chunk()?);
    let code = i32::from_ne_bytes(*answer.get(HEADER_LEN..)?.first_chunk()?);
    (i32::from(kind) == libc::NLMSG_ERROR).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_nest_with_their_lengths_and_padding() {
        let request = Request::new(16, 0).nest(18, |r| r.string(1, "veth"));
        // The inner one is 4 + "veth\0" = 9 octets, padded to 12; the outer one counts the padding.
        let lengths_and_kinds = [16_u16, 18, 9, 1].map(u16::to_ne_bytes);
        assert_eq!(&request.octets[HEADER_LEN..HEADER_LEN + 8], lengths_and_kinds.as_flattened());
        assert_eq!(&request.octets[HEADER_LEN + 8..], b"veth\0\0\0\0");
    }

    #[test]
    fn short_answers_are_no_acknowledgement() {
        let mut answer = [0; 20];
        answer[4..6].copy_from_slice(&2_u16.to_ne_bytes());
        answer[16..20].copy_from_slice(&(-1_i32).to_ne_bytes());
        assert_eq!(parse_acknowledgement(&answer), Some(-1));
        for len in 0..20 {
            assert_eq!(parse_acknowledgement(&answer[..len]), None);
        }
    }
}
