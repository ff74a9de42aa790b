//! The devices of Linux against the kernel, each test in a network namespace of its own.
//!
//! What is sent is made here by hand, and tshark looks at it, but where it is wrong on purpose.
//!
//! Needs root. Where that is missing a test prints why and counts as passed, but fails with `CI=true`.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-raw", feature = "medium-ip"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/in_own_network.rs"]
mod in_own_network;
#[path = "common/skip.rs"]
mod skip;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use captured::Captured;
use goldcrest::phy::{
    Device, KernelInterface, LinkState, Medium, RawSocket, RawSocketError, RxMeta, RxToken, SystemCounters,
    TunTapError, TunTapInterface, TunTapOptions, TxToken, veth_pair, wait,
};
use goldcrest::time::{Duration, Instant};
use in_own_network::in_own_network;

const KERNEL_V4: Ipv4Addr = Ipv4Addr::new(192, 168, 69, 1);
const STACK_V4: Ipv4Addr = Ipv4Addr::new(192, 168, 69, 2);
const KERNEL_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x69, 0, 0, 0, 0, 0, 1);
const STACK_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x69, 0, 0, 0, 0, 0, 2);
const STACK_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// A TUN or TAP whose other side is up, with both addresses; tshark looks at what is sent to it.
fn open(medium: Medium) -> Captured<TunTapInterface> {
    captured(open_with(medium, TunTapOptions::default()))
}

fn captured<D: Device>(device: D) -> Captured<D> {
    Captured::new(device, "phy-linux")
}

fn open_with(medium: Medium, options: TunTapOptions) -> TunTapInterface {
    let device = TunTapInterface::with_options("", medium, options).expect("root may make an interface");
    configure(device.kernel());
    device
}

fn configure(kernel: &KernelInterface) {
    kernel.disable_dad().unwrap();
    kernel.set_up().unwrap();
    kernel.add_address(IpAddr::V4(KERNEL_V4), 24).unwrap();
    kernel.add_address(IpAddr::V6(KERNEL_V6), 64).unwrap();
}

/// A socket of the kernel's on `address`, at any port.
fn kernel_socket(address: impl Into<IpAddr>) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::new(address.into(), 0)).expect("the address is usable at once");
    socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    socket
}

/// Receives until `pick` takes a frame; panics after five seconds.
fn receive<D, T>(device: &mut D, pick: impl FnMut(RxMeta, &[u8]) -> Option<T>) -> T
where
    D: Device + AsRawFd,
{
    receive_within(device, Duration::from_secs(5), pick).expect("the frame comes")
}

fn receive_within<D, T>(
    device: &mut D,
    timeout: Duration,
    mut pick: impl FnMut(RxMeta, &[u8]) -> Option<T>,
) -> Option<T>
where
    D: Device + AsRawFd,
{
    let end = Instant::now() + timeout;
    while Instant::now() < end {
        if let Some((rx, tx)) = device.receive(Instant::now()) {
            assert!(tx.is_some());
            let meta = rx.meta();
            if let Some(picked) = rx.consume(|frame| pick(meta, frame)) {
                return Some(picked);
            }
        } else {
            let rest = end.saturating_duration_since(Instant::now());
            wait(device.as_raw_fd(), Some(rest)).unwrap();
        }
    }
    None
}

fn send<D: Device>(device: &mut D, frame: &[u8]) {
    let token = device.transmit(Instant::now()).expect("there is room");
    token.consume(frame.len(), |buffer| buffer.copy_from_slice(frame));
}

