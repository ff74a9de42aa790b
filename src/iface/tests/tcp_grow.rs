//! Growing buffers, between two stacks: a listener's connections share memory, and idle ones give theirs back.

use super::net::*;
use crate::iface::{Config, Interface, SocketHandle, SocketSet};
use crate::phy::{HardwareAddress, Medium};
use crate::rand::Keys;
use crate::socket::Events;
use crate::socket::tcp::{HalfOpen, Listener, Socket};
use crate::storage::Memory;
use crate::time::{Duration, Instant};
use crate::wire::{IpAddress, IpCidr};

struct End {
    wire: Wire,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    memory: Memory,
}

impl End {
    fn new(last: u8, limit: usize) -> End {
        let mut wire = Wire::new(Medium::Ip);
        let mut iface = Interface::new(Config::new(HardwareAddress::Ip), &mut wire, Instant::ZERO);
        iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24)).unwrap();
        let memory = Memory::new(limit);
        let sockets = SocketSet::with_capacity(64, Keys::new([last; 32])).with_buffer_memory(&memory);
        End { wire, iface, sockets, memory }
    }

    fn tcp(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.sockets.get_mut(handle)
    }
}

struct Pair {
    now: Instant,
    ends: [End; 2],
    listener: SocketHandle,
}

impl Pair {
    fn new(limit: usize) -> Pair {
        let mut ends = [End::new(1, 64 << 20), End::new(2, limit)];
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 32]);
        listener.set_growing_buffers(1 << 20, 1 << 20, 50, &ends[1].memory);
        let handle = ends[1].sockets.add(listener);
        ends[1].sockets.listen(handle, 80).unwrap();
        Pair { now: Instant::from_secs(1), ends, listener: handle }
    }

    fn run(&mut self, millis: usize) {
        for _ in 0..millis {
            for End { wire, iface, sockets, memory } in &mut self.ends {
                iface.poll(self.now, wire, sockets);
                assert!(memory.used() <= memory.limit());
            }
            let [a, b] = &mut self.ends;
            b.wire.to_stack.append(&mut a.wire.from_stack);
            a.wire.to_stack.append(&mut b.wire.from_stack);
            self.now += Duration::from_millis(1);
        }
    }

    fn connect(&mut self) -> [SocketHandle; 2] {
        let End { iface, sockets, memory, .. } = &mut self.ends[0];
        let client = sockets.add(Socket::growing(1 << 20, 1 << 20, memory));
        iface.connect(self.now, sockets, client, (IpAddress::v4(10, 0, 0, 2), 80), 0).unwrap();
        self.run(5);
        [client, self.ends[1].sockets.accept(self.listener).unwrap()]
    }

    /// Sends octets to the listener's side, which gives back what comes; says how many came back.
    fn echo(&mut self, [client, server]: [SocketHandle; 2], count: usize, millis: usize) -> usize {
        let (mut sent, mut back) = (0, 0);
        let data: Vec<u8> = (0..count).map(|i| (i % 251) as u8).collect();
        let mut held: Vec<u8> = Vec::new();
        let mut buffer = vec![0; 1 << 20];
        for _ in 0..millis {
            sent += self.ends[0].tcp(client).send_slice(&data[sent..]).unwrap();
            self.run(1);
            let len = self.ends[1].tcp(server).recv_slice(&mut buffer).unwrap();
            held.extend(&buffer[..len]);
            let given = self.ends[1].tcp(server).send_slice(&held).unwrap();
            held.drain(..given);
            let len = self.ends[0].tcp(client).recv_slice(&mut buffer).unwrap();
            assert!(buffer[..len] == data[back..back + len]);
            back += len;
        }
        back
    }
}

#[test]
fn a_listeners_connections_grow_and_give_back() {
    let mut pair = Pair::new(8 << 20);
    let ends = pair.connect();
    assert_eq!(pair.ends[1].memory.used(), 0);
    assert_eq!(pair.echo(ends, 2_000_000, 200), 2_000_000);
    assert!(pair.ends[1].tcp(ends[1]).recv_capacity() > 100_000);
    pair.run(500);
    pair.ends[1].sockets.release_buffers();
    assert_eq!(pair.ends[1].memory.used(), 0);
    assert_eq!(pair.echo(ends, 10, 200), 10);
    for (end, handle) in pair.ends.iter_mut().zip(ends) {
        end.sockets.remove(handle);
        assert_eq!(end.memory.used(), 0);
    }
}

/// Eighteen connections have sent something once, and hold all that may be used for sending: that goes to those that need
/// it now.
#[test]
fn idle_connections_give_way() {
    let mut pair = Pair::new(18 * 2 * 4_096 * 4 / 3);
    let all: Vec<_> = (0..20).map(|_| pair.connect()).collect();
    for ends in &all[..18] {
        assert_eq!(pair.echo(*ends, 100, 20), 100);
    }
    assert_eq!(pair.ends[1].memory.used(), 18 * 2 * 4_096);
    let server = all[18][1];
    while pair.ends[1].sockets.next_ready().is_some() {}
    assert!(!pair.ends[1].tcp(server).can_send());
    pair.run(1);
    let mut ready = core::iter::from_fn(|| pair.ends[1].sockets.next_ready());
    assert!(ready.any(|(handle, events)| handle == server && events.contains(Events::WRITABLE)));
    assert!(pair.ends[1].tcp(server).can_send());
    assert_eq!(pair.echo(all[18], 100_000, 1_000), 100_000);
    for ends in &all {
        assert_eq!(pair.echo(*ends, 100, 150), 100);
    }
}

