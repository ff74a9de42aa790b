//! VLANs on one TAP, spoken to by scapy over IPv4 and IPv6: the kernel at the other end need not know of them.
//!
//! The stack has an interface without a tag, one in VLAN 42, one in VLAN 43 with a priority, and one in VLAN 42
//! of a provider's VLAN 100. tshark dissects what they sent. What can't be run here is skipped by name, but fails
//! with `CI=true`.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-pcap", feature = "iface-vlan"))]

#[path = "common/skip.rs"]
mod skip;
#[path = "common/tshark.rs"]
mod tshark;

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use goldcrest::iface::{Config, Interface, Port, Router, SocketHandle, SocketSet, VlanTags};
use goldcrest::phy::{Device, Medium, PcapWriter, TunTapInterface, unshare_network, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::udp;
use goldcrest::stats::{DropReason, Stats};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpCidr, VlanId, VlanPriority};
use skip::skip;
use tshark::{FAULTS, found};

const PYTHON: &str = "/usr/bin/python3";

/// Speaks ARP, neighbor discovery, ICMP and UDP in each VLAN, and prints what of it was answered, with the tags of the answer.
const SCAPY: &str = r#"
from scapy.all import *
import time
conf.verb = 0
ours, own = "02:00:00:00:00:02", get_if_hwaddr("tap0")
def tag(kind, vid, prio=0):
    return (kind, vid, prio)
def build(tags, payload, ethertype, to=ours):
    types = [kind for kind, _, _ in tags] + [ethertype]
    frame = Ether(src=own, dst=to, type=types[0])
    for (_, vid, prio), following in zip(tags, types[1:]):
        frame = frame/Dot1Q(vlan=vid, prio=prio, type=following)
    return frame/payload
def talk(tags, net, number):
    host, peer = "10.0.%d.1" % net, "10.0.%d.2" % net
    yield build(tags, ARP(op=1, hwsrc=own, psrc=peer, hwdst="00:00:00:00:00:00", pdst=host), 0x806, "ff:ff:ff:ff:ff:ff")
    yield build(tags, IP(src=peer, dst=host)/ICMP(id=number, seq=1)/Raw(b"x" * 1400), 0x800)
    yield build(tags, IP(src=peer, dst=host)/UDP(sport=5000 + number, dport=7)/Raw(b"hello"), 0x800)
    host, peer = "fd00:%x::1" % net, "fd00:%x::2" % net
    ask = ICMPv6ND_NS(tgt=host)/ICMPv6NDOptSrcLLAddr(lladdr=own)
    yield build(tags, IPv6(src=peer, dst="ff02::1:ff00:1")/ask, 0x86dd, "33:33:ff:00:00:01")
    echo = ICMPv6EchoRequest(id=number, seq=1, data=b"x" * 1400)
    yield build(tags, IPv6(src=peer, dst=host)/echo, 0x86dd)
    yield build(tags, IPv6(src=peer, dst=host)/UDP(sport=5000 + number, dport=7)/Raw(b"hello"), 0x86dd)
