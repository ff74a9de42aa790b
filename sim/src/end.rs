//! The application at one end of a connection.
//!
//! It acts when it is told of an event, or when a pause of its own is over, and at no other time: an
//! event that is lost is a transfer that hangs.

use goldcrest::iface::SocketHandle;
use goldcrest::socket::Events;
use goldcrest::socket::tcp::{Error, RecvError, Socket, State};
use goldcrest::time::Instant;

use crate::plan::{EndPlan, Finish};
use crate::stream;

/// Where an end stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has no socket yet.
    Waiting,
    /// It has one.
    Open,
    Over,
}

/// What the application wants done with its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Nothing,
    /// The handle is given back; the stack finishes what is to be finished.
    Release,
    /// The socket is taken away as it is.
    Remove,
    /// The connection has ended and the socket is closed.
    Done,
}

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    /// The number of its stream; the peer sends the stream `number ^ 1`.
    pub(crate) number: usize,
    pub(crate) host: usize,
    pub(crate) plan: EndPlan,
    pub(crate) stage: Stage,
    pub(crate) handle: Option<SocketHandle>,
    pub(crate) local_port: u16,
    pub(crate) over_at: Instant,
    /// When a pause is over.
    pub(crate) wake_at: Option<Instant>,
    pub(crate) sent: usize,
    pub(crate) got: usize,
    /// How much was queued before a close or release.
    pub(crate) closed_len: Option<usize>,
    pub(crate) has_eof: bool,
    pub(crate) is_aborted: bool,
    /// In a calm world, all that it sends must arrive.
    pub(crate) is_whole_owed: bool,
    pub(crate) error: Option<Error>,
    pub(crate) tries: u32,
    /// What a handler found wrong.
    pub(crate) wrong: Option<String>,
    pub(crate) in_place: u64,
    /// Reported since the application last acted, and ever.
    reported: Events,
    ever: Events,
    seen: Seen,
    paused_sent: usize,
    /// There was nothing more to read.
    is_read_dry: bool,
    read_at: Option<Instant>,
    write_at: Option<Instant>,
    stalled_until: Option<Instant>,
}

/// A socket as the application left it.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    state: Option<State>,
    recv_queue: usize,
    send_queue: usize,
    error: Option<Error>,
}

impl Seen {
    fn of(socket: &Socket<'_>) -> Seen {
        Seen {
            state: Some(socket.state()),
            recv_queue: socket.recv_queue(),
            send_queue: socket.send_queue(),
            error: socket.error(),
        }
    }
}

fn is_peer_closed(state: State) -> bool {
    matches!(state, State::CloseWait | State::Closing | State::LastAck | State::TimeWait)
}

fn is_synchronized(state: State) -> bool {
    !matches!(state, State::Closed | State::Listen | State::SynSent | State::SynReceived)
}

/// Whether a pause until `until` goes on; if so, it asks to be woken at its end, and if not, it is over.
fn is_pausing(until: &mut Option<Instant>, wake_at: &mut Option<Instant>, now: Instant) -> bool {
    let Some(at) = until.filter(|at| *at > now) else {
        *until = None;
        return false;
    };
    *wake_at = Some(wake_at.map_or(at, |other| other.min(at)));
    true
}

impl End {
    pub(crate) fn new(number: usize, host: usize, plan: EndPlan) -> End {
        End {
            number,
            host,
            stage: Stage::Waiting,
            handle: None,
            local_port: 0,
            over_at: Instant::ZERO,
            wake_at: None,
            sent: 0,
            got: 0,
            closed_len: None,
            has_eof: false,
            is_aborted: false,
            is_whole_owed: plan.finish.is_orderly(),
            error: None,
            tries: 0,
            wrong: None,
            in_place: 0,
            reported: Events::empty(),
            ever: Events::empty(),
            seen: Seen::default(),
            paused_sent: 0,
            plan,
            is_read_dry: false,
            read_at: None,
            write_at: None,
            stalled_until: None,
        }
    }

