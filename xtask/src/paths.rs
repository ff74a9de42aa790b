//! TCP of ours and of Linux on emulated paths, in real time.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One cell, half a minute at most: whether all four pairings move all data
    #[arg(long)]
    quick: bool,
    /// Only these cells, by their names in docs/GRID.md; once for each
    #[arg(long, value_name = "NAME", conflicts_with = "quick")]
    cell: Vec<String>,
    /// How long a transfer lasts, in seconds
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How often each is measured, with other losses each time
    #[arg(long, default_value_t = 3)]
    runs: u64,
    /// The congestion control of Linux: cubic, reno, bbr
    #[arg(long, default_value = "cubic")]
    congestion: String,
    /// The congestion control of ours: cubic, reno, bbr (as deaf to losses as Linux's), bbr-heeding, none
    #[arg(long, default_value = "cubic")]
    ours_congestion: String,
}

/// Builds the programs and runs them.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Err(missing) = are_namespaces_allowed() {
        ensure!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        println!("skipped: {missing}");
        return Ok(());
    }
    cargo(&["build", "--quiet", "--release", "--package", "goldcrest", "--example", "path"])?;
    let path = format!("--path={}", crate::target().join("release/examples/path").display());
    let mut words = vec!["run", "--quiet", "--release", "--package", "paths", "--", "run", &path];
    let mut options = vec![
        format!("--seconds={}", arguments.seconds),
        format!("--runs={}", arguments.runs),
        format!("--congestion={}", arguments.congestion),
        format!("--ours-congestion={}", arguments.ours_congestion),
    ];
    options.extend(arguments.cell.iter().map(|name| format!("--cell={name}")));
    if arguments.quick {
        options.push("--quick".into());
    }
    words.extend(options.iter().map(String::as_str));
    cargo(&words)
}

fn cargo(words: &[&str]) -> Result<()> {
    let status = Command::new("cargo").args(words).current_dir(crate::root()).status().context("cargo")?;
    ensure!(status.success(), "cargo {} has failed", words.join(" "));
    Ok(())
}

/// The path's two namespaces take root and a TUN driver.
fn are_namespaces_allowed() -> Result<()> {
    // SAFETY: it takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        bail!("only root may make the namespaces");
    }
    ensure!(std::fs::metadata("/dev/net/tun").is_ok(), "there is no /dev/net/tun");
    Ok(())
}
