//! lwIP, as a program of its own (bench/lwip), which runs in this thread's namespace and on its processor.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldcrest::phy::KernelInterface;

use super::{TAP, configure, processor_time};
use crate::case::{Setting, Work};

/// How long it takes to see that all is over.
const NAP: Duration = Duration::from_millis(5);

/// Where `cargo xtask bench` puts it: once for each size of buffers, which are chosen when it is compiled.
pub(crate) fn program(buffer: usize) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/lwip/lwip-{buffer}"))
}

/// Runs the program until all is over. What it has used of a processor.
pub(super) fn drive(
    setting: &Setting,
    span: Duration,
    is_over: &AtomicBool,
    ready: &Sender<()>,
) -> Result<(f64, f64)> {
    let work = match setting.work {
        Work::Send => "send",
        Work::Receive => "receive",
        Work::Answer { .. } => "answer",
    };
    let waits = if setting.busy { "busy" } else { "wait" };
    let mut command = Command::new(program(setting.buffer));
    command.args([TAP, work, waits, &span.as_millis().to_string()]).stdout(Stdio::piped());
    // It ends with this thread at the latest.
    let mut child = command.spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
    ensure!(line == "ready\n", "lwIP does not start");
    configure(&KernelInterface::by_name(TAP)?)?;
    let _ = ready.send(());
    while !is_over.load(Ordering::Relaxed) {
        ensure!(child.try_wait()?.is_none(), "lwIP has ended");
        thread::sleep(NAP);
    }
    let used = processor_time(&format!("/proc/{}/stat", child.id()))?;
    child.kill()?;
    child.wait()?;
    Ok(used)
}
