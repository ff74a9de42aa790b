//! One command per task: `cargo xtask --help`.

mod bench;
mod check;
mod dissect;
mod firmware;
mod fuzz;
mod grid;
mod instructions;
mod lwip;
mod mutants;
mod network;
mod panics;
mod paths;
mod rfc;
mod sim;
mod size;
mod steps;
mod test;
mod thumb;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a developer does with Goldcrest, one command per task.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format, lints, feature combinations, Cortex-M builds, unit tests; under three minutes
    Check,
    /// All that CI runs
    Test,
    /// Builds a firmware image, and with --run boots it in QEMU and talks to it
    Firmware(firmware::Arguments),
    /// What whole images weigh on a Cortex-M, and where they can still panic
    Size(size::Arguments),
    /// Instructions per TCP segment, UDP packet and poll_at, beside idle connections
    Instructions(instructions::Arguments),
    /// TCP of ours, of smoltcp, of lwIP and of the kernel over TAPs, side by side; as root, five minutes
    Bench(bench::Arguments),
    /// Two stacks on bad links in virtual time, from many seeds
    Sim(sim::Arguments),
    /// TCP on 72 paths in virtual time, against docs/GRID.md
    Grid(grid::Arguments),
    /// TCP of ours and of Linux, each to each, on emulated paths in real time; three quarters of an hour
    Paths(paths::Arguments),
    /// Draws sequence, windows and round trip of a TCP sender on a path of the grid, as SVG
    Trace(trace::Arguments),
    /// Wrong lines of code that no test notices; a quarter of an hour for all files that have marks
    Mutants(mutants::Arguments),
    /// Where firmware images can still panic, against the reviewed list
    Panics,
    /// Writes docs/RFC.md from the marks in code and tests
    Rfc(rfc::Arguments),
    /// Fuzzes a target with cargo-fuzz
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Check => check::run(),
        Task::Test => test::run(),
        Task::Firmware(arguments) => firmware::run(&arguments),
        Task::Size(arguments) => size::run(&arguments),
        Task::Instructions(arguments) => instructions::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Sim(arguments) => sim::run(&arguments),
        Task::Grid(arguments) => grid::run(&arguments),
        Task::Paths(arguments) => paths::run(&arguments),
        Task::Trace(arguments) => trace::run(&arguments),
        Task::Mutants(arguments) => mutants::run(&arguments),
        Task::Panics => panics::run(),
        Task::Rfc(arguments) => rfc::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(PathBuf::from).unwrap_or(manifest)
}
