//! TCP with the kernel over a veth pair whose offloads are left on: a raw socket is given segments that are put together and
//! checksums that are not complete, is told so of each, and the streams are whole.
#![cfg(all(target_os = "linux", feature = "phy-raw", feature = "phy-tuntap"))]

#[path = "common/skip.rs"]
mod skip;
#[path = "../examples/quickstart/stack.rs"]
#[allow(dead_code, reason = "of the quickstart's stack not all is asked here")]
mod stack;
#[path = "../examples/quickstart/transfer.rs"]
mod transfer;
#[path = "common/veth.rs"]
mod veth;

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use goldcrest::phy::{
    Device, DeviceCapabilities, HardwareAddress, LinkState, RawSocket, RxToken, unshare_network, wait,
};
use goldcrest::time::{self, Instant};
use skip::skip;
use stack::Stack;
use transfer::{Answer, Data};
use veth::{KERNEL, OURS, PREFIX_LEN};
use xxhash_rust::xxh3::Xxh3;

// What the quickstart's stack asks its program for.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
const PORT: u16 = 45_678;

const LEN: usize = 8_000_000;
/// How soon the stack's loop sees that a thread of the kernel's end is done.
const LOOK: time::Duration = time::Duration::from_millis(2);

/// A raw socket, and what it has said of the frames that came.
struct Watched {
    socket: RawSocket,
    coalesced: u32,
    partial: u32,
    segment_lens: Vec<u16>,
}

impl Device for Watched {
    type RxToken<'a> = <RawSocket as Device>::RxToken<'a>;
    type TxToken<'a> = <RawSocket as Device>::TxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        let (rx, tx) = self.socket.receive(now)?;
        let meta = rx.meta();
        self.partial += u32::from(meta.checksum_partial);
        if meta.segment_len > 0 {
            self.coalesced += 1;
            if !self.segment_lens.contains(&meta.segment_len) {
                self.segment_lens.push(meta.segment_len);
            }
        }
        Some((rx, tx))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.socket.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.socket.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.socket.hardware_address()
    }

    fn link(&self) -> LinkState {
        self.socket.link()
    }
}

fn watched() -> Watched {
    Watched { socket: veth::veth(), coalesced: 0, partial: 0, segment_lens: Vec::new() }
}

/// Drives the stack until `is_done`.
fn run(stack: &mut Stack<Watched>, mut is_done: impl FnMut(&mut Stack<Watched>) -> bool) {
    while !is_done(stack) {
        let now = Instant::now();
        stack.poll(now).unwrap();
        let delay = stack.poll_at(now).map_or(LOOK, |at| at.saturating_duration_since(now).min(LOOK));
        wait(stack.device().socket.as_raw_fd(), Some(delay)).unwrap();
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

#[test]
fn streams_are_whole_though_the_kernel_leaves_their_segments_together() {
    if let Err(error) = unshare_network() {
        return skip(&error.to_string());
    }
    let data = Arc::new(Data::new(LEN));
    let mut stack = Stack::new(watched(), [7; 32], OURS, &data, Instant::now()).unwrap();
    for (ours, kernel) in OURS.into_iter().zip(KERNEL) {
        let before = stack.device().coalesced;
        let octets = Arc::clone(&data);
        let sender = thread::spawn(move || send(ours, &octets));
        run(&mut stack, |_| sender.is_finished());
        sender.join().unwrap();
        assert!(stack.device().coalesced > before, "nothing of {ours} came together");

        let listener = TcpListener::bind((kernel, PORT)).unwrap();
        let receiver = thread::spawn(move || receive(&listener));
        stack.send(kernel, Instant::now()).unwrap();
        let mut is_sent = false;
        run(&mut stack, |stack| {
            is_sent |= stack.take_sent().is_some();
            is_sent && receiver.is_finished()
        });
        receiver.join().unwrap();
    }
    let Watched { partial, segment_lens, socket, .. } = stack.device();
    assert!(*partial > 0, "every checksum was complete");
    // What fits an MTU of 1,500 behind the headers of either family, with or without options.
    assert!(
        !segment_lens.is_empty() && segment_lens.iter().all(|len| (500..=1_460).contains(len)),
        "{segment_lens:?}"
    );
    assert_eq!(socket.counters().rx_errors, 0);
}
