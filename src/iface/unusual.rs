//! What is unusual about a packet of ours; nothing where nobody asks for it.

/// Whether routers may cut an IPv4 packet (the DF bit of RFC 791 §3.1), and whether a UDP datagram has no checksum, which is then
/// zero (RFC 768).
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Unusual(#[cfg(any(feature = "tcp-pmtu", feature = "udp-metadata"))] u8);

#[cfg(feature = "tcp-pmtu")]
const FORBIDDEN: u8 = 1;
#[cfg(feature = "udp-metadata")]
const UNSUMMED: u8 = 2;

impl Unusual {
    /// Routers may, unless `is_forbidden`.
    #[cfg(feature = "tcp-pmtu")]
    pub(crate) fn forbidden_if(is_forbidden: bool) -> Unusual {
        Unusual(if is_forbidden { FORBIDDEN } else { 0 })
    }

    #[cfg(not(feature = "tcp-pmtu"))]
    pub(crate) fn forbidden_if(_is_forbidden: bool) -> Unusual {
        Unusual::default()
    }

    #[cfg(feature = "tcp-pmtu")]
    pub(crate) fn is_forbidden(self) -> bool {
        self.0 & FORBIDDEN != 0
    }

    #[cfg(not(feature = "tcp-pmtu"))]
    pub(crate) fn is_forbidden(self) -> bool {
        false
    }

    /// Routers may, and it has a checksum unless `is_unsummed`.
    #[cfg(feature = "udp-metadata")]
    pub(crate) fn unsummed_if(is_unsummed: bool) -> Unusual {
        Unusual(if is_unsummed { UNSUMMED } else { 0 })
    }

    #[cfg(not(feature = "udp-metadata"))]
    #[cfg_attr(not(feature = "socket-udp"), allow(dead_code))]
    pub(crate) fn unsummed_if(_is_unsummed: bool) -> Unusual {
        Unusual::default()
    }

    #[cfg(feature = "udp-metadata")]
    pub(crate) fn is_unsummed(self) -> bool {
        self.0 & UNSUMMED != 0
    }

    #[cfg(not(feature = "udp-metadata"))]
    pub(crate) fn is_unsummed(self) -> bool {
        false
    }
}
