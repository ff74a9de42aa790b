//! Selective acknowledgments: as receiver (RFC 2018, RFC 2883), and to repair losses (RFC 6675, RFC 8985, RFC 9937).
//!
//! | file | what |
//! | --- | --- |
//! | `mod` | when losses are repaired, and with what |
//! | `scoreboard` | what the peer has |
//! | `rack` | when it was sent, and what is lost |
//! | `prr` | how much may go meanwhile |
//! | `report` | what we tell the peer |
//!
//! ```text
//!   Open --something is lost--> Recovery --all that was out then has arrived--> Open
//!   any  --timeout-----------> Loss     --the same-----------------------------> Open
//! ```
//!
//! While losses are repaired, SND.NXT stays at SND.MAX: what is sent again is chosen from the scoreboard's holes.

mod prr;
mod rack;
mod report;
mod scoreboard;

use self::prr::Prr;
use self::rack::{Rack, SentTimes};
use self::report::{MAX_BLOCKS, Report};
use self::scoreboard::Scoreboard;
use super::connection::Connection;
use super::segment::{Kind, Plan, Segment};
use super::send::Send;
use super::timers::Timer;
use super::{Side, Socket};
use crate::config;
use crate::socket::Context;
use crate::time::Ticks;
use crate::wire::tcp::{Flags, HEADER_LEN, SeqNum};
use crate::wire::tcpopt::{self, NOP, SackBlock, TcpOption};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Something was lost, and the window has been reduced.
    Recovery,
    /// The timer ran out: all that has not arrived counts as lost.
    Loss,
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

/// Octets of the blocks that a plan's segment has room for, with the option's head and the padding before it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blocks(u8);

impl Blocks {
    pub(crate) const NONE: Blocks = Blocks(0);

    fn new(count: usize) -> Blocks {
        Blocks(if count == 0 { 0 } else { (4 + count * size_of::<SackBlock>()) as u8 })
    }

    fn count(self) -> usize {
        usize::from(self.0) / size_of::<SackBlock>()
    }

