//! Every default and limit of the stack, in one place, and the features as constants.
//!
//! A capacity is a slice that the caller lends; what stands here are times, rates and bounds that
//! no caller needs to choose.

#[cfg(any(feature = "iface-nud", feature = "iface-dhcp"))]
use crate::time::Duration;
use crate::time::TICKS_PER_SEC;

/// Whether IPv4 is built in.
pub(crate) const HAS_IPV4: bool = cfg!(feature = "proto-ipv4");
/// Whether IPv6 is built in.
pub(crate) const HAS_IPV6: bool = cfg!(feature = "proto-ipv6");
/// Whether Ethernet is built in.
pub(crate) const HAS_ETHERNET: bool = cfg!(feature = "medium-ethernet");
/// Whether the usual case has code of its own beside that for any case; small machines rather save the
/// space.
pub(crate) const HAS_FAST_PATHS: bool = cfg!(target_pointer_width = "64");
/// Whether there can be thousands of sockets; else there are 32 at most, and every lookup asks them all.
pub(crate) const HAS_SCALE: bool = cfg!(feature = "iface-scale");
/// Whether packets to our own addresses come back to us.
pub(crate) const HAS_LOOPBACK: bool = cfg!(feature = "iface-loopback");
/// Whether interfaces can have VLAN tags.
pub(crate) const HAS_VLAN: bool = cfg!(feature = "iface-vlan");
/// Whether IPv4 addresses of one's own choice are built in.
pub(crate) const HAS_AUTOIP: bool = cfg!(feature = "iface-autoip");
/// Whether routers are listened to; addresses of their prefixes then say nothing of what is on the link.
pub(crate) const HAS_SLAAC: bool = cfg!(feature = "iface-slaac");
/// Whether packets can wait for a neighbour or for the device.
pub(crate) const HAS_QUEUE: bool = cfg!(feature = "iface-queue");

/// Whether frames, packets and segments are counted for SNMP.
pub(crate) const HAS_MIB: bool = cfg!(feature = "stats-mib");
/// Whether there are connections.
pub(crate) const HAS_TCP: bool = cfg!(feature = "socket-tcp");
/// Whether UDP sockets can speak UDP-Lite.
pub(crate) const HAS_UDPLITE: bool = cfg!(feature = "socket-udplite");
/// Whether the application can have hooks.
pub(crate) const HAS_HOOKS: bool = cfg!(feature = "iface-hooks");
/// Whether listeners set what their answers look like.
pub(crate) const HAS_TCP_LOOK: bool = cfg!(feature = "tcp-traffic-class");
/// Whether there are selective acknowledgments.
pub(crate) const HAS_TCP_SACK: bool = cfg!(feature = "tcp-sack");
/// Whether there are timestamps.
pub(crate) const HAS_TCP_STAMPS: bool = cfg!(feature = "tcp-timestamps");
/// Whether slow start ends where round trips grow.
pub(crate) const HAS_TCP_HYSTART: bool = cfg!(feature = "tcp-hystart");
/// Whether a window leaves over a round trip.
pub(crate) const HAS_TCP_PACING: bool = cfg!(feature = "tcp-pacing");
/// Whether buffers grow, and have memory to give back.
pub(crate) const HAS_TCP_GROW: bool = cfg!(all(feature = "tcp-grow", target_has_atomic = "ptr"));
/// Whether windows are validated.
pub(crate) const HAS_TCP_VALIDATION: bool = cfg!(feature = "tcp-validation");
/// Whether the size of segments follows the path.
pub(crate) const HAS_TCP_PMTU: bool = cfg!(feature = "tcp-pmtu");
/// Whether congestion control by a model of the path wants to know what is delivered.
pub(crate) const HAS_TCP_BBR: bool = cfg!(feature = "tcp-bbr");
/// Whether connections may begin with data.
pub(crate) const HAS_TCP_FAST_OPEN: bool = cfg!(feature = "tcp-fastopen");
/// Whether routers' marks of congestion are heeded.
pub(crate) const HAS_TCP_ECN: bool = cfg!(feature = "tcp-ecn");
/// Whether connections are counted for `tcp::Info`.
pub(crate) const HAS_TCP_INFO: bool = cfg!(feature = "tcp-info");
/// Whether listeners say what their connections start with.
pub(crate) const HAS_TCP_LISTENER_SETTINGS: bool = cfg!(feature = "tcp-listener-settings");
/// Whether what is queued can be told to go at once.
pub(crate) const HAS_TCP_LINGER: bool = cfg!(feature = "tcp-linger");
/// Whether devices that cut segments get large ones.
pub(crate) const HAS_TCP_BURST: bool = cfg!(feature = "tcp-burst");
/// Whether slices can be queued for sending.
pub(crate) const HAS_TCP_SEND_REF: bool = cfg!(feature = "tcp-send-ref");
/// Whether TCP sockets open connections themselves, actively or passively. Those that a listener opens
/// begin established.
pub(crate) const HAS_TCP_OPENING: bool =
    cfg!(any(feature = "tcp-connect", feature = "tcp-listen-once", feature = "tcp-fastopen"));
