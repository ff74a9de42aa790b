//! One connection (the TCB of RFC 9293 §3.3.1): its data, its beginning and end, its timers.
//!
//! What arrives is in `input`, what leaves in `output`.

use super::autotune::Autotune;
use super::congestion::Control;
use super::ecn::Ecn;
use super::fast_open::FastOpen;
use super::info::Counts;
use super::keep_alive::Silence;
use super::linger::Patience;
use super::listener::HalfOpen;
use super::pace::Pace;
use super::pmtu::Pmtu;
use super::recovery::Recovery;
use super::recv::{self, Recv};
use super::rtt::Rtt;
use super::sack::Sack;
use super::send::Send;
use super::stamps::{Stamp, Stamps};
use super::state::{State, Step};
use super::time_wait::TimeWait;
use super::timers::{Timer, Timers};
use super::uto::Uto;
use super::validation::Validation;
use super::{Error, Side, ticks_of_ms};
use crate::config;
use crate::socket::{Context, Events, Room, Tuple};
use crate::time::Ticks;
use crate::wire::tcp::{Options, SeqNum};

bitflags::bitflags! {
    /// What is to be sent, and what the state does not say.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Marks: u16 {
        /// To send: an ACK.
        const ACK = 1;
        /// To send: the first segment once more.
        const RETRANSMIT = 1 << 1;
        /// It is because of a partial ACK.
        const PARTIAL = 1 << 2;
        /// To send: something beyond the window.
        const PROBE = 1 << 3;
        /// To send: a keep-alive.
        const KEEP_ALIVE = 1 << 4;
        /// To send: a reset, though the connection is closed.
        const RESET = 1 << 5;
        /// The application did something that a timer depends on.
        const REARM = 1 << 6;
        /// Closed by the application before the connection was established.
        const CLOSE = 1 << 7;
        /// The application has let go of it.
        const ORPHAN = 1 << 8;
        /// The peer's FIN was seen, though perhaps not all before it.
        const FIN_SEEN = 1 << 9;
        /// The peer's FIN was taken, with all before it.
        const FINISHED = 1 << 10;
        /// It began with a listening socket, which takes up listening again if it fails.
        const PASSIVE = 1 << 11;
        /// That socket listens on any address.
        const LISTEN_ANY = 1 << 12;
        /// Both sides scale windows.
        const SCALES = 1 << 13;
        /// A SYN had to be repeated.
        const SYN_LOST = 1 << 14;
        /// What is queued goes now, be it a short segment.
        const PUSH = 1 << 15;
    }
}

/// The data of a connection.
///
/// In this order, so that a Cortex-M reaches nearly all of it with short instructions.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Connection {
    pub(super) state: State,
    /// Timeouts in a row without any progress.
    pub(super) tries: u8,
    /// Window probes in a row; doubles their interval.
    pub(super) persist: u8,
    /// Duplicate ACKs to be sent: one for each segment that came out of order, since the peer counts
    /// them (RFC 5681 §3.2).
    pub(super) dup_acks: u8,
    pub(super) marks: Marks,
    /// When the last challenge ACK was asked for: the lower half of the ticks.
    pub(super) challenged_at: u16,
    pub(super) snd: Send,
    pub(super) control: Control,
    pub(super) recovery: Recovery,
    /// When something was last acknowledged, or first sent after everything was.
    pub(super) progress_at: Ticks,
    pub(super) timers: Timers,
    pub(super) rtt: Rtt,
    pub(super) rcv: Recv,
    /// What has arrived beyond what is acknowledged, on either side.
    pub(super) sack: Sack,
    pub(super) stamps: Stamps,
    /// When what the window lets go leaves.
    pub(super) pace: Pace,
    /// How much of the window the path is known to carry.
    pub(super) validation: Validation,
    /// What routers tell of congestion, and is told of it.
    pub(super) ecn: Ecn,
    /// How long the peer would wait.
    pub(super) uto: Uto,
    /// Whether it has begun with data.
    pub(super) fast_open: FastOpen,
    /// For options of the application's own in each segment.
    pub(super) room: Room,
    /// How large segments may be on the path.
    pub(super) pmtu: Pmtu,
    /// How long the peer has been silent.
    pub(super) silence: Silence,
    /// When a close has waited long enough.
    pub(super) patience: Patience,
    /// How large growing buffers may be.
    pub(super) tune: Autotune,
    pub(super) tuple: Tuple,
    /// For who asks how it is.
    pub(super) info: Counts,
}

