//! IPv6 from what dnsmasq advertises, and the kernel on the same link: addresses, routes, name servers; an address that the
//! kernel has already, and one of ours that the kernel wants. Each test has a network of its own; tshark dissects all frames.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-pcap", feature = "iface-slaac"))]

#[path = "common/dnsmasq.rs"]
mod dnsmasq;
#[path = "common/in_own_network.rs"]
mod in_own_network;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/tshark.rs"]
mod tshark;

use std::fs::File;
use std::net::Ipv6Addr;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use dnsmasq::{Dnsmasq, file_of_thread, obstacle, run};
use goldcrest::iface::{
    AddressOrigin, AddressState, Config, Interface, SlaacConfig, SocketHandle, SocketSet,
};
use goldcrest::phy::{Device, Medium, PcapWriter, TunTapInterface, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::udp;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpEndpoint};
use in_own_network::in_own_network;
use skip::skip;
use tshark::{FAULTS, found};

/// Those of 02:00:00:00:00:02.
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 2);
const GLOBAL: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x74, 0, 0, 0, 0xff, 0xfe00, 2);
const FAR: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 7);
const RANGE: &str = "fd00:74::,ra-only,64,3600";
const OPTIONS: &[&str] = &[
    "--enable-ra",
    "--ra-param=tap0,mtu:1400,10,1800",
    "--dhcp-option=option6:dns-server,[fd00:74::53],[fd00:74::54]",
    "--dhcp-option=option6:domain-search,example.org",
];

struct Host {
    cable: PcapWriter<TunTapInterface, File>,
    pcap: PathBuf,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    udp: SocketHandle,
}

