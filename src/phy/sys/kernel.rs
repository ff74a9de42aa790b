//! The kernel's side of an interface: bring it up, give it addresses and routes, switch offloads off.
//!
//! So that a program can make its own network without `ip` being installed. All of it needs
//! CAP_NET_ADMIN, which a program has in a network namespace of its own.

use std::net::IpAddr;
use std::{error, fmt, fs, io};

use super::call;
use super::netlink::{
    IFA_ADDRESS, IFA_LOCAL, IFLA_IFNAME, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MTU, RTA_DST,
    RTA_GATEWAY, RTA_OIF, Request, VETH_INFO_PEER,
};

/// linux/ethtool.h: checksums on transmission.
const ETHTOOL_STXCSUM: u32 = 0x17;
/// linux/ethtool.h: segmentation in software.
const ETHTOOL_SGSO: u32 = 0x24;
/// linux/ethtool.h: TCP segmentation.
const ETHTOOL_STSO: u32 = 0x1f;

/// The kernel refused to do something with an interface.
#[derive(Debug)]
pub struct KernelError {
    action: &'static str,
    interface: String,
    source: io::Error,
}

impl KernelError {
    fn new<'a>(action: &'static str, interface: &'a str) -> impl FnOnce(io::Error) -> KernelError + use<'a> {
        move |source| KernelError { action, interface: interface.to_owned(), source }
    }

    /// Whether the right to do it is what was missing.
    pub fn is_not_allowed(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }

    /// What the kernel said.
    pub fn io_error(&self) -> &io::Error {
        &self.source
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.interface, self.source)?;
        if self.is_not_allowed() {
            f.write_str(" (run as root, with CAP_NET_ADMIN, or in a network namespace of your own)")?;
        }
        Ok(())
    }
}

impl error::Error for KernelError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}

/// An interface of the kernel's, in the network namespace of the calling thread.
#[derive(Debug, Clone)]
pub struct KernelInterface {
    name: String,
    index: u32,
}

