//! How much TCP moves over bad paths in real time: Goldcrest and Linux, each to each.
//!
//! `run` takes cells of the grid (`sim::cell`), emulates them with the example `path`, and measures transfers from
//! `end` to `end`; `report` and `plot` make docs/PATHS.md and its pictures of it.

mod bench;
mod end;
mod plan;
mod plot;
mod report;
mod run;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures TCP on emulated paths, in real time.
#[derive(Parser)]
#[command(name = "paths")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measures all pairings on all cells
    Run(run::Arguments),
    /// Is one end of a transfer
    End(end::Arguments),
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Run(arguments) => run::run(&arguments),
        Task::End(arguments) => end::run(&arguments),
    }
}
