//! Prints the frames of an interface. As root: `cargo run --example tcpdump -- eth0`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use clap::Parser;
use goldcrest::phy::{Device, Medium, PcapOptions, PcapWriter, RawSocket, RawSocketError, RxToken, wait};
use goldcrest::time::Instant;
use goldcrest::wire::PrettyPrinter;

/// Prints the frames that an interface receives, one line a layer, and writes them to a file if told to.
///
/// Any interface of the kernel's will do: Ethernet, a TAP, or bare IP such as a TUN. Needs root, or CAP_NET_RAW.
/// What this machine itself sends by the interface is not seen: listen at its other end.
#[derive(Parser)]
struct Options {
    /// The interface
    interface: String,
    /// End after so many frames
    #[arg(short, long, value_name = "NUMBER", default_value_t = u64::MAX, hide_default_value = true)]
    count: u64,
    /// Write the frames to this file, for Wireshark
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Frames for this machine only, not all that pass
    #[arg(short = 'p', long)]
    no_promiscuous: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let (mut device, medium) = open(&options.interface)?;
    if !options.no_promiscuous {
        device.set_promiscuous()?;
    }
    let file: Box<dyn Write> = match &options.write {
        Some(path) => Box::new(BufWriter::new(File::create(path)?)),
        None => Box::new(io::sink()),
    };
    let start = Instant::now();
    let mut device = PcapWriter::with_options(device, file, PcapOptions::default().wall_clock(start))?;
    eprintln!("listening on {}", options.interface);
    let mut out = io::stdout().lock();
    let mut count = 0;
    while count < options.count {
        let now = Instant::now();
        let Some((frame, _)) = device.receive(now) else {
            out.flush()?;
            wait(device.as_raw_fd(), None)?;
            continue;
        };
        count += 1;
        frame.consume(|frame| writeln!(out, "{now}\n{}", PrettyPrinter::new("  ", medium, frame)))?;
    }
    Ok(())
}

/// The interface, whose kind of frames is found out.
fn open(name: &str) -> Result<(RawSocket, Medium), RawSocketError> {
    match RawSocket::new(name, Medium::Ethernet) {
        Err(RawSocketError::WrongMedium(_)) => Ok((RawSocket::new(name, Medium::Ip)?, Medium::Ip)),
        device => Ok((device?, Medium::Ethernet)),
    }
}
