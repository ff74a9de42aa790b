//! Pictures of what a TCP sender does on a path.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What to draw; `cargo xtask trace -- --help` has more.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed on: a path's name in docs/GRID.md, --seed, --seconds, --congestion, --output
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Builds the program and runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--release", "--package", "trace", "--"]).args(&arguments.words);
    ensure!(command.status().context("cargo")?.success(), "no picture was drawn");
    Ok(())
}
