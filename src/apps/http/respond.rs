//! A connection's part in which it answers: what of a reply is sent, and its way into the send buffer.

use super::Stats;
use super::conditions::{Selected, select};
use super::connection::{Connection, End, Env, Stage, Step};
use super::reply::{Head, Out, Reply, Source};
use super::request::Request;
use super::scan::Scan;
use super::status::{Methods, Status};
use crate::config;
use crate::socket::tcp;
use crate::stats::count;

/// What is still to be sent of a response's body.
#[derive(Debug)]
pub(super) enum Rest {
    Octets(&'static [u8]),
    /// From where it lies; so many octets were queued when last looked at.
    Referred(usize),
    Generated(usize),
    Chunks,
    /// To the end of the connection.
    Open,
}

/// Octets around a chunk: its size, and two line ends.
const CHUNK_FRAMING: usize = 8;
/// The largest chunk: of four digits.
const CHUNK_MOST: usize = 0xffff;

/// Writes a chunk (RFC 9112 §7.1); an empty one is the last, and the end of the body.
fn put_chunk(out: &mut Out<'_, '_>, data: &[u8]) {
    if data.is_empty() {
        out.put(b"0\r\n\r\n");
        return;
    }
    let digit = |shift: usize| b"0123456789abcdef"[data.len() >> shift & 0xf];
    out.put(&[digit(12), digit(8), digit(4), digit(0), b'\r', b'\n']).put(data).put(b"\r\n");
}

/// How much a reply may copy: what fits into the send buffer beside a head.
pub(super) fn copy_len(socket: &tcp::Socket<'_>, most: usize) -> usize {
    (socket.send_capacity() / 2).saturating_sub(config::HTTP_HEAD_ROOM).min(most)
}

/// Whether octets are queued where they lie: if the socket can do that, and they don't fit into its buffer.
fn may_refer(socket: &tcp::Socket<'_>, octets: &[u8]) -> bool {
    let is_able = config::HAS_TCP_SEND_REF && socket.refs_capacity() > 0;
    is_able && octets.len() > socket.send_capacity().saturating_sub(socket.send_queue())
}

impl Connection {
    /// Begins a response. Its head fits; if the application's fields are too long for that, or what it copied
    /// is, that is its fault and becomes an error.
    pub(super) fn answer(
        &mut self,
        socket: &mut tcp::Socket<'_>,
        stats: &mut Stats,
        mut reply: Reply<'_>,
        selected: Selected,
        allowed: Methods,
    ) -> Step {
        if reply.is_too_long {
            count(&mut stats.faults, 1);
            reply.only(Status::INTERNAL_SERVER_ERROR);
        }
        let has_no_body = self.is_head_only || reply.status.has_no_body();
        if reply.source == Source::Open && !self.is_1_1 {
            // RFC 9112 §6.3 (to who knows no chunks, the end of the connection is that of the body).
            self.is_persistent = false;
        }
        let head = Head { is_1_1: self.is_1_1, is_persistent: self.is_persistent, selected, allowed };
        let mut out = Out::new(socket);
        out.put_head(&reply, &head);
        if !has_no_body {
            out.put(reply.copied());
        }
        if out.is_cut() {
            count(&mut stats.faults, 1);
            self.stage = Stage::Linger(0);
            return Step::Over(End::Abort);
        }
        self.stage = Stage::Respond(match (reply.source, selected) {
            _ if has_no_body => Rest::Octets(&[]),
            (Source::Octets(octets), Selected::Part(first, len)) => {
                Rest::Octets(octets.get(first..).and_then(|rest| rest.get(..len)).unwrap_or_default())
            }
            (Source::Octets(octets), _) => Rest::Octets(octets),
            (Source::Copied(_), _) => Rest::Octets(&[]),
            (Source::Generated(len), _) => Rest::Generated(len),
            (Source::Open, _) if self.is_1_1 => Rest::Chunks,
            (Source::Open, _) => Rest::Open,
        });
        Step::Again
    }

