//! UDP-Lite (RFC 3828): checksums that cover what the sender chose (feature `socket-udplite`).

use super::{PacketBuffer, Socket};
use crate::stats::DropReason;
use crate::wire::IpProtocol;
use crate::wire::udplite::HEADER_LEN;

/// What a socket covers, and wants covered.
#[derive(Debug)]
pub(crate) struct Lite {
    is_lite: bool,
    /// Octets from the header on; 0 for all.
    send_coverage: u16,
    recv_coverage: u16,
}

impl Lite {
    pub(super) const OFF: Lite = Lite { is_lite: false, send_coverage: 0, recv_coverage: 0 };
}

/// A coverage is 0, for all, or includes the header's eight octets; and only UDP-Lite has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoverageError;

impl core::fmt::Display for CoverageError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a coverage is 0, or at least 8, and of a UDP-Lite socket")
    }
}

impl core::error::Error for CoverageError {}

impl<'a> Socket<'a> {
    /// A socket that speaks UDP-Lite in place of UDP, not bound yet. Its ports have nothing to do with UDP's.
    pub fn new_lite(rx: PacketBuffer<'a>, tx: PacketBuffer<'a>) -> Socket<'a> {
        let mut socket = Socket::new(rx, tx);
        socket.lite.is_lite = true;
        socket
    }

    /// Whether it speaks UDP-Lite.
    pub fn is_lite(&self) -> bool {
        self.lite.is_lite
    }

    /// How many octets of each datagram the checksum covers that is sent from now on, the header's eight
    /// included; 0, as at first, for all.
    pub fn set_send_coverage(&mut self, octets: u16) -> Result<(), CoverageError> {
        self.lite.send_coverage = self.checked_coverage(octets)?;
        Ok(())
    }

    /// How many octets of a received datagram have to be covered at least, if not all are; others are dropped.
    /// 0, as at first, for no matter how many.
    pub fn set_recv_coverage(&mut self, octets: u16) -> Result<(), CoverageError> {
        self.lite.recv_coverage = self.checked_coverage(octets)?;
        Ok(())
    }

    fn checked_coverage(&self, octets: u16) -> Result<u16, CoverageError> {
        let is_right = self.is_lite() && (octets == 0 || usize::from(octets) >= HEADER_LEN);
        is_right.then_some(octets).ok_or(CoverageError)
    }

    #[inline]
    pub(crate) fn protocol(&self) -> IpProtocol {
        if self.lite.is_lite { IpProtocol::UDP_LITE } else { IpProtocol::UDP }
    }

    /// What stands in the header of a datagram of `len` octets in all.
    pub(crate) fn coverage_of(&self, len: usize) -> u16 {
        if usize::from(self.lite.send_coverage) < len { self.lite.send_coverage } else { 0 }
    }

    /// Whether enough of a datagram is covered; `None`: all.
    #[inline]
    pub(crate) fn check_coverage(&self, coverage: Option<u16>) -> Result<(), DropReason> {
        let is_covered = coverage.is_none_or(|coverage| coverage >= self.lite.recv_coverage);
        if is_covered { Ok(()) } else { Err(DropReason::Uncovered) }
    }
}
