//! How fast the network delivers, told by a few segments of each flight.
//!
//! When a segment is sent that is to tell, it is noted what had been delivered up to then. When it has arrived, what has
//! been delivered since is what the path carried in that time. The time is that of the ACKs, or that of sending if
//! it took longer: ACKs that were held back somewhere come in a burst, and say nothing of the path.
//!
//! Both times begin with the segment that had told before, so that both are of the same octets, though not every
//! segment is noted. Times are microseconds in 32 bits, and wrap: what is out is told of within minutes.

use crate::wire::tcp::SeqNum;

/// Segments of a flight that tell.
const MARKS: usize = 6;

/// Octets delivered in a time, in 16ths of an octet per tick of 1,024 µs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bandwidth(pub(super) u32);

impl Bandwidth {
    pub(super) const MOST: Bandwidth = Bandwidth(u32::MAX);

    pub(super) fn new(octets: u32, micros: u32) -> Bandwidth {
        let rate = (u64::from(octets) << 14) / u64::from(micros.max(1));
        Bandwidth(rate.min(u32::MAX.into()) as u32)
    }

    /// Octets in so many microseconds.
    pub(super) fn octets(self, micros: u32) -> u32 {
        ((u64::from(self.0) * u64::from(micros)) >> 14).min(1 << 30) as u32
    }

    pub(super) fn percent(self, percent: u32) -> Bandwidth {
        Bandwidth((u64::from(self.0) * u64::from(percent) / 100).min(u32::MAX.into()) as u32)
    }
}

/// Where a measurement begins: a segment that had told.
#[derive(Debug, Clone, Copy)]
struct Base {
    /// Octets delivered when it had arrived.
    delivered: u32,
    at: u32,
    /// When it had been sent.
    sent_at: u32,
}

/// A segment that is to tell.
#[derive(Debug, Clone, Copy)]
struct Mark {
    end: SeqNum,
    sent_at: u32,
    base: Base,
    /// Octets delivered and lost until it was sent, and in flight with it.
    delivered: u32,
    lost: u32,
    flight: u32,
    is_app_limited: bool,
    /// It was sent before.
    is_again: bool,
}

/// What a segment tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// Octets that had been delivered when it was sent.
    pub(super) sent_after: u32,
    /// `None` if the time was too short to tell.
    pub(super) bandwidth: Option<Bandwidth>,
    /// From when it was sent to when its ACK came, in microseconds, if it was sent once.
    pub(super) rtt: Option<u32>,
    /// Octets delivered and lost in that time.
    pub(super) delivered: u32,
    pub(super) lost: u32,
    /// Octets that were in flight when it was sent, and it.
    pub(super) flight: u32,
    /// The path could have carried more than there was to send.
    pub(super) is_app_limited: bool,
}

/// What is delivered, and the marks.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    marks: [Mark; MARKS],
    count: u8,
    base: Base,
    /// All octets delivered and lost; both wrap.
    delivered: u32,
    lost: u32,
    /// Octets sent since the last mark.
    since_mark: u32,
    /// Octets to be delivered until all is gone that was sent when there was too little to send.
    app_limited: u32,
}

impl Rate {
    pub(super) const fn new() -> Rate {
        let base = Base { delivered: 0, at: 0, sent_at: 0 };
        let none = Mark {
            end: SeqNum(0),
            sent_at: 0,
            base,
            delivered: 0,
            lost: 0,
            flight: 0,
            is_app_limited: false,
            is_again: false,
        };
        Rate { marks: [none; MARKS], count: 0, base, delivered: 0, lost: 0, since_mark: 0, app_limited: 0 }
    }

