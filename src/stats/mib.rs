//! What SNMP reads of an interface: RFC 2863, RFC 4293, RFC 4022, RFC 4113, RFC 5097 (feature `stats-mib`).
//!
//! It is derived from the counters when it is asked for. What SNMP has as Counter64 is one here; where it has a
//! Counter32, too, or only that, it is the low half (`as u32`). What
//! belongs to sockets and not to packets is in [`TcpConnectionsMib`].

use super::counters::{Counters, ICMP_TYPES, place_of};
use super::{Count, IpCount};

/// A table of counters that can be summed.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* pub $field: u64,)*
        }

        impl core::ops::AddAssign for $name {
            fn add_assign(&mut self, other: $name) {
                $(self.$field = self.$field.wrapping_add(other.$field);)*
            }
        }
    };
}

table! {
    /// RFC 2863 `ifTable` and `ifXTable`.
    InterfaceMib {
        /// Frames received, all together.
        in_frames,
        /// `ifInOctets` and `ifHCInOctets`, link headers included.
        in_octets,
        /// `ifInUcastPkts` and `ifHCInUcastPkts`: to our address; on a link without any, all.
        in_ucast_pkts,
        /// `ifInMulticastPkts` and `ifHCInMulticastPkts`.
        in_multicast_pkts,
        /// `ifInBroadcastPkts` and `ifHCInBroadcastPkts`.
        in_broadcast_pkts,
        /// `ifInDiscards`: frames to somebody else's address.
        in_discards,
        /// `ifInErrors`: frames that end within their link header.
        in_errors,
        /// `ifInUnknownProtos`: frames, counted above as well, that carry what is not spoken here.
        in_unknown_protos,
        /// Frames sent, all together.
        out_frames,
        /// `ifOutOctets` and `ifHCOutOctets`, link headers included.
        out_octets,
        /// `ifOutUcastPkts` and `ifHCOutUcastPkts`: all that was to be sent and is not among the next two, with what
        /// was lost; on a link without addresses, all.
        out_ucast_pkts,
        /// `ifOutMulticastPkts` and `ifHCOutMulticastPkts`; those that were lost count above.
        out_multicast_pkts,
        /// `ifOutBroadcastPkts` and `ifHCOutBroadcastPkts`; those that were lost count above.
        out_broadcast_pkts,
        /// `ifOutDiscards`: lost because neither the device nor the pool had room. IP counts them, too.
        out_discards,
        /// `ifOutErrors`: lost because the link was down, the neighbor did not answer, or the packet was too large.
        /// IP counts them, too.
        out_errors,
    }
}

