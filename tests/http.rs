//! The examples `server` and `client` with real programs, each test in a network namespace of its own: curl,
//! ab, wrk, nmap and a client that takes its time; tshark looks at every frame, and where there are very many at
//! one of some.
//!
//! What can't be run here is skipped by name, but fails with `CI=true`.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-pcap", feature = "app-http"))]

mod common;
#[path = "common/example_server.rs"]
mod example_server;
#[path = "common/nmap.rs"]
mod nmap;
#[path = "common/thin_out.rs"]
mod thin_out;
#[path = "common/tshark.rs"]
mod tshark;

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use example_server::{Running, Server, V4, connect, has};

const V6: &str = "[fd00:69::2]";

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
