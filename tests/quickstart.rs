//! The example `quickstart` as its users run it: as root, as an ordinary user, and where no network can
//! be had. What it captured is dissected by tshark.
//!
//! Built for release the transfers are of full size, else of 1 MB. What can't be run here is skipped by
//! name, but fails with `CI=true`.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-raw", feature = "phy-sim"))]

mod common;
#[path = "common/tshark.rs"]
mod tshark;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::skip;
use tshark::{FAULTS, found};

const NOBODY: u32 = 65_534;

/// How the example is run.
#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Root,
    Nobody,
    /// Where no network namespace may be made.
    Confined,
}

/// A folder with the example, which everybody may read, and in which everybody may write.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn new(name: &str) -> Place {
        let folder = std::env::temp_dir().join(format!("goldcrest-test-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        // By another process: while this one has a program open to write, no thread of it can start that.
        let mut install = Command::new("install");
        install.args(["-m", "755"]).arg(common::example("quickstart")).arg(folder.join("quickstart"));
        assert!(install.status().unwrap().success());
        Place { folder }
    }

    /// The example's output; it must succeed within 30 s.
    fn run(&self, how: How, arguments: &[&str]) -> String {
        let program = self.folder.join("quickstart");
        let mut command = match how {
            How::Confined => confined(&program),
            _ => Command::new(&program),
        };
        if how == How::Nobody && user() == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        let began = Instant::now();
        let output = command.args(arguments).current_dir("/").env("TMPDIR", &self.folder).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(began.elapsed() < Duration::from_secs(30), "{text}");
        text
    }

    fn capture(&self) -> PathBuf {
        self.folder.join("goldcrest-quickstart.pcap")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs `program` in a user namespace that may have no network namespaces.
fn confined(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c"]);
    command.arg(r#"echo 0 > /proc/sys/user/max_net_namespaces && exec "$0" "$@""#).arg(program);
    command
}

/// The owner of one's own /proc entry is the effective user.
fn user() -> u32 {
    fs::metadata("/proc/self").unwrap().uid()
}

/// Why the example can't be run so on this machine.
fn obstacle(how: How) -> Option<&'static str> {
    let has_user_namespaces = || Command::new("unshare").args(["--user", "true"]).status();
    match how {
        How::Root => (user() != 0).then_some("not root"),
        _ if has_user_namespaces().is_ok_and(|status| status.success()) => None,
        _ => Some("no user namespaces here, or no program unshare"),
    }
}

/// What the first lines say.
fn beginning(how: How) -> &'static [&'static str] {
    let tun = fs::metadata("/dev/net/tun").map(|node| node.mode() & 0o006 == 0o006);
    match how {
        How::Root if tun.is_ok() => &["by a TAP in a network namespace"],
        How::Root => &["by a veth pair and a raw socket in a network namespace"],
        How::Nobody if tun.is_ok_and(|is_open| is_open) => &["by a TAP in a user and network namespace"],
        How::Nobody => &["by a veth pair and a raw socket in a user and network namespace"],
        How::Confined => &["cannot make a network namespace", "two Goldcrests", "simulated link"],
    }
}

/// Everything was pinged and transferred.
fn check(text: &str, how: How, megabytes: usize) {
    for part in beginning(how) {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert_eq!(text.matches("10 of 10 answered").count(), 2, "{text}");
    for way in ["to stack over IPv4", "stack to", "to stack over IPv6"] {
        assert!(text.contains(way), "{text}");
    }
    let transferred = format!(": {megabytes} MB in ");
    assert_eq!(text.matches(&transferred).count(), 4, "{text}");
    assert_eq!(text.matches("the hash is right").count(), 4, "{text}");
}

fn full(how: How, name: &str) {
    if let Some(reason) = obstacle(how) {
        return skip(reason);
    }
    let place = Place::new(name);
    let is_small = cfg!(debug_assertions);
    let text = place.run(how, if is_small { &["--small"] } else { &[] });
    check(&text, how, if is_small { 1 } else { 100 });
    println!("{text}");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test quickstart")]
fn root_gets_a_conversation_with_the_kernel() {
    full(How::Root, "root");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test quickstart")]
fn an_ordinary_user_gets_a_conversation_with_the_kernel() {
    full(How::Nobody, "nobody");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes its time: cargo test --release --test quickstart")]
fn where_no_network_can_be_had_two_stacks_talk() {
    full(How::Confined, "confined");
}

/// The two numbers of frames that the example has printed.
fn frames(text: &str) -> (usize, usize) {
    let line = text.lines().find(|line| line.contains("frames: ")).unwrap();
    let mut numbers = line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn dissect(how: How, name: &str) {
    let reason = match Command::new("tshark").arg("--version").output() {
        Ok(_) => obstacle(how),
        Err(_) => Some("tshark is not installed"),
    };
    if let Some(reason) = reason {
        return skip(reason);
    }
    let place = Place::new(name);
    let text = place.run(how, &["--small"]);
    check(&text, how, 1);
    let capture = place.capture();
    let (received, sent) = frames(&text);
    assert_eq!(found(&capture, "frame"), received + sent, "{text}");
    // Every frame of ours is one of these, and every packet's sum was verified and found right.
    let ours = "(ip.src == 10.69.0.2 || ipv6.src == fd00:69::2 || arp.src.proto_ipv4 == 10.69.0.2)";
    // Without a link-local address a stack reports its groups from `::`, as the other end may.
    let reports = "(ipv6.src == :: && icmpv6.type == 143)";
    let (named, unnamed) = (found(&capture, ours), found(&capture, reports));
    assert!(named <= sent && named + unnamed >= sent && sent - named <= 16, "{named}, {unnamed}: {text}");
    let sound =
        "(arp || icmp.checksum.status == 1 || icmpv6.checksum.status == 1 || tcp.checksum.status == 1)";
    let header = "(!ip || ip.checksum.status == 1)";
    assert_eq!(found(&capture, &format!("{ours} && {sound} && {header}")), named, "{text}");
    assert_eq!(found(&capture, &format!("{reports} && {sound}")), unnamed, "{text}");
    for fault in FAULTS {
        assert_eq!(found(&capture, &format!("{ours} && {fault}")), 0, "{fault}\n{text}");
    }
}

#[test]
fn tshark_finds_nothing_wrong_with_our_ethernet_frames() {
    dissect(How::Root, "dissect-tap");
    dissect(How::Nobody, "dissect-veth");
}

#[test]
fn tshark_finds_nothing_wrong_with_our_ip_packets() {
    dissect(How::Confined, "dissect-ip");
}