/// How long the engine goes on with a connection that its owner has let go of and that gets no further, in
/// ticks.
const ORPHAN_TIMEOUT: u32 = ticks_of_ms(config::TCP_ORPHAN_TIMEOUT);

const CHALLENGE_INTERVAL: u16 = ticks_of_ms(config::TCP_CHALLENGE_INTERVAL) as u16;

impl Connection {
    #[inline(never)]
    pub(super) fn new(
        cx: &Context<'_>,
        tuple: Tuple,
        state: State,
        iss: SeqNum,
        side: &Side<'_>,
    ) -> Connection {
        let mut connection = Connection {
            tuple,
            state,
            tries: 0,
            persist: 0,
            dup_acks: 0,
            marks: Marks::SCALES,
            snd: Send::new(iss),
            rcv: Recv::new(),
            sack: Sack::new(),
            tune: Autotune::new(),
            stamps: Stamps::new(cx, &tuple, side.config.stamps.beside(side.config.room)),
            pace: Pace::new(cx.ticks),
            validation: Validation::new(iss, cx.ticks),
            ecn: Ecn::new(),
            fast_open: FastOpen::NONE,
            room: side.config.room,
            uto: Uto::new(),
            pmtu: Pmtu::new(),
            rtt: Rtt::new(),
            control: side.config.control.start(),
            recovery: Recovery::new(iss),
            timers: Timers::NONE,
            progress_at: cx.ticks,
            silence: Silence::new(cx.ticks),
            patience: Patience::NONE,
            info: Counts::new(cx.ticks),
            challenged_at: (cx.ticks.0 as u16).wrapping_sub(CHALLENGE_INTERVAL),
        };
        connection.rcv.shift = recv::shift_for(side.rx.limit());
        connection
    }

    /// New, it goes on from a record whose SYN-ACK was acknowledged.
    pub(super) fn go_on_from(&mut self, cx: &Context<'_>, half: &HalfOpen, side: &Side<'_>) -> Events {
        self.go_on_as(cx, half, side);
        if half.tries == 0 {
            self.rtt.on_new(half.iss + 1, half.created_at);
        } else {
            self.marks |= Marks::SYN_LOST;
            self.info.on_syn_lost(half.tries);
        }
        self.establish(cx, half.iss + 1, side)
    }

    /// New, it is what a record says.
    pub(super) fn go_on_as(&mut self, cx: &Context<'_>, half: &HalfOpen, side: &Side<'_>) {
        self.stamps.grant();
        self.ecn.grant(half.has_ecn());
        self.on_syn(cx, half.irs, u32::from(half.window), &half.options(), &half.stamp(), side);
        self.rcv.shift = half.our_shift();
        self.snd.nxt = half.iss + 1;
        self.snd.max = half.iss + 1;
    }

    /// The peer's SYN: its number, window and options.
    pub(super) fn on_syn(
        &mut self,
        cx: &Context<'_>,
        irs: SeqNum,
        window: u32,
        options: &Options,
        stamp: &Stamp,
        side: &Side<'_>,
    ) {
        self.stamps.begin(stamp, cx.ticks);
        self.rcv.on_syn(irs, recv::free(&side.rx));
        // RFC 9293 §3.7.1 (MUST-15): what is assumed if the peer does not say.
        self.snd.mss = match options.mss {
            0 => default_mss(&self.tuple),
            mss => mss.max(config::TCP_MIN_MSS),
        };
        // RFC 7323 §2.2: windows are scaled if both say so in their SYN.
        match options.window_scale {
            0xff => {
                self.marks -= Marks::SCALES;
                self.rcv.shift = 0;
            }
            shift => self.snd.shift = shift,
        }
        self.sack.begin(options.sack_permitted && side.config.sack.is_wanted());
        self.snd.wl1 = irs;
        self.snd.wnd = window;
        self.snd.max_wnd = window;
    }

    /// The largest payload that the path takes.
    #[inline]
    pub(super) fn path_mss(&self, cx: &Context<'_>) -> u16 {
        path_mss(cx, &self.tuple)
    }

