//! A path and a process at either end of it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use goldcrest::phy::{BurstLoss, PathConfig};
use sim::cell::Cell;

use crate::end::Role;
use crate::plan::{Pairing, Stack};

/// Where the programs are, and how a transfer is made.
pub(crate) struct Bench {
    /// The example.
    pub(crate) path: PathBuf,
    pub(crate) seconds: u64,
    pub(crate) octets: Option<u64>,
    /// Of Linux.
    pub(crate) congestion: String,
    /// Of ours.
    pub(crate) ours_congestion: String,
    /// Octets of our buffers.
    pub(crate) buffers: Buffers,
}

/// Octets for receiving and for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Buffers {
    pub(crate) rx: u64,
    pub(crate) tx: u64,
}

/// What came of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// What the receiver's application took, and for how long it did.
    pub(crate) octets: u64,
    pub(crate) micros: u64,
    /// The sender closed, and all came.
    pub(crate) is_whole: bool,
    /// Frames that the machine lost, not the path: it was too slow.
    pub(crate) missed: u64,
}

impl Transfer {
    /// Mbit/s.
    pub(crate) fn goodput(&self) -> f64 {
        self.octets as f64 * 8.0 / self.micros.max(1) as f64
    }
}

/// A process that does not outlive this value.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Result<Running> {
        let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))?;
        let lines = BufReader::new(child.stdout.take().context("it is piped")?);
        Ok(Running { child, lines })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.lines.read_line(&mut line)? > 0, "a process has ended before it said what it had to");
        Ok(line.trim_end().into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the example `path` is told of a path.
pub(crate) fn options(path: &PathConfig, seed: u64) -> Vec<String> {
    let mut options = vec![
        format!("--rate={}", path.rate),
        format!("--delay={}us", path.delay.total_micros()),
        format!("--loss={}", percent(path.loss_ppm)),
        format!("--seed={seed}"),
    ];
    if let Some(BurstLoss { enter_ppm, leave_ppm, .. }) = path.burst {
        // The share of time in the bad state.
        let lost = 100.0 * f64::from(enter_ppm) / f64::from(enter_ppm + leave_ppm);
        options.push(format!("--burst={lost:.4},{}", 1_000_000 / leave_ppm));
    }
    if path.reorder_ppm > 0 {
        options.push(format!(
            "--reorder={},{}us",
            percent(path.reorder_ppm),
            path.reorder_delay.total_micros()
        ));
    }
    if path.queue_octets < usize::MAX {
        options.push(format!("--queue={}", path.queue_octets));
    }
    options
}

fn percent(ppm: u32) -> f64 {
    f64::from(ppm) / 1e4
}

/// The two sides of a path, and how to get there.
struct Sides {
    path: Running,
    enter: Vec<String>,
}

impl Sides {
    fn open(program: &Path, options: &[String]) -> Result<Sides> {
        let mut path = Running::start(Command::new(program).args(options))?;
        let mut enter = Vec::new();
        loop {
            let line = path.line()?;
            match line.split_once(": nsenter ") {
                Some((_, words)) => enter.push(words.to_owned()),
                None => break,
            }
        }
        ensure!(enter.len() == 2, "the path has made {} sides", enter.len());
        Ok(Sides { path, enter })
    }

    fn command(&self, side: usize, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(&self.enter[side]).arg("--").arg(program);
        command
    }

    /// Runs commands, a line each, with the shell of a side.
    fn shell(&self, side: usize, lines: &str) -> Result<()> {
        let output = self.command(side, "sh").args(["-e", "-c", lines]).output()?;
        ensure!(output.status.success(), "{lines}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Readies a side for a stack. Ours takes the kernel's place by a TAP of its own, joined to the path's by a bridge.
    fn prepare(&self, side: usize, stack: Stack) -> Result<()> {
        // Nobody else shall take frames out of the row that chance decides about.
        self.shell(side, "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")?;
        if stack == Stack::Linux {
            return Ok(());
        }
        let name = ["left", "right"][side];
        self.shell(
            side,
            &format!(
                "ip address flush dev {name}
                 ip tuntap add tap0 mode tap
                 ip link set tap0 txqueuelen 10000
                 ip link add br0 type bridge forward_delay 0 mcast_snooping 0
                 ip link set {name} master br0
                 ip link set tap0 master br0
                 ip link set tap0 up
                 ip link set br0 up"
            ),
        )
    }

    /// Ends the path; and says how many frames the machine was too slow for.
    fn finish(mut self) -> Result<u64> {
        let pid = self.path.child.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success(), "the path has ended");
        let mut missed = 0;
        while let Ok(line) = self.path.line() {
            if line.contains(" did not get to the path") {
                missed += numbers(&line).sum::<u64>();
            }
        }
        Ok(missed)
    }
}

/// The words of a line that are numbers.
fn numbers(line: &str) -> impl Iterator<Item = u64> + '_ {
    line.split([' ', ',']).filter_map(|word| word.parse().ok())
}

impl Bench {
    /// The sender is on the left, the receiver on the right.
    pub(crate) fn transfer(&self, cell: &Cell, pairing: Pairing, seed: u64) -> Result<Transfer> {
        let sides = Sides::open(&self.path, &options(&cell.path(), seed))?;
        sides.prepare(0, pairing.sender)?;
        sides.prepare(1, pairing.receiver)?;
        let mut receiver = Running::start(&mut self.end(&sides, Role::Receive, pairing.receiver)?)?;
        ensure!(receiver.line()? == "ready", "the receiver is not ready");
        let sender = Running::start(&mut self.end(&sides, Role::Send, pairing.sender)?)?;
        let line = self.await_line(receiver)?;
        drop(sender);
        let mut numbers = numbers(&line);
        let (Some(octets), Some(micros)) = (numbers.next(), numbers.next()) else {
            bail!("what does the receiver say? {line}")
        };
        Ok(Transfer { octets, micros, is_whole: line.ends_with("whole"), missed: sides.finish()? })
    }

    fn end(&self, sides: &Sides, role: Role, stack: Stack) -> Result<Command> {
        let side = if role == Role::Send { 0 } else { 1 };
        let mut command = sides.command(side, std::env::current_exe()?);
        command.args(["end", "--role", if role == Role::Send { "send" } else { "receive" }]);
        let (stack, congestion) = match stack {
            Stack::Ours => ("ours", &self.ours_congestion),
            Stack::Linux => ("linux", &self.congestion),
        };
        command.args(["--stack", stack, "--congestion", congestion]);
        command.args([format!("--address=10.0.0.{}", side + 1), format!("--peer=10.0.0.{}", 2 - side)]);
        let Buffers { rx, tx } = self.buffers;
        command.args([format!("--rx-buffer={rx}"), format!("--tx-buffer={tx}")]);
        command.arg(format!("--seconds={}", self.seconds));
        command.args(self.octets.map(|octets| format!("--octets={octets}")));
        Ok(command)
    }

    /// What the receiver says in the end. It may take some tries until the connection is there, but not for ever.
    fn await_line(&self, mut receiver: Running) -> Result<String> {
        let end = Instant::now() + Duration::from_secs(self.seconds + 30);
        while receiver.child.try_wait()?.is_none() {
            ensure!(Instant::now() < end, "the receiver is not done in time");
            std::thread::sleep(Duration::from_millis(5));
        }
        receiver.line()
    }
}

/// As much as Linux lets a socket grow to.
pub(crate) fn linux_limits() -> Result<Buffers> {
    let last = |name: &str| -> Result<u64> {
        let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"))?;
        text.split_whitespace().next_back().and_then(|word| word.parse().ok()).context("no number")
    };
    Ok(Buffers { rx: last("tcp_rmem")?, tx: last("tcp_wmem")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_as_it_is() {
        let told = |name: &str| options(&name.parse::<Cell>().unwrap().path(), 3).join(" ");
        assert_eq!(told("10M-20ms-loss0.1"), "--rate=10000000 --delay=10000us --loss=0.1 --seed=3");
        assert!(told("1G-100ms-queue0.1").ends_with("--loss=0 --seed=3 --queue=1250000"));
        assert!(told("100M-20ms-bursts").ends_with("--burst=0.9901,10"));
        assert!(told("100M-20ms-reorder").ends_with("--reorder=1,5000us"));
    }

    #[test]
    fn numbers_are_found_in_what_processes_say() {
        assert_eq!(numbers("left: 3 frames did not get to the path, 12 not from it").sum::<u64>(), 15);
        assert_eq!(numbers("55 octets in 7 us, whole").collect::<Vec<_>>(), [55, 7]);
    }
}
