//! Counters: why a packet was dropped, and what SNMP will read.

#[cfg(feature = "app-http")]
use crate::config;
use crate::wire::Addr;

#[cfg(feature = "stats-mib")]
mod counters;
#[cfg(not(feature = "stats-mib"))]
#[path = "no_counters.rs"]
mod counters;
#[cfg(feature = "stats-mib")]
mod mib;

use counters::Counters;
#[cfg(all(feature = "stats-mib", feature = "socket-tcp"))]
pub use mib::TcpConnectionsMib;
#[cfg(feature = "stats-mib")]
pub use mib::{ArpMib, IcmpMib, IgmpMib, InterfaceMib, IpMib, Mib, TcpMib, UdpMib};

/// Why a received packet, or one to be sent, went no further. Each has its own counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum DropReason {
    /// Shorter than its header says or its format needs.
    Truncated,
    /// A field holds what the format forbids.
    Malformed,
    /// A checksum does not match.
    Checksum,
    /// An EtherType or an ARP of a kind that is not spoken here.
    UnknownProtocol,
    /// The link-layer destination is somebody else.
    NotOurHardwareAddress,
    /// The IP destination is somebody else, and nothing forwards.
    NotOurAddress,
    /// The source can't be one (multicast, broadcast, unspecified, or ours).
    BadSource,
    /// A fragment, or the fragments of a datagram: reassembly is not built in or has no room.
    Fragment,
    /// The hop limit ran out.
    HopLimit,
    /// Too many IPv6 extension headers.
    ExtensionHeaders,
    /// No socket wants it.
    NoSocket,
    /// The socket's receive buffer is full.
    BufferFull,
    /// A TCP segment outside the window, or for a state that does not take it.
    Unacceptable,
    /// A listener's table of half-open connections is full.
    BacklogFull,
    /// A listener has no socket or memory left for a connection.
    NoSlot,
    /// No route leads there.
    NoRoute,
    /// No own address fits as a source.
    NoSource,
    /// The neighbour does not answer.
    NeighborUnreachable,
    /// The queue for packets that wait for a neighbour, or for a port, is full.
    QueueFull,
    /// The device had no room, and this packet is not kept.
    DeviceBusy,
    /// Larger than the port can carry.
    TooBig,
    /// More ICMP, RST or challenge ACKs than the rate limit allows.
    RateLimited,
    /// A neighbour message that breaks a rule of RFC 4861, or an ARP that breaks RFC 826.
    BadNeighborMessage,
    /// An ICMP error that quotes nothing we sent.
    IcmpMismatch,
    /// The handler said so.
    Filtered,
    /// A tag of a VLAN that the interface is not in.
    #[cfg(feature = "iface-vlan")]
    UnknownVlan,
    /// The link is down.
    LinkDown,
    /// For somebody else, and not to be forwarded: a group, a broadcast, an address that means nothing
    /// beyond its link, or a port that does not forward.
    NotForwarded,
    /// An answer to its source would leave by another port, which the reverse path check forbids.
    SpoofedSource,
    /// A fragment that overlaps another one of its datagram; that and all others of it are dropped, too.
    #[cfg(feature = "iface-fragments")]
    FragmentOverlap,
    /// A fragment that is there already.
    #[cfg(feature = "iface-fragments")]
    FragmentDuplicate,
    /// A first fragment without all headers, or one that hides a part of them.
    #[cfg(feature = "iface-fragments")]
    FragmentTiny,
    /// A datagram of which fragments did not come in time.
    #[cfg(feature = "iface-fragments")]
    ReassemblyTimeout,
    /// A question about one of our addresses that we have sent ourselves: the link sends back what it gets (RFC 7527).
    #[cfg(feature = "iface-dad")]
    LoopedProbe,
    /// A DHCP message that answers nothing that was asked, or is for another client, or says nothing that can be used.
    #[cfg(feature = "iface-dhcp")]
    UnexpectedDhcp,
    /// A UDP-Lite checksum covers less than the socket wants covered.
    #[cfg(feature = "socket-udplite")]
    Uncovered,
    /// A report of a smaller path MTU that is not to be believed, or says nothing new.
    #[cfg(feature = "tcp-pmtu")]
    PathMtu,
    /// A request for a connection waited for the application's decision too long, or gave way to a newer one.
    #[cfg(feature = "tcp-syn-wait")]
    Undecided,
    /// A TCP segment whose options the handler has refused.
    #[cfg(feature = "tcp-options")]
    OptionRefused,
    /// On a bridge: for a station behind the port that it came by.
    #[cfg(feature = "iface-bridge")]
    SameSegment,
}

