//! What a client does when time has passed (RFC 2131 §4.4).

use super::lease::Lease;
use super::message::Kind;
use super::{DhcpConfig, DhcpState};
use crate::config;
use crate::iface::autoconf::claims::Stage;
use crate::iface::interface::Interface;
use crate::iface::links::Out;
use crate::rand::Keys;
use crate::time::{Duration, Instant};
use crate::wire::{Addr, Ipv4Address};

/// When a client has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Never,
    Now,
    At(Instant),
}

/// Where a client is.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) config: DhcpConfig,
    pub(super) phase: DhcpState,
    pub(super) due: Due,
    /// It has waited for a random time before it begins.
    has_waited: bool,
    /// The lease is to be given back.
    is_leaving: bool,
    /// Of the messages that are being answered.
    pub(super) xid: u32,
    /// Messages sent since the phase began.
    pub(super) tries: u8,
    /// Refusals since there was an address.
    pub(super) naks: u8,
    /// When what is being done began, and how long ago that was in s as the last message said.
    pub(super) began_at: Instant,
    pub(super) secs: u16,
    /// When what is being answered was asked: time that is lent counts from there.
    pub(super) asked_at: Instant,
    /// The address that is asked for, and by whom it was offered.
    pub(super) addr: Option<Ipv4Address>,
    pub(super) server: Ipv4Address,
    /// Which routes of the lease were added.
    pub(super) routes: u16,
}

impl State {
    pub(super) fn new(config: DhcpConfig) -> State {
        State {
            config,
            phase: DhcpState::Init,
            due: Due::Now,
            has_waited: false,
            is_leaving: false,
            xid: 0,
            tries: 0,
            naks: 0,
            began_at: Instant::ZERO,
            secs: 0,
            asked_at: Instant::ZERO,
            addr: config.requested,
            server: Ipv4Address::UNSPECIFIED,
            routes: 0,
        }
    }

    /// Goes to a phase, and does what it begins with now.
    pub(super) fn enter(&mut self, phase: DhcpState) {
        (self.phase, self.tries, self.due) = (phase, 0, Due::Now);
    }

    /// The same after a while.
    pub(super) fn enter_at(&mut self, phase: DhcpState, at: Instant) {
        self.enter(phase);
        self.due = Due::At(at);
    }

    pub(super) fn renew(&mut self) {
        match self.phase {
            DhcpState::Bound | DhcpState::Renewing => self.enter(DhcpState::Renewing),
            DhcpState::Informed => self.enter(DhcpState::Informing),
            DhcpState::Released | DhcpState::Ipv6Only | DhcpState::Declined => self.enter(DhcpState::Init),
            _ => {}
        }
    }

    pub(super) fn release(&mut self) {
        (self.is_leaving, self.tries, self.due) = (true, 0, Due::Now);
    }

    pub(super) fn inform(&mut self, own: Ipv4Address) {
        self.addr = Some(own);
        self.enter(DhcpState::Informing);
    }

    pub(super) fn on_link(&mut self, is_up: bool) {
        match self.phase {
            DhcpState::Released => return,
            DhcpState::Informing | DhcpState::Informed => self.enter(DhcpState::Informing),
            DhcpState::Checking
            | DhcpState::Bound
            | DhcpState::Renewing
            | DhcpState::Rebinding
            | DhcpState::Rebooting => self.enter(DhcpState::Rebooting),
            _ => self.enter(DhcpState::Init),
        }
        if !is_up {
            self.due = Due::Never;
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        match self.due {
            Due::Never => false,
            Due::Now => true,
            Due::At(at) => at <= now,
        }
    }
}

/// RFC 2131 §4.1: 4 s, doubled each time up to 64 s, and up to a second more or less.
pub(super) fn backoff(tries: u8, random: u32) -> Duration {
    let seconds = 4_000_u64 << tries.min(4);
    Duration::from_millis(seconds - 1_000 + ((u64::from(random) * 2_001) >> 32))
}

/// RFC 2131 §4.4.5: half of what is left, but a minute at least, and not beyond.
pub(super) fn next_try(now: Instant, end: Option<Instant>) -> Due {
    let Some(end) = end else { return Due::At(now + config::DHCP_RENEW_INTERVAL) };
    let half = end.saturating_duration_since(now).total_micros() / 2;
    Due::At(end.min(now + Duration::from_micros(half).max(config::DHCP_RENEW_INTERVAL)))
}

impl Interface<'_> {
    /// Does what is due.
    pub(in super::super) fn run_dhcp(&mut self, now: Instant, out: &mut Out<'_>, keys: &Keys) {
        let Some(mut state) = self.autoconf.dhcp.state else { return };
        self.watch_address(&mut state, now, out, keys);
        if !self.link.up && !state.is_leaving {
            state.due = Due::Never;
        }
        if state.is_due(now) {
            self.dhcp_step(&mut state, now, out, keys);
        }
        self.autoconf.dhcp.state = Some(state);
    }

