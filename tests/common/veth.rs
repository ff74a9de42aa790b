//! A wire to the kernel whose offloads are left on, with a raw socket of ours on the other end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use goldcrest::phy::{Medium, RawSocket, veth_pair};

pub(crate) const KERNEL: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 69, 0, 1)), ipv6(1)];
pub(crate) const OURS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 69, 0, 2)), ipv6(2)];
pub(crate) const PREFIX_LEN: [u8; 2] = [24, 64];

const fn ipv6(host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x69, 0, 0, 0, 0, 0, host))
}

/// Makes it in this thread's network, and gives the kernel its addresses.
pub(crate) fn veth() -> RawSocket {
    let (kernel, ours) = veth_pair("kernel0", "ours0").unwrap();
    ours.disable_ipv6().unwrap();
    kernel.disable_dad().unwrap();
    kernel.set_up().unwrap();
    for (address, prefix_len) in KERNEL.into_iter().zip(PREFIX_LEN) {
        kernel.add_address(address, prefix_len).unwrap();
    }
    ours.set_up().unwrap();
    RawSocket::new("ours0", Medium::Ethernet).unwrap()
}
