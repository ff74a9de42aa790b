//! The example `proxy` between a kernel that wants to get somewhere, in a network namespace of its own, and the one that
//! the proxy dials with.
#![cfg(all(
    target_os = "linux",
    feature = "phy-tuntap",
    feature = "phy-sim",
    feature = "phy-pcap",
    feature = "tcp-syn-wait",
    feature = "tcp-listen-range",
    feature = "tcp-listener-settings"
))]

mod common;
#[path = "common/hosts.rs"]
mod hosts;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hosts::{Host, Running, dissect, is_ready, run};

/// Where the servers are: addresses that neither client nor proxy has.
const SERVERS: [&str; 2] = ["198.51.100.7", "2001:db8::7"];

/// The client is 10.0.1.2 and fd00:1::2; its router is the proxy. The servers are in the proxy's namespace.
struct Bench {
    client: Host,
    proxy: Running,
    folder: PathBuf,
}

impl Bench {
    /// `None` if something is missing here.
    fn new(name: &str) -> Option<Bench> {
        if !is_ready(&["ip", "nsenter", "unshare", "socat", "curl", "tshark"]) {
            return None;
        }
        let program = common::example("proxy");
        let folder = std::env::temp_dir().join(format!("goldcrest-proxy-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut proxy = Command::new(program);
        proxy.args([
            "--tap",
            "tap1",
            "--address",
            "10.0.1.1/24",
            "--address",
            "fd00:1::1/64",
            "--patience",
            "2",
        ]);
        proxy.arg("--pcap").arg(folder.join("tap1.pcap")).stdout(Stdio::piped());
        let mut proxy = Running(proxy.spawn().expect("the example runs"));
        let mut lines = BufReader::new(proxy.0.stdout.take().expect("it is piped"));
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "proxying\n");
        proxy.0.stdout = Some(lines.into_inner());
        let client = Host::new();
        join(&client);
        let bench = Bench { client, proxy, folder };
        bench.await_path();
        Some(bench)
    }

    /// The kernel takes a moment until a bridge forwards.
    fn await_path(&self) {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.client.attempt("ping -c 1 -W 1 198.51.100.7").contains(" 0% packet loss") {
            assert!(Instant::now() < end, "no way to the proxy");
        }
    }

    /// Why the client can't connect.
    fn failure(&self, to: &str) -> String {
        self.client.attempt(&format!("socat -lf /dev/stdout /dev/null {to}"))
    }

    /// Stops the proxy, gives what it printed, and dissects all that it received and sent.
    fn finish(mut self) -> String {
        run(&format!("kill -TERM {}", self.proxy.0.id()));
        let mut report = String::new();
        self.proxy.0.stdout.take().expect("it is piped").read_to_string(&mut report).unwrap();
        assert!(self.proxy.0.wait().unwrap().success());
        dissect(&self.folder.join("tap1.pcap"));
        let _ = std::fs::remove_dir_all(&self.folder);
        report
    }
}

/// Joins the client to the proxy's TAP, and gives this namespace the servers' addresses.
fn join(client: &Host) {
    let pid = client.pid();
    for line in [
        "ip link add br1 type bridge".into(),
        format!("ip link add v1 type veth peer name eth0 netns {pid}"),
        "ip link set v1 master br1 up".into(),
        "ip link set tap1 master br1".into(),
        "ip link set br1 up".into(),
        "ip link set lo up".into(),
        "ip address add 198.51.100.7/32 dev lo".into(),
        "ip address add 2001:db8::7/128 dev lo nodad".into(),
    ] {
        run(&line);
    }
    for device in ["br1", "v1", "tap1"] {
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{device}/disable_ipv6"), "1").unwrap();
    }
    for line in [
        "ip link set lo up",
        "ip link set eth0 up",
        "ip address add 10.0.1.2/24 dev eth0",
        "ip address add fd00:1::2/64 dev eth0 nodad",
        "ip route add default via 10.0.1.1",
        "ip -6 route add default via fd00:1::1",
        // What devices are said to have left undone, a dissector takes for faults.
        "ethtool -K eth0 tx off",
    ] {
        client.attempt(line);
    }
}

/// In brackets if it needs some.
fn host(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.into() }
}

/// Sends back what it gets, and ends when the client does.
fn echo(mut stream: TcpStream) {
    let mut data = Vec::new();
    stream.read_to_end(&mut data).unwrap();
    stream.write_all(&data).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
}

/// Answers a request.
fn serve(mut stream: TcpStream) {
    let mut request = [0; 4];
    stream.read_exact(&mut request).unwrap();
    assert_eq!(&request, b"GET ");
    stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhere").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let _ = stream.read_to_end(&mut Vec::new()); // the client closes as it likes
}

#[test]
fn what_goes_through_comes_back_as_it_was() {
    let Some(bench) = Bench::new("echo") else { return };
    let [given, got] = ["given", "got"].map(|name| bench.folder.join(name));
    let mut data = vec![0; 10_000_000];
    getrandom::fill(&mut data).unwrap();
    std::fs::write(&given, &data).unwrap();
    for (address, port) in [(SERVERS[0], 4_242), (SERVERS[1], 65_535)] {
        let server = TcpListener::bind(format!("{}:{port}", host(address))).unwrap();
        let serving = std::thread::spawn(move || echo(server.accept().unwrap().0));
        let to = if address.contains(':') { "TCP6" } else { "TCP4" };
        let (given, got) = (given.display(), got.display());
        let pipe = format!("OPEN:{given},rdonly!!OPEN:{got},wronly,creat,trunc");
        bench.client.run(&format!("socat -t 60 {pipe} {to}:{}:{port}", host(address)));
        serving.join().unwrap();
        assert!(std::fs::read(bench.folder.join("got")).unwrap() == data, "by way of {address}");
    }
    let report = bench.finish();
    assert_eq!(report, "2 connections accepted, 0 refused\n");
}

#[test]
fn who_is_refused_there_is_refused_here_and_others_are_served_meanwhile() {
    let Some(bench) = Bench::new("refused") else { return };
    // Where nobody listens, and where no way leads.
    for to in ["TCP4:198.51.100.7:4243", "TCP6:[2001:db8::7]:4243", "TCP4:203.0.113.9:80"] {
        let text = bench.failure(to);
        assert!(text.contains("Connection refused"), "{to}: {text}");
    }
    const CLIENTS: usize = 20;
    let server = TcpListener::bind("198.51.100.7:80").unwrap();
    let serving =
        std::thread::spawn(move || server.incoming().take(CLIENTS).for_each(|stream| serve(stream.unwrap())));
    let curl = || bench.client.start("curl -s -S -f -m 30 http://198.51.100.7/");
    let clients: Vec<_> = std::iter::repeat_with(curl).take(CLIENTS).collect();
    assert!(bench.failure("TCP4:198.51.100.7:4243").contains("Connection refused"));
    for mut client in clients {
        assert!(client.0.wait().unwrap().success());
    }
    serving.join().unwrap();
    assert_eq!(bench.finish(), "20 connections accepted, 4 refused\n");
}
