//! The grid: one TCP transfer from stack to stack over each path of `sim::cell`, in virtual time.
//!
//! What came of it is kept in docs/GRID.md, and a run that does worse than the kept one fails. Every run is the
//! same to the octet, so whatever is different comes from a change of the stack. `sim::transfer` makes a run,
//! `table` reads, compares and writes.

mod table;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Parser;
use sim::cell::Cell;
use sim::congestion::Congestion;
use sim::transfer;

use table::{Row, Table};

/// The seeds of the cells where chance has a part; the others need one.
const SEEDS: RangeInclusive<u64> = 1..=16;

/// What a short run looks at: each rate, each round-trip time and each trouble.
const SHORT: [&str; 12] = [
    "10M-1ms-none",
    "10M-20ms-loss1",
    "10M-100ms-queue1",
    "10M-20ms-queue0.1",
    "100M-1ms-loss0.1",
    "100M-20ms-bursts",
    "100M-20ms-reorder",
    "100M-100ms-loss3",
    "100M-20ms-queue1",
    "1G-1ms-loss1",
    "1G-20ms-loss0.1",
    "1G-20ms-queue0.1",
];

/// Runs the grid, prints it, and says what is worse than in the file.
#[derive(Parser)]
#[command(name = "grid")]
struct Arguments {
    /// Only the twelve cells that show each rate, time and trouble
    #[arg(long)]
    short: bool,
    /// Only the cells whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Writes the file anew instead of comparing with it
    #[arg(long, conflicts_with_all = ["short", "only"])]
    write: bool,
    /// The sender's congestion control; what is kept is CUBIC's, all else is only printed
    #[arg(long, value_enum, default_value = "cubic", conflicts_with = "write")]
    congestion: Congestion,
    /// Where the results are kept
    #[arg(long, value_name = "FILE", default_value = "docs/GRID.md")]
    file: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let is_meant = |cell: &Cell| {
        let name = cell.to_string();
        name.contains(&arguments.only) && (!arguments.short || SHORT.contains(&name.as_str()))
    };
    let cells: Vec<Cell> = Cell::all().filter(is_meant).collect();
    let started = Instant::now();
    let table = Table { rows: measure(&cells, arguments.congestion)? };
    println!("{table}");
    println!("{} cells in {:.1} s", table.rows.len(), started.elapsed().as_secs_f32());
    if arguments.congestion != Congestion::Cubic {
        return Ok(());
    }
    let file = arguments.file.display();
    if arguments.write {
        return std::fs::write(&arguments.file, table.document()).map_err(|error| format!("{file}: {error}"));
    }
    let kept = std::fs::read_to_string(&arguments.file).map_err(|error| format!("{file}: {error}"))?;
    let verdict = table.compare(&Table::read(&kept)?)?;
    verdict.notes.iter().for_each(|note| println!("{note}"));
    if verdict.worse.is_empty() {
        return Ok(());
    }
    let worse = verdict.worse.join("\n");
    Err(format!("{worse}\nWhere that is meant to be so: cargo xtask grid --write, and say why"))
}

/// Runs the cells, on all processors.
fn measure(cells: &[Cell], congestion: Congestion) -> Result<Vec<Row>, String> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(vec![None; cells.len()]);
    let work = || {
        while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
            let count = if cell.is_random() { SEEDS.count() } else { 1 };
            let runs = SEEDS.take(count).map(|seed| transfer::run(cell, seed, congestion.into())).collect();
            let row = Row::new(*cell, runs);
            let mut rows = rows.lock().map_err(|_| "a run has panicked")?;
            if let Some(at) = cells.iter().position(|other| other == cell) {
                rows[at] = Some(row);
            }
        }
        Ok::<(), String>(())
    };
    std::thread::scope(|scope| {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a run has panicked")?)
    })?;
    let rows = rows.into_inner().map_err(|_| "a run has panicked")?;
    rows.into_iter().map(|row| row.ok_or_else(|| "a cell was left out".to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::cell::{RATES, ROUND_TRIPS, TROUBLES};

    #[test]
    fn the_short_run_has_each_rate_time_and_trouble() {
        let cells: Vec<Cell> = SHORT.iter().map(|name| name.parse().unwrap()).collect();
        assert!(RATES.iter().all(|(rate, _)| cells.iter().any(|cell| cell.rate == *rate)));
        assert!(ROUND_TRIPS.iter().all(|ms| cells.iter().any(|cell| cell.round_trip_ms == *ms)));
        assert!(TROUBLES.iter().all(|(trouble, _)| cells.iter().any(|cell| cell.trouble == *trouble)));
    }
}
