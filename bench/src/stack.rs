//! A stack at one end of the wire.

use goldcrest::iface::{Config, Interface, SocketHandle, SocketSet};
use goldcrest::phy::HardwareAddress;
use goldcrest::rand::Keys;
use goldcrest::socket::{tcp, udp};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::Instant;
use goldcrest::wire::{IpAddress, IpCidr, Ipv4Address};

use crate::wire::{End, Queue};

/// The buffers of the TCP connection and UDP sockets that are measured, in octets.
pub(crate) const BUFFER_LEN: usize = 65_536;
/// Datagrams that a UDP socket holds in each direction.
pub(crate) const DATAGRAMS: usize = 64;

/// An interface and its sockets. Stack 1 has 10.0.0.1, stack 2 has 10.0.0.2; each is the other's gateway.
pub(crate) struct Stack {
    pub(crate) number: u8,
    pub(crate) iface: Interface<'static>,
    pub(crate) sockets: SocketSet<'static>,
}

/// The IPv4 address of a stack.
pub(crate) fn address(number: u8) -> Ipv4Address {
    Ipv4Address::new(10, 0, 0, number)
}

/// The hardware address of a stack.
pub(crate) fn hardware(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, number]
}

impl Stack {
    /// A stack with room for `expected` sockets.
    pub(crate) fn new(number: u8, expected: usize) -> Stack {
        let mut wire = [Queue::new(), Queue::new()];
        let [from, to] = &mut wire;
        let config = Config::new(HardwareAddress::Ethernet(hardware(number)));
        let mut iface = Interface::new(config, &mut End { from, to }, Instant::ZERO);
        iface.add_address(IpCidr::new(IpAddress::from(address(number)), 24)).expect("there is room");
        iface.add_default_ipv4_route(address(3 - number)).expect("there is room");
        let sockets = SocketSet::with_capacity(expected, Keys::new([number; 32]));
        Stack { number, iface, sockets }
    }

    pub(crate) fn add_tcp(&mut self, has_stamps: bool) -> SocketHandle {
        let buffer = || SocketBuffer::new(vec![0; BUFFER_LEN]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_timestamps_enabled(has_stamps);
        self.sockets.add(socket)
    }

    pub(crate) fn add_udp(&mut self, port: u16) -> SocketHandle {
        let buffer = || {
            let metadata = vec![udp::PacketMetadata::EMPTY; DATAGRAMS];
            udp::PacketBuffer::new(metadata, vec![0; BUFFER_LEN])
        };
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).expect("the port is free");
        self.sockets.add(socket)
    }

    pub(crate) fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    pub(crate) fn udp(&mut self, handle: SocketHandle) -> &mut udp::Socket<'static> {
        self.sockets.get_mut(handle)
    }
}
