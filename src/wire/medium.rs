//! What kind of frames a link carries.

use core::fmt;

/// What kind of frames a device carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Medium {
    /// Ethernet II frames without preamble and FCS.
    #[cfg(feature = "medium-ethernet")]
    Ethernet,
    /// Bare IPv4 and IPv6 packets.
    #[cfg(feature = "medium-ip")]
    Ip,
}

impl Medium {
    /// Octets of the link header: 14 for Ethernet, without a tag.
    pub const fn header_len(self) -> usize {
        match self {
            #[cfg(feature = "medium-ethernet")]
            Medium::Ethernet => 14,
            #[cfg(feature = "medium-ip")]
            Medium::Ip => 0,
        }
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            #[cfg(feature = "medium-ethernet")]
            Medium::Ethernet => "Ethernet",
            #[cfg(feature = "medium-ip")]
            Medium::Ip => "IP",
        })
    }
}
