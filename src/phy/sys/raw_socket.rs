//! AF_PACKET: every frame that an interface of the kernel's receives, beside the kernel's own stack.
//!
//! Not promiscuous unless asked. The kernel leaves the checksums of frames between local interfaces
//! (veth) to be completed later, and TCP segments of one flow together (GSO, GRO); it says so in a header before
//! the frame (`PACKET_VNET_HDR`), and [`RxMeta`] says it on. We may do the same with what we send. UDP datagrams that are together (`UDP_SEGMENT`) can't be told
//! from one large one by who receives them: they are cut apart here (`datagrams`; kernels before 6.2 don't hand them
//! out). A tag of 802.1Q, which the kernel takes out of the frame, is put back.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::{error, fmt};

use super::call::{self, PacketInfo};
use super::datagrams::Datagrams;
use super::vnet::{self, Received, TxFrame};
use super::{KernelError, KernelInterface, LinkCache, SystemCounters};
use crate::phy::{
    Device, DeviceCapabilities, HardwareAddress, LinkState, Medium, RxMeta, RxToken, TxMeta, TxToken,
};
use crate::time::Instant;
use crate::wire::vlan::TAG_LEN;

/// A raw socket can't be had. The text says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum RawSocketError {
    /// Raw sockets need CAP_NET_RAW.
    NotAllowed,
    /// The interface is not there, or does not answer.
    Interface(KernelError),
    /// The interface carries another kind of frames.
    WrongMedium(String),
    /// Something else.
    Io(io::Error),
}

impl fmt::Display for RawSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RawSocketError::NotAllowed => f.write_str(
                "not allowed to open a raw socket: run as root or with CAP_NET_RAW (setcap cap_net_raw+ep \
                 program), or in a network namespace of your own",
            ),
            RawSocketError::Interface(error) => error.fmt(f),
            RawSocketError::WrongMedium(name) => {
                write!(f, "{name} carries another medium than was asked for (Ethernet or bare IP)")
            }
            RawSocketError::Io(error) => write!(f, "raw socket: {error}"),
        }
    }
}

impl error::Error for RawSocketError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            RawSocketError::Interface(error) => Some(error),
            RawSocketError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for RawSocketError {
    fn from(error: io::Error) -> RawSocketError {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => RawSocketError::NotAllowed,
            _ => RawSocketError::Io(error),
        }
    }
}

/// A socket for all frames of one interface.
#[derive(Debug)]
pub struct RawSocket {
    socket: OwnedFd,
    medium: Medium,
    mtu: usize,
    hardware_address: HardwareAddress,
    has_offloads: bool,
    link: LinkCache,
    counters: SystemCounters,
    rx_frame: Vec<u8>,
    /// The datagrams in `rx_frame` that have not been given out, and the one that is.
    together: Option<Datagrams>,
    datagram: Vec<u8>,
    tx_frame: TxFrame,
}

/// linux/if_arp.h: bare IP, as mobile modems have it.
#[cfg(feature = "medium-ip")]
const ARPHRD_RAWIP: u16 = 519;
/// Both Ethernet addresses, which come before a tag.
const ADDRESSES_LEN: usize = 12;
/// Octets, the kernel's own for each frame included, that may wait for us; the kernel doubles it.
const RX_QUEUE_LEN: i32 = 4 << 20;

impl RawSocket {
    /// On the interface `name`, which must carry frames of this medium.
    pub fn new(name: &str, medium: Medium) -> Result<RawSocket, RawSocketError> {
        let interface = KernelInterface::by_name(name).map_err(RawSocketError::Interface)?;
        let hardware_address = hardware_address(&interface, medium)?;
        let mtu = interface.mtu().map_err(RawSocketError::Interface)? + medium.header_len();
        Ok(RawSocket {
            socket: open(&interface)?,
            medium,
            mtu,
            hardware_address,
            has_offloads: true,
            link: LinkCache::new(interface),
            counters: SystemCounters::default(),
            rx_frame: vec![0; vnet::LEN + vnet::MAX_FRAME_LEN],
            together: None,
            datagram: Vec::new(),
            tx_frame: TxFrame::new(mtu, true, medium.header_len() > 0),
        })
    }

