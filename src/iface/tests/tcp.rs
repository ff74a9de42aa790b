//! TCP between two stacks, in virtual time, over a wire that can lose what it likes.

use super::net::*;
use crate::iface::{Config, Interface, SocketHandle, SocketSet};
use crate::phy::{HardwareAddress, Medium};
use crate::rand::Keys;
use crate::socket::Events;
use crate::socket::tcp::{self, Error, HalfOpen, ListenError, Listener, RecvError, State};
use crate::storage::SocketBuffer;
use crate::time::{Duration, Instant};
use crate::wire::{IpAddress, IpCidr};

/// One end.
struct End {
    wire: Wire,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
}

impl End {
    fn new(last: u8, capacity: usize) -> End {
        let mut wire = Wire::new(Medium::Ip);
        let mut iface = Interface::new(Config::new(HardwareAddress::Ip), &mut wire, Instant::ZERO);
        iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24)).unwrap();
        let sockets = SocketSet::with_capacity(capacity, Keys::new([last; 32]));
        End { wire, iface, sockets }
    }

    fn poll(&mut self, now: Instant) {
        self.iface.poll(now, &mut self.wire, &mut self.sockets);
    }

    fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    fn state(&self, handle: SocketHandle) -> State {
        self.sockets.get::<tcp::Socket>(handle).state()
    }
}

/// Two ends; frames take a millisecond.
struct Pair {
    now: Instant,
    a: End,
    b: End,
}

fn socket<'a>(len: usize) -> tcp::Socket<'a> {
    tcp::Socket::new(SocketBuffer::new(vec![0; len]), SocketBuffer::new(vec![0; len]))
}

const SERVER: IpAddress = IpAddress::v4(10, 0, 0, 2);

impl Pair {
    fn new() -> Pair {
        Pair { now: Instant::from_secs(1), a: End::new(1, 16), b: End::new(2, 16) }
    }

    fn step(&mut self) {
        self.a.poll(self.now);
        self.b.poll(self.now);
        self.b.wire.to_stack.append(&mut self.a.wire.from_stack);
        self.a.wire.to_stack.append(&mut self.b.wire.from_stack);
        self.now += Duration::from_millis(1);
    }

    fn run(&mut self, millis: usize) {
        for _ in 0..millis {
            self.step();
        }
    }

    fn connect(&mut self, port: u16) -> SocketHandle {
        let handle = self.a.sockets.add(socket(8_192));
        self.a.iface.connect(self.now, &mut self.a.sockets, handle, (SERVER, port), 0).unwrap();
        handle
    }

    fn listener(&mut self, backlog: usize) -> SocketHandle {
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; backlog]);
        listener.set_buffers(8_192, 8_192, 10_000);
        let handle = self.b.sockets.add(listener);
        self.b.sockets.listen(handle, 80).unwrap();
        handle
    }
}

/// Covers: RFC 9293 MUST-41, MUST-42
#[test]
fn a_megabyte_goes_each_way_and_both_ends_close() {
    let mut pair = Pair::new();
    let listener = pair.listener(4);
    let client = pair.connect(80);
    pair.run(10);
    assert_eq!(pair.b.sockets.next_ready(), Some((listener, Events::ACCEPTABLE)));
    let server = pair.b.sockets.accept(listener).unwrap();
    assert_eq!((pair.a.state(client), pair.b.state(server)), (State::Established, State::Established));
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (mut sent, mut got): (_, [Vec<u8>; 2]) = ([0, 0], [vec![], vec![]]);
    for _ in 0..3_000 {
        for (i, end, handle) in [(0, &mut pair.a, client), (1, &mut pair.b, server)] {
            let socket = end.tcp(handle);
            if sent[i] < data.len() {
                sent[i] += socket.send_slice(&data[sent[i]..]).unwrap();
                if sent[i] == data.len() {
                    socket.close();
                }
            }
            let mut buffer = [0; 4_096];
            while let Ok(len @ 1..) = socket.recv_slice(&mut buffer) {
                got[i].extend(&buffer[..len]);
            }
        }
        pair.step();
    }
    assert!(got[0] == data && got[1] == data);
    assert_eq!((pair.a.state(client), pair.b.state(server)), (State::Closed, State::Closed));
    assert_eq!(pair.a.tcp(client).recv_slice(&mut [0]), Err(RecvError::Finished));
    let records = pair.a.sockets.time_wait_count() + pair.b.sockets.time_wait_count();
    assert!((1..=2).contains(&records), "one, or two after a simultaneous close");
}

