//! dnsmasq on `tap0`, and other programs of the kernel's end.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn has(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// What is missing; else the test may begin.
pub(crate) fn obstacle() -> Option<String> {
    let missing = ["dnsmasq", "tshark", "arping", "ping", "ip"].into_iter().find(|program| !has(program));
    let missing = missing.map(|program| format!("{program} is not installed"));
    missing.or_else(|| std::fs::metadata("/dev/net/tun").is_err().then(|| "no /dev/net/tun".into()))
}

/// A server that ends with the test.
pub(crate) struct Dnsmasq(Child, PathBuf);

impl Dnsmasq {
    pub(crate) fn start(range: &str, options: &[&str]) -> Dnsmasq {
        let leases = std::env::temp_dir().join(format!(
            "goldcrest-leases-{}-{}",
            std::process::id(),
            file_of_thread()
        ));
        let mut command = Command::new("dnsmasq");
        command.args([
            "--no-daemon",
            "--conf-file=/dev/null",
            "--port=0",
            "--interface=tap0",
            "--bind-interfaces",
        ]);
        command.args(["--dhcp-authoritative", "--no-ping", "--no-resolv", "--user=root"]);
        command
            .arg(format!("--dhcp-leasefile={}", leases.display()))
            .arg(format!("--dhcp-range={range}"))
            .args(options);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Dnsmasq(child, leases)
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_file(&self.1);
    }
}

pub(crate) fn file_of_thread() -> String {
    std::thread::current().name().unwrap_or_default().replace(':', "-")
}