/// The folded sum of 16-bit words (RFC 1071); 0xffff for what includes a right checksum.
fn sum(octets: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in octets.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Whether the UDP checksum of an IPv4 packet without options is right.
fn is_udp_checksum_right(packet: &[u8]) -> bool {
    let udp = &packet[20..];
    let pseudo = [&packet[12..20], &[0, 17], &(udp.len() as u16).to_be_bytes(), udp].concat();
    sum(&pseudo) == 0xffff
}

/// IPv4 and UDP from the stack to the kernel, without a UDP checksum.
fn udp_to_kernel(port: u16, payload: &[u8]) -> Vec<u8> {
    let len = (28 + payload.len()) as u16;
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet.extend(STACK_V4.octets());
    packet.extend(KERNEL_V4.octets());
    let checksum = !sum(&packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    for word in [4242, port, len - 20, 0] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend(payload);
    packet
}

fn ethernet(destination: [u8; 6], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&destination, &STACK_MAC, &ether_type.to_be_bytes()[..], payload].concat()
}

/// The answer to an ARP request for the stack's address, if that is what `frame` is.
fn arp_answer(frame: &[u8]) -> Option<Vec<u8>> {
    let arp = frame.get(14..42)?;
    let is_request = frame[12..14] == [8, 6] && arp[6..8] == [0, 1] && arp[24..28] == STACK_V4.octets();
    let answer = [&arp[..6], &[0, 2], &STACK_MAC, &STACK_V4.octets(), &arp[8..18]].concat();
    is_request.then(|| ethernet(*arp[8..].first_chunk().unwrap(), 0x0806, &answer))
}

/// The IPv4 packet in a frame, if it carries UDP.
fn udp_in(frame: &[u8]) -> Option<&[u8]> {
    let packet = frame.get(14..)?;
    (frame[12..14] == [8, 0] && packet.get(9) == Some(&17)).then_some(packet)
}

#[test]
fn a_tap_hears_the_kernels_arp_request_and_its_answer_lets_the_datagram_out() {
    in_own_network(|| {
        for options in [TunTapOptions::default(), TunTapOptions::plain()] {
            let mut tap = captured(open_with(Medium::Ethernet, options));
            assert_eq!(tap.has_offloads(), options.offloads);
            assert_eq!(tap.capabilities().max_transmission_unit, 1_514);
            kernel_socket(KERNEL_V4).send_to(b"goldcrest", (STACK_V4, 9)).unwrap();
            let answer = receive(&mut tap, |_, frame| arp_answer(frame));
            send(&mut tap, &answer);
            receive(&mut tap, |meta, frame| {
                let packet = udp_in(frame)?;
                assert_eq!((meta.checksum_ok, meta.checksum_partial), (options.offloads, options.offloads));
                assert_eq!(is_udp_checksum_right(packet), !options.offloads);
                assert_eq!(&packet[28..], b"goldcrest");
                Some(())
            });
            assert_eq!(tap.counters(), SystemCounters::default());
        }
    });
}

#[test]
fn a_tun_carries_bare_ip_of_both_families_both_ways() {
    in_own_network(|| {
        let mut tun = open(Medium::Ip);
        assert_eq!(tun.capabilities().max_transmission_unit, 1_500);
        let socket = kernel_socket(KERNEL_V4);
        socket.send_to(b"four", (STACK_V4, 9)).unwrap();
        receive(&mut tun, |_, packet| (packet[0] == 0x45 && packet.ends_with(b"four")).then_some(()));
        kernel_socket(KERNEL_V6).send_to(b"six", (STACK_V6, 9)).unwrap();
        receive(&mut tun, |_, packet| {
            let is_ours = packet[0] >> 4 == 6 && packet[24..40] == STACK_V6.octets();
            (is_ours && packet.ends_with(b"six")).then_some(())
        });
        let packet = udp_to_kernel(socket.local_addr().unwrap().port(), b"back");
        send(&mut tun, &packet);
        let mut buffer = [0; 100];
        let (len, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (&b"back"[..], SocketAddr::from((STACK_V4, 4242))));
    });
}

#[test]
fn packets_of_neither_family_are_refused_by_the_kernel_and_counted() {
    in_own_network(|| {
        let mut tun = open_with(Medium::Ip, TunTapOptions::default());
        send(&mut tun, &[0x00; 20]);
        assert_eq!((tun.counters().tx_errors, tun.counters().tx_dropped), (1, 0));
    });
}

#[test]
fn frames_above_the_mtu_are_refused_by_the_kernel_and_counted() {
    in_own_network(|| {
        let (_, mut device) = veth();
        send(&mut device, &[0xff; 2_000]);
        assert_eq!((device.counters().tx_errors, device.counters().tx_dropped), (1, 0));
    });
}

#[test]
fn a_larger_mtu_is_given_to_both_sides() {
    in_own_network(|| {
        let mut tap = captured(TunTapInterface::with_mtu("big0", Medium::Ethernet, 9_000).unwrap());
        assert_eq!(tap.capabilities().max_transmission_unit, 9_014);
        assert_eq!((tap.name(), tap.kernel().mtu().unwrap()), ("big0", 9_000));
        configure(tap.kernel());
        kernel_socket(KERNEL_V4).send_to(&[7; 8_972], (STACK_V4, 9)).unwrap();
        let answer = receive(&mut tap, |_, frame| arp_answer(frame));
        send(&mut tap, &answer);
        let len = receive(&mut tap, |_, frame| udp_in(frame).map(|_| frame.len()));
        assert_eq!(len, 9_014);
    });
}

#[test]
fn names_that_are_taken_are_refused_with_the_reason() {
    in_own_network(|| {
        let _tap = TunTapInterface::new("taken0", Medium::Ethernet).unwrap();
        let again = TunTapInterface::new("taken0", Medium::Ethernet).unwrap_err();
        assert!(matches!(again, TunTapError::InUse(_)), "{again:?}");
        assert_eq!(again.to_string(), "the interface taken0 is in use by another program");
        let other_kind = TunTapInterface::new("taken0", Medium::Ip).unwrap_err();
        assert!(matches!(other_kind, TunTapError::WrongKind(_)), "{other_kind:?}");
        let lo = TunTapInterface::new("lo", Medium::Ethernet).unwrap_err();
        assert!(matches!(lo, TunTapError::WrongKind(_)), "{lo:?}");
        for medium in [Medium::Ethernet, Medium::Ip] {
            let lo = RawSocket::new("lo", medium).unwrap_err();
            assert!(matches!(lo, RawSocketError::WrongMedium(_)), "{lo:?}");
        }
        let none = RawSocket::new("nosuch0", Medium::Ethernet).unwrap_err();
        assert!(none.to_string().starts_with("cannot find nosuch0"), "{none}");
    });
}

#[test]
fn an_interface_goes_with_its_device() {
    in_own_network(|| {
        let tap = TunTapInterface::new("gone%d", Medium::Ethernet).unwrap();
        assert_eq!(tap.name(), "gone0");
        drop(tap);
        assert!(KernelInterface::by_name("gone0").is_err());
    });
}

#[test]
fn the_link_goes_down_with_the_kernels_side_and_comes_back() {
    in_own_network(|| {
        let mut tap = open_with(Medium::Ethernet, TunTapOptions::default());
        let mut now = Instant::now();
        let mut link_after = |tap: &mut TunTapInterface| {
            now += Duration::from_secs(1);
            while tap.receive(now).is_some() {}
            tap.link()
        };
        assert_eq!(link_after(&mut tap), LinkState::UP);
        tap.kernel().set_down().unwrap();
        assert_eq!(link_after(&mut tap), LinkState::DOWN);
        send(&mut tap, &ethernet([0xff; 6], 0x0800, &[0; 46]));
        assert_eq!(tap.counters().tx_errors, 1);
        tap.kernel().set_up().unwrap();
        // At once, so that the first frame over a fresh link is answered.
        assert_eq!(tap.link(), LinkState::UP);
        assert_eq!(link_after(&mut tap), LinkState::UP);
    });
}

#[test]
fn a_route_sends_the_kernels_traffic_through_the_device() {
    in_own_network(|| {
        let mut tun = open(Medium::Ip);
        let far_v4 = Ipv4Addr::new(10, 1, 2, 3);
        let far_v6 = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 9);
        let network_v6 = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 0);
        let kernel = tun.kernel();
        kernel.add_route(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8, Some(IpAddr::V4(STACK_V4))).unwrap();
        kernel.add_route(IpAddr::V6(network_v6), 64, None).unwrap();
        let again = kernel.add_route(IpAddr::V6(network_v6), 64, None).unwrap_err();
        assert_eq!(again.io_error().kind(), std::io::ErrorKind::AlreadyExists);
        kernel_socket(KERNEL_V4).send_to(b"far", (far_v4, 9)).unwrap();
        receive(&mut tun, |_, packet| (packet.get(16..20)? == far_v4.octets()).then_some(()));
        kernel_socket(KERNEL_V6).send_to(b"far", (far_v6, 9)).unwrap();
        receive(&mut tun, |_, packet| (packet.get(24..40)? == far_v6.octets()).then_some(()));
    });
}

