//! UDP, ICMP and raw sockets and multicast groups against the kernel, over a TAP in a network of their own;
//! tshark looks at every frame.
#![cfg(all(
    target_os = "linux",
    feature = "phy-tuntap",
    feature = "phy-pcap",
    feature = "socket-icmp",
    feature = "socket-raw",
    feature = "iface-multicast"
))]

#[allow(dead_code, reason = "no example is run here")]
mod common;
#[path = "common/in_own_network.rs"]
mod in_own_network;
#[path = "common/tshark.rs"]
mod tshark;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration as StdDuration;

use common::skip;
use goldcrest::iface::{Config, Interface, SocketHandle, SocketSet};
use goldcrest::phy::{Device, Medium, PcapWriter, TunTapInterface, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::udp::{self, Membership, PacketBuffer, PacketMetadata};
use goldcrest::socket::{Unreachable, raw};
use goldcrest::stats::DropReason;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{EtherType, IpCidr, IpEndpoint, IpProtocol, IpVersion};
use in_own_network::in_own_network;
use socket2::{Domain, Protocol, Socket, Type};
use tshark::{FAULTS, found};

const KERNEL: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 168, 69, 1)), IpAddr::V6(Ipv6Addr::new(0xfd00, 0x69, 0, 0, 0, 0, 0, 1))];
const OURS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 168, 69, 2)), IpAddr::V6(Ipv6Addr::new(0xfd00, 0x69, 0, 0, 0, 0, 0, 2))];
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x69, 2);
const GROUPS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(239, 69, 1, 2)), IpAddr::V6(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0x69, 2))];

/// A stack whose frames are all kept.
struct Stack {
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    tap: PcapWriter<TunTapInterface, Vec<u8>>,
}

impl Stack {
    fn new() -> Stack {
        let tap = TunTapInterface::new("tap0", Medium::Ethernet).expect("root may make an interface");
        tap.kernel().disable_dad().unwrap();
        tap.kernel().set_up().unwrap();
        for (address, prefix_len) in KERNEL.into_iter().zip([24, 64]) {
            tap.kernel().add_address(address, prefix_len).unwrap();
        }
        let mut tap = PcapWriter::new(tap, Vec::new()).unwrap();
        let config = Config::new(tap.hardware_address());
        let mut iface = Interface::new(config, &mut tap, Instant::now());
        for (address, prefix_len) in OURS.into_iter().chain([LINK_LOCAL.into()]).zip([24, 64, 64]) {
            iface.add_address(IpCidr::new(address.into(), prefix_len)).unwrap();
        }
        Stack { iface, sockets: SocketSet::with_capacity(8, Keys::new([7; 32])), tap }
    }

    /// Runs until `done` gives something; panics after ten seconds.
    fn until<T>(&mut self, mut done: impl FnMut(&mut Stack) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let now = Instant::now();
            self.iface.poll(now, &mut self.tap, &mut self.sockets);
            if let Some(result) = done(self) {
                return result;
            }
            assert!(now < end, "nothing comes");
            let delay = self.iface.poll_delay(now, &mut self.sockets);
            let delay = delay.unwrap_or(Duration::from_millis(20)).min(Duration::from_millis(20));
            wait(self.tap.as_raw_fd(), Some(delay)).unwrap();
        }
    }

    fn run_for(&mut self, span: Duration) {
        let end = Instant::now() + span;
        self.until(|_| (Instant::now() >= end).then_some(()));
    }

    fn udp(&mut self, port: u16) -> SocketHandle {
        let queue = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 8], vec![0; 4_096]);
        let socket = udp::Socket::new(queue(), queue()).with_memberships(vec![Membership::EMPTY; 2]);
        let handle = self.sockets.add(socket);
        self.sockets.bind(handle, port).unwrap();
        handle
    }

    /// The next datagram that a socket gets.
    fn receive(&mut self, handle: SocketHandle) -> (Vec<u8>, udp::Metadata) {
        self.until(|stack| {
            let socket = stack.sockets.get_mut::<udp::Socket>(handle);
            socket.recv().ok().map(|(data, meta)| (data.to_vec(), meta))
        })
    }

    /// Sends what is queued.
    fn flush(&mut self) {
        self.run_for(Duration::from_millis(30));
    }

    /// Holds what passed the TAP against tshark: nothing of ours is at fault; each filter finds something.
    fn dissect(self, name: &str, filters: &[&str]) {
        let (tap, file) = self.tap.into_inner();
        drop(tap);
        if !Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success()) {
            return skip("tshark is missing: install the package tshark");
        }
        let path = std::env::temp_dir().join(format!("goldcrest-{name}-{}.pcap", std::process::id()));
        fs::write(&path, file).unwrap();
        let faults = FAULTS.into_iter().chain(["udp.checksum.status == 0 && !icmp && !icmpv6"]);
        let faults = faults.map(|fault| format!("({fault})")).collect::<Vec<_>>().join(" || ");
        assert_eq!(found(&path, &faults), 0, "{faults} in {}", path.display());
        for filter in filters {
            assert!(found(&path, filter) > 0, "no {filter} in {}", path.display());
        }
        fs::remove_file(&path).unwrap();
    }
}

