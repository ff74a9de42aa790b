//! Connections of the kernel's, each begun by a thread of its own, since that may take a while.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use goldcrest::time::Duration;

use crate::Ends;

/// What came of it.
pub(crate) struct Dialled {
    pub(crate) ends: Ends,
    /// It does not block.
    pub(crate) result: io::Result<TcpStream>,
}

/// Those that are being dialled.
pub(crate) struct Dialler {
    patience: Duration,
    count: usize,
    sender: Sender<Dialled>,
    receiver: Receiver<Dialled>,
    /// An octet goes through for each that is done, so that one can wait for them and other things at once.
    done: UnixStream,
    bell: UnixStream,
}

impl Dialler {
    pub(crate) fn new(patience: Duration) -> io::Result<Dialler> {
        let (sender, receiver) = channel();
        let (done, bell) = UnixStream::pair()?;
        done.set_nonblocking(true)?;
        Ok(Dialler { patience, count: 0, sender, receiver, done, bell })
    }

    /// How many are being dialled.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Readable when one is done.
    pub(crate) fn fd(&self) -> RawFd {
        self.done.as_raw_fd()
    }

    pub(crate) fn dial(&mut self, ends: Ends) -> io::Result<()> {
        let (sender, patience, mut bell) =
            (self.sender.clone(), self.patience.into(), self.bell.try_clone()?);
        let connect = move || {
            let stream = TcpStream::connect_timeout(&ends.1.into(), patience)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        };
        thread::Builder::new().stack_size(64 << 10).spawn(move || {
            // Nobody hears of either when the program is about to end.
            let _ = sender.send(Dialled { ends, result: connect() });
            let _ = bell.write(&[0]);
        })?;
        self.count += 1;
        Ok(())
    }

    /// One that is done.
    pub(crate) fn next(&mut self) -> Option<Dialled> {
        let _ = self.done.read(&mut [0; 64]); // each has rung, and all are looked at
        let dialled = self.receiver.try_recv().ok()?;
        self.count -= 1;
        Some(dialled)
    }
}
