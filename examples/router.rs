//! A router between TAP interfaces:
//!
//! ```text
//! sudo cargo run --release --example router -- \
//!     --port tap0=10.0.1.1/24,fd00:1::1/64 --port tap1=10.0.2.1/24,fd00:2::1/64
//! ```
//!
//! Each TAP is made, set up and given to the stack, which forwards between them. Connect them to hosts as you
//! like: by a bridge of the kernel's, or by an address on the kernel's own side of the TAP.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use goldcrest::iface::{Config, Interface, Port, Route, Router, SocketSet};
use goldcrest::phy::{
    Device, DynDevice, HardwareAddress, Medium, PcapMode, PcapOptions, PcapWriter, TunTapInterface, wait_any,
};
use goldcrest::rand::Keys;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How long a signal may go unnoticed.
const LONGEST_WAIT: Duration = Duration::from_millis(200);

/// Forwards IPv4 and IPv6 between TAP interfaces, as a router does: with time exceeded, unreachables and
/// packet too big. What it counted is printed at the end, which SIGINT (Ctrl-C) or SIGTERM brings.
///
/// Hosts need a route by way of the router's address on their link, for example
/// `ip route add default via 10.0.1.1`.
#[derive(Parser)]
#[command(name = "router", verbatim_doc_comment)]
struct Arguments {
    /// A TAP to make, and the router's addresses there with their networks; twice or more
    ///
    /// The name is new, or that of a TAP that nobody uses. Example: tap0=10.0.1.1/24,fd00:1::1/64
    #[arg(long, value_name = "NAME=ADDR/LEN[,ADDR/LEN...]", required = true)]
    port: Vec<PortArgument>,
    /// A network that is reached by way of a gateway on one of the links
    ///
    /// Example: 192.0.2.0/24=10.0.2.9
    #[arg(long, value_name = "NET/LEN=GATEWAY")]
    route: Vec<RouteArgument>,
    /// The largest IP packet on a port's link, in octets; 1500 unless said
    #[arg(long, value_name = "NAME=OCTETS")]
    mtu: Vec<MtuArgument>,
    /// Drop packets whose source would be answered by another port (RFC 3704, strict)
    #[arg(long)]
    reverse_path_check: bool,
    /// Write the frames that each port sends to DIR/NAME.pcap
    #[arg(long, value_name = "DIR")]
    capture: Option<PathBuf>,
}

#[derive(Clone)]
struct PortArgument {
    name: String,
    addresses: Vec<IpCidr>,
}

#[derive(Clone)]
struct RouteArgument {
    network: IpCidr,
    gateway: IpAddress,
}

#[derive(Clone)]
struct MtuArgument {
    name: String,
    octets: u32,
}

/// What is before and after the equals sign.
fn pair(text: &str) -> Result<(&str, &str)> {
    text.split_once('=').ok_or_else(|| "an equals sign is missing".into())
}

fn cidr(text: &str) -> Result<IpCidr> {
    let (addr, prefix_len) = text.split_once('/').ok_or("the length of the prefix is missing: ADDR/LEN")?;
    IpCidr::try_new(addr.parse()?, prefix_len.parse()?).ok_or_else(|| "the prefix is too long".into())
}

impl FromStr for PortArgument {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<PortArgument> {
        let (name, addresses) = pair(text)?;
        let addresses = addresses.split(',').map(cidr).collect::<Result<_>>()?;
        Ok(PortArgument { name: name.into(), addresses })
    }
}

impl FromStr for RouteArgument {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<RouteArgument> {
        let (network, gateway) = pair(text)?;
        Ok(RouteArgument { network: cidr(network)?, gateway: gateway.parse()? })
    }
}

impl FromStr for MtuArgument {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<MtuArgument> {
        let (name, octets) = pair(text)?;
        Ok(MtuArgument { name: name.into(), octets: octets.parse()? })
    }
}

/// A port that is open.
struct Open {
    name: String,
    fd: RawFd,
    device: Box<dyn DynDevice + Send>,
    iface: Interface<'static>,
}

fn main() -> Result<()> {
    env_logger::init();
    let arguments = Arguments::parse();
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let mut ports = arguments.port.iter().map(|port| open(port, &arguments)).collect::<Result<Vec<_>>>()?;
    for route in &arguments.route {
        add_route(&mut ports, route)?;
    }
    for Open { name, iface, .. } in &ports {
        let addresses: Vec<_> = iface.ip_addrs().map(|cidr| cidr.to_string()).collect();
        println!("{name}: {}", addresses.join(", "));
    }
    forward(&mut ports, &stop)?;
    ports.iter().for_each(report);
    Ok(())
}