    /// The largest payload to send (RFC 9293 §3.7.1, MUST-16): segments with data have no options but a stamp
    /// and those of the application.
    #[inline]
    pub(super) fn mss(&self, cx: &Context<'_>) -> u32 {
        u32::from(self.snd.mss.min(self.path_mss(cx)) - self.options_len())
    }

    /// Octets of options in segments with data.
    #[inline]
    pub(super) fn options_len(&self) -> u16 {
        self.stamps.len() + self.room.len() as u16
    }

    /// Both SYNs are acknowledged.
    pub(super) fn establish(&mut self, cx: &Context<'_>, ack: SeqNum, side: &Side<'_>) -> Events {
        net_debug!("{}: established", self.tuple);
        self.snd.una = ack;
        self.snd.nxt = self.snd.nxt.max(ack);
        self.rtt.on_ack(ack, cx.ticks);
        let was_syn_lost = self.marks.contains(Marks::SYN_LOST);
        if was_syn_lost {
            self.rtt.on_syn_lost();
        }
        self.begin_pmtu(cx, side);
        self.control.on_established(self.mss(cx), was_syn_lost);
        self.tries = 0;
        self.progress_at = cx.ticks;
        self.timers.clear(Timer::Rtx);
        self.state = State::Established;
        self.arm_idle(cx.ticks, side);
        self.owe_advice(side);
        self.end_early(cx, side);
        if self.marks.contains(Marks::CLOSE) {
            self.state = self.state.next(Step::Close);
            self.marks |= Marks::REARM;
        }
        Events::CONNECTED | Events::WRITABLE
    }

    /// The user sends no more.
    pub(super) fn close(&mut self) {
        match self.state {
            State::SynSent => self.end(),
            State::SynReceived => self.marks |= Marks::CLOSE,
            _ => self.state = self.state.next(Step::Close),
        }
        self.marks |= Marks::REARM;
    }

    /// Ends the connection at once; the peer gets a reset if it knows of it.
    #[inline(never)]
    pub(super) fn abort(&mut self) {
        let is_known = !matches!(self.state, State::Closed | State::SynSent | State::TimeWait);
        // Aborted once already, it still owes the reset until that is sent.
        let is_owed = is_known || self.marks.contains(Marks::RESET);
        self.end();
        if is_owed {
            self.marks |= Marks::RESET;
        }
    }

    /// Nothing more is sent or taken.
    #[inline(never)]
    fn end(&mut self) {
        self.state = State::Closed;
        self.timers.clear_all();
        self.pace.stop();
        self.marks &= Marks::FINISHED;
    }

    /// The connection has failed.
    #[cold]
    #[inline(never)]
    pub(super) fn fail(&mut self, error: Error, side: &mut Side<'_>) -> Events {
        net_debug!("{}: {} in {:?}", self.tuple, error, self.state);
        if self.give_up_request() {
            return Events::empty();
        }
        match error {
            Error::Reset | Error::Refused => self.end(),
            _ => self.abort(),
        }
        side.error = Some(error);
        Events::CLOSED | Events::ERROR
    }

    /// The last ACK came, or the time is over.
    #[cold]
    pub(super) fn finish(&mut self) -> Events {
        net_debug!("{}: closed", self.tuple);
        self.end();
        Events::CLOSED
    }

    #[cold]
    pub(super) fn enter_time_wait(&mut self, now: Ticks) {
        self.state = State::TimeWait;
        self.timers.clear(Timer::Rtx);
        self.timers.set(Timer::Idle, now.after(super::time_wait::TIME_WAIT));
    }

    /// The record that stands in for this connection in TIME-WAIT, once its last ACK was sent.
    pub(super) fn time_wait(&self, now: Ticks) -> Option<TimeWait> {
        let is_ready = self.state == State::TimeWait && !self.marks.contains(Marks::ACK);
        is_ready.then(|| {
            TimeWait::new(&self.tuple, self.snd.max, self.rcv.nxt, self.stamps.last(), self.room, now)
        })
    }

    /// The application has let go: the engine finishes the connection by itself, within a time.
    pub(super) fn orphan(&mut self, now: Ticks) {
        self.marks |= Marks::ORPHAN;
        if self.state != State::TimeWait {
            self.timers.set(Timer::Idle, now.after(ORPHAN_TIMEOUT));
        }
    }