Q, AD = 0x8100, 0x88a8
plans = [
    ([], 0), ([tag(Q, 42)], 1), ([tag(Q, 43, 3)], 2), ([tag(AD, 100), tag(Q, 42)], 3),
    # A priority only: for who has no tag.
    ([tag(Q, 0, 5)], 0),
    # Nobody's.
    ([tag(Q, 44)], 1), ([tag(AD, 42)], 1), ([tag(AD, 101), tag(Q, 42)], 3), ([tag(Q, 100)], 3),
    # Somebody's, who does not have that address.
    ([tag(Q, 42)], 2), ([], 1), ([tag(Q, 43)], 0),
]
seen = set()
def note(frame):
    # What follows the addresses says all, whatever scapy makes of the outer tag's type.
    octets, tags = raw(frame), []
    at = 12
    while octets[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        control = int.from_bytes(octets[at + 2:at + 4], "big")
        tags.append("%s.%d.%d" % (octets[at:at + 2].hex(), control & 0xfff, control >> 13))
        at += 4
    tags = "+".join(tags) or "-"
    kind, rest = octets[at:at + 2], octets[at + 2:]
    if kind == b"\x08\x06" and rest[7] == 2:
        seen.add("arp %s %s" % (tags, ".".join(map(str, rest[14:18]))))
    if kind == b"\x08\x00":
        packet = IP(rest)
        if ICMP in packet and packet[ICMP].type == 0 and bytes(packet[ICMP].payload)[:1400] == b"x" * 1400:
            seen.add("ping %s %s %d" % (tags, packet.src, packet[ICMP].id))
        if UDP in packet and packet[UDP].sport == 7 and bytes(packet[UDP].payload)[:5] == b"hello":
            seen.add("udp %s %s %d" % (tags, packet.src, packet[UDP].dport - 5000))
    if kind == b"\x86\xdd":
        packet = IPv6(rest)
        if ICMPv6ND_NA in packet:
            seen.add("nd %s %s" % (tags, packet[ICMPv6ND_NA].tgt))
        if ICMPv6EchoReply in packet and packet[ICMPv6EchoReply].data[:1400] == b"x" * 1400:
            seen.add("ping %s %s %d" % (tags, packet.src, packet[ICMPv6EchoReply].id))
        if UDP in packet and packet[UDP].sport == 7 and bytes(packet[UDP].payload)[:5] == b"hello":
            seen.add("udp %s %s %d" % (tags, packet.src, packet[UDP].dport - 5000))
frames = [frame for number, (tags, net) in enumerate(plans) for frame in talk(tags, net, number)]
sniffer = AsyncSniffer(iface="tap0", prn=note, lfilter=lambda frame: frame.src == ours, store=False,
                       started_callback=lambda: sendp(frames, iface="tap0"))
sniffer.start()
time.sleep(1.5)
sniffer.stop()
print("\n".join(sorted(seen)))
"#;

/// Those of the plans that are answered, by number: the tags, the third octet of the address.
const ANSWERED: [(usize, &str, u8); 5] =
    [(0, "-", 0), (1, "8100.42.0", 1), (2, "8100.43.6", 2), (3, "88a8.100.0+8100.42.0", 3), (4, "-", 0)];
/// Frames in the VLANs that nobody has: four times three in each family.
const NOBODYS: u32 = 24;

/// Our address in this network.
fn ipv6(net: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, net.into(), 0, 0, 0, 0, 0, 1)
}

fn expected() -> Vec<String> {
    let lines = ANSWERED.iter().flat_map(|&(number, tags, net)| {
        let own = format!("{tags} 10.0.{net}.1");
        let own_v6 = format!("{tags} {}", ipv6(net));
        [
            format!("arp {own}"),
            format!("ping {own} {number}"),
            format!("udp {own} {number}"),
            format!("nd {own_v6}"),
            format!("ping {own_v6} {number}"),
            format!("udp {own_v6} {number}"),
        ]
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines.dedup();
    lines
}

type Cable = PcapWriter<TunTapInterface, File>;

/// The stack's thread, until it is told to end; what its interfaces have counted.
struct Host {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Stats>>,
}

impl Host {
    fn start(pcap: &Path) -> Host {
        let tap = TunTapInterface::new("tap0", Medium::Ethernet).unwrap();
        tap.kernel().disable_ipv6().unwrap();
        tap.kernel().set_up().unwrap();
        let cable = PcapWriter::new(tap, File::create(pcap).unwrap()).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Host { stop, thread: thread::spawn(move || serve(cable, &stopped)) }
    }

    fn stop(self) -> Vec<Stats> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn interfaces(cable: &mut Cable) -> Vec<Interface<'static>> {
    let id = |number| VlanId::new(number).unwrap();
    let priority = VlanPriority::new(6).unwrap();
    let tags = [
        VlanTags::NONE,
        VlanTags::single(id(42)),
        VlanTags::single(id(43)).with_priority(priority),
        VlanTags::stacked(id(100), id(42)),
    ];
    let ifaces = tags.into_iter().zip(0..).map(|(vlan, net)| {
        let mut config = Config::new(cable.hardware_address());
        config.vlan = vlan;
        let mut iface = Interface::new(config, cable, Instant::now());
        iface.add_address(IpCidr::new(Ipv4Addr::new(10, 0, net, 1).into(), 24)).unwrap();
        iface.add_address(IpCidr::new(ipv6(net).into(), 64)).unwrap();
        iface
    });
    ifaces.collect()
}

/// Answers until told to end.
fn serve(mut cable: Cable, stop: &AtomicBool) -> Vec<Stats> {
    let mut ifaces = interfaces(&mut cable);
    let mut sockets = SocketSet::with_capacity(4, Keys::new([7; 32]));
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 16], vec![0; 1 << 14]);
    let echo = sockets.add(udp::Socket::new(queue(), queue()));
    sockets.bind(echo, 7).unwrap();
    while !stop.load(Ordering::Relaxed) {
        let fd = cable.as_raw_fd();
        let mut rest = ifaces.iter_mut();
        let first = Port::new(rest.next().unwrap(), &mut cable);
        let ports: Vec<_> = std::iter::once(first).chain(rest.map(|iface| Port::on(iface, 0))).collect();
        let mut router = Router::new(ports);
        router.poll(Instant::now(), &mut sockets);
        answer(&mut sockets, echo);
        router.poll(Instant::now(), &mut sockets);
        wait(fd, Some(Duration::from_millis(10))).unwrap();
    }
    ifaces.iter().map(|iface| iface.stats().clone()).collect()
}