/// How many reasons there are.
pub const DROP_REASONS: usize = DropReason::SpoofedSource as usize
    + 1
    + if cfg!(feature = "iface-fragments") { 4 } else { 0 }
    + cfg!(feature = "iface-dad") as usize
    + cfg!(feature = "iface-dhcp") as usize
    + cfg!(feature = "socket-udplite") as usize
    + cfg!(feature = "tcp-pmtu") as usize
    + cfg!(feature = "tcp-syn-wait") as usize
    + cfg!(feature = "tcp-options") as usize
    + cfg!(feature = "iface-bridge") as usize;

impl DropReason {
    /// All of them, in their order.
    pub const ALL: [DropReason; DROP_REASONS] = [
        DropReason::Truncated,
        DropReason::Malformed,
        DropReason::Checksum,
        DropReason::UnknownProtocol,
        DropReason::NotOurHardwareAddress,
        DropReason::NotOurAddress,
        DropReason::BadSource,
        DropReason::Fragment,
        DropReason::HopLimit,
        DropReason::ExtensionHeaders,
        DropReason::NoSocket,
        DropReason::BufferFull,
        DropReason::Unacceptable,
        DropReason::BacklogFull,
        DropReason::NoSlot,
        DropReason::NoRoute,
        DropReason::NoSource,
        DropReason::NeighborUnreachable,
        DropReason::QueueFull,
        DropReason::DeviceBusy,
        DropReason::TooBig,
        DropReason::RateLimited,
        DropReason::BadNeighborMessage,
        DropReason::IcmpMismatch,
        DropReason::Filtered,
        #[cfg(feature = "iface-vlan")]
        DropReason::UnknownVlan,
        DropReason::LinkDown,
        DropReason::NotForwarded,
        DropReason::SpoofedSource,
        #[cfg(feature = "iface-fragments")]
        DropReason::FragmentOverlap,
        #[cfg(feature = "iface-fragments")]
        DropReason::FragmentDuplicate,
        #[cfg(feature = "iface-fragments")]
        DropReason::FragmentTiny,
        #[cfg(feature = "iface-fragments")]
        DropReason::ReassemblyTimeout,
        #[cfg(feature = "iface-dad")]
        DropReason::LoopedProbe,
        #[cfg(feature = "iface-dhcp")]
        DropReason::UnexpectedDhcp,
        #[cfg(feature = "socket-udplite")]
        DropReason::Uncovered,
        #[cfg(feature = "tcp-pmtu")]
        DropReason::PathMtu,
        #[cfg(feature = "tcp-syn-wait")]
        DropReason::Undecided,
        #[cfg(feature = "tcp-options")]
        DropReason::OptionRefused,
        #[cfg(feature = "iface-bridge")]
        DropReason::SameSegment,
    ];
}

