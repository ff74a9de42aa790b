//! The example `router` between two kernels, each a host in a network namespace of its own.
//!
//! The router's namespace has the TAPs, and for each a bridge that joins it to a host by a veth pair. Every frame
//! that the router sends is dissected by tshark in the end.
#![cfg(all(target_os = "linux", feature = "phy-tuntap"))]

mod common;
#[path = "common/hosts.rs"]
mod hosts;
#[path = "common/nmap.rs"]
mod nmap;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hosts::{Host, Running, dissect, is_ready, run};

/// The router and its two hosts: 10.0.1.2 and fd00:1::2, 10.0.2.2 and fd00:2::2.
struct Bench {
    hosts: [Host; 2],
    router: Running,
    folder: PathBuf,
}

impl Bench {
    /// With this MTU on the second link; `None` if something is missing here.
    fn new(name: &str, mtu: u32) -> Option<Bench> {
        if !is_ready(&[
            "ip",
            "ping",
            "nsenter",
            "unshare",
            "tshark",
            "traceroute",
            "mtr",
            "iperf3",
            "nmap",
            "arping",
        ]) {
            return None;
        }
        let program = common::example("router");
        let folder = std::env::temp_dir().join(format!("goldcrest-router-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut router = Command::new(program);
        router.args(["--port", "tap1=10.0.1.1/24,fd00:1::1/64", "--port", "tap2=10.0.2.1/24,fd00:2::1/64"]);
        router.args(["--mtu", &format!("tap2={mtu}"), "--capture"]).arg(&folder).stdout(Stdio::piped());
        let mut router = Running(router.spawn().expect("the example runs"));
        let mut lines = BufReader::new(router.0.stdout.take().expect("it is piped"));
        for _ in 0..2 {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            assert!(line.starts_with("tap"), "{line}");
        }
        router.0.stdout = Some(lines.into_inner());
        let hosts = [Host::new(), Host::new()];
        for (number, mtu) in [(1, 1_500), (2, mtu)] {
            connect(&hosts[number - 1], number, mtu);
        }
        let bench = Bench { hosts, router, folder };
        bench.await_path();
        Some(bench)
    }

    /// The kernel takes a moment until a bridge forwards.
    fn await_path(&self) {
        let end = Instant::now() + Duration::from_secs(10);
        for to in ["10.0.2.2", "fd00:2::2"] {
            while !self.hosts[0].attempt(&format!("ping -c 1 -W 1 {to}")).contains(" 0% packet loss") {
                assert!(Instant::now() < end, "no way to {to}");
            }
        }
    }

    /// Stops the router, gives what it printed, and dissects all that it sent.
    fn finish(mut self) -> String {
        run(&format!("kill -TERM {}", self.router.0.id()));
        let mut report = String::new();
        let output = self.router.0.stdout.take().expect("it is piped");
        BufReader::new(output).lines().map_while(Result::ok).for_each(|line| report += &(line + "\n"));
        assert!(self.router.0.wait().unwrap().success());
        for name in ["tap1", "tap2"] {
            dissect(&self.folder.join(format!("{name}.pcap")));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
        report
    }
}

/// Joins a host to the router's TAP of this number.
fn connect(host: &Host, number: usize, mtu: u32) {
    let (n, pid) = (number, host.pid());
    for line in [
        format!("ip link add br{n} type bridge"),
        format!("ip link add v{n} type veth peer name eth0 netns {pid}"),
        format!("ip link set v{n} mtu {mtu} master br{n} up"),
        format!("ip link set tap{n} master br{n}"),
        format!("ip link set br{n} mtu {mtu} up"),
    ] {
        run(&line);
    }
    for device in ["br", "v", "tap"] {
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{device}{n}/disable_ipv6"), "1").unwrap();
    }
    for line in [
        "ip link set lo up".into(),
        format!("ip link set eth0 mtu {mtu} up"),
        format!("ip address add 10.0.{n}.2/24 dev eth0"),
        format!("ip address add fd00:{n}::2/64 dev eth0 nodad"),
        format!("ip route add default via 10.0.{n}.1"),
        format!("ip -6 route add default via fd00:{n}::1"),
    ] {
        host.run(&line);
    }
}

#[test]
fn ping_traceroute_and_mtr_see_one_router_between_the_hosts() {
    let Some(bench) = Bench::new("trace", 1_500) else { return };
    let host = &bench.hosts[0];
    for (to, hop) in [("10.0.2.2", "10.0.1.1"), ("fd00:2::2", "fd00:1::1")] {
        let text = host.run(&format!("ping -c 20 -i 0.01 -s 1400 {to}"));
        assert!(text.contains(" 0% packet loss"), "{text}");
        let text = host.run(&format!("ping -f -c 2000 {to}"));
        assert!(text.contains(" 0% packet loss"), "{text}");
        let text = host.run(&format!("ping -c 1 {hop}"));
        assert!(text.contains(" 0% packet loss"), "{text}");
        let family = if to.contains(':') { "-6" } else { "-4" };
        let text = host.run(&format!("traceroute {family} -n -q 1 -w 2 {to}"));
        let hops: Vec<_> = text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(hops, [hop, to], "{text}");
        let text = host.run(&format!("mtr {family} -n -r -c 3 -i 0.2 {to}"));
        assert!(text.contains(hop) && text.contains(to) && !text.contains("???"), "{text}");
    }
    let text = host.run("arping -c 2 -I eth0 10.0.1.1");
    assert!(text.contains("Received 2"), "{text}");
    // It does not answer for those behind it.
    let text = host.attempt("arping -c 1 -w 1 -I eth0 10.0.2.2");
    assert!(text.contains("Received 0"), "{text}");
    let text = host.attempt("ping -c 1 -W 1 192.0.2.1");
    assert!(text.contains("From 10.0.1.1") && text.contains("Net Unreachable"), "{text}");
    let text = host.attempt("ping -c 1 -W 5 10.0.2.99");
    assert!(text.contains("Host Unreachable"), "{text}");
    let text = host.attempt("ping -c 1 -W 5 fd00:2::99");
    assert!(text.contains("Address unreachable"), "{text}");
    let report = bench.finish();
    assert!(report.contains("packets forwarded") && report.contains("dropped: HopLimit"), "{report}");
}

#[test]
fn tcp_flows_through_both_ways_and_learns_the_mtu() {
    let Some(bench) = Bench::new("mtu", 1_300) else { return };
    let [a, b] = &bench.hosts;
    let _server = b.start("iperf3 -s");
    let end = Instant::now() + Duration::from_secs(10);
    while !b.run("cat /proc/net/tcp6").contains(":1451 ") {
        assert!(Instant::now() < end, "iperf3 does not listen");
    }
    for to in ["10.0.2.2", "fd00:2::2"] {
        for reverse in ["", "-R"] {
            let text = a.run(&format!("iperf3 -c {to} -n 20M {reverse}"));
            assert!(text.contains("iperf Done"), "{text}");
        }
    }
    // PMTU discovery works for what TCP's MSS says nothing of, too.
    a.attempt("ping -c 1 -W 1 -M do -s 1400 10.0.2.2");
    a.attempt("ping -c 1 -W 1 -M do -s 1400 fd00:2::2");
    let text = a.run("ip route get 10.0.2.2");
    assert!(text.contains("mtu 1300"), "{text}");
    let text = a.run("ip -6 route get fd00:2::2");
    assert!(text.contains("mtu 1300"), "{text}");
    let report = bench.finish();
    assert!(report.contains("dropped: TooBig"), "{report}");
}

/// One of the kernel's counters of IPv4 packets.
fn ip_counter(host: &Host, name: &str) -> u64 {
    let text = host.run("cat /proc/net/snmp");
    let mut lines = text.lines().filter(|line| line.starts_with("Ip:")).map(str::split_whitespace);
    let (mut names, mut values) = (lines.next().unwrap(), lines.next().unwrap());
    let place = names.position(|field| field == name).unwrap();
    values.nth(place).unwrap().parse().unwrap()
}

/// Covers: RFC 791 §3.2, RFC 1812 §4.2.2.7, RFC 1191 §4
#[test]
fn an_ipv4_packet_is_cut_on_its_way_unless_it_may_not_be() {
    let Some(bench) = Bench::new("cut", 1_300) else { return };
    let [a, b] = &bench.hosts;
    let counts = || [ip_counter(a, "FragCreates"), ip_counter(b, "ReasmReqds"), ip_counter(b, "ReasmOKs")];
    // Whole on the first link: in two by us. In four on the first: three of them in two by us.
    for (len, created, pieces) in [(1_400, 0, 2), (5_000, 4, 7)] {
        let before = counts();
        // Linux compares the data of each reply with what it has sent.
        let text = a.run(&format!("ping -c 10 -i 0.02 -W 5 -M dont -s {len} 10.0.2.2"));
        assert!(text.contains(" 0% packet loss") && !text.contains("wrong data byte"), "{text}");
        let after = counts();
        let moved = [0, 1, 2].map(|i| after[i] - before[i]);
        assert_eq!(moved, [10 * created, 10 * pieces, 10], "{len} octets");
    }
    let text = a.attempt("ping -c 1 -W 2 -M do -s 1400 10.0.2.2");
    assert!(text.contains("From 10.0.1.1") && text.contains("mtu = 1300"), "{text}");
    let report = bench.finish();
    assert!(report.contains("dropped: TooBig"), "{report}");
}

#[test]
fn scans_through_and_of_the_router_do_not_disturb_it() {
    let Some(bench) = Bench::new("scan", 1_500) else { return };
    let a = &bench.hosts[0];
    // The kernel beyond it and the router itself: nobody listens at either, and both say so.
    for to in ["10.0.2.2", "10.0.1.1", "fd00:2::2", "fd00:1::1"] {
        let family = if to.contains(':') { "-6" } else { "-4" };
        let scan = |how: &str| nmap::states(&a.run(&format!("nmap {family} -n -Pn -T4 -oG - {how} {to}")));
        assert_eq!(scan("-sS -F"), "closed 100", "{to}");
        assert_eq!(scan("-sA -p 1-30"), "unfiltered 30", "{to}");
        assert_eq!(scan("-sF -p 1-30"), "closed 30", "{to}");
        assert_eq!(scan("-O --max-os-tries 1 -p 1-30"), "closed 30", "{to}");
        // No more than either sends errors at once.
        assert_eq!(scan("-sU -p 1-4"), "closed 4", "{to}");
        let icmp = if to.contains(':') { 58 } else { 1 };
        assert_eq!(scan(&format!("-sO -p {icmp},6,17,253")), "closed 1, open 3", "{to}");
    }
    // In fragments of 8 octets, which nmap has for IPv4 alone: the kernel puts them together, and we don't where the first
    // has not the whole TCP header (RFC 1858).
    for (to, found) in [("10.0.2.2", "closed 10"), ("10.0.1.1", "filtered 10")] {
        let text = a.run(&format!("nmap -n -Pn -T4 -oG - -sS -f -p 1-10 {to}"));
        assert_eq!(nmap::states(&text), found, "{to}");
    }
    bench.await_path();
    bench.finish();
}
