//! A client's connection on the stack, one of the kernel's, and what goes from one to the other.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

use goldcrest::iface::{SocketHandle, SocketSet};
use goldcrest::socket::tcp::{RecvError, Socket};

/// How a direction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// There may be more.
    Open,
    /// There is more, and the other end takes none for now.
    Stuck,
    /// All of it has gone over.
    Done,
}

/// A pair of connections.
pub(crate) struct Relay {
    client: SocketHandle,
    stream: TcpStream,
    out: Flow,
    back: Flow,
}

impl Relay {
    pub(crate) fn new(client: SocketHandle, stream: TcpStream) -> Relay {
        Relay { client, stream, out: Flow::Open, back: Flow::Open }
    }

    /// Whether to try again soon, for nobody says when the kernel takes more.
    pub(crate) fn is_stuck(&self) -> bool {
        self.out == Flow::Stuck
    }

    /// What to read from, if the client takes more.
    pub(crate) fn awaited(&self, sockets: &SocketSet<'_>) -> Option<RawFd> {
        let takes_more = self.back != Flow::Done && sockets.get::<Socket>(self.client).can_send();
        takes_more.then(|| self.stream.as_raw_fd())
    }

    /// Copies what there is, and says whether there may be more.
    pub(crate) fn go_on(&mut self, sockets: &mut SocketSet<'_>) -> bool {
        let socket = sockets.get_mut::<Socket>(self.client);
        let result = self.copy_out(socket).and_then(|()| self.copy_back(socket));
        let is_closed = !socket.is_open() && !socket.can_recv();
        let is_over = is_closed || (self.out == Flow::Done && self.back == Flow::Done);
        if let Err(error) = &result {
            log::info!("{:?}: {error}", self.stream);
            // The client shall not take it for an end in order.
            socket.abort();
        }
        if result.is_err() || is_over {
            // The stack sends what is queued, and brings the connection to its end by itself.
            let _ = sockets.release(self.client); // it is there
            return false;
        }
        true
    }

    /// From the client.
    fn copy_out(&mut self, socket: &mut Socket<'_>) -> io::Result<()> {
        while self.out != Flow::Done {
            let written = socket.recv(|octets| match self.stream.write(octets) {
                Ok(len) => (len, Ok(octets.is_empty())),
                Err(error) => (0, Err(error)),
            });
            self.out = match written {
                Ok(Ok(true)) => Flow::Open,
                Ok(Ok(false)) => continue,
                Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock => Flow::Stuck,
                Ok(Err(error)) => return Err(error),
                Err(RecvError::Finished) => Flow::Done,
                Err(error) => return Err(io::Error::other(error)),
            };
            if self.out == Flow::Done {
                self.stream.shutdown(Shutdown::Write)?;
            }
            break;
        }
        Ok(())
    }

    /// To the client.
    fn copy_back(&mut self, socket: &mut Socket<'_>) -> io::Result<()> {
        while self.back != Flow::Done && socket.can_send() {
            let read = socket.send(|room| match self.stream.read(room) {
                Ok(len) => (len, Ok(len)),
                Err(error) => (0, Err(error)),
            });
            match read.map_err(io::Error::other)? {
                Ok(0) => {
                    self.back = Flow::Done;
                    socket.close();
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
