//! What a connection says of itself (`tcp::Info`), against what the kernel at the other end says (TCP_INFO).
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "tcp-info"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/own_network.rs"]
mod own_network;
#[path = "common/skip.rs"]
mod skip;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::thread;
use std::time::Duration;

use captured::Captured;
use goldcrest::iface::{Config, Interface, SocketSet};
use goldcrest::phy::{Device, Medium, TunTapInterface, TunTapOptions, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{CaState, HalfOpen, Info, InfoOptions, Listener, Socket, State};
use goldcrest::time::{self, Instant};
use goldcrest::wire::IpCidr;
use own_network::has_own_network;

/// The kernel's address and ours, and the length of their prefix, in each family.
const ENDS: [(IpAddr, IpAddr, u8); 2] = [(ipv4(1), ipv4(2), 24), (ipv6(1), ipv6(2), 64)];
const PORT: u16 = 7;
/// Octets that the kernel sends, and those that it gets.
const THERE: usize = 300_000;
const BACK: usize = 200_000;
/// For how long each end lets the other wait before it reads. Its buffer does not take it all.
const PAUSE: Duration = Duration::from_millis(300);
/// What each knows to have waited at least, in microseconds: that, less the time until the window was full.
const WAITED: u64 = 200_000;

const fn ipv4(host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 69, 0, host))
}

const fn ipv6(host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd69, 0, 0, 0, 0, 0, 0, host))
}

/// `struct tcp_info` of the kernel's linux/tcp.h, as far as it is looked at.
struct KernelInfo([u8; 232]);