fn kernel_socket(address: IpAddr, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::new(address, port)).unwrap();
    socket.set_read_timeout(Some(StdDuration::from_secs(5))).unwrap();
    socket
}

fn tap_index() -> u32 {
    goldcrest::phy::KernelInterface::by_name("tap0").unwrap().index()
}

#[test]
fn the_kernel_sends_to_our_groups_and_hears_what_we_send_to_its() {
    in_own_network(|| {
        let mut stack = Stack::new();
        let ours = stack.udp(5_000);
        for group in GROUPS {
            stack.sockets.get_mut::<udp::Socket>(ours).join_multicast_group(group, 0).unwrap();
        }
        stack.flush();
        for (group, kernel) in GROUPS.into_iter().zip(KERNEL) {
            let sender = kernel_socket(kernel, 0);
            let raw = socket2::SockRef::from(&sender);
            match kernel {
                IpAddr::V4(address) => raw.set_multicast_if_v4(&address).unwrap(),
                IpAddr::V6(_) => raw.set_multicast_if_v6(tap_index()).unwrap(),
            }
            sender.send_to(b"to the group", (group, 5_000)).unwrap();
            let (data, meta) = stack.receive(ours);
            assert_eq!((&data[..], meta.local_address), (&b"to the group"[..], Some(group.into())));
            assert_eq!(meta.received.hop_limit, 1);

            let any = if group.is_ipv4() { "0.0.0.0" } else { "::" };
            let member = kernel_socket(any.parse().unwrap(), 6_000);
            match (group, kernel) {
                (IpAddr::V4(group), IpAddr::V4(address)) => {
                    member.join_multicast_v4(&group, &address).unwrap()
                }
                (IpAddr::V6(group), _) => member.join_multicast_v6(&group, tap_index()).unwrap(),
                _ => unreachable!(),
            }
            let socket = stack.sockets.get_mut::<udp::Socket>(ours);
            socket.send_slice(b"to the kernel", IpEndpoint::new(group.into(), 6_000)).unwrap();
            stack.flush();
            let mut buffer = [0; 64];
            let (len, from) = member.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..len], from.port()), (&b"to the kernel"[..], 5_000));
        }
        // The end of a membership is told as well, and told again.
        stack.sockets.get_mut::<udp::Socket>(ours).close();
        stack.run_for(Duration::from_millis(1_100));
        let reports = [
            "igmp.type == 0x22 && igmp.record_type == 4 && igmp.maddr == 239.69.1.2 && ip.ttl == 1",
            "igmp.type == 0x22 && igmp.record_type == 3 && igmp.maddr == 239.69.1.2 && eth.dst == 01:00:5e:00:00:16",
            "icmpv6.type == 143 && icmpv6.mldr.mar.record_type == 4 && icmpv6.mldr.mar.multicast_address == ff05::69:2",
            "icmpv6.type == 143 && icmpv6.mldr.mar.record_type == 3 && ipv6.src == fe80::69:2 && ipv6.hlim == 1",
            "icmpv6.type == 143 && icmpv6.mldr.mar.multicast_address == ff02::1:ff00:2",
        ];
        stack.dissect("groups", &reports);
    });
}

