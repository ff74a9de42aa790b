//! Runs Goldcrest on any device driver that was written for smoltcp 0.14.
//!
//! ```
//! use goldcrest::phy::Device as _;
//! use goldcrest_smoltcp::FromSmoltcp;
//!
//! let driver = smoltcp::phy::Loopback::new(smoltcp::phy::Medium::Ethernet);
//! let device = FromSmoltcp::new(driver);
//! assert_eq!(device.capabilities().medium, goldcrest::phy::Medium::Ethernet);
//! ```
//!
//! Checksums that the driver's hardware verifies or computes are verified and computed again in software:
//! smoltcp's drivers say what they can do, but not what they have done to a frame.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

use goldcrest::phy::{Device, DeviceCapabilities, HardwareAddress, Medium, RxToken, TxToken};
use goldcrest::time::Instant;
use smoltcp::phy as theirs;

/// A smoltcp device as one of ours.
#[derive(Debug)]
pub struct FromSmoltcp<D> {
    inner: D,
    hardware_address: HardwareAddress,
}

impl<D: theirs::Device> FromSmoltcp<D> {
    /// Wraps a driver.
    ///
    /// smoltcp's devices don't know their address: the interface's configuration says which it is, or
    /// [`with_hardware_address`](Self::with_hardware_address) does.
    pub fn new(inner: D) -> FromSmoltcp<D> {
        FromSmoltcp { inner, hardware_address: HardwareAddress::Ip }
    }

    /// The same, with the address that the hardware came with.
    pub fn with_hardware_address(mut self, address: HardwareAddress) -> FromSmoltcp<D> {
        self.hardware_address = address;
        self
    }

    /// The driver.
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.inner
    }

    /// The driver, for good.
    pub fn into_inner(self) -> D {
        self.inner
    }
}

/// A received frame.
#[derive(Debug)]
pub struct Rx<T>(T);

impl<T: theirs::RxToken> RxToken for Rx<T> {
    fn consume<R, F>(self, f: F) -> R
    where
        F: FnOnce(&[u8]) -> R,
    {
        self.0.consume(f)
    }
}

/// Room for a frame.
#[derive(Debug)]
pub struct Tx<T>(T);

impl<T: theirs::TxToken> TxToken for Tx<T> {
    fn consume<R, F>(self, len: usize, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R,
    {
        self.0.consume(len, f)
    }
}

fn their_time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(now.total_micros())
}

impl<D: theirs::Device> Device for FromSmoltcp<D> {
    type RxToken<'a>
        = Rx<D::RxToken<'a>>
    where
        Self: 'a;
    type TxToken<'a>
        = Tx<D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        let (rx, tx) = self.inner.receive(their_time(now))?;
        Some((Rx(rx), Some(Tx(tx))))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.inner.transmit(their_time(now)).map(Tx)
    }

    /// # Panics
    /// If the device is neither Ethernet nor bare IP.
    fn capabilities(&self) -> DeviceCapabilities {
        let capabilities = self.inner.capabilities();
        let medium = match capabilities.medium {
            theirs::Medium::Ethernet => Medium::Ethernet,
            theirs::Medium::Ip => Medium::Ip,
            #[allow(unreachable_patterns)] // other media, if another crate switches them on
            _ => panic!("only Ethernet and bare IP are supported"),
        };
        let mut ours = DeviceCapabilities::new(medium, capabilities.max_transmission_unit);
        ours.max_burst_size = capabilities.max_burst_size;
        ours
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.hardware_address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goldcrest::iface::{Config, Interface, NoHandler, SocketSet};
    use goldcrest::rand::Keys;
    use goldcrest::socket::udp;
    use goldcrest::wire::{IpAddress, IpCidr};

    /// Two stacks talk over one smoltcp loopback device: what one sends, the other receives.
    #[test]
    fn a_datagram_crosses_a_smoltcp_device() {
        let mut device = FromSmoltcp::new(theirs::Loopback::new(theirs::Medium::Ip));
        let now = Instant::from_secs(1);
        let socket = || {
            let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 100]);
            udp::Socket::new(buffer(), buffer())
        };
        let mut end = |last: u8| {
            let mut iface = Interface::new(Config::new(HardwareAddress::Ip), &mut device, now);
            iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24)).unwrap();
            let mut sockets = SocketSet::with_capacity(1, Keys::new([last; 32]));
            let handle = sockets.add(socket());
            sockets.bind(handle, 7).unwrap();
            (iface, sockets, handle)
        };
        let (mut a, mut b) = (end(1), end(2));
        a.1.get_mut::<udp::Socket>(a.2).send_slice(b"across", (IpAddress::v4(10, 0, 0, 2), 7)).unwrap();
        a.0.poll_egress(now, &mut device, &mut a.1, &mut NoHandler, Default::default());
        b.0.poll(now, &mut device, &mut b.1);
        let mut data = [0; 16];
        let (len, meta) = b.1.get_mut::<udp::Socket>(b.2).recv_slice(&mut data).unwrap();
        assert_eq!(&data[..len], b"across");
        assert_eq!(meta.endpoint.addr, IpAddress::v4(10, 0, 0, 1));
    }
}
