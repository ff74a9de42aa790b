//! ICMP for IPv4 (RFC 792, RFC 1122 §3.2.2, RFC 1191): echo and the errors.
//!
//! The header, which the engine reads, is in `icmp`; here are the numbers.

/// Types.
pub mod msg_type {
    /// Answer to an echo request.
    pub const ECHO_REPLY: u8 = 0;
    /// The packet could not be delivered.
    pub const DST_UNREACHABLE: u8 = 3;
    /// A better router is on the link.
    pub const REDIRECT: u8 = 5;
    /// Asks for its own content.
    pub const ECHO_REQUEST: u8 = 8;
    /// Hops or time ran out.
    pub const TIME_EXCEEDED: u8 = 11;
    /// The header holds something wrong.
    pub const PARAM_PROBLEM: u8 = 12;
}

/// Codes of "destination unreachable".
pub mod unreachable {
    /// No route to the network.
    pub const NET: u8 = 0;
    /// The host does not answer on its link.
    pub const HOST: u8 = 1;
    /// Nobody speaks the protocol.
    pub const PROTOCOL: u8 = 2;
    /// Nobody is at the port.
    pub const PORT: u8 = 3;
    /// Larger than the next hop's MTU, and not to be fragmented.
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    /// Forbidden by an administrator (RFC 1812 §5.2.7.1).
    pub const PROHIBITED: u8 = 13;
}

/// Codes of "time exceeded".
pub mod time_exceeded {
    /// The TTL reached zero.
    pub const HOP_LIMIT: u8 = 0;
    /// Fragments stayed away too long.
    pub const REASSEMBLY: u8 = 1;
}
