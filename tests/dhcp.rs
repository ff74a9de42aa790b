//! The DHCP client at dnsmasq, and the kernel on the same link: a lease and what comes with it, renewal, a refusal, an
//! address that the kernel has already; `arping` finds ours. Each test has a network of its own; tshark dissects all frames.
//!
//! The time of our stack can go faster than the clock: leases of dnsmasq last for two minutes at least.
#![cfg(all(
    target_os = "linux",
    feature = "phy-tuntap",
    feature = "phy-pcap",
    feature = "iface-autoip",
    feature = "iface-dhcp"
))]

#[path = "common/dnsmasq.rs"]
mod dnsmasq;
#[path = "common/in_own_network.rs"]
mod in_own_network;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/tshark.rs"]
mod tshark;

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use dnsmasq::{Dnsmasq, file_of_thread, obstacle, run};
use goldcrest::iface::{AutoIpMode, Config, DhcpConfig, DhcpState, Interface, SocketSet};
use goldcrest::phy::{Device, Medium, PcapWriter, TunTapInterface, wait};
use goldcrest::rand::Keys;
use goldcrest::stats::DropReason;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr, Ipv4Address};
use in_own_network::in_own_network;
use skip::skip;
use tshark::{FAULTS, found};

const KERNEL: &str = "10.9.0.1/24";

/// Our stack, whose clock may be ahead.
struct Host {
    cable: PcapWriter<TunTapInterface, File>,
    pcap: PathBuf,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    ahead: Duration,
}

impl Host {
    fn new() -> Host {
        let tap = TunTapInterface::new("tap0", Medium::Ethernet).unwrap();
        tap.kernel().disable_ipv6().unwrap();
        tap.kernel().set_up().unwrap();
        run("ip", &["address", "add", KERNEL, "dev", "tap0"]);
        run("ip", &["link", "set", "lo", "up"]);
        let pcap = std::env::temp_dir().join(format!(
            "goldcrest-dhcp-{}-{}.pcap",
            std::process::id(),
            file_of_thread()
        ));
        let mut cable = PcapWriter::new(tap, File::create(&pcap).unwrap()).unwrap();
        let iface = Interface::new(Config::new(cable.hardware_address()), &mut cable, Instant::now());
        let sockets = SocketSet::with_capacity(1, Keys::new([9; 32]));
        Host { cable, pcap, iface, sockets, ahead: Duration::ZERO }
    }

    fn now(&self) -> Instant {
        Instant::now() + self.ahead
    }

    /// Polls until something is so; not for ever.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Host) -> bool) {
        let end = Instant::now() + Duration::from_secs(40);
        while !is_so(self) {
            assert!(Instant::now() < end, "{what}: {:?}", self.iface.dhcp_state());
            self.poll();
        }
    }

    fn poll(&mut self) {
        let now = self.now();
        self.iface.poll(now, &mut self.cable, &mut self.sockets);
        let delay = self.iface.poll_delay(now, &mut self.sockets).unwrap_or(Duration::from_millis(50));
        let delay = if delay.total_millis() > 50 { Duration::from_millis(50) } else { delay };
        wait(self.cable.as_raw_fd(), Some(delay)).unwrap();
    }

    fn until_state(&mut self, state: DhcpState) {
        self.until(&format!("{state:?}"), |host| host.iface.dhcp_state() == Some(state));
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

    fn addr(&self) -> Option<Ipv4Addr> {
        self.iface.dhcp_lease().map(|lease| lease.addr())
    }

    /// What tshark says of all that was sent.
    fn dissect(self) {
        drop(self.cable);
        for fault in FAULTS {
            assert_eq!(
                found(&self.pcap, &format!("eth.src == 02:00:00:00:00:02 && ({fault})")),
                0,
                "{fault}"
            );
        }
        assert!(found(&self.pcap, "eth.src == 02:00:00:00:00:02 && dhcp") >= 2);
        std::fs::remove_file(self.pcap).unwrap();
    }
}

