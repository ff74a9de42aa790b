//! The table: printed, kept as a document, and compared with the kept one.

use std::fmt::{self, Write};

use sim::cell::{Cell, Trouble};

use crate::SEEDS;
use sim::transfer::{Run, SPAN};

/// By so many percent a cell may move less than the kept table says before it counts as worse. Any change of the stack
/// makes losses meet other segments; other seeds made it differ by up to 14 % (37 % with bursts).
const fn tolerance(trouble: Trouble) -> u64 {
    match trouble {
        Trouble::None | Trouble::Queue | Trouble::ShortQueue => 10,
        Trouble::Loss(_) | Trouble::Reordering => 20,
        Trouble::Bursts => 50,
    }
}

/// One cell: the median of what was taken in its runs, sums of the rest. Few runs with luck would rule a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) cell: Cell,
    runs: u64,
    taken: u64,
    sent: u64,
    again: u64,
    timeouts: u64,
}

impl Row {
    pub(crate) fn new(cell: Cell, runs: Vec<Run>) -> Row {
        let sum = |of: fn(&Run) -> u64| runs.iter().map(of).sum();
        Row {
            cell,
            runs: runs.len() as u64,
            taken: median(runs.iter().map(|run| run.taken).collect()),
            sent: sum(|run| run.seen.sent),
            again: sum(|run| run.seen.again),
            timeouts: sum(|run| run.seen.timeouts),
        }
    }

    /// Mbit/s that the server's application took.
    fn goodput(&self) -> f64 {
        self.taken as f64 * 8.0 / SPAN.total_micros() as f64
    }

    /// Of the path's rate, in percent.
    fn share(&self) -> f64 {
        self.goodput() * 1e8 / self.cell.rate as f64
    }

    /// The kept form of a row.
    fn read(line: &str) -> Option<Row> {
        let mut fields = line.split('|').map(str::trim).skip(1);
        let cell = fields.next()?.trim_matches('`').parse().ok()?;
        let mut numbers = fields.skip(3).map(|field| field.replace(',', "").parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Row { cell, runs: next()?, taken: next()?, sent: next()?, again: next()?, timeouts: next()? })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.share();
        let again = self.again as f64 * 100.0 / self.sent.max(1) as f64;
        write!(
            f,
            "| {:<20} | {:>8.3} | {share:>5.1} | {again:>5.2} | {} | {:>14} | {:>14} | {:>10} | {:>4} |",
            format!("`{}`", self.cell),
            self.goodput(),
            self.runs,
            grouped(self.taken),
            grouped(self.sent),
            grouped(self.again),
            self.timeouts,
        )
    }
}

/// The middle one, the lower of two.
fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// With commas, as the documents have them.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// All cells that were run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

/// What a comparison says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) worse: Vec<String>,
    pub(crate) notes: Vec<String>,
}

impl Table {
    /// Reads a document.
    pub(crate) fn read(document: &str) -> Result<Table, String> {
        let table = document.lines().skip_while(|line| !line.starts_with("| cell |"));
        let lines = table.skip(2).take_while(|line| line.starts_with('|'));
        let row = |line| Row::read(line).ok_or_else(|| format!("not a row of the grid: {line}"));
        Ok(Table { rows: lines.map(row).collect::<Result<_, _>>()? })
    }

    /// Whether any cell moves less than it did, beyond the tolerance. Those that move more are noted.
    pub(crate) fn compare(&self, kept: &Table) -> Result<Verdict, String> {
        let mut verdict = Verdict::default();
        for row in &self.rows {
            let before = kept.rows.iter().find(|before| before.cell == row.cell);
            let before = before.ok_or_else(|| format!("{} is not in the kept table", row.cell))?;
            if before.runs != row.runs {
                return Err(format!("{} was run {} times", row.cell, before.runs));
            }
            let tolerance = tolerance(row.cell.trouble);
            let change = row.taken as f64 * 100.0 / before.taken.max(1) as f64 - 100.0;
            let said = format!(
                "{}: {:.3} Mbit/s, was {:.3}, {change:+.1} %",
                row.cell,
                row.goodput(),
                before.goodput()
            );
            if row.taken * 100 < before.taken * (100 - tolerance) {
                verdict.worse.push(format!("WORSE {said}, beyond {tolerance} %"));
            } else if row.taken != before.taken {
                verdict.notes.push(said);
            }
        }
        Ok(verdict)
    }

