//! Hosts of the kernel's, each in a network namespace of its own, and programs that run there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use goldcrest::phy::unshare_network;

use crate::common::skip;

/// Stopped when the test is over, however it ends.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program and gives what it printed; it must succeed unless `may_fail`.
pub(crate) fn run_as(words: &[&str], may_fail: bool) -> String {
    let output =
        Command::new(words[0]).args(&words[1..]).output().unwrap_or_else(|e| panic!("{words:?}: {e}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(may_fail || output.status.success(), "{words:?}: {}\n{text}\n{errors}", output.status);
    text
}

pub(crate) fn run(line: &str) -> String {
    run_as(&line.split_whitespace().collect::<Vec<_>>(), false)
}

/// A host: a process that only holds a namespace.
pub(crate) struct Host(Running);

impl Host {
    pub(crate) fn new() -> Host {
        let mut child = Command::new("unshare");
        child.args(["-n", "sh", "-c", "echo there; exec sleep 600"]).stdout(Stdio::piped());
        let mut child = child.spawn().expect("unshare runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).unwrap();
        assert_eq!(line, "there\n", "the namespace is there");
        Host(Running(child))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.0.id()
    }

    fn words<'w>(&self, line: &'w str, pid: &'w str) -> Vec<&'w str> {
        ["nsenter", "-t", pid, "-n", "--"].into_iter().chain(line.split_whitespace()).collect()
    }

    /// Runs a program there.
    pub(crate) fn run(&self, line: &str) -> String {
        run_as(&self.words(line, &self.pid().to_string()), false)
    }

    /// The same for one that may fail.
    pub(crate) fn attempt(&self, line: &str) -> String {
        run_as(&self.words(line, &self.pid().to_string()), true)
    }

    pub(crate) fn start(&self, line: &str) -> Running {
        let pid = self.pid().to_string();
        let words = self.words(line, &pid);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().expect("it runs"))
    }
}

/// Whether there is such a program.
fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    found.is_ok_and(|output| output.status.success())
}

/// Whether a test can run that needs these programs, TAPs, and a network of this thread's own, which it has then.
pub(crate) fn is_ready(programs: &[&str]) -> bool {
    if let Some(program) = programs.iter().find(|program| !is_installed(program)) {
        skip(&format!("not installed: {program}"));
        return false;
    }
    if let Err(error) = unshare_network() {
        skip(&error.to_string());
        return false;
    }
    let has_tun = std::fs::metadata("/dev/net/tun").is_ok();
    if !has_tun {
        skip("no /dev/net/tun");
    }
    has_tun
}

/// Every frame is well-formed, and every checksum right. The quote in an ICMP error is somebody else's, whose checksum may
/// have been left to a device; the IP header before it is the first. A checksum that comes out as 0 Linux writes as 0xffff,
/// for TCP as well (`CSUM_MANGLED_0`), which is as right, but not to tshark. What TCP and UDP carry is data here: a scan's
/// means nothing in the protocol of its port. One of nmap's probes of IPv6 has headers in an order that there is not, which is
/// no router's matter.
pub(crate) fn dissect(file: &Path) {
    let file = file.to_string_lossy();
    let checks = ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"];
    let mut words = vec!["tshark", "-n", "-r", &file, "-Y"];
    words.push(
        "_ws.malformed || _ws.short || (ip && !ipv6 && !(ip.checksum.status#1 == 1)) || icmp.checksum.status == 0 || \
         icmpv6.checksum.status == 0 || (!(icmp.type in {3, 4, 5, 11, 12}) && !(icmpv6.type < 128) && \
         ((_ws.expert.severity == error && !(tcp.checksum == 0xffff) && !(ipv6.hopopts && ipv6.routing)) || \
         udp.checksum.status == 0 || (tcp.checksum.status == 0 && tcp.checksum != 0xffff)))",
    );
    let options: Vec<String> = checks.iter().map(|check| format!("{check}:TRUE")).collect();
    options.iter().for_each(|option| words.extend(["-o", option]));
    words.extend(["-d", "tcp.port==1-65535,data", "-d", "udp.port==1-65535,data"]);
    assert_eq!(run_as(&words, false), "", "{file}");
    let count =
        run_as(&["tshark", "-n", "-r", &file, "-T", "fields", "-e", "frame.len"], false).lines().count();
    assert!(count > 10, "only {count} frames in {file}");
}