/// What is counted of frames and by protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "stats-mib"), allow(dead_code, reason = "nobody counts it"))]
#[repr(u8)]
pub(crate) enum Count {
    /// Octets of all frames received.
    InOctets,
    /// Frames received that carry no IP that is spoken here.
    InOther,
    InMulticast,
    InBroadcast,
    InDiscards,
    InErrors,
    InUnknown,
    /// Frames sent that carry no IP, or that the application made.
    OutOther,
    OutOtherOctets,
    OutMulticast,
    OutBroadcast,
    /// Lost for want of room.
    OutDiscards,
    /// Could not be sent.
    OutErrors,
    /// Segments that IP gave to TCP.
    TcpIn,
    TcpInErrs,
    TcpOut,
    TcpRetransSegs,
    TcpOutRsts,
    /// Datagrams that IP gave to UDP.
    UdpIn,
    UdpNoPorts,
    UdpInErrors,
    UdpOut,
    UdpLiteIn,
    UdpLiteNoPorts,
    UdpLiteInErrors,
    UdpLiteOut,
    ArpInRequests,
    ArpInReplies,
    ArpInErrors,
    ArpOutRequests,
    ArpOutReplies,
    IgmpInQueries,
    IgmpInReports,
    IgmpInErrors,
    IgmpOutReports,
    IgmpOutLeaves,
    /// How many there are.
    Last,
}

/// What is counted of packets, apart for the two families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "stats-mib"), allow(dead_code, reason = "nobody counts it"))]
#[repr(u8)]
pub(crate) enum IpCount {
    InReceives,
    InOctets,
    InHdrErrors,
    InNoRoutes,
    InAddrErrors,
    InUnknownProtos,
    InTruncatedPkts,
    InForwDatagrams,
    InDiscards,
    InMcastPkts,
    InMcastOctets,
    InBcastPkts,
    ReasmReqds,
    ReasmOks,
    ReasmFails,
    /// Given to the device at once.
    OutTransmits,
    /// Given to the device after they have waited in the pool.
    OutFlushed,
    /// Octets of both.
    OutOctets,
    /// Put into the pool, whatever comes of them there.
    Queued,
    /// Lost in the pool.
    OutLost,
    OutNoRoutes,
    OutForwDatagrams,
    /// Dropped before they came into the pool.
    OutDiscards,
    OutFragReqds,
    OutFragOks,
    OutFragFails,
    OutFragCreates,
    OutMcastPkts,
    OutMcastOctets,
    OutBcastPkts,
    /// Received from ourselves, and so sent, too, without any frame.
    Looped,
    LoopedOctets,
    IcmpInErrors,
    /// Messages so wrong that their type means nothing.
    IcmpInUntyped,
    /// Messages that the rate limit forbade.
    IcmpOutErrors,
    /// How many there are.
    Last,
}

/// All the counters of one interface.
///
/// This tells why packets were dropped; those counters wrap at 2^32, as SNMP's Counter32 does. What SNMP reads besides
/// `Interface::mib` tells, in 64 bits, with the feature `stats-mib`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(C)]
pub struct Stats {
    drops: [u32; DROP_REASONS],
    pub(crate) counters: Counters,
}

/// Counts `by` more of something that is counted for SNMP; only what is dropped is counted by machines that
/// nobody asks.
#[inline]
#[cfg(feature = "app-http")]
pub(crate) fn count(counter: &mut u32, by: u32) {
    if config::HAS_MIB {
        *counter = counter.wrapping_add(by);
    }
}

const EVERYBODY: [u8; 6] = [0xff; 6];

/// What a sent frame is counted as, if it was not for one station.
#[inline]
fn count_of_many(hardware: &[u8; 6]) -> Option<Count> {
    match hardware {
        [first, ..] if first & 1 == 0 => None,
        &EVERYBODY => Some(Count::OutBroadcast),
        _ => Some(Count::OutMulticast),
    }
}

impl Stats {
    /// All zero.
    pub const fn new() -> Stats {
        Stats { drops: [0; DROP_REASONS], counters: Counters::new() }
    }

    /// How many packets were dropped for `reason`.
    pub fn drops(&self, reason: DropReason) -> u32 {
        self.drops[reason as usize]
    }

