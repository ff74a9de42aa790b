//! The user timeout option as tshark reads it, on a connection to the kernel, which does not know it.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-pcap", feature = "tcp-uto"))]

#[path = "common/skip.rs"]
mod skip;
#[path = "common/tshark.rs"]
mod tshark;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::thread;

use goldcrest::iface::{Config, Interface, SocketSet};
use goldcrest::phy::{Device, Medium, PcapWriter, TunTapInterface, unshare_network, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{Socket, State};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr};
use skip::skip;
use tshark::{FAULTS, found};

const KERNEL: Ipv4Addr = Ipv4Addr::new(10, 69, 0, 1);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 69, 0, 2);
const PORT: u16 = 7;

/// Takes what comes and gives it back.
fn echo(listener: TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut octets = [0; 1_000];
    while let Ok(len @ 1..) = stream.read(&mut octets) {
        stream.write_all(&octets[..len]).unwrap();
    }
}

/// Covers: RFC 5482 §3.1, §3.2
#[test]
fn tshark_reads_the_option_and_the_kernel_minds_it_not() {
    if let Err(error) = unshare_network() {
        return skip(&error.to_string());
    }
    if std::fs::metadata("/dev/net/tun").is_err() {
        return skip("no /dev/net/tun");
    }
    if std::process::Command::new("tshark").arg("-v").output().is_err() {
        return skip("not installed: tshark");
    }
    let tap = TunTapInterface::new("tap0", Medium::Ethernet).unwrap();
    tap.kernel().set_up().unwrap();
    tap.kernel().add_address(KERNEL.into(), 24).unwrap();
    let listener = TcpListener::bind((KERNEL, PORT)).unwrap();
    let kernel = thread::spawn(|| echo(listener));
    let mut device = PcapWriter::new(tap, Vec::new()).unwrap();
    let config = Config::new(device.hardware_address());
    let mut iface = Interface::new(config, &mut device, Instant::now());
    iface.add_address(IpCidr::new(OURS.into(), 24)).unwrap();
    let mut sockets = SocketSet::with_capacity(4, Keys::new([7; 32]));
    let buffer = || SocketBuffer::new(vec![0; 10_000]);
    let mut socket = Socket::new(buffer(), buffer());
    socket.set_timeout_advice(Some(Duration::from_secs(300)));
    let handle = sockets.add(socket);
    iface.connect(Instant::now(), &mut sockets, handle, (IpAddress::from(KERNEL), PORT), 0).unwrap();
    let (mut sent, mut got) = (false, 0);
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let now = Instant::now();
        assert!(now < end);
        iface.poll(now, &mut device, &mut sockets);
        let socket = sockets.get_mut::<Socket>(handle);
        if socket.state() == State::Established && !sent {
            socket.send_slice(&[5; 3_000]).unwrap();
            socket.set_timeout_advice(Some(Duration::from_secs(100_000)));
            sent = true;
        }
        got += socket.recv_slice(&mut [0; 3_000]).unwrap_or(0);
        if got == 3_000 {
            socket.close();
        }
        if socket.state() == State::Closed {
            break;
        }
        wait(device.as_raw_fd(), Some(Duration::from_millis(5))).unwrap();
    }
    kernel.join().unwrap();
    let capture = std::env::temp_dir().join(format!("goldcrest-uto-{}.pcap", std::process::id()));
    std::fs::write(&capture, device.into_inner().1).unwrap();
    for fault in FAULTS {
        assert_eq!(found(&capture, fault), 0, "{fault}");
    }
    let from_us = "ip.src == 10.69.0.2 && tcp.options.user_to_val";
    let in_seconds = "tcp.options.user_to_granularity == 0 && tcp.options.user_to_val == 300";
    assert_eq!(found(&capture, &format!("{from_us} && {in_seconds} && tcp.flags.syn == 1")), 1);
    assert!(found(&capture, &format!("{from_us} && tcp.flags.syn == 0 && tcp.len == 0")) >= 1);
    let in_minutes = "tcp.options.user_to_granularity == 1 && tcp.options.user_to_val == 1666";
    assert!(found(&capture, &format!("{from_us} && {in_minutes}")) >= 1);
    std::fs::remove_file(&capture).unwrap();
}
