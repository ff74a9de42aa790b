//! One of the two stacks: an interface, its sockets, and who serves there.

use std::cell::RefCell;

use goldcrest::iface::{Config, Interface, InterfaceStorage, Neighbor, SocketHandle, SocketSet, SocketSlot};
use goldcrest::phy::{Device, SimPort};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{HalfOpen, Listener, Socket, State, TimeWait};
use goldcrest::storage::{Memory, PacketPool, SocketBuffer};
use goldcrest::time::Instant;
use goldcrest::wire::{IpAddress, IpCidr};

use crate::memory;
use crate::observer::Observer;
use crate::plan::{HostPlan, ServerKind};
use crate::port::ObservedPort;

/// The port that both hosts serve.
pub(crate) const PORT: u16 = 80;

/// One stack.
pub(crate) struct Host<'a> {
    pub(crate) plan: HostPlan,
    pub(crate) device: ObservedPort,
    pub(crate) iface: Interface<'static>,
    pub(crate) sockets: SocketSet<'a>,
    pub(crate) listener: Option<SocketHandle>,
    /// Sockets that listen for one connection each.
    pub(crate) listening: Vec<SocketHandle>,
    /// When the stack wants to be polled.
    pub(crate) poll_at: Option<Instant>,
    /// The budget of the last poll was used up.
    pub(crate) has_more: bool,
    /// How many lent sockets were taken away for good.
    pub(crate) removed_count: usize,
    /// What growing buffers share, if they grow.
    pub(crate) memory: Option<Memory>,
    /// When established connections are next accepted.
    pub(crate) accept_at: Option<Instant>,
}

/// The address of a host.
pub(crate) fn address(host: usize, is_v6: bool) -> IpAddress {
    let last = host as u8 + 1;
    match is_v6 {
        true => IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)),
        false => IpAddress::v4(10, 0, 0, last),
    }
}

/// A socket with buffers of these lengths or, of shared memory, for as much at most.
pub(crate) fn new_socket<'a>(rx_len: usize, tx_len: usize, memory: Option<&Memory>) -> Socket<'a> {
    match memory {
        Some(memory) => Socket::growing(rx_len, tx_len, memory),
        None => Socket::new(SocketBuffer::new(vec![0; rx_len]), SocketBuffer::new(vec![0; tx_len])),
    }
}

/// The memory that the buffers of a host share: in a quarter of the worlds, and then little in every second.
fn shared_memory(number: usize, seed: u64) -> Option<Memory> {
    let chance = (seed ^ seed >> 3).wrapping_add(number as u64);
    match chance % 8 {
        0 => Some(Memory::new(40_000 + (seed % 97) as usize * 1_000)),
        4 => Some(Memory::new(2_000_000)),
        _ => None,
    }
}

impl<'a> Host<'a> {
    pub(crate) fn new(
        number: usize,
        seed: u64,
        plan: HostPlan,
        port: SimPort,
        slots: Option<&'a mut [SocketSlot<'a>]>,
    ) -> Host<'a> {
        let capabilities = port.capabilities();
        let storage = InterfaceStorage {
            neighbors: (0..plan.neighbors).map(|_| Neighbor::EMPTY).collect::<Vec<_>>().into(),
            packets: PacketPool::with_cells(plan.packets, capabilities.max_transmission_unit.min(1_600)),
            ..InterfaceStorage::default()
        };
        let mut iface = Interface::with_storage(Config::new(port.hardware_address()), capabilities, storage);
        for (is_v6, prefix_len) in [(false, 24), (true, 64)] {
            iface
                .add_address(IpCidr::new(address(number, is_v6), prefix_len))
                .expect("room for two addresses");
        }
        let mut secret = [number as u8; 32];
        secret[8..16].copy_from_slice(&seed.to_le_bytes());
        let keys = Keys::new(secret);
        let mut sockets = match slots {
            Some(slots) => SocketSet::new(slots, keys),
            None => SocketSet::new(Vec::new(), keys),
        };
        if plan.has_table {
            sockets = sockets.with_table(vec![u32::MAX; 16]);
        }
        let memory = shared_memory(number, seed);
        if let Some(memory) = &memory {
            sockets = sockets.with_buffer_memory(memory);
        }
        sockets = sockets.with_time_wait(vec![TimeWait::EMPTY; plan.time_wait]);
        let is_ethernet = capabilities.medium.header_len() > 0;
        let observer = Observer::new(["A", "B"][number], is_ethernet, iface.ip_mtu());
        let device = ObservedPort { port, observer: RefCell::new(observer) };
        let mut host = Host {
            plan,
            device,
            iface,
            sockets,
            listener: None,
            listening: Vec::new(),
            poll_at: Some(Instant::ZERO),
            has_more: false,
            removed_count: 0,
            memory,
            accept_at: None,
        };
        host.start_listener();
        host
    }

    fn start_listener(&mut self) {
        let server = &self.plan.server;
        let (rx_len, tx_len) = (server.rx_len, server.tx_len);
        let lent = match server.kind {
            ServerKind::Sockets(_) => return,
            ServerKind::Made(_) => 0,
            ServerKind::Lent(count) => count,
        };
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; server.records]);
        listener.set_backlog(server.backlog);
        if let ServerKind::Made(count) = server.kind {
            match &self.memory {
                Some(memory) => listener.set_growing_buffers(rx_len, tx_len, count, memory),
                None => listener.set_buffers(rx_len, tx_len, count),
            }
        }
        let listener = self.sockets.add(listener);
        for _ in 0..lent {
            let socket = self.sockets.add(new_socket(rx_len, tx_len, self.memory.as_ref()));
            self.sockets.lend(listener, socket).expect("a new socket can be lent");
        }
        self.sockets.listen(listener, PORT).expect("nobody else listens");
        self.listener = Some(listener);
    }

    /// How many sockets are there when nothing goes on.
    pub(crate) fn idle_count(&self) -> usize {
        match self.plan.server.kind {
            ServerKind::Made(_) => 1,
            ServerKind::Lent(count) => 1 + count - self.removed_count,
            ServerKind::Sockets(_) => self.listening.len(),
        }
    }

    /// Keeps as many sockets listening as planned, as far as there is room for them.
    pub(crate) fn keep_listening(&mut self, in_use: usize) {
        let ServerKind::Sockets(count) = self.plan.server.kind else { return };
        while self.listening.len() + in_use < count {
            let server = &self.plan.server;
            let socket = new_socket(server.rx_len, server.tx_len, self.memory.as_ref());
            let Ok(handle) = memory::in_stack(|| self.sockets.try_add(socket)) else { return };
            // Half of them by mark, half by the set.
            if self.listening.len() % 2 == 1 {
                self.sockets.get_mut::<Socket<'_>>(handle).listen(PORT).expect("a new socket can listen");
            } else {
                self.sockets.listen(handle, PORT).expect("sockets can share a port");
            }
            self.listening.push(handle);
        }
    }

    /// States of the sockets that can be seen.
    pub(crate) fn states(&self) -> impl Iterator<Item = State> + '_ {
        self.sockets.iter().filter_map(|(_, socket)| match socket {
            goldcrest::socket::Socket::Tcp(socket) => Some(socket.state()),
            _ => None,
        })
    }
}
