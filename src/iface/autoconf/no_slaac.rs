//! Without `iface-slaac` IPv6 is configured by the application.

use crate::iface::interface::Interface;
use crate::iface::links::Out;
use crate::rand::Keys;
use crate::time::{Instant, Ticks};
use crate::wire::{Addr, IpAddress};

pub(super) struct Slaac;

impl Slaac {
    pub(super) const fn new() -> Slaac {
        Slaac
    }

    #[inline]
    pub(super) fn poll_at(&self, _now: Instant, _is_up: bool) -> Option<Ticks> {
        None
    }

    #[cfg(feature = "iface-dhcp")]
    #[inline]
    pub(super) fn mtu(&self) -> Option<u16> {
        None
    }
}

impl Interface<'_> {
    #[inline]
    #[cfg_attr(not(all(feature = "proto-ipv6", feature = "medium-ethernet")), allow(dead_code))]
    pub(in crate::iface) fn hear_host(&mut self, _addr: &Addr) {}

    #[inline]
    pub(super) fn heeds_routers(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn advertised_servers(&self) -> impl Iterator<Item = IpAddress> {
        [].into_iter()
    }

    #[inline]
    pub(super) fn run_slaac(&mut self, _now: Instant, _out: &mut Out<'_>, _keys: &Keys) {}

    #[cfg(feature = "iface-forward")]
    #[inline]
    pub(in crate::iface) fn on_end_of_forwarding(&mut self) {}

    #[inline]
    pub(super) fn restart_slaac(&mut self, _is_up: bool) {}
}
