//! What the examples share: a TAP or TUN with the kernel behind it, a stack on it, and the wait between polls.

mod faults;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;

use goldcrest::iface::{AutoIpMode, Budget, Config, DhcpConfig, Handler, Interface, SocketSet};
use goldcrest::phy::{Device, FaultInjector, Medium, PcapOptions, PcapWriter, TunTapInterface, wait_any};
use goldcrest::rand::Keys;
use goldcrest::time::Instant;
use goldcrest::wire::IpCidr;

use faults::Faults;

/// What an example may fail with.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// An address with the length of its network's prefix, as in 192.168.69.2/24.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cidr {
    address: IpAddr,
    prefix_len: u8,
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Cidr, String> {
        let (address, prefix_len) = text.split_once('/').ok_or("no /PREFIX-LENGTH at its end")?;
        let address: IpAddr = address.parse().map_err(|error| format!("{error}"))?;
        let prefix_len = prefix_len.parse().map_err(|error| format!("{error}"))?;
        match IpCidr::try_new(address.into(), prefix_len) {
            Some(_) => Ok(Cidr { address, prefix_len }),
            None => Err(format!("a prefix of {prefix_len} is too long")),
        }
    }
}

/// What kind of frames the device carries.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Kind {
    /// A TAP, which carries Ethernet frames
    Ethernet,
    /// A TUN, which carries bare IP packets
    Ip,
}

/// The network that the stack is in.
#[derive(Debug, clap::Args)]
pub(crate) struct Network {
    /// The TAP or TUN; it is made if it is not there, and goes with this program then
    #[arg(long, value_name = "NAME", default_value = "tap0")]
    tap: String,
    /// What kind of frames it carries
    #[arg(long, value_enum, default_value = "ethernet")]
    medium: Kind,
    /// Our address; once for each
    #[arg(long, value_name = "ADDRESS/PREFIX-LENGTH", default_values = ["192.168.69.2/24", "fd00:69::2/64"])]
    address: Vec<Cidr>,
    /// Ask a DHCP server for our IPv4 address, and choose one if there is none
    #[arg(long)]
    dhcp: bool,
    /// The kernel's address at the other end; once for each
    #[arg(long, value_name = "ADDRESS/PREFIX-LENGTH", default_values = ["192.168.69.1/24", "fd00:69::1/64"])]
    kernel_address: Vec<Cidr>,
    /// The router for what is not in our networks; once for each family
    #[arg(long, value_name = "ADDRESS")]
    gateway: Vec<IpAddr>,
    /// Write all frames that the stack receives and sends to this file, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    #[command(flatten)]
    faults: Faults,
}

impl Network {
    /// Opens the device, gives the kernel its addresses, and puts a stack for about so many sockets on it.
    pub(crate) fn open(&self, sockets: usize) -> Result<Stack> {
        let medium = match self.medium {
            Kind::Ethernet => Medium::Ethernet,
            Kind::Ip => Medium::Ip,
        };
        let tap = TunTapInterface::new(&self.tap, medium)?;
        let kernel = tap.kernel();
        if let Err(error) = kernel.disable_dad() {
            log::info!("the kernel's addresses take a second to be usable: {error}");
        }
        kernel.set_up()?;
        for cidr in &self.kernel_address {
            kernel.add_address(cidr.address, cidr.prefix_len)?;
        }
        let file: Box<dyn Write> = match &self.pcap {
            Some(path) => Box::new(BufWriter::with_capacity(1 << 18, File::create(path)?)),
            None => Box::new(io::sink()),
        };
        let now = Instant::now();
        let tap = self.faults.around(tap)?;
        let mut cable = PcapWriter::with_options(tap, file, PcapOptions::default().wall_clock(now))?;
        let mut iface = Interface::new(Config::new(cable.hardware_address()), &mut cable, now);
        if self.dhcp {
            iface.set_dhcp(Some(DhcpConfig::default()));
            iface.set_autoip(Some(AutoIpMode::WithoutDhcp));
        }
        for cidr in self.address.iter().filter(|cidr| !self.dhcp || cidr.address.is_ipv6()) {
            iface.add_address(IpCidr::new(cidr.address.into(), cidr.prefix_len))?;
        }
        for gateway in &self.gateway {
            match *gateway {
                IpAddr::V4(gateway) => iface.add_default_ipv4_route(gateway)?,
                IpAddr::V6(gateway) => iface.add_default_ipv6_route(gateway)?,
            }
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let sockets = SocketSet::with_capacity(sockets, Keys::new(secret));
        Ok(Stack { iface, sockets, cable, stop: on_signals()? })
    }
}

/// Readable once the user, or the system, wants this program to end.
fn on_signals() -> io::Result<UnixStream> {
    let (stop, signalled) = UnixStream::pair()?;
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::low_level::pipe::register(signal, signalled.try_clone()?)?;
    }
    stop.set_nonblocking(true)?;
    Ok(stop)
}

/// A stack on a device.
pub(crate) struct Stack {
    pub(crate) iface: Interface<'static>,
    pub(crate) sockets: SocketSet<'static>,
    cable: PcapWriter<FaultInjector<TunTapInterface>, Box<dyn Write>>,
    stop: UnixStream,
}

impl Stack {
    /// Receives what has come and sends what is due, as `handler` decides.
    pub(crate) fn poll(&mut self, now: Instant, handler: &mut dyn Handler) {
        self.iface.poll_with(now, &mut self.cable, &mut self.sockets, handler, Budget::default());
        if self.iface.take_configuration_changed() {
            self.iface.addresses().for_each(|info| log::info!("{} is {:?}", info.cidr, info.state));
        }
    }

    /// Waits for a frame, for a deadline of the stack's, until `until`, or for something to read from one of these
    /// descriptors. False if the program is to end.
    pub(crate) fn wait(&mut self, until: Option<Instant>, others: &[RawFd]) -> Result<bool> {
        let now = Instant::now();
        let stack = self.iface.poll_at(now, &mut self.sockets);
        let next = stack.into_iter().chain(self.cable.poll_at(now)).chain(until).min();
        let delay = next.map(|at| at.saturating_duration_since(now));
        let fds = [&[self.cable.as_raw_fd(), self.stop.as_raw_fd()], others].concat();
        wait_any(&fds, delay)?;
        let is_stopped = io::Read::read(&mut self.stop, &mut [0]).is_ok();
        Ok(!is_stopped)
    }
}

/// What was done to frames on purpose is told when all is over.
impl Drop for Stack {
    fn drop(&mut self) {
        faults::report(self.cable.get_ref());
    }
}
