//! Echo (RFC 862), discard (RFC 863) and chargen (RFC 864) over UDP.
//!
//! Datagrams get lost. What is not answered in time is asked for again; what nobody answers is only sent.

use std::net::SocketAddr;

use goldcrest::iface::NoHandler;
use goldcrest::socket::udp::{PacketBuffer, PacketMetadata, RecvError, SendError, Socket};
use goldcrest::time::{Duration, Instant};

use crate::common::{Result, Stack};
use crate::tasks::{is_generated, octet_at, rate};

/// Octets of a datagram.
const LEN: usize = 1_024;
/// How long an answer, or an error, may be under way.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Echo,
    Discard,
    Chargen,
}

/// One datagram after the other, each a part of a row of octets.
struct Talk {
    service: Service,
    octets: usize,
    /// Octets that are answered, or sent where nobody answers.
    done: usize,
    again: u32,
    /// When the next is to be sent, or the same again.
    next_at: Instant,
    is_asked: bool,
}

impl Talk {
    fn datagram(&self) -> Vec<u8> {
        (self.done..self.octets.min(self.done + LEN)).map(octet_at).collect()
    }

    /// Sends and receives what can be. Says whether it is over.
    fn go_on(&mut self, socket: &mut Socket<'_>, now: Instant) -> Result<bool> {
        self.take_answers(socket)?;
        while self.done < self.octets && (!self.is_asked || now >= self.next_at) {
            match socket.send_to_remote(&self.datagram()) {
                Ok(()) => {}
                Err(SendError::BufferFull) => break,
                Err(error) => return Err(error.into()),
            }
            self.again += u32::from(self.is_asked);
            self.is_asked = self.service != Service::Discard;
            self.next_at = now + PATIENCE;
            if !self.is_asked {
                self.done += self.datagram().len();
            }
        }
        // An error about the last one may still come, where no answer does.
        Ok(self.done == self.octets && (self.service != Service::Discard || now >= self.next_at))
    }

    fn take_answers(&mut self, socket: &mut Socket<'_>) -> Result<()> {
        let mut answer = [0; LEN];
        loop {
            let len = match socket.recv_slice(&mut answer) {
                Ok((len, _)) => len,
                Err(RecvError::Exhausted) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let (answer, asked) = (&answer[..len], self.datagram());
            match self.service {
                Service::Discard => return Err("the server answers, which discards".into()),
                // One that was asked for again may be answered twice.
                Service::Echo if answer != asked && self.again > 0 => continue,
                Service::Echo if answer != asked => return Err("what comes back is something else".into()),
                Service::Chargen if !is_generated(answer, 0) => return Err("that is no chargen's".into()),
                Service::Echo | Service::Chargen => {}
            }
            if self.is_asked {
                (self.done, self.is_asked) = (self.done + asked.len(), false);
            }
        }
    }
}

/// Talks to the server until so many octets were sent; fails at `end`.
pub(crate) fn run(
    stack: &mut Stack,
    server: SocketAddr,
    service: Service,
    octets: usize,
    end: Instant,
) -> Result<()> {
    let queue = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 64], vec![0; 64 << 10]);
    let handle = stack.sockets.add(Socket::new(queue(), queue()));
    // So that errors about it are heard.
    stack.sockets.get_mut::<Socket>(handle).connect(server)?;
    let began_at = Instant::now();
    let mut talk = Talk { service, octets, done: 0, again: 0, next_at: began_at, is_asked: false };
    loop {
        let now = Instant::now();
        stack.poll(now, &mut NoHandler);
        while stack.sockets.next_ready().is_some() {}
        let socket = stack.sockets.get_mut::<Socket>(handle);
        if let Some(error) = socket.take_icmp_error() {
            return Err(format!("{server}: {:?} unreachable, says {}", error.reason, error.reporter).into());
        }
        if talk.go_on(socket, now)? {
            break;
        }
        if now >= end {
            return Err(format!("{server}: not done in time, {} octets were", talk.done).into());
        }
        if !stack.wait(Some(talk.next_at.min(end)), &[])? {
            return Err("interrupted".into());
        }
    }
    let took = Instant::now().saturating_duration_since(began_at);
    println!("datagrams: {}, {} sent again", rate(octets, took), talk.again);
    Ok(())
}
