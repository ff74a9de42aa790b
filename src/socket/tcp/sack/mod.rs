//! Selective acknowledgments: as receiver (RFC 2018, RFC 2883), and to repair losses (RFC 6675, RFC 8985, RFC 9937).
//!
//! | file | what |
//! | --- | --- |
//! | `mod` | when losses are repaired, and with what |
//! | `scoreboard` | what the peer has |
//! | `rack` | when it was sent, and what is lost |
//! | `prr` | how much may go meanwhile |
//! | `undo` | what turns out to have been no loss |
//! | `probe` | what tells that the end of a flight is lost |
//! | `report` | what we tell the peer |
//!
//! ```text
//!   Open --something is lost--> Recovery --all that was out then has arrived--> Open
//!   any  --timeout-----------> Loss     --the same-----------------------------> Open
//!   Open --no ACK------------> Probe    --a segment is sent--------------------> Open
//! ```
//!
//! While losses are repaired, SND.NXT stays at SND.MAX: what is sent again is chosen from the scoreboard's holes.

mod probe;
mod prr;
mod rack;
mod report;
mod scoreboard;
mod undo;

use self::probe::Probe;
use self::prr::Prr;
use self::rack::{Rack, SentTimes};
pub(crate) use self::report::Blocks;
use self::report::Report;
use self::scoreboard::Scoreboard;
use self::undo::Undo;
use super::connection::Connection;
#[cfg(feature = "tcp-info")]
use super::info::Oddities;
use super::segment::{Kind, Plan, Segment};
use super::send::Send;
use super::timers::Timer;
use super::{Side, Socket};
use crate::config;
use crate::socket::Context;
use crate::time::Ticks;
use crate::wire::tcp::{Flags, SeqNum};
use crate::wire::tcpopt::{self, SackBlock, TcpOption};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Something was lost, and the window has been reduced.
    Recovery,
    /// The timer ran out: all that has not arrived counts as lost.
    Loss,
    /// One segment goes, for its ACK to tell what is lost.
    Probe,
}

/// Octets that the peer tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    start: SeqNum,
    end: SeqNum,
}

impl From<SackBlock> for Told {
    fn from([start, end]: SackBlock) -> Told {
        Told { start: SeqNum(u32::from_be_bytes(start)), end: SeqNum(u32::from_be_bytes(end)) }
    }
}

/// What an ACK tells.
#[derive(Debug)]
struct News {
    /// Octets by which it moved SND.UNA.
    acked: u32,
    /// What came twice.
    twice: Option<Told>,
    /// Something has arrived that was sent once, before losses were repaired.
    has_first: bool,
    /// Nothing at all.
    is_bare: bool,
    /// When that was sent which called it forth, if timestamps tell.
    echo: Option<Ticks>,
    /// The shortest round trip that there may be, in ticks.
    least: u32,
}

/// Whether a socket wants selective acknowledgments at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice(bool);

impl Choice {
    pub(super) const DEFAULT: Choice = Choice(true);

    #[inline]
    pub(super) fn is_wanted(self) -> bool {
        self.0
    }
}

/// Octets of the scoreboard, the report, RACK and PRR.
pub(super) const PARTS: [usize; 4] = [
    size_of::<Scoreboard>(),
    size_of::<Report>(),
    size_of::<Rack>() + size_of::<SentTimes>(),
    size_of::<Prr>(),
];

/// What a connection knows of what has arrived.
#[derive(Debug)]
pub(super) struct Sack {
    /// Both ends permit it.
    is_on: bool,
    /// Something has arrived beyond what is acknowledged, or losses are being repaired.
    is_busy: bool,
    mode: Mode,
    board: Scoreboard,
    report: Report,
    /// What was SND.MAX when the repair began.
    recover: SeqNum,
    sent: SentTimes,
    rack: Rack,
    prr: Prr,
    undo: Undo,
    probe: Probe,
}

impl Sack {
    pub(super) const fn new() -> Sack {
        let zero = SeqNum(0);
        Sack {
            is_on: false,
            is_busy: false,
            mode: Mode::Open,
            board: Scoreboard::new(),
            report: Report::new(),
            recover: zero,
            sent: SentTimes::new(),
            rack: Rack::new(),
            prr: Prr::new(0),
            undo: Undo::new(),
            probe: Probe::new(),
        }
    }

