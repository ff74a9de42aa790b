//! Without `udp-metadata` nothing is kept beside a datagram but its peer.

use super::Received;
use crate::config;
use crate::wire::Addr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta;

impl Meta {
    #[inline]
    pub(crate) fn received(_port: usize, _hop_limit: u8, _packet: &[u8], _timestamp: u64) -> Meta {
        Meta
    }

    #[inline]
    pub(crate) fn hop_limit(&self, socket: Option<u8>) -> u8 {
        socket.unwrap_or(config::DEFAULT_HOP_LIMIT)
    }

    #[inline]
    pub(crate) fn traffic_class(&self) -> u8 {
        0
    }

    #[inline]
    pub(crate) fn loops(&self) -> bool {
        true
    }

    #[inline]
    pub(crate) fn unsummed(&self) -> bool {
        false
    }

    #[cfg(feature = "socket-icmp")]
    pub(crate) fn to_send(_hop_limit: Option<u8>) -> Meta {
        Meta
    }

    #[inline]
    pub(crate) fn told(&self) -> Received {
        Received::NOTHING
    }
}

pub(crate) struct Settings;

impl Settings {
    pub(super) const DEFAULT: Settings = Settings;

    #[inline]
    pub(super) fn meta_for(&self, _remote: &Addr, _hop_limit: Option<u8>) -> (Meta, u8) {
        (Meta, 0)
    }
}
