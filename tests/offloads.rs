//! TCP with the kernel where segments are handed over together and checksums are left out: TAP, TUN, and a raw socket on a
//! veth pair whose offloads are on. Both sides do so, each frame says so, and the streams are whole.
#![cfg(all(target_os = "linux", feature = "phy-raw", feature = "phy-tuntap"))]

#[path = "common/captured.rs"]
mod captured;
#[path = "common/skip.rs"]
mod skip;
#[path = "../examples/quickstart/stack.rs"]
#[allow(dead_code, reason = "of the quickstart's stack not all is asked here")]
mod stack;
#[path = "../examples/quickstart/transfer.rs"]
mod transfer;
#[path = "common/veth.rs"]
mod veth;
#[path = "common/watched.rs"]
mod watched;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use captured::Captured;
use goldcrest::phy::{
    Device, Medium, RxToken, TunTapError, TunTapInterface, TunTapOptions, unshare_network, wait,
};
use goldcrest::time::{self, Instant};
use skip::skip;
use stack::Stack;
use transfer::{Answer, Data};
use veth::{KERNEL, OURS, PREFIX_LEN};
use watched::{Seen, Watched};
use xxhash_rust::xxh3::Xxh3;

// What the quickstart's stack asks its program for.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
const PORT: u16 = 45_678;

const LEN: usize = 8_000_000;
/// How soon the stack's loop sees that a thread of the kernel's end is done.
const LOOK: time::Duration = time::Duration::from_millis(2);

/// Drives the stack until `is_done`.
fn run<D: Device + AsRawFd>(
    stack: &mut Stack<Watched<Captured<D>>>,
    mut is_done: impl FnMut(&mut Stack<Watched<Captured<D>>>) -> bool,
) {
    while !is_done(stack) {
        let now = Instant::now();
        stack.poll(now).unwrap();
        let delay = stack.poll_at(now).map_or(LOOK, |at| at.saturating_duration_since(now).min(LOOK));
        wait(stack.device().inner.as_raw_fd(), Some(delay)).unwrap();
    }
}

/// The kernel sends the data, and gets the right hash back.
fn send(to: IpAddr, data: &Data) {
    let mut stream = TcpStream::connect(SocketAddr::new(to, PORT)).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(15))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    stream.write_all(&data.octets).expect("it does not stand still");
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Answer::default();
    stream.read_exact(&mut answer).expect("it does not stand still");
    data.check(answer).unwrap();
}

/// The kernel takes the data, and answers with its hash, which the stack checks.
fn receive(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let (mut hash, mut octets) = (Xxh3::new(), vec![0; 1 << 16]);
    loop {
        let len = stream.read(&mut octets).expect("it does not stand still");
        if len == 0 {
            break;
        }
        hash.update(&octets[..len]);
    }
    stream.write_all(&hash.digest().to_be_bytes()).unwrap();
}

/// The stack takes the data from the kernel and sends it back, over both families; what passed meanwhile.
fn both_ways<D: Device + AsRawFd>(device: D) -> Stack<Watched<Captured<D>>> {
    let data = Arc::new(Data::new(LEN));
    let mut stack =
        Stack::new(Watched::new(Captured::new(device, "offloads")), [7; 32], OURS, &data, Instant::now())
            .unwrap();
    for (ours, kernel) in OURS.into_iter().zip(KERNEL) {
        let octets = Arc::clone(&data);
        let sender = thread::spawn(move || send(ours, &octets));
        run(&mut stack, |_| sender.is_finished());
        sender.join().unwrap();

        let listener = TcpListener::bind((kernel, PORT)).unwrap();
        let receiver = thread::spawn(move || receive(&listener));
        send_to(&mut stack, kernel);
        receiver.join().unwrap();
    }
    stack
}

/// The stack sends the data, and checks the answer.
fn send_to<D: Device + AsRawFd>(stack: &mut Stack<Watched<Captured<D>>>, kernel: IpAddr) {
    stack.send(kernel, Instant::now()).unwrap();
    run(stack, |stack| stack.take_sent().is_some());
}

/// Segments came and went together, each as long as fits an MTU of 1,500 behind the headers of either family, with or
/// without options.
fn assert_together(seen: &Seen) {
    for (count, what) in [
        (&seen.received_together, "came together"),
        (&seen.received_partial, "came with an open checksum"),
        (&seen.sent_together, "went together"),
        (&seen.sent_partial, "went with an open checksum"),
    ] {
        assert!(count.get() > 0, "nothing {what}");
    }
    let lens = &seen.segment_lens;
    assert!(!lens.is_empty() && lens.iter().all(|len| (500..=1_460).contains(len)), "{lens:?}");
}