    /// The peer's SYN has come, and permits it or not (RFC 2018 §2).
    pub(super) fn begin(&mut self, is_permitted: bool) {
        self.is_on = is_permitted;
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether an ACK has to do with what is kept here.
    #[inline]
    pub(super) fn is_concerned(&self, seg: &Segment<'_>) -> bool {
        self.is_busy || (!seg.area.is_empty() && self.is_on)
    }

    /// Whether what is sent next is for [`Connection::decide_repair`] to say.
    #[inline]
    pub(super) fn is_repairing(&self) -> bool {
        self.mode != Mode::Open
    }

    /// Octets that have left the network without being acknowledged.
    #[inline]
    pub(super) fn arrived(&self) -> u32 {
        self.board.sacked()
    }

    /// Octets in flight (RFC 6675 §4, SetPipe): all that has not arrived but for what is lost and was not
    /// repeated.
    fn pipe(&self, snd: &Send) -> u32 {
        let missing = self.board.missing(snd.una, snd.max);
        // What was forgotten of the ranges can make both differ.
        missing.saturating_sub(self.sent.lost(snd.una, &self.board))
    }

    /// The same, whether losses are being repaired or not.
    #[cfg(feature = "tcp-bbr")]
    pub(super) fn in_flight(&self, snd: &Send) -> u32 {
        if self.is_busy { self.pipe(snd) } else { snd.flight() }
    }

    /// Whether the peer has told of the octet before `end`, beyond what is acknowledged.
    #[cfg(feature = "tcp-bbr")]
    pub(super) fn has_arrived(&self, end: SeqNum) -> bool {
        self.board.missing(end - 1, end) == 0
    }

    /// Octets that are lost and not sent again.
    #[cfg(feature = "tcp-bbr")]
    pub(super) fn lost(&self, snd: &Send) -> u32 {
        self.sent.lost(snd.una, &self.board)
    }

    /// Whether all that has not arrived counted as lost when the repair began.
    #[cfg(feature = "tcp-info")]
    pub(super) fn is_after_timeout(&self) -> bool {
        self.mode == Mode::Loss
    }

    /// Octets that are held to be lost, be they sent again since, and those that were sent again and are not lost
    /// once more. What a tail probe repeats is not held to be lost.
    #[cfg(feature = "tcp-info")]
    pub(super) fn lost_and_again(&self, snd: &Send) -> (u32, u32) {
        let again = self.sent.again(snd.una, &self.board);
        let repaired = if matches!(self.mode, Mode::Recovery | Mode::Loss) { again } else { 0 };
        (self.sent.lost(snd.una, &self.board) + repaired, again)
    }

    #[cfg(feature = "tcp-info")]
    pub(super) fn oddities(&self) -> Oddities {
        self.rack.oddities
    }

    /// ACKs are looked at from now on; up to now all below `una` has arrived, and nothing beyond is known.
    fn begin_busy(&mut self, una: SeqNum) {
        if !self.is_busy {
            self.rack.begin(una);
            self.is_busy = true;
        }
    }

    /// Losses are being repaired from now on.
    fn repair(&mut self, mode: Mode, snd: &Send) {
        self.begin_busy(snd.una);
        self.mode = mode;
        self.recover = snd.max;
        self.probe.end();
    }

    /// `from..to` has arrived, though some of it may have been told of before.
    fn on_arrived(&mut self, una: SeqNum, mut from: SeqNum, to: SeqNum, news: &mut News, now: Ticks) {
        while let Some((start, len)) = self.board.hole(from, to) {
            from = start + len;
            news.has_first |= start.lt(self.recover) && self.sent.has_first(una, start, from);
            self.rack.on_arrived(&self.sent, una, (start, from), (news.echo, news.least), now);
        }
    }

    /// An ACK that tells of nothing but its number.
    #[inline]
    pub(super) fn on_new_ack(&mut self, una: SeqNum) {
        self.sent.advance(una);
    }

    /// Takes what an ACK's blocks say. What was never sent says nothing, and what is acknowledged already no more than
    /// that it came twice.
    fn take_blocks(&mut self, area: &[u8], snd: &Send, news: &mut News, now: Ticks) {
        for option in tcpopt::Options::parse(area).into_iter().flatten() {
            let TcpOption::Sack(blocks) = option else { continue };
            news.is_bare = false;
            if let Some(twice) = twice(blocks, snd.una) {
                self.rack.on_twice(snd.una, snd.max);
                news.twice = Some(twice);
            }
            for &block in blocks {
                let Told { start, end } = block.into();
                let is_sane = start.gt(snd.una) && end.le(snd.max) && start.lt(end) && end.gt(snd.una);
                if is_sane {
                    self.on_arrived(snd.una, start, end, news, now);
                    self.board.add(start, end);
                }
            }
        }
    }
}

/// What the first block tells to have come twice (RFC 2883 §4): it is acknowledged already, or part of the second one.
fn twice(blocks: &[SackBlock], una: SeqNum) -> Option<Told> {
    let first = Told::from(*blocks.first()?);
    let is_part = |of: Told| of.start.le(first.start) && first.end.le(of.end);
    let is_twice = first.end.le(una) || blocks.get(1).is_some_and(|&of| is_part(of.into()));
    is_twice.then_some(first)
}

/// As sender.
impl Connection {
    /// An ACK, which has moved SND.UNA by `acked`, tells of what has arrived.
    #[cold]
    #[inline(never)]
    pub(super) fn on_sacks(&mut self, cx: &Context<'_>, seg: &Segment<'_>, acked: u32, side: &Side<'_>) {
        let was_waiting = self.sack.rack.due().is_some() || self.sack.mode == Mode::Probe;
        self.update(cx, seg, acked);
        let Sack { mode, board, probe, rack, is_busy, .. } = &mut self.sack;
        *is_busy = *mode != Mode::Open || !board.is_empty() || probe.is_out();
        // RFC 8985 §8: one timer serves all, what comes first.
        if (was_waiting || rack.due().is_some()) && self.timers.is_set(Timer::Rtx) {
            self.arm_rtx(cx.ticks, side);
        }
    }