table! {
    /// RFC 4293 `ipSystemStatsTable` and `ipIfStatsTable`, of one family. Those with an `HC` in their name are
    /// these, too.
    IpMib {
        /// `ipIfStatsInReceives`; those from ourselves, too.
        in_receives,
        /// `ipIfStatsInOctets`, IP headers included.
        in_octets,
        /// `ipIfStatsInHdrErrors`: headers or extension headers that are wrong, hop limits that ran out.
        in_hdr_errors,
        /// `ipIfStatsInNoRoutes`.
        in_no_routes,
        /// `ipIfStatsInAddrErrors`: from or to an address that it may not be from or to.
        in_addr_errors,
        /// `ipIfStatsInUnknownProtos`.
        in_unknown_protos,
        /// `ipIfStatsInTruncatedPkts`.
        in_truncated_pkts,
        /// `ipIfStatsInForwDatagrams`: for others, and a port was found that leads there. What the device has put
        /// together is as many as it was, here and among `in_receives`.
        in_forw_datagrams,
        /// `ipIfStatsReasmReqds`: fragments received for us.
        reasm_reqds,
        /// `ipIfStatsReasmOKs`: datagrams put together.
        reasm_oks,
        /// `ipIfStatsReasmFails`: datagrams that were given up, for want of fragments or for wrong ones.
        reasm_fails,
        /// `ipIfStatsInDiscards`: nothing was wrong, but the handler or a want of room forbade more.
        in_discards,
        /// `ipIfStatsInDelivers`: given to a protocol here, whatever that did with it.
        in_delivers,
        /// `ipIfStatsOutRequests`: what protocols here sent.
        out_requests,
        /// `ipSystemStatsOutNoRoutes`.
        out_no_routes,
        /// `ipIfStatsOutForwDatagrams`: of others, to be sent on by this port.
        out_forw_datagrams,
        /// `ipIfStatsOutDiscards`.
        out_discards,
        /// `ipIfStatsOutFragReqds`: larger than the link carries.
        out_frag_reqds,
        /// `ipIfStatsOutFragOKs`: those that were cut.
        out_frag_oks,
        /// `ipIfStatsOutFragFails`: those that were not, or not to their end.
        out_frag_fails,
        /// `ipIfStatsOutFragCreates`: fragments made.
        out_frag_creates,
        /// `ipIfStatsOutTransmits`: handed to the device, or to ourselves, fragments and packets of others included.
        out_transmits,
        /// `ipIfStatsOutOctets`: octets of those, IP headers included.
        out_octets,
        /// `ipIfStatsInMcastPkts`.
        in_mcast_pkts,
        /// `ipIfStatsInMcastOctets`.
        in_mcast_octets,
        /// `ipIfStatsInBcastPkts`; none in IPv6.
        in_bcast_pkts,
        /// `ipIfStatsOutMcastPkts`.
        out_mcast_pkts,
        /// `ipIfStatsOutMcastOctets`.
        out_mcast_octets,
        /// `ipIfStatsOutBcastPkts`; none in IPv6.
        out_bcast_pkts,
    }
}

table! {
    /// RFC 4022 `tcp`, as far as it counts segments; [`TcpConnectionsMib`] has the rest. `tcpHCInSegs` and `tcpHCOutSegs` are these, too.
    TcpMib {
        /// `tcpInSegs`, wrong ones included.
        in_segs,
        /// `tcpInErrs`: those that were wrong.
        in_errs,
        /// `tcpOutSegs`, without those that repeat what was sent.
        out_segs,
        /// `tcpRetransSegs`: those that do.
        retrans_segs,
        /// `tcpOutRsts`.
        out_rsts,
    }
}

table! {
    /// RFC 4113 `udp`, and RFC 5097 `udplite`.
    UdpMib {
        /// `udpInDatagrams`: given to a socket.
        in_datagrams,
        /// `udpNoPorts`: nobody has the port.
        no_ports,
        /// `udpInErrors`: wrong, or the socket had no room.
        in_errors,
        /// `udpOutDatagrams`.
        out_datagrams,
    }
}

table! {
    /// ARP, of which no standard table tells.
    ArpMib {
        /// Requests that came, for whomever; probes and announcements among them.
        in_requests,
        /// Replies that came.
        in_replies,
        /// Neither, or wrong ones.
        in_errors,
        /// Requests sent, or kept until the device has room; announcements among them.
        out_requests,
        /// Replies sent, or kept until the device has room.
        out_replies,
    }
}

table! {
    /// IGMP, as the counters of RFC 2933 that a host has, for all its groups. Those of MLD are among ICMPv6's.
    IgmpMib {
        /// Queries that came.
        in_queries,
        /// Reports and leaves of others that came.
        in_reports,
        /// Wrong ones, or such that have crossed a router.
        in_errors,
        /// Reports sent, or kept until the device has room.
        out_reports,
        /// Leaves likewise; with IGMPv3 a report tells of that, too.
        out_leaves,
    }
}

/// RFC 4022 `tcp`, as far as it counts connections, by their transitions from state to state.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[cfg(feature = "socket-tcp")]
#[non_exhaustive]
pub struct TcpConnectionsMib {
    /// `tcpActiveOpens`: from CLOSED to SYN-SENT.
    pub active_opens: u32,
    /// `tcpPassiveOpens`: from LISTEN to SYN-RECEIVED; where a cookie has answered, when it came back.
    pub passive_opens: u32,
    /// `tcpAttemptFails`: from SYN-SENT or SYN-RECEIVED to CLOSED, or from SYN-RECEIVED back to LISTEN.
    pub attempt_fails: u32,
    /// `tcpEstabResets`: from ESTABLISHED or CLOSE-WAIT to CLOSED, whichever side it was.
    pub estab_resets: u32,
    /// `tcpCurrEstab`: in ESTABLISHED or CLOSE-WAIT now.
    pub curr_estab: u32,
}

