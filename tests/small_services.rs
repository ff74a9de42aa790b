//! The small services of the examples `server` and `client`: echo, discard, chargen, and fetching a page, each test in a network
//! namespace of its own, at the kernel's programs and at each other; tshark looks at the frames.
//!
//! What can't be run here is skipped by name, but fails with `CI=true`.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-pcap", feature = "app-http"))]

mod common;
#[path = "common/example_server.rs"]
mod example_server;
#[path = "common/thin_out.rs"]
mod thin_out;
#[path = "common/tshark.rs"]
mod tshark;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::skip;
use example_server::{Running, Server, V4, connect, dissect, has};
use goldcrest::phy::unshare_network;
use thin_out::thin_out;

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test small_services")]
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
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test small_services")]
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
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test small_services")]
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
