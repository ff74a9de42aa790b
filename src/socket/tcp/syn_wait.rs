//! Requests that wait for the application's decision: a proxy dials out before it answers.
//!
//! Such a request is a record of the listener's in a stage of its own. Nothing is sent for it, and repeats of its SYN are
//! absorbed, the newest counting, until the application has decided; then the SYN-ACK, or a reset, goes in the listener's
//! turn. It stays for [`TCP_SYN_WAIT`](crate::config::TCP_SYN_WAIT) at most, and gives way to others as any half-open
//! connection does.

use super::listener::{HalfOpen, Listener, Stage};
use super::segment::{Kind, Plan, Segment, Verdict};
use crate::socket::{Context, Tuple};
use crate::stats::DropReason;
use crate::wire::tcp::{Flags, SeqNum};

/// What was decided about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Accept,
    Reset,
    Ignore,
}

/// What became of the request that a SYN belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// There is none, or it was another.
    New,
    /// It is not yet answered.
    Waits,
    /// The SYN-ACK is out.
    Answered,
}

/// What a listener has to remember of such requests, beside their records.
#[derive(Debug)]
pub(super) struct Waits {
    /// Whether any has ever waited: else nobody need look for one.
    is_used: bool,
    /// Whether some may be decided and not yet answered.
    has_decided: bool,
    /// How many were given up undecided, and not yet counted.
    undecided: u16,
    /// How many the application did not want, and were not yet counted.
    unwanted: u16,
}

impl Waits {
    pub(super) const NONE: Waits = Waits { is_used: false, has_decided: false, undecided: 0, unwanted: 0 };

    /// A record of this stage is about to be given up.
    pub(super) fn on_lost(&mut self, stage: Stage) {
        if stage.is_unanswered() {
            self.undecided = self.undecided.saturating_add(1); // counted soon, and never so many
        }
    }
}

impl Stage {
    /// Whether nothing was sent yet.
    pub(super) fn is_unanswered(self) -> bool {
        matches!(self, Stage::Waiting | Stage::Granted | Stage::Refused)
    }

    /// Whether one of this stage gives way, or has its turn, as one of the `other`.
    pub(super) fn counts_as(self, other: Stage) -> bool {
        self == other || (self == Stage::Waiting && other == Stage::Answered)
    }
}

impl HalfOpen {
    /// Whether it waits, between these ends.
    fn is_undecided(&self, tuple: &Tuple) -> bool {
        self.stage == Stage::Waiting && self.is_for(tuple)
    }

    fn is_decided(&self) -> bool {
        matches!(self.stage, Stage::Granted | Stage::Refused)
    }
}

impl Listener<'_> {
    /// What is known of the request that this SYN asks for. Of those that wait, the ends say it; of those that are
    /// answered, the number too, for a client may ask anew by the same port.
    pub(crate) fn recall(&self, tuple: &Tuple, syn: &Segment<'_>) -> Known {
        let known = self.waits.is_used.then(|| self.records().find(|record| record.is_for(tuple))).flatten();
        match known {
            Some(record) if record.stage.is_unanswered() => Known::Waits,
            Some(record) if record.irs == syn.seq => Known::Answered,
            _ => Known::New,
        }
    }

    /// A request that is not answered before the application has decided. There is no cookie for one without a record.
    #[inline(never)]
    pub(crate) fn keep_waiting(&mut self, cx: &Context<'_>, tuple: &Tuple, syn: &Segment<'_>) -> Verdict {
        if syn.flags.contains(Flags::FIN) {
            return Verdict::Refuse(DropReason::Unacceptable);
        }
        let stamps = self.stamp_choice();
        let known = self.records().position(|record| record.is_for(tuple));
        let place = known.or_else(|| self.place(cx.ticks));
        let Some((i, record)) = place.and_then(|i| Some((i, self.half_open.get_mut(i)?))) else {
            return Verdict::Drop(DropReason::BacklogFull);
        };
        let (stage, created_at) = (record.stage, record.created_at);
        // RFC 3168 §6.1.1: it is asked for each time or not at all.
        let has_not_asked = known.is_some() && record.irs == syn.seq && !record.has_ecn();
        record.begin(cx, tuple, syn, self.window, stamps, self.template.wants_sack());
        record.grant(self.ecn.grants(syn.flags) && !has_not_asked);
        if known.is_some() && stage.is_unanswered() {
            // Its time does not begin anew, and what was decided is.
            (record.stage, record.created_at) = (stage, created_at);
            return Verdict::Taken;
        }
        record.stage = Stage::Waiting;
        let again_at = record.again_at();
        if stage != Stage::Free {
            self.tally.on_fails(1);
        }
        self.waits.on_lost(stage);
        self.waits.is_used = true;
        self.tally.on_passive_open();
        self.latest = i as u16;
        self.due_by(again_at);
        Verdict::Taken
    }

    /// Whether a request between these ends waits for a decision.
    pub(crate) fn is_waiting(&self, tuple: &Tuple) -> bool {
        self.records().any(|record| record.is_undecided(tuple))
    }

    /// The application has decided; says whether there was a request that waited for it. It is answered in the
    /// listener's turn.
    pub(crate) fn decide(&mut self, tuple: &Tuple, decision: Decision) -> bool {
        let index = self.records().position(|record| record.is_undecided(tuple));
        let Some(record) = index.and_then(|i| self.half_open.get_mut(i)) else { return false };
        record.stage = match decision {
            Decision::Accept => Stage::Granted,
            Decision::Reset => Stage::Refused,
            Decision::Ignore => Stage::Free,
        };
        match decision {
            Decision::Ignore => self.on_unwanted(),
            _ => self.waits.has_decided = true,
        }
        true
    }

    fn on_unwanted(&mut self) {
        self.tally.on_fails(1);
        self.waits.unwanted = self.waits.unwanted.saturating_add(1); // counted soon, and never so many
    }

    /// Whether [`next_decided`](Self::next_decided) is to be asked.
    #[inline]
    pub(crate) fn has_decided(&self) -> bool {
        self.waits.has_decided
    }

    /// The answer to a request that was decided: a SYN-ACK or a reset. Call it while there is room to send, until it
    /// has none.
    #[inline(never)]
    pub(crate) fn next_decided(&mut self, cx: &Context<'_>, plan: &mut Plan) -> Option<&Tuple> {
        let index = self.records().position(HalfOpen::is_decided);
        self.waits.has_decided = index.is_some();
        let record = self.half_open.get_mut(index?)?;
        if record.stage == Stage::Granted {
            record.stage = Stage::Answered;
            // The round trip begins now.
            record.created_at = cx.ticks;
            record.plan_syn_ack(cx, self.window, false, plan);
            let again_at = record.again_at();
            self.due_by(again_at);
        } else {
            record.stage = Stage::Free;
            // RFC 9293 §3.10.7.1: as if nobody listened there.
            plan.begin(Kind::Reset, SeqNum(0), record.irs + 1, Flags::RST.union(Flags::ACK));
            self.on_unwanted();
        }
        self.half_open.get(index?).map(|record| &record.tuple)
    }

    /// Why one more request was given up, or turned away, since it was last asked.
    pub(crate) fn next_lost(&mut self) -> Option<DropReason> {
        let Waits { undecided, unwanted, .. } = &mut self.waits;
        for (count, reason) in [(undecided, DropReason::Undecided), (unwanted, DropReason::Filtered)] {
            if *count > 0 {
                *count -= 1;
                return Some(reason);
            }
        }
        None
    }
}
