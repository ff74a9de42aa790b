//! What is known of the router that asks: which version it speaks, and its timers (RFC 3376 §7.2, §8;
//! RFC 3810 §8.2, §9).

use crate::time::{TICKS_PER_SEC, Ticks};

/// The version that is spoken for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Mode {
    /// IGMPv3, MLDv2.
    Newest,
    /// IGMPv2, MLDv1.
    Previous,
    /// IGMPv1.
    Oldest,
}

/// Lost packets that are allowed for, plus one, unless the querier says otherwise (RFC 3376 §8.1).
const ROBUSTNESS: u8 = 2;
/// Seconds between general queries, likewise (RFC 3376 §8.2).
const QUERY_INTERVAL: u16 = 125;
/// Seconds that hosts may take to answer, likewise (RFC 3376 §8.3).
const RESPONSE_INTERVAL: u32 = 10;

/// What a change of membership costs in reports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) mode: Mode,
    /// How often a new group is reported.
    pub(super) reports: u8,
    /// How often the end of one is told.
    pub(super) leaves: u8,
}

/// One family's querier on the link.
#[derive(Debug, Clone)]
pub(super) struct Querier {
    /// Until when routers of the version before, and of the one before that, count as present.
    previous_until: Option<Ticks>,
    oldest_until: Option<Ticks>,
    robustness: u8,
    query_interval: u16,
    /// When a query about all groups is to be answered.
    pub(super) general_at: Option<Ticks>,
}

impl Querier {
    pub(super) const fn new() -> Querier {
        Querier {
            previous_until: None,
            oldest_until: None,
            robustness: ROBUSTNESS,
            query_interval: QUERY_INTERVAL,
            general_at: None,
        }
    }

    /// The version in use. Deadlines that have passed are forgotten by [`expire`](Self::expire).
    pub(super) fn mode(&self) -> Mode {
        match (self.oldest_until, self.previous_until) {
            (Some(_), _) => Mode::Oldest,
            (_, Some(_)) => Mode::Previous,
            _ => Mode::Newest,
        }
    }

    /// Older routers that were not heard of for long no longer count.
    pub(super) fn expire(&mut self, now: Ticks) {
        let still = |until: &Ticks| !until.is_due(now);
        self.previous_until = self.previous_until.filter(still);
        self.oldest_until = self.oldest_until.filter(still);
    }

    /// A query of this version has come. Says whether another version is to be spoken from now on.
    pub(super) fn on_query(&mut self, version: Mode, now: Ticks) -> bool {
        let before = self.mode();
        // RFC 3376 §8.12, RFC 3810 §9.12: Older Version Querier Present Timeout.
        let timeout = u32::from(self.robustness) * u32::from(self.query_interval) + RESPONSE_INTERVAL;
        let until = Some(now.after(timeout * TICKS_PER_SEC));
        match version {
            Mode::Newest => {}
            Mode::Previous => self.previous_until = until,
            Mode::Oldest => self.oldest_until = until,
        }
        self.mode() != before
    }

    /// The querier has said what it goes by; zeros say nothing.
    pub(super) fn learn(&mut self, robustness: u8, query_interval: u16) {
        self.robustness = if robustness == 0 { ROBUSTNESS } else { robustness };
        self.query_interval = if query_interval == 0 { QUERY_INTERVAL } else { query_interval };
    }

    /// How a change of membership is told now.
    pub(super) fn plan(&self) -> Plan {
        let mode = self.mode();
        // RFC 2236 §3, RFC 2710 §4: once or twice more, and one message at the end.
        let (reports, leaves) =
            if mode == Mode::Newest { (self.robustness, self.robustness) } else { (2, 1) };
        Plan { mode, reports, leaves }
    }

    /// Ticks within which a report of a change is repeated (RFC 3376 §8.11, RFC 2236 §8.10, RFC 2710 §7.10).
    pub(super) fn unsolicited_interval(&self) -> u32 {
        if self.mode() == Mode::Newest { TICKS_PER_SEC } else { 10 * TICKS_PER_SEC }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 3376 §7.2.1, RFC 3376 §8.12
    #[test]
    fn the_oldest_router_heard_of_lately_decides() {
        let (mut querier, start) = (Querier::new(), Ticks(5));
        assert!(!querier.on_query(Mode::Newest, start));
        assert!(querier.on_query(Mode::Previous, start));
        assert!(querier.on_query(Mode::Oldest, start));
        assert!(!querier.on_query(Mode::Previous, start.after(TICKS_PER_SEC)));
        assert_eq!(querier.mode(), Mode::Oldest);
        querier.expire(start.after(260 * TICKS_PER_SEC - 1));
        assert_eq!(querier.mode(), Mode::Oldest);
        querier.expire(start.after(260 * TICKS_PER_SEC));
        assert_eq!(querier.mode(), Mode::Previous);
        querier.expire(start.after(261 * TICKS_PER_SEC));
        assert_eq!(querier.mode(), Mode::Newest);
    }

    /// Covers: RFC 3376 §4.1.6, RFC 3376 §4.1.7
    #[test]
    fn the_queriers_variables_are_taken_over_and_zeros_are_the_defaults() {
        let mut querier = Querier::new();
        querier.learn(5, 20);
        assert_eq!((querier.plan().reports, querier.plan().leaves), (5, 5));
        querier.on_query(Mode::Previous, Ticks(0));
        querier.expire(Ticks(110 * TICKS_PER_SEC));
        assert_eq!(querier.mode(), Mode::Newest);
        querier.learn(0, 0);
        assert_eq!(querier.plan().reports, ROBUSTNESS);
    }
}
