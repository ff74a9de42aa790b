//! Raw sockets: IP packets by version and protocol, or Ethernet frames by EtherType, as they came.
//!
//! Each of several sockets for the same gets a copy, and the stack goes on with its own processing.
//!
//! The size that a path takes is not watched for them: what is larger than the link carries is treated as IP treats all
//! packets, and the DF bit is the application's where it writes the header.

#[cfg_attr(not(feature = "proto-ipv6"), path = "no_checksum.rs")]
mod checksum;
mod ends;

#[cfg(feature = "proto-ipv6")]
pub use checksum::ChecksumOffsetError;
pub(crate) use checksum::complete_checksum;
pub use ends::EndError;

use super::Events;
use crate::stats::DropReason;
use crate::storage::EnqueueError;
use crate::wire::{EtherType, IpProtocol, IpVersion};

/// What is known of a packet beside its octets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The interface, as its place in the `Router`: which a received packet came by; which one that is sent
    /// leaves by, where `None` lets the route decide, or takes the first for an Ethernet frame.
    pub interface: Option<u8>,
    /// When a received packet arrived, in ns of the device's clock; where the device does not say, the time of the poll that
    /// took it in, in ns of the stack's clock.
    pub timestamp: u64,
}

impl Metadata {
    /// For a packet that shall leave by this interface.
    pub fn by_interface(interface: u8) -> Metadata {
        Metadata { interface: Some(interface), timestamp: 0 }
    }
}

/// Storage for the descriptions of packets.
pub type PacketMetadata = crate::storage::PacketMetadata<Metadata>;

/// A queue of packets over lent or owned storage.
pub type PacketBuffer<'a> = crate::storage::PacketBuffer<'a, Metadata>;

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// IP packets that carry this protocol, behind extension headers as well.
    Ip(IpVersion, IpProtocol),
    /// Ethernet frames of this type.
    Ethernet(EtherType),
}

/// Why a packet can't be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// No room now: try again when the socket is writable.
    BufferFull,
    /// Larger than the whole transmit buffer, or than IP can carry: it can never be sent.
    TooLarge,
    /// Its header is not one of the socket's kind.
    Malformed,
    /// Nobody says to whom it goes, or the address is of another version than the socket's packets.
    Unaddressable,
}

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// No packet waits.
    Exhausted,
    /// The packet was larger than the slice: it is lost.
    Truncated,
}

error_texts!(SendError:
    BufferFull => "transmit buffer full: try again when the socket is writable",
    TooLarge => "larger than the transmit buffer or than IP can carry",
    Malformed => "no header of the socket's kind",
    Unaddressable => "no destination, or one of another version");
error_texts!(RecvError:
    Exhausted => "no packet waits",
    Truncated => "packet truncated: lend a larger slice");

/// How far the next packet, which is larger than the link carries, has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// What its fragments have in common.
    pub(crate) ident: u32,
    /// Octets behind its headers that have gone.
    pub(crate) gone: u16,
}

/// A raw socket, open from the start.
pub struct Socket<'a> {
    rx: PacketBuffer<'a>,
    tx: PacketBuffer<'a>,
    binding: Binding,
    ends: ends::Ends,
    /// Where the upper layer has a checksum that the stack cares for.
    pub(crate) checksum_offset: Option<u16>,
    pub(crate) cut: Option<Cut>,
}

