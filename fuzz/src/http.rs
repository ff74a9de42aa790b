//! The web server and any client, through two stacks in virtual time.
//!
//! What is promised:
//! - nothing panics, and every conversation comes to its end;
//! - what the server says are responses, one after the other, each as long as its head says, and none
//!   follows one that closes the connection;
//! - however the client's octets are cut into segments, it gets the same answers;
//! - when the client has gone, nothing of it remains.

use goldcrest::apps::http::{
    Exchange, File, Handler, Limits, Methods, Next, Reply, Request, Route, Server, Site, Status,
};
use goldcrest::iface::{Config, Interface, SocketHandle, SocketSet};
use goldcrest::phy::{Device, SimConfig, SimLink, SimPort};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{HalfOpen, Listener, Socket};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr, Medium};

static FILES: [File; 1] =
    [File { path: "/", content_type: "text/html", octets: &[b'x'; 3_000], etag: "\"a\"" }];

const WHOLE: Methods = Methods::GET.union(Methods::HEAD);

static ROUTES: [Route; 3] = [
    Route { path: "/up/*", methods: Methods::POST.union(Methods::PUT) },
    Route { path: "/count", methods: WHOLE },
    Route { path: "/stream", methods: WHOLE },
];

/// Octets of what is generated.
const GENERATED: usize = 3_000;
/// Steps until a conversation must have ended.
const STEPS: usize = 100_000;

/// The application, which says what it was told.
#[derive(Default)]
struct Pages {
    sum: u32,
    began: usize,
    ended: usize,
}

impl Handler for Pages {
    fn request(&mut self, exchange: &mut Exchange, request: &Request<'_>, reply: &mut Reply<'_>) -> Next {
        let path = request.path();
        assert!(path.starts_with('/') && !path.contains("/../") && !path.contains('\0'), "{path}");
        assert!(request.fields("host").count() <= 1);
        self.began += 1;
        self.sum = request.content_length().map_or(1, |len| len as u32);
        match exchange.route {
            0 => return Next::Receive,
            1 => reply.generate(GENERATED),
            _ => reply.generate_open(),
        };
        Next::Respond
    }

    fn body(&mut self, _exchange: &mut Exchange, piece: &[u8]) -> Result<(), Status> {
        // Depends on each octet and its place, not on the pieces.
        self.sum = piece.iter().fold(self.sum, |sum, &octet| sum.wrapping_mul(31) + u32::from(octet) % 251);
        Ok(())
    }

    fn respond(&mut self, _exchange: &mut Exchange, reply: &mut Reply<'_>) {
        reply.status(Status::CREATED).send(&self.sum.to_be_bytes().map(|octet| b'a' + octet % 16));
    }

    fn fill(&mut self, exchange: &mut Exchange, out: &mut [u8]) -> usize {
        assert!(!out.is_empty());
        let len = out.len().min(GENERATED - exchange.state);
        out[..len].fill(b'g');
        exchange.state += len;
        len
    }

    fn ended(&mut self, _exchange: &mut Exchange, _is_complete: bool) {
        self.ended += 1;
    }
}

struct End {
    port: SimPort,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
}

impl End {
    fn new(mut port: SimPort, last: u8) -> End {
        let mut iface = Interface::new(Config::new(port.hardware_address()), &mut port, Instant::ZERO);
        iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24)).unwrap();
        End { port, iface, sockets: SocketSet::with_capacity(4, Keys::new([last; 32])) }
    }
}

struct Talk {
    now: Instant,
    client: End,
    host: End,
    server: Server<'static>,
    pages: Pages,
    handle: SocketHandle,
    got: Vec<u8>,
}

impl Talk {
    /// A client that has begun to connect.
    fn new(buffer_len: usize) -> Talk {
        let (a, b) = SimLink::pair(SimConfig::new(Medium::Ip), 1);
        let (mut client, mut host) = (End::new(a, 1), End::new(b, 2));
        let listener = host.sockets.add(Listener::new(vec![HalfOpen::EMPTY; 2]));
        host.sockets.get_mut::<Listener>(listener).set_buffers(buffer_len, buffer_len, 2);
        host.sockets.listen(listener, 80).unwrap();
        let mut server = Server::with_capacity(listener, Site { routes: &ROUTES, files: &FILES }, 1);
        let mut limits = Limits::DEFAULT;
        limits.body_len = 4_000;
        limits.requests = 20;
        server.set_limits(limits);
        let buffer = || SocketBuffer::new(vec![0; 4_096]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        let handle = client.sockets.add(socket);
        let (now, remote) = (Instant::from_secs(1), (IpAddress::v4(10, 0, 0, 2), 80));
        client.iface.connect(now, &mut client.sockets, handle, remote, 0).unwrap();
        let mut talk = Talk { now, client, host, server, pages: Pages::default(), handle, got: Vec::new() };
        talk.pass(3);
        talk
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
        client.iface.poll(*now, &mut client.port, &mut client.sockets);
        let mut octets = [0; 4_096];
        while let Ok(len @ 1..) = client.sockets.get_mut::<Socket>(self.handle).recv_slice(&mut octets) {
            self.got.extend(&octets[..len]);
        }
    }

    /// Lets so many milliseconds pass, from one deadline to the next.
    fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        for _ in 0..STEPS {
            self.step();
            let next = [
                self.client.iface.poll_at(self.now, &mut self.client.sockets),
                self.host.iface.poll_at(self.now, &mut self.host.sockets),
                self.server.poll_at(self.now),
                self.client.port.poll_at(self.now),
                self.host.port.poll_at(self.now),
            ];
            let next = next.into_iter().flatten().min().unwrap_or(end);
            if next >= end {
                self.now = end;
                return;
            }
            self.now = next.max(self.now);
        }
        panic!("time stands still");
    }

