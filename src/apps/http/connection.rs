//! One connection, from request to request (RFC 9112 §9).
//!
//! ```text
//!          head complete, no body                 all sent, persistent
//!   Head ───────────────────────────> Respond ────────────────────────> Head
//!    │  ───────────> Body ──────────>    │ │
//!    │   body wanted       complete      │ └─ all sent, to be closed ──> Linger
//!    └── malformed, too long, too slow ──┘
//! ```
//!
//! The head of a request stays in the socket's receive buffer until it is complete, so it costs no memory
//! of its own. A response begins when half of the send buffer is free, so its head always fits.

use super::body::Body;
use super::conditions::Selected;
use super::handler::{Exchange, Found, Handler, Next, Site};
use super::reply::{Out, Reply};
use super::request::{self, Framing, Request};
use super::respond::{Rest, choose, copy_len};
use super::scan::{self, Scan};
use super::status::{Methods, Status};
use super::{Limits, Stats};
use crate::config;
use crate::socket::tcp::{self, State};
use crate::stats::count;
use crate::time::Duration;

/// A connection's state; opaque.
#[derive(Debug)]
pub struct Connection {
    pub(super) stage: Stage,
    /// With the application, if it takes part.
    pub(super) exchange: Option<Exchange>,
    key: u32,
    /// Requests that were answered.
    pub(super) served: u16,
    /// How many of them since the send buffer was last empty.
    pub(super) queued: u16,
    /// Octets moved since the last look at the clock.
    pub(super) moved: usize,
    /// It has sent nothing yet, and not had much time to.
    is_new: bool,
    pub(super) is_1_1: bool,
    pub(super) is_persistent: bool,
    pub(super) is_head_only: bool,
}

#[derive(Debug)]
pub(super) enum Stage {
    Head(Scan),
    Body(Body),
    Respond(Rest),
    /// Closed by us: what still comes is thrown away, so that it does not reset what was sent. So many
    /// octets of it.
    Linger(usize),
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Again,
    /// For the peer.
    Wait,
    Over(End),
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// In order; what is queued is still sent.
    Close,
    /// With a reset.
    Abort,
}

/// What a connection waits for, and so how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// For the first request of a new connection, which is on its way if the client is honest.
    First,
    Request,
    Head,
    /// For the peer to send or take what it should.
    Progress,
    Close,
}

impl Waits {
    /// How long at most.
    pub(super) fn timeout(self, limits: &Limits) -> Duration {
        match self {
            Waits::First => Duration::from_millis(config::HTTP_GRACE),
            Waits::Request => limits.idle_timeout,
            Waits::Head => limits.head_timeout,
            Waits::Progress => limits.progress_timeout,
            Waits::Close => limits.close_timeout,
        }
    }
}

/// What a connection works with and does not own.
pub(super) struct Env<'e, 's> {
    pub(super) socket: &'e mut tcp::Socket<'s>,
    pub(super) site: &'e Site,
    pub(super) limits: &'e Limits,
    pub(super) stats: &'e mut Stats,
    /// Where a head is put together.
    pub(super) head: &'e mut [u8],
    /// Where what is sent is put together.
    pub(super) reply: &'e mut [u8],
    pub(super) handler: &'e mut dyn Handler,
}

impl Env<'_, '_> {
    pub(super) fn room(&self) -> usize {
        self.socket.send_capacity().saturating_sub(self.socket.send_queue())
    }

    /// Whether a response may begin.
    fn has_room(&self) -> bool {
        self.room() * 2 >= self.socket.send_capacity()
    }

    /// Whether the peer may send more than is there.
    fn is_receiving(&self) -> bool {
        matches!(self.socket.state(), State::Established | State::FinWait1 | State::FinWait2)
    }

    /// Takes `len` octets that are there from the receive buffer.
    fn drop_received(&mut self, mut len: usize) {
        while len > 0 {
            let took = self.socket.recv(|piece| {
                let count = piece.len().min(len);
                (count, count)
            });
            let Ok(count @ 1..) = took else { return };
            len -= count;
        }
    }
}

impl Connection {
    pub(super) fn new() -> Connection {
        Connection {
            stage: Stage::Head(Scan::default()),
            exchange: None,
            key: 0,
            served: 0,
            queued: 0,
            moved: 0,
            is_new: true,
            is_1_1: true,
            is_persistent: true,
            is_head_only: false,
        }
    }