const OPTIONS: &[&str] = &[
    "--dhcp-option=3,10.9.0.1",
    "--dhcp-option=6,10.9.0.53,10.9.0.54",
    "--dhcp-option=15,lan.example.org",
    "--dhcp-option=26,1400",
    "--dhcp-option=42,10.9.0.123",
    "--dhcp-option=119,example.org,lan.example.org",
    "--dhcp-option=121,192.0.2.0/24,10.9.0.9,0.0.0.0/0,10.9.0.1",
    "--dhcp-boot=boot.img,boot,10.9.0.7",
    "--dhcp-option-force=224,crest",
];

fn begin(rapid_commit: bool) -> (Host, DhcpConfig) {
    let mut config = DhcpConfig::default();
    config.hostname = Some("bird");
    config.use_mtu = true;
    config.rapid_commit = rapid_commit;
    (Host::new(), config)
}

/// A lease of two minutes with all there is, which the kernel can reach, and which is renewed and given back.
fn lease_from_dnsmasq() {
    let (mut host, config) = begin(false);
    let _server = Dnsmasq::start("10.9.0.50,10.9.0.60,255.255.255.0,2m", OPTIONS);
    host.iface.set_dhcp(Some(config));
    host.until_state(DhcpState::Bound);
    let addr = host.addr().unwrap();
    let lease = host.iface.dhcp_lease().unwrap();
    assert_eq!((lease.server(), lease.mtu()), (Some(Ipv4Address::new(10, 9, 0, 1)), Some(1_400)));
    assert!(lease.dns_servers().eq([53, 54].map(|last| Ipv4Address::new(10, 9, 0, last))));
    assert!(lease.ntp_servers().eq([Ipv4Address::new(10, 9, 0, 123)]));
    let routes: Vec<_> = lease.routes().map(|(net, by)| format!("{net} {}", by.unwrap())).collect();
    assert_eq!(routes, ["192.0.2.0/24 10.9.0.9", "0.0.0.0/0 10.9.0.1"]);
    assert_eq!(lease.domain().unwrap().to_string(), "lan.example.org");
    let names: Vec<_> = lease.search_list().unwrap().map(|name| name.to_string()).collect();
    assert_eq!(names, ["example.org", "lan.example.org"]);
    assert_eq!(
        (lease.boot_file().unwrap().to_string().as_str(), lease.next_server()),
        ("boot.img", Some(Ipv4Address::new(10, 9, 0, 7)))
    );
    assert_eq!(lease.options().get(224).unwrap().to_string(), "crest");
    assert_eq!(host.iface.ip_mtu(), 1_400);
    let text = addr.to_string();
    assert!(host.meanwhile("ping", &["-c", "3", "-i", "0.2", "-W", "2", &text]), "the kernel reaches us");
    // Who looks for a duplicate finds us.
    assert!(!host.meanwhile("arping", &["-D", "-c", "2", "-w", "3", "-I", "tap0", &text]));
    let first = host.iface.dhcp_lease().unwrap().expires_at().unwrap();
    host.ahead = host.ahead + Duration::from_secs(60);
    host.until("renewed", |host| host.iface.dhcp_lease().unwrap().expires_at().unwrap() > first);
    assert_eq!((host.addr(), host.iface.dhcp_state()), (Some(addr), Some(DhcpState::Bound)));
    assert!(host.meanwhile("ping", &["-c", "1", "-W", "2", &text]));
    assert!(host.iface.dhcp_release());
    host.until_state(DhcpState::Released);
    assert!(host.iface.ip_addrs().next().is_none());
    assert_eq!(host.iface.stats().drops(DropReason::UnexpectedDhcp), 0);
    assert_eq!(found(&host.pcap, "dhcp.option.dhcp == 7 && ip.dst == 10.9.0.1"), 1);
    host.dissect();
}

