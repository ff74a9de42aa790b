//! Sending and receiving, as the application does it.

use super::connection::Marks;
use super::error::{RecvError, SendError};
use super::timers::Timer;
use super::{Phase, Socket, State};

impl Socket<'_> {
    /// Whether the socket is in use: it listens, or has a connection in any state.
    pub fn is_open(&self) -> bool {
        self.state() != State::Closed
    }

    /// Whether there is a connection, or an attempt at one.
    pub fn is_active(&self) -> bool {
        !matches!(self.state(), State::Closed | State::Listen | State::TimeWait)
    }

    /// Whether it waits for a connection.
    pub fn is_listening(&self) -> bool {
        self.state() == State::Listen
    }

    /// Whether the connection is open for sending.
    pub fn may_send(&self) -> bool {
        self.state().may_send() || (self.is_open_early() && !self.is_closing())
    }

    /// Whether there is room in the send buffer of an open connection.
    pub fn can_send(&self) -> bool {
        self.may_send() && self.side.tx.has_room()
    }

    /// Whether the peer may still send, or has sent what was not yet read.
    pub fn may_recv(&self) -> bool {
        self.state().takes_data() || !self.side.rx.is_empty() || self.is_open_early()
    }

    /// Whether there is something to read.
    pub fn can_recv(&self) -> bool {
        !self.side.rx.is_empty()
    }

    /// Octets sent or to be sent, and not acknowledged.
    pub fn send_queue(&self) -> usize {
        self.side.tx.len()
    }

    /// Octets received and not read.
    pub fn recv_queue(&self) -> usize {
        self.side.rx.len()
    }

    /// Octets that the send buffer holds at most; slices that are queued are not in it.
    pub fn send_capacity(&self) -> usize {
        self.side.tx.capacity()
    }

    /// Octets that the receive buffer holds at most.
    pub fn recv_capacity(&self) -> usize {
        self.side.rx.capacity()
    }

    /// Queues as much of `data` as there is room for, and says how much. While the connection is being
    /// opened it waits for that.
    pub fn send_slice(&mut self, data: &[u8]) -> Result<usize, SendError> {
        self.before_send()?;
        let count = self.side.tx.enqueue_slice(data);
        self.after_send(count);
        Ok(count)
    }

    /// Lets `f` write into the send buffer: it gets the largest contiguous free piece, and says how much
    /// of it it wrote, and a result.
    pub fn send<R>(&mut self, f: impl FnOnce(&mut [u8]) -> (usize, R)) -> Result<R, SendError> {
        self.before_send()?;
        self.side.tx.make_room(1);
        let (count, result) = self.side.tx.enqueue_many_with(f);
        self.after_send(count);
        Ok(result)
    }

    pub(super) fn before_send(&self) -> Result<(), SendError> {
        // RFC 9293 §3.10.2: what is sent before there is a connection is queued.
        let is_open = self.state().may_send() || (self.state().is_opening() && !self.is_closing());
        if is_open { Ok(()) } else { Err(SendError::InvalidState) }
    }

    /// Closed before it was open.
    fn is_closing(&self) -> bool {
        matches!(&self.phase, Phase::Connection(connection) if connection.marks.contains(Marks::CLOSE))
    }

    pub(super) fn after_send(&mut self, count: usize) {
        // If the window is closed, a timer must run from now on.
        if let Phase::Connection(connection) = &mut self.phase
            && count > 0
            && !connection.timers.is_set(Timer::Rtx)
        {
            connection.marks |= Marks::REARM;
        }
    }

    /// Takes as much as was received and fits into `data`, and says how much. 0 means nothing yet.
    pub fn recv_slice(&mut self, data: &mut [u8]) -> Result<usize, RecvError> {
        self.before_recv()?;
        Ok(self.side.rx.dequeue_slice(data))
    }

    /// Lets `f` read from the receive buffer: it gets the oldest contiguous piece, and says how much of
    /// it it took, and a result.
    pub fn recv<R>(&mut self, f: impl FnOnce(&mut [u8]) -> (usize, R)) -> Result<R, RecvError> {
        self.before_recv()?;
        Ok(self.side.rx.dequeue_many_with(f).1)
    }

    /// Copies what was received to `data` without taking it, and says how much.
    pub fn peek_slice(&mut self, data: &mut [u8]) -> Result<usize, RecvError> {
        self.before_recv()?;
        Ok(self.side.rx.read_allocated(0, data))
    }

    /// The oldest contiguous piece of at most `len` octets, without taking it.
    pub fn peek(&mut self, len: usize) -> Result<&[u8], RecvError> {
        self.before_recv()?;
        Ok(self.side.rx.get_allocated(0, len))
    }

    fn before_recv(&self) -> Result<(), RecvError> {
        if self.may_recv() {
            return Ok(());
        }
        match &self.phase {
            Phase::Connection(connection) if connection.marks.contains(Marks::FINISHED) => {
                Err(RecvError::Finished)
            }
            _ => Err(RecvError::InvalidState),
        }
    }
}
