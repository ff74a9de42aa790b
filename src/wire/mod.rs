//! Packet formats: views and representations, no state.

use core::fmt;

#[macro_use]
mod packet;

mod addr;
pub mod arp;
#[cfg(test)]
pub(crate) mod bar;
#[cfg(test)]
pub(crate) mod captured;
pub mod checksum;
pub mod dhcpv4;
pub mod ethernet;
mod field;
#[cfg(test)]
pub(crate) mod frames;
pub mod group;
pub mod icmp;
pub mod icmpv4;
pub mod icmpv6;
pub mod igmp;
mod ip;
pub mod ipv4;
pub mod ipv4opt;
pub mod ipv6;
pub mod ipv6ext;
pub mod ipv6opt;
mod medium;
pub mod mld;
pub mod ndisc;
pub(crate) mod partial;
mod pretty;
pub mod tcp;
pub mod tcpopt;
mod tlv;
pub mod udp;
pub mod udplite;
pub mod vlan;

pub(crate) use addr::Addr;
pub use addr::FamilyNotBuiltIn;
pub use arp::{Operation as ArpOperation, Packet as ArpPacket, Repr as ArpRepr};
pub use dhcpv4::{Packet as Dhcpv4Packet, Repr as Dhcpv4Repr};
pub use ethernet::{
    Address as EthernetAddress, EtherType, Frame as EthernetFrame, HEADER_LEN as ETHERNET_HEADER_LEN,
    Repr as EthernetRepr,
};
pub use icmpv4::{Packet as Icmpv4Packet, Repr as Icmpv4Repr};
pub use icmpv6::{Packet as Icmpv6Packet, Repr as Icmpv6Repr};
pub use igmp::{Packet as IgmpPacket, Repr as IgmpRepr};
pub use ip::{
    IpAddress, IpCidr, IpEndpoint, IpListenEndpoint, IpProtocol, IpVersion, Ipv4Address, Ipv4Cidr,
    Ipv6Address, Ipv6Cidr,
};
pub use ipv4::{HEADER_LEN as IPV4_HEADER_LEN, Packet as Ipv4Packet, Repr as Ipv4Repr};
pub use ipv4opt::Ipv4Option;
pub use ipv6::{HEADER_LEN as IPV6_HEADER_LEN, Packet as Ipv6Packet, Repr as Ipv6Repr};
pub use ipv6opt::{ExtHeader as Ipv6ExtHeader, Ipv6Option};
pub use medium::Medium;
pub use mld::Message as MldRepr;
pub use ndisc::{Message as NdiscRepr, NdOption};
pub use pretty::PrettyPrinter;
pub use tcp::{Flags as TcpFlags, Packet as TcpPacket, Repr as TcpRepr, SeqNum as TcpSeqNumber};
pub use tcpopt::TcpOption;
pub use udp::{HEADER_LEN as UDP_HEADER_LEN, Packet as UdpPacket, Repr as UdpRepr};
pub use udplite::{Packet as UdpLitePacket, Repr as UdpLiteRepr};
pub use vlan::{Id as VlanId, Packet as VlanPacket, Priority as VlanPriority, Repr as VlanRepr};

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
