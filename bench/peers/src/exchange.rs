//! One request and one answer to a connection: what they are, and the kernel's end of as many as can be.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::client::{PORT, Transfer, octets};

/// Octets of a request, and of its answer.
pub(crate) const LEN: usize = 64;
/// When a stack that does not answer is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The answer shows that the request has arrived as it was sent.
pub(crate) fn answer_to(request: &[u8; LEN]) -> [u8; LEN] {
    request.map(|octet| !octet)
}

/// Each differs from those before and after it.
fn request(number: u64) -> [u8; LEN] {
    let mut request = [0; LEN];
    request.copy_from_slice(octets(number * LEN as u64, LEN));
    request
}

/// Opens connections for `span`, so many at once, and follows each to its end. We close first, and the stack after it.
pub(crate) fn run(address: Ipv4Addr, at_once: usize, span: Duration) -> Result<Transfer> {
    keep_no_time_wait()?;
    let mut client = Client { address: (IpAddr::V4(address), PORT).into(), poll: Poll::new()?, begun: 0 };
    let mut open = Vec::new();
    for at in 0..at_once {
        open.push(Some(client.begin(at)?));
    }
    let mut events = Events::with_capacity(at_once);
    let mut tally = Tally::new(span);
    while open.iter().any(Option::is_some) {
        client.poll.poll(&mut events, Some(PATIENCE))?;
        ensure!(!events.is_empty(), "the stack stands still");
        for event in &events {
            let Token(at) = event.token();
            let Some(connection) = &mut open[at] else { continue };
            if connection.on_event(event)? {
                open[at] = tally.on_end(Instant::now()).then(|| client.begin(at)).transpose()?;
            }
        }
    }
    Ok(tally.transfer)
}

/// Counts for `span` from the end of the first connection, which may have had to wait for a link or a neighbour; and not
/// those that are still open then.
struct Tally {
    span: Duration,
    began: Option<Instant>,
    transfer: Transfer,
}

impl Tally {
    fn new(span: Duration) -> Tally {
        Tally { span, began: None, transfer: Transfer { count: 0, took: Duration::ZERO } }
    }

    /// Whether there shall be another connection.
    fn on_end(&mut self, now: Instant) -> bool {
        let Some(began) = self.began else {
            self.began = Some(now);
            return true;
        };
        let took = now - began;
        // One at least, or there would be no rate.
        if took > self.span && self.transfer.count > 0 {
            return false;
        }
        self.transfer.count += 1;
        self.transfer.took = took;
        true
    }
}

/// Who closes first keeps the connection's ports for a minute, so that after some 28,000 there are none left, and long
/// before that they must be searched for. The kernel keeps none in this namespace.
fn keep_no_time_wait() -> Result<()> {
    std::fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0").context("tcp_max_tw_buckets")
}

struct Client {
    address: SocketAddr,
    poll: Poll,
    /// How many connections were begun.
    begun: u64,
}

impl Client {
    fn begin(&mut self, at: usize) -> Result<Connection> {
        let mut stream = TcpStream::connect(self.address)?;
        self.poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
        self.begun += 1;
        Ok(Connection { stream, request: request(self.begun), stage: Stage::Connecting })
    }
}

struct Connection {
    stream: TcpStream,
    request: [u8; LEN],
    stage: Stage,
}

/// What is awaited.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Connecting,
    Answer,
    End,
}

impl Connection {
    /// Takes the next step if it can; whether that was the end. What follows from it is another event.
    fn on_event(&mut self, event: &Event) -> Result<bool> {
        match self.stage {
            Stage::Connecting if event.is_writable() => self.ask().context("the stack does not answer")?,
            Stage::Answer if event.is_readable() => self.hear()?,
            Stage::End if event.is_readable() => return self.is_at_end(),
            _ => {}
        }
        Ok(false)
    }

    fn ask(&mut self) -> Result<()> {
        self.stream.write_all(&self.request)?;
        self.stage = Stage::Answer;
        Ok(())
    }

    /// Takes the answer, and says that nothing more comes from here. No stack sends it in two segments.
    fn hear(&mut self) -> Result<()> {
        let mut answer = [0; LEN];
        match self.stream.read(&mut answer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            len => ensure!(len? == LEN, "not a whole answer"),
        }
        ensure!(answer == answer_to(&self.request), "not the request's answer");
        self.stream.shutdown(Shutdown::Write)?;
        self.stage = Stage::End;
        Ok(())
    }

    fn is_at_end(&mut self) -> Result<bool> {
        match self.stream.read(&mut [0]) {
            Ok(0) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Ok(_) => bail!("more than an answer"),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use goldcrest::phy::{KernelInterface, unshare_network};

    use super::*;
    use crate::tests::has_namespaces;

    /// Three connections to a server that answers as `answer` says, or one if that is found to be wrong; and what the kernel
    /// says of its sockets afterwards.
    fn ask(answer: fn([u8; LEN]) -> Vec<u8>) -> (Result<Transfer>, String) {
        let serve = move |listener: TcpListener| {
            for stream in listener.incoming() {
                let (mut stream, mut request) = (stream.unwrap(), [0; LEN]);
                stream.read_exact(&mut request).unwrap();
                stream.write_all(&answer(request)).unwrap();
                let _ = stream.read(&mut [0]); // the end, or a reset
            }
        };
        let one = move || {
            unshare_network().unwrap();
            KernelInterface::by_name("lo").unwrap().set_up().unwrap();
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).unwrap();
            thread::spawn(move || serve(listener));
            let result = run(Ipv4Addr::LOCALHOST, 1, Duration::ZERO);
            (result, std::fs::read_to_string("/proc/thread-self/net/sockstat").unwrap())
        };
        thread::spawn(one).join().unwrap()
    }

    #[test]
    fn an_answer_is_checked_and_no_port_is_kept() {
        if !has_namespaces() {
            return;
        }
        let (result, sockets) = ask(|request| answer_to(&request).to_vec());
        assert_eq!(result.unwrap().count, 1);
        assert!(sockets.contains(" tw 0 "), "{sockets}");
        for (answer, says) in [
            (|request| request.to_vec(), "not the request's answer"),
            (|request| answer_to(&request)[1..].to_vec(), "not a whole answer"),
        ] as [(fn([u8; LEN]) -> Vec<u8>, &str); 2]
        {
            assert_eq!(ask(answer).0.err().unwrap().to_string(), says);
        }
    }

    #[test]
    fn neither_the_first_connection_counts_nor_one_after_the_span() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut tally = Tally::new(2 * second);
        let goes_on = [9, 10, 11, 12].map(|at| tally.on_end(start + at * second));
        assert_eq!(goes_on, [true, true, true, false]);
        assert_eq!((tally.transfer.count, tally.transfer.took), (2, 2 * second));
    }
}