impl KernelInfo {
    fn of(socket: RawFd) -> KernelInfo {
        let mut octets = [0; 232];
        let mut len = octets.len() as libc::socklen_t;
        // SAFETY: the buffer has the length that is said, and any octets are valid in it.
        let result = unsafe {
            libc::getsockopt(
                socket,
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                octets.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        assert!(len >= 224, "the kernel is older than 4.19");
        KernelInfo(octets)
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(*self.0[at..].first_chunk().unwrap())
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_ne_bytes(*self.0[at..].first_chunk().unwrap())
    }
}

/// The kernel sends, gets the answer, and says what it knows once nothing is under way.
fn client(server: IpAddr) -> KernelInfo {
    let server = SocketAddr::new(server, PORT);
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(server), socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.connect(&server.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(&vec![5; THERE]).unwrap();
    thread::sleep(PAUSE * 2);
    stream.read_exact(&mut vec![0; BACK]).unwrap();
    // Its last acknowledgment may be delayed.
    thread::sleep(Duration::from_millis(300));
    let info = KernelInfo::of(stream.as_raw_fd());
    // So that our end, too, is asked before the FIN.
    thread::sleep(Duration::from_millis(300));
    info
}

/// Takes what the kernel sends, answers, and says what our end knows until the kernel closes.
fn serve(device: TunTapInterface, ours: IpAddr, prefix_len: u8) -> Info {
    let mut device = Captured::new(device, "tcp-info");
    let config = Config::new(device.hardware_address());
    let mut iface = Interface::new(config, &mut device, Instant::now());
    iface.add_address(IpCidr::new(ours.into(), prefix_len)).unwrap();
    let mut sockets = SocketSet::with_capacity(4, Keys::new([7; 32]));
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
    listener.set_buffers(64 << 10, 64 << 10, 2);
    let listener = sockets.add(listener);
    sockets.listen(listener, PORT).unwrap();
    let (mut connection, mut got, mut sent, mut last) = (None, 0, 0, None);
    let mut reads_from = None;
    loop {
        let now = Instant::now();
        iface.poll(now, &mut device, &mut sockets);
        connection = connection.or_else(|| sockets.accept(listener));
        if let Some(handle) = connection {
            let socket = sockets.get_mut::<Socket>(handle);
            if !socket.may_recv() {
                return last.expect("it was asked before the end");
            }
            if now >= *reads_from.get_or_insert(now + time::Duration::from_micros(PAUSE.as_micros() as u64)) {
                got += socket.recv_slice(&mut [0; 64 << 10]).unwrap();
            }
            if got == THERE {
                sent += socket.send_slice(&vec![6; (BACK - sent).min(64 << 10)]).unwrap();
            }
            last = socket.info(now);
        }
        let look = time::Duration::from_millis(2);
        let delay =
            iface.poll_at(now, &mut sockets).map_or(look, |at| at.saturating_duration_since(now).min(look));
        wait(device.as_raw_fd(), Some(delay)).unwrap();
    }
}

/// A connection over such a TAP: what our end says of it, and the kernel's. `None` if there can't be one.
fn connection(options: TunTapOptions, ends: (IpAddr, IpAddr, u8)) -> Option<(Info, KernelInfo)> {
    if !has_own_network() {
        return None;
    }
    let (kernel, ours, prefix_len) = ends;
    let tap = TunTapInterface::with_options("tap0", Medium::Ethernet, options).unwrap();
    assert_eq!(tap.has_offloads(), options.offloads);
    tap.kernel().disable_dad().unwrap();
    tap.kernel().set_up().unwrap();
    tap.kernel().add_address(kernel, prefix_len).unwrap();
    let client = thread::spawn(move || client(ours));
    let said = serve(tap, ours, prefix_len);
    Some((said, client.join().unwrap()))
}

#[test]
fn segments_that_come_together_count_as_the_kernel_counts_them() {
    for ends in ENDS {
        let Some((ours, kernel)) = connection(TunTapOptions::default(), ends) else { return };
        assert_eq!((ours.segs_in + 1, ours.data_segs_in), (kernel.u32(136), kernel.u32(156)));
        assert_eq!((ours.bytes_received, ours.bytes_acked), (THERE as u64, BACK as u64));
    }
}

#[test]
fn both_ends_say_the_same_of_a_connection() {
    for ends in ENDS {
        // What came together the kernel takes for one segment, and does not count as we do.
        let Some((ours, kernel)) = connection(TunTapOptions::plain(), ends) else { return };
        assert_same(&ours, &kernel);
    }
}

fn assert_same(ours: &Info, kernel: &KernelInfo) {
    assert_eq!((ours.state, ours.ca_state), (State::Established, CaState::Open));
    assert_eq!(ours.options, InfoOptions::TIMESTAMPS | InfoOptions::SACK | InfoOptions::WSCALE);
    // Segments: of the kernel's, its SYN was not for the connection; of ours, the SYN-ACK was not from it.
    assert_eq!((ours.segs_in + 1, ours.segs_out + 1), (kernel.u32(136), kernel.u32(140)));
    assert_eq!((ours.data_segs_in, ours.data_segs_out), (kernel.u32(156), kernel.u32(152)));
    // Octets: the kernel counts its SYN as acknowledged.
    assert_eq!((ours.bytes_received + 1, ours.bytes_received), (kernel.u64(120), THERE as u64));
    assert_eq!((ours.bytes_acked, ours.bytes_acked), (kernel.u64(128), BACK as u64));
    // The kernel may hold back an ACK for so long that a tail probe goes, and tells then that it came twice. To
    // probe a window, an octet may go again.
    assert_eq!(ours.total_retrans, ours.dsack_dups);
    let again = u64::from(ours.dsack_dups * ours.snd_mss);
    assert!((again..=again + 1).contains(&ours.bytes_retrans), "{ours:?}");
    assert_eq!(ours.bytes_sent, BACK as u64 + ours.bytes_retrans);
    assert_eq!(kernel.u64(200), THERE as u64);
    assert_eq!((ours.snd_mss, ours.advmss), (kernel.u32(16), kernel.u32(84)));
    assert_eq!((ours.pmtu, ours.unacked, ours.notsent_bytes), (kernel.u32(60), 0, 0));
    // The window that we have announced is what the kernel may send into.
    assert_eq!((ours.snd_wscale, ours.rcv_wscale), (kernel.0[6] >> 4, kernel.0[6] & 0xf));
    // The shortest round trip on a TAP is less than a few of our ticks; how long others are is the machine's.
    assert!((1_024..=50_000).contains(&ours.min_rtt) && ours.rtt >= ours.min_rtt / 8, "{ours:?}");
    assert!(kernel.u32(148) <= 50_000);
    assert!(ours.rto >= 200_000 && ours.rto >= ours.rtt, "{ours:?}");
    assert!(ours.last_data_sent >= 300, "{ours:?}");
    // Each has waited for the other's window, and known it.
    assert!(ours.rwnd_limited >= WAITED && kernel.u64(176) >= WAITED, "{ours:?}");
    assert!(ours.busy_time >= ours.rwnd_limited && kernel.u64(168) >= kernel.u64(176), "{ours:?}");
    assert_eq!((ours.sndbuf_limited, ours.retransmits, ours.probes), (0, 0, 0));
}