    /// Asks for an ACK that the peer may not deserve (RFC 5961 §7), not too often.
    #[cold]
    #[inline(never)]
    pub(super) fn challenge(&mut self, now: Ticks) {
        // After a minute and more an interval can seem not to be over: then the peer has to ask once more.
        if (now.0 as u16).wrapping_sub(self.challenged_at) >= CHALLENGE_INTERVAL {
            self.challenged_at = now.0 as u16;
            self.marks |= Marks::ACK;
        }
    }

    /// Starts the retransmission timer, or that of the window probe if nothing is in flight.
    pub(super) fn arm_rtx(&mut self, now: Ticks, side: &Side<'_>) {
        let rto = self.rtt.rto();
        let mut span = (rto << self.persist.min(9)).min(ticks_of_ms(config::TCP_MAX_RTO));
        if self.state.is_opening() {
            // Up to half as long again, by chance: clients that were turned away together do not all
            // come back in the same millisecond. Nobody else knows our initial number.
            let chance = self.snd.una.0.rotate_right(u32::from(self.tries) * 5) & 0xff;
            span += (span * chance) >> 9;
        }
        if let Some(left) = self.patience_left(side, self.stalled(now)) {
            span = span.min(left);
        }
        let at = now.after(span);
        let at = self.arm_sooner(now, at);
        self.timers.set(Timer::Rtx, at);
    }

    /// How much of the congestion window is in use with `flight` octets out: what pacing has held back until now was no
    /// less so.
    #[cold]
    pub(super) fn in_use(&self, flight: u32) -> u32 {
        let window = self.control.window();
        let flight = self.carried(flight);
        if self.pace.is_on() && flight >= window / 2 { window } else { flight.min(window) }
    }

    /// Ticks since the last progress.
    fn stalled(&self, now: Ticks) -> u32 {
        now.since(self.progress_at).max(0) as u32
    }

    /// Follows what the application did since the last call.
    pub(super) fn rearm(&mut self, cx: &Context<'_>, side: &Side<'_>) {
        self.marks -= Marks::REARM;
        if !self.timers.is_set(Timer::Idle) {
            self.arm_idle(cx.ticks, side);
        }
        self.arm_linger(cx.ticks, side);
        self.arm_persist(cx, side);
    }

    /// RFC 9293 §3.8.6.1 (MUST-35, MUST-36): while something waits for the window, a timer runs.
    #[inline]
    pub(super) fn arm_persist(&mut self, cx: &Context<'_>, side: &Side<'_>) {
        let is_waiting = self.state.owes_fin() || !side.tx.is_empty();
        if is_waiting && !self.timers.is_set(Timer::Rtx) && !self.state.is_opening() {
            if self.snd.outstanding() == 0 {
                self.end_silence(cx, side);
            }
            self.arm_rtx(cx.ticks, side);
        }
    }

    #[cold]
    fn on_long_silence(&mut self, stalled: u32, cx: &Context<'_>, side: &Side<'_>) {
        if self.keeps_window(stalled, side) {
            self.control.on_pause();
        } else {
            self.control.on_idle(self.mss(cx));
        }
    }

    /// There is something to send, after all was acknowledged.
    #[inline]
    pub(super) fn end_silence(&mut self, cx: &Context<'_>, side: &Side<'_>) {
        let stalled = self.stalled(cx.ticks);
        if stalled > self.rtt.rto() {
            self.on_long_silence(stalled, cx, side);
        }
        self.progress_at = cx.ticks;
    }

    /// The earliest time at which [`on_timer`](Self::on_timer) has something to do.
    #[inline]
    pub(super) fn deadline(&self, now: Ticks) -> Option<Ticks> {
        if self.marks.contains(Marks::REARM) {
            return Some(now);
        }
        let timers = self.timers.earliest();
        if config::HAS_TCP_PACING { Ticks::earlier(timers, self.pace.deadline()) } else { timers }
    }