    /// What has become of the address that was lent.
    fn watch_address(&mut self, state: &mut State, now: Instant, out: &mut Out<'_>, keys: &Keys) {
        use DhcpState::{Bound, Checking, Rebinding, Renewing};
        let Some(addr) =
            state.addr.filter(|_| matches!(state.phase, Checking | Bound | Renewing | Rebinding))
        else {
            return;
        };
        match self.dhcp_stage(addr) {
            Some(Stage::Valid) if state.phase == Checking => self.bind(state),
            Some(Stage::Duplicate) => self.decline(state, now, out, keys),
            // The application has given it another meaning, or removed it: that is known to it.
            None if state.phase == Checking && self.has_address(&Addr::v4(addr.octets())) => self.bind(state),
            None if state.phase == Checking => {
                self.end_lease(state);
                state.enter_at(DhcpState::Init, now + config::DHCP_DECLINE_WAIT);
            }
            _ => {}
        }
    }

    /// The address is ours.
    fn bind(&mut self, state: &mut State) {
        let Some(lease) = self.autoconf.dhcp.lease.take() else { return };
        state.enter(DhcpState::Bound);
        state.due = lease.times.renew_at.map_or(Due::Never, Due::At);
        state.naks = 0;
        self.use_lease(state, &lease);
        self.autoconf.dhcp.lease = Some(lease);
        self.autoconf.has_changed = true;
    }

    /// Another host has the address (RFC 2131 §3.1, step 5).
    fn decline(&mut self, state: &mut State, now: Instant, out: &mut Out<'_>, keys: &Keys) {
        state.xid = self.autoconf.draw(keys, out.now, &self.hardware) as u32;
        self.send_dhcp(Kind::Decline, state, now, out);
        self.end_lease(state);
        state.addr = None;
        state.enter_at(DhcpState::Declined, now + config::DHCP_DECLINE_WAIT);
    }

    /// The lease is over.
    pub(super) fn end_lease(&mut self, state: &mut State) {
        self.autoconf.dhcp.state = Some(*state);
        self.drop_lease();
        self.autoconf.dhcp.lease = None;
        state.routes = 0;
    }

    fn dhcp_step(&mut self, state: &mut State, now: Instant, out: &mut Out<'_>, keys: &Keys) {
        let random = self.autoconf.draw(keys, out.now, &self.hardware);
        let (random, xid) = (random as u32, (random >> 32) as u32);
        let times = self.autoconf.dhcp.lease.as_ref().map(|lease| lease.times);
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let is_expired = times.is_some_and(|times| is_over(times.expires_at));
        if state.is_leaving {
            return self.leave(state, xid, now, out);
        }
        match state.phase {
            DhcpState::Declined | DhcpState::Ipv6Only => state.enter(DhcpState::Init),
            // The application has taken the address away, or another host has it.
            DhcpState::Informing if !self.has_dhcp_address(state) => {
                return (state.phase, state.due) = (DhcpState::Released, Due::Never);
            }
            DhcpState::Bound | DhcpState::Renewing | DhcpState::Rebinding
                if !self.has_dhcp_address(state) =>
            {
                self.end_lease(state);
                state.enter(DhcpState::Init);
            }
            DhcpState::Checking | DhcpState::Bound | DhcpState::Renewing | DhcpState::Rebinding
                if is_expired =>
            {
                self.end_lease(state);
                state.enter(DhcpState::Init);
            }
            DhcpState::Bound => state.enter(DhcpState::Renewing),
            DhcpState::Renewing if times.is_some_and(|times| is_over(times.rebind_at)) => {
                state.enter(DhcpState::Rebinding);
            }
            DhcpState::Rebooting
                if is_expired || times.is_none() || state.tries >= config::DHCP_REBOOT_TRIES =>
            {
                self.end_lease(state);
                state.enter(DhcpState::Init);
            }
            DhcpState::Requesting if state.tries >= config::DHCP_REQUEST_TRIES => {
                state.enter(DhcpState::Init)
            }
            DhcpState::Init if !state.has_waited => {
                // RFC 2131 §4.4.1: so that not all begin at once.
                state.has_waited = true;
                state.due = Due::At(now + Duration::from_micros((u64::from(random) * 1_000_000) >> 32));
                return;
            }
            _ => return self.ask(state, (random, xid), times, now, out),
        }
        // What the phase begins with.
        if state.due == Due::Now {
            self.dhcp_step(state, now, out, keys);
        }
    }

