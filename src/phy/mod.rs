//! Devices: where frames come from and go to.
//!
//! A [`Device`] hands out tokens. A token is consumed with a closure that sees one contiguous frame in
//! the driver's own memory; what is known about the frame beside its octets (a verified checksum,
//! segmentation, a timestamp) is read from the [`RxToken`] and set on the [`TxToken`].
//!
//! The engine itself is compiled once: it sends through the object-safe [`AnswerSlot`] and sees the ports
//! of a router through [`DynDevice`], which every `Device` is.

use core::task::Waker;

use crate::time::Instant;
pub use crate::wire::Medium;

/// The methods of [`Device`] but those that move frames, passed on to the device `$inner`.
macro_rules! pass_on {
    ($self:ident => $inner:expr) => {
        fn capabilities(&$self) -> $crate::phy::DeviceCapabilities {
            $inner.capabilities()
        }

        fn poll_at(&mut $self, now: $crate::time::Instant) -> Option<$crate::time::Instant> {
            $inner.poll_at(now)
        }

        pass_on_rest!($self => $inner);
    };
}

/// The same without those that middleware may have to say something about.
macro_rules! pass_on_rest {
    ($self:ident => $inner:expr) => {
        fn hardware_address(&$self) -> $crate::phy::HardwareAddress {
            $inner.hardware_address()
        }

        fn link(&$self) -> $crate::phy::LinkState {
            $inner.link()
        }

        fn register_waker(&mut $self, waker: &core::task::Waker) {
            $inner.register_waker(waker);
        }

        fn set_multicast_filter(&mut $self, groups: &[$crate::phy::HardwareAddress]) {
            $inner.set_multicast_filter(groups);
        }

        fn tx_done(&mut $self) -> Option<(u32, u64)> {
            $inner.tx_done()
        }
    };
}

#[cfg(all(not(target_os = "linux"), any(feature = "phy-tuntap", feature = "phy-raw")))]
compile_error!(
    "`phy-tuntap` and `phy-raw` are devices of Linux: build with `default-features = false` and without these two, \
     and implement `phy::Device` for what this system has (macOS: utun, BSD: tap), or feed packets through \
     `phy::PacketQueue`"
);

#[cfg(feature = "phy-sim")]
mod fault;
#[cfg(feature = "phy-loopback")]
mod loopback;
#[cfg(feature = "phy-pcap")]
mod pcap;
#[cfg(feature = "phy-pcap")]
mod pcap_replay;
#[cfg(feature = "phy-queue")]
mod queue;
#[cfg(feature = "phy-sim")]
mod sim_link;
#[cfg(feature = "phy-sim")]
mod sim_rng;
#[cfg(all(target_os = "linux", any(feature = "phy-tuntap", feature = "phy-raw")))]
mod sys;
#[cfg(test)]
mod testing;
#[cfg(feature = "phy-tracer")]
mod tracer;

#[cfg(feature = "phy-sim")]
pub use fault::{FaultConfig, FaultCounters, FaultInjector, FaultRxToken, FaultTxToken, RateLimit};
#[cfg(feature = "phy-loopback")]
pub use loopback::{Loopback, LoopbackRxToken, LoopbackTxToken};
#[cfg(feature = "phy-pcap")]
pub use pcap::{PcapMode, PcapOptions, PcapRxToken, PcapTxToken, PcapWriter};
#[cfg(feature = "phy-pcap")]
pub use pcap_replay::{Pace, PcapReplay, ReplayError, ReplayRxToken, ReplayTxToken};
#[cfg(feature = "phy-queue")]
pub use queue::{PacketQueue, QueueCounters, QueueRxToken, QueueTxToken};
#[cfg(feature = "phy-sim")]
pub use sim_link::{
    BurstLoss, Flap, PathConfig, PathCounters, SimConfig, SimLink, SimPort, SimRxToken, SimTxToken, WhenFull,
};
#[cfg(feature = "phy-sim")]
pub use sim_rng::SimRng;
#[cfg(all(target_os = "linux", any(feature = "phy-tuntap", feature = "phy-raw")))]
pub use sys::{
    KernelError, KernelInterface, NetnsError, NetnsKind, SystemCounters, unshare_network, veth_pair, wait,
    wait_any,
};
#[cfg(all(target_os = "linux", feature = "phy-raw"))]
pub use sys::{RawSocket, RawSocketError, RawSocketRxToken, RawSocketTxToken};
#[cfg(all(target_os = "linux", feature = "phy-tuntap"))]
pub use sys::{TunTapError, TunTapInterface, TunTapOptions, TunTapRxToken, TunTapTxToken};
#[cfg(feature = "phy-tracer")]
pub use tracer::{Direction, TracedFrame, Tracer, TracerRxToken, TracerTxToken};
#[cfg(feature = "phy-lan9118")]
pub mod mcu;

