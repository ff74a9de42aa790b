//! The system calls, each in a safe function.
//!
//! Every `unsafe` block here hands the kernel pointers to values that live on the caller's stack or in
//! its slices until the call returns, with their true lengths; descriptors come from the standard
//! library's owning types.

use std::ffi::{CStr, CString};
#[cfg(feature = "phy-tuntap")]
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use libc::{c_int, ifreq};

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_len(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn invalid_name() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}

/// An all-zero `ifreq` with a name; an error if the name does not fit.
fn named_request(name: &str) -> io::Result<ifreq> {
    // SAFETY: `ifreq` is plain data for which all octets zero are valid in every variant.
    let mut request: ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    if name.len() >= libc::IFNAMSIZ || name.bytes().any(|octet| octet == 0) {
        return Err(invalid_name());
    }
    for (place, octet) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = octet as libc::c_char;
    }
    Ok(request)
}

#[cfg(feature = "phy-tuntap")]
fn name_of(request: &ifreq) -> String {
    let octets = request.ifr_name.iter().map(|&octet| octet as u8).take_while(|&octet| octet != 0);
    String::from_utf8_lossy(&octets.collect::<Vec<_>>()).into_owned()
}

/// A socket, closed on exec.
pub(super) fn socket(domain: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel just gave us this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The index of the interface called `name` in this network namespace.
pub(super) fn interface_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name).map_err(|_| invalid_name())?;
    // SAFETY: a string with its zero at the end.
    match unsafe { libc::if_nametoindex(CStr::as_ptr(&name)) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// A socket that only interface questions are asked with.
fn control_socket() -> io::Result<OwnedFd> {
    socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)
}

fn ask(name: &str, question: libc::c_ulong) -> io::Result<ifreq> {
    let mut request = named_request(name)?;
    let socket = control_socket()?;
    // SAFETY: a valid `ifreq`, as all SIOCGIF questions take.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), question as _, &mut request) })?;
    Ok(request)
}

/// The IP MTU in octets.
pub(super) fn interface_mtu(name: &str) -> io::Result<usize> {
    let answer = ask(name, libc::SIOCGIFMTU as _)?;
    // SAFETY: SIOCGIFMTU fills this variant.
    Ok(unsafe { answer.ifr_ifru.ifru_mtu }.max(0) as usize)
}

/// `IFF_UP` and its kin.
pub(super) fn interface_flags(name: &str) -> io::Result<c_int> {
    let answer = ask(name, libc::SIOCGIFFLAGS as _)?;
    // SAFETY: SIOCGIFFLAGS fills this variant.
    Ok(c_int::from(unsafe { answer.ifr_ifru.ifru_flags }))
}

/// The kind of link (`ARPHRD_ETHER` and its kin) and the first six octets of its address.
pub(super) fn interface_address(name: &str) -> io::Result<(u16, [u8; 6])> {
    let answer = ask(name, libc::SIOCGIFHWADDR as _)?;
    // SAFETY: SIOCGIFHWADDR fills this variant.
    let address = unsafe { answer.ifr_ifru.ifru_hwaddr };
    let mut octets = [0; 6];
    for (octet, &value) in octets.iter_mut().zip(&address.sa_data) {
        *octet = value as u8;
    }
    Ok((address.sa_family, octets))
}

/// Switches one of an interface's features by its `ETHTOOL_S…` command of one value.
pub(super) fn ethtool_set(name: &str, command: u32, value: u32) -> io::Result<()> {
    #[repr(C)]
    struct EthtoolValue {
        command: u32,
        value: u32,
    }
    let mut request = named_request(name)?;
    let mut order = EthtoolValue { command, value };
    request.ifr_ifru.ifru_data = ptr::from_mut(&mut order).cast();
    let socket = control_socket()?;
    // SAFETY: the request points to an order of the size that commands of one value have; both live on.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &mut request) })?;
    Ok(())
}

/// Makes an opened `/dev/net/tun` an interface, and says what it is called.
#[cfg(feature = "phy-tuntap")]
pub(super) fn tun_set_interface(file: &File, name: &str, flags: c_int) -> io::Result<String> {
    let mut request = named_request(name)?;
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: a valid `ifreq`, as TUNSETIFF takes.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &mut request) })?;
    Ok(name_of(&request))
}

/// The `IFF_` flags that the kernel knows.
#[cfg(feature = "phy-tuntap")]
pub(super) fn tun_features(file: &File) -> io::Result<c_int> {
    let mut flags: libc::c_uint = 0;
    // SAFETY: a place for the number that TUNGETFEATURES gives.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNGETFEATURES as _, &mut flags) })?;
    Ok(flags as c_int)
}

/// Says which frames of the kernel's the reader takes as they are (`TUN_F_`).
#[cfg(feature = "phy-tuntap")]
pub(super) fn tun_set_offload(file: &File, offloads: libc::c_uint) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETOFFLOAD as _, libc::c_ulong::from(offloads)) })?;
    Ok(())
}

