//! TUN and TAP: an interface of the kernel's whose other side is this program.
//!
//! TAP carries Ethernet frames, TUN bare IP packets. The kernel completes all checksums before it
//! hands a frame over, and none is cut or joined: `IFF_VNET_HDR` is not used.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::{error, fmt};

use super::{KernelError, KernelInterface, LinkCache, SystemCounters, call};
use crate::phy::{Device, DeviceCapabilities, HardwareAddress, LinkState, Medium, RxToken, TxToken};
use crate::time::Instant;

const NODE: &str = "/dev/net/tun";

/// A TUN or TAP interface can't be had. The text says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum TunTapError {
    /// There is no `/dev/net/tun`: the kernel has no TUN driver, or this container does not show it.
    NoDeviceNode,
    /// `/dev/net/tun` may not be opened.
    NodeNotAllowed,
    /// The interface is not there and may not be made, or belongs to somebody else.
    NotAllowed(String),
    /// A name of more than 15 octets, or with a zero in it.
    NameTooLong(String),
    /// Another program has it open.
    InUse(String),
    /// There is an interface of this name, but it is of another kind.
    WrongKind(String),
    /// Something else.
    Io(io::Error),
    /// The interface was made, but the kernel does not answer about it.
    Kernel(KernelError),
}

impl fmt::Display for TunTapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TunTapError::NoDeviceNode => write!(
                f,
                "{NODE} does not exist: load the kernel's module (modprobe tun), or show the device to this \
                 container"
            ),
            TunTapError::NodeNotAllowed => write!(
                f,
                "not allowed to open {NODE}: run as root, or let this user read and write it (chmod 0666 is the \
                 kernel's own default)"
            ),
            TunTapError::NotAllowed(name) => write!(
                f,
                "not allowed to make the interface {name}: run as root or with CAP_NET_ADMIN, or have it made \
                 beforehand: ip tuntap add dev {name} mode tap user $USER (for bare IP: mode tun)"
            ),
            TunTapError::NameTooLong(name) => {
                write!(f, "{name:?} can't name an interface: at most 15 octets, and no zero")
            }
            TunTapError::InUse(name) => write!(f, "the interface {name} is in use by another program"),
            TunTapError::WrongKind(name) => {
                write!(f, "there is an interface {name}, but of another kind (TUN, TAP or neither)")
            }
            TunTapError::Io(error) => write!(f, "{NODE}: {error}"),
            TunTapError::Kernel(error) => error.fmt(f),
        }
    }
}

impl error::Error for TunTapError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            TunTapError::Io(error) => Some(error),
            TunTapError::Kernel(error) => Some(error),
            _ => None,
        }
    }
}

/// A TUN or TAP interface: the kernel is the other end of the cable.
///
/// It lasts as long as this value, unless it was made beforehand to stay.
#[derive(Debug)]
pub struct TunTapInterface {
    file: File,
    medium: Medium,
    mtu: usize,
    link: LinkCache,
    counters: SystemCounters,
    rx_frame: Vec<u8>,
    tx_frame: Vec<u8>,
}

impl TunTapInterface {
    /// Opens the interface `name`, or makes it: TAP for Ethernet, TUN for bare IP.
    ///
    /// With an empty name, or one like `tap%d`, the kernel chooses; [`name`](Self::name) tells.
    /// The MTU is the kernel's, asked for once: to have another, set it before (`ip tuntap add`,
    /// `ip link set mtu`), or make the interface by [`with_mtu`](Self::with_mtu).
    pub fn new(name: &str, medium: Medium) -> Result<TunTapInterface, TunTapError> {
        let file = open_node()?;
        let name = attach(&file, name, medium)?;
        let interface = KernelInterface::by_name(&name).map_err(TunTapError::Kernel)?;
        let ip_mtu = interface.mtu().map_err(TunTapError::Kernel)?;
        let mtu = ip_mtu + medium.header_len();
        Ok(TunTapInterface {
            file,
            medium,
            mtu,
            link: LinkCache::new(interface),
            counters: SystemCounters::default(),
            rx_frame: vec![0; mtu + TAG_LEN],
            tx_frame: vec![0; mtu],
        })
    }

    /// Like [`new`](Self::new), and sets the IP MTU, which needs CAP_NET_ADMIN.
    pub fn with_mtu(name: &str, medium: Medium, ip_mtu: u32) -> Result<TunTapInterface, TunTapError> {
        let mut device = TunTapInterface::new(name, medium)?;
        device.kernel().set_mtu(ip_mtu).map_err(TunTapError::Kernel)?;
        device.mtu = ip_mtu as usize + medium.header_len();
        device.rx_frame.resize(device.mtu + TAG_LEN, 0);
        device.tx_frame.resize(device.mtu, 0);
        Ok(device)
    }

    /// What the interface is called.
    pub fn name(&self) -> &str {
        self.link.interface.name()
    }