    #[inline]
    pub(crate) fn buffer_len(self) -> usize {
        self.0.into()
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
#[derive(Debug, Clone)]
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
    /// Something was sent again in this recovery.
    has_repaired: bool,
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
            has_repaired: false,
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

    /// Losses are being repaired from now on.
    fn repair(&mut self, mode: Mode, snd: &Send) {
        self.mode = mode;
        self.is_busy = true;
        self.recover = snd.max;
        self.has_repaired = false;
    }

    /// `from..to` has arrived, though some of it may have been told of before.
    fn on_arrived(&mut self, una: SeqNum, mut from: SeqNum, to: SeqNum, now: Ticks) {
        while let Some((start, len)) = self.board.hole(from, to) {
            from = start + len;
            self.rack.on_arrived(&self.sent, una, (start, from), now);
        }
    }

    /// An ACK that tells of nothing but its number.
    #[inline]
    pub(super) fn on_new_ack(&mut self, una: SeqNum) {
        self.sent.advance(una);
    }

    /// When something counts as lost unless it has arrived before.
    #[inline]
    pub(super) fn due(&self) -> Option<Ticks> {
        self.rack.due()
    }

    /// Takes what an ACK's blocks say. What was never sent says nothing, and what is acknowledged already no more than
    /// that it came twice.
    fn take_blocks(&mut self, area: &[u8], snd: &Send, now: Ticks) {
        for option in tcpopt::Options::parse(area).into_iter().flatten() {
            let TcpOption::Sack(blocks) = option else { continue };
            if is_twice(blocks, snd.una) {
                self.rack.on_twice(snd.una, snd.max);
            }
            for &[start, end] in blocks {
                let (start, end) = (SeqNum(u32::from_be_bytes(start)), SeqNum(u32::from_be_bytes(end)));
                let is_sane = start.gt(snd.una) && end.le(snd.max) && start.lt(end) && end.gt(snd.una);
                if is_sane {
                    self.on_arrived(snd.una, start, end, now);
                    self.board.add(start, end);
                }
            }
        }
    }
}

/// Whether the first block tells of something that came twice (RFC 2883 §4): it is acknowledged already, or part of
/// the second one.
fn is_twice(blocks: &[SackBlock], una: SeqNum) -> bool {
    let seq = |octets: [u8; 4]| SeqNum(u32::from_be_bytes(octets));
    match *blocks {
        [[_, end], ..] if seq(end).le(una) => true,
        [[start, end], [from, to], ..] => seq(from).le(seq(start)) && seq(end).le(seq(to)),
        _ => false,
    }
}

/// As sender.
impl Connection {
    /// An ACK, which has moved SND.UNA by `acked`, tells of what has arrived.
    #[cold]
    #[inline(never)]
    pub(super) fn on_sacks(&mut self, cx: &Context<'_>, seg: &Segment<'_>, acked: u32, side: &Side<'_>) {
        let was_waiting = self.sack.due().is_some();
        self.update(cx, seg, acked);
        self.sack.is_busy = self.sack.mode != Mode::Open || !self.sack.board.is_empty();
        // RFC 8985 §8: one timer serves both, what comes first.
        if (was_waiting || self.sack.due().is_some()) && self.timers.is_set(Timer::Rtx) {
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
        self.sack.on_arrived(una, una, self.snd.una, cx.ticks);
        self.sack.board.advance(self.snd.una);
        self.sack.sent.advance(self.snd.una);
        self.sack.take_blocks(seg.area, &self.snd, cx.ticks);
        self.sack.rack.on_taken(self.sack.board.end().unwrap_or(self.snd.una));
        let delivered = (acked + self.sack.board.sacked()).saturating_sub(before);
        if self.sack.mode != Mode::Open && self.snd.una.ge(self.sack.recover) {
            self.sack.mode = Mode::Open;
            self.sack.rack.on_recovered();
        }
        self.find_losses(cx, delivered, mss, acked > 0);
    }

    /// Looks for what is lost (RFC 8985 §6.2, step 5), and how much may be sent if anything is.
    fn find_losses(&mut self, cx: &Context<'_>, delivered: u32, mss: u32, is_safe: bool) {
        let Sack { rack, sent, board, mode, .. } = &mut self.sack;
        let is_sure = *mode != Mode::Open || board.is_loss(mss);
        rack.detect(sent, board, self.snd.una, (self.rtt.srtt().unwrap_or(0), is_sure), cx.ticks);
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
        if !self.sack.due().is_some_and(|due| due.is_due(cx.ticks)) {
            return false;
        }
        self.find_losses(cx, 0, self.mss(cx), false);
        self.sack.is_busy = true;
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
        self.sack.repair(Mode::Loss, &self.snd);
    }

    /// RFC 6675 §5, step 4.
    fn enter_recovery(&mut self, delivered: u32, mss: u32) {
        let flight = self.snd.outstanding();
        if !self.recovery.is_active() {
            self.control.on_loss(flight, mss);
        }
        self.recovery.enter(self.snd.max);
        self.snd.nxt = self.snd.max;
        self.sack.repair(Mode::Recovery, &self.snd);
        self.sack.prr = Prr::new((flight + delivered).saturating_sub(self.sack.board.sacked()));
    }

    /// The retransmission timer ran out: says whether the scoreboard tells what is sent again.
    #[cold]
    pub(super) fn repair_all(&mut self) -> bool {
        if !self.sack.is_on {
            return false;
        }
        // RFC 2018 §8: the peer may have let go of what it had not acknowledged; after a second timeout nothing
        // that it said before counts.
        if self.tries > 1 || self.sack.board.is_reneged(self.snd.una) {
            self.sack.board.clear();
        }
        self.snd.nxt = self.snd.max;
        self.sack.sent.lose_all();
        self.sack.rack.stop();
        self.sack.repair(Mode::Loss, &self.snd);
        true
    }

    /// Plans what is sent while losses are repaired (RFC 6675 §4, NextSeg): what is lost, then something new,
    /// then the end once more.
    #[cold]
    #[inline(never)]
    pub(super) fn decide_repair(&self, cx: &Context<'_>, side: &Side<'_>, plan: &mut Plan) -> bool {
        let (sack, snd) = (&self.sack, &self.snd);
        let mss = self.mss(cx);
        let room = self.control.window().max(mss).saturating_sub(sack.pipe(snd));
        if let Some((seq, len)) = sack.sent.first_lost(snd.una, &sack.board) {
            return len.min(mss) <= room && self.plan_again(side, seq, len.min(mss), plan);
        }
        if room < mss {
            return false;
        }
        if self.plan_new(side, mss, plan) {
            return true;
        }
        // The last rule is for what was lost at the end, of which no block can tell.
        let from = snd.una.max(snd.max - mss);
        let tail = sack.board.hole(from, snd.max).filter(|&(seq, _)| !sack.sent.is_again(seq));
        tail.is_some_and(|(seq, len)| self.plan_again(side, seq, len.min(mss), plan))
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
            _ if !self.sack.has_repaired => Kind::FastRetransmit,
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
    pub(super) fn on_sent_repair(&mut self, plan: &Plan) {
        self.sack.prr.on_sent(plan.seq_len());
        self.sack.has_repaired |= plan.seq.lt(self.snd.max);
    }

    /// Notes when a segment is sent, before SND.MAX is moved.
    #[inline]
    pub(super) fn note_sent(&mut self, plan: &Plan, now: Ticks) {
        if self.sack.is_on {
            self.sack.sent.on_sent(self.snd.una, plan.seq, plan.seq + plan.seq_len(), now);
        }
    }
}

/// As receiver.
impl Connection {
    /// A segment with `len` octets begins `skip` octets before what is expected, or `offset` behind.
    #[cold]
    #[inline(never)]
    pub(super) fn note_order(&mut self, skip: u32, offset: u32, len: u32) {
        let nxt = self.rcv.nxt;
        let report = &mut self.sack.report;
        if skip > 0 && len > 0 {
            report.on_twice(nxt - skip, nxt - skip + skip.min(len));
        }
        if offset > 0 && len > 0 {
            let mut range = (offset, offset + len);
            for (at, len) in self.rcv.assembler.iter() {
                let is_touched = at <= range.1 && at + len >= offset;
                if at <= offset && at + len >= range.1 {
                    report.on_twice(nxt + offset, nxt + range.1);
                }
                if is_touched {
                    range = (range.0.min(at), range.1.max(at + len));
                }
            }
            report.on_ahead(nxt + range.0, nxt + range.1);
        }
    }

    /// Makes room in an acknowledgment for what there is to tell.
    #[inline]
    pub(super) fn note_blocks(&self, plan: &mut Plan) {
        if self.sack.is_on && (!self.rcv.assembler.is_empty() || self.sack.report.has_twice()) {
            let most = if plan.stamp.buffer_len() > 0 { 3 } else { MAX_BLOCKS };
            plan.blocks = Blocks::new(self.blocks().1.min(most));
        }
    }

    #[cold]
    #[inline(never)]
    fn blocks(&self) -> ([SackBlock; MAX_BLOCKS], usize) {
        let mut blocks = [[[0; 4]; 2]; MAX_BLOCKS];
        let count = self.sack.report.blocks(self.rcv.nxt, &self.rcv.assembler, &mut blocks);
        (blocks, count)
    }

    /// Writes a plan's blocks behind its other options.
    #[cold]
    #[inline(never)]
    pub(super) fn emit_blocks(&self, plan: &Plan, header: &mut [u8]) {
        let Some(area) = header.get_mut(HEADER_LEN + plan.stamp.buffer_len()..) else { return };
        area.fill(NOP);
        let (blocks, count) = self.blocks();
        let count = count.min(plan.blocks.count());
        let (Some(option), Some(blocks)) = (area.get_mut(2..), blocks.get(..count)) else { return };
        let option_len = TcpOption::Sack(blocks).buffer_len();
        if count > 0 && option.len() >= option_len {
            TcpOption::Sack(blocks).emit(option);
        }
    }

    /// An acknowledgment was sent.
    #[inline]
    pub(super) fn on_sent_blocks(&mut self, plan: &Plan) {
        if plan.blocks != Blocks::NONE {
            self.sack.report.on_told();
        }
    }

    /// One more segment has come ahead of what is expected. One duplicate ACK will do: its blocks say the rest.
    #[inline]
    pub(super) fn owe_dup_ack(&mut self) {
        self.dup_acks = if self.sack.is_on { 1 } else { self.dup_acks.saturating_add(1) };
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
