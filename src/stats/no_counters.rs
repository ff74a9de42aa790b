//! Nothing is counted for SNMP: the feature `stats-mib` is not built in.

use super::{Count, DropReason, IpCount};
use crate::wire::IpProtocol;

/// No counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counters;

impl Counters {
    pub(super) const fn new() -> Counters {
        Counters
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, _count: Count, _by: usize) {}

    #[inline(always)]
    pub(crate) fn add_ip(&mut self, _is_v4: bool, _count: IpCount, _by: usize) {}

    #[inline(always)]
    pub(crate) fn on_icmp_received(&mut self, _is_v4: bool, _kind: u8) {}

    #[inline(always)]
    pub(crate) fn on_icmp_sent(&mut self, _is_v4: bool, _kind: u8) {}

    #[inline(always)]
    pub(crate) fn on_queued_as_sent(&mut self, _is_v4: bool, _len: usize) {}

    #[inline(always)]
    pub(crate) fn on_refused(&mut self, _is_v4: bool, _reason: DropReason) {}

    #[inline(always)]
    pub(crate) fn on_undelivered(&mut self, _protocol: IpProtocol, _is_v4: bool, _reason: DropReason) {}

    #[inline(always)]
    pub(crate) fn on_unsent(&mut self, _is_v4: bool, _reason: DropReason) {}

    #[inline(always)]
    pub(crate) fn on_lost(&mut self, _reason: DropReason, _count: usize) {}
}
