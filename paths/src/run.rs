//! Measuring, and keeping what was measured.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use sim::cell::Cell;

use crate::bench::{Bench, linux_limits};
use crate::plan::{PAIRINGS, Pairing, cells};
use crate::plot;
use crate::report::{Conditions, Report};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The example `path`, built
    #[arg(long, value_name = "PROGRAM")]
    path: PathBuf,
    /// One cell, and only whether all pairings move all data
    #[arg(long)]
    quick: bool,
    /// Only these cells; once for each
    #[arg(long, value_name = "NAME")]
    cell: Vec<String>,
    /// How long a transfer lasts, in seconds
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How often each is measured, with other losses each time
    #[arg(long, default_value_t = 3)]
    runs: u64,
    /// The congestion control of Linux
    #[arg(long, default_value = "cubic")]
    congestion: String,
    /// That of ours: cubic, reno, bbr (as deaf to losses as Linux's), bbr-heeding, none
    #[arg(long, default_value = "cubic")]
    ours_congestion: String,
    /// Where the document and its pictures go
    #[arg(long, value_name = "FOLDER", default_value = "docs")]
    folder: PathBuf,
}

/// The cell of a quick run, and how much is moved there: about a second's worth.
const QUICK: (&str, u64) = ("100M-1ms-loss0.1", 6_000_000);
/// In seconds; no machine is so slow.
const QUICK_TIME: u64 = 20;

/// Measures.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut bench = Bench {
        path: arguments.path.clone(),
        seconds: arguments.seconds,
        octets: None,
        congestion: arguments.congestion.clone(),
        ours_congestion: arguments.ours_congestion.clone(),
        buffers: linux_limits()?,
    };
    if arguments.quick {
        bench.seconds = QUICK_TIME;
        return quick(bench);
    }
    let cells = cells(&arguments.cell).map_err(anyhow::Error::msg)?;
    let mut report = Report::new(Conditions {
        seconds: arguments.seconds,
        runs: arguments.runs,
        congestion: bench.congestion.clone(),
        ours_congestion: bench.ours_congestion.clone(),
        buffers: bench.buffers,
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().into(),
        processors: std::thread::available_parallelism()?.get(),
    });
    // What the machine does beside meets all cells alike if each run goes over all of them.
    for seed in 1..=arguments.runs {
        for cell in &cells {
            for pairing in PAIRINGS {
                measure(&bench, cell, pairing, seed, &mut report)?;
            }
        }
        // What there is by now is worth something.
        write(arguments, &report)?;
    }
    Ok(())
}

fn measure(bench: &Bench, cell: &Cell, pairing: Pairing, seed: u64, report: &mut Report) -> Result<()> {
    let transfer =
        bench.transfer(cell, pairing, seed).with_context(|| format!("{cell}, {pairing}, seed {seed}"))?;
    println!(
        "{cell:<19} {pairing:<14} seed {seed}: {:>8.3} Mbit/s{}",
        transfer.goodput(),
        if transfer.missed > 0 { format!(", {} frames missed", transfer.missed) } else { String::new() },
    );
    std::io::stdout().flush()?;
    report.add(*cell, pairing, transfer);
    Ok(())
}

fn write(arguments: &Arguments, report: &Report) -> Result<()> {
    let stem = report.stem();
    let place = |name: &str| arguments.folder.join(name);
    std::fs::write(place(&format!("{}.md", stem.to_uppercase())), report.to_string())?;
    plot::goodput(report, &place(&format!("{stem}-goodput.svg")))?;
    plot::ratios(report, &place(&format!("{stem}-ratios.svg")))
}

/// All pairings move all of it. What each octet is, the receiver has checked.
fn quick(mut bench: Bench) -> Result<()> {
    let (name, octets) = QUICK;
    let cell: Cell = name.parse().map_err(anyhow::Error::msg)?;
    bench.octets = Some(octets);
    for pairing in PAIRINGS {
        let transfer = bench.transfer(&cell, pairing, 1).with_context(|| pairing.to_string())?;
        println!("{cell} {pairing}: {} octets, {:.1} Mbit/s", transfer.octets, transfer.goodput());
        ensure!(transfer.is_whole && transfer.octets == octets, "{pairing}: {octets} octets were sent");
    }
    Ok(())
}