    /// The reasons for which packets were dropped, each with their number.
    pub fn dropped(&self) -> impl Iterator<Item = (DropReason, u32)> + '_ {
        DropReason::ALL.into_iter().zip(self.drops).filter(|(_, count)| *count > 0)
    }

    /// How many packets were dropped.
    pub fn total_drops(&self) -> u32 {
        self.drops.iter().fold(0, |sum, &n| sum.wrapping_add(n))
    }

    /// What SNMP reads of the interface, whose frames have link headers of `header_len` octets.
    #[cfg(feature = "stats-mib")]
    pub(crate) fn mib(&self, header_len: usize) -> Mib {
        Mib::new(&self.counters, header_len)
    }

    /// An IP packet of `len` octets was given to the device.
    #[inline]
    pub(crate) fn on_packet_sent(&mut self, is_v4: bool, len: usize) {
        self.counters.add_ip(is_v4, IpCount::OutTransmits, 1);
        self.counters.add_ip(is_v4, IpCount::OutOctets, len);
    }

    /// What was counted as sent went to a group or to all, in a frame for `hardware`, or (`is_sent` is false) it
    /// did not go.
    #[inline(never)]
    pub(crate) fn on_sent_to_many(&mut self, hardware: &[u8; 6], dst: &Addr, is_sent: bool, len: usize) {
        let (packets, octets) = if is_sent { (1, len) } else { (usize::MAX, len.wrapping_neg()) };
        let is_v4 = dst.is_v4();
        if let Some(count) = count_of_many(hardware) {
            self.counters.add(count, packets);
        }
        if dst.is_multicast() {
            self.counters.add_ip(is_v4, IpCount::OutMcastPkts, packets);
            self.counters.add_ip(is_v4, IpCount::OutMcastOctets, octets);
        } else if is_v4 && (*hardware == EVERYBODY || dst.is_limited_broadcast()) {
            self.counters.add_ip(is_v4, IpCount::OutBcastPkts, packets);
        }
    }

    /// So was a frame of `len` octets for `hardware` that carries no IP, or that the application made.
    #[inline]
    pub(crate) fn on_link_frame_sent(&mut self, hardware: Option<&[u8; 6]>, len: usize) {
        if let Some(count) = hardware.and_then(count_of_many) {
            self.counters.add(count, 1);
        }
        self.counters.add(Count::OutOther, 1);
        self.counters.add(Count::OutOtherOctets, len);
    }

    /// A frame came in at a bridge, which does not look what it carries.
    #[cfg(feature = "iface-bridge")]
    pub(crate) fn on_frame_received(&mut self, hardware: Option<&[u8; 6]>, len: usize) {
        self.counters.add(Count::InOther, 1);
        self.counters.add(Count::InOctets, len);
        match hardware.and_then(count_of_many) {
            Some(Count::OutBroadcast) => self.counters.add(Count::InBroadcast, 1),
            Some(_) => self.counters.add(Count::InMulticast, 1),
            None => {}
        }
    }

    /// What SNMP reads of a bridge's port. Of an interface it is in [`Interface::mib`](crate::iface::Interface::mib).
    #[cfg(all(feature = "stats-mib", feature = "iface-bridge"))]
    pub fn bridged(&self) -> InterfaceMib {
        InterfaceMib::new(&self.counters, 0)
    }

    /// A frame that was to be sent by a bridge's port is dropped.
    #[cfg(feature = "iface-bridge")]
    pub(crate) fn on_frame_lost(&mut self, reason: DropReason) {
        self.counters.on_lost(reason, 1);
        self.on_drop(reason);
    }

    pub(crate) fn on_drop(&mut self, reason: DropReason) {
        let counter = &mut self.drops[reason as usize];
        *counter = counter.wrapping_add(1);
    }
}

impl Default for Stats {
    fn default() -> Stats {
        Stats::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_listed_where_it_is_counted() {
        let mut stats = Stats::new();
        for (place, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
            (0..=place).for_each(|_| stats.on_drop(reason));
        }
        let expected = DropReason::ALL.into_iter().zip(1..);
        assert!(stats.dropped().eq(expected));
        assert_eq!(Stats::new().dropped().count(), 0);
    }
}
