//! Without `iface-redirects` gateways are chosen by the routes alone.

use super::ingress::{Ingress, Received, Taken};
use super::neighbor::Hardware;
use super::route::Match;
use crate::time::Instant;
use crate::wire::Addr;

#[derive(Debug)]
pub(crate) struct Detours;

impl Detours {
    pub(crate) const fn new() -> Detours {
        Detours
    }

    #[inline]
    pub(crate) fn follow<'m>(
        &'m self,
        route: Option<Match<'m>>,
        _dst: &Addr,
        _now: Instant,
    ) -> Option<Match<'m>> {
        route
    }

    #[inline]
    pub(crate) fn forget_hop(&mut self, _first_hop: &Addr) {}

    #[inline]
    pub(crate) fn clear(&mut self) {}
}

impl Ingress<'_, '_, '_, '_, '_> {
    #[inline]
    pub(crate) fn redirected_v4(&mut self, _received: &Received<'_>, _gateway: u32, _data: &[u8]) -> Taken {
        Ok(())
    }

    #[inline]
    pub(crate) fn redirected_v6(
        &mut self,
        _received: &Received<'_>,
        _first_hop: &[u8; 16],
        _dst: &[u8; 16],
        _hardware: Option<Hardware>,
    ) -> Taken {
        Ok(())
    }
}
