//! The engine: interfaces, the set of sockets, and how packets travel between them.
//!
//! | file | what |
//! | --- | --- |
//! | `interface` | one link: addresses, routes, neighbours, counters |
//! | `poll`, `router` | driving one interface, or several as one stack |
//! | `engine` | the steps of a poll |
//! | `ingress` | a frame's way in; `arp`, `icmp*`, `ndisc`, `udp*`, `tcp` go on from there |
//! | `forward`, `pass`, `redirect` | what is for others, from port to port |
//! | `redirected` | better first hops that gateways tell of |
//! | `autoconf`, `dhcp` | addresses that are checked, and what is learned of the link |
//! | `bridge` | Ethernet frames of others, from port to port |
//! | `coalesced` | what devices leave undone in frames that go on |
//! | `fast_open` | connections that begin with data |
//! | `groups` | multicast groups, IGMP, MLD |
//! | `fragments` | datagrams that come or leave in pieces |
//! | `egress`, `output`, `ready` | who sends, and the way out; that of packets with a header already |
//! | `neighbor`, `neighbor_table` | who is on the link; what the application sees and says of it |
//! | `path_mtu` | how large datagrams may be on their way |
//! | `loopback` | packets to ourselves |
//! | `reclaim` | memory of buffers that are empty |
//! | `resets` | resets whose sockets are gone |
//! | `links` | the ports a packet may leave by |
//! | `tied` | connections that stay with one port |
//! | `vlan` | the tags of an interface's frames |
//! | `socket_set` | the sockets, whom a packet is for, who has something to do |

mod arp;
#[cfg_attr(not(feature = "iface-dad"), path = "no_autoconf.rs")]
mod autoconf;
#[cfg(feature = "iface-bridge")]
pub mod bridge;
#[cfg(any(feature = "iface-bridge", feature = "iface-forward"))]
mod coalesced;
#[cfg_attr(not(feature = "iface-dhcp"), path = "no_dhcp.rs")]
mod dhcp;
mod egress;
mod engine;
#[cfg(feature = "socket-tcp")]
#[cfg_attr(not(feature = "tcp-fastopen"), path = "no_fast_open.rs")]
mod fast_open;
#[cfg(feature = "tcp-fastopen")]
#[cfg_attr(not(feature = "tcp-connect"), path = "no_fast_open_cache.rs")]
mod fast_open_cache;
#[cfg_attr(not(feature = "iface-forward"), path = "no_forward.rs")]
mod forward;
#[cfg_attr(not(feature = "iface-fragments"), path = "no_fragments.rs")]
mod fragments;
#[cfg_attr(not(feature = "iface-multicast"), path = "no_groups.rs")]
mod groups;
mod handler;
mod icmp;
#[cfg_attr(not(feature = "icmp-errors"), path = "no_icmp_error.rs")]
mod icmp_error;
#[cfg(feature = "icmp-errors")]
#[cfg_attr(not(feature = "socket-icmp"), path = "no_icmp_socket.rs")]
mod icmp_socket;
mod icmpv4;
mod icmpv6;
mod ingress;
mod interface;
#[cfg(feature = "socket-tcp")]
#[cfg_attr(not(feature = "iface-scale"), path = "bit_lines.rs")]
mod lines;
mod links;
#[cfg_attr(not(feature = "iface-loopback"), path = "no_loopback.rs")]
mod loopback;
mod ndisc;
mod neighbor;
#[cfg_attr(not(feature = "iface-neighbors"), path = "no_neighbor_table.rs")]
mod neighbor_table;
#[cfg_attr(not(feature = "tcp-options"), path = "no_options.rs")]
mod options;
mod output;
#[cfg(feature = "iface-forward")]
mod pass;
#[cfg_attr(not(feature = "iface-path-mtu"), path = "no_path_mtu.rs")]
mod path_mtu;
mod poll;
mod ports;
mod rate;
#[cfg_attr(not(feature = "socket-raw"), path = "no_raw_socket.rs")]
mod raw_socket;
#[cfg(any(feature = "socket-raw", feature = "iface-multicast"))]
mod ready;
#[cfg_attr(not(all(feature = "tcp-grow", target_has_atomic = "ptr")), path = "no_reclaim.rs")]
mod reclaim;
#[cfg(feature = "iface-forward")]
mod redirect;
#[cfg_attr(not(feature = "iface-redirects"), path = "no_redirected.rs")]
mod redirected;
#[cfg_attr(not(feature = "tcp-abort-queue"), path = "no_resets.rs")]
mod resets;
mod route;
#[cfg(feature = "iface-router")]
mod router;
mod socket_set;
#[cfg(feature = "socket-tcp")]
mod tcp;
#[cfg(feature = "socket-tcp")]
#[cfg_attr(not(feature = "tcp-connect"), path = "no_tcp_connect.rs")]
mod tcp_connect;
#[cfg(feature = "icmp-errors")]
#[cfg_attr(not(feature = "tcp-icmp"), path = "no_tcp_icmp.rs")]
mod tcp_icmp;
#[cfg(feature = "socket-tcp")]
#[cfg_attr(not(feature = "stats-mib"), path = "no_tcp_mib.rs")]
mod tcp_mib;
#[cfg(feature = "socket-tcp")]
#[cfg_attr(not(feature = "tcp-listen-range"), path = "no_tcp_range.rs")]
mod tcp_range;
#[cfg(feature = "socket-tcp")]
mod tcp_set;
#[cfg(feature = "socket-tcp")]
#[cfg_attr(not(feature = "tcp-syn-wait"), path = "no_tcp_wait.rs")]
mod tcp_wait;
#[cfg(all(
    test,
    feature = "alloc",
    feature = "proto-ipv4",
    feature = "proto-ipv6",
    feature = "medium-ethernet",
    feature = "medium-ip",
    feature = "udp-connect",
    feature = "udp-metadata",
    feature = "socket-udplite",
    feature = "socket-icmp",
    feature = "socket-raw",
    feature = "iface-multicast",
    feature = "tcp-connect",
    feature = "tcp-listen-once",
    feature = "tcp-keep-alive",
    feature = "tcp-user-timeout",
    feature = "tcp-icmp",
    feature = "tcp-linger",
    feature = "tcp-traffic-class",
    feature = "iface-forward",
    feature = "iface-loopback",
    feature = "iface-queue",
    feature = "iface-fragments",
    feature = "iface-hooks",
    feature = "iface-ephemeral",
    feature = "stats-mib"
))]
mod tests;
#[cfg(feature = "socket-tcp")]
#[cfg_attr(not(feature = "socket-interface"), path = "no_tied.rs")]
mod tied;
#[cfg(feature = "socket-tcp")]
mod time_wait;
#[cfg(feature = "socket-udp")]
mod udp;
#[cfg(feature = "socket-udp")]
#[cfg_attr(not(feature = "udp-connect"), path = "no_udp_flow.rs")]
mod udp_flow;
#[cfg_attr(not(all(feature = "iface-multicast", feature = "socket-udp")), path = "no_udp_groups.rs")]
mod udp_groups;
#[cfg(feature = "socket-udp")]
#[cfg_attr(not(feature = "socket-udplite"), path = "no_udplite.rs")]
mod udplite;
mod unusual;
#[cfg_attr(not(feature = "iface-vlan"), path = "no_vlan.rs")]
mod vlan;