/// Whether sockets may listen by themselves.
pub(crate) const HAS_TCP_LISTEN_ONCE: bool = cfg!(feature = "tcp-listen-once");

/// Hop limit of packets that no socket sets one for (RFC 1700).
pub const DEFAULT_HOP_LIMIT: u8 = 64;

/// The largest table of routes that grows by itself.
pub const MAX_ROUTES: usize = 1_024;

/// Whether neighbours that were not heard of for a while are probed, not just asked for anew.
pub(crate) const HAS_NUD: bool = cfg!(feature = "iface-nud");
/// Whether the application may make entries for neighbours.
pub(crate) const HAS_NEIGHBOR_TABLE: bool = cfg!(feature = "iface-neighbors");
/// Ticks that a confirmed neighbour counts as reachable (RFC 4861 §10: 30 s); without probes, that an entry
/// is good for (RFC 1122 §2.3.2.1: about a minute).
pub(crate) const NEIGHBOR_REACHABLE: u32 = if HAS_NUD { 30 } else { 60 } * TICKS_PER_SEC;
/// Ticks between the use of a stale neighbour and the first probe (RFC 4861 §10: 5 s).
pub(crate) const NEIGHBOR_DELAY: u32 = 5 * TICKS_PER_SEC;
/// Ticks between two solicitations (RFC 4861 §10: 1 s).
pub(crate) const NEIGHBOR_RETRANSMIT: u32 = TICKS_PER_SEC;
/// Addresses of an interface that are checked, or that have lifetimes.
#[cfg(feature = "iface-dad")]
pub(crate) const CLAIMS: usize = if HAS_FAST_PATHS { 16 } else { 6 };
/// How often an IPv6 address is asked for before it is used (RFC 4862 §5.1), unless set otherwise.
#[cfg(feature = "iface-dad")]
pub const DAD_TRANSMITS: u8 = 1;
/// How often an IPv4 address is asked for before it is used (RFC 5227 §1.1).
#[cfg(feature = "iface-dad")]
pub(crate) const ACD_PROBES: u8 = 3;
/// How often it is announced when it is ours (RFC 5227 §1.1).
#[cfg(feature = "iface-dad")]
pub(crate) const ACD_ANNOUNCEMENTS: u8 = 2;
/// How many may be found taken before they are tried more seldom (RFC 5227 §1.1).
#[cfg(feature = "iface-dad")]
pub(crate) const ACD_MAX_CONFLICTS: u8 = 10;
/// Ticks within which an address is defended once (RFC 5227 §1.1: 10 s).
#[cfg(feature = "iface-dad")]
pub(crate) const ACD_DEFEND_INTERVAL: u32 = 10 * TICKS_PER_SEC;
/// AutoIP: messages of a DHCP client that nobody has answered before an address is chosen: about half a minute.
#[cfg(all(feature = "iface-autoip", feature = "iface-dhcp"))]
pub(crate) const AUTOIP_DHCP_TRIES: u8 = 3;
/// DHCP: octets of the largest message that is taken and kept (RFC 2131 §2: 548 at least).
#[cfg(feature = "iface-dhcp")]
pub const DHCP_MESSAGE_LEN: usize = if HAS_FAST_PATHS { 1_024 } else { 548 };
/// DHCP: how often an offer is asked for before others are looked for (RFC 2131 §3.1: a minute).
#[cfg(feature = "iface-dhcp")]
pub(crate) const DHCP_REQUEST_TRIES: u8 = 4;
/// DHCP: how often the address is asked for that we had before the link came back.
#[cfg(feature = "iface-dhcp")]
pub(crate) const DHCP_REBOOT_TRIES: u8 = 2;
/// DHCP: the least time between two requests for more time (RFC 2131 §4.4.5).
#[cfg(feature = "iface-dhcp")]
pub(crate) const DHCP_RENEW_INTERVAL: Duration = Duration::from_secs(60);
/// DHCP: how long no address is asked for after one that another host had (RFC 2131 §3.1).
#[cfg(feature = "iface-dhcp")]
pub(crate) const DHCP_DECLINE_WAIT: Duration = Duration::from_secs(10);
/// DHCP: the least time in s that a server may have us do without IPv4 (RFC 8925 §3.4).
#[cfg(feature = "iface-dhcp")]
pub(crate) const DHCP_MIN_IPV6_ONLY: u64 = 300;
/// Addresses that are made of prefixes that routers advertise.
#[cfg(feature = "iface-slaac")]
pub(crate) const SLAAC_ADDRESSES: usize = if HAS_FAST_PATHS { 5 } else { 3 };
/// Default routers that are remembered.
#[cfg(feature = "iface-slaac")]
pub(crate) const DEFAULT_ROUTERS: usize = 4;
/// Other routes that routers advertise, prefixes of the link included.
#[cfg(feature = "iface-slaac")]
pub(crate) const LEARNED_ROUTES: usize = if HAS_FAST_PATHS { 16 } else { 6 };
/// Name servers that are remembered; RFC 8106 §5.3.1 asks for three.
#[cfg(feature = "iface-slaac")]
pub(crate) const NAME_SERVERS: usize = 4;
/// Search domains that are remembered, and octets of the longest, as labels.
#[cfg(feature = "iface-slaac")]
pub(crate) const SEARCH_NAMES: usize = 3;
#[cfg(feature = "iface-slaac")]
pub(crate) const SEARCH_NAME_LEN: usize = if HAS_FAST_PATHS { 255 } else { 64 };
/// How often another identifier is tried after a duplicate (RFC 7217 §7).
#[cfg(feature = "iface-slaac")]
pub(crate) const STABLE_ID_RETRIES: u8 = 3;
/// Ticks between the first two router solicitations, and at most (RFC 7559 §2).
#[cfg(feature = "iface-slaac")]
pub(crate) const ROUTER_SOLICITATION_INTERVAL: u32 = 4 * TICKS_PER_SEC;
#[cfg(feature = "iface-slaac")]
pub(crate) const ROUTER_SOLICITATION_MAX: u32 = 3_600 * TICKS_PER_SEC;
/// What routers may set, in ms; other values, with which a neighbour would be asked for all the time or never, are ignored.
#[cfg(feature = "iface-slaac")]
pub(crate) const RETRANS_TIMES: core::ops::RangeInclusive<u32> = 100..=30_000;
#[cfg(feature = "iface-slaac")]
pub(crate) const REACHABLE_TIMES: core::ops::RangeInclusive<u32> = 1_000..=3_600_000;
/// Solicitations before a neighbour is given up (RFC 4861 §10).
pub(crate) const NEIGHBOR_SOLICITATIONS: u8 = 3;

