//! Listeners at several ports: a range of them, or all.

use core::ops::{RangeFull, RangeInclusive};

use super::error::ListenError;
use super::{ListenKey, Listener};
use crate::wire::{IpAddress, IpListenEndpoint};

/// Where a [`Listener`] listens: at a port, a range of ports, or all of them.
///
/// Whatever makes an [`IpListenEndpoint`] makes one with its port; `8_000..=8_999` and `..` make one with many, at any address,
/// and so does a pair of an address and one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenRange {
    /// The address; `None` for any of ours, of either family.
    pub addr: Option<IpAddress>,
    /// The ports, the last one included. They begin at 1 at least.
    pub ports: RangeInclusive<u16>,
}

impl<T: Into<IpListenEndpoint>> From<T> for ListenRange {
    fn from(endpoint: T) -> ListenRange {
        let IpListenEndpoint { addr, port } = endpoint.into();
        ListenRange { addr, ports: port..=port }
    }
}

impl From<RangeInclusive<u16>> for ListenRange {
    fn from(ports: RangeInclusive<u16>) -> ListenRange {
        ListenRange { addr: None, ports }
    }
}

/// All ports.
impl From<RangeFull> for ListenRange {
    fn from(_: RangeFull) -> ListenRange {
        (1..=u16::MAX).into()
    }
}

/// An unspecified address listens at any.
impl<T: Into<IpAddress>> From<(T, RangeInclusive<u16>)> for ListenRange {
    fn from((addr, ports): (T, RangeInclusive<u16>)) -> ListenRange {
        let addr = addr.into();
        ListenRange { addr: (!addr.is_unspecified()).then_some(addr), ports }
    }
}

/// All ports of an address.
impl<T: Into<IpAddress>> From<(T, RangeFull)> for ListenRange {
    fn from((addr, _): (T, RangeFull)) -> ListenRange {
        (addr, 1..=u16::MAX).into()
    }
}

/// The ports of a listener, the last one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    pub(super) fn one(port: u16) -> Ports {
        Ports { first: port, last: port }
    }

    pub(super) fn first(&self) -> u16 {
        self.first
    }

    /// How many they are, less one.
    fn width(&self) -> u16 {
        self.last - self.first
    }

    pub(super) fn contain(&self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// Whether a request can be for both, and neither has it from the other by being fewer.
    pub(super) fn clash(&self, other: &Ports) -> bool {
        self.width() == other.width() && self.first <= other.last && other.first <= self.last
    }

    /// All ranges are filed under port 0, at which nobody listens.
    pub(super) fn filed_at(&self) -> u16 {
        if self.width() == 0 { self.first } else { 0 }
    }
}

/// The ports of an endpoint, if they are some to listen at.
pub(super) fn ports(endpoint: &ListenRange) -> Option<Ports> {
    let (first, last) = endpoint.ports.clone().into_inner();
    (first > 0 && !endpoint.ports.is_empty()).then_some(Ports { first, last })
}

/// The endpoint, if it has one port.
pub(crate) fn single(endpoint: ListenRange) -> Result<IpListenEndpoint, ListenError> {
    let (port, last) = endpoint.ports.into_inner();
    let endpoint = IpListenEndpoint { addr: endpoint.addr, port };
    if port == last { Ok(endpoint) } else { Err(ListenError::Unaddressable) }
}

impl ListenKey {
    /// Who has the lowest rank has the request: the fewest ports, and among as many an address before any.
    pub(crate) fn rank(&self) -> u32 {
        u32::from(self.ports.width()) << 1 | u32::from(self.is_any())
    }
}

impl Listener<'_> {
    /// The ports that it listens at.
    pub fn listen_ports(&self) -> Option<RangeInclusive<u16>> {
        self.listen_key().map(|key| key.ports.first..=key.ports.last)
    }
}
