//! TUN and TAP: an interface of the kernel's whose other side is this program.
//!
//! TAP carries Ethernet frames, TUN bare IP packets. A system call a segment is what they cost most, so the kernel and
//! we hand each other TCP segments of one flow together, up to 64 kB, with checksums that nobody has computed
//! (`IFF_VNET_HDR`, `TUNSETOFFLOAD`); [`RxMeta`] and [`TxMeta`] say so. [`TunTapOptions`] can leave that out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::{error, fmt};

use super::vnet::{self, TxFrame};
use super::{KernelError, KernelInterface, LinkCache, SystemCounters, call};
use crate::phy::{
    Device, DeviceCapabilities, HardwareAddress, LinkState, Medium, RxMeta, RxToken, TxMeta, TxToken,
};
use crate::time::Instant;
use crate::wire::vlan::TAG_LEN;

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

/// How a TUN or TAP interface is opened.
///
/// ```no_run
/// use goldcrest::phy::{Medium, TunTapInterface, TunTapOptions};
///
/// let mut options = TunTapOptions::default();
/// options.multi_queue = true;
/// let queues = [(); 2].map(|()| TunTapInterface::with_options("tap0", Medium::Ethernet, options));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TunTapOptions {
    /// The IP MTU to set, which needs CAP_NET_ADMIN; `None` leaves what the kernel has.
    pub ip_mtu: Option<u32>,
    /// Whether segments are handed over together and checksums left out, both ways, if the kernel can. Without it, each
    /// frame is one as it would be on a cable: for who counts frames, delays or drops them, or shows them.
    pub offloads: bool,
    /// Whether this is one of several queues (`IFF_MULTI_QUEUE`): the interface can be opened again, and each flow stays
    /// with one of the queues, by its hash.
    pub multi_queue: bool,
}

impl Default for TunTapOptions {
    /// The MTU that there is, with offloads, one queue.
    fn default() -> TunTapOptions {
        TunTapOptions { ip_mtu: None, offloads: true, multi_queue: false }
    }
}

impl TunTapOptions {
    /// The default, but each frame as on a cable.
    pub fn plain() -> TunTapOptions {
        TunTapOptions { offloads: false, ..TunTapOptions::default() }
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
    offloads: Offloads,
    multi_queue: bool,
    link: LinkCache,
    counters: SystemCounters,
    rx_frame: Vec<u8>,
    tx_frame: TxFrame,
}

/// What was agreed with the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offloads {
    /// Frames have no header.
    NoHeader,
    /// They have one, and it says nothing.
    None,
    /// Checksums and the cutting of TCP are left to the other side.
    Segments,
}

impl TunTapInterface {
    /// Opens the interface `name`, or makes it: TAP for Ethernet, TUN for bare IP.
    ///
    /// With an empty name, or one like `tap%d`, the kernel chooses; [`name`](Self::name) tells.
    /// The MTU is the kernel's, asked for once: to have another, set it before (`ip tuntap add`,
    /// `ip link set mtu`), or make the interface by [`with_mtu`](Self::with_mtu).
    pub fn new(name: &str, medium: Medium) -> Result<TunTapInterface, TunTapError> {
        TunTapInterface::with_options(name, medium, TunTapOptions::default())
    }

    /// Like [`new`](Self::new), and sets the IP MTU, which needs CAP_NET_ADMIN.
    pub fn with_mtu(name: &str, medium: Medium, ip_mtu: u32) -> Result<TunTapInterface, TunTapError> {
        let options = TunTapOptions { ip_mtu: Some(ip_mtu), ..TunTapOptions::default() };
        TunTapInterface::with_options(name, medium, options)
    }

    /// Like [`new`](Self::new), with options. A kernel that has no offloads is no error:
    /// [`has_offloads`](Self::has_offloads) tells.
    pub fn with_options(
        name: &str,
        medium: Medium,
        options: TunTapOptions,
    ) -> Result<TunTapInterface, TunTapError> {
        let file = open_node()?;
        let (name, has_header) = attach(&file, name, medium, options.multi_queue)?;
        let offloads = agree(&file, has_header, options.offloads);
        let interface = KernelInterface::by_name(&name).map_err(TunTapError::Kernel)?;
        if let Some(ip_mtu) = options.ip_mtu {
            interface.set_mtu(ip_mtu).map_err(TunTapError::Kernel)?;
        }
        let mtu = interface.mtu().map_err(TunTapError::Kernel)? + medium.header_len();
        let rx_len = match offloads {
            Offloads::NoHeader => mtu + TAG_LEN,
            Offloads::None => vnet::LEN + mtu + TAG_LEN,
            Offloads::Segments => vnet::LEN + vnet::MAX_FRAME_LEN,
        };
        Ok(TunTapInterface {
            file,
            medium,
            mtu,
            offloads,
            multi_queue: options.multi_queue,
            link: LinkCache::new(interface),
            counters: SystemCounters::default(),
            rx_frame: vec![0; rx_len],
            tx_frame: TxFrame::new(mtu, has_header, medium.header_len() > 0),
        })
    }