/// To look at the buffers of all connections costs as many steps as there are connections, and who is short of memory
/// stays so for long: it must not cost that at each poll.
#[test]
fn memory_is_looked_for_ten_times_a_second_at_most() {
    let mut pair = Pair::new(1 << 20);
    let ends = pair.connect();
    assert_eq!(pair.echo(ends, 100, 20), 100);
    pair.run(100); // all is acknowledged
    pair.ends[1].memory.set_short();
    pair.run(1);
    assert_eq!(pair.ends[1].memory.used(), 0, "the first time at once");
    assert_eq!(pair.echo(ends, 100, 20), 100);
    let held = pair.ends[1].memory.used();
    assert!(held > 0);
    pair.ends[1].memory.set_short();
    pair.run(70);
    assert_eq!(pair.ends[1].memory.used(), held, "not again for 100 ms");
    pair.run(15);
    assert_eq!(pair.ends[1].memory.used(), 0);
}

/// Its unread octets held their memory until the next connection, which may never come: nobody else had it.
#[test]
fn a_lent_socket_that_waits_again_holds_no_memory() {
    let mut pair = Pair::new(1 << 20);
    let End { sockets, memory, .. } = &mut pair.ends[1];
    let lends = sockets.add(Listener::new(vec![HalfOpen::EMPTY; 1]));
    sockets.listen(lends, 81).unwrap();
    let lent = sockets.add(Socket::growing(1 << 20, 1 << 20, memory));
    sockets.lend(lends, lent).unwrap();
    let End { iface, sockets, memory, .. } = &mut pair.ends[0];
    let client = sockets.add(Socket::growing(1 << 20, 1 << 20, memory));
    iface.connect(pair.now, sockets, client, (IpAddress::v4(10, 0, 0, 2), 81), 0).unwrap();
    pair.run(5);
    let server = pair.ends[1].sockets.accept(lends).unwrap();
    pair.ends[0].tcp(client).send_slice(&[5; 10_000]).unwrap();
    pair.ends[1].tcp(server).send_slice(&[6; 10_000]).unwrap();
    pair.run(20);
    assert_eq!(pair.ends[1].tcp(server).recv_queue(), 10_000);
    assert!(pair.ends[1].memory.used() > 0);
    pair.ends[1].sockets.release(server).unwrap();
    pair.run(20);
    assert_eq!(pair.ends[1].memory.used(), 0);
}

/// What has ended makes room for another; the end of one listener changes nothing for the others.
#[test]
fn a_listener_makes_as_many_sockets_as_it_may_and_others_when_those_have_ended() {
    let mut pair = Pair::new(1 << 20);
    let End { sockets, memory, .. } = &mut pair.ends[1];
    let [gone, listener] = [81, 82].map(|port| {
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
        listener.set_growing_buffers(4_096, 4_096, 1, memory);
        let handle = sockets.add(listener);
        sockets.listen(handle, port).unwrap();
        handle
    });
    let connect = |pair: &mut Pair| {
        let End { iface, sockets, memory, .. } = &mut pair.ends[0];
        let client = sockets.add(Socket::growing(4_096, 4_096, memory));
        iface.connect(pair.now, sockets, client, (IpAddress::v4(10, 0, 0, 2), 82), 0).unwrap();
        pair.run(5);
    };
    connect(&mut pair);
    let mut held = pair.ends[1].sockets.accept(listener).unwrap();
    pair.ends[1].sockets.remove(gone);
    for _ in 0..3 {
        connect(&mut pair);
        assert!(pair.ends[1].sockets.accept(listener).is_none(), "one at a time");
        pair.ends[1].tcp(held).abort();
        pair.ends[1].sockets.release(held).unwrap();
        assert_eq!(pair.ends[1].sockets.orphan_count, 1);
        pair.run(3_000);
        assert_eq!(pair.ends[1].sockets.orphan_count, 0);
        held = pair.ends[1].sockets.accept(listener).expect("who waited has its turn");
    }
}

#[test]
fn a_socket_in_use_can_not_be_lent() {
    use crate::iface::{HandleError, LendError};
    let mut pair = Pair::new(1 << 20);
    let [_, server] = pair.connect();
    let listener = pair.listener;
    let sockets = &mut pair.ends[1].sockets;
    assert_eq!(sockets.lend(listener, server), Err(LendError::InUse));
    assert_eq!(sockets.lend(server, server), Err(HandleError::WrongKind.into()));
    assert_eq!(sockets.lend(listener, listener), Err(HandleError::WrongKind.into()));
    assert!(sockets.get::<Socket>(server).can_send(), "it goes on as before");
}