/// How long others are used in place of a gateway that did not answer, unless it is heard of.
#[cfg(feature = "iface-nud")]
pub(crate) const GATEWAY_AVOIDANCE: Duration = Duration::from_secs(600);

/// Own addresses that an interface has room for when it owns its memory.
pub const DEFAULT_ADDRESSES: usize = 8;
/// Neighbours that an interface has room for when it owns its memory.
pub const DEFAULT_NEIGHBORS: usize = 256;
/// Packets that may wait for neighbours or the device when an interface owns its memory.
pub const DEFAULT_WAITING_PACKETS: usize = 64;
/// Multicast groups that an interface has room for when it owns its memory, before it grows.
pub const DEFAULT_GROUPS: usize = 8;
/// Multicast groups that an interface can be in.
pub const MAX_GROUPS: usize = 32;
/// Octets of the largest such packet.
pub const WAITING_PACKET_LEN: usize = 1_536;
/// Datagrams that may come or leave in fragments at once when an interface owns its memory.
pub const DEFAULT_FRAGMENTED_DATAGRAMS: usize = 64;
/// Octets of memory that those may take together.
pub const DEFAULT_FRAGMENT_MEMORY: usize = 4 << 20;
/// How long the fragments of an IPv4 datagram may take to arrive, in ms, unless set otherwise (RFC 1122
/// §3.3.2: 60 s to 120 s).
pub const IPV4_REASSEMBLY_TIMEOUT: u32 = 60_000;
/// The least and the most that can be set, in ms: RFC 791 §3.2 has 15 s.
pub const IPV4_REASSEMBLY_TIMEOUTS: (u32, u32) = (15_000, 120_000);
/// Ticks that the fragments of an IPv6 datagram may take to arrive (RFC 8200 §4.5: 60 s).
pub(crate) const IPV6_REASSEMBLY_TIMEOUT: u32 = 60 * TICKS_PER_SEC;
/// Ticks that a datagram may take to leave in fragments, once it has begun to: longer than a neighbour that
/// does not answer is asked for.
pub(crate) const FRAGMENTING_TIMEOUT: u32 = 5 * TICKS_PER_SEC;
/// Destinations whose path is known to carry less than its link.
#[cfg(feature = "iface-path-mtu")]
pub(crate) const PATH_MTUS: usize = if HAS_FAST_PATHS { 32 } else { 8 };
/// Ticks until that is forgotten, unless it is reported anew (RFC 8201 §4: ten minutes).
#[cfg(feature = "iface-path-mtu")]
pub(crate) const PATH_MTU_LIFE: u32 = 600 * TICKS_PER_SEC;

