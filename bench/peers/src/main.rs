//! TCP stacks in user space against the kernel, over a TAP, side by side: how fast a stream is, how many connections
//! there are in a second, and what both cost.
//!
//! | file | what |
//! | --- | --- |
//! | `case` | what is measured |
//! | `measure` | one transfer, in a network namespace of its own |
//! | `client` | the kernel's end |
//! | `exchange` | and that of connections with one request each |
//! | `stack` | the other: ours, smoltcp, lwIP, the kernel over a veth pair |
//! | `report` | medians, spread and ratios; as a table, or as JSON |

mod case;
mod client;
mod exchange;
mod measure;
mod report;
mod stack;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;

use case::Case;
use measure::Measured;
use report::Report;

/// Streams and connections of TCP between the kernel and stacks in user space, MTU 1500
#[derive(Debug, Parser)]
struct Arguments {
    /// Fewer and shorter transfers: whether all of it works
    #[arg(long)]
    quick: bool,
    /// One object a line instead of the table: bench, stack, value, unit
    #[arg(long)]
    json: bool,
    /// Writes the document to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Only the cases whose name has this in it
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// How often each is measured, in turns
    #[arg(long, value_name = "COUNT")]
    runs: Option<usize>,
    /// How long a transfer lasts
    #[arg(long, value_name = "MILLISECONDS")]
    millis: Option<u64>,
}

/// Who watches sees what is measured, on one line.
fn show_progress(text: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r{:70}\r{text}", "").and_then(|()| out.flush());
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runs = arguments.runs.unwrap_or(if arguments.quick { 1 } else { 5 });
    let span = Duration::from_millis(arguments.millis.unwrap_or(if arguments.quick { 100 } else { 1_000 }));
    let only = arguments.only.as_deref().unwrap_or_default();
    let cases: Vec<Case> = case::all().into_iter().filter(|case| case.to_string().contains(only)).collect();
    ensure!(!cases.is_empty(), "no case has {only:?} in its name");
    ensure!(runs > 0, "at least one run");
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); cases.len()];
    // In turns, so that what the machine does beside meets all of them.
    for run in 0..runs {
        for (case, results) in cases.iter().zip(&mut measured) {
            show_progress(&format!("run {} of {runs}: {case}", run + 1));
            results.push(measure::run(case, span)?);
        }
    }
    show_progress("");
    let report = Report { cases: &cases, measured: &measured };
    if let Some(file) = &arguments.write {
        std::fs::write(file, report.document(runs, span))?;
    }
    if arguments.json {
        report.json();
    } else {
        println!("{}", report.table());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether network namespaces can be had; CI has them.
    pub(crate) fn has_namespaces() -> bool {
        let Err(error) = std::thread::spawn(goldcrest::phy::unshare_network).join().unwrap() else {
            return true;
        };
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{error}");
        eprintln!("skipped: {error}");
        false
    }

    /// Each stack does the work, which is checked, in each setting.
    #[test]
    fn every_case_runs() {
        if !has_namespaces() {
            return;
        }
        for case in case::all() {
            let measured = measure::run(&case, Duration::from_millis(20)).unwrap();
            assert!(measured.rate > 0.0, "{case}");
        }
    }
}
