//! A bridge between TAP interfaces and interfaces of the kernel's:
//!
//! ```text
//! sudo cargo run --release --example bridge -- --tap tap0 --interface eth1 --address 10.0.0.9/24 --every 10
//! ```
//!
//! Whoever is behind one of them reaches whoever is behind the others, as through a switch.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use goldcrest::iface::bridge::{Bridge, Config, PortSet, Storage, Whereabouts};
use goldcrest::iface::{self, Interface, SocketSet};
use goldcrest::phy::{
    Device, DynDevice, Medium, PcapMode, PcapOptions, PcapWriter, RawSocket, TunTapInterface, wait_any,
};
use goldcrest::rand::Keys;
use goldcrest::stats::Stats;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{EthernetAddress, IpCidr};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How long a signal may go unnoticed.
const LONGEST_WAIT: Duration = Duration::from_millis(200);

/// Joins TAPs and interfaces of the kernel's to one Ethernet link, as a switch does: it learns which station is
/// behind which port, and sends a frame there; what is for groups and for unknown stations goes to all.
///
/// The table and what was counted are printed at the end, which SIGINT (Ctrl-C) or SIGTERM brings. There is no
/// spanning tree: don't join two links twice.
///
/// Segments that the kernel hands over together, and checksums that it leaves to others, are cut and completed on the way,
/// so that its offloads may stay on.
#[derive(Parser)]
#[command(name = "bridge", verbatim_doc_comment)]
struct Arguments {
    /// A TAP to make and to join; once for each
    #[arg(long, value_name = "NAME")]
    tap: Vec<String>,
    /// An interface of the kernel's to join, by a raw socket; once for each
    ///
    /// It should be up and have no address: the kernel goes on to receive what comes by it, too.
    #[arg(long, value_name = "NAME")]
    interface: Vec<String>,
    /// An address of the bridge itself, which answers to ping there; once for each
    #[arg(long, value_name = "ADDR/LEN")]
    address: Vec<Cidr>,
    /// The bridge's own Ethernet address
    #[arg(long, value_name = "MAC", default_value = "02:00:00:00:00:99")]
    hardware: Mac,
    /// How long a silent station stays in the table, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    ageing: u32,
    /// How many stations the table has room for; each port has an equal share
    #[arg(long, value_name = "COUNT", default_value_t = 4_096)]
    entries: usize,
    /// Where a station or group is, whatever is learned; without a port, what is for it is dropped
    ///
    /// Examples: 02:00:00:00:00:01=tap0, 01:00:5e:00:00:fb=tap0,eth1, 02:00:00:00:00:66=
    #[arg(long, value_name = "MAC=[NAME[,NAME...]]")]
    station: Vec<Station>,
    /// Print the table this often, too
    #[arg(long, value_name = "SECONDS")]
    every: Option<u32>,
    /// Write the frames that each port sends to DIR/NAME.pcap
    #[arg(long, value_name = "DIR")]
    capture: Option<PathBuf>,
}

#[derive(Clone)]
struct Cidr(IpCidr);

impl FromStr for Cidr {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Cidr> {
        let (addr, prefix_len) =
            text.split_once('/').ok_or("the length of the prefix is missing: ADDR/LEN")?;
        let cidr = IpCidr::try_new(addr.parse()?, prefix_len.parse()?);
        cidr.map(Cidr).ok_or_else(|| "the prefix is too long".into())
    }
}

#[derive(Clone, Copy)]
struct Mac(EthernetAddress);

impl FromStr for Mac {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Mac> {
        let octets = text.split(':').map(|octet| u8::from_str_radix(octet, 16));
        let octets = octets.collect::<std::result::Result<Vec<_>, _>>()?;
        let octets: [u8; 6] = octets.try_into().map_err(|_| "six octets are wanted, with colons between")?;
        Ok(Mac(EthernetAddress(octets)))
    }
}

#[derive(Clone)]
struct Station {
    address: EthernetAddress,
    ports: Vec<String>,
}

impl FromStr for Station {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Station> {
        let (address, ports) = text.split_once('=').ok_or("an equals sign is missing")?;
        let ports = ports.split(',').filter(|name| !name.is_empty()).map(String::from).collect();
        Ok(Station { address: address.parse::<Mac>()?.0, ports })
    }
}

/// A port that is open.
struct Open {
    name: String,
    fd: RawFd,
    device: Box<dyn DynDevice + Send>,
}

fn main() -> Result<()> {
    env_logger::init();
    let arguments = Arguments::parse();
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let capture = arguments.capture.as_deref();
    let taps = arguments.tap.iter().map(|name| open_tap(name, capture));
    let interfaces = arguments.interface.iter().map(|name| open_interface(name, capture));
    let mut ports = taps.chain(interfaces).collect::<Result<Vec<_>>>()?;
    if ports.len() < 2 {
        return Err("a bridge has two ports at least: --tap NAME, --interface NAME".into());
    }
    bridge(&arguments, &mut ports, &stop)
}