/// The server has come to lend other addresses.
fn refused_and_lent_another() {
    let (mut host, config) = begin(true);
    let server = Dnsmasq::start("10.9.0.50,10.9.0.60,255.255.255.0,2m", &["--dhcp-rapid-commit"]);
    host.iface.set_dhcp(Some(config));
    host.until_state(DhcpState::Bound);
    let first = host.addr().unwrap();
    drop(server);
    let _server = Dnsmasq::start("10.9.0.150,10.9.0.160,255.255.255.0,2m", &["--dhcp-rapid-commit"]);
    host.until("the server has begun", |_| std::net::UdpSocket::bind("0.0.0.0:67").is_err());
    host.iface.dhcp_renew();
    host.until("another", |host| host.addr().is_some_and(|addr| addr != first));
    let addr = host.addr().unwrap();
    assert!((150..=160).contains(&addr.octets()[3]), "{addr}");
    assert!(host.iface.ip_addrs().eq([IpCidr::new(IpAddress::from(addr), 24)]));
    assert!(host.meanwhile("ping", &["-c", "1", "-W", "2", &addr.to_string()]));
    assert!(found(&host.pcap, "dhcp.option.dhcp == 6") >= 1, "a refusal");
    host.dissect();
}

/// The kernel takes the address that the server has just lent; it is declined, and another one taken.
fn declined() {
    let (mut host, config) = begin(false);
    let _server = Dnsmasq::start("10.9.0.50,10.9.0.60,255.255.255.0,2m", &[]);
    host.iface.set_dhcp(Some(config));
    host.until_state(DhcpState::Checking);
    let taken = host.iface.addresses().next().unwrap().cidr;
    run("ip", &["address", "add", &taken.to_string(), "dev", "tap0"]);
    host.until_state(DhcpState::Declined);
    assert!(host.iface.ip_addrs().next().is_none());
    host.ahead = host.ahead + Duration::from_secs(9);
    host.until_state(DhcpState::Bound);
    assert_ne!(host.iface.ip_addrs().next(), Some(taken));
    let declined =
        format!("dhcp.option.dhcp == 4 && dhcp.option.requested_ip_address == {}", taken.address());
    assert_eq!(found(&host.pcap, &declined), 1);
    host.dissect();
}

/// There is no server: an address is chosen, reached by the kernel, and given up when the kernel has it, too.
fn chosen() {
    let (mut host, config) = begin(false);
    run("ip", &["address", "add", "169.254.0.9/16", "dev", "tap0"]);
    host.iface.set_dhcp(Some(config));
    host.iface.set_autoip(Some(AutoIpMode::WithoutDhcp));
    host.until("looks for a server", |host| host.iface.dhcp_state() == Some(DhcpState::Selecting));
    for _ in 0..3 {
        // So long it takes to lose hope.
        host.ahead = host.ahead + Duration::from_secs(17);
        host.poll();
    }
    host.until("an address", |host| host.iface.ip_addrs().next().is_some());
    let first = host.iface.ip_addrs().next().unwrap().address().to_string();
    assert!(host.meanwhile("ping", &["-c", "2", "-i", "0.2", "-W", "2", &first]));
    assert!(!host.meanwhile("arping", &["-D", "-c", "2", "-w", "3", "-I", "tap0", &first]));
    run("ip", &["address", "add", &format!("{first}/16"), "dev", "tap0"]);
    for _ in 0..2 {
        host.meanwhile("arping", &["-A", "-c", "1", "-w", "1", "-I", "tap0", "-s", &first, &first]);
    }
    let other =
        |host: &mut Host| host.iface.ip_addrs().next().is_some_and(|own| own.address().to_string() != first);
    host.until("another address", other);
    let second = host.iface.ip_addrs().next().unwrap().address().to_string();
    assert!(host.meanwhile("ping", &["-c", "1", "-W", "2", &second]));
    host.dissect();
}

fn with_peers(test: fn()) {
    match obstacle() {
        Some(reason) => skip(&reason),
        None => in_own_network(test),
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test dhcp")]
fn dnsmasq_lends_renews_and_gets_back_an_address() {
    with_peers(lease_from_dnsmasq);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test dhcp")]
fn a_lease_that_the_server_refuses_is_replaced() {
    with_peers(refused_and_lent_another);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test dhcp")]
fn an_address_that_the_kernel_has_is_declined() {
    with_peers(declined);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test dhcp")]
fn without_a_server_an_address_is_chosen_and_another_if_the_kernel_has_it() {
    with_peers(chosen);
}