/// A veth whose first end is the kernel's and whose second is ours.
fn veth() -> (KernelInterface, RawSocket) {
    let (kernel, ours) = veth_pair("kernel0", "ours0").unwrap();
    ours.disable_ipv6().unwrap();
    configure(&kernel);
    ours.set_up().unwrap();
    let mut kernel_end = RawSocket::new("kernel0", Medium::Ethernet).unwrap();
    let mut device = RawSocket::new("ours0", Medium::Ethernet).unwrap();
    await_carrier(&mut kernel_end, &mut device);
    await_carrier(&mut device, &mut kernel_end);
    assert_eq!(kernel_end.counters().rx_errors, 0);
    (kernel, RawSocket::new("ours0", Medium::Ethernet).unwrap())
}

/// The kernel loses what is sent before it has noticed that both ends are up.
fn await_carrier(from: &mut RawSocket, to: &mut RawSocket) {
    let probe = ethernet([0xff; 6], 0x88b5, &[0; 46]);
    for _ in 0..250 {
        send(from, &probe);
        let timeout = Duration::from_millis(20);
        if receive_within(to, timeout, |_, frame| (frame == probe).then_some(())).is_some() {
            return;
        }
    }
    panic!("nothing passes the veth");
}

/// Lets the kernel send one datagram; whether the device vouches for it, and whether its sum is right.
fn checksum_state(device: &mut Captured<RawSocket>) -> (bool, bool) {
    kernel_socket(KERNEL_V4).send_to(b"goldcrest", (STACK_V4, 9)).unwrap();
    let mut state = None;
    while state.is_none() {
        let answer = receive(device, |meta, frame| {
            state = udp_in(frame).map(|packet| (meta.checksum_ok, is_udp_checksum_right(packet)));
            let answer = arp_answer(frame);
            (answer.is_some() || state.is_some()).then_some(answer)
        });
        if let Some(answer) = answer {
            send(device, &answer);
        }
    }
    state.unwrap()
}