impl Host {
    /// The kernel's end has an address of the prefix, and these besides.
    fn new(taken: &[Ipv6Addr]) -> Host {
        let tap = TunTapInterface::new("tap0", Medium::Ethernet).unwrap();
        run("ip", &["link", "set", "lo", "up"]);
        std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        tap.kernel().set_up().unwrap();
        tap.kernel().add_address(Ipv6Addr::new(0xfd00, 0x74, 0, 0, 0, 0, 0, 1).into(), 64).unwrap();
        for taken in taken {
            tap.kernel().add_address((*taken).into(), 64).unwrap();
        }
        let name = format!("goldcrest-slaac-{}-{}.pcap", std::process::id(), file_of_thread());
        let pcap = std::env::temp_dir().join(name);
        let mut cable = PcapWriter::new(tap, File::create(&pcap).unwrap()).unwrap();
        let mut iface = Interface::new(Config::new(cable.hardware_address()), &mut cable, Instant::now());
        iface.set_slaac(Some(SlaacConfig::default()));
        let mut sockets = SocketSet::with_capacity(1, Keys::new([9; 32]));
        let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 200]);
        let udp = sockets.add(udp::Socket::new(queue(), queue()));
        sockets.bind(udp, 50_001).unwrap();
        Host { cable, pcap, iface, sockets, udp }
    }

    /// Polls until something is so; not for ever.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Host) -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !is_so(self) {
            assert!(Instant::now() < end, "{what}: {:?}", self.iface.addresses().collect::<Vec<_>>());
            let now = Instant::now();
            self.iface.poll(now, &mut self.cable, &mut self.sockets);
            let delay = self.iface.poll_delay(now, &mut self.sockets).unwrap_or(Duration::from_millis(50));
            let delay = delay.min(Duration::from_millis(50));
            wait(self.cable.as_raw_fd(), Some(delay)).unwrap();
        }
    }

    fn state_of(&self, addr: Ipv6Addr) -> Option<(AddressState, AddressOrigin)> {
        let info = self.iface.addresses().find(|info| info.cidr.address() == IpAddress::Ipv6(addr))?;
        Some((info.state, info.origin))
    }

    fn until_state(&mut self, addr: Ipv6Addr, state: AddressState) {
        self.until(&format!("{addr} {state:?}"), |host| {
            host.state_of(addr).is_some_and(|(is, _)| is == state)
        });
    }

    /// Lets a program of the kernel's run while we answer.
    fn meanwhile(&mut self, program: &str, arguments: &[&str]) -> bool {
        let mut child = Command::new(program).args(arguments).stdout(Stdio::null()).spawn().unwrap();
        let mut status = None;
        self.until(program, |_| {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().success()
    }

    /// What tshark says of all that was sent.
    fn dissect(self, filters: &[&str]) {
        drop(self.cable);
        for fault in FAULTS {
            let of_ours = format!("eth.src == 02:00:00:00:00:02 && ({fault})");
            assert_eq!(found(&self.pcap, &of_ours), 0, "{fault} in {}", self.pcap.display());
        }
        for filter in filters {
            let of_ours = format!("eth.src == 02:00:00:00:00:02 && ({filter})");
            assert!(found(&self.pcap, &of_ours) > 0, "no {filter} in {}", self.pcap.display());
        }
        std::fs::remove_file(self.pcap).unwrap();
    }
}

fn all_that_is_advertised() {
    let mut host = Host::new(&[]);
    let _router = Dnsmasq::start(RANGE, OPTIONS);
    host.until_state(GLOBAL, AddressState::Preferred);
    assert_eq!(host.state_of(LINK_LOCAL), Some((AddressState::Preferred, AddressOrigin::LinkLocal)));
    let (_, origin) = host.state_of(GLOBAL).unwrap();
    assert_eq!(origin, AddressOrigin::RouterAdvertisement);
    let lasts = host.iface.addresses().find(|info| info.origin == origin).unwrap().valid_until.unwrap();
    let seconds = lasts.saturating_duration_since(Instant::now()).total_millis() / 1_000;
    assert!((3_500..=3_600).contains(&seconds), "{seconds} s");
    let servers = [0x53, 0x54].map(|last| Ipv6Addr::new(0xfd00, 0x74, 0, 0, 0, 0, 0, last).into());
    assert!(host.iface.name_servers().eq(servers));
    let domains: Vec<_> = host.iface.search_domains().map(|name| name.to_string()).collect();
    assert_eq!(domains, ["example.org"]);
    assert_eq!(host.iface.advertised().mtu, Some(1_400));
    // The kernel reaches both addresses, and what is far goes by the kernel.
    assert!(host.meanwhile("ping", &["-6", "-c", "1", "-W", "5", &GLOBAL.to_string()]));
    assert!(host.meanwhile("ping", &["-6", "-c", "1", "-W", "5", &format!("{LINK_LOCAL}%tap0")]));
    let socket = host.sockets.get_mut::<udp::Socket>(host.udp);
    socket.send_slice(b"far", IpEndpoint::new(FAR.into(), 50_002)).unwrap();
    let mut polls = 0;
    host.until("sent", |_| {
        polls += 1;
        polls > 5
    });
    host.dissect(&[
        "icmpv6.type == 133 && ipv6.dst == ff02::2",
        "icmpv6.type == 135 && ipv6.src == ::",
        "icmpv6.type == 129 && ipv6.src == fd00:74::ff:fe00:2",
        "udp.dstport == 50002 && ipv6.src == fd00:74::ff:fe00:2",
    ]);
}

fn an_address_that_the_kernel_has() {
    let mut host = Host::new(&[GLOBAL]);
    let _router = Dnsmasq::start(RANGE, OPTIONS);
    host.until_state(GLOBAL, AddressState::Duplicate);
    assert_eq!(host.state_of(LINK_LOCAL), Some((AddressState::Preferred, AddressOrigin::LinkLocal)));
    assert!(!host.iface.ip_addrs().any(|cidr| cidr.address() == IpAddress::Ipv6(GLOBAL)));
    host.dissect(&["icmpv6.type == 135 && ipv6.src == ::"]);
}

fn an_address_of_ours_that_the_kernel_wants() {
    let mut host = Host::new(&[]);
    let _router = Dnsmasq::start(RANGE, OPTIONS);
    host.until_state(GLOBAL, AddressState::Preferred);
    run("ip", &["-6", "address", "add", &format!("{GLOBAL}/64"), "dev", "tap0"]);
    host.until("the kernel finds the duplicate", |_| {
        run("ip", &["-6", "address", "show", "dev", "tap0"]).contains("dadfailed")
    });
    assert_eq!(host.state_of(GLOBAL).map(|(state, _)| state), Some(AddressState::Preferred));
    host.dissect(&["icmpv6.type == 136 && icmpv6.nd.na.target_address == fd00:74::ff:fe00:2"]);
}

/// In networks of their own.
fn each(test: fn()) {
    match obstacle() {
        Some(obstacle) => skip(&obstacle),
        None => in_own_network(test),
    }
}

/// Covers: RFC 4862 §5.5.3, RFC 4861 §6.3.4, RFC 8106 §5.1
#[test]
fn what_dnsmasq_advertises_is_taken() {
    each(all_that_is_advertised);
}

/// Covers: RFC 4862 §5.4.5
#[test]
fn an_address_that_the_kernel_has_is_not_used() {
    each(an_address_that_the_kernel_has);
}

/// Covers: RFC 4862 §5.4.3
#[test]
fn an_address_of_ours_is_a_duplicate_for_the_kernel() {
    each(an_address_of_ours_that_the_kernel_wants);
}
