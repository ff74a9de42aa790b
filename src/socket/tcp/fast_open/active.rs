//! Clients that send data with their SYN (RFC 7413 §4.1.3, §4.2.1, §4.2.2).
//!
//! The connection asks for it; which cookie goes with the SYN, and so whether data does, the set of sockets knows, which
//! keeps cookies from one connection to the next. When a SYN was not answered, it goes without either.

use super::{Choice, Cookie, FastOpen, Stage};
use crate::config;
use crate::socket::tcp::connection::{Connection, Marks, default_mss};
use crate::socket::tcp::segment::{Plan, Segment};
use crate::socket::tcp::state::State;
use crate::socket::tcp::{Phase, Side, Socket, ticks_of_ms};
use crate::socket::{Context, Tuple};
use crate::time::Ticks;
use crate::wire::Addr;
use crate::wire::tcp::{HEADER_LEN, SeqNum};

/// Ticks for which a server is not tried again, the first time.
const PAUSE: u32 = ticks_of_ms(config::TCP_FAST_OPEN_PAUSE);
/// How often that is doubled at most.
const MOST_DOUBLED: u8 = 6;

/// What is remembered of a server: its cookie for one of our addresses, the segments that it takes, and whether it is
/// better not tried for a while.
#[derive(Debug, Clone, Copy)]
pub struct FastOpenCookie {
    local: Addr,
    remote: Addr,
    zone: u8,
    /// How often in a row it did not work.
    failures: u8,
    mss: u16,
    cookie: Cookie,
    used_at: Ticks,
    /// Until when it is not tried, if it has failed.
    until: Ticks,
}

impl FastOpenCookie {
    /// Nothing.
    pub const EMPTY: FastOpenCookie = FastOpenCookie {
        local: Addr::UNSPECIFIED,
        remote: Addr::UNSPECIFIED,
        zone: 0,
        failures: 0,
        mss: 0,
        cookie: Cookie::NONE,
        used_at: Ticks(0),
        until: Ticks(0),
    };

    /// The place for a server: its own, a free one, or that which was not used for longest.
    pub(crate) fn place<'c>(
        places: &'c mut [FastOpenCookie],
        tuple: &Tuple,
        now: Ticks,
    ) -> Option<&'c mut FastOpenCookie> {
        let rank = |it: &FastOpenCookie| match () {
            _ if it.is_for(tuple) => i32::MIN,
            _ if it.remote == Addr::UNSPECIFIED => i32::MIN + 1,
            _ => -now.since(it.used_at).max(0),
        };
        let place = places.iter_mut().min_by_key(|it| rank(it))?;
        if !place.is_for(tuple) {
            let Tuple { local, remote, zone, .. } = *tuple;
            *place = FastOpenCookie { local, remote, zone, ..FastOpenCookie::EMPTY };
        }
        place.used_at = now;
        Some(place)
    }

    /// RFC 7413 §4.1.3: one for each pair of addresses.
    pub(crate) fn is_for(&self, tuple: &Tuple) -> bool {
        self.remote == tuple.remote && self.local == tuple.local && self.zone == tuple.zone
    }

    /// Puts the cookie, and as much as fits of `queued` octets, into a SYN that asks for one. One to a server that is not
    /// to be tried has no such option at all.
    pub(crate) fn fill(&mut self, cx: &Context<'_>, queued: usize, syn: &mut Plan) {
        if self.failures > 0 && !self.until.is_due(cx.ticks) {
            syn.cookie = Cookie::NONE;
            return;
        }
        self.used_at = cx.ticks;
        let longer = self.cookie.buffer_len().saturating_sub(syn.cookie.buffer_len()); // it may not be there
        if !self.cookie.is_there() || !syn.has_room_for(longer) {
            return;
        }
        syn.cookie = self.cookie;
        // RFC 7413 §4.1.3: no more than the server takes in a segment, nor than the path.
        let options_len = (syn.header_len() - HEADER_LEN) as u32;
        let most = u32::from(self.mss.min(syn.options.mss)).saturating_sub(options_len); // then none
        syn.len = most.min(queued as u32);
    }

    /// A SYN-ACK has come with a cookie.
    fn keep(&mut self, cookie: Cookie) {
        self.cookie = cookie;
        self.failures = 0;
    }

    /// RFC 7413 §4.1.3.1: it did not work, so it is not tried for a while, which doubles each time.
    pub(crate) fn pause(&mut self, now: Ticks) {
        self.until = now.after(PAUSE << self.failures.min(MOST_DOUBLED));
        self.failures = self.failures.saturating_add(1);
    }

    /// A SYN-ACK has answered a SYN with the option.
    pub(crate) fn learn(&mut self, end: Ending, tuple: &Tuple, syn_ack: &Segment<'_>, now: Ticks) {
        let cookie = Cookie::read(syn_ack.area);
        let has_cookie = !cookie.octets().is_empty();
        if has_cookie {
            self.keep(cookie);
        }
        self.mss = match syn_ack.options.mss {
            0 => default_mss(tuple),
            mss => mss.max(config::TCP_MIN_MSS),
        };
        match end {
            Ending::Taken => self.failures = 0,
            // It was counted when the timer ran out.
            Ending::Left if !has_cookie => self.pause(now),
            _ => {}
        }
    }
}

impl Default for FastOpenCookie {
    fn default() -> FastOpenCookie {
        FastOpenCookie::EMPTY
    }
}

/// What became of a SYN with the option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It had no data.
    Asked,
    /// The server has taken data.
    Taken,
    /// It has not.
    Left,
    /// It was repeated, without the option and data; so the answer may be to that.
    Repeated,
}

