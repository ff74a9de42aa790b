//! What cargo-mutants would change.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// One change of one place.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Mutant {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) genre: Genre,
    pub(super) span: Span,
    pub(super) replacement: String,
    /// Where it is, unless it is in a constant.
    function: Option<Function>,
}

#[derive(Debug, Clone, Deserialize)]
struct Function {
    return_type: String,
}

impl Mutant {
    /// Whether the function has another type when it is replaced.
    pub(super) fn changes_type(&self) -> bool {
        let returned = self.function.as_ref().map_or("", |function| &function.return_type);
        self.genre == Genre::FnValue && returned.contains("impl ")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    StructField,
}

/// From the first place to the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Span {
    pub(super) start: Place,
    pub(super) end: Place,
}

/// Both counted from 1; the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// The mutants of these files.
pub(super) fn of(files: &[String]) -> Result<Vec<Mutant>> {
    let mut command = Command::new("cargo");
    command.args(["mutants", "--list", "--json", "--package", "goldcrest"]);
    // Display and Debug are for people; what they print is no requirement.
    command.args(["--exclude-re", "fmt::(Display|Debug) for"]);
    for file in files {
        command.args(["--file", file]);
    }
    let out = command.current_dir(crate::root()).output().context("cannot run cargo")?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "`cargo mutants --list` failed (`cargo install cargo-mutants`?):\n{said}");
    serde_json::from_slice(&out.stdout).context("what cargo-mutants lists has changed")
}
