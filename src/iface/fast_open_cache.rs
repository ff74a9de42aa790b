//! What the set of sockets remembers of servers for TCP Fast Open (RFC 7413 §4.1.3).

use managed::ManagedSlice;

use super::fast_open::count;
use super::socket_set::SocketSet;
use super::tcp_set::tcp_in;
use crate::socket::tcp::{FastOpenCookie, Plan, Segment};
use crate::socket::{Context, Events, Tuple};
use crate::time::Ticks;
use crate::wire::tcp::Flags;

/// One place for each server, from each of our addresses.
pub(super) struct Cache<'a>(ManagedSlice<'a, FastOpenCookie>);

impl Cache<'_> {
    pub(super) fn new() -> Self {
        Cache(ManagedSlice::Borrowed(&mut []))
    }

    #[inline]
    pub(super) fn fill(&mut self, cx: &Context<'_>, tuple: &Tuple, queued: usize, plan: &mut Plan) {
        if plan.cookie.is_request() {
            self.fill_syn(cx, tuple, queued, plan);
        }
    }

    #[cold]
    fn fill_syn(&mut self, cx: &Context<'_>, tuple: &Tuple, queued: usize, syn: &mut Plan) {
        if let Some(known) = self.0.iter_mut().find(|known| known.is_for(tuple)) {
            known.fill(cx, queued, syn);
        }
    }

    fn place(&mut self, tuple: &Tuple, now: Ticks) -> Option<&mut FastOpenCookie> {
        FastOpenCookie::place(&mut self.0, tuple, now)
    }
}

impl<'a> SocketSet<'a> {
    /// The same with room for cookies of servers that sockets connect to with data in their SYN
    /// ([`Socket::set_fast_open`](crate::socket::tcp::Socket::set_fast_open)); when there is no more, that which was not
    /// used for longest makes way. Without any no data goes with a SYN.
    pub fn with_fast_open_cache(
        mut self,
        places: impl Into<ManagedSlice<'a, FastOpenCookie>>,
    ) -> SocketSet<'a> {
        self.fast_open.cache = Cache(places.into());
        self
    }

    /// A segment has come for the socket at `ix`: if it is the SYN-ACK that has connected it, what it says of the server
    /// is remembered.
    #[inline]
    pub(super) fn learn_fast_open(
        &mut self,
        ix: u32,
        tuple: &Tuple,
        segment: &Segment<'_>,
        events: Events,
        now: Ticks,
    ) {
        if segment.flags.contains(Flags::SYN) && events.contains(Events::CONNECTED) {
            self.learn(ix, tuple, segment, now);
        }
    }

    #[cold]
    fn learn(&mut self, ix: u32, tuple: &Tuple, syn_ack: &Segment<'_>, now: Ticks) {
        let Some(end) = tcp_in(&mut self.slots, ix).and_then(|socket| socket.fast_open_ending()) else {
            return;
        };
        let stats = &mut self.fast_open.stats;
        if end.is_taken() {
            count(&mut stats.active);
        } else if end.is_left() {
            count(&mut stats.active_fail);
        }
        if let Some(place) = self.fast_open.cache.place(tuple, now) {
            place.learn(end, tuple, syn_ack, now);
        }
    }

    /// The socket at `ix` has had its turn: if its SYN was not answered, the next one to that server has no such option.
    #[inline]
    pub(super) fn note_loss(&mut self, ix: u32, now: Ticks) {
        let lost = tcp_in(&mut self.slots, ix).and_then(|socket| socket.take_fast_open_loss());
        if let Some(tuple) = lost {
            count(&mut self.fast_open.stats.active_fail);
            if let Some(place) = self.fast_open.cache.place(&tuple, now) {
                place.pause(now);
            }
        }
    }
}