/// Covers: RFC 9293 MUST-44
#[test]
fn smoltcp_style_use_settles() {
    let mut pair = Pair::new();
    let server = pair.b.sockets.add(socket(1_000));
    pair.b.tcp(server).listen(80).unwrap();
    let client = pair.a.sockets.add(socket(1_000));
    pair.a.tcp(client).connect((SERVER, 80), 50_000).unwrap();
    pair.run(10);
    assert_eq!((pair.a.state(client), pair.b.state(server)), (State::Established, State::Established));
    pair.a.tcp(client).send_slice(b"hello").unwrap();
    pair.run(10);
    let mut data = [0; 5];
    assert_eq!(pair.b.tcp(server).recv_slice(&mut data), Ok(5));
    pair.b.tcp(server).close();
    pair.a.tcp(client).close();
    pair.run(100);
    pair.b.tcp(server).listen(80).unwrap();
    pair.step();
    assert_eq!(pair.b.state(server), State::Listen);
}

#[test]
fn connecting_to_a_closed_port_is_refused() {
    let mut pair = Pair::new();
    let client = pair.connect(81);
    pair.run(5);
    assert_eq!(pair.a.state(client), State::Closed);
    assert_eq!(pair.a.tcp(client).error(), Some(Error::Refused));
    let (handle, events) = pair.a.sockets.next_ready().unwrap();
    assert_eq!(handle, client);
    assert!(events.contains(Events::CLOSED | Events::ERROR));
}

#[test]
fn a_second_connection_between_the_same_ends_is_refused() {
    let mut pair = Pair::new();
    pair.listener(4);
    let (first, second) = (pair.a.sockets.add(socket(100)), pair.a.sockets.add(socket(100)));
    let Pair { now, a, .. } = &mut pair;
    a.iface.connect(*now, &mut a.sockets, first, (SERVER, 80), 50_000).unwrap();
    let again = a.iface.connect(*now, &mut a.sockets, second, (SERVER, 80), 50_000);
    assert_eq!(again, Err(tcp::ConnectError::AddressInUse));
    a.tcp(second).connect((SERVER, 80), 50_000).unwrap();
    pair.run(3);
    assert_eq!(pair.a.tcp(second).error(), Some(Error::AddressInUse));
}

#[test]
fn a_port_has_one_listener() {
    let mut pair = Pair::new();
    pair.listener(4);
    let second = pair.b.sockets.add(Listener::new(vec![HalfOpen::EMPTY; 1]));
    assert_eq!(pair.b.sockets.listen(second, 80), Err(ListenError::PortInUse));
    let third = pair.b.sockets.add(socket(100));
    assert_eq!(pair.b.sockets.listen(third, 80), Err(ListenError::PortInUse));
    pair.b.sockets.listen(third, 81).unwrap();
}

/// The first request is never lost, however small the backlog.
#[cfg(feature = "iface-scale")]
#[test]
fn a_thousand_clients_that_send_at_once_are_all_served_by_a_backlog_of_16() {
    let mut pair = Pair::new();
    let listener = pair.listener(16);
    pair.b.sockets.get_mut::<Listener>(listener).set_backlog(8);
    let mut clients: Vec<_> = (0..1_000).map(|_| (pair.connect(80), false)).collect();
    let (mut served, mut answered, mut open) = (0, 0, Vec::new());
    for _ in 0..120_000 {
        pair.step();
        while let Some(server) = pair.b.sockets.accept(listener) {
            open.push(server);
        }
        open.retain(|&server| {
            let mut data = [0; 16];
            let Ok(len @ 1..) = pair.b.tcp(server).recv_slice(&mut data) else { return true };
            assert_eq!(&data[..len], b"request");
            pair.b.tcp(server).send_slice(b"answer").unwrap();
            pair.b.sockets.release(server).unwrap();
            served += 1;
            false
        });
        clients.retain_mut(|(client, requested)| {
            let socket = pair.a.sockets.get::<tcp::Socket>(*client);
            assert_eq!(socket.error(), None);
            if socket.may_send() && !*requested {
                *requested = true;
                pair.a.tcp(*client).send_slice(b"request").unwrap();
            } else if socket.can_recv() {
                let mut data = [0; 16];
                let len = pair.a.tcp(*client).recv_slice(&mut data).unwrap();
                assert_eq!(&data[..len], b"answer");
                pair.a.sockets.release(*client).unwrap();
                answered += 1;
                return false;
            }
            true
        });
        if clients.is_empty() {
            break;
        }
    }
    assert_eq!((served, answered), (1_000, 1_000));
}