pub use crate::storage::SocketHandle;
#[cfg(feature = "iface-autoip")]
pub use autoconf::AutoIpMode;
#[cfg(feature = "iface-dad")]
pub use autoconf::{AddressInfo, AddressOrigin, AddressState};
#[cfg(feature = "iface-slaac")]
pub use autoconf::{Advertised, InterfaceId, SlaacConfig};
#[cfg(feature = "iface-dhcp")]
pub use autoconf::{DhcpConfig, DhcpState, Lease as DhcpLease};
pub use engine::{Budget, Progress};
#[cfg(feature = "tcp-fastopen")]
pub use fast_open::FastOpenStats;
pub use fragments::{FragmentPlace, Fragments};
#[cfg(feature = "iface-multicast")]
pub use groups::{Group, GroupError};
pub use handler::{Handler, Hook, HookSet, NoHandler, SynVerdict, Verdict};
pub use interface::{Address, AddressError, Config, Interface, InterfaceStorage};
pub use neighbor::Neighbor;
#[cfg(feature = "iface-neighbors")]
pub use neighbor_table::{NeighborError, NeighborInfo, NeighborState};
pub use poll::PollResult;
pub use route::{Route, RouteTableFull, Routes};
#[cfg(feature = "iface-router")]
pub use router::{Port, Router};
pub use socket_set::{HandleError, SetFull, SocketEntry, SocketSet, SocketSlot};
#[cfg(feature = "socket-tcp")]
pub use tcp_set::LendError;
#[cfg(feature = "tcp-syn-wait")]
pub use tcp_wait::AnswerError;
#[cfg(feature = "iface-vlan")]
pub use vlan::VlanTags;
