//! Goldcrest in conversation with the Linux kernel, with no arguments and nothing prepared:
//!
//! ```text
//! cargo run --release --example quickstart
//! ```
//!
//! It makes a network of its own, with the kernel at one end and the stack at the other. The kernel pings
//! the stack; then 100 MB go each way over TCP, over IPv4 and IPv6, and a hash is checked. All frames are
//! written to a file that Wireshark opens. `RUST_LOG=debug` shows more.
//!
//! | file | what |
//! | --- | --- |
//! | `network` | the network: a namespace with a TAP or a veth pair |
//! | `stack` | our end: a device, an interface, sockets, and the loop that drives them |
//! | `kernel` | the kernel's end, with the standard library's sockets |
//! | `simulation` | where there is no such network: two stacks in virtual time |
//! | `transfer` | what is sent, and a connection's part in it |
//! | `report` | what is printed |

#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod network;
mod report;
mod simulation;
mod stack;
mod transfer;

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use goldcrest::phy::{Device, PcapOptions, PcapWriter};
use goldcrest::time::Instant;

use report::Report;
use transfer::Data;

/// The peer's addresses: those of the kernel, or of the other stack.
const PEER: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 69, 0, 1)), ipv6(1)];
/// Our addresses.
const OURS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 69, 0, 2)), ipv6(2)];
/// The length of the network's prefix, of IPv4 and of IPv6.
const PREFIX_LEN: [u8; 2] = [24, 64];
/// Where the receiving end of a transfer listens.
const PORT: u16 = 45_678;
/// How often each address is pinged.
const PINGS: u16 = 10;

const fn ipv6(host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x69, 0, 0, 0, 0, 0, host))
}

/// What every part may fail with.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    env_logger::init();
    // For a quick look, and for tests: 1 MB each way, and whole frames in the file.
    let is_small = std::env::args().any(|argument| argument == "--small");
    match run(is_small) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(is_small: bool) -> Result<()> {
    // The network comes first: as an ordinary user it can be made only while there is but one thread.
    let network = make_network();
    let data = Arc::new(Data::new(if is_small { 1_000_000 } else { 100_000_000 }));
    let capture = Capture::new(is_small)?;
    let path = capture.path.clone();
    let mut report = Report::default();
    match network {
        #[cfg(target_os = "linux")]
        Ok(network::Network { cable: network::Cable::Tap(tap), text }) => {
            println!("{text}");
            kernel::converse(capture.of(tap)?, &data, &mut report)?;
        }
        #[cfg(target_os = "linux")]
        Ok(network::Network { cable: network::Cable::Veth(socket), text }) => {
            println!("{text}");
            kernel::converse(capture.of(socket)?, &data, &mut report)?;
        }
        Err(reason) => {
            println!("No network to share with the kernel: {reason}.");
            simulation::converse(capture, &data, &mut report)?;
        }
    }
    report.finish(&path);
    Ok(())
}

#[cfg(target_os = "linux")]
fn make_network() -> Result<network::Network> {
    network::make()
}

#[cfg(not(target_os = "linux"))]
fn make_network() -> Result<std::convert::Infallible> {
    Err("this is not Linux".into())
}

/// A device whose frames are written to a file.
type Captured<D> = PcapWriter<D, BufWriter<File>>;

/// The file for the frames.
struct Capture {
    path: PathBuf,
    file: File,
    options: PcapOptions,
}

impl Capture {
    fn new(is_small: bool) -> io::Result<Capture> {
        let mut path = std::env::temp_dir().join("goldcrest-quickstart.pcap");
        // An earlier run's file goes. Somebody else's stays, and ours is called otherwise.
        if fs::remove_file(&path).is_err() && path.exists() {
            path.set_file_name(format!("goldcrest-quickstart-{}.pcap", std::process::id()));
        }
        let file = File::create_new(&path)?;
        // All headers, and the beginning of what they carry.
        let max_len = if is_small { PcapOptions::MAX_LEN } else { 128 };
        Ok(Capture { path, file, options: PcapOptions { max_len, ..PcapOptions::default() } })
    }

    /// Wraps `device`, with the time of day in the file.
    fn of<D: Device>(self, device: D) -> io::Result<Captured<D>> {
        let options = self.options.wall_clock(Instant::now());
        PcapWriter::with_options(device, BufWriter::with_capacity(1 << 18, self.file), options)
    }

    /// Wraps `device`, with virtual time in the file.
    fn of_simulated<D: Device>(self, device: D) -> io::Result<Captured<D>> {
        PcapWriter::with_options(device, BufWriter::with_capacity(1 << 18, self.file), self.options)
    }
}
