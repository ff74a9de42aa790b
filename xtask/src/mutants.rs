//! Which wrong lines of code no test would notice, by cargo-mutants.
//!
//! Mutated are the files whose code claims a requirement of docs/rfc (or those that are named). What no test
//! catches is listed; docs/MUTANTS.md keeps the last whole run and says of the survivors why they may live.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::rfc;

/// Tests that take longer than all others together, without optimization; a mutant that only they would notice counts
/// as missed.
const SLOW_TESTS: &[&str] = &[
    "a_million_random_steps",
    "random_use_agrees_with_a_map_of_octets",
    "data_arrives_or_the_application_hears_of_it",
    "tcp_flood",
    "a_million_forged_sources",
    "a_flood_from_everywhere",
    "any_octets_are_survived_by_a_router",
    "any_mix_arrives_over_any_losses",
];

/// What to mutate.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A file or glob below the project's folder; again for more. Default: all that have marks
    #[arg(long)]
    file: Vec<String>,
    /// Only part K of N, counted from 0, as K/N: a sample that is spread over all files
    #[arg(long)]
    shard: Option<String>,
    /// How many mutants are built and tested at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Percent of the mutants that must be caught
    #[arg(long, default_value_t = 85)]
    at_least: usize,
}

/// What cargo-mutants writes at its end.
#[derive(Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    summary: String,
    scenario: Scenario,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant(Mutant),
}

#[derive(Deserialize)]
struct Mutant {
    name: String,
    file: String,
}

/// How many mutants of a file, or of all, were caught and missed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    caught: usize,
    missed: usize,
}

impl Count {
    fn note(&mut self, summary: &str) {
        match summary {
            // A mutant that runs for ever is noticed, too.
            "CaughtMutant" | "Timeout" => self.caught += 1,
            "MissedMutant" => self.missed += 1,
            // It does not build, or is the baseline.
            _ => {}
        }
    }

    fn percent(self) -> usize {
        (self.caught * 100).checked_div(self.caught + self.missed).unwrap_or(100)
    }
}

/// Runs cargo-mutants and judges what it found.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let has_it =
        Command::new("cargo").args(["mutants", "--version"]).output().is_ok_and(|out| out.status.success());
    ensure!(has_it, "cargo-mutants is missing: `cargo install cargo-mutants`");
    let files = match arguments.file.is_empty() {
        true => rfc::files_with_requirements()?,
        false => arguments.file.clone(),
    };
    std::fs::create_dir_all(crate::root().join("target/mutants"))?;
    let mut command = Command::new("cargo");
    command.args(["mutants", "--package", "goldcrest", "--no-shuffle"]);
    // Display and Debug are for people; what they print is no requirement.
    command.args(["--exclude-re", "fmt::(Display|Debug) for"]);
    command.arg("--jobs").arg(arguments.jobs.to_string()).args(["--output", "target/mutants"]);
    command.args(["--profile", "mutants", "--minimum-test-timeout", "60"]);
    if let Some(shard) = &arguments.shard {
        command.args(["--sharding", "round-robin", "--shard", shard]);
    }
    for file in &files {
        command.args(["--file", file]);
    }
    command.args(["--", "--lib", "--"]);
    for test in SLOW_TESTS {
        command.args(["--skip", test]);
    }
    // Its exit status says whether all were caught; that is judged below.
    command.current_dir(crate::root()).status().context("cannot run cargo")?;
    let path = crate::root().join("target/mutants/mutants.out/outcomes.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
    judge(&serde_json::from_str(&text)?, arguments.at_least)
}

fn judge(outcomes: &Outcomes, at_least: usize) -> Result<()> {
    let mut all = Count::default();
    let mut by_file = BTreeMap::<&str, Count>::new();
    println!("\nnoticed by no test:");
    for Outcome { summary, scenario } in &outcomes.outcomes {
        let Scenario::Mutant(mutant) = scenario else { continue };
        all.note(summary);
        by_file.entry(&mutant.file).or_default().note(summary);
        if summary == "MissedMutant" {
            println!("    {}", mutant.name);
        }
    }
    println!("\n{:<50} {:>7} {:>7} {:>8}", "file", "caught", "missed", "percent");
    for (file, count) in by_file {
        println!("{file:<50} {:>7} {:>7} {:>8}", count.caught, count.missed, count.percent());
    }
    println!("{:<50} {:>7} {:>7} {:>8}", "all", all.caught, all.missed, all.percent());
    ensure!(all.caught + all.missed > 0, "no mutant was tested");
    ensure!(all.percent() >= at_least, "{} % caught, {at_least} % asked for", all.percent());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: &str = r#"{"outcomes": [
        {"summary": "Success", "scenario": "Baseline"},
        {"summary": "CaughtMutant", "scenario": {"Mutant": {"name": "a", "file": "x.rs"}}},
        {"summary": "Timeout", "scenario": {"Mutant": {"name": "b", "file": "x.rs"}}},
        {"summary": "Unviable", "scenario": {"Mutant": {"name": "c", "file": "x.rs"}}},
        {"summary": "MissedMutant", "scenario": {"Mutant": {"name": "d", "file": "y.rs"}}}]}"#;

    #[test]
    fn two_caught_of_three_are_too_few_for_seventy_percent() {
        let outcomes: Outcomes = serde_json::from_str(OUTCOMES).unwrap();
        assert!(judge(&outcomes, 66).is_ok());
        assert!(judge(&outcomes, 70).is_err());
    }

    #[test]
    fn a_run_that_tested_nothing_is_an_error() {
        assert!(judge(&Outcomes { outcomes: vec![] }, 0).is_err());
    }
}
