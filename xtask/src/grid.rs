//! TCP on the paths of the grid, in virtual time, against what docs/GRID.md says.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What to run of the grid.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the twelve cells that show each rate, time and trouble
    #[arg(long)]
    short: bool,
    /// Only the cells whose names contain this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Writes docs/GRID.md anew instead of comparing with it
    #[arg(long, conflicts_with_all = ["short", "only"])]
    write: bool,
    /// The sender's congestion control: cubic, reno, bbr, bbr-deaf or none. What is kept is CUBIC's; all else is printed
    #[arg(long, value_name = "CONTROL", conflicts_with = "write")]
    congestion: Option<String>,
}

/// Runs the grid and fails where a cell has become worse.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--release", "--package", "sim", "--bin", "grid", "--"]);
    command.current_dir(crate::root());
    if arguments.short {
        command.arg("--short");
    }
    if let Some(only) = &arguments.only {
        command.arg(format!("--only={only}"));
    }
    if let Some(congestion) = &arguments.congestion {
        command.arg(format!("--congestion={congestion}"));
    }
    if arguments.write {
        command.arg("--write");
    }
    ensure!(command.status().context("cargo")?.success(), "the grid has cells that are worse");
    Ok(())
}
