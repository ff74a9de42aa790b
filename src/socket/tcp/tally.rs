//! What becomes of connections, counted for SNMP (RFC 4022) by the state transitions that its counters name.
//!
//! Each socket and each listener counts its own; the set of sockets sums them when it is asked.

use core::ops::AddAssign;

use super::{Listener, Phase, Socket, State};

/// How often the transitions happened.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) active_opens: u32,
    pub(crate) passive_opens: u32,
    pub(crate) attempt_fails: u32,
    pub(crate) estab_resets: u32,
}

impl Tally {
    pub(super) const NONE: Tally =
        Tally { active_opens: 0, passive_opens: 0, attempt_fails: 0, estab_resets: 0 };

    /// A listener takes a request: from LISTEN to SYN-RECEIVED. One that was answered by a cookie is when that comes
    /// back.
    pub(super) fn on_passive_open(&mut self) {
        self.passive_opens = self.passive_opens.wrapping_add(1);
    }

    /// Requests have come to nothing: RFC 4022 has them go back from SYN-RECEIVED to LISTEN.
    pub(super) fn on_fails(&mut self, count: usize) {
        self.attempt_fails = self.attempt_fails.wrapping_add(count as u32);
    }

    /// A transition, as RFC 4022's `tcp` group words them.
    fn on_move(&mut self, from: State, to: State) {
        use State::{CloseWait, Closed, Established, Listen, SynReceived, SynSent};
        match (from, to) {
            (Listen, SynReceived) => self.on_passive_open(),
            (SynSent | SynReceived, Closed) | (SynReceived, Listen) => self.on_fails(1),
            (Established | CloseWait, Closed) => self.estab_resets = self.estab_resets.wrapping_add(1),
            (SynSent, SynSent) => {}
            (_, SynSent) => self.active_opens = self.active_opens.wrapping_add(1),
            _ => {}
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.active_opens = self.active_opens.wrapping_add(other.active_opens);
        self.passive_opens = self.passive_opens.wrapping_add(other.passive_opens);
        self.attempt_fails = self.attempt_fails.wrapping_add(other.attempt_fails);
        self.estab_resets = self.estab_resets.wrapping_add(other.estab_resets);
    }
}

/// A socket's tally, and the state that it is up to date with.
#[derive(Debug)]
pub(super) struct Watch {
    seen: State,
    tally: Tally,
}

impl Watch {
    pub(super) const NONE: Watch = Watch { seen: State::Closed, tally: Tally::NONE };
}

impl Socket<'_> {
    /// Counts the transition that was made, if one was. Called behind each step that can make one.
    #[inline]
    pub(super) fn note(&mut self) {
        // Before it has a local end there is nothing but a wish.
        let state = if matches!(self.phase, Phase::Connecting(_)) { State::Closed } else { self.state() };
        let Watch { seen, tally } = &mut self.side.watch;
        if *seen != state {
            tally.on_move(*seen, state);
            *seen = state;
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.side.watch.tally
    }

    /// Whether the connection counts among `tcpCurrEstab`.
    pub(crate) fn is_established(&self) -> bool {
        matches!(self.state(), State::Established | State::CloseWait)
    }

    /// It leaves the set that has summed it up to now; its connection, if it still has one, ends there.
    pub(crate) fn take_tally(&mut self) -> Tally {
        let Watch { seen, tally } = &mut self.side.watch;
        tally.on_move(core::mem::replace(seen, State::Closed), State::Closed);
        core::mem::take(&mut self.side.watch.tally)
    }
}

impl Listener<'_> {
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// It leaves the set that has summed it up to now; what is half-open with it comes to nothing.
    pub(crate) fn take_tally(&mut self) -> Tally {
        self.tally.on_fails(self.half_open_count());
        core::mem::take(&mut self.tally)
    }
}
