//! Draws what a TCP sender of ours does on a path of the grid: sequence, windows and round trip over time, as SVG.
//!
//! The transfer is that of `cargo xtask grid`, in virtual time, so that a picture is the same each time until the
//! stack changes. `record` takes the samples, `draw` draws them.

mod draw;
mod record;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use goldcrest::time::Duration;
use sim::cell::Cell;
use sim::congestion::Congestion;
use sim::transfer;

use record::Record;

/// Draws what a TCP sender does on a path.
#[derive(Parser)]
#[command(name = "trace")]
struct Arguments {
    /// The path, by its name in docs/GRID.md
    #[arg(default_value = "100M-20ms-loss1")]
    cell: String,
    /// Which frames are lost
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long the transfer lasts, in seconds
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// The sender's congestion control
    #[arg(long, value_enum, default_value = "cubic")]
    congestion: Congestion,
    /// The picture; without it trace-CELL.svg
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let cell = Cell::from_str(&arguments.cell).map_err(|error| anyhow!("{}: {error}", arguments.cell))?;
    let mut record = Record::default();
    let span = Duration::from_secs(arguments.seconds);
    let run = transfer::observe(&cell, arguments.seed, span, arguments.congestion.into(), &mut record);
    let file = arguments.output.unwrap_or_else(|| format!("trace-{cell}.svg").into());
    let picture = draw::picture(&record, &cell.to_string(), arguments.seconds)?;
    std::fs::write(&file, picture).with_context(|| file.display().to_string())?;
    let rate = run.taken as f64 * 8.0 / 1e6 / arguments.seconds as f64;
    println!(
        "{cell}: {rate:.1} Mbit/s, {} octets sent again, {} timeouts",
        run.seen.again, run.seen.timeouts
    );
    println!("{}", file.display());
    Ok(())
}