#[test]
fn the_kernels_errors_reach_the_socket_that_provoked_them() {
    in_own_network(|| {
        let mut stack = Stack::new();
        for (port, kernel) in (5_000..).zip(KERNEL) {
            let remote = IpEndpoint::new(kernel.into(), 9_999);
            let handle = stack.udp(port);
            let bystander = stack.udp(port + 100);
            let socket = stack.sockets.get_mut::<udp::Socket>(handle);
            socket.connect(remote).unwrap();
            socket.send_to_remote(b"anybody there?").unwrap();
            let error = stack.until(|stack| stack.sockets.get_mut::<udp::Socket>(handle).take_icmp_error());
            assert_eq!((error.reason, error.remote), (Unreachable::Port, remote));
            assert_eq!(error.reporter, kernel.into());
            assert_eq!(stack.sockets.get_mut::<udp::Socket>(bystander).take_icmp_error(), None);
        }
        stack
            .dissect("errors", &["icmp.type == 3 && icmp.code == 3", "icmpv6.type == 1 && icmpv6.code == 4"]);
    });
}

#[test]
fn a_connected_socket_talks_to_the_kernel_with_its_traffic_class() {
    in_own_network(|| {
        let mut stack = Stack::new();
        for (port, kernel) in (5_000..).zip(KERNEL) {
            let peer = kernel_socket(kernel, 7_000);
            let handle = stack.udp(port);
            let socket = stack.sockets.get_mut::<udp::Socket>(handle);
            socket.connect(IpEndpoint::new(kernel.into(), 7_000)).unwrap();
            socket.set_traffic_class(0xb8);
            socket.send_to_remote(b"question").unwrap();
            stack.flush();
            let mut buffer = [0; 64];
            let (len, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], b"question");
            // Another socket of the kernel's is not who we are connected to.
            kernel_socket(kernel, 7_001).send_to(b"stranger", from).unwrap();
            peer.send_to(b"answer", from).unwrap();
            let (data, meta) = stack.receive(handle);
            assert_eq!((&data[..], meta.endpoint.port, meta.received.hop_limit), (&b"answer"[..], 7_000, 64));
        }
        stack.dissect("connected", &["ip.dsfield == 0xb8 && udp", "ipv6.tclass == 0xb8 && udp"]);
    });
}

#[cfg(feature = "socket-udplite")]
#[test]
fn udp_lite_goes_both_ways_with_partial_coverage() {
    in_own_network(|| {
        let kernels = KERNEL.map(|address| {
            let domain = Domain::for_address(SocketAddr::new(address, 0));
            Socket::new(domain, Type::DGRAM, Some(Protocol::from(136)))
        });
        let kernels = match kernels {
            [Ok(v4), Ok(v6)] => [v4, v6],
            // Newer kernels have it no longer, and no package brings it back.
            [Err(error), _] | [_, Err(error)] if error.raw_os_error() == Some(libc::EPROTONOSUPPORT) => {
                return skip::say_skipped("this kernel has no UDP-Lite");
            }
            [Err(error), _] | [_, Err(error)] => return skip(&error.to_string()),
        };
        let mut stack = Stack::new();
        let queue = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 8], vec![0; 4_096]);
        let ours = stack.sockets.add(udp::Socket::new_lite(queue(), queue()));
        stack.sockets.bind(ours, 6_000).unwrap();
        for (kernel, (address, our_address)) in kernels.into_iter().zip(KERNEL.into_iter().zip(OURS)) {
            kernel.bind(&SocketAddr::new(address, 5_000).into()).unwrap();
            kernel.set_read_timeout(Some(StdDuration::from_secs(5))).unwrap();
            let socket = stack.sockets.get_mut::<udp::Socket>(ours);
            for (coverage, text) in [(0, b"covered whole"), (12, b"covered partl")] {
                socket.set_send_coverage(coverage).unwrap();
                socket.send_slice(text, IpEndpoint::new(address.into(), 5_000)).unwrap();
            }
            stack.flush();
            for text in [b"covered whole", b"covered partl"] {
                let mut buffer = [0; 64];
                let len = std::io::Read::read(&mut (&kernel), &mut buffer).unwrap();
                assert_eq!(&buffer[..len], text);
            }
            kernel.send_to(b"from the kernel", &SocketAddr::new(our_address, 6_000).into()).unwrap();
            assert_eq!(stack.receive(ours).0, b"from the kernel");
        }
        stack.dissect(
            "udplite",
            &[
                "ip.proto == 136 && ip.src == 192.168.69.2 && udp.checksum_coverage == 12",
                "ipv6.nxt == 136 && ipv6.src == fd00:69::2 && udp.checksum_coverage == 12",
            ],
        );
    });
}

