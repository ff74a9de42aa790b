//! Finds the routers on the way to a host, from a stack of its own. As root:
//! `cargo run --example traceroute -- 192.168.69.1`.

mod common;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::IpAddr;

use clap::Parser;
use goldcrest::iface::{NoHandler, SocketHandle};
use goldcrest::socket::icmp;
use goldcrest::socket::udp::{self, PacketBuffer, PacketMetadata};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::IpEndpoint;

use common::{Network, Result, Stack};

/// Sends UDP datagrams that may go one hop, two hops, and so on, and prints who says that they went no further.
///
/// The stack is a host of its own on a TAP, with the kernel at the other end; needs root, or CAP_NET_ADMIN. To get
/// further than the kernel, let it forward, and name it as --gateway. After a time stands what was said, if not that
/// the hops had run out: !N network, !H host, !P protocol, !X prohibited, !F too big.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    network: Network,
    /// Where to
    host: IpAddr,
    /// The most hops
    #[arg(short, long, value_name = "HOPS", default_value_t = 30)]
    max_hops: u8,
    /// Probes for each hop
    #[arg(short = 'q', long, value_name = "NUMBER", default_value_t = 3)]
    queries: u8,
    /// Milliseconds to wait for an answer
    #[arg(short, long, value_name = "MS", default_value_t = 2_000)]
    wait: u64,
    /// The port of the first probe; each goes to the next one
    #[arg(short, long, value_name = "PORT", default_value_t = 33_434, value_parser = clap::value_parser!(u16).range(1..50_000))]
    port: u16,
}

/// Where our probes come from.
const LOCAL_PORT: u16 = 47_001;

/// Who answered a probe, and what.
struct Answer {
    from: IpAddr,
    what: What,
    time: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// The hops ran out there.
    Passing,
    /// The host has nobody at the port: it is reached.
    Arrived,
    /// It goes no further.
    Refused(&'static str),
}

fn main() -> Result<()> {
    let options = Options::parse();
    let mut stack = options.network.open(4)?;
    let queue = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 8], vec![0; 8_192]);
    let probes = stack.sockets.add(udp::Socket::new(queue(), queue()));
    stack.sockets.bind(probes, LOCAL_PORT)?;
    let mut errors = icmp::Socket::new(queue(), queue());
    errors.bind(icmp::Endpoint::Udp(LOCAL_PORT.into()))?;
    let errors = stack.sockets.add(errors);
    println!("traceroute to {}, at most {} hops", options.host, options.max_hops);
    let mut port = options.port;
    for hops in 1..=options.max_hops {
        print!("{hops:2} ");
        let mut seen = BTreeSet::new();
        let mut is_end = false;
        for _ in 0..options.queries {
            stack.sockets.get_mut::<udp::Socket>(probes).set_hop_limit(Some(hops));
            let answer = probe(&mut stack, probes, errors, (options.host, port).into(), options.wait)?;
            print_answer(answer.as_ref(), &mut seen)?;
            is_end |= answer.is_some_and(|answer| answer.what != What::Passing);
            port += 1;
        }
        println!();
        if is_end {
            break;
        }
    }
    Ok(())
}

/// Sends one probe and waits for the answer to it.
fn probe(
    stack: &mut Stack,
    probes: SocketHandle,
    errors: SocketHandle,
    to: std::net::SocketAddr,
    wait: u64,
) -> Result<Option<Answer>> {
    let start = Instant::now();
    let end = start + Duration::from_millis(wait);
    stack.sockets.get_mut::<udp::Socket>(probes).send_slice(&[0x67; 32], IpEndpoint::from(to))?;
    loop {
        stack.poll(Instant::now(), &mut NoHandler);
        let socket = stack.sockets.get_mut::<icmp::Socket>(errors);
        while let Ok((message, meta)) = socket.recv() {
            if quoted_port(message) == Some(to.port()) {
                let what = what(message, to.is_ipv4());
                return Ok(Some(Answer { from: meta.address.into(), what, time: Instant::now() - start }));
            }
        }
        if Instant::now() >= end || !stack.wait(Some(end), &[])? {
            return Ok(None);
        }
    }
}

/// The port that the datagram went to which a message quotes behind its eight octets.
fn quoted_port(message: &[u8]) -> Option<u16> {
    let packet = message.get(8..)?;
    let header_len = if packet.first()? >> 4 == 4 { usize::from(packet[0] & 15) * 4 } else { 40 };
    let octets = packet.get(header_len + 2..header_len + 4)?;
    Some(u16::from_be_bytes([octets[0], octets[1]]))
}

fn what(message: &[u8], is_v4: bool) -> What {
    match (is_v4, message[0], message[1]) {
        (true, 11, _) | (false, 3, _) => What::Passing,
        (true, 3, 3) | (false, 1, 4) => What::Arrived,
        (true, 3, 0) | (false, 1, 0) => What::Refused("!N"),
        (true, 3, 1) | (false, 1, 3) => What::Refused("!H"),
        (true, 3, 2) => What::Refused("!P"),
        (true, 3, 4) | (false, 2, _) => What::Refused("!F"),
        _ => What::Refused("!X"),
    }
}

fn print_answer(answer: Option<&Answer>, seen: &mut BTreeSet<IpAddr>) -> Result<()> {
    match answer {
        None => print!(" *"),
        Some(answer) => {
            if seen.insert(answer.from) {
                print!(" {}", answer.from);
            }
            print!("  {:.3} ms", answer.time.total_micros() as f64 / 1_000.0);
            if let What::Refused(sign) = answer.what {
                print!(" {sign}");
            }
        }
    }
    Ok(std::io::stdout().flush()?)
}