bitflags::bitflags! {
    /// Checksums that a device computes on transmission.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct TxChecksum: u8 {
        /// The IPv4 header checksum.
        const IPV4 = 1;
        /// TCP over either family. The engine leaves the pseudo-header's sum in the field.
        const TCP = 2;
        /// UDP over either family. The engine leaves the pseudo-header's sum in the field.
        const UDP = 4;
    }
}

/// A link-layer address of up to eight octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HardwareAddress {
    /// None: the medium is bare IP.
    Ip,
    /// EUI-48.
    Ethernet([u8; 6]),
}

/// What a device can do. The IP MTU is this less the link header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceCapabilities {
    /// The kind of frames.
    pub medium: Medium,
    /// The largest frame in octets, the link header included (1,514 for plain Ethernet).
    pub max_transmission_unit: usize,
    /// The checksums that the device fills in on transmission.
    pub tx_checksum: TxChecksum,
    /// The largest TCP super-segment, in octets of IP packet, that the device cuts by itself; 0 for
    /// none, and then no frame above the MTU is ever sent.
    pub max_segmentation_len: usize,
    /// How many frames the device likes to take in one burst; `None` for any number.
    pub max_burst_size: Option<usize>,
    /// Octets by which VLAN tags may make a frame longer than `max_transmission_unit`; 0 if they count as
    /// any others, and so take room from IP.
    pub max_tag_len: usize,
}

impl DeviceCapabilities {
    /// A device without any offload.
    pub const fn new(medium: Medium, max_transmission_unit: usize) -> DeviceCapabilities {
        DeviceCapabilities {
            medium,
            max_transmission_unit,
            tx_checksum: TxChecksum::empty(),
            max_segmentation_len: 0,
            max_burst_size: None,
            max_tag_len: 0,
        }
    }
}

/// State of the physical link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkState {
    /// Whether frames can pass.
    pub up: bool,
    /// In kbit/s; 0 if unknown.
    pub speed: u32,
    /// Whether both directions work at once.
    pub full_duplex: bool,
}

impl LinkState {
    /// Up, at a speed that nobody knows.
    pub const UP: LinkState = LinkState { up: true, speed: 0, full_duplex: true };
    /// Down.
    pub const DOWN: LinkState = LinkState { up: false, speed: 0, full_duplex: true };
}

/// What a device knows about a received frame.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RxMeta {
    /// The device vouches for the transport checksum; it need not be verified again.
    pub checksum_ok: bool,
    /// The transport checksum was never completed, since the frame crossed no wire: who sends it on has to.
    pub checksum_partial: bool,
    /// When the frame arrived, in ns of the device's clock; 0 if unknown, and then sockets are told when it was polled.
    pub timestamp: u64,
    /// Payload octets per segment, if this frame is several that were coalesced; 0 if not.
    pub segment_len: u16,
    /// A number of the caller's that names the packet; 0 for none.
    pub packet_id: u32,
}

/// What the device shall do with a frame to be sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TxMeta {
    /// Where the sum that the device completes begins, in octets of the frame; 0 for no sum.
    pub checksum_start: u16,
    /// Where the checksum field stands, in octets after `checksum_start`.
    pub checksum_offset: u16,
    /// Payload octets per segment, if the device shall cut the frame; 0 if not.
    pub segment_len: u16,
    /// A number of the caller's that names the packet; 0 for none.
    pub packet_id: u32,
}

