//! The document: medians, ratios, spread.

use std::fmt;

use sim::cell::Cell;

use crate::bench::{Buffers, Transfer};
use crate::plan::{PAIRINGS, Pairing};

/// How it was measured.
pub(crate) struct Conditions {
    pub(crate) seconds: u64,
    pub(crate) runs: u64,
    pub(crate) congestion: String,
    pub(crate) ours_congestion: String,
    pub(crate) buffers: Buffers,
    pub(crate) kernel: String,
    pub(crate) processors: usize,
}

/// What was measured so far.
pub(crate) struct Report {
    conditions: Conditions,
    pub(crate) cells: Vec<Measured>,
}

/// One cell: the transfers of each pairing.
pub(crate) struct Measured {
    pub(crate) cell: Cell,
    transfers: [Vec<Transfer>; 4],
}

/// The median of some runs, and the least and the most, in Mbit/s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        let (count, least, most) = (values.len(), *values.first()?, *values.last()?);
        Some(Spread { median: (values[(count - 1) / 2] + values[count / 2]) / 2.0, least, most })
    }
}

impl Measured {
    /// Of a pairing, by its place in `PAIRINGS`.
    pub(crate) fn spread(&self, pairing: usize) -> Option<Spread> {
        Spread::of(self.transfers[pairing].iter().map(Transfer::goodput).collect())
    }

    /// The pairing's median, as a part of Linux's among itself.
    pub(crate) fn ratio(&self, pairing: usize) -> Option<f64> {
        let linux = self.spread(0)?.median;
        (linux > 0.0).then_some(self.spread(pairing)?.median / linux)
    }

    fn missed(&self) -> u64 {
        self.transfers.iter().flatten().map(|transfer| transfer.missed).sum()
    }
}

impl Report {
    pub(crate) fn new(conditions: Conditions) -> Report {
        Report { conditions, cells: Vec::new() }
    }

    pub(crate) fn add(&mut self, cell: Cell, pairing: Pairing, transfer: Transfer) {
        let at = self.cells.iter().position(|measured| measured.cell == cell).unwrap_or_else(|| {
            self.cells.push(Measured { cell, transfers: Default::default() });
            self.cells.len() - 1
        });
        for (transfers, other) in self.cells[at].transfers.iter_mut().zip(PAIRINGS) {
            if other == pairing {
                transfers.push(transfer);
            }
        }
    }

    /// The geometric mean of a pairing's ratios; nothing moved counts as a thousandth.
    fn mean_ratio(&self, pairing: usize) -> Option<f64> {
        let ratios: Vec<f64> = self.cells.iter().filter_map(|cell| cell.ratio(pairing)).collect();
        let sum: f64 = ratios.iter().map(|ratio| ratio.max(1e-3).ln()).sum();
        (!ratios.is_empty()).then(|| (sum / ratios.len() as f64).exp())
    }
}

/// With commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let from_end = |at: usize| (digits.len() - at).is_multiple_of(3) && at > 0;
    digits
        .chars()
        .enumerate()
        .flat_map(|(at, digit)| from_end(at).then_some(',').into_iter().chain([digit]))
        .collect()
}

/// Three digits, or as many as stand before the point.
fn digits(value: f64) -> String {
    let after = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.after$}")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        writeln!(
            f,
            "## Ratios\n\nMedians as parts of Linux's to itself: ours as sender, as receiver, as both.\n"
        )?;
        writeln!(f, "| cell | {} | {} | {} |", PAIRINGS[1], PAIRINGS[2], PAIRINGS[3])?;
        writeln!(f, "| --- | ---: | ---: | ---: |")?;
        let ratio = |ratio: Option<f64>| ratio.map_or("".into(), |ratio| format!("{ratio:.2}"));
        for cell in &self.cells {
            let [a, b, c] = [1, 2, 3].map(|pairing| ratio(cell.ratio(pairing)));
            writeln!(f, "| `{}` | {a} | {b} | {c} |", cell.cell)?;
        }
        let [a, b, c] = [1, 2, 3].map(|pairing| ratio(self.mean_ratio(pairing)));
        writeln!(f, "| geometric mean | {a} | {b} | {c} |")?;
        writeln!(f, "\n![ratios]({}-ratios.svg)\n\n## Goodput\n", self.stem())?;
        writeln!(f, "Mbit/s that the receiving application took: the median, and (least to most).\n")?;
        let [a, b, c, d] = PAIRINGS;
        writeln!(
            f,
            "| cell | {a} | {b} | {c} | {d} | frames missed |\n| --- | ---: | ---: | ---: | ---: | ---: |"
        )?;
        for cell in &self.cells {
            write!(f, "| `{}` |", cell.cell)?;
            for pairing in 0..PAIRINGS.len() {
                match cell.spread(pairing) {
                    Some(Spread { median, least, most }) => {
                        write!(f, " {} ({} to {}) |", digits(median), digits(least), digits(most))?;
                    }
                    None => write!(f, " |")?,
                }
            }
            writeln!(f, " {} |", cell.missed())?;
        }
        writeln!(f, "\n![goodput]({}-goodput.svg)", self.stem())
    }
}

