//! Datagrams in fragments, by real programs: ping and the kernel's UDP, in a network namespace of their own.
//!
//! Every frame that the stack sends is dissected by tshark in the end. What can't be run here is skipped by name, but
//! fails with `CI=true`.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "iface-fragments", feature = "app-http"))]

mod common;
#[path = "common/tshark.rs"]
mod tshark;

use std::io::Read;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::skip;
use goldcrest::phy::unshare_network;
use tshark::{FAULTS, found};

/// The example, stopped when the test is over, however it ends, and the file in which it notes all frames.
struct Server {
    program: Child,
    pcap: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        let _ = std::fs::remove_file(&self.pcap);
    }
}

impl Server {
    /// Ends it as a user would, and lets tshark look at what it sent, which includes fragments as said.
    fn dissect(mut self, has_fragments: bool) {
        if !Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success()) {
            return skip("tshark is not installed");
        }
        let id = self.program.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.program.wait().unwrap().success());
        let ours = "eth.src == 02:00:00:00:00:02";
        assert!(found(&self.pcap, ours) > 1);
        assert_eq!(found(&self.pcap, &format!("{ours} && ({})", FAULTS.join(" || "))), 0);
        // What an error quotes is somebody else's.
        let own = format!("{ours} && !(icmp.type in {{3, 11, 12}} || icmpv6.type < 128)");
        let is_fragment = "ip.flags.mf == 1 || ip.frag_offset > 0 || ipv6.fraghdr";
        let fragments = found(&self.pcap, &format!("{own} && ({is_fragment})"));
        assert_eq!(fragments > 0, has_fragments, "{fragments} fragments");
        // Of whole datagrams, and of those that tshark has put together.
        let sums = ["icmp", "icmpv6", "udp", "tcp"].map(|layer| format!("{layer}.checksum.status == 0"));
        let faults = ["error", "overlap", "multipletails", "toolongfragment"];
        let faults = faults.map(|fault| format!("ip.fragment.{fault} || ipv6.fragment.{fault}"));
        let any = format!("{own} && ({} || {})", sums.join(" || "), faults.join(" || "));
        assert_eq!(found(&self.pcap, &any), 0);
    }
}

/// Starts the example in a network of this thread's own; `None` if that can't be.
fn serve(name: &str) -> Option<Server> {
    let program = common::example("server");
    if let Err(error) = unshare_network() {
        skip(&error.to_string());
        return None;
    }
    if std::fs::metadata("/dev/net/tun").is_err() {
        skip("no /dev/net/tun");
        return None;
    }
    let pcap = std::env::temp_dir().join(format!("goldcrest-{name}-{}.pcap", std::process::id()));
    let mut command = Command::new(program);
    command.arg("--pcap").arg(&pcap).stdout(Stdio::piped());
    let mut server = Server { program: command.spawn().unwrap(), pcap };
    let mut line = [0; 8];
    server.program.stdout.as_mut().unwrap().read_exact(&mut line).expect("it says that it is serving");
    Some(server)
}