    /// Whether the address that it is about is still ours.
    fn has_dhcp_address(&self, state: &State) -> bool {
        let lent = self.autoconf.dhcp.lease.as_ref().filter(|lease| lease.is_lent()).map(Lease::addr);
        lent.or(state.addr).is_some_and(|addr| self.has_address(&Addr::v4(addr.octets())))
    }

    /// Sends what the phase asks, once more if nobody has answered.
    fn ask(
        &mut self,
        state: &mut State,
        (random, xid): (u32, u32),
        times: Option<super::lease::Times>,
        now: Instant,
        out: &mut Out<'_>,
    ) {
        let is_first = state.tries == 0;
        let again_at = Due::At(now + backoff(state.tries, random));
        // Who asks for more time asks seldom, and each time anew: so it counts from the last.
        let (kind, due, is_new) = match state.phase {
            DhcpState::Init => {
                state.enter(DhcpState::Selecting);
                state.began_at = now;
                (Kind::Discover, Due::At(now + backoff(0, random)), true)
            }
            DhcpState::Selecting => (Kind::Discover, again_at, false),
            DhcpState::Requesting => (Kind::Select, again_at, false),
            DhcpState::Rebooting => (Kind::Reboot, again_at, is_first),
            DhcpState::Informing => (Kind::Inform, again_at, is_first),
            DhcpState::Renewing => {
                (Kind::Renew, next_try(now, times.and_then(|times| times.rebind_at)), true)
            }
            DhcpState::Rebinding => {
                (Kind::Rebind, next_try(now, times.and_then(|times| times.expires_at)), true)
            }
            _ => return state.due = Due::Never,
        };
        if is_new {
            state.xid = xid;
        }
        if is_new || is_first {
            state.asked_at = now;
        }
        if is_first && !matches!(kind, Kind::Discover | Kind::Select | Kind::Rebind) {
            state.began_at = now;
        }
        // RFC 2131 §4.4.1: who takes an offer says what it said when it looked for one.
        if kind != Kind::Select {
            let elapsed = now.saturating_duration_since(state.began_at).total_millis() / 1_000;
            state.secs = u16::try_from(elapsed).unwrap_or(u16::MAX); // no field says more
        }
        self.send_dhcp(kind, state, now, out);
        state.due = due;
        state.tries = state.tries.saturating_add(1);
    }

    /// Gives the address back (RFC 2131 §4.4.6).
    fn leave(&mut self, state: &mut State, xid: u32, now: Instant, out: &mut Out<'_>) {
        if state.tries == 0 && self.has_dhcp_address(state) {
            (state.xid, state.tries) = (xid, 1);
            self.send_dhcp(Kind::Release, state, now, out);
            if !self.knows_way_to(state.server, now) {
                // The address has to stay until the server's hardware address is known.
                state.due = Due::At(now + Duration::from_secs(1));
                return;
            }
        }
        self.end_lease(state);
        state.is_leaving = false;
        state.enter(DhcpState::Released);
        state.due = Due::Never;
    }
}
