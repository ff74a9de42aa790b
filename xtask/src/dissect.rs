//! What tshark says of the frames that a board has sent.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Frames of these kinds are right if their innermost checksum is.
const SOUND: &str = "(arp || icmp.checksum.status == 1 || icmpv6.checksum.status == 1 || \
    tcp.checksum.status == 1 || udp.checksum.status == 1) && (!ip || ip.checksum.status == 1) && \
    !_ws.malformed && !_ws.short && !(_ws.expert.severity == error)";

/// Every frame in the file that came from this hardware address is right; how many there are.
pub(crate) fn dissect(capture: &Path, hardware: &str) -> Result<usize> {
    let ours = format!("eth.src == {hardware}");
    let sent = found(capture, &ours)?;
    let wrong = found(capture, &format!("{ours} && !({SOUND})"))?;
    ensure!(wrong == 0, "{wrong} of {sent} frames are wrong: {}", capture.display());
    ensure!(sent > 0, "no frame of {hardware} is in {}", capture.display());
    Ok(sent)
}

/// How many frames of the file tshark finds by `filter`, all checksums verified.
fn found(capture: &Path, filter: &str) -> Result<usize> {
    let mut tshark = Command::new("tshark");
    for option in ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"] {
        tshark.args(["-o", &format!("{option}:TRUE")]);
    }
    tshark.arg("-r").arg(capture).args(["-Y", filter, "-T", "fields", "-e", "frame.number"]);
    let output = tshark.output().context("cannot run tshark")?;
    ensure!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).lines().count())
}
