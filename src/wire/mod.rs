//! Packet formats: views and representations, no state.

use core::fmt;

mod addr;
pub mod arp;
pub(crate) mod checksum;
pub mod ethernet;
mod field;
pub mod icmp;
pub mod icmpv4;
pub mod icmpv6;
mod ip;
pub mod ipv4;
pub mod ipv6;
pub mod ipv6ext;
pub mod ndisc;
pub mod tcp;
pub mod udp;

pub(crate) use addr::Addr;
pub use addr::FamilyNotBuiltIn;
pub use ethernet::{Address as EthernetAddress, EtherType};
pub use ip::{
    IpAddress, IpCidr, IpEndpoint, IpListenEndpoint, IpProtocol, IpVersion, Ipv4Address, Ipv4Cidr,
    Ipv6Address, Ipv6Cidr,
};

/// Why octets are no packet of the format they were read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Error {
    /// Shorter than the header says or the format needs.
    Truncated,
    /// A field holds what the format forbids.
    Malformed,
    /// The checksum does not match.
    Checksum,
    /// Well-formed, but of a kind that is not spoken here.
    Unsupported,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Truncated => "truncated packet",
            Error::Malformed => "malformed packet",
            Error::Checksum => "wrong checksum",
            Error::Unsupported => "unsupported kind of packet",
        })
    }
}

impl core::error::Error for Error {}

impl From<Error> for crate::stats::DropReason {
    fn from(error: Error) -> Self {
        match error {
            Error::Truncated => Self::Truncated,
            Error::Malformed => Self::Malformed,
            Error::Checksum => Self::Checksum,
            Error::Unsupported => Self::UnknownProtocol,
        }
    }
}

/// What reading octets gives.
pub type Result<T> = core::result::Result<T, Error>;
