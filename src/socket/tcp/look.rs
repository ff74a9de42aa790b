//! Hop limit and traffic class: what the packets of a connection say beside its segments.

use super::{Listener, Socket};
use crate::config;

/// Both of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) hop_limit: u8,
    #[cfg(feature = "tcp-traffic-class")]
    traffic_class: u8,
}

impl Look {
    pub(crate) const DEFAULT: Look = Look {
        hop_limit: config::DEFAULT_HOP_LIMIT,
        #[cfg(feature = "tcp-traffic-class")]
        traffic_class: 0,
    };

    fn set_hop_limit(&mut self, hop_limit: Option<u8>) {
        self.hop_limit = hop_limit.unwrap_or(config::DEFAULT_HOP_LIMIT).max(1);
    }

    #[cfg(feature = "tcp-traffic-class")]
    pub(crate) fn traffic_class(self) -> u8 {
        self.traffic_class
    }

    #[cfg(not(feature = "tcp-traffic-class"))]
    pub(crate) fn traffic_class(self) -> u8 {
        0
    }

    /// The two lowest bits are ECN's (RFC 3168), which is TCP's own.
    #[cfg(feature = "tcp-traffic-class")]
    fn set_traffic_class(&mut self, traffic_class: u8) {
        self.traffic_class = traffic_class & !3;
    }
}

impl Socket<'_> {
    /// The hop limit of what is sent; `None` for the default.
    pub fn set_hop_limit(&mut self, hop_limit: Option<u8>) {
        // RFC 9293 §3.9.2 (MUST-49).
        self.side.config.look.set_hop_limit(hop_limit);
    }

    /// The hop limit of what is sent.
    pub fn hop_limit(&self) -> u8 {
        self.side.config.look.hop_limit
    }

    /// The traffic class of what is sent from now on: a Diffserv code point in its upper six bits. The lower
    /// two are left out.
    #[cfg(feature = "tcp-traffic-class")]
    pub fn set_traffic_class(&mut self, traffic_class: u8) {
        // RFC 9293 §3.9.1.9 (MUST-48).
        self.side.config.look.set_traffic_class(traffic_class);
    }

    /// The traffic class of what is sent.
    #[cfg(feature = "tcp-traffic-class")]
    pub fn traffic_class(&self) -> u8 {
        self.side.config.look.traffic_class
    }

    pub(crate) fn look(&self) -> Look {
        self.side.config.look
    }

    /// Has that of its listener.
    #[cfg(feature = "tcp-traffic-class")]
    pub(crate) fn set_look(&mut self, look: Look) {
        self.side.config.look = look;
    }
}

#[cfg(feature = "tcp-traffic-class")]
impl Listener<'_> {
    /// The hop limit of its SYN-ACKs, and of its connections until they set their own; `None` for the
    /// default.
    pub fn set_hop_limit(&mut self, hop_limit: Option<u8>) {
        self.look.set_hop_limit(hop_limit);
    }

    /// The hop limit of its SYN-ACKs and connections.
    pub fn hop_limit(&self) -> u8 {
        self.look.hop_limit
    }

    /// The traffic class of its SYN-ACKs, and of its connections until they set their own; the two lowest bits
    /// are left out.
    pub fn set_traffic_class(&mut self, traffic_class: u8) {
        self.look.set_traffic_class(traffic_class);
    }

    /// The traffic class of its SYN-ACKs and connections.
    pub fn traffic_class(&self) -> u8 {
        self.look.traffic_class
    }

    pub(crate) fn look(&self) -> Look {
        self.look
    }

    /// Has that of its template.
    #[cfg(feature = "tcp-listener-settings")]
    pub(super) fn copy_look(&mut self, look: Look) {
        self.look = look;
    }
}

#[cfg(not(feature = "tcp-traffic-class"))]
impl Listener<'_> {
    #[inline]
    pub(crate) fn look(&self) -> Look {
        Look::DEFAULT
    }

    #[cfg(feature = "tcp-listener-settings")]
    pub(super) fn copy_look(&mut self, _look: Look) {}
}