#[test]
fn lent_sockets_serve_and_go_back_to_their_listener() {
    let mut pair = Pair::new();
    let listener = pair.b.sockets.add(Listener::new(vec![HalfOpen::EMPTY; 4]));
    for _ in 0..2 {
        let lent = pair.b.sockets.add(socket(2_000));
        pair.b.sockets.lend(listener, lent).unwrap();
        assert!(pair.b.sockets.try_get::<tcp::Socket>(lent).is_err(), "lent is out of reach");
    }
    pair.b.sockets.listen(listener, 80).unwrap();
    for round in 0..10 {
        let clients = [pair.connect(80), pair.connect(80), pair.connect(80)];
        pair.run(20);
        let servers = [pair.b.sockets.accept(listener).unwrap(), pair.b.sockets.accept(listener).unwrap()];
        assert_eq!(pair.b.sockets.accept(listener), None, "the third waits for a socket");
        pair.b.sockets.release(servers[0]).unwrap();
        assert!(pair.b.sockets.try_get::<tcp::Socket>(servers[0]).is_err());
        let first = clients.into_iter().find(|&c| pair.a.state(c) == State::CloseWait);
        pair.run(20);
        let first =
            first.or_else(|| clients.into_iter().find(|&c| pair.a.state(c) == State::CloseWait)).unwrap();
        pair.a.sockets.release(first).unwrap();
        pair.run(3_000);
        let third = pair.b.sockets.accept(listener).unwrap_or_else(|| panic!("round {round}: third"));
        for handle in [servers[1], third] {
            pair.b.sockets.release(handle).unwrap();
        }
        pair.run(50);
        for client in clients.into_iter().filter(|&client| client != first) {
            pair.a.sockets.release(client).unwrap();
        }
        pair.run(200);
        assert_eq!(pair.b.sockets.len(), 3, "the listener and its two sockets");
        assert_eq!(pair.a.sockets.len(), 0);
    }
}

#[test]
fn removing_a_listener_resets_what_nobody_accepted() {
    let mut pair = Pair::new();
    let listener = pair.listener(4);
    let client = pair.connect(80);
    pair.run(10);
    assert_eq!(pair.a.state(client), State::Established);
    pair.b.sockets.remove(listener).unwrap();
    pair.run(10);
    assert_eq!(pair.a.tcp(client).error(), Some(Error::Reset));
    assert_eq!(pair.b.sockets.len(), 0);
}

#[test]
fn a_released_socket_sends_what_it_has_and_ends_in_order() {
    let mut pair = Pair::new();
    let listener = pair.listener(4);
    let client = pair.connect(80);
    pair.run(10);
    let server = pair.b.sockets.accept(listener).unwrap();
    pair.b.tcp(server).send_slice(&[7; 8_000]).unwrap();
    pair.b.sockets.release(server).unwrap();
    pair.run(100);
    let mut data = vec![0; 10_000];
    assert_eq!(pair.a.tcp(client).recv_slice(&mut data), Ok(8_000));
    assert_eq!(pair.a.tcp(client).recv_slice(&mut data), Err(RecvError::Finished));
    pair.a.sockets.release(client).unwrap();
    pair.run(200);
    assert_eq!((pair.a.sockets.len(), pair.b.sockets.len()), (0, 1));
}

/// All at the same instant, again and again: the table is full for nearly all of them.
#[cfg(feature = "iface-scale")]
#[test]
#[cfg(feature = "tcp-cookies")]
fn a_full_table_answers_with_cookies() {
    let mut pair = Pair::new();
    let listener = pair.listener(1);
    let clients: Vec<_> = (0..100).map(|_| pair.connect(80)).collect();
    pair.run(20);
    let mut servers = Vec::new();
    while let Some(server) = pair.b.sockets.accept(listener) {
        servers.push(server);
    }
    assert_eq!(servers.len(), 100, "in one round trip, with one record");
    for &client in &clients {
        pair.a.tcp(client).send_slice(b"request").unwrap();
    }
    pair.run(20);
    for server in servers {
        let mut data = [0; 16];
        assert_eq!(pair.b.tcp(server).recv_slice(&mut data), Ok(7));
    }
}

