//! What congestion control by a model of the path is told: what is sent, arrives and is lost, and how fast it lets things
//! go.

use super::Side;
use super::congestion::{Ack, Sent};
use super::connection::Connection;
use super::segment::Plan;
use crate::socket::Context;
use crate::wire::tcp::SeqNum;

/// Microseconds of `now` in 32 bits, which wrap.
fn micros(cx: &Context<'_>) -> u32 {
    cx.now.total_micros() as u32
}

impl Connection {
    /// Whether what is sent again waits for its time as all else does.
    #[inline]
    pub(super) fn paces_repairs(&self) -> bool {
        self.control.is_bbr()
    }

    /// How many octets may leave a tick, on a path whose round trip takes so many eighths of one.
    pub(super) fn pace_by_model(&self, round_trip: u32) -> u32 {
        self.control.pace(round_trip) >> 4
    }

    /// A segment is sent, before SND.MAX is moved.
    #[inline]
    pub(super) fn on_sent_delivery(&mut self, cx: &Context<'_>, plan: &Plan, side: &Side<'_>) {
        if self.control.is_bbr() {
            self.tell_sent(cx, plan, side);
        }
    }

    #[cold]
    fn tell_sent(&mut self, cx: &Context<'_>, plan: &Plan, side: &Side<'_>) {
        let sent = Sent {
            from: plan.seq,
            len: plan.seq_len(),
            micros: micros(cx),
            flight: self.pipe(),
            mss: self.mss(cx),
            is_again: plan.seq.lt(self.snd.max),
            is_all: side.tx.len() as u32 <= (plan.seq + plan.len).since(self.snd.una) as u32,
        };
        self.control.on_sent(&sent);
    }

    /// Octets that are in flight, be they sent again.
    pub(super) fn pipe(&self) -> u32 {
        self.sack.in_flight(&self.snd)
    }

    /// An ACK is taken that says `delivered` octets to have arrived.
    #[inline]
    pub(super) fn on_delivered(&mut self, cx: &Context<'_>, delivered: u32) {
        if self.control.is_bbr() {
            self.tell_delivered(cx, delivered);
        }
    }

    #[cold]
    fn tell_delivered(&mut self, cx: &Context<'_>, delivered: u32) {
        let ack = Ack {
            now: cx.ticks,
            micros: micros(cx),
            delivered,
            flight: self.pipe(),
            max: self.snd.max,
            mss: self.mss(cx),
            is_repairing: self.sack.is_repairing() || self.recovery.is_active(),
            is_paced: self.pace.is_on(),
        };
        let (una, sack) = (self.snd.una, &self.sack);
        self.control.on_delivered(&ack, |end: SeqNum| end.le(una) || sack.has_arrived(end));
    }

    /// Octets have been found to be lost, beside `before` that were.
    #[inline]
    pub(super) fn on_lost(&mut self, before: u32) {
        if self.control.is_bbr() {
            let lost = self.sack.lost(&self.snd).saturating_sub(before);
            if lost > 0 {
                self.control.on_lost(lost);
            }
        }
    }
}