    fn update(&mut self, cx: &Context<'_>, seg: &Segment<'_>, acked: u32) {
        let mss = self.mss(cx);
        let before = self.sack.board.sacked();
        let una = self.snd.una - acked;
        if !self.sack.is_busy {
            self.sack.rack.begin(una);
        }
        if self.sack.mode == Mode::Probe {
            self.sack.mode = Mode::Open;
        }
        let news = self.take_news(cx, seg, acked, una);
        let delivered = (acked + self.sack.board.sacked()).saturating_sub(before);
        self.on_probe_ack(&news, mss);
        self.undo_needless(cx, &news);
        if self.sack.mode != Mode::Open && self.snd.una.ge(self.sack.recover) {
            self.sack.mode = Mode::Open;
            self.sack.rack.on_recovered();
        }
        self.find_losses(cx, delivered, mss, acked > 0);
    }

    /// Takes all that an ACK tells, which has moved SND.UNA by `acked` from `una`.
    fn take_news(&mut self, cx: &Context<'_>, seg: &Segment<'_>, acked: u32, una: SeqNum) -> News {
        // RFC 5681 §2: another window is something new too.
        let is_same_window = u32::from(seg.window) << self.snd.shift == self.snd.wnd;
        let is_bare = acked == 0 && seg.len() == 0 && is_same_window;
        let echo = self.stamps.echoed(&seg.stamp, cx.ticks);
        // Two readings of the clock can differ by a tick less.
        let least = self.rtt.least().saturating_sub(1);
        let mut news = News { acked, twice: None, has_first: false, is_bare, echo, least };
        self.sack.on_arrived(una, una, self.snd.una, &mut news, cx.ticks);
        self.sack.board.advance(self.snd.una);
        self.sack.sent.advance(self.snd.una);
        self.sack.take_blocks(seg.area, &self.snd, &mut news, cx.ticks);
        self.sack.rack.on_taken(self.sack.board.end().unwrap_or(self.snd.una));
        news
    }