impl Ending {
    pub(crate) fn is_taken(self) -> bool {
        self == Ending::Taken
    }

    pub(crate) fn is_left(self) -> bool {
        self == Ending::Left
    }
}

impl Socket<'_> {
    /// Sends data with the SYN of the next connection (RFC 7413), if a cookie of the server is known, and else asks it for
    /// one: what is queued after [`connect`](Self::connect) and before the next poll goes with it, as far as it
    /// fits into one segment. Off at first. The set of sockets keeps cookies
    /// ([`with_fast_open_cache`](crate::iface::SocketSet::with_fast_open_cache)).
    ///
    /// **The network may deliver the SYN twice, and the data with it**: only what does no harm when the server does it again
    /// should be sent so (RFC 7413 §6.1).
    pub fn set_fast_open(&mut self, is_enabled: bool) {
        self.side.config.fast_open = Choice(is_enabled);
    }

    /// Whether data goes with the SYN.
    pub fn fast_open(&self) -> bool {
        self.side.config.fast_open.0
    }

    /// What became of the SYN, now that its SYN-ACK has come, if it had the option.
    pub(crate) fn fast_open_ending(&self) -> Option<Ending> {
        let Phase::Connection(connection) = &self.phase else { return None };
        let stage = connection.fast_open.0;
        let was_lost = connection.marks.contains(Marks::SYN_LOST);
        match () {
            _ if !stage.contains(Stage::ASKED) => None,
            _ if stage.contains(Stage::TAKEN) => Some(Ending::Taken),
            _ if was_lost => Some(Ending::Repeated),
            _ if stage.contains(Stage::DATA) => Some(Ending::Left),
            _ => Some(Ending::Asked),
        }
    }

    /// Between whom, if a SYN with the option was not answered in time; it is said once.
    pub(crate) fn take_fast_open_loss(&mut self) -> Option<Tuple> {
        let Phase::Connection(connection) = &mut self.phase else { return None };
        let is_lost = connection.fast_open.0.contains(Stage::LOST);
        connection.fast_open.0.remove(Stage::LOST);
        is_lost.then_some(connection.tuple)
    }
}

impl FastOpen {
    /// An active open begins.
    pub(in crate::socket::tcp) fn begin(&mut self, choice: Choice) {
        self.0.set(Stage::ASKS, choice.0);
    }
}

impl Connection {
    /// RFC 7413 §4.2.1: the first SYN has the option.
    #[inline]
    pub(in crate::socket::tcp) fn ask_early(&self, plan: &mut Plan) {
        let is_again = self.marks.contains(Marks::SYN_LOST) || self.snd.max != self.snd.una;
        if self.fast_open.0.contains(Stage::ASKS) && !is_again && plan.has_room_for(4) {
            plan.cookie = Cookie::new(&[]);
        }
    }

    /// A SYN was sent.
    #[cold]
    pub(super) fn on_sent_syn(&mut self, cx: &Context<'_>, plan: &Plan) {
        if plan.cookie.is_there() {
            self.fast_open.0.insert(Stage::ASKED);
            self.fast_open.0.set(Stage::DATA, plan.len > 0);
            // The SYN-ACK may acknowledge the SYN alone.
            self.rtt.on_new(plan.seq + 1, cx.ticks);
        }
    }

    /// Our SYN was not answered.
    pub(super) fn on_syn_unanswered(&mut self) {
        if self.fast_open.0.contains(Stage::ASKED) && self.tries == 1 && self.state == State::SynSent {
            self.fast_open.0.insert(Stage::LOST);
        }
    }

    /// `ack` acknowledges our SYN, and perhaps data that went with it. What it does not goes again at once.
    pub(super) fn take_data_ack(&mut self, ack: SeqNum, side: &mut Side<'_>) {
        let data = ack.since(self.snd.una + 1) as u32;
        if data > 0 {
            side.tx.dequeue_allocated(data as usize);
            self.info.on_acked(data);
            self.fast_open.0.insert(Stage::TAKEN);
        }
        (self.snd.nxt, self.snd.max) = (ack, ack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(server: u32, zone: u8) -> Tuple {
        let addr = |last: u32| Addr::v4([192, 0, 2, last as u8]);
        Tuple { local: addr(1), remote: addr(server), local_port: 9, remote_port: 80, zone }
    }

    /// Which of them is for a server.
    fn place(places: &mut [FastOpenCookie], tuple: &Tuple, now: u32) -> usize {
        let place: *const _ = FastOpenCookie::place(places, tuple, Ticks(now)).unwrap();
        places.iter().position(|it| core::ptr::eq(it, place)).unwrap()
    }

    /// Covers: RFC 7413 §4.1.3
    #[test]
    fn a_server_has_its_own_place_a_free_one_or_that_which_was_not_used_for_longest() {
        // Half a turn of the clock after it was started, too.
        for start in [10, 1 << 31, u32::MAX - 500] {
            let mut places = [FastOpenCookie::EMPTY; 3];
            let at = |after: u32| start.wrapping_add(after);
            let servers = [tuple(2, 0), tuple(3, 0), tuple(3, 1)];
            for (n, server) in servers.iter().enumerate() {
                assert_eq!(place(&mut places, server, at(n as u32)), n, "a free one");
                assert!(places[n].is_for(server));
            }
            places[1] = FastOpenCookie::EMPTY;
            assert_eq!(place(&mut places, &servers[2], at(100)), 2, "its own, though one is free");
            assert_eq!(place(&mut places, &servers[0], at(200)), 0);
            assert_eq!(place(&mut places, &servers[1], at(300)), 1);
            assert_eq!(place(&mut places, &tuple(4, 0), at(400)), 2, "the one that was used at 100");
        }
    }
}