/// A received frame.
pub trait RxToken {
    /// What the device knows about the frame.
    fn meta(&self) -> RxMeta {
        RxMeta::default()
    }

    /// Calls `f` with the frame's octets and gives the driver its memory back.
    fn consume<R, F>(self, f: F) -> R
    where
        F: FnOnce(&[u8]) -> R;
}

/// Room for one frame.
pub trait TxToken {
    /// Says what the device shall do with the frame. Devices that announce no offload can ignore it.
    fn set_meta(&mut self, _meta: TxMeta) {}

    /// Calls `f` with `len` octets to fill, then sends them. The octets hold anything before.
    ///
    /// `len` is at most the device's MTU, or what it announced for segmentation.
    fn consume<R, F>(self, len: usize, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R;
}

/// A network device that is driven by tokens.
pub trait Device {
    /// A received frame.
    type RxToken<'a>: RxToken
    where
        Self: 'a;
    /// Room for a frame.
    type TxToken<'a>: TxToken
    where
        Self: 'a;

    /// The next received frame, with room for an answer to it.
    ///
    /// Without room there is no second token, and reception goes on all the same.
    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)>;

    /// Room for one frame, or `None` if the device is busy.
    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>>;

    /// What the device can do. It must not change while an interface uses the device.
    fn capabilities(&self) -> DeviceCapabilities;

    /// The address that the hardware came with.
    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ip
    }

    /// State of the link.
    fn link(&self) -> LinkState {
        LinkState::UP
    }

    /// When the device itself wants to be polled next, if ever (a simulated link, a serial line).
    fn poll_at(&mut self, _now: Instant) -> Option<Instant> {
        None
    }

    /// Asks to be woken when a frame has come, room has been made, or the link has changed.
    fn register_waker(&mut self, _waker: &Waker) {}

    /// The link-layer groups that frames are wanted for; a device that can't filter takes all.
    fn set_multicast_filter(&mut self, _groups: &[HardwareAddress]) {}

    /// The next sent frame whose departure was stamped: its packet id, and ns of the device's clock.
    fn tx_done(&mut self) -> Option<(u32, u64)> {
        None
    }
}

/// A borrowed device is a device, so that one may be wrapped for a while.
impl<D: Device> Device for &mut D {
    type RxToken<'a>
        = D::RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = D::TxToken<'a>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        (**self).receive(now)
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        (**self).transmit(now)
    }

    pass_on!(self => (**self));
}

/// Room for at most one frame, object-safe.
pub(crate) trait TxSlot {
    /// Sends a frame of `len` octets that `f` fills. `false`, and nothing sent, if there is no room.
    fn send(&mut self, len: usize, meta: TxMeta, f: &mut dyn FnMut(&mut [u8])) -> bool;
}

impl<T: TxToken> TxSlot for Option<T> {
    fn send(&mut self, len: usize, meta: TxMeta, f: &mut dyn FnMut(&mut [u8])) -> bool {
        let Some(mut token) = self.take() else { return false };
        token.set_meta(meta);
        token.consume(len, |frame| f(frame));
        true
    }
}

/// The transmitting half of a device, object-safe.
pub trait DynTransmit {
    /// Sends a frame of `len` octets that `f` fills. `false`, and nothing sent, if there is no room.
    fn send_dyn(&mut self, now: Instant, len: usize, meta: TxMeta, f: &mut dyn FnMut(&mut [u8])) -> bool;
}

impl<D: Device> DynTransmit for D {
    fn send_dyn(&mut self, now: Instant, len: usize, meta: TxMeta, f: &mut dyn FnMut(&mut [u8])) -> bool {
        self.transmit(now).send(len, meta, f)
    }
}

/// What a router asks a port for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortStatus {
    /// What the device can do.
    pub capabilities: DeviceCapabilities,
    /// State of the link.
    pub link: LinkState,
    /// When the device wants to be polled.
    pub poll_at: Option<Instant>,
}

/// What the frames that [`DynDevice::receive_dyn`] receives are given to: what is known of the frame, its
/// octets, and a slot for an answer on the same port.
pub type Receiver<'r> = dyn FnMut(RxMeta, &[u8], &mut dyn AnswerSlot) + 'r;