/// Binds a packet socket to an interface, for frames of all protocols.
#[cfg(feature = "phy-raw")]
pub(super) fn bind_packet(socket: &OwnedFd, index: u32) -> io::Result<()> {
    // SAFETY: plain data for which zero is valid.
    let mut address: libc::sockaddr_ll = unsafe { MaybeUninit::zeroed().assume_init() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index as c_int;
    let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: a `sockaddr_ll` with its length.
    check(unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), len) })?;
    Ok(())
}

/// Sets an option to a plain value.
#[cfg(feature = "phy-raw")]
pub(super) fn set_option<T: Copy>(socket: &OwnedFd, level: c_int, name: c_int, value: T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    let value = ptr::from_ref(&value).cast::<libc::c_void>();
    // SAFETY: a value that lives on, with its length.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value, len) })?;
    Ok(())
}

/// Sends one message.
pub(super) fn send(socket: &OwnedFd, octets: &[u8]) -> io::Result<usize> {
    // SAFETY: a slice with its length.
    let sent =
        unsafe { libc::send(socket.as_raw_fd(), octets.as_ptr().cast(), octets.len(), libc::MSG_NOSIGNAL) };
    check_len(sent)
}

/// Receives one message.
pub(super) fn receive(socket: &OwnedFd, octets: &mut [u8]) -> io::Result<usize> {
    // SAFETY: a slice with its length.
    let received = unsafe { libc::recv(socket.as_raw_fd(), octets.as_mut_ptr().cast(), octets.len(), 0) };
    check_len(received)
}

/// A frame that a packet socket received.
#[cfg(feature = "phy-raw")]
pub(super) struct PacketInfo {
    /// Octets of the frame; more than the buffer's if it was cut.
    pub(super) len: usize,
    /// Whether this host sent it.
    pub(super) is_outgoing: bool,
    /// What the kernel knows besides.
    pub(super) aux: Option<libc::tpacket_auxdata>,
}

/// Receives one frame with what the kernel knows about it.
#[cfg(feature = "phy-raw")]
pub(super) fn receive_packet(socket: &OwnedFd, octets: &mut [u8]) -> io::Result<PacketInfo> {
    // Room for one control message with auxiliary data; u64 for its alignment.
    let mut control = [0_u64; 8];
    // SAFETY: plain data for which zero is valid.
    let mut address: libc::sockaddr_ll = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut piece = libc::iovec { iov_base: octets.as_mut_ptr().cast(), iov_len: octets.len() };
    // SAFETY: plain data for which zero is valid.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_name = ptr::from_mut(&mut address).cast();
    message.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    message.msg_iov = &mut piece;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: all that the header points to lives until the end of this function, with its length.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_TRUNC) };
    let len = check_len(received)?;
    let is_outgoing = address.sll_pkttype == libc::PACKET_OUTGOING;
    Ok(PacketInfo { len, is_outgoing, aux: find_auxdata(&message) })
}

#[cfg(feature = "phy-raw")]
fn find_auxdata(message: &libc::msghdr) -> Option<libc::tpacket_auxdata> {
    // SAFETY: a header that `recvmsg` has filled; the macros stay within `msg_controllen`.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(message);
        while let Some(header) = next.as_ref() {
            let needed = libc::CMSG_LEN(size_of::<libc::tpacket_auxdata>() as u32) as usize;
            if header.cmsg_level == libc::SOL_PACKET
                && header.cmsg_type == libc::PACKET_AUXDATA
                && header.cmsg_len >= needed as _
            {
                return Some(ptr::read_unaligned(libc::CMSG_DATA(header).cast()));
            }
            next = libc::CMSG_NXTHDR(message, header);
        }
    }
    None
}

/// Waits until one of the descriptors can be read or has an error; how many can.
pub(super) fn poll_readable(fds: &[RawFd], timeout: Option<Duration>) -> io::Result<usize> {
    let mut entries: Vec<libc::pollfd> =
        fds.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    // SAFETY: plain data for which zero is valid.
    let mut limit: libc::timespec = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut limit_pointer = ptr::null();
    if let Some(timeout) = timeout {
        limit.tv_sec = libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX);
        limit.tv_nsec = timeout.subsec_nanos() as _;
        limit_pointer = &raw const limit;
    }
    let count = entries.len() as libc::nfds_t;
    // SAFETY: entries with their count, and a limit that is null or lives on; no signal mask.
    let ready = unsafe { libc::ppoll(entries.as_mut_ptr(), count, limit_pointer, ptr::null()) };
    if entries.iter().any(|entry| entry.revents & libc::POLLNVAL != 0) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    Ok(check(ready)? as usize)
}

/// Gives the calling thread (with `CLONE_NEWUSER`: the process, of one thread) namespaces of its own.
pub(super) fn unshare(flags: c_int) -> io::Result<()> {
    // SAFETY: no pointers, and no memory is unshared.
    check(unsafe { libc::unshare(flags) })?;
    Ok(())
}

/// The effective user and group.
pub(super) fn effective_ids() -> (u32, u32) {
    // SAFETY: these can't fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}
