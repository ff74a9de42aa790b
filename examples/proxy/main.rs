//! A transparent proxy: takes TCP connections to any address and any port, dials each anew by the kernel's sockets, and
//! copies both ways.
//!
//! ```text
//! cargo run --release --example proxy
//! ```
//!
//! As root. `--help` says more.
//!
//! | file | what |
//! | --- | --- |
//! | `dial` | connections of the kernel's, each begun by a thread |
//! | `relay` | two connections, and what goes from one to the other |

#[path = "../common/mod.rs"]
mod common;
mod dial;
mod relay;

use std::collections::HashMap;
use std::net::TcpStream;

use clap::Parser;
use goldcrest::iface::{Handler, HookSet, SocketHandle, SynVerdict};
use goldcrest::socket::tcp::{HalfOpen, Listener, Socket};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::IpEndpoint;

use common::{Network, Result, Stack};
use dial::{Dialled, Dialler};
use relay::Relay;

/// Takes TCP connections to whatever address and port, and dials the same from the kernel it runs on
///
/// A client hears nothing until that has worked out: it is accepted then, or else refused. So what a client sees is what
/// the proxy has seen.
///
/// It needs the right to make network interfaces (root). Clients reach it by a route, as they would a router; whom
/// they want, this machine must reach otherwise, or the proxy dials itself:
///
///   ip route add 203.0.113.0/24 via 192.168.69.2
///
/// Ctrl-C ends it and says how many connections there were.
#[derive(Debug, Parser)]
#[command(name = "proxy", verbatim_doc_comment)]
struct Arguments {
    #[command(flatten)]
    network: Network,
    /// How many connections there may be at once, those that are being dialled included
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    connections: usize,
    /// How long to dial
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=50))]
    patience: u64,
}

/// Octets of each buffer of a connection.
const BUFFER_LEN: usize = 256 << 10;
/// How long a client that was accepted may take to answer; then the stack has forgotten it, too.
const HANDSHAKE: Duration = Duration::from_secs(70);
/// When a connection of the kernel's that took no more is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// A client's end, and the end that it wants.
type Ends = (IpEndpoint, IpEndpoint);

/// Has everybody wait, and remembers who asked.
#[derive(Default)]
struct Desk {
    requests: Vec<Ends>,
}

impl Handler for Desk {
    fn syn(&mut self, _listener: SocketHandle, remote: IpEndpoint, local: IpEndpoint) -> SynVerdict {
        self.requests.push((remote, local));
        SynVerdict::Wait
    }

    fn hooks(&self) -> HookSet {
        HookSet::empty()
    }
}

struct Proxy {
    listener: SocketHandle,
    most: usize,
    dialler: Dialler,
    /// Dialled for clients whose handshake is not yet complete, each since when.
    waiting: HashMap<Ends, (TcpStream, Instant)>,
    relays: Vec<Relay>,
    accepted: u64,
    refused: u64,
}

fn main() -> Result<()> {
    env_logger::init();
    let arguments = Arguments::parse();
    let mut stack = arguments.network.open(2 * arguments.connections)?;
    let mut proxy = Proxy::open(&mut stack, &arguments)?;
    let mut desk = Desk::default();
    println!("proxying");
    loop {
        stack.poll(Instant::now(), &mut desk);
        proxy.go_on(&mut stack, &mut desk)?;
        if !proxy.wait(&mut stack)? {
            break;
        }
    }
    println!("{} connections accepted, {} refused", proxy.accepted, proxy.refused);
    Ok(())
}

impl Proxy {
    fn open(stack: &mut Stack, arguments: &Arguments) -> Result<Proxy> {
        let most = arguments.connections;
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; most]);
        listener.set_buffers(BUFFER_LEN, BUFFER_LEN, most);
        let mut template = Socket::template();
        // Who has sent a short segment wanted it sent.
        template.set_nagle_enabled(false);
        listener.set_template(&template);
        let listener = stack.sockets.add(listener);
        stack.sockets.listen(listener, ..)?;
        stack.iface.set_any_ip(true);
        let dialler = Dialler::new(Duration::from_secs(arguments.patience))?;
        let (waiting, relays) = (HashMap::new(), Vec::new());
        Ok(Proxy { listener, most, dialler, waiting, relays, accepted: 0, refused: 0 })
    }

    /// Does what can be done now.
    fn go_on(&mut self, stack: &mut Stack, desk: &mut Desk) -> Result<()> {
        for ends in desk.requests.drain(..) {
            if self.dialler.count() + self.waiting.len() + self.relays.len() < self.most {
                log::info!("{} asks for {}", ends.0, ends.1);
                self.dialler.dial(ends)?;
            } else {
                // It will ask again.
                let _ = stack.sockets.answer_syn(self.listener, ends.0, ends.1, SynVerdict::Ignore);
            }
        }
        while let Some(dialled) = self.dialler.next() {
            self.answer(stack, dialled);
        }
        while let Some(handle) = stack.sockets.accept(self.listener) {
            self.join(stack, handle);
        }
        self.waiting.retain(|_, (_, since)| Instant::now().saturating_duration_since(*since) < HANDSHAKE);
        self.relays.retain_mut(|relay| relay.go_on(&mut stack.sockets));
        Ok(())
    }

    /// Tells a client what came of it.
    fn answer(&mut self, stack: &mut Stack, Dialled { ends, result }: Dialled) {
        let verdict = if result.is_ok() { SynVerdict::Accept } else { SynVerdict::Reset };
        if let Err(error) = stack.sockets.answer_syn(self.listener, ends.0, ends.1, verdict) {
            // What was dialled is closed.
            return log::info!("{} wanted {}: {error}", ends.0, ends.1);
        }
        match result {
            Ok(stream) => drop(self.waiting.insert(without_zones(ends), (stream, Instant::now()))),
            Err(error) => {
                log::info!("{} is refused {}: {error}", ends.0, ends.1);
                self.refused += 1;
            }
        }
    }

    /// A client's handshake is complete.
    fn join(&mut self, stack: &mut Stack, handle: SocketHandle) {
        let socket = stack.sockets.get::<Socket>(handle);
        let ends = socket.remote_endpoint().zip(socket.local_endpoint());
        match ends.and_then(|ends| self.waiting.remove(&ends)) {
            Some((stream, _)) => {
                self.accepted += 1;
                self.relays.push(Relay::new(handle, stream));
            }
            None => {
                // It came too late.
                stack.sockets.get_mut::<Socket>(handle).abort();
                let _ = stack.sockets.release(handle); // it is there
            }
        }
    }

    /// Waits until something can be done. False if the program is to end.
    fn wait(&mut self, stack: &mut Stack) -> Result<bool> {
        let relays = self.relays.iter().filter_map(|relay| relay.awaited(&stack.sockets));
        let fds: Vec<_> = relays.chain([self.dialler.fd()]).collect();
        let is_stuck = self.relays.iter().any(Relay::is_stuck);
        stack.wait(is_stuck.then(|| Instant::now() + RETRY), &fds)
    }
}

/// As sockets say them.
fn without_zones((remote, local): Ends) -> Ends {
    (IpEndpoint::new(remote.addr, remote.port), IpEndpoint::new(local.addr, local.port))
}
