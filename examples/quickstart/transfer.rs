//! What is sent, and the part of one connection in it.
//!
//! The sender connects, sends the data, and closes its direction. The receiver takes everything,
//! answers with the hash of what it got, and closes. So the sender knows that all arrived, and when.

use goldcrest::socket::tcp::{RecvError, Socket};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::Result;

/// Octets to be sent, and their hash.
pub(crate) struct Data {
    pub(crate) octets: Vec<u8>,
    hash: u64,
}

/// The hash, as it is sent back.
pub(crate) type Answer = [u8; 8];

impl Data {
    /// `len` octets (a multiple of eight) that look random, so that a misplaced one changes the hash.
    pub(crate) fn new(len: usize) -> Data {
        let words = (1..=len as u64 / 8).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(n as u32));
        let octets: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        let hash = xxh3_64(&octets);
        Data { octets, hash }
    }

    /// Checks what the receiver answered.
    pub(crate) fn check(&self, answer: Answer) -> Result<()> {
        let (sent, got) = (self.hash, u64::from_be_bytes(answer));
        if sent == got { Ok(()) } else { Err(format!("sent data of hash {sent:x}, {got:x} arrived").into()) }
    }
}

/// What there is to do on a connection of ours.
pub(crate) enum Job {
    /// So many octets are sent, or queued for it.
    Send(usize),
    /// The hash so far.
    Receive(Box<Xxh3>),
}

impl Job {
    pub(crate) fn receive() -> Job {
        Job::Receive(Box::default())
    }

    /// Goes on as far as it can without waiting. Whether the job is done.
    pub(crate) fn go_on(&mut self, socket: &mut Socket<'_>, data: &Data) -> Result<bool> {
        match self {
            Job::Send(sent) => send(sent, socket, data),
            Job::Receive(hash) => receive(hash, socket),
        }
    }
}

fn send(sent: &mut usize, socket: &mut Socket<'_>, data: &Data) -> Result<bool> {
    let rest = &data.octets[*sent..];
    if !rest.is_empty() {
        *sent += socket.send_slice(rest)?;
        if *sent == data.octets.len() {
            // Everything is queued. The FIN goes when it is sent.
            socket.close();
        }
        return Ok(false);
    }
    let mut answer = Answer::default();
    if socket.recv_queue() < answer.len() {
        return Ok(false);
    }
    socket.recv_slice(&mut answer)?;
    data.check(answer)?;
    Ok(true)
}

fn receive(hash: &mut Xxh3, socket: &mut Socket<'_>) -> Result<bool> {
    loop {
        // The closure sees the octets in the socket's buffer, and takes all of them.
        let take = |octets: &mut [u8]| {
            hash.update(octets);
            (octets.len(), octets.len())
        };
        match socket.recv(take) {
            Ok(0) => return Ok(false),
            Ok(_) => (),
            Err(RecvError::Finished) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let answer: Answer = hash.digest().to_be_bytes();
    socket.send_slice(&answer)?;
    socket.close();
    Ok(true)
}