#[test]
#[cfg(feature = "tcp-cookies")]
fn an_ack_that_brings_back_no_cookie_of_ours_is_reset() {
    let mut pair = Pair::new();
    let listener = pair.listener(0);
    let client = pair.connect(80);
    pair.a.poll(pair.now);
    let syn = pair.a.wire.from_stack.pop_front().unwrap();
    pair.b.wire.to_stack.push_back(syn.clone());
    pair.b.poll(pair.now);
    let syn_ack = pair.b.wire.from_stack.pop_front().unwrap();
    assert_eq!(pair.a.state(client), State::SynSent);
    pair.a.wire.to_stack.push_back(syn_ack);
    pair.a.poll(pair.now);
    let ack = pair.a.wire.from_stack.pop_front().unwrap();
    for bit in 0..32 {
        let mut forged = ack.clone();
        forged[28 + bit / 8] ^= 1 << (bit % 8);
        let sum = |packet: &[u8]| {
            let len = (packet.len() - 20) as u32;
            let addr = |i: usize| crate::wire::Addr::v4(packet[i..i + 4].try_into().unwrap());
            let pseudo = crate::wire::checksum::pseudo_header(&addr(12), &addr(16), 6, len);
            pseudo.add(crate::wire::checksum::sum(&packet[20..])).finish()
        };
        forged[36..38].fill(0);
        let checksum = sum(&forged);
        forged[36..38].copy_from_slice(&checksum);
        pair.b.wire.to_stack.push_back(forged);
        pair.b.poll(pair.now);
        let answer = pair.b.wire.from_stack.pop_front().unwrap();
        assert_eq!(answer[33] & 4, 4, "bit {bit} is answered by a reset");
        assert_eq!(pair.b.sockets.accept(listener), None);
    }
    pair.b.wire.to_stack.push_back(ack);
    pair.b.poll(pair.now);
    assert!(pair.b.sockets.accept(listener).is_some());
}

/// A dead neighbour holds up its own connection and nobody else's.
#[test]
fn a_connection_to_an_unresolved_neighbor_delays_nobody_and_times_out() {
    let mut net = Net::ethernet();
    net.meet(PEER_IP);
    let (dead, live) = (net.sockets.add(socket(100)), net.sockets.add(socket(100)));
    let Net { now, iface, sockets, .. } = &mut net;
    iface.connect(*now, sockets, dead, (IpAddress::v4(10, 0, 0, 99), 80), 0).unwrap();
    iface.connect(*now, sockets, live, (IpAddress::v4(10, 0, 0, 2), 80), 0).unwrap();
    net.poll();
    let sent = net.sent();
    let syns = sent.iter().filter(|frame| frame[12..14] == [8, 0]).count();
    assert_eq!((sent.len(), syns), (2, 1), "a SYN to the one, a question for the other");
    net.sockets.remove(live);
    let mut questions = 0;
    for _ in 0..100_000 {
        let Some(at) = net.iface.poll_at(net.now, &mut net.sockets) else { break };
        net.now = at;
        net.poll();
        questions += net.sent().len();
    }
    assert_eq!(net.sockets.get::<tcp::Socket>(dead).error(), Some(Error::TimedOut));
    assert!((3..=30).contains(&questions), "{questions}");
    assert!(net.now < Instant::from_secs(300 + 60));
}

/// Covers: RFC 1122 §4.2.2.11
#[test]
fn a_connection_without_a_route_times_out() {
    let mut pair = Pair::new();
    let client = pair.a.sockets.add(socket(100));
    let Pair { now, a, .. } = &mut pair;
    let far = (IpAddress::v4(192, 0, 2, 1), 80);
    assert_eq!(a.iface.connect(*now, &mut a.sockets, client, far, 0), Err(tcp::ConnectError::Unreachable));
    a.tcp(client).connect(far, 0).unwrap();
    pair.step();
    assert_eq!(pair.a.tcp(client).error(), Some(Error::Unreachable));
}

