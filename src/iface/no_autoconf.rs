//! Without `iface-dad` an interface has the addresses that it is given, at once and for ever.

use super::interface::Interface;
use super::links::Links;
use crate::rand::Keys;
use crate::stats::DropReason;
use crate::time::{Instant, Ticks};
use crate::wire::Addr;

pub(crate) struct Autoconf;

impl Autoconf {
    pub(crate) fn new() -> Autoconf {
        Autoconf
    }

    #[inline]
    pub(crate) fn is_due(&self, _now: Ticks) -> bool {
        false
    }

    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        true
    }

    #[inline]
    pub(crate) fn earlier(&self, at: Option<Instant>, _now: Instant) -> Option<Instant> {
        at
    }

    #[inline]
    pub(crate) fn has_deprecated(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn is_in_group(&self, _group: &[u8; 16]) -> bool {
        false
    }

    #[cfg(feature = "iface-multicast")]
    pub(crate) fn probed(&self) -> impl Iterator<Item = &Addr> {
        [].into_iter()
    }

    #[inline]
    pub(crate) fn is_deprecated(&self, _own: &Addr) -> bool {
        false
    }

    #[inline]
    pub(super) fn forget(&mut self, _addr: &Addr) -> bool {
        false
    }
}

#[inline]
pub(crate) fn act(_links: &mut Links<'_, '_, '_>, _keys: &Keys) {}

impl Interface<'_> {
    #[inline]
    #[cfg_attr(not(all(feature = "proto-ipv6", feature = "medium-ethernet")), allow(dead_code))]
    pub(crate) fn hear_host(&mut self, _addr: &Addr) {}

    #[cfg(feature = "iface-forward")]
    #[inline]
    pub(super) fn on_end_of_forwarding(&mut self) {}

    #[inline]
    pub(super) fn reconfigure(&mut self, _is_up: bool) {}

    #[inline]
    pub(crate) fn hear_neighbor(
        &mut self,
        _keys: &Keys,
        _target: &Addr,
        _has_source: bool,
        _nonce: Option<&[u8]>,
    ) -> Option<Result<(), DropReason>> {
        None
    }

    #[inline]
    pub(crate) fn hear_advertised(&mut self, _target: &Addr) -> bool {
        false
    }

    #[inline]
    pub(crate) fn hear_arp(&mut self, _sender: &Addr, _target: &Addr, _hardware: &[u8; 6], _now: Ticks) {}
}
