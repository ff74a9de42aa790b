//! The one way out: link header, IP header, payload and checksum, written once into the token's memory.
//!
//! Everything that is sent goes through [`Interface::send`]: data, ACKs, resets, ICMP.

use super::handler::Hooks;
use super::interface::Interface;
use super::links::Out;
use super::neighbor::{EVERYBODY, Hardware, Resolution};
use super::options::sealed;
use super::unusual::Unusual;
use super::vlan::VlanTags;
use crate::config;
use crate::phy::{TxChecksum, TxMeta, TxSlot};
use crate::socket::Room;
use crate::stats::{DropReason, IpCount};
use crate::storage::{Class, PacketPool};
use crate::time::Ticks;
use crate::wire::checksum::{self, Sum};
use crate::wire::{Addr, EtherType, IpProtocol, ethernet, ipv4, ipv6};

/// An IP packet to be sent, but for its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) protocol: IpProtocol,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: TrafficClass,
    pub(crate) unusual: Unusual,
    /// Octets after the IP header.
    pub(crate) len: usize,
    /// The device cuts it into segments with this many octets of payload; 0: it doesn't.
    pub(crate) segment_len: u16,
    /// What the handler fills of a TCP header.
    #[cfg_attr(not(feature = "tcp-options"), allow(dead_code, reason = "there is nothing to fill"))]
    pub(crate) room: Room,
}

/// DSCP and ECN of a packet to be sent; nothing where no socket can set them.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct TrafficClass(
    #[cfg(any(feature = "udp-metadata", feature = "tcp-traffic-class", feature = "tcp-ecn"))] u8,
);

impl TrafficClass {
    #[cfg(any(feature = "udp-metadata", feature = "tcp-traffic-class", feature = "tcp-ecn"))]
    pub(crate) fn new(octet: u8) -> TrafficClass {
        TrafficClass(octet)
    }

    #[cfg(not(any(feature = "udp-metadata", feature = "tcp-traffic-class", feature = "tcp-ecn")))]
    pub(crate) fn new(_octet: u8) -> TrafficClass {
        TrafficClass()
    }

    #[cfg(any(feature = "udp-metadata", feature = "tcp-traffic-class", feature = "tcp-ecn"))]
    pub(crate) fn octet(self) -> u8 {
        self.0
    }

    #[cfg(not(any(feature = "udp-metadata", feature = "tcp-traffic-class", feature = "tcp-ecn")))]
    pub(crate) fn octet(self) -> u8 {
        0
    }

    /// The two lowest bits, which are ECN's (RFC 3168 §5).
    #[cfg(feature = "tcp-ecn")]
    #[inline]
    pub(crate) fn set_ecn(&mut self, bits: u8) {
        self.0 = self.0 & !3 | bits;
    }

    #[cfg(not(feature = "tcp-ecn"))]
    pub(crate) fn set_ecn(&mut self, _bits: u8) {}
}

/// Writes a packet's payload, and sums it if asked to.
pub(crate) type Fill<'f> = dyn FnMut(&mut [u8], bool) -> Sum + 'f;