impl KernelInterface {
    /// The interface called `name`.
    pub fn by_name(name: &str) -> Result<KernelInterface, KernelError> {
        let index = call::interface_index(name).map_err(KernelError::new("find", name))?;
        Ok(KernelInterface { name: name.to_owned(), index })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number, which is also the zone of its link-local addresses.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Brings it up.
    pub fn set_up(&self) -> Result<(), KernelError> {
        let request = Request::new(libc::RTM_NEWLINK, 0);
        let up = libc::IFF_UP as u32;
        request.link(self.index, up, up).send().map_err(self.failed("bring up"))
    }

    /// Takes it down.
    pub fn set_down(&self) -> Result<(), KernelError> {
        let request = Request::new(libc::RTM_NEWLINK, 0);
        request.link(self.index, 0, libc::IFF_UP as u32).send().map_err(self.failed("take down"))
    }

    /// Sets the IP MTU, in octets.
    pub fn set_mtu(&self, mtu: u32) -> Result<(), KernelError> {
        let request = Request::new(libc::RTM_NEWLINK, 0).link(self.index, 0, 0);
        request.attribute(IFLA_MTU, &mtu.to_ne_bytes()).send().map_err(self.failed("set the MTU of"))
    }

    /// Gives the kernel an address on it, at once usable: no duplicate address detection.
    pub fn add_address(&self, address: IpAddr, prefix_len: u8) -> Result<(), KernelError> {
        let (family, octets) = split(address);
        let no_detection = libc::IFA_F_NODAD as u8;
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        let [a, b, c, d] = self.index.to_ne_bytes();
        Request::new(libc::RTM_NEWADDR, flags)
            .octets(&[family, prefix_len, no_detection, 0, a, b, c, d])
            .attribute(IFA_LOCAL, &octets)
            .attribute(IFA_ADDRESS, &octets)
            .send()
            .map_err(self.failed("add an address to"))
    }

    /// Gives the kernel a route that leaves by it.
    pub fn add_route(
        &self,
        destination: IpAddr,
        prefix_len: u8,
        gateway: Option<IpAddr>,
    ) -> Result<(), KernelError> {
        let (family, octets) = split(destination);
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        let scope = if gateway.is_some() { libc::RT_SCOPE_UNIVERSE } else { libc::RT_SCOPE_LINK };
        let (table, protocol) = (libc::RT_TABLE_MAIN, libc::RTPROT_STATIC);
        let header = [family, prefix_len, 0, 0, table, protocol, scope, libc::RTN_UNICAST, 0, 0, 0, 0];
        let mut request = Request::new(libc::RTM_NEWROUTE, flags).octets(&header);
        request = request.attribute(RTA_DST, &octets).attribute(RTA_OIF, &self.index.to_ne_bytes());
        if let Some(gateway) = gateway {
            request = request.attribute(RTA_GATEWAY, &split(gateway).1);
        }
        request.send().map_err(self.failed("add a route to"))
    }

    /// Makes the kernel complete the checksums and cut the segments of what it sends here.
    ///
    /// Otherwise frames on a veth have neither, since nothing on the way could damage them.
    pub fn disable_tx_offload(&self) -> Result<(), KernelError> {
        call::ethtool_set(&self.name, ETHTOOL_STXCSUM, 0)
            .map_err(self.failed("switch checksum offload off on"))?;
        // Both follow from the first in today's kernels, and not every interface knows them.
        let _ = call::ethtool_set(&self.name, ETHTOOL_STSO, 0);
        let _ = call::ethtool_set(&self.name, ETHTOOL_SGSO, 0);
        Ok(())
    }

    /// Keeps the kernel's own IPv6 off it: no link-local address, no solicitations.
    ///
    /// Does nothing if the kernel was built without IPv6.
    pub fn disable_ipv6(&self) -> Result<(), KernelError> {
        self.set_ipv6_option("disable_ipv6", "1").map_err(self.failed("disable IPv6 on"))
    }

    /// Makes the kernel's own IPv6 addresses usable without duplicate address detection, which takes a
    /// second. Does nothing if the kernel was built without IPv6.
    pub fn disable_dad(&self) -> Result<(), KernelError> {
        self.set_ipv6_option("accept_dad", "0").map_err(self.failed("disable duplicate address detection on"))
    }

    fn set_ipv6_option(&self, option: &str, value: &str) -> io::Result<()> {
        match fs::write(format!("/proc/sys/net/ipv6/conf/{}/{option}", self.name), value) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Whether it is up and has a carrier.
    pub fn is_running(&self) -> Result<bool, KernelError> {
        let flags = call::interface_flags(&self.name).map_err(self.failed("ask for the state of"))?;
        let running = libc::IFF_UP | libc::IFF_RUNNING;
        Ok(flags & running == running)
    }

    /// Its IP MTU, in octets.
    pub fn mtu(&self) -> Result<usize, KernelError> {
        call::interface_mtu(&self.name).map_err(self.failed("ask for the MTU of"))
    }

    /// Its address, if it is of Ethernet's kind.
    pub fn ethernet_address(&self) -> Result<Option<[u8; 6]>, KernelError> {
        let (kind, octets) = self.link_kind()?;
        Ok((kind == libc::ARPHRD_ETHER).then_some(octets))
    }

    /// `ARPHRD_ETHER` and its kin, and the first octets of its address.
    pub(super) fn link_kind(&self) -> Result<(u16, [u8; 6]), KernelError> {
        call::interface_address(&self.name).map_err(self.failed("ask for the address of"))
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> KernelError + use<'_> {
        KernelError::new(action, &self.name)
    }
}

fn split(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (libc::AF_INET as u8, address.octets().to_vec()),
        IpAddr::V6(address) => (libc::AF_INET6 as u8, address.octets().to_vec()),
    }
}

/// Makes two interfaces that are the ends of a virtual cable. They go with the namespace.
pub fn veth_pair(first: &str, second: &str) -> Result<(KernelInterface, KernelInterface), KernelError> {
    Request::new(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL)
        .link(0, 0, 0)
        .string(IFLA_IFNAME, first)
        .nest(IFLA_LINKINFO, |info| {
            info.attribute(IFLA_INFO_KIND, b"veth").nest(IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |peer| peer.link(0, 0, 0).string(IFLA_IFNAME, second))
            })
        })
        .send()
        .map_err(KernelError::new("make a veth pair with", first))?;
    Ok((KernelInterface::by_name(first)?, KernelInterface::by_name(second)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        let error = KernelInterface::by_name("nosuch0").unwrap_err();
        assert!(error.to_string().starts_with("cannot find nosuch0: "), "{error}");
        assert!(!error.is_not_allowed());
        assert!(KernelInterface::by_name("zero\0inside").is_err());
    }

    #[test]
    fn the_loopback_can_be_asked_about() {
        let Ok(lo) = KernelInterface::by_name("lo") else { return };
        assert!(lo.mtu().unwrap() >= 1_280);
        assert_eq!(lo.ethernet_address().unwrap(), None);
        assert!(lo.is_running().is_ok());
    }

    #[test]
    fn an_error_of_rights_says_how_to_get_them() {
        let refused = io::Error::from_raw_os_error(libc::EPERM);
        let error = KernelError::new("bring up", "tap0")(refused);
        assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
    }
}