    /// Looks for what is lost (RFC 8985 §6.2, step 5), and how much may be sent if anything is.
    fn find_losses(&mut self, cx: &Context<'_>, delivered: u32, mss: u32, is_safe: bool) {
        let Sack { rack, sent, board, mode, .. } = &mut self.sack;
        let is_sure = *mode != Mode::Open || board.is_loss(mss);
        let round_trips = (self.rtt.srtt().unwrap_or(0), self.rtt.least());
        let before = if config::HAS_TCP_BBR { sent.lost(self.snd.una, board) } else { 0 };
        rack.detect(sent, board, self.snd.una, round_trips, is_sure, cx.ticks);
        if config::HAS_TCP_BBR {
            self.on_lost(before);
        }
        let Sack { sent, board, mode, .. } = &mut self.sack;
        if *mode == Mode::Open {
            let Some((seq, _)) = sent.first_lost(self.snd.una, board) else { return };
            if config::HAS_TCP_PMTU && self.pmtu.is_probe(seq, sent.lost(self.snd.una, board)) {
                return self.repair_probe(cx);
            }
            self.enter_recovery(delivered, mss);
        }
        if self.sack.mode == Mode::Recovery {
            let pipe = self.sack.pipe(&self.snd);
            let ssthresh = self.control.threshold();
            let window = self.sack.prr.on_delivered(delivered, pipe, ssthresh, mss, is_safe);
            self.control.set_window(window);
        }
    }

    /// What was late has been waited for: says whether the timer was for that.
    #[cold]
    pub(super) fn on_patience_over(&mut self, cx: &Context<'_>, side: &Side<'_>) -> bool {
        if !self.sack.rack.due().is_some_and(|due| due.is_due(cx.ticks)) {
            return false;
        }
        self.find_losses(cx, 0, self.mss(cx), false);
        self.sack.is_busy = true;
        self.on_delivered(cx, 0);
        self.arm_rtx(cx.ticks, side);
        true
    }

    /// RFC 4821 §7.6.2: what is lost is the probe of a larger segment, and nothing else. It goes again in smaller ones,
    /// and the window stays.
    #[cold]
    fn repair_probe(&mut self, cx: &Context<'_>) {
        self.on_probe_lost(cx);
        self.recovery.on_timeout(self.snd.max);
        self.snd.nxt = self.snd.max;
        self.sack.undo.end();
        self.sack.repair(Mode::Loss, &self.snd);
    }

    /// RFC 6675 §5, step 4.
    fn enter_recovery(&mut self, delivered: u32, mss: u32) {
        let flight = self.snd.outstanding();
        if !self.recovery.is_active() {
            // While it was waited for what might only be late, more was sent for all that arrived behind it.
            self.reduce(self.in_use(flight), mss);
        }
        self.recovery.enter(self.snd.max);
        self.snd.nxt = self.snd.max;
        self.sack.undo.begin(self.snd.una, false);
        self.sack.repair(Mode::Recovery, &self.snd);
        self.sack.prr = Prr::new((flight + delivered).saturating_sub(self.sack.board.sacked()));
    }

    /// The retransmission timer ran out: says whether the scoreboard tells what is sent again.
    #[cold]
    pub(super) fn repair_all(&mut self, is_timeout: bool) -> bool {
        if !self.sack.is_on {
            return false;
        }
        // RFC 2018 §8: the peer may have let go of what it had not acknowledged; after a second timeout nothing
        // that it said before counts.
        if self.tries > 1 || self.sack.board.is_reneged(self.snd.una) {
            self.sack.board.clear();
        }
        self.snd.nxt = self.snd.max;
        let before =
            if config::HAS_TCP_BBR { self.sack.sent.lost(self.snd.una, &self.sack.board) } else { 0 };
        self.sack.sent.lose_all();
        self.on_lost(before);
        self.sack.rack.stop();
        if !is_timeout {
            self.sack.undo.end();
        } else if self.tries == 1 {
            self.sack.undo.begin(self.snd.una, true);
        }
        self.sack.repair(Mode::Loss, &self.snd);
        true
    }