/// Makes a TAP and an interface on it.
fn open(port: &PortArgument, arguments: &Arguments) -> Result<Open> {
    let mtu = arguments.mtu.iter().find(|mtu| mtu.name == port.name).map_or(1_500, |mtu| mtu.octets);
    let tap = TunTapInterface::with_mtu(&port.name, Medium::Ethernet, mtu)?;
    tap.kernel().set_up()?;
    let (name, fd, hardware) = (tap.name().to_string(), tap.as_raw_fd(), tap.hardware_address());
    let now = Instant::now();
    let mut device = tap;
    let mut iface = Interface::new(Config::new(hardware), &mut device, now);
    for &address in port.addresses.iter().chain(&link_local(hardware)) {
        iface.add_address(address)?;
    }
    iface.set_forwarding(true);
    iface.set_reverse_path_check(arguments.reverse_path_check);
    let device: Box<dyn DynDevice + Send> = match &arguments.capture {
        None => Box::new(device),
        Some(folder) => {
            let file = BufWriter::new(File::create(folder.join(format!("{name}.pcap")))?);
            let mut options = PcapOptions::default().wall_clock(now);
            options.mode = PcapMode::TxOnly;
            Box::new(PcapWriter::with_options(device, file, options)?)
        }
    };
    Ok(Open { name, fd, device, iface })
}

/// The link-local address that comes of the hardware's (RFC 4291, appendix A).
fn link_local(hardware: HardwareAddress) -> Option<IpCidr> {
    let HardwareAddress::Ethernet([a, b, c, d, e, f]) = hardware else { return None };
    let word = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    let addr = IpAddress::v6(0xfe80, 0, 0, 0, word(a ^ 2, b), word(c, 0xff), word(0xfe, d), word(e, f));
    Some(IpCidr::new(addr, 64))
}

/// Gives a route to the port on whose link its gateway is.
fn add_route(ports: &mut [Open], route: &RouteArgument) -> Result<()> {
    let is_there = |port: &&mut Open| port.iface.ip_addrs().any(|cidr| cidr.contains_addr(&route.gateway));
    let port = ports.iter_mut().find(is_there);
    let port = port.ok_or_else(|| format!("no port has {} on its link", route.gateway))?;
    port.iface.routes_mut().add(Route::new(route.network, Some(route.gateway))?)?;
    Ok(())
}

/// Forwards until told to stop.
fn forward(ports: &mut [Open], stop: &AtomicBool) -> Result<()> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let mut sockets = SocketSet::with_capacity(1, Keys::new(secret));
    let fds: Vec<_> = ports.iter().map(|port| port.fd).collect();
    let ports = ports.iter_mut().map(|port| Port::new(&mut port.iface, &mut *port.device));
    let mut router = Router::new(ports.collect::<Vec<_>>());
    while !stop.load(Ordering::Relaxed) {
        let progress = router.poll(Instant::now(), &mut sockets);
        if !progress.more {
            let now = Instant::now();
            let at = router.poll_at(now, &mut sockets);
            let rest = at.map_or(LONGEST_WAIT, |at| at.saturating_duration_since(now));
            wait_any(&fds, Some(rest.min(LONGEST_WAIT)))?;
        }
    }
    Ok(())
}

fn report(port: &Open) {
    let (mib, stats) = (port.iface.mib(), port.iface.stats());
    println!(
        "{}: {} frames received ({} octets), {} sent ({} octets); {} packets forwarded, {} for us; ICMP: {} \
         received, {} sent; {} neighbours",
        port.name,
        mib.interface.in_frames,
        mib.interface.in_octets,
        mib.interface.out_frames,
        mib.interface.out_octets,
        mib.ipv4.out_forw_datagrams + mib.ipv6.out_forw_datagrams,
        mib.ipv4.in_delivers + mib.ipv6.in_delivers,
        mib.icmpv4.in_msgs + mib.icmpv6.in_msgs,
        mib.icmpv4.out_msgs + mib.icmpv6.out_msgs,
        port.iface.neighbor_count(),
    );
    for (reason, count) in stats.dropped() {
        println!("{}: {count} dropped: {reason:?}", port.name);
    }
}