/// A TUN or TAP that is up, with the kernel's addresses; `None` if there can't be one.
fn tuntap(medium: Medium, options: TunTapOptions) -> Option<TunTapInterface> {
    if let Err(error) = unshare_network() {
        skip(&error.to_string());
        return None;
    }
    if std::fs::metadata("/dev/net/tun").is_err() {
        skip("no /dev/net/tun");
        return None;
    }
    let tap = TunTapInterface::with_options("t0", medium, options).unwrap();
    tap.kernel().disable_dad().unwrap();
    tap.kernel().set_up().unwrap();
    for (address, prefix_len) in KERNEL.into_iter().zip(PREFIX_LEN) {
        tap.kernel().add_address(address, prefix_len).unwrap();
    }
    Some(tap)
}

#[test]
fn a_raw_socket_and_the_kernel_leave_segments_together() {
    if let Err(error) = unshare_network() {
        return skip(&error.to_string());
    }
    let stack = both_ways(veth::veth());
    let Watched { inner: socket, seen } = stack.device();
    assert_together(seen);
    assert_eq!((socket.counters().rx_errors, socket.counters().tx_errors), (0, 0));
}

#[test]
fn a_tap_and_a_tun_and_the_kernel_leave_segments_together() {
    for medium in [Medium::Ethernet, Medium::Ip] {
        let Some(tap) = tuntap(medium, TunTapOptions::default()) else { return };
        assert!(tap.has_offloads());
        let stack = both_ways(tap);
        let Watched { inner: tap, seen } = stack.device();
        assert_together(seen);
        assert_eq!((tap.counters().rx_errors, tap.counters().tx_errors), (0, 0));
    }
}

#[test]
fn without_offloads_each_frame_is_one_as_on_a_cable() {
    let Some(tap) = tuntap(Medium::Ethernet, TunTapOptions::plain()) else { return };
    assert!(!tap.has_offloads());
    let stack = both_ways(tap);
    let Watched { inner: tap, seen } = stack.device();
    assert_eq!((seen.received_together.get(), seen.received_partial.get()), (0, 0));
    assert_eq!((seen.sent_together.get(), seen.sent_partial.get()), (0, 0));
    assert_eq!(seen.longest_single.get(), 1_514);
    assert_eq!((tap.counters().rx_errors, tap.counters().tx_errors), (0, 0));
    drop(stack);

    let stack = both_ways(veth::veth().without_offloads());
    let Watched { inner: socket, seen } = stack.device();
    assert_eq!((seen.sent_together.get(), seen.sent_partial.get()), (0, 0));
    assert_eq!((seen.longest_single.get(), socket.counters().tx_errors), (1_514, 0));
}

/// A datagram of the kernel's with this source port, in an Ethernet frame.
fn source_port(frame: &[u8]) -> Option<u16> {
    let udp = frame.get(14..).filter(|_| frame[12..14] == [8, 0])?.get(20..22)?;
    (frame[23] == 17).then_some(u16::from_be_bytes([udp[0], udp[1]]))
}

/// The source ports of the datagrams that wait in a queue, all with an open checksum as was agreed.
fn ports(queue: &mut TunTapInterface) -> Vec<u16> {
    let mut ports = Vec::new();
    while let Some((rx, _)) = queue.receive(Instant::now()) {
        let is_partial = rx.meta().checksum_partial;
        if let Some(port) = rx.consume(source_port) {
            assert!(is_partial, "the kernel has taken offloads back");
            ports.push(port);
        }
    }
    ports
}

#[test]
fn each_flow_stays_with_one_of_the_queues() {
    let mut options = TunTapOptions::default();
    options.multi_queue = true;
    let Some(first) = tuntap(Medium::Ethernet, options) else { return };
    // Only who says so shares an interface.
    let alone = TunTapInterface::with_options("t0", Medium::Ethernet, TunTapOptions::default());
    assert!(matches!(alone.unwrap_err(), TunTapError::WrongKind(_) | TunTapError::InUse(_)));
    let mut queues = [first, TunTapInterface::with_options("t0", Medium::Ethernet, options).unwrap()];
    // One that closes takes nothing from the others.
    drop(TunTapInterface::with_options("t0", Medium::Ethernet, options).unwrap());
    add_neighbor();
    let sockets: Vec<_> = (0..64).map(|_| UdpSocket::bind((KERNEL[0], 0)).unwrap()).collect();
    for _ in 0..3 {
        sockets.iter().for_each(|socket| assert_eq!(socket.send_to(b"x", (OURS[0], 9)).unwrap(), 1));
    }
    let got = queues.each_mut().map(ports);
    assert_eq!(got[0].len() + got[1].len(), 3 * 64);
    let [first, second] = got.map(|ports| ports.into_iter().collect::<HashSet<_>>());
    assert!(first.len() >= 8 && second.len() >= 8, "{} and {} flows", first.len(), second.len());
    assert!(first.is_disjoint(&second));
}

/// So that the kernel need not ask who we are.
fn add_neighbor() {
    let line = format!("neighbor add {} lladdr 02:00:00:00:00:02 dev t0", OURS[0]);
    assert!(Command::new("ip").args(line.split(' ')).status().unwrap().success());
}