/// Sends echo requests in pieces, and prints for which of them an answer came.
const PIECES: &str = r#"
from scapy.all import *
conf.verb = 0
conf.iface = conf.route.route("192.168.69.2")[0]
mac = "02:00:00:00:00:02"
def v4(ident, at, more, data):
    return Ether(dst=mac)/IP(dst="192.168.69.2", id=ident, proto=1, frag=at // 8, flags=more)/Raw(data)
def v6(ident, at, more, data):
    header = IPv6ExtHdrFragment(id=ident, nh=58, offset=at // 8, m=more)
    return Ether(dst=mac)/IPv6(dst="fd00:69::2")/header/Raw(data)
def message(family, ident):
    if family is v4:
        return raw(ICMP(id=ident, seq=1)/Raw(bytes(1000)))
    return raw(IPv6(dst="fd00:69::2", src=conf.route6.route("fd00:69::2")[1])/ICMPv6EchoRequest(id=ident, data=bytes(1000)))[40:]
def plans(echo):
    whole = [(0, 1, echo[:400]), (400, 1, echo[400:800]), (800, 0, echo[800:])]
    yield "in-order", whole
    yield "reversed", whole[::-1]
    yield "duplicate", [whole[0], whole[0], whole[1], whole[2]]
    yield "overlap", [whole[0], (392, 1, echo[392:800]), whole[1], whole[2]]
    yield "odd-length", [(0, 1, echo[:399]), whole[1], whole[2]]
    yield "missing", whole[:2]
    yield "too-long", whole[:2] + [(65528, 0, bytes(64))]
frames, names = [], {}
for family in (v4, v6):
    for number in range(7):
        ident = (100 if family is v4 else 200) + number
        name, pieces = list(plans(message(family, ident)))[number]
        names[ident] = family.__name__ + ":" + name
        frames += [family(ident, *piece) for piece in pieces]
seen = set()
def note(frame):
    if ICMP in frame and frame[ICMP].type == 0: seen.add(frame[ICMP].id)
    if ICMPv6EchoReply in frame: seen.add(frame[ICMPv6EchoReply].id)
sniffer = AsyncSniffer(prn=note, lfilter=lambda frame: frame.src == mac, store=False, started_callback=lambda: sendp(frames))
sniffer.start()
time.sleep(2)
sniffer.stop()
print(" ".join(names[ident] for ident in sorted(seen)))
"#;

/// Covers: RFC 5722 §3, RFC 791 §3.2, RFC 8200 §4.5
#[test]
fn scapys_pieces_are_put_together_unless_they_overlap_or_are_no_pieces() {
    let Some(server) = serve("pieces") else { return };
    let python = "/usr/bin/python3";
    if !Command::new(python).args(["-c", "import scapy"]).status().is_ok_and(|status| status.success()) {
        return skip("scapy is not installed");
    }
    // So that the kernel and the stack know each other's addresses.
    for address in ["192.168.69.2", "fd00:69::2"] {
        Command::new("ping").args(["-c", "1", "-W", "5", address]).output().unwrap();
    }
    let output = Command::new(python).args(["-c", PIECES]).output().unwrap();
    let expected = "v4:in-order v4:reversed v4:duplicate v6:in-order v6:reversed v6:duplicate";
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{errors}");
    server.dissect(false);
}

/// Covers: RFC 1122 §3.3.2, §3.2.2.6, RFC 8200 §4.5, RFC 4443 §4.2
#[test]
fn large_pings_of_linux_are_answered_in_both_families() {
    let Some(server) = serve("pings") else { return };
    for address in ["192.168.69.2", "fd00:69::2"] {
        // Linux compares the data of each reply with what it has sent.
        for len in ["1473", "8000", "65000"] {
            let ping = ["-c", "5", "-i", "0.05", "-W", "5", "-s", len, address];
            let Ok(output) = Command::new("ping").args(ping).output() else {
                return skip("ping is not installed");
            };
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("5 received, 0% packet loss"), "{text}");
            assert!(!text.contains("wrong data byte"), "{text}");
        }
    }
    server.dissect(true);
}

/// Covers: RFC 1122 §3.3.2, §3.3.3
#[test]
fn large_datagrams_of_linux_come_back_as_they_were() {
    let Some(server) = serve("datagrams") else { return };
    for (own, peer) in [("0.0.0.0:0", "192.168.69.2:7"), ("[::]:0", "[fd00:69::2]:7")] {
        let socket = UdpSocket::bind(own).unwrap();
        socket.connect(peer).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for len in [1_473, 9_000, 60_000] {
            let sent: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            socket.send(&sent).unwrap();
            let mut buffer = vec![0; 65_536];
            let received =
                socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{peer}, {len} octets: {error}"));
            assert!(buffer[..received] == sent, "{len} octets, {received} back");
        }
    }
    server.dissect(true);
}

/// Covers: RFC 791 §3.2
#[test]
fn nmap_is_answered_if_the_first_of_its_fragments_has_the_whole_tcp_header() {
    let Some(server) = serve("scan") else { return };
    // A first fragment of 8 octets serves to get past filters only (RFC 1858); one of 24 has the header.
    for (option, state) in [("8", "filtered"), ("24", "open")] {
        let scan = ["-n", "-Pn", "-sS", "--mtu", option, "-p", "7", "--max-retries", "1", "192.168.69.2"];
        let Ok(output) = Command::new("nmap").args(scan).output() else {
            return skip("nmap is not installed");
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.starts_with("7/tcp")).unwrap_or_default();
        assert_eq!(line.split_whitespace().nth(1), Some(state), "{text}");
    }
    server.dissect(false);
}