    /// Sends single frames with whole checksums only, as for a cable that is looked at. What is received together the
    /// kernel decides alone.
    pub fn without_offloads(mut self) -> RawSocket {
        self.has_offloads = false;
        self
    }

    /// Receives frames for other stations too, as long as this socket is open.
    pub fn set_promiscuous(&mut self) -> io::Result<()> {
        let request = libc::packet_mreq {
            mr_ifindex: self.kernel().index() as i32,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        call::set_option(&self.socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, request)
    }

    /// The kernel's side of the same interface.
    pub fn kernel(&self) -> &KernelInterface {
        &self.link.interface
    }

    /// What went wrong so far.
    pub fn counters(&self) -> SystemCounters {
        self.counters
    }

    fn is_ethernet(&self) -> bool {
        self.medium.header_len() > 0
    }

    /// Receives the next frame that this host did not send, and says where it is.
    fn read(&mut self) -> io::Result<(RxMeta, Place)> {
        if self.cut() {
            return Ok((cut_meta(), Place::Cut));
        }
        loop {
            let info = call::receive_packet(&self.socket, &mut self.rx_frame)?;
            // The kernel was asked not to show these, which kernels before 4.20 don't know.
            if info.is_outgoing {
                continue;
            }
            let end = info.len;
            let Some(received) = self.rx_frame.get(..end).and_then(|frame| meta(&info, frame)) else {
                self.counters.rx_errors += 1;
                continue;
            };
            let start = restore_tag(&mut self.rx_frame, &info);
            let meta = received.meta;
            if !received.is_datagrams {
                return Ok((meta, Place::Whole(start..end)));
            }
            let frame = self.rx_frame.get(..end);
            self.together =
                frame.and_then(|frame| Datagrams::new(frame, start, self.is_ethernet(), meta.segment_len));
            if self.cut() {
                return Ok((cut_meta(), Place::Cut));
            }
            self.counters.rx_errors += 1;
        }
    }

    /// Cuts out the next one of datagrams that came together; false if there is none.
    fn cut(&mut self) -> bool {
        let Some(rest) = &mut self.together else { return false };
        let has_one = rest.next(&self.rx_frame, &mut self.datagram);
        if !has_one {
            self.together = None;
        }
        has_one
    }
}

/// Where a received frame is.
enum Place {
    /// In the buffer that the kernel writes to.
    Whole(Range<usize>),
    /// In the buffer for what is cut out of that.
    Cut,
}

/// The interface's address, if it carries this medium.
fn hardware_address(interface: &KernelInterface, medium: Medium) -> Result<HardwareAddress, RawSocketError> {
    let (kind, octets) = interface.link_kind().map_err(RawSocketError::Interface)?;
    match (medium, kind) {
        #[cfg(feature = "medium-ethernet")]
        (Medium::Ethernet, libc::ARPHRD_ETHER) => Ok(HardwareAddress::Ethernet(octets)),
        #[cfg(feature = "medium-ip")]
        (Medium::Ip, libc::ARPHRD_NONE | libc::ARPHRD_PPP | ARPHRD_RAWIP) => Ok(HardwareAddress::Ip),
        // The loopback too: its frames have a link header of zeros, but no medium.
        _ => Err(RawSocketError::WrongMedium(interface.name().to_owned())),
    }
}

fn open(interface: &KernelInterface) -> Result<OwnedFd, RawSocketError> {
    // With protocol 0 it receives nothing before it is bound, so no frame of another interface.
    let socket = call::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK, 0)?;
    call::set_option(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1_i32)?;
    call::set_option(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1_i32)?;
    let _ = call::set_option(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1_i32);
    // The kernel's default holds some ninety frames, less than one window of TCP, and what comes when it is
    // full is lost. As root in earnest the limit can be passed; others get as much as there may be.
    if call::set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RX_QUEUE_LEN).is_err() {
        let _ = call::set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, RX_QUEUE_LEN);
    }
    call::bind_packet(&socket, interface.index())?;
    Ok(socket)
}

/// What is said of a datagram that was cut out here, with a checksum of its own.
fn cut_meta() -> RxMeta {
    RxMeta { checksum_ok: true, ..RxMeta::default() }
}