impl Report {
    /// What the names of its files begin with: Linux's congestion control, unless it is the default.
    pub(crate) fn stem(&self) -> String {
        match self.conditions.congestion.as_str() {
            "cubic" => "paths".into(),
            congestion => format!("paths-{congestion}"),
        }
    }

    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conditions { seconds, runs, congestion, ours_congestion, buffers, kernel, processors } =
            &self.conditions;
        let count = self.cells.len();
        write!(
            f,
            "\
# TCP on bad paths, in real time

Written by `cargo xtask paths`, which measures Goldcrest and Linux, each to each, on paths that the example `path`
emulates: two namespaces, a TAP in each, and the simulated link between them. What the cells are called says
docs/GRID.md; a frame's Ethernet header counts here, so that TCP gets 95.6 to 96.4 % of the rate at most.

Measured here: {count} cells, {runs} transfers of {seconds} s for each pairing, from the moment the connection is there, with the losses
of seeds 1 to {runs}, the same for all pairings. Linux {kernel} with {congestion}, ours with {ours_congestion}, on {processors} processors
that also run the path. Ours is a program on a TAP of its own, which a bridge of the kernel's joins to the path's;
its buffers hold {rx} octets for receiving and {tx} for sending, as much as Linux lets its own grow to (`tcp_rmem`,
`tcp_wmem`; it counts overhead in these). The receiver checks every octet. *Frames missed* were lost by the machine and not by
the path, in all runs of a cell: where there are many, it was too slow, and the numbers say little.

",
            rx = grouped(buffers.rx),
            tx = grouped(buffers.tx),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_readers() {
        assert_eq!([0, 999, 1_000, 33_554_432].map(grouped), ["0", "999", "1,000", "33,554,432"]);
        assert_eq!([0.5, 12.34, 987.6].map(digits), ["0.50", "12.3", "988"]);
    }

    #[test]
    fn ratios_are_of_medians_and_their_mean_is_geometric() {
        let conditions = Conditions {
            seconds: 8,
            runs: 3,
            congestion: "cubic".into(),
            ours_congestion: "cubic".into(),
            buffers: Buffers { rx: 1, tx: 2 },
            kernel: "6".into(),
            processors: 2,
        };
        let mut report = Report::new(conditions);
        for (cell, ours) in [("10M-1ms-none", [1, 20, 3]), ("10M-1ms-loss1", [48, 48, 48])] {
            for (linux, ours) in [4, 6, 8].into_iter().zip(ours) {
                let transfer = |octets| Transfer { octets, micros: 8, is_whole: false, missed: 1 };
                report.add(cell.parse().unwrap(), PAIRINGS[0], transfer(linux));
                report.add(cell.parse().unwrap(), PAIRINGS[3], transfer(ours));
            }
        }
        assert_eq!(report.cells[0].spread(0), Some(Spread { median: 6.0, least: 4.0, most: 8.0 }));
        assert_eq!((report.cells[0].ratio(3), report.cells[1].ratio(3)), (Some(0.5), Some(8.0)));
        assert_eq!((report.cells[0].ratio(1), report.cells[0].missed()), (None, 6));
        assert!((report.mean_ratio(3).unwrap() - 2.0).abs() < 1e-9);
        assert!(report.to_string().contains("| `10M-1ms-none` |  |  | 0.50 |"));
    }
}