/// What the listener may make is not used up by attempts for which the set has no slot.
#[test]
fn a_full_set_costs_a_listener_nothing_but_time() {
    let mut pair = Pair::new();
    let mut slots: Vec<_> = (0..2).map(|_| crate::iface::SocketSlot::EMPTY).collect();
    let mut set = SocketSet::new(&mut slots[..], Keys::new([2; 32]));
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
    listener.set_buffers(1_000, 1_000, 2);
    let listener = set.add(listener);
    set.listen(listener, 80).unwrap();
    let filler = set.add(socket(10));
    let client = pair.connect(80);
    let mut run = |set: &mut SocketSet<'_>, millis| {
        for _ in 0..millis {
            pair.a.poll(pair.now);
            pair.b.iface.poll(pair.now, &mut pair.b.wire, set);
            pair.b.wire.to_stack.append(&mut pair.a.wire.from_stack);
            pair.a.wire.to_stack.append(&mut pair.b.wire.from_stack);
            pair.now += Duration::from_millis(1);
        }
    };
    run(&mut set, 20_000);
    assert_eq!(set.accept(listener), None);
    set.remove(filler);
    run(&mut set, 10_000);
    assert!(set.accept(listener).is_some());
    assert_eq!(pair.a.state(client), State::Established);
}

#[test]
fn closed_is_reported_once_even_if_the_last_ack_has_to_wait() {
    let mut pair = Pair::new();
    let listener = pair.listener(4);
    let client = pair.connect(80);
    pair.run(10);
    let server = pair.b.sockets.accept(listener).unwrap();
    pair.a.tcp(client).close();
    pair.run(100);
    while pair.a.sockets.next_ready().is_some() {}
    pair.b.tcp(server).close();
    pair.a.wire.room = 0;
    pair.run(10);
    assert_eq!(pair.a.state(client), State::TimeWait, "its last ACK finds no room");
    let first = pair.a.sockets.next_ready().unwrap().1;
    assert!(first.contains(Events::PEER_CLOSED) && !first.contains(Events::CLOSED));
    pair.a.wire.room = 100;
    pair.run(10);
    assert_eq!(pair.a.state(client), State::Closed);
    assert_eq!(pair.a.sockets.next_ready(), Some((client, Events::CLOSED)));
    assert_eq!(pair.a.sockets.next_ready(), None);
}

/// A connection that is removed leaves nothing behind, and an earlier one does not speak for it.
#[test]
fn a_new_connection_ends_the_time_wait_of_an_earlier_one_between_the_same_ends() {
    let mut pair = Pair::new();
    let listener = pair.listener(4);
    for round in 0..2 {
        let client = pair.a.sockets.add(socket(8_192));
        let Pair { now, a, .. } = &mut pair;
        a.iface.connect(*now, &mut a.sockets, client, (SERVER, 80), 50_000).unwrap();
        assert_eq!(a.sockets.time_wait_count(), 0, "round {round}");
        pair.run(10);
        let server = pair.b.sockets.accept(listener).unwrap();
        pair.a.tcp(client).close();
        pair.run(10);
        pair.b.tcp(server).close();
        pair.run(100);
        assert_eq!(pair.a.sockets.time_wait_count(), 1);
        pair.a.sockets.remove(client);
    }
}

/// The peer has sent its request already, and would only learn by repeating it that it was taken.
#[test]
fn a_connection_that_waited_for_a_socket_is_acknowledged_at_once() {
    let mut pair = Pair::new();
    let listener = pair.listener(4);
    pair.b.sockets.get_mut::<Listener>(listener).set_backlog(1);
    let clients = [pair.connect(80), pair.connect(80)];
    pair.run(100);
    let first = pair.b.sockets.accept(listener).unwrap();
    assert_eq!(pair.b.iface.poll_at(pair.now, &mut pair.b.sockets), Some(pair.now), "there is room for one");
    pair.b.poll(pair.now);
    let second = pair.b.sockets.accept(listener).unwrap();
    assert_eq!(pair.b.wire.from_stack.len(), 1, "its ACK");
    assert_eq!(clients.map(|client| pair.a.state(client)), [State::Established; 2]);
    assert_eq!([first, second].map(|server| pair.b.state(server)), [State::Established; 2]);
}
