//! What tshark says of the frames in a file.

use std::path::Path;
use std::process::Command;

/// What no frame of ours may be. The kernel's are in the files, too, and a TCP checksum that comes out as 0 it writes
/// as 0xffff (`CSUM_MANGLED_0`), which is as right, but not to tshark. What an ICMP error quotes is as it came: with a
/// checksum that was left to a device, or as nmap makes them to see what comes of it.
pub(crate) const FAULTS: [&str; 5] = [
    "_ws.malformed",
    "_ws.short",
    "_ws.expert.severity == error && !(tcp.checksum == 0xffff) && !(icmp.type in {3, 11, 12}) && !(icmpv6.type < 128)",
    "ip.checksum.status == 0",
    "icmp.checksum.status == 0 || icmpv6.checksum.status == 0",
];

/// How many frames of the file tshark finds by `filter`, all checksums verified.
pub(crate) fn found(capture: &Path, filter: &str) -> usize {
    let mut tshark = Command::new("tshark");
    for option in ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"] {
        tshark.args(["-o", &format!("{option}:TRUE")]);
    }
    let output = tshark.arg("-r").arg(capture).args(["-Y", filter]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().count()
}