/// Fills in a header of 8 octets whose checksum is zero yet, as ICMP and UDP have one, and data.
pub(crate) fn header_and_data(header: [u8; 8], data: &[u8]) -> impl FnMut(&mut [u8], bool) -> Sum {
    move |out, sum| {
        let Some((place, rest)) = out.split_first_chunk_mut() else { return Sum::ZERO };
        *place = header;
        if !sum {
            rest.copy_from_slice(data);
            return Sum::ZERO;
        }
        checksum::sum_header(&header).add(checksum::copy_and_sum(rest, data))
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The device has it.
    Yes,
    /// The device has no room.
    NoRoom,
    /// The neighbour's hardware address is not known yet: wait on this entry of the cache.
    Unresolved(usize),
    /// It can't be sent, and its drop is counted.
    Never,
}

/// Frames that wait for room in the device, among the packets of the pool.
pub(crate) const EGRESS: u32 = 0;

/// The frame that the handler is asked about.
pub(super) const HELD: u32 = u32::MAX - 1;

/// Frames that wait for the neighbour of this cache entry.
pub(crate) fn tag_of(neighbor: usize) -> u32 {
    neighbor as u32 + 1
}

impl Interface<'_> {
    /// Sends a packet to a neighbour, if the device and the neighbour cache can do so at once.
    ///
    /// `known` is where the neighbour's hardware address is kept for what follows in the same turn by the same
    /// next hop; nothing at first.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn send(
        &mut self,
        out: &mut Out<'_>,
        packet: &Packet,
        next_hop: &Addr,
        known: &mut Option<Hardware>,
        fill: &mut Fill<'_>,
    ) -> Sent {
        if config::HAS_FAST_PATHS
            && let Some(hardware) = known
        {
            return self.send_frame(sealed(out.slot, &mut out.hooks, packet).get(), packet, hardware, fill);
        }
        if !self.link.up {
            return self.send_without_link(out, packet, next_hop, fill);
        }
        let mut hardware = [0; 6];
        match self.hardware_of(next_hop, out.now, &mut hardware) {
            #[cfg(feature = "iface-loopback")]
            Resolution::Own => self.loop_back(out, packet, fill),
            Resolution::Known if may_not_go(packet, &hardware) => {
                self.never(packet.dst.is_v4(), DropReason::NoRoute)
            }
            Resolution::Known if out.hooks.watches_output() => {
                self.send_watched(out, packet, &hardware, fill)
            }
            Resolution::Known => {
                if config::HAS_FAST_PATHS {
                    *known = Some(hardware);
                }
                self.send_frame(sealed(out.slot, &mut out.hooks, packet).get(), packet, &hardware, fill)
            }
            Resolution::Pending(index) => Sent::Unresolved(index),
            Resolution::Full => self.never(packet.dst.is_v4(), DropReason::NeighborUnreachable),
        }
    }

    /// Without a link only we ourselves can be reached.
    #[inline(never)]
    fn send_without_link(
        &mut self,
        _out: &mut Out<'_>,
        _packet: &Packet,
        _next_hop: &Addr,
        _fill: &mut Fill<'_>,
    ) -> Sent {
        #[cfg(feature = "iface-loopback")]
        if self.is_looped(_next_hop) {
            return self.loop_back(_out, _packet, _fill);
        }
        self.never(_packet.dst.is_v4(), DropReason::LinkDown)
    }

    /// Sends a packet that nobody repeats: what can't go at once waits in the pool, or is dropped.
    pub(crate) fn send_or_queue(
        &mut self,
        out: &mut Out<'_>,
        packet: &Packet,
        next_hop: &Addr,
        class: Class,
        fill: &mut Fill<'_>,
    ) -> bool {
        match self.send(out, packet, next_hop, &mut None, fill) {
            Sent::Yes => true,
            Sent::Never => false,
            Sent::NoRoom if !config::HAS_QUEUE => {
                self.drop_packet(packet.dst.is_v4(), DropReason::DeviceBusy)
            }
            Sent::NoRoom => {
                let mut hardware = [0; 6];
                if self.hardware_of(next_hop, out.now, &mut hardware) != Resolution::Known {
                    return self.drop_packet(packet.dst.is_v4(), DropReason::DeviceBusy);
                }
                let quota = self.egress_quota(class);
                let hooks = &mut out.hooks;
                self.queue(hooks, EGRESS, quota, packet, &hardware, class, fill, DropReason::DeviceBusy)
            }
            Sent::Unresolved(index) => self.wait_for(out, index, packet, class, fill),
        }
    }

    /// Keeps a packet until its neighbour has answered, or drops it.
    pub(crate) fn wait_for(
        &mut self,
        out: &mut Out<'_>,
        neighbor: usize,
        packet: &Packet,
        class: Class,
        fill: &mut Fill<'_>,
    ) -> bool {
        if !config::HAS_QUEUE {
            return self.drop_packet(packet.dst.is_v4(), DropReason::QueueFull);
        }
        let quota = config::NEIGHBOR_QUEUE_LEN;
        let hooks = &mut out.hooks;
        self.queue(hooks, tag_of(neighbor), quota, packet, &[0; 6], class, fill, DropReason::QueueFull)
    }

    /// Sends a packet by way of the pool, where the handler sees it before the device does.
    #[inline(never)]
    fn send_watched(
        &mut self,
        out: &mut Out<'_>,
        packet: &Packet,
        hardware: &Hardware,
        fill: &mut Fill<'_>,
    ) -> Sent {
        if !self.flush_queue(out.slot) {
            return Sent::NoRoom;
        }
        let hooks = &mut out.hooks;
        if !self.queue(
            hooks,
            EGRESS,
            usize::MAX,
            packet,
            hardware,
            Class::Control,
            fill,
            DropReason::QueueFull,
        ) {
            return Sent::Never;
        }
        // If there is no room for it, it is the only one that waits.
        self.flush_queue(out.slot);
        Sent::Yes
    }

    #[inline(never)]
    pub(crate) fn drop_output(&mut self, reason: DropReason) -> bool {
        self.stats.on_drop(reason);
        false
    }

    /// Drops an IP packet that was to be sent, before it came into the pool.
    pub(crate) fn drop_packet(&mut self, is_v4: bool, reason: DropReason) -> bool {
        self.stats.counters.on_unsent(is_v4, reason);
        self.drop_output(reason)
    }

    pub(crate) fn never(&mut self, is_v4: bool, reason: DropReason) -> Sent {
        self.drop_packet(is_v4, reason);
        Sent::Never
    }

    /// Writes a frame with an IP packet that `fill` writes.
    #[cfg(any(feature = "socket-raw", feature = "iface-multicast", feature = "iface-forward"))]
    pub(super) fn frame_writer<'f>(
        &self,
        hardware: &'f Hardware,
        is_v4: bool,
        fill: &'f mut dyn FnMut(&mut [u8]),
    ) -> impl FnMut(&mut [u8]) + use<'f> {
        let (source, tags, is_ethernet) = (self.hardware, self.tags, self.is_ethernet());
        move |frame| {
            let ip =
                if is_ethernet { write_ethernet(frame, &source, hardware, tags, is_v4) } else { Some(frame) };
            if let Some(ip) = ip {
                fill(ip);
            }
        }
    }

    /// Builds the whole frame in the pool; while its neighbour is unknown, `hardware` is filler. The handler
    /// is asked, if it wants to be.
    #[inline(never)]
    #[allow(clippy::too_many_arguments, reason = "all of it describes one packet")]
    pub(crate) fn queue(
        &mut self,
        hooks: &mut Hooks<'_>,
        tag: u32,
        quota: usize,
        packet: &Packet,
        hardware: &Hardware,
        class: Class,
        fill: &mut Fill<'_>,
        full: DropReason,
    ) -> bool {
        // A frame in the pool waits without its metadata, so its checksum is complete.
        let offloads = core::mem::take(&mut self.capabilities.tx_checksum);
        let mut packets = core::mem::replace(&mut self.packets, PacketPool::new(&mut [][..], &mut [][..], 0));
        let is_watched = hooks.watches_output();
        let held = if is_watched { HELD } else { tag };
        let quota = if is_watched { quota.saturating_sub(packets.count(tag)) } else { quota };
        let slot = &mut PoolSlot { packets: &mut packets, tag: held, quota, class };
        let mut sent = self.send_frame(sealed(slot, hooks, packet).get(), packet, hardware, fill);
        if sent == Sent::Yes {
            self.stats.counters.on_queued_as_sent(packet.dst.is_v4(), ip_len_of(packet));
            self.note_if_many(hardware, &packet.dst, false, ip_len_of(packet));
        }
        if is_watched && sent == Sent::Yes && !self.is_let_out(hooks, &mut packets, tag) {
            self.drop_output(DropReason::Filtered);
            self.stats.counters.add_ip(packet.dst.is_v4(), IpCount::OutLost, 1);
            sent = Sent::Never;
        }
        self.packets = packets;
        self.capabilities.tx_checksum = offloads;
        match sent {
            Sent::Yes => true,
            Sent::Never => false,
            _ => self.drop_packet(packet.dst.is_v4(), full),
        }
    }

    /// Asks the handler about the frame that is held, which then waits under `tag` or is gone.
    pub(super) fn is_let_out(&self, hooks: &mut Hooks<'_>, packets: &mut PacketPool<'_>, tag: u32) -> bool {
        let frame = packets.peek(HELD).unwrap_or_default();
        let packet = frame.get(self.link_header_len()..).unwrap_or_default();
        if !hooks.lets_out(packet) {
            packets.drop_front(HELD);
            return false;
        }
        packets.retag(HELD, tag, &mut |_| {});
        true
    }

    /// Fills in the neighbour's hardware address; on a link without any, any octets will do.
    pub(crate) fn hardware_of(&mut self, next_hop: &Addr, now: Ticks, hardware: &mut Hardware) -> Resolution {
        if !self.is_ethernet() {
            #[cfg(feature = "iface-loopback")]
            if self.is_looped(next_hop) {
                return Resolution::Own;
            }
            return Resolution::Known;
        }
        // First where most packets go. The cache holds no groups and no broadcast addresses.
        if let Some(resolution) = self.neighbors.lookup(next_hop, now, hardware) {
            return resolution;
        }
        if next_hop.is_multicast() {
            *hardware = multicast_hardware(next_hop);
            return Resolution::Known;
        }
        if config::HAS_IPV4 && self.is_broadcast(next_hop) {
            *hardware = EVERYBODY;
            return Resolution::Known;
        }
        #[cfg(feature = "iface-loopback")]
        if self.is_looped(next_hop) {
            return Resolution::Own;
        }
        self.neighbors.start(next_hop, now)
    }

    fn send_frame(
        &mut self,
        slot: &mut dyn TxSlot,
        packet: &Packet,
        hardware: &Hardware,
        fill: &mut Fill<'_>,
    ) -> Sent {
        let ip_len = ip_len_of(packet);
        let link_len = self.link_header_len();
        // What the device is to cut was planned for it.
        if packet.segment_len == 0 && ip_len > self.ip_mtu() {
            return self.never(packet.dst.is_v4(), DropReason::TooBig);
        }
        let (checksum_at, offload) = match packet.protocol {
            IpProtocol::UDP if packet.unusual.is_unsummed() => (6, TxChecksum::empty()),
            protocol => checksum_of(protocol),
        };
        let offloaded = self.capabilities.tx_checksum.intersects(offload);
        let mut meta = TxMeta { segment_len: packet.segment_len, ..TxMeta::default() };
        if offloaded {
            meta.checksum_start = (link_len + ip_len - packet.len) as u16;
            meta.checksum_offset = checksum_at as u16;
        }
        let sent = slot.send(link_len + ip_len, meta, &mut |frame| {
            let Some(payload) = self.write_headers(frame, packet, hardware) else { return };
            let sum = fill(payload, !offloaded);
            write_checksum(payload, packet, checksum_at, sum, offloaded);
        });
        if !sent {
            return Sent::NoRoom;
        }
        self.use_ident();
        self.stats.on_packet_sent(packet.dst.is_v4(), ip_len);
        self.note_if_many(hardware, &packet.dst, true, ip_len);
        Sent::Yes
    }

    /// What was counted as sent is for a group or for all: that is counted, or taken back if it was not sent.
    #[inline]
    pub(crate) fn note_if_many(&mut self, hardware: &Hardware, dst: &Addr, is_sent: bool, len: usize) {
        if config::HAS_MIB && (hardware[0] & 1 != 0 || !self.is_ethernet() && !dst.is_unicast()) {
            self.stats.on_sent_to_many(hardware, dst, is_sent, len);
        }
    }

    /// Writes all before the IP payload, and returns the place for that.
    #[inline]
    fn write_headers<'f>(
        &self,
        frame: &'f mut [u8],
        packet: &Packet,
        hardware: &Hardware,
    ) -> Option<&'f mut [u8]> {
        let mut ip = frame;
        if self.is_ethernet() {
            ip = write_ethernet(ip, &self.hardware, hardware, self.tags, packet.dst.is_v4())?;
        }
        write_ip(ip, packet, self.idents.next(), !self.offloads(TxChecksum::IPV4))
    }

    /// How many frames may wait for room in the device: answers to who asks for us as many as there are
    /// places, all others half of them.
    pub(crate) fn egress_quota(&self, class: Class) -> usize {
        if class == Class::Control { usize::MAX } else { self.packets.free_count() }
    }

    /// Sends a frame that is not IP, or lets it wait for room.
    pub(crate) fn send_link_frame(
        &mut self,
        slot: &mut dyn TxSlot,
        len: usize,
        class: Class,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> bool {
        let mut hardware = None;
        let sent = if config::HAS_MIB {
            slot.send(len, TxMeta::default(), &mut |frame| {
                fill(frame);
                hardware = frame.first_chunk().copied();
            })
        } else {
            slot.send(len, TxMeta::default(), fill)
        };
        if sent {
            self.stats.on_link_frame_sent(hardware.as_ref(), len);
            return true;
        }
        let quota = self.egress_quota(class);
        let waits = config::HAS_QUEUE && self.packets.push(EGRESS, len, quota, class, fill).is_ok();
        if !waits {
            self.stats.counters.on_lost(DropReason::DeviceBusy, 1);
        }
        waits
    }

    /// Hands the frames that wait for room to the device, oldest first, and says whether all are gone.
    pub(crate) fn flush_queue(&mut self, slot: &mut dyn TxSlot) -> bool {
        while let Some(frame) = self.packets.peek(EGRESS) {
            let len = frame.len();
            if !slot.send(len, TxMeta::default(), &mut |out| out.copy_from_slice(frame)) {
                return false;
            }
            if config::HAS_MIB {
                self.on_flushed(len);
            }
            self.packets.drop_front(EGRESS);
        }
        true
    }

    /// The first frame that waited for room is the device's now.
    #[inline(never)]
    fn on_flushed(&mut self, len: usize) {
        let link_len = self.link_header_len();
        let Some(frame) = self.packets.peek(EGRESS) else { return };
        let hardware = if self.is_ethernet() { frame.first_chunk().copied() } else { None };
        let Some(is_v4) = is_v4_frame(frame, link_len) else {
            return self.stats.on_link_frame_sent(hardware.as_ref(), len);
        };
        let dst = frame.get(link_len..).and_then(destination);
        self.stats.counters.add_ip(is_v4, IpCount::OutFlushed, 1);
        self.stats.counters.add_ip(is_v4, IpCount::OutOctets, len - link_len);
        if let Some(dst) = dst {
            self.note_if_many(&hardware.unwrap_or_default(), &dst, true, len - link_len);
        }
    }

    /// Whether IPv4 waits for this neighbour; `None` if nothing does.
    pub(crate) fn waiting_is_v4(&self, neighbor: usize) -> Option<bool> {
        is_v4_frame(self.packets.peek(tag_of(neighbor))?, self.link_header_len())
    }

    /// What waited for a neighbour goes out as soon as the device has room.
    pub(crate) fn release_packets(&mut self, neighbor: usize, hardware: &Hardware) {
        self.packets.retag(tag_of(neighbor), EGRESS, &mut |frame| {
            if let Some(dst) = frame.first_chunk_mut() {
                *dst = *hardware;
            }
        });
    }
}

