//! The server seen from the wire: octets in, octets out, through two stacks in virtual time.

mod clauses;
mod cuts;
mod limits;
mod malformed;
#[cfg(feature = "tcp-send-ref")]
mod referred;

use core::fmt::Write;
use std::string::String;
use std::vec::Vec;

use super::{Exchange, File, Handler, Limits, Methods, Next, Reply, Request, Route, Server, Site, Status};
use crate::iface::{Config, Interface, SocketHandle, SocketSet};
use crate::phy::{Device, Medium, SimConfig, SimLink, SimPort};
use crate::rand::Keys;
use crate::socket::tcp::{self, HalfOpen, Listener};
use crate::storage::SocketBuffer;
use crate::time::{Duration, Instant};
use crate::wire::{IpAddress, IpCidr};

/// 100,000 octets: more than any buffer here holds.
static LONG: [u8; 100_000] = {
    let mut octets = [0; 100_000];
    let mut at = 0;
    while at < octets.len() {
        octets[at] = b'a' + (at % 23) as u8;
        at += 1;
    }
    octets
};

static FILES: [File; 4] = [
    File { path: "/", content_type: "text/html", octets: b"<p>Goldcrest", etag: "\"root\"" },
    File { path: "/ten", content_type: "text/plain", octets: b"0123456789", etag: "\"ten\"" },
    File { path: "/caf\u{e9} au lait", content_type: "", octets: b"hot", etag: "" },
    File { path: "/long", content_type: "text/plain", octets: &LONG, etag: "W/\"long\"" },
];

const STATUS: usize = 0;
const UPLOAD: usize = 1;
const COUNT: usize = 2;
const STREAM: usize = 3;
const TAGGED: usize = 5;
const TOO_LONG: usize = 6;
const SHORT: usize = 7;
const PICKY: usize = 8;

static ROUTES: [Route; 9] = [
    Route { path: "/status", methods: Methods::READING },
    Route { path: "/upload/*", methods: Methods::POST.union(Methods::PUT) },
    Route { path: "/count", methods: Methods::READING },
    Route { path: "/stream", methods: Methods::READING },
    Route { path: "/early", methods: Methods::POST },
    Route { path: "/tagged", methods: Methods::GET.union(Methods::PUT) },
    Route { path: "/too-long", methods: Methods::GET },
    Route { path: "/short", methods: Methods::GET },
    Route { path: "/picky", methods: Methods::PUT },
];

/// How much `/count` and `/stream` have to say.
const GENERATED: usize = 5_000;

/// The application.
#[derive(Default)]
struct Pages {
    /// The body of the upload that is going on, by key.
    bodies: [Vec<u8>; 8],
    complete: usize,
    aborted: usize,
}

impl Handler for Pages {
    fn request(&mut self, exchange: &mut Exchange, request: &Request<'_>, reply: &mut Reply<'_>) -> Next {
        match exchange.route {
            STATUS => {
                let query = request.query().unwrap_or("-");
                let _ = write!(reply.content_type("text/plain"), "{} {query}", request.path());
            }
            UPLOAD => {
                self.bodies[exchange.key()].clear();
                return Next::Receive;
            }
            COUNT => {
                reply.generate(GENERATED);
            }
            STREAM => {
                reply.generate_open();
            }
            TAGGED => {
                if let Some(status) = request.unmet_condition("\"v1\"") {
                    reply.status(status);
                } else {
                    reply.etag("\"v1\"").send(b"tagged");
                }
            }
            TOO_LONG => {
                reply.send(&[b'x'; 5_000]);
            }
            SHORT => {
                reply.generate(GENERATED);
                exchange.state = GENERATED;
            }
            PICKY => return Next::Receive,
            _ => {
                reply.status(Status::FORBIDDEN).field_lines("Retry-After: 9\r\n");
            }
        }
        Next::Respond
    }

    fn body(&mut self, exchange: &mut Exchange, piece: &[u8]) -> Result<(), Status> {
        assert!(!piece.is_empty());
        if exchange.route == PICKY {
            return Err(Status::UNSUPPORTED_MEDIA_TYPE);
        }
        self.bodies[exchange.key()].extend(piece);
        Ok(())
    }

    fn respond(&mut self, exchange: &mut Exchange, reply: &mut Reply<'_>) {
        let body = &self.bodies[exchange.key()];
        let sum: u32 = body.iter().map(|&octet| u32::from(octet)).sum();
        let _ = write!(reply.status(Status::CREATED), "{} {sum}", body.len());
    }

    fn fill(&mut self, exchange: &mut Exchange, out: &mut [u8]) -> usize {
        let len = out.len().min(GENERATED - exchange.state);
        for (octet, at) in out.iter_mut().zip(exchange.state..).take(len) {
            *octet = b'0' + (at % 10) as u8;
        }
        exchange.state += len;
        len
    }

    fn ended(&mut self, _exchange: &mut Exchange, is_complete: bool) {
        *(if is_complete { &mut self.complete } else { &mut self.aborted }) += 1;
    }
}

/// What `/count` and `/stream` say.
fn generated() -> String {
    (0..GENERATED).map(|at| char::from(b'0' + (at % 10) as u8)).collect()
}

struct End {
    port: SimPort,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
}

impl End {
    fn new(mut port: SimPort, last: u8) -> End {
        let config = Config::new(port.hardware_address());
        let mut iface = Interface::new(config, &mut port, Instant::ZERO);
        iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24)).unwrap();
        End { port, iface, sockets: SocketSet::with_capacity(16, Keys::new([last; 32])) }
    }
}

