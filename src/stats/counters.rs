//! What is counted for SNMP: as little as the rest follows from.
//!
//! A packet on the usual way moves few counters: those of its family and its protocol, which see every one.
//! All else is counted where packets leave that way, which is rare, and [`Mib`](super::Mib) derives what SNMP
//! asks for. All wrap, and so do the sums.
//!
//! What SNMP may want as Counter64 is a `u64` here. A machine of 32 bits keeps it as two words, and adds with carry; it
//! can't be read half old and half new, because who counts and who reads has the interface for itself.

use super::{Count, DropReason, IpCount};
use crate::wire::IpProtocol;

/// Message types that are told apart, and one more for all others.
pub(super) const ICMP_TYPES: usize = 16;

/// One interface's counters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Counters {
    counts: [u64; Count::Last as usize],
    /// Of IPv6, then of IPv4.
    ip: [[u64; IpCount::Last as usize]; 2],
    icmp_in: [[u32; ICMP_TYPES]; 2],
    icmp_out: [[u32; ICMP_TYPES]; 2],
}

impl Counters {
    pub(super) const fn new() -> Counters {
        Counters {
            counts: [0; Count::Last as usize],
            ip: [[0; IpCount::Last as usize]; 2],
            icmp_in: [[0; ICMP_TYPES]; 2],
            icmp_out: [[0; ICMP_TYPES]; 2],
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, count: Count, by: usize) {
        let counter = &mut self.counts[count as usize];
        *counter = counter.wrapping_add(sign_extended(by));
    }

    #[inline]
    pub(crate) fn add_ip(&mut self, is_v4: bool, count: IpCount, by: usize) {
        let counter = &mut self.ip[usize::from(is_v4)][count as usize];
        *counter = counter.wrapping_add(sign_extended(by));
    }

    #[inline(never)]
    pub(crate) fn on_icmp_received(&mut self, is_v4: bool, kind: u8) {
        let counter = &mut self.icmp_in[usize::from(is_v4)][place_of(is_v4, kind)];
        *counter = counter.wrapping_add(1);
    }

    #[inline(never)]
    pub(crate) fn on_icmp_sent(&mut self, is_v4: bool, kind: u8) {
        let counter = &mut self.icmp_out[usize::from(is_v4)][place_of(is_v4, kind)];
        *counter = counter.wrapping_add(1);
    }

    /// A packet of this many octets was counted as sent, but waits in the pool.
    pub(crate) fn on_queued_as_sent(&mut self, is_v4: bool, len: usize) {
        let [octets, transmits] = [IpCount::OutOctets, IpCount::OutTransmits].map(|count| count as usize);
        let ip = &mut self.ip[usize::from(is_v4)];
        ip[octets] = ip[octets].wrapping_sub(len as u64);
        ip[transmits] = ip[transmits].wrapping_sub(1);
        self.add_ip(is_v4, IpCount::Queued, 1);
    }

    /// A received packet gets to no protocol here, for this reason.
    #[inline(never)]
    pub(crate) fn on_refused(&mut self, is_v4: bool, reason: DropReason) {
        let count = match reason {
            DropReason::Truncated => IpCount::InTruncatedPkts,
            DropReason::NoRoute => IpCount::InNoRoutes,
            DropReason::UnknownProtocol => IpCount::InUnknownProtos,
            DropReason::Malformed
            | DropReason::Checksum
            | DropReason::HopLimit
            | DropReason::ExtensionHeaders
            | DropReason::BadNeighborMessage => IpCount::InHdrErrors,
            DropReason::NotOurAddress
            | DropReason::BadSource
            | DropReason::NotForwarded
            | DropReason::SpoofedSource => IpCount::InAddrErrors,
            // There was a way, and the port there could not take it.
            DropReason::TooBig | DropReason::NeighborUnreachable => IpCount::InForwDatagrams,
            _ => IpCount::InDiscards,
        };
        self.add_ip(is_v4, count, 1);
    }

    /// A protocol here has dropped what it was given.
    #[inline(never)]
    pub(crate) fn on_undelivered(&mut self, protocol: IpProtocol, is_v4: bool, reason: DropReason) {
        use DropReason::{Checksum, Malformed, NoSocket, Truncated};
        let is_broken = matches!(reason, Truncated | Malformed | Checksum);
        match protocol {
            IpProtocol::TCP if is_broken => self.add(Count::TcpInErrs, 1),
            IpProtocol::UDP if reason == NoSocket => self.add(Count::UdpNoPorts, 1),
            IpProtocol::UDP => self.add(Count::UdpInErrors, 1),
            IpProtocol::UDP_LITE if reason == NoSocket => self.add(Count::UdpLiteNoPorts, 1),
            IpProtocol::UDP_LITE => self.add(Count::UdpLiteInErrors, 1),
            IpProtocol::ICMP | IpProtocol::ICMPV6
                if is_broken || reason == DropReason::BadNeighborMessage =>
            {
                self.add_ip(is_v4, IpCount::IcmpInErrors, 1);
            }
            _ => {}
        }
    }

    /// A packet to be sent is lost on its way to the device, for this reason.
    #[inline(never)]
    pub(crate) fn on_unsent(&mut self, is_v4: bool, reason: DropReason) {
        let is_lost = matches!(reason, DropReason::NoRoute);
        self.add_ip(is_v4, if is_lost { IpCount::OutNoRoutes } else { IpCount::OutDiscards }, 1);
        self.on_lost(reason, 1);
    }

    /// So many that the interface had to send have gone no further, for this reason; others are no matter of the
    /// interface.
    #[inline(never)]
    pub(crate) fn on_lost(&mut self, reason: DropReason, count: usize) {
        match reason {
            DropReason::DeviceBusy | DropReason::QueueFull => self.add(Count::OutDiscards, count),
            DropReason::LinkDown | DropReason::NeighborUnreachable | DropReason::TooBig => {
                self.add(Count::OutErrors, count);
            }
            _ => {}
        }
    }

    #[inline]
    pub(super) fn of(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    #[inline]
    pub(super) fn of_ip(&self, is_v4: bool, count: IpCount) -> u64 {
        self.ip[usize::from(is_v4)][count as usize]
    }

    /// Messages received and sent, by the places of their types.
    pub(super) fn icmp(&self, is_v4: bool) -> (&[u32; ICMP_TYPES], &[u32; ICMP_TYPES]) {
        (&self.icmp_in[usize::from(is_v4)], &self.icmp_out[usize::from(is_v4)])
    }
}

/// What is taken back is added as a negative number.
#[inline]
fn sign_extended(by: usize) -> u64 {
    by as isize as u64
}

/// Where a type of ICMP or ICMPv6 is counted.
pub(super) fn place_of(is_v4: bool, kind: u8) -> usize {
    let place = match (is_v4, kind) {
        (true, 0..15) => kind,
        (false, 1..=4) => kind - 1,
        (false, 128..=137) => kind - 124,
        (false, 143) => 14,
        _ => 15,
    };
    usize::from(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counter64, also where a word has 32 bits; a packet that was not sent after all is taken back.
    #[test]
    fn counts_go_on_beyond_32_bits() {
        let mut counters = Counters::new();
        for _ in 0..3 {
            counters.add_ip(true, IpCount::OutOctets, 0x7fff_ffff);
            counters.add(Count::InOctets, 0x7fff_ffff);
            counters.add_ip(true, IpCount::OutTransmits, 1);
        }
        assert_eq!(counters.of(Count::InOctets), 0x1_7fff_fffd);
        assert_eq!(counters.of_ip(true, IpCount::OutOctets), 0x1_7fff_fffd);
        counters.on_queued_as_sent(true, 0x7fff_ffff);
        assert_eq!(counters.of_ip(true, IpCount::OutOctets), 0xffff_fffe);
        counters.add_ip(true, IpCount::OutOctets, usize::MAX);
        assert_eq!(counters.of_ip(true, IpCount::OutOctets), 0xffff_fffd);
        assert_eq!(counters.of_ip(true, IpCount::OutTransmits), 2);
    }
}
