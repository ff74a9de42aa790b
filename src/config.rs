//! Every default and limit of the stack, in one place, and the features as constants.
//!
//! A capacity is a slice that the caller lends; what stands here are times, rates and bounds that
//! no caller needs to choose.

use crate::time::{Duration, TICKS_PER_SEC};

/// Whether IPv4 is built in.
pub(crate) const HAS_IPV4: bool = cfg!(feature = "proto-ipv4");
/// Whether IPv6 is built in.
pub(crate) const HAS_IPV6: bool = cfg!(feature = "proto-ipv6");
/// Whether Ethernet is built in.
pub(crate) const HAS_ETHERNET: bool = cfg!(feature = "medium-ethernet");

/// Hop limit of packets that no socket sets one for (RFC 1700).
pub const DEFAULT_HOP_LIMIT: u8 = 64;

/// The largest table of routes that grows by itself.
pub const MAX_ROUTES: usize = 1_024;

/// Ticks that a confirmed neighbour counts as reachable (RFC 4861 §10: 30 s).
pub(crate) const NEIGHBOR_REACHABLE: u32 = 30 * TICKS_PER_SEC;
/// Ticks between the use of a stale neighbour and the first probe (RFC 4861 §10: 5 s).
pub(crate) const NEIGHBOR_DELAY: u32 = 5 * TICKS_PER_SEC;
/// Ticks between two solicitations (RFC 4861 §10: 1 s).
pub(crate) const NEIGHBOR_RETRANSMIT: u32 = TICKS_PER_SEC;
/// Solicitations before a neighbour is given up (RFC 4861 §10).
pub(crate) const NEIGHBOR_SOLICITATIONS: u8 = 3;

/// Own addresses that an interface has room for when it owns its memory.
pub const DEFAULT_ADDRESSES: usize = 8;
/// Neighbours that an interface has room for when it owns its memory.
pub const DEFAULT_NEIGHBORS: usize = 256;
/// Packets that may wait for neighbours or the device when an interface owns its memory.
pub const DEFAULT_WAITING_PACKETS: usize = 64;
/// Octets of the largest such packet.
pub const WAITING_PACKET_LEN: usize = 1_536;
/// Packets that may wait for one neighbour.
pub(crate) const NEIGHBOR_QUEUE_LEN: usize = 3;

/// ICMP errors that may be sent at once.
pub(crate) const ICMP_ERROR_BURST: u16 = 50;
/// Ticks after which another may be sent: about 100 a second.
pub(crate) const ICMP_ERROR_INTERVAL: u32 = 10;
/// How many separate ranges of out-of-order data a TCP receiver keeps track of.
pub const ASSEMBLER_RANGES: usize = 4;

/// First and last ephemeral port (RFC 6335 §6); their number is a power of two.
pub const EPHEMERAL_PORTS: (u16, u16) = (49_152, 65_535);

/// Frames that a poll receives from a port, and sends in all, unless told otherwise.
pub const POLL_FRAMES: usize = 1_024;
/// Octets that a poll receives from a port unless told otherwise.
pub const POLL_OCTETS: usize = 1 << 20;
/// Packets that a socket may send before another has its turn.
pub(crate) const PACKETS_PER_TURN: usize = 16;
/// Stale timers that `poll_at` looks behind, so that it is exact on small systems.
pub(crate) const SETTLED_HEADS: u32 = 4;
/// When to try again a device that had no room and may not say when it has.
pub(crate) const PORT_RETRY: Duration = Duration::from_millis(1);
