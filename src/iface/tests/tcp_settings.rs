//! What the connections of a listener start with.

use super::net::*;
use crate::iface::SocketHandle;
use crate::socket::tcp::{CongestionControl, HalfOpen, Listener, MtuProbing, Socket, State};
use crate::storage::SocketBuffer;
use crate::time::Duration;
use crate::wire::tcp::Flags;

fn socket() -> Socket<'static> {
    let buffer = || SocketBuffer::new(vec![0; 1_000]);
    Socket::new(buffer(), buffer())
}

fn ms(millis: u64) -> Option<Duration> {
    // Whole ticks, so that what is read back is what was set.
    Some(Duration::from_micros(millis * 1_024))
}

/// Nothing on it is as it is on a new socket.
fn template() -> Socket<'static> {
    let mut template = Socket::template();
    template.set_nagle_enabled(false);
    template.set_ack_delay(None);
    template.set_keep_alive(ms(5_000));
    template.set_timeout(ms(7_000));
    template.set_linger(ms(3_000));
    template.set_congestion_control(CongestionControl::Reno);
    template.set_sack_enabled(false);
    template.set_timestamps_enabled(false);
    template.set_mtu_probing(MtuProbing::Off);
    template.set_hop_limit(Some(7));
    template.set_traffic_class(0x48);
    template
}

fn settings(socket: &Socket<'_>) -> impl PartialEq + core::fmt::Debug + use<> {
    let times = (socket.ack_delay(), socket.keep_alive(), socket.timeout(), socket.linger());
    let choices = (socket.congestion_control(), socket.sack_enabled(), socket.timestamps_enabled());
    let packets = (socket.mtu_probing(), socket.hop_limit(), socket.traffic_class());
    (socket.nagle_enabled(), times, choices, packets)
}

/// Asks for everything: segments of 1,460 octets, selective acknowledgments, timestamps, and windows scaled by 7.
const OPTIONS: &[u8] = &[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];

struct Bench {
    net: Net,
    listener: SocketHandle,
}

impl Bench {
    fn new() -> Bench {
        let mut net = Net::ip();
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
        listener.set_buffers(1_000, 1_000, 100);
        let listener = net.sockets.add(listener);
        net.sockets.listen(listener, 80).unwrap();
        Bench { net, listener }
    }

    fn listener(&mut self) -> &mut Listener<'static> {
        self.net.sockets.get_mut(self.listener)
    }

    /// The answer to a request.
    fn request(&mut self, port: u16) -> Vec<u8> {
        let syn = tcp4(PEER_IP, OUR_IP, (port, 80), (100, 0), Flags::SYN, OPTIONS, &[]);
        self.net.exchange(syn).remove(0)
    }

    fn connection(&mut self, port: u16) -> SocketHandle {
        let answer = self.request(port);
        let iss = u32::from_be_bytes(answer[24..28].try_into().unwrap());
        let has_stamps = answer[40..].windows(2).any(|kind| kind == [8, 10]);
        let stamp: &[u8] = if has_stamps { &[1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 0] } else { &[] };
        self.net.exchange(tcp4(PEER_IP, OUR_IP, (port, 80), (101, iss + 1), Flags::ACK, stamp, &[]));
        self.net.sockets.accept(self.listener).unwrap()
    }

    fn socket(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.net.sockets.get_mut(handle)
    }
}

#[test]
fn connections_start_with_all_that_is_set_on_the_template() {
    let mut bench = Bench::new();
    let before = bench.connection(4_000);
    assert_eq!(settings(bench.socket(before)), settings(&socket()));
    bench.listener().set_template(&template());
    let handle = bench.connection(4_001);
    assert_eq!(settings(bench.socket(handle)), settings(&template()));
    assert_eq!(settings(bench.socket(before)), settings(&socket()), "what is open stays as it is");
    // What is set on one connection is its own affair.
    bench.socket(handle).set_nagle_enabled(true);
    let other = bench.connection(4_002);
    assert_eq!(settings(bench.socket(other)), settings(&template()));
    assert_eq!(settings(bench.net.sockets.get::<Socket>(other)), settings(&template()));
}

#[test]
fn a_request_is_answered_as_the_template_says() {
    let mut bench = Bench::new();
    let plain = bench.request(4_000);
    assert_eq!((plain[1], plain[8]), (0, 64));
    assert!(plain[40..].windows(2).any(|option| option == [4, 2]));
    assert!(plain[40..].windows(2).any(|option| option == [8, 10]));
    bench.listener().set_template(&template());
    let answer = bench.request(4_001);
    assert_eq!((answer[1], answer[8]), (0x48, 7));
    assert!(!answer[40..].windows(2).any(|option| option == [4, 2]), "no selective acknowledgments");
    assert!(!answer[40..].windows(2).any(|option| option == [8, 10]), "no timestamps");
    assert!(answer[40..].windows(2).any(|option| option == [3, 3]), "but scaled windows");
}

#[test]
fn what_is_set_on_the_listener_later_counts() {
    let mut bench = Bench::new();
    let listener = bench.listener();
    listener.set_template(&template());
    assert_eq!(
        (listener.timestamps_enabled(), listener.hop_limit(), listener.traffic_class()),
        (false, 7, 0x48)
    );
    listener.set_hop_limit(Some(9));
    listener.set_timestamps_enabled(true);
    let answer = bench.request(4_000);
    assert_eq!((answer[1], answer[8]), (0x48, 9));
    assert!(answer[40..].windows(2).any(|option| option == [8, 10]));
    let handle = bench.connection(4_001);
    assert_eq!(bench.socket(handle).hop_limit(), 9);
}

#[test]
fn a_connection_has_its_timers_from_the_beginning() {
    let mut bench = Bench::new();
    bench.listener().set_template(&template());
    let handle = bench.connection(4_000);
    bench.net.advance(Duration::from_millis(5_200));
    bench.net.poll();
    let sent = bench.net.sent();
    assert_eq!((sent.len(), sent[0].len()), (1, 40), "a sign of life is asked for");
    bench.net.advance(Duration::from_millis(2_200));
    bench.net.poll();
    assert_eq!(bench.socket(handle).state(), State::Closed, "and waited for as long as the timeout says");
}

#[test]
fn a_lent_socket_has_its_own_settings_unless_there_is_a_template() {
    let mut bench = Bench::new();
    let mut lent = socket();
    lent.set_nagle_enabled(false);
    let lent = bench.net.sockets.add(lent);
    let listener = bench.listener;
    bench.net.sockets.lend(listener, lent).unwrap();
    let handle = bench.connection(4_000);
    assert!(!bench.socket(handle).nagle_enabled());
    bench.socket(handle).abort();
    bench.net.sockets.release(handle).unwrap();
    bench.net.poll();
    bench.net.sent();
    bench.listener().set_template(&template());
    for port in [4_001, 4_002] {
        let handle = bench.connection(port);
        assert_eq!(settings(bench.socket(handle)), settings(&template()));
        // Whoever had it before has left no traces.
        bench.socket(handle).set_linger(None);
        bench.socket(handle).abort();
        bench.net.sockets.release(handle).unwrap();
        bench.net.poll();
        bench.net.sent();
    }
}
