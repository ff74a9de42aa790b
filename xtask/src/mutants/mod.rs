//! Which wrong lines of code no test would notice.
//!
//! cargo-mutants says what could be wrong in the files whose code claims a requirement of docs/rfc (or in those that
//! are named). It would build the tests anew for each mutant, which takes days; here all mutants are woven into one
//! copy of the sources, which is built once, and each is chosen when the tests are run: only those that come to its
//! place. docs/MUTANTS.md keeps the last run of each file and says of the survivors why they may live.

mod build;
mod list;
mod report;
mod trial;
mod weave;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::rfc;
use report::{Reasons, Results};
use trial::Fate;

/// What stands before the table in docs/MUTANTS.md.
const INTRODUCTION: &str = "\
# Wrong lines that no test would notice

Written by `cargo xtask mutants --write`. It changes one expression at a time in the files that have requirement marks,
runs the unit tests that come to it, and lists what none of them noticed. What may be changed how, cargo-mutants says; a
mutant that runs for ever counts as caught, one in what the compiler computes (constants) cannot be tried in this way.
Why a survivor may live stands in docs/mutants.toml; where nothing is said, a test is missing.

";

/// What to mutate.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A file or glob below the project's folder; again for more. Default: all that have marks
    #[arg(long)]
    file: Vec<String>,
    /// How many programs with tests are run at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Percent of the mutants that must be caught
    #[arg(long, default_value_t = 85)]
    at_least: usize,
    /// Seconds; a test that takes longer is left out
    #[arg(long, default_value_t = 3)]
    slowest: u64,
    /// Tries nothing: tells of the last run of each file once more
    #[arg(long)]
    last: bool,
    /// Writes docs/MUTANTS.md, from the last run of each file
    #[arg(long)]
    write: bool,
}

/// Tries all mutants and judges what was found.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = crate::root().join("target/mutants");
    let mut results = Results::read(&folder.join("results.json"));
    if !arguments.last {
        results.replace(try_all(arguments, &folder)?);
        results.write(&folder.join("results.json"))?;
    }
    let text = results.render(&Reasons::read()?);
    println!("{text}");
    if arguments.write {
        let path = crate::root().join("docs/MUTANTS.md");
        std::fs::write(&path, [INTRODUCTION, &text].concat()).context("cannot write docs/MUTANTS.md")?;
    }
    results.judge(arguments.at_least)
}

fn try_all(arguments: &Arguments, folder: &Path) -> Result<BTreeMap<String, Vec<(String, Fate)>>> {
    let files = match arguments.file.is_empty() {
        true => rfc::files_with_requirements()?,
        false => arguments.file.clone(),
    };
    let mutants = list::of(&files)?;
    let built = build::build(&mutants, folder)?;
    let mut fates = trial::run(&built, arguments.jobs, Duration::from_secs(arguments.slowest))?;
    fates.extend(built.not_viable.iter().map(|number| (*number, Fate::NotViable)));
    fates.extend(built.left_out.iter().map(|number| (*number, Fate::LeftOut)));
    let mut by_file = BTreeMap::<String, Vec<(String, Fate)>>::new();
    for (number, fate) in fates {
        let mutant = &mutants[number];
        by_file.entry(mutant.file.clone()).or_default().push((mutant.name.clone(), fate));
    }
    Ok(by_file)
}