#[test]
fn a_raw_socket_vouches_for_checksums_that_the_kernel_left_undone() {
    in_own_network(|| {
        let (kernel, device) = veth();
        let mut device = captured(device);
        assert_eq!(checksum_state(&mut device), (true, false));
        kernel.disable_tx_offload().unwrap();
        assert_eq!(checksum_state(&mut device), (false, true));
    });
}

/// What a peer may send at once into a window of 256 KiB, before we have looked.
#[test]
fn a_raw_socket_keeps_a_burst_until_it_is_read() {
    in_own_network(|| {
        let (_kernel, mut device) = veth();
        let socket = kernel_socket(KERNEL_V4);
        // Nobody has to be asked for the address of everybody.
        socket.set_broadcast(true).unwrap();
        for number in 0..150 {
            socket.send_to(&[number; 1_472], (Ipv4Addr::new(192, 168, 69, 255), 9)).unwrap();
        }
        for number in 0..150 {
            receive(&mut device, |_, frame| (frame.get(42) == Some(&number)).then_some(()));
        }
    });
}

#[test]
fn a_raw_socket_sends_to_the_kernel_and_does_not_hear_itself() {
    in_own_network(|| {
        let (kernel, device) = veth();
        let mut device = captured(device);
        device.set_promiscuous().unwrap();
        let mac = kernel.ethernet_address().unwrap().unwrap();
        let socket = kernel_socket(KERNEL_V4);
        for round in 0..20 {
            let packet = udp_to_kernel(socket.local_addr().unwrap().port(), &[round; 30]);
            send(&mut device, &ethernet(mac, 0x0800, &packet));
            let mut buffer = [0; 100];
            assert_eq!(socket.recv_from(&mut buffer).unwrap().0, 30);
        }
        // The kernel has learned nobody's address from that, so it has to ask.
        socket.send_to(b"last", (STACK_V4, 9)).unwrap();
        receive(&mut device, |_, frame| {
            assert_ne!(frame[6..12], STACK_MAC, "it heard its own frame");
            arp_answer(frame)
        });
        assert_eq!(device.counters(), SystemCounters::default());
    });
}

#[test]
fn a_tag_that_the_kernel_took_out_is_put_back() {
    in_own_network(|| {
        let (_, mut device) = veth();
        let mut other_end = RawSocket::new("kernel0", Medium::Ethernet).unwrap();
        let tagged = ethernet([0xff; 6], 0x8100, &[&[0x20, 0x07, 8, 0][..], &[5; 46]].concat());
        send(&mut other_end, &tagged);
        receive(&mut device, |_, frame| (frame[6..12] == STACK_MAC).then(|| assert_eq!(frame, tagged)));
    });
}

#[test]
fn a_raw_socket_on_a_bare_ip_interface_sees_packets_without_a_link_header() {
    in_own_network(|| {
        let mut tun = open(Medium::Ip);
        let mut raw = captured(RawSocket::new(tun.name(), Medium::Ip).unwrap());
        let packet = udp_to_kernel(9, b"to both");
        send(&mut tun, &packet);
        receive(&mut raw, |_, octets| (octets == packet).then_some(()));
        // And what is sent there comes out of the TUN.
        send(&mut raw, &packet);
        receive(&mut tun, |_, octets| (octets == packet).then_some(()));
    });
}

#[cfg(feature = "phy-pcap")]
#[test]
fn what_passes_a_tap_is_in_the_pcap_file() {
    use goldcrest::phy::PcapWriter;
    in_own_network(|| {
        let mut device = PcapWriter::new(open(Medium::Ethernet), Vec::new()).unwrap();
        kernel_socket(KERNEL_V4).send_to(b"goldcrest", (STACK_V4, 9)).unwrap();
        let answer = receive(&mut device, |_, frame| arp_answer(frame));
        send(&mut device, &answer);
        receive(&mut device, |_, frame| udp_in(frame).map(|_| ()));
        assert_eq!(device.errors(), 0);
        let (_, file) = device.into_inner();
        let contains = |needle: &[u8]| file.windows(needle.len()).any(|window| window == needle);
        assert!(contains(&answer) && contains(b"goldcrest"));
    });
}
