//! An echo server (RFC 862) without a heap, the same for every board: what comes to port 7 goes back.
//!
//! All memory lies in a [`Storage`], which the board puts into a static. Ping is the stack's own affair.
#![no_std]

#[cfg_attr(not(feature = "tcp"), path = "no_stream.rs")]
mod stream;
#[cfg_attr(not(feature = "http"), path = "no_web.rs")]
mod web;

use goldcrest::iface::{
    Address, Config, Fragments, Interface, InterfaceStorage, Neighbor, PollResult, SocketHandle, SocketSet,
    SocketSlot,
};
use goldcrest::phy::Device;
use goldcrest::rand::Keys;
use goldcrest::socket::udp;
use goldcrest::storage::{PacketCell, PacketPool};
use goldcrest::time::Instant;
use goldcrest::wire::IpCidr;
use managed::ManagedSlice;

use crate::stream::Streams;
use crate::web::Web;

/// The port that RFC 862 names.
const PORT: u16 = 7;
/// Octets of the largest UDP datagram over IPv4 in an Ethernet frame.
const DATAGRAM_LEN: usize = 1_472;
/// Datagrams that wait for the application, and for the device.
const DATAGRAMS: usize = 2;
/// Packets that wait for a neighbour's address, and their octets each.
const WAITING: usize = 2;
const WAITING_LEN: usize = 128;

/// All memory that the server works in.
pub struct Storage<'a> {
    addresses: [Option<Address>; 2],
    neighbors: [Neighbor; 4],
    waiting_cells: [PacketCell; WAITING],
    waiting: [u8; WAITING * WAITING_LEN],
    slots: [SocketSlot<'a>; 1 + stream::SLOTS + web::SLOTS],
    udp_rx_metadata: [udp::PacketMetadata; DATAGRAMS],
    udp_rx: [u8; DATAGRAM_LEN],
    udp_tx_metadata: [udp::PacketMetadata; DATAGRAMS],
    udp_tx: [u8; DATAGRAM_LEN],
    scratch: [u8; DATAGRAM_LEN],
    streams: stream::Storage,
    ended: stream::Ended,
    web: web::Storage,
}

impl Storage<'_> {
    /// Nothing in it yet.
    pub const fn new() -> Self {
        Storage {
            addresses: [None; 2],
            neighbors: [Neighbor::EMPTY; 4],
            waiting_cells: [PacketCell::EMPTY; WAITING],
            waiting: [0; WAITING * WAITING_LEN],
            slots: [const { SocketSlot::EMPTY }; 1 + stream::SLOTS + web::SLOTS],
            udp_rx_metadata: [udp::PacketMetadata::EMPTY; DATAGRAMS],
            udp_rx: [0; DATAGRAM_LEN],
            udp_tx_metadata: [udp::PacketMetadata::EMPTY; DATAGRAMS],
            udp_tx: [0; DATAGRAM_LEN],
            scratch: [0; DATAGRAM_LEN],
            streams: stream::Storage::EMPTY,
            ended: stream::Ended::EMPTY,
            web: web::Storage::EMPTY,
        }
    }
}

impl Default for Storage<'_> {
    fn default() -> Self {
        Storage::new()
    }
}

/// The server.
pub struct Server<'a> {
    iface: Interface<'a>,
    sockets: SocketSet<'a>,
    udp: SocketHandle,
    streams: Streams,
    web: Web<'a>,
    scratch: &'a mut [u8],
}

impl<'a> Server<'a> {
    /// A server with these addresses on `device`; `None` if one is no address for a host.
    ///
    /// `secret` must differ from board to board and from start to start.
    pub fn new(
        storage: &'a mut Storage<'a>,
        device: &impl Device,
        addresses: &[IpCidr],
        secret: [u8; 32],
    ) -> Option<Server<'a>> {
        let memory = InterfaceStorage {
            addresses: ManagedSlice::Borrowed(&mut storage.addresses),
            routes: ManagedSlice::Borrowed(&mut []),
            neighbors: ManagedSlice::Borrowed(&mut storage.neighbors),
            packets: PacketPool::new(&mut storage.waiting[..], &mut storage.waiting_cells[..], 1),
            fragments: Fragments::new(&mut [][..]),
        };
        let config = Config::new(device.hardware_address());
        let mut iface = Interface::with_storage(config, device.capabilities(), memory);
        for &address in addresses {
            iface.add_address(address).ok()?;
        }
        let sockets = SocketSet::new(&mut storage.slots[..], Keys::new(secret));
        let mut sockets = storage.ended.lend_to(sockets);
        let mut socket = udp::Socket::new(
            udp::PacketBuffer::new(&mut storage.udp_rx_metadata[..], &mut storage.udp_rx[..]),
            udp::PacketBuffer::new(&mut storage.udp_tx_metadata[..], &mut storage.udp_tx[..]),
        );
        socket.bind(PORT).ok()?;
        let udp = sockets.try_add(socket).ok()?;
        let streams = Streams::open(&mut storage.streams, &mut sockets)?;
        let web = Web::open(&mut storage.web, &mut sockets)?;
        Some(Server { iface, sockets, udp, streams, web, scratch: &mut storage.scratch })
    }

    /// Does all there is to do and says when there will be more, unless a frame comes before.
    pub fn poll<D: Device>(&mut self, now: Instant, device: &mut D) -> Option<Instant> {
        while self.iface.poll(now, device, &mut self.sockets) == PollResult::SocketStateChanged {
            while let Some((handle, events)) = self.sockets.next_ready() {
                if handle == self.udp {
                    self.echo_datagrams();
                } else if !self.web.serve(now, &mut self.sockets, handle, events) {
                    self.streams.serve(&mut self.sockets, handle, self.scratch);
                }
            }
        }
        self.web.poll(now, &mut self.sockets);
        let at = self.iface.poll_at(now, &mut self.sockets);
        self.web.or_before(now, at)
    }

    fn echo_datagrams(&mut self) {
        let Ok(socket) = self.sockets.try_get_mut::<udp::Socket<'_>>(self.udp) else { return };
        while socket.can_send() {
            let Ok((len, meta)) = socket.recv_slice(self.scratch) else { return };
            let data = self.scratch.get(..len).unwrap_or_default(); // `len` is within the slice
            // No room: UDP may lose it.
            let _ = socket.send_slice(data, meta);
        }
    }
}
