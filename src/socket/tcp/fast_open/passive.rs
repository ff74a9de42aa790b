//! Listeners that take data with the SYN (RFC 7413 §4.1.2, §4.2.2, §5.1).
//!
//! A cookie is a keyed hash of both addresses and of a period of 19 hours; that of the period before is good too, and is
//! renewed. So keys rotate without any state, and a cookie is worth nothing after 38 hours at the latest, nor after
//! a restart.

use super::{Cookie, FastOpen, Stage};
use crate::config;
use crate::rand::Domain;
use crate::socket::tcp::segment::{Plan, Segment};
use crate::socket::tcp::{HalfOpen, Listener, ticks_of_ms};
use crate::socket::{Context, Tuple};
use crate::time::Ticks;
use crate::wire::tcp::Flags;

/// Microseconds of a cookie's period, as a shift: 19 hours.
const PERIOD_SHIFT: u32 = 36;
/// Ticks of a period in which resets count, and in the one after it.
const RESET_PERIOD: i32 = ticks_of_ms(config::TCP_FAST_OPEN_RESET_PERIOD) as i32;

/// What a SYN's option asks of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Nothing, or it is not taken.
    None,
    /// A cookie.
    Cookie,
    /// What is no cookie of ours, or no longer: it gets one.
    Invalid,
    /// The cookie is good, but there are too many already.
    Crowded,
    /// The cookie is good, but there is no room for the connection.
    Pressed,
    /// The cookie is good, and the connection may begin. It `is_old`, and gets a new one.
    Open { is_old: bool },
}

impl Request {
    /// Puts a cookie into a SYN-ACK that answers the request, if it gets one and there is room for it.
    pub(crate) fn offer(self, cx: &Context<'_>, tuple: &Tuple, syn_ack: &mut Plan) {
        let gets_one = matches!(self, Request::Cookie | Request::Invalid | Request::Open { is_old: true });
        let cookie = current(cx, tuple);
        let is_syn_ack = syn_ack.flags.contains(Flags::SYN);
        if gets_one && is_syn_ack && syn_ack.has_room_for(cookie.buffer_len()) {
            syn_ack.cookie = cookie;
        }
    }
}

/// How many connections a listener lets begin with data, and how many have.
#[derive(Debug, Clone, Copy)]
pub(in crate::socket::tcp) struct Gate {
    /// 0: none.
    limit: u16,
    /// PendingFastOpenRequests.
    pending: u16,
    /// Those of them that were reset, in this period and in the one before.
    resets: [u16; 2],
    /// When this period began.
    since: Ticks,
}

impl Gate {
    pub(in crate::socket::tcp) const NONE: Gate =
        Gate { limit: 0, pending: 0, resets: [0; 2], since: Ticks(0) };

    /// What was reset long ago counts no longer.
    fn forget_resets(&mut self, now: Ticks) {
        let age = now.since(self.since);
        if !(0..2 * RESET_PERIOD).contains(&age) {
            (self.resets, self.since) = ([0; 2], now);
        } else if age >= RESET_PERIOD {
            (self.resets, self.since) = ([0, self.resets[0]], self.since.after(RESET_PERIOD as u32));
        }
    }

    /// Whether one more may begin.
    fn has_room(&mut self, now: Ticks) -> bool {
        self.forget_resets(now);
        let [latest, before] = self.resets;
        let count = u32::from(self.pending) + u32::from(latest) + u32::from(before);
        count < u32::from(self.limit)
    }
}