/// RFC 1122 §4.2.3.10: nothing of a connection goes to many. The peer's address becomes that of all if an address of
/// ours is added of which it is the network's broadcast address.
fn may_not_go(packet: &Packet, hardware: &Hardware) -> bool {
    config::HAS_TCP && hardware[0] & 1 != 0 && packet.protocol == IpProtocol::TCP
}

/// Octets of a packet with its IP header.
#[inline]
pub(crate) fn ip_len_of(packet: &Packet) -> usize {
    packet.len + if packet.dst.is_v4() { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN }
}

/// Where an IP packet goes.
pub(crate) fn destination(packet: &[u8]) -> Option<Addr> {
    match packet.first()? >> 4 {
        #[cfg(feature = "proto-ipv4")]
        4 => Some(Addr::v4(*packet.get(16..)?.first_chunk()?)),
        #[cfg(feature = "proto-ipv6")]
        6 => Some(Addr::v6(*packet.get(24..)?.first_chunk()?)),
        _ => None,
    }
}

/// Whether a frame carries IPv4; `None` if it carries no IP.
pub(crate) fn is_v4_frame(frame: &[u8], link_len: usize) -> Option<bool> {
    // The link header ends with the type of what follows, whatever tags it has.
    let types = link_len.checked_sub(2).and_then(|at| frame.get(at..)?.first_chunk());
    match (types, frame.get(link_len)?) {
        (Some(&[8, 0]), _) => Some(true),
        (Some(&[0x86, 0xdd]), _) => Some(false),
        (Some(_), _) => None,
        (None, first) => Some(first >> 4 == 4),
    }
}