    fn known(&self) -> &[Mark] {
        self.marks.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Octets delivered since the connection began.
    pub(super) fn delivered(&self) -> u32 {
        self.delivered
    }

    /// `len` octets up to `end` are sent, with `flight` octets in flight before them.
    pub(super) fn on_sent(&mut self, end: SeqNum, len: u32, flight: u32, is_again: bool, now: u32) {
        if flight == 0 {
            // Nobody has been sending.
            self.base = Base { delivered: self.delivered, at: now, sent_at: now };
            self.count = 0;
        }
        if is_again {
            // Of the first copy no ACK would tell.
            self.forget(end - len, end);
        }
        self.since_mark = self.since_mark.saturating_add(len);
        let is_enough = self.since_mark >= flight / MARKS as u32;
        if self.count > 0 && !is_enough {
            return;
        }
        let Rate { base, delivered, lost, .. } = *self;
        let is_app_limited = self.app_limited > 0;
        let flight = flight + len;
        if let Some(place) = self.marks.get_mut(usize::from(self.count)) {
            *place = Mark { end, sent_at: now, base, delivered, lost, flight, is_app_limited, is_again };
            self.count += 1;
            self.since_mark = 0;
        }
    }

    /// Nothing is told any more by what ends in `from..to`, but for `from`.
    fn forget(&mut self, from: SeqNum, to: SeqNum) {
        let mut count = 0;
        for i in 0..usize::from(self.count) {
            let Some(&mark) = self.marks.get(i) else { break };
            if mark.end.le(from) || mark.end.gt(to) {
                self.marks[count] = mark;
                count += 1;
            }
        }
        self.count = count as u8;
    }

    /// Octets are lost.
    pub(super) fn on_lost(&mut self, lost: u32) {
        self.lost = self.lost.wrapping_add(lost);
    }

    pub(super) fn is_app_limited(&self) -> bool {
        self.app_limited > 0
    }

    /// There was less to send than the path might carry, with `flight` octets in flight.
    pub(super) fn on_app_limited(&mut self, flight: u32) {
        self.app_limited = flight.max(1);
    }

    /// Octets are delivered; `has_arrived` says of a segment by its end whether it has. What is told by that of those which
    /// were sent last, if the shortest round trip there may be is `least`.
    pub(super) fn on_delivered(
        &mut self,
        delivered: u32,
        has_arrived: impl Fn(SeqNum) -> bool,
        least: u32,
        now: u32,
    ) -> Option<Sample> {
        self.delivered = self.delivered.wrapping_add(delivered);
        self.app_limited = self.app_limited.saturating_sub(delivered);
        let index = self.known().iter().rposition(|mark| has_arrived(mark.end))?;
        let last = *self.marks.get(index)?;
        // Those before it that have not arrived would tell of a time that is over.
        self.marks.rotate_left(index + 1);
        self.count -= index as u8 + 1;
        self.base = Base { delivered: self.delivered, at: now, sent_at: last.sent_at };
        let base = last.base;
        let octets = self.delivered.wrapping_sub(base.delivered);
        let took = now.wrapping_sub(base.at).max(last.sent_at.wrapping_sub(base.sent_at));
        Some(Sample {
            sent_after: last.delivered,
            bandwidth: (took >= least.max(1)).then(|| Bandwidth::new(octets, took)),
            rtt: (!last.is_again).then(|| now.wrapping_sub(last.sent_at)),
            delivered: self.delivered.wrapping_sub(last.delivered),
            lost: self.lost.wrapping_sub(last.lost),
            flight: last.flight,
            is_app_limited: last.is_app_limited,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: u32 = 1_000;
    /// Near the end of what 32 bits hold.
    const START: u32 = u32::MAX - 20_000;
    const SEQ: SeqNum = SeqNum(u32::MAX - 5_500);

    /// One segment each `gap` microseconds, ACKs a round trip of 10 ms later; `late` says when one comes.
    fn stream(gap: u32, late: impl Fn(u32) -> u32) -> Vec<Sample> {
        let mut rate = Rate::new();
        let (mut samples, mut acked) = (Vec::new(), 0);
        let mut sent = 0;
        for micros in 0..100_000 {
            let now = START.wrapping_add(micros);
            while acked < sent && late(acked * gap + 10_000) <= micros {
                acked += 1;
                let una = SEQ + acked * LEN;
                samples.extend(rate.on_delivered(LEN, |end| end.le(una), 0, now));
            }
            if micros.is_multiple_of(gap) {
                sent += 1;
                rate.on_sent(SEQ + sent * LEN, LEN, (sent - 1 - acked) * LEN, false, now);
            }
        }
        samples
    }

    #[test]
    fn a_steady_stream_tells_its_rate_a_few_times_a_round_trip() {
        let samples = stream(100, |at| at);
        assert!((50..70).contains(&samples.len()), "nine round trips: {}", samples.len());
        let (first, last) = (samples[0], samples[samples.len() - 1]);
        // In the first round trip one segment has come.
        assert_eq!(first.bandwidth, Some(Bandwidth::new(LEN, 10_000)));
        assert_eq!(last.bandwidth, Some(Bandwidth::new(LEN, 100)));
        assert_eq!((last.rtt, last.delivered, last.flight), (Some(10_000), 100 * LEN, 100 * LEN));
    }

    /// A burst of ACKs would tell of any rate, were it not for the time that sending took.
    #[test]
    fn acks_that_come_in_bursts_do_not_tell_of_more_than_was_sent() {
        let samples = stream(100, |at| at.next_multiple_of(7_000));
        let most = samples.iter().filter_map(|sample| sample.bandwidth).max();
        let sent = Bandwidth::new(LEN, 100);
        assert!(most.is_some_and(|most| most <= sent && most >= sent.percent(80)), "{most:?}");
    }

    #[test]
    fn what_was_sent_again_tells_no_round_trip_and_what_is_lost_nothing() {
        let mut rate = Rate::new();
        for i in 1..=12 {
            rate.on_sent(SEQ + i * LEN, LEN, (i - 1) * LEN, false, START + i);
        }
        let marked = rate.known().len();
        // The first and the second are lost; the first is sent again.
        rate.on_lost(2 * LEN);
        rate.on_sent(SEQ + LEN, LEN, 10 * LEN, true, START + 5_000);
        assert!(rate.known().len() <= marked);
        let arrived = |end: SeqNum| end.gt(SEQ + 2 * LEN) && end.le(SEQ + 4 * LEN);
        let sample = rate.on_delivered(2 * LEN, arrived, 0, START + 10_004);
        assert_eq!(sample.map(|sample| (sample.rtt, sample.lost)), Some((Some(10_000), 2 * LEN)));
        let again = rate.on_delivered(10 * LEN, |_| true, 0, START + 15_000);
        assert!(again.is_some());
        assert_eq!(rate.on_delivered(LEN, |_| true, 0, START + 16_000), None, "all has been told");
        rate.on_sent(SEQ + 20 * LEN, LEN, LEN, true, START + 17_000);
        let again = rate.on_delivered(LEN, |_| true, 0, START + 18_000);
        assert_eq!(again.map(|sample| sample.rtt), Some(None));
    }

    /// The ACK may be for either copy.
    #[test]
    fn of_what_was_sent_again_the_first_copy_tells_nothing_any_more() {
        let mut rate = Rate::new();
        for i in 1..=3 {
            rate.on_sent(SEQ + i * LEN, LEN, (i - 1) * LEN, false, START + i);
        }
        assert!(rate.known().iter().any(|mark| mark.end == SEQ + LEN));
        // Too soon after the last one to be noted itself.
        rate.on_sent(SEQ + LEN, LEN, 60 * LEN, true, START + 5_000);
        let sample = rate.on_delivered(LEN, |end| end == SEQ + LEN, 0, START + 10_000);
        assert_eq!(sample.and_then(|sample| sample.rtt), None);
    }

    #[test]
    fn too_short_a_time_tells_no_rate() {
        let mut rate = Rate::new();
        rate.on_sent(SEQ, LEN, 0, false, START);
        let sample = rate.on_delivered(LEN, |_| true, 10_001, START + 10_000);
        assert_eq!(sample.map(|sample| sample.bandwidth), Some(None));
        rate.on_sent(SEQ, LEN, 0, false, START);
        let sample = rate.on_delivered(LEN, |_| true, 0, START);
        assert_eq!(sample.map(|sample| sample.bandwidth), Some(None), "no time at all");
    }

    #[test]
    fn what_was_sent_with_too_little_to_send_says_so_until_that_is_delivered() {
        let mut rate = Rate::new();
        let sent_and_arrived = |rate: &mut Rate, i: u32| {
            rate.on_sent(SEQ + i * LEN, LEN, LEN, false, START + i * 100);
            rate.on_delivered(LEN, |_| true, 0, START + i * 100 + 50).map(|sample| sample.is_app_limited)
        };
        assert_eq!(sent_and_arrived(&mut rate, 1), Some(false));
        rate.on_app_limited(2 * LEN);
        assert_eq!([2, 3, 4].map(|i| sent_and_arrived(&mut rate, i)), [Some(true), Some(true), Some(false)]);
        rate.on_app_limited(0);
        assert!(rate.is_app_limited());
    }

    #[test]
    fn rates_are_exact_and_as_large_as_they_may_be() {
        assert_eq!(Bandwidth::new(1_024, 1_024).0, 16 * 1_024);
        assert_eq!(Bandwidth::new(1_250, 100).octets(100), 1_250);
        assert_eq!(Bandwidth::new(u32::MAX, 0), Bandwidth::MOST);
        assert_eq!(
            (Bandwidth::MOST.octets(u32::MAX), Bandwidth::MOST.percent(200)),
            (1 << 30, Bandwidth::MOST)
        );
        assert_eq!(Bandwidth(200).percent(99), Bandwidth(198));
    }
}