impl Listener<'_> {
    /// Takes data that comes with the SYN (RFC 7413), and lets the application read and answer it a round trip
    /// earlier, for at most `limit` connections at a time that nobody has acknowledged; 0, as at first, takes none.
    ///
    /// Such a connection is [accepted](crate::iface::SocketSet::accept) in SYN-RECEIVED, with what has come to be read.
    /// It hears of [`Events::CONNECTED`](crate::socket::Events::CONNECTED) when the client's ACK has come, or of
    /// [`Events::ERROR`](crate::socket::Events::ERROR) if it never does.
    ///
    /// **The network may deliver a SYN twice, and its data with it**: what it asks for must do no harm when it is done
    /// again (RFC 7413 §6.1). Beyond the limit, under a flood, and where there are no buffers, connections begin as
    /// without it, and the client sends its data again.
    pub fn set_fast_open(&mut self, limit: u16) {
        self.fast_open.limit = limit;
    }

    /// How many connections may begin with data and not be acknowledged yet.
    pub fn fast_open(&self) -> u16 {
        self.fast_open.limit
    }

    /// How many have, and are not.
    pub fn fast_open_pending(&self) -> u16 {
        self.fast_open.pending
    }

    /// What a SYN asks for (RFC 7413 §4.2.2, steps 1 to 3).
    pub(crate) fn fast_open_request(
        &mut self,
        cx: &Context<'_>,
        tuple: &Tuple,
        syn: &Segment<'_>,
    ) -> Request {
        if self.fast_open.limit == 0 || syn.area.is_empty() || syn.flags.contains(Flags::FIN) {
            return Request::None;
        }
        let cookie = Cookie::read(syn.area);
        match cookie.octets() {
            [] if cookie.is_there() => return Request::Cookie,
            [] => return Request::None,
            _ => {}
        }
        let period = period(cx);
        let is_old = cookie != bake(cx, tuple, period);
        if is_old && cookie != bake(cx, tuple, period.wrapping_sub(1)) {
            return Request::Invalid;
        }
        if !self.fast_open.has_room(cx.ticks) {
            return Request::Crowded;
        }
        if self.is_pressed(cx, tuple) {
            return Request::Pressed;
        }
        Request::Open { is_old }
    }

    /// Whether a request should rather wait for its handshake: there is no room for a record, so cookies of the other kind
    /// are sent; or as many wait to be accepted as may; or it has a record.
    fn is_pressed(&self, cx: &Context<'_>, tuple: &Tuple) -> bool {
        self.place(cx.ticks).is_none()
            || !self.may_complete()
            || self.records().any(|record| record.is_for(tuple))
    }

    /// The record that a connection goes on from at once.
    pub(crate) fn fast_record(&self, cx: &Context<'_>, tuple: &Tuple, syn: &Segment<'_>) -> HalfOpen {
        let mut record = HalfOpen::EMPTY;
        record.begin(cx, tuple, syn, self.window, self.stamp_choice(), self.template.wants_sack());
        record.grant(self.ecn.grants(syn.flags));
        record
    }

    /// A connection has begun with its data.
    pub(crate) fn on_fast_opened(&mut self) {
        self.tally.on_passive_open();
        self.fast_open.pending += 1; // there was room
    }

    /// It is acknowledged, or is no more. RFC 7413 §5.1: one that was reset counts for some time longer, or who forges
    /// addresses has the machines at these clear the way for the next.
    pub(crate) fn on_fast_open_end(&mut self, reset_at: Option<Ticks>) {
        let gate = &mut self.fast_open;
        gate.pending = gate.pending.saturating_sub(1); // it was counted
        if let Some(now) = reset_at {
            gate.forget_resets(now);
            gate.resets[0] += 1; // fewer than the limit
        }
    }
}

impl FastOpen {
    /// A connection that begins with its data.
    pub(in crate::socket::tcp) fn pending(is_old: bool) -> FastOpen {
        let renew = if is_old { Stage::RENEW } else { Stage::empty() };
        FastOpen(Stage::PENDING | Stage::DUE | renew)
    }
}

fn period(cx: &Context<'_>) -> u32 {
    (cx.now.total_micros() >> PERIOD_SHIFT) as u32
}

/// The cookie for a client, as of now.
pub(super) fn current(cx: &Context<'_>, tuple: &Tuple) -> Cookie {
    bake(cx, tuple, period(cx))
}

/// RFC 7413 §4.1.2: a code that authenticates the client's address, and that only we can make.
fn bake(cx: &Context<'_>, tuple: &Tuple, period: u32) -> Cookie {
    let [a, b, c, d] = tuple.local.words();
    let [e, f, g, h] = tuple.remote.words();
    Cookie::new(&cx.keys.hash(Domain::FastOpen, &[a, b, c, d, e, f, g, h, period]).to_be_bytes())
}