/// Room for an answer to the frame that is being received.
///
/// Sealed: only the engine calls it, and every `Option<impl TxToken>` is one.
#[allow(private_bounds)]
pub trait AnswerSlot: TxSlot {}
impl<T: TxToken> AnswerSlot for Option<T> {}

/// The object-safe view of a [`Device`]: every device has it by itself.
///
/// Three methods and no more: an unused entry of a vtable is never stripped from a firmware image.
pub trait DynDevice: DynTransmit {
    /// Receives one frame, if there is one, and says whether there was.
    fn receive_dyn(&mut self, now: Instant, f: &mut Receiver<'_>) -> bool;

    /// Capabilities, link and next poll of the device.
    fn status(&mut self, now: Instant) -> PortStatus;

    /// As [`Device::set_multicast_filter`].
    #[cfg(feature = "iface-multicast")]
    fn set_filter(&mut self, groups: &[HardwareAddress]);
}

impl<D: Device> DynDevice for D {
    fn receive_dyn(&mut self, now: Instant, f: &mut Receiver<'_>) -> bool {
        let Some((rx, mut tx)) = self.receive(now) else { return false };
        let meta = rx.meta();
        rx.consume(|frame| f(meta, frame, &mut tx));
        true
    }

    fn status(&mut self, now: Instant) -> PortStatus {
        PortStatus { capabilities: self.capabilities(), link: self.link(), poll_at: self.poll_at(now) }
    }

    #[cfg(feature = "iface-multicast")]
    fn set_filter(&mut self, groups: &[HardwareAddress]) {
        self.set_multicast_filter(groups);
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Probe;
    use super::*;

    /// A stack and its devices may move to another thread.
    #[test]
    fn every_device_is_send() {
        fn is_send<T: Send>() {}
        is_send::<(Medium, HardwareAddress, DeviceCapabilities, LinkState, RxMeta, TxMeta, PortStatus)>();
        #[cfg(feature = "phy-loopback")]
        is_send::<(Loopback, LoopbackRxToken<'_>, LoopbackTxToken<'_>)>();
        #[cfg(feature = "phy-sim")]
        is_send::<(SimLink, SimPort, SimConfig, SimRng, PathCounters, SimRxToken<'_>, SimTxToken<'_>)>();
        #[cfg(feature = "phy-sim")]
        is_send::<(FaultInjector<SimPort>, FaultConfig, FaultCounters, FaultRxToken<'_>)>();
        #[cfg(feature = "phy-pcap")]
        is_send::<(PcapWriter<Probe, std::fs::File>, PcapOptions, PcapReplay<std::fs::File>, ReplayError)>();
        #[cfg(feature = "phy-queue")]
        is_send::<(PacketQueue<'_>, QueueRxToken<'_>, QueueTxToken<'_>)>();
        #[cfg(feature = "phy-tracer")]
        is_send::<(Tracer<Probe, fn(Instant, TracedFrame<'_>)>, TracedFrame<'_>)>();
        #[cfg(all(target_os = "linux", feature = "phy-tuntap"))]
        is_send::<(TunTapInterface, TunTapError, TunTapRxToken<'_>, TunTapTxToken<'_>)>();
        #[cfg(all(target_os = "linux", feature = "phy-raw"))]
        is_send::<(RawSocket, RawSocketError, RawSocketRxToken<'_>, RawSocketTxToken<'_>)>();
        #[cfg(all(target_os = "linux", any(feature = "phy-tuntap", feature = "phy-raw")))]
        is_send::<(KernelInterface, KernelError, NetnsError, SystemCounters)>();
    }

    #[test]
    fn a_borrowed_device_passes_every_method_on() {
        #[cfg(feature = "medium-ip")]
        let medium = Medium::Ip;
        #[cfg(not(feature = "medium-ip"))]
        let medium = Medium::Ethernet;
        let mut probe = Probe::new(medium);
        probe.to_receive.push(vec![1]);
        let mut borrowed = &mut probe;
        testing::assert_passes_on(&mut borrowed, |device| device);
        testing::assert_passes_meta_on(&mut borrowed, |device| device);
    }
}
