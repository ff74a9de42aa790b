//! The examples `server` and `client` with real programs, each test in a network namespace of its own: curl,
//! ab, wrk, nmap and a client that takes its time; tshark looks at every frame, and where there are very many at
//! one of some.
//!
//! What can't be run here is skipped by name, but fails with `CI=true`.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-pcap", feature = "app-http"))]

mod common;
#[path = "common/nmap.rs"]
mod nmap;
#[path = "common/thin_out.rs"]
mod thin_out;
#[path = "common/tshark.rs"]
mod tshark;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::skip;
use goldcrest::phy::unshare_network;
use thin_out::thin_out;
use tshark::{FAULTS, found};

const V4: &str = "192.168.69.2";
const V6: &str = "[fd00:69::2]";

/// A program that is stopped when the test is over, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server, and the file in which it notes all frames.
struct Server {
    program: Running,
    pcap: PathBuf,
}

impl Server {
    /// Starts it in a network of this thread's own; `None` if that can't be.
    fn start(name: &str, arguments: &[&str]) -> Option<Server> {
        let program = common::example("server");
        if let Err(error) = unshare_network() {
            skip(&error.to_string());
            return None;
        }
        if fs::metadata("/dev/net/tun").is_err() {
            skip("no /dev/net/tun");
            return None;
        }
        let pcap = std::env::temp_dir().join(format!("goldcrest-{name}-{}.pcap", std::process::id()));
        let mut command = Command::new(program);
        command.arg("--pcap").arg(&pcap).args(arguments).stdout(Stdio::piped());
        let mut program = Running(command.spawn().unwrap());
        let mut line = [0; 8];
        program.0.stdout.as_mut().unwrap().read_exact(&mut line).expect("it says that it is serving");
        assert_eq!(&line, b"serving\n");
        Some(Server { program, pcap })
    }

    /// Ends it as a user would, and gives the counters that it prints.
    fn stop(mut self) -> String {
        let id = self.program.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut text = String::new();
        self.program.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.program.0.wait().unwrap().success(), "{text}");
        text
    }

    /// Every frame that the server sent is right, says tshark.
    fn stop_and_dissect(self) -> String {
        let pcap = self.pcap.clone();
        let text = self.stop();
        if let Some(sent) = dissect(&pcap) {
            assert!(text.contains(&format!("frames sent {sent}, ")), "{sent} frames dissected\n{text}");
        }
        text
    }

    /// The same of about `count` of the frames, from beginning to end.
    fn stop_and_dissect_some(self, count: usize) -> String {
        let pcap = self.pcap.clone();
        let text = self.stop();
        thin_out(&pcap, count);
        dissect(&pcap).inspect(|&sent| assert!(sent > count / 10, "{sent} of {count} frames are ours"));
        text
    }
}

/// Every frame that we sent is right, says tshark. How many there are; the file is removed.
fn dissect(pcap: &Path) -> Option<usize> {
    let is_dissected = has("tshark");
    // By its hardware address: what the kernel quotes in its ICMP errors has our IP address too.
    let ours = "eth.src == 02:00:00:00:00:02";
    let sent = is_dissected.then(|| found(pcap, ours));
    if is_dissected {
        let sound = "(arp || icmp.checksum.status == 1 || icmpv6.checksum.status == 1 || \
            tcp.checksum.status == 1 || udp.checksum.status == 1)";
        assert_eq!(
            Some(found(pcap, &format!("{ours} && {sound} && (!ip || ip.checksum.status == 1)"))),
            sent
        );
        let faults = FAULTS.map(|fault| format!("({fault})")).join(" || ");
        assert_eq!(found(pcap, &format!("{ours} && ({faults})")), 0);
    }
    fs::remove_file(pcap).unwrap();
    sent
}

/// Whether a program is there; if not, says so.
fn has(program: &str) -> bool {
    let is_there = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", program]).status();
    let is_there = is_there.is_ok_and(|status| status.success());
    if !is_there {
        skip(&format!("{program} is not installed"));
    }
    is_there
}