/// RFC 4293 `icmpStatsTable` and `icmpMsgStatsTable`, of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpMib {
    is_v4: bool,
    /// `icmpStatsInMsgs`, wrong ones included.
    pub in_msgs: u32,
    /// `icmpStatsInErrors`: those that were wrong.
    pub in_errors: u32,
    /// `icmpStatsOutMsgs`: sent, or handed to IP at least.
    pub out_msgs: u32,
    /// `icmpStatsOutErrors`: those that were not sent because the rate limit forbade it. Those that IP could not send
    /// are none of them.
    pub out_errors: u32,
    in_types: [u32; ICMP_TYPES],
    out_types: [u32; ICMP_TYPES],
}

fn sum(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, &count| sum.wrapping_add(count))
}

fn sum_of_types(counts: &[u32]) -> u32 {
    counts.iter().fold(0, |sum, &count| sum.wrapping_add(count))
}

impl IcmpMib {
    fn new(is_v4: bool, counters: &Counters) -> IcmpMib {
        let (in_types, out_types) = counters.icmp(is_v4);
        let of = |count| counters.of_ip(is_v4, count) as u32; // Counter32
        IcmpMib {
            is_v4,
            in_msgs: sum_of_types(in_types).wrapping_add(of(IpCount::IcmpInUntyped)),
            in_errors: of(IpCount::IcmpInErrors),
            out_msgs: sum_of_types(out_types),
            out_errors: of(IpCount::IcmpOutErrors),
            in_types: *in_types,
            out_types: *out_types,
        }
    }

    /// `icmpMsgStatsInPkts`: messages of this type that came with a right checksum. The types that RFC 4443,
    /// RFC 4861 and RFC 3810 name, and those below 15 of ICMP, each have a counter; all others share one.
    pub fn in_pkts(&self, kind: u8) -> u32 {
        self.in_types[place_of(self.is_v4, kind)]
    }

    /// `icmpMsgStatsOutPkts`: messages of this type that were sent; types as in [`in_pkts`](Self::in_pkts).
    pub fn out_pkts(&self, kind: u8) -> u32 {
        self.out_types[place_of(self.is_v4, kind)]
    }
}

impl core::ops::AddAssign for IcmpMib {
    fn add_assign(&mut self, other: IcmpMib) {
        let ours = self.in_types.iter_mut().chain(&mut self.out_types);
        let theirs = other.in_types.iter().chain(&other.out_types);
        ours.zip(theirs).for_each(|(sum, count)| *sum = sum.wrapping_add(*count));
        self.in_msgs = self.in_msgs.wrapping_add(other.in_msgs);
        self.in_errors = self.in_errors.wrapping_add(other.in_errors);
        self.out_msgs = self.out_msgs.wrapping_add(other.out_msgs);
        self.out_errors = self.out_errors.wrapping_add(other.out_errors);
    }
}

/// What SNMP reads of one interface, or of several summed by `+=`. All wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mib {
    /// Frames.
    pub interface: InterfaceMib,
    /// IPv4 packets.
    pub ipv4: IpMib,
    /// IPv6 packets.
    pub ipv6: IpMib,
    /// ICMP messages.
    pub icmpv4: IcmpMib,
    /// ICMPv6 messages.
    pub icmpv6: IcmpMib,
    /// TCP segments of both families.
    pub tcp: TcpMib,
    /// UDP datagrams of both families.
    pub udp: UdpMib,
    /// UDP-Lite datagrams of both families.
    pub udplite: UdpMib,
    /// ARP.
    pub arp: ArpMib,
    /// IGMP.
    pub igmp: IgmpMib,
}