    pub(super) fn set_key(&mut self, key: u32) {
        self.key = key;
    }

    pub(super) fn waits(&self) -> Waits {
        match &self.stage {
            Stage::Head(scan) if scan.is_empty() && self.is_new => Waits::First,
            Stage::Head(scan) if scan.is_empty() => Waits::Request,
            Stage::Head(_) => Waits::Head,
            Stage::Body(_) | Stage::Respond(_) => Waits::Progress,
            Stage::Linger(_) => Waits::Close,
        }
    }

    /// How many requests were answered: what it waits for may be another thing of the same kind.
    pub(super) fn served(&self) -> u16 {
        self.served
    }

    /// Goes on as far as it can. Says how the connection ends, if it does.
    pub(super) fn serve(&mut self, env: &mut Env<'_, '_>) -> Option<End> {
        loop {
            let step = match &mut self.stage {
                Stage::Head(_) => self.read_head(env),
                Stage::Body(_) => self.read_body(env),
                Stage::Respond(_) => self.send(env),
                Stage::Linger(_) => self.linger(env),
            };
            match step {
                Step::Again => {}
                Step::Wait => return None,
                Step::Over(end) => return Some(end),
            }
        }
    }

    /// It has waited for as long as it may.
    pub(super) fn on_timeout(&mut self, env: &mut Env<'_, '_>) -> Option<End> {
        match self.waits() {
            Waits::First => {
                self.is_new = false;
                return None;
            }
            // RFC 9112 §9.5 (closed without a word: nobody waits for an answer).
            Waits::Request | Waits::Close => return Some(End::Close),
            Waits::Progress if core::mem::take(&mut self.moved) >= env.limits.progress => return None,
            Waits::Head | Waits::Progress => {}
        }
        count(&mut env.stats.timeouts, 1);
        if matches!(self.stage, Stage::Respond(_)) {
            return Some(End::Abort);
        }
        match self.refuse(env, Status::REQUEST_TIMEOUT) {
            Step::Over(end) => Some(end),
            _ => self.serve(env),
        }
    }

    /// The connection is gone, and with it what was going on there. Says whether something was.
    pub(super) fn on_gone(&mut self, handler: &mut dyn Handler) -> bool {
        if let Some(mut exchange) = self.exchange.take() {
            handler.ended(&mut exchange, false);
        }
        matches!(self.stage, Stage::Body(_) | Stage::Respond(_))
    }

    fn read_head(&mut self, env: &mut Env<'_, '_>) -> Step {
        if env.socket.send_queue() == 0 {
            self.queued = 0;
        }
        if !env.has_room() || self.queued >= env.limits.pipelined {
            return Step::Wait;
        }
        let Stage::Head(scan) = &mut self.stage else { return Step::Wait };
        let most = env.head.len().min(env.socket.recv_capacity());
        let len = env.socket.peek_slice(env.head).unwrap_or_default(); // nothing more will come then
        match scan.go_on(env.head.get(..len).unwrap_or_default(), most, env.limits) {
            scan::Found::More if env.is_receiving() => Step::Wait,
            // The peer has said all, and that was no request.
            scan::Found::More => {
                env.drop_received(len);
                Step::Over(End::Close)
            }
            scan::Found::Fault(status) => self.refuse(env, status),
            scan::Found::Head(start, end) => {
                env.drop_received(end);
                self.begin(env, start, end)
            }
        }
    }

