//! In place of forwarding where `iface-forward` is not built in: what is for others is dropped.

use super::ingress::{Ingress, Received};
use super::links::Links;
use crate::stats::DropReason;

/// Nothing is sent on.
#[cfg(feature = "iface-router")]
pub(crate) struct LastWay;

#[cfg(feature = "iface-router")]
impl LastWay {
    pub(crate) const NONE: LastWay = LastWay;

    pub(crate) fn forget(&mut self) {}
}

impl Ingress<'_, '_, '_, '_, '_> {
    /// There was none.
    #[inline]
    pub(crate) fn is_on_last_way(&self, _received: &Received<'_>) -> bool {
        false
    }

    /// It is for nobody here.
    #[inline]
    pub(crate) fn is_for_another_port(&mut self, _received: &Received<'_>) -> Result<bool, DropReason> {
        Err(DropReason::NotOurAddress)
    }

    /// Nothing leaves that is not ours.
    #[inline]
    pub(crate) fn forward(&mut self, _received: &Received<'_>) -> Result<usize, DropReason> {
        Err(DropReason::NotOurAddress)
    }
}

/// A neighbour does not answer: what waits for it is lost. Says how many packets there were.
#[inline]
pub(crate) fn give_up(links: &mut Links<'_, '_, '_>, port: usize, neighbor: usize) -> usize {
    let lost = links.with_port(port, |iface, _| iface.packets.clear(super::output::tag_of(neighbor)));
    lost.unwrap_or(0) // there is no such port, nor anything that waits there
}

#[cfg(any(feature = "iface-redirects", feature = "iface-slaac"))]
impl super::interface::Interface<'_> {
    #[inline]
    pub(crate) fn is_router(&self) -> bool {
        false
    }
}
