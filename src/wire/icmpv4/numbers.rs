//! The numbers of ICMP for IPv4: types and codes.

/// Types.
pub mod msg_type {
    /// Answer to an echo request.
    pub const ECHO_REPLY: u8 = 0;
    /// The packet could not be delivered.
    pub const DST_UNREACHABLE: u8 = 3;
    /// A gateway is short of buffers; out of use (RFC 6633).
    pub const SOURCE_QUENCH: u8 = 4;
    /// A better router is on the link.
    pub const REDIRECT: u8 = 5;
    /// Asks for its own content.
    pub const ECHO_REQUEST: u8 = 8;
    /// Hops or time ran out.
    pub const TIME_EXCEEDED: u8 = 11;
    /// The header holds something wrong.
    pub const PARAM_PROBLEM: u8 = 12;
    /// Asks for the time.
    pub const TIMESTAMP_REQUEST: u8 = 13;
    /// Answer to a timestamp request.
    pub const TIMESTAMP_REPLY: u8 = 14;
    /// Asks for a network's number; out of use.
    pub const INFORMATION_REQUEST: u8 = 15;
    /// Answer to an information request; out of use.
    pub const INFORMATION_REPLY: u8 = 16;
    /// Asks for the network's mask; out of use.
    pub const MASK_REQUEST: u8 = 17;
    /// Answer to a mask request; out of use.
    pub const MASK_REPLY: u8 = 18;
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
    /// A source route goes no further.
    pub const SOURCE_ROUTE: u8 = 5;
    /// The network is not known.
    pub const NET_UNKNOWN: u8 = 6;
    /// The host is not known.
    pub const HOST_UNKNOWN: u8 = 7;
    /// The source is isolated.
    pub const ISOLATED: u8 = 8;
    /// The network is forbidden by an administrator.
    pub const NET_PROHIBITED: u8 = 9;
    /// The host is forbidden by an administrator.
    pub const HOST_PROHIBITED: u8 = 10;
    /// No route to the network for this type of service.
    pub const NET_TOS: u8 = 11;
    /// No route to the host for this type of service.
    pub const HOST_TOS: u8 = 12;
    /// Forbidden by an administrator (RFC 1812 §5.2.7.1).
    pub const PROHIBITED: u8 = 13;
}

/// Codes of "redirect".
pub mod redirect {
    /// For all of a network.
    pub const NET: u8 = 0;
    /// For a host.
    pub const HOST: u8 = 1;
    /// For all of a network, with this type of service.
    pub const NET_TOS: u8 = 2;
    /// For a host, with this type of service.
    pub const HOST_TOS: u8 = 3;
}

/// Codes of "parameter problem".
pub mod param_problem {
    /// The pointer says what is wrong.
    pub const POINTER: u8 = 0;
    /// An option is missing (RFC 1122 §3.2.2.5).
    pub const MISSING_OPTION: u8 = 1;
    /// A length is wrong.
    pub const BAD_LENGTH: u8 = 2;
}

/// Codes of "time exceeded".
pub mod time_exceeded {
    /// The TTL reached zero.
    pub const HOP_LIMIT: u8 = 0;
    /// Fragments stayed away too long.
    pub const REASSEMBLY: u8 = 1;
}