    /// A request's head is complete.
    fn begin(&mut self, env: &mut Env<'_, '_>, start: usize, end: usize) -> Step {
        count(&mut env.stats.requests, 1);
        self.is_new = false;
        self.moved = 0;
        let Env { socket, site, limits, stats, head, reply, handler } = env;
        let copy_len = copy_len(socket, reply.len());
        let mut reply = Reply::new(reply.get_mut(..copy_len).unwrap_or_default());
        let head = head.get_mut(start..end).unwrap_or_default(); // it was scanned there
        let (request, body) = match admitted(head, limits) {
            Ok(admitted) => admitted,
            Err(status) => return self.refuse(env, status),
        };
        self.is_1_1 = request.is_1_1;
        self.is_head_only = request.method == Methods::HEAD;
        self.is_persistent = request.is_persistent && self.served.saturating_add(1) < limits.requests;
        let mut allowed = Methods::empty();
        match site.find(request.method, request.path()) {
            Found::Route(route) => {
                let mut exchange = Exchange::new(route, self.key);
                let next = handler.request(&mut exchange, &request, &mut reply);
                self.exchange = Some(exchange);
                if next == Next::Receive {
                    if request.expects_continue && !body.is_over() {
                        // RFC 9110 §10.1.1.
                        Out::new(socket).put(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    self.stage = Stage::Body(body);
                    return Step::Again;
                }
            }
            Found::File(file) => {
                reply.content_type(file.content_type).etag(file.etag).send_static(file.octets);
            }
            Found::Nothing(methods) => {
                allowed = methods;
                // RFC 9110 §15.5.5, §15.5.6.
                let is_there = !methods.is_empty();
                reply.only(if is_there { Status::METHOD_NOT_ALLOWED } else { Status::NOT_FOUND });
            }
        }
        // RFC 9112 §9.3 (a body that nobody reads is no next request).
        self.is_persistent &= body.is_over();
        let selected = choose(&request, &mut reply);
        self.answer(socket, stats, reply, selected, allowed)
    }

    fn read_body(&mut self, env: &mut Env<'_, '_>) -> Step {
        let Stage::Body(body) = &mut self.stage else { return Step::Wait };
        let Some(exchange) = &mut self.exchange else { return Step::Over(End::Abort) };
        if body.is_over() {
            if !env.has_room() {
                return Step::Wait;
            }
            let copy_len = copy_len(env.socket, env.reply.len());
            let mut reply = Reply::new(env.reply.get_mut(..copy_len).unwrap_or_default());
            env.handler.respond(exchange, &mut reply);
            return self.answer(env.socket, env.stats, reply, Selected::Whole, Methods::empty());
        }
        let taken = env.socket.recv(|piece| {
            let taken = body.take(piece);
            let used = taken.as_ref().map_or(0, |(used, _)| *used);
            (
                used,
                taken.and_then(|(used, data)| {
                    let result = if data.is_empty() { Ok(()) } else { env.handler.body(exchange, data) };
                    result.map(|()| used)
                }),
            )
        });
        match taken {
            Ok(Ok(0)) if env.is_receiving() => Step::Wait,
            // RFC 9112 §8 (a body that ends early is no body).
            Ok(Ok(0)) | Err(_) => Step::Over(End::Abort),
            Ok(Ok(used)) => {
                self.moved += used;
                Step::Again
            }
            Ok(Err(status)) => self.refuse(env, status),
        }
    }

    /// Answers what can't be, or is not to be, served. Nobody knows where the next request would begin.
    fn refuse(&mut self, env: &mut Env<'_, '_>, status: Status) -> Step {
        count(&mut env.stats.refused, 1);
        if let Some(mut exchange) = self.exchange.take() {
            env.handler.ended(&mut exchange, false);
        }
        self.is_persistent = false;
        self.is_head_only = false;
        let mut reply = Reply::new(&mut []);
        reply.only(status);
        self.answer(env.socket, env.stats, reply, Selected::Whole, Methods::empty())
    }

    fn linger(&mut self, env: &mut Env<'_, '_>) -> Step {
        let Stage::Linger(quota) = &mut self.stage else { return Step::Wait };
        let len = env.socket.recv_queue();
        env.drop_received(len);
        match quota.checked_sub(len) {
            Some(left) if env.is_receiving() => {
                *quota = left;
                Step::Wait
            }
            _ => Step::Over(End::Close),
        }
    }
}

/// A head that is well-formed and within the limits, and the body that goes with it.
fn admitted<'r>(head: &'r mut [u8], limits: &Limits) -> Result<(Request<'r>, Body), Status> {
    let request = request::parse(head)?;
    // RFC 9110 §15.5.12 (it is the client who knows whether there is a body, and it has not said so).
    if request.framing == Framing::None && !Methods::READING.contains(request.method) {
        return Err(Status::LENGTH_REQUIRED);
    }
    let body = Body::new(request.framing, limits.body_len)?;
    Ok((request, body))
}
