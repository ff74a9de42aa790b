//! No connection is counted for SNMP: the feature `stats-mib` is not built in.

use super::Socket;

/// No counts.
#[derive(Debug)]
pub(super) struct Tally;

impl Tally {
    pub(super) const NONE: Tally = Tally;

    #[inline(always)]
    pub(super) fn on_passive_open(&mut self) {}

    #[inline(always)]
    pub(super) fn on_fails(&mut self, _count: usize) {}
}

/// No counts, of no state.
#[derive(Debug)]
pub(super) struct Watch;

impl Watch {
    pub(super) const NONE: Watch = Watch;
}

impl Socket<'_> {
    #[inline(always)]
    pub(super) fn note(&mut self) {}
}