impl<'a> Socket<'a> {
    /// A socket for the IP packets of one version that carry one protocol.
    pub fn new(
        version: IpVersion,
        protocol: IpProtocol,
        rx: PacketBuffer<'a>,
        tx: PacketBuffer<'a>,
    ) -> Socket<'a> {
        let mut socket = Socket::with_binding(Binding::Ip(version, protocol), rx, tx);
        socket.checksum_offset = checksum::offset_for(version, protocol);
        socket
    }

    /// A socket for the Ethernet frames of one type that are addressed to us, to a group or to all.
    pub fn ethernet(ether_type: EtherType, rx: PacketBuffer<'a>, tx: PacketBuffer<'a>) -> Socket<'a> {
        Socket::with_binding(Binding::Ethernet(ether_type), rx, tx)
    }

    fn with_binding(binding: Binding, rx: PacketBuffer<'a>, tx: PacketBuffer<'a>) -> Socket<'a> {
        Socket { rx, tx, binding, ends: ends::Ends::ANY, checksum_offset: None, cut: None }
    }

    /// What it is for.
    pub fn binding(&self) -> Binding {
        self.binding
    }

    /// Whether a packet waits.
    pub fn can_recv(&self) -> bool {
        !self.rx.is_empty()
    }

    /// Whether at least an empty packet could be queued.
    pub fn can_send(&self) -> bool {
        !self.tx.is_full()
    }

    /// Queues room for a packet of `len` octets, header included, which the caller fills.
    ///
    /// The stack completes an IP header: its length and checksum always, its source address and IPv4
    /// identification where they are zero. A packet larger than the link carries is cut into fragments (feature
    /// `iface-fragments`), unless it says that it may not be, or is one of IPv6 already; then it is dropped and
    /// counted as too big. An Ethernet frame goes out as it is. What turns out to be no
    /// packet of the socket's kind is dropped and counted as malformed.
    pub fn send(&mut self, len: usize, meta: Metadata) -> Result<&mut [u8], SendError> {
        if len > usize::from(u16::MAX) {
            return Err(SendError::TooLarge);
        }
        match self.tx.enqueue(len, meta) {
            Ok(room) => Ok(room),
            Err(EnqueueError::Full) => Err(SendError::BufferFull),
            Err(EnqueueError::TooLarge) => Err(SendError::TooLarge),
        }
    }

    /// Queues a packet, header included, as [`send`](Self::send) does.
    ///
    /// # Errors
    /// [`SendError::Malformed`] if it does not begin as one of the socket's kind.
    pub fn send_slice(&mut self, packet: &[u8], meta: Metadata) -> Result<(), SendError> {
        if !self.can_be_sent(packet) {
            return Err(SendError::Malformed);
        }
        self.send(packet.len(), meta)?.copy_from_slice(packet);
        Ok(())
    }

    /// The next packet, header included, which is taken off the queue.
    pub fn recv(&mut self) -> Result<(&[u8], Metadata), RecvError> {
        let (meta, packet) = self.rx.dequeue().ok().ok_or(RecvError::Exhausted)?;
        Ok((packet, meta))
    }

    /// Copies the next packet into `data` and takes it off the queue.
    pub fn recv_slice(&mut self, data: &mut [u8]) -> Result<(usize, Metadata), RecvError> {
        let (packet, meta) = self.recv()?;
        let room = data.get_mut(..packet.len()).ok_or(RecvError::Truncated)?;
        room.copy_from_slice(packet);
        Ok((packet.len(), meta))
    }
}

/// What the engine does with it.
impl Socket<'_> {
    /// The number that it is filed under.
    pub(crate) fn key(&self) -> u16 {
        match self.binding {
            Binding::Ip(version, protocol) => ip_key(version, protocol),
            Binding::Ethernet(ether_type) => ether_type.0,
        }
    }

    /// Whether a packet begins as one of the socket's kind.
    pub(crate) fn can_be_sent(&self, packet: &[u8]) -> bool {
        match (self.binding, packet) {
            (Binding::Ip(IpVersion::Ipv4, protocol), &[first, .., _]) => {
                let header_len = usize::from(first & 0xf) * 4;
                first >> 4 == 4
                    && (20..=packet.len()).contains(&header_len)
                    && packet.get(9) == Some(&protocol.0)
            }
            (Binding::Ip(IpVersion::Ipv6, _), &[first, .., _]) => first >> 4 == 6 && packet.len() >= 40,
            (Binding::Ethernet(ether_type), _) => packet.get(12..14) == Some(&ether_type.0.to_be_bytes()[..]),
            _ => false,
        }
    }

    /// Takes a packet.
    pub(crate) fn process(&mut self, meta: Metadata, packet: &[u8]) -> Result<Events, DropReason> {
        let room = self.rx.enqueue(packet.len(), meta).map_err(|_| DropReason::BufferFull)?;
        room.copy_from_slice(packet);
        Ok(Events::READABLE)
    }

    /// The next packet to send.
    pub(crate) fn next(&self) -> Option<(Metadata, &[u8])> {
        let (meta, packet) = self.tx.peek().ok()?;
        Some((*meta, packet))
    }

    /// The same, to be completed.
    pub(crate) fn next_mut(&mut self) -> Option<&mut [u8]> {
        self.tx.peek_mut().ok()
    }

    /// The next packet has gone, one way or another.
    pub(crate) fn on_sent(&mut self) -> Events {
        let was_full = self.tx.is_full();
        self.cut = None;
        self.tx.drop_front();
        if was_full { Events::WRITABLE } else { Events::empty() }
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.tx.is_empty()
    }
}