/// Where a protocol's checksum stands, and which offload could compute it.
pub(crate) fn checksum_of(protocol: IpProtocol) -> (usize, TxChecksum) {
    match protocol {
        IpProtocol::TCP => (16, TxChecksum::TCP),
        IpProtocol::UDP => (6, TxChecksum::UDP),
        // No device knows what is covered.
        IpProtocol::UDP_LITE if config::HAS_UDPLITE => (6, TxChecksum::empty()),
        _ => (2, TxChecksum::empty()),
    }
}

#[inline]
pub(crate) fn write_ethernet<'f>(
    frame: &'f mut [u8],
    source: &Hardware,
    destination: &Hardware,
    tags: VlanTags,
    is_v4: bool,
) -> Option<&'f mut [u8]> {
    let ether_type = if is_v4 { EtherType::IPV4 } else { EtherType::IPV6 };
    write_link_header(frame, source, destination, tags, ether_type)
}

/// Writes the link header, tags included, of a frame on Ethernet, and returns the place for what follows.
#[inline]
pub(crate) fn write_link_header<'f>(
    frame: &'f mut [u8],
    source: &Hardware,
    destination: &Hardware,
    tags: VlanTags,
    ether_type: EtherType,
) -> Option<&'f mut [u8]> {
    let (header, rest) = frame.split_first_chunk_mut()?;
    ethernet::emit(header, destination, source, tags.outermost(ether_type));
    tags.emit(rest, ether_type)
}

