//! Counters: why a packet was dropped, and what SNMP will read.

use crate::config;

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
    /// A UDP-Lite checksum covers less than the socket wants covered.
    #[cfg(feature = "socket-udplite")]
    Uncovered,
    /// On a bridge: for a station behind the port that it came by.
    #[cfg(feature = "iface-bridge")]
    SameSegment,
}

/// How many reasons there are.
pub const DROP_REASONS: usize = DropReason::SpoofedSource as usize
    + 1
    + if cfg!(feature = "iface-fragments") { 4 } else { 0 }
    + cfg!(feature = "socket-udplite") as usize
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
        #[cfg(feature = "socket-udplite")]
        DropReason::Uncovered,
        #[cfg(feature = "iface-bridge")]
        DropReason::SameSegment,
    ];
}

/// All the counters of one interface.
///
/// All wrap at 2^32, as SNMP's Counter32 does. Without the feature `stats-mib` the fields stay 0, and only
/// drops are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[repr(C)]
pub struct Stats {
    /// RFC 2863 `ifInUcastPkts` and its kin together: frames received.
    pub in_frames: u32,
    /// Octets of those, link header included (`ifInOctets`).
    pub in_octets: u32,
    /// Frames sent (`ifOutUcastPkts` and kin).
    pub out_frames: u32,
    /// Octets of those (`ifOutOctets`).
    pub out_octets: u32,
    /// RFC 4293 `ipInDelivers`: packets given to a protocol here.
    pub ip_in_delivers: u32,
    /// RFC 4293 `ipOutRequests`: packets that protocols here sent.
    pub ip_out_requests: u32,
    /// RFC 4293 `ipIfStatsOutForwDatagrams`: packets of others that were sent on by this port.
    pub ip_out_forw_datagrams: u32,
    /// RFC 4293 `ipReasmReqds`: fragments received for us.
    #[cfg(feature = "iface-fragments")]
    pub ip_reasm_reqds: u32,
    /// RFC 4293 `ipReasmOKs`: datagrams put together.
    #[cfg(feature = "iface-fragments")]
    pub ip_reasm_oks: u32,
    /// RFC 4293 `ipReasmFails`: datagrams that were given up, for want of fragments or for wrong ones.
    #[cfg(feature = "iface-fragments")]
    pub ip_reasm_fails: u32,
    /// RFC 4293 `ipOutFragReqds`: datagrams that were to be cut.
    #[cfg(any(feature = "iface-fragments", feature = "iface-forward"))]
    pub ip_out_frag_reqds: u32,
    /// RFC 4293 `ipFragOKs`: those that were.
    #[cfg(any(feature = "iface-fragments", feature = "iface-forward"))]
    pub ip_out_frag_oks: u32,
    /// RFC 4293 `ipFragFails`: those that were not, or not to their end.
    #[cfg(any(feature = "iface-fragments", feature = "iface-forward"))]
    pub ip_out_frag_fails: u32,
    /// RFC 4293 `ipFragCreates`: fragments sent.
    #[cfg(any(feature = "iface-fragments", feature = "iface-forward"))]
    pub ip_out_frag_creates: u32,
    /// RFC 4293 `icmpInMsgs`.
    pub icmp_in_msgs: u32,
    /// RFC 4293 `icmpOutMsgs`.
    pub icmp_out_msgs: u32,
    /// RFC 4113 `udpInDatagrams`.
    pub udp_in_datagrams: u32,
    /// RFC 4113 `udpOutDatagrams`.
    pub udp_out_datagrams: u32,
    /// RFC 4022 `tcpInSegs`.
    pub tcp_in_segs: u32,
    /// RFC 4022 `tcpOutSegs`.
    pub tcp_out_segs: u32,
    /// RFC 4022 `tcpRetransSegs`.
    pub tcp_retrans_segs: u32,
    /// RFC 4022 `tcpOutRsts`.
    pub tcp_out_rsts: u32,
    drops: [u32; DROP_REASONS],
}

/// Counts `by` more of something that SNMP reads; only what is dropped is counted by machines that nobody
/// asks.
#[inline]
pub(crate) fn count(counter: &mut u32, by: u32) {
    if config::HAS_MIB {
        *counter = counter.wrapping_add(by);
    }
}

impl Stats {
    /// All zero.
    pub const fn new() -> Stats {
        Stats {
            in_frames: 0,
            in_octets: 0,
            out_frames: 0,
            out_octets: 0,
            ip_in_delivers: 0,
            ip_out_requests: 0,
            ip_out_forw_datagrams: 0,
            #[cfg(feature = "iface-fragments")]
            ip_reasm_reqds: 0,
            #[cfg(feature = "iface-fragments")]
            ip_reasm_oks: 0,
            #[cfg(feature = "iface-fragments")]
            ip_reasm_fails: 0,
            #[cfg(any(feature = "iface-fragments", feature = "iface-forward"))]
            ip_out_frag_reqds: 0,
            #[cfg(any(feature = "iface-fragments", feature = "iface-forward"))]
            ip_out_frag_oks: 0,
            #[cfg(any(feature = "iface-fragments", feature = "iface-forward"))]
            ip_out_frag_fails: 0,
            #[cfg(any(feature = "iface-fragments", feature = "iface-forward"))]
            ip_out_frag_creates: 0,
            icmp_in_msgs: 0,
            icmp_out_msgs: 0,
            udp_in_datagrams: 0,
            udp_out_datagrams: 0,
            tcp_in_segs: 0,
            tcp_out_segs: 0,
            tcp_retrans_segs: 0,
            tcp_out_rsts: 0,
            drops: [0; DROP_REASONS],
        }
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

    pub(crate) fn on_frame_sent(&mut self, len: usize) {
        self.on_link_frame_sent(len);
        count(&mut self.ip_out_requests, 1);
    }

    /// A frame with a packet that is not ours.
    #[cfg(feature = "iface-forward")]
    pub(crate) fn on_frame_forwarded(&mut self, len: usize) {
        self.on_link_frame_sent(len);
        count(&mut self.ip_out_forw_datagrams, 1);
    }

    /// A frame that carries no IP.
    pub(crate) fn on_link_frame_sent(&mut self, len: usize) {
        count(&mut self.out_frames, 1);
        count(&mut self.out_octets, len as u32);
    }

    pub(crate) fn on_icmp_received(&mut self) {
        count(&mut self.icmp_in_msgs, 1);
    }

    pub(crate) fn on_icmp_sent(&mut self) {
        count(&mut self.icmp_out_msgs, 1);
    }

    pub(crate) fn on_frame_received(&mut self, len: usize) {
        count(&mut self.in_frames, 1);
        count(&mut self.in_octets, len as u32);
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