/// What the kernel says of a frame, which `octets` hold after the kernel's header; `None` if it can't be.
fn meta(info: &PacketInfo, octets: &[u8]) -> Option<Received> {
    let (header, frame) = octets.split_first_chunk()?;
    let mut received = vnet::read(header, frame)?;
    let status = info.aux.map_or(0, |aux| aux.tp_status);
    let meta = &mut received.meta;
    meta.checksum_partial |= status & libc::TP_STATUS_CSUMNOTREADY != 0;
    meta.checksum_ok |= meta.checksum_partial || status & libc::TP_STATUS_CSUM_VALID != 0;
    Some(received)
}

/// Puts a tag that the kernel took out back into the frame, over the end of the kernel's header; where the frame begins
/// now.
fn restore_tag(buffer: &mut [u8], info: &PacketInfo) -> usize {
    let Some(aux) = info.aux else { return vnet::LEN };
    if aux.tp_status & libc::TP_STATUS_VLAN_VALID == 0 || info.len < vnet::LEN + ADDRESSES_LEN {
        return vnet::LEN;
    }
    let has_type = aux.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
    let ether_type = if has_type { aux.tp_vlan_tpid } else { 0x8100 };
    let start = vnet::LEN - TAG_LEN;
    buffer.copy_within(vnet::LEN..vnet::LEN + ADDRESSES_LEN, start);
    let tag = [ether_type.to_be_bytes(), aux.tp_vlan_tci.to_be_bytes()];
    let at = start + ADDRESSES_LEN;
    buffer[at..at + TAG_LEN].copy_from_slice(tag.as_flattened());
    start
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for RawSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Device for RawSocket {
    type RxToken<'a> = RawSocketRxToken<'a>;
    type TxToken<'a> = RawSocketTxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(RawSocketRxToken<'_>, Option<RawSocketTxToken<'_>>)> {
        let (meta, place) = match self.read() {
            Ok(place) => place,
            Err(error) => {
                self.counters.on_read_error(&error);
                self.link.refresh(now);
                return None;
            }
        };
        let frame = match place {
            Place::Whole(range) => self.rx_frame.get(range)?,
            Place::Cut => &self.datagram,
        };
        let rx = RawSocketRxToken { meta, frame };
        let tx = RawSocketTxToken {
            socket: &self.socket,
            meta: TxMeta::default(),
            frame: &mut self.tx_frame,
            counters: &mut self.counters,
        };
        Some((rx, Some(tx)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<RawSocketTxToken<'_>> {
        Some(RawSocketTxToken {
            socket: &self.socket,
            meta: TxMeta::default(),
            frame: &mut self.tx_frame,
            counters: &mut self.counters,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::new(self.medium, self.mtu);
        // The kernel lets a frame of 802.1Q be longer by its tag.
        capabilities.max_tag_len = TAG_LEN;
        if self.has_offloads {
            vnet::announce(&mut capabilities);
        }
        capabilities
    }

    /// The interface's own, which the kernel answers to as well: for a stack beside the kernel's on the
    /// same cable take another, and [`set_promiscuous`](RawSocket::set_promiscuous).
    fn hardware_address(&self) -> HardwareAddress {
        self.hardware_address
    }

    /// Whether the interface is up and has a carrier. That it has gone shows 100 ms later at most.
    fn link(&self) -> LinkState {
        self.link.state()
    }
}

/// A received frame, in the device's buffer.
#[derive(Debug)]
pub struct RawSocketRxToken<'a> {
    meta: RxMeta,
    frame: &'a [u8],
}

impl RxToken for RawSocketRxToken<'_> {
    fn meta(&self) -> RxMeta {
        self.meta
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.frame)
    }
}

/// The device's buffer for a frame to send.
#[derive(Debug)]
pub struct RawSocketTxToken<'a> {
    socket: &'a OwnedFd,
    meta: TxMeta,
    frame: &'a mut TxFrame,
    counters: &'a mut SystemCounters,
}

impl TxToken for RawSocketTxToken<'_> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.meta = meta;
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let (result, octets) = self.frame.fill(len, &self.meta, f);
        self.counters.on_written(call::send(self.socket, octets));
        result
    }
}
