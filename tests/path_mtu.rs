//! The path's MTU with the kernel as router: our end, the kernel's network as router, and a host in another of its
//! networks behind a narrower link. What is sent is what arrives, in no fragments, whether the router reports or not.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "tcp-pmtu"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/skip.rs"]
mod skip;

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Instant as Clock;

use captured::Captured;
use goldcrest::iface::{Config, Interface, SocketSet};
use goldcrest::phy::{Device, Medium, TunTapInterface, TunTapOptions, unshare_network, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::Socket;
use goldcrest::stats::DropReason;
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr};
use skip::skip;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const PORT: u16 = 45_679;
const OCTETS: usize = 4 << 20;
const HOSTS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 72, 1, 2)), IpAddr::V6(Ipv6Addr::new(0xfd00, 0x72, 1, 0, 0, 0, 0, 2))];
const ROUTER: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(10, 72, 0, 1), Ipv6Addr::new(0xfd00, 0x72, 0, 0, 0, 0, 0, 1));
const LONGEST: Duration = Duration::from_millis(50);

/// Runs `ip` with these words in the network of this thread.
fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().expect("ip runs");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

fn set(name: &str, value: &str) {
    fs::write(format!("/proc/sys/net/{name}"), value).unwrap();
}

/// A network of this thread's own, in which addresses can be used at once.
fn enter_network() -> Result<(), String> {
    unshare_network().map_err(|error| error.to_string())?;
    set("ipv6/conf/default/accept_dad", "0");
    Ok(())
}

/// A counter of the kernel's, in the network of this thread.
fn counter(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let mut ip = text.lines().filter(|line| line.starts_with("Ip:"));
    let [names, values] = [ip.next().unwrap(), ip.next().unwrap()].map(|line| line.split_whitespace());
    let v4 = names.zip(values).find(|(at, _)| *at == name).map(|(_, value)| value.to_owned());
    let text = fs::read_to_string("/proc/thread-self/net/snmp6").unwrap();
    let v6 =
        text.lines().find_map(|line| line.strip_prefix(&format!("Ip6{name}"))?.trim().parse::<u64>().ok());
    v4.map_or(0, |value| value.parse::<u64>().unwrap()) + v6.unwrap_or(0)
}