    /// Whether segments are handed over together: not if it was not wanted, or the kernel can't.
    pub fn has_offloads(&self) -> bool {
        self.offloads == Offloads::Segments
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

    /// Reads the next frame whose header does not lie, and says where it is.
    fn read(&mut self) -> io::Result<(RxMeta, Range<usize>)> {
        loop {
            let len = (&self.file).read(&mut self.rx_frame)?;
            if self.offloads == Offloads::NoHeader {
                return Ok((RxMeta::default(), 0..len));
            }
            let frame = self.rx_frame.get(..len).and_then(<[u8]>::split_first_chunk);
            let received = frame.and_then(|(header, frame)| vnet::read(header, frame));
            // UDP datagrams together are not among what was agreed on.
            match received.filter(|received| !received.is_datagrams) {
                Some(received) => return Ok((received.meta, vnet::LEN..len)),
                None => self.counters.rx_errors += 1,
            }
        }
    }
}

/// linux/if_tun.h: what the reader takes: open checksums, TCP segments together over either family, and such whose first
/// has CWR.
const TUN_F_CSUM: u32 = 1;
const TUN_F_TSO4: u32 = 2;
const TUN_F_TSO6: u32 = 4;
const TUN_F_TSO_ECN: u32 = 8;
const TSO: u32 = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

fn open_node() -> Result<File, TunTapError> {
    let options = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(NODE);
    options.map_err(|error| match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => TunTapError::NodeNotAllowed,
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => TunTapError::NoDeviceNode,
        _ => TunTapError::Io(error),
    })
}

/// Makes the opened file an interface; what it is called, and whether its frames have the header of offloads.
fn attach(file: &File, name: &str, medium: Medium, multi_queue: bool) -> Result<(String, bool), TunTapError> {
    if name.len() >= libc::IFNAMSIZ || name.contains('\0') {
        return Err(TunTapError::NameTooLong(name.to_owned()));
    }
    let kind = match medium {
        #[cfg(feature = "medium-ethernet")]
        Medium::Ethernet => libc::IFF_TAP,
        #[cfg(feature = "medium-ip")]
        Medium::Ip => libc::IFF_TUN,
    };
    let header = call::tun_features(file).unwrap_or(0) & libc::IFF_VNET_HDR;
    let queues = if multi_queue { libc::IFF_MULTI_QUEUE } else { 0 };
    let flags = kind | libc::IFF_NO_PI | header | queues;
    let attached = call::tun_set_interface(file, name, flags).map_err(|error| match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => TunTapError::NotAllowed(name.to_owned()),
        Some(libc::EBUSY) => TunTapError::InUse(name.to_owned()),
        Some(libc::EINVAL) => TunTapError::WrongKind(name.to_owned()),
        _ => TunTapError::Io(error),
    });
    Ok((attached?, header != 0))
}

/// Tells the kernel what may be handed over together. That outlasts who opened an interface which was made beforehand, so
/// it is said also if it is nothing.
fn agree(file: &File, has_header: bool, wanted: bool) -> Offloads {
    if !has_header {
        return Offloads::NoHeader;
    }
    let has_segments = wanted
        && [TSO | TUN_F_TSO_ECN, TSO].iter().any(|&offloads| {
            // Who knows what to hand over cuts what it is handed.
            call::tun_set_offload(file, offloads).is_ok()
        });
    if has_segments {
        return Offloads::Segments;
    }
    let _ = call::tun_set_offload(file, 0);
    Offloads::None
}

/// The next who opens an interface that stays may not know of offloads. Of several queues the others go on.
impl Drop for TunTapInterface {
    fn drop(&mut self) {
        if self.has_offloads() && !self.multi_queue {
            let _ = call::tun_set_offload(&self.file, 0);
        }
    }
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
        let (meta, range) = match self.read() {
            Ok(received) => received,
            Err(error) => {
                self.counters.on_read_error(&error);
                self.link.refresh(now);
                return None;
            }
        };
        let rx = TunTapRxToken { meta, frame: self.rx_frame.get(range)? };
        let tx = TunTapTxToken {
            file: &self.file,
            meta: TxMeta::default(),
            frame: &mut self.tx_frame,
            counters: &mut self.counters,
        };
        Some((rx, Some(tx)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TunTapTxToken<'_>> {
        Some(TunTapTxToken {
            file: &self.file,
            meta: TxMeta::default(),
            frame: &mut self.tx_frame,
            counters: &mut self.counters,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::new(self.medium, self.mtu);
        // There is room for one tag beside the kernel's MTU, which does not count it.
        capabilities.max_tag_len = TAG_LEN;
        if self.has_offloads() {
            vnet::announce(&mut capabilities);
        }
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
    meta: RxMeta,
    frame: &'a [u8],
}

impl RxToken for TunTapRxToken<'_> {
    fn meta(&self) -> RxMeta {
        self.meta
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.frame)
    }
}

/// The device's buffer for a frame to the kernel.
#[derive(Debug)]
pub struct TunTapTxToken<'a> {
    file: &'a File,
    meta: TxMeta,
    frame: &'a mut TxFrame,
    counters: &'a mut SystemCounters,
}

impl TxToken for TunTapTxToken<'_> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.meta = meta;
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let TunTapTxToken { mut file, meta, frame, counters } = self;
        let (result, octets) = frame.fill(len, &meta, f);
        counters.on_written(file.write(octets));
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
