//! What a connection is made for.

use std::io::{self, Write};

use goldcrest::socket::tcp::{RecvError, Socket};
use goldcrest::time::Duration;
use xxhash_rust::xxh3::Xxh3;

use crate::common::Result;

/// Something that a connection is made for.
pub(crate) trait Task {
    /// Sends and receives what can be. Says whether it is over.
    fn go_on(&mut self, socket: &mut Socket<'_>) -> Result<bool>;

    /// Says what came of it.
    fn report(&mut self, took: Duration);
}

/// Takes what has come, for `take`. True at the end of the stream.
fn receive(socket: &mut Socket<'_>, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> Result<bool> {
    loop {
        let taken = socket.recv(|octets| {
            let result = take(octets).map(|()| octets.len());
            (octets.len(), result)
        });
        match taken {
            Ok(Ok(0)) => return Ok(false),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error.into()),
            Err(RecvError::Finished) => return Ok(true),
            // Not connected yet: an error of the connection's was looked at before.
            Err(_) => return Ok(false),
        }
    }
}

pub(crate) fn rate(octets: usize, took: Duration) -> String {
    let seconds = took.total_micros().max(1) as f64 / 1e6;
    format!("{octets} octets in {seconds:.3} s, {:.0} Mbit/s", octets as f64 * 8.0 / seconds / 1e6)
}

/// An octet of a row that looks like chance.
pub(crate) fn octet_at(place: usize) -> u8 {
    ((place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Whether this is what RFC 864 recommends, from so many octets after a line's beginning: 72 printable characters, and the
/// end of the line.
pub(crate) fn is_generated(octets: &[u8], from: usize) -> bool {
    octets.iter().zip(from..).all(|(octet, at)| match at % 74 {
        72 => *octet == b'\r',
        73 => *octet == b'\n',
        _ => (b' '..=b'~').contains(octet),
    })
}

/// Octets that look like chance, and what has become of them.
struct Octets {
    len: usize,
    sent: usize,
    hash: Xxh3,
}

impl Octets {
    fn new(len: usize) -> Octets {
        Octets { len, sent: 0, hash: Xxh3::new() }
    }

    /// Sends on. True when all are out of our hands, and closed after.
    fn go_on(&mut self, socket: &mut Socket<'_>) -> Result<bool> {
        while self.sent < self.len && socket.can_send() {
            let Octets { len, sent, hash } = self;
            *sent += socket.send(|room| {
                let count = room.len().min(*len - *sent);
                let room = &mut room[..count];
                room.iter_mut().zip(*sent..).for_each(|(octet, place)| *octet = octet_at(place));
                hash.update(room);
                (count, count)
            })?;
        }
        if self.sent == self.len && socket.may_send() {
            socket.close();
        }
        Ok(self.sent == self.len)
    }
}

/// Fetches an HTTP resource.
pub(crate) struct Get {
    request: Vec<u8>,
    /// What has come of the head, until it is complete.
    head: Option<Vec<u8>>,
    body_len: usize,
}

impl Get {
    pub(crate) fn new(authority: &str, path: &str) -> Get {
        // 1.0, so that the body ends with the connection.
        let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nUser-Agent: goldcrest\r\n\r\n");
        Get { request: request.into(), head: Some(Vec::new()), body_len: 0 }
    }

    fn take(&mut self, octets: &[u8]) -> io::Result<()> {
        let Some(head) = &mut self.head else {
            self.body_len += octets.len();
            return io::stdout().write_all(octets);
        };
        head.extend(octets);
        let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(()) };
        let body = head.split_off(end + 4);
        io::stderr().write_all(head)?;
        self.head = None;
        self.take(&body)
    }
}

impl Task for Get {
    fn go_on(&mut self, socket: &mut Socket<'_>) -> Result<bool> {
        if socket.may_send() {
            let sent = socket.send_slice(&self.request)?;
            self.request.drain(..sent);
        }
        let is_over = receive(socket, |octets| self.take(octets))?;
        if is_over && self.head.is_some() {
            return Err("the server has closed without a response".into());
        }
        Ok(is_over)
    }

    fn report(&mut self, took: Duration) {
        eprintln!("{}", rate(self.body_len, took));
    }
}

/// Sends to an echo server and compares what comes back.
pub(crate) struct Echo {
    octets: Octets,
    received: usize,
    hash: Xxh3,
}

impl Echo {
    pub(crate) fn new(len: usize) -> Echo {
        Echo { octets: Octets::new(len), received: 0, hash: Xxh3::new() }
    }
}

impl Task for Echo {
    fn go_on(&mut self, socket: &mut Socket<'_>) -> Result<bool> {
        self.octets.go_on(socket)?;
        let is_over = receive(socket, |octets| {
            self.received += octets.len();
            self.hash.update(octets);
            Ok(())
        })?;
        if is_over && (self.received != self.octets.len || self.hash.digest() != self.octets.hash.digest()) {
            return Err(format!("{} octets sent, and {} others came", self.octets.len, self.received).into());
        }
        Ok(is_over)
    }

    fn report(&mut self, took: Duration) {
        println!("echoed {}, the hash is right", rate(self.received, took));
    }
}

/// Sends to a discard server.
pub(crate) struct Discard(Octets);

impl Discard {
    pub(crate) fn new(len: usize) -> Discard {
        Discard(Octets::new(len))
    }
}

impl Task for Discard {
    /// Over when the server has closed too: then it has got everything.
    fn go_on(&mut self, socket: &mut Socket<'_>) -> Result<bool> {
        self.0.go_on(socket)?;
        receive(socket, |_| Ok(()))
    }

    fn report(&mut self, took: Duration) {
        println!("sent {}", rate(self.0.len, took));
    }
}

/// Takes so much of what a chargen server sends.
pub(crate) struct Chargen {
    len: usize,
    received: usize,
}

impl Chargen {
    pub(crate) fn new(len: usize) -> Chargen {
        Chargen { len, received: 0 }
    }
}

impl Task for Chargen {
    fn go_on(&mut self, socket: &mut Socket<'_>) -> Result<bool> {
        let is_over = receive(socket, |octets| {
            let is_right = is_generated(octets, self.received);
            self.received += octets.len();
            if is_right { Ok(()) } else { Err(io::Error::other("that is no chargen's")) }
        })?;
        if is_over && self.received < self.len {
            return Err(format!("the server has closed after {} octets", self.received).into());
        }
        Ok(self.received >= self.len)
    }

    fn report(&mut self, took: Duration) {
        println!("received {}", rate(self.received, took));
    }
}