/// The host behind the narrow link. Its MTU is that of the link from its side; it announces the full MSS all the same.
/// Gives the hash of what came, how much, and how many fragments it saw.
fn host(
    address: IpAddr,
    mtu: u32,
    told: &mpsc::Sender<String>,
    go: &mpsc::Receiver<()>,
) -> (u64, usize, u64) {
    enter_network().unwrap();
    let place = fs::read_link("/proc/thread-self").unwrap();
    told.send(format!("/proc/{}/ns/net", place.display())).unwrap();
    go.recv().unwrap();
    ip(&format!("link set eth0 mtu {mtu} up"));
    ip("address add 10.72.1.2/24 dev eth0");
    ip("-6 address add fd00:72:1::2/64 dev eth0 nodad");
    ip("route add default via 10.72.1.1 advmss 1460");
    ip("-6 route add default via fd00:72:1::1 advmss 1440");
    let listener = TcpListener::bind(SocketAddr::new(address, PORT)).unwrap();
    told.send(String::new()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let (mut hash, mut octets, mut count) = (Xxh3::new(), vec![0; 1 << 16], 0);
    loop {
        let len = stream.read(&mut octets).expect("it does not stand still");
        if len == 0 {
            break;
        }
        count += len;
        hash.update(&octets[..len]);
    }
    stream.write_all(b"done").unwrap();
    (hash.digest(), count, counter("ReasmReqds"))
}

/// What a transfer has shown.
struct Course {
    path_mtu: Option<u32>,
    took: std::time::Duration,
    /// Packets that the router found too big.
    refused: u64,
}

/// Sends to the host over a link that takes `router_mtu` by the router's own word and `host_mtu` in truth.
fn transfer(address: IpAddr, router_mtu: u32, host_mtu: u32, options: TunTapOptions) -> Option<Course> {
    if let Err(error) = enter_network() {
        skip(&error);
        return None;
    }
    if fs::metadata("/dev/net/tun").is_err() {
        skip("no /dev/net/tun");
        return None;
    }
    let device = TunTapInterface::with_options("tap0", Medium::Ethernet, options).unwrap();
    device.kernel().disable_dad().unwrap();
    device.kernel().set_up().unwrap();
    let (told, hear) = mpsc::channel();
    let (tell, go) = mpsc::channel();
    let host = thread::spawn(move || host(address, host_mtu, &told, &go));
    ip(&format!("link add r0 type veth peer name eth0 netns {}", hear.recv().unwrap()));
    ip(&format!("link set r0 mtu {router_mtu} up"));
    ip("address add 10.72.0.1/24 dev tap0");
    ip("-6 address add fd00:72::1/64 dev tap0 nodad");
    ip("address add 10.72.1.1/24 dev r0");
    ip("-6 address add fd00:72:1::1/64 dev r0 nodad");
    set("ipv4/ip_forward", "1");
    set("ipv6/conf/all/forwarding", "1");
    tell.send(()).unwrap();
    hear.recv().unwrap();

    let mut device = Captured::new(device, "path-mtu");
    let mut iface = Interface::new(Config::new(device.hardware_address()), &mut device, Instant::now());
    iface.add_address(IpCidr::new(IpAddress::v4(10, 72, 0, 2), 24)).unwrap();
    iface.add_address(IpCidr::new(IpAddr::from([0xfd00, 0x72, 0, 0, 0, 0, 0, 2]).into(), 64)).unwrap();
    iface.add_default_ipv4_route(ROUTER.0).unwrap();
    iface.add_default_ipv6_route(ROUTER.1).unwrap();
    let mut sockets = SocketSet::with_capacity(4, Keys::new([7; 32]));
    let buffer = || SocketBuffer::new(vec![0; 256 << 10]);
    let handle = sockets.add(Socket::new(buffer(), buffer()));
    iface.connect(Instant::now(), &mut sockets, handle, (address, PORT), 0).unwrap();

    let data: Vec<u8> = (0..OCTETS as u64 / 8)
        .flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(n as u32).to_le_bytes())
        .collect();
    let (mut sent, mut path_mtu, began) = (0, None, Clock::now());
    loop {
        let now = Instant::now();
        iface.poll(now, &mut device, &mut sockets);
        let socket = sockets.get_mut::<Socket>(handle);
        assert_eq!(socket.error(), None);
        if socket.can_send() && sent < data.len() {
            sent += socket.send_slice(&data[sent..]).unwrap();
            if sent == data.len() {
                socket.close();
            }
        }
        path_mtu = socket.path_mtu().or(path_mtu);
        if socket.recv_queue() == 4 {
            break;
        }
        assert!(began.elapsed().as_secs() < 60, "{sent} octets of {OCTETS}");
        let delay = iface.poll_at(now, &mut sockets).map_or(LONGEST, |at| at.saturating_duration_since(now));
        wait(device.as_raw_fd(), Some(delay.min(LONGEST))).unwrap();
    }
    let took = began.elapsed();
    let (hash, count, fragments) = host.join().unwrap();
    assert_eq!((hash, count, fragments), (xxh3_64(&data), OCTETS, 0));
    assert_eq!(counter("FragCreates"), 0);
    println!(
        "{address}: {took:.2?}, path MTU {path_mtu:?}, drops {:?}",
        iface.stats().dropped().collect::<Vec<_>>()
    );
    assert_eq!(iface.stats().drops(DropReason::IcmpMismatch), 0, "all reports are about what is out");
    Some(Course { path_mtu, took, refused: counter("FragFails") })
}

/// Covers: RFC 1191 §3; RFC 8201 §4
#[test]
fn a_router_that_reports_is_believed() {
    for options in [TunTapOptions::default(), TunTapOptions::plain()] {
        for (address, mtu) in HOSTS.into_iter().zip([1_300, 1_400]) {
            let Some(course) = transfer(address, mtu, 1_500, options) else { return };
            assert_eq!(course.path_mtu, Some(mtu));
            assert!((1..=20).contains(&course.refused), "{} packets were too big", course.refused);
            assert!(course.took.as_secs() < 2, "{:?}", course.took);
        }
    }
}

/// Covers: RFC 4821 §7.7
#[test]
fn a_black_hole_heals() {
    for (address, mtu) in HOSTS.into_iter().zip([1_300, 1_400]) {
        // Segments that are together pass a veth whatever its MTU, and so no black hole.
        let Some(course) = transfer(address, 1_500, mtu, TunTapOptions::plain()) else { return };
        // The link takes a tag more than its MTU says.
        let found = course.path_mtu.expect("it was found to be smaller");
        assert!((mtu - 20..=mtu + 4).contains(&found), "{found} of {mtu}");
        assert_eq!(course.refused, 0, "nobody said so");
        assert!(course.took.as_secs() < 5, "{:?}", course.took);
    }
}