#[cfg_attr(target_pointer_width = "64", inline(always))]
#[cfg_attr(not(target_pointer_width = "64"), inline)]
pub(crate) fn write_ip<'f>(ip: &'f mut [u8], packet: &Packet, ident: u16, sum: bool) -> Option<&'f mut [u8]> {
    let (protocol, hop_limit) = (packet.protocol, packet.hop_limit);
    if let (Some(src), Some(dst)) = (packet.src.as_v4(), packet.dst.as_v4()) {
        let (header, payload) = ip.split_first_chunk_mut()?;
        let mut repr = ipv4::Repr::new(src.into(), dst.into(), protocol, payload.len() as u16, hop_limit);
        // Only where the path's MTU is watched; else routers may cut what does not fit.
        repr.dont_fragment = packet.unusual.is_forbidden();
        repr.ident = ident;
        repr.traffic_class = packet.traffic_class.octet();
        repr.emit_header(header, sum);
        return Some(payload);
    }
    let (&src, &dst) = (packet.src.as_v6()?, packet.dst.as_v6()?);
    let (header, payload) = ip.split_first_chunk_mut()?;
    let mut repr = ipv6::Repr::new(src.into(), dst.into(), protocol, payload.len() as u16, hop_limit);
    repr.traffic_class = packet.traffic_class.octet();
    repr.emit_header(header);
    Some(payload)
}

