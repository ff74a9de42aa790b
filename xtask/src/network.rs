//! A network of this process's own: a namespace that nobody else sees and that needs no cleaning up.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The interface's name on the host's side.
pub(crate) const TAP: &str = "goldcrest0";
/// The host's addresses, with prefix lengths.
pub(crate) const HOST: [&str; 2] = ["192.168.69.100/24", "fd00:69::100/64"];

/// Puts this process, and those that it starts from now on, into a network namespace of its own with
/// one TAP. Other users than root need the right to have user namespaces and to open /dev/net/tun.
pub(crate) fn enter() -> Result<()> {
    // SAFETY: these calls take no pointers; no other thread runs yet that could be surprised.
    let done = unsafe {
        let flags = if libc::geteuid() == 0 { 0 } else { libc::CLONE_NEWUSER };
        let (uid, gid) = (libc::geteuid(), libc::getegid());
        let done = libc::unshare(libc::CLONE_NEWNET | flags);
        if done == 0 && flags != 0 {
            become_root(uid, gid)?;
        }
        done
    };
    if done != 0 {
        bail!("no network namespace: {} (run as root)", io::Error::last_os_error());
    }
    ip("link set lo up")?;
    ip(&format!("tuntap add {TAP} mode tap")).context("no TAP (may /dev/net/tun be opened?)")?;
    for address in HOST {
        let nodad = if address.contains(':') { " nodad" } else { "" };
        ip(&format!("address add {address} dev {TAP}{nodad}"))?;
    }
    ip(&format!("link set {TAP} up"))
}

/// Maps the user to root of the new user namespace.
fn become_root(uid: u32, gid: u32) -> Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(())
}

fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().context("cannot run ip")?;
    if !output.status.success() {
        bail!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Frames on the TAP, in the raw.
pub(crate) struct RawSocket {
    socket: OwnedFd,
}

impl RawSocket {
    /// A socket for the frames of one EtherType.
    pub(crate) fn open(ethertype: u16) -> Result<RawSocket> {
        // SAFETY: `socket` takes no pointers, and what it returns is ours alone.
        let socket = unsafe {
            let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(ethertype.to_be()));
            if fd < 0 {
                bail!("no packet socket: {}", io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        let name = std::ffi::CString::new(TAP)?;
        // SAFETY: all zeros is a valid sockaddr_ll; the name ends with a zero; `bind` gets the size of what
        // it reads.
        let bound = unsafe {
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = ethertype.to_be();
            address.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
            let len = size_of::<libc::sockaddr_ll>() as u32;
            libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len)
        };
        if bound != 0 {
            bail!("cannot bind the packet socket: {}", io::Error::last_os_error());
        }
        Ok(RawSocket { socket })
    }

    /// Sends a frame.
    pub(crate) fn send(&self, frame: &[u8]) -> Result<()> {
        // SAFETY: pointer and length are one slice's.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent != frame.len() as isize {
            bail!("cannot send {} octets: {}", frame.len(), io::Error::last_os_error());
        }
        Ok(())
    }

    /// The next frame that came in, `None` after `timeout` without one.
    pub(crate) fn receive(&self, timeout: Duration) -> Result<Option<Vec<u8>>> {
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, as the count says.
        if unsafe { libc::poll(&raw mut poll, 1, timeout.as_millis() as i32) } <= 0 {
            return Ok(None);
        }
        let mut frame = vec![0; 2_048];
        // SAFETY: pointer and length are one vector's.
        let len = unsafe { libc::recv(self.socket.as_raw_fd(), frame.as_mut_ptr().cast(), frame.len(), 0) };
        if len < 0 {
            bail!("cannot receive: {}", io::Error::last_os_error());
        }
        frame.truncate(len as usize);
        Ok(Some(frame))
    }
}