/// Destinations for which an interface keeps another first hop than its routes say.
#[cfg(feature = "iface-redirects")]
pub(crate) const REDIRECTS: usize = if HAS_FAST_PATHS { 16 } else { 4 };
/// How long it does so.
#[cfg(feature = "iface-redirects")]
pub(crate) const REDIRECT_LIFE: crate::time::Duration = crate::time::Duration::from_secs(600);
/// Packets that may wait for one neighbour.
pub(crate) const NEIGHBOR_QUEUE_LEN: usize = 3;

/// ICMP errors that may be sent at once.
pub(crate) const ICMP_ERROR_BURST: u16 = 50;
/// Ticks after which another may be sent: about 100 a second.
pub(crate) const ICMP_ERROR_INTERVAL: u32 = 10;
/// How many separate ranges of out-of-order data a TCP receiver keeps track of by itself.
pub const ASSEMBLER_RANGES: usize = match (cfg!(feature = "tcp-many-holes"), HAS_FAST_PATHS) {
    (false, _) => 1,
    (true, false) => 3,
    (true, true) => 4,
};
/// How many separate ranges that have arrived a TCP sender keeps track of by itself (RFC 6675).
pub const SACK_RANGES: usize = if HAS_FAST_PATHS { 4 } else { 3 };
/// In how many ranges a TCP sender remembers by itself when which octets were sent (RFC 8985).
pub const SENT_RANGES: usize = if HAS_FAST_PATHS { 8 } else { 4 };
/// How many ranges there are of each kind where these do not suffice and there is a heap: at 1 Gbit/s and a round trip
/// of 100 ms, of which 1 % of the packets overtake others by a quarter, there are 20 holes at a time. Slow start that
/// overflows a queue leaves more than can be kept; the more are, the less is sent again for nothing.
pub const MANY_RANGES: usize = if HAS_FAST_PATHS && cfg!(feature = "alloc") { 128 } else { 0 };

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
/// Ticks until a device that had no room, and may not say when it has, is tried again.
pub(crate) const PORT_RETRY: u32 = 1;

