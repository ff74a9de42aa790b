//! Without `iface-path-mtu` datagrams are cut for the link alone.

#[cfg(feature = "icmp-errors")]
use super::icmp_error::Quote;
#[cfg(feature = "icmp-errors")]
use super::ingress::Ingress;
use crate::time::Ticks;
use crate::wire::Addr;

#[derive(Debug)]
pub(crate) struct Paths;

impl Paths {
    pub(crate) const fn new() -> Paths {
        Paths
    }

    #[inline]
    #[cfg_attr(not(feature = "iface-fragments"), allow(dead_code, reason = "nothing is cut"))]
    pub(crate) fn mtu_to(&self, _dst: &Addr, _now: Ticks) -> Option<usize> {
        None
    }
}

#[cfg(feature = "icmp-errors")]
impl Ingress<'_, '_, '_, '_, '_> {
    #[inline]
    pub(crate) fn learn_path(&mut self, _quote: &Quote<'_>, _mtu: u32, _is_told: bool) {}
}