#[test]
fn raw_packets_go_to_the_kernel_and_come_from_it() {
    const EXPERIMENT: u8 = 253;
    in_own_network(|| {
        let mut stack = Stack::new();
        let queue = || raw::PacketBuffer::new(vec![raw::PacketMetadata::EMPTY; 8], vec![0; 4_096]);
        // Where the header has the protocol, and the addresses.
        let forms = [(IpVersion::Ipv4, 9, 12, 20), (IpVersion::Ipv6, 6, 8, 40)];
        for ((version, protocol_at, source_at, header_len), (kernel_address, our_address)) in
            forms.into_iter().zip(KERNEL.into_iter().zip(OURS))
        {
            let ours = stack.sockets.add(raw::Socket::new(version, IpProtocol(EXPERIMENT), queue(), queue()));
            let domain = Domain::for_address(SocketAddr::new(kernel_address, 0));
            let kernel = Socket::new(domain, Type::RAW, Some(Protocol::from(i32::from(EXPERIMENT)))).unwrap();
            kernel.set_read_timeout(Some(StdDuration::from_secs(5))).unwrap();
            kernel.send_to(b"from the kernel", &SocketAddr::new(our_address, 0).into()).unwrap();
            let packet = stack.until(|stack| {
                let socket = stack.sockets.get_mut::<raw::Socket>(ours);
                socket.recv().ok().map(|(packet, _)| packet.to_vec())
            });
            assert_eq!((packet[protocol_at], &packet[header_len..]), (EXPERIMENT, &b"from the kernel"[..]));
            // Back by its own header, to where it came from.
            let (source, destination) =
                (source_at..(source_at + header_len) / 2, (source_at + header_len) / 2);
            let mut answer = packet.clone();
            answer[destination..header_len].copy_from_slice(&packet[source.clone()]);
            answer[source].fill(0);
            let socket = stack.sockets.get_mut::<raw::Socket>(ours);
            socket.send_slice(&answer, raw::Metadata::default()).unwrap();
            stack.flush();
            // The kernel gives the header with the packet where it is IPv4.
            let mut buffer = [std::mem::MaybeUninit::new(0); 128];
            let len = kernel.recv(&mut buffer).unwrap();
            let expected = if version == IpVersion::Ipv4 { packet.len() } else { packet.len() - header_len };
            assert_eq!(len, expected);
        }
        stack.dissect(
            "raw",
            &["ip.proto == 253 && ip.src == 192.168.69.2", "ipv6.nxt == 253 && ipv6.src == fd00:69::2"],
        );
    });
}