/// What sockets for IP packets are filed under; no EtherType is so small.
pub(crate) fn ip_key(version: IpVersion, protocol: IpProtocol) -> u16 {
    let version = if version == IpVersion::Ipv4 { 0 } else { 0x100 };
    version | u16::from(protocol.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> Socket<'static> {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 2], vec![0; 70_000]);
        Socket::ethernet(EtherType(0x88b5), buffer(), buffer())
    }

    #[test]
    fn its_queues_say_what_they_have_and_what_they_take() {
        let mut socket = socket();
        assert!(!socket.can_recv() && !socket.has_output());
        assert!(socket.can_send());
        socket.process(Metadata::by_interface(3), b"came").unwrap();
        assert!(socket.can_recv());
        assert_eq!(socket.recv().unwrap(), (&b"came"[..], Metadata { interface: Some(3), timestamp: 0 }));
        assert!(!socket.can_recv());
        socket.send(14, Metadata::by_interface(2)).unwrap();
        assert!(socket.has_output() && socket.can_send());
        assert_eq!(socket.next().unwrap().0.interface, Some(2));
        socket.send(14, Metadata::default()).unwrap();
        assert!(!socket.can_send());
        assert_eq!(socket.on_sent(), Events::WRITABLE);
        assert_eq!(socket.on_sent(), Events::empty());
        assert!(socket.can_send() && !socket.has_output());
    }

    #[test]
    fn no_packet_is_larger_than_ip_can_carry() {
        let mut socket = socket();
        assert_eq!(socket.send(65_536, Metadata::default()).err(), Some(SendError::TooLarge));
        assert_eq!(socket.send(65_535, Metadata::default()).map(|room| room.len()), Ok(65_535));
    }

    #[test]
    fn a_header_is_one_of_the_sockets_kind_or_none() {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 1], vec![0; 100]);
        let v4 = Socket::new(IpVersion::Ipv4, IpProtocol(89), buffer(), buffer());
        let v6 = Socket::new(IpVersion::Ipv6, IpProtocol(89), buffer(), buffer());
        let packet = |first: u8, len: usize| {
            let mut packet = vec![0; len];
            (packet[0], packet[9]) = (first, 89);
            packet
        };
        for (first, len, is_v4, is_v6) in [
            (0x45, 20, true, false),
            (0x45, 40, true, false),
            (0x46, 23, false, false),
            (0x46, 24, true, false),
            (0x44, 20, false, false),
            (0x60, 39, false, false),
            (0x60, 40, false, true),
            (0x55, 40, false, false),
        ] {
            let packet = packet(first, len);
            let can = [v4.can_be_sent(&packet), v6.can_be_sent(&packet)];
            assert_eq!(can, [is_v4, is_v6], "{first:#x} {len}");
        }
        assert_ne!(v4.key(), v6.key());
        assert!(v4.key().max(v6.key()) < 0x600, "where EtherTypes begin");
    }
}
