//! TCP of ours, of smoltcp, of lwIP and of the kernel, side by side over TAPs.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::lwip;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Fewer and shorter transfers: whether all of it works
    #[arg(long)]
    quick: bool,
    /// One object a line instead of the table: bench, stack, value, unit
    #[arg(long)]
    json: bool,
    /// Writes docs/BENCHMARKS.md; on a machine that does nothing else
    #[arg(long, conflicts_with_all = ["quick", "json"])]
    write: bool,
    /// Only the cases whose name has this in it
    #[arg(long, value_name = "TEXT", conflicts_with = "write")]
    only: Option<String>,
}

/// Builds the programs and runs them. Where lwIP's source can't be had the others are measured, but not written down.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Err(error) = lwip::build() {
        ensure!(!arguments.write, "no lwIP: {error:#}");
        eprintln!("no lwIP: {error:#}");
    }
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--release", "--package", "peers", "--"]).current_dir(crate::root());
    command.args(arguments.quick.then_some("--quick")).args(arguments.json.then_some("--json"));
    if let Some(only) = &arguments.only {
        command.args(["--only", only]);
    }
    if arguments.write {
        command.arg("--write").arg(crate::root().join("docs/BENCHMARKS.md"));
    }
    let status = command.status().context("cargo")?;
    ensure!(status.success(), "the benchmark has failed");
    Ok(())
}