/// A client's stack and the server's.
struct Talk {
    now: Instant,
    client: End,
    host: End,
    listener: SocketHandle,
    server: Server<'static>,
    pages: Pages,
}

/// Connections that the server has room for.
const CONNECTIONS: usize = 3;

impl Talk {
    fn new(limits: Limits) -> Talk {
        Talk::with_buffers(limits, 2_048, 2_048)
    }

    fn with_buffers(limits: Limits, rx_len: usize, tx_len: usize) -> Talk {
        Talk::over(
            SimConfig::new(Medium::Ip),
            Site { routes: &ROUTES, files: &FILES },
            rx_len,
            tx_len,
            limits,
        )
    }

    fn over(link: SimConfig, site: Site, rx_len: usize, tx_len: usize, limits: Limits) -> Talk {
        let (a, b) = SimLink::pair(link, 1);
        let (client, mut host) = (End::new(a, 1), End::new(b, 2));
        let listener = host.sockets.add(Listener::new(vec![HalfOpen::EMPTY; 8]));
        host.sockets.get_mut::<Listener>(listener).set_buffers(rx_len, tx_len, 8);
        host.sockets.listen(listener, 80).unwrap();
        let mut server = Server::with_capacity(listener, site, CONNECTIONS);
        server.set_limits(limits);
        Talk { now: Instant::from_secs(1), client, host, listener, server, pages: Pages::default() }
    }

    fn step(&mut self) {
        let Talk { now, client, host, server, pages, .. } = self;
        client.iface.poll(*now, &mut client.port, &mut client.sockets);
        host.iface.poll(*now, &mut host.port, &mut host.sockets);
        while let Some((handle, events)) = host.sockets.next_ready() {
            assert!(server.on_ready(*now, &mut host.sockets, handle, events, pages));
        }
        server.poll(*now, &mut host.sockets, pages);
        host.iface.poll(*now, &mut host.port, &mut host.sockets);
        *now += Duration::from_millis(1);
    }

    fn run(&mut self, millis: usize) {
        (0..millis).for_each(|_| self.step());
    }

    /// Lets time pass from deadline to deadline.
    fn pass(&mut self, secs: i64) {
        let end = self.now + Duration::from_secs(secs as u64);
        while self.now < end {
            self.step();
            let next = [
                self.client.iface.poll_at(self.now, &mut self.client.sockets),
                self.host.iface.poll_at(self.now, &mut self.host.sockets),
                self.server.poll_at(self.now),
                self.client.port.poll_at(self.now),
                self.host.port.poll_at(self.now),
            ];
            self.now = next.into_iter().flatten().min().unwrap_or(end).min(end).max(self.now);
        }
    }

    fn connect(&mut self) -> Client {
        let buffer = || SocketBuffer::new(vec![0; 8_192]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        let handle = self.client.sockets.add(socket);
        let remote = (IpAddress::v4(10, 0, 0, 2), 80);
        self.client.iface.connect(self.now, &mut self.client.sockets, handle, remote, 0).unwrap();
        self.run(3);
        Client { handle, got: Vec::new() }
    }

    /// One connection: what it gets for `input`, until the server is silent.
    fn ask(&mut self, input: &[u8]) -> Client {
        let mut client = self.connect();
        client.send(self, input);
        client.listen(self, 30);
        client
    }

    /// The same for more than a window at once, which the client's stack sends the rest of after a while.
    fn ask_much(&mut self, input: &[u8]) -> String {
        let mut client = self.ask(input);
        client.listen(self, 2_000);
        client.text()
    }
}

/// The client's end of a connection.
struct Client {
    handle: SocketHandle,
    got: Vec<u8>,
}

impl Client {
    fn socket<'t>(&self, talk: &'t mut Talk) -> &'t mut tcp::Socket<'static> {
        talk.client.sockets.get_mut(self.handle)
    }

    /// Sends all of `input`, and reads meanwhile.
    fn send(&mut self, talk: &mut Talk, mut input: &[u8]) {
        for _ in 0..100_000 {
            let Ok(len) = self.socket(talk).send_slice(input) else { return };
            input = &input[len..];
            if input.is_empty() {
                return;
            }
            self.listen(talk, 1);
        }
        panic!("the server takes no more");
    }

    /// Reads what comes until nothing has for so many milliseconds.
    fn listen(&mut self, talk: &mut Talk, patience: usize) {
        let mut quiet = 0;
        while quiet < patience {
            talk.step();
            let mut octets = [0; 8_192];
            let len = self.socket(talk).recv_slice(&mut octets).unwrap_or(0);
            self.got.extend(&octets[..len]);
            quiet = if len > 0 { 0 } else { quiet + 1 };
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.got.clone()).unwrap()
    }

    /// Whether the server has closed its half in order.
    fn is_closed(&self, talk: &mut Talk) -> bool {
        self.socket(talk).state() == tcp::State::CloseWait
    }

    fn is_reset(&self, talk: &mut Talk) -> bool {
        self.socket(talk).error() == Some(tcp::Error::Reset)
    }

    fn close(&self, talk: &mut Talk) {
        self.socket(talk).close();
    }
}

/// A response's text without the framing of its chunks, and what follows it.
fn unchunked(text: &str) -> (String, &str) {
    let (head, mut chunks) = text.split_once("\r\n\r\n").unwrap();
    let mut whole = String::from(head);
    loop {
        let (size, rest) = chunks.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        whole += &rest[..size];
        chunks = rest[size..].strip_prefix("\r\n").unwrap();
        if size == 0 {
            return (whole, chunks);
        }
    }
}

/// What comes for `input` on a connection of its own.
fn answer(input: &str) -> String {
    Talk::new(Limits::DEFAULT).ask(input.as_bytes()).text()
}
