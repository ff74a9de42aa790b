//! A host with the small services of old, and a web server, on a TAP or TUN:
//!
//! ```text
//! cargo run --release --example server
//! ```
//!
//! As root; then, in another window, `curl http://192.168.69.2/` or `nc 192.168.69.2 7`. `--help` says more.
//!
//! | file | what |
//! | --- | --- |
//! | `streams` | echo, discard and chargen over TCP |
//! | `datagrams` | the same over UDP |
//! | `pages` | what there is on the web server |

#[path = "../common/mod.rs"]
mod common;
mod datagrams;
mod pages;
mod streams;

use clap::Parser;
use goldcrest::apps::http::{self, Limits};
use goldcrest::iface::{NoHandler, SocketHandle};
use goldcrest::socket::tcp::{HalfOpen, Listener};
use goldcrest::time::{Duration, Instant};

use common::{Network, Result, Stack};
use datagrams::Datagrams;
use pages::Pages;
use streams::Streams;

/// A host of its own on a TAP: echo (port 7), discard (9) and chargen (19) over TCP and UDP, and a web server
///
/// It needs the right to make network interfaces (root, or a network namespace of one's own: try
/// `unshare --user --map-root-user --net`). The kernel is at the other end of the TAP, with an address in the same
/// network, so that any program on this machine can talk to it:
///
///   ping 192.168.69.2;  curl http://192.168.69.2/status;  nc 192.168.69.2 7
///   curl -T FILE http://192.168.69.2/upload/;  curl -g 'http://[fd00:69::2]/bytes/1000000' | wc -c
///
/// RUST_LOG=trace shows what happens. Ctrl-C ends it and prints the counters.
#[derive(Debug, Parser)]
#[command(name = "server", verbatim_doc_comment)]
struct Arguments {
    #[command(flatten)]
    network: Network,
    /// The web server's port
    #[arg(long, value_name = "PORT", default_value_t = 80)]
    http: u16,
    /// How many connections each service takes at once
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    connections: u32,
    /// How long the head of a request may take to come
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    patience: u64,
    /// The web server's connections get 512 octets to receive and 384 to send, and 10 MB at /flash are sent from
    /// where they lie
    #[arg(long)]
    small: bool,
}

/// Octets of each buffer of a connection.
const BUFFER_LEN: usize = 64 << 10;

fn main() -> Result<()> {
    env_logger::init();
    let arguments = Arguments::parse();
    let mut stack = arguments.network.open(4 * arguments.connections as usize)?;
    let mut streams = Streams::open(&mut stack, arguments.connections)?;
    let datagrams = Datagrams::open(&mut stack)?;
    let mut server = web_server(&mut stack, &arguments)?;
    let mut pages = Pages::default();
    println!("serving");
    loop {
        let now = Instant::now();
        stack.poll(now, &mut NoHandler);
        // Each event is offered to one after the other, until one says that it was its own.
        while let Some((handle, events)) = stack.sockets.next_ready() {
            log::trace!("{handle:?}: {events:?}");
            pages.see(&stack, &server);
            let _ = server.on_ready(now, &mut stack.sockets, handle, events, &mut pages)
                || streams.on_ready(&mut stack.sockets, handle, events)
                || datagrams.on_ready(&mut stack.sockets, handle);
        }
        server.poll(now, &mut stack.sockets, &mut pages);
        let until = server.poll_at(now);
        if !stack.wait(until, &[])? {
            break;
        }
    }
    pages.see(&stack, &server);
    print!("{}", pages.counters());
    Ok(())
}

/// A listener on `port` that makes buffers for so many connections.
fn listen(stack: &mut Stack, port: u16, connections: u32) -> Result<SocketHandle> {
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 64]);
    listener.set_buffers(BUFFER_LEN, BUFFER_LEN, connections as usize);
    let handle = stack.sockets.add(listener);
    stack.sockets.listen(handle, port)?;
    Ok(handle)
}

fn web_server(stack: &mut Stack, arguments: &Arguments) -> Result<http::Server<'static>> {
    // One more than the server keeps, so that a new connection can push out an idle one.
    let most = arguments.connections.saturating_add(1);
    let listener = listen(stack, arguments.http, most)?;
    if arguments.small {
        let listener = stack.sockets.get_mut::<Listener>(listener);
        listener.set_buffers(512, 384, most as usize);
        listener.set_send_refs(1);
    }
    let site = pages::site(arguments.small);
    let mut server = http::Server::with_capacity(listener, site, arguments.connections as usize);
    let mut limits = Limits::DEFAULT;
    limits.body_len = 1 << 30;
    limits.requests = 10_000;
    limits.head_timeout = Duration::from_secs(arguments.patience);
    server.set_limits(limits);
    Ok(server)
}