    /// Acts on what is due.
    pub(super) fn on_timer(&mut self, cx: &Context<'_>, side: &mut Side<'_>) -> Events {
        let now = cx.ticks;
        if self.state == State::Closed {
            self.marks -= Marks::REARM;
            return Events::empty();
        }
        if self.marks.contains(Marks::REARM) {
            self.rearm(cx, side);
        }
        if self.pace.deadline().is_some_and(|at| at.is_due(now)) {
            self.refill(cx, side);
        }
        let mut events = Events::empty();
        if self.timers.is_due(Timer::Rtx, now) {
            events |= self.on_rtx(cx, side);
        }
        if self.timers.is_due(Timer::Ack, now) {
            self.timers.clear(Timer::Ack);
            self.marks |= Marks::ACK;
        }
        if self.timers.is_due(Timer::Idle, now) {
            events |= self.on_idle(now, side);
        }
        events
    }

    /// RFC 6298 §5.4 to §5.7 (RFC 9293 §3.8.1, MUST-19), or a window probe (RFC 9293 §3.8.6.1).
    #[cold]
    #[inline(never)]
    fn on_rtx(&mut self, cx: &Context<'_>, side: &mut Side<'_>) -> Events {
        let is_over = self.patience_left(side, self.stalled(cx.ticks)) == Some(0);
        let is_asked = config::HAS_TCP_SACK && !is_over && !self.fast_open.is_pending();
        if is_asked && (self.on_patience_over(cx, side) || self.on_probe_due(cx, side)) {
            return Events::empty();
        }
        if config::HAS_TCP_ECN && !is_over && self.end_hold(cx, side) {
            return Events::empty();
        }
        // RFC 9293 §3.8.3 (MUST-20, MUST-21, MUST-22, MUST-23): R2, in repetitions, or in time if the application
        // has said one.
        let limit = if self.state.is_opening() { config::TCP_SYN_RETRIES } else { self.retries(side) };
        if is_over || self.tries >= limit {
            return self.fail(Error::TimedOut, side);
        }
        net_debug!("{}: no acknowledgment, try {}", self.tuple, self.tries + 1);
        self.tries += 1;
        let mut is_chosen = false;
        if self.state.is_opening() {
            self.marks |= Marks::SYN_LOST;
            self.rtt.on_timeout();
            self.owe_syn();
        } else if self.snd.nxt == self.snd.una {
            self.marks |= Marks::PROBE;
            self.persist = self.persist.saturating_add(1);
        } else if self.on_full_stop(cx, side) {
            is_chosen = true;
        } else {
            let mss = self.mss(cx);
            let is_first = self.tries == 1 && !self.ecn.covers(self.snd.una);
            self.control.on_timeout(self.snd.outstanding(), mss, is_first);
            self.ecn.on_reduced(self.snd.max);
            self.recovery.on_timeout(self.snd.max);
            self.rtt.on_timeout();
            self.marks -= Marks::RETRANSMIT | Marks::PARTIAL;
            is_chosen = self.repair_all(true);
        }
        if !is_chosen {
            self.snd.nxt = self.snd.una;
        }
        self.arm_rtx(cx.ticks, side);
        Events::empty()
    }

    /// The end of TIME-WAIT or of an orphan, or a keep-alive.
    #[cold]
    #[inline(never)]
    fn on_idle(&mut self, now: Ticks, side: &mut Side<'_>) -> Events {
        self.timers.clear(Timer::Idle);
        if self.state == State::TimeWait {
            return self.finish();
        }
        if let Some(events) = self.on_linger(now, side) {
            return events;
        }
        if self.marks.contains(Marks::ORPHAN) {
            // A slow peer is no dead one: the time counts from the last progress.
            let due = self.progress_at.after(ORPHAN_TIMEOUT);
            if due.is_due(now) {
                return self.fail(Error::TimedOut, side);
            }
            self.timers.set(Timer::Idle, due);
            return Events::empty();
        }
        self.on_silence(now, side)
    }
}

/// The largest payload that the path takes.
#[inline]
pub(super) fn path_mss(cx: &Context<'_>, tuple: &Tuple) -> u16 {
    // RFC 1122 §3.3.3: what the link carries, less the headers.
    cx.ip_mtu - header_len(tuple)
}

/// Octets of the IP and the TCP header, without options.
#[inline]
pub(super) fn header_len(tuple: &Tuple) -> u16 {
    if tuple.local.is_v4() { 40 } else { 60 }
}

pub(super) fn default_mss(tuple: &Tuple) -> u16 {
    if tuple.local.is_v4() { config::TCP_DEFAULT_MSS_V4 } else { config::TCP_DEFAULT_MSS_V6 }
}