fn open_tap(name: &str, capture: Option<&Path>) -> Result<Open> {
    let tap = TunTapInterface::new(name, Medium::Ethernet)?;
    tap.kernel().set_up()?;
    let (name, fd) = (tap.name().to_string(), tap.as_raw_fd());
    Ok(Open { device: captured(tap, &name, capture)?, name, fd })
}

fn open_interface(name: &str, capture: Option<&Path>) -> Result<Open> {
    let mut socket = RawSocket::new(name, Medium::Ethernet)?;
    socket.set_promiscuous()?;
    let fd = socket.as_raw_fd();
    Ok(Open { device: captured(socket, name, capture)?, name: name.into(), fd })
}

/// The device, and a file of what it sends if one is wanted.
fn captured<D>(device: D, name: &str, folder: Option<&Path>) -> Result<Box<dyn DynDevice + Send>>
where
    D: Device + Send + 'static,
{
    let Some(folder) = folder else { return Ok(Box::new(device)) };
    let file = BufWriter::new(File::create(folder.join(format!("{name}.pcap")))?);
    let mut options = PcapOptions::default().wall_clock(Instant::now());
    options.mode = PcapMode::TxOnly;
    Ok(Box::new(PcapWriter::with_options(device, file, options)?))
}

fn secret() -> Result<Keys> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    Ok(Keys::new(secret))
}

/// Bridges until told to stop.
fn bridge(arguments: &Arguments, ports: &mut [Open], stop: &AtomicBool) -> Result<()> {
    let names: Vec<_> = ports.iter().map(|port| port.name.clone()).collect();
    let fds: Vec<_> = ports.iter().map(|port| port.fd).collect();
    let mut config = Config::new(arguments.hardware.0, secret()?);
    config.ageing = Duration::from_secs(arguments.ageing.into());
    let mut bridge = Bridge::new(config, Storage::with_capacity(ports.len(), arguments.entries));
    let now = Instant::now();
    for port in ports {
        bridge.add_port(now, &mut *port.device)?;
    }
    for station in &arguments.station {
        let to = station.ports.iter().map(|name| place_of(&names, name)).collect::<Result<Vec<_>>>()?;
        let to = to.into_iter().fold(PortSet::NONE, |set, place| set.with(PortSet::port(place)));
        bridge.add_static(station.address, to)?;
    }
    let mut iface = Interface::new(iface::Config::new(bridge.hardware_address()), &mut bridge, now);
    for cidr in &arguments.address {
        iface.add_address(cidr.0)?;
    }
    println!("{} are one link", names.join(", "));
    run(arguments, &mut bridge, &mut iface, &names, &fds, stop)?;
    print_table(&bridge, &names);
    for (name, port) in names.iter().zip(bridge.ports()) {
        report(name, port.stats());
    }
    report("the bridge itself", bridge.local_stats());
    println!("{:?}", bridge.table_counters());
    Ok(())
}

fn place_of(names: &[String], name: &str) -> Result<usize> {
    names.iter().position(|port| port == name).ok_or_else(|| format!("{name} is no port").into())
}

fn run(
    arguments: &Arguments,
    bridge: &mut Bridge<'_, '_>,
    iface: &mut Interface<'_>,
    names: &[String],
    fds: &[RawFd],
    stop: &AtomicBool,
) -> Result<()> {
    let mut sockets = SocketSet::with_capacity(1, secret()?);
    let every = arguments.every.map(|seconds| Duration::from_secs(seconds.into()));
    let mut print_at = every.map(|every| Instant::now() + every);
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        iface.poll(now, bridge, &mut sockets);
        if print_at.is_some_and(|at| at <= now) {
            print_table(bridge, names);
            print_at = every.map(|every| now + every);
        }
        let at = iface
            .poll_at(now, &mut sockets)
            .into_iter()
            .chain(Device::poll_at(bridge, now))
            .chain(print_at)
            .min();
        let rest = at.map_or(LONGEST_WAIT, |at| at.saturating_duration_since(now));
        wait_any(fds, Some(rest.min(LONGEST_WAIT)))?;
    }
    Ok(())
}

/// One line a station, in the order of their addresses.
fn print_table(bridge: &Bridge<'_, '_>, names: &[String]) {
    let mut entries: Vec<_> = bridge.entries(Instant::now()).collect();
    entries.sort_by_key(|(address, _)| *address);
    println!("{} stations", entries.len());
    for (address, whereabouts) in entries {
        match whereabouts {
            Whereabouts::Learned { port, age, .. } => {
                println!("  {address} {}, {} s ago", names[port], age.total_millis() / 1_000);
            }
            Whereabouts::Static(ports) if ports.is_empty() => println!("  {address} nowhere"),
            Whereabouts::Static(ports) => {
                let ports: Vec<_> = ports.places().map(|place| names[place].as_str()).collect();
                println!("  {address} {}, as told", ports.join(", "));
            }
            _ => {}
        }
    }
}

fn report(name: &str, stats: &Stats) {
    let frames = stats.bridged();
    println!(
        "{name}: {} frames received ({} octets), {} sent ({} octets)",
        frames.in_frames, frames.in_octets, frames.out_frames, frames.out_octets,
    );
    for (reason, count) in stats.dropped() {
        println!("{name}: {count} dropped: {reason:?}");
    }
}
