//! Whether what was taken for a loss was none: then the window comes back (RFC 4015, RFC 9438 §4.9).
//!
//! | how it is seen | where |
//! | --- | --- |
//! | what had to be repaired is acknowledged with a clock from before it was sent again | Eifel, RFC 3522 |
//! | the peer tells that all that was sent again came twice | D-SACK, RFC 3708 |
//! | after a timeout something arrives that was sent once, before it | F-RTO, RFC 5682 |

use super::super::connection::Connection;
use super::super::recovery::Recovery;
use super::{Mode, News, Sack, Told};
use crate::socket::Context;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

/// New segments that tell whether a timeout was needless (RFC 5682 §3.1, step 2b).
const TELLERS: u8 = 2;

/// The ACKs that can tell that a timeout was needless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    None,
    First,
    Second,
}

/// The last reduction of the window, and what has been sent again since.
#[derive(Debug, Clone)]
pub(super) struct Undo {
    /// SND.UNA when it was made.
    una: SeqNum,
    /// Octets sent again since, but for those which came twice.
    again: u32,
    /// When the first of them was.
    at: Ticks,
    /// There is something to take back.
    is_armed: bool,
    /// Something was sent again.
    has_repaired: bool,
    /// Which ACK after a timeout is waited for.
    awaited: Awaited,
    /// So many new segments go before any that is lost.
    tellers: u8,
}

impl Undo {
    pub(super) const fn new() -> Undo {
        let zero = SeqNum(0);
        Undo {
            una: zero,
            again: 0,
            at: Ticks(0),
            is_armed: false,
            has_repaired: false,
            awaited: Awaited::None,
            tellers: 0,
        }
    }

    /// The window is reduced; `is_timeout` for the first timeout in a row.
    pub(super) fn begin(&mut self, una: SeqNum, is_timeout: bool) {
        let awaited = if is_timeout { Awaited::First } else { Awaited::None };
        *self = Undo { una, is_armed: true, awaited, ..Undo::new() };
    }

    /// There is nothing to take back any more.
    pub(super) fn end(&mut self) {
        (self.is_armed, self.awaited, self.tellers) = (false, Awaited::None, 0);
    }

    pub(super) fn has_repaired(&self) -> bool {
        self.has_repaired
    }

    /// Whether new segments are to tell if a timeout was needless, before any that is lost is sent again.
    pub(super) fn wants_new(&self) -> bool {
        self.tellers > 0
    }

    /// `len` octets are sent while losses are repaired.
    pub(super) fn on_sent(&mut self, len: u32, is_again: bool, now: Ticks) {
        if !is_again {
            self.tellers = self.tellers.saturating_sub(1);
            return;
        }
        if !self.has_repaired {
            self.at = now;
        }
        self.has_repaired = true;
        self.tellers = 0;
        self.again = self.again.saturating_add(len);
    }

    /// RFC 3708 §3: whether all that was sent again is known to have come twice, after `twice`.
    fn is_all_twice(&mut self, twice: Option<Told>, max: SeqNum) -> bool {
        let Some(twice) = twice.filter(|twice| twice.start.ge(self.una) && twice.end.le(max)) else {
            return false;
        };
        self.again = self.again.saturating_sub(twice.end.since(twice.start).max(0) as u32);
        self.has_repaired && self.again == 0
    }
}

impl Connection {
    /// An ACK is taken. If it shows that the last reduction was needless, all is as before.
    pub(super) fn undo_needless(&mut self, cx: &Context<'_>, news: &News) {
        if !self.sack.undo.is_armed {
            return;
        }
        let is_all_twice = self.sack.undo.is_all_twice(news.twice, self.snd.max);
        let is_early = self.is_early_ack(news);
        if is_all_twice || is_early || self.is_needless_timeout(news) {
            self.undo(cx, news.echo.filter(|_| is_early));
        }
    }

    /// RFC 3522 §3.2: what was to be repaired is acknowledged by who had not seen the repair, and (but for a timeout,
    /// of which this is the first word) no other is under way.
    fn is_early_ack(&self, news: &News) -> bool {
        let Sack { undo, mode, sent, board, .. } = &self.sack;
        let is_word = match mode {
            Mode::Loss => true,
            Mode::Recovery => !sent.has_again(self.snd.una, board),
            Mode::Open | Mode::Probe => false,
        };
        is_word
            && news.acked > 0
            && undo.has_repaired
            && news.echo.is_some_and(|echo| echo.is_before(undo.at))
    }

    /// RFC 5682 §3.1, for peers without timestamps, which tell more: something has arrived that was sent only before the
    /// timeout. Else the first ACK, if it moves SND.UNA, lets two new segments go, and the next one tells.
    fn is_needless_timeout(&mut self, news: &News) -> bool {
        let Sack { undo, recover, .. } = &mut self.sack;
        let awaited = core::mem::replace(&mut undo.awaited, Awaited::None);
        if awaited == Awaited::None || news.echo.is_some() {
            return false;
        }
        undo.tellers = 0;
        if awaited == Awaited::First && news.acked > 0 && self.snd.una.lt(*recover) {
            (undo.awaited, undo.tellers) = (Awaited::Second, TELLERS);
        }
        news.has_first
    }

    /// RFC 4015 §3.2: what was believed lost is on its way. What was sent at `echo` has just been acknowledged.
    #[cold]
    fn undo(&mut self, cx: &Context<'_>, echo: Option<Ticks>) {
        if self.control.undo() {
            self.ecn.on_undone();
        }
        let Sack { undo, mode, sent, rack, .. } = &mut self.sack;
        undo.end();
        let was = core::mem::replace(mode, Mode::Open);
        if was == Mode::Open {
            return;
        }
        sent.find_all();
        self.recovery = Recovery::new(self.snd.una - 1);
        if was == Mode::Recovery {
            rack.on_overtaken();
            return;
        }
        rack.forget();
        if let Some(echo) = echo {
            // RFC 4015 §3.2, step 7: it takes longer than was thought.
            self.rtt.raise(cx.ticks.since(echo).max(0) as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ended_is_not_taken_back() {
        let mut undo = Undo::new();
        undo.begin(SeqNum(5), true);
        undo.tellers = TELLERS;
        assert!(undo.is_armed && undo.awaited == Awaited::First && undo.wants_new());
        undo.end();
        assert!(!undo.is_armed && undo.awaited == Awaited::None && !undo.wants_new());
    }
}
