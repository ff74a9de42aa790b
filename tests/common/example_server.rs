//! The example `server` on a TAP of its own, and what tshark says of the frames that it sent.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use goldcrest::phy::unshare_network;

use crate::common::{example, skip};
use crate::thin_out::thin_out;
use crate::tshark::{FAULTS, found};

/// Its address.
pub(crate) const V4: &str = "192.168.69.2";

/// A program that is stopped when the test is over, however it ends.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server, and the file in which it notes all frames.
pub(crate) struct Server {
    program: Running,
    pub(crate) pcap: PathBuf,
}

impl Server {
    /// Starts it in a network of this thread's own; `None` if that can't be.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Option<Server> {
        let program = example("server");
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
    pub(crate) fn stop(mut self) -> String {
        let id = self.program.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut text = String::new();
        self.program.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.program.0.wait().unwrap().success(), "{text}");
        text
    }

    /// Every frame that the server sent is right, says tshark.
    pub(crate) fn stop_and_dissect(self) -> String {
        let pcap = self.pcap.clone();
        let text = self.stop();
        if let Some(sent) = dissect(&pcap) {
            assert!(text.contains(&format!("frames sent {sent}, ")), "{sent} frames dissected\n{text}");
        }
        text
    }

    /// The same of about `count` of the frames, from beginning to end.
    pub(crate) fn stop_and_dissect_some(self, count: usize) -> String {
        let pcap = self.pcap.clone();
        let text = self.stop();
        thin_out(&pcap, count);
        dissect(&pcap).inspect(|&sent| assert!(sent > count / 10, "{sent} of {count} frames are ours"));
        text
    }
}

/// Every frame that we sent is right, says tshark. How many there are; the file is removed.
pub(crate) fn dissect(pcap: &Path) -> Option<usize> {
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
pub(crate) fn has(program: &str) -> bool {
    let is_there = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", program]).status();
    let is_there = is_there.is_ok_and(|status| status.success());
    if !is_there {
        skip(&format!("{program} is not installed"));
    }
    is_there
}

/// Connects to it over IPv4.
pub(crate) fn connect(port: u16) -> TcpStream {
    let stream =
        TcpStream::connect_timeout(&SocketAddr::new(V4.parse().unwrap(), port), Duration::from_secs(5));
    let stream = stream.unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}
