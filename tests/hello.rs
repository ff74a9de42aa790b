//! The smallest examples: `hello`, which the README shows, and whom the kernel greets; and `loopback`, which talks to
//! itself.
#![cfg(all(target_os = "linux", feature = "phy-tuntap"))]

mod common;

use std::io::Read;
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use common::skip;
use goldcrest::phy::unshare_network;

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
    for _ in 0..20 {
        let mut text = String::new();
        connect().read_to_string(&mut text).unwrap();
        assert_eq!(text, "Hello from Goldcrest\n");
    }
}

#[cfg(all(feature = "phy-loopback", feature = "phy-tracer"))]
#[test]
fn two_sockets_of_one_stack_talk_over_the_loopback_device() {
    let output = Command::new(common::example("loopback")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("The server hears: Is anybody there?\n"), "{text}");
    assert!(text.ends_with("The client hears: Only you and I.\n"), "{text}");
    // What was sent came back: a SYN, its answer, and more.
    let lines =
        |arrow: &str| text.lines().filter(|line| line.starts_with(arrow) && line.contains("TCP")).count();
    assert!(lines("-> ") >= 4 && lines("<- ") >= 4, "{text}");
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
