//! The conversation with the kernel, whose end is the standard library's sockets in a thread.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use goldcrest::phy::{Device, wait};
use goldcrest::time;
use goldcrest::wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr};
use socket2::{Domain, Protocol, Socket, Type};
use xxhash_rust::xxh3::Xxh3;

use crate::report::Report;
use crate::stack::Stack;
use crate::transfer::{Answer, Data};
use crate::{OURS, PEER, PINGS, PORT, Result};

/// How long any one thing may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How soon the stack's loop sees that a thread of the kernel's end is done.
const LOOK: time::Duration = time::Duration::from_millis(2);

/// Pings and transfers, with the stack on `device`.
pub(crate) fn converse<D: Device + AsRawFd>(device: D, data: &Arc<Data>, report: &mut Report) -> Result<()> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let mut stack = Stack::new(device, secret, OURS, data, time::Instant::now())?;
    for address in OURS {
        let times = with_kernel(&mut stack, move || ping(address))?;
        report.pings(address, &times);
    }
    for (ours, peer) in OURS.into_iter().zip(PEER) {
        let octets = Arc::clone(data);
        let took = with_kernel(&mut stack, move || send((ours, PORT).into(), &octets))?;
        report.transfer("kernel to stack", ours, data, took);

        let listener = TcpListener::bind((peer, PORT))?;
        let receiver = thread::spawn(move || receive(&listener));
        stack.send(peer, time::Instant::now())?;
        let mut took = None;
        run(&mut stack, |stack| {
            took = took.or(stack.take_sent());
            took.is_some() && receiver.is_finished()
        })?;
        join(receiver)?;
        report.transfer("stack to kernel", ours, data, took.unwrap_or_default().into());
    }
    report.counters(&stack.mib(), stack.stats());
    Ok(())
}

/// Runs the stack for as long as `work` takes in a thread.
fn with_kernel<D, T>(stack: &mut Stack<D>, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T>
where
    D: Device + AsRawFd,
    T: Send + 'static,
{
    let kernel = thread::spawn(work);
    run(stack, |_| kernel.is_finished())?;
    join(kernel)
}

fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The loop that drives a stack: poll it; then wait until a frame comes or something is due.
fn run<D>(stack: &mut Stack<D>, mut is_done: impl FnMut(&mut Stack<D>) -> bool) -> Result<()>
where
    D: Device + AsRawFd,
{
    let end = Instant::now() + PATIENCE;
    while !is_done(stack) {
        if Instant::now() > end {
            return Err("it takes too long".into());
        }
        let now = time::Instant::now();
        stack.poll(now)?;
        let delay = stack.poll_at(now).map_or(LOOK, |at| at.saturating_duration_since(now).min(LOOK));
        if delay > time::Duration::ZERO {
            wait(stack.device().as_raw_fd(), Some(delay))?;
        }
    }
    Ok(())
}

/// Sends the data from a socket of the kernel's. How long it took until the answer came.
fn send(to: SocketAddr, data: &Data) -> Result<Duration> {
    let began = Instant::now();
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&data.octets)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Answer::default();
    stream.read_exact(&mut answer)?;
    data.check(answer)?;
    Ok(began.elapsed())
}

/// Takes the data by a socket of the kernel's, and answers.
fn receive(listener: &TcpListener) -> Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut hash = Xxh3::new();
    let mut octets = vec![0; 1 << 16];
    loop {
        match stream.read(&mut octets)? {
            0 => break,
            len => hash.update(&octets[..len]),
        }
    }
    stream.write_all(&hash.digest().to_be_bytes())?;
    Ok(())
}

/// Pings `address` from the kernel, as the program `ping` does. How long each answer took.
fn ping(address: IpAddr) -> Result<Vec<Duration>> {
    let (domain, protocol) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let mut socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    socket.connect(&SocketAddr::new(address, 0).into())?;
    socket.set_read_timeout(Some(Duration::from_secs(3)))?;
    let failed = |seq_no, error| format!("no answer to ping {seq_no} of {address}: {error}").into();
    (1..=PINGS).map(|seq_no| echo(&mut socket, address, seq_no).map_err(|e| failed(seq_no, e))).collect()
}

/// Sends an echo request and waits for the answer.
fn echo(socket: &mut Socket, address: IpAddr, seq_no: u16) -> io::Result<Duration> {
    let request = echo_request(address, seq_no);
    let began = Instant::now();
    socket.send(&request)?;
    let mut packet = [0; 256];
    loop {
        let len = socket.read(&mut packet)?;
        if is_answer(address, &packet[..len], &request) {
            return Ok(began.elapsed());
        }
    }
}

/// An echo request. For IPv6 the kernel computes the checksum.
fn echo_request(address: IpAddr, seq_no: u16) -> Vec<u8> {
    let (ident, data) = (std::process::id() as u16, &[0x69; 56]);
    let mut request = vec![0; 8 + data.len()];
    match address {
        IpAddr::V4(_) => Icmpv4Repr::EchoRequest { ident, seq_no, data }
            .emit(&mut Icmpv4Packet::new_unchecked(&mut request)),
        IpAddr::V6(address) => Icmpv6Repr::EchoRequest { ident, seq_no, data }.emit(
            &address,
            &address,
            &mut Icmpv6Packet::new_unchecked(&mut request),
        ),
    }
    request
}

/// Whether the packet from a raw socket answers `request`: over IPv4 it comes with its IP header.
fn is_answer(address: IpAddr, packet: &[u8], request: &[u8]) -> bool {
    let (header_len, reply) = if address.is_ipv4() { (20, 0) } else { (0, 129) };
    let message = packet.get(header_len..).unwrap_or_default();
    message.first() == Some(&reply) && message.get(4..) == request.get(4..)
}
