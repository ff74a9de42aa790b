//! The examples `ping`, `traceroute` and `tcpdump` against the kernel, each in a network of its own.
#![cfg(all(
    target_os = "linux",
    feature = "phy-tuntap",
    feature = "phy-raw",
    feature = "phy-pcap",
    feature = "socket-icmp"
))]

mod common;
#[path = "common/in_own_network.rs"]
mod in_own_network;
#[path = "common/tshark.rs"]
mod tshark;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{example, skip};
use goldcrest::phy::{Medium, TunTapInterface, veth_pair};
use in_own_network::in_own_network;
use tshark::{FAULTS, found};

/// What a program prints, and whether it succeeds.
fn run(program: &PathBuf, arguments: &[&str]) -> (String, bool) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    eprintln!("{text}{}", String::from_utf8_lossy(&output.stderr));
    (text, output.status.success())
}

fn capture(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("goldcrest-{name}-{}.pcap", std::process::id()))
}

/// Holds a capture against tshark, and each filter finds so many frames.
fn dissect(path: &PathBuf, filters: &[(&str, usize)]) {
    if !Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return skip("tshark is missing: install the package tshark");
    }
    for fault in FAULTS {
        assert_eq!(found(path, fault), 0, "{fault} in {}", path.display());
    }
    for &(filter, count) in filters {
        assert_eq!(found(path, filter), count, "{filter} in {}", path.display());
    }
    fs::remove_file(path).unwrap();
}

#[test]
fn the_kernel_answers_our_ping_over_both_families() {
    let program = example("ping");
    in_own_network(move || {
        let path = capture("ping");
        for (host, replies) in [("192.168.69.1", "icmp.type == 0"), ("fd00:69::1", "icmpv6.type == 129")] {
            let file = path.to_str().unwrap();
            let (text, success) = run(&program, &[host, "-c", "3", "-i", "20", "-s", "1000", "--pcap", file]);
            assert!(success && text.contains("3 sent, 3 received"), "{text}");
            assert!(text.contains(&format!("1008 octets from {host}: seq=2 ttl=64 time=")), "{text}");
            dissect(&path, &[(replies, 3)]);
        }
    });
}

#[test]
fn a_ping_that_nobody_answers_fails_and_says_so() {
    let program = example("ping");
    in_own_network(move || {
        let (text, success) = run(&program, &["192.168.69.77", "-c", "1", "-W", "200"]);
        assert!(!success && text.contains("1 sent, 0 received"), "{text}");
        let (text, success) = run(&program, &["192.168.69.1", "-s", "9999"]);
        assert!(!success && text.is_empty(), "wrong use");
    });
}

#[test]
fn a_trace_to_the_kernel_is_one_hop_and_beyond_it_the_kernel_is_the_first() {
    let program = example("traceroute");
    in_own_network(move || {
        for host in ["192.168.69.1", "fd00:69::1"] {
            // More than the second after which a host asks again for a neighbor: just up, the kernel may miss a first
            // solicitation.
            let (text, success) = run(&program, &[host, "-w", "3000"]);
            let hops: Vec<&str> = text.lines().skip(1).collect();
            assert!(success && hops.len() == 1, "{text}");
            assert!(hops[0].starts_with(&format!(" 1  {host}  ")), "{text}");
            assert_eq!(hops[0].matches(" ms").count(), 3, "{text}");
        }
        // Beyond the kernel is a link on which nobody answers.
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let far = TunTapInterface::new("far0", Medium::Ip).unwrap();
        far.kernel().set_up().unwrap();
        far.kernel().add_address(IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1)), 16).unwrap();
        let arguments = ["10.9.0.2", "--gateway", "192.168.69.1", "-w", "200", "-m", "2", "-q", "2"];
        let (text, success) = run(&program, &arguments);
        let hops: Vec<&str> = text.lines().skip(1).collect();
        assert!(success && hops.len() == 2, "{text}");
        assert!(hops[0].starts_with(" 1  192.168.69.1  "), "{text}");
        assert_eq!(hops[1], " 2  * *");
    });
}

#[test]
fn frames_are_printed_and_kept() {
    let program = example("tcpdump");
    in_own_network(move || {
        let (kernel, other) = veth_pair("kernel0", "other0").unwrap();
        kernel.disable_ipv6().unwrap();
        other.disable_ipv6().unwrap();
        kernel.add_address(IpAddr::V4(Ipv4Addr::new(192, 168, 69, 1)), 24).unwrap();
        kernel.disable_tx_offload().unwrap();
        kernel.set_up().unwrap();
        other.set_up().unwrap();
        let path = capture("tcpdump");
        let mut command = Command::new(&program);
        command.args(["other0", "-c", "2", "-w", path.to_str().unwrap()]);
        let mut dump = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(dump.stderr.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "listening on other0\n");
        let socket = UdpSocket::bind("192.168.69.1:5000").unwrap();
        socket.set_broadcast(true).unwrap();
        // The kernel drops what is sent before it has seen that the link is there, which takes it a moment.
        for _ in 0..200 {
            socket.send_to(b"hello", "192.168.69.255:7000").unwrap();
            if dump.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = dump.kill();
        let output = dump.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        assert_eq!(text.matches("UDP 5000 > 7000").count(), 2, "{text}");
        dissect(&path, &[("udp.dstport == 7000 && ip.dst == 192.168.69.255", 2)]);
        let (_, success) = run(&program, &["nosuch0"]);
        assert!(!success);
    });
}

#[test]
fn help_says_what_each_is_for() {
    let needs_rights = "the right to make network interfaces";
    for (name, words) in [
        ("ping", ["needs root", "Usage: ping ", "--pcap"]),
        ("traceroute", ["needs root", "Usage: traceroute ", "--gateway"]),
        ("tcpdump", ["needs root", "Usage: tcpdump ", "-w"]),
        ("server", [needs_rights, "Usage: server ", "--connections"]),
        ("client", [needs_rights, "Usage: client ", "chargen"]),
        ("router", ["Forwards IPv4 and IPv6", "Usage: router ", "--reverse-path-check"]),
        ("bridge", ["as a switch does", "Usage: bridge ", "--station"]),
        ("loopback", ["talk over a device", "Usage: loopback ", "--ipv6"]),
    ] {
        let (text, success) = run(&example(name), &["--help"]);
        for word in words {
            assert!(success && text.to_lowercase().contains(&word.to_lowercase()), "{word}: {text}");
        }
        let (text, success) = run(&example(name), &["--no-such-option"]);
        assert!(!success && text.is_empty(), "{name}: wrong use");
    }
}
