//! UDP from the kernel over a veth pair whose offloads are left on, many datagrams in one call (`UDP_SEGMENT`): they come
//! to a raw socket in one frame, and to the stack one by one, with lengths and checksums of their own.
#![cfg(all(target_os = "linux", feature = "phy-raw", feature = "phy-tuntap"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/veth.rs"]
mod veth;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use captured::Captured;
use goldcrest::iface::{Config, Interface, SocketSet};
use goldcrest::phy::{
    Device, DeviceCapabilities, HardwareAddress, LinkState, RawSocket, RawSocketRxToken, RxMeta, RxToken,
    unshare_network, wait,
};
use goldcrest::rand::Keys;
use goldcrest::socket::udp;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::IpCidr;
use skip::skip;
use veth::{KERNEL, OURS, PREFIX_LEN};

const PORT: u16 = 45_678;
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// A raw socket that vouches for nothing, so that the stack looks at each checksum.
struct Doubted(RawSocket);

struct DoubtedRxToken<'a>(RawSocketRxToken<'a>);

impl RxToken for DoubtedRxToken<'_> {
    fn meta(&self) -> RxMeta {
        assert_eq!(self.0.meta().segment_len, 0, "what the stack gets is whole");
        RxMeta::default()
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.consume(f)
    }
}

impl Device for Doubted {
    type RxToken<'a> = DoubtedRxToken<'a>;
    type TxToken<'a> = <RawSocket as Device>::TxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        self.0.receive(now).map(|(rx, tx)| (DoubtedRxToken(rx), tx))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.0.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.0.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.0.hardware_address()
    }

    fn link(&self) -> LinkState {
        self.0.link()
    }
}

/// A socket of the kernel's that cuts what it sends into datagrams of `len` octets.
fn cutting(from: IpAddr, len: i32) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::new(from, 0)).unwrap();
    // SAFETY: an option that is an int, with its size.
    let result = unsafe {
        let size = size_of::<i32>() as libc::socklen_t;
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            std::ptr::from_ref(&len).cast(),
            size,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    socket
}

#[test]
fn datagrams_that_the_kernel_sends_together_come_one_by_one() {
    if let Err(error) = unshare_network() {
        return skip(&error.to_string());
    }
    let mut device = Captured::new(Doubted(veth::veth()), "udp-segment");
    let config = Config::new(device.hardware_address());
    let mut iface = Interface::new(config, &mut device, Instant::now());
    let mut sockets = SocketSet::with_capacity(2, Keys::new([7; 32]));
    for (address, prefix_len) in OURS.into_iter().zip(PREFIX_LEN) {
        iface.add_address(IpCidr::new(address.into(), prefix_len)).unwrap();
    }
    let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 64], vec![0; 1 << 16]);
    let handle = sockets.add(udp::Socket::new(queue(), queue()));
    sockets.bind(handle, PORT).unwrap();

    // Whole ones and a shorter one at the end, one of an octet, one of an odd length; many and two.
    for (len, segment_len) in [(9_500, 1_000), (40_001, 1_000), (2_000, 1_001), (50, 1), (2_800, 1_400)] {
        for (kernel, ours) in KERNEL.into_iter().zip(OURS) {
            let sent: Vec<u8> = (0..len).map(|at| (at * 7 % 251) as u8).collect();
            let socket = cutting(kernel, segment_len);
            assert_eq!(socket.send_to(&sent, SocketAddr::new(ours, PORT)).unwrap(), sent.len());
            let port = socket.local_addr().unwrap().port();
            let mut wanted = sent.chunks(segment_len as usize);
            let end = Instant::now() + PATIENCE;
            while wanted.len() > 0 {
                let now = Instant::now();
                assert!(
                    now < end,
                    "{} more of {len} octets to {ours}: {:?}",
                    wanted.len(),
                    device.0.counters()
                );
                iface.poll(now, &mut device, &mut sockets);
                while let Ok((data, meta)) = sockets.get_mut::<udp::Socket>(handle).recv() {
                    assert_eq!((meta.endpoint.addr, meta.endpoint.port), (kernel.into(), port));
                    assert!(Some(data) == wanted.next(), "{} octets", data.len());
                }
                wait(device.0.as_raw_fd(), Some(Duration::from_millis(2))).unwrap();
            }
        }
    }
    assert_eq!(device.0.counters().rx_errors, 0);
    assert_eq!(iface.stats().drops(goldcrest::stats::DropReason::Checksum), 0);
}
