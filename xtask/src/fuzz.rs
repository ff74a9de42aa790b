//! Fuzzing with cargo-fuzz, which needs a nightly toolchain.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What to fuzz, and for how long.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The target, a file of fuzz/fuzz_targets
    target: String,
    /// For how many seconds
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// How often, instead; the end is printed with edges (`cov`) and features (`ft`)
    #[arg(long)]
    runs: Option<u64>,
    /// Comparisons are not traced: three times as fast, for a corpus that has grown with them
    #[arg(long)]
    light: bool,
}

/// Runs the fuzzer; a crash is an error, and its input lies in fuzz/artifacts.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let has_fuzz =
        Command::new("cargo").args(["fuzz", "--version"]).output().is_ok_and(|out| out.status.success());
    ensure!(has_fuzz, "cargo-fuzz is missing: `cargo install cargo-fuzz`");
    // What the fuzzer finds goes apart from the corpus that is kept; it starts from both.
    let found = format!("fuzz/found/{}", arguments.target);
    std::fs::create_dir_all(crate::root().join(&found))?;
    let kept = format!("fuzz/corpus/{}", arguments.target);
    let status = Command::new("cargo")
        // There is no unsafe code in what is fuzzed, and without the sanitizer it is four times as fast.
        .args(["+nightly", "fuzz", "run", "--sanitizer", "none"])
        .args(arguments.light.then_some("--no-trace-compares"))
        .args([&arguments.target, &found, &kept, "--"])
        .arg(match arguments.runs {
            Some(runs) => format!("-runs={runs}"),
            None => format!("-max_total_time={}", arguments.seconds),
        })
        .args(["-max_len=2048", "-timeout=10", "-print_final_stats=1"])
        .current_dir(crate::root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the fuzzer ended with {status}");
    Ok(())
}
