//! Every default and limit of the stack, in one place, and the features as constants.
//!
//! A capacity is a slice that the caller lends; what stands here are times, rates and bounds that
//! no caller needs to choose.

/// Whether IPv4 is built in.
pub(crate) const HAS_IPV4: bool = cfg!(feature = "proto-ipv4");
/// Whether IPv6 is built in.
pub(crate) const HAS_IPV6: bool = cfg!(feature = "proto-ipv6");
/// Whether Ethernet is built in.
pub(crate) const HAS_ETHERNET: bool = cfg!(feature = "medium-ethernet");

/// Hop limit of packets that no socket sets one for (RFC 1700).
pub const DEFAULT_HOP_LIMIT: u8 = 64;
/// How many separate ranges of out-of-order data a TCP receiver keeps track of.
pub const ASSEMBLER_RANGES: usize = 4;