    pub(super) fn send(&mut self, env: &mut Env<'_, '_>) -> Step {
        match &mut self.stage {
            Stage::Respond(Rest::Octets([]) | Rest::Generated(0)) => self.finish(env),
            Stage::Respond(Rest::Octets(octets)) if may_refer(env.socket, octets) => {
                match env.socket.send_ref(octets) {
                    Ok(()) => {
                        self.stage = Stage::Respond(Rest::Referred(env.socket.send_queue()));
                        Step::Again
                    }
                    // The slice before it is not acknowledged yet.
                    Err(_) if env.socket.may_send() => Step::Wait,
                    Err(_) => Step::Over(End::Abort),
                }
            }
            Stage::Respond(Rest::Referred(before)) if config::HAS_TCP_SEND_REF => {
                let queued = env.socket.send_queue();
                self.moved += before.saturating_sub(queued);
                *before = queued;
                // What is left is no more than could be left of a copy.
                if queued <= env.socket.send_capacity() { self.finish(env) } else { Step::Wait }
            }
            Stage::Respond(Rest::Octets(octets)) => {
                let Ok(len) = env.socket.send_slice(octets) else { return Step::Over(End::Abort) };
                *octets = octets.get(len..).unwrap_or_default();
                self.moved += len;
                if octets.is_empty() { Step::Again } else { Step::Wait }
            }
            _ if env.room() < config::HTTP_CHUNK_ROOM.min(env.socket.send_capacity()) => Step::Wait,
            _ => self.generate(env),
        }
    }

    /// Sends what the handler writes, a piece that there is room for.
    fn generate(&mut self, env: &mut Env<'_, '_>) -> Step {
        let Stage::Respond(rest) = &mut self.stage else { return Step::Wait };
        let most = match rest {
            Rest::Generated(left) => env.room().min(*left),
            _ => env.room().saturating_sub(CHUNK_FRAMING).min(CHUNK_MOST),
        };
        let memory = env.reply.get_mut(..most.min(env.reply.len())).unwrap_or_default();
        let most = memory.len();
        let len = self.exchange.as_mut().map_or(0, |exchange| env.handler.fill(exchange, memory).min(most));
        let data = env.reply.get(..len).unwrap_or_default();
        self.moved += len;
        let mut out = Out::new(env.socket);
        match rest {
            Rest::Chunks => put_chunk(&mut out, data),
            Rest::Generated(left) => {
                *left -= len;
                out.put(data);
            }
            _ => {
                out.put(data);
            }
        }
        match (out.is_cut(), len, rest) {
            (true, ..) => Step::Over(End::Abort),
            // It has said that there is more.
            (_, 0, Rest::Generated(_)) => {
                count(&mut env.stats.faults, 1);
                Step::Over(End::Abort)
            }
            (_, 0, _) => self.finish(env),
            _ => Step::Again,
        }
    }

    /// All of the response is in the send buffer.
    fn finish(&mut self, env: &mut Env<'_, '_>) -> Step {
        count(&mut env.stats.responses, 1);
        if let Some(mut exchange) = self.exchange.take() {
            env.handler.ended(&mut exchange, true);
        }
        self.served = self.served.saturating_add(1);
        self.queued = self.queued.saturating_add(1);
        self.moved = 0;
        if self.is_persistent {
            self.stage = Stage::Head(Scan::default());
        } else {
            // RFC 9112 §9.6 (first our half, then the other).
            env.socket.close();
            self.stage = Stage::Linger(env.limits.linger_len);
        }
        Step::Again
    }
}

/// What of a complete reply the client wants (RFC 9110 §13, §14).
pub(super) fn choose(request: &Request<'_>, reply: &mut Reply<'_>) -> Selected {
    if reply.status != Status::OK || !Methods::READING.contains(request.method) {
        return Selected::Whole;
    }
    let whole_len = if let Source::Octets(octets) = reply.source { octets.len() } else { 0 };
    let has_parts = matches!(reply.source, Source::Octets(_));
    reply.whole_len = whole_len;
    match select(request, reply.etag, whole_len) {
        Selected::Nothing(Status::RANGE_NOT_SATISFIABLE) | Selected::Part(..) if !has_parts => {
            Selected::Whole
        }
        Selected::Nothing(status) => {
            let etag = reply.etag;
            reply.only(status).etag(etag).whole_len = whole_len;
            Selected::Whole
        }
        selected => selected,
    }
}
