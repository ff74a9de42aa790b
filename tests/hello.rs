//! The smallest examples: `hello`, which the README shows, and whom the kernel greets; and `loopback`, which talks to
//! itself, and so has nothing for tshark to look at.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-raw", feature = "phy-pcap"))]

mod common;
#[path = "common/tshark.rs"]
mod tshark;

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::skip;
use goldcrest::phy::{
    Device, Medium, PcapMode, PcapOptions, PcapWriter, RawSocket, RxToken, unshare_network, wait,
};
use goldcrest::time;
use tshark::{FAULTS, found};

/// Stopped when the test is over, however it ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_kernel_is_greeted_each_time_it_connects() {
    let program = common::example("hello");
    if let Err(error) = unshare_network() {
        return skip(&error.to_string());
    }
    if std::fs::metadata("/dev/net/tun").is_err() {
        return skip("no /dev/net/tun");
    }
    let _server = Server(Command::new(program).spawn().unwrap());
    drop(connect());
    let pcap = std::env::temp_dir().join(format!("goldcrest-hello-{}.pcap", std::process::id()));
    let (file, stop) = (File::create(&pcap).unwrap(), Arc::new(AtomicBool::new(false)));
    let tap = RawSocket::new("tap0", Medium::Ethernet).unwrap();
    let stopped = Arc::clone(&stop);
    let listener = thread::spawn(move || listen(tap, file, &stopped));
    for _ in 0..20 {
        let mut text = String::new();
        connect().read_to_string(&mut text).unwrap();
        assert_eq!(text, "Hello from Goldcrest\n");
    }
    stop.store(true, Ordering::Relaxed);
    listener.join().unwrap();
    dissect(&pcap);
}

/// Notes what the kernel gets by the TAP, which is what the program sends, each checksum complete.
fn listen(tap: RawSocket, file: File, stop: &AtomicBool) {
    let options = PcapOptions { mode: PcapMode::RxOnly, ..PcapOptions::default() };
    let mut tap = PcapWriter::with_options(tap, file, options).unwrap();
    while !stop.load(Ordering::Relaxed) {
        while let Some((rx, _)) = tap.receive(time::Instant::now()) {
            rx.consume(|_| ());
        }
        wait(tap.as_raw_fd(), Some(time::Duration::from_millis(5))).unwrap();
    }
}

fn dissect(pcap: &Path) {
    if Command::new("tshark").arg("--version").output().is_err() {
        return skip("not installed: tshark");
    }
    let ours = "eth.src == 02:00:00:00:00:02";
    // Of each connection a SYN-ACK, and the greeting with a FIN.
    assert!(found(pcap, &format!("{ours} && tcp.checksum.status == 1")) >= 40);
    assert_eq!(found(pcap, &format!("{ours} && tcp && !(tcp.checksum.status == 1)")), 0);
    let faults = FAULTS.map(|fault| format!("({fault})")).join(" || ");
    assert_eq!(found(pcap, &format!("{ours} && ({faults})")), 0);
    fs::remove_file(pcap).unwrap();
}

#[cfg(all(feature = "phy-loopback", feature = "phy-tracer"))]
#[test]
fn two_sockets_of_one_stack_talk_over_the_loopback_device() {
    let program = common::example("loopback");
    for (arguments, address) in [(&[][..], " 192.0.2.1 "), (&["--ipv6"], " 2001:db8::1 ")] {
        let output = Command::new(&program).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("The server hears: Is anybody there?\n"), "{text}");
        assert!(text.ends_with("The client hears: Only you and I.\n"), "{text}");
        // What was sent came back: a SYN, its answer, and more.
        let lines =
            |arrow: &str| text.lines().filter(|line| line.starts_with(arrow) && line.contains("TCP")).count();
        assert!(lines("-> ") >= 4 && lines("<- ") >= 4 && text.contains(address), "{text}");
    }
}

#[test]
fn the_readme_shows_this_program() {
    let program =
        include_str!("../examples/hello.rs").split_once("\n\n").expect("a comment, then the program").1;
    assert!(include_str!("../README.md").contains(program.trim_end()));
}

/// Connects as soon as the server is there.
fn connect() -> TcpStream {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpStream::connect_timeout(&([192, 168, 69, 2], 7_777).into(), Duration::from_secs(1)) {
            Ok(stream) => {
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                return stream;
            }
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
    }
}
