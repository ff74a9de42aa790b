//! The samples of a transfer.

use goldcrest::socket::tcp::Socket;
use goldcrest::time::Instant;
use sim::Sent;
use sim::transfer::Observer;

/// Values over time: seconds, and whatever it is.
pub(crate) type Series = Vec<(f64, f64)>;

/// Linux's number for a window that has not been limited yet.
const NO_LIMIT: u32 = 0x7fff_ffff;

/// What a sender was seen to do.
#[derive(Default)]
pub(crate) struct Record {
    /// The end of what was sent, in 10^6 octets of the stream.
    pub(crate) sent: Series,
    /// The end of what was acknowledged, likewise.
    pub(crate) acked: Series,
    /// What was sent again, likewise.
    pub(crate) again: Series,
    /// The congestion window, segments.
    pub(crate) window: Series,
    /// Where slow start ends, segments, once that is known.
    pub(crate) threshold: Series,
    /// Sent, and neither acknowledged nor held to be lost, segments.
    pub(crate) flight: Series,
    /// The smoothed round trip, ms, once there is one.
    pub(crate) round_trip: Series,
    /// The end of what was sent, in octets.
    pub(crate) highest: u64,
}

impl Observer for Record {
    fn polled(&mut self, now: Instant, sender: &Socket<'_>, sent: &[Sent]) {
        let Some(info) = sender.info(now) else { return };
        let at = now.total_micros() as f64 / 1e6;
        for segment in sent {
            let end = segment.start + u64::from(segment.len);
            if segment.is_again {
                self.again.push((at, millions(end)));
            }
            self.highest = self.highest.max(end);
        }
        self.sent.push((at, millions(self.highest)));
        self.acked.push((at, millions(info.bytes_acked)));
        self.window.push((at, info.snd_cwnd.into()));
        let flight = (info.unacked + info.retrans).saturating_sub(info.sacked + info.lost);
        self.flight.push((at, flight.into()));
        if info.snd_ssthresh < NO_LIMIT {
            self.threshold.push((at, info.snd_ssthresh.into()));
        }
        if info.rtt > 0 {
            self.round_trip.push((at, f64::from(info.rtt) / 1e3));
        }
    }
}

fn millions(octets: u64) -> f64 {
    octets as f64 / 1e6
}

/// The same picture of fewer points: of each of `columns` parts of `span` seconds the least and the most, in their order.
pub(crate) fn thinned(series: &[(f64, f64)], span: f64, columns: usize) -> Series {
    let column = |point: &(f64, f64)| (point.0 / span * columns as f64) as usize;
    let mut thin = Series::new();
    for part in series.chunk_by(|a, b| column(a) == column(b)) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (least, most) = (part.iter().min_by(by_value), part.iter().max_by(by_value));
        let (Some(&least), Some(&most)) = (least, most) else { continue };
        thin.extend(if least.0 <= most.0 { [least, most] } else { [most, least] });
    }
    thin.dedup();
    thin
}

#[cfg(test)]
mod tests {
    use goldcrest::socket::tcp::CongestionControl;
    use goldcrest::time::Duration;
    use sim::transfer;

    use super::*;

    #[test]
    fn of_many_points_the_least_and_the_most_of_each_column_are_left() {
        let series: Series = (0..1_000).map(|i| (f64::from(i) / 1e3, f64::from(i % 100))).collect();
        let thin = thinned(&series, 1.0, 10);
        assert_eq!(thin.len(), 20);
        assert_eq!(&thin[..3], &[(0.0, 0.0), (0.099, 99.0), (0.1, 0.0)]);
        assert_eq!(thinned(&[(0.5, 7.0)], 1.0, 10), [(0.5, 7.0)]);
    }

    /// A queue that overflows: the window falls, what was lost is sent again, and the round trip grows before it.
    #[test]
    fn a_queue_that_overflows_shows_in_each_series() {
        let (cell, span) = ("10M-20ms-queue1".parse().unwrap(), Duration::from_secs(5));
        let mut record = Record::default();
        let run = transfer::observe(&cell, 1, span, CongestionControl::Reno, &mut record);
        let most = |series: &Series| series.iter().fold(0.0, |most: f64, point| most.max(point.1));
        assert!(most(&record.round_trip) > 30.0 && record.round_trip[0].1 < 25.0);
        let top = most(&record.window);
        assert!(record.window.iter().skip_while(|point| point.1 < top).any(|point| point.1 < top * 0.7));
        assert!(!record.threshold.is_empty() && !record.again.is_empty());
        assert_eq!(most(&record.sent), millions(run.seen.sent - run.seen.again));
        let (sent, acked) = (record.sent.last().unwrap(), record.acked.last().unwrap());
        assert!(acked.1 <= sent.1 && acked.1 > sent.1 - 0.1, "{sent:?} {acked:?}");
    }
}
