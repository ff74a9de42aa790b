//! The user timeout option (RFC 5482): each end says how long it waits for an acknowledgment, so that the other
//! waits no shorter.
//!
//! It is advice, and nothing makes sure that it arrives. It goes with our SYN and, since who answers that may keep
//! little of it, with the first ACK after it; then with an ACK whenever it changes. Segments with data have none, so
//! that they keep their size.
//!
//! ```text
//! +------+------+-+---------------+
//! |  28  |  4   |G|    timeout    |   G: in minutes, else in seconds
//! +------+------+-+---------------+
//! ```

use super::connection::{Connection, Marks};
use super::segment::{Plan, Segment};
use super::state::State;
use super::{Phase, Side, Socket, from_ticks};
use crate::config::{self, TCP_USER_TIMEOUTS};
use crate::time::{Duration, TICKS_PER_SEC};
use crate::wire::tcp::Flags;
use crate::wire::tcpopt::{self, TcpOption};

/// What the option says, as it stands there; 0: there is none.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advice(u16);

const IN_MINUTES: u16 = 1 << 15;

impl Advice {
    pub(crate) const NONE: Advice = Advice(0);

    /// RFC 5482 §3.2: in seconds if they fit; never zero.
    fn new(seconds: u64) -> Advice {
        match u16::try_from(seconds.max(1)) {
            Ok(seconds) if seconds < IN_MINUTES => Advice(seconds),
            _ => Advice(IN_MINUTES | (seconds / 60).min(0x7fff) as u16),
        }
    }

    fn seconds(self) -> u32 {
        let value = u32::from(self.0 & !IN_MINUTES);
        if self.0 & IN_MINUTES != 0 { value * 60 } else { value }
    }

    fn is_there(self) -> bool {
        self.0 != 0
    }

    #[inline]
    pub(crate) fn buffer_len(self) -> usize {
        if self.is_there() { 4 } else { 0 }
    }

    /// Writes the option, if it is there, to the end of an options area.
    #[inline]
    pub(crate) fn emit(self, area: &mut [u8]) {
        if let Some(out) = area.last_chunk_mut::<4>().filter(|_| self.is_there()) {
            let in_minutes = self.0 & IN_MINUTES != 0;
            TcpOption::UserTimeout { in_minutes, value: self.0 & !IN_MINUTES }.emit(out);
        }
    }
}

/// ADV_UTO; none if the option is not used (ENABLED), as at first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice(Advice);

impl Choice {
    pub(super) const DEFAULT: Choice = Choice(Advice::NONE);
}

/// What a connection knows of the peer's patience.
#[derive(Debug, Clone)]
pub(super) struct Uto {
    /// REMOTE_UTO.
    remote: Advice,
    /// The peer is to hear of ours.
    is_due: bool,
}

impl Uto {
    pub(super) const fn new() -> Uto {
        Uto { remote: Advice::NONE, is_due: false }
    }
}

impl Connection {
    /// RFC 5482 §3.1: USER_TIMEOUT in ticks, if the option is used and the application has set none itself
    /// (CHANGEABLE).
    fn adopted_timeout(&self, side: &Side<'_>) -> Option<u32> {
        let ours = side.config.uto.0;
        if !ours.is_there() || side.config.timeout.left(0).is_some() || self.state.is_opening() {
            return None;
        }
        let (least, most) = TCP_USER_TIMEOUTS;
        let seconds = ours.seconds().max(self.uto.remote.seconds()).max(least).min(most);
        Some(seconds * TICKS_PER_SEC)
    }

    /// What is left of the user timeout after so many ticks, if there is one.
    pub(super) fn patience_left(&self, side: &Side<'_>, gone: u32) -> Option<u32> {
        let adopted = self.adopted_timeout(side).map(|timeout| timeout.saturating_sub(gone)); // it is over
        side.config.timeout.left(gone).or(adopted)
    }

    /// How often something is repeated before the connection ends; as often as there is time for, if time decides.
    pub(super) fn retries(&self, side: &Side<'_>) -> u8 {
        match self.adopted_timeout(side) {
            Some(_) => u8::MAX,
            None => config::TCP_DATA_RETRIES,
        }
    }

    /// The peer's advice, if a segment that was taken has some.
    #[inline]
    pub(super) fn on_advice(&mut self, seg: &Segment<'_>) {
        if !seg.area.is_empty() {
            self.read_advice(seg.area);
        }
    }

    #[cold]
    #[inline(never)]
    fn read_advice(&mut self, area: &[u8]) {
        for option in tcpopt::Options::parse(area).into_iter().flatten() {
            // RFC 5482 §3.2: zero says nothing.
            if let TcpOption::UserTimeout { in_minutes, value: value @ 1.. } = option {
                self.uto.remote = Advice(if in_minutes { IN_MINUTES | value } else { value });
            }
        }
    }

    /// The peer is to hear of ours, with the next ACK.
    pub(super) fn owe_advice(&mut self, side: &Side<'_>) {
        self.uto.is_due = side.config.uto.0.is_there();
        if self.uto.is_due {
            self.marks |= Marks::ACK;
        }
    }

    /// Puts ours into an ACK, if it is due and there is room.
    #[inline]
    pub(super) fn note_advice(&self, side: &Side<'_>, plan: &mut Plan) {
        if self.uto.is_due && plan.has_room_for(4) {
            plan.advice = side.config.uto.0;
        }
    }

    /// Puts ours into a SYN, if it is there and there is room.
    pub(super) fn advise_first(&self, side: &Side<'_>, plan: &mut Plan) {
        if plan.has_room_for(4) {
            plan.advice = side.config.uto.0;
        }
    }

    /// An acknowledgment was sent.
    #[inline]
    pub(super) fn on_sent_advice(&mut self, plan: &Plan) {
        // RFC 5482 §3.1: a SYN-ACK may be all that is left of a SYN's options, so the first ACK says it again.
        if plan.advice.is_there() && !plan.flags.contains(Flags::SYN) {
            self.uto.is_due = false;
        }
    }
}

impl Socket<'_> {
    /// Tells the peer how long we wait for an acknowledgment (RFC 5482), in seconds, and waits as long as either
    /// end says, at least 100 s and at most an hour ([`TCP_USER_TIMEOUTS`]), however often something has to be
    /// repeated. `None`, as at first: neither is the peer told, nor its advice taken.
    ///
    /// A timeout that [`set_timeout`](Self::set_timeout) has set counts instead of advice. Of connections that a
    /// listener takes, this is to be asked when they are accepted.
    pub fn set_timeout_advice(&mut self, timeout: Option<Duration>) {
        let advice = timeout.map_or(Advice::NONE, |timeout| Advice::new(timeout.total_millis() / 1_000));
        self.side.config.uto = Choice(advice);
        if let Phase::Connection(connection) = &mut self.phase
            && !connection.state.is_opening()
            && !matches!(connection.state, State::Closed | State::TimeWait)
        {
            connection.owe_advice(&self.side);
        }
        self.rearm();
    }

    /// What the peer is told, if it is.
    pub fn timeout_advice(&self) -> Option<Duration> {
        let advice = self.side.config.uto.0;
        advice.is_there().then(|| Duration::from_secs(advice.seconds().into()))
    }

    /// The user timeout that both ends' advice has led to, if it counts, in steps of 1.024 ms.
    pub fn adopted_timeout(&self) -> Option<Duration> {
        let Phase::Connection(connection) = &self.phase else { return None };
        connection.adopted_timeout(&self.side).and_then(from_ticks)
    }
}
