//! ICMP for IPv6 (RFC 4443): echo and the errors. Neighbour discovery is in `ndisc`.
//!
//! The header, which the engine reads, is in `icmp`; here are the numbers.

/// Types. Those below 128 are errors.
pub mod msg_type {
    /// The packet could not be delivered.
    pub const DST_UNREACHABLE: u8 = 1;
    /// Larger than the next hop's MTU, which the message tells.
    pub const PKT_TOO_BIG: u8 = 2;
    /// Hops or time ran out.
    pub const TIME_EXCEEDED: u8 = 3;
    /// A header holds something wrong or unknown.
    pub const PARAM_PROBLEM: u8 = 4;
    /// Asks for its own content.
    pub const ECHO_REQUEST: u8 = 128;
    /// Answer to an echo request.
    pub const ECHO_REPLY: u8 = 129;
    /// Asks routers to advertise (RFC 4861 §4.1).
    pub const ROUTER_SOLICIT: u8 = 133;
    /// A router and its link's parameters (RFC 4861 §4.2).
    pub const ROUTER_ADVERT: u8 = 134;
    /// Asks for a link-layer address (RFC 4861 §4.3).
    pub const NEIGHBOR_SOLICIT: u8 = 135;
    /// Tells a link-layer address (RFC 4861 §4.4).
    pub const NEIGHBOR_ADVERT: u8 = 136;
    /// A better first hop (RFC 4861 §4.5).
    pub const REDIRECT: u8 = 137;
}

/// Codes of "destination unreachable".
pub mod unreachable {
    /// No route.
    pub const NO_ROUTE: u8 = 0;
    /// Forbidden by an administrator.
    pub const PROHIBITED: u8 = 1;
    /// The source's scope does not reach the destination.
    pub const BEYOND_SCOPE: u8 = 2;
    /// The host does not answer on its link.
    pub const ADDRESS: u8 = 3;
    /// Nobody is at the port.
    pub const PORT: u8 = 4;
}

/// Codes of "time exceeded".
pub mod time_exceeded {
    /// The hop limit reached zero.
    pub const HOP_LIMIT: u8 = 0;
    /// Fragments stayed away too long.
    pub const REASSEMBLY: u8 = 1;
}

/// Codes of "parameter problem".
pub mod param_problem {
    /// A field holds what it may not.
    pub const ERRONEOUS_FIELD: u8 = 0;
    /// A next header is not known.
    pub const UNRECOGNIZED_NEXT_HEADER: u8 = 1;
    /// An option is not known.
    pub const UNRECOGNIZED_OPTION: u8 = 2;
}
