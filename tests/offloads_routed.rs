//! TCP between two kernels with a router of ours between them. Each of its ports is a TAP, whose kernel hands over segments
//! together and takes them so: they stay together all the way.
#![cfg(all(target_os = "linux", feature = "iface-forward", feature = "phy-tuntap"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/own_network.rs"]
mod own_network;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/watched.rs"]
mod watched;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;
use std::time::Duration;

use captured::Captured;
use goldcrest::iface::{Config, Interface, Port, Router, SocketSet};
use goldcrest::phy::{HardwareAddress, Medium, TunTapInterface, wait_any};
use goldcrest::rand::Keys;
use goldcrest::stats::DropReason;
use goldcrest::time::{self, Instant};
use goldcrest::wire::IpCidr;
use own_network::has_own_network;
use watched::Watched;

const PORT: u16 = 45_678;
const LEN: usize = 4_000_000;
const PREFIX_LEN: [u8; 2] = [24, 64];
/// How soon the router's loop sees that the kernels are done.
const LOOK: time::Duration = time::Duration::from_millis(2);

/// The addresses of a host on one of the two links, in both families.
fn addresses(net: u8, host: u8) -> [IpAddr; 2] {
    let v6 = Ipv6Addr::new(0xfd00, net.into(), 0, 0, 0, 0, 0, host.into());
    [Ipv4Addr::new(10, net, 0, host).into(), v6.into()]
}

/// The kernel is host 2 of this link, and sends all by way of host 1.
fn tap(net: u8) -> TunTapInterface {
    let tap = TunTapInterface::new("t0", Medium::Ethernet).unwrap();
    tap.kernel().disable_dad().unwrap();
    tap.kernel().set_up().unwrap();
    for (address, prefix_len) in addresses(net, 2).into_iter().zip(PREFIX_LEN) {
        tap.kernel().add_address(address, prefix_len).unwrap();
    }
    for router in addresses(net, 1) {
        let line = format!("route add default via {router}");
        let family = if router.is_ipv4() { "-4" } else { "-6" };
        assert!(Command::new("ip").arg(family).args(line.split(' ')).status().unwrap().success());
    }
    tap
}

/// The router is host 1.
fn interface(device: &mut Watched<Captured<TunTapInterface>>, net: u8) -> Interface<'static> {
    let config = Config::new(HardwareAddress::Ethernet([2, 0, 0, 0, net, 1]));
    let mut iface = Interface::new(config, device, Instant::now());
    for (address, prefix_len) in addresses(net, 1).into_iter().zip(PREFIX_LEN) {
        iface.add_address(IpCidr::new(address.into(), prefix_len)).unwrap();
    }
    iface
}

fn data(seed: u64) -> Vec<u8> {
    (0..LEN as u64 / 8).flat_map(|n| (n + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

/// Sends one's own data, and takes the other's.
fn exchange(mut stream: TcpStream, own: u64, other: u64) {
    stream.set_write_timeout(Some(Duration::from_secs(15))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let taker = thread::spawn(move || {
        let mut got = Vec::new();
        reader.read_to_end(&mut got).expect("it does not stand still");
        assert!(got == data(other), "the streams differ");
    });
    stream.write_all(&data(own)).expect("it does not stand still");
    stream.shutdown(Shutdown::Write).unwrap();
    taker.join().unwrap();
}

#[test]
fn segments_stay_together_from_kernel_to_kernel() {
    if !has_own_network() {
        return;
    }
    let near = tap(1);
    let (begin, is_time) = std::sync::mpsc::channel();
    // The thread stays in this network, and the test goes to another.
    let client = thread::spawn(move || {
        for to in is_time {
            exchange(TcpStream::connect(SocketAddr::new(to, PORT)).unwrap(), 1, 2);
        }
    });
    if !has_own_network() {
        return;
    }
    let far = tap(2);
    let mut devices = [near, far].map(|tap| Watched::new(Captured::new(tap, "offloads-routed")));
    let fds = devices.each_ref().map(|device| device.inner.as_raw_fd());
    let [first, second] = &mut devices;
    let mut ifaces = [interface(first, 1), interface(second, 2)];
    let server = thread::spawn(move || {
        for address in addresses(2, 2) {
            let listener = TcpListener::bind((address, PORT)).unwrap();
            begin.send(address).unwrap();
            exchange(listener.accept().unwrap().0, 2, 1);
        }
    });
    let mut sockets = SocketSet::with_capacity(1, Keys::new([7; 32]));
    let ports = ifaces.iter_mut().zip(&mut devices).map(|(iface, device)| Port::new(iface, device));
    let mut router = Router::new(ports.collect::<Vec<_>>());
    router.set_forwarding(true);
    while !client.is_finished() || !server.is_finished() {
        let now = Instant::now();
        router.poll(now, &mut sockets);
        let delay = router.poll_at(now, &mut sockets).map_or(LOOK, |at| at.saturating_duration_since(now));
        wait_any(&fds, Some(delay.min(LOOK))).unwrap();
    }
    client.join().unwrap();
    server.join().unwrap();
    drop(router);
    for (device, iface) in devices.iter().zip(&ifaces) {
        let (seen, counters) = (&device.seen, device.inner.counters());
        assert_eq!((counters.rx_errors, counters.tx_errors), (0, 0));
        assert!(seen.received_together.get() > 0 && seen.sent_together.get() > 0, "{seen:?}");
        assert!(seen.sent_partial.get() >= seen.sent_together.get(), "{seen:?}");
        // What leaves alone is one that fits, and of the data most leaves together.
        assert!(seen.longest_single.get() <= 1_514, "{seen:?}");
        assert!(seen.sent_together.get() > 2 * LEN as u32 / 65_536, "{seen:?}");
        // The kernels' multicast is no router's to send on.
        let mut dropped = iface.stats().dropped();
        assert!(dropped.all(|(reason, _)| reason == DropReason::NotForwarded));
    }
}