/// Bridge: how long a station that is silent stays in the table, in s (IEEE 802.1D §7.9.2, table 7-5).
#[cfg(feature = "iface-bridge")]
pub const BRIDGE_AGEING: u64 = 300;
/// Bridge: ports that it can have.
#[cfg(feature = "iface-bridge")]
pub const MAX_BRIDGE_PORTS: usize = 63;
/// Bridge: entries that a table has room for when it owns its memory.
#[cfg(feature = "iface-bridge")]
pub const DEFAULT_BRIDGE_ENTRIES: usize = 4_096;
/// Bridge: frames that may wait each way between it and the stack on it when it owns its memory.
#[cfg(feature = "iface-bridge")]
pub const DEFAULT_BRIDGE_QUEUE: usize = 64;
/// Bridge: frames that pass for others, at most, until the stack on it gets one of its own.
#[cfg(feature = "iface-bridge")]
pub const BRIDGE_BURST: usize = 64;
/// Bridge: frames that a port may give before another has its turn.
#[cfg(feature = "iface-bridge")]
pub(crate) const BRIDGE_FRAMES_PER_TURN: usize = 16;
/// Bridge: entries of a port that a poll removes since they are too old.
#[cfg(feature = "iface-bridge")]
pub(crate) const BRIDGE_REMOVALS: usize = 16;
/// Bridge: how long a frame of our own may wait for a busy port, in ms.
#[cfg(feature = "iface-bridge")]
pub(crate) const BRIDGE_MAX_WAIT: u64 = 100;

