//! Pings a host from a stack of its own. As root: `cargo run --example ping -- 192.168.69.1`, which is the kernel at
//! the other end of the TAP.

mod common;

use std::net::IpAddr;
use std::process::ExitCode;

use clap::Parser;
use goldcrest::iface::NoHandler;
use goldcrest::socket::icmp::{self, Endpoint};
use goldcrest::socket::udp::{PacketBuffer, PacketMetadata};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{Icmpv4Packet, Icmpv6Packet, icmpv4, icmpv6};

use common::{Network, Result, Stack};

/// Asks a host for echoes, and says how long each took.
///
/// The stack is a host of its own on a TAP, with the kernel at the other end; needs root, or CAP_NET_ADMIN. To get
/// further than the kernel, let it forward, and name it as --gateway. Ends with 1 if nothing came back.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    network: Network,
    /// Whom to ask
    host: IpAddr,
    /// How often
    #[arg(short, long, value_name = "NUMBER", default_value_t = 4)]
    count: u16,
    /// Milliseconds from one request to the next
    #[arg(short, long, value_name = "MS", default_value_t = 1_000)]
    interval: u64,
    /// Milliseconds to wait for the last answer
    #[arg(short = 'W', long, value_name = "MS", default_value_t = 2_000)]
    timeout: u64,
    /// Octets of data in each request
    #[arg(short, long, value_name = "OCTETS", default_value_t = 56, value_parser = clap::value_parser!(u16).range(..=1_400))]
    size: u16,
    /// How many hops a request may take
    #[arg(short = 't', long, value_name = "HOPS", default_value_t = 64)]
    ttl: u8,
}

const IDENT: u16 = 0x6763;

/// What has been asked and answered.
#[derive(Default)]
struct Tally {
    asked_at: Vec<Instant>,
    times: Vec<Duration>,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let mut stack = options.network.open(4)?;
    let queue = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 8], vec![0; 16_384]);
    let mut socket = icmp::Socket::new(queue(), queue());
    socket.bind(Endpoint::Ident(IDENT))?;
    socket.set_hop_limit(Some(options.ttl));
    let handle = stack.sockets.add(socket);
    println!("PING {}: {} octets of data", options.host, options.size);
    let mut tally = Tally::default();
    let mut next = Instant::now();
    let end = loop {
        let now = Instant::now();
        let is_done = tally.asked_at.len() == usize::from(options.count);
        if now >= next && is_done {
            break now;
        }
        if now >= next {
            let socket = stack.sockets.get_mut::<icmp::Socket>(handle);
            socket.send_slice(&request(&options, tally.asked_at.len() as u16), options.host)?;
            tally.asked_at.push(now);
            let pause = if tally.asked_at.len() < usize::from(options.count) {
                options.interval
            } else {
                options.timeout
            };
            next = now + Duration::from_millis(pause);
        }
        stack.poll(now, &mut NoHandler);
        receive(&mut stack, handle, &mut tally);
        if tally.times.len() == usize::from(options.count) || !stack.wait(Some(next), &[])? {
            break Instant::now();
        }
    };
    report(&options, &tally, end);
    Ok(if tally.times.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// An echo request.
fn request(options: &Options, number: u16) -> Vec<u8> {
    let kind = match options.host {
        IpAddr::V4(_) => icmpv4::msg_type::ECHO_REQUEST,
        IpAddr::V6(_) => icmpv6::msg_type::ECHO_REQUEST,
    };
    let ([a, b], [c, d]) = (IDENT.to_be_bytes(), number.to_be_bytes());
    let data = (0..options.size).map(|octet| octet as u8);
    [kind, 0, 0, 0, a, b, c, d].into_iter().chain(data).collect()
}

/// Prints what has come.
fn receive(stack: &mut Stack, handle: goldcrest::iface::SocketHandle, tally: &mut Tally) {
    let now = Instant::now();
    let socket = stack.sockets.get_mut::<icmp::Socket>(handle);
    while let Ok((message, meta)) = socket.recv() {
        let reply = match IpAddr::from(meta.address) {
            IpAddr::V4(_) => Icmpv4Packet::new_checked(message)
                .ok()
                .filter(|packet| packet.msg_type() == icmpv4::msg_type::ECHO_REPLY)
                .map(|packet| packet.echo_seq_no()),
            IpAddr::V6(_) => Icmpv6Packet::new_checked(message)
                .ok()
                .filter(|packet| packet.msg_type() == icmpv6::msg_type::ECHO_REPLY)
                .map(|packet| packet.echo_seq_no()),
        };
        let asked_at = reply.and_then(|number| tally.asked_at.get(usize::from(number)));
        let (Some(number), Some(asked_at)) = (reply, asked_at) else {
            println!("from {}: type {} code {}", meta.address, message[0], message[1]);
            continue;
        };
        let time = now - *asked_at;
        let (octets, hops, millis) = (message.len(), meta.received.hop_limit, millis(time));
        println!("{octets} octets from {}: seq={number} ttl={hops} time={millis:.3} ms", meta.address);
        tally.times.push(time);
    }
}

fn millis(time: Duration) -> f64 {
    time.total_micros() as f64 / 1_000.0
}

fn report(options: &Options, tally: &Tally, end: Instant) {
    let (sent, received) = (tally.asked_at.len(), tally.times.len());
    let took = tally.asked_at.first().map_or(0.0, |start| millis(end - *start));
    println!("{}: {sent} sent, {received} received, {took:.0} ms", options.host);
    if let (Some(least), Some(most)) = (tally.times.iter().min(), tally.times.iter().max()) {
        let sum: u64 = tally.times.iter().map(|time| time.total_micros()).sum();
        let mean = sum as f64 / received as f64 / 1_000.0;
        println!("least {:.3} ms, mean {mean:.3} ms, most {:.3} ms", millis(*least), millis(*most));
    }
}
