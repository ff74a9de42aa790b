//! Builds firmware images and runs them in QEMU, on a TAP in a network namespace.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use sha2::{Digest, Sha256};

use crate::dissect::dissect;
use crate::network::{self, RawSocket};
use crate::{size, thumb};

/// Which image, and what to do with it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The board: mps2
    board: String,
    /// The image: echo, mirror
    example: String,
    /// Boot it in QEMU and check what it answers
    #[arg(long)]
    run: bool,
}

struct Board {
    name: &'static str,
    target: &'static str,
    /// What QEMU calls it.
    machine: &'static str,
    examples: &'static [Example],
}

struct Example {
    name: &'static str,
    check: fn() -> Result<()>,
    /// The stack made its frames, and not this program.
    is_dissected: bool,
    /// Octets of static RAM beside the driver's frames, at most.
    max_ram: u64,
}

const BOARDS: &[Board] = &[Board {
    name: "mps2",
    target: "thumbv7em-none-eabihf",
    machine: "mps2-an386",
    examples: &[
        Example { name: "echo", check: check_echo, is_dissected: true, max_ram: 16 * 1024 },
        Example { name: "mirror", check: check_mirror, is_dissected: false, max_ram: 1024 },
    ],
}];

/// Two frames of the LAN9118 driver, in octets.
const DRIVER_FRAMES: u64 = 2 * 1_524;
/// The image's hardware address, as tshark writes it.
const BOARD_HARDWARE: &str = "02:00:00:00:86:01";
/// The image's addresses.
const BOARD_ADDRESSES: [&str; 2] = ["192.168.69.1", "fd00:69::1"];
const ECHO_PORT: u16 = 7;
const PINGS: u32 = 10_000;
const TCP_OCTETS: usize = 10_000_000;

/// Builds an image, and runs it if asked to.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let names = || BOARDS.iter().map(|board| board.name).collect::<Vec<_>>().join(", ");
    let board = BOARDS
        .iter()
        .find(|board| board.name == arguments.board)
        .ok_or_else(|| anyhow!("no board {}; there are: {}", arguments.board, names()))?;
    let names = || board.examples.iter().map(|example| example.name).collect::<Vec<_>>().join(", ");
    let example = board
        .examples
        .iter()
        .find(|example| example.name == arguments.example)
        .ok_or_else(|| anyhow!("no image {}; there are: {}", arguments.example, names()))?;
    let image = build(board.name, example.name, "", board.target)?;
    let sections = size::Sections::read(&image)?;
    let ram = sections.ram.saturating_sub(DRIVER_FRAMES); // the frames are part of it
    println!(
        "{}: code {}, constants {}, static RAM {} beside the driver's frames (octets)",
        image.display(),
        sections.code,
        sections.rodata,
        ram
    );
    ensure!(ram <= example.max_ram, "more than {} octets of static RAM", example.max_ram);
    if arguments.run { boot(board, example, &image) } else { Ok(()) }
}

/// Builds one image of the firmware workspace and says where it lies.
pub(crate) fn build(package: &str, binary: &str, features: &str, target: &str) -> Result<PathBuf> {
    let root = crate::root();
    // Apart from the host's builds: another compiler may build these.
    let target_dir = crate::target().join("firmware");
    let mut cargo = thumb::cargo("build", target).map_err(|missing| anyhow!(missing))?;
    cargo.args(["--release", "--quiet", "--locked", "--package", package, "--bin", binary]);
    cargo.args(["--features", features, "--target-dir"]);
    cargo.arg(&target_dir).current_dir(root.join("firmware"));
    // What a small image leaves unused is no news; what cargo says counts only if it fails.
    let output = cargo.output().context("cannot run cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{package} {binary} does not build:\n{said}");
    Ok(target_dir.join(target).join("release").join(binary))
}

fn boot(board: &Board, example: &Example, image: &Path) -> Result<()> {
    network::enter()?;
    let capture =
        std::env::temp_dir().join(format!("goldcrest-{}-{}.pcap", example.name, std::process::id()));
    let mut qemu = Qemu::start(board.machine, image, &capture)?;
    let checked = qemu.wait_for("ready", Duration::from_secs(20)).and_then(|()| (example.check)());
    if let Some(status) = qemu.process.try_wait()? {
        bail!("the image ended with {status}: {:?}", checked.err());
    }
    checked?;
    drop(qemu);
    if example.is_dissected {
        println!("tshark finds {} frames of the board, all right", dissect(&capture, BOARD_HARDWARE)?);
    }
    std::fs::remove_file(&capture)?;
    Ok(())
}