    /// It gets a socket.
    pub(crate) fn open(&mut self, handle: SocketHandle, socket: &mut Socket<'_>) {
        self.stage = Stage::Open;
        self.handle = Some(handle);
        socket.set_nagle_enabled(!self.plan.is_nodelay);
        socket.set_ack_delay(self.plan.ack_delay);
        socket.set_keep_alive(self.plan.keep_alive);
        socket.set_timeout(self.plan.timeout);
        socket.set_ecn(self.plan.ecn);
        socket.set_in_place(self.plan.is_in_place);
        self.seen = Seen::of(socket);
        self.ever = Events::empty();
        self.reported = Events::empty();
    }

    /// The set reports events.
    pub(crate) fn report(&mut self, events: Events) -> Result<(), String> {
        let once = Events::CONNECTED | Events::PEER_CLOSED | Events::CLOSED | Events::ERROR;
        let twice = events & self.ever & once;
        if !twice.is_empty() {
            return Err(format!("{twice:?} is reported twice"));
        }
        self.ever |= events;
        self.reported |= events;
        Ok(())
    }

    /// Whatever has changed since the application acted must have been reported.
    pub(crate) fn check_reported(&self, socket: &Socket<'_>) -> Result<(), String> {
        let now = Seen::of(socket);
        let (Some(was), Some(is)) = (self.seen.state, now.state) else { return Ok(()) };
        let mut owed = Events::empty();
        owed.set(Events::READABLE, now.recv_queue > self.seen.recv_queue);
        // What a connection that has ended did not send is nobody's, and may be forgotten when memory is short.
        let is_sent = now.send_queue < self.seen.send_queue && now.state != Some(State::Closed);
        owed.set(Events::WRITABLE, is_sent);
        owed.set(Events::CONNECTED, is_synchronized(is) && !is_synchronized(was));
        owed.set(Events::PEER_CLOSED, is_peer_closed(is) && !is_peer_closed(was));
        owed.set(Events::CLOSED, is == State::Closed && was != State::Closed);
        owed.set(Events::ERROR, now.error.is_some() && self.seen.error.is_none());
        let missing = owed - self.reported;
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("{missing:?} is not reported: {:?} became {now:?}", self.seen))
    }

    /// Whether there is a reason to act.
    pub(crate) fn is_called(&self, now: Instant) -> bool {
        !self.reported.is_empty() || self.wake_at.is_some_and(|at| at <= now)
    }

    /// Acts: reads, writes, finishes. `peer_closed_len` is how much the peer queued before it closed.
    pub(crate) fn act(
        &mut self,
        now: Instant,
        socket: &mut Socket<'_>,
        peer_closed_len: Option<usize>,
    ) -> Result<Wish, String> {
        self.reported = Events::empty();
        if self.wake_at.is_some_and(|at| at <= now) {
            self.wake_at = None;
        }
        self.read(now, socket, peer_closed_len)?;
        self.write(now, socket);
        let wish = self.finish(socket);
        self.error = socket.error();
        self.seen = Seen::of(socket);
        Ok(wish)
    }

    fn read(
        &mut self,
        now: Instant,
        socket: &mut Socket<'_>,
        peer_closed_len: Option<usize>,
    ) -> Result<(), String> {
        let mut buffer = [0; 4_096];
        let mut budget = self.plan.read_chunk;
        self.is_read_dry = false;
        while !self.is_stalled(now) && !is_pausing(&mut self.read_at, &mut self.wake_at, now) {
            if budget == 0 {
                budget = self.plan.read_chunk;
                self.read_at = self.plan.read_pause.map(|pause| now + pause);
                continue;
            }
            let want = budget.min(buffer.len());
            match socket.recv_slice(&mut buffer[..want]) {
                Ok(0) => {
                    self.is_read_dry = true;
                    return Ok(());
                }
                Ok(len) => {
                    self.take(&buffer[..len])?;
                    budget -= len;
                }
                Err(RecvError::Finished) => return self.on_eof(peer_closed_len),
                Err(_) => {
                    self.is_read_dry = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The long pause in reading, in which the window closes.
    fn is_stalled(&mut self, now: Instant) -> bool {
        let Some((at, pause)) = self.plan.stall else { return false };
        if self.got < at {
            return false;
        }
        self.stalled_until.get_or_insert(now + pause);
        let is_stalled = is_pausing(&mut self.stalled_until, &mut self.wake_at, now);
        if !is_stalled {
            self.plan.stall = None;
        }
        is_stalled
    }

    /// Octets have arrived, by the buffer or in place.
    pub(crate) fn take(&mut self, data: &[u8]) -> Result<(), String> {
        let expected = stream::part(self.number ^ 1, self.got, data.len());
        if expected != data {
            let at = expected.iter().zip(data).position(|(a, b)| a != b).unwrap_or_default();
            return Err(format!("the stream differs at octet {}", self.got + at));
        }
        self.got += data.len();
        Ok(())
    }

    fn on_eof(&mut self, peer_closed_len: Option<usize>) -> Result<(), String> {
        self.has_eof = true;
        self.is_read_dry = true;
        if peer_closed_len == Some(self.got) {
            return Ok(());
        }
        Err(format!(
            "the stream ends after {} octets; the peer had closed after {peer_closed_len:?}",
            self.got
        ))
    }

    fn write(&mut self, now: Instant, socket: &mut Socket<'_>) {
        while self.sent < self.plan.len && self.closed_len.is_none() && socket.can_send() {
            if let Some((every, pause)) = self.plan.write_pause
                && self.sent >= self.paused_sent + every
            {
                self.paused_sent = self.sent;
                self.write_at = Some(now + pause);
            }
            if is_pausing(&mut self.write_at, &mut self.wake_at, now) {
                return;
            }
            let len = self.plan.write_chunk.min(self.plan.len - self.sent);
            let data = stream::part(self.number, self.sent, len);
            match socket.send_slice(data) {
                Ok(len) => self.sent += len,
                Err(_) => return,
            }
        }
    }

    fn finish(&mut self, socket: &mut Socket<'_>) -> Wish {
        let moved = self.sent.max(self.got);
        let is_connected = is_synchronized(socket.state());
        match self.plan.finish {
            Finish::Abort(at) if is_connected && moved >= at => {
                self.is_aborted = true;
                socket.abort();
            }
            Finish::Remove(at) if is_connected && moved >= at => {
                self.is_aborted = true;
                return Wish::Remove;
            }
            Finish::Release if is_connected && self.sent == self.plan.len => {
                self.closed_len = Some(self.sent);
                return Wish::Release;
            }
            Finish::CloseLast if !self.has_eof => {}
            Finish::Close | Finish::CloseLast
                if is_connected && self.sent == self.plan.len && self.closed_len.is_none() =>
            {
                self.closed_len = Some(self.sent);
                socket.close();
            }
            _ => {}
        }
        if socket.state() == State::Closed && self.is_read_dry {
            return Wish::Done;
        }
        let is_through = self.has_eof && self.closed_len.is_some();
        if !is_through || !self.plan.is_hasty {
            return Wish::Nothing;
        }
        // What is not acknowledged within a minute from now is lost, by design.
        self.is_whole_owed &= socket.send_queue() == 0;
        Wish::Release
    }

    /// How it stands, for a report.
    pub(crate) fn summary(&self) -> String {
        format!(
            "end {} of host {}: {:?}, port {}, sent {} of {}, got {}, closed at {:?}, eof {}, error {:?}, {:?}, \
             wakes {:?}, {:?}",
            self.number,
            self.host,
            self.stage,
            self.local_port,
            self.sent,
            self.plan.len,
            self.got,
            self.closed_len,
            self.has_eof,
            self.error,
            self.plan.finish,
            self.wake_at,
            self.seen
        )
    }
}
