//! Where somebody listens: what requests are demultiplexed by.

use super::error::ListenError;
use super::listen_range::Ports;
use super::to_addr;
use crate::socket::Bound;
use crate::wire::{Addr, IpAddress, IpListenEndpoint};

/// Address, ports and interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListenKey {
    /// Unspecified: any of ours.
    pub(super) addr: Addr,
    pub(super) ports: Ports,
    pub(super) bound: Bound,
}

impl ListenKey {
    /// `ports` is none if they are no ports to listen at.
    pub(super) fn new(
        ports: Option<Ports>,
        addr: Option<IpAddress>,
        bound: Bound,
    ) -> Result<ListenKey, ListenError> {
        let ports = ports.ok_or(ListenError::Unaddressable)?;
        let addr = match addr {
            Some(addr) => to_addr(addr).ok_or(ListenError::FamilyNotBuiltIn)?,
            None => Addr::UNSPECIFIED,
        };
        Ok(ListenKey { addr, ports, bound })
    }

    /// With the first of its ports.
    pub(crate) fn endpoint(&self) -> IpListenEndpoint {
        IpListenEndpoint { addr: (!self.is_any()).then(|| self.addr.into()), port: self.ports.first() }
    }

    /// The port that it is filed under.
    pub(crate) fn filed_at(&self) -> u16 {
        self.ports.filed_at()
    }

    /// Whether it is for any address of ours.
    pub(crate) fn is_any(&self) -> bool {
        self.addr.is_unspecified()
    }

    /// Whether it is for what comes by one interface only.
    #[cfg(feature = "socket-interface")]
    pub(crate) fn is_tied(&self) -> bool {
        self.bound != Bound::ANY
    }

    /// Whether it is for requests to this end that come by this interface.
    pub(crate) fn takes(&self, addr: &Addr, port: u16, interface: usize) -> bool {
        self.ports.contain(port) && (self.is_any() || self.addr == *addr) && self.bound.admits(interface)
    }

    /// Whether a request can be for both, and neither says more precisely whom it is for.
    pub(crate) fn overlaps(&self, other: &ListenKey) -> bool {
        let same_addr = self.is_any() || other.is_any() || self.addr == other.addr;
        self.ports.clash(&other.ports) && same_addr && self.bound.overlaps(other.bound)
    }
}