/// A running QEMU, which ends with this value.
struct Qemu {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Qemu {
    /// Starts it with all frames, both ways, going into `capture`, too.
    fn start(machine: &str, image: &Path, capture: &Path) -> Result<Qemu> {
        let mut command = Command::new("qemu-system-arm");
        command.args(["-M", machine, "-nographic", "-monitor", "none", "-serial", "none"]);
        command.args(["-semihosting-config", "enable=on,target=native", "-nic"]);
        command.arg(format!("tap,id=wire,ifname={},script=no,downscript=no", network::TAP));
        command.arg("-object").arg(format!("filter-dump,id=dump,netdev=wire,file={}", capture.display()));
        command.arg("-kernel").arg(image).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: only an async-signal-safe call between fork and exec.
        unsafe {
            // QEMU must not outlive us, however we end.
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let mut process = command.spawn().context("cannot run qemu-system-arm")?;
        let (sender, lines) = mpsc::channel();
        // Semihosting prints to the standard error, or to the standard output of newer versions.
        for output in [
            process.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
            process.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        ] {
            let (sender, output) = (sender.clone(), output.context("QEMU has no output")?);
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    println!("board: {line}");
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Qemu { process, lines })
    }

    /// Waits until the image has printed `expected`.
    fn wait_for(&mut self, expected: &str, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if line.trim() == expected {
                return Ok(());
            }
        }
        bail!("the image did not print `{expected}` within {timeout:?}")
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Frames of every length come back with their addresses swapped, and so does a burst of them.
fn check_mirror() -> Result<()> {
    const ETHERTYPE: u16 = 0x88b5; // IEEE 802: local experiments
    let board = [0x02, 0, 0, 0, 0x86, 1];
    let host = [0x02, 0, 0, 0, 0x86, 0x64];
    let socket = RawSocket::open(ETHERTYPE)?;
    let frame = |to: [u8; 6], from: [u8; 6], len: usize| {
        let mut frame = [&to[..], &from, &ETHERTYPE.to_be_bytes()].concat();
        frame.extend((frame.len()..len).map(|i| (i * 7 + len) as u8));
        frame
    };
    let expect = |len: usize| -> Result<()> {
        let answer = socket.receive(Duration::from_secs(2))?;
        ensure!(answer.is_some(), "no answer to the frame of {len} octets");
        ensure!(answer == Some(frame(host, board, len)), "the frame of {len} octets came back changed");
        Ok(())
    };
    let mut count = 0;
    // Shorter ones are padded on the way.
    for len in 60..=1_514 {
        socket.send(&frame(board, host, len))?;
        expect(len)?;
        count += 1;
    }
    // Six frames of this length fit into the chip's 10 kB FIFO together.
    for burst in 0..200 {
        let lens: Vec<usize> = (0..6).map(|i| 1_480 + (burst + i) % 34).collect();
        for &len in &lens {
            socket.send(&frame(board, host, len))?;
        }
        for &len in &lens {
            expect(len)?;
            count += 1;
        }
    }
    // Neither for us nor for a group: the chip keeps it to itself.
    socket.send(&frame([0x02, 0, 0, 0, 0x86, 2], host, 100))?;
    ensure!(socket.receive(Duration::from_millis(300))?.is_none(), "a frame to somebody else was answered");
    println!("{count} frames of 60 to 1,514 octets came back unchanged");
    Ok(())
}

/// Ping, UDP and TCP over both families.
fn check_echo() -> Result<()> {
    for address in BOARD_ADDRESSES {
        ping(address)?;
        udp(address)?;
        tcp(address)?;
    }
    Ok(())
}

fn ping(address: &str) -> Result<()> {
    let started = Instant::now();
    let count = PINGS.to_string();
    let output = Command::new("ping").args(["-f", "-q", "-c", &count, "-w", "120", address]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let summary = text.lines().find(|line| line.contains("packets transmitted")).unwrap_or_default();
    ensure!(
        output.status.success() && summary.contains(&format!(" {PINGS} received")),
        "not all {PINGS} pings to {address} were answered: {summary} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{address}: {PINGS} flood pings answered in {:.1?}", started.elapsed());
    Ok(())
}

fn udp(address: &str) -> Result<()> {
    let socket = UdpSocket::bind(if address.contains(':') { "[::]:0" } else { "0.0.0.0:0" })?;
    socket.connect((address, ECHO_PORT))?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let lens = [0, 1, 2, 3, 17, 512, 1_000, 1_452];
    for len in lens {
        let sent: Vec<u8> = (0..len).map(|i| (i * 13 + len) as u8).collect();
        socket.send(&sent)?;
        let mut received = vec![0; 2_000];
        let received_len = socket
            .recv(&mut received)
            .with_context(|| format!("no UDP echo of {len} octets from {address}"))?;
        ensure!(
            received.get(..received_len) == Some(&sent[..]),
            "a UDP echo of {len} octets came back changed"
        );
    }
    println!("{address}: {} UDP datagrams of 0 to 1,452 octets echoed", lens.len());
    Ok(())
}

fn tcp(address: &str) -> Result<()> {
    let data = noise(TCP_OCTETS);
    let sent = Sha256::digest(&data);
    let started = Instant::now();
    let to = if address.contains(':') {
        format!("TCP6:[{address}]:{ECHO_PORT}")
    } else {
        format!("TCP4:{address}:{ECHO_PORT}")
    };
    let mut socat = Command::new("timeout")
        .args(["120", "socat", "-t", "20", "-", &to])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run socat")?;
    let mut input = socat.stdin.take().context("socat has no input")?;
    let mut output = socat.stdout.take().context("socat has no output")?;
    let writer = std::thread::spawn(move || input.write_all(&data));
    let mut received = Vec::new();
    output.read_to_end(&mut received)?;
    let status = socat.wait()?;
    let written = writer.join().map_err(|_| anyhow!("the writer panicked"))?;
    ensure!(status.success(), "socat to {address} ended with {status} after {} octets", received.len());
    written.context("socat did not take all")?;
    ensure!(
        received.len() == TCP_OCTETS,
        "{} octets of {TCP_OCTETS} came back from {address}",
        received.len()
    );
    ensure!(Sha256::digest(&received) == sent, "what came back from {address} has another hash");
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{address}: {} MB echoed over TCP in {seconds:.1} s ({:.1} Mbit/s each way), sha256 equal",
        TCP_OCTETS / 1_000_000,
        TCP_OCTETS as f64 * 8e-6 / seconds
    );
    Ok(())
}

/// Octets without a pattern (xorshift).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(len)
    .collect()
}
