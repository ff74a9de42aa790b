//! The kernel as a gateway that redirects: our stack then sends to the better first hop. tshark looks at every frame.
#![cfg(all(
    target_os = "linux",
    feature = "phy-tuntap",
    feature = "phy-pcap",
    feature = "socket-udp",
    feature = "iface-redirects"
))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/in_own_network.rs"]
mod in_own_network;
#[path = "common/skip.rs"]
mod skip;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::process::Command;

use captured::Captured;
use goldcrest::iface::{Config, Interface, SocketSet};
use goldcrest::phy::{Device, Medium, TunTapInterface, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::udp::{self, PacketBuffer, PacketMetadata};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::IpCidr;
use in_own_network::in_own_network;

const FAR: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 7))];
const BETTER: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 73, 0, 3)), IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 3))];

/// Runs `ip` with these words in the network of this thread.
fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().expect("ip runs");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A kernel that has a gateway of its own on the link for what is far.
fn make_gateway() {
    for name in ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/conf/all/send_redirects"] {
        fs::write(format!("/proc/sys/net/{name}"), "1").unwrap();
    }
    ip("address add 10.73.0.1/24 dev tap0");
    ip("-6 address add fe80::1/64 dev tap0 nodad");
    ip("-6 address add fd00:73::1/64 dev tap0 nodad");
    ip("neighbor add 10.73.0.3 lladdr 02:00:00:00:73:03 dev tap0");
    ip("-6 neighbor add fe80::3 lladdr 02:00:00:00:73:03 dev tap0");
    ip("route add 203.0.113.0/24 via 10.73.0.3");
    ip("-6 route add 2001:db8:7::/64 via fe80::3 dev tap0");
}

/// Covers: RFC 1122 §3.2.2.2, RFC 4861 §8.3
#[test]
fn the_kernels_redirects_are_followed() {
    in_own_network(|| {
        let tap = TunTapInterface::new("tap0", Medium::Ethernet).expect("root may make an interface");
        tap.kernel().disable_dad().unwrap();
        // It redirects from its own choice of address: there is to be one only.
        ip("link set tap0 addrgenmode none");
        tap.kernel().set_up().unwrap();
        make_gateway();
        let mut tap = Captured::new(tap, "redirects");
        let mut iface = Interface::new(Config::new(tap.hardware_address()), &mut tap, Instant::now());
        iface.add_address(IpCidr::new(IpAddr::V4(Ipv4Addr::new(10, 73, 0, 2)).into(), 24)).unwrap();
        iface.add_address(IpCidr::new(IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 2]).into(), 64)).unwrap();
        iface.add_address(IpCidr::new(IpAddr::from([0xfd00, 0x73, 0, 0, 0, 0, 0, 2]).into(), 64)).unwrap();
        iface.add_default_ipv4_route(Ipv4Addr::new(10, 73, 0, 1)).unwrap();
        iface.add_default_ipv6_route(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)).unwrap();
        let mut sockets = SocketSet::with_capacity(1, Keys::new([7; 32]));
        let queue = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 8], vec![0; 4_096]);
        let handle = sockets.add(udp::Socket::new(queue(), queue()));
        sockets.bind(handle, 50_001).unwrap();
        // Once by the gateway, then to whom it has named, who is asked for.
        let end = Instant::now() + Duration::from_secs(10);
        let is_asked_for = |iface: &Interface<'_>, better: IpAddr| {
            iface.neighbors().any(|neighbor| neighbor.addr == better.into())
        };
        while !BETTER.iter().all(|better| is_asked_for(&iface, *better)) {
            let now = Instant::now();
            assert!(now < end, "{:?}", iface.neighbors().collect::<Vec<_>>());
            for far in FAR {
                let socket = sockets.get_mut::<udp::Socket>(handle);
                socket.send_slice(b"far", SocketAddr::new(far, 50_002)).unwrap();
            }
            iface.poll(now, &mut tap, &mut sockets);
            wait(tap.as_raw_fd(), Some(Duration::from_millis(20))).unwrap();
        }
    });
}