    /// Plans what is sent while losses are repaired (RFC 6675 §4, NextSeg): what is lost, then something new.
    /// Its last rule, the end once more, is left out: times and probes tell of that.
    #[cold]
    #[inline(never)]
    pub(super) fn decide_repair(&self, cx: &Context<'_>, side: &Side<'_>, plan: &mut Plan) -> bool {
        let (sack, snd) = (&self.sack, &self.snd);
        let mss = self.mss(cx);
        if sack.mode == Mode::Probe {
            return self.plan_probe(side, mss, plan);
        }
        let room = self.control.window().max(mss).saturating_sub(sack.pipe(snd));
        let room = if self.paces_repairs() { self.pace.limit(room, mss, cx.ticks) } else { room };
        if sack.undo.wants_new() && room >= mss && self.plan_new(side, mss, plan) {
            return true;
        }
        if let Some((seq, len)) = sack.sent.first_lost(snd.una, &sack.board) {
            return len.min(mss) <= room && self.plan_again(side, seq, len.min(mss), plan);
        }
        if room < mss {
            return false;
        }
        self.plan_new(side, mss, plan)
    }

    /// `len` octets from `seq` again, the last of which may be the FIN.
    fn plan_again(&self, side: &Side<'_>, seq: SeqNum, len: u32, plan: &mut Plan) -> bool {
        let queued = side.tx.len() as u32;
        plan.seq = seq;
        plan.offset = seq.since(self.snd.una) as u32;
        plan.len = len.min(queued.saturating_sub(plan.offset));
        if plan.len < len {
            plan.flags |= Flags::FIN;
        }
        plan.kind = match self.sack.mode {
            _ if plan.len == 0 => Kind::FinRetransmit,
            Mode::Loss => Kind::RtoRetransmit,
            Mode::Probe => Kind::TailLossProbe,
            _ if !self.sack.undo.has_repaired() => Kind::FastRetransmit,
            _ => Kind::SackRetransmit,
        };
        true
    }

    /// A segment of new data, full or the last, and the FIN with it.
    fn plan_new(&self, side: &Side<'_>, mss: u32, plan: &mut Plan) -> bool {
        let out = self.snd.outstanding();
        // Less is queued than is out if the FIN is out.
        let Some(unsent) = (side.tx.len() as u32).checked_sub(out) else { return false };
        let len = unsent.min(mss).min(self.snd.wnd.saturating_sub(out));
        let is_all = len == unsent;
        let is_fin = is_all && self.state.owes_fin() && out + len < self.snd.wnd;
        if !is_fin && (len == 0 || (len < mss && !is_all)) {
            return false;
        }
        plan.kind = Kind::New;
        plan.carry(self.snd.max, out, len, is_all, is_fin);
        true
    }

    /// A segment is sent while losses are repaired; SND.MAX is not moved yet.
    #[cold]
    pub(super) fn on_sent_repair(&mut self, plan: &Plan, now: Ticks) {
        if self.sack.mode == Mode::Probe {
            return self.on_sent_probe(plan);
        }
        self.sack.prr.on_sent(plan.seq_len());
        self.sack.undo.on_sent(plan.seq_len(), plan.seq.lt(self.snd.max), now);
    }

    /// Notes when a segment is sent, before SND.MAX is moved.
    #[inline]
    pub(super) fn note_sent(&mut self, plan: &Plan, now: Ticks) {
        if self.sack.is_on {
            self.sack.sent.on_sent(self.snd.una, plan.seq, plan.seq + plan.seq_len(), now);
        }
    }
}

impl Socket<'_> {
    /// Whether the next connection asks for selective acknowledgments (RFC 2018), or grants them to a peer who
    /// asks. On at first. Without them a lost segment is found one a round trip.
    pub fn set_sack_enabled(&mut self, is_enabled: bool) {
        self.side.config.sack = Choice(is_enabled);
    }

    /// Whether it does.
    pub fn sack_enabled(&self) -> bool {
        self.side.config.sack.is_wanted()
    }
}