    /// What is kept.
    pub(crate) fn document(&self) -> String {
        let mut text = String::from(HEAD);
        let (seconds, seeds) = (SPAN.total_micros() / 1_000_000, SEEDS.count());
        let [sure, random, bursts] = [Trouble::None, Trouble::Reordering, Trouble::Bursts].map(tolerance);
        let _ = write!(
            text,
            "A transfer lasts {seconds} s of virtual time from the SYN on. Where chance has a part (`loss`, `bursts`, `reorder`) it is \
             run from {seeds} seeds,\nand the median is judged, since few lucky runs would rule a mean. A cell fails \
             when its octets taken are below the kept ones by more than\n{sure} %; {random} % where chance has a part, \
             {bursts} % with bursts: by about so much other seeds change the medians.\n\n{self}"
        );
        self.write_weak(&mut text);
        text
    }

    /// Nothing but the sender's own haste, or its distrust, holds it up where nothing is lost by chance.
    fn write_weak(&self, text: &mut String) {
        let is_weak = |row: &&Row| {
            let is_fair =
                matches!(row.cell.trouble, Trouble::Queue | Trouble::ShortQueue | Trouble::Reordering);
            is_fair && row.share() < FAIR_SHARE
        };
        let weak: Vec<_> = self.rows.iter().filter(is_weak).map(|row| format!("`{}`", row.cell)).collect();
        let _ = writeln!(
            text,
            "\n## Where it is weak\n\nNothing is lost by chance, yet less than {FAIR_SHARE} % of the rate is used, in {} cells:\n\n{}",
            weak.len(),
            weak.chunks(5).map(|names| names.join(", ")).collect::<Vec<_>>().join(",\n"),
        );
    }
}

/// In percent of the rate.
const FAIR_SHARE: f64 = 75.0;

const HEAD: &str = "\
# The grid: TCP on 72 paths, in virtual time

Written by `cargo xtask grid --write`; `cargo xtask grid` runs the same and fails when a cell has become worse. Both
ends are ours, and nothing here depends on the machine: the same sources give the same octets.

A cell is a path, `RATE-ROUNDTRIP-TROUBLE`, on which one connection sends as much as it can. Both directions are alike:
data and acknowledgments meet the same trouble. The rate counts IP packets, of up to 1,500 octets, and half of the round-trip time
passes each way. Buffers hold four times the product of rate and round-trip time, at least 256 KiB, so that congestion
control alone decides.

| trouble | what is wrong |
| --- | --- |
| `none` | nothing; the queue holds whatever the buffers let out, so nothing is ever lost |
| `loss0.1`, `loss1`, `loss3` | so many percent of the packets are lost, each for itself; the queue as for `none` |
| `bursts` | one packet in 1,000 begins a burst in which all are lost, of 10 in the mean: 1 %; the queue as for `none` |
| `reorder` | 1 % take longer, by a quarter of the round trip or 8 packets' time, whichever is more; the queue as for `none` |
| `queue1` | the queue holds one product of rate and round-trip time, at least 6,056 octets |
| `queue0.1` | a tenth of it, at least 6,056 octets |

*Taken* are the octets that the receiving application got in the median run. Summed over the runs: *sent* are the octets of payload on
the wire, *again* those of them that had been sent before. A *timer* is counted when something is sent again in a poll in
which no packet had come.

";

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| cell | Mbit/s | % of rate | % again | runs | taken | sent | again | timers |")?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::Seen;

    fn table(name: &str, taken: u64) -> Table {
        let seen = Seen { sent: 2_000_000, again: 34_567, timeouts: 3 };
        Table { rows: vec![Row::new(name.parse().unwrap(), vec![Run { taken, seen }])] }
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median(vec![9, 1, 5]), 5);
        assert_eq!(median(vec![9, 1, 5, 3]), 3);
        assert_eq!(median(Vec::new()), 0);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let table = table("1G-100ms-loss0.1", 1_234_567);
        assert_eq!(Table::read(&table.document()), Ok(table));
        assert!(Table::read("| cell |\n| --- |\n| `1G-100ms-loss0.1` | 1 |").is_err());
    }

    #[test]
    fn a_cell_is_worse_beyond_its_tolerance_only() {
        for (name, least) in
            [("10M-1ms-none", 900_000), ("10M-1ms-loss1", 800_000), ("10M-1ms-bursts", 500_000)]
        {
            let kept = table(name, 1_000_000);
            assert_eq!(kept.compare(&kept), Ok(Verdict::default()));
            let verdict = table(name, least).compare(&kept).unwrap();
            assert_eq!((verdict.worse.len(), verdict.notes.len()), (0, 1));
            let verdict = table(name, least - 1).compare(&kept).unwrap();
            assert_eq!((verdict.worse.len(), verdict.notes.len()), (1, 0));
        }
        assert!(table("10M-1ms-none", 1).compare(&table("10M-1ms-loss1", 1)).is_err());
    }
}