fn answer(sockets: &mut SocketSet<'_>, echo: SocketHandle) {
    let socket = sockets.get_mut::<udp::Socket>(echo);
    let mut octets = [0; 2_000];
    while let Ok((len, meta)) = socket.recv_slice(&mut octets) {
        socket.send_slice(&octets[..len], meta).unwrap();
    }
}

/// The file with all frames, which goes with the test.
struct Capture(PathBuf);

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn obstacle() -> Option<String> {
    let succeeds = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !succeeds(PYTHON, &["-c", "import scapy"]) {
        return Some("scapy is not installed".into());
    }
    if !succeeds("tshark", &["--version"]) {
        return Some("tshark is not installed".into());
    }
    if std::fs::metadata("/dev/net/tun").is_err() {
        return Some("no /dev/net/tun".into());
    }
    unshare_network().err().map(|error| error.to_string())
}

/// What tshark says of it.
fn dissect(pcap: &Path) {
    let ours = "eth.src == 02:00:00:00:00:02";
    let count = |filter: &str| found(pcap, &format!("{ours} && {filter}"));
    for fault in FAULTS {
        assert_eq!(count(&format!("({fault})")), 0, "{fault}");
    }
    let sound =
        "(arp || icmp.checksum.status == 1 || icmpv6.checksum.status == 1 || udp.checksum.status == 1)";
    assert_eq!(count(sound), found(pcap, ours));
    // A neighbor, ping and UDP in each family, and twice where there is no tag.
    let six = "(arp.opcode == 2 || icmp.type == 0 || icmpv6.type in {129, 136} || udp.srcport == 7)";
    assert_eq!(count(&format!("!vlan && !ieee8021ad && {six}")), 12);
    assert_eq!(count(&format!("vlan.id == 42 && vlan.priority == 0 && !ieee8021ad && {six}")), 6);
    assert_eq!(count(&format!("vlan.id == 43 && vlan.priority == 6 && {six}")), 6);
    assert_eq!(count(&format!("ieee8021ad.id == 100 && {six}")), 6);
}

/// Covers: IEEE 802.1Q §6.9
#[test]
fn scapy_is_answered_in_its_vlan_and_in_no_other() {
    if let Some(reason) = obstacle() {
        return skip(&reason);
    }
    let pcap = std::env::temp_dir().join(format!("goldcrest-vlan-{}.pcap", std::process::id()));
    let capture = Capture(pcap);
    let host = Host::start(&capture.0);
    let output = Command::new(PYTHON).args(["-c", SCAPY]).output().unwrap();
    let stats = host.stop();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().collect::<Vec<_>>(), expected(), "{errors}");
    let unknown: u32 = stats.iter().map(|stats| stats.drops(DropReason::UnknownVlan)).sum();
    assert_eq!(
        unknown,
        NOBODYS,
        "{:?}",
        stats.iter().map(|s| s.dropped().collect::<Vec<_>>()).collect::<Vec<_>>()
    );
    dissect(&capture.0);
}