    /// The kernel's side: bring it up, give it an address.
    pub fn kernel(&self) -> &KernelInterface {
        &self.link.interface
    }

    /// What went wrong so far.
    pub fn counters(&self) -> SystemCounters {
        self.counters
    }
}

/// An 802.1Q tag, which makes a frame longer than the MTU says.
const TAG_LEN: usize = 4;

fn open_node() -> Result<File, TunTapError> {
    let options = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(NODE);
    options.map_err(|error| match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => TunTapError::NodeNotAllowed,
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => TunTapError::NoDeviceNode,
        _ => TunTapError::Io(error),
    })
}

fn attach(file: &File, name: &str, medium: Medium) -> Result<String, TunTapError> {
    if name.len() >= libc::IFNAMSIZ || name.contains('\0') {
        return Err(TunTapError::NameTooLong(name.to_owned()));
    }
    let kind = match medium {
        #[cfg(feature = "medium-ethernet")]
        Medium::Ethernet => libc::IFF_TAP,
        #[cfg(feature = "medium-ip")]
        Medium::Ip => libc::IFF_TUN,
    };
    call::tun_set_interface(file, name, kind | libc::IFF_NO_PI).map_err(|error| match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => TunTapError::NotAllowed(name.to_owned()),
        Some(libc::EBUSY) => TunTapError::InUse(name.to_owned()),
        Some(libc::EINVAL) => TunTapError::WrongKind(name.to_owned()),
        _ => TunTapError::Io(error),
    })
}

impl AsFd for TunTapInterface {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for TunTapInterface {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Device for TunTapInterface {
    type RxToken<'a> = TunTapRxToken<'a>;
    type TxToken<'a> = TunTapTxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(TunTapRxToken<'_>, Option<TunTapTxToken<'_>>)> {
        let len = match (&self.file).read(&mut self.rx_frame) {
            Ok(len) => len,
            Err(error) => {
                self.counters.on_read_error(&error);
                self.link.refresh(now);
                return None;
            }
        };
        let rx = TunTapRxToken { frame: self.rx_frame.get(..len)? };
        let tx = TunTapTxToken { file: &self.file, frame: &mut self.tx_frame, counters: &mut self.counters };
        Some((rx, Some(tx)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TunTapTxToken<'_>> {
        Some(TunTapTxToken { file: &self.file, frame: &mut self.tx_frame, counters: &mut self.counters })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::new(self.medium, self.mtu);
        // There is room for one tag beside the kernel's MTU, which does not count it.
        capabilities.max_tag_len = TAG_LEN;
        capabilities
    }

    /// A fixed local address: the one that the interface has is the kernel's own.
    fn hardware_address(&self) -> HardwareAddress {
        match self.medium {
            #[cfg(feature = "medium-ethernet")]
            Medium::Ethernet => HardwareAddress::Ethernet([2, 0, 0, 0, 0, 2]),
            #[cfg(feature = "medium-ip")]
            Medium::Ip => HardwareAddress::Ip,
        }
    }

    /// Whether the kernel has its side up. That it went down shows 100 ms later at most.
    fn link(&self) -> LinkState {
        self.link.state()
    }
}

/// A frame from the kernel, in the device's buffer.
#[derive(Debug)]
pub struct TunTapRxToken<'a> {
    frame: &'a [u8],
}

impl RxToken for TunTapRxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.frame)
    }
}

/// The device's buffer for a frame to the kernel.
#[derive(Debug)]
pub struct TunTapTxToken<'a> {
    file: &'a File,
    frame: &'a mut Vec<u8>,
    counters: &'a mut SystemCounters,
}

impl TxToken for TunTapTxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let TunTapTxToken { mut file, frame, counters } = self;
        let frame = super::room_for(frame, len);
        let result = f(frame);
        counters.on_written(file.write(frame));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "medium-ethernet")]
    const MEDIUM: Medium = Medium::Ethernet;
    #[cfg(not(feature = "medium-ethernet"))]
    const MEDIUM: Medium = Medium::Ip;

    #[test]
    fn a_name_that_does_not_fit_is_refused_by_name() {
        // The node comes first, so on a machine without one the error is another.
        match TunTapInterface::new("a-name-of-sixteen", MEDIUM) {
            Err(TunTapError::NameTooLong(name)) => assert_eq!(name, "a-name-of-sixteen"),
            Err(TunTapError::NoDeviceNode | TunTapError::NodeNotAllowed) => (),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_error_says_what_to_do() {
        for (error, advice) in [
            (TunTapError::NoDeviceNode, "modprobe tun"),
            (TunTapError::NodeNotAllowed, "run as root"),
            (TunTapError::NotAllowed("tap7".into()), "ip tuntap add dev tap7 mode tap user"),
            (TunTapError::InUse("tap7".into()), "tap7 is in use"),
        ] {
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
}
