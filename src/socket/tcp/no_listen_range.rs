//! Without listeners at several ports: each has one.

use super::error::ListenError;
use crate::wire::IpListenEndpoint;

pub(crate) type ListenRange = IpListenEndpoint;

/// The port of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports(u16);

impl Ports {
    #[inline]
    pub(super) fn one(port: u16) -> Ports {
        Ports(port)
    }

    #[inline]
    pub(super) fn first(&self) -> u16 {
        self.0
    }

    #[inline]
    pub(super) fn contain(&self, port: u16) -> bool {
        self.0 == port
    }

    #[inline]
    pub(super) fn clash(&self, other: &Ports) -> bool {
        self.0 == other.0
    }

    #[inline]
    pub(super) fn filed_at(&self) -> u16 {
        self.0
    }
}

#[inline]
pub(super) fn ports(endpoint: &IpListenEndpoint) -> Option<Ports> {
    endpoint.is_specified().then_some(Ports(endpoint.port))
}

#[inline]
pub(crate) fn single(endpoint: IpListenEndpoint) -> Result<IpListenEndpoint, ListenError> {
    Ok(endpoint)
}
