//! What is logged, and under which module's name.
#![cfg(all(feature = "log", feature = "phy-queue", feature = "phy-loopback", feature = "tcp-connect"))]

use std::collections::BTreeSet;
use std::sync::Mutex;

use goldcrest::iface::{Config, Interface, SocketSet};
use goldcrest::phy::{Device, DeviceCapabilities, HardwareAddress, LinkState, Loopback, Medium, PacketQueue};
use goldcrest::rand::Keys;
use goldcrest::socket::{tcp, udp};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr, IpEndpoint, IpListenEndpoint, Ipv4Address};

/// Keeps what is said, each line once.
struct Keeper(Mutex<BTreeSet<String>>);

impl log::Log for Keeper {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        self.0.lock().unwrap().insert(line);
    }

    fn flush(&self) {}
}

static KEEPER: Keeper = Keeper(Mutex::new(BTreeSet::new()));

fn keys() -> Keys {
    Keys::new([7; 32])
}

/// A neighbour that does not answer, one that does, a frame that is none, a link that goes.
fn on_ethernet() {
    let mut now = Instant::from_secs(1);
    let capabilities = DeviceCapabilities::new(Medium::Ethernet, 1_514);
    let mut device = PacketQueue::new(capabilities, HardwareAddress::Ethernet([2, 0, 0, 0, 0, 1]), 8);
    let mut iface = Interface::new(Config::new(device.hardware_address()), &mut device, now);
    iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
    let mut sockets = SocketSet::with_capacity(1, keys());
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 100]);
    let handle = sockets.add(udp::Socket::new(queue(), queue()));
    sockets.bind(handle, 7).unwrap();
    let socket = sockets.get_mut::<udp::Socket>(handle);
    for last in [2, 3] {
        socket.send_slice(b"x", IpEndpoint::new(IpAddress::v4(10, 0, 0, last), 7)).unwrap();
    }
    iface.poll(now, &mut device, &mut sockets);
    let reply = [0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1];
    let header = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6];
    device.push(&[&header[..], &reply].concat()).unwrap();
    device.push(&[0; 20]).unwrap();
    for _ in 0..10 {
        iface.poll(now, &mut device, &mut sockets);
        now += Duration::from_secs(1);
    }
    device.set_link(LinkState::DOWN);
    iface.poll(now, &mut device, &mut sockets);
}

/// A connection that is made and ended, and one that is refused.
fn between_two_sockets() {
    let mut now = Instant::from_secs(1);
    let mut device = Loopback::new(Medium::Ip);
    let mut iface = Interface::new(Config::new(device.hardware_address()), &mut device, now);
    iface.set_any_ip(true);
    iface.add_default_ipv4_route(Ipv4Address::new(192, 0, 2, 254)).unwrap();
    let mut sockets = SocketSet::with_capacity(4, keys());
    let listener = sockets.add(tcp::Listener::new(vec![tcp::HalfOpen::EMPTY; 1]));
    sockets.get_mut::<tcp::Listener>(listener).set_buffers(100, 100, 1);
    sockets.listen(listener, 7).unwrap();
    let buffer = || SocketBuffer::new(vec![0; 100]);
    let local = IpListenEndpoint { addr: Some(IpAddress::v4(192, 0, 2, 1)), port: 4_000 };
    let clients = [7, 8].map(|port| {
        let client = sockets.add(tcp::Socket::new(buffer(), buffer()));
        let remote = IpEndpoint::new(IpAddress::v4(192, 0, 2, 2), port);
        iface.connect(now, &mut sockets, client, remote, local).unwrap();
        client
    });
    let mut server = None;
    for _ in 0..20 {
        iface.poll(now, &mut device, &mut sockets);
        server = server.or_else(|| sockets.accept(listener));
        if let Some(server) = server {
            sockets.get_mut::<tcp::Socket>(server).close();
            sockets.get_mut::<tcp::Socket>(clients[0]).close();
        }
        now += Duration::from_millis(100);
    }
}

#[test]
fn each_module_says_what_goes_on_under_its_own_name() {
    log::set_logger(&KEEPER).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    on_ethernet();
    between_two_sockets();
    let lines = KEEPER.0.lock().unwrap();
    for expected in [
        "DEBUG goldcrest::iface::arp 10.0.0.2 is at [02, 00, 00, 00, 00, 02]",
        "DEBUG goldcrest::iface::egress no answer from neighbor Some(Ipv4(10.0.0.3))",
        "DEBUG goldcrest::iface::interface the link is down, 0 kbit/s",
        "TRACE goldcrest::iface::ingress dropped 20 octets: NotOurHardwareAddress",
        "DEBUG goldcrest::socket::tcp::connection 192.0.2.1:4000 - 192.0.2.2:7: established",
        "DEBUG goldcrest::socket::tcp::connection 192.0.2.2:7 - 192.0.2.1:4000: closed",
        "DEBUG goldcrest::socket::tcp::connection 192.0.2.1:4000 - 192.0.2.2:8: connection refused in SynSent",
    ] {
        assert!(lines.contains(expected), "no {expected:?} in {lines:#?}");
    }
}