impl Mib {
    /// Derives it from the counters of an interface whose frames have link headers of `header_len` octets.
    pub(super) fn new(counters: &Counters, header_len: usize) -> Mib {
        Mib {
            interface: InterfaceMib::new(counters, header_len as u64),
            ipv4: IpMib::new(true, counters),
            ipv6: IpMib::new(false, counters),
            icmpv4: IcmpMib::new(true, counters),
            icmpv6: IcmpMib::new(false, counters),
            tcp: TcpMib::new(counters),
            udp: UdpMib::new(counters, [Count::UdpIn, Count::UdpNoPorts, Count::UdpInErrors, Count::UdpOut]),
            udplite: UdpMib::new(
                counters,
                [Count::UdpLiteIn, Count::UdpLiteNoPorts, Count::UdpLiteInErrors, Count::UdpLiteOut],
            ),
            arp: ArpMib::new(counters),
            igmp: IgmpMib::new(counters),
        }
    }
}

impl core::ops::AddAssign for Mib {
    fn add_assign(&mut self, other: Mib) {
        self.interface += other.interface;
        self.ipv4 += other.ipv4;
        self.ipv6 += other.ipv6;
        self.icmpv4 += other.icmpv4;
        self.icmpv6 += other.icmpv6;
        self.tcp += other.tcp;
        self.udp += other.udp;
        self.udplite += other.udplite;
        self.arp += other.arp;
        self.igmp += other.igmp;
    }
}

impl InterfaceMib {
    pub(super) fn new(counters: &Counters, header_len: u64) -> InterfaceMib {
        let of = |count| counters.of(count);
        let both = |count| counters.of_ip(true, count).wrapping_add(counters.of_ip(false, count));
        let transmits = both(IpCount::OutTransmits).wrapping_add(both(IpCount::OutFlushed));
        let in_frames =
            both(IpCount::InReceives).wrapping_sub(both(IpCount::Looped)).wrapping_add(of(Count::InOther));
        let (discards, errors) = (of(Count::InDiscards), of(Count::InErrors));
        let (multicast, broadcast) = (of(Count::InMulticast), of(Count::InBroadcast));
        let out_frames = transmits.wrapping_add(of(Count::OutOther));
        let [out_discards, out_errors] = [of(Count::OutDiscards), of(Count::OutErrors)];
        let (out_multicast, out_broadcast) = (of(Count::OutMulticast), of(Count::OutBroadcast));
        let out_requests = sum(&[out_frames, out_discards, out_errors]);
        InterfaceMib {
            in_frames,
            in_octets: of(Count::InOctets),
            in_ucast_pkts: in_frames.wrapping_sub(sum(&[multicast, broadcast, discards, errors])),
            in_multicast_pkts: multicast,
            in_broadcast_pkts: broadcast,
            in_discards: discards,
            in_errors: errors,
            in_unknown_protos: of(Count::InUnknown),
            out_frames,
            out_octets: both(IpCount::OutOctets)
                .wrapping_add(transmits.wrapping_mul(header_len))
                .wrapping_add(of(Count::OutOtherOctets)),
            out_ucast_pkts: out_requests.wrapping_sub(out_multicast).wrapping_sub(out_broadcast),
            out_multicast_pkts: out_multicast,
            out_broadcast_pkts: out_broadcast,
            out_discards,
            out_errors,
        }
    }
}

