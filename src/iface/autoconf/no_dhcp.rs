//! Without `iface-dhcp` nobody is asked for an IPv4 address.

use crate::iface::interface::Interface;
use crate::iface::links::Out;
use crate::rand::Keys;
use crate::time::{Instant, Ticks};
use crate::wire::IpAddress;

pub(super) struct Dhcp;

impl Dhcp {
    pub(super) const fn new() -> Dhcp {
        Dhcp
    }

    #[inline]
    pub(super) fn poll_at(&self, _now: Instant) -> Option<Ticks> {
        None
    }

    #[cfg(feature = "iface-slaac")]
    #[inline]
    pub(super) fn mtu(&self) -> Option<u16> {
        None
    }
}

impl Interface<'_> {
    #[inline]
    pub(super) fn run_dhcp(&mut self, _now: Instant, _out: &mut Out<'_>, _keys: &Keys) {}

    #[cfg(feature = "iface-autoip")]
    pub(super) fn dhcp_has_address(&self) -> bool {
        false
    }

    #[cfg(feature = "iface-autoip")]
    pub(super) fn dhcp_is_in_vain(&self) -> bool {
        true
    }

    #[inline]
    pub(super) fn lent_servers(&self) -> impl Iterator<Item = IpAddress> {
        [].into_iter()
    }

    #[inline]
    pub(super) fn dhcp_on_link(&mut self, _is_up: bool) {}
}