/// TCP: the retransmission timeout before any round trip was measured, in ms (RFC 6298 §2.1).
pub const TCP_INITIAL_RTO: u32 = 1_000;
/// TCP: the least retransmission timeout, in ms. RFC 6298 says 1 s; everybody uses this.
pub const TCP_MIN_RTO: u32 = 200;
/// TCP: how long a peer may hold back the ACK of a single segment, in ms (RFC 8985 §7.2).
pub const TCP_PEER_ACK_DELAY: u32 = 200;
/// TCP: the largest retransmission timeout, backed off or not, in ms (RFC 6298 §2.5).
pub const TCP_MAX_RTO: u32 = 60_000;
/// TCP: how often data, a FIN or a window probe is repeated without any answer before giving up.
pub const TCP_DATA_RETRIES: u8 = 12;
/// TCP: how often something is repeated before the neighbour that it goes by is doubted (R1 of RFC 9293
/// §3.8.3).
#[cfg(feature = "iface-nud")]
pub(crate) const TCP_DOUBT_RETRIES: u8 = 3;
/// TCP: how often a SYN is repeated before giving up, which takes three minutes (RFC 9293 §3.8.3, MUST-23).
pub const TCP_SYN_RETRIES: u8 = 7;
/// TCP: how often a listener repeats a SYN-ACK before it forgets the request: a minute.
pub const TCP_SYN_ACK_RETRIES: u8 = 5;
/// TCP: octets that may be queued for sending at once, where slices can be.
#[cfg(feature = "tcp-send-ref")]
pub const TCP_SEND_QUEUE_LEN: usize = 1 << 30;
/// TCP: the initial window in segments (RFC 6928).
pub const TCP_INITIAL_WINDOW: u32 = 10;
/// The smallest path there is room for headers on; the engine does not build on smaller links.
pub(crate) const MIN_PATH_MTU: usize = 128;
/// TCP: the smallest segment that a peer can make us send, in octets of payload.
pub const TCP_MIN_MSS: u16 = 64;
/// TCP: the peer's MSS if it does not say, over IPv4 (RFC 9293 §3.7.1).
pub const TCP_DEFAULT_MSS_V4: u16 = 536;
/// TCP: the peer's MSS if it does not say, over IPv6 (RFC 9293 §3.7.1).
pub const TCP_DEFAULT_MSS_V6: u16 = 1_220;
/// TCP: the payload with its options that nearly any IPv4 path carries, for who finds a black hole.
#[cfg(feature = "tcp-pmtu")]
pub const TCP_BASE_MSS_V4: u16 = 1_024;
/// TCP: the least path MTU that is believed over IPv4, as in Linux; what goes on smaller paths routers may cut.
#[cfg(feature = "tcp-pmtu")]
pub const TCP_PMTU_FLOOR_V4: u16 = 552;
/// TCP: how long after the path was found to be small larger segments are tried, in ms (RFC 1191 §6.3, RFC 8899 §5.1.1).
#[cfg(feature = "tcp-pmtu")]
pub const TCP_PMTU_RAISE: u32 = 600_000;
/// TCP: how long an acknowledgment may wait for company, in ms (RFC 9293 §3.8.6.3 allows 500).
pub const TCP_ACK_DELAY: u32 = 40;
/// TCP: the least time between two challenge ACKs of a connection, in ms (RFC 5961 §7).
pub const TCP_CHALLENGE_INTERVAL: u32 = 500;
/// TCP: the least and the most, in s, that a user timeout may become by advice (L_LIMIT and U_LIMIT of RFC 5482 §3.1):
/// more than any retransmission timeout, and no longer than a peer may hold our memory.
#[cfg(feature = "tcp-uto")]
pub const TCP_USER_TIMEOUTS: (u32, u32) = (100, 3_600);
/// TCP: for how long, in ms, a server is not tried again to which data could not go with the SYN; each time that follows it
/// is twice as long, up to an hour (RFC 7413 §4.1.3.1).
#[cfg(all(feature = "tcp-fastopen", feature = "tcp-connect"))]
pub const TCP_FAST_OPEN_PAUSE: u32 = 60_000;
/// TCP: servers whose cookies a set of sockets remembers that owns its memory.
#[cfg(all(feature = "tcp-fastopen", feature = "tcp-connect", feature = "alloc"))]
pub const TCP_FAST_OPEN_COOKIES: usize = 16;
/// TCP: for how long, in ms, and at most twice as long, a connection that began with data and was reset counts as one that
/// waits (RFC 7413 §5.1).
#[cfg(feature = "tcp-fastopen")]
pub const TCP_FAST_OPEN_RESET_PERIOD: u32 = 30_000;
/// TCP: how many keep-alive probes may stay unanswered if no timeout is set.
pub const TCP_KEEP_ALIVE_PROBES: u8 = 9;
/// TCP: how long a connection that its owner has let go of may take to close, in ms; in FIN-WAIT-2 it
/// counts anew.
pub const TCP_ORPHAN_TIMEOUT: u32 = 60_000;
/// TCP: how long a congestion window is kept that the application does not use, in ms; then half of it goes.
pub const TCP_UNUSED_WINDOW: u32 = 300_000;
/// TCP: how long a closed connection is remembered, in ms: twice the longest life of a segment.
pub const TCP_TIME_WAIT: u32 = 60_000;
/// TCP: age in ms from which a half-open connection may give way to a new one.
pub const TCP_HALF_OPEN_GRACE: u32 = 1_000;
/// TCP: how long a request may wait for the application's decision, in ms.
pub const TCP_SYN_WAIT: u32 = 60_000;
/// TCP: how long a connection that is complete waits for a socket, in ms.
pub const TCP_ACKED_LIFE: u32 = 180_000;
/// Resets of TCP sockets that were removed, or used anew, which may wait for the next poll; more are dropped.
#[cfg(feature = "tcp-abort-queue")]
pub const TCP_RESETS: usize = 16;
/// Ticks between two looks at all buffers for memory to give back: 100 ms.
#[cfg(all(feature = "tcp-grow", target_has_atomic = "ptr"))]
pub(crate) const RECLAIM_INTERVAL: u32 = TICKS_PER_SEC / 10;
/// Released TCP sockets that the engine may be bringing to their end at once; more are reset.
pub const MAX_ORPHANS: usize = 4_096;

/// HTTP: octets that chunk extensions and trailers of one body may have in all.
pub(crate) const HTTP_CHUNK_SLACK: usize = 512;
/// HTTP: octets of a response's head that there is room for beside a body that is copied.
pub(crate) const HTTP_HEAD_ROOM: usize = 512;
/// HTTP: the least room for which a chunk is written.
pub(crate) const HTTP_CHUNK_ROOM: usize = 64;
/// HTTP: how long a new connection is spared that has sent nothing, in ms.
pub(crate) const HTTP_GRACE: u64 = 1_000;
