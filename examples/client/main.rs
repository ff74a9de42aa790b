//! A client on a stack of its own, whose servers are the kernel's or beyond it:
//!
//! ```text
//! cargo run --release --example client -- get http://192.168.69.1:8000/
//! ```
//!
//! As root, with a server on this machine, such as `python3 -m http.server`. `--help` says more.

#[path = "../common/mod.rs"]
mod common;
mod datagrams;
mod tasks;

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use goldcrest::iface::{NoHandler, SocketHandle};
use goldcrest::socket::tcp::Socket;
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};

use common::{Network, Result, Stack};
use datagrams::Service;
use tasks::{Chargen, Discard, Echo, Get, Task};

/// Talks to a server, from a host of its own on a TAP, whose other end is the kernel's
///
/// It needs the right to make network interfaces (root, or a network namespace of one's own: try
/// `unshare --user --map-root-user --net`).
///
///   python3 -m http.server & client get http://192.168.69.1:8000/
///   socat TCP-LISTEN:7,fork EXEC:cat & client echo 192.168.69.1
///   socat -u TCP-LISTEN:9,fork /dev/null & client discard 192.168.69.1 --octets 100000000
///   socat UDP-LISTEN:7,fork EXEC:cat & client echo --udp 192.168.69.1
///
/// RUST_LOG=debug shows more.
#[derive(Debug, Parser)]
#[command(name = "client", verbatim_doc_comment)]
struct Arguments {
    #[command(flatten)]
    network: Network,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch an HTTP resource: its head goes to stderr, its body to stdout
    Get {
        /// http://ADDRESS[:PORT][/PATH], the address a number: there is no resolver here
        #[arg(value_parser = parse_url)]
        url: Url,
    },
    /// Send octets to an echo server and compare what comes back
    Echo {
        /// ADDRESS[:PORT], IPv6 addresses with a port in brackets
        #[arg(value_parser = |text: &str| parse_server(text, 7))]
        server: SocketAddr,
        /// How many
        #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
        octets: usize,
        /// In datagrams, each after the answer to the one before
        #[arg(long)]
        udp: bool,
    },
    /// Send octets to a discard server and say how long it took
    Discard {
        /// ADDRESS[:PORT], IPv6 addresses with a port in brackets
        #[arg(value_parser = |text: &str| parse_server(text, 9))]
        server: SocketAddr,
        /// How many
        #[arg(long, value_name = "COUNT", default_value_t = 100_000_000)]
        octets: usize,
        /// In datagrams, of which nobody says whether they have come
        #[arg(long)]
        udp: bool,
    },
    /// Take what a character generator sends, and look whether it is that
    Chargen {
        /// ADDRESS[:PORT], IPv6 addresses with a port in brackets
        #[arg(value_parser = |text: &str| parse_server(text, 19))]
        server: SocketAddr,
        /// How many octets
        #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
        octets: usize,
        /// In datagrams, for each of which one of ours asks
        #[arg(long)]
        udp: bool,
    },
}

#[derive(Debug, Clone)]
struct Url {
    server: SocketAddr,
    authority: String,
    path: String,
}

fn parse_server(text: &str, port: u16) -> std::result::Result<SocketAddr, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    text.parse().map_err(|_| format!("`{text}` is no ADDRESS or ADDRESS:PORT"))
}

fn parse_url(text: &str) -> std::result::Result<Url, String> {
    let rest = text.strip_prefix("http://").ok_or("only http:// is spoken here")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    Ok(Url { server: parse_server(authority, 80)?, authority: authority.into(), path: path.into() })
}

/// Octets of each buffer of a connection.
const BUFFER_LEN: usize = 256 << 10;

fn main() -> ExitCode {
    env_logger::init();
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Get { url } => run(&arguments, url.server, &mut Get::new(&url.authority, &url.path)),
        Command::Echo { server, octets, udp: true } => talk(&arguments, *server, Service::Echo, *octets),
        Command::Echo { server, octets, .. } => run(&arguments, *server, &mut Echo::new(*octets)),
        Command::Discard { server, octets, udp: true } => {
            talk(&arguments, *server, Service::Discard, *octets)
        }
        Command::Discard { server, octets, .. } => run(&arguments, *server, &mut Discard::new(*octets)),
        Command::Chargen { server, octets, udp: true } => {
            talk(&arguments, *server, Service::Chargen, *octets)
        }
        Command::Chargen { server, octets, .. } => run(&arguments, *server, &mut Chargen::new(*octets)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("client: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Talks in datagrams.
fn talk(arguments: &Arguments, server: SocketAddr, service: Service, octets: usize) -> Result<()> {
    let mut stack = arguments.network.open(4)?;
    let end = Instant::now() + Duration::from_secs(arguments.timeout);
    datagrams::run(&mut stack, server, service, octets, end)
}

/// Connects, and lets the task go on until it is over.
fn run(arguments: &Arguments, server: SocketAddr, task: &mut dyn Task) -> Result<()> {
    let mut stack = arguments.network.open(4)?;
    connect(&mut stack, server)?;
    let began_at = Instant::now();
    let end = began_at + Duration::from_secs(arguments.timeout);
    loop {
        let now = Instant::now();
        stack.poll(now, &mut NoHandler);
        while let Some((handle, events)) = stack.sockets.next_ready() {
            log::debug!("{handle:?}: {events:?}");
            let socket = stack.sockets.get_mut::<Socket>(handle);
            if let Some(error) = socket.error() {
                return Err(format!("{server}: {error}").into());
            }
            if task.go_on(socket)? {
                log::info!("{}", stack.sockets.get::<Socket>(handle).state());
                return finish(&mut stack, handle, task, now.saturating_duration_since(began_at));
            }
        }
        if now >= end {
            return Err(format!("{server}: not done in {} s", arguments.timeout).into());
        }
        if !stack.wait(Some(end), &[])? {
            return Err("interrupted".into());
        }
    }
}

fn connect(stack: &mut Stack, server: SocketAddr) -> Result<()> {
    let buffer = || SocketBuffer::new(vec![0; BUFFER_LEN]);
    let handle = stack.sockets.add(Socket::new(buffer(), buffer()));
    stack.iface.connect(Instant::now(), &mut stack.sockets, handle, server, 0)?;
    Ok(())
}

/// Says what came of it, and lets the stack end the connection in order, within a second.
fn finish(stack: &mut Stack, handle: SocketHandle, task: &mut dyn Task, took: Duration) -> Result<()> {
    task.report(took);
    stack.sockets.release(handle)?;
    let end = Instant::now() + Duration::from_secs(1);
    while !stack.sockets.is_empty() && Instant::now() < end {
        stack.poll(Instant::now(), &mut NoHandler);
        if !stack.wait(Some(end), &[])? {
            break;
        }
    }
    Ok(())
}