impl IpMib {
    fn new(is_v4: bool, counters: &Counters) -> IpMib {
        let of = |count| counters.of_ip(is_v4, count);
        let mut mib = IpMib {
            in_receives: of(IpCount::InReceives),
            in_octets: of(IpCount::InOctets),
            in_hdr_errors: of(IpCount::InHdrErrors),
            in_no_routes: of(IpCount::InNoRoutes),
            in_addr_errors: of(IpCount::InAddrErrors),
            in_unknown_protos: of(IpCount::InUnknownProtos),
            in_truncated_pkts: of(IpCount::InTruncatedPkts),
            in_forw_datagrams: of(IpCount::InForwDatagrams),
            reasm_reqds: of(IpCount::ReasmReqds),
            reasm_oks: of(IpCount::ReasmOks),
            reasm_fails: of(IpCount::ReasmFails),
            in_discards: of(IpCount::InDiscards),
            in_delivers: 0,
            out_requests: 0,
            out_no_routes: of(IpCount::OutNoRoutes),
            out_forw_datagrams: of(IpCount::OutForwDatagrams),
            out_discards: of(IpCount::OutDiscards).wrapping_add(of(IpCount::OutLost)),
            out_frag_reqds: of(IpCount::OutFragReqds),
            out_frag_oks: of(IpCount::OutFragOks),
            out_frag_fails: of(IpCount::OutFragFails),
            out_frag_creates: of(IpCount::OutFragCreates),
            out_transmits: sum(&[of(IpCount::OutTransmits), of(IpCount::OutFlushed), of(IpCount::Looped)]),
            out_octets: of(IpCount::OutOctets).wrapping_add(of(IpCount::LoopedOctets)),
            in_mcast_pkts: of(IpCount::InMcastPkts),
            in_mcast_octets: of(IpCount::InMcastOctets),
            in_bcast_pkts: of(IpCount::InBcastPkts),
            out_mcast_pkts: of(IpCount::OutMcastPkts),
            out_mcast_octets: of(IpCount::OutMcastOctets),
            out_bcast_pkts: of(IpCount::OutBcastPkts),
        };
        mib.in_delivers = mib.in_receives.wrapping_add(mib.reasm_oks).wrapping_sub(sum(&[
            mib.in_hdr_errors,
            mib.in_no_routes,
            mib.in_addr_errors,
            mib.in_unknown_protos,
            mib.in_truncated_pkts,
            mib.in_forw_datagrams,
            mib.in_discards,
            mib.reasm_reqds,
        ]));
        // Whatever came of a request: sent at once, waiting, cut, or dropped.
        let asked = sum(&[
            of(IpCount::OutTransmits),
            of(IpCount::Queued),
            of(IpCount::OutNoRoutes),
            of(IpCount::OutDiscards),
            mib.out_frag_reqds,
        ]);
        mib.out_requests = asked.wrapping_sub(mib.out_frag_creates).wrapping_sub(mib.out_forw_datagrams);
        mib
    }
}

impl TcpMib {
    fn new(counters: &Counters) -> TcpMib {
        let retrans_segs = counters.of(Count::TcpRetransSegs);
        TcpMib {
            in_segs: counters.of(Count::TcpIn),
            in_errs: counters.of(Count::TcpInErrs),
            out_segs: counters.of(Count::TcpOut).wrapping_sub(retrans_segs),
            retrans_segs,
            out_rsts: counters.of(Count::TcpOutRsts),
        }
    }
}

impl UdpMib {
    fn new(counters: &Counters, counts: [Count; 4]) -> UdpMib {
        let [received, no_ports, in_errors, out_datagrams] = counts.map(|count| counters.of(count));
        UdpMib {
            in_datagrams: received.wrapping_sub(no_ports).wrapping_sub(in_errors),
            no_ports,
            in_errors,
            out_datagrams,
        }
    }
}

impl ArpMib {
    fn new(counters: &Counters) -> ArpMib {
        ArpMib {
            in_requests: counters.of(Count::ArpInRequests),
            in_replies: counters.of(Count::ArpInReplies),
            in_errors: counters.of(Count::ArpInErrors),
            out_requests: counters.of(Count::ArpOutRequests),
            out_replies: counters.of(Count::ArpOutReplies),
        }
    }
}

impl IgmpMib {
    fn new(counters: &Counters) -> IgmpMib {
        IgmpMib {
            in_queries: counters.of(Count::IgmpInQueries),
            in_reports: counters.of(Count::IgmpInReports),
            in_errors: counters.of(Count::IgmpInErrors),
            out_reports: counters.of(Count::IgmpOutReports),
            out_leaves: counters.of(Count::IgmpOutLeaves),
        }
    }
}
