//! The engine seen from the wire: frames in, frames out, in virtual time.
//!
//! Each decision of the design that the engine makes has a test here with its name.

#[cfg(feature = "iface-dad")]
mod acd;
mod addresses;
#[cfg(feature = "iface-autoip")]
mod autoip;
#[cfg(feature = "iface-dad")]
mod claims;
mod decisions;
#[cfg(all(
    feature = "phy-pcap",
    feature = "phy-queue",
    feature = "medium-ethernet",
    feature = "udp-metadata"
))]
mod devices;
#[cfg(feature = "iface-dhcp")]
mod dhcp;
// Both use the simulation's chance, and the second holds the timer heap against an oracle.
#[cfg(all(feature = "iface-scale", feature = "phy-sim", feature = "tcp-syn-wait"))]
mod drained;
mod family;
mod forward;
mod forward_bursts;
mod forward_offloads;
mod forward_sources;
#[cfg(feature = "phy-sim")]
mod fragments;
mod fuzzed;
#[cfg(feature = "iface-nud")]
mod gateways;
mod group_changes;
mod groups;
mod hooks;
mod host;
mod icmp;
mod icmp_socket;
mod loopback;
#[cfg(feature = "iface-fragments")]
mod loopback_large;
mod mib;
#[cfg(all(feature = "stats-mib", feature = "phy-sim"))]
mod mib_router;
#[cfg(feature = "iface-neighbors")]
mod neighbor_table;
mod neighbors;
mod net;
#[cfg(all(feature = "iface-scale", feature = "phy-sim", feature = "tcp-syn-wait"))]
mod poll_at;
mod ports;
mod raw;
mod raw_ends;
#[cfg(feature = "iface-redirects")]
mod redirected;
mod redirects;
#[cfg(feature = "iface-slaac")]
mod slaac;
#[cfg(feature = "iface-slaac")]
mod slaac_changes;
mod tcp;
#[cfg(feature = "tcp-abort-queue")]
mod tcp_abort;
#[cfg(feature = "tcp-burst")]
mod tcp_burst;
mod tcp_desk;
#[cfg(all(feature = "tcp-ecn", feature = "tcp-burst"))]
mod tcp_ecn;
#[cfg(all(
    feature = "tcp-fastopen",
    feature = "tcp-cookies",
    feature = "tcp-abort-queue",
    feature = "tcp-sack"
))]
mod tcp_fast_open;
#[cfg(all(
    feature = "tcp-fastopen",
    feature = "tcp-cookies",
    feature = "tcp-abort-queue",
    feature = "tcp-sack"
))]
mod tcp_fast_open_client;
#[cfg(all(feature = "tcp-cookies", feature = "phy-sim", feature = "iface-scale"))]
mod tcp_flood;
#[cfg(feature = "tcp-grow")]
mod tcp_grow;
mod tcp_hostile;
mod tcp_icmp;
#[cfg(feature = "stats-mib")]
mod tcp_mib;
mod tcp_mutations;
#[cfg(feature = "tcp-options")]
mod tcp_options;
#[cfg(feature = "tcp-pmtu")]
mod tcp_pmtu;
#[cfg(feature = "tcp-listen-range")]
mod tcp_range;
#[cfg(all(
    feature = "tcp-listener-settings",
    feature = "tcp-sack",
    feature = "tcp-timestamps",
    feature = "tcp-cubic",
    feature = "tcp-pmtu"
))]
mod tcp_settings;
mod tcp_table;
#[cfg(feature = "tcp-timestamps")]
mod tcp_time_wait;
#[cfg(feature = "tcp-syn-wait")]
mod tcp_wait;
#[cfg(feature = "socket-interface")]
mod tied;
mod udp;
mod udp_flow;
mod udplite;
#[cfg(feature = "iface-vlan")]
mod vlan;
