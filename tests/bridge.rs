//! The example `bridge` between three kernels, each a host in a network namespace of its own.
//!
//! Two are behind TAPs, each joined to its host by a bridge of the kernel's and a veth pair; the third is behind a
//! raw socket on its veth, where checksums come unfinished. Every frame that the bridge sends is dissected in the end.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-raw", feature = "phy-pcap"))]

mod common;
#[path = "common/hosts.rs"]
mod hosts;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hosts::{Host, Running, dissect, is_ready, run, run_as};

/// Nobody has it, and what is for it is dropped.
const BLACKHOLE: &str = "02:00:00:00:00:66";

/// The bridge, which is 10.0.0.9 and fd00::9, and its hosts: 10.0.0.1 to 3, fd00::1 to 3.
struct Bench {
    hosts: [Host; 3],
    bridge: Running,
    folder: PathBuf,
}

impl Bench {
    /// `None` if something is missing here.
    fn new(name: &str) -> Option<Bench> {
        if !is_ready(&["ip", "ping", "nsenter", "unshare", "tshark", "traceroute", "iperf3", "arping"]) {
            return None;
        }
        let program = common::example("bridge");
        let folder = std::env::temp_dir().join(format!("goldcrest-bridge-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let hosts = [Host::new(), Host::new(), Host::new()];
        (1..).zip(&hosts).for_each(|(number, host)| join(host, number));
        let mut bridge = Command::new(program);
        bridge.args(["--tap", "tap1", "--tap", "tap2", "--interface", "v3", "--every", "1"]);
        bridge.args(["--address", "10.0.0.9/24", "--address", "fd00::9/64"]);
        bridge.args(["--station", &format!("{BLACKHOLE}="), "--capture"]).arg(&folder).stdout(Stdio::piped());
        let mut bridge = Running(bridge.spawn().expect("the example runs"));
        let mut lines = BufReader::new(bridge.0.stdout.take().expect("it is piped"));
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "tap1, tap2, v3 are one link\n");
        bridge.0.stdout = Some(lines.into_inner());
        for number in [1, 2] {
            without_ipv6(&format!("tap{number}"));
            run(&format!("ip link set tap{number} master br{number}"));
        }
        let bench = Bench { hosts, bridge, folder };
        bench.await_path();
        Some(bench)
    }

    /// The kernel takes a moment until its own bridges forward.
    fn await_path(&self) {
        let end = Instant::now() + Duration::from_secs(10);
        for (from, to) in [(0, "10.0.0.2"), (0, "fd00::2"), (2, "10.0.0.1"), (2, "fd00::2")] {
            while !self.hosts[from].attempt(&format!("ping -c 1 -W 1 {to}")).contains(" 0% packet loss") {
                assert!(Instant::now() < end, "no way to {to}");
            }
        }
    }

    /// Stops the bridge, gives what it printed, and dissects all that it sent.
    fn finish(mut self, check: impl FnOnce(&PathBuf)) -> String {
        run(&format!("kill -TERM {}", self.bridge.0.id()));
        let output = self.bridge.0.stdout.take().expect("it is piped");
        let report: String =
            BufReader::new(output).lines().map_while(Result::ok).map(|line| line + "\n").collect();
        assert!(self.bridge.0.wait().unwrap().success());
        for name in ["tap1", "tap2", "v3"] {
            dissect(&self.folder.join(format!("{name}.pcap")));
        }
        check(&self.folder);
        let _ = std::fs::remove_dir_all(&self.folder);
        report
    }
}

fn without_ipv6(device: &str) {
    std::fs::write(format!("/proc/sys/net/ipv6/conf/{device}/disable_ipv6"), "1").unwrap();
}

fn address_of(number: usize) -> String {
    format!("02:00:00:00:00:0{number}")
}

/// Gives a host its end of a veth pair; our end of it goes to a bridge of the kernel's for the TAP, but for the third's.
fn join(host: &Host, number: usize) {
    let (n, pid, address) = (number, host.pid(), address_of(number));
    run(&format!("ip link add v{n} type veth peer name eth0 address {address} netns {pid}"));
    without_ipv6(&format!("v{n}"));
    if number < 3 {
        run(&format!("ip link add br{n} type bridge"));
        without_ipv6(&format!("br{n}"));
        run(&format!("ip link set br{n} up"));
        run(&format!("ip link set v{n} master br{n}"));
    }
    run(&format!("ip link set v{n} up"));
    host.run("ip link set lo up");
    // Its offloads are left on: the third's raw socket is given segments that are together.
    host.run("ip link set eth0 up");
    host.run(&format!("ip address add 10.0.0.{n}/24 dev eth0"));
    host.run(&format!("ip address add fd00::{n}/64 dev eth0 nodad"));
}

/// How many frames of a file tshark finds by `filter`.
fn count(folder: &std::path::Path, name: &str, filter: &str) -> usize {
    let file = folder.join(format!("{name}.pcap"));
    run_as(&["tshark", "-n", "-r", &file.to_string_lossy(), "-Y", filter], false).lines().count()
}

fn assert_reached(text: &str) {
    assert!(text.contains(" 0% packet loss"), "{text}");
}

#[test]
fn every_host_reaches_every_other_and_the_bridge_and_a_third_port_sees_none_of_it() {
    let Some(bench) = Bench::new("ping") else { return };
    let [a, b, c] = &bench.hosts;
    for to in ["10.0.0.2", "fd00::2"] {
        assert_reached(&a.run(&format!("ping -c 20 -i 0.01 -s 1400 {to}")));
        assert_reached(&a.run(&format!("ping -f -c 2000 {to}")));
    }
    for host in [a, b, c] {
        assert_reached(&host.run("ping -c 3 -i 0.01 10.0.0.9"));
        assert_reached(&host.run("ping -c 3 -i 0.01 fd00::9"));
    }
    let text = a.run("arping -c 2 -I eth0 10.0.0.3");
    assert!(text.to_lowercase().contains(&address_of(3)) && text.contains("Received 2"), "{text}");
    // We answer ourselves, and who looks whether our address is taken (RFC 5227) hears of it.
    let text = a.run("arping -c 2 -I eth0 10.0.0.9");
    assert!(text.contains("02:00:00:00:00:99") && text.contains("Received 2"), "{text}");
    let text = a.attempt("arping -D -c 2 -I eth0 10.0.0.9");
    assert!(text.contains("02:00:00:00:00:99") && text.contains("Received 1"), "{text}");
    // A host answers a datagram for a closed port only if its checksum is right.
    for (from, to) in [(c, "10.0.0.1"), (c, "fd00::1"), (a, "10.0.0.3")] {
        let text = from.run(&format!("traceroute -n -q 1 -w 2 {to}"));
        let hops: Vec<_> = text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(hops, [to], "{text}");
    }
    a.run(&format!("ip neighbour replace 10.0.0.66 lladdr {BLACKHOLE} dev eth0"));
    a.attempt("ping -c 2 -i 0.1 -W 0.2 10.0.0.66");
    let report = bench.finish(|folder| {
        let [a, b] = [1, 2].map(address_of);
        let between = format!("(eth.src == {a} && eth.dst == {b}) || (eth.src == {b} && eth.dst == {a})");
        assert_eq!(count(folder, "v3", &between), 0, "what is between two hosts is no third one's");
        assert!(count(folder, "tap2", &between) > 4_000, "and it passed here");
        for name in ["tap1", "tap2", "v3"] {
            assert_eq!(count(folder, name, &format!("eth.dst == {BLACKHOLE}")), 0);
        }
    });
    for (number, port) in [(1, "tap1"), (2, "tap2"), (3, "v3")] {
        assert!(report.contains(&format!("  {} {port}, ", address_of(number))), "{report}");
    }
    assert!(report.contains(&format!("  {BLACKHOLE} nowhere")), "{report}");
    assert!(report.contains("tap1: 2 dropped: Filtered"), "{report}");
}

#[test]
fn tcp_flows_through_both_ways_over_both_families() {
    let Some(bench) = Bench::new("tcp") else { return };
    let [a, b, c] = &bench.hosts;
    let _server = b.start("iperf3 -s");
    let end = Instant::now() + Duration::from_secs(10);
    while !b.run("cat /proc/net/tcp6").contains(":1451 ") {
        assert!(Instant::now() < end, "iperf3 does not listen");
    }
    for to in ["10.0.0.2", "fd00::2"] {
        for reverse in ["", "-R"] {
            let text = a.run(&format!("iperf3 -c {to} -n 4M {reverse}"));
            assert!(text.contains("iperf Done"), "{text}");
        }
    }
    // Its checksums are completed on the way.
    let text = c.run("iperf3 -c 10.0.0.2 -n 4M");
    assert!(text.contains("iperf Done"), "{text}");
    let report = bench.finish(|folder| {
        assert_eq!(count(folder, "v3", &format!("tcp && !eth.dst == {}", address_of(3))), 0);
        assert!(count(folder, "tap2", "tcp") > 2_000);
    });
    assert!(!report.contains("dropped: TooBig") && !report.contains("dropped: DeviceBusy"), "{report}");
}