/// The kernel's packet socket hears and sends frames of one type, and so does our raw socket.
#[test]
fn raw_frames_of_one_type_go_to_a_packet_socket_and_come_from_it() {
    /// For experiments (RFC 9542 §5.2).
    const EXPERIMENT: u16 = 0x88b5;
    in_own_network(|| {
        let mut stack = Stack::new();
        let queue = || raw::PacketBuffer::new(vec![raw::PacketMetadata::EMPTY; 8], vec![0; 4_096]);
        let ours = stack.sockets.add(raw::Socket::ethernet(EtherType(EXPERIMENT), queue(), queue()));
        let kernel =
            Socket::new(Domain::PACKET, Type::RAW, Some(i32::from(EXPERIMENT.to_be()).into())).unwrap();
        kernel.set_read_timeout(Some(StdDuration::from_secs(5))).unwrap();
        let tap = goldcrest::phy::KernelInterface::by_name("tap0").unwrap();
        let (our_mac, kernel_mac) = ([2, 0, 0, 0, 0, 2], tap.ethernet_address().unwrap().unwrap());
        let frame = |to: [u8; 6], from: [u8; 6], ether_type: u16, data: &[u8]| {
            [&to[..], &from, &ether_type.to_be_bytes(), data].concat()
        };
        // To us and to all; not what is somebody else's, or of another type.
        for (to, ether_type, data) in [
            ([2, 0, 0, 0, 0, 3], EXPERIMENT, &b"not for us"[..]),
            (our_mac, EXPERIMENT + 1, b"another type"),
            (our_mac, EXPERIMENT, b"for us"),
            ([0xff; 6], EXPERIMENT, b"for all"),
        ] {
            send_frame(&kernel, tap.index(), &frame(to, kernel_mac, ether_type, data));
        }
        for (to, data) in [(our_mac, &b"for us"[..]), ([0xff; 6], b"for all")] {
            let got = stack.until(|stack| {
                let socket = stack.sockets.get_mut::<raw::Socket>(ours);
                socket.recv().ok().map(|(frame, _)| frame.to_vec())
            });
            assert_eq!(got, frame(to, kernel_mac, EXPERIMENT, data));
        }
        let answer = frame(kernel_mac, our_mac, EXPERIMENT, b"for the kernel");
        let socket = stack.sockets.get_mut::<raw::Socket>(ours);
        socket.send_slice(&answer, raw::Metadata::default()).unwrap();
        stack.flush();
        // It hears what it has sent itself, too.
        let mut buffer = [0; 128];
        while std::io::Read::read(&mut (&kernel), &mut buffer).expect("it comes") < answer.len()
            || buffer[..answer.len()] != answer
        {}
        stack.dissect("frames", &["eth.type == 0x88b5 && eth.src == 02:00:00:00:00:02"]);
    });
}

/// Sends a frame by a packet socket of the kernel's.
fn send_frame(socket: &Socket, interface: u32, frame: &[u8]) {
    // SAFETY: all zeros are an address, and its length is that of the type.
    let sent = unsafe {
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = interface as i32;
        let len = size_of::<libc::sockaddr_ll>() as u32;
        let address = std::ptr::from_ref(&address).cast();
        libc::sendto(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0, address, len)
    };
    assert_eq!(sent, frame.len() as isize, "{}", std::io::Error::last_os_error());
}

/// A UDP datagram from our port 5,000 to the kernel's 6,000 in an IP packet whose header is left to be completed.
fn datagram(from: IpAddr, to: IpAddr, data: &[u8]) -> Vec<u8> {
    let len = (8 + data.len()) as u16;
    let mut udp =
        [&5_000_u16.to_be_bytes()[..], &6_000_u16.to_be_bytes(), &len.to_be_bytes(), &[0, 0]].concat();
    udp.extend(data);
    let (IpAddr::V6(from), IpAddr::V6(to)) = (from, to) else {
        let IpAddr::V4(to) = to else { unreachable!() };
        let header = [&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0][..], &to.octets()].concat();
        return [header, udp].concat();
    };
    let (from, to) = (from.octets(), to.octets());
    let covered = [&from[..], &to, &[0, 0], &len.to_be_bytes(), &[0, 0, 0, 17], &udp].concat();
    let words =
        covered.chunks(2).map(|pair| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| low.into()));
    let sum = words.sum::<u64>();
    let folded = [0; 4].iter().fold(sum, |sum, _: &u8| (sum & 0xffff) + (sum >> 16));
    udp[6..8].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    [&[0x60, 0, 0, 0, 0, 0, 17, 64][..], &from, &to, &udp].concat()
}