    /// Says all of `input`, in pieces of the lengths that `next` gives, and closes.
    fn say(&mut self, mut input: &[u8], mut next: impl FnMut() -> usize) {
        for _ in 0..STEPS {
            let piece = &input[..next().clamp(1, input.len().max(1)).min(input.len())];
            let socket = self.client.sockets.get_mut::<Socket>(self.handle);
            let Ok(len) = socket.send_slice(piece) else { break };
            input = &input[len..];
            self.pass(1);
            if input.is_empty() {
                break;
            }
        }
        // Longer than a window takes to be tried again, shorter than the server's patience.
        self.pass(5_000);
        self.client.sockets.get_mut::<Socket>(self.handle).close();
        self.pass(60_000);
        assert_eq!(self.server.connection_count(), 0, "something remains");
        assert_eq!(self.pages.began, self.pages.ended, "an exchange has no end");
    }
}

/// The lines of a head, and what follows it.
fn split_head(octets: &[u8]) -> Option<(&str, &[u8])> {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((core::str::from_utf8(&octets[..end]).expect("our heads are ASCII"), &octets[end + 4..]))
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Reads all responses and gives them without the framing of their chunks. `input` may have asked for the
/// head of one by HEAD, which has no body.
fn read_responses(mut octets: &[u8], input: &[u8]) -> Vec<u8> {
    let may_be_head = input.windows(5).any(|five| five == b"HEAD ");
    let mut read = Vec::new();
    while let Some((head, mut rest)) = split_head(octets) {
        assert!(head.starts_with("HTTP/1.1 "), "{head}");
        let status: u16 = head[9..12].parse().expect("a status has three digits");
        assert!(head.as_bytes()[12] == b' ' && matches!(status, 100 | 200..=599), "{head}");
        read.extend(head.as_bytes());
        if may_be_head && (rest.is_empty() || rest.starts_with(b"HTTP/1.1 ")) {
            octets = rest;
            continue;
        }
        if field(head, "Transfer-Encoding") == Some("chunked") {
            rest = read_chunks(rest, &mut read);
        } else if let Some(len) = field(head, "Content-Length") {
            let (body, after) = rest.split_at(len.parse().expect("a length is a number"));
            read.extend(body);
            rest = after;
        } else if !matches!(status, 100 | 204 | 304) {
            assert_eq!(field(head, "Connection"), Some("close"), "{head}");
            read.extend(rest);
            rest = &[];
        }
        assert!(rest.is_empty() || field(head, "Connection") != Some("close"), "after {head}");
        octets = rest;
    }
    assert!(octets.is_empty(), "{}", octets.escape_ascii());
    read
}

fn read_chunks<'c>(mut chunks: &'c [u8], read: &mut Vec<u8>) -> &'c [u8] {
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n").expect("a chunk has a size");
        let size = core::str::from_utf8(&chunks[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).expect("a size is hexadecimal");
        read.extend(&chunks[end + 2..end + 2 + size]);
        chunks = chunks[end + 2 + size..].strip_prefix(b"\r\n").expect("a chunk ends");
        if size == 0 {
            return chunks;
        }
    }
}

/// The first octet says how the input is cut, the second how large the server's buffers are; the others
/// are what the client says.
pub(crate) fn http(data: &[u8]) {
    let &[cut, buffers, ref input @ ..] = data else { return };
    let buffer_len = 1_100 + usize::from(buffers) * 20;
    let mut whole = Talk::new(buffer_len);
    whole.say(input, || usize::MAX);
    let mut pieces = Talk::new(buffer_len);
    let mut seed = u32::from(cut);
    pieces.say(input, || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as usize % (usize::from(cut) + 1)
    });
    assert_eq!(read_responses(&whole.got, input), read_responses(&pieces.got, input));
}