/// What a program prints; it must succeed.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn curl(arguments: &[&str]) -> String {
    output("curl", &[&["-sS", "-g", "--max-time", "20"][..], arguments].concat())
}

fn connect(port: u16) -> TcpStream {
    let stream =
        TcpStream::connect_timeout(&SocketAddr::new(V4.parse().unwrap(), port), Duration::from_secs(5));
    let stream = stream.unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test http")]
fn curl_gets_puts_and_posts_over_both_families() {
    let Some(server) = Server::start("curl", &[]) else { return };
    if !has("curl") {
        return;
    }
    let file = server.pcap.with_extension("upload");
    fs::write(&file, vec![b'u'; 3_000_000]).unwrap();
    let path = file.to_str().unwrap();
    for host in [V4, V6] {
        let url = |path: &str| format!("http://{host}{path}");
        assert!(curl(&[&url("/")]).contains("It works"));
        let head = curl(&["-I", &url("/")]);
        assert!(head.contains("200 OK") && head.contains("ETag: \"index-1\""), "{head}");
        assert_eq!(curl(&["-r", "2-9", &url("/")]), "doctype ");
        let parts = curl(&["-r", "-8", "-D", "-", "-o", "/dev/null", &url("/")]);
        assert!(parts.starts_with("HTTP/1.1 206 ") && parts.contains("Content-Range: bytes "), "{parts}");
        let code = |more: &[&str]| curl(&[&["-o", "/dev/null", "-w", "%{http_code}"], more].concat());
        assert_eq!(code(&["-H", "If-None-Match: \"index-1\"", &url("/")]), "304");
        assert_eq!(code(&["-H", "If-Match: \"other\"", &url("/")]), "412");
        assert_eq!(code(&["-r", "99999-", &url("/")]), "416");
        assert_eq!(code(&[&url("/nothing")]), "404");
        assert_eq!(code(&["-X", "PUT", "-d", "x", &url("/")]), "405");
        assert_eq!(code(&["-X", "BREW", &url("/")]), "501");
        assert_eq!(code(&["--path-as-is", &url("/../../etc/passwd")]), "400");
        assert_eq!(code(&["--http1.0", &url("/lines/10")]), "200");
        assert_eq!(curl(&[&url("/bytes/2000000")]).len(), 2_000_000);
        assert_eq!(curl(&[&url("/lines/20000")]).len(), 20_000 * 74);
        // curl waits for 100 Continue with a body this long.
        let whole = curl(&["-T", path, &url("/upload/")]);
        assert!(whole.starts_with("3000000 octets, XXH3 "), "{whole}");
        assert_eq!(curl(&["-T", path, "-H", "Transfer-Encoding: chunked", &url("/upload/a")]), whole);
        assert_eq!(curl(&["--data-binary", &format!("@{path}"), &url("/upload/b")]), whole);
        let words =
            curl(&["-v", "--stderr", "-", "-T", path, "-H", "Expect: 100-continue", &url("/upload/c")]);
        assert!(words.contains("100 Continue"), "{words}");
        // Several on one connection.
        let both =
            curl(&["-w", "%{num_connects} ", "-o", "/dev/null", &url("/"), "-o", "/dev/null", &url("/")]);
        assert_eq!(both, "1 0 ");
        assert!(curl(&[&url("/status")]).contains("HTTP requests "));
    }
    fs::remove_file(file).unwrap();
    println!("{}", server.stop_and_dissect());
}

/// The file comes from where it lies, by way of 384 octets; frames get lost.
#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test http")]
fn curl_gets_ten_megabytes_from_a_server_with_kilobytes() {
    let arguments = ["--small", "--loss", "0.5", "--fault-seed", "7"];
    let Some(server) = Server::start("flash", &arguments) else { return };
    if !has("curl") {
        return;
    }
    let url = format!("http://{V4}/flash");
    let file = server.pcap.with_extension("flash");
    let path = file.to_str().unwrap();
    curl(&["-o", path, &url]);
    let got = fs::read(&file).unwrap();
    let sent = (0..10_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
    assert!(got.iter().copied().eq(sent), "{} octets came", got.len());
    curl(&["-r", "1000000-1999999", "-o", path, &url]);
    assert!(fs::read(&file).unwrap() == got[1_000_000..2_000_000]);
    fs::remove_file(file).unwrap();
    println!("{}", server.stop_and_dissect_some(10_000));
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test http")]
fn pipelined_requests_are_answered_in_their_order() {
    let Some(server) = Server::start("pipelined", &[]) else { return };
    let mut stream = connect(80);
    let requests: String =
        (1..=500).map(|number| format!("GET /bytes/{number} HTTP/1.1\r\nHost: x\r\n\r\n")).collect();
    let mut writer = stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        writer.write_all(requests.as_bytes()).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    writing.join().unwrap();
    let heads = text.split("HTTP/1.1 200 OK\r\n").skip(1);
    assert_eq!(heads.clone().count(), 500);
    for (response, number) in heads.zip(1_usize..) {
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {number}")), "{head}");
        assert_eq!(body.len(), number);
    }
    server.stop_and_dissect();
}

/// The number in ab's line that begins with `name`.
fn number_of(text: &str, name: &str) -> u32 {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
    line[name.len()..].trim().parse().unwrap()
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test http")]
fn no_request_of_ab_or_wrk_fails() {
    let Some(server) = Server::start("load", &["--connections", "600"]) else { return };
    if !has("ab") || !has("wrk") {
        return;
    }
    let (url, url_v6) = (format!("http://{V4}/"), format!("http://{V6}/"));
    // All of them only where the server is as fast as it can be.
    let requests = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
    let count = requests.to_string();
    for arguments in [
        &["-c", "1", &url][..],
        &["-c", "500", "-k", &url],
        &["-c", "500", &url],
        &["-c", "8", "-k", &url_v6],
        &["-c", "500", &url_v6],
    ] {
        let text = output("ab", &[&["-q", "-s", "20", "-n", &count], arguments].concat());
        assert_eq!(number_of(&text, "Complete requests:"), requests, "{text}");
        assert_eq!(number_of(&text, "Failed requests:"), 0, "{text}");
        assert!(!text.contains("Non-2xx"), "{text}");
        let line = |name| text.lines().find(|line: &&str| line.starts_with(name)).unwrap_or_default();
        println!("ab {arguments:?}: {}", line("Requests per second"));
    }
    for url in [url, url_v6] {
        let text = output("wrk", &["-c", "500", "-t", "2", "-d", "2s", "--timeout", "10s", &url]);
        assert!(!text.contains("Socket errors") && !text.contains("Non-2xx"), "{text}");
        println!("{text}");
    }
    println!("{}", server.stop_and_dissect_some(20_000));
}

/// What nmap finds in a scan like this.
fn scan(host: &str, how: &str) -> String {
    let family = if host == V6 { "-6" } else { "-4" };
    let arguments = ["-n", "-Pn", "-oG", "-", family].into_iter().chain(how.split(' '));
    let host = host.trim_matches(['[', ']']);
    nmap::states(&output("nmap", &arguments.chain([host]).collect::<Vec<_>>()))
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test http")]
fn nmap_finds_what_there_is_and_its_scans_leave_the_server_at_work() {
    let Some(server) = Server::start("nmap", &[]) else { return };
    if !has("nmap") || !has("curl") || !has("arping") {
        return;
    }
    for host in [V4, V6] {
        let scan = |how| scan(host, how);
        assert_eq!(scan("-sS -p 1-200"), "closed 196, open 4");
        // RFC 9293 §3.10.7: a reset answers an ACK at any port, and the others where nobody listens.
        assert_eq!(scan("-sA -p 1-100"), "unfiltered 100");
        for how in ["-sF -p 1-100", "-sN -p 1-100", "-sX -p 1-100"] {
            assert_eq!(scan(how), "closed 96, open|filtered 4", "{how}");
        }
        // Discard answers nothing, and where nobody listens an error comes.
        assert_eq!(scan("-sU -p 7,9,19,20"), "closed 1, open 2, open|filtered 1");
        assert_eq!(scan("-O --max-os-tries 1 -p 7,20"), "closed 1, open 1");
    }
    // IGMP hears us and need not answer; over IPv6 it is nobody's protocol, like that of IPv4's ICMP.
    assert_eq!(scan(V4, "-sO -p 1,2,6,17,47,58,253"), "closed 3, open 3, open|filtered 1");
    assert_eq!(scan(V6, "-sO -p 1,2,6,17,47,58,253"), "closed 4, open 3");
    // In fragments of 8 octets, of which the first has not the whole TCP header (RFC 1858); nmap has none for IPv6.
    assert_eq!(scan(V4, "-sS -f -p 7-9"), "filtered 3");
    let text = output("arping", &["-c", "2", "-I", "tap0", V4]);
    assert!(text.to_lowercase().contains("[02:00:00:00:00:02]") && text.contains("Received 2 "), "{text}");
    let text = output("nmap", &["-n", "-Pn", "-sV", "--version-light", "-p", "7,80", V4]);
    assert!(text.contains("http"), "{text}");
    assert!(curl(&[&format!("http://{V4}/")]).contains("It works"));
    println!("{}", server.stop_and_dissect());
}

/// Sends a head octet by octet, far too slowly, on 50 connections; says how many were cut off, and how.
const LORIS: &str = r#"
import socket, sys, time
streams = [socket.create_connection((sys.argv[1], 80), 10) for _ in range(50)]
begin, answers = time.time(), []
for octet in b"GET / HTTP/1.1\r\n":
    for stream in streams:
        try: stream.send(bytes([octet]))
        except OSError: pass
    time.sleep(0.25)
for stream in streams:
    stream.settimeout(5)
    answer = b""
    try:
        while piece := stream.recv(4096): answer += piece
    except ConnectionResetError: pass
    answers.append(answer.split(b"\r\n")[0])
print(answers.count(b"HTTP/1.1 408 Request Timeout"))
"#;

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test http")]
fn a_client_that_takes_its_time_is_cut_off_and_others_are_served() {
    let arguments = ["--patience", "2", "--connections", "60"];
    let Some(server) = Server::start("loris", &arguments) else { return };
    if !has("python3") || !has("curl") {
        return;
    }
    let loris = Command::new("python3").args(["-c", LORIS, V4]).stdout(Stdio::piped()).spawn().unwrap();
    let mut loris = Running(loris);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        assert!(curl(&[&format!("http://{V4}/")]).contains("It works"));
    }
    let mut cut = String::new();
    loris.0.stdout.take().unwrap().read_to_string(&mut cut).unwrap();
    assert_eq!(cut.trim(), "50");
    let text = server.stop_and_dissect();
    assert!(text.contains("too slow 50\n"), "{text}");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test http")]
fn echo_discard_and_chargen_answer_over_tcp_and_udp() {
    let Some(server) = Server::start("small", &[]) else { return };
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut stream = connect(7);
    let (mut writer, sent) = (stream.try_clone().unwrap(), data.clone());
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut echoed = Vec::new();
    stream.read_to_end(&mut echoed).unwrap();
    writing.join().unwrap();
    assert!(echoed == data);
    let mut stream = connect(9);
    stream.write_all(&data).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
    let mut lines = [0; 74 * 100];
    connect(19).read_exact(&mut lines).unwrap();
    assert_eq!((&lines[..4], &lines[71..78]), (&b" !\"#"[..], &b"g\r\n!\"#$"[..]));
    let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut buffer = [0; 2_000];
    for (port, answer) in [(7, &b"echo!"[..]), (19, b" !\"#$")] {
        socket.send_to(b"echo!", (V4, port)).unwrap();
        let (len, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from.port()), (answer, port));
    }
    // A service's port gets none: two of them would never stop.
    let service = UdpSocket::bind(("0.0.0.0", 9)).unwrap();
    service.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    service.send_to(b"echo!", (V4, 7)).unwrap();
    assert_eq!(service.recv_from(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    server.stop_and_dissect();
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test http")]
fn the_client_fetches_echoes_and_discards_at_the_kernels_servers() {
    let program = common::example("client");
    if let Err(error) = unshare_network() {
        return skip(&error.to_string());
    }
    if fs::metadata("/dev/net/tun").is_err() || !has("socat") || !has("python3") {
        return skip("no /dev/net/tun, socat or python3");
    }
    let spawn = |program: &str, arguments: &[&str]| {
        Running(Command::new(program).args(arguments).stderr(Stdio::null()).spawn().unwrap())
    };
    let folder = std::env::temp_dir().join(format!("goldcrest-client-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let page: Vec<u8> = (0..2_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(folder.join("page"), &page).unwrap();
    let _servers = [
        spawn("socat", &["TCP6-LISTEN:7,fork,reuseaddr,ipv6only=0", "EXEC:cat"]),
        spawn("socat", &["-u", "TCP6-LISTEN:9,fork,reuseaddr,ipv6only=0", "OPEN:/dev/null"]),
        spawn("socat", &["UDP6-RECVFROM:7,fork,reuseaddr,ipv6only=0", "EXEC:cat"]),
        spawn(
            "python3",
            &["-m", "http.server", "--bind", "::", "--directory", folder.to_str().unwrap(), "8000"],
        ),
    ];
    let pcap = folder.join("client.pcap");
    let client = |arguments: &[&str]| {
        // The servers need a moment to begin, and until then refuse.
        for _ in 0..50 {
            let output = Command::new(&program).arg("--pcap").arg(&pcap).args(arguments).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() {
                thin_out(&pcap, 2_000);
                dissect(&pcap);
                return (output.stdout, errors);
            }
            assert!(
                errors.contains("refused") || errors.contains("Port unreachable"),
                "{arguments:?}: {errors}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the kernel's servers do not begin");
    };
    for host in ["192.168.69.1", "[fd00:69::1]"] {
        let (body, head) = client(&["get", &format!("http://{host}:8000/page")]);
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && body == page, "{head}");
        let (text, _) = client(&["echo", host]);
        assert!(String::from_utf8_lossy(&text).contains("1000000 octets in "));
        let (text, _) = client(&["discard", host, "--octets", "10000000"]);
        println!("{}", String::from_utf8_lossy(&text));
        assert!(String::from_utf8_lossy(&text).contains("sent 10000000 octets in "));
        let (text, _) = client(&["echo", "--udp", host, "--octets", "20000"]);
        assert!(String::from_utf8_lossy(&text).contains("datagrams: 20000 octets in "));
    }
    let refused = Command::new(&program).args(["echo", "192.168.69.1:1"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("connection refused"));
    let refused = Command::new(&program)
        .args(["discard", "--udp", "192.168.69.1:1", "--octets", "1"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && errors.contains("Port unreachable, says 192.168.69.1"), "{errors}");
    fs::remove_dir_all(folder).unwrap();
}

/// Both are ours, with the kernel as the router between their TAPs.
#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test http")]
fn the_client_uses_each_small_service_of_the_server() {
    let program = common::example("client");
    let routers = ["--gateway", "192.168.69.1", "--gateway", "fd00:69::1"];
    let Some(server) = Server::start("services", &routers) else { return };
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
    for host in ["192.168.69.2", "fd00:69::2"] {
        for (service, said) in [
            (&["echo"][..], "echoed 300000 octets in "),
            (&["discard"], "sent 300000 octets in "),
            (&["chargen"], "received 3"),
            (&["echo", "--udp"], "datagrams: 300000 octets in "),
            (&["discard", "--udp"], "datagrams: 300000 octets in "),
            (&["chargen", "--udp"], "datagrams: 300000 octets in "),
        ] {
            let mut client = Command::new(&program);
            client.args(["--tap", "tap1", "--address", "192.168.70.2/24", "--address", "fd00:70::2/64"]);
            client.args(["--kernel-address", "192.168.70.1/24", "--kernel-address", "fd00:70::1/64"]);
            client.args(["--gateway", "192.168.70.1", "--gateway", "fd00:70::1"]);
            let output = client.args(service).args([host, "--octets", "300000"]).output().unwrap();
            let (text, errors) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success() && text.contains(said), "{service:?} {host}: {text}{errors}");
        }
    }
    server.stop_and_dissect_some(5_000);
}