/// Covers: RFC 791 §3.2, RFC 8200 §4.5
#[test]
fn the_kernel_puts_raw_packets_together_that_are_larger_than_the_link() {
    in_own_network(|| {
        let mut stack = Stack::new();
        let queue = || raw::PacketBuffer::new(vec![raw::PacketMetadata::EMPTY; 2], vec![0; 70_000]);
        let versions = [IpVersion::Ipv4, IpVersion::Ipv6];
        let handles = versions
            .map(|version| stack.sockets.add(raw::Socket::new(version, IpProtocol::UDP, queue(), queue())));
        let mut buffer = vec![0; 65_536];
        for (handle, (kernel, ours)) in handles.into_iter().zip(KERNEL.into_iter().zip(OURS)) {
            let receiver = kernel_socket(kernel, 6_000);
            for len in [1_473, 9_001, 60_000] {
                let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
                let socket = stack.sockets.get_mut::<raw::Socket>(handle);
                socket.send_slice(&datagram(ours, kernel, &data), raw::Metadata::default()).unwrap();
                stack.flush();
                let (len, from) = receiver.recv_from(&mut buffer).unwrap();
                assert!(buffer[..len] == data, "{len} octets of {}", data.len());
                assert_eq!(from, SocketAddr::new(ours, 5_000));
            }
        }
        let mut whole = datagram(OURS[0], KERNEL[0], &[7; 2_000]);
        whole[6] = 0x40;
        let socket = stack.sockets.get_mut::<raw::Socket>(handles[0]);
        socket.send_slice(&whole, raw::Metadata::default()).unwrap();
        stack.flush();
        assert_eq!(stack.iface.stats().drops(DropReason::TooBig), 1);
        let fragments = [
            "ip.flags.mf == 1 && ip.src == 192.168.69.2",
            "ipv6.fraghdr.more == 1 && ipv6.src == fd00:69::2",
            "ip.reassembled.length == 60008",
            "ipv6.reassembled.length == 60008",
        ];
        stack.dissect("raw-cut", &fragments);
    });
}

/// Covers: RFC 3542 §3.1, RFC 1122 §4.1.3.4
#[test]
fn the_kernel_takes_what_our_checksums_say_and_what_has_none() {
    in_own_network(|| {
        let mut stack = Stack::new();
        let queue = || raw::PacketBuffer::new(vec![raw::PacketMetadata::EMPTY; 8], vec![0; 4_096]);
        let receivers = KERNEL.map(|kernel| kernel_socket(kernel, 6_000));
        let mut buffer = [0; 100];

        // A UDP datagram over IPv6 whose header only lacks the checksum.
        let mut socket = raw::Socket::new(IpVersion::Ipv6, IpProtocol::UDP, queue(), queue());
        socket.set_checksum_offset(Some(6)).unwrap();
        let udp = [&[0xc3, 0x51, 0x17, 0x70, 0, 12, 0, 0][..], b"data"].concat();
        let to = Some(KERNEL[1].into());
        socket.send_payload(12, to, raw::Metadata::default()).unwrap().copy_from_slice(&udp);
        stack.sockets.add(socket);
        stack.flush();
        assert_eq!(receivers[1].recv_from(&mut buffer).unwrap(), (4, SocketAddr::new(OURS[1], 0xc351)));

        // An echo request; the reply is held against its checksum, too.
        let mut socket = raw::Socket::new(IpVersion::Ipv6, IpProtocol::ICMPV6, queue(), queue());
        socket.connect(KERNEL[1]).unwrap();
        let request = [128, 0, 0, 0, 0x69, 0x69, 0, 1];
        socket.send_payload(8, None, raw::Metadata::default()).unwrap().copy_from_slice(&request);
        let echo = stack.sockets.add(socket);
        let reply = stack.until(|stack| {
            let (packet, _) = stack.sockets.get_mut::<raw::Socket>(echo).recv().ok()?;
            (packet[40] == 129).then(|| packet.to_vec())
        });
        assert_eq!(reply[44..], request[4..]);

        // Datagrams without a checksum, where that is allowed.
        let ours = stack.udp(5_001);
        stack.sockets.get_mut::<udp::Socket>(ours).set_checksum_enabled(false);
        for (receiver, (kernel, our_address)) in receivers.iter().zip(KERNEL.into_iter().zip(OURS)) {
            let socket = stack.sockets.get_mut::<udp::Socket>(ours);
            socket.send_slice(b"unsummed", SocketAddr::new(kernel, 6_000)).unwrap();
            stack.flush();
            assert_eq!(receiver.recv_from(&mut buffer).unwrap(), (8, SocketAddr::new(our_address, 5_001)));
        }
        let filters =
            ["udp.checksum == 0 && ip.src == 192.168.69.2", "icmpv6.type == 128 && ipv6.src == fd00:69::2"];
        stack.dissect("summed", &filters);
    });
}