// RFC 9293 §3.1 (MUST-2), RFC 8200 §8.1.
#[inline]
fn write_checksum(payload: &mut [u8], packet: &Packet, at: usize, sum: Sum, offloaded: bool) {
    // A device that adds the payload adds the header, too.
    let mut total = if offloaded { Sum::ZERO } else { sum };
    if packet.protocol != IpProtocol::ICMP {
        let len = payload.len() as u32;
        total = total.add(checksum::pseudo_header(&packet.src, &packet.dst, packet.protocol.0, len));
    }
    let value = match (offloaded, packet.protocol) {
        (true, _) => total.partial(),
        (false, IpProtocol::UDP) if packet.unusual.is_unsummed() => [0; 2],
        (false, IpProtocol::UDP) => total.finish_udp(),
        (false, IpProtocol::UDP_LITE) if config::HAS_UDPLITE => total.finish_udp(),
        (false, _) => total.finish(),
    };
    if let Some(octets) = payload.get_mut(at..at + 2) {
        octets.copy_from_slice(&value);
    }
}

/// 01:00:5e and 23 bits (RFC 1112 §6.4), or 33:33 and 32 bits (RFC 2464 §7).
pub(crate) fn multicast_hardware(group: &Addr) -> Hardware {
    if let Some([_, b, c, d]) = group.as_v4() {
        return [0x01, 0x00, 0x5e, b & 0x7f, c, d];
    }
    match group.as_v6() {
        Some(&[.., a, b, c, d]) => [0x33, 0x33, a, b, c, d],
        None => [0xff; 6],
    }
}

/// A place in the pool, as if it were a device.
struct PoolSlot<'s, 'a> {
    packets: &'s mut PacketPool<'a>,
    tag: u32,
    quota: usize,
    class: Class,
}

impl TxSlot for PoolSlot<'_, '_> {
    fn send(&mut self, len: usize, _meta: TxMeta, f: &mut dyn FnMut(&mut [u8])) -> bool {
        self.packets.push(self.tag, len, self.quota, self.class, f).is_ok()
    }
}
